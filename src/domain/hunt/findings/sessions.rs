//! The attacker's sessions: until when they can live, when they were taken, and whether it is an instance that has them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::bounded;
use crate::domain::hunt::Living;
use crate::domain::trail::analysis::{Analysis, Held};
use crate::domain::trail::grant::{Grant, grants, may_grant};
use crate::domain::trail::record::{Record, moment};
use crate::domain::trail::token::role_session;

/// The longest that a session can live whose request does not say: of a role, and of a user.
const ROLE_SESSION_MAX: TimeDelta = TimeDelta::hours(12);
const USER_SESSION_MAX: TimeDelta = TimeDelta::hours(36);

/// Until when a session can live, by the call that minted it.
pub(super) fn living(held: &Held, records: &BTreeMap<String, String>) -> Option<Living> {
    let key = held.access_key_id.as_deref()?;
    let minted: Value = serde_json::from_str(minted(held, records)?).ok()?;
    let at = minted["eventTime"].as_str().and_then(moment)?;
    let asked = &minted["requestParameters"]["durationSeconds"];
    let seconds = asked.as_i64().or_else(|| asked.as_str()?.parse().ok()).filter(|s| (0..=129_600).contains(s));
    let of_role = held.principal.as_deref().is_some_and(|arn| arn.contains(":assumed-role/"));
    let longest = if of_role { ROLE_SESSION_MAX } else { USER_SESSION_MAX };
    Some(Living { access_key_id: bounded(key), until: at + seconds.map_or(longest, TimeDelta::seconds) })
}

/// The record of the call by which a session was reached.
fn minted<'a>(held: &Held, records: &'a BTreeMap<String, String>) -> Option<&'a str> {
    held.access_key_id.as_deref().filter(|key| key.starts_with("ASIA"))?;
    records.get(&*held.reached_by.as_ref()?.event_id).map(String::as_str)
}

/// When the newest session of each role was taken.
pub(super) fn taken_at(analysis: &Analysis, records: &BTreeMap<String, String>) -> BTreeMap<String, DateTime<Utc>> {
    let mut newest = BTreeMap::new();
    for held in &analysis.credentials {
        let Some((account, role, _)) = held.principal.as_deref().and_then(role_session) else { continue };
        let Some(HandedOut { at: Some(at), keys, .. }) = minted(held, records).and_then(handed_out) else { continue };
        // It can be a call of the session's own that shows that it was reached.
        if !keys.iter().any(|key| held.access_key_id.as_deref() == Some(key.as_str())) {
            continue;
        }
        let known = newest.entry(bounded(&format!("{account}/{role}"))).or_insert(at);
        *known = at.max(*known);
    }
    newest
}

/// Keys of sessions that are called like an instance, and that somebody has taken by that name. Whoever takes a role
/// chooses the name; what an instance hands out, a service has taken for it.
pub(super) fn called_like_instances(analysis: &Analysis, records: &BTreeMap<String, String>) -> BTreeSet<String> {
    let is_called_so = |held: &&Held| {
        let session = held.principal.as_deref().and_then(role_session);
        session.is_some_and(|(.., name)| name.starts_with("i-"))
    };
    let called: BTreeSet<&str> =
        analysis.credentials.iter().filter(is_called_so).filter_map(|held| held.access_key_id.as_deref()).collect();
    // Mostly there are none.
    if called.is_empty() {
        return BTreeSet::new();
    }
    let mut taken = BTreeSet::new();
    for text in records.values() {
        let Some(HandedOut { keys, by_service: false, .. }) = handed_out(text) else { continue };
        taken.extend(keys.iter().filter(|key| called.contains(key.as_str())).map(|key| bounded(key)));
    }
    taken
}

/// What a call has handed out.
struct HandedOut {
    /// When.
    at: Option<DateTime<Utc>>,
    /// The access keys, in whatever form its service answers.
    keys: Vec<String>,
    /// Whether an AWS service has called for itself.
    by_service: bool,
}

fn handed_out(text: &str) -> Option<HandedOut> {
    let element = serde_json::from_str::<Record<'_>>(text).ok()?;
    Record::read(&element, of_record).ok()
}

fn of_record(record: &Record<'_>) -> HandedOut {
    let by_service = record.user_identity.kind.as_deref() == Some("AWSService");
    let mut keys = Vec::new();
    if record.succeeded() && may_grant(record.source(), record.name()) {
        let grants = grants(record, &record.request(), &record.response()).into_iter();
        keys.extend(grants.filter_map(|grant| match grant {
            Grant::Key { id, .. } => Some(id),
            _ => None,
        }));
    }
    HandedOut { at: record.at(), keys, by_service }
}
