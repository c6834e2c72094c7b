//! What the search through the trail has shown of an incident: which credentials the attacker reached, and what
//! of theirs is left. The trail's own words are kept apart; this is what the incident's log remembers of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::id::AccountId;
use super::trail::deed::Deed;
use super::trail::entrance::Entrance;
use super::trail::footprint::{Made, State};
use super::trail::token::role_session;
use renamed::Renaming;

pub mod athena;
pub mod cover;
pub mod findings;
pub mod pivot;
pub mod redaction;
pub mod renamed;
pub mod roles;
pub mod room;

/// What a search has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hunted {
    /// The credentials that the attacker has held, the stolen ones first.
    pub credentials: Vec<Reached>,
    /// What the attacker made, changed or deleted, by type and id.
    pub footprint: Vec<Trace>,
    /// What could not be read or is cut, a sentence each. While there is any, something can be missing above.
    pub not_known: Vec<String>,
    /// Secrets and parameters that the attacker has read: they have to be changed.
    #[serde(default)]
    pub rotate: Vec<Proved>,
    /// Calls that switched off logging or detection, or tried to.
    #[serde(default)]
    pub tampering: Vec<Proved>,
    /// Sessions of the attacker's, and until when each can live.
    #[serde(default)]
    pub sessions: Vec<Living>,
    /// When the attacker's newest session of each role was taken, as the trail shows it; by account and name, as
    /// `111122223333/app`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken_at: BTreeMap<String, DateTime<Utc>>,
    /// Keys above that AWS shows as Inactive or gone: nothing is left to contain of them. What was written before
    /// `users_off` was kept has the names of users here too.
    #[serde(default)]
    pub off: BTreeSet<String>,
    /// Names of users above that are gone, as AWS shows. A user can be called what a key is.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub users_off: BTreeSet<String>,
    /// Users who are called otherwise by now, by the name that nobody bears any more; by account and name, as
    /// `111122223333/ci`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<String, Renaming>,
    /// Data that the attacker has read, as far as the records have such calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Proved>,
    /// Addresses that the attacker has called from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Credentials that are not known to be the attacker's, and were used from an address of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Proved>,
    /// What no record that was read can show, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_recorded: Vec<String>,
    /// Users above that have no password for the console, as AWS shows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub without_password: BTreeSet<String>,
    /// Serial numbers of MFA devices that the attacker has put on users above and that are on nobody, as AWS shows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub devices_off: BTreeSet<String>,
    /// Instances of the account's own whose role's session the attacker has had and that give it out without a token, as
    /// AWS shows: their Regions, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without_token: BTreeMap<String, String>,
    /// Keys of sessions above that are called like an instance, and that no instance has handed out: somebody has taken them by
    /// that name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub called_like_instances: BTreeSet<String>,
    /// Instances that something of the attacker's has started, as the trail shows: their Regions, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub started: BTreeMap<String, String>,
    /// Of those, by the event with which the attacker has made what has started each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub started_by: BTreeMap<String, String>,
    /// Those of which that event can be the owner's all the same, because nobody knows when the credential was stolen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub started_in_doubt: BTreeSet<String>,
    /// Instances that something of the attacker's had started and that have ended, as AWS shows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ended: BTreeSet<String>,
    /// Doors by which sessions that the attacker holds were taken from outside their account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entrances: Vec<Entrance>,
    /// Records that this is worked out from.
    #[serde(default)]
    pub events_read: u64,
    /// The time of the newest of them.
    #[serde(default)]
    pub newest_at: Option<DateTime<Utc>>,
}

/// Why a Region is covered by nothing that is enabled and that nobody has the bot look at.
pub const UNWATCHED: &str = "it is enabled, and `regions` of the account in irp.toml leaves it out";
/// What is not known while a search is under way.
const HALF_WAY: &str = "The search is under way: there may be more.";
/// So often it is told anew that a credential has been used.
const USE_NEWS_EVERY: TimeDelta = TimeDelta::minutes(10);

