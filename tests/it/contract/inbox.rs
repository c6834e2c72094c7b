//! [`irp::ports::Inbox`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use irp::ports::{Delivery, Lane, SET_ASIDE_MAX};

use super::{Replicas, take_exactly};

fn bodies(taken: &[Delivery]) -> Vec<&str> {
    taken.iter().map(|delivery| delivery.body.as_str()).collect()
}

pub(super) async fn a_delivery_is_kept_once(replicas: &Replicas) {
    assert!(replicas.one.put(Lane::Alerts, "k", "first").await.unwrap());
    assert!(!replicas.other.put(Lane::Alerts, "k", "second").await.unwrap());
    let taken = take_exactly(&*replicas.one, Lane::Alerts, 1).await;
    assert_eq!(bodies(&taken), ["first"]);
    replicas.one.done(Lane::Alerts, &taken[0].token).await.unwrap();
    replicas.one.done(Lane::Alerts, &taken[0].token).await.unwrap();
    assert!(!replicas.one.put(Lane::Alerts, "k", "third").await.unwrap(), "done does not forget the key");
    assert!(replicas.one.put(Lane::Alerts, "another", "fourth").await.unwrap());
    assert_eq!(bodies(&take_exactly(&*replicas.one, Lane::Alerts, 1).await), ["fourth"]);
}

pub(super) async fn of_fifty_equal_deliveries_at_once_one_is_kept(replicas: &Replicas) {
    let puts = (0..50).map(|turn| {
        let store = if turn % 2 == 0 { &replicas.one } else { &replicas.other };
        store.put(Lane::Slack, "k", "body")
    });
    let kept = join_all(puts).await.into_iter().filter(|kept| *kept.as_ref().unwrap()).count();
    assert_eq!(kept, 1);
    take_exactly(&*replicas.one, Lane::Slack, 1).await;
}

pub(super) async fn deliveries_come_in_order_and_no_more_than_asked(replicas: &Replicas) {
    for number in 0..5 {
        replicas.one.put(Lane::Slack, &format!("k{number}"), &format!("“{number}”\r\n\0")).await.unwrap();
    }
    assert!(replicas.other.take(Lane::Slack, 0).await.unwrap().is_empty());
    let mut taken = replicas.other.take(Lane::Slack, 2).await.unwrap();
    assert_eq!(taken.len(), 2);
    taken.extend(replicas.other.take(Lane::Slack, 10).await.unwrap());
    let expected: Vec<String> = (0..5).map(|number| format!("“{number}”\r\n\0")).collect();
    assert_eq!(bodies(&taken), expected);
}

pub(super) async fn lanes_do_not_mix(replicas: &Replicas) {
    replicas.one.put(Lane::Alerts, "a", "alert").await.unwrap();
    replicas.one.put(Lane::Slack, "s", "click").await.unwrap();
    assert_eq!(bodies(&take_exactly(&*replicas.one, Lane::Slack, 1).await), ["click"]);
    assert_eq!(bodies(&take_exactly(&*replicas.one, Lane::Alerts, 1).await), ["alert"]);
}

pub(super) async fn two_takers_never_get_the_same(replicas: &Replicas) {
    for number in 0..60 {
        replicas.one.put(Lane::Alerts, &format!("k{number}"), &number.to_string()).await.unwrap();
    }
    let asks = (0..12).map(|turn| {
        let store = if turn % 2 == 0 { &replicas.one } else { &replicas.other };
        store.take(Lane::Alerts, 5)
    });
    let taken: Vec<Delivery> = join_all(asks).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(taken.len(), 60);
    assert_eq!(taken.iter().map(|delivery| &delivery.body).collect::<BTreeSet<_>>().len(), 60);
    assert_eq!(taken.iter().map(|delivery| &delivery.token).collect::<BTreeSet<_>>().len(), 60);
}

/// How long after a put a take that waits has it.
async fn woken_after(replicas: &Replicas, key: &str) -> Duration {
    // The take is polled first, so that it waits when the put comes.
    let (taken, kept) = join(async { (replicas.one.take(Lane::Slack, 1).await.unwrap(), Instant::now()) }, async {
        (replicas.other.put(Lane::Slack, key, "body").await.unwrap(), Instant::now())
    })
    .await;
    assert!(kept.0);
    assert_eq!(bodies(&taken.0), ["body"]);
    taken.1.saturating_duration_since(kept.1)
}

pub(super) async fn what_is_put_wakes_a_waiting_take(replicas: &Replicas) {
    // One that is not woken is late each time, and a busy machine now and then.
    let mut late = Vec::new();
    for key in ["k1", "k2", "k3"] {
        late.push(woken_after(replicas, key).await);
    }
    assert!(late.iter().any(|late| *late < Duration::from_millis(500)), "it woke so long after the put: {late:?}");
}

pub(super) async fn a_take_of_nothing_waits_a_second(replicas: &Replicas) {
    let mut waited = Vec::new();
    for _ in 0..3 {
        let asked_at = Instant::now();
        assert!(replicas.one.take(Lane::Alerts, 10).await.unwrap().is_empty());
        waited.push(asked_at.elapsed());
    }
    assert!(waited.iter().all(|waited| *waited >= Duration::from_millis(900)), "{waited:?}");
    // One that waits for longer does so each time, and a busy machine now and then.
    assert!(waited.iter().any(|waited| *waited < Duration::from_secs(3)), "{waited:?}");
}

pub(super) async fn what_is_set_aside_is_handed_to_nobody_and_counted(replicas: &Replicas) {
    for key in ["a", "b"] {
        replicas.one.put(Lane::Alerts, key, key).await.unwrap();
    }
    let taken = take_exactly(&*replicas.one, Lane::Alerts, 2).await;
    assert_eq!(replicas.other.aside().await.unwrap(), 0);
    for _ in 0..2 {
        replicas.one.set_aside(Lane::Alerts, &taken[0].token, "nobody can read it").await.unwrap();
    }
    // Whoever was at it too has nothing left to forget.
    replicas.other.done(Lane::Alerts, &taken[0].token).await.unwrap();
    replicas.other.done(Lane::Alerts, &taken[1].token).await.unwrap();
    replicas.one.set_aside(Lane::Alerts, &taken[1].token, "it is done").await.unwrap();
    assert_eq!(replicas.other.aside().await.unwrap(), 1);
    assert!(replicas.other.take(Lane::Alerts, 9).await.unwrap().is_empty());
    assert!(!replicas.one.put(Lane::Alerts, "a", "again").await.unwrap(), "its key is not forgotten with it");
}

pub(super) async fn no_more_is_set_aside_than_somebody_can_look_at(replicas: &Replicas) {
    let puts = (0..SET_ASIDE_MAX + 5).map(|number| async move {
        replicas.one.put(Lane::Slack, &format!("k{number}"), "nonsense").await.unwrap();
    });
    join_all(puts).await;
    for delivery in take_exactly(&*replicas.one, Lane::Slack, SET_ASIDE_MAX + 5).await {
        replicas.one.set_aside(Lane::Slack, &delivery.token, "nobody can read it").await.unwrap();
    }
    assert_eq!(replicas.one.aside().await.unwrap(), SET_ASIDE_MAX);
}
