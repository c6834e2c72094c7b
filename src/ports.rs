//! What the engine needs from outside, as roles. Each comes with the errors that its caller can do
//! something about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::domain::id::{ChannelId, GroupId, IncidentId, UserId};
use crate::domain::policy::Standing;
use crate::domain::stored::Record;

pub use cloud::{Cloud, CloudError, NO_USER, Session, TOO_LATE, Term};
pub use inventory::{Look, Stocktaking};
pub use logs::{LogArchive, Progress, RowsPage};
pub use trail::{EventHistory, Of, Page, PageRead, SEARCH_LEASE, Searched, Trail, TrailStore};

mod cloud;
mod inventory;
mod logs;
mod trail;

/// The time that rules go by.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Lets so much time pass: real time, for every clock that runs beside it.
    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The store could not do it. Nothing is decided and nothing executes without it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It did not answer, or not in time: whether a write happened is not known. Try again later.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// What it holds cannot be read. Trying again does not help.
    #[error("the store holds something unreadable: {0}")]
    Unreadable(String),
}

/// An append that did not happen.
#[derive(Debug, Error)]
pub enum AppendError {
    /// Somebody else was faster: load again and decide anew.
    #[error("the log has moved on")]
    Conflict,
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The answer to a claim on correlation keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The incident that the keys lead to.
    pub incident: IncidentId,
    /// Whether its number was handed out by this very claim.
    pub new: bool,
}

/// The logs of all incidents, and the index that leads to them.
#[async_trait]
pub trait IncidentLog: Send + Sync {
    /// All records of an incident, oldest first; none when it does not exist.
    async fn load(&self, id: IncidentId) -> Result<Vec<Record>, StoreError>;

    /// Appends in one atomic step, if the log has exactly `expected` records. The same step notes when
    /// the incident is next due (or that it is not) and puts it on the work queue of every [`Work`].
    async fn append(
        &self,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        next_due_at: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError>;

    /// The incident that any of these keys leads to; all of them lead to it from then on. When none
    /// does, a new number is handed out. Atomic: of two claims at once, one is new.
    async fn claim(&self, keys: &[String]) -> Result<Claim, StoreError>;

    /// Frees all keys of an incident and takes it off the list of open ones. Harmless when repeated.
    async fn retire(&self, id: IncidentId) -> Result<(), StoreError>;

    /// Frees all keys of an incident that stays on the list: nobody can read it, and what is about the same credential needs
    /// another. Harmless when repeated.
    async fn free_keys(&self, id: IncidentId) -> Result<(), StoreError>;

    /// Claimed and not retired, newest first, at most `limit`.
    async fn open_incidents(&self, limit: usize) -> Result<Vec<IncidentId>, StoreError>;
}

/// Which deliveries from outside: each lane has workers of its own, so that a burst of alerts never
/// holds up a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Lane {
    /// Alert webhooks.
    Alerts,
    /// Slack.
    Slack,
}

/// One accepted delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Names it to [`Inbox::done`].
    pub token: String,
    /// What was put.
    pub body: String,
}

/// Deliveries that were accepted but not worked off yet. Durable before the sender gets its answer.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Keeps a delivery. `false` when one with this key was kept in the last ten minutes.
    async fn put(&self, lane: Lane, dedup_key: &str, body: &str) -> Result<bool, StoreError>;

    /// Up to `max` deliveries that nobody works on, or whose worker has been silent for
    /// [`TAKEOVER_AFTER`]. Waits up to a second for the first.
    async fn take(&self, lane: Lane, max: usize) -> Result<Vec<Delivery>, StoreError>;

    /// Says that a delivery is still being worked on, so that nobody takes it over.
    async fn hold(&self, lane: Lane, token: &str) -> Result<(), StoreError>;

    /// Forgets a delivery.
    async fn done(&self, lane: Lane, token: &str) -> Result<(), StoreError>;

    /// Takes a delivery out of its lane that cannot be read, and keeps it with the reason until somebody has looked: the
    /// newest [`SET_ASIDE_MAX`] of all. Harmless when repeated.
    async fn set_aside(&self, lane: Lane, token: &str, why: &str) -> Result<(), StoreError>;

    /// How many deliveries have been set aside and wait for somebody to look.
    async fn aside(&self) -> Result<usize, StoreError>;
}

/// Deliveries that are kept though nobody can read them.
pub const SET_ASIDE_MAX: usize = 200;

/// After so long without a word, a worker is taken for dead and its work is handed to another.
pub const TAKEOVER_AFTER: Duration = Duration::from_secs(15);

/// How long one process has an incident's messages for itself without a word. Shorter than
/// [`TAKEOVER_AFTER`]: whoever takes over a dead process's work finds its lease ended.
pub const CARDS_LEASE: Duration = Duration::from_secs(8);

