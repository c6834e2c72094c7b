//! What whoever runs the organization does by hand, outside the journal, and what they see there.

use std::collections::BTreeMap;

use super::{ControlPolicy, FULL_ACCESS, Organizations};
use crate::aws::ids::{self, Entropy};
use crate::aws::policy::{Kind, Policy};
use crate::aws::{Account, set_inline};

/// A service control policy of the organization's own.
#[derive(Clone, Debug)]
pub struct ServiceControlPolicy {
    /// Unique in the organization.
    pub name: String,
    /// The document.
    pub content: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is attached to the account.
    pub attached: bool,
}

impl Account {
    /// The organization's own service control policies, wherever they are attached.
    pub fn service_control_policies(&self) -> Vec<ServiceControlPolicy> {
        let world = self.world();
        let organization = &world.organizations;
        let here = organization.attached.get(self.id);
        let one = |(id, policy): (&String, &ControlPolicy)| ServiceControlPolicy {
            name: policy.name.clone(),
            content: policy.content.clone(),
            tags: policy.tags.clone(),
            attached: here.is_some_and(|ids| ids.contains(id)),
        };
        organization.policies.iter().map(one).collect()
    }

    /// Makes a service control policy and attaches it to the account, or puts another document into the one of this
    /// name.
    ///
    /// # Panics
    /// When the document is none that Organizations would take: a wrong test.
    pub fn put_service_control_policy_directly(&self, name: &str, content: &str) {
        Policy::parse(content, Kind::Identity).expect("the document is a policy");
        let mut world = self.world();
        let organization = &mut world.organizations;
        if let Some(policy) = organization.policies.values_mut().find(|policy| policy.name == name) {
            content.clone_into(&mut policy.content);
            return;
        }
        let id = format!("p-{}", &ids::unique_id("", Entropy::Random).to_ascii_lowercase()[..8]);
        let (description, tags) = (String::new(), BTreeMap::new());
        let policy = ControlPolicy { name: name.to_owned(), description, content: content.to_owned(), tags };
        organization.policies.insert(id.clone(), policy);
        organization.attached.entry(self.id.to_owned()).or_default().insert(id);
    }

    /// Sets an inline policy of a role of the management account.
    ///
    /// # Panics
    /// When the role does not exist or the document is none that IAM would take: a wrong test.
    pub fn put_management_policy_directly(&self, role: &str, policy: &str, document: &str) {
        let mut world = self.world();
        let role = world.organizations.roles.get_mut(role).expect("the role exists");
        set_inline(&mut role.policies, policy, Some(document));
    }

    /// Detaches the service control policy of this name from the account. Nothing happens when there is none.
    pub fn detach_service_control_policy_directly(&self, name: &str) {
        let mut world = self.world();
        let Organizations { policies, attached, .. } = &mut world.organizations;
        let ids: Vec<&String> = policies.iter().filter(|(_, policy)| policy.name == name).map(|(id, _)| id).collect();
        if let Some(here) = attached.get_mut(self.id) {
            here.retain(|id| !ids.contains(&id));
        }
    }

    /// Switches service control policies on or off for the whole organization. Off, all are detached.
    pub fn switch_service_control_policies(&self, on: bool) {
        let mut world = self.world();
        world.organizations.enabled = on;
        for ids in world.organizations.attached.values_mut() {
            ids.retain(|id| id == FULL_ACCESS);
        }
    }
}
