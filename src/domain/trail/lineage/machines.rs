//! Credentials of machines, which are new every few hours: whose hands they are in shows where they are used.

use core::net::IpAddr;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Walk;
use crate::domain::trail::event::Event;
use crate::domain::trail::record::{address_of, is_private};
use crate::domain::trail::token::Token;

/// When a machine first called from each address, and through each VPC endpoint. A machine calls each service through
/// another endpoint, and one that is a node of a cluster from another private address for each of its pods.
#[derive(Default)]
pub(super) struct Places {
    addresses: HashMap<IpAddr, DateTime<Utc>>,
    endpoints: HashMap<Box<str>, DateTime<Utc>>,
}

impl Walk<'_, '_> {
    /// Looks from where a machine has called, and since when.
    pub(super) fn learn_places(&mut self, machine: Token) {
        if self.places.contains_key(&machine) {
            return;
        }
        let events = self.by_token.get(&machine).map(Vec::as_slice).unwrap_or_default();
        let mut places = Places::default();
        for event in events.iter().map(|at| &self.events[*at]) {
            let (Some(address), Some(at)) = (ip(event), event.at) else { continue };
            let first = places.addresses.entry(address).or_insert(at);
            *first = at.min(*first);
            if let Some(endpoint) = address_of(&event.address).1 {
                let first = places.endpoints.entry(endpoint.into()).or_insert(at);
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
        let new_address = places.addresses.get(&here).is_some_and(|first| *first >= before);
        let endpoint = address_of(&event.address).1;
        let new_endpoint = || endpoint.is_some_and(|id| places.endpoints.get(id).is_some_and(|first| *first >= before));
        new_address
            && (!is_private(here) || new_endpoint())
            && places.addresses.iter().any(|(other, first)| *first < before && alike(other))
    }
}

fn ip(event: &Event) -> Option<IpAddr> {
    address_of(&event.address).0.parse().ok()
}