/// What is to be done about an incident whose log has grown or whose time has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Work {
    /// Run what is owed.
    Effects,
    /// Bring Slack in line.
    Cards,
}

/// An incident that needs attention.
#[derive(Clone, Debug)]
pub struct WorkItem {
    /// Names it to [`WorkQueue::work_done`].
    pub token: String,
    /// The incident.
    pub incident: IncidentId,
}

/// The outbox: filled by [`IncidentLog::append`] and by the clock, shared by all replicas.
#[async_trait]
pub trait WorkQueue: Send + Sync {
    /// Like [`Inbox::take`].
    async fn take_work(&self, work: Work, max: usize) -> Result<Vec<WorkItem>, StoreError>;

    /// Like [`Inbox::hold`].
    async fn hold_work(&self, work: Work, token: &str) -> Result<(), StoreError>;

    /// Forgets an item.
    async fn work_done(&self, work: Work, token: &str) -> Result<(), StoreError>;

    /// Puts an incident on one queue by hand: to try again, or to bring cards in line.
    async fn put_work(&self, work: Work, incident: IncidentId) -> Result<(), StoreError>;

    /// Puts incidents whose due time is not after `now` on the effects queue. Their due time moves by
    /// [`TAKEOVER_AFTER`], so that they are looked at again until an append says what is due next: clocks
    /// of replicas differ, and what one finds due may not be due for the one that looks. Returns how many.
    async fn wake_due(&self, now: DateTime<Utc>) -> Result<usize, StoreError>;
}

/// Names one message of an incident: `announcement`, `evidence`, `step:…`, `note:…`; or a file, `plan:…`.
pub type Slot = String;

/// A message that stands in Slack, or is being posted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// The channel.
    pub channel: ChannelId,
    /// Slack's name for the message, a file's address; absent while it is being posted.
    pub ts: Option<String>,
    /// Hash of what it shows.
    pub hash: String,
    /// When this was written down.
    pub at: DateTime<Utc>,
    /// The copy before it, which could not be changed any more and still stands there: it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Copies before it that could not be changed any more and still stand there with their buttons, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// When a copy to one person was begun that can stand there too, and whose name the bot never heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<DateTime<Utc>>,
}

/// Where the messages of each incident stand. Slack is a view: losing this loses no decision.
#[async_trait]
pub trait CardStore: Send + Sync {
    /// All messages of an incident.
    async fn cards(&self, id: IncidentId) -> Result<BTreeMap<Slot, Posted>, StoreError>;

    /// Makes `holder` the only one that brings this incident's messages in line, for [`CARDS_LEASE`]; again
    /// by the same holder to go on. `false` when another is at it, who will see all that is in the log by
    /// now, unless they die.
    async fn lease_cards(&self, id: IncidentId, holder: &str) -> Result<bool, StoreError>;

    /// Ends a lease, if the log still has the `version` records that were brought in line. `false` when it
    /// has more: look again.
    async fn release_cards(&self, id: IncidentId, holder: &str, version: u64) -> Result<bool, StoreError>;

    /// Writes down where a slot stands.
    async fn put_card(&self, id: IncidentId, slot: &str, posted: &Posted) -> Result<(), StoreError>;

    /// Forgets a slot, so that it can be posted again.
    async fn drop_card(&self, id: IncidentId, slot: &str) -> Result<(), StoreError>;
}

/// All that one store gives.
#[async_trait]
pub trait Store: IncidentLog + Inbox + WorkQueue + CardStore + TrailStore {
    /// Whether it answers, for readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Settings under which it could lose what it was given, a sentence each; none when it is safe.
    async fn durability_faults(&self) -> Result<Vec<String>, StoreError>;
}

/// One message: what screen readers and notifications use, and what is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The whole message in words, escaped.
    pub text: String,
    /// Block Kit blocks.
    pub blocks: Vec<Value>,
}

/// A text that is put into a thread as a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextFile {
    /// As it is saved.
    pub name: String,
    /// As it is shown.
    pub title: String,
    /// What it says.
    pub text: String,
}

/// Where a person's answer goes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Who.
    pub user: UserId,
    /// Slack's one-time address for answers to this act; good for 30 minutes and five uses.
    pub response_url: Option<String>,
    /// Where to say it when there is no such address: only they see it.
    pub channel: Option<ChannelId>,
    /// In which thread.
    pub thread_ts: Option<String>,
}

/// Slack did not do it.
#[derive(Clone, Debug, Error)]
pub enum ChatError {
    /// Too fast. Not done.
    #[error("Slack asks to wait {} s", .0.as_secs())]
    RateLimited(Duration),
    /// Not reached, or an error of Slack's own. Whether it was done is not known.
    #[error("Slack does not answer: {0}")]
    Unavailable(String),
    /// Slack said no, with its error code. Trying the same again does not help.
    #[error("Slack refused: {0}")]
    Refused(String),
}

