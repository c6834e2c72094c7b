//! Records that are no calls: Insights, and what went through a VPC endpoint.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::domain::hunt::findings::analyse;

/// That a call went through a VPC endpoint.
fn through_endpoint(id: &str, call: (&str, &str), more: Value) -> Value {
    let mut record = by_user(600, id, STOLEN, "deploy", call, more);
    let kind = json!({"eventCategory": "NetworkActivity", "eventType": "AwsVpceEvent", "managementEvent": false,
        "vpcEndpointId": "vpce-0123456789abcdef0", "sourceIPAddress": "10.0.0.5"});
    merge(&mut record, kind);
    record
}

#[test]
fn an_insight_is_read_and_is_no_call() {
    let insight = json!({"eventVersion": "1.08", "eventTime": "2026-01-31T10:00:00Z", "awsRegion": "us-east-1",
        "eventID": "i1", "eventType": "AwsCloudTrailInsight", "recipientAccountId": ACCOUNT, "sharedEventID": "s1",
        "eventCategory": "Insight", "insightDetails": {"state": "Start", "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser", "insightType": "ApiCallRateInsight"}});
    let call = by_user(600, "c1", STOLEN, "deploy", ("iam", "ListUsers"), json!({"readOnly": true}));
    let records = [("i1", insight), ("c1", call)].map(|(id, record)| (id.to_owned(), record.to_string()));
    let analysis = analyse(&question(), &BTreeMap::from(records));
    assert_eq!((analysis.events.read, analysis.events.attributed, analysis.events.other), (2, 1, 0));
    assert_eq!(analysis.unreadable, [""; 0]);
}

#[test]
fn the_way_of_a_call_through_an_endpoint_is_no_second_call_and_no_data_event() {
    let stop = json!({"requestParameters": {"name": "main"}});
    let made = json!({"requestParameters": {}, "responseElements": {"keyMetadata": {"keyId": "k-1"}}});
    let analysis = analyze(&[
        through_endpoint("way", ("kms", "CreateKey"), json!({})),
        by_user(600, "call", STOLEN, "deploy", ("kms", "CreateKey"), made),
        through_endpoint("reads", ("s3", "GetObject"), json!({"readOnly": true})),
        through_endpoint("stops", ("cloudtrail", "StopLogging"), json!({})),
        by_user(601, "stop", STOLEN, "deploy", ("cloudtrail", "StopLogging"), stop),
    ]);
    assert_eq!((analysis.events.attributed, analysis.events.succeeded_mutations), (5, 2));
    assert_eq!(analysis.tampering.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["stop"]);
    assert_eq!(analysis.not_recorded.iter().filter(|gap| gap.what.contains("would have recorded")).count(), 1);
    assert!(!states(&analysis).iter().any(|(kind, ..)| kind.ends_with("::Call")), "{:?}", analysis.footprint);
    let by_others = through_endpoint(
        "x",
        ("s3", "GetObject"),
        json!({"readOnly": true, "userIdentity":
        {"accessKeyId": "AKIAOTHER00000000001", "principalId": "AIDAOTHER", "arn": "arn:aws:iam::1:user/other"}}),
    );
    assert_eq!(analyze(&[by_others]).covered.data_events_of, [""; 0]);
    assert_eq!(analysis.covered.data_events_of, [""; 0]);
}

#[test]
fn the_way_of_a_call_is_known_by_its_type_where_a_row_has_no_category() {
    let is = |json: &str| serde_json::from_str::<Record<'_>>(json).unwrap().is_network_activity();
    assert!(is(r#"{"eventCategory":"NetworkActivity"}"#) && is(r#"{"eventType":"AwsVpceEvent"}"#));
    assert!(!is(r#"{"eventCategory":"Data","eventType":"AwsApiCall"}"#));
}

#[test]
fn a_call_that_an_endpoint_turned_away_is_shown_by_its_way_alone() {
    let denied = json!({"errorCode": "VpceAccessDenied", "errorMessage": "denied by a VPC endpoint policy"});
    let analysis = analyze(&[through_endpoint("denied", ("cloudtrail", "StopLogging"), denied)]);
    assert_eq!((listed(&analysis), analysis.events.denied), (vec!["denied".to_owned()], 1));
    assert_eq!(analysis.tampering.len(), 1);
}
