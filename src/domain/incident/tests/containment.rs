//! When a credential counts as contained.

use chrono::TimeDelta;

use super::case::{Case, KEY, OTHER_KEY, identified, request, role, start, user};
use crate::domain::blast_radius::BlastRadius;
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::hunt::Hunted;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::steps::{Missing, contained, missing, steps};
use crate::domain::incident::together::open_steps;
use crate::domain::observation::KeyStatus;
use crate::domain::policy::PersonId;
use crate::domain::refusal::Refusal;

#[test]
fn what_was_revoked_while_something_could_still_mint_is_revoked_again() {
    let mut case = Case::new();
    let lacking = |case: &Case| -> Vec<(String, Missing)> {
        missing(&case.incident, &case.playbook).into_iter().map(|(step, why)| (step.id.to_string(), why)).collect()
    };
    case.ask("U1", &["revoke-assumed"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    case.minutes(1);
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 2).unwrap();
    case.run();
    case.minutes(1);
    // Somebody switches the key off by hand: it counts from when AWS was first seen to show it.
    let off = identified(&[(KEY, KeyStatus::Inactive), (OTHER_KEY, KeyStatus::Active)]);
    case.apply(vec![Event::Identified { found: off.clone() }]);
    assert_eq!(
        lacking(&case),
        [
            ("revoke-user-sessions".to_owned(), Missing::RevokedTooEarly),
            ("revoke-assumed-roles.app".to_owned(), Missing::RevokedTooEarly)
        ]
    );
    case.minutes(1);
    case.ask("U1", &["revoke-user", "revoke-assumed"]).unwrap();
    case.approve("U2", 3).unwrap();
    case.run();
    case.minutes(1);
    case.apply(vec![Event::Identified { found: off }]);
    assert_eq!(lacking(&case), [], "seen Inactive again is no later switching off");
    assert!(contained(&case.incident, &case.playbook));
}

#[test]
fn roles_of_other_accounts_are_for_people_there_and_gaps_are_no_containment() {
    let mut case = Case::new();
    case.reached(vec![role("app", "111122223333"), role("far", "999988887777")]);
    let by_hand = missing(&case.incident, &case.playbook).into_iter().find(|(_, why)| *why == Missing::ByHand).unwrap();
    assert!(by_hand.0.title.contains("far in account 999988887777"), "{:?}", by_hand.0);
    assert_eq!(open_steps(&case.incident, &case.playbook).len(), 3, "not asked of the bot");

    let mut case = Case::new();
    case.apply(vec![Event::BlastRadiusRead {
        found: BlastRadius { not_known: vec!["eu-west-1: AccessDenied".into()], ..BlastRadius::default() },
    }]);
    assert_eq!(case.incident.reach().unwrap().roles.len(), 1, "what was known is kept");
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(missing(&case.incident, &case.playbook).is_empty() && !contained(&case.incident, &case.playbook));
}

#[test]
fn keys_that_appear_are_offered_and_the_workloads_own_is_not() {
    let mut case = Case::new();
    let offered = |case: &Case| {
        steps(&case.incident, &case.playbook).iter().filter(|s| s.id.as_str().starts_with("deact")).count()
    };
    assert_eq!(offered(&case), 1, "the stolen one");
    let made: AccessKeyId = "AKIAMADELATEREXAMPLE".parse().unwrap();
    let mut found =
        identified(&[(KEY, KeyStatus::Active), (OTHER_KEY, KeyStatus::Active), (made.as_str(), KeyStatus::Active)]);
    case.apply(vec![Event::IdentificationAsked { by: user("U1") }]);
    let events = take_report(&case.incident, Report::Identified(found.clone()), case.cx());
    assert!(
        matches!(&events[0], Event::ContainmentChecked { new_keys, .. } if *new_keys == [made.clone()]),
        "{events:?}"
    );
    case.apply(events);
    assert_eq!(offered(&case), 2);

    let mut case = Case::new();
    found.keys[2].created_at = Some(start());
    case.apply(vec![
        Event::CompromiseTimeSet { compromised_at: start(), by: user("U1"), basis: "a commit".into() },
        Event::Identified { found: found.clone() },
    ]);
    assert_eq!(offered(&case), 2, "made since the compromise");
    found.keys[2].created_at = Some(start() - TimeDelta::seconds(1));
    case.apply(vec![Event::Identified { found }]);
    assert_eq!(offered(&case), 1);
}

#[test]
fn the_role_that_a_responder_works_through_is_left_to_people() {
    let mut case = Case::new();
    case.policy.belongings.insert("arn:aws:iam::111122223333:role/app".into(), PersonId(user("U2")));
    assert!(matches!(case.ask("U1", &["revoke-assumed"]), Err(Refusal::Protected(..))));
    case.policy.belongings.insert("arn:aws:iam::111122223333:role/app".into(), PersonId(user("U9")));
    case.ask("U1", &["revoke-assumed"]).unwrap();
}

#[test]
fn a_role_is_theirs_by_its_name_and_a_session_of_it_is_theirs_alone() {
    let mut policy = Case::new().policy;
    policy.belongings.insert("arn:aws:iam::111122223333:role/ops".into(), PersonId(user("U2")));
    policy.belongings.insert("arn:aws:sts::111122223333:assumed-role/sso/kim".into(), PersonId(user("U9")));
    let owner = |sign: &str| policy.owner(sign).map(|person| person.0.to_string());
    for sign in ["role/ops", "role/team/ops"] {
        assert_eq!(owner(&format!("arn:aws:iam::111122223333:{sign}")).as_deref(), Some("U2"), "{sign}");
    }
    assert_eq!(owner("arn:aws:sts::111122223333:assumed-role/ops/anybody").as_deref(), Some("U2"));
    assert_eq!(owner("arn:aws:sts::111122223333:assumed-role/sso/kim").as_deref(), Some("U9"));
    for other in ["sts::111122223333:assumed-role/sso/ana", "iam::111122223333:role/sso", "iam::999988887777:role/ops"]
    {
        assert_eq!(owner(&format!("arn:aws:{other}")), None, "{other}");
    }
}

#[test]
fn what_is_denied_from_the_organization_is_offered_where_it_is_reached_and_waited_for_by_nothing() {
    let mut case = Case::new();
    let denies = |case: &Case| -> Vec<String> {
        let all = steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string());
        all.filter(|id| id.starts_with("deny-by-scp")).collect()
    };
    assert!(denies(&case).is_empty());
    case.playbook.reaches_organization = true;
    case.playbook.identity_center_region = Some("eu-west-1".into());
    assert_eq!(denies(&case), ["deny-by-scp", "deny-by-scp.role.app"]);
    let open: Vec<String> =
        open_steps(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).collect();
    assert!(open.len() == 3 && !open.iter().any(|id| id.starts_with("deny")), "{open:?}");
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
}

