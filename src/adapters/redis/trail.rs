//! What is kept of searches through the trail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ::redis::pipe;
use async_trait::async_trait;

use super::{RedisStore, keys};
use crate::domain::hunt::cover::Mark;
use crate::domain::id::IncidentId;
use crate::ports::{StoreError, Trail, TrailStore};

/// After so long without a page it is forgotten: the incident's log has what came of it.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

#[async_trait]
impl TrailStore for RedisStore {
    async fn trail(&self, id: IncidentId) -> Result<Trail, StoreError> {
        let mut link = self.server.link.clone();
        // At one moment: what a mark says has been read is among the records.
        let mut both = pipe();
        both.atomic().cmd("HGETALL").arg(keys::trail(id)).cmd("HGETALL").arg(keys::marks(id));
        let (records, marks): (BTreeMap<String, String>, BTreeMap<String, String>) =
            both.query_async(&mut link).await?;
        let read = |(name, text): (String, String)| match serde_json::from_str(&text) {
            Ok(mark) => Ok((name, mark)),
            Err(why) => Err(StoreError::Unreadable(format!("{id}, trail of {name}: {why}"))),
        };
        Ok(Trail { records, marks: marks.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    async fn keep_page(
        &self,
        id: IncidentId,
        new: &BTreeMap<String, String>,
        gone: &BTreeSet<String>,
        read: &[(&str, &Mark)],
    ) -> Result<(), StoreError> {
        let (trail, marks) = (keys::trail(id), keys::marks(id));
        let mut keep = pipe();
        keep.atomic();
        for (event, text) in new {
            keep.cmd("HSETNX").arg(&trail).arg(event).arg(text);
        }
        if !gone.is_empty() {
            keep.cmd("HDEL").arg(&trail).arg(gone);
        }
        for (name, mark) in read {
            keep.cmd("HSET").arg(&marks).arg(name).arg(encoded(mark));
        }
        for key in [&trail, &marks] {
            keep.cmd("EXPIRE").arg(key).arg(KEPT_FOR.as_secs());
        }
        Ok(keep.exec_async(&mut self.server.link.clone()).await?)
    }
}

fn encoded(mark: &Mark) -> String {
    serde_json::to_string(mark).expect("texts and times have a JSON form")
}
