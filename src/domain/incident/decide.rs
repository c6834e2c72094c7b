//! The rules' answers: what follows from a command or a report, or why nothing does.

use chrono::{DateTime, TimeDelta, Utc};

use super::command::{PersonCommand, Report};
use super::event::{Event, Outcome};
use super::evolve::REFUSALS_KEPT;
use super::freeze;
use super::state::{Incident, Search};
use super::steps::{action_for, contained, in_force, is_undo, missing};
use crate::domain::action::{ApiCall, Freshness};
use crate::domain::alert::Alert;
use crate::domain::approval::{
    Asked, CallAnswer, NoWarrant, Plan, Request, RequestState, check_decide, check_request, check_responder,
};
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::observation::Observation;
use crate::domain::playbook::Playbook;
use crate::domain::policy::{Actor, Policy};
use crate::domain::recusal::recused;
use crate::domain::refusal::{Refusal, mention};

/// How long a process may be at one execution before others read back what it did. Longer than the
/// call and its read-back can take, so that two never work on one request.
pub const EXECUTION_LEASE: TimeDelta = TimeDelta::seconds(20);
/// Waits between attempts to find out whose credential it is; after the last, people decide.
/// Together a quarter of an hour: as long as the trail may take to show a session's first call.
const IDENTIFY_WAITS_S: [i64; 9] = [2, 5, 15, 30, 60, 120, 180, 240, 300];
/// Within which [`REFUSALS_KEPT`] refused attempts of one person are recorded, and no more.
const REFUSALS_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// Longest reason, note or basis kept, in characters.
const TEXT_CHARS_MAX: usize = 1_000;

/// What decisions depend on, besides the incident.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Now.
    pub now: DateTime<Utc>,
    /// The rules.
    pub policy: &'a Policy,
    /// The steps.
    pub playbook: &'a Playbook,
}

/// The first record of an incident.
pub fn open(id: IncidentId, alert: Alert) -> Event {
    Event::Opened { id, severity: alert.severity, alert }
}

/// What a person's command leads to.
pub fn decide(
    incident: &Incident,
    actor: &Actor,
    command: PersonCommand,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    if !incident.is_open() {
        return Err(Refusal::Closed(incident.id));
    }
    match command {
        PersonCommand::Request { step, before, nonce } => {
            let recused = recused(incident, cx.policy);
            let action = may_request(incident, actor, &step, cx)?;
            let account = incident
                .account()
                .ok_or_else(|| Refusal::NotApplicable("The account of this credential is not known yet.".into()))?;
            let asked = Asked {
                incident: incident.id,
                step: &step,
                account: &account,
                requester: &actor.person,
                nonce: &nonce,
                now: cx.now,
            };
            let plan = Plan::make(action, before, &asked, cx.policy)?;
            let request = incident.next_request();
            let mut events = Vec::new();
            if let Some(open) = incident.requests_for(&step).find(|r| r.state.is_open()) {
                // Something has changed since the other was asked for: nobody decides on that any more.
                if open.plan.does_the_same(&plan) && open.plan.policy_version == plan.policy_version {
                    return Err(Refusal::AlreadyAsked(open.id));
                }
                events.push(Event::RequestSuperseded { request: open.id, by: request });
            }
            let asked = cx.policy.approvers_besides(&actor.person);
            events.push(Event::ApprovalRequested {
                request,
                digest: plan.digest(),
                plan: Box::new(plan),
                by: actor.user.clone(),
                asked: asked.into_iter().filter(|person| !recused.contains_key(person)).collect(),
            });
            Ok(events)
        }
        PersonCommand::Approve { request, digest_shown } => {
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            freeze::check(incident)?;
            check_decide(cx.policy, &recused(incident, cx.policy), found, actor, &digest_shown, cx.now)?;
            let rules = cx.policy.rules(found.plan.action.class());
            let reached = found.approvals.len() + 1 >= usize::from(rules.quorum);
            Ok(vec![Event::ApprovalGiven {
                request,
                by: actor.user.clone(),
                person: actor.person.clone(),
                execute_by: reached.then(|| cx.now + rules.execute_within),
            }])
        }
        PersonCommand::Deny { request, digest_shown, reason } => {
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            check_decide(cx.policy, &recused(incident, cx.policy), found, actor, &digest_shown, cx.now)?;
            let reason = bounded(&reason);
            if reason.is_empty() {
                return Err(Refusal::ReasonNeeded);
            }
            Ok(vec![Event::RequestDenied { request, by: actor.user.clone(), reason }])
        }
        PersonCommand::Withdraw { request } => {
            check_responder(cx.policy, actor)?;
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            if found.plan.requester != actor.person {
                return Err(Refusal::NotYourRequest(found.requested_by.clone()));
            }
            not_started(found)?;
            Ok(vec![Event::RequestWithdrawn { request, by: actor.user.clone() }])
        }
        PersonCommand::Cancel { request } => {
            check_responder(cx.policy, actor)?;
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            let leads = incident.lead.as_ref().is_some_and(|lead| cx.policy.person(lead) == actor.person);
            if !leads {
                return Err(Refusal::NotTheLead);
            }
            not_started(found)?;
            Ok(vec![Event::RequestCancelled { request, why: format!("{}, who leads, ended it", mention(&actor.user)) }])
        }
        PersonCommand::Retract { request } => {
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            let given = found.approvals.iter().find(|a| a.person == actor.person);
            let given = given.ok_or(Refusal::NothingToRetract(request))?;
            not_started(found)?;
            Ok(vec![Event::ApprovalRetracted { request, by: given.user.clone(), person: actor.person.clone() }])
        }
        PersonCommand::NotMe { request } => freeze::not_me(incident, actor, request),
        PersonCommand::Unfreeze => freeze::unfreeze(incident, actor, cx),
        PersonCommand::NameSubject { user } => {
            check_responder(cx.policy, actor)?;
            // Who may not decide may not choose who else may not.
            if let Some(why) = recused(incident, cx.policy).get(&actor.person) {
                return Err(Refusal::Recused(*why));
            }
            if incident.named.contains(&user) {
                return Err(Refusal::Other(format!("{} is named in this incident already.", mention(&user))));
            }
            Ok(vec![Event::SubjectNamed { user, by: actor.user.clone() }])
        }
        PersonCommand::LookAgain => {
            check_responder(cx.policy, actor)?;
            Ok(vec![Event::IdentificationAsked { by: actor.user.clone() }])
        }
        PersonCommand::SetCompromiseTime { at, basis } => {
            check_responder(cx.policy, actor)?;
            if at > cx.now {
                return Err(Refusal::InTheFuture);
            }
            Ok(vec![Event::CompromiseTimeSet { compromised_at: at, by: actor.user.clone(), basis: bounded(&basis) }])
        }
        PersonCommand::TakeLead => {
            check_responder(cx.policy, actor)?;
            if incident.lead.as_ref() == Some(&actor.user) {
                return Err(Refusal::Other("You already lead this incident.".into()));
            }
            Ok(vec![Event::LeadTaken { by: actor.user.clone() }])
        }
        PersonCommand::Close { outcome, note } => {
            check_responder(cx.policy, actor)?;
            close(incident, actor, outcome, &bounded(&note), cx)
        }
    }
}

