//! What the attacker's terminal shows: each call with the stolen credentials and how it went.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Notify;

/// Lines kept; older ones are dropped.
const LINES_MAX: usize = 200;

/// One call of the attacker's.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// When, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// The call as the AWS CLI would spell it.
    pub call: String,
    /// Whether AWS answered with success.
    pub ok: bool,
    /// What AWS answered, in one line.
    pub detail: String,
}

/// The attacker's terminal. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    lines: Arc<Mutex<VecDeque<Line>>>,
    changed: Arc<Notify>,
}

impl Terminal {
    /// Adds a line.
    pub fn push(&self, line: Line) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        self.changed.notify_waiters();
    }

    /// All lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Resolves at the next line.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}
