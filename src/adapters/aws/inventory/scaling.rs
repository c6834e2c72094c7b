//! What starts instances by itself in a Region, and what they are made from: groups, fleets, spot requests, launch
//! templates and launch configurations.

use chrono::{DateTime, Utc};

use super::super::instant;
use super::super::observe::fleets::GONE;
use super::super::regional::Regional;
use super::{cut_short, paged};
use crate::domain::inventory::{Stock, Thing};
use crate::ports::{CloudError, Look};

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const CONFIGURATION: &str = "AWS::AutoScaling::LaunchConfiguration";
const TEMPLATE: &str = "AWS::EC2::LaunchTemplate";
const EC2_FLEET: &str = "AWS::EC2::EC2Fleet";
const SPOT_FLEET: &str = "AWS::EC2::SpotFleet";
const SPOT_REQUEST: &str = "AWS::EC2::SpotInstanceRequest";

/// By which tag of AWS's own an instance or spot request is known to be of what has started it.
const STARTERS: [(&str, &str); 3] = [
    ("aws:autoscaling:groupName", GROUP),
    ("aws:ec2:fleet-id", EC2_FLEET),
    ("aws:ec2spot:fleet-request-id", SPOT_FLEET),
];

pub(super) async fn read(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let (mut stock, configurations, templates, versions, fleets, spot_fleets, requests) = tokio::join!(
        Box::pin(groups(clients, region, look)),
        Box::pin(configurations(clients, region, look)),
        Box::pin(templates(clients, region, look)),
        Box::pin(versions(clients, region, look)),
        Box::pin(fleets(clients, region, look)),
        Box::pin(spot_fleets(clients, region, look)),
        Box::pin(requests(clients, region, look))
    );
    for part in [configurations, templates, versions, fleets, spot_fleets, requests] {
        stock.take(part);
    }
    stock
}

/// With what has started it, by its tags.
pub(super) fn started(thing: Thing, tags: &[aws_sdk_ec2::types::Tag]) -> Thing {
    let by = tags.iter().find_map(|tag| {
        let (_, kind) = STARTERS.iter().find(|(key, _)| tag.key() == Some(key))?;
        Some((*kind, tag.value()?))
    });
    match by {
        Some((kind, id)) => thing.owned_by(kind, id),
        None => thing,
    }
}

/// A list of one kind, with what was left out of it.
fn listed(
    (things, cut, failed): (impl Iterator<Item = Thing>, bool, Option<CloudError>),
    (kind, many): (&str, &str),
    region: &str,
    look: Look<'_>,
) -> Stock {
    let mut stock = Stock::default();
    if cut {
        stock.gap(region, &[kind], cut_short(many));
    }
    if let Some(error) = failed {
        stock.gap(region, &[kind], error.to_string());
    }
    things.for_each(|thing| stock.add(thing, look.since));
    stock
}

fn regional(kind: &str, id: Option<&str>, region: &str, at: Option<DateTime<Utc>>) -> Thing {
    Thing::regional(kind, id.unwrap_or_default(), region, at)
}

async fn groups(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.autoscaling.describe_auto_scaling_groups().max_records(100);
    let (found, cut, failed) = paged!("autoscaling:DescribeAutoScalingGroups", asked, auto_scaling_groups);
    let one = |group: aws_sdk_autoscaling::types::AutoScalingGroup| {
        let thing = regional(GROUP, group.auto_scaling_group_name(), region, group.created_time().and_then(instant));
        let (desired, most) = (group.desired_capacity().unwrap_or_default(), group.max_size().unwrap_or_default());
        thing.fact(format!("keeps up {desired} instance(s), at most {most}"))
    };
    listed((found.into_iter().map(one), cut, failed), (GROUP, "Auto Scaling groups"), region, look)
}

async fn configurations(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.autoscaling.describe_launch_configurations().max_records(100);
    let (found, cut, failed) = paged!("autoscaling:DescribeLaunchConfigurations", asked, launch_configurations);
    let one = |of: aws_sdk_autoscaling::types::LaunchConfiguration| {
        let at = of.created_time().and_then(instant);
        let thing = regional(CONFIGURATION, of.launch_configuration_name(), region, at);
        match of.iam_instance_profile().filter(|profile| !profile.is_empty()) {
            Some(profile) => thing.fact(format!("has instance profile {}", last(profile))),
            None => thing,
        }
    };
    listed((found.into_iter().map(one), cut, failed), (CONFIGURATION, "launch configurations"), region, look)
}

