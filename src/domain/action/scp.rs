//! The organization's deny: a service control policy on the account, about one of its users or roles. Nobody inside the
//! account can change it or take it off, not even its administrator.

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::{Change, Freshness, Powers};
use super::revocation::cut_off_for_some;
use super::{Action, ApiCall, CUT_OFF, CUT_OFF_LEAD_S, Inverse, NOTHING_TO_UNDO, WorkedOut, wrong_answer};
use crate::domain::id::{AccountId, IncidentId, RequestId};
use crate::domain::observation::{ControlPolicy, Holder, Observation, Probe, ServiceControl, same_document};
use crate::domain::policy::ActionClass;

/// Stands in a planned call for the id that AWS gives the policy in the call before.
pub const NEW_POLICY: &str = "{policy-id}";
/// Service control policies that AWS lets be attached to one account.
const ATTACHED_MAX: usize = 5;
/// The type of policy, as Organizations calls it.
const SERVICE_CONTROL: &str = "SERVICE_CONTROL_POLICY";
/// What a policy's values take as a pattern or a variable: it would deny somebody else too.
const PATTERNS: [char; 3] = ['*', '?', '$'];

/// Denies everything to a user, or to a role's sessions that were issued before now, from outside the account.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DenyByScp {
    /// The incident: in the policy's name.
    pub incident: IncidentId,
    /// The account that the policy is attached to.
    pub account: AccountId,
    /// Who is denied.
    pub principal: Holder,
}

/// Takes such a policy off again, or puts back the older one that it has replaced.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LiftScp {
    /// What is taken back.
    pub of: DenyByScp,
    /// The document as it was in force before; absent when none was.
    pub previous: Option<String>,
    /// The document that the undone request has put there. Anything else is somebody else's.
    pub put: String,
    /// The request that is undone.
    pub undoes: RequestId,
}

impl DenyByScp {
    fn policy_name(&self) -> String {
        let Self { incident, account, principal } = self;
        format!("irp-{incident}-{account}-{}-{}", principal.kind(), principal.name())
    }

