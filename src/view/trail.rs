//! What the logs say about a stolen credential, for people: in a terminal and in a browser. Pure; everything in it comes
//! from outside and is escaped where it is written.

use crate::domain::trail::analysis::{Action, Analysis};
use crate::domain::trail::classify::{Category, Outcome};

pub mod graph;
pub mod html;
pub mod text;
pub mod timeline;

/// One line about how it is, before everything else.
pub fn verdict(analysis: &Analysis) -> String {
    let events = &analysis.events;
    if events.attributed == 0 {
        return format!(
            "None of {} records is a call of the attacker's. That is no proof that there was none.",
            events.read
        );
    }
    let asked = analysis.asked.credentials.len() + analysis.asked.principals.len();
    let others = analysis.credentials.len().saturating_sub(asked);
    let reached = match others {
        0 => "No other credential was reached.".to_owned(),
        1 => "One more credential was reached.".to_owned(),
        n => format!("{n} more credentials were reached."),
    };
    format!(
        "The attacker made {} calls: {} changed something, {} were refused, {} failed otherwise. {reached}",
        events.attributed, events.succeeded_mutations, events.denied, events.failed
    )
}

/// The actions of one category that say something, the same ones together: how often, and the first of them.
pub fn alike(actions: &[Action], category: Category) -> Vec<(usize, &Action)> {
    let mut groups: Vec<(usize, &Action)> = Vec::new();
    let mut places: std::collections::HashMap<(&str, &str, Outcome, &[String]), usize> =
        std::collections::HashMap::new();
    for action in actions.iter().filter(|action| action.category == category) {
        let key = (&*action.event_source, &*action.event_name, action.outcome, &action.resources[..]);
        if let Some(place) = places.get(&key) {
            groups[*place].0 += 1;
        } else {
            places.insert(key, groups.len());
            groups.push((1, action));
        }
    }
    groups
}
