//! What exists in an account, set against what the log says. The trail shows what was done; where it has a gap, or was
//! not read, what exists now still stands there, with the time at which it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::approval::Digest;
use super::hunt::Trace;
use super::hunt::pivot::HOME_REGION;
use super::trail::deed::Deed;
use super::trail::footprint::State;
use super::trail::token::bare_name;
use super::trail::uploaded::{Done, Uploaded};

pub mod credential_report;
pub mod evidence;
pub mod puts;
pub mod strangers;
pub mod undated;

pub use credential_report::CredentialReport;
pub use evidence::Evidence;

/// The trail shows a call up to so much later: what is younger is not judged yet.
pub const TRAIL_DELAY: TimeDelta = TimeDelta::minutes(20);
/// Things that one reading keeps: what was made since the compromise is rarely more than a few.
const THINGS_MAX: usize = 5_000;
/// Things of one list that the incident remembers.
const REMEMBERED_MAX: usize = 200;

/// One thing that AWS shows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    /// As in `CloudFormation`: `AWS::IAM::User`.
    pub resource_type: String,
    /// As the calls have it: a name, an id or an ARN.
    pub id: String,
    /// Which part of it, when not all of it is meant: `password`, `v3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Where it is; for IAM the Region of its events.
    pub region: String,
    /// When it was made, if AWS says so; for a function when it was last changed, for an instance when last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// Whose it is: type and id of a user or function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<(String, String)>,
    /// What a person has to know about it, in a few words each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// Whether it reaches outside the account, or to what the attacker has: somebody has to look at it though AWS does not
    /// say when it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exposed: bool,
    /// Whom a statement lets in that can be overwritten under its id: letting in somebody else it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lets_in: Option<String>,
}

impl Thing {
    /// Of IAM, which is in all Regions and recorded in one.
    pub fn of_iam(resource_type: &str, id: &str, created_at: Option<DateTime<Utc>>) -> Self {
        Self::regional(resource_type, id, HOME_REGION, created_at)
    }

    /// Of one Region.
    pub fn regional(resource_type: &str, id: &str, region: &str, created_at: Option<DateTime<Utc>>) -> Self {
        Self {
            resource_type: resource_type.to_owned(),
            id: id.to_owned(),
            part: None,
            region: region.to_owned(),
            created_at,
            of: None,
            facts: Vec::new(),
            exposed: false,
            lets_in: None,
        }
    }

    /// A part of it.
    #[must_use]
    pub fn part(mut self, part: &str) -> Self {
        self.part = Some(part.to_owned());
        self
    }

    /// Something that belongs to this.
    #[must_use]
    pub fn owned_by(mut self, resource_type: &str, id: &str) -> Self {
        self.of = Some((resource_type.to_owned(), id.to_owned()));
        self
    }

    /// That lets in these.
    #[must_use]
    pub fn letting_in(self, whom: String) -> Self {
        Self { lets_in: Some(whom), ..self }
    }

    /// With what a person has to know.
    #[must_use]
    pub fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    /// With what makes it one that somebody has to look at; that is said first.
    #[must_use]
    pub fn exposing(mut self, fact: impl Into<String>) -> Self {
        self.facts.insert(0, fact.into());
        Self { exposed: true, ..self }
    }

    /// What tells it from all others; made anew under the same name, or letting in others, it is another.
    pub fn key(&self) -> String {
        let (part, at) = (self.part.as_deref().unwrap_or("-"), self.created_at.map_or(0, |at| at.timestamp()));
        let lets_in = self.lets_in.as_ref().map(|whom| format!(" {}", Digest::of(whom).short())).unwrap_or_default();
        format!("{} {} {} {part} {at}{lets_in}", self.resource_type, self.region, self.id)
    }

    /// Which it is, in a sentence.
    pub fn in_words(&self) -> String {
        let part = self.part.as_deref().map(|part| format!(" ({part})")).unwrap_or_default();
        format!("{} {}{part} in {}", self.resource_type, self.id, self.region)
    }

