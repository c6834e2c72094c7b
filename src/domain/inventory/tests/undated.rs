//! Kinds of which AWS does not say when they were made: each is listed with its event or as state only.

use super::*;
use crate::domain::inventory::puts::Puts;
use crate::domain::inventory::strangers::statement_id;
use crate::domain::inventory::undated::{BUS, BUS_PERMISSION, PERMISSION, RULE, outgrown, to_explain};

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

/// The same at so many minutes past the hour.
fn at_minute(minute: u32, text: &str) -> String {
    text.replace("2026-01-01T00:00:00Z", &format!("2026-01-01T00:{minute:02}:00Z"))
}

fn explained_by(things: &[&Thing], texts: &[String]) -> BTreeMap<String, Evidence> {
    let mut all: Vec<Puts<'_>> = things.iter().map(|thing| Puts::new(thing, Vec::new())).collect();
    puts::read(&mut all, texts, &BTreeSet::from(["ASIASTOLEN"]));
    all.iter().filter_map(|one| Some((one.thing().key(), one.evidence()?.clone()))).collect()
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
    let explained = |text: String| -> Vec<String> { explained_by(&[&tick, &nightly], &[text]).into_keys().collect() };
    let put = |request: serde_json::Value| call("events", "PutRule", &request);
    assert_eq!(explained(put(json!({"name": "tick"}))), [tick.key()]);
    assert_eq!(explained(put(json!({"name": "tick", "eventBusName": "default"}))), [tick.key()]);
    let bus = "arn:aws:events:us-east-1:111122223333:event-bus/default";
    assert_eq!(explained(put(json!({"name": "tick", "eventBusName": bus}))), [tick.key()]);
    assert!(explained(put(json!({"name": "tick", "eventBusName": "orders"}))).is_empty(), "that is another rule");
    let ours = |request: serde_json::Value| {
        put(request).replace("\"eventID\"", "\"recipientAccountId\":\"111122223333\",\"eventID\"")
    };
    assert_eq!(explained(ours(json!({"name": "tick", "eventBusName": bus}))), [tick.key()]);
    let theirs = "arn:aws:events:us-east-1:444455556666:event-bus/default";
    assert!(explained(ours(json!({"name": "tick", "eventBusName": theirs}))).is_empty(), "another account has one too");
    let targets = json!({"rule": "nightly", "targets": [{"id": "tick", "arn": "arn:aws:sqs:us-east-1:1:tick"}]});
    assert_eq!(explained(call("events", "PutTargets", &targets)), [nightly.key()]);
    assert!(explained(call("sns", "PutRule", &json!({"name": "tick"}))).is_empty());
    let refused = put(json!({"name": "tick"})).replace("\"eventID\"", "\"errorCode\":\"AccessDenied\",\"eventID\"");
    assert!(explained(refused).is_empty());
    let calls = ["PutRule", "PutTargets"].map(|name| Pivot::Call(name.into()));
    assert_eq!(evidence::pivots(&tick), calls, "the history knows no names of rules");
}

#[test]
fn a_rule_on_another_bus_is_explained_by_the_calls_that_name_that_bus() {
    let [tick, orders] = [rule("tick"), rule("orders/tick")];
    let explained = |name: &str, request: serde_json::Value| -> Vec<String> {
        let text = call("events", name, &request);
        let ours = text.replace("\"eventID\"", "\"recipientAccountId\":\"111122223333\",\"eventID\"");
        explained_by(&[&tick, &orders], &[ours]).into_keys().collect()
    };
    let arn = "arn:aws:events:us-east-1:111122223333:event-bus/orders";
    for bus in ["orders", arn] {
        assert_eq!(explained("PutRule", json!({"name": "tick", "eventBusName": bus})), [orders.key()]);
        assert_eq!(
            explained("PutTargets", json!({"rule": "tick", "eventBusName": bus, "targets": []})),
            [orders.key()]
        );
    }
    assert_eq!(explained("PutRule", json!({"name": "tick"})), [tick.key()]);
    assert!(explained("PutRule", json!({"name": "tick", "eventBusName": "returns"})).is_empty());
    let theirs = "arn:aws:events:us-east-1:444455556666:event-bus/orders";
    assert!(explained("PutRule", json!({"name": "tick", "eventBusName": theirs})).is_empty());
    let on = |id: &str| [trace(RULE, id, "us-east-1", true)];
    assert!(orders.is_in(&on("orders/tick")) && !orders.is_in(&on("tick")) && !tick.is_in(&on("orders/tick")));
}

