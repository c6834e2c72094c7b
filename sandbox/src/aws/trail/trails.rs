//! The trails that deliver events to a bucket. The event history goes on without one.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::aws::json_operation::{Call, Operation};
use crate::aws::wire::ApiError;

#[derive(Clone, Debug)]
pub(in crate::aws) struct Delivery {
    pub(in crate::aws) name: String,
    pub(in crate::aws) home: &'static str,
    pub(in crate::aws) bucket: String,
    pub(in crate::aws) started_at: DateTime<Utc>,
    /// None while it delivers.
    pub(in crate::aws) stopped_at: Option<DateTime<Utc>>,
}

impl Delivery {
    pub(in crate::aws) fn arn(&self, account: &str) -> String {
        format!("arn:aws:cloudtrail:{}:{account}:trail/{}", self.home, self.name)
    }
}

static OPERATIONS: [Operation; 4] = [
    Operation::read("DescribeTrails", "DescribeTrails", describe),
    Operation::read("GetTrailStatus", "GetTrailStatus", status),
    Operation::write("StartLogging", "StartLogging", StatusCode::OK, start),
    Operation::write("StopLogging", "StopLogging", StatusCode::OK, stop),
];

/// The operation of this name.
pub(in crate::aws) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn describe(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("cloudtrail:DescribeTrails", "*")?;
    let account = call.world.account;
    let asked = call.input["trailNameList"].as_array().cloned().unwrap_or_default();
    let shadows = call.input["includeShadowTrails"].as_bool().unwrap_or(true);
    let wanted = |trail: &&Delivery| {
        (shadows || trail.home == call.region)
            && (asked.is_empty() || asked.iter().any(|name| *name == trail.name || *name == trail.arn(account)))
    };
    let one = |trail: &Delivery| {
        json!({
            "Name": trail.name,
            "S3BucketName": trail.bucket,
            "IncludeGlobalServiceEvents": true,
            "IsMultiRegionTrail": true,
            "HomeRegion": trail.home,
            "TrailARN": trail.arn(account),
            "LogFileValidationEnabled": true,
            "HasCustomEventSelectors": true,
            "HasInsightSelectors": false,
            "IsOrganizationTrail": false,
        })
    };
    Ok(json!({ "trailList": call.world.deliveries.iter().filter(wanted).map(one).collect::<Vec<_>>() }))
}

/// Where the trail that the call names stands, once the caller may have it.
fn permitted(call: &Call<'_>, action: &str) -> Result<usize, ApiError> {
    let (name, account) = (call.required("Name")?, call.world.account);
    let arn = if name.starts_with("arn:") {
        name.clone()
    } else {
        format!("arn:aws:cloudtrail:{}:{account}:trail/{name}", call.region)
    };
    call.permit(action, &arn)?;
    let place = call.world.deliveries.iter().position(|trail| trail.arn(account) == arn);
    place.ok_or_else(|| {
        ApiError::bad_request("TrailNotFoundException", format!("Unknown trail: {arn} for the user: {account}"))
    })
}

fn status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let place = permitted(call, "cloudtrail:GetTrailStatus")?;
    let trail = &call.world.deliveries[place];
    let mut shown = json!({
        "IsLogging": trail.stopped_at.is_none(),
        "StartLoggingTime": trail.started_at.timestamp(),
        "LatestDeliveryTime": trail.stopped_at.unwrap_or(call.now).timestamp(),
    });
    if let Some(at) = trail.stopped_at {
        shown["StopLoggingTime"] = json!(at.timestamp());
    }
    if !call.world.buckets.contains_key(&trail.bucket) {
        shown["LatestDeliveryError"] = json!("NoSuchBucket");
    }
    Ok(shown)
}

/// Only in its home Region can a trail be changed.
fn changeable(call: &Call<'_>, action: &str) -> Result<usize, ApiError> {
    let place = permitted(call, action)?;
    let trail = &call.world.deliveries[place];
    if trail.home == call.region {
        return Ok(place);
    }
    Err(ApiError::bad_request(
        "InvalidHomeRegionException",
        format!("This trail was created in {}. Switch to that Region to change it.", trail.home),
    ))
}

fn start(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let place = changeable(call, "cloudtrail:StartLogging")?;
    let trail = &mut call.world.deliveries[place];
    if trail.stopped_at.take().is_some() {
        trail.started_at = call.now;
    }
    call.world.trail.paused = false;
    Ok(json!({}))
}

fn stop(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let place = changeable(call, "cloudtrail:StopLogging")?;
    let trail = &mut call.world.deliveries[place];
    trail.stopped_at = trail.stopped_at.or(Some(call.now));
    call.world.trail.paused = call.world.deliveries.iter().all(|trail| trail.stopped_at.is_some());
    Ok(json!({}))
}