    /// Whether the search has shown it already, as the attacker's or as something that they have changed; then it is
    /// removed or put back with the rest.
    pub fn is_in(&self, footprint: &[Trace]) -> bool {
        let is = |trace: &Trace, resource_type: &str, id: &str| {
            trace.resource_type == resource_type
                && bare_name(&trace.id) == bare_name(id)
                && (resource_type.starts_with("AWS::IAM::") || trace.region == self.region)
                // One that somebody else has made anew is neither theirs nor changed by them.
                && (trace.state == State::Modified || (trace.state == State::Present && trace.made_by_attacker))
        };
        let itself = |trace: &Trace| {
            let part = self.part.as_deref().is_none_or(|part| trace.made_by_attacker || has_part(trace, part));
            is(trace, &self.resource_type, &self.id) && part
        };
        let owner = |trace: &Trace| {
            let owner = self.of.as_ref();
            owner.is_some_and(|(resource_type, id)| trace.made_by_attacker && is(trace, resource_type, id))
        };
        // A key or certificate shows in the calls on its user.
        let uploaded = |trace: &Trace| {
            let put = |deed: &Deed| {
                let one = Uploaded::of(deed).filter(|_| deed.by_attacker);
                one.is_some_and(|one| one.done == Done::Uploaded && one.id == self.id)
            };
            let on = self.of.as_ref().is_some_and(|(resource_type, id)| is(trace, resource_type, id));
            on && trace.deeds.iter().any(put)
        };
        footprint
            .iter()
            .any(|trace| itself(trace) || owner(trace) || uploaded(trace) || undated::is_granted(self, trace))
    }
}

/// Whether the attacker has added this part to what was there before.
fn has_part(trace: &Trace, part: &str) -> bool {
    trace.deeds.iter().filter(|deed| deed.by_attacker).any(|deed| match deed.operation.as_str() {
        "CreateLoginProfile" => part == evidence::PASSWORD,
        "CreatePolicyVersion" | "CreateLaunchTemplateVersion" => deed.what == part,
        _ => false,
    })
}

/// What could not be looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Where.
    pub region: String,
    /// Of which types; of all when empty.
    pub resource_types: Vec<String>,
    /// Why not.
    pub why: String,
}

impl Gap {
    fn hides(&self, thing: &Thing) -> bool {
        let kind = self.resource_types.is_empty() || self.resource_types.contains(&thing.resource_type);
        self.region == thing.region && kind
    }
}

/// What one reading of an account shows.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// What can have been made since the compromise.
    pub things: Vec<Thing>,
    /// How many there are in all, by type.
    pub counts: BTreeMap<String, u64>,
    /// Of which AWS does not say when they were made.
    pub undated: Vec<Thing>,
    /// What some of those call and as whom, ARNs by the key of each.
    pub aims: BTreeMap<String, Vec<String>>,
    /// What could not be looked at.
    pub gaps: Vec<Gap>,
    /// What was left out, a sentence each.
    pub limits: BTreeSet<String>,
    /// Made since, and more than the trail is asked about at a time.
    pub left: u64,
    /// From when the list of AWS's is by which only some of it was looked at; absent where all was.
    pub as_of: Option<DateTime<Utc>>,
}

impl Stock {
    /// One more thing. What is older than `since` is only counted.
    pub fn add(&mut self, thing: Thing, since: DateTime<Utc>) {
        if thing.part.is_none() {
            *self.counts.entry(thing.resource_type.clone()).or_default() += 1;
        }
        match thing.created_at {
            Some(at) if at < since => {}
            None if self.undated.len() < THINGS_MAX => self.undated.push(thing),
            Some(_) if self.things.len() < THINGS_MAX => self.things.push(thing),
            None => self.too_many_undated(&thing),
            Some(_) => self.too_many(&thing),
        }
    }

