//! When the gate at the end of eradication opens, and what keeps it shut.

use chrono::TimeDelta;

use super::case::Case;
use super::eradication::{changed, contain, made};
use crate::domain::hunt::{Hunted, Swept, Trace, Watched};
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::quiet::lacking;
use crate::domain::incident::risk::containment_shown;
use crate::domain::incident::{hunting, inventory};
use crate::domain::inventory::{Evidence, Explained, Gap, Inventory, TRAIL_DELAY, Thing};
use crate::domain::refusal::Refusal;
use crate::domain::trail::attribution::{Who, Word};

fn group(deeds: &[(&str, &str, bool)]) -> Vec<Trace> {
    vec![Trace { resource_type: "AWS::EC2::SecurityGroup".into(), ..changed("-", "sg-1", deeds) }]
}

const OPENED: (&str, &str, bool) = ("AuthorizeSecurityGroupIngress", "", true);

impl Case {
    /// A search that began when it was due.
    fn swept(&mut self, found: Hunted, unread: Option<&str>) {
        self.now = hunting::due_at(&self.incident).unwrap().max(self.now + TimeDelta::seconds(1));
        let began_at = Some(self.now);
        let unread = unread.map(str::to_owned);
        let regions = vec![Watched { region: "us-east-1".into(), covered_until: began_at, unread }];
        let swept = Swept { regions, began_at, told_at: self.incident.told_at, ..Swept::default() };
        let sweep = hunting::Sweep { found, swept, calls: Vec::new() };
        let events = take_report(&self.incident, Report::Hunted(Box::new(sweep)), self.cx());
        assert!(!events.is_empty());
        self.apply(events);
    }

    /// An inventory that began when it was due.
    fn looked(&mut self, unexplained: Vec<Thing>, gaps: Vec<Gap>) {
        self.looked_at(Inventory { unexplained, gaps, ..Inventory::default() });
    }

    fn looked_at(&mut self, found: Inventory) {
        self.now = inventory::due_at(&self.incident).unwrap().max(self.now + TimeDelta::seconds(1));
        let found = Inventory { regions: vec!["us-east-1".to_owned()], began_at: Some(self.now), ..found };
        let events = take_report(&self.incident, Report::Inventory(Box::new(found)), self.cx());
        assert!(!events.is_empty());
        self.apply(events);
    }

    /// A search and the inventory after it, which show what is known.
    fn quiet(&mut self) {
        let (known, _) = self.incident.hunted.clone().unwrap_or_default();
        self.swept(known, None);
        self.looked(Vec::new(), Vec::new());
    }

    fn approve_newest(&mut self) {
        let newest = u32::try_from(self.incident.requests.len()).unwrap();
        self.approve("U2", newest).unwrap();
    }

    fn lacks(&self, what: &str) -> bool {
        lacking(&self.incident, &self.playbook).iter().any(|lack| lack.contains(what))
    }

    fn is_open(&self) -> bool {
        lacking(&self.incident, &self.playbook).is_empty()
    }
}

/// All is contained, half an hour of quiet is seen, and what the attacker has opened is closed again.
fn removed() -> Case {
    let mut case = Case::new();
    case.swept(Hunted { footprint: group(&[OPENED]), ..Hunted::default() }, None);
    contain(&mut case);
    case.minutes(31);
    case.ask("U1", &["remove.securitygroup"]).unwrap();
    case.approve_newest();
    case.run();
    case
}

fn close(case: &mut Case) -> Result<(), Refusal> {
    case.act("U1", PersonCommand::Close { outcome: Outcome::Resolved, note: String::new() })
}

#[test]
fn two_sweeps_after_the_last_removal_open_it_and_one_does_not() {
    let mut case = removed();
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("inventory is to come"));
    assert!(matches!(close(&mut case), Err(Refusal::NotEradicated(lacking)) if !lacking.is_empty()));
    case.quiet();
    assert!(case.lacks("1 of 2 sweeps"));
    assert!(matches!(close(&mut case), Err(Refusal::NotEradicated(_))));
    case.minutes(20);
    case.quiet();
    assert_eq!(lacking(&case.incident, &case.playbook), Vec::<String>::new());
    close(&mut case).unwrap();
}

