//! What can be the owner's because nobody knows when the credential was stolen, and what the attacker has read.

use chrono::TimeDelta;

use super::case::{Case, user};
use super::eradication::{ADMIN, accept, changed, contain, hunted, made};
use crate::domain::hunt::{Hunted, Proved, Trace};
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::eradication::removals;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::hunting::since;
use crate::domain::incident::quiet::{lacking, secrets_left};
use crate::domain::incident::remains::{self, by_hand, in_doubt};
use crate::domain::incident::rotation::is_rotation;
use crate::domain::incident::steps::{Step, steps};
use crate::domain::refusal::Refusal;
use crate::domain::trail::footprint::State;

fn doubtful(trace: Trace) -> Trace {
    Trace { in_doubt: Some("e-1".into()), ..trace }
}

fn lacks(case: &Case, what: &str) -> bool {
    lacking(&case.incident, &case.playbook).iter().any(|lack| lack.contains(what))
}

fn footprint() -> Vec<Trace> {
    vec![
        made("Group", "colleagues"),
        changed("Role", "app", &[("AttachRolePolicy", ADMIN, true)]),
        Trace { resource_type: "AWS::DynamoDB::Table".into(), ..made("-", "orders") },
    ]
}

#[test]
fn what_can_be_the_owners_is_listed_and_neither_removed_nor_left_to_people() {
    let mut case = Case::new();
    hunted(&mut case, footprint());
    assert_eq!((removals(&case.incident).len(), by_hand(&case.incident).len()), (2, 1));
    assert!(in_doubt(&case.incident).is_empty() && !lacks(&case, "the owner's own"));
    let offered = |case: &Case| {
        let of = |step: &Step| ["remove.", "by-hand."].iter().any(|begins| step.id.as_str().starts_with(begins));
        steps(&case.incident, &case.playbook).iter().filter(|step| of(step)).count()
    };
    contain(&mut case);
    accept(&mut case);
    assert_eq!(offered(&case), 3);

    let mut case = Case::new();
    hunted(&mut case, footprint().into_iter().map(doubtful).collect());
    contain(&mut case);
    accept(&mut case);
    assert_eq!((removals(&case.incident).len(), by_hand(&case.incident).len(), offered(&case)), (0, 0, 0));
    assert_eq!(in_doubt(&case.incident).len(), 3);
    assert!(lacks(&case, "3 thing(s) can be the owner's own"), "the gate stays shut");
    // What is gone again by the same hand leaves nothing to do.
    let gone = Trace { state: State::Deleted, ..made("User", "gone") };
    hunted(&mut case, vec![doubtful(gone)]);
    assert!(in_doubt(&case.incident).is_empty());
}

#[test]
fn a_door_is_closed_whoever_may_have_opened_it() {
    let mut case = Case::new();
    let open = changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)]);
    hunted(&mut case, vec![doubtful(open)]);
    let closes = |step: &Step| step.id.as_str() == "restore-trust.web";
    assert!(steps(&case.incident, &case.playbook).iter().any(closes), "containment does not wait to know");
}

fn read(what: &str, event_id: &str) -> Proved {
    Proved { what: what.into(), event_id: event_id.into() }
}

fn has_read(case: &mut Case, rotate: Vec<Proved>) {
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { rotate, ..Hunted::default() }) }]);
}

const SECRET: &str = "AWS::SecretsManager::Secret prod/db";

#[test]
fn each_secret_that_was_read_is_a_step_that_two_people_settle() {
    let mut case = Case::new();
    has_read(&mut case, vec![read(SECRET, "e-1"), read("AWS::SSM::Parameter /prod/token", "e-2"), read(SECRET, "e-3")]);
    contain(&mut case);
    accept(&mut case);
    assert_eq!(
        secrets_left(&case.incident).unwrap(),
        "2 secret(s) or parameter(s) that the attacker has read are to be changed: /prod/token, prod/db"
    );
    assert!(lacks(&case, "prod/db") && !lacks(&case, "left to do by hand"));
    let close = PersonCommand::Close { outcome: Outcome::Resolved, note: String::new() };
    let Err(Refusal::NotEradicated(why)) = case.act("U1", close) else { panic!("it is closed") };
    assert!(why.iter().any(|lack| lack.contains("/prod/token, prod/db")), "{why:?}");
    let all = steps(&case.incident, &case.playbook);
    let step = all.iter().find(|step| is_rotation(&step.id) && step.title.ends_with("prod/db")).unwrap();
    assert_eq!(step.title, format!("Change by hand: {SECRET}"));
    assert!(step.why.contains("e-1, e-3"), "{}", step.why);
    let id = step.id.to_string();
    case.says("U1", &id).unwrap();
    assert!(lacks(&case, "prod/db"), "one alone is not enough");
    case.confirms("U2", &id).unwrap();
    assert!(!lacks(&case, "prod/db") && lacks(&case, "1 secret(s)"));
    // It was read again, with the new value.
    has_read(&mut case, vec![read(SECRET, "e-9")]);
    assert!(lacks(&case, "prod/db"), "what was changed before that is known again");
}

#[test]
fn however_many_secrets_there_are_other_work_by_hand_keeps_its_cards() {
    let mut case = Case::new();
    let rotate = (0..40).map(|n| read(&format!("AWS::SSM::Parameter /p/{n:02}"), "e-1")).collect();
    let table = Trace { resource_type: "AWS::DynamoDB::Table".into(), ..made("-", "theirs") };
    let found = Hunted { rotate, footprint: vec![table], ..Hunted::default() };
    case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
    assert_eq!(remains::left(&case.incident).len(), 41);
    let shown = steps(&case.incident, &case.playbook);
    let (secrets, others): (Vec<&Step>, Vec<&Step>) =
        shown.iter().filter(|step| step.id.as_str().starts_with("by-hand.")).partition(|step| is_rotation(&step.id));
    assert_eq!((secrets.len(), others.len()), (30, 1));
    assert!(secrets_left(&case.incident).unwrap().ends_with("/p/04 and 35 more"));
}

#[test]
fn the_time_is_set_and_corrected_by_whoever_responds_and_both_are_on_record() {
    let mut case = Case::new();
    let set = |case: &Case, minutes: i64| PersonCommand::SetCompromiseTime {
        at: case.now - TimeDelta::minutes(minutes),
        basis: format!("{minutes} minutes ago"),
        clicked_at: case.now,
    };
    assert!(since(&case.incident).is_none(), "it was opened without a time");
    for (by, minutes) in [("U1", 60), ("U2", 90)] {
        let command = set(&case, minutes);
        case.act(by, command).unwrap();
        let known = case.incident.compromise.as_ref().unwrap();
        assert_eq!((known.at, &known.by), (case.now - TimeDelta::minutes(minutes), &user(by)));
        assert_eq!(since(&case.incident), Some(known.at));
        assert_eq!(case.incident.told_at, Some(case.now), "the search follows at once");
        case.minutes(1);
    }
}
