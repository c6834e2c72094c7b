//! The root user of an account, and its password.

use serde_json::{Value, json};

use super::*;

const MEMBER: &str = "222233334444";
const KEY: &str = "ASIAROOT000000000001";
const CONSOLE: &str = "ASIAROOTCONSOLE00001";

/// A call by root of another account than the stolen key's.
fn root(minute: u32, id: &str, key: &str, call: (&str, &str), address: &str) -> Value {
    let mut record = by_user(minute, id, key, "", call, json!({"sourceIPAddress": address}));
    record["recipientAccountId"] = json!(MEMBER);
    record["userIdentity"] = json!({"type": "Root", "principalId": MEMBER, "accountId": MEMBER, "accessKeyId": key,
        "arn": format!("arn:aws:iam::{MEMBER}:root"), "userName": "acme-member"});
    record
}

fn takes(target: &str) -> Value {
    let more = json!({"readOnly": false, "requestParameters": {"targetPrincipal": target, "taskPolicyArn":
        {"arn": "arn:aws:iam::aws:policy/root-task/IAMCreateRootUserPassword"}},
        "responseElements": {"credentials": {"accessKeyId": KEY, "sessionToken": "secret"}}});
    by_user(600, "takes", STOLEN, "ci", ("sts", "AssumeRoot"), more)
}

#[test]
fn the_key_of_a_task_as_root_is_roots_of_the_account_that_was_asked_for() {
    for target in [MEMBER, "arn:aws:iam::222233334444:root"] {
        let analysis = analyze(&[takes(target), root(601, "acts", KEY, ("s3", "DeleteBucketPolicy"), THIEF)]);
        let held = &analysis.credentials[1];
        assert_eq!(held.access_key_id.as_deref(), Some(KEY));
        assert_eq!(held.principal.as_deref(), Some("arn:aws:iam::222233334444:root"));
        let how = &held.reached_by.as_ref().unwrap().how;
        assert_eq!(&**how, "AssumeRoot: session of arn:aws:iam::222233334444:root");
    }
}

#[test]
fn roots_password_that_the_attacker_has_set_leads_to_roots_console_from_elsewhere() {
    let elsewhere = "192.0.2.66";
    let login = ("signin", "ConsoleLogin");
    for sets in ["CreateLoginProfile", "UpdateLoginProfile"] {
        let analysis = analyze(&[
            root(590, "before", "", login, elsewhere),
            takes(MEMBER),
            root(601, "sets", KEY, ("iam", sets), THIEF),
            root(700, "login", "", login, elsewhere),
            root(710, "acts", CONSOLE, ("iam", "CreateAccessKey"), "192.0.2.67"),
            root(711, "key", "AKIAROOT000000000009", ("s3", "ListBuckets"), OFFICE),
        ]);
        assert_eq!(listed(&analysis), ["takes", "sets", "login", "acts"]);
        let held = analysis.credentials.iter().find(|held| held.access_key_id.as_deref() == Some(CONSOLE)).unwrap();
        assert_eq!(&*held.reached_by.as_ref().unwrap().how, format!("{sets}: password of root"));
    }
}
