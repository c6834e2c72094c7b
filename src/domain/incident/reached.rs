//! What the search through the trail adds to containment: keys, users and roles that the attacker has reached
//! beside the stolen credential.

use std::collections::{BTreeMap, BTreeSet};

use super::doubt;
use super::eradication::traces;
use super::renamed::called_now;
use super::started;
use super::state::Incident;
use super::steps::{Offer, Step, in_force};
use crate::domain::action::Action;
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::hunt::{Hunted, Reached, Trace};
use crate::domain::id::AccountId;
use crate::domain::trail::footprint::State;
use crate::domain::trail::token::{account_of, bare_name, role_session};

/// The user of an ARN, if it is one of this account.
fn user_in<'a>(arn: &'a str, account: &AccountId) -> Option<&'a str> {
    (arn.contains(":user/") && account_of(arn) == account.as_str()).then(|| bare_name(arn))
}

/// The user whose credential the incident is about.
fn victim(incident: &Incident) -> Option<&str> {
    let found = incident.identification()?;
    let user = matches!(found.kind, PrincipalKind::IamUser | PrincipalKind::FederatedUser);
    found.name.as_deref().filter(|_| user)
}

fn principals(found: &Hunted) -> impl Iterator<Item = (&Reached, &str)> {
    found.credentials.iter().filter_map(|reached| Some((reached, reached.principal.as_deref()?)))
}

/// Users that the attacker has reached or made, in this account, by name.
pub fn users<'a>(found: &'a Hunted, account: &AccountId) -> BTreeSet<&'a str> {
    let reached = principals(found).filter_map(|(_, arn)| user_in(arn, account));
    let made = found.footprint.iter().filter(|trace| {
        trace.resource_type == "AWS::IAM::User"
            && trace.made_by_attacker
            && trace.state != State::Deleted
            && trace.account.as_ref() == Some(account)
    });
    reached.chain(made.map(|trace| bare_name(&trace.id))).collect()
}

/// Long-term keys of a user that the attacker has reached.
pub fn keys_of(found: &Hunted, account: &AccountId, user: &str) -> Vec<String> {
    let of_user = principals(found).filter(|(_, arn)| user_in(arn, account) == Some(user));
    let keys = of_user.filter_map(|(reached, _)| reached.access_key_id.clone());
    keys.filter(|key| key.starts_with("AKIA")).collect()
}

/// Long-term keys that the attacker has reached, with their users; without those that are off already.
pub fn keys(incident: &Incident) -> Vec<(String, AccessKeyId)> {
    let (Some((found, _)), Some(account)) = (&incident.hunted, incident.account()) else { return Vec::new() };
    let reached = principals(found).filter_map(|(reached, arn)| {
        let key: AccessKeyId = reached.access_key_id.as_deref()?.parse().ok()?;
        Some((user_in(arn, &account)?.to_owned(), key))
    });
    let reached = reached.filter(|(_, key)| key.is_long_term());
    reached.filter(|(_, key)| !is_off(incident, key.as_str()) || asked_for_key(incident, key)).collect()
}

fn asked_for_key(incident: &Incident, key: &AccessKeyId) -> bool {
    let mut actions = incident.requests.values().map(|request| &request.plan.action);
    actions.any(|action| matches!(action, Action::DeactivateAccessKey(of) if of.access_key_id == *key))
}

/// Users of this account with whose password the attacker can sign in to the console.
pub fn password_holders<'a>(found: &'a Hunted, account: &AccountId) -> BTreeSet<&'a str> {
    let console = principals(found).filter(|(reached, _)| reached.access_key_id.is_none());
    console.filter_map(|(_, arn)| user_in(arn, account)).collect()
}

/// The same, without those that have no password any more; and those whose password was asked to be deleted.
pub fn passwords(incident: &Incident) -> BTreeSet<String> {
    let known = incident.hunted.as_ref().zip(incident.account());
    let known = known.map(|((found, _), account)| password_holders(found, &account)).unwrap_or_default();
    let there = known.into_iter().filter(|name| !has_no_password(incident, name)).map(str::to_owned);
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::DeleteLoginProfile(of) => Some(called_now(incident, request, &of.user_name)),
        _ => None,
    });
    there.chain(asked).collect()
}

/// Whether AWS has shown that nobody can sign in to the console as this user.
pub fn has_no_password(incident: &Incident, user: &str) -> bool {
    is_gone(incident, user) || incident.hunted.as_ref().is_some_and(|(found, _)| found.without_password.contains(user))
}

