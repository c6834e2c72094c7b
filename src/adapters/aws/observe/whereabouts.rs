//! Finds a user by what stays when it is renamed: one of its keys, or its unique id.

use std::time::Duration;

use aws_sdk_iam::Client;

use super::super::AccountClients;
use super::users::KEPT;
use super::{fault, is_missing, keys, user};
use crate::domain::credential::AccessKeyId;
use crate::domain::observation::Observation;
use crate::ports::{CloudError, NO_USER};

/// The user, with all its keys. That it is missing is said only where AWS knows neither the key nor the unique id.
pub(super) async fn whereabouts(
    account: &AccountClients,
    key: Option<&AccessKeyId>,
    unique_id: Option<&str>,
) -> Result<Observation, CloudError> {
    let iam = &account.iam;
    let by_key = match key {
        Some(key) => name_by_key(iam, key, unique_id.is_some()).await?,
        None => None,
    };
    if let Some(name) = by_key {
        return called(iam, &name).await?.ok_or_else(|| moved(&name));
    }
    let Some(id) = unique_id else { return Ok(Observation::OwnerMissing) };
    let Some(name) = account.users.name(iam, id, KEPT).await? else { return Ok(Observation::OwnerMissing) };
    let is_theirs = |found: &Observation| found.owner_id() == Some(id);
    if let Some(found) = called(iam, &name).await?.filter(is_theirs) {
        return Ok(found);
    }
    // The name has been taken from it since the list was read, or it is deleted.
    let Some(name) = account.users.name(iam, id, Duration::ZERO).await? else { return Ok(Observation::OwnerMissing) };
    called(iam, &name).await?.filter(is_theirs).ok_or_else(|| moved(&name))
}

/// The user of this name, with all its keys.
async fn called(iam: &Client, name: &str) -> Result<Option<Observation>, CloudError> {
    let (owner, keys) = tokio::join!(user(iam, name), keys(iam, name));
    let Some(owner) = owner? else { return Ok(None) };
    let keys = keys?.into_iter().filter_map(|(id, status)| Some((id.parse().ok()?, status)));
    Ok(Some(Observation::UserKeys { owner_id: owner.id, owner_arn: owner.arn, keys: keys.collect() }))
}

fn moved(name: &str) -> CloudError {
    let message = format!("user {name} was there a moment ago: it is renamed or deleted at this very time");
    CloudError::Unavailable { operation: "iam:GetUser".into(), message }
}

/// Whose a key is. AWS documents no error for one that is not there, and whoever may not ask about anything but what is
/// there is told that they may not: where the user can be found otherwise, that is no answer and no fault.
async fn name_by_key(iam: &Client, key: &AccessKeyId, has_id: bool) -> Result<Option<String>, CloudError> {
    let asked = iam.get_access_key_last_used().access_key_id(key.as_str()).send().await;
    match asked.map_err(|e| fault("iam:GetAccessKeyLastUsed", &e)) {
        Ok(answer) if answer.user_name.is_none() && !has_id => Err(CloudError::Refused {
            operation: "iam:GetAccessKeyLastUsed".into(),
            code: NO_USER.into(),
            message: format!("AWS names no user for key {key}"),
        }),
        Ok(answer) => Ok(answer.user_name),
        Err(error) if is_missing(&error) || (has_id && !error.can_retry()) => Ok(None),
        Err(error) => Err(unanswered(error, key)),
    }
}

/// That AWS does not say whose a key is, with what can be done about it where it refuses.
fn unanswered(error: CloudError, key: &AccessKeyId) -> CloudError {
    match error {
        CloudError::Refused { operation, code, message } => {
            let message = format!(
                "{message} (only this call says whether another user has key {key} by now: either the reader role lacks \
                 iam:GetAccessKeyLastUsed, or AWS no longer knows the key. Give it to the role, or see for yourselves that no user \
                 has the key)"
            );
            CloudError::Refused { operation, code, message }
        }
        other => other,
    }
}

/// What the user with this unique id is called at this time.
pub(in crate::adapters::aws) async fn name_by_id(
    account: &AccountClients,
    unique_id: &str,
) -> Result<Option<String>, CloudError> {
    account.users.name(&account.iam, unique_id, Duration::ZERO).await
}
