//! The literal calls: what an approver reads, what is sent, and what a person runs when the bot cannot.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{CUT_OFF, NEW_POLICY};
use crate::domain::credential::AccessKeyId;
use crate::domain::observation::KeyStatus;

/// Where IAM is called. Calls of services that are in every Region name theirs.
pub const HOME_REGION: &str = "us-east-1";

/// The operation, as the API reference calls it: two services can have one of the same name.
macro_rules! spelt {
    ($operation:ident) => {
        stringify!($operation)
    };
    ($operation:ident $spelt:literal) => {
        $spelt
    };
}

/// Makes [`ApiCall`] from a line for each call: service, kind of resource that AWS asks the permission for, the
/// parameter that names it (by name or ARN), operation (and how AWS spells it, where that is taken), parameters in AWS's
/// order. A parameter `user_name` is AWS's `UserName` and the command line's `--user-name`.
macro_rules! calls {
    ($($service:ident $resource:literal($named:ident) $operation:ident $(= $spelt:literal)? {
        $($(#[$attribute:meta])* $parameter:ident: $kind:ty),+
    })+) => {
        /// One AWS API call with all its parameters.
        #[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "operation")]
        #[allow(missing_docs, reason = "the fields are the API's own parameters")]
        pub enum ApiCall {
            $(#[doc = concat!("`", stringify!($service), ":", spelt!($operation $($spelt)?), "`")]
            $operation { $($(#[$attribute])* $parameter: $kind),+ },)+
        }

        impl ApiCall {
            /// The actions of policies that allow all there are.
            pub const ACTIONS: &'static [&'static str] =
                &[$(concat!(stringify!($service), ":", spelt!($operation $($spelt)?))),+];

            /// The service, as policies and the command line call it.
            pub const fn service(&self) -> &'static str {
                match self { $(Self::$operation { .. } => stringify!($service),)+ }
            }

            /// The operation, as the API reference calls it.
            pub const fn operation(&self) -> &'static str {
                match self { $(Self::$operation { .. } => spelt!($operation $($spelt)?),)+ }
            }

            /// The action of a policy that allows exactly this call.
            pub const fn iam_action(&self) -> &'static str {
                match self {
                    $(Self::$operation { .. } => concat!(stringify!($service), ":", spelt!($operation $($spelt)?)),)+
                }
            }

            /// The parameters in AWS's order, in this program's spelling.
            fn parts(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$operation { $($parameter),+ } => {
                        let all = [$((stringify!($parameter).trim_start_matches("r#"), Parameter::text($parameter))),+];
                        all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
                    })+
                }
            }

            /// The kind of resource that the permission is asked for, and its name or ARN.
            const fn resource(&self) -> (&'static str, &String) {
                match self { $(Self::$operation { $named, .. } => ($resource, $named),)+ }
            }
        }
    };
}

