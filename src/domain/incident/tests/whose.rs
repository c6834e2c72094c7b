//! Whose calls count as the attacker's, from when on, and when they are next searched for.

use chrono::TimeDelta;

use super::case::{Case, KEY, alert, identified, start, user};
use super::hunt::reached;
use crate::domain::alert::Alert;
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::{Hunted, Reached, SoFar, Swept};
use crate::domain::identification::Identification;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::hunting::{HalfWay, SEEN_LATE, Sweep, assumed, due_at, shows_whose, since, suspects};
use crate::domain::incident::state::{CompromiseTime, Identified};
use crate::domain::trail::named::Named;

const SESSION: &str = "ASIAI44QH8DHBEXAMPLE";

#[test]
fn it_is_in_other_hands_from_an_hour_before_it_was_seen_unless_a_responder_says_otherwise() {
    let mut case = Case::new();
    assert_eq!(since(&case.incident), None, "nobody has seen the key in use");
    case.incident.subject.access_key = None;
    assert_eq!(since(&case.incident), Some(start() - SEEN_LATE), "without a key the opening says as much");
    let seen_at = start() - TimeDelta::hours(5);
    case.apply(vec![Event::AlertReceived { alert: Alert { first_seen_at: Some(seen_at), ..alert("d2") } }]);
    case.incident.subject.access_key = KEY.parse().ok();
    assert_eq!(since(&case.incident), Some(seen_at - TimeDelta::hours(1)));
    let at = start() - TimeDelta::days(3);
    case.incident.compromise = Some(CompromiseTime { at, by: user("U1"), basis: "b".into(), said_at: start() });
    assert_eq!(since(&case.incident), Some(at));
}

#[test]
fn whoever_is_taken_for_stolen_without_a_key_is_known_by_what_names_them_alone() {
    use PrincipalKind::{AssumedRole, FederatedUser, IamUser, Unknown};
    let (user, role) = ("arn:aws:iam::111122223333:user/ci", "arn:aws:iam::111122223333:role/ci");
    let (of_team, role_of_team) = ("arn:aws:iam::111122223333:user/team/ci", "arn:aws:iam::111122223333:role/team/ci");
    let session = "arn:aws:sts::111122223333:assumed-role/ci/s";
    let (name, by_session) = (Some("ci"), Some("s"));
    for (kind, name, session, arn, expected) in [
        (IamUser, name, None, None, Some((user, true))),
        (IamUser, name, None, Some(of_team), Some((of_team, true))),
        (FederatedUser, name, by_session, None, Some((user, true))),
        // A role's unique id is that of its other sessions too.
        (AssumedRole, name, by_session, Some(role_of_team), Some((session, false))),
        (AssumedRole, name, None, Some(role_of_team), Some((role_of_team, true))),
        (AssumedRole, name, None, None, Some((role, true))),
        (AssumedRole, None, by_session, Some(role), None),
        (Unknown, name, by_session, None, None),
        (Unknown, name, None, None, None),
    ] {
        let mut case = Case::new();
        case.incident.subject.access_key = None;
        let (name, session_name) = (name.map(str::to_owned), session.map(str::to_owned));
        let arn = arn.map(str::to_owned);
        let unique_id = Some("AIDA1".to_owned());
        let found = Identification { kind, name, session_name, arn, unique_id: unique_id.clone(), ..identified(&[]) };
        case.incident.identified = Some(Identified { found, at: case.now });
        let expected = expected.map(|(arn, has_id): (&str, bool)| {
            arn.parse::<Named>().unwrap().with_unique_id(unique_id.filter(|_| has_id))
        });
        assert_eq!(assumed(&case.incident), expected, "{kind:?} {session:?}");
    }
}

#[test]
fn an_address_that_an_alert_names_is_suspect() {
    let mut case = Case::new();
    assert!(suspects(&case.incident).is_empty());
    let remote_address = Some("198.51.100.77".to_owned());
    case.apply(vec![Event::AlertReceived { alert: Alert { remote_address, ..alert("d2") } }]);
    assert_eq!(suspects(&case.incident), ["198.51.100.77"]);
}

#[test]
fn only_a_call_of_the_stolen_key_says_whose_it_is() {
    let who = "arn:aws:iam::111122223333:user/ci";
    let console = Reached { access_key_id: None, ..reached("-", who) };
    let unknown = Reached { principal: None, ..reached(KEY, who) };
    for (key, credential, expected) in [
        (Some(KEY), reached(KEY, who), true),
        (Some(KEY), unknown, false),
        (Some(KEY), reached(SESSION, who), false),
        (None, console, false),
    ] {
        let mut case = Case::new();
        case.incident.subject.access_key = key.and_then(|key| key.parse().ok());
        let found = Hunted { credentials: vec![credential.clone()], ..Hunted::default() };
        assert_eq!(shows_whose(&case.incident, &found), expected, "{key:?} {credential:?}");
    }
}

#[test]
fn what_contains_is_read_before_the_first_search_and_a_sample_is_not_searched_for() {
    let mut case = Case::new();
    assert_eq!(due_at(&case.incident), Some(start()));
    case.incident.blast_radius = None;
    assert_eq!(due_at(&case.incident), Some(start() + TimeDelta::seconds(30)));

    case.incident.identified = None;
    case.incident.subject.access_key = SESSION.parse().ok();
    case.incident.subject.account = "111122223333".parse().ok();
    assert!(due_at(&case.incident).is_some());
    case.incident.sample = true;
    assert_eq!(due_at(&case.incident), None);
}

fn searched(case: &Case) -> Vec<Event> {
    let sweep = Sweep { found: Hunted::default(), swept: Swept::default(), calls: Vec::new() };
    take_report(&case.incident, Report::Hunted(Box::new(sweep)), case.cx())
}

fn half_searched(case: &Case) -> Vec<Event> {
    let (began_at, newest_at) = (case.now, None);
    let so_far = SoFar { began_at, regions_done: 1, regions: 2, questions_left: 3, events_read: 4, newest_at };
    let half_way = HalfWay { found: None, calls: Vec::new(), so_far, told_at: None };
    take_report(&case.incident, Report::HalfWay(Box::new(half_way)), case.cx())
}

#[test]
fn a_search_that_was_not_due_or_ends_after_the_incident_is_left_out() {
    for take in [searched, half_searched] {
        let mut case = Case::new();
        let swept = searched(&case);
        case.apply(swept);
        let due = due_at(&case.incident).unwrap();
        for (at, expected) in [(-1, false), (0, true), (1, true)] {
            case.now = due + TimeDelta::milliseconds(at);
            assert_eq!(!take(&case).is_empty(), expected, "{at}");
        }
        case.act("U1", PersonCommand::Close { outcome: Outcome::FalsePositive, note: "n".into() }).unwrap();
        assert!(due_at(&case.incident).is_some_and(|due| due < case.now));
        assert_eq!(take(&case), []);
    }
}
