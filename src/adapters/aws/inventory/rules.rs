//! The rules of a Region, on each of its event buses, with what each calls; and whom each bus lets in. AWS does not say when they were made.

use std::iter;

use aws_sdk_eventbridge::types::{EventBus, Rule, RuleState};
use futures_util::future::join_all;

use super::super::fault::{fault, is_missing};
use super::super::regional::Regional;
use super::{AT_ONCE, PAGES_MAX, buses, cut_short};
use crate::domain::inventory::undated::RULE;
use crate::domain::inventory::{Stock, Thing};
use crate::domain::trail::within::{DEFAULT, rule_on};
use crate::ports::{CloudError, Look};

/// Rules of a bus whose targets are read: as many as AWS lets a bus have unless it is asked for more. The others are a gap,
/// like functions beyond their bound: each can reach outside the account.
const OF_BUS_MAX: usize = 300;
/// The same of all buses of a Region together: an attacker can make a hundred of them.
const OF_REGION_MAX: usize = 1_000;
/// Pages of one rule's targets: it has five, unless AWS was asked for more.
const TARGET_PAGES_MAX: usize = 10;
/// Those that a service of AWS's has made and keeps: nobody can have them call anything else. They are counted.
const MANAGED: &str = "AWS::Events::Rule kept by AWS";

/// A rule and the bus that it is on, by name.
struct Placed {
    bus: String,
    rule: Rule,
}

impl Placed {
    fn id(&self) -> String {
        rule_on(&self.bus, self.rule.name().unwrap_or_default())
    }
}

pub(super) async fn read(clients: &Regional, account: &str, region: &str, look: Look<'_>) -> Stock {
    let mut of_buses = Stock::default();
    // Every Region has the default bus: where AWS does not answer, that takes one time-out and not two.
    let (buses, (on_default, mut stock)) = tokio::join!(
        Box::pin(buses::listed(clients, region, &mut of_buses)),
        Box::pin(listed(clients, DEFAULT, region))
    );
    stock.take(of_buses);
    for bus in &buses {
        buses::add_let_in(&mut stock, bus, (account, region), look);
    }
    let (mut wanted, mut all): (Vec<Placed>, usize) = (Vec::new(), 0);
    let others: Vec<&str> = buses.iter().filter_map(EventBus::name).filter(|bus| *bus != DEFAULT).collect();
    let of_others = Box::pin(listed_on(clients, &others, region, &mut stock)).await;
    for (bus, found) in iter::once((DEFAULT, on_default)).chain(others.into_iter().zip(of_others)) {
        let (kept, rules): (Vec<Rule>, Vec<Rule>) = found.into_iter().partition(|rule| rule.managed_by().is_some());
        if !kept.is_empty() {
            *stock.counts.entry(MANAGED.to_owned()).or_default() += kept.len() as u64;
        }
        all += rules.len();
        let room = OF_BUS_MAX.min(OF_REGION_MAX - wanted.len());
        wanted.extend(rules.into_iter().take(room).map(|rule| Placed { bus: bus.to_owned(), rule }));
    }
    let unread = all - wanted.len();
    if unread > 0 {
        let why = format!("of {all} event rules the targets of {unread} are not looked at");
        unlooked(&mut stock, region, unread, why);
    }
    for some in wanted.chunks(AT_ONCE) {
        let reads = join_all(some.iter().map(|placed| Box::pin(aims(clients, placed)))).await;
        for (placed, aims) in some.iter().zip(reads) {
            match aims {
                Ok(Some(aims)) => stock.add_aimed(of_rule(placed, region), account, aims, look.since),
                Ok(None) => {}
                Err(error) => unlooked(&mut stock, region, 1, format!("targets of rule {}: {error}", placed.id())),
            }
        }
    }
    stock
}

/// Rules whose targets are not known are counted and not listed: without them they would look as if they reached nothing, and
/// what is known of them would be taken back.
fn unlooked(stock: &mut Stock, region: &str, rules: usize, why: String) {
    *stock.counts.entry(RULE.to_owned()).or_default() += rules as u64;
    stock.gap(region, &[RULE], why);
}

