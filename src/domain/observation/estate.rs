//! What AWS says of machines, functions, doors and what watches the account: as much as is needed to remove them in
//! order, to put back what an attacker has changed, and to know after the fact what was there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Earlier, KeptUpBy, ScaledBy, SpotRequest};

/// An instance that has not ended. One that is shutting down counts as gone: nothing can run in it any more.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// `i-…`: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was launched or started last.
    pub launched_at: String,
    /// AWS's word: `running`, `stopped`.
    pub state: String,
    /// For example `c5.4xlarge`.
    pub instance_type: String,
    /// What it was made from.
    pub image_id: String,
    /// The key pair that lets people in.
    pub key_name: Option<String>,
    /// ARN of its instance profile.
    pub profile: Option<String>,
    /// Whether AWS refuses to terminate it until that is switched off.
    pub protected: bool,
    /// Whether AWS refuses to stop it until that is switched off: it refuses to terminate it then too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_protected: bool,
    /// SHA-256 of its user data: what stands in that can be a secret of the owner's.
    pub user_data: Option<String>,
    /// Security groups.
    pub groups: Vec<String>,
    /// Its volumes with their ARNs, by id.
    pub volumes: BTreeMap<String, Volume>,
    /// Ids of network interfaces that do not end with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_interfaces: Vec<String>,
    /// ARN under which AWS asks whether a snapshot may be made.
    pub snapshots_arn: String,
    /// The Auto Scaling group that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_by: Option<ScaledBy>,
    /// The fleet that starts another in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<KeptUpBy>,
    /// How its metadata service gives out its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The spot request that has started it and can still start another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Box<SpotRequest>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// What is still there when it has ended, with the command that deletes it.
    pub fn outlived_by(&self, region: &str) -> Vec<(String, String)> {
        let volumes = self.volumes.iter().filter(|(_, volume)| !volume.deleted_with_instance).map(|(id, volume)| {
            let delete = format!("aws ec2 delete-volume --region {region} --volume-id {id}");
            (format!("volume {id} ({})", volume.device), delete)
        });
        let interfaces = self.kept_interfaces.iter().map(|id| {
            let delete = format!("aws ec2 delete-network-interface --region {region} --network-interface-id {id}");
            (format!("network interface {id}"), delete)
        });
        volumes.chain(interfaces).collect()
    }
}

/// The metadata service of an instance.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// AWS's word: `optional`, or `required` for `IMDSv2` alone.
    pub tokens: String,
    /// How far its answers go.
    pub hop_limit: i32,
    /// `enabled` or `disabled`.
    pub endpoint: String,
    /// Whether that is in force; a change takes a moment.
    pub applied: bool,
}

/// A volume of an instance.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Its ARN.
    pub arn: String,
    /// Where the instance has it.
    pub device: String,
    /// Whether it ends with the instance.
    pub deleted_with_instance: bool,
}

/// A function, who may call it and what does.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The role that it acts with.
    pub role: String,
    /// For example `python3.12`.
    pub runtime: String,
    /// Where its code begins.
    pub handler: String,
    /// SHA-256 of the code, in base64 as AWS gives it.
    pub code_sha256: String,
    /// AWS gives another with every change.
    pub revision: String,
    /// When it was changed last, as AWS gives it.
    pub changed_at: String,
    /// Names of the variables in its environment; what they hold stays in AWS.
    pub variables: Vec<String>,
    /// Who may call it, a policy document.
    pub policy: Option<String>,
    /// The address at which it can be called from anywhere.
    pub url: Option<Url>,
    /// Event sources, by id.
    pub sources: BTreeMap<String, Source>,
    /// Published versions with the SHA-256 of their code.
    pub versions: BTreeMap<String, String>,
    /// Rules of `EventBridge` that call it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, CalledBy>,
    /// ARNs of the layers' versions whose code runs with its own, in the order in which AWS lays them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

impl Function {
    /// Its layers that are another account's: that account can refuse their code to this one.
    pub fn foreign_layers(&self) -> Vec<&str> {
        let account = self.arn.split(':').nth(4);
        self.layers.iter().map(String::as_str).filter(|layer| layer.split(':').nth(4) != account).collect()
    }

