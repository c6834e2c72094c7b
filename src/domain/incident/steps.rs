//! Which steps an incident has, and what each offers, from the playbook and the kind of principal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::hands::{self, Said};
use super::state::Incident;
use super::{assignment, doors, doubt, eradication, hunting, reached, remains, scp};
use crate::domain::action::{
    Action, DeactivateAccessKey, DeactivateMfaDevice, DeactivateServiceCredential, DeleteLoginProfile, NOTHING_TO_UNDO,
    RequireImdsV2, RevokeRoleSessions, RevokeUserSessions,
};
use crate::domain::approval::{Request, RequestState};
use crate::domain::blast_radius::{AssumedRole, BlastRadius};
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::id::{RequestId, StepId};
use crate::domain::identification::{Identification, KnownKey};
use crate::domain::observation::{Holder, KeyStatus};
use crate::domain::playbook::{DELETE_ASSIGNMENT, DENY_BY_SCP, DENY_IN_PERMISSION_SET, Playbook, REMOVE_FOOTPRINT};
use crate::domain::refusal::Refusal;
use crate::domain::trail::token::{bare_name, role_session};

/// Prefix of the step that undoes another.
const UNDO: &str = "undo.";

/// One step, as it stands for this incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// For people.
    pub title: String,
    /// Why it is done.
    pub why: String,
    /// What can be done about it.
    pub offer: Offer,
}

/// What a step offers.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// This action.
    Action(Action),
    /// Nothing that the bot may do, why, and what people do instead.
    Refused {
        /// Why.
        why: String,
        /// What to do instead.
        instead: String,
        /// What to run for that, where a command does it.
        commands: Vec<String>,
    },
}

/// The steps that the incident shows, in order: the playbook's for its kind of principal, and the
/// undoing of what has been asked to be undone.
pub fn steps(incident: &Incident, playbook: &Playbook) -> Vec<Step> {
    let mut steps = containment(incident, playbook);
    // Without a search there is nothing to remove.
    if incident.hunted.is_none() {
        return steps;
    }
    let found = incident.identification_so_far();
    for step in playbook.actions_for(found.kind).filter(|step| step.action.as_deref() == Some(REMOVE_FOOTPRINT)) {
        let mut removals = eradication::steps(incident, step, playbook);
        removals.retain(|removal| !steps.iter().any(|contains| contains.offer == removal.offer));
        steps.extend(with_undo(incident, removals));
    }
    steps.extend(remains::steps(incident));
    steps
}

/// Each step, and what undoes it once that has been asked for.
fn with_undo(incident: &Incident, steps: Vec<Step>) -> impl Iterator<Item = Step> {
    steps.into_iter().flat_map(|step| {
        let undo = undo_step(incident, &step.id);
        [step].into_iter().chain(undo)
    })
}

/// The steps that contain.
fn containment(incident: &Incident, playbook: &Playbook) -> Vec<Step> {
    // While nobody knows whose it is, what it reached can be contained, and it itself not.
    let found = incident.identification_so_far();
    let mut steps: Vec<Step> = refusal_for(found.kind).into_iter().collect();
    for step in playbook.actions_for(found.kind) {
        steps.extend(with_undo(incident, doors::steps(incident, step)));
        for (suffix, title, offer) in offers(incident, found, playbook, step.action.as_deref().unwrap_or_default()) {
            let text = suffix.map_or_else(|| step.id.clone(), |s| format!("{}.{s}", step.id));
            let Ok(id) = text.parse::<StepId>() else { continue };
            let undo = undo_step(incident, &id);
            steps.push(Step { id, title, why: step.why.clone(), offer });
            steps.extend(undo);
        }
    }
    steps
}

pub(super) type Target = (Option<String>, String, Offer);

