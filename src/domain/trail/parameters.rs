//! The same call, another meaning: what the parameters say about it. Where they were left out of the record, the
//! table's word, which is the worst that the call can do, stands.

use serde_json::Value;

use super::classify::{Category, Meaning};
use super::record::Record;
use super::resource::{at, cut, member};
use super::token::{account_of, bare_name};

/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 300;
/// AWS's own policies that take rights away from a leaked credential.
const QUARANTINE: [&str; 2] = ["AWSCompromisedKeyQuarantine", "AWSDenyAll"];
/// How inline policies of defenders are usually called.
const DENIALS: [&str; 4] = ["AWSRevokeOlderSessions", "Quarantine", "Deny", "deny"];

/// Calls that switch a credential of a user's on or off.
const SWITCHES: [&str; 4] =
    ["UpdateAccessKey", "UpdateSSHPublicKey", "UpdateServiceSpecificCredential", "UpdateSigningCertificate"];

const SWITCHES_OFF: Meaning = Meaning::new(Category::DefenseEvasion, "T1562.001", "T1685");
const HARMLESS: Meaning = Meaning::new(Category::Modification, "", "");
const ENCRYPTS: Meaning = Meaning::new(Category::Impact, "T1486", "T1486");

/// Whether a policy takes rights away from a leaked credential: one of AWS's own, and none that only is called like it.
pub fn is_quarantine(policy: &str) -> bool {
    let of_aws = policy.starts_with("arn:") && account_of(policy) == "aws";
    of_aws && QUARANTINE.iter().any(|name| bare_name(policy).starts_with(name))
}