calls! {
    iam "user"(user_name) UpdateAccessKey { user_name: String, access_key_id: AccessKeyId, status: KeyStatus }
    iam "user"(user_name) PutUserPolicy { user_name: String, policy_name: String, policy_document: String }
    iam "user"(user_name) DeleteUserPolicy { user_name: String, policy_name: String }
    iam "role"(role_name) PutRolePolicy { role_name: String, policy_name: String, policy_document: String }
    iam "role"(role_name) DeleteRolePolicy { role_name: String, policy_name: String }
    iam "group"(group_name) PutGroupPolicy { group_name: String, policy_name: String, policy_document: String }
    iam "group"(group_name) DeleteGroupPolicy { group_name: String, policy_name: String }
    iam "user"(user_name) AttachUserPolicy { user_name: String, policy_arn: String }
    iam "user"(user_name) DetachUserPolicy { user_name: String, policy_arn: String }
    iam "role"(role_name) AttachRolePolicy { role_name: String, policy_arn: String }
    iam "role"(role_name) DetachRolePolicy { role_name: String, policy_arn: String }
    iam "group"(group_name) AttachGroupPolicy { group_name: String, policy_arn: String }
    iam "group"(group_name) DetachGroupPolicy { group_name: String, policy_arn: String }
    iam "group"(group_name) AddUserToGroup { group_name: String, user_name: String }
    iam "group"(group_name) RemoveUserFromGroup { group_name: String, user_name: String }
    iam "role"(role_name) UpdateAssumeRolePolicy { role_name: String, policy_document: String }
    iam "policy"(policy_arn) SetDefaultPolicyVersion { policy_arn: String, version_id: String }
    iam "policy"(policy_arn) DeletePolicyVersion { policy_arn: String, version_id: String }
    iam "policy"(policy_arn) DeletePolicy { policy_arn: String }
    iam "user"(user_name) DeleteAccessKey { user_name: String, access_key_id: AccessKeyId }
    iam "user"(user_name) DeleteLoginProfile { user_name: String }
    iam "user"(user_name) DeactivateMFADevice { user_name: String, serial_number: String }
    iam "mfa"(serial_number) DeleteVirtualMFADevice { serial_number: String }
    iam "user"(user_name) DeleteSigningCertificate { user_name: String, certificate_id: String }
    iam "user"(user_name) DeleteSSHPublicKey { user_name: String, ssh_public_key_id: String }
    iam "user"(user_name) DeleteServiceSpecificCredential { user_name: String, service_specific_credential_id: String }
    iam "user"(user_name) UpdateServiceSpecificCredential {
        user_name: String, service_specific_credential_id: String, status: KeyStatus
    }
    iam "user"(user_name) DeleteUserPermissionsBoundary { user_name: String }
    iam "user"(user_name) DeleteUser { user_name: String }
    iam "instance-profile"(instance_profile_name) RemoveRoleFromInstanceProfile {
        instance_profile_name: String, role_name: String
    }
    iam "instance-profile"(instance_profile_name) DeleteInstanceProfile { instance_profile_name: String }
    iam "role"(role_name) DeleteRolePermissionsBoundary { role_name: String }
    iam "role"(role_name) DeleteRole { role_name: String }
    iam "group"(group_name) DeleteGroup { group_name: String }
    iam "saml-provider"(saml_provider_arn) DeleteSAMLProvider { saml_provider_arn: String }
    iam "oidc-provider"(open_id_connect_provider_arn) DeleteOpenIDConnectProvider { open_id_connect_provider_arn: String }
    rolesanywhere "trust-anchor"(trust_anchor_id) DisableTrustAnchor { trust_anchor_id: String }
    rolesanywhere "trust-anchor"(trust_anchor_id) DeleteTrustAnchor { trust_anchor_id: String }
    rolesanywhere "profile"(profile_id) DisableProfile { profile_id: String }
    rolesanywhere "profile"(profile_id) DeleteProfile { profile_id: String }
    events "rule"(rule) RemoveTargets { rule: String, ids: String }
    events "rule"(name) DeleteRule { name: String }
    ec2 "volume"(volume_id) CreateSnapshot { volume_id: String, description: String, tag_specifications: String }
    ec2 "instance"(instance_id) ModifyInstanceAttribute { instance_id: String, attribute: String, value: String }
    ec2 "instance"(instance_id) ModifyInstanceMetadataOptions {
        // EC2 takes no word about tokens without the second. Plans from before do not have it, and their digests stay.
        instance_id: String, http_tokens: String,
        #[serde(default, skip_serializing_if = "Option::is_none")] http_endpoint: Option<String>
    }
    ec2 "instance"(instance_ids) TerminateInstances { instance_ids: String }
    ec2 "key-pair"(key_name) DeleteKeyPair { key_name: String }
    ec2 "security-group"(group_id) RevokeSecurityGroupIngress { group_id: String, security_group_rule_ids: String }
    ec2 "security-group"(group_id) AuthorizeSecurityGroupIngress { group_id: String, ip_permissions: String }
    ec2 "security-group"(group_id) RevokeSecurityGroupEgress { group_id: String, security_group_rule_ids: String }
    ec2 "security-group"(group_id) AuthorizeSecurityGroupEgress { group_id: String, ip_permissions: String }
    ec2 "snapshot"(snapshot_id) ModifySnapshotAttribute { snapshot_id: String, create_volume_permission: String }
    ec2 "image"(image_id) ModifyImageAttribute { image_id: String, launch_permission: String }
    lambda "event-source-mapping"(uuid) DeleteEventSourceMapping { uuid: String }
    lambda "function"(function_name) DeleteFunctionUrlConfig { function_name: String }
    lambda "function"(function_name) UpdateFunctionCode { function_name: String, zip_file: String, revision_id: String }
    lambda "function"(function_name) RemovePermission { function_name: String, statement_id: String }
    lambda "function"(function_name) DeleteFunction { function_name: String }
    ec2 "spot-instances-request"(spot_instance_request_ids) CancelSpotInstanceRequests { spot_instance_request_ids: String }
    ec2 "fleet"(fleet_ids) DeleteFleets { fleet_ids: String, terminate_instances: String }
    ec2 "spot-fleet-request"(spot_fleet_request_ids) CancelSpotFleetRequests {
        spot_fleet_request_ids: String, terminate_instances: String
    }
    ec2 "launch-template"(launch_template_id) ModifyLaunchTemplate { launch_template_id: String, default_version: String }
    ec2 "launch-template"(launch_template_id) DeleteLaunchTemplateVersions {
        launch_template_id: String, versions: String
    }
    ec2 "launch-template"(launch_template_id) DeleteLaunchTemplate { launch_template_id: String }
    autoscaling "autoScalingGroup"(auto_scaling_group_name) SuspendProcesses {
        auto_scaling_group_name: String, scaling_processes: String
    }
    autoscaling "autoScalingGroup"(auto_scaling_group_name) UpdateAutoScalingGroup {
        auto_scaling_group_name: String, min_size: String, deletion_protection: String
    }
    autoscaling "autoScalingGroup"(auto_scaling_group_name) DetachInstances {
        auto_scaling_group_name: String, instance_ids: String, should_decrement_desired_capacity: String
    }
    autoscaling "autoScalingGroup"(auto_scaling_group_name) DeleteWarmPool { auto_scaling_group_name: String }
    autoscaling "autoScalingGroup"(auto_scaling_group_name) DeleteAutoScalingGroup { auto_scaling_group_name: String }
    autoscaling "launchConfiguration"(launch_configuration_name) DeleteLaunchConfiguration {
        launch_configuration_name: String
    }
    cloudtrail "trail"(name) StartLogging { name: String }
    guardduty "detector"(detector_id) UpdateDetector { detector_id: String, enable: String }
    organizations "policy"(name) CreatePolicy {
        content: String, description: String, name: String, r#type: String, tags: String
    }
    organizations "account"(target_id) AttachPolicy { policy_id: String, target_id: String }
    organizations "policy"(policy_id) UpdatePolicy { policy_id: String, content: String }
    organizations "account"(target_id) DetachPolicy { policy_id: String, target_id: String }
    sso "permissionSet"(permission_set_arn) DeleteAccountAssignment {
        instance_arn: String, target_id: String, target_type: String, permission_set_arn: String, principal_type: String,
        principal_id: String
    }
    sso "permissionSet"(permission_set_arn) CreateAccountAssignment {
        instance_arn: String, target_id: String, target_type: String, permission_set_arn: String, principal_type: String,
        principal_id: String
    }
    sso "permissionSet"(permission_set_arn) PutInlinePolicyToPermissionSet {
        instance_arn: String, permission_set_arn: String, inline_policy: String
    }
    sso "permissionSet"(permission_set_arn) DeleteInlinePolicyFromPermissionSet {
        instance_arn: String, permission_set_arn: String
    }
    sso "permissionSet"(permission_set_arn) ProvisionPermissionSet {
        instance_arn: String, permission_set_arn: String, target_type: String, target_id: String
    }
    identitystore "membership"(membership_id) DeleteGroupMembership { identity_store_id: String, membership_id: String }
    identitystore "group"(group_id) CreateGroupMembership {
        identity_store_id: String, group_id: String, member_id: String
    }
    organizations "policy"(policy_id) DeleteControlPolicy = "DeletePolicy" { policy_id: String }
}

