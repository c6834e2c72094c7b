//! Launch configurations: what a group starts, in the older of its two forms. They never change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};

use super::{Source, configuration_arn, key, page};
use crate::aws::ec2::{Launch, Tags, pass};
use crate::aws::ids;
use crate::aws::operation::Call;
use crate::aws::wire::{ApiError, Node};

#[derive(Clone, Debug)]
pub(super) struct Configuration {
    pub(super) name: String,
    /// A UUID in its ARN.
    pub(super) id: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) launch: Launch,
}

fn not_found(name: &str) -> ApiError {
    ApiError::validation(format!("Launch configuration name not found - Launch configuration {name} not found"))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let params = call.params;
    let name = params.required("LaunchConfigurationName")?.to_owned();
    let place = key(call.region, &name);
    if call.world.scaling.configurations.contains_key(&place) {
        let sentence =
            "Launch Configuration by this name already exists - A launch configuration already exists with the name ";
        return Err(ApiError::bad_request("AlreadyExists", format!("{sentence}{name}")));
    }
    let given = |name: &str| params.get(name).map(str::to_owned);
    let profile = params.get("IamInstanceProfile").and_then(|profile| profile.rsplit('/').next());
    if let Some(profile) = profile {
        pass(call.world, call.caller, call.context, profile)
            .map_err(|error| if error.code == "AccessDenied" { error } else { ApiError::validation(error.message) })?;
    }
    let user_data = given("UserData");
    if user_data.as_ref().is_some_and(|data| BASE64.decode(data).is_err()) {
        return Err(ApiError::validation("Invalid BASE64 encoding of user data."));
    }
    let launch = Launch {
        image_id: params.required("ImageId")?.to_owned(),
        kind: params.required("InstanceType")?.to_owned(),
        key_name: given("KeyName"),
        profile: profile.map(str::to_owned),
        group_ids: params.members("SecurityGroups", "").into_iter().map(str::to_owned).collect(),
        user_data,
        tags: Tags::new(),
        volume_tags: Tags::new(),
        keeps_volume: false,
        no_termination: false,
        no_stop: false,
        token_required: params.get("MetadataOptions.HttpTokens") == Some("required"),
    };
    let configuration = Configuration { name, id: ids::uuid(), created_at: call.now, launch };
    call.world.scaling.configurations.insert(place, configuration);
    Ok(Node::empty())
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let asked = call.params.members("LaunchConfigurationNames", "");
    let (world, region) = (&*call.world, call.region);
    let here = world.scaling.configurations.iter().filter(|((of, _), _)| of == region).map(|(_, found)| found);
    let here = here.filter(|found| asked.is_empty() || asked.contains(&found.name.as_str()));
    let one = |found: &Configuration| {
        let launch = &found.launch;
        let text = |text: &Option<String>| Node::text(text.clone().unwrap_or_default());
        Node::Fields(vec![
            ("LaunchConfigurationName", Node::text(&found.name)),
            ("LaunchConfigurationARN", Node::text(configuration_arn(world, region, &found.name))),
            ("ImageId", Node::text(&launch.image_id)),
            ("InstanceType", Node::text(&launch.kind)),
            ("KeyName", text(&launch.key_name)),
            ("SecurityGroups", Node::Members(launch.group_ids.iter().map(Node::text).collect())),
            ("UserData", text(&launch.user_data)),
            ("IamInstanceProfile", text(&launch.profile)),
            ("CreatedTime", Node::Time(found.created_at)),
        ])
    };
    page(call.params, "LaunchConfigurations", here.map(|found| (found.name.clone(), one(found))).collect())
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.params.required("LaunchConfigurationName")?;
    let place = key(call.region, name);
    let used = call.world.scaling.groups.iter().any(|((region, _), group)| {
        region == call.region && matches!(&group.source, Source::Configuration(used) if used == name)
    });
    if used {
        let sentence = format!("Cannot delete launch configuration {name} because it is attached to AutoScalingGroup");
        return Err(ApiError::bad_request("ResourceInUse", sentence));
    }
    call.world.scaling.configurations.remove(&place).ok_or_else(|| not_found(name))?;
    Ok(Node::empty())
}
