//! What an alert adds to what an incident knows.

use chrono::{DateTime, Utc};

use super::wanted;
use crate::domain::alert::{Alert, AlertSource};
use crate::domain::credential::{PrincipalKind, Subject};
use crate::domain::incident::state::{Finding, Incident, Reported, Search};

/// A later alert may know what the first did not say.
fn learn(subject: &mut Subject, told: &Subject) -> bool {
    let before = subject.clone();
    subject.access_key = subject.access_key.take().or_else(|| told.access_key.clone());
    subject.account = subject.account.take().or_else(|| told.account.clone());
    subject.name = subject.name.take().or_else(|| told.name.clone());
    subject.principal_id = subject.principal_id.take().or_else(|| told.principal_id.clone());
    if matches!(subject.kind, None | Some(PrincipalKind::Unknown)) {
        subject.kind = told.kind.or(subject.kind);
    }
    *subject != before
}

/// Counts it, and learns what it says.
pub(super) fn take_alert(incident: &mut Incident, alert: &Alert, at: DateTime<Utc>) {
    incident.deliveries.insert(alert.delivery_id.clone());
    let learned = learn(&mut incident.subject, &alert.subject);
    if learned && (incident.search != Search::Done || incident.principal_kind() == PrincipalKind::Unknown) {
        incident.search = wanted(at);
    }
    if let Some(text) = &alert.note {
        let by = match &alert.source {
            AlertSource::Person(user) => Some(user.clone()),
            AlertSource::GuardDuty => None,
        };
        incident.reports.push(Reported { by, text: text.clone(), at });
    }
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
