//! The organization that the accounts are in, as its management account shows it: what of it denies something to an
//! account. Follows the Organizations API reference, version 2016-11-28.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{OrganizationFeatureSet, PolicyType, PolicyTypeStatus};

use super::check::{Actions, ORGANIZATION_CONTAINS, ORGANIZATION_READS, ORGANIZATION_TEMPLATE, changing, simulated};
use super::fault::{fault, is_missing};
use super::identity_center::IdentityCenter;
use super::{AwsCloud, READER_SESSION, session};
use crate::config::management::Management;
use crate::domain::observation::{ControlPolicy, Identity, ServiceControl};
use crate::ports::CloudError;

const SERVICE_CONTROL: PolicyType = PolicyType::ServiceControlPolicy;

/// One client for reading; changes have a session each.
pub(super) struct Organization {
    pub(super) settings: Management,
    client: Client,
    /// Says what the roles of the management account may do.
    iam: aws_sdk_iam::Client,
    /// Absent where `irp.toml` does not say where it is.
    pub(super) identity_center: Option<IdentityCenter>,
}

/// What is the same for all accounts.
struct Head {
    id: String,
    management: String,
    /// Of the management account.
    arn: String,
    all_features: bool,
}

impl Organization {
    pub(super) async fn new(base: &SdkConfig, settings: Management) -> Self {
        let config = session(base, settings.reader_role_arn.as_deref(), READER_SESSION).await;
        let identity_center =
            settings.identity_center_region.as_deref().map(|region| IdentityCenter::new(&config, region));
        Self { settings, client: Client::new(&config), iam: aws_sdk_iam::Client::new(&config), identity_center }
    }

    /// The account in its organization, and the policy of this name about one of its users or roles.
    pub(super) async fn control(
        &self,
        identity: Identity,
        account: &str,
        policy_name: &str,
    ) -> Result<ServiceControl, CloudError> {
        let (head, root, attached) = tokio::join!(self.head(), self.root(), self.attached(account));
        let (head, (root_id, enabled), attached) = (head?, root?, attached?);
        let known = attached.iter().find(|(_, name)| *name == policy_name).map(|(id, _)| id.clone());
        let id = match known {
            Some(id) => Some(id),
            None => self.policy_named(policy_name).await?,
        };
        let policy = match id {
            Some(id) => self.policy(&id).await?,
            None => None,
        };
        let organization = head.arn.rsplit_once('/').map_or("", |(organization, _)| organization);
        Ok(ServiceControl {
            identity,
            account_arn: format!("{organization}/{account}"),
            is_management: head.management == account,
            root_id,
            all_features: head.all_features,
            enabled,
            attached,
            policy,
        })
    }

    async fn head(&self) -> Result<Head, CloudError> {
        let operation = "organizations:DescribeOrganization";
        let asked = Box::pin(self.client.describe_organization().send()).await;
        let found = asked.map_err(|e| fault(operation, &e))?.organization;
        let head = found.and_then(|found| {
            Some(Head {
                id: found.id?,
                management: found.master_account_id?,
                arn: found.master_account_arn?,
                all_features: found.feature_set == Some(OrganizationFeatureSet::All),
            })
        });
        head.ok_or_else(|| unreadable(operation))
    }

