//! The ways to say no. Each `Display` is the sentence that the person reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{IncidentId, RequestId, UserId};
use super::policy::Standing;

/// A business no: nothing was changed, and this is why. A fault is never one of these.
#[derive(Clone, Debug, Eq, PartialEq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant's sentence is its documentation")]
pub enum Refusal {
    #[error("{}", standing_sentence(*.0))]
    NotAMember(Standing),
    #[error(
        "Only responders can do that, and you are not on the list. Ask a responder, or have the list in irp.toml changed."
    )]
    NotAResponder,
    #[error("Only approvers can decide, and you are not on the list of approvers. The request is untouched.")]
    NotAnApprover,
    #[error("You asked for this yourself, so somebody else has to decide. The request is untouched.")]
    OwnRequest,
    #[error("You have already approved this. It waits for one more approver.")]
    AlreadyApprovedByYou,
    #[error("{request} is no longer open: {how}. Nothing was changed by this click.")]
    Decided { request: RequestId, how: String },
    #[error("The time to decide on {request} ended at {at}. Nothing was run. Ask again from the step's card.")]
    TooLate { request: RequestId, at: String },
    #[error("This button belongs to another version of {0}. Nothing was changed; use the buttons on the newest card.")]
    DigestMismatch(RequestId),
    #[error("{0} is not known here any more. Nothing was run.")]
    UnknownRequest(RequestId),
    #[error("{0} does not exist. `/irp list` shows the open incidents.")]
    UnknownIncident(IncidentId),
    #[error("{0} is closed and takes no more changes. Open a new incident if it comes back.")]
    Closed(IncidentId),
    #[error("This incident was opened from a sample finding. Samples can never lead to a live action.")]
    Sample,
    #[error("{0} is already waiting for a decision; see its card in the thread.")]
    AlreadyAsked(RequestId),
    #[error("{0} has already done this; see its card in the thread.")]
    AlreadyDone(RequestId),
    #[error("{0} is being carried out. Wait for its result.")]
    UnderWay(RequestId),
    #[error("{0}")]
    NotApplicable(String),
    #[error(
        "Nobody could approve this: besides you, {eligible} approver(s) are listed and {quorum} are needed. Add approvers in irp.toml."
    )]
    NobodyToApprove { eligible: usize, quorum: u8 },
    #[error("Only {} can withdraw it: they asked for it.", mention(.0))]
    NotYourRequest(UserId),
    #[error("A reason is needed, so that the next person knows why.")]
    ReasonNeeded,
    #[error("The likely compromise time cannot be after now.")]
    InTheFuture,
    #[error("Not closed as resolved, because containment is not done: {}. Do that first, or close it with a note that says why it is resolved all the same.", left_over(.0))]
    NotContained(Vec<String>),
    #[error("The rules in irp.toml have changed since {0} was asked for. Ask again from the step's card.")]
    RulesChanged(RequestId),
    #[error("{0} is protected: {1}")]
    Protected(String, String),
    #[error("{0} is still being carried out. Close the incident when its result is in.")]
    CannotCloseYet(RequestId),
    #[error("{0}")]
    Other(String),
}

/// A Slack mention, which Slack draws as the person's name.
pub fn mention(user: &UserId) -> String {
    format!("<@{user}>")
}

/// A moment for a sentence, to the second, in UTC.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn left_over(steps: &[String]) -> String {
    if steps.is_empty() { "which steps it takes is not known yet".to_owned() } else { steps.join("; ") }
}

const fn standing_sentence(standing: Standing) -> &'static str {
    match standing {
        Standing::Member => "You are a member.",
        Standing::Guest => "Guests can follow along but cannot request, approve or change anything here.",
        Standing::Bot => "Bots cannot request or approve anything here.",
        Standing::External => "People from other organisations cannot request, approve or change anything here.",
        Standing::Deactivated => "This Slack account is deactivated, so it cannot do that.",
        Standing::Unknown => {
            "Slack could not say who you are just now, so the answer is no. Nothing was changed; try again in a moment."
        }
    }
}
