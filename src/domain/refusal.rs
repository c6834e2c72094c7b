//! The ways to say no. Each `Display` is the sentence that the person reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{IncidentId, RequestId, UserId};
use super::policy::Standing;
use super::recusal::Why;

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
    #[error("Your approval is already recorded, at {0}. Nothing more was changed by this click.")]
    AlreadyApprovedByYou(String),
    #[error(
        "You have approved {0}: take your approval back on its card first, then deny it. The request is untouched."
    )]
    TakeBackFirst(RequestId),
    #[error("You cannot decide in this incident: {}. Somebody else has to. The request is untouched.", .0.to_themselves())]
    Recused(Why),
    #[error(
        "Slack could not say who is in the groups of irp.toml just now, so the answer is no. Nothing was changed; try again in a moment."
    )]
    GroupsUnread,
    #[error(
        "Approvals of this incident are frozen: {} says that {request} was not them. The lead and another approver have to lift it first.",
        mention(by)
    )]
    Frozen { by: UserId, request: RequestId },
    #[error(
        "You have said that {0} was not you, so your account does nothing else in this incident until the lead and another approver have lifted the freeze."
    )]
    Disputed(RequestId),
    #[error(
        "{incident} is closed, so nothing of it is left to stop. Its thread is told that {request} was not you. Change your password and end your Slack sessions now: somebody may be using your account. Then have a responder open an incident about the same credential (`/irp open`), and look there at what was done in your name."
    )]
    DisputedTooLate { incident: IncidentId, request: RequestId },
    #[error("Approvals of this incident are not frozen.")]
    NotFrozen,
    #[error("Nobody leads this incident: take the lead first, then lift the freeze with another approver.")]
    NoLead,
    #[error("Only the lead and another approver can lift it, and not whoever said that it was not them.")]
    CannotLift,
    #[error("You have agreed already. It takes the lead and another approver.")]
    AlreadyAgreed,
    #[error("You have said so of {0} already, and nothing waits in your name.")]
    SaidAlready(RequestId),
    #[error("Nobody can run this alone: break-glass is off in irp.toml.")]
    GlassOff,
    #[error(
        "You cannot run this alone. Break-glass is for the people in irp.toml, and only for what contains and can be taken back."
    )]
    NotForGlass,
    #[error(
        "Your approval lets {0} run, so there is no glass to break: press Approve on its card instead. Nothing was changed by this click."
    )]
    ApproveInstead(RequestId),
    #[error("What you typed is not the target. Type {0}, or go back and look at the card again.")]
    NotTheTarget(String),
    #[error("{0} was not run by one person alone, or a second person has said already whether it was right.")]
    NoDebt(RequestId),
    #[error(
        "One person alone has let {0} run, and nobody has said yet whether that was right. An approver who has neither asked for it nor let it run has to ratify or contest it on its card first. Where there is none, have one added in irp.toml."
    )]
    DebtOpen(RequestId),
    #[error("You took your approval of {request} back at {at}, after this click. Press Approve again if you mean it.")]
    TakenBackSince { request: RequestId, at: String },
    #[error("{0} names neither you as its requester nor as its approver.")]
    NotInYourName(RequestId),
    #[error("Only the lead can cancel somebody else's request.")]
    NotTheLead,
    #[error("You have not approved {0}, so there is nothing to take back.")]
    NothingToRetract(RequestId),
    #[error("{request} is no longer open: {how}. Nothing was changed by this click.")]
    Decided { request: RequestId, how: String },
    #[error("The time to decide on {request} ended at {at}. Nothing was run. Ask again from the step's card.")]
    TooLate { request: RequestId, at: String },
    #[error("The time in which {request} could begin ended at {at}. Nothing was run. Ask again from the step's card.")]
    TooLateToRun { request: RequestId, at: String },
    #[error("This button belongs to another version of {0}. Nothing was changed; use the buttons on the newest card.")]
    DigestMismatch(RequestId),
    #[error(
        "The plan of {0} is too long for its card, and it is being uploaded to the thread. Approve once it is there. Nothing was changed by this click."
    )]
    NotShownWhole(RequestId),
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
        "Nobody could approve this: {eligible} approver(s) besides you can decide here{}, and {quorum} are needed. {}",
        recused_in_words(*recused), whom_to_ask(ask)
    )]
    NobodyToApprove { eligible: usize, recused: usize, quorum: u8, ask: Vec<UserId> },
    #[error(
        "This message is not the bot's card: its buttons work only where the bot has posted them. Nothing was changed; use the card in the incident's thread."
    )]
    NotItsCard,
    #[error(
        "This was pressed in another Slack workspace than the bot's. Nothing was changed; use the card in the incident's thread."
    )]
    OtherWorkspace,
    #[error("What you pressed arrived a second time. It counts once, and nothing was changed by the second.")]
    Repeated,
    #[error("This button belongs to another version of the bot. Nothing was done; use the buttons on the newest card.")]
    UnknownButton,
    #[error("AWS could not be read, so nothing was asked for. {0}")]
    AwsUnread(String),
    #[error(
        "This could not be handled in time, so it was not carried out. Look at the card and do it again if it still fits."
    )]
    HandledTooLate,
    #[error(
        "Not named: without {} only {left} approver(s) besides you could decide here, and that is too few. {} Name them after that.",
        mention(user),
        whom_to_ask(ask)
    )]
    TooFewLeft { user: UserId, left: usize, ask: Vec<UserId> },
    #[error("Only {} can withdraw it: they asked for it.", mention(.0))]
    NotYourRequest(UserId),
    #[error("A reason is needed, so that the next person knows why.")]
    ReasonNeeded,
    #[error("The likely compromise time cannot be after now.")]
    InTheFuture,
    #[error("Not closed as resolved, because containment is not done: {}. Do that first, or close it with a note that says why it is resolved all the same.", left_over(.0))]
    NotContained(Vec<String>),
    #[error("Not closed as resolved, because eradication is not done: {}. Wait for it or do it, or close it with a note that says why it is resolved all the same.", .0.join("; "))]
    NotEradicated(Vec<String>),
    #[error("The rules in irp.toml have changed since {0} was asked for. Ask again from the step's card.")]
    RulesChanged(RequestId),
    #[error(
        "The process that answers you has other rules (irp.toml) than this incident is handled under. Nothing was changed: try again in a minute. If it goes on, have every process of the bot read the same irp.toml anew (SIGHUP)."
    )]
    OtherRules,
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

