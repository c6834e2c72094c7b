//! State to Slack messages. Pure: the same state at the same moment gives the same message, and nothing
//! is ever read back from one.

use crate::domain::incident::evolve::fold;
use crate::domain::playbook::Playbook;
use crate::domain::policy::Policy;
use crate::domain::stored::Record;
use crate::ports::{Message, Slot};

pub mod announcement;
pub mod blocks;
pub mod evidence;
pub mod forms;
pub mod notes;
pub mod replies;
pub mod step;

/// The slot of the message in the channel; all others stand in its thread.
pub const ANNOUNCEMENT: &str = "announcement";

/// One message as it should stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Which.
    pub slot: Slot,
    /// What it shows.
    pub message: Message,
}

/// All messages of an incident, the announcement first, in the order in which new ones are posted.
pub fn cards(records: &[Record], playbook: &Playbook, policy: &Policy) -> Vec<Card> {
    let Some(incident) = fold(records) else { return Vec::new() };
    let mut cards = vec![
        Card { slot: ANNOUNCEMENT.into(), message: announcement::message(&incident, playbook) },
        Card { slot: "evidence".into(), message: evidence::message(&incident) },
    ];
    for step in crate::domain::incident::steps::steps(&incident, playbook) {
        cards.push(Card { slot: format!("step:{}", step.id), message: step::message(&incident, &step) });
    }
    cards.extend(notes::notes(&incident, records, policy));
    cards
}
