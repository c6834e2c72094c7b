//! What the workspace holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::delivery::DeliveryRecord;
use super::files::Stored;
use super::limits::Limits;
use super::people::{self, BOT_USER, GENERAL, Person, SLACKBOT, TEAM, WAR_ROOM};
use super::web_api::{ApiCall, Fault};
use crate::clock::Clock;
use crate::terminal::Terminal;

/// Scopes that the app is installed with.
const SCOPES: [&str; 11] = [
    "commands",
    "chat:write",
    "channels:read",
    "channels:history",
    "groups:read",
    "groups:history",
    "im:write",
    "users:read",
    "usergroups:read",
    "files:write",
    "app_mentions:read",
];
/// Toasts kept for each person.
const TOASTS_MAX: usize = 20;

pub(super) struct State {
    pub(super) people: Vec<Person>,
    pub(super) channels: Vec<Channel>,
    /// User groups and who is in them.
    pub(super) groups: BTreeMap<String, Vec<String>>,
    /// Each person's open modals, the lowest first.
    pub(super) views: BTreeMap<String, Vec<Value>>,
    pub(super) triggers: HashMap<String, Trigger>,
    pub(super) answers: HashMap<String, Answers>,
    pub(super) tickets: HashMap<String, Instant>,
    /// Files and the tickets that their bytes are sent with, oldest first.
    pub(super) files: Vec<Stored>,
    pub(super) toasts: BTreeMap<String, Vec<Value>>,
    /// What each person was notified of.
    pub(super) notifications: BTreeMap<String, Vec<String>>,
    pub(super) journal: Vec<ApiCall>,
    pub(super) deliveries: Vec<DeliveryRecord>,
    pub(super) faults: HashMap<String, VecDeque<Fault>>,
    /// Messages that cannot be updated just now.
    pub(super) stuck: BTreeSet<String>,
    /// People to whom no direct message can be sent just now.
    pub(super) unreachable: BTreeSet<String>,
    /// Messages that can never be updated again.
    pub(super) closed: BTreeSet<String>,
    pub(super) scopes: BTreeSet<String>,
    pub(super) down: bool,
    pub(super) limits: Limits,
    last_ts: (i64, u32),
    last_id: u64,
}

/// A channel, or a direct message of the app's with one person.
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) with: Option<String>,
    pub(super) members: BTreeSet<String>,
    /// With whom else, of other workspaces.
    pub(super) shared: Option<Sharing>,
    /// Nothing can be posted or changed any more.
    pub(super) archived: bool,
    pub(super) messages: Vec<Message>,
}

/// Whom a channel is shared with. Follows the flags of Slack's “conversation object”.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sharing {
    /// Another workspace of the same organisation (`is_org_shared`).
    Organisation,
    /// Another organisation (`is_ext_shared`).
    External,
    /// Another organisation, which has not accepted yet (`is_pending_ext_shared`).
    Invited,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) ts: String,
    pub(super) thread_ts: Option<String>,
    pub(super) user: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Value>,
    /// As the Web API gives them.
    pub(super) files: Vec<Value>,
    pub(super) metadata: Value,
    pub(super) edited: bool,
    /// Ephemeral: only this person sees it.
    pub(super) only_for: Option<String>,
}

/// Opens one modal, within three seconds.
pub(super) struct Trigger {
    pub(super) user: String,
    pub(super) made: Instant,
    pub(super) used: bool,
}

/// Where a `response_url` leads, and how often it has been used.
pub(super) struct Answers {
    pub(super) user: String,
    pub(super) channel: String,
    /// The message that was acted on.
    pub(super) message_ts: Option<String>,
    pub(super) made_at: DateTime<Utc>,
    pub(super) uses: u32,
}

impl State {
    pub(super) fn demo() -> Self {
        let people = people::demo();
        let everybody: BTreeSet<String> = people.iter().map(|p| p.id.to_owned()).collect();
        let inside = people.iter().filter(|p| !p.is_guest()).map(|p| p.id.to_owned()).collect();
        let channel = |id: &str, name: &str, members| Channel {
            id: id.to_owned(),
            name: name.to_owned(),
            with: None,
            members,
            shared: None,
            archived: false,
            messages: Vec::new(),
        };
        Self {
            people,
            channels: vec![channel(WAR_ROOM, "war-room", inside), channel(GENERAL, "general", everybody)],
            views: BTreeMap::new(),
            triggers: HashMap::new(),
            answers: HashMap::new(),
            tickets: HashMap::new(),
            files: Vec::new(),
            toasts: BTreeMap::new(),
            notifications: BTreeMap::new(),
            journal: Vec::new(),
            deliveries: Vec::new(),
            faults: HashMap::new(),
            groups: BTreeMap::new(),
            stuck: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            closed: BTreeSet::new(),
            scopes: SCOPES.iter().map(|s| (*s).to_owned()).collect(),
            down: false,
            limits: Limits::default(),
            last_ts: (0, 0),
            last_id: 0,
        }
    }

