//! Rules and permissions of every event bus of a Region: an attacker can make a bus of their own.

use chrono::TimeDelta;
use irp::domain::inventory::Stock;
use irp_sandbox::aws::Fault;

use crate::inventory::stock;
use crate::world::{ANA, World};

const CARD: &str = "Inventory";
const HOME: &str = "us-east-1";
const RULE: &str = "AWS::Events::Rule";
const PERMISSION: &str = "AWS::Events::EventBusPolicy";
/// An event bus of another account.
const THIEVES_BUS: &str = "arn:aws:events:us-east-1:444455556666:event-bus/in";
const THIEVES: &str = "444455556666";

/// The ids of a kind, each with whether somebody has to look at it.
fn undated<'s>(stock: &'s Stock, kind: &str) -> Vec<(&'s str, bool)> {
    let of = stock.undated.iter().filter(|thing| thing.resource_type == kind);
    of.map(|thing| (thing.id.as_str(), thing.exposed)).collect()
}

fn gaps(stock: &Stock) -> Vec<(&str, Vec<&str>)> {
    stock.gaps.iter().map(|gap| (gap.why.as_str(), gap.resource_types.iter().map(String::as_str).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_every_bus_are_read_with_whom_each_bus_lets_in() {
    let w = World::without_bot(false).await;
    let events = w.hands().events();
    events.create_event_bus().name("orders").send().await.unwrap();
    for bus in ["default", "orders"] {
        let put = events.put_permission().event_bus_name(bus).statement_id("own").action("events:PutEvents");
        put.principal("111122223333").send().await.unwrap();
    }
    let let_in = events.put_permission().statement_id("in").action("events:PutEvents").principal(THIEVES);
    let_in.send().await.unwrap();
    for name in ["nightly-batch", "out"] {
        let put = events.put_rule().event_bus_name("orders").name(name);
        put.event_pattern(r#"{"source":["app"]}"#).send().await.unwrap();
    }
    w.account.put_rule_unlogged(HOME, "orders/out", THIEVES_BUS);
    let found = stock(&w, &[], &[]).await;
    assert_eq!(
        undated(&found, RULE),
        [("nightly-batch", false), ("orders/nightly-batch", false), ("orders/out", true)]
    );
    assert_eq!(undated(&found, PERMISSION), [("default", true)], "the account itself is no stranger");
    let permission = found.undated.iter().find(|thing| thing.resource_type == PERMISSION).unwrap();
    let whom = "lets in arn:aws:iam::444455556666:root";
    assert_eq!((permission.part.as_deref(), permission.facts[0].as_str()), (Some("in"), whom));
    assert!(found.gaps.is_empty() && found.counts[RULE] == 3, "{:?} {:?}", found.gaps, found.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn buses_come_page_by_page() {
    let w = World::without_bot(false).await;
    for n in 0..120 {
        w.account.make_bus_unlogged(HOME, &format!("bus-{n:03}"), "in", THIEVES);
    }
    w.account.put_rule_unlogged(HOME, "bus-119/out", THIEVES_BUS);
    let found = stock(&w, &[], &[]).await;
    assert_eq!(w.account.count("ListEventBuses"), 2, "a hundred a page");
    assert_eq!(undated(&found, PERMISSION).len(), 120);
    assert!(undated(&found, RULE).contains(&("bus-119/out", true)), "{:?}", undated(&found, RULE));
    assert!(found.gaps.is_empty(), "{:?}", found.gaps);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_buses_or_the_rules_of_one_has_a_gap_and_still_sees_the_rest() {
    let w = World::without_bot(false).await;
    w.account.make_bus_unlogged(HOME, "orders", "in", THIEVES);
    w.account.put_rule_unlogged(HOME, "orders/out", THIEVES_BUS);
    w.account.fail_next("ListEventBuses", Fault::AccessDenied);
    let found = stock(&w, &[], &[]).await;
    let said = gaps(&found);
    let [(why, types)] = &said[..] else { panic!("{said:?}") };
    assert!(why.starts_with("event buses: ") && why.contains("events:ListEventBuses"), "{why}");
    assert_eq!(types, &[RULE, PERMISSION]);
    assert_eq!(undated(&found, RULE), [("nightly-batch", false)], "every Region has the default one");

    w.account.fail_next("ListRules", Fault::AccessDenied);
    let found = stock(&w, &[], &[]).await;
    let said = gaps(&found);
    let [(why, types)] = &said[..] else { panic!("{said:?}") };
    assert!(why.starts_with("rules of event bus default: "), "{why}");
    assert_eq!(types, &[RULE]);
    assert_eq!(undated(&found, RULE), [("orders/out", true)]);
    assert_eq!(undated(&found, PERMISSION), [("orders", true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bus_lets_in_and_sends_out_is_listed_with_its_event_or_is_looked_at() {
    let w = World::start().await;
    let events = w.hands().events();
    events.create_event_bus().name("returns").send().await.unwrap();
    let let_in = events.put_permission().event_bus_name("returns").statement_id("known");
    let_in.action("events:PutEvents").principal(THIEVES).send().await.unwrap();
    let put = events.put_rule().event_bus_name("returns").name("tick");
    put.event_pattern(r#"{"source":["app"]}"#).send().await.unwrap();
    w.account.make_bus_unlogged(HOME, "orders", "in", THIEVES);
    w.account.put_rule_unlogged(HOME, "orders/out", THIEVES_BUS);
    // The trail shows it by now.
    w.clock.advance(TimeDelta::minutes(6));
    w.incident().await;
    w.clock.advance(TimeDelta::minutes(3));
    let shows = |w: &World, says: &str| w.card(ANA, CARD).is_some_and(|card| card["blocks"].to_string().contains(says));
    let counts = "State only, no date:* 2 event rule(s), 1 permission(s) of functions and event buses";
    w.until("they are listed", |w| shows(w, counts)).await;
    for says in [
        "AWS::Events::Rule `orders/out` in `us-east-1`, no date: calls arn:aws:events:us-east-1:444455556666:event-bus/in, \
         which is of another account, on events",
        "AWS::Events::EventBusPolicy `orders` `in` in `us-east-1`, no date: lets in arn:aws:iam::444455556666:root",
        "AWS::Events::Rule `returns/tick`: PutRule by `arn:aws:iam::111122223333:user/release-bot`",
        "AWS::Events::EventBusPolicy `returns` `known`: PutPermission by `arn:aws:iam::111122223333:user/release-bot`",
    ] {
        assert!(shows(&w, says), "{says}: {}", w.card(ANA, CARD).unwrap()["blocks"]);
    }
    w.clock.advance(TimeDelta::minutes(16));
    w.until_card(CARD, "2 thing(s) that no event explains").await;
    w.end().await;
}
