//! Two people behind one change: what exactly is asked for, who may decide, and the proof that lets it run.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::action::{Action, ApiCall, WorkedOut};
use super::id::{AccountId, IncidentId, RequestId, StepId, UserId};
use super::observation::Observation;
use super::policy::{Actor, PersonId, Policy, Standing};
use super::refusal::{Refusal, moment};

/// Version of the digest's content. A change in what is bound changes it.
const PLAN_SCHEMA: u8 = 1;
/// Paths of roles that only AWS can change: service-linked ones and those of IAM Identity Center.
const RESERVED_PATHS: [&str; 2] = ["/aws-service-role/", "/aws-reserved/"];
/// Characters of the digest that cards and buttons carry.
const DIGEST_SHOWN_CHARS: usize = 12;

/// SHA-256 over the canonical JSON (RFC 8785) of a [`Plan`], in hexadecimal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Of anything that serialises.
    pub fn of(value: &impl Serialize) -> Self {
        let canonical = serde_json_canonicalizer::to_vec(value).expect("plain data with string keys always serialises");
        Self(hex::encode(Sha256::digest(canonical)))
    }

    /// The part that people and buttons see.
    pub fn short(&self) -> &str {
        &self.0[..DIGEST_SHOWN_CHARS]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that an approval is bound to. Titles and reasons are not part of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    schema: u8,
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: StepId,
    /// The change.
    pub action: Action,
    /// The account it is made in.
    pub account: AccountId,
    /// The Region that the calls go to.
    pub region: String,
    /// ARNs of what is changed, sorted.
    pub targets: Vec<String>,
    /// The literal calls and their inverse.
    pub work: WorkedOut,
    /// AWS as it was when this was planned.
    pub before: Observation,
    /// SHA-256 of `before`.
    pub before_hash: Digest,
    /// The human who asks.
    pub requester: PersonId,
    /// The rules that it was asked under.
    pub policy_version: String,
    /// Makes two plans with the same content different.
    pub nonce: String,
    /// The last moment to decide.
    pub approve_by: DateTime<Utc>,
}

/// What a plan is made from, besides the action and AWS's answer.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: &'a StepId,
    /// The account.
    pub account: &'a AccountId,
    /// Who asks.
    pub requester: &'a PersonId,
    /// Fresh randomness.
    pub nonce: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Plan {
    /// Works an action out against AWS as it is. Refuses what cannot or must not be done.
    pub fn make(action: Action, before: Observation, asked: &Asked<'_>, policy: &Policy) -> Result<Self, Refusal> {
        let work = action.work_out(&before).map_err(Refusal::NotApplicable)?;
        let target = before.owner_arn().unwrap_or_default().to_owned();
        if let Some(path) = before.owner_path().filter(|p| RESERVED_PATHS.iter().any(|r| p.starts_with(r))) {
            return Err(Refusal::Protected(
                target,
                format!("roles under {path} are changed only by AWS itself (UnmodifiableEntity)."),
            ));
        }
        if policy.protected_arns.contains(&target) {
            return Err(Refusal::Protected(
                target,
                "the bot, its roles and the principals listed in irp.toml are never contained by the bot. Do it by hand, with somebody beside you.".into(),
            ));
        }
        Ok(Self {
            schema: PLAN_SCHEMA,
            incident: asked.incident,
            step: asked.step.clone(),
            account: asked.account.clone(),
            region: "us-east-1".to_owned(),
            targets: vec![target],
            before_hash: Digest::of(&before),
            work,
            before,
            requester: asked.requester.clone(),
            policy_version: policy.version.clone(),
            nonce: asked.nonce.to_owned(),
            approve_by: asked.now + policy.approve_within,
            action,
        })
    }

    /// What the approval is bound to.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }
}

/// One approver's yes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The account that clicked.
    pub user: UserId,
    /// The human.
    pub person: PersonId,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

