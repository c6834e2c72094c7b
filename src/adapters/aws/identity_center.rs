//! IAM Identity Center, as its own account shows it: who comes to which account with which permission set. Follows the
//! API references of IAM Identity Center and of the identity store, both version 2020-07-20 and 2020-06-15.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_identitystore::types::{AlternateIdentifier, MemberId, UniqueAttribute};
use aws_sdk_ssoadmin::types::{
    AccountAssignmentForPrincipal, ListAccountAssignmentsFilter, PrincipalType, StatusValues,
};
use aws_smithy_types::Document;

use super::fault::{fault, is_missing};
use crate::domain::observation::{Access, Identity, Observation, Way};
use crate::ports::CloudError;

/// How often, and how many times, it is asked whether a deletion has come to its end.
const STATUS_EVERY: Duration = Duration::from_secs(1);
const STATUS_ASKED_MAX: usize = 5;

/// Clients for reading, in the Region that Identity Center is in.
pub(super) struct IdentityCenter {
    sso: aws_sdk_ssoadmin::Client,
    store: aws_sdk_identitystore::Client,
}

/// The one instance.
struct Instance {
    arn: String,
    store_id: String,
    owner: String,
}

impl IdentityCenter {
    /// `config` is that of the role that reads in the management account.
    pub(super) fn new(config: &SdkConfig, region: &str) -> Self {
        let config = config.to_builder().region(aws_config::Region::new(region.to_owned())).build();
        Self { sso: aws_sdk_ssoadmin::Client::new(&config), store: aws_sdk_identitystore::Client::new(&config) }
    }

    /// How a user comes to a permission set in an account.
    pub(super) async fn access(&self, account: &str, set: &str, user_name: &str) -> Result<Observation, CloudError> {
        let instance = self.instance().await?;
        let Some(user_id) = self.user_id(&instance, user_name).await? else { return Ok(Observation::OwnerMissing) };
        let Some(permission_set_arn) = self.permission_set(&instance, account, set).await? else {
            return Ok(Observation::OwnerMissing);
        };
        let mut ways = Vec::new();
        for assigned in self.assignments(&instance, account, &user_id).await? {
            if assigned.permission_set_arn.as_ref() != Some(&permission_set_arn) {
                continue;
            }
            match (&assigned.principal_type, assigned.principal_id) {
                (Some(PrincipalType::Group), Some(group)) => {
                    ways.extend(self.membership(&instance, &group, &user_id).await?);
                }
                _ => ways.push(Way::Direct),
            }
        }
        let partition = instance.arn.split(':').nth(1).unwrap_or("aws");
        ways.sort_by(|a, b| a.group_id().cmp(&b.group_id()));
        Ok(Observation::Access(Access {
            identity: Identity {
                arn: format!("arn:{partition}:identitystore:::user/{user_id}"),
                id: user_id,
                path: "/".to_owned(),
            },
            identity_store_arn: format!(
                "arn:{partition}:identitystore::{}:identitystore/{}",
                instance.owner, instance.store_id
            ),
            account_arn: format!("arn:{partition}:sso:::account/{account}"),
            instance_arn: instance.arn,
            identity_store_id: instance.store_id,
            permission_set_arn,
            ways,
        }))
    }

    async fn instance(&self) -> Result<Instance, CloudError> {
        let operation = "sso:ListInstances";
        let asked = Box::pin(self.sso.list_instances().send()).await.map_err(|e| fault(operation, &e))?;
        let found = asked.instances.unwrap_or_default().into_iter().next().and_then(|found| {
            Some(Instance {
                arn: found.instance_arn?,
                store_id: found.identity_store_id?,
                owner: found.owner_account_id?,
            })
        });
        found.ok_or_else(|| CloudError::Refused {
            operation: operation.into(),
            code: "NoInstance".into(),
            message: "IAM Identity Center is not in the Region that [organization] of irp.toml names".into(),
        })
    }

