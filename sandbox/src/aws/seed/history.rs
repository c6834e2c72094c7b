//! What happened in the demo account before the sandbox started.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::aws::ids::{self, Entropy};
use crate::aws::state::{LastUsed, World};
use crate::aws::trail::Entry;
use crate::aws::wire::trail_time;

const DAYS: i64 = 14;
const REGION: &str = "us-east-1";
const CI_IP: &str = "203.0.113.10";
const RELEASE_IP: &str = "203.0.113.24";
const CI_AGENT: &str = "aws-cli/2.27.41 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.4";
const LAMBDA: &str = "lambda.amazonaws.com";

/// The owner's change of a role's trust policy: how it was before somebody else's.
const TRUST_CHANGED_DAYS: i64 = 30;

/// CI deploys four times a day with the second key of `deploy-bot`, `release-bot` releases once a
/// day, and Lambda takes the role for its function every twelve hours.
pub(super) fn add(world: &mut World, now: DateTime<Utc>) {
    batch_is_trusted_by_ecs(world, now - TimeDelta::days(TRUST_CHANGED_DAYS));
    let first = now - TimeDelta::days(DAYS);
    for slot in 0..DAYS * 4 {
        let at = first + TimeDelta::hours(slot * 6) + TimeDelta::minutes(slot * 7 % 40);
        ci_deploys(world, at, slot);
        if slot % 4 == 1 {
            let at = at + TimeDelta::minutes(95);
            user_assumes(world, at, ("release-bot", 0), RELEASE_IP, &format!("release-{}", 200 + slot / 4));
        }
        if slot % 2 == 0 {
            lambda_assumes(world, at + TimeDelta::hours(3));
        }
    }
}

fn batch_is_trusted_by_ecs(world: &mut World, at: DateTime<Utc>) {
    let Some(trust) = world.iam.roles.get("ecs-batch").map(|role| role.trust.clone()) else { return };
    let (identity, key) = user(world, "release-bot", 0);
    world.trail.record(&Entry {
        at,
        account: world.account,
        region: REGION,
        identity,
        access_key_id: Some(&key),
        user_name: Some("release-bot"),
        source: "iam.amazonaws.com",
        name: "UpdateAssumeRolePolicy",
        read_only: false,
        source_ip: RELEASE_IP,
        user_agent: CI_AGENT,
        request: json!({ "roleName": "ecs-batch", "policyDocument": trust }),
        response: Value::Null,
        error: None,
        request_id: &ids::uuid(),
        data: false,
    });
}

fn ci_deploys(world: &mut World, at: DateTime<Utc>, slot: i64) {
    let (identity, key) = user(world, "deploy-bot", 1);
    let entry = Entry {
        at,
        account: world.account,
        region: REGION,
        identity,
        access_key_id: Some(&key),
        user_name: Some("deploy-bot"),
        source: "sts.amazonaws.com",
        name: "GetCallerIdentity",
        read_only: true,
        source_ip: CI_IP,
        user_agent: CI_AGENT,
        request: Value::Null,
        response: Value::Null,
        error: None,
        request_id: &ids::uuid(),
        data: false,
    };
    world.trail.record(&entry);
    user_assumes(world, at + TimeDelta::seconds(2), ("deploy-bot", 1), CI_IP, &format!("ci-{}", 4_100 + slot));
}

fn user_assumes(world: &mut World, at: DateTime<Utc>, (name, key): (&str, usize), ip: &str, session_name: &str) {
    let (identity, key) = user(world, name, key);
    assumes(world, at, identity, Some((&key, name)), (ip, CI_AGENT), session_name);
    if let Some(key) = world.iam.key_mut(&key) {
        key.last_used = Some(LastUsed { at, service: "sts".to_owned(), region: REGION.to_owned() });
    }
}

fn lambda_assumes(world: &mut World, at: DateTime<Utc>) {
    let identity = json!({ "type": "AWSService", "invokedBy": LAMBDA });
    assumes(world, at, identity, None, (LAMBDA, LAMBDA), "app-worker");
}

/// One `AssumeRole` of `app-deploy`, by a user (key id and name) or a service.
fn assumes(
    world: &mut World,
    at: DateTime<Utc>,
    identity: Value,
    user: Option<(&str, &str)>,
    (source_ip, user_agent): (&str, &str),
    session_name: &str,
) {
    let Some(role) = world.iam.roles.get_mut("app-deploy") else { return };
    role.last_used = Some(LastUsed { at, service: "sts".to_owned(), region: REGION.to_owned() });
    let role_id = role.id.clone();
    let account = world.account;
    let entry = Entry {
        at,
        account,
        region: REGION,
        identity,
        access_key_id: user.map(|(key, _)| key),
        user_name: user.map(|(_, name)| name),
        source: "sts.amazonaws.com",
        name: "AssumeRole",
        read_only: true,
        source_ip,
        user_agent,
        request: json!({
            "roleArn": format!("arn:aws:iam::{account}:role/app-deploy"),
            "roleSessionName": session_name,
        }),
        response: json!({
            "credentials": {
                "accessKeyId": ids::access_key_id("ASIA", account, Entropy::Random),
                "sessionToken": ids::session_token(),
                "expiration": trail_time(at + TimeDelta::hours(1)),
            },
            "assumedRoleUser": {
                "assumedRoleId": format!("{role_id}:{session_name}"),
                "arn": format!("arn:aws:sts::{account}:assumed-role/app-deploy/{session_name}"),
            },
        }),
        error: None,
        request_id: &ids::uuid(),
        data: false,
    };
    world.trail.record(&entry);
}

/// A user's identity as the trail has it, with the id of its key.
fn user(world: &World, name: &str, key: usize) -> (Value, String) {
    let user = &world.iam.users[name];
    let key = &user.keys[key];
    let identity = json!({
        "type": "IAMUser",
        "principalId": user.id,
        "arn": world.user_arn(user),
        "accountId": world.account,
        "accessKeyId": key.id,
        "userName": name,
    });
    (identity, key.id.clone())
}
