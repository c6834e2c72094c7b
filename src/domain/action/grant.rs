//! Managed policies that the attacker has attached to users, roles and groups that are not theirs.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness};
use super::policy::detach;
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Holder, Observation, Probe};
use crate::domain::policy::ActionClass;
use crate::domain::trail::parameters::is_quarantine;

/// Takes a managed policy off.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DetachPolicy {
    /// Off whom.
    pub holder: Holder,
    /// The policy.
    pub policy_arn: String,
}

impl Change for DetachPolicy {
    fn kind(&self) -> &'static str {
        "detach-policy"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        self.holder.name()
    }

    fn title(&self) -> String {
        let policy = self.policy_arn.rsplit('/').next().unwrap_or(&self.policy_arn);
        format!("Detach policy {policy} from {}", self.holder.in_words())
    }

    fn effect(&self) -> String {
        "The attacker has attached it; AWS takes that call too where it was attached before, so ask the owner whether it was. \
         What it lets its holder do, the holder cannot do from then on, unless another policy lets it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Attachment { holder: self.holder.clone(), policy_arn: self.policy_arn.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Attached { present, .. } = before else { return wrong_answer() };
        if is_quarantine(&self.policy_arn) {
            return Err("This policy takes rights away from a leaked credential: it stays.".to_owned());
        }
        if !present {
            return Err(format!("The policy is no longer attached to {}.", self.holder.in_words()));
        }
        let policy_arn = self.policy_arn.clone();
        let attach = match self.holder.clone() {
            Holder::User(user_name) => ApiCall::AttachUserPolicy { user_name, policy_arn },
            Holder::Role(role_name) => ApiCall::AttachRolePolicy { role_name, policy_arn },
            Holder::Group(group_name) => ApiCall::AttachGroupPolicy { group_name, policy_arn },
        };
        Ok(WorkedOut::plain(vec![detach(&self.holder, &self.policy_arn)], Inverse::Calls(vec![attach])))
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
