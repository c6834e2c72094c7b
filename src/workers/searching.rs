//! One process at a time searches an account's event history: AWS counts lookups by account and Region, and what keeps
//! their pace is in one process. Several incidents of an account are searched beside each other in it.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use crate::domain::id::AccountId;
use crate::ports::{Store, StoreError};

/// What a process searches, and the name under which it does.
#[derive(Debug)]
pub struct Searching {
    holder: String,
    /// Searches of each account. Locked while the store is asked, so that the end of one does not take the lease from
    /// another that begins.
    under_way: Mutex<BTreeMap<AccountId, usize>>,
}

impl Default for Searching {
    fn default() -> Self {
        Self { holder: hex::encode(rand::random::<[u8; 8]>()), under_way: Mutex::default() }
    }
}

impl Searching {
    /// Begins a search, unless another process is at that account: `false`.
    pub(super) async fn begin(&self, store: &dyn Store, account: &AccountId) -> Result<bool, StoreError> {
        let mut under_way = self.under_way.lock().await;
        let is_ours = store.lease_history(account, &self.holder).await?;
        if is_ours {
            *under_way.entry(account.clone()).or_default() += 1;
        }
        Ok(is_ours)
    }

    /// Says that a search goes on. What is not heard is noticed by whoever takes over.
    pub(super) async fn hold(&self, store: &dyn Store, account: &AccountId) {
        let _ = store.lease_history(account, &self.holder).await;
    }

    /// Ends a search; with the last one of an account the others may have it. A lease that could not be given back ends by
    /// itself.
    pub(super) async fn end(&self, store: &dyn Store, account: &AccountId) {
        let mut under_way = self.under_way.lock().await;
        let left = under_way.get(account).copied().unwrap_or_default().saturating_sub(1);
        if left > 0 {
            under_way.insert(account.clone(), left);
            return;
        }
        under_way.remove(account);
        let _ = store.release_history(account, &self.holder).await;
    }
}
