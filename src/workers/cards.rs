//! Brings Slack in line with state: post, edit, or leave alone. Slack is a view: whatever went wrong
//! with it, the next pass mends it.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BATCH_MAX, Workers};
use crate::domain::approval::Digest;
use crate::domain::id::IncidentId;
use crate::ports::{CardKey, ChatError, Message, Posted, StoreError, Work, WorkItem};
use crate::view::{ANNOUNCEMENT, Card, cards};

/// After so long, a post that was begun and never finished has an unknown outcome, and is looked for.
const POSTING_MAX: TimeDelta = TimeDelta::seconds(30);
/// How long Slack's 429s are waited out for one message before the pass is given up.
const RATE_WAITS_MAX: u32 = 10;
/// Wait before the next pass when Slack is away.
const SLACK_WAIT: Duration = Duration::from_secs(2);

pub(super) async fn run(workers: Workers, shutdown: CancellationToken, tasks: TaskTracker) {
    while !shutdown.is_cancelled() {
        match workers.store.take_work(Work::Cards, BATCH_MAX).await {
            Ok(items) => {
                for (incident, items) in by_incident(&items) {
                    let workers = workers.clone();
                    tasks.spawn(async move { workers.cards_items(incident, items).await });
                }
            }
            Err(error) => workers.store_failed("cards", &error).await,
        }
    }
}

fn by_incident(items: &[WorkItem]) -> Vec<(IncidentId, Vec<WorkItem>)> {
    let ids: BTreeSet<IncidentId> = items.iter().map(|i| i.incident).collect();
    ids.into_iter().map(|id| (id, items.iter().filter(|i| i.incident == id).cloned().collect())).collect()
}

