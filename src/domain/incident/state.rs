//! How an incident stands: what folding its log gives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::event::Outcome;
use super::hands::Hand;
use super::inventory::Taken;
use super::logs::LogSearch;
use super::overruling::Overruled;
use super::quiet::Quiet;
use super::risk::Risk;
use super::verdict::Judged;
use crate::domain::alert::{AlertSource, Severity};
use crate::domain::approval::{Digest, Request};
use crate::domain::blast_radius::BlastRadius;
use crate::domain::credential::{AccessKeyId, PrincipalKind, Subject};
use crate::domain::hunt::{Call, Hunted, SoFar, Swept};
use crate::domain::id::{AccountId, IncidentId, RequestId, StepId, UserId};
use crate::domain::identification::{Identification, UNIDENTIFIED};
use crate::domain::policy::PersonId;

/// A log that is further ahead of a clock than this is not believed. As far in the past nobody executes what they approve: AWS
/// takes no call by such a clock.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

/// One incident, folded from its log.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// How many records its log has: what an append must name.
    pub version: u64,
    /// Hash of the last record: what the next one follows.
    pub head: String,
    /// The latest time at which a record of it was written.
    pub recorded_at: DateTime<Utc>,
    /// When it was opened: when the response began.
    pub opened_at: DateTime<Utc>,
    /// What raised it.
    pub source: AlertSource,
    /// One line for people, from outside.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Opened from a sample: nothing live can come of it.
    pub sample: bool,
    /// What the outside said about whose credential it is.
    pub subject: Subject,
    /// What people have written beside their reports, oldest first.
    pub reports: Vec<Reported>,
    /// Deliveries taken in: each counts once.
    pub deliveries: BTreeSet<String>,
    /// Findings, by id; alerts without one by their delivery.
    pub findings: BTreeMap<String, Finding>,
    /// Everything that points to the credential's owner: a tag that is changed later, or a new name, takes nobody's recusal
    /// back, and recuses nobody ([`crate::domain::recusal::signs`]).
    pub owner_signs: BTreeSet<String>,
    /// In a log of before that was so, each look at the credential adds to them.
    pub every_look_counts: bool,
    /// What is known about the credential. Stays when looking again fails.
    pub identified: Option<Identified>,
    /// Whether the bot is finding out.
    pub search: Search,
    /// What it was used for, and the roles it has taken, as far as that was read, and when.
    pub blast_radius: Option<(BlastRadius, DateTime<Utc>)>,
    /// From when on that is to be read again.
    pub reach_wanted_at: Option<DateTime<Utc>>,
    /// What the search through the trail has shown, and when it last looked.
    pub hunted: Option<(Hunted, DateTime<Utc>)>,
    /// When a search last showed a credential or a resource that was not known before.
    pub found_new_at: Option<DateTime<Utc>>,
    /// How far the search is that is under way, and takes long.
    pub hunting: Option<Box<SoFar>>,
    /// How far the last search came, and when.
    pub swept: Option<(Box<Swept>, DateTime<Utc>)>,
    /// What exists in the account beside that.
    pub inventory: Taken,
    /// Searches of CloudTrail's logs, oldest first.
    pub logs: Vec<LogSearch>,
    /// The sweeps that have found nothing new.
    pub quiet: Quiet,
    /// What the evidence says about the containment, and since when.
    pub verdict: Option<(Box<Judged>, DateTime<Utc>)>,
    /// The last call of the attacker's that has worked in spite of a containment.
    pub breach: Option<Box<Call>>,
    /// What people say they have done by hand, by step.
    pub hands: BTreeMap<StepId, Hand>,
    /// Who accepts the risk of the containment as it is.
    pub risk: Option<Box<Risk>>,
    /// Set by a responder.
    pub compromise: Option<CompromiseTime>,
    /// What responders have said about who is who, the oldest first.
    pub overruled: Vec<Overruled>,
    /// When a responder last said something that the search through the trail has to follow.
    pub told_at: Option<DateTime<Utc>>,
    /// Who leads.
    pub lead: Option<UserId>,
    /// When they took the lead; absent where it fell to whoever asked first.
    pub lead_at: Option<DateTime<Utc>>,
    /// Whom the incident is about, as responders have named them.
    pub named: BTreeSet<UserId>,
    /// Somebody says that something in their name was not theirs: nothing is approved or runs.
    pub freeze: Option<Freeze>,
    /// Who has said so of which request, and has done nothing with it since.
    pub not_them: BTreeSet<(UserId, RequestId)>,
    /// All requests, oldest first.
    pub requests: BTreeMap<RequestId, Request>,
    /// Those for each step, oldest first.
    pub by_step: BTreeMap<StepId, Vec<RequestId>>,
    /// Those that take a request back, oldest first.
    pub undoing: BTreeMap<RequestId, Vec<RequestId>>,
    /// What has become of the plans that no card can show, by what approvals of them are bound to.
    pub uploads: BTreeMap<Digest, Upload>,
    /// Whether AWS is read again for what was put in place.
    pub watch: Option<Watch>,
    /// Keys of the user that have appeared since its keys were first read.
    pub new_keys: BTreeSet<AccessKeyId>,
    /// Why the keys of the user could not be read the last time; absent while they can.
    pub keys_unread: Option<String>,
    /// The rules in force when it was opened, or since they changed; absent in old logs.
    pub policy_version: Option<String>,
    /// When whoever has said so had read them; absent in old logs.
    pub rules_read_at: Option<DateTime<Utc>>,
    /// Since when a key has been seen Inactive without a break, whoever switched it off.
    pub inactive_since: BTreeMap<AccessKeyId, DateTime<Utc>>,
    /// How it ended.
    pub closing: Option<Closing>,
    /// When each person's newest refused attempts were recorded.
    pub refused: BTreeMap<UserId, VecDeque<DateTime<Utc>>>,
    /// When anything but a refused attempt was last recorded.
    pub updated_at: DateTime<Utc>,
}

