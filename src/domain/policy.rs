//! Who may do what: the organisation's rules as they stand at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::id::{AccountId, GroupId, NotAnId, UserId};
use super::recusal::plain;
use super::trail::token::{account_of, role_session};

/// How much an action asks for: more people where it loosens than where it tightens.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionClass {
    /// Tightens, and can be taken back.
    Contain,
    /// Takes a containment or a removal back.
    Loosen,
    /// Removes what an attacker has made, or puts back what they have changed.
    Eradicate,
}

impl ActionClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Contain, Self::Loosen, Self::Eradicate];
}

/// What a class of actions asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// Approvers besides the requester.
    pub quorum: u8,
    /// Time to decide.
    pub approve_within: TimeDelta,
    /// Time from the last approval to the call.
    pub execute_within: TimeDelta,
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

/// A list of people: accounts, and Slack user groups whose members count too.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct List {
    /// Accounts.
    pub users: BTreeSet<UserId>,
    /// Groups, by id: a group's name can be changed by many.
    pub groups: BTreeSet<GroupId>,
}

/// Whom a message can call by a mention.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Called {
    /// An account.
    User(UserId),
    /// Whoever is in a user group.
    Group(GroupId),
}

impl FromStr for Called {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.starts_with('S') { text.parse().map(Self::Group) } else { text.parse().map(Self::User) }
    }
}

/// The rules. Built from configuration, which refuses what cannot work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Who may work incidents and request actions.
    pub responders: List,
    /// Who may decide about requests.
    pub approvers: List,
    /// Members of the groups above, as Slack said a moment ago. A group that could not be read is absent
    /// and has no members: nobody gains a right from a question without an answer.
    pub members: BTreeMap<GroupId, BTreeSet<UserId>>,
    /// Accounts of one human, each mapped to the first of them.
    pub aliases: BTreeMap<UserId, UserId>,
    /// What of AWS belongs to whom: ARNs of users and roles, names of sessions, values of owner tags.
    pub belongings: BTreeMap<String, PersonId>,
    /// ARNs that no action may touch, beyond those that are always refused.
    pub protected_arns: BTreeSet<String>,
    /// The roles and the user as which the bot calls AWS.
    pub bots: BTreeSet<String>,
    /// What each class asks for.
    pub rules: BTreeMap<ActionClass, Rules>,
    /// Who may let a containment run alone in an emergency; nobody, when it is off.
    pub break_glass: BTreeSet<UserId>,
    /// Whom to ask when nobody can approve.
    pub escalation: BTreeSet<UserId>,
    /// Whom a new incident calls, and an alarm while nobody leads. Nothing is decided by it.
    pub page: BTreeSet<Called>,
    /// Accounts whose logs can be searched with Athena.
    pub logs: BTreeSet<AccountId>,
    /// Hash of all of this but the members and who is called: bound into each request.
    pub version: String,
}

impl Policy {
    /// The human behind an account.
    pub fn person(&self, user: &UserId) -> PersonId {
        PersonId(self.aliases.get(user).unwrap_or(user).clone())
    }

    /// Whether any account of this human is on the list of responders. Approvers are responders too.
    pub fn is_responder(&self, person: &PersonId) -> bool {
        self.people(&self.responders).contains(person) || self.is_approver(person)
    }

    /// Whether any account of this human is on the list of approvers.
    pub fn is_approver(&self, person: &PersonId) -> bool {
        self.people(&self.approvers).contains(person)
    }

    /// Whether any account of this human may let a containment run alone.
    pub fn may_break_glass(&self, person: &PersonId) -> bool {
        self.break_glass.iter().any(|user| self.person(user) == *person)
    }

    /// The humans on a list.
    pub fn people(&self, list: &List) -> BTreeSet<PersonId> {
        self.accounts(list).iter().map(|user| self.person(user)).collect()
    }

