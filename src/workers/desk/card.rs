//! Whether a button was pressed on a message that the bot has posted about that incident. What the button carries is no
//! secret: whoever can post as the bot could put it on any message, below another text.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Workers;
use crate::domain::id::{ChannelId, IncidentId};
use crate::intake::pressed::Pressed;
use crate::intake::slack::{Act, Inbound};
use crate::ports::{Posted, Slot, StoreError};
use crate::view::{ANNOUNCEMENT, asks};

/// Slack's clock and the bot's differ by less: deliveries are turned away where they do not.
const CLOCKS_DIFFER_MAX: TimeDelta = TimeDelta::minutes(5);

impl Workers {
    /// Of an incident that is not known no card is known either: whoever presses there is told that instead.
    pub(super) async fn is_on_its_card(&self, inbound: &Inbound, id: IncidentId) -> Result<bool, StoreError> {
        // Slack names it with every button on a message.
        let Some(channel) = &inbound.reply.channel else { return Ok(false) };
        let cards = self.store.cards(id).await?;
        if is_card(&cards, &self.war_room, channel, inbound.pressed.message.as_deref()) {
            return Ok(true);
        }
        Ok(self.engine.load(id).await?.is_none())
    }

    /// Whether it came from a workspace that is not the bot's. Where Slack does not say which that is, nobody's rights are
    /// known either, and nothing is decided.
    pub(super) async fn is_from_elsewhere(&self, pressed: &Pressed) -> bool {
        let (team, enterprise) = (pressed.team.as_deref(), pressed.enterprise.as_deref());
        if team.is_none() && enterprise.is_none() {
            return false;
        }
        !self.chat.is_home(team, enterprise).await.unwrap_or(true)
    }

    /// The address of the card that another message was taken for, or of the beginning of its thread.
    pub(super) async fn its_card(&self, act: &Act) -> Option<String> {
        let (id, request) = match act {
            Act::Click(click) => (click.incident(), click.attempt().request),
            Act::UnknownClick { incident } => ((*incident)?, None),
            _ => return None,
        };
        let incident = self.engine.load(id).await.ok()??;
        let slots = match request.and_then(|request| incident.requests.get(&request)) {
            Some(request) => asks::card_of(&incident, request).to_vec(),
            None => vec![ANNOUNCEMENT.to_owned()],
        };
        let cards = self.store.cards(id).await.ok()?;
        let stands = |slot: &Slot| cards.get(slot).and_then(|posted| Some((&posted.channel, posted.ts.as_deref()?)));
        let (channel, ts) = slots.iter().find_map(stands)?;
        self.chat.link(channel, ts).await.ok()
    }
}

/// Whether that message can be one of these cards.
fn is_card(cards: &BTreeMap<Slot, Posted>, room: &ChannelId, channel: &ChannelId, message: Option<&str>) -> bool {
    let is_here = |posted: &Posted| posted.channel == *channel;
    let talks_here = channel == room || cards.values().any(is_here);
    // An earlier version has kept the press without the message. It is carried out within a minute or never.
    let Some(message) = message else { return talks_here };
    let is_named = |posted: &Posted| {
        let mut copies = posted.copies.iter().chain(&posted.replaces).chain(&posted.ts);
        is_here(posted) && copies.any(|ts| ts == message)
    };
    if cards.values().any(is_named) {
        return true;
    }
    let Some(at) = posted_at(message) else { return false };
    // Said to one person, and Slack's answer was lost: the bot does not read what it says there, so it was said again, and
    // which message the first was is never known.
    let is_first_of_two = |posted: &Posted| {
        is_here(posted) && posted.unnamed.is_some_and(|begun| (at - begun).abs() <= CLOCKS_DIFFER_MAX)
    };
    // A process can have died between Slack's answer and the record of it: the card stands there, people press on it, and
    // it is known which it is only once somebody has looked for it. Until then any message that is no older counts, where
    // the bot has posted anything: to turn people away would stop the response, and who may decide is asked all the same.
    let can_be_it = |(slot, posted): (&Slot, &Posted)| is_begun(slot, posted) && at >= posted.at - CLOCKS_DIFFER_MAX;
    cards.values().any(is_first_of_two) || (talks_here && cards.iter().any(can_be_it))
}

