//! The sessions of a user or role: denied by an inline policy, and what was there before put back.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, something_else};
use super::revocation::{self, REVOKE_POLICY, cut_off_in, role_policy_call, same_documents, user_policy_call};
use super::{Action, ApiCall, CUT_OFF_LEAD_S, Inverse, NOTHING_TO_UNDO, WorkedOut, wrong_answer};
use crate::domain::id::RequestId;
use crate::domain::observation::{Observation, Probe};
use crate::domain::policy::ActionClass;

const ALREADY_GONE: &str = "The policy is no longer there: nothing is left to undo.";
const ASK_AGAIN: &str = "Ask for the containment step again instead.";

/// Denies everything to sessions that were minted from a user's keys before now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RevokeUserSessions {
    /// The user.
    pub user_name: String,
}

/// Denies everything to sessions of a role that were issued before now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RevokeRoleSessions {
    /// The role.
    pub role_name: String,
}

/// Puts a user's inline policy back as it was before a revocation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoreUserPolicy {
    /// The user.
    pub user_name: String,
    /// The document as it was; absent when there was none.
    pub previous: Option<String>,
    /// The document that the undone request has put there. Anything else is somebody else's.
    pub put: String,
    /// The request that is undone.
    pub undoes: RequestId,
}

/// Puts a role's inline policy back as it was before a revocation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoreRolePolicy {
    /// The role.
    pub role_name: String,
    /// The document as it was; absent when there was none.
    pub previous: Option<String>,
    /// The document that the undone request has put there. Anything else is somebody else's.
    pub put: String,
    /// The request that is undone.
    pub undoes: RequestId,
}

impl Change for RevokeUserSessions {
    fn kind(&self) -> &'static str {
        "revoke-user-sessions"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn target(&self) -> &str {
        &self.user_name
    }

    fn title(&self) -> String {
        format!("Revoke all sessions minted from the keys of user {}", self.user_name)
    }

    fn effect(&self) -> String {
        format!(
            "Denies every action to sessions of this user issued before the call plus {CUT_OFF_LEAD_S} s. \
             The user's long-term keys are not touched by it."
        )
    }

