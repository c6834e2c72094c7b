//! The roles that AWS takes for workloads: an instance's by its profile, a function's.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::ids;
use super::policy::{Kind, Policy};
use super::state::{LastUsed, Principal, Role, Session, World};
use super::trail::Entry;
use super::wire::trail_time;

/// How long a workload's session lasts before AWS gives it the next.
const SESSION_SECONDS: i64 = 6 * 3_600;

/// Who takes a role, for what and where.
pub(super) struct Taker<'a> {
    /// For example `ec2.amazonaws.com`.
    pub(super) service: &'a str,
    pub(super) role_name: &'a str,
    /// The instance's id or the function's name.
    pub(super) session_name: &'a str,
    pub(super) region: &'a str,
}

/// Whether the role lets a service of AWS take it.
pub(super) fn trusts(role: &Role, service: &str) -> bool {
    let named = |policy: &Policy| policy.principals().any(|by| by.kind == "Service" && by.value == service);
    Policy::parse(&role.trust, Kind::Trust).is_ok_and(|policy| named(&policy))
}

/// The role whose ARN this is.
pub(super) fn by_arn<'a>(world: &'a World, arn: &str) -> Option<&'a Role> {
    world.iam.roles.values().find(|role| world.role_arn(role) == arn)
}

/// The role that an instance profile holds.
pub(super) fn of_profile<'a>(world: &'a World, profile: &str) -> Option<&'a Role> {
    world.iam.roles.values().find(|role| role.instance_profiles.contains(profile))
}

/// Takes the role, as an event of the service's. `None` where there is no such role or it does not trust the service.
pub(super) fn take(world: &mut World, taker: &Taker<'_>, now: DateTime<Utc>) -> Option<Session> {
    let role = world.iam.roles.get_mut(taker.role_name).filter(|role| trusts(role, taker.service))?;
    role.last_used = Some(LastUsed { at: now, service: "sts".to_owned(), region: taker.region.to_owned() });
    let (name, id) = (role.name.clone(), role.id.clone());
    let arn = world.role_arn(&world.iam.roles[&name]);
    let session_name = taker.session_name.to_owned();
    let principal = Principal::Role { name: name.clone(), id: id.clone(), session_name: session_name.clone() };
    let session = world.open_session(principal, SESSION_SECONDS, None, None);
    let account = world.account;
    world.trail.record(&Entry {
        at: now,
        account,
        region: taker.region,
        identity: json!({ "type": "AWSService", "invokedBy": taker.service }),
        access_key_id: None,
        user_name: None,
        source: "sts.amazonaws.com",
        name: "AssumeRole",
        read_only: true,
        source_ip: taker.service,
        user_agent: taker.service,
        request: json!({ "roleArn": arn, "roleSessionName": session_name }),
        response: response(&session, account, &name, &id, &session_name),
        error: None,
        request_id: &ids::uuid(),
        data: false,
    });
    Some(session)
}

fn response(session: &Session, account: &str, role: &str, role_id: &str, session_name: &str) -> Value {
    json!({
        "credentials": {
            "accessKeyId": session.access_key_id,
            "sessionToken": session.token,
            "expiration": trail_time(session.expires_at),
        },
        "assumedRoleUser": {
            "assumedRoleId": format!("{role_id}:{session_name}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session_name}"),
        },
    })
}
