//! Auto Scaling: groups that keep up a number of instances. What ends is replaced after a while by the sandbox's clock,
//! unless the group does not launch; who leaves with the number lowered is not.
//!
//! Names, states and error codes follow the Amazon EC2 Auto Scaling API reference, version 2011-01-01.

mod configurations;
mod groups;
mod warm;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::ec2::{self, Instance, Launch, Phase, Tags};
use super::ids::{self, Entropy};
use super::operation::{Operation, Target};
use super::state::World;
use super::trail::Entry;
use super::wire::{ApiError, Node, Params};
use configurations::Configuration;

pub(super) const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// The tag by which an instance is known to be of a group.
const GROUP_TAG: &str = "aws:autoscaling:groupName";
/// How long it takes until another is started in the place of one that has ended.
const REPLACED_AFTER: TimeDelta = TimeDelta::seconds(20);
/// How long an instance takes to leave.
const DETACHING: TimeDelta = TimeDelta::seconds(5);
const OWN: Service =
    Service { name: "autoscaling.amazonaws.com", role: "AWSServiceRoleForAutoScaling", session: "AutoScaling" };
/// Entries on one page, at most and unless asked.
const PAGE_MAX: i64 = 100;

/// All Regions.
#[derive(Debug, Default)]
pub(super) struct Scaling {
    /// By Region and name.
    groups: BTreeMap<(String, String), Group>,
    configurations: BTreeMap<(String, String), Configuration>,
}

/// A group.
#[derive(Clone, Debug)]
struct Group {
    name: String,
    /// A UUID in its ARN.
    id: String,
    created_at: DateTime<Utc>,
    min: i64,
    max: i64,
    desired: i64,
    source: Source,
    zones: Vec<String>,
    subnets: Option<String>,
    suspended: BTreeSet<String>,
    protection: String,
    members: BTreeMap<String, Member>,
    warm: Option<warm::Pool>,
    tags: Tags,
}

/// What instances are started from.
#[derive(Clone, Debug)]
enum Source {
    Configuration(String),
    Template { id: String, name: String, version: String },
}

/// An instance in a group.
#[derive(Clone, Debug)]
struct Member {
    /// Started by the group, and not attached.
    launched: bool,
    leaving_since: Option<DateTime<Utc>>,
}

impl Group {
    fn launches(&self) -> bool {
        !self.suspended.contains("Launch")
    }

    /// Those that are not on their way out.
    fn staying(&self) -> impl Iterator<Item = (&String, &Member)> {
        self.members.iter().filter(|(_, member)| member.leaving_since.is_none())
    }
}

const fn read(name: &'static str, run: Run) -> Operation {
    Operation { name, read_only: true, target: Target::Everything, run }
}

const fn write(name: &'static str, target: Target, run: Run) -> Operation {
    Operation { name, read_only: false, target, run }
}

