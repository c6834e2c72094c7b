//! Reads EC2 Fleets and Spot Fleets. One that is deleted or cancelled is listed for two days more, and counts as gone.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    ActiveInstance, DescribeFleetsInstances, FleetLaunchTemplateSpecification, SpotFleetLaunchSpecification,
    SpotFleetRequestConfigData, TargetCapacitySpecification,
};

use super::super::AccountClients;
use super::super::fault::{fault, is_missing};
use super::super::regional::Regional;
use super::estate::{arn, asked, user_data};
use super::scaling::given;
use crate::domain::observation::{Fleet, KeptUpBy, Launch, Observation};
use crate::ports::CloudError;

/// Instances are read a thousand at a time, and no fleet may have more than ten thousand.
const PAGES_MAX: usize = 10;
const PAGE_MAX: i32 = 1_000;
/// Values that one filter can have.
const FILTER_VALUES_MAX: usize = 200;
/// AWS's words for a fleet that starts nothing any more.
pub(in crate::adapters::aws) const GONE: [&str; 7] = [
    "cancelled",
    "cancelled_running",
    "cancelled_terminating",
    "deleted",
    "deleted_running",
    "deleted_terminating",
    "failed",
];
/// AWS's word for one that starts another for each that ends, which is also what one is that says nothing.
const MAINTAIN: &str = "maintain";

type Read<T> = Result<T, CloudError>;

pub(super) async fn fleet(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    Ok(read(account, region, id).await?.map_or(Observation::OwnerMissing, Observation::Fleet))
}

/// The fleet of this id, if it starts another in the place of each that ends.
pub(super) async fn kept_up_by(account: &AccountClients, region: &str, id: &str) -> Read<Option<KeptUpBy>> {
    let found = Box::pin(read(account, region, id)).await?.filter(|fleet| fleet.kind == MAINTAIN);
    Ok(found.map(|fleet| KeptUpBy { target: fleet.target, running: fleet.instances.len(), id: fleet.id }))
}

async fn read(account: &AccountClients, region: &str, id: &str) -> Read<Option<Fleet>> {
    let clients = account.regions.of(region);
    if id.starts_with("sfr-") {
        Box::pin(of_spot(account, &clients, region, id)).await
    } else {
        Box::pin(of_ec2(account, &clients, region, id)).await
    }
}

async fn of_ec2(account: &AccountClients, clients: &Regional, region: &str, id: &str) -> Read<Option<Fleet>> {
    let ec2 = &clients.ec2;
    let asked = asked!("ec2:DescribeFleets", ec2.describe_fleets().fleet_ids(id).send())?;
    let found = asked.and_then(|answer| answer.fleets?.into_iter().next());
    let state = |of: &aws_sdk_ec2::types::FleetData| of.fleet_state().map(|state| state.as_str().to_owned());
    let Some(found) = found.filter(|found| !state(found).is_some_and(|state| GONE.contains(&state.as_str()))) else {
        return Ok(None);
    };
    let kind = found.r#type().map_or(MAINTAIN, |kind| kind.as_str()).to_owned();
    let instances = if kind == "instant" {
        let started = found.instances().iter().flat_map(DescribeFleetsInstances::instance_ids).cloned();
        running(clients, started.collect()).await?
    } else {
        let mut active = Active::default();
        while active.has_more() {
            let request = ec2.describe_fleet_instances().fleet_id(id).max_results(PAGE_MAX);
            let asked = asked!("ec2:DescribeFleetInstances", request.set_next_token(active.next.take()).send())?;
            let Some(answer) = asked else { break };
            active.take(answer.active_instances, answer.next_token);
        }
        active.ids
    };
    let templates = found.launch_template_configs().iter().filter_map(|config| config.launch_template_specification());
    Ok(Some(Fleet {
        id: id.to_owned(),
        arn: arn(account, "ec2", region, &format!("fleet/{id}")),
        created_at: found.create_time().map(ToString::to_string).unwrap_or_default(),
        state: state(&found).unwrap_or_default(),
        kind,
        target: found
            .target_capacity_specification()
            .and_then(TargetCapacitySpecification::total_target_capacity)
            .unwrap_or_default(),
        launches_from: templates.map(from).collect(),
        launches: Vec::new(),
        role: None,
        instances,
        tags: found.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect(),
    }))
}

