//! What is looked at again.

use super::case::{Case, KEY, request, start};
use crate::domain::id::StepId;
use crate::domain::incident::command::Report;
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Lost};
use crate::domain::incident::owed::reach_at;
use crate::domain::incident::steps::{contained, in_force};
use crate::domain::incident::watch;
use crate::domain::observation::{KeyStatus, Observation};

#[test]
fn aws_is_read_again_within_the_minute_and_then_for_as_long_as_it_is_open() {
    let mut case = Case::new();
    assert_eq!(watch::due_at(&case.incident), None, "nothing is in force");
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let since = case.now;
    let mut after_s = Vec::new();
    for _ in 0..9 {
        case.now = watch::due_at(&case.incident).unwrap();
        after_s.push((case.now - since).num_seconds());
        let events = case.look();
        assert!(
            matches!(&events[..], [Event::ContainmentChecked { held, lost, .. }] if held.len() == 3 && lost.is_empty())
        );
        let updated_at = case.incident.updated_at;
        case.apply(events);
        assert_eq!(case.incident.updated_at, updated_at, "all as it was is no news");
    }
    assert_eq!(after_s, [5, 15, 60, 300, 960, 1_800, 5_400, 9_000, 12_600]);
    let held = &case.incident.requests[&request(1)].held_at;
    assert_eq!(held.iter().map(|at| (*at - since).num_seconds()).collect::<Vec<_>>(), [5, 15, 60, 12_600]);
}

#[test]
fn who_takes_something_away_is_noticed_and_it_can_be_asked_for_again() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    case.minutes(1);
    case.key = KeyStatus::Active;
    case.user_policy = None;
    // A later cut-off, of another incident perhaps, is as good.
    case.role_policy =
        case.role_policy.map(|document| document.replace("2026-01-01T00:00:30Z", "2026-01-01T00:50:00Z"));
    let events = case.look();
    let [Event::ContainmentChecked { held, lost, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(held, &[request(3)]);
    assert_eq!(lost.iter().map(|l| l.request).collect::<Vec<_>>(), [request(1), request(2)]);
    assert!(lost[0].why.contains("Active again") && lost[1].why.contains("is gone"), "{lost:?}");
    case.apply(events);
    let step: StepId = format!("deactivate-access-key.{KEY}").parse().unwrap();
    assert!(in_force(&case.incident, &step).is_none() && !contained(&case.incident, &case.playbook));
    assert_eq!(watch::watched(&case.incident).map(|r| r.id).collect::<Vec<_>>(), [request(3)], "told once");
    case.ask("U1", &["deactivate", "revoke-user"]).unwrap();

    for (document, why) in [
        (Some("{\"Statement\":[]}".to_owned()), "no longer denies"),
        (
            case.role_policy.clone().map(|d| d.replace("2026-01-01T00:50:00Z", "2026-01-01T00:00:00Z")),
            "earlier cut-off",
        ),
    ] {
        case.role_policy = document;
        let events = case.look();
        assert!(
            matches!(&events[..], [Event::ContainmentChecked { lost, .. }] if lost[0].why.contains(why)),
            "{events:?}"
        );
    }
}

#[test]
fn what_has_been_deleted_can_be_used_by_nobody_and_a_new_owner_is_noticed() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let looked = |now: Observation| {
        let looked = vec![(request(1), Ok(now))];
        take_report(&case.incident, Report::Checked { looked, keys: None }, case.cx())
    };
    let key = |owner_id: &str, status| Observation::AccessKey {
        owner_id: owner_id.into(),
        owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
        status,
    };
    let held = vec![Event::ContainmentChecked {
        held: vec![request(1)],
        lost: vec![],
        new_keys: vec![],
        unread: vec![],
        keys_unread: None,
    }];
    assert_eq!(looked(Observation::OwnerMissing), held);
    assert_eq!(looked(key("AIDA1", None)), held);
    let events = looked(key("AIDA2", Some(KeyStatus::Inactive)));
    assert!(
        matches!(&events[..], [Event::ContainmentChecked { lost, .. }] if lost[0].why.contains("AIDA2")),
        "{events:?}"
    );
}

#[test]
fn what_cannot_be_read_any_more_is_said_once_until_it_can() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let denied = |case: &Case| {
        let looked = vec![(request(1), Err("AccessDenied".to_owned()))];
        take_report(&case.incident, Report::Checked { looked, keys: None }, case.cx())
    };
    let since = |case: &Case| case.incident.requests[&request(1)].unread.clone();
    let blind = vec![Lost { request: request(1), why: "AccessDenied".into() }];
    let checked =
        |held, lost, unread| Event::ContainmentChecked { held, lost, new_keys: vec![], unread, keys_unread: None };
    let unread = vec![format!("{}: AccessDenied", request(1))];
    let said = vec![checked(vec![], vec![], unread.clone()), Event::ContainmentUnread { unread: blind, keys: None }];
    assert_eq!(denied(&case), said);
    case.apply(said.clone());
    assert_eq!(since(&case), Some((case.now, "AccessDenied".to_owned())));
    assert_eq!(denied(&case), [checked(vec![], vec![], unread)], "not each time");
    case.apply(vec![checked(vec![request(1)], vec![], vec![])]);
    assert_eq!(since(&case), None);
    assert_eq!(denied(&case), said, "anew");
}

#[test]
fn the_history_is_read_again_while_it_is_behind_and_when_something_happens() {
    let mut case = Case::new();
    let after = |case: &Case| reach_at(&case.incident).map(|at| (at - start()).num_seconds());
    for expected in [Some(180), Some(360), Some(720), Some(1_200), None] {
        assert_eq!(after(&case), expected);
        case.now = reach_at(&case.incident).unwrap_or(case.now);
        case.reached(vec![]);
    }
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost: vec![Lost { request: request(1), why: "gone".into() }],
        new_keys: vec![],
        unread: vec![],
        keys_unread: None,
    }]);
    assert_eq!(after(&case), Some(1_200), "at once");
}

#[test]
fn that_the_users_keys_cannot_be_read_any_more_is_said_once_too() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let denied = |case: &Case| {
        let keys = Some(Err("AccessDenied".to_owned()));
        take_report(&case.incident, Report::Checked { looked: vec![], keys }, case.cx())
    };
    let events = denied(&case);
    let [Event::ContainmentChecked { keys_unread: Some(_), .. }, Event::ContainmentUnread { unread, keys: Some(why) }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(unread.is_empty() && why == "AccessDenied");
    case.apply(events.clone());
    assert!(matches!(&denied(&case)[..], [Event::ContainmentChecked { .. }]), "not each time");
    let read = case.look();
    case.apply(read);
    assert_eq!(denied(&case), events, "anew");
}