type Run = fn(&mut super::operation::Call<'_>) -> Result<Node, ApiError>;

const OPERATIONS: [Operation; 15] = [
    write("CreateLaunchConfiguration", Target::LaunchConfiguration, configurations::create),
    read("DescribeLaunchConfigurations", configurations::describe),
    write("DeleteLaunchConfiguration", Target::LaunchConfiguration, configurations::delete),
    write("CreateAutoScalingGroup", Target::ScalingGroup, groups::create),
    read("DescribeAutoScalingGroups", groups::describe),
    write("UpdateAutoScalingGroup", Target::ScalingGroup, groups::update),
    write("SetDesiredCapacity", Target::ScalingGroup, groups::set_desired),
    write("SuspendProcesses", Target::ScalingGroup, groups::suspend),
    write("ResumeProcesses", Target::ScalingGroup, groups::resume),
    write("AttachInstances", Target::ScalingGroup, groups::attach),
    write("DetachInstances", Target::ScalingGroup, groups::detach),
    write("DeleteAutoScalingGroup", Target::ScalingGroup, groups::delete),
    write("PutWarmPool", Target::ScalingGroup, warm::put),
    read("DescribeWarmPool", warm::describe),
    write("DeleteWarmPool", Target::ScalingGroup, warm::delete),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    const TABLE: &[Operation] = &OPERATIONS;
    TABLE.iter().find(|operation| operation.name == name)
}

fn key(region: &str, name: &str) -> (String, String) {
    (region.to_owned(), name.to_owned())
}

fn resource(world: &World, region: &str, kind: &str, id: &str, name: &str) -> String {
    format!("arn:aws:autoscaling:{region}:{}:{kind}:{id}:{kind}Name/{name}", world.account)
}

/// The ARN of a group; one that is not there has any id.
pub(super) fn group_arn(world: &World, region: &str, name: &str) -> String {
    let id = world.scaling.groups.get(&key(region, name)).map_or("*", |group| group.id.as_str());
    resource(world, region, "autoScalingGroup", id, name)
}

/// The ARN of a launch configuration; one that is not there has any id.
pub(super) fn configuration_arn(world: &World, region: &str, name: &str) -> String {
    let id = world.scaling.configurations.get(&key(region, name)).map_or("*", |found| found.id.as_str());
    resource(world, region, "launchConfiguration", id, name)
}

/// One page of a list that is sorted by name.
fn page(params: &Params, list: &'static str, items: Vec<(String, Node)>) -> Result<Node, ApiError> {
    let size = params.number("MaxRecords", 1..=PAGE_MAX)?.unwrap_or(PAGE_MAX);
    let after = params.get("NextToken").unwrap_or_default();
    let mut rest = items.into_iter().filter(|(name, _)| name.as_str() > after).peekable();
    let (mut nodes, mut upto) = (Vec::new(), String::new());
    while let Some((name, node)) = rest.next_if(|_| i64::try_from(nodes.len()).is_ok_and(|count| count < size)) {
        nodes.push(node);
        upto = name;
    }
    let more = rest.peek().is_some();
    let mut fields = vec![(list, Node::Members(nodes))];
    fields.extend(more.then(|| ("NextToken", Node::text(upto))));
    Ok(Node::Fields(fields))
}

/// Brings the groups of a Region to what they are at `now`.
pub(super) fn settle(world: &mut World, region: &str, now: DateTime<Utc>) {
    let here = |(of, _): &&(String, String)| of == region;
    let names: Vec<String> = world.scaling.groups.keys().filter(here).map(|(_, name)| name.clone()).collect();
    for name in names {
        leave(world, region, &name, now);
        let Some(group) = world.scaling.groups.get(&key(region, &name)) else { continue };
        let staying = i64::try_from(group.staying().count()).unwrap_or(i64::MAX);
        for _ in staying..group.desired {
            start(world, region, &name, now);
        }
        end(world, region, &name, staying, now);
        warm::settle(world, region, &name, now);
    }
}

/// Drops those that have left, and those that ended a while ago.
fn leave(world: &mut World, region: &str, name: &str, now: DateTime<Utc>) {
    let (Some(group), Some(here)) = (world.scaling.groups.get_mut(&key(region, name)), world.ec2.region_mut(region))
    else {
        return;
    };
    group.members.retain(|id, member| {
        let Some(instance) = here.instances.get_mut(id) else { return false };
        let ended = matches!(instance.phase, Phase::Terminated(at) if at + REPLACED_AFTER <= now);
        let left = member.leaving_since.is_some_and(|since| since + DETACHING <= now);
        if left {
            instance.tags.remove(GROUP_TAG);
        }
        !ended && !left
    });
}

/// What a group starts, if it is there and the group launches.
fn launch(world: &World, region: &str, group: &Group) -> Option<Launch> {
    let mut launch = match &group.source {
        _ if !group.launches() => return None,
        Source::Configuration(name) => world.scaling.configurations.get(&key(region, name))?.launch.clone(),
        Source::Template { id, version, .. } => world.ec2.region(region)?.templates.get(id)?.version(version)?.clone(),
    };
    launch.tags.insert(GROUP_TAG.to_owned(), group.name.clone());
    Some(launch)
}

/// Starts one more, as a call of Auto Scaling's own.
fn start(world: &mut World, region: &str, name: &str, now: DateTime<Utc>) {
    let Some(group) = world.scaling.groups.get(&key(region, name)) else { return };
    let Some(launch) = launch(world, region, group) else { return };
    let Some(instance) = ec2::start_one(world, region, &launch, &ec2::new_id("r"), now) else { return };
    if let Some(group) = world.scaling.groups.get_mut(&key(region, name)) {
        group.members.insert(instance.id.clone(), Member { launched: true, leaving_since: None });
    }
    record_launch(world, region, &OWN, &instance, now);
}

/// A service of AWS that starts instances, and the role that it does so with.
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) role: &'static str,
    pub(super) session: &'static str,
}

