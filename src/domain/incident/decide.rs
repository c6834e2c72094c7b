//! The rules' answers: what follows from a command or a report, or why nothing does.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::command::{Attempt, PersonCommand, Report};
use super::event::{Event, Outcome};
use super::evolve::REFUSALS_KEPT;
use super::execution::{answered, continues, executing, not_readable, passed, read_back, start};
use super::owed::reach_at;
use super::state::{Incident, Search};
use super::steps::{action_for, contained, in_force, is_undo, missing};
use super::{
    doors, eradication, freeze, hands, hunting, inventory, late, logs, overruling, quiet, renamed, risk, rules,
    together, watch, whole,
};
use crate::domain::action::Action;
use crate::domain::alert::Alert;
use crate::domain::approval::{
    Debt, Digest, Request, RequestState, Shown, check_break_glass, check_decide, check_request, check_responder,
    check_settle, lacks_one_yes,
};
use crate::domain::id::{IncidentId, RequestId, StepId, UserId};
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Actor, PersonId, Policy};
use crate::domain::recusal::{Recused, check_impartial, recused, recused_from};
use crate::domain::refusal::{Refusal, mention, moment};

/// Waits between attempts to find out whose credential it is; after the last, people decide.
/// Together a quarter of an hour: as long as the trail may take to show a session's first call.
const IDENTIFY_WAITS_S: [i64; 9] = [2, 5, 15, 30, 60, 120, 180, 240, 300];
/// Within which [`REFUSALS_KEPT`] refused attempts of one person are recorded, and of more their number.
pub const REFUSALS_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// Longest reason, note or basis kept, in characters.
const TEXT_CHARS_MAX: usize = 1_000;
/// As many as a whole digest has.
const DIGEST_CHARS_MAX: usize = 64;

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

/// The first record of an incident, by whoever has read these rules at this time.
pub fn open(id: IncidentId, alert: Alert, policy: &Policy, read_at: DateTime<Utc>) -> Event {
    let (policy_version, rules_read_at) = (Some(policy.version.clone()), Some(read_at));
    Event::Opened { id, severity: alert.severity, alert, policy_version, rules_read_at }
}

