//! Credentials that the attacker has given to users: keys to users that are not theirs, passwords to any.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, counted};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::credential::AccessKeyId;
use crate::domain::observation::{KeyStatus, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Deletes an access key that the attacker has made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteAccessKey {
    /// The user.
    pub user_name: String,
    /// The key.
    pub access_key_id: AccessKeyId,
}

/// Deletes a user's password for the console that the attacker knows: a door that stands open whatever has been revoked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteLoginProfile {
    /// The user.
    pub user_name: String,
}

impl Change for DeleteAccessKey {
    fn kind(&self) -> &'static str {
        "delete-access-key"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        self.access_key_id.as_str()
    }

    fn title(&self) -> String {
        format!("Delete access key {} of user {}", self.access_key_id, self.user_name)
    }

    fn effect(&self) -> String {
        "The attacker has made this key. It is switched off and then deleted; the user and its other keys are not touched. \
         Sessions minted from it live on: they need their own revocation."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::AccessKey { user_name: self.user_name.clone(), access_key_id: self.access_key_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Self { user_name, access_key_id } = self.clone();
        let Observation::AccessKey { status, .. } = before else { return wrong_answer() };
        if status.is_none() {
            return Err(format!("User {user_name} has no key {access_key_id} any more: it has been deleted."));
        }
        let off = ApiCall::UpdateAccessKey {
            user_name: user_name.clone(),
            access_key_id: access_key_id.clone(),
            status: KeyStatus::Inactive,
        };
        Ok(WorkedOut::plain(
            vec![off, ApiCall::DeleteAccessKey { user_name, access_key_id }],
            Inverse::None("A deleted key does not come back: a new one has another id and another secret.".to_owned()),
        ))
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        match now {
            Observation::AccessKey { status: Some(_), .. } => Freshness::AsApproved,
            Observation::AccessKey { status: None, .. } => Freshness::AlreadyDone,
            _ => Freshness::Changed("AWS answered about something else".to_owned()),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        matches!(now, Observation::AccessKey { status: None, .. })
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        match now {
            Observation::AccessKey { status: Some(status), .. } => vec![format!("the key, {}", status.as_str())],
            _ => Vec::new(),
        }
    }
}

impl Change for DeleteLoginProfile {
    fn kind(&self) -> &'static str {
        "delete-login-profile"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn destroys(&self) -> bool {
        true
    }

    fn target(&self) -> &str {
        &self.user_name
    }

    fn title(&self) -> String {
        format!("Delete the console password of user {}", self.user_name)
    }

    fn effect(&self) -> String {
        "The attacker knows this password. Nobody can sign in to the console as this user any more. A session in the \
         console that is open stays open: revoke the user's sessions after it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::LoginProfile { user_name: self.user_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Attached { present, .. } = before else { return wrong_answer() };
        if !present {
            return Err(format!("User {} has no password for the console any more.", self.user_name));
        }
        Ok(WorkedOut::plain(
            vec![ApiCall::DeleteLoginProfile { user_name: self.user_name.clone() }],
            Inverse::None("A password cannot be read, so it cannot be put back: set a new one by hand.".to_owned()),
        ))
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        match now {
            Observation::Attached { present: true, .. } => Freshness::AsApproved,
            _ => Freshness::AlreadyDone,
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        matches!(now, Observation::Attached { present: false, .. })
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        counted(&[(usize::from(matches!(now, Observation::Attached { present: true, .. })), "password")])
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match now {
            Observation::Attached { present: true, .. } => {
                Err(format!("user {} has a password for the console again", self.user_name))
            }
            _ => Ok(()),
        }
    }
}
