//! What is there again after it was deleted, and what only bears the name of what was.

use super::super::footprint::Resource;
use super::super::resource::Effect;
use super::*;
use crate::domain::hunt::Trace;
use crate::domain::hunt::findings;

fn of_deploy(minute: u32, id: &str, call: (&str, &str), request: Value) -> Value {
    let mut more = json!({});
    more["requestParameters"] = request;
    by_user(minute, id, STOLEN, "deploy", call, more)
}

fn of_owner(minute: u32, id: &str, call: (&str, &str), request: Value) -> Value {
    let mut more = json!({"sourceIPAddress": OFFICE});
    more["requestParameters"] = request;
    by_user(minute, id, "AKIADEFENDER00000001", "kim", call, more)
}

fn named<'a>(analysis: &'a Analysis, id: &str) -> &'a Resource {
    analysis.footprint.iter().find(|found| found.id == id).unwrap_or_else(|| panic!("{:?}", analysis.footprint))
}

fn trace(analysis: &Analysis, id: &str) -> Trace {
    let (hunted, _) = findings::hunted(analysis, &std::collections::BTreeMap::new());
    hunted.footprint.into_iter().find(|trace| trace.id == id).unwrap()
}

/// A rule is put with a target by the attacker, from this minute on.
fn rule_is_put(minute: u32) -> [Value; 2] {
    let target = json!({"rule": "tick", "targets": [{"id": "1", "arn": "arn:aws:lambda:us-east-1:1:function:evil"}]});
    [
        of_deploy(minute, &format!("put-{minute}"), ("events", "PutRule"), json!({"name": "tick"})),
        of_deploy(minute + 1, &format!("aims-{minute}"), ("events", "PutTargets"), target),
    ]
}

fn rule_is_deleted(minute: u32, bus: Value) -> [Value; 2] {
    let mut off = json!({"rule": "tick", "ids": ["1"]});
    let mut deleted = json!({"name": "tick"});
    merge(&mut off, bus.clone());
    merge(&mut deleted, bus);
    [
        of_deploy(minute, &format!("off-{minute}"), ("events", "RemoveTargets"), off),
        of_deploy(minute + 1, &format!("gone-{minute}"), ("events", "DeleteRule"), deleted),
    ]
}

#[test]
fn a_rule_that_is_put_again_after_it_was_deleted_is_there() {
    let once = [&rule_is_put(600)[..], &rule_is_deleted(610, json!({}))].concat();
    assert_eq!(named(&analyze(&once), "tick").state, State::Deleted);
    let analysis = analyze(&[&once[..], &rule_is_put(620)].concat());
    let rule = named(&analysis, "tick");
    assert_eq!((rule.state, rule.effect), (State::Modified, Effect::Deleted));
    assert!(rule.state_by.is_attacker());
    let deeds = trace(&analysis, "tick").deeds;
    let last = deeds.iter().rev().take(2).map(|deed| deed.event_id.as_str()).collect::<Vec<_>>();
    assert_eq!(last, ["aims-620", "put-620"], "what puts it back goes by these");
}

#[test]
fn what_is_deleted_on_another_bus_takes_no_rule_away() {
    for bus in
        ["b", "arn:aws:events:us-east-1:111122223333:event-bus/b", "arn:aws:events:us-east-1:9:event-bus/default"]
    {
        let records = [&rule_is_put(600)[..], &rule_is_deleted(610, json!({ "eventBusName": bus }))].concat();
        let analysis = analyze(&records);
        assert_eq!(named(&analysis, "tick").state, State::Modified, "{bus}");
        assert_eq!(trace(&analysis, "tick").deeds.len(), 2, "{bus}: what is done there is another's");
        let other = analysis.footprint.iter().find(|found| found.id.ends_with("/tick")).unwrap();
        assert_eq!(other.state, State::Deleted, "{bus}");
    }
    let own = "arn:aws:events:us-east-1:111122223333:event-bus/default";
    let records = [&rule_is_put(600)[..], &rule_is_deleted(610, json!({ "eventBusName": own }))].concat();
    assert_eq!(named(&analyze(&records), "tick").state, State::Deleted, "the default one, by its ARN");
}

