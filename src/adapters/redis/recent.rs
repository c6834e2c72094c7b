//! Logs that have been read lately. They are fetched whole each time all the same, so that no change goes unnoticed; but what
//! is as it was needs not be taken apart and checked again. While a crowd presses buttons, that is nearly all of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::id::IncidentId;
use crate::domain::stored::Record;

/// Logs that are remembered, and how long each may be.
const LOGS_MAX: usize = 8;
const BYTES_MAX: usize = 2 << 20;

/// See the module.
#[derive(Default)]
pub(super) struct Recent(Mutex<VecDeque<(IncidentId, Arc<[Record]>)>>);

impl Recent {
    /// A log as it was when it was last remembered.
    pub(super) fn of(&self, id: IncidentId) -> Option<Arc<[Record]>> {
        let logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logs.iter().find(|(of, _)| *of == id).map(|(_, log)| log.clone())
    }

    /// Remembers a log, and forgets the one that has not changed for longest.
    pub(super) fn keep(&self, id: IncidentId, log: &[Record]) {
        let bytes: usize = log.iter().map(|record| record.text().len()).sum();
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|(of, _)| *of != id);
        if bytes <= BYTES_MAX {
            logs.truncate(LOGS_MAX - 1);
            logs.push_front((id, log.into()));
        }
    }
}
