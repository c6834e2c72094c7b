//! Finds out whose credential it is. What cannot be read is named; an error means that nothing could be
//! said at all.

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::fault::fault;
use super::observe::{name_by_id, status};
use super::{AccountClients, AwsCloud, instant};
use crate::domain::credential::{AccessKeyId, PrincipalKind, Subject};
use crate::domain::id::AccountId;
use crate::domain::identification::{Identification, KnownKey};
use crate::ports::CloudError;

mod taken;

/// Tags that organisations name an owner with.
const OWNER_TAGS: [&str; 5] = ["owner", "contact", "email", "slack", "slackuserid"];
/// How far back a session's own calls are looked for: as far as event history goes.
const SESSION_DAYS: i64 = 90;

pub(super) async fn identify(
    cloud: &AwsCloud,
    subject: &Subject,
    now: DateTime<Utc>,
) -> Result<Identification, CloudError> {
    let mut found = Identification {
        kind: subject.kind.unwrap_or(PrincipalKind::Unknown),
        name: subject.name.clone(),
        arn: None,
        unique_id: None,
        session_name: None,
        taken_by: Vec::new(),
        account: subject.account.clone(),
        account_in_key: subject.access_key.as_ref().and_then(AccessKeyId::account_hint),
        account_from_sts: None,
        keys: Vec::new(),
        keys_read: false,
        owners: Vec::new(),
        not_known: Vec::new(),
    };
    if let Some(key) = &subject.access_key {
        match account_of(cloud, key).await {
            Ok(account) => found.account_from_sts = account,
            Err(error) => found.not_known.push(error.to_string()),
        }
    }
    found.account = found.account_from_sts.clone().or(found.account).or_else(|| found.account_in_key.clone());
    let Some(account) = &found.account else {
        return Err(CloudError::Refused {
            operation: "sts:GetAccessKeyInfo".into(),
            code: "NoAccount".into(),
            message: found.not_known.pop().unwrap_or_else(|| "nothing says which account it is in".into()),
        });
    };
    let account = cloud.account(account)?.clone();
    if let Some(key) = &subject.access_key {
        if key.is_long_term() {
            long_term(&account, key, subject, &mut found).await?;
        } else {
            if found.name.is_none() {
                session(&account, key, now, &mut found).await?;
            }
            taken::read(&account, key, now, &mut found).await;
        }
    }
    match found.kind {
        PrincipalKind::IamUser | PrincipalKind::FederatedUser => user(&account, subject, &mut found).await?,
        PrincipalKind::AssumedRole | PrincipalKind::ServiceLinkedRole | PrincipalKind::IdentityCenterRole => {
            role(&account, subject, &mut found).await?;
        }
        PrincipalKind::Root => {}
        PrincipalKind::Unknown => found.not_known.push(
            "What kind of principal it is. Give the ARN of the user or role in a new incident, or look again later: the \
             trail shows calls after some minutes."
                .into(),
        ),
    }
    Ok(found)
}

async fn account_of(cloud: &AwsCloud, key: &AccessKeyId) -> Result<Option<AccountId>, CloudError> {
    let asked = aws_sdk_sts::Client::new(&cloud.base).get_access_key_info().access_key_id(key.as_str()).send().await;
    let answer = asked.map_err(|e| fault("sts:GetAccessKeyInfo", &e))?;
    Ok(answer.account.and_then(|a| a.parse().ok()))
}

/// A long-term key belongs to a user, or to root: AWS names the user only.
async fn long_term(
    account: &AccountClients,
    key: &AccessKeyId,
    subject: &Subject,
    found: &mut Identification,
) -> Result<(), CloudError> {
    let asked = account.iam.get_access_key_last_used().access_key_id(key.as_str()).send().await;
    match asked.map_err(|e| fault("iam:GetAccessKeyLastUsed", &e)) {
        Ok(answer) => match answer.user_name {
            Some(name) => {
                found.kind = PrincipalKind::IamUser;
                found.name = Some(name);
            }
            None if subject.kind != Some(PrincipalKind::IamUser) => {
                found.kind = PrincipalKind::Root;
                found.name = None;
            }
            None => {}
        },
        Err(error) if error.can_retry() => return Err(error),
        Err(error) => found.not_known.push(error.to_string()),
    }
    Ok(())
}

