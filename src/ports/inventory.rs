//! What exists in an account.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::CloudError;
use crate::domain::id::AccountId;
use crate::domain::inventory::Stock;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// In which Regions, besides IAM, which is in all.
    pub regions: &'a [String],
    /// What is older is only counted.
    pub since: DateTime<Utc>,
    /// Users whose keys, passwords and devices are read however many users there are.
    pub users: &'a BTreeSet<String>,
}

/// Reads a whole account. It takes a while, and the parts do not wait for each other.
#[async_trait]
pub trait Stocktaking: Send + Sync {
    /// What exists. A part that cannot be read is named in [`Stock::gaps`]; an error means that nothing could be.
    async fn stock(&self, account: &AccountId, look: Look<'_>) -> Result<Stock, CloudError>;
}
