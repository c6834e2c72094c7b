//! [`irp::ports::CardStore`].

use std::collections::BTreeMap;

use futures_util::future::join_all;
use irp::domain::id::IncidentId;
use irp::ports::Posted;

use super::{Replicas, at, record};

const ID: IncidentId = IncidentId::new(9);

fn posted(hash: &str, ts: Option<&str>) -> Posted {
    let (channel, ts) = ("C0WARROOM1".parse().unwrap(), ts.map(str::to_owned));
    Posted { channel, ts, hash: hash.to_owned(), at: at(0), replaces: None, copies: Vec::new(), unnamed: None }
}

pub(super) async fn one_at_a_time_holds_an_incidents_cards(replicas: &Replicas) {
    let names: Vec<String> = (0..20).map(|n| format!("holder-{n}")).collect();
    let leases = names.iter().enumerate().map(|(turn, name)| {
        let store = if turn % 2 == 0 { &replicas.one } else { &replicas.other };
        store.lease_cards(ID, name)
    });
    let won: Vec<bool> = join_all(leases).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = &names[won.iter().position(|won| *won).unwrap()];
    assert!(replicas.other.lease_cards(ID, winner).await.unwrap(), "the holder goes on");
    assert!(replicas.one.lease_cards(IncidentId::new(10), "another").await.unwrap(), "another incident is free");

    assert!(replicas.one.release_cards(ID, "somebody-else", 0).await.unwrap());
    assert!(!replicas.one.lease_cards(ID, "somebody-else").await.unwrap(), "a lease is its holder's to end");
    assert!(replicas.one.release_cards(ID, winner, 0).await.unwrap());
    assert!(replicas.other.lease_cards(ID, "somebody-else").await.unwrap());
}

pub(super) async fn a_lease_does_not_end_while_the_log_has_more(replicas: &Replicas) {
    replicas.one.append(ID, 0, &[record(1)], None).await.unwrap();
    assert!(replicas.one.lease_cards(ID, "a").await.unwrap());
    replicas.other.append(ID, 1, &[record(2)], None).await.unwrap();
    assert!(!replicas.one.release_cards(ID, "a", 1).await.unwrap(), "it has not seen the second record");
    assert!(!replicas.other.lease_cards(ID, "b").await.unwrap());
    assert!(replicas.one.release_cards(ID, "a", 2).await.unwrap());
    assert!(replicas.other.lease_cards(ID, "b").await.unwrap());
}

pub(super) async fn cards_are_put_and_dropped(replicas: &Replicas) {
    assert_eq!(replicas.one.cards(ID).await.unwrap(), BTreeMap::new());
    let begun = Posted {
        replaces: Some("1.1".into()),
        copies: vec!["1.0".into(), "1.1".into()],
        unnamed: Some(at(1)),
        ..posted("a", None)
    };
    replicas.one.put_card(ID, "step:disable", &begun).await.unwrap();
    assert_eq!(replicas.other.cards(ID).await.unwrap()["step:disable"], begun);
    replicas.other.put_card(ID, "step:disable", &posted("b", Some("1.2"))).await.unwrap();
    replicas.one.put_card(ID, "note:1", &posted("c", Some("1.3"))).await.unwrap();
    assert_eq!(replicas.one.cards(ID).await.unwrap()["step:disable"], posted("b", Some("1.2")));
    replicas.one.drop_card(ID, "step:disable").await.unwrap();
    replicas.one.drop_card(ID, "step:disable").await.unwrap();
    let left = BTreeMap::from([("note:1".to_owned(), posted("c", Some("1.3")))]);
    assert_eq!(replicas.other.cards(ID).await.unwrap(), left);
}
