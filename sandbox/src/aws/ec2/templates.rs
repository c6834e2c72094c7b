//! Launch templates and their versions: what an Auto Scaling group starts its instances from.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};

use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::instances::pass;
use super::{Call, Launch, Region, Tags, bad_value, new_id, pairs, tag_set};

#[derive(Clone, Debug)]
pub(in crate::aws) struct Template {
    pub(in crate::aws) id: String,
    pub(in crate::aws) name: String,
    created_at: DateTime<Utc>,
    created_by: String,
    /// The version that counts where none is named.
    default: i64,
    versions: BTreeMap<i64, Version>,
    tags: Tags,
}

#[derive(Clone, Debug)]
struct Version {
    created_at: DateTime<Utc>,
    created_by: String,
    description: Option<String>,
    launch: Launch,
}

impl Template {
    /// What a version starts: by its number, `$Latest` or `$Default`.
    pub(in crate::aws) fn version(&self, asked: &str) -> Option<&Launch> {
        let number = match asked {
            "$Latest" => *self.versions.keys().next_back()?,
            "$Default" | "" => self.default,
            number => number.parse().ok()?,
        };
        self.versions.get(&number).map(|version| &version.launch)
    }

    fn node(&self) -> Node {
        let latest = self.versions.keys().next_back().copied().unwrap_or_default();
        Node::Fields(vec![
            ("launchTemplateId", Node::text(&self.id)),
            ("launchTemplateName", Node::text(&self.name)),
            ("createTime", Node::Time(self.created_at)),
            ("createdBy", Node::text(&self.created_by)),
            ("defaultVersionNumber", Node::Number(self.default)),
            ("latestVersionNumber", Node::Number(latest)),
            ("tagSet", tag_set(&self.tags)),
        ])
    }

    fn version_node(&self, number: i64, version: &Version) -> Node {
        let mut fields = vec![
            ("launchTemplateId", Node::text(&self.id)),
            ("launchTemplateName", Node::text(&self.name)),
            ("versionNumber", Node::Number(number)),
            ("createTime", Node::Time(version.created_at)),
            ("createdBy", Node::text(&version.created_by)),
            ("defaultVersion", Node::Flag(number == self.default)),
            ("launchTemplateData", data(&version.launch)),
        ];
        fields.extend(version.description.as_ref().map(|text| ("versionDescription", Node::text(text))));
        Node::Fields(fields)
    }
}

fn data(launch: &Launch) -> Node {
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
    if !launch.group_ids.is_empty() {
        fields.push(("securityGroupIdSet", Node::Members(launch.group_ids.iter().map(Node::text).collect())));
    }
    if launch.no_termination {
        fields.push(("disableApiTermination", Node::Flag(true)));
    }
    Node::Fields(fields)
}

/// The template that a call names, by id or by name.
pub(in crate::aws) fn named<'a>(
    region: &'a Region,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<&'a Template, ApiError> {
    match (id, name) {
        (Some(id), None) => region.templates.get(id).ok_or_else(|| {
            let sentence = format!("The specified launch template, with template ID {id}, does not exist.");
            ApiError::bad_request("InvalidLaunchTemplateId.NotFound", sentence)
        }),
        (None, Some(name)) => region.templates.values().find(|template| template.name == name).ok_or_else(|| {
            let sentence = format!("The specified launch template, with template name {name}, does not exist.");
            ApiError::bad_request("InvalidLaunchTemplateName.NotFoundException", sentence)
        }),
        _ => {
            let sentence = "Either a launch template ID or a launch template name is needed, and not both.";
            Err(ApiError::bad_request("MissingParameter", sentence))
        }
    }
}

/// The template of the call.
fn of_call(call: &mut Call<'_>) -> Result<Template, ApiError> {
    let params = call.params;
    named(call.here()?, params.get("LaunchTemplateId"), params.get("LaunchTemplateName")).cloned()
}

/// `LaunchTemplateData`, checked. Whoever names a profile needs leave to hand on its role.
fn launch(call: &Call<'_>) -> Result<Launch, ApiError> {
    let of = |name: &str| call.params.get(&format!("LaunchTemplateData.{name}")).map(str::to_owned);
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
        let kinds = call.params.items("LaunchTemplateData.TagSpecification", ".ResourceType");
        let at = kinds.iter().position(|asked| *asked == kind).map(|at| at + 1);
        at.map(|at| pairs(call.params, &format!("LaunchTemplateData.TagSpecification.{at}.Tag"))).unwrap_or_default()
    };
    let groups = call.params.items("LaunchTemplateData.SecurityGroupId", "");
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

