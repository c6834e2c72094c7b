//! Event sources: queues and streams that a function is called for.

use serde_json::{Value, json};

use chrono::{DateTime, TimeDelta, Utc};

use super::{arn, bare, conflict, invalid, known, not_found, permitted};
use crate::aws::ids;
use crate::aws::json_operation::Call;
use crate::aws::wire::ApiError;

/// For so long one that is deleted still shows itself.
const DELETING: TimeDelta = TimeDelta::seconds(3);

#[derive(Clone, Debug)]
pub(in crate::aws) struct Mapping {
    pub(in crate::aws) id: String,
    pub(in crate::aws) function: String,
    pub(in crate::aws) source: String,
    pub(in crate::aws) enabled: bool,
    pub(in crate::aws) changed_at: DateTime<Utc>,
    pub(in crate::aws) deleted_at: Option<DateTime<Utc>>,
}

impl Mapping {
    fn is_there(&self, now: DateTime<Utc>) -> bool {
        self.deleted_at.is_none_or(|at| now < at + DELETING)
    }
}

fn shown(call: &Call<'_>, mapping: &Mapping, state: &str) -> Value {
    json!({
        "UUID": mapping.id,
        "BatchSize": 10,
        "EventSourceArn": mapping.source,
        "FunctionArn": arn(call, &mapping.function),
        "LastModified": mapping.changed_at.timestamp(),
        "State": state,
        "StateTransitionReason": "USER_INITIATED",
    })
}

fn state(mapping: &Mapping) -> &'static str {
    match mapping.enabled {
        _ if mapping.deleted_at.is_some() => "Deleting",
        true => "Enabled",
        false => "Disabled",
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let function = permitted(call, "CreateEventSourceMapping")?;
    let source = call.required("EventSourceArn")?;
    known(call, &function)?;
    if !["sqs", "kinesis", "dynamodb"].iter().any(|service| source.starts_with(&format!("arn:aws:{service}:"))) {
        return Err(invalid(format!(
            "Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source: {source}"
        )));
    }
    let enabled = call.input["Enabled"].as_bool().unwrap_or(true);
    let same =
        |mapping: &&Mapping| mapping.is_there(call.now) && mapping.function == function && mapping.source == source;
    if let Some(other) = call.world.lambda.mappings.values().find(same) {
        return Err(conflict(format!(
            "An event source mapping with event source arn (\" {source} \") and function (\" {function} \") already exists. Please update or delete the existing mapping with UUID {}",
            other.id
        )));
    }
    let mapping = Mapping { id: ids::uuid(), function, source, enabled, changed_at: call.now, deleted_at: None };
    let answer = shown(call, &mapping, "Creating");
    call.world.lambda.mappings.insert((call.region.to_owned(), mapping.id.clone()), mapping);
    Ok(answer)
}

fn found(call: &Call<'_>, action: &str) -> Result<Mapping, ApiError> {
    let id = call.required("UUID")?;
    let own = format!("arn:aws:lambda:{}:{}:event-source-mapping:{id}", call.region, call.world.account);
    call.permit(&format!("lambda:{action}"), &own)?;
    let mapping = call.world.lambda.mappings.get(&(call.region.to_owned(), id));
    let mapping = mapping.filter(|mapping| mapping.is_there(call.now)).cloned();
    mapping.ok_or_else(|| not_found("The resource you requested does not exist."))
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mapping = found(call, "GetEventSourceMapping")?;
    Ok(shown(call, &mapping, state(&mapping)))
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("lambda:ListEventSourceMappings", "*")?;
    let function = call.text("FunctionName").map(bare);
    let all = call.world.lambda.mappings.iter().filter(|((region, _), _)| region == call.region);
    let all = all.filter(|(_, mapping)| mapping.is_there(call.now));
    let wanted = all.filter(|(_, mapping)| function.is_none_or(|name| mapping.function == name));
    let shown: Vec<Value> = wanted.map(|(_, mapping)| shown(call, mapping, state(mapping))).collect();
    Ok(json!({ "EventSourceMappings": shown }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut mapping = found(call, "DeleteEventSourceMapping")?;
    if mapping.deleted_at.is_some() {
        let sentence = "Cannot update the event source mapping because it is in use.";
        return Err(ApiError::bad_request("ResourceInUseException", sentence));
    }
    mapping.deleted_at = Some(call.now);
    let answer = shown(call, &mapping, state(&mapping));
    call.world.lambda.mappings.insert((call.region.to_owned(), mapping.id.clone()), mapping);
    Ok(answer)
}