fn recused_in_words(recused: usize) -> String {
    if recused == 0 { String::new() } else { format!(" ({recused} recused)") }
}

/// What to do where too few people can decide.
pub fn whom_to_ask<'a>(ask: impl IntoIterator<Item = &'a UserId>) -> String {
    let ask: Vec<String> = ask.into_iter().map(mention).collect();
    if ask.is_empty() {
        return "Have approvers added in irp.toml.".to_owned();
    }
    format!("Ask {} to add approvers.", ask.join(" or "))
}

fn left_over(steps: &[String]) -> String {
    if steps.is_empty() { "which steps it takes is not known yet".to_owned() } else { steps.join("; ") }
}

const fn standing_sentence(standing: Standing) -> &'static str {
    match standing {
        Standing::Member => "You are a member.",
        Standing::Guest => {
            "Guests see what is posted in the channels that they are in, and no more: they cannot list, request, approve or \
             change anything here. Ask a full member of this workspace."
        }
        Standing::Bot => "Bots cannot request or approve anything here.",
        Standing::External => "People from other organisations cannot request, approve or change anything here.",
        Standing::Deactivated => "This Slack account is deactivated, so it cannot do that.",
        Standing::Unknown => {
            "Slack could not say who you are just now, so the answer is no. Nothing was changed; try again in a moment."
        }
    }
}
