//! The door by which somebody from outside the account comes in, and which was always open to them: closed by a statement
//! of the bot's own in the role's trust policy, known by its name. The others stay as they are.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::{Change, Freshness, fresh_if, something_else};
use super::document::say_the_same;
use super::trust::{one_or_many, principals};
use super::{ApiCall, Inverse, WorkedOut, shell_quoted, wrong_answer};
use crate::domain::observation::{Observation, Probe, Trust};
use crate::domain::policy::ActionClass;
use crate::domain::trail::entrance::Outsider;
use crate::domain::trail::token::account_of;

/// Characters of a trust policy that IAM takes where nobody has asked for more.
const POLICY_CHARS_MAX: usize = 2_048;
/// How IAM shows a user or role in a trust policy that is gone by now: it takes no document with such a name in it.
const IDS_OF_PRINCIPALS: [&str; 2] = ["AIDA", "AROA"];

/// Denies somebody from outside that they take a role. Sessions that they have live on, so they need their own revocation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DenyOutsider {
    /// The role.
    pub role_name: String,
    /// Who.
    pub outsider: Outsider,
}

impl DenyOutsider {
    /// The statement's name.
    fn sid(&self) -> String {
        format!("IrpDeny{}", self.outsider.tag())
    }

    /// The statement, for a role with this ARN.
    fn statement(&self, role_arn: &str) -> Value {
        let deny = |principal: Value, action: &str| json!({ "Sid": self.sid(), "Effect": "Deny", "Principal": principal, "Action": action });
        match &self.outsider {
            Outsider::Account { .. } => deny(json!({ "AWS": self.account_arn(role_arn) }), "sts:AssumeRole"),
            Outsider::WebIdentity { provider, subject } => {
                let deny = deny(json!({ "Federated": provider }), "sts:AssumeRoleWithWebIdentity");
                let host = provider.split_once(":oidc-provider/").map_or(provider.as_str(), |(_, host)| host);
                only_for(deny, &format!("{host}:sub"), subject.as_deref())
            }
            Outsider::Saml { provider, subject } => {
                let deny = deny(json!({ "Federated": provider }), "sts:AssumeRoleWithSAML");
                only_for(deny, "saml:sub", subject.as_deref())
            }
        }
    }

    /// All of the other account, in the partition of the role.
    fn account_arn(&self, role_arn: &str) -> Option<String> {
        let Outsider::Account { account } = &self.outsider else { return None };
        let partition = role_arn.split(':').nth(1).unwrap_or("aws");
        Some(format!("arn:{partition}:iam::{account}:root"))
    }

    /// The own statement of a policy.
    fn own(&self, document: &str) -> Option<Value> {
        let whole: Value = serde_json::from_str(document).ok()?;
        one_or_many(&whole["Statement"]).into_iter().find(|statement| statement["Sid"] == self.sid()).cloned()
    }

    /// Whether a statement says it already, whoever has put it there.
    fn is_denied(&self, now: &Trust) -> bool {
        let wanted = without_name(self.statement(&now.identity.arn));
        let whole: Value = serde_json::from_str(&now.document).unwrap_or_default();
        one_or_many(&whole["Statement"]).into_iter().any(|is| same(&without_name(is.clone()), &wanted))
    }

    /// The policy with the own statement at its end.
    fn wanted(&self, now: &Trust) -> Result<String, String> {
        let mut policy: Value = serde_json::from_str(&now.document).map_err(|_| self.by_hand("it is no JSON"))?;
        let mut all: Vec<Value> = one_or_many(&policy["Statement"]).into_iter().cloned().collect();
        let is_one = |statement: &Value| statement["Effect"].is_string() && !statement["Principal"].is_null();
        if all.is_empty() || !all.iter().all(is_one) {
            return Err(self.by_hand("it has no list of statements that one could be added to"));
        }
        let gone = |name: &String| !name.contains(':') && IDS_OF_PRINCIPALS.iter().any(|id| name.starts_with(id));
        if let Some(gone) = principals(&now.document).into_iter().find(gone) {
            return Err(self.by_hand(&format!(
                "it names {gone}, a user or role that is gone, and IAM takes no policy with such a name in it; without \
                 that name it can be asked for again"
            )));
        }
        all.retain(|statement| statement["Sid"] != self.sid());
        all.push(self.statement(&now.identity.arn));
        policy["Statement"] = Value::Array(all);
        let document = policy.to_string();
        let chars = document.chars().count();
        if chars > POLICY_CHARS_MAX {
            return Err(self.by_hand(&format!(
                "with this statement it would have {chars} characters, and IAM takes {POLICY_CHARS_MAX}"
            )));
        }
        Ok(document)
    }

