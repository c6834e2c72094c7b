//! What a credential was used for in recent days, which roles it has taken, and who else uses those: what
//! breaks when it is switched off, and what lives on. From CloudTrail's event history, which has management
//! events only.

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::fault::fault;
use super::trail::{Looked, look_up_everywhere};
use super::{AccountClients, percent_decoded};
use crate::domain::blast_radius::{AssumedRole, BlastRadius, RoleUse, Usage};
use crate::domain::credential::{PrincipalKind, Subject};
use crate::domain::identification::Identification;

/// How far back use is read.
const USE_DAYS: u32 = 14;
/// Pages of 50 events for each question and Region: two seconds' worth.
const USER_PAGES_MAX: u32 = 4;
const ROLE_PAGES_MAX: u32 = 2;
/// Different values that are kept of a list.
const LISTED_MAX: usize = 20;
/// The longest that a role's session can live.
const ROLE_SESSION_MAX: TimeDelta = TimeDelta::hours(12);
/// Roles whose other users are looked for: each costs a question in every Region.
const ROLES_LOOKED_INTO_MAX: usize = 10;
/// Sessions of a role whose calls are read: each costs a question in every Region.
const SESSIONS_READ_MAX: usize = 4;

/// Of a user or a role, as far as the trail of each Region can be read.
pub(super) async fn read(
    account: &AccountClients,
    subject: &Subject,
    found: &Identification,
    now: DateTime<Utc>,
) -> BlastRadius {
    let (mut reach, events) = match found.kind {
        PrincipalKind::AssumedRole => of_role(account, found, now).await,
        _ => of_user(account, subject, found, now).await,
    };
    for event in &events {
        take(&mut reach, event, now);
    }
    reach.usage = reach.usage.ranked(LISTED_MAX);
    let here = |role: &&mut AssumedRole| role.account == found.account;
    for role in reach.roles.iter_mut().filter(here).take(ROLES_LOOKED_INTO_MAX) {
        let (role_use, _) = role_use(account, &role.name, &role.arn, now, &mut reach.not_known).await;
        role.role_use = Some(role_use);
    }
    reach
}

fn begun(looked: &Looked) -> BlastRadius {
    BlastRadius {
        usage: Usage { days_read: USE_DAYS, cut: looked.cut, ..Usage::default() },
        not_known: looked.unread.clone(),
        ..BlastRadius::default()
    }
}

/// Of a user's stolen key and its sessions, or of all its keys when none is known to be stolen.
async fn of_user(
    account: &AccountClients,
    subject: &Subject,
    found: &Identification,
    now: DateTime<Utc>,
) -> (BlastRadius, Vec<Value>) {
    let name = found.name.as_deref().unwrap_or_default();
    let key = LookupAttributeKey::Username;
    let looked = look_up_everywhere(&account.trails().await, key, name, now, USE_DAYS, USER_PAGES_MAX).await;
    let reach = begun(&looked);
    let stolen = subject.access_key.as_ref().filter(|key| key.is_long_term());
    // A session does not say which key has minted it, so all of them count.
    let ours = |event: &Value| {
        let key = text(event, "/userIdentity/accessKeyId").unwrap_or_default();
        stolen.is_none_or(|stolen| key == stolen.as_str() || !key.starts_with("AKIA"))
    };
    (reach, looked.events.into_iter().filter(ours).collect())
}

/// Of a role: who assumes it, and the calls of the session that is in doubt and of the newest others.
async fn of_role(account: &AccountClients, found: &Identification, now: DateTime<Utc>) -> (BlastRadius, Vec<Value>) {
    let (name, arn) = (found.name.as_deref().unwrap_or_default(), found.arn.as_deref().unwrap_or_default());
    let mut not_known = Vec::new();
    let (role_use, newest) = role_use(account, name, arn, now, &mut not_known).await;
    let mut sessions: Vec<String> = found.session_name.clone().into_iter().collect();
    sessions.extend(newest.into_iter().filter(|session| Some(session) != found.session_name.as_ref()));
    let more = sessions.len() > SESSIONS_READ_MAX;
    let mut all = Looked { cut: more, unread: not_known, ..Looked::default() };
    let trails = account.trails().await;
    for session in sessions.iter().take(SESSIONS_READ_MAX) {
        let key = LookupAttributeKey::Username;
        let looked = look_up_everywhere(&trails, key, session, now, USE_DAYS, ROLE_PAGES_MAX).await;
        all.cut |= looked.cut;
        all.events.extend(looked.events);
        looked.unread.into_iter().for_each(|why| note(&mut all.unread, why));
    }
    let reach = BlastRadius { role_use: Some(role_use), ..begun(&all) };
    // Another role's session can have the same name.
    let issuer = "/userIdentity/sessionContext/sessionIssuer/arn";
    all.events.retain(|event| text(event, issuer) == Some(arn));
    (reach, all.events)
}

