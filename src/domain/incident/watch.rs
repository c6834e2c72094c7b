//! The watch over what was put in place: AWS is read again, first within the minute in which a change
//! spreads, then for as long as the incident is open. Who takes a deny away or makes a new key is heard of.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::doubt::{shows_undone, undoing_in_doubt};
use super::event::Event;
use super::state::{Incident, Watch};
use super::steps::in_force;
use crate::domain::approval::{Request, RequestState};
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::id::RequestId;
use crate::domain::observation::{Observation, Probe};
use crate::domain::policy::ActionClass;

/// When AWS is read again, in seconds after the last change was verified.
pub const CHECKS_AFTER_S: [i64; 6] = [5, 15, 60, 5 * 60, 16 * 60, 30 * 60];
/// And from then on, so often.
const CHECK_EVERY_S: i64 = 60 * 60;
/// From this check on, it is looked anew what the credential has done: CloudTrail shows a call up to fifteen
/// minutes late.
const LOOK_FROM_CHECK: u32 = 5;

/// A containment that AWS does not show any more, or that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// What had put it in place.
    pub request: RequestId,
    /// What AWS shows instead.
    pub why: String,
}

/// What a look at one thing gave: what AWS shows, or why it could not be read.
pub type Looked<T> = (T, Result<Observation, String>);

/// When AWS is to be read next; never, while nothing is in force.
pub fn due_at(incident: &Incident) -> Option<DateTime<Utc>> {
    let Watch { changed_at, checks, .. } = incident.watch?;
    watched(incident).next()?;
    let fixed = CHECKS_AFTER_S.len();
    let after_s = match CHECKS_AFTER_S.get(checks as usize) {
        Some(after_s) => *after_s,
        None => CHECKS_AFTER_S[fixed - 1] + CHECK_EVERY_S * (i64::from(checks) - i64::try_from(fixed).unwrap_or(0) + 1),
    };
    Some(changed_at + TimeDelta::seconds(after_s))
}

/// Whether this check comes late enough for the trail to show what happened before the containment.
pub(super) const fn looks_anew(watch: Watch) -> bool {
    watch.checks >= LOOK_FROM_CHECK
}

/// The requests whose containment is in force.
pub fn watched(incident: &Incident) -> impl Iterator<Item = &Request> {
    incident.requests.values().filter(|request| {
        request.plan.action.class() == ActionClass::Contain
            && in_force(incident, &request.plan.step).is_some_and(|newest| newest.id == request.id)
    })
}

/// What to ask about keys: those of the user, if it is one.
pub fn keys_probe(incident: &Incident) -> Option<Probe> {
    let found = incident.identification()?;
    let user = matches!(found.kind, PrincipalKind::IamUser | PrincipalKind::FederatedUser);
    let user_name = found.name.clone().filter(|_| user && found.keys_read)?;
    Some(Probe::UserKeys { user_name })
}

/// Keys that the user has now and did not have when they were last read.
pub fn new_keys<'a>(incident: &Incident, now: impl IntoIterator<Item = &'a AccessKeyId>) -> Vec<AccessKeyId> {
    let Some(found) = incident.identification().filter(|found| found.keys_read) else { return Vec::new() };
    let known = |key: &AccessKeyId| found.keys.iter().any(|k| k.id == *key) || incident.new_keys.contains(key);
    now.into_iter().filter(|key| !known(key)).cloned().collect()
}

/// What follows from reading AWS again. Nothing, when nothing could be read: then it is tried again.
pub(super) fn check(
    incident: &Incident,
    looked: &[Looked<RequestId>],
    keys: Option<&Result<Observation, String>>,
) -> Vec<Event> {
    let (mut held, mut lost, mut unread, mut undone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (id, now) in looked {
        let Some(request) = watched(incident).find(|request| request.id == *id) else { continue };
        let RequestState::Verified { sent, .. } = &request.state else { continue };
        match now {
            Ok(now) => match request.plan.action.still_holds(&request.plan.before, sent, now) {
                Ok(()) => held.push(*id),
                // Taken away by the bot itself, by a call whose outcome was not known.
                Err(why) => match undoing_in_doubt(incident, *id).filter(|undo| shows_undone(undo, now)) {
                    // Whoever makes the call has yet to write down how AWS has answered.
                    Some(Request { state: RequestState::Executing(_), .. }) => {}
                    Some(undo) => undone.push(Event::Verified { request: undo.id, no_op: false }),
                    None => lost.push(Lost { request: *id, why }),
                },
            },
            Err(why) => unread.push(format!("{id}: {why}")),
        }
    }
    let new_keys = match keys {
        Some(Ok(Observation::UserKeys { keys, .. })) => new_keys(incident, keys.iter().map(|(key, _)| key)),
        _ => Vec::new(),
    };
    let keys_unread = keys.and_then(|keys| keys.as_ref().err().cloned());
    if held.is_empty() && lost.is_empty() && new_keys.is_empty() && unread.is_empty() && keys_unread.is_none() {
        return undone;
    }
    let mut events = vec![Event::ContainmentChecked { held, lost, new_keys, unread, keys_unread: keys_unread.clone() }];
    // Said once, until it can be read again.
    let unread = looked.iter().filter_map(|(id, now)| {
        watched(incident).find(|request| request.id == *id && request.unread.is_none())?;
        Some(Lost { request: *id, why: now.as_ref().err()?.clone() })
    });
    let unread: Vec<Lost> = unread.collect();
    let keys = keys_unread.filter(|_| incident.keys_unread.is_none());
    if !unread.is_empty() || keys.is_some() {
        events.push(Event::ContainmentUnread { unread, keys });
    }
    events.extend(undone);
    events
}
