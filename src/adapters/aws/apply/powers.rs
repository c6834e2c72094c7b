//! What the session of a warrant may do: the policy that goes with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::domain::action::ApiCall;

/// What a permission to put tags must be for, or it could be used on what is there already.
const TAGGED_BY: (&str, &str) = ("StringEquals", "ec2:CreateAction");
/// The policy that a permission to attach or detach one must be for.
const POLICY: (&str, &str) = ("ArnEquals", "iam:PolicyARN");
/// The longest policy that STS takes for a session, in characters.
const POLICY_CHARS_MAX: usize = 2_048;

/// What a permission is for alone: a condition's operator and key, and its values.
type Bound = Option<((&'static str, &'static str), BTreeSet<String>)>;

/// The services that can have a KMS key of the organization's own, which they use in the name of whoever calls.
const WITH_KEY: [&str; 2] = ["identitystore", "sso"];

/// Allows just these calls, each on just its target, and with no other policy than its own as long as there is room to say so.
/// The least needed is the key of Identity Center, which most organizations leave to AWS.
pub(super) fn session_policy(calls: &[ApiCall], targets: &[String]) -> String {
    let ways = [(true, true), (false, true)].into_iter();
    let mut policies = ways.map(|(by_policy, with_key)| policy_for(calls, targets, by_policy, with_key));
    let fitting = policies.find(|policy| policy.len() <= POLICY_CHARS_MAX);
    fitting.unwrap_or_else(|| policy_for(calls, targets, false, false))
}

