//! Logs that have been read lately. They are fetched whole each time all the same, so that no change goes unnoticed; but what
//! is as it was needs not be taken apart and checked again. While a crowd presses buttons, that is nearly all of it.

use std::collections::VecDeque;
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
pub(super) struct Recent(Mutex<VecDeque<Known>>);

struct Known {
    of: IncidentId,
    log: Arc<[Record]>,
    bytes: usize,
}

impl Recent {
    /// A log as it was when it was last remembered.
    pub(super) fn of(&self, id: IncidentId) -> Option<Arc<[Record]>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| known.of == id).map(|known| known.log.clone())
    }

    /// Remembers a log, and forgets those that have not changed for longest.
    pub(super) fn keep(&self, id: IncidentId, log: &[Record]) {
        let bytes: usize = log.iter().map(|record| record.text().len()).sum();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
}
