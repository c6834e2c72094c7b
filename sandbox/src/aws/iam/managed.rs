//! Managed policies of the account's own, and their versions.

use super::paging::page;
use super::{checked_name, path, tags, tags_from};
use crate::aws::iam::held::{Managed, Version};
use crate::aws::ids::{self, Entropy};
use crate::aws::operation::Call;
use crate::aws::policy::{Kind, Policy};
use crate::aws::state::{World, managed_policy};
use crate::aws::wire::{ApiError, Node, percent_encoded};

/// `VersionsPerPolicy`; the quota cannot be raised.
const VERSIONS_MAX: usize = 5;

fn not_found(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("Policy {arn} was not found."))
}

fn named<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Managed, ApiError> {
    if managed_policy(arn).is_some() {
        return Err(ApiError::forbidden("AccessDenied", format!("Cannot change AWS managed policy {arn}.")));
    }
    world.iam.managed.get_mut(arn).ok_or_else(|| not_found(arn))
}

fn described(world: &World, policy: &Managed) -> Node {
    Node::Fields(fields(world, policy))
}

/// The same with all versions and their documents.
pub(super) fn detail(world: &World, policy: &Managed) -> Node {
    let mut fields = fields(world, policy);
    let versions = policy.versions.iter().map(|(id, one)| version(*id, policy, one, true)).collect();
    fields.push(("PolicyVersionList", Node::Members(versions)));
    Node::Fields(fields)
}

fn fields(world: &World, policy: &Managed) -> Vec<(&'static str, Node)> {
    let arn = world.policy_arn(policy);
    let attached = world.iam.users.values().filter(|user| user.policies.attached.contains(&arn)).count()
        + world.iam.roles.values().filter(|role| role.policies.attached.contains(&arn)).count()
        + world.iam.groups.values().filter(|group| group.policies.attached.contains(&arn)).count();
    let mut fields = vec![
        ("PolicyName", Node::text(&policy.name)),
        ("PolicyId", Node::text(&policy.id)),
        ("Arn", Node::text(&arn)),
        ("Path", Node::text(&policy.path)),
        ("DefaultVersionId", Node::text(format!("v{}", policy.default))),
        ("AttachmentCount", Node::Number(i64::try_from(attached).unwrap_or(i64::MAX))),
        ("IsAttachable", Node::Flag(true)),
        ("CreateDate", Node::Time(policy.created_at)),
        ("Description", Node::text(&policy.description)),
    ];
    if !policy.tags.is_empty() {
        fields.push(("Tags", Node::Members(tags(&policy.tags))));
    }
    fields
}

fn checked_document<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    let document = call.params.required("PolicyDocument")?;
    Policy::parse(document, Kind::Identity)
        .map_err(|sentence| ApiError::bad_request("MalformedPolicyDocument", sentence))?;
    Ok(document)
}

fn version(id: u32, policy: &Managed, version: &Version, with_document: bool) -> Node {
    let mut fields = vec![
        ("VersionId", Node::text(format!("v{id}"))),
        ("IsDefaultVersion", Node::Flag(id == policy.default)),
        ("CreateDate", Node::Time(version.created_at)),
    ];
    if with_document {
        fields.push(("Document", Node::text(percent_encoded(&version.document))));
    }
    Node::Fields(fields)
}

/// The number in the `VersionId` of a call, of a version that there is.
fn version_id(call: &Call<'_>, policy: &Managed) -> Result<u32, ApiError> {
    let text = call.params.required("VersionId")?;
    let number = text.strip_prefix('v').and_then(|n| n.parse().ok()).filter(|n| policy.versions.contains_key(n));
    number.ok_or_else(|| {
        ApiError::no_such_entity(format!("Policy {} version {text} does not exist or is not attachable.", policy.name))
    })
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "PolicyName")?.to_owned();
    let document = checked_document(call)?.to_owned();
    let policy = Managed {
        name: name.clone(),
        path: path(call.params)?,
        id: ids::unique_id("ANPA", Entropy::Random),
        created_at: call.now,
        description: call.params.get("Description").unwrap_or_default().to_owned(),
        tags: tags_from(call.params),
        versions: [(1, Version { document, created_at: call.now })].into(),
        default: 1,
        next: 2,
    };
    let arn = call.world.policy_arn(&policy);
    if call.world.iam.managed.values().any(|other| other.name == name) {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(ApiError::conflict("EntityAlreadyExists", message));
    }
    let node = Node::Fields(vec![("Policy", described(call.world, &policy))]);
    call.world.iam.managed.insert(arn, policy);
    Ok(node)
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let policy = call.world.iam.managed.get(arn).ok_or_else(|| not_found(arn))?;
    Ok(Node::Fields(vec![("Policy", described(call.world, policy))]))
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let policies = call.world.iam.managed.iter();
    let policies = policies.map(|(arn, policy)| (arn.clone(), described(call.world, policy))).collect();
    page(call.params, "Policies", policies).map(Node::Fields)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let attached = call.world.iam.is_attached(arn);
    let message = match named(call.world, arn)?.versions.len() {
        _ if attached => "Cannot delete a policy attached to entities.",
        1 => {
            call.world.iam.managed.remove(arn);
            return Ok(Node::empty());
        }
        _ => {
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. \
             The default version is deleted with the policy."
        }
    };
    Err(ApiError::conflict("DeleteConflict", message))
}

