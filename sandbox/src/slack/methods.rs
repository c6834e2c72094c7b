//! The methods of the Web API that the workspace knows.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::block_kit::{Surface, check_blocks, check_view, fill_ids, too_long};
use super::files;
use super::mentions::notified;
use super::people::{APP, BOT_ID, BOT_USER, TEAM};
use super::state::{Message, Sharing, State};
use super::views;
use super::web_api::ApiError;
use crate::clock::Clock;

/// Characters of `text` in a new message; and in an update, where each byte counts.
const POST_TEXT_MAX: usize = 40_000;
const UPDATE_TEXT_MAX: usize = 4_000;
/// How long a trigger opens a modal.
const TRIGGER_LIFE: Duration = Duration::from_secs(3);
const VIEWS_MAX: usize = 3;
const PAGE_DEFAULT: usize = 100;

/// The scope that a method needs; one of several, separated by commas.
pub(super) fn scope(method: &str) -> Option<&'static str> {
    Some(match method {
        "chat.postMessage" | "chat.update" | "chat.delete" | "chat.postEphemeral" => "chat:write",
        "conversations.info" | "conversations.members" | "conversations.list" => "channels:read",
        "conversations.history" | "conversations.replies" => "channels:history",
        "conversations.open" => "im:write",
        "users.info" | "users.list" => "users:read",
        "usergroups.users.list" => "usergroups:read",
        "files.getUploadURLExternal" | "files.completeUploadExternal" => "files:write",
        _ => return None,
    })
}

/// Carries a call out.
pub(super) fn call(
    state: &mut State,
    method: &str,
    args: &Value,
    clock: &Clock,
    own_url: &str,
) -> Result<Value, ApiError> {
    // What is not said is left out: no argument takes a null.
    if args.as_object().is_some_and(|args| args.values().any(Value::is_null)) {
        return Err(ApiError::new("invalid_arguments"));
    }
    match method {
        "auth.test" => Ok(json!({
            "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "irp", "team_id": TEAM, "user_id": BOT_USER,
            "bot_id": BOT_ID, "is_enterprise_install": false,
        })),
        "apps.connections.open" => {
            let ticket = state.next_id("ticket");
            state.tickets.insert(ticket.clone(), Instant::now());
            Ok(json!({"url": format!("{}/socket/{ticket}", own_url.replacen("http", "ws", 1))}))
        }
        "chat.postMessage" => post_message(state, args, clock),
        "chat.postEphemeral" => post_ephemeral(state, args, clock),
        "chat.update" => update(state, args),
        "chat.delete" => delete(state, args),
        "chat.getPermalink" => {
            let (channel, ts) = (text(args, "channel"), text(args, "message_ts"));
            let found = state.channel(channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
            found.message(ts).ok_or_else(|| ApiError::new("message_not_found"))?;
            let link = format!("https://sandbox.slack.com/archives/{channel}/p{}", ts.replace('.', ""));
            Ok(json!({"channel": channel, "permalink": link}))
        }
        "conversations.info" => {
            let channel = state.channel(text(args, "channel")).ok_or_else(|| ApiError::new("channel_not_found"))?;
            Ok(json!({"channel": {
                "id": channel.id, "name": channel.name, "is_channel": channel.with.is_none(), "is_im": channel.with.is_some(),
                "is_member": channel.members.contains(BOT_USER), "is_archived": channel.archived,
                "is_shared": matches!(channel.shared, Some(Sharing::Organisation | Sharing::External)),
                "is_org_shared": channel.shared == Some(Sharing::Organisation),
                "is_ext_shared": channel.shared == Some(Sharing::External),
                "is_pending_ext_shared": channel.shared == Some(Sharing::Invited), "context_team_id": TEAM,
            }}))
        }
        "conversations.members" => {
            let channel = state.channel(text(args, "channel")).ok_or_else(|| ApiError::new("channel_not_found"))?;
            let (from, limit) = (page_start(args)?, page_size(args));
            let members: Vec<&String> = channel.members.iter().skip(from).take(limit).collect();
            let next = next_cursor(from + members.len(), channel.members.len());
            Ok(json!({"members": members, "response_metadata": {"next_cursor": next}}))
        }
        "conversations.history" | "conversations.replies" => history(state, method, args),
        "conversations.open" => {
            let id = state.direct_message(text(args, "users")).ok_or_else(|| ApiError::new("user_not_found"))?;
            Ok(json!({"channel": {"id": id}}))
        }
        "files.getUploadURLExternal" => files::upload_url(state, args, own_url),
        "files.completeUploadExternal" => files::complete(state, args, clock, own_url),
        "files.upload" => Err(ApiError::new("method_deprecated")),
        "usergroups.users.list" => {
            let members = state.groups.get(text(args, "usergroup")).ok_or_else(|| ApiError::new("no_such_subteam"))?;
            Ok(json!({"users": members}))
        }
        "users.info" => {
            let person = state.person(text(args, "user")).ok_or_else(|| ApiError::new("user_not_found"))?;
            Ok(json!({"user": person.info()}))
        }
        "users.list" => Ok(json!({
            "members": state.people.iter().map(super::people::Person::info).collect::<Vec<_>>(),
            "response_metadata": {"next_cursor": ""},
        })),
        "views.open" | "views.push" => open_view(state, method, args),
        "views.update" => views::update(state, args),
        _ => Err(ApiError::new("unknown_method")),
    }
}

pub(super) fn text<'a>(args: &'a Value, name: &str) -> &'a str {
    args[name].as_str().unwrap_or_default()
}

