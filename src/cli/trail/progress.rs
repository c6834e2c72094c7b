//! How far reading has come, on standard error, for people who wait.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::files::LogFile;

/// Characters of the bar.
const BAR: usize = 30;

/// Shared by all who read.
#[derive(Debug)]
pub struct Progress {
    /// Bytes read so far.
    pub bytes: AtomicU64,
    /// Records read so far.
    pub records: AtomicU64,
    all: u64,
    began: Instant,
    shown: bool,
}

impl Progress {
    /// Over these files. Only shown where somebody can see it.
    pub fn new(files: &[LogFile]) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            all: files.iter().map(|file| file.bytes).sum(),
            began: Instant::now(),
            shown: stderr().is_terminal(),
        }
    }

    /// Draws it anew.
    pub fn show(&self, what: &str) {
        if !self.shown {
            return;
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        let percent = (bytes.saturating_mul(100) / self.all.max(1)).min(100);
        let full = usize::try_from(percent).unwrap_or(100) * BAR / 100;
        let records = self.records.load(Ordering::Relaxed);
        let seconds = self.began.elapsed().as_secs();
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
        let _ = write!(
            stderr(),
            "\r{bar} {percent:3} % · {} MB · {records} records · {seconds} s · {what}\x1b[K",
            bytes >> 20
        );
    }

    /// Takes it away.
    pub fn clear(&self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
