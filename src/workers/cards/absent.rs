//! Tells those who can decide and are not in the war room: the mention in the thread does not reach them.

use super::{Look, Unfinished, Workers};
use crate::domain::id::{IncidentId, UserId};
use crate::domain::policy::{Policy, Standing};
use crate::ports::{ChatError, Posted, Turn, Urgency};
use crate::view::asks::{Ask, asks};

/// A message that is there, and not one that is being posted.
fn stands<'a>(look: &'a Look, slot: &str) -> Option<&'a Posted> {
    look.posted.get(slot).filter(|posted| posted.ts.is_some())
}

impl Workers {
    /// Once for each request and person, when nothing else can be brought in line. Where Slack refuses to say who is in the
    /// room nobody is told by this: those in it have the mention. Where it does not answer, it is asked again.
    pub(super) async fn tell_absent(&self, id: IncidentId, look: &Look) -> Result<(), Unfinished> {
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
        // Of whom Slack says nothing just now holds up none of the others.
        let mut unanswered = None;
        for ask in untold {
            let user = match self.member_of(&ask, &look.policy).await {
                Ok(Some(user)) => user,
                Ok(None) => continue,
                Err(error) => {
                    unanswered = Some(error);
                    continue;
                }
            };
            let begun = look.posted.get(&ask.slot());
            let place = ask.cards(incident).iter().find_map(|slot| stands(look, slot));
            // They are told once: when there is something to decide on. Until the announcement stands, it is tried again.
            let Some(Posted { channel, ts: Some(ts), .. }) = place else { continue };
            let link = self.chat.link(channel, ts).await.ok();
            let card = ask.card(incident, user, &self.war_room, link.as_deref());
            self.chat.turn(Turn::Post(user.as_str()), Urgency::Now).await;
            let told = match begun {
                Some(begun) => self.resume(id, &card, begun, None).await,
                None => self.post(id, &card, None, None).await,
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
        unanswered.map_or(Ok(()), |error| Err(Unfinished::Chat(error)))
    }

    /// The first account of theirs that may read about incidents: a guest learns nothing. An error where that is not known.
    async fn member_of<'a>(&self, ask: &'a Ask<'_>, policy: &Policy) -> Result<Option<&'a UserId>, ChatError> {
        let mut unanswered = None;
        for user in &ask.accounts {
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
