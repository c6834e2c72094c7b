//! Brings Slack in line with state: post, edit, or leave alone. Slack is a view: whatever went wrong
//! with it, the next look mends it.
//!
//! One process at a time is at an incident's messages, by a lease in the store; it gives the lease back
//! only when the log has not grown since its last look. So whoever finds the lease taken can leave, and
//! an older state never overwrites a newer one.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BATCH_MAX, Workers, holding};
use crate::domain::approval::Digest;
use crate::domain::id::IncidentId;
use crate::domain::incident::evolve::fold;
use crate::domain::incident::state::Incident;
use crate::domain::policy::Policy;
use crate::domain::stored::Record;
use crate::ports::{CARDS_LEASE, CardKey, ChatError, Message, Posted, Slot, StoreError, Turn, Urgency, Work, WorkItem};
use crate::view::short::short;
use crate::view::{ANNOUNCEMENT, Card, To, cards, damaged, outlived};

/// After so long, a post that was begun and never finished has an unknown outcome, and is looked for. Longer
/// than a post (8 s) and the records before and after it (2 s each) can take, and shorter than [`TAKEOVER_AFTER`]:
/// whoever takes over a dead process's work need not wait for it.
const POSTING_MAX: TimeDelta = TimeDelta::seconds(14);
/// A step's card is edited no more often than this, and what only sums up less often still: Slack takes
/// about 50 edits a minute, and what changes in between is shown with the next one.
const STEP_EDIT_EVERY: TimeDelta = TimeDelta::milliseconds(700);
const SUMMARY_EDIT_EVERY: TimeDelta = TimeDelta::seconds(2);
/// So many copies of a card are remembered that could not be changed any more. On older ones a press is turned away.
const COPIES_MAX: usize = 50;
/// What waits is looked at again after so long: the log may have grown meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Waits after a look that could not bring everything in line; the last is kept.
const WAITS: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

mod absent;
mod meanwhile;
mod plans;

pub(super) async fn run(workers: Workers, shutdown: CancellationToken, tasks: TaskTracker) {
    while !shutdown.is_cancelled() {
        match workers.store.take_work(Work::Cards, BATCH_MAX).await {
            Ok(items) => {
                for item in items {
                    let workers = workers.clone();
                    tasks.spawn(async move { workers.guarded("cards", Box::pin(workers.cards_item(item))).await });
                }
            }
            Err(error) => workers.store_failed("cards", &error).await,
        }
    }
}

/// Why something is not in line yet.
enum Unfinished {
    /// Slack did not do it.
    Chat(ChatError),
    /// The store did not.
    Store(StoreError),
    /// A post that was begun may still arrive, for so long.
    Waiting(Duration),
}

impl From<StoreError> for Unfinished {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What one look found.
struct Look {
    records: Vec<Record>,
    /// What the records come to, if they begin with an opening.
    incident: Option<Incident>,
    policy: Arc<Policy>,
    posted: std::collections::BTreeMap<Slot, Posted>,
}

/// What is to be done next.
enum Next {
    /// This message is not as it should be, and stands there.
    Change(Box<Card>, Option<Posted>),
    /// Something was edited just now: in so long.
    In(Duration),
    /// All is in line.
    Nothing,
}

impl Workers {
    async fn cards_item(&self, item: WorkItem) {
        let id = item.incident;
        let holder = &hex::encode(rand::random::<[u8; 8]>());
        let hold = || async {
            // A hold that fails is noticed by whoever takes over.
            let _ = tokio::join!(self.store.hold_work(Work::Cards, &item.token), self.store.lease_cards(id, holder));
        };
        let finished = tokio::select! {
            finished = holding(hold, self.bring_in_line(id, holder)) => finished,
            // What is not in line yet is taken up by the next process.
            () = self.shutdown.cancelled() => false,
        };
        if finished && let Err(error) = self.store.work_done(Work::Cards, &item.token).await {
            tracing::warn!(incident.id = %id, %error, "finished cards could not be ticked off; they are looked at again");
        }
    }

