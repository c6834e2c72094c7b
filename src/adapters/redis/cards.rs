//! Where messages stand.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::redis::{Script, cmd};
use async_trait::async_trait;

use super::{RedisStore, keys};
use crate::domain::id::IncidentId;
use crate::ports::{CARDS_LEASE, CardStore, Posted, Slot, StoreError};

/// Takes a lease, or goes on with it.
pub(super) static LEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local lease, holder, seconds = KEYS[1], ARGV[1], ARGV[2]
        local held_by = redis.call('GET', lease)
        if held_by and held_by ~= holder then
            return 0
        end
        redis.call('SET', lease, holder, 'EX', seconds)
        return 1
        ",
    )
});

static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local lease, log = KEYS[1], KEYS[2]
        local holder, version = ARGV[1], tonumber(ARGV[2])
        if redis.call('XLEN', log) > version then
            return 0
        end
        if redis.call('GET', lease) == holder then
            redis.call('DEL', lease)
        end
        return 1
        ",
    )
});

#[async_trait]
impl CardStore for RedisStore {
    async fn cards(&self, id: IncidentId) -> Result<BTreeMap<Slot, Posted>, StoreError> {
        let stored: BTreeMap<Slot, String> =
            cmd("HGETALL").arg(keys::cards(id)).query_async(&mut self.server.link.clone()).await?;
        // What is not the bot's says nothing of where a card stands: it is posted again.
        let open = |(slot, stored): (Slot, String)| match self.seal.open(&place(id, &slot), stored) {
            Ok(text) => Some((slot, text)),
            Err(why) => {
                tracing::error!(incident.id = %id, card = %slot, %why, "where a card stands is not known any more");
                None
            }
        };
        let read = |(slot, text): (Slot, String)| match serde_json::from_str(&text) {
            Ok(posted) => Ok((slot, posted)),
            Err(why) => Err(StoreError::Unreadable(format!("{id}, card {slot}: {why}"))),
        };
        stored.into_iter().filter_map(open).map(read).collect()
    }

    async fn lease_cards(&self, id: IncidentId, holder: &str) -> Result<bool, StoreError> {
        let mut lease = LEASE.key(keys::carding(id));
        lease.arg(holder).arg(CARDS_LEASE.as_secs());
        Ok(lease.invoke_async(&mut self.server.link.clone()).await?)
    }

    async fn release_cards(&self, id: IncidentId, holder: &str, version: u64) -> Result<bool, StoreError> {
        let mut release = RELEASE.key(keys::carding(id));
        release.key(keys::log(id)).arg(holder).arg(version);
        Ok(release.invoke_async(&mut self.server.link.clone()).await?)
    }

    async fn put_card(&self, id: IncidentId, slot: &str, posted: &Posted) -> Result<(), StoreError> {
        let mut put = cmd("HSET");
        put.arg(keys::cards(id)).arg(slot).arg(self.seal.close(&place(id, slot), &encoded(posted)));
        Ok(put.exec_async(&mut self.server.link.clone()).await?)
    }

    async fn drop_card(&self, id: IncidentId, slot: &str) -> Result<(), StoreError> {
        Ok(cmd("HDEL").arg(keys::cards(id)).arg(slot).exec_async(&mut self.server.link.clone()).await?)
    }
}

/// Where a text stands: a seal is good for no other.
fn place(id: IncidentId, slot: &str) -> String {
    format!("{} {slot}", keys::cards(id))
}

fn encoded(posted: &Posted) -> String {
    serde_json::to_string(posted).expect("texts and times have a JSON form")
}