async fn templates(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.ec2.describe_launch_templates().max_results(200);
    let (found, cut, failed) = paged!("ec2:DescribeLaunchTemplates", asked, launch_templates);
    let one = |of: aws_sdk_ec2::types::LaunchTemplate| {
        let thing = regional(TEMPLATE, of.launch_template_id(), region, of.create_time().and_then(instant));
        thing.fact(format!("{}, made by {}", of.launch_template_name().unwrap_or_default(), by(of.created_by())))
    };
    listed((found.into_iter().map(one), cut, failed), (TEMPLATE, "launch templates"), region, look)
}

/// The newest version of every template: whoever adds one has it start something else without making anything. The first
/// is the template itself.
async fn versions(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.ec2.describe_launch_template_versions().versions("$Latest").max_results(200);
    let (found, cut, failed) = paged!("ec2:DescribeLaunchTemplateVersions", asked, launch_template_versions);
    let one = |of: aws_sdk_ec2::types::LaunchTemplateVersion| {
        let number = of.version_number().filter(|number| *number > 1)?;
        let thing = regional(TEMPLATE, of.launch_template_id(), region, of.create_time().and_then(instant));
        let thing = thing.part(&number.to_string()).fact(format!("added by {}", by(of.created_by())));
        Some(if of.default_version() == Some(true) { thing.fact("in force") } else { thing })
    };
    listed((found.into_iter().filter_map(one), cut, failed), (TEMPLATE, "launch templates"), region, look)
}

/// Those of type instant are listed to nobody: what they have started is.
async fn fleets(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.ec2.describe_fleets().max_results(100);
    let (found, cut, failed) = paged!("ec2:DescribeFleets", asked, fleets);
    let there =
        |of: &aws_sdk_ec2::types::FleetData| !of.fleet_state().is_some_and(|state| GONE.contains(&state.as_str()));
    let one = |of: aws_sdk_ec2::types::FleetData| {
        let target = of.target_capacity_specification().and_then(|of| of.total_target_capacity()).unwrap_or_default();
        let kind = of.r#type().map_or("maintain", |kind| kind.as_str());
        let thing = regional(EC2_FLEET, of.fleet_id(), region, of.create_time().and_then(instant));
        thing.fact(format!("of type {kind}, {target} instance(s)"))
    };
    listed((found.into_iter().filter(there).map(one), cut, failed), (EC2_FLEET, "EC2 Fleets"), region, look)
}

async fn spot_fleets(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.ec2.describe_spot_fleet_requests().max_results(100);
    let (found, cut, failed) = paged!("ec2:DescribeSpotFleetRequests", asked, spot_fleet_request_configs);
    let there = |of: &aws_sdk_ec2::types::SpotFleetRequestConfig| {
        !of.spot_fleet_request_state().is_some_and(|state| GONE.contains(&state.as_str()))
    };
    let one = |of: aws_sdk_ec2::types::SpotFleetRequestConfig| {
        let target = of.spot_fleet_request_config().and_then(|config| config.target_capacity()).unwrap_or_default();
        let thing = regional(SPOT_FLEET, of.spot_fleet_request_id(), region, of.create_time().and_then(instant));
        thing.fact(format!("{target} instance(s)"))
    };
    listed((found.into_iter().filter(there).map(one), cut, failed), (SPOT_FLEET, "Spot Fleets"), region, look)
}

async fn requests(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let asked = clients.ec2.describe_spot_instance_requests().max_results(200);
    let (found, cut, failed) = paged!("ec2:DescribeSpotInstanceRequests", asked, spot_instance_requests);
    let one = |of: aws_sdk_ec2::types::SpotInstanceRequest| {
        let state = of.state().map_or("", |state| state.as_str());
        let thing = regional(SPOT_REQUEST, of.spot_instance_request_id(), region, of.create_time().and_then(instant));
        let kind = of.r#type().map_or("one-time", |kind| kind.as_str());
        // Those of a fleet come and go with it.
        let alone = started(thing, of.tags());
        let there = !matches!(state, "cancelled" | "closed" | "failed") && alone.of.is_none();
        there.then(|| alone.fact(format!("{kind}, {state}")))
    };
    listed((found.into_iter().filter_map(one), cut, failed), (SPOT_REQUEST, "spot requests"), region, look)
}

fn by(who: Option<&str>) -> &str {
    last(who.unwrap_or("somebody AWS does not name"))
}

/// The name at the end of an ARN.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
