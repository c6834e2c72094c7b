//! The log, a line for each record.

use serde_json::Value;

use crate::domain::incident::event::Event;

/// What an event says of itself beside its name, where it has that.
const SHOWN: [&str; 9] = ["request", "title", "done", "by", "attempt", "why", "reason", "error", "outcome"];

/// What happened, and who and what it is about; the log has the rest.
pub(super) fn in_words(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    let mut words = what(event).to_owned();
    for member in SHOWN {
        // A refusal is a sentence, below.
        let of_code = member == "why" && matches!(event, Event::ApprovalVoided { .. });
        if let (Value::String(text), false) = (&value[member], of_code) {
            words.extend([" · ", member, " ", text]);
        }
    }
    if let Event::AttemptRefused { refusal, .. } | Event::ApprovalVoided { why: refusal, .. } = event {
        words.extend([" · the answer “", &refusal.to_string(), "”"]);
    }
    if let Event::AttemptRefused { left_out: Some(more), .. } = event {
        words.extend([" · and ", &more.to_string(), " more of theirs before it, which are not recorded one by one"]);
    }
    words
}

const fn what(event: &Event) -> &'static str {
    match event {
        Event::Opened { .. } => "Incident opened",
        Event::RulesChanged { .. } => "Rules in force that it did not name before",
        Event::AlertReceived { .. } => "Another alert or report about it",
        Event::Identified { .. } => "Found out whose credential it is",
        Event::BlastRadiusRead { .. } => "Read what it was used for and which roles it has taken",
        Event::TrailHunted { .. } => "Trail searched: something new about the attacker",
        Event::TrailPartlyRead { .. } => "Trail search under way",
        Event::TrailSwept { .. } => "Trail search at its end",
        Event::InventoryTaken { .. } => "Looked at what exists in the account",
        Event::ThingsLookedAt { .. } => "A person looked at things that no event explains",
        Event::VerdictReached { .. } => "The evidence says something else about the containment",
        Event::RiskAgreed { .. } => "A person accepts the risk of a containment without proof",
        Event::RiskAccepted => "The risk is accepted by two people",
        Event::HandDone { .. } => "Said to be done by hand",
        Event::HandConfirmed { .. } => "Confirmed that it is done by hand",
        Event::HandTakenBack { .. } => "Taken back that it is done by hand",
        Event::LogsSearchAsked { .. } => "Search of the logs asked for",
        Event::LogsSearchEstimated { .. } => "Worked out what the search of the logs would read",
        Event::LogsSearchConfirmed { .. } => "Search of the logs let run",
        Event::LogsSearchStarted { .. } => "Search of the logs started",
        Event::LogsSearched { .. } => "Logs searched",
        Event::LogsSearchFailed { .. } => "Search of the logs failed",
        Event::LogsSearchCancelled { .. } => "Search of the logs cancelled",
        Event::LogsSearchStopped { .. } => "Cancelled search of the logs stands still",
        Event::IdentificationFailed { .. } => "Could not find out whose credential it is",
        Event::IdentificationAsked { .. } => "Asked to look again whose credential it is",
        Event::CompromiseTimeSet { .. } => "Likely time of compromise set",
        Event::AttributionOverruled { .. } => "A person said who made calls",
        Event::LeadTaken { .. } => "Lead taken",
        Event::ApprovalRequested { .. } => "Change asked for",
        Event::PlanUploaded { .. } => "Whole plan put into the thread",
        Event::PlanNotUploaded { .. } => "Whole plan could not be put into the thread",
        Event::GlassBroken { .. } => "Let run on one person's word",
        Event::GlassRatified { .. } => "A second person says that it was right to let it run",
        Event::GlassContested { .. } => "A second person says that it was not right to let it run",
        Event::ContainmentChecked { .. } => "Containment read again from AWS",
        Event::ContainmentUnread { .. } => "Containment could not be read any more",
        Event::RequestSuperseded { .. } => "Request gave way to another",
        Event::ApprovalRetracted { .. } => "Approval taken back",
        Event::ApprovalVoided { .. } => "Approval no longer counts",
        Event::Frozen { .. } => "Approvals frozen: a person says that it was not them",
        Event::UnfreezeAgreed { .. } => "Agreed to lift the freeze",
        Event::Unfrozen => "Freeze lifted",
        Event::SubjectNamed { .. } => "A person named whom the incident is about",
        Event::ApprovalGiven { .. } => "Approved",
        Event::RequestDenied { .. } => "Denied",
        Event::RequestWithdrawn { .. } => "Withdrawn",
        Event::RequestExpired { .. } => "Nobody decided in time",
        Event::RequestLapsed { .. } => "Lapsed before it could run",
        Event::RequestStale { .. } => "Stale: AWS has changed since it was asked for",
        Event::RequestCancelled { .. } => "Request cancelled",
        Event::ExecutionStarted { .. } => "Calls to AWS began",
        Event::ExecutionContinues { .. } => "Calls to AWS go on",
        Event::CallAnswered { .. } => "AWS answered",
        Event::Verified { .. } => "Read back from AWS: it holds",
        Event::ExecutionFailed { .. } => "It does not hold",
        Event::ExecutionUnknown { .. } => "Not known whether it holds",
        Event::LookedAgain { .. } => "AWS read again: still not known",
        Event::AttemptRefused { .. } => "An attempt was refused",
        Event::Closed { .. } => "Incident closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recusal::Why;
    use crate::domain::refusal::Refusal;

    #[test]
    fn a_line_is_in_words_and_names_who_and_what() {
        let by = || "U1".parse().unwrap();
        let request = "INC-1.1".parse().unwrap();
        let denied = Event::RequestDenied { request, by: by(), shown: None, reason: "not now".into() };
        assert_eq!(in_words(&denied), "Denied · request INC-1.1 · by U1 · reason not now");
        let refused = Event::AttemptRefused {
            by: by(),
            attempt: "approve".into(),
            request: Some(request),
            digest: None,
            policy_version: None,
            left_out: Some(7),
            refusal: Refusal::Recused(Why::Named),
        };
        let words = in_words(&refused);
        assert!(words.starts_with("An attempt was refused · request INC-1.1 · by U1 · attempt approve"), "{words}");
        assert!(words.contains("the answer “You cannot decide in this incident"), "{words}");
        assert!(words.ends_with("and 7 more of theirs before it, which are not recorded one by one"), "{words}");
    }
}