/// Where Slack has put a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The channel: for a person, that of their direct messages.
    pub channel: ChannelId,
    /// Slack's name for the message.
    pub ts: String,
}

/// What a turn is waited for.
#[derive(Clone, Copy, Debug)]
pub enum Turn<'a> {
    /// A new message in this channel, or to this person.
    Post(&'a str),
    /// An edit.
    Edit,
}

/// Who goes first when Slack's pace is the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Urgency {
    /// Somebody is at work on it.
    Now,
    /// It only informs.
    InTurn,
}

/// Slack, outwards.
#[async_trait]
pub trait Chat: Send + Sync {
    /// Waits until a message may be posted to this channel, or edited: Slack takes so many, and what is
    /// urgent goes before what is not.
    async fn turn(&self, to: Turn<'_>, urgency: Urgency);

    /// Posts a message to a channel or a person, with the slot in its metadata, and returns where it stands.
    async fn post(
        &self,
        channel: &str,
        thread_ts: Option<&str>,
        key: &CardKey,
        message: &Message,
    ) -> Result<Place, ChatError>;

    /// Replaces a message.
    async fn update(&self, channel: &ChannelId, ts: &str, key: &CardKey, message: &Message) -> Result<(), ChatError>;

    /// Finds a message by the slot in its metadata, among those since `since` and newer than the message `after`, after a
    /// post whose outcome is not known.
    async fn find(
        &self,
        channel: &ChannelId,
        thread_ts: Option<&str>,
        key: &CardKey,
        since: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Option<String>, ChatError>;

    /// Puts a file into a thread, and returns its address for people. Done again, it stands there twice.
    async fn upload(&self, channel: &ChannelId, thread_ts: &str, file: &TextFile) -> Result<String, ChatError>;

    /// Says something to one person.
    async fn tell(&self, to: &ReplyTo, message: &Message) -> Result<(), ChatError>;

    /// Who is in a channel, at most a minute old: nobody else is notified of a mention there.
    async fn present(&self, channel: &ChannelId) -> Result<BTreeSet<UserId>, ChatError>;

    /// The address of a message, for people.
    async fn link(&self, channel: &ChannelId, ts: &str) -> Result<String, ChatError>;

    /// Whether a workspace and an organisation, as Slack names them with a press, can be those that the bot is in.
    async fn is_home(&self, team: Option<&str>, enterprise: Option<&str>) -> Result<bool, ChatError>;

    /// Opens a modal. The trigger is good for three seconds, once.
    async fn open_view(&self, trigger_id: &str, view: &Value) -> Result<(), ChatError>;
}

/// What a message is, in its metadata.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardKey {
    /// The incident.
    pub incident: IncidentId,
    /// The slot.
    pub slot: Slot,
}

/// Who people are.
#[async_trait]
pub trait Directory: Send + Sync {
    /// What Slack said about an account at most a few seconds ago; [`Standing::Unknown`] when it knows none or leaves
    /// something out.
    async fn standing(&self, user: &UserId) -> Result<Standing, ChatError>;

    /// The same, as Slack says now: what a change in AWS hangs on.
    async fn standing_now(&self, user: &UserId) -> Result<Standing, ChatError> {
        self.standing(user).await
    }

    /// The members of a user group, at most a minute old.
    async fn members(&self, group: &GroupId) -> Result<BTreeSet<UserId>, ChatError>;
}

/// An evidence pack, ready to be stored.
#[derive(Clone, Debug)]
pub struct Pack<'a> {
    /// Its files by their path with `/`, but for the list of them. Given away: one can be a quarter of a gigabyte.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The path of the list, and what it says.
    pub manifest: (&'a str, &'a [u8]),
}

/// A pack is not stored as a whole. What has been written of it has no manifest, and stays.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Something lies there already, and has been left as it is. Store it under another name.
    #[error("{0} exists already: a pack is never written over")]
    Exists(String),
    /// The vault is not what it has to be, or says no. Trying again does not help before a person has put that
    /// right.
    #[error("{0}")]
    Refused(String),
    /// Not reached, too busy, or without an answer. Trying again under another name can help.
    #[error("{0}")]
    Unavailable(String),
}

/// Where evidence packs go. Nothing in it is ever overwritten.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Stores a pack under a name that has to be new, the manifest last: a pack without one was not finished.
    /// Says in words where it lies, once it has been read back from there.
    async fn store(&self, name: &str, pack: Pack<'_>) -> Result<String, VaultError>;

    /// Says in words what the vault is and how it keeps packs. Leaves nothing behind.
    async fn inspect(&self) -> Result<String, VaultError>;
}
