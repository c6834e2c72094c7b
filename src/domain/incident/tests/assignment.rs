//! Whose access through IAM Identity Center is taken.

use super::case::{Case, identified, request, role, user};
use super::hunt::{made, reached};
use crate::domain::action::{Action, DeleteAssignment, DenyInPermissionSet};
use crate::domain::blast_radius::AssumedRole;
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::Hunted;
use crate::domain::identification::Identification;
use crate::domain::incident::assignment::offers;
use crate::domain::incident::event::Event;
use crate::domain::playbook::DELETE_ASSIGNMENT;

const ROLE: &str = "AWSReservedSSO_Admin_0123456789abcdef";

/// A session of Ana's is stolen, and the search has shown these sessions.
fn stolen(sessions: &[&str]) -> Case {
    let mut case = Case::new();
    let found = Identification {
        kind: PrincipalKind::IdentityCenterRole,
        name: Some(ROLE.into()),
        session_name: Some("ana".into()),
        ..identified(&[])
    };
    case.apply(vec![Event::Identified { found }]);
    let credentials = sessions.iter().enumerate().map(|(n, arn)| reached(&format!("ASIAI44QH8DHBEXAMP{n:02}"), arn));
    case.found(Hunted { credentials: credentials.collect(), ..Hunted::default() });
    case
}

/// Whose, of which permission set.
fn offered(case: &Case) -> Vec<(String, String)> {
    let found = case.incident.identification().unwrap();
    let offers = offers(&case.incident, found, DELETE_ASSIGNMENT, Some("eu-west-1"));
    let place = |suffix: &Option<String>| suffix.clone().unwrap_or_else(|| "own".into());
    offers.iter().map(|(suffix, title, _)| (place(suffix), title.clone())).collect()
}

fn places(case: &Case) -> Vec<String> {
    offered(case).into_iter().map(|(place, _)| place).collect()
}

#[test]
fn the_stolen_session_and_those_that_were_reached_in_this_account_are_offered_once_each() {
    let session = |account: &str, name: &str| format!("arn:aws:sts::{account}:assumed-role/{ROLE}/{name}");
    let [own, ben, far] = [("111122223333", "ana"), ("111122223333", "ben"), ("999988887777", "far")]
        .map(|(account, name)| session(account, name));
    let case = stolen(&[&own, &ben, &far]);
    assert_eq!(places(&case), ["own", "Admin.ben"]);
    assert!(offered(&case)[0].1.contains("ana"), "{:?}", offered(&case));
}

#[test]
fn a_role_of_the_attackers_that_is_called_like_one_of_identity_center_costs_nobody_their_access() {
    let ben = format!("arn:aws:sts::111122223333:assumed-role/{ROLE}/ben");
    let mut case = stolen(&[&ben]);
    assert_eq!(places(&case), ["own", "Admin.ben"]);
    let (found, _) = case.incident.hunted.clone().unwrap();
    let footprint = vec![made("AWS::IAM::Role", ROLE)];
    case.found(Hunted { footprint, ..found });
    assert!(places(&case).is_empty(), "the session's name is of their choosing: {:?}", offered(&case));

    // Another way to know it: the path, which AWS reserves.
    let path = |of: &str| format!("arn:aws:iam::111122223333:role/{of}{ROLE}");
    for (arn, is_offered) in [
        (path("aws-reserved/sso.amazonaws.com/"), true),
        (path("aws-reserved/sso.amazonaws.com/eu-west-1/"), true),
        (path(""), false),
        (path("a/aws-reserved/sso.amazonaws.com/"), false),
    ] {
        let mut case = stolen(&[&ben]);
        let reached = AssumedRole { arn: arn.clone(), ..role(ROLE, "111122223333") };
        case.reached(vec![reached]);
        assert_eq!(!places(&case).is_empty(), is_offered, "{arn}");
        let mut case = stolen(&[&ben]);
        let mut found = case.incident.identification().unwrap().clone();
        found.arn = Some(arn.clone());
        case.apply(vec![Event::Identified { found }]);
        assert_eq!(!places(&case).is_empty(), is_offered, "{arn}");
    }
}

#[test]
fn what_was_asked_for_stays_whatever_a_later_search_shows() {
    let mut of_a_key = Case::new();
    of_a_key.ask("U1", &["deactivate"]).unwrap();
    let asked = of_a_key.incident.requests[&request(1)].plan.clone();
    let mut case = stolen(&[]);
    let (region, account) = ("eu-west-1".to_owned(), asked.account.clone());
    let delete = |user_name: &str| DeleteAssignment {
        region: region.clone(),
        account: account.clone(),
        permission_set: "Admin".into(),
        user_name: user_name.into(),
    };
    let DeleteAssignment { region, account, permission_set, user_name } = delete("dana");
    let incident = case.incident.id;
    let deny = DenyInPermissionSet { incident, region, account, permission_set, user_name };
    let actions = [
        Action::DeleteAssignment(delete("cleo")),
        Action::DenyInPermissionSet(deny),
        // It is the stolen session's, which has its offer.
        Action::DeleteAssignment(delete("ana")),
    ];
    for (n, action) in (1..).zip(actions) {
        let mut plan = asked.clone();
        plan.action = action;
        let (request, digest, by) = (request(n), plan.digest(), user("U1"));
        case.apply(vec![Event::ApprovalRequested {
            request,
            digest,
            plan: Box::new(plan),
            by,
            asked: vec![],
            burst: None,
        }]);
    }
    assert_eq!(places(&case), ["own", "Admin.cleo", "Admin.dana"]);
}
