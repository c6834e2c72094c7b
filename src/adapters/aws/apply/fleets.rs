//! The calls on fleets. They are on several at once, so AWS answers with success and says of each what became of it.

use aws_sdk_ec2::Client;

use super::{failed, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn make(ec2: &Client, call: &ApiCall) -> CallAnswer {
    let operation = call.iam_action();
    let refused = match call {
        ApiCall::DeleteFleets { fleet_ids, terminate_instances } => {
            let request = ec2.delete_fleets().fleet_ids(fleet_ids).terminate_instances(terminate_instances == "true");
            match Box::pin(request.send()).await {
                Ok(answer) => answer.unsuccessful_fleet_deletions().first().map(|one| {
                    let error = one.error();
                    let code = error.and_then(|error| error.code()).map(|code| code.as_str().to_owned());
                    (code, error.and_then(|error| error.message()).map(str::to_owned))
                }),
                Err(error) => return failed(operation, &error),
            }
        }
        ApiCall::CancelSpotFleetRequests { spot_fleet_request_ids, terminate_instances } => {
            let request = ec2.cancel_spot_fleet_requests().spot_fleet_request_ids(spot_fleet_request_ids);
            match Box::pin(request.terminate_instances(terminate_instances == "true").send()).await {
                Ok(answer) => answer.unsuccessful_fleet_requests().first().map(|one| {
                    let error = one.error();
                    let code = error.and_then(|error| error.code()).map(|code| code.as_str().to_owned());
                    (code, error.and_then(|error| error.message()).map(str::to_owned))
                }),
                Err(error) => return failed(operation, &error),
            }
        }
        other => return unknown(other),
    };
    // An error that AWS does not name says nothing about what was done.
    match refused {
        None => CallAnswer::Accepted,
        Some((Some(code), message)) if code != "unexpectedError" => {
            CallAnswer::Refused { code, message: message.unwrap_or_default() }
        }
        Some((_, message)) => CallAnswer::Unclear {
            message: format!("{operation}: an unexpected error, {}", message.unwrap_or_else(|| "not named".to_owned())),
        },
    }
}
