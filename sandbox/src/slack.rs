//! A Slack workspace on loopback: its Web API, its signed deliveries over HTTP or Socket Mode, and a
//! way for people (a page, or a test) to act in it. Strict where Slack is: limits, error codes, the
//! three-second acknowledgement, one-time triggers, answer addresses that run out, 429s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::{any, get, post};
use serde_json::Value;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::terminal::Terminal;

mod acts;
pub(crate) mod block_kit;
mod client_api;
mod delivery;
mod files;
mod limits;
mod mentions;
mod methods;
mod people;
mod response_url;
mod socket;
mod state;
mod views;
mod web_api;

pub use delivery::DeliveryRecord;
pub use files::File;
use people::Person;
pub use people::UserFlag;
pub use state::Sharing;
pub use web_api::{ApiCall, Fault};

use state::State;

/// How the app gets what happens.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// By signed requests to `{base_url}/slack/commands`, `/slack/interactions` and `/slack/events`.
    Http {
        /// Without a slash at its end.
        base_url: String,
    },
    /// By the web sockets that the app opens.
    Socket,
}

/// What a workspace starts with.
#[derive(Clone, Debug)]
pub struct WorkspaceConfig {
    /// Shown times. Triggers, acknowledgements and signatures go by real time.
    pub clock: Clock,
    /// The attacker's terminal, shown beside the channels.
    pub terminal: Terminal,
    /// Signs deliveries.
    pub signing_secret: String,
    /// `xoxb-…`
    pub bot_token: String,
    /// `xapp-…`
    pub app_token: String,
    /// How the app gets what happens.
    pub delivery: Delivery,
}

/// A workspace. Clones share it.
#[derive(Clone)]
pub struct Workspace(Arc<Inner>);

struct Inner {
    config: WorkspaceConfig,
    delivery: Mutex<Delivery>,
    own_url: Mutex<String>,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    sockets: socket::Hub,
}

impl Workspace {
    /// The demonstration workspace: six people, an app, `#war-room` and `#general`.
    #[must_use]
    pub fn demo(config: WorkspaceConfig) -> Self {
        Self(Arc::new(Inner {
            delivery: Mutex::new(config.delivery.clone()),
            own_url: Mutex::default(),
            state: Mutex::new(State::demo()),
            changes: watch::Sender::new(0),
            sockets: socket::Hub::default(),
            config,
        }))
    }

    /// Everything that the workspace serves, but for the page.
    #[allow(clippy::disallowed_methods, reason = "only passes on that the terminal has a new line")]
    pub fn router(&self) -> Router {
        let router = Router::new()
            .route("/api/{method}", any(web_api::serve))
            .route("/response/{id}", post(response_url::serve))
            .route("/socket/{ticket}", get(socket::serve))
            .route("/upload/v1/{ticket}", post(files::take))
            .route("/files/{user}/{id}/{name}", get(files::serve))
            .route("/sandbox/state", get(client_api::state))
            .route("/sandbox/events", get(client_api::events))
            .route("/sandbox/command", post(client_api::command))
            .route("/sandbox/message", post(client_api::message))
            .route("/sandbox/click", post(client_api::click))
            .route("/sandbox/view/submit", post(client_api::view_submit))
            .route("/sandbox/view/close", post(client_api::view_close))
            .with_state(self.clone());
        let (workspace, terminal) = (self.clone(), self.0.config.terminal.clone());
        tokio::spawn(async move {
            loop {
                terminal.changed().await;
                workspace.touch();
            }
        });
        router
    }

    /// Where this workspace is served: answer addresses and sockets lie there. To be called before use.
    pub fn set_own_url(&self, url: String) {
        *lock(&self.0.own_url) = url;
    }

    /// Changes how the app gets what happens.
    pub fn set_delivery(&self, delivery: Delivery) {
        *lock(&self.0.delivery) = delivery;
    }

    /// The app's bot token.
    #[must_use]
    pub fn bot_token(&self) -> &str {
        &self.0.config.bot_token
    }

    /// Every Web API call so far.
    #[must_use]
    pub fn journal(&self) -> Vec<ApiCall> {
        self.lock().journal.clone()
    }

    /// Every delivery to the app so far.
    #[must_use]
    pub fn deliveries(&self) -> Vec<DeliveryRecord> {
        self.lock().deliveries.clone()
    }

    /// Every file that has been shared, oldest first.
    #[must_use]
    pub fn files(&self) -> Vec<File> {
        self.lock().files.iter().filter_map(files::Stored::shown).collect()
    }

