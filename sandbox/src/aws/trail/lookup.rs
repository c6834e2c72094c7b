//! `LookupEvents`: one attribute, one Region, newest first, late.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Event, Trail};
use crate::aws::wire::ApiError;

/// Events on one page.
const PAGE_MAX: u64 = 50;

/// How long the history reaches back.
const HISTORY: TimeDelta = TimeDelta::days(90);

/// How long after the call its event shows up, unless that was set otherwise.
pub(super) const DELAY: TimeDelta = TimeDelta::minutes(5);

/// Lookups per second and Region, in real time.
const LOOKUPS_PER_SECOND: f64 = 2.0;

const KEYS: [&str; 8] =
    ["AccessKeyId", "EventId", "EventName", "EventSource", "ReadOnly", "ResourceName", "ResourceType", "Username"];

/// One page of the history of `region` as it shows at `now`.
pub(in crate::aws) fn lookup_events(
    trail: &mut Trail,
    region: &str,
    input: &Value,
    now: DateTime<Utc>,
) -> Result<Value, ApiError> {
    if !trail.take_turn(region) {
        return Err(ApiError::throttled());
    }
    let attribute = attribute(input)?;
    let size = match input.get("MaxResults") {
        None | Some(Value::Null) => PAGE_MAX,
        Some(size) => size.as_u64().filter(|size| (1..=PAGE_MAX).contains(size)).ok_or_else(|| {
            ApiError::bad_request(
                "InvalidMaxResultsException",
                format!("A max results value of {size} is invalid. Specify max results between 1 and {PAGE_MAX}."),
            )
        })?,
    };
    let start = time(input, "StartTime").unwrap_or(now - HISTORY).max(now - HISTORY);
    let end = time(input, "EndTime").unwrap_or(now);
    if time(input, "StartTime").is_some_and(|start| start > end) {
        return Err(ApiError::bad_request(
            "InvalidTimeRangeException",
            "The StartTime cannot be later than the EndTime.",
        ));
    }
    let question = question(input);
    let before = position(input, &question)?;
    if input.get("EventCategory").is_some() {
        return Ok(json!({ "Events": [] }));
    }
    let mut matching = trail.events.iter().rev().filter(|event| {
        event.region == region
            && !event.data
            && event.number < before
            && (start..=end).contains(&event.at)
            && event.shows_at <= now
            && attribute.as_ref().is_none_or(|(key, value)| event.has(key, value))
    });
    let mut page: Vec<&Event> = Vec::new();
    while (page.len() as u64) < size
        && let Some(event) = matching.next()
    {
        page.push(event);
    }
    let mut answer = json!({ "Events": page.iter().map(|event| event.listed()).collect::<Vec<_>>() });
    if let (Some(_), Some(last)) = (matching.next(), page.last()) {
        answer["NextToken"] = json!(BASE64.encode(format!("{question}/{}", last.number)));
    }
    Ok(answer)
}

impl Trail {
    /// Takes one lookup from what the Region is allowed; `false` when there is none left.
    fn take_turn(&mut self, region: &str) -> bool {
        let now = Instant::now();
        let (left, counted_at) = self.allowance.entry(region.to_owned()).or_insert((LOOKUPS_PER_SECOND, now));
        let refilled = now.duration_since(*counted_at).as_secs_f64() * LOOKUPS_PER_SECOND;
        *left = (*left + refilled).min(LOOKUPS_PER_SECOND);
        *counted_at = now;
        let granted = *left >= 1.0;
        if granted {
            *left -= 1.0;
        }
        granted
    }
}

impl Event {
    fn has(&self, key: &str, value: &str) -> bool {
        match key {
            "AccessKeyId" => self.access_key_id.as_deref() == Some(value),
            "EventId" => self.id == value,
            "EventName" => self.name == value,
            "EventSource" => self.source == value,
            "ReadOnly" => self.read_only.to_string() == value,
            "ResourceName" => self.resources.iter().any(|(_, name)| name == value),
            "ResourceType" => self.resources.iter().any(|(kind, _)| *kind == value),
            _ => self.user_name.as_deref() == Some(value),
        }
    }

    fn listed(&self) -> Value {
        let resources: Vec<Value> =
            self.resources.iter().map(|(kind, name)| json!({ "ResourceType": kind, "ResourceName": name })).collect();
        let mut event = json!({
            "EventId": self.id,
            "EventName": self.name,
            "ReadOnly": self.read_only.to_string(),
            "EventTime": self.at.timestamp(),
            "EventSource": self.source,
            "Resources": resources,
            "CloudTrailEvent": self.json,
        });
        if let Some(name) = &self.user_name {
            event["Username"] = json!(name);
        }
        if let Some(id) = &self.access_key_id {
            event["AccessKeyId"] = json!(id);
        }
        event
    }
}

/// The one attribute to look for, if any.
fn attribute(input: &Value) -> Result<Option<(String, String)>, ApiError> {
    let invalid = |sentence: &str| ApiError::bad_request("InvalidLookupAttributesException", sentence);
    let attributes = match input.get("LookupAttributes") {
        None | Some(Value::Null) => return Ok(None),
        Some(attributes) => attributes.as_array().ok_or_else(|| invalid("LookupAttributes must be a list."))?,
    };
    match attributes.as_slice() {
        [] => Ok(None),
        [attribute] => {
            let text = |name: &str| attribute.get(name).and_then(Value::as_str).map(str::to_owned);
            match (text("AttributeKey"), text("AttributeValue")) {
                (Some(key), Some(value)) if KEYS.contains(&key.as_str()) => Ok(Some((key, value))),
                _ => Err(invalid("The lookup attribute has no value, or a key that is not one of the allowed keys.")),
            }
        }
        _ => Err(invalid("You can specify only one lookup attribute.")),
    }
}

fn time(input: &Value, name: &str) -> Option<DateTime<Utc>> {
    let seconds = input.get(name)?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and chrono refuses what is too far")]
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
}

/// A digest of everything but the paging, so that a token serves only the lookup that it is from.
fn question(input: &Value) -> String {
    let mut input = input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.remove("NextToken");
        fields.remove("MaxResults");
    }
    hex::encode(&Sha256::digest(input.to_string())[..8])
}

/// The number of the event before which the page begins.
fn position(input: &Value, question: &str) -> Result<u64, ApiError> {
    let Some(token) = input.get("NextToken").and_then(Value::as_str) else { return Ok(u64::MAX) };
    BASE64
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(question)?.strip_prefix('/')?.parse().ok())
        .ok_or_else(|| {
            ApiError::bad_request(
                "InvalidNextTokenException",
                "The token is invalid, or it was issued for a lookup with other parameters.",
            )
        })
}
