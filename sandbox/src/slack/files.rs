//! Files, as apps upload them since `files.upload` is no more: a ticket for so many bytes, the bytes, and
//! sharing what came. Follows Slack's “Working with files” and the reference of the two methods.

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Workspace;
use super::methods::text;
use super::people::BOT_USER;
use super::state::{Message, State};
use super::web_api::{ApiError, Fault, HANG};
use crate::clock::Clock;

/// A file that is shared in a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// As it is saved.
    pub name: String,
    /// As it is shown.
    pub title: String,
    /// The thread that it stands in.
    pub thread_ts: Option<String>,
    /// What it says.
    pub content: String,
}

/// A file on its way: announced, sent, shared.
pub(super) struct Stored {
    id: String,
    ticket: String,
    name: String,
    bytes: usize,
    content: Option<String>,
    /// The title and the thread, once it is shared.
    shared: Option<(String, Option<String>)>,
}

impl Stored {
    pub(super) fn shown(&self) -> Option<File> {
        let (title, thread_ts) = self.shared.clone()?;
        Some(File { name: self.name.clone(), title, thread_ts, content: self.content.clone()? })
    }
}

/// `files.getUploadURLExternal`
pub(super) fn upload_url(state: &mut State, args: &Value, own_url: &str) -> Result<Value, ApiError> {
    let length = args["length"].as_u64().or_else(|| args["length"].as_str()?.parse().ok());
    let length = length.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let name = Some(text(args, "filename")).filter(|name| !name.is_empty() && !name.contains('/'));
    let (Some(bytes), Some(name)) = (length, name) else { return Err(ApiError::new("missing_argument")) };
    let (id, ticket) = (state.next_id("F"), state.next_id("ticket"));
    let answer = json!({"file_id": id, "upload_url": format!("{own_url}/upload/v1/{ticket}")});
    state.files.push(Stored { id, ticket, name: name.to_owned(), bytes, content: None, shared: None });
    Ok(answer)
}

/// Takes the bytes: those that were announced, once.
fn put(state: &mut State, ticket: &str, body: &[u8]) -> Result<(), StatusCode> {
    let file = state.files.iter_mut().find(|file| file.ticket == ticket && file.content.is_none());
    let file = file.ok_or(StatusCode::NOT_FOUND)?;
    if body.len() != file.bytes {
        return Err(StatusCode::BAD_REQUEST);
    }
    file.content = Some(String::from_utf8_lossy(body).into_owned());
    Ok(())
}

