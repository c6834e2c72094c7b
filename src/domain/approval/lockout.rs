//! Whom a change would lock out: nobody who is protected loses anything by the bot's own hand, and no responder loses the role
//! that they work through. Here alone is said who loses what, for every change of the catalogue: before people are asked, and
//! again for the warrant.

use crate::domain::action::Action;
use crate::domain::id::AccountId;
use crate::domain::observation::{Observation, PolicyTree};
use crate::domain::policy::{PersonId, Policy, without_path};
use crate::domain::refusal::{Refusal, mention};
use crate::domain::trail::token::account_of;

/// How the roles are called that Identity Center makes in an account, with the permission set's name behind it.
const ROLE_OF_SET: &str = "AWSReservedSSO_";

/// Who can do less after a change, besides whom it is made on.
#[derive(Default)]
struct Taken {
    /// ARNs of those who lose something for certain.
    from: Vec<String>,
    /// ARNs of those who may lose something: it hangs on what AWS has not been asked.
    perhaps_from: Vec<String>,
}

impl Taken {
    fn certainly(from: Vec<String>) -> Self {
        Self { from, ..Self::default() }
    }

    fn perhaps(perhaps_from: Vec<String>) -> Self {
        Self { perhaps_from, ..Self::default() }
    }
}

/// Nothing, where it gives back what was taken: whoever is protected since gets back what they had.
fn taken(action: &Action, before: &Observation, policy: &Policy) -> Option<Taken> {
    let taken = match action {
        // It puts back what the attacker had made of a trust policy too, and whoever they had left out is left out again.
        Action::Undo(_) => {
            let from = action.takes_access_from(before);
            if from.is_empty() {
                return None;
            }
            Taken::certainly(from)
        }
        Action::RestoreUserPolicy(_)
        | Action::RestoreRolePolicy(_)
        | Action::LiftScp(_)
        | Action::LiftInPermissionSet(_) => return None,
        // Who is in the trust policy no more, or is denied there.
        Action::RestoreTrustPolicy(_) | Action::DenyOutsider(_) => Taken::certainly(action.takes_access_from(before)),
        // Nothing counts but the default, and theirs is not it.
        Action::RestorePolicyVersion(of) if !is_in_force(before, &of.version_id) => Taken::default(),
        // Whoever has it by way of a group, or is bounded by it, loses what the attacker gave them. To refuse that would let an
        // attacker shield a policy of theirs by putting somebody protected behind it.
        Action::DeleteGroup(_)
        | Action::DeletePolicy(_)
        | Action::RestorePolicyVersion(_)
        | Action::RestoreDefaultVersion(_)
        | Action::DetachPolicy(_)
        | Action::DeleteInlinePolicy(_) => Taken::perhaps(through_groups_and_bounds(before)),
        // Taken from one user alone. But with the last assignment AWS drops the role, and a deny is written into it.
        Action::DenyInPermissionSet(of) => Taken::perhaps(roles_of_set(&of.account, &of.permission_set, policy)),
        Action::DeleteAssignment(of) => Taken::perhaps(roles_of_set(&of.account, &of.permission_set, policy)),
        // Only what got the role by it loses it.
        Action::DeleteInstanceProfile(_) | Action::DeleteAnywhereProfile(_) => {
            Taken::perhaps(roles_in_profile(before))
        }
        // From the user or role alone that they are made on.
        Action::DeactivateAccessKey(_)
        | Action::RevokeUserSessions(_)
        | Action::RevokeRoleSessions(_)
        | Action::DeleteUser(_)
        | Action::DeleteAccessKey(_)
        | Action::DeleteLoginProfile(_)
        | Action::DeleteRole(_)
        | Action::RemoveFromGroup(_)
        | Action::DeactivateMfaDevice(_)
        | Action::DeactivateServiceCredential(_)
        | Action::DenyByScp(_)
        // Of whom these let in nobody can be named, and they are the attacker's: what they have not opened is not closed.
        | Action::DeleteIdentityProvider(_)
        | Action::DeleteTrustAnchor(_)
        | Action::DeleteKeyPair(_)
        | Action::RevokeIngress(_)
        | Action::RevokeEgress(_)
        | Action::UnshareSnapshot(_)
        | Action::UnshareImage(_)
        | Action::RemovePermissions(_)
        | Action::DeleteFunctionUrl(_)
        // They are no access to AWS.
        | Action::TerminateInstance(_)
        | Action::DeleteFunction(_)
        | Action::StartLogging(_)
        | Action::EnableDetector(_)
        | Action::RemoveRule(_)
        | Action::DeleteEventSource(_)
        | Action::RestoreFunctionCode(_)
        | Action::RequireImdsV2(_)
        | Action::StopScalingGroup(_)
        | Action::CancelSpotRequest(_)
        | Action::DeleteFleet(_)
        | Action::DeleteWarmPool(_)
        | Action::DeleteScalingGroup(_)
        | Action::DeleteLaunchTemplate(_)
        | Action::RestoreLaunchTemplate(_)
        | Action::DeleteLaunchConfiguration(_) => Taken::default(),
    };
    Some(taken)
}

