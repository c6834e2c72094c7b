//! Reads one target. The owner and the thing itself are read at the same time.

use aws_sdk_iam::Client;
use chrono::{DateTime, Utc};

use super::fault::{fault, is_missing};
use super::{AccountClients, percent_decoded};
use crate::domain::observation::{Holder, KeyStatus, Observation, Probe};
use crate::ports::CloudError;

pub(super) mod estate;
mod federation;
pub(super) mod fleets;
mod inline;
mod organization;
mod policy;
mod policy_history;
mod rules;
mod scaling;
mod tree;
mod users;
mod whereabouts;

pub(super) use tree::unique_id;
pub(super) use users::Users;
pub(super) use whereabouts::name_by_id;

pub(super) async fn observe(
    account: &AccountClients,
    probe: &Probe,
    now: DateTime<Utc>,
) -> Result<Observation, CloudError> {
    let iam = &account.iam;
    match probe {
        Probe::AccessKey { user_name, access_key_id } => {
            let (owner, keys) = tokio::join!(user(iam, user_name), keys(iam, user_name));
            let Some(owner) = owner? else { return Ok(Observation::OwnerMissing) };
            let status = keys?.into_iter().find(|(id, _)| id == access_key_id.as_str()).map(|(_, status)| status);
            Ok(Observation::AccessKey { owner_id: owner.id, owner_arn: owner.arn, status })
        }
        Probe::UserKeys { user_name } => {
            let (owner, keys) = tokio::join!(user(iam, user_name), keys(iam, user_name));
            let Some(owner) = owner? else { return Ok(Observation::OwnerMissing) };
            let keys = keys?.into_iter().filter_map(|(id, status)| Some((id.parse().ok()?, status)));
            Ok(Observation::UserKeys { owner_id: owner.id, owner_arn: owner.arn, keys: keys.collect() })
        }
        Probe::Whereabouts { access_key_id, unique_id } => {
            Box::pin(whereabouts::whereabouts(account, access_key_id.as_ref(), unique_id.as_deref())).await
        }
        Probe::UserPolicy { user_name, policy_name } => {
            let holder = Holder::User(user_name.clone());
            let (owner, document) = tokio::join!(user(iam, user_name), tree::document(iam, &holder, policy_name));
            inline_policy(owner?, document)
        }
        Probe::RolePolicy { role_name, policy_name } => {
            let holder = Holder::Role(role_name.clone());
            let (owner, document) = tokio::join!(role(iam, role_name), tree::document(iam, &holder, policy_name));
            inline_policy(owner?, document)
        }
        Probe::PutPolicy { holder, policy_name, event_ids } => {
            Box::pin(inline::put_policy(account, holder, policy_name, event_ids)).await
        }
        Probe::Attachment { holder, policy_arn } => tree::of_attachment(iam, holder, policy_arn).await,
        Probe::Membership { user_name, group_name } => tree::of_membership(iam, user_name, group_name).await,
        Probe::LoginProfile { user_name } => tree::of_login(iam, user_name).await,
        Probe::MfaDevice { user_name, serial_number } => tree::of_device(iam, user_name, serial_number).await,
        Probe::ServiceCredential { user_name, credential_id } => {
            tree::of_service_credential(iam, user_name, credential_id).await
        }
        Probe::Trust { role_name, event_id, earlier_event_ids } => {
            Box::pin(tree::of_trust(iam, &account.home_trail(), role_name, event_id, earlier_event_ids)).await
        }
        Probe::TrustPolicy { role_name } => tree::of_trust_policy(iam, role_name).await,
        Probe::User { user_name } => Box::pin(tree::of_user(iam, user_name)).await,
        Probe::Role { role_name } => Box::pin(tree::of_role(iam, role_name)).await,
        Probe::Group { group_name } => Box::pin(tree::of_group(iam, group_name)).await,
        Probe::Policy { policy_arn, theirs, chosen, event_ids } => {
            let doings = policy::Doings { theirs, chosen: chosen.as_deref(), event_ids };
            Box::pin(policy::policy(account, iam, policy_arn, doings, now)).await
        }
        Probe::Instance { region, instance_id } => Box::pin(estate::instance(account, region, instance_id)).await,
        Probe::Function { region, function_name } => Box::pin(estate::function(account, region, function_name)).await,
        Probe::EventSource { region, uuid } => Box::pin(estate::event_source(account, region, uuid)).await,
        Probe::FunctionCode { region, function_name, event_ids } => {
            Box::pin(estate::changed_function(account, region, function_name, event_ids)).await
        }
        Probe::ScalingGroup { region, group_name } => Box::pin(scaling::group(account, region, group_name)).await,
        Probe::SpotRequest { region, request_id } => Box::pin(scaling::request(account, region, request_id)).await,
        Probe::Fleet { region, fleet_id } => Box::pin(fleets::fleet(account, region, fleet_id)).await,
        Probe::LaunchTemplate { region, launch_template_id: id } => {
            Box::pin(scaling::template(account, region, id)).await
        }
        Probe::ChangedTemplate { region, launch_template_id: id, event_ids } => {
            Box::pin(scaling::changed_template(account, region, id, event_ids)).await
        }
        Probe::LaunchConfiguration { region, configuration_name: name } => {
            Box::pin(scaling::configuration(account, region, name)).await
        }
        Probe::KeyPair { region, key_name } => Box::pin(estate::key_pair(account, region, key_name)).await,
        Probe::Opened { region, group_id, egress, event_ids } => {
            Box::pin(estate::opened(account, region, group_id, *egress, event_ids)).await
        }
        Probe::Sharing { region, snapshot_id, event_ids } => {
            Box::pin(estate::sharing(account, region, snapshot_id, event_ids)).await
        }
        Probe::ImageSharing { region, image_id, event_ids } => {
            Box::pin(estate::image_sharing(account, region, image_id, event_ids)).await
        }
        Probe::Trail { region, name } => Box::pin(estate::trail(account, region, name)).await,
        Probe::Detector { region, detector_id } => Box::pin(estate::detector(account, region, detector_id)).await,
        Probe::IdentityProvider { provider_arn } => Box::pin(federation::identity_provider(iam, provider_arn)).await,
        Probe::TrustAnchor { region, trust_anchor_id: id } => {
            Box::pin(federation::trust_anchor(account, region, id)).await
        }
        Probe::AnywhereProfile { region, profile_id } => {
            Box::pin(federation::profile(account, region, profile_id)).await
        }
        Probe::EventRule { region, rule_name, event_ids } => {
            Box::pin(rules::event_rule(account, region, rule_name, event_ids)).await
        }
        Probe::ServiceControl { principal, policy_name } => {
            Box::pin(organization::service_control(account, principal, policy_name)).await
        }
        Probe::Access { permission_set, user_name, .. } => {
            let reached = account.identity_center()?;
            Box::pin(reached.access(account.settings.id.as_str(), permission_set, user_name)).await
        }
        Probe::PermissionSet { permission_set, user_name, .. } => {
            let reached = account.identity_center()?;
            Box::pin(reached.permission_set(account.settings.id.as_str(), permission_set, user_name)).await
        }
        Probe::InstanceProfile { instance_profile_name } => {
            Box::pin(tree::of_profile(iam, instance_profile_name)).await
        }
    }
}

