//! Who else uses the stolen key.

use super::case::{Case, alert, user};
use crate::domain::alert::Alert;
use crate::domain::blast_radius::{BlastRadius, Usage};
use crate::domain::hunt::Hunted;
use crate::domain::incident::event::Event;
use crate::domain::incident::others::used_from;
use crate::domain::trail::attribution::{Who, Word};

const THIEF: &str = "198.51.100.77";
const THIEF_AGAIN: &str = "2001:db8::77";
const BUILDS: &str = "203.0.113.9";
const DESK: &str = "192.0.2.4";

fn used(case: &mut Case, places: &[&str]) {
    let mut usage = Usage { days_read: 14, ..Usage::default() };
    for place in places {
        usage.count(case.now, "s3.amazonaws.com", place, "s");
    }
    case.apply(vec![Event::BlastRadiusRead { found: BlastRadius { usage, ..BlastRadius::default() } }]);
}

fn seen_from(case: &mut Case, address: &str) {
    let remote_address = Some(address.to_owned());
    case.apply(vec![Event::AlertReceived { alert: Alert { remote_address, ..alert("d2") } }]);
}

fn said(case: &mut Case, about: &str, who: Who) {
    let word = Word { about: about.to_owned(), who };
    case.apply(vec![Event::AttributionOverruled { word, by: user("U1"), reason: "I know it".into() }]);
}

fn others(case: &Case) -> Vec<&str> {
    used_from(&case.incident).into_iter().map(|tally| tally.name.as_str()).collect()
}

#[test]
fn others_use_the_key_from_where_the_attacker_is_not_known_to_be() {
    let mut case = Case::new();
    used(&mut case, &[THIEF, BUILDS]);
    assert_eq!(others(&case), [""; 0], "nobody can tell whose use it is");
    seen_from(&mut case, THIEF);
    assert_eq!(others(&case), [BUILDS]);
    used(&mut case, &[THIEF]);
    assert_eq!(others(&case), [""; 0], "the attacker alone uses it");
    // What the attacker did may not be in the event history.
    used(&mut case, &[BUILDS]);
    assert_eq!(others(&case), [BUILDS]);
}

#[test]
fn aws_that_carries_out_what_somebody_has_asked_for_is_nobody_else() {
    let mut case = Case::new();
    seen_from(&mut case, THIEF);
    used(&mut case, &[THIEF, "cloudformation.amazonaws.com", "AWS Internal"]);
    assert_eq!(others(&case), [""; 0]);
}

#[test]
fn another_place_that_a_search_has_shown_to_be_the_attackers_is_theirs_too() {
    let mut case = Case::new();
    seen_from(&mut case, THIEF);
    used(&mut case, &[THIEF, THIEF_AGAIN, BUILDS]);
    assert_eq!(others(&case), [THIEF_AGAIN, BUILDS]);
    let addresses = vec![THIEF_AGAIN.to_owned(), format!("{BUILDS} through vpce-1")];
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { addresses, ..Hunted::default() }) }]);
    assert_eq!(others(&case), [BUILDS], "through an endpoint many have the same address");
}

#[test]
fn what_a_responder_says_last_of_a_place_counts() {
    let mut case = Case::new();
    used(&mut case, &[THIEF, BUILDS, DESK]);
    said(&mut case, "AKIAIOSFODNN7EXAMPLE", Who::Attacker);
    assert_eq!(others(&case), [""; 0], "a key says nothing about a place");
    said(&mut case, BUILDS, Who::Attacker);
    assert_eq!(others(&case), [THIEF, DESK]);
    seen_from(&mut case, THIEF);
    said(&mut case, BUILDS, Who::Owner);
    assert_eq!(others(&case), [BUILDS, DESK]);
    said(&mut case, DESK, Who::Responder);
    assert_eq!(others(&case), [BUILDS], "of the team's own use nothing has to be kept up");
    said(&mut case, THIEF, Who::Owner);
    assert_eq!(others(&case), [""; 0], "no place of the attacker's is known any more");
}
