//! What is kept of searches through the trail.

use std::collections::BTreeMap;

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
        records: &BTreeMap<String, String>,
        (name, mark): (&str, &Mark),
    ) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let trail = inner.trails.entry(id).or_default();
        for (event, text) in records {
            trail.records.entry(event.clone()).or_insert_with(|| text.clone());
        }
        trail.marks.insert(name.to_owned(), mark.clone());
        Ok(())
    }
}
