//! What people and the engine ask of an incident.

use chrono::{DateTime, Utc};

use super::event::Outcome;
use super::hunting::{HalfWay, Sweep};
use super::logs::LogNews;
use super::watch::Looked;
use crate::domain::action::ApiCall;
use crate::domain::alert::Alert;
use crate::domain::approval::{CallAnswer, Digest, NoWarrant};
use crate::domain::blast_radius::BlastRadius;
use crate::domain::id::{RequestId, StepId, UserId};
use crate::domain::identification::Identification;
use crate::domain::inventory::Inventory;
use crate::domain::observation::Observation;
use crate::domain::trail::attribution::Word;

/// Asked by a person. Each is authorised afresh.
#[derive(Clone, Debug)]
pub enum PersonCommand {
    /// Stake one's name on a step, or on several that are decided together.
    Request {
        /// The steps, in order, each with AWS as it is now.
        parts: Vec<(StepId, Observation)>,
        /// Names this press and no other: what it has led to is not asked for again when it is delivered twice.
        nonce: String,
    },
    /// Say yes.
    Approve {
        /// To what.
        request: RequestId,
        /// The digest on the button.
        digest_shown: String,
        /// When they pressed it: a yes that was taken back later is not given again by a late delivery.
        clicked_at: DateTime<Utc>,
    },
    /// Let it run alone, in an emergency.
    BreakGlass {
        /// What.
        request: RequestId,
        /// The digest on the button.
        digest_shown: String,
        /// The target, as they typed it.
        target: String,
        /// Why it cannot wait.
        reason: String,
    },
    /// Say that it was right to let it run alone.
    Ratify {
        /// What.
        request: RequestId,
    },
    /// Say that it was not.
    Contest {
        /// What.
        request: RequestId,
        /// Why.
        reason: String,
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
        /// When they pressed it: a yes that was given later is not taken back by a late delivery.
        clicked_at: DateTime<Utc>,
    },
    /// Say that a request or an approval in one's name was not one's own.
    NotMe {
        /// Which.
        request: RequestId,
    },
    /// Agree to lift the freeze.
    Unfreeze {
        /// What names the freeze on the button.
        shown: u64,
    },
    /// Accept the risk of a containment that is not proven.
    AcceptRisk {
        /// What names the containment on the button.
        shown: i64,
        /// Why.
        reason: String,
    },
    /// Say that one has done by hand what the bot may not.
    SayDone {
        /// Which step.
        step: StepId,
        /// What was done.
        done: String,
    },
    /// Confirm that somebody else has.
    ConfirmDone {
        /// Which step.
        step: StepId,
        /// What names their word on the button.
        shown: String,
    },
    /// Take that back.
    TakeBackDone {
        /// Which step.
        step: StepId,
        /// What names the word on the button.
        shown: String,
    },
    /// Say that one has looked at things that no event explains.
    LookAt {
        /// What names them on the button.
        shown: String,
    },
    /// Name somebody whom the incident is about.
    NameSubject {
        /// Whom.
        user: UserId,
    },
    /// Say who it was that made a call.
    Overrule {
        /// What it is about, and who it was.
        word: Word,
        /// From what they know it.
        reason: String,
        /// When they sent it: what was said later stands.
        clicked_at: DateTime<Utc>,
    },
    /// Have the bot find out again whose credential it is.
    LookAgain,
    /// Set the likely time of compromise.
    SetCompromiseTime {
        /// The time.
        at: DateTime<Utc>,
        /// From what they know it.
        basis: String,
        /// When they sent it: what was said later stands.
        clicked_at: DateTime<Utc>,
    },
    /// Have it worked out what a search of the logs would read.
    AskLogs,
    /// Have the logs searched.
    RunLogs {
        /// Which search they have seen the cost of.
        number: u32,
    },
    /// End a search of the logs.
    CancelLogs {
        /// Which.
        number: u32,
    },
    /// Lead.
    TakeLead {
        /// When they pressed it: whoever has taken the lead later keeps it.
        clicked_at: DateTime<Utc>,
    },
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
            Self::BreakGlass { .. } => "break the glass",
            Self::Ratify { .. } => "ratify",
            Self::Contest { .. } => "contest",
            Self::Deny { .. } => "deny",
            Self::Withdraw { .. } => "withdraw",
            Self::Cancel { .. } => "cancel",
            Self::Retract { .. } => "retract",
            Self::NotMe { .. } => "say that it was not them",
            Self::Unfreeze { .. } => "lift the freeze",
            Self::AcceptRisk { .. } => "accept the risk",
            Self::SayDone { .. } => "say that it is done by hand",
            Self::ConfirmDone { .. } => "confirm what was done by hand",
            Self::TakeBackDone { .. } => "take back that it was done by hand",
            Self::LookAt { .. } => "look at what no event explains",
            Self::NameSubject { .. } => "name somebody",
            Self::Overrule { .. } => "say who it was",
            Self::LookAgain => "look again",
            Self::SetCompromiseTime { .. } => "set the compromise time",
            Self::AskLogs => "ask for a search of the logs",
            Self::RunLogs { .. } => "search the logs",
            Self::CancelLogs { .. } => "end a search of the logs",
            Self::TakeLead { .. } => "take the lead",
            Self::Close { .. } => "close",
        }
    }

    /// Whether it only stops something, or takes back what was one's own: for that it does not matter how old the rules of
    /// the process are that takes it. To deny is to decide: whoever has lost the right to could keep what contains away.
    pub const fn only_stops(&self) -> bool {
        matches!(
            self,
            Self::NotMe { .. }
                | Self::Retract { .. }
                | Self::Withdraw { .. }
                | Self::Cancel { .. }
                | Self::TakeBackDone { .. }
                | Self::CancelLogs { .. }
        )
    }

    /// The request that it is about.
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::Approve { request, .. }
            | Self::BreakGlass { request, .. }
            | Self::Ratify { request }
            | Self::Contest { request, .. }
            | Self::Deny { request, .. }
            | Self::Withdraw { request }
            | Self::Cancel { request }
            | Self::Retract { request, .. }
            | Self::NotMe { request } => Some(*request),
            _ => None,
        }
    }
}

