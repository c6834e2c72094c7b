//! Makes the calls of a warrant. For each warrant a session of its own, whose inline policy allows just
//! these calls on just these targets, named after the request, with the approver as source identity: AWS
//! enforces the approval too, and its trail shows who approved. Follows `AssumeRole` in the STS API
//! reference. One attempt each: what happens after an unclear answer is decided by reading back.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::json;

use super::fault::{fault, nothing_done};
use super::{AccountSettings, CHANGE_TIME_MAX, CONNECT_TIME_MAX};
use crate::domain::action::ApiCall;
use crate::domain::approval::{CallAnswer, Warrant};
use crate::domain::observation::KeyStatus;
use crate::ports::CloudError;

/// The shortest session that STS gives.
pub(super) const SESSION_S: i32 = 900;

pub(super) async fn apply(base: &SdkConfig, account: &AccountSettings, warrant: &Warrant) -> CallAnswer {
    let config = match session(base, account, warrant).await {
        Ok(config) => config,
        // No call has gone out: whatever the reason, nothing was changed.
        Err(error) => {
            return CallAnswer::Refused {
                code: "NoSession".into(),
                message: format!("the session for this change could not be had: {error}"),
            };
        }
    };
    let iam = aws_sdk_iam::Client::new(&config);
    for (done, call) in warrant.calls().iter().enumerate() {
        let answer = make(&iam, call).await;
        if answer == CallAnswer::Accepted {
            continue;
        }
        return match answer {
            CallAnswer::Refused { code, message } if done > 0 => CallAnswer::Unclear {
                message: format!(
                    "{done} call(s) were accepted, then {} was refused: {code}: {message}",
                    call.iam_action()
                ),
            },
            other => other,
        };
    }
    CallAnswer::Accepted
}

async fn make(iam: &aws_sdk_iam::Client, call: &ApiCall) -> CallAnswer {
    let operation = call.iam_action();
    let asked = match call {
        ApiCall::UpdateAccessKey { user_name, access_key_id, status } => {
            let status = match status {
                KeyStatus::Active => aws_sdk_iam::types::StatusType::Active,
                KeyStatus::Inactive => aws_sdk_iam::types::StatusType::Inactive,
            };
            let request =
                iam.update_access_key().user_name(user_name).access_key_id(access_key_id.as_str()).status(status);
            request.send().await.map(|_| ()).map_err(|e| failed(operation, &e))
        }
        ApiCall::PutUserPolicy { user_name, policy_name, policy_document } => {
            let request =
                iam.put_user_policy().user_name(user_name).policy_name(policy_name).policy_document(policy_document);
            request.send().await.map(|_| ()).map_err(|e| failed(operation, &e))
        }
        ApiCall::DeleteUserPolicy { user_name, policy_name } => {
            let request = iam.delete_user_policy().user_name(user_name).policy_name(policy_name);
            request.send().await.map(|_| ()).map_err(|e| failed(operation, &e))
        }
        ApiCall::PutRolePolicy { role_name, policy_name, policy_document } => {
            let request =
                iam.put_role_policy().role_name(role_name).policy_name(policy_name).policy_document(policy_document);
            request.send().await.map(|_| ()).map_err(|e| failed(operation, &e))
        }
        ApiCall::DeleteRolePolicy { role_name, policy_name } => {
            let request = iam.delete_role_policy().role_name(role_name).policy_name(policy_name);
            request.send().await.map(|_| ()).map_err(|e| failed(operation, &e))
        }
    };
    asked.err().unwrap_or(CallAnswer::Accepted)
}

/// A refusal only when it is certain that nothing was done; otherwise AWS has to be read back.
fn failed<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CallAnswer
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = fault(operation, error);
    match said {
        CloudError::Refused { code, message, .. } if nothing_done(error) => CallAnswer::Refused { code, message },
        CloudError::Unavailable { message, .. } if nothing_done(error) => {
            CallAnswer::Refused { code: "NotTaken".into(), message }
        }
        said => CallAnswer::Unclear { message: said.to_string() },
    }
}

async fn session(base: &SdkConfig, account: &AccountSettings, warrant: &Warrant) -> Result<SdkConfig, CloudError> {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIME_MAX).operation_timeout(CHANGE_TIME_MAX).build();
    let one_attempt = base.to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    let Some(role) = &account.contain_role_arn else { return Ok(one_attempt.build()) };
    let policy = session_policy(warrant.calls(), warrant.targets());
    let answer = aws_sdk_sts::Client::new(base)
        .assume_role()
        .role_arn(role)
        .role_session_name(warrant.request().to_string())
        .source_identity(warrant.approver().as_str())
        .duration_seconds(SESSION_S)
        .policy(policy)
        .send()
        .await
        .map_err(|e| fault(&format!("sts:AssumeRole {role}"), &e))?;
    let Some(given) = answer.credentials else {
        return Err(CloudError::Unavailable {
            operation: "sts:AssumeRole".into(),
            message: "no credentials came".into(),
        });
    };
    let credentials = Credentials::from_keys(given.access_key_id, given.secret_access_key, Some(given.session_token));
    Ok(one_attempt.credentials_provider(SharedCredentialsProvider::new(credentials)).build())
}

/// Allows just these calls on just these targets.
fn session_policy(calls: &[ApiCall], targets: &[String]) -> String {
    let mut actions: Vec<&str> = calls.iter().map(ApiCall::iam_action).collect();
    actions.sort_unstable();
    actions.dedup();
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": targets}]})
        .to_string()
}
