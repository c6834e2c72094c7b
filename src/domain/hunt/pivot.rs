//! What the event history is asked: it takes one attribute for each question, in each Region.

use std::collections::BTreeMap;
use std::fmt;

use super::super::trail::analysis::Analysis;
use super::super::trail::resource::Effect;
use super::super::trail::token::{bare_name, role_session};

/// IAM, and STS by its global endpoint, are recorded here only.
pub const HOME_REGION: &str = "us-east-1";
/// What the history calls the root user.
pub const ROOT: &str = "root";
/// Attributes that are asked about in one Region.
pub const PIVOTS_MAX: usize = 80;

/// One attribute of `LookupEvents`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Pivot {
    /// The access key that signed.
    AccessKey(String),
    /// The user's name, or the session's.
    Username(String),
    /// What the call names: by name, by id or by ARN. The history knows the names of some kinds only.
    Resource(String),
    /// The call itself.
    Call(String),
}

/// One question to the history of one Region.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Question {
    /// The Region.
    pub region: String,
    /// The attribute.
    pub pivot: Pivot,
}

impl fmt::Display for Pivot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey(value) => write!(f, "access key {value}"),
            Self::Username(value) => write!(f, "user name {value}"),
            Self::Resource(value) => write!(f, "resource {value}"),
            Self::Call(value) => write!(f, "call {value}"),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.region, self.pivot)
    }
}

/// A pivot, and the one Region in which it says anything; absent for all.
pub type Asked = (Pivot, Option<String>);

/// What to ask for, given what is known: the first ones matter most. Also says whether some are left out.
pub fn pivots(names: &[String], analysis: &Analysis) -> (Vec<Asked>, bool) {
    let mut asked: Vec<Asked> = Vec::new();
    let mut add = |pivot: Pivot, region: Option<&str>| {
        let known = asked.iter().any(|(p, r)| *p == pivot && (r.is_none() || r.as_deref() == region));
        if !known {
            asked.push((pivot, region.map(str::to_owned)));
        }
    };
    for key in &analysis.asked.credentials {
        add(Pivot::AccessKey(key.clone()), None);
    }
    for name in names.iter().chain(&analysis.sessions) {
        add(Pivot::Username(name.clone()), None);
    }
    // Whoever takes a role names it by its ARN, in any Region.
    let asked_for = analysis.asked.principals.iter().filter(|arn| arn.contains(":role/"));
    for role in asked_for.chain(&analysis.taken_roles) {
        add(Pivot::Resource(role.clone()), None);
    }
    // The history knows a session by its name too, and whoever mints one after the other keeps to one name: hundreds of
    // sessions are one question. A long-term key is asked about by itself: its user may have others.
    for held in &analysis.credentials {
        let name = held.principal.as_deref().and_then(name_of);
        match (&held.access_key_id, name) {
            (Some(key), Some(_)) if key.starts_with("ASIA") => {}
            (Some(key), _) => add(Pivot::AccessKey(key.to_string()), None),
            (None, _) => {}
        }
        if let Some(name) = name {
            add(Pivot::Username(name.to_owned()), None);
        }
    }
    for made in analysis.footprint.iter().filter(|found| found.effect != Effect::Read) {
        let home = made.resource_type.starts_with("AWS::IAM::");
        let region = if home { HOME_REGION } else { made.region.as_str() };
        let name = bare_name(&made.id);
        match made.resource_type.as_str() {
            "AWS::IAM::User" => add(Pivot::Username(name.to_owned()), None),
            // What runs there takes its role in its name, and calls from wherever it likes.
            "AWS::EC2::Instance" | "AWS::Lambda::Function" if made.made_by_attacker => {
                add(Pivot::Username(name.to_owned()), None);
            }
            // Whoever takes it names it by its ARN, in any Region.
            "AWS::IAM::Role" => {
                let arn = format!("arn:aws:iam::{}:role/{name}", made.account);
                add(Pivot::Resource(if made.id.starts_with("arn:") { made.id.clone() } else { arn }), None);
            }
            _ => {}
        }
        add(Pivot::Resource(name.to_owned()), Some(region));
    }
    let all = asked.len();
    let (mut everywhere, mut only): (usize, BTreeMap<String, usize>) = (0, BTreeMap::new());
    asked.retain(|(_, region)| {
        let here = match region {
            None => only.values().max().copied().unwrap_or_default(),
            Some(region) => only.get(region).copied().unwrap_or_default(),
        };
        let room = everywhere + here < PIVOTS_MAX;
        if room {
            let count = match region {
                None => &mut everywhere,
                Some(region) => only.entry(region.clone()).or_default(),
            };
            *count += 1;
        }
        room
    });
    let cut = asked.len() < all;
    (asked, cut)
}

