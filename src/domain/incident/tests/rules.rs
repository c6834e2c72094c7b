//! Which rules an incident is handled under, and what a process may do there that has others.

use chrono::{DateTime, TimeDelta, Utc};

use super::case::{Case, KEY, request, start, user};
use super::glass::glass;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::{decide, take_report};
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::{hands, risk, rules};
use crate::domain::refusal::Refusal;
use crate::domain::trail::attribution::{Who, Word};

/// What somebody can press or send, and whether it only stops something.
fn every(case: &Case) -> Vec<(PersonCommand, bool)> {
    let (request, clicked_at) = (request(1), case.now);
    let step = || "deactivate-access-key.x".parse().unwrap();
    let why = || "because".to_owned();
    let digest_shown = || case.shown(1);
    let word = Word { about: "203.0.113.7".into(), who: Who::Owner };
    let decides = [
        PersonCommand::Request { parts: Vec::new(), nonce: "another;".into() },
        PersonCommand::Approve { request, digest_shown: digest_shown(), clicked_at },
        glass(case, 1, KEY),
        PersonCommand::Ratify { request },
        PersonCommand::Contest { request, reason: why() },
        PersonCommand::Deny { request, digest_shown: digest_shown(), reason: why() },
        PersonCommand::Unfreeze { shown: 0 },
        PersonCommand::AcceptRisk { shown: 0, reason: why() },
        PersonCommand::SayDone { step: step(), done: why() },
        PersonCommand::ConfirmDone { step: step(), shown: why() },
        PersonCommand::LookAt { shown: why() },
        PersonCommand::NameSubject { user: user("U3") },
        PersonCommand::Overrule { word, reason: why(), clicked_at },
        PersonCommand::LookAgain,
        PersonCommand::SetCompromiseTime { at: case.now, basis: why(), clicked_at },
        PersonCommand::AskLogs,
        PersonCommand::RunLogs { number: 1 },
        PersonCommand::TakeLead { clicked_at },
        PersonCommand::Close { outcome: Outcome::FalsePositive, note: why() },
    ];
    let stops = [
        PersonCommand::Withdraw { request },
        PersonCommand::Cancel { request },
        PersonCommand::Retract { request, clicked_at },
        PersonCommand::NotMe { request },
        PersonCommand::TakeBackDone { step: step(), shown: why() },
        PersonCommand::CancelLogs { number: 1 },
    ];
    decides.map(|command| (command, false)).into_iter().chain(stops.map(|command| (command, true))).collect()
}

#[test]
fn a_process_with_other_rules_than_are_on_record_takes_nothing_but_what_stops_something() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["deactivate"]).unwrap();
    // Another process has read newer rules, by which U2 may do nothing any more.
    let read_at = case.now + TimeDelta::minutes(1);
    case.apply(vec![Event::RulesChanged { policy_version: "v2".into(), read_at: Some(read_at) }]);
    for (command, stops) in every(&case) {
        for id in ["U1", "U2"] {
            let refused = decide(&case.incident, &case.actor(id), command.clone(), case.cx());
            assert_eq!(refused == Err(Refusal::OtherRules), !stops, "{} by {id}: {refused:?}", command.name());
        }
    }
    let (actor, step) = (case.actor("U2"), "root".parse().unwrap());
    assert_eq!(risk::may_accept(&case.incident, &actor, 0, case.cx()), Err(Refusal::OtherRules), "no form either");
    assert_eq!(hands::may_say(&case.incident, &actor, &step, case.cx()).map(drop), Err(Refusal::OtherRules));
    assert_eq!(case.ask("U1", &["revoke-user"]), Err(Refusal::OtherRules));
    case.act("U1", PersonCommand::Withdraw { request: request(1) }).unwrap();

    case.policy.version = "v2".into();
    case.ask("U1", &["deactivate"]).unwrap();
    for (command, _) in every(&case) {
        let answer = decide(&case.incident, &case.actor("U2"), command.clone(), case.cx());
        assert_ne!(answer, Err(Refusal::OtherRules), "{}", command.name());
    }
}

/// A process with these rules, read at this time, looks at the incident: what it says.
fn looks(case: &mut Case, (version, read_at): (&str, DateTime<Utc>)) -> Vec<Event> {
    case.policy.version = version.into();
    let said = take_report(&case.incident, Report::RulesRead { read_at }, case.cx());
    case.apply(said.clone());
    said
}

#[test]
fn whoever_has_read_later_has_the_last_word_in_whatever_order_they_look() {
    let after = |minutes: i64| start() + TimeDelta::minutes(minutes);
    // The first two have read at the very same time.
    let processes = [("v3", after(5)), ("v4", after(5)), ("v1", after(-5))];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        // Who has opened it late has old rules, or has ended by now.
        for opened_by in [("v1", after(-5)), ("v2", after(4))] {
            let mut case = Case::new();
            (case.incident.policy_version, case.incident.rules_read_at) = (Some(opened_by.0.into()), Some(opened_by.1));
            let mut on_record = (opened_by.1, opened_by.0.to_owned());
            for process in order.into_iter().chain(order).map(|number| processes[number]) {
                for said in looks(&mut case, process) {
                    let Event::RulesChanged { policy_version, read_at: Some(read_at) } = said else {
                        panic!("{said:?}")
                    };
                    assert!((read_at, policy_version.clone()) > on_record, "older rules over newer ones");
                    on_record = (read_at, policy_version);
                }
            }
            assert_eq!(case.incident.policy_version.as_deref(), Some("v4"), "{order:?}, opened by {opened_by:?}");
            case.policy.version = "v4".into();
            assert!(rules::has_these(&case.incident, &case.policy));
            case.ask("U1", &["deactivate"]).unwrap();
        }
    }
}

#[test]
fn what_waits_under_newer_rules_is_ended_by_nobody_with_older_ones() {
    let mut case = Case::new();
    let read_at = start() + TimeDelta::minutes(1);
    assert_eq!(looks(&mut case, ("v2", read_at)).len(), 1);
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(looks(&mut case, ("v1", start())), []);
    let said = looks(&mut case, ("v3", read_at + TimeDelta::minutes(1)));
    assert!(matches!(&said[..], [Event::RulesChanged { .. }, Event::RequestCancelled { .. }]), "{said:?}");
}

#[test]
fn an_older_log_does_not_say_when_rules_were_read() {
    let old = |text: &str| serde_json::from_str::<Event>(text).unwrap();
    let changed = old(r#"{"type":"RulesChanged","policy_version":"v2"}"#);
    assert!(matches!(changed, Event::RulesChanged { read_at: None, .. }));
    // They were said as soon as they had been read.
    let mut case = Case::new();
    case.minutes(5);
    case.apply(vec![changed]);
    assert_eq!(looks(&mut case, ("v1", start() + TimeDelta::minutes(4))), []);
    assert_eq!(looks(&mut case, ("v3", start() + TimeDelta::minutes(6))).len(), 1);

    // Whoever opened it can have read them long before.
    let mut case = Case::new();
    case.incident.rules_read_at = None;
    assert_eq!(looks(&mut case, ("v0", start() - TimeDelta::days(1))).len(), 1);
    case.incident.policy_version = None;
    assert_eq!(looks(&mut case, ("v2", start())).len(), 1);
}
