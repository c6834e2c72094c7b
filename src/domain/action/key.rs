//! A user's access key.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, something_else};
use super::{Action, ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::credential::AccessKeyId;
use crate::domain::id::RequestId;
use crate::domain::observation::{KeyStatus, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Why a leaked key is never switched on again.
pub const REACTIVATE_REFUSED: &str = "A leaked key is never switched on again: whoever has it could use it at once. Make a new key for the workload instead.";

/// Sets a user's access key to Inactive.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeactivateAccessKey {
    /// The user.
    pub user_name: String,
    /// The key.
    pub access_key_id: AccessKeyId,
}

impl Change for DeactivateAccessKey {
    fn kind(&self) -> &'static str {
        "deactivate-access-key"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn target(&self) -> &str {
        self.access_key_id.as_str()
    }

    fn title(&self) -> String {
        format!("Deactivate access key {} of user {}", self.access_key_id, self.user_name)
    }

    fn effect(&self) -> String {
        "Requests signed with this key fail from then on. Sessions already minted from it live on: \
         they need their own revocation. Whatever else uses this key stops working."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::AccessKey { user_name: self.user_name.clone(), access_key_id: self.access_key_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Self { user_name, access_key_id } = self;
        let Observation::AccessKey { status, .. } = before else { return wrong_answer() };
        match status {
            None => Err(format!("User {user_name} has no key {access_key_id} any more: it has been deleted.")),
            Some(KeyStatus::Inactive) => Err(format!("Key {access_key_id} is already Inactive.")),
            Some(KeyStatus::Active) => Ok(WorkedOut::plain(
                vec![ApiCall::UpdateAccessKey {
                    user_name: user_name.clone(),
                    access_key_id: access_key_id.clone(),
                    status: KeyStatus::Inactive,
                }],
                Inverse::None(REACTIVATE_REFUSED.to_owned()),
            )),
        }
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::AccessKey { status: was, .. }, Observation::AccessKey { status: is, .. }) = (before, now)
        else {
            return something_else();
        };
        match is {
            Some(KeyStatus::Inactive) => Freshness::AlreadyDone,
            None => Freshness::Changed("the key has been deleted".to_owned()),
            Some(KeyStatus::Active) if is == was => Freshness::AsApproved,
            Some(KeyStatus::Active) => Freshness::Changed("the key's status has changed".to_owned()),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        matches!(now, Observation::AccessKey { status: Some(KeyStatus::Inactive), .. })
    }

    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        Some(Err(REACTIVATE_REFUSED.to_owned()))
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match now {
            Observation::AccessKey { status: Some(KeyStatus::Active), .. } => {
                Err(format!("key {} is Active again", self.access_key_id))
            }
            _ => Ok(()),
        }
    }
}
