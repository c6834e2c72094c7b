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

/// The path of the roles that Identity Center makes: nobody else can make one there.
const RESERVED_PATH: &str = "aws-reserved/sso.amazonaws.com/";

/// Whether an ARN of a role, where it is one, has the path that only Identity Center gives.
fn is_reserved(arn: &str) -> bool {
    arn.split_once(":role/").is_none_or(|(_, path)| path.starts_with(RESERVED_PATH))
}

/// The permission set that a role of Identity Center is made from. The attacker can call a role of theirs so, and a session of
/// it as an administrator: that administrator's access is not theirs to be taken.
fn permission_set<'a>(incident: &Incident, role: &'a str) -> Option<&'a str> {
    let own = incident.identification().filter(|found| found.name.as_deref() == Some(role));
    let own = own.and_then(|found| found.arn.as_deref()).into_iter();
    let reached = incident.reach().map_or(&[][..], |reach| &reach.roles);
    let mut arns = reached.iter().filter(|of| of.name == role).map(|of| of.arn.as_str()).chain(own);
    set_in_name(role).filter(|_| !reached::is_made(incident, role) && arns.all(is_reserved))
}

/// The same by the name alone.
fn set_in_name(role: &str) -> Option<&str> {
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
    let of = |role: &str, session: &str| Some((permission_set(incident, role)?.to_owned(), session.to_owned()));
    let own = own.and_then(|(role, session)| of(role, session));
    let reached = reached::role_sessions(incident).into_iter().filter(|(of, ..)| account.as_str() == *of);
    let reached = reached.filter_map(|(_, role, session)| of(role, session));
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
            let role = match &deny.principal {
                Holder::Role(role) => permission_set(incident, role) == Some(of.permission_set.as_str()),
                _ => false,
            };
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
            assert_eq!(set_in_name(role), set, "{role}");
        }
    }
}
