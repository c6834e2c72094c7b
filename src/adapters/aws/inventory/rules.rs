//! The rules of a Region's own event bus, each with what it calls. AWS does not say when they were made.

use aws_sdk_eventbridge::types::{Rule, RuleState};
use futures_util::future::join_all;

use super::super::fault::{fault, is_missing};
use super::super::regional::Regional;
use super::{AT_ONCE, PAGES_MAX, cut_short};
use crate::domain::inventory::undated::RULE;
use crate::domain::inventory::{Stock, Thing};
use crate::ports::{CloudError, Look};

/// Rules of a Region whose targets are read: as many as AWS lets a bus have unless it is asked for more. The others are a gap,
/// like functions beyond their bound: each can reach outside the account.
const TARGETS_ALL: usize = 300;
/// Pages of one rule's targets: it has five, unless AWS was asked for more.
const TARGET_PAGES_MAX: usize = 10;
/// Those that a service of AWS's has made and keeps: nobody can have them call anything else. They are counted.
const MANAGED: &str = "AWS::Events::Rule kept by AWS";

pub(super) async fn read(clients: &Regional, account: &str, region: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let (managed, rules): (Vec<Rule>, Vec<Rule>) =
        listed(clients, region, &mut stock).await.into_iter().partition(|rule| rule.managed_by().is_some());
    if !managed.is_empty() {
        stock.counts.insert(MANAGED.to_owned(), managed.len() as u64);
    }
    let (read, unread) = rules.split_at(rules.len().min(TARGETS_ALL));
    if !unread.is_empty() {
        let why = format!("of {} event rules the targets of {} are not looked at", rules.len(), unread.len());
        unlooked(&mut stock, region, unread.len(), why);
    }
    for some in read.chunks(AT_ONCE) {
        let reads = join_all(some.iter().map(|rule| Box::pin(aims(clients, rule)))).await;
        for (rule, aims) in some.iter().zip(reads) {
            match aims {
                Ok(Some(aims)) => stock.add_aimed(of_rule(rule, region), account, aims, look.since),
                Ok(None) => {}
                Err(error) => {
                    let why = format!("targets of rule {}: {error}", rule.name().unwrap_or_default());
                    unlooked(&mut stock, region, 1, why);
                }
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

/// As far as they could be read.
async fn listed(clients: &Regional, region: &str, stock: &mut Stock) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut token: Option<String> = None;
    for page in 0.. {
        if page == PAGES_MAX {
            stock.gap(region, &[RULE], cut_short("rules"));
            break;
        }
        let asked = Box::pin(clients.events.list_rules().set_next_token(token.take()).send()).await;
        let answer = match asked.map_err(|e| fault("events:ListRules", &e)) {
            Ok(answer) => answer,
            Err(error) => {
                stock.gap(region, &[RULE], error.to_string());
                break;
            }
        };
        rules.extend(answer.rules.unwrap_or_default());
        token = answer.next_token;
        if token.is_none() {
            break;
        }
    }
    rules
}

/// What a rule calls and the roles that it acts as, by their ARNs; `None` when it has gone meanwhile.
async fn aims(clients: &Regional, rule: &Rule) -> Result<Option<Vec<String>>, CloudError> {
    let mut aims: Vec<String> = rule.role_arn().map(str::to_owned).into_iter().collect();
    let mut token: Option<String> = None;
    for _ in 0..TARGET_PAGES_MAX {
        let request = clients.events.list_targets_by_rule().set_rule(rule.name.clone()).set_next_token(token.take());
        let answer = match Box::pin(request.send()).await.map_err(|e| fault("events:ListTargetsByRule", &e)) {
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

fn of_rule(rule: &Rule, region: &str) -> Thing {
    let thing = Thing::regional(RULE, rule.name().unwrap_or_default(), region, None);
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
    fn a_rule_says_when_it_calls_and_whether_it_does() {
        let rule =
            Rule::builder().name("tick").schedule_expression("rate(5 minutes)").state(RuleState::Enabled).build();
        let thing = of_rule(&rule, "eu-west-1");
        assert_eq!((&*thing.id, &*thing.region, thing.created_at), ("tick", "eu-west-1", None));
        assert_eq!(thing.facts, ["rate(5 minutes)"]);
        let off = Rule::builder().name("off").event_pattern("{}").state(RuleState::Disabled).build();
        assert_eq!(of_rule(&off, "eu-west-1").facts, ["on events", "disabled"]);
    }
}