#[test]
fn the_last_sweep_finds_nothing_of_before_the_last_change_too_young_to_be_judged() {
    let mut case = removed();
    let changed = case.incident.quiet.since.unwrap();
    let mut early = 0;
    while case.now < changed + TRAIL_DELAY {
        assert!(!case.is_open(), "what was made right before the change was not judged yet");
        case.quiet();
        early += 1;
    }
    assert!(early > 2 && case.is_open(), "{early}: {:?}", lacking(&case.incident, &case.playbook));
}

#[test]
fn what_the_trail_is_still_to_be_asked_about_keeps_it_shut() {
    let mut case = removed();
    let (known, _) = case.incident.hunted.clone().unwrap();
    case.minutes(20);
    for _ in 0..3 {
        case.swept(known.clone(), None);
        case.looked_at(Inventory { left: 3, ..Inventory::default() });
    }
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("who made 3 thing(s)"));
    case.quiet();
    assert!(case.lacks("1 of 2 sweeps") && !case.lacks("who made"));
    case.quiet();
    assert!(case.is_open());
}

/// An inventory that shows a thing which an event explains.
fn explained(thing: &Thing, attackers: bool) -> Inventory {
    let evidence = Evidence { event_id: "e-9".into(), call: "Create".into(), by: "arn".into(), attackers, at: None };
    Inventory { explained: vec![Explained { thing: thing.clone(), evidence }], ..Inventory::default() }
}

#[test]
fn what_a_credential_of_the_attackers_has_made_keeps_it_shut_until_a_step_or_a_person_answers_for_it() {
    let role = Thing::of_iam("AWS::IAM::Role", "helper", None);
    let sweep = |case: &mut Case, found: &Inventory| {
        let (known, _) = case.incident.hunted.clone().unwrap();
        case.swept(known, None);
        case.looked_at(found.clone());
    };
    let mut case = removed();
    case.minutes(20);
    (0..3).for_each(|_| sweep(&mut case, &explained(&role, false)));
    assert!(case.is_open(), "somebody else's: {:?}", lacking(&case.incident, &case.playbook));

    let mut case = removed();
    case.minutes(20);
    (0..3).for_each(|_| sweep(&mut case, &explained(&role, true)));
    assert_eq!(lacking(&case.incident, &case.playbook).len(), 1, "{:?}", lacking(&case.incident, &case.playbook));
    assert!(case.lacks("AWS::IAM::Role helper in us-east-1 (event e-9), and no step sees to it"));
    let (known, _) = case.incident.hunted.clone().unwrap();
    let shows = [known.footprint.clone(), vec![made("Role", "helper")]].concat();
    case.swept(Hunted { footprint: shows, ..known.clone() }, None);
    assert!(!case.lacks("no step sees to it") && case.lacks("1 thing(s) left to remove"));

    case.swept(known, None);
    case.minutes(20);
    (0..3).for_each(|_| sweep(&mut case, &explained(&role, true)));
    assert!(case.lacks("no step sees to it") && !case.is_open());
    let (_, card) = inventory::shown(&case.incident);
    case.act("U1", PersonCommand::LookAt { shown: card }).unwrap();
    assert!(case.is_open(), "it is its owner's: {:?}", lacking(&case.incident, &case.playbook));
}

