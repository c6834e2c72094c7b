//! Kinds of which AWS does not say when they were made: each is listed with its event or as state only.

use super::*;
use crate::domain::inventory::undated::{PERMISSION, RULE};

const OWN: &str = "111122223333";
const THIEVES: &str = "arn:aws:events:us-east-1:444455556666:event-bus/in";

fn rule(name: &str) -> Thing {
    Thing::regional(RULE, name, "us-east-1", None)
}

fn permission(of: &str, statement: &str) -> Thing {
    let function = of.split(':').next().unwrap();
    Thing::regional(PERMISSION, of, "us-east-1", None).part(statement).owned_by("AWS::Lambda::Function", function)
}

fn aiming(name: &str, aims: &[&str]) -> Stock {
    let mut stock = Stock::default();
    stock.add_aimed(rule(name), OWN, aims.iter().map(ToString::to_string).collect(), at(0));
    stock
}

fn ids(things: &[Thing]) -> Vec<&str> {
    things.iter().map(|thing| thing.id.as_str()).collect()
}

fn call(source: &str, name: &str, request: &serde_json::Value) -> String {
    let text = record(name, request, &serde_json::Value::Null);
    text.replace("iam.amazonaws.com", &format!("{source}.amazonaws.com"))
}

#[test]
fn each_rule_is_the_attackers_or_somebodys_or_state_only_without_a_date() {
    let rules = [rule("theirs"), rule("pipelines"), rule("nobodys"), rule("unread")];
    let [_, pipelines, nobodys, unread] = &rules;
    let footprint = [trace(RULE, "theirs", "us-east-1", false)];
    let why = "the trail of us-east-1 could not be asked".to_owned();
    let found = inventory(rules.to_vec(), &footprint, &[(pipelines, Ok(evidence())), (unread, Err(why.clone()))]);
    assert_eq!(found.theirs, 1);
    assert_eq!(found.explained.iter().map(|one| &one.thing).collect::<Vec<_>>(), [pipelines]);
    assert_eq!(found.dateless, [nobodys.clone(), unread.clone()]);
    assert!(found.limits.contains(&why) && found.undated.is_empty());
    assert!(found.unexplained.is_empty(), "nobody has to answer for 200 innocent rules");
    let none = inventory(vec![nobodys.clone()], &[], &[]);
    assert!(!none.says_the_same(&inventory(rules.to_vec(), &[], &[])), "another rule is news");
}

#[test]
fn what_a_rule_calls_in_another_account_is_for_a_person_to_look_at() {
    let facts = |aims: &[&str]| {
        let rule = aiming("tick", aims).undated.remove(0);
        (rule.exposed, rule.facts.join(", "))
    };
    assert_eq!(facts(&[]), (false, String::new()));
    let own = "arn:aws:sqs:us-east-1:111122223333:nightly-batch";
    assert_eq!(facts(&[own]), (false, "calls sqs nightly-batch".into()));
    assert_eq!(facts(&["arn:aws:autoscaling:us-east-1:::"]), (false, "calls autoscaling :".into()));
    let (exposed, says) = facts(&[own, THIEVES]);
    assert!(exposed);
    assert_eq!(
        says,
        format!("calls {THIEVES}, which is of another account, calls sqs nightly-batch"),
        "the gravest first"
    );
}

#[test]
fn what_a_rule_calls_or_acts_as_that_is_the_attackers_is_for_a_person_to_look_at() {
    let function = "arn:aws:lambda:us-east-1:111122223333:function:sync:live";
    let acts_as = "arn:aws:iam::111122223333:role/app/tick";
    let of = |footprint: &[Trace]| {
        let found = Inventory::of(aiming("tick", &[function, acts_as]), (at(0), at(100)), footprint, &BTreeMap::new());
        let [rule] = &found.dateless[..] else { panic!("{found:?}") };
        (rule.exposed, rule.facts.join(", "))
    };
    assert_eq!(of(&[]), (false, "calls lambda function:sync:live, acts as iam role/app/tick".into()));
    let made = |kind: &str, id: &str, region: &str| trace(kind, id, region, true);
    let (exposed, says) = of(&[made("AWS::Lambda::Function", "sync", "us-east-1")]);
    assert!(exposed && says.starts_with("calls lambda function:sync:live, which the attacker has made, "), "{says}");
    let (exposed, says) = of(&[trace("AWS::IAM::Role", "tick", "us-east-1", false)]);
    assert!(exposed && says.starts_with("acts as iam role/app/tick, which the attacker has changed, "), "{says}");
    assert!(!of(&[made("AWS::Lambda::Function", "sync", "us-west-2")]).0, "another Region has another one");
    assert!(!of(&[made("AWS::IAM::User", "tick", "us-east-1")]).0);
    let gone = Trace { state: State::Deleted, ..made("AWS::Lambda::Function", "sync", "us-east-1") };
    assert!(!of(&[gone]).0);
}

