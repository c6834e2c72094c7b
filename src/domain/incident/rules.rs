//! Which rules an incident is handled under. Its log names them, with the time at which they were read; a process that goes by
//! others neither decides nor executes there. It says its own only over what was read earlier: so of two processes that meet
//! one log again and again, whoever has read later has the last word, in whatever order they come and however often.

use chrono::{DateTime, Utc};

use super::decide::Context;
use super::event::Event;
use super::state::Incident;
use super::together::waits;
use crate::domain::policy::Policy;
use crate::domain::refusal::Refusal;

/// Checks that this process has the rules that the incident is handled under: one that has not read the newest yet would
/// let people decide who have lost the right to.
pub(super) fn check(incident: &Incident, policy: &Policy) -> Result<(), Refusal> {
    if has_these(incident, policy) { Ok(()) } else { Err(Refusal::OtherRules) }
}

/// Whether nothing else is on record than the rules that this process has.
pub fn has_these(incident: &Incident, policy: &Policy) -> bool {
    incident.policy_version.as_ref().is_none_or(|version| *version == policy.version)
}

/// What follows from the rules of a process, and from when it has read them: where others are on record that were read
/// earlier, these are said, and what was asked for under others ends.
pub(super) fn follow(incident: &Incident, read_at: DateTime<Utc>, cx: Context<'_>) -> Vec<Event> {
    if !incident.is_open() {
        return Vec::new();
    }
    let version = &cx.policy.version;
    let other = incident.policy_version.as_ref() != Some(version);
    // Which of two goes that were read at the very same time does not matter, as long as it is the same one for all.
    let on_record = (incident.rules_read_at, incident.policy_version.as_ref());
    if other && on_record > (Some(read_at), Some(version)) {
        return Vec::new();
    }
    let changed = other.then(|| Event::RulesChanged { policy_version: version.clone(), read_at: Some(read_at) });
    let outdated = incident.requests.values().filter(|r| waits(r) && r.plan.policy_version != *version);
    let why = "the rules in irp.toml have changed since it was asked for";
    let ended = outdated.map(|r| Event::RequestCancelled { request: r.id, why: why.into() });
    changed.into_iter().chain(ended).collect()
}
