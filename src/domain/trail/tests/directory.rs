//! Users of IAM Identity Center, whose names CloudTrail can hide.

use serde_json::{Value, json};

use super::*;

const USER: &str = "9067-u1";

/// A read by somebody with a permission set.
fn reads(id: &str, key: &str, user: &str) -> Value {
    let more =
        json!({"sourceIPAddress": "192.0.2.210", "readOnly": true, "requestParameters": {"secretId": "prod/db"}});
    let who = ("AWSReservedSSO_Admin_0123456789abcdef", "hidden");
    let mut record = by_role(730, id, key, who, ("secretsmanager", "GetSecretValue"), more);
    record["userIdentity"]["onBehalfOf"] = json!({"userId": user, "identityStoreArn": "arn:aws:identitystore::1:x"});
    record
}

#[test]
fn what_a_user_with_a_hidden_name_only_reads_is_not_passed_over() {
    let hidden = json!({"requestParameters": {"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        "responseElements": {"user": {"userId": USER}}});
    let mut records = vec![
        by_user(720, "makes", STOLEN, "ci", ("sso-directory", "CreateUser"), hidden),
        reads("theirs", "ASIATHEIRS0000000001", USER),
        reads("others", "ASIAOTHERS0000000001", "9067-u2"),
    ];
    assert_eq!(listed(&analyze(&records)), ["makes", "theirs"]);
    // Whoever was passed over before they were known is looked at again.
    records.reverse();
    assert_eq!(listed(&analyze(&records)), ["makes", "theirs"]);
}
