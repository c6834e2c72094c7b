//! The catalogue: each change in AWS with its literal calls, its inverse, and how to tell from AWS
//! that it holds. What is here is what an approver reads, what is executed and what is verified.
//!
//! A change is a type of its own that says all of it (`Change`), in a file by its subject. A new one is that
//! type, a line in [`Action`] and a line in `Action::change`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::RequestId;
use super::observation::{Observation, Probe};
use super::policy::ActionClass;

pub use access::{DeleteFunctionUrl, RemovePermissions};
pub use anywhere::{DeleteAnywhereProfile, DeleteTrustAnchor};
pub use assignment::DeleteAssignment;
pub use call::{ApiCall, HOME_REGION, advice, shell_quoted};
pub use change::{Freshness, Powers};
pub use code::RestoreFunctionCode;
pub use credential::{DeleteAccessKey, DeleteLoginProfile};
pub use default_version::RestoreDefaultVersion;
pub use door::{DeleteKeyPair, RevokeEgress, RevokeIngress};
pub use event_source::DeleteEventSource;
pub use fleet::DeleteFleet;
pub use function::DeleteFunction;
pub use grant::DetachPolicy;
pub use group::{DeleteGroup, RemoveFromGroup};
pub use inline::DeleteInlinePolicy;
pub use instance::TerminateInstance;
pub use key::{DeactivateAccessKey, REACTIVATE_REFUSED};
pub use launch::{DeleteLaunchConfiguration, DeleteLaunchTemplate};
pub use metadata::{REQUIRED, RequireImdsV2};
pub use mfa::{DeactivateMfaDevice, is_virtual};
pub use outsider::DenyOutsider;
pub use permission_set::{DenyInPermissionSet, LiftInPermissionSet};
pub use policy::{DeletePolicy, RestorePolicyVersion};
pub use provider::DeleteIdentityProvider;
pub use revocation::{CUT_OFF, CUT_OFF_LEAD_S, REVOKE_POLICY};
pub use role::{DeleteInstanceProfile, DeleteRole};
pub use rule::RemoveRule;
pub use scaling::{DeleteScalingGroup, DeleteWarmPool, StopScalingGroup};
pub use scp::{DenyByScp, LiftScp, NEW_POLICY};
pub use service_credential::DeactivateServiceCredential;
pub use sessions::{RestoreRolePolicy, RestoreUserPolicy, RevokeRoleSessions, RevokeUserSessions};
pub use sharing::{UnshareImage, UnshareSnapshot};
pub use spot::CancelSpotRequest;
pub use trust::RestoreTrustPolicy;
pub use undo::Undo;
pub use user::DeleteUser;
pub use version::RestoreLaunchTemplate;
pub use watching::{EnableDetector, SEE_TO, StartLogging, fails_to_deliver};

use change::Change;
use revocation::cut_off_at;

mod access;
mod anywhere;
mod assignment;
mod call;
mod change;
mod code;
mod credential;
mod default_version;
pub mod document;
mod door;
mod event_source;
mod fleet;
mod function;
mod grant;
mod group;
mod inline;
mod instance;
mod key;
mod launch;
mod metadata;
mod mfa;
#[cfg(test)]
mod order;
mod outsider;
mod permission_set;
mod policy;
mod provider;
mod revocation;
mod role;
mod rule;
mod scaling;
mod scp;
mod service_credential;
mod sessions;
mod sharing;
mod spot;
mod statements;
mod trust;
mod undo;
mod user;
mod version;
mod watching;

