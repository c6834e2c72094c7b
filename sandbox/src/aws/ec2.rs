//! EC2: instances with their volumes, snapshots, images, key pairs, security groups, launch templates, spot requests
//! and fleets, in each enabled Region.
//!
//! Names, states and error codes follow the EC2 API reference, version 2016-11-15.

mod attributes;
mod filters;
mod fleets;
mod groups;
mod images;
mod instances;
mod keys;
mod launches;
mod metadata;
mod snapshots;
mod spot;
mod spot_fleets;
mod templates;
mod trail;
mod volumes;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};

use super::autoscaling;
use super::caller::{Caller, Resource};
use super::ids::{self, Entropy};
use super::policy::Context;
use super::regions;
use super::state::World;
use super::wire::{ApiError, Node, Params};

pub(super) use fleets::all as fleets;
pub(super) use groups::{Group, Rule};
pub(super) use images::Image;
pub(super) use instances::{Instance, Launch, Phase, pass, start_one, take_role};
pub(super) use keys::Pair;
pub(super) use snapshots::Snapshot;
pub(super) use spot::is_open;
pub(super) use templates::{Template, named as template};
pub(super) use trail::{request as request_in_trail, response as response_in_trail};
pub(super) use volumes::Volume;

pub(super) const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// The tags of a resource.
pub(super) type Tags = BTreeMap<String, String>;

/// What one Region holds, each by its id.
#[derive(Debug, Default)]
pub(super) struct Region {
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) pairs: BTreeMap<String, Pair>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) templates: BTreeMap<String, Template>,
    pub(super) spot: BTreeMap<String, spot::Request>,
    /// EC2 Fleets and Spot Fleets.
    pub(super) fleets: BTreeMap<String, fleets::Fleet>,
    /// Instances of each launch by its client token: the same token starts nothing anew.
    launches: BTreeMap<String, Vec<String>>,
}

impl Region {
    /// With the default security group and nothing else.
    fn new(account: &str, name: &str) -> Self {
        let group = Group::default_of(account, name);
        Self { groups: BTreeMap::from([(group.id.clone(), group)]), ..Self::default() }
    }

    /// Drops what has gone with the passing of time: instances an hour after their end, volumes with their instance.
    fn settle(&mut self, now: DateTime<Utc>) {
        let ended = |instance: &Instance| instance.state(now).1 == "terminated";
        let gone: Vec<String> = self.instances.values().filter(|i| ended(i)).map(|i| i.id.clone()).collect();
        for volume in self.volumes.values_mut() {
            if volume.attached_to.as_ref().is_some_and(|id| gone.contains(id)) && !volume.deleted_with_instance {
                volume.attached_to = None;
            }
        }
        self.volumes.retain(|_, volume| volume.attached_to.as_ref().is_none_or(|id| !gone.contains(id)));
        self.instances.retain(|_, instance| instance.is_listed(now));
    }
}

/// All Regions.
#[derive(Debug)]
pub(super) struct Ec2(BTreeMap<&'static str, Region>);

impl Ec2 {
    pub(super) fn new(account: &str) -> Self {
        Self(regions::ENABLED.into_iter().map(|name| (name, Region::new(account, name))).collect())
    }

    /// `None` for a Region that is not enabled.
    pub(super) fn region(&self, name: &str) -> Option<&Region> {
        self.0.get(name)
    }

    pub(super) fn region_mut(&mut self, name: &str) -> Option<&mut Region> {
        self.0.get_mut(name)
    }
}

/// One operation.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) read_only: bool,
    run: Run,
}

