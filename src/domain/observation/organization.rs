//! An account's place in its organization, and the service control policy that denies one of its users or roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Identity;

/// What a deny of the organization's is decided by.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceControl {
    /// The user or role that it is about.
    pub identity: Identity,
    /// The account, as Organizations knows it.
    pub account_arn: String,
    /// Whether it is the management account, which no service control policy binds.
    pub is_management: bool,
    /// The root of the organization.
    pub root_id: String,
    /// Whether the organization has all features, and not just one bill.
    pub all_features: bool,
    /// Whether service control policies are switched on at the root.
    pub enabled: bool,
    /// Those that are attached to the account itself: names by id.
    pub attached: BTreeMap<String, String>,
    /// The policy of the name that was asked for, attached or not.
    pub policy: Option<ControlPolicy>,
}

/// One service control policy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ControlPolicy {
    /// `p-…`
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The document.
    pub content: String,
}

impl ServiceControl {
    /// The policy that was asked for, when it is attached to the account.
    pub fn in_force(&self) -> Option<&ControlPolicy> {
        self.policy.as_ref().filter(|policy| self.attached.contains_key(&policy.id))
    }

    /// Besides the user or role: the account, and the policy; all there can be, while there is none.
    pub(super) fn changed(&self) -> [String; 2] {
        let new = || {
            let organization = self.account_arn.rsplit_once('/').map_or("", |(organization, _)| organization);
            format!("{}/service_control_policy/*", organization.replacen(":account/", ":policy/", 1))
        };
        [self.account_arn.clone(), self.policy.as_ref().map_or_else(new, |policy| policy.arn.clone())]
    }
}
