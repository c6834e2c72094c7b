//! Whoever a target belongs to can have been renamed. The one place where it is decided that AWS knows a user no more.

use super::{Engine, EngineError};
use crate::domain::id::AccountId;
use crate::domain::incident::renamed;
use crate::domain::incident::state::Incident;
use crate::domain::observation::{KeyStatus, Observation, Probe};
use crate::domain::trail::token::bare_name;
use crate::ports::CloudError;

impl Engine {
    /// Reads one target, whatever its user is called by now. That nobody bears a name, or somebody else does, or that a key
    /// is not with whoever does, says nothing: the user is looked for by the key and by the unique id, and the same is asked
    /// under the name of now. It is missing only where AWS knows neither.
    pub(super) async fn look(
        &self,
        account: &AccountId,
        probe: &Probe,
        unique_id: Option<&str>,
    ) -> Result<Observation, CloudError> {
        let cloud = &self.ports.cloud;
        let seen = cloud.observe(account, probe).await?;
        let is_theirs = seen.owner_id().is_some_and(|is| unique_id.is_none_or(|id| id == is));
        if is_theirs && !matches!(seen, Observation::AccessKey { status: None, .. }) {
            return Ok(seen);
        }
        let Some(whereabouts) = probe.whereabouts(unique_id) else { return Ok(seen) };
        let found = cloud.observe(account, &whereabouts).await?;
        match found.owner_arn().map(bare_name) {
            Some(name) => cloud.observe(account, &probe.under(name)).await,
            None => Ok(seen),
        }
    }

    /// Finds out anew whose credential it is, where AWS shows its user under another name: what is asked for next goes there.
    /// Gives whether it does.
    pub(super) async fn follow<'a>(
        &self,
        incident: &Incident,
        seen: impl IntoIterator<Item = &'a Observation>,
    ) -> Result<bool, EngineError> {
        let renamed = seen.into_iter().any(|seen| renamed::shows_other_name(incident, seen));
        if renamed {
            self.identify(incident).await?;
        }
        Ok(renamed)
    }
}

/// Whether nobody can use a key any more, as AWS shows with it looked for by [`Engine::look`].
pub(super) const fn is_off(seen: &Observation) -> bool {
    matches!(
        seen,
        Observation::OwnerMissing | Observation::AccessKey { status: None | Some(KeyStatus::Inactive), .. }
    )
}
