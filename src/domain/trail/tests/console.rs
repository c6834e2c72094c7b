//! Sessions of the console that come of a key, and of the CLI that come of the console.

use serde_json::{Value, json};

use super::*;

const CONSOLE: &str = "ASIACONSOLE000000001";
const AWAY: &str = "192.0.2.77";
const WHO: (&str, &str) = ("Admin", "dev");

fn at(minute: u32) -> String {
    format!("2026-01-31T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

/// A call of a session that has begun at this minute, from somewhere.
fn of_session(minute: u32, id: &str, key: &str, call: (&str, &str), began: u32, address: &str) -> Value {
    let mut record = by_role(minute, id, key, WHO, call, json!({"sourceIPAddress": address}));
    record["userIdentity"]["sessionContext"] = json!({"attributes": {"creationDate": at(began)}});
    record
}

/// The stolen key takes a session at 10:00, which asks for a token at 10:05; somebody signs in.
fn signed_in(minute: u32, address: &str) -> Analysis {
    let login = ("signin", "ConsoleLogin");
    analyze(&[
        by_user(600, "takes", STOLEN, "ci", ("sts", "AssumeRole"), assume("Admin", "dev", "ASIATAKEN00000000001")),
        of_session(605, "asks", "ASIATAKEN00000000001", ("signin", "GetSigninToken"), 600, THIEF),
        of_session(minute, "login", "", login, minute, address),
        // The browser has moved on to another address since.
        of_session(minute + 5, "acts", CONSOLE, ("iam", "CreateUser"), minute, "192.0.2.78"),
    ])
}

#[test]
fn who_signs_in_with_a_token_that_the_attacker_asked_for_is_the_attacker_wherever_they_are() {
    let soon = signed_in(606, AWAY);
    assert_eq!(listed(&soon), ["takes", "asks", "login", "acts"]);
    assert!(soon.credentials.iter().any(|held| held.access_key_id.as_deref() == Some(CONSOLE)));
    let who = format!("arn:aws:sts::{ACCOUNT}:assumed-role/Admin/dev");
    let login = soon.credentials.iter().find(|held| held.access_key_id.is_none()).unwrap();
    assert_eq!(&*login.reached_by.as_ref().unwrap().how, format!("GetSigninToken: sign-in as {who}"));
    assert_eq!(listed(&signed_in(700, AWAY)), ["takes", "asks"], "the token is long dead: it is the owner");
}

#[test]
fn a_console_session_of_a_federated_user_is_followed_from_the_key_to_the_console() {
    let federated = |minute: u32, id: &str, key: &str, call: (&str, &str), address: &str| {
        let mut record = by_user(minute, id, key, "", call, json!({"sourceIPAddress": address}));
        record["userIdentity"] = json!({"type": "FederatedUser", "principalId": format!("{ACCOUNT}:sys"),
            "accountId": ACCOUNT, "accessKeyId": key, "arn": format!("arn:aws:sts::{ACCOUNT}:federated-user/sys"),
            "sessionContext": {"attributes": {"creationDate": at(if minute < 602 { 600 } else { 602 })}}});
        record
    };
    let key = "ASIAFED0000000000001";
    let token = json!({"responseElements": {"credentials": {"accessKeyId": key}, "federatedUser":
        {"federatedUserId": format!("{ACCOUNT}:sys"), "arn": format!("arn:aws:sts::{ACCOUNT}:federated-user/sys")}}});
    let analysis = analyze(&[
        by_user(600, "takes", STOLEN, "ci", ("sts", "GetFederationToken"), token),
        federated(601, "asks", key, ("signin", "GetSigninToken"), THIEF),
        federated(602, "login", "", ("signin", "ConsoleLogin"), AWAY),
        federated(610, "acts", CONSOLE, ("iam", "CreateUser"), AWAY),
    ]);
    assert_eq!(listed(&analysis), ["takes", "asks", "login", "acts"]);
}

#[test]
fn the_cli_that_is_let_in_from_the_attackers_console_is_theirs() {
    let cli = |minute: u32| {
        let mut records = vec![
            by_user(600, "takes", STOLEN, "ci", ("sts", "AssumeRole"), assume("Admin", "dev", "ASIATAKEN00000000001")),
            of_session(601, "lets in", "", ("signin", "AuthorizeOAuth2Access"), 500, THIEF),
            of_session(minute, "cli", "", ("signin", "CreateOAuth2Token"), 500, AWAY),
            of_session(minute + 1, "acts", "ASIACLI0000000000001", ("iam", "CreateUser"), minute, AWAY),
        ];
        // AWS says that both only read.
        records[1..3].iter_mut().for_each(|record| record["readOnly"] = json!(true));
        listed(&analyze(&records))
    };
    assert_eq!(cli(602), ["takes", "lets in", "cli", "acts"]);
    assert_eq!(cli(700), ["takes", "lets in"]);
}
