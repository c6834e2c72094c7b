//! Redis only: what a server can do to a store.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures_util::future::join;
use irp::adapters::redis::{RedisStore, Seal};
use irp::domain::id::IncidentId;
use irp::ports::{AppendError, CardStore, Inbox, IncidentLog, Lane, Store, StoreError, Work, WorkQueue};
use redis::aio::MultiplexedConnection;
use redis::cmd;

use super::{COMES_WITHIN, at, connect, keys, record, take_exactly, take_work_exactly};
use crate::redis_server::{RedisServer, seal};

const ID: IncidentId = IncidentId::new(1);
/// How fast a call must say that the store is not there.
const SAID_WITHIN: Duration = Duration::from_secs(5);

fn is_unavailable<T: Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

async fn comes_back(store: &RedisStore) {
    let deadline = Instant::now() + COMES_WITHIN;
    while store.ping().await.is_err() {
        assert!(Instant::now() < deadline, "the server is up and the store does not see it");
        tokio::task::yield_now().await;
    }
}

async fn every_call_says_unavailable(store: &RedisStore) {
    let asked_at = Instant::now();
    is_unavailable(&store.load(ID).await);
    let append = store.append(ID, 1, &[record(2)], None).await;
    assert!(matches!(append, Err(AppendError::Store(StoreError::Unavailable(_)))), "{append:?}");
    is_unavailable(&store.claim(&keys(["b"])).await);
    is_unavailable(&store.put(Lane::Alerts, "l", "late").await);
    is_unavailable(&store.take(Lane::Alerts, 5).await);
    is_unavailable(&store.take_work(Work::Cards, 5).await);
    is_unavailable(&store.wake_due(at(9)).await);
    is_unavailable(&store.cards(ID).await);
    is_unavailable(&store.ping().await);
    is_unavailable(&store.durability_faults().await);
    assert!(asked_at.elapsed() < SAID_WITHIN, "{:?}", asked_at.elapsed());
}

#[tokio::test]
async fn a_crash_of_the_server_loses_nothing() {
    let mut server = RedisServer::start();
    let store = connect(&server, "one").await;
    let claim = store.claim(&keys(["a"])).await.unwrap();
    store.append(ID, 0, &[record(1)], Some(at(3))).await.unwrap();
    store.put(Lane::Alerts, "k", "body").await.unwrap();
    let taken = take_exactly(&store, Lane::Alerts, 1).await;
    store.put(Lane::Alerts, "l", "unread").await.unwrap();

    server.stop();
    every_call_says_unavailable(&store).await;

    server.restart();
    comes_back(&store).await;
    assert_eq!(store.load(ID).await.unwrap(), [record(1)]);
    assert_eq!(store.claim(&keys(["a"])).await.unwrap().incident, claim.incident);
    assert!(!store.put(Lane::Alerts, "k", "body").await.unwrap());
    store.done(Lane::Alerts, &taken[0].token).await.unwrap();
    assert_eq!(take_exactly(&store, Lane::Alerts, 1).await[0].body, "unread");
    assert_eq!(store.wake_due(at(3)).await.unwrap(), 1);
    take_work_exactly(&store, Work::Effects, 2).await;
    store.append(ID, 1, &[record(2)], None).await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_may_still_have_done_it() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    // Also teaches the server the script: a command that it would have to be asked for anew is not carried out.
    store.put(Lane::Slack, "j", "before").await.unwrap();
    server.freeze();
    let asked_at = Instant::now();
    is_unavailable(&store.put(Lane::Slack, "k", "body").await);
    assert!(asked_at.elapsed() < SAID_WITHIN, "{:?}", asked_at.elapsed());
    server.thaw();
    comes_back(&store).await;
    assert!(!store.put(Lane::Slack, "k", "body").await.unwrap(), "the first was carried out after all");
    assert_eq!(take_exactly(&store, Lane::Slack, 2).await[1].body, "body");
}

#[tokio::test]
async fn nobody_connects_to_a_server_that_is_not_there() {
    let mut server = RedisServer::start();
    let url = server.url();
    server.stop();
    let asked_at = Instant::now();
    is_unavailable(&RedisStore::connect(&url, "one", seal()).await.map(|_| ()));
    assert!(asked_at.elapsed() < SAID_WITHIN, "{:?}", asked_at.elapsed());
}

