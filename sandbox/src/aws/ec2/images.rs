//! Images that instances start from, and who may use them.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};

use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::snapshots::{EVERYBODY, changes};
use super::{Call, Region, Tags, bad_value, done, tag_set};

/// The one attribute that is known here: who may start instances from it.
const LAUNCH: &str = "launchPermission";

#[derive(Clone, Debug)]
pub(in crate::aws) struct Image {
    pub(in crate::aws) id: String,
    pub(in crate::aws) name: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
    /// Accounts, and [`EVERYBODY`].
    pub(in crate::aws) shared_with: BTreeSet<String>,
    pub(in crate::aws) tags: Tags,
}

fn known<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Image, ApiError> {
    let missing = || ApiError::bad_request("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"));
    region.images.get_mut(id).ok_or_else(missing)
}

/// Only the account's own are known.
pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters, account) = (call.params, Filters::of(call.params), call.world.account);
    let region = call.here()?;
    let asked = params.items("ImageId", "");
    for id in &asked {
        known(region, id)?;
    }
    let owners = params.items("Owner", "");
    let own = owners.is_empty() || owners.iter().any(|owner| *owner == "self" || *owner == account);
    let mut shown = Vec::new();
    for image in region.images.values().filter(|i| own && (asked.is_empty() || asked.contains(&i.id.as_str()))) {
        let values = |name: &str| match name {
            "image-id" => Some(vec![image.id.clone()]),
            "name" => Some(vec![image.name.clone()]),
            "is-public" => Some(vec![image.shared_with.contains(EVERYBODY).to_string()]),
            _ => None,
        };
        if filters.want(&image.tags, values)? {
            shown.push(Node::Fields(vec![
                ("imageId", Node::text(&image.id)),
                ("imageState", Node::text("available")),
                ("imageOwnerId", Node::text(account)),
                ("isPublic", Node::Flag(image.shared_with.contains(EVERYBODY))),
                ("name", Node::text(&image.name)),
                ("creationDate", Node::text(image.created_at.to_rfc3339_opts(SecondsFormat::Millis, true))),
                ("rootDeviceType", Node::text("ebs")),
                ("tagSet", tag_set(&image.tags)),
            ]));
        }
    }
    page(params, "imagesSet", shown)
}

pub(super) fn describe_attribute(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (id, attribute) = (call.required("ImageId")?, call.required("Attribute")?);
    if attribute != LAUNCH {
        return Err(bad_value(format!("Value ({attribute}) for parameter attribute is invalid.")));
    }
    let image = known(call.here()?, &id)?;
    let one = |who: &String| {
        let field = if who == EVERYBODY { "group" } else { "userId" };
        Node::Fields(vec![(field, Node::text(who))])
    };
    let shared = image.shared_with.iter().map(one).collect();
    Ok(Node::Fields(vec![("imageId", Node::text(&id)), (LAUNCH, Node::Members(shared))]))
}

pub(super) fn modify_attribute(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("ImageId")?;
    call.permit("ModifyImageAttribute", &[format!("image/{id}")])?;
    match call.params.get("Attribute") {
        None | Some(LAUNCH) => {}
        Some(other) => return Err(bad_value(format!("Value ({other}) for parameter attribute is invalid."))),
    }
    let (added, removed) = changes(call.params, "LaunchPermission")?;
    known(call.here()?, &id)?;
    call.unless_dry()?;
    let image = known(call.here()?, &id)?;
    image.shared_with.extend(added);
    image.shared_with.retain(|who| !removed.contains(who));
    Ok(done())
}
