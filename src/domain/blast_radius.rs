//! What a credential was used for, by whomever, and which roles it has taken: what breaks when it is contained,
//! and what lives on if only the key is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::AccountId;

/// What the event history of recent days shows, in the Regions that are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// What it was used for.
    pub usage: Usage,
    /// Roles that it has assumed so lately that a session of them can be alive.
    pub roles: Vec<AssumedRole>,
    /// For a role: who uses it besides.
    pub role_use: Option<RoleUse>,
    /// What could not be read, a sentence each. While there is any, a role can be missing above.
    pub not_known: Vec<String>,
}

impl BlastRadius {
    /// Whether every Region could be read.
    pub const fn is_whole(&self) -> bool {
        self.not_known.is_empty()
    }

    /// What a reading with gaps lacks is kept from an older one.
    #[must_use]
    pub fn over(mut self, older: Option<&Self>) -> Self {
        let Some(older) = older.filter(|_| !self.is_whole()) else { return self };
        let known = |role: &AssumedRole| self.roles.iter().any(|r| r.arn == role.arn);
        let lacking: Vec<_> = older.roles.iter().filter(|role| !known(role)).cloned().collect();
        self.roles.extend(lacking);
        self.role_use = self.role_use.or_else(|| older.role_use.clone());
        self
    }
}

/// Who uses a role, as far as its trust policy, its instance profiles and the trail of recent days show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleUse {
    /// Principals that the trust policy lets in.
    pub trusted: Vec<String>,
    /// Who has assumed it, newest first.
    pub assumed_by: Vec<String>,
    /// Instance profiles that carry it.
    pub instance_profiles: Vec<String>,
    /// What runs as it, as AWS's services took the role for it: instances, functions, tasks.
    #[serde(default)]
    pub runs_as: Vec<String>,
    /// How many days of the trail were read.
    pub days_read: u32,
    /// Whether there was more than was read.
    pub cut: bool,
}

/// A role that the credential has assumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssumedRole {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that it is in.
    pub account: Option<AccountId>,
    /// Names of the sessions, newest first.
    pub sessions: Vec<String>,
    /// When it was last assumed.
    pub last_at: DateTime<Utc>,
    /// Who uses it besides.
    pub role_use: Option<RoleUse>,
}

/// What a credential was used for in recent days, as the event history of the Regions that were read shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// How many days were read.
    pub days_read: u32,
    /// How many events there were.
    pub events: u32,
    /// By service, such as `s3.amazonaws.com`.
    pub services: Vec<Tally>,
    /// By the caller's address.
    pub addresses: Vec<Tally>,
    /// By session: its name, or the access key of calls that are not signed by a session.
    pub sessions: Vec<Tally>,
    /// Whether there was more than was read.
    pub cut: bool,
}

/// How often one value occurred, and when last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The value.
    pub name: String,
    /// How often.
    pub count: u32,
    /// When last.
    pub last_at: DateTime<Utc>,
}

impl Usage {
    /// Counts one more use.
    pub fn count(&mut self, at: DateTime<Utc>, service: &str, address: &str, session: &str) {
        self.events += 1;
        for (tallies, name) in
            [(&mut self.services, service), (&mut self.addresses, address), (&mut self.sessions, session)]
        {
            match tallies.iter_mut().find(|tally| tally.name == name) {
                Some(tally) => {
                    tally.count += 1;
                    tally.last_at = tally.last_at.max(at);
                }
                None if !name.is_empty() => tallies.push(Tally { name: name.to_owned(), count: 1, last_at: at }),
                None => {}
            }
        }
    }

    /// Most used first, at most so many of each.
    #[must_use]
    pub fn ranked(mut self, most: usize) -> Self {
        for tallies in [&mut self.services, &mut self.addresses, &mut self.sessions] {
            tallies.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
            self.cut |= tallies.len() > most;
            tallies.truncate(most);
        }
        self
    }
}
