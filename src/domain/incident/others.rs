//! Who else uses the stolen key: what stops with it, and might be given another one first.

use core::net::IpAddr;
use std::collections::BTreeSet;

use super::hunting::suspects;
use super::state::Incident;
use crate::domain::blast_radius::Tally;
use crate::domain::trail::attribution::Who;

/// From where the key was used by others than the attacker, as far as is known. Nothing as long as no address of the
/// attacker's is known: nobody can tell then whose use it is.
pub fn used_from(incident: &Incident) -> Vec<&Tally> {
    let theirs = of_the_attacker(incident);
    let Some(reach) = incident.reach().filter(|_| !theirs.is_empty()) else { return Vec::new() };
    // What is no address is AWS, which carries out what somebody has asked of it: whoever that is has an address.
    let is_of_others = |tally: &&Tally| is_address(&tally.name) && !theirs.contains(&tally.name);
    reach.usage.addresses.iter().filter(is_of_others).filter(|tally| !is_a_responders(incident, &tally.name)).collect()
}

/// What the alerts, the searches and the responders call the attacker's. The newest word on an address counts.
fn of_the_attacker(incident: &Incident) -> BTreeSet<String> {
    let found = incident.hunted.iter().flat_map(|(hunted, _)| hunted.addresses.iter().cloned());
    let mut theirs: BTreeSet<String> = suspects(incident).into_iter().chain(found).collect();
    for said in &incident.overruled {
        if said.word.who.is_attacker() {
            theirs.insert(said.word.about.clone());
        } else {
            theirs.remove(&said.word.about);
        }
    }
    // Words are about keys and principals too, and behind an endpoint many have the same address.
    theirs.retain(|place| is_address(place));
    theirs
}

/// The team's own use: nothing of theirs has to be kept up.
fn is_a_responders(incident: &Incident, address: &str) -> bool {
    let said = incident.overruled.iter().rev().find(|said| said.word.about == address);
    said.is_some_and(|said| said.word.who == Who::Responder)
}

fn is_address(place: &str) -> bool {
    place.parse::<IpAddr>().is_ok()
}
