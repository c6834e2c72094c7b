//! What people and the engine ask of an incident.

use chrono::{DateTime, Utc};

use super::event::{Identification, Outcome};
use crate::domain::action::ApiCall;
use crate::domain::alert::Alert;
use crate::domain::approval::{CallAnswer, NoWarrant};
use crate::domain::id::{RequestId, StepId, UserId};
use crate::domain::observation::Observation;

/// Asked by a person. Each is authorised afresh.
#[derive(Clone, Debug)]
pub enum PersonCommand {
    /// Stake one's name on a step.
    Request {
        /// The step.
        step: StepId,
        /// AWS as it is now.
        before: Observation,
        /// Fresh randomness.
        nonce: String,
    },
    /// Say yes.
    Approve {
        /// To what.
        request: RequestId,
        /// The digest on the button.
        digest_shown: String,
    },
    /// Say no.
    Deny {
        /// To what.
        request: RequestId,
        /// The digest on the button.
        digest_shown: String,
        /// Why.
        reason: String,
    },
    /// Take one's own request back.
    Withdraw {
        /// Which.
        request: RequestId,
    },
    /// End somebody else's request, as the lead.
    Cancel {
        /// Which.
        request: RequestId,
    },
    /// Take one's own yes back.
    Retract {
        /// From what.
        request: RequestId,
    },
    /// Say that a request or an approval in one's name was not one's own.
    NotMe {
        /// Which.
        request: RequestId,
    },
    /// Agree to lift the freeze.
    Unfreeze,
    /// Name somebody whom the incident is about.
    NameSubject {
        /// Whom.
        user: UserId,
    },
    /// Have the bot find out again whose credential it is.
    LookAgain,
    /// Set the likely time of compromise.
    SetCompromiseTime {
        /// The time.
        at: DateTime<Utc>,
        /// From what they know it.
        basis: String,
    },
    /// Lead.
    TakeLead,
    /// End it.
    Close {
        /// With what outcome.
        outcome: Outcome,
        /// In their words.
        note: String,
    },
}

impl PersonCommand {
    /// What it is called in the audit.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request { .. } => "request",
            Self::Approve { .. } => "approve",
            Self::Deny { .. } => "deny",
            Self::Withdraw { .. } => "withdraw",
            Self::Cancel { .. } => "cancel",
            Self::Retract { .. } => "retract",
            Self::NotMe { .. } => "say that it was not them",
            Self::Unfreeze => "lift the freeze",
            Self::NameSubject { .. } => "name somebody",
            Self::LookAgain => "look again",
            Self::SetCompromiseTime { .. } => "set the compromise time",
            Self::TakeLead => "take the lead",
            Self::Close { .. } => "close",
        }
    }

    /// The request that it is about.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Approve { request, .. }
            | Self::Deny { request, .. }
            | Self::Withdraw { request }
            | Self::Cancel { request }
            | Self::Retract { request }
            | Self::NotMe { request } => Some(*request),
            _ => None,
        }
    }
}

/// What the engine brings back from outside.
#[derive(Debug)]
pub enum Report {
    /// One more delivery.
    Alert(Alert),
    /// Whose credential it is.
    Identified(Identification),
    /// AWS could not be asked.
    IdentificationFailed {
        /// What it said.
        error: String,
        /// Whether trying again can help.
        retry: bool,
    },
    /// People were checked once more and AWS was read: start, or end here.
    ReadyToExecute {
        /// The calls that the warrant stands for, or why there is no warrant any more.
        warranted: Result<Vec<ApiCall>, NoWarrant>,
        /// AWS just before the call.
        now: Observation,
        /// Which request.
        request: RequestId,
        /// The process that does it.
        replica: String,
    },
    /// AWS answered the call.
    CallAnswered {
        /// Which request.
        request: RequestId,
        /// How.
        answer: CallAnswer,
    },
    /// AWS was read after the call.
    ReadBack {
        /// Which request.
        request: RequestId,
        /// What it shows.
        now: Observation,
        /// No more reads follow: a change that does not show by now has failed.
        last: bool,
    },
    /// AWS could not be read after the call, for the last time.
    NotReadable {
        /// Which request.
        request: RequestId,
        /// What it said.
        error: String,
    },
    /// The rules have changed: what was asked under others has to be asked again.
    RulesChanged,
    /// The clock passed a request's limit.
    ClockPassed {
        /// Which request.
        request: RequestId,
    },
}
