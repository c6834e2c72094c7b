//! The calls of IAM Identity Center and its identity store, as the SDK makes them.

use aws_sdk_identitystore::types::MemberId;
use aws_sdk_ssoadmin::types::{PrincipalType, ProvisionTargetType, TargetType};

use super::{failed, sent, unknown};
use crate::adapters::aws::identity_center::{IdentityCenter, Taken};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

/// `reader` looks whether what AWS has taken on comes to its end.
pub(super) async fn make(
    sso: &aws_sdk_ssoadmin::Client,
    call: &ApiCall,
    reader: Option<&IdentityCenter>,
) -> CallAnswer {
    let (taken, instance_arn) = match call {
        ApiCall::DeleteAccountAssignment {
            instance_arn,
            target_id,
            target_type,
            permission_set_arn,
            principal_type,
            principal_id,
        }
        | ApiCall::CreateAccountAssignment {
            instance_arn,
            target_id,
            target_type,
            permission_set_arn,
            principal_type,
            principal_id,
        } => {
            let target_type = TargetType::from(target_type.as_str());
            let principal_type = PrincipalType::from(principal_type.as_str());
            if matches!(call, ApiCall::CreateAccountAssignment { .. }) {
                let request = sso.create_account_assignment().instance_arn(instance_arn).target_id(target_id);
                let request = request.target_type(target_type).permission_set_arn(permission_set_arn);
                return sent(call, request.principal_type(principal_type).principal_id(principal_id).send()).await;
            }
            let request = sso.delete_account_assignment().instance_arn(instance_arn).target_id(target_id);
            let request = request.target_type(target_type).permission_set_arn(permission_set_arn);
            let asked = request.principal_type(principal_type).principal_id(principal_id).send();
            let answer = match Box::pin(asked).await {
                Ok(answer) => answer,
                Err(error) => return failed(call.iam_action(), &error),
            };
            let standing = answer.account_assignment_deletion_status;
            (standing.and_then(|standing| standing.request_id).map(Taken::Deletion), instance_arn)
        }
        ApiCall::PutInlinePolicyToPermissionSet { instance_arn, permission_set_arn, inline_policy } => {
            let request = sso.put_inline_policy_to_permission_set().instance_arn(instance_arn);
            return sent(call, request.permission_set_arn(permission_set_arn).inline_policy(inline_policy).send())
                .await;
        }
        ApiCall::DeleteInlinePolicyFromPermissionSet { instance_arn, permission_set_arn } => {
            let request = sso.delete_inline_policy_from_permission_set().instance_arn(instance_arn);
            return sent(call, request.permission_set_arn(permission_set_arn).send()).await;
        }
        ApiCall::ProvisionPermissionSet { instance_arn, permission_set_arn, target_type, target_id } => {
            let request = sso.provision_permission_set().instance_arn(instance_arn).target_id(target_id);
            let request = request.target_type(ProvisionTargetType::from(target_type.as_str()));
            let answer = match Box::pin(request.permission_set_arn(permission_set_arn).send()).await {
                Ok(answer) => answer,
                Err(error) => return failed(call.iam_action(), &error),
            };
            let standing = answer.permission_set_provisioning_status;
            (standing.and_then(|standing| standing.request_id).map(Taken::Provisioning), instance_arn)
        }
        other => return unknown(other),
    };
    let (Some(reader), Some(taken)) = (reader, taken) else { return CallAnswer::Accepted };
    match reader.settled(instance_arn, &taken).await {
        Ok(()) => CallAnswer::Accepted,
        Err(why) => CallAnswer::Partly { message: format!("AWS took it on and then failed: {why}") },
    }
}

pub(super) async fn store(store: &aws_sdk_identitystore::Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::DeleteGroupMembership { identity_store_id, membership_id } => {
            let request = store.delete_group_membership().identity_store_id(identity_store_id);
            sent(call, request.membership_id(membership_id).send()).await
        }
        ApiCall::CreateGroupMembership { identity_store_id, group_id, member_id } => {
            let member = MemberId::UserId(member_id.trim_start_matches("UserId=").to_owned());
            let request = store.create_group_membership().identity_store_id(identity_store_id).group_id(group_id);
            sent(call, request.member_id(member).send()).await
        }
        other => unknown(other),
    }
}
