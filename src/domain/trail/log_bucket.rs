//! The buckets that trails deliver to, as far as records say which they are, and what blinds a trail by way of its bucket:
//! the trail itself stays on, and whoever looks at it alone sees nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::classify::Outcome;
use super::event::Event;
use super::record::Record;
use super::resource::{at, cut};

/// Buckets that are remembered of each kind.
const BUCKETS_MAX: usize = 1_000;
/// Longest name of a bucket, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// What calls in `CloudTrail`'s own name.
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
/// What the keys of log files begin with, after a prefix that the trail may have.
const LOGS: &str = "AWSLogs";

/// Buckets that are known to be trails'.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogBuckets {
    /// Those that a trail was told of, or that `CloudTrail` itself has to do with.
    told: BTreeSet<String>,
    /// Those that only a key tells of: whoever puts such keys into many buckets pushes none of the others out.
    by_key: BTreeSet<String>,
}

impl LogBuckets {
    fn has(&self, name: &str) -> bool {
        self.told.contains(name) || self.by_key.contains(name)
    }

    /// Takes in what another part of the logs says.
    pub fn merge(&mut self, other: Self) {
        other.told.into_iter().for_each(|name| add(&mut self.told, name));
        other.by_key.into_iter().for_each(|name| add(&mut self.by_key, name));
    }

    /// Takes in what a record says: the call that makes or changes a trail, what `CloudTrail` itself does with its bucket, and
    /// keys of log files. The answers of calls that describe a trail stand in no record.
    pub fn note(&mut self, record: &Record<'_>) {
        match (record.source(), record.name()) {
            ("cloudtrail", "CreateTrail" | "UpdateTrail") if record.succeeded() => {
                let trees = [record.request(), record.response()];
                trees.iter().flat_map(|tree| at(tree, "s3BucketName")).for_each(|name| add(&mut self.told, name));
            }
            ("s3", _) if record.user_identity.invoked_by.as_deref() == Some(CLOUDTRAIL) && record.succeeded() => {
                for name in at(&record.request(), "bucketName") {
                    add(&mut self.told, name);
                }
            }
            _ => self.note_key(record),
        }
    }

    /// Takes in what a key says. A caller whom nobody knew yet can have been passed over when a file was gone through first: what
    /// is kept of theirs later is taken in then.
    pub fn note_key(&mut self, record: &Record<'_>) {
        let may_be = record.source() == "s3" && record.request_parameters.is_some_and(|raw| raw.get().contains(LOGS));
        if !may_be || !record.succeeded() {
            return;
        }
        let request = record.request();
        if at(&request, "key").iter().any(|key| is_log(key)) {
            for name in at(&request, "bucketName") {
                add(&mut self.by_key, name);
            }
        }
    }
}

/// What a call does, or was to do, to a bucket that can be a trail's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Harm {
    /// The bucket.
    pub bucket: Box<str>,
    /// Whether the key is a log file's: then it is a trail's bucket.
    pub is_log: bool,
}

/// Whether a key is that of a trail's log file or digest: `AWSLogs/111122223333/CloudTrail/…`, with an organization's id
/// before the account in its own trail.
fn is_log(key: &str) -> bool {
    let within = key.split('/').skip_while(|part| *part != LOGS);
    within.skip(2).take(2).any(|part| part.starts_with("CloudTrail"))
}

/// What a call that is kept has to do with logs, where it takes them away or ends their delivery.
pub fn harm(record: &Record<'_>, request: &Value) -> Option<Harm> {
    if record.source() != "s3" {
        return None;
    }
    let keys = at(request, "key");
    let is_log = keys.iter().any(|key| is_log(key));
    let harms = match record.name() {
        "DeleteBucket"
        | "DeleteBucketPolicy"
        | "DeleteObjects"
        | "PutBucketLifecycle"
        | "PutBucketLifecycleConfiguration"
        | "PutBucketObjectLockConfiguration"
        | "PutBucketPolicy" => true,
        "PutBucketVersioning" => !at(request, "VersioningConfiguration.Status").iter().any(|to| to == "Enabled"),
        // Of a key that is no log's the logs lose nothing.
        "DeleteObject" | "DeleteObjectVersion" => is_log || keys.is_empty(),
        // Written over it is gone too.
        "CompleteMultipartUpload" | "CopyObject" | "PutObject" => is_log,
        _ => false,
    };
    let mut bucket = at(request, "bucketName").into_iter().next().filter(|_| harms)?;
    cut(&mut bucket, NAME_BYTES_MAX);
    Some(Harm { bucket: bucket.into(), is_log })
}

