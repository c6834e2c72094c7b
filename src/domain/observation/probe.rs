//! What AWS is asked about a target.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Holder;
use crate::domain::credential::AccessKeyId;

/// A question to AWS about one target.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum Probe {
    /// An access key of a user.
    AccessKey {
        /// The user.
        user_name: String,
        /// The key.
        access_key_id: AccessKeyId,
    },
    /// All access keys of a user.
    UserKeys {
        /// The user.
        user_name: String,
    },
    /// The user whose key or unique id this is, whatever its name by now, and all its access keys. The key counts where
    /// AWS knows it.
    Whereabouts {
        /// The key.
        access_key_id: Option<AccessKeyId>,
        /// `AIDA…`
        unique_id: Option<String>,
    },
    /// One inline policy of a user.
    UserPolicy {
        /// The user.
        user_name: String,
        /// The policy's name.
        policy_name: String,
    },
    /// One inline policy of a role.
    RolePolicy {
        /// The role.
        role_name: String,
        /// The policy's name.
        policy_name: String,
    },
    /// An inline policy that somebody's calls have put, and what there was before them.
    PutPolicy {
        /// Whose.
        holder: Holder,
        /// The policy's name.
        policy_name: String,
        /// Their calls about it, the newest last.
        event_ids: Vec<String>,
    },
    /// Whether a managed policy is attached.
    Attachment {
        /// To whom.
        holder: Holder,
        /// The policy.
        policy_arn: String,
    },
    /// Whether a user is in a group.
    Membership {
        /// The user.
        user_name: String,
        /// The group.
        group_name: String,
    },
    /// Whether a user has a password for the console.
    LoginProfile {
        /// The user.
        user_name: String,
    },
    /// Whether an MFA device is on a user.
    MfaDevice {
        /// The user.
        user_name: String,
        /// The device.
        serial_number: String,
    },
    /// Whether a user's service-specific credential works.
    ServiceCredential {
        /// The user.
        user_name: String,
        /// `ACCA…`
        credential_id: String,
    },
    /// A role's trust policy, and what it was before an event.
    Trust {
        /// The role.
        role_name: String,
        /// The attacker's event that changed it.
        event_id: String,
        /// Others of theirs: none of them shows how it was before.
        earlier_event_ids: BTreeSet<String>,
    },
    /// A role's trust policy as it is.
    TrustPolicy {
        /// The role.
        role_name: String,
    },
    /// A user and all that hangs on it.
    User {
        /// The user.
        user_name: String,
    },
    /// A role and all that hangs on it.
    Role {
        /// The role.
        role_name: String,
    },
    /// A group, its members and its policies.
    Group {
        /// The group.
        group_name: String,
    },
    /// A managed policy, its versions and what it hangs on.
    Policy {
        /// The policy.
        policy_arn: String,
        /// Versions that the attacker has added: what was in force before them is looked up.
        theirs: BTreeSet<String>,
        /// A version of somebody else's that they have put in force: what was before is looked up for it too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chosen: Option<String>,
        /// The events by which they have put another version in force: it is not what was there before them.
        event_ids: BTreeSet<String>,
    },
    /// An instance profile and the roles in it.
    InstanceProfile {
        /// The profile.
        instance_profile_name: String,
    },
    /// An instance, its volumes and its protection.
    Instance {
        /// Where it runs.
        region: String,
        /// `i-…`
        instance_id: String,
    },
    /// A function, what calls it and who may.
    Function {
        /// Where it is.
        region: String,
        /// Its name.
        function_name: String,
    },
    /// A function that some events have changed, and what it was before.
    FunctionCode {
        /// Where it is.
        region: String,
        /// Its name.
        function_name: String,
        /// The events.
        event_ids: Vec<String>,
    },
    /// An Auto Scaling group and its instances.
    ScalingGroup {
        /// Where it is.
        region: String,
        /// Its name.
        group_name: String,
    },
    /// A request for spot instances.
    SpotRequest {
        /// Where it is.
        region: String,
        /// `sir-…`
        request_id: String,
    },
    /// An EC2 Fleet or a Spot Fleet, and its instances.
    Fleet {
        /// Where it is.
        region: String,
        /// `fleet-…` or `sfr-…`
        fleet_id: String,
    },
    /// A launch template and its versions.
    LaunchTemplate {
        /// Where it is.
        region: String,
        /// `lt-…`
        launch_template_id: String,
    },
    /// A launch template, and which version was the default before some events.
    ChangedTemplate {
        /// Where it is.
        region: String,
        /// `lt-…`
        launch_template_id: String,
        /// The events that have changed the default, the first one first.
        event_ids: Vec<String>,
    },
    /// A launch configuration.
    LaunchConfiguration {
        /// Where it is.
        region: String,
        /// Its name.
        configuration_name: String,
    },
    /// An event source mapping.
    EventSource {
        /// Where it is.
        region: String,
        /// Its UUID.
        uuid: String,
    },
    /// A key pair.
    KeyPair {
        /// Where it is.
        region: String,
        /// Its name.
        key_name: String,
    },
    /// What some events have added to the rules of a security group, and is still there.
    Opened {
        /// Where it is.
        region: String,
        /// `sg-…`
        group_id: String,
        /// Whether to what goes out.
        egress: bool,
        /// The events.
        event_ids: Vec<String>,
    },
    /// Whom some events have let use a snapshot, and who still may.
    Sharing {
        /// Where it is.
        region: String,
        /// `snap-…`
        snapshot_id: String,
        /// The events.
        event_ids: Vec<String>,
    },
    /// Whom some events have let use an image, and who still may.
    ImageSharing {
        /// Where it is.
        region: String,
        /// `ami-…`
        image_id: String,
        /// The events.
        event_ids: Vec<String>,
    },
    /// Whether a trail delivers.
    Trail {
        /// Its home.
        region: String,
        /// Its name or ARN.
        name: String,
    },
    /// Whether `GuardDuty` works.
    Detector {
        /// Where.
        region: String,
        /// The detector.
        detector_id: String,
    },
    /// An identity provider, SAML or `OpenID` Connect.
    IdentityProvider {
        /// Which.
        provider_arn: String,
    },
    /// A trust anchor of Roles Anywhere.
    TrustAnchor {
        /// Where it is.
        region: String,
        /// A UUID.
        trust_anchor_id: String,
    },
    /// A profile of Roles Anywhere.
    AnywhereProfile {
        /// Where it is.
        region: String,
        /// A UUID.
        profile_id: String,
    },
    /// A rule of `EventBridge` on the default bus, and what it calls.
    EventRule {
        /// Where it is.
        region: String,
        /// Its name.
        rule_name: String,
        /// Somebody's calls that have put it: what was there before them is asked for too.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        event_ids: Vec<String>,
    },
    /// The account in its organization, and a service control policy about one of its users or roles.
    ServiceControl {
        /// Who.
        principal: Holder,
        /// The policy's name.
        policy_name: String,
    },
    /// How a user of IAM Identity Center comes to a permission set in the account.
    Access {
        /// Where Identity Center is.
        region: String,
        /// The permission set, by name.
        permission_set: String,
        /// The user, by name.
        user_name: String,
    },
    /// A permission set of IAM Identity Center and its inline policy, and a user that this could deny.
    PermissionSet {
        /// Where Identity Center is.
        region: String,
        /// The permission set, by name.
        permission_set: String,
        /// The user, by name.
        user_name: String,
    },
}
