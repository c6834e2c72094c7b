//! IAM: the operations on users, their keys, roles and policies.
//!
//! Names, limits and error codes follow the IAM API reference, version 2010-05-08.

mod keys;
mod paging;
mod policies;
mod roles;
mod simulate;
pub(super) mod trust;
mod users;

use std::collections::BTreeMap;

use super::operation::{Operation, Target};
use super::wire::{ApiError, Node, Params};

pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

const fn read(name: &'static str, target: Target, run: Run) -> Operation {
    Operation { name, read_only: true, target, run }
}

const fn write(name: &'static str, target: Target, run: Run) -> Operation {
    Operation { name, read_only: false, target, run }
}

type Run = fn(&mut super::operation::Call<'_>) -> Result<Node, ApiError>;

const OPERATIONS: [Operation; 37] = [
    read("ListUsers", Target::Users, users::list),
    read("GetUser", Target::User, users::get),
    write("CreateUser", Target::User, users::create),
    write("DeleteUser", Target::User, users::delete),
    read("ListUserTags", Target::User, users::list_tags),
    read("ListAccessKeys", Target::User, keys::list),
    read("GetAccessKeyLastUsed", Target::KeyOwner, keys::last_used),
    write("CreateAccessKey", Target::User, keys::create),
    write("UpdateAccessKey", Target::User, keys::update),
    write("DeleteAccessKey", Target::User, keys::delete),
    write("PutUserPolicy", Target::User, |call| policies::put(call, policies::Of::User)),
    read("GetUserPolicy", Target::User, |call| policies::get(call, policies::Of::User)),
    write("DeleteUserPolicy", Target::User, |call| policies::delete(call, policies::Of::User)),
    read("ListUserPolicies", Target::User, |call| policies::list(call, policies::Of::User)),
    write("AttachUserPolicy", Target::User, |call| policies::attach(call, policies::Of::User)),
    write("DetachUserPolicy", Target::User, |call| policies::detach(call, policies::Of::User)),
    read("ListAttachedUserPolicies", Target::User, |call| policies::list_attached(call, policies::Of::User)),
    read("ListRoles", Target::Roles, roles::list),
    read("GetRole", Target::Role, roles::get),
    write("CreateRole", Target::Role, roles::create),
    write("DeleteRole", Target::Role, roles::delete),
    read("ListRoleTags", Target::Role, roles::list_tags),
    write("UpdateAssumeRolePolicy", Target::Role, roles::update_trust),
    read("ListInstanceProfilesForRole", Target::Role, roles::list_instance_profiles),
    write("PutRolePolicy", Target::Role, |call| policies::put(call, policies::Of::Role)),
    read("GetRolePolicy", Target::Role, |call| policies::get(call, policies::Of::Role)),
    write("DeleteRolePolicy", Target::Role, |call| policies::delete(call, policies::Of::Role)),
    read("ListRolePolicies", Target::Role, |call| policies::list(call, policies::Of::Role)),
    write("AttachRolePolicy", Target::Role, |call| policies::attach(call, policies::Of::Role)),
    write("DetachRolePolicy", Target::Role, |call| policies::detach(call, policies::Of::Role)),
    read("ListAttachedRolePolicies", Target::Role, |call| policies::list_attached(call, policies::Of::Role)),
    read("SimulatePrincipalPolicy", Target::Everything, simulate::run),
    // Nothing of these kinds can exist in this account; a survey of a principal asks all the same.
    read("ListMFADevices", Target::User, |call| users::none_of(call, "MFADevices")),
    read("ListGroupsForUser", Target::User, |call| users::none_of(call, "Groups")),
    read("ListSigningCertificates", Target::User, |call| users::none_of(call, "Certificates")),
    read("ListSSHPublicKeys", Target::User, |call| users::none_of(call, "SSHPublicKeys")),
    read("ListServiceSpecificCredentials", Target::User, |call| users::none_of(call, "ServiceSpecificCredentials")),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    const TABLE: &[Operation] = &OPERATIONS;
    TABLE.iter().find(|operation| operation.name == name)
}

/// The `Tags` of a create call.
fn tags_from(params: &Params) -> BTreeMap<String, String> {
    let values = params.members("Tags", ".Value");
    params.members("Tags", ".Key").into_iter().map(str::to_owned).zip(values.into_iter().map(str::to_owned)).collect()
}

/// The `Tags` of an answer.
fn tags(tags: &BTreeMap<String, String>) -> Vec<Node> {
    tags.iter().map(|(key, value)| Node::Fields(vec![("Key", Node::text(key)), ("Value", Node::text(value))])).collect()
}

/// The path of a new user or role, `/` unless given.
fn path(params: &Params) -> Result<String, ApiError> {
    let path = params.get("Path").unwrap_or("/");
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 {
        return Ok(path.to_owned());
    }
    Err(ApiError::validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    ))
}

/// A name as IAM takes it: at most 64 letters, digits and `+=,.@-_`.
fn checked_name<'a>(params: &'a Params, parameter: &'static str) -> Result<&'a str, ApiError> {
    let name = params.required(parameter)?;
    if name.len() <= 64 && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "+=,.@-_".contains(letter)) {
        return Ok(name);
    }
    Err(ApiError::validation(format!(
        "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        super::wire::decapitalised(parameter)
    )))
}
