//! The sessions that a user of IAM Identity Center has of a permission set: denied by a statement of the bot's own in the
//! set's inline policy. Nobody in the account can change the role that AWS writes it into, and it names the user, so that
//! it is about nobody else who has the same set.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::{Change, Freshness, Powers, something_else};
use super::revocation::same_documents;
use super::{Action, ApiCall, Inverse, NOTHING_TO_UNDO, WorkedOut, wrong_answer};
use crate::domain::id::{AccountId, IncidentId, RequestId};
use crate::domain::observation::{InAccount, Observation, PermissionSet, Probe};
use crate::domain::policy::ActionClass;

/// Characters of an inline policy that Identity Center takes.
const POLICY_CHARS_MAX: usize = 32_768;
/// The condition key that names whoever a session was given to.
const USER_KEY: &str = "identitystore:UserId";
const VERSION: &str = "2012-10-17";

/// Denies everything to one user's sessions of a permission set in one account: those that run, and those to come.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DenyInPermissionSet {
    /// The incident: in the statement's name.
    pub incident: IncidentId,
    /// Where Identity Center is.
    pub region: String,
    /// The account.
    pub account: AccountId,
    /// The permission set, by name.
    pub permission_set: String,
    /// The user, by the name that sessions carry.
    pub user_name: String,
}

/// Takes that statement out of the policy again, and no other.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LiftInPermissionSet {
    /// What is taken back.
    pub of: DenyInPermissionSet,
    /// The user who is denied, by id.
    pub user_id: String,
    /// The policy as it was before; absent when there was none.
    pub previous: Option<String>,
    /// The request that is undone.
    pub undoes: RequestId,
}

fn set(seen: &Observation) -> Option<&PermissionSet> {
    match seen {
        Observation::PermissionSet(seen) => Some(seen),
        _ => None,
    }
}

/// The statements of a policy; none, when it is nothing that one could be added to.
fn statements(policy: &Value) -> Option<Vec<Value>> {
    match policy.get("Statement")? {
        Value::Array(statements) => Some(statements.clone()),
        one @ Value::Object(_) => Some(vec![one.clone()]),
        _ => None,
    }
}

impl DenyInPermissionSet {
    /// Letters and digits are all that a statement's name takes: what else is in the user's name stands there as a number,
    /// so that no two users have one.
    fn sid(&self) -> String {
        let spelt = |c: char| match c {
            'Z' => "Z5aZ".to_owned(),
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => format!("Z{:x}Z", u32::from(c)),
        };
        let incident = self.incident.to_string().replace('-', "");
        format!("Irp{incident}{}", self.user_name.chars().map(spelt).collect::<String>())
    }

    fn statement(&self, user_id: &str) -> Value {
        json!({
            "Sid": self.sid(), "Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": { "StringEquals": { USER_KEY: user_id } },
        })
    }

    fn is_own(&self, statement: &Value) -> bool {
        statement["Sid"] == self.sid()
    }

    /// The own statement of a policy.
    fn own(&self, document: Option<&str>) -> Option<Value> {
        let policy: Value = serde_json::from_str(document?).ok()?;
        statements(&policy)?.into_iter().find(|statement| self.is_own(statement))
    }

    fn denies(&self, seen: &PermissionSet, user_id: &str) -> bool {
        self.own(seen.document.as_deref()) == Some(self.statement(user_id))
    }

    /// Whether the role in the account, where there is one, says so too.
    fn is_in_force(&self, seen: &PermissionSet, user_id: &str) -> bool {
        seen.in_account != InAccount::Older && self.denies(seen, user_id)
    }

    /// The policy without the own statement, and with `own` at its end. Absent when nothing is left to say.
    fn with(&self, document: Option<&str>, own: Option<Value>) -> Result<Option<String>, String> {
        let unreadable = || {
            format!(
                "The inline policy of permission set {} has no list of statements that one could be added to: look at it \
                 in IAM Identity Center.",
                self.permission_set
            )
        };
        let mut policy = match document {
            Some(document) => serde_json::from_str(document).map_err(|_| unreadable())?,
            None => json!({ "Version": VERSION, "Statement": [] }),
        };
        let mut all = statements(&policy).ok_or_else(unreadable)?;
        all.retain(|statement| !self.is_own(statement));
        all.extend(own);
        if all.is_empty() {
            return Ok(None);
        }
        policy["Statement"] = Value::Array(all);
        Ok(Some(policy.to_string()))
    }