/// Checks a wish before AWS is asked about it, and says what the action would be.
pub fn may_request(
    incident: &Incident,
    actor: &Actor,
    step: &crate::domain::id::StepId,
    cx: Context<'_>,
) -> Result<crate::domain::action::Action, Refusal> {
    if !incident.is_open() {
        return Err(Refusal::Closed(incident.id));
    }
    check_responder(cx.policy, actor)?;
    if incident.sample {
        return Err(Refusal::Sample);
    }
    let action = action_for(incident, cx.playbook, step)?;
    freeze::check(incident)?;
    check_request(cx.policy, &recused(incident, cx.policy), actor, &action)?;
    let under_way = |r: &&Request| r.state.is_open() && r.state != RequestState::Pending;
    if let Some(open) = incident.requests_for(step).find(under_way) {
        return Err(Refusal::UnderWay(open.id));
    }
    if let Some(done) = in_force(incident, step).filter(|_| !action.is_repeatable() && !is_undo(step)) {
        return Err(Refusal::AlreadyDone(done.id));
    }
    Ok(action)
}

/// An error once it is too late to stop it.
fn not_started(request: &Request) -> Result<(), Refusal> {
    match request.state {
        RequestState::Pending | RequestState::Approved { .. } => Ok(()),
        RequestState::Executing(_) => Err(Refusal::UnderWay(request.id)),
        _ => Err(Refusal::Decided { request: request.id, how: request.state.in_words() }),
    }
}

fn close(
    incident: &Incident,
    actor: &Actor,
    outcome: Outcome,
    note: &str,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    if outcome == Outcome::Resolved && note.is_empty() && !incident.sample && !contained(incident, cx.playbook) {
        let left = missing(incident, cx.playbook).into_iter().map(|(step, _)| step.title).collect();
        return Err(Refusal::NotContained(left));
    }
    let mut events = Vec::new();
    for request in incident.requests.values().filter(|r| r.state.is_open()) {
        if matches!(request.state, RequestState::Executing(_)) {
            return Err(Refusal::CannotCloseYet(request.id));
        }
        events.push(Event::RequestCancelled {
            request: request.id,
            why: format!("{} closed the incident", mention(&actor.user)),
        });
    }
    events.push(Event::Closed { by: actor.user.clone(), outcome, note: note.to_owned() });
    Ok(events)
}

