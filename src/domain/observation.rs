//! What AWS says about a target, in the form that decisions compare: before, just before, and after.

use serde::{Deserialize, Serialize};

use super::credential::AccessKeyId;

/// A question to AWS about one target.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum Probe {
    /// An access key of a user.
    AccessKey {
        /// The user.
        user_name: String,
        /// The key.
        access_key_id: AccessKeyId,
    },
    /// All access keys of a user.
    UserKeys {
        /// The user.
        user_name: String,
    },
    /// One inline policy of a user.
    UserPolicy {
        /// The user.
        user_name: String,
        /// The policy's name.
        policy_name: String,
    },
    /// One inline policy of a role.
    RolePolicy {
        /// The role.
        role_name: String,
        /// The policy's name.
        policy_name: String,
    },
}

/// Whether a key can sign requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It can.
    Active,
    /// It cannot; it can be switched on again.
    Inactive,
}

impl KeyStatus {
    /// AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// The answer to a [`Probe`]. Owners are compared by unique id: a user or role that was deleted and
/// made again under the same name is another one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "observed", rename_all = "kebab-case")]
pub enum Observation {
    /// A key and its owner. `status` is absent when the user has no such key.
    AccessKey {
        /// `AIDA…`
        owner_id: String,
        /// The owner's ARN.
        owner_arn: String,
        /// The key's status, if it exists.
        status: Option<KeyStatus>,
    },
    /// A user and all its keys.
    UserKeys {
        /// `AIDA…`
        owner_id: String,
        /// The owner's ARN.
        owner_arn: String,
        /// Each key and its status.
        keys: Vec<(AccessKeyId, KeyStatus)>,
    },
    /// An inline policy and its owner. `document` is absent when there is no such policy.
    InlinePolicy {
        /// `AIDA…` or `AROA…`
        owner_id: String,
        /// The owner's ARN.
        owner_arn: String,
        /// The owner's path.
        owner_path: String,
        /// The policy document, decoded.
        document: Option<String>,
    },
    /// The owner itself does not exist.
    OwnerMissing,
}

impl Observation {
    /// The unique id of the owner.
    pub fn owner_id(&self) -> Option<&str> {
        match self {
            Self::AccessKey { owner_id, .. }
            | Self::UserKeys { owner_id, .. }
            | Self::InlinePolicy { owner_id, .. } => Some(owner_id),
            Self::OwnerMissing => None,
        }
    }

    /// The owner's path, where it was read.
    pub fn owner_path(&self) -> Option<&str> {
        match self {
            Self::InlinePolicy { owner_path, .. } => Some(owner_path),
            Self::AccessKey { .. } | Self::UserKeys { .. } | Self::OwnerMissing => None,
        }
    }

    /// The owner's ARN.
    pub fn owner_arn(&self) -> Option<&str> {
        match self {
            Self::AccessKey { owner_arn, .. }
            | Self::UserKeys { owner_arn, .. }
            | Self::InlinePolicy { owner_arn, .. } => Some(owner_arn),
            Self::OwnerMissing => None,
        }
    }
}

/// Whether two policy documents say the same, whatever their white space and order of members.
pub fn same_document(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<serde_json::Value>(a), serde_json::from_str::<serde_json::Value>(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}