fn version(call: &Call<'_>) -> Result<Version, ApiError> {
    Ok(Version {
        created_at: call.now,
        created_by: call.caller.arn.clone(),
        description: call.params.get("VersionDescription").map(str::to_owned),
        launch: launch(call)?,
    })
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = call.required("LaunchTemplateName")?;
    call.permit("CreateLaunchTemplate", &["launch-template/*".to_owned()])?;
    if !(3..=128).contains(&name.len()) || name.contains(char::is_whitespace) {
        let sentence = "Launch template names must be between 3 and 128 characters, and have no spaces.";
        return Err(ApiError::bad_request("InvalidLaunchTemplateName.MalformedException", sentence));
    }
    let (first, tags) = (version(call)?, call.tags_for("launch-template", "CreateLaunchTemplate")?);
    if named(call.here()?, None, Some(&name)).is_ok() {
        let sentence = "Launch template name already in use.";
        return Err(ApiError::bad_request("InvalidLaunchTemplateName.AlreadyExistsException", sentence));
    }
    call.unless_dry()?;
    let template = Template {
        id: new_id("lt"),
        name,
        created_at: call.now,
        created_by: call.caller.arn.clone(),
        default: 1,
        versions: BTreeMap::from([(1, first)]),
        tags,
    };
    let node = template.node();
    call.here()?.templates.insert(template.id.clone(), template);
    Ok(Node::Fields(vec![("launchTemplate", node)]))
}

pub(super) fn create_version(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let mut template = of_call(call)?;
    call.permit("CreateLaunchTemplateVersion", &[format!("launch-template/{}", template.id)])?;
    let next = version(call)?;
    call.unless_dry()?;
    let number = template.versions.keys().next_back().copied().unwrap_or_default() + 1;
    let node = template.version_node(number, &next);
    template.versions.insert(number, next);
    call.here()?.templates.insert(template.id.clone(), template);
    Ok(Node::Fields(vec![("launchTemplateVersion", node)]))
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters) = (call.params, Filters::of(call.params));
    let region = call.here()?;
    let (ids, names) = (params.items("LaunchTemplateId", ""), params.items("LaunchTemplateName", ""));
    for id in &ids {
        named(region, Some(id), None)?;
    }
    for name in &names {
        named(region, None, Some(name))?;
    }
    let mut shown = Vec::new();
    for template in region.templates.values() {
        let asked = ids.is_empty() && names.is_empty();
        let by_name = ids.contains(&template.id.as_str()) || names.contains(&template.name.as_str());
        let values = |name: &str| match name {
            "launch-template-name" => Some(vec![template.name.clone()]),
            _ => None,
        };
        if (asked || by_name) && filters.want(&template.tags, values)? {
            shown.push(template.node());
        }
    }
    page(params, "launchTemplates", shown)
}

pub(super) fn describe_versions(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let template = of_call(call)?;
    let asked = call.params.items("LaunchTemplateVersion", "");
    let mut shown = Vec::new();
    for wanted in &asked {
        if template.version(wanted).is_none() {
            let sentence = format!(
                "Could not find the specified version {wanted} for the launch template with ID {}.",
                template.id
            );
            return Err(ApiError::bad_request("InvalidLaunchTemplateId.VersionNotFound", sentence));
        }
    }
    for (number, version) in template.versions.iter().rev() {
        let latest = template.versions.keys().next_back() == Some(number);
        let is = |asked: &&str| match *asked {
            "$Latest" => latest,
            "$Default" => *number == template.default,
            asked => asked == number.to_string(),
        };
        if asked.is_empty() || asked.iter().any(is) {
            shown.push(template.version_node(*number, version));
        }
    }
    page(call.params, "launchTemplateVersionSet", shown)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let template = of_call(call)?;
    call.permit("DeleteLaunchTemplate", &[format!("launch-template/{}", template.id)])?;
    call.unless_dry()?;
    call.here()?.templates.remove(&template.id);
    Ok(Node::Fields(vec![("launchTemplate", template.node())]))
}
