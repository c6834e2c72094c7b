//! What the attacker has made and changed outside IAM, and what the bot can do about it.

use std::collections::BTreeSet;

use super::eradication::takes_back;
use super::scene::Scene;
use super::state::Incident;
use crate::domain::action::{
    Action, CancelSpotRequest, DeleteAnywhereProfile, DeleteEventSource, DeleteFleet, DeleteFunction, DeleteKeyPair,
    DeleteLaunchConfiguration, DeleteLaunchTemplate, DeleteScalingGroup, DeleteTrustAnchor, DeleteWarmPool,
    EnableDetector, RemovePermissions, RemoveRule, RestoreFunctionCode, RestoreLaunchTemplate, RevokeEgress,
    RevokeIngress, StartLogging, StopScalingGroup, TerminateInstance, UnshareImage, UnshareSnapshot,
};
use crate::domain::approval::{Request, RequestState};
use crate::domain::hunt::Trace;
use crate::domain::observation::Observation;
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::State;
use crate::domain::trail::switch;
use crate::domain::trail::token::bare_name;
use crate::domain::trail::within;

/// Characters of an id in Roles Anywhere. A name stands in its place where the trail does not show the id.
const UUID_CHARS: usize = 36;

/// The turn of what runs.
pub(super) const RUNS: u8 = 3;

/// What comes next for a group: it is stopped, and once AWS has shown that it starts nothing and has nothing in it, its
/// warm pool goes where it had one, and then the group.
fn of_group(incident: &Incident, region: String, group_name: String) -> (u8, Action) {
    let verified = |wanted: &dyn Fn(&Action) -> bool| {
        let done = |request: &&Request| matches!(request.state, RequestState::Verified { .. });
        incident.requests.values().rev().find(|request| done(request) && wanted(&request.plan.action))
    };
    let stop = StopScalingGroup { region: region.clone(), group_name: group_name.clone() };
    let Some(stopped) = verified(&|action| matches!(action, Action::StopScalingGroup(of) if *of == stop)) else {
        // What starts others comes before them.
        return (RUNS - 1, Action::StopScalingGroup(stop));
    };
    let had_pool = matches!(&stopped.plan.before, Observation::ScalingGroup(group) if group.warm_pool);
    let pool = DeleteWarmPool { region: region.clone(), group_name: group_name.clone() };
    if had_pool && verified(&|action| matches!(action, Action::DeleteWarmPool(of) if *of == pool)).is_none() {
        return (RUNS + 1, Action::DeleteWarmPool(pool));
    }
    (RUNS + 1, Action::DeleteScalingGroup(DeleteScalingGroup { region, group_name }))
}

/// The removal of what the attacker has made, with its turn: an anchor lets in, and a profile only says whom to; instances
/// act by themselves, functions are called, key pairs only let in.
pub(super) fn removal(scene: &Scene<'_>, trace: &Trace) -> Option<(u8, Action)> {
    let incident = scene.incident;
    let (region, name) = (trace.region.clone(), bare_name(&trace.id).to_owned());
    Some(match trace.resource_type.as_str() {
        "AWS::EC2::Instance" => {
            (RUNS, Action::TerminateInstance(TerminateInstance { region, instance_id: name, incident: incident.id }))
        }
        "AWS::Lambda::Function" => (RUNS, Action::DeleteFunction(DeleteFunction { region, function_name: name })),
        // It brings what comes into a queue of the owner's to a function. One of the attacker's it goes with.
        "AWS::Lambda::EventSourceMapping" if !scene.goes_with_function(trace) => {
            (2, Action::DeleteEventSource(DeleteEventSource { region, uuid: trace.id.clone() }))
        }
        "AWS::AutoScaling::AutoScalingGroup" => of_group(incident, region, trace.id.clone()),
        "AWS::EC2::EC2Fleet" | "AWS::EC2::SpotFleet" => {
            let turn = if scene.has_answered_with_instances(trace) { RUNS + 1 } else { RUNS - 1 };
            (turn, Action::DeleteFleet(DeleteFleet { region, fleet_id: name }))
        }
        "AWS::EC2::SpotInstanceRequest" => {
            (RUNS - 1, Action::CancelSpotRequest(CancelSpotRequest { region, request_id: name }))
        }
        "AWS::AutoScaling::LaunchConfiguration" => {
            let delete = DeleteLaunchConfiguration { region, configuration_name: trace.id.clone() };
            (5, Action::DeleteLaunchConfiguration(delete))
        }
        "AWS::EC2::LaunchTemplate" if name.starts_with("lt-") => {
            (5, Action::DeleteLaunchTemplate(DeleteLaunchTemplate { region, launch_template_id: name }))
        }
        // As it is: an attacker who calls theirs /prod must not have prod deleted.
        "AWS::EC2::KeyPair" => (4, Action::DeleteKeyPair(DeleteKeyPair { region, key_name: trace.id.clone() })),
        "AWS::RolesAnywhere::TrustAnchor" if name.len() == UUID_CHARS => {
            (1, Action::DeleteTrustAnchor(DeleteTrustAnchor { region, trust_anchor_id: name }))
        }
        "AWS::RolesAnywhere::Profile" if name.len() == UUID_CHARS => {
            (2, Action::DeleteAnywhereProfile(DeleteAnywhereProfile { region, profile_id: name }))
        }
        _ => return None,
    })
}