/// What the history calls a principal: a user's name, a session's.
pub fn name_of(arn: &str) -> Option<&str> {
    if let Some((_, _, session)) = role_session(arn) {
        return Some(session);
    }
    if arn.ends_with(":root") {
        return Some(ROOT);
    }
    arn.contains(":user/").then(|| bare_name(arn))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::trail::attribution;
    use super::super::findings::analyse;
    use super::*;

    const STOLEN: &str = "AKIAIOSFODNN7EXAMPLE";

    fn pivots_after(source: &str, call: &str, more: &serde_json::Value) -> Vec<Asked> {
        let mut record = json!({
            "eventID": "e1", "eventTime": "2026-01-31T10:00:00Z", "eventSource": source, "eventName": call,
            "awsRegion": "us-west-2", "recipientAccountId": "111122223333", "sourceIPAddress": "198.51.100.77",
            "userAgent": "x", "readOnly": false,
            "userIdentity": {"type": "IAMUser", "principalId": "AIDACI", "userName": "ci", "accessKeyId": STOLEN,
                "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/ci"},
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pivots_of(&[record]).0
    }

    fn pivots_of(records: &[serde_json::Value]) -> (Vec<Asked>, bool) {
        let question = attribution::Question { credentials: vec![STOLEN.into()], ..attribution::Question::default() };
        let id = |record: &serde_json::Value| record["eventID"].as_str().unwrap().to_owned();
        let records = records.iter().map(|record| (id(record), record.to_string())).collect();
        pivots(&["ci".to_owned()], &analyse(&question, &records))
    }

    fn key_pair(n: usize, region: &str) -> serde_json::Value {
        json!({
            "eventID": format!("e{n}"), "eventTime": "2026-01-31T10:00:00Z", "eventSource": "ec2.amazonaws.com",
            "eventName": "CreateKeyPair", "awsRegion": region, "recipientAccountId": "111122223333",
            "sourceIPAddress": "198.51.100.77", "userAgent": "x", "readOnly": false,
            "requestParameters": {"keyName": format!("k{n}")},
            "userIdentity": {"type": "IAMUser", "principalId": "AIDACI", "userName": "ci", "accessKeyId": STOLEN,
                "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/ci"},
        })
    }

    #[test]
    fn what_is_asked_in_one_region_only_leaves_room_for_the_others() {
        let many = PIVOTS_MAX + 20;
        let spread: Vec<_> = (0..many).map(|n| key_pair(n, &format!("eu-test-{n}"))).collect();
        let (asked, cut) = pivots_of(&spread);
        assert!(!cut);
        assert_eq!(asked.len(), many + 2, "each in its Region, and the key and its user everywhere");
        let heaped: Vec<_> = (0..many).map(|n| key_pair(n, "eu-west-1")).collect();
        let (asked, cut) = pivots_of(&heaped);
        assert!(cut);
        assert_eq!(asked.len(), PIVOTS_MAX);
    }

    #[test]
    fn what_the_attacker_runs_is_asked_about_by_the_name_of_its_sessions_in_every_region() {
        let run = json!({"responseElements": {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}}});
        let asked = pivots_after("ec2.amazonaws.com", "RunInstances", &run);
        assert!(asked.contains(&(Pivot::Username("i-0123456789abcdef0".into()), None)), "{asked:?}");
        let made = json!({
            "requestParameters": {"functionName": "sync", "role": "arn:aws:iam::111122223333:role/app"},
            "responseElements": {"functionName": "sync", "functionArn": "arn:aws:lambda:us-west-2:111122223333:function:sync"},
        });
        let asked = pivots_after("lambda.amazonaws.com", "CreateFunction20150331", &made);
        assert!(asked.contains(&(Pivot::Username("sync".into()), None)), "{asked:?}");
    }

    #[test]
    fn sessions_of_one_name_are_one_question() {
        let minted = json!({
            "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/app", "roleSessionName": "s"},
            "responseElements": {"credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE"}, "assumedRoleUser":
                {"assumedRoleId": "AROAAPP:s", "arn": "arn:aws:sts::111122223333:assumed-role/app/s"}},
        });
        let asked = pivots_after("sts.amazonaws.com", "AssumeRole", &minted);
        let of_session = |pivot: &Pivot| matches!(pivot, Pivot::AccessKey(key) if key.starts_with("ASIA"));
        assert!(!asked.iter().any(|(pivot, _)| of_session(pivot)), "{asked:?}");
        assert_eq!(asked.iter().filter(|(pivot, _)| *pivot == Pivot::Username("s".into())).count(), 1, "{asked:?}");
    }
}
