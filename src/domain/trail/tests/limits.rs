//! What does not fit is said, and the rest is answered all the same.

use super::super::limits::{OF_ONE_CALL_MAX, WAYS_MAX};
use super::*;

/// The story backwards, each record in a file of its own: more is handed out before it is known to whom.
fn within(limits: Limits) -> Analysis {
    let files: Vec<Vec<Value>> = story().into_iter().rev().map(|record| vec![record]).collect();
    analyze_within(limits, &question(), &files)
}

#[test]
fn each_limit_that_is_met_is_said() {
    let all = Limits::default();
    assert_eq!(within(all).cut, [""; 0]);
    for (limits, said) in [
        (Limits { tokens: 3, ..all }, "more can be reached from the stolen credentials than is followed (3 keys"),
        (Limits { edges: 0, ..all }, "the logs hand out more credentials than are remembered (0)"),
        (Limits { ids: 2, ..all }, "copies of a call are known among 2 calls only"),
        (Limits { others: 0, ..all }, "calls of others to what the attacker touched are listed up to 0"),
    ] {
        let cut = within(limits).cut;
        assert!(matches!(&cut[..], [one] if one.starts_with(said)), "{cut:?}");
    }
    for limits in [Limits { events: 4, ..all }, Limits { reads: 0, ..all }, Limits { granting: 0, ..all }] {
        let cut = within(limits).cut;
        assert!(cut.iter().any(|one| one.contains("calls are only counted, by their credential")), "{cut:?}");
    }
    let cut = within(Limits { reads: 0, counted: 0, ..all }).cut;
    assert!(cut[0].starts_with("calls that are only counted come from more than 0"), "{cut:?}");
}

/// Of one file too there can be more than there is room for.
#[test]
fn a_file_of_which_not_everything_is_remembered_is_answered_all_the_same() {
    let backwards: Vec<Value> = story().into_iter().rev().collect();
    let of_one_file = |of_file: usize| {
        analyze_within(Limits { of_file, ..Limits::default() }, &question(), std::slice::from_ref(&backwards))
    };
    let all = of_one_file(1_000_000);
    for few in [0, 1, 2, 7] {
        let few = of_one_file(few);
        assert_eq!(few.cut, [""; 0]);
        assert_eq!(reached(&few), reached(&all));
        assert_eq!(serde_json::to_value(&few.footprint).unwrap(), serde_json::to_value(&all.footprint).unwrap());
    }
}

#[test]
fn calls_that_are_only_counted_are_still_the_attackers() {
    let (all, few) = (within(Limits::default()), within(Limits { reads: 0, ..Limits::default() }));
    assert!(few.actions.len() < all.actions.len());
    assert_eq!(format!("{:?}", few.events), format!("{:?}", all.events));
    assert_eq!(reached(&few), reached(&all));
}

#[test]
fn a_call_that_names_more_than_is_looked_at_is_said() {
    let launch = |instances: usize| {
        let items: Vec<Value> = (0..instances).map(|n| json!({"instanceId": format!("i-{n:017x}")})).collect();
        let more = json!({"responseElements": {"instancesSet": {"items": items}}});
        analyze(&[by_user(600, "r1", STOLEN, "deploy", ("ec2", "RunInstances"), more)])
    };
    assert_eq!(launch(OF_ONE_CALL_MAX).cut, [""; 0]);
    let more = launch(OF_ONE_CALL_MAX + 1);
    assert!(matches!(&more.cut[..], [one] if one.starts_with("some call names more resources")), "{:?}", more.cut);
    assert_eq!(more.footprint.len(), OF_ONE_CALL_MAX);
}

/// The attacker takes sessions of one name, one each minute of the day, and has the console with the last of them, which is
/// another key.
fn of_one_name(count: usize) -> Analysis {
    let mint = |n: usize| {
        let more = assume("Admin", "s", &format!("ASIAMINTED{n:010}"));
        by_user(u32::try_from(n).unwrap(), &format!("m{n}"), STOLEN, "deploy", ("sts", "AssumeRole"), more)
    };
    let mut records: Vec<Value> = (0..count).map(mint).collect();
    let last = records[count - 1]["eventTime"].clone();
    let more = json!({"sourceIPAddress": "192.0.2.150", "requestParameters": {"userName": "ghost"},
        "userIdentity": {"sessionContext": {"attributes": {"creationDate": last}}}});
    records.push(by_role(1_400, "console", "ASIACONSOLE000000001", ("Admin", "s"), ("iam", "CreateUser"), more));
    analyze(&records)
}