/// Why a pass ended before everything was in line.
enum Unfinished {
    /// Slack is away or too slow.
    Chat(ChatError),
    /// The store is.
    Store(StoreError),
    /// Another process is posting something.
    Waiting,
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Workers {
    /// Takes one batch and brings each incident's cards in line. Returns how many items there were.
    pub async fn cards_step(&self) -> Result<usize, StoreError> {
        let items = self.store.take_work(Work::Cards, BATCH_MAX).await?;
        let taken = items.len();
        futures_util::future::join_all(by_incident(&items).into_iter().map(|(id, items)| self.cards_items(id, items)))
            .await;
        Ok(taken)
    }

    async fn cards_items(&self, id: IncidentId, items: Vec<WorkItem>) {
        let again = match self.carding.enter(id) {
            None => true,
            Some(_guard) => match self.reconcile(id).await {
                Ok(()) => false,
                Err(unfinished) => {
                    match unfinished {
                        Unfinished::Chat(error) => {
                            tracing::warn!(incident.id = %id, %error, "Slack is not in line yet; trying again");
                            self.metrics.failed("cards");
                        }
                        Unfinished::Store(error) => {
                            tracing::warn!(incident.id = %id, %error, "cards wait for the store");
                            self.metrics.failed("cards");
                        }
                        Unfinished::Waiting => {}
                    }
                    true
                }
            },
        };
        if again {
            tokio::time::sleep(if items.is_empty() { SLACK_WAIT } else { SLACK_WAIT / 4 }).await;
            if self.store.put_work(Work::Cards, id).await.is_err() {
                // Not ticked off: the items come back by themselves.
                return;
            }
        }
        for item in items {
            if let Err(error) = self.store.work_done(Work::Cards, &item.token).await {
                tracing::warn!(incident.id = %id, %error, "finished cards could not be ticked off; they are looked at again");
            }
        }
    }

    async fn reconcile(&self, id: IncidentId) -> Result<(), Unfinished> {
        let records = self.store.load(id).await?;
        let posted = self.store.cards(id).await?;
        let mut thread = posted.get(ANNOUNCEMENT).and_then(|p| p.ts.clone());
        for card in cards(&records, self.engine.playbook(), self.engine.policy()) {
            let hash = Digest::of(&(&card.message.text, &card.message.blocks)).short().to_owned();
            let ts = match posted.get(&card.slot) {
                Some(Posted { ts: Some(ts), hash: shown, channel, .. }) => {
                    if *shown != hash {
                        self.edit(id, &card, channel, ts, &hash).await?;
                    }
                    ts.clone()
                }
                Some(begun) => self.resume(id, &card, begun, thread.as_deref(), &hash).await?,
                None => self.post(id, &card, thread.as_deref(), &hash).await?,
            };
            if card.slot == ANNOUNCEMENT {
                thread = Some(ts);
            }
        }
        Ok(())
    }

    /// A post that somebody began: still at it, or dead with an unknown outcome.
    async fn resume(
        &self,
        id: IncidentId,
        card: &Card,
        begun: &Posted,
        thread: Option<&str>,
        hash: &str,
    ) -> Result<String, Unfinished> {
        if self.wall.now() - begun.at < POSTING_MAX {
            return Err(Unfinished::Waiting);
        }
        let key = CardKey { incident: id, slot: card.slot.clone() };
        let found = self.chat.find(&begun.channel, thread, &key).await.map_err(Unfinished::Chat)?;
        if let Some(ts) = found {
            self.put(id, &card.slot, Some(ts.clone()), &begun.hash).await?;
            return Ok(ts);
        }
        self.store.drop_card(id, &card.slot).await?;
        self.post(id, card, thread, hash).await
    }

    async fn post(&self, id: IncidentId, card: &Card, thread: Option<&str>, hash: &str) -> Result<String, Unfinished> {
        let begun = Posted { channel: self.war_room.clone(), ts: None, hash: hash.to_owned(), at: self.wall.now() };
        if !self.store.claim_card(id, &card.slot, &begun).await? {
            return Err(Unfinished::Waiting);
        }
        let key = CardKey { incident: id, slot: card.slot.clone() };
        let mut waits = 0;
        loop {
            match self.chat.post(&self.war_room, thread, &key, &card.message).await {
                Ok(ts) => {
                    self.put(id, &card.slot, Some(ts.clone()), hash).await?;
                    return Ok(ts);
                }
                Err(ChatError::RateLimited(wait)) if waits < RATE_WAITS_MAX => {
                    waits += 1;
                    // Still at it, however long Slack makes it wait.
                    self.put(id, &card.slot, None, hash).await?;
                    tokio::time::sleep(wait).await;
                }
                Err(error @ ChatError::Unavailable(_)) => {
                    // It may have been posted: the next pass looks for it before it posts again.
                    let long_ago = Posted { at: begun.at - POSTING_MAX, ..begun };
                    self.store.put_card(id, &card.slot, &long_ago).await?;
                    return Err(Unfinished::Chat(error));
                }
                Err(error) => {
                    self.store.drop_card(id, &card.slot).await?;
                    return Err(Unfinished::Chat(error));
                }
            }
        }
    }

    async fn edit(
        &self,
        id: IncidentId,
        card: &Card,
        channel: &crate::domain::id::ChannelId,
        ts: &str,
        hash: &str,
    ) -> Result<(), Unfinished> {
        let key = CardKey { incident: id, slot: card.slot.clone() };
        match self.update(channel, ts, &key, &card.message).await {
            Ok(()) => self.put(id, &card.slot, Some(ts.to_owned()), hash).await,
            Err(ChatError::Refused(code)) if code.starts_with("message_not_found") => {
                // Somebody deleted it: it is posted anew on the next pass.
                self.store.drop_card(id, &card.slot).await?;
                Err(Unfinished::Waiting)
            }
            Err(ChatError::Refused(code))
                if code.starts_with("edit_window_closed") || code.starts_with("cant_update") =>
            {
                tracing::warn!(incident.id = %id, card.slot = %card.slot, slack.error = %code, "a card can no longer be edited");
                self.put(id, &card.slot, Some(ts.to_owned()), hash).await
            }
            Err(error) => Err(Unfinished::Chat(error)),
        }
    }

    async fn update(
        &self,
        channel: &crate::domain::id::ChannelId,
        ts: &str,
        key: &CardKey,
        message: &Message,
    ) -> Result<(), ChatError> {
        let mut waits = 0;
        loop {
            match self.chat.update(channel, ts, key, message).await {
                Err(ChatError::RateLimited(wait)) if waits < RATE_WAITS_MAX => {
                    waits += 1;
                    tokio::time::sleep(wait).await;
                }
                other => return other,
            }
        }
    }

    async fn put(&self, id: IncidentId, slot: &str, ts: Option<String>, hash: &str) -> Result<(), Unfinished> {
        let posted = Posted { channel: self.war_room.clone(), ts, hash: hash.to_owned(), at: self.wall.now() };
        Ok(self.store.put_card(id, slot, &posted).await?)
    }
}
