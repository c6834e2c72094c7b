//! Reads a user, role, group, policy or instance profile with all that hangs on it. What is independent is asked at the
//! same time; what is deleted between two questions counts as not there.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{AttachedPermissionsBoundary, PolicyUsageType, StatusType, Tag};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{Owner, fault, keys, percent_decoded, present, role, user};
use crate::adapters::aws::instant;
use crate::adapters::aws::trail::RegionTrail;
use crate::domain::observation::{
    GroupTree, Holder, Identity, KeyStatus, MfaDevice, Observation, PolicyTree, Previous, ProfileTree, RoleTree,
    ServiceCredential, Trust, UserTree,
};
use crate::ports::CloudError;

/// Pages of the event history in which a role's older trust policy is looked for.
pub(super) const TRUST_PAGES_MAX: u32 = 10;

/// Questions at the same time about one thing: a policy can be on hundreds, and all that ask IAM share its few calls a second.
const AT_ONCE: usize = 4;

/// Asks, and takes what is not there for nothing.
macro_rules! asked {
    ($operation:literal, $call:expr) => {
        present(Box::pin($call).await.map_err(|e| fault($operation, &e)))
    };
}

type Read<T> = Result<T, CloudError>;

impl From<Owner> for Identity {
    fn from(owner: Owner) -> Self {
        Self { id: owner.id, arn: owner.arn, path: owner.path }
    }
}

pub(super) async fn of_user(iam: &Client, name: &str) -> Read<Observation> {
    let asked = asked!("iam:GetUser", iam.get_user().user_name(name).send())?.and_then(|answer| answer.user);
    let Some(found) = asked else { return Ok(Observation::OwnerMissing) };
    let holder = Holder::User(name.to_owned());
    let credentials = async {
        let mfa = asked!(
            "iam:ListMFADevices",
            iam.list_mfa_devices().user_name(name).into_paginator().items().send().try_collect()
        );
        let certificates = asked!(
            "iam:ListSigningCertificates",
            iam.list_signing_certificates().user_name(name).into_paginator().items().send().try_collect()
        );
        let ssh = asked!(
            "iam:ListSSHPublicKeys",
            iam.list_ssh_public_keys().user_name(name).into_paginator().items().send().try_collect()
        );
        let service = asked!(
            "iam:ListServiceSpecificCredentials",
            iam.list_service_specific_credentials().user_name(name).send()
        );
        Ok::<_, CloudError>((mfa?, certificates?, ssh?, service?))
    };
    let (keys, login_profile, (mfa, certificates, ssh, service), inline, attached, groups) = tokio::try_join!(
        keys(iam, name),
        login(iam, name),
        credentials,
        inline(iam, &holder),
        attached(iam, &holder),
        groups_of(iam, name),
    )?;
    Ok(Observation::User(UserTree {
        identity: Identity { id: found.user_id, arn: found.arn, path: found.path },
        keys: keys.into_iter().filter_map(|(id, status)| Some((id.parse().ok()?, status))).collect(),
        login_profile,
        mfa_devices: mfa.into_iter().flatten().map(|device| device.serial_number).collect(),
        certificates: certificates.into_iter().flatten().map(|certificate| certificate.certificate_id).collect(),
        ssh_keys: ssh.into_iter().flatten().map(|key| key.ssh_public_key_id).collect(),
        service_credentials: service
            .and_then(|answer| answer.service_specific_credentials)
            .into_iter()
            .flatten()
            .map(|credential| credential.service_specific_credential_id)
            .collect(),
        inline,
        attached,
        groups,
        boundary: boundary(found.permissions_boundary),
        tags: tags(found.tags),
    }))
}