/// How AWS answered a call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallAnswer {
    /// With success.
    Accepted,
    /// With an error that says it was not done.
    Refused {
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// Not at all, or in a way that leaves open whether it was done.
    Unclear {
        /// What happened instead.
        message: String,
    },
}

/// A call that has been started, and how far it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Execution {
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// Until when the process that started it may still be at it.
    pub lease_until: DateTime<Utc>,
    /// The calls as they were sent.
    pub sent: Vec<ApiCall>,
    /// AWS's answer, once it is known.
    pub answer: Option<CallAnswer>,
}

/// Where a request stands. The second group is final.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestState {
    /// Waits for approvers.
    Pending,
    /// Has them, and waits for its call.
    Approved {
        /// The last moment for the call to start.
        execute_by: DateTime<Utc>,
    },
    /// The call has been started.
    Executing(Execution),

    /// AWS shows that it holds.
    Verified {
        /// When that was read.
        at: DateTime<Utc>,
        /// The calls as sent; none when AWS already was as wanted.
        sent: Vec<ApiCall>,
    },
    /// It does not hold.
    Failed {
        /// What went wrong.
        why: String,
        /// What was sent, for doing it by hand.
        sent: Vec<ApiCall>,
    },
    /// Whether it holds could not be found out.
    Unknown {
        /// What is not known.
        why: String,
        /// What was sent, for checking by hand.
        sent: Vec<ApiCall>,
    },
    /// An approver said no.
    Denied {
        /// Who.
        by: UserId,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The requester took it back.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
    /// AWS changed between the request and the call.
    Stale {
        /// How.
        why: String,
    },
    /// Ended by the incident or by a rule.
    Cancelled {
        /// Why.
        why: String,
    },
    /// Approved, but the call did not start in time or the approval no longer stood.
    Lapsed {
        /// Why.
        why: String,
    },
}

impl RequestState {
    /// Whether anything can still happen to it.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Approved { .. } | Self::Executing(_))
    }

    /// The state in a few words, for a sentence.
    pub fn in_words(&self) -> String {
        match self {
            Self::Pending => "waiting for approval".into(),
            Self::Approved { .. } => "approved".into(),
            Self::Executing(_) => "being carried out".into(),
            Self::Verified { .. } => "carried out and verified".into(),
            Self::Failed { .. } => "it failed".into(),
            Self::Unknown { .. } => "its outcome is not known".into(),
            Self::Denied { by, .. } => format!("denied by {}", super::refusal::mention(by)),
            Self::Withdrawn => "withdrawn".into(),
            Self::Expired => "it expired without a decision".into(),
            Self::Stale { .. } => "stale, because AWS has changed since".into(),
            Self::Cancelled { .. } => "cancelled".into(),
            Self::Lapsed { .. } => "lapsed before it could run".into(),
        }
    }
}

/// A responder stakes their name on a plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// What is asked for.
    pub plan: Plan,
    /// What the approvals are bound to.
    pub digest: Digest,
    /// The account that asked.
    pub requested_by: UserId,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// The yeses so far.
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub state: RequestState,
}

/// Checks that somebody may work this incident at all.
pub fn check_responder(policy: &Policy, actor: &Actor) -> Result<(), Refusal> {
    if actor.standing != Standing::Member {
        return Err(Refusal::NotAMember(actor.standing));
    }
    if !policy.is_responder(&actor.person) {
        return Err(Refusal::NotAResponder);
    }
    Ok(())
}

/// Checks that somebody may ask for this plan, and that somebody else could approve it.
pub fn check_request(policy: &Policy, actor: &Actor, action: &Action) -> Result<(), Refusal> {
    check_responder(policy, actor)?;
    let quorum = policy.quorum(action.class());
    let eligible = policy.approvers_besides(&actor.person).len();
    if eligible < usize::from(quorum) {
        return Err(Refusal::NobodyToApprove { eligible, quorum });
    }
    Ok(())
}

