//! What AWS's services do in the attacker's name.

use super::super::analysis::Analysis;
use super::*;
use crate::domain::hunt::findings::calls;

const SERVICE: &str = "cloudformation.amazonaws.com";

fn by(analysis: &Analysis, id: &str) -> Option<Who> {
    analysis.actions.iter().find(|action| &*action.event_id == id).map(|action| action.who)
}

/// A call that a service makes with somebody's key.
fn through(minute: u32, id: &str, key: &str, service: &str) -> Value {
    let mut record =
        by_user(minute, id, key, "deploy", ("iam", "CreateUser"), json!({"requestParameters": {"userName": "evil"}}));
    record["userIdentity"]["invokedBy"] = json!(service);
    merge(&mut record, json!({"sourceIPAddress": service, "userAgent": service}));
    record
}

#[test]
fn what_a_service_carries_out_is_the_attackers_until_its_owner_calls_the_service() {
    let call = |minute: u32, id: &str, address: &str| {
        let more = json!({"sourceIPAddress": address});
        let mut record = by_user(minute, id, STOLEN, "deploy", ("cloudformation", "CreateStack"), more);
        if minute == 0 {
            record["eventTime"] = json!("2026-01-25T00:00:00Z");
        }
        record
    };
    let question = Question { since: "2026-01-31T09:00:00Z".parse().ok(), ..question() };
    let analysis = analyze_files(
        &question,
        &[vec![
            call(0, "habit", OFFICE),
            call(600, "asks", THIEF),
            through(601, "soon", STOLEN, SERVICE),
            through(601, "other", STOLEN, "athena.amazonaws.com"),
            through(700, "late", STOLEN, SERVICE),
            call(800, "asks again", THIEF),
            call(810, "owner", OFFICE),
            through(820, "either", STOLEN, SERVICE),
            through(900, "owners", STOLEN, SERVICE),
        ]],
    );
    for id in ["soon", "late"] {
        assert_eq!(by(&analysis, id), Some(Who::AttackerThroughAws), "{id}");
    }
    for id in ["other", "either", "owners"] {
        assert_eq!(by(&analysis, id), None, "{id}: the key's owner uses services too");
    }
}

/// Asking how things are begins nothing, and ends nothing that was begun.
#[test]
fn who_only_looks_has_begun_nothing() {
    let call = |minute: u32, id: &str, name: &str, address: &str| {
        let more = json!({"sourceIPAddress": address, "readOnly": name.starts_with("Describe")});
        by_user(minute, id, STOLEN, "deploy", ("cloudformation", name), more)
    };
    let mut habit = call(0, "habit", "DescribeStacks", OFFICE);
    habit["eventTime"] = json!("2026-01-25T00:00:00Z");
    let question = Question { since: "2026-01-31T09:00:00Z".parse().ok(), ..question() };
    let of = |records: Vec<Value>| analyze_files(&question, &[records]);
    let looked = of(vec![
        habit.clone(),
        call(500, "owner's", "CreateStack", OFFICE),
        call(600, "looks", "DescribeStacks", THIEF),
        through(700, "works", STOLEN, SERVICE),
    ]);
    assert_eq!(by(&looked, "works"), None, "the owner's stack");
    let polled = of(vec![
        habit,
        call(600, "theirs", "CreateStack", THIEF),
        call(650, "polls", "DescribeStacks", OFFICE),
        through(700, "works", STOLEN, SERVICE),
    ]);
    assert_eq!(by(&polled, "works"), Some(Who::AttackerThroughAws), "the attacker's stack");
}

