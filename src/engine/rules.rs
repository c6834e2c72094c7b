//! The rules that this process goes by, and that every open incident names them.

use std::sync::{Arc, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Engine, EngineError};
use crate::domain::id::IncidentId;
use crate::domain::incident::command::Report;
use crate::domain::incident::rules;
use crate::domain::policy::Policy;

/// What this process goes by.
#[derive(Clone)]
pub(super) struct InForce {
    pub(super) policy: Arc<Policy>,
    /// When they were read: between two processes with different rules, whoever has read later says what goes.
    pub(super) read_at: DateTime<Utc>,
}

impl Engine {
    /// The rules in force, without the members of groups.
    pub fn rules(&self) -> Arc<Policy> {
        self.in_force().policy
    }

    pub(super) fn in_force(&self) -> InForce {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts rules in force that were read at this time. Requests that were asked under others have to be asked again:
    /// [`Self::follow_rules`].
    pub fn put_rules(&self, policy: Policy, read_at: DateTime<Utc>) {
        let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes no rules older than those that they take the place of.
        let others = in_force.policy.version != policy.version;
        let earliest = if others { in_force.read_at + TimeDelta::milliseconds(1) } else { in_force.read_at };
        *in_force = InForce { policy: Arc::new(policy), read_at: read_at.max(earliest) };
    }

    /// The same engine, whose first rules were read at this time already.
    #[must_use]
    pub fn with_rules_read_at(self, read_at: DateTime<Utc>) -> Self {
        self.in_force.write().unwrap_or_else(PoisonError::into_inner).read_at = read_at;
        self
    }

    /// Has an incident name the rules of this process, unless it names others that were read later; what was asked for under
    /// others ends. To be called again and again: others can open incidents under older rules at any time. Whether it names
    /// them now. Of a closed one it frees the keys: who closed it can have died before that.
    pub async fn follow_rules(&self, id: IncidentId) -> Result<bool, EngineError> {
        match self.report(id, || Report::RulesRead { read_at: self.in_force().read_at }).await? {
            // Its number is taken, and its first record is on its way.
            None => Ok(true),
            Some(incident) if incident.is_open() => Ok(rules::has_these(&incident, &self.rules())),
            Some(_) => {
                self.ports.store.retire(id).await?;
                Ok(true)
            }
        }
    }
}
