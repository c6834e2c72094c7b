//! Instances: launch, states that change with time, end, and the role that an instance acts with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};

use super::super::caller::{Caller, Resource};
use super::super::policy::Context;
use super::super::service_role::{self, Taker};
use super::super::state::{Session, World};
use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::volumes::{ROOT_DEVICE, Volume};
use super::{Call, Region, Tags, bad_value, groups, keys, new_id, tag_set};

pub(super) const SERVICE: &str = "ec2.amazonaws.com";

/// How long an instance takes to come up, to stop, and to end.
const PENDING: TimeDelta = TimeDelta::seconds(5);
const STOPPING: TimeDelta = TimeDelta::seconds(10);
const SHUTTING_DOWN: TimeDelta = TimeDelta::seconds(10);
/// How long one that has ended is still listed.
const LISTED_AFTER_END: TimeDelta = TimeDelta::hours(1);
/// Instances of one launch: the account's quota for all that it has is about as small.
const COUNT_MAX: i64 = 10;
const VOLUME_GIGABYTES: i64 = 8;
/// Of the user data, before it is encoded.
const USER_DATA_BYTES_MAX: usize = 16_384;

#[derive(Clone, Debug)]
pub(in crate::aws) struct Instance {
    pub(in crate::aws) id: String,
    pub(in crate::aws) reservation_id: String,
    pub(in crate::aws) image_id: String,
    pub(in crate::aws) kind: String,
    pub(in crate::aws) key_name: Option<String>,
    pub(in crate::aws) launched_at: DateTime<Utc>,
    pub(in crate::aws) zone: String,
    pub(in crate::aws) private_ip: String,
    /// Name of the instance profile.
    pub(in crate::aws) profile: Option<String>,
    pub(in crate::aws) group_ids: Vec<String>,
    pub(in crate::aws) volume_id: String,
    pub(in crate::aws) no_termination: bool,
    pub(in crate::aws) no_stop: bool,
    /// As sent: base64.
    pub(in crate::aws) user_data: Option<String>,
    pub(in crate::aws) tags: Tags,
    pub(in crate::aws) phase: Phase,
    /// Whether the metadata service asks for a token, and when that was changed last.
    pub(in crate::aws) token_required: bool,
    pub(in crate::aws) metadata_changed_at: Option<DateTime<Utc>>,
    /// The spot request that has started it.
    pub(in crate::aws) spot_request: Option<String>,
    /// The role's session that it has now.
    pub(in crate::aws) session: Option<Session>,
}

/// What it was told last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aws) enum Phase {
    Started(DateTime<Utc>),
    Stopped(DateTime<Utc>),
    Terminated(DateTime<Utc>),
}

