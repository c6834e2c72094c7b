//! Fleets of both kinds, and the calls on an EC2 Fleet. One of type `maintain` starts another instance for each that ends,
//! until it is deleted; what it has started runs on. There is always capacity, and each instance counts as one.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::autoscaling::{Service, record_launch};
use super::super::state::World;
use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::instances::{Instance, Phase, start_one};
use super::{Call, Launch, Region, Tags, bad_value, new_id, tag_set, templates};

/// How long it takes until another is started in the place of one that has ended.
const REPLACED_AFTER: TimeDelta = TimeDelta::seconds(20);
/// Instances of one fleet.
const TARGET_MAX: i64 = 20;
const EC2: Service = Service { name: "ec2fleet.amazonaws.com", role: "AWSServiceRoleForEC2Fleet", session: "EC2Fleet" };
const SPOT: Service =
    Service { name: "spotfleet.amazonaws.com", role: "AWSServiceRoleForEC2SpotFleet", session: "EC2SpotFleet" };

#[derive(Clone, Debug)]
pub(in crate::aws) struct Fleet {
    pub(super) id: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) kind: Kind,
    pub(super) target: i64,
    pub(super) state: &'static str,
    pub(super) sources: Vec<Source>,
    /// The role of a Spot Fleet.
    pub(super) role: Option<String>,
    pub(super) tags: Tags,
    /// What it has started, until a while after its end.
    instances: Vec<String>,
    /// Whether it has started all that it starts, where it does that once.
    started: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Maintain,
    Request,
    Instant,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Maintain => "maintain",
            Self::Request => "request",
            Self::Instant => "instant",
        }
    }

    pub(super) fn read(word: Option<&str>) -> Result<Self, ApiError> {
        match word {
            None | Some("maintain") => Ok(Self::Maintain),
            Some("request") => Ok(Self::Request),
            Some("instant") => Ok(Self::Instant),
            Some(other) => Err(bad_value(format!("Invalid value '{other}' for type."))),
        }
    }
}

/// What a fleet starts.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Template {
        id: String,
        name: String,
        version: String,
        /// Another type than the template's.
        kind: Option<String>,
    },
    Specification(Box<Launch>),
}

impl Source {
    /// The templates under a parameter. `$Default` where no version is named.
    pub(super) fn templates(call: &mut Call<'_>, under: &str) -> Result<Vec<Self>, ApiError> {
        let params = call.params;
        let mut found = Vec::new();
        for number in 1.. {
            let of = |name: &str| params.get(&format!("{under}.{number}.LaunchTemplateSpecification.{name}"));
            let (id, name) = (of("LaunchTemplateId"), of("LaunchTemplateName"));
            if id.is_none() && name.is_none() {
                break;
            }
            let version = of("Version").unwrap_or("$Default").to_owned();
            let template = templates::named(call.here()?, id, name)?;
            if template.version(&version).is_none() {
                let sentence = format!("Could not find the specified version {version} for the launch template.");
                return Err(ApiError::bad_request("InvalidLaunchTemplateId.VersionNotFound", sentence));
            }
            let kind = params.get(&format!("{under}.{number}.Overrides.1.InstanceType")).map(str::to_owned);
            found.push(Self::Template { id: template.id.clone(), name: template.name.clone(), version, kind });
        }
        Ok(found)
    }

    fn launch(&self, region: &Region) -> Option<Launch> {
        match self {
            Self::Specification(launch) => Some((**launch).clone()),
            Self::Template { id, version, kind, .. } => {
                let launch = region.templates.get(id)?.version(version)?.clone();
                Some(Launch { kind: kind.clone().unwrap_or_else(|| launch.kind.clone()), ..launch })
            }
        }
    }

