//! Whom a card names before somebody approves what takes their access.

use super::{Case, PersonId, card, text, user};

#[test]
fn a_card_names_the_responder_whose_user_is_contained_until_it_is_decided() {
    let named = |case: &Case, begins: &str| text(&card(case, begins)).contains("<@U2> works as");
    let mut case = Case::new();
    case.ask("U1", &["revoke-user"]).unwrap();
    assert!(!named(&case, "revoke-user"), "it is nobody's");
    case.policy.belongings.insert("arn:aws:iam::111122223333:user/ci".into(), PersonId(user("U2")));
    assert!(named(&case, "revoke-user"));
    case.approve("U3", 1).unwrap();
    case.run();
    assert!(!named(&case, "revoke-user"), "it is done");
}

#[test]
fn the_card_of_all_at_once_names_them_too() {
    let mut case = Case::new();
    case.policy.belongings.insert("arn:aws:iam::111122223333:user/ci".into(), PersonId(user("U2")));
    case.ask_all("U1").unwrap();
    let cards = super::burst::messages(&case.incident, &case.playbook, &[], &case.policy);
    let said: Vec<usize> = cards.iter().map(|(_, message)| text(message).matches("<@U2> works as").count()).collect();
    assert_eq!(said, [2], "for the key and the sessions of the user, not for the role's");
}
