//! `EventBridge`.

use aws_sdk_eventbridge::types::{RuleState, Target};
use chrono::TimeDelta;

use super::{Cloud, code, refusal};

const REGION: &str = "us-east-1";

fn client(cloud: &Cloud, region: &'static str) -> aws_sdk_eventbridge::Client {
    aws_sdk_eventbridge::Client::new(&cloud.config(cloud.admin(), region))
}

fn target(id: &str, name: &str) -> Target {
    let arn = format!("arn:aws:lambda:{REGION}:111122223333:function:{name}");
    Target::builder().id(id).arn(arn).build().unwrap()
}

#[tokio::test]
async fn a_rule_goes_once_its_targets_have() {
    let cloud = Cloud::start().await;
    let events = client(&cloud, REGION);
    let describe = || events.describe_rule().name("r").send();
    assert_eq!(code(describe().await), "ResourceNotFoundException");
    let put = events.put_rule().name("r").schedule_expression("rate(5 minutes)").send().await.unwrap();
    assert_eq!(put.rule_arn(), Some("arn:aws:events:us-east-1:111122223333:rule/r"));
    let put = events.put_targets().rule("r").targets(target("1", "f")).targets(target("2", "g")).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0);
    let listed = || async { events.list_targets_by_rule().rule("r").send().await.unwrap().targets().len() };
    assert_eq!(listed().await, 2);
    let aimed = events.list_rule_names_by_target().target_arn(target("1", "f").arn()).send().await.unwrap();
    assert_eq!(aimed.rule_names(), ["r"]);
    events.put_rule().name("r").schedule_expression("rate(1 hour)").send().await.unwrap();
    assert_eq!(listed().await, 2, "a rule that is put again keeps its targets");
    events.disable_rule().name("r").send().await.unwrap();
    assert_eq!(describe().await.unwrap().state(), Some(&RuleState::Disabled));

    let (code_, message) = refusal(events.delete_rule().name("r").send().await);
    assert_eq!(
        (code_.as_str(), message.as_str()),
        ("ValidationException", "Rule can't be deleted since it has targets.")
    );
    let removed = events.remove_targets().rule("r").ids("1").ids("9").send().await.unwrap();
    assert_eq!(removed.failed_entry_count(), 1);
    assert_eq!(removed.failed_entries()[0].target_id(), Some("9"));
    events.remove_targets().rule("r").ids("2").send().await.unwrap();
    events.delete_rule().name("r").send().await.unwrap();
    events.delete_rule().name("r").send().await.expect("deleting it twice is no error");
    assert_eq!(code(events.remove_targets().rule("r").ids("1").send().await), "ResourceNotFoundException");

    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event(REGION, "PutTargets").await;
    assert_eq!(event["eventSource"], "events.amazonaws.com");
    assert_eq!(event["requestParameters"]["rule"], "r");
    assert_eq!(event["requestParameters"]["targets"][0]["id"], "1");
    let event = cloud.event(REGION, "PutRule").await;
    assert_eq!(event["responseElements"]["ruleArn"], "arn:aws:events:us-east-1:111122223333:rule/r");
}

#[tokio::test]
async fn what_eventbridge_refuses() {
    let cloud = Cloud::start().await;
    let events = client(&cloud, REGION);
    assert_eq!(code(events.put_rule().name("r").send().await), "ValidationException");
    let pattern = events.put_rule().name("r").event_pattern("[]").send().await;
    assert_eq!(code(pattern), "InvalidEventPatternException");
    assert_eq!(
        code(events.put_rule().name("a b").schedule_expression("rate(1 day)").send().await),
        "ValidationException"
    );
    assert_eq!(code(events.put_rule().name("r").schedule_expression("daily").send().await), "ValidationException");
    let bus = events.list_rules().event_bus_name("other").send().await;
    assert_eq!(code(bus), "ResourceNotFoundException");
    let managed = "AutoScalingManagedRule";
    assert_eq!(code(events.disable_rule().name(managed).send().await), "ManagedRuleException");
    assert_eq!(code(events.delete_rule().name(managed).send().await), "ManagedRuleException");
    assert_eq!(code(events.remove_targets().rule(managed).ids("autoscaling").send().await), "ManagedRuleException");
    events.remove_targets().rule(managed).ids("autoscaling").force(true).send().await.unwrap();
    let mut six = events.put_targets().rule("nightly-batch");
    for id in ["1", "2", "3", "4", "5"] {
        six = six.targets(target(id, "f"));
    }
    assert_eq!(code(six.send().await), "LimitExceededException", "it has one already");
    let denied = aws_sdk_eventbridge::Client::new(&cloud.config(cloud.keys("irp-bot"), REGION));
    assert_eq!(code(denied.delete_rule().name("nightly-batch").send().await), "AccessDeniedException");
}

#[tokio::test]
async fn each_region_has_its_own_rules_and_lists_them_page_by_page() {
    let cloud = Cloud::start().await;
    let far = client(&cloud, "us-west-2");
    assert!(far.list_rules().send().await.unwrap().rules().is_empty());
    for name in ["a1", "a2", "b1"] {
        far.put_rule().name(name).schedule_expression("rate(1 day)").send().await.unwrap();
    }
    assert_eq!(cloud.account.rules("us-west-2").len(), 3);
    let first = far.list_rules().limit(2).send().await.unwrap();
    let rest = far.list_rules().limit(2).next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((first.rules().len(), rest.rules().len(), rest.next_token()), (2, 1, None));
    assert_eq!(far.list_rules().name_prefix("a").send().await.unwrap().rules().len(), 2);
    let home = client(&cloud, REGION).list_rules().send().await.unwrap();
    let managed: Vec<_> = home.rules().iter().filter_map(|rule| rule.managed_by()).collect();
    assert_eq!((home.rules().len(), managed), (2, vec!["autoscaling.amazonaws.com"]));
}
