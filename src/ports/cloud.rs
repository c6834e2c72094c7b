//! AWS: what it is asked, and the one way to change something there.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::{Clock, EventHistory, LogArchive, Stocktaking};
use crate::domain::action::Action;
use crate::domain::approval::{CallAnswer, Warrant};
use crate::domain::blast_radius::BlastRadius;
use crate::domain::credential::Subject;
use crate::domain::id::{AccountId, RequestId};
use crate::domain::identification::Identification;
use crate::domain::observation::{Observation, Probe};

/// The code of [`CloudError::Refused`] where AWS has answered whose a key is, and has named no user.
pub const NO_USER: &str = "NoUser";

/// AWS did not answer a question.
#[derive(Clone, Debug, Error)]
pub enum CloudError {
    /// AWS said no: the bot may not, or the question is wrong. Trying again does not help.
    #[error("{operation}: {code}: {message}")]
    Refused {
        /// The API that was called.
        operation: String,
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// Not reached, throttled, or an error of AWS's own. Trying again can help.
    #[error("{operation}: {message}")]
    Unavailable {
        /// The API that was called.
        operation: String,
        /// What happened.
        message: String,
    },
    /// The account is not in the configuration.
    #[error("account {0} is not in irp.toml: add an [[account]] for it")]
    UnknownAccount(String),
}

impl CloudError {
    /// Whether trying again can help.
    pub const fn can_retry(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// AWS. There is one way to change anything, a [`Session`], and it takes a [`Warrant`].
#[async_trait]
pub trait Cloud: EventHistory + Stocktaking + LogArchive {
    /// The ARN of the bot itself: it is never contained.
    async fn caller(&self) -> Result<String, CloudError>;

    /// Finds out whose credential it is. Parts that cannot be read are named in
    /// [`Identification::not_known`]; an error means that nothing could be said at all.
    async fn identify(&self, subject: &Subject, now: DateTime<Utc>) -> Result<Identification, CloudError>;

    /// Reads what a credential was used for in recent days and which roles it has taken: minutes behind the
    /// calls themselves, and slower than [`Self::identify`]. Gaps are named in [`BlastRadius::not_known`].
    async fn blast_radius(
        &self,
        subject: &Subject,
        found: &Identification,
        now: DateTime<Utc>,
    ) -> Result<BlastRadius, CloudError>;

    /// Whether there is a role that AWS confines to such a change: asked before people are asked for anything.
    fn has_role_for(&self, _account: &AccountId, _action: &Action) -> Result<(), CloudError> {
        Ok(())
    }

    /// Reads one target.
    async fn observe(&self, account: &AccountId, probe: &Probe) -> Result<Observation, CloudError>;

    /// Puts into safety what AWS does not keep of what a change deletes, before its first call. An error says that it
    /// could not be, and that nothing may be deleted.
    async fn keep(
        &self,
        _account: &AccountId,
        _request: RequestId,
        _action: &Action,
        _now: DateTime<Utc>,
    ) -> Result<(), CloudError> {
        Ok(())
    }

    /// Has AWS give a session that may do the calls of a warrant and nothing else, for long enough to make them. Changes
    /// nothing, so that it comes before anything is written down: an approval is not used up by a service that is away.
    async fn session(&self, warrant: &Warrant) -> Result<Box<dyn Session + '_>, CloudError>;
}

/// What AWS lets do the calls of one warrant.
#[async_trait]
pub trait Session: Send + Sync {
    /// Makes the calls of that warrant in order. One that may have been done is never made again; one that AWS has turned
    /// away only because there were too many is, within the time for the calls. Directly before each of them is sent it is
    /// looked whether the term is over: whatever had to be waited for until then can have taken long.
    async fn apply(&self, warrant: &Warrant, term: &Term<'_>) -> CallAnswer;
}

/// Why a call was not sent at the end of its [`Term`].
pub const TOO_LATE: &str = "it would have gone out so late that another process could have taken over";

/// How long calls may still be sent. After that another process may have taken over, and reads back whether they were.
pub struct Term<'a> {
    clock: &'a dyn Clock,
    until: Mutex<DateTime<Utc>>,
}

impl<'a> Term<'a> {
    /// Until then, by this clock.
    pub const fn new(clock: &'a dyn Clock, until: DateTime<Utc>) -> Self {
        Self { clock, until: Mutex::new(until) }
    }

    /// Until when, as far as is known by now.
    pub fn until(&self) -> DateTime<Utc> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has become longer.
    pub fn extend(&self, until: DateTime<Utc>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether nothing may be sent any more.
    pub fn is_over(&self) -> bool {
        self.clock.now() > self.until()
    }
}
