//! The rules that this process goes by, and that every open incident names them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, TimeDelta, Utc};

use super::{CONFLICT_ATTEMPTS_MAX, Engine, EngineError};
use crate::domain::id::IncidentId;
use crate::domain::incident::command::Report;
use crate::domain::incident::decide;
use crate::domain::incident::rules;
use crate::domain::incident::state::Incident;
use crate::domain::policy::Policy;
use crate::ports::{AppendError, StoreError};

/// What this process goes by.
#[derive(Clone)]
pub(super) struct InForce {
    pub(super) policy: Arc<Policy>,
    /// When they were read: between two processes with different rules, whoever has read later says what goes.
    pub(super) read_at: DateTime<Utc>,
}

/// That, and what this process has seen of the rules that incidents name. By the latter nothing is decided: it says only where
/// to look, and when what is read next was read.
pub(super) struct Held {
    in_force: InForce,
    /// The newest reading that any log names.
    seen: Option<DateTime<Utc>>,
    /// Incidents at which this process has looked with these rules, and whether they name them.
    looked: BTreeMap<IncidentId, bool>,
}

impl Held {
    pub(super) const fn new(policy: Arc<Policy>, read_at: DateTime<Utc>) -> Self {
        Self { in_force: InForce { policy, read_at }, seen: None, looked: BTreeMap::new() }
    }

    /// Whether an incident names other rules than it did when it was looked at.
    fn is_changed(&self, incident: &Incident) -> bool {
        let named = self.looked.get(&incident.id);
        named.is_some_and(|named| *named != rules::has_these(incident, &self.in_force.policy))
    }
}

/// The next moment that two readings can be told apart by.
fn just_after(read_at: DateTime<Utc>) -> DateTime<Utc> {
    read_at.checked_add_signed(TimeDelta::milliseconds(1)).unwrap_or(read_at)
}

impl Engine {
    /// The rules in force, without the members of groups.
    pub fn rules(&self) -> Arc<Policy> {
        self.in_force().policy
    }

    pub(super) fn in_force(&self) -> InForce {
        self.held().in_force.clone()
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.rules.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// By which time rules go that were read anew at this one. To be asked as soon as they have been read, and before they are
    /// looked into: what a log names by then was read before them, also where it was by a clock that is ahead. A time that has
    /// come by this process's own clock is taken at its word: it can be that of a file that was written later.
    pub fn read_anew(&self, read_at: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.now();
        let ahead = self.held().seen.filter(|seen| *seen >= now);
        ahead.map_or(read_at, |seen| read_at.max(just_after(seen)))
    }

    /// Puts rules in force that were read at this time ([`Self::read_anew`]). Requests that were asked under others have to be
    /// asked again: [`Self::follow_rules`].
    pub fn put_rules(&self, policy: Policy, read_at: DateTime<Utc>) {
        let mut held = self.held_mut();
        let before = &held.in_force;
        // A clock that was set back makes no rules older than those that they take the place of.
        let earliest =
            if before.policy.version == policy.version { before.read_at } else { just_after(before.read_at) };
        held.in_force = InForce { policy: Arc::new(policy), read_at: read_at.max(earliest) };
        held.looked.clear();
    }

    /// The same engine, whose first rules were read at this time already.
    #[must_use]
    pub fn with_rules_read_at(self, read_at: DateTime<Utc>) -> Self {
        self.held_mut().in_force.read_at = read_at;
        self
    }

    /// Open incidents at which this process has not looked since it has these rules, or that it has met under others since:
    /// whoever has old rules opens some at any time. All others need not be fetched for that.
    pub async fn rules_to_say(&self) -> Result<Vec<IncidentId>, StoreError> {
        let mut open = self.ports.store.open_incidents(usize::MAX).await?;
        let mut held = self.held_mut();
        let before = std::mem::take(&mut held.looked);
        held.looked = open.iter().filter_map(|id| Some((*id, *before.get(id)?))).collect();
        open.retain(|id| !held.looked.contains_key(id));
        Ok(open)
    }

    /// In how many of those at which it has looked others go that were read later: it lets nobody decide there.
    pub fn under_later_rules(&self) -> usize {
        self.held().looked.values().filter(|named| !**named).count()
    }

    /// Has an incident name the rules of this process, unless it names others that were read later; what was asked for under
    /// others ends. Whether it names them now. Of a closed one it frees the keys: who closed it can have died before that.
    pub async fn follow_rules(&self, id: IncidentId) -> Result<bool, EngineError> {
        for _ in 0..CONFLICT_ATTEMPTS_MAX {
            // Both of the same reading, also where they are read anew meanwhile.
            let InForce { policy, read_at } = self.in_force();
            // Its number is taken, and its first record is on its way: it is looked at again.
            let Some(incident) = self.load(id).await? else { return Ok(true) };
            let events = decide::take_report(&incident, Report::RulesRead { read_at }, self.context(&policy));
            match self.append(id, Some(incident), events).await {
                Ok(after) if after.is_open() => {
                    let named = rules::has_these(&after, &policy);
                    self.note_looked(id, named, &policy.version, read_at);
                    return Ok(named);
                }
                Ok(_) => {
                    self.ports.store.retire(id).await?;
                    return Ok(true);
                }
                Err(AppendError::Conflict) => {}
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// It was looked at with these rules, unless others are in force by now.
    fn note_looked(&self, id: IncidentId, named: bool, version: &str, read_at: DateTime<Utc>) {
        let mut held = self.held_mut();
        if held.in_force.policy.version == version && held.in_force.read_at == read_at {
            held.looked.insert(id, named);
        }
    }

    /// Which rules an incident names, each time that its log is read for whatever reason.
    pub(super) fn note_named(&self, incident: &Incident) {
        let is_news = |held: &Held| incident.rules_read_at > held.seen || held.is_changed(incident);
        if !is_news(&self.held()) {
            return;
        }
        let mut held = self.held_mut();
        held.seen = held.seen.max(incident.rules_read_at);
        if held.is_changed(incident) {
            held.looked.remove(&incident.id);
        }
    }
}
