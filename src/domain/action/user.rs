//! A user that the attacker has made, with all that hangs on it.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, no_more, no_more_named};
use super::mfa::is_virtual;
use super::revocation::REVOKE_POLICY;
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{KeyStatus, Observation, Probe, UserTree};
use crate::domain::policy::ActionClass;
use crate::domain::trail::parameters::is_quarantine;

/// Deletes a user: its credentials first, then what lets it do something, and last what forbids it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteUser {
    /// The user.
    pub user_name: String,
}

impl DeleteUser {
    fn credentials(&self, user: &UserTree) -> Vec<ApiCall> {
        let name = || self.user_name.clone();
        let off = user.keys.iter().map(|(key, _)| ApiCall::UpdateAccessKey {
            user_name: name(),
            access_key_id: key.clone(),
            status: KeyStatus::Inactive,
        });
        let gone =
            user.keys.iter().map(|(key, _)| ApiCall::DeleteAccessKey { user_name: name(), access_key_id: key.clone() });
        let mut calls: Vec<ApiCall> = off.chain(gone).collect();
        calls.extend(user.login_profile.then(|| ApiCall::DeleteLoginProfile { user_name: name() }));
        calls.extend(user.service_credentials.iter().map(|id| ApiCall::DeleteServiceSpecificCredential {
            user_name: name(),
            service_specific_credential_id: id.clone(),
        }));
        calls.extend(
            user.ssh_keys
                .iter()
                .map(|id| ApiCall::DeleteSSHPublicKey { user_name: name(), ssh_public_key_id: id.clone() }),
        );
        calls.extend(
            user.certificates
                .iter()
                .map(|id| ApiCall::DeleteSigningCertificate { user_name: name(), certificate_id: id.clone() }),
        );
        for serial in &user.mfa_devices {
            calls.push(ApiCall::DeactivateMFADevice { user_name: name(), serial_number: serial.clone() });
            // Of a device that people hold in their hands only the link to the user goes.
            calls.extend(is_virtual(serial).then(|| ApiCall::DeleteVirtualMFADevice { serial_number: serial.clone() }));
        }
        calls
    }

    fn policies(&self, user: &UserTree) -> Vec<ApiCall> {
        let name = || self.user_name.clone();
        let mut calls: Vec<ApiCall> = user
            .groups
            .keys()
            .map(|group| ApiCall::RemoveUserFromGroup { group_name: group.clone(), user_name: name() })
            .collect();
        let detach = |arn: &String| ApiCall::DetachUserPolicy { user_name: name(), policy_arn: arn.clone() };
        let (forbid, allow): (Vec<&String>, Vec<&String>) = user.attached.iter().partition(|arn| is_quarantine(arn));
        calls.extend(allow.into_iter().map(detach));
        let (revoked, others): (Vec<&String>, Vec<&String>) =
            user.inline.keys().partition(|policy| *policy == REVOKE_POLICY);
        calls.extend(
            others
                .into_iter()
                .chain(revoked)
                .map(|policy| ApiCall::DeleteUserPolicy { user_name: name(), policy_name: policy.clone() }),
        );
        calls.extend(forbid.into_iter().map(detach));
        calls.extend(user.boundary.iter().map(|_| ApiCall::DeleteUserPermissionsBoundary { user_name: name() }));
        calls
    }
}

impl Change for DeleteUser {
    fn kind(&self) -> &'static str {
        "delete-user"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        &self.user_name
    }

    fn title(&self) -> String {
        format!("Delete user {} and all that hangs on it", self.user_name)
    }

    fn effect(&self) -> String {
        "Its credentials go first, what forbids it something goes last. Sessions minted from its keys are refused once it \
         is gone. Its groups and the policies that were attached to it stay."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::User { user_name: self.user_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::User(user) = before else { return wrong_answer() };
        let mut calls = self.credentials(user);
        calls.extend(self.policies(user));
        calls.push(ApiCall::DeleteUser { user_name: self.user_name.clone() });
        Ok(WorkedOut::plain(calls, Inverse::None(REMOVED.to_owned())))
    }

    /// Whether a key is switched off meanwhile, or something is gone already, makes no difference.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::User(was), Observation::User(is)) = (before, now) else {
            return Freshness::Changed("AWS answered about something else".to_owned());
        };
        let keys = |user: &UserTree| user.keys.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let same = no_more(&keys(was), &keys(is))
            && is.login_profile <= was.login_profile
            && no_more(&was.service_credentials, &is.service_credentials)
            && no_more(&was.ssh_keys, &is.ssh_keys)
            && no_more(&was.certificates, &is.certificates)
            && no_more(&was.mfa_devices, &is.mfa_devices)
            && no_more_named(&was.groups, &is.groups)
            && no_more(&was.attached, &is.attached)
            && no_more_named(&was.inline, &is.inline)
            && (is.boundary.is_none() || is.boundary == was.boundary);
        fresh_if(same, "what hangs on the user")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Observation::User(user) = now else { return Vec::new() };
        let of = [
            (user.keys.len(), "access key(s)"),
            (usize::from(user.login_profile), "password"),
            (user.service_credentials.len(), "service credential(s)"),
            (user.ssh_keys.len(), "SSH key(s)"),
            (user.certificates.len(), "signing certificate(s)"),
            (user.mfa_devices.len(), "MFA device(s)"),
            (user.groups.len(), "group membership(s)"),
            (user.attached.len(), "attached policy(ies)"),
            (user.inline.len(), "inline policy(ies)"),
            (1, "user itself"),
        ];
        counted(&of)
    }
}