#[test]
fn a_service_that_the_attacker_has_only_looked_at_works_for_its_owner() {
    let call = |minute: u32, id: &str, name: &str, address: &str| {
        let more = json!({"sourceIPAddress": address, "readOnly": name.starts_with("Describe")});
        by_user(minute, id, STOLEN, "deploy", ("cloudformation", name), more)
    };
    let mut habit = call(0, "habit", "UpdateStack", OFFICE);
    habit["eventTime"] = json!("2026-01-25T00:00:00Z");
    let question = Question { since: "2026-01-31T09:00:00Z".parse().ok(), ..question() };
    let of = |records: Vec<Value>| by(&analyze_files(&question, &[records]), "works");
    let looks = call(600, "looks", "DescribeStacks", THIEF);
    let (updates, works) = (call(620, "updates", "UpdateStack", OFFICE), through(621, "works", STOLEN, SERVICE));
    assert_eq!(of(vec![habit.clone(), looks.clone(), works.clone()]), None, "nobody has asked for anything");
    assert_eq!(of(vec![habit.clone(), looks.clone(), updates.clone(), works.clone()]), None, "the owner has asked");
    let late = call(620, "looks again", "DescribeStacks", THIEF);
    assert_eq!(of(vec![habit.clone(), call(610, "updates", "UpdateStack", OFFICE), late, works.clone()]), None);
    let theirs = call(615, "theirs", "UpdateStack", THIEF);
    assert_eq!(of(vec![habit.clone(), theirs.clone(), updates, works.clone()]), None, "the owner was the last to ask");
    assert_eq!(of(vec![habit, looks, theirs, works]), Some(Who::AttackerThroughAws));
}

#[test]
fn what_a_service_reads_to_answer_the_attacker_is_theirs() {
    const SECRETS: &str = "secretsmanager.amazonaws.com";
    let call = |minute: u32, id: &str, name: &str, address: &str| {
        let more = json!({"sourceIPAddress": address, "readOnly": true, "requestParameters": {"secretId": "prod/db"}});
        by_user(minute, id, STOLEN, "deploy", ("secretsmanager", name), more)
    };
    let decrypts = |minute: u32, id: &str| {
        let mut record = through(minute, id, STOLEN, SECRETS);
        let more = json!({"eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "readOnly": true,
            "requestParameters": null});
        merge(&mut record, more);
        record
    };
    let mut habit = call(0, "habit", "DescribeSecret", OFFICE);
    habit["eventTime"] = json!("2026-01-25T00:00:00Z");
    let question = Question { since: "2026-01-31T09:00:00Z".parse().ok(), ..question() };
    let records = vec![
        habit,
        call(600, "gets", "GetSecretValue", THIEF),
        decrypts(600, "at once"),
        decrypts(601, "soon"),
        through(601, "changes", STOLEN, SECRETS),
        decrypts(602, "late"),
        call(620, "owner looks", "DescribeSecret", OFFICE),
        decrypts(620, "owner's"),
        call(640, "looks", "DescribeSecret", THIEF),
        call(641, "either", "DescribeSecret", OFFICE),
        decrypts(641, "nobody's"),
    ];
    let analysis = analyze_files(&question, &[records]);
    for id in ["at once", "soon"] {
        assert_eq!(by(&analysis, id), Some(Who::AttackerThroughAws), "{id}");
    }
    for id in ["changes", "late", "owner's", "nobody's"] {
        assert_eq!(by(&analysis, id), None, "{id}");
    }
}

#[test]
fn a_service_does_not_carry_a_call_out_for_ever() {
    let asks = by_user(0, "asks", STOLEN, "deploy", ("cloudformation", "CreateStack"), json!({}));
    let mut days_later = through(0, "days later", STOLEN, SERVICE);
    days_later["eventTime"] = json!("2026-02-02T00:00:00Z");
    let mut again = by_user(0, "again", STOLEN, "deploy", ("cloudformation", "UpdateStack"), json!({}));
    again["eventTime"] = json!("2026-02-03T00:00:00Z");
    let mut soon = through(0, "soon", STOLEN, SERVICE);
    soon["eventTime"] = json!("2026-02-03T03:00:00Z");
    let analysis = analyze(&[asks, days_later, again, soon]);
    assert_eq!((by(&analysis, "days later"), by(&analysis, "soon")), (None, Some(Who::AttackerThroughAws)));
}

