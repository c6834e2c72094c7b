//! Reads a rule of `EventBridge` with its targets.

use std::collections::BTreeMap;

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use aws_sdk_eventbridge::Client;
use serde_json::Value;

use super::{fault, present};
use crate::adapters::aws::AccountClients;
use crate::adapters::aws::regional::Regional;
use crate::domain::observation::{CalledBy, Earlier, EventRule, Observation, Previous, RuleDefinition};
use crate::domain::trail::within::event_bus;
use crate::ports::CloudError;

/// Pages of targets: a rule has five, unless AWS was asked for more.
const PAGES_MAX: usize = 10;
/// Pages of the event history in which it is looked what a rule was before.
const HISTORY_PAGES_MAX: u32 = 10;

/// A rule that is not there is one without a definition: its targets may have been all that was the attacker's.
pub(super) async fn event_rule(
    account: &AccountClients,
    region: &str,
    name: &str,
    event_ids: &[String],
) -> Result<Observation, CloudError> {
    let Regional { events, .. } = &*account.regions.of(region);
    let (found, targets, before) = tokio::try_join!(
        async {
            let asked = Box::pin(events.describe_rule().name(name).send()).await;
            present(asked.map_err(|e| fault("events:DescribeRule", &e)))
        },
        targets(events, name),
        Box::pin(before(account, region, name, event_ids)),
    )?;
    let definition = found.map(|rule| RuleDefinition {
        pattern: rule.event_pattern,
        schedule: rule.schedule_expression,
        role: rule.role_arn,
        enabled: rule.state.is_some_and(|state| state.as_str() != "DISABLED"),
        managed_by: rule.managed_by,
    });
    let arn = format!("arn:aws:events:{region}:{}:rule/{name}", account.settings.id);
    Ok(Observation::EventRule(EventRule { arn, name: name.to_owned(), definition, targets, before }))
}

/// What there was under a name before the first of these calls: what the newest one of others has put, or nothing, where one
/// has deleted it. The history knows rules by their calls alone.
async fn before(
    account: &AccountClients,
    region: &str,
    name: &str,
    event_ids: &[String],
) -> Result<Option<Earlier>, CloudError> {
    if event_ids.is_empty() {
        return Ok(None);
    }
    let trail = account.trail(region)?;
    let look = |call: &'static str| trail.look_up(LookupAttributeKey::EventName, call, None, HISTORY_PAGES_MAX);
    let (put, deleted) = tokio::try_join!(look("PutRule"), look("DeleteRule"))?;
    let is_first = |event: &&Value| event["eventID"].as_str() == event_ids.first().map(String::as_str);
    let Some(first_at) = put.events.iter().find(is_first).and_then(|event| event["eventTime"].as_str()) else {
        return Ok(Some(Earlier::NotKnown));
    };
    let is_earlier = |event: &&Value| {
        let bus = event["requestParameters"]["eventBusName"].as_str().unwrap_or("default");
        let is_default = event_bus(account.settings.id.as_str(), bus).is_none();
        let mine = event["requestParameters"]["name"] == name && is_default;
        // They are of one form, and so in order of time as they are in order of letters.
        let before = event["eventTime"].as_str().is_some_and(|at| at <= first_at);
        let theirs = event["eventID"].as_str().is_some_and(|id| event_ids.iter().any(|event_id| event_id == id));
        mine && before && !theirs && event["errorCode"].is_null()
    };
    let at = |event: &Value| event["eventTime"].as_str().unwrap_or_default().to_owned();
    let event_id = |event: &Value| event["eventID"].as_str().unwrap_or_default().to_owned();
    let (put, deleted) = (put.events.iter().find(is_earlier), deleted.events.iter().find(is_earlier));
    Ok(Some(match (put, deleted) {
        // In the same second nobody can say which was first.
        (Some(put), Some(deleted)) if at(put) == at(deleted) => Earlier::NotKnown,
        (Some(put), deleted) if deleted.is_none_or(|deleted| at(deleted) < at(put)) => {
            Earlier::Document(Previous { document: put["requestParameters"].to_string(), event_id: event_id(put) })
        }
        (_, Some(deleted)) => Earlier::Nothing { event_id: event_id(deleted) },
        (_, None) => Earlier::NotKnown,
    }))
}

/// The rules that call this function, by name.
pub(super) async fn calling(
    account: &AccountClients,
    region: &str,
    function_arn: &str,
) -> Result<BTreeMap<String, CalledBy>, CloudError> {
    let Regional { events, .. } = &*account.regions.of(region);
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let asked = events.list_rule_names_by_target().target_arn(function_arn).set_next_token(next.take()).send();
        let page = Box::pin(asked).await.map_err(|e| fault("events:ListRuleNamesByTarget", &e))?;
        names.extend(page.rule_names.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    let mut rules = BTreeMap::new();
    for name in names {
        let targets = targets(events, &name).await?;
        let target_ids = targets.into_iter().filter(|(_, arn)| arn == function_arn).map(|(id, _)| id).collect();
        let arn = format!("arn:aws:events:{region}:{}:rule/{name}", account.settings.id);
        rules.insert(name, CalledBy { arn, target_ids });
    }
    Ok(rules)
}

/// Each target's ARN by its id.
async fn targets(events: &Client, rule: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let mut all = BTreeMap::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let asked = Box::pin(events.list_targets_by_rule().rule(rule).set_next_token(next.take()).send()).await;
        let Some(page) = present(asked.map_err(|e| fault("events:ListTargetsByRule", &e)))? else { break };
        all.extend(page.targets.unwrap_or_default().into_iter().map(|target| (target.id, target.arn)));
        next = page.next_token;
        if next.is_none() {
            return Ok(all);
        }
    }
    match next {
        None => Ok(all),
        Some(_) => Err(CloudError::Unavailable {
            operation: "events:ListTargetsByRule".into(),
            message: format!("rule {rule} has more targets than can be read"),
        }),
    }
}
