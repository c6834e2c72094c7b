//! Doors that were always open, and by which somebody from outside the account has come in.

use std::collections::BTreeSet;

use super::super::watch;
use super::case::{Case, user};
use super::eradication::{changed, made};
use crate::domain::hunt::{Call, Hunted, Trace};
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::event::Event;
use crate::domain::incident::steps::{Missing, Offer, action_for, contained, missing, steps};
use crate::domain::incident::together::open_steps;
use crate::domain::incident::verdict::{Judged, Verdict};
use crate::domain::observation::same_document;
use crate::domain::policy::PersonId;
use crate::domain::refusal::Refusal;
use crate::domain::trail::deed::BY_BOT;
use crate::domain::trail::entrance::{Entrance, Outsider};

const VENDOR: &str = "999988887777";
const CLOSE: &str = "close-trust.999988887777.app";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/token.example.com";

fn account(id: &str) -> Outsider {
    Outsider::Account { account: id.parse().unwrap() }
}

fn entered(role: &str, outsider: Outsider, event_id: &str) -> Entrance {
    Entrance { role_arn: format!("arn:aws:iam::111122223333:role/{role}"), outsider, event_id: event_id.into() }
}

fn found(case: &mut Case, entrances: Vec<Entrance>, footprint: Vec<Trace>) {
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { footprint, entrances, ..Hunted::default() }) }]);
}

fn vendor(case: &mut Case) {
    found(case, vec![entered("app", account(VENDOR), "e-mint")], Vec::new());
}

fn lacking(case: &Case) -> Vec<(String, Missing)> {
    missing(&case.incident, &case.playbook).into_iter().map(|(step, why)| (step.id.to_string(), why)).collect()
}

fn doors(case: &Case) -> Vec<String> {
    let all = steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string());
    all.filter(|id| id.starts_with("close-trust.")).collect()
}