/// `files.completeUploadExternal`. Without a channel the file stays the app's own.
pub(super) fn complete(state: &mut State, args: &Value, clock: &Clock, own_url: &str) -> Result<Value, ApiError> {
    let wanted = args["files"].as_array().filter(|files| !files.is_empty());
    let wanted = wanted.ok_or_else(|| ApiError::new("invalid_arguments"))?;
    let channel = args["channel_id"].as_str();
    let thread_ts = args["thread_ts"].as_str().map(str::to_owned);
    if let Some(channel) = channel {
        let found = state.channel(channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
        if !found.members.contains(BOT_USER) {
            return Err(ApiError::new("not_in_channel"));
        }
        // A thread is named by its first message, never by a reply.
        let begins = |ts: &str| found.message(ts).is_some_and(|m| m.thread_ts.as_deref().is_none_or(|of| of == ts));
        if thread_ts.as_deref().is_some_and(|ts| !begins(ts)) {
            return Err(ApiError::new("thread_not_found"));
        }
    }
    let sent = |wanted: &Value| {
        state.files.iter().position(|f| wanted["id"] == f.id.as_str() && f.content.is_some() && f.shared.is_none())
    };
    let places: Option<Vec<usize>> = wanted.iter().map(sent).collect();
    let places = places.ok_or_else(|| ApiError::new("file_not_found"))?;
    let mut files = Vec::new();
    for (place, wanted) in places.into_iter().zip(wanted) {
        let file = &mut state.files[place];
        let title = wanted["title"].as_str().unwrap_or(&file.name).to_owned();
        if channel.is_some() {
            file.shared = Some((title.clone(), thread_ts.clone()));
        }
        files.push(json!({
            "id": file.id, "name": file.name, "title": title, "mimetype": "text/plain", "size": file.bytes, "user": BOT_USER,
            "created": clock.now().timestamp(), "permalink": format!("{own_url}/files/{BOT_USER}/{}/{}", file.id, file.name),
        }));
    }
    let ts = state.next_ts(clock);
    if let Some(found) = channel.and_then(|channel| state.channel_mut(channel)) {
        found.messages.push(Message {
            ts,
            thread_ts,
            user: BOT_USER.to_owned(),
            text: text(args, "initial_comment").to_owned(),
            blocks: Vec::new(),
            files: files.clone(),
            metadata: Value::Null,
            edited: false,
            only_for: None,
        });
    }
    Ok(json!({"files": files}))
}

/// The upload address: no token but its ticket.
pub(super) async fn take(
    Shared(workspace): Shared<Workspace>,
    Path(ticket): Path<String>,
    body: Bytes,
) -> Result<String, StatusCode> {
    let fault = {
        let mut state = workspace.lock();
        if state.down {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        state.faults.get_mut("upload").and_then(std::collections::VecDeque::pop_front)
    };
    match fault {
        Some(Fault::RateLimited { .. }) => return Err(StatusCode::TOO_MANY_REQUESTS),
        Some(Fault::Status(code)) => return Err(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY)),
        Some(Fault::Error(_)) => return Err(StatusCode::BAD_REQUEST),
        Some(Fault::Hang) => {
            tokio::time::sleep(HANG).await;
            return Err(StatusCode::GATEWAY_TIMEOUT);
        }
        Some(Fault::PostThenHang) => {
            put(&mut workspace.lock(), &ticket, &body)?;
            tokio::time::sleep(HANG).await;
        }
        None => put(&mut workspace.lock(), &ticket, &body)?,
    }
    Ok(format!("OK - {}", body.len()))
}

/// What a file's address shows: its text and nothing that a browser would run.
pub(super) async fn serve(
    Shared(workspace): Shared<Workspace>,
    Path((_, id, _)): Path<(String, String, String)>,
) -> Response {
    let found = workspace.lock().files.iter().find(|file| file.id == id).and_then(Stored::shown);
    let Some(file) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, file.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::people::{GENERAL, WAR_ROOM};
    use super::*;

    const URL: &str = "http://127.0.0.1:4000";

    fn announced(state: &mut State, length: &Value) -> Result<(String, String), String> {
        let answer = upload_url(state, &json!({"filename": "plan.txt", "length": length}), URL).map_err(|e| e.code)?;
        let ticket = answer["upload_url"].as_str().unwrap().strip_prefix("http://127.0.0.1:4000/upload/v1/").unwrap();
        Ok((answer["file_id"].as_str().unwrap().to_owned(), ticket.to_owned()))
    }

    fn completed(state: &mut State, id: &str, channel: &str, thread_ts: Option<&str>) -> Result<Value, String> {
        let mut args = json!({"files": [{"id": id, "title": "The plan"}], "channel_id": channel});
        if let Some(ts) = thread_ts {
            args["thread_ts"] = json!(ts);
        }
        complete(state, &args, &Clock::new(1), URL).map_err(|e| e.code)
    }

    fn said(state: &mut State, thread_ts: Option<&str>) -> String {
        let ts = state.next_ts(&Clock::new(1));
        state.channel_mut(WAR_ROOM).unwrap().messages.push(Message {
            ts: ts.clone(),
            thread_ts: thread_ts.map(str::to_owned),
            user: BOT_USER.to_owned(),
            text: "said".to_owned(),
            blocks: Vec::new(),
            files: Vec::new(),
            metadata: Value::Null,
            edited: false,
            only_for: None,
        });
        ts
    }

    #[test]
    fn what_was_announced_is_taken_once_and_shown_in_the_thread() {
        let mut state = State::demo();
        let root = said(&mut state, None);
        let (id, ticket) = announced(&mut state, &json!("5")).unwrap();
        assert_eq!(
            completed(&mut state, &id, WAR_ROOM, Some(&root)).unwrap_err(),
            "file_not_found",
            "nothing was sent"
        );
        assert_eq!(put(&mut state, &ticket, b"four"), Err(StatusCode::BAD_REQUEST), "another length");
        assert_eq!(put(&mut state, "another", b"whole"), Err(StatusCode::NOT_FOUND));
        assert_eq!(put(&mut state, &ticket, b"whole"), Ok(()));
        assert_eq!(put(&mut state, &ticket, b"again"), Err(StatusCode::NOT_FOUND), "a ticket is good once");
        let answer = completed(&mut state, &id, WAR_ROOM, Some(&root)).unwrap();
        assert_eq!(answer["files"][0]["id"], id.as_str());
        assert_eq!(completed(&mut state, &id, WAR_ROOM, Some(&root)).unwrap_err(), "file_not_found", "shared once");
        let file = File {
            name: "plan.txt".into(),
            title: "The plan".into(),
            thread_ts: Some(root.clone()),
            content: "whole".into(),
        };
        assert_eq!(state.files.iter().filter_map(Stored::shown).collect::<Vec<_>>(), [file]);
        let shown = state.channel(WAR_ROOM).unwrap().messages.last().unwrap().api(false);
        assert_eq!((shown["thread_ts"].as_str(), &shown["files"][0]["title"]), (Some(&*root), &json!("The plan")));
    }

    #[test]
    fn a_file_needs_a_length_a_name_a_channel_that_the_app_is_in_and_a_thread() {
        let mut state = State::demo();
        for length in [&json!(0), &json!("x"), &Value::Null] {
            assert_eq!(announced(&mut state, length).unwrap_err(), "missing_argument");
        }
        assert!(upload_url(&mut state, &json!({"length": 1}), URL).is_err_and(|e| e.code == "missing_argument"));
        let root = said(&mut state, None);
        let reply = said(&mut state, Some(&root));
        let (id, ticket) = announced(&mut state, &json!(1)).unwrap();
        put(&mut state, &ticket, b"x").unwrap();
        state.channel_mut(GENERAL).unwrap().members.remove(BOT_USER);
        for (channel, thread_ts, code) in [
            ("C0NOWHERE1", None, "channel_not_found"),
            (GENERAL, None, "not_in_channel"),
            (WAR_ROOM, Some("1.000001"), "thread_not_found"),
            (WAR_ROOM, Some(reply.as_str()), "thread_not_found"),
        ] {
            assert_eq!(completed(&mut state, &id, channel, thread_ts).unwrap_err(), code);
        }
        assert!(state.files.iter().all(|file| file.shown().is_none()));
        assert!(completed(&mut state, &id, WAR_ROOM, None).is_ok());
    }
}