/// Text and blocks of a message, as Slack would take them.
fn content(args: &Value, text_max: usize) -> Result<(String, Vec<Value>), ApiError> {
    let body = text(args, "text").to_owned();
    let mut blocks = match &args["blocks"] {
        Value::Null => Vec::new(),
        Value::Array(blocks) => blocks.clone(),
        _ => return Err(ApiError::new("invalid_blocks_format")),
    };
    if body.is_empty() && blocks.is_empty() {
        return Err(ApiError::new("no_text"));
    }
    if body.chars().count() > text_max {
        return Err(ApiError::new("msg_too_long"));
    }
    let errors = check_blocks(&blocks, Surface::Message, "/blocks");
    if !errors.is_empty() {
        let more = json!({"errors": errors, "response_metadata": {"messages": errors}});
        return Err(ApiError { code: "invalid_blocks".into(), more });
    }
    if too_long(&blocks) {
        return Err(ApiError::new("msg_blocks_too_long"));
    }
    fill_ids(&mut blocks);
    Ok((body, blocks))
}

fn post_message(state: &mut State, args: &Value, clock: &Clock) -> Result<Value, ApiError> {
    let target = text(args, "channel");
    if state.unreachable.contains(target) {
        return Err(ApiError::new("fatal_error"));
    }
    // A person's id posts into the app's direct message with them.
    let channel = if target.starts_with(['U', 'W']) {
        state.direct_message(target).ok_or_else(|| ApiError::new("channel_not_found"))?
    } else {
        target.to_owned()
    };
    let found = state.channel(&channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    if !found.members.contains(BOT_USER) {
        return Err(ApiError::new("not_in_channel"));
    }
    if found.archived {
        return Err(ApiError::new("is_archived"));
    }
    let thread_ts = args["thread_ts"].as_str().map(str::to_owned);
    if thread_ts.as_deref().is_some_and(|ts| found.message(ts).is_none()) {
        return Err(ApiError::new("thread_not_found"));
    }
    let (body, blocks) = content(args, POST_TEXT_MAX)?;
    for person in notified(state, found, &body, &blocks) {
        state.notifications.entry(person).or_default().push(body.clone());
    }
    let ts = state.next_ts(clock);
    let message = Message {
        ts: ts.clone(),
        thread_ts,
        user: BOT_USER.to_owned(),
        text: body,
        blocks,
        files: Vec::new(),
        metadata: args["metadata"].clone(),
        edited: false,
        only_for: None,
    };
    let shown = message.api(true);
    if let Some(found) = state.channel_mut(&channel) {
        found.messages.push(message);
    }
    Ok(json!({"channel": channel, "ts": ts, "message": shown}))
}

fn post_ephemeral(state: &mut State, args: &Value, clock: &Clock) -> Result<Value, ApiError> {
    let (channel, user) = (text(args, "channel").to_owned(), text(args, "user").to_owned());
    let found = state.channel(&channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    if !found.members.contains(BOT_USER) {
        return Err(ApiError::new("not_in_channel"));
    }
    if !found.members.contains(&user) {
        return Err(ApiError::new("user_not_in_channel"));
    }
    let (body, blocks) = content(args, POST_TEXT_MAX)?;
    let thread_ts = args["thread_ts"].as_str().map(str::to_owned);
    let ts = say_to(state, &channel, &user, thread_ts, body, blocks, clock);
    Ok(json!({"message_ts": ts}))
}

/// Puts an ephemeral message of the app's where one person sees it.
pub(super) fn say_to(
    state: &mut State,
    channel: &str,
    user: &str,
    thread_ts: Option<String>,
    text: String,
    blocks: Vec<Value>,
    clock: &Clock,
) -> String {
    let ts = state.next_ts(clock);
    if let Some(found) = state.channel_mut(channel) {
        found.messages.push(Message {
            ts: ts.clone(),
            thread_ts,
            user: BOT_USER.to_owned(),
            text,
            blocks,
            files: Vec::new(),
            metadata: Value::Null,
            edited: false,
            only_for: Some(user.to_owned()),
        });
    }
    ts
}

fn update(state: &mut State, args: &Value) -> Result<Value, ApiError> {
    let (channel, ts) = (text(args, "channel").to_owned(), text(args, "ts").to_owned());
    let found = state.channel(&channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    let message = found.message(&ts).filter(|m| m.only_for.is_none());
    let message = message.ok_or_else(|| ApiError::new("message_not_found"))?;
    if message.user != BOT_USER {
        return Err(ApiError::new("cant_update_message"));
    }
    if found.archived {
        return Err(ApiError::new("is_inactive"));
    }
    if state.stuck.contains(&ts) {
        return Err(ApiError::new("update_failed"));
    }
    if state.closed.contains(&ts) {
        return Err(ApiError::new("edit_window_closed"));
    }
    if text(args, "text").len() > UPDATE_TEXT_MAX {
        return Err(ApiError::new("msg_too_long"));
    }
    let (body, blocks) = content(args, UPDATE_TEXT_MAX)?;
    let metadata = args["metadata"].clone();
    let found = state.channel_mut(&channel).and_then(|c| c.messages.iter_mut().find(|m| m.ts == ts));
    if let Some(message) = found {
        message.edited = true;
        message.text.clone_from(&body);
        message.blocks = blocks;
        if !metadata.is_null() {
            message.metadata = metadata;
        }
    }
    Ok(json!({"channel": channel, "ts": ts, "text": body}))
}

fn delete(state: &mut State, args: &Value) -> Result<Value, ApiError> {
    let (channel, ts) = (text(args, "channel"), text(args, "ts"));
    let found = state.channel_mut(channel).ok_or_else(|| ApiError::new("channel_not_found"))?;
    let message = found.message(ts).ok_or_else(|| ApiError::new("message_not_found"))?;
    if message.user != BOT_USER {
        return Err(ApiError::new("cant_delete_message"));
    }
    found.delete(ts);
    Ok(json!({"channel": channel, "ts": ts}))
}

fn history(state: &State, method: &str, args: &Value) -> Result<Value, ApiError> {
    let channel = state.channel(text(args, "channel")).ok_or_else(|| ApiError::new("channel_not_found"))?;
    if !channel.members.contains(BOT_USER) {
        return Err(ApiError::new("not_in_channel"));
    }
    let flag = |name: &str| args[name] == true || args[name] == "true";
    let limit = page_size(args);
    let public = channel.messages.iter().filter(|m| m.only_for.is_none());
    let metadata = flag("include_all_metadata");
    let after = |ts: &str| {
        args["oldest"]
            .as_str()
            .and_then(|o| o.parse::<f64>().ok())
            .is_none_or(|oldest| ts.parse::<f64>().is_ok_and(|ts| ts > oldest))
    };
    let all: Vec<_> = if method == "conversations.replies" {
        // A thread comes oldest first, and its first message always with it.
        let root = text(args, "ts");
        channel.message(root).ok_or_else(|| ApiError::new("thread_not_found"))?;
        public.filter(|m| m.ts == root || (m.thread_ts.as_deref() == Some(root) && after(&m.ts))).collect()
    } else {
        let roots = public.filter(|m| m.thread_ts.as_ref().is_none_or(|t| *t == m.ts) && after(&m.ts));
        roots.rev().collect()
    };
    let from = page_start(args)?;
    let messages: Vec<Value> = all.iter().skip(from).take(limit).map(|m| channel.api(m, metadata)).collect();
    let has_more = from + messages.len() < all.len();
    let next_cursor = next_cursor(from + messages.len(), all.len());
    Ok(json!({"messages": messages, "has_more": has_more, "response_metadata": {"next_cursor": next_cursor}}))
}

fn page_size(args: &Value) -> usize {
    let limit = args["limit"].as_str().and_then(|t| t.parse().ok()).or_else(|| args["limit"].as_u64());
    limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(PAGE_DEFAULT).clamp(1, 999)
}

fn page_start(args: &Value) -> Result<usize, ApiError> {
    match text(args, "cursor") {
        "" => Ok(0),
        cursor => {
            cursor.strip_prefix("page:").and_then(|n| n.parse().ok()).ok_or_else(|| ApiError::new("invalid_cursor"))
        }
    }
}

/// Empty on the last page.
fn next_cursor(shown: usize, of: usize) -> String {
    if shown < of { format!("page:{shown}") } else { String::new() }
}

fn open_view(state: &mut State, method: &str, args: &Value) -> Result<Value, ApiError> {
    let trigger = state.triggers.get_mut(text(args, "trigger_id"));
    let trigger = trigger.ok_or_else(|| ApiError::new("invalid_trigger_id"))?;
    if trigger.used {
        return Err(ApiError::new("exchanged_trigger_id"));
    }
    if trigger.made.elapsed() > TRIGGER_LIFE {
        return Err(ApiError::new("expired_trigger_id"));
    }
    let errors = check_view(&args["view"]);
    if !errors.is_empty() {
        let more = json!({"response_metadata": {"messages": errors}});
        return Err(ApiError { code: "invalid_arguments".into(), more });
    }
    trigger.used = true;
    let user = trigger.user.clone();
    let view = views::made(state, &args["view"]);
    let stack = state.views.entry(user).or_default();
    if method == "views.open" {
        stack.clear();
    } else if stack.len() >= VIEWS_MAX {
        return Err(ApiError::new("push_limit_reached"));
    }
    stack.push(view.clone());
    Ok(json!({"view": view, "app_id": APP}))
}

#[cfg(test)]
mod tests {
    use super::super::people::WAR_ROOM;
    use super::*;

    fn called(state: &mut State, method: &str, args: &Value) -> Result<Value, String> {
        call(state, method, args, &Clock::new(1), "").map_err(|error| error.code)
    }

    fn posted(state: &mut State, thread_ts: Option<&str>) -> String {
        let mut args = json!({"channel": WAR_ROOM, "text": "said"});
        if let Some(ts) = thread_ts {
            args["thread_ts"] = json!(ts);
        }
        called(state, "chat.postMessage", &args).unwrap()["ts"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_text_of_an_update_is_counted_in_bytes() {
        let mut state = State::demo();
        let ts = posted(&mut state, None);
        let mut update = |text: String| {
            called(&mut state, "chat.update", &json!({"channel": WAR_ROOM, "ts": ts, "text": text})).map(drop)
        };
        assert_eq!(update("é".repeat(2_000)), Ok(()));
        assert_eq!(update("é".repeat(2_001)), Err("msg_too_long".to_owned()));
    }

    #[test]
    fn of_a_deleted_message_with_a_thread_a_tombstone_stays_that_nobody_edits() {
        let mut state = State::demo();
        let root = posted(&mut state, None);
        let reply = posted(&mut state, Some(&root));
        for ts in [&root, &reply] {
            called(&mut state, "chat.delete", &json!({"channel": WAR_ROOM, "ts": ts})).unwrap();
        }
        let mut update =
            |ts: &str| called(&mut state, "chat.update", &json!({"channel": WAR_ROOM, "ts": ts, "text": "again"}));
        assert_eq!(update(&root), Err("cant_update_message".to_owned()));
        assert_eq!(update(&reply), Err("message_not_found".to_owned()));
    }
}