async fn of_spot(account: &AccountClients, clients: &Regional, region: &str, id: &str) -> Read<Option<Fleet>> {
    let ec2 = &clients.ec2;
    let request = ec2.describe_spot_fleet_requests().spot_fleet_request_ids(id);
    let asked = asked!("ec2:DescribeSpotFleetRequests", request.send())?;
    let found = asked.and_then(|answer| answer.spot_fleet_request_configs?.into_iter().next());
    let state = |of: &aws_sdk_ec2::types::SpotFleetRequestConfig| {
        of.spot_fleet_request_state().map(|state| state.as_str().to_owned())
    };
    let Some(found) = found.filter(|found| !state(found).is_some_and(|state| GONE.contains(&state.as_str()))) else {
        return Ok(None);
    };
    let mut active = Active::default();
    while active.has_more() {
        let request = ec2.describe_spot_fleet_instances().spot_fleet_request_id(id).max_results(PAGE_MAX);
        let asked = asked!("ec2:DescribeSpotFleetInstances", request.set_next_token(active.next.take()).send())?;
        let Some(answer) = asked else { break };
        active.take(answer.active_instances, answer.next_token);
    }
    let config = found.spot_fleet_request_config();
    let templates = config.map(SpotFleetRequestConfigData::launch_template_configs).unwrap_or_default();
    let templates = templates.iter().filter_map(|config| config.launch_template_specification());
    let launches = config.map(SpotFleetRequestConfigData::launch_specifications).unwrap_or_default();
    Ok(Some(Fleet {
        id: id.to_owned(),
        arn: arn(account, "ec2", region, &format!("spot-fleet-request/{id}")),
        created_at: found.create_time().map(ToString::to_string).unwrap_or_default(),
        state: state(&found).unwrap_or_default(),
        kind: config.and_then(|of| of.r#type()).map_or(MAINTAIN, |kind| kind.as_str()).to_owned(),
        target: config.and_then(SpotFleetRequestConfigData::target_capacity).unwrap_or_default(),
        launches_from: templates.map(from).collect(),
        launches: launches.iter().map(launch).collect(),
        role: config.and_then(|of| of.iam_fleet_role()).map(str::to_owned),
        instances: active.ids,
        tags: found.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect(),
    }))
}

/// What pages of active instances have shown.
#[derive(Default)]
struct Active {
    ids: BTreeSet<String>,
    next: Option<String>,
    pages: usize,
}

impl Active {
    const fn has_more(&self) -> bool {
        self.pages == 0 || (self.next.is_some() && self.pages < PAGES_MAX)
    }

    fn take(&mut self, instances: Option<Vec<ActiveInstance>>, next: Option<String>) {
        self.ids.extend(instances.unwrap_or_default().into_iter().filter_map(|one| one.instance_id));
        self.next = next;
        self.pages += 1;
    }
}

/// Those of these instances that have not ended: an instant fleet lists for ever what it has started.
async fn running(clients: &Regional, started: Vec<String>) -> Read<BTreeSet<String>> {
    let mut left = BTreeSet::new();
    for some in started.chunks(FILTER_VALUES_MAX) {
        let filter = |name: &str, values: Vec<String>| {
            aws_sdk_ec2::types::Filter::builder().name(name).set_values(Some(values)).build()
        };
        let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
        let request = clients.ec2.describe_instances().filters(filter("instance-id", some.to_vec()));
        let request = request.filters(filter("instance-state-name", states)).into_paginator().items();
        let found: Option<Vec<aws_sdk_ec2::types::Reservation>> =
            asked!("ec2:DescribeInstances", request.send().try_collect())?;
        let found = found.unwrap_or_default().into_iter().flat_map(|held| held.instances.unwrap_or_default());
        left.extend(found.filter_map(|instance| instance.instance_id));
    }
    Ok(left)
}

fn from(template: &FleetLaunchTemplateSpecification) -> String {
    let id = template.launch_template_id().or(template.launch_template_name()).unwrap_or_default();
    format!("launch template {id}, version {}", template.version().unwrap_or("$Default"))
}

fn launch(asked: &SpotFleetLaunchSpecification) -> Launch {
    Launch {
        image_id: given(asked.image_id()),
        instance_type: asked.instance_type().map(|kind| kind.as_str().to_owned()),
        key_name: given(asked.key_name()),
        profile: asked.iam_instance_profile().and_then(|profile| given(profile.arn().or(profile.name()))),
        user_data: user_data(asked.user_data()),
        groups: asked.security_groups().iter().filter_map(|group| given(group.group_id())).collect(),
    }
}