type Run = fn(&mut Call<'_>) -> Result<Node, ApiError>;

const fn read(name: &'static str, run: Run) -> Operation {
    Operation { name, read_only: true, run }
}

const fn write(name: &'static str, run: Run) -> Operation {
    Operation { name, read_only: false, run }
}

static OPERATIONS: [Operation; 47] = [
    read("DescribeRegions", describe_regions),
    write("RunInstances", instances::run),
    read("DescribeInstances", instances::describe),
    write("StartInstances", instances::start),
    write("StopInstances", instances::stop),
    write("TerminateInstances", instances::terminate),
    read("DescribeInstanceAttribute", attributes::describe),
    write("ModifyInstanceAttribute", attributes::modify),
    write("ModifyInstanceMetadataOptions", metadata::modify),
    read("DescribeVolumes", volumes::describe),
    write("CreateSnapshot", snapshots::create),
    read("DescribeSnapshots", snapshots::describe),
    read("DescribeSnapshotAttribute", snapshots::describe_attribute),
    write("ModifySnapshotAttribute", snapshots::modify_attribute),
    write("DeleteSnapshot", snapshots::delete),
    read("DescribeImages", images::describe),
    read("DescribeImageAttribute", images::describe_attribute),
    write("ModifyImageAttribute", images::modify_attribute),
    write("CreateTags", create_tags),
    write("CreateKeyPair", keys::create),
    write("ImportKeyPair", keys::import),
    read("DescribeKeyPairs", keys::describe),
    write("DeleteKeyPair", keys::delete),
    read("DescribeSecurityGroups", groups::describe),
    read("DescribeSecurityGroupRules", groups::describe_rules),
    write("AuthorizeSecurityGroupEgress", groups::authorize_egress),
    write("AuthorizeSecurityGroupIngress", groups::authorize_ingress),
    write("RevokeSecurityGroupEgress", groups::revoke_egress),
    write("RevokeSecurityGroupIngress", groups::revoke_ingress),
    write("CreateLaunchTemplate", templates::create),
    write("CreateLaunchTemplateVersion", templates::create_version),
    read("DescribeLaunchTemplates", templates::describe),
    read("DescribeLaunchTemplateVersions", templates::describe_versions),
    write("ModifyLaunchTemplate", templates::modify),
    write("DeleteLaunchTemplateVersions", templates::delete_versions),
    write("DeleteLaunchTemplate", templates::delete),
    write("RequestSpotInstances", spot::request),
    read("DescribeSpotInstanceRequests", spot::describe),
    write("CancelSpotInstanceRequests", spot::cancel),
    write("CreateFleet", fleets::create),
    read("DescribeFleets", fleets::describe),
    read("DescribeFleetInstances", fleets::describe_instances),
    write("DeleteFleets", fleets::delete),
    write("RequestSpotFleet", spot_fleets::request),
    read("DescribeSpotFleetRequests", spot_fleets::describe),
    read("DescribeSpotFleetInstances", spot_fleets::describe_instances),
    write("CancelSpotFleetRequests", spot_fleets::cancel),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Has all that starts instances by itself start what it starts by `now`.
pub(super) fn settle(world: &mut World, region: &str, now: DateTime<Utc>) {
    autoscaling::settle(world, region, now);
    spot::settle(world, region, now);
    fleets::settle(world, region, now);
}

/// One call on its way through an operation.
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) caller: &'a Caller,
    pub(super) params: &'a Params,
    pub(super) context: &'a Context,
    pub(super) region: &'a str,
    pub(super) now: DateTime<Utc>,
}

impl Call<'_> {
    pub(super) fn run(mut self, operation: &Operation) -> Result<Node, ApiError> {
        let now = self.now;
        // Keys are not valid in a Region that the account has not opted in to.
        self.world.ec2.region_mut(self.region).ok_or_else(ApiError::invalid_token)?.settle(now);
        settle(self.world, self.region, now);
        if operation.read_only {
            let everything = Resource { arn: "*".to_owned(), label: String::new() };
            self.caller.authorize(&format!("ec2:{}", operation.name), &everything, self.context)?;
        }
        (operation.run)(&mut self)
    }

    fn here(&mut self) -> Result<&mut Region, ApiError> {
        self.world.ec2.region_mut(self.region).ok_or_else(ApiError::invalid_token)
    }

    /// `instance/i-…` as an ARN. Snapshots and images have no account in theirs.
    fn arn(&self, resource: &str) -> String {
        let owned = !resource.starts_with("snapshot/") && !resource.starts_with("image/");
        let account = if owned { self.world.account } else { "" };
        format!("arn:aws:ec2:{}:{account}:{resource}", self.region)
    }

    /// Refuses what the caller may not do to every one of these, each as `instance/i-…`.
    fn permit(&self, operation: &str, resources: &[String]) -> Result<(), ApiError> {
        for resource in resources {
            let arn = self.arn(resource);
            self.caller.authorize(&format!("ec2:{operation}"), &Resource { label: arn.clone(), arn }, self.context)?;
        }
        Ok(())
    }

    /// Ends a dry run, once all is checked.
    fn unless_dry(&self) -> Result<(), ApiError> {
        if self.params.get("DryRun") == Some("true") {
            let sentence = "Request would have succeeded, but DryRun flag is set.";
            return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "DryRunOperation", sentence));
        }
        Ok(())
    }

    fn required(&self, name: &str) -> Result<String, ApiError> {
        self.params.get(name).filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(|| {
            ApiError::bad_request("MissingParameter", format!("The request must contain the parameter {name}"))
        })
    }

    /// The tags that a create call asks for, with the permission that takes. A policy can tell it from one to tag what
    /// is there by the call that it is for.
    fn tags_for(&self, kind: &str, operation: &str) -> Result<Tags, ApiError> {
        let kinds = self.params.items("TagSpecification", ".ResourceType");
        let mut tags = Tags::new();
        for (index, asked) in (1..).zip(kinds) {
            if asked == kind {
                tags.extend(pairs(self.params, &format!("TagSpecification.{index}.Tag")));
            }
        }
        if !tags.is_empty() {
            let arn = self.arn(&format!("{kind}/*"));
            let mut context = self.context.clone();
            context.insert("ec2:createaction", operation.to_owned());
            self.caller.authorize("ec2:CreateTags", &Resource { label: arn.clone(), arn }, &context)?;
        }
        Ok(tags)
    }
}