#[tokio::test]
async fn groups_are_made_again_after_everything_was_deleted() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let flush = async {
        let mut raw = server.raw().await;
        until_blocked(&mut raw, 1).await;
        cmd("FLUSHALL").exec_async(&mut raw).await.unwrap();
        store.put(Lane::Slack, "k", "body").await.unwrap();
    };
    // The groups vanish under a take that waits.
    let (taken, ()) = join(take_exactly(&store, Lane::Slack, 1), flush).await;
    assert_eq!(taken[0].body, "body");
    // And before one that has yet to ask.
    store.append(ID, 0, &[record(1)], None).await.unwrap();
    assert_eq!(take_work_exactly(&store, Work::Effects, 1).await[0].incident, ID);
}

#[tokio::test]
async fn a_take_that_is_given_up_takes_nothing() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    tokio::select! {
        taken = take_exactly(&store, Lane::Slack, 1) => panic!("there was nothing to take: {taken:?}"),
        () = until_blocked(&mut raw, 1) => {}
    }
    until_blocked(&mut raw, 0).await;
    store.put(Lane::Slack, "k", "body").await.unwrap();
    assert_eq!(take_exactly(&store, Lane::Slack, 1).await[0].body, "body");
}

async fn until_blocked(raw: &mut MultiplexedConnection, clients: u32) {
    let deadline = Instant::now() + COMES_WITHIN / 2;
    loop {
        let info: redis::InfoDict = cmd("INFO").arg("clients").query_async(raw).await.unwrap();
        if info.get::<u32>("blocked_clients") == Some(clients) {
            return;
        }
        assert!(Instant::now() < deadline, "{clients} clients should wait");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named() {
    let server = RedisServer::start();
    // Not sealed, so that what stands there is read at all.
    let store = RedisStore::connect(&server.url(), "one", Seal::default()).await.unwrap();
    store.append(ID, 0, &[record(1)], None).await.unwrap();
    let mut raw = server.raw().await;
    let log = "irp:v1:{p1}:log:INC-1";
    cmd("XADD")
        .arg(log)
        .arg("2-0")
        .arg("r")
        .arg(r#"{"v":9,"at":"2026-01-01T00:00:00Z","event":{}}"#)
        .exec_async(&mut raw)
        .await
        .unwrap();
    let newer = store.load(ID).await.unwrap_err();
    assert!(matches!(newer, StoreError::Unreadable(_)));
    assert!(
        newer.to_string().contains("INC-1: record 2 cannot be read: ")
            && newer.to_string().contains("a newer one wrote it"),
        "{newer}"
    );

    store.append(ID, 2, &[record(3)], None).await.unwrap();
    cmd("XDEL").arg(log).arg("2-0").exec_async(&mut raw).await.unwrap();
    let gap = store.load(ID).await.unwrap_err();
    assert_eq!(
        gap.to_string(),
        "the store holds something unreadable: INC-1, entry 3-0: the entry before it, 2-0, is missing"
    );

    cmd("SET").arg("irp:v1:{p2}:log:INC-2").arg("text").exec_async(&mut raw).await.unwrap();
    let text = store.load(IncidentId::new(2)).await;
    assert!(matches!(text, Err(StoreError::Unreadable(_))), "{text:?}");
}

#[tokio::test]
async fn what_is_no_work_is_dropped_from_the_queue() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    for (field, text) in [("e", "nonsense"), ("other", "INC-1")] {
        cmd("XADD").arg("irp:v1:{p1}:work:cards").arg("*").arg(field).arg(text).exec_async(&mut raw).await.unwrap();
    }
    store.put_work(Work::Cards, ID).await.unwrap();
    let taken = take_work_exactly(&store, Work::Cards, 1).await;
    store.work_done(Work::Cards, &taken[0].token).await.unwrap();
    let left: usize = cmd("XLEN").arg("irp:v1:{p1}:work:cards").query_async(&mut raw).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_replica_takes_no_writes_and_a_promoted_one_does() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    cmd("REPLICAOF").arg("127.0.0.1").arg(1).exec_async(&mut raw).await.unwrap();
    is_unavailable(&store.put(Lane::Alerts, "k", "body").await);
    let faults = store.durability_faults().await.unwrap();
    assert!(faults[0].starts_with("Redis has role slave instead of master"), "{faults:?}");
    cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut raw).await.unwrap();
    assert!(store.put(Lane::Alerts, "k", "body").await.unwrap());
}