    /// One more rule, with what it calls and as whom.
    pub fn add_aimed(&mut self, rule: Thing, account: &str, aims: Vec<String>, since: DateTime<Utc>) {
        let rule = undated::aimed(rule, account, &aims);
        if !aims.is_empty() {
            self.aims.insert(rule.key(), aims);
        }
        self.add(rule, since);
    }

    /// Something could not be looked at.
    pub fn gap(&mut self, region: &str, resource_types: &[&str], why: String) {
        let resource_types = resource_types.iter().map(ToString::to_string).collect();
        self.miss(Gap { region: region.to_owned(), resource_types, why });
    }

    fn too_many(&mut self, thing: &Thing) {
        let why = format!("more than {THINGS_MAX} things were made since: the rest is not looked at");
        self.gap(&thing.region, &[&thing.resource_type], why);
    }

    /// One that is listed for itself can be one that somebody has to look at.
    fn too_many_undated(&mut self, thing: &Thing) {
        if undated::is_listed(thing) {
            let why = format!("more than {THINGS_MAX} things have no time of making: the rest is not looked at");
            self.gap(&thing.region, &[&thing.resource_type], why);
        }
        let why = format!("More than {THINGS_MAX} things have no time of making: the rest is only counted.");
        self.limits.insert(why);
    }

    /// One gap of a kind in a Region stands for all: what may not be read of one user may not be read of a thousand.
    fn miss(&mut self, gap: Gap) {
        let same = |known: &Gap| (&known.region, &known.resource_types) == (&gap.region, &gap.resource_types);
        if !self.gaps.iter().any(same) {
            self.gaps.push(gap);
        }
    }

    /// Together with another part of the account.
    pub fn take(&mut self, other: Self) {
        let Self { things, counts, undated, aims, gaps, limits, left, as_of } = other;
        let room = THINGS_MAX.saturating_sub(self.things.len());
        for thing in things.iter().skip(room) {
            self.too_many(thing);
        }
        self.things.extend(things.into_iter().take(room));
        for (resource_type, count) in counts {
            *self.counts.entry(resource_type).or_default() += count;
        }
        let room = THINGS_MAX.saturating_sub(self.undated.len());
        for thing in undated.iter().skip(room) {
            self.too_many_undated(thing);
        }
        self.undated.extend(undated.into_iter().take(room));
        self.aims.extend(aims);
        for gap in gaps {
            self.miss(gap);
        }
        self.limits.extend(limits);
        self.left += left;
        self.as_of = self.as_of.into_iter().chain(as_of).min();
    }
}

/// A thing, and the event that explains it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// What.
    pub thing: Thing,
    /// By which event.
    pub evidence: Evidence,
}

/// What the incident remembers of one inventory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// What was made from then on is set against the log.
    pub since: DateTime<Utc>,
    /// When the look began; absent when none could be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<DateTime<Utc>>,
    /// The Regions that were looked at.
    pub regions: Vec<String>,
    /// How many things there are, by type.
    pub counts: BTreeMap<String, u64>,
    /// Made since, and no event says by whom: state only.
    pub unexplained: Vec<Thing>,
    /// Made since, by an event of somebody else's.
    pub explained: Vec<Explained>,
    /// Of which AWS does not say when they were made, and which no event since has made: state only, without a date. What of
    /// them somebody has to look at is among what nothing explains as soon as the trail has had time to show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dateless: Vec<Thing>,
    /// Made since, and in the footprint that the search has shown.
    pub theirs: u64,
    /// So young that the trail may not show them yet.
    pub young: u64,
    /// Made since, and more than the trail was asked about this time.
    #[serde(default)]
    pub left: u64,
    /// Other kinds that the attacker has touched and of which AWS does not say when they were made: how many there are.
    pub undated: BTreeMap<String, u64>,
    /// What could not be looked at.
    pub gaps: Vec<Gap>,
    /// What was left out, a sentence each.
    pub limits: BTreeSet<String>,
    /// From when the list of AWS's is by which only some of it was looked at: what has come since is not seen. Absent where all
    /// was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
}