/// What a person's command leads to.
pub fn decide(
    incident: &Incident,
    actor: &Actor,
    command: PersonCommand,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    if !incident.is_open() {
        let PersonCommand::NotMe { request } = command else { return Err(Refusal::Closed(incident.id)) };
        return Err(freeze::too_late(incident, actor, request));
    }
    if !command.only_stops() {
        rules::check(incident, cx.policy)?;
    }
    if !matches!(command, PersonCommand::NotMe { .. } | PersonCommand::Retract { .. } | PersonCommand::Unfreeze { .. })
    {
        freeze::check_undisputed(incident, actor, cx.policy)?;
    }
    match command {
        PersonCommand::Request { parts, nonce } => {
            // A process can die after it has written the request down and before it has ticked the press off.
            if let Some(made) = incident.requests.values().find(|r| r.plan.nonce.starts_with(&nonce)) {
                return Err(Refusal::Decided { request: made.id, how: made.in_words() });
            }
            let (mut allowed, mut first_no) = (Vec::new(), None);
            for (step, before) in parts {
                match may_request(incident, actor, &step, cx) {
                    Ok(action) => allowed.push((step, action, before)),
                    Err(no) => drop(first_no.get_or_insert(no)),
                }
            }
            match first_no {
                Some(no) if allowed.is_empty() => Err(no),
                _ => together::ask(incident, actor, allowed, &nonce, cx),
            }
        }
        PersonCommand::Approve { request, digest_shown, clicked_at } => {
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            freeze::check(incident)?;
            let shared = together::digest(incident, found);
            let fellows = together::members(incident, found);
            // The pressed one stands for all: what one of them would refuse, the press is refused.
            let pending = fellows.into_iter().filter(|r| r.state == RequestState::Pending || r.id == request);
            let mut events = Vec::new();
            for found in pending {
                if let Some(at) = found.retracted.get(&actor.person).filter(|at| **at > clicked_at) {
                    return Err(Refusal::TakenBackSince { request, at: moment(*at) });
                }
                let recused = recused_from(incident, found, cx.policy);
                check_decide(cx.policy, &recused, found, actor, (&digest_shown, &shared), incident.latest(cx.now))?;
                let rules = cx.policy.rules(found.plan.action.class());
                let reached = found.approvals.len() + 1 >= usize::from(rules.quorum);
                events.push(Event::ApprovalGiven {
                    request: found.id,
                    shown: Some(decided_on(&shared, cx)),
                    by: actor.user.clone(),
                    person: actor.person.clone(),
                    execute_by: reached.then(|| incident.latest(cx.now) + rules.execute_within),
                });
            }
            whole::check(incident, found)?;
            Ok(events)
        }
        PersonCommand::Deny { request, digest_shown, reason } => {
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            let shared = together::digest(incident, found);
            let recused = recused_from(incident, found, cx.policy);
            let may =
                check_decide(cx.policy, &recused, found, actor, (&digest_shown, &shared), incident.latest(cx.now));
            may.map_err(|no| match no {
                Refusal::AlreadyApprovedByYou(_) => Refusal::TakeBackFirst(request),
                other => other,
            })?;
            let reason = needed(&reason)?;
            let pending = together::members(incident, found).into_iter().filter(|r| r.state == RequestState::Pending);
            let denied = |r: &Request| Event::RequestDenied {
                request: r.id,
                by: actor.user.clone(),
                shown: Some(decided_on(&shared, cx)),
                reason: reason.clone(),
            };
            Ok(pending.map(denied).collect())
        }
        PersonCommand::Withdraw { request } => {
            check_responder(cx.policy, actor)?;
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            if found.plan.requester != actor.person {
                return Err(Refusal::NotYourRequest(found.requested_by.clone()));
            }
            let withdrawn = |request| Event::RequestWithdrawn { request, by: actor.user.clone() };
            Ok(not_started(incident, found)?.into_iter().map(|r| withdrawn(r.id)).collect())
        }
        PersonCommand::Cancel { request } => {
            check_impartial(incident, cx.policy, actor)?;
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            let leads = incident.lead.as_ref().is_some_and(|lead| cx.policy.person(lead) == actor.person);
            if !leads {
                return Err(Refusal::NotTheLead);
            }
            let why = format!("{}, who leads, ended it", mention(&actor.user));
            let cancelled = |request| Event::RequestCancelled { request, why: why.clone() };
            Ok(not_started(incident, found)?.into_iter().map(|r| cancelled(r.id)).collect())
        }
        PersonCommand::Retract { request, clicked_at } => {
            let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
            if !found.approvals.iter().any(|a| a.person == actor.person) {
                return Err(Refusal::NothingToRetract(request));
            }
            let fellows = together::members(incident, found).into_iter();
            let retracted_at = fellows.filter_map(|r| r.retracted.get(&actor.person).copied()).max();
            late::check(clicked_at, retracted_at, cx.now)?;
            let given = |r: &Request| {
                let by = r.approvals.iter().find(|a| a.person == actor.person)?.user.clone();
                Some(Event::ApprovalRetracted { request: r.id, by, person: actor.person.clone() })
            };
            let taken_back: Vec<Event> = not_started(incident, found)?.into_iter().filter_map(given).collect();
            if taken_back.is_empty() {
                return Err(Refusal::NothingToRetract(request));
            }
            Ok(taken_back)
        }
        PersonCommand::BreakGlass { request, digest_shown, target, reason } => {
            let alone = may_break_glass(incident, actor, request, &digest_shown, cx)?;
            let shown = incident.requests.get(&request).map(|r| decided_on(&together::digest(incident, r), cx));
            let reason = needed(&reason)?;
            let named = alone.iter().find(|r| r.id == request).or(alone.first()).map_or("", |r| r.target());
            if target.trim() != named {
                return Err(Refusal::NotTheTarget(named.to_owned()));
            }
            let broken = |found: &Request| Event::GlassBroken {
                request: found.id,
                shown: shown.clone(),
                by: actor.user.clone(),
                person: actor.person.clone(),
                reason: reason.clone(),
                execute_by: incident.latest(cx.now) + cx.policy.rules(found.plan.action.class()).execute_within,
            };
            Ok(alone.into_iter().map(broken).collect())
        }
        PersonCommand::Ratify { request } => {
            let settled = settled(incident, actor, request, cx)?.into_iter();
            Ok(settled.map(|request| Event::GlassRatified { request, by: actor.user.clone() }).collect())
        }
        PersonCommand::Contest { request, reason } => {
            let reason = needed(&reason)?;
            let settled = settled(incident, actor, request, cx)?.into_iter();
            let contested = |request| Event::GlassContested { request, by: actor.user.clone(), reason: reason.clone() };
            Ok(settled.map(contested).collect())
        }
        PersonCommand::NotMe { request } => freeze::not_me(incident, actor, request),
        PersonCommand::Unfreeze { shown } => freeze::unfreeze(incident, actor, shown, cx),
        PersonCommand::AcceptRisk { shown, reason } => {
            let reason = needed(&reason)?;
            risk::accept(incident, actor, shown, reason, cx)
        }
        PersonCommand::SayDone { step, done } => {
            let done = needed(&done)?;
            hands::say(incident, actor, &step, done, cx)
        }
        PersonCommand::ConfirmDone { step, shown } => hands::confirm(incident, actor, &step, &shown, cx),
        PersonCommand::TakeBackDone { step, shown } => hands::take_back(incident, actor, &step, &shown, cx),
        PersonCommand::LookAt { shown } => inventory::look(incident, actor, &shown, cx),
        PersonCommand::NameSubject { user } => {
            check_impartial(incident, cx.policy, actor)?;
            if incident.named.contains(&user) {
                return Err(Refusal::Other(format!("{} is named in this incident already.", mention(&user))));
            }
            check_enough_left(&user, actor, &recused(incident, cx.policy), cx.policy)?;
            Ok(vec![Event::SubjectNamed { user, by: actor.user.clone() }])
        }
        PersonCommand::Overrule { word, reason, clicked_at } => {
            let reason = needed(&reason)?;
            overruling::overrule(incident, actor, word, reason, clicked_at, cx)
        }
        PersonCommand::LookAgain => {
            check_responder(cx.policy, actor)?;
            Ok(vec![Event::IdentificationAsked { by: actor.user.clone() }])
        }
        PersonCommand::SetCompromiseTime { at, basis, clicked_at } => {
            check_impartial(incident, cx.policy, actor)?;
            if at > cx.now {
                return Err(Refusal::InTheFuture);
            }
            late::check(clicked_at, incident.compromise.as_ref().map(|said| said.said_at), cx.now)?;
            Ok(vec![Event::CompromiseTimeSet { compromised_at: at, by: actor.user.clone(), basis: bounded(&basis) }])
        }
        PersonCommand::AskLogs => logs::ask(incident, actor, cx),
        PersonCommand::RunLogs { number } => logs::run(incident, actor, number, cx),
        PersonCommand::CancelLogs { number } => logs::cancel(incident, actor, number, cx),
        PersonCommand::TakeLead { clicked_at } => {
            check_impartial(incident, cx.policy, actor)?;
            if incident.lead.as_ref() == Some(&actor.user) {
                return Err(Refusal::Other("You already lead this incident.".into()));
            }
            late::check(clicked_at, incident.lead_at, cx.now)?;
            Ok(vec![Event::LeadTaken { by: actor.user.clone() }])
        }
        PersonCommand::Close { outcome, note } => {
            check_impartial(incident, cx.policy, actor)?;
            freeze::check(incident)?;
            close(incident, actor, outcome, &bounded(&note), cx)
        }
    }
}

