//! [`irp::ports::WorkQueue`], and [`irp::ports::TAKEOVER_AFTER`] for both kinds of queue.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use irp::domain::id::IncidentId;
use irp::ports::{Lane, TAKEOVER_AFTER, Work, WorkItem};

use super::{COMES_WITHIN, Replicas, at, record, take_exactly, take_work_exactly};

const ID: IncidentId = IncidentId::new(5);

fn incidents(taken: &[WorkItem]) -> BTreeSet<IncidentId> {
    taken.iter().map(|item| item.incident).collect()
}

pub(super) async fn an_append_puts_work_on_both_queues_once(replicas: &Replicas) {
    replicas.one.append(ID, 0, &[record(1), record(2)], None).await.unwrap();
    for work in [Work::Effects, Work::Cards] {
        let taken = take_work_exactly(&*replicas.other, work, 1).await;
        assert_eq!(taken[0].incident, ID);
        assert!(replicas.one.take_work(work, 10).await.unwrap().is_empty(), "it is being worked on");
        replicas.one.work_done(work, &taken[0].token).await.unwrap();
        replicas.one.work_done(work, &taken[0].token).await.unwrap();
    }
}

pub(super) async fn an_append_that_conflicts_puts_none(replicas: &Replicas) {
    replicas.one.append(ID, 7, &[record(1)], Some(at(0))).await.unwrap_err();
    let (effects, cards) =
        join(replicas.one.take_work(Work::Effects, 10), replicas.one.take_work(Work::Cards, 10)).await;
    assert!(effects.unwrap().is_empty());
    assert!(cards.unwrap().is_empty());
    assert_eq!(replicas.one.wake_due(at(1)).await.unwrap(), 0);
}

pub(super) async fn put_work_fills_one_queue(replicas: &Replicas) {
    replicas.one.put_work(Work::Cards, ID).await.unwrap();
    replicas.one.put_work(Work::Cards, ID).await.unwrap();
    let taken = take_work_exactly(&*replicas.other, Work::Cards, 2).await;
    assert_eq!(incidents(&taken), BTreeSet::from([ID]));
    assert!(replicas.one.take_work(Work::Effects, 10).await.unwrap().is_empty());
}

pub(super) async fn small_takes_empty_all_partitions(replicas: &Replicas) {
    const COUNT: u32 = 80;
    for max in [1, 3, 16, 40] {
        let all: Vec<IncidentId> = (1..=COUNT).map(IncidentId::new).collect();
        let puts = join_all(all.iter().map(|id| replicas.one.put_work(Work::Effects, *id)));
        let workers = async {
            let deadline = Instant::now() + COMES_WITHIN;
            let mut taken = Vec::new();
            while taken.len() < all.len() && Instant::now() < deadline {
                let both =
                    join(replicas.one.take_work(Work::Effects, max), replicas.other.take_work(Work::Effects, max));
                for (store, items) in [&replicas.one, &replicas.other].into_iter().zip(<[_; 2]>::from(both.await)) {
                    let items = items.unwrap();
                    assert!(items.len() <= max, "{} instead of {max}", items.len());
                    for item in &items {
                        store.work_done(Work::Effects, &item.token).await.unwrap();
                    }
                    taken.extend(items);
                }
            }
            taken
        };
        let (taken, _) = join(workers, puts).await;
        assert_eq!(taken.len(), all.len(), "each once, with {max} at a time");
        assert_eq!(incidents(&taken), all.into_iter().collect());
    }
}

