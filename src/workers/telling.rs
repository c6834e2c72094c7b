//! Telling somebody what has come of their act, also while Slack is away for a moment.

use std::time::Duration;

use tokio::time::Instant;

use super::Workers;
use crate::ports::{ChatError, Message, ReplyTo};

/// First and longest wait before somebody is told again; each is twice as long as the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(6);
/// No attempt begins later than this. What is told after that helps nobody: the card says it too.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

impl Workers {
    /// Only the telling is done again, never the act: a second time it would be refused, and that be told.
    pub(super) async fn tell(&self, to: &ReplyTo, message: &Message) {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let Err(error) = self.chat.tell(to, message).await else { return };
            let passes = !matches!(error, ChatError::Refused(_));
            if !passes || began.elapsed() + wait > TOLD_WITHIN || self.shutdown.is_cancelled() {
                tracing::warn!(slack.user = %to.user, %error, "the person could not be told");
                self.metrics.failed("desk");
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // Once more, and then it ends.
                () = self.shutdown.cancelled() => {}
            }
            wait = WAIT_MAX.min(wait * 2);
        }
    }
}
