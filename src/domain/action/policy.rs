//! A managed policy that the attacker has made, and a version that they have added to another.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, no_more, no_more_named, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Holder, Observation, PolicyTree, Probe};
use crate::domain::policy::ActionClass;

/// More than these cannot be named in the one session that a plan gets: 2,048 characters in all.
const HOLDERS_MAX: usize = 15;

/// Deletes a managed policy: it is taken off whoever has it first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeletePolicy {
    /// The policy.
    pub policy_arn: String,
}

/// Puts an older version of a managed policy in force, and deletes the one that the attacker has added.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestorePolicyVersion {
    /// The policy.
    pub policy_arn: String,
    /// The attacker's version.
    pub version_id: String,
    /// Others of theirs: none of them is put in force.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also_theirs: BTreeSet<String>,
    /// The events by which they have put versions in force.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub event_ids: BTreeSet<String>,
}

/// The call that takes a policy off.
pub(super) fn detach(holder: &Holder, policy_arn: &str) -> ApiCall {
    let policy_arn = policy_arn.to_owned();
    match holder.clone() {
        Holder::User(user_name) => ApiCall::DetachUserPolicy { user_name, policy_arn },
        Holder::Role(role_name) => ApiCall::DetachRolePolicy { role_name, policy_arn },
        Holder::Group(group_name) => ApiCall::DetachGroupPolicy { group_name, policy_arn },
    }
}

/// A policy's name, as its ARN ends.
pub(super) fn name(policy_arn: &str) -> &str {
    policy_arn.rsplit('/').next().unwrap_or(policy_arn)
}

pub(super) fn number(version: &str) -> u32 {
    version.trim_start_matches('v').parse().unwrap_or(0)
}

impl Change for DeletePolicy {
    fn kind(&self) -> &'static str {
        "delete-policy"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        name(&self.policy_arn)
    }

    fn title(&self) -> String {
        format!("Delete policy {}", name(&self.policy_arn))
    }

    fn effect(&self) -> String {
        "Whoever has it loses what it lets them do, and is not changed otherwise.".to_owned()
    }

    fn probe(&self) -> Probe {
        let (theirs, event_ids) = (BTreeSet::new(), BTreeSet::new());
        Probe::Policy { policy_arn: self.policy_arn.clone(), theirs, chosen: None, event_ids }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Policy(policy) = before else { return wrong_answer() };
        if let Some(bounded) = policy.bounds.first() {
            return Err(format!(
                "The policy bounds {}: taken away, it could do more than before. Put another boundary there by hand \
                 (aws iam put-{}-permissions-boundary), and ask again.",
                bounded.in_words(),
                bounded.kind()
            ));
        }
        if policy.attached_to.len() > HOLDERS_MAX {
            return Err(format!(
                "The policy is attached to {} users, roles and groups, more than one approved session can be confined to. \
                 Detach it by hand from all but {HOLDERS_MAX}, and ask again.",
                policy.attached_to.len()
            ));
        }
        let mut calls: Vec<ApiCall> =
            policy.attached_to.iter().map(|(holder, _)| detach(holder, &self.policy_arn)).collect();
        calls.extend(policy.versions.keys().filter(|version| **version != policy.default).map(|version| {
            ApiCall::DeletePolicyVersion { policy_arn: self.policy_arn.clone(), version_id: version.clone() }
        }));
        calls.push(ApiCall::DeletePolicy { policy_arn: self.policy_arn.clone() });
        Ok(WorkedOut::plain(calls, Inverse::None(REMOVED.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::Policy(was), Observation::Policy(is)) = (before, now) else {
            return something_else();
        };
        let same = was.default == is.default
            && no_more_named(&was.versions, &is.versions)
            && no_more(&was.attached_to, &is.attached_to)
            && no_more(&was.bounds, &is.bounds);
        fresh_if(same, "the policy's versions or what it is attached to")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Observation::Policy(policy) = now else { return Vec::new() };
        counted(&[
            (policy.attached_to.len(), "attachment(s)"),
            (policy.versions.len().saturating_sub(1), "older version(s)"),
            (1, "policy itself"),
        ])
    }
}

impl RestorePolicyVersion {
    fn theirs(&self) -> BTreeSet<String> {
        self.also_theirs.iter().chain([&self.version_id]).cloned().collect()
    }

    /// The version to put in force: what was before, as the event history shows it, else the only other one.
    fn other<'a>(&self, policy: &'a PolicyTree) -> Result<&'a String, String> {
        let theirs = self.theirs();
        let mut others: Vec<&String> = policy.versions.keys().filter(|version| !theirs.contains(*version)).collect();
        others.sort_by_key(|version| number(version));
        let known = others.iter().find(|version| policy.previous.as_ref() == Some(**version));
        match (known, &others[..]) {
            (Some(known), _) | (None, [known]) => Ok(known),
            (None, []) => Err(format!(
                "Beside {} there is no version that is not the attacker's: nothing is left to put in force. Write the \
                 policy anew by hand (aws iam create-policy-version --set-as-default), and ask again.",
                self.version_id
            )),
            (None, several) => {
                let several: Vec<&str> = several.iter().map(|version| version.as_str()).collect();
                Err(format!(
                    "The event history does not show which of {} was in force before, and a wrong one can allow more. Put \
                     the right one in force by hand (aws iam set-default-policy-version --policy-arn {} --version-id …), \
                     and ask again.",
                    several.join(", "),
                    self.policy_arn
                ))
            }
        }
    }
}