    /// The policy without the own statement; as it was once written, where that said the same.
    fn lifted(&self, document: Option<&str>, written: Option<&str>) -> Result<Option<String>, String> {
        let rest = self.with(document, None)?;
        let said = |document: &str| serde_json::from_str(document).ok().as_ref().and_then(statements);
        let same = |written: &&str| rest.as_deref().is_some_and(|rest| said(rest) == said(written));
        Ok(written.filter(same).map(str::to_owned).or(rest))
    }

    fn put(seen: &PermissionSet, document: Option<String>) -> ApiCall {
        let (instance_arn, permission_set_arn) = (seen.instance_arn.clone(), seen.arn.clone());
        match document {
            Some(inline_policy) => {
                ApiCall::PutInlinePolicyToPermissionSet { instance_arn, permission_set_arn, inline_policy }
            }
            None => ApiCall::DeleteInlinePolicyFromPermissionSet { instance_arn, permission_set_arn },
        }
    }

    /// Has AWS write the policy into the role of the account, if it has one.
    fn provision(&self, seen: &PermissionSet) -> Option<ApiCall> {
        (seen.in_account != InAccount::Absent).then(|| ApiCall::ProvisionPermissionSet {
            instance_arn: seen.instance_arn.clone(),
            permission_set_arn: seen.arn.clone(),
            target_type: "AWS_ACCOUNT".to_owned(),
            target_id: self.account.to_string(),
        })
    }

    fn calls(&self, seen: &PermissionSet, document: Option<String>) -> Vec<ApiCall> {
        [Self::put(seen, document)].into_iter().chain(self.provision(seen)).collect()
    }

    /// The same policy, and a role of it in the account or none: the calls that were approved still fit.
    fn compared(&self, was: &PermissionSet, is: &PermissionSet) -> Freshness {
        let has_role = |seen: &PermissionSet| seen.in_account != InAccount::Absent;
        if !same_documents(was.document.as_deref(), is.document.as_deref()) {
            Freshness::Changed(format!("the inline policy of {} has been changed since", self.permission_set))
        } else if has_role(was) == has_role(is) {
            Freshness::AsApproved
        } else {
            Freshness::Changed(format!("whether account {} has a role of it has changed since", self.account))
        }
    }
}

impl Change for DenyInPermissionSet {
    fn kind(&self) -> &'static str {
        "deny-in-permission-set"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn powers(&self) -> Powers {
        Powers::ContainFromOrganization
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.user_name
    }

    fn title(&self) -> String {
        let Self { user_name, permission_set, account, .. } = self;
        format!("Deny Identity Center user {user_name} everything in {permission_set} of account {account}")
    }

    fn effect(&self) -> String {
        let Self { account, .. } = self;
        format!(
            "The user's sessions of this permission set can do nothing any more in account {account}, those that run and \
             those to come; whoever else has the set goes on. It is one more statement in the set's inline policy. Other \
             accounts get it too when somebody next provisions the set there. Another permission set of the user's is not \
             touched by it."
        )
    }

    fn probe(&self) -> Probe {
        let Self { region, permission_set, user_name, .. } = self.clone();
        Probe::PermissionSet { region, permission_set, user_name }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(seen) = set(before) else { return wrong_answer() };
        let Self { user_name, permission_set, .. } = self;
        let Some(user_id) = &seen.user_id else {
            return Err(format!(
                "Identity Center has no user {user_name} any more, whom a policy could name. Sessions that they had live \
                 on: deny the older sessions of the role from the organization."
            ));
        };
        if self.is_in_force(seen, user_id) {
            return Err(format!("The inline policy of {permission_set} denies user {user_name} everything already."));
        }
        let was = seen.document.as_deref();
        let back = self.calls(seen, self.lifted(was, was)?);
        // Left behind by a try that was broken off.
        if self.denies(seen, user_id) {
            return Ok(WorkedOut::plain(self.provision(seen).into_iter().collect(), Inverse::Calls(back)));
        }
        let document = self.with(was, Some(self.statement(user_id)))?;
        let chars = document.as_deref().map_or(0, |document| document.chars().count());
        if chars > POLICY_CHARS_MAX {
            return Err(format!(
                "The inline policy of {permission_set} would have {chars} characters with this statement, and Identity \
                 Center takes {POLICY_CHARS_MAX}: make it shorter and ask again, or deny the older sessions of the role \
                 from the organization."
            ));
        }
        Ok(WorkedOut::plain(self.calls(seen, document), Inverse::Calls(back)))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let Some((was, is)) = set(before).zip(set(now)) else { return something_else() };
        match &is.user_id {
            now if *now != was.user_id => {
                Freshness::Changed(format!("user {} has another id than before", self.user_name))
            }
            Some(user_id) if self.is_in_force(is, user_id) => Freshness::AlreadyDone,
            _ => self.compared(was, is),
        }
    }

