//! The demo account: who is in it, and two weeks of ordinary work.

mod estate;
mod history;
mod organization;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

use super::iam::held::{Held, Profile};
use super::iam::trust;
use super::ids::{self, Entropy};
use super::state::{AccessKey, Policies, Role, User, World};
use crate::clock::Clock;

const ACCOUNT: &str = "111122223333";
/// The bucket of the trail, that of Athena's results, and one that is worth stealing from.
const LOGS: &str = "trail-logs-111122223333";
const RESULTS: &str = "athena-results-111122223333";
const EXPORTS: &str = "customer-exports-111122223333";

/// The first part of a role: name, path, description, longest session in seconds.
type Head = (&'static str, &'static str, &'static str, i64);

/// A new world with the demo account.
pub(super) fn demo(clock: Clock) -> World {
    let now = clock.now().trunc_subsecs(0);
    let mut world = World::new(ACCOUNT, clock);
    let arn = |entity: &str| format!("arn:aws:iam::{ACCOUNT}:{entity}");

    let deploys = json!([
        { "Effect": "Allow", "Action": ["iam:List*", "iam:Get*", "iam:CreateAccessKey", "iam:CreateUser", "iam:CreateLoginProfile", "iam:CreateVirtualMFADevice", "iam:EnableMFADevice", "iam:CreateServiceSpecificCredential", "iam:UpdateServiceSpecificCredential", "iam:AttachUserPolicy",
            "iam:CreateOpenIDConnectProvider", "iam:CreateRole", "iam:AttachRolePolicy", "events:*",
            "iam:PassRole", "iam:UpdateAssumeRolePolicy", "s3:*", "ec2:*", "lambda:*", "cloudtrail:StopLogging", "guardduty:UpdateDetector", "secretsmanager:*"], "Resource": "*" },
        { "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn("role/app-deploy") },
    ]);
    let releases = json!([{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn("role/app-deploy") }]);
    let responds = json!([
        { "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"], "Resource": [arn("role/irp-reader"), arn("role/irp-contain"), arn("role/irp-eradicate"),
            "arn:aws:iam::999988887777:role/irp-org-reader", "arn:aws:iam::999988887777:role/irp-org-contain"] },
        { "Effect": "Allow", "Action": ["sts:GetAccessKeyInfo", "sts:GetCallerIdentity"], "Resource": "*" },
    ]);
    add_user(&mut world, now, ("deploy-bot", 400), &[("Owner", "kim@example.com")], ("deploy", &deploys), &[380, 90]);
    add_user(&mut world, now, ("release-bot", 300), &[("Owner", "ana@example.com")], ("release", &releases), &[120]);
    add_user(&mut world, now, ("irp-bot", 60), &[], ("assume", &responds), &[60]);

    let users_and_lambda = json!([
        { "Effect": "Allow", "Principal": { "AWS": [arn("user/deploy-bot"), arn("user/release-bot")] }, "Action": "sts:AssumeRole" },
        { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
    ]);
    let app =
        json!([{ "Effect": "Allow", "Action": ["iam:ListRoles", "iam:GetRole", "lambda:*", "s3:*"], "Resource": "*" }]);
    add_role(
        &mut world,
        now,
        ("app-deploy", "/", "Deploys the application", 3_600),
        &users_and_lambda,
        Some(("deploy", &app)),
    );

    let tasks = service_trust("ecs-tasks.amazonaws.com");
    let batch = json!([{ "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*" }]);
    add_role(&mut world, now, ("ecs-batch", "/", "Runs the nightly batch", 3_600), &tasks, Some(("batch", &batch)));
    if let Some(role) = world.iam.roles.get_mut("ecs-batch") {
        role.instance_profiles.insert("ecs-batch".to_owned());
        let (name, path, created_at) = ("ecs-batch".to_owned(), "/".to_owned(), role.created_at);
        let id = ids::unique_id("AIPA", Entropy::Named("ecs-batch"));
        world.iam.profiles.insert(name.clone(), Profile { name, path, id, created_at });
    }

    let machines = service_trust("ec2.amazonaws.com");
    let works = json!([{ "Effect": "Allow", "Action": ["iam:ListRoles", "s3:GetObject", "s3:ListAllMyBuckets"], "Resource": "*" }]);
    add_role(
        &mut world,
        now,
        ("batch-worker", "/", "Instances of the nightly batch", 3_600),
        &machines,
        Some(("work", &works)),
    );
    if let Some(role) = world.iam.roles.get_mut("batch-worker") {
        role.instance_profiles.insert("batch-worker".to_owned());
        let (name, path, created_at) = ("batch-worker".to_owned(), "/".to_owned(), role.created_at);
        let id = ids::unique_id("AIPA", Entropy::Named("batch-worker"));
        world.iam.profiles.insert(name.clone(), Profile { name, path, id, created_at });
    }

    let sso = json!([{
        "Effect": "Allow",
        "Principal": { "Federated": arn("saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE") },
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
    }]);
    let path = "/aws-reserved/sso.amazonaws.com/eu-west-1/";
    add_role(&mut world, now, ("AWSReservedSSO_AdministratorAccess_0123456789abcdef", path, "", 43_200), &sso, None);
    if let Some(role) = world.iam.roles.get_mut("AWSReservedSSO_AdministratorAccess_0123456789abcdef") {
        role.policies.attached.insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    }
    let path = "/aws-service-role/support.amazonaws.com/";
    let support = service_trust("support.amazonaws.com");
    add_role(&mut world, now, ("AWSServiceRoleForSupport", path, "", 3_600), &support, None);

    let bot = json!([{
        "Effect": "Allow",
        "Principal": { "AWS": arn("user/irp-bot") },
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
    }]);
    let reads = json!([{
        "Effect": "Allow",
        "Action": ["iam:Get*", "iam:List*", "iam:GenerateCredentialReport", "iam:SimulatePrincipalPolicy", "autoscaling:Describe*", "cloudtrail:Get*", "cloudtrail:LookupEvents", "ec2:Describe*", "events:Describe*", "events:List*", "rolesanywhere:Get*", "rolesanywhere:List*", "lambda:Get*", "lambda:List*", "guardduty:Get*", "guardduty:List*", "sts:GetAccessKeyInfo"],
        "Resource": "*",
    }]);
    let logs = json!([
        { "Effect": "Allow", "Action": ["athena:GetQueryExecution", "athena:GetQueryResults", "athena:StartQueryExecution", "athena:StopQueryExecution"],
            "Resource": format!("arn:aws:athena:*:{ACCOUNT}:workgroup/primary") },
        { "Effect": "Allow", "Action": "athena:GetTableMetadata",
            "Resource": format!("arn:aws:athena:*:{ACCOUNT}:datacatalog/AwsDataCatalog") },
        { "Effect": "Allow", "Action": ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable"], "Resource": "*" },
        { "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [format!("arn:aws:s3:::{LOGS}"), format!("arn:aws:s3:::{LOGS}/*")] },
        { "Effect": "Allow", "Action": ["s3:GetBucketLocation", "s3:GetObject", "s3:PutObject"],
            "Resource": [format!("arn:aws:s3:::{RESULTS}"), format!("arn:aws:s3:::{RESULTS}/*")] },
    ]);
    let contains = json!([{
        "Effect": "Allow",
        "Action": ["cloudtrail:StartLogging", "guardduty:UpdateDetector", "ec2:ModifyInstanceMetadataOptions", "iam:UpdateAccessKey", "iam:UpdateServiceSpecificCredential", "iam:DeleteLoginProfile", "iam:DeactivateMFADevice", "iam:DeleteVirtualMFADevice", "iam:PutUserPolicy", "iam:DeleteUserPolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy",
            "iam:GetUser", "iam:ListAccessKeys", "iam:GetUserPolicy", "iam:ListUserPolicies", "iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies"],
        "Resource": "*",
    }]);
    add_role(&mut world, now, ("irp-reader", "/", "Reads for incident response", 3_600), &bot, Some(("read", &reads)));
    add_role(
        &mut world,
        now,
        ("irp-contain", "/", "Contains for incident response", 3_600),
        &bot,
        Some(("contain", &contains)),
    );
    let eradicates = json!([{
        "Effect": "Allow",
        "Action": ["iam:AddUserToGroup", "iam:Attach*", "iam:Deactivate*", "iam:Delete*", "iam:Detach*", "iam:Put*",
            "iam:Remove*", "iam:SetDefaultPolicyVersion", "iam:UpdateAccessKey",
            "autoscaling:DeleteAutoScalingGroup", "autoscaling:DeleteLaunchConfiguration", "autoscaling:DeleteWarmPool", "autoscaling:DetachInstances",
            "autoscaling:SuspendProcesses", "autoscaling:UpdateAutoScalingGroup", "ec2:DeleteLaunchTemplate", "ec2:DeleteLaunchTemplateVersions", "ec2:ModifyLaunchTemplate",
            "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CancelSpotFleetRequests", "ec2:CancelSpotInstanceRequests", "ec2:DeleteFleets", "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:DeleteKeyPair",
            "ec2:ModifyInstanceAttribute", "ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
            "ec2:TerminateInstances", "events:DeleteRule", "events:RemoveTargets", "rolesanywhere:Delete*",
            "rolesanywhere:Disable*", "lambda:DeleteEventSourceMapping", "lambda:DeleteFunction",
            "lambda:DeleteFunctionUrlConfig", "lambda:RemovePermission",
            "lambda:UpdateFunctionCode"],
        "Resource": "*",
    }]);
    add_role(
        &mut world,
        now,
        ("irp-eradicate", "/", "Removes for incident response", 3_600),
        &bot,
        Some(("eradicate", &eradicates)),
    );

    organization::add(&mut world, now, &bot);

    if let Some(role) = world.iam.roles.get_mut("irp-reader") {
        role.policies.inline.insert("logs".to_owned(), document(&logs));
    }

    estate::add(&mut world, now);
    history::add(&mut world, now);
    world
}

/// A user that was created `days` ago, with an inline policy and keys of the given ages in days.
fn add_user(
    world: &mut World,
    now: DateTime<Utc>,
    (name, days): (&str, i64),
    tags: &[(&str, &str)],
    (policy, statements): (&str, &Value),
    key_days: &[i64],
) {
    let keys = key_days.iter().enumerate().map(|(index, days)| AccessKey {
        id: ids::access_key_id("AKIA", ACCOUNT, Entropy::Named(&format!("{name}/{index}"))),
        secret: ids::secret(),
        active: true,
        created_at: now - TimeDelta::days(*days),
        last_used: None,
    });
    let user = User {
        name: name.to_owned(),
        path: "/".to_owned(),
        id: ids::unique_id("AIDA", Entropy::Named(name)),
        created_at: now - TimeDelta::days(days),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        policies: inline(policy, statements),
        keys: keys.collect(),
        held: Held::default(),
        boundary: None,
    };
    world.iam.users.insert(name.to_owned(), user);
}

fn add_role(
    world: &mut World,
    now: DateTime<Utc>,
    (name, path, description, max_session_seconds): Head,
    trusts: &Value,
    policy: Option<(&str, &Value)>,
) {
    let role = role(world, now, (name, path, description, max_session_seconds), trusts, policy);
    world.iam.roles.insert(name.to_owned(), role);
}

fn role(
    world: &World,
    now: DateTime<Utc>,
    (name, path, description, max_session_seconds): Head,
    trusts: &Value,
    policy: Option<(&str, &Value)>,
) -> Role {
    let trust = trust::bound(world, &document(trusts)).expect("the demo's trust policies name principals of the demo");
    Role {
        name: name.to_owned(),
        path: path.to_owned(),
        id: ids::unique_id("AROA", Entropy::Named(name)),
        created_at: now - TimeDelta::days(350),
        description: description.to_owned(),
        tags: BTreeMap::new(),
        policies: policy.map_or_else(Policies::default, |(name, statements)| inline(name, statements)),
        trust,
        max_session_seconds,
        instance_profiles: BTreeSet::new(),
        boundary: None,
        last_used: None,
    }
}

fn service_trust(service: &str) -> Value {
    json!([{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }])
}

fn document(statements: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn inline(name: &str, statements: &Value) -> Policies {
    Policies { inline: BTreeMap::from([(name.to_owned(), document(statements))]), attached: BTreeSet::new() }
}
