//! What is kept of searches through the trail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{Script, pipe};
use async_trait::async_trait;

use super::cards::LEASE;
use super::{RedisStore, keys};
use crate::domain::hunt::cover::Mark;
use crate::domain::id::{AccountId, IncidentId};
use crate::ports::{SEARCH_LEASE, StoreError, Trail, TrailStore};

/// After so long without a page it is forgotten: the incident's log has what came of it.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('GET', KEYS[1]) == ARGV[1] then
            redis.call('DEL', KEYS[1])
        end
        ",
    )
});

#[async_trait]
impl TrailStore for RedisStore {
    async fn trail(&self, id: IncidentId) -> Result<Trail, StoreError> {
        let mut link = self.server.link.clone();
        // At one moment: what a mark says has been read is among the records.
        let mut both = pipe();
        both.atomic().cmd("HGETALL").arg(keys::trail(id)).cmd("HGETALL").arg(keys::marks(id));
        let (records, marks): (BTreeMap<String, String>, BTreeMap<String, String>) =
            both.query_async(&mut link).await?;
        let unreadable =
            |name: &str, why: &dyn Display| StoreError::Unreadable(format!("{id}, trail of {name}: {why}"));
        let open = |key: &str, name: &str, stored: String| {
            self.seal.open(&place(key, name), stored).map_err(|why| unreadable(name, &why))
        };
        let record = |(event, stored): (String, String)| {
            let text = open(&keys::trail(id), &event, stored)?;
            Ok((event, text))
        };
        let mark = |(name, stored): (String, String)| {
            let text = open(&keys::marks(id), &name, stored)?;
            let mark = serde_json::from_str(&text).map_err(|why| unreadable(&name, &why))?;
            Ok((name, mark))
        };
        Ok(Trail {
            records: records.into_iter().map(record).collect::<Result<_, StoreError>>()?,
            marks: marks.into_iter().map(mark).collect::<Result<_, StoreError>>()?,
        })
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
            keep.cmd("HSETNX").arg(&trail).arg(event).arg(self.seal.close(&place(&trail, event), text));
        }
        if !gone.is_empty() {
            keep.cmd("HDEL").arg(&trail).arg(gone);
        }
        for (name, mark) in read {
            keep.cmd("HSET").arg(&marks).arg(name).arg(self.seal.close(&place(&marks, name), &encoded(mark)));
        }
        for key in [&trail, &marks] {
            keep.cmd("EXPIRE").arg(key).arg(KEPT_FOR.as_secs());
        }
        Ok(keep.exec_async(&mut self.server.link.clone()).await?)
    }

    async fn lease_history(&self, account: &AccountId, holder: &str) -> Result<bool, StoreError> {
        let mut lease = LEASE.key(keys::searching(account));
        lease.arg(holder).arg(SEARCH_LEASE.as_secs());
        Ok(lease.invoke_async(&mut self.server.link.clone()).await?)
    }

    async fn release_history(&self, account: &AccountId, holder: &str) -> Result<(), StoreError> {
        let mut release = RELEASE.key(keys::searching(account));
        release.arg(holder);
        Ok(release.invoke_async(&mut self.server.link.clone()).await?)
    }
}

/// Where a text stands: a seal is good for no other.
fn place(key: &str, name: &str) -> String {
    format!("{key} {name}")
}

fn encoded(mark: &Mark) -> String {
    serde_json::to_string(mark).expect("texts and times have a JSON form")
}
