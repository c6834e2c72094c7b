//! State to Slack messages. Pure: the same state at the same moment gives the same message, and nothing
//! is ever read back from one.

use crate::domain::id::{IncidentId, UserId};
use crate::domain::incident::eradication::removals;
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{missing, steps};
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Policy};
use crate::domain::stored::Record;
use crate::ports::{Message, Slot};

mod again;
pub mod alone;
pub mod announcement;
pub mod asks;
mod beginning;
pub mod blast_radius;
pub mod blocks;
pub mod burst;
mod by_hand;
mod calls;
mod early;
pub mod eradication;
pub mod evidence;
pub mod forms;
pub mod hunt;
pub mod inventory;
mod lockout;
pub mod logs;
mod machines;
pub mod notes;
pub mod pack;
pub mod plan_file;
pub mod proof;
pub mod receipts;
mod recused;
pub mod replies;
pub mod report;
pub mod short;
pub mod step;
pub mod trail;
mod undelivered;

/// The slot of the message in the channel; all others stand in its thread.
pub const ANNOUNCEMENT: &str = "announcement";

/// Where a message stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum To {
    /// In the war room, or in the incident's thread there.
    WarRoom,
    /// With one person.
    Person(UserId),
}

/// One message as it should stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Which.
    pub slot: Slot,
    /// Where.
    pub to: To,
    /// What it shows.
    pub message: Message,
}

/// What the room is told of an incident whose log cannot be read: the one message that does not come from it.
pub fn damaged(id: IncidentId, error: &str) -> Card {
    let text = format!(
        ":rotating_light: *{id} is left alone: its log in the bot's store is damaged, or somebody has changed it* ({}). Nothing \
         runs for it, nobody can decide on it, and its cards show how it was before. Contain by hand. Have whoever runs the \
         bot keep a copy of the store before anything in it is mended, and find out who else could write to it: until that \
         is known, take it for a part of the attack. `/irp open` opens another incident about the same credential at once, \
         and an alert does some minutes after this one can no longer be read.",
        blocks::escape(error)
    );
    Card { slot: "damaged".into(), to: To::WarRoom, message: replies::said(&text) }
}

/// All messages of the incident that these records come to, the announcement first, in the order in which new ones are
/// posted.
pub fn cards(incident: &Incident, records: &[Record], playbook: &Playbook, policy: &Policy) -> Vec<Card> {
    let of = |slot: String, message: Message| Card { slot, to: To::WarRoom, message };
    let mut cards = vec![
        of(ANNOUNCEMENT.into(), announcement::message(incident, playbook, policy)),
        of("evidence".into(), evidence::message(incident, policy)),
    ];
    let (steps, owed, removals) = (steps(incident, playbook), missing(incident, playbook), removals(incident));
    let together = burst::messages(incident, playbook, &owed, policy);
    cards.extend(together.into_iter().map(|(slot, message)| of(slot.into(), message)));
    let eradication = eradication::message(incident, playbook, &steps, &removals);
    cards.extend(eradication.map(|message| of("eradication".into(), message)));
    for step in &steps {
        let again = again::why(&owed, &step.id);
        let message = step::message(incident, step, again, &removals, policy);
        cards.push(of(format!("step:{}", step.id), message));
    }
    cards.extend(hunt::message(incident, policy).map(|message| of("hunt".into(), message)));
    cards.extend(inventory::message(incident).map(|message| of("inventory".into(), message)));
    cards.extend(logs::message(incident, policy).map(|message| of("logs".into(), message)));
    cards.extend(proof::message(incident, playbook).map(|message| of("proof".into(), message)));
    cards.extend(notes::notes(incident, records, policy));
    cards.extend(receipts::receipts(incident));
    cards
}

/// What stands of the cards of all at once although nothing of the incident shows any more that it was offered: without its
/// button.
pub fn outlived(
    incident: &Incident,
    playbook: &Playbook,
    cards: &[Card],
    is_posted: impl Fn(&str) -> bool,
) -> Vec<Card> {
    let mut slots = burst::SLOTS.to_vec();
    slots.retain(|&(slot, _)| is_posted(slot) && cards.iter().all(|card| card.slot != slot));
    let card = |(slot, class): (&str, ActionClass)| Card {
        slot: slot.to_owned(),
        to: To::WarRoom,
        message: burst::not_offered(incident, playbook, class),
    };
    slots.into_iter().map(card).collect()
}

#[cfg(test)]
mod tests;
