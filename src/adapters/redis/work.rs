//! The outbox. [`super::log`] fills it.

use std::sync::LazyLock;

use ::redis::{Script, cmd};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;

use super::{RedisStore, keys, queue};
use crate::domain::id::IncidentId;
use crate::ports::{StoreError, TAKEOVER_AFTER, Work, WorkItem, WorkQueue};

/// One partition. It holds no more than its open incidents, so there is no limit.
static WAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local due, effects = KEYS[1], KEYS[2]
        local incidents = redis.call('ZRANGEBYSCORE', due, '-inf', ARGV[1])
        for _, incident in ipairs(incidents) do
            redis.call('ZADD', due, ARGV[2], incident)
            redis.call('XADD', effects, '*', 'e', incident)
        end
        return #incidents
        ",
    )
});

#[async_trait]
impl WorkQueue for RedisStore {
    async fn take_work(&self, work: Work, max: usize) -> Result<Vec<WorkItem>, StoreError> {
        let mut items = Vec::new();
        for entry in self.work(work).take(&self.server, max).await? {
            if let Ok(incident) = entry.text.parse() {
                items.push(WorkItem { token: entry.token, incident });
            } else {
                tracing::warn!(work = ?work, entry = entry.token, "dropped a work item that names no incident");
                self.work_done(work, &entry.token).await?;
            }
        }
        Ok(items)
    }

    async fn hold_work(&self, work: Work, token: &str) -> Result<(), StoreError> {
        self.work(work).hold(&self.server, token).await
    }

    async fn work_done(&self, work: Work, token: &str) -> Result<(), StoreError> {
        self.work(work).done(&self.server, token).await
    }

    async fn put_work(&self, work: Work, incident: IncidentId) -> Result<(), StoreError> {
        let stream = keys::work(work, keys::partition(incident));
        let mut put = cmd("XADD");
        put.arg(stream).arg("*").arg(queue::FIELD).arg(incident.to_string());
        Ok(put.exec_async(&mut self.server.link.clone()).await?)
    }

    async fn wake_due(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let woken = try_join_all((0..keys::PARTITIONS).map(|partition| async move {
            let mut wake = WAKE.key(keys::due(partition));
            let again = now + TAKEOVER_AFTER;
            wake.key(keys::work(Work::Effects, partition)).arg(now.timestamp_millis()).arg(again.timestamp_millis());
            wake.invoke_async::<usize>(&mut self.server.link.clone()).await
        }));
        Ok(woken.await?.into_iter().sum())
    }
}