/// A session's own calls say whose it is. The trail shows them some minutes late: none yet is a reason
/// to ask again, as is a Region that does not answer.
async fn session(
    account: &AccountClients,
    key: &AccessKeyId,
    now: DateTime<Utc>,
    found: &mut Identification,
) -> Result<(), CloudError> {
    let mut unavailable = None;
    let since = now - TimeDelta::days(SESSION_DAYS);
    for trail in account.trails().await {
        match trail.look_up(LookupAttributeKey::AccessKeyId, key.as_str(), Some(since), 1).await {
            Ok(looked) => {
                if let Some(identity) = looked.events.first().map(|e| &e["userIdentity"]) {
                    take_identity(identity, found);
                    return Ok(());
                }
            }
            Err(error) if error.can_retry() => unavailable = Some(error),
            Err(error) => found.not_known.push(format!("{}: {error}", trail.region)),
        }
    }
    Err(unavailable.unwrap_or_else(|| CloudError::Unavailable {
        operation: "cloudtrail:LookupEvents".into(),
        message: "the trail shows no call of this session yet. Calls appear after some minutes".into(),
    }))
}

fn take_identity(identity: &Value, found: &mut Identification) {
    let text = |pointer: &str| identity.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let issuer_name = text("/sessionContext/sessionIssuer/userName");
    (found.kind, found.name) = match identity["type"].as_str() {
        Some("IAMUser") => (PrincipalKind::IamUser, text("/userName")),
        Some("AssumedRole") => (PrincipalKind::AssumedRole, issuer_name),
        Some("FederatedUser") => (PrincipalKind::FederatedUser, issuer_name),
        Some("Root") => (PrincipalKind::Root, None),
        _ => return,
    };
    let principal = text("/principalId").unwrap_or_default();
    // A user's name can be another by now.
    found.unique_id = Some(&principal).filter(|id| id.starts_with("AIDA")).cloned();
    found.session_name = principal.split_once(':').map(|(_, session)| session.to_owned());
    taken::by_its_own_call(identity, found);
}

async fn user(account: &AccountClients, subject: &Subject, found: &mut Identification) -> Result<(), CloudError> {
    let Some(name) = found.name.clone() else { return Ok(()) };
    let known = subject.principal_id.clone().or_else(|| found.unique_id.clone()).filter(|id| id.starts_with("AIDA"));
    let said = found.not_known.len();
    found.unique_id = None;
    Box::pin(read_user(account, &name, subject, found)).await?;
    let Some(id) = known.filter(|id| found.unique_id.as_ref() != Some(id)) else { return Ok(()) };
    // Nobody bears the name, or somebody else does: whoever renames a user does not change its unique id.
    match name_by_id(account, &id).await {
        Ok(Some(now)) if now != name => {
            found.not_known.truncate(said);
            found.name = Some(now.clone());
            Box::pin(read_user(account, &now, subject, found)).await
        }
        // The name is right, though the user could not be read.
        Ok(Some(_)) => {
            found.unique_id = Some(id);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) if error.can_retry() => Err(error),
        Err(error) => {
            found.not_known.push(error.to_string());
            Ok(())
        }
    }
}

