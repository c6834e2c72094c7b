//! Roles.

use std::collections::BTreeSet;

use super::paging::page;
use super::{checked_name, path, tags, tags_from, trust};
use crate::aws::ids::{self, Entropy};
use crate::aws::operation::Call;
use crate::aws::state::{Policies, Role, World};
use crate::aws::wire::{ApiError, Node, percent_encoded};

/// The role that the call is about.
pub(super) fn named<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Role, ApiError> {
    world
        .iam
        .roles
        .get_mut(name)
        .ok_or_else(|| ApiError::no_such_entity(format!("The role with name {name} cannot be found.")))
}

/// Refuses the roles that only AWS may change.
pub(super) fn modifiable(world: &mut World, name: &str) -> Result<(), ApiError> {
    if named(world, name)?.is_reserved() {
        return Err(ApiError::bad_request(
            "UnmodifiableEntity",
            format!(
                "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
            ),
        ));
    }
    Ok(())
}

pub(super) fn described(world: &World, role: &Role) -> Vec<(&'static str, Node)> {
    let mut fields = vec![
        ("Path", Node::text(&role.path)),
        ("RoleName", Node::text(&role.name)),
        ("RoleId", Node::text(&role.id)),
        ("Arn", Node::text(world.role_arn(role))),
        ("CreateDate", Node::Time(role.created_at)),
        ("AssumeRolePolicyDocument", Node::text(percent_encoded(&trust::shown(world, &role.trust)))),
        ("MaxSessionDuration", Node::Number(role.max_session_seconds)),
    ];
    if let Some(arn) = &role.boundary {
        fields.push(("PermissionsBoundary", super::users::boundary(arn)));
    }
    if !role.description.is_empty() {
        fields.push(("Description", Node::text(&role.description)));
    }
    fields
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let prefix = call.params.get("PathPrefix").unwrap_or("/");
    let roles = call.world.iam.roles.values().filter(|role| role.path.starts_with(prefix));
    let roles = roles.map(|role| (role.name.clone(), Node::Fields(described(call.world, role)))).collect();
    page(call.params, "Roles", roles).map(Node::Fields)
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let role = named(call.world, &call.role_name()?)?.clone();
    let mut fields = described(call.world, &role);
    if !role.tags.is_empty() {
        fields.push(("Tags", Node::Members(tags(&role.tags))));
    }
    let last_used = role
        .last_used
        .map_or_else(Vec::new, |used| vec![("LastUsedDate", Node::Time(used.at)), ("Region", Node::text(used.region))]);
    fields.push(("RoleLastUsed", Node::Fields(last_used)));
    Ok(Node::Fields(vec![("Role", Node::Fields(fields))]))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "RoleName")?.to_owned();
    let path = path(call.params)?;
    if call.world.iam.roles.contains_key(&name) {
        return Err(ApiError::conflict("EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    if path.starts_with("/aws-reserved/") || path.starts_with("/aws-service-role/") {
        return Err(ApiError::validation("Path begins with a reserved prefix."));
    }
    let role = Role {
        name: name.clone(),
        path,
        id: ids::unique_id("AROA", Entropy::Random),
        created_at: call.now,
        description: call.params.get("Description").unwrap_or_default().to_owned(),
        tags: tags_from(call.params),
        policies: Policies::default(),
        trust: trust::bound(call.world, call.params.required("AssumeRolePolicyDocument")?)?,
        max_session_seconds: call.params.number("MaxSessionDuration", 3_600..=43_200)?.unwrap_or(3_600),
        instance_profiles: BTreeSet::new(),
        boundary: call.params.get("PermissionsBoundary").map(str::to_owned),
        last_used: None,
    };
    let node = Node::Fields(vec![("Role", Node::Fields(described(call.world, &role)))]);
    call.world.iam.roles.insert(name, role);
    Ok(node)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.role_name()?;
    modifiable(call.world, &name)?;
    let role = named(call.world, &name)?;
    let obstacle = if !role.instance_profiles.is_empty() {
        "remove roles from instance profile"
    } else if !role.policies.inline.is_empty() {
        "delete policies"
    } else if !role.policies.attached.is_empty() {
        "detach all policies"
    } else {
        call.world.iam.roles.remove(&name);
        return Ok(Node::empty());
    };
    Err(ApiError::conflict("DeleteConflict", format!("Cannot delete entity, must {obstacle} first.")))
}

pub(super) fn list_tags(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let role = named(call.world, &call.role_name()?)?.clone();
    let tags = role.tags.keys().cloned().zip(tags(&role.tags)).collect();
    page(call.params, "Tags", tags).map(Node::Fields)
}

pub(super) fn update_trust(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.role_name()?;
    modifiable(call.world, &name)?;
    let document = trust::bound(call.world, call.params.required("PolicyDocument")?)?;
    named(call.world, &name)?.trust = document;
    Ok(Node::empty())
}
