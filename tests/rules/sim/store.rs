//! The simulated store: logs, due times and one work queue, behind a network that loses answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use irp::domain::hunt::cover::Mark;
use irp::domain::id::{AccountId, IncidentId};
use irp::domain::stored::Record;
use irp::ports::{
    AppendError, CardStore, Claim, Delivery, Inbox, IncidentLog, Lane, Posted, Slot, Store, StoreError, TAKEOVER_AFTER,
    Trail, TrailStore, Work, WorkItem, WorkQueue,
};

use super::checks::in_words;
use super::schedule::{By, Event, Landing, Port, SECOND_MS, State};

/// How long a replica waits for an answer of the store.
const ANSWER_MS: u64 = 2 * SECOND_MS;

/// What the store holds.
#[derive(Default)]
pub(super) struct Logs {
    records: BTreeMap<IncidentId, Vec<Record>>,
    due: BTreeMap<IncidentId, DateTime<Utc>>,
    keys: BTreeMap<String, IncidentId>,
    open: BTreeSet<IncidentId>,
    numbers: u32,
    trails: BTreeMap<IncidentId, Trail>,
    waiting: VecDeque<IncidentId>,
    taken: BTreeMap<u64, Taken>,
    tokens: u64,
}

struct Taken {
    incident: IncidentId,
    by: usize,
    /// Whether its worker still says that it is at it.
    held: bool,
    at_ms: u64,
}

impl Logs {
    pub(super) fn of(&self, id: IncidentId) -> &[Record] {
        self.records.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn ids(&self) -> Vec<IncidentId> {
        self.records.keys().copied().collect()
    }

    pub(super) fn open(&self) -> Vec<IncidentId> {
        self.open.iter().copied().collect()
    }

    /// A worker of this replica has died or given up: it says nothing more.
    pub(super) fn silent(&mut self, replica: usize) {
        self.taken.values_mut().filter(|t| t.by == replica).for_each(|t| t.held = false);
    }

    /// Says that this replica's workers are still at it.
    pub(super) fn hold(&mut self, replica: usize, now_ms: u64) {
        self.taken.values_mut().filter(|t| t.by == replica && t.held).for_each(|t| t.at_ms = now_ms);
    }

    pub(super) fn give_up(&mut self, token: u64) {
        if let Some(taken) = self.taken.get_mut(&token) {
            taken.held = false;
        }
    }

    pub(super) fn wake(&mut self, now: DateTime<Utc>) {
        for (id, due) in &mut self.due {
            if *due <= now {
                *due = now + TAKEOVER_AFTER;
                self.waiting.push_back(*id);
            }
        }
    }

    pub(super) fn take(&mut self, replica: usize, now_ms: u64) -> Vec<(u64, IncidentId)> {
        let takeover_ms = u64::try_from(TAKEOVER_AFTER.as_millis()).unwrap();
        let mut out = Vec::new();
        for (token, taken) in self.taken.iter_mut().filter(|(_, t)| now_ms >= t.at_ms + takeover_ms) {
            *taken = Taken { incident: taken.incident, by: replica, held: true, at_ms: now_ms };
            out.push((*token, taken.incident));
        }
        while let Some(incident) = self.waiting.pop_front() {
            self.tokens += 1;
            self.taken.insert(self.tokens, Taken { incident, by: replica, held: true, at_ms: now_ms });
            out.push((self.tokens, incident));
        }
        out
    }

    pub(super) fn done(&mut self, token: u64) {
        self.taken.remove(&token);
    }

    fn append(
        &mut self,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        due: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        let log = self.records.entry(id).or_default();
        if log.len() as u64 != expected {
            return Err(AppendError::Conflict);
        }
        log.extend_from_slice(records);
        match due {
            Some(at) => self.due.insert(id, at),
            None => self.due.remove(&id),
        };
        self.waiting.push_back(id);
        Ok(())
    }
}

impl State {
    /// Appends, and has the auditor look at every record before anything else happens.
    pub(super) fn append(
        &mut self,
        by: By,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        due: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        self.logs.append(id, expected, records, due)?;
        for record in records {
            let line = in_words(by, id, record);
            self.say(line);
            let Self { audit, people, replicas, now_ms, .. } = self;
            audit.take(by, id, record, people, &replicas[by.replica], *now_ms);
        }
        Ok(())
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("simulated".into())
}

impl Port {
    /// The way to the store, which can be long or lead nowhere.
    async fn reach(&self) -> Result<(), StoreError> {
        self.travel().await;
        let (fails, slow_ms) = {
            let state = &mut *self.sim.state();
            let (fails, slow) = (state.odds.store_fails, state.odds.store_slow);
            let slow_ms = if state.chance.happens(slow) { state.chance.between(0, ANSWER_MS) } else { 0 };
            (state.chance.happens(fails) || state.now_ms < state.outages.store_until_ms, slow_ms)
        };
        self.pass(if fails { ANSWER_MS } else { slow_ms }).await;
        if fails { Err(away()) } else { Ok(()) }
    }
}

#[async_trait]
impl IncidentLog for Port {
    async fn load(&self, id: IncidentId) -> Result<Vec<Record>, StoreError> {
        self.reach().await?;
        let records = self.sim.state().logs.of(id).to_vec();
        self.travel().await;
        Ok(records)
    }