    /// As both kinds of fleet describe it; a specification is the Spot Fleet's own.
    pub(super) fn node(&self) -> Option<Node> {
        let Self::Template { id, name, version, kind } = self else { return None };
        let template = vec![
            ("launchTemplateId", Node::text(id)),
            ("launchTemplateName", Node::text(name)),
            ("version", Node::text(version)),
        ];
        let overrides = kind.iter().map(|kind| Node::Fields(vec![("instanceType", Node::text(kind))])).collect();
        Some(Node::Fields(vec![
            ("launchTemplateSpecification", Node::Fields(template)),
            ("overrides", Node::Members(overrides)),
        ]))
    }
}

/// How many instances a call asks for.
pub(super) fn target(call: &Call<'_>, name: &str) -> Result<i64, ApiError> {
    let asked = call.required(name)?;
    let known = asked.parse().ok().filter(|target| (0..=TARGET_MAX).contains(target));
    known.ok_or_else(|| bad_value(format!("Value ({asked}) for parameter {name} is invalid.")))
}

impl Fleet {
    /// Makes one, and has it start what it starts at once.
    pub(super) fn make(
        call: &mut Call<'_>,
        prefix: &str,
        (kind, target): (Kind, i64),
        sources: Vec<Source>,
        role: Option<String>,
    ) -> Result<Self, ApiError> {
        let fleet = Self {
            id: new_id(prefix),
            created_at: call.now,
            kind,
            target,
            state: "active",
            sources,
            role,
            tags: Tags::new(),
            instances: Vec::new(),
            started: false,
        };
        let id = fleet.id.clone();
        call.here()?.fleets.insert(id.clone(), fleet);
        settle(call.world, call.region, call.now);
        call.here()?.fleets.get(&id).cloned().ok_or_else(ApiError::invalid_token)
    }

    pub(super) fn is_spot(&self) -> bool {
        self.id.starts_with("sfr-")
    }

    fn service(&self) -> &'static Service {
        if self.is_spot() { &SPOT } else { &EC2 }
    }

    /// The tag by which an instance is known to be of it.
    fn tag(&self) -> (String, String) {
        let key = if self.is_spot() { "aws:ec2spot:fleet-request-id" } else { "aws:ec2:fleet-id" };
        (key.to_owned(), self.id.clone())
    }

    fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// Those of its instances that have not ended.
    pub(super) fn alive<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a Instance> {
        let found = self.instances.iter().filter_map(|id| region.instances.get(id));
        found.filter(|instance| !matches!(instance.phase, Phase::Terminated(_)))
    }

    /// Starts nothing from now on. What it runs ends with it or runs on; what it was before.
    pub(super) fn end(
        region: &mut Region,
        id: &str,
        (running, ending): (&'static str, &'static str),
        terminate: bool,
        now: DateTime<Utc>,
    ) -> Option<(&'static str, &'static str)> {
        let fleet = region.fleets.get_mut(id)?;
        let before = fleet.state;
        fleet.state = if terminate { ending } else { running };
        let after = fleet.state;
        let started = fleet.instances.clone();
        for id in started.iter().filter(|_| terminate) {
            if let Some(instance) = region.instances.get_mut(id) {
                instance.phase = match instance.phase {
                    Phase::Terminated(at) => Phase::Terminated(at),
                    Phase::Started(_) | Phase::Stopped(_) => Phase::Terminated(now),
                };
            }
        }
        Some((before, after))
    }
}

/// Whether a call has said what is to become of the instances, which it must.
pub(super) fn terminate(call: &Call<'_>) -> Result<bool, ApiError> {
    match call.required("TerminateInstances")?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(bad_value(format!("Invalid value '{other}'. Expecting true or false."))),
    }
}

/// As `DescribeFleetInstances` and `DescribeSpotFleetInstances` list what runs.
pub(super) fn active(call: &mut Call<'_>, id: &str) -> Result<Vec<Node>, ApiError> {
    let region = call.here()?;
    let Some(fleet) = region.fleets.get(id) else { return Ok(Vec::new()) };
    let one = |instance: &Instance| {
        Node::Fields(vec![
            ("instanceId", Node::text(&instance.id)),
            ("instanceType", Node::text(&instance.kind)),
            ("instanceHealth", Node::text("healthy")),
        ])
    };
    Ok(fleet.alive(region).map(one).collect())
}