/// A parameter's value as people read it and a command line takes it; none when it is not sent.
trait Parameter {
    fn text(&self) -> Option<String>;
}

impl Parameter for String {
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Parameter for Option<String> {
    fn text(&self) -> Option<String> {
        self.clone()
    }
}

impl Parameter for AccessKeyId {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Parameter for KeyStatus {
    fn text(&self) -> Option<String> {
        Some(self.as_str().to_owned())
    }
}

impl ApiCall {
    /// The parameters as AWS names them, in AWS's order.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.parts().into_iter().map(|(name, value)| (pascal(name), value)).collect()
    }

    /// Which of these ARNs the call is made on; none, when it is on none of them.
    pub fn resource_in<'a>(&self, arns: &'a [String]) -> Option<&'a str> {
        let (kind, named) = self.resource();
        named_in(arns, kind, named)
    }

    /// All that AWS asks the permission for, as a policy names it: the policy too that is attached to what the call is
    /// made on. `*` where AWS knows no resource.
    pub fn resources_in(&self, arns: &[String]) -> Vec<String> {
        let of = |service: &str| arns.iter().filter(|arn| arn.contains(service)).cloned().collect::<Vec<String>>();
        let policy = match self {
            Self::CreatePolicy { .. } => return vec!["*".to_owned()],
            Self::DeleteAccountAssignment { .. }
            | Self::CreateAccountAssignment { .. }
            | Self::ProvisionPermissionSet { .. } => return of(":sso:"),
            // The policy is the set's, in whatever accounts it is.
            Self::PutInlinePolicyToPermissionSet { .. } | Self::DeleteInlinePolicyFromPermissionSet { .. } => {
                return of(":sso:").into_iter().filter(|arn| !arn.contains(":account/")).collect();
            }
            Self::DeleteGroupMembership { .. } => return of(":identitystore:"),
            // The group that the user is not in is no target of anybody's, and the membership has no id yet.
            Self::CreateGroupMembership { group_id, .. } => {
                let mut on = of(":identitystore:");
                if let Some(store) =
                    on.iter().find_map(|arn| arn.split_once(":user/")).map(|(store, _)| store.to_owned())
                {
                    on.extend([format!("{store}:group/{group_id}"), format!("{store}:membership/*")]);
                }
                return on;
            }
            Self::AttachPolicy { policy_id, .. } | Self::DetachPolicy { policy_id, .. } => {
                named_in(arns, "policy", if policy_id == NEW_POLICY { "*" } else { policy_id }).map(str::to_owned)
            }
            _ => None,
        };
        self.resource_in(arns).map(literal).into_iter().chain(policy).collect()
    }

    /// Which of these ARNs stands for all that the call could make, when it makes something.
    pub fn makes_in<'a>(&self, arns: &'a [String]) -> Option<&'a str> {
        let of_service = |arn: &&String| arn.split(':').nth(2) == Some(self.service()) && arn.ends_with("/*");
        arns.iter().find(of_service).filter(|_| !self.also().is_empty()).map(String::as_str)
    }

    /// What AWS asks the permission for besides: actions on what the call makes, which has no name yet.
    pub const fn also(&self) -> &'static [&'static str] {
        match self {
            Self::CreateSnapshot { .. } => &["ec2:CreateSnapshot", "ec2:CreateTags"],
            Self::CreatePolicy { .. } => &["organizations:TagResource"],
            _ => &[],
        }
    }

    /// The managed policy that it is about besides what it is made on: AWS can be told to allow it with no other.
    pub const fn policy_bound(&self) -> Option<&String> {
        match self {
            Self::AttachUserPolicy { policy_arn, .. }
            | Self::DetachUserPolicy { policy_arn, .. }
            | Self::AttachRolePolicy { policy_arn, .. }
            | Self::DetachRolePolicy { policy_arn, .. }
            | Self::AttachGroupPolicy { policy_arn, .. }
            | Self::DetachGroupPolicy { policy_arn, .. } => Some(policy_arn),
            _ => None,
        }
    }

    /// All that [`Self::also`] says.
    pub const ALSO: &'static [&'static str] = &["ec2:CreateSnapshot", "ec2:CreateTags", "organizations:TagResource"];

    /// The same call for the AWS CLI, quoted for a POSIX shell: what a person runs when the bot cannot.
    pub fn cli(&self, region: &str) -> String {
        // Only there it has another name than in policies.
        let service = if self.service() == "sso" { "sso-admin" } else { self.service() };
        let mut command = format!("aws {service} {}", kebab(self.operation()));
        for (name, value) in self.parts() {
            let no = if FLAGS.contains(&name) && value == "false" { "no-" } else { "" };
            command.extend([" --", no, &name.replace('_', "-")]);
            if !FLAGS.contains(&name) {
                command.extend([" ", &shell_quoted(&value)]);
            }
        }
        if self.service() != "iam" {
            command.extend([" --region ", &shell_quoted(region)]);
        }
        command
    }

    /// Whether it is done when what it names is not there.
    pub fn removes(&self) -> bool {
        let taking_off = ["Cancel", "Delete", "Detach", "Remove", "Deactivate", "Disable"];
        taking_off.iter().any(|verb| self.operation().starts_with(verb))
            || matches!(
                self,
                Self::UpdateAccessKey { status: KeyStatus::Inactive, .. }
                    | Self::UpdateServiceSpecificCredential { status: KeyStatus::Inactive, .. }
            )
    }

    /// The call with the cut-off filled in.
    #[must_use]
    pub(super) fn with_cut_off(mut self, cut_off: DateTime<Utc>) -> Self {
        if let Self::PutUserPolicy { policy_document: document, .. }
        | Self::PutRolePolicy { policy_document: document, .. }
        | Self::CreatePolicy { content: document, .. }
        | Self::UpdatePolicy { content: document, .. } = &mut self
        {
            *document = document.replace(CUT_OFF, &cut_off.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        self
    }

    /// The policy document that it puts, if it puts one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::PutUserPolicy { policy_document, .. }
            | Self::PutRolePolicy { policy_document, .. }
            | Self::PutGroupPolicy { policy_document, .. }
            | Self::UpdateAssumeRolePolicy { policy_document, .. } => Some(policy_document),
            Self::CreatePolicy { content, .. } | Self::UpdatePolicy { content, .. } => Some(content),
            Self::PutInlinePolicyToPermissionSet { inline_policy, .. } => Some(inline_policy),
            _ => None,
        }
    }
}

