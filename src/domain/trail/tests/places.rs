//! Where calls come from, and what that says: machines' credentials elsewhere, addresses in a VPC of one's own, and AWS's
//! own network.

use super::*;

const MACHINE: &str = "i-0123456789abcdef1";
const OWN: &str = "192.0.2.40";
const ELSEWHERE: &str = "192.0.2.99";

fn by_machine(minute: u32, id: &str, key: &str, address: &str) -> Value {
    by_role(minute, id, key, ("web", MACHINE), ("iam", "CreateUser"), json!({"sourceIPAddress": address}))
}

fn theirs(analysis: &Analysis) -> Vec<&str> {
    analysis.actions.iter().map(|action| action.event_id.as_ref()).collect()
}

#[test]
fn a_machines_new_credentials_are_the_attackers_where_it_never_called_from_before_they_came_in() {
    let enter = json!({"requestParameters": {"instanceIds": [MACHINE]}, "responseElements": {"command": {}}});
    let enters = by_user(600, "enters", STOLEN, "deploy", ("ssm", "SendCommand"), enter);
    let before = by_machine(500, "before", "ASIAOLD", OWN);
    let after = [by_machine(700, "own", "ASIANEW", OWN), by_machine(701, "loot", "ASIANEW", ELSEWHERE)];
    let analysis = analyze(&[&[before, enters.clone()][..], &after[..]].concat());
    assert_eq!(theirs(&analysis), ["enters", "loot"]);
    let reached: Vec<_> = analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref()).collect();
    assert!(reached.contains(&"ASIANEW"), "{reached:?}");
    // Where nothing is known of the machine, nothing can be said.
    let analysis = analyze(&[&[enters][..], &after[..]].concat());
    assert_eq!(theirs(&analysis), ["enters"]);
}

#[test]
fn what_a_robbed_machine_gets_next_is_the_attackers_too_wherever_they_take_it() {
    let records = [
        by_machine(500, "own", "ASIAROBBED", OWN),
        by_machine(600, "robbed", "ASIAROBBED", THIEF),
        by_machine(900, "work", "ASIANEXT", OWN),
        by_machine(901, "next", "ASIANEXT", ELSEWHERE),
    ];
    let question = Question {
        credentials: vec!["ASIAROBBED".into()],
        since: "2026-01-31T09:30:00Z".parse().ok(),
        ..Question::default()
    };
    let analysis = analyze_files(&question, &[records.to_vec()]);
    assert_eq!(theirs(&analysis), ["robbed", "next"], "{:#?}", analysis.actions);
}

#[test]
fn an_address_in_a_vpc_is_its_owners_only_behind_its_own_endpoint() {
    let at = |minute: u32, id: &str, endpoint: Option<&str>| {
        let mut more = json!({"sourceIPAddress": OFFICE});
        if let Some(endpoint) = endpoint {
            more["vpcEndpointId"] = json!(endpoint);
        }
        if minute < 60 {
            more["eventTime"] = json!(format!("2026-01-25T00:{minute}:00Z"));
        }
        by_user(minute, id, STOLEN, "deploy", ("s3", "CreateBucket"), more)
    };
    let records = [
        at(10, "habit", None),
        at(11, "inside", Some("vpce-0aaaaaaaaaaaaaaaa")),
        at(1300, "spoofed", Some("vpce-0bbbbbbbbbbbbbbbb")),
        at(1301, "office", None),
        at(1302, "own", Some("vpce-0aaaaaaaaaaaaaaaa")),
    ];
    let question = Question {
        credentials: vec![STOLEN.into()],
        since: "2026-01-31T21:00:00Z".parse().ok(),
        ..Question::default()
    };
    let analysis = analyze_files(&question, &[records.to_vec()]);
    assert_eq!(theirs(&analysis), ["spoofed"], "{:#?}", analysis.actions);
    let place = format!("{OFFICE} through vpce-0bbbbbbbbbbbbbbbb");
    assert_eq!(analysis.addresses.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), [&place]);
    let word = format!("{place}=owner").parse().unwrap();
    let overruled = Question { words: vec![word], ..question };
    assert!(theirs(&analyze_files(&overruled, &[records.to_vec()])).is_empty());
}

#[test]
fn what_aws_does_in_the_name_of_what_is_the_attackers_alone_is_theirs() {
    let key = "AKIAEVIL000000000002";
    let internal = |id: &str, key: &str, user: &str| {
        by_user(700, id, key, user, ("iam", "CreateUser"), json!({"sourceIPAddress": "AWS Internal"}))
    };
    let analysis = analyze(&[
        by_user(600, "makes", STOLEN, "deploy", ("iam", "CreateAccessKey"), create_key("evil", key)),
        internal("theirs", key, "evil"),
        internal("shared", STOLEN, "deploy"),
    ]);
    let who = |id: &str| analysis.actions.iter().find(|action| &*action.event_id == id).map(|action| action.who);
    assert_eq!((who("theirs"), who("shared")), (Some(Who::AttackerThroughAws), None));
}
