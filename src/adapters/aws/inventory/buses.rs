//! The event buses of a Region, and whom their policies let in from outside the account.

use aws_sdk_eventbridge::types::EventBus;

use super::super::fault::fault;
use super::super::regional::Regional;
use super::{PAGES_MAX, cut_short};
use crate::domain::inventory::strangers::strangers;
use crate::domain::inventory::undated::{BUS, BUS_PERMISSION, RULE};
use crate::domain::inventory::{Stock, Thing};
use crate::domain::trail::within::DEFAULT;
use crate::ports::Look;

/// As far as they could be read, the default one first: it is there though nobody says which others are.
pub(super) async fn listed(clients: &Regional, region: &str, stock: &mut Stock) -> Vec<EventBus> {
    let mut buses = Vec::new();
    let mut token: Option<String> = None;
    for page in 0.. {
        if page == PAGES_MAX {
            stock.gap(region, &[RULE, BUS_PERMISSION], cut_short("event buses"));
            break;
        }
        let asked = Box::pin(clients.events.list_event_buses().set_next_token(token.take()).send()).await;
        let answer = match asked.map_err(|e| fault("events:ListEventBuses", &e)) {
            Ok(answer) => answer,
            Err(error) => {
                stock.gap(region, &[RULE, BUS_PERMISSION], format!("event buses: {error}"));
                break;
            }
        };
        buses.extend(answer.event_buses.unwrap_or_default());
        token = answer.next_token;
        if token.is_none() {
            break;
        }
    }
    with_default_first(buses)
}

fn with_default_first(mut buses: Vec<EventBus>) -> Vec<EventBus> {
    let is_default = |bus: &EventBus| bus.name() == Some(DEFAULT);
    if !buses.iter().any(is_default) {
        buses.push(EventBus::builder().name(DEFAULT).build());
    }
    buses.sort_by_key(|bus| !is_default(bus));
    buses
}

/// Each statement of a bus's policy that lets in somebody from elsewhere. A policy that cannot be read can let in anybody.
pub(super) fn add_let_in(stock: &mut Stock, bus: &EventBus, (account, region): (&str, &str), look: Look<'_>) {
    let name = bus.name().unwrap_or(DEFAULT);
    let Some(strangers) = strangers(bus.policy().unwrap_or_default(), account) else {
        let why = format!("permissions of event bus {name}: its policy cannot be read");
        stock.gap(region, &[BUS_PERMISSION], why);
        return;
    };
    for stranger in strangers {
        let says = stranger.says();
        let permission = Thing::regional(BUS_PERMISSION, name, region, None).part(&stranger.statement);
        let permission = permission.owned_by(BUS, name).letting_in(stranger.lets_in());
        let permission = if stranger.of_organization { permission.fact(says) } else { permission.exposing(says) };
        stock.add(permission, look.since);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;

    use super::*;

    fn let_in(policy: &str) -> Stock {
        let mut stock = Stock::default();
        let look = Look { regions: &[], since: DateTime::UNIX_EPOCH, users: &BTreeSet::new() };
        let bus = EventBus::builder().name("orders").policy(policy).build();
        add_let_in(&mut stock, &bus, ("111122223333", "us-east-1"), look);
        stock
    }

    #[test]
    fn statements_are_told_apart_by_their_ids_and_else_by_whom_they_let_in() {
        let keys = |policy: &str| -> BTreeSet<String> { let_in(policy).undated.iter().map(Thing::key).collect() };
        let allow = |more: &str, whom: &str| format!(r#"{{{more}"Effect":"Allow","Principal":{{"AWS":"{whom}"}}}}"#);
        let of = |sid: &str, whom: &str| keys(&format!(r#"{{"Statement":[{}]}}"#, allow(sid, whom)));
        let both = format!(
            r#"{{"Statement":[{},{}]}}"#,
            allow(r#""Action":"events:PutEvents","#, "444455556666"),
            allow(r#""Action":"events:PutRule","#, "444455556666")
        );
        assert_eq!(keys(&both).len(), 2, "neither has an id");
        let sid = r#""Sid":"x","#;
        assert_ne!(of(sid, "444455556666"), of(sid, "555566667777"), "put anew for somebody else it is another");
        assert_eq!(of(sid, "444455556666"), of(sid, "arn:aws:iam::444455556666:root"));
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_a_gap() {
        let found = let_in("{");
        let [gap] = &found.gaps[..] else { panic!("{found:?}") };
        assert_eq!(gap.why, "permissions of event bus orders: its policy cannot be read");
        assert_eq!(gap.resource_types, [BUS_PERMISSION]);
        assert!(let_in("").gaps.is_empty() && let_in("{}").gaps.is_empty());
    }

    #[test]
    fn the_default_bus_is_the_first_whether_aws_names_it_or_not() {
        let bus = |name: &str| EventBus::builder().name(name).build();
        let names = |buses: Vec<EventBus>| -> Vec<String> {
            with_default_first(buses).into_iter().filter_map(|bus| bus.name).collect()
        };
        assert_eq!(names(vec![]), ["default"]);
        assert_eq!(names(vec![bus("a"), bus("default"), bus("z")]), ["default", "a", "z"]);
        assert_eq!(names(vec![bus("a")]), ["default", "a"]);
    }
}