/// What to do about an error of AWS's, where its own message does not say.
pub fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "DeleteConflict" => {
            "Something was put there after AWS was read, or IAM has not heard yet that it is gone: ask again, so that the \
             plan has what there is."
        }
        "EntityTemporarilyUnmodifiable" => {
            "It was made or changed a moment ago and AWS is still at it: ask again in a minute."
        }
        "NoSuchEntity" => "Somebody has removed it meanwhile: ask again, so that the plan is over what is left.",
        "ConcurrentModification"
        | "ResourceConflictException"
        | "ResourceInUse"
        | "ResourceInUseException"
        | "ScalingActivityInProgress" => "AWS is still at it, or something uses it: ask again in a minute.",
        "fleetNotInDeletableState" | "fleetRequestNotInCancellableState" => {
            "AWS is still changing it: ask again in a minute."
        }
        "LimitExceeded" => {
            "There is no room for it under a quota. Make room and ask again; or put what denies into a managed policy, attach \
             that by hand, and say so where its card has *Done by hand…*."
        }
        "UnmodifiableEntity" => "Only AWS changes this one.",
        "EntityAlreadyExists" => "Somebody has put it back meanwhile: look at it in AWS.",
        "ConflictException" => "AWS is still at something else with it: ask again in a minute.",
        "ConcurrentModificationException" | "PolicyChangesInProgressException" => {
            "Somebody else is changing the organization at this moment: ask again in a minute."
        }
        "ConstraintViolationException" => "A limit of the organization's is reached: make room, or do it by hand.",
        "DuplicatePolicyException" | "DuplicatePolicyAttachmentException" => {
            "Somebody has put it there meanwhile: ask again, so that AWS is read anew."
        }
        "PolicyInUseException" => "It is attached to something else too: look at it in Organizations.",
        "PolicyTypeNotEnabledException" => {
            "Service control policies are switched off in the organization: ask again for how to switch them on."
        }
        "TargetNotFoundException" => "The account is not in the organization that irp.toml names.",
        "PackedPolicyTooLarge" => "The plan is on more resources than one session can be confined to: do it by hand.",
        _ => return None,
    })
}

