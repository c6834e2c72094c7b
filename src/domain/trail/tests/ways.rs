//! Each way from a call of the attacker's to another credential.

use serde_json::{Value, json};

use super::*;

const SESSION: &str = "ASIAREACHED000000001";
const MACHINE: &str = "i-0123456789abcdef3";
const AWAY: &str = "192.0.2.150";

/// What the thief calls at noon, and what a session does that somebody has then; a stranger's session does the same.
fn leads(call: (&str, &str), more: Value, then: Vec<Value>) -> Analysis {
    let mut records = vec![by_user(720, "noon", STOLEN, "ci", call, more)];
    records.extend(then);
    let stranger = ("another", "i-0123456789abcdef4");
    let more = json!({"sourceIPAddress": AWAY});
    records.push(by_role(750, "stranger", "ASIASTRANGER00000001", stranger, ("iam", "CreateUser"), more));
    analyze(&records)
}

fn acts(role: (&str, &str), address: &str) -> Value {
    let more = json!({"sourceIPAddress": address, "requestParameters": {"userName": "x"}});
    by_role(740, "acts", SESSION, role, ("iam", "CreateUser"), more)
}

fn how(analysis: &Analysis) -> String {
    let held = analysis.credentials.iter().find(|held| held.access_key_id.as_deref() == Some(SESSION));
    let held = held.unwrap_or_else(|| panic!("{:#?}", analysis.actions));
    held.reached_by.as_ref().unwrap().how.to_string()
}

#[test]
fn whoever_a_trust_anchor_vouches_for_has_the_session_of_the_role_that_it_gives() {
    let arn = format!("arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/a-1");
    let anchor = json!({"responseElements": {"trustAnchor": {"trustAnchorArn": arn}}});
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/batch/00cert");
    let more = json!({"sourceIPAddress": AWAY,
        "requestParameters": {"trustAnchorArn": arn, "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/batch")},
        "responseElements": {"subjectArn": "x", "credentialSet": [{"credentials": {"accessKeyId": SESSION},
            "assumedRoleUser": {"arn": session, "assumedRoleId": "AROAbatch:00cert"}}]}});
    let mut takes = by_user(730, "takes", "", "", ("rolesanywhere", "CreateSession"), more);
    takes["userIdentity"] = json!({"type": "Unknown", "principalId": "", "arn": "", "accountId": ACCOUNT});
    let call = ("rolesanywhere", "CreateTrustAnchor");
    let analysis = leads(call, anchor, vec![takes, acts(("batch", "00cert"), "192.0.2.151")]);
    assert_eq!(listed(&analysis), ["noon", "takes", "acts"]);
    assert_eq!(how(&analysis), "CreateSession: session of role batch");
    let held = analysis.credentials.last().unwrap();
    assert_eq!(held.principal.as_deref(), Some(session.as_str()));
}
