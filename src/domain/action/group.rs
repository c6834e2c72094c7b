//! A group that the attacker has made, and a membership that they have added.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, no_more, no_more_named, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, Probe};
use crate::domain::policy::ActionClass;

/// Deletes a group. Its members stay.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteGroup {
    /// The group.
    pub group_name: String,
}

/// Takes a user out of a group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RemoveFromGroup {
    /// The user.
    pub user_name: String,
    /// The group.
    pub group_name: String,
}

impl Change for DeleteGroup {
    fn kind(&self) -> &'static str {
        "delete-group"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        &self.group_name
    }

    fn title(&self) -> String {
        format!("Delete group {}", self.group_name)
    }

    fn effect(&self) -> String {
        "Its members lose what it let them do, and stay. The policies that were attached to it stay.".to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Group { group_name: self.group_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Group(group) = before else { return wrong_answer() };
        let name = || self.group_name.clone();
        let mut calls: Vec<ApiCall> = group
            .members
            .iter()
            .map(|user| ApiCall::RemoveUserFromGroup { group_name: name(), user_name: user.clone() })
            .collect();
        calls.extend(
            group.attached.iter().map(|arn| ApiCall::DetachGroupPolicy { group_name: name(), policy_arn: arn.clone() }),
        );
        calls.extend(
            group
                .inline
                .keys()
                .map(|policy| ApiCall::DeleteGroupPolicy { group_name: name(), policy_name: policy.clone() }),
        );
        calls.push(ApiCall::DeleteGroup { group_name: name() });
        Ok(WorkedOut::plain(calls, Inverse::None(REMOVED.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::Group(was), Observation::Group(is)) = (before, now) else {
            return something_else();
        };
        let same = no_more(&was.members, &is.members)
            && no_more(&was.attached, &is.attached)
            && no_more_named(&was.inline, &is.inline);
        fresh_if(same, "the group's members or policies")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Observation::Group(group) = now else { return Vec::new() };
        counted(&[
            (group.members.len(), "member(s)"),
            (group.attached.len(), "attached policy(ies)"),
            (group.inline.len(), "inline policy(ies)"),
            (1, "group itself"),
        ])
    }
}

impl Change for RemoveFromGroup {
    fn kind(&self) -> &'static str {
        "remove-from-group"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        &self.user_name
    }

    fn title(&self) -> String {
        format!("Take user {} out of group {}", self.user_name, self.group_name)
    }

    fn effect(&self) -> String {
        "The user loses what the group lets it do. The attacker had put it there; AWS takes that call too where it was there \
         before, so ask the owner whether it was."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Membership { user_name: self.user_name.clone(), group_name: self.group_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Attached { present, .. } = before else { return wrong_answer() };
        let Self { user_name, group_name } = self.clone();
        if !present {
            return Err(format!("User {user_name} is no longer in group {group_name}."));
        }
        Ok(WorkedOut::plain(
            vec![ApiCall::RemoveUserFromGroup { group_name: group_name.clone(), user_name: user_name.clone() }],
            Inverse::Calls(vec![ApiCall::AddUserToGroup { group_name, user_name }]),
        ))
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        match now {
            Observation::Attached { present: true, .. } => Freshness::AsApproved,
            _ => Freshness::AlreadyDone,
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        matches!(now, Observation::Attached { present: false, .. })
    }
}
