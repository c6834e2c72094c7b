//! Requests for spot instances. There is always capacity; a persistent request starts another instance for each that ends.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::autoscaling::{Service, record_launch};
use super::super::state::World;
use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::instances::{Phase, start_one};
use super::{Call, Launch, Region, Tags, bad_value, launches, new_id, tag_set};

/// How long it takes until another is started in the place of one that has ended.
const REOPENED_AFTER: TimeDelta = TimeDelta::seconds(20);
const COUNT_MAX: i64 = 10;
const SPOT: Service = Service { name: "spot.amazonaws.com", role: "AWSServiceRoleForEC2Spot", session: "EC2Spot" };

#[derive(Clone, Debug)]
pub(in crate::aws) struct Request {
    id: String,
    created_at: DateTime<Utc>,
    persistent: bool,
    state: &'static str,
    instance_id: Option<String>,
    launch: Launch,
    tags: Tags,
}

impl Request {
    fn node(&self) -> Node {
        let mut fields = vec![
            ("spotInstanceRequestId", Node::text(&self.id)),
            ("createTime", Node::Time(self.created_at)),
            ("type", Node::text(if self.persistent { "persistent" } else { "one-time" })),
            ("state", Node::text(self.state)),
            ("launchSpecification", Node::Fields(launches::fields(&self.launch))),
            ("tagSet", tag_set(&self.tags)),
        ];
        fields.extend(self.instance_id.as_ref().map(|id| ("instanceId", Node::text(id))));
        Node::Fields(fields)
    }
}

pub(in crate::aws) fn is_open(request: &Request) -> bool {
    matches!(request.state, "open" | "active")
}

fn known<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Request, ApiError> {
    let gone = || {
        let sentence = format!("The spot instance request ID '{id}' does not exist");
        ApiError::bad_request("InvalidSpotInstanceRequestID.NotFound", sentence)
    };
    region.spot.get_mut(id).ok_or_else(gone)
}

pub(super) fn request(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let count: i64 =
        match call.params.get("InstanceCount") {
            None => 1,
            Some(text) => text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count)).ok_or_else(|| {
                ApiError::bad_request("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
            })?,
        };
    let persistent = match call.params.get("Type") {
        None | Some("one-time") => false,
        Some("persistent") => true,
        Some(other) => return Err(bad_value(format!("Invalid value '{other}' for type."))),
    };
    call.permit("RequestSpotInstances", &["spot-instances-request/*".to_owned()])?;
    let launch = launches::specification(call, "LaunchSpecification")?;
    call.unless_dry()?;
    let (now, region) = (call.now, call.region);
    let mut made = Vec::new();
    for _ in 0..count {
        let (launch, tags) = (launch.clone(), Tags::new());
        let id = new_id("sir");
        let request = Request { id, created_at: now, persistent, state: "open", instance_id: None, launch, tags };
        made.push(request.id.clone());
        call.here()?.spot.insert(request.id.clone(), request);
    }
    settle(call.world, region, now);
    let here = call.here()?;
    let nodes = made.iter().filter_map(|id| here.spot.get(id)).map(Request::node).collect();
    Ok(Node::Fields(vec![("spotInstanceRequestSet", Node::Members(nodes))]))
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters) = (call.params, Filters::of(call.params));
    let asked = params.items("SpotInstanceRequestId", "");
    let region = call.here()?;
    for id in &asked {
        known(region, id)?;
    }
    let mut shown = Vec::new();
    for request in region.spot.values().filter(|of| asked.is_empty() || asked.contains(&of.id.as_str())) {
        let values = |name: &str| match name {
            "state" => Some(vec![request.state.to_owned()]),
            "instance-id" => Some(request.instance_id.iter().cloned().collect()),
            _ => None,
        };
        if filters.want(&request.tags, values)? {
            shown.push(request.node());
        }
    }
    page(params, "spotInstanceRequestSet", shown)
}

/// What it has started runs on.
pub(super) fn cancel(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let ids: Vec<String> = call.params.items("SpotInstanceRequestId", "").into_iter().map(str::to_owned).collect();
    if ids.is_empty() {
        let sentence = "The request must contain the parameter spotInstanceRequestId";
        return Err(ApiError::bad_request("MissingParameter", sentence));
    }
    let resources: Vec<String> = ids.iter().map(|id| format!("spot-instances-request/{id}")).collect();
    call.permit("CancelSpotInstanceRequests", &resources)?;
    for id in &ids {
        known(call.here()?, id)?;
    }
    call.unless_dry()?;
    let mut shown = Vec::new();
    for id in &ids {
        let request = known(call.here()?, id)?;
        if is_open(request) {
            request.state = "cancelled";
        }
        let fields = vec![("spotInstanceRequestId", Node::text(id)), ("state", Node::text(request.state))];
        shown.push(Node::Fields(fields));
    }
    Ok(Node::Fields(vec![("spotInstanceRequestSet", Node::Members(shown))]))
}

/// Brings the requests of a Region to what they are at `now`.
pub(in crate::aws) fn settle(world: &mut World, region: &str, now: DateTime<Utc>) {
    let Some(here) = world.ec2.region_mut(region) else { return };
    let ended_at: BTreeMap<String, DateTime<Utc>> = here
        .instances
        .values()
        .filter_map(|instance| match instance.phase {
            Phase::Terminated(at) => Some((instance.id.clone(), at)),
            _ => None,
        })
        .collect();
    for request in here.spot.values_mut().filter(|request| request.state == "active") {
        let ended = request.instance_id.as_ref().and_then(|id| ended_at.get(id));
        if ended.is_some_and(|at| *at + REOPENED_AFTER <= now) {
            request.state = if request.persistent { "open" } else { "closed" };
            request.instance_id = None;
        }
    }
    let open: Vec<Request> = here.spot.values().filter(|request| request.state == "open").cloned().collect();
    for request in open {
        let started = start_one(world, region, &request.launch, &new_id("r"), now);
        let Some(instance) = started else { return };
        record_launch(world, region, &SPOT, &instance, now);
        if let Some(here) = world.ec2.region_mut(region) {
            if let Some(live) = here.instances.get_mut(&instance.id) {
                live.spot_request = Some(request.id.clone());
            }
            if let Some(live) = here.spot.get_mut(&request.id) {
                (live.state, live.instance_id) = ("active", Some(instance.id.clone()));
            }
        }
    }
}