    /// The accounts on a list, its groups' members too.
    pub fn accounts(&self, list: &List) -> BTreeSet<UserId> {
        let members = list.groups.iter().filter_map(|group| self.members.get(group)).flatten();
        list.users.iter().chain(members).cloned().collect()
    }

    /// All accounts of a human, the one that they are known by first.
    pub fn accounts_of(&self, person: &PersonId) -> Vec<UserId> {
        let others = self.aliases.iter().filter(|(_, first)| **first == person.0).map(|(other, _)| other);
        [&person.0].into_iter().chain(others).cloned().collect()
    }

    /// Takes an account off every list.
    pub fn forget(&mut self, user: &UserId) {
        self.responders.users.remove(user);
        self.approvers.users.remove(user);
        for members in self.members.values_mut() {
            members.remove(user);
        }
    }

    /// All groups that are named.
    pub fn groups(&self) -> BTreeSet<&GroupId> {
        self.responders.groups.union(&self.approvers.groups).collect()
    }

    /// Whether the members of some group are not known: a no can then be for that reason.
    pub fn has_unread_groups(&self) -> bool {
        self.groups().into_iter().any(|group| !self.members.contains_key(group))
    }

    /// The responder or approver whose own identity in AWS this ARN is, as the rules say. While the members of a group
    /// are not known, everybody may be in it.
    pub fn works_through(&self, arn: &str) -> Option<&PersonId> {
        self.owner(arn).filter(|person| self.is_responder(person) || self.has_unread_groups())
    }

    /// Whose something in AWS is, as the rules say: by what is written there, or as the same user or role, or a session of
    /// it. A session that is written there is nobody else's of the same role.
    pub fn owner(&self, sign: &str) -> Option<&PersonId> {
        let sign = plain(sign);
        let of_session = role_session(&sign).map(|(account, role, _)| (account, "role", role));
        let same = |of| self.belongings.iter().find(|(own, _)| without_path(own) == Some(of)).map(|(_, person)| person);
        self.belongings.get(&sign).or_else(|| same(of_session.or_else(|| without_path(&sign))?))
    }

    /// Whether no action may touch it. The path of a user or role does not count: the ARN of a session has none, and
    /// there is one of each name in an account.
    pub fn protects(&self, arn: &str) -> bool {
        has(&self.protected_arns, arn)
    }

    /// Whether it is the bot itself, or one of its roles.
    pub fn protects_as_bot(&self, arn: &str) -> bool {
        has(&self.bots, arn)
    }

    /// Somebody of an account whom no action may touch, or through whom a responder works.
    pub fn protects_in(&self, account: &str) -> Option<&str> {
        let works = self.belongings.keys().filter(|arn| self.works_through(arn).is_some());
        self.protected_arns.iter().chain(works).map(String::as_str).find(|arn| account_of(arn) == account)
    }

    /// What a class asks for. A class that configuration leaves out asks for more than there can be.
    pub fn rules(&self, class: ActionClass) -> Rules {
        let never = Rules { quorum: u8::MAX, approve_within: TimeDelta::zero(), execute_within: TimeDelta::zero() };
        self.rules.get(&class).copied().unwrap_or(never)
    }

    /// The humans who may approve what this person requested.
    pub fn approvers_besides(&self, requester: &PersonId) -> BTreeSet<PersonId> {
        self.people(&self.approvers).into_iter().filter(|person| person != requester).collect()
    }
}

/// Whether an ARN is among some, whatever its path.
fn has(arns: &BTreeSet<String>, arn: &str) -> bool {
    arns.contains(arn) || without_path(arn).is_some_and(|of| arns.iter().any(|own| without_path(own) == Some(of)))
}

/// The account, kind and name in the ARN of a user or role.
pub(super) fn without_path(arn: &str) -> Option<(&str, &str, &str)> {
    let (account, resource) = arn.split_once(":iam::")?.1.split_once(':')?;
    let (kind, name) = resource.split_once('/').filter(|(kind, _)| matches!(*kind, "user" | "role"))?;
    Some((account, kind, name.rsplit('/').next().unwrap_or(name)))
}
