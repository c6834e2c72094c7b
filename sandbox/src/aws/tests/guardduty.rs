//! Findings, by requests signed without the service's SDK.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::Cloud;
use crate::aws::KeyPair;

async fn call(cloud: &Cloud, keys: &KeyPair, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let body = body.map_or_else(String::new, |body| body.to_string());
    let uri = format!("{}{path}", cloud.url);
    let host = cloud.url.trim_start_matches("http://");
    let identity = aws_credential_types::Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "test",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("guardduty")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [("host", host)].into_iter();
    let signable = SignableRequest::new(method, &uri, headers, SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request =
        http::Request::builder().method(method).uri(&uri).body(Full::new(Bytes::from(body.clone()))).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn findings_are_listed_by_criteria_and_read() {
    let cloud = Cloud::start().await;
    let keys = cloud.session("irp-reader/test");
    let finding = |id: &str, severity: f64| json!({ "id": id, "region": "us-east-1", "severity": severity, "service": { "archived": false } });
    cloud.account.put_finding(finding("low", 2.0));
    cloud.account.put_finding(finding("high", 8.0));
    let (_, detectors) = call(&cloud, &keys, "GET", "/detector?nextToken=&maxResults=50", None).await;
    let detector = detectors["detectorIds"][0].as_str().unwrap().to_owned();
    let path = format!("/detector/{detector}/findings");
    let criteria = json!({ "findingCriteria": { "criterion": { "severity": { "gte": 4 }, "service.archived": { "eq": ["false"] } } } });
    let (_, listed) = call(&cloud, &keys, "POST", &path, Some(criteria)).await;
    assert_eq!(listed["findingIds"], json!(["high"]));
    let (_, read) =
        call(&cloud, &keys, "POST", &format!("{path}/get"), Some(json!({ "findingIds": ["low", "none"] }))).await;
    assert_eq!(read["findings"], json!([finding("low", 2.0)]));
}

#[tokio::test]
async fn refusals_are_in_the_services_own_words() {
    let cloud = Cloud::start().await;
    let (status, denied) = call(&cloud, &cloud.keys("deploy-bot"), "GET", "/detector", None).await;
    assert_eq!((status, denied["__type"].as_str()), (403, Some("AccessDeniedException")));
    let reader = cloud.session("irp-reader/test");
    let (status, foreign) = call(&cloud, &reader, "POST", "/detector/abc/findings", Some(json!({}))).await;
    assert_eq!((status, foreign["__type"].as_str()), (400, Some("BadRequestException")));
    let (_, unknown) = call(&cloud, &reader, "DELETE", "/detector/abc", None).await;
    assert_eq!(unknown["__type"], "UnknownOperationException");
}