    /// By ARN, so that it also is whoever is made again under the name, and by unique id, so that a new name does not
    /// lead out of it. A user's own keys have no issue time: they are denied whatever the hour.
    fn document(&self, seen: &ServiceControl) -> String {
        let is_role = matches!(self.principal, Holder::Role(_));
        let deny = |sid: &str, mut condition: Value| {
            if is_role {
                condition["DateLessThan"] = json!({ "aws:TokenIssueTime": CUT_OFF });
            }
            json!({ "Sid": sid, "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition })
        };
        let id = &seen.identity.id;
        let by_id = if is_role {
            json!({ "StringLike": { "aws:userid": format!("{id}:*") } })
        } else {
            json!({ "StringEquals": { "aws:userid": id } })
        };
        let by_arn = json!({ "ArnEquals": { "aws:PrincipalArn": seen.identity.arn } });
        json!({ "Version": "2012-10-17", "Statement": [deny("ByArn", by_arn), deny("ById", by_id)] }).to_string()
    }

    /// Why AWS would not take it, or why it would do nothing.
    fn refused(&self, seen: &ServiceControl) -> Option<String> {
        let (account, root) = (&self.account, &seen.root_id);
        if seen.is_management {
            return Some(format!(
                "Account {account} is the management account of the organization, and service control policies do not \
                 bind it. The steps inside the account are all there is."
            ));
        }
        if !seen.all_features {
            return Some(
                "The organization has consolidated billing only, without service control policies. Whoever runs it: \
                 aws organizations enable-all-features."
                    .to_owned(),
            );
        }
        if !seen.enabled {
            return Some(format!(
                "Service control policies are switched off in the organization. Whoever runs it: aws organizations \
                 enable-policy-type --root-id {root} --policy-type {SERVICE_CONTROL}. After that ask for this again."
            ));
        }
        if seen.identity.path.starts_with("/aws-service-role/") {
            return Some("Service control policies do not bind service-linked roles.".to_owned());
        }
        if seen.identity.arn.contains(PATTERNS) {
            return Some(format!(
                "{} has a character that a policy takes as a pattern or a variable: the deny could be about others. Use \
                 the steps inside the account.",
                seen.identity.arn
            ));
        }
        (seen.in_force().is_none() && seen.attached.len() >= ATTACHED_MAX).then(|| full(account, seen))
    }

    fn create(&self, content: String) -> ApiCall {
        let Self { incident, account, principal } = self;
        ApiCall::CreatePolicy {
            name: self.policy_name(),
            r#type: SERVICE_CONTROL.to_owned(),
            description: format!("{incident}: denies {} of account {account}", principal.in_words()),
            tags: format!("Key=irp-incident,Value={incident}"),
            content,
        }
    }

    fn attach(&self, policy_id: &str) -> ApiCall {
        ApiCall::AttachPolicy { policy_id: policy_id.to_owned(), target_id: self.account.to_string() }
    }

    fn detach(&self, policy_id: &str) -> ApiCall {
        ApiCall::DetachPolicy { policy_id: policy_id.to_owned(), target_id: self.account.to_string() }
    }
}

fn update(policy_id: &str, content: String) -> ApiCall {
    ApiCall::UpdatePolicy { policy_id: policy_id.to_owned(), content }
}

fn delete(policy_id: &str) -> ApiCall {
    ApiCall::DeleteControlPolicy { policy_id: policy_id.to_owned() }
}

fn full(account: &AccountId, seen: &ServiceControl) -> String {
    let names: Vec<&str> = seen.attached.values().map(String::as_str).collect();
    format!(
        "Account {account} has {} service control policies attached to it ({}), and AWS takes no more than \
         {ATTACHED_MAX}: put two of them into one, or undo one of an older incident. After that ask for this again.",
        names.len(),
        names.join(", ")
    )
}

fn control(seen: &Observation) -> Option<&ServiceControl> {
    match seen {
        Observation::ServiceControl(seen) => Some(seen),
        _ => None,
    }
}

/// A document with its moment taken out: what is left says whom it denies.
fn without_cut_off(document: &str) -> String {
    match cut_off_for_some(document) {
        Some(at) => document.replace(&at.to_rfc3339_opts(SecondsFormat::Secs, true), CUT_OFF),
        None => document.to_owned(),
    }
}

/// The document that the calls put there.
fn put_by(sent: &[ApiCall]) -> Option<&str> {
    sent.iter().find_map(ApiCall::document)
}

impl Change for DenyByScp {
    fn kind(&self) -> &'static str {
        "deny-by-scp"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn powers(&self) -> Powers {
        Powers::ContainFromOrganization
    }

    fn target(&self) -> &str {
        self.principal.name()
    }

    fn title(&self) -> String {
        match &self.principal {
            Holder::Role(name) => format!("Deny the older sessions of role {name} from the organization"),
            other => format!("Deny everything to {} from the organization", other.in_words()),
        }
    }

    fn effect(&self) -> String {
        let outside = format!(
            "A service control policy that is attached to account {}: nobody inside the account can change it or take it \
             off. An account takes {ATTACHED_MAX} at most.",
            self.account
        );
        match &self.principal {
            Holder::Role(name) => {
                let anew = if name.starts_with("AWSReservedSSO_") {
                    "Whoever is signed in to IAM Identity Center gets a new session by themselves: disable the user there \
                     first."
                } else {
                    "Whoever may still assume the role can get a new session."
                };
                format!(
                    "Denies every action to all sessions of this role issued before the call plus {CUT_OFF_LEAD_S} s, \
                     whoever holds them. {anew} {outside}"
                )
            }
            _ => format!(
                "Denies every action to this user, with any of its keys and sessions: everything that works as this user \
                 stops. Sessions of GetFederationToken go by another name: revoking the user's sessions is for them. \
                 {outside}"
            ),
        }
    }

    fn probe(&self) -> Probe {
        Probe::ServiceControl { principal: self.principal.clone(), policy_name: self.policy_name() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(seen) = control(before) else { return wrong_answer() };
        if let Some(why) = self.refused(seen) {
            return Err(why);
        }
        let content = self.document(seen);
        let (calls, back) = match (&seen.policy, seen.in_force()) {
            (None, _) => {
                let back = vec![self.detach(NEW_POLICY), delete(NEW_POLICY)];
                (vec![self.create(content), self.attach(NEW_POLICY)], back)
            }
            // Left behind by a try that was broken off, or detached by somebody.
            (Some(ControlPolicy { id, .. }), None) => {
                (vec![update(id, content), self.attach(id)], vec![self.detach(id), delete(id)])
            }
            (_, Some(policy)) if same_document(&policy.content, &content) => {
                return Err(format!("Policy {} denies this already.", self.policy_name()));
            }
            (_, Some(ControlPolicy { id, content: was, .. })) => {
                (vec![update(id, content)], vec![update(id, was.clone())])
            }
        };
        let cut_off_not_before = seen.in_force().and_then(|policy| cut_off_for_some(&policy.content));
        Ok(WorkedOut { calls, cut_off_not_before, inverse: Inverse::Calls(back) })
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (control(before), control(now)) else {
            return Freshness::Changed("AWS answered about something else".to_owned());
        };
        let changed = |what: &str| Freshness::Changed(format!("{what} since"));
        if was.identity != is.identity {
            changed("its name or path has been changed")
        } else if is.in_force().is_some_and(|policy| same_document(&policy.content, &self.document(is))) {
            Freshness::AlreadyDone
        } else if was.policy != is.policy || was.in_force() != is.in_force() {
            changed(&format!("policy {} has been changed", self.policy_name()))
        } else {
            self.refused(is).map_or(Freshness::AsApproved, Freshness::Changed)
        }
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let in_force = control(now).filter(|seen| seen.enabled).and_then(ServiceControl::in_force);
        in_force.zip(put_by(sent)).is_some_and(|(policy, put)| same_document(&policy.content, put))
    }

    fn is_repeatable(&self) -> bool {
        matches!(self.principal, Holder::Role(_))
    }

    fn undo(&self, before: &Observation, sent: &[ApiCall], undoes: RequestId) -> Option<Result<Action, String>> {
        let Some(put) = put_by(sent) else { return Some(Err(NOTHING_TO_UNDO.to_owned())) };
        let previous = control(before).and_then(ServiceControl::in_force).map(|policy| policy.content.clone());
        Some(Ok(Action::LiftScp(LiftScp { of: self.clone(), previous, put: put.to_owned(), undoes })))
    }

    fn still_holds(&self, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        let (Some(seen), Some(put)) = (control(now), put_by(sent)) else { return Ok(()) };
        let name = self.policy_name();
        match (&seen.policy, seen.in_force()) {
            _ if !seen.enabled => Err("service control policies have been switched off in the organization".to_owned()),
            (None, _) => Err(format!("service control policy {name} is gone")),
            (_, None) => Err(format!("service control policy {name} has been detached from account {}", self.account)),
            (_, Some(policy)) if cut_off_for_some(&policy.content) < cut_off_for_some(put) => {
                Err(format!("service control policy {name} has an earlier cut-off than the one that was put"))
            }
            (_, Some(policy)) if same_document(&without_cut_off(&policy.content), &without_cut_off(put)) => Ok(()),
            (_, Some(_)) => Err(format!("service control policy {name} no longer says what was put")),
        }
    }
}

impl Change for LiftScp {
    fn kind(&self) -> &'static str {
        "lift-scp"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Loosen
    }

    fn powers(&self) -> Powers {
        Powers::ContainFromOrganization
    }

    fn target(&self) -> &str {
        self.of.target()
    }

    fn title(&self) -> String {
        let what = if self.previous.is_some() { "put back the older deny for" } else { "take off the deny for" };
        format!("Undo {}: {what} {} from the organization", self.undoes, self.of.principal.in_words())
    }

    fn effect(&self) -> String {
        "Everything that the policy denies is allowed again as far as the account's own policies allow it: to the attacker \
         too, if they still have a key or a session."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        self.of.probe()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(seen) = control(before) else { return wrong_answer() };
        let Some(policy) = seen.in_force() else {
            return Err("The policy is no longer on the account: nothing is left to undo.".to_owned());
        };
        if !same_document(&policy.content, &self.put) {
            return Err(format!(
                "Policy {} is no longer the one that {} has put there. Look at it in Organizations.",
                self.of.policy_name(),
                self.undoes
            ));
        }
        let (id, put) = (&policy.id, self.put.clone());
        Ok(match &self.previous {
            Some(previous) => {
                WorkedOut::plain(vec![update(id, previous.clone())], Inverse::Calls(vec![update(id, put)]))
            }
            None => WorkedOut::plain(
                vec![self.of.detach(id), delete(id)],
                Inverse::Calls(vec![self.of.create(put), self.of.attach(NEW_POLICY)]),
            ),
        })
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (control(before), control(now)) else {
            return Freshness::Changed("AWS answered about something else".to_owned());
        };
        if self.is_back(is) {
            Freshness::AlreadyDone
        } else if was.policy == is.policy && was.in_force() == is.in_force() {
            Freshness::AsApproved
        } else {
            Freshness::Changed(format!("policy {} has been changed since", self.of.policy_name()))
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        control(now).is_some_and(|seen| self.is_back(seen))
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let there = control(now).and_then(ServiceControl::in_force);
        there.map(|_| format!("policy {} on the account", self.of.policy_name())).into_iter().collect()
    }

    fn undoes(&self) -> Option<RequestId> {
        Some(self.undoes)
    }

    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        Some(Err("Ask for the containment step again instead.".to_owned()))
    }
}

impl LiftScp {
    /// A policy that hangs on nothing denies nothing: a later deny takes it up.
    fn is_back(&self, seen: &ServiceControl) -> bool {
        match &self.previous {
            Some(previous) => seen.in_force().is_some_and(|policy| same_document(&policy.content, previous)),
            None => seen.in_force().is_none(),
        }
    }
}

#[cfg(test)]
mod tests;