    /// `false` when it has to be taken up again.
    async fn bring_in_line(&self, id: IncidentId, holder: &str) -> bool {
        let mut failures = 0;
        let mut waited = false;
        loop {
            let outcome = match self.store.lease_cards(id, holder).await {
                Ok(true) => Box::pin(self.reconcile(id)).await,
                Ok(false) if waited => return true,
                Ok(false) => {
                    // A lease outlives its holder by a moment: only one that is renewed has somebody at it.
                    waited = true;
                    tokio::time::sleep(CARDS_LEASE + Duration::from_secs(1)).await;
                    continue;
                }
                Err(error) => Err(error.into()),
            };
            let outcome = match outcome {
                Ok(version) => self.store.release_cards(id, holder, version).await.map_err(Unfinished::from),
                Err(Unfinished::Store(StoreError::Unreadable(error))) => {
                    tracing::error!(incident.id = %id, %error, "an incident's cards cannot be made");
                    self.metrics.failed("cards");
                    Box::pin(self.say_damaged(id, &error)).await.map(|()| true)
                }
                Err(unfinished) => Err(unfinished),
            };
            let error = match outcome {
                // Where something cannot be read, looking again does not help; the next record or the clock comes here again.
                Ok(true) | Err(Unfinished::Store(StoreError::Unreadable(_))) => return true,
                Ok(false) => {
                    failures = 0;
                    continue;
                }
                Err(Unfinished::Waiting(left)) => {
                    tokio::time::sleep(left).await;
                    continue;
                }
                Err(Unfinished::Store(error)) => error.to_string(),
                Err(Unfinished::Chat(error)) => error.to_string(),
            };
            tracing::warn!(incident.id = %id, %error, "Slack is not in line yet; trying again");
            self.metrics.failed("cards");
            tokio::time::sleep(WAITS[failures.min(WAITS.len() - 1)]).await;
            failures += 1;
        }
    }

