//! What happened, in the past tense. The log is made of these and of nothing else.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use super::{outcome::Outcome, watch::Lost};
use crate::domain::action::ApiCall;
use crate::domain::alert::{Alert, Severity};
use crate::domain::approval::{CallAnswer, Digest, Plan, Shown};
use crate::domain::blast_radius::BlastRadius;
use crate::domain::credential::AccessKeyId;
use crate::domain::hunt::{Hunted, SoFar, Swept, athena::LogQuestion};
use crate::domain::id::{IncidentId, RequestId, StepId, UserId};
use crate::domain::identification::Identification;
use crate::domain::inventory::Inventory;
use crate::domain::policy::PersonId;
use crate::domain::refusal::Refusal;
use crate::domain::trail::attribution::Word;

use super::logs::{Bill, Brought, Estimate};
use super::verdict::Judged;

/// One thing that happened to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// The first record of every incident.
    Opened {
        /// Its name.
        id: IncidentId,
        /// What it is about.
        alert: Alert,
        /// How bad.
        severity: Severity,
        /// The rules in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy_version: Option<String>,
        /// When whoever opened it had read them; older logs do not say it.
        rules_read_at: Option<DateTime<Utc>>,
    },
    /// Other rules are in force than before: irp.toml was read anew.
    RulesChanged {
        /// Which.
        policy_version: String,
        /// When they were read; older logs do not say it.
        read_at: Option<DateTime<Utc>>,
    },
    /// A delivery about the same credential, or a newer state of the same finding.
    AlertReceived {
        /// It.
        alert: Alert,
    },
    /// The bot found out whose credential it is.
    Identified {
        /// What it found.
        found: Identification,
    },
    /// The event history was read for what the credential was used for and which roles it has taken.
    BlastRadiusRead {
        /// What it shows.
        found: BlastRadius,
    },
    /// The trail was searched for what the attacker reached and left behind.
    TrailHunted {
        /// What it shows so far.
        found: Box<Hunted>,
    },
    /// A search through the trail is under way: said now and then while it takes long.
    TrailPartlyRead {
        /// How far it has come.
        so_far: Box<SoFar>,
    },
    /// A search through the trail has come to its end, whatever it found.
    TrailSwept {
        /// How far each Region is known.
        swept: Box<Swept>,
    },
    /// What exists in the account was set against the log.
    InventoryTaken {
        /// What it shows; absent when that is the same as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<Box<Inventory>>,
        /// When the look at it began; absent when it could not be looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        began_at: Option<DateTime<Utc>>,
    },
    /// Somebody has looked at things that no event explains.
    ThingsLookedAt {
        /// Who.
        by: UserId,
        /// At which, by their keys.
        things: BTreeSet<String>,
    },
    /// The evidence says something else about the containment than before.
    VerdictReached {
        /// What.
        judged: Box<Judged>,
    },
    /// One of the two who have to has accepted the risk of a containment that is not proven.
    RiskAgreed {
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
        /// Why.
        reason: String,
    },
    /// Two people, one of them an approver, have accepted it.
    RiskAccepted,
    /// Somebody says that they have done by hand what the bot may not.
    HandDone {
        /// Which step.
        step: StepId,
        /// It, for people.
        title: String,
        /// What they did.
        done: String,
        /// Why the step was there.
        about: Digest,
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
    },
    /// Somebody else has looked, and says so too.
    HandConfirmed {
        /// Which step.
        step: StepId,
        /// It, for people.
        title: String,
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
    },
    /// Somebody took that back.
    HandTakenBack {
        /// Which step.
        step: StepId,
        /// It, for people.
        title: String,
        /// Who.
        by: UserId,
    },
    /// A responder asked for a search of CloudTrail's logs.
    LogsSearchAsked {
        /// Which, from 1.
        number: u32,
        /// What the logs are asked for.
        question: Box<LogQuestion>,
        /// Who.
        by: UserId,
    },
    /// It was worked out what the search would read.
    LogsSearchEstimated {
        /// Which.
        number: u32,
        /// What.
        estimate: Estimate,
    },
    /// A responder has seen that, and lets it run.
    LogsSearchConfirmed {
        /// Which.
        number: u32,
        /// Who.
        by: UserId,
    },
    /// Athena runs it.
    LogsSearchStarted {
        /// Which.
        number: u32,
        /// Athena's name for the query.
        execution: String,
    },
    /// The logs were searched.
    LogsSearched {
        /// Which search.
        number: u32,
        /// What it brought.
        brought: Brought,
        /// What it cost.
        bill: Bill,
    },
    /// The logs could not be searched.
    LogsSearchFailed {
        /// Which search.
        number: u32,
        /// Why.
        why: String,
        /// What it cost all the same, where that is known.
        bill: Option<Bill>,
    },
    /// A responder ended a search. What runs of it at AWS is stopped.
    LogsSearchCancelled {
        /// Which.
        number: u32,
        /// Who.
        by: UserId,
    },
    /// The query of a cancelled search stands still.
    LogsSearchStopped {
        /// Which search.
        number: u32,
        /// What it had read by then.
        bill: Bill,
    },
    /// The bot could not find out whose credential it is.
    IdentificationFailed {
        /// How often it has tried.
        attempt: u32,
        /// What AWS said.
        error: String,
        /// When it tries again; never, when absent.
        retry_at: Option<DateTime<Utc>>,
    },
    /// A responder asked to look again.
    IdentificationAsked {
        /// Who.
        by: UserId,
    },
    /// A responder set the likely time of compromise.
    CompromiseTimeSet {
        /// The time.
        compromised_at: DateTime<Utc>,
        /// Who.
        by: UserId,
        /// From what they know it.
        basis: String,
    },
    /// A responder said who it was that made a call, or all calls of a key, an address or a principal.
    AttributionOverruled {
        /// What they said.
        word: Word,
        /// Who.
        by: UserId,
        /// From what they know it.
        reason: String,
    },
    /// A responder took the lead.
    LeadTaken {
        /// Who.
        by: UserId,
    },
    /// A responder asked for an action.
    ApprovalRequested {
        /// The request's name.
        request: RequestId,
        /// What is asked for.
        plan: Box<Plan>,
        /// What approvals are bound to.
        digest: Digest,
        /// The account that asked.
        by: UserId,
        /// Who could approve it at that moment.
        asked: Vec<PersonId>,
        /// The first of those that were asked for together and are decided together; absent for one alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        burst: Option<RequestId>,
    },
    /// The whole text of a plan that no card can show is in the thread, as a file.
    PlanUploaded {
        /// What it is the plan of; the first of those that were asked for together.
        request: RequestId,
        /// What approvals are bound to, and the file says at its top.
        digest: Digest,
        /// Its address in Slack.
        file: String,
    },
    /// It could not be put there; that is tried again.
    PlanNotUploaded {
        /// What it is the plan of; the first of those that were asked for together.
        request: RequestId,
        /// What approvals are bound to.
        digest: Digest,
        /// Why not.
        why: String,
    },
    /// One person alone let it run, by the rules for an emergency. A second one has to judge that afterwards.
    GlassBroken {
        /// What.
        request: RequestId,
        /// What the card said that they decided on; older logs do not say it.
        shown: Option<Shown>,
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
        /// Why it could not wait.
        reason: String,
        /// The last moment for the call to start.
        execute_by: DateTime<Utc>,
    },
    /// A second person says that it was right to let it run.
    GlassRatified {
        /// What.
        request: RequestId,
        /// Who.
        by: UserId,
    },
    /// A second person says that it was not.
    GlassContested {
        /// What.
        request: RequestId,
        /// Who.
        by: UserId,
        /// Why.
        reason: String,
    },
    /// AWS was read again after the containment: what still holds and what does not.
    ContainmentChecked {
        /// What AWS still shows.
        held: Vec<RequestId>,
        /// What it does not show any more.
        lost: Vec<Lost>,
        /// Keys of the user that were not there before.
        new_keys: Vec<AccessKeyId>,
        /// What could not be read, a sentence each.
        unread: Vec<String>,
        /// Why the keys of the user could not be read; absent when they were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys_unread: Option<String>,
    },
    /// What was put in place, or the user's keys, can be read no more: whether it holds is not known.
    ContainmentUnread {
        /// Which, and why.
        unread: Vec<Lost>,
        /// Why the user's keys cannot be read; absent when they can, and when this was said before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<String>,
    },
    /// Another request for the same step has taken its place.
    RequestSuperseded {
        /// What.
        request: RequestId,
        /// By which.
        by: RequestId,
    },
    /// An approver took their yes back.
    ApprovalRetracted {
        /// From what.
        request: RequestId,
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
    },
    /// A yes no longer counts: whoever gave it has lost the right to.
    ApprovalVoided {
        /// On what.
        request: RequestId,
        /// Whose.
        by: UserId,
        /// Why.
        why: Refusal,
    },
    /// Somebody says that a request or an approval in their name was not theirs.
    Frozen {
        /// Who.
        by: UserId,
        /// Which request.
        request: RequestId,
    },
    /// One of the two who have to has agreed to lift the freeze.
    UnfreezeAgreed {
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
    },
    /// The lead and another approver have lifted the freeze.
    Unfrozen,
    /// A responder named somebody whom the incident is about.
    SubjectNamed {
        /// Whom.
        user: UserId,
        /// Who did.
        by: UserId,
    },
    /// An approver said yes.
    ApprovalGiven {
        /// To what.
        request: RequestId,
        /// The account.
        by: UserId,
        /// The human.
        person: PersonId,
        /// What the card said that they decided on; older logs do not say it.
        shown: Option<Shown>,
        /// With this yes the quorum is reached: the call must start by then.
        execute_by: Option<DateTime<Utc>>,
    },
    /// An approver said no.
    RequestDenied {
        /// To what.
        request: RequestId,
        /// Who.
        by: UserId,
        /// What the card said that they decided on; older logs do not say it.
        shown: Option<Shown>,
        /// Why.
        reason: String,
    },
    /// The requester took it back.
    RequestWithdrawn {
        /// What.
        request: RequestId,
        /// Who.
        by: UserId,
    },
    /// Nobody decided in time.
    RequestExpired {
        /// What.
        request: RequestId,
    },
    /// The call did not start in time, or the approval no longer stood.
    RequestLapsed {
        /// What.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// AWS changed between request and call.
    RequestStale {
        /// What.
        request: RequestId,
        /// How it changed.
        why: String,
    },
    /// Ended by closing.
    RequestCancelled {
        /// What.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// Written before the call goes out, so that a crash cannot hide it.
    ExecutionStarted {
        /// Of what.
        request: RequestId,
        /// The process that does it.
        replica: String,
        /// Until when it may be at it; after that, others read back.
        lease_until: DateTime<Utc>,
        /// The calls as they go out.
        sent: Vec<ApiCall>,
    },
    /// The calls are still out, and the process that makes them lives.
    ExecutionContinues {
        /// Of what.
        request: RequestId,
        /// Until when it may be at it now.
        lease_until: DateTime<Utc>,
    },
    /// AWS answered.
    CallAnswered {
        /// To what.
        request: RequestId,
        /// How.
        answer: CallAnswer,
    },
    /// AWS shows that it holds.
    Verified {
        /// What.
        request: RequestId,
        /// It already was so before any call.
        no_op: bool,
    },
    /// It does not hold.
    ExecutionFailed {
        /// What.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// Whether it holds could not be found out. AWS is read again.
    ExecutionUnknown {
        /// What.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// It still could not: AWS was read again, and does not show the change.
    LookedAgain {
        /// For what.
        request: RequestId,
        /// What it shows, or why it could not be read.
        shows: String,
    },
    /// Somebody tried something and was told no.
    AttemptRefused {
        /// Who.
        by: UserId,
        /// What they tried.
        attempt: String,
        /// On which request.
        request: Option<RequestId>,
        /// The digest on the button that they pressed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// By which rules.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy_version: Option<String>,
        /// So many more of theirs before it are not on record, where they were more than a log takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_out: Option<u32>,
        /// What they were told.
        refusal: Refusal,
    },
    /// The last record.
    Closed {
        /// Who.
        by: UserId,
        /// With what outcome.
        outcome: Outcome,
        /// In their words.
        note: String,
    },
}