fn contains_all(case: &mut Case) {
    case.ask("U1", &["deactivate", "revoke-user", "close-trust", "revoke-assumed"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
}

#[test]
fn the_door_is_missing_containment_and_the_roles_sessions_are_revoked_after_it() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
    case.minutes(1);
    vendor(&mut case);
    assert_eq!(lacking(&case), [(CLOSE.to_owned(), Missing::NotInForce)]);
    let step = case.step(CLOSE);
    for said in ["e-mint", "account 999988887777", "role app", "ask them"] {
        assert!(step.why.contains(said), "{said}: {}", step.why);
    }
    let Offer::Action(action) = &step.offer else { panic!("{step:?}") };
    for said in ["Nobody in account 999988887777", "tell whoever runs", "revoke them after this"] {
        assert!(action.effect().contains(said), "{said}: {}", action.effect());
    }
    case.ask("U1", &["close-trust"]).unwrap();
    let request = case.incident.next_request().to_string();
    assert!(request.ends_with('5'), "the door is the fourth: {request}");
    case.approve("U2", 4).unwrap();
    case.run();
    assert!(case.trust.contains("IrpDeny999988887777") && case.trust.contains("Allow"), "{}", case.trust);
    assert_eq!(lacking(&case), [("revoke-assumed-roles.app".to_owned(), Missing::RevokedTooEarly)]);
    case.minutes(1);
    case.ask("U1", &["revoke-assumed"]).unwrap();
    case.approve("U2", 5).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
}

#[test]
fn asked_for_with_all_else_one_press_contains() {
    let mut case = Case::new();
    vendor(&mut case);
    contains_all(&mut case);
    assert!(contained(&case.incident, &case.playbook), "{:?}", lacking(&case));
    // What was carried out stays, whatever a later search shows.
    found(&mut case, Vec::new(), Vec::new());
    assert_eq!(doors(&case), [CLOSE]);
    assert!(matches!(case.ask("U1", &["close-trust"]), Err(Refusal::AlreadyDone(_) | Refusal::NotApplicable(_))));
}

#[test]
fn the_watch_notices_when_the_statement_is_gone() {
    let mut case = Case::new();
    vendor(&mut case);
    let before = case.trust.clone();
    contains_all(&mut case);
    let watched = watch::watched(&case.incident).filter(|request| request.plan.step.as_str() == CLOSE);
    assert_eq!(watched.count(), 1);
    case.trust = before;
    let events = case.look();
    case.apply(events);
    assert_eq!(lacking(&case), [(CLOSE.to_owned(), Missing::NotInForce)], "it is to be put there again");

    case.ask("U1", &["close-trust"]).unwrap();
}

#[test]
fn the_undo_takes_out_just_that_statement_and_the_door_is_open_again() {
    let mut case = Case::new();
    vendor(&mut case);
    let before = case.trust.clone();
    contains_all(&mut case);
    let undo = format!("undo.{CLOSE}");
    let action = action_for(&case.incident, &case.playbook, &undo.parse().unwrap()).unwrap();
    let parts = vec![(undo.parse().unwrap(), case.observed(&action))];
    case.act("U1", PersonCommand::Request { parts, nonce: "undo".into() }).unwrap();
    let number = u32::try_from(case.incident.requests.len()).unwrap();
    case.approve("U2", number).unwrap();
    case.run();
    assert!(same_document(&case.trust, &before));
    assert_eq!(lacking(&case), [(CLOSE.to_owned(), Missing::NotInForce)]);
    // Once nobody takes it for the attacker's door any more, nothing is left to do.
    found(&mut case, Vec::new(), Vec::new());
    assert!(doors(&case).is_empty() && contained(&case.incident, &case.playbook));
}

#[test]
fn two_people_can_settle_it_by_hand_until_the_attacker_gets_through_or_comes_in_again() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    vendor(&mut case);
    case.says("U1", CLOSE).unwrap();
    assert!(!contained(&case.incident, &case.playbook), "one alone is not enough");
    case.confirms("U2", CLOSE).unwrap();
    assert!(contained(&case.incident, &case.playbook));
    assert!(open_steps(&case.incident, &case.playbook).is_empty());
    found(&mut case, vec![entered("app", account(VENDOR), "e-again")], Vec::new());
    assert_eq!(lacking(&case), [(CLOSE.to_owned(), Missing::NotInForce)]);
    vendor(&mut case);
    assert!(contained(&case.incident, &case.playbook));
    case.minutes(5);
    let call = Call {
        at: case.now,
        event_id: "e".into(),
        what: "iam:ListUsers".into(),
        access_key_id: None,
        principal: "arn:aws:sts::111122223333:assumed-role/app/s".into(),
        region: "us-east-1".into(),
        worked: true,
        error: None,
    };
    let since = case.incident.watch.unwrap().since;
    case.apply(vec![Event::VerdictReached { judged: Box::new(Judged { verdict: Verdict::Failed { call }, since }) }]);
    assert!(lacking(&case).iter().any(|(step, _)| step == CLOSE), "{:?}", lacking(&case));
}

#[test]
fn each_role_and_outsider_has_a_door_of_its_own_and_one_policy_is_changed_at_a_time() {
    let mut case = Case::new();
    let job =
        |subject: Option<&str>| Outsider::WebIdentity { provider: PROVIDER.into(), subject: subject.map(Into::into) };
    let all = vec![
        entered("app", account(VENDOR), "e1"),
        entered("app", job(Some("repo:shop")), "e2"),
        entered("web", job(Some("repo:shop")), "e3"),
        entered("web", job(None), "e4"),
    ];
    found(&mut case, all, Vec::new());
    let ids = doors(&case);
    assert_eq!(ids.len(), 4);
    assert_eq!(ids.iter().filter(|id| id.rsplit('.').next() == Some("web")).count(), 2);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
    assert!(steps(&case.incident, &case.playbook).iter().any(|step| step.id.as_str() == "revoke-assumed-roles.web"));
    let open = open_steps(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string());
    assert_eq!(open.filter(|id| id.starts_with("close")).collect::<Vec<_>>(), [ids[0].clone(), ids[2].clone()]);
}

