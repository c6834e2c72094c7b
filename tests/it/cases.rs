//! Many cases side by side, each with a database of its own on one Redis server: what takes long in them
//! is waiting.

#![allow(clippy::disallowed_methods, reason = "what is started here ends with the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use irp::adapters::redis::RedisStore;
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::stored::Record;
use irp::ports::{Inbox, IncidentLog, Lane};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;

use crate::program::Program;
use crate::redis_proxy::RedisProxy;
use crate::redis_server::{RedisServer, seal};
use crate::world::{ANA, CHRIS, World};

/// Cases in one test.
const DATABASES: usize = 128;
/// How long people insist, on a machine that has much else to do.
const INSIST_MAX: Duration = Duration::from_mins(3);
/// Longest wait for something to be on record, on such a machine.
const ON_RECORD_MAX: Duration = Duration::from_mins(1);
/// How long they wait for something to come of a click.
const PATIENCE: Duration = Duration::from_secs(3);

/// One server, and who is under way on it.
pub(crate) struct Cases {
    server: RedisServer,
    under_way: JoinSet<()>,
    names: BTreeMap<tokio::task::Id, String>,
}

/// A workspace and an account, for real programs over one database behind a proxy.
pub(crate) struct Case {
    pub(crate) w: World,
    pub(crate) proxy: RedisProxy,
    store: String,
    dir: TempDir,
    turn: Turn,
}

/// A turn at the machine, until it is given up.
type Turn = Arc<Mutex<Option<SemaphorePermit<'static>>>>;

/// Cases of all tests that are under way at once: each has a program or two.
static UNDER_WAY: Semaphore = Semaphore::const_new(14);
/// Those of them that do not only wait.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

impl Cases {
    /// With a server that knows the scripts: a command that it would have to be asked for anew is not the one
    /// that a case means.
    pub(crate) async fn start() -> Self {
        let databases = DATABASES.to_string();
        let server = RedisServer::start_with(&["--appendonly", "yes", "--databases", &databases]);
        teach(&server.url()).await;
        Self { server, under_way: JoinSet::new(), names: BTreeMap::new() }
    }

    /// Starts a case. Its name is what a failure shows.
    pub(crate) fn add<F, C>(&mut self, name: String, case: C)
    where
        F: Future<Output = ()> + Send + 'static,
        C: FnOnce(Case) -> F + Send + 'static,
    {
        // The first database is the one that was taught in.
        let database = self.names.len() + 1;
        assert!(database < DATABASES, "more cases than databases");
        let url = format!("{}/{database}", self.server.url());
        let turn = Turn::default();
        let waits = Arc::clone(&turn);
        self.spawn(name, turn, async move { case(Case { turn: waits, ..Case::start(&url).await }).await });
    }

    /// The same of a case that brings a server of its own.
    pub(crate) fn add_alone(&mut self, name: String, case: impl Future<Output = ()> + Send + 'static) {
        self.spawn(name, Turn::default(), case);
    }

    fn spawn(&mut self, name: String, turn: Turn, case: impl Future<Output = ()> + Send + 'static) {
        let handle = self.under_way.spawn(async move {
            let _under_way = UNDER_WAY.acquire().await;
            *turn.lock().unwrap() = AT_ONCE.acquire().await.ok();
            case.await;
            turn.lock().unwrap().take();
        });
        self.names.insert(handle.id(), name);
    }

    /// Waits for all of them, and names those that failed.
    pub(crate) async fn end(mut self) {
        let mut failed = Vec::new();
        while let Some(ended) = self.under_way.join_next().await {
            if let Err(error) = ended {
                failed.push(self.names[&error.id()].clone());
            }
        }
        assert!(failed.is_empty(), "failed: {failed:#?}");
    }
}

impl Case {
    /// Over the store with this address.
    pub(crate) async fn start(url: &str) -> Self {
        let mut w = World::without_bot(false).await;
        w.store = Arc::new(RedisStore::connect(url, "the test", seal()).await.unwrap());
        let proxy = RedisProxy::start(url).await;
        Self { w, proxy, store: url.to_owned(), dir: tempfile::tempdir().unwrap(), turn: Turn::default() }
    }

    /// From here on it mostly waits: others may be at it meanwhile.
    pub(crate) fn only_waits(&self) {
        self.turn.lock().unwrap().take();
    }

