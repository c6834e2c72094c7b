//! Folds records into state. Total: whatever order the log has, it gives a state and never fails.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use alerts::take_alert;

use super::doubt;
use super::event::{Event, Lost};
use super::hands::Hand;
use super::inventory::Taken;
use super::overruling::Overruled;
use super::quiet::{self, Quiet};
use super::remains::is_by_hand;
use super::state::{Closing, CompromiseTime, Identified, Incident, Search, Upload, Watch};
use super::verdict::Verdict;
use super::watch::looks_anew;
use super::{hunting, logs, renamed};
use crate::domain::approval::{Approval, CallAnswer, Debt, Execution, Glass, Request, RequestState};
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::hunt::Hunted;
use crate::domain::id::{RequestId, UserId};
use crate::domain::inventory::Inventory;
use crate::domain::observation::KeyStatus;
use crate::domain::policy::ActionClass;
use crate::domain::recusal;
use crate::domain::stored::Record;

mod alerts;

/// Newest refused attempts whose times are kept for each person: what their limit needs.
pub const REFUSALS_KEPT: usize = 60;

/// The state after these records; `None` when the log is empty or does not begin with an opening.
pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Incident> {
    let mut records = records.into_iter();
    let mut incident = open(records.next()?)?;
    for record in records {
        evolve(&mut incident, record);
    }
    Some(incident)
}

fn open(record: &Record) -> Option<Incident> {
    let Event::Opened { id, alert, severity, policy_version, rules_read_at } = &record.event else { return None };
    let mut incident = Incident {
        id: *id,
        version: 1,
        head: record.hash().to_owned(),
        recorded_at: record.at,
        opened_at: record.at,
        source: alert.source.clone(),
        title: alert.title.clone(),
        severity: *severity,
        sample: alert.sample,
        subject: alert.subject.clone(),
        reports: Vec::new(),
        deliveries: [].into(),
        findings: [].into(),
        owner_signs: [].into(),
        every_look_counts: rules_read_at.is_none(),
        identified: None,
        search: wanted(record.at),
        blast_radius: None,
        reach_wanted_at: None,
        hunted: None,
        found_new_at: None,
        hunting: None,
        swept: None,
        inventory: Taken::default(),
        logs: Vec::new(),
        quiet: Quiet::default(),
        verdict: None,
        breach: None,
        hands: [].into(),
        risk: None,
        compromise: None,
        overruled: Vec::new(),
        told_at: None,
        lead: None,
        lead_at: None,
        named: [].into(),
        freeze: None,
        not_them: BTreeSet::new(),
        requests: [].into(),
        by_step: [].into(),
        undoing: [].into(),
        uploads: [].into(),
        watch: None,
        new_keys: [].into(),
        keys_unread: None,
        policy_version: policy_version.clone(),
        rules_read_at: *rules_read_at,
        inactive_since: [].into(),
        closing: None,
        refused: [].into(),
        updated_at: record.at,
    };
    take_alert(&mut incident, alert, record.at);
    Some(incident)
}

