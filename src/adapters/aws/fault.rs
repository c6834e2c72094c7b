//! What the SDK's errors mean: for people, in the port's words, and for a change, whether it can have
//! happened. Payloads never get into either.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::ports::CloudError;

/// AWS's error codes that say “too fast”: nothing was done, and trying again helps.
const THROTTLED: [&str; 9] = [
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
/// The same where the code is another.
const TOO_MANY_REQUESTS: u16 = 429;

/// AWS's error codes for what is not there; EC2's end in `.NotFound`.
const MISSING: [&str; 8] = [
    "NoSuchEntity",
    "PolicyNotAttachedException",
    "PolicyNotFoundException",
    "ResourceNotFoundException",
    "TrailNotFoundException",
    "fleetIdDoesNotExist",
    "fleetRequestIdDoesNotExist",
    "launchTemplateVersionDoesNotExist",
];

/// An SDK error in the port's words.
pub(in crate::adapters) fn fault<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let operation = operation.to_owned();
    let unavailable = |message: String| CloudError::Unavailable { operation: operation.clone(), message };
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let Some(code) = service.err().code() else {
                return unavailable(format!("HTTP {status} without an error code"));
            };
            let message = service.err().message().unwrap_or_default();
            if status >= 500 || status == TOO_MANY_REQUESTS || THROTTLED.contains(&code) {
                unavailable(format!("{code}: {message}"))
            } else {
                CloudError::Refused { operation, code: code.to_owned(), message: message.to_owned() }
            }
        }
        SdkError::TimeoutError(_) => unavailable("AWS did not answer in time".into()),
        SdkError::DispatchFailure(_) => match in_chain::<CredentialsError>(error) {
            Some(cause) => no_credentials(&operation, cause),
            None => unavailable("AWS could not be reached, or the connection broke".into()),
        },
        SdkError::ResponseError(_) => unavailable("AWS's answer could not be read".into()),
        SdkError::ConstructionFailure(_) => CloudError::Refused {
            operation,
            code: "BadRequest".into(),
            message: "the request could not be built".into(),
        },
        _ => unavailable("an error that the SDK does not name".into()),
    }
}

/// Whether a call that ended like this certainly changed nothing: AWS said so, or it never went out.
pub(super) fn nothing_done<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => service
            .err()
            .code()
            .is_some_and(|code| THROTTLED.contains(&code) || service.raw().status().is_client_error()),
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(_) => in_chain::<CredentialsError>(error).is_some(),
        _ => false,
    }
}

/// Whether an error code says that there is no such thing.
pub(super) fn says_missing(code: &str) -> bool {
    MISSING.contains(&code) || code.ends_with(".NotFound")
}

/// Whether AWS knows no such thing.
pub(super) fn is_missing(error: &CloudError) -> bool {
    matches!(error, CloudError::Refused { code, .. } if says_missing(code))
}

/// What Lambda says about an operation that it does not have in a Region.
const NO_SUCH_OPERATION: &str = "Unable to determine service/operation name to be authorized";

/// Whether a Region has no addresses of functions at all, and so none of this function: what Lambda says of that looks like
/// a permission that is missing.
pub(super) fn has_no_function_urls(error: &CloudError) -> bool {
    matches!(error, CloudError::Refused { operation, code, message }
        if matches!(operation.as_str(), "lambda:GetFunctionUrlConfig" | "lambda:ListFunctionUrlConfigs")
            && code == "AccessDeniedException" && message == NO_SUCH_OPERATION)
}

/// The call was not signed: it has not gone out.
fn no_credentials(operation: &str, cause: &CredentialsError) -> CloudError {
    if let Some(refused) = in_chain::<SdkError<AssumeRoleError, HttpResponse>>(cause) {
        return fault("sts:AssumeRole", refused);
    }
    let operation = operation.to_owned();
    let refused = |message: &str| CloudError::Refused {
        operation: operation.clone(),
        code: "NoCredentials".into(),
        message: message.into(),
    };
    match cause {
        CredentialsError::CredentialsNotLoaded(_) => refused("the bot has no AWS credentials"),
        CredentialsError::InvalidConfiguration(_) => refused("the bot's AWS credentials are configured wrongly"),
        _ => CloudError::Unavailable {
            operation: operation.clone(),
            message: "the bot's own AWS credentials could not be had".into(),
        },
    }
}

fn in_chain<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        cause = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::operation::list_users::ListUsersError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn said(status: u16, code: &str) -> CloudError {
        let error = ListUsersError::generic(ErrorMetadata::builder().code(code).message("no").build());
        let raw = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        fault("iam:ListUsers", &SdkError::service_error(error, raw))
    }

    #[test]
    fn a_region_without_function_urls_is_no_missing_permission() {
        let said = |operation: &str, message: &str| CloudError::Refused {
            operation: operation.into(),
            code: "AccessDeniedException".into(),
            message: message.into(),
        };
        for operation in ["lambda:GetFunctionUrlConfig", "lambda:ListFunctionUrlConfigs"] {
            assert!(has_no_function_urls(&said(operation, NO_SUCH_OPERATION)));
            assert!(!has_no_function_urls(&said(operation, "User: x is not authorized to perform it")));
        }
        assert!(!has_no_function_urls(&said("lambda:GetPolicy", NO_SUCH_OPERATION)));
    }

    #[test]
    fn too_fast_is_never_taken_for_a_no() {
        for (status, code) in
            [(400, "Throttling"), (400, "RequestThrottledException"), (429, "AnythingElse"), (503, "SlowDown")]
        {
            assert!(said(status, code).can_retry(), "{status} {code}");
        }
        assert!(!said(403, "AccessDenied").can_retry());
        assert!(is_missing(&said(404, "NoSuchEntity")) && !is_missing(&said(429, "ResourceNotFoundException")));
    }
}
