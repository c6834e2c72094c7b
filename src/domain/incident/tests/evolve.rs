//! What an event leaves in the state.

use chrono::TimeDelta;

use super::case::{Case, alert, request, start, user};
use super::hunt::through;
use crate::domain::alert::Alert;
use crate::domain::approval::RequestState;
use crate::domain::credential::Subject;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Lost, Outcome};
use crate::domain::incident::state::Search;
use crate::domain::incident::verdict::{Judged, Verdict};
use crate::domain::observation::KeyStatus;

fn one_done() -> Case {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }));
    case
}

#[test]
fn after_a_change_it_is_read_anew_whose_it_is_and_after_none_it_is_not() {
    assert!(matches!(one_done().incident.search, Search::Wanted { .. }));
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.key = KeyStatus::Inactive;
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }));
    assert_eq!(case.incident.search, Search::Done, "somebody had switched it off before");
}

#[test]
fn each_containment_is_judged_from_its_own_time_on() {
    let mut case = one_done();
    let first = case.incident.watch.unwrap().since;
    case.minutes(3);
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 2).unwrap();
    case.run();
    assert_eq!(case.incident.watch.unwrap().since, case.now);
    assert!(first < case.now);
}

#[test]
fn a_check_that_finds_all_as_it_was_is_no_change_and_one_that_finds_something_missing_is() {
    let mut case = one_done();
    case.incident.search = Search::Done;
    let before = case.incident.updated_at;
    case.minutes(1);
    let events = case.look();
    assert!(matches!(&events[..], [Event::ContainmentChecked { .. }]), "{events:?}");
    case.apply(events);
    assert_eq!((case.incident.updated_at, &case.incident.search), (before, &Search::Done));
    let lost = vec![Lost { request: request(1), why: "it is active".into() }];
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost,
        new_keys: vec![],
        unread: vec![],
        keys_unread: None,
    }]);
    assert_eq!(case.incident.updated_at, case.now);
    assert!(matches!(case.incident.search, Search::Wanted { .. }));
}

#[test]
fn what_a_log_says_of_a_request_is_where_it_stands() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    let mut stale = Case { incident: case.incident.clone(), ..Case::new() };
    stale.apply(vec![Event::RequestStale { request: request(1), why: "changed".into() }]);
    assert_eq!(*stale.state(1), RequestState::Stale { why: "changed".into() });
    let (lease_until, sent) = (case.now, case.incident.requests[&request(1)].plan.work.calls_at(case.now));
    case.apply(vec![Event::ExecutionStarted { request: request(1), replica: "r".into(), lease_until, sent }]);
    let person = case.policy.person(&user("U2"));
    case.apply(vec![Event::ApprovalRetracted { request: request(1), by: user("U2"), person }]);
    assert!(matches!(case.state(1), RequestState::Executing(_)), "it may be on its way");
    assert_eq!(case.incident.requests[&request(1)].approvals.len(), 1);
}

#[test]
fn an_alert_that_knows_more_has_it_looked_for_at_once_and_one_that_does_not_waits() {
    let mut case = Case::new();
    case.act("U1", PersonCommand::LookAgain).unwrap();
    let failed = Report::IdentificationFailed { error: "no".into(), retry: true };
    let events = take_report(&case.incident, failed, case.cx());
    case.apply(events);
    let waits = case.incident.search.clone();
    assert!(matches!(waits, Search::Wanted { failed: 1, .. }), "{waits:?}");
    case.apply(vec![Event::AlertReceived { alert: alert("d2") }]);
    assert_eq!(case.incident.search, waits);
    let mut knows = alert("d3");
    knows.subject = Subject { account: "111122223333".parse().ok(), ..knows.subject };
    case.apply(vec![Event::AlertReceived { alert: knows }]);
    assert_eq!(case.incident.subject.account, "111122223333".parse().ok());
    assert!(matches!(case.incident.search, Search::Wanted { failed: 0, not_before, .. } if not_before == case.now));
}

#[test]
fn an_alert_that_knows_more_of_a_known_user_has_nobody_looked_for() {
    let mut case = Case::new();
    let mut knows = alert("d2");
    knows.subject = Subject { account: "111122223333".parse().ok(), ..knows.subject };
    case.apply(vec![Event::AlertReceived { alert: knows }]);
    assert_eq!(case.incident.search, Search::Done);
}

#[test]
fn a_finding_is_shown_as_its_newest_delivery_says_whichever_comes_first() {
    let finding = |delivery: &str, minutes: i64, count: u32| Alert {
        finding_id: Some("f".into()),
        last_seen_at: Some(start() + TimeDelta::minutes(minutes)),
        count,
        ..alert(delivery)
    };
    let mut case = Case::new();
    let mut shown = |delivery: &str, minutes, count| {
        case.apply(vec![Event::AlertReceived { alert: finding(delivery, minutes, count) }]);
        case.incident.findings["f"].count
    };
    assert_eq!(shown("d2", 5, 5), 5);
    assert_eq!(shown("d3", 3, 3), 5, "it was under way for long");
    assert_eq!(shown("d4", 5, 4), 5);
    assert_eq!(shown("d5", 5, 6), 6);
    assert_eq!(shown("d6", 8, 1), 1);
}

#[test]
fn of_two_deliveries_that_are_as_new_as_each_other_the_later_one_counts() {
    let finding = |delivery: &str, title: &str| Alert {
        finding_id: Some("f".into()),
        last_seen_at: Some(start()),
        title: title.into(),
        ..alert(delivery)
    };
    let mut case = Case::new();
    for (delivery, title) in [("d2", "first"), ("d3", "second")] {
        case.apply(vec![Event::AlertReceived { alert: finding(delivery, title) }]);
        assert_eq!(case.incident.findings["f"].title, title);
    }
}

#[test]
fn what_got_through_is_forgotten_by_a_verdict_on_what_was_in_place_before_it() {
    for (after_s, stays) in [(-1, true), (0, true), (1, false)] {
        let mut case = Case::new();
        let since = case.now;
        let call = through(since + TimeDelta::seconds(after_s), "arn:aws:iam::111122223333:user/ci");
        for verdict in [Verdict::Failed { call }, Verdict::Provisional] {
            case.apply(vec![Event::VerdictReached { judged: Box::new(Judged { verdict, since }) }]);
        }
        assert_eq!(case.incident.breach.is_some(), stays, "{after_s}");
    }
}

#[test]
fn how_an_incident_ends_is_understood_as_people_type_it() {
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::parse(&outcome.as_str().to_uppercase()), Some(outcome));
    }
    assert_eq!(Outcome::parse("won"), None);
}
