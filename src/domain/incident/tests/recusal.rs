//! Who is recused by what the tags of the stolen credential's owner say.

use super::case::{Case, identified, policy, user};
use crate::domain::identification::Identification;
use crate::domain::incident::event::Event;
use crate::domain::policy::{PersonId, Policy};
use crate::domain::recusal::{Why, recused, whose};

fn rules() -> Policy {
    let belongings = [
        ("kim@example.com", "U4"),
        ("ana@example.com", "U2"),
        ("kim lee", "U4"),
        ("arn:aws:iam::111122223333:user/staff/ana", "U2"),
    ];
    let belongings = belongings.map(|(sign, id)| (sign.to_owned(), PersonId(user(id)))).into();
    let aliases = [("U0123ABCD", "U2"), ("U0123EFGH", "U4")].map(|(other, first)| (user(other), user(first))).into();
    Policy { aliases, belongings, ..policy() }
}

fn people(sign: &str) -> Vec<String> {
    whose(sign, &rules()).into_iter().map(|person| person.0.to_string()).collect()
}

#[test]
fn each_of_several_people_in_one_tag_is_an_owner() {
    for sign in [
        "kim@example.com, ana@example.com",
        "kim@example.com;ana@example.com",
        "Kim@Example.com ana@example.com",
        "kim@example.com/ana@example.com",
        "kim@example.com | ana@example.com",
        "Kim Lee, ana@example.com",
        "Kim Lee / ana@example.com",
        "kim@example.com arn:aws:iam::111122223333:user/staff/ana",
        "team web: ana@example.com kim@example.com",
        "team web: kim@example.com/ana@example.com on call",
        "U0123ABCD U0123EFGH",
    ] {
        assert_eq!(people(sign), ["U2", "U4"], "{sign}");
    }
    assert_eq!(people(" Kim Lee "), ["U4"]);
    assert_eq!(people(" U7 "), ["U7"], "whom the rules do not name they may name tomorrow");

    let mut case = Case::new();
    case.policy = rules();
    let owners = vec!["kim@example.com, ana@example.com".to_owned()];
    case.apply(vec![Event::Identified { found: Identification { owners, ..identified(&[]) } }]);
    let owners = ["U2", "U4"].map(|id| (PersonId(user(id)), Why::Owner));
    assert_eq!(recused(&case.incident, &case.policy), owners.into());
}

#[test]
fn what_only_looks_like_somebody_is_nobody() {
    for sign in ["", " , ", "kim", "kim@example.com.evil", "xkim@example.com", "lee", "platform team", "THE WEB TEAM"] {
        assert_eq!(people(sign), [""; 0], "{sign}");
    }
}
