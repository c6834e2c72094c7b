//! EC2's calls on several things at once: AWS answers with success, and says of each what became of it.

use aws_sdk_ec2::Client;

use super::{failed, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

/// AWS's word for an error that says nothing about what was done.
const UNEXPECTED: &str = "unexpectedError";

/// The code and message of what was not done to one of them.
macro_rules! refused {
    ($errors:expr, $error:ident) => {
        $errors.first().map(|one| {
            let error = one.$error();
            let code = error.and_then(|error| error.code()).map(|code| code.as_str().to_owned());
            (code, error.and_then(|error| error.message()).map(str::to_owned))
        })
    };
}

pub(super) async fn make(ec2: &Client, call: &ApiCall) -> CallAnswer {
    let operation = call.iam_action();
    let refused = match call {
        ApiCall::DeleteFleets { fleet_ids, terminate_instances } => {
            let request = ec2.delete_fleets().fleet_ids(fleet_ids).terminate_instances(terminate_instances == "true");
            let answer = Box::pin(request.send()).await.map_err(|error| failed(operation, &error));
            answer.map(|answer| refused!(answer.unsuccessful_fleet_deletions(), error))
        }
        ApiCall::CancelSpotFleetRequests { spot_fleet_request_ids, terminate_instances } => {
            let request = ec2.cancel_spot_fleet_requests().spot_fleet_request_ids(spot_fleet_request_ids);
            let request = request.terminate_instances(terminate_instances == "true");
            let answer = Box::pin(request.send()).await.map_err(|error| failed(operation, &error));
            answer.map(|answer| refused!(answer.unsuccessful_fleet_requests(), error))
        }
        ApiCall::DeleteLaunchTemplateVersions { launch_template_id, versions } => {
            let request = ec2.delete_launch_template_versions().launch_template_id(launch_template_id);
            let answer = Box::pin(request.versions(versions).send()).await.map_err(|error| failed(operation, &error));
            answer.map(|answer| refused!(answer.unsuccessfully_deleted_launch_template_versions(), response_error))
        }
        other => return unknown(other),
    };
    match refused {
        Err(answer) => answer,
        Ok(None) => CallAnswer::Accepted,
        Ok(Some((Some(code), message))) if code != UNEXPECTED => {
            CallAnswer::Refused { code, message: message.unwrap_or_default() }
        }
        Ok(Some((_, message))) => CallAnswer::Unclear {
            message: format!("{operation}: an unexpected error, {}", message.as_deref().unwrap_or("not named")),
        },
    }
}
