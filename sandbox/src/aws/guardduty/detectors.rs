//! Detectors: one in each Region where `GuardDuty` was switched on; it can be suspended.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{bad_request, detector_id};
use crate::aws::json_operation::{Call, Operation};
use crate::aws::wire::ApiError;

/// Since when detectors are suspended, by Region.
pub(in crate::aws) type Suspended = BTreeMap<String, DateTime<Utc>>;

const FREQUENCIES: [&str; 3] = ["FIFTEEN_MINUTES", "ONE_HOUR", "SIX_HOURS"];

static OPERATIONS: [Operation; 2] = [
    Operation::read("GetDetector", "GetDetector", get),
    Operation::write("UpdateDetector", "UpdateDetector", StatusCode::OK, update),
];

/// The operation of this name.
pub(in crate::aws) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Refuses a detector that is not the account's in this Region, once the caller may have it.
fn permitted(call: &Call<'_>, action: &str) -> Result<(), ApiError> {
    let id = call.text("detectorId").unwrap_or_default();
    call.permit(action, &format!("arn:aws:guardduty:{}:{}:detector/{id}", call.region, call.world.account))?;
    if detector_id(call.world.account, call.region).as_deref() == Some(id) {
        return Ok(());
    }
    let sentence = "The request is rejected because the input detectorId is not owned by the current account.";
    Err(bad_request(sentence))
}

fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permitted(call, "guardduty:GetDetector")?;
    let suspended = call.world.suspended_detectors.get(call.region);
    let seconds = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let made = crate::aws::ec2::ago(call.now, 200);
    Ok(json!({
        "createdAt": seconds(made),
        "updatedAt": seconds(suspended.copied().unwrap_or(made)),
        "findingPublishingFrequency": FREQUENCIES[2],
        "serviceRole": format!("arn:aws:iam::{}:role/aws-service-role/guardduty.amazonaws.com/AWSServiceRoleForAmazonGuardDuty", call.world.account),
        "status": if suspended.is_some() { "DISABLED" } else { "ENABLED" },
        "tags": {},
    }))
}

fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permitted(call, "guardduty:UpdateDetector")?;
    if let Some(frequency) = call.text("findingPublishingFrequency")
        && !FREQUENCIES.contains(&frequency)
    {
        return Err(bad_request(
            "The request is rejected because the parameter findingPublishingFrequency has an invalid value.",
        ));
    }
    match call.input["enable"].as_bool() {
        Some(true) => _ = call.world.suspended_detectors.remove(call.region),
        Some(false) => {
            let region = call.region.to_owned();
            call.world.suspended_detectors.entry(region).or_insert(call.now);
        }
        None => {}
    }
    Ok(json!({}))
}