impl Hunted {
    /// Whether another search has shown the same. How many records it took is no news, and that a credential is
    /// still used is news every ten minutes: each that is news is a record of all this in the log.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |hunted: &Self| {
            let mut said = Self { events_read: 0, newest_at: None, ..hunted.clone() };
            for reached in &mut said.credentials {
                reached.last_worked_at = reached.last_worked_at.and_then(|at| at.duration_trunc(USE_NEWS_EVERY).ok());
            }
            said
        };
        said(self) == said(other)
    }

    /// What a search shows before it has come to its end. How things stand in AWS is read last: until then it counts as it
    /// last was. That it is not the end is among what is not known, so that nobody takes it for a whole search.
    #[must_use]
    pub fn half_way(self, before: Option<&Self>) -> Self {
        let mut not_known = self.not_known.clone();
        not_known.push(HALF_WAY.to_owned());
        let Some(before) = before else { return Self { not_known, ..self } };
        let mut after = self;
        after.keep_names(before);
        Self {
            not_known,
            off: before.off.clone(),
            users_off: before.users_off.clone(),
            without_password: before.without_password.clone(),
            devices_off: before.devices_off.clone(),
            without_token: before.without_token.clone(),
            ended: before.ended.clone(),
            ..after
        }
    }

    /// Whether AWS shows a user to be gone.
    pub fn is_gone(&self, user: &str) -> bool {
        // Among keys stand users that were found to be gone before the two were kept apart.
        let is_key = ["AKIA", "ACCA"].iter().any(|prefix| user.starts_with(prefix));
        self.users_off.contains(user) || (!is_key && self.off.contains(user))
    }

    /// Whether the search that shows it has not come to its end.
    pub fn is_half_way(&self) -> bool {
        self.not_known.iter().any(|what| what == HALF_WAY)
    }

    /// Takes it for all there is.
    pub fn take_as_whole(&mut self) {
        self.not_known.retain(|what| what != HALF_WAY);
    }

    /// Whether it shows a credential, a thing, a deed or a way in of the attacker's that another search had not shown yet, or
    /// something of theirs that had been gone.
    pub fn shows_more_than(&self, before: Option<&Self>) -> bool {
        let name = |trace: &Trace| (trace.resource_type.clone(), trace.id.clone(), trace.region.clone());
        let deeds = |trace: &Trace| trace.deeds.iter().filter(|deed| deed.by_attacker).count();
        let known = before.into_iter().flat_map(|before| &before.footprint);
        let known: BTreeMap<_, &Trace> = known.map(|trace| (name(trace), trace)).collect();
        let is_new = |trace: &Trace| {
            known.get(&name(trace)).is_none_or(|known| {
                deeds(trace) > deeds(known)
                    || (trace.state == State::Present && known.state == State::Deleted)
                    || (known.newest.is_some() && trace.newest != known.newest)
            })
        };
        let door = |way: &Entrance| (way.role_arn.clone(), way.outsider.clone());
        let doors: BTreeSet<_> = before.into_iter().flat_map(|before| &before.entrances).map(door).collect();
        !self.new_since(before).is_empty()
            || self.footprint.iter().any(is_new)
            || self.entrances.iter().any(|way| !doors.contains(&door(way)))
    }

    /// The credentials that another search had not shown yet, but for the stolen ones themselves. One more session of
    /// the same role or user is no news: the same step contains all of them.
    pub fn new_since<'a>(&'a self, before: Option<&Self>) -> Vec<&'a Reached> {
        let same = |a: &Reached, b: &Reached| {
            (a.access_key_id == b.access_key_id && a.principal == b.principal)
                || (a.is_session() && b.is_session() && a.whose() == b.whose())
        };
        let known = |one: &Reached| before.is_some_and(|before| before.credentials.iter().any(|c| same(c, one)));
        self.credentials.iter().filter(|one| one.how.is_some() && !known(one)).collect()
    }
}

