//! What came of a key, call by call.

use std::collections::{HashMap, HashSet};

use crate::domain::trail::event::Event;
use crate::domain::trail::grant::Grant;

/// Keys that the key's user has handed out, and all that came of those, in whatever order the calls stand.
pub(super) fn handed_on(events: &[Event], is_users: impl Fn(&Event) -> bool) -> HashSet<&str> {
    let mut by_key: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut left: Vec<&str> = Vec::new();
    for event in events.iter().filter(|event| !event.grants.is_empty()) {
        let keys = event.grants.iter().filter_map(|grant| match grant {
            Grant::Key { id, .. } => Some(id.as_str()),
            _ => None,
        });
        if is_users(event) {
            left.extend(keys);
        } else {
            by_key.entry(event.caller.key.as_ref()).or_default().extend(keys);
        }
    }
    let mut handed: HashSet<&str> = HashSet::new();
    while let Some(key) = left.pop() {
        if handed.insert(key) {
            left.extend(by_key.remove(key).unwrap_or_default());
        }
    }
    handed
}
