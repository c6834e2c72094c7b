//! Credentials of machines, which are new every few hours: whose hands they are in shows where they are used.

use core::net::IpAddr;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Walk;
use super::ways::Ways;
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::Grant;
use crate::domain::trail::record::{address_of, is_private};
use crate::domain::trail::token::{Token, role_session};
use crate::domain::trail::way::Kind;

/// With these roles an instance calls whatever its profile is: for EC2 itself, and for Systems Manager where an account lets
/// it manage all instances. No role of anybody's has a colon in its name.
const WITHOUT_A_PROFILE: [&str; 2] = ["aws:", "AWSSystemsManagerDefaultEC2InstanceManagementRole"];

/// When a machine first called from each address, and through each VPC endpoint. A machine calls each service through
/// another endpoint, and one that is a node of a cluster from another private address for each of its pods.
#[derive(Default)]
pub(super) struct Places {
    addresses: HashMap<IpAddr, DateTime<Utc>>,
    endpoints: HashMap<Box<str>, DateTime<Utc>>,
    /// All these times, in order.
    firsts: Vec<DateTime<Utc>>,
    /// When it first called from an address of each sort.
    sorts: HashMap<(bool, bool), DateTime<Utc>>,
}

impl Places {
    /// To how many places the machine had come before a time: two times of the same number tell the same of it.
    pub(super) fn before(&self, time: Option<DateTime<Utc>>) -> Option<usize> {
        time.map(|time| self.firsts.partition_point(|first| *first < time))
    }
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
        places.firsts = places.addresses.values().chain(places.endpoints.values()).copied().collect();
        places.firsts.sort_unstable();
        for (address, first) in &places.addresses {
            let earliest = places.sorts.entry(sort_of(*address)).or_insert(*first);
            *earliest = (*first).min(*earliest);
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
        let new_address = places.addresses.get(&here).is_some_and(|first| *first >= before);
        let endpoint = address_of(&event.address).1;
        let new_endpoint = || endpoint.is_some_and(|id| places.endpoints.get(id).is_some_and(|first| *first >= before));
        new_address
            && (!is_private(here) || new_endpoint())
            && places.sorts.get(&sort_of(here)).is_some_and(|first| *first < before)
    }

    /// When a machine first called from the address of an event: only what was opened by then can show that it is elsewhere.
    pub(super) fn was_here(&self, event: &Event, machine: Token) -> Option<DateTime<Utc>> {
        self.places.get(&machine)?.addresses.get(&ip(event)?).copied()
    }

    /// Whether an instance's session is there only for the profile that an event has given it: it began while nobody had
    /// given it another, and the instance had never been seen with its role before. Mostly a profile is called like its role.
    pub(super) fn is_given(&self, event: &Event, machine: Token, by: usize, profile: Option<&str>) -> bool {
        let Some((account, role, session)) = session_of(event) else { return false };
        let began_at = event.caller.session_began_at.or(event.at);
        let since = self.events[by].at.zip(began_at).is_none_or(|(given_at, began_at)| began_at >= given_at);
        let first = self.by_token.get(&Token::session(account, role, session)).and_then(|calls| calls.first().copied());
        // What the attacker had given it earlier was never its own.
        let is_own = first.is_some_and(|first| first < by && self.used[first].is_none());
        let can_be = profile == Some(role) || !WITHOUT_A_PROFILE.iter().any(|other| role.starts_with(other));
        since && can_be && !is_own && self.is_last(machine, by, began_at)
    }

    /// Has a session looked at again whose first call was not its machine's own after all.
    pub(super) fn look_at_session(&mut self, first: usize) {
        let Some((account, role, session)) = session_of(&self.events[first]) else { return };
        let has_profile = |ways: &Ways| ways.iter().any(|way| matches!(way.kind, Kind::Profile { .. }));
        if !self.ways.get(&Token::machine(session)).is_some_and(has_profile) {
            return;
        }
        let calls = self.by_token.get(&Token::session(account, role, session));
        let calls = calls.filter(|calls| calls.first() == Some(&first)).cloned().unwrap_or_default();
        for call in calls {
            self.look_again(call);
        }
    }
}

/// The account, role and name of the session that has called, or that AWS has made by a call.
fn session_of(event: &Event) -> Option<(&str, &str, &str)> {
    let made = || {
        event.grants.iter().find_map(|grant| match grant {
            Grant::Key { holder: Some(holder), .. } => role_session(holder),
            _ => None,
        })
    };
    role_session(&event.caller.arn).or_else(made)
}

/// Addresses of one sort can take each other's place: those of the same protocol, private or not.
fn sort_of(address: IpAddr) -> (bool, bool) {
    (address.is_ipv4(), is_private(address))
}

fn ip(event: &Event) -> Option<IpAddr> {
    address_of(&event.address).0.parse().ok()
}