/// What somebody tried, as the log keeps it when they are told no.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attempt<'a> {
    /// In words.
    pub name: &'a str,
    /// On which request.
    pub request: Option<RequestId>,
    /// The digest on the button that they pressed.
    pub digest: Option<&'a str>,
}

impl<'a> From<&'a PersonCommand> for Attempt<'a> {
    fn from(command: &'a PersonCommand) -> Self {
        let digest = match command {
            PersonCommand::Approve { digest_shown, .. }
            | PersonCommand::BreakGlass { digest_shown, .. }
            | PersonCommand::Deny { digest_shown, .. } => Some(digest_shown.as_str()),
            _ => None,
        };
        Self { name: command.name(), request: command.request(), digest }
    }
}

/// What the engine brings back from outside.
#[derive(Debug)]
pub enum Report {
    /// One more delivery.
    Alert(Alert),
    /// Whose credential it is.
    Identified(Identification),
    /// What it was used for, and the roles it has taken.
    Reached(BlastRadius),
    /// What a search through the trail has come to before its end.
    HalfWay(Box<HalfWay>),
    /// What a search through the trail has shown.
    Hunted(Box<Sweep>),
    /// What exists in the account, set against what a search has shown.
    Inventory(Box<Inventory>),
    /// How a search of the logs goes on.
    Logs {
        /// Which search.
        number: u32,
        /// How.
        news: LogNews,
    },
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
    /// The calls are still out.
    StillExecuting {
        /// Which request.
        request: RequestId,
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
        /// No more reads follow for now: of a change that does not show, it is not known whether it was made.
        last: bool,
    },
    /// AWS could not be read after the call, for the last time.
    NotReadable {
        /// Which request.
        request: RequestId,
        /// What it said.
        error: String,
    },
    /// AWS was read again after the containment.
    Checked {
        /// What is in force, and what AWS shows of it, or why it could not be read.
        looked: Vec<Looked<RequestId>>,
        /// The same of the user's keys; absent where there are none to ask about.
        keys: Option<Result<Observation, String>>,
    },
    /// The whole text of a plan was put into the thread as a file, or could not be.
    PlanFile {
        /// Which request's; the first of those that were asked for together.
        request: RequestId,
        /// What approvals of it are bound to.
        digest: Digest,
        /// Its address, or why not.
        outcome: Result<String, String>,
    },
    /// This process goes by these rules: where the log names others that were read earlier, they have changed, and what was
    /// asked under others has to be asked again.
    RulesRead {
        /// When it has read them.
        read_at: DateTime<Utc>,
    },
    /// The clock passed a request's limit.
    ClockPassed {
        /// Which request.
        request: RequestId,
    },
}