/// What stands by itself on the command line.
const FLAGS: [&str; 3] = ["enable", "should_decrement_desired_capacity", "terminate_instances"];

/// An ARN as a policy names it. Letters that stand for others in a policy can be part of a name, and whoever gives a key
/// pair its name could have them stand for everybody's.
fn literal(arn: &str) -> String {
    arn.replace('$', "${$}").replace('*', "${*}").replace('?', "${?}")
}

/// The ARN of this kind and name, or the one that the name itself is.
fn named_in<'a>(arns: &'a [String], kind: &str, named: &str) -> Option<&'a str> {
    let is = |arn: &&String| {
        let mut parts = arn.splitn(6, ':').skip(5);
        let name = parts.next().and_then(|resource| resource.strip_prefix(kind)?.strip_prefix(['/', ':']));
        // A name with slashes in it is compared whole.
        let is_named = |name: &str| name.strip_suffix(named).is_some_and(|path| path.is_empty() || path.ends_with('/'));
        *arn == named || name.is_some_and(is_named)
    };
    arns.iter().find(is).map(String::as_str)
}

/// Words that AWS writes in capitals.
const CAPITALS: [&str; 3] = ["saml", "ssh", "uuid"];

/// `user_name` to `UserName`.
fn pascal(snake: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        _ if CAPITALS.contains(&word) => word.to_ascii_uppercase(),
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    // Only here is an id one in capitals.
    let spelt: String = snake.split('_').map(word).collect();
    spelt.replace("OpenIdConnect", "OpenIDConnect")
}

