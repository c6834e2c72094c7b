//! Deliveries.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{Script, cmd};
use async_trait::async_trait;

use super::queue::{Aside, Entry};
use super::seal::Unsealed;
use super::{RedisStore, keys};
use crate::ports::{Delivery, Inbox, Lane, SET_ASIDE_MAX, StoreError};

/// How long a delivery's key is remembered.
const DEDUP_FOR: Duration = Duration::from_mins(10);

static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local seen, stream = KEYS[1], KEYS[2]
        local seconds, body = ARGV[1], ARGV[2]
        if not redis.call('SET', seen, '1', 'NX', 'EX', seconds) then
            return 0
        end
        redis.call('XADD', stream, '*', 'e', body)
        return 1
        ",
    )
});

#[async_trait]
impl Inbox for RedisStore {
    async fn put(&self, lane: Lane, dedup_key: &str, body: &str) -> Result<bool, StoreError> {
        let mut put = PUT.key(keys::seen(dedup_key));
        let body = self.seal.close(&keys::inbox(lane), body);
        put.key(keys::inbox(lane)).arg(DEDUP_FOR.as_secs()).arg(body);
        Ok(put.invoke_async(&mut self.server.door.clone()).await?)
    }

    async fn take(&self, lane: Lane, max: usize) -> Result<Vec<Delivery>, StoreError> {
        let entries = self.lane(lane).take(&self.server, max).await?;
        let mut taken = Vec::with_capacity(entries.len());
        for Entry { token, text } in entries {
            match self.seal.open(&keys::inbox(lane), text) {
                Ok(body) => taken.push(Delivery { token, body }),
                // Another replica takes it over, which has the keys.
                Err(why @ Unsealed::NoKeys) => tracing::error!(%why, ?lane, "a delivery is left to others"),
                Err(why @ Unsealed::Forged) => {
                    tracing::error!(%why, ?lane, "a delivery is set aside");
                    if let Err(error) = self.set_aside(lane, &token, &why.to_string()).await {
                        tracing::warn!(%error, ?lane, "it could not be set aside yet");
                    }
                }
            }
        }
        Ok(taken)
    }

    async fn hold(&self, lane: Lane, token: &str) -> Result<(), StoreError> {
        self.lane(lane).hold(&self.server, token).await
    }

    async fn done(&self, lane: Lane, token: &str) -> Result<(), StoreError> {
        self.lane(lane).done(&self.server, token).await
    }

    async fn set_aside(&self, lane: Lane, token: &str, why: &str) -> Result<(), StoreError> {
        let aside = Aside { key: keys::UNREADABLE, most: SET_ASIDE_MAX, why };
        self.lane(lane).set_aside(&self.server, token, aside).await
    }

    async fn aside(&self) -> Result<usize, StoreError> {
        Ok(cmd("XLEN").arg(keys::UNREADABLE).query_async(&mut self.server.link.clone()).await?)
    }
}
