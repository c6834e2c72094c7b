//! Functions: made, looked at, changed, published, deleted.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{SERVICE, arn, conflict, invalid, known, not_found, nothing, permitted, time};
use crate::aws::json_operation::Call;
use crate::aws::wire::ApiError;
use crate::aws::{ids, service_role};

/// How long a new function is not ready.
const PENDING: TimeDelta = TimeDelta::seconds(2);
/// Bytes of code in a request.
const ZIP_BYTES_MAX: usize = 50 << 20;
/// Functions on one page.
const PAGE_MAX: usize = 50;
/// The version that changes.
pub(super) const LATEST: &str = "$LATEST";

#[derive(Clone, Debug)]
pub(in crate::aws) struct Function {
    pub(in crate::aws) name: String,
    pub(in crate::aws) role: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) latest: Code,
    /// By number.
    pub(in crate::aws) published: BTreeMap<u32, Code>,
    /// Of the policy, by statement id; with the revision that it is at.
    pub(in crate::aws) statements: BTreeMap<String, Value>,
    pub(super) aliases: BTreeMap<String, super::aliases::Alias>,
    pub(in crate::aws) url: Option<super::access::Url>,
}

/// Code with its configuration.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Code {
    pub(in crate::aws) zip: Bytes,
    pub(in crate::aws) runtime: String,
    pub(in crate::aws) handler: String,
    pub(in crate::aws) description: String,
    pub(in crate::aws) timeout: i64,
    pub(in crate::aws) memory: i64,
    pub(in crate::aws) environment: Option<Value>,
    pub(in crate::aws) layers: Vec<super::layers::Laid>,
    pub(in crate::aws) modified_at: DateTime<Utc>,
    pub(in crate::aws) revision: String,
}

pub(super) fn sha256(zip: &Bytes) -> String {
    BASE64.encode(Sha256::digest(zip))
}

fn shown(call: &Call<'_>, function: &Function, code: &Code, version: &str) -> Value {
    let ready = function.created_at + PENDING <= call.now;
    let own = arn(call, &function.name);
    let arn = if version == LATEST { own } else { format!("{own}:{version}") };
    let mut shown = json!({
        "FunctionName": function.name,
        "FunctionArn": arn,
        "Runtime": code.runtime,
        "Role": function.role,
        "Handler": code.handler,
        "CodeSize": code.zip.len(),
        "Description": code.description,
        "Timeout": code.timeout,
        "MemorySize": code.memory,
        "LastModified": time(code.modified_at),
        "CodeSha256": sha256(&code.zip),
        "Version": version,
        "RevisionId": code.revision,
        "State": if ready { "Active" } else { "Pending" },
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "TracingConfig": { "Mode": "PassThrough" },
    });
    if !ready {
        shown["StateReason"] = json!("The function is being created.");
        shown["StateReasonCode"] = json!("Creating");
    }
    if let Some(variables) = &code.environment {
        shown["Environment"] = json!({ "Variables": variables });
    }
    if !code.layers.is_empty() {
        shown["Layers"] = code.layers.iter().map(super::layers::Laid::shown).collect();
    }
    shown
}

/// The zip that a request brings in `ZipFile`.
pub(super) fn zip(text: Option<&str>) -> Result<Bytes, ApiError> {
    let text = text.ok_or_else(|| invalid("Please provide a source for function code."))?;
    let bytes = BASE64
        .decode(text)
        .map_err(|_| invalid("Could not unzip uploaded file. Please check your file, then try to upload again."))?;
    if bytes.len() > ZIP_BYTES_MAX {
        let sentence = "Zipped size must be smaller than 52428800 bytes";
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", sentence));
    }
    if !bytes.starts_with(b"PK\x03\x04") && !bytes.starts_with(b"PK\x05\x06") {
        return Err(invalid("Could not unzip uploaded file. Please check your file, then try to upload again."));
    }
    Ok(bytes.into())
}

