//! Trust policies. IAM keeps the users and roles that one names by their unique ids: a principal
//! that is deleted and created again is not trusted any more, and the id shows where it stood. An account that is named by
//! its number is kept as the ARN of its root.

use serde_json::Value;

use crate::aws::policy::{Decision, Kind, Policy, Principal};
use crate::aws::state::{Role, World};
use crate::aws::wire::ApiError;

/// What a trust policy says to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aws) enum Trusts {
    /// It names the caller: within one account no more is needed.
    Caller,
    /// It names the account: the caller's own policies decide.
    Account,
    Nobody,
    /// It denies the caller.
    Denies,
}

/// `document` as it is stored; refused when it is no trust policy or names nobody that exists.
pub(in crate::aws) fn bound(world: &World, document: &str) -> Result<String, ApiError> {
    let malformed = |sentence: String| ApiError::bad_request("MalformedPolicyDocument", sentence);
    let policy = Policy::parse(document, Kind::Trust).map_err(malformed)?;
    let unknown =
        policy.principals().find(|principal| principal.kind == "AWS" && id_of(world, &principal.value).is_none());
    if let Some(principal) = unknown {
        return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{}\"", principal.value)));
    }
    Ok(rewritten(document, |value| id_of(world, value)))
}

/// The stored document as IAM shows it.
pub(in crate::aws) fn shown(world: &World, stored: &str) -> String {
    rewritten(stored, |value| {
        let user = world.iam.users.values().find(|user| user.id == value).map(|user| world.user_arn(user));
        user.or_else(|| world.iam.roles.values().find(|role| role.id == value).map(|role| world.role_arn(role)))
    })
}

/// What the role's trust policy says about `action` to the caller with this unique id and ARN.
pub(in crate::aws) fn decision(
    role: &Role,
    account: &str,
    (unique_id, arn): (&str, &str),
    action: &str,
    context: &crate::aws::policy::Context,
) -> Trusts {
    let Ok(policy) = Policy::parse(&role.trust, Kind::Trust) else { return Trusts::Nobody };
    let root = format!("arn:aws:iam::{account}:root");
    let is_account =
        |principal: &Principal| principal.kind == "AWS" && (principal.value == root || principal.value == account);
    let is_caller = |principal: &Principal| {
        principal.kind == "AWS" && (principal.value == unique_id || principal.value == arn || principal.value == "*")
    };
    let named = policy.decide_for(is_caller, action, context);
    let accounted = policy.decide_for(is_account, action, context);
    match (named, accounted) {
        (Decision::ExplicitDeny, _) | (_, Decision::ExplicitDeny) => Trusts::Denies,
        (Decision::Allow, _) => Trusts::Caller,
        (_, Decision::Allow) => Trusts::Account,
        (Decision::ImplicitDeny, Decision::ImplicitDeny) => Trusts::Nobody,
    }
}

/// The unique id behind an ARN of this account, the ARN behind an account's number. Sessions and what is an id already
/// stay as they are; `None` for a principal that does not exist.
fn id_of(world: &World, value: &str) -> Option<String> {
    let account = world.account;
    let users = world.iam.users.values().map(|user| (world.user_arn(user), &user.id));
    let roles = world.iam.roles.values().map(|role| (world.role_arn(role), &role.id));
    if let Some((_, id)) = users.chain(roles).find(|(arn, _)| arn == value) {
        return Some(id.clone());
    }
    if value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("arn:aws:iam::{value}:root"));
    }
    let own_user_or_role = value.starts_with(&format!("arn:aws:iam::{account}:"));
    let stays = value == "*"
        || value == format!("arn:aws:iam::{account}:root")
        || (value.starts_with("arn:aws:iam::") && !own_user_or_role)
        || value.starts_with(&format!("arn:aws:sts::{account}:assumed-role/"))
        || value.starts_with("AIDA")
        || value.starts_with("AROA");
    stays.then(|| value.to_owned())
}

/// The document with each AWS principal replaced where `replacement` has one.
fn rewritten(document: &str, replacement: impl Fn(&str) -> Option<String>) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return document.to_owned() };
    let statements = match &mut value["Statement"] {
        Value::Array(statements) => statements.iter_mut().collect(),
        statement => vec![statement],
    };
    for statement in statements {
        let principals = match statement.pointer_mut("/Principal/AWS") {
            Some(Value::Array(principals)) => principals.iter_mut().collect(),
            Some(principal) => vec![principal],
            None => Vec::new(),
        };
        for principal in principals {
            if let Some(new) = principal.as_str().and_then(&replacement) {
                *principal = Value::String(new);
            }
        }
    }
    value.to_string()
}
