//! A store in this process's memory: for the sandbox and for tests. It keeps the same promises as the
//! Redis store, but for one: it forgets everything when the process ends.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::domain::id::{AccountId, IncidentId};
use crate::domain::stored::Record;
use crate::ports::{
    AppendError, CARDS_LEASE, CardStore, Claim, Delivery, Inbox, IncidentLog, Lane, Posted, SET_ASIDE_MAX, Slot, Store,
    StoreError, TAKEOVER_AFTER, Trail, Work, WorkItem, WorkQueue,
};

mod trail;

/// How long a delivery's key is remembered.
const DEDUP_FOR: Duration = Duration::from_mins(10);
/// How long a take waits for the first entry.
const TAKE_WAITS: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    grown: Notify,
}

#[derive(Default)]
struct Inner {
    logs: BTreeMap<IncidentId, Vec<Record>>,
    due: BTreeMap<IncidentId, DateTime<Utc>>,
    by_key: HashMap<String, IncidentId>,
    open: BTreeSet<IncidentId>,
    last_number: u32,
    cards: BTreeMap<IncidentId, BTreeMap<Slot, Posted>>,
    trails: BTreeMap<IncidentId, Trail>,
    leases: HashMap<IncidentId, (String, Instant)>,
    searching: BTreeMap<AccountId, (String, Instant)>,
    seen: HashSet<String>,
    seen_order: VecDeque<(Instant, String)>,
    lanes: HashMap<Lane, Queue>,
    /// Deliveries that could not be read, with why.
    aside: VecDeque<(String, String)>,
    work: HashMap<Work, Queue>,
}

/// Entries that wait, and entries that somebody has taken.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, String)>,
    taken: BTreeMap<u64, (Instant, String)>,
}

impl Queue {
    fn put(&mut self, body: String) {
        self.waiting.push_back((self.next, body));
        self.next += 1;
    }

    fn take(&mut self, max: usize) -> Vec<(u64, String)> {
        let overdue: Vec<u64> =
            self.taken.iter().filter(|(_, (at, _))| at.elapsed() >= TAKEOVER_AFTER).map(|(n, _)| *n).collect();
        let mut out: Vec<(u64, String)> = overdue
            .into_iter()
            .take(max)
            .filter_map(|n| self.taken.get(&n).map(|(_, body)| (n, body.clone())))
            .collect();
        while out.len() < max
            && let Some(entry) = self.waiting.pop_front()
        {
            out.push(entry);
        }
        for (n, body) in &out {
            self.taken.insert(*n, (Instant::now(), body.clone()));
        }
        out
    }

    fn hold(&mut self, token: &str) {
        if let Some((taken_at, _)) = token.parse().ok().and_then(|n: u64| self.taken.get_mut(&n)) {
            *taken_at = Instant::now();
        }
    }

    fn done(&mut self, token: &str) {
        drop(self.take_out(token));
    }

    /// What was taken, which nobody else is handed any more.
    fn take_out(&mut self, token: &str) -> Option<String> {
        self.taken.remove(&token.parse::<u64>().ok()?).map(|(_, body)| body)
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_from(&self, max: usize, take: impl Fn(&mut Inner) -> Vec<(u64, String)>) -> Vec<(u64, String)> {
        let deadline = tokio::time::Instant::now() + TAKE_WAITS;
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            // Registered before looking, so that what is put in between is not missed.
            grown.as_mut().enable();
            let taken = take(&mut self.lock());
            if !taken.is_empty() || max == 0 {
                return taken;
            }
            if tokio::time::timeout_at(deadline, grown).await.is_err() {
                return Vec::new();
            }
        }
    }
}

impl Inner {
    fn put_work(&mut self, work: Work, incident: IncidentId) {
        self.work.entry(work).or_default().put(incident.to_string());
    }
}

#[async_trait]
impl IncidentLog for MemoryStore {
    async fn load(&self, id: IncidentId) -> Result<Vec<Record>, StoreError> {
        Ok(self.lock().logs.get(&id).cloned().unwrap_or_default())
    }

    async fn append(
        &self,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        next_due_at: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        let mut inner = self.lock();
        let log = inner.logs.entry(id).or_default();
        if log.len() as u64 != expected {
            return Err(AppendError::Conflict);
        }
        log.extend_from_slice(records);
        match next_due_at {
            Some(at) => inner.due.insert(id, at),
            None => inner.due.remove(&id),
        };
        inner.put_work(Work::Effects, id);
        inner.put_work(Work::Cards, id);
        drop(inner);
        self.grown.notify_waiters();
        Ok(())
    }

    async fn claim(&self, keys: &[String]) -> Result<Claim, StoreError> {
        let mut inner = self.lock();
        let known = keys.iter().find_map(|key| inner.by_key.get(key).copied());
        let incident = known.unwrap_or_else(|| {
            inner.last_number += 1;
            IncidentId::new(inner.last_number)
        });
        for key in keys {
            inner.by_key.entry(key.clone()).or_insert(incident);
        }
        inner.open.insert(incident);
        Ok(Claim { incident, new: known.is_none() })
    }