impl Inventory {
    /// Sets what exists against what the search has shown and what events say of the rest, by a thing's key; an error
    /// is why the trail could not be asked about it.
    pub fn of(
        stock: Stock,
        (since, now): (DateTime<Utc>, DateTime<Utc>),
        footprint: &[Trace],
        events: &BTreeMap<String, Result<Evidence, String>>,
    ) -> Self {
        let touched: BTreeSet<&str> = footprint.iter().map(|trace| trace.resource_type.as_str()).collect();
        let mut undated: BTreeMap<String, u64> = BTreeMap::new();
        let is_counted = |thing: &&Thing| !undated::is_listed(thing) && is_touched(&touched, thing);
        for thing in stock.undated.iter().filter(is_counted).filter(|thing| !thing.is_in(footprint)) {
            *undated.entry(thing.resource_type.clone()).or_default() += 1;
        }
        let Stock { things, undated: without, aims, counts, gaps, limits, left, as_of } = stock;
        let mut found = Self { since, counts, left, undated, gaps, limits, as_of, ..Self::default() };
        for thing in without.into_iter().filter(undated::is_listed) {
            let key = thing.key();
            let thing = undated::beside(thing, aims.get(&key).map_or(&[][..], Vec::as_slice), footprint);
            match events.get(&key) {
                _ if thing.is_in(footprint) => found.theirs += 1,
                Some(Ok(evidence)) => found.explained.push(Explained { thing, evidence: evidence.clone() }),
                Some(Err(why)) => {
                    found.limits.insert(why.clone());
                    found.dateless.push(thing);
                }
                None => found.dateless.push(thing),
            }
        }
        for thing in things {
            match events.get(&thing.key()) {
                _ if thing.is_in(footprint) => found.theirs += 1,
                Some(Ok(evidence)) => found.explained.push(Explained { thing, evidence: evidence.clone() }),
                Some(Err(why)) => {
                    found.limits.insert(why.clone());
                    found.unexplained.push(thing);
                }
                None if thing.created_at.is_some_and(|at| at + TRAIL_DELAY > now) => found.young += 1,
                None => found.unexplained.push(thing),
            }
        }
        found.unexplained.sort_by_key(|thing| (rank(thing), thing.key()));
        found.explained.sort_by_key(|one| undated::order(&one.thing));
        found.dateless.sort_by_key(undated::order);
        found
    }

    /// As much of it as is remembered. What somebody has looked at goes first: what nobody has must not wait behind it.
    fn bounded(mut self, looked_at: impl Fn(&Thing) -> bool) -> Self {
        for (left, what) in [
            (self.unexplained.len(), "explained by no event"),
            (self.explained.len(), "made by others"),
            (self.dateless.len(), "without a date and an event"),
        ] {
            if left > REMEMBERED_MAX {
                self.limits.insert(format!("{left} things are {what}; {REMEMBERED_MAX} of them are listed."));
            }
        }
        if self.unexplained.len() > REMEMBERED_MAX {
            self.unexplained.sort_by_key(&looked_at);
        }
        if self.explained.len() > REMEMBERED_MAX {
            self.explained.sort_by_key(|one| !one.evidence.attackers || looked_at(&one.thing));
        }
        self.unexplained.truncate(REMEMBERED_MAX);
        self.explained.truncate(REMEMBERED_MAX);
        self.dateless.sort_by_key(undated::order);
        self.dateless.truncate(REMEMBERED_MAX);
        self
    }