/// The audit record of a refused attempt. `None` when this person has had so many refusals in the last
/// minute that more would only make the log long: the limit itself is in the log.
pub fn refused(
    incident: &Incident,
    actor: &Actor,
    attempt: &str,
    request: Option<RequestId>,
    refusal: &Refusal,
    now: DateTime<Utc>,
) -> Option<Event> {
    let times = incident.refused.get(&actor.user);
    let full = times.is_some_and(|t| t.len() == REFUSALS_KEPT && now - t[0] < REFUSALS_WITHIN);
    (!full).then(|| Event::AttemptRefused {
        by: actor.user.clone(),
        attempt: attempt.to_owned(),
        request,
        refusal: refusal.clone(),
    })
}

/// What follows from what the engine brings back. Empty when the log has moved on meanwhile.
pub fn take_report(incident: &Incident, report: Report, cx: Context<'_>) -> Vec<Event> {
    match report {
        Report::Alert(alert) => {
            if incident.deliveries.contains(&alert.delivery_id) || !incident.is_open() {
                return Vec::new();
            }
            vec![Event::AlertReceived { alert }]
        }
        Report::Identified(_) | Report::IdentificationFailed { .. } if !incident.is_open() => Vec::new(),
        Report::Identified(found) => match &incident.search {
            Search::Wanted { .. } => vec![Event::Identified { found }],
            Search::Done | Search::GivenUp { .. } => Vec::new(),
        },
        Report::IdentificationFailed { error, retry } => {
            let Search::Wanted { failed, .. } = incident.search else { return Vec::new() };
            let wait = IDENTIFY_WAITS_S.get(failed as usize).filter(|_| retry);
            vec![Event::IdentificationFailed {
                attempt: failed + 1,
                error,
                retry_at: wait.map(|s| cx.now + TimeDelta::seconds(*s)),
            }]
        }
        Report::ReadyToExecute { warranted, now, request, replica } => {
            start(incident, request, warranted, &now, replica, cx)
        }
        Report::CallAnswered { request, answer } => match executing(incident, request) {
            Some(_) => answered(request, answer),
            None => Vec::new(),
        },
        Report::ReadBack { request, now, last } => read_back(incident, request, &now, last),
        Report::NotReadable { request, error } => match executing(incident, request) {
            Some(_) => vec![Event::ExecutionUnknown { request, why: format!("AWS could not be read back: {error}") }],
            None => Vec::new(),
        },
        Report::RulesChanged => {
            let outdated = |r: &&Request| {
                matches!(r.state, RequestState::Pending | RequestState::Approved { .. })
                    && r.plan.policy_version != cx.policy.version
            };
            let why = "the rules in irp.toml have changed since it was asked for";
            incident
                .requests
                .values()
                .filter(outdated)
                .map(|r| Event::RequestCancelled { request: r.id, why: why.into() })
                .collect()
        }
        Report::ClockPassed { request } => passed(incident, request, cx),
    }
}

fn start(
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

fn answered(request: RequestId, answer: CallAnswer) -> Vec<Event> {
    let why = match &answer {
        CallAnswer::Refused { code, message } => Some(format!("AWS refused the call: {code}: {message}")),
        CallAnswer::Accepted | CallAnswer::Unclear { .. } => None,
    };
    let mut events = vec![Event::CallAnswered { request, answer }];
    events.extend(why.map(|why| Event::ExecutionFailed { request, why }));
    events
}

fn read_back(incident: &Incident, request: RequestId, now: &Observation, last: bool) -> Vec<Event> {
    let Some(execution) = executing(incident, request) else { return Vec::new() };
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    if found.plan.action.holds(&execution.sent, now) {
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

fn passed(incident: &Incident, request: RequestId, cx: Context<'_>) -> Vec<Event> {
    let Some(found) = incident.requests.get(&request) else { return Vec::new() };
    match &found.state {
        RequestState::Pending if cx.now > found.plan.approve_by => vec![Event::RequestExpired { request }],
        RequestState::Approved { execute_by } if cx.now > *execute_by => {
            vec![Event::RequestLapsed { request, why: "the call did not start in time after the approval".into() }]
        }
        _ => Vec::new(),
    }
}

fn executing(incident: &Incident, request: RequestId) -> Option<&crate::domain::approval::Execution> {
    match &incident.requests.get(&request)?.state {
        RequestState::Executing(execution) => Some(execution),
        _ => None,
    }
}

fn bounded(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS_MAX).collect()
}