/// MFA devices that the attacker has put on users of this account who were there before, and nobody has taken off since:
/// the user's name and the device's serial number.
pub fn added_devices<'a>(found: &'a Hunted, account: &AccountId) -> BTreeSet<(&'a str, &'a str)> {
    let users = found.footprint.iter().filter(|trace| {
        trace.resource_type == "AWS::IAM::User"
            && !trace.made_by_attacker
            && trace.state != State::Deleted
            && trace.account.as_ref() == Some(account)
    });
    let mut devices = BTreeSet::new();
    for trace in users {
        for deed in &trace.deeds {
            let device = (bare_name(&trace.id), deed.what.as_str());
            match deed.operation.as_str() {
                "EnableMFADevice" if deed.by_attacker => _ = devices.insert(device),
                "EnableMFADevice" | "DeactivateMFADevice" => _ = devices.remove(&device),
                _ => {}
            }
        }
    }
    devices
}

/// The same, without those that AWS shows to be on nobody; and those that were asked to be taken off.
pub fn devices(incident: &Incident) -> BTreeSet<(String, String)> {
    let known = incident.hunted.as_ref().zip(incident.account());
    let known = known.map(|((found, _), account)| added_devices(found, &account)).unwrap_or_default();
    let on = known.into_iter().filter(|(_, serial)| !is_off_user(incident, serial));
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::DeactivateMfaDevice(of) => {
            Some((called_now(incident, request, &of.user_name), of.serial_number.clone()))
        }
        _ => None,
    });
    on.map(|(user, serial)| (user.to_owned(), serial.to_owned())).chain(asked).collect()
}

/// Service-specific credentials that the attacker has reached, of users of this account: the user's name and the id.
pub fn held_service_credentials<'a>(found: &'a Hunted, account: &AccountId) -> BTreeSet<(&'a str, &'a str)> {
    let reached = principals(found)
        .filter_map(|(reached, arn)| Some((user_in(arn, account)?, reached.access_key_id.as_deref()?)));
    reached.filter(|(_, id)| id.starts_with("ACCA")).collect()
}

/// The same, without those that AWS shows to be off; and those that were asked to be switched off.
pub fn service_credentials(incident: &Incident) -> BTreeSet<(String, String)> {
    let known = incident.hunted.as_ref().zip(incident.account());
    let known = known.map(|((found, _), account)| held_service_credentials(found, &account)).unwrap_or_default();
    let on = known.into_iter().filter(|(_, id)| !is_off(incident, id));
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::DeactivateServiceCredential(of) => {
            Some((called_now(incident, request, &of.user_name), of.credential_id.clone()))
        }
        _ => None,
    });
    on.map(|(user, id)| (user.to_owned(), id.to_owned())).chain(asked).collect()
}

/// Whether AWS has shown an MFA device of the attacker's to be on nobody.
pub fn is_off_user(incident: &Incident, serial_number: &str) -> bool {
    incident.hunted.as_ref().is_some_and(|(found, _)| found.devices_off.contains(serial_number))
}

/// Instances of this account whose role's session the attacker has had, by id, with the role: EC2 names such a session
/// after its instance. So can whoever takes a role: of that no instance is robbed. What runs for the attacker is no victim: it
/// is ended.
pub fn robbed<'a>(incident: &'a Incident, found: &'a Hunted, account: &AccountId) -> BTreeMap<&'a str, &'a str> {
    let own = incident.identification().filter(|of| of.kind == PrincipalKind::AssumedRole);
    let own = own.and_then(|of| Some((of.name.as_deref()?, of.session_name.as_deref()?)));
    let called_so = |key: &str| found.called_like_instances.contains(key);
    let own = own.filter(|_| !incident.subject.access_key.as_ref().is_some_and(|key| called_so(key.as_str())));
    let of_instances =
        principals(found).filter(|(reached, _)| !reached.access_key_id.as_deref().is_some_and(called_so));
    let reached = of_instances.filter_map(|(_, arn)| role_session(arn));
    let reached = reached.filter(|(of, ..)| *of == account.as_str()).map(|(_, role, session)| (role, session));
    let theirs = |id: &str| {
        let made = |trace: &&Trace| trace.resource_type == "AWS::EC2::Instance" && trace.made_by_attacker;
        found.footprint.iter().filter(made).any(|trace| trace.id == id)
            || found.started.contains_key(id)
            || started::instances(incident).keys().any(|(_, started)| started == id)
    };
    let sessions = own.into_iter().chain(reached).filter(|(_, session)| session.starts_with("i-") && !theirs(session));
    sessions.map(|(role, session)| (session, role)).collect()
}

/// Whether a search that is not at its end shows instances whose role was stolen: whether they still give it out is read
/// last.
pub fn robs_unseen(incident: &Incident) -> bool {
    let known = incident.hunted.as_ref().zip(incident.account());
    known.is_some_and(|((found, _), account)| found.is_half_way() && !robbed(incident, found, &account).is_empty())
}

