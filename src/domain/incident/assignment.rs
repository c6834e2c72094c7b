//! Users of IAM Identity Center whose sessions are the attacker's: by the role that only AWS can change, and by the name
//! of the session, which is the user's. Their access is taken, and what sessions they still have is denied.

use std::collections::BTreeSet;

use super::reached;
use super::state::Incident;
use super::steps::{Offer, Target, in_force};
use crate::domain::action::{Action, DeleteAssignment, DenyInPermissionSet};
use crate::domain::credential::PrincipalKind;
use crate::domain::identification::Identification;
use crate::domain::observation::Holder;
use crate::domain::playbook::DELETE_ASSIGNMENT;

/// Digits of the hash at the end of a role's name.
const HASH_DIGITS: usize = 16;

/// The permission set that a role of Identity Center is made from.
fn permission_set(role: &str) -> Option<&str> {
    let (name, hash) = role.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?;
    let hashed = hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit());
    (hashed && !name.is_empty()).then_some(name)
}

/// One offer of this action for each permission set and user.
pub(super) fn offers(incident: &Incident, found: &Identification, kind: &str, region: Option<&str>) -> Vec<Target> {
    let (Some(account), Some(region)) = (incident.account(), region) else { return Vec::new() };
    let own = match (found.kind, &found.name, &found.session_name) {
        (PrincipalKind::IdentityCenterRole, Some(role), Some(session)) => Some((role.as_str(), session.as_str())),
        _ => None,
    };
    let own = own.and_then(|(role, session)| Some((permission_set(role)?.to_owned(), session.to_owned())));
    let reached = reached::role_sessions(incident).into_iter().filter(|(of, ..)| account.as_str() == *of);
    let reached = reached.filter_map(|(_, role, session)| Some((permission_set(role)?.to_owned(), session.to_owned())));
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::DeleteAssignment(of) => Some((of.permission_set.clone(), of.user_name.clone())),
        Action::DenyInPermissionSet(of) => Some((of.permission_set.clone(), of.user_name.clone())),
        _ => None,
    });
    let others: BTreeSet<(String, String)> = reached.chain(asked).filter(|other| Some(other) != own.as_ref()).collect();
    let offer = |suffix: Option<String>, (permission_set, user_name): (String, String)| {
        let (region, account) = (region.to_owned(), account.clone());
        let action = if kind == DELETE_ASSIGNMENT {
            Action::DeleteAssignment(DeleteAssignment { region, account, permission_set, user_name })
        } else {
            let incident = incident.id;
            Action::DenyInPermissionSet(DenyInPermissionSet { incident, region, account, permission_set, user_name })
        };
        (suffix, action.title(), Offer::Action(action))
    };
    let others = others.into_iter().map(|(set, user)| offer(Some(format!("{set}.{user}")), (set, user)));
    own.clone().map(|own| offer(None, own)).into_iter().chain(others).collect()
}

/// Whether the organization denies the older sessions of the set's role: everybody's, and so the user's too.
pub(super) fn role_is_denied(incident: &Incident, of: &DenyInPermissionSet) -> bool {
    incident.requests.values().any(|request| match &request.plan.action {
        Action::DenyByScp(deny) => {
            let role =
                matches!(&deny.principal, Holder::Role(role) if permission_set(role) == Some(&of.permission_set));
            role && in_force(incident, &request.plan.step).is_some_and(|done| done.id == request.id)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_set_is_read_from_its_roles_name() {
        for (role, set) in [
            ("AWSReservedSSO_AdministratorAccess_0123456789abcdef", Some("AdministratorAccess")),
            ("AWSReservedSSO_Team_A_0123456789abcdef", Some("Team_A")),
            ("AWSReservedSSO_Admin", None),
            ("AWSReservedSSO_Admin_0123", None),
            ("AWSReservedSSO_Admin_0123456789abcdeX", None),
            ("AWSReservedSSO__0123456789abcdef", None),
            ("Admin_0123456789abcdef", None),
        ] {
            assert_eq!(permission_set(role), set, "{role}");
        }
    }
}