#[test]
fn ways_that_are_not_followed_are_said() {
    let is_found = |analysis: &Analysis| listed(analysis).contains(&"console".to_owned());
    for count in [70, WAYS_MAX] {
        let all = of_one_name(count);
        assert!(is_found(&all) && all.cut.is_empty(), "{count}: {:?}", all.cut);
    }
    let more = of_one_name(WAYS_MAX + 1);
    assert!(!is_found(&more));
    assert!(
        matches!(&more.cut[..], [one] if one.starts_with("more calls of the attacker's lead to one")),
        "{:?}",
        more.cut
    );
}

#[test]
fn however_often_a_service_is_called_nothing_is_cut_for_it() {
    let call = |n: usize| {
        let minute = u32::try_from(n).unwrap();
        by_user(minute, &format!("c{n}"), STOLEN, "deploy", ("cloudformation", "CreateStack"), json!({}))
    };
    let mut records: Vec<Value> = (0..=WAYS_MAX).map(call).collect();
    let service = "cloudformation.amazonaws.com";
    let more = json!({"sourceIPAddress": service, "userAgent": service, "userIdentity": {"invokedBy": service}});
    records.push(by_user(1_010, "carried", STOLEN, "deploy", ("iam", "CreateUser"), more));
    let analysis = analyze(&records);
    assert_eq!(analysis.cut, [""; 0]);
    let carried = analysis.actions.iter().find(|action| action.event_id.as_ref() == "carried").map(|action| action.who);
    assert_eq!(carried, Some(Who::AttackerThroughAws));
}

#[test]
fn however_often_a_machines_stolen_credentials_are_used_nothing_is_cut_for_it() {
    let machine = ("web", "i-0123456789abcdef1");
    let call = |minute: u32, key: &str, address: &str| {
        let more = json!({"sourceIPAddress": address});
        by_role(minute, &format!("c{minute}"), key, machine, ("s3", "CreateBucket"), more)
    };
    // It had called from an address of its own before the theft, and still does.
    let mut records = vec![call(0, "ASIABEFORE", "192.0.2.40")];
    records.extend((1..=1_200).map(|minute| call(minute, STOLEN, THIEF)));
    records.push(call(1_201, "ASIANEXT", "192.0.2.40"));
    records.push(call(1_202, "ASIANEXT", "192.0.2.99"));
    let analysis = analyze(&records);
    assert!(records.len() > WAYS_MAX && analysis.cut.is_empty(), "{:?}", analysis.cut);
    let found = listed(&analysis);
    assert!(found.contains(&"c1202".to_owned()) && !found.contains(&"c1201".to_owned()), "{}", found.len());
    // Nor where it is entered as often.
    let enter = json!({"requestParameters": {"instanceIds": [machine.1]}, "responseElements": {"command": {}}});
    let enters =
        |minute: u32| by_user(minute, &format!("c{minute}"), STOLEN, "deploy", ("ssm", "SendCommand"), enter.clone());
    records.truncate(1);
    records.extend((1..=1_200).map(enters));
    records.push(call(1_202, "ASIANEXT", "192.0.2.99"));
    let analysis = analyze(&records);
    assert_eq!(analysis.cut, [""; 0]);
    assert!(listed(&analysis).contains(&"c1202".to_owned()));
}

#[test]
fn the_longest_trust_policy_is_read_to_its_end() {
    let others = (0..272).map(|n| format!("{n:012}"));
    let callers: Vec<String> = others.chain(["999999999999".to_owned()]).collect();
    let document =
        json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": callers}, "Action": "sts:AssumeRole"}]});
    let opened = json!({"requestParameters": {"roleName": "Door", "policyDocument": document.to_string()}});
    let mut entered = by_user(601, "d2", "", "", ("sts", "AssumeRole"), assume("Door", "s", "ASIATHROUGHDOOR"));
    entered["userIdentity"] = json!({"type": "AWSAccount", "accountId": "999999999999", "principalId": "AIDAFAR"});
    let analysis = analyze(&[by_user(600, "d1", STOLEN, "deploy", ("iam", "UpdateAssumeRolePolicy"), opened), entered]);
    assert_eq!(listed(&analysis), ["d1", "d2"], "{:#?}", analysis.credentials);
}
