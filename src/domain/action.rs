//! The catalogue: each change in AWS with its literal calls, its inverse, and how to tell from AWS
//! that it holds. What is here is what an approver reads, what is executed and what is verified.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::credential::AccessKeyId;
use super::id::RequestId;
use super::observation::{KeyStatus, Observation, Probe};
use super::policy::ActionClass;

pub use call::ApiCall;
pub use revocation::{CUT_OFF, CUT_OFF_LEAD_S, REVOKE_POLICY};
use revocation::{cut_off_at, cut_off_in, role_policy_call, same_documents, user_policy_call};

mod call;
mod revocation;

/// A change in AWS, with its exact target.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Sets a user's access key to Inactive.
    DeactivateAccessKey {
        /// The user.
        user_name: String,
        /// The key.
        access_key_id: AccessKeyId,
    },
    /// Denies everything to sessions that were minted from a user's keys before now.
    RevokeUserSessions {
        /// The user.
        user_name: String,
    },
    /// Denies everything to sessions of a role that were issued before now.
    RevokeRoleSessions {
        /// The role.
        role_name: String,
    },
    /// Puts a user's inline policy back as it was before a revocation.
    RestoreUserPolicy {
        /// The user.
        user_name: String,
        /// The document as it was; absent when there was none.
        previous: Option<String>,
        /// The document that the undone request has put there. Anything else is somebody else's.
        put: String,
        /// The request that is undone.
        undoes: RequestId,
    },
    /// Puts a role's inline policy back as it was before a revocation.
    RestoreRolePolicy {
        /// The role.
        role_name: String,
        /// The document as it was; absent when there was none.
        previous: Option<String>,
        /// The document that the undone request has put there. Anything else is somebody else's.
        put: String,
        /// The request that is undone.
        undoes: RequestId,
    },
}

fn restoring(previous: Option<&str>) -> &'static str {
    if previous.is_some() { "put back the older deny for" } else { "remove the deny for" }
}

/// The calls that make a change, and those that take it back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WorkedOut {
    /// In order.
    pub calls: Vec<ApiCall>,
    /// When a document has a cut-off: the earliest it may be, because a later one is already in force.
    pub cut_off_not_before: Option<DateTime<Utc>>,
    /// How to take it back.
    pub inverse: Inverse,
}

/// How a change is taken back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverse {
    /// By these calls.
    Calls(Vec<ApiCall>),
    /// Not by this bot, and why.
    None(String),
}

/// How AWS, read just before the call, compares with what the approver saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// The same.
    AsApproved,
    /// The change is already in force.
    AlreadyDone,
    /// Something else: the approval no longer fits.
    Changed(String),
}