pub(super) async fn of_role(iam: &Client, name: &str) -> Read<Observation> {
    let asked = asked!("iam:GetRole", iam.get_role().role_name(name).send())?.and_then(|answer| answer.role);
    let Some(found) = asked else { return Ok(Observation::OwnerMissing) };
    let holder = Holder::Role(name.to_owned());
    let profiles = async {
        asked!(
            "iam:ListInstanceProfilesForRole",
            iam.list_instance_profiles_for_role().role_name(name).into_paginator().items().send().try_collect()
        )
    };
    let (profiles, inline, attached) = tokio::try_join!(profiles, inline(iam, &holder), attached(iam, &holder))?;
    let profiles: Vec<aws_sdk_iam::types::InstanceProfile> = profiles.unwrap_or_default();
    Ok(Observation::Role(RoleTree {
        identity: Identity { id: found.role_id, arn: found.arn, path: found.path },
        trust: percent_decoded(found.assume_role_policy_document.as_deref().unwrap_or_default()),
        inline,
        attached,
        profiles: profiles.into_iter().map(|profile| (profile.instance_profile_name, profile.arn)).collect(),
        boundary: boundary(found.permissions_boundary),
        tags: tags(found.tags),
    }))
}

pub(super) async fn of_group(iam: &Client, name: &str) -> Read<Observation> {
    let holder = Holder::Group(name.to_owned());
    let (identity, members, inline, attached) =
        tokio::try_join!(group(iam, name), users_in(iam, name), inline(iam, &holder), attached(iam, &holder))?;
    let Some(identity) = identity else { return Ok(Observation::OwnerMissing) };
    let members = members.into_iter().map(|user| user.user_name).collect();
    Ok(Observation::Group(GroupTree { identity, members, inline, attached }))
}

async fn users_in(iam: &Client, group: &str) -> Read<Vec<aws_sdk_iam::types::User>> {
    let users: Option<Vec<aws_sdk_iam::types::User>> =
        asked!("iam:GetGroup", iam.get_group().group_name(group).into_paginator().items().send().try_collect())?;
    Ok(users.unwrap_or_default())
}

/// The answers, in the order of the questions.
async fn asked_of_each<T>(questions: impl IntoIterator<Item = impl Future<Output = Read<T>>>) -> Read<Vec<T>> {
    let questions: Vec<_> = questions.into_iter().map(Box::pin).collect();
    stream::iter(questions).buffered(AT_ONCE).try_collect().await
}

/// ARNs of those who have what a group has; a user or role has what it has for itself.
pub(super) async fn members_of(iam: &Client, holder: &Holder) -> Read<Vec<String>> {
    match holder {
        Holder::User(_) | Holder::Role(_) => Ok(Vec::new()),
        Holder::Group(name) => Ok(users_in(iam, name).await?.into_iter().map(|user| user.arn).collect()),
    }
}

/// With when it was made.
pub(super) async fn of_policy(iam: &Client, arn: &str) -> Read<Option<(PolicyTree, Option<DateTime<Utc>>)>> {
    let asked = asked!("iam:GetPolicy", iam.get_policy().policy_arn(arn).send())?.and_then(|answer| answer.policy);
    let Some(found) = asked else { return Ok(None) };
    let made_at = found.create_date.as_ref().and_then(instant);
    let (versions, attached_to, bounds) = tokio::try_join!(
        versions(iam, arn),
        entities(iam, arn, PolicyUsageType::PermissionsPolicy),
        entities(iam, arn, PolicyUsageType::PermissionsBoundary),
    )?;
    let members = asked_of_each(attached_to.iter().map(|holder| members_of(iam, holder))).await?;
    // Whoever is in two of its groups has it once.
    let members: BTreeSet<String> = members.into_iter().flatten().collect();
    let attached_to = asked_of_each(attached_to.into_iter().map(|holder| async {
        let identity = identity_of(iam, &holder).await?;
        Ok(identity.map(|identity| (holder, identity.arn)))
    }));
    let tree = PolicyTree {
        identity: Identity {
            id: found.policy_id.unwrap_or_default(),
            arn: found.arn.unwrap_or_else(|| arn.to_owned()),
            path: found.path.unwrap_or_default(),
        },
        default: found.default_version_id.unwrap_or_default(),
        versions,
        attached_to: attached_to.await?.into_iter().flatten().collect(),
        bounds,
        previous: None,
        known_at: None,
        members: members.into_iter().collect(),
    };
    Ok(Some((tree, made_at)))
}

pub(super) async fn of_profile(iam: &Client, name: &str) -> Read<Observation> {
    let asked = asked!("iam:GetInstanceProfile", iam.get_instance_profile().instance_profile_name(name).send())?;
    let Some(found) = asked.and_then(|answer| answer.instance_profile) else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::InstanceProfile(ProfileTree {
        identity: Identity { id: found.instance_profile_id, arn: found.arn, path: found.path },
        roles: found.roles.into_iter().map(|role| role.role_name).collect(),
    }))
}

