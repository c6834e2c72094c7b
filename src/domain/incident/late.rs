//! A press can be handled twice: a process carries it out and dies before it ticks it off, and seconds later another takes it
//! over. What was said in between is newer, and stays.
//!
//! Each process goes by a clock of its own. What was said by one that is ahead of the clock of whoever handles the press says
//! nothing of what came first, and refuses nobody: or nobody could press anything before that clock's time has come.

use chrono::{DateTime, Utc};

use crate::domain::refusal::{Refusal, moment};

/// Refuses a press that is older than what was said since of the same thing.
pub(super) fn check(
    clicked_at: DateTime<Utc>,
    said_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    match said_at.filter(|at| clicked_at < *at && *at <= now) {
        None => Ok(()),
        Some(at) => Err(Refusal::NotApplicable(format!(
            "This press is older than what is on record of it since {}, so nothing was changed by it. Look at the newest \
             card, and press there if you still mean it.",
            moment(at)
        ))),
    }
}