fn bus_permission(bus: &str, statement: &str) -> Thing {
    Thing::regional(BUS_PERMISSION, bus, "us-east-1", None).part(statement).owned_by(BUS, bus)
}

#[test]
fn a_statement_of_a_buss_policy_is_explained_by_a_call_that_puts_it_or_a_policy_with_it() {
    let none = statement_id(&json!({"Effect": "Allow"}));
    let all = [bus_permission("default", "x"), bus_permission("orders", "x"), bus_permission("orders", &none)];
    let [default, orders, unnamed] = &all;
    let explained = |source: &str, request: serde_json::Value| -> Vec<String> {
        let text = call(source, "PutPermission", &request);
        explained_by(&[default, orders, unnamed], &[text]).into_keys().collect()
    };
    let put = |request: serde_json::Value| explained("events", request);
    assert_eq!(put(json!({"statementId": "x"})), [default.key()]);
    assert_eq!(put(json!({"statementId": "x", "eventBusName": "default"})), [default.key()]);
    assert_eq!(put(json!({"statementId": "x", "eventBusName": "orders"})), [orders.key()]);
    assert!(put(json!({"statementId": "y", "eventBusName": "orders"})).is_empty());
    assert!(put(json!({"statementId": "x", "eventBusName": "returns"})).is_empty());
    assert!(explained("lambda", json!({"statementId": "x"})).is_empty());
    let policy =
        |statement: &str| put(json!({"eventBusName": "orders", "policy": format!("{{\"Statement\":{statement}}}")}));
    assert_eq!(policy(r#"[{"Sid":"w"},{"Sid":"x"}]"#), [orders.key()]);
    assert_eq!(policy(r#"{"Sid":"x"}"#), [orders.key()]);
    assert_eq!(policy(r#"{"Effect":"Allow"}"#), [unnamed.key()]);
    assert!(policy(r#"{"Effect":"Deny"}"#).is_empty(), "that is another without an id");
    assert!(policy(r#"[{"Sid":"w"}]"#).is_empty() && policy("").is_empty());
    assert_eq!(evidence::pivots(orders), [Pivot::Call("PutPermission".into())]);
}

/// Which call explains that a statement of the bus lets in these.
fn explains_letting_in(statement: &str, whom: &str, requests: &[serde_json::Value]) -> Option<String> {
    let thing = bus_permission("orders", statement).letting_in(whom.into()).exposing(format!("lets in {whom}"));
    let stock = stock(vec![thing]);
    let mut open = to_explain(&stock, OWN, &[], &BTreeSet::new());
    let texts: Vec<String> = requests.iter().map(|request| call("events", "PutPermission", request)).collect();
    puts::read(&mut open, &texts, &BTreeSet::from(["ASIASTOLEN"]));
    open[0].evidence().map(|found| found.call.clone())
}

#[test]
fn a_statement_that_was_put_for_somebody_else_under_the_same_id_is_not_explained() {
    let put = |whom: &str| json!({"eventBusName": "orders", "statementId": "x", "principal": whom});
    let explained = |whom: &str, requests: &[serde_json::Value]| explains_letting_in("x", whom, requests).is_some();
    assert!(explained("555566667777", &[put("555566667777")]));
    assert!(!explained("444455556666", &[put("555566667777")]), "it stands in the place of the owner's");
    assert!(!explained("*", &[put("555566667777")]));
    assert!(explained("*", &[put("*")]) && !explained("555566667777", &[put("*")]));
    let both = [put("444455556666"), put("555566667777")];
    assert!(!explained("444455556666, 555566667777", &both), "no call has put both");

    let mut bound = put("*");
    bound["condition"] = json!({"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-abc"});
    assert!(explained("* of organization o-abc", &[bound.clone()]) && !explained("*", &[bound]));
}

#[test]
fn a_whole_policy_explains_whom_that_very_statement_of_it_lets_in() {
    let allow = |whom: serde_json::Value| json!({"Effect": "Allow", "Principal": {"AWS": whom}});
    let named = |sid: &str, whom: &str| {
        let mut statement = allow(json!(format!("arn:aws:iam::{whom}:root")));
        statement["Sid"] = json!(sid);
        statement
    };
    let put = |statements: &[serde_json::Value]| {
        let policy = json!({"Statement": statements}).to_string();
        json!({"eventBusName": "orders", "policy": policy})
    };
    let policy = put(&[named("w", "444455556666"), named("x", "555566667777")]);
    let explained = |statement: &str, whom: &str, policy: &serde_json::Value| {
        explains_letting_in(statement, whom, std::slice::from_ref(policy)).is_some()
    };
    assert!(explained("x", "555566667777", &policy) && explained("w", "444455556666", &policy));
    assert!(!explained("x", "444455556666", &policy), "that is whom the other lets in");
    let unnamed = allow(json!("444455556666"));
    let id = statement_id(&unnamed);
    assert!(explained(&id, "444455556666", &put(&[unnamed])));
    assert!(!explained(&id, "444455556666", &put(&[allow(json!("555566667777"))])));
}

#[test]
fn a_statement_that_lets_in_somebody_else_by_now_is_another_and_says_its_id_as_before() {
    let of = |whom: &str| bus_permission("orders", "x").letting_in(whom.into());
    assert_ne!(of("555566667777").key(), of("444455556666").key());
    assert_eq!(of("444455556666").in_words(), bus_permission("orders", "x").in_words());
    let text = serde_json::to_string(&bus_permission("orders", "x")).unwrap();
    assert!(!text.contains("lets_in"), "{text}");
    assert_eq!(serde_json::from_str::<Thing>(&text).unwrap(), bus_permission("orders", "x"));
}

#[test]
fn a_partners_bus_is_known_by_all_of_its_name() {
    let permission = bus_permission("aws.partner/x/1", "x");
    let on =
        |bus: &str| trace(BUS, &format!("arn:aws:events:us-east-1:111122223333:event-bus/{bus}"), "us-east-1", true);
    assert!(permission.is_in(&[on("aws.partner/x/1")]));
    assert!(!permission.is_in(&[on("aws.partner/y/1")]) && !bus_permission("1", "x").is_in(&[on("aws.partner/x/1")]));
}

#[test]
fn whom_a_bus_lets_in_is_listed_and_of_a_bus_that_the_attacker_has_made_it_is_theirs() {
    let permission = bus_permission("orders", "x").exposing("lets in 444455556666");
    let found = |footprint: &[Trace]| {
        let found = inventory(vec![permission.clone()], footprint, &[]);
        (found.dateless.len(), found.theirs)
    };
    assert_eq!(found(&[]), (1, 0));
    let arn = "arn:aws:events:us-east-1:111122223333:event-bus/orders";
    assert_eq!(found(&[trace(BUS, arn, "us-east-1", true)]), (0, 1));
    assert_eq!(found(&[trace(BUS, arn, "us-west-2", true)]), (1, 0));
    assert_eq!(found(&[trace(BUS, "returns", "us-east-1", true)]), (1, 0));
}

#[test]
fn a_permissions_event_names_its_function_its_alias_and_its_statement() {
    let [own, alias] = [permission("sync", "x"), permission("sync:live", "x")];
    let explained = |request: serde_json::Value| -> Vec<String> {
        let text = call("lambda", "AddPermission20150331v2", &request);
        explained_by(&[&own, &alias], &[text]).into_keys().collect()
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
        made_default: false,
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

const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:q";

fn put_rule() -> String {
    call("events", "PutRule", &json!({"name": "tick"}))
}

fn put_targets(aims: &[&str]) -> String {
    let targets: Vec<serde_json::Value> = aims.iter().map(|arn| json!({"id": "t", "arn": arn})).collect();
    call("events", "PutTargets", &json!({"rule": "tick", "targets": targets}))
}

#[test]
fn of_many_calls_the_attackers_explains_a_rule_and_else_the_newest_does() {
    let tick = rule("tick");
    let by = |texts: &[String]| {
        let found = explained_by(&[&tick], texts).remove(&tick.key()).unwrap();
        (found.call, found.attackers)
    };
    let (made, aimed) = (at_minute(1, &put_rule()), at_minute(2, &put_targets(&[QUEUE])));
    assert_eq!(by(&[made.clone(), aimed.clone()]), ("PutTargets".into(), false));
    assert_eq!(by(&[aimed.clone(), made.clone()]), ("PutTargets".into(), false));
    let theirs = at_minute(0, &put_rule()).replace("ASIAPIPELINE", "ASIASTOLEN");
    assert_eq!(by(&[theirs.clone(), made.clone(), aimed.clone()]), ("PutRule".into(), true));
    assert_eq!(by(&[made, aimed, theirs]), ("PutRule".into(), true));
}

#[test]
fn that_a_rule_reaches_outside_is_explained_by_a_call_that_says_so_and_by_no_other() {
    let another = "arn:aws:sqs:us-east-1:777788889999:q";
    let explained = |aims: &[&str], texts: &[String]| -> Option<String> {
        let stock = aiming("tick", aims);
        let mut open = to_explain(&stock, OWN, &[], &BTreeSet::new());
        puts::read(&mut open, texts, &BTreeSet::from(["ASIASTOLEN"]));
        open[0].evidence().map(|found| found.call.clone())
    };
    let targets = || Some("PutTargets".to_owned());
    assert_eq!(explained(&[QUEUE], &[put_rule()]).as_deref(), Some("PutRule"));
    let others = [put_rule(), put_targets(&[QUEUE])];
    assert_eq!(explained(&[THIEVES], &others), None, "the trail does not show who did that");
    assert_eq!(explained(&[THIEVES], &[put_rule(), put_targets(&[QUEUE, THIEVES])]), targets());
    assert_eq!(explained(&[THIEVES, another], &[put_targets(&[THIEVES])]), None, "one of both");
    assert_eq!(explained(&[THIEVES, another], &[put_targets(&[THIEVES]), put_targets(&[another])]), targets());
    let theirs = put_rule().replace("ASIAPIPELINE", "ASIASTOLEN");
    assert_eq!(explained(&[THIEVES], &[theirs]).as_deref(), Some("PutRule"), "that is for a person to look at anyway");
    let acts_as = "arn:aws:iam::444455556666:role/in";
    let put = call("events", "PutRule", &json!({"name": "tick", "roleArn": acts_as}));
    assert_eq!(explained(&[acts_as], &[put]).as_deref(), Some("PutRule"));
}

#[test]
fn what_reaches_outside_by_now_is_asked_about_anew_though_an_event_explained_it_before() {
    let then = |aims: &[&str], at: Option<DateTime<Utc>>| {
        let events = [(rule("tick").key(), Ok(Evidence { at, ..evidence() }))].into();
        Inventory::of(aiming("tick", aims), (self::at(0), self::at(100)), &[], &events).explained
    };
    let is_outgrown = |then: &[Explained], aims: &[&str], footprint: &[Trace]| {
        !outgrown(then, &aiming("tick", aims), footprint).is_empty()
    };
    let own = then(&[QUEUE], Some(at(1)));
    assert!(!is_outgrown(&own, &[QUEUE], &[]) && is_outgrown(&own, &[QUEUE, THIEVES], &[]));
    let mut theirs = own.clone();
    for one in &mut theirs {
        one.evidence.attackers = true;
    }
    assert!(!is_outgrown(&theirs, &[QUEUE, THIEVES], &[]), "asked about again it could be lost");
    let out = then(&[THIEVES], Some(at(1)));
    assert!(!is_outgrown(&out, &[THIEVES], &[]) && !is_outgrown(&out, &[QUEUE], &[]));
    assert!(is_outgrown(&then(&[THIEVES], None), &[THIEVES], &[]), "an older version took any call for it");
    let function = "arn:aws:lambda:us-east-1:111122223333:function:sync";
    let calls = then(&[function], Some(at(1)));
    assert!(!is_outgrown(&calls, &[function], &[]));
    assert!(is_outgrown(&calls, &[function], &[trace("AWS::Lambda::Function", "sync", "us-east-1", false)]));
}

#[test]
fn what_an_event_explains_stays_so_where_nobody_looked() {
    let events = [(rule("tick").key(), Ok(Evidence { attackers: true, ..evidence() }))].into();
    let found = Inventory::of(aiming("tick", &[QUEUE]), (at(0), at(100)), &[], &events);
    let regions = vec!["us-east-1".to_owned()];
    let looked = |gap: bool| {
        let mut stock = Stock::default();
        if gap {
            stock.gap("us-east-1", &[RULE], "events:ListTargetsByRule: no".into());
        }
        let now = Inventory::of(stock, (at(0), at(100)), &[], &BTreeMap::new());
        Inventory { regions: regions.clone(), ..now }.over(Some(&found), |_| false).explained.len()
    };
    assert_eq!((looked(true), looked(false)), (1, 0));
}

#[test]
fn more_rules_than_are_kept_are_a_gap_one_of_them_can_reach_outside() {
    let (mut stock, mut other) = (Stock::default(), Stock::default());
    (0..THINGS_MAX).for_each(|n| stock.add(rule(&format!("r{n}")), at(0)));
    other.add(rule("zz").exposing("calls them"), at(0));
    assert!(stock.gaps.is_empty());
    let mut one_more = stock.clone();
    one_more.add(rule("zz"), at(0));
    stock.take(other);
    for stock in [stock, one_more] {
        assert_eq!(stock.undated.len(), THINGS_MAX);
        assert!(stock.gaps.len() == 1 && stock.gaps[0].hides(&rule("zz")), "{:?}", stock.gaps);
    }
}
