//! Reads a managed policy, and which of its versions was in force before the attacker added theirs or chose another.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use aws_sdk_iam::Client;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::policy_history::before_choice;
use super::tree::of_policy;
use crate::adapters::aws::AccountClients;
use crate::domain::hunt::pivot::HOME_REGION;
use crate::domain::observation::Observation;
use crate::domain::trail::deed::made_default;
use crate::ports::CloudError;

/// Pages of the event history in which it is looked for: both calls are rare.
pub(super) const HISTORY_PAGES_MAX: u32 = 10;
/// For so long the history has a call for sure.
pub(super) const HISTORY_FOR_SURE: TimeDelta = TimeDelta::days(89);
/// The version that every policy begins with, in force until another is.
pub(super) const FIRST: &str = "v1";

/// What the attacker has done to which version counts.
#[derive(Clone, Copy)]
pub(super) struct Doings<'a> {
    /// Versions that they have added.
    pub(super) theirs: &'a BTreeSet<String>,
    /// One of somebody else's that they have put in force.
    pub(super) chosen: Option<&'a str>,
    /// The events by which they have put versions in force.
    pub(super) event_ids: &'a BTreeSet<String>,
}

pub(super) async fn policy(
    account: &AccountClients,
    iam: &Client,
    arn: &str,
    doings: Doings<'_>,
    now: DateTime<Utc>,
) -> Result<Observation, CloudError> {
    let Some((mut policy, made_at)) = of_policy(iam, arn).await? else { return Ok(Observation::OwnerMissing) };
    if doings.chosen == Some(policy.default.as_str()) {
        before_choice(account, &mut policy, doings, made_at, now).await?;
    } else if doings.theirs.contains(&policy.default) {
        policy.previous = previous(account, arn, (doings.theirs, doings.event_ids), made_at).await?;
    }
    Ok(Observation::Policy(policy))
}

/// The history does not know policies by all their names: it is asked for the calls. What the attacker has chosen by these
/// events does not count.
async fn previous(
    account: &AccountClients,
    arn: &str,
    (theirs, event_ids): (&BTreeSet<String>, &BTreeSet<String>),
    made_at: Option<DateTime<Utc>>,
) -> Result<Option<String>, CloudError> {
    let trail = account.trail(HOME_REGION)?;
    let look = |call: &'static str| trail.look_up(LookupAttributeKey::EventName, call, None, HISTORY_PAGES_MAX);
    let (created, set) = tokio::try_join!(look("CreatePolicyVersion"), look("SetDefaultPolicyVersion"))?;
    let of_policy = |event: &&Value| event["requestParameters"]["policyArn"] == arn && event["errorCode"].is_null();
    // They are of one form, and so in order of time as they are in order of letters.
    let at = |event: &Value| event["eventTime"].as_str().unwrap_or_default().to_owned();
    let versions = created.events.iter().filter(of_policy).filter_map(|event| {
        let made = &event["responseElements"]["policyVersion"];
        let is_default = made_default(&event["requestParameters"], &event["responseElements"]);
        Some((at(event), made["versionId"].as_str()?.to_owned(), is_default))
    });
    let versions: Vec<(String, String, bool)> = versions.collect();
    let Some(first_at) = versions.iter().filter(|(_, id, _)| theirs.contains(id)).map(|(at, ..)| at.clone()).min()
    else {
        return Ok(None);
    };
    let made = versions.into_iter().filter(|(.., is_default)| *is_default).map(|(at, id, _)| (at, id));
    let by_others = |event: &&Value| event["eventID"].as_str().is_some_and(|id| !event_ids.contains(id));
    let chosen = set.events.iter().filter(of_policy).filter(by_others);
    let chosen = chosen.filter_map(|event| {
        let version = event["requestParameters"]["versionId"].as_str()?;
        Some((at(event), version.to_owned()))
    });
    // Where one of the two goes back less far, it can have had a later one.
    let known_from = [&created, &set].into_iter().filter(|looked| looked.cut).filter_map(|looked| looked.events.last());
    let known_from = known_from.map(at).max();
    let before = made.chain(chosen).filter(|(at, _)| *at < first_at);
    if let Some((at, version)) = before.max() {
        return Ok(Some(version).filter(|_| known_from.is_none_or(|from| from < at)));
    }
    // Where the history goes back to the making of it, its first version was in force all the time.
    let first_at = first_at.parse::<DateTime<Utc>>().ok();
    let young = made_at.zip(first_at).is_some_and(|(made, changed)| changed - made < HISTORY_FOR_SURE);
    Ok((young && !created.cut && !set.cut).then(|| FIRST.to_owned()))
}
