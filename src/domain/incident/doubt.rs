//! A call whose outcome is not known: it had no answer, or AWS does not show what it has accepted. Nothing is repeated and
//! nothing is assumed. AWS is read again, soon at first and then ever more rarely, and once it shows the change, the
//! request counts as verified. Whoever does not want to wait asks anew, and needs a new approval.

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::Context;
use super::event::Event;
use super::execution::shows;
use super::state::Incident;
use crate::domain::action::{Action, CUT_OFF_LEAD_S};
use crate::domain::approval::{Doubt, Execution, Request, RequestState};
use crate::domain::id::RequestId;
use crate::domain::observation::Observation;

/// When AWS is read again, in seconds after the last look.
const LOOK_AFTER_S: [i64; 5] = [60, 2 * 60, 5 * 60, 15 * 60, 30 * 60];
/// And from then on, so often.
const LOOK_EVERY_S: i64 = 60 * 60;
/// For so long a call that takes a containment back can be on its way.
const UNDO_ON_ITS_WAY_MAX: TimeDelta = TimeDelta::minutes(15);

pub(super) fn begins(called_at: DateTime<Utc>, at: DateTime<Utc>) -> Doubt {
    Doubt { called_at, look_at: next(at, 0), looks: 0, last: None }
}

fn next(at: DateTime<Utc>, looks: u32) -> DateTime<Utc> {
    at + TimeDelta::seconds(LOOK_AFTER_S.get(looks as usize).copied().unwrap_or(LOOK_EVERY_S))
}

/// When AWS is to be read again for a request; never in a closed incident, nor once another for the same step has changed
/// something or may have: then that one says how it stands. What takes a containment back is looked for only as long as its
/// call can be on its way: who takes it away later is somebody else.
pub fn look_at(incident: &Incident, request: &Request) -> Option<DateTime<Utc>> {
    let RequestState::Unknown { doubt, .. } = &request.state else { return None };
    if !incident.is_open() {
        return None;
    }
    if request.plan.action.undoes().is_some() && doubt.look_at > doubt.called_at + UNDO_ON_ITS_WAY_MAX {
        return None;
    }
    let later = incident.requests_for(&request.plan.step).take_while(|other| other.id != request.id);
    let mut called = later.filter(|other| came_to_its_call(&other.state));
    called.next().is_none().then_some(doubt.look_at)
}

const fn came_to_its_call(state: &RequestState) -> bool {
    use RequestState::{Executing, Failed, Unknown, Verified};
    matches!(state, Executing(_) | Verified { .. } | Failed { partly: true, .. } | Unknown { .. })
}

/// What follows from having read AWS again.
pub(super) fn looked(incident: &Incident, request: &Request, now: &Observation, cx: Context<'_>) -> Vec<Event> {
    let RequestState::Unknown { sent, .. } = &request.state else { return Vec::new() };
    if look_at(incident, request).is_some() && request.plan.action.holds(&request.plan.before, sent, now) {
        return vec![Event::Verified { request: request.id, no_op: false }];
    }
    still_open(incident, request.id, shows(request, now), cx)
}

/// Nothing new. Two that looked at once write it down once.
pub(super) fn still_open(incident: &Incident, request: RequestId, shows: String, cx: Context<'_>) -> Vec<Event> {
    let due = incident.requests.get(&request).and_then(|request| look_at(incident, request));
    if due.is_some_and(|due| due <= cx.now) { vec![Event::LookedAgain { request, shows }] } else { Vec::new() }
}

pub(super) fn note_look(incident: &mut Incident, request: RequestId, shows: &str, at: DateTime<Utc>) {
    if let Some(RequestState::Unknown { doubt, .. }) = incident.requests.get_mut(&request).map(|r| &mut r.state) {
        doubt.looks = doubt.looks.saturating_add(1);
        doubt.look_at = next(at, doubt.looks);
        doubt.last = Some((at, shows.to_owned()));
    }
}

/// A responder has asked to look again.
pub(super) fn note_asked(incident: &mut Incident, at: DateTime<Utc>) {
    for request in incident.requests.values_mut() {
        if let RequestState::Unknown { doubt, .. } = &mut request.state {
            doubt.look_at = doubt.look_at.min(at);
        }
    }
}

/// Since when a change that holds has worked. What a revocation denies ends at its cut-off, however late AWS has shown it.
pub(super) fn works_since(done: &Request) -> Option<DateTime<Utc>> {
    let RequestState::Verified { at, .. } = &done.state else { return None };
    Some(cut_off(done).map_or(*at, |cut_off| cut_off.min(*at)))
}

/// Until when a session must have begun to be denied by a revocation that holds.
pub(super) fn cut_off(done: &Request) -> Option<DateTime<Utc>> {
    let RequestState::Verified { called_at, .. } = &done.state else { return None };
    let revokes = matches!(done.plan.action, Action::RevokeUserSessions(_) | Action::RevokeRoleSessions(_));
    revokes.then(|| *called_at + TimeDelta::seconds(CUT_OFF_LEAD_S))
}

/// The undoing of a request that AWS may already show, though nobody knows yet how its call ended.
pub(super) fn undoing_in_doubt(incident: &Incident, request: RequestId) -> Option<&Request> {
    let undoing = incident.undoing.get(&request)?.iter().rev().filter_map(|id| incident.requests.get(id));
    let mut in_doubt =
        undoing.filter(|undo| matches!(undo.state, RequestState::Executing(_)) || look_at(incident, undo).is_some());
    in_doubt.next()
}

/// Whether AWS shows that change, now that it was read for what it takes back.
pub(super) fn shows_undone(undo: &Request, now: &Observation) -> bool {
    let (RequestState::Unknown { sent, .. } | RequestState::Executing(Execution { sent, .. })) = &undo.state else {
        return false;
    };
    undo.plan.action.holds(&undo.plan.before, sent, now)
}