/// What the playbook's action means for this incident: one offer for each target.
fn offers(incident: &Incident, found: &Identification, playbook: &Playbook, kind: &str) -> Vec<Target> {
    let name = found.name.clone();
    let action = |suffix: Option<String>, action: Action| (suffix, action.title(), Offer::Action(action));
    // By whatever else the attacker can have reached users too; it has no keys and no sessions of their kind.
    let is_user = matches!(found.kind, PrincipalKind::IamUser | PrincipalKind::FederatedUser);
    let user = name.clone().filter(|_| is_user);
    match kind {
        "revoke-user-sessions" => {
            let others = reached::other_users(incident).into_iter();
            let revoke = |user_name: String| Action::RevokeUserSessions(RevokeUserSessions { user_name });
            let others = others.map(|other| action(Some(other.clone()), revoke(other)));
            let own = user.map(|name| action(None, revoke(name)));
            own.into_iter().chain(others).collect()
        }
        "delete-login-profile" => {
            let delete = |user_name: String| Action::DeleteLoginProfile(DeleteLoginProfile { user_name });
            reached::passwords(incident).into_iter().map(|user| action(Some(user.clone()), delete(user))).collect()
        }
        "deactivate-mfa-device" => {
            let since = hunting::since(incident);
            let off = |(user_name, serial_number)| {
                let device = DeactivateMfaDevice { user_name, serial_number, since };
                let place = format!("{}.{}", device.user_name, device.device().replace('/', "-"));
                action(Some(place), Action::DeactivateMfaDevice(device))
            };
            reached::devices(incident).into_iter().map(off).collect()
        }
        "deactivate-service-credential" => {
            let off = |(user_name, credential_id)| {
                let off = DeactivateServiceCredential { user_name, credential_id };
                let place = format!("{}.{}", off.user_name, off.credential_id);
                action(Some(place), Action::DeactivateServiceCredential(off))
            };
            reached::service_credentials(incident).into_iter().map(off).collect()
        }
        "require-imdsv2" => {
            let require = |(instance_id, region, role_name)| {
                let require = RequireImdsV2 { region, instance_id, role_name };
                action(Some(require.instance_id.clone()), Action::RequireImdsV2(require))
            };
            reached::without_token(incident).into_iter().map(require).collect()
        }
        "revoke-role-sessions" => {
            let revoke = |role_name| action(None, Action::RevokeRoleSessions(RevokeRoleSessions { role_name }));
            name.map(revoke).into_iter().collect()
        }
        "revoke-assumed-roles" => assumed_roles(incident, found),
        DELETE_ASSIGNMENT | DENY_IN_PERMISSION_SET => {
            assignment::offers(incident, found, kind, playbook.identity_center_region.as_deref())
        }
        DENY_BY_SCP => scp::offers(incident, found, &assumed_roles(incident, found)),
        "deactivate-access-key" => {
            let deactivate = |user_name: String, access_key_id: AccessKeyId| {
                let suffix = Some(access_key_id.to_string());
                action(suffix, Action::DeactivateAccessKey(DeactivateAccessKey { user_name, access_key_id }))
            };
            let own = if user.is_some() { keys(incident, found) } else { Vec::new() };
            let reached = reached::keys(incident).into_iter().filter(|(_, key)| !own.contains(key));
            let reached: Vec<Target> = reached.map(|(user, key)| deactivate(user, key)).collect();
            let own = own.into_iter().filter_map(|key| Some(deactivate(user.clone()?, key)));
            own.chain(reached).collect()
        }
        _ => Vec::new(),
    }
}

/// The keys to switch off: the one that is known to be stolen, and those that were made since. When none is
/// known, any active key of the user may have minted the session.
fn keys(incident: &Incident, found: &Identification) -> Vec<AccessKeyId> {
    let stolen = incident.subject.access_key.as_ref().filter(|key| key.is_long_term());
    let asked = |key: &AccessKeyId| incident.requests.values().any(|r| targets_key(&r.plan.action, key));
    let since = incident.compromise.as_ref().map(|c| c.at).or_else(|| incident.first_seen_at());
    let suspect = |key: &KnownKey| {
        let made_since = since.zip(key.created_at).is_some_and(|(since, made)| made >= since);
        stolen.is_none() || made_since || incident.new_keys.contains(&key.id)
    };
    let others = found.keys.iter().filter(|key| Some(&key.id) != stolen && suspect(key));
    let others = others.filter(|key| key.status == KeyStatus::Active || asked(&key.id)).map(|key| key.id.clone());
    stolen.cloned().into_iter().chain(others).collect()
}