    fn holds(&self, before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        let user_id = set(before).and_then(|was| was.user_id.as_deref());
        set(now).zip(user_id).is_some_and(|(is, user_id)| self.is_in_force(is, user_id))
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Some(seen) = set(now) else { return Vec::new() };
        let user_id = seen.user_id.as_deref().unwrap_or_default();
        if !self.denies(seen, user_id) {
            vec![format!("the statement in the inline policy of {}", self.permission_set)]
        } else if seen.in_account == InAccount::Older {
            vec![format!("the policy in the role of account {}", self.account)]
        } else {
            Vec::new()
        }
    }

    fn undo(&self, before: &Observation, sent: &[ApiCall], undoes: RequestId) -> Option<Result<Action, String>> {
        let denied = set(before).and_then(|was| Some((was, was.user_id.clone()?))).filter(|_| !sent.is_empty());
        let Some((was, user_id)) = denied else { return Some(Err(NOTHING_TO_UNDO.to_owned())) };
        let previous = was.document.clone();
        Some(Ok(Action::LiftInPermissionSet(LiftInPermissionSet { of: self.clone(), user_id, previous, undoes })))
    }

    /// That the role has all of the set's last change is not asked: what it has been given stays in it until then.
    fn still_holds(&self, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        let Some(seen) = set(now) else { return Ok(()) };
        let put = self.own(sent.iter().find_map(ApiCall::document));
        let Self { user_name, permission_set, .. } = self;
        match (self.own(seen.document.as_deref()), put) {
            (None, _) => {
                Err(format!("the inline policy of {permission_set} no longer denies user {user_name} anything"))
            }
            (Some(is), Some(put)) if is != put => Err(format!(
                "the statement about user {user_name} in the inline policy of {permission_set} was changed"
            )),
            _ => Ok(()),
        }
    }
}

impl LiftInPermissionSet {
    fn is_back(&self, seen: &PermissionSet) -> bool {
        seen.in_account != InAccount::Older && self.of.own(seen.document.as_deref()).is_none()
    }
}

impl Change for LiftInPermissionSet {
    fn kind(&self) -> &'static str {
        "lift-in-permission-set"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Loosen
    }

    fn powers(&self) -> Powers {
        Powers::ContainFromOrganization
    }

    fn region(&self) -> &str {
        self.of.region()
    }

    fn target(&self) -> &str {
        self.of.target()
    }

    fn title(&self) -> String {
        let DenyInPermissionSet { user_name, permission_set, .. } = &self.of;
        format!("Undo {}: take the deny for Identity Center user {user_name} out of {permission_set}", self.undoes)
    }

    fn effect(&self) -> String {
        "Sessions of this permission set that the user has, or whoever holds them, can do again what the set allows. What \
         else the policy says stays."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        self.of.probe()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(seen) = set(before) else { return wrong_answer() };
        let was = seen.document.as_deref();
        let own = self.of.own(was);
        if self.is_back(seen) {
            return Err("The statement is no longer in the policy: nothing is left to undo.".to_owned());
        }
        if own.is_none() {
            let calls: Vec<ApiCall> = self.of.provision(seen).into_iter().collect();
            return Ok(WorkedOut::plain(calls.clone(), Inverse::Calls(calls)));
        }
        if own != Some(self.of.statement(&self.user_id)) {
            return Err(format!(
                "The statement is no longer the one that {} has put there. Look at it in IAM Identity Center.",
                self.undoes
            ));
        }
        let calls = self.of.calls(seen, self.of.lifted(was, self.previous.as_deref())?);
        Ok(WorkedOut::plain(calls, Inverse::Calls(self.of.calls(seen, seen.document.clone()))))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        match set(before).zip(set(now)) {
            Some((_, is)) if self.is_back(is) => Freshness::AlreadyDone,
            Some((was, is)) => self.of.compared(was, is),
            None => something_else(),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        set(now).is_some_and(|seen| self.is_back(seen))
    }

    fn undoes(&self) -> Option<RequestId> {
        Some(self.undoes)
    }

    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        Some(Err("Ask for the containment step again instead.".to_owned()))
    }
}

#[cfg(test)]
mod tests;