    /// Makes one change after the other, each from a fresh look, until there is none to make. Returns the
    /// version of the log that Slack then shows. What Slack refuses is left out until
    /// the log grows: the same again would be refused again. Without the announcement nothing can be said in the room, and
    /// it is tried again later; what goes to people themselves does not wait for that.
    async fn reconcile(&self, id: IncidentId) -> Result<u64, Unfinished> {
        let (mut refused, mut version): (Vec<Slot>, usize) = (Vec::new(), 0);
        // What people themselves have heard while something else waits.
        let mut told = meanwhile::Told::default();
        // One message that Slack cannot change just now holds up none of the others; when a second fails, Slack is away.
        let mut failing: Option<(Slot, ChatError)> = None;
        loop {
            let look = self.look(id).await?;
            if look.records.len() != version {
                version = look.records.len();
                refused.clear();
            }
            let no_room = refused.iter().any(|slot| slot == ANNOUNCEMENT);
            let upload_in = match self.next_upload(&look).filter(|_| !no_room) {
                Some(upload) if upload.wait.is_zero() => {
                    self.upload(&look, &upload).await?;
                    continue;
                }
                later => later.map(|upload| upload.wait),
            };
            let next = self.next(&look, &refused, failing.as_ref());
            if !matches!(next, Next::Change(..))
                && let Some((_, error)) = failing.take()
            {
                // Those whom the mention does not reach do not wait for that card.
                Box::pin(self.tell_absent(id, &look)).await?;
                return Err(Unfinished::Chat(error));
            }
            let edit_waits = matches!(next, Next::In(_));
            let (card, posted) = match (next, upload_in) {
                (Next::Change(card, posted), _) => (card, posted),
                (Next::In(wait), _) | (Next::Nothing, Some(wait)) => {
                    // A plan can wait for its upload as long as for its approval.
                    Box::pin(self.tell_meanwhile(id, &look, edit_waits, &mut told)).await?;
                    tokio::time::sleep(wait.min(LOOK_EVERY)).await;
                    continue;
                }
                (Next::Nothing, None) if no_room => {
                    Box::pin(self.tell_of_glass(id, &look)).await?;
                    return Err(Unfinished::Chat(ChatError::Refused("of the war room".to_owned())));
                }
                (Next::Nothing, None) => {
                    Box::pin(self.tell_absent(id, &look)).await?;
                    return Ok(look.records.len() as u64);
                }
            };
            let (slot, to) = (card.slot.clone(), self.address(&card.to).to_owned());
            let urgency = urgency(&look);
            let stands = matches!(posted, Some(Posted { ts: Some(_), .. }));
            drop((look, card));
            self.chat.turn(if stands { Turn::Edit } else { Turn::Post(&to) }, urgency).await;
            // Much can have happened while it waited.
            let look = self.look(id).await?;
            let Next::Change(card, posted) = self.next(&look, &refused, failing.as_ref()) else { continue };
            if card.slot != slot {
                continue;
            }
            let thread = look.posted.get(ANNOUNCEMENT).and_then(|p| p.ts.as_deref());
            let thread = thread.filter(|_| card.to == To::WarRoom);
            let changed = match &posted {
                Some(stands @ Posted { ts: Some(ts), .. }) => self.edit(id, &card, stands, ts).await,
                Some(gone) if is_gone(gone) => self.post(id, &card, thread, Some(gone)).await,
                Some(begun) => self.resume(id, &card, begun, thread).await,
                None => self.post(id, &card, thread, None).await,
            };
            match changed {
                Ok(()) => {}
                Err(Unfinished::Chat(ChatError::Refused(error))) => {
                    tracing::warn!(incident.id = %id, card.slot = %slot, slack.error = %error, "Slack refuses a card");
                    self.metrics.failed("cards");
                    refused.push(slot);
                }
                Err(Unfinished::Chat(ChatError::RateLimited(wait))) => tokio::time::sleep(wait).await,
                Err(Unfinished::Chat(error @ ChatError::Unavailable(_))) if failing.is_none() => {
                    tracing::warn!(incident.id = %id, card.slot = %slot, %error, "a card is left for later");
                    failing = Some((slot, error));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Tells the room of a log that cannot be read: of each damage once.
    async fn say_damaged(&self, id: IncidentId, error: &str) -> Result<(), Unfinished> {
        let card = damaged(id, error);
        let posted = self.store.cards(id).await?.remove(&card.slot);
        match posted.filter(|posted| posted.hash == hash(&card)) {
            Some(Posted { ts: Some(_), .. }) => Ok(()),
            Some(begun) => self.resume(id, &card, &begun, None).await,
            None => {
                self.chat.turn(Turn::Post(self.address(&card.to)), Urgency::Now).await;
                self.post(id, &card, None, None).await
            }
        }
    }

    async fn look(&self, id: IncidentId) -> Result<Look, StoreError> {
        let (records, posted) = tokio::try_join!(self.store.load(id), self.store.cards(id))?;
        // With the members of groups: a card says when nobody is left who may decide.
        let policy = self.engine.policy().await;
        Ok(Look { incident: fold(&records), records, posted, policy })
    }

    /// The first message that is not as it should be. The announcement comes first, so that nothing is
    /// posted into a thread that has no beginning.
    fn next(&self, look: &Look, refused: &[Slot], failing: Option<&(Slot, ChatError)>) -> Next {
        let Some(incident) = &look.incident else { return Next::Nothing };
        let now = self.wall.now();
        let fails = |slot: &str| failing.is_some_and(|(failing, _)| failing == slot);
        let stands = look.posted.get(ANNOUNCEMENT).is_some_and(|posted| posted.ts.is_some());
        let mut soonest = None;
        let playbook = self.engine.playbook();
        let mut cards = cards(incident, &look.records, playbook, &look.policy);
        let was_posted = |slot: &str| look.posted.get(slot).is_some_and(|posted| !is_gone(posted));
        cards.extend(outlived(incident, playbook, &cards, was_posted));
        for card in cards {
            let posted = look.posted.get(&card.slot);
            match posted {
                _ if refused.contains(&card.slot) || fails(&card.slot) => {}
                _ if card.to == To::WarRoom && !stands && fails(ANNOUNCEMENT) => {}
                _ if card.to == To::WarRoom && refused.iter().any(|slot| slot == ANNOUNCEMENT) => {}
                Some(Posted { ts: Some(_), hash: shown, .. }) if *shown == hash(&card) => {}
                Some(Posted { ts: Some(_), at, .. }) => match (*at + edit_every(&card.slot) - now).to_std() {
                    Ok(wait) if !wait.is_zero() => soonest = Some(soonest.map_or(wait, |s: Duration| s.min(wait))),
                    _ => return Next::Change(Box::new(card), posted.cloned()),
                },
                _ => return Next::Change(Box::new(card), posted.cloned()),
            }
        }
        soonest.map_or(Next::Nothing, Next::In)
    }

    /// A post that was begun: its maker is dead, or its outcome is not known.
    async fn resume(
        &self,
        id: IncidentId,
        card: &Card,
        begun: &Posted,
        thread: Option<&str>,
    ) -> Result<(), Unfinished> {
        let left = (begun.at + POSTING_MAX - self.wall.now()).to_std().unwrap_or_default();
        if !left.is_zero() {
            return Err(Unfinished::Waiting(left));
        }
        if card.to != To::WarRoom {
            // The bot does not read what it says to one person: said twice is better than not at all.
            let unnamed = Posted { unnamed: Some(begun.at), ..begun.clone() };
            return self.post(id, card, None, Some(&unnamed)).await;
        }
        let key = CardKey { incident: id, slot: card.slot.clone() };
        let (since, replaces) = (begun.at - POSTING_MAX * 2, begun.replaces.as_deref());
        match self.chat.find(&begun.channel, thread, &key, since, replaces).await.map_err(Unfinished::Chat)? {
            Some(ts) => {
                let found = Posted { ts: Some(ts), ..begun.clone() };
                Ok(self.store.put_card(id, &card.slot, &found).await?)
            }
            None => self.post(id, card, thread, Some(begun)).await,
        }
    }

    /// It stands nowhere and is to be posted. What is known of copies before it stays known: their buttons are there still.
    async fn stands_nowhere(&self, id: IncidentId, slot: &str, before: &Posted) -> Result<(), StoreError> {
        if before.replaces.is_none() && before.copies.is_empty() && before.unnamed.is_none() {
            return self.store.drop_card(id, slot).await;
        }
        let gone = Posted { ts: None, hash: String::new(), at: self.wall.now(), ..before.clone() };
        self.store.put_card(id, slot, &gone).await
    }

    fn address<'a>(&'a self, to: &'a To) -> &'a str {
        match to {
            To::WarRoom => self.war_room.as_str(),
            To::Person(user) => user.as_str(),
        }
    }

    /// Posts a card, or at once in short when Slack finds it too long: its buttons must not be missing.
    async fn post(
        &self,
        id: IncidentId,
        card: &Card,
        thread: Option<&str>,
        before: Option<&Posted>,
    ) -> Result<(), Unfinished> {
        match self.post_as(id, card, &card.message, (thread, before)).await {
            Err(Unfinished::Chat(ChatError::Refused(code))) if is_too_long(&code) => {
                self.shortens(id, card, &code);
                self.post_as(id, card, &short(&card.message), (thread, before)).await
            }
            posted => posted,
        }
    }

    async fn post_as(
        &self,
        id: IncidentId,
        card: &Card,
        message: &Message,
        (thread, before): (Option<&str>, Option<&Posted>),
    ) -> Result<(), Unfinished> {
        // To a person: Slack says only afterwards which channel that is.
        let (channel, at) = (self.war_room.clone(), self.wall.now());
        let begun = Posted {
            channel,
            ts: None,
            hash: hash(card),
            at,
            replaces: before.and_then(|before| before.replaces.clone()),
            copies: before.map(|before| before.copies.clone()).unwrap_or_default(),
            unnamed: before.and_then(|before| before.unnamed),
        };
        self.store.put_card(id, &card.slot, &begun).await?;
        let key = CardKey { incident: id, slot: card.slot.clone() };
        match self.chat.post(self.address(&card.to), thread, &key, message).await {
            Ok(place) => {
                let (ts, at) = (Some(place.ts), self.wall.now());
                let done = Posted { channel: place.channel, ts, at, replaces: None, ..begun };
                Ok(self.store.put_card(id, &card.slot, &done).await?)
            }
            Err(error @ ChatError::Unavailable(_)) => {
                // It may have been posted: the next look searches for it before it posts again.
                let long_ago = Posted { at: begun.at - POSTING_MAX, ..begun };
                self.store.put_card(id, &card.slot, &long_ago).await?;
                Err(Unfinished::Chat(error))
            }
            Err(error @ (ChatError::RateLimited(_) | ChatError::Refused(_))) => {
                self.stands_nowhere(id, &card.slot, &begun).await?;
                Err(Unfinished::Chat(error))
            }
        }
    }

    fn shortens(&self, id: IncidentId, card: &Card, code: &str) {
        tracing::warn!(incident.id = %id, card.slot = %card.slot, slack.error = %code, "Slack finds a card too long; it is shown in short");
        self.metrics.failed("cards");
    }

    async fn edit(&self, id: IncidentId, card: &Card, stands: &Posted, ts: &str) -> Result<(), Unfinished> {
        let key = CardKey { incident: id, slot: card.slot.clone() };
        let mut updated = self.chat.update(&stands.channel, ts, &key, &card.message).await;
        if let Err(ChatError::Refused(code)) = &updated
            && is_too_long(code)
        {
            self.shortens(id, card, code);
            updated = self.chat.update(&stands.channel, ts, &key, &short(&card.message)).await;
        }
        match updated {
            Ok(()) => {}
            Err(ChatError::Refused(code)) if code.starts_with("message_not_found") => {
                // Somebody deleted it: it is posted anew.
                let gone = Posted { replaces: None, ..stands.clone() };
                return Ok(self.stands_nowhere(id, &card.slot, &gone).await?);
            }
            Err(ChatError::Refused(code))
                if code.starts_with("edit_window_closed") || code.starts_with("cant_update") =>
            {
                tracing::warn!(incident.id = %id, card.slot = %card.slot, slack.error = %code, "a card can no longer be edited");
                self.metrics.failed("cards");
                if is_decided_on(&card.slot) {
                    // Posted anew, and no more before it is to say something else: its old buttons only lead to a no.
                    return Ok(self.stands_nowhere(id, &card.slot, &replaced(stands, ts)).await?);
                }
                // Another of these would mention and notify people again, or begin another thread: it stays as it is.
            }
            Err(error) => return Err(Unfinished::Chat(error)),
        }
        let done = Posted { hash: hash(card), at: self.wall.now(), replaces: None, ..stands.clone() };
        Ok(self.store.put_card(id, &card.slot, &done).await?)
    }
}

/// Whether nothing has been begun to take the place of a copy that could not be changed any more.
fn is_gone(posted: &Posted) -> bool {
    posted.ts.is_none() && posted.hash.is_empty()
}

/// What is known of a card whose copy can be changed no more: another is to take its place.
fn replaced(stands: &Posted, ts: &str) -> Posted {
    let mut copies = stands.copies.clone();
    copies.push(ts.to_owned());
    copies.drain(..copies.len().saturating_sub(COPIES_MAX));
    Posted { replaces: Some(ts.to_owned()), copies, ..stands.clone() }
}

fn hash(card: &Card) -> String {
    Digest::of(&(&card.message.text, &card.message.blocks)).short().to_owned()
}

/// Whether a message that is shorter may be taken.
fn is_too_long(code: &str) -> bool {
    ["msg_blocks_too_long", "msg_too_long", "invalid_blocks"].iter().any(|known| code.starts_with(known))
}

fn edit_every(slot: &str) -> TimeDelta {
    if is_decided_on(slot) { STEP_EDIT_EVERY } else { SUMMARY_EDIT_EVERY }
}

fn is_decided_on(slot: &str) -> bool {
    slot.starts_with("step:") || slot.starts_with("burst")
}

/// An incident that people are at goes before those that only come in.
fn urgency(look: &Look) -> Urgency {
    match &look.incident {
        Some(incident) if incident.lead.is_some() || !incident.requests.is_empty() => Urgency::Now,
        _ => Urgency::InTurn,
    }
}
