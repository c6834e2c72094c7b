//! Instances that AWS starts for what the attacker has made: their sessions are the attacker's, and nobody else's are.

use serde_json::{Value, json};

use super::*;
use crate::domain::hunt::findings::hunted;

const OWN: &str = "i-0000000000000000a";
const OTHER: &str = "i-0000000000000000b";

fn thief(minute: u32, id: &str, call: (&str, &str), more: Value) -> Value {
    by_user(minute, id, STOLEN, "ci", call, more)
}

fn owner(minute: u32, id: &str, call: (&str, &str), more: Value) -> Value {
    let mut record = by_user(minute, id, "AKIAOPS0000000000001", "ops", call, more);
    record["sourceIPAddress"] = json!(OFFICE);
    record
}

fn group(name: &str) -> Value {
    json!({"requestParameters": {"autoScalingGroupName": name}})
}

/// A service starts an instance, and that makes a call a minute later.
fn starts(minute: u32, instance: &str, of: &Value, more: Value) -> Vec<Value> {
    let mut item = json!({"instanceId": instance});
    merge(&mut item, more);
    let request = json!({"tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": of}]}});
    let more = json!({"sourceIPAddress": "autoscaling.amazonaws.com", "requestParameters": request,
        "responseElements": {"instancesSet": {"items": [item]}}});
    let role = ("AWSServiceRoleForAutoScaling", "AutoScaling");
    let mut run =
        by_role(minute, &format!("run-{minute}"), "ASIASERVICE000000001", role, ("ec2", "RunInstances"), more);
    run["userIdentity"]["invokedBy"] = json!("autoscaling.amazonaws.com");
    let key = format!("ASIA{minute:016}");
    let away = json!({"sourceIPAddress": "192.0.2.99", "requestParameters": {"userName": "x"}});
    vec![run, by_role(minute + 1, &format!("act-{minute}"), &key, ("miner", instance), ("iam", "DeleteUser"), away)]
}

fn tag(key: &str, value: &str) -> Value {
    json!([{"key": key, "value": value}])
}

fn of_group(name: &str) -> Value {
    tag("aws:autoscaling:groupName", name)
}

#[test]
fn what_an_instance_does_that_a_group_of_the_attackers_has_started_is_the_attackers() {
    let mut records = vec![thief(720, "makes", ("autoscaling", "CreateAutoScalingGroup"), group("miners"))];
    records.extend(starts(730, OWN, &of_group("miners"), json!({})));
    records.extend(starts(740, OTHER, &of_group("web"), json!({})));
    let analysis = analyze(&records);
    assert_eq!(listed(&analysis), ["makes", "act-730"], "and what the owner's group has started is theirs");
    let how = &analysis.credentials[1].reached_by.as_ref().unwrap().how;
    assert_eq!(&**how, format!("RunInstances: session of instance {OWN}"));
    assert_eq!(analysis.acting, [OWN]);
    assert!(!analysis.credentials.iter().any(|held| held.name.contains("SERVICE")), "the service's session is its own");
    assert!(analysis.footprint.iter().all(|found| found.id != OWN), "it goes with its group");
    let run = analysis.others.iter().find(|other| &*other.event_id == "run-730").expect("it is shown");
    assert_eq!(
        (run.who, &*run.why),
        (Who::Aws, "CreateAutoScalingGroup: Auto Scaling group miners starts it, which the attacker made")
    );
    let (found, _) = hunted(&analysis, &std::collections::BTreeMap::new());
    assert_eq!(found.started.into_iter().collect::<Vec<_>>(), [(OWN.to_owned(), "us-east-1".to_owned())]);
    assert_eq!(found.started_by.into_iter().collect::<Vec<_>>(), [(OWN.to_owned(), "makes".to_owned())]);
}

