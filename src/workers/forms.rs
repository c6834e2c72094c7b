//! What a form that somebody has sent asks for, and what they are told when it is done.

use chrono::{DateTime, Utc};

use crate::domain::id::IncidentId;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::state::Incident;
use crate::domain::refusal::mention;
use crate::intake::submission::Submission;

/// The command, and to which incident; `None` for a form that opens one. `clicked_at` is when they sent it.
pub(super) fn commanded(submission: &Submission, clicked_at: DateTime<Utc>) -> Option<(IncidentId, PersonCommand)> {
    Some(match submission.clone() {
        Submission::Open { .. } => return None,
        Submission::Deny { request, digest: digest_shown, reason } => {
            (request.incident(), PersonCommand::Deny { request, digest_shown, reason })
        }
        Submission::BreakGlass { request, digest: digest_shown, target, reason } => {
            (request.incident(), PersonCommand::BreakGlass { request, digest_shown, target, reason })
        }
        Submission::Contest { request, reason } => (request.incident(), PersonCommand::Contest { request, reason }),
        Submission::AcceptRisk { incident, shown, reason } => (incident, PersonCommand::AcceptRisk { shown, reason }),
        Submission::SayDone { incident, step, done } => (incident, PersonCommand::SayDone { step, done }),
        Submission::CompromiseTime { incident, at, basis } => {
            (incident, PersonCommand::SetCompromiseTime { at, basis, clicked_at })
        }
        Submission::Overrule { incident, word, reason } => {
            (incident, PersonCommand::Overrule { word, reason, clicked_at })
        }
        Submission::NameSubject { incident, user } => (incident, PersonCommand::NameSubject { user }),
        Submission::Close { incident, outcome, note } => (incident, PersonCommand::Close { outcome, note }),
    })
}

/// What whoever has sent it is told, with the incident as it is after it.
pub(super) fn answer(submission: &Submission, after: &Incident) -> String {
    match submission {
        Submission::Open { .. } => String::new(),
        Submission::Deny { request, .. } => format!("Your denial of {request} is recorded."),
        Submission::BreakGlass { request, .. } => {
            format!("{request} runs now, on your word alone. Everybody who could have approved it is told.")
        }
        Submission::Contest { request, .. } => {
            format!("You contested {request}. Its card has *Ask to undo*, where that is possible.")
        }
        Submission::AcceptRisk { .. } if after.risk.as_ref().is_some_and(|risk| risk.accepted_at.is_some()) => {
            "The risk is accepted, in your name and that of another.".to_owned()
        }
        Submission::AcceptRisk { .. } => {
            "Your acceptance is recorded. It takes a second person, and one of the two has to be an approver."
                .to_owned()
        }
        Submission::SayDone { .. } => {
            "Your word is recorded. It counts once somebody else has looked and confirmed it on the card.".to_owned()
        }
        Submission::CompromiseTime { incident, .. } => format!("The likely compromise time of {incident} is set."),
        Submission::Overrule { .. } => {
            "It is recorded in your name, and the trail is searched anew with it.".to_owned()
        }
        Submission::NameSubject { incident, user } => {
            format!("{} is named in {incident} and cannot decide in it.", mention(user))
        }
        Submission::Close { incident, outcome, .. } => format!("Closed {incident} as *{}*.", outcome.label()),
    }
}
