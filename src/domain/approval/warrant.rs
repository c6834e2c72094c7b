//! The proof that lets a change run.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::glass::may_break;
use super::lockout::{check_responders, protected_loser};
use super::{Plan, Request, RequestState, check_responder, eligible_approver};
use crate::domain::action::{ApiCall, Powers};
use crate::domain::id::{AccountId, RequestId, UserId};
use crate::domain::policy::{Actor, Policy};
use crate::domain::recusal::Recused;
use crate::domain::refusal::{Refusal, moment};

/// Why there is no warrant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoWarrant {
    /// This approver's yes no longer counts. The request waits for another.
    Void {
        /// Whose.
        by: UserId,
        /// Why.
        why: Refusal,
    },
    /// The request has come to its end.
    Over(Refusal),
}

/// Proof that two different people stand behind one plan at this moment, or that one person has broken the glass
/// by rules that let them. Its fields are private to
/// this module and [`Warrant::issue`] is the only way to one, so that no change can be made without.
#[derive(Debug)]
pub struct Warrant {
    request: RequestId,
    account: AccountId,
    region: String,
    powers: Powers,
    calls: Vec<ApiCall>,
    targets: Vec<String>,
    owner: Option<(String, String)>,
    approver: UserId,
    requester: UserId,
}

impl Warrant {
    /// Checks everything once more, with people as they are now, and fills in what only the moment of
    /// the call decides.
    pub fn issue(
        request: &Request,
        policy: &Policy,
        recused: &Recused,
        requester: &Actor,
        approvers: &[Actor],
        now: DateTime<Utc>,
    ) -> Result<Self, NoWarrant> {
        Self::check_request(request, policy, requester, now).map_err(NoWarrant::Over)?;
        if let Some(glass) = &request.glass {
            return Self::alone(request, policy, recused, requester, approvers, &glass.user, now);
        }
        let mut people = BTreeSet::new();
        for actor in approvers {
            if !request.approvals.iter().any(|a| a.user == actor.user && a.person == actor.person) {
                return Err(NoWarrant::Over(Refusal::Other("An approver is not one who was recorded.".into())));
            }
            eligible_approver(policy, recused, &request.plan.requester, actor)
                .map_err(|why| NoWarrant::Void { by: actor.user.clone(), why })?;
            people.insert(&actor.person);
        }
        let quorum = usize::from(policy.rules(request.plan.action.class()).quorum);
        let Some(last) = approvers.last().filter(|_| quorum > 0 && people.len() >= quorum) else {
            return Err(NoWarrant::Over(Refusal::Other("Too few approvals stand at this moment.".into())));
        };
        Ok(Self::of(request, &last.user, requester, now))
    }

    /// In an emergency, by one person: who may, by the rules, at this moment too.
    fn alone(
        request: &Request,
        policy: &Policy,
        recused: &Recused,
        requester: &Actor,
        approvers: &[Actor],
        by: &UserId,
        now: DateTime<Utc>,
    ) -> Result<Self, NoWarrant> {
        // Others may have said yes before: too few for a quorum, and no reason to stop it.
        match approvers.iter().find(|actor| actor.user == *by) {
            Some(alone) if may_break(policy, recused, alone, &request.plan.action) => {
                Ok(Self::of(request, by, requester, now))
            }
            _ => Err(NoWarrant::Over(Refusal::NotForGlass)),
        }
    }

    fn of(request: &Request, approver: &UserId, requester: &Actor, now: DateTime<Utc>) -> Self {
        Self {
            request: request.id,
            account: request.plan.account.clone(),
            region: request.plan.region.clone(),
            powers: request.plan.action.powers(),
            calls: request.plan.work.calls_at(now),
            targets: request.plan.targets.clone(),
            owner: request.plan.before.in_iam().map(|(id, arn)| (id.to_owned(), arn.to_owned())),
            approver: approver.clone(),
            requester: requester.user.clone(),
        }
    }

    fn check_request(request: &Request, policy: &Policy, requester: &Actor, now: DateTime<Utc>) -> Result<(), Refusal> {
        let RequestState::Approved { execute_by } = &request.state else {
            return Err(Refusal::Decided { request: request.id, how: request.in_words() });
        };
        if now > *execute_by {
            return Err(Refusal::TooLateToRun { request: request.id, at: moment(*execute_by) });
        }
        if request.plan.digest() != request.digest {
            return Err(Refusal::DigestMismatch(request.id));
        }
        if request.plan.policy_version != policy.version {
            return Err(Refusal::RulesChanged(request.id));
        }
        let Plan { action, before, .. } = &request.plan;
        if let Some(arn) = protected_loser(action, before, policy) {
            return Err(Refusal::Protected(arn, "it has been protected since.".into()));
        }
        // Groups change without the rules: somebody can have become a responder since.
        check_responders(action, before, policy)?;
        if requester.person != request.plan.requester {
            return Err(Refusal::Other("The requester is not the one who was recorded.".into()));
        }
        check_responder(policy, requester)
    }

    /// The request that it stands for.
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// The account that the calls go to.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// The Region that the calls go to.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Which of the account's roles they are made with.
    pub const fn powers(&self) -> Powers {
        self.powers
    }

    /// The literal calls, in order.
    pub fn calls(&self) -> &[ApiCall] {
        &self.calls
    }

    /// The ARNs that the calls may touch.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// The unique id and the ARN of what the calls are about, where IAM gives one: a name can be somebody else's from one
    /// call to the next.
    pub fn owner(&self) -> Option<(&str, &str)> {
        self.owner.as_ref().map(|(id, arn)| (id.as_str(), arn.as_str()))
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