impl Change for RestorePolicyVersion {
    fn kind(&self) -> &'static str {
        "restore-policy-version"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        name(&self.policy_arn)
    }

    fn title(&self) -> String {
        format!("Put policy {} back: delete version {}", name(&self.policy_arn), self.version_id)
    }

    fn effect(&self) -> String {
        "The attacker has added this version. If it is in force, the one that was before is put in force again, as the event \
         history shows it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        let (theirs, event_ids) = (self.theirs(), self.event_ids.clone());
        Probe::Policy { policy_arn: self.policy_arn.clone(), theirs, chosen: None, event_ids }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Policy(policy) = before else { return wrong_answer() };
        if !policy.versions.contains_key(&self.version_id) {
            return Err(format!("Version {} is no longer there.", self.version_id));
        }
        let in_force = policy.default == self.version_id;
        let mut calls = Vec::new();
        if in_force {
            calls.push(ApiCall::SetDefaultPolicyVersion {
                policy_arn: self.policy_arn.clone(),
                version_id: self.other(policy)?.clone(),
            });
        }
        calls.push(ApiCall::DeletePolicyVersion {
            policy_arn: self.policy_arn.clone(),
            version_id: self.version_id.clone(),
        });
        let why =
            "A deleted version does not come back under its number; its document is in the log, to be put there anew.";
        Ok(WorkedOut::plain(calls, Inverse::None(why.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::Policy(was), Observation::Policy(is)) = (before, now) else {
            return something_else();
        };
        if !is.versions.contains_key(&self.version_id) {
            return Freshness::AlreadyDone;
        }
        // Another version of theirs can have gone meanwhile, or the default been put back: the calls are the same then.
        let same_calls = if was.default == self.version_id {
            was.default == is.default && self.other(was).is_ok_and(|other| is.versions.contains_key(other))
        } else {
            is.default != self.version_id
        };
        fresh_if(same_calls && no_more_named(&was.versions, &is.versions), "the policy's versions")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        matches!(now, Observation::Policy(policy) if !policy.versions.contains_key(&self.version_id))
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let there = matches!(now, Observation::Policy(policy) if policy.versions.contains_key(&self.version_id));
        counted(&[(usize::from(there), "version of the attacker's")])
    }
}
