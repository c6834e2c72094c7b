//! IAM's calls, as the SDK makes them.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::StatusType;

use super::{sent, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;
use crate::domain::observation::KeyStatus;

const fn status_type(status: KeyStatus) -> StatusType {
    match status {
        KeyStatus::Active => StatusType::Active,
        KeyStatus::Inactive => StatusType::Inactive,
    }
}

pub(super) async fn make(iam: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::UpdateAccessKey { user_name, access_key_id, status } => {
            let request = iam.update_access_key().user_name(user_name).access_key_id(access_key_id.as_str());
            sent(call, request.status(status_type(*status)).send()).await
        }
        ApiCall::PutUserPolicy { user_name, policy_name, policy_document } => {
            let request =
                iam.put_user_policy().user_name(user_name).policy_name(policy_name).policy_document(policy_document);
            sent(call, request.send()).await
        }
        ApiCall::DeleteUserPolicy { user_name, policy_name } => {
            sent(call, iam.delete_user_policy().user_name(user_name).policy_name(policy_name).send()).await
        }
        ApiCall::PutRolePolicy { role_name, policy_name, policy_document } => {
            let request =
                iam.put_role_policy().role_name(role_name).policy_name(policy_name).policy_document(policy_document);
            sent(call, request.send()).await
        }
        ApiCall::DeleteRolePolicy { role_name, policy_name } => {
            sent(call, iam.delete_role_policy().role_name(role_name).policy_name(policy_name).send()).await
        }
        ApiCall::PutGroupPolicy { group_name, policy_name, policy_document } => {
            let request = iam.put_group_policy().group_name(group_name).policy_name(policy_name);
            sent(call, request.policy_document(policy_document).send()).await
        }
        ApiCall::DeleteGroupPolicy { group_name, policy_name } => {
            sent(call, iam.delete_group_policy().group_name(group_name).policy_name(policy_name).send()).await
        }
        ApiCall::AttachUserPolicy { user_name, policy_arn } => {
            sent(call, iam.attach_user_policy().user_name(user_name).policy_arn(policy_arn).send()).await
        }
        ApiCall::DetachUserPolicy { user_name, policy_arn } => {
            sent(call, iam.detach_user_policy().user_name(user_name).policy_arn(policy_arn).send()).await
        }
        ApiCall::AttachRolePolicy { role_name, policy_arn } => {
            sent(call, iam.attach_role_policy().role_name(role_name).policy_arn(policy_arn).send()).await
        }
        ApiCall::DetachRolePolicy { role_name, policy_arn } => {
            sent(call, iam.detach_role_policy().role_name(role_name).policy_arn(policy_arn).send()).await
        }
        ApiCall::AttachGroupPolicy { group_name, policy_arn } => {
            sent(call, iam.attach_group_policy().group_name(group_name).policy_arn(policy_arn).send()).await
        }
        ApiCall::DetachGroupPolicy { group_name, policy_arn } => {
            sent(call, iam.detach_group_policy().group_name(group_name).policy_arn(policy_arn).send()).await
        }
        ApiCall::AddUserToGroup { group_name, user_name } => {
            sent(call, iam.add_user_to_group().group_name(group_name).user_name(user_name).send()).await
        }
        ApiCall::RemoveUserFromGroup { group_name, user_name } => {
            sent(call, iam.remove_user_from_group().group_name(group_name).user_name(user_name).send()).await
        }
        ApiCall::UpdateAssumeRolePolicy { role_name, policy_document } => {
            let request = iam.update_assume_role_policy().role_name(role_name).policy_document(policy_document);
            sent(call, request.send()).await
        }
        ApiCall::SetDefaultPolicyVersion { policy_arn, version_id } => {
            sent(call, iam.set_default_policy_version().policy_arn(policy_arn).version_id(version_id).send()).await
        }
        ApiCall::DeletePolicyVersion { policy_arn, version_id } => {
            sent(call, iam.delete_policy_version().policy_arn(policy_arn).version_id(version_id).send()).await
        }
        ApiCall::DeletePolicy { policy_arn } => sent(call, iam.delete_policy().policy_arn(policy_arn).send()).await,
        other => gone(iam, other).await,
    }
}

/// What deletes: credentials, devices, and users, roles, groups, profiles and providers themselves.
async fn gone(iam: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::DeleteAccessKey { user_name, access_key_id } => {
            let request = iam.delete_access_key().user_name(user_name).access_key_id(access_key_id.as_str());
            sent(call, request.send()).await
        }
        ApiCall::DeleteLoginProfile { user_name } => {
            sent(call, iam.delete_login_profile().user_name(user_name).send()).await
        }
        ApiCall::DeactivateMFADevice { user_name, serial_number } => {
            sent(call, iam.deactivate_mfa_device().user_name(user_name).serial_number(serial_number).send()).await
        }
        ApiCall::DeleteVirtualMFADevice { serial_number } => {
            sent(call, iam.delete_virtual_mfa_device().serial_number(serial_number).send()).await
        }
        ApiCall::DeleteSigningCertificate { user_name, certificate_id } => {
            let request = iam.delete_signing_certificate().user_name(user_name).certificate_id(certificate_id);
            sent(call, request.send()).await
        }
        ApiCall::DeleteSSHPublicKey { user_name, ssh_public_key_id } => {
            let request = iam.delete_ssh_public_key().user_name(user_name).ssh_public_key_id(ssh_public_key_id);
            sent(call, request.send()).await
        }
        ApiCall::UpdateServiceSpecificCredential { user_name, service_specific_credential_id: id, status } => {
            let asked =
                iam.update_service_specific_credential().user_name(user_name).service_specific_credential_id(id);
            sent(call, asked.status(status_type(*status)).send()).await
        }
        ApiCall::DeleteServiceSpecificCredential { user_name, service_specific_credential_id: id } => {
            let request = iam.delete_service_specific_credential().user_name(user_name);
            sent(call, request.service_specific_credential_id(id).send()).await
        }
        ApiCall::DeleteUserPermissionsBoundary { user_name } => {
            sent(call, iam.delete_user_permissions_boundary().user_name(user_name).send()).await
        }
        ApiCall::DeleteUser { user_name } => sent(call, iam.delete_user().user_name(user_name).send()).await,
        ApiCall::RemoveRoleFromInstanceProfile { instance_profile_name: name, role_name } => {
            let request = iam.remove_role_from_instance_profile().instance_profile_name(name).role_name(role_name);
            sent(call, request.send()).await
        }
        ApiCall::DeleteInstanceProfile { instance_profile_name: name } => {
            sent(call, iam.delete_instance_profile().instance_profile_name(name).send()).await
        }
        ApiCall::DeleteRolePermissionsBoundary { role_name } => {
            sent(call, iam.delete_role_permissions_boundary().role_name(role_name).send()).await
        }
        ApiCall::DeleteRole { role_name } => sent(call, iam.delete_role().role_name(role_name).send()).await,
        ApiCall::DeleteGroup { group_name } => sent(call, iam.delete_group().group_name(group_name).send()).await,
        ApiCall::DeleteSAMLProvider { saml_provider_arn } => {
            sent(call, iam.delete_saml_provider().saml_provider_arn(saml_provider_arn).send()).await
        }
        ApiCall::DeleteOpenIDConnectProvider { open_id_connect_provider_arn: arn } => {
            sent(call, iam.delete_open_id_connect_provider().open_id_connect_provider_arn(arn).send()).await
        }
        other => unknown(other),
    }
}