/// One more record.
pub fn evolve(incident: &mut Incident, record: &Record) {
    incident.version += 1;
    record.hash().clone_into(&mut incident.head);
    let at = record.at;
    incident.recorded_at = incident.recorded_at.max(at);
    quiet::note(incident, &record.event, at);
    if let Event::AttemptRefused { by, .. } = &record.event {
        note_refusal(incident, by, at);
        return;
    }
    if let Event::ContainmentChecked { held, lost, new_keys, keys_unread, .. } = &record.event {
        note_check(incident, held, lost, new_keys, at);
        incident.keys_unread.clone_from(keys_unread);
        return;
    }
    if let Event::TrailSwept { swept } = &record.event {
        // That it was looked is no change of the incident.
        incident.swept = Some((swept.clone(), at));
        incident.hunting = None;
        return;
    }
    if let Event::TrailPartlyRead { so_far } = &record.event {
        incident.hunting = Some(so_far.clone());
        return;
    }
    if let Event::LookedAgain { request, shows } = &record.event {
        doubt::note_look(incident, *request, shows, at);
        return;
    }
    if let Event::InventoryTaken { found, .. } = &record.event {
        note_inventory(incident, found.as_deref(), at);
        return;
    }
    incident.updated_at = at;
    match &record.event {
        Event::Opened { .. }
        | Event::AttemptRefused { .. }
        | Event::ContainmentChecked { .. }
        | Event::InventoryTaken { .. }
        | Event::LookedAgain { .. }
        | Event::TrailPartlyRead { .. }
        | Event::TrailSwept { .. } => {}
        Event::RulesChanged { policy_version, read_at } => {
            (incident.policy_version, incident.rules_read_at) = (Some(policy_version.clone()), read_at.or(Some(at)));
        }
        Event::ContainmentUnread { unread, .. } => {
            for Lost { request, why } in unread {
                if let Some(request) = incident.requests.get_mut(request) {
                    request.unread = Some((at, why.clone()));
                }
            }
        }
        Event::AlertReceived { alert } => take_alert(incident, alert, at),
        Event::Identified { found } => {
            incident.owner_signs.extend(recusal::signs(incident, found));
            for key in &found.keys {
                match key.status {
                    KeyStatus::Active => drop(incident.inactive_since.remove(&key.id)),
                    KeyStatus::Inactive => drop(incident.inactive_since.entry(key.id.clone()).or_insert(at)),
                }
            }
            renamed::take_name(incident, found);
            incident.identified = Some(Identified { found: found.clone().over(incident.identification()), at });
            incident.search = Search::Done;
        }
        Event::IdentificationFailed { attempt, error, retry_at } => {
            incident.search = match retry_at {
                Some(not_before) => {
                    Search::Wanted { failed: *attempt, not_before: *not_before, last_error: Some(error.clone()) }
                }
                None => Search::GivenUp { error: error.clone() },
            };
        }
        Event::BlastRadiusRead { found } => {
            incident.blast_radius = Some((found.clone().over(incident.reach()), at));
            incident.reach_wanted_at = None;
        }
        Event::TrailHunted { found } => {
            if found.shows_more_than(incident.hunted.as_ref().map(|(before, _)| before)) {
                incident.found_new_at = Some(at);
            }
            let shows_whose = |found: &Hunted| hunting::shows_whose(incident, found);
            let told = incident.hunted.as_ref().is_some_and(|(before, _)| shows_whose(before));
            if incident.principal_kind() == PrincipalKind::Unknown && shows_whose(found) && !told {
                incident.search = wanted(at);
            }
            incident.hunted = Some(((**found).clone(), at));
        }
        Event::VerdictReached { judged } => {
            if let Verdict::Failed { call } = &judged.verdict {
                incident.breach = Some(Box::new(call.clone()));
                incident.risk = None;
            } else if incident.breach.as_ref().is_some_and(|breach| breach.at > judged.since) {
                // A responder has said that this call was not the attacker's.
                incident.breach = None;
            }
            incident.verdict = Some((judged.clone(), at));
        }
        Event::RiskAgreed { by, person, reason } => {
            let risk = incident.risk.get_or_insert_default();
            risk.agreed.insert(person.clone(), (by.clone(), reason.clone()));
        }
        Event::RiskAccepted => {
            if let Some(risk) = &mut incident.risk {
                risk.accepted_at.get_or_insert(at);
            }
        }
        Event::HandDone { step, title, done, about, by, person } => {
            let (by, person) = (by.clone(), person.clone());
            let (title, done, about) = (title.clone(), done.clone(), about.clone());
            incident.hands.insert(step.clone(), Hand { title, done, about, by, person, at, confirmed: None });
        }
        Event::HandConfirmed { step, by, .. } => {
            if let Some(hand) = incident.hands.get_mut(step) {
                hand.confirmed = Some((by.clone(), at));
                // What is no containment leaves that as it was.
                if !is_by_hand(step) {
                    put_in_place(incident, at);
                }
            }
        }
        Event::HandTakenBack { step, .. } => {
            incident.hands.remove(step);
            if !is_by_hand(step) {
                incident.risk = None;
            }
        }
        Event::ThingsLookedAt { by, things } => {
            incident.inventory.looked_at.extend(things.iter().map(|thing| (thing.clone(), by.clone())));
        }
        Event::LogsSearchAsked { .. }
        | Event::LogsSearchEstimated { .. }
        | Event::LogsSearchConfirmed { .. }
        | Event::LogsSearchStarted { .. }
        | Event::LogsSearched { .. }
        | Event::LogsSearchFailed { .. }
        | Event::LogsSearchCancelled { .. }
        | Event::LogsSearchStopped { .. } => logs::note(incident, &record.event, at),
        Event::IdentificationAsked { .. } => {
            incident.inventory.again = true;
            incident.search = wanted(at);
            incident.reach_wanted_at = Some(at);
            doubt::note_asked(incident, at);
        }
        Event::CompromiseTimeSet { compromised_at, by, basis } => {
            let (by, basis) = (by.clone(), basis.clone());
            let said = CompromiseTime { at: *compromised_at, by, basis, said_at: at };
            (incident.compromise, incident.told_at) = (Some(said), Some(at));
        }
        Event::AttributionOverruled { word, by, reason } => {
            incident.overruled.push(Overruled { word: word.clone(), by: by.clone(), reason: reason.clone(), at });
            incident.told_at = Some(at);
        }
        Event::SubjectNamed { user, .. } => incident.named.extend([user.clone()]),
        Event::Frozen { by, request } => {
            let freeze = incident.freeze.get_or_insert_default();
            freeze.number = incident.version;
            freeze.disputed.insert(by.clone(), *request);
            incident.not_them.insert((by.clone(), *request));
            freeze.agreed.clear();
        }
        Event::UnfreezeAgreed { by, person } => {
            if let Some(freeze) = &mut incident.freeze {
                freeze.agreed.insert(person.clone(), by.clone());
            }
        }
        Event::Unfrozen => incident.freeze = None,
        Event::LeadTaken { by } => (incident.lead, incident.lead_at) = (Some(by.clone()), Some(at)),
        Event::Closed { by, outcome, note } => {
            incident.closing = Some(Closing { at, by: by.clone(), outcome: *outcome, note: note.clone() });
        }
        Event::ApprovalRequested { request, plan, digest, by, asked, burst } => {
            let made = Request {
                burst: *burst,
                asked: asked.clone(),
                ..Request::new(*request, (**plan).clone(), digest.clone(), by.clone(), at)
            };
            incident.add(made);
            // Whoever acts first leads until somebody else takes it.
            incident.lead.get_or_insert_with(|| by.clone());
        }
        Event::PlanUploaded { digest, file, .. } => {
            incident.uploads.insert(digest.clone(), Upload::Up(file.clone()));
        }
        Event::PlanNotUploaded { digest, why, .. } => {
            incident.uploads.entry(digest.clone()).or_insert_with(|| Upload::Failed(why.clone()));
        }
        Event::GlassRatified { request, by } => settle(incident, *request, Debt::Ratified { by: by.clone(), at }),
        Event::GlassContested { request, by, reason } => {
            settle(incident, *request, Debt::Contested { by: by.clone(), reason: reason.clone(), at });
        }
        Event::ApprovalGiven { request, .. }
        | Event::GlassBroken { request, .. }
        | Event::ApprovalRetracted { request, .. }
        | Event::ApprovalVoided { request, .. }
        | Event::RequestSuperseded { request, .. }
        | Event::RequestDenied { request, .. }
        | Event::RequestWithdrawn { request, .. }
        | Event::RequestExpired { request }
        | Event::RequestLapsed { request, .. }
        | Event::RequestStale { request, .. }
        | Event::RequestCancelled { request, .. }
        | Event::ExecutionStarted { request, .. }
        | Event::ExecutionContinues { request, .. }
        | Event::CallAnswered { request, .. }
        | Event::Verified { request, .. }
        | Event::ExecutionFailed { request, .. }
        | Event::ExecutionUnknown { request, .. } => move_request(incident, *request, &record.event, at),
    }
    if let Event::ApprovalGiven { request, by, .. } | Event::GlassBroken { request, by, .. } = &record.event {
        incident.not_them.remove(&(by.clone(), *request));
    }
    if let Event::Verified { request, no_op } = record.event {
        note_change(incident, request, at);
        if !no_op {
            // What was read about the credential before the change is out of date.
            incident.search = wanted(at);
        }
    }
}

