//! The gate at the end of containment, what is asked for before it, and what is watched behind it.

use super::case::{Case, KEY, OTHER_KEY, request, start, user};
use super::eradication::contain;
use super::hunt::through;
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::Event;
use crate::domain::incident::risk::containment_shown;
use crate::domain::incident::steps::contained;
use crate::domain::incident::together::{open_burst, open_steps};
use crate::domain::incident::verdict::{Gate, Judged, Verdict, gate};
use crate::domain::incident::watch::keys_probe;
use crate::domain::observation::{KeyStatus, Observation};
use crate::domain::policy::PersonId;

fn accepts(case: &mut Case, id: &str) {
    let shown = containment_shown(&case.incident).unwrap();
    case.act(id, PersonCommand::AcceptRisk { shown, reason: "the shop opens".into() }).unwrap();
}

#[test]
fn a_containment_is_named_by_the_moment_when_the_last_of_it_was_put_in_place() {
    let mut case = Case::new();
    assert_eq!(containment_shown(&case.incident), None);
    contain(&mut case);
    assert_eq!(containment_shown(&case.incident), Some(start().timestamp_millis()));
}

#[test]
fn whoever_may_not_accept_it_any_more_is_not_counted() {
    type Changes = fn(&mut Case);
    let ends: [(&str, Changes); 2] = [
        ("they are named", |case| case.apply(vec![Event::SubjectNamed { user: user("U1"), by: user("U2") }])),
        ("they respond no more", |case| case.policy.responders.users.clear()),
    ];
    for (why, end) in ends {
        let mut case = Case::new();
        contain(&mut case);
        accepts(&mut case, "U1");
        end(&mut case);
        accepts(&mut case, "U2");
        assert_eq!(gate(&case.incident, &case.playbook), Gate::Shut, "{why}");
        accepts(&mut case, "U3");
        assert_eq!(gate(&case.incident, &case.playbook), Gate::Accepted, "{why}");
    }
}

#[test]
fn nothing_that_is_accepted_opens_the_gate_over_a_call_that_has_got_through() {
    for fails in [false, true] {
        let mut case = Case::new();
        contain(&mut case);
        let since = case.incident.watch.unwrap().since;
        case.minutes(5);
        // By somebody whom no step is about.
        let call = through(case.now, "arn:aws:iam::111122223333:user/ana");
        let verdict = if fails { Verdict::Failed { call } } else { Verdict::Provisional };
        let (by, person) = (user("U1"), PersonId(user("U1")));
        case.apply(vec![
            Event::VerdictReached { judged: Box::new(Judged { verdict, since }) },
            Event::RiskAgreed { by, person, reason: "the shop opens".into() },
            Event::RiskAccepted,
        ]);
        assert!(contained(&case.incident, &case.playbook));
        let expected = if fails { Gate::Shut } else { Gate::Accepted };
        assert_eq!(gate(&case.incident, &case.playbook), expected);
    }
}

#[test]
fn what_is_under_way_is_not_asked_for_with_the_rest() {
    let open = |case: &Case| -> Vec<String> {
        open_steps(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).collect()
    };
    let key = format!("deactivate-access-key.{KEY}");
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(open(&case), [key.as_str(), "revoke-user-sessions", "revoke-assumed-roles.app"], "nobody has decided");
    case.approve("U2", 1).unwrap();
    assert_eq!(open(&case), ["revoke-user-sessions", "revoke-assumed-roles.app"]);
}

#[test]
fn those_are_asked_who_approve_and_whom_it_is_not_about() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(case.incident.requests[&request(1)].asked, ["U2", "U3"].map(|id| PersonId(user(id))));
}

#[test]
fn people_look_at_what_was_asked_for_together_while_it_is_open() {
    let shown = |case: &Case| open_burst(&case.incident).map(|all| all.iter().map(|of| of.id).collect::<Vec<_>>());
    let mut case = Case::new();
    assert_eq!(shown(&case), None);
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(shown(&case), None, "it stands alone");
    case.ask("U1", &["revoke-user", "revoke-assumed"]).unwrap();
    assert_eq!(shown(&case), Some(vec![request(2), request(3)]));
    case.act("U1", PersonCommand::Withdraw { request: request(2) }).unwrap();
    assert_eq!(shown(&case), None, "there is nothing more to decide");
}

#[test]
fn aws_is_asked_for_the_keys_of_a_user_who_has_been_read_and_of_nobody_else() {
    for (kind, keys_read, is_asked) in [
        (PrincipalKind::IamUser, true, true),
        (PrincipalKind::FederatedUser, true, true),
        (PrincipalKind::IamUser, false, false),
        (PrincipalKind::AssumedRole, true, false),
    ] {
        let mut case = Case::new();
        let found = &mut case.incident.identified.as_mut().unwrap().found;
        (found.kind, found.keys_read) = (kind, keys_read);
        assert_eq!(keys_probe(&case.incident).is_some(), is_asked, "{kind:?}, {keys_read}");
    }
}

#[test]
fn a_key_of_the_users_that_was_not_there_before_is_heard_of() {
    let mut case = Case::new();
    contain(&mut case);
    let keys = [KEY, OTHER_KEY, "AKIAMADELATEREXAMPLE"].map(|key| key.parse::<AccessKeyId>().unwrap());
    let made = keys[2].clone();
    let now = Observation::UserKeys {
        owner_id: "AIDA1".into(),
        owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
        keys: keys.map(|key| (key, KeyStatus::Active)).to_vec(),
    };
    let events = take_report(&case.incident, Report::Checked { looked: vec![], keys: Some(Ok(now)) }, case.cx());
    let [Event::ContainmentChecked { new_keys, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*new_keys, [made]);
}