/// What goes on record with a decision: whoever reads the log later sees on what it was made.
fn decided_on(shared: &Digest, cx: Context<'_>) -> Shown {
    Shown { digest: shared.clone(), policy_version: cx.policy.version.clone() }
}

/// Checks a wish before AWS is asked about it, and says what the action would be.
pub fn may_request(incident: &Incident, actor: &Actor, step: &StepId, cx: Context<'_>) -> Result<Action, Refusal> {
    if !incident.is_open() {
        return Err(Refusal::Closed(incident.id));
    }
    check_responder(cx.policy, actor)?;
    rules::check(incident, cx.policy)?;
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
    let removed = || eradication::is_done(incident, &eradication::removals(incident), step, &action);
    let again = action.is_repeatable() || is_undo(step) || (action.class() == ActionClass::Eradicate && !removed());
    if let Some(done) = in_force(incident, step).filter(|done| !again && !doors::is_opened_again(&action, done)) {
        return Err(Refusal::AlreadyDone(done.id));
    }
    Ok(action)
}

/// Checks that somebody may let a request and its fellows run alone, before they are shown the form, and says
/// which those are. Fellows that destroy something go on waiting for an approver.
pub fn may_break_glass<'a>(
    incident: &'a Incident,
    actor: &Actor,
    request: RequestId,
    digest_shown: &str,
    cx: Context<'_>,
) -> Result<Vec<&'a Request>, Refusal> {
    if !incident.is_open() {
        return Err(Refusal::Closed(incident.id));
    }
    let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
    freeze::check(incident)?;
    rules::check(incident, cx.policy)?;
    let shared = together::digest(incident, found);
    let fellows = together::members(incident, found).into_iter();
    let alone = |r: &&Request| r.state == RequestState::Pending && !r.plan.action.destroys();
    let mut alone: Vec<&Request> = fellows.filter(alone).collect();
    if alone.is_empty() {
        alone.push(found);
    }
    for found in &alone {
        let recused = recused_from(incident, found, cx.policy);
        check_break_glass(cx.policy, &recused, found, actor, (digest_shown, &shared), incident.latest(cx.now))?;
        whole::check(incident, found)?;
    }
    // Whoever may approve it can say afterwards whether it was right, and must not be the one who is judged: where the only
    // other approver has asked for it, nobody would be left. One press approves all that waits, or nothing.
    let shown = (digest_shown, &shared);
    let may_approve = |r: &Request| {
        check_decide(cx.policy, &recused_from(incident, r, cx.policy), r, actor, shown, incident.latest(cx.now)).is_ok()
    };
    let mut waiting = together::members(incident, found).into_iter().filter(|r| r.state == RequestState::Pending);
    if alone.iter().all(|r| lacks_one_yes(cx.policy, r)) && waiting.all(may_approve) {
        return Err(Refusal::ApproveInstead(request));
    }
    Ok(alone)
}

