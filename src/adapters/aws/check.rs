//! What `irp check` tries in an account. Changes nothing.

use aws_config::SdkConfig;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use serde_json::json;

use super::fault::{fault, is_missing};
use super::{AccountClients, AwsCloud, HOME_REGION};
use crate::domain::id::AccountId;
use crate::ports::CloudError;

/// Actions, and the kind of resource that they are on; on everything, when it is empty. Where a role of `manifests/` names
/// a kind of resource, IAM's simulation allows nothing on everything.
pub type Actions = (&'static str, &'static [&'static str]);

/// Read by the bot.
pub const READS: [Actions; 8] = [
    (
        "user",
        &[
            "iam:GetLoginProfile",
            "iam:GetUser",
            "iam:GetUserPolicy",
            "iam:ListAccessKeys",
            "iam:ListAttachedUserPolicies",
            "iam:ListGroupsForUser",
            "iam:ListMFADevices",
            "iam:ListSSHPublicKeys",
            "iam:ListServiceSpecificCredentials",
            "iam:ListSigningCertificates",
            "iam:ListUserPolicies",
        ],
    ),
    (
        "role",
        &[
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListInstanceProfilesForRole",
            "iam:ListRolePolicies",
        ],
    ),
    ("group", &["iam:GetGroup", "iam:GetGroupPolicy", "iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies"]),
    ("policy", &["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListEntitiesForPolicy", "iam:ListPolicyVersions"]),
    ("instance-profile", &["iam:GetInstanceProfile"]),
    ("oidc-provider", &["iam:GetOpenIDConnectProvider"]),
    ("saml-provider", &["iam:GetSAMLProvider"]),
    (
        "",
        &[
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeLaunchConfigurations",
            "autoscaling:DescribeWarmPool",
            "cloudtrail:GetTrailStatus",
            "cloudtrail:LookupEvents",
            "ec2:DescribeFleetInstances",
            "ec2:DescribeFleets",
            "ec2:DescribeImageAttribute",
            "ec2:DescribeInstanceAttribute",
            "ec2:DescribeInstances",
            "ec2:DescribeKeyPairs",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeRegions",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSnapshotAttribute",
            "ec2:DescribeSpotFleetInstances",
            "ec2:DescribeSpotFleetRequests",
            "ec2:DescribeSpotInstanceRequests",
            "events:DescribeRule",
            "events:ListEventBuses",
            "events:ListRuleNamesByTarget",
            "events:ListRules",
            "events:ListTargetsByRule",
            "guardduty:GetDetector",
            "iam:GenerateCredentialReport",
            "iam:GetAccessKeyLastUsed",
            "iam:GetAccountAuthorizationDetails",
            "iam:GetCredentialReport",
            "iam:ListOpenIDConnectProviders",
            "iam:ListSAMLProviders",
            "iam:ListServiceSpecificCredentials",
            "iam:ListVirtualMFADevices",
            "lambda:GetEventSourceMapping",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:GetFunctionUrlConfig",
            "lambda:GetLayerVersion",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListEventSourceMappings",
            "lambda:ListFunctionUrlConfigs",
            "lambda:ListFunctions",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
            "rolesanywhere:GetProfile",
            "rolesanywhere:GetTrustAnchor",
            "rolesanywhere:ListTrustAnchors",
        ],
    ),
];
/// Changed by the bot to contain, and to take that back.
pub const CONTAINS: [Actions; 5] = [
    (
        "user",
        &[
            "iam:UpdateAccessKey",
            "iam:PutUserPolicy",
            "iam:DeleteUserPolicy",
            "iam:DeleteLoginProfile",
            "iam:DeactivateMFADevice",
            "iam:UpdateServiceSpecificCredential",
        ],
    ),
    ("mfa", &["iam:DeleteVirtualMFADevice"]),
    ("role", &["iam:DeleteRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]),
    // Instances whose role was stolen ask for a token.
    ("instance", &["ec2:ModifyInstanceMetadataOptions"]),
    // What the attacker has switched off is switched on again.
    ("", &["cloudtrail:StartLogging", "guardduty:UpdateDetector"]),
];
/// Changed by the bot to remove and put back what an attacker has made and changed, and to take that back.
pub const ERADICATES: [Actions; 9] = [
    (
        "user",
        &[
            "iam:AttachUserPolicy",
            "iam:DeactivateMFADevice",
            "iam:DeleteAccessKey",
            "iam:DeleteLoginProfile",
            "iam:DeleteSSHPublicKey",
            "iam:DeleteServiceSpecificCredential",
            "iam:DeleteSigningCertificate",
            "iam:DeleteUser",
            "iam:DeleteUserPermissionsBoundary",
            "iam:DeleteUserPolicy",
            "iam:DetachUserPolicy",
            "iam:PutUserPolicy",
            "iam:UpdateAccessKey",
        ],
    ),
    (
        "role",
        &[
            "iam:AttachRolePolicy",
            "iam:DeleteRole",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
        ],
    ),
    (
        "group",
        &[
            "iam:AddUserToGroup",
            "iam:AttachGroupPolicy",
            "iam:DeleteGroup",
            "iam:DeleteGroupPolicy",
            "iam:DetachGroupPolicy",
            "iam:PutGroupPolicy",
            "iam:RemoveUserFromGroup",
        ],
    ),
    ("policy", &["iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"]),
    ("instance-profile", &["iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"]),
    ("mfa", &["iam:DeleteVirtualMFADevice"]),
    ("oidc-provider", &["iam:DeleteOpenIDConnectProvider"]),
    ("saml-provider", &["iam:DeleteSAMLProvider"]),
    (
        "",
        &[
            "autoscaling:DeleteAutoScalingGroup",
            "autoscaling:DeleteLaunchConfiguration",
            "autoscaling:DeleteWarmPool",
            "autoscaling:DetachInstances",
            "autoscaling:SuspendProcesses",
            "autoscaling:UpdateAutoScalingGroup",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CancelSpotFleetRequests",
            "ec2:CancelSpotInstanceRequests",
            "ec2:CreateSnapshot",
            "ec2:CreateTags",
            "ec2:DeleteFleets",
            "ec2:DeleteKeyPair",
            "ec2:DeleteLaunchTemplate",
            "ec2:DeleteLaunchTemplateVersions",
            "ec2:ModifyImageAttribute",
            "ec2:ModifyInstanceAttribute",
            "ec2:ModifyLaunchTemplate",
            "ec2:ModifySnapshotAttribute",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:TerminateInstances",
            "events:DeleteRule",
            "events:RemoveTargets",
            "lambda:DeleteEventSourceMapping",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionUrlConfig",
            "lambda:RemovePermission",
            "lambda:UpdateFunctionCode",
            "rolesanywhere:DeleteProfile",
            "rolesanywhere:DeleteTrustAnchor",
            "rolesanywhere:DisableProfile",
            "rolesanywhere:DisableTrustAnchor",
        ],
    ),
];
/// Read by the bot in the organization's management account.
pub const ORGANIZATION_READS: [Actions; 1] = [(
    "",
    &[
        "identitystore:DescribeGroup",
        "identitystore:GetUserId",
        "identitystore:ListGroupMembershipsForMember",
        "organizations:DescribeOrganization",
        "organizations:DescribePolicy",
        "organizations:ListPolicies",
        "organizations:ListPoliciesForTarget",
        "organizations:ListRoots",
        "sso:DescribeAccountAssignmentDeletionStatus",
        "sso:DescribePermissionSet",
        "sso:DescribePermissionSetProvisioningStatus",
        "sso:GetInlinePolicyForPermissionSet",
        "sso:ListAccountAssignmentsForPrincipal",
        "sso:ListInstances",
        "sso:ListPermissionSets",
        "sso:ListPermissionSetsProvisionedToAccount",
    ],
)];
/// Changed by the bot there to contain from outside an account, and to take that back.
pub const ORGANIZATION_CONTAINS: [Actions; 3] = [
    (
        "",
        &[
            "identitystore:CreateGroupMembership",
            "identitystore:DeleteGroupMembership",
            "organizations:CreatePolicy",
            "sso:CreateAccountAssignment",
            "sso:DeleteAccountAssignment",
            "sso:DeleteInlinePolicyFromPermissionSet",
            "sso:ProvisionPermissionSet",
            "sso:PutInlinePolicyToPermissionSet",
        ],
    ),
    (
        "service control policy",
        &[
            "organizations:AttachPolicy",
            "organizations:DeletePolicy",
            "organizations:DetachPolicy",
            "organizations:TagResource",
            "organizations:UpdatePolicy",
        ],
    ),
    ("account", &["organizations:AttachPolicy", "organizations:DetachPolicy"]),
];
/// What the roles of `manifests/` ask of a call, as a simulation is told it: an approver, and for the organization what
/// the bot's own policies there are.
const CONTEXT: [(&str, ContextKeyTypeEnum, &str); 5] = [
    ("aws:SourceIdentity", ContextKeyTypeEnum::String, "U0IRPCHECK"),
    ("aws:RequestTag/irp-incident", ContextKeyTypeEnum::String, "INC-0"),
    ("aws:ResourceTag/irp-incident", ContextKeyTypeEnum::String, "INC-0"),
    ("aws:TagKeys", ContextKeyTypeEnum::StringList, "irp-incident"),
    ("organizations:PolicyType", ContextKeyTypeEnum::String, "SERVICE_CONTROL_POLICY"),
];
/// Where those roles are described.
const ACCOUNT_TEMPLATE: &str = "manifests/aws/roles.cloudformation.yaml";
pub(super) const ORGANIZATION_TEMPLATE: &str = "manifests/aws/organization.cloudformation.yaml";

impl AwsCloud {
    /// Tries what the bot needs in an account, a line each.
    pub async fn check_account(&self, id: &AccountId) -> Vec<(String, Result<String, String>)> {
        let Ok(account) = self.account(id) else { return Vec::new() };
        let mut lines = vec![("reading".to_owned(), reading(account).await)];
        let searched = account.searched().await;
        let mut named = format!("{} are looked at: {}", searched.regions.len(), searched.regions.join(", "));
        if !searched.unwatched.is_empty() {
            named.push_str("; enabled and not looked at, so that no containment can be verified: ");
            named.push_str(&searched.unwatched.join(", "));
        }
        lines.push(("Regions".to_owned(), searched.gap.map_or(Ok(named), Err)));
        for trail in account.trails().await {
            let region = &trail.region;
            let asked = trail.client.lookup_events().max_results(1).send().await;
            let outcome = asked.map(|_| "cloudtrail:LookupEvents is allowed".to_owned());
            lines.push((
                format!("trail in {region}"),
                outcome.map_err(|e| fault("cloudtrail:LookupEvents", &e).to_string()),
            ));
        }
        if let Some(logs) = &account.logs {
            lines.push(("logs".to_owned(), logs.check().await));
        }
        let settings = &account.settings;
        lines.push((
            "changing".to_owned(),
            changing(&self.base, "contain_role_arn", settings.contain_role_arn.as_deref()).await,
        ));
        lines.push((
            "removing".to_owned(),
            changing(&self.base, "eradicate_role_arn", settings.eradicate_role_arn.as_deref()).await,
        ));
        let roles: [(&str, &Option<String>, &[Actions]); 3] = [
            ("permissions to read", &settings.reader_role_arn, &READS),
            ("permissions to contain", &settings.contain_role_arn, &CONTAINS),
            ("permissions to eradicate", &settings.eradicate_role_arn, &ERADICATES),
        ];
        for (what, role, wanted) in roles {
            if let Some(arn) = role {
                let asked = simulated(&account.iam, account.settings.id.as_str(), arn, wanted, ACCOUNT_TEMPLATE);
                lines.push((what.to_owned(), asked.await));
            }
        }
        lines
    }
}

async fn reading(account: &AccountClients) -> Result<String, String> {
    // A user that cannot exist: being told so shows that asking is allowed.
    let asked = account.iam.get_user().user_name("irp-check-no-such-user").send().await;
    match asked.map_err(|e| fault("iam:GetUser", &e)) {
        Ok(_) => Ok("iam:GetUser is allowed".to_owned()),
        Err(error) if is_missing(&error) => Ok("iam:GetUser is allowed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a role for changes can be assumed, with a session that may do nothing.
pub(super) async fn changing(base: &SdkConfig, setting: &str, role: Option<&str>) -> Result<String, String> {
    let Some(role) = role else {
        return Err(format!(
            "no {setting}: nothing can be changed, because AWS confines a change only in a role's session"
        ));
    };
    let nothing = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]});
    let asked = aws_sdk_sts::Client::new(base)
        .assume_role()
        .role_arn(role)
        .role_session_name("irp-check")
        .source_identity("irp-check")
        .duration_seconds(super::apply::SESSION_S)
        .policy(nothing.to_string())
        .send()
        .await;
    match asked {
        Ok(_) => Ok(format!("{role} can be assumed with a source identity")),
        Err(error) => Err(fault(&format!("sts:AssumeRole {role}"), &error).to_string()),
    }
}

/// An ARN of this kind that nobody has.
fn some(kind: &str, account: &str) -> String {
    match kind {
        "" => "*".to_owned(),
        "account" => format!("arn:aws:organizations::{account}:account/o-irpcheck00/{account}"),
        "instance" => format!("arn:aws:ec2:{HOME_REGION}:{account}:instance/i-00000000000000000"),
        "service control policy" => {
            format!("arn:aws:organizations::{account}:policy/o-irpcheck00/service_control_policy/p-irpcheck")
        }
        kind => format!("arn:aws:iam::{account}:{kind}/some-{kind}"),
    }
}

/// What the role's own policies and its organization's say, asked of IAM. It leaves out service control policies that
/// have conditions: AWS's simulation does not know them.
pub(super) async fn simulated(
    iam: &aws_sdk_iam::Client,
    account: &str,
    role: &str,
    wanted: &[Actions],
    template: &str,
) -> Result<String, String> {
    let context = CONTEXT.map(|(key, kind, value)| {
        let entry = ContextEntry::builder().context_key_name(key).context_key_type(kind);
        entry.context_key_values(value).build()
    });
    let (mut allowed, mut denied, mut guarded) = (0, Vec::new(), Vec::new());
    for (kind, actions) in wanted {
        let asked = iam
            .simulate_principal_policy()
            .policy_source_arn(role)
            .set_action_names(Some(actions.iter().map(ToString::to_string).collect()))
            .resource_arns(some(kind, account))
            .set_context_entries(Some(context.to_vec()));
        let answers: Result<Vec<EvaluationResult>, _> =
            Box::pin(asked.into_paginator().items().send().try_collect()).await;
        let answers = match answers.map_err(|e| fault("iam:SimulatePrincipalPolicy", &e)) {
            Ok(answers) => answers,
            Err(error @ CloudError::Refused { .. }) => return Err(format!("could not be tried: {error}")),
            Err(error) => return Err(error.to_string()),
        };
        for answer in answers {
            let by_organization = answer.organizations_decision_detail.is_none_or(|of| of.allowed_by_organizations);
            if !by_organization {
                guarded.push(answer.eval_action_name);
            } else if answer.eval_decision == PolicyEvaluationDecisionType::Allowed {
                allowed += 1;
            } else {
                denied.push(answer.eval_action_name);
            }
        }
    }
    let mut wrong = Vec::new();
    if !denied.is_empty() {
        wrong.push(format!("{role} does not allow {}: see {template}", denied.join(", ")));
    }
    if !guarded.is_empty() {
        wrong.push(format!(
            "a service control policy of the organization does not allow {} to {role}: leave the role out of it, or these \
             steps can only be done by hand",
            guarded.join(", ")
        ));
    }
    if wrong.is_empty() { Ok(format!("{role} allows all {allowed} calls")) } else { Err(wrong.join(". And ")) }
}
