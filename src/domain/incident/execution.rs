//! How an approved request becomes a call, and what its outcome is.

use chrono::TimeDelta;

use super::decide::Context;
use super::event::Event;
use super::state::Incident;
use crate::domain::action::{ApiCall, Freshness};
use crate::domain::approval::{CallAnswer, Execution, NoWarrant, RequestState};
use crate::domain::id::RequestId;
use crate::domain::observation::Observation;

/// How long a process may be at one execution before others read back what it did. Longer than the
/// call and its read-back can take, so that two never work on one request.
pub const EXECUTION_LEASE: TimeDelta = TimeDelta::seconds(20);
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
    let sent = match warranted {
        Ok(calls) => calls,
        Err(NoWarrant::Void { by, why }) => return vec![Event::ApprovalVoided { request, by, why }],
        Err(NoWarrant::Over(refusal)) => return vec![Event::RequestLapsed { request, why: refusal.to_string() }],
    };
    match found.plan.action.freshness(&found.plan.before, now) {
        Freshness::AlreadyDone => vec![Event::Verified { request, no_op: true }],
        Freshness::Changed(why) => vec![Event::RequestStale { request, why }],
        Freshness::AsApproved => {
            vec![Event::ExecutionStarted { request, replica, lease_until: cx.now + EXECUTION_LEASE, sent }]
        }
    }
}

pub(super) fn answered(request: RequestId, answer: CallAnswer) -> Vec<Event> {
    let why = match &answer {
        CallAnswer::Refused { code, message } => Some(format!("AWS refused the call: {code}: {message}")),
        CallAnswer::Accepted | CallAnswer::Unclear { .. } => None,
    };
    let mut events = vec![Event::CallAnswered { request, answer }];
    events.extend(why.map(|why| Event::ExecutionFailed { request, why }));
    events
}

pub(super) fn read_back(incident: &Incident, request: RequestId, now: &Observation, last: bool) -> Vec<Event> {
    let Some(execution) = executing(incident, request) else { return Vec::new() };
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    // Made again under the same name it is another user or role, and shows nothing about this change.
    let same = found.plan.before.owner_id() == now.owner_id();
    if same && found.plan.action.holds(&execution.sent, now) {
        return vec![Event::Verified { request, no_op: false }];
    }
    if !last {
        return Vec::new();
    }
    // Accepted and not to be seen yet: IAM can take longer than was waited. Nobody knows.
    let event = match &execution.answer {
        Some(CallAnswer::Accepted) => Event::ExecutionUnknown {
            request,
            why: "AWS accepted the call, but reading back does not show it yet.".into(),
        },
        Some(CallAnswer::Unclear { message }) => Event::ExecutionFailed {
            request,
            why: format!(
                "The call ended in doubt ({message}), and AWS shows no change. Nothing was repeated: ask again."
            ),
        },
        Some(CallAnswer::Refused { .. }) | None => Event::ExecutionFailed {
            request,
            why: "The call was interrupted and AWS shows no change. Nothing was repeated: ask again.".into(),
        },
    };
    vec![event]
}

pub(super) fn passed(incident: &Incident, request: RequestId, cx: Context<'_>) -> Vec<Event> {
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    match &found.state {
        RequestState::Pending if cx.now > found.plan.approve_by => vec![Event::RequestExpired { request }],
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