/// Whether a call has tampered with logging by way of a bucket, or tried to; `known` are the buckets of trails.
pub fn tampers(event: &Event, known: &LogBuckets) -> bool {
    let harms = |harm: &Harm| harm.is_log || known.has(&harm.bucket);
    (event.changes || event.outcome != Outcome::Succeeded) && event.harm.as_deref().is_some_and(harms)
}

/// Where there are too many, which ones stay does not depend on the order in which they come.
fn add(into: &mut BTreeSet<String>, mut name: String) {
    cut(&mut name, NAME_BYTES_MAX);
    into.insert(name);
    if into.len() > BUCKETS_MAX {
        into.pop_last();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LOG: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/31/x.json.gz";

    #[test]
    fn a_log_file_is_known_by_its_key() {
        for key in [
            LOG,
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/x.json.gz",
            "AWSLogs/o-abc/111122223333/CloudTrail/us-east-1/x.json.gz",
            "audit/org/AWSLogs/111122223333/CloudTrail/x.json.gz",
        ] {
            assert!(is_log(key), "{key}");
        }
        for key in [
            "AWSLogs/111122223333/elasticloadbalancing/x.log.gz",
            "AWSLogs/111122223333/Config/us-east-1/CloudTrail/x",
            "CloudTrail/x",
            "AWSLogs",
            "",
        ] {
            assert!(!is_log(key), "{key}");
        }
    }

    fn known(record: &Value) -> Vec<String> {
        let text = record.to_string();
        let mut found = LogBuckets::default();
        found.note(&serde_json::from_str(&text).unwrap());
        found.told.into_iter().chain(found.by_key).collect()
    }

    #[test]
    fn a_trails_bucket_is_known_from_the_trail_from_cloudtrail_itself_and_from_keys() {
        let call = |source: &str, name: &str, request: Value| json!({"eventSource": format!("{source}.amazonaws.com"), "eventName": name, "requestParameters": request});
        let trail = call("cloudtrail", "UpdateTrail", json!({"name": "main", "s3BucketName": "logs"}));
        assert_eq!(known(&trail), ["logs"]);
        let mut answered = call("cloudtrail", "UpdateTrail", json!({"name": "main", "isMultiRegionTrail": true}));
        answered["responseElements"] = json!({"s3BucketName": "logs"});
        assert_eq!(known(&answered), ["logs"]);
        let mut refused = trail.clone();
        refused["errorCode"] = json!("AccessDenied");
        assert_eq!(known(&refused), [""; 0]);
        let mut looks = call("s3", "GetBucketAcl", json!({"bucketName": "logs"}));
        assert_eq!(known(&looks), [""; 0], "anybody may look");
        looks["userIdentity"] = json!({"type": "AWSService", "invokedBy": CLOUDTRAIL});
        assert_eq!(known(&looks), ["logs"]);
        assert_eq!(known(&call("s3", "GetObject", json!({"bucketName": "logs", "key": LOG}))), ["logs"]);
        assert_eq!(known(&call("s3", "GetObject", json!({"bucketName": "b", "key": "AWSLogs/x"}))), [""; 0]);
    }

    #[test]
    fn whoever_writes_such_keys_everywhere_pushes_out_no_trails_bucket_and_which_are_left_does_not_depend_on_order() {
        let decoys = |names: std::ops::Range<usize>| LogBuckets {
            by_key: names.map(|n| format!("decoy-{n:04}")).collect(),
            ..LogBuckets::default()
        };
        let trail = json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "CreateTrail",
            "requestParameters": {"s3BucketName": "logs"}})
        .to_string();
        let parts = || {
            let mut told = LogBuckets::default();
            told.note(&serde_json::from_str(&trail).unwrap());
            [decoys(0..BUCKETS_MAX), decoys(BUCKETS_MAX..2 * BUCKETS_MAX), told]
        };
        let merged = |parts: Vec<LogBuckets>| {
            let mut all = LogBuckets::default();
            for part in parts {
                all.merge(part);
            }
            all
        };
        let all = merged(parts().into());
        assert!(all.has("logs") && all.by_key.len() == BUCKETS_MAX);
        assert_eq!(all, merged(parts().into_iter().rev().collect()));
    }
}
