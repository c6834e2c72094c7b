//! [`irp::ports::CardStore`].

use std::collections::BTreeMap;

use futures_util::future::join_all;
use irp::domain::id::IncidentId;
use irp::ports::Posted;

use super::{Replicas, at};

const ID: IncidentId = IncidentId::new(9);

fn posted(hash: &str, ts: Option<&str>) -> Posted {
    Posted { channel: "C0WARROOM1".parse().unwrap(), ts: ts.map(str::to_owned), hash: hash.to_owned(), at: at(0) }
}

pub(super) async fn a_card_is_claimed_once(replicas: &Replicas) {
    let cards: Vec<Posted> = (0..20).map(|turn| posted(&turn.to_string(), None)).collect();
    let claims = cards.iter().enumerate().map(|(turn, card)| {
        let store = if turn % 2 == 0 { &replicas.one } else { &replicas.other };
        store.claim_card(ID, "announcement", card)
    });
    let claimed: Vec<bool> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(claimed.iter().filter(|claimed| **claimed).count(), 1);
    let winner = claimed.iter().position(|claimed| *claimed).unwrap();
    let expected = BTreeMap::from([("announcement".to_owned(), cards[winner].clone())]);
    assert_eq!(replicas.one.cards(ID).await.unwrap(), expected);
    assert!(replicas.one.claim_card(ID, "evidence", &cards[0]).await.unwrap());
    assert!(replicas.one.claim_card(IncidentId::new(10), "announcement", &cards[0]).await.unwrap());
}

pub(super) async fn cards_are_put_and_dropped(replicas: &Replicas) {
    assert_eq!(replicas.one.cards(ID).await.unwrap(), BTreeMap::new());
    replicas.one.put_card(ID, "step:disable", &posted("a", None)).await.unwrap();
    replicas.other.put_card(ID, "step:disable", &posted("b", Some("1.2"))).await.unwrap();
    replicas.one.put_card(ID, "note:1", &posted("c", Some("1.3"))).await.unwrap();
    assert_eq!(replicas.one.cards(ID).await.unwrap()["step:disable"], posted("b", Some("1.2")));
    replicas.one.drop_card(ID, "step:disable").await.unwrap();
    replicas.one.drop_card(ID, "step:disable").await.unwrap();
    let left = BTreeMap::from([("note:1".to_owned(), posted("c", Some("1.3")))]);
    assert_eq!(replicas.other.cards(ID).await.unwrap(), left);
    assert!(replicas.other.claim_card(ID, "step:disable", &posted("d", None)).await.unwrap());
}
