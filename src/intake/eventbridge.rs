//! EventBridge events, and bare GuardDuty findings as the CLI prints them, to alerts. Field names are
//! taken in camelCase (on the wire) and PascalCase (CLI and SDKs) alike. Follows the GuardDuty user
//! guide's “GuardDuty finding format” and the EventBridge event structure.

use std::ops::Range;

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;
use thiserror::Error;

use super::bounded;
use crate::domain::alert::{Alert, AlertSource, Severity};
use crate::domain::credential::{PrincipalKind, Subject};

/// Years that AWS can name.
const POSSIBLE_YEARS: Range<i32> = 2006..2200;

/// What a body is.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// Alerts: usually one; one for each credential of an attack sequence.
    Alerts(Vec<Alert>),
    /// Well formed, but nothing that this bot acts on. The text says what it is.
    NotForUs(String),
}

/// A body that is no event.
#[derive(Clone, Debug, Eq, PartialEq, Error)]
pub enum NotAnEvent {
    /// Not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON without what every finding has.
    #[error("the body is neither an EventBridge event nor a GuardDuty finding: {0} is missing")]
    Missing(&'static str),
}

/// Reads a body.
pub fn parse(body: &[u8]) -> Result<Taken, NotAnEvent> {
    let body: Value = serde_json::from_slice(body).map_err(|_| NotAnEvent::NotJson)?;
    if let Some(findings) = get(&body, "findings").and_then(Value::as_array) {
        let mut alerts = Vec::new();
        for one in findings {
            alerts.extend(finding(one, None)?);
        }
        return Ok(about_credentials(alerts, "a list of findings"));
    }
    if body.get("detail-type").is_none() && get(&body, "service").is_some() {
        return Ok(about_credentials(finding(&body, None)?, "a finding"));
    }
    let source = body.get("source").and_then(Value::as_str).ok_or(NotAnEvent::Missing("source"))?;
    let detail_type = body.get("detail-type").and_then(Value::as_str).ok_or(NotAnEvent::Missing("detail-type"))?;
    let detail = body.get("detail").ok_or(NotAnEvent::Missing("detail"))?;
    if source != "aws.guardduty" || detail_type != "GuardDuty Finding" {
        return Ok(Taken::NotForUs(bounded(&format!("{source} “{detail_type}”"))));
    }
    let id = body.get("id").and_then(Value::as_str).map(bounded).ok_or(NotAnEvent::Missing("id"))?;
    let what = format!("GuardDuty finding {}", text(detail, "type").unwrap_or_default());
    Ok(about_credentials(finding(detail, Some(&id))?, &what))
}

/// What names no credential is nothing to this bot, in whatever form it comes.
fn about_credentials(alerts: Vec<Alert>, what: &str) -> Taken {
    if alerts.is_empty() {
        Taken::NotForUs(format!("{what}, which names no credential"))
    } else {
        Taken::Alerts(alerts)
    }
}

/// The alerts in one finding: one for each credential that it names.
fn finding(finding: &Value, delivery: Option<&str>) -> Result<Vec<Alert>, NotAnEvent> {
    let id = text(finding, "id").ok_or(NotAnEvent::Missing("the finding's id"))?;
    let finding_type = text(finding, "type").ok_or(NotAnEvent::Missing("the finding's type"))?;
    let service = get(finding, "service").unwrap_or(&Value::Null);
    let updated = text(finding, "updatedAt").unwrap_or_default();
    let delivery = delivery.map_or_else(|| format!("{id}@{updated}"), str::to_owned);
    let action = path(service, &["action", "awsApiCallAction"]).unwrap_or(&Value::Null);
    let api = match (text(action, "serviceName"), text(action, "api")) {
        (Some(service), Some(api)) => Some(format!("{}:{api}", service.trim_end_matches(".amazonaws.com"))),
        (None, api) => api,
        _ => None,
    };
    let remote = path(action, &["remoteIpDetails", "ipAddressV4"])
        .or_else(|| path(action, &["remoteIpDetails", "ipAddressV6"]))
        .and_then(Value::as_str)
        .map(bounded);
    let subjects = subjects(finding, service);
    // A sample says so itself, or has the made-up key that generated findings carry. Only what an
    // attacker cannot choose counts: a user agent could say “sample” too.
    let key = path(finding, &["resource", "accessKeyDetails", "accessKeyId"]).and_then(Value::as_str);
    let info = get(service, "additionalInfo").unwrap_or(&Value::Null);
    // GetFindings gives the same members as JSON in a text.
    let info_text = get(info, "value").and_then(Value::as_str).and_then(|t| serde_json::from_str::<Value>(t).ok());
    let sample = get(info, "sample").is_some_and(is_true)
        || info_text.as_ref().and_then(|i| get(i, "sample")).is_some_and(is_true)
        || key.is_some_and(is_generated)
        || names_generated_key(service);
    let base = Alert {
        source: AlertSource::GuardDuty,
        delivery_id: delivery,
        finding_id: Some(id),
        title: text(finding, "title").unwrap_or_else(|| finding_type.clone()),
        finding_type,
        severity: Severity::from_guardduty(get(finding, "severity").and_then(Value::as_f64).unwrap_or(5.0)),
        subject: Subject::default(),
        region: text(finding, "region"),
        first_seen_at: get(service, "eventFirstSeen").and_then(instant).or_else(|| signal_edge(service, "firstSeenAt")),
        last_seen_at: get(service, "eventLastSeen").and_then(instant).or_else(|| signal_edge(service, "lastSeenAt")),
        count: get(service, "count").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        remote_address: remote,
        api,
        sample,
        note: None,
    };
    let sequence = path(service, &["detection", "sequence"]).is_some();
    let alerts = subjects.into_iter().map(|subject| {
        let mut alert = Alert { subject, ..base.clone() };
        if sequence {
            // Each credential of a sequence is an incident of its own. Named by itself and not by its
            // place: a later state of the finding can list others before it.
            let which = alert.subject.headline();
            alert.delivery_id = format!("{}#{which}", alert.delivery_id);
            alert.finding_id = alert.finding_id.map(|id| format!("{id}#{which}"));
        }
        alert
    });
    Ok(alerts.collect())
}

/// The key id of findings that `CreateSampleFindings` makes. No real key is named so.
fn is_generated(key: &str) -> bool {
    key == "GeneratedFindingAccessKeyId"
}

fn names_generated_key(service: &Value) -> bool {
    let Some(sequence) = path(service, &["detection", "sequence"]) else { return false };
    let actors = items(sequence, "actors").filter_map(|a| path(a, &["user", "credentialUid"]));
    let resources = items(sequence, "resources").filter_map(|r| get(r, "uid"));
    actors.chain(resources).filter_map(Value::as_str).any(is_generated)
}

fn subjects(finding: &Value, service: &Value) -> Vec<Subject> {
    let account = text(finding, "accountId").and_then(|a| a.parse().ok());
    if let Some(details) = path(finding, &["resource", "accessKeyDetails"]) {
        return vec![subject(details, account)];
    }
    let Some(sequence) = path(service, &["detection", "sequence"]) else { return Vec::new() };
    let mut found: Vec<Subject> = Vec::new();
    for actor in items(sequence, "actors") {
        let Some(user) = get(actor, "user") else { continue };
        let access_key = text(user, "credentialUid").and_then(|k| k.parse().ok());
        let name = text(user, "name");
        if access_key.is_none() && name.is_none() {
            continue;
        }
        let own = path(user, &["account", "uid"]).and_then(Value::as_str).and_then(|a| a.parse().ok());
        found.push(Subject {
            access_key,
            account: own.or_else(|| account.clone()),
            name,
            principal_id: text(user, "uid"),
            kind: text(user, "type").map(|t| kind(&t)),
        });
    }
    for resource in items(sequence, "resources") {
        let Some(details) = path(resource, &["data", "accessKey"]) else { continue };
        let mut one = subject(details, account.clone());
        one.access_key = one.access_key.or_else(|| text(resource, "uid").and_then(|k| k.parse().ok()));
        match found.iter_mut().find(|f| same_credential(f, &one)) {
            // The resource knows the principal better than the actor does.
            Some(known) => {
                known.principal_id = one.principal_id.or_else(|| known.principal_id.take());
                known.name = one.name.or_else(|| known.name.take());
                known.kind = one.kind.or(known.kind);
            }
            None => found.push(one),
        }
    }
    found
}

fn same_credential(a: &Subject, b: &Subject) -> bool {
    match (&a.access_key, &b.access_key) {
        (Some(a), Some(b)) => a == b,
        _ => a.name.is_some() && a.name == b.name,
    }
}

fn subject(details: &Value, account: Option<crate::domain::id::AccountId>) -> Subject {
    Subject {
        access_key: text(details, "accessKeyId").and_then(|k| k.parse().ok()),
        account,
        name: text(details, "userName"),
        principal_id: text(details, "principalId"),
        kind: text(details, "userType").map(|t| kind(&t)),
    }
}

fn kind(user_type: &str) -> PrincipalKind {
    match user_type {
        "IAMUser" => PrincipalKind::IamUser,
        "AssumedRole" | "Role" => PrincipalKind::AssumedRole,
        "FederatedUser" => PrincipalKind::FederatedUser,
        "Root" => PrincipalKind::Root,
        _ => PrincipalKind::Unknown,
    }
}

/// A member by its camelCase name, or the same in PascalCase.
fn get<'a>(value: &'a Value, camel: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| {
        let mut pascal = camel.to_owned();
        pascal.get_mut(..1)?.make_ascii_uppercase();
        value.get(pascal)
    })
}

