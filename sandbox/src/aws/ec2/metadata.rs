//! The metadata service of an instance: whether it gives out the role without a token.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::wire::{ApiError, Node};
use super::instances::{Instance, known};
use super::{Call, bad_value};

/// How long a change takes.
const PENDING: TimeDelta = TimeDelta::seconds(3);

pub(super) fn node(instance: &Instance, now: DateTime<Utc>) -> Node {
    let applied = instance.metadata_changed_at.is_none_or(|at| at + PENDING <= now);
    Node::Fields(vec![
        ("state", Node::text(if applied { "applied" } else { "pending" })),
        ("httpTokens", Node::text(if instance.token_required { "required" } else { "optional" })),
        ("httpPutResponseHopLimit", Node::Number(2)),
        ("httpEndpoint", Node::text("enabled")),
    ])
}

pub(super) fn modify(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("InstanceId")?;
    call.permit("ModifyInstanceMetadataOptions", &[format!("instance/{id}")])?;
    let required = match call.params.get("HttpTokens") {
        Some("required") => true,
        Some("optional") => false,
        Some(other) => return Err(bad_value(format!("Invalid value '{other}' for HttpTokens."))),
        None => return Err(ApiError::bad_request("MissingParameter", "No metadata option is given.")),
    };
    if call.params.get("HttpEndpoint") != Some("enabled") {
        let sentence = "The HttpEndpoint is not set to 'enabled' in this request. To specify a value for HttpTokens, set \
                        HttpEndpoint to 'enabled'.";
        return Err(ApiError::bad_request("InvalidParameterCombination", sentence));
    }
    let now = call.now;
    let instance = known(call.here()?, &id)?;
    if matches!(instance.state(now).1, "shutting-down" | "terminated") {
        let sentence = format!("The instance '{id}' is not in a state in which its metadata options can be changed.");
        return Err(ApiError::bad_request("IncorrectInstanceState", sentence));
    }
    call.unless_dry()?;
    let instance = known(call.here()?, &id)?;
    (instance.token_required, instance.metadata_changed_at) = (required, Some(now));
    Ok(Node::Fields(vec![("instanceId", Node::text(id)), ("instanceMetadataOptions", node(instance, now))]))
}
