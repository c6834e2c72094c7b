//! The event history of AWS, a page at a time, and where what was read of it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{CloudError, StoreError};
use crate::domain::hunt::cover::Mark;
use crate::domain::hunt::pivot::Pivot;
use crate::domain::id::{AccountId, IncidentId};

/// Whose calls are looked for.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// Those with this attribute.
    Pivot(&'a Pivot),
    /// Those that [`EventHistory::canary`] makes.
    Canaries,
}

/// One page of a question.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// In which Region.
    pub region: &'a str,
    /// What is looked for.
    pub of: Of<'a>,
    /// The earliest second.
    pub from: DateTime<Utc>,
    /// The latest second.
    pub until: DateTime<Utc>,
    /// What the page before it ended with.
    pub after: Option<&'a str>,
}

/// What a page has on it.
#[derive(Clone, Debug, Default)]
pub struct PageRead {
    /// Records as CloudTrail wrote them, the newest first. Secrets are in them: keep none as it is.
    pub records: Vec<String>,
    /// How to go on; absent on the last page. Good for the same question only, and not for long.
    pub next: Option<String>,
}

/// Where an account is looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Searched {
    /// The Regions, the one of IAM first.
    pub regions: Vec<String>,
    /// Regions that are enabled and that `irp.toml` leaves out.
    pub unwatched: Vec<String>,
    /// Why there can be others, as the end of a sentence.
    pub gap: Option<String>,
}

/// CloudTrail's event history: management events of 90 days, Region by Region, minutes late. Each question waits
/// for its turn, because AWS takes two a second in each Region of an account, whoever asks.
#[async_trait]
pub trait EventHistory: Send + Sync {
    /// The Regions of an account that are searched.
    async fn regions(&self, account: &AccountId) -> Result<Searched, CloudError>;

    /// Reads one page.
    async fn page(&self, account: &AccountId, page: Page<'_>) -> Result<PageRead, CloudError>;

    /// Makes a harmless call in a Region and returns its request id, by which the trail shows it later.
    async fn canary(&self, account: &AccountId, region: &str) -> Result<String, CloudError>;
}

/// What is kept of an incident's search through the trail.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trail {
    /// Records without secrets, by event id.
    pub records: BTreeMap<String, String>,
    /// How far what has been read, by question or Region.
    pub marks: BTreeMap<String, Mark>,
}

/// How long one process has an account's event history for itself without a word. Shorter than
/// [`super::TAKEOVER_AFTER`]: whoever takes over a dead process's work finds its lease ended.
pub const SEARCH_LEASE: Duration = Duration::from_secs(12);

/// Where a search keeps what it has read, so that a crash costs it one page.
#[async_trait]
pub trait TrailStore: Send + Sync {
    /// All that is kept of an incident.
    async fn trail(&self, id: IncidentId) -> Result<Trail, StoreError>;

    /// Keeps a page's new records, drops those that make room for them, and keeps how far what has been read with it, in
    /// one atomic step. A record that is there already stays as it is. All of it may be forgotten a month after the last
    /// page.
    async fn keep_page(
        &self,
        id: IncidentId,
        new: &BTreeMap<String, String>,
        gone: &BTreeSet<String>,
        marks: &[(&str, &Mark)],
    ) -> Result<(), StoreError>;

    /// Makes `holder` the only process that searches this account's event history, for [`SEARCH_LEASE`]; again by the same
    /// holder to go on. AWS counts lookups by account and Region: two processes would each keep to its pace and together
    /// be too fast. `false` when another is at it.
    async fn lease_history(&self, account: &AccountId, holder: &str) -> Result<bool, StoreError>;

    /// Ends a lease of this holder's.
    async fn release_history(&self, account: &AccountId, holder: &str) -> Result<(), StoreError>;
}