/// What calls of one name have added for the attacker, and no other call has added again or taken off since.
fn added(trace: &Trace, adds: &str, takes_off: &str) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for deed in trace.deeds.iter().filter(|deed| deed.operation == adds || deed.operation == takes_off) {
        let ids = deed.what.split(' ').filter(|id| !id.is_empty()).map(str::to_owned);
        if deed.operation == adds && deed.by_attacker {
            there.extend(ids);
        } else {
            ids.for_each(|id| _ = there.remove(&id));
        }
    }
    there
}

/// What others put right by making the same call again. Which version of a policy counts is not among it: the call can choose
/// the attacker's version once more (`default_version`).
const SET_ANEW: [&str; 18] = [
    "ModifyLaunchTemplate",
    "ModifySecurityGroupRules",
    "PutCompositeAlarm",
    "PutConfigurationRecorder",
    "PutEventSelectors",
    "PutFunctionConcurrency",
    "PutInsightSelectors",
    "PutMetricAlarm",
    "PutRolePermissionsBoundary",
    "PutRule",
    "PutUserPermissionsBoundary",
    "UpdateAlias",
    "UpdateDetector",
    "UpdateEventDataStore",
    "UpdateFunctionConfiguration",
    "UpdateMacieSession",
    "UpdateServiceSpecificCredential",
    "UpdateTrail",
];
/// What is put right by another call, each with that; `switch` has more.
const OPPOSITES: [(&str, &str); 12] = [
    ("AddPermission", "RemovePermission"),
    ("CreateLaunchTemplateVersion", "DeleteLaunchTemplateVersions"),
    ("DeleteRolePermissionsBoundary", "PutRolePermissionsBoundary"),
    ("DeleteRule", "PutRule"),
    ("DeleteUserPermissionsBoundary", "PutUserPermissionsBoundary"),
    ("DetachGroupPolicy", "AttachGroupPolicy"),
    ("DetachRolePolicy", "AttachRolePolicy"),
    ("DetachUserPolicy", "AttachUserPolicy"),
    ("DisableRule", "EnableRule"),
    ("PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"),
    ("PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary"),
    ("StopLogging", "StartLogging"),
];

/// The call that takes one back, of those here.
pub(super) fn opposite(operation: &str) -> Option<&'static str> {
    OPPOSITES.iter().find(|(of, _)| *of == operation).map(|(_, opposite)| *opposite)
}