async fn read_user(
    account: &AccountClients,
    name: &str,
    subject: &Subject,
    found: &mut Identification,
) -> Result<(), CloudError> {
    let iam = &account.iam;
    let (user, keys) = tokio::join!(
        iam.get_user().user_name(name).send(),
        iam.list_access_keys().user_name(name).into_paginator().items().send().try_collect(),
    );
    match user.map_err(|e| fault("iam:GetUser", &e)) {
        Ok(answer) => {
            let Some(user) = answer.user else { return Ok(()) };
            compare_ids(subject, &user.user_id, found);
            found.owners = owners(user.tags.as_deref().unwrap_or_default());
            found.arn = Some(user.arn);
            found.unique_id = Some(user.user_id);
        }
        Err(error) if error.can_retry() => return Err(error),
        Err(error) => found.not_known.push(error.to_string()),
    }
    match keys.map_err(|e| fault("iam:ListAccessKeys", &e)) {
        Ok(keys) => {
            let known = keys.into_iter().filter_map(|key| {
                Some(KnownKey {
                    id: key.access_key_id?.parse().ok()?,
                    status: status(key.status.as_ref()?),
                    created_at: key.create_date.as_ref().and_then(instant),
                    last_used_at: None,
                    last_used_for: None,
                })
            });
            let mut known: Vec<KnownKey> = known.collect();
            let asked = known.iter().map(|k| iam.get_access_key_last_used().access_key_id(k.id.as_str()).send());
            let answers = futures_util::future::join_all(asked).await;
            for (key, answer) in known.iter_mut().zip(answers) {
                match answer.map_err(|e| fault("iam:GetAccessKeyLastUsed", &e)) {
                    Ok(answer) => {
                        let last = answer.access_key_last_used;
                        key.last_used_at = last.as_ref().and_then(|l| l.last_used_date.as_ref()).and_then(instant);
                        key.last_used_for = last.map(|l| format!("{} in {}", l.service_name, l.region));
                    }
                    Err(error) => found.not_known.push(format!("{}: {error}", key.id)),
                }
            }
            found.keys = known;
            found.keys_read = true;
        }
        Err(error) => found.not_known.push(error.to_string()),
    }
    Ok(())
}

async fn role(account: &AccountClients, subject: &Subject, found: &mut Identification) -> Result<(), CloudError> {
    let Some(name) = found.name.clone() else { return Ok(()) };
    let role = match account.iam.get_role().role_name(&name).send().await.map_err(|e| fault("iam:GetRole", &e)) {
        Ok(answer) => answer.role,
        Err(error) if error.can_retry() => return Err(error),
        Err(error) => {
            found.not_known.push(error.to_string());
            found.kind = PrincipalKind::of_role(&name, "");
            return Ok(());
        }
    };
    let Some(role) = role else { return Ok(()) };
    found.kind = PrincipalKind::of_role(&role.role_name, &role.path);
    compare_ids(subject, &role.role_id, found);
    if found.session_name.is_none() {
        let session = subject.principal_id.as_ref().and_then(|id| id.split_once(':'));
        found.session_name = session.map(|(_, session)| session.to_owned());
    }
    found.owners = owners(role.tags.as_deref().unwrap_or_default());
    found.arn = Some(role.arn);
    found.unique_id = Some(role.role_id);
    Ok(())
}

/// What tags say about who owns a principal. Tags are written by whoever may: they recuse, and never allow.
fn owners(tags: &[aws_sdk_iam::types::Tag]) -> Vec<String> {
    let names_owner = |key: &str| OWNER_TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(key));
    tags.iter().filter(|tag| names_owner(&tag.key)).map(|tag| tag.value.clone()).collect()
}

/// The same name with another unique id is somebody else.
fn compare_ids(subject: &Subject, unique_id: &str, found: &mut Identification) {
    let known = subject.principal_id.as_deref().map(|id| id.split(':').next().unwrap_or(id));
    if let Some(known) = known.filter(|id| id.starts_with("AIDA") || id.starts_with("AROA"))
        && known != unique_id
    {
        found.not_known.push(format!(
            "Its unique id was {known} when the bot first looked, or by the alert, and this name is now {unique_id}: it was \
             deleted and made again since."
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identification::UNIDENTIFIED;

    #[test]
    fn of_who_was_made_again_it_is_not_said_that_an_alert_named_what_the_bot_has_read_itself() {
        let subject = Subject { principal_id: Some("AIDA1".into()), ..Subject::default() };
        let mut found = UNIDENTIFIED.clone();
        compare_ids(&subject, "AIDA1", &mut found);
        assert_eq!(found.not_known, [""; 0]);
        compare_ids(&subject, "AIDA2", &mut found);
        let said = "Its unique id was AIDA1 when the bot first looked, or by the alert, and this name is now AIDA2: it was \
                    deleted and made again since.";
        assert_eq!(found.not_known, [said]);
    }
}
