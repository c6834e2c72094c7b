//! Logs that have been read lately. They are fetched whole each time all the same, so that no change goes unnoticed; but what
//! is as it was needs not be taken apart and checked again. While a crowd presses buttons, that is nearly all of it.
//!
//! And how every log has ended that was ever read or written here. Neither chain nor seal shows that the last records of one
//! are gone: who has seen them knows, and does not act on what is left.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::id::IncidentId;
use crate::domain::stored::Record;

/// Bytes of stored text that are remembered, of all logs together.
const BYTES_MAX: usize = 2 << 20;
/// The one that has changed last is remembered all the same, up to so many: a long attack makes a long log, and that is when a
/// crowd presses buttons.
const ONE_BYTES_MAX: usize = 32 << 20;

/// See the module.
#[derive(Default)]
pub(super) struct Recent {
    logs: Mutex<VecDeque<Known>>,
    /// Some hundred bytes for each incident.
    ends: Mutex<HashMap<IncidentId, End>>,
}

/// The last record of a log, as this process has seen it.
#[derive(Clone)]
pub(super) struct End {
    /// Its place, from 1.
    number: usize,
    hash: String,
}

impl End {
    /// Why a log that was fetched afterwards cannot be gone by; `None` when this record is still in its place.
    pub(super) fn missing_in(&self, log: &[Record]) -> Option<String> {
        let there = self.number.checked_sub(1).and_then(|at| log.get(at));
        there.is_none_or(|record| record.hash() != self.hash).then(|| {
            format!(
                "record {}, which this process has seen, is not in it any more: its end was cut off or replaced. A Redis \
                 that has come back without the last second of what it was given (appendfsync everysec), or another in \
                 its place, looks the same. More may have been done in AWS than it says: compare it with the cards and \
                 with CloudTrail. To go on from what is there, start every process of the bot anew",
                self.number
            )
        })
    }
}

struct Known {
    of: IncidentId,
    log: Arc<[Record]>,
    bytes: usize,
}

impl Recent {
    /// A log as it was when it was last remembered.
    pub(super) fn of(&self, id: IncidentId) -> Option<Arc<[Record]>> {
        let known = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| known.of == id).map(|known| known.log.clone())
    }

    /// Remembers a log, and forgets those that have not changed for longest.
    pub(super) fn keep(&self, id: IncidentId, log: &[Record]) {
        let bytes: usize = log.iter().map(|record| record.text().len()).sum();
        let mut known = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.of != id);
        if bytes > ONE_BYTES_MAX {
            return;
        }
        known.push_front(Known { of: id, log: log.into(), bytes });
        let mut all: usize = known.iter().map(|known| known.bytes).sum();
        while all > BYTES_MAX && known.len() > 1 {
            all -= known.pop_back().map_or(all, |forgotten| forgotten.bytes);
        }
    }

    /// How a log has ended, the last that was seen of it.
    pub(super) fn end_of(&self, id: IncidentId) -> Option<End> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Remembers that a log goes on to this record, the one of this number.
    pub(super) fn ends_at(&self, id: IncidentId, number: usize, last: &Record) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two that read at once, the slower has seen less.
        if ends.get(&id).is_none_or(|known| known.number < number) {
            ends.insert(id, End { number, hash: last.hash().to_owned() });
        }
    }
}
