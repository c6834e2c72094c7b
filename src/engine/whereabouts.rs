//! Whoever a target belongs to can have been renamed. The one place where it is decided that AWS knows a user no more.

use super::{Engine, EngineError};
use crate::domain::action::Action;
use crate::domain::id::AccountId;
use crate::domain::incident::renamed;
use crate::domain::incident::state::Incident;
use crate::domain::observation::{KeyStatus, Observation, Probe};
use crate::domain::refusal::Refusal;
use crate::domain::trail::token::bare_name;
use crate::ports::{CloudError, NO_USER};

impl Engine {
    /// Reads one target, whatever its user is called by now. That nobody bears a name, or somebody else does, or that a key
    /// is not with whoever does, says nothing: the user is looked for by the key and by the unique id, and the same is asked
    /// under the name of now. It is missing only where AWS knows neither. Where no unique id is known, whoever bears the name can
    /// be somebody else by now: that they do not have a key counts only once AWS has answered whose it is, and has named
    /// nobody.
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
        let found = match cloud.observe(account, &whereabouts).await {
            Err(CloudError::Refused { code, .. }) if is_theirs && code == NO_USER => return Ok(seen),
            found => found?,
        };
        match found.owner_arn().map(bare_name) {
            Some(name) => cloud.observe(account, &probe.under(name)).await,
            None => Ok(seen),
        }
    }

    /// Reads what a change is asked for on. Nothing is planned for a user under a name that it has no more: whose credential
    /// it is is found out anew first, so that the step has the new name when it is asked for again.
    pub(super) async fn read_before(
        &self,
        incident: &Incident,
        account: &AccountId,
        action: &Action,
    ) -> Result<Observation, Refusal> {
        let unread = |error: CloudError| Refusal::AwsUnread(error.to_string());
        self.ports.cloud.has_role_for(account, action).map_err(unread)?;
        let probe = action.probe();
        let seen = self.look(account, &probe, renamed::unique_id(incident, &probe)).await.map_err(unread)?;
        let Some(why) = renamed::refused(incident, &probe, &seen) else { return Ok(seen) };
        if let Err(error) = self.identify_renamed(incident, &[&seen]).await {
            tracing::warn!(incident.id = %incident.id, %error, "whose credential it is could not be found out anew");
        }
        Err(Refusal::NotApplicable(why))
    }

    /// Finds out anew whose credential it is, where AWS shows its user under another name: what is asked for next goes there.
    pub(super) async fn identify_renamed(&self, incident: &Incident, seen: &[&Observation]) -> Result<(), EngineError> {
        if seen.iter().any(|seen| renamed::shows_other_name(incident, seen)) {
            self.identify(incident).await?;
        }
        Ok(())
    }
}

/// Whether nobody can use a key any more, as AWS shows with it looked for by [`Engine::look`].
pub(super) const fn is_off(seen: &Observation) -> bool {
    matches!(seen, Observation::OwnerMissing | Observation::AccessKey { status: None | Some(KeyStatus::Inactive), .. })
}
