//! What people do: type, click, fill in. Each goes to the app as Slack would send it, and its answer
//! back to the person as Slack would show it.

use std::time::Instant;

use serde_json::{Value, json};

use super::Workspace;
use super::methods::say_to;
use super::people::{APP, BOT_USER, TEAM};
use super::state::{Answers, Message, Trigger};
use super::views;

/// Slack's legacy verification token: sent, and not to be relied on.
const TOKEN: &str = "legacy-verification-token";

impl Workspace {
    /// Types a slash command.
    pub async fn command(&self, person: &str, channel: &str, text: &str) -> Result<(), String> {
        let Some((command, rest)) = text.strip_prefix('/').map(|t| t.split_once(' ').unwrap_or((t, ""))) else {
            return Err("not a command".into());
        };
        if command != "irp" {
            return Err(format!("/{command} is not a valid command."));
        }
        let (payload, name) = {
            let mut state = self.lock();
            let who = state.person(person).ok_or("no such person")?.name;
            let place = state.channel(channel).filter(|c| c.members.contains(person)).ok_or("channel_not_found")?;
            let place = place.name.clone();
            let trigger = self.trigger(&mut state, person);
            let url = self.response_url(&mut state, person, channel, None);
            let payload = json!({
                "token": TOKEN, "team_id": TEAM, "team_domain": "sandbox", "channel_id": channel, "channel_name": place,
                "user_id": person, "user_name": who, "command": "/irp", "text": rest.trim(), "api_app_id": APP,
                "is_enterprise_install": "false", "response_url": url, "trigger_id": trigger,
            });
            (payload, format!("/{command}"))
        };
        let answer = self.deliver("commands", &payload).await;
        let shown = self.finish(person, &format!("{name} failed with the error"), answer)?;
        if let Some(answer) = shown {
            let text = answer.as_str().or_else(|| answer["text"].as_str()).unwrap_or_default().to_owned();
            let blocks = answer["blocks"].as_array().cloned().unwrap_or_default();
            let clock = &self.0.config.clock;
            say_to(&mut self.lock(), channel, person, None, text, blocks, clock);
            self.touch();
        }
        Ok(())
    }

    /// Clicks a button on a message; `selected` is an option's value, for menus.
    pub async fn click(
        &self,
        person: &str,
        channel: &str,
        ts: &str,
        block_id: &str,
        action_id: &str,
        selected: Option<&str>,
    ) -> Result<(), String> {
        let payload = {
            let mut state = self.lock();
            let who = state.person(person).ok_or("no such person")?.name;
            let place = state.channel(channel).filter(|c| c.members.contains(person)).ok_or("channel_not_found")?;
            let message = place.message(ts).ok_or("message_not_found")?.clone();
            let shown = place.api(&message, true);
            let place = place.name.clone();
            let element = element(&message.blocks, block_id, action_id).ok_or("no such button")?;
            let mut action = json!({
                "action_id": action_id, "block_id": block_id, "type": element["type"], "action_ts": state.next_ts(&self.0.config.clock),
            });
            if let Some(value) = selected {
                action["selected_option"] = json!({"value": value});
            } else {
                action["value"] = element["value"].clone();
                action["text"] = element["text"].clone();
            }
            let trigger = self.trigger(&mut state, person);
            let url = self.response_url(&mut state, person, channel, Some(ts));
            json!({
                "type": "block_actions", "token": TOKEN, "api_app_id": APP, "trigger_id": trigger, "response_url": url,
                "team": {"id": TEAM, "domain": "sandbox"}, "enterprise": null, "is_enterprise_install": false,
                "user": {"id": person, "username": who, "name": who, "team_id": TEAM},
                "channel": {"id": channel, "name": place},
                "container": {"type": "message", "message_ts": ts, "channel_id": channel,
                    "is_ephemeral": message.only_for.is_some(), "thread_ts": shown["thread_ts"]},
                "message": shown, "state": {"values": {}}, "actions": [action],
            })
        };
        let answer = self.deliver("interactions", &payload).await;
        self.finish(person, "That did not work:", answer).map(|_| ())
    }

