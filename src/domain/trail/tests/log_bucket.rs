//! A trail is blinded by way of its bucket.

use super::*;

const LOG: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/31/x.json.gz";

/// What `CloudTrail` itself asks before it delivers.
fn delivers(bucket: &str) -> Value {
    let mut record = by_user(300, "acl", "", "", ("s3", "GetBucketAcl"), json!({"readOnly": true}));
    record["userIdentity"] = json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"});
    record["sourceIPAddress"] = json!("cloudtrail.amazonaws.com");
    record["requestParameters"] = json!({"bucketName": bucket});
    record
}

fn by_thief(minute: u32, id: &str, call: &str, request: &Value) -> Value {
    by_user(minute, id, STOLEN, "deploy", ("s3", call), json!({"requestParameters": request}))
}

fn tampering(records: &[Value]) -> Vec<String> {
    analyze(records).tampering.iter().map(ToString::to_string).collect()
}

#[test]
fn whoever_deletes_empties_or_blinds_a_trails_bucket_has_tampered_with_logging() {
    let bucket = json!({"bucketName": "logs"});
    let with = |more: Value| {
        let mut request = bucket.clone();
        merge(&mut request, more);
        request
    };
    let versioning = |status: &str| with(json!({"VersioningConfiguration": {"Status": status}}));
    let calls = [
        by_thief(600, "suspends", "PutBucketVersioning", &versioning("Suspended")),
        by_thief(601, "switches-on", "PutBucketVersioning", &versioning("Enabled")),
        by_thief(602, "policy", "PutBucketPolicy", &bucket),
        by_thief(603, "empties", "DeleteObjects", &bucket),
        by_thief(604, "other-file", "DeleteObject", &with(json!({"key": "alb/x.log"}))),
        by_thief(605, "tags", "PutBucketTagging", &bucket),
        by_thief(606, "deletes", "DeleteBucket", &bucket),
    ];
    let known = [vec![delivers("logs")], calls.to_vec()].concat();
    assert_eq!(tampering(&known), ["suspends", "policy", "empties", "deletes"]);
    // Of a bucket that no trail is known to have, nothing says that logs were in it.
    assert_eq!(tampering(&calls), [""; 0]);
    let other = [vec![delivers("others")], calls.to_vec()].concat();
    assert_eq!(tampering(&other), [""; 0]);
    let mut tried = by_thief(607, "tries", "DeleteBucket", &bucket);
    tried["errorCode"] = json!("AccessDenied");
    assert_eq!(tampering(&[delivers("logs"), tried]), ["tries"]);
}

#[test]
fn a_bucket_is_known_by_the_call_that_gave_it_to_the_trail_whoever_made_it() {
    let owner = by_user(
        60,
        "made",
        "AKIAOWNER00000000001",
        "admin",
        ("cloudtrail", "CreateTrail"),
        json!({"sourceIPAddress": OFFICE, "requestParameters": {"name": "main", "s3BucketName": "logs"}}),
    );
    let deletes = by_thief(600, "deletes", "DeleteBucket", &json!({"bucketName": "logs"}));
    assert_eq!(tampering(&[owner, deletes.clone()]), ["deletes"]);
    let analysis = analyze(&[deletes]);
    assert_eq!(states(&analysis), [("AWS::S3::Bucket".to_owned(), "logs".to_owned(), State::Deleted)]);
}

#[test]
fn log_files_are_known_by_their_keys_alone() {
    let file = json!({"bucketName": "logs", "key": LOG});
    let data = |mut record: Value| {
        merge(&mut record, json!({"managementEvent": false, "eventCategory": "Data"}));
        record
    };
    let deletes = data(by_thief(600, "deletes", "DeleteObject", &file));
    let over = data(by_thief(601, "writes-over", "PutObject", &file));
    let reads = data(by_user(
        602,
        "reads",
        STOLEN,
        "deploy",
        ("s3", "GetObject"),
        json!({"readOnly": true, "requestParameters": file}),
    ));
    let bucket = by_thief(603, "bucket", "DeleteBucket", &json!({"bucketName": "logs"}));
    assert_eq!(tampering(&[deletes, over, reads.clone(), bucket.clone()]), ["deletes", "writes-over", "bucket"]);
    assert_eq!(tampering(&[reads, bucket]), ["bucket"], "what they have read there tells whose it is");
    let elsewhere = data(by_thief(600, "x", "DeleteObject", &json!({"bucketName": "logs", "key": "orders.csv"})));
    assert_eq!(tampering(&[elsewhere]), [""; 0]);
}

#[test]
fn what_somebody_has_read_who_is_known_only_later_tells_whose_bucket_it_is_in_any_order() {
    const NEW: &str = "AKIANEW0000000000001";
    let more = json!({"responseElements": {"accessKey": {"accessKeyId": NEW, "userName": "other"}}});
    let made = by_user(500, "made", STOLEN, "deploy", ("iam", "CreateAccessKey"), more);
    let data = json!({"managementEvent": false, "eventCategory": "Data", "readOnly": true, "sourceIPAddress": THIEF,
        "requestParameters": {"bucketName": "logs", "key": LOG}});
    let reads = by_user(510, "reads", NEW, "other", ("s3", "GetObject"), data);
    let deletes = by_thief(600, "deletes", "DeleteBucket", &json!({"bucketName": "logs"}));
    let mut files = vec![vec![reads], vec![made, deletes]];
    for _ in 0..2 {
        let analysis = analyze_files(&question(), &files);
        assert_eq!(analysis.tampering.iter().map(ToString::to_string).collect::<Vec<_>>(), ["deletes"]);
        files.reverse();
    }
}
