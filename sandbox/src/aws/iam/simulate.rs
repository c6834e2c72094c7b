//! `SimulatePrincipalPolicy`: what a principal's identity policies would say.

use super::{roles, users};
use crate::aws::caller::decide_all;
use crate::aws::operation::Call;
use crate::aws::policy::{Context, Decision};
use crate::aws::wire::{ApiError, Node};

/// The condition keys that a simulation may set.
const KEYS: [&str; 7] = [
    "aws:multifactorauthpresent",
    "aws:principalarn",
    "aws:sourceip",
    "aws:tokenissuetime",
    "aws:userid",
    "aws:username",
    "sts:rolesessionname",
];

pub(super) fn run(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicySourceArn")?;
    let entity = arn.rsplit(':').next().unwrap_or_default();
    let name = entity.rsplit('/').next().unwrap_or_default();
    let policies = match entity.split('/').next() {
        Some("user") => {
            let user = users::named(call.world, name)?.clone();
            call.world.iam.policies_of_user(&user)
        }
        Some("role") => {
            let role = roles::named(call.world, name)?.clone();
            call.world.iam.policies_of_role(&role)
        }
        _ => return Err(ApiError::bad_request("InvalidInput", "The policy source must be a user or a role.")),
    };
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
        let decision = match decide_all(&policies, action, resource, &context) {
            Decision::Allow => "allowed",
            Decision::ExplicitDeny => "explicitDeny",
            Decision::ImplicitDeny => "implicitDeny",
        };
        Node::Fields(vec![
            ("EvalActionName", Node::text(action)),
            ("EvalResourceName", Node::text(resource)),
            ("EvalDecision", Node::text(decision)),
        ])
    });
    Ok(Node::Fields(vec![("EvaluationResults", Node::Members(results.collect())), ("IsTruncated", Node::Flag(false))]))
}
