//! Which event explains a thing: the call that makes such a thing, that worked, and that names this one.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::hunt::pivot::Pivot;
use super::super::trail::record::Record;
use super::super::trail::token::bare_name;
use super::{Thing, undated};

/// The part of a user that lets them into the console.
pub const PASSWORD: &str = "password";
/// An address of a function's, or of one of its aliases: `sync:live`.
const URL: &str = "AWS::Lambda::Url";
/// AWS's times of making and of calling differ by seconds.
const AROUND: TimeDelta = TimeDelta::minutes(2);
/// Longest name that is remembered, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// An event that explains a thing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The event.
    pub event_id: String,
    /// `CreateRole`
    pub call: String,
    /// Who called: an ARN, or the AWS service that did.
    pub by: String,
    /// Whether it was with a credential that the attacker is known to have held: the search will show it.
    #[serde(default)]
    pub attackers: bool,
    /// When; older versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

/// The calls that make such a thing.
fn makers(thing: &Thing) -> &'static [&'static str] {
    match (thing.resource_type.as_str(), &thing.part) {
        ("AWS::IAM::User", Some(_)) => &["CreateLoginProfile", "UpdateLoginProfile"],
        ("AWS::IAM::User", None) => &["CreateUser"],
        ("AWS::IAM::AccessKey", _) => &["CreateAccessKey"],
        ("AWS::IAM::Role", _) => &["CreateRole"],
        ("AWS::IAM::ServiceLinkedRole", _) => &["CreateServiceLinkedRole"],
        ("AWS::IAM::Group", _) => &["CreateGroup"],
        ("AWS::IAM::ManagedPolicy", Some(_)) => &["CreatePolicyVersion"],
        ("AWS::IAM::ManagedPolicy", None) => &["CreatePolicy"],
        ("AWS::IAM::VirtualMFADevice" | "AWS::IAM::MFADevice", _) => &["EnableMFADevice", "CreateVirtualMFADevice"],
        ("AWS::IAM::ServiceSpecificCredential", _) => {
            &["CreateServiceSpecificCredential", "ResetServiceSpecificCredential"]
        }
        ("AWS::IAM::SSHPublicKey", _) => &["UploadSSHPublicKey"],
        ("AWS::IAM::SigningCertificate", _) => &["UploadSigningCertificate"],
        ("AWS::IAM::SAMLProvider", _) => &["CreateSAMLProvider"],
        ("AWS::IAM::OIDCProvider", _) => &["CreateOpenIDConnectProvider"],
        ("AWS::RolesAnywhere::TrustAnchor", _) => &["CreateTrustAnchor"],
        ("AWS::EC2::Instance", _) => &["RunInstances", "StartInstances", "RunScheduledInstances", "CreateFleet"],
        ("AWS::AutoScaling::AutoScalingGroup", _) => &["CreateAutoScalingGroup"],
        ("AWS::AutoScaling::LaunchConfiguration", _) => &["CreateLaunchConfiguration"],
        ("AWS::EC2::LaunchTemplate", Some(_)) => &["CreateLaunchTemplateVersion"],
        ("AWS::EC2::LaunchTemplate", None) => &["CreateLaunchTemplate"],
        ("AWS::EC2::EC2Fleet", _) => &["CreateFleet"],
        ("AWS::EC2::SpotFleet", _) => &["RequestSpotFleet"],
        ("AWS::EC2::SpotInstanceRequest", _) => &["RequestSpotInstances", "RequestSpotFleet", "CreateFleet"],
        ("AWS::EC2::KeyPair", _) => &["CreateKeyPair", "ImportKeyPair"],
        ("AWS::Lambda::Function", _) => {
            &["CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"]
        }
        (URL, _) => &["CreateFunctionUrlConfig", "UpdateFunctionUrlConfig"],
        (undated::RULE, _) => &["PutRule", "PutTargets"],
        (undated::PERMISSION, _) => &["AddPermission"],
        (undated::BUS_PERMISSION, _) => &["PutPermission"],
        _ => &[],
    }
}

/// Kinds whose names the event history does not know: it is asked for the calls that make such things.
const NAMELESS: [&str; 4] =
    ["AWS::EC2::EC2Fleet", "AWS::EC2::LaunchTemplate", "AWS::EC2::SpotFleet", "AWS::EC2::SpotInstanceRequest"];

