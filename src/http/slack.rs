//! Slack's deliveries over HTTP, and the one way in that Socket Mode shares.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{App, header_text, read_body};
use crate::domain::refusal::Refusal;
use crate::intake::slack::{self, Act, Inbound, Malformed, Received};
use crate::intake::submission::{FieldErrors, Submission, field};
use crate::ports::Lane;
use crate::view::replies::{NOT_KNOWN_KEPT, said};

/// How long a delivery waits for the store. Slack takes an answer for three seconds.
const KEPT_WITHIN: Duration = Duration::from_millis(1_500);

/// `POST /slack/commands`.
pub async fn commands(State(app): State<App>, request: Request) -> Response {
    receive(app, request, slack::command).await
}

/// `POST /slack/interactions`.
pub async fn interactions(State(app): State<App>, request: Request) -> Response {
    receive(app, request, slack::interaction).await
}

/// `POST /slack/events`.
pub async fn events(State(app): State<App>, request: Request) -> Response {
    receive(app, request, slack::event).await
}

async fn receive(app: App, request: Request, parse: fn(&[u8]) -> Result<Received, Malformed>) -> Response {
    let body = match verified(&app, request).await {
        Ok(body) => body,
        Err(status) => return (status, "refused\n").into_response(),
    };
    let Ok(received) = parse(&body) else {
        app.metrics.rejected("slack_malformed");
        return (StatusCode::BAD_REQUEST, "not a Slack delivery\n").into_response();
    };
    match take(&app, received).await {
        None => StatusCode::OK.into_response(),
        Some(answer) => Json(answer).into_response(),
    }
}

async fn verified(app: &App, request: Request) -> Result<Bytes, StatusCode> {
    let refused = |status: StatusCode, why: &'static str| {
        app.metrics.rejected(why);
        Err(status)
    };
    let Some(verifier) = &app.verifier else { return refused(StatusCode::NOT_FOUND, "slack_unsigned") };
    let claims = request.headers();
    if header_text(claims, "x-slack-signature").is_empty() {
        return refused(StatusCode::UNAUTHORIZED, "slack_unsigned");
    }
    // What cannot be accepted whatever its body is need not be read.
    if !verifier.is_fresh(header_text(claims, "x-slack-request-timestamp"), app.wall.now()) {
        return refused(StatusCode::UNAUTHORIZED, "slack_stale");
    }
    let places = app.slack_bodies.places(claims);
    let (headers, body) = match read_body(places, request).await {
        Ok(read) => read,
        Err(status) => return refused(status, "slack_body"),
    };
    let (signature, timestamp) =
        (header_text(&headers, "x-slack-signature"), header_text(&headers, "x-slack-request-timestamp"));
    if verifier.accepts(signature, timestamp, &body) {
        Ok(body)
    } else {
        refused(StatusCode::UNAUTHORIZED, "slack_signature")
    }
}

/// Keeps what was received, and gives what the acknowledgement carries, if anything.
pub async fn take(app: &App, received: Received) -> Option<Value> {
    match received {
        Received::Keep { inbound, .. } if is_in_the_future(app, &inbound.act) => {
            Some(form_errors(&FieldErrors::from([(field::TIME.to_owned(), Refusal::InTheFuture.to_string())])))
        }
        Received::Keep { dedup_key, mut inbound } => {
            inbound.received_at_ms = app.wall.now().timestamp_millis();
            let text = serde_json::to_string(&inbound).expect("plain data");
            let kept = tokio::time::timeout(KEPT_WITHIN, app.store.put(Lane::Slack, &dedup_key, &text)).await;
            let error = match kept {
                Ok(Ok(true)) => {
                    app.metrics.slack("new");
                    return None;
                }
                Ok(Ok(false)) => {
                    app.metrics.slack("repeated");
                    let app = app.clone();
                    app.tasks.clone().spawn(async move { keep_repeat(&app, &dedup_key, *inbound).await });
                    return None;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::error!(%error, "a Slack delivery could not be kept; the person is told");
            not_kept(app, *inbound)
        }
        Received::FormErrors(errors) => Some(form_errors(&errors)),
        Received::Challenge(challenge) => Some(json!({"challenge": challenge})),
        Received::Ignore(what) => {
            tracing::debug!(slack.what = what, "a Slack delivery that needs no work");
            None
        }
    }
}

/// Has it put on record that something came again; once, however often it comes.
async fn keep_repeat(app: &App, dedup_key: &str, inbound: Inbound) {
    let Some(repeat) = inbound.repeated() else { return };
    let text = serde_json::to_string(&repeat).expect("plain data");
    let key = format!("again:{dedup_key}");
    match tokio::time::timeout(KEPT_WITHIN, app.store.put(Lane::Slack, &key, &text)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a repeated delivery could not be kept"),
        Err(_) => tracing::warn!("a repeated delivery could not be kept in time"),
    }
}

/// Answers a command at once. Everything else is answered empty, and the person told afterwards: Slack
/// does not wait.
fn not_kept(app: &App, inbound: Inbound) -> Option<Value> {
    if matches!(inbound.act, Act::Command(_)) {
        return Some(json!({"response_type": "ephemeral", "text": NOT_KNOWN_KEPT}));
    }
    let chat = Arc::clone(&app.chat);
    app.tasks.spawn(async move {
        if let Err(error) = chat.tell(&inbound.reply, &said(NOT_KNOWN_KEPT)).await {
            tracing::warn!(%error, "the person could not be told");
        }
    });
    None
}

/// Answered at its field, while the form is still open.
fn is_in_the_future(app: &App, act: &Act) -> bool {
    matches!(act, Act::Submit(Submission::CompromiseTime { at, .. }) if *at > app.clock.now())
}

fn form_errors(errors: &FieldErrors) -> Value {
    json!({"response_action": "errors", "errors": errors})
}
