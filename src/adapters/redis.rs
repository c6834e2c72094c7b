//! The store in Redis (7 or later) or Valkey. Every atomic step is one script or one transaction on
//! keys of one hash tag (see `keys`). No replica decides by anything that it holds itself: what it remembers of logs
//! saves it work, and keeps it from going by one whose end it has seen and is gone (see `recent`).
//!
//! One server, or whatever answers like one behind one address. On a Cluster the queues would have to
//! be read slot by slot (see `queue`); all else is ready for it.

use ::redis::{ErrorKind, RedisError, cmd};
use async_trait::async_trait;

use crate::ports::{Lane, Store, StoreError, Work};
use link::{ANSWER_WITHIN, KEPT_WITHIN, Link, Readers};
use queue::Queue;
use recent::Recent;

pub use keys::UNREADABLE;
pub use seal::Seal;

mod cards;
mod durability;
mod inbox;
mod keys;
mod link;
mod log;
mod queue;
mod recent;
mod seal;
mod trail;
mod work;

/// See the module.
pub struct RedisStore {
    server: Server,
    alerts: Queue,
    slack: Queue,
    effects: Queue,
    cards: Queue,
    recent: Recent,
    seal: Seal,
}

/// The ways to the server, and who this process is there.
struct Server {
    link: Link,
    /// For deliveries: behind long logs they would wait.
    door: Link,
    readers: Readers,
    /// The consumer's name: what it has taken is remembered under it.
    replica: String,
}

impl RedisStore {
    /// Connects to `redis://…` or `rediss://…` and makes the consumer groups. `replica` names this
    /// process and no other that runs; `seal` is the same for all of them. Fails after two seconds without an answer; once connected, it
    /// reconnects by itself with the next call.
    pub async fn connect(url: &str, replica: &str, seal: Seal) -> Result<RedisStore, StoreError> {
        let link = Link::new(url, ANSWER_WITHIN)?;
        let (door, readers) = (Link::new(url, KEPT_WITHIN)?, Readers::new(&link));
        let server = Server { link, door, readers, replica: replica.to_owned() };
        let store = RedisStore {
            server,
            alerts: Queue::new(vec![keys::inbox(Lane::Alerts)]),
            slack: Queue::new(vec![keys::inbox(Lane::Slack)]),
            effects: Queue::new(keys::work_streams(Work::Effects)),
            cards: Queue::new(keys::work_streams(Work::Cards)),
            recent: Recent::default(),
            seal,
        };
        for queue in [&store.alerts, &store.slack, &store.effects, &store.cards] {
            queue.make_groups(&store.server).await?;
        }
        Ok(store)
    }

    fn lane(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Alerts => &self.alerts,
            Lane::Slack => &self.slack,
        }
    }

    fn work(&self, work: Work) -> &Queue {
        match work {
            Work::Effects => &self.effects,
            Work::Cards => &self.cards,
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn ping(&self) -> Result<(), StoreError> {
        cmd("PING").exec_async(&mut self.server.door.clone()).await?;
        Ok(cmd("PING").exec_async(&mut self.server.link.clone()).await?)
    }

    async fn durability_faults(&self) -> Result<Vec<String>, StoreError> {
        durability::faults(&self.server.link).await
    }
}

impl From<RedisError> for StoreError {
    /// An answer of the wrong type stays wrong. Everything else, refusals of the server included (out
    /// of memory, loading, replica, no permission), can be cured without touching the data.
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::Unreadable(error.to_string()),
            _ if error.code() == Some("WRONGTYPE") => Self::Unreadable(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