pub(super) async fn what_is_due_wakes_once(replicas: &Replicas) {
    let ids: Vec<IncidentId> = (1..=20).map(IncidentId::new).collect();
    for id in &ids {
        replicas.one.append(*id, 0, &[record(1)], Some(at(i64::from(id.number())))).await.unwrap();
    }
    for item in take_work_exactly(&*replicas.one, Work::Effects, 20).await {
        replicas.one.work_done(Work::Effects, &item.token).await.unwrap();
    }
    assert_eq!(replicas.one.wake_due(at(0)).await.unwrap(), 0);
    assert_eq!(replicas.other.wake_due(at(12)).await.unwrap(), 12);
    let woken = take_work_exactly(&*replicas.one, Work::Effects, 12).await;
    assert_eq!(incidents(&woken), ids[..12].iter().copied().collect());
    assert_eq!(replicas.one.wake_due(at(12)).await.unwrap(), 0, "the due times have moved");
    assert_eq!(replicas.one.wake_due(at(26)).await.unwrap(), 8, "the others");
    assert_eq!(replicas.one.wake_due(at(27)).await.unwrap(), 12, "nothing came of them: they are looked at again");
}

pub(super) async fn nothing_wakes_early(replicas: &Replicas) {
    let due_at = at(0) + TimeDelta::microseconds(400);
    replicas.one.append(ID, 0, &[record(1)], Some(due_at)).await.unwrap();
    assert_eq!(replicas.one.wake_due(due_at - TimeDelta::microseconds(1)).await.unwrap(), 0);
    assert_eq!(replicas.one.wake_due(due_at + TimeDelta::milliseconds(1)).await.unwrap(), 1);
}

pub(super) async fn the_last_append_says_when_it_is_due(replicas: &Replicas) {
    replicas.one.append(ID, 0, &[record(1)], Some(at(1))).await.unwrap();
    replicas.one.append(ID, 1, &[record(2)], Some(at(5))).await.unwrap();
    assert_eq!(replicas.one.wake_due(at(4)).await.unwrap(), 0);
    replicas.one.append(ID, 2, &[record(3)], None).await.unwrap();
    assert_eq!(replicas.one.wake_due(at(100)).await.unwrap(), 0);
}

/// The one test that waits for real time to pass. What others are still at comes before what the dead one has left, and
/// is more than one look passes.
pub(super) async fn what_a_dead_worker_took_is_handed_to_another(replicas: &Replicas) {
    const HELD: usize = 150;
    for key in (0..HELD).map(|n| format!("held {n}")).chain(["done".to_owned(), "left".to_owned()]) {
        replicas.one.put(Lane::Alerts, &key, &key).await.unwrap();
    }
    replicas.one.put_work(Work::Effects, ID).await.unwrap();
    // Read before they are taken, so that none of them can be overdue earlier than by this.
    let taken_at = Instant::now();
    let taken = take_exactly(&*replicas.one, Lane::Alerts, HELD + 2).await;
    let (held, others) = taken.split_at(HELD);
    let [done, left] = others else { panic!("{others:?}") };
    replicas.one.done(Lane::Alerts, &done.token).await.unwrap();
    take_work_exactly(&*replicas.one, Work::Effects, 1).await;

    let deadline = taken_at + TAKEOVER_AFTER + COMES_WITHIN;
    let (mut deliveries, mut items) = (Vec::new(), Vec::new());
    while deliveries.is_empty() || items.is_empty() {
        assert!(Instant::now() < deadline, "{deliveries:?} {items:?}");
        for delivery in held {
            replicas.one.hold(Lane::Alerts, &delivery.token).await.unwrap();
        }
        let both = join(replicas.other.take(Lane::Alerts, 10), replicas.other.take_work(Work::Effects, 10)).await;
        deliveries.extend(both.0.unwrap());
        items.extend(both.1.unwrap());
        let lives = taken_at.elapsed() + Duration::from_millis(500) < TAKEOVER_AFTER;
        assert!(!lives || (deliveries.is_empty() && items.is_empty()), "the worker still lives");
    }
    assert_eq!(deliveries.len(), 1);
    assert_eq!((&deliveries[0].body, &deliveries[0].token), (&left.body, &left.token));
    assert_eq!(incidents(&items), BTreeSet::from([ID]));

    // It lives after all: what it does late is harmless.
    replicas.one.done(Lane::Alerts, &left.token).await.unwrap();
    replicas.other.done(Lane::Alerts, &deliveries[0].token).await.unwrap();
    assert!(replicas.one.take(Lane::Alerts, 10).await.unwrap().is_empty());
}
