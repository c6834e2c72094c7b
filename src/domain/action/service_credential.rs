//! A credential of a user's for one service, as for `CodeCommit`, Amazon Keyspaces or Amazon Bedrock's API keys. It works
//! without a session: no revocation touches it.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, something_else};
use super::key::REACTIVATE_REFUSED;
use super::{Action, ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::id::RequestId;
use crate::domain::observation::{KeyStatus, Observation, Probe, ServiceCredential};
use crate::domain::policy::ActionClass;

/// Sets a user's service-specific credential to Inactive.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeactivateServiceCredential {
    /// The user.
    pub user_name: String,
    /// `ACCA…`
    pub credential_id: String,
}

impl DeactivateServiceCredential {
    fn status<'a>(&self, seen: &'a Observation) -> Option<&'a Option<KeyStatus>> {
        match seen {
            Observation::ServiceCredential(ServiceCredential { credential_id, status, .. })
                if *credential_id == self.credential_id =>
            {
                Some(status)
            }
            _ => None,
        }
    }
}

impl Change for DeactivateServiceCredential {
    fn kind(&self) -> &'static str {
        "deactivate-service-credential"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn target(&self) -> &str {
        &self.credential_id
    }

    fn title(&self) -> String {
        format!("Deactivate service-specific credential {} of user {}", self.credential_id, self.user_name)
    }

    fn effect(&self) -> String {
        "What signs in to its service with it fails from then on. Whatever else uses this credential stops working."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::ServiceCredential { user_name: self.user_name.clone(), credential_id: self.credential_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Self { user_name, credential_id } = self.clone();
        match self.status(before) {
            None => wrong_answer(),
            Some(None) => Err(format!("User {user_name} has no service-specific credential {credential_id} any more.")),
            Some(Some(KeyStatus::Inactive)) => {
                Err(format!("Service-specific credential {credential_id} is already Inactive."))
            }
            Some(Some(KeyStatus::Active)) => {
                let status = KeyStatus::Inactive;
                let call = ApiCall::UpdateServiceSpecificCredential {
                    user_name,
                    service_specific_credential_id: credential_id,
                    status,
                };
                Ok(WorkedOut::plain(vec![call], Inverse::None(REACTIVATE_REFUSED.to_owned())))
            }
        }
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.status(before), self.status(now)) else { return something_else() };
        match is {
            Some(KeyStatus::Inactive) => Freshness::AlreadyDone,
            None => Freshness::Changed("the credential has been deleted".to_owned()),
            Some(KeyStatus::Active) if is == was => Freshness::AsApproved,
            Some(KeyStatus::Active) => Freshness::Changed("the credential's status has changed".to_owned()),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        self.status(now) == Some(&Some(KeyStatus::Inactive))
    }

    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        Some(Err(REACTIVATE_REFUSED.to_owned()))
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match self.status(now) {
            Some(Some(KeyStatus::Active)) => {
                Err(format!("service-specific credential {} is Active again", self.credential_id))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Identity;

    fn off() -> Action {
        Action::DeactivateServiceCredential(DeactivateServiceCredential {
            user_name: "ci".into(),
            credential_id: "ACCA1".into(),
        })
    }

    fn seen(credential_id: &str, status: Option<KeyStatus>) -> Observation {
        let owner = Identity { id: "AIDA1".into(), arn: "arn:aws:iam::111122223333:user/ci".into(), path: "/".into() };
        Observation::ServiceCredential(ServiceCredential { owner, credential_id: credential_id.into(), status })
    }

    #[test]
    fn an_active_one_is_switched_off_and_nothing_else_is_asked_for() {
        let (active, inactive, gone) =
            (seen("ACCA1", Some(KeyStatus::Active)), seen("ACCA1", Some(KeyStatus::Inactive)), seen("ACCA1", None));
        let work = off().work_out(&active).unwrap();
        let words = work.calls.iter().map(|call| call.cli("us-east-1")).collect::<Vec<_>>();
        assert_eq!(
            words,
            [
                "aws iam update-service-specific-credential --user-name ci --service-specific-credential-id ACCA1 --status \
              Inactive"
            ]
        );
        assert!(work.calls[0].resource_in(&active.arns()).is_some());
        assert!(off().work_out(&inactive).unwrap_err().contains("already Inactive"));
        assert!(off().work_out(&gone).unwrap_err().contains("any more"));
        assert!(off().work_out(&seen("ACCA2", Some(KeyStatus::Active))).is_err(), "another one");
    }

    #[test]
    fn it_counts_while_it_is_off_and_on_again_is_an_alarm() {
        let (active, inactive, gone) =
            (seen("ACCA1", Some(KeyStatus::Active)), seen("ACCA1", Some(KeyStatus::Inactive)), seen("ACCA1", None));
        assert_eq!(off().freshness(&active, &active), Freshness::AsApproved);
        assert_eq!(off().freshness(&active, &inactive), Freshness::AlreadyDone);
        assert!(matches!(off().freshness(&active, &gone), Freshness::Changed(why) if why.contains("deleted")));
        assert!(off().holds(&active, &[], &inactive) && !off().holds(&active, &[], &active));
        assert!(off().still_holds(&active, &[], &inactive).is_ok() && off().still_holds(&active, &[], &gone).is_ok());
        assert!(off().still_holds(&active, &[], &active).unwrap_err().contains("Active again"));
    }
}
