//! Questions to CloudTrail's event history. `LookupEvents` takes one attribute, gives 50 events a page,
//! newest first, for 90 days, twice a second for each account and Region, and shows a call up to fifteen
//! minutes late; IAM and global STS events are in us-east-1 only.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};

use super::fault::fault;
use super::{CONNECT_TIME_MAX, LOOKUP_TIME_MAX, instant};
use crate::domain::refusal::moment;
use crate::ports::CloudError;

/// AWS allows two lookups a second in each Region of an account, and none is caught up. Counted in hundredths of one.
const HUNDREDTHS_PER_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();
const ONE: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// The event history of one Region, asked no faster than it may be, whoever asks.
pub(super) struct RegionTrail {
    pub(super) region: String,
    pub(super) client: Client,
    /// Makes the calls by which it is known how far the trail has come.
    pub(super) canary: aws_sdk_sts::Client,
    pace: DefaultDirectRateLimiter,
}

/// The event histories of an account, each built when it is asked for first, and kept: its pace is counted from then.
pub(super) struct Trails {
    lookups: SdkConfig,
    canary: SdkConfig,
    built: Mutex<BTreeMap<String, Arc<RegionTrail>>>,
}

impl Trails {
    /// `config` is for the lookups.
    pub(super) fn new(config: &SdkConfig, canary: SdkConfig) -> Self {
        let slow = TimeoutConfig::builder().connect_timeout(CONNECT_TIME_MAX).operation_timeout(LOOKUP_TIME_MAX);
        // It is tried again in its turn, and not by the SDK.
        let lookups = config.to_builder().retry_config(RetryConfig::disabled()).timeout_config(slow.build()).build();
        Self { lookups, canary, built: Mutex::default() }
    }

    pub(super) fn of(&self, region: &str) -> Arc<RegionTrail> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let made = built.entry(region.to_owned()).or_insert_with(|| {
            let at = |config: &SdkConfig| config.to_builder().region(Region::new(region.to_owned())).build();
            let canary = aws_sdk_sts::Client::new(&at(&self.canary));
            Arc::new(RegionTrail::new(region.to_owned(), Client::new(&at(&self.lookups)), canary))
        });
        Arc::clone(made)
    }
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

/// From when until when is asked, to the second, both included.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// As far back as the history goes when absent: AWS refuses times that it cannot have.
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) until: Option<DateTime<Utc>>,
}

impl RegionTrail {
    fn new(region: String, client: Client, canary: aws_sdk_sts::Client) -> Self {
        let quota = Quota::per_second(HUNDREDTHS_PER_SECOND).allow_burst(ONE);
        Self { region, client, canary, pace: RateLimiter::direct(quota) }
    }

    /// One page, newest first, and how to go on. Each attempt waits for its turn: what the SDK tried again by
    /// itself would be too fast.
    pub(super) async fn page(
        &self,
        key: LookupAttributeKey,
        value: &str,
        span: Span,
        after: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), CloudError> {
        let operation = "cloudtrail:LookupEvents";
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
        let attribute = attribute.map_err(|_| CloudError::Refused {
            operation: operation.into(),
            code: "BadRequest".into(),
            message: "the question could not be built".into(),
        })?;
        let seconds = |at: DateTime<Utc>| aws_smithy_types::DateTime::from_secs(at.timestamp());
        let mut attempt = 1;
        loop {
            // There is always room for one.
            let _ = self.pace.until_n_ready(ONE).await;
            let asked = self
                .client
                .lookup_events()
                .lookup_attributes(attribute.clone())
                .set_start_time(span.from.map(seconds))
                .set_end_time(span.until.map(seconds))
                .set_next_token(after.map(str::to_owned))
                .send()
                .await;
            match asked.map_err(|e| fault(operation, &e)) {
                Ok(answer) => {
                    let events = answer.events.unwrap_or_default().into_iter();
                    return Ok((events.map(record).collect(), answer.next_token));
                }
                Err(error) if error.can_retry() && attempt < super::READ_ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads up to `pages_max` pages, newest first, from a time on or as far back as the history goes.
    pub(super) async fn look_up(
        &self,
        key: LookupAttributeKey,
        value: &str,
        since: Option<DateTime<Utc>>,
        pages_max: u32,
    ) -> Result<Looked, CloudError> {
        let span = Span { from: since, until: None };
        let mut looked = Looked::default();
        let mut token: Option<String> = None;
        for _ in 0..pages_max {
            let (texts, next) = self.page(key.clone(), value, span, token.as_deref()).await?;
            looked.events.extend(texts.iter().filter_map(|text| serde_json::from_str(text).ok()));
            token = next;
            if token.is_none() {
                break;
            }
        }
        looked.cut = token.is_some();
        Ok(looked)
    }
}

/// The record of an event. AWS need not give one: what is without is no record, and is named by what else is said of it.
fn record(event: Event) -> String {
    event.cloud_trail_event.unwrap_or_else(|| {
        let at = event.event_time.as_ref().and_then(instant).map(moment);
        json!({"eventName": event.event_name, "eventSource": event.event_source, "eventTime": at}).to_string()
    })
}

/// Reads the same in all Regions at once. A Region that does not answer is named, and costs no other.
pub(super) async fn look_up_everywhere(
    trails: &[Arc<RegionTrail>],
    key: LookupAttributeKey,
    value: &str,
    now: DateTime<Utc>,
    days: u32,
    pages_max: u32,
) -> Looked {
    let since = now - TimeDelta::days(days.into());
    let looks = trails.iter().map(|trail| {
        let key = key.clone();
        async move { (&trail.region, trail.look_up(key, value, Some(since), pages_max).await) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hunt::redaction::kept;

    #[test]
    fn an_event_without_its_record_is_named_and_counts_for_none() {
        let event = Event::builder().event_id("id-1").event_name("CreateUser").event_source("iam.amazonaws.com");
        let event = event.event_time(aws_smithy_types::DateTime::from_secs(0));
        let whole = event.clone().cloud_trail_event(r#"{"eventID":"id-1"}"#).build();
        assert!(kept(&record(whole)).is_ok());
        let named = kept(&record(event.build())).unwrap_err();
        assert!(named.contains("CreateUser of iam.amazonaws.com at 1970-01-01"), "{named}");
    }
}