impl Action {
    /// The catalogue's name for it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DeactivateAccessKey { .. } => "deactivate-access-key",
            Self::RevokeUserSessions { .. } => "revoke-user-sessions",
            Self::RevokeRoleSessions { .. } => "revoke-role-sessions",
            Self::RestoreUserPolicy { .. } => "restore-user-policy",
            Self::RestoreRolePolicy { .. } => "restore-role-policy",
        }
    }

    /// Whether it tightens or loosens: policy asks for more people where it loosens.
    pub const fn class(&self) -> ActionClass {
        match self {
            Self::DeactivateAccessKey { .. } | Self::RevokeUserSessions { .. } | Self::RevokeRoleSessions { .. } => {
                ActionClass::Contain
            }
            Self::RestoreUserPolicy { .. } | Self::RestoreRolePolicy { .. } => ActionClass::Loosen,
        }
    }

    /// The name of what is changed, as a person would type it: the key, else the user or role.
    pub fn target(&self) -> &str {
        match self {
            Self::DeactivateAccessKey { access_key_id, .. } => access_key_id.as_str(),
            Self::RevokeUserSessions { user_name } | Self::RestoreUserPolicy { user_name, .. } => user_name,
            Self::RevokeRoleSessions { role_name } | Self::RestoreRolePolicy { role_name, .. } => role_name,
        }
    }

    /// Whether doing it again does something: what has come since the first time is reached too.
    pub const fn is_repeatable(&self) -> bool {
        matches!(self, Self::RevokeUserSessions { .. } | Self::RevokeRoleSessions { .. })
    }

    /// What it does, in a line, with the target's name in it.
    pub fn title(&self) -> String {
        match self {
            Self::DeactivateAccessKey { user_name, access_key_id } => {
                format!("Deactivate access key {access_key_id} of user {user_name}")
            }
            Self::RevokeUserSessions { user_name } => {
                format!("Revoke all sessions minted from the keys of user {user_name}")
            }
            Self::RevokeRoleSessions { role_name } => format!("Revoke all older sessions of role {role_name}"),
            Self::RestoreUserPolicy { user_name, undoes, previous, .. } => {
                format!("Undo {undoes}: {} sessions of user {user_name}", restoring(previous.as_deref()))
            }
            Self::RestoreRolePolicy { role_name, undoes, previous, .. } => {
                format!("Undo {undoes}: {} sessions of role {role_name}", restoring(previous.as_deref()))
            }
        }
    }

    /// What an approver must know about the consequences.
    pub fn effect(&self) -> String {
        match self {
            Self::DeactivateAccessKey { .. } => {
                "Requests signed with this key fail from then on. Sessions already minted from it live on: \
                 they need their own revocation. Whatever else uses this key stops working."
                    .to_owned()
            }
            Self::RevokeUserSessions { .. } => format!(
                "Denies every action to sessions of this user issued before the call plus {CUT_OFF_LEAD_S} s. \
                 The user's long-term keys are not touched by it."
            ),
            Self::RevokeRoleSessions { .. } => format!(
                "Denies every action to all sessions of this role issued before the call plus {CUT_OFF_LEAD_S} s, \
                 whoever holds them. Whoever may still assume the role can get a new session."
            ),
            Self::RestoreUserPolicy { previous, .. } | Self::RestoreRolePolicy { previous, .. } => {
                if previous.is_some() {
                    "Sessions issued between the older and the newer cut-off get their access back: the attacker's too, \
                     if there are any that have not expired."
                        .to_owned()
                } else {
                    "Every session that the policy denies gets its access back: the attacker's too, if it has not \
                     expired."
                        .to_owned()
                }
            }
        }
    }

    /// What to ask AWS: before planning, just before the call, and to verify.
    pub fn probe(&self) -> Probe {
        match self {
            Self::DeactivateAccessKey { user_name, access_key_id } => {
                Probe::AccessKey { user_name: user_name.clone(), access_key_id: access_key_id.clone() }
            }
            Self::RevokeUserSessions { user_name } | Self::RestoreUserPolicy { user_name, .. } => {
                Probe::UserPolicy { user_name: user_name.clone(), policy_name: REVOKE_POLICY.to_owned() }
            }
            Self::RevokeRoleSessions { role_name } | Self::RestoreRolePolicy { role_name, .. } => {
                Probe::RolePolicy { role_name: role_name.clone(), policy_name: REVOKE_POLICY.to_owned() }
            }
        }
    }

    /// Works the change out against AWS as it is. An error is a sentence: why it cannot be asked for.
    pub fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        match (self, before) {
            (_, Observation::OwnerMissing) => Err("AWS knows no such user or role any more.".to_owned()),
            (Self::DeactivateAccessKey { user_name, access_key_id }, Observation::AccessKey { status, .. }) => {
                match status {
                    None => Err(format!("User {user_name} has no key {access_key_id} any more: it has been deleted.")),
                    Some(KeyStatus::Inactive) => Err(format!("Key {access_key_id} is already Inactive.")),
                    Some(KeyStatus::Active) => Ok(WorkedOut {
                        calls: vec![ApiCall::UpdateAccessKey {
                            user_name: user_name.clone(),
                            access_key_id: access_key_id.clone(),
                            status: KeyStatus::Inactive,
                        }],
                        cut_off_not_before: None,
                        inverse: Inverse::None(REACTIVATE_REFUSED.to_owned()),
                    }),
                }
            }
            (Self::RevokeUserSessions { user_name }, Observation::InlinePolicy { document, .. }) => Ok(WorkedOut {
                calls: vec![user_policy_call(user_name, Some(revocation::document()))],
                cut_off_not_before: document.as_deref().and_then(cut_off_in),
                inverse: Inverse::Calls(vec![user_policy_call(user_name, document.clone())]),
            }),
            (Self::RevokeRoleSessions { role_name }, Observation::InlinePolicy { document, .. }) => Ok(WorkedOut {
                calls: vec![role_policy_call(role_name, Some(revocation::document()))],
                cut_off_not_before: document.as_deref().and_then(cut_off_in),
                inverse: Inverse::Calls(vec![role_policy_call(role_name, document.clone())]),
            }),
            (
                Self::RestoreUserPolicy { user_name, previous, put, undoes },
                Observation::InlinePolicy { document, .. },
            ) => {
                let now = ours(document.as_deref(), put, *undoes)?;
                Ok(WorkedOut {
                    calls: vec![user_policy_call(user_name, previous.clone())],
                    cut_off_not_before: None,
                    inverse: Inverse::Calls(vec![user_policy_call(user_name, Some(now))]),
                })
            }
            (
                Self::RestoreRolePolicy { role_name, previous, put, undoes },
                Observation::InlinePolicy { document, .. },
            ) => {
                let now = ours(document.as_deref(), put, *undoes)?;
                Ok(WorkedOut {
                    calls: vec![role_policy_call(role_name, previous.clone())],
                    cut_off_not_before: None,
                    inverse: Inverse::Calls(vec![role_policy_call(role_name, Some(now))]),
                })
            }
            _ => Err("AWS was asked about something else than the target.".to_owned()),
        }
    }

    /// Compares AWS just before the call with what the approver saw, by unique id and content.
    pub fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        match (before.owner_id(), now.owner_id()) {
            (Some(was), Some(is)) if was != is => {
                return Freshness::Changed(format!(
                    "the target was deleted and made again: its unique id was {was} and is {is}"
                ));
            }
            (_, None) => return Freshness::Changed("AWS knows no such user or role any more".to_owned()),
            _ => {}
        }
        match (self, before, now) {
            (
                Self::DeactivateAccessKey { .. },
                Observation::AccessKey { status: was, .. },
                Observation::AccessKey { status: is, .. },
            ) => match is {
                Some(KeyStatus::Inactive) => Freshness::AlreadyDone,
                None => Freshness::Changed("the key has been deleted".to_owned()),
                Some(KeyStatus::Active) if is == was => Freshness::AsApproved,
                Some(KeyStatus::Active) => Freshness::Changed("the key's status has changed".to_owned()),
            },
            (_, Observation::InlinePolicy { document: was, .. }, Observation::InlinePolicy { document: is, .. }) => {
                if same_documents(was.as_deref(), is.as_deref()) {
                    return Freshness::AsApproved;
                }
                match self {
                    Self::RestoreUserPolicy { previous, .. } | Self::RestoreRolePolicy { previous, .. }
                        if same_documents(previous.as_deref(), is.as_deref()) =>
                    {
                        Freshness::AlreadyDone
                    }
                    _ => Freshness::Changed(format!("policy {REVOKE_POLICY} has been changed since")),
                }
            }
            _ => Freshness::Changed("AWS answered about something else".to_owned()),
        }
    }

    /// Whether AWS shows that the calls, as they were sent, hold.
    pub fn holds(&self, sent: &[ApiCall], now: &Observation) -> bool {
        match (self, now) {
            (Self::DeactivateAccessKey { .. }, Observation::AccessKey { status, .. }) => {
                *status == Some(KeyStatus::Inactive)
            }
            (Self::DeactivateAccessKey { .. }, _)
            | (_, Observation::AccessKey { .. } | Observation::UserKeys { .. } | Observation::OwnerMissing) => false,
            (_, Observation::InlinePolicy { document, .. }) => {
                let wanted = sent.last().and_then(ApiCall::document);
                same_documents(wanted, document.as_deref())
            }
        }
    }

    /// Whether what was put in place still does its work, or what AWS shows instead. A later cut-off of
    /// another revocation is as good, and what has been deleted can be used by nobody.
    pub fn still_holds(&self, before: &Observation, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        if let (Some(was), Some(is)) = (before.owner_id(), now.owner_id())
            && was != is
        {
            return Err(format!("the name belongs to somebody else now: its unique id was {was} and is {is}"));
        }
        match (self, now) {
            (Self::DeactivateAccessKey { access_key_id, .. }, Observation::AccessKey { status, .. }) => match status {
                Some(KeyStatus::Active) => Err(format!("key {access_key_id} is Active again")),
                Some(KeyStatus::Inactive) | None => Ok(()),
            },
            (
                Self::RevokeUserSessions { .. } | Self::RevokeRoleSessions { .. },
                Observation::InlinePolicy { document, .. },
            ) => {
                let wanted = sent.iter().find_map(|call| call.document().and_then(cut_off_in));
                match document.as_deref().map(cut_off_in) {
                    None => Err(format!("policy {REVOKE_POLICY} is gone")),
                    Some(None) => Err(format!("policy {REVOKE_POLICY} no longer denies everything to older sessions")),
                    Some(is) if is < wanted => {
                        Err(format!("policy {REVOKE_POLICY} has an earlier cut-off than the one that was put"))
                    }
                    Some(_) => Ok(()),
                }
            }
            // Whoever has been deleted can do nothing, and an undo is nothing to watch.
            _ => Ok(()),
        }
    }
}