    async fn append(
        &self,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        next_due_at: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        let by = self.sim.state().at_work;
        self.reach().await?;
        let late = {
            let state = &mut *self.sim.state();
            let odds = state.odds.store_late;
            let late = state.chance.happens(odds);
            if late {
                let in_ms = state.chance.between(1, 3 * ANSWER_MS);
                let (by, records) = (state.audit.as_of_now(by), records.to_vec());
                state.book(in_ms, Event::Land(Landing::Append { by, id, expected, records, due: next_due_at }));
            }
            late
        };
        if late {
            self.pass(ANSWER_MS).await;
            return Err(away().into());
        }
        let (outcome, silent) = {
            let state = &mut *self.sim.state();
            let odds = state.odds.store_silent;
            (state.append(by, id, expected, records, next_due_at), state.chance.happens(odds))
        };
        if silent {
            self.pass(ANSWER_MS).await;
            return Err(away().into());
        }
        self.travel().await;
        outcome
    }

    async fn claim(&self, keys: &[String]) -> Result<Claim, StoreError> {
        self.reach().await?;
        let logs = &mut self.sim.state().logs;
        let known = keys.iter().find_map(|key| logs.keys.get(key).copied());
        let incident = known.unwrap_or_else(|| {
            logs.numbers += 1;
            IncidentId::new(logs.numbers)
        });
        for key in keys {
            logs.keys.entry(key.clone()).or_insert(incident);
        }
        logs.open.insert(incident);
        Ok(Claim { incident, new: known.is_none() })
    }

    async fn retire(&self, id: IncidentId) -> Result<(), StoreError> {
        self.reach().await?;
        let logs = &mut self.sim.state().logs;
        logs.keys.retain(|_, incident| *incident != id);
        logs.open.remove(&id);
        Ok(())
    }

    async fn free_keys(&self, id: IncidentId) -> Result<(), StoreError> {
        self.reach().await?;
        self.sim.state().logs.keys.retain(|_, incident| *incident != id);
        Ok(())
    }

    async fn open_incidents(&self, limit: usize) -> Result<Vec<IncidentId>, StoreError> {
        self.reach().await?;
        Ok(self.sim.state().logs.open().into_iter().rev().take(limit).collect())
    }
}

/// What the engine never asks of its store: the loops around it do, and they have tests of their own.
fn not_simulated<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreadable("the engine does not ask for this".into()))
}

#[async_trait]
impl WorkQueue for Port {
    async fn take_work(&self, _: Work, _: usize) -> Result<Vec<WorkItem>, StoreError> {
        not_simulated()
    }
    async fn hold_work(&self, _: Work, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn work_done(&self, _: Work, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn put_work(&self, _: Work, _: IncidentId) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn wake_due(&self, _: DateTime<Utc>) -> Result<usize, StoreError> {
        not_simulated()
    }
}

#[async_trait]
impl Inbox for Port {
    async fn put(&self, _: Lane, _: &str, _: &str) -> Result<bool, StoreError> {
        not_simulated()
    }
    async fn take(&self, _: Lane, _: usize) -> Result<Vec<Delivery>, StoreError> {
        not_simulated()
    }
    async fn hold(&self, _: Lane, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn done(&self, _: Lane, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn set_aside(&self, _: Lane, _: &str, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn aside(&self) -> Result<usize, StoreError> {
        not_simulated()
    }
}

#[async_trait]
impl TrailStore for Port {
    async fn trail(&self, id: IncidentId) -> Result<Trail, StoreError> {
        self.reach().await?;
        Ok(self.sim.state().logs.trails.get(&id).cloned().unwrap_or_default())
    }
    async fn keep_page(
        &self,
        id: IncidentId,
        new: &BTreeMap<String, String>,
        gone: &BTreeSet<String>,
        marks: &[(&str, &Mark)],
    ) -> Result<(), StoreError> {
        self.reach().await?;
        let trail = &mut self.sim.state().logs.trails;
        let trail = trail.entry(id).or_default();
        trail.records.extend(new.clone());
        trail.records.retain(|event, _| !gone.contains(event));
        trail.marks.extend(marks.iter().map(|(name, mark)| ((*name).to_owned(), (*mark).clone())));
        Ok(())
    }
    async fn lease_history(&self, _: &AccountId, _: &str) -> Result<bool, StoreError> {
        not_simulated()
    }
    async fn release_history(&self, _: &AccountId, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
}

#[async_trait]
impl CardStore for Port {
    async fn cards(&self, _: IncidentId) -> Result<BTreeMap<Slot, Posted>, StoreError> {
        not_simulated()
    }
    async fn lease_cards(&self, _: IncidentId, _: &str) -> Result<bool, StoreError> {
        not_simulated()
    }
    async fn release_cards(&self, _: IncidentId, _: &str, _: u64) -> Result<bool, StoreError> {
        not_simulated()
    }
    async fn put_card(&self, _: IncidentId, _: &str, _: &Posted) -> Result<(), StoreError> {
        not_simulated()
    }
    async fn drop_card(&self, _: IncidentId, _: &str) -> Result<(), StoreError> {
        not_simulated()
    }
}

#[async_trait]
impl Store for Port {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
    async fn durability_faults(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
