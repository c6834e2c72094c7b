//! CloudTrail's logs in S3, asked through Athena. It only reads, and it costs money.

use async_trait::async_trait;

use super::CloudError;
use crate::domain::hunt::athena::LogQuestion;
use crate::domain::id::AccountId;
use crate::domain::incident::logs::Estimate;

/// How a query stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It has not come to its end.
    Running,
    /// Its rows can be read.
    Succeeded {
        /// Bytes that it has scanned.
        bytes: u64,
    },
    /// It has ended without any.
    Failed {
        /// Why, in AWS's words.
        why: String,
        /// Bytes that it has scanned, where they are billed: those of a query that was ended are, of one that failed
        /// they are not.
        billed: Option<u64>,
    },
}

/// One page of what a query has found.
#[derive(Clone, Debug, Default)]
pub struct RowsPage {
    /// Records as CloudTrail wrote them, as far as the table has their parts. Secrets are in them: keep none as it is.
    pub records: Vec<String>,
    /// Rows, whether or not they could be read as records.
    pub rows: u64,
    /// How to go on; absent on the last page.
    pub next: Option<String>,
}

/// Where the logs of an account can be searched; an account for which nothing is set up refuses.
#[async_trait]
pub trait LogArchive: Send + Sync {
    /// What a search would read. What cannot be found out is in the answer.
    async fn estimate(&self, account: &AccountId, _: &LogQuestion) -> Result<Estimate, CloudError> {
        Err(not_set_up(account))
    }

    /// Has Athena run the search, and gives its name for it: for the same token always the same one, and it runs once.
    async fn start(&self, account: &AccountId, _: &LogQuestion, _token: &str) -> Result<String, CloudError> {
        Err(not_set_up(account))
    }

    /// How it stands.
    async fn progress(&self, account: &AccountId, _execution: &str) -> Result<Progress, CloudError> {
        Err(not_set_up(account))
    }

    /// Reads one page of what it has found.
    async fn rows(&self, account: &AccountId, _execution: &str, _after: Option<&str>) -> Result<RowsPage, CloudError> {
        Err(not_set_up(account))
    }

    /// Stops it. Harmless when it has ended.
    async fn stop(&self, account: &AccountId, _execution: &str) -> Result<(), CloudError> {
        Err(not_set_up(account))
    }
}

fn not_set_up(account: &AccountId) -> CloudError {
    CloudError::Refused {
        operation: "athena".into(),
        code: "NotSetUp".into(),
        message: format!("irp.toml has no [account.athena] for account {account}"),
    }
}
