//! Changes of the terms on which a role lets somebody in whom it named before.

use super::*;

const CALL: (&str, &str) = ("iam", "UpdateAssumeRolePolicy");
const AWAY: &str = "192.0.2.150";
const SESSION: &str = "ASIATAKEN00000000001";

/// Somebody from another account takes role *ops*.
fn comes(minute: u32, key: &str, principal: &str) -> Value {
    let mut takes = by_user(minute, &format!("in-{key}"), "", "", ("sts", "AssumeRole"), assume("ops", key, key));
    merge(
        &mut takes,
        json!({"sourceIPAddress": AWAY, "userIdentity": {"type": "AWSAccount", "accountId": "999988887777",
            "principalId": principal, "arn": null, "accessKeyId": null, "userName": null}}),
    );
    takes
}

/// The attacker changes at noon what the owner had set in the morning.
fn story_of(before: &[Value], now: &[Value], then: Vec<Value>) -> Vec<Value> {
    let trust = |statements: &[Value], address: &str| {
        let document = json!({ "Statement": statements }).to_string();
        json!({"sourceIPAddress": address, "requestParameters": {"roleName": "ops", "policyDocument": document}})
    };
    let mut records = vec![
        by_user(600, "was", "AKIADEFENDER00000001", "kim", CALL, trust(before, OFFICE)),
        by_user(720, "noon", STOLEN, "ci", CALL, trust(now, THIEF)),
    ];
    records.extend(then);
    records
}

fn keys(analysis: &Analysis) -> Vec<&str> {
    analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref()).collect()
}

fn is_said(analysis: &Analysis) -> bool {
    analysis.not_recorded.iter().any(|gap| gap.what.contains("who could take role ops only because"))
}

fn allow(principal: &str, conditions: Value) -> Value {
    let mut allow = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"});
    allow["Condition"] = conditions;
    allow
}

fn deny(principal: &str) -> Value {
    json!({"Effect": "Deny", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"})
}

/// What is not let in by these terms any more, and by the others.
fn terms() -> [(Vec<Value>, Vec<Value>, bool); 4] {
    let own = || allow(&format!("arn:aws:iam::{ACCOUNT}:user/ci"), json!({}));
    let not = json!({"Effect": "Allow", "NotPrincipal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/nobody")}});
    let of_organization = json!({"StringEquals": {"aws:PrincipalOrgID": "o-acme"}});
    let secret = json!({"StringEquals": {"sts:ExternalId": "secret"}});
    let vendor = "arn:aws:iam::999988887777:root";
    [
        (vec![allow("*", of_organization)], vec![allow("*", json!({}))], true),
        (vec![own()], vec![own(), not], false),
        (vec![allow("*", json!({})), deny("999988887777")], vec![allow("*", json!({}))], true),
        (vec![allow(vendor, secret)], vec![allow("999988887777", json!({}))], true),
    ]
}

#[test]
fn whoever_of_another_account_comes_in_on_wider_terms_is_the_attacker() {
    for (before, now, terms_are_others) in terms() {
        let acts = by_role(
            731,
            "acts",
            SESSION,
            ("ops", SESSION),
            ("iam", "CreateUser"),
            json!({"sourceIPAddress": AWAY, "requestParameters": {"userName": "ghost"}}),
        );
        let analysis = analyze(&story_of(&before, &now, vec![comes(730, SESSION, "AIDAFAR"), acts]));
        assert_eq!(keys(&analysis), [STOLEN, SESSION], "{before:?}");
        assert_eq!(listed(&analysis), ["noon", "in-ASIATAKEN00000000001", "acts"], "{before:?}");
        assert!(states(&analysis).iter().any(|(_, id, _)| id == "ghost"), "{before:?}");
        assert_eq!(is_said(&analysis), terms_are_others, "{before:?}");
    }
}

#[test]
fn whoever_has_taken_it_before_on_the_old_terms_is_let_alone_unless_they_were_the_attacker() {
    for (before, now, _) in terms().into_iter().filter(|(.., terms_are_others)| *terms_are_others) {
        let then = vec![comes(650, "ASIAEARLIER000000001", "AROAFAR:monday"), comes(730, SESSION, "AROAFAR:tuesday")];
        let records = story_of(&before, &now, then);
        assert_eq!(keys(&analyze(&records)), [STOLEN], "{before:?}");
        let others = vec![comes(650, "ASIAEARLIER000000001", "AROANEAR:x"), comes(730, SESSION, "AROAFAR:x")];
        assert_eq!(keys(&analyze(&story_of(&before, &now, others))), [STOLEN, SESSION], "{before:?}");
        let words = vec!["in-ASIAEARLIER000000001=attacker".parse().unwrap()];
        let told = analyze_files(&Question { words, ..question() }, &[records]);
        assert!(keys(&told).contains(&SESSION), "{before:?}");
    }
}

#[test]
fn what_is_added_beside_the_old_terms_takes_nobody_for_the_attacker() {
    let secret = || json!({"StringEquals": {"sts:ExternalId": "secret"}});
    let vendor = || allow("999988887777", secret());
    let other = || allow("666655554444", json!({}));
    for (before, now) in [
        (vec![vendor()], vec![other(), vendor()]),
        (vec![vendor()], vec![vendor(), deny("666655554444")]),
        (vec![allow("999988887777", json!({}))], vec![vendor()]),
        (vec![allow("999988887777", json!({}))], vec![allow("999988887777", json!({})), vendor()]),
    ] {
        let analysis = analyze(&story_of(&before, &now, vec![comes(730, SESSION, "AIDAFAR")]));
        assert_eq!((keys(&analysis), is_said(&analysis)), (vec![STOLEN], false), "{now:?}");
    }
}

#[test]
fn whoever_is_of_the_own_account_or_of_a_provider_and_was_named_before_stays_who_they_are() {
    let (before, now) = (allow("*", json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})), allow("*", json!({})));
    let mut own = comes(730, SESSION, "AROACI:build");
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/build");
    merge(&mut own, json!({"userIdentity": {"type": "AssumedRole", "accountId": ACCOUNT, "arn": arn}}));
    let analysis = analyze(&story_of(&[before], &[now], vec![own]));
    assert_eq!((keys(&analysis), is_said(&analysis)), (vec![STOLEN], true));
}