    /// The root, and whether service control policies are switched on there.
    async fn root(&self) -> Result<(String, bool), CloudError> {
        let operation = "organizations:ListRoots";
        // There is one.
        let asked = Box::pin(self.client.list_roots().send()).await;
        let root = asked.map_err(|e| fault(operation, &e))?.roots.and_then(|roots| roots.into_iter().next());
        let root = root.ok_or_else(|| unreadable(operation))?;
        let on = root
            .policy_types()
            .iter()
            .any(|of| of.r#type() == Some(&SERVICE_CONTROL) && of.status() == Some(&PolicyTypeStatus::Enabled));
        Ok((root.id.ok_or_else(|| unreadable(operation))?, on))
    }

    /// The policies that are attached to the account itself: names by id.
    async fn attached(&self, account: &str) -> Result<BTreeMap<String, String>, CloudError> {
        let asked = self.client.list_policies_for_target().target_id(account).filter(SERVICE_CONTROL);
        let mut pages = asked.into_paginator().send();
        let mut all = BTreeMap::new();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|e| fault("organizations:ListPoliciesForTarget", &e))?;
            all.extend(
                page.policies.unwrap_or_default().into_iter().filter_map(|found| Some((found.id?, found.name?))),
            );
        }
        Ok(all)
    }

    /// The id of the policy with this name, wherever it is attached.
    async fn policy_named(&self, name: &str) -> Result<Option<String>, CloudError> {
        let mut pages = self.client.list_policies().filter(SERVICE_CONTROL).into_paginator().send();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|e| fault("organizations:ListPolicies", &e))?;
            let found = page.policies.unwrap_or_default().into_iter().find(|found| found.name.as_deref() == Some(name));
            if let Some(found) = found {
                return Ok(found.id);
            }
        }
        Ok(None)
    }

    async fn policy(&self, id: &str) -> Result<Option<ControlPolicy>, CloudError> {
        let operation = "organizations:DescribePolicy";
        let asked = Box::pin(self.client.describe_policy().policy_id(id).send()).await;
        let answer = match asked.map_err(|e| fault(operation, &e)) {
            Ok(answer) => answer,
            // Deleted since it was listed.
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let policy = answer.policy.and_then(|found| {
            let summary = found.policy_summary?;
            Some(ControlPolicy { id: summary.id?, arn: summary.arn?, content: found.content? })
        });
        policy.map(Some).ok_or_else(|| unreadable(operation))
    }
}

/// Asked of an organization that `irp.toml` does not name.
pub(super) fn none() -> CloudError {
    CloudError::Refused {
        operation: "organizations:DescribeOrganization".into(),
        code: "NoOrganization".into(),
        message: "irp.toml has no [organization]: the bot does not reach the management account".into(),
    }
}

fn unreadable(operation: &str) -> CloudError {
    CloudError::Unavailable { operation: operation.into(), message: "AWS's answer lacks what was asked for".into() }
}

impl AwsCloud {
    /// Tries what the bot needs of the organization, a line each; nothing where `irp.toml` names none.
    pub async fn check_organization(&self) -> Vec<(String, Result<String, String>)> {
        let Some(organization) = &self.organization else { return Vec::new() };
        let (head, root) = (organization.head().await, organization.root().await);
        let named = |head: Head| format!("{} of management account {} is read", head.id, head.management);
        let on = |(root, on): (String, bool)| {
            let off = format!(
                "service control policies are switched off: aws organizations enable-policy-type --root-id {root} \
                 --policy-type SERVICE_CONTROL_POLICY"
            );
            if on { Ok(format!("switched on at {root}")) } else { Err(off) }
        };
        let mut lines = vec![
            ("reading".to_owned(), head.map(named).map_err(|e| e.to_string())),
            ("service control policies".to_owned(), root.map_err(|e| e.to_string()).and_then(on)),
        ];
        for account in &self.accounts {
            let attached = organization.attached(account.settings.id.as_str()).await;
            let outcome = attached.map(|attached| format!("has {} of its own", attached.len()));
            lines.push((format!("account {}", account.settings.name), outcome.map_err(|e| e.to_string())));
        }
        if let Some(identity_center) = &organization.identity_center {
            lines.push(("IAM Identity Center".to_owned(), identity_center.check().await));
        }
        let Management { reader_role_arn, contain_role_arn, .. } = &organization.settings;
        let role = contain_role_arn.as_deref();
        lines.push(("changing".to_owned(), changing(&self.base, "contain_role_arn in [organization]", role).await));
        let roles: [(&str, &Option<String>, &[Actions]); 2] = [
            ("permissions to read", reader_role_arn, &ORGANIZATION_READS),
            ("permissions to contain", contain_role_arn, &ORGANIZATION_CONTAINS),
        ];
        for (what, role, wanted) in roles {
            let Some(arn) = role else { continue };
            let account = arn.split(':').nth(4).unwrap_or_default();
            let asked = simulated(&organization.iam, account, arn, wanted, ORGANIZATION_TEMPLATE);
            lines.push((what.to_owned(), Box::pin(asked).await));
        }
        lines
    }
}
