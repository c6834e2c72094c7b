//! A record as it is kept: without session tokens, secrets and passwords. CloudTrail records the tokens of the
//! sessions that it sees being made, and whoever reads the store must not get to use one.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::secret::scrub;
use super::super::trail::record::moment;

/// Longest record that is kept whole, in bytes. A longer one loses what it can spare, and no more than it has to.
const RECORD_BYTES_MAX: usize = 64 << 10;
/// Longest texts in one that is too long, in bytes; the second if it still is.
const TEXTS_BYTES_MAX: [usize; 2] = [8 << 10, 512];
/// Longest part of a record of which nothing else can be spared, in bytes.
const PART_BYTES_MAX: usize = 8 << 10;
/// Longest part of what a record is called that cannot be kept, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Stands where a text stood that was too long.
const TOO_LONG: &str = "[too long to keep]";
/// A record has this where its parameters were too long, as `CloudTrail` itself writes it.
const OMITTED: &str = r#""omitted":true"#;
/// Members whose values are secrets, in lower case.
const SECRET: [&str; 8] = [
    "sessiontoken",
    "secretaccesskey",
    "password",
    "secretstring",
    "secretbinary",
    "privatekey",
    "userdata",
    "plaintext",
];
/// What stands where a secret stood.
const REMOVED: &str = "[removed]";

/// A record that can be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Its event's id.
    pub id: String,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// The request that it is of.
    pub request_id: Option<String>,
    /// The record.
    pub text: String,
}

/// A record without what is secret. Of one that is too long the ids stay, and where not even they fit, [`has_lost`] says so
/// of it.
///
/// # Errors
///
/// What it is called where it cannot be kept, and why: it is no record, has no id, or is too long even so.
pub fn kept(text: &str) -> Result<Kept, String> {
    let Ok(mut record) = serde_json::from_str::<Value>(text) else {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        return Err(format!("a text of {} bytes that is no record ({:08x})", text.len(), hasher.finish() >> 32));
    };
    let member = |name: &str| record[name].as_str().map(str::to_owned);
    let called = |name: &str| member(name).unwrap_or_default().chars().take(NAME_CHARS_MAX).collect::<String>();
    let call = format!("{} of {} at {}", called("eventName"), called("eventSource"), called("eventTime"));
    let Some(id) = member("eventID").filter(|id| !id.is_empty() && id.len() <= 128) else {
        return Err(format!("{call} (it has no event id)"));
    };
    let request_id = member("requestID");
    let at = member("eventTime").as_deref().and_then(moment);
    for part in ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"] {
        if let Some(value) = record.get_mut(part) {
            clean(value, "");
        }
    }
    for spare in SPARED {
        if record.to_string().len() <= RECORD_BYTES_MAX {
            break;
        }
        spare(&mut record);
    }
    let text = record.to_string();
    if text.len() > RECORD_BYTES_MAX {
        return Err(format!("{call}, event {id} (it is too long)"));
    }
    Ok(Kept { id, at, request_id, text })
}

/// Whether it is not known what the call was given and gave back, because that was too much for the record.
pub fn has_lost(text: &str) -> bool {
    text.contains(OMITTED)
}

/// What a record can spare, in this order.
const SPARED: [fn(&mut Value); 5] = [
    |record| shorten(record, "", TEXTS_BYTES_MAX[0]),
    |record| shorten(record, "", TEXTS_BYTES_MAX[1]),
    name_only,
    |record| {
        for part in ["requestParameters", "responseElements"] {
            record[part] = json!({"omitted": true});
        }
    },
    |record| {
        if let Some(parts) = record.as_object_mut() {
            parts.retain(|_, part| part.to_string().len() <= PART_BYTES_MAX);
        }
    },
];

/// Takes out the texts that are too long. A policy says who is let in: it stays as long as any of IAM's can be.
fn shorten(value: &mut Value, name: &str, bytes_max: usize) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| shorten(value, name, bytes_max)),
        Value::Array(values) => values.iter_mut().for_each(|value| shorten(value, name, bytes_max)),
        Value::String(text) => {
            let policy = name.to_ascii_lowercase().ends_with("policydocument");
            if text.len() > if policy { TEXTS_BYTES_MAX[0] } else { bytes_max } {
                *value = TOO_LONG.into();
            }
        }
        _ => {}
    }
}

/// Leaves of each thing in a list only what it is called, and that once where it is the same for all of them.
fn name_only(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(name_only),
        Value::Array(things) => {
            let first = things.first().cloned().unwrap_or_default();
            for (at, thing) in things.iter_mut().enumerate() {
                let Value::Object(members) = thing else { continue };
                members.retain(|name, value| value.is_string() && is_name(name) && (at == 0 || first[name] != *value));
            }
        }
        _ => {}
    }
}

