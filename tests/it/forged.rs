//! Clicks that Slack has signed, on buttons that stand on no card that the person sees.

use serde_json::json;

use crate::world::{ROOM, World, try_send};

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
        assert_eq!(self.deliver_forged(&self.bot_url, channel, person, button, value).await.unwrap(), 200);
    }

    /// The same, delivered to this bot.
    pub(crate) async fn forged_at(&self, bot: &str, person: &str, button: &str, value: &str) {
        assert_eq!(self.deliver_forged(bot, ROOM, person, button, value).await.unwrap(), 200);
    }

    /// The same of a bot that may be dead: the status of its answer.
    pub(crate) async fn try_forged(&self, person: &str, button: &str, value: &str) -> anyhow::Result<u16> {
        self.deliver_forged(&self.bot_url, ROOM, person, button, value).await
    }

    async fn deliver_forged(
        &self,
        bot: &str,
        channel: &str,
        person: &str,
        button: &str,
        value: &str,
    ) -> anyhow::Result<u16> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let payload = json!({
            "type": "block_actions", "user": {"id": person}, "trigger_id": format!("forged.{person}.{}", now.as_nanos()),
            "channel": {"id": channel}, "actions": [{"action_id": button, "value": value, "action_ts": now.as_nanos().to_string()}],
        });
        let body = serde_urlencoded::to_string([("payload", payload.to_string())])?;
        let timestamp = now.as_secs().to_string();
        let signature = self.slack.sign(&timestamp, &body);
        let headers = [("x-slack-request-timestamp", timestamp.as_str()), ("x-slack-signature", signature.as_str())];
        let answer = try_send(&format!("{bot}/slack/interactions"), &headers, body.into_bytes()).await?;
        Ok(answer.0)
    }
}
