//! Hands the app what happened, signed, and waits three seconds for its acknowledgement.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sha2::Sha256;

use super::{Delivery, Workspace, lock};

/// How long Slack waits for the acknowledgement.
pub(super) const ACK_TIME_MAX: Duration = Duration::from_secs(3);

/// One delivery to the app.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    /// `commands`, `interactions` or `events`.
    pub kind: &'static str,
    /// The app's answer; none when there was none in time.
    pub status: Option<u16>,
    /// How long that took, in milliseconds.
    pub ack_ms: u64,
    /// The body as sent.
    pub body: String,
    /// The signature as sent; none over a socket.
    pub signature: Option<String>,
    /// The signature's time, in seconds since 1970.
    pub timestamp: String,
}

/// What the app answered: a body that is not empty, as JSON or text.
pub(super) type Ack = Result<Option<Value>, String>;

impl Workspace {
    /// Delivers and gives what the person would be told when it fails.
    pub(super) async fn deliver(&self, kind: &'static str, payload: &Value) -> Ack {
        let delivery = lock(&self.0.delivery).clone();
        let started = Instant::now();
        let (answer, record) = match delivery {
            Delivery::Http { base_url } => {
                let body = form(kind, payload);
                let timestamp = now_s().to_string();
                let signature = self.sign(&timestamp, &body);
                let answer = send(&format!("{base_url}/slack/{kind}"), &body, &timestamp, &signature, kind).await;
                (answer, (body, Some(signature), timestamp))
            }
            Delivery::Socket => {
                let answer = self.0.sockets.deliver(kind, payload).await;
                (answer, (payload.to_string(), None, now_s().to_string()))
            }
        };
        let (body, signature, timestamp) = record;
        let status = match &answer {
            Ok((status, _)) => Some(*status),
            Err(_) => None,
        };
        let ack_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.lock().deliveries.push(DeliveryRecord { kind, status, ack_ms, body, signature, timestamp });
        match answer? {
            (200, body) => Ok(body),
            (status, _) => Err(format!("dispatch_failed (HTTP {status})")),
        }
    }

    /// Sends a delivery again byte for byte, signature included. The status, or why there is none.
    pub async fn replay(&self, n: usize) -> Result<u16, String> {
        let Delivery::Http { base_url } = lock(&self.0.delivery).clone() else { return Err("not over HTTP".into()) };
        let record = self.lock().deliveries.get(n).cloned().ok_or("no such delivery")?;
        let signature = record.signature.ok_or("not signed")?;
        let url = format!("{base_url}/slack/{}", record.kind);
        send(&url, &record.body, &record.timestamp, &signature, record.kind).await.map(|(status, _)| status)
    }

    /// Slack's signature: HMAC-SHA256 over `v0:{timestamp}:{body}`.
    #[must_use]
    pub fn sign(&self, timestamp: &str, body: &str) -> String {
        let key = self.0.config.signing_secret.as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length is taken");
        mac.update(format!("v0:{timestamp}:{body}").as_bytes());
        format!("v0={}", hex::encode(mac.finalize().into_bytes()))
    }
}

/// Real time: signatures are about the real world, however fast the clock runs.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn form(kind: &str, payload: &Value) -> String {
    let encoded = match kind {
        "commands" => {
            let fields: Vec<(&String, &str)> =
                payload.as_object().into_iter().flatten().map(|(k, v)| (k, v.as_str().unwrap_or_default())).collect();
            serde_urlencoded::to_string(fields)
        }
        "interactions" => serde_urlencoded::to_string([("payload", payload.to_string())]),
        _ => return payload.to_string(),
    };
    encoded.expect("pairs of strings always encode")
}

async fn send(
    url: &str,
    body: &str,
    timestamp: &str,
    signature: &str,
    kind: &str,
) -> Result<(u16, Option<Value>), String> {
    let content_type = if kind == "events" { "application/json" } else { "application/x-www-form-urlencoded" };
    let request = http::Request::post(url)
        .header("content-type", content_type)
        .header("x-slack-request-timestamp", timestamp)
        .header("x-slack-signature", signature)
        .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .map_err(|e| e.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let call = async {
        let response = client.request(request).await.map_err(|_| "dispatch_failed".to_owned())?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.map_err(|_| "dispatch_failed".to_owned())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        let body = (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        Ok((status, body))
    };
    tokio::time::timeout(ACK_TIME_MAX, call).await.unwrap_or_else(|_| Err("operation_timeout".into()))
}