/// Whether a member says what a thing is called. Names in the DNS follow from what else there is.
fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !lower.ends_with("dnsname") && ["name", "arn", "id", "identifier"].iter().any(|end| lower.ends_with(end))
}

fn clean(value: &mut Value, name: &str) {
    let lower = name.to_ascii_lowercase();
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| clean(value, name)),
        Value::Array(values) => values.iter_mut().for_each(|value| clean(value, name)),
        Value::String(_) if SECRET.iter().any(|secret| lower.contains(secret)) => *value = REMOVED.into(),
        // What the analysis goes by is no secret, however long it is.
        Value::String(_) if ["name", "arn", "id"].iter().any(|end| lower.ends_with(end)) => {}
        Value::String(text) => {
            let scrubbed = scrub(text);
            if scrubbed.found {
                *value = scrubbed.text.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_token_and_no_secret_is_kept() {
        let token = "FwoGZXIvYXdzE".repeat(20);
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let record = json!({
            "eventID": "e-1", "eventTime": "2026-01-01T00:00:00Z", "requestID": "r-1",
            "requestParameters": {"password": "hunter2", "environment": {"KEY": secret}, "userName": "backdoor"},
            "responseElements": {"credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "sessionToken": token},
                "accessKey": {"secretAccessKey": secret}},
        });
        let kept = kept(&record.to_string()).unwrap();
        assert_eq!((kept.id.as_str(), kept.request_id.as_deref()), ("e-1", Some("r-1")));
        for gone in [token.as_str(), secret, "hunter2"] {
            assert!(!kept.text.contains(gone), "{gone}: {}", kept.text);
        }
        assert!(kept.text.contains("ASIAIOSFODNN7EXAMPLE") && kept.text.contains("backdoor"), "{}", kept.text);
    }

    #[test]
    fn what_is_too_long_loses_texts_first_and_what_is_no_record_is_left_out() {
        let trust = json!({"Statement": []}).to_string();
        let long = json!({"eventID": "e-1", "requestParameters": {"roleName": "door", "policyDocument": trust,
            "tags": vec!["a b ".repeat(1_000); 40]}});
        let text = kept(&long.to_string()).unwrap().text;
        assert!(text.contains("door") && text.contains("Statement") && text.contains(TOO_LONG), "{text}");
        assert!(!has_lost(&text) && text.len() < 2_000);
        for none in ["", "{", "{}", "[]", r#"{"eventID":""}"#, r#"{"eventID":7}"#] {
            assert!(kept(none).is_err(), "{none}");
        }
        let none = r#"{"eventName":"CreateUser","eventSource":"iam.amazonaws.com","eventTime":"2026-01-01T00:00:00Z"}"#;
        let called = kept(none).unwrap_err();
        assert_eq!(called, "CreateUser of iam.amazonaws.com at 2026-01-01T00:00:00Z (it has no event id)");
    }

    #[test]
    fn a_thousand_instances_of_one_call_keep_their_ids() {
        let instance = |n: usize| {
            json!({"instanceId": format!("i-{n:017x}"), "imageId": "ami-0123456789abcdef0", "subnetId": "subnet-1",
                "privateDnsName": format!("ip-10-0-{n}-1.ec2.internal"), "architecture": "x86_64",
                "networkInterfaceSet": {"items": [{"networkInterfaceId": format!("eni-{n:017x}"), "status": "in-use"}]}})
        };
        let items: Vec<Value> = (0..1_000).map(instance).collect();
        let run = json!({"eventID": "e-1", "eventName": "RunInstances", "userAgent": "x".repeat(70_000),
            "responseElements": {"instancesSet": {"items": items}}});
        let text = kept(&run.to_string()).unwrap().text;
        assert!((0..1_000).all(|n| text.contains(&format!("\"i-{n:017x}\""))), "{}", text.len());
        assert!(text.contains("ami-0123456789abcdef0") && !has_lost(&text));
    }

    #[test]
    fn what_is_too_long_even_so_says_that_it_has_lost_something() {
        let named: serde_json::Map<String, Value> = (0..9_000).map(|n| (format!("n{n}"), "value".into())).collect();
        let call = json!({"eventID": "e-1", "eventName": "CreateStack", "requestParameters": named, "odd": named});
        let text = kept(&call.to_string()).unwrap().text;
        assert!(has_lost(&text) && text.contains("CreateStack"), "{text}");
    }
}