    /// Makes the next call of a method go wrong, the next `upload` of a file's bytes, or (with a status) the next use of a
    /// `response_url`. Several are queued.
    pub fn fail_next(&self, method: &str, fault: Fault) {
        self.lock().faults.entry(method.to_owned()).or_default().push_back(fault);
    }

    /// While down, every Web API call answers 503.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Archives a channel, or brings it back.
    pub fn set_archived(&self, channel: &str, archived: bool) {
        if let Some(channel) = self.lock().channel_mut(channel) {
            channel.archived = archived;
        }
    }

    /// Keeps a message from being updated (`update_failed`), or ends that.
    pub fn set_stuck(&self, ts: &str, stuck: bool) {
        let mut state = self.lock();
        if stuck {
            state.stuck.insert(ts.to_owned());
        } else {
            state.stuck.remove(ts);
        }
    }

    /// Keeps direct messages to somebody from being sent (`fatal_error`), or ends that.
    pub fn set_unreachable(&self, user: &str, unreachable: bool) {
        let mut state = self.lock();
        if unreachable {
            state.unreachable.insert(user.to_owned());
        } else {
            state.unreachable.remove(user);
        }
    }

    /// Keeps a message from ever being updated again (`edit_window_closed`).
    pub fn close_edit_window(&self, ts: &str) {
        self.lock().closed.insert(ts.to_owned());
    }

    /// An administrator deletes a message. `false` when there is none.
    pub fn delete_message(&self, channel: &str, ts: &str) -> bool {
        let deleted = self.lock().channel_mut(channel).is_some_and(|channel| channel.delete(ts));
        self.touch();
        deleted
    }

    /// Turns the rate limits off, for a test of something else.
    pub fn set_rate_limits(&self, on: bool) {
        self.lock().limits.set_on(on);
    }

    /// Takes a scope from the app, or gives it back.
    pub fn set_scope(&self, scope: &str, granted: bool) {
        let mut state = self.lock();
        if granted {
            state.scopes.insert(scope.to_owned());
        } else {
            state.scopes.remove(scope);
        }
    }

    /// Makes a user group, or changes who is in it; `None` deletes it.
    pub fn set_group(&self, group: &str, members: Option<&[&str]>) {
        let mut state = self.lock();
        match members {
            Some(members) => {
                let members = members.iter().map(ToString::to_string).collect();
                state.groups.insert(group.to_owned(), members);
            }
            None => {
                state.groups.remove(group);
            }
        }
    }

    /// Somebody joins the workspace, and the war room.
    pub fn join(&self, user: &'static str, name: &'static str) {
        let mut state = self.lock();
        state.people.push(Person::member(user, name));
        for channel in state.channels.iter_mut().filter(|channel| channel.with.is_none()) {
            channel.members.insert(user.to_owned());
        }
    }

    /// Takes somebody out of a channel. Nothing happens when there is no such channel.
    pub fn leave(&self, user: &str, channel: &str) {
        if let Some(channel) = self.lock().channel_mut(channel) {
            channel.members.remove(user);
        }
    }

    /// Shares a channel with others, or ends that. Nothing happens when there is no such channel.
    pub fn share(&self, channel: &str, with: Option<Sharing>) {
        if let Some(channel) = self.lock().channel_mut(channel) {
            channel.shared = with;
        }
    }

    /// Changes what `users.info` says of somebody.
    pub fn set_user_flag(&self, user: &str, flag: UserFlag, on: bool) {
        if let Some(person) = self.lock().people.iter_mut().find(|p| p.id == user) {
            person.set(flag, on);
        }
    }

    /// What a person sees, as `/sandbox/state` gives it.
    #[must_use]
    pub fn state(&self, person: &str) -> Value {
        let seq = *self.0.changes.borrow();
        let config = &self.0.config;
        self.lock().snapshot(person, seq, &config.clock, &config.terminal)
    }

    /// Resolves when anything has changed after `seq`, and gives the new number.
    pub async fn changed_after(&self, seq: u64) -> u64 {
        let mut changes = self.0.changes.subscribe();
        // The sender lives in this workspace, so waiting cannot fail.
        changes.wait_for(|now| *now > seq).await.map_or(seq, |now| *now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    fn own_url(&self) -> String {
        lock(&self.0.own_url).clone()
    }

    fn touch(&self) {
        self.0.changes.send_modify(|seq| *seq += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
