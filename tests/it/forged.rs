//! Clicks that Slack has signed, with buttons that stand on no card that the person sees.

use serde_json::{Value, json};

use crate::world::{ANA, ROOM, World, try_send};

impl World {
    /// One, and what the person is told next.
    pub(crate) async fn forged_click(&self, person: &str, button: &str, value: &str) -> String {
        let before = self.told(person).len();
        self.forged(person, button, value).await;
        self.next_told(person, before).await
    }

    /// One whose answer nobody waits for.
    pub(crate) async fn forged(&self, person: &str, button: &str, value: &str) {
        self.forged_in(ROOM, person, button, value).await;
    }

    /// The same in another channel.
    pub(crate) async fn forged_in(&self, channel: &str, person: &str, button: &str, value: &str) {
        let place = self.on_a_card(channel, value);
        assert_eq!(self.deliver_forged(&self.bot_url, &place, person, button, value).await.unwrap(), 200);
    }

    /// One in this place, as Slack names it, and what the person is told next.
    pub(crate) async fn forged_on(&self, place: &Value, person: &str, button: &str, value: &str) -> String {
        let before = self.told(person).len();
        assert_eq!(self.deliver_forged(&self.bot_url, place, person, button, value).await.unwrap(), 200);
        self.next_told(person, before).await
    }

    /// A card of the incident that a button's value names, if there is one, in this channel.
    fn on_a_card(&self, channel: &str, value: &str) -> Value {
        let incident = value.split([' ', '.']).next().unwrap_or_default();
        let is_its = |message: &&Value| {
            let rest = message["text"].as_str().and_then(|text| text.strip_prefix(incident));
            message["ephemeral"] == false && rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let messages = self.messages(ANA);
        match messages.iter().find(is_its) {
            Some(card) => on(channel, card["ts"].as_str().unwrap()),
            None => json!({"channel": {"id": channel}}),
        }
    }

    /// The same, delivered to this bot.
    pub(crate) async fn forged_at(&self, bot: &str, person: &str, button: &str, value: &str) {
        let place = self.on_a_card(ROOM, value);
        assert_eq!(self.deliver_forged(bot, &place, person, button, value).await.unwrap(), 200);
    }

    /// The same of a bot that may be dead: the status of its answer.
    pub(crate) async fn try_forged(&self, person: &str, button: &str, value: &str) -> anyhow::Result<u16> {
        self.deliver_forged(&self.bot_url, &self.on_a_card(ROOM, value), person, button, value).await
    }

    async fn deliver_forged(
        &self,
        bot: &str,
        place: &Value,
        person: &str,
        button: &str,
        value: &str,
    ) -> anyhow::Result<u16> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let mut payload = json!({
            "type": "block_actions", "user": {"id": person}, "trigger_id": format!("forged.{person}.{}", now.as_nanos()),
            "actions": [{"action_id": button, "value": value, "action_ts": now.as_nanos().to_string()}],
        });
        for (member, of_place) in place.as_object().into_iter().flatten() {
            payload[member] = of_place.clone();
        }
        let body = serde_urlencoded::to_string([("payload", payload.to_string())])?;
        let timestamp = now.as_secs().to_string();
        let signature = self.slack.sign(&timestamp, &body);
        let headers = [("x-slack-request-timestamp", timestamp.as_str()), ("x-slack-signature", signature.as_str())];
        let answer = try_send(&format!("{bot}/slack/interactions"), &headers, body.into_bytes()).await?;
        Ok(answer.0)
    }
}

/// A message, as Slack names it with a press on it.
pub(crate) fn on(channel: &str, ts: &str) -> Value {
    json!({"channel": {"id": channel}, "container": {"type": "message", "channel_id": channel, "message_ts": ts}})
}
