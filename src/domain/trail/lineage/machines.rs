//! Credentials of machines, which are new every few hours: whose hands they are in shows where they are used.

use core::net::IpAddr;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Walk;
use crate::domain::trail::event::Event;
use crate::domain::trail::record::{address_of, is_private};
use crate::domain::trail::token::Token;

/// When a machine first called from each address. A machine calls each service through another VPC endpoint, and from one
/// address of its own.
pub(super) type Places = HashMap<IpAddr, DateTime<Utc>>;

impl Walk<'_, '_> {
    /// Looks from where a machine has called, and since when.
    pub(super) fn learn_places(&mut self, machine: Token) {
        if self.places.contains_key(&machine) {
            return;
        }
        let events = self.by_token.get(&machine).map(Vec::as_slice).unwrap_or_default();
        let mut places = Places::new();
        for event in events.iter().map(|at| &self.events[*at]) {
            if let (Some(address), Some(at)) = (ip(event), event.at) {
                let first = places.entry(address).or_insert(at);
                *first = at.min(*first);
            }
        }
        self.places.insert(machine, places);
    }

    /// Whether a machine's credentials are used where it had never called from before a time, though it had called from
    /// an address of the same kind: as far as anybody knows, that is not the machine. One that is stopped and started
    /// again has another public address too; a responder can say so, and nothing else follows from such an address.
    pub(super) fn is_elsewhere(&self, event: &Event, machine: Token, before: Option<DateTime<Utc>>) -> bool {
        let (Some(places), Some(before), Some(here)) = (self.places.get(&machine), before, ip(event)) else {
            return false;
        };
        let alike = |other: &IpAddr| other.is_ipv4() == here.is_ipv4() && is_private(*other) == is_private(here);
        places.get(&here).is_some_and(|first| *first >= before)
            && places.iter().any(|(other, first)| *first < before && alike(other))
    }
}

fn ip(event: &Event) -> Option<IpAddr> {
    address_of(&event.address).0.parse().ok()
}
