//! How an approved request becomes a call, and what its outcome is.

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::Context;
use super::doubt;
use super::event::Event;
use super::renamed;
use super::state::Incident;
use super::together::members;
use crate::domain::action::{ApiCall, Freshness, advice};
use crate::domain::approval::{CallAnswer, Execution, NoWarrant, Request, RequestState};
use crate::domain::id::RequestId;
use crate::domain::observation::Observation;

/// Longest wait for one call; each further one of the same plan gets a second more.
const FIRST_CALL_TIME_MAX_S: i64 = 10;
/// The same for a call that code goes out with, which is fetched before: up to 50 MB both ways.
const CODE_TIME_MAX_S: i64 = 120;
/// How long a process may be at one execution before others read back what it did, unless it has said meanwhile that
/// it still is at it.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// So much of it is left for what has gone out to arrive, and for clocks that differ: nothing is sent, nor waited for, in it.
const LEASE_AFTER_CALLS: TimeDelta = TimeDelta::seconds(10);

impl Execution {
    /// How long calls may be out, unless the process that makes them says that it still is at it.
    pub fn calls_until(&self) -> DateTime<Utc> {
        self.lease_until - LEASE_AFTER_CALLS
    }

    /// Whether others have to take it that the process which makes the calls is at it.
    fn is_held(&self, now: DateTime<Utc>) -> bool {
        self.answer.is_none() && now < self.lease_until
    }
}

/// Until when a request waits for the call of another one of those that were asked for together: their calls are made one
/// after the other, whichever process makes them, because one can hang on what another has ended. It can be a later one, where
/// this could not begin before. One that has not begun holds up nobody, and one whose process has died nobody past its lease.
pub(super) fn held_until(incident: &Incident, request: &Request) -> Option<DateTime<Utc>> {
    let first = request.burst?;
    let others = incident.requests.range(first..).filter(|(id, _)| **id != request.id).map(|(_, other)| other);
    others.filter(|other| other.burst == request.burst).filter_map(out_until).max()
}

/// Until when its call has to be taken to be out.
fn out_until(request: &Request) -> Option<DateTime<Utc>> {
    match &request.state {
        RequestState::Executing(execution) if execution.answer.is_none() => Some(execution.lease_until),
        _ => None,
    }
}

/// Longest wait for all calls of one plan.
pub fn call_time_max(calls: &[ApiCall]) -> TimeDelta {
    let further = i64::try_from(calls.len().saturating_sub(1)).unwrap_or(0).min(60);
    let has_code = calls.iter().any(|call| matches!(call, ApiCall::UpdateFunctionCode { .. }));
    TimeDelta::seconds(if has_code { CODE_TIME_MAX_S } else { FIRST_CALL_TIME_MAX_S } + further)
}

pub(super) fn start(
    incident: &Incident,
    request: RequestId,
    warranted: Result<Vec<ApiCall>, NoWarrant>,
    now: &Observation,
    replica: String,
    cx: Context<'_>,
) -> Vec<Event> {
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    let waits = matches!(found.state, RequestState::Approved { .. });
    if !waits || !incident.is_open() || incident.freeze.is_some() {
        return Vec::new();
    }
    // Another process has begun another one since this one was found due. It is due again when that is answered.
    if held_until(incident, found).is_some_and(|until| cx.now < until) {
        return Vec::new();
    }
    let sent = match warranted {
        Ok(calls) => calls,
        Err(NoWarrant::Void { by, why }) => return vec![Event::ApprovalVoided { request, by, why }],
        Err(NoWarrant::Over(refusal)) => return vec![Event::RequestLapsed { request, why: refusal.to_string() }],
    };
    match found.plan.action.freshness(&found.plan.before, now) {
        Freshness::AlreadyDone => vec![Event::Verified { request, no_op: true }],
        Freshness::Changed(why) => {
            // Whoever asks again has to know whom that is about now.
            let renamed = renamed::sentence(incident, &found.plan.action.probe(), now);
            vec![Event::RequestStale { request, why: renamed.unwrap_or(why) }]
        }
        Freshness::AsApproved => {
            let lease_until = cx.now + LEASE;
            vec![Event::ExecutionStarted { request, replica, lease_until, sent }]
        }
    }
}

/// Whoever makes the calls lives. A lease that has ended is not taken up again: others may have read back by then.
pub(super) fn continues(incident: &Incident, request: RequestId, cx: Context<'_>) -> Vec<Event> {
    let lease_until = cx.now + LEASE;
    match executing(incident, request) {
        Some(execution) if execution.is_held(cx.now) && execution.lease_until < lease_until => {
            vec![Event::ExecutionContinues { request, lease_until }]
        }
        _ => Vec::new(),
    }
}