fn inline_policy(
    owner: Option<Owner>,
    document: Result<Option<String>, CloudError>,
) -> Result<Observation, CloudError> {
    let Some(owner) = owner else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::InlinePolicy {
        owner_id: owner.id,
        owner_arn: owner.arn,
        owner_path: owner.path,
        document: document?,
    })
}

struct Owner {
    id: String,
    arn: String,
    path: String,
}

/// What is not there is an answer, not an error.
fn present<T>(asked: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn user(iam: &Client, name: &str) -> Result<Option<Owner>, CloudError> {
    let asked = iam.get_user().user_name(name).send().await.map_err(|e| fault("iam:GetUser", &e));
    let found = present(asked)?.and_then(|answer| answer.user);
    Ok(found.map(|u| Owner { id: u.user_id, arn: u.arn, path: u.path }))
}

async fn role(iam: &Client, name: &str) -> Result<Option<Owner>, CloudError> {
    let asked = iam.get_role().role_name(name).send().await.map_err(|e| fault("iam:GetRole", &e));
    let found = present(asked)?.and_then(|answer| answer.role);
    Ok(found.map(|r| Owner { id: r.role_id, arn: r.arn, path: r.path }))
}

/// The keys of a user; none when there is no such user.
async fn keys(iam: &Client, user_name: &str) -> Result<Vec<(String, KeyStatus)>, CloudError> {
    let asked = iam.list_access_keys().user_name(user_name).into_paginator().items().send().try_collect().await;
    let found = present(asked.map_err(|e| fault("iam:ListAccessKeys", &e)))?.unwrap_or_default();
    Ok(found.into_iter().filter_map(|key| Some((key.access_key_id?, status(key.status.as_ref()?)))).collect())
}

/// Whatever is not known to be Inactive counts as Active.
pub(super) fn status(status: &aws_sdk_iam::types::StatusType) -> KeyStatus {
    match status {
        aws_sdk_iam::types::StatusType::Inactive => KeyStatus::Inactive,
        _ => KeyStatus::Active,
    }
}