/// What people run to switch on again what the attacker has switched off and nobody has seen to since, each once.
pub(super) fn switched_on_by(trace: &Trace) -> Vec<&'static str> {
    let mut commands = Vec::new();
    for (at, deed) in trace.deeds.iter().enumerate().filter(|(_, deed)| deed.by_attacker) {
        let Some(command) = switch::command(&trace.resource_type, &deed.operation) else { continue };
        if !is_answered(trace, at) && !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

/// Whether it has switched off what anybody has switched on again since, or on again what the attacker had switched off. Unlike
/// what is put on somebody, what is off can be switched off once more: the second call is no answer to the first.
fn is_on_again(trace: &Trace, at: usize) -> bool {
    let deed = &trace.deeds[at];
    let answers = |later: &Deed, of: &Deed| {
        switch::taken_back_by(&of.operation) == Some(later.operation.as_str()) && later.is_about(of)
    };
    trace.deeds[at..].iter().any(|later| answers(later, deed))
        || trace.deeds[..at].iter().any(|earlier| earlier.by_attacker && answers(deed, earlier))
}

/// Whether a deed of the attacker's harms nobody any more: somebody else has seen to it since.
pub(super) fn is_answered(trace: &Trace, at: usize) -> bool {
    let deed = &trace.deeds[at];
    let operation = deed.operation.as_str();
    let opposite = opposite(operation);
    // The deed itself is the attacker's, and so none of these.
    let seen_to = trace.deeds[at..].iter().filter(|later| !later.by_attacker).any(|later| {
        (SET_ANEW.contains(&operation) && later.operation == operation)
            || (opposite == Some(&later.operation) && later.is_about(deed))
    });
    seen_to || is_on_again(trace, at)
}

/// Whether the attacker has done more to it than what is put back, and nobody has seen to it: that is for people.
pub(super) fn leaves_more(trace: &Trace) -> bool {
    let mut theirs = trace.deeds.iter().enumerate().filter(|(_, deed)| deed.by_attacker);
    theirs.any(|(at, deed)| match deed.operation.as_str() {
        "AddPermission"
        | "AuthorizeSecurityGroupEgress"
        | "AuthorizeSecurityGroupIngress"
        | "CreateLaunchTemplateVersion"
        | "EnableRule"
        | "ModifyImageAttribute"
        | "ModifyLaunchTemplate"
        | "ModifySnapshotAttribute"
        | "PutTargets"
        | "StartLogging"
        | "StopLogging"
        | "UpdateFunctionCode" => false,
        "UpdateDetector" if !deed.what.is_empty() => false,
        // With nothing of theirs on it, no removal looks at it any more.
        "PutRule" => added(trace, "PutTargets", "RemoveTargets").is_empty() && !is_answered(trace, at),
        "DeleteRule" => is_lost(trace, at),
        // What they had put there themselves is nobody's loss.
        "RemovePermission" => !was_theirs(trace, at, "AddPermission"),
        "RemoveTargets" => !was_theirs(trace, at, "PutTargets"),
        "DeleteLaunchTemplateVersions" => !was_theirs(trace, at, "CreateLaunchTemplateVersion"),
        _ => {
            let taken_back = |later: &Deed| later.by_attacker && takes_back(deed, later);
            !is_answered(trace, at) && !trace.deeds[at + 1..].iter().any(taken_back)
        }
    })
}

/// Whether all that a deed takes off was put there by the attacker before.
fn was_theirs(trace: &Trace, at: usize, adds: &str) -> bool {
    let earlier = trace.deeds[..at].iter().filter(|deed| deed.by_attacker && deed.operation == adds);
    let put: BTreeSet<&str> = earlier.flat_map(|deed| deed.what.split(' ')).collect();
    trace.deeds[at].what.split(' ').all(|id| put.contains(id))
}

/// Whether they have deleted a rule of somebody else's, and nobody else has put it anew: what stands there now is in its place.
fn is_lost(trace: &Trace, at: usize) -> bool {
    let deed = &trace.deeds[at];
    let deleted = deed.by_attacker && deed.operation == "DeleteRule";
    deleted && !was_theirs(trace, at, "PutRule") && !is_answered(trace, at)
}

/// The attacker's calls of this name.
fn calls(trace: &Trace, operation: &str) -> Option<Vec<String>> {
    let deeds = trace.deeds.iter().filter(|deed| deed.by_attacker && deed.operation == operation);
    let events: Vec<String> = deeds.map(|deed| deed.event_id.clone()).collect();
    (!events.is_empty()).then_some(events)
}

/// What the attacker has put on a rule, unless that was before somebody else took it off or put it anew. A rule that calls
/// nothing of theirs is for people, and so is one on another bus than the default.
fn rule(trace: &Trace) -> Option<(u8, Action)> {
    let (None, rule_name) = within::parts(&trace.resource_type, &trace.id) else { return None };
    let target_ids = added(trace, "PutTargets", "RemoveTargets");
    let put = trace.deeds.iter().rev().find(|deed| deed.operation == "PutRule").is_some_and(|deed| deed.by_attacker)
        && !(0..trace.deeds.len()).any(|at| is_lost(trace, at));
    let (region, rule_name) = (trace.region.clone(), rule_name.to_owned());
    let event_ids = calls(trace, "PutRule").filter(|_| put).unwrap_or_default();
    let off = |(at, deed): (usize, &Deed)| {
        deed.by_attacker && deed.operation == "RemoveTargets" && !was_theirs(trace, at, "PutTargets")
    };
    let called_others = put && trace.deeds.iter().enumerate().any(off);
    (!target_ids.is_empty())
        .then_some((2, Action::RemoveRule(RemoveRule { region, rule_name, target_ids, put, event_ids, called_others })))
}

/// What they have done to a launch template: versions that they have added and nobody has deleted, and which version counts
/// as the default, unless somebody else has chosen one since.
fn template(trace: &Trace) -> Option<(u8, Action)> {
    let added = added(trace, "CreateLaunchTemplateVersion", "DeleteLaunchTemplateVersions");
    let theirs = |(at, deed): &(usize, &Deed)| {
        deed.by_attacker && deed.operation == "ModifyLaunchTemplate" && !is_answered(trace, *at)
    };
    let changed = trace.deeds.iter().enumerate().filter(theirs);
    let restore = RestoreLaunchTemplate {
        region: trace.region.clone(),
        launch_template_id: trace.id.clone(),
        versions: added.iter().filter_map(|number| number.parse().ok()).collect(),
        event_ids: changed.map(|(_, deed)| deed.event_id.clone()).collect(),
    };
    let some = !restore.versions.is_empty() || !restore.event_ids.is_empty();
    some.then_some((RUNS - 1, Action::RestoreLaunchTemplate(restore)))
}

/// Whether the attacker has switched it off, and nobody on again since. A search that was made before these calls were
/// kept shows none of them.
fn is_off(trace: &Trace) -> bool {
    let switches = |deed: &&Deed| match deed.operation.as_str() {
        "StopLogging" | "StartLogging" => true,
        "UpdateDetector" => !deed.what.is_empty(),
        _ => false,
    };
    let newest = trace.deeds.iter().rev().find(switches);
    let off = |deed: &Deed| deed.operation == "StopLogging" || deed.what == "false";
    newest.map_or(trace.deeds.is_empty(), |deed| deed.by_attacker && off(deed))
}

/// What takes a snapshot or an image away from whom the attacker gave it to. Of one that they have made themselves too: it has
/// the owner's data on it.
pub(super) fn unshare(trace: &Trace) -> Option<(u8, Action)> {
    let (region, id) = (trace.region.clone(), trace.id.clone());
    let action = match trace.resource_type.as_str() {
        "AWS::EC2::Snapshot" => {
            let event_ids = calls(trace, "ModifySnapshotAttribute")?;
            Action::UnshareSnapshot(UnshareSnapshot { region, snapshot_id: id, event_ids })
        }
        "AWS::EC2::Image" => {
            let event_ids = calls(trace, "ModifyImageAttribute")?;
            Action::UnshareImage(UnshareImage { region, image_id: id, event_ids })
        }
        _ => return None,
    };
    Some((1, action))
}

/// What takes back changes to what was there before. A trail or detector that the attacker has switched off tightens
/// when it is on again, and comes first.
pub(super) fn put_back(trace: &Trace) -> Vec<(u8, Action)> {
    if trace.state != State::Modified {
        return Vec::new();
    }
    let region = trace.region.clone();
    let one = match trace.resource_type.as_str() {
        "AWS::CloudTrail::Trail" if is_off(trace) => {
            Some((0, Action::StartLogging(StartLogging { region, name: trace.id.clone() })))
        }
        "AWS::GuardDuty::Detector" if is_off(trace) => {
            Some((0, Action::EnableDetector(EnableDetector { region, detector_id: trace.id.clone() })))
        }
        "AWS::EC2::Snapshot" | "AWS::EC2::Image" => unshare(trace),
        "AWS::Lambda::Function" => return permissions(trace).into_iter().chain(code(trace)).collect(),
        "AWS::EC2::SecurityGroup" => return opened(trace),
        "AWS::Events::Rule" => rule(trace),
        "AWS::EC2::LaunchTemplate" if trace.id.starts_with("lt-") => template(trace),
        _ => None,
    };
    one.into_iter().collect()
}

/// Whoever they have let call a function. That of an alias or a version is for people.
fn permissions(trace: &Trace) -> Option<(u8, Action)> {
    let function_name = bare_name(&trace.id).to_owned();
    let statement_ids = added(trace, "AddPermission", "RemovePermission");
    let removed = RemovePermissions { region: trace.region.clone(), function_name, statement_ids };
    let some = !removed.statement_ids.is_empty() && !removed.function_name.contains(':');
    some.then_some((1, Action::RemovePermissions(removed)))
}

/// What they have opened in a security group, each way by itself.
fn opened(trace: &Trace) -> Vec<(u8, Action)> {
    let (region, group_id) = (|| trace.region.clone(), || trace.id.clone());
    let ingress = calls(trace, "AuthorizeSecurityGroupIngress")
        .map(|event_ids| Action::RevokeIngress(RevokeIngress { region: region(), group_id: group_id(), event_ids }));
    let egress = calls(trace, "AuthorizeSecurityGroupEgress")
        .map(|event_ids| Action::RevokeEgress(RevokeEgress { region: region(), group_id: group_id(), event_ids }));
    ingress.into_iter().chain(egress).map(|action| (1, action)).collect()
}

/// The code of a function that was there before, where the attacker has changed it.
fn code(trace: &Trace) -> Option<(u8, Action)> {
    let event_ids = calls(trace, "UpdateFunctionCode")?;
    let (region, function_name) = (trace.region.clone(), bare_name(&trace.id).to_owned());
    Some((RUNS, Action::RestoreFunctionCode(RestoreFunctionCode { region, function_name, event_ids })))
}
