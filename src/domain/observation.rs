//! What AWS says about a target, in the form that decisions compare: before, just before, and after.

use serde::{Deserialize, Serialize};

use super::credential::AccessKeyId;

pub use estate::{
    CalledBy, ChangedFunction, EventRule, EventSource, Function, Instance, KeyPair, Metadata, Opened, PublishedCode,
    Rule, RuleDefinition, Sharing, Source, Url, Volume, Watching,
};
pub use federation::{Anywhere, IdentityProvider};
pub use iam::{
    GroupTree, Holder, Identity, MfaDevice, PolicyTree, Previous, ProfileTree, RoleTree, ServiceCredential, Trust,
    UserTree,
};
pub use identity_center::{Access, InAccount, PermissionSet, Way};
pub use inline::{Earlier, PutPolicy};
pub use organization::{ControlPolicy, ServiceControl};
pub use probe::Probe;
pub use scaling::{
    ChangedTemplate, Fleet, KeptUpBy, Launch, LaunchConfiguration, LaunchTemplate, Member, PreviousDefault, ScaledBy,
    ScalingGroup, SpotRequest,
};

mod estate;
mod federation;
mod iam;
mod identity_center;
mod inline;
mod order;
mod organization;
mod probe;
#[cfg(test)]
pub mod samples;
mod scaling;
mod whereabouts;

/// Whether a key can sign requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It can.
    Active,
    /// It cannot; it can be switched on again.
    Inactive,
}

impl KeyStatus {
    /// AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// The answer to a [`Probe`]. Owners are compared by unique id: a user or role that was deleted and
/// made again under the same name is another one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "observed", rename_all = "kebab-case")]
pub enum Observation {
    /// A key and its owner. `status` is absent when the user has no such key.
    AccessKey {
        /// `AIDA…`
        owner_id: String,
        /// The owner's ARN.
        owner_arn: String,
        /// The key's status, if it exists.
        status: Option<KeyStatus>,
    },
    /// A user and all its keys.
    UserKeys {
        /// `AIDA…`
        owner_id: String,
        /// The owner's ARN.
        owner_arn: String,
        /// Each key and its status.
        keys: Vec<(AccessKeyId, KeyStatus)>,
    },
    /// An inline policy and its owner. `document` is absent when there is no such policy.
    InlinePolicy {
        /// `AIDA…` or `AROA…`
        owner_id: String,
        /// The owner's ARN.
        owner_arn: String,
        /// The owner's path.
        owner_path: String,
        /// The policy document, decoded.
        document: Option<String>,
    },
    /// An inline policy that somebody has put.
    PutPolicy(PutPolicy),
    /// Whether something hangs on its owner: an attached policy, a password. `other_arn` is the ARN of what a change
    /// to that is made on as well, such as a group's. `members` are the ARNs of the users who have it by way of their group.
    Attached {
        /// The owner.
        owner: Identity,
        /// Whether it does.
        present: bool,
        /// See there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other_arn: Option<String>,
        /// See there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<String>,
    },
    /// An MFA device of a user.
    MfaDevice(MfaDevice),
    /// A service-specific credential of a user.
    ServiceCredential(ServiceCredential),
    /// A trust policy.
    Trust(Trust),
    /// A user, whole.
    User(UserTree),
    /// A role, whole.
    Role(RoleTree),
    /// A group, whole.
    Group(GroupTree),
    /// A managed policy, whole.
    Policy(PolicyTree),
    /// An instance profile, whole.
    InstanceProfile(ProfileTree),
    /// An instance.
    Instance(Instance),
    /// A function.
    Function(Function),
    /// What calls a function for a queue or stream.
    EventSource(EventSource),
    /// A function that was changed.
    ChangedFunction(ChangedFunction),
    /// An Auto Scaling group.
    ScalingGroup(ScalingGroup),
    /// A spot request.
    SpotRequest(SpotRequest),
    /// A fleet.
    Fleet(Fleet),
    /// A launch template.
    LaunchTemplate(LaunchTemplate),
    /// One that somebody has changed.
    ChangedTemplate(ChangedTemplate),
    /// A launch configuration.
    LaunchConfiguration(LaunchConfiguration),
    /// A key pair.
    KeyPair(KeyPair),
    /// Rules of a security group.
    #[serde(rename = "ingress")]
    Opened(Opened),
    /// Who may use a snapshot or an image.
    Sharing(Sharing),
    /// What watches the account.
    Watching(Watching),
    /// An identity provider.
    IdentityProvider(IdentityProvider),
    /// A trust anchor or profile of Roles Anywhere.
    Anywhere(Anywhere),
    /// A rule of `EventBridge`.
    EventRule(EventRule),
    /// A deny of the organization's.
    ServiceControl(ServiceControl),
    /// What Identity Center gives a user.
    Access(Access),
    /// A permission set.
    PermissionSet(PermissionSet),
    /// The owner itself does not exist.
    OwnerMissing,
}

impl Observation {
    /// What the owner is known by: unique id, ARN, and the path where it was read.
    fn owner(&self) -> Option<(&str, &str, Option<&str>)> {
        match self {
            Self::AccessKey { owner_id, owner_arn, .. } | Self::UserKeys { owner_id, owner_arn, .. } => {
                Some((owner_id, owner_arn, None))
            }
            Self::InlinePolicy { owner_id, owner_arn, owner_path, .. } => Some((owner_id, owner_arn, Some(owner_path))),
            Self::Attached { owner: identity, .. }
            | Self::MfaDevice(MfaDevice { owner: identity, .. })
            | Self::ServiceCredential(ServiceCredential { owner: identity, .. })
            | Self::Trust(Trust { identity, .. })
            | Self::PutPolicy(PutPolicy { identity, .. })
            | Self::User(UserTree { identity, .. })
            | Self::Role(RoleTree { identity, .. })
            | Self::Group(GroupTree { identity, .. })
            | Self::Policy(PolicyTree { identity, .. })
            | Self::InstanceProfile(ProfileTree { identity, .. }) => {
                Some((&identity.id, &identity.arn, Some(&identity.path)))
            }
            Self::Instance(instance) => Some((&instance.id, &instance.arn, None)),
            // Its ARN is all that a function is known by.
            Self::Function(function) | Self::ChangedFunction(ChangedFunction { function, .. }) => {
                Some((&function.arn, &function.arn, None))
            }
            Self::EventSource(source) => Some((&source.uuid, &source.arn, None)),
            Self::SpotRequest(request) => Some((&request.id, &request.arn, None)),
            Self::Fleet(fleet) => Some((&fleet.id, &fleet.arn, None)),
            Self::LaunchTemplate(template) | Self::ChangedTemplate(ChangedTemplate { template, .. }) => {
                Some((&template.id, &template.arn, None))
            }
            Self::ScalingGroup(ScalingGroup { arn, .. })
            | Self::LaunchConfiguration(LaunchConfiguration { arn, .. }) => Some((arn, arn, None)),
            Self::KeyPair(pair) => Some((&pair.id, &pair.arn, None)),
            Self::Opened(group) => Some((&group.group_id, &group.arn, None)),
            Self::Sharing(sharing) => Some((&sharing.id, &sharing.arn, None)),
            Self::Watching(watching) => Some((&watching.arn, &watching.arn, None)),
            // Their ARN is all that these are known by.
            Self::IdentityProvider(provider) => Some((&provider.arn, &provider.arn, None)),
            Self::EventRule(rule) => Some((&rule.arn, &rule.arn, None)),
            Self::PermissionSet(set) => Some((&set.arn, &set.arn, None)),
            Self::Anywhere(found) => Some((&found.id, &found.arn, None)),
            // Nothing of the user or role itself is changed: it can be one that only AWS changes.
            Self::ServiceControl(ServiceControl { identity, .. }) | Self::Access(Access { identity, .. }) => {
                Some((&identity.id, &identity.arn, None))
            }
            Self::OwnerMissing => None,
        }
    }

