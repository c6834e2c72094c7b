//! Whether the war room is still one: somebody can share it with another organisation, or archive it, while the bot runs.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Room, SlackChat};
use crate::domain::id::ChannelId;
use crate::ports::ChatError;

/// The war room, as Slack last said.
pub struct RoomWatch {
    slack: Arc<SlackChat>,
    room: ChannelId,
    fault: Mutex<Option<String>>,
}

impl RoomWatch {
    /// Of a room that nothing is known of yet.
    pub fn new(slack: Arc<SlackChat>, room: ChannelId) -> Self {
        Self { slack, room, fault: Mutex::default() }
    }

    /// What is wrong with it. While Slack does not answer, what it said last stands.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks Slack once. Each change is logged once.
    pub async fn step(&self) -> Result<Room, ChatError> {
        let found = self.slack.channel(&self.room).await?;
        let fault = found.fault();
        let mut known = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != fault {
            if let Some(why) = &fault {
                tracing::error!(slack.channel = %self.room, %why, "the war room is no place for incidents");
            } else {
                tracing::info!(slack.channel = %self.room, "the war room is in order again");
            }
            *known = fault;
        }
        drop(known);
        Ok(found)
    }
}
