//! `GuardDuty`: the detectors of the account and their findings.

pub(super) mod detectors;

use axum::http::{Method, StatusCode};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::ids;
use super::wire::ApiError;

/// Where the account has `GuardDuty` switched on.
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// Findings on one page, and in one `GetFindings`.
const PAGE_MAX: usize = 50;

/// All findings, as `GetFindings` gives them.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Value>);

/// The detector of a Region.
pub(super) fn detector_id(account: &str, region: &str) -> Option<String> {
    REGIONS.contains(&region).then(|| ids::detector_id(&format!("{account}/{region}")))
}

/// The operation behind a method and path, with the path's detector.
pub(super) fn route(method: &Method, path: &str) -> Option<(&'static str, Map<String, Value>)> {
    let of = |id: &str| Map::from_iter([("detectorId".to_owned(), json!(id))]);
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method, segments.as_slice()) {
        (&Method::GET, ["detector"]) => Some(("ListDetectors", Map::new())),
        (&Method::GET, ["detector", id]) => Some(("GetDetector", of(id))),
        (&Method::POST, ["detector", id]) => Some(("UpdateDetector", of(id))),
        (&Method::POST, ["detector", id, "findings"]) => Some(("ListFindings", of(id))),
        (&Method::POST, ["detector", id, "findings", "get"]) => Some(("GetFindings", of(id))),
        _ => None,
    }
}

impl Findings {
    /// Adds a finding, or replaces the one with its id.
    pub(super) fn put(&mut self, finding: Value) {
        self.0.retain(|known| known["id"] != finding["id"]);
        self.0.push(finding);
    }

    /// Runs one of the operations that [`route`] names; `input` holds the body and `detectorId`.
    pub(super) fn run(&self, account: &str, region: &str, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let own = detector_id(account, region);
        if operation == "ListDetectors" {
            return Ok(json!({ "detectorIds": own.into_iter().collect::<Vec<_>>() }));
        }
        if own.is_none() || input["detectorId"].as_str() != own.as_deref() {
            return Err(bad_request(
                "The request is rejected because the input detectorId is not owned by the current account.",
            ));
        }
        let here = self.0.iter().filter(|finding| finding["region"] == region);
        if operation == "GetFindings" {
            let ids = input["findingIds"].as_array().filter(|ids| ids.len() <= PAGE_MAX).ok_or_else(|| {
                bad_request("The request is rejected because the parameter findingIds has an invalid value.")
            })?;
            return Ok(json!({ "findings": here.filter(|finding| ids.contains(&finding["id"])).collect::<Vec<_>>() }));
        }
        let empty = Map::new();
        let criteria = input.pointer("/findingCriteria/criterion").and_then(Value::as_object).unwrap_or(&empty);
        let mut found: Vec<&Value> =
            here.filter(|finding| criteria.iter().all(|(field, condition)| meets(finding, field, condition))).collect();
        let sort = input.pointer("/sortCriteria/attributeName").and_then(Value::as_str).unwrap_or("updatedAt");
        found.sort_by(|one, other| {
            let (one, other) = (at_path(one, sort), at_path(other, sort));
            number(one).total_cmp(&number(other)).then_with(|| text(one).cmp(&text(other)))
        });
        if input.pointer("/sortCriteria/orderBy").and_then(Value::as_str) != Some("ASC") {
            found.reverse();
        }
        page(&found, input)
    }
}

fn page(found: &[&Value], input: &Value) -> Result<Value, ApiError> {
    let size = match &input["maxResults"] {
        Value::Null => PAGE_MAX,
        size => size
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| (1..=PAGE_MAX).contains(size))
            .ok_or_else(|| bad_request("The request is rejected because the parameter maxResults is out of range."))?,
    };
    let from = match input["nextToken"].as_str().filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .parse()
            .ok()
            .filter(|from| *from <= found.len())
            .ok_or_else(|| bad_request("The request is rejected because the parameter nextToken is invalid."))?,
    };
    let upto = found.len().min(from + size);
    let ids: Vec<&Value> = found[from..upto].iter().map(|finding| &finding["id"]).collect();
    let next = if upto < found.len() { upto.to_string() } else { String::new() };
    Ok(json!({ "findingIds": ids, "nextToken": next }))
}

fn bad_request(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "BadRequestException", sentence)
}

fn at_path<'a>(finding: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(finding, |value, key| &value[key])
}

fn meets(finding: &Value, field: &str, condition: &Value) -> bool {
    let value = at_path(finding, field);
    let is_one_of =
        |values: &Value| values.as_array().is_some_and(|values| values.iter().any(|v| text(v) == text(value)));
    condition.as_object().is_some_and(|tests| {
        tests.iter().all(|(test, wanted)| match test.as_str() {
            "eq" | "equals" => is_one_of(wanted),
            "neq" | "notEquals" => !is_one_of(wanted),
            "gt" | "greaterThan" => number(value) > number(wanted),
            "gte" | "greaterThanOrEqual" => number(value) >= number(wanted),
            "lt" | "lessThan" => number(value) < number(wanted),
            "lte" | "lessThanOrEqual" => number(value) <= number(wanted),
            _ => false,
        })
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number, or a time in milliseconds, which is how criteria compare times.
fn number(value: &Value) -> f64 {
    let time = || {
        let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit into the 52 bits")]
        Some(at.timestamp_millis() as f64)
    };
    value.as_f64().or_else(time).unwrap_or(f64::NAN)
}