#[test]
fn what_others_have_put_anew_is_theirs_and_what_the_attacker_puts_there_is_not() {
    for (source, deletes, puts) in [
        ("events", ("DeleteRule", json!({"name": "x"})), ("PutRule", json!({"name": "x"}))),
        ("monitoring", ("DeleteAlarms", json!({"alarmNames": ["x"]})), ("PutMetricAlarm", json!({"alarmName": "x"}))),
        (
            "monitoring",
            ("DeleteAlarms", json!({"alarmNames": ["x"]})),
            ("PutCompositeAlarm", json!({"alarmName": "x"})),
        ),
        (
            "config",
            ("DeleteConfigurationRecorder", json!({"configurationRecorderName": "x"})),
            ("PutConfigurationRecorder", json!({"configurationRecorder": {"name": "x"}})),
        ),
        (
            "config",
            ("DeleteDeliveryChannel", json!({"deliveryChannelName": "x"})),
            ("PutDeliveryChannel", json!({"deliveryChannel": {"name": "x"}})),
        ),
        (
            "config",
            ("DeleteConfigRule", json!({"configRuleName": "x"})),
            ("PutConfigRule", json!({"configRule": {"configRuleName": "x"}})),
        ),
        ("ssm", ("DeleteParameter", json!({"name": "x"})), ("PutParameter", json!({"name": "x"}))),
        ("example", ("DeleteThing", json!({"thingName": "x"})), ("PutThing", json!({"thingName": "x"}))),
    ] {
        let is = |by: fn(u32, &str, (&str, &str), Value) -> Value| {
            let deleted = of_deploy(600, "d", (source, deletes.0), deletes.1.clone());
            let analysis = analyze(&[deleted, by(601, "p", (source, puts.0), puts.1.clone())]);
            let trace = trace(&analysis, "x");
            (trace.state, trace.made_by_attacker, trace.deleted_by_attacker)
        };
        assert_eq!(is(of_owner), (State::Present, false, false), "{} after {}", puts.0, deletes.0);
        assert_eq!(is(of_deploy), (State::Modified, false, false), "{} after {}", puts.0, deletes.0);
    }
    let store = || json!({"eventDataStore": "arn:aws:cloudtrail:us-east-1:1:eventdatastore/e-1"});
    let analysis = analyze(&[
        of_deploy(600, "d", ("cloudtrail", "DeleteEventDataStore"), store()),
        of_owner(601, "r", ("cloudtrail", "RestoreEventDataStore"), store()),
    ]);
    assert_eq!(analysis.footprint[0].state, State::Present);
    let analysis = analyze(&[
        of_deploy(600, "d", ("securityhub", "DisableSecurityHub"), json!({})),
        of_owner(601, "e", ("securityhub", "EnableSecurityHub"), json!({})),
    ]);
    assert_eq!((analysis.footprint.len(), analysis.footprint[0].state), (1, State::Present));
}

#[test]
fn what_the_attacker_has_made_deleted_and_put_again_is_theirs_as_it_was_put_last() {
    let thing = |minute: u32, name: &str| of_deploy(minute, name, ("example", name), json!({"thingName": "x"}));
    let records = [thing(600, "CreateThing"), thing(601, "DeleteThing"), thing(602, "PutThing")];
    let trace = trace(&analyze(&records), "x");
    assert_eq!((trace.state, trace.made_by_attacker), (State::Present, true));
    assert_eq!(trace.made.unwrap().at.unwrap().to_rfc3339(), "2026-01-31T10:02:00+00:00");
}

#[test]
fn a_function_that_has_lost_a_version_is_there_with_its_address() {
    let function = |more: Value| {
        let mut request = json!({"functionName": "sync"});
        merge(&mut request, more);
        request
    };
    for deletes in [
        function(json!({"qualifier": "1"})),
        function(json!({"functionName": "sync:1"})),
        function(json!({"functionName": "arn:aws:lambda:us-east-1:111122223333:function:sync:1"})),
    ] {
        let records = [
            of_deploy(600, "f1", ("lambda", "CreateFunction20150331"), function(json!({}))),
            of_deploy(601, "f2", ("lambda", "CreateFunctionUrlConfig20211031"), function(json!({"authType": "NONE"}))),
            of_deploy(602, "f3", ("lambda", "PublishVersion20150331"), function(json!({}))),
            of_deploy(603, "f4", ("lambda", "DeleteFunction20150331"), deletes.clone()),
        ];
        let states = states(&analyze(&records));
        let is = |kind: &str| (kind.to_owned(), "sync".to_owned(), State::Present);
        assert_eq!(states, [is("AWS::Lambda::Function"), is("AWS::Lambda::Url")], "{deletes}");
    }
}