/// Sessions of other roles live on when their key is dead. Roles of other accounts are for people there.
fn assumed_roles(incident: &Incident, found: &Identification) -> Vec<Target> {
    // Its own role has a step of its own.
    let own = hunting::is_role(found.kind);
    let is_own = |name: &str| own && found.name.as_deref() == Some(name);
    let here = |role: &&AssumedRole| role.account.is_none() || role.account == incident.account();
    let roles = incident.reach().map_or(&[][..], |reach| &reach.roles);
    let mut names: BTreeSet<&str> = roles.iter().filter(here).map(|role| role.name.as_str()).collect();
    let account = incident.account();
    let (reached_here, reached_elsewhere): (Vec<_>, Vec<_>) = reached::roles(incident)
        .into_iter()
        .partition(|(of, _)| account.as_ref().is_none_or(|account| account.as_str() == *of));
    let others = reached_here.iter().map(|(_, name)| *name).filter(|name| !is_own(name));
    let (by_hand, revocable): (Vec<&str>, Vec<&str>) = others.partition(|name| is_unmodifiable(incident, name));
    names.extend(revocable);
    // Through a door that stood open others can have come.
    let opened = doors::opened_doors(incident);
    names.extend(opened.iter().map(|door| door.role_name.as_str()));
    names.extend(doors::entrances(incident).map(|(role, _)| role));
    // What was asked for stays, though its sessions have expired since.
    let asked = incident.requests.values().filter_map(|r| match &r.plan.action {
        Action::RevokeRoleSessions(revoke) => Some(revoke.role_name.as_str()),
        _ => None,
    });
    names.extend(asked);
    names.retain(|name| !is_own(name));
    let mut offers: Vec<Target> = Vec::new();
    for name in names {
        let action = Action::RevokeRoleSessions(RevokeRoleSessions { role_name: name.to_owned() });
        offers.push((Some(name.to_owned()), action.title(), Offer::Action(action)));
    }
    for name in by_hand {
        offers.push((
            Some(name.to_owned()),
            format!("End the sessions of role {name}"),
            Offer::Refused {
                why: format!("The attacker has a session of {name}, and only AWS itself can change that role (UnmodifiableEntity)."),
                instead: "For AWSReservedSSO_*: in IAM Identity Center disable the user, end their sessions and remove the \
                          account assignment. For a service-linked role: stop or isolate what the service acts for."
                    .into(),
                commands: Vec::new(),
            },
        ));
    }
    let elsewhere = roles.iter().filter(|role| !here(role));
    let assumed = elsewhere.map(|role| (role.account.as_ref().map_or("another account", |a| a.as_str()), &*role.name));
    let elsewhere: BTreeSet<(&str, &str)> = assumed.chain(reached_elsewhere).collect();
    for (account, name) in elsewhere {
        offers.push((
            Some(format!("{account}.{name}")),
            format!("Revoke all older sessions of role {name} in account {account}"),
            reached::elsewhere(incident, account, name),
        ));
    }
    offers
}

/// Whether only AWS or IAM Identity Center can change a role, by the beginning of its name. The attacker can call one of
/// theirs so: that is a role like any other.
pub(super) fn is_unmodifiable(incident: &Incident, role: &str) -> bool {
    let is_called_so = role.starts_with("AWSServiceRoleFor") || role.starts_with("AWSReservedSSO_");
    is_called_so && !reached::is_made(incident, role)
}

fn targets_key(action: &Action, key: &AccessKeyId) -> bool {
    matches!(action, Action::DeactivateAccessKey(deactivate) if deactivate.access_key_id == *key)
}

/// The undo of a step, shown once it has been asked for.
fn undo_step(incident: &Incident, of: &StepId) -> Option<Step> {
    let id: StepId = format!("{UNDO}{of}").parse().ok()?;
    let action = match incident.requests_for(&id).next() {
        Some(request) if request.state.is_open() || !undo_is_superseded(incident, of, request) => {
            request.plan.action.clone()
        }
        _ => return None,
    };
    Some(Step {
        id,
        title: action.title(),
        why: "Takes a containment back, and so needs approval like any other change.".into(),
        offer: Offer::Action(action),
    })
}

