//! The stored form of a record, with its version: what is in the log must stay readable for ever.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::incident::event::Event;

/// The form that is written. Reading takes every form that was ever written.
const FORM: u8 = 1;

/// One entry of an incident's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was appended, by the clock of the process that did it.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
}

/// A stored record that cannot be read. The incident is left alone rather than guessed at.
#[derive(Debug, Error)]
#[error("a stored record cannot be read: {0}")]
pub struct Unreadable(String);

#[derive(Serialize)]
struct Written<'a> {
    v: u8,
    at: DateTime<Utc>,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Read {
    v: u8,
    at: DateTime<Utc>,
    event: serde_json::Value,
}

/// To text.
pub fn encode(record: &Record) -> String {
    serde_json::to_string(&Written { v: FORM, at: record.at, event: &record.event })
        .expect("events are plain data with string keys")
}

/// From text, whatever version wrote it.
pub fn decode(text: &str) -> Result<Record, Unreadable> {
    let read: Read = serde_json::from_str(text).map_err(|e| Unreadable(e.to_string()))?;
    if read.v != FORM {
        return Err(Unreadable(format!("its form is {} and this program knows {FORM}; a newer one wrote it", read.v)));
    }
    let event = serde_json::from_value(read.event).map_err(|e| Unreadable(e.to_string()))?;
    Ok(Record { at: read.at, event })
}
