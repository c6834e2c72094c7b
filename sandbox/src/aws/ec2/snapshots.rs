//! Snapshots, and who may use them.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::wire::{ApiError, Node, Params};
use super::filters::{Filters, page};
use super::{Call, Region, Tags, bad_value, done, new_id, tag_set, volumes};

/// How long it takes to make one.
const MAKING: TimeDelta = TimeDelta::seconds(20);

/// Stands in [`Snapshot::shared_with`] for everybody.
pub(in crate::aws) const EVERYBODY: &str = "all";

#[derive(Clone, Debug)]
pub(in crate::aws) struct Snapshot {
    pub(in crate::aws) id: String,
    pub(in crate::aws) volume_id: String,
    pub(in crate::aws) gigabytes: i64,
    pub(in crate::aws) started_at: DateTime<Utc>,
    pub(in crate::aws) description: String,
    /// Accounts, and [`EVERYBODY`].
    pub(in crate::aws) shared_with: BTreeSet<String>,
    pub(in crate::aws) tags: Tags,
}

pub(super) fn known<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Snapshot, ApiError> {
    let missing = || ApiError::bad_request("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."));
    region.snapshots.get_mut(id).ok_or_else(missing)
}

fn fields(snapshot: &Snapshot, account: &str, now: DateTime<Utc>) -> Vec<(&'static str, Node)> {
    let complete = snapshot.started_at + MAKING <= now;
    vec![
        ("snapshotId", Node::text(&snapshot.id)),
        ("volumeId", Node::text(&snapshot.volume_id)),
        ("status", Node::text(if complete { "completed" } else { "pending" })),
        ("startTime", Node::Time(snapshot.started_at)),
        ("progress", Node::text(if complete { "100%" } else { "" })),
        ("ownerId", Node::text(account)),
        ("volumeSize", Node::Number(snapshot.gigabytes)),
        ("description", Node::text(&snapshot.description)),
        ("encrypted", Node::Flag(false)),
        ("tagSet", tag_set(&snapshot.tags)),
    ]
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let volume_id = call.required("VolumeId")?;
    call.permit("CreateSnapshot", &[format!("volume/{volume_id}"), "snapshot/*".to_owned()])?;
    let tags = call.tags_for("snapshot", "CreateSnapshot")?;
    let gigabytes = volumes::known(call.here()?, &volume_id)?.gigabytes;
    call.unless_dry()?;
    let snapshot = Snapshot {
        id: new_id("snap"),
        volume_id,
        gigabytes,
        started_at: call.now,
        description: call.params.get("Description").unwrap_or_default().to_owned(),
        shared_with: BTreeSet::new(),
        tags,
    };
    let node = Node::Fields(fields(&snapshot, call.world.account, call.now));
    call.here()?.snapshots.insert(snapshot.id.clone(), snapshot);
    Ok(node)
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters, account, now) = (call.params, Filters::of(call.params), call.world.account, call.now);
    let region = call.here()?;
    let asked = params.items("SnapshotId", "");
    for id in &asked {
        known(region, id)?;
    }
    let owners = params.items("Owner", "");
    let own = owners.is_empty() || owners.iter().any(|owner| *owner == "self" || *owner == account);
    let mut shown = Vec::new();
    for snapshot in region.snapshots.values().filter(|s| own && (asked.is_empty() || asked.contains(&s.id.as_str()))) {
        let values = |name: &str| match name {
            "snapshot-id" => Some(vec![snapshot.id.clone()]),
            "volume-id" => Some(vec![snapshot.volume_id.clone()]),
            "description" => Some(vec![snapshot.description.clone()]),
            _ => None,
        };
        if filters.want(&snapshot.tags, values)? {
            shown.push(Node::Fields(fields(snapshot, account, now)));
        }
    }
    page(params, "snapshotSet", shown)
}

/// Only the attribute that says who may use it is known here.
fn check_attribute(params: &Params) -> Result<(), ApiError> {
    match params.get("Attribute") {
        None | Some("createVolumePermission") => Ok(()),
        Some(other) => Err(bad_value(format!("Value ({other}) for parameter attribute is invalid."))),
    }
}

pub(super) fn describe_attribute(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("SnapshotId")?;
    call.required("Attribute")?;
    check_attribute(call.params)?;
    let snapshot = known(call.here()?, &id)?;
    let one = |who: &String| {
        let field = if who == EVERYBODY { "group" } else { "userId" };
        Node::Fields(vec![(field, Node::text(who))])
    };
    let shared = snapshot.shared_with.iter().map(one).collect();
    Ok(Node::Fields(vec![("snapshotId", Node::text(&id)), ("createVolumePermission", Node::Members(shared))]))
}

pub(super) fn modify_attribute(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("SnapshotId")?;
    call.permit("ModifySnapshotAttribute", &[format!("snapshot/{id}")])?;
    check_attribute(call.params)?;
    let (added, removed) = changes(call.params, "CreateVolumePermission")?;
    known(call.here()?, &id)?;
    call.unless_dry()?;
    let snapshot = known(call.here()?, &id)?;
    snapshot.shared_with.extend(added);
    snapshot.shared_with.retain(|who| !removed.contains(who));
    Ok(done())
}

/// Whom to add and whom to remove, in either of the two ways to say it.
pub(super) fn changes(params: &Params, permission: &str) -> Result<(Vec<String>, Vec<String>), ApiError> {
    let members = |list: &str| -> Vec<String> {
        let name = format!("{permission}.{list}");
        let mut found = Vec::new();
        for index in 1.. {
            let field = |field: &str| params.get(&format!("{name}.{index}.{field}")).map(str::to_owned);
            match field("UserId").or_else(|| field("Group")) {
                Some(who) => found.push(who),
                None => break,
            }
        }
        found
    };
    let (mut added, mut removed) = (members("Add"), members("Remove"));
    let named = [params.items("UserId", ""), params.items("UserGroup", "")].concat();
    let named = named.into_iter().map(str::to_owned);
    match params.get("OperationType") {
        Some("add") => added.extend(named),
        Some("remove") => removed.extend(named),
        _ => {}
    }
    let valid = |who: &String| who == EVERYBODY || (who.len() == 12 && who.bytes().all(|b| b.is_ascii_digit()));
    if let Some(who) = added.iter().chain(&removed).find(|who| !valid(who)) {
        return Err(ApiError::bad_request("InvalidUserID.Malformed", format!("Invalid user id: \"{who}\"")));
    }
    if added.is_empty() && removed.is_empty() {
        return Err(ApiError::bad_request("MissingParameter", "No permissions were specified to add or to remove."));
    }
    Ok((added, removed))
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("SnapshotId")?;
    call.permit("DeleteSnapshot", &[format!("snapshot/{id}")])?;
    known(call.here()?, &id)?;
    call.unless_dry()?;
    call.here()?.snapshots.remove(&id);
    Ok(done())
}