/// Whether the undone step has been asked for again since.
fn undo_is_superseded(incident: &Incident, of: &StepId, undo: &Request) -> bool {
    incident.requests_for(of).next().is_some_and(|r| r.id > undo.id)
}

/// The action that a request for this step would ask for, or why there is none.
pub fn action_for(incident: &Incident, playbook: &Playbook, step: &StepId) -> Result<Action, Refusal> {
    if let Some(of) = step.as_str().strip_prefix(UNDO) {
        return undo_action(incident, of);
    }
    let gone = || Refusal::NotApplicable("This step does not apply to this incident any more.".into());
    let step = steps(incident, playbook).into_iter().find(|s| s.id == *step).ok_or_else(gone)?;
    match step.offer {
        Offer::Action(action) => Ok(action),
        Offer::Refused { why, instead, .. } => Err(Refusal::NotApplicable(format!("{why} {instead}"))),
    }
}

/// Whether this is the step that undoes another.
pub fn is_undo(step: &StepId) -> bool {
    step.as_str().starts_with(UNDO)
}

/// The step that undoes this one.
pub fn undo_of(step: &StepId) -> Option<StepId> {
    format!("{UNDO}{step}").parse().ok()
}

fn undo_action(incident: &Incident, of: &str) -> Result<Action, Refusal> {
    let nothing = || Refusal::NotApplicable(NOTHING_TO_UNDO.into());
    let of: StepId = of.parse().map_err(|_| nothing())?;
    let done = in_force(incident, &of).ok_or_else(nothing)?;
    let sent = match &done.state {
        RequestState::Verified { sent, .. } => &sent[..],
        _ => &[],
    };
    done.plan.action.undo(&done.plan.before, sent, done.id).map_err(Refusal::NotApplicable)
}

/// The newest request that has carried a step out and has not been undone since.
pub fn in_force<'a>(incident: &'a Incident, step: &'a StepId) -> Option<&'a Request> {
    incident
        .requests_for(step)
        .find(|r| matches!(r.state, RequestState::Verified { .. }) && undone_by(incident, r.id).is_none())
        .filter(|r| r.lost.is_none())
}

/// The request that has undone this one.
pub fn undone_by(incident: &Incident, request: RequestId) -> Option<&Request> {
    let undoing = incident.undoing.get(&request).into_iter().flatten();
    undoing.filter_map(|id| incident.requests.get(id)).find(|r| matches!(r.state, RequestState::Verified { .. }))
}

/// Why a containment step does not count as done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// It has not been carried out, or has been undone.
    NotInForce,
    /// A key was still active, or a door or a password still there, when the sessions were revoked, so that there may be
    /// others since; or the trail shows one.
    RevokedTooEarly,
    /// The attacker has got through in spite of it.
    GotThrough,
    /// It is for people to do by hand.
    ByHand,
}

/// The containment steps that are not done, in order, and why.
pub fn missing(incident: &Incident, playbook: &Playbook) -> Vec<(Step, Missing)> {
    missing_of(incident, &containment(incident, playbook))
}