/// Those of each of these buses: a Region can have hundreds.
async fn listed_on(clients: &Regional, buses: &[&str], region: &str, stock: &mut Stock) -> Vec<Vec<Rule>> {
    let mut of_each = Vec::with_capacity(buses.len());
    for some in buses.chunks(AT_ONCE) {
        let reads = join_all(some.iter().map(|bus| Box::pin(listed(clients, bus, region)))).await;
        for (rules, gaps) in reads {
            of_each.push(rules);
            stock.take(gaps);
        }
    }
    of_each
}

/// Those of a bus, as far as they could be read, and what could not be. A bus that has gone meanwhile has none.
async fn listed(clients: &Regional, bus: &str, region: &str) -> (Vec<Rule>, Stock) {
    let (mut rules, mut stock) = (Vec::new(), Stock::default());
    let mut token: Option<String> = None;
    for page in 0.. {
        if page == PAGES_MAX {
            stock.gap(region, &[RULE], cut_short("rules"));
            break;
        }
        let asked = Box::pin(clients.events.list_rules().event_bus_name(bus).set_next_token(token.take()).send()).await;
        let answer = match asked.map_err(|e| fault("events:ListRules", &e)) {
            Ok(answer) => answer,
            Err(error) if bus != DEFAULT && is_missing(&error) => break,
            Err(error) => {
                stock.gap(region, &[RULE], format!("rules of event bus {bus}: {error}"));
                break;
            }
        };
        rules.extend(answer.rules.unwrap_or_default());
        token = answer.next_token;
        if token.is_none() {
            break;
        }
    }
    (rules, stock)
}

/// What a rule calls and the roles that it acts as, by their ARNs; `None` when it has gone meanwhile.
async fn aims(clients: &Regional, placed: &Placed) -> Result<Option<Vec<String>>, CloudError> {
    let Placed { bus, rule } = placed;
    let mut aims: Vec<String> = rule.role_arn().map(str::to_owned).into_iter().collect();
    let mut token: Option<String> = None;
    for _ in 0..TARGET_PAGES_MAX {
        let request = clients.events.list_targets_by_rule().event_bus_name(bus.as_str()).set_rule(rule.name.clone());
        let asked = Box::pin(request.set_next_token(token.take()).send()).await;
        let answer = match asked.map_err(|e| fault("events:ListTargetsByRule", &e)) {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        for target in answer.targets.unwrap_or_default() {
            aims.push(target.arn);
            aims.extend(target.role_arn);
        }
        token = answer.next_token;
        if token.is_none() {
            break;
        }
    }
    aims.sort_unstable();
    aims.dedup();
    Ok(Some(aims))
}

fn of_rule(placed: &Placed, region: &str) -> Thing {
    let rule = &placed.rule;
    let thing = Thing::regional(RULE, &placed.id(), region, None);
    let thing = match rule.schedule_expression() {
        Some(schedule) => thing.fact(schedule),
        None => thing.fact("on events"),
    };
    if rule.state() == Some(&RuleState::Disabled) { thing.fact("disabled") } else { thing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_where_it_is_when_it_calls_and_whether_it_does() {
        let on = |bus: &str, rule: Rule| of_rule(&Placed { bus: bus.to_owned(), rule }, "eu-west-1");
        let rule =
            Rule::builder().name("tick").schedule_expression("rate(5 minutes)").state(RuleState::Enabled).build();
        let thing = on("default", rule);
        assert_eq!((&*thing.id, &*thing.region, thing.created_at), ("tick", "eu-west-1", None));
        assert_eq!(thing.facts, ["rate(5 minutes)"]);
        let off = Rule::builder().name("off").event_pattern("{}").state(RuleState::Disabled).build();
        let thing = on("orders", off);
        assert_eq!((&*thing.id, &*thing.facts), ("orders/off", &["on events".to_owned(), "disabled".to_owned()][..]));
    }
}
