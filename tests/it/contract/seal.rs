//! What somebody with a client of their own writes into a Redis whose texts are sealed.

use std::collections::{BTreeMap, BTreeSet};

use irp::adapters::redis::{RedisStore, Seal, UNREADABLE};
use irp::domain::id::IncidentId;
use irp::ports::{CardStore, Inbox, IncidentLog, Lane, Posted, StoreError, TrailStore};
use redis::cmd;

use super::{at, connect, record, take_exactly};
use crate::redis_server::{RedisServer, SEAL_KEYS};

const ID: IncidentId = IncidentId::new(1);
const LOG: &str = "irp:v1:{p1}:log:INC-1";

async fn with(server: &RedisServer, keys: &[&str]) -> RedisStore {
    let keys: Vec<_> = keys.iter().map(|key| (*key).into()).collect();
    RedisStore::connect(&server.url(), "another", Seal::new(&keys)).await.unwrap()
}

fn says<T: std::fmt::Debug>(read: Result<T, StoreError>, what: &str) {
    let error = read.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(_)) && error.to_string().contains(what), "{error}");
}

#[tokio::test]
async fn a_record_that_fits_the_chain_does_not_count_without_the_key() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    store.append(ID, 0, &[record(1)], None).await.unwrap();
    store.append(ID, 1, &[record(2), record(3)], None).await.unwrap();
    assert_eq!(store.load(ID).await.unwrap().len(), 3);
    // By somebody who can read the log, and knows how records are made.
    let unsealed = with(&server, &[]).await;
    unsealed.append(ID, 3, &[record(4)], None).await.unwrap();
    says(store.load(ID).await, "INC-1, entry 4-0: its seal does not fit");
    cmd("XDEL").arg(LOG).arg("4-0").exec_async(&mut raw).await.unwrap();
    assert_eq!(store.load(ID).await.unwrap().len(), 3);
    let other = IncidentId::new(2);
    with(&server, &["another-key"]).await.append(other, 0, &[record(1)], None).await.unwrap();
    says(store.load(other).await, "INC-2, entry 1-0: its seal does not fit");
}

#[tokio::test]
async fn a_seal_is_good_for_one_place() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    store.append(ID, 0, &[record(1)], None).await.unwrap();
    let stored: redis::streams::StreamRangeReply =
        cmd("XRANGE").arg(LOG).arg("-").arg("+").query_async(&mut raw).await.unwrap();
    let text: String = stored.ids[0].get("r").unwrap();
    let other = "irp:v1:{p2}:log:INC-2";
    cmd("XADD").arg(other).arg("1-0").arg("r").arg(text).exec_async(&mut raw).await.unwrap();
    says(store.load(IncidentId::new(2)).await, "INC-2, entry 1-0: its seal does not fit");
}

#[tokio::test]
async fn keys_can_be_changed_and_what_is_sealed_says_so_to_whom_has_none() {
    let server = RedisServer::start();
    connect(&server, "one").await.append(ID, 0, &[record(1)], None).await.unwrap();
    says(with(&server, &[]).await.load(ID).await, "it is sealed, and IRP_SEAL_KEYS is not set");
    let both = with(&server, &["the-new-key", SEAL_KEYS]).await;
    both.append(ID, 1, &[record(2)], None).await.unwrap();
    assert_eq!(both.load(ID).await.unwrap().len(), 2);
    says(connect(&server, "one").await.load(ID).await, "entry 2-0: its seal does not fit");
    assert_eq!(with(&server, &[SEAL_KEYS, "the-new-key"]).await.load(ID).await.unwrap().len(), 2);
}

/// What is set aside: the lane, why, and what stood there.
async fn aside(raw: &mut redis::aio::MultiplexedConnection) -> Vec<[String; 3]> {
    let aside: redis::streams::StreamRangeReply =
        cmd("XRANGE").arg(UNREADABLE).arg("-").arg("+").query_async(raw).await.unwrap();
    aside.ids.iter().map(|entry| ["lane", "why", "e"].map(|field| entry.get(field).unwrap())).collect()
}

const LANES: [(Lane, &str); 2] = [(Lane::Slack, "irp:v1:{inbox}:slack"), (Lane::Alerts, "irp:v1:{inbox}:alerts")];