pub(super) async fn of_attachment(iam: &Client, holder: &Holder, policy_arn: &str) -> Read<Observation> {
    let (owner, attached, members) =
        tokio::try_join!(identity_of(iam, holder), attached(iam, holder), members_of(iam, holder))?;
    let Some(owner) = owner else { return Ok(Observation::OwnerMissing) };
    let present = attached.iter().any(|arn| arn == policy_arn);
    Ok(Observation::Attached { owner, present, other_arn: None, members })
}

/// The group is what the call is made on.
pub(super) async fn of_membership(iam: &Client, user_name: &str, group_name: &str) -> Read<Observation> {
    let (owner, groups, group) =
        tokio::try_join!(user(iam, user_name), groups_of(iam, user_name), group(iam, group_name))?;
    let (Some(owner), Some(group)) = (owner, group) else { return Ok(Observation::OwnerMissing) };
    let present = groups.contains_key(group_name);
    Ok(Observation::Attached { owner: owner.into(), present, other_arn: Some(group.arn), members: Vec::new() })
}

pub(super) async fn of_login(iam: &Client, user_name: &str) -> Read<Observation> {
    let (owner, present) = tokio::try_join!(user(iam, user_name), login(iam, user_name))?;
    let Some(owner) = owner else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::Attached { owner: owner.into(), present, other_arn: None, members: Vec::new() })
}

pub(super) async fn of_device(iam: &Client, user_name: &str, serial_number: &str) -> Read<Observation> {
    let devices = async {
        let devices: Option<Vec<aws_sdk_iam::types::MfaDevice>> = asked!(
            "iam:ListMFADevices",
            iam.list_mfa_devices().user_name(user_name).into_paginator().items().send().try_collect()
        )?;
        Ok::<_, CloudError>(devices.unwrap_or_default())
    };
    let (owner, devices) = tokio::try_join!(user(iam, user_name), devices)?;
    let Some(owner) = owner else { return Ok(Observation::OwnerMissing) };
    let on = devices.iter().find(|device| device.serial_number == serial_number);
    Ok(Observation::MfaDevice(MfaDevice {
        owner: owner.into(),
        serial_number: serial_number.to_owned(),
        // A time that cannot be read counts as one from before the attacker.
        enabled_at: on.map(|device| instant(&device.enable_date).unwrap_or_default()),
    }))
}

pub(super) async fn of_service_credential(iam: &Client, user_name: &str, id: &str) -> Read<Observation> {
    let held = async {
        asked!(
            "iam:ListServiceSpecificCredentials",
            iam.list_service_specific_credentials().user_name(user_name).send()
        )
    };
    let (owner, held) = tokio::try_join!(user(iam, user_name), held)?;
    let Some(owner) = owner else { return Ok(Observation::OwnerMissing) };
    let all = held.and_then(|answer| answer.service_specific_credentials).unwrap_or_default();
    let found = all.iter().find(|one| one.service_specific_credential_id == id);
    // What is neither Active nor Inactive may work.
    let status = found.map(|one| match one.status {
        StatusType::Inactive => KeyStatus::Inactive,
        _ => KeyStatus::Active,
    });
    Ok(Observation::ServiceCredential(ServiceCredential { owner: owner.into(), credential_id: id.to_owned(), status }))
}

pub(super) async fn of_trust(
    iam: &Client,
    trail: &RegionTrail,
    name: &str,
    event_id: &str,
    earlier: &BTreeSet<String>,
) -> Read<Observation> {
    let asked = asked!("iam:GetRole", iam.get_role().role_name(name).send())?.and_then(|answer| answer.role);
    let Some(found) = asked else { return Ok(Observation::OwnerMissing) };
    let looked = trail.look_up(LookupAttributeKey::ResourceName, name, None, TRUST_PAGES_MAX).await?;
    let mut events = looked.events.iter().skip_while(|event| event["eventID"] != event_id);
    let put = events.next().and_then(|event| trust_in(event, name));
    let mut others = events.filter(|event| event["eventID"].as_str().is_none_or(|id| !earlier.contains(id)));
    let previous = others.find_map(|event| trust_in(event, name));
    Ok(Observation::Trust(Trust {
        identity: Identity { id: found.role_id, arn: found.arn, path: found.path },
        document: percent_decoded(found.assume_role_policy_document.as_deref().unwrap_or_default()),
        put: put.map(|put| put.document),
        previous,
    }))
}

