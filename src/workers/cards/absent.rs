//! Tells those who can decide and are not in the war room: the mention in the thread does not reach them.

use super::{Look, Unfinished, Workers};
use crate::domain::id::{IncidentId, UserId};
use crate::domain::incident::evolve::fold;
use crate::ports::{ChatError, Posted, Turn, Urgency};
use crate::view::asks::{Ask, asks};

/// A message that is there, and not one that is being posted.
fn stands<'a>(look: &'a Look, slot: &str) -> Option<&'a Posted> {
    look.posted.get(slot).filter(|posted| posted.ts.is_some())
}

impl Workers {
    /// Once for each request and person, when all else is in line. While Slack does not say who is in the room nobody is told
    /// by this: those in it have the mention.
    pub(super) async fn tell_absent(&self, id: IncidentId, look: &Look) -> Result<(), Unfinished> {
        let Some(incident) = fold(&look.records) else { return Ok(()) };
        let mut untold = asks(&incident, &look.policy);
        untold.retain(|ask| stands(look, &ask.slot()).is_none());
        if untold.is_empty() {
            return Ok(());
        }
        let present = match self.chat.present(&self.war_room).await {
            Ok(present) => present,
            Err(error) => {
                tracing::warn!(
                    incident.id = %id, slack.channel = %self.war_room, %error,
                    "Slack does not say who is in the war room: approvers who are not are told nothing"
                );
                return Ok(());
            }
        };
        untold.retain(|ask| !ask.is_among(&present, &look.policy));
        for ask in untold {
            let Some(user) = self.member_of(&ask).await else { continue };
            let begun = look.posted.get(&ask.slot());
            let place = ask.cards(&incident).iter().find_map(|slot| stands(look, slot));
            let link = match place {
                Some(Posted { channel, ts: Some(ts), .. }) => self.chat.link(channel, ts).await.ok(),
                _ => None,
            };
            let card = ask.card(&incident, user, &self.war_room, link.as_deref());
            self.chat.turn(Turn::Post(user.as_str()), Urgency::Now).await;
            let told = match begun {
                Some(begun) => self.resume(id, &card, begun, None).await,
                None => self.post(id, &card, None).await,
            };
            match told {
                Ok(()) => {}
                Err(Unfinished::Chat(ChatError::Refused(error))) => {
                    tracing::warn!(
                        incident.id = %id, card.slot = %card.slot, slack.error = %error,
                        "Slack refuses a message to an approver who is not in the war room"
                    );
                    self.metrics.failed("cards");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// The first account of theirs that may read about incidents: a guest learns nothing.
    async fn member_of<'a>(&self, ask: &'a Ask<'_>) -> Option<&'a UserId> {
        for user in &ask.accounts {
            if self.engine.may_read(user).await.is_ok() {
                return Some(user);
            }
        }
        None
    }
}
