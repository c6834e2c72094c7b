//! Volumes: each instance has one, made with it.

use chrono::{DateTime, Utc};

use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::{Call, Region, Tags, tag_set};

/// Where the one volume of an instance is attached.
pub(super) const ROOT_DEVICE: &str = "/dev/xvda";

#[derive(Clone, Debug)]
pub(in crate::aws) struct Volume {
    pub(in crate::aws) id: String,
    pub(in crate::aws) gigabytes: i64,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) zone: String,
    pub(in crate::aws) attached_to: Option<String>,
    pub(in crate::aws) deleted_with_instance: bool,
    pub(in crate::aws) tags: Tags,
}

pub(super) fn known<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Volume, ApiError> {
    region
        .volumes
        .get_mut(id)
        .ok_or_else(|| ApiError::bad_request("InvalidVolume.NotFound", format!("The volume '{id}' does not exist.")))
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters) = (call.params, Filters::of(call.params));
    let region = call.here()?;
    let asked = params.items("VolumeId", "");
    for id in &asked {
        known(region, id)?;
    }
    let mut shown = Vec::new();
    for volume in region.volumes.values().filter(|v| asked.is_empty() || asked.contains(&v.id.as_str())) {
        let values = |name: &str| match name {
            "attachment.instance-id" => Some(volume.attached_to.iter().cloned().collect()),
            "volume-id" => Some(vec![volume.id.clone()]),
            "status" => Some(vec![status(volume).to_owned()]),
            _ => None,
        };
        if filters.want(&volume.tags, values)? {
            shown.push(node(volume));
        }
    }
    page(params, "volumeSet", shown)
}

fn status(volume: &Volume) -> &'static str {
    if volume.attached_to.is_some() { "in-use" } else { "available" }
}

fn node(volume: &Volume) -> Node {
    let attachment = volume.attached_to.iter().map(|instance| {
        Node::Fields(vec![
            ("volumeId", Node::text(&volume.id)),
            ("instanceId", Node::text(instance)),
            ("device", Node::text(ROOT_DEVICE)),
            ("status", Node::text("attached")),
            ("attachTime", Node::Time(volume.created_at)),
            ("deleteOnTermination", Node::Flag(volume.deleted_with_instance)),
        ])
    });
    Node::Fields(vec![
        ("volumeId", Node::text(&volume.id)),
        ("size", Node::Number(volume.gigabytes)),
        ("availabilityZone", Node::text(&volume.zone)),
        ("status", Node::text(status(volume))),
        ("createTime", Node::Time(volume.created_at)),
        ("attachmentSet", Node::Members(attachment.collect())),
        ("tagSet", tag_set(&volume.tags)),
        ("volumeType", Node::text("gp3")),
        ("encrypted", Node::Flag(false)),
    ])
}
