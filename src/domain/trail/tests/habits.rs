//! Where the owner of a stolen key has always worked.

use super::*;

/// The user's other key has been at work from the office for days; then the stolen one is used there by another program,
/// and by the thief from elsewhere.
fn two_keys() -> Vec<Value> {
    let from_office = |minute, id: &str, key, call, day: &str, agent: &str| {
        let more = json!({"readOnly": true, "sourceIPAddress": OFFICE, "userAgent": agent});
        let mut record = by_user(minute, id, key, "deploy", call, more);
        record["eventTime"] = json!(format!("{day}T{:02}:00:00Z", minute / 60));
        record
    };
    let mut export =
        from_office(600, "t2", STOLEN, ("sts", "AssumeRole"), "2026-01-31", "app/nightly-export aws-sdk-rust/1.3");
    merge(&mut export, assume("App", "export-1", "ASIAEXPORT"));
    vec![
        from_office(600, "t1", "AKIACI00000000000001", ("sts", "GetCallerIdentity"), "2026-01-20", "aws-cli/2.27"),
        export,
        by_role(
            610,
            "t3",
            "ASIAEXPORT",
            ("App", "export-1"),
            ("s3", "ListBuckets"),
            json!({"sourceIPAddress": OFFICE}),
        ),
        by_user(620, "t4", STOLEN, "deploy", ("iam", "CreateUser"), json!({"requestParameters": {"userName": "evil"}})),
    ]
}

#[test]
fn where_the_user_has_long_worked_is_their_own_place_until_something_hostile_comes_from_it() {
    let since = Some("2026-01-31T09:00:00Z".parse().unwrap());
    let question = Question { credentials: vec![STOLEN.into()], since, ..Question::default() };
    let mut records = two_keys();
    let answer = analyze_files(&question, &[records.clone()]);
    let attacker: Vec<&str> = answer.actions.iter().map(|action| &*action.event_id).collect();
    assert_eq!(attacker, ["t4"], "{:#?}", answer.credentials);
    assert_eq!(answer.credentials.len(), 1, "the owner's session is not reached: {:#?}", answer.credentials);

    let evil = json!({"sourceIPAddress": OFFICE, "requestParameters": {"userName": "deploy"}});
    records.push(by_user(630, "t5", STOLEN, "deploy", ("iam", "CreateAccessKey"), evil));
    let answer = analyze_files(&question, &[records]);
    let attacker: Vec<&str> = answer.actions.iter().map(|action| &*action.event_id).collect();
    assert_eq!(attacker, ["t2", "t3", "t4", "t5"], "whoever makes a key there is no program of the owner's");
}