fn take(reach: &mut BlastRadius, event: &Value, now: DateTime<Utc>) {
    let Some(at) = moment(event) else { return };
    let session = text(event, "/userIdentity/principalId").and_then(|id| id.split_once(':')).map(|(_, name)| name);
    reach.usage.count(
        at,
        text(event, "/eventSource").unwrap_or_default(),
        text(event, "/sourceIPAddress").unwrap_or_default(),
        session.or_else(|| text(event, "/userIdentity/accessKeyId")).unwrap_or_default(),
    );
    let Some((arn, session)) = assumption(event).filter(|_| now - at <= ROLE_SESSION_MAX) else { return };
    match reach.roles.iter_mut().find(|role| role.arn == arn) {
        Some(role) => {
            role.last_at = role.last_at.max(at);
            if role.sessions.len() < LISTED_MAX {
                note(&mut role.sessions, session.to_owned());
            }
        }
        None => reach.roles.push(AssumedRole {
            arn: arn.to_owned(),
            name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
            account: arn.split(':').nth(4).and_then(|account| account.parse().ok()),
            sessions: vec![session.to_owned()],
            last_at: at,
            role_use: None,
        }),
    }
}

/// Who uses a role, and its newest sessions.
async fn role_use(
    account: &AccountClients,
    name: &str,
    arn: &str,
    now: DateTime<Utc>,
    not_known: &mut Vec<String>,
) -> (RoleUse, Vec<String>) {
    let mut found = RoleUse {
        trusted: Vec::new(),
        assumed_by: Vec::new(),
        instance_profiles: Vec::new(),
        runs_as: Vec::new(),
        days_read: USE_DAYS,
        cut: false,
    };
    let (iam, trails) = (&account.iam, account.trails().await);
    let (role, profiles, looked) = tokio::join!(
        iam.get_role().role_name(name).send(),
        iam.list_instance_profiles_for_role().role_name(name).into_paginator().items().send().try_collect(),
        look_up_everywhere(&trails, LookupAttributeKey::ResourceName, arn, now, USE_DAYS, ROLE_PAGES_MAX),
    );
    match role.map_err(|e| fault("iam:GetRole", &e)) {
        Ok(answer) => {
            let document = answer.role.and_then(|role| role.assume_role_policy_document);
            found.trusted = document.as_deref().map(|d| trusted(&percent_decoded(d))).unwrap_or_default();
        }
        Err(error) => not_known.push(error.to_string()),
    }
    match profiles.map_err(|e| fault("iam:ListInstanceProfilesForRole", &e)) {
        Ok(profiles) => found.instance_profiles = profiles.into_iter().map(|p| p.instance_profile_name).collect(),
        Err(error) => not_known.push(error.to_string()),
    }
    looked.unread.into_iter().for_each(|why| note(not_known, why));
    found.cut = looked.cut;
    let mut taken: Vec<&Value> =
        looked.events.iter().filter(|event| assumption(event).is_some_and(|(role, _)| role == arn)).collect();
    taken.sort_by_key(|event| std::cmp::Reverse(moment(event)));
    let mut sessions = Vec::new();
    for event in taken {
        let Some((_, session)) = assumption(event) else { continue };
        note(&mut sessions, session.to_owned());
        let service = text(event, "/userIdentity/invokedBy");
        let who = ["arn", "principalId", "userName"].iter().find_map(|m| event["userIdentity"][m].as_str());
        if let Some(who) = who.or(service) {
            note(&mut found.assumed_by, who.to_owned());
        }
        found.runs_as.extend(service.filter(|_| who.is_none()).map(|service| runs(service, session)));
    }
    found.runs_as.sort_unstable();
    found.runs_as.dedup();
    for list in [&mut found.assumed_by, &mut found.runs_as] {
        found.cut |= list.len() > LISTED_MAX;
        list.truncate(LISTED_MAX);
    }
    (found, sessions)
}

fn note(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// What runs as a role, by the service that took it and the session's name, which says for what.
fn runs(service: &str, session: &str) -> String {
    let kind = match service {
        "ec2.amazonaws.com" => "EC2 instance",
        "lambda.amazonaws.com" => "Lambda function",
        "ecs-tasks.amazonaws.com" => "ECS task",
        other => other,
    };
    format!("{kind} {session}")
}

/// The role and the session's name, of an assumption that succeeded.
fn assumption(event: &Value) -> Option<(&str, &str)> {
    if !text(event, "/eventName")?.starts_with("AssumeRole") || event["errorCode"].is_string() {
        return None;
    }
    Some((text(event, "/requestParameters/roleArn")?, text(event, "/requestParameters/roleSessionName").unwrap_or("-")))
}

fn text<'a>(event: &'a Value, pointer: &str) -> Option<&'a str> {
    event.pointer(pointer).and_then(Value::as_str)
}

fn moment(event: &Value) -> Option<DateTime<Utc>> {
    text(event, "/eventTime")?.parse().ok()
}

/// The principals that a trust policy lets in.
pub(super) fn trusted(policy: &str) -> Vec<String> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Vec::new() };
    let one_or_many = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        other => vec![other.clone()],
    };
    let mut found = Vec::new();
    for statement in one_or_many(&policy["Statement"]) {
        if statement["Effect"] != "Allow" {
            continue;
        }
        let principals = match &statement["Principal"] {
            Value::Object(kinds) => kinds.values().flat_map(one_or_many).collect(),
            other => one_or_many(other),
        };
        for principal in principals.iter().filter_map(Value::as_str) {
            note(&mut found, principal.to_owned());
        }
    }
    found
}
