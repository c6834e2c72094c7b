//! What is remembered of how a thing was made, and of who was the last at it.

use super::super::bots::Bots;
use super::super::deed::BY_BOT;
use super::super::footprint::{Resource, State};
use super::*;
use crate::domain::hunt::findings;

fn of_deploy(minute: u32, id: &str, call: (&str, &str), more: Value) -> Value {
    by_user(minute, id, STOLEN, "deploy", call, more)
}

fn of_owner(minute: u32, id: &str, call: (&str, &str), more: Value) -> Value {
    let mut record = by_user(minute, id, "AKIADEFENDER00000001", "kim", call, more);
    record["sourceIPAddress"] = json!(OFFICE);
    record
}

fn user(id: &str) -> Value {
    json!({"requestParameters": {"userName": "mallory"}, "responseElements": {"user": {"userName": "mallory", "userId": id}}})
}

fn trail() -> Value {
    json!({"requestParameters": {"name": "main"}})
}

fn found(analysis: &Analysis) -> &Resource {
    let [found] = &analysis.footprint[..] else { panic!("{:?}", analysis.footprint) };
    found
}

#[test]
fn the_unique_id_and_the_time_of_the_call_that_made_it_are_kept() {
    let analysis = analyze(&[
        of_deploy(600, "m1", ("iam", "CreateUser"), user("AIDAFIRST")),
        of_deploy(601, "m2", ("iam", "DeleteUser"), json!({"requestParameters": {"userName": "mallory"}})),
        of_deploy(602, "m3", ("iam", "CreateUser"), user("AIDASECOND")),
        of_owner(603, "m4", ("iam", "UpdateUser"), json!({"requestParameters": {"userName": "mallory"}})),
    ]);
    let made = found(&analysis).made.clone().unwrap();
    assert_eq!(made.unique_id.as_deref(), Some("AIDASECOND"), "of the one that is there");
    assert_eq!(made.at.unwrap().to_rfc3339(), "2026-01-31T10:02:00+00:00");
    assert_eq!(found(&analysis).newest.as_deref(), Some("m3"), "the owner's call is not the attacker's newest");
    let (hunted, _) = findings::hunted(&analysis, &std::collections::BTreeMap::new());
    assert_eq!(hunted.footprint[0].made.as_ref().unwrap().unique_id.as_deref(), Some("AIDASECOND"));
    let pair =
        json!({"requestParameters": {"keyName": "k"}, "responseElements": {"keyName": "k", "keyPairId": "key-1"}});
    let analysis = analyze(&[of_deploy(600, "k1", ("ec2", "CreateKeyPair"), pair)]);
    assert_eq!(found(&analysis).made.as_ref().unwrap().unique_id.as_deref(), Some("key-1"));
}

#[test]
fn who_has_deleted_a_thing_is_known_and_made_anew_it_is_another_one() {
    let deleted = |by: fn(u32, &str, (&str, &str), Value) -> Value, more: Vec<Value>| {
        let stop = of_deploy(600, "t1", ("cloudtrail", "StopLogging"), trail());
        let delete = by(601, "t2", ("cloudtrail", "DeleteTrail"), trail());
        let analysis = analyze(&[vec![stop, delete], more].concat());
        let (hunted, _) = findings::hunted(&analysis, &std::collections::BTreeMap::new());
        let trace = hunted.footprint.into_iter().next().unwrap();
        (trace.state, trace.deleted_by_attacker, trace.newest.unwrap())
    };
    assert_eq!(deleted(of_deploy, vec![]), (State::Deleted, true, "t2".to_owned()));
    assert_eq!(deleted(of_owner, vec![]), (State::Deleted, false, "t1".to_owned()));
    let anew = of_owner(602, "t3", ("cloudtrail", "CreateTrail"), trail());
    assert_eq!(deleted(of_deploy, vec![anew]), (State::Present, false, "t2".to_owned()));
}

#[test]
fn what_the_bot_does_to_a_role_is_known_by_the_roles_it_has_and_not_by_their_names() {
    let trust = || json!({"requestParameters": {"roleName": "app", "policyDocument": "{}"}});
    let call = ("iam", "UpdateAssumeRolePolicy");
    let seen = |role: &str, bots: Bots| {
        let theirs = of_deploy(600, "b1", call, trust());
        let then = by_role(601, "b2", "ASIABOT0000000000001", (role, "INC-1.2"), call, trust());
        let analysis = analyze_files(&Question { bots, ..question() }, &[vec![theirs, then]]);
        let deed = found(&analysis).deeds.last().cloned().unwrap();
        let who = analysis.others.iter().find(|action| action.event_id.as_ref() == "b2").unwrap().who;
        (deed.event_id, deed.by_attacker, deed.what == BY_BOT, who)
    };
    let own = || Bots::of(["arn:aws:iam::111122223333:role/security/acme-contain"]);
    let (bots, others) = (("b2".into(), false, true, Who::Responder), ("b2".into(), false, false, Who::Other));
    assert_eq!(seen("acme-contain", own()), bots);
    assert_eq!(seen("irp-contain", own()), others, "whoever calls a role like the template's");
    assert_eq!(seen("irp-contain", Bots::default()), bots);
    assert_eq!(seen("acme-contain", Bots::default()), others);
}

#[test]
fn what_is_kept_from_being_deleted_stays_whose_it_was() {
    let key = json!({"requestParameters": {"keyId": "k-1"}});
    let cancel =
        |by: fn(u32, &str, (&str, &str), Value) -> Value| by(601, "c", ("kms", "CancelKeyDeletion"), key.clone());
    let analysis = analyze(&[of_deploy(600, "d", ("kms", "ScheduleKeyDeletion"), key.clone()), cancel(of_owner)]);
    assert_eq!((found(&analysis).state, found(&analysis).made_by_attacker), (State::Present, false));
    let analysis = analyze(&[cancel(of_deploy)]);
    assert_eq!((found(&analysis).state, found(&analysis).made_by_attacker), (State::Modified, false));
    let analysis = analyze(&[
        of_deploy(599, "p", ("kms", "PutKeyPolicy"), key.clone()),
        of_deploy(600, "d", ("kms", "ScheduleKeyDeletion"), key.clone()),
        cancel(of_owner),
    ]);
    assert_eq!(found(&analysis).state, State::Modified, "the attacker's policy is still on it");
    let made = json!({"responseElements": {"keyMetadata": {"keyId": "k-1"}}});
    let analysis = analyze(&[of_deploy(599, "m", ("kms", "CreateKey"), made), cancel(of_deploy)]);
    assert_eq!((found(&analysis).state, found(&analysis).made_by_attacker), (State::Present, true));
}

#[test]
fn a_call_that_leaves_what_its_record_does_not_name_is_in_the_footprint_itself() {
    let assigns = json!({"requestParameters": {"instanceArn": "i", "targetId": ACCOUNT, "principalType": "USER"}});
    let analysis = analyze(&[
        of_deploy(600, "a1", ("sso", "CreateAccountAssignment"), assigns.clone()),
        of_deploy(601, "a2", ("sso", "CreateAccountAssignment"), assigns),
        of_deploy(602, "s", ("sts", "GetSessionToken"), json!({})),
        of_owner(603, "o", ("sso", "CreateAccountAssignment"), json!({})),
    ]);
    let left = found(&analysis);
    assert_eq!((&*left.resource_type, &*left.id), ("AWS::SSO::Call", "CreateAccountAssignment"));
    assert_eq!((left.state, &left.evidence[..]), (State::Modified, &["a1".to_owned(), "a2".to_owned()][..]));
}
