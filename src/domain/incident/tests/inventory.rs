//! When the account's inventory is taken, and who has to look at what.

use chrono::TimeDelta;

use super::case::{Case, start, user};
use crate::domain::hunt::Hunted;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::Event;
use crate::domain::incident::inventory::{SHOWN_MAX, due_at, shown, since, to_look_at};
use crate::domain::inventory::{Gap, Inventory, Thing};
use crate::domain::refusal::Refusal;
use crate::domain::stored::{Record, event};

fn things(count: usize) -> Vec<Thing> {
    let one = |n: usize| Thing::of_iam("AWS::IAM::User", &format!("u{n:02}"), Some(start() - TimeDelta::minutes(40)));
    (0..count).map(one).collect()
}

fn more_things(count: usize) -> Vec<Thing> {
    let one = |n: usize| Thing::of_iam("AWS::IAM::User", &format!("v{n:03}"), Some(start() - TimeDelta::minutes(40)));
    (0..count).map(one).collect()
}

fn home() -> Vec<String> {
    vec!["us-east-1".to_owned()]
}

fn hunted() -> Case {
    let mut case = Case::new();
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted::default()) }]);
    case
}

impl Case {
    /// An inventory that is due shows this.
    fn stock(&mut self, unexplained: Vec<Thing>) -> Vec<Event> {
        self.now = due_at(&self.incident).unwrap().max(self.now);
        let found = Inventory { unexplained, regions: home(), ..Inventory::default() };
        let events = take_report(&self.incident, Report::Inventory(Box::new(found)), self.cx());
        self.apply(events.clone());
        events
    }

    fn looks(&mut self, id: &str) -> Result<(), Refusal> {
        let (_, shown) = shown(&self.incident);
        self.act(id, PersonCommand::LookAt { shown })
    }
}

#[test]
fn it_waits_for_the_search_and_then_comes_again_ever_more_rarely() {
    assert_eq!(due_at(&Case::new().incident), None, "what is the attacker's is not known yet");
    let mut case = hunted();
    assert_eq!(due_at(&case.incident), Some(start() + TimeDelta::minutes(2)));
    assert_eq!(since(&case.incident), start() - TimeDelta::hours(1));
    let early = take_report(&case.incident, Report::Inventory(Box::default()), case.cx());
    assert!(early.is_empty(), "another process was faster");
    assert!(matches!(&case.stock(things(1))[..], [Event::InventoryTaken { found: Some(_), .. }]));
    assert_eq!(due_at(&case.incident), Some(case.now + TimeDelta::minutes(15)));
    let updated_at = case.incident.updated_at;
    assert!(matches!(&case.stock(things(1))[..], [Event::InventoryTaken { found: None, .. }]), "it says the same");
    assert_eq!(case.incident.updated_at, updated_at, "that is no change");
    case.minutes(180);
    case.stock(things(1));
    assert_eq!(due_at(&case.incident), Some(case.now + TimeDelta::hours(1)));
    case.act("U1", PersonCommand::LookAgain).unwrap();
    assert!(due_at(&case.incident).unwrap() <= case.now, "somebody asks for it");
    case.stock(things(1));
    assert_eq!(due_at(&case.incident), Some(case.now + TimeDelta::hours(1)));
}

#[test]
fn a_person_answers_for_what_stays_and_only_for_what_they_saw() {
    let mut case = hunted();
    assert!(matches!(case.looks("U1"), Err(Refusal::NotApplicable(_))), "there is nothing to look at");
    case.stock(things(SHOWN_MAX + 2));
    assert!(matches!(case.looks("U4"), Err(Refusal::Recused(_))), "the key is theirs");
    assert!(case.looks("U9").is_err(), "no responder");
    let stale = shown(&case.incident).1;
    case.looks("U1").unwrap();
    assert_eq!(to_look_at(&case.incident).len(), 2, "the card shows so many at a time");
    let again = case.act("U2", PersonCommand::LookAt { shown: stale });
    assert!(matches!(again, Err(Refusal::NotApplicable(_))), "the list is another by now");
    case.looks("U2").unwrap();
    assert!(to_look_at(&case.incident).is_empty());
    let by: Vec<_> = case.incident.inventory.looked_at.values().collect();
    assert_eq!((by.len(), by[0]), (SHOWN_MAX + 2, &user("U1")));

    // The same name made anew is another thing.
    let mut anew = things(1);
    anew[0].created_at = Some(start());
    case.stock([things(2), anew].concat());
    assert_eq!(to_look_at(&case.incident).len(), 1);
}

#[test]
fn what_is_gone_need_not_be_looked_at_and_what_is_hidden_is_not_gone() {
    let mut case = hunted();
    case.stock(things(2));
    case.stock(things(1));
    assert_eq!(to_look_at(&case.incident), things(1).iter().collect::<Vec<_>>());
    case.now = due_at(&case.incident).unwrap();
    let gap = Gap { region: "us-east-1".into(), resource_types: vec!["AWS::IAM::User".into()], why: "no".into() };
    let found = Inventory { gaps: vec![gap], regions: home(), ..Inventory::default() };
    let events = take_report(&case.incident, Report::Inventory(Box::new(found)), case.cx());
    case.apply(events);
    assert_eq!(to_look_at(&case.incident).len(), 1);
    // One that could not be taken at all has looked at no Region.
    case.now = due_at(&case.incident).unwrap();
    let events = take_report(&case.incident, Report::Inventory(Box::default()), case.cx());
    case.apply(events);
    assert_eq!(to_look_at(&case.incident).len(), 1);
}

#[test]
fn what_nobody_has_looked_at_does_not_wait_behind_what_somebody_has() {
    let mut case = hunted();
    let many = || things(99).into_iter().chain(more_things(150)).collect::<Vec<Thing>>();
    case.stock(many());
    for _ in 0..20 {
        case.looks("U1").unwrap();
    }
    assert!(to_look_at(&case.incident).is_empty(), "so many are remembered");
    case.stock(many());
    assert_eq!(to_look_at(&case.incident).len(), 49, "and then come the others");
}

#[test]
fn its_records_are_read_again() {
    let found = Some(Box::new(Inventory { unexplained: things(1), ..Inventory::default() }));
    let keys = things(1).iter().map(Thing::key).collect();
    for wrote in [
        Event::InventoryTaken { found, began_at: Some(start()) },
        Event::InventoryTaken { found: None, began_at: None },
        Event::ThingsLookedAt { by: user("U1"), things: keys },
    ] {
        let record = Record::seal(None, start(), wrote.clone());
        assert_eq!(event(record.text()).unwrap(), wrote);
    }
}
