//! The few questions to CloudTrail's event history that identification needs. `LookupEvents` takes one
//! attribute, gives 50 events a page, newest first, for 90 days, twice a second for each account and
//! Region; IAM and global STS events are in us-east-1 only.

use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::fault::fault;
use crate::ports::CloudError;

/// Two requests a second are allowed.
const PAGE_WAIT: Duration = Duration::from_millis(550);

/// Events of one Region, newest first, as the JSON that CloudTrail recorded.
pub(super) struct Looked {
    pub(super) events: Vec<Value>,
    /// There was more than was read.
    pub(super) cut: bool,
}

/// Reads up to `pages_max` pages.
pub(super) async fn look_up(
    client: &Client,
    key: LookupAttributeKey,
    value: &str,
    now: DateTime<Utc>,
    days: i64,
    pages_max: u32,
) -> Result<Looked, CloudError> {
    let operation = "cloudtrail:LookupEvents";
    let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
    let attribute = attribute.map_err(|_| CloudError::Refused {
        operation: operation.into(),
        code: "BadRequest".into(),
        message: "the question could not be built".into(),
    })?;
    let since = aws_smithy_types::DateTime::from_secs((now - TimeDelta::days(days)).timestamp());
    let mut looked = Looked { events: Vec::new(), cut: false };
    let mut token = None;
    for page in 0..pages_max {
        if page > 0 {
            tokio::time::sleep(PAGE_WAIT).await;
        }
        let asked = client
            .lookup_events()
            .lookup_attributes(attribute.clone())
            .start_time(since)
            .set_next_token(token.take())
            .send()
            .await
            .map_err(|e| fault(operation, &e))?;
        let texts = asked.events.unwrap_or_default().into_iter().filter_map(|event| event.cloud_trail_event);
        looked.events.extend(texts.filter_map(|text| serde_json::from_str(&text).ok()));
        token = asked.next_token;
        if token.is_none() {
            break;
        }
    }
    looked.cut = token.is_some();
    Ok(looked)
}
