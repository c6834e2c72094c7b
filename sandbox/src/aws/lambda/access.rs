//! Who may call a function: its URL and its resource policy.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::aliases::statements;
use super::{arn, conflict, invalid, known, not_found, nothing, permitted, time};
use crate::aws::ids;
use crate::aws::json_operation::Call;
use crate::aws::wire::ApiError;

#[derive(Clone, Debug)]
pub(in crate::aws) struct Url {
    pub(in crate::aws) address: String,
    /// `NONE` or `AWS_IAM`.
    pub(in crate::aws) auth: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
}

fn shown(call: &Call<'_>, name: &str, url: &Url) -> Value {
    json!({
        "FunctionUrl": url.address,
        "FunctionArn": arn(call, name),
        "AuthType": url.auth,
        "CreationTime": time(url.created_at),
        "LastModifiedTime": time(url.created_at),
        "InvokeMode": "BUFFERED",
    })
}

/// In a Region without URLs Lambda does not know the operation, whoever asks.
fn are_there_urls(call: &Call<'_>) -> Result<(), ApiError> {
    if call.world.lambda.without_urls.contains(call.region) {
        let sentence = "Unable to determine service/operation name to be authorized";
        return Err(ApiError::forbidden("AccessDenied", sentence));
    }
    Ok(())
}

pub(super) fn create_url(call: &mut Call<'_>) -> Result<Value, ApiError> {
    are_there_urls(call)?;
    let name = permitted(call, "CreateFunctionUrlConfig")?;
    let auth = call.required("AuthType")?;
    if auth != "NONE" && auth != "AWS_IAM" {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{auth}' at 'authType' failed to satisfy constraint: Member must satisfy enum value set: [NONE, AWS_IAM]"
        )));
    }
    let (region, now) = (call.region.to_owned(), call.now);
    let function = known(call, &name)?;
    if function.url.is_some() {
        return Err(conflict(format!("FunctionUrlConfig exists for this Lambda function: {name}")));
    }
    let host = ids::secret()[..32].to_owned();
    let url = Url { address: format!("https://{host}.lambda-url.{region}.on.aws/"), auth, created_at: now };
    function.url = Some(url.clone());
    Ok(shown(call, &name, &url))
}

fn no_url() -> ApiError {
    not_found("The resource you requested does not exist.")
}

pub(super) fn get_url(call: &mut Call<'_>) -> Result<Value, ApiError> {
    are_there_urls(call)?;
    let name = permitted(call, "GetFunctionUrlConfig")?;
    let url = known(call, &name)?.url.clone().ok_or_else(no_url)?;
    Ok(shown(call, &name, &url))
}

pub(super) fn list_urls(call: &mut Call<'_>) -> Result<Value, ApiError> {
    are_there_urls(call)?;
    let name = permitted(call, "ListFunctionUrlConfigs")?;
    let url = known(call, &name)?.url.clone();
    let urls: Vec<Value> = url.iter().map(|url| shown(call, &name, url)).collect();
    Ok(json!({ "FunctionUrlConfigs": urls }))
}

pub(super) fn delete_url(call: &mut Call<'_>) -> Result<Value, ApiError> {
    are_there_urls(call)?;
    let name = permitted(call, "DeleteFunctionUrlConfig")?;
    known(call, &name)?.url.take().ok_or_else(no_url)?;
    Ok(nothing())
}

pub(super) fn add_permission(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "AddPermission")?;
    let (id, action, principal) =
        (call.required("StatementId")?, call.required("Action")?, call.required("Principal")?);
    if !action.starts_with("lambda:") {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{action}' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        )));
    }
    let principal = match principal.as_str() {
        "*" => json!("*"),
        service if service.contains(".amazonaws.com") => json!({ "Service": service }),
        who if who.starts_with("arn:aws:") => json!({ "AWS": who }),
        who if who.len() == 12 && who.bytes().all(|b| b.is_ascii_digit()) => {
            json!({ "AWS": format!("arn:aws:iam::{who}:root") })
        }
        _ => return Err(invalid("The provided principal was invalid. Please check the principal and try again.")),
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": call.text("Qualifier").map_or_else(|| arn(call, &name), |of| format!("{}:{of}", arn(call, &name))),
    });
    for (field, operator, key) in [
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ] {
        if let Some(value) = call.text(field) {
            statement["Condition"][operator][key] = json!(value);
        }
    }
    let policy = statements(call, &name)?;
    if policy.contains_key(&id) {
        let sentence = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        return Err(conflict(sentence));
    }
    policy.insert(id, statement.clone());
    Ok(json!({ "Statement": statement.to_string() }))
}

pub(super) fn get_policy(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "GetPolicy")?;
    let statements: Vec<Value> = statements(call, &name)?.values().cloned().collect();
    if statements.is_empty() {
        return Err(not_found("The resource you requested does not exist."));
    }
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements }).to_string();
    let revision = ids::uuid_of(&policy);
    Ok(json!({ "Policy": policy, "RevisionId": revision }))
}

pub(super) fn remove_permission(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let name = permitted(call, "RemovePermission")?;
    let id = call.required("StatementId")?;
    let removed = statements(call, &name)?.remove(&id);
    removed.map(|_| nothing()).ok_or_else(|| {
        let sentence = format!("Statement {id} is not found in resource policy.");
        ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", sentence)
    })
}