/// The same, of steps that are known already.
fn missing_of(incident: &Incident, containment: &[Step]) -> Vec<(Step, Missing)> {
    let steps: Vec<&Step> = containment.iter().filter(|s| !is_undo(&s.id)).collect();
    let done_at = |step: &Step| {
        let done = in_force(incident, &step.id)?;
        match &step.offer {
            Offer::Action(action) if doors::is_opened_again(action, done) => None,
            _ => doubt::works_since(done),
        }
    };
    // What a revocation leaves open is what could mint sessions after it: keys and passwords, and for a role the
    // user's sessions too.
    let last = |wanted: &dyn Fn(&Action) -> bool| {
        let of = |step: &&Step| matches!(&step.offer, Offer::Action(action) if wanted(action));
        steps.iter().copied().filter(of).filter_map(|step| done_at(step).or_else(|| off_since(incident, step))).max()
    };
    let keys_off_at =
        last(&|action| matches!(action, Action::DeactivateAccessKey { .. } | Action::DeleteLoginProfile { .. }));
    // From when a user's sessions take no more roles, AWS alone has shown: the call may have been long on its way.
    let of_users = |step: &&&Step| matches!(step.offer, Offer::Action(Action::RevokeUserSessions(_)));
    let users_off_at = steps.iter().filter(of_users).filter_map(|step| shown_at(incident, step)).max().max(keys_off_at);
    let own_keys_off_at = |name: &str| {
        last(&|action| match action {
            Action::DeactivateAccessKey(of) => of.user_name == name,
            Action::DeleteLoginProfile(of) => of.user_name == name,
            _ => false,
        })
    };
    // By its trust policy others can take a role, and through its instances.
    let door_closed_at = |role: &str| {
        let is = |step: &&Step| match &step.offer {
            Offer::Action(Action::RestoreTrustPolicy(of)) => of.role_name == role,
            Offer::Action(Action::DenyOutsider(of)) => of.role_name == role,
            Offer::Action(Action::RequireImdsV2(of)) => of.role_name == role,
            _ => false,
        };
        steps.iter().copied().filter(is).filter_map(done_at).max()
    };
    let why = |step: &Step| match (&step.offer, done_at(step)) {
        (Offer::Refused { .. }, _) => {
            (!matches!(hands::said(incident, step), Said::ByTwo(_))).then_some(Missing::ByHand)
        }
        (Offer::Action(Action::DeactivateAccessKey { .. }), None) if off_since(incident, step).is_some() => None,
        (Offer::Action(Action::DeactivateAccessKey(of)), None)
            if reached::is_off(incident, of.access_key_id.as_str()) =>
        {
            None
        }
        (Offer::Action(Action::RevokeUserSessions(of)), None) if reached::is_gone(incident, &of.user_name) => None,
        (Offer::Action(action), None) if is_shown_done(incident, step, action) => None,
        (Offer::Action(_), None) if hands::settled(incident, step) => None,
        // Nothing waits for it; but where it was put, it is to stay.
        (Offer::Action(Action::DenyByScp(_)), None) if !scp::was_lost(incident, &step.id) => None,
        (Offer::Action(Action::DenyInPermissionSet(of)), None) if assignment::role_is_denied(incident, of) => None,
        (Offer::Action(_), None) => Some(Missing::NotInForce),
        (Offer::Action(Action::RevokeRoleSessions(of)), Some(_))
            if eradication::is_removed(incident, &of.role_name) =>
        {
            None
        }
        (Offer::Action(action), Some(at)) if got_through(incident, action, at) => Some(Missing::GotThrough),
        (Offer::Action(Action::RevokeUserSessions(of)), Some(at))
            if own_keys_off_at(&of.user_name).is_some_and(|off| at < off) =>
        {
            Some(Missing::RevokedTooEarly)
        }
        (Offer::Action(Action::RevokeRoleSessions(of)), Some(at))
            if users_off_at.max(door_closed_at(&of.role_name)).is_some_and(|off| at < off)
                || reached::has_newer_session(incident, step, &of.role_name) =>
        {
            Some(Missing::RevokedTooEarly)
        }
        (Offer::Action(_), Some(_)) => None,
    };
    steps.iter().copied().filter_map(|step| Some((step.clone(), why(step)?))).collect()
}

/// Whether a search has shown that nothing is left of it to do, and nobody has undone it since.
fn is_shown_done(incident: &Incident, step: &Step, action: &Action) -> bool {
    let done = match action {
        Action::DeleteLoginProfile(of) => reached::has_no_password(incident, &of.user_name),
        Action::DeactivateMfaDevice(of) => reached::is_off_user(incident, &of.serial_number),
        Action::DeactivateServiceCredential(of) => reached::is_off(incident, &of.credential_id),
        Action::RequireImdsV2(of) => reached::asks_for_token(incident, &of.instance_id),
        Action::RestoreTrustPolicy(of) => doors::is_seen_to(incident, &of.role_name),
        _ => false,
    };
    let searched_at = incident.swept.as_ref().map(|(_, at)| *at);
    let undone = |request: &Request| request.lost.as_ref().is_some_and(|(at, _)| searched_at.is_none_or(|of| of < *at));
    done && !incident.requests_for(&step.id).any(undone)
}