    fn probe(&self) -> Probe {
        Probe::UserPolicy { user_name: self.user_name.clone(), policy_name: REVOKE_POLICY.to_owned() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        revoked(before, |document| user_policy_call(&self.user_name, document))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        compared(before, now, None)
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        is_put(sent, now)
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn undo(&self, before: &Observation, sent: &[ApiCall], undoes: RequestId) -> Option<Result<Action, String>> {
        let user_name = self.user_name.clone();
        Some(
            put_over(before, sent).map(|(previous, put)| {
                Action::RestoreUserPolicy(RestoreUserPolicy { user_name, previous, put, undoes })
            }),
        )
    }

    fn still_holds(&self, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        still_denied(sent, now)
    }
}

impl Change for RevokeRoleSessions {
    fn kind(&self) -> &'static str {
        "revoke-role-sessions"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn target(&self) -> &str {
        &self.role_name
    }

    fn title(&self) -> String {
        format!("Revoke all older sessions of role {}", self.role_name)
    }

    fn effect(&self) -> String {
        format!(
            "Denies every action to all sessions of this role issued before the call plus {CUT_OFF_LEAD_S} s, \
             whoever holds them. Whoever may still assume the role can get a new session."
        )
    }

    fn probe(&self) -> Probe {
        Probe::RolePolicy { role_name: self.role_name.clone(), policy_name: REVOKE_POLICY.to_owned() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        revoked(before, |document| role_policy_call(&self.role_name, document))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        compared(before, now, None)
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        is_put(sent, now)
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn undo(&self, before: &Observation, sent: &[ApiCall], undoes: RequestId) -> Option<Result<Action, String>> {
        let role_name = self.role_name.clone();
        Some(
            put_over(before, sent).map(|(previous, put)| {
                Action::RestoreRolePolicy(RestoreRolePolicy { role_name, previous, put, undoes })
            }),
        )
    }

    fn still_holds(&self, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        still_denied(sent, now)
    }
}

/// What puts an inline policy back: a user's or a role's.
trait Restores {
    const KIND: &'static str;
    /// Of whom, for people.
    const OWNER: &'static str;

    fn owner(&self) -> &str;

    /// The document that was there, the one that was put over it, and the request that is undone.
    fn documents(&self) -> (Option<&str>, &str, RequestId);

    fn probe(&self) -> Probe;

    fn call(&self, document: Option<String>) -> ApiCall;
}

impl Restores for RestoreUserPolicy {
    const KIND: &'static str = "restore-user-policy";
    const OWNER: &'static str = "user";

    fn owner(&self) -> &str {
        &self.user_name
    }

    fn documents(&self) -> (Option<&str>, &str, RequestId) {
        (self.previous.as_deref(), &self.put, self.undoes)
    }

    fn probe(&self) -> Probe {
        Probe::UserPolicy { user_name: self.user_name.clone(), policy_name: REVOKE_POLICY.to_owned() }
    }

    fn call(&self, document: Option<String>) -> ApiCall {
        user_policy_call(&self.user_name, document)
    }
}

impl Restores for RestoreRolePolicy {
    const KIND: &'static str = "restore-role-policy";
    const OWNER: &'static str = "role";

    fn owner(&self) -> &str {
        &self.role_name
    }

    fn documents(&self) -> (Option<&str>, &str, RequestId) {
        (self.previous.as_deref(), &self.put, self.undoes)
    }

    fn probe(&self) -> Probe {
        Probe::RolePolicy { role_name: self.role_name.clone(), policy_name: REVOKE_POLICY.to_owned() }
    }

    fn call(&self, document: Option<String>) -> ApiCall {
        role_policy_call(&self.role_name, document)
    }
}

impl<R: Restores> Change for R {
    fn kind(&self) -> &'static str {
        R::KIND
    }

    fn class(&self) -> ActionClass {
        ActionClass::Loosen
    }

    fn target(&self) -> &str {
        self.owner()
    }

    fn title(&self) -> String {
        let (previous, _, undoes) = self.documents();
        format!("Undo {undoes}: {} sessions of {} {}", restoring(previous), R::OWNER, self.owner())
    }

    fn effect(&self) -> String {
        restored(self.documents().0)
    }

    fn probe(&self) -> Probe {
        Restores::probe(self)
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let (previous, put, undoes) = self.documents();
        let now = ours(before, put, undoes)?;
        let calls = vec![self.call(previous.map(str::to_owned))];
        Ok(WorkedOut::plain(calls, Inverse::Calls(vec![self.call(Some(now))])))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        compared(before, now, Some(self.documents().0))
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        is_put(sent, now)
    }

    fn undoes(&self) -> Option<RequestId> {
        Some(self.documents().2)
    }

    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        Some(Err(ASK_AGAIN.to_owned()))
    }
}

fn restoring(previous: Option<&str>) -> &'static str {
    if previous.is_some() { "put back the older deny for" } else { "remove the deny for" }
}

fn restored(previous: Option<&str>) -> String {
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

/// A policy's document; absent when there is no such policy.
type Document<'d> = Option<&'d str>;

fn document_of(of: &Observation) -> Option<Document<'_>> {
    match of {
        Observation::InlinePolicy { document, .. } => Some(document.as_deref()),
        _ => None,
    }
}

fn revoked(before: &Observation, call: impl Fn(Option<String>) -> ApiCall) -> Result<WorkedOut, String> {
    let Some(document) = document_of(before) else { return wrong_answer() };
    Ok(WorkedOut {
        calls: vec![call(Some(revocation::document()))],
        cut_off_not_before: document.and_then(cut_off_in),
        inverse: Inverse::Calls(vec![call(document.map(str::to_owned))]),
    })
}

/// With `wanted` for the document that a restoring puts back: it may be there already.
fn compared(before: &Observation, now: &Observation, wanted: Option<Document<'_>>) -> Freshness {
    let (Some(was), Some(is)) = (document_of(before), document_of(now)) else {
        return something_else();
    };
    if same_documents(was, is) {
        Freshness::AsApproved
    } else if wanted.is_some_and(|wanted| same_documents(wanted, is)) {
        Freshness::AlreadyDone
    } else {
        Freshness::Changed(format!("policy {REVOKE_POLICY} has been changed since"))
    }
}

fn is_put(sent: &[ApiCall], now: &Observation) -> bool {
    let wanted = sent.last().and_then(ApiCall::document);
    document_of(now).is_some_and(|document| same_documents(wanted, document))
}

fn still_denied(sent: &[ApiCall], now: &Observation) -> Result<(), String> {
    let Some(document) = document_of(now) else { return Ok(()) };
    let wanted = sent.iter().find_map(|call| call.document().and_then(cut_off_in));
    match document.map(cut_off_in) {
        None => Err(format!("policy {REVOKE_POLICY} is gone")),
        Some(None) => Err(format!("policy {REVOKE_POLICY} no longer denies everything to older sessions")),
        Some(is) if is < wanted => {
            Err(format!("policy {REVOKE_POLICY} has an earlier cut-off than the one that was put"))
        }
        Some(_) => Ok(()),
    }
}

/// The document that was there, and the one that was put over it.
fn put_over(before: &Observation, sent: &[ApiCall]) -> Result<(Option<String>, String), String> {
    let put = sent.iter().find_map(ApiCall::document).ok_or(NOTHING_TO_UNDO)?.to_owned();
    Ok((document_of(before).flatten().map(str::to_owned), put))
}

/// The policy as it is, if it is still the one that the undone request has put there.
fn ours(now: &Observation, put: &str, undoes: RequestId) -> Result<String, String> {
    let Some(document) = document_of(now) else { return wrong_answer() };
    match document {
        None => Err(ALREADY_GONE.to_owned()),
        Some(now) if same_documents(Some(now), Some(put)) => Ok(now.to_owned()),
        Some(_) => Err(format!(
            "Policy {REVOKE_POLICY} is no longer the one that {undoes} has put there: another revocation, perhaps of \
             another incident, has replaced it. Undo that one first, or look at the policy in IAM."
        )),
    }
}