/// Those of a request and its fellows that can still be stopped; an error once it is too late for all.
fn not_started<'a>(incident: &'a Incident, request: &Request) -> Result<Vec<&'a Request>, Refusal> {
    let waiting = together::not_started(incident, request);
    match request.state {
        _ if !waiting.is_empty() => Ok(waiting),
        RequestState::Executing(_) => Err(Refusal::UnderWay(request.id)),
        _ => Err(Refusal::Decided { request: request.id, how: request.in_words() }),
    }
}

/// Those of a request and its fellows that one person alone has run, and that this one may judge.
fn settled(incident: &Incident, actor: &Actor, request: RequestId, cx: Context<'_>) -> Result<Vec<RequestId>, Refusal> {
    let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
    let check = |r: &Request| check_settle(cx.policy, &recused_from(incident, r, cx.policy), r, actor);
    check(found)?;
    Ok(together::members(incident, found).into_iter().filter(|r| check(r).is_ok()).map(|r| r.id).collect())
}

/// Whoever is named can decide no more, and that is for good: it must not end all deciding on any class of actions, nor leave
/// it to whoever names them.
fn check_enough_left(user: &UserId, by: &Actor, recused: &Recused, policy: &Policy) -> Result<(), Refusal> {
    let named = policy.person(user);
    let deciding = policy.people(&policy.approvers).into_iter().filter(|person| !recused.contains_key(person));
    let left: BTreeSet<PersonId> = deciding.collect();
    let after = left.iter().filter(|person| **person != named && **person != by.person).count();
    // What nobody could decide on before is not what naming them ends.
    let unread = policy.has_unread_groups();
    let ends = |quorum: usize| after < quorum && (left.len() >= quorum || unread);
    if left.contains(&named) && ActionClass::ALL.iter().any(|class| ends(policy.rules(*class).quorum.into())) {
        if unread {
            return Err(Refusal::GroupsUnread);
        }
        let ask = policy.escalation.iter().cloned().collect();
        return Err(Refusal::TooFewLeft { user: user.clone(), left: after, ask });
    }
    Ok(())
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
    let lacking = quiet::lacking(incident, cx.playbook);
    if outcome == Outcome::Resolved && note.is_empty() && !incident.sample && !lacking.is_empty() {
        return Err(Refusal::NotEradicated(lacking));
    }
    if let Some(owing) = incident.requests.values().find(|r| r.glass.as_ref().is_some_and(|g| g.debt == Debt::Open)) {
        return Err(Refusal::DebtOpen(owing.id));
    }
    if logs::is_running(incident) {
        return Err(Refusal::NotApplicable(
            "A search of the logs is running. Wait for its end or cancel it on its card, and close the incident then."
                .into(),
        ));
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

/// Whether somebody has had so many refusals in the last minute that each further one would only make the log long. How many
/// they were is said with a later one.
pub fn is_left_out(incident: &Incident, user: &UserId, now: DateTime<Utc>) -> bool {
    let times = incident.refused.get(user);
    times.is_some_and(|t| t.len() == REFUSALS_KEPT && now - t[0] < REFUSALS_WITHIN)
}

/// The audit record of a refused attempt.
pub fn refused(actor: &Actor, attempt: Attempt<'_>, refusal: &Refusal, cx: Context<'_>) -> Event {
    // What is on a button is from outside.
    let digest = attempt.digest.map(|digest| digest.chars().take(DIGEST_CHARS_MAX).collect());
    Event::AttemptRefused {
        by: actor.user.clone(),
        attempt: attempt.name.to_owned(),
        request: attempt.request,
        digest,
        policy_version: Some(cx.policy.version.clone()),
        left_out: None,
        refusal: refusal.clone(),
    }
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
        Report::Identified(_) | Report::IdentificationFailed { .. } | Report::Reached(_) | Report::Checked { .. }
            if !incident.is_open() =>
        {
            Vec::new()
        }
        Report::Identified(found) => {
            if !matches!(incident.search, Search::Wanted { .. }) && !renamed::is_renamed(incident, &found) {
                return Vec::new();
            }
            let new_keys = watch::new_keys(incident, found.keys.iter().map(|key| &key.id));
            let checked = |new_keys| Event::ContainmentChecked {
                held: vec![],
                lost: vec![],
                new_keys,
                unread: vec![],
                keys_unread: None,
            };
            let checked = (!new_keys.is_empty()).then(|| checked(new_keys));
            checked.into_iter().chain([Event::Identified { found }]).collect()
        }
        Report::Reached(found) => {
            let due = reach_at(incident).is_some_and(|at| at <= cx.now);
            if due { vec![Event::BlastRadiusRead { found }] } else { Vec::new() }
        }
        Report::HalfWay(half_way) => hunting::take_half_way(incident, *half_way, cx),
        Report::Hunted(sweep) => hunting::take(incident, *sweep, cx),
        Report::Inventory(found) => inventory::take(incident, *found, cx),
        Report::Logs { number, news } => logs::take(incident, number, news),
        Report::Checked { looked, keys } => watch::check(incident, &looked, keys.as_ref()),
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
        Report::StillExecuting { request } => continues(incident, request, cx),
        Report::CallAnswered { request, answer } => match executing(incident, request) {
            Some(execution) if execution.answer.is_none() => answered(request, answer),
            _ => Vec::new(),
        },
        Report::ReadBack { request, now, last } => read_back(incident, request, &now, last, cx),
        Report::NotReadable { request, error } => not_readable(incident, request, &error, cx),
        Report::PlanFile { request, digest, outcome } => whole::uploaded(incident, request, digest, outcome),
        Report::RulesRead { read_at } => rules::follow(incident, read_at, cx),
        Report::ClockPassed { request } => passed(incident, request, cx),
    }
}

fn needed(reason: &str) -> Result<String, Refusal> {
    Some(bounded(reason)).filter(|reason| !reason.is_empty()).ok_or(Refusal::ReasonNeeded)
}

fn bounded(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS_MAX).collect()
}
