//! The calls that have trails and detectors work again, as the SDK makes them.

use super::{sent, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn trail(cloudtrail: &aws_sdk_cloudtrail::Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::StartLogging { name } => sent(call, cloudtrail.start_logging().name(name).send()).await,
        other => unknown(other),
    }
}

pub(super) async fn detector(guardduty: &aws_sdk_guardduty::Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::UpdateDetector { detector_id, enable } => {
            let request = guardduty.update_detector().detector_id(detector_id).enable(enable == "true");
            sent(call, request.send()).await
        }
        other => unknown(other),
    }
}
