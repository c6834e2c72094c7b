//! Records in a few words, for the run's steps and its counts.

use irp::domain::id::{IncidentId, RequestId};
use irp::domain::incident::event::Event;
use irp::domain::stored::Record;

use crate::sim::schedule::By;

pub(in crate::sim) fn in_words(by: By, id: IncidentId, record: &Record) -> String {
    let request = match request_of(&record.event) {
        Some(request) => request.to_string(),
        None => id.to_string(),
    };
    let detail = match &record.event {
        Event::AttemptRefused { by, attempt, refusal, .. } => format!(" {by} {attempt}: {refusal}"),
        Event::ApprovalGiven { by, .. }
        | Event::ApprovalRequested { by, .. }
        | Event::GlassBroken { by, .. }
        | Event::GlassRatified { by, .. }
        | Event::GlassContested { by, .. } => format!(" by {by}"),
        Event::RequestLapsed { why, .. } | Event::ExecutionFailed { why, .. } => format!(": {why}"),
        Event::ApprovalVoided { by, why, .. } => format!(" of {by}: {why}"),
        Event::ContainmentChecked { held, lost, new_keys, unread, .. } => {
            format!(": {} held, {} lost, {} new, {} unread", held.len(), lost.len(), new_keys.len(), unread.len())
        }
        _ => String::new(),
    };
    format!("replica {} writes {request} {}{detail}", by.replica, name(&record.event))
}

pub(super) fn request_of(event: &Event) -> Option<RequestId> {
    match event {
        Event::ApprovalRequested { request, .. }
        | Event::RequestSuperseded { request, .. }
        | Event::ApprovalRetracted { request, .. }
        | Event::ApprovalVoided { request, .. }
        | Event::Frozen { request, .. }
        | Event::ApprovalGiven { request, .. }
        | Event::GlassBroken { request, .. }
        | Event::GlassRatified { request, .. }
        | Event::GlassContested { request, .. }
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
        | Event::ExecutionUnknown { request, .. }
        | Event::LookedAgain { request, .. } => Some(*request),
        Event::AttemptRefused { request, .. } => *request,
        _ => None,
    }
}

pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Opened { .. } => "Opened",
        Event::RulesChanged { .. } => "RulesChanged",
        Event::AlertReceived { .. } => "AlertReceived",
        Event::Identified { .. } => "Identified",
        Event::IdentificationFailed { .. } => "IdentificationFailed",
        Event::IdentificationAsked { .. } => "IdentificationAsked",
        Event::LeadTaken { .. } => "LeadTaken",
        Event::ApprovalRequested { .. } => "ApprovalRequested",
        Event::BlastRadiusRead { .. } => "BlastRadiusRead",
        Event::TrailHunted { .. } => "TrailHunted",
        Event::TrailPartlyRead { .. } => "TrailPartlyRead",
        Event::TrailSwept { .. } => "TrailSwept",
        Event::InventoryTaken { .. } => "InventoryTaken",
        Event::ThingsLookedAt { .. } => "ThingsLookedAt",
        Event::VerdictReached { .. } => "VerdictReached",
        Event::RiskAgreed { .. } => "RiskAgreed",
        Event::RiskAccepted => "RiskAccepted",
        Event::ContainmentChecked { .. } => "ContainmentChecked",
        Event::ContainmentUnread { .. } => "ContainmentUnread",
        Event::GlassBroken { .. } => "GlassBroken",
        Event::GlassRatified { .. } => "GlassRatified",
        Event::GlassContested { .. } => "GlassContested",
        Event::RequestSuperseded { .. } => "RequestSuperseded",
        Event::ApprovalRetracted { .. } => "ApprovalRetracted",
        Event::ApprovalVoided { .. } => "ApprovalVoided",
        Event::Frozen { .. } => "Frozen",
        Event::UnfreezeAgreed { .. } => "UnfreezeAgreed",
        Event::Unfrozen => "Unfrozen",
        Event::SubjectNamed { .. } => "SubjectNamed",
        Event::AttributionOverruled { .. } => "AttributionOverruled",
        Event::ApprovalGiven { .. } => "ApprovalGiven",
        Event::RequestDenied { .. } => "RequestDenied",
        Event::RequestWithdrawn { .. } => "RequestWithdrawn",
        Event::RequestExpired { .. } => "RequestExpired",
        Event::RequestLapsed { .. } => "RequestLapsed",
        Event::RequestStale { .. } => "RequestStale",
        Event::RequestCancelled { .. } => "RequestCancelled",
        Event::ExecutionStarted { .. } => "ExecutionStarted",
        Event::ExecutionContinues { .. } => "ExecutionContinues",
        Event::CallAnswered { .. } => "CallAnswered",
        Event::Verified { no_op: false, .. } => "Verified",
        Event::Verified { no_op: true, .. } => "Verified (no-op)",
        Event::ExecutionFailed { .. } => "ExecutionFailed",
        Event::ExecutionUnknown { .. } => "ExecutionUnknown",
        Event::LookedAgain { .. } => "LookedAgain",
        Event::AttemptRefused { .. } => "AttemptRefused",
        Event::Closed { .. } => "Closed",
        _ => "another",
    }
}