type State = (i64, &'static str);

impl Instance {
    /// Its state with AWS's code for it.
    pub(in crate::aws) fn state(&self, now: DateTime<Utc>) -> State {
        match self.phase {
            Phase::Started(at) if now < at + PENDING => (0, "pending"),
            Phase::Started(_) => (16, "running"),
            Phase::Terminated(at) if now < at + SHUTTING_DOWN => (32, "shutting-down"),
            Phase::Terminated(_) => (48, "terminated"),
            Phase::Stopped(at) if now < at + STOPPING => (64, "stopping"),
            Phase::Stopped(_) => (80, "stopped"),
        }
    }

    pub(super) fn is_listed(&self, now: DateTime<Utc>) -> bool {
        !matches!(self.phase, Phase::Terminated(at) if at + LISTED_AFTER_END <= now)
    }
}

pub(super) fn known<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut Instance, ApiError> {
    let well_formed = id
        .strip_prefix("i-")
        .is_some_and(|hex| (hex.len() == 8 || hex.len() == 17) && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !well_formed {
        return Err(ApiError::bad_request("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")));
    }
    region.instances.get_mut(id).ok_or_else(|| {
        ApiError::bad_request("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
    })
}

/// What is started, checked.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of AWS's own")]
pub(in crate::aws) struct Launch {
    pub(in crate::aws) image_id: String,
    pub(in crate::aws) kind: String,
    pub(in crate::aws) key_name: Option<String>,
    /// Name of the instance profile.
    pub(in crate::aws) profile: Option<String>,
    /// The default group, where there is none.
    pub(in crate::aws) group_ids: Vec<String>,
    /// As sent: base64.
    pub(in crate::aws) user_data: Option<String>,
    pub(in crate::aws) tags: Tags,
    pub(in crate::aws) volume_tags: Tags,
    pub(in crate::aws) keeps_volume: bool,
    pub(in crate::aws) no_termination: bool,
    pub(in crate::aws) no_stop: bool,
    /// Of the metadata service.
    pub(in crate::aws) token_required: bool,
}

pub(super) fn run(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (launch, count) = checked(call)?;
    let token = call.params.get("ClientToken").map(str::to_owned);
    if let Some(ids) = token.as_ref().map(|token| call.here().map(|region| region.launches.get(token).cloned())) {
        let region = call.here()?;
        let again: Vec<Instance> =
            ids?.unwrap_or_default().iter().filter_map(|id| region.instances.get(id).cloned()).collect();
        if !again.is_empty() {
            return Ok(reservation(call, &again));
        }
    }
    call.unless_dry()?;
    let reservation_id = new_id("r");
    let (region, now) = (call.region, call.now);
    let start = |_| start_one(call.world, region, &launch, &reservation_id, now);
    let started: Vec<Instance> = (0..count).map(start).collect::<Option<_>>().ok_or_else(ApiError::invalid_token)?;
    if let Some(token) = token {
        let ids = started.iter().map(|instance| instance.id.clone()).collect();
        call.here()?.launches.insert(token, ids);
    }
    Ok(reservation(call, &started))
}

/// What a call asks for, and how many.
fn checked(call: &mut Call<'_>) -> Result<(Launch, i64), ApiError> {
    let image_id = call.required("ImageId")?;
    let kind = call.params.get("InstanceType").unwrap_or("m1.small").to_owned();
    let group_ids: Vec<String> = call.params.items("SecurityGroupId", "").into_iter().map(str::to_owned).collect();
    let key_name = call.params.get("KeyName").map(str::to_owned);
    let mut resources = vec![format!("image/{image_id}"), "instance/*".to_owned(), "volume/*".to_owned()];
    resources.extend(group_ids.iter().map(|id| format!("security-group/{id}")));
    resources.extend(key_name.iter().map(|name| format!("key-pair/{name}")));
    call.permit("RunInstances", &resources)?;
    let profile = profile(call)?;
    let (tags, volume_tags) = (call.tags_for("instance", "RunInstances")?, call.tags_for("volume", "RunInstances")?);
    let number = |name: &'static str| -> Result<i64, ApiError> {
        call.required(name)?
            .parse()
            .ok()
            .filter(|count| *count >= 1)
            .ok_or_else(|| bad_value(format!("Value for parameter {name} is invalid.")))
    };
    let (least, most) = (number("MinCount")?, number("MaxCount")?);
    if least > most {
        return Err(bad_value("The minCount must not be more than the maxCount."));
    }
    if least > COUNT_MAX {
        let sentence = "You have requested more instances than your current instance limit allows for this account.";
        return Err(ApiError::bad_request("InstanceLimitExceeded", sentence));
    }
    if !image_id.starts_with("ami-") {
        return Err(ApiError::bad_request("InvalidAMIID.Malformed", format!("Invalid id: \"{image_id}\"")));
    }
    if !kind.contains('.') {
        return Err(bad_value(format!("Invalid value '{kind}' for InstanceType.")));
    }
    let user_data = call.params.get("UserData").map(str::to_owned);
    let decoded = user_data.as_ref().map(|data| BASE64.decode(data));
    match decoded {
        Some(Err(_)) => return Err(bad_value("Invalid BASE64 encoding of user data.")),
        Some(Ok(data)) if data.len() > USER_DATA_BYTES_MAX => {
            return Err(bad_value("User data is limited to 16384 bytes"));
        }
        _ => {}
    }
    let region = call.here()?;
    for id in &group_ids {
        groups::check(region, id)?;
    }
    if let Some(name) = &key_name {
        keys::check(region, name)?;
    }
    let params = call.params;
    let launch = Launch {
        image_id,
        kind,
        key_name,
        profile,
        group_ids,
        user_data,
        tags,
        volume_tags,
        keeps_volume: params.get("BlockDeviceMapping.1.Ebs.DeleteOnTermination") == Some("false"),
        no_termination: params.get("DisableApiTermination") == Some("true"),
        no_stop: params.get("DisableApiStop") == Some("true"),
        token_required: params.get("MetadataOptions.HttpTokens") == Some("required"),
    };
    Ok((launch, most.min(COUNT_MAX)))
}

/// The instance profile asked for. Its role is passed on, for which the caller needs leave.
fn profile(call: &Call<'_>) -> Result<Option<String>, ApiError> {
    let arn = call.params.get("IamInstanceProfile.Arn").and_then(|arn| arn.rsplit('/').next());
    let Some(name) = call.params.get("IamInstanceProfile.Name").or(arn) else { return Ok(None) };
    pass(call.world, call.caller, call.context, name)?;
    Ok(Some(name.to_owned()))
}

/// Refuses a caller who may not hand this profile's role to an instance.
pub(in crate::aws) fn pass(world: &World, caller: &Caller, context: &Context, profile: &str) -> Result<(), ApiError> {
    let role = service_role::of_profile(world, profile).ok_or_else(|| {
        bad_value(format!(
            "Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        ))
    })?;
    let arn = world.role_arn(role);
    let mut context = context.clone();
    context.insert("iam:passedtoservice", SERVICE.to_owned());
    caller.authorize("iam:PassRole", &Resource { label: arn.clone(), arn }, &context)
}

/// Starts one instance, with the role of its profile. `None` in a Region that is not enabled.
pub(in crate::aws) fn start_one(
    world: &mut World,
    region_name: &str,
    launch: &Launch,
    reservation_id: &str,
    now: DateTime<Utc>,
) -> Option<Instance> {
    let zone = format!("{region_name}a");
    let region = world.ec2.region_mut(region_name)?;
    let number = region.instances.len() + 10;
    let default = region.groups.values().find(|group| group.name == "default").map(|group| group.id.clone());
    let group_ids = if launch.group_ids.is_empty() { default.into_iter().collect() } else { launch.group_ids.clone() };
    let volume = Volume {
        id: new_id("vol"),
        gigabytes: VOLUME_GIGABYTES,
        created_at: now,
        zone: zone.clone(),
        attached_to: None,
        deleted_with_instance: !launch.keeps_volume,
        tags: launch.volume_tags.clone(),
    };
    let instance = Instance {
        id: new_id("i"),
        reservation_id: reservation_id.to_owned(),
        image_id: launch.image_id.clone(),
        kind: launch.kind.clone(),
        key_name: launch.key_name.clone(),
        launched_at: now,
        zone,
        private_ip: format!("172.31.{}.{}", number / 250, number % 250 + 4),
        profile: launch.profile.clone(),
        group_ids,
        volume_id: volume.id.clone(),
        no_termination: launch.no_termination,
        no_stop: launch.no_stop,
        user_data: launch.user_data.clone(),
        tags: launch.tags.clone(),
        phase: Phase::Started(now),
        token_required: launch.token_required,
        metadata_changed_at: None,
        spot_request: None,
        session: None,
    };
    let id = instance.id.clone();
    region.volumes.insert(volume.id.clone(), Volume { attached_to: Some(id.clone()), ..volume });
    region.instances.insert(id.clone(), instance.clone());
    take_role(world, region_name, &id, now);
    Some(instance)
}

/// Has EC2 take the role of an instance's profile, if there is one that lets it.
pub(in crate::aws) fn take_role(world: &mut World, region: &str, id: &str, now: DateTime<Utc>) -> Option<Session> {
    let profile = world.ec2.region(region)?.instances.get(id)?.profile.clone()?;
    let role_name = service_role::of_profile(world, &profile)?.name.clone();
    let taker = Taker { service: SERVICE, role_name: &role_name, session_name: id, region };
    let session = service_role::take(world, &taker, now)?;
    world.ec2.region_mut(region)?.instances.get_mut(id)?.session = Some(session.clone());
    Some(session)
}

fn reservation(call: &Call<'_>, instances: &[Instance]) -> Node {
    let id = instances.first().map(|instance| instance.reservation_id.clone()).unwrap_or_default();
    let shown = instances.iter().map(|instance| node(call, instance)).collect();
    Node::Fields(vec![
        ("reservationId", Node::text(id)),
        ("ownerId", Node::text(call.world.account)),
        ("groupSet", Node::Members(Vec::new())),
        ("instancesSet", Node::Members(shown)),
    ])
}

fn state_node((code, name): State) -> Node {
    Node::Fields(vec![("code", Node::Number(code)), ("name", Node::text(name))])
}

fn node(call: &Call<'_>, instance: &Instance) -> Node {
    let region = call.world.ec2.region(call.region);
    let group = |id: &String| {
        let name = region.and_then(|region| region.groups.get(id)).map(|group| group.name.clone());
        Node::Fields(vec![("groupId", Node::text(id)), ("groupName", Node::text(name.unwrap_or_default()))])
    };
    let ended = matches!(instance.phase, Phase::Terminated(_));
    let ebs = region.and_then(|region| region.volumes.get(&instance.volume_id)).filter(|_| !ended).map(|volume| {
        let ebs = vec![
            ("volumeId", Node::text(&volume.id)),
            ("status", Node::text("attached")),
            ("attachTime", Node::Time(volume.created_at)),
            ("deleteOnTermination", Node::Flag(volume.deleted_with_instance)),
        ];
        Node::Fields(vec![("deviceName", Node::text(ROOT_DEVICE)), ("ebs", Node::Fields(ebs))])
    });
    let placement = vec![("availabilityZone", Node::text(&instance.zone)), ("tenancy", Node::text("default"))];
    let mut fields = vec![
        ("instanceId", Node::text(&instance.id)),
        ("imageId", Node::text(&instance.image_id)),
        ("instanceState", state_node(instance.state(call.now))),
        ("amiLaunchIndex", Node::Number(0)),
        ("instanceType", Node::text(&instance.kind)),
        ("launchTime", Node::Time(instance.launched_at)),
        ("placement", Node::Fields(placement)),
        ("monitoring", Node::Fields(vec![("state", Node::text("disabled"))])),
        ("privateIpAddress", Node::text(&instance.private_ip)),
        ("groupSet", Node::Members(instance.group_ids.iter().map(group).collect())),
        ("architecture", Node::text("x86_64")),
        ("rootDeviceType", Node::text("ebs")),
        ("rootDeviceName", Node::text(ROOT_DEVICE)),
        ("blockDeviceMapping", Node::Members(ebs.into_iter().collect())),
        ("tagSet", tag_set(&instance.tags)),
        ("metadataOptions", super::metadata::node(instance, call.now)),
    ];
    if let Some(name) = &instance.key_name {
        fields.push(("keyName", Node::text(name)));
    }
    if let Some(request) = &instance.spot_request {
        fields.extend([("instanceLifecycle", Node::text("spot")), ("spotInstanceRequestId", Node::text(request))]);
    }
    if let Some(name) = &instance.profile {
        let arn = format!("arn:aws:iam::{}:instance-profile/{name}", call.world.account);
        fields.push(("iamInstanceProfile", Node::Fields(vec![("arn", Node::text(arn))])));
    }
    Node::Fields(fields)
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters, now) = (call.params, Filters::of(call.params), call.now);
    let asked = params.items("InstanceId", "");
    for id in &asked {
        known(call.here()?, id)?;
    }
    if !asked.is_empty() && params.get("MaxResults").is_some() {
        let sentence = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(ApiError::bad_request("InvalidParameterCombination", sentence));
    }
    let mut shown: Vec<Instance> = Vec::new();
    for instance in call.here()?.instances.values().filter(|i| asked.is_empty() || asked.contains(&i.id.as_str())) {
        let values = |name: &str| match name {
            "instance-id" => Some(vec![instance.id.clone()]),
            "instance-state-name" => Some(vec![instance.state(now).1.to_owned()]),
            "instance-type" => Some(vec![instance.kind.clone()]),
            "key-name" => Some(instance.key_name.iter().cloned().collect()),
            "image-id" => Some(vec![instance.image_id.clone()]),
            "instance.group-id" => Some(instance.group_ids.clone()),
            _ => None,
        };
        if filters.want(&instance.tags, values)? {
            shown.push(instance.clone());
        }
    }
    let mut reservations: Vec<(String, Vec<Instance>)> = Vec::new();
    for instance in shown {
        match reservations.iter_mut().find(|(id, _)| *id == instance.reservation_id) {
            Some((_, held)) => held.push(instance),
            None => reservations.push((instance.reservation_id.clone(), vec![instance])),
        }
    }
    let nodes = reservations.iter().map(|(_, instances)| reservation(call, instances)).collect();
    page(params, "reservationSet", nodes)
}

/// Brings each instance that the call names into another phase, or none of them.
fn change(
    call: &mut Call<'_>,
    operation: &str,
    check: impl Fn(&Instance, State) -> Result<(), ApiError>,
    phase: impl Fn(&Instance) -> Option<Phase>,
) -> Result<Node, ApiError> {
    let ids: Vec<String> = call.params.items("InstanceId", "").into_iter().map(str::to_owned).collect();
    if ids.is_empty() {
        return Err(ApiError::bad_request("MissingParameter", "The request must contain the parameter InstanceId"));
    }
    let resources: Vec<String> = ids.iter().map(|id| format!("instance/{id}")).collect();
    call.permit(operation, &resources)?;
    let now = call.now;
    for id in &ids {
        let instance = known(call.here()?, id)?;
        check(instance, instance.state(now))?;
    }
    call.unless_dry()?;
    let mut changes = Vec::new();
    for id in &ids {
        let instance = known(call.here()?, id)?;
        let before = instance.state(now);
        if let Some(phase) = phase(instance) {
            instance.phase = phase;
        }
        changes.push(Node::Fields(vec![
            ("instanceId", Node::text(id)),
            ("currentState", state_node(instance.state(now))),
            ("previousState", state_node(before)),
        ]));
    }
    Ok(Node::Fields(vec![("instancesSet", Node::Members(changes))]))
}

fn not_permitted(id: &str, verb: &str, attribute: &str) -> ApiError {
    ApiError::bad_request(
        "OperationNotPermitted",
        format!("The instance '{id}' may not be {verb}. Modify its '{attribute}' instance attribute and try again."),
    )
}

pub(super) fn terminate(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let now = call.now;
    let check = |instance: &Instance, _: State| {
        if instance.no_termination {
            return Err(not_permitted(&instance.id, "terminated", "disableApiTermination"));
        }
        // Whoever may not stop it may not terminate it either.
        if instance.no_stop {
            return Err(not_permitted(&instance.id, "terminated", "disableApiStop"));
        }
        Ok(())
    };
    let end = |instance: &Instance| match instance.phase {
        Phase::Terminated(_) => None,
        Phase::Started(_) | Phase::Stopped(_) => Some(Phase::Terminated(now)),
    };
    change(call, "TerminateInstances", check, end)
}

fn wrong_state(instance: &Instance, state: State, verb: &str) -> ApiError {
    let sentence =
        format!("The instance '{}' is not in a state from which it can be {verb}: {}.", instance.id, state.1);
    ApiError::bad_request("IncorrectInstanceState", sentence)
}

pub(super) fn stop(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let now = call.now;
    let check = |instance: &Instance, state: State| match state.1 {
        "pending" | "shutting-down" | "terminated" => Err(wrong_state(instance, state, "stopped")),
        _ if instance.no_stop => Err(not_permitted(&instance.id, "stopped", "disableApiStop")),
        _ => Ok(()),
    };
    let halt = |instance: &Instance| match instance.phase {
        Phase::Started(_) => Some(Phase::Stopped(now)),
        Phase::Stopped(_) | Phase::Terminated(_) => None,
    };
    change(call, "StopInstances", check, halt)
}

pub(super) fn start(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let now = call.now;
    let check = |instance: &Instance, state: State| match state.1 {
        "stopped" | "running" | "pending" => Ok(()),
        _ => Err(wrong_state(instance, state, "started")),
    };
    let up = |instance: &Instance| match instance.phase {
        Phase::Stopped(_) => Some(Phase::Started(now)),
        Phase::Started(_) | Phase::Terminated(_) => None,
    };
    change(call, "StartInstances", check, up)
}
