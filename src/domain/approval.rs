//! Two people behind one change: what exactly is asked for, who may decide, and the proof that lets it run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::action::{Action, ApiCall};
use super::id::{RequestId, UserId};
use super::policy::{Actor, PersonId, Policy, Standing};
use super::recusal::Recused;
use super::refusal::{Refusal, moment};

pub use glass::{Debt, Glass, check_break_glass, check_settle, lacks_one_yes};
pub use lockout::{MayLoseAccess, may_lock_out};
pub use plan::{Asked, Digest, Plan};
pub use request::{Request, Shown, shared_digest};
pub use warrant::{NoWarrant, Warrant};

mod canonical;
mod glass;
mod lockout;
mod plan;
mod request;
mod warrant;

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
    /// Some of the calls were accepted, and the rest are certain not to have been done.
    Partly {
        /// How many, and what came of the next.
        message: String,
    },
    /// No call went out.
    NotSent {
        /// Why not.
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

/// What is done about a call whose outcome is not known: AWS is read again, and nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doubt {
    /// When the calls were about to go out.
    pub called_at: DateTime<Utc>,
    /// When AWS is read again.
    pub look_at: DateTime<Utc>,
    /// How often it has been since.
    pub looks: u32,
    /// When that was last, and what it showed.
    pub last: Option<(DateTime<Utc>, String)>,
}

/// Where a request stands. The second group is final, but for [`Self::Unknown`].
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
        /// When the calls were about to go out: long before, if their outcome was not known for a while.
        called_at: DateTime<Utc>,
        /// The calls as sent; none when AWS already was as wanted.
        sent: Vec<ApiCall>,
    },
    /// It does not hold.
    Failed {
        /// What went wrong.
        why: String,
        /// Some of its calls have been made.
        partly: bool,
        /// What was sent, for doing it by hand.
        sent: Vec<ApiCall>,
    },
    /// Whether it holds could not be found out. The approval is spent like in all others; but a later reading of AWS
    /// that shows the change leads on to verified, and nothing else leads anywhere.
    Unknown {
        /// What is not known.
        why: String,
        /// What was sent, for checking by hand.
        sent: Vec<ApiCall>,
        /// What is done about it.
        doubt: Doubt,
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
    /// Another request for the same step has taken its place.
    Superseded {
        /// By which.
        by: RequestId,
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
    /// Whether anybody can still decide about it, or the bot is at it.
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
            Self::Superseded { by } => format!("superseded by {by}"),
            Self::Cancelled { .. } => "cancelled".into(),
            Self::Lapsed { .. } => "lapsed before it could run".into(),
        }
    }
}

/// Checks that somebody may work this incident at all.
pub fn check_responder(policy: &Policy, actor: &Actor) -> Result<(), Refusal> {
    if actor.standing != Standing::Member {
        return Err(Refusal::NotAMember(actor.standing));
    }
    if !policy.is_responder(&actor.person) {
        return Err(if policy.has_unread_groups() { Refusal::GroupsUnread } else { Refusal::NotAResponder });
    }
    Ok(())
}

/// Checks that somebody may ask for this plan, and that somebody else could approve it.
pub fn check_request(policy: &Policy, recused: &Recused, actor: &Actor, action: &Action) -> Result<(), Refusal> {
    check_responder(policy, actor)?;
    let quorum = policy.rules(action.class()).quorum;
    let eligible =
        policy.approvers_besides(&actor.person).into_iter().filter(|person| !recused.contains_key(person)).count();
    // Whoever may run it alone needs nobody: but then it is for them to break the glass.
    if eligible < usize::from(quorum) && !glass::may_break(policy, recused, actor, action) {
        if policy.has_unread_groups() {
            return Err(Refusal::GroupsUnread);
        }
        return Err(Refusal::NobodyToApprove {
            eligible,
            recused: recused.len(),
            quorum,
            ask: policy.escalation.iter().cloned().collect(),
        });
    }
    Ok(())
}

/// How many of those whom a request needs can still decide about it, where they are too few: whoever is recused after it was
/// asked for can have been the last. Not known, and so nothing, while Slack does not say who is in a group.
pub fn too_few_left(policy: &Policy, recused: &Recused, request: &Request) -> Option<usize> {
    let others = policy.approvers_besides(&request.plan.requester).into_iter();
    let left = others.filter(|person| !recused.contains_key(person)).count();
    let quorum = usize::from(policy.rules(request.plan.action.class()).quorum);
    (request.state == RequestState::Pending && left < quorum && !policy.has_unread_groups()).then_some(left)
}

/// Checks that somebody may decide about a request now: yes or no. `shown` is the digest on the button they
/// pressed, `shared` that of all that was asked for together with it.
pub fn check_decide(
    policy: &Policy,
    recused: &Recused,
    request: &Request,
    actor: &Actor,
    (shown, shared): (&str, &Digest),
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    eligible_approver(policy, recused, &request.plan.requester, actor)?;
    check_shown(request, shown, shared)?;
    if let Some(given) = request.approvals.iter().find(|a| a.person == actor.person) {
        return Err(Refusal::AlreadyApprovedByYou(moment(given.at)));
    }
    check_pending(policy, request, now)
}

fn check_shown(request: &Request, shown: &str, shared: &Digest) -> Result<(), Refusal> {
    if shown != shared.short() || request.plan.digest() != request.digest {
        return Err(Refusal::DigestMismatch(request.id));
    }
    Ok(())
}

/// That it waits for a decision, under the rules in force, and in time.
fn check_pending(policy: &Policy, request: &Request, now: DateTime<Utc>) -> Result<(), Refusal> {
    if request.state != RequestState::Pending {
        return Err(Refusal::Decided { request: request.id, how: request.in_words() });
    }
    if request.plan.policy_version != policy.version {
        return Err(Refusal::RulesChanged(request.id));
    }
    if now > request.plan.approve_by {
        return Err(Refusal::TooLate { request: request.id, at: moment(request.plan.approve_by) });
    }
    Ok(())
}

fn eligible_approver(policy: &Policy, recused: &Recused, requester: &PersonId, actor: &Actor) -> Result<(), Refusal> {
    if actor.standing != Standing::Member {
        return Err(Refusal::NotAMember(actor.standing));
    }
    if actor.person == *requester {
        return Err(Refusal::OwnRequest);
    }
    if !policy.is_approver(&actor.person) {
        return Err(if policy.has_unread_groups() { Refusal::GroupsUnread } else { Refusal::NotAnApprover });
    }
    if let Some(why) = recused.get(&actor.person) {
        return Err(Refusal::Recused(*why));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