#[test]
fn the_organizations_deny_of_a_role_stands_in_for_the_one_in_its_permission_set() {
    let mut case = Case::new();
    case.reached(vec![]);
    case.incident.blast_radius = None;
    case.playbook.reaches_organization = true;
    case.playbook.identity_center_region = Some("eu-west-1".into());
    let mut found = identified(&[]);
    found.kind = PrincipalKind::IdentityCenterRole;
    found.name = Some("AWSReservedSSO_Admin_0123456789abcdef".into());
    found.session_name = Some("ana".into());
    case.apply(vec![Event::Identified { found }]);
    let waited_for = |case: &Case| -> Vec<String> {
        missing(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).collect()
    };
    assert!(waited_for(&case).contains(&"deny-in-permission-set".to_owned()), "{:?}", waited_for(&case));
    case.ask("U1", &["deny-by-scp"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert_eq!(waited_for(&case), ["identity-center-role", "delete-account-assignment"]);
    case.role_policy = None;
    let lost = case.look();
    case.apply(lost);
    assert!(waited_for(&case).contains(&"deny-in-permission-set".to_owned()), "{:?}", waited_for(&case));
}

#[test]
fn whom_it_is_about_neither_leads_it_nor_ends_it_nor_says_when_it_began() {
    let at = |case: &Case| {
        let (at, clicked_at) = (case.now, case.now);
        PersonCommand::SetCompromiseTime { at, basis: "just now".into(), clicked_at }
    };
    let close = || PersonCommand::Close { outcome: Outcome::FalsePositive, note: "my own key".into() };
    let mut case = Case::new();
    case.act("U2", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.ask("U1", &["revoke-user"]).unwrap();
    case.act("U1", PersonCommand::NameSubject { user: user("U2") }).unwrap();
    let cancel = PersonCommand::Cancel { request: request(1) };
    for command in [PersonCommand::TakeLead { clicked_at: case.now }, cancel, close(), at(&case)] {
        let (name, answer) = (command.name(), case.act("U2", command));
        assert!(matches!(answer, Err(Refusal::Recused(_))), "{name}: {answer:?}");
    }
    for command in [PersonCommand::TakeLead { clicked_at: case.now }, at(&case), close()] {
        case.act("U1", command).unwrap();
    }
}

#[test]
fn an_incident_is_not_resolved_before_it_is_contained_unless_somebody_says_why() {
    let close = |outcome, note: &str| PersonCommand::Close { outcome, note: note.into() };
    let mut case = Case::new();
    assert!(
        matches!(case.act("U1", close(Outcome::Resolved, "")), Err(Refusal::NotContained(left)) if left.len() == 3)
    );
    case.act("U1", close(Outcome::FalsePositive, "")).unwrap();
    let mut case = Case::new();
    case.act("U1", close(Outcome::Resolved, "by hand, with the owner")).unwrap();
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let shut = case.act("U1", close(Outcome::Resolved, ""));
    assert!(matches!(shut, Err(Refusal::NotEradicated(lacking)) if lacking[1].contains("not been searched")));
    case.act("U1", close(Outcome::Resolved, "nothing of theirs is left")).unwrap();
}

#[test]
fn a_session_that_another_role_has_taken_since_the_cut_off_wants_the_revocation_again() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
    let taken = |case: &mut Case, role: &str, at| {
        let taken_at = [(role.to_owned(), at)].into();
        case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { taken_at, ..Hunted::default() }) }]);
        missing(&case.incident, &case.playbook)
            .into_iter()
            .map(|(step, why)| (step.id.to_string(), why))
            .collect::<Vec<_>>()
    };
    let (before, after) = (start() - TimeDelta::minutes(5), case.now + TimeDelta::minutes(2));
    assert_eq!(taken(&mut case, "111122223333/app", before), []);
    assert_eq!(taken(&mut case, "999988887777/app", after), [], "another account's");
    let again = [("revoke-assumed-roles.app".to_owned(), Missing::RevokedTooEarly)];
    assert_eq!(taken(&mut case, "111122223333/app", after), again);
    case.minutes(3);
    case.ask("U1", &["revoke-assumed"]).unwrap();
    let newest = u32::try_from(case.incident.requests.len()).unwrap();
    case.approve("U2", newest).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
}
