//! Where nobody knows when a key was stolen: what can be its owner's all the same.

use super::*;

const PIPELINE: &str = "192.0.2.10";
const MADE_KEY: &str = "AKIAMADE000000000001";

fn on(day: &str, id: &str, call: (&str, &str), address: &str, more: Value) -> Value {
    let mut record = by_user(600, id, STOLEN, "deploy", call, more);
    merge(&mut record, json!({"eventTime": format!("2026-01-{day}:00Z"), "sourceIPAddress": address}));
    record
}

fn bucket(name: &str) -> Value {
    json!({"requestParameters": {"bucketName": name}})
}

fn user(name: &str) -> Value {
    json!({"requestParameters": {"userName": name}})
}

/// The pipeline has worked for days.
fn habit() -> Value {
    on("20T10:00", "habit", ("s3", "ListBuckets"), PIPELINE, json!({"readOnly": true}))
}

/// The owner makes something at a desk that the key was not at before, and the thief settles.
fn desk_and_thief() -> Vec<Value> {
    vec![
        on("31T06:00", "desk", ("s3", "CreateBucket"), OFFICE, bucket("reports")),
        on("31T10:00", "settles", ("iam", "CreateUser"), THIEF, user("evil")),
        on("31T10:01", "loots", ("s3", "CreateBucket"), THIEF, bucket("loot")),
    ]
}

/// What was made, and the call that can be its owner's.
fn doubts(question: &Question, records: &[Value]) -> Vec<(String, Option<String>)> {
    let analysis = analyze_files(question, &[records.to_vec()]);
    let mut made: Vec<_> = analysis.footprint.iter().map(|one| (one.id.clone(), one.in_doubt.clone())).collect();
    made.sort();
    made
}

fn listed(made: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    made.iter().map(|(id, event)| ((*id).to_owned(), event.map(str::to_owned))).collect()
}

#[test]
fn without_a_time_only_what_came_from_a_place_that_cannot_be_the_owners_is_proved() {
    let records = [vec![habit()], desk_and_thief()].concat();
    let proved = listed(&[("evil", None), ("loot", None), ("reports", Some("desk"))]);
    assert_eq!(doubts(&question(), &records), proved);
    // Nobody knows where the owner works.
    let open = listed(&[("evil", Some("settles")), ("loot", Some("loots")), ("reports", Some("desk"))]);
    assert_eq!(doubts(&question(), &desk_and_thief()), open);
    // The owner makes users too, now and then.
    let now_and_then = on("27T10:00", "admin", ("iam", "CreateUser"), "198.51.100.9", user("colleague"));
    let all = doubts(&question(), &[records.clone(), vec![now_and_then]].concat());
    assert!(all.len() == 4 && all.iter().all(|(_, event)| event.is_some()), "{all:?}");
    // Whoever says when it was knows.
    let since = "2026-01-31T05:00:00Z".parse().ok();
    let known = doubts(&Question { since, ..question() }, &records);
    assert!(known.len() == 3 && known.iter().all(|(_, event)| event.is_none()), "{known:?}");
}

#[test]
fn an_alert_and_a_responder_know_better() {
    let theirs = listed(&[("evil", None), ("loot", None), ("reports", Some("desk"))]);
    let suspects = vec![THIEF.to_owned()];
    assert_eq!(doubts(&Question { suspects, ..question() }, &desk_and_thief()), theirs);
    let words = |word: String| Question { words: vec![word.parse().unwrap()], ..question() };
    assert_eq!(doubts(&words(format!("{THIEF}=attacker")), &desk_and_thief()), theirs);
    let left = doubts(&words(format!("{OFFICE}=owner")), &desk_and_thief());
    assert_eq!(left, listed(&[("evil", Some("settles")), ("loot", Some("loots"))]), "the rest is not said");
}

#[test]
fn what_comes_of_a_call_that_can_be_the_owners_can_be_theirs_too() {
    let chain = |address: &str| {
        let makes = on("31T10:00", "makes", ("iam", "CreateAccessKey"), address, create_key("ci", MADE_KEY));
        let mut uses = by_user(700, "uses", MADE_KEY, "ci", ("s3", "CreateBucket"), bucket("later"));
        uses["sourceIPAddress"] = json!("192.0.2.50");
        vec![makes, uses]
    };
    let later = |records: &[Value]| {
        let found = doubts(&question(), records).into_iter().find(|(id, _)| id == "later");
        found.expect("the key is followed either way").1
    };
    assert_eq!(later(&chain(OFFICE)).as_deref(), Some("uses"));
    assert_eq!(later(&[vec![habit()], chain(THIEF)].concat()), None);
    // What the thief does with it from where they are is theirs.
    let mut at_thief = chain(OFFICE);
    at_thief[1]["sourceIPAddress"] = json!(THIEF);
    let suspects = vec![THIEF.to_owned()];
    let found = doubts(&Question { suspects, ..question() }, &at_thief);
    assert!(found.contains(&("later".to_owned(), None)), "{found:?}");
}

#[test]
fn what_was_made_by_a_call_that_is_proved_stays_theirs_whoever_changes_it() {
    let change = |day: &str, id: &str, address: &str| {
        let tags = json!({"requestParameters": {"userName": "evil", "policyName": "p"}});
        on(day, id, ("iam", "PutUserPolicy"), address, tags)
    };
    let of = |records: Vec<Value>| {
        let found = doubts(&Question { suspects: vec![THIEF.into()], ..question() }, &records);
        found.into_iter().find(|(id, _)| id == "evil").unwrap().1
    };
    let make = |day: &str, address: &str| on(day, "makes", ("iam", "CreateUser"), address, user("evil"));
    assert_eq!(of(vec![make("31T10:00", THIEF), change("31T11:00", "puts", OFFICE)]), None);
    assert_eq!(of(vec![make("31T10:00", OFFICE), change("31T11:00", "puts", THIEF)]).as_deref(), Some("makes"));
    assert_eq!(of(vec![change("31T11:00", "puts", OFFICE)]).as_deref(), Some("puts"));
    let gone = on("31T10:30", "deletes", ("iam", "DeleteUser"), OFFICE, user("evil"));
    let mut anew = make("31T11:00", THIEF);
    anew["eventID"] = json!("anew");
    assert_eq!(of(vec![make("31T10:00", OFFICE), gone, anew]), None, "made anew it is another one");
}