pub(super) fn answered(request: RequestId, answer: CallAnswer) -> Vec<Event> {
    let why = match &answer {
        CallAnswer::Refused { code, message } => {
            let advice = advice(code).map(|advice| format!(" {advice}")).unwrap_or_default();
            Some(format!("AWS refused the call: {code}: {message}{advice}"))
        }
        CallAnswer::NotSent { message } => Some(format!("Nothing was sent: {message}. Ask again.")),
        CallAnswer::Accepted | CallAnswer::Unclear { .. } | CallAnswer::Partly { .. } => None,
    };
    let mut events = vec![Event::CallAnswered { request, answer }];
    events.extend(why.map(|why| Event::ExecutionFailed { request, why }));
    events
}

pub(super) fn read_back(
    incident: &Incident,
    request: RequestId,
    now: &Observation,
    last: bool,
    cx: Context<'_>,
) -> Vec<Event> {
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    let execution = match &found.state {
        // Since AWS was asked, the one that makes the calls has shown that it lives.
        RequestState::Executing(execution) if execution.is_held(cx.now) => return Vec::new(),
        RequestState::Executing(execution) => execution,
        RequestState::Unknown { .. } => return doubt::looked(incident, found, now, cx),
        _ => return Vec::new(),
    };
    if found.plan.action.holds(&found.plan.before, &execution.sent, now) {
        return vec![Event::Verified { request, no_op: false }];
    }
    if !last {
        return Vec::new();
    }
    let shows = shows(found, now);
    let event = match &execution.answer {
        // Accepted and not to be seen yet: IAM can take longer than was waited. Nobody knows.
        Some(CallAnswer::Accepted) => Event::ExecutionUnknown {
            request,
            why: format!("AWS accepted the call, but reading back does not show it yet: {shows}."),
        },
        Some(CallAnswer::Unclear { message }) => Event::ExecutionUnknown {
            request,
            why: format!("The call ended in doubt ({message}), and so far {shows}."),
        },
        // It is known what was done: that much, and no more.
        Some(CallAnswer::Partly { message }) => Event::ExecutionFailed {
            request,
            why: format!("Not all of it was done ({message}), and {shows}. Nothing was repeated: ask again."),
        },
        // These have ended it.
        Some(CallAnswer::Refused { .. } | CallAnswer::NotSent { .. }) => return Vec::new(),
        // Whoever was at it may have died before the call or after it, and it may be on its way yet.
        None => Event::ExecutionUnknown {
            request,
            why: format!("Whoever made the call wrote no answer down, and so far {shows}."),
        },
    };
    vec![event]
}

/// What AWS shows of a change that does not hold. Of several calls, some can have been made.
pub(super) fn shows(request: &Request, now: &Observation) -> String {
    match &request.plan.action.left(&request.plan.before, now)[..] {
        [] => "AWS shows no change".to_owned(),
        left => format!("AWS shows that these are left: {}", left.join(", ")),
    }
}

/// AWS could not be read after a call.
pub(super) fn not_readable(incident: &Incident, request: RequestId, error: &str, cx: Context<'_>) -> Vec<Event> {
    let why = format!("AWS could not be read back: {error}");
    match incident.requests.get(&request).map(|found| &found.state) {
        Some(RequestState::Executing(execution)) if execution.is_held(cx.now) => Vec::new(),
        Some(RequestState::Executing(_)) => vec![Event::ExecutionUnknown { request, why }],
        Some(RequestState::Unknown { .. }) => doubt::still_open(incident, request, why, cx),
        _ => Vec::new(),
    }
}

pub(super) fn passed(incident: &Incident, request: RequestId, cx: Context<'_>) -> Vec<Event> {
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    match &found.state {
        RequestState::Pending if cx.now > found.plan.approve_by => {
            let over = |r: &&Request| r.state == RequestState::Pending && cx.now > r.plan.approve_by;
            let over = members(incident, found).into_iter().filter(over);
            over.map(|r| Event::RequestExpired { request: r.id }).collect()
        }
        RequestState::Approved { execute_by } if cx.now > *execute_by => {
            vec![Event::RequestLapsed { request, why: "the call did not start in time after the approval".into() }]
        }
        _ => Vec::new(),
    }
}

pub(super) fn executing(incident: &Incident, request: RequestId) -> Option<&Execution> {
    match &incident.requests.get(&request)?.state {
        RequestState::Executing(execution) => Some(execution),
        _ => None,
    }
}
