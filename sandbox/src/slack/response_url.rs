//! `response_url`: five uses within thirty minutes. Follows Slack's “Handling user interaction”.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Workspace;
use super::block_kit::{Surface, check_blocks, fill_ids};
use super::methods::say_to;
use super::people::BOT_USER;
use super::state::Message;
use super::web_api::{ApiCall, Fault};

const USES_MAX: u32 = 5;
const LIFE: TimeDelta = TimeDelta::minutes(30);

pub(super) async fn serve(
    State(workspace): State<Workspace>,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let refused = |error: &str| (StatusCode::NOT_FOUND, Json(json!({"ok": false, "error": error}))).into_response();
    let clock = workspace.0.config.clock.clone();
    let mut state = workspace.lock();
    let fault = state.faults.get_mut("response_url").and_then(std::collections::VecDeque::pop_front);
    if let Some(Fault::Status(code)) = fault {
        return StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
    }
    let Some(answers) = state.answers.get_mut(&id) else { return refused("no_such_url") };
    if clock.now() - answers.made_at > LIFE {
        return refused("expired_url");
    }
    if answers.uses >= USES_MAX {
        return refused("used_url");
    }
    answers.uses += 1;
    if body.as_object().is_some_and(|members| members.values().any(Value::is_null)) {
        let (method, outcome) = ("response_url".to_owned(), Err("invalid_payload".to_owned()));
        state.journal.push(ApiCall { at: clock.now(), method, args: body, outcome });
        return refused("invalid_payload");
    }
    let (user, channel, acted_on) = (answers.user.clone(), answers.channel.clone(), answers.message_ts.clone());
    let mut blocks = body["blocks"].as_array().cloned().unwrap_or_default();
    let errors = check_blocks(&blocks, Surface::Message, "/blocks");
    if !errors.is_empty() {
        return Json(json!({"ok": false, "error": "invalid_blocks", "response_metadata": {"messages": errors}}))
            .into_response();
    }
    fill_ids(&mut blocks);
    let text = body["text"].as_str().unwrap_or_default().to_owned();
    let thread_ts = body["thread_ts"].as_str().map(str::to_owned);
    let replaced = acted_on.filter(|_| body["replace_original"] == true || body["delete_original"] == true);
    if let Some(ts) = replaced {
        if let Some(found) = state.channel_mut(&channel) {
            if body["delete_original"] == true {
                found.delete(&ts);
            } else if let Some(message) = found.messages.iter_mut().find(|m| m.ts == ts) {
                (message.text, message.blocks, message.edited) = (text, blocks, true);
            }
        }
    } else if body["response_type"] == "in_channel" {
        let ts = state.next_ts(&clock);
        if let Some(found) = state.channel_mut(&channel) {
            let user = BOT_USER.to_owned();
            let (files, metadata) = (Vec::new(), Value::Null);
            let message = Message { ts, thread_ts, user, text, blocks, files, metadata, edited: false, only_for: None };
            found.messages.push(message);
        }
    } else {
        // Only an answer that all see follows the thread: this one stands in the channel.
        say_to(&mut state, &channel, &user, None, text, blocks, &clock);
    }
    drop(state);
    workspace.touch();
    Json(json!({"ok": true})).into_response()
}
