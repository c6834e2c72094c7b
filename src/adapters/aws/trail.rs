//! Questions to CloudTrail's event history. `LookupEvents` takes one attribute, gives 50 events a page,
//! newest first, for 90 days, twice a second for each account and Region, and shows a call up to fifteen
//! minutes late; IAM and global STS events are in us-east-1 only.

use std::num::NonZeroU32;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::Value;

use super::fault::fault;
use crate::ports::CloudError;

/// What AWS allows in each Region of an account.
const LOOKUPS_PER_SECOND: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// The event history of one Region, asked no faster than it may be, whoever asks.
pub(super) struct RegionTrail {
    pub(super) region: String,
    pub(super) client: Client,
    pace: DefaultDirectRateLimiter,
}

/// Events of some Regions, as the JSON that CloudTrail recorded.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) events: Vec<Value>,
    /// There was more than was read.
    pub(super) cut: bool,
    /// Regions that did not answer, and why.
    pub(super) unread: Vec<String>,
}

impl RegionTrail {
    pub(super) fn new(region: String, client: Client) -> Self {
        let quota = Quota::per_second(LOOKUPS_PER_SECOND).allow_burst(NonZeroU32::MIN);
        Self { region, client, pace: RateLimiter::direct(quota) }
    }

    /// Reads up to `pages_max` pages, newest first.
    pub(super) async fn look_up(
        &self,
        key: LookupAttributeKey,
        value: &str,
        since: DateTime<Utc>,
        pages_max: u32,
    ) -> Result<Looked, CloudError> {
        let operation = "cloudtrail:LookupEvents";
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
        let attribute = attribute.map_err(|_| CloudError::Refused {
            operation: operation.into(),
            code: "BadRequest".into(),
            message: "the question could not be built".into(),
        })?;
        let since = aws_smithy_types::DateTime::from_secs(since.timestamp());
        let mut looked = Looked::default();
        let mut token = None;
        for _ in 0..pages_max {
            self.pace.until_ready().await;
            let asked = self
                .client
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
}

/// Reads the same in all Regions at once. A Region that does not answer is named, and costs no other.
pub(super) async fn look_up_everywhere(
    trails: &[RegionTrail],
    key: LookupAttributeKey,
    value: &str,
    now: DateTime<Utc>,
    days: u32,
    pages_max: u32,
) -> Looked {
    let since = now - TimeDelta::days(days.into());
    let looks = trails.iter().map(|trail| {
        let key = key.clone();
        async move { (&trail.region, trail.look_up(key, value, since, pages_max).await) }
    });
    let mut all = Looked::default();
    for (region, looked) in join_all(looks).await {
        match looked {
            Ok(looked) => {
                all.cut |= looked.cut;
                all.events.extend(looked.events);
            }
            Err(error) => all.unread.push(format!("{region}: {error}")),
        }
    }
    all
}