/// A change in AWS, with its exact target.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is said where its type is")]
pub enum Action {
    DeactivateAccessKey(DeactivateAccessKey),
    RevokeUserSessions(RevokeUserSessions),
    RevokeRoleSessions(RevokeRoleSessions),
    RestoreUserPolicy(RestoreUserPolicy),
    RestoreRolePolicy(RestoreRolePolicy),
    Undo(Undo),
    DeleteUser(DeleteUser),
    DeleteAccessKey(DeleteAccessKey),
    DeleteLoginProfile(DeleteLoginProfile),
    DeleteRole(DeleteRole),
    DeleteInstanceProfile(DeleteInstanceProfile),
    DeleteGroup(DeleteGroup),
    DeletePolicy(DeletePolicy),
    RestorePolicyVersion(RestorePolicyVersion),
    RestoreDefaultVersion(RestoreDefaultVersion),
    RestoreTrustPolicy(RestoreTrustPolicy),
    DenyOutsider(DenyOutsider),
    DetachPolicy(DetachPolicy),
    DeleteInlinePolicy(DeleteInlinePolicy),
    RemoveFromGroup(RemoveFromGroup),
    TerminateInstance(TerminateInstance),
    DeleteFunction(DeleteFunction),
    DeleteKeyPair(DeleteKeyPair),
    #[serde(rename = "revoke-security-group-ingress")]
    RevokeIngress(RevokeIngress),
    #[serde(rename = "revoke-security-group-egress")]
    RevokeEgress(RevokeEgress),
    UnshareSnapshot(UnshareSnapshot),
    StartLogging(StartLogging),
    EnableDetector(EnableDetector),
    DeleteIdentityProvider(DeleteIdentityProvider),
    DeleteTrustAnchor(DeleteTrustAnchor),
    #[serde(rename = "delete-roles-anywhere-profile")]
    DeleteAnywhereProfile(DeleteAnywhereProfile),
    #[serde(rename = "remove-event-rule")]
    RemoveRule(RemoveRule),
    #[serde(rename = "remove-function-permission")]
    RemovePermissions(RemovePermissions),
    DeleteFunctionUrl(DeleteFunctionUrl),
    #[serde(rename = "delete-event-source-mapping")]
    DeleteEventSource(DeleteEventSource),
    UnshareImage(UnshareImage),
    RestoreFunctionCode(RestoreFunctionCode),
    DeactivateMfaDevice(DeactivateMfaDevice),
    DeactivateServiceCredential(DeactivateServiceCredential),
    #[serde(rename = "require-imdsv2")]
    RequireImdsV2(RequireImdsV2),
    StopScalingGroup(StopScalingGroup),
    CancelSpotRequest(CancelSpotRequest),
    DeleteFleet(DeleteFleet),
    DeleteWarmPool(DeleteWarmPool),
    DeleteScalingGroup(DeleteScalingGroup),
    DeleteLaunchTemplate(DeleteLaunchTemplate),
    RestoreLaunchTemplate(RestoreLaunchTemplate),
    DeleteLaunchConfiguration(DeleteLaunchConfiguration),
    DenyByScp(DenyByScp),
    LiftScp(LiftScp),
    #[serde(rename = "delete-account-assignment")]
    DeleteAssignment(DeleteAssignment),
    DenyInPermissionSet(DenyInPermissionSet),
    LiftInPermissionSet(LiftInPermissionSet),
}

/// The calls that make a change, and those that take it back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WorkedOut {
    /// In order.
    pub calls: Vec<ApiCall>,
    /// When a document has a cut-off: the earliest it may be, because a later one is already in force.
    pub cut_off_not_before: Option<DateTime<Utc>>,
    /// How to take it back.
    pub inverse: Inverse,
}

/// How a change is taken back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverse {
    /// By these calls.
    Calls(Vec<ApiCall>),
    /// Not by this bot, and why.
    None(String),
}

impl Action {
    fn change(&self) -> &dyn Change {
        match self {
            Self::DeactivateAccessKey(change) => change,
            Self::RevokeUserSessions(change) => change,
            Self::RevokeRoleSessions(change) => change,
            Self::RestoreUserPolicy(change) => change,
            Self::RestoreRolePolicy(change) => change,
            Self::Undo(change) => change,
            Self::DeleteUser(change) => change,
            Self::DeleteAccessKey(change) => change,
            Self::DeleteLoginProfile(change) => change,
            Self::DeleteRole(change) => change,
            Self::DeleteInstanceProfile(change) => change,
            Self::DeleteGroup(change) => change,
            Self::DeletePolicy(change) => change,
            Self::RestorePolicyVersion(change) => change,
            Self::RestoreDefaultVersion(change) => change,
            Self::RestoreTrustPolicy(change) => change,
            Self::DenyOutsider(change) => change,
            Self::DetachPolicy(change) => change,
            Self::DeleteInlinePolicy(change) => change,
            Self::RemoveFromGroup(change) => change,
            Self::TerminateInstance(change) => change,
            Self::DeleteFunction(change) => change,
            Self::DeleteKeyPair(change) => change,
            Self::RevokeIngress(change) => change,
            Self::RevokeEgress(change) => change,
            Self::UnshareSnapshot(change) => change,
            Self::StartLogging(change) => change,
            Self::EnableDetector(change) => change,
            Self::DeleteIdentityProvider(change) => change,
            Self::DeleteTrustAnchor(change) => change,
            Self::DeleteAnywhereProfile(change) => change,
            Self::RemoveRule(change) => change,
            Self::RemovePermissions(change) => change,
            Self::DeleteFunctionUrl(change) => change,
            Self::DeleteEventSource(change) => change,
            Self::UnshareImage(change) => change,
            Self::RestoreFunctionCode(change) => change,
            Self::DeactivateMfaDevice(change) => change,
            Self::DeactivateServiceCredential(change) => change,
            Self::RequireImdsV2(change) => change,
            Self::StopScalingGroup(change) => change,
            Self::CancelSpotRequest(change) => change,
            Self::DeleteFleet(change) => change,
            Self::DeleteWarmPool(change) => change,
            Self::DeleteScalingGroup(change) => change,
            Self::DeleteLaunchTemplate(change) => change,
            Self::RestoreLaunchTemplate(change) => change,
            Self::DeleteLaunchConfiguration(change) => change,
            Self::DenyByScp(change) => change,
            Self::LiftScp(change) => change,
            Self::DeleteAssignment(change) => change,
            Self::DenyInPermissionSet(change) => change,
            Self::LiftInPermissionSet(change) => change,
        }
    }

