//! Whoever is taken for stolen though no key is known.

use super::*;

const KEY: &str = "AKIABACKDOOR00000001";
const OWN: &str = "AKIAOWN0000000000001";

fn asked(arn: &str, since: &str) -> Question {
    Question {
        principals: vec![arn.parse().unwrap()],
        since: Some(format!("2026-01-31T{since}:00Z").parse().unwrap()),
        ..Question::default()
    }
}

fn from(address: &str, more: Value) -> Value {
    let mut record = json!({ "sourceIPAddress": address });
    merge(&mut record, more);
    record
}

/// As it was a day earlier: long before the theft.
fn the_day_before(mut record: Value) -> Value {
    let time = record["eventTime"].as_str().unwrap().replace("01-31T", "01-30T");
    record["eventTime"] = time.into();
    record
}

/// The owner works with a key from the office, before and after; the thief signs in and makes a key.
fn signed_in() -> Vec<Value> {
    let mut login = by_user(
        660,
        "c1",
        "",
        "ana",
        ("signin", "ConsoleLogin"),
        json!({"responseElements": {"ConsoleLogin": "Success"}}),
    );
    login["userIdentity"].as_object_mut().unwrap().remove("accessKeyId");
    let reads = json!({"readOnly": true});
    vec![
        the_day_before(by_user(500, "o1", OWN, "ana", ("s3", "ListBuckets"), from(OFFICE, reads.clone()))),
        login,
        by_user(661, "c2", "ASIACONSOLE", "ana", ("iam", "ListUsers"), reads.clone()),
        by_user(662, "c3", "ASIACONSOLE", "ana", ("iam", "CreateAccessKey"), create_key("ben", KEY)),
        by_user(663, "c4", KEY, "ben", ("iam", "CreateUser"), json!({"requestParameters": {"userName": "m"}})),
        by_user(664, "o2", OWN, "ana", ("s3", "ListBuckets"), from(OFFICE, reads)),
        by_user(
            665,
            "x1",
            "AKIAELSE000000000001",
            "eve",
            ("s3", "CreateBucket"),
            json!({"requestParameters": {"bucketName": "b"}}),
        ),
    ]
}

#[test]
fn a_user_is_followed_from_the_sign_in_to_the_key_that_was_made() {
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ana");
    for reversed in [false, true] {
        let mut records = signed_in();
        if reversed {
            records.reverse();
        }
        let analysis = analyze_files(&asked(&user, "10:30"), &[records]);
        assert_eq!(listed(&analysis), ["c1", "c2", "c3", "c4"], "not the owner's, and nobody else's");
        let key = reached(&analysis).into_iter().find(|(held, ..)| held == KEY).unwrap();
        assert_eq!((&*key.1, &*key.2), ("ASIACONSOLE", "c3"));
        let first = &analysis.credentials[0];
        assert_eq!((&*first.name, first.access_key_id.is_some(), first.reached_by.is_some()), (&*user, false, false));
        assert_eq!(analysis.asked.principals, std::slice::from_ref(&user));
        assert_eq!(analysis.events.owner, 2);
    }
}

#[test]
fn a_responders_word_takes_back_what_is_assumed() {
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ana");
    let words = vec![format!("{THIEF}=owner").parse().unwrap()];
    let analysis = analyze_files(&Question { words, ..asked(&user, "10:30") }, &[signed_in()]);
    assert_eq!(analysis.events.attributed, 0, "{:?}", listed(&analysis));
}

#[test]
fn a_role_is_followed_through_its_sessions_and_whoever_takes_it_is_not() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/App");
    let bucket = |name: &str| json!({"requestParameters": {"bucketName": name}});
    let earlier =
        by_role(480, "r0", "ASIAOLDER", ("App", "older"), ("s3", "CreateBucket"), from(OFFICE, bucket("old")));
    let records = vec![
        the_day_before(earlier),
        by_user(480, "r1", OWN, "ana", ("sts", "AssumeRole"), from(OFFICE, assume("App", "old", "ASIAOLD"))),
        by_role(481, "r2", "ASIAOLD", ("App", "old"), ("s3", "CreateBucket"), from(OFFICE, bucket("before"))),
        by_user(640, "r3", OWN, "ana", ("sts", "AssumeRole"), from(OFFICE, assume("App", "mine", "ASIAMINE"))),
        by_role(641, "r4", "ASIAMINE", ("App", "mine"), ("s3", "CreateBucket"), from(OFFICE, bucket("honest"))),
        by_user(642, "r5", OWN, "ana", ("sts", "AssumeRole"), assume("App", "evil", "ASIAEVIL")),
        by_role(643, "r6", "ASIAEVIL", ("App", "evil"), ("s3", "CreateBucket"), bucket("loot")),
        by_role(644, "r7", "ASIAOTHER", ("Web", "evil"), ("s3", "CreateBucket"), bucket("other")),
        // Minted where no log shows it; that it is of the role is known by the role's unique id.
        by_role(645, "r8", "ASIAUNSEEN", ("App", "unseen"), ("s3", "CreateBucket"), bucket("loot-too")),
    ];
    let analysis = analyze_files(&asked(&role, "10:30"), &[records]);
    assert_eq!(listed(&analysis), ["r6", "r8"]);
    let held: Vec<(String, String)> = reached(&analysis).into_iter().map(|(held, _, by)| (held, by)).collect();
    assert!(held.contains(&("ASIAEVIL".into(), "r5".into())), "{held:?}");
    assert!(!held.iter().any(|(held, _)| held == OWN), "{held:?}");
    let sessions: Vec<&str> = analysis.sessions.iter().map(String::as_str).collect();
    assert_eq!(sessions, ["evil", "mine", "old"], "all that can live on since");
}

#[test]
fn one_session_is_named_and_no_other() {
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/App/evil");
    let bucket = |name: &str| json!({"requestParameters": {"bucketName": name}});
    let records = vec![
        by_role(643, "s1", "ASIAEVIL", ("App", "evil"), ("s3", "CreateBucket"), bucket("loot")),
        by_role(644, "s2", "ASIAMINE", ("App", "mine"), ("s3", "CreateBucket"), bucket("honest")),
    ];
    let analysis = analyze_files(&asked(&session, "10:30"), &[records]);
    assert_eq!(listed(&analysis), ["s1"]);
}
