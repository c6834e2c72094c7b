//! Tells those who can decide and are not in the war room: the mention in the thread does not reach them. And everybody of
//! what one person alone has let run.

use super::{Look, Unfinished, Workers, is_gone};
use crate::domain::id::{IncidentId, UserId};
use crate::domain::policy::{Policy, Standing};
use crate::ports::{ChatError, Posted, Turn, Urgency};
use crate::view::Card;
use crate::view::alone::{tells, tells_all};
use crate::view::asks::asks;

/// A message that is there, and not one that is being posted.
fn stands<'a>(look: &'a Look, slot: &str) -> Option<&'a Posted> {
    look.posted.get(slot).filter(|posted| posted.ts.is_some())
}

impl Workers {
    /// Once for each request and person, when nothing else can be brought in line. Where Slack refuses to say who is in the
    /// room nobody is told by this: those in it have the mention. Where it does not answer, it is asked again.
    pub(super) async fn tell_absent(&self, id: IncidentId, look: &Look) -> Result<(), Unfinished> {
        // Who cannot be told of the one just now keeps nobody from hearing of the other.
        let told = Box::pin(self.tell_of_glass(id, look)).await;
        let asked = Box::pin(self.ask_absent(id, look)).await;
        told.and(asked)
    }

    async fn ask_absent(&self, id: IncidentId, look: &Look) -> Result<(), Unfinished> {
        let Some(incident) = &look.incident else { return Ok(()) };
        let mut untold = asks(incident, &look.policy);
        untold.retain(|ask| stands(look, &ask.slot()).is_none());
        if untold.is_empty() {
            return Ok(());
        }
        let present = match self.chat.present(&self.war_room).await {
            Ok(present) => present,
            Err(ChatError::Refused(error)) => {
                tracing::warn!(
                    incident.id = %id, slack.channel = %self.war_room, slack.error = %error,
                    "Slack does not say who is in the war room: approvers who are not are told nothing"
                );
                return Ok(());
            }
            Err(error) => return Err(Unfinished::Chat(error)),
        };
        untold.retain(|ask| !ask.is_among(&present, &look.policy));
        // Of whom Slack says nothing just now, or whom it cannot tell, holds up none of the others.
        let mut unfinished = None;
        for ask in untold {
            let user = match self.member_of(&ask.accounts, &look.policy).await {
                Ok(Some(user)) => user,
                Ok(None) => continue,
                Err(error) => {
                    unfinished.get_or_insert(Unfinished::Chat(error));
                    continue;
                }
            };
            let place = ask.cards(incident).iter().find_map(|slot| stands(look, slot));
            // They are told once: when there is something to decide on. Until the announcement stands, it is tried again.
            let Some(Posted { channel, ts: Some(ts), .. }) = place else { continue };
            let link = self.chat.link(channel, ts).await.ok();
            let card = ask.card(incident, user, &self.war_room, link.as_deref());
            if let Err(error) = Box::pin(self.say_to(id, look, &card)).await {
                unfinished.get_or_insert(error);
            }
        }
        unfinished.map_or(Ok(()), Err)
    }

    /// Once for each glass that was broken and each person, wherever they are.
    pub(super) async fn tell_of_glass(&self, id: IncidentId, look: &Look) -> Result<(), Unfinished> {
        let Some(incident) = &look.incident else { return Ok(()) };
        let mut unfinished = None;
        for tell in tells(incident, &look.policy) {
            if stands(look, &tell.slot()).is_some() {
                continue;
            }
            let told = match self.member_of(&tell.accounts, &look.policy).await {
                Ok(Some(user)) => Box::pin(self.say_to(id, look, &tell.card(user))).await,
                Ok(None) => Ok(()),
                Err(error) => Err(Unfinished::Chat(error)),
            };
            if let Err(error) = told {
                unfinished.get_or_insert(error);
            }
        }
        if unfinished.is_none() && incident.requests.values().any(tells_all) {
            // Whoever is in a group that was not read hears of it too.
            unfinished = self.engine.unread_groups(&look.policy).await.map(Unfinished::Chat);
        }
        unfinished.map_or(Ok(()), Err)
    }

    /// Sends a message to one person. What Slack refuses stays unsaid.
    async fn say_to(&self, id: IncidentId, look: &Look, card: &Card) -> Result<(), Unfinished> {
        self.chat.turn(Turn::Post(self.address(&card.to)), Urgency::Now).await;
        let told = match look.posted.get(&card.slot) {
            Some(begun) if !is_gone(begun) => self.resume(id, card, begun, None).await,
            before => self.post(id, card, None, before).await,
        };
        match told {
            Err(Unfinished::Chat(ChatError::Refused(error))) => {
                tracing::warn!(
                    incident.id = %id, card.slot = %card.slot, slack.error = %error,
                    "Slack refuses a message to somebody who could decide"
                );
                self.metrics.failed("cards");
                Ok(())
            }
            told => told,
        }
    }

    /// The first account of theirs that may read about incidents: a guest learns nothing. An error where that is not known.
    async fn member_of<'a>(&self, accounts: &'a [UserId], policy: &Policy) -> Result<Option<&'a UserId>, ChatError> {
        let mut unanswered = None;
        for user in accounts {
            match self.engine.standing(user).await {
                Ok(Standing::Member) => return Ok(Some(user)),
                Ok(_) => {}
                Err(ChatError::Refused(error)) => {
                    tracing::warn!(slack.user = %user, slack.error = %error, "Slack refuses to say who an approver is");
                }
                Err(error) => unanswered = Some(error),
            }
        }
        if unanswered.is_none() {
            // Another account of theirs may be in a group that was not read.
            unanswered = self.engine.unread_groups(policy).await;
        }
        unanswered.map_or(Ok(None), Err)
    }
}
