//! Reads a rule of `EventBridge` with its targets.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::Client;

use super::{fault, present};
use crate::adapters::aws::AccountClients;
use crate::adapters::aws::regional::Regional;
use crate::domain::observation::{CalledBy, EventRule, Observation, RuleDefinition};
use crate::ports::CloudError;

/// Pages of targets: a rule has five, unless AWS was asked for more.
const PAGES_MAX: usize = 10;

/// A rule that is not there is one without a definition: its targets may have been all that was the attacker's.
pub(super) async fn event_rule(account: &AccountClients, region: &str, name: &str) -> Result<Observation, CloudError> {
    let Regional { events, .. } = &*account.regions.of(region);
    let (found, targets) = tokio::try_join!(
        async {
            let asked = Box::pin(events.describe_rule().name(name).send()).await;
            present(asked.map_err(|e| fault("events:DescribeRule", &e)))
        },
        targets(events, name),
    )?;
    let definition = found.map(|rule| RuleDefinition {
        pattern: rule.event_pattern,
        schedule: rule.schedule_expression,
        role: rule.role_arn,
        enabled: rule.state.is_some_and(|state| state.as_str() != "DISABLED"),
        managed_by: rule.managed_by,
    });
    let arn = format!("arn:aws:events:{region}:{}:rule/{name}", account.settings.id);
    Ok(Observation::EventRule(EventRule { arn, name: name.to_owned(), definition, targets }))
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
