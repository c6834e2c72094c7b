//! The bot's two roles in the management account of the demo account's organization.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::aws::state::World;

/// Adds them; `trusts` is who may take them.
pub(super) fn add(world: &mut World, now: DateTime<Utc>, trusts: &Value) {
    let reads = json!([{ "Effect": "Allow", "Action": ["organizations:Describe*", "organizations:List*", "iam:SimulatePrincipalPolicy",
        "identitystore:DescribeGroup", "identitystore:GetUserId", "identitystore:ListGroupMembershipsForMember",
        "sso:Describe*", "sso:GetInlinePolicyForPermissionSet", "sso:List*"], "Resource": "*" }]);
    let contains = json!([{
        "Effect": "Allow",
        "Action": ["organizations:AttachPolicy", "organizations:CreatePolicy", "organizations:DeletePolicy",
            "identitystore:CreateGroupMembership", "identitystore:DeleteGroupMembership", "sso:CreateAccountAssignment",
            "sso:DeleteAccountAssignment", "sso:DeleteInlinePolicyFromPermissionSet", "sso:ProvisionPermissionSet",
            "sso:PutInlinePolicyToPermissionSet", "organizations:DetachPolicy", "organizations:TagResource", "organizations:UpdatePolicy"],
        "Resource": "*",
    }]);
    for (name, description, policy, statements) in [
        ("irp-org-reader", "Reads for incident response", "read", &reads),
        ("irp-org-contain", "Contains for incident response", "contain", &contains),
    ] {
        let role = super::role(world, now, (name, "/", description, 3_600), trusts, Some((policy, statements)));
        world.organizations.roles.insert(name.to_owned(), role);
    }
}
