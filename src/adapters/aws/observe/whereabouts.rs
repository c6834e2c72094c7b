//! Finds a user by what stays when it is renamed: one of its keys, or its unique id.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::EntityType;

use super::{fault, is_missing, keys, user};
use crate::domain::credential::AccessKeyId;
use crate::domain::observation::Observation;
use crate::ports::CloudError;

/// Users on one page.
const PAGE: i32 = 1_000;

/// The user, with all its keys. That it is missing is said only where AWS knows neither the key nor the unique id.
pub(super) async fn whereabouts(
    iam: &Client,
    key: Option<&AccessKeyId>,
    unique_id: Option<&str>,
) -> Result<Observation, CloudError> {
    let by_key = match key {
        Some(key) => name_by_key(iam, key, unique_id.is_some()).await?,
        None => None,
    };
    let name = match (by_key, unique_id) {
        (None, Some(id)) => name_by_id(iam, id).await?,
        (name, _) => name,
    };
    let Some(name) = name else { return Ok(Observation::OwnerMissing) };
    let (owner, keys) = tokio::join!(user(iam, &name), keys(iam, &name));
    let Some(owner) = owner? else {
        let message = format!("user {name} was there a moment ago: it is renamed or deleted at this very time");
        return Err(CloudError::Unavailable { operation: "iam:GetUser".into(), message });
    };
    let keys = keys?.into_iter().filter_map(|(id, status)| Some((id.parse().ok()?, status)));
    Ok(Observation::UserKeys { owner_id: owner.id, owner_arn: owner.arn, keys: keys.collect() })
}

/// Whose a key is. AWS documents no error for one that is not there, and whoever may not ask about anything but what is
/// there is told that they may not: where the user can be found otherwise, that is no answer and no fault.
async fn name_by_key(iam: &Client, key: &AccessKeyId, has_id: bool) -> Result<Option<String>, CloudError> {
    let asked = iam.get_access_key_last_used().access_key_id(key.as_str()).send().await;
    match asked.map_err(|e| fault("iam:GetAccessKeyLastUsed", &e)) {
        Ok(answer) if answer.user_name.is_none() && !has_id => Err(CloudError::Refused {
            operation: "iam:GetAccessKeyLastUsed".into(),
            code: "NoUser".into(),
            message: format!("AWS names no user for key {key}"),
        }),
        Ok(answer) => Ok(answer.user_name),
        Err(error) if is_missing(&error) || (has_id && !error.can_retry()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the user with this unique id is called.
pub(in crate::adapters::aws) async fn name_by_id(iam: &Client, unique_id: &str) -> Result<Option<String>, CloudError> {
    let asked = iam.get_account_authorization_details().filter(EntityType::User);
    let mut pages = asked.into_paginator().page_size(PAGE).send();
    while let Some(page) = Box::pin(pages.next()).await {
        let page = page.map_err(|e| fault("iam:GetAccountAuthorizationDetails", &e))?;
        let mut users = page.user_detail_list.unwrap_or_default().into_iter();
        if let Some(found) = users.find(|user| user.user_id.as_deref() == Some(unique_id)) {
            return Ok(found.user_name);
        }
    }
    Ok(None)
}