/// AWS was changed. A removal leaves the containment as it was, with what was proved or accepted of it; but once the attacker
/// has got through, it may be what let them in, and is judged like a containment.
fn note_change(incident: &mut Incident, request: RequestId, at: DateTime<Utc>) {
    let is_removal =
        incident.requests.get(&request).is_some_and(|request| request.plan.action.class() == ActionClass::Eradicate);
    let failed = incident.verdict.as_ref().is_some_and(|(last, _)| matches!(last.verdict, Verdict::Failed { .. }));
    match &mut incident.watch {
        Some(watch) if is_removal && !failed => (watch.changed_at, watch.checks) = (at, 0),
        _ => put_in_place(incident, at),
    }
}

/// The containment is another from now on. What was accepted was the one that stood.
fn put_in_place(incident: &mut Incident, at: DateTime<Utc>) {
    incident.watch = Some(Watch { since: at, changed_at: at, checks: 0 });
    incident.risk = None;
}

/// An inventory that shows the same as before is no change of the incident.
fn note_inventory(incident: &mut Incident, found: Option<&Inventory>, at: DateTime<Utc>) {
    let taken = &mut incident.inventory;
    (taken.at, taken.again) = (Some(at), false);
    if let Some(found) = found {
        taken.found = Some(Box::new(found.clone()));
        incident.updated_at = at;
    }
}