fn known<'a>(region: &'a Region, id: &str) -> Result<&'a Fleet, ApiError> {
    let found = region.fleets.get(id).filter(|fleet| !fleet.is_spot());
    found.ok_or_else(|| ApiError::bad_request("InvalidFleetId.NotFound", format!("The fleet ID '{id}' does not exist")))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let kind = Kind::read(call.params.get("Type"))?;
    let target = target(call, "TargetCapacitySpecification.TotalTargetCapacity")?;
    call.permit("CreateFleet", &["fleet/*".to_owned()])?;
    let sources = Source::templates(call, "LaunchTemplateConfigs")?;
    if sources.is_empty() {
        let sentence = "The request must contain the parameter LaunchTemplateConfigs";
        return Err(ApiError::bad_request("MissingParameter", sentence));
    }
    call.unless_dry()?;
    let fleet = Fleet::make(call, "fleet", (kind, target), sources, None)?;
    let mut fields = vec![("fleetId", Node::text(&fleet.id)), ("errorSet", Node::Members(Vec::new()))];
    fields.push(("fleetInstanceSet", Node::Members(started(call.here()?, &fleet))));
    Ok(Node::Fields(fields))
}

/// What an instant fleet has started at once, which only its own calls say.
fn started(region: &Region, fleet: &Fleet) -> Vec<Node> {
    if fleet.kind != Kind::Instant || fleet.instances.is_empty() {
        return Vec::new();
    }
    let kind = fleet.instances.iter().find_map(|id| region.instances.get(id)).map(|instance| instance.kind.clone());
    vec![Node::Fields(vec![
        ("instanceIds", Node::Members(fleet.instances.iter().map(Node::text).collect())),
        ("instanceType", Node::text(kind.unwrap_or_default())),
        ("lifecycle", Node::text("on-demand")),
    ])]
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters) = (call.params, Filters::of(call.params));
    let asked = params.items("FleetId", "");
    let region = call.here()?;
    for id in &asked {
        known(region, id)?;
    }
    let mut shown = Vec::new();
    for fleet in region.fleets.values().filter(|fleet| !fleet.is_spot()) {
        // Instant ones are shown to who names them.
        let wanted = asked.contains(&fleet.id.as_str()) || (asked.is_empty() && fleet.kind != Kind::Instant);
        let values = |name: &str| match name {
            "fleet-state" => Some(vec![fleet.state.to_owned()]),
            "type" => Some(vec![fleet.kind.word().to_owned()]),
            _ => None,
        };
        if wanted && filters.want(&fleet.tags, values)? {
            shown.push(node(region, fleet));
        }
    }
    page(params, "fleetSet", shown)
}

fn node(region: &Region, fleet: &Fleet) -> Node {
    Node::Fields(vec![
        ("fleetId", Node::text(&fleet.id)),
        ("createTime", Node::Time(fleet.created_at)),
        ("fleetState", Node::text(fleet.state)),
        ("type", Node::text(fleet.kind.word())),
        ("launchTemplateConfigs", Node::Members(fleet.sources.iter().filter_map(Source::node).collect())),
        ("targetCapacitySpecification", Node::Fields(vec![("totalTargetCapacity", Node::Number(fleet.target))])),
        ("fleetInstanceSet", Node::Members(started(region, fleet))),
        ("tagSet", tag_set(&fleet.tags)),
    ])
}

pub(super) fn describe_instances(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("FleetId")?;
    if known(call.here()?, &id)?.kind == Kind::Instant {
        let sentence = format!("Fleet {id} is instant fleet. Describe fleet instances is not supported by this type.");
        return Err(ApiError::bad_request("Unsupported", sentence));
    }
    let shown = active(call, &id)?;
    page(call.params, "activeInstanceSet", shown)
}

