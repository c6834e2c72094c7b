//! What logs cover as a whole: from when to when, which Regions and accounts, and whether there are data events.

use std::collections::BTreeSet;

use super::log_bucket::LogBuckets;
use super::selected::{self, Selections};

/// Regions, accounts and sources that are named.
const NAMES_MAX: usize = 200;

/// What is known about the logs as a whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Coverage {
    /// Records that could be read.
    pub read: u64,
    /// Records that could not.
    pub unreadable: u64,
    /// The earliest time of any record, as it stands there.
    pub first: Option<String>,
    /// The latest.
    pub last: Option<String>,
    /// Regions with records.
    pub regions: BTreeSet<String>,
    /// Accounts with records.
    pub accounts: BTreeSet<String>,
    /// Sources with data events.
    pub data_sources: BTreeSet<String>,
    /// Of which buckets trails record data events, where a call says so.
    pub selections: Selections,
    /// Buckets that trails deliver to, where a record says so.
    pub log_buckets: LogBuckets,
}

impl Coverage {
    /// Counts one record. What is no text is left out.
    pub fn count(&mut self, region: &[u8], account: &[u8], data_source: Option<&str>, at: &[u8]) {
        self.read += 1;
        // One file mostly has one of each.
        let name = |set: &mut BTreeSet<String>, name: &[u8]| {
            if name.is_empty() || set.iter().any(|known| known.as_bytes() == name) {
                return;
            }
            if let (true, true, Ok(name)) = (name.len() <= 64, set.len() < NAMES_MAX, str::from_utf8(name)) {
                set.insert(name.to_owned());
            }
        };
        name(&mut self.regions, region);
        name(&mut self.accounts, account);
        name(&mut self.data_sources, data_source.unwrap_or("").as_bytes());
        // Times are all written alike, so they can be compared as they stand.
        if at.len() == 20 && at.ends_with(b"Z") {
            let text = || str::from_utf8(at).ok().map(str::to_owned);
            if self.first.as_deref().is_none_or(|first| at < first.as_bytes()) {
                self.first = text().or(self.first.take());
            }
            if self.last.as_deref().is_none_or(|last| at > last.as_bytes()) {
                self.last = text().or(self.last.take());
            }
        }
    }

    /// Adds what another part of the logs covers.
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.unreadable += other.unreadable;
        self.first = [self.first.take(), other.first].into_iter().flatten().min();
        self.last = [self.last.take(), other.last].into_iter().flatten().max();
        self.regions.extend(other.regions);
        self.accounts.extend(other.accounts);
        self.data_sources.extend(other.data_sources);
        selected::merge(&mut self.selections, other.selections);
        self.log_buckets.merge(other.log_buckets);
    }
}
