//! Who may do what: the organisation's rules as they stand at one moment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::id::UserId;

/// How much an action asks for: more people where it loosens than where it tightens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionClass {
    /// Tightens, and can be taken back.
    Contain,
    /// Takes a containment back.
    Loosen,
}

/// One human, whatever accounts they have: the first account that the configuration lists for them.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub UserId);

/// What Slack says about an account at this moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A full member of this workspace.
    Member,
    /// A single- or multi-channel guest.
    Guest,
    /// A bot or an app.
    Bot,
    /// Belongs to another organisation.
    External,
    /// Deactivated.
    Deactivated,
    /// Slack knows no such user, or could not be asked: the answer is no.
    Unknown,
}

/// A person at the moment they act: the account that clicked, the human behind it, and Slack's word
/// about the account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor {
    /// The account.
    pub user: UserId,
    /// The human.
    pub person: PersonId,
    /// What Slack says of the account.
    pub standing: Standing,
}

/// The rules. Built from configuration, which refuses what cannot work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Who may work incidents and request actions.
    pub responders: BTreeSet<UserId>,
    /// Who may decide about requests.
    pub approvers: BTreeSet<UserId>,
    /// Accounts of one human, each mapped to the first of them.
    pub aliases: BTreeMap<UserId, UserId>,
    /// ARNs that no action may touch, beyond those that are always refused.
    pub protected_arns: BTreeSet<String>,
    /// Approvers besides the requester, for actions that tighten.
    pub contain_quorum: u8,
    /// Approvers besides the requester, for actions that loosen.
    pub loosen_quorum: u8,
    /// Time to decide.
    pub approve_within: TimeDelta,
    /// Time from the last approval to the call.
    pub execute_within: TimeDelta,
    /// Hash of all of this: bound into each request.
    pub version: String,
}

impl Policy {
    /// The human behind an account.
    pub fn person(&self, user: &UserId) -> PersonId {
        PersonId(self.aliases.get(user).unwrap_or(user).clone())
    }

    /// Whether any account of this human is on the list of responders. Approvers are responders too.
    pub fn is_responder(&self, person: &PersonId) -> bool {
        self.listed(&self.responders, person) || self.is_approver(person)
    }

    /// Whether any account of this human is on the list of approvers.
    pub fn is_approver(&self, person: &PersonId) -> bool {
        self.listed(&self.approvers, person)
    }

    fn listed(&self, list: &BTreeSet<UserId>, person: &PersonId) -> bool {
        list.iter().any(|user| self.person(user) == *person)
    }

    /// Approvers besides the requester.
    pub const fn quorum(&self, class: ActionClass) -> u8 {
        match class {
            ActionClass::Contain => self.contain_quorum,
            ActionClass::Loosen => self.loosen_quorum,
        }
    }

    /// The humans who may approve what this person requested.
    pub fn approvers_besides(&self, requester: &PersonId) -> BTreeSet<PersonId> {
        self.approvers.iter().map(|user| self.person(user)).filter(|person| person != requester).collect()
    }
}
