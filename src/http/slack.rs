//! Slack's deliveries over HTTP, and the one way in that Socket Mode shares.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{App, header_text, read_body};
use crate::intake::slack::{self, Inbound, Malformed, Received};
use crate::intake::submission::FieldErrors;
use crate::ports::Lane;
use crate::view::replies::said;

/// Said when the store is away: nothing was recorded and nothing will happen.
const NOT_KEPT: &str = ":warning: The bot's store does not answer, so this was *not* recorded and nothing will happen. Try again in a moment.";

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
    if header_text(request.headers(), "x-slack-signature").is_empty() {
        return refused(StatusCode::UNAUTHORIZED, "slack_unsigned");
    }
    let (headers, body) = match read_body(request).await {
        Ok(read) => read,
        Err(status) => return refused(status, "slack_body"),
    };
    let (signature, timestamp) =
        (header_text(&headers, "x-slack-signature"), header_text(&headers, "x-slack-request-timestamp"));
    if app.verifier.accepts(signature, timestamp, &body) {
        Ok(body)
    } else {
        refused(StatusCode::UNAUTHORIZED, "slack_signature")
    }
}

/// Keeps what was received, and gives what the acknowledgement carries, if anything.
pub async fn take(app: &App, received: Received) -> Option<Value> {
    match received {
        Received::Keep { dedup_key, mut inbound } => {
            inbound.received_at_ms = app.wall.now().timestamp_millis();
            let text = serde_json::to_string(&inbound).expect("plain data");
            match app.store.put(Lane::Slack, &dedup_key, &text).await {
                Ok(new) => {
                    app.metrics.slack(if new { "new" } else { "repeated" });
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "a Slack delivery could not be kept; the person is told");
                    not_kept(app, &inbound).await
                }
            }
        }
        Received::FormErrors(errors) => Some(form_errors(&errors)),
        Received::Challenge(challenge) => Some(json!({"challenge": challenge})),
        Received::Ignore(what) => {
            tracing::debug!(slack.what = what, "a Slack delivery that needs no work");
            None
        }
    }
}

async fn not_kept(app: &App, inbound: &Inbound) -> Option<Value> {
    use crate::intake::slack::Act;
    match &inbound.act {
        Act::Command(_) => Some(json!({"response_type": "ephemeral", "text": NOT_KEPT})),
        Act::Click(_) | Act::UnknownClick | Act::Mention | Act::Submit(_) => {
            if let Err(error) = app.chat.tell(&inbound.reply, &said(NOT_KEPT)).await {
                tracing::warn!(%error, "the person could not be told");
            }
            None
        }
    }
}

fn form_errors(errors: &FieldErrors) -> Value {
    json!({"response_action": "errors", "errors": errors})
}