pub(super) async fn of_trust_policy(iam: &Client, name: &str) -> Read<Observation> {
    let asked = asked!("iam:GetRole", iam.get_role().role_name(name).send())?.and_then(|answer| answer.role);
    let Some(found) = asked else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::Trust(Trust {
        identity: Identity { id: found.role_id, arn: found.arn, path: found.path },
        document: percent_decoded(found.assume_role_policy_document.as_deref().unwrap_or_default()),
        put: None,
        previous: None,
    }))
}

/// The trust policy that an event has given to a role.
fn trust_in(event: &Value, role: &str) -> Option<Previous> {
    let request = &event["requestParameters"];
    let member = match event["eventName"].as_str()? {
        "UpdateAssumeRolePolicy" => "policyDocument",
        "CreateRole" => "assumeRolePolicyDocument",
        _ => return None,
    };
    let worked = event["errorCode"].is_null() && request["roleName"] == role;
    Some(Previous {
        document: request[member].as_str().filter(|_| worked)?.to_owned(),
        event_id: event["eventID"].as_str()?.to_owned(),
    })
}

async fn group(iam: &Client, name: &str) -> Read<Option<Identity>> {
    let asked = asked!("iam:GetGroup", iam.get_group().group_name(name).max_items(1).send())?;
    let found = asked.and_then(|answer| answer.group);
    Ok(found.map(|group| Identity { id: group.group_id, arn: group.arn, path: group.path }))
}

pub(super) async fn identity_of(iam: &Client, holder: &Holder) -> Read<Option<Identity>> {
    match holder {
        Holder::User(name) => Ok(user(iam, name).await?.map(Identity::from)),
        Holder::Role(name) => Ok(role(iam, name).await?.map(Identity::from)),
        Holder::Group(name) => group(iam, name).await,
    }
}

/// The unique id of whatever has this ARN by now.
pub(in crate::adapters::aws) async fn unique_id(iam: &Client, arn: &str) -> Read<Option<String>> {
    let (kind, path) = arn.splitn(6, ':').nth(5).and_then(|resource| resource.split_once('/')).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let holder = match kind {
        "user" => Holder::User(name.to_owned()),
        "role" => Holder::Role(name.to_owned()),
        "group" => Holder::Group(name.to_owned()),
        "policy" => {
            let asked = asked!("iam:GetPolicy", iam.get_policy().policy_arn(arn).send())?;
            return Ok(asked.and_then(|answer| answer.policy?.policy_id));
        }
        _ => {
            let asked = iam.get_instance_profile().instance_profile_name(name).send();
            let found = asked!("iam:GetInstanceProfile", asked)?.and_then(|answer| answer.instance_profile);
            return Ok(found.map(|profile| profile.instance_profile_id));
        }
    };
    Ok(identity_of(iam, &holder).await?.map(|identity| identity.id))
}

async fn login(iam: &Client, user_name: &str) -> Read<bool> {
    Ok(asked!("iam:GetLoginProfile", iam.get_login_profile().user_name(user_name).send())?.is_some())
}

async fn groups_of(iam: &Client, user_name: &str) -> Read<BTreeMap<String, String>> {
    let groups: Option<Vec<aws_sdk_iam::types::Group>> = asked!(
        "iam:ListGroupsForUser",
        iam.list_groups_for_user().user_name(user_name).into_paginator().items().send().try_collect()
    )?;
    Ok(groups.into_iter().flatten().map(|group| (group.group_name, group.arn)).collect())
}

