//! `EventBridge`.

use aws_sdk_eventbridge::types::{Condition, RuleState, Target};
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

#[tokio::test]
async fn a_bus_has_rules_of_its_own_on_events_only() {
    let cloud = Cloud::start().await;
    let events = client(&cloud, REGION);
    let made = events.create_event_bus().name("orders").description("of the shop").send().await.unwrap();
    let arn = "arn:aws:events:us-east-1:111122223333:event-bus/orders";
    assert_eq!(made.event_bus_arn(), Some(arn));
    for bus in ["orders", arn] {
        let put = events
            .put_rule()
            .name("r")
            .event_bus_name(bus)
            .event_pattern(r#"{"source":["app"]}"#)
            .send()
            .await
            .unwrap();
        assert_eq!(put.rule_arn(), Some("arn:aws:events:us-east-1:111122223333:rule/orders/r"));
    }
    events.put_targets().rule("r").event_bus_name("orders").targets(target("1", "f")).send().await.unwrap();
    assert_eq!(code(events.describe_rule().name("r").send().await), "ResourceNotFoundException");
    assert_eq!(code(events.describe_rule().name("orders/r").send().await), "ValidationException");
    assert_eq!(code(events.list_targets_by_rule().rule("r").send().await), "ResourceNotFoundException");
    let listed = events.list_targets_by_rule().rule("r").event_bus_name("orders").send().await.unwrap();
    assert_eq!(listed.targets().len(), 1);
    let there = events.list_rules().event_bus_name("orders").send().await.unwrap();
    let there: Vec<_> = there.rules().iter().map(|rule| (rule.name().unwrap(), rule.event_bus_name())).collect();
    assert_eq!(there, [("r", Some("orders"))]);
    let home = events.list_rules().send().await.unwrap();
    assert!(home.rules().iter().all(|rule| rule.event_bus_name() == Some("default") && rule.name() != Some("r")));
    let timed = events.put_rule().name("t").event_bus_name("orders").schedule_expression("rate(1 day)").send().await;
    assert_eq!(
        refusal(timed),
        ("ValidationException".into(), "ScheduleExpression is supported only on the default event bus.".into())
    );
    let far = client(&cloud, "us-west-2");
    assert_eq!(code(far.list_rules().event_bus_name("orders").send().await), "ResourceNotFoundException");
    assert_eq!(
        code(events.list_rules().event_bus_name(arn.replace("1111", "4444")).send().await),
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn buses_are_listed_page_by_page_and_the_default_one_is_always_there() {
    let cloud = Cloud::start().await;
    let events = client(&cloud, REGION);
    for name in ["a", "z"] {
        events.create_event_bus().name(name).send().await.unwrap();
    }
    let first = events.list_event_buses().limit(2).send().await.unwrap();
    let rest = events.list_event_buses().limit(2).next_token(first.next_token().unwrap()).send().await.unwrap();
    let names: Vec<_> = first.event_buses().iter().chain(rest.event_buses()).filter_map(|bus| bus.name()).collect();
    assert_eq!((names, rest.next_token()), (vec!["a", "default", "z"], None));
    assert!(first.event_buses()[0].creation_time().is_some() && first.event_buses()[0].policy().is_none());
    let only = events.list_event_buses().name_prefix("z").send().await.unwrap();
    assert_eq!(only.event_buses().len(), 1);
    let create = |name: &str| events.create_event_bus().name(name).send();
    for (name, refused) in [
        ("a", "ResourceAlreadyExistsException"),
        ("default", "ResourceAlreadyExistsException"),
        ("a/b", "ValidationException"),
    ] {
        assert_eq!(code(create(name).await), refused, "{name}");
    }
    for n in 0..97 {
        create(&format!("n{n:02}")).await.unwrap();
    }
    assert_eq!(code(create("one-more").await), "LimitExceededException", "a hundred with the default one");
    let denied = aws_sdk_eventbridge::Client::new(&cloud.config(cloud.keys("irp-bot"), REGION));
    assert_eq!(code(denied.list_event_buses().send().await), "AccessDeniedException");
}

#[tokio::test]
async fn a_buss_policy_is_put_statement_by_statement_or_whole() {
    let cloud = Cloud::start().await;
    let events = client(&cloud, REGION);
    let policy = || async {
        let listed = events.list_event_buses().name_prefix("default").send().await.unwrap();
        let policy = listed.event_buses()[0].policy().map(str::to_owned);
        policy.map(|policy| serde_json::from_str::<serde_json::Value>(&policy).unwrap()["Statement"].clone())
    };
    assert_eq!(policy().await, None);
    let put =
        |sid: &str, whom: &str| events.put_permission().statement_id(sid).action("events:PutEvents").principal(whom);
    put("x", "444455556666").send().await.unwrap();
    let org = Condition::builder().r#type("StringEquals").key("aws:PrincipalOrgID").value("o-abc").build().unwrap();
    put("org", "*").condition(org).send().await.unwrap();
    put("x", "777788889999").send().await.unwrap();
    let found = policy().await.unwrap();
    let sids: Vec<&str> = found.as_array().unwrap().iter().filter_map(|one| one["Sid"].as_str()).collect();
    assert_eq!(sids, ["org", "x"]);
    assert_eq!(found[0]["Condition"]["StringEquals"]["aws:PrincipalOrgID"], "o-abc");
    assert_eq!(found[1]["Principal"]["AWS"], "arn:aws:iam::777788889999:root");
    assert_eq!(found[1]["Resource"], "arn:aws:events:us-east-1:111122223333:event-bus/default");
    let whole = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"events:PutEvents","Resource":"*"}}"#;
    events.put_permission().policy(whole).send().await.unwrap();
    assert_eq!(policy().await.unwrap().as_array().unwrap().len(), 1, "it stands in the place of the others");

    assert_eq!(code(put("x", "somebody").send().await), "ValidationException");
    assert_eq!(code(put("x y", "*").send().await), "ValidationException");
    assert_eq!(code(put("x", "*").policy(whole).send().await), "ValidationException");
    assert_eq!(code(put("x", "*").event_bus_name("orders").send().await), "ResourceNotFoundException");
    assert_eq!(code(events.put_permission().policy("{}").send().await), "ValidationException");
    cloud.clock.advance(TimeDelta::minutes(6));
    let recorded = cloud.events(REGION, "PutPermission").await;
    let event = recorded.iter().find(|event| event["requestParameters"]["statementId"] == "org").unwrap();
    assert_eq!(event["requestParameters"]["principal"], "*");
    assert_eq!(event["requestParameters"]["condition"]["value"], "o-abc");
}
