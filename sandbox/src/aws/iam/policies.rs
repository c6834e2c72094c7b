//! Inline and attached policies of users and roles.

use super::paging::page;
use super::{checked_name, groups, roles, users};
use crate::aws::operation::Call;
use crate::aws::policy::{Kind, Policy};
use crate::aws::state::Policies;
use crate::aws::wire::{ApiError, Node, percent_encoded};

/// All inline policies of one user together, white space not counted.
const USER_CHARS_MAX: usize = 2_048;

/// All inline policies of one role together, white space not counted.
const ROLE_CHARS_MAX: usize = 10_240;

/// The same of one group.
const GROUP_CHARS_MAX: usize = 5_120;

/// `AttachedPoliciesPerUser` and `AttachedPoliciesPerRole`, as they are unless raised.
const ATTACHED_MAX: usize = 10;

/// Whose policies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    User,
    Role,
    Group,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Group => "group",
        }
    }

    fn name_field(self) -> &'static str {
        match self {
            Self::User => "UserName",
            Self::Role => "RoleName",
            Self::Group => "GroupName",
        }
    }
}

/// The entity's name and its policies.
fn owner<'a>(call: &'a mut Call<'_>, of: Of) -> Result<(String, &'a mut Policies), ApiError> {
    let name = call.params.required(of.name_field())?.to_owned();
    let policies = match of {
        Of::User => &mut users::named(call.world, &name)?.policies,
        Of::Role => &mut roles::named(call.world, &name)?.policies,
        Of::Group => &mut groups::named(call.world, &name)?.policies,
    };
    Ok((name, policies))
}

/// The same, for a change.
fn owner_to_change<'a>(call: &'a mut Call<'_>, of: Of) -> Result<(String, &'a mut Policies), ApiError> {
    if of == Of::Role {
        roles::modifiable(call.world, call.params.required("RoleName")?)?;
    }
    owner(call, of)
}

fn not_found(of: Of, policy: &str) -> ApiError {
    ApiError::no_such_entity(format!("The {} policy with name {policy} cannot be found.", of.word()))
}

pub(super) fn put(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let params = call.params;
    let policy = params.required("PolicyName").and_then(|_| policy_name(params))?;
    let document = params.required("PolicyDocument")?;
    let (name, policies) = owner_to_change(call, of)?;
    Policy::parse(document, Kind::Identity)
        .map_err(|sentence| ApiError::bad_request("MalformedPolicyDocument", sentence))?;
    let others = policies.inline.iter().filter(|(other, _)| *other != policy).map(|(_, document)| document.as_str());
    let length: usize =
        others.chain([document]).map(|document| document.chars().filter(|c| !c.is_whitespace()).count()).sum();
    let max = match of {
        Of::User => USER_CHARS_MAX,
        Of::Role => ROLE_CHARS_MAX,
        Of::Group => GROUP_CHARS_MAX,
    };
    if length > max {
        let message = format!("Maximum policy size of {max} bytes exceeded for {} {name}", of.word());
        return Err(ApiError::conflict("LimitExceeded", message));
    }
    policies.inline.insert(policy.to_owned(), document.to_owned());
    Ok(Node::empty())
}

/// A policy's name may be twice as long as a user's.
fn policy_name(params: &crate::aws::wire::Params) -> Result<&str, ApiError> {
    let name = params.required("PolicyName")?;
    if (65..=128).contains(&name.len()) { Ok(name) } else { checked_name(params, "PolicyName") }
}

pub(super) fn get(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let policy = call.params.required("PolicyName")?;
    let (name, policies) = owner(call, of)?;
    let document = policies.inline.get(policy).ok_or_else(|| not_found(of, policy))?;
    Ok(Node::Fields(vec![
        (of.name_field(), Node::text(name)),
        ("PolicyName", Node::text(policy)),
        ("PolicyDocument", Node::text(percent_encoded(document))),
    ]))
}

pub(super) fn delete(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let policy = call.params.required("PolicyName")?;
    let (_, policies) = owner_to_change(call, of)?;
    policies.inline.remove(policy).ok_or_else(|| not_found(of, policy))?;
    Ok(Node::empty())
}

pub(super) fn list(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let (_, policies) = owner(call, of)?;
    let names = policies.inline.keys().map(|name| (name.clone(), Node::text(name))).collect();
    page(call.params, "PolicyNames", names).map(Node::Fields)
}

pub(super) fn attach(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let known = call.world.iam.document(arn).is_some();
    let (_, policies) = owner_to_change(call, of)?;
    if !known {
        return Err(ApiError::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
    }
    if !policies.attached.contains(arn) && policies.attached.len() >= ATTACHED_MAX {
        let message =
            format!("Cannot exceed quota for PoliciesPer{}: {ATTACHED_MAX}", of.name_field().trim_end_matches("Name"));
        return Err(ApiError::conflict("LimitExceeded", message));
    }
    policies.attached.insert(arn.to_owned());
    Ok(Node::empty())
}

pub(super) fn detach(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let (_, policies) = owner_to_change(call, of)?;
    if policies.attached.remove(arn) {
        return Ok(Node::empty());
    }
    Err(ApiError::no_such_entity(format!("Policy {arn} was not found.")))
}

pub(super) fn list_attached(call: &mut Call<'_>, of: Of) -> Result<Node, ApiError> {
    let (_, policies) = owner(call, of)?;
    let attached = policies.attached.iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        (arn.clone(), Node::Fields(vec![("PolicyName", Node::text(name)), ("PolicyArn", Node::text(arn))]))
    });
    let attached = attached.collect();
    page(call.params, "AttachedPolicies", attached).map(Node::Fields)
}