#[tokio::test]
async fn a_click_or_an_alert_that_the_bot_has_not_taken_is_set_aside() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    for (lane, stream) in LANES {
        for field in ["e", "other"] {
            cmd("XADD").arg(stream).arg("*").arg(field).arg("made up").exec_async(&mut raw).await.unwrap();
        }
        store.put(lane, stream, "real").await.unwrap();
        let taken = take_exactly(&store, lane, 1).await;
        assert_eq!(taken[0].body, "real");
        let left: usize = cmd("XLEN").arg(stream).query_async(&mut raw).await.unwrap();
        assert_eq!(left, 1, "only what is being worked on");
    }
    assert_eq!(store.aside().await.unwrap(), 4);
    let kept = aside(&mut raw).await;
    for (at, (_, stream)) in LANES.into_iter().enumerate() {
        for ([lane, why, what], stood) in kept[2 * at..].iter().zip(["made up", r#"["other","made up"]"#]) {
            assert_eq!((lane.as_str(), what.as_str()), (stream, stood));
            assert!(why.contains("its seal does not fit"), "{why}");
        }
    }
}

#[tokio::test]
async fn what_was_set_aside_for_want_of_a_key_can_be_put_back() {
    let server = RedisServer::start();
    let mut raw = server.raw().await;
    connect(&server, "one").await.put(Lane::Alerts, "k", "real").await.unwrap();
    let other = with(&server, &["another-key"]).await;
    assert!(other.take(Lane::Alerts, 1).await.unwrap().is_empty());
    let kept = aside(&mut raw).await;
    let [[lane, _, sealed]] = &kept[..] else { panic!("{kept:?}") };
    cmd("XADD").arg(lane).arg("*").arg("e").arg(sealed).exec_async(&mut raw).await.unwrap();
    cmd("DEL").arg(UNREADABLE).exec_async(&mut raw).await.unwrap();
    let both = with(&server, &["another-key", SEAL_KEYS]).await;
    assert_eq!(take_exactly(&both, Lane::Alerts, 1).await[0].body, "real");
    assert_eq!(both.aside().await.unwrap(), 0);
}

#[tokio::test]
async fn a_replica_without_the_keys_leaves_deliveries_to_others() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    store.put(Lane::Slack, "k", "real").await.unwrap();
    let keyless = with(&server, &[]).await;
    let mut raw = server.raw().await;
    let pending = async |raw: &mut redis::aio::MultiplexedConnection| -> usize {
        let pending: redis::streams::StreamPendingReply =
            cmd("XPENDING").arg("irp:v1:{inbox}:slack").arg("irp").query_async(raw).await.unwrap();
        pending.count()
    };
    while pending(&mut raw).await == 0 {
        assert_eq!(keyless.take(Lane::Slack, 100).await.unwrap().len(), 0);
    }
    assert_eq!(keyless.take(Lane::Slack, 100).await.unwrap().len(), 0);
    assert_eq!(pending(&mut raw).await, 1, "it is still there");
}

#[tokio::test]
async fn where_a_card_stands_only_the_bot_says() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    let (channel, ts) = ("C0WARROOM1".parse().unwrap(), Some("1.1".into()));
    let posted = Posted { channel, ts, hash: "h".into(), at: at(0), replaces: None, copies: vec![], unnamed: None };
    store.put_card(ID, "evidence", &posted).await.unwrap();
    assert_eq!(store.cards(ID).await.unwrap()["evidence"], posted);
    let cards = "irp:v1:{p1}:cards:INC-1";
    cmd("HSET")
        .arg(cards)
        .arg("damaged")
        .arg(serde_json::to_string(&posted).unwrap())
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(store.cards(ID).await.unwrap().into_keys().collect::<Vec<_>>(), ["evidence"], "it is posted again");
}

#[tokio::test]
async fn evidence_that_the_bot_has_not_read_does_not_count() {
    let server = RedisServer::start();
    let store = connect(&server, "one").await;
    let mut raw = server.raw().await;
    let page = BTreeMap::from([("e1".to_owned(), "{}".to_owned())]);
    store.keep_page(ID, &page, &BTreeSet::new(), &[]).await.unwrap();
    assert_eq!(store.trail(ID).await.unwrap().records, page);
    let trail = "irp:v1:{p1}:trail:INC-1";
    cmd("HSET").arg(trail).arg("e2").arg("{}").exec_async(&mut raw).await.unwrap();
    says(store.trail(ID).await, "trail of e2: its seal does not fit");
    cmd("HDEL").arg(trail).arg("e2").exec_async(&mut raw).await.unwrap();
    let sealed: String = cmd("HGET").arg(trail).arg("e1").query_async(&mut raw).await.unwrap();
    cmd("HSET").arg(trail).arg("e3").arg(sealed).exec_async(&mut raw).await.unwrap();
    says(store.trail(ID).await, "trail of e3: its seal does not fit");
    cmd("HDEL").arg(trail).arg("e3").exec_async(&mut raw).await.unwrap();
    let marks = "irp:v1:{p1}:marks:INC-1";
    cmd("HSET").arg(marks).arg("us-east-1").arg("{}").exec_async(&mut raw).await.unwrap();
    says(store.trail(ID).await, "trail of us-east-1: its seal does not fit");
}
