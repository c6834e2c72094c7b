//! The calls of IAM Identity Center and its identity store, as the SDK makes them.

use aws_config::SdkConfig;
use aws_sdk_identitystore::types::MemberId;
use aws_sdk_ssoadmin::types::{PrincipalType, TargetType};

use super::{failed, sent, unknown};
use crate::adapters::aws::identity_center::IdentityCenter;
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

/// `reader` looks whether what AWS has taken on comes to its end.
pub(super) async fn make(config: &SdkConfig, call: &ApiCall, reader: Option<&IdentityCenter>) -> CallAnswer {
    let (sso, store) = (aws_sdk_ssoadmin::Client::new(config), aws_sdk_identitystore::Client::new(config));
    match call {
        ApiCall::DeleteAccountAssignment {
            instance_arn,
            target_id,
            target_type,
            permission_set_arn,
            principal_type,
            principal_id,
        } => {
            let request = sso.delete_account_assignment().instance_arn(instance_arn).target_id(target_id);
            let request = request.target_type(TargetType::from(target_type.as_str()));
            let request = request.permission_set_arn(permission_set_arn).principal_id(principal_id);
            let asked = request.principal_type(PrincipalType::from(principal_type.as_str())).send();
            let answer = match Box::pin(asked).await {
                Ok(answer) => answer,
                Err(error) => return failed(call.iam_action(), &error),
            };
            let request_id = answer.account_assignment_deletion_status.and_then(|status| status.request_id);
            let (Some(reader), Some(request_id)) = (reader, request_id) else { return CallAnswer::Accepted };
            match reader.deleted(instance_arn, &request_id).await {
                Ok(()) => CallAnswer::Accepted,
                Err(why) => CallAnswer::Unclear { message: format!("AWS took it on and then failed: {why}") },
            }
        }
        ApiCall::CreateAccountAssignment {
            instance_arn,
            target_id,
            target_type,
            permission_set_arn,
            principal_type,
            principal_id,
        } => {
            let request = sso.create_account_assignment().instance_arn(instance_arn).target_id(target_id);
            let request = request.target_type(TargetType::from(target_type.as_str()));
            let request = request.permission_set_arn(permission_set_arn).principal_id(principal_id);
            sent(call, request.principal_type(PrincipalType::from(principal_type.as_str())).send()).await
        }
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
