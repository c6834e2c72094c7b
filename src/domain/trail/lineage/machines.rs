//! Credentials of machines, which are new every few hours: whose hands they are in shows where they are used.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Walk;
use crate::domain::trail::attribution::is_address;
use crate::domain::trail::event::Event;
use crate::domain::trail::name::Name;
use crate::domain::trail::token::Token;

impl Walk<'_, '_> {
    /// Looks from where a machine has called, and since when.
    pub(super) fn learn_places(&mut self, machine: Token) {
        if self.places.contains_key(&machine) {
            return;
        }
        let events = self.by_token.get(&machine).map(Vec::as_slice).unwrap_or_default();
        let mut places: HashMap<Name, DateTime<Utc>> = HashMap::new();
        for event in events.iter().map(|at| &self.events[*at]).filter(|event| is_address(&event.address)) {
            if let Some(at) = event.at {
                let first = places.entry(Name::clone(&event.address)).or_insert(at);
                *first = at.min(*first);
            }
        }
        self.places.insert(machine, places);
    }

    /// Whether a machine's credentials are used where it had never called from before a time, though it had called: as far
    /// as anybody knows, that is not the machine. One that is stopped and started again has another address too; a
    /// responder can say so.
    pub(super) fn is_elsewhere(&self, event: &Event, machine: Token, before: Option<DateTime<Utc>>) -> bool {
        let (Some(places), Some(before)) = (self.places.get(&machine), before) else { return false };
        places.values().any(|first| *first < before) && places.get(&event.address).is_some_and(|first| *first >= before)
    }
}
