//! What every store must keep, over the memory and over a real Redis, and every vault. Each test gets a store of its
//! own, as two replicas see it.

#![allow(clippy::unwrap_used, reason = "this is test code, though not all of it in functions marked as tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use irp::adapters::memory::MemoryStore;
use irp::adapters::redis::RedisStore;
use irp::domain::id::UserId;
use irp::domain::incident::event::Event;
use irp::domain::stored::Record;
use irp::ports::{Delivery, Lane, Store, Work, WorkItem};

use crate::redis_server::{RedisServer, seal};

mod cards;
mod cut;
mod durability;
mod inbox;
mod index;
mod log;
mod outage;
mod seal;
mod trail;
mod vault;
mod work;

/// How long a test waits for what must come.
const COMES_WITHIN: Duration = Duration::from_secs(10);

/// One store and two processes that use it.
struct Replicas {
    one: Arc<dyn Store>,
    other: Arc<dyn Store>,
    _server: Option<RedisServer>,
}

fn over_memory() -> Replicas {
    let store = Arc::new(MemoryStore::default());
    Replicas { one: store.clone(), other: store, _server: None }
}

async fn over_redis() -> Replicas {
    let server = RedisServer::start();
    let one = Arc::new(connect(&server, "one").await);
    let other = Arc::new(connect(&server, "other").await);
    Replicas { one, other, _server: Some(server) }
}

async fn connect(server: &RedisServer, replica: &str) -> RedisStore {
    RedisStore::connect(&server.url(), replica, seal()).await.expect("the server is up")
}

macro_rules! suite {
    ($($module:ident: $($test:ident)+;)+) => {
        mod memory {
            $($(#[tokio::test] async fn $test() { super::$module::$test(&super::over_memory()).await; })+)+
        }
        mod redis {
            $($(#[tokio::test] async fn $test() { super::$module::$test(&super::over_redis().await).await; })+)+
        }
    };
}

suite! {
    log: what_is_appended_is_loaded
        an_append_to_another_version_conflicts
        of_fifty_appends_at_once_one_wins
        logs_do_not_mix
        a_long_log_is_loaded_whole_and_in_order;
    index: a_claim_leads_all_its_keys_to_one_incident
        of_two_claims_at_once_one_is_new
        of_known_keys_the_first_decides
        retiring_frees_the_keys_but_not_the_number
        freed_keys_lead_to_another_incident_and_the_first_stays_on_the_list
        open_incidents_come_newest_first;
    inbox: a_delivery_is_kept_once
        of_fifty_equal_deliveries_at_once_one_is_kept
        deliveries_come_in_order_and_no_more_than_asked
        lanes_do_not_mix
        two_takers_never_get_the_same
        what_is_put_wakes_a_waiting_take
        a_take_of_nothing_waits_a_second
        what_is_set_aside_is_handed_to_nobody_and_counted
        no_more_is_set_aside_than_somebody_can_look_at;
    work: an_append_puts_work_on_both_queues_once
        an_append_that_conflicts_puts_none
        put_work_fills_one_queue
        small_takes_empty_all_partitions
        what_is_due_wakes_once
        nothing_wakes_early
        the_last_append_says_when_it_is_due
        what_a_dead_worker_took_is_handed_to_another;
    cards: one_at_a_time_holds_an_incidents_cards
        a_lease_does_not_end_while_the_log_has_more
        cards_are_put_and_dropped;
    trail: a_page_and_how_far_it_was_read_are_kept_together
        what_makes_room_goes_with_the_page_that_takes_it
        what_is_kept_of_an_event_is_kept_once
        pages_that_come_at_once_are_all_kept
        one_process_at_a_time_searches_an_account;
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000 + seconds)
}

/// The record with this number of a log, each different; it follows the one before it.
fn record(number: u32) -> Record {
    let prev = (number > 1).then(|| record(number - 1).hash().to_owned());
    sealed(number, prev.as_deref())
}

/// Different for each number, and each the first of a log.
fn first(number: u32) -> Record {
    sealed(number, None)
}

fn sealed(number: u32, prev: Option<&str>) -> Record {
    let by: UserId = format!("U{number:08}").parse().expect("a user id");
    Record::seal(prev, at(i64::from(number)), Event::LeadTaken { by })
}

fn keys<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

/// Takes until there are so many, and no more come with them.
async fn take_exactly(store: &dyn Store, lane: Lane, count: usize) -> Vec<Delivery> {
    let deadline = Instant::now() + COMES_WITHIN;
    let mut taken = Vec::new();
    while taken.len() < count && Instant::now() < deadline {
        taken.extend(store.take(lane, 100).await.unwrap());
    }
    assert_eq!(taken.len(), count, "{taken:?}");
    taken
}

/// Like [`take_exactly`].
async fn take_work_exactly(store: &dyn Store, work: Work, count: usize) -> Vec<WorkItem> {
    let deadline = Instant::now() + COMES_WITHIN;
    let mut taken = Vec::new();
    while taken.len() < count && Instant::now() < deadline {
        taken.extend(store.take_work(work, 100).await.unwrap());
    }
    assert_eq!(taken.len(), count, "{taken:?}");
    taken
}