    /// What could not be looked at this time is as it was: nothing has gone because nobody looked, at a kind or at a whole
    /// Region. `looked_at` says for which things somebody has answered.
    #[must_use]
    pub fn over(mut self, last: Option<&Self>, looked_at: impl Fn(&Thing) -> bool) -> Self {
        let hidden =
            |thing: &Thing| !self.regions.contains(&thing.region) || self.gaps.iter().any(|gap| gap.hides(thing));
        let shown = self.unexplained.iter().chain(&self.dateless).chain(self.explained.iter().map(|one| &one.thing));
        let shown: BTreeSet<String> = shown.map(Thing::key).collect();
        let keep = |things: &[Thing]| -> Vec<Thing> {
            things.iter().filter(|thing| hidden(thing) && !shown.contains(&thing.key())).cloned().collect()
        };
        let (unexplained, dateless) =
            last.map(|last| (keep(&last.unexplained), keep(&last.dateless))).unwrap_or_default();
        let explained = last.into_iter().flat_map(|last| &last.explained);
        let explained: Vec<Explained> =
            explained.filter(|one| hidden(&one.thing) && !shown.contains(&one.thing.key())).cloned().collect();
        self.unexplained.extend(unexplained);
        self.dateless.extend(dateless);
        self.explained.extend(explained);
        self.judge(last);
        self.bounded(looked_at)
    }

    /// What somebody has to look at, and the inventory before has shown too, no event explains: by now the trail would.
    fn judge(&mut self, last: Option<&Self>) {
        let before = last.into_iter().flat_map(|last| last.unexplained.iter().chain(&last.dateless));
        let before: BTreeSet<String> = before.map(Thing::key).collect();
        let (judged, dateless): (Vec<Thing>, Vec<Thing>) =
            mem::take(&mut self.dateless).into_iter().partition(|thing| thing.exposed && before.contains(&thing.key()));
        self.dateless = dateless;
        self.unexplained.extend(judged);
    }

    /// Whether everything was looked at, and the trail asked about all that was made since.
    pub fn is_whole(&self) -> bool {
        self.gaps.is_empty() && self.left == 0
    }

    /// The same, and nothing that it goes by is from before a change.
    pub fn is_whole_since(&self, changed_at: Option<DateTime<Utc>>) -> bool {
        let is_later = |as_of: DateTime<Utc>| changed_at.is_none_or(|changed_at| as_of > changed_at);
        self.is_whole() && self.as_of.is_none_or(is_later)
    }

    /// Whether another one shows the same. How many things there are in all changes all the time, and is no news.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let gaps = |of: &Self| -> Vec<(String, Vec<String>)> {
            of.gaps.iter().map(|gap| (gap.region.clone(), gap.resource_types.clone())).collect()
        };
        self.since == other.since
            && self.regions == other.regions
            && self.unexplained == other.unexplained
            && self.explained == other.explained
            && self.dateless == other.dateless
            && self.undated == other.undated
            && self.limits == other.limits
            && self.as_of == other.as_of
            && (self.left == 0) == (other.left == 0)
            && gaps(self) == gaps(other)
    }
}

/// Whether the attacker has touched such a thing.
fn is_touched(touched: &BTreeSet<&str>, thing: &Thing) -> bool {
    let of = thing.of.as_ref().map(|(resource_type, _)| resource_type.as_str());
    touched.contains(thing.resource_type.as_str()) || of.is_some_and(|of| touched.contains(of))
}

/// What lets somebody in comes first, and what comes and goes by itself last.
pub fn rank(thing: &Thing) -> u8 {
    match thing.resource_type.as_str() {
        "AWS::IAM::AccessKey" | "AWS::IAM::ServiceSpecificCredential" => 0,
        kind if kind.starts_with("AWS::IAM::") || kind.starts_with("AWS::RolesAnywhere::") => 1,
        "AWS::EC2::Instance" => 3,
        _ => 2,
    }
}

/// Of which the trail is to be asked who made them: what was made since, is not in the footprint, and has no event yet.
pub fn to_explain<'a>(stock: &'a Stock, footprint: &[Trace], known: &BTreeSet<String>) -> Vec<&'a Thing> {
    let open = |thing: &&Thing| !thing.is_in(footprint) && !known.contains(&thing.key());
    let mut open: Vec<&Thing> = stock.things.iter().filter(open).collect();
    open.sort_by_key(|thing| (rank(thing), thing.key()));
    open
}

#[cfg(test)]
mod tests;
