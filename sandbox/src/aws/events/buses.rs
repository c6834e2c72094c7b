//! The buses: the one that every Region has, and those that somebody has made. Those of partners are not here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{BUS, not_found, page};
use crate::aws::json_operation::Call;
use crate::aws::wire::ApiError;

/// Of a Region, with the default one.
const BUSES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 256;
const SID_BYTES_MAX: usize = 64;
const POLICY_BYTES_MAX: usize = 10_240;
const VERSION: &str = "2012-10-17";

/// By Region and name; the default one only once it has a policy.
pub(in crate::aws) type Buses = BTreeMap<(String, String), Bus>;

#[derive(Clone, Debug, Default)]
pub(in crate::aws) struct Bus {
    pub(in crate::aws) description: Option<String>,
    /// Absent for the default one.
    pub(in crate::aws) created_at: Option<DateTime<Utc>>,
    /// Of its policy, as they are in it.
    pub(in crate::aws) statements: Vec<Value>,
}

fn arn(call: &Call<'_>, name: &str) -> String {
    format!("arn:aws:events:{}:{}:event-bus/{name}", call.region, call.world.account)
}

/// The name of the bus that a call is about; it can be said by its ARN.
pub(super) fn named(call: &Call<'_>) -> String {
    let named = call.text("EventBusName").unwrap_or(BUS);
    named.strip_prefix(&arn(call, "")).unwrap_or(named).to_owned()
}

fn is_there(call: &Call<'_>, name: &str) -> bool {
    name == BUS || call.world.buses.contains_key(&(call.region.to_owned(), name.to_owned()))
}

/// Refuses a bus that is not there.
pub(super) fn on_bus(call: &Call<'_>) -> Result<(), ApiError> {
    let bus = named(call);
    if is_there(call, &bus) { Ok(()) } else { Err(not_found(format!("Event bus {bus} does not exist."))) }
}

fn mismatch(value: &str, member: &str, pattern: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
    ))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = call.required("Name")?;
    call.permit("events:CreateEventBus", &arn(call, &name))?;
    if let Some(source) = call.text("EventSourceName") {
        return Err(not_found(format!("Event source {source} does not exist.")));
    }
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(may_be) {
        return Err(mismatch(&name, "name", "[/\\.\\-_A-Za-z0-9]+"));
    }
    if is_there(call, &name) {
        let sentence = format!("Event bus {name} already exists.");
        return Err(ApiError::bad_request("ResourceAlreadyExistsException", sentence));
    }
    let made = call.world.buses.keys().filter(|(region, name)| region == call.region && name != BUS).count();
    if made + 1 >= BUSES_MAX {
        let sentence = "The requested resource exceeds the maximum number allowed.";
        return Err(ApiError::bad_request("LimitExceededException", sentence));
    }
    let description = call.text("Description").map(str::to_owned);
    let mut answer = json!({ "EventBusArn": arn(call, &name) });
    if let Some(description) = &description {
        answer["Description"] = json!(description);
    }
    let bus = Bus { description, created_at: Some(call.now), statements: Vec::new() };
    call.world.buses.insert((call.region.to_owned(), name), bus);
    Ok(answer)
}

fn shown(call: &Call<'_>, name: &str, bus: &Bus) -> Value {
    let mut shown = json!({ "Name": name, "Arn": arn(call, name) });
    if let Some(description) = &bus.description {
        shown["Description"] = json!(description);
    }
    if let Some(at) = bus.created_at {
        shown["CreationTime"] = json!(at.timestamp());
    }
    if !bus.statements.is_empty() {
        shown["Policy"] = json!(document(&bus.statements));
    }
    shown
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": VERSION, "Statement": statements }).to_string()
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("events:ListEventBuses", "*")?;
    let prefix = call.text("NamePrefix").unwrap_or_default();
    let of_region = call.world.buses.iter().filter(|((region, _), _)| region == call.region);
    let mut all: BTreeMap<&str, Bus> = of_region.map(|((_, name), bus)| (name.as_str(), bus.clone())).collect();
    all.entry(BUS).or_default();
    let found = all.iter().filter(|(name, _)| name.starts_with(prefix));
    let found: Vec<Value> = found.map(|(name, bus)| shown(call, name, bus)).collect();
    page(call, "EventBuses", &found)
}

/// One statement, or a whole policy in the place of what there is.
pub(super) fn put_permission(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let bus = named(call);
    call.permit("events:PutPermission", &arn(call, &bus))?;
    on_bus(call)?;
    let key = (call.region.to_owned(), bus.clone());
    let mut statements = call.world.buses.get(&key).map(|bus| bus.statements.clone()).unwrap_or_default();
    if let Some(policy) = call.text("Policy") {
        if ["StatementId", "Action", "Principal", "Condition"].iter().any(|name| !call.input[*name].is_null()) {
            let sentence = "Policy cannot be specified together with StatementId, Action, Principal or Condition.";
            return Err(ApiError::validation(sentence));
        }
        statements = whole(policy)?;
    } else {
        let statement = statement(call, &bus)?;
        statements.retain(|known| known["Sid"] != statement["Sid"]);
        statements.push(statement);
    }
    if document(&statements).len() > POLICY_BYTES_MAX {
        let sentence = "The policy is longer than allowed.";
        return Err(ApiError::bad_request("PolicyLengthExceededException", sentence));
    }
    call.world.buses.entry(key).or_default().statements = statements;
    Ok(json!({}))
}

fn whole(policy: &str) -> Result<Vec<Value>, ApiError> {
    let invalid = || ApiError::validation("The policy is not valid.");
    let document: Value = serde_json::from_str(policy).map_err(|_| invalid())?;
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    };
    let is_one = |of: &Value| {
        of["Effect"].is_string() && ["Principal", "Action", "Resource"].iter().all(|name| !of[*name].is_null())
    };
    if statements.is_empty() || !statements.iter().all(is_one) {
        return Err(invalid());
    }
    Ok(statements)
}

fn statement(call: &Call<'_>, bus: &str) -> Result<Value, ApiError> {
    let (sid, action) = (call.required("StatementId")?, call.required("Action")?);
    let who = call.required("Principal")?;
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if sid.len() > SID_BYTES_MAX || !sid.bytes().all(may_be) {
        return Err(mismatch(&sid, "statementId", "[a-zA-Z0-9-_]+"));
    }
    let is_action = |verb: &str| !verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !action.strip_prefix("events:").is_some_and(is_action) {
        return Err(mismatch(&action, "action", "events:[a-zA-Z]+"));
    }
    let is_account = who.len() == 12 && who.bytes().all(|byte| byte.is_ascii_digit());
    if who != "*" && !is_account {
        return Err(mismatch(&who, "principal", "(\\d{12}|\\*)"));
    }
    let principal = if is_account { json!({ "AWS": format!("arn:aws:iam::{who}:root") }) } else { json!("*") };
    let mut statement = json!({
        "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn(call, bus),
    });
    let condition = &call.input["Condition"];
    if !condition.is_null() {
        let part = |name: &str| condition[name].as_str().filter(|text| !text.is_empty());
        let (Some("StringEquals"), Some("aws:PrincipalOrgID"), Some(organization)) =
            (part("Type"), part("Key"), part("Value"))
        else {
            return Err(ApiError::validation("Parameter Condition is not valid."));
        };
        statement["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
    }
    Ok(statement)
}
