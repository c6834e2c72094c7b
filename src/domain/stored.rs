//! The stored form of a record, with its version and its seal: what is in the log must stay readable for
//! ever, and a change to it must show.
//!
//! Each record carries the SHA-256 of the stored text of the one before it. Whoever changes, drops or
//! reorders a record breaks the chain at the next one; the last is held by the hash that reports and
//! evidence packs show.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::incident::event::Event;

mod times;

/// The form that is written; it rises with each kind of event that is new. Reading takes every form that was ever written.
const FORM: u8 = 2;

/// One entry of an incident's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was appended, by the clock of the process that did it.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
    text: String,
    hash: String,
}

/// A stored log that cannot be read. The incident is left alone rather than guessed at.
#[derive(Clone, Debug, Eq, PartialEq, Error)]
pub enum Unreadable {
    /// Not of a form that this program knows.
    #[error("record {number} cannot be read: {why}")]
    Form {
        /// Its place, from 1.
        number: usize,
        /// What is wrong.
        why: String,
    },
    /// It does not follow the record before it. Which of the two was changed, or that one is missing, cannot be told from
    /// these two alone.
    #[error(
        "record {0} does not follow the one before it: one of the two was changed, or records are missing, added or moved \
         there"
    )]
    Broken(usize),
}

#[derive(Serialize)]
struct Written<'a> {
    v: u8,
    prev: Option<&'a str>,
    at: DateTime<Utc>,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Read {
    at: DateTime<Utc>,
    event: Event,
}

impl Record {
    /// Seals an event as the one that follows the record with this hash; the first follows none.
    pub fn seal(prev: Option<&str>, at: DateTime<Utc>, event: Event) -> Self {
        let text = serde_json::to_string(&Written { v: FORM, prev, at, event: &event })
            .expect("events are plain data with string keys");
        Self { at, event, hash: hash(&text), text }
    }

    /// The stored text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the stored text, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Follows a log record by record, and notices the first that is not as it was written.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    head: Option<String>,
    records: usize,
}

#[derive(Deserialize)]
struct Form {
    v: u8,
}

/// What following a log needs, read without taking the record apart.
#[derive(Deserialize)]
struct Link<'a> {
    v: u8,
    #[serde(borrow)]
    prev: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Kind<'a>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
}

impl Chain {
    /// Goes on after a record that has been followed elsewhere: its number, and its stored text.
    pub fn from(number: usize, text: &str) -> Self {
        Self { head: Some(hash(text)), records: number }
    }

    /// Takes the next record's stored text, and says what kind of event it is.
    pub fn follow<'a>(&mut self, text: &'a str) -> Result<Cow<'a, str>, Unreadable> {
        let number = self.records + 1;
        let form = |why: String| Unreadable::Form { number, why };
        let link: Link<'a> = match serde_json::from_str(text) {
            Ok(link @ Link { v: 1..=FORM, .. }) => link,
            // The form first: a newer one may have another shape.
            other => {
                let Form { v } = serde_json::from_str(text).map_err(|e| form(e.to_string()))?;
                if !(1..=FORM).contains(&v) {
                    return Err(form(format!(
                        "its form is {v} and this program knows 1 to {FORM}: a newer one wrote it"
                    )));
                }
                other.map_err(|e| form(e.to_string()))?
            }
        };
        if link.prev.as_deref() != self.head.as_deref() {
            return Err(Unreadable::Broken(number));
        }
        self.head = Some(hash(text));
        self.records = number;
        Ok(link.event.name)
    }

    /// How many records there were.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// The hash of the last one.
    pub fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }
}

/// The event in a stored text, whatever its place in a log.
pub fn event(text: &str) -> Result<Event, serde_json::Error> {
    serde_json::from_str::<Read>(text).map(|read| read.event)
}

/// A whole log from its stored texts, whatever version wrote them, with the chain checked.
pub fn read(texts: impl IntoIterator<Item = String>) -> Result<Vec<Record>, Unreadable> {
    read_on(Vec::new(), texts)
}

/// The same, where the log has been read before. What is still the same, byte for byte, is not taken apart and checked a
/// second time; from the first that is not, all is.
pub fn read_on(mut known: Vec<Record>, texts: impl IntoIterator<Item = String>) -> Result<Vec<Record>, Unreadable> {
    let mut texts = texts.into_iter().peekable();
    let same = known.iter().take_while(|record| texts.next_if(|text| *text == record.text).is_some()).count();
    known.truncate(same);
    let mut chain = Chain { head: known.last().map(|record| record.hash.clone()), records: same };
    for text in texts {
        chain.follow(&text)?;
        let form = |e: serde_json::Error| Unreadable::Form { number: chain.records, why: e.to_string() };
        let Read { at, event } = serde_json::from_str(&text).map_err(form)?;
        if times::are_beyond(&text) {
            let why = "a time in it cannot be reckoned with".to_owned();
            return Err(Unreadable::Form { number: chain.records, why });
        }
        let hash = chain.head.clone().unwrap_or_default();
        known.push(Record { at, event, text, hash });
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<String> {
        let mut prev = None;
        let mut texts = Vec::new();
        for n in 0..4 {
            let event = Event::LeadTaken { by: format!("U{n}").parse().unwrap() };
            let record = Record::seal(prev.as_deref(), DateTime::UNIX_EPOCH, event);
            prev = Some(record.hash().to_owned());
            texts.push(record.text().to_owned());
        }
        texts
    }

    #[test]
    fn what_was_sealed_is_read_again() {
        let records = read(log()).unwrap();
        assert_eq!(records.iter().map(Record::text).collect::<Vec<_>>(), log());
    }

    #[test]
    fn every_form_that_was_ever_written_is_read_and_no_other() {
        let written = log().remove(0);
        for (form, known) in [(0, false), (1, true), (FORM, true), (FORM + 1, false)] {
            let text = written.replacen(&format!("\"v\":{FORM}"), &format!("\"v\":{form}"), 1);
            let read = read([text]);
            assert_eq!(read.is_ok(), known, "{form}: {read:?}");
        }
    }

    #[test]
    fn a_changed_dropped_or_moved_record_breaks_the_chain() {
        let mut changed = log();
        changed[1] = changed[1].replace("U1", "U9");
        assert_eq!(read(changed), Err(Unreadable::Broken(3)));
        let mut dropped = log();
        dropped.remove(1);
        assert_eq!(read(dropped), Err(Unreadable::Broken(2)));
        let mut moved = log();
        moved.swap(1, 2);
        assert_eq!(read(moved), Err(Unreadable::Broken(2)));
        let mut headless = log();
        headless.remove(0);
        assert_eq!(read(headless), Err(Unreadable::Broken(1)));
        let mut garbage = log();
        garbage[2] = "{}".into();
        assert!(matches!(read(garbage), Err(Unreadable::Form { number: 3, .. })));
    }

    #[test]
    fn what_was_read_before_makes_no_difference_to_what_is_read() {
        for known in 0..=4 {
            let again = |texts: Vec<String>| read_on(read(log().into_iter().take(known)).unwrap(), texts);
            assert_eq!(again(log()), read(log()), "{known} known");
            assert_eq!(again(log()[..2].to_vec()), read(log()[..2].to_vec()), "its end was cut off");
            for at in 0..4 {
                let mut dropped = log();
                dropped.remove(at);
                assert_eq!(again(dropped.clone()), read(dropped), "without {at}, {known} known");
                let mut changed = log();
                changed[at] = changed[at].replace('U', "W");
                assert_eq!(again(changed.clone()), read(changed), "{at} changed, {known} known");
            }
        }
    }
}