/// A look that finds all as it was is no change of the incident.
fn note_check(incident: &mut Incident, held: &[RequestId], lost: &[Lost], new_keys: &[AccessKeyId], at: DateTime<Utc>) {
    for id in held {
        if let Some(request) = incident.requests.get_mut(id) {
            request.held(at);
            request.unread = None;
        }
    }
    for Lost { request, why } in lost {
        if let Some(request) = incident.requests.get_mut(request) {
            request.lost.get_or_insert_with(|| (at, why.clone()));
            request.unread = None;
        }
    }
    incident.new_keys.extend(new_keys.iter().cloned());
    let looks_anew = incident.watch.is_some_and(looks_anew);
    if let Some(watch) = &mut incident.watch {
        watch.checks = watch.checks.saturating_add(1);
    }
    if !lost.is_empty() || !new_keys.is_empty() {
        incident.updated_at = at;
    }
    if looks_anew || !lost.is_empty() || !new_keys.is_empty() {
        incident.search = wanted(at);
        incident.reach_wanted_at = Some(at);
    }
}

fn settle(incident: &mut Incident, request: RequestId, debt: Debt) {
    if let Some(glass) = incident.requests.get_mut(&request).and_then(|r| r.glass.as_mut()) {
        glass.debt = debt;
    }
}

const fn wanted(at: DateTime<Utc>) -> Search {
    Search::Wanted { failed: 0, not_before: at, last_error: None }
}

fn note_refusal(incident: &mut Incident, by: &UserId, at: DateTime<Utc>) {
    let times = incident.refused.entry(by.clone()).or_default();
    times.push_back(at);
    if times.len() > REFUSALS_KEPT {
        times.pop_front();
    }
}