#[test]
fn what_somebody_has_to_look_at_waits_one_inventory_for_the_trail() {
    let look = |last: Option<&Inventory>| {
        let mut stock = aiming("out", &[THIEVES]);
        stock.take(aiming("own", &["arn:aws:sqs:us-east-1:111122223333:q"]));
        let regions = vec!["us-east-1".to_owned()];
        let found = Inventory::of(stock, (at(0), at(100)), &[], &BTreeMap::new());
        Inventory { regions, ..found }.over(last, |_| false)
    };
    let first = look(None);
    assert_eq!((ids(&first.unexplained), ids(&first.dateless)), (vec![], vec!["out", "own"]));
    let second = look(Some(&first));
    assert_eq!((ids(&second.unexplained), ids(&second.dateless)), (vec!["out"], vec!["own"]));
    let third = look(Some(&second));
    assert_eq!((ids(&third.unexplained), ids(&third.dateless)), (vec!["out"], vec!["own"]), "and it stays");
    let nobody_looked = Inventory::default().over(Some(&second), |_| false);
    assert_eq!((ids(&nobody_looked.unexplained), ids(&nobody_looked.dateless)), (vec!["out"], vec!["own"]));
}

#[test]
fn a_rules_event_names_the_rule_and_not_a_target_of_another() {
    let [tick, nightly] = [rule("tick"), rule("nightly")];
    let explained = |text: String| -> Vec<String> {
        let found = evidence::explaining_each(&[&tick, &nightly], &[text], &BTreeSet::new());
        found.into_keys().collect()
    };
    let put = |request: serde_json::Value| call("events", "PutRule", &request);
    assert_eq!(explained(put(json!({"name": "tick"}))), [tick.key()]);
    assert_eq!(explained(put(json!({"name": "tick", "eventBusName": "default"}))), [tick.key()]);
    let bus = "arn:aws:events:us-east-1:111122223333:event-bus/default";
    assert_eq!(explained(put(json!({"name": "tick", "eventBusName": bus}))), [tick.key()]);
    assert!(explained(put(json!({"name": "tick", "eventBusName": "orders"}))).is_empty(), "that one is not read");
    let targets = json!({"rule": "nightly", "targets": [{"id": "tick", "arn": "arn:aws:sqs:us-east-1:1:tick"}]});
    assert_eq!(explained(call("events", "PutTargets", &targets)), [nightly.key()]);
    assert!(explained(call("sns", "PutRule", &json!({"name": "tick"}))).is_empty());
    let refused = put(json!({"name": "tick"})).replace("\"eventID\"", "\"errorCode\":\"AccessDenied\",\"eventID\"");
    assert!(explained(refused).is_empty());
    let calls = ["PutRule", "PutTargets"].map(|name| Pivot::Call(name.into()));
    assert_eq!(evidence::pivots(&tick), calls, "the history knows no names of rules");
}

#[test]
fn a_permissions_event_names_its_function_its_alias_and_its_statement() {
    let [own, alias] = [permission("sync", "x"), permission("sync:live", "x")];
    let explained = |request: serde_json::Value| -> Vec<String> {
        let text = call("lambda", "AddPermission20150331v2", &request);
        evidence::explaining_each(&[&own, &alias], &[text], &BTreeSet::new()).into_keys().collect()
    };
    assert_eq!(explained(json!({"functionName": "sync", "statementId": "x"})), [own.key()]);
    assert_eq!(explained(json!({"functionName": "sync", "statementId": "x", "qualifier": "live"})), [alias.key()]);
    let arn = "arn:aws:lambda:us-east-1:111122223333:function:sync:live";
    assert_eq!(explained(json!({"functionName": arn, "statementId": "x"})), [alias.key()]);
    assert!(explained(json!({"functionName": "sync", "statementId": "y"})).is_empty());
    assert!(explained(json!({"functionName": "other", "statementId": "x"})).is_empty());
    assert_eq!(evidence::pivots(&own), [Pivot::Call("AddPermission20150331v2".into())]);
}

#[test]
fn a_statement_that_the_attacker_has_put_there_is_theirs_and_the_others_of_that_function_are_not() {
    let deed = |by_attacker: bool| Deed {
        operation: "AddPermission".into(),
        what: "x".into(),
        event_id: "e-2".into(),
        by_attacker,
    };
    let changed = |id: &str, by_attacker: bool| {
        let deeds = vec![deed(by_attacker)];
        [Trace { deeds, ..trace("AWS::Lambda::Function", id, "us-east-1", false) }]
    };
    assert!(permission("sync", "x").is_in(&changed("sync", true)));
    assert!(!permission("sync", "y").is_in(&changed("sync", true)));
    assert!(!permission("sync", "x").is_in(&changed("sync", false)), "somebody else did");
    assert!(!permission("sync", "x").is_in(&changed("sync:live", true)), "the alias has its own");
    assert!(permission("sync:live", "x").is_in(&changed("sync:live", true)));
    assert!(permission("sync", "y").is_in(&[trace("AWS::Lambda::Function", "sync", "us-east-1", true)]));
}

#[test]
fn the_list_without_dates_is_bounded_with_what_has_to_be_looked_at_first_and_an_older_one_is_read() {
    let mut rules: Vec<Thing> = (0..300).map(|n| rule(&format!("r{n:03}"))).collect();
    rules.push(rule("zz").exposing("calls them"));
    let found = inventory(rules, &[], &[]).over(None, |_| false);
    assert_eq!((found.dateless.len(), found.dateless[0].id.as_str()), (200, "zz"));
    assert!(found.limits.iter().any(|limit| limit.contains("301 things are without a date")), "{:?}", found.limits);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), found);
    let older = serde_json::to_string(&inventory(vec![user("a", 5)], &[], &[])).unwrap();
    assert!(!older.contains("dateless") && !older.contains("exposed"), "{older}");
    assert!(serde_json::from_str::<Inventory>(&older).unwrap().dateless.is_empty());
}
