//! `/sandbox/*`: what the page, or a test, asks in a person's name. JSON only and same origin only, so
//! that no other page can act here.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Workspace;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A JSON body from the page itself.
pub(super) struct Own<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Own<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        if is_foreign(request.headers()) {
            return Err(StatusCode::FORBIDDEN.into_response());
        }
        // `Json` insists on its content type, which another origin cannot send without being asked first.
        Json::from_request(request, state).await.map(|Json(body)| Self(body)).map_err(IntoResponse::into_response)
    }
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    text(header::ORIGIN).is_some_and(|origin| origin.split("://").nth(1) != Some(host))
}

#[derive(Deserialize)]
pub(super) struct As {
    r#as: String,
}

#[derive(Deserialize)]
pub(super) struct Typed {
    r#as: String,
    channel: String,
    thread_ts: Option<String>,
    text: String,
}

#[derive(Deserialize)]
pub(super) struct Clicked {
    r#as: String,
    channel: String,
    ts: String,
    block_id: String,
    action_id: String,
    selected: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Form {
    r#as: String,
    view_id: String,
    #[serde(default)]
    values: Value,
}

pub(super) async fn state(State(workspace): State<Workspace>, Query(who): Query<As>) -> Response {
    match workspace.state(&who.r#as) {
        Value::Null => StatusCode::NOT_FOUND.into_response(),
        state => Json(state).into_response(),
    }
}

pub(super) async fn events(State(workspace): State<Workspace>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = futures_util::stream::unfold((workspace, 0), |(workspace, seen)| async move {
        let seq = workspace.changed_after(seen).await;
        Some((Ok(Event::default().data(json!({"seq": seq}).to_string())), (workspace, seq)))
    });
    Sse::new(changes).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

pub(super) async fn command(State(workspace): State<Workspace>, Own(typed): Own<Typed>) -> Json<Value> {
    told(workspace.command(&typed.r#as, &typed.channel, &typed.text).await)
}

pub(super) async fn message(State(workspace): State<Workspace>, Own(typed): Own<Typed>) -> Json<Value> {
    told(workspace.message(&typed.r#as, &typed.channel, typed.thread_ts.as_deref(), &typed.text).await)
}

pub(super) async fn click(State(workspace): State<Workspace>, Own(clicked): Own<Clicked>) -> Json<Value> {
    let Clicked { r#as: person, channel, ts, block_id, action_id, selected } = clicked;
    told(workspace.click(&person, &channel, &ts, &block_id, &action_id, selected.as_deref()).await)
}

pub(super) async fn view_submit(State(workspace): State<Workspace>, Own(form): Own<Form>) -> Json<Value> {
    Json(match workspace.submit_view(&form.r#as, &form.view_id, &form.values).await {
        Ok(()) => json!({"ok": true}),
        Err(mut why) => {
            why["ok"] = json!(false);
            why
        }
    })
}

pub(super) async fn view_close(State(workspace): State<Workspace>, Own(form): Own<Form>) -> Json<Value> {
    workspace.close_view(&form.r#as, &form.view_id);
    Json(json!({"ok": true}))
}

fn told(acted: Result<(), String>) -> Json<Value> {
    Json(match acted {
        Ok(()) => json!({"ok": true}),
        Err(error) => json!({"ok": false, "error": error}),
    })
}
