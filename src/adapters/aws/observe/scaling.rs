//! Reads what starts instances by itself, and what they are made from.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup, WarmPoolStatus};
use aws_sdk_cloudtrail::types::LookupAttributeKey;
use aws_sdk_ec2::types::{ResponseLaunchTemplateData, SpotInstanceType};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::super::AccountClients;
use super::super::fault::{fault, is_missing};
use super::super::regional::Regional;
use super::estate::{arn, asked, user_data};
use crate::domain::observation::{
    ChangedTemplate, Launch, LaunchConfiguration, LaunchTemplate, Member, Observation, PreviousDefault, ScaledBy,
    ScalingGroup, SpotRequest,
};
use crate::ports::CloudError;

/// Pages of the history in which a change of a template is looked for; each takes half a second.
const MODIFIED_PAGES_MAX: u32 = 6;
/// The history goes back 90 days from today. So far before an attack it goes for sure, if that is not a month old.
const HISTORY_FOR_SURE: TimeDelta = TimeDelta::days(60);

type Read<T> = Result<T, CloudError>;

/// A group of this name; AWS answers with an empty list where there is none.
async fn described(account: &AccountClients, region: &str, name: &str) -> Read<Option<AutoScalingGroup>> {
    let Regional { autoscaling, .. } = &*account.regions.of(region);
    let request = autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name);
    let asked = asked!("autoscaling:DescribeAutoScalingGroups", request.send())?;
    Ok(asked.and_then(|answer| answer.auto_scaling_groups?.into_iter().next()))
}

pub(super) async fn group(account: &AccountClients, region: &str, name: &str) -> Read<Observation> {
    let Some(found) = described(account, region, name).await? else { return Ok(Observation::OwnerMissing) };
    let pool = found.warm_pool_configuration();
    let warm = if pool.is_some() { warm(account, region, name).await? } else { BTreeMap::new() };
    let members = found.instances().iter().filter_map(|instance| {
        let lifecycle = instance.lifecycle_state().map(|state| state.as_str().to_owned()).unwrap_or_default();
        let launched = instance.launch_template().is_some() || instance.launch_configuration_name().is_some();
        Some((instance.instance_id()?.to_owned(), Member { lifecycle, launched }))
    });
    let subnets = found.vpc_zone_identifier().unwrap_or_default().split(',').filter(|subnet| !subnet.is_empty());
    let mut places: Vec<String> = subnets.map(str::to_owned).collect();
    if places.is_empty() {
        places = found.availability_zones().to_vec();
    }
    let suspended = found.suspended_processes().iter().filter_map(|process| process.process_name());
    let tags = found.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    Ok(Observation::ScalingGroup(ScalingGroup {
        arn: found.auto_scaling_group_arn().unwrap_or_default().to_owned(),
        name: name.to_owned(),
        created_at: found.created_time().map(ToString::to_string).unwrap_or_default(),
        min_size: found.min_size().unwrap_or_default(),
        max_size: found.max_size().unwrap_or_default(),
        desired: found.desired_capacity().unwrap_or_default(),
        launches_from: launches_from(&found),
        places,
        behind: found.load_balancer_names().iter().chain(found.target_group_arns()).cloned().collect(),
        suspended: suspended.map(str::to_owned).collect(),
        deletion_protection: found.deletion_protection().map(|word| word.as_str().to_owned()),
        warm_pool: pool.is_some(),
        warm_pool_leaves: pool.is_some_and(|pool| pool.status() == Some(&WarmPoolStatus::PendingDelete)),
        warm,
        members: members.collect(),
        tags: tags.collect(),
    }))
}

/// The instances of a group's warm pool. A pool that has gone meanwhile has none.
async fn warm(account: &AccountClients, region: &str, name: &str) -> Read<BTreeMap<String, String>> {
    let Regional { autoscaling, .. } = &*account.regions.of(region);
    let request = autoscaling.describe_warm_pool().auto_scaling_group_name(name).into_paginator().items();
    let asked = asked!("autoscaling:DescribeWarmPool", request.send().try_collect())?;
    let found: Vec<aws_sdk_autoscaling::types::Instance> = asked.unwrap_or_default();
    let one = |instance: aws_sdk_autoscaling::types::Instance| {
        let lifecycle = instance.lifecycle_state.map(|state| state.as_str().to_owned()).unwrap_or_default();
        Some((instance.instance_id?, lifecycle))
    };
    Ok(found.into_iter().filter_map(one).collect())
}