/// The ARN of a user or role of the same account as something else; where its path is not known, at none.
fn beside(arn: &str, kind: &str, name: &str) -> String {
    let partition = arn.split(':').nth(1).unwrap_or_default();
    format!("arn:{partition}:iam::{}:{kind}/{name}", account_of(arn))
}

fn is_in_force(before: &Observation, version_id: &str) -> bool {
    matches!(before, Observation::Policy(policy) if policy.default == version_id)
}

fn through_groups_and_bounds(before: &Observation) -> Vec<String> {
    match before {
        Observation::Group(group) => {
            group.members.iter().map(|name| beside(&group.identity.arn, "user", name)).collect()
        }
        Observation::Policy(PolicyTree { identity, bounds, members, .. }) => {
            let bounds = bounds.iter().map(|holder| beside(&identity.arn, holder.kind(), holder.name()));
            members.iter().cloned().chain(bounds).collect()
        }
        Observation::Attached { members, .. } => members.clone(),
        Observation::PutPolicy(policy) => policy.members.clone(),
        _ => Vec::new(),
    }
}

fn roles_in_profile(before: &Observation) -> Vec<String> {
    match before {
        Observation::InstanceProfile(profile) => {
            profile.roles.iter().map(|name| beside(&profile.identity.arn, "role", name)).collect()
        }
        Observation::Anywhere(profile) => profile.roles.clone(),
        _ => Vec::new(),
    }
}

/// The protected roles of a permission set in an account: AWS puts a number behind the set's name that only it knows.
fn roles_of_set(account: &AccountId, set: &str, policy: &Policy) -> Vec<String> {
    let is_of_set = |arn: &&String| {
        let Some((of, "role", name)) = without_path(arn) else { return false };
        let named = name.strip_prefix(ROLE_OF_SET).and_then(|name| name.rsplit_once('_'));
        of == account.as_str() && named.is_some_and(|(named, _)| named == set)
    };
    policy.protected_arns.iter().filter(is_of_set).cloned().collect()
}

/// Who loses something by a change though the rules protect them; the target first.
pub(super) fn protected_loser(action: &Action, before: &Observation, policy: &Policy) -> Option<String> {
    let taken = taken(action, before, policy)?;
    before.arns().into_iter().chain(taken.from).find(|arn| policy.protects(arn))
}

/// Refuses to take anything from whom the rules protect, to touch the role that a responder works through, and to deny a whole
/// account in which somebody is who must not be locked out; but for taking back what was done.
pub(super) fn check_nobody_locked_out(action: &Action, before: &Observation, policy: &Policy) -> Result<(), Refusal> {
    if let Some(arn) = protected_loser(action, before, policy) {
        let why = if policy.protects_as_bot(&arn) {
            "it is the bot's own identity or one of its roles"
        } else {
            "irp.toml lists it under [protected]"
        };
        let how = if before.owner_arn() == Some(&*arn) { "" } else { ", and would lose something by this" };
        return Err(Refusal::Protected(
            arn,
            format!(
                "{why}{how}. What is protected is never contained by the bot. Do it by hand, with somebody beside you."
            ),
        ));
    }
    check_responders(action, before, policy)
}

