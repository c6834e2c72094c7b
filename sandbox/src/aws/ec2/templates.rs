//! Launch templates and their versions: what an Auto Scaling group starts its instances from.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::{Call, Launch, Region, Tags, launches, new_id, tag_set};

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

    /// The default version, and all.
    pub(in crate::aws) fn numbers(&self) -> (i64, Vec<i64>) {
        (self.default, self.versions.keys().copied().collect())
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
    let mut fields = launches::fields(launch);
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

fn version(call: &Call<'_>) -> Result<Version, ApiError> {
    Ok(Version {
        created_at: call.now,
        created_by: call.caller.arn.clone(),
        description: call.params.get("VersionDescription").map(str::to_owned),
        launch: launches::read(call, "LaunchTemplateData")?,
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

/// The newest or the default version of every template.
fn of_all(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let asked = call.params.items("LaunchTemplateVersion", "");
    if asked.is_empty() || asked.iter().any(|version| !matches!(*version, "$Latest" | "$Default")) {
        let sentence = "Without a launch template, the versions are $Latest and $Default.";
        return Err(ApiError::bad_request("InvalidParameterCombination", sentence));
    }
    let mut shown = Vec::new();
    for template in call.here()?.templates.values() {
        let mut numbers = BTreeSet::new();
        numbers.extend(asked.contains(&"$Default").then_some(template.default));
        numbers.extend(template.versions.keys().next_back().filter(|_| asked.contains(&"$Latest")));
        let found = numbers.iter().filter_map(|number| Some((*number, template.versions.get(number)?)));
        shown.extend(found.map(|(number, version)| template.version_node(number, version)));
    }
    page(call.params, "launchTemplateVersionSet", shown)
}

pub(super) fn describe_versions(call: &mut Call<'_>) -> Result<Node, ApiError> {
    if call.params.get("LaunchTemplateId").or(call.params.get("LaunchTemplateName")).is_none() {
        return of_all(call);
    }
    let template = of_call(call)?;
    let asked = call.params.items("LaunchTemplateVersion", "");
    let mut shown = Vec::new();
    for wanted in &asked {
        if template.version(wanted).is_none() {
            return Err(no_version(&template.id, wanted));
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

/// Which version counts where none is named; nothing else of a template changes.
pub(super) fn modify(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let mut template = of_call(call)?;
    call.permit("ModifyLaunchTemplate", &[format!("launch-template/{}", template.id)])?;
    let asked = call.required("SetDefaultVersion")?;
    let number = asked.parse().ok().filter(|number| template.versions.contains_key(number));
    template.default = number.ok_or_else(|| no_version(&template.id, &asked))?;
    call.unless_dry()?;
    let node = template.node();
    call.here()?.templates.insert(template.id.clone(), template);
    Ok(Node::Fields(vec![("launchTemplate", node)]))
}

/// What cannot be deleted is named in an answer that is a success.
pub(super) fn delete_versions(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let mut template = of_call(call)?;
    call.permit("DeleteLaunchTemplateVersions", &[format!("launch-template/{}", template.id)])?;
    let asked = call.params.items("LaunchTemplateVersion", "");
    if asked.is_empty() {
        let sentence = "The request must contain the parameter LaunchTemplateVersion";
        return Err(ApiError::bad_request("MissingParameter", sentence));
    }
    call.unless_dry()?;
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for version in asked {
        let number = version.parse().ok().filter(|number| template.versions.contains_key(number));
        let fields = |number: i64| {
            vec![
                ("launchTemplateId", Node::text(&template.id)),
                ("launchTemplateName", Node::text(&template.name)),
                ("versionNumber", Node::Number(number)),
            ]
        };
        let (number, problem) = match number {
            None => (0, Some(("launchTemplateVersionDoesNotExist", format!("There is no version {version}.")))),
            Some(number) if number == template.default => {
                let sentence = format!("Version {number} is the default version of the launch template.");
                (number, Some(("unexpectedError", sentence)))
            }
            Some(number) => (number, None),
        };
        let mut node = fields(number);
        if let Some((code, message)) = problem {
            let error = vec![("code", Node::text(code)), ("message", Node::text(message))];
            node.push(("responseError", Node::Fields(error)));
            refused.push(Node::Fields(node));
        } else {
            template.versions.remove(&number);
            done.push(Node::Fields(node));
        }
    }
    call.here()?.templates.insert(template.id.clone(), template);
    Ok(Node::Fields(vec![
        ("successfullyDeletedLaunchTemplateVersionSet", Node::Members(done)),
        ("unsuccessfullyDeletedLaunchTemplateVersionSet", Node::Members(refused)),
    ]))
}

fn no_version(id: &str, version: &str) -> ApiError {
    let sentence = format!("Could not find the specified version {version} for the launch template with ID {id}.");
    ApiError::bad_request("InvalidLaunchTemplateId.VersionNotFound", sentence)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let template = of_call(call)?;
    call.permit("DeleteLaunchTemplate", &[format!("launch-template/{}", template.id)])?;
    call.unless_dry()?;
    call.here()?.templates.remove(&template.id);
    Ok(Node::Fields(vec![("launchTemplate", template.node())]))
}