/// Its launch configuration or template; of a mixed group the templates of its kinds of instances too.
fn launches_from(group: &AutoScalingGroup) -> Vec<String> {
    let mixed = group.mixed_instances_policy().and_then(|policy| policy.launch_template());
    let base = mixed.and_then(|mixed| mixed.launch_template_specification());
    let others = mixed.map(aws_sdk_autoscaling::types::LaunchTemplate::overrides).unwrap_or_default();
    let others = others.iter().filter_map(|kind| kind.launch_template_specification());
    let templates = group.launch_template().into_iter().chain(base).chain(others).map(|template| {
        let id = template.launch_template_id().or(template.launch_template_name()).unwrap_or_default();
        format!("launch template {id}, version {}", template.version().unwrap_or("$Default"))
    });
    let configuration = group.launch_configuration_name().map(|name| format!("launch configuration {name}"));
    configuration.into_iter().chain(templates).collect()
}

/// The group that an instance is in, by the name in the instance's tag. One that leaves is in it no more.
pub(super) async fn scaled_by(
    account: &AccountClients,
    region: &str,
    group: &str,
    instance_id: &str,
) -> Read<Option<ScaledBy>> {
    let Some(found) = described(account, region, group).await? else { return Ok(None) };
    let own = found.instances().iter().find(|instance| instance.instance_id() == Some(instance_id));
    let lifecycle = own.and_then(|own| own.lifecycle_state()).map(|state| state.as_str().to_owned());
    let stays = lifecycle.is_some_and(|lifecycle| !Member { lifecycle, launched: false }.is_leaving());
    Ok(stays.then(|| ScaledBy {
        arn: found.auto_scaling_group_arn().unwrap_or_default().to_owned(),
        name: group.to_owned(),
        min_size: found.min_size().unwrap_or_default(),
        desired: found.desired_capacity().unwrap_or_default(),
    }))
}

/// A spot request that can still start something.
pub(super) async fn spot(account: &AccountClients, region: &str, id: &str) -> Read<Option<SpotRequest>> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let request = ec2.describe_spot_instance_requests().spot_instance_request_ids(id);
    let asked = asked!("ec2:DescribeSpotInstanceRequests", request.send())?;
    let Some(found) = asked.and_then(|answer| answer.spot_instance_requests?.into_iter().next()) else {
        return Ok(None);
    };
    let state = found.state().map(|state| state.as_str().to_owned()).unwrap_or_default();
    if matches!(state.as_str(), "cancelled" | "closed" | "failed") {
        return Ok(None);
    }
    let launch = found.launch_specification().map(|asked| Launch {
        image_id: given(asked.image_id()),
        instance_type: asked.instance_type().map(|kind| kind.as_str().to_owned()),
        key_name: given(asked.key_name()),
        profile: asked.iam_instance_profile().and_then(|profile| given(profile.arn().or(profile.name()))),
        user_data: user_data(asked.user_data()),
        groups: asked.security_groups().iter().filter_map(|group| given(group.group_id())).collect(),
    });
    Ok(Some(SpotRequest {
        id: id.to_owned(),
        arn: arn(account, "ec2", region, &format!("spot-instances-request/{id}")),
        state,
        persistent: found.r#type() == Some(&SpotInstanceType::Persistent),
        instance_id: given(found.instance_id()),
        launch: launch.unwrap_or_default(),
    }))
}

pub(super) async fn request(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    Ok(spot(account, region, id).await?.map_or(Observation::OwnerMissing, Observation::SpotRequest))
}

pub(super) async fn configuration(account: &AccountClients, region: &str, name: &str) -> Read<Observation> {
    let Regional { autoscaling, .. } = &*account.regions.of(region);
    let request = autoscaling.describe_launch_configurations().launch_configuration_names(name);
    let asked = asked!("autoscaling:DescribeLaunchConfigurations", request.send())?;
    let found = asked.and_then(|answer| answer.launch_configurations?.into_iter().next());
    let Some(found) = found else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::LaunchConfiguration(LaunchConfiguration {
        arn: found.launch_configuration_arn().unwrap_or_default().to_owned(),
        name: name.to_owned(),
        created_at: found.created_time().map(ToString::to_string).unwrap_or_default(),
        launch: Launch {
            image_id: given(found.image_id()),
            instance_type: given(found.instance_type()),
            key_name: given(found.key_name()),
            profile: given(found.iam_instance_profile()),
            user_data: user_data(found.user_data()),
            groups: found.security_groups().to_vec(),
        },
    }))
}