    /// The unique id of the owner.
    pub fn owner_id(&self) -> Option<&str> {
        self.owner().map(|(id, ..)| id)
    }

    /// The owner's path, where it was read.
    pub fn owner_path(&self) -> Option<&str> {
        self.owner().and_then(|(.., path)| path)
    }

    /// The owner's ARN.
    pub fn owner_arn(&self) -> Option<&str> {
        self.owner().map(|(_, arn, _)| arn)
    }

    /// The unique id and the ARN of an owner that IAM gives a unique id of its own.
    pub fn in_iam(&self) -> Option<(&str, &str)> {
        let (id, arn, _) = self.owner()?;
        (id != arn && arn.split(':').nth(2) == Some("iam")).then_some((id, arn))
    }

    /// ARNs of all that a change to it can be made on: the owner's, then the others, sorted.
    pub fn arns(&self) -> Vec<String> {
        let mut arns: Vec<String> = Vec::new();
        match self {
            Self::Attached { other_arn, .. } => arns.extend(other_arn.clone()),
            Self::MfaDevice(device) if device.serial_number.starts_with("arn:") => {
                arns.push(device.serial_number.clone());
            }
            Self::User(user) => {
                arns.extend(user.groups.values().cloned());
                arns.extend(user.mfa_devices.iter().filter(|serial| serial.starts_with("arn:")).cloned());
            }
            Self::Role(role) => arns.extend(role.profiles.values().cloned()),
            Self::Policy(policy) => arns.extend(policy.attached_to.iter().map(|(_, arn)| arn.clone())),
            Self::Instance(instance) => {
                arns.extend(instance.scaled_by.iter().map(|group| group.arn.clone()));
                arns.extend(instance.spot.iter().map(|request| request.arn.clone()));
                arns.extend(instance.volumes.values().map(|volume| volume.arn.clone()));
                arns.extend((!instance.volumes.is_empty()).then(|| instance.snapshots_arn.clone()));
            }
            Self::Function(function) => {
                arns.extend(function.sources.values().map(|source| source.arn.clone()));
                arns.extend(function.rules.values().map(|rule| rule.arn.clone()));
            }
            Self::ServiceControl(seen) => arns.extend(seen.changed()),
            Self::Access(seen) => arns.extend(seen.changed()),
            Self::PermissionSet(set) => arns.extend(set.changed()),
            _ => {}
        }
        arns.sort_unstable();
        self.owner_arn().map(str::to_owned).into_iter().chain(arns).collect()
    }
}

/// Whether two policy documents say the same, whatever their white space and order of members.
pub fn same_document(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<serde_json::Value>(a), serde_json::from_str::<serde_json::Value>(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}