#[test]
fn what_is_the_attackers_alone_is_theirs_whatever_service_works_with_it() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/stacks");
    let asks = json!({"requestParameters": {"stackName": "s", "roleARN": role}, "responseElements": {"stackId": "x"}});
    let mut takes =
        by_user(601, "takes", "", "", ("sts", "AssumeRole"), assume("stacks", "AWSCloudFormation", "ASIASTACK"));
    takes["userIdentity"] = json!({"type": "AWSService", "invokedBy": SERVICE});
    takes["sourceIPAddress"] = json!(SERVICE);
    let made = json!({"sourceIPAddress": SERVICE, "userAgent": SERVICE, "requestParameters": {"userName": "evil"}});
    let mut makes = by_role(602, "makes", "ASIASTACK", ("stacks", "AWSCloudFormation"), ("iam", "CreateUser"), made);
    makes["userIdentity"]["invokedBy"] = json!(SERVICE);
    let mut keys = by_role(
        603,
        "keys",
        "ASIASTACK",
        ("stacks", "AWSCloudFormation"),
        ("iam", "CreateAccessKey"),
        create_key("evil", "AKIAEVIL000000000001"),
    );
    keys["userIdentity"]["invokedBy"] = json!(SERVICE);
    let uses = by_user(700, "uses", "AKIAEVIL000000000001", "evil", ("iam", "ListUsers"), json!({"readOnly": true}));
    let analysis = analyze(&[
        by_user(600, "asks", STOLEN, "deploy", ("cloudformation", "CreateStack"), asks),
        takes,
        makes,
        keys,
        uses,
    ]);
    assert_eq!(by(&analysis, "makes"), Some(Who::AttackerThroughAws), "{:#?}", analysis.actions);
    assert_eq!(by(&analysis, "uses"), Some(Who::Attacker), "the key that came of it: {:#?}", analysis.credentials);
    assert!(states(&analysis).contains(&("AWS::IAM::User".to_owned(), "evil".to_owned(), State::Present)));
    let worked = calls(&analysis);
    assert!(worked.iter().any(|call| call.event_id == "makes" && call.worked), "it turns the proof: {worked:?}");
}

#[test]
fn which_sessions_of_a_shared_role_are_the_attackers_nobody_can_say_and_that_is_said() {
    let target = json!({"arn": "x", "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/nightly")});
    let more = json!({"requestParameters": {"name": "tick", "target": target}, "responseElements": {}});
    let analysis = analyze(&[by_user(600, "tick", STOLEN, "deploy", ("scheduler", "CreateSchedule"), more)]);
    let said: Vec<&str> = analysis.not_recorded.iter().map(|gap| gap.what.as_str()).collect();
    assert!(said.contains(&"which sessions of role nightly scheduler has taken for the attacker"), "{said:?}");
}

#[test]
fn with_which_role_a_state_machine_runs_is_said_to_be_unknown_where_a_change_names_none() {
    let machine = format!("arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:nightly");
    let said = |more: Value| {
        let more = json!({"requestParameters": more, "responseElements": {}});
        let analysis = analyze(&[by_user(600, "sm", STOLEN, "deploy", ("states", "UpdateStateMachine"), more)]);
        analysis.not_recorded.iter().any(|gap| gap.what.contains("nightly runs what the attacker has put into it"))
    };
    assert!(said(json!({"stateMachineArn": machine, "definition": "{}"})));
    assert!(!said(json!({"stateMachineArn": machine, "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/nightly")})));
}

#[test]
fn aws_has_numbers_behind_its_own_address() {
    let numbered = json!({"sourceIPAddress": "AWS Internal/12", "requestParameters": {"userName": "evil"}});
    let analysis = analyze(&[by_user(600, "a1", STOLEN, "deploy", ("iam", "CreateUser"), numbered)]);
    assert!(listed(&analysis).is_empty() && analysis.addresses.is_empty());
}

#[test]
fn a_secret_that_was_written_a_hundred_times_before_it_was_read_is_on_the_rotation_list() {
    let of = |minute: u32, id: String, call: &str| {
        let more = json!({"requestParameters": {"secretId": "prod/db"}, "responseElements": {}});
        by_user(minute, &id, STOLEN, "deploy", ("secretsmanager", call), more)
    };
    let mut records: Vec<Value> = (0..150).map(|n| of(600 + n, format!("w{n}"), "UpdateSecret")).collect();
    records.push(of(800, "read".to_owned(), "GetSecretValue"));
    let analysis = analyze(&records);
    let listed: Vec<(&str, &[String])> = analysis.rotate.iter().map(|read| (&*read.id, &*read.evidence)).collect();
    assert_eq!(listed, [("prod/db", &["read".to_owned()][..])]);
}

#[test]
fn who_takes_the_quarantine_off_has_tampered() {
    let policy = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    let more = json!({"requestParameters": {"userName": "deploy", "policyArn": policy}});
    let analysis = analyze(&[by_user(600, "q1", STOLEN, "deploy", ("iam", "DetachUserPolicy"), more)]);
    assert_eq!(analysis.tampering.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["q1"]);
}
