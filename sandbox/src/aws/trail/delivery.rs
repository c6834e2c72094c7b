//! What a trail puts into its bucket: files of some minutes' events each, data events of S3 among them, below Region and
//! day. They are not packed, as they would be; what is read of them is counted as it lies here.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::aws::ids;
use crate::aws::s3::Content;
use crate::aws::state::World;

/// Events of so many minutes are in one file.
const FILE_MINUTES: i64 = 5;

/// What the files' keys begin with, before the Region.
pub(in crate::aws) fn prefix(account: &str) -> String {
    format!("AWSLogs/{account}/CloudTrail/")
}

/// Puts there what is due and is not there yet.
pub(in crate::aws) fn deliver(world: &mut World, now: DateTime<Utc>) {
    let account = world.account;
    let Some(bucket) = world.deliveries.first().and_then(|trail| world.buckets.get_mut(&trail.bucket)) else { return };
    let trail = &mut world.trail;
    let (before, mut delivered) = (trail.delivered, trail.delivered);
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let due = trail.events.iter().skip_while(|event| event.number <= before);
    for event in due.take_while(|event| event.shows_at <= now) {
        delivered = event.number;
        if !event.logged {
            continue;
        }
        let at = event.shows_at;
        let at = at - TimeDelta::seconds(at.timestamp().rem_euclid(FILE_MINUTES * 60));
        let region = &event.region;
        let stem = format!(
            "{}{region}/{}/{account}_CloudTrail_{region}_{}Z",
            prefix(account),
            at.format("%Y/%m/%d"),
            at.format("%Y%m%dT%H%M")
        );
        files.entry(stem).or_default().push(&event.json);
    }
    for (stem, events) in files {
        let text = format!("{{\"Records\":[{}]}}", events.join(","));
        let key = format!("{stem}_{}.json", &ids::uuid().replace('-', "")[..16]);
        bucket.add(&key, now, Some(Content::plain(Bytes::from(text), "application/json")));
    }
    trail.delivered = delivered;
}