/// Checks that somebody may decide about a request now: yes or no.
pub fn check_decide(
    policy: &Policy,
    request: &Request,
    actor: &Actor,
    digest_shown: &str,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    eligible_approver(policy, &request.plan.requester, actor)?;
    if digest_shown != request.digest.short() || request.plan.digest() != request.digest {
        return Err(Refusal::DigestMismatch(request.id));
    }
    if request.state != RequestState::Pending {
        return Err(Refusal::Decided { request: request.id, how: request.state.in_words() });
    }
    if request.plan.policy_version != policy.version {
        return Err(Refusal::RulesChanged(request.id));
    }
    if now > request.plan.approve_by {
        return Err(Refusal::TooLate { request: request.id, at: moment(request.plan.approve_by) });
    }
    if request.approvals.iter().any(|a| a.person == actor.person) {
        return Err(Refusal::AlreadyApprovedByYou);
    }
    Ok(())
}

fn eligible_approver(policy: &Policy, requester: &PersonId, actor: &Actor) -> Result<(), Refusal> {
    if actor.standing != Standing::Member {
        return Err(Refusal::NotAMember(actor.standing));
    }
    if actor.person == *requester {
        return Err(Refusal::OwnRequest);
    }
    if !policy.is_approver(&actor.person) {
        return Err(Refusal::NotAnApprover);
    }
    Ok(())
}

/// Proof that two different people stand behind one plan, at this moment. Its fields are private to
/// this module and [`Warrant::issue`] is the only way to one, so that no change can be made without.
#[derive(Debug)]
pub struct Warrant {
    request: RequestId,
    account: AccountId,
    calls: Vec<ApiCall>,
    targets: Vec<String>,
    approver: UserId,
    requester: UserId,
}

impl Warrant {
    /// Checks everything once more, with people as they are now, and fills in what only the moment of
    /// the call decides.
    pub fn issue(
        request: &Request,
        policy: &Policy,
        requester: &Actor,
        approvers: &[Actor],
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let RequestState::Approved { execute_by } = &request.state else {
            return Err(Refusal::Decided { request: request.id, how: request.state.in_words() });
        };
        if now > *execute_by {
            return Err(Refusal::TooLate { request: request.id, at: moment(*execute_by) });
        }
        if request.plan.digest() != request.digest {
            return Err(Refusal::DigestMismatch(request.id));
        }
        if request.plan.policy_version != policy.version {
            return Err(Refusal::RulesChanged(request.id));
        }
        if requester.person != request.plan.requester {
            return Err(Refusal::Other("The requester is not the one who was recorded.".into()));
        }
        check_responder(policy, requester)?;
        let mut people = BTreeSet::new();
        for actor in approvers {
            if !request.approvals.iter().any(|a| a.user == actor.user && a.person == actor.person) {
                return Err(Refusal::Other("An approver is not one who was recorded.".into()));
            }
            eligible_approver(policy, &request.plan.requester, actor)?;
            people.insert(&actor.person);
        }
        if people.is_empty() || people.len() < usize::from(policy.quorum(request.plan.action.class())) {
            return Err(Refusal::Other("Too few approvals stand at this moment.".into()));
        }
        let last = approvers.last().ok_or(Refusal::NotAnApprover)?;
        Ok(Self {
            request: request.id,
            account: request.plan.account.clone(),
            calls: request.plan.work.calls_at(now),
            targets: request.plan.targets.clone(),
            approver: last.user.clone(),
            requester: requester.user.clone(),
        })
    }

    /// The request that it stands for.
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// The account that the calls go to.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// The literal calls, in order.
    pub fn calls(&self) -> &[ApiCall] {
        &self.calls
    }

    /// The ARNs that the calls may touch.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Who approved last: AWS records it as the session's source identity.
    pub const fn approver(&self) -> &UserId {
        &self.approver
    }

    /// Who asked.
    pub const fn requester(&self) -> &UserId {
        &self.requester
    }
}
