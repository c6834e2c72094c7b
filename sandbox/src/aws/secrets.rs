//! Secrets Manager: secrets to list and to read, in the Regions that they are kept in.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::json_operation::{Call, Operation};
use super::wire::ApiError;

#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: String,
    pub(super) value: String,
    pub(super) version_id: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_read: Option<DateTime<Utc>>,
}

/// By Region, then by name.
pub(super) type Secrets = BTreeMap<&'static str, BTreeMap<String, Secret>>;

static OPERATIONS: [Operation; 3] = [
    Operation::read("ListSecrets", "ListSecrets", list),
    Operation::read("DescribeSecret", "DescribeSecret", describe),
    Operation::read("GetSecretValue", "GetSecretValue", value),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn listed(secret: &Secret) -> Value {
    let mut shown = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description,
        "CreatedDate": secret.created_at.timestamp(),
        "LastChangedDate": secret.created_at.timestamp(),
    });
    if let Some(at) = secret.last_read {
        // To the day, as the service keeps it.
        shown["LastAccessedDate"] = json!(at.timestamp() / 86_400 * 86_400);
    }
    shown
}

fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("secretsmanager:ListSecrets", "*")?;
    let here = call.world.secrets.get(call.region);
    Ok(json!({ "SecretList": here.into_iter().flatten().map(|(_, secret)| listed(secret)).collect::<Vec<_>>() }))
}

/// The secret that the call names by its name or its ARN, once the caller may have it.
fn permitted<'a>(call: &'a mut Call<'_>, action: &str) -> Result<&'a mut Secret, ApiError> {
    let id = call.required("SecretId")?;
    let found = |secret: &&Secret| secret.name == id || secret.arn == id;
    let arn = call.world.secrets.get(call.region).and_then(|here| here.values().find(found)).map(|s| s.arn.clone());
    let named = if id.starts_with("arn:") {
        id.clone()
    } else {
        format!("arn:aws:secretsmanager:{}:{}:secret:{id}", call.region, call.world.account)
    };
    call.permit(action, arn.as_deref().unwrap_or(&named))?;
    let here = call.world.secrets.get_mut(call.region);
    here.and_then(|here| here.values_mut().find(|secret| secret.name == id || secret.arn == id)).ok_or_else(|| {
        let sentence = "Secrets Manager can't find the specified secret.";
        ApiError::new(StatusCode::BAD_REQUEST, "ResourceNotFoundException", sentence)
    })
}

fn describe(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permitted(call, "secretsmanager:DescribeSecret").map(|secret| listed(secret))
}

fn value(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (stage, now) = (call.text("VersionStage").unwrap_or("AWSCURRENT").to_owned(), call.now);
    let secret = permitted(call, "secretsmanager:GetSecretValue")?;
    if stage != "AWSCURRENT" {
        let sentence = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
        return Err(ApiError::bad_request("ResourceNotFoundException", sentence));
    }
    secret.last_read = Some(now);
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": secret.version_id,
        "SecretString": secret.value,
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": secret.created_at.timestamp(),
    }))
}
