//! What is to be started, as a call says it that starts it later: a template's data, a spot request's specification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::wire::{ApiError, Node};
use super::instances::pass;
use super::{Call, Launch, bad_value, pairs};

/// What stands under a parameter, checked. Whoever names a profile needs leave to hand on its role. A template can leave
/// out image and type.
pub(super) fn read(call: &Call<'_>, under: &str) -> Result<Launch, ApiError> {
    let of = |name: &str| call.params.get(&format!("{under}.{name}")).map(str::to_owned);
    let profile = of("IamInstanceProfile.Name").or_else(|| {
        let arn = of("IamInstanceProfile.Arn")?;
        arn.rsplit('/').next().map(str::to_owned)
    });
    if let Some(profile) = &profile {
        pass(call.world, call.caller, call.context, profile)?;
    }
    let user_data = of("UserData");
    if user_data.as_ref().is_some_and(|data| BASE64.decode(data).is_err()) {
        return Err(bad_value("Invalid BASE64 encoding of user data."));
    }
    let tags_at = |kind: &str| {
        let kinds = call.params.items(&format!("{under}.TagSpecification"), ".ResourceType");
        let at = kinds.iter().position(|asked| *asked == kind).map(|at| at + 1);
        at.map(|at| pairs(call.params, &format!("{under}.TagSpecification.{at}.Tag"))).unwrap_or_default()
    };
    let groups = call.params.items(&format!("{under}.SecurityGroupId"), "");
    Ok(Launch {
        image_id: of("ImageId").unwrap_or_default(),
        kind: of("InstanceType").unwrap_or_default(),
        key_name: of("KeyName"),
        profile,
        group_ids: groups.into_iter().map(str::to_owned).collect(),
        user_data,
        tags: tags_at("instance"),
        volume_tags: tags_at("volume"),
        keeps_volume: false,
        no_termination: of("DisableApiTermination").as_deref() == Some("true"),
        no_stop: of("DisableApiStop").as_deref() == Some("true"),
        token_required: of("MetadataOptions.HttpTokens").as_deref() == Some("required"),
    })
}

/// The same of a spot request or Spot Fleet, which start nothing without an image and a type.
pub(super) fn specification(call: &Call<'_>, under: &str) -> Result<Launch, ApiError> {
    let launch = read(call, under)?;
    if launch.image_id.is_empty() || launch.kind.is_empty() {
        let sentence = "The request must contain the parameters imageId and instanceType";
        return Err(ApiError::bad_request("MissingParameter", sentence));
    }
    Ok(launch)
}

/// As it is described. What was not asked for is left out.
pub(super) fn fields(launch: &Launch) -> Vec<(&'static str, Node)> {
    let mut fields = Vec::new();
    let mut text = |name: &'static str, value: &str| {
        if !value.is_empty() {
            fields.push((name, Node::text(value)));
        }
    };
    text("imageId", &launch.image_id);
    text("instanceType", &launch.kind);
    text("keyName", launch.key_name.as_deref().unwrap_or_default());
    text("userData", launch.user_data.as_deref().unwrap_or_default());
    if let Some(name) = &launch.profile {
        fields.push(("iamInstanceProfile", Node::Fields(vec![("name", Node::text(name))])));
    }
    fields
}