#[test]
fn an_instance_that_runs_for_the_attacker_and_that_no_step_ends_keeps_it_shut() {
    let mut case = removed();
    let (known, _) = case.incident.hunted.clone().unwrap();
    let started = [("i-1".to_owned(), "us-east-1".to_owned())];
    // By what it was started was not kept before.
    let known = Hunted { started: started.into(), ..known };
    let runs = explained(&Thing::regional("AWS::EC2::Instance", "i-1", "us-east-1", None), false);
    case.minutes(20);
    for _ in 0..3 {
        case.swept(known.clone(), None);
        case.looked_at(runs.clone());
    }
    assert!(case.lacks("started AWS::EC2::Instance i-1 in us-east-1, which no step ends"));
    let by = [("i-1".to_owned(), "made-sir-1".to_owned())];
    case.swept(Hunted { started_by: by.into(), ..known.clone() }, None);
    assert!(!case.lacks("no step ends") && case.lacks("1 thing(s) left to remove"));
    for _ in 0..2 {
        case.swept(known.clone(), None);
        case.looked_at(Inventory::default());
    }
    assert!(case.is_open(), "it is gone: {:?}", lacking(&case.incident, &case.playbook));
}

#[test]
fn a_credential_report_from_before_the_last_change_says_nothing_about_it() {
    let mut case = removed();
    let (known, _) = case.incident.hunted.clone().unwrap();
    let changed = case.incident.quiet.since.unwrap();
    case.minutes(20);
    for (as_of, sweeps) in [(changed, "0 of 2 sweeps"), (changed + TimeDelta::seconds(1), "")] {
        for _ in 0..3 {
            case.swept(known.clone(), None);
            case.looked_at(Inventory { as_of: Some(as_of), ..Inventory::default() });
        }
        assert_eq!(case.is_open(), sweeps.is_empty(), "{:?}", lacking(&case.incident, &case.playbook));
        assert!(case.is_open() || (case.lacks(sweeps) && case.lacks("from before the last change")));
    }
}

#[test]
fn a_search_without_an_inventory_after_it_is_no_sweep() {
    let mut case = removed();
    let (known, _) = case.incident.hunted.clone().unwrap();
    for _ in 0..3 {
        case.swept(known.clone(), None);
    }
    case.looked(Vec::new(), Vec::new());
    case.looked(Vec::new(), Vec::new());
    assert!(case.lacks("1 of 2 sweeps"));
    // Nor one that began before the search has ended, or of which nobody knows when it began.
    case.swept(known, None);
    let before = Some(case.now - TimeDelta::seconds(1));
    for began_at in [before, None] {
        case.apply(vec![Event::InventoryTaken { found: None, began_at }]);
        assert!(case.lacks("1 of 2 sweeps"));
    }
}

#[test]
fn what_began_before_the_last_change_says_nothing_about_it() {
    let mut case = removed();
    let began_at = case.incident.quiet.since.map(|since| since - TimeDelta::seconds(1));
    let regions = vec![Watched { region: "us-east-1".into(), covered_until: Some(case.now), unread: None }];
    let swept = Box::new(Swept { regions, began_at, ..Swept::default() });
    case.apply(vec![Event::TrailSwept { swept }]);
    case.looked(Vec::new(), Vec::new());
    assert!(case.lacks("0 of 2 sweeps"));
    // And a change after them makes them say nothing.
    case.quiet();
    case.quiet();
    assert!(case.is_open());
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve_newest();
    case.run();
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("neither verified"));
}

#[test]
fn what_is_new_breaks_the_row() {
    let thing = || Thing::of_iam("AWS::IAM::User", "u", None);
    let mut case = removed();
    case.quiet();
    case.swept(Hunted { footprint: group(&[OPENED, OPENED]), ..Hunted::default() }, None);
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("1 thing(s) left to remove"));
    case.looked(Vec::new(), Vec::new());
    assert!(case.lacks("0 of 2 sweeps"), "the search before it has found something");

    let mut case = removed();
    case.quiet();
    let (known, _) = case.incident.hunted.clone().unwrap();
    case.swept(known, None);
    case.looked(vec![thing()], Vec::new());
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("1 thing(s) left to look at"));

    let mut case = removed();
    case.quiet();
    case.quiet();
    let word = Word { about: "203.0.113.7".into(), who: Who::Attacker };
    case.act("U1", PersonCommand::Overrule { word, reason: "it is theirs".into(), clicked_at: case.now }).unwrap();
    assert!(case.lacks("0 of 2 sweeps"), "another question");
}