fn pairs(params: &Params, name: &str) -> Tags {
    let keys = params.items(name, ".Key");
    let value = |index: usize| params.get(&format!("{name}.{index}.Value")).unwrap_or_default();
    (1..).zip(keys).map(|(index, key)| (key.to_owned(), value(index).to_owned())).collect()
}

fn bad_value(sentence: impl Into<String>) -> ApiError {
    ApiError::bad_request("InvalidParameterValue", sentence)
}

/// The answer of most changes.
fn done() -> Node {
    Node::Fields(vec![("return", Node::Flag(true))])
}

fn tag_set(tags: &Tags) -> Node {
    let one =
        |(key, value): (&String, &String)| Node::Fields(vec![("key", Node::text(key)), ("value", Node::text(value))]);
    Node::Members(tags.iter().map(one).collect())
}

pub(super) fn new_id(prefix: &str) -> String {
    ids::resource_id(prefix, Entropy::Random)
}

/// A creation time that lies so far back.
pub(super) fn ago(now: DateTime<Utc>, days: i64) -> DateTime<Utc> {
    now - TimeDelta::days(days)
}

fn describe_regions(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let all = call.params.get("AllRegions") == Some("true");
    let asked = call.params.items("RegionName", "");
    let enabled = call.world.enabled.clone();
    let named = enabled.iter().map(|name| (*name, "opt-in-not-required"));
    let others = regions::NOT_OPTED_IN.into_iter().filter(|_| all).map(|name| (name, "not-opted-in"));
    let known: Vec<(&str, &str)> = named.chain(others).collect();
    if let Some(unknown) = asked.iter().find(|name| !known.iter().any(|(region, _)| region == *name)) {
        return Err(bad_value(format!("Invalid region names: {unknown}")));
    }
    let shown = known.into_iter().filter(|(name, _)| asked.is_empty() || asked.contains(name));
    let one = |(name, opted): (&str, &str)| {
        Node::Fields(vec![
            ("regionName", Node::text(name)),
            ("regionEndpoint", Node::text(format!("ec2.{name}.amazonaws.com"))),
            ("optInStatus", Node::text(opted)),
        ])
    };
    Ok(Node::Fields(vec![("regionInfo", Node::Members(shown.map(one).collect()))]))
}

fn create_tags(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let ids: Vec<String> = call.params.items("ResourceId", "").into_iter().map(str::to_owned).collect();
    let tags = pairs(call.params, "Tag");
    if ids.is_empty() || tags.is_empty() {
        return Err(ApiError::bad_request(
            "MissingParameter",
            "The request must contain the parameters ResourceId and Tag",
        ));
    }
    let kind = |id: &str| match id.split('-').next() {
        Some("i") => Ok("instance"),
        Some("vol") => Ok("volume"),
        Some("snap") => Ok("snapshot"),
        _ => Err(ApiError::bad_request("InvalidID", format!("The ID '{id}' is not valid"))),
    };
    let resources = ids.iter().map(|id| Ok(format!("{}/{id}", kind(id)?))).collect::<Result<Vec<_>, ApiError>>()?;
    call.permit("CreateTags", &resources)?;
    let region = call.here()?;
    for id in &ids {
        _ = tags_of(region, id)?;
    }
    call.unless_dry()?;
    let region = call.here()?;
    for id in &ids {
        tags_of(region, id)?.extend(tags.clone());
    }
    Ok(done())
}

fn tags_of<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Tags, ApiError> {
    match id.split('-').next() {
        Some("i") => Ok(&mut instances::known(region, id)?.tags),
        Some("vol") => Ok(&mut volumes::known(region, id)?.tags),
        _ => Ok(&mut snapshots::known(region, id)?.tags),
    }
}