/// The same as what is to be done: those that AWS shows to give their role out without a token, and those for which that
/// was asked to be changed. Instance, Region and role.
pub fn without_token(incident: &Incident) -> BTreeSet<(String, String, String)> {
    let known = incident.hunted.as_ref().zip(incident.account());
    let open = known.map(|((found, _), account)| {
        let open = robbed(incident, found, &account).into_iter().filter_map(|(id, role)| {
            let region = found.without_token.get(id)?;
            Some((id.to_owned(), region.clone(), role.to_owned()))
        });
        open.collect::<BTreeSet<_>>()
    });
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::RequireImdsV2(of) => Some((of.instance_id.clone(), of.region.clone(), of.role_name.clone())),
        _ => None,
    });
    open.unwrap_or_default().into_iter().chain(asked).collect()
}

/// Whether AWS has shown that an instance gives out its role with a token only, or is gone.
pub fn asks_for_token(incident: &Incident, instance_id: &str) -> bool {
    incident.hunted.as_ref().is_some_and(|(found, _)| !found.without_token.contains_key(instance_id))
}

/// Other users than the victim whose sessions have to be revoked.
pub fn other_users(incident: &Incident) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = match (&incident.hunted, incident.account()) {
        (Some((found, _)), Some(account)) => {
            let there = users(found, &account).into_iter().filter(|name| !is_gone(incident, name));
            there.map(str::to_owned).collect()
        }
        _ => BTreeSet::new(),
    };
    // What was asked for stays, though there is nobody left.
    let asked = incident.requests.values().filter_map(|request| match &request.plan.action {
        Action::RevokeUserSessions(of) => Some(called_now(incident, request, &of.user_name)),
        _ => None,
    });
    names.extend(asked);
    names.retain(|name| victim(incident) != Some(name));
    names
}

/// Whether a role of this name is one that the attacker has made, in this account.
pub(super) fn is_made(incident: &Incident, role: &str) -> bool {
    let is_role = |trace: &Trace| trace.resource_type == "AWS::IAM::Role" && bare_name(&trace.id) == role;
    traces(incident).any(|trace| trace.made_by_attacker && is_role(trace))
}

/// Whether the trail shows a session of a role that the attacker has taken since its sessions were revoked: another role, whose
/// turn came later, can take it.
pub fn has_newer_session(incident: &Incident, step: &Step, role: &str) -> bool {
    let cut_off = in_force(incident, &step.id).and_then(doubt::cut_off);
    let newest = incident
        .hunted
        .as_ref()
        .zip(incident.account())
        .and_then(|((found, _), account)| found.taken_at.get(&format!("{account}/{role}")).copied());
    newest.zip(cut_off).is_some_and(|(newest, cut_off)| newest >= cut_off)
}

/// Roles that the attacker has sessions of: the account of each, and its name.
pub fn roles(incident: &Incident) -> BTreeSet<(&str, &str)> {
    role_sessions(incident).into_iter().map(|(account, role, _)| (account, role)).collect()
}

/// Sessions of roles that the attacker has: the account, the role and the session of each.
pub fn role_sessions(incident: &Incident) -> BTreeSet<(&str, &str, &str)> {
    let found = incident.hunted.iter().map(|(found, _)| found);
    found.flat_map(principals).filter_map(|(_, arn)| role_session(arn)).collect()
}

/// What is offered of a role of another account: it is for people there, or for an incident of its own where the bot may
/// work there too.
pub(super) fn elsewhere(incident: &Incident, account: &str, role: &str) -> Offer {
    let found = incident.hunted.iter().map(|(found, _)| found);
    let theirs = found
        .flat_map(principals)
        .filter(|(_, arn)| role_session(arn).is_some_and(|(of, name, _)| (of, name) == (account, role)));
    // The one that has worked last can be identified for longest.
    let session = theirs.max_by_key(|(reached, _)| reached.last_worked_at);
    let open = session.and_then(|(reached, _)| reached.access_key_id.as_deref());
    let own = open.map_or_else(String::new, |key| {
        format!(
            " If that account is in irp.toml, `/irp open {key}` opens an incident of its own, which searches and contains \
             there: this one does not."
        )
    });
    Offer::Refused {
        why: format!("The credential has assumed {role}, which is in another account."),
        instead: format!(
            "Whoever runs account {account}: IAM console, role {role}, Revoke sessions. And take this credential out of the \
             role's trust policy.{own}"
        ),
        commands: Vec::new(),
    }
}

/// Whether AWS has shown a key or a service-specific credential to be of no more use to anybody.
pub fn is_off(incident: &Incident, id: &str) -> bool {
    incident.hunted.as_ref().is_some_and(|(found, _)| found.off.contains(id))
}

/// Whether AWS has shown a user to be gone.
pub fn is_gone(incident: &Incident, user: &str) -> bool {
    incident.hunted.as_ref().is_some_and(|(found, _)| found.is_gone(user))
}