/// Whether a message is being posted. A file has no buttons.
fn is_begun(slot: &str, posted: &Posted) -> bool {
    posted.ts.is_none() && !posted.hash.is_empty() && !slot.starts_with("plan:")
}

/// Slack names messages by their times.
fn posted_at(message: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(message.split('.').next()?.parse().ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "C0WAR";
    const DIRECT: &str = "D0ANA";
    const BEGUN: i64 = 1_700_000_000;

    fn posted(channel: &str, ts: Option<&str>) -> Posted {
        Posted {
            channel: channel.parse().unwrap(),
            ts: ts.map(str::to_owned),
            hash: "h".into(),
            at: DateTime::from_timestamp(BEGUN, 0).unwrap(),
            replaces: None,
            copies: Vec::new(),
            unnamed: None,
        }
    }

    /// Whether it counts in the war room, in the direct messages and in another channel.
    fn counts(cards: &[(&str, Posted)], message: Option<&str>) -> [bool; 3] {
        let cards: BTreeMap<Slot, Posted> =
            cards.iter().map(|(slot, posted)| ((*slot).to_owned(), posted.clone())).collect();
        let room: ChannelId = ROOM.parse().unwrap();
        [ROOM, DIRECT, "C0ELSE"].map(|channel| is_card(&cards, &room, &channel.parse().unwrap(), message))
    }

    #[test]
    fn a_message_counts_where_it_was_posted_and_nowhere_else() {
        let cards =
            [("step:a", posted(ROOM, Some("1700000001.1"))), ("receipt:a", posted(DIRECT, Some("1700000002.1")))];
        assert_eq!(counts(&cards, Some("1700000001.1")), [true, false, false]);
        assert_eq!(counts(&cards, Some("1700000002.1")), [false, true, false]);
        for other in ["1700000003.1", "", "nonsense"] {
            assert_eq!(counts(&cards, Some(other)), [false; 3], "{other}");
        }
        assert_eq!(counts(&[], Some("1700000001.1")), [false; 3]);
        assert_eq!(counts(&cards, None), [true, true, false], "kept by an earlier version");
    }

    #[test]
    fn copies_that_cannot_be_changed_any_more_still_count_also_while_the_next_is_posted() {
        let (replaces, copies) = (Some("1700000002.1".to_owned()), vec!["1700000001.1".to_owned()]);
        let gone = Posted { hash: String::new(), replaces, copies, ..posted(ROOM, None) };
        for (message, is) in [("1700000001.1", true), ("1700000002.1", true), ("1700000003.1", false)] {
            assert_eq!(counts(&[("step:a", gone.clone())], Some(message)), [is, false, false], "{message}");
        }
    }

    #[test]
    fn while_a_card_is_posted_no_message_that_can_be_it_is_turned_away() {
        let cards = [("step:a", posted(ROOM, None)), ("step:b", posted(ROOM, Some("1600000000.1")))];
        let at = |seconds: i64| format!("{}.000100", BEGUN + seconds);
        assert_eq!(counts(&cards, Some(&at(3))), [true, false, false]);
        assert_eq!(counts(&cards, Some(&at(-299))), [true, false, false], "clocks differ");
        assert_eq!(counts(&cards, Some(&at(-301))), [false; 3], "it was there before");
        assert_eq!(counts(&[("plan:INC-1.1", posted(ROOM, None))], Some(&at(3))), [false; 3], "a file has no buttons");
        let direct = [("receipt:a", posted(ROOM, None)), ("receipt:b", posted(DIRECT, Some("1600000000.1")))];
        assert_eq!(counts(&direct, Some(&at(3)))[1..], [true, false], "which are somebody's is known only afterwards");
    }

    #[test]
    fn what_was_said_twice_to_one_person_counts_both_times() {
        let unnamed = DateTime::from_timestamp(BEGUN, 0);
        let twice = [("receipt:a", Posted { unnamed, ..posted(DIRECT, Some("1700000020.1")) })];
        assert_eq!(counts(&twice, Some("1700000002.1")), [false, true, false]);
        for later in ["1700000301.1", "1699999699.1"] {
            assert_eq!(counts(&twice, Some(later)), [false; 3], "{later}");
        }
    }
}
