//! Folds records into state. Total: whatever order the log has, it gives a state and never fails.

use chrono::{DateTime, Utc};

use super::event::Event;
use super::state::{Closing, CompromiseTime, Finding, Identity, Incident};
use crate::domain::alert::Alert;
use crate::domain::approval::{Approval, Execution, Request, RequestState};
use crate::domain::id::RequestId;
use crate::domain::stored::Record;

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
    let Event::Opened { id, alert, severity } = &record.event else { return None };
    let mut incident = Incident {
        id: *id,
        version: 1,
        opened_at: record.at,
        source: alert.source.clone(),
        title: alert.title.clone(),
        severity: *severity,
        sample: alert.sample,
        subject: alert.subject.clone(),
        note: alert.note.clone(),
        deliveries: [].into(),
        findings: [].into(),
        identity: Identity::Wanted { failed: 0, not_before: record.at, last_error: None },
        compromise: None,
        lead: None,
        requests: [].into(),
        closing: None,
        updated_at: record.at,
    };
    take_alert(&mut incident, alert);
    Some(incident)
}

/// One more record.
pub fn evolve(incident: &mut Incident, record: &Record) {
    incident.version += 1;
    incident.updated_at = record.at;
    let at = record.at;
    match &record.event {
        Event::Opened { .. } | Event::AttemptRefused { .. } => {}
        Event::AlertReceived { alert } => take_alert(incident, alert),
        Event::Identified { found } => incident.identity = Identity::Known(Box::new(found.clone())),
        Event::IdentificationFailed { attempt, error, retry_at } => {
            incident.identity = match retry_at {
                Some(not_before) => {
                    Identity::Wanted { failed: *attempt, not_before: *not_before, last_error: Some(error.clone()) }
                }
                None => Identity::GivenUp { failed: *attempt, error: error.clone() },
            };
        }
        Event::IdentificationAsked { .. } => {
            incident.identity = Identity::Wanted { failed: 0, not_before: at, last_error: None };
        }
        Event::CompromiseTimeSet { compromised_at, by, basis } => {
            incident.compromise = Some(CompromiseTime { at: *compromised_at, by: by.clone(), basis: basis.clone() });
        }
        Event::LeadTaken { by } => incident.lead = Some(by.clone()),
        Event::Closed { by, outcome, note } => {
            incident.closing = Some(Closing { at, by: by.clone(), outcome: *outcome, note: note.clone() });
        }
        Event::ApprovalRequested { request, plan, digest, by } => {
            let made = Request {
                id: *request,
                plan: (**plan).clone(),
                digest: digest.clone(),
                requested_by: by.clone(),
                requested_at: at,
                approvals: Vec::new(),
                state: RequestState::Pending,
            };
            incident.requests.insert(*request, made);
            // Whoever acts first leads until somebody else takes it.
            incident.lead.get_or_insert_with(|| by.clone());
        }
        Event::ApprovalGiven { request, .. }
        | Event::RequestDenied { request, .. }
        | Event::RequestWithdrawn { request, .. }
        | Event::RequestExpired { request }
        | Event::RequestLapsed { request, .. }
        | Event::RequestStale { request, .. }
        | Event::RequestCancelled { request, .. }
        | Event::ExecutionStarted { request, .. }
        | Event::CallAnswered { request, .. }
        | Event::Verified { request, .. }
        | Event::ExecutionFailed { request, .. }
        | Event::ExecutionUnknown { request, .. } => move_request(incident, *request, &record.event, at),
    }
}

fn move_request(incident: &mut Incident, id: RequestId, event: &Event, at: DateTime<Utc>) {
    let Some(request) = incident.requests.get_mut(&id) else { return };
    if !request.state.is_open() {
        // Terminal states are never left, whatever the log says later.
        return;
    }
    let sent = match &request.state {
        RequestState::Executing(execution) => execution.sent.clone(),
        _ => Vec::new(),
    };
    match event {
        Event::ApprovalGiven { by, person, execute_by, .. } => {
            request.approvals.push(Approval { user: by.clone(), person: person.clone(), at });
            if let Some(execute_by) = execute_by {
                request.state = RequestState::Approved { execute_by: *execute_by };
            }
        }
        Event::RequestDenied { by, reason, .. } => {
            request.state = RequestState::Denied { by: by.clone(), reason: reason.clone() };
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
        Event::CallAnswered { answer, .. } => {
            if let RequestState::Executing(execution) = &mut request.state {
                execution.answer = Some(answer.clone());
            }
        }
        Event::Verified { .. } => request.state = RequestState::Verified { at, sent },
        Event::ExecutionFailed { why, .. } => request.state = RequestState::Failed { why: why.clone(), sent },
        Event::ExecutionUnknown { why, .. } => request.state = RequestState::Unknown { why: why.clone(), sent },
        _ => {}
    }
}

fn take_alert(incident: &mut Incident, alert: &Alert) {
    incident.deliveries.insert(alert.delivery_id.clone());
    incident.severity = incident.severity.max(alert.severity);
    let key = alert.finding_id.clone().unwrap_or_else(|| alert.delivery_id.clone());
    let finding = Finding {
        finding_type: alert.finding_type.clone(),
        title: alert.title.clone(),
        severity: alert.severity,
        first_seen_at: alert.first_seen_at,
        last_seen_at: alert.last_seen_at,
        count: alert.count,
        remote_address: alert.remote_address.clone(),
        api: alert.api.clone(),
        region: alert.region.clone(),
    };
    // Deliveries overtake each other: an older state of a finding never replaces a newer one.
    match incident.findings.get(&key) {
        Some(known) if (known.last_seen_at, known.count) > (finding.last_seen_at, finding.count) => {}
        _ => {
            incident.findings.insert(key, finding);
        }
    }
}