#[test]
fn what_could_not_be_looked_at_keeps_it_shut() {
    let mut case = removed();
    let (known, _) = case.incident.hunted.clone().unwrap();
    for _ in 0..3 {
        case.swept(known.clone(), Some("denied"));
        case.looked(Vec::new(), Vec::new());
    }
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("not known past the last change") && case.lacks("us-east-1"));
    let gap = Gap { region: "eu-west-3".into(), resource_types: Vec::new(), why: "denied".into() };
    for _ in 0..3 {
        case.swept(known.clone(), None);
        case.looked(Vec::new(), vec![gap.clone()]);
    }
    assert!(case.lacks("0 of 2 sweeps") && case.lacks("eu-west-3"));
    case.quiet();
    case.quiet();
    assert!(case.is_open());
    case.swept(Hunted { not_known: vec!["too much of it".into()], ..known }, None);
    assert!(case.lacks("could not read"));
}

#[test]
fn without_a_proof_it_is_open_only_to_those_who_have_accepted_that() {
    let mut case = Case::new();
    case.swept(Hunted::default(), None);
    contain(&mut case);
    let short = |case: &mut Case| {
        let found = Hunted::default();
        case.now = hunting::due_at(&case.incident).unwrap().max(case.now + TimeDelta::seconds(1));
        let regions = vec![Watched {
            region: "us-east-1".into(),
            covered_until: case.incident.watch.map(|watch| watch.since + TimeDelta::minutes(1)),
            unread: None,
        }];
        let swept = Swept { regions, began_at: Some(case.now), ..Swept::default() };
        let sweep = hunting::Sweep { found, swept, calls: Vec::new() };
        let events = take_report(&case.incident, Report::Hunted(Box::new(sweep)), case.cx());
        case.apply(events);
        case.looked(Vec::new(), Vec::new());
    };
    short(&mut case);
    case.minutes(20);
    short(&mut case);
    assert_eq!(lacking(&case.incident, &case.playbook).len(), 1, "{:?}", lacking(&case.incident, &case.playbook));
    assert!(case.lacks("neither verified"));
    for id in ["U1", "U2"] {
        let shown = containment_shown(&case.incident).unwrap();
        case.act(id, PersonCommand::AcceptRisk { shown, reason: "the shop opens".into() }).unwrap();
    }
    assert!(case.is_open());
}

#[test]
fn a_removal_leaves_what_was_proved_or_accepted_of_the_containment() {
    let mut case = removed();
    let since = case.incident.watch.unwrap().since;
    assert!(case.incident.watch.unwrap().changed_at > since, "AWS is read again from the removal on");
    case.quiet();
    assert!(!case.lacks("neither verified"), "the half hour began with the containment");
}

#[test]
fn a_search_that_began_with_the_last_change_says_nothing_about_it() {
    let mut case = removed();
    let began_at = case.incident.quiet.since;
    let regions = vec![Watched { region: "us-east-1".into(), covered_until: Some(case.now), unread: None }];
    let swept = Box::new(Swept { regions, began_at, ..Swept::default() });
    case.apply(vec![Event::TrailSwept { swept }]);
    case.looked(Vec::new(), Vec::new());
    assert!(case.lacks("0 of 2 sweeps"));
}

#[test]
fn five_regions_are_named_and_of_more_it_is_said_how_many() {
    for (count, named) in [(1, "in r1"), (5, "in r1, r2, r3, r4, r5"), (7, "in r1, r2, r3, r4, r5 and 2 more")] {
        let gap = |n: u32| Gap { region: format!("r{n}"), resource_types: Vec::new(), why: "denied".into() };
        let mut case = removed();
        case.looked(Vec::new(), (1..=count).map(gap).collect());
        let lacking = lacking(&case.incident, &case.playbook);
        assert!(lacking.iter().any(|lack| lack.ends_with(named)), "{named}: {lacking:?}");
    }
}