/// One finding, as its newest delivery says.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its type.
    pub finding_type: String,
    /// One line.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// First seen, by the source.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// Last seen, by the source.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// How often.
    pub count: u32,
    /// The caller's address.
    pub remote_address: Option<String>,
    /// The API that was called.
    pub api: Option<String>,
    /// The Region.
    pub region: Option<String>,
}

/// Approvals stand still.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Freeze {
    /// The record that says so, the newest where there are several: it names the freeze on a button.
    pub number: u64,
    /// Who says that something was not them, and which request.
    pub disputed: BTreeMap<UserId, RequestId>,
    /// Who has agreed to lift it since the last of them.
    pub agreed: BTreeMap<PersonId, UserId>,
}

/// A plan that has to be read as a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Upload {
    /// It is in the thread, at this address.
    Up(String),
    /// It could not be put there so far, for this reason.
    Failed(String),
}

/// AWS is read again after containment, at times that follow from these.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watch {
    /// When the last of the containment was put in place.
    pub since: DateTime<Utc>,
    /// When anything was last changed in AWS.
    pub changed_at: DateTime<Utc>,
    /// How often it was read since then.
    pub checks: u32,
}

/// What a person wrote beside a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// Who, if a person.
    pub by: Option<UserId>,
    /// In their words.
    pub text: String,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// What the bot found out, and when it read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Identified {
    /// What it found.
    pub found: Identification,
    /// When.
    pub at: DateTime<Utc>,
}

/// Whether the bot is to find out whose credential it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// It has.
    Done,
    /// It is to, not before the given time.
    Wanted {
        /// How often it has failed.
        failed: u32,
        /// When to try.
        not_before: DateTime<Utc>,
        /// What went wrong the last time.
        last_error: Option<String>,
    },
    /// It has given up until somebody asks again.
    GivenUp {
        /// What went wrong the last time.
        error: String,
    },
}

/// The likely time of compromise, and who says so.
#[derive(Clone, Debug, PartialEq)]
pub struct CompromiseTime {
    /// The time.
    pub at: DateTime<Utc>,
    /// Who set it.
    pub by: UserId,
    /// From what they know it.
    pub basis: String,
    /// When they said so.
    pub said_at: DateTime<Utc>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// When.
    pub at: DateTime<Utc>,
    /// Who closed it.
    pub by: UserId,
    /// With what outcome.
    pub outcome: Outcome,
    /// In their words.
    pub note: String,
}

impl Incident {
    /// The latest that it can be, for a process with this time on its clock: what is over by the log is over for a machine that
    /// wakes up in the past too.
    pub fn latest(&self, clock: DateTime<Utc>) -> DateTime<Utc> {
        let is_believed = self.recorded_at - clock <= AHEAD_MAX;
        if is_believed { clock.max(self.recorded_at) } else { clock }
    }

    /// What is known about the credential.
    pub fn identification(&self) -> Option<&Identification> {
        self.identified.as_ref().map(|i| &i.found)
    }

    /// The same; where nothing is known, that.
    pub fn identification_so_far(&self) -> &Identification {
        self.identification().unwrap_or(&UNIDENTIFIED)
    }

    /// What it was used for, and the roles it has taken.
    pub fn reach(&self) -> Option<&BlastRadius> {
        self.blast_radius.as_ref().map(|(found, _)| found)
    }

    /// The kind of principal, proved or not yet known.
    pub fn principal_kind(&self) -> PrincipalKind {
        self.identification().map_or(PrincipalKind::Unknown, |i| i.kind)
    }

    /// The account: what AWS said, else what the alert said, else what the key encodes.
    pub fn account(&self) -> Option<AccountId> {
        self.identification()
            .and_then(|i| i.account.clone())
            .or_else(|| self.subject.account.clone())
            .or_else(|| self.subject.access_key.as_ref().and_then(AccessKeyId::account_hint))
    }

    /// When malicious use was first seen, by any finding.
    pub fn first_seen_at(&self) -> Option<DateTime<Utc>> {
        self.findings.values().filter_map(|f| f.first_seen_at).min()
    }

    /// Requests for a step, newest first.
    pub fn requests_for<'a>(&'a self, step: &StepId) -> impl Iterator<Item = &'a Request> + use<'a> {
        self.by_step.get(step).into_iter().flatten().rev().filter_map(|id| self.requests.get(id))
    }

    /// One more request.
    pub(super) fn add(&mut self, request: Request) {
        self.by_step.entry(request.plan.step.clone()).or_default().push(request.id);
        if let Some(undone) = request.plan.action.undoes() {
            self.undoing.entry(undone).or_default().push(request.id);
        }
        self.requests.insert(request.id, request);
    }

    /// The name that the next request gets.
    pub fn next_request(&self) -> RequestId {
        let number = u32::try_from(self.requests.len()).unwrap_or(u32::MAX).saturating_add(1);
        RequestId::new(self.id, number)
    }

    /// Whether it still takes changes.
    pub const fn is_open(&self) -> bool {
        self.closing.is_none()
    }
}
