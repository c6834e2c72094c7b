//! What an account holds besides users, keys and roles.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::aws::state::{Iam, Policies, Role, User, managed_policy};

/// What a user has besides keys and policies. A user with any of it cannot be deleted.
#[derive(Clone, Debug, Default)]
pub(in crate::aws) struct Held {
    pub(in crate::aws) login_profile: Option<LoginProfile>,
    /// Serial numbers of the MFA devices that are on.
    pub(in crate::aws) mfa: BTreeMap<String, DateTime<Utc>>,
    pub(in crate::aws) certificates: BTreeMap<String, Credential>,
    pub(in crate::aws) ssh_keys: BTreeMap<String, Credential>,
    pub(in crate::aws) service_credentials: BTreeMap<String, Credential>,
    pub(in crate::aws) groups: BTreeSet<String>,
}

/// A password for the console.
#[derive(Clone, Debug)]
pub(in crate::aws) struct LoginProfile {
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) reset_required: bool,
}

/// A certificate, an SSH key, or a credential for one service.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Credential {
    pub(in crate::aws) created_at: DateTime<Utc>,
    /// The certificate's or key's text, or the service's name.
    pub(in crate::aws) body: String,
    pub(in crate::aws) active: bool,
}

/// A group.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Group {
    pub(in crate::aws) name: String,
    pub(in crate::aws) path: String,
    pub(in crate::aws) id: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) policies: Policies,
}

/// A managed policy of the account's own.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Managed {
    pub(in crate::aws) name: String,
    pub(in crate::aws) path: String,
    pub(in crate::aws) id: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) description: String,
    pub(in crate::aws) tags: BTreeMap<String, String>,
    /// By number: `1` is `v1`. Numbers are never given again.
    pub(in crate::aws) versions: BTreeMap<u32, Version>,
    pub(in crate::aws) default: u32,
    pub(in crate::aws) next: u32,
}

/// One version of a policy.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Version {
    pub(in crate::aws) document: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
}

/// What an instance takes its role by. Which roles it holds, the roles say.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Profile {
    pub(in crate::aws) name: String,
    pub(in crate::aws) path: String,
    pub(in crate::aws) id: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
}

impl Iam {
    /// The document in force of a managed policy, AWS's or the account's own.
    pub(in crate::aws) fn document(&self, arn: &str) -> Option<&str> {
        managed_policy(arn).or_else(|| {
            let policy = self.managed.get(arn)?;
            policy.versions.get(&policy.default).map(|version| version.document.as_str())
        })
    }

    /// All policies of a user, its groups' too, as they are in force now.
    pub(in crate::aws) fn policies_of_user(&self, user: &User) -> Policies {
        let groups = user.held.groups.iter().filter_map(|name| self.groups.get(name));
        self.in_force([&user.policies].into_iter().chain(groups.map(|group| &group.policies)))
    }

    /// All policies of a role.
    pub(in crate::aws) fn policies_of_role(&self, role: &Role) -> Policies {
        self.in_force([&role.policies].into_iter())
    }

    fn in_force<'a>(&self, all: impl Iterator<Item = &'a Policies>) -> Policies {
        let mut whole = Policies::default();
        for (number, policies) in all.enumerate() {
            let inline = policies.inline.iter().map(|(name, document)| (format!("{number}/{name}"), document.clone()));
            whole.inline.extend(inline);
            for arn in &policies.attached {
                match self.managed.contains_key(arn).then(|| self.document(arn)).flatten() {
                    Some(document) => _ = whole.inline.insert(arn.clone(), document.to_owned()),
                    None => _ = whole.attached.insert(arn.clone()),
                }
            }
        }
        whole
    }

    /// Whether some user, role or group has a managed policy, or is bounded by it.
    pub(in crate::aws) fn is_attached(&self, arn: &str) -> bool {
        let bounded = |boundary: &Option<String>| boundary.as_deref() == Some(arn);
        self.users.values().any(|user| user.policies.attached.contains(arn) || bounded(&user.boundary))
            || self.roles.values().any(|role| role.policies.attached.contains(arn) || bounded(&role.boundary))
            || self.groups.values().any(|group| group.policies.attached.contains(arn))
    }
}