/// Why a leaked key is never switched on again.
pub const REACTIVATE_REFUSED: &str = "A leaked key is never switched on again: whoever has it could use it at once. Make a new key for the workload instead.";
const ALREADY_GONE: &str = "The policy is no longer there: nothing is left to undo.";

/// The policy as it is, if it is still the one that the undone request has put there.
fn ours(document: Option<&str>, put: &str, undoes: RequestId) -> Result<String, String> {
    match document {
        None => Err(ALREADY_GONE.to_owned()),
        Some(now) if same_documents(Some(now), Some(put)) => Ok(now.to_owned()),
        Some(_) => Err(format!(
            "Policy {REVOKE_POLICY} is no longer the one that {undoes} has put there: another revocation, perhaps of \
             another incident, has replaced it. Undo that one first, or look at the policy in IAM."
        )),
    }
}

impl WorkedOut {
    /// The calls as they go to AWS when the call is made at `now`.
    pub fn calls_at(&self, now: DateTime<Utc>) -> Vec<ApiCall> {
        let cut_off = cut_off_at(now, self.cut_off_not_before);
        self.calls.iter().cloned().map(|call| call.with_cut_off(cut_off)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn policy(owner_id: &str, document: Option<String>) -> Observation {
        Observation::InlinePolicy {
            owner_id: owner_id.into(),
            owner_arn: "arn:aws:iam::111122223333:role/app".into(),
            owner_path: "/".into(),
            document,
        }
    }

    #[test]
    fn the_cut_off_lies_ahead_of_the_call_and_never_moves_back() {
        let action = Action::RevokeRoleSessions { role_name: "app".into() };
        let plan = action.work_out(&policy("AROA1", None)).unwrap();
        let sent = plan.calls_at(at("2026-01-01T00:00:00Z"));
        assert!(sent[0].document().unwrap().contains("2026-01-01T00:00:30Z"));
        assert!(!sent[0].document().unwrap().contains(CUT_OFF));

        let later = sent[0].document().unwrap().replace("2026-01-01T00:00:30Z", "2026-01-01T00:40:00Z");
        let again = action.work_out(&policy("AROA1", Some(later))).unwrap();
        assert!(again.calls_at(at("2026-01-01T00:10:00Z"))[0].document().unwrap().contains("2026-01-01T00:40:00Z"));
    }

    #[test]
    fn undoing_a_revocation_puts_back_what_was_there() {
        let action = Action::RevokeUserSessions { user_name: "ci".into() };
        let before = policy("AIDA1", Some(r#"{"Version":"2012-10-17","Statement":[]}"#.into()));
        let Inverse::Calls(calls) = action.work_out(&before).unwrap().inverse else { panic!("no inverse") };
        assert!(matches!(&calls[0], ApiCall::PutUserPolicy { .. }));
        let Inverse::Calls(calls) = action.work_out(&policy("AIDA1", None)).unwrap().inverse else { panic!() };
        assert!(matches!(&calls[0], ApiCall::DeleteUserPolicy { .. }));
    }

    #[test]
    fn a_target_made_again_under_the_same_name_is_another_target() {
        let action = Action::RevokeRoleSessions { role_name: "app".into() };
        let fresh = action.freshness(&policy("AROA1", None), &policy("AROA2", None));
        assert!(matches!(fresh, Freshness::Changed(why) if why.contains("AROA2")));
    }
}
