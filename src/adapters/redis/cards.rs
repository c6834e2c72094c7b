//! Where messages stand.

use std::collections::BTreeMap;

use ::redis::cmd;
use async_trait::async_trait;

use super::{RedisStore, keys};
use crate::domain::id::IncidentId;
use crate::ports::{CardStore, Posted, Slot, StoreError};

#[async_trait]
impl CardStore for RedisStore {
    async fn cards(&self, id: IncidentId) -> Result<BTreeMap<Slot, Posted>, StoreError> {
        let stored: BTreeMap<Slot, String> =
            cmd("HGETALL").arg(keys::cards(id)).query_async(&mut self.server.link.clone()).await?;
        let read = |(slot, text): (Slot, String)| match serde_json::from_str(&text) {
            Ok(posted) => Ok((slot, posted)),
            Err(why) => Err(StoreError::Unreadable(format!("{id}, card {slot}: {why}"))),
        };
        stored.into_iter().map(read).collect()
    }

    async fn claim_card(&self, id: IncidentId, slot: &str, posted: &Posted) -> Result<bool, StoreError> {
        let mut claim = cmd("HSETNX");
        claim.arg(keys::cards(id)).arg(slot).arg(encoded(posted));
        Ok(claim.query_async(&mut self.server.link.clone()).await?)
    }

    async fn put_card(&self, id: IncidentId, slot: &str, posted: &Posted) -> Result<(), StoreError> {
        let mut put = cmd("HSET");
        put.arg(keys::cards(id)).arg(slot).arg(encoded(posted));
        Ok(put.exec_async(&mut self.server.link.clone()).await?)
    }

    async fn drop_card(&self, id: IncidentId, slot: &str) -> Result<(), StoreError> {
        Ok(cmd("HDEL").arg(keys::cards(id)).arg(slot).exec_async(&mut self.server.link.clone()).await?)
    }
}

fn encoded(posted: &Posted) -> String {
    serde_json::to_string(posted).expect("texts and times have a JSON form")
}
