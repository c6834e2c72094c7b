//! The web server: checks who sends, keeps what they sent, answers. Nothing is worked on here, so that
//! nothing is lost when a caller hangs up.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::adapters::slack::signature::Verifier;
use crate::adapters::slack::watch::RoomWatch;
use crate::ports::{Chat, Clock, Store};
use crate::telemetry::Metrics;

mod alerts;
pub mod connections;
pub mod slack;

/// Largest body taken. Slack's largest is a modal of 250 kB, EventBridge's an event of 256 kB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a body that is too large that are still listened to.
const DISCARDED_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
/// Long bodies read at once of those who say that they are Slack: its signature is over the body.
const LONG_AT_ONCE: usize = 16;
/// Bodies of Slack that are not longer than this have places of their own, as many as take up as much.
const USUAL_BYTES_MAX: usize = 64 * 1024;
const USUAL_AT_ONCE: usize = LONG_AT_ONCE * (BODY_BYTES_MAX / USUAL_BYTES_MAX);
/// Bodies of alerts read at once. Their key is known before: nobody without one can keep them out.
pub const ALERT_BODIES_AT_ONCE: usize = 16;
/// Longest time for a caller to send its body, and to wait until it may.
const BODY_TIME_MAX: Duration = Duration::from_secs(2);

/// What the routes need.
#[derive(Clone)]
pub struct App {
    /// Keeps what is accepted.
    pub store: Arc<dyn Store>,
    /// Tells people when it cannot be kept.
    pub chat: Arc<dyn Chat>,
    /// Real time.
    pub wall: Arc<dyn Clock>,
    /// Slack's signature; without it nothing is taken from Slack over HTTP.
    pub verifier: Option<Arc<Verifier>>,
    /// Hashes of the keys that alert senders may use.
    pub alert_keys: Arc<[[u8; 32]]>,
    /// The rules' time.
    pub clock: Arc<dyn Clock>,
    /// Limits how many bodies of Slack are in memory at once.
    pub slack_bodies: Arc<SlackBodies>,
    /// The same for alerts.
    pub alert_bodies: Arc<Semaphore>,
    /// What goes on after an answer.
    pub tasks: TaskTracker,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Whether the war room is still one.
    pub room: Arc<RoomWatch>,
}

/// The hash that [`App::alert_keys`] holds. Hashes are compared, so that neither content nor length of a
/// key shows in the time it takes.
pub fn alert_key_hash(key: &SecretString) -> [u8; 32] {
    Sha256::digest(key.expose_secret().as_bytes()).into()
}

/// All routes. Those of Slack are there only with a signing secret: with Socket Mode alone nobody needs them.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/alerts/eventbridge", post(alerts::eventbridge))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    let routes = match app.verifier {
        None => routes,
        Some(_) => routes
            .route("/slack/commands", post(slack::commands))
            .route("/slack/interactions", post(slack::interactions))
            .route("/slack/events", post(slack::events)),
    };
    routes.with_state(app)
}

/// What is wrong with the war room is said, but is no reason to be sent nothing: alerts and people's clicks can still be kept.
async fn ready(State(app): State<App>) -> Response {
    match app.store.ping().await {
        Ok(()) => app.room.fault().map_or("ready\n".to_owned(), |why| format!("ready, but {why}\n")).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.encode())
        .into_response()
}

/// How many bodies of Slack are read at once: of those that announce a usual length, and of all others. It takes hundreds of
/// silent connections a second to keep a click out.
#[derive(Debug)]
pub struct SlackBodies {
    usual: Semaphore,
    long: Semaphore,
}

impl Default for SlackBodies {
    fn default() -> Self {
        Self { usual: Semaphore::new(USUAL_AT_ONCE), long: Semaphore::new(LONG_AT_ONCE) }
    }
}

impl SlackBodies {
    /// Where a body has its place. Nobody can send more than they have announced.
    fn places(&self, headers: &HeaderMap) -> &Semaphore {
        if announced(headers).is_some_and(|bytes| bytes <= USUAL_BYTES_MAX) { &self.usual } else { &self.long }
    }
}

/// How long a body is, as far as its head says.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body of bounded size in bounded time. A caller that announces too much is refused, and nothing of it kept.
async fn read_body(bodies: &Semaphore, request: Request) -> Result<(HeaderMap, Bytes), StatusCode> {
    let (parts, body) = request.into_parts();
    if announced(&parts.headers).is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        discard(body).await;
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    // However many callers there are, so many bodies of so many bytes are all that they can fill.
    let waited = tokio::time::timeout(BODY_TIME_MAX, bodies.acquire()).await;
    let Ok(Ok(_permit)) = waited else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
    match tokio::time::timeout(BODY_TIME_MAX, limited(body)).await {
        Ok(Ok(bytes)) => Ok((parts.headers, bytes)),
        Ok(Err(status)) => Err(status),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Lets a caller finish its sentence, so that it hears the answer, and keeps nothing of it. Whoever sends
/// more than that is cut off.
async fn discard(body: Body) {
    use http_body_util::BodyExt;
    let all = async {
        let (mut body, mut bytes) = (body, 0);
        while bytes < DISCARDED_BYTES_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = tokio::time::timeout(BODY_TIME_MAX, all).await;
}

async fn limited(body: Body) -> Result<Bytes, StatusCode> {
    use http_body_util::{BodyExt, LengthLimitError, Limited};
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// Whether one of the keys was sent. Every key is compared, whichever fits.
fn knows_key(app: &App, headers: &HeaderMap) -> bool {
    let sent: [u8; 32] = Sha256::digest(header_text(headers, "x-irp-key").as_bytes()).into();
    let mut known = subtle::Choice::from(0);
    for key in app.alert_keys.iter() {
        known |= key.ct_eq(&sent);
    }
    known.into()
}