    /// Has its programs go by other rules.
    pub(crate) fn rules(&self, organisation: &str) {
        std::fs::write(self.dir.path().join("irp.toml"), organisation).unwrap();
    }

    /// The address of the store itself.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// A program, which is handed all deliveries from now on.
    pub(crate) async fn program(&mut self) -> Program {
        let program = Program::start_over(&self.w, self.proxy.url(), &self.dir).await;
        program.take_deliveries(&mut self.w);
        program
    }

    /// A connection past the bot and the proxy.
    pub(crate) async fn past_the_store(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.store()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// One beside it, behind a proxy of its own.
    pub(crate) async fn another_program(&self, proxy: &RedisProxy) -> Program {
        Program::start_over(&self.w, proxy.url(), &self.dir).await
    }

    /// Kills a program, and starts another in its place.
    pub(crate) async fn replace(&self, program: Program) -> Program {
        program.killed_and_replaced(&self.w, self.proxy.url(), &self.dir).await
    }

    /// Waits until so many commands have met their loss.
    pub(crate) async fn until_met(&self, losses: usize) {
        self.w.until("the command comes by", |_| self.proxy.met() >= losses).await;
    }
}

impl World {
    /// An alert, a request and an approval, by people who look at the card and press again what it offers as
    /// long as nothing comes of it.
    pub(crate) async fn insist(&self, card: &str) {
        self.alert_until_kept(&self.finding("e-1", "f-1")).await;
        self.until_within(INSIST_MAX, "the step is there", |w| w.card(ANA, card).is_some()).await;
        let started = Instant::now();
        while !self.says(card, "carried out and verified") {
            assert!(started.elapsed() < INSIST_MAX, "it gets nowhere: {:#?}", self.texts());
            let shown = self.card(ANA, card);
            // Whatever Slack says to it: the card shows what came of it.
            if self.offers(card, "irp.approve") {
                let _ = self.try_press(CHRIS, card, "irp.approve").await;
            } else if self.offers(card, "irp.request") {
                let _ = self.try_press(ANA, card, "irp.request").await;
            }
            let pressed = Instant::now();
            while pressed.elapsed() < PATIENCE && self.card(ANA, card) == shown {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// What a button of a card carries.
    pub(crate) fn value(&self, card: &str, button: &str) -> String {
        let card = self.card(ANA, card).unwrap();
        let rows = card["blocks"].as_array().unwrap().iter().filter_map(|b| b["elements"].as_array());
        let found =
            rows.flatten().find(|e| e["action_id"] == button).unwrap_or_else(|| panic!("no {button}: {card:#}"));
        found["value"].as_str().unwrap().to_owned()
    }

    /// How often each thing happened to the first incident.
    pub(crate) async fn happened(&self, what: fn(&Event) -> bool) -> usize {
        let log = self.store.load(IncidentId::new(1)).await.unwrap();
        log.iter().filter(|record| what(&record.event)).count()
    }

    /// Waits until it has happened so often. How long the log is says nothing of that: the bot writes by itself too.
    pub(crate) async fn until_happened(&self, times: usize, what: fn(&Event) -> bool) {
        let deadline = Instant::now() + ON_RECORD_MAX;
        while self.happened(what).await < times {
            assert!(Instant::now() < deadline, "it is not on record: {:#?}", self.texts());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The announcement and each step stand in Slack once, whatever happened while they were posted.
    pub(crate) fn nothing_stands_twice(&self) {
        let mut cards: Vec<String> = self.texts().into_iter().filter(|text| text.starts_with("INC-")).collect();
        let all = cards.len();
        cards.sort();
        cards.dedup();
        assert_eq!(cards.len(), all, "{:#?}", self.texts());
    }
}

/// Lets a server see each script once.
pub(crate) async fn teach(url: &str) {
    let store = RedisStore::connect(url, "the teacher", seal()).await.unwrap();
    let id = store.claim(&["a lesson".to_owned()]).await.unwrap().incident;
    let by = "U0TEACHER1".parse().unwrap();
    let record = Record::seal(None, chrono::DateTime::UNIX_EPOCH, Event::LeadTaken { by });
    store.append(id, 0, &[record], None).await.unwrap();
    store.retire(IncidentId::new(1)).await.unwrap();
    store.put(Lane::Slack, "a lesson", "").await.unwrap();
}
