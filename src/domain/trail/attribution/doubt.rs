//! Whose calls they are that only the time would tell apart, where nobody knows when the credential was stolen.

use std::collections::{BTreeMap, BTreeSet};

use super::{HABIT, is_address, is_hostile};
use crate::domain::trail::event::Event;
use crate::domain::trail::name::Name;

/// Addresses that cannot be the owner's even so: something hostile came from them, all of it within a day and long after the
/// places at which the key was at work without that. Whoever does such things now and then can be the owner, wherever they
/// do them from.
pub(super) fn strangers(owner: &BTreeMap<(Name, String), Name>, of_the_user: &[&Event]) -> BTreeSet<Name> {
    let comes_from_somewhere = |event: &Event| is_address(&event.address) && is_hostile(event);
    let hostile: Vec<&Event> = of_the_user.iter().copied().filter(|event| comes_from_somewhere(event)).collect();
    let first_at = hostile.iter().filter_map(|event| event.at).min();
    let last_at = hostile.iter().filter_map(|event| event.at).max();
    let at_once = first_at.zip(last_at).is_some_and(|(first, last)| last - first < HABIT);
    if owner.is_empty() || !at_once {
        return BTreeSet::new();
    }
    let owners: BTreeSet<&Name> = owner.keys().map(|(address, _)| address).collect();
    hostile.into_iter().map(|event| &event.address).filter(|address| !owners.contains(address)).cloned().collect()
}