pub(super) async fn template(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let (found, versions) = tokio::try_join!(
        async { asked!("ec2:DescribeLaunchTemplates", ec2.describe_launch_templates().launch_template_ids(id).send()) },
        async {
            asked!(
                "ec2:DescribeLaunchTemplateVersions",
                ec2.describe_launch_template_versions()
                    .launch_template_id(id)
                    .into_paginator()
                    .items()
                    .send()
                    .try_collect()
            )
        },
    )?;
    let found = found.and_then(|answer| answer.launch_templates?.into_iter().next());
    let Some(found) = found else { return Ok(Observation::OwnerMissing) };
    let versions: Vec<aws_sdk_ec2::types::LaunchTemplateVersion> = versions.unwrap_or_default();
    let version = |of: aws_sdk_ec2::types::LaunchTemplateVersion| {
        Some((of.version_number?, of.launch_template_data.map(launch).unwrap_or_default()))
    };
    Ok(Observation::LaunchTemplate(LaunchTemplate {
        id: id.to_owned(),
        arn: arn(account, "ec2", region, &format!("launch-template/{id}")),
        name: found.launch_template_name.unwrap_or_default(),
        created_at: found.create_time.map(|at| at.to_string()).unwrap_or_default(),
        created_by: found.created_by.unwrap_or_default(),
        default_version: found.default_version_number.unwrap_or_default(),
        versions: versions.into_iter().filter_map(version).collect(),
    }))
}

/// A template, and what its default version was before these events: what the event before the first of them made it.
pub(super) async fn changed_template(
    account: &AccountClients,
    region: &str,
    id: &str,
    event_ids: &[String],
) -> Read<Observation> {
    let Observation::LaunchTemplate(template) = template(account, region, id).await? else {
        return Ok(Observation::OwnerMissing);
    };
    let previous = match event_ids.first() {
        Some(first) => previous(account, region, &template, first).await?,
        None => None,
    };
    Ok(Observation::ChangedTemplate(ChangedTemplate { template, previous }))
}

/// The history does not know templates by their id: it is asked for the call, which is rare.
async fn previous(
    account: &AccountClients,
    region: &str,
    template: &LaunchTemplate,
    first: &str,
) -> Read<Option<PreviousDefault>> {
    let trail = account.trail(region)?;
    let looked = trail.look_up(LookupAttributeKey::EventName, "ModifyLaunchTemplate", None, MODIFIED_PAGES_MAX).await?;
    // The newest come first.
    let mut events = looked.events.iter().skip_while(|event| event["eventID"] != first);
    let Some(changed) = events.next() else { return Ok(None) };
    if let Some((version, event)) = events.find_map(|event| Some((default_in(event, &template.id)?, event))) {
        let event_id = event["eventID"].as_str().map(str::to_owned);
        return Ok(Some(PreviousDefault { version, event_id }));
    }
    // Where the history goes back to the making of it, its first version was the default all the time.
    let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let young = at(&template.created_at).zip(changed["eventTime"].as_str().and_then(at));
    let young = young.is_some_and(|(made, changed)| changed - made < HISTORY_FOR_SURE);
    Ok((young && !looked.cut).then_some(PreviousDefault { version: 1, event_id: None }))
}

/// Which version of a template an event has made the default.
fn default_in(event: &Value, id: &str) -> Option<i64> {
    let template = &event["responseElements"]["ModifyLaunchTemplateResponse"]["launchTemplate"];
    let number = &template["defaultVersionNumber"];
    let number = number.as_i64().or_else(|| number.as_str()?.parse().ok());
    number.filter(|_| event["errorCode"].is_null() && template["launchTemplateId"] == id)
}

fn launch(data: ResponseLaunchTemplateData) -> Launch {
    let profile = data.iam_instance_profile.and_then(|profile| profile.arn.or(profile.name));
    let on_interfaces = data.network_interfaces.into_iter().flatten().flat_map(|face| face.groups.unwrap_or_default());
    let groups = data.security_group_ids.into_iter().chain(data.security_groups).flatten().chain(on_interfaces);
    Launch {
        groups: groups.collect(),
        image_id: data.image_id,
        instance_type: data.instance_type.map(|kind| kind.as_str().to_owned()),
        key_name: data.key_name,
        profile,
        user_data: user_data(data.user_data.as_deref()),
    }
}

/// What is empty was not given.
pub(super) fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
