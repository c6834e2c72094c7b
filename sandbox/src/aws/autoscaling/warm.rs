//! The warm pool of a group: instances that are started and wait, so that the group grows faster. They are not among the
//! group's own. A pool that is deleted takes its instances with it, and is gone a while after that.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::groups::{made_from, named, size};
use super::{DETACHING, Group, OWN, REPLACED_AFTER, key, launch, record_launch};
use crate::aws::ec2::{self, Instance, Phase};
use crate::aws::operation::Call;
use crate::aws::state::World;
use crate::aws::wire::{ApiError, Node};

const STATES: [&str; 3] = ["Hibernated", "Running", "Stopped"];
/// AWS's word for as many as the group's largest size.
const NO_LIMIT: &str = "-1";

#[derive(Clone, Debug)]
pub(super) struct Pool {
    min: i64,
    /// Instances in the group and the pool, together.
    prepared: Option<i64>,
    state: String,
    leaving_since: Option<DateTime<Utc>>,
    instances: Vec<String>,
}

impl Pool {
    pub(super) const fn is_leaving(&self) -> bool {
        self.leaving_since.is_some()
    }

    fn wanted(&self, group: &Group) -> usize {
        let prepared = self.prepared.unwrap_or(group.max);
        usize::try_from(self.min.max(prepared - group.desired)).unwrap_or(0)
    }

    pub(super) fn node(&self) -> Node {
        let mut fields = vec![("MinSize", Node::Number(self.min)), ("PoolState", Node::text(&self.state))];
        fields.extend(self.prepared.map(|size| ("MaxGroupPreparedCapacity", Node::Number(size))));
        fields.extend(self.leaving_since.map(|_| ("Status", Node::text("PendingDelete"))));
        Node::Fields(fields)
    }
}

pub(super) fn put(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let params = call.params;
    let min = size(params, "MinSize")?.unwrap_or_default();
    let prepared = match params.get("MaxGroupPreparedCapacity") {
        None | Some(NO_LIMIT) => None,
        Some(_) => size(params, "MaxGroupPreparedCapacity")?,
    };
    let state = params.get("PoolState").unwrap_or("Stopped").to_owned();
    if !STATES.contains(&state.as_str()) {
        return Err(ApiError::validation(format!(
            "Value '{state}' at 'poolState' is not one of {}",
            STATES.join(", ")
        )));
    }
    let group = named(call)?;
    if group.warm.as_ref().is_some_and(Pool::is_leaving) {
        return Err(ApiError::bad_request("ResourceInUse", "The warm pool of the group is being deleted."));
    }
    let instances = group.warm.take().map(|pool| pool.instances).unwrap_or_default();
    group.warm = Some(Pool { min, prepared, state, leaving_since: None, instances });
    super::settle(call.world, call.region, call.now);
    Ok(Node::empty())
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let group = named(call)?.clone();
    let Some(pool) = &group.warm else { return Ok(Node::Fields(vec![("Instances", Node::Members(Vec::new()))])) };
    let here = call.world.ec2.region(call.region);
    let one = |id: &String| {
        let instance = here?.instances.get(id)?;
        let state = match instance.phase {
            Phase::Terminated(_) => "Terminating",
            _ if instance.state(call.now).1 == "running" => "Running",
            _ if instance.state(call.now).1 == "stopped" => "Stopped",
            _ => "Pending",
        };
        Some(Node::Fields(vec![
            ("InstanceId", Node::text(id)),
            ("LifecycleState", Node::text(format!("Warmed:{state}"))),
            ("HealthStatus", Node::text("Healthy")),
            made_from(&group),
        ]))
    };
    let instances = pool.instances.iter().filter_map(one).collect();
    Ok(Node::Fields(vec![("WarmPoolConfiguration", pool.node()), ("Instances", Node::Members(instances))]))
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (now, region) = (call.now, call.region);
    let group = named(call)?;
    let Some(pool) = &mut group.warm else {
        return Err(ApiError::validation(format!("No warm pool found for Auto Scaling group {}.", group.name)));
    };
    pool.leaving_since = pool.leaving_since.or(Some(now));
    let instances = pool.instances.clone();
    if let Some(here) = call.world.ec2.region_mut(region) {
        for id in &instances {
            end(here.instances.get_mut(id), now);
        }
    }
    Ok(Node::empty())
}

fn end(instance: Option<&mut Instance>, now: DateTime<Utc>) {
    if let Some(instance) = instance.filter(|instance| !matches!(instance.phase, Phase::Terminated(_))) {
        instance.phase = Phase::Terminated(now);
    }
}

/// Ends the pool of a group that is deleted by force.
pub(super) fn end_all(group: &Group, instances: &mut BTreeMap<String, Instance>, now: DateTime<Utc>) {
    for id in group.warm.iter().flat_map(|pool| &pool.instances) {
        end(instances.get_mut(id), now);
    }
}

/// Brings the pool of a group to what it is at `now`.
pub(super) fn settle(world: &mut World, region: &str, name: &str, now: DateTime<Utc>) {
    let (Some(group), Some(here)) = (world.scaling.groups.get_mut(&key(region, name)), world.ec2.region(region)) else {
        return;
    };
    let Some(pool) = &mut group.warm else { return };
    pool.instances.retain(|id| {
        let ended = |instance: &Instance| matches!(instance.phase, Phase::Terminated(at) if at + REPLACED_AFTER <= now);
        here.instances.get(id).is_some_and(|instance| !ended(instance))
    });
    if let Some(since) = pool.leaving_since {
        if since + DETACHING <= now {
            group.warm = None;
        }
        return;
    }
    let (has, waits_running) = (pool.instances.len(), pool.state == "Running");
    let wanted = pool.clone().wanted(group);
    for _ in has..wanted {
        let Some(group) = world.scaling.groups.get(&key(region, name)) else { return };
        let Some(launch) = launch(world, region, group) else { return };
        let Some(instance) = ec2::start_one(world, region, &launch, &ec2::new_id("r"), now) else { return };
        record_launch(world, region, &OWN, &instance, now);
        if !waits_running
            && let Some(live) = world.ec2.region_mut(region).and_then(|here| here.instances.get_mut(&instance.id))
        {
            live.phase = Phase::Stopped(now);
        }
        if let Some(pool) = world.scaling.groups.get_mut(&key(region, name)).and_then(|group| group.warm.as_mut()) {
            pool.instances.push(instance.id);
        }
    }
}