async fn attached(iam: &Client, holder: &Holder) -> Read<Vec<String>> {
    let name = holder.name();
    let found: Option<Vec<aws_sdk_iam::types::AttachedPolicy>> = match holder {
        Holder::User(_) => asked!(
            "iam:ListAttachedUserPolicies",
            iam.list_attached_user_policies().user_name(name).into_paginator().items().send().try_collect()
        ),
        Holder::Role(_) => asked!(
            "iam:ListAttachedRolePolicies",
            iam.list_attached_role_policies().role_name(name).into_paginator().items().send().try_collect()
        ),
        Holder::Group(_) => asked!(
            "iam:ListAttachedGroupPolicies",
            iam.list_attached_group_policies().group_name(name).into_paginator().items().send().try_collect()
        ),
    }?;
    let mut arns: Vec<String> = found.into_iter().flatten().filter_map(|policy| policy.policy_arn).collect();
    arns.sort();
    Ok(arns)
}

async fn inline(iam: &Client, holder: &Holder) -> Read<BTreeMap<String, String>> {
    let name = holder.name();
    let names: Option<Vec<String>> = match holder {
        Holder::User(_) => asked!(
            "iam:ListUserPolicies",
            iam.list_user_policies().user_name(name).into_paginator().items().send().try_collect()
        ),
        Holder::Role(_) => asked!(
            "iam:ListRolePolicies",
            iam.list_role_policies().role_name(name).into_paginator().items().send().try_collect()
        ),
        Holder::Group(_) => asked!(
            "iam:ListGroupPolicies",
            iam.list_group_policies().group_name(name).into_paginator().items().send().try_collect()
        ),
    }?;
    let documents = names.into_iter().flatten().map(|policy| async move {
        let document = document(iam, holder, &policy).await?;
        Ok(document.map(|document| (policy, document)))
    });
    Ok(asked_of_each(documents).await?.into_iter().flatten().collect())
}

/// One inline policy.
pub(super) async fn document(iam: &Client, holder: &Holder, policy: &str) -> Read<Option<String>> {
    let name = holder.name();
    let encoded = match holder {
        Holder::User(_) => {
            asked!("iam:GetUserPolicy", iam.get_user_policy().user_name(name).policy_name(policy).send())?
                .map(|answer| answer.policy_document)
        }
        Holder::Role(_) => {
            asked!("iam:GetRolePolicy", iam.get_role_policy().role_name(name).policy_name(policy).send())?
                .map(|answer| answer.policy_document)
        }
        Holder::Group(_) => {
            asked!("iam:GetGroupPolicy", iam.get_group_policy().group_name(name).policy_name(policy).send())?
                .map(|answer| answer.policy_document)
        }
    };
    Ok(encoded.map(|document| percent_decoded(&document)))
}

async fn versions(iam: &Client, arn: &str) -> Read<BTreeMap<String, String>> {
    let found: Option<Vec<aws_sdk_iam::types::PolicyVersion>> = asked!(
        "iam:ListPolicyVersions",
        iam.list_policy_versions().policy_arn(arn).into_paginator().items().send().try_collect()
    )?;
    let ids = found.into_iter().flatten().filter_map(|version| version.version_id);
    let documents = ids.map(|id| async move {
        let asked = asked!("iam:GetPolicyVersion", iam.get_policy_version().policy_arn(arn).version_id(&id).send())?;
        let document = asked.and_then(|answer| answer.policy_version?.document);
        Ok((id, percent_decoded(document.as_deref().unwrap_or_default())))
    });
    Ok(asked_of_each(documents).await?.into_iter().collect())
}

/// Who has a policy, or is bounded by it.
async fn entities(iam: &Client, arn: &str, usage: PolicyUsageType) -> Read<Vec<Holder>> {
    let mut pages = iam.list_entities_for_policy().policy_arn(arn).policy_usage_filter(usage).into_paginator().send();
    let mut holders = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = present(page.map_err(|e| fault("iam:ListEntitiesForPolicy", &e)))? else { break };
        holders.extend(page.policy_users.into_iter().flatten().filter_map(|user| user.user_name.map(Holder::User)));
        holders.extend(page.policy_roles.into_iter().flatten().filter_map(|role| role.role_name.map(Holder::Role)));
        let groups = page.policy_groups.into_iter().flatten();
        holders.extend(groups.filter_map(|group| group.group_name.map(Holder::Group)));
    }
    Ok(holders)
}

fn boundary(found: Option<AttachedPermissionsBoundary>) -> Option<String> {
    found.and_then(|boundary| boundary.permissions_boundary_arn)
}

fn tags(found: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    found.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect()
}
