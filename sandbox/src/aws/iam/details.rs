//! `GetAccountAuthorizationDetails`: all users, groups, roles and policies at once, each with what it may do.

use super::paging::cut_page;
use super::{groups, managed, profiles, tags, users};
use crate::aws::iam::trust;
use crate::aws::operation::Call;
use crate::aws::state::{Policies, Role, User, World};
use crate::aws::wire::{ApiError, Node, percent_encoded};

/// What can be asked for, and the list that it comes in.
const KINDS: [(&str, &str); 5] = [
    ("User", "UserDetailList"),
    ("Group", "GroupDetailList"),
    ("Role", "RoleDetailList"),
    ("LocalManagedPolicy", "Policies"),
    // AWS's own; nobody asks for them here.
    ("AWSManagedPolicy", "Policies"),
];

/// One page goes on through the kinds in their order.
pub(super) fn all(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let asked = call.params.members("Filter", "");
    if let Some(wrong) = asked.iter().find(|asked| !KINDS.iter().any(|(kind, _)| kind == *asked)) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '[{wrong}]' at 'filter' failed to satisfy constraint: Member must satisfy \
             constraint: [Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]]"
        )));
    }
    let wanted = |kind: &str| asked.is_empty() || asked.contains(&kind);
    let world = &*call.world;
    let iam = &world.iam;
    let mut items: Vec<(String, (&'static str, Node))> = Vec::new();
    if wanted("User") {
        items.extend(iam.users.values().map(|u| (format!("0 {}", u.name), ("UserDetailList", user(world, u)))));
    }
    if wanted("Group") {
        let detail = |group| {
            let mut fields = groups::fields(world, group);
            fields.extend(policies("GroupPolicyList", &group.policies));
            Node::Fields(fields)
        };
        items.extend(iam.groups.values().map(|g| (format!("1 {}", g.name), ("GroupDetailList", detail(g)))));
    }
    if wanted("Role") {
        items.extend(iam.roles.values().map(|r| (format!("2 {}", r.name), ("RoleDetailList", role(world, r)))));
    }
    if wanted("LocalManagedPolicy") {
        let details = iam.managed.iter().map(|(arn, p)| (format!("3 {arn}"), ("Policies", managed::detail(world, p))));
        items.extend(details);
    }
    let (shown, marker) = cut_page(call.params, items)?;
    let mut lists: [(&'static str, Vec<Node>); 4] =
        ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"].map(|list| (list, Vec::new()));
    for (list, node) in shown {
        if let Some((_, nodes)) = lists.iter_mut().find(|(name, _)| *name == list) {
            nodes.push(node);
        }
    }
    let mut fields = vec![("IsTruncated", Node::Flag(marker.is_some()))];
    fields.extend(lists.map(|(list, nodes)| (list, Node::Members(nodes))));
    fields.extend(marker.map(|marker| ("Marker", Node::text(marker))));
    Ok(Node::Fields(fields))
}

/// Inline policies with their documents, and attached ones by name.
fn policies(list: &'static str, policies: &Policies) -> [(&'static str, Node); 2] {
    let inline = policies.inline.iter().map(|(name, document)| {
        Node::Fields(vec![("PolicyName", Node::text(name)), ("PolicyDocument", Node::text(percent_encoded(document)))])
    });
    let attached = policies.attached.iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        Node::Fields(vec![("PolicyName", Node::text(name)), ("PolicyArn", Node::text(arn))])
    });
    [(list, Node::Members(inline.collect())), ("AttachedManagedPolicies", Node::Members(attached.collect()))]
}

fn user(world: &World, user: &User) -> Node {
    let mut fields = users::described(world, user);
    fields.extend(policies("UserPolicyList", &user.policies));
    fields.push(("GroupList", Node::Members(user.held.groups.iter().map(Node::text).collect())));
    fields.extend(user.boundary.as_deref().map(|arn| ("PermissionsBoundary", users::boundary(arn))));
    fields.push(("Tags", Node::Members(tags(&user.tags))));
    Node::Fields(fields)
}

fn role(world: &World, role: &Role) -> Node {
    let profiles = role.instance_profiles.iter().filter_map(|name| world.iam.profiles.get(name));
    let mut fields = vec![
        ("Path", Node::text(&role.path)),
        ("RoleName", Node::text(&role.name)),
        ("RoleId", Node::text(&role.id)),
        ("Arn", Node::text(world.role_arn(role))),
        ("CreateDate", Node::Time(role.created_at)),
        ("AssumeRolePolicyDocument", Node::text(percent_encoded(&trust::shown(world, &role.trust)))),
        ("InstanceProfileList", Node::Members(profiles.map(|profile| profiles::described(world, profile)).collect())),
    ];
    fields.extend(policies("RolePolicyList", &role.policies));
    fields.extend(role.boundary.as_deref().map(|arn| ("PermissionsBoundary", users::boundary(arn))));
    fields.push(("Tags", Node::Members(tags(&role.tags))));
    Node::Fields(fields)
}
