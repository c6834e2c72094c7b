//! A press that is handled a second time, when something else has been said since.

use chrono::TimeDelta;

use super::case::{Case, request, user};
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::event::Event;
use crate::domain::refusal::Refusal;
use crate::domain::trail::attribution::{Who, Word};

/// Refuses it as older than what was said.
fn is_late(case: &mut Case, id: &str, command: PersonCommand) {
    let before = case.incident.clone();
    let answer = case.act(id, command);
    assert!(matches!(&answer, Err(Refusal::NotApplicable(why)) if why.contains("older")), "{answer:?}");
    assert_eq!(case.incident, before);
}

fn seconds(case: &mut Case, seconds: i64) {
    case.now += TimeDelta::seconds(seconds);
}

/// A case of which nobody is the owner, and where two have to approve.
fn of_two() -> Case {
    let mut case = Case::new();
    case.policy.rules.values_mut().for_each(|rules| rules.quorum = 2);
    case.policy.belongings.clear();
    case.ask_all("U1").unwrap();
    case
}

#[test]
fn a_yes_that_is_given_anew_is_not_taken_back_by_the_press_that_took_the_first_one_back() {
    let mut case = of_two();
    case.approve("U2", 1).unwrap();
    let take_back = |number, case: &Case| PersonCommand::Retract { request: request(number), clicked_at: case.now };
    let (pressed, on_another) = (take_back(1, &case), take_back(2, &case));
    seconds(&mut case, 1);
    case.act("U2", pressed.clone()).unwrap();
    seconds(&mut case, 5);
    case.approve("U2", 1).unwrap();
    seconds(&mut case, 10);
    is_late(&mut case, "U2", pressed);
    is_late(&mut case, "U2", on_another);
    assert!((1..=3).all(|n| case.incident.requests[&request(n)].approvals.len() == 1));
    let now = take_back(1, &case);
    case.act("U2", now).unwrap();
}

#[test]
fn a_yes_that_was_recorded_late_can_be_taken_back_by_a_press_before_that() {
    let mut case = of_two();
    let pressed = PersonCommand::Retract { request: request(1), clicked_at: case.now };
    seconds(&mut case, 1);
    case.approve("U2", 1).unwrap();
    case.act("U2", pressed).unwrap();
}

#[test]
fn whoever_took_the_lead_later_keeps_it() {
    let mut case = Case::new();
    let pressed = PersonCommand::TakeLead { clicked_at: case.now };
    seconds(&mut case, 1);
    case.act("U1", pressed.clone()).unwrap();
    seconds(&mut case, 5);
    let lead = PersonCommand::TakeLead { clicked_at: case.now };
    case.act("U2", lead).unwrap();
    seconds(&mut case, 10);
    is_late(&mut case, "U1", pressed);
    assert_eq!(case.incident.lead, Some(user("U2")));
}

#[test]
fn the_time_that_was_set_later_stands() {
    let mut case = Case::new();
    let set = |basis: &str, case: &Case| {
        let (at, clicked_at) = (case.now - TimeDelta::hours(1), case.now);
        PersonCommand::SetCompromiseTime { at, basis: basis.into(), clicked_at }
    };
    let first = set("the first", &case);
    seconds(&mut case, 1);
    case.act("U1", first.clone()).unwrap();
    seconds(&mut case, 5);
    let second = set("the second", &case);
    case.act("U2", second).unwrap();
    seconds(&mut case, 10);
    is_late(&mut case, "U1", first);
    assert_eq!(case.incident.compromise.as_ref().unwrap().basis, "the second");
}

#[test]
fn what_was_said_later_of_the_same_calls_stands() {
    let mut case = Case::new();
    let say = |about: &str, who: Who, case: &Case| PersonCommand::Overrule {
        word: Word { about: about.into(), who },
        reason: "it is known".into(),
        clicked_at: case.now,
    };
    let (first, of_another) = (say("203.0.113.7", Who::Owner, &case), say("203.0.113.8", Who::Owner, &case));
    seconds(&mut case, 1);
    case.act("U1", first.clone()).unwrap();
    seconds(&mut case, 5);
    let second = say("203.0.113.7", Who::Attacker, &case);
    case.act("U2", second).unwrap();
    seconds(&mut case, 10);
    is_late(&mut case, "U1", first);
    case.act("U1", of_another).unwrap();
}

#[test]
fn a_word_about_who_made_a_call_makes_no_compromise_time_older_than_it_is() {
    let mut case = Case::new();
    let set = |basis: &str, case: &Case| {
        let (at, clicked_at) = (case.now - TimeDelta::hours(1), case.now);
        PersonCommand::SetCompromiseTime { at, basis: basis.into(), clicked_at }
    };
    let first = set("the first", &case);
    case.act("U1", first).unwrap();
    seconds(&mut case, 5);
    let second = set("the second", &case);
    seconds(&mut case, 1);
    let word = Word { about: "203.0.113.7".into(), who: Who::Owner };
    let overrule = PersonCommand::Overrule { word, reason: "it is known".into(), clicked_at: case.now };
    case.act("U2", overrule).unwrap();
    seconds(&mut case, 1);
    case.act("U1", second).unwrap();
    assert_eq!(case.incident.compromise.as_ref().unwrap().basis, "the second");
}

#[test]
fn what_was_said_by_a_clock_that_is_ahead_refuses_nobody() {
    let mut case = of_two();
    case.approve("U2", 1).unwrap();
    let (began_at, about, reason) = (case.now, "203.0.113.7", "it is known");
    // Another process, whose clock is ten minutes ahead, writes down all that can be said.
    case.minutes(10);
    let (of_first, person) = (request(1), case.actor("U2").person);
    case.apply(vec![
        Event::LeadTaken { by: user("U1") },
        Event::CompromiseTimeSet { compromised_at: began_at, by: user("U1"), basis: "b".into() },
        Event::AttributionOverruled {
            word: Word { about: about.into(), who: Who::Owner },
            by: user("U1"),
            reason: reason.into(),
        },
        Event::ApprovalRetracted { request: of_first, by: user("U2"), person: person.clone() },
        Event::ApprovalGiven { request: of_first, shown: None, by: user("U2"), person, execute_by: None },
    ]);
    case.now = began_at + TimeDelta::seconds(10);
    let clicked_at = case.now - TimeDelta::seconds(1);
    let presses = [
        PersonCommand::TakeLead { clicked_at },
        PersonCommand::SetCompromiseTime { at: began_at, basis: "a commit".into(), clicked_at },
        PersonCommand::Overrule {
            word: Word { about: about.into(), who: Who::Attacker },
            reason: reason.into(),
            clicked_at,
        },
        PersonCommand::Retract { request: of_first, clicked_at },
    ];
    for press in presses {
        let name = press.name();
        assert_eq!(case.act("U2", press), Ok(()), "{name}");
    }
}
