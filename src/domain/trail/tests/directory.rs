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

#[test]
fn whoever_is_put_into_a_group_in_the_console_counts_where_the_attacker_uses_it() {
    let group =
        json!({"requestParameters": {"identityStoreId": "d-1", "groupId": "g-1", "member": {"memberId": USER}}});
    let from = |id: &str, key: &str, address: &str| {
        let mut record = reads(id, key, USER);
        record["sourceIPAddress"] = json!(address);
        record
    };
    let analysis = analyze(&[
        by_user(720, "adds", STOLEN, "ci", ("sso-directory", "AddMemberToGroup"), group),
        from("thief", "ASIATHEIRS0000000001", THIEF),
        from("owner", "ASIAOTHERS0000000001", OFFICE),
    ]);
    assert_eq!(listed(&analysis), ["adds", "thief"]);
    let one = |kind: &str, id: &str, state| (kind.to_owned(), id.to_owned(), state);
    let left = [
        one("AWS::IdentityStore::Group", "g-1", State::Modified),
        one("AWS::SecretsManager::Secret", "prod/db", State::Present),
    ];
    assert_eq!(states(&analysis), left);
    assert_eq!(analysis.actions[0].attack_v19, "T1136.003,T1098.003");
}
