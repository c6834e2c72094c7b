//! The ARNs of roles. Most calls that change a role say its name and not its path, and whoever takes it says its ARN.

use std::collections::{BTreeMap, BTreeSet};

use super::super::trail::analysis::Analysis;
use super::super::trail::resource::Effect;
use super::super::trail::token::bare_name;

/// Roles that are read in one search. More than can be asked about need not be known.
const ROLES_READ_MAX: usize = 80;

/// What AWS has told of roles of one account.
#[derive(Clone, Debug, Default)]
pub struct RoleArns {
    account: String,
    /// Their ARNs, by name; absent where one could not be read, or is gone.
    read: BTreeMap<String, Option<String>>,
}

impl RoleArns {
    /// Nothing is known of this account's roles yet.
    pub fn of(account: &str) -> Self {
        Self { account: account.to_owned(), read: BTreeMap::new() }
    }

    /// Names of the roles of the attacker's that no record says the ARN of, and that have not been read.
    pub fn unknown(&self, analysis: &Analysis) -> Vec<String> {
        let changed = analysis.footprint.iter().filter(|found| {
            found.resource_type == "AWS::IAM::Role" && found.effect != Effect::Read && found.account == self.account
        });
        let made = made(analysis);
        let named: BTreeSet<&str> = changed
            .map(|found| found.id.as_str())
            .chain(analysis.taken_roles.iter().map(String::as_str))
            .filter(|role| !role.starts_with("arn:"))
            .map(name_of)
            .filter(|name| !self.read.contains_key(*name) && !made.contains_key(name))
            .collect();
        let room = ROLES_READ_MAX.saturating_sub(self.read.len());
        named.into_iter().take(room).map(str::to_owned).collect()
    }

    /// What AWS shows of a role; nothing where it could not be read, or is gone.
    pub fn learn(&mut self, name: String, arn: Option<String>) {
        self.read.insert(name, arn);
    }

    /// Together with what an analysis knows of roles.
    pub fn with<'a>(&'a self, analysis: &'a Analysis) -> Forms<'a> {
        Forms { roles: self, made: made(analysis) }
    }
}

/// By what the history may know roles.
#[derive(Debug)]
pub struct Forms<'a> {
    roles: &'a RoleArns,
    made: Made<'a>,
}

impl Forms<'_> {
    /// By what it may know a role that a record gives by its ARN or its name. Where the path is not known, by its ARN as it is
    /// without one, and by its name alone.
    pub fn of(&self, role: &str) -> Vec<String> {
        if role.starts_with("arn:") {
            return vec![role.to_owned()];
        }
        let name = name_of(role);
        let read = self.roles.read.get(name).and_then(Option::as_ref);
        let known: BTreeSet<&String> = self.made.get(name).into_iter().flatten().copied().chain(read).collect();
        if known.is_empty() {
            return vec![format!("arn:aws:iam::{}:role/{name}", self.roles.account), name.to_owned()];
        }
        known.into_iter().cloned().collect()
    }
}

/// ARNs of roles, by their names.
type Made<'a> = BTreeMap<&'a str, Vec<&'a String>>;

/// Those that the attacker has made.
fn made(analysis: &Analysis) -> Made<'_> {
    let mut made = Made::new();
    for arn in &analysis.made_roles {
        made.entry(bare_name(arn)).or_default().push(arn);
    }
    made
}

/// A role's name, without the path that some calls have before it.
fn name_of(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}
