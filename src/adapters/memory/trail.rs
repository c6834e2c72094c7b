//! What is kept of searches through the trail.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::hunt::cover::Mark;
use crate::domain::id::IncidentId;
use crate::ports::{StoreError, Trail, TrailStore};

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
}
