//! The `GuardDuty` finding, and its delivery as an `EventBridge` API destination makes it.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::aws::{Account, ids};

/// `EventBridge` gives up waiting after this.
const TIME_OUT: Duration = Duration::from_secs(5);

/// The first pause between attempts; it doubles up to `PAUSE_MAX`.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

const REGION: &str = "us-east-1";

/// What the finding is about.
pub(super) struct Seen<'a> {
    pub(super) key_id: &'a str,
    pub(super) user: &'a str,
    pub(super) ip: &'a str,
    pub(super) first: DateTime<Utc>,
    pub(super) last: DateTime<Utc>,
}

/// The finding as `GetFindings` gives it.
pub(super) fn finding(account: &Account, seen: &Seen<'_>) -> Value {
    let detector = account.detector_id(REGION).unwrap_or_default();
    let id = ids::uuid().replace('-', "");
    let calls = account.calls().iter().filter(|call| call.access_key_id == seen.key_id).count();
    json!({
        "schemaVersion": "2.0",
        "accountId": account.id(),
        "region": REGION,
        "partition": "aws",
        "id": id,
        "arn": format!("arn:aws:guardduty:{REGION}:{}:detector/{detector}/finding/{id}", account.id()),
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "title": "An API was invoked from a custom threat list IP address.",
        "description": format!("The API ListUsers was invoked by {} from IP address {}, which is on a custom threat list.", seen.user, seen.ip),
        "severity": 8,
        "createdAt": time(seen.last),
        "updatedAt": time(seen.last),
        "resource": {
            "resourceType": "AccessKey",
            "accessKeyDetails": {
                "accessKeyId": seen.key_id,
                "principalId": account.user_id(seen.user),
                "userType": "IAMUser",
                "userName": seen.user,
            },
        },
        "service": {
            "serviceName": "guardduty",
            "detectorId": detector,
            "archived": false,
            "count": calls,
            "eventFirstSeen": time(seen.first),
            "eventLastSeen": time(seen.last),
            "resourceRole": "TARGET",
            "additionalInfo": { "threatListName": "known-bad-addresses" },
            "action": {
                "actionType": "AWS_API_CALL",
                "awsApiCallAction": {
                    "api": "ListUsers",
                    "serviceName": "iam.amazonaws.com",
                    "callerType": "Remote IP",
                    "remoteIpDetails": {
                        "ipAddressV4": seen.ip,
                        "country": { "countryName": "Unknown" },
                        "organization": { "asn": "64500", "asnOrg": "Example Transit", "isp": "Example Transit", "org": "Example Transit" },
                    },
                },
            },
        },
    })
}

/// The event that carries the finding; sent twice, it has the same id both times.
pub(super) fn event(finding: &Value, account: &str, at: DateTime<Utc>) -> Value {
    json!({
        "version": "0",
        "id": ids::uuid(),
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": account,
        "time": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "region": REGION,
        "resources": [],
        "detail": finding,
    })
}

/// Posts the event until it is taken with a 2xx status. Fails only for an address that is none.
pub(super) async fn deliver(url: &str, key: &str, event: &Value) -> anyhow::Result<()> {
    let uri: Uri = url.parse().context("the alert address is not a URL")?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut pause = PAUSE;
    loop {
        let request = Request::post(uri.clone())
            .header("content-type", "application/json")
            .header("user-agent", "Amazon/EventBridge/ApiDestinations")
            .header("x-irp-key", key)
            .body(Full::new(Bytes::from(event.to_string())))
            .context("the alert key is no header value")?;
        match tokio::time::timeout(TIME_OUT, client.request(request)).await {
            Ok(Ok(response)) if response.status().is_success() => return Ok(()),
            Ok(Ok(response)) => tracing::info!(status = response.status().as_u16(), "alert not taken"),
            Ok(Err(error)) => tracing::info!(%error, "alert not delivered"),
            Err(_) => tracing::info!("alert not answered in time"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