    async fn retire(&self, id: IncidentId) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.by_key.retain(|_, incident| *incident != id);
        inner.open.remove(&id);
        Ok(())
    }

    async fn free_keys(&self, id: IncidentId) -> Result<(), StoreError> {
        self.lock().by_key.retain(|_, incident| *incident != id);
        Ok(())
    }

    async fn open_incidents(&self, limit: usize) -> Result<Vec<IncidentId>, StoreError> {
        Ok(self.lock().open.iter().rev().take(limit).copied().collect())
    }
}

#[async_trait]
impl Inbox for MemoryStore {
    async fn put(&self, lane: Lane, dedup_key: &str, body: &str) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        while inner.seen_order.front().is_some_and(|(at, _)| at.elapsed() >= DEDUP_FOR) {
            if let Some((_, key)) = inner.seen_order.pop_front() {
                inner.seen.remove(&key);
            }
        }
        if !inner.seen.insert(dedup_key.to_owned()) {
            return Ok(false);
        }
        inner.seen_order.push_back((Instant::now(), dedup_key.to_owned()));
        inner.lanes.entry(lane).or_default().put(body.to_owned());
        drop(inner);
        self.grown.notify_waiters();
        Ok(true)
    }

    async fn take(&self, lane: Lane, max: usize) -> Result<Vec<Delivery>, StoreError> {
        let taken = self.take_from(max, |inner| inner.lanes.entry(lane).or_default().take(max)).await;
        Ok(taken.into_iter().map(|(n, body)| Delivery { token: n.to_string(), body }).collect())
    }

    async fn hold(&self, lane: Lane, token: &str) -> Result<(), StoreError> {
        self.lock().lanes.entry(lane).or_default().hold(token);
        Ok(())
    }

    async fn done(&self, lane: Lane, token: &str) -> Result<(), StoreError> {
        self.lock().lanes.entry(lane).or_default().done(token);
        Ok(())
    }

    async fn set_aside(&self, lane: Lane, token: &str, why: &str) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if let Some(body) = inner.lanes.entry(lane).or_default().take_out(token) {
            inner.aside.push_back((body, why.to_owned()));
            if inner.aside.len() > SET_ASIDE_MAX {
                inner.aside.pop_front();
            }
        }
        Ok(())
    }

    async fn aside(&self) -> Result<usize, StoreError> {
        Ok(self.lock().aside.len())
    }
}

#[async_trait]
impl WorkQueue for MemoryStore {
    async fn take_work(&self, work: Work, max: usize) -> Result<Vec<WorkItem>, StoreError> {
        let taken = self.take_from(max, |inner| inner.work.entry(work).or_default().take(max)).await;
        let item = |(n, body): (u64, String)| Some(WorkItem { token: n.to_string(), incident: body.parse().ok()? });
        Ok(taken.into_iter().filter_map(item).collect())
    }

    async fn hold_work(&self, work: Work, token: &str) -> Result<(), StoreError> {
        self.lock().work.entry(work).or_default().hold(token);
        Ok(())
    }

    async fn work_done(&self, work: Work, token: &str) -> Result<(), StoreError> {
        self.lock().work.entry(work).or_default().done(token);
        Ok(())
    }

    async fn put_work(&self, work: Work, incident: IncidentId) -> Result<(), StoreError> {
        self.lock().put_work(work, incident);
        self.grown.notify_waiters();
        Ok(())
    }

    async fn wake_due(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut inner = self.lock();
        let due: Vec<IncidentId> = inner.due.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in &due {
            inner.due.insert(*id, now + TAKEOVER_AFTER);
            inner.put_work(Work::Effects, *id);
        }
        drop(inner);
        self.grown.notify_waiters();
        Ok(due.len())
    }
}

#[async_trait]
impl CardStore for MemoryStore {
    async fn cards(&self, id: IncidentId) -> Result<BTreeMap<Slot, Posted>, StoreError> {
        Ok(self.lock().cards.get(&id).cloned().unwrap_or_default())
    }

    async fn lease_cards(&self, id: IncidentId, holder: &str) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        let held = inner.leases.get(&id).is_some_and(|(by, until)| by != holder && *until > Instant::now());
        if !held {
            inner.leases.insert(id, (holder.to_owned(), Instant::now() + CARDS_LEASE));
        }
        Ok(!held)
    }

    async fn release_cards(&self, id: IncidentId, holder: &str, version: u64) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        if inner.logs.get(&id).is_some_and(|log| log.len() as u64 > version) {
            return Ok(false);
        }
        if inner.leases.get(&id).is_some_and(|(by, _)| by == holder) {
            inner.leases.remove(&id);
        }
        Ok(true)
    }

    async fn put_card(&self, id: IncidentId, slot: &str, posted: &Posted) -> Result<(), StoreError> {
        self.lock().cards.entry(id).or_default().insert(slot.to_owned(), posted.clone());
        Ok(())
    }

    async fn drop_card(&self, id: IncidentId, slot: &str) -> Result<(), StoreError> {
        self.lock().cards.entry(id).or_default().remove(slot);
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn durability_faults(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec!["The store is this process's memory: everything is forgotten when it ends.".to_owned()])
    }
}
