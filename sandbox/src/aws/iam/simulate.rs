//! `SimulatePrincipalPolicy`: what a principal's identity policies would say, and those of the organization that have no
//! conditions. AWS's simulation leaves out the others.

use super::{roles, users};
use crate::aws::caller::{decide_all, guarded};
use crate::aws::operation::Call;
use crate::aws::organizations::MANAGEMENT;
use crate::aws::policy::{Context, Decision, Kind, Policy};
use crate::aws::state::Principal;
use crate::aws::wire::{ApiError, Node};

/// The condition keys that a simulation may set.
const KEYS: [&str; 12] = [
    "aws:multifactorauthpresent",
    "aws:principalarn",
    "aws:requesttag/irp-incident",
    "aws:resourcetag/irp-incident",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:userid",
    "aws:username",
    "organizations:policytype",
    "sts:rolesessionname",
];

pub(super) fn run(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicySourceArn")?;
    let entity = arn.rsplit(':').next().unwrap_or_default();
    let name = entity.rsplit('/').next().unwrap_or_default();
    let own = call.caller.account(call.world.account);
    if arn.split(':').nth(4) != Some(own) {
        return Err(ApiError::bad_request("InvalidInput", "The policy source must be in your own account."));
    }
    let (policies, principal) = match entity.split('/').next() {
        Some("role") if own == MANAGEMENT => {
            let missing = || ApiError::no_such_entity(format!("The role with name {name} cannot be found."));
            (call.world.organizations.role(arn).ok_or_else(missing)?.policies.clone(), None)
        }
        Some("user") => {
            let user = users::named(call.world, name)?.clone();
            let principal = Principal::User { name: user.name.clone(), id: user.id.clone() };
            (call.world.iam.policies_of_user(&user), Some(principal))
        }
        Some("role") => {
            let role = roles::named(call.world, name)?.clone();
            let session_name = String::new();
            let principal = Principal::Role { name: role.name.clone(), id: role.id.clone(), session_name };
            (call.world.iam.policies_of_role(&role), Some(principal))
        }
        _ => return Err(ApiError::bad_request("InvalidInput", "The policy source must be a user or a role.")),
    };
    // Nothing binds the management account.
    let mut guards = principal.map(|of| call.world.organizations.guards(&of));
    let plain = |content: &String| Policy::parse(content, Kind::Identity).is_ok_and(|policy| !policy.has_conditions());
    guards.iter_mut().flatten().for_each(|level| level.retain(plain));
    let names = call.params.members("ContextEntries", ".ContextKeyName");
    let context: Context = (1..)
        .zip(names)
        .filter_map(|(index, name)| {
            let key = KEYS.into_iter().find(|key| key.eq_ignore_ascii_case(name))?;
            let value = call.params.get(&format!("ContextEntries.member.{index}.ContextKeyValues.member.1"))?;
            Some((key, value.to_owned()))
        })
        .collect();
    let actions = call.params.members("ActionNames", "");
    let mut resources = call.params.members("ResourceArns", "");
    if resources.is_empty() {
        resources.push("*");
    }
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |resource| (*action, *resource)));
    let results = pairs.map(|(action, resource)| {
        let guard = guards.as_ref().map(|levels| guarded(levels, action, resource, &context));
        let decision = match (decide_all(&policies, action, resource, &context), guard) {
            (Decision::ExplicitDeny, _) | (_, Some(Decision::ExplicitDeny)) => "explicitDeny",
            (Decision::Allow, None | Some(Decision::Allow)) => "allowed",
            _ => "implicitDeny",
        };
        let mut fields = vec![
            ("EvalActionName", Node::text(action)),
            ("EvalResourceName", Node::text(resource)),
            ("EvalDecision", Node::text(decision)),
        ];
        if let Some(guard) = guard {
            let allowed = vec![("AllowedByOrganizations", Node::Flag(guard == Decision::Allow))];
            fields.push(("OrganizationsDecisionDetail", Node::Fields(allowed)));
        }
        Node::Fields(fields)
    });
    Ok(Node::Fields(vec![("EvaluationResults", Node::Members(results.collect())), ("IsTruncated", Node::Flag(false))]))
}
