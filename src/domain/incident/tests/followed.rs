//! Credentials that are no user's and no ordinary role's are searched for too, and what they reached is contained.

use chrono::TimeDelta;

use super::case::{Case, identified};
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::{Hunted, Reached};
use crate::domain::identification::Identification;
use crate::domain::incident::event::Event;
use crate::domain::incident::hunting::{assumed, due_at};
use crate::domain::incident::state::Search;
use crate::domain::incident::steps::{Missing, Offer, contained, missing, steps};

const SESSION: &str = "ASIAI44QH8DHBEXAMPLE";
const ADMIN: &str = "AWSReservedSSO_Admin_0123456789abcdef";

fn held(key: &str, principal: &str, how: Option<&str>) -> Reached {
    Reached {
        access_key_id: Some(key.into()),
        principal: Some(principal.into()),
        how: how.map(str::to_owned),
        event_id: how.map(|_| "e".into()),
        last_worked_at: None,
    }
}

/// What any of them can have reached: a key of another user, and a session of a role.
fn reached() -> Vec<Reached> {
    vec![
        held("AKIAI44QH8DHBBACKDOR", "arn:aws:iam::111122223333:user/backdoor", Some("CreateAccessKey")),
        held("ASIAI44QH8DHBROLE123", "arn:aws:sts::111122223333:assumed-role/db/s", Some("AssumeRole")),
    ]
}

const OTHERS: [&str; 3] =
    ["deactivate-access-key.AKIAI44QH8DHBBACKDOR", "revoke-user-sessions.backdoor", "revoke-assumed-roles.db"];

fn ids(case: &Case) -> Vec<String> {
    steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string()).collect()
}

fn case(kind: PrincipalKind, name: Option<&str>, session: Option<&str>) -> Case {
    let mut case = Case::new();
    case.reached(vec![]);
    case.incident.blast_radius = None;
    case.incident.identified = None;
    case.incident.search = Search::Wanted { failed: 0, not_before: case.now, last_error: None };
    let (name, session_name) = (name.map(str::to_owned), session.map(str::to_owned));
    let found =
        Identification { kind, name, session_name, arn: None, unique_id: None, keys_read: false, ..identified(&[]) };
    case.apply(vec![Event::Identified { found }]);
    case
}

#[test]
fn what_root_has_reached_is_contained_and_root_itself_is_for_people() {
    let mut case = case(PrincipalKind::Root, None, None);
    assert_eq!(due_at(&case.incident), Some(case.now), "it is searched for at once");
    assert_eq!(ids(&case), ["root"]);
    case.found(Hunted { credentials: reached(), ..Hunted::default() });
    assert_eq!(ids(&case), [&["root"], &OTHERS[..]].concat());
    let left = missing(&case.incident, &case.playbook);
    assert_eq!((left[0].1, left.len()), (Missing::ByHand, 4));
    let Offer::Refused { instead, .. } = &left[0].0.offer else { panic!("nothing of root is for the bot") };
    assert!(instead.contains("Sign in as root") && instead.contains("AWS Support"), "{instead}");
    case.incident.subject.access_key = None;
    assert_eq!(assumed(&case.incident).unwrap().arn(), "arn:aws:iam::111122223333:root", "in the console too");
    assert!(due_at(&case.incident).is_some());
}

#[test]
fn a_user_of_identity_center_is_searched_for_and_their_role_is_named_once() {
    let mut case = case(PrincipalKind::IdentityCenterRole, Some(ADMIN), Some("alice"));
    let own = format!("arn:aws:sts::111122223333:assumed-role/{ADMIN}/alice");
    let credentials = [vec![held(SESSION, &own, None)], reached()].concat();
    case.found(Hunted { credentials, ..Hunted::default() });
    assert_eq!(ids(&case), [&["identity-center-role"], &OTHERS[..]].concat());
    case.incident.subject.access_key = None;
    assert_eq!(assumed(&case.incident).unwrap().arn(), own);
}

#[test]
fn a_session_that_nobody_knows_is_searched_for_by_its_key_and_then_looked_up_again() {
    let mut case = Case::new();
    case.incident.identified = None;
    case.incident.blast_radius = None;
    case.incident.search = Search::GivenUp { error: "no call yet".into() };
    assert_eq!(due_at(&case.incident), None, "of a user's own key it shows at once whose it is");
    case.incident.subject.access_key = SESSION.parse().ok();
    case.incident.subject.account = "111122223333".parse().ok();
    assert_eq!(due_at(&case.incident), Some(case.incident.opened_at + TimeDelta::minutes(1)));
    case.found(Hunted {
        credentials: [vec![Reached { principal: None, ..held(SESSION, "", None) }], reached()].concat(),
        ..Hunted::default()
    });
    assert!(matches!(case.incident.search, Search::GivenUp { .. }), "it does not show whose it is");
    assert_eq!(ids(&case), OTHERS, "what it has reached is contained all the same");
    assert!(!contained(&case.incident, &case.playbook));
    let own = "arn:aws:sts::111122223333:assumed-role/app/s";
    let found = Hunted { credentials: [vec![held(SESSION, own, None)], reached()].concat(), ..Hunted::default() };
    case.found(found.clone());
    assert!(matches!(case.incident.search, Search::Wanted { failed: 0, .. }), "its own call says whose it is");
    case.incident.search = Search::GivenUp { error: "IAM says no".into() };
    case.found(found);
    assert!(matches!(case.incident.search, Search::GivenUp { .. }), "once is enough");
}

#[test]
fn what_is_unknown_is_never_contained_whatever_else_is() {
    let mut case = case(PrincipalKind::Unknown, None, None);
    assert_eq!(ids(&case), [""; 0]);
    assert!(!contained(&case.incident, &case.playbook));
    case.found(Hunted {
        credentials: reached(),
        off: ["AKIAI44QH8DHBBACKDOR".into()].into(),
        users_off: ["backdoor".into()].into(),
        ..Hunted::default()
    });
    assert_eq!(ids(&case), ["revoke-assumed-roles.db"]);
    case.ask("U1", &["revoke-assumed-roles.db"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(missing(&case.incident, &case.playbook).is_empty() && !contained(&case.incident, &case.playbook));
}

#[test]
fn a_key_is_searched_for_by_itself_once_it_is_known_in_which_account() {
    let mut case = case(PrincipalKind::Unknown, None, None);
    case.incident.identified.as_mut().unwrap().found.account = None;
    // These characters encode no account.
    case.incident.subject.access_key = SESSION.parse().ok();
    case.incident.subject.account = None;
    assert_eq!((case.incident.account(), assumed(&case.incident)), (None, None));
    assert_eq!(due_at(&case.incident), None, "there is no trail in which to look for it");
    case.incident.subject.account = "111122223333".parse().ok();
    assert_eq!(due_at(&case.incident), Some(case.now));
}
