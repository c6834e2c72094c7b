//! `CloudTrail`: every management call as an event, and the event history's lookup.

pub(super) mod delivery;
mod lookup;
pub(super) mod trails;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Account, ids};

pub(super) use lookup::lookup_events;

/// Events kept; beyond that the oldest go.
const EVENTS_MAX: usize = 50_000;

/// What happened, before it becomes an event.
pub(super) struct Entry<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) identity: Value,
    pub(super) access_key_id: Option<&'a str>,
    /// As in the history's user name column; none for calls of an AWS service.
    pub(super) user_name: Option<&'a str>,
    /// For example `iam.amazonaws.com`.
    pub(super) source: &'a str,
    pub(super) name: &'a str,
    pub(super) read_only: bool,
    pub(super) source_ip: &'a str,
    pub(super) user_agent: &'a str,
    pub(super) request: Value,
    pub(super) response: Value,
    /// Code and message.
    pub(super) error: Option<(&'a str, &'a str)>,
    pub(super) request_id: &'a str,
    /// A data event: in the trail's files, and not in the history.
    pub(super) data: bool,
}

/// One event of the history.
#[derive(Debug)]
struct Event {
    id: String,
    /// Place in the order of arrival.
    number: u64,
    at: DateTime<Utc>,
    /// When it is in the history.
    shows_at: DateTime<Utc>,
    region: String,
    source: String,
    name: String,
    read_only: bool,
    user_name: Option<String>,
    access_key_id: Option<String>,
    /// Type and name.
    resources: Vec<(&'static str, String)>,
    /// The whole event.
    json: String,
    /// Not in the history.
    data: bool,
    /// A trail was there to put it into its bucket.
    logged: bool,
}

#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Oldest first.
    events: VecDeque<Event>,
    recorded: u64,
    /// Up to which number events have been put into the bucket.
    delivered: u64,
    /// Nothing goes to the bucket: `StopLogging`.
    pub(super) paused: bool,
    /// How late events show that happen from now on; absent for five minutes.
    delay: Option<TimeDelta>,
    /// Lookups still allowed in each Region and when that was counted.
    allowance: BTreeMap<String, (f64, Instant)>,
}

impl Trail {
    pub(super) fn record(&mut self, entry: &Entry<'_>) {
        let id = ids::uuid();
        let at = entry.at.trunc_subsecs(0);
        let mut event = json!({
            "eventVersion": "1.11",
            "userIdentity": entry.identity,
            "eventTime": at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "eventSource": entry.source,
            "eventName": entry.name,
            "awsRegion": entry.region,
            "sourceIPAddress": entry.source_ip,
            "userAgent": entry.user_agent,
            "requestParameters": entry.request,
            "responseElements": entry.response,
            "requestID": entry.request_id,
            "eventID": id,
            "readOnly": entry.read_only,
            "eventType": "AwsApiCall",
            "managementEvent": !entry.data,
            "recipientAccountId": entry.account,
            "eventCategory": if entry.data { "Data" } else { "Management" },
        });
        if let (true, Some(bucket)) = (entry.data, entry.request["bucketName"].as_str()) {
            let arn = format!("arn:aws:s3:::{bucket}");
            let object = entry.request["key"]
                .as_str()
                .map(|key| json!({ "type": "AWS::S3::Object", "ARN": format!("{arn}/{key}") }));
            let whole = json!({ "accountId": entry.account, "type": "AWS::S3::Bucket", "ARN": arn });
            event["resources"] = object.into_iter().chain([whole]).collect();
        }
        if let Some((code, message)) = entry.error {
            event["errorCode"] = json!(code);
            event["errorMessage"] = json!(message);
        } else if let Some(role) = entry.request.get("roleArn") {
            event["resources"] = json!([{ "accountId": entry.account, "type": "AWS::IAM::Role", "ARN": role }]);
        }
        let mut resources = Vec::new();
        named_resources(entry.source, &entry.request, &mut resources);
        named_resources(entry.source, &entry.response, &mut resources);
        resources.dedup();
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.recorded += 1;
        self.events.push_back(Event {
            id,
            number: self.recorded,
            at,
            shows_at: at + self.delay.unwrap_or(lookup::DELAY),
            region: entry.region.to_owned(),
            source: entry.source.to_owned(),
            name: entry.name.to_owned(),
            read_only: entry.read_only,
            user_name: entry.user_name.map(str::to_owned),
            access_key_id: entry.access_key_id.map(str::to_owned),
            resources,
            json: event.to_string(),
            data: entry.data,
            logged: !self.paused,
        });
    }
}

impl Account {
    /// Lets the sessions of a role last. Where this clock jumps, that of the program which holds one does not, and it
    /// would not know that it needs another.
    pub fn lasts(&self, role_name: &str) {
        self.world().lasting.insert(role_name.to_owned());
    }

    /// How late the trail shows what happens from now on; five minutes before that is set.
    pub fn set_trail_delay(&self, delay: TimeDelta) {
        self.world().trail.delay = Some(delay);
    }
}

/// The resources that the history lists for an event: what its parameters and answer name.
fn named_resources(source: &str, value: &Value, found: &mut Vec<(&'static str, String)>) {
    let Some(fields) = value.as_object() else {
        value.as_array().into_iter().flatten().for_each(|value| named_resources(source, value, found));
        return;
    };
    for (key, value) in fields {
        let kind = match key.as_str() {
            "accessKeyId" => "AWS::IAM::AccessKey",
            "userName" => "AWS::IAM::User",
            "bucketName" if source == "s3.amazonaws.com" => "AWS::S3::Bucket",
            "functionName" => "AWS::Lambda::Function",
            "instanceId" => "AWS::EC2::Instance",
            "secretId" => "AWS::SecretsManager::Secret",
            "snapshotId" => "AWS::EC2::Snapshot",
            "volumeId" => "AWS::EC2::Volume",
            "roleName" | "roleArn" => "AWS::IAM::Role",
            "policyName" | "policyArn" => "AWS::IAM::Policy",
            "groupName" if source == "iam.amazonaws.com" => "AWS::IAM::Group",
            "groupId" if source == "ec2.amazonaws.com" => "AWS::EC2::SecurityGroup",
            "keyName" => "AWS::EC2::KeyPair",
            "instanceProfileName" => "AWS::IAM::InstanceProfile",
            "assumedRoleId" => "AWS::STS::AssumedRole",
            "arn" if fields.contains_key("assumedRoleId") => "AWS::STS::AssumedRole",
            _ => {
                named_resources(source, value, found);
                continue;
            }
        };
        if let Some(name) = value.as_str() {
            found.push((kind, name.to_owned()));
        }
    }
}