/// Whether a session of this user or role has worked after its revocation: then it is to be revoked again.
fn got_through(incident: &Incident, action: &Action, done_at: DateTime<Utc>) -> bool {
    let Some(breach) = incident.breach.as_ref().filter(|breach| breach.at > done_at) else { return false };
    let role_is = |name: &str| role_session(&breach.principal).is_some_and(|(_, role, _)| role == name);
    let user_is = |name: &str| breach.principal.contains(":user/") && bare_name(&breach.principal) == name;
    match action {
        Action::RevokeRoleSessions(RevokeRoleSessions { role_name }) => role_is(role_name),
        Action::RevokeUserSessions(RevokeUserSessions { user_name }) => user_is(user_name),
        Action::DenyByScp(of) => match &of.principal {
            Holder::Role(name) => role_is(name),
            other => user_is(other.name()),
        },
        _ => false,
    }
}

/// When AWS has shown that a step is in force.
fn shown_at(incident: &Incident, step: &Step) -> Option<DateTime<Utc>> {
    match in_force(incident, &step.id)?.state {
        RequestState::Verified { at, .. } => Some(at),
        _ => None,
    }
}

/// Since when AWS has shown a key Inactive, whoever switched it off.
fn off_since(incident: &Incident, step: &Step) -> Option<DateTime<Utc>> {
    let Offer::Action(Action::DeactivateAccessKey(of)) = &step.offer else { return None };
    incident.inactive_since.get(&of.access_key_id).copied()
}

/// Whether every containment step that applies is in force, and all steps that apply are known.
pub fn contained(incident: &Incident, playbook: &Playbook) -> bool {
    is_contained(incident, &containment(incident, playbook))
}

fn is_contained(incident: &Incident, containment: &[Step]) -> bool {
    if reached::robs_unseen(incident) {
        return false;
    }
    let Some(found) = incident.identification().filter(|found| found.kind != PrincipalKind::Unknown) else {
        return false;
    };
    let user = matches!(found.kind, PrincipalKind::IamUser | PrincipalKind::FederatedUser);
    let steps_known = !user || (found.keys_read && incident.reach().is_some_and(BlastRadius::is_whole));
    steps_known && !containment.is_empty() && missing_of(incident, containment).is_empty()
}

fn refusal_for(kind: PrincipalKind) -> Option<Step> {
    let (id, title, why, instead) = match kind {
        PrincipalKind::Root => (
            "root",
            "The root user cannot be contained from here",
            "No IAM policy restricts root, and only root can switch off its keys.",
            "Sign in as root: deactivate and delete its access keys, change the password, remove MFA devices that nobody here \
             has added, check the account's email address and alternate contacts, and answer any AWS Support case. Sessions \
             minted from root's key live on for up to an hour. Who cannot sign in: AWS Support, by the form for account \
             takeover. From the management account, sts:AssumeRoot can delete a member account's root credentials.",
        ),
        PrincipalKind::ServiceLinkedRole => (
            "service-linked-role",
            "A service-linked role cannot be contained from here",
            "Only AWS can change a service-linked role, and its sessions cannot be revoked (UnmodifiableEntity).",
            "Find what makes the service act: stop or isolate the resource that the role serves, and contain whoever configured it.",
        ),
        PrincipalKind::IdentityCenterRole => (
            "identity-center-role",
            "An IAM Identity Center role cannot be changed in IAM",
            "Roles named AWSReservedSSO_* are changed only by IAM Identity Center (UnmodifiableEntity).",
            "In IAM Identity Center: disable the user (and in the identity provider), end their sessions, remove the account \
             assignment, or put a deny on identitystore:userId into the permission set or an SCP. What irp.toml lets the \
             bot do of it is a step of its own.",
        ),
        PrincipalKind::IamUser | PrincipalKind::AssumedRole | PrincipalKind::FederatedUser | PrincipalKind::Unknown => {
            return None;
        }
    };
    Some(Step {
        id: id.parse().ok()?,
        title: title.into(),
        why: why.into(),
        offer: Offer::Refused { why: why.into(), instead: instead.into(), commands: Vec::new() },
    })
}