    fn put(&self, policy_document: String) -> ApiCall {
        ApiCall::UpdateAssumeRolePolicy { role_name: self.role_name.clone(), policy_document }
    }

    fn by_hand(&self, why: &str) -> String {
        let Self { role_name, outsider } = self;
        format!(
            "No statement can be added to the trust policy of role {role_name}: {why}. By hand: look at it (aws iam get-role \
             --role-name {role}), take out of it what lets in {}, and put it (aws iam update-assume-role-policy \
             --role-name {role} --policy-document file://…).",
            outsider.in_words(),
            role = shell_quoted(role_name)
        )
    }
}

/// A deny that is about one subject, where that is known.
fn only_for(mut deny: Value, key: &str, subject: Option<&str>) -> Value {
    if let Some(subject) = subject {
        deny["Condition"] = json!({ "StringEquals": { key: subject } });
    }
    deny
}

fn without_name(mut statement: Value) -> Value {
    if let Some(members) = statement.as_object_mut() {
        members.remove("Sid");
    }
    statement
}

fn same(a: &Value, b: &Value) -> bool {
    say_the_same(&a.to_string(), &b.to_string())
}

fn trust(seen: &Observation) -> Option<&Trust> {
    match seen {
        Observation::Trust(seen) => Some(seen),
        _ => None,
    }
}

impl Change for DenyOutsider {
    fn kind(&self) -> &'static str {
        "deny-outsider"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn target(&self) -> &str {
        &self.role_name
    }

    fn title(&self) -> String {
        format!("Deny {} that they take role {}", self.outsider.in_words(), self.role_name)
    }

    fn effect(&self) -> String {
        let who = match &self.outsider {
            Outsider::Account { account } => format!(
                "Nobody in account {account} can take this role any more, whoever else lets them: what they use it for \
                 by right stops too, so tell whoever runs that account."
            ),
            Outsider::WebIdentity { subject: Some(subject), provider }
            | Outsider::Saml { subject: Some(subject), provider } => {
                format!(
                    "{subject} can take this role no more by {provider}: what they use it for by right stops too, so tell \
                     them. Others for whom that provider vouches still can."
                )
            }
            Outsider::WebIdentity { provider, .. } | Outsider::Saml { provider, .. } => format!(
                "The record does not say for certain whom {provider} has vouched for, so nobody can take this role by it \
                 any more: what others use it for by right stops too, so tell them."
            ),
        };
        format!(
            "{who} It is one more statement in the role's trust policy. Sessions that were taken before live on: revoke them after this."
        )
    }

    fn probe(&self) -> Probe {
        Probe::TrustPolicy { role_name: self.role_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(now) = trust(before) else { return wrong_answer() };
        if self.is_denied(now) {
            let Self { role_name, outsider } = self;
            return Err(format!("The trust policy of role {role_name} denies {} already.", outsider.in_words()));
        }
        let back = Inverse::Calls(vec![self.put(now.document.clone())]);
        Ok(WorkedOut::plain(vec![self.put(self.wanted(now)?)], back))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        match trust(before).zip(trust(now)) {
            Some((_, is)) if self.is_denied(is) => Freshness::AlreadyDone,
            Some((was, is)) => fresh_if(say_the_same(&was.document, &is.document), "the trust policy"),
            None => something_else(),
        }
    }

    /// The whole document: an undo puts the former one, and nobody else's change with it.
    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let put = sent.iter().find_map(ApiCall::document);
        put.zip(trust(now)).is_some_and(|(put, is)| say_the_same(put, &is.document))
    }

    /// All of the other account, and whoever of it the policy names; or the provider.
    fn takes_access_from(&self, before: &Observation) -> Vec<String> {
        let Some(now) = trust(before) else { return Vec::new() };
        let account = self.account_arn(&now.identity.arn);
        let of_it = |name: &String| account.as_deref().is_some_and(|arn| account_of(name) == account_of(arn));
        let named = principals(&now.document).into_iter().filter(of_it).filter(|name| account.as_ref() != Some(name));
        let provider = self.outsider.provider().map(str::to_owned);
        account.clone().into_iter().chain(provider).chain(named).collect()
    }

    /// Whoever denies it, and whatever else has been changed since.
    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        let Some(is) = trust(now).filter(|is| !self.is_denied(is)) else { return Ok(()) };
        let (role, who) = (&self.role_name, self.outsider.in_words());
        Err(if self.own(&is.document).is_some() {
            format!("the statement that denies {who} the role {role} was changed")
        } else {
            format!("the trust policy of role {role} no longer denies {who}")
        })
    }
}

#[cfg(test)]
mod tests;
