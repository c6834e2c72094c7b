//! What happened, in the past tense. The log is made of these and of nothing else.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::action::ApiCall;
use crate::domain::alert::{Alert, Severity};
use crate::domain::approval::{CallAnswer, Digest, Plan};
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::id::{AccountId, IncidentId, RequestId, UserId};
use crate::domain::observation::KeyStatus;
use crate::domain::policy::PersonId;
use crate::domain::refusal::Refusal;

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
    /// It could not.
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
        /// With this yes the quorum is reached: the call must start by then.
        execute_by: Option<DateTime<Utc>>,
    },
    /// An approver said no.
    RequestDenied {
        /// To what.
        request: RequestId,
        /// Who.
        by: UserId,
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
    /// Whether it holds could not be found out.
    ExecutionUnknown {
        /// What.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// Somebody tried something and was told no.
    AttemptRefused {
        /// Who.
        by: UserId,
        /// What they tried.
        attempt: String,
        /// On which request.
        request: Option<RequestId>,
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

/// How an incident ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The credential was stolen, and it is dealt with.
    Resolved,
    /// It was not stolen.
    FalsePositive,
    /// Another incident covers it.
    Duplicate,
    /// A drill or a sample.
    Exercise,
}

impl Outcome {
    /// All of them, in the order shown.
    pub const ALL: [Self; 4] = [Self::Resolved, Self::FalsePositive, Self::Duplicate, Self::Exercise];

    /// As people type it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::FalsePositive => "false-positive",
            Self::Duplicate => "duplicate",
            Self::Exercise => "exercise",
        }
    }

    /// As people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resolved => "Resolved",
            Self::FalsePositive => "False positive",
            Self::Duplicate => "Duplicate",
            Self::Exercise => "Exercise",
        }
    }

    /// From what people type.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str().eq_ignore_ascii_case(text))
    }
}

/// What the bot found out about the credential, and what it could not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identification {
    /// What sort of principal.
    pub kind: PrincipalKind,
    /// User or role name.
    pub name: Option<String>,
    /// Its ARN.
    pub arn: Option<String>,
    /// `AIDA…` or `AROA…`.
    pub unique_id: Option<String>,
    /// The session's name, for a session of a role.
    pub session_name: Option<String>,
    /// The account that it is in.
    pub account: Option<AccountId>,
    /// The account that the key's own characters encode.
    pub account_in_key: Option<AccountId>,
    /// The account that `sts:GetAccessKeyInfo` names.
    pub account_from_sts: Option<AccountId>,
    /// All keys of the user, as far as they could be read.
    pub keys: Vec<KnownKey>,
    /// Whether all keys of the user could be read.
    #[serde(default)]
    pub keys_read: bool,
    /// What tags of the user or role say about its owner.
    #[serde(default)]
    pub owners: Vec<String>,
    /// For a role: who uses it besides.
    pub role_use: Option<RoleUse>,
    /// What could not be found out, a sentence each.
    pub not_known: Vec<String>,
}

impl Identification {
    /// What this reading lacks is kept from an older one of the same principal: a permission lost or a
    /// service away must not take back what was known. What could not be read this time stays said.
    #[must_use]
    pub fn over(mut self, older: Option<&Self>) -> Self {
        let Some(older) = older.filter(|o| o.name == self.name || self.name.is_none()) else { return self };
        if self.kind == PrincipalKind::Unknown {
            self.kind = older.kind;
        }
        let keep = |new: &mut Option<String>, old: &Option<String>| {
            if new.is_none() {
                new.clone_from(old);
            }
        };
        keep(&mut self.name, &older.name);
        keep(&mut self.arn, &older.arn);
        keep(&mut self.unique_id, &older.unique_id);
        keep(&mut self.session_name, &older.session_name);
        self.account = self.account.or_else(|| older.account.clone());
        self.account_in_key = self.account_in_key.or_else(|| older.account_in_key.clone());
        self.account_from_sts = self.account_from_sts.or_else(|| older.account_from_sts.clone());
        if !self.keys_read {
            self.keys.clone_from(&older.keys);
            self.keys_read = older.keys_read;
        }
        if self.owners.is_empty() {
            self.owners.clone_from(&older.owners);
        }
        self.role_use = self.role_use.or_else(|| older.role_use.clone());
        self
    }
}

/// One key of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownKey {
    /// The key.
    pub id: AccessKeyId,
    /// Its status when it was read.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When AWS last saw it used; to about 15 minutes' precision.
    pub last_used_at: Option<DateTime<Utc>>,
    /// For which service, in which Region.
    pub last_used_for: Option<String>,
}

/// Who uses a role, as far as its trust policy, its instance profiles and the trail of recent days show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleUse {
    /// Principals that the trust policy lets in.
    pub trusted: Vec<String>,
    /// Who has assumed it, newest first.
    pub assumed_by: Vec<String>,
    /// Instance profiles that carry it.
    pub instance_profiles: Vec<String>,
    /// How many days of the trail were read.
    pub days_read: u32,
    /// Whether there was more than was read.
    pub cut: bool,
}
