//! `/api/{method}`: token, scope, limits and faults; then the method. Business errors are HTTP 200 with
//! `ok: false`, as Slack's are.

use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::Workspace;
use super::methods::{call, scope};

const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longer than any caller waits.
pub(super) const HANG: Duration = Duration::from_mins(2);

/// One call of the Web API.
#[derive(Clone, Debug)]
pub struct ApiCall {
    /// By the workspace's clock.
    pub at: DateTime<Utc>,
    /// `chat.postMessage`, …
    pub method: String,
    /// As sent, without the token.
    pub args: Value,
    /// The error's code.
    pub outcome: Result<(), String>,
}

/// A way for a call to go wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 429.
    RateLimited {
        /// Seconds in `Retry-After`.
        retry_after_s: u32,
    },
    /// This status, with no body of use.
    Status(u16),
    /// Does nothing and never answers.
    Hang,
    /// Does it and never answers.
    PostThenHang,
    /// This error code.
    Error(String),
}

/// A business error: its code and what else the answer carries.
pub(super) struct ApiError {
    pub(super) code: String,
    pub(super) more: Value,
}

impl ApiError {
    pub(super) fn new(code: &str) -> Self {
        Self { code: code.to_owned(), more: Value::Null }
    }
}

pub(super) async fn serve(
    State(workspace): State<Workspace>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let (token, args) = match read(request).await {
        Ok(read) => read,
        Err(status) => return status.into_response(),
    };
    let fault = {
        let mut state = workspace.lock();
        if state.down {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        state.faults.get_mut(&method).and_then(std::collections::VecDeque::pop_front)
    };
    match fault {
        Some(Fault::RateLimited { retry_after_s }) => return too_fast(retry_after_s),
        Some(Fault::Status(code)) => {
            return StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
        Some(Fault::Hang) => tokio::time::sleep(HANG).await,
        Some(Fault::Error(code)) => return answer(&workspace, &method, args, Err(ApiError::new(&code))),
        Some(Fault::PostThenHang) => {
            let outcome = perform(&workspace, &method, token.as_deref(), &args);
            let _ = answer(&workspace, &method, args, outcome.unwrap_or_else(|_| Ok(json!({}))));
            tokio::time::sleep(HANG).await;
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
        None => {}
    }
    match perform(&workspace, &method, token.as_deref(), &args) {
        Ok(outcome) => answer(&workspace, &method, args, outcome),
        Err(wait_s) => too_fast(wait_s),
    }
}

/// `Err` is the wait of a call that comes too fast.
fn perform(
    workspace: &Workspace,
    method: &str,
    token: Option<&str>,
    args: &Value,
) -> Result<Result<Value, ApiError>, u32> {
    let config = &workspace.0.config;
    let wanted = if method == "apps.connections.open" { &config.app_token } else { &config.bot_token };
    match token {
        None => return Ok(Err(ApiError::new("not_authed"))),
        Some(token) if token == wanted => {}
        Some(token) if token == config.app_token || token == config.bot_token => {
            return Ok(Err(ApiError::new("not_allowed_token_type")));
        }
        Some(_) => return Ok(Err(ApiError::new("invalid_auth"))),
    }
    let own_url = workspace.own_url();
    let mut state = workspace.lock();
    if let Some(needed) = scope(method).filter(|needed| !needed.split(',').any(|s| state.scopes.contains(s))) {
        let provided = state.scopes.iter().cloned().collect::<Vec<_>>().join(",");
        return Ok(Err(ApiError {
            code: "missing_scope".into(),
            more: json!({"needed": needed, "provided": provided}),
        }));
    }
    if let Some(wait_s) = state.limits.refuse(method, args["channel"].as_str()) {
        return Err(wait_s);
    }
    Ok(call(&mut state, method, args, &config.clock, &own_url))
}

fn answer(workspace: &Workspace, method: &str, args: Value, outcome: Result<Value, ApiError>) -> Response {
    let (body, recorded) = match outcome {
        Ok(mut body) => {
            body["ok"] = json!(true);
            (body, Ok(()))
        }
        Err(error) => {
            let mut body = json!({"ok": false, "error": error.code});
            for (name, value) in error.more.as_object().into_iter().flatten() {
                body[name] = value.clone();
            }
            (body, Err(error.code))
        }
    };
    let at = workspace.0.config.clock.now();
    let scopes = {
        let mut state = workspace.lock();
        state.journal.push(ApiCall { at, method: method.to_owned(), args, outcome: recorded });
        state.scopes.iter().cloned().collect::<Vec<_>>().join(",")
    };
    workspace.touch();
    ([("x-oauth-scopes", scopes)], axum::Json(body)).into_response()
}

fn too_fast(wait_s: u32) -> Response {
    let body = axum::Json(json!({"ok": false, "error": "ratelimited"}));
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, wait_s.to_string())], body).into_response()
}

/// Token and arguments, from the query, a form or JSON.
async fn read(request: Request) -> Result<(Option<String>, Value), StatusCode> {
    let (parts, body) = request.into_parts();
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    let bearer = bearer.map(str::to_owned);
    let mut args = Map::new();
    let mut take_form = |text: &[u8]| {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(text).unwrap_or_default();
        args.extend(pairs.into_iter().map(|(name, value)| {
            // In forms, blocks and the like are JSON in a string.
            let parsed = matches!(name.as_str(), "blocks" | "view" | "metadata" | "files")
                .then(|| serde_json::from_str(&value).ok())
                .flatten();
            (name, parsed.unwrap_or(Value::String(value)))
        }));
    };
    take_form(parts.uri.query().unwrap_or_default().as_bytes());
    let json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"application/json"));
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    if !json {
        take_form(&body);
    } else if let Ok(Value::Object(members)) = serde_json::from_slice(&body) {
        args.extend(members);
    }
    let token = bearer.or_else(|| args.get("token").and_then(Value::as_str).map(str::to_owned));
    args.remove("token");
    Ok((token, Value::Object(args)))
}