    pub(super) fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|p| p.id == id)
    }

    pub(super) fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.iter().find(|c| c.id == id)
    }

    pub(super) fn channel_mut(&mut self, id: &str) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|c| c.id == id)
    }

    /// The app's direct message with a person, opened when it is first used.
    pub(super) fn direct_message(&mut self, user: &str) -> Option<String> {
        self.person(user)?;
        let id = format!("D{}", &user[1..]);
        if self.channel(&id).is_none() {
            self.channels.push(Channel {
                id: id.clone(),
                name: "irp".to_owned(),
                with: Some(user.to_owned()),
                members: [user.to_owned(), BOT_USER.to_owned()].into(),
                shared: None,
                archived: false,
                messages: Vec::new(),
            });
        }
        Some(id)
    }

    /// A message's name: unique, and in the order of posting.
    pub(super) fn next_ts(&mut self, clock: &Clock) -> String {
        let second = clock.now().timestamp().max(self.last_ts.0);
        let part = if second == self.last_ts.0 { self.last_ts.1 + 1 } else { 1 };
        self.last_ts = (second, part);
        format!("{second}.{part:06}")
    }

    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.last_id += 1;
        format!("{prefix}{:08X}{}", self.last_id, hex::encode(rand::random::<[u8; 4]>()).to_uppercase())
    }

    pub(super) fn toast(&mut self, user: &str, text: &str, clock: &Clock) {
        let id = self.next_id("toast");
        let toasts = self.toasts.entry(user.to_owned()).or_default();
        toasts.push(json!({"id": id, "text": text, "at": clock.now()}));
        if toasts.len() > TOASTS_MAX {
            toasts.remove(0);
        }
    }

    /// What a person sees.
    pub(super) fn snapshot(&self, person: &str, seq: u64, clock: &Clock, terminal: &Terminal) -> Value {
        let Some(me) = self.person(person) else { return Value::Null };
        let channels: Vec<Value> =
            self.channels.iter().filter(|c| c.members.contains(person)).map(|c| c.shown(person)).collect();
        let modal = self.views.get(person).and_then(|stack| stack.last()).map_or(Value::Null, super::views::shown);
        json!({
            "seq": seq, "now": clock.now(), "speed": clock.speed(), "team": {"id": TEAM, "name": "Sandbox"},
            "me": me.shown(), "people": self.people.iter().map(Person::shown).collect::<Vec<_>>(),
            "channels": channels, "modal": modal, "toasts": self.toasts.get(person).cloned().unwrap_or_default(),
            "attacker": terminal.lines(),
        })
    }
}

impl Channel {
    pub(super) fn message(&self, ts: &str) -> Option<&Message> {
        self.messages.iter().find(|m| m.ts == ts)
    }

    /// A message as the Web API and clicks give it: the first of a thread carries its own name, and how many follow.
    pub(super) fn api(&self, message: &Message, with_metadata: bool) -> Value {
        let mut shown = message.api(with_metadata);
        let replies = self.replies(&message.ts);
        if replies > 0 {
            shown["thread_ts"] = json!(message.ts);
            shown["reply_count"] = json!(replies);
        }
        shown
    }

    /// Deletes a message. Of one that has a thread a tombstone stays, which is Slack's own. `false` when there is none.
    pub(super) fn delete(&mut self, ts: &str) -> bool {
        let has_thread = self.replies(ts) > 0;
        let Some(at) = self.messages.iter().position(|m| m.ts == ts) else { return false };
        if has_thread {
            let message = &mut self.messages[at];
            SLACKBOT.clone_into(&mut message.user);
            "This message was deleted.".clone_into(&mut message.text);
            (message.blocks, message.files, message.metadata) = (Vec::new(), Vec::new(), Value::Null);
        } else {
            self.messages.remove(at);
        }
        true
    }

    fn replies(&self, ts: &str) -> usize {
        self.messages
            .iter()
            .filter(|m| m.only_for.is_none() && m.ts != ts && m.thread_ts.as_deref() == Some(ts))
            .count()
    }

    fn shown(&self, person: &str) -> Value {
        let seen = self.messages.iter().filter(|m| m.only_for.as_deref().is_none_or(|only| only == person));
        let messages: Vec<Value> = seen
            .map(|m| {
                json!({
                    "ts": m.ts, "thread_ts": m.thread_ts, "user": m.user, "text": m.text, "blocks": m.blocks,
                    "edited": m.edited, "ephemeral": m.only_for.is_some(), "reply_count": self.replies(&m.ts), "files": m.files,
                })
            })
            .collect();
        json!({
            "id": self.id, "name": self.name, "kind": if self.with.is_some() { "im" } else { "channel" }, "topic": "",
            "with": self.with, "messages": messages,
        })
    }
}

impl Message {
    /// As the Web API gives it. Metadata comes only when it is asked for.
    pub(super) fn api(&self, with_metadata: bool) -> Value {
        let mut message = json!({
            "type": "message", "ts": self.ts, "user": self.user, "text": self.text, "blocks": self.blocks, "team": TEAM,
        });
        if !self.files.is_empty() {
            message["files"] = json!(self.files);
        }
        if let Some(thread) = &self.thread_ts {
            message["thread_ts"] = json!(thread);
        }
        if self.user == SLACKBOT {
            message["subtype"] = json!("tombstone");
            message["hidden"] = json!(true);
        }
        if self.user == BOT_USER {
            message["bot_id"] = json!(people::BOT_ID);
            message["app_id"] = json!(people::APP);
        }
        if with_metadata && !self.metadata.is_null() {
            message["metadata"] = self.metadata.clone();
        }
        message
    }
}
