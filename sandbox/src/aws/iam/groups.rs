//! Groups, and who is in them.

use super::paging::page;
use super::{checked_name, path, users};
use crate::aws::iam::held::Group;
use crate::aws::ids::{self, Entropy};
use crate::aws::operation::Call;
use crate::aws::state::{Policies, World};
use crate::aws::wire::{ApiError, Node};

/// `GroupsPerUser`; the quota cannot be raised.
const GROUPS_MAX: usize = 10;

pub(super) fn named<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Group, ApiError> {
    world
        .iam
        .groups
        .get_mut(name)
        .ok_or_else(|| ApiError::no_such_entity(format!("The group with name {name} cannot be found.")))
}

fn described(world: &World, group: &Group) -> Node {
    Node::Fields(fields(world, group))
}

pub(super) fn fields(world: &World, group: &Group) -> Vec<(&'static str, Node)> {
    vec![
        ("Path", Node::text(&group.path)),
        ("GroupName", Node::text(&group.name)),
        ("GroupId", Node::text(&group.id)),
        ("Arn", Node::text(world.group_arn(group))),
        ("CreateDate", Node::Time(group.created_at)),
    ]
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "GroupName")?.to_owned();
    if call.world.iam.groups.contains_key(&name) {
        return Err(ApiError::conflict("EntityAlreadyExists", format!("Group with name {name} already exists.")));
    }
    let group = Group {
        name: name.clone(),
        path: path(call.params)?,
        id: ids::unique_id("AGPA", Entropy::Random),
        created_at: call.now,
        policies: Policies::default(),
    };
    let node = Node::Fields(vec![("Group", described(call.world, &group))]);
    call.world.iam.groups.insert(name, group);
    Ok(node)
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("GroupName")?.to_owned();
    let group = named(call.world, &name)?.clone();
    let world = &call.world;
    let members = world.iam.users.values().filter(|user| user.held.groups.contains(&name));
    let members = members.map(|user| (user.name.clone(), Node::Fields(users::described(world, user)))).collect();
    let mut fields = page(call.params, "Users", members)?;
    fields.push(("Group", described(world, &group)));
    Ok(Node::Fields(fields))
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let groups = call.world.iam.groups.values();
    let groups = groups.map(|group| (group.name.clone(), described(call.world, group))).collect();
    page(call.params, "Groups", groups).map(Node::Fields)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("GroupName")?.to_owned();
    let occupied = call.world.iam.users.values().any(|user| user.held.groups.contains(&name));
    let group = named(call.world, &name)?;
    let obstacle = if occupied {
        "remove users from group"
    } else if !group.policies.inline.is_empty() {
        "delete policies"
    } else if !group.policies.attached.is_empty() {
        "detach all policies"
    } else {
        call.world.iam.groups.remove(&name);
        return Ok(Node::empty());
    };
    Err(ApiError::conflict("DeleteConflict", format!("Cannot delete entity, must {obstacle} first.")))
}

pub(super) fn add_user(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let group = call.params.required("GroupName")?.to_owned();
    named(call.world, &group)?;
    let user = users::named(call.world, call.params.required("UserName")?)?;
    if !user.held.groups.contains(&group) && user.held.groups.len() >= GROUPS_MAX {
        let message = format!("Cannot exceed quota for GroupsPerUser: {GROUPS_MAX}");
        return Err(ApiError::conflict("LimitExceeded", message));
    }
    user.held.groups.insert(group);
    Ok(Node::empty())
}

/// Taking out a user who is not in it is no error.
pub(super) fn remove_user(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let group = call.params.required("GroupName")?.to_owned();
    named(call.world, &group)?;
    users::named(call.world, call.params.required("UserName")?)?.held.groups.remove(&group);
    Ok(Node::empty())
}

pub(super) fn list_for_user(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let names = users::named(call.world, &call.user_name()?)?.held.groups.clone();
    let groups = names.iter().filter_map(|name| call.world.iam.groups.get(name));
    let groups = groups.map(|group| (group.name.clone(), described(call.world, group))).collect();
    page(call.params, "Groups", groups).map(Node::Fields)
}