    /// Sends the form on top of a person's stack. Field errors come as `Err` with JSON of them.
    pub async fn submit_view(&self, person: &str, view_id: &str, values: &Value) -> Result<(), Value> {
        let say = |text: &str| json!({"error": text});
        let payload = {
            let state = self.lock();
            let who = state.person(person).ok_or_else(|| say("no such person"))?.name;
            let view = state.views.get(person).and_then(|s| s.last()).filter(|v| v["id"] == view_id);
            let mut view = view.ok_or_else(|| say("no such view"))?.clone();
            match views::state_values(&view, values) {
                Ok(filled) => view["state"]["values"] = filled,
                Err((block, why)) => return Err(json!({"errors": {block: why}})),
            }
            if let Some(members) = view.as_object_mut() {
                members.remove("errors");
            }
            json!({
                "type": "view_submission", "token": TOKEN, "api_app_id": APP, "team": {"id": TEAM, "domain": "sandbox"},
                "enterprise": null, "is_enterprise_install": false, "response_urls": [],
                "user": {"id": person, "username": who, "name": who, "team_id": TEAM}, "view": view,
            })
        };
        let answer = self.deliver("interactions", &payload).await;
        let shown = self.finish(person, "We had some trouble connecting:", answer).map_err(|e| say(&e))?;
        let mut state = self.lock();
        let stack = state.views.entry(person.to_owned()).or_default();
        match shown.as_ref().map(|a| (a["response_action"].as_str().unwrap_or_default(), a)) {
            Some(("errors", answer)) => {
                if let Some(view) = stack.last_mut() {
                    view["errors"] = answer["errors"].clone();
                }
                drop(state);
                self.touch();
                return Err(json!({"errors": shown.map(|a| a["errors"].clone())}));
            }
            Some(("clear", _)) => stack.clear(),
            _ => {
                stack.pop();
            }
        }
        drop(state);
        self.touch();
        Ok(())
    }

    /// Closes the form on top of a person's stack.
    pub fn close_view(&self, person: &str, view_id: &str) {
        if let Some(stack) = self.lock().views.get_mut(person) {
            stack.retain(|v| v["id"] != view_id);
        }
        self.touch();
    }

    /// Writes a message. The app hears of it when it is mentioned.
    pub async fn message(
        &self,
        person: &str,
        channel: &str,
        thread_ts: Option<&str>,
        text: &str,
    ) -> Result<(), String> {
        let event = {
            let mut state = self.lock();
            state.person(person).ok_or("no such person")?;
            let ts = state.next_ts(&self.0.config.clock);
            let event_id = state.next_id("Ev");
            let place = state.channel_mut(channel).filter(|c| c.members.contains(person)).ok_or("channel_not_found")?;
            place.messages.push(Message {
                ts: ts.clone(),
                thread_ts: thread_ts.map(str::to_owned),
                user: person.to_owned(),
                text: text.to_owned(),
                blocks: Vec::new(),
                files: Vec::new(),
                metadata: Value::Null,
                edited: false,
                only_for: None,
            });
            json!({
                "type": "event_callback", "token": TOKEN, "team_id": TEAM, "api_app_id": APP, "event_id": event_id,
                "event_time": 0, "is_ext_shared_channel": false,
                "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": true, "is_enterprise_install": false}],
                "event": {"type": "app_mention", "user": person, "text": text, "ts": ts, "channel": channel,
                    "thread_ts": thread_ts, "event_ts": ts},
            })
        };
        self.touch();
        if text.contains(&format!("<@{BOT_USER}>")) {
            let _ = self.deliver("events", &event).await;
        }
        Ok(())
    }

    /// Tells the person when the app did not acknowledge.
    fn finish(&self, person: &str, lead: &str, answer: super::delivery::Ack) -> Result<Option<Value>, String> {
        answer.map_err(|error| {
            self.lock().toast(person, &format!("{lead} {error}"), &self.0.config.clock);
            self.touch();
            error
        })
    }

    fn trigger(&self, state: &mut super::state::State, person: &str) -> String {
        let id = format!("{}.{}", state.next_ts(&self.0.config.clock), state.next_id("t").to_lowercase());
        state.triggers.insert(id.clone(), Trigger { user: person.to_owned(), made: Instant::now(), used: false });
        id
    }

    fn response_url(
        &self,
        state: &mut super::state::State,
        person: &str,
        channel: &str,
        message_ts: Option<&str>,
    ) -> String {
        let id = state.next_id("R");
        let answers = Answers {
            user: person.to_owned(),
            channel: channel.to_owned(),
            message_ts: message_ts.map(str::to_owned),
            made_at: self.0.config.clock.now(),
            uses: 0,
        };
        state.answers.insert(id.clone(), answers);
        format!("{}/response/{id}", self.own_url())
    }
}

/// The element with these ids, in an actions block or beside a section.
fn element(blocks: &[Value], block_id: &str, action_id: &str) -> Option<Value> {
    let block = blocks.iter().find(|b| b["block_id"] == block_id)?;
    let row = block["elements"].as_array().into_iter().flatten();
    row.chain([&block["accessory"]]).find(|e| e["action_id"] == action_id).cloned()
}
