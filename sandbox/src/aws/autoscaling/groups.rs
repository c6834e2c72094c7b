//! What can be done with a group.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{GROUP_TAG, Group, Member, Source, group_arn, key, page, settle, warm};
use crate::aws::ec2::{self, Phase};
use crate::aws::ids;
use crate::aws::operation::Call;
use crate::aws::state::World;
use crate::aws::wire::{ApiError, Node, Params};

/// What a group does by itself.
const PROCESSES: [&str; 9] = [
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
];
const PROTECTIONS: [&str; 3] = ["none", "prevent-force-deletion", "prevent-all-deletion"];
/// Instances of a group, at most.
const SIZE_MAX: i64 = 10_000;
/// Instances of one call.
const INSTANCES_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 255;

pub(super) fn named<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Group, ApiError> {
    let name = call.params.required("AutoScalingGroupName")?;
    let gone =
        || ApiError::validation(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"));
    call.world.scaling.groups.get_mut(&key(call.region, name)).ok_or_else(gone)
}

pub(super) fn size(params: &Params, name: &str) -> Result<Option<i64>, ApiError> {
    params.number(name, 0..=SIZE_MAX)
}

fn protection(params: &Params) -> Result<Option<String>, ApiError> {
    match params.get("DeletionProtection") {
        Some(word) if !PROTECTIONS.contains(&word) => Err(ApiError::validation(format!(
            "1 validation error detected: Value '{word}' at 'deletionProtection' failed to satisfy constraint: Member must \
             satisfy enum value set: [{}]",
            PROTECTIONS.join(", ")
        ))),
        word => Ok(word.map(str::to_owned)),
    }
}

/// Whether there are the sizes that there can be.
fn fit(min: i64, max: i64, desired: i64) -> Result<(), ApiError> {
    if min > max {
        let sentence = format!("Max bound, {max}, must be greater than or equal to min bound, {min}");
        return Err(ApiError::validation(sentence));
    }
    if desired < min || desired > max {
        let sentence =
            format!("Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}");
        return Err(ApiError::validation(sentence));
    }
    Ok(())
}

fn source(call: &Call<'_>) -> Result<Source, ApiError> {
    let params = call.params;
    let (id, name) = (params.get("LaunchTemplate.LaunchTemplateId"), params.get("LaunchTemplate.LaunchTemplateName"));
    match (params.get("LaunchConfigurationName"), id.is_some() || name.is_some()) {
        (Some(configuration), false) => {
            if !call.world.scaling.configurations.contains_key(&key(call.region, configuration)) {
                let sentence =
                    format!("Launch configuration name not found - Launch configuration {configuration} not found");
                return Err(ApiError::validation(sentence));
            }
            Ok(Source::Configuration(configuration.to_owned()))
        }
        (None, true) => {
            let version = params.get("LaunchTemplate.Version").unwrap_or("$Default").to_owned();
            let region = call.world.ec2.region(call.region).ok_or_else(ApiError::invalid_token)?;
            let template = ec2::template(region, id, name)
                .ok()
                .filter(|template| template.version(&version).is_some())
                .ok_or_else(|| ApiError::validation("You must use a valid fully-formed launch template."))?;
            Ok(Source::Template { id: template.id.clone(), name: template.name.clone(), version })
        }
        _ => Err(ApiError::validation(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or \
             MixedInstancesPolicy parameter.",
        )),
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let params = call.params;
    let name = params.required("AutoScalingGroupName")?.to_owned();
    if name.contains(':') || name.chars().count() > NAME_CHARS_MAX {
        return Err(ApiError::validation("Group name must be 1 to 255 characters long, and have no colon."));
    }
    let place = key(call.region, &name);
    if call.world.scaling.groups.contains_key(&place) {
        let sentence = "AutoScalingGroup by this name already exists - A group with the name ";
        return Err(ApiError::bad_request("AlreadyExists", format!("{sentence}{name} already exists")));
    }
    params.required("MinSize")?;
    params.required("MaxSize")?;
    let (min, max) = (size(params, "MinSize")?.unwrap_or_default(), size(params, "MaxSize")?.unwrap_or_default());
    let desired = size(params, "DesiredCapacity")?.unwrap_or(min);
    fit(min, max, desired)?;
    let zones: Vec<String> = params.members("AvailabilityZones", "").into_iter().map(str::to_owned).collect();
    let subnets = params.get("VPCZoneIdentifier").map(str::to_owned);
    if zones.is_empty() && subnets.is_none() {
        return Err(ApiError::validation("At least one Availability Zone or VPC Subnet is required."));
    }
    let tags = params.members("Tags", ".Key").into_iter().map(str::to_owned);
    let tags = tags.zip(params.members("Tags", ".Value").into_iter().map(str::to_owned)).collect();
    let group = Group {
        name,
        id: ids::uuid(),
        created_at: call.now,
        min,
        max,
        desired,
        source: source(call)?,
        zones,
        subnets,
        suspended: BTreeSet::new(),
        protection: protection(params)?.unwrap_or_else(|| "none".to_owned()),
        members: BTreeMap::new(),
        warm: None,
        tags,
    };
    call.world.scaling.groups.insert(place, group);
    settle(call.world, call.region, call.now);
    Ok(Node::empty())
}

fn lifecycle(world: &World, region: &str, id: &str, member: &Member, now: DateTime<Utc>) -> &'static str {
    if member.leaving_since.is_some() {
        return "Detaching";
    }
    match world.ec2.region(region).and_then(|region| region.instances.get(id)) {
        Some(instance) if matches!(instance.phase, Phase::Terminated(_)) => "Terminating",
        Some(instance) if instance.state(now).1 == "pending" => "Pending",
        _ => "InService",
    }
}

fn template_node(id: &str, name: &str, version: &str) -> Node {
    Node::Fields(vec![
        ("LaunchTemplateId", Node::text(id)),
        ("LaunchTemplateName", Node::text(name)),
        ("Version", Node::text(version)),
    ])
}

fn from(source: &Source) -> (&'static str, Node) {
    match source {
        Source::Configuration(name) => ("LaunchConfigurationName", Node::text(name)),
        Source::Template { id, name, version } => ("LaunchTemplate", template_node(id, name, version)),
    }
}

/// What the instances of a group are made from, as each of them says it.
pub(super) fn made_from(group: &Group) -> (&'static str, Node) {
    from(&group.source)
}

fn node(call: &Call<'_>, group: &Group) -> Node {
    let zone = format!("{}a", call.region);
    let member = |(id, member): (&String, &Member)| {
        let mut fields = vec![
            ("InstanceId", Node::text(id)),
            ("AvailabilityZone", Node::text(&zone)),
            ("LifecycleState", Node::text(lifecycle(call.world, call.region, id, member, call.now))),
            ("HealthStatus", Node::text("Healthy")),
            ("ProtectedFromScaleIn", Node::Flag(false)),
        ];
        // What was attached has none.
        fields.extend(member.launched.then(|| from(&group.source)));
        Node::Fields(fields)
    };
    let tag = |(key, value): (&String, &String)| {
        Node::Fields(vec![
            ("ResourceId", Node::text(&group.name)),
            ("ResourceType", Node::text("auto-scaling-group")),
            ("Key", Node::text(key)),
            ("Value", Node::text(value)),
            ("PropagateAtLaunch", Node::Flag(false)),
        ])
    };
    let suspended = |name: &String| {
        let reason = format!("User suspended at {}", call.now.to_rfc3339());
        Node::Fields(vec![("ProcessName", Node::text(name)), ("SuspensionReason", Node::text(reason))])
    };
    let mut fields = vec![
        ("AutoScalingGroupName", Node::text(&group.name)),
        ("AutoScalingGroupARN", Node::text(group_arn(call.world, call.region, &group.name))),
        from(&group.source),
        ("MinSize", Node::Number(group.min)),
        ("MaxSize", Node::Number(group.max)),
        ("DesiredCapacity", Node::Number(group.desired)),
        ("DefaultCooldown", Node::Number(300)),
        ("AvailabilityZones", Node::Members(group.zones.iter().map(Node::text).collect())),
        ("VPCZoneIdentifier", Node::text(group.subnets.clone().unwrap_or_default())),
        ("HealthCheckType", Node::text("EC2")),
        ("Instances", Node::Members(group.members.iter().map(member).collect())),
        ("CreatedTime", Node::Time(group.created_at)),
        ("SuspendedProcesses", Node::Members(group.suspended.iter().map(suspended).collect())),
        ("DeletionProtection", Node::text(&group.protection)),
        ("Tags", Node::Members(group.tags.iter().map(tag).collect())),
    ];
    fields.extend(group.warm.as_ref().map(|pool| ("WarmPoolConfiguration", pool.node())));
    Node::Fields(fields)
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let asked = call.params.members("AutoScalingGroupNames", "");
    let here = call.world.scaling.groups.iter().filter(|((of, _), _)| of == call.region).map(|(_, group)| group);
    let here = here.filter(|group| asked.is_empty() || asked.contains(&group.name.as_str()));
    page(call.params, "AutoScalingGroups", here.map(|group| (group.name.clone(), node(call, group))).collect())
}

pub(super) fn update(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let params = call.params;
    let changes_source = params.get("LaunchConfigurationName").is_some()
        || params.0.keys().any(|name| name.starts_with("LaunchTemplate."));
    let new_source = if changes_source { Some(source(call)?) } else { None };
    let new_protection = protection(params)?;
    let (min, max, desired) = (size(params, "MinSize")?, size(params, "MaxSize")?, size(params, "DesiredCapacity")?);
    let group = named(call)?;
    let (min, max) = (min.unwrap_or(group.min), max.unwrap_or(group.max));
    // What is there is brought within new bounds; what is asked for has to be.
    let desired = desired.unwrap_or_else(|| group.desired.clamp(min, max.max(min)));
    fit(min, max, desired)?;
    (group.min, group.max, group.desired) = (min, max, desired);
    if let Some(source) = new_source {
        group.source = source;
    }
    if let Some(protection) = new_protection {
        group.protection = protection;
    }
    settle(call.world, call.region, call.now);
    Ok(Node::empty())
}

pub(super) fn set_desired(call: &mut Call<'_>) -> Result<Node, ApiError> {
    call.params.required("DesiredCapacity")?;
    let desired = size(call.params, "DesiredCapacity")?.unwrap_or_default();
    let group = named(call)?;
    for (bound, way, refused) in
        [(group.max, "above max", desired > group.max), (group.min, "below min", desired < group.min)]
    {
        if refused {
            let sentence =
                format!("New SetDesiredCapacity value {desired} is {way} value {bound} for the AutoScalingGroup.");
            return Err(ApiError::validation(sentence));
        }
    }
    group.desired = desired;
    settle(call.world, call.region, call.now);
    Ok(Node::empty())
}

/// The processes that a call names; all of them where it names none.
fn processes(params: &Params) -> Result<Vec<String>, ApiError> {
    let asked = params.members("ScalingProcesses", "");
    if let Some(unknown) = asked.iter().find(|name| !PROCESSES.contains(name)) {
        return Err(ApiError::validation(format!("Invalid Scaling Process Type - {unknown} is not a valid process")));
    }
    let chosen = if asked.is_empty() { PROCESSES.to_vec() } else { asked };
    Ok(chosen.into_iter().map(str::to_owned).collect())
}

pub(super) fn suspend(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let asked = processes(call.params)?;
    named(call)?.suspended.extend(asked);
    Ok(Node::empty())
}

pub(super) fn resume(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let asked = processes(call.params)?;
    named(call)?.suspended.retain(|name| !asked.contains(name));
    settle(call.world, call.region, call.now);
    Ok(Node::empty())
}

fn instances(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    let ids: Vec<String> = call.params.members("InstanceIds", "").into_iter().map(str::to_owned).collect();
    if ids.is_empty() || ids.len() > INSTANCES_MAX {
        return Err(ApiError::validation(format!("InstanceIds has 1 to {INSTANCES_MAX} members.")));
    }
    Ok(ids)
}

pub(super) fn attach(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (ids, now) = (instances(call)?, call.now);
    let name = named(call)?.name.clone();
    let taken: BTreeSet<String> =
        call.world.scaling.groups.values().flat_map(|group| group.members.keys().cloned()).collect();
    let here = call.world.ec2.region_mut(call.region).ok_or_else(ApiError::invalid_token)?;
    for id in &ids {
        let running = here.instances.get(id).is_some_and(|instance| instance.state(now).1 == "running");
        if !running || taken.contains(id) {
            let sentence = format!("Invalid Instance ID(s): [{id}]. The instance is not running, or is in a group.");
            return Err(ApiError::validation(sentence));
        }
    }
    let group = named(call)?;
    let desired = group.desired + i64::try_from(ids.len()).unwrap_or(i64::MAX);
    if desired > group.max {
        return Err(ApiError::validation(format!(
            "AttachInstances request exceeds the group's max size: desired would be {desired}, max is {}.",
            group.max
        )));
    }
    group.desired = desired;
    let joining = || Member { launched: false, leaving_since: None };
    group.members.extend(ids.iter().map(|id| (id.clone(), joining())));
    let here = call.world.ec2.region_mut(call.region).ok_or_else(ApiError::invalid_token)?;
    for id in &ids {
        if let Some(instance) = here.instances.get_mut(id) {
            instance.tags.insert(GROUP_TAG.to_owned(), name.clone());
        }
    }
    Ok(Node::empty())
}

pub(super) fn detach(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (ids, now, region) = (instances(call)?, call.now, call.region);
    let decrement = call.params.required("ShouldDecrementDesiredCapacity")? == "true";
    let group = named(call)?.clone();
    for id in &ids {
        let Some(member) = group.members.get(id) else {
            let sentence = format!("The instance {id} is not part of Auto Scaling group {}.", group.name);
            return Err(ApiError::validation(sentence));
        };
        if lifecycle(call.world, region, id, member, now) != "InService" {
            let sentence = format!("The instance {id} is not in InService or EnteringStandby or Standby.");
            return Err(ApiError::validation(sentence));
        }
    }
    let desired = group.desired - i64::try_from(ids.len()).unwrap_or(i64::MAX);
    if decrement && desired < group.min {
        return Err(ApiError::validation(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min \
             size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            group.min
        )));
    }
    let live = named(call)?;
    live.desired = if decrement { desired } else { live.desired };
    for id in &ids {
        if let Some(member) = live.members.get_mut(id) {
            member.leaving_since = Some(now);
        }
    }
    settle(call.world, region, now);
    let activity = |id: &String| {
        Node::Fields(vec![
            ("ActivityId", Node::text(ids::uuid())),
            ("AutoScalingGroupName", Node::text(&group.name)),
            ("Description", Node::text(format!("Detaching EC2 instance: {id}"))),
            ("Cause", Node::text(format!("instance {id} was detached in response to a user request"))),
            ("StartTime", Node::Time(now)),
            ("StatusCode", Node::text("InProgress")),
            ("Progress", Node::Number(50)),
        ])
    };
    Ok(Node::Fields(vec![("Activities", Node::Members(ids.iter().map(activity).collect()))]))
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (now, force) = (call.now, call.params.get("ForceDelete") == Some("true"));
    let group = named(call)?.clone();
    if group.protection == "prevent-all-deletion" || (force && group.protection == "prevent-force-deletion") {
        let sentence = format!("You cannot delete {} because deletion protection is enabled for it.", group.name);
        return Err(ApiError::validation(sentence));
    }
    if !force && group.staying().next().is_some() {
        let sentence = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance \
                        request(s) still in the group.";
        return Err(ApiError::bad_request("ResourceInUse", sentence));
    }
    if !force && group.warm.is_some() {
        let sentence = "You cannot delete an AutoScalingGroup while there is a warm pool for that group.";
        return Err(ApiError::bad_request("ResourceInUse", sentence));
    }
    if !force && !group.members.is_empty() {
        let sentence =
            "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.";
        return Err(ApiError::bad_request("ScalingActivityInProgress", sentence));
    }
    if let Some(here) = call.world.ec2.region_mut(call.region) {
        warm::end_all(&group, &mut here.instances, now);
        for id in group.members.keys() {
            if let Some(instance) = here.instances.get_mut(id) {
                instance.phase = Phase::Terminated(now);
            }
        }
    }
    call.world.scaling.groups.remove(&key(call.region, &group.name));
    Ok(Node::empty())
}
