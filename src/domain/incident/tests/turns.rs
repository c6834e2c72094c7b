//! The calls of what was asked for together go out one after the other, whichever process makes them.

use chrono::{DateTime, TimeDelta, Utc};

use super::case::{Case, request};
use super::execution::answered;
use crate::domain::approval::{CallAnswer, NoWarrant};
use crate::domain::incident::command::Report;
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::Event;
use crate::domain::incident::owed::{Effect, owed};
use crate::domain::refusal::Refusal;

const LEASE: TimeDelta = TimeDelta::seconds(20);

/// Three that were asked for together, with the yes that they need.
fn approved() -> Case {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case
}

/// What a process writes down that has found one of them due, and has looked at people and AWS.
fn ready(case: &Case, number: u32) -> Vec<Event> {
    let found = &case.incident.requests[&request(number)];
    let (warranted, now) = (Ok(found.plan.work.calls_at(case.now)), case.observed(&found.plan.action));
    let report = Report::ReadyToExecute { warranted, now, request: request(number), replica: "r".into() };
    take_report(&case.incident, report, case.cx())
}

fn begin(case: &mut Case, number: u32) {
    let events = ready(case, number);
    assert!(matches!(&events[..], [Event::ExecutionStarted { .. }]), "{number}: {events:?}");
    case.apply(events);
}

fn due(case: &Case, number: u32) -> Option<DateTime<Utc>> {
    let of = |effect| effect == Effect::Execute(request(number));
    owed(&case.incident).into_iter().find(|o| of(o.effect)).map(|o| o.due_at)
}

#[test]
fn each_waits_for_the_answer_to_the_one_before_it_and_for_no_longer() {
    let mut case = approved();
    let approved_at = case.now;
    assert!((1..4).all(|n| due(&case, n) == Some(approved_at)));
    begin(&mut case, 1);
    let lease_until = case.now + LEASE;
    assert_eq!([2, 3].map(|n| due(&case, n)), [Some(lease_until); 2]);
    // Another process has found them due before that.
    case.now += TimeDelta::seconds(3);
    assert_eq!([2, 3].map(|n| ready(&case, n)), [vec![], vec![]]);
    answered(&mut case, request(1), CallAnswer::Accepted);
    assert_eq!([2, 3].map(|n| due(&case, n)), [Some(approved_at); 2], "to whoever looks next");
    begin(&mut case, 2);
    assert_eq!((due(&case, 3), ready(&case, 3)), (Some(case.now + LEASE), vec![]));
    let unclear = CallAnswer::Unclear { message: "AWS did not answer within 10 s".into() };
    answered(&mut case, request(2), unclear);
    begin(&mut case, 3);
}

#[test]
fn whose_turn_it_is_not_neither_lapses_nor_loses_a_yes_for_it() {
    let mut case = approved();
    begin(&mut case, 1);
    let why = || Refusal::Other("no".into());
    let by = "U2".parse().unwrap();
    for no in [NoWarrant::Over(why()), NoWarrant::Void { by, why: why() }] {
        let now = case.observed(&case.incident.requests[&request(2)].plan.action);
        let report = Report::ReadyToExecute { warranted: Err(no), now, request: request(2), replica: "r".into() };
        assert_eq!(take_report(&case.incident, report, case.cx()), []);
    }
}

#[test]
fn a_process_that_has_died_holds_the_others_up_for_its_lease_and_one_that_lives_for_as_long_as_it_says() {
    let mut case = approved();
    let tick = TimeDelta::milliseconds(1);
    begin(&mut case, 1);
    let lease_until = case.now + LEASE + LEASE;
    case.apply(vec![Event::ExecutionContinues { request: request(1), lease_until }]);
    assert_eq!(due(&case, 2), Some(lease_until));
    case.now = lease_until - tick;
    assert_eq!(ready(&case, 2), []);
    case.now = lease_until;
    begin(&mut case, 2);
    assert_eq!(due(&case, 3), Some(case.now + LEASE), "it waits for that one now");
}

#[test]
fn one_that_could_not_begin_holds_up_nobody_and_waits_for_a_later_one_that_is_out_by_then() {
    let mut case = approved();
    let approved_at = case.now;
    // AWS did not answer for the first, and does to another process.
    begin(&mut case, 2);
    let lease_until = case.now + LEASE;
    case.now += TimeDelta::seconds(3);
    for number in [1, 3] {
        assert_eq!((due(&case, number), ready(&case, number)), (Some(lease_until), vec![]), "{number}");
    }
    answered(&mut case, request(2), CallAnswer::Accepted);
    assert_eq!([1, 3].map(|n| due(&case, n)), [Some(approved_at); 2]);
    begin(&mut case, 1);
    assert_eq!(ready(&case, 3), []);
}

#[test]
fn what_was_asked_for_alone_waits_for_nothing() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 2).unwrap();
    begin(&mut case, 1);
    assert_eq!(due(&case, 2), Some(case.now));
    begin(&mut case, 2);
}

#[test]
fn a_burst_that_names_itself_wrongly_is_held_up_by_nothing() {
    let mut case = approved();
    begin(&mut case, 1);
    case.incident.requests.get_mut(&request(2)).unwrap().burst = Some(request(9));
    assert_eq!(due(&case, 2), Some(case.now));
}