pub(super) fn create_version(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let document = checked_document(call)?.to_owned();
    let now = call.now;
    let as_default = call.params.get("SetAsDefault") == Some("true");
    let policy = named(call.world, call.params.required("PolicyArn")?)?;
    if policy.versions.len() >= VERSIONS_MAX {
        let message = format!(
            "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must delete an \
             existing version."
        );
        return Err(ApiError::conflict("LimitExceeded", message));
    }
    let id = policy.next;
    policy.next += 1;
    policy.versions.insert(id, Version { document, created_at: now });
    if as_default {
        policy.default = id;
    }
    Ok(Node::Fields(vec![("PolicyVersion", version(id, policy, &policy.versions[&id], false))]))
}

pub(super) fn get_version(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let policy = call.world.iam.managed.get(arn).ok_or_else(|| not_found(arn))?;
    let id = version_id(call, policy)?;
    Ok(Node::Fields(vec![("PolicyVersion", version(id, policy, &policy.versions[&id], true))]))
}

pub(super) fn list_versions(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let policy = call.world.iam.managed.get(arn).ok_or_else(|| not_found(arn))?;
    let versions = policy.versions.iter().map(|(id, one)| (format!("{id:09}"), version(*id, policy, one, false)));
    page(call.params, "Versions", versions.collect()).map(Node::Fields)
}

pub(super) fn set_default_version(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let policy = named(call.world, call.params.required("PolicyArn")?)?.clone();
    let id = version_id(call, &policy)?;
    named(call.world, call.params.required("PolicyArn")?)?.default = id;
    Ok(Node::empty())
}

pub(super) fn delete_version(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let policy = named(call.world, call.params.required("PolicyArn")?)?.clone();
    let id = version_id(call, &policy)?;
    if id == policy.default {
        return Err(ApiError::conflict("DeleteConflict", "Cannot delete the default version of a policy."));
    }
    named(call.world, call.params.required("PolicyArn")?)?.versions.remove(&id);
    Ok(Node::empty())
}

/// Who has it, or is bounded by it, as `PolicyUsageFilter` asks; all in one page.
pub(super) fn list_entities(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("PolicyArn")?;
    let iam = &call.world.iam;
    if managed_policy(arn).is_none() && !iam.managed.contains_key(arn) {
        return Err(not_found(arn));
    }
    let usage = call.params.get("PolicyUsageFilter");
    let wanted = |has: bool, bounded: bool| {
        (has && usage != Some("PermissionsBoundary")) || (bounded && usage != Some("PermissionsPolicy"))
    };
    let bounded = |boundary: &Option<String>| boundary.as_deref() == Some(arn);
    let entity = |name: (&'static str, &str), id: (&'static str, &str)| {
        Node::Fields(vec![(name.0, Node::text(name.1)), (id.0, Node::text(id.1))])
    };
    let users = iam.users.values().filter(|u| wanted(u.policies.attached.contains(arn), bounded(&u.boundary)));
    let roles = iam.roles.values().filter(|r| wanted(r.policies.attached.contains(arn), bounded(&r.boundary)));
    let groups = iam.groups.values().filter(|g| wanted(g.policies.attached.contains(arn), false));
    Ok(Node::Fields(vec![
        ("PolicyGroups", Node::Members(groups.map(|g| entity(("GroupName", &g.name), ("GroupId", &g.id))).collect())),
        ("PolicyUsers", Node::Members(users.map(|u| entity(("UserName", &u.name), ("UserId", &u.id))).collect())),
        ("PolicyRoles", Node::Members(roles.map(|r| entity(("RoleName", &r.name), ("RoleId", &r.id))).collect())),
        ("IsTruncated", Node::Flag(false)),
    ]))
}
