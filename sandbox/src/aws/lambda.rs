//! Lambda: functions with their code, versions, layers, aliases, URLs, permissions and event sources, in each enabled Region.
//!
//! Names, states and error codes follow the Lambda API reference, version 2015-03-31.

mod access;
mod aliases;
mod functions;
mod layers;
mod mappings;
mod route;

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::json_operation::{Call, Operation};
use super::service_role::{self, Taker};
use super::state::{Session, World};
use super::wire::ApiError;

pub(super) use functions::Function;
pub(super) use mappings::Mapping;
pub(super) use route::route;

pub(super) const SERVICE: &str = "lambda.amazonaws.com";

/// How long the address of a function's code works.
const CODE_ADDRESS_LASTS: TimeDelta = TimeDelta::minutes(10);

/// All functions, event sources and layers, each by its Region and name or id.
#[derive(Debug, Default)]
pub(super) struct Lambda {
    pub(super) functions: BTreeMap<(String, String), Function>,
    pub(super) mappings: BTreeMap<(String, String), Mapping>,
    /// The versions of each, the first is number 1.
    layers: BTreeMap<(String, String), Vec<layers::Layer>>,
    /// Regions in which no function can have a URL.
    pub(super) without_urls: BTreeSet<String>,
    /// Code that can be fetched at an address that nobody can guess, and until when.
    addresses: BTreeMap<String, (DateTime<Utc>, Bytes)>,
}

impl Lambda {
    /// The code behind an address that was handed out, while it works.
    pub(super) fn code_at(&mut self, token: &str, now: DateTime<Utc>) -> Option<Bytes> {
        self.addresses.retain(|_, (until, _)| *until > now);
        self.addresses.get(token).map(|(_, code)| code.clone())
    }

    fn hand_out(&mut self, code: Bytes, now: DateTime<Utc>) -> String {
        let token = super::ids::secret();
        self.addresses.insert(token.clone(), (now + CODE_ADDRESS_LASTS, code));
        token
    }
}

static OPERATIONS: [Operation; 25] = [
    Operation::write("CreateFunction", "CreateFunction20150331", StatusCode::CREATED, functions::create),
    Operation::read("GetFunction", "GetFunction20150331v2", functions::get),
    Operation::read("GetFunctionConfiguration", "GetFunctionConfiguration20150331v2", functions::get_configuration),
    Operation::read("ListFunctions", "ListFunctions20150331", functions::list),
    Operation::write("UpdateFunctionCode", "UpdateFunctionCode20150331v2", StatusCode::OK, functions::update_code),
    Operation::write(
        "UpdateFunctionConfiguration",
        "UpdateFunctionConfiguration20150331v2",
        StatusCode::OK,
        functions::update_configuration,
    ),
    Operation::write("PublishVersion", "PublishVersion20150331", StatusCode::CREATED, functions::publish),
    Operation::read("ListVersionsByFunction", "ListVersionsByFunction20150331", functions::list_versions),
    Operation::write("DeleteFunction", "DeleteFunction20150331", StatusCode::NO_CONTENT, functions::delete),
    Operation::write(
        "CreateFunctionUrlConfig",
        "CreateFunctionUrlConfig20211031",
        StatusCode::CREATED,
        access::create_url,
    ),
    Operation::read("GetFunctionUrlConfig", "GetFunctionUrlConfig20211031", access::get_url),
    Operation::read("ListFunctionUrlConfigs", "ListFunctionUrlConfigs20211031", access::list_urls),
    Operation::write(
        "DeleteFunctionUrlConfig",
        "DeleteFunctionUrlConfig20211031",
        StatusCode::NO_CONTENT,
        access::delete_url,
    ),
    Operation::write("AddPermission", "AddPermission20150331v2", StatusCode::CREATED, access::add_permission),
    Operation::read("GetPolicy", "GetPolicy20150331v2", access::get_policy),
    Operation::write(
        "RemovePermission",
        "RemovePermission20150331v2",
        StatusCode::NO_CONTENT,
        access::remove_permission,
    ),
    Operation::write(
        "CreateEventSourceMapping",
        "CreateEventSourceMapping20150331",
        StatusCode::ACCEPTED,
        mappings::create,
    ),
    Operation::read("GetEventSourceMapping", "GetEventSourceMapping20150331", mappings::get),
    Operation::read("ListEventSourceMappings", "ListEventSourceMappings20150331", mappings::list),
    Operation::write(
        "DeleteEventSourceMapping",
        "DeleteEventSourceMapping20150331",
        StatusCode::ACCEPTED,
        mappings::delete,
    ),
    Operation::write("CreateAlias", "CreateAlias20150331", StatusCode::CREATED, aliases::create),
    Operation::read("ListAliases", "ListAliases20150331", aliases::list),
    Operation::write("PublishLayerVersion", "PublishLayerVersion20181031", StatusCode::CREATED, layers::publish),
    Operation::read("GetLayerVersion", "GetLayerVersion20181031", layers::get),
    Operation::read("GetLayerVersionByArn", "GetLayerVersionByArn20181031", layers::get_by_arn),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// What a call took or gave without what the trail never shows: code, and the environment's variables.
pub(super) fn without_code(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("ZipFile");
        for name in ["Code", "Content", "Environment"] {
            if let Some(field) = fields.get_mut(name) {
                *field = nothing();
            }
        }
    }
    value
}

/// Has Lambda take the role of a function, as it does to run it.
pub(super) fn take_role(world: &mut World, region: &str, name: &str, now: DateTime<Utc>) -> Option<Session> {
    let role_arn = world.lambda.functions.get(&(region.to_owned(), name.to_owned()))?.role.clone();
    let role_name = service_role::by_arn(world, &role_arn)?.name.clone();
    service_role::take(world, &Taker { service: SERVICE, role_name: &role_name, session_name: name, region }, now)
}

fn arn(call: &Call<'_>, name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", call.region, call.world.account)
}

/// The function's name: a call may also give its ARN or a part of that.
fn bare(text: &str) -> &str {
    text.strip_prefix("arn:")
        .and_then(|rest| rest.split(':').nth(5))
        .or_else(|| text.rsplit("function:").next())
        .unwrap_or(text)
}

/// The name that the call gives, once the caller may do `action` to the function.
fn permitted(call: &Call<'_>, action: &str) -> Result<String, ApiError> {
    let name = bare(&call.required("FunctionName")?).to_owned();
    call.permit(&format!("lambda:{action}"), &arn(call, &name))?;
    Ok(name)
}

fn known<'a>(call: &'a mut Call<'_>, name: &str) -> Result<&'a mut Function, ApiError> {
    let missing = not_found(&format!("Function not found: {}", arn(call, name)));
    call.world.lambda.functions.get_mut(&(call.region.to_owned(), name.to_owned())).ok_or(missing)
}

fn not_found(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", sentence)
}

fn conflict(sentence: impl Into<String>) -> ApiError {
    ApiError::conflict("ResourceConflictException", sentence)
}

fn invalid(sentence: impl Into<String>) -> ApiError {
    ApiError::bad_request("InvalidParameterValueException", sentence)
}

/// `2026-01-31T10:20:30.000+0000`.
fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// The answer of a call that has none.
fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}
