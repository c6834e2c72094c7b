//! What is kept of searches through the trail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::hunt::cover::Mark;
use crate::domain::id::{AccountId, IncidentId};
use crate::ports::{SEARCH_LEASE, StoreError, Trail, TrailStore};

#[async_trait]
impl TrailStore for MemoryStore {
    async fn trail(&self, id: IncidentId) -> Result<Trail, StoreError> {
        Ok(self.lock().trails.get(&id).cloned().unwrap_or_default())
    }

    async fn keep_page(
        &self,
        id: IncidentId,
        new: &BTreeMap<String, String>,
        gone: &BTreeSet<String>,
        marks: &[(&str, &Mark)],
    ) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let trail = inner.trails.entry(id).or_default();
        for (event, text) in new {
            trail.records.entry(event.clone()).or_insert_with(|| text.clone());
        }
        trail.records.retain(|event, _| !gone.contains(event));
        trail.marks.extend(marks.iter().map(|(name, mark)| ((*name).to_owned(), (*mark).clone())));
        Ok(())
    }

    async fn lease_history(&self, account: &AccountId, holder: &str) -> Result<bool, StoreError> {
        let searching = &mut self.lock().searching;
        let held = searching.get(account).is_some_and(|(by, until)| by != holder && *until > Instant::now());
        if !held {
            searching.insert(account.clone(), (holder.to_owned(), Instant::now() + SEARCH_LEASE));
        }
        Ok(!held)
    }

    async fn release_history(&self, account: &AccountId, holder: &str) -> Result<(), StoreError> {
        let searching = &mut self.lock().searching;
        if searching.get(account).is_some_and(|(by, _)| by == holder) {
            searching.remove(account);
        }
        Ok(())
    }
}
