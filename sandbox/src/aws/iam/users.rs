//! Users.

use super::paging::page;
use super::{checked_name, checked_path, path, tags, tags_from};
use crate::aws::caller::Resource;
use crate::aws::iam::held::Held;
use crate::aws::ids::{self, Entropy};
use crate::aws::operation::Call;
use crate::aws::state::{Policies, User, World};
use crate::aws::wire::{ApiError, Node};

/// The user that the call is about.
pub(super) fn named<'a>(world: &'a mut World, name: &str) -> Result<&'a mut User, ApiError> {
    world
        .iam
        .users
        .get_mut(name)
        .ok_or_else(|| ApiError::no_such_entity(format!("The user with name {name} cannot be found.")))
}

pub(super) fn described(world: &World, user: &User) -> Vec<(&'static str, Node)> {
    vec![
        ("Path", Node::text(&user.path)),
        ("UserName", Node::text(&user.name)),
        ("UserId", Node::text(&user.id)),
        ("Arn", Node::text(world.user_arn(user))),
        ("CreateDate", Node::Time(user.created_at)),
    ]
}

/// A boundary, as the calls that get a user or role show it.
pub(super) fn boundary(arn: &str) -> Node {
    Node::Fields(vec![("PermissionsBoundaryType", Node::text("Policy")), ("PermissionsBoundaryArn", Node::text(arn))])
}

fn with_tags(world: &World, user: &User) -> Node {
    let mut fields = described(world, user);
    if let Some(arn) = &user.boundary {
        fields.push(("PermissionsBoundary", boundary(arn)));
    }
    if !user.tags.is_empty() {
        fields.push(("Tags", Node::Members(tags(&user.tags))));
    }
    Node::Fields(vec![("User", Node::Fields(fields))])
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let prefix = call.params.get("PathPrefix").unwrap_or("/");
    let users = call.world.iam.users.values().filter(|user| user.path.starts_with(prefix));
    let users = users.map(|user| (user.name.clone(), Node::Fields(described(call.world, user)))).collect();
    page(call.params, "Users", users).map(Node::Fields)
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let user = named(call.world, &call.user_name()?)?.clone();
    Ok(with_tags(call.world, &user))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "UserName")?.to_owned();
    if call.world.iam.users.contains_key(&name) {
        return Err(ApiError::conflict("EntityAlreadyExists", format!("User with name {name} already exists.")));
    }
    let user = User {
        name: name.clone(),
        path: path(call.params)?,
        id: ids::unique_id("AIDA", Entropy::Random),
        created_at: call.now,
        tags: tags_from(call.params),
        policies: Policies::default(),
        keys: Vec::new(),
        held: Held::default(),
        boundary: call.params.get("PermissionsBoundary").map(str::to_owned),
    };
    let node = with_tags(call.world, &user);
    call.world.iam.users.insert(name, user);
    Ok(node)
}

/// Gives a user another name or path. It keeps its unique id and all that hangs on it.
pub(super) fn update(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("UserName")?.to_owned();
    let mut user = named(call.world, &name)?.clone();
    if let Some(path) = call.params.get("NewPath") {
        user.path = checked_path(path)?;
    }
    if call.params.get("NewUserName").is_some() {
        checked_name(call.params, "NewUserName")?.clone_into(&mut user.name);
    }
    // The permission is needed for what the user is called afterwards too.
    let resource = Resource { arn: call.world.user_arn(&user), label: format!("user {}", user.name) };
    call.caller.authorize("iam:UpdateUser", &resource, call.context)?;
    if user.name != name && call.world.iam.users.contains_key(&user.name) {
        let message = format!("User with name {} already exists.", user.name);
        return Err(ApiError::conflict("EntityAlreadyExists", message));
    }
    call.world.iam.users.remove(&name);
    call.world.iam.users.insert(user.name.clone(), user);
    Ok(Node::empty())
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("UserName")?.to_owned();
    let user = named(call.world, &name)?;
    let held = &user.held;
    let obstacle = if held.login_profile.is_some() {
        "delete login profile"
    } else if !user.keys.is_empty() {
        "delete access keys"
    } else if !held.mfa.is_empty() {
        "delete MFA device"
    } else if !held.certificates.is_empty() {
        "delete signing certificates"
    } else if !held.ssh_keys.is_empty() {
        "delete SSH public keys"
    } else if !held.service_credentials.is_empty() {
        "delete service specific credentials"
    } else if !held.groups.is_empty() {
        "remove users from group"
    } else if !user.policies.inline.is_empty() {
        "delete policies"
    } else if !user.policies.attached.is_empty() {
        "detach all policies"
    } else {
        call.world.iam.users.remove(&name);
        return Ok(Node::empty());
    };
    Err(ApiError::conflict("DeleteConflict", format!("Cannot delete entity, must {obstacle} first.")))
}

pub(super) fn list_tags(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let user = named(call.world, &call.user_name()?)?.clone();
    let tags = user.tags.keys().cloned().zip(tags(&user.tags)).collect();
    page(call.params, "Tags", tags).map(Node::Fields)
}