fn move_request(incident: &mut Incident, id: RequestId, event: &Event, at: DateTime<Utc>) {
    let Some(request) = incident.requests.get_mut(&id) else { return };
    let settles = matches!((&request.state, event), (RequestState::Unknown { .. }, Event::Verified { .. }));
    if !request.state.is_open() && !settles {
        // Terminal states are never left, whatever the log says later.
        return;
    }
    let (sent, called_at) = match &request.state {
        RequestState::Executing(execution) => (execution.sent.clone(), execution.started_at),
        RequestState::Unknown { sent, doubt, .. } => (sent.clone(), doubt.called_at),
        _ => (Vec::new(), at),
    };
    match event {
        Event::ApprovalGiven { by, person, execute_by, .. } => {
            request.approvals.push(Approval { user: by.clone(), person: person.clone(), at });
            if let Some(execute_by) = execute_by {
                request.state = RequestState::Approved { execute_by: *execute_by };
            }
        }
        Event::GlassBroken { by, person, reason, execute_by, .. } => {
            let (user, person, reason) = (by.clone(), person.clone(), reason.clone());
            request.glass = Some(Glass { user, person, reason, at, debt: Debt::Open });
            request.state = RequestState::Approved { execute_by: *execute_by };
        }
        // Once the call may be on its way, no yes is taken back.
        Event::ApprovalRetracted { .. } | Event::ApprovalVoided { .. }
            if matches!(request.state, RequestState::Executing(_)) => {}
        Event::ApprovalRetracted { by, .. } | Event::ApprovalVoided { by, .. } => {
            if let Event::ApprovalRetracted { person, .. } = event {
                request.retracted.insert(person.clone(), at);
            } else {
                let theirs = request.approvals.iter().filter(|a| a.user == *by);
                request.voided.extend(theirs.map(|a| a.person.clone()));
            }
            request.approvals.retain(|a| a.user != *by);
            // What one person alone lets run does not hang on the yeses of others.
            if request.glass.is_none() {
                request.state = RequestState::Pending;
            }
        }
        Event::RequestSuperseded { by, .. } => request.state = RequestState::Superseded { by: *by },
        Event::RequestDenied { by, reason, .. } => {
            request.state = RequestState::Denied { by: by.clone(), reason: reason.clone(), at };
        }
        Event::RequestWithdrawn { .. } => request.state = RequestState::Withdrawn,
        Event::RequestExpired { .. } => request.state = RequestState::Expired,
        Event::RequestLapsed { why, .. } => request.state = RequestState::Lapsed { why: why.clone() },
        Event::RequestStale { why, .. } => request.state = RequestState::Stale { why: why.clone() },
        Event::RequestCancelled { why, .. } => request.state = RequestState::Cancelled { why: why.clone() },
        Event::ExecutionStarted { lease_until, sent, .. } => {
            request.state = RequestState::Executing(Execution {
                started_at: at,
                lease_until: *lease_until,
                sent: sent.clone(),
                answer: None,
            });
        }
        Event::ExecutionContinues { lease_until, .. } => {
            if let RequestState::Executing(execution) = &mut request.state {
                execution.lease_until = *lease_until;
            }
        }
        Event::CallAnswered { answer, .. } => {
            if let RequestState::Executing(execution) = &mut request.state {
                execution.answer = Some(answer.clone());
            }
        }
        Event::Verified { .. } => request.state = RequestState::Verified { at, called_at, sent },
        Event::ExecutionFailed { why, .. } => {
            let answer =
                if let RequestState::Executing(execution) = &request.state { &execution.answer } else { &None };
            let partly = matches!(answer, Some(CallAnswer::Partly { .. }));
            request.state = RequestState::Failed { why: why.clone(), partly, sent };
        }
        Event::ExecutionUnknown { why, .. } => {
            request.state = RequestState::Unknown { why: why.clone(), sent, doubt: doubt::begins(called_at, at) };
        }
        _ => {}
    }
}
