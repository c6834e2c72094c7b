//! Who can be denied from the organization: whoever the credential is, and whom the attacker has reached beside it in
//! this account.

use super::reached;
use super::state::Incident;
use super::steps::{Offer, Target, undone_by};
use crate::domain::action::{Action, DenyByScp};
use crate::domain::approval::RequestState;
use crate::domain::credential::PrincipalKind;
use crate::domain::id::StepId;
use crate::domain::identification::Identification;
use crate::domain::observation::Holder;

/// One offer for each user and role. `roles` is what is offered about the roles that the credential has assumed.
pub(super) fn offers(incident: &Incident, found: &Identification, roles: &[Target]) -> Vec<Target> {
    let (Some(account), Some(name)) = (incident.account(), found.name.clone()) else { return Vec::new() };
    let own = match found.kind {
        PrincipalKind::AssumedRole | PrincipalKind::IdentityCenterRole => Holder::Role(name),
        _ => Holder::User(name),
    };
    let users = reached::other_users(incident).into_iter().map(Holder::User);
    let revoked = roles.iter().filter_map(|(_, _, offer)| match offer {
        Offer::Action(Action::RevokeRoleSessions(of)) => Some(Holder::Role(of.role_name.clone())),
        _ => None,
    });
    // IAM cannot change these, but the organization can deny them.
    let by_hand = reached::roles(incident)
        .into_iter()
        .filter(|(of, name)| account.as_str() == *of && name.starts_with("AWSReservedSSO_"));
    let by_hand = by_hand.map(|(_, name)| Holder::Role(name.to_owned()));
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::DenyByScp(of) => Some(of.principal.clone()),
        _ => None,
    });
    let mut others: Vec<Holder> =
        users.chain(revoked).chain(by_hand).chain(asked).filter(|holder| *holder != own).collect();
    others.sort();
    others.dedup();
    let offer = |suffix: Option<String>, principal: Holder| {
        let action = Action::DenyByScp(DenyByScp { incident: incident.id, account: account.clone(), principal });
        (suffix, action.title(), Offer::Action(action))
    };
    let others = others.into_iter().map(|other| (Some(format!("{}.{}", other.kind(), other.name())), other));
    [(None, own)].into_iter().chain(others).map(|(suffix, principal)| offer(suffix, principal)).collect()
}

/// Whether the newest deny that was put there has been taken away by somebody.
pub(super) fn was_lost(incident: &Incident, step: &StepId) -> bool {
    let mut done = incident.requests_for(step).filter(|request| matches!(request.state, RequestState::Verified { .. }));
    done.next().is_some_and(|newest| newest.lost.is_some() && undone_by(incident, newest.id).is_none())
}
