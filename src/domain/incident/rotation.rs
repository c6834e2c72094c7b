//! What the attacker has read and knows from then on: each secret and parameter is a step for people, who change it where it
//! is used. No value is known here, and no call of the bot's changes one.

use std::collections::{BTreeMap, BTreeSet};

use super::eradication::step_suffix;
use super::remains::BY_HAND;
use super::state::Incident;
use super::steps::{Offer, Step};
use crate::domain::id::StepId;

/// What such a step's name goes on with.
const ROTATE: &str = "rotate.";
/// What stands before the name on the rotation list.
const KINDS: [&str; 2] = ["AWS::SecretsManager::Secret ", "AWS::SSM::Parameter "];

/// Whether a step is one of these.
pub fn is_rotation(step: &StepId) -> bool {
    step.as_str().strip_prefix(BY_HAND).is_some_and(|rest| rest.starts_with(ROTATE))
}

/// A step for each, by name. The same name in several Regions is one step.
pub(super) fn steps(incident: &Incident) -> Vec<Step> {
    let mut read: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in incident.hunted.iter().flat_map(|(found, _)| &found.rotate) {
        read.entry(&one.what).or_default().insert(&one.event_id);
    }
    read.iter().filter_map(|(what, events)| step(what, events)).collect()
}

/// What stands for the evidence names the last calls that have read it: whoever reads it once more has to be answered anew.
fn step(what: &str, events: &BTreeSet<&str>) -> Option<Step> {
    let events = events.iter().copied().collect::<Vec<_>>().join(", ");
    let why =
        format!("The attacker has read it, and knows what it held. Events that show that, the last ones: {events}.");
    let instead =
        "Put a new value in, give it to whatever uses it, and end what was made or signed in with the old one. While \
                   containment is not in force, the attacker can read the new value too: change it again after that."
            .to_owned();
    Some(Step {
        id: format!("{BY_HAND}{ROTATE}{}", step_suffix(what)).parse().ok()?,
        title: format!("Change by hand: {what}"),
        why: why.clone(),
        offer: Offer::Refused { why, instead, commands: Vec::new() },
    })
}

/// The name of what such a step is about, without its kind.
pub fn name(step: &Step) -> &str {
    let what = step.title.split_once(": ").map_or(step.title.as_str(), |(_, what)| what);
    KINDS.iter().find_map(|kind| what.strip_prefix(kind)).unwrap_or(what)
}
