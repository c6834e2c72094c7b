//! A record as it is kept: without session tokens, secrets and passwords. CloudTrail records the tokens of the
//! sessions that it sees being made, and whoever reads the store must not get to use one.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::super::secret::scrub;
use super::super::trail::record::moment;

/// Longest record that is kept whole, in bytes.
const RECORD_BYTES_MAX: usize = 64 << 10;
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

/// A record without what is secret; `None` when it is none, or has no id. One that is too long loses its
/// parameters.
pub fn kept(text: &str) -> Option<Kept> {
    let mut record: Value = serde_json::from_str(text).ok()?;
    let member = |name: &str| record[name].as_str().map(str::to_owned);
    let (id, request_id) = (member("eventID").filter(|id| !id.is_empty() && id.len() <= 128)?, member("requestID"));
    let at = member("eventTime").as_deref().and_then(moment);
    for part in ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"] {
        if let Some(value) = record.get_mut(part) {
            clean(value, "");
        }
    }
    if record.to_string().len() > RECORD_BYTES_MAX {
        record["requestParameters"] = Value::Null;
        record["responseElements"] = Value::Null;
    }
    Some(Kept { id, at, request_id, text: record.to_string() }).filter(|kept| kept.text.len() <= RECORD_BYTES_MAX)
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
    fn what_is_too_long_loses_its_parameters_and_what_is_no_record_is_left_out() {
        let long = json!({"eventID": "e-1", "requestParameters": {"policyDocument": "a b ".repeat(40_000)}});
        assert!(kept(&long.to_string()).unwrap().text.len() < 200);
        for none in ["", "{", "{}", "[]", r#"{"eventID":""}"#, r#"{"eventID":7}"#] {
            assert_eq!(kept(none), None, "{none}");
        }
    }
}
