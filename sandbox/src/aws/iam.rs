//! IAM: the operations on users, their keys, roles and policies.
//!
//! Names, limits and error codes follow the IAM API reference, version 2010-05-08.

mod credentials;
mod details;
mod groups;
pub(super) mod held;
mod keys;
mod managed;
mod paging;
mod policies;
mod profiles;
pub(super) mod providers;
pub(super) mod report;
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

const OPERATIONS: [Operation; 103] = [
    read("ListUsers", Target::Users, users::list),
    read("GetUser", Target::User, users::get),
    write("CreateUser", Target::User, users::create),
    write("UpdateUser", Target::User, users::update),
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
    read("ListInstanceProfilesForRole", Target::Role, profiles::list_for_role),
    write("PutRolePolicy", Target::Role, |call| policies::put(call, policies::Of::Role)),
    read("GetRolePolicy", Target::Role, |call| policies::get(call, policies::Of::Role)),
    write("DeleteRolePolicy", Target::Role, |call| policies::delete(call, policies::Of::Role)),
    read("ListRolePolicies", Target::Role, |call| policies::list(call, policies::Of::Role)),
    write("AttachRolePolicy", Target::Role, |call| policies::attach(call, policies::Of::Role)),
    write("DetachRolePolicy", Target::Role, |call| policies::detach(call, policies::Of::Role)),
    read("ListAttachedRolePolicies", Target::Role, |call| policies::list_attached(call, policies::Of::Role)),
    read("GetAccountAuthorizationDetails", Target::Everything, details::all),
    read("GenerateCredentialReport", Target::Everything, |call| Ok(report::generate(call))),
    read("GetCredentialReport", Target::Everything, |call| report::get(call)),
    read("SimulatePrincipalPolicy", Target::Source, simulate::run),
    write("CreateLoginProfile", Target::User, credentials::create_login),
    read("GetLoginProfile", Target::User, credentials::get_login),
    write("UpdateLoginProfile", Target::User, credentials::update_login),
    write("DeleteLoginProfile", Target::User, credentials::delete_login),
    write("CreateVirtualMFADevice", Target::Mfa, credentials::create_mfa),
    write("EnableMFADevice", Target::User, credentials::enable_mfa),
    read("ListMFADevices", Target::User, credentials::list_mfa),
    read("ListVirtualMFADevices", Target::Everything, credentials::list_virtual_mfa),
    write("DeactivateMFADevice", Target::User, credentials::deactivate_mfa),
    write("DeleteVirtualMFADevice", Target::Mfa, credentials::delete_mfa),
    write("UploadSigningCertificate", Target::User, |call| credentials::make(call, credentials::Of::Certificate)),
    read("ListSigningCertificates", Target::User, |call| credentials::list(call, credentials::Of::Certificate)),
    write("UpdateSigningCertificate", Target::User, |call| credentials::update(call, credentials::Of::Certificate)),
    write("DeleteSigningCertificate", Target::User, |call| credentials::delete(call, credentials::Of::Certificate)),
    write("UploadSSHPublicKey", Target::User, |call| credentials::make(call, credentials::Of::SshKey)),
    read("ListSSHPublicKeys", Target::User, |call| credentials::list(call, credentials::Of::SshKey)),
    write("UpdateSSHPublicKey", Target::User, |call| credentials::update(call, credentials::Of::SshKey)),
    write("DeleteSSHPublicKey", Target::User, |call| credentials::delete(call, credentials::Of::SshKey)),
    write("CreateServiceSpecificCredential", Target::User, |call| credentials::make(call, credentials::Of::Service)),
    read("ListServiceSpecificCredentials", Target::User, |call| credentials::list(call, credentials::Of::Service)),
    write("UpdateServiceSpecificCredential", Target::User, |call| credentials::update(call, credentials::Of::Service)),
    write("DeleteServiceSpecificCredential", Target::User, |call| credentials::delete(call, credentials::Of::Service)),
    write("PutUserPermissionsBoundary", Target::User, credentials::put_boundary),
    write("DeleteUserPermissionsBoundary", Target::User, credentials::delete_boundary),
    write("PutRolePermissionsBoundary", Target::Role, credentials::put_boundary),
    write("DeleteRolePermissionsBoundary", Target::Role, credentials::delete_boundary),
    write("CreateGroup", Target::Group, groups::create),
    read("GetGroup", Target::Group, groups::get),
    read("ListGroups", Target::Everything, groups::list),
    write("DeleteGroup", Target::Group, groups::delete),
    write("AddUserToGroup", Target::Group, groups::add_user),
    write("RemoveUserFromGroup", Target::Group, groups::remove_user),
    read("ListGroupsForUser", Target::User, groups::list_for_user),
    write("PutGroupPolicy", Target::Group, |call| policies::put(call, policies::Of::Group)),
    read("GetGroupPolicy", Target::Group, |call| policies::get(call, policies::Of::Group)),
    write("DeleteGroupPolicy", Target::Group, |call| policies::delete(call, policies::Of::Group)),
    read("ListGroupPolicies", Target::Group, |call| policies::list(call, policies::Of::Group)),
    write("AttachGroupPolicy", Target::Group, |call| policies::attach(call, policies::Of::Group)),
    write("DetachGroupPolicy", Target::Group, |call| policies::detach(call, policies::Of::Group)),
    read("ListAttachedGroupPolicies", Target::Group, |call| policies::list_attached(call, policies::Of::Group)),
    write("CreatePolicy", Target::Policy, managed::create),
    read("GetPolicy", Target::Policy, managed::get),
    read("ListPolicies", Target::Everything, managed::list),
    write("DeletePolicy", Target::Policy, managed::delete),
    write("CreatePolicyVersion", Target::Policy, managed::create_version),
    read("GetPolicyVersion", Target::Policy, managed::get_version),
    read("ListPolicyVersions", Target::Policy, managed::list_versions),
    write("SetDefaultPolicyVersion", Target::Policy, managed::set_default_version),
    write("DeletePolicyVersion", Target::Policy, managed::delete_version),
    read("ListEntitiesForPolicy", Target::Policy, managed::list_entities),
    write("CreateInstanceProfile", Target::Profile, profiles::create),
    read("GetInstanceProfile", Target::Profile, profiles::get),
    write("DeleteInstanceProfile", Target::Profile, profiles::delete),
    write("AddRoleToInstanceProfile", Target::Profile, profiles::add_role),
    write("RemoveRoleFromInstanceProfile", Target::Profile, profiles::remove_role),
    write("CreateSAMLProvider", Target::Saml, providers::create_saml),
    read("GetSAMLProvider", Target::Saml, providers::get_saml),
    read("ListSAMLProviders", Target::Everything, |call| Ok(providers::list_saml(call))),
    write("UpdateSAMLProvider", Target::Saml, providers::update_saml),
    write("DeleteSAMLProvider", Target::Saml, providers::delete_saml),
    write("CreateOpenIDConnectProvider", Target::Oidc, providers::create_oidc),
    read("GetOpenIDConnectProvider", Target::Oidc, providers::get_oidc),
    read("ListOpenIDConnectProviders", Target::Everything, |call| Ok(providers::list_oidc(call))),
    write("UpdateOpenIDConnectProviderThumbprint", Target::Oidc, providers::update_thumbprints),
    write("AddClientIDToOpenIDConnectProvider", Target::Oidc, providers::add_client),
    write("RemoveClientIDFromOpenIDConnectProvider", Target::Oidc, providers::remove_client),
    write("DeleteOpenIDConnectProvider", Target::Oidc, providers::delete_oidc),
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
    checked_path(params.get("Path").unwrap_or("/"))
}

fn checked_path(path: &str) -> Result<String, ApiError> {
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