    /// The catalogue's name for it.
    pub fn kind(&self) -> &'static str {
        self.change().kind()
    }

    /// Whether it tightens, loosens or removes: policy asks for more people where it loosens.
    pub fn class(&self) -> ActionClass {
        self.change().class()
    }

    /// Which of the account's roles its calls are made with.
    pub fn powers(&self) -> Powers {
        self.change().powers()
    }

    /// The Region that its calls go to.
    pub fn region(&self) -> &str {
        self.change().region()
    }

    /// The name of what is changed, as a person would type it: the key, else the user or role.
    pub fn target(&self) -> &str {
        self.change().target()
    }

    /// Whether doing it again does something: what has come since the first time is reached too.
    pub fn is_repeatable(&self) -> bool {
        self.change().is_repeatable()
    }

    /// Whether something is gone after it that nobody can put back as it was: never one person's alone.
    pub fn destroys(&self) -> bool {
        self.class() == ActionClass::Eradicate || self.change().destroys()
    }

    /// The request that it takes back, if it is an undo.
    pub fn undoes(&self) -> Option<RequestId> {
        self.change().undoes()
    }

    /// What it does, in a line, with the target's name in it.
    pub fn title(&self) -> String {
        self.change().title()
    }

    /// What an approver must know about the consequences.
    pub fn effect(&self) -> String {
        self.change().effect()
    }

    /// What to ask AWS: before planning, just before the call, and to verify.
    pub fn probe(&self) -> Probe {
        self.change().probe()
    }

    /// Works the change out against AWS as it is. An error is a sentence: why it cannot be asked for.
    pub fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        match before {
            Observation::OwnerMissing => Err("AWS knows no such resource any more.".to_owned()),
            before => self.change().work_out(before),
        }
    }

    /// The action that takes this one back, when it was carried out as request `undoes` on AWS as it was
    /// `before`, with the calls `sent`. An error is a sentence: why there is none.
    pub fn undo(&self, before: &Observation, sent: &[ApiCall], undoes: RequestId) -> Result<Self, String> {
        match self.change().undo(before, sent, undoes) {
            Some(undo) => undo,
            None if sent.is_empty() => Err(NOTHING_TO_UNDO.to_owned()),
            None => Undo::of(self, before, undoes).map(Self::Undo),
        }
    }

    /// ARNs of those who can do less afterwards, besides the target.
    pub fn takes_access_from(&self, before: &Observation) -> Vec<String> {
        self.change().takes_access_from(before)
    }

    /// Compares AWS just before the call with what the approver saw, by unique id and content.
    pub fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        match (before.owner_id(), now.owner_id()) {
            (Some(was), Some(is)) if was != is => Freshness::Changed(format!(
                "the target was deleted and made again: its unique id was {was} and is {is}"
            )),
            (_, None) if self.change().removes_target() => Freshness::AlreadyDone,
            (_, None) => Freshness::Changed("AWS knows no such resource any more".to_owned()),
            // The calls that were approved name it as it was.
            _ if self.probe().user_name().is_some() && before.owner_arn() != now.owner_arn() => {
                let arn = now.owner_arn().unwrap_or_default();
                Freshness::Changed(format!("the user has another name or path since: it is {arn} now"))
            }
            _ => self.change().freshness(before, now),
        }
    }

    /// Whether AWS is again as it was before, after it was put back.
    fn is_back(&self, before: &Observation, now: &Observation) -> bool {
        match self.freshness(before, now) {
            Freshness::AsApproved => true,
            // What is put back can have another id, and then it is as gone as before by its old one.
            Freshness::AlreadyDone | Freshness::Changed(_) => {
                before.owner_id() == now.owner_id() && self.change().is_put_back(before, now)
            }
        }
    }

    /// Whether AWS shows that the calls, as they were sent, hold for what the approver saw. Made again under the
    /// same name it is something else: that shows nothing about a change to it, and that it is gone about a removal.
    pub fn holds(&self, before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let same = before.owner_id() == now.owner_id();
        if self.change().removes_target() { !same } else { same && self.change().holds(before, sent, now) }
    }

    /// What AWS shows of it that is still to be done, a few words each, where several calls do it.
    pub fn left(&self, before: &Observation, now: &Observation) -> Vec<String> {
        if before.owner_id() == now.owner_id() { self.change().left(now) } else { Vec::new() }
    }

    /// Instances that what is stopped has started, and that run on: each has to be ended by itself.
    pub fn leaves_running(&self, before: &Observation) -> Vec<String> {
        self.change().leaves_running(before)
    }

    /// Whether what was put in place still does its work, or what AWS shows instead. A later cut-off of
    /// another revocation is as good, and what has been deleted can be used by nobody.
    pub fn still_holds(&self, before: &Observation, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match (before.owner_id(), now.owner_id()) {
            (Some(was), Some(is)) if was != is => {
                Err(format!("the name belongs to somebody else now: its unique id was {was} and is {is}"))
            }
            (_, None) => Ok(()),
            _ => self.change().still_holds(sent, now),
        }
    }
}

