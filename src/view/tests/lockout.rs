//! Whom a card names before somebody approves what takes their access.

use super::super::lockout;
use super::{Case, PersonId, card, text, user};
use crate::domain::action::{Action, DeleteGroup};
use crate::domain::observation::{Earlier, Identity, Observation, PutPolicy};

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

#[test]
fn beside_each_of_several_plans_who_may_lose_access_is_one_short_line() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let request = case.incident.requests.values_mut().nth(1).unwrap();
    let long = "p/".repeat(200);
    let names = ["a", "b", "c"].map(|name| format!("arn:aws:iam::111122223333:user/{long}{name}"));
    request.plan.action = Action::DeleteGroup(DeleteGroup { group_name: "ops".into() });
    request.plan.before = Observation::PutPolicy(PutPolicy {
        identity: Identity { id: "AGPA1".into(), arn: "arn:aws:iam::111122223333:group/ops".into(), path: "/".into() },
        document: None,
        put: None,
        before: Earlier::NotKnown,
        members: names.to_vec(),
    });
    case.policy.belongings.extend(names.map(|name| (name, PersonId(user("U2")))));
    let request = case.incident.requests.values().nth(1).unwrap();
    let said = |block: Option<serde_json::Value>| block.unwrap()["text"]["text"].as_str().unwrap().to_owned();
    let brief = said(lockout::briefly(request, &case.policy));
    assert!(brief.contains("<@U2> works as `a`; <@U2> works as `b`; and 1 more") && brief.len() < 200, "{brief}");
    // Alone, whole lines are left out.
    let whole = said(lockout::warning(request, &case.policy));
    assert!(whole.ends_with("sign in another way first.\nand 2 more"), "{whole}");
}
