//! What is read back after a call.

use super::case::{Case, request};
use crate::domain::action::ApiCall;
use crate::domain::incident::command::{Attempt, Report};
use crate::domain::incident::decide::{refused, take_report};
use crate::domain::incident::event::Event;
use crate::domain::incident::evolve::REFUSALS_KEPT;
use crate::domain::incident::execution::call_time_max;
use crate::domain::observation::{KeyStatus, Observation};
use crate::domain::refusal::Refusal;

#[test]
fn a_user_made_again_under_the_same_name_proves_nothing() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    let sent = case.incident.requests[&request(1)].plan.work.calls.clone();
    let (lease_until, replica) = (case.now, "r".into());
    case.apply(vec![Event::ExecutionStarted { request: request(1), replica, lease_until, sent }]);
    let read = |owner_id: &str, status, last| {
        let now = Observation::AccessKey {
            owner_id: owner_id.into(),
            owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
            status: Some(status),
        };
        take_report(&case.incident, Report::ReadBack { request: request(1), now, last }, case.cx())
    };
    assert_eq!(read("AIDA1", KeyStatus::Inactive, false), [Event::Verified { request: request(1), no_op: false }]);
    assert_eq!(read("AIDA2", KeyStatus::Inactive, false), []);
    assert_eq!(read("AIDA1", KeyStatus::Active, false), []);
    assert!(matches!(read("AIDA2", KeyStatus::Inactive, true)[..], [Event::ExecutionFailed { .. }]));
}

#[test]
fn code_has_the_time_that_it_takes_both_ways() {
    let text = || "t".to_owned();
    let code = ApiCall::UpdateFunctionCode { function_name: text(), zip_file: text(), revision_id: text() };
    let plain = ApiCall::DeleteUser { user_name: text() };
    let seconds = |calls: &[ApiCall]| call_time_max(calls).num_seconds();
    assert_eq!((seconds(std::slice::from_ref(&plain)), seconds(&[plain.clone(), plain.clone()])), (10, 11));
    assert_eq!((seconds(std::slice::from_ref(&code)), seconds(&vec![plain; 1_000])), (120, 70));
}

#[test]
fn a_flood_of_refused_attempts_leaves_a_bounded_record() {
    let mut case = Case::new();
    let refused = |case: &Case, who: &str| {
        let digest = "0".repeat(1_000);
        let attempt = Attempt { name: "approve", request: Some(request(1)), digest: Some(&digest) };
        refused(&case.incident, &case.actor(who), attempt, &Refusal::NotAResponder, case.cx())
    };
    for _ in 0..REFUSALS_KEPT {
        let event = refused(&case, "U9").expect("it is in the record");
        let Event::AttemptRefused { digest, policy_version, .. } = &event else { panic!("{event:?}") };
        assert_eq!(digest.as_ref().unwrap().len(), 64, "what is on a button is from outside");
        assert_eq!(*policy_version, Some(case.policy.version.clone()));
        case.apply(vec![event]);
    }
    assert!(refused(&case, "U9").is_none(), "enough for a minute");
    assert!(refused(&case, "U8").is_some(), "of everybody else");
    case.minutes(1);
    assert!(refused(&case, "U9").is_some());
}
