//! What happens once, however often it is heard of.

use super::case::{Case, alert, identified, request, user};
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::steps::{action_for, steps};
use crate::domain::policy::Standing;
use crate::domain::refusal::Refusal;

#[test]
fn other_rules_are_on_record_once_whether_or_not_anything_waits() {
    let mut case = Case::new();
    let changed = |case: &Case| take_report(&case.incident, Report::RulesRead { read_at: case.now }, case.cx());
    assert_eq!(changed(&case), [], "these are the rules that it was opened under");
    case.policy.version = "v2".into();
    let recorded = vec![Event::RulesChanged { policy_version: "v2".into(), read_at: Some(case.now) }];
    assert_eq!(changed(&case), recorded);
    case.apply(recorded);
    assert_eq!(changed(&case), []);
    case.ask("U1", &["deactivate"]).unwrap();
    case.policy.version = "v3".into();
    let events = changed(&case);
    assert!(matches!(&events[..], [Event::RulesChanged { .. }, Event::RequestCancelled { .. }]), "{events:?}");
    case.apply(events);
    case.act("U1", PersonCommand::Close { outcome: Outcome::FalsePositive, note: "a drill".into() }).unwrap();
    case.policy.version = "v4".into();
    assert_eq!(changed(&case), [], "a closed log takes nothing more");
}

#[test]
fn a_press_that_is_delivered_again_asks_for_nothing_again() {
    let mut case = Case::new();
    let all = steps(&case.incident, &case.playbook);
    let step = all.iter().find(|s| s.id.as_str().starts_with("deactivate")).unwrap();
    let action = action_for(&case.incident, &case.playbook, &step.id).unwrap();
    let parts = vec![(step.id.clone(), case.observed(&action))];
    let press = || PersonCommand::Request { parts: parts.clone(), nonce: "the same press;".into() };
    case.act("U1", press()).unwrap();
    case.act("U1", PersonCommand::Withdraw { request: request(1) }).unwrap();
    let how = "withdrawn".to_owned();
    assert_eq!(case.act("U1", press()), Err(Refusal::Decided { request: request(1), how }));
    case.ask("U1", &["deactivate"]).unwrap();
}

#[test]
fn those_that_were_asked_for_together_expire_together() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.minutes(16);
    let events = take_report(&case.incident, Report::ClockPassed { request: request(2) }, case.cx());
    assert_eq!(events, [1, 2, 3].map(|number| Event::RequestExpired { request: request(number) }));
    case.apply(events);
    assert_eq!(take_report(&case.incident, Report::ClockPassed { request: request(1) }, case.cx()), []);
}

#[test]
fn one_that_was_approved_does_not_expire_with_those_that_went_with_it() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U3", 1).unwrap();
    for number in [2, 3] {
        let why = Refusal::NotAMember(Standing::Unknown);
        case.apply(vec![Event::ApprovalVoided { request: request(number), by: user("U3"), why }]);
    }
    case.minutes(16);
    let events = take_report(&case.incident, Report::ClockPassed { request: request(2) }, case.cx());
    assert_eq!(events, [2, 3].map(|number| Event::RequestExpired { request: request(number) }));
}

#[test]
fn a_delivery_counts_once_and_a_closed_log_takes_no_report() {
    let mut case = Case::new();
    let (known, other) = (alert("d"), alert("d2"));
    let take = |case: &Case, report| take_report(&case.incident, report, case.cx());
    assert_eq!(take(&case, Report::Alert(known.clone())), []);
    assert_eq!(take(&case, Report::Alert(other.clone())), [Event::AlertReceived { alert: other.clone() }]);
    case.act("U1", PersonCommand::LookAgain).unwrap();
    let found = || Report::Identified(identified(&[]));
    let failed = || Report::IdentificationFailed { error: "no".into(), retry: true };
    assert!(!take(&case, found()).is_empty() && !take(&case, failed()).is_empty());
    case.act("U1", PersonCommand::Close { outcome: Outcome::FalsePositive, note: "a drill".into() }).unwrap();
    for report in [Report::Alert(known), Report::Alert(other), found(), failed()] {
        let words = format!("{report:?}");
        assert_eq!(take(&case, report), [], "{words}");
    }
}