#[test]
fn what_goes_by_itself_or_is_for_others_has_no_door() {
    let mut case = Case::new();
    let elsewhere =
        Entrance { role_arn: "arn:aws:iam::444455556666:role/far".into(), ..entered("x", account(VENDOR), "e") };
    let by_provider = Outsider::WebIdentity { provider: PROVIDER.into(), subject: None };
    let saml = Outsider::Saml { provider: "arn:aws:iam::111122223333:saml-provider/AWSSSO_1".into(), subject: None };
    let all = vec![
        elsewhere,
        entered("backdoor", account(VENDOR), "e1"),
        entered("web", by_provider.clone(), "e2"),
        entered("AWSReservedSSO_Admin_0123456789abcdef", saml, "e3"),
    ];
    let provider = Trace { resource_type: "AWS::IAM::OIDCProvider".into(), ..made("OIDCProvider", PROVIDER) };
    found(&mut case, all.clone(), vec![made("Role", "backdoor"), provider]);
    assert!(doors(&case).is_empty(), "{:?}", doors(&case));
    found(&mut case, all, Vec::new());
    assert_eq!(doors(&case).len(), 2, "the role and the provider were there before");
}

#[test]
fn a_policy_that_the_attacker_has_changed_too_is_put_back_first_and_that_can_be_all() {
    let mut case = Case::new();
    let opened = || changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)]);
    let enter = || vec![entered("web", account(VENDOR), "e-mint")];
    found(&mut case, enter(), vec![opened()]);
    let step = "close-trust.999988887777.web";
    assert!(case.step(step).why.contains("The attacker has changed this trust policy too"));
    let open = open_steps(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string());
    let open: Vec<String> = open.filter(|id| id.contains("trust")).collect();
    assert_eq!(open, ["restore-trust.web"], "the other would go stale with it");
    case.ask("U1", &["restore-trust"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(doors(&case).is_empty(), "what was put back does not name the vendor");
    found(
        &mut case,
        vec![entered("web", account("444455556666"), "e2"), entered("web", account("111122223333"), "e3")],
        vec![opened()],
    );
    assert_eq!(doors(&case), ["close-trust.111122223333.web"], "and what it still names is a door");
}

#[test]
fn a_deny_beside_what_the_attacker_has_put_does_not_pass_for_putting_it_back() {
    let mut case = Case::new();
    let opened = ("UpdateAssumeRolePolicy", "", true);
    let lacks_putting_back = |case: &Case| lacking(case).iter().any(|(step, _)| step == "restore-trust.web");
    let after = |what: &'static str| vec![changed("Role", "web", &[opened, ("UpdateAssumeRolePolicy", what, false)])];
    let enter = || vec![entered("web", account(VENDOR), "e-mint")];
    found(&mut case, enter(), vec![changed("Role", "web", &[opened])]);
    case.ask("U1", &["close-trust"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    found(&mut case, enter(), after(BY_BOT));
    assert!(lacks_putting_back(&case));
    found(&mut case, enter(), after(""));
    assert!(!lacks_putting_back(&case), "somebody else has seen to it");
}

#[test]
fn nobody_who_is_protected_or_responds_is_locked_out_with_all_of_their_account() {
    let refused = |case: &mut Case| match case.ask("U1", &["close-trust"]) {
        Err(Refusal::Protected(who, why)) => format!("{who} {why}"),
        other => panic!("{other:?}"),
    };
    let mut case = Case::new();
    vendor(&mut case);
    let role = "arn:aws:iam::999988887777:role/ops";
    case.policy.protected_arns.insert(role.into());
    let no = refused(&mut case);
    assert!(no.contains(role) && no.contains("by hand"), "{no}");
    case.policy.protected_arns.clear();
    case.policy.belongings.insert(role.into(), PersonId(user("U2")));
    assert!(refused(&mut case).contains(role));
    case.policy.belongings.clear();
    case.ask("U1", &["close-trust"]).unwrap();
}
