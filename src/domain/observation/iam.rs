//! What IAM says of a user, role, group, policy or instance profile and of all that hangs on it: as much as is needed
//! to delete it in order, and to make it again by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::KeyStatus;
use crate::domain::credential::AccessKeyId;

/// Who or what a policy hangs on.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Holder {
    /// A user, by name.
    User(String),
    /// A role, by name.
    Role(String),
    /// A group, by name.
    Group(String),
}

impl Holder {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Role(name) | Self::Group(name) => name,
        }
    }

    /// What it is, as it stands in an ARN.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Role(_) => "role",
            Self::Group(_) => "group",
        }
    }

    /// What it is and its name.
    pub fn in_words(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }
}

/// What anything in IAM is known by.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// `AIDA…`, `AROA…`, `AGPA…`, `ANPA…` or `AIPA…`: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its path.
    pub path: String,
}

/// A user and all that hangs on it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct UserTree {
    /// Which user.
    pub identity: Identity,
    /// Its access keys.
    pub keys: Vec<(AccessKeyId, KeyStatus)>,
    /// Whether it has a password for the console.
    pub login_profile: bool,
    /// Serial numbers of its MFA devices; of a virtual one that is an ARN.
    pub mfa_devices: Vec<String>,
    /// Ids of its signing certificates.
    pub certificates: Vec<String>,
    /// Ids of its SSH keys.
    pub ssh_keys: Vec<String>,
    /// Ids of its credentials for one service; a long-term key of Bedrock is one.
    pub service_credentials: Vec<String>,
    /// Inline policies, by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: Vec<String>,
    /// Its groups, by name, with their ARNs.
    pub groups: BTreeMap<String, String>,
    /// The policy that bounds it.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A role and all that hangs on it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RoleTree {
    /// Which role.
    pub identity: Identity,
    /// Its trust policy.
    pub trust: String,
    /// Inline policies, by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: Vec<String>,
    /// Instance profiles that hold it, by name, with their ARNs.
    pub profiles: BTreeMap<String, String>,
    /// The policy that bounds it.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A group, its members and its policies.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GroupTree {
    /// Which group.
    pub identity: Identity,
    /// Names of the users in it.
    pub members: Vec<String>,
    /// Inline policies, by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: Vec<String>,
}

/// A managed policy of the account's own, its versions, and what it hangs on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PolicyTree {
    /// Which policy.
    pub identity: Identity,
    /// The version in force.
    pub default: String,
    /// Documents by version, `v1` and on.
    pub versions: BTreeMap<String, String>,
    /// Whom it is attached to, with their ARNs.
    pub attached_to: Vec<(Holder, String)>,
    /// Users and roles that it bounds.
    pub bounds: Vec<Holder>,
    /// What was in force before the attacker added theirs or chose another, where that was asked for and the event history
    /// shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// From when on the event history is sure to have all that was before, where it is too early to say what was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<DateTime<Utc>>,
    /// ARNs of the users who have it by way of a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

/// An instance profile and the roles in it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ProfileTree {
    /// Which profile.
    pub identity: Identity,
    /// Names of its roles.
    pub roles: Vec<String>,
}

/// A service-specific credential and its owner.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceCredential {
    /// The user.
    pub owner: Identity,
    /// `ACCA…`
    pub credential_id: String,
    /// Whether it works; absent when the user has none of this id.
    pub status: Option<KeyStatus>,
}

/// A user, and one device that may be on it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MfaDevice {
    /// Which user.
    pub owner: Identity,
    /// The device: an ARN, or what is printed on a hardware token.
    pub serial_number: String,
    /// Since when it is on the user; absent when it is not.
    pub enabled_at: Option<DateTime<Utc>>,
}

/// A role's trust policy, and what it was before a change.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// Which role.
    pub identity: Identity,
    /// The document as it is.
    pub document: String,
    /// The document that the attacker's change has put there, as the event has it.
    pub put: Option<String>,
    /// The document that the newest event before the attacker's has put there; absent when the event history has none.
    pub previous: Option<Previous>,
}

/// An older state that the trail shows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Previous {
    /// The document.
    pub document: String,
    /// The event that put it there.
    pub event_id: String,
}
