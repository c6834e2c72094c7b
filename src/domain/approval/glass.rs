//! Break-glass: one person alone lets a containment run when nobody can be reached. Off unless the rules name
//! who may; only what tightens and destroys nothing; everybody is told, and until a second person says
//! whether it was right, the incident cannot be closed.

use chrono::{DateTime, Utc};

use super::{Digest, Request, RequestState, check_pending, check_responder, check_shown, eligible_approver};
use crate::domain::action::Action;
use crate::domain::id::UserId;
use crate::domain::policy::{ActionClass, Actor, PersonId, Policy};
use crate::domain::recusal::Recused;
use crate::domain::refusal::Refusal;

/// Who let it run alone, and what has been said of it since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Glass {
    /// The account.
    pub user: UserId,
    /// The human.
    pub person: PersonId,
    /// Why it could not wait.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether a second person has spoken.
    pub debt: Debt,
}

/// What a second person says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Debt {
    /// Nothing yet.
    Open,
    /// That it was right.
    Ratified {
        /// Who.
        by: UserId,
        /// When.
        at: DateTime<Utc>,
    },
    /// That it was not.
    Contested {
        /// Who.
        by: UserId,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Whether the rules let this person run this action alone.
pub(super) fn may_break(policy: &Policy, recused: &Recused, actor: &Actor, action: &Action) -> bool {
    action.class() == ActionClass::Contain
        && !action.destroys()
        && policy.may_break_glass(&actor.person)
        && !recused.contains_key(&actor.person)
        && check_responder(policy, actor).is_ok()
}

/// Checks that somebody may let a request run alone. They type the target, so that nobody does it in passing.
pub fn check_break_glass(
    policy: &Policy,
    recused: &Recused,
    request: &Request,
    actor: &Actor,
    (shown, shared): (&str, &Digest),
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    check_responder(policy, actor)?;
    if policy.break_glass.is_empty() {
        return Err(Refusal::GlassOff);
    }
    if let Some(why) = recused.get(&actor.person) {
        return Err(Refusal::Recused(*why));
    }
    if !may_break(policy, recused, actor, &request.plan.action) {
        return Err(Refusal::NotForGlass);
    }
    check_shown(request, shown, shared)?;
    check_pending(policy, request, now)
}

/// Whether one more yes lets it run.
pub fn lacks_one_yes(policy: &Policy, request: &Request) -> bool {
    request.approvals.len() + 1 >= usize::from(policy.rules(request.plan.action.class()).quorum)
}

/// Checks that somebody may say whether it was right: an approver, neither who asked nor who let it run.
pub fn check_settle(policy: &Policy, recused: &Recused, request: &Request, actor: &Actor) -> Result<(), Refusal> {
    let Some(glass) = &request.glass else { return Err(Refusal::NoDebt(request.id)) };
    eligible_approver(policy, recused, &glass.person, actor)?;
    if actor.person == request.plan.requester {
        return Err(Refusal::OwnRequest);
    }
    if matches!(request.state, RequestState::Approved { .. } | RequestState::Executing(_)) {
        return Err(Refusal::UnderWay(request.id));
    }
    match glass.debt {
        Debt::Open => Ok(()),
        Debt::Ratified { .. } | Debt::Contested { .. } => Err(Refusal::NoDebt(request.id)),
    }
}