/// The event of a launch that a service has made by itself.
pub(super) fn record_launch(world: &mut World, region: &str, by: &Service, instance: &Instance, now: DateTime<Utc>) {
    let account = world.account;
    let service = by.name;
    let arn = format!("arn:aws:sts::{account}:assumed-role/{}/{}", by.role, by.session);
    let tags: Vec<_> = instance.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let id = ids::unique_id("AROA", Entropy::Named(by.role));
    world.trail.record(&Entry {
        at: now,
        account,
        region,
        identity: json!({
            "type": "AssumedRole", "principalId": format!("{id}:{}", by.session), "arn": arn,
            "accountId": account, "invokedBy": service,
        }),
        access_key_id: None,
        user_name: Some(by.session),
        source: "ec2.amazonaws.com",
        name: "RunInstances",
        read_only: false,
        source_ip: service,
        user_agent: service,
        request: json!({
            "instancesSet": { "items": [{ "imageId": instance.image_id, "minCount": 1, "maxCount": 1 }] },
            "instanceType": instance.kind,
            "tagSpecificationSet": { "items": [{ "resourceType": "instance", "tags": tags }] },
        }),
        response: json!({ "instancesSet": { "items": [{ "instanceId": instance.id }] } }),
        error: None,
        request_id: &ids::uuid(),
        data: false,
    });
}

/// Ends as many as there are too many of, the oldest first; nothing is kept of them.
fn end(world: &mut World, region: &str, name: &str, staying: i64, now: DateTime<Utc>) {
    let Some(group) = world.scaling.groups.get(&key(region, name)) else { return };
    let too_many = usize::try_from(staying - group.desired).unwrap_or_default();
    if too_many == 0 || group.suspended.contains("Terminate") {
        return;
    }
    let Some(here) = world.ec2.region_mut(region) else { return };
    let mut up: Vec<&String> = group.staying().map(|(id, _)| id).collect();
    up.retain(|id| here.instances.get(*id).is_some_and(|of| !matches!(of.phase, Phase::Terminated(_))));
    up.sort_by_key(|id| here.instances.get(*id).map(|of| of.launched_at));
    let oldest: Vec<String> = up.into_iter().take(too_many).cloned().collect();
    for id in oldest {
        if let Some(instance) = here.instances.get_mut(&id) {
            instance.phase = Phase::Terminated(now);
        }
    }
}

impl super::Account {
    /// The groups of a Region: name, how many instances each is to have, and the ids of those in it.
    pub fn scaling_groups(&self, region: &str) -> Vec<(String, i64, Vec<String>)> {
        let mut world = self.world();
        let now = world.clock.now();
        settle(&mut world, region, now);
        let here = world.scaling.groups.iter().filter(|((of, _), _)| of == region);
        here.map(|(_, group)| (group.name.clone(), group.desired, group.members.keys().cloned().collect())).collect()
    }

    /// Whether a group has a warm pool that is not being deleted.
    pub fn keeps_ready(&self, region: &str, group: &str) -> bool {
        let world = self.world();
        let found = world.scaling.groups.get(&key(region, group)).and_then(|group| group.warm.as_ref());
        found.is_some_and(|pool| !pool.is_leaving())
    }

    /// The names of a Region's launch configurations.
    pub fn launch_configurations(&self, region: &str) -> Vec<String> {
        let world = self.world();
        let here = world.scaling.configurations.keys().filter(|(of, _)| of == region);
        here.map(|(_, name)| name.clone()).collect()
    }

    /// The default version of a launch template, and all its versions. None for a template that is not there.
    pub fn template_versions(&self, region: &str, id: &str) -> (i64, Vec<i64>) {
        let world = self.world();
        let found = world.ec2.region(region).and_then(|region| region.templates.get(id));
        found.map(ec2::Template::numbers).unwrap_or_default()
    }

    /// The names of a Region's launch templates.
    pub fn launch_templates(&self, region: &str) -> Vec<String> {
        let world = self.world();
        let here = world.ec2.region(region).into_iter().flat_map(|region| region.templates.values());
        here.map(|template| template.name.clone()).collect()
    }
}
