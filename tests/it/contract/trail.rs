//! [`irp::ports::TrailStore`].

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use irp::domain::hunt::cover::{Canaries, Cover, Mark, Reading};
use irp::domain::hunt::room::Left;
use irp::domain::id::{AccountId, IncidentId};
use irp::ports::Trail;

use super::{Replicas, at};

const ID: IncidentId = IncidentId::new(11);

fn records<const N: usize>(records: [(&str, &str); N]) -> BTreeMap<String, String> {
    records.map(|(id, text)| (id.to_owned(), text.to_owned())).into()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

fn cover(seconds: i64) -> Mark {
    Mark::Cover(Cover { read: Some((at(0), at(seconds))), ..Cover::default() })
}

pub(super) async fn a_page_and_how_far_it_was_read_are_kept_together(replicas: &Replicas) {
    assert_eq!(replicas.one.trail(ID).await.unwrap(), Trail::default());
    let reading = Reading { from: at(0), until: at(90), down_to: at(40), pages: 1, late: true };
    let open = Mark::Cover(Cover {
        read: None,
        open: Some(reading),
        cut: Some((at(0), at(1))),
        late_at: Some(at(2)),
        ..Cover::default()
    });
    let canaries = Canaries { out: vec![("r".into(), at(5))], last_at: Some(at(5)), seen_until: None };
    replicas
        .one
        .keep_page(ID, &records([("e1", "{\"a\":1}"), ("e2", "ü\n")]), &none(), &[("us-east-1 access key", &open)])
        .await
        .unwrap();
    let canaries = Mark::Canaries(canaries);
    replicas.one.keep_page(ID, &BTreeMap::new(), &none(), &[("canaries us-east-1", &canaries)]).await.unwrap();
    let kept = replicas.other.trail(ID).await.unwrap();
    assert_eq!(kept.records, records([("e1", "{\"a\":1}"), ("e2", "ü\n")]));
    let marks = [("us-east-1 access key".to_owned(), open), ("canaries us-east-1".to_owned(), canaries)];
    assert_eq!(kept.marks, BTreeMap::from(marks));
    assert_eq!(replicas.other.trail(IncidentId::new(27)).await.unwrap(), Trail::default(), "of the same partition");
}

pub(super) async fn what_is_kept_of_an_event_is_kept_once(replicas: &Replicas) {
    replicas.one.keep_page(ID, &records([("e1", "first")]), &none(), &[("q", &cover(1))]).await.unwrap();
    replicas
        .other
        .keep_page(ID, &records([("e1", "again"), ("e2", "new")]), &none(), &[("q", &cover(2))])
        .await
        .unwrap();
    let kept = replicas.one.trail(ID).await.unwrap();
    assert_eq!(kept.records, records([("e1", "first"), ("e2", "new")]));
    assert_eq!(kept.marks, BTreeMap::from([("q".to_owned(), cover(2))]));
}

pub(super) async fn what_makes_room_goes_with_the_page_that_takes_it(replicas: &Replicas) {
    replicas.one.keep_page(ID, &records([("e1", "noise"), ("e2", "key")]), &none(), &[("q", &cover(1))]).await.unwrap();
    let left = Mark::Left(Left { lesser: true, lost: false });
    let (new, gone) = (records([("e3", "through")]), BTreeSet::from(["e1".to_owned(), "e0".to_owned()]));
    replicas.other.keep_page(ID, &new, &gone, &[("q", &cover(2)), ("left", &left)]).await.unwrap();
    let kept = replicas.one.trail(ID).await.unwrap();
    assert_eq!(kept.records, records([("e2", "key"), ("e3", "through")]));
    assert_eq!(kept.marks, BTreeMap::from([("q".to_owned(), cover(2)), ("left".to_owned(), left)]));
}

pub(super) async fn pages_that_come_at_once_are_all_kept(replicas: &Replicas) {
    let pages = (0..40).map(|page| async move {
        let store = if page % 2 == 0 { &replicas.one } else { &replicas.other };
        let ids = [format!("e{page}"), "shared".to_owned()];
        let records = ids.map(|id| (id, "text".to_owned())).into();
        store.keep_page(ID, &records, &none(), &[(&format!("q{}", page % 4), &cover(page))]).await.unwrap();
    });
    join_all(pages).await;
    let kept = replicas.one.trail(ID).await.unwrap();
    assert_eq!((kept.records.len(), kept.marks.len()), (41, 4));
}

pub(super) async fn one_process_at_a_time_searches_an_account(replicas: &Replicas) {
    let (here, there): (AccountId, AccountId) = ("111122223333".parse().unwrap(), "444455556666".parse().unwrap());
    let (one, other) = (&replicas.one, &replicas.other);
    let at_once = join_all([one.lease_history(&here, "a"), other.lease_history(&here, "b")]).await;
    let won: Vec<bool> = at_once.into_iter().map(Result::unwrap).collect();
    let (winner, loser) = if won[0] { ("a", "b") } else { ("b", "a") };
    assert_ne!(won[0], won[1], "one of them");
    assert!(other.lease_history(&here, winner).await.unwrap(), "the holder goes on");
    assert!(one.lease_history(&there, loser).await.unwrap(), "another account is free");
    one.release_history(&here, loser).await.unwrap();
    assert!(!one.lease_history(&here, loser).await.unwrap(), "a lease is its holder's to end");
    one.release_history(&here, winner).await.unwrap();
    assert!(other.lease_history(&here, loser).await.unwrap());
}