#[test]
fn fleets_and_spot_requests_are_followed_by_what_their_instances_say() {
    let fleet =
        |call: &str, id: &str, value: &str| json!({"responseElements": {format!("{call}Response"): {id: value}}});
    let spot = json!({"responseElements": {"spotInstanceRequestSet": {"items": [{"spotInstanceRequestId": "sir-1"}]}}});
    for (call, made, tags, more) in [
        ("CreateFleet", fleet("CreateFleet", "fleetId", "fleet-1"), tag("aws:ec2:fleet-id", "fleet-1"), json!({})),
        (
            "RequestSpotFleet",
            fleet("RequestSpotFleet", "spotFleetRequestId", "sfr-1"),
            json!([]),
            json!({"tagSet": {"items": tag("aws:ec2spot:fleet-request-id", "sfr-1")}}),
        ),
        ("RequestSpotInstances", spot, json!([]), json!({"spotInstanceRequestId": "sir-1"})),
    ] {
        let mut records = vec![thief(720, "makes", ("ec2", call), made)];
        records.extend(starts(730, OWN, &tags, more));
        records.extend(starts(
            740,
            OTHER,
            &tag("aws:ec2:fleet-id", "fleet-2"),
            json!({"spotInstanceRequestId": "sir-2"}),
        ));
        assert_eq!(listed(&analyze(&records)), ["makes", "act-730"], "{call}");
    }
}

#[test]
fn a_group_that_the_owner_makes_by_the_same_name_is_the_owners() {
    let mut records = vec![
        thief(720, "makes", ("autoscaling", "CreateAutoScalingGroup"), group("web")),
        owner(735, "deletes", ("autoscaling", "DeleteAutoScalingGroup"), group("web")),
        owner(738, "anew", ("autoscaling", "CreateAutoScalingGroup"), group("web")),
    ];
    records.extend(starts(710, OTHER, &of_group("web"), json!({})));
    records.extend(starts(730, OWN, &of_group("web"), json!({})));
    records.extend(starts(740, OTHER, &of_group("web"), json!({})));
    let analysis = analyze(&records);
    assert_eq!(listed(&analysis), ["makes", "act-730"]);
    assert_eq!(analysis.started.keys().collect::<Vec<_>>(), [OWN]);
}

#[test]
fn of_groups_of_the_same_name_the_newest_has_started_an_instance() {
    let mut records = vec![
        thief(720, "first", ("autoscaling", "CreateAutoScalingGroup"), group("miners")),
        thief(735, "deletes", ("autoscaling", "DeleteAutoScalingGroup"), group("miners")),
        thief(738, "anew", ("autoscaling", "CreateAutoScalingGroup"), group("miners")),
    ];
    records.extend(starts(730, OWN, &of_group("miners"), json!({})));
    records.extend(starts(740, OTHER, &of_group("miners"), json!({})));
    let made = analyze(&records).started_by;
    let by = |instance: &str| made.get(instance).map(String::as_str);
    assert_eq!((by(OWN), by(OTHER)), (Some("first"), Some("anew")));
}

#[test]
fn what_a_group_has_started_that_the_owner_can_have_made_is_in_doubt() {
    let mut records = vec![thief(720, "makes", ("autoscaling", "CreateAutoScalingGroup"), group("miners"))];
    records.extend(starts(730, OWN, &of_group("miners"), json!({})));
    records.push(thief(735, "deletes", ("autoscaling", "DeleteAutoScalingGroup"), group("miners")));
    let shown = |question: &Question| {
        let analysis = analyze_files(question, std::slice::from_ref(&records));
        let (found, _) = hunted(&analysis, &std::collections::BTreeMap::new());
        assert!(found.started.contains_key(OWN) && found.started_by.contains_key(OWN));
        found.started_in_doubt.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(shown(&question()), [OWN], "nobody knows since when, or where the owner works");
    assert!(shown(&Question { suspects: vec![THIEF.to_owned()], ..question() }).is_empty());
    assert!(shown(&Question { since: "2026-01-31T11:00:00Z".parse().ok(), ..question() }).is_empty());
}

#[test]
fn a_group_of_the_owners_that_the_attacker_changed_is_not_followed_and_that_is_said() {
    let mut records = vec![thief(720, "changes", ("autoscaling", "UpdateAutoScalingGroup"), group("web"))];
    records.extend(starts(730, OTHER, &of_group("web"), json!({})));
    let analysis = analyze(&records);
    assert_eq!(listed(&analysis), ["changes"]);
    let says = |analysis: &Analysis| analysis.not_recorded.iter().any(|gap| gap.what.contains("AutoScalingGroup web"));
    assert!(says(&analysis), "{:?}", analysis.not_recorded);
    let made = thief(719, "makes", ("autoscaling", "CreateAutoScalingGroup"), group("web"));
    records.insert(0, made);
    let analysis = analyze(&records);
    assert!(!says(&analysis) && listed(&analysis).contains(&"act-730".to_owned()), "{:?}", listed(&analysis));
}
