//! A role that the attacker has made, and an instance profile.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, no_more, no_more_named, something_else};
use super::revocation::{self, REVOKE_POLICY, cut_off_in, role_policy_call};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, Probe};
use crate::domain::policy::ActionClass;

/// Deletes a role: its sessions are denied first, and that denial is what goes last.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteRole {
    /// The role.
    pub role_name: String,
}

/// Deletes an instance profile. The roles in it stay.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteInstanceProfile {
    /// The profile.
    pub instance_profile_name: String,
}

impl Change for DeleteRole {
    fn kind(&self) -> &'static str {
        "delete-role"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        &self.role_name
    }

    fn title(&self) -> String {
        format!("Delete role {} and all that hangs on it", self.role_name)
    }

    fn effect(&self) -> String {
        "Its sessions are denied everything first. Whatever still runs as it fails from then on. Instance profiles that \
         hold it and the policies that were attached to it stay."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Role { role_name: self.role_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Role(role) = before else { return wrong_answer() };
        let name = || self.role_name.clone();
        let mut calls = vec![role_policy_call(&self.role_name, Some(revocation::document()))];
        calls.extend(role.profiles.keys().map(|profile| ApiCall::RemoveRoleFromInstanceProfile {
            instance_profile_name: profile.clone(),
            role_name: name(),
        }));
        calls.extend(
            role.attached.iter().map(|arn| ApiCall::DetachRolePolicy { role_name: name(), policy_arn: arn.clone() }),
        );
        let others = role.inline.keys().filter(|policy| *policy != REVOKE_POLICY).cloned();
        calls.extend(
            others
                .chain([REVOKE_POLICY.to_owned()])
                .map(|policy_name| ApiCall::DeleteRolePolicy { role_name: name(), policy_name }),
        );
        calls.extend(role.boundary.iter().map(|_| ApiCall::DeleteRolePermissionsBoundary { role_name: name() }));
        calls.push(ApiCall::DeleteRole { role_name: name() });
        Ok(WorkedOut {
            calls,
            cut_off_not_before: role.inline.get(REVOKE_POLICY).and_then(|document| cut_off_in(document)),
            inverse: Inverse::None(REMOVED.to_owned()),
        })
    }

    /// A denial of its sessions that has come meanwhile is put again and goes with it.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::Role(was), Observation::Role(is)) = (before, now) else {
            return something_else();
        };
        let mut inline = is.inline.clone();
        inline.remove(REVOKE_POLICY);
        let same = no_more_named(&was.profiles, &is.profiles)
            && no_more(&was.attached, &is.attached)
            && no_more_named(&was.inline, &inline)
            && (is.boundary.is_none() || is.boundary == was.boundary);
        fresh_if(same, "what hangs on the role")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Observation::Role(role) = now else { return Vec::new() };
        counted(&[
            (role.profiles.len(), "instance profile(s) that hold it"),
            (role.attached.len(), "attached policy(ies)"),
            (role.inline.len(), "inline policy(ies)"),
            (1, "role itself"),
        ])
    }
}

impl Change for DeleteInstanceProfile {
    fn kind(&self) -> &'static str {
        "delete-instance-profile"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        &self.instance_profile_name
    }

    fn title(&self) -> String {
        format!("Delete instance profile {}", self.instance_profile_name)
    }

    fn effect(&self) -> String {
        "Instances that were started with it get no new credentials. The role in it stays, if it is another's."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::InstanceProfile { instance_profile_name: self.instance_profile_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::InstanceProfile(profile) = before else { return wrong_answer() };
        let instance_profile_name = self.instance_profile_name.clone();
        let mut calls: Vec<ApiCall> = profile
            .roles
            .iter()
            .map(|role| ApiCall::RemoveRoleFromInstanceProfile {
                instance_profile_name: instance_profile_name.clone(),
                role_name: role.clone(),
            })
            .collect();
        calls.push(ApiCall::DeleteInstanceProfile { instance_profile_name });
        Ok(WorkedOut::plain(calls, Inverse::None(REMOVED.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let same = matches!((before, now),
            (Observation::InstanceProfile(was), Observation::InstanceProfile(is)) if no_more(&was.roles, &is.roles));
        fresh_if(same, "the roles in the profile")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Observation::InstanceProfile(profile) = now else { return Vec::new() };
        counted(&[(profile.roles.len(), "role(s) in it"), (1, "instance profile itself")])
    }
}