impl WorkedOut {
    /// Calls with no cut-off, and their inverse.
    pub(super) const fn plain(calls: Vec<ApiCall>, inverse: Inverse) -> Self {
        Self { calls, cut_off_not_before: None, inverse }
    }

    /// The calls as they go to AWS when the call is made at `now`.
    pub fn calls_at(&self, now: DateTime<Utc>) -> Vec<ApiCall> {
        let cut_off = cut_off_at(now, self.cut_off_not_before);
        self.calls.iter().cloned().map(|call| call.with_cut_off(cut_off)).collect()
    }
}

/// Said where a step has not changed anything.
pub const NOTHING_TO_UNDO: &str = "There is nothing to undo: the step has not been carried out.";

/// AWS was asked about something else than the target: a fault of this program.
fn wrong_answer<T>() -> Result<T, String> {
    Err("AWS was asked about something else than the target.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn policy(owner_id: &str, document: Option<String>) -> Observation {
        Observation::InlinePolicy {
            owner_id: owner_id.into(),
            owner_arn: "arn:aws:iam::111122223333:role/app".into(),
            owner_path: "/".into(),
            document,
        }
    }

    #[test]
    fn the_cut_off_lies_ahead_of_the_call_and_never_moves_back() {
        let action = Action::RevokeRoleSessions(RevokeRoleSessions { role_name: "app".into() });
        let plan = action.work_out(&policy("AROA1", None)).unwrap();
        let sent = plan.calls_at(at("2026-01-01T00:00:00Z"));
        assert!(sent[0].document().unwrap().contains("2026-01-01T00:00:30Z"));
        assert!(!sent[0].document().unwrap().contains(CUT_OFF));

        let later = sent[0].document().unwrap().replace("2026-01-01T00:00:30Z", "2026-01-01T00:40:00Z");
        let again = action.work_out(&policy("AROA1", Some(later))).unwrap();
        assert!(again.calls_at(at("2026-01-01T00:10:00Z"))[0].document().unwrap().contains("2026-01-01T00:40:00Z"));
    }

    #[test]
    fn undoing_a_revocation_puts_back_what_was_there() {
        let action = Action::RevokeUserSessions(RevokeUserSessions { user_name: "ci".into() });
        let before = policy("AIDA1", Some(r#"{"Version":"2012-10-17","Statement":[]}"#.into()));
        let Inverse::Calls(calls) = action.work_out(&before).unwrap().inverse else { panic!("no inverse") };
        assert!(matches!(&calls[0], ApiCall::PutUserPolicy { .. }));
        let Inverse::Calls(calls) = action.work_out(&policy("AIDA1", None)).unwrap().inverse else { panic!() };
        assert!(matches!(&calls[0], ApiCall::DeleteUserPolicy { .. }));
    }

    #[test]
    fn a_target_made_again_under_the_same_name_is_another_target() {
        let action = Action::RevokeRoleSessions(RevokeRoleSessions { role_name: "app".into() });
        let fresh = action.freshness(&policy("AROA1", None), &policy("AROA2", None));
        assert!(matches!(fresh, Freshness::Changed(why) if why.contains("AROA2")));
    }
}
