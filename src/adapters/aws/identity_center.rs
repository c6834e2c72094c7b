//! IAM Identity Center, as its own account shows it: who comes to which account with which permission set. Follows the
//! API references of IAM Identity Center and of the identity store, both version 2020-07-20 and 2020-06-15.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_identitystore::types::{AlternateIdentifier, MemberId, UniqueAttribute};
use aws_sdk_ssoadmin::types::{
    AccountAssignmentForPrincipal, ListAccountAssignmentsFilter, PrincipalType, ProvisioningStatus, StatusValues,
};
use aws_smithy_types::Document;

use super::AccountClients;
use super::fault::{fault, is_missing};
use crate::domain::observation::{Access, Identity, InAccount, Observation, PermissionSet, Way};
use crate::ports::CloudError;

/// How often, and how many times, it is asked whether what AWS carries out by itself has come to its end.
const STATUS_EVERY: Duration = Duration::from_secs(1);
const STATUS_ASKED_MAX: usize = 5;

/// Clients for reading, in the Region that Identity Center is in.
pub(super) struct IdentityCenter {
    sso: aws_sdk_ssoadmin::Client,
    store: aws_sdk_identitystore::Client,
}

/// A request that AWS has taken on, by its id.
pub(super) enum Taken {
    /// To delete an assignment.
    Deletion(String),
    /// To write a permission set into the role of an account.
    Provisioning(String),
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
        let here = self.provisioned(&instance, account, None).await?;
        let Some(permission_set_arn) = self.named(&instance, here, set).await? else {
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

    /// A permission set and its inline policy, with the user whom that could deny.
    pub(super) async fn permission_set(
        &self,
        account: &str,
        set: &str,
        user_name: &str,
    ) -> Result<Observation, CloudError> {
        let instance = self.instance().await?;
        let user_id = self.user_id(&instance, user_name).await?;
        let here = self.provisioned(&instance, account, None).await?;
        let (arn, is_here) = match self.named(&instance, here, set).await? {
            Some(arn) => (Some(arn), true),
            // Once nobody is assigned it, the account has no role of it any more.
            None => (self.named(&instance, self.all(&instance).await?, set).await?, false),
        };
        let Some(arn) = arn else { return Ok(Observation::OwnerMissing) };
        let in_account = if is_here {
            let latest = Some(ProvisioningStatus::LatestPermissionSetProvisioned);
            let latest = self.provisioned(&instance, account, latest).await?;
            if latest.contains(&arn) { InAccount::Latest } else { InAccount::Older }
        } else {
            InAccount::Absent
        };
        let asked = self.sso.get_inline_policy_for_permission_set().instance_arn(&instance.arn);
        let asked = Box::pin(asked.permission_set_arn(&arn).send()).await;
        let found = asked.map_err(|e| fault("sso:GetInlinePolicyForPermissionSet", &e))?;
        let partition = instance.arn.split(':').nth(1).unwrap_or("aws");
        Ok(Observation::PermissionSet(PermissionSet {
            arn,
            account_arn: format!("arn:{partition}:sso:::account/{account}"),
            instance_arn: instance.arn,
            in_account,
            user_id,
            document: found.inline_policy.filter(|document| !document.is_empty()),
        }))
    }

    /// The permission sets that an account has roles of; with a status, those of them that stand so.
    async fn provisioned(
        &self,
        of: &Instance,
        account: &str,
        status: Option<ProvisioningStatus>,
    ) -> Result<Vec<String>, CloudError> {
        let asked = self.sso.list_permission_sets_provisioned_to_account().instance_arn(&of.arn).account_id(account);
        let mut pages = asked.set_provisioning_status(status).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|e| fault("sso:ListPermissionSetsProvisionedToAccount", &e))?;
            all.extend(page.permission_sets.unwrap_or_default());
        }
        Ok(all)
    }

    async fn all(&self, of: &Instance) -> Result<Vec<String>, CloudError> {
        let asked = self.sso.list_permission_sets().instance_arn(&of.arn).into_paginator().items().send();
        Box::pin(asked.try_collect()).await.map_err(|e| fault("sso:ListPermissionSets", &e))
    }

    /// The permission set of this name, among these.
    async fn named(&self, of: &Instance, arns: Vec<String>, name: &str) -> Result<Option<String>, CloudError> {
        for arn in arns {
            let asked = self.sso.describe_permission_set().instance_arn(&of.arn).permission_set_arn(&arn).send();
            let found = Box::pin(asked).await.map_err(|e| fault("sso:DescribePermissionSet", &e))?;
            if found.permission_set.and_then(|set| set.name).as_deref() == Some(name) {
                return Ok(Some(arn));
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

    /// Waits for what AWS carries out by itself. An error is why it has not.
    pub(super) async fn settled(&self, instance_arn: &str, request: &Taken) -> Result<(), String> {
        for _ in 0..STATUS_ASKED_MAX {
            // Reading back shows how it stands, whatever this says.
            let Some((status, why)) = self.standing(instance_arn, request).await else { break };
            match status {
                StatusValues::InProgress => tokio::time::sleep(STATUS_EVERY).await,
                StatusValues::Failed => return Err(why.unwrap_or_default()),
                _ => break,
            }
        }
        Ok(())
    }

    async fn standing(&self, instance_arn: &str, request: &Taken) -> Option<(StatusValues, Option<String>)> {
        match request {
            Taken::Deletion(id) => {
                let asked = self.sso.describe_account_assignment_deletion_status().instance_arn(instance_arn);
                let asked = Box::pin(asked.account_assignment_deletion_request_id(id).send()).await.ok()?;
                let standing = asked.account_assignment_deletion_status?;
                Some((standing.status?, standing.failure_reason))
            }
            Taken::Provisioning(id) => {
                let asked = self.sso.describe_permission_set_provisioning_status().instance_arn(instance_arn);
                let asked = Box::pin(asked.provision_permission_set_request_id(id).send()).await.ok()?;
                let standing = asked.permission_set_provisioning_status?;
                Some((standing.status?, standing.failure_reason))
            }
        }
    }

    /// For `irp check`.
    pub(super) async fn check(&self) -> Result<String, String> {
        self.instance().await.map(|found| format!("{} is read", found.arn)).map_err(|error| error.to_string())
    }
}

impl AccountClients {
    /// Identity Center, where it is reached.
    pub(super) fn identity_center(&self) -> Result<&IdentityCenter, CloudError> {
        let reached = self.organization.as_ref().and_then(|organization| organization.identity_center.as_ref());
        reached.ok_or_else(super::organization::none)
    }
}