/// `DeactivateMFADevice` to `deactivate-mfa-device`.
fn kebab(pascal: &str) -> String {
    let letters: Vec<char> = pascal.chars().collect();
    let mut out = String::new();
    for (i, c) in letters.iter().enumerate() {
        let is_upper = |i: usize| letters.get(i).is_some_and(char::is_ascii_uppercase);
        let is_lower = |i: usize| letters.get(i).is_some_and(char::is_ascii_lowercase);
        if i > 0 && is_upper(i) && (!is_upper(i - 1) || is_lower(i + 1)) {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A text as one word of a POSIX shell.
pub fn shell_quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@=+,".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_survives_a_shell() {
        let call = ApiCall::PutUserPolicy {
            user_name: "o'brien".into(),
            policy_name: "p".into(),
            policy_document: r#"{"a": 1}"#.into(),
        };
        assert_eq!(
            call.cli(HOME_REGION),
            r#"aws iam put-user-policy --user-name 'o'\''brien' --policy-name p --policy-document '{"a": 1}'"#
        );
    }

    #[test]
    fn names_are_spelt_as_aws_spells_them() {
        for (name, spelt) in [
            ("user_name", "UserName"),
            ("ssh_public_key_id", "SSHPublicKeyId"),
            ("uuid", "UUID"),
            ("open_id_connect_provider_arn", "OpenIDConnectProviderArn"),
            ("saml_provider_arn", "SAMLProviderArn"),
        ] {
            assert_eq!(pascal(name), spelt);
        }
        for (name, spelt) in [
            ("DeactivateMFADevice", "deactivate-mfa-device"),
            ("DeleteSSHPublicKey", "delete-ssh-public-key"),
            ("DeleteFunctionUrlConfig", "delete-function-url-config"),
        ] {
            assert_eq!(kebab(name), spelt);
        }
    }

    #[test]
    fn a_call_finds_its_resource_whatever_the_path_and_no_other() {
        let call = ApiCall::DeleteRolePolicy { role_name: "app".into(), policy_name: "p".into() };
        let arns = [
            "arn:aws:iam::111122223333:user/app",
            "arn:aws:iam::111122223333:role/an-app",
            "arn:aws:iam::111122223333:role/team/app",
        ]
        .map(str::to_owned);
        assert_eq!(call.resource_in(&arns), Some(arns[2].as_str()));
        assert_eq!(call.resource_in(&arns[..2]), None);
    }
}