fn path<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().try_fold(value, |v, name| get(v, name))
}

fn text(value: &Value, camel: &str) -> Option<String> {
    get(value, camel).and_then(Value::as_str).map(bounded).filter(|t| !t.is_empty())
}

fn items<'a>(value: &'a Value, camel: &str) -> impl Iterator<Item = &'a Value> {
    get(value, camel).and_then(Value::as_array).into_iter().flatten()
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

/// RFC 3339, or seconds since 1970 as the CLI prints them. No time at all where AWS can not have seen anything: what is
/// reckoned from a time must have room for it.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let at = match value {
        Value::String(text) => text.parse().ok(),
        #[allow(clippy::cast_possible_truncation, reason = "saturates, and such a time is refused by from_timestamp")]
        Value::Number(number) => DateTime::from_timestamp_millis((number.as_f64()? * 1000.0) as i64),
        _ => None,
    };
    at.filter(|at| POSSIBLE_YEARS.contains(&at.year()))
}

fn signal_edge(service: &Value, which: &str) -> Option<DateTime<Utc>> {
    let sequence = path(service, &["detection", "sequence"])?;
    let times = items(sequence, "signals").filter_map(|s| instant(get(s, which)?));
    if which == "firstSeenAt" { times.min() } else { times.max() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_that_cannot_be_is_none() {
        for at in [
            json!("-262143-01-01T00:00:00Z"),
            json!("+262142-12-31T23:59:59Z"),
            json!(-8_334_601_228_800_i64),
            json!(1e18),
        ] {
            assert_eq!(instant(&at), None, "{at}");
        }
        assert_eq!(instant(&json!(1_767_225_600)), instant(&json!("2026-01-01T00:00:00Z")));
        assert!(instant(&json!("2026-01-01T00:00:00Z")).is_some());
    }

    fn event(detail: &Value) -> Vec<u8> {
        json!({"version": "0", "id": "e-1", "detail-type": "GuardDuty Finding", "source": "aws.guardduty",
               "account": "999999999999", "region": "us-east-1", "detail": detail})
        .to_string()
        .into_bytes()
    }

    fn iam_finding() -> Value {
        json!({
            "id": "f-1", "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", "severity": 8,
            "title": "API called from a listed address", "accountId": "111122223333", "region": "eu-west-1",
            "resource": {"resourceType": "AccessKey", "accessKeyDetails": {
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "principalId": "AIDAEXAMPLE", "userType": "IAMUser",
                "userName": "deploy-bot"}},
            "service": {"count": 3, "eventFirstSeen": "2026-01-01T10:00:00Z", "eventLastSeen": "2026-01-01T11:00:00.500Z",
                "action": {"awsApiCallAction": {"api": "ListUsers", "serviceName": "iam.amazonaws.com",
                    "remoteIpDetails": {"ipAddressV4": "198.51.100.7"}}}},
        })
    }

    fn alerts(body: &[u8]) -> Vec<Alert> {
        match parse(body) {
            Ok(Taken::Alerts(alerts)) => alerts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_finding_about_a_key_says_whose_and_when() {
        let alert = &alerts(&event(&iam_finding()))[0];
        assert_eq!(alert.delivery_id, "e-1");
        assert_eq!(alert.subject.access_key.as_ref().unwrap().as_str(), "AKIAIOSFODNN7EXAMPLE");
        // The finding's own account, not the aggregator's on the envelope.
        assert_eq!(alert.subject.account.as_ref().unwrap().as_str(), "111122223333");
        assert_eq!(alert.subject.kind, Some(PrincipalKind::IamUser));
        assert_eq!((alert.severity, alert.count, alert.sample), (Severity::High, 3, false));
        assert_eq!(alert.api.as_deref(), Some("iam:ListUsers"));
        assert_eq!(alert.first_seen_at, Some("2026-01-01T10:00:00Z".parse().unwrap()));
    }

    #[test]
    fn the_shape_that_the_cli_prints_says_the_same() {
        fn pascal(value: &Value) -> Value {
            match value {
                Value::Object(members) => members
                    .iter()
                    .map(|(k, v)| (format!("{}{}", k[..1].to_uppercase(), &k[1..]), pascal(v)))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
                other => other.clone(),
            }
        }
        let mut expected = alerts(&event(&iam_finding()));
        expected[0].delivery_id = "f-1@".into();
        assert_eq!(alerts(json!({"Findings": [pascal(&iam_finding())]}).to_string().as_bytes()), expected);
        assert_eq!(alerts(pascal(&iam_finding()).to_string().as_bytes()), expected);
    }

    #[test]
    fn an_attack_sequence_gives_an_alert_for_each_credential() {
        let finding = json!({
            "id": "s-1", "type": "AttackSequence:IAM/CompromisedCredentials", "severity": 9.0, "accountId": "111122223333",
            "resource": {"resourceType": "AttackSequence"},
            "service": {"detection": {"sequence": {
                "actors": [
                    {"user": {"name": "deploy-bot", "type": "IAMUser", "credentialUid": "AKIAIOSFODNN7EXAMPLE"}},
                    {"user": {"name": "app", "type": "AssumedRole", "credentialUid": "ASIAIOSFODNN7EXAMPLE"}}],
                "resources": [{"uid": "AKIAIOSFODNN7EXAMPLE", "data": {"accessKey": {"principalId": "AIDAEXAMPLE",
                    "userName": "deploy-bot", "userType": "IAMUser"}}}],
                "signals": [{"firstSeenAt": 1_767_261_600.0, "lastSeenAt": 1_767_265_200}]}}},
        });
        let alerts = alerts(&event(&finding));
        assert_eq!(alerts.len(), 2);
        assert_eq!(alerts[0].subject.principal_id.as_deref(), Some("AIDAEXAMPLE"));
        assert_eq!(alerts[0].severity, Severity::Critical);
        assert_eq!(alerts[0].first_seen_at, Some("2026-01-01T10:00:00Z".parse().unwrap()));
        let ids: Vec<_> = alerts.iter().map(|a| a.finding_id.clone().unwrap()).collect();
        assert_eq!(ids, ["s-1#AKIAIOSFODNN7EXAMPLE", "s-1#ASIAIOSFODNN7EXAMPLE"], "whatever else the sequence lists");
    }

    #[test]
    fn a_sample_is_known_and_never_joins_a_real_incident() {
        let mut finding = iam_finding();
        let real = alerts(&event(&finding));
        finding["service"]["additionalInfo"] = json!({"sample": true});
        let sample = alerts(&event(&finding));
        assert!(sample[0].sample);
        assert!(sample[0].correlation_keys().iter().all(|k| !real[0].correlation_keys().contains(k)));
        let mut generated = iam_finding();
        generated["resource"]["accessKeyDetails"]["accessKeyId"] = json!("GeneratedFindingAccessKeyId");
        assert!(alerts(&event(&generated))[0].sample);
        let mut as_text = iam_finding();
        as_text["service"]["additionalInfo"] = json!({"value": "{\"sample\":true}", "type": "default"});
        assert!(alerts(&event(&as_text))[0].sample);
        let mut disguised = iam_finding();
        disguised["resource"]["accessKeyDetails"]["userName"] = json!("GeneratedFindingUserName");
        assert!(!alerts(&event(&disguised))[0].sample);
    }

    #[test]
    fn what_is_no_finding_is_told_apart_from_what_is_no_event() {
        let other = json!({"id": "1", "source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}});
        assert!(matches!(parse(other.to_string().as_bytes()), Ok(Taken::NotForUs(what)) if what.contains("aws.ec2")));
        let mut instance = iam_finding();
        instance["resource"] = json!({"resourceType": "Instance"});
        assert!(matches!(parse(&event(&instance)), Ok(Taken::NotForUs(_))));
        assert_eq!(parse(b"{"), Err(NotAnEvent::NotJson));
        for body in ["[]", "{}", "null", "7", r#"{"source":"aws.guardduty"}"#, r#"{"findings":[{}]}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(NotAnEvent::Missing(_))), "{body}");
        }
    }
}
