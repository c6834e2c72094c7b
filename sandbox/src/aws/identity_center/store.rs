//! The calls about users, groups and memberships.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{REGION, STORE, new_id, not_found, page, permit, store_arn};
use crate::aws::json_operation::{Call, Operation};
use crate::aws::wire::ApiError;

static OPERATIONS: [Operation; 5] = [
    Operation::read("GetUserId", "GetUserId", get_user_id),
    Operation::read("DescribeGroup", "DescribeGroup", describe_group),
    Operation::read("ListGroupMembershipsForMember", "ListGroupMembershipsForMember", list_memberships),
    Operation::write("CreateGroupMembership", "CreateGroupMembership", StatusCode::OK, create_membership),
    Operation::write("DeleteGroupMembership", "DeleteGroupMembership", StatusCode::OK, delete_membership),
];

/// The operation of this name.
pub(in crate::aws) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:identitystore:::{kind}/{id}")
}

/// The store, where it is and when the call names it.
fn store(call: &Call<'_>) -> Result<(), ApiError> {
    if call.region == REGION && call.required("IdentityStoreId")? == STORE {
        Ok(())
    } else {
        Err(not_found("IDENTITY_STORE"))
    }
}

fn get_user_id(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "identitystore:GetUserId", &[&store_arn()])?;
    store(call)?;
    let attribute = &call.input["AlternateIdentifier"]["UniqueAttribute"];
    if attribute["AttributePath"] != "userName" {
        return Err(ApiError::validation("The attribute path is not supported."));
    }
    let found = call.world.identity_center.users.iter().find(|(_, name)| attribute["AttributeValue"] == name.as_str());
    let (id, _) = found.ok_or_else(|| not_found("USER"))?;
    Ok(json!({ "IdentityStoreId": STORE, "UserId": id, "UserArn": arn("user", id) }))
}

fn describe_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.required("GroupId")?;
    permit(call, "identitystore:DescribeGroup", &[&store_arn(), &arn("group", &id)])?;
    store(call)?;
    let name = call.world.identity_center.groups.get(&id).ok_or_else(|| not_found("GROUP"))?;
    Ok(json!({
        "IdentityStoreId": STORE, "GroupId": id, "GroupArn": arn("group", &id), "Revision": "1", "DisplayName": name,
    }))
}

/// The user that a call names as a member.
fn member(call: &Call<'_>) -> Result<String, ApiError> {
    let id = call.input["MemberId"]["UserId"].as_str().unwrap_or_default();
    let known = call.world.identity_center.users.contains_key(id);
    if known { Ok(id.to_owned()) } else { Err(not_found("USER")) }
}

fn list_memberships(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "identitystore:ListGroupMembershipsForMember", &[&store_arn()])?;
    store(call)?;
    let user = member(call)?;
    let of = call.world.identity_center.groups_of(&user);
    let shown = of.map(|(group, id)| {
        json!({
            "IdentityStoreId": STORE, "MembershipId": id, "MembershipArn": arn("membership", id), "GroupId": group,
            "MemberId": { "UserId": user },
        })
    });
    Ok(page("GroupMemberships", shown))
}

fn create_membership(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (group, user) = (call.required("GroupId")?, member(call)?);
    let arns = [store_arn(), arn("group", &group), arn("user", &user), arn("membership", "*")];
    permit(call, "identitystore:CreateGroupMembership", &arns.each_ref().map(String::as_str))?;
    store(call)?;
    let center = &mut call.world.identity_center;
    if !center.groups.contains_key(&group) {
        return Err(not_found("GROUP"));
    }
    if center.groups_of(&user).any(|(of, _)| of == group) {
        return Err(ApiError::bad_request("ConflictException", "Member and Group relationship already exists."));
    }
    let id = new_id();
    center.memberships.insert(id.clone(), (group, user));
    Ok(json!({ "IdentityStoreId": STORE, "MembershipId": id, "MembershipArn": arn("membership", &id) }))
}

fn delete_membership(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.required("MembershipId")?;
    let named = call.world.identity_center.memberships.get(&id).cloned();
    let mut arns = vec![store_arn(), arn("membership", &id)];
    if let Some((group, user)) = named {
        arns.extend([arn("group", &group), arn("user", &user)]);
    }
    permit(call, "identitystore:DeleteGroupMembership", &arns.iter().map(String::as_str).collect::<Vec<_>>())?;
    store(call)?;
    call.world.identity_center.memberships.remove(&id).ok_or_else(|| not_found("GROUP_MEMBERSHIP"))?;
    Ok(json!({}))
}