    /// Who may call it: the statements of its policy, by their ids.
    pub fn statements(&self) -> BTreeMap<String, Value> {
        let policy: Value = self.policy.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let statements = policy["Statement"].as_array().into_iter().flatten();
        statements.filter_map(|statement| Some((statement["Sid"].as_str()?.to_owned(), statement.clone()))).collect()
    }
}

/// A function that some events have changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ChangedFunction {
    /// As it is now.
    pub function: Function,
    /// When the first of the events was, where the event history shows one.
    pub first_changed_at: Option<String>,
    /// The newest version that was published before.
    pub previous: Option<PublishedCode>,
}

/// A published version of a function: its code never changes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PublishedCode {
    /// Its number.
    pub version: String,
    /// SHA-256 of its code, in base64 as AWS gives it.
    pub code_sha256: String,
    /// How long its code is, packed; not known of what was looked at by an earlier version of the bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When what was published was changed last, as AWS gives it.
    pub changed_at: String,
}

/// A rule that calls a function.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CalledBy {
    /// The rule's ARN.
    pub arn: String,
    /// The ids of the targets that are the function.
    pub target_ids: Vec<String>,
}

/// A function's own address.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Url {
    /// Where.
    pub address: String,
    /// `NONE` or `AWS_IAM`.
    pub auth: String,
}

/// What a function is called for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The mapping's ARN.
    pub arn: String,
    /// The queue's or stream's ARN.
    pub from: String,
}

/// The same, looked at by itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EventSource {
    /// Never given twice.
    pub uuid: String,
    /// Its ARN.
    pub arn: String,
    /// The queue's or stream's ARN; empty for one that is not of AWS, as a Kafka cluster of one's own.
    pub from: String,
    /// The function's ARN.
    pub function: String,
    /// `Enabled`, `Disabled`, or on the way to one of them.
    pub state: String,
}

/// A key pair. The private key is with whoever made it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    /// `key-…`: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The public key, where AWS has it.
    pub public_key: Option<String>,
}

/// A security group with the rules of one direction that some events have added and that are still there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// `sg-…`
    pub group_id: String,
    /// Its ARN.
    pub arn: String,
    /// Whether it is about what goes out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub egress: bool,
    /// What the events have added and AWS still has.
    pub rules: Vec<Rule>,
    /// Others that let the same through, with ids that none of the events has given: somebody has added them since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Rule>,
    /// Whether the event history shows all of the events, and that they added any.
    pub proven: bool,
}

/// Who may come in, or where to things may go out, on which ports.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `sgr-…`
    pub id: String,
    /// `tcp`, `udp`, `icmp`, or `-1` for all.
    pub protocol: String,
    /// The first port; -1 for all.
    pub from_port: i32,
    /// The last port; -1 for all.
    pub to_port: i32,
    /// A network in CIDR notation, or a group or prefix list by its id.
    pub source: String,
}

/// Who may use a snapshot or an image by some events.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Sharing {
    /// `snap-…` or `ami-…`
    #[serde(rename = "snapshot_id")]
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Those whom the events have let in and who still are: account ids, and `all` for everybody.
    pub with: Vec<String>,
    /// Whether the event history shows all of the events, and that they let anybody in.
    pub proven: bool,
}

/// Something that watches the account: a trail, or `GuardDuty`'s detector.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    /// Its ARN.
    pub arn: String,
    /// Whether it does.
    pub on: bool,
    /// Why the newest files of a trail have not come into its bucket, in AWS's words: `NoSuchBucket`. It is on, and nothing
    /// comes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
}

/// A rule of `EventBridge`. One that is not there has no definition and no targets.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EventRule {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// What it is; absent for one that is not there.
    pub definition: Option<RuleDefinition>,
    /// What it calls: ARNs, by the targets' ids.
    pub targets: BTreeMap<String, String>,
    /// What there was under its name before somebody's calls, with what they were given; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Earlier>,
}

/// When a rule calls its targets.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RuleDefinition {
    /// For which events.
    pub pattern: Option<String>,
    /// At which times.
    pub schedule: Option<String>,
    /// The role that it acts with.
    pub role: Option<String>,
    /// Whether it does.
    pub enabled: bool,
    /// The service of AWS that has made it and keeps it.
    pub managed_by: Option<String>,
}