    async fn user_id(&self, instance: &Instance, name: &str) -> Result<Option<String>, CloudError> {
        let by_name = UniqueAttribute::builder()
            .attribute_path("userName")
            .attribute_value(Document::String(name.to_owned()))
            .build()
            .map(AlternateIdentifier::UniqueAttribute);
        let Ok(by_name) = by_name else { return Ok(None) };
        let asked = self.store.get_user_id().identity_store_id(&instance.store_id).alternate_identifier(by_name);
        match Box::pin(asked.send()).await.map_err(|e| fault("identitystore:GetUserId", &e)) {
            Ok(found) => Ok(Some(found.user_id)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The permission set of this name, if the account has it.
    async fn permission_set(&self, of: &Instance, account: &str, name: &str) -> Result<Option<String>, CloudError> {
        let asked = self.sso.list_permission_sets_provisioned_to_account().instance_arn(&of.arn).account_id(account);
        let mut pages = asked.into_paginator().send();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|e| fault("sso:ListPermissionSetsProvisionedToAccount", &e))?;
            for arn in page.permission_sets.unwrap_or_default() {
                let asked = self.sso.describe_permission_set().instance_arn(&of.arn).permission_set_arn(&arn).send();
                let found = Box::pin(asked).await.map_err(|e| fault("sso:DescribePermissionSet", &e))?;
                if found.permission_set.and_then(|set| set.name).as_deref() == Some(name) {
                    return Ok(Some(arn));
                }
            }
        }
        Ok(None)
    }

    /// The user's own assignments in the account, and those of their groups.
    async fn assignments(
        &self,
        of: &Instance,
        account: &str,
        user_id: &str,
    ) -> Result<Vec<AccountAssignmentForPrincipal>, CloudError> {
        let here = ListAccountAssignmentsFilter::builder().account_id(account).build();
        let asked = self.sso.list_account_assignments_for_principal().instance_arn(&of.arn).principal_id(user_id);
        let mut pages = asked.principal_type(PrincipalType::User).filter(here).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|e| fault("sso:ListAccountAssignmentsForPrincipal", &e))?;
            all.extend(page.account_assignments.unwrap_or_default());
        }
        Ok(all)
    }

    /// The user's membership in a group; none, when it has ended meanwhile.
    async fn membership(&self, of: &Instance, group: &str, user_id: &str) -> Result<Option<Way>, CloudError> {
        let member = MemberId::UserId(user_id.to_owned());
        let asked = self.store.list_group_memberships_for_member().identity_store_id(&of.store_id).member_id(member);
        let mut pages = asked.into_paginator().send();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|e| fault("identitystore:ListGroupMembershipsForMember", &e))?;
            let found = page.group_memberships.into_iter().find(|found| found.group_id.as_deref() == Some(group));
            if let Some(found) = found {
                let asked = self.store.describe_group().identity_store_id(&of.store_id).group_id(group).send();
                let described = Box::pin(asked).await.map_err(|e| fault("identitystore:DescribeGroup", &e))?;
                return Ok(Some(Way::Group {
                    group_id: group.to_owned(),
                    name: described.display_name.unwrap_or_else(|| group.to_owned()),
                    membership_id: found.membership_id,
                }));
            }
        }
        Ok(None)
    }

    /// Waits for a deletion, which AWS carries out by itself. An error is why it has not.
    pub(super) async fn deleted(&self, instance_arn: &str, request_id: &str) -> Result<(), String> {
        for _ in 0..STATUS_ASKED_MAX {
            let asked = self.sso.describe_account_assignment_deletion_status().instance_arn(instance_arn);
            let asked = Box::pin(asked.account_assignment_deletion_request_id(request_id).send()).await;
            // Reading back shows how it stands, whatever this says.
            let Some(status) = asked.ok().and_then(|answer| answer.account_assignment_deletion_status) else { break };
            match status.status {
                Some(StatusValues::InProgress) => tokio::time::sleep(STATUS_EVERY).await,
                Some(StatusValues::Failed) => return Err(status.failure_reason.unwrap_or_default()),
                _ => break,
            }
        }
        Ok(())
    }

    /// For `irp check`.
    pub(super) async fn named(&self) -> Result<String, String> {
        self.instance().await.map(|found| format!("{} is read", found.arn)).map_err(|error| error.to_string())
    }
}
