//! Instance profiles. Each holds one role at most.

use super::paging::page;
use super::{checked_name, path, roles};
use crate::aws::iam::held::Profile;
use crate::aws::ids::{self, Entropy};
use crate::aws::operation::Call;
use crate::aws::state::World;
use crate::aws::wire::{ApiError, Node};

fn not_found(name: &str) -> ApiError {
    ApiError::no_such_entity(format!("Instance Profile {name} cannot be found."))
}

fn holders(world: &World, name: &str) -> Vec<String> {
    let holds = world.iam.roles.values().filter(|role| role.instance_profiles.contains(name));
    holds.map(|role| role.name.clone()).collect()
}

pub(super) fn described(world: &World, profile: &Profile) -> Node {
    let roles = holders(world, &profile.name).into_iter();
    let roles = roles.filter_map(|name| Some(Node::Fields(roles::described(world, world.iam.roles.get(&name)?))));
    Node::Fields(vec![
        ("Path", Node::text(&profile.path)),
        ("InstanceProfileName", Node::text(&profile.name)),
        ("InstanceProfileId", Node::text(&profile.id)),
        ("Arn", Node::text(world.profile_arn(profile))),
        ("CreateDate", Node::Time(profile.created_at)),
        ("Roles", Node::Members(roles.collect())),
    ])
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "InstanceProfileName")?.to_owned();
    if call.world.iam.profiles.contains_key(&name) {
        let message = format!("Instance Profile {name} already exists.");
        return Err(ApiError::conflict("EntityAlreadyExists", message));
    }
    let profile = Profile {
        name: name.clone(),
        path: path(call.params)?,
        id: ids::unique_id("AIPA", Entropy::Random),
        created_at: call.now,
    };
    let node = Node::Fields(vec![("InstanceProfile", described(call.world, &profile))]);
    call.world.iam.profiles.insert(name, profile);
    Ok(node)
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("InstanceProfileName")?;
    let profile = call.world.iam.profiles.get(name).ok_or_else(|| not_found(name))?;
    Ok(Node::Fields(vec![("InstanceProfile", described(call.world, profile))]))
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("InstanceProfileName")?;
    if !call.world.iam.profiles.contains_key(name) {
        return Err(not_found(name));
    }
    if !holders(call.world, name).is_empty() {
        let message = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(ApiError::conflict("DeleteConflict", message));
    }
    call.world.iam.profiles.remove(name);
    Ok(Node::empty())
}

pub(super) fn add_role(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("InstanceProfileName")?.to_owned();
    if !call.world.iam.profiles.contains_key(&name) {
        return Err(not_found(&name));
    }
    let role = call.role_name()?;
    roles::modifiable(call.world, &role)?;
    if !holders(call.world, &name).is_empty() {
        let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        return Err(ApiError::conflict("LimitExceeded", message));
    }
    roles::named(call.world, &role)?.instance_profiles.insert(name);
    Ok(Node::empty())
}

pub(super) fn remove_role(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("InstanceProfileName")?.to_owned();
    if !call.world.iam.profiles.contains_key(&name) {
        return Err(not_found(&name));
    }
    let role = call.role_name()?;
    if roles::named(call.world, &role)?.instance_profiles.remove(&name) {
        return Ok(Node::empty());
    }
    Err(ApiError::no_such_entity(format!("The role with name {role} cannot be found in instance profile {name}.")))
}

pub(super) fn list_for_role(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let names = roles::named(call.world, &call.role_name()?)?.instance_profiles.clone();
    let profiles = names.iter().filter_map(|name| call.world.iam.profiles.get(name));
    let profiles = profiles.map(|profile| (profile.name.clone(), described(call.world, profile))).collect();
    page(call.params, "InstanceProfiles", profiles).map(Node::Fields)
}