/// The role asked for. It is passed on, for which the caller needs leave, and must let Lambda take it.
fn role(call: &Call<'_>, arn: &str) -> Result<String, ApiError> {
    let mut context = call.context.clone();
    context.insert("iam:passedtoservice", SERVICE.to_owned());
    let resource = crate::aws::caller::Resource { arn: arn.to_owned(), label: arn.to_owned() };
    call.caller.authorize("iam:PassRole", &resource, &context)?;
    match service_role::by_arn(call.world, arn) {
        Some(role) if service_role::trusts(role, SERVICE) => Ok(arn.to_owned()),
        _ => Err(invalid("The role defined for the function cannot be assumed by Lambda.")),
    }
}

fn number(call: &Call<'_>, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
    let Some(number) = call.input[name].as_i64() else { return Ok(None) };
    if range.contains(&number) {
        return Ok(Some(number));
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{number}' at '{}' failed to satisfy constraint: Member must be between {} and {}",
        crate::aws::wire::decapitalised(name),
        range.start(),
        range.end()
    )))
}

/// What a request says of code and configuration, over what there is.
fn over(call: &Call<'_>, code: &mut Code) -> Result<(), ApiError> {
    let text = |name: &str, field: &mut String| {
        if let Some(text) = call.text(name) {
            text.clone_into(field);
        }
    };
    text("Runtime", &mut code.runtime);
    text("Handler", &mut code.handler);
    text("Description", &mut code.description);
    code.timeout = number(call, "Timeout", 1..=900)?.unwrap_or(code.timeout);
    code.memory = number(call, "MemorySize", 128..=10_240)?.unwrap_or(code.memory);
    if let Some(variables) = call.input.pointer("/Environment/Variables") {
        code.environment = Some(variables.clone());
    }
    if let Some(layers) = super::layers::chosen(call)? {
        code.layers = layers;
    }
    code.modified_at = call.now;
    code.revision = ids::uuid();
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "CreateFunction")?;
    if name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+"
        )));
    }
    let role = role(call, &call.required("Role")?)?;
    let mut code = Code {
        zip: zip(call.input.pointer("/Code/ZipFile").and_then(Value::as_str))?,
        runtime: call.required("Runtime")?,
        handler: call.required("Handler")?,
        description: String::new(),
        timeout: 3,
        memory: 128,
        environment: None,
        layers: Vec::new(),
        modified_at: call.now,
        revision: String::new(),
    };
    over(call, &mut code)?;
    if known(call, &name).is_ok() {
        return Err(conflict(format!("Function already exist: {name}")));
    }
    let function = Function {
        name: name.clone(),
        role,
        created_at: call.now,
        latest: code,
        published: BTreeMap::new(),
        statements: BTreeMap::new(),
        aliases: BTreeMap::new(),
        url: None,
    };
    let mut answer = shown(call, &function, &function.latest, LATEST);
    call.world.lambda.functions.insert((call.region.to_owned(), name.clone()), function);
    if call.input["Publish"].as_bool() == Some(true) {
        answer["Version"] = json!(publish_now(call, &name)?.to_string());
    }
    Ok(answer)
}

/// The function with the version that the call asks for, in its name or as its qualifier.
fn version(call: &mut Call<'_>, action: &str) -> Result<(Function, Code, String), ApiError> {
    let name = permitted(call, action)?;
    let function = known(call, &name)?.clone();
    let qualifier = call.text("Qualifier").unwrap_or(LATEST).to_owned();
    if qualifier == LATEST {
        let code = function.latest.clone();
        return Ok((function, code, qualifier));
    }
    let code = qualifier.parse().ok().and_then(|number: u32| function.published.get(&number).cloned());
    let code = code.ok_or_else(|| not_found(&format!("Function not found: {}:{qualifier}", arn(call, &name))))?;
    Ok((function, code, qualifier))
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (function, code, version) = version(call, "GetFunction")?;
    let token = call.world.lambda.hand_out(code.zip.clone(), call.now);
    Ok(json!({
        "Configuration": shown(call, &function, &code, &version),
        "Code": { "RepositoryType": "S3", "Location": format!("http://{}/_code/{token}", call.host) },
    }))
}

