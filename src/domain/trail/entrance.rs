//! Who has come in from outside the account: a principal of another account, or somebody for whom an identity provider
//! vouches, who has taken a session that the attacker holds. The role has always trusted them, so revoking its sessions
//! closes nothing: they take the next one.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::attribution::Who;
use super::event::Event;
use super::grant::Grant;
use super::lineage::Lineage;
use super::record::Record;
use super::resource::at;
use super::token::{account_of, role_session};
use crate::domain::id::AccountId;

/// Longest ARN or name of a provider that is kept, in bytes: the longest that IAM gives. One that is cut names another.
const PROVIDER_BYTES_MAX: usize = 320;
/// The same of whom it vouches for: the longest that the claim may be.
const SUBJECT_BYTES_MAX: usize = 255;
/// Letters of the hash that tells outsiders apart who have no account.
const TAG_CHARS: usize = 12;
/// The provider that AWS knows by name and whose users go by a `sub` that lasts. Cognito gives a guest a new one for each
/// question.
const KNOWN_BY_SUB: &str = "accounts.google.com";
/// What stands for something else in a policy's condition.
const VARIABLE: char = '$';

/// Somebody from outside.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outsider {
    /// A principal of another account.
    Account {
        /// Which.
        account: AccountId,
    },
    /// Somebody with a token of an `OpenID` Connect provider.
    WebIdentity {
        /// Its ARN, or its name where AWS knows it by itself.
        provider: String,
        /// Whom it vouches for; absent where the record does not say it for certain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
    /// Somebody with an assertion of a SAML provider.
    Saml {
        /// Its ARN.
        provider: String,
        /// Whom it vouches for; absent where the record does not say it, or it is another each time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
}

impl Outsider {
    /// What tells it from others in a name: the account, or twelve letters of a hash.
    pub fn tag(&self) -> String {
        let (kind, provider, subject) = match self {
            Self::Account { account } => return account.to_string(),
            Self::WebIdentity { provider, subject } => ("web", provider, subject),
            Self::Saml { provider, subject } => ("saml", provider, subject),
        };
        let text = format!("{kind}\n{provider}\n{}", subject.as_deref().unwrap_or_default());
        let mut tag = hex::encode(Sha256::digest(text));
        tag.truncate(TAG_CHARS);
        tag
    }

    /// For people.
    pub fn in_words(&self) -> String {
        match self {
            Self::Account { account } => format!("account {account}"),
            Self::WebIdentity { provider, subject: Some(subject) }
            | Self::Saml { provider, subject: Some(subject) } => {
                format!("{subject} of {provider}")
            }
            Self::WebIdentity { provider, .. } | Self::Saml { provider, .. } => format!("all of {provider}"),
        }
    }

    /// Whom the provider vouches for, where that is known for certain.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Account { .. } => None,
            Self::WebIdentity { subject, .. } | Self::Saml { subject, .. } => subject.as_deref(),
        }
    }

    /// The provider that vouches for it.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Account { .. } => None,
            Self::WebIdentity { provider, .. } | Self::Saml { provider, .. } => Some(provider),
        }
    }
}

/// By which door somebody has come in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Entrance {
    /// The role that they have taken, by its ARN as far as a session says it: without its path.
    pub role_arn: String,
    /// Who.
    pub outsider: Outsider,
    /// The newest call that shows it.
    pub event_id: String,
}

/// Whether a call can be one by which somebody comes in, or the other account's record of one.
pub(super) fn may_be(record: &Record<'_>, outsider: Option<&Outsider>) -> bool {
    let takes_a_role = record.source() == "sts" && record.name().starts_with("AssumeRole");
    takes_a_role && (outsider.is_some() || record.shared_event_id.is_some())
}

