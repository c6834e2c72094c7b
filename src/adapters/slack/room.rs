//! Who is in a channel, from `conversations.members`: Slack notifies nobody else of a mention there.

use std::collections::BTreeSet;

use super::{SlackChat, next_cursor};
use crate::domain::id::{ChannelId, UserId};
use crate::ports::ChatError;

/// Members on a page, as Slack advises, and pages: a war room with more is none.
const PAGE_MEMBERS: &str = "200";
const PAGES_MAX: u32 = 25;

impl SlackChat {
    /// The members of a channel, as Slack said within the last minute.
    pub(super) async fn members_of(&self, channel: &ChannelId) -> Result<BTreeSet<UserId>, ChatError> {
        self.rooms.get(channel, || self.read_members_of(channel)).await
    }

    async fn read_members_of(&self, channel: &ChannelId) -> Result<BTreeSet<UserId>, ChatError> {
        let (mut members, mut cursor) = (BTreeSet::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut params = vec![("channel", channel.as_str()), ("limit", PAGE_MEMBERS)];
            if !cursor.is_empty() {
                params.push(("cursor", &cursor));
            }
            let answer = self.get("conversations.members", &params).await?;
            let page = answer["members"].as_array();
            let page = page.ok_or_else(|| ChatError::Unavailable("a channel without a list of members".into()))?;
            members.extend(page.iter().filter_map(|member| member.as_str()?.parse::<UserId>().ok()));
            match next_cursor(&answer) {
                Some(next) => cursor = next,
                None => return Ok(members),
            }
        }
        // The next question would end here too.
        Err(ChatError::Refused("the members of the channel are too many".into()))
    }
}
