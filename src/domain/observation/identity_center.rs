//! How a user of IAM Identity Center comes to a permission set in an account: themselves, or by way of groups. And what
//! the set's own policy says.

use serde::{Deserialize, Serialize};

use super::Identity;

/// One user, one permission set, one account.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// The user in the identity store; there are no paths.
    pub identity: Identity,
    /// The instance of Identity Center.
    pub instance_arn: String,
    /// `d-…`
    pub identity_store_id: String,
    /// The identity store, as permissions name it.
    pub identity_store_arn: String,
    /// The permission set.
    pub permission_set_arn: String,
    /// The account, as permissions name it.
    pub account_arn: String,
    /// How the user comes to it, in order; not at all, when it is empty.
    pub ways: Vec<Way>,
}

/// One assignment that gives a user a permission set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// To the user themselves.
    Direct,
    /// To a group that the user is in.
    Group {
        /// The group's id.
        group_id: String,
        /// Its name, for people.
        name: String,
        /// The id of the user's membership: another one each time it is made.
        membership_id: String,
    },
}

impl Way {
    /// What stays the same when it is made again: the group, if it is one.
    pub fn group_id(&self) -> Option<&str> {
        match self {
            Self::Direct => None,
            Self::Group { group_id, .. } => Some(group_id),
        }
    }

    /// For people.
    pub fn in_words(&self) -> String {
        match self {
            Self::Direct => "the user's own assignment".to_owned(),
            Self::Group { name, .. } => format!("the membership in group {name}"),
        }
    }
}

impl Access {
    /// The groups of its ways, or that the user themselves is assigned.
    pub fn group_ids(&self) -> Vec<Option<&str>> {
        self.ways.iter().map(Way::group_id).collect()
    }

    /// Besides the user: all that a change of their access is made on.
    pub(super) fn changed(&self) -> Vec<String> {
        let mut arns = vec![
            self.account_arn.clone(),
            self.instance_arn.clone(),
            self.permission_set_arn.clone(),
            self.identity_store_arn.clone(),
        ];
        let store = self.identity.arn.trim_end_matches(&format!("user/{}", self.identity.id));
        for way in &self.ways {
            if let Way::Group { group_id, membership_id, .. } = way {
                arns.extend([format!("{store}group/{group_id}"), format!("{store}membership/{membership_id}")]);
            }
        }
        arns
    }
}

/// A permission set, and whom its inline policy could deny.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PermissionSet {
    /// All that it is known by.
    pub arn: String,
    /// The instance of Identity Center.
    pub instance_arn: String,
    /// The account, as permissions name it.
    pub account_arn: String,
    /// Whether the account has a role of it.
    pub in_account: InAccount,
    /// The user's id in the identity store; absent when there is no such user.
    pub user_id: Option<String>,
    /// The inline policy, if it has one.
    pub document: Option<String>,
}

/// How an account has a permission set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InAccount {
    /// Nobody there is assigned it, and AWS keeps no role of it.
    Absent,
    /// The role has it as it was before its last change.
    Older,
    /// The role has it as it is.
    Latest,
}

impl PermissionSet {
    /// Besides the set: all that a change of it is made on.
    pub(super) fn changed(&self) -> [String; 2] {
        [self.account_arn.clone(), self.instance_arn.clone()]
    }
}
