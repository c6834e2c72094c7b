//! The time that the workspace and the account show: real time, or real time run faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

/// A clock that starts at the real time and runs `speed` times as fast. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock {
    started_at: DateTime<Utc>,
    started: Instant,
    speed: u32,
    skipped_ms: Arc<AtomicI64>,
}

impl Clock {
    /// `speed` 1 is real time; 0 is taken as 1.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new(speed: u32) -> Self {
        Self { started_at: Utc::now(), started: Instant::now(), speed: speed.max(1), skipped_ms: Arc::default() }
    }

    /// The time shown.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let real_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ms = real_ms.saturating_mul(i64::from(self.speed)) + self.skipped_ms.load(Ordering::SeqCst);
        self.started_at + TimeDelta::milliseconds(ms)
    }

    /// When the machine's clock, by which SDKs go, will show what this one shows at `at`.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn real(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        Utc::now() + (at - self.now()) / i32::try_from(self.speed).unwrap_or(i32::MAX)
    }

    /// What this one shows when the machine's clock shows `real`.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn shown(&self, real: DateTime<Utc>) -> DateTime<Utc> {
        self.now() + (real - Utc::now()) * i32::try_from(self.speed).unwrap_or(i32::MAX)
    }

    /// How many seconds pass here in one real second.
    #[must_use]
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// Jumps ahead, for a test that must not wait.
    pub fn advance(&self, by: TimeDelta) {
        self.skipped_ms.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}