/// Who has called from outside.
pub(super) fn outsider(record: &Record<'_>, request: &Value, response: &Value) -> Option<Outsider> {
    let identity = &record.user_identity;
    match (record.source(), record.name(), identity.kind.as_deref()?) {
        ("sts", "AssumeRole", "AWSAccount" | "AWSPrincipal") => {
            let account: AccountId = identity.account_id.as_deref()?.parse().ok()?;
            let role = at(request, "roleArn").into_iter().next()?;
            (account_of(&role) != account.as_str()).then_some(Outsider::Account { account })
        }
        ("sts", "AssumeRoleWithWebIdentity", _) => {
            let provider = identity.identity_provider.as_deref().filter(|name| is_whole(name))?.to_owned();
            let known = provider.contains(":oidc-provider/") || provider == KNOWN_BY_SUB;
            let subject = web_subject(record, response).filter(|_| known);
            Some(Outsider::WebIdentity { provider, subject })
        }
        // The record calls the provider by its name qualifier, and the request by its ARN.
        ("sts", "AssumeRoleWithSAML", _) => {
            let provider = at(request, "principalArn").into_iter().find(|arn| is_whole(arn))?;
            // Some are given another name each time.
            let lasts = !at(response, "subjectType").iter().any(|kind| kind.ends_with("transient"));
            let subject = at(response, "subject").into_iter().find(|subject| lasts && is_certain(subject));
            Some(Outsider::Saml { provider, subject })
        }
        _ => None,
    }
}

/// Whom a web identity's provider vouches for: as the answer says it, else the last part of the caller's id.
fn web_subject(record: &Record<'_>, response: &Value) -> Option<String> {
    let identity = &record.user_identity;
    let said = at(response, "subjectFromWebIdentityToken").into_iter().next().or_else(|| {
        let name = identity.user_name.as_deref()?;
        let of_id = identity.principal_id.as_deref()?.strip_suffix(name)?;
        of_id.ends_with(':').then(|| name.to_owned())
    });
    said.filter(|subject| is_certain(subject))
}

fn is_whole(provider: &str) -> bool {
    !provider.is_empty() && provider.len() <= PROVIDER_BYTES_MAX && provider.bytes().all(|b| b.is_ascii_graphic())
}

fn is_certain(subject: &str) -> bool {
    !subject.is_empty() && subject.len() <= SUBJECT_BYTES_MAX && !subject.contains(VARIABLE)
}

/// The doors by which sessions that the attacker holds were taken from outside: each role and outsider once. Whoever's own
/// account has recorded the call as well, in what was read, is no outsider; and whose a responder says that it is, comes in
/// by right.
pub(super) fn entrances<'e>(events: &'e [Event], lineage: &Lineage) -> Vec<Entrance> {
    let held: HashSet<&str> = lineage.credentials.iter().filter(|of| of.is_key).map(|of| &*of.id).collect();
    let shared = |event: &'e Event| Some((event.shared_id.as_deref()?, &*event.account));
    let recorded: HashSet<(&str, &str)> = events.iter().filter_map(shared).collect();
    let from_within = |event: &Event, outsider: &Outsider| match (&event.shared_id, outsider) {
        (Some(shared), Outsider::Account { account }) => recorded.contains(&(&**shared, account.as_str())),
        _ => false,
    };
    let mut newest: BTreeMap<(String, &Outsider), &Event> = BTreeMap::new();
    for (event, verdict) in events.iter().zip(&lineage.verdicts) {
        let Some(outsider) = event.outsider.as_deref() else { continue };
        if matches!(verdict.who, Who::Owner | Who::Responder) || from_within(event, outsider) {
            continue;
        }
        let holder = event.grants.iter().find_map(|grant| match grant {
            Grant::Key { id, holder: Some(holder), .. } if held.contains(id.as_str()) => Some(holder),
            _ => None,
        });
        // They are in order of time.
        if let Some(role_arn) = holder.and_then(|holder| role_of(holder)) {
            newest.insert((role_arn, outsider), event);
        }
    }
    let entrance = |((role_arn, outsider), event): ((String, &Outsider), &Event)| Entrance {
        role_arn,
        outsider: outsider.clone(),
        event_id: event.id.to_string(),
    };
    newest.into_iter().map(entrance).collect()
}

/// The role of a session.
fn role_of(session: &str) -> Option<String> {
    let (account, role, _) = role_session(session)?;
    let partition = session.split(':').nth(1)?;
    Some(format!("arn:{partition}:iam::{account}:role/{role}"))
}

#[cfg(test)]
mod tests;