/// What the trail is asked about it, the likeliest first.
pub fn pivots(thing: &Thing) -> Vec<Pivot> {
    if let Some(calls) = undated::calls(thing) {
        return calls.iter().map(|call| Pivot::Call((*call).to_owned())).collect();
    }
    if NAMELESS.contains(&thing.resource_type.as_str()) {
        return makers(thing).iter().map(|call| Pivot::Call((*call).to_owned())).collect();
    }
    names(thing).into_iter().map(Pivot::Resource).collect()
}

/// By which names it is known there.
fn names(thing: &Thing) -> Vec<String> {
    let owner = thing.of.iter().map(|(_, id)| bare_name(id).to_owned());
    let own = [bare_name(&thing.id).to_owned(), thing.id.clone()];
    let mut names: Vec<String> = Vec::new();
    for name in own.into_iter().chain(owner) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// From when until when it must have been made.
pub fn window(thing: &Thing, since: DateTime<Utc>, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    thing.created_at.map_or((since, now), |at| (at - AROUND, (at + AROUND).min(now.max(at))))
}

/// The event among these records that explains it. `held` are the attacker's access keys.
pub fn explaining(thing: &Thing, records: &[String], held: &BTreeSet<&str>) -> Option<Evidence> {
    records.iter().find_map(|text| {
        let element = serde_json::from_str::<Record<'_>>(text).ok()?;
        Record::read(&element, |record| evidence(thing, record, held)).ok()?
    })
}

fn evidence(thing: &Thing, record: &Record<'_>, held: &BTreeSet<&str>) -> Option<Evidence> {
    let is_it = makes(record, thing) && is_it(thing, record, &record.request(), &record.response());
    if is_it { of(record, held) } else { None }
}

/// Whether it worked, and makes such things.
pub(super) fn makes(record: &Record<'_>, thing: &Thing) -> bool {
    record.succeeded() && makers(thing).contains(&record.name())
}

/// Whether it is this one.
pub(super) fn is_it(thing: &Thing, record: &Record<'_>, request: &Value, response: &Value) -> bool {
    if undated::is_listed(thing) {
        return undated::is_named(thing, record, request);
    }
    let named = |text: &str| [request, response].into_iter().any(|tree| mentions(tree, text));
    let version = thing.part.as_deref().filter(|part| *part != PASSWORD);
    // The calls name an alias apart from its function.
    let id = if thing.resource_type == URL { thing.id.split(':').next().unwrap_or_default() } else { &thing.id };
    let is_version = |version: &str| named(version) || numbered(response, version);
    named(id) && version.is_none_or(is_version)
}

/// What of it is remembered.
pub(super) fn of(record: &Record<'_>, held: &BTreeSet<&str>) -> Option<Evidence> {
    let identity = &record.user_identity;
    let who = [&identity.arn, &identity.invoked_by, &identity.principal_id].into_iter().find_map(|who| who.as_deref());
    Some(Evidence {
        event_id: record.event_id.as_deref()?.chars().take(TEXT_CHARS_MAX).collect(),
        call: record.name().to_owned(),
        by: who.unwrap_or("somebody the record does not name").chars().take(TEXT_CHARS_MAX).collect(),
        attackers: identity.access_key_id.as_deref().is_some_and(|key| held.contains(key)),
        at: record.at(),
    })
}

/// Whether a version has this number in it. Any other number says nothing: a name can be one.
fn numbered(tree: &Value, wanted: &str) -> bool {
    let is = |(key, value): (&String, &Value)| match value {
        Value::Number(number) => key.eq_ignore_ascii_case("versionNumber") && number.to_string() == wanted,
        value => numbered(value, wanted),
    };
    tree.as_object().is_some_and(|members| members.iter().any(is))
}

/// Whether a text stands in it somewhere, by itself or as the end of an ARN.
fn mentions(tree: &Value, wanted: &str) -> bool {
    match tree {
        Value::String(text) => text == wanted || bare_name(text) == bare_name(wanted),
        Value::Array(values) => values.iter().any(|value| mentions(value, wanted)),
        Value::Object(members) => members.values().any(|value| mentions(value, wanted)),
        _ => false,
    }
}