pub(super) fn get_configuration(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (function, code, version) = version(call, "GetFunctionConfiguration")?;
    Ok(shown(call, &function, &code, &version))
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("lambda:ListFunctions", "*")?;
    let size = call.text("MaxItems").and_then(|text| text.parse().ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let marker = call.text("Marker").unwrap_or_default();
    let here: Vec<&Function> = call
        .world
        .lambda
        .functions
        .iter()
        .filter(|((region, name), _)| region == call.region && (marker.is_empty() || name.as_str() > marker))
        .map(|(_, function)| function)
        .collect();
    let page: Vec<Value> =
        here.iter().take(size).map(|function| shown(call, function, &function.latest, LATEST)).collect();
    let mut answer = json!({ "Functions": page });
    if here.len() > size {
        answer["NextMarker"] = json!(here[size - 1].name);
    }
    Ok(answer)
}

/// Refuses a change of a function that is not ready, or that somebody else has changed since.
fn changeable(call: &mut Call<'_>, name: &str) -> Result<(), ApiError> {
    let (now, wanted) = (call.now, call.text("RevisionId").map(str::to_owned));
    let function = known(call, name)?;
    if function.created_at + PENDING > now {
        return Err(conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
        ));
    }
    match wanted {
        Some(revision) if revision != function.latest.revision => Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId",
        )),
        _ => Ok(()),
    }
}

pub(super) fn update_code(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "UpdateFunctionCode")?;
    let zip = zip(call.text("ZipFile"))?;
    changeable(call, &name)?;
    let now = call.now;
    let latest = &mut known(call, &name)?.latest;
    (latest.zip, latest.modified_at, latest.revision) = (zip, now, ids::uuid());
    let published = match call.input["Publish"].as_bool() {
        Some(true) => Some(publish_now(call, &name)?),
        _ => None,
    };
    let function = known(call, &name)?.clone();
    let version = published.map_or(LATEST.to_owned(), |number| number.to_string());
    Ok(shown(call, &function, &function.latest, &version))
}

pub(super) fn update_configuration(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "UpdateFunctionConfiguration")?;
    let role = call.text("Role").map(|arn| role(call, arn)).transpose()?;
    changeable(call, &name)?;
    let mut code = known(call, &name)?.latest.clone();
    over(call, &mut code)?;
    let function = known(call, &name)?;
    function.latest = code;
    if let Some(role) = role {
        function.role = role;
    }
    let function = function.clone();
    Ok(shown(call, &function, &function.latest, LATEST))
}

fn publish_now(call: &mut Call<'_>, name: &str) -> Result<u32, ApiError> {
    let function = known(call, name)?;
    let latest = function.latest.clone();
    // Publishing what has not changed since gives the same version again.
    if let Some((number, _)) =
        function.published.iter().next_back().filter(|(_, code)| code.revision == latest.revision)
    {
        return Ok(*number);
    }
    let number = function.published.keys().next_back().map_or(1, |last| last + 1);
    function.published.insert(number, latest);
    Ok(number)
}

pub(super) fn publish(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "PublishVersion")?;
    changeable(call, &name)?;
    let number = publish_now(call, &name)?;
    let function = known(call, &name)?.clone();
    Ok(shown(call, &function, &function.published[&number], &number.to_string()))
}

pub(super) fn list_versions(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "ListVersionsByFunction")?;
    let function = known(call, &name)?.clone();
    let published = function.published.iter().map(|(number, code)| (number.to_string(), code));
    let all = std::iter::once((LATEST.to_owned(), &function.latest)).chain(published);
    let versions: Vec<Value> = all.map(|(number, code)| shown(call, &function, code, &number)).collect();
    Ok(json!({ "Versions": versions }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "DeleteFunction")?;
    let qualifier = call.text("Qualifier").map(str::to_owned);
    let function = known(call, &name)?;
    match qualifier {
        None => _ = call.world.lambda.functions.remove(&(call.region.to_owned(), name)),
        Some(qualifier) if qualifier == LATEST => {
            return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(qualifier) => {
            if let Ok(number) = qualifier.parse() {
                function.published.remove(&number);
            }
        }
    }
    Ok(nothing())
}