/// Something, and the event that proves it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Proved {
    /// What, for people.
    pub what: String,
    /// The event.
    pub event_id: String,
}

/// A session of the attacker's.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Living {
    /// Its access key.
    pub access_key_id: String,
    /// Until when it can live: as its request says, else the longest that AWS gives.
    pub until: DateTime<Utc>,
}

/// A call of the attacker's, and what AWS made of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When, by AWS's clock.
    pub at: DateTime<Utc>,
    /// Its event.
    pub event_id: String,
    /// `iam:CreateUser`
    pub what: String,
    /// The key that signed it; absent for the console.
    pub access_key_id: Option<String>,
    /// Who called, as an ARN.
    pub principal: String,
    /// Where it was recorded.
    pub region: String,
    /// Whether it did what was asked.
    pub worked: bool,
    /// Why it failed where it was not denied: it may have been let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far the trail of one Region has been read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The Region.
    pub region: String,
    /// The trail shows all calls up to then: a call of the bot's own from then is in it.
    pub covered_until: Option<DateTime<Utc>>,
    /// Why it could not be read this time.
    pub unread: Option<String>,
}

/// How far a search has come that is not at its end.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SoFar {
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// Regions of which all is read that is asked so far.
    pub regions_done: usize,
    /// All that are searched.
    pub regions: usize,
    /// Questions that are still to be answered. What the answers show is asked about next.
    pub questions_left: usize,
    /// Records that are known by now.
    pub events_read: u64,
    /// The time of the newest of them.
    pub newest_at: Option<DateTime<Utc>>,
}

/// One search through the trail, whatever it found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Swept {
    /// The Regions, the one of IAM first.
    pub regions: Vec<Watched>,
    /// The newest call of the attacker's that AWS denied.
    pub last_denied: Option<Call>,
    /// When it began; absent when it could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<DateTime<Utc>>,
    /// When that was said which it had last heard from responders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<DateTime<Utc>>,
}

/// A credential that the attacker has held.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// The access key; absent for a console session.
    pub access_key_id: Option<String>,
    /// Whose it is, as an ARN.
    pub principal: Option<String>,
    /// By what it was reached; absent for the stolen ones.
    pub how: Option<String>,
    /// The event that proves it.
    pub event_id: Option<String>,
    /// Its last call that worked.
    pub last_worked_at: Option<DateTime<Utc>>,
}

impl Reached {
    /// Whether it is a temporary one.
    pub fn is_session(&self) -> bool {
        self.access_key_id.as_deref().is_some_and(|key| key.starts_with("ASIA"))
    }

    /// The user or role, without the session's name.
    pub fn whose(&self) -> Option<(&str, &str)> {
        let arn = self.principal.as_deref()?;
        Some(role_session(arn).map_or((arn, ""), |(account, role, _)| (account, role)))
    }
}

/// A resource that the attacker has touched.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// As in `CloudFormation`: `AWS::IAM::User`.
    pub resource_type: String,
    /// As the calls have it: a name, an id or an ARN.
    pub id: String,
    /// The account whose trail shows it.
    pub account: Option<AccountId>,
    /// The Region of the last call.
    pub region: String,
    /// How it stands, as far as the trail shows.
    pub state: State,
    /// Whether the attacker made it: only then may it be deleted.
    pub made_by_attacker: bool,
    /// Events that prove it, in order of time; the first ones and the last.
    pub evidence: Vec<String>,
    /// What was put there or taken off since the attacker first touched it, in order of time: from it follows what has to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
    /// How the attacker has made it, where it is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// The attacker's newest call that has made, changed or deleted it, by its event; absent in what was written before that
    /// was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Whether the attacker has deleted it, and not somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted_by_attacker: bool,
    /// The call on it that can be the owner's all the same, by its event, because nobody knows when the credential was stolen:
    /// then nothing of it is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt: Option<String>,
}