fn policy_for(calls: &[ApiCall], targets: &[String], by_policy: bool, with_key: bool) -> String {
    /// A resource, and the operator and key of a condition.
    type On<'a> = (String, Option<(&'a str, &'a str)>);
    /// What is allowed there, and for what values alone.
    type Allowed<'a> = (BTreeSet<&'a str>, BTreeSet<String>);
    let mut allowed: BTreeMap<On<'_>, Allowed<'_>> = BTreeMap::new();
    for call in calls {
        let policy = call.policy_bound().filter(|_| by_policy);
        // A call on something that was not approved is left out: AWS then refuses it.
        for target in call.resources_in(targets) {
            let (actions, values) = allowed.entry((target, policy.map(|_| POLICY))).or_default();
            actions.insert(call.iam_action());
            values.extend(policy.cloned());
        }
        let Some(to_be_made) = call.makes_in(targets) else { continue };
        for action in call.also() {
            let within = (*action == "ec2:CreateTags").then_some(TAGGED_BY);
            let (actions, values) = allowed.entry((to_be_made.to_owned(), within)).or_default();
            actions.insert(action);
            values.extend(within.map(|_| call.operation().to_owned()));
        }
    }
    // Targets with the same calls share a statement: there is not much room.
    let mut statements: BTreeMap<(BTreeSet<&str>, Bound), Vec<String>> = BTreeMap::new();
    for ((target, key), (actions, values)) in allowed {
        statements.entry((actions, key.map(|key| (key, values)))).or_default().push(target);
    }
    let statement = |((actions, bound), targets): ((BTreeSet<&str>, Bound), Vec<String>)| {
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": targets});
        if let Some(((operator, key), values)) = bound {
            statement["Condition"] = json!({operator: {key: values}});
        }
        statement
    };
    let mut statements: Vec<_> = statements.into_iter().map(statement).collect();
    if with_key && calls.iter().any(|call| WITH_KEY.contains(&call.service())) {
        // Which key, the role's own policy says.
        let through = WITH_KEY.map(|service| format!("{service}.*.amazonaws.com"));
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext"],
            "Resource": "*",
            "Condition": {"StringLike": {"kms:ViaService": through}},
        }));
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::NEW_POLICY;

    #[test]
    fn a_session_may_do_each_call_on_its_own_target_only() {
        let targets = ["user/m", "group/g", "group/h"].map(|name| format!("arn:aws:iam::111122223333:{name}"));
        let remove = |group: &str| ApiCall::RemoveUserFromGroup { group_name: group.into(), user_name: "m".into() };
        let calls = [remove("g"), remove("h"), ApiCall::DeleteUser { user_name: "m".into() }, remove("other")];
        let policy: serde_json::Value = serde_json::from_str(&session_policy(&calls, &targets)).unwrap();
        let allowed = |action: &str, on: &[&String]| json!({"Effect": "Allow", "Action": [action], "Resource": on});
        assert_eq!(
            policy["Statement"],
            json!([
                allowed("iam:DeleteUser", &[&targets[0]]),
                allowed("iam:RemoveUserFromGroup", &[&targets[1], &targets[2]]),
            ])
        );
    }

    #[test]
    fn what_is_detached_from_somebody_is_that_policy_and_no_other() {
        let holders = ["user/m", "role/r"].map(|name| format!("arn:aws:iam::111122223333:{name}"));
        let policy = |n: usize| format!("arn:aws:iam::111122223333:policy/{}{n:02}", "p".repeat(90));
        let detach = |n: usize| ApiCall::DetachUserPolicy { policy_arn: policy(n), user_name: "m".into() };
        let of_role = ApiCall::DetachRolePolicy { policy_arn: policy(1), role_name: "r".into() };
        let document = |calls: &[ApiCall]| -> serde_json::Value {
            let text = session_policy(calls, &holders);
            assert!(text.len() <= POLICY_CHARS_MAX, "{}", text.len());
            serde_json::from_str(&text).unwrap()
        };
        let only = |policies: &[usize]| json!({"ArnEquals": {"iam:PolicyARN": policies.iter().map(|n| policy(*n)).collect::<Vec<_>>()}});
        assert_eq!(
            document(&[detach(2), detach(1), of_role])["Statement"],
            json!([
                {"Effect": "Allow", "Action": ["iam:DetachRolePolicy"], "Resource": [holders[1]], "Condition": only(&[1])},
                {"Effect": "Allow", "Action": ["iam:DetachUserPolicy"], "Resource": [holders[0]], "Condition": only(&[1, 2])},
            ])
        );
        // More than there is room for: then on that user alone.
        let many: Vec<ApiCall> = (0..20).map(detach).collect();
        assert!(document(&many)["Statement"][0]["Condition"].is_null());
    }

    #[test]
    fn a_policy_that_has_no_name_yet_is_attached_to_the_one_account_only() {
        let organization = "arn:aws:organizations::999988887777";
        let account = format!("{organization}:account/o-1/111122223333");
        let policies = format!("{organization}:policy/o-1/service_control_policy/*");
        let targets = ["arn:aws:iam::111122223333:user/m".to_owned(), account.clone(), policies.clone()];
        let text = || "t".to_owned();
        let create =
            ApiCall::CreatePolicy { content: text(), description: text(), name: text(), r#type: text(), tags: text() };
        let attach = |target: &str| ApiCall::AttachPolicy { policy_id: NEW_POLICY.into(), target_id: target.into() };
        let policy: serde_json::Value =
            serde_json::from_str(&session_policy(&[create, attach("111122223333")], &targets)).unwrap();
        let allowed = |actions: &[&str], on: &[&str]| json!({"Effect": "Allow", "Action": actions, "Resource": on});
        assert_eq!(
            policy["Statement"],
            json!([
                allowed(&["organizations:AttachPolicy"], &[&account]),
                allowed(&["organizations:AttachPolicy", "organizations:TagResource"], &[&policies]),
                allowed(&["organizations:CreatePolicy"], &["*"]),
            ])
        );
        let elsewhere = session_policy(&[attach("444455556666")], &targets);
        assert!(!elsewhere.contains("account/"), "{elsewhere}");
    }

    #[test]
    fn identity_centers_own_key_can_be_used_through_it_where_there_is_room_to_say_so() {
        let set = |n: usize| format!("arn:aws:sso:::permissionSet/ssoins-1/ps-{n:016}");
        let delete = |n: usize| ApiCall::DeleteInlinePolicyFromPermissionSet {
            instance_arn: "arn:aws:sso:::instance/ssoins-1".into(),
            permission_set_arn: set(n),
        };
        let policy = |sets: usize| -> serde_json::Value {
            let (calls, targets): (Vec<_>, Vec<_>) = (0..sets).map(|n| (delete(n), set(n))).unzip();
            serde_json::from_str(&session_policy(&calls, &targets)).unwrap()
        };
        let one = policy(1);
        assert_eq!(one["Statement"][0]["Action"], json!(["sso:DeleteInlinePolicyFromPermissionSet"]));
        let key = &one["Statement"][1];
        assert_eq!(key["Action"][0], "kms:Decrypt");
        let through = ["identitystore.*.amazonaws.com", "sso.*.amazonaws.com"];
        assert_eq!(key["Condition"], json!({"StringLike": {"kms:ViaService": through}}));
        assert!(!policy(40).to_string().contains("kms:"), "what was approved comes first");
        let user = [ApiCall::DeleteUser { user_name: "m".into() }];
        assert!(!session_policy(&user, &["arn:aws:iam::111122223333:user/m".to_owned()]).contains("kms:"));
    }

    #[test]
    fn a_name_of_the_attackers_choosing_stands_for_itself_alone() {
        let targets = ["*", "a?$b"].map(|name| format!("arn:aws:ec2:us-west-2:111122223333:key-pair/{name}"));
        let delete = |name: &str| ApiCall::DeleteKeyPair { key_name: name.into() };
        let policy: serde_json::Value =
            serde_json::from_str(&session_policy(&[delete("*"), delete("a?$b")], &targets)).unwrap();
        let named = ["${*}", "a${?}${$}b"].map(|name| format!("arn:aws:ec2:us-west-2:111122223333:key-pair/{name}"));
        assert_eq!(policy["Statement"][0]["Resource"], json!(named));
    }

    #[test]
    fn tags_are_put_only_on_what_the_session_itself_makes() {
        let arn = |rest: &str| format!("arn:aws:{rest}");
        // A group whose name ends like the ARN of what is to be made.
        let group = arn("autoscaling:us-west-2:111122223333:autoScalingGroup:u:autoScalingGroupName/x/*");
        let volume = arn("ec2:us-west-2:111122223333:volume/vol-1");
        let snapshots = arn("ec2:us-west-2::snapshot/*");
        let text = || "t".to_owned();
        let call =
            ApiCall::CreateSnapshot { volume_id: "vol-1".into(), description: text(), tag_specifications: text() };
        let policy: serde_json::Value =
            serde_json::from_str(&session_policy(&[call], &[group, volume.clone(), snapshots.clone()])).unwrap();
        assert_eq!(
            policy["Statement"],
            json!([
                {"Effect": "Allow", "Action": ["ec2:CreateSnapshot"], "Resource": [volume, snapshots]},
                {
                    "Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": [snapshots],
                    "Condition": {"StringEquals": {"ec2:CreateAction": ["CreateSnapshot"]}},
                },
            ])
        );
    }
}
