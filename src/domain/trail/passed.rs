//! Roles that a call hands to a service of which nobody here knows when and as what it takes them.

use serde_json::Value;

use super::grant::{Grant, Hold};
use super::record::Record;

/// Roles that are kept of one call, how deep they are looked for, and the longest name: the longest ARN of IAM's.
const ROLES_MAX: usize = 8;
const DEPTH_MAX: usize = 12;
const ROLE_BYTES_MAX: usize = 700;
/// Services that take no role for whoever names one to them: it is what the call is about.
const ABOUT_ROLES: [&str; 6] = ["iam", "resource-groups", "rolesanywhere", "signin", "sts", "tagging"];
/// How calls begin that take something away, or only mark it.
const GIVES_NOTHING: [&str; 11] = [
    "Attach",
    "Delete",
    "Deregister",
    "Detach",
    "Disassociate",
    "Remove",
    "Revoke",
    "Stop",
    "Tag",
    "Terminate",
    "Untag",
];
/// Members that say whom something is for or about, and not as whom it is done: in small letters.
const OF_OTHERS: [&str; 4] = ["principal", "policy", "resourcearn", "tags"];
/// Members that have a role by its name, in small letters. Under others a role is something else, such as *admin*.
const BY_NAME: [&str; 5] = ["executionrole", "iamrole", "instancerole", "noderole", "servicerole"];
/// Where AWS keeps the roles that nobody else takes.
const OF_AWS: &str = ":role/aws-service-role/";

/// The roles and instance profiles that a call hands to its service, by ARN or name, unless what comes of them is followed.
pub fn roles(record: &Record<'_>, request: &Value, grants: &[Grant]) -> Box<[Box<str>]> {
    let (source, name) = (record.source(), record.name());
    let gives_nothing = GIVES_NOTHING.iter().any(|verb| name.starts_with(verb));
    if record.is_data_event() || gives_nothing || ABOUT_ROLES.contains(&source) {
        return Box::default();
    }
    let mut found = Vec::new();
    look(request, "", DEPTH_MAX, &mut found);
    found.retain(|role| !grants.iter().any(|grant| is_followed(role, grant)));
    found.truncate(ROLES_MAX);
    found.into_iter().map(Box::from).collect()
}

fn look<'v>(value: &'v Value, key: &str, depth: usize, into: &mut Vec<&'v str>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.to_ascii_lowercase();
                if !OF_OTHERS.iter().any(|part| name.contains(part)) {
                    look(value, &name, depth, into);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| look(value, key, depth, into)),
        Value::String(text) if is_role(text, key) && !into.contains(&text.as_str()) => into.push(text),
        _ => {}
    }
}

fn is_role(text: &str, key: &str) -> bool {
    let is_arn = || {
        let is_one = text.contains(":role/") || text.contains(":instance-profile/");
        text.starts_with("arn:") && text.contains(":iam::") && is_one && !text.contains(OF_AWS)
    };
    let is_name = || BY_NAME.contains(&key) && !text.is_empty() && !text.contains(':');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-/:".contains(&b);
    text.len() <= ROLE_BYTES_MAX && text.bytes().all(plain) && (is_arn() || is_name())
}

/// Whether what comes of a role is followed for what the call has handed out. What an instance has shows in its sessions.
fn is_followed(role: &str, grant: &Grant) -> bool {
    let last = |role: &str| role.rsplit('/').next().map(str::to_owned);
    match grant {
        Grant::Starter { .. } | Grant::Compute { hold: Hold::Profile(_), .. } => true,
        Grant::Compute { role: Some(taken), .. } => last(taken) == last(role),
        Grant::Compute { hold: Hold::Made, .. } => role.contains(":instance-profile/"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trail::grant::grants;

    fn of(source: &str, name: &str, request: &str) -> Vec<String> {
        let json = format!(
            r#"{{"eventSource":"{source}.amazonaws.com","eventName":"{name}","recipientAccountId":"1",
                "requestParameters":{request}}}"#
        );
        let record: Record<'_> = serde_json::from_str(&json).unwrap();
        let request = record.request();
        let grants = grants(&record, &request, &record.response());
        roles(&record, &request, &grants).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_role_is_handed_over_wherever_a_call_names_it_and_not_where_it_is_about_it() {
        let role = "arn:aws:iam::1:role/path/app";
        for (source, name, request) in [
            ("emr-serverless", "StartJobRun", r#"{"executionRoleArn":"ROLE"}"#),
            ("sagemaker", "CreateDomain", r#"{"defaultUserSettings":{"executionRole":"ROLE"}}"#),
            ("s3", "PutBucketReplication", r#"{"ReplicationConfiguration":{"Role":"ROLE"}}"#),
            ("x", "CreateX", r#"{"all":[{"roles":["ROLE","ROLE"]}]}"#),
        ] {
            assert_eq!(of(source, name, &request.replace("ROLE", role)), [role], "{source} {name}");
        }
        for (source, name, request) in [
            ("iam", "AttachRolePolicy", r#"{"arn":"ROLE"}"#),
            ("x", "TagResource", r#"{"arn":"ROLE"}"#),
            ("x", "DeleteX", r#"{"roleArn":"ROLE"}"#),
            ("kms", "CreateGrant", r#"{"granteePrincipal":"ROLE"}"#),
            ("s3", "PutBucketPolicy", r#"{"bucketPolicy":{"Statement":[{"Principal":{"AWS":"ROLE"}}]}}"#),
            ("x", "CreateX", r#"{"text":"see ROLE"}"#),
            ("glue", "CreateJob", r#"{"role":"ROLE"}"#),
            ("ecs", "RegisterTaskDefinition", r#"{"taskRoleArn":"ROLE"}"#),
        ] {
            assert!(of(source, name, &request.replace("ROLE", role)).is_empty(), "{source} {name}");
        }
        let linked = r#"{"roleArn":"arn:aws:iam::1:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"}"#;
        assert!(of("x", "CreateX", linked).is_empty());
        let batch = r#"{"computeResources":{"instanceRole":"ecsInstanceRole","role":"ADMIN"}}"#;
        assert_eq!(of("batch", "CreateComputeEnvironment", batch), ["ecsInstanceRole"]);
        let many = (0..20).map(|n| format!(r#""arn:aws:iam::1:role/r{n}""#)).collect::<Vec<_>>().join(",");
        assert_eq!(of("x", "CreateX", &format!(r#"{{"roles":[{many}]}}"#)).len(), ROLES_MAX);
    }
}
