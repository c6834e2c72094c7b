//! An inline policy that somebody has put, and what the event history says there was before.

use serde::{Deserialize, Serialize};

use super::{Identity, Previous};

/// An inline policy and its owner.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PutPolicy {
    /// Whose it is.
    pub identity: Identity,
    /// The document as it is; absent when there is none.
    pub document: Option<String>,
    /// The document that the newest of the calls has put there, as its event has it; absent when the event history does not
    /// have that any more.
    pub put: Option<String>,
    /// What there was before all of them.
    pub before: Earlier,
    /// ARNs of the users who have it by way of their group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

/// What there was under a name before somebody's calls. It is lost in AWS by then: only the event history can say it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Earlier {
    /// This document.
    Document(Previous),
    /// Nothing, as this event shows.
    Nothing {
        /// That something of the name was deleted or not found, or whose it is was made.
        event_id: String,
    },
    /// Nobody can say: the history does not go back so far.
    NotKnown,
}
