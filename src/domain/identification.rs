//! What the bot found out about a credential: whose it is, and what is not known.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::credential::{AccessKeyId, PrincipalKind};
use super::id::AccountId;
use super::observation::KeyStatus;

/// What the bot found out about the credential, and what it could not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identification {
    /// What sort of principal.
    pub kind: PrincipalKind,
    /// User or role name.
    pub name: Option<String>,
    /// Its ARN.
    pub arn: Option<String>,
    /// `AIDA…` or `AROA…`.
    pub unique_id: Option<String>,
    /// The session's name, for a session of a role.
    pub session_name: Option<String>,
    /// Who took the session: the source identity that it was taken with, and the names of whoever made the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_by: Vec<String>,
    /// The account that it is in.
    pub account: Option<AccountId>,
    /// The account that the key's own characters encode.
    pub account_in_key: Option<AccountId>,
    /// The account that `sts:GetAccessKeyInfo` names.
    pub account_from_sts: Option<AccountId>,
    /// All keys of the user, as far as they could be read.
    pub keys: Vec<KnownKey>,
    /// Whether all keys of the user could be read.
    #[serde(default)]
    pub keys_read: bool,
    /// What tags of the user or role say about its owner.
    #[serde(default)]
    pub owners: Vec<String>,
    /// What could not be found out, a sentence each.
    pub not_known: Vec<String>,
}

/// While nobody knows whose a credential is. What it reached is contained all the same.
pub static UNIDENTIFIED: Identification = Identification {
    kind: PrincipalKind::Unknown,
    name: None,
    arn: None,
    unique_id: None,
    session_name: None,
    taken_by: Vec::new(),
    account: None,
    account_in_key: None,
    account_from_sts: None,
    keys: Vec::new(),
    keys_read: false,
    owners: Vec::new(),
    not_known: Vec::new(),
};

impl Identification {
    /// What this reading lacks is kept from an older one of the same principal: a permission lost or a
    /// service away must not take back what was known. What could not be read this time stays said.
    #[must_use]
    pub fn over(mut self, older: Option<&Self>) -> Self {
        let is_same = |older: &&Self| {
            let same_id = self.unique_id.is_some() && older.unique_id == self.unique_id;
            older.name == self.name || self.name.is_none() || same_id
        };
        let Some(older) = older.filter(is_same) else { return self };
        if self.kind == PrincipalKind::Unknown {
            self.kind = older.kind;
        }
        let keep = |new: &mut Option<String>, old: &Option<String>| {
            if new.is_none() {
                new.clone_from(old);
            }
        };
        keep(&mut self.name, &older.name);
        keep(&mut self.arn, &older.arn);
        keep(&mut self.unique_id, &older.unique_id);
        keep(&mut self.session_name, &older.session_name);
        self.account = self.account.or_else(|| older.account.clone());
        self.account_in_key = self.account_in_key.or_else(|| older.account_in_key.clone());
        self.account_from_sts = self.account_from_sts.or_else(|| older.account_from_sts.clone());
        if !self.keys_read {
            self.keys.clone_from(&older.keys);
            self.keys_read = older.keys_read;
        }
        if self.taken_by.is_empty() {
            self.taken_by.clone_from(&older.taken_by);
        }
        if self.owners.is_empty() {
            self.owners.clone_from(&older.owners);
        }
        self
    }
}

/// One key of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownKey {
    /// The key.
    pub id: AccessKeyId,
    /// Its status when it was read.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When AWS last saw it used; to about 15 minutes' precision.
    pub last_used_at: Option<DateTime<Utc>>,
    /// For which service, in which Region.
    pub last_used_for: Option<String>,
}