/// The same of those alone who respond: who does can change with the groups in Slack.
pub(super) fn check_responders(action: &Action, before: &Observation, policy: &Policy) -> Result<(), Refusal> {
    let Some(taken) = taken(action, before, policy) else { return Ok(()) };
    check_accounts(&taken.from, before, policy)?;
    let target = before.owner_arn().filter(|arn| arn.contains(":role/"));
    let Some((target, person)) = target.and_then(|arn| Some((arn, policy.works_through(arn)?))) else { return Ok(()) };
    Err(Refusal::Protected(
        target.to_owned(),
        format!(
            "it is the role that {} works through, by irp.toml, and changing it could lock them out in the middle of \
             this. Have them sign in another way, and do it by hand (IAM console, the role; for its sessions, Revoke sessions).",
            mention(&person.0)
        ),
    ))
}

/// By its own account's name a policy lets in whom that account's own policies let in: there it is nobody's access.
fn check_accounts(taken_from: &[String], before: &Observation, policy: &Policy) -> Result<(), Refusal> {
    let own = before.owner_arn().map_or("", account_of);
    let others = taken_from.iter().filter(|arn| arn.ends_with(":root")).map(|arn| account_of(arn));
    let protected = others.filter(|other| *other != own).find_map(|other| Some((other, policy.protects_in(other)?)));
    let Some((account, arn)) = protected else { return Ok(()) };
    Err(Refusal::Protected(
        arn.to_owned(),
        format!(
            "it is in account {account}, all of which would lose this role, and irp.toml protects it or has a responder \
             work through it. Do it by hand, with somebody beside you: deny whoever came in by name, and leave {arn} out."
        ),
    ))
}

/// Whom a change may lock out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MayLoseAccess {
    /// A responder, of what they work as. A stolen credential can be a responder's: refusing would protect the attacker.
    Responder(PersonId, String),
    /// A protected role, and what goes is a profile that gives it.
    Protected(String),
    /// Somebody protected who has by way of a group, a policy or a boundary what goes.
    Given(String),
    /// The protected role of a permission set into which a deny for one user is written.
    DeniedIn(String),
    /// The protected role of a permission set, of which one user's assignment goes.
    Unassigned(String),
}

/// What is no reason to refuse a change, and has to be seen to before it is approved.
pub fn may_lock_out(action: &Action, before: &Observation, policy: &Policy) -> Vec<MayLoseAccess> {
    let Some(taken) = taken(action, before, policy) else { return Vec::new() };
    // A user of Identity Center is known to irp.toml by the name that their sessions carry.
    let (by_name, how): (_, fn(String) -> MayLoseAccess) = match action {
        Action::DenyInPermissionSet(of) => (Some(of.user_name.clone()), MayLoseAccess::DeniedIn),
        Action::DeleteAssignment(of) => (Some(of.user_name.clone()), MayLoseAccess::Unassigned),
        Action::DeleteInstanceProfile(_) | Action::DeleteAnywhereProfile(_) => (None, MayLoseAccess::Protected),
        _ => (None, MayLoseAccess::Given),
    };
    let owner = before.owner_arn().map(str::to_owned);
    let losers = owner.into_iter().chain(by_name).chain(taken.from).chain(taken.perhaps_from.iter().cloned());
    let responder = |who: String| Some(MayLoseAccess::Responder(policy.works_through(&who)?.clone(), who));
    let protected = taken.perhaps_from.iter().filter(|arn| policy.protects(arn)).cloned().map(how);
    losers.filter_map(responder).chain(protected).collect()
}