/// What a call means with these parameters, and what of them a person has to know.
pub fn with_parameters(record: &Record<'_>, request: &Value, meaning: Meaning) -> (Meaning, Option<String>) {
    let text = |path: &str| at(request, path).into_iter().next();
    let has = |name: &str| member(request, name).is_some_and(|v| !v.is_null());
    let says = |name: &str, what: &str| text(name).is_some_and(|v| v.eq_ignore_ascii_case(what));
    let name = record.name();
    let known = !request.is_null();
    let (meaning, note) = match (record.source(), name) {
        ("iam", "AttachUserPolicy" | "AttachRolePolicy" | "AttachGroupPolicy") => {
            let policy = text("policyArn").unwrap_or_default();
            let meaning = if is_quarantine(&policy) { HARMLESS } else { meaning };
            (meaning, Some(format!("policy {}", bare_name(&policy))))
        }
        ("iam", "DetachUserPolicy" | "DetachRolePolicy" | "DetachGroupPolicy") => {
            let policy = text("policyArn").unwrap_or_default();
            let meaning = if !known || is_quarantine(&policy) { SWITCHES_OFF } else { HARMLESS };
            (meaning, Some(format!("policy {}", bare_name(&policy))))
        }
        ("iam", "DeleteUserPolicy" | "DeleteRolePolicy" | "DeleteGroupPolicy") => {
            let policy = text("policyName").unwrap_or_default();
            let denies = DENIALS.iter().any(|part| policy.contains(part));
            (if !known || denies { SWITCHES_OFF } else { HARMLESS }, Some(format!("policy {policy}")))
        }
        ("iam", "PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy") => {
            let only_denies = text("policyDocument").is_some_and(|document| only_denies(&document));
            let meaning = if only_denies { HARMLESS } else { meaning };
            let note =
                text("policyName").map(|p| format!("policy {p}{}", if only_denies { ", only denials" } else { "" }));
            (meaning, note)
        }
        ("iam", _) if SWITCHES.contains(&name) && says("status", "Inactive") => {
            (Meaning::new(Category::Impact, "T1531", "T1531"), Some("switched off".into()))
        }
        ("iam", _) if SWITCHES.contains(&name) => (meaning, text("status").map(|s| format!("to {s}"))),
        ("iam", "UpdateRole") if known && !has("maxSessionDuration") => (HARMLESS, None),
        ("iam", "CreateRole" | "UpdateAssumeRolePolicy") => {
            let document = text("assumeRolePolicyDocument").or_else(|| text("policyDocument")).unwrap_or_default();
            let foreign = foreign_accounts(&document, record);
            (meaning, (!foreign.is_empty()).then(|| format!("trusts {}", foreign.join(", "))))
        }
        ("ec2", "ModifyInstanceAttribute") if known => match () {
            () if has("userData") => (meaning, Some("user data".into())),
            () if has("groupSet") => {
                (Meaning::new(Category::DefenseEvasion, "T1562.007", "T1686.001"), Some("security groups".into()))
            }
            () => (HARMLESS, text("attribute")),
        },
        ("ec2", "DescribeInstanceAttribute") if known && !says("attribute", "userData") => {
            (Meaning::new(Category::Discovery, "T1580", "T1580"), text("attribute"))
        }
        ("ec2", "ModifySnapshotAttribute" | "ModifyImageAttribute") if known => {
            let permission = ["createVolumePermission", "launchPermission"].iter().find_map(|p| member(request, p));
            let added: Vec<String> = ["add.items[].userId", "add.items[].group", "add.items[].organizationArn"]
                .iter()
                .flat_map(|path| permission.map(|p| at(p, path)).unwrap_or_default())
                .collect();
            if added.is_empty() {
                (HARMLESS, None)
            } else {
                (meaning, Some(format!("shared with {}", added.join(", "))))
            }
        }
        ("rds", "ModifyDBSnapshotAttribute" | "ModifyDBClusterSnapshotAttribute") if known => {
            let added = at(request, "valuesToAdd[]");
            if added.is_empty() {
                (HARMLESS, None)
            } else {
                (meaning, Some(format!("shared with {}", added.join(", "))))
            }
        }
        ("rds", "ModifyDBInstance" | "ModifyDBCluster") if known => match () {
            () if has("masterUserPassword") => (meaning, Some("master password".into())),
            () if member(request, "publiclyAccessible") == Some(&Value::Bool(true)) => (meaning, Some("public".into())),
            () => (HARMLESS, None),
        },
        ("s3", "PutBucketVersioning") => match at(request, "VersioningConfiguration.Status").first() {
            Some(status) if status == "Enabled" => (HARMLESS, Some("switched on".into())),
            _ => (Meaning::new(Category::Impact, "T1490", "T1490"), Some("suspended".into())),
        },
        ("s3", "PutBucketPublicAccessBlock" | "PutAccountPublicAccessBlock" | "PutPublicAccessBlock") if known => {
            if request.to_string().contains("false") {
                (meaning, Some("opened".into()))
            } else {
                (HARMLESS, None)
            }
        }
        ("s3", "PutObject" | "CopyObject") if has("x-amz-server-side-encryption-customer-algorithm") => {
            (ENCRYPTS, Some("with a key that AWS does not keep".into()))
        }
        ("guardduty", "UpdateDetector") if member(request, "enable") == Some(&Value::Bool(true)) => (HARMLESS, None),
        ("guardduty", "CreateFilter" | "UpdateFilter") if known && !says("action", "ARCHIVE") => (HARMLESS, None),
        ("kms", "CreateKey") if !says("origin", "EXTERNAL") => (Meaning::new(Category::ResourceCreation, "", ""), None),
        ("sts", name) if name.starts_with("AssumeRole") => {
            let role = text("roleArn").unwrap_or_default();
            let away = record
                .user_identity
                .account_id
                .as_deref()
                .is_some_and(|own| !own.is_empty() && own != account_of(&role));
            let away =
                if away && !role.is_empty() { format!(" in account {}", account_of(&role)) } else { String::new() };
            (meaning, (!role.is_empty()).then(|| format!("role {}{away}", bare_name(&role))))
        }
        ("signin", "ConsoleLogin") => {
            let without = record.additional_event_data.is_some_and(|d| d.get().contains(r#""MFAUsed":"No""#));
            (meaning, without.then(|| "without MFA".into()))
        }
        ("ec2", "AuthorizeSecurityGroupIngress") => {
            let from = [at(request, "cidrIp"), at(request, "ipPermissions.items[].ipRanges.items[].cidrIp")].concat();
            (meaning, (!from.is_empty()).then(|| format!("from {}", from.join(", "))))
        }
        ("ec2", "RunInstances") => (meaning, text("instanceType")),
        ("s3", "GetObject" | "DeleteObject") => (meaning, text("key")),
        _ => (meaning, None),
    };
    let note = note.map(|mut note| {
        cut(&mut note, NOTE_BYTES_MAX);
        note
    });
    (meaning, note)
}

fn statements(document: &str) -> Vec<Value> {
    match serde_json::from_str::<Value>(document).unwrap_or_default().get("Statement") {
        Some(Value::Array(many)) => many.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// Whether a policy only takes rights away.
fn only_denies(document: &str) -> bool {
    let statements = statements(document);
    !statements.is_empty() && statements.iter().all(|s| s.get("Effect").and_then(Value::as_str) == Some("Deny"))
}

/// Accounts that a trust policy names, other than the role's own.
fn foreign_accounts(document: &str, record: &Record<'_>) -> Vec<String> {
    let own = record.recipient_account_id.as_deref().unwrap_or("");
    let mut found: Vec<String> = Vec::new();
    for statement in statements(document).iter().filter(|s| s.get("Effect").and_then(Value::as_str) == Some("Allow")) {
        let principal = statement.get("Principal").map(ToString::to_string).unwrap_or_default();
        if principal.contains("\"*\"") || statement.get("NotPrincipal").is_some() {
            found.push("everybody".into());
        }
        let digits = principal.split(|c: char| !c.is_ascii_digit());
        found.extend(digits.filter(|run| run.len() == 12 && *run != own).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trail::classify::by_name;

    fn of(source: &str, name: &str, request: &str) -> (Category, Option<String>) {
        let json = format!(
            r#"{{"eventSource":"{source}.amazonaws.com","eventName":"{name}","recipientAccountId":"111122223333",
                "userIdentity":{{"accountId":"111122223333"}},"requestParameters":{request}}}"#
        );
        let record: Record<'_> = serde_json::from_str(&json).unwrap();
        let (meaning, note) = with_parameters(&record, &record.request(), by_name(source, name, None));
        (meaning.category, note)
    }

    #[test]
    fn parameters_change_what_a_call_means() {
        use Category::{DataAccess, DefenseEvasion, Discovery, Exfiltration, Impact, Modification, Persistence};
        for (source, name, request, category) in [
            ("iam", "AttachUserPolicy", r#"{"policyArn":"arn:aws:iam::aws:policy/AWSDenyAll"}"#, Modification),
            (
                "iam",
                "DetachUserPolicy",
                r#"{"policyArn":"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"}"#,
                DefenseEvasion,
            ),
            ("iam", "DetachUserPolicy", r#"{"policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}"#, Modification),
            ("iam", "DetachUserPolicy", "null", DefenseEvasion),
            ("iam", "DeleteUserPolicy", r#"{"policyName":"AWSRevokeOlderSessions"}"#, DefenseEvasion),
            ("iam", "UpdateAccessKey", r#"{"status":"Inactive"}"#, Impact),
            ("iam", "UpdateAccessKey", r#"{"status":"Active"}"#, Persistence),
            ("iam", "UpdateServiceSpecificCredential", r#"{"status":"Inactive"}"#, Impact),
            ("iam", "UpdateServiceSpecificCredential", r#"{"status":"Active"}"#, Persistence),
            ("iam", "UpdateSSHPublicKey", r#"{"status":"Inactive"}"#, Impact),
            ("iam", "UpdateSSHPublicKey", r#"{"status":"Active"}"#, Persistence),
            ("iam", "UpdateSigningCertificate", r#"{"status":"Inactive"}"#, Impact),
            ("ec2", "ModifyInstanceAttribute", r#"{"userData":"x"}"#, Persistence),
            ("ec2", "ModifyInstanceAttribute", r#"{"groupSet":{}}"#, DefenseEvasion),
            ("ec2", "ModifyInstanceAttribute", r#"{"ebsOptimized":true}"#, Modification),
            ("ec2", "DescribeInstanceAttribute", r#"{"attribute":"userData"}"#, DataAccess),
            ("ec2", "DescribeInstanceAttribute", r#"{"attribute":"kernel"}"#, Discovery),
            (
                "ec2",
                "ModifySnapshotAttribute",
                r#"{"createVolumePermission":{"add":{"items":[{"userId":"9"}]}}}"#,
                Exfiltration,
            ),
            ("ec2", "ModifySnapshotAttribute", r#"{"createVolumePermission":{"remove":{}}}"#, Modification),
            ("s3", "PutBucketVersioning", r#"{"VersioningConfiguration":{"Status":"Suspended"}}"#, Impact),
            ("s3", "PutBucketVersioning", r#"{"VersioningConfiguration":{"Status":"Enabled"}}"#, Modification),
            ("s3", "PutObject", r#"{"x-amz-server-side-encryption-customer-algorithm":"AES256"}"#, Impact),
            ("iam", "PutUserPolicy", r#"{"policyDocument":"{\"Statement\":{\"Effect\":\"Deny\"}}"}"#, Modification),
        ] {
            assert_eq!(of(source, name, request).0, category, "{name} {request}");
        }
    }

    #[test]
    fn what_a_person_has_to_know_is_said() {
        let trust = r#"{"policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":
            \"arn:aws:iam::999988887777:root\"}}]}"}"#
            .replace('\n', "");
        assert_eq!(of("iam", "UpdateAssumeRolePolicy", &trust).1.as_deref(), Some("trusts 999988887777"));
        let away = r#"{"roleArn":"arn:aws:iam::999988887777:role/Admin"}"#;
        assert_eq!(of("sts", "AssumeRole", away).1.as_deref(), Some("role Admin in account 999988887777"));
    }
}
