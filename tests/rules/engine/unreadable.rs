//! Alerts about the credential of an incident whose log cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use irp::adapters::memory::MemoryStore;
use irp::domain::alert::{Alert, AlertSource};
use irp::domain::hunt::cover::Mark;
use irp::domain::id::{AccountId, IncidentId};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::stored::Record;
use irp::engine::{Engine, EngineError, Ports, Taken};
use irp::ports::{
    AppendError, CardStore, Claim, Delivery, Inbox, IncidentLog, Lane, Posted, Slot, Store, StoreError, Trail,
    TrailStore, Work, WorkItem, WorkQueue,
};

use super::{ASKS, Bot, user};
use crate::search::alert;

/// A store of which one log cannot be read.
struct Spoilt {
    store: Arc<MemoryStore>,
    unreadable: IncidentId,
}

#[async_trait]
impl IncidentLog for Spoilt {
    async fn load(&self, id: IncidentId) -> Result<Vec<Record>, StoreError> {
        if id == self.unreadable {
            return Err(StoreError::Unreadable("told to".into()));
        }
        self.store.load(id).await
    }
    async fn append(
        &self,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        next_due_at: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        self.store.append(id, expected, records, next_due_at).await
    }
    async fn claim(&self, keys: &[String]) -> Result<Claim, StoreError> {
        self.store.claim(keys).await
    }
    async fn retire(&self, id: IncidentId) -> Result<(), StoreError> {
        self.store.retire(id).await
    }
    async fn free_keys(&self, id: IncidentId) -> Result<(), StoreError> {
        self.store.free_keys(id).await
    }
    async fn open_incidents(&self, limit: usize) -> Result<Vec<IncidentId>, StoreError> {
        self.store.open_incidents(limit).await
    }
}

/// What taking an alert in does not ask of its store.
fn not_asked<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("nobody asks for this here".into()))
}

#[async_trait]
impl WorkQueue for Spoilt {
    async fn take_work(&self, _: Work, _: usize) -> Result<Vec<WorkItem>, StoreError> {
        not_asked()
    }
    async fn hold_work(&self, _: Work, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
    async fn work_done(&self, _: Work, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
    async fn put_work(&self, _: Work, _: IncidentId) -> Result<(), StoreError> {
        not_asked()
    }
    async fn wake_due(&self, _: DateTime<Utc>) -> Result<usize, StoreError> {
        not_asked()
    }
}

#[async_trait]
impl Inbox for Spoilt {
    async fn put(&self, _: Lane, _: &str, _: &str) -> Result<bool, StoreError> {
        not_asked()
    }
    async fn take(&self, _: Lane, _: usize) -> Result<Vec<Delivery>, StoreError> {
        not_asked()
    }
    async fn hold(&self, _: Lane, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
    async fn done(&self, _: Lane, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
    async fn set_aside(&self, _: Lane, _: &str, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
    async fn aside(&self) -> Result<usize, StoreError> {
        not_asked()
    }
}

#[async_trait]
impl TrailStore for Spoilt {
    async fn trail(&self, _: IncidentId) -> Result<Trail, StoreError> {
        not_asked()
    }
    async fn keep_page(
        &self,
        _: IncidentId,
        _: &BTreeMap<String, String>,
        _: &BTreeSet<String>,
        _: &[(&str, &Mark)],
    ) -> Result<(), StoreError> {
        not_asked()
    }
    async fn lease_history(&self, _: &AccountId, _: &str) -> Result<bool, StoreError> {
        not_asked()
    }
    async fn release_history(&self, _: &AccountId, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
}

#[async_trait]
impl CardStore for Spoilt {
    async fn cards(&self, _: IncidentId) -> Result<BTreeMap<Slot, Posted>, StoreError> {
        not_asked()
    }
    async fn lease_cards(&self, _: IncidentId, _: &str) -> Result<bool, StoreError> {
        not_asked()
    }
    async fn release_cards(&self, _: IncidentId, _: &str, _: u64) -> Result<bool, StoreError> {
        not_asked()
    }
    async fn put_card(&self, _: IncidentId, _: &str, _: &Posted) -> Result<(), StoreError> {
        not_asked()
    }
    async fn drop_card(&self, _: IncidentId, _: &str) -> Result<(), StoreError> {
        not_asked()
    }
}

#[async_trait]
impl Store for Spoilt {
    async fn ping(&self) -> Result<(), StoreError> {
        not_asked()
    }
    async fn durability_faults(&self) -> Result<Vec<String>, StoreError> {
        not_asked()
    }
}

/// A replica that cannot read the incident which there is.
async fn spoilt() -> (Bot, Engine) {
    let bot = Bot::new().await;
    let ports = Ports {
        store: Arc::new(Spoilt { store: bot.store.clone(), unreadable: bot.id }),
        cloud: bot.world.clone(),
        directory: bot.world.clone(),
        clock: bot.world.clone(),
    };
    let rules = (*bot.engine.rules()).clone();
    let engine = Engine::new(ports, rules, Playbook::parse(BUILT_IN).unwrap(), "other", &[]);
    (bot, engine)
}

#[tokio::test]
async fn alerts_wait_five_minutes_for_an_incident_that_cannot_be_read_and_then_open_another() {
    let (bot, engine) = spoilt().await;
    let again = Alert { delivery_id: "again".into(), ..alert() };
    for waits in [TimeDelta::zero(), TimeDelta::minutes(5) - TimeDelta::milliseconds(1)] {
        bot.world.pass(waits);
        let taken = engine.take_alert(&again).await;
        assert!(matches!(taken, Err(EngineError::Store(StoreError::Unreadable(_)))), "{waits}: {taken:?}");
    }
    bot.world.pass(TimeDelta::milliseconds(1));
    let taken = engine.take_alert(&again).await.unwrap();
    assert!(matches!(taken, Taken::Opened(id) if id != bot.id), "{taken:?}");
    assert_eq!(engine.take_alert(&again).await.unwrap(), Taken::Known(taken.incident()));
    assert!(bot.store.open_incidents(9).await.unwrap().contains(&bot.id), "somebody has to look at that one");
}

#[tokio::test]
async fn a_person_does_not_wait_for_an_incident_that_cannot_be_read() {
    let (bot, engine) = spoilt().await;
    let asks = Alert { delivery_id: "p".into(), source: AlertSource::Person(user(ASKS)), ..alert() };
    let taken = engine.open(&user(ASKS), &asks).await.unwrap();
    assert!(matches!(taken, Taken::Opened(id) if id != bot.id), "{taken:?}");
}
