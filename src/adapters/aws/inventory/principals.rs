//! Users, groups, roles and policies: all of an account in a few calls.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{
    AttachedPolicy, EntityType, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail, UserDetail,
};
use chrono::{DateTime, Utc};

use super::super::fault::fault;
use super::super::usage::trusted;
use super::super::{instant, percent_decoded};
use super::{PAGES_MAX, cut_short};
use crate::domain::hunt::pivot::HOME_REGION;
use crate::domain::inventory::{Stock, Thing};
use crate::ports::Look;

/// Users, roles, groups and policies on one page: each comes with its documents.
const PAGE: i32 = 200;
/// Names that one fact lists.
const NAMES_MAX: usize = 6;
const USER: &str = "AWS::IAM::User";
const ROLE: &str = "AWS::IAM::Role";
const SERVICE_LINKED: &str = "AWS::IAM::ServiceLinkedRole";
const GROUP: &str = "AWS::IAM::Group";
const POLICY: &str = "AWS::IAM::ManagedPolicy";
/// All that is not read where the list of users, roles, groups and policies breaks off: keys are asked for user by user.
const ALL: [&str; 6] = [USER, ROLE, SERVICE_LINKED, GROUP, POLICY, "AWS::IAM::AccessKey"];

/// The principals, and all users with the time of their making.
pub(super) async fn read(iam: &Client, look: Look<'_>) -> (Stock, Vec<(String, Option<DateTime<Utc>>)>) {
    let (mut stock, mut users) = (Stock::default(), Vec::new());
    let asked = iam
        .get_account_authorization_details()
        .filter(EntityType::User)
        .filter(EntityType::Role)
        .filter(EntityType::Group)
        .filter(EntityType::LocalManagedPolicy);
    let mut pages = asked.into_paginator().page_size(PAGE).send();
    for page in 0.. {
        let Some(answer) = Box::pin(pages.next()).await else { break };
        if page == PAGES_MAX {
            stock.gap(HOME_REGION, &ALL, cut_short("users, roles, groups and policies"));
            break;
        }
        let answer = match answer.map_err(|e| fault("iam:GetAccountAuthorizationDetails", &e)) {
            Ok(answer) => answer,
            Err(error) => {
                stock.gap(HOME_REGION, &ALL, error.to_string());
                break;
            }
        };
        for found in answer.user_detail_list.unwrap_or_default() {
            let at = found.create_date.as_ref().and_then(instant);
            users.extend(found.user_name.clone().map(|name| (name, at)));
            stock.add(user(found, at), look.since);
        }
        for found in answer.role_detail_list.unwrap_or_default() {
            stock.add(role(found), look.since);
        }
        for found in answer.group_detail_list.unwrap_or_default() {
            stock.add(group(found), look.since);
        }
        for found in answer.policies.unwrap_or_default() {
            for thing in policies(found) {
                stock.add(thing, look.since);
            }
        }
    }
    (stock, users)
}

fn listed(title: &str, names: Vec<String>) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMES_MAX);
    let shown = names.into_iter().take(NAMES_MAX).collect::<Vec<_>>().join(", ");
    Some(if more == 0 { format!("{title}: {shown}") } else { format!("{title}: {shown} and {more} more") })
}

fn granted(attached: Option<Vec<AttachedPolicy>>, inline: Option<Vec<PolicyDetail>>) -> Option<String> {
    let attached = attached.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_name);
    let inline = inline.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_name);
    listed("policies", attached.chain(inline.map(|name| format!("{name} (inline)"))).collect())
}

fn user(found: UserDetail, at: Option<DateTime<Utc>>) -> Thing {
    let mut thing = Thing::of_iam(USER, &found.user_name.unwrap_or_default(), at);
    thing.facts.extend(granted(found.attached_managed_policies, found.user_policy_list));
    thing.facts.extend(listed("groups", found.group_list.unwrap_or_default()));
    thing
}

fn role(found: RoleDetail) -> Thing {
    let linked = found.path.as_deref().is_some_and(|path| path.starts_with("/aws-service-role/"));
    let at = found.create_date.as_ref().and_then(instant);
    let kind = if linked { SERVICE_LINKED } else { ROLE };
    let mut thing = Thing::of_iam(kind, &found.role_name.unwrap_or_default(), at);
    let document = found.assume_role_policy_document.as_deref().map(percent_decoded);
    thing.facts.extend(listed("lets in", document.map(|text| trusted(&text)).unwrap_or_default()));
    thing.facts.extend(granted(found.attached_managed_policies, found.role_policy_list));
    thing
}

fn group(found: GroupDetail) -> Thing {
    let at = found.create_date.as_ref().and_then(instant);
    let mut thing = Thing::of_iam(GROUP, &found.group_name.unwrap_or_default(), at);
    thing.facts.extend(granted(found.attached_managed_policies, found.group_policy_list));
    thing
}

/// The policy, and each of its versions that came after it.
fn policies(found: ManagedPolicyDetail) -> Vec<Thing> {
    let arn = found.arn.unwrap_or_default();
    let made_at = found.create_date.as_ref().and_then(instant);
    let uses = found.attachment_count.unwrap_or_default();
    let mut things = vec![Thing::of_iam(POLICY, &arn, made_at).fact(format!("attached to {uses}"))];
    for version in found.policy_version_list.unwrap_or_default() {
        let (Some(id), at) = (version.version_id, version.create_date.as_ref().and_then(instant)) else { continue };
        if id == "v1" {
            continue;
        }
        let thing = Thing::of_iam(POLICY, &arn, at).part(&id);
        things.push(if version.is_default_version { thing.fact("in force") } else { thing });
    }
    things
}