/// What cannot be deleted is named in an answer that is a success.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let ids: Vec<String> = call.params.items("FleetId", "").into_iter().map(str::to_owned).collect();
    if ids.is_empty() {
        return Err(ApiError::bad_request("MissingParameter", "The request must contain the parameter FleetId"));
    }
    let (terminate, now) = (terminate(call)?, call.now);
    call.permit("DeleteFleets", &ids.iter().map(|id| format!("fleet/{id}")).collect::<Vec<_>>())?;
    call.unless_dry()?;
    let region = call.here()?;
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for id in &ids {
        let found = known(region, id).ok();
        let problem = match found {
            None => Some(("fleetIdDoesNotExist", format!("The fleet ID '{id}' does not exist"))),
            Some(fleet) if fleet.state.starts_with("deleted") => {
                Some(("fleetNotInDeletableState", format!("Fleet {id} is in the state {}.", fleet.state)))
            }
            Some(fleet) if fleet.kind == Kind::Instant && !terminate => {
                Some(("unexpectedError", format!("The instances of instant fleet {id} have to end with it.")))
            }
            Some(_) => None,
        };
        if let Some((code, message)) = problem {
            let error = vec![("code", Node::text(code)), ("message", Node::text(message))];
            refused.push(Node::Fields(vec![("fleetId", Node::text(id)), ("error", Node::Fields(error))]));
        } else if let Some((before, after)) =
            Fleet::end(region, id, ("deleted_running", "deleted_terminating"), terminate, now)
        {
            done.push(Node::Fields(vec![
                ("fleetId", Node::text(id)),
                ("currentFleetState", Node::text(after)),
                ("previousFleetState", Node::text(before)),
            ]));
        }
    }
    Ok(Node::Fields(vec![
        ("successfulFleetDeletionSet", Node::Members(done)),
        ("unsuccessfulFleetDeletionSet", Node::Members(refused)),
    ]))
}

/// Each with its state.
pub(in crate::aws) fn all(region: &Region) -> Vec<(String, &'static str)> {
    region.fleets.values().map(|fleet| (fleet.id.clone(), fleet.state)).collect()
}

/// Brings the fleets of a Region to what they are at `now`.
pub(in crate::aws) fn settle(world: &mut World, region: &str, now: DateTime<Utc>) {
    let Some(here) = world.ec2.region_mut(region) else { return };
    let ended_at: BTreeMap<String, DateTime<Utc>> = here
        .instances
        .values()
        .filter_map(|instance| match instance.phase {
            Phase::Terminated(at) => Some((instance.id.clone(), at)),
            Phase::Started(_) | Phase::Stopped(_) => None,
        })
        .collect();
    let mut due: Vec<(String, usize)> = Vec::new();
    for fleet in here.fleets.values_mut() {
        let left = |id: &String| ended_at.get(id).is_none_or(|at| *at + REPLACED_AFTER > now);
        if fleet.kind == Kind::Maintain {
            fleet.instances.retain(left);
        }
        let missing = usize::try_from(fleet.target).unwrap_or(0).saturating_sub(fleet.instances.len());
        if fleet.is_active() && (fleet.kind == Kind::Maintain || !fleet.started) {
            due.push((fleet.id.clone(), missing));
            fleet.started = true;
        }
    }
    for (id, missing) in due {
        for _ in 0..missing {
            start(world, region, &id, now);
        }
    }
}

fn start(world: &mut World, region: &str, id: &str, now: DateTime<Utc>) {
    let Some(here) = world.ec2.region(region) else { return };
    let Some(fleet) = here.fleets.get(id).cloned() else { return };
    let Some(mut launch) = fleet.sources.iter().find_map(|source| source.launch(here)) else { return };
    launch.tags.extend([fleet.tag()]);
    let Some(instance) = start_one(world, region, &launch, &new_id("r"), now) else { return };
    // The call for an instant fleet has started its instances itself.
    if fleet.kind != Kind::Instant {
        record_launch(world, region, fleet.service(), &instance, now);
    }
    if let Some(live) = world.ec2.region_mut(region).and_then(|here| here.fleets.get_mut(id)) {
        live.instances.push(instance.id);
    }
}
