//! The event history.

use std::time::{Duration, Instant};

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::Value;

use super::{Cloud, code};

fn by(key: LookupAttributeKey, value: &str) -> LookupAttribute {
    LookupAttribute::builder().attribute_key(key).attribute_value(value).build().unwrap()
}

/// Waits until the Region's allowance for lookups is full again.
async fn rest() {
    tokio::time::sleep(Duration::from_millis(1_050)).await;
}

#[tokio::test]
async fn a_call_shows_after_five_minutes_and_not_before() {
    let cloud = Cloud::start().await;
    let key = cloud.keys("deploy-bot").access_key_id;
    let minted = cloud.sts(cloud.keys("deploy-bot")).get_session_token().send().await.unwrap();
    let minted = minted.credentials.unwrap().access_key_id;
    let trail = cloud.trail(cloud.session("irp-reader/test"), "us-east-1");
    let lookup = |key, value: &str| trail.lookup_events().lookup_attributes(by(key, value)).send();
    assert!(lookup(LookupAttributeKey::AccessKeyId, &key).await.unwrap().events().is_empty());
    cloud.clock.advance(TimeDelta::minutes(5));
    let found = lookup(LookupAttributeKey::ResourceName, &minted).await.unwrap();
    let event = &found.events()[0];
    assert_eq!(event.event_name(), Some("GetSessionToken"));
    assert_eq!(event.read_only(), Some("true"));
    assert_eq!(event.username(), Some("deploy-bot"));
    assert_eq!(event.access_key_id(), Some(key.as_str()));
    let whole: Value = serde_json::from_str(event.cloud_trail_event().unwrap()).unwrap();
    assert_eq!(whole["userIdentity"]["type"], "IAMUser");
    assert_eq!(whole["responseElements"]["credentials"]["accessKeyId"], minted.as_str());
    assert!(whole["responseElements"]["credentials"].get("secretAccessKey").is_none());
    assert_eq!(whole["awsRegion"], "us-east-1");
}

#[tokio::test]
async fn a_refusal_is_an_event_and_a_dead_key_leaves_none() {
    let cloud = Cloud::start().await;
    let keys = cloud.keys("deploy-bot");
    let refused = cloud.iam(keys.clone()).delete_user().user_name("irp-bot").send().await;
    assert_eq!(code(refused), "AccessDenied");
    cloud.account.set_key_status(&keys.access_key_id, crate::aws::KeyStatus::Inactive);
    assert_eq!(code(cloud.iam(keys.clone()).list_users().send().await), "InvalidClientTokenId");
    cloud.clock.advance(TimeDelta::minutes(6));
    let trail = cloud.trail(cloud.session("irp-reader/test"), "us-east-1");
    let attribute = by(LookupAttributeKey::AccessKeyId, &keys.access_key_id);
    let found = trail.lookup_events().lookup_attributes(attribute).send().await.unwrap();
    assert_eq!(found.events().len(), 1);
    let whole: Value = serde_json::from_str(found.events()[0].cloud_trail_event().unwrap()).unwrap();
    assert_eq!(whole["errorCode"], "AccessDenied");
    assert_eq!(whole["requestParameters"]["userName"], "irp-bot");
}

#[tokio::test]
async fn pages_newest_first_and_each_event_once() {
    let cloud = Cloud::start().await;
    let trail = cloud.trail(cloud.session("irp-reader/test"), "us-east-1");
    let lookup = trail.lookup_events().lookup_attributes(by(LookupAttributeKey::EventName, "AssumeRole"));
    let first = lookup.clone().max_results(50).send().await.unwrap();
    assert_eq!(first.events().len(), 50);
    let second = lookup.clone().max_results(50).set_next_token(first.next_token().map(str::to_owned)).send().await;
    let second = second.unwrap();
    assert!(second.next_token().is_none());
    let all: Vec<_> = first.events().iter().chain(second.events()).collect();
    assert!(all.windows(2).all(|pair| pair[0].event_time() >= pair[1].event_time()));
    let ids: std::collections::BTreeSet<_> = all.iter().map(|event| event.event_id()).collect();
    assert_eq!(ids.len(), all.len());
    assert!(all.iter().any(|event| event.username().is_none()), "lambda's calls have no user name");
    rest().await;
    let other = trail.lookup_events().set_next_token(first.next_token().map(str::to_owned)).send().await;
    assert_eq!(code(other), "InvalidNextTokenException");
}

#[tokio::test]
async fn lookups_have_limits() {
    let cloud = Cloud::start().await;
    let trail = cloud.trail(cloud.session("irp-reader/test"), "us-east-1");
    let name = by(LookupAttributeKey::EventName, "AssumeRole");
    let started = Instant::now();
    let two = trail.lookup_events().lookup_attributes(name.clone()).lookup_attributes(name).send().await;
    assert_eq!(code(two), "InvalidLookupAttributesException");
    assert_eq!(code(trail.lookup_events().max_results(51).send().await), "InvalidMaxResultsException");
    // These two were all for the first second; a busy machine may be longer at it, and is then given more.
    let answers = join_all((0..20).map(|_| trail.lookup_events().send())).await;
    let more = started.elapsed().as_millis() / 500;
    let (granted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert!(granted.len() as u128 <= more, "{} in addition, and {more} permitted", granted.len());
    assert!(refused.into_iter().all(|answer| code(answer) == "ThrottlingException"));
    let elsewhere = cloud.trail(cloud.session("irp-reader/test"), "eu-west-1");
    assert!(elsewhere.lookup_events().send().await.unwrap().events().is_empty());
    rest().await;
    let denied = cloud.trail(cloud.keys("deploy-bot"), "us-east-1");
    assert_eq!(code(denied.lookup_events().send().await), "AccessDeniedException");
}

#[tokio::test]
async fn an_event_tells_where_the_caller_was() {
    let cloud = Cloud::start().await;
    let keys = cloud.keys("deploy-bot");
    let call = cloud.sts(keys.clone()).get_caller_identity().customize();
    let call = call.mutate_request(|request| {
        request.headers_mut().insert("x-sandbox-source-ip", "198.51.100.77");
    });
    call.send().await.unwrap();
    cloud.clock.advance(TimeDelta::minutes(6));
    let trail = cloud.trail(cloud.session("irp-reader/test"), "us-east-1");
    let attribute = by(LookupAttributeKey::AccessKeyId, &keys.access_key_id);
    let found = trail.lookup_events().lookup_attributes(attribute).send().await.unwrap();
    let whole: Value = serde_json::from_str(found.events()[0].cloud_trail_event().unwrap()).unwrap();
    assert_eq!(whole["sourceIPAddress"], "198.51.100.77");
    assert!(whole["userAgent"].as_str().is_some_and(|agent| agent.starts_with("aws-sdk-rust/")), "{whole}");
}
