//! Layers: code that functions run with besides their own. A version of one never changes.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::functions::{sha256, zip};
use super::{invalid, not_found};
use crate::aws::caller::Resource;
use crate::aws::json_operation::Call;
use crate::aws::wire::ApiError;

/// Layers of a function.
const LAYERS_MAX: usize = 5;

/// A version.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    zip: Bytes,
    description: String,
    created_at: DateTime<Utc>,
}

/// What a function says of a layer that it runs with.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Laid {
    arn: String,
    size: usize,
}

impl Laid {
    pub(super) fn shown(&self) -> Value {
        json!({ "Arn": self.arn, "CodeSize": self.size })
    }

    /// The layer's ARN, without the version.
    fn of(&self) -> Option<&str> {
        self.arn.rsplit_once(':').map(|(layer, _)| layer)
    }
}

fn arn(call: &Call<'_>, name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:layer:{name}", call.region, call.world.account)
}

fn shown(call: &mut Call<'_>, name: &str, number: usize, layer: &Layer) -> Value {
    let token = call.world.lambda.hand_out(layer.zip.clone(), call.now);
    let arn = arn(call, name);
    json!({
        "Content": {
            "Location": format!("http://{}/_code/{token}", call.host),
            "CodeSha256": sha256(&layer.zip),
            "CodeSize": layer.zip.len(),
        },
        "LayerArn": arn,
        "LayerVersionArn": format!("{arn}:{number}"),
        "Description": layer.description,
        "CreatedDate": super::time(layer.created_at),
        "Version": number,
    })
}

pub(super) fn publish(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = call.required("LayerName")?;
    if name.len() > 140 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{name}' at 'layerName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+"
        )));
    }
    call.permit("lambda:PublishLayerVersion", &arn(call, &name))?;
    let layer = Layer {
        zip: zip(call.input.pointer("/Content/ZipFile").and_then(Value::as_str))?,
        description: call.text("Description").unwrap_or_default().to_owned(),
        created_at: call.now,
    };
    let versions = call.world.lambda.layers.entry((call.region.to_owned(), name.clone())).or_default();
    versions.push(layer.clone());
    let number = versions.len();
    Ok(shown(call, &name, number, &layer))
}

/// The version of this number, for a caller who may have it.
fn permitted(call: &Call<'_>, name: &str, number: usize) -> Result<Layer, ApiError> {
    let arn = format!("{}:{number}", arn(call, name));
    call.permit("lambda:GetLayerVersion", &arn)?;
    let versions = call.world.lambda.layers.get(&(call.region.to_owned(), name.to_owned()));
    let layer = versions.and_then(|versions| versions.get(number.checked_sub(1)?)).cloned();
    layer.ok_or_else(|| not_found(&format!("Layer version {arn} does not exist.")))
}

/// The name and number in a version's ARN. No other account gives its layers to this one.
fn parsed(call: &Call<'_>, text: &str) -> Result<(String, usize), ApiError> {
    let malformed = || {
        ApiError::validation(format!(
            "1 validation error detected: Value '{text}' at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{{12}}:layer:[a-zA-Z0-9-_]+:[0-9]+"
        ))
    };
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", "aws", "lambda", region, account, "layer", name, number] = parts[..] else { return Err(malformed()) };
    let number = number.parse::<usize>().map_err(|_| malformed())?;
    if account != call.world.account {
        let resource = Resource { arn: text.to_owned(), label: text.to_owned() };
        let reason = "because no resource-based policy allows the lambda:GetLayerVersion action";
        return Err(call.caller.denied("lambda:GetLayerVersion", &resource, reason));
    }
    if region != call.region {
        return Err(invalid(format!("Layers are not in the same region as the function: {text}")));
    }
    Ok((name.to_owned(), number))
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (name, number) = (call.required("LayerName")?, call.required("VersionNumber")?);
    let number = number.parse::<usize>().map_err(|_| {
        ApiError::validation(format!("1 validation error detected: Value '{number}' at 'versionNumber' is no number"))
    })?;
    let layer = permitted(call, &name, number)?;
    Ok(shown(call, &name, number, &layer))
}

pub(super) fn get_by_arn(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (name, number) = parsed(call, &call.required("Arn")?)?;
    let layer = permitted(call, &name, number)?;
    Ok(shown(call, &name, number, &layer))
}

/// The layers that a request gives a function, which its caller must be allowed to have.
pub(super) fn chosen(call: &Call<'_>) -> Result<Option<Vec<Laid>>, ApiError> {
    let Some(asked) = call.input["Layers"].as_array() else { return Ok(None) };
    if asked.len() > LAYERS_MAX {
        return Err(invalid(format!("Cannot reference more than {LAYERS_MAX} layers.")));
    }
    let mut all: Vec<Laid> = Vec::new();
    for arn in asked.iter().filter_map(Value::as_str) {
        let (name, number) = parsed(call, arn)?;
        let laid = Laid { arn: arn.to_owned(), size: permitted(call, &name, number)?.zip.len() };
        if all.iter().any(|known| known.of() == laid.of()) {
            return Err(invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function.",
            ));
        }
        all.push(laid);
    }
    Ok(Some(all))
}
