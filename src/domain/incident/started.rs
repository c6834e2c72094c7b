//! Instances that something of the attacker's has started: AWS itself has made the call, so no search shows them as
//! theirs. Which they are stands in the before-image of the change that has stopped what starts them. Of what was gone before
//! it could be stopped, or had let them go, the calls say it in which AWS has started them.

use std::collections::{BTreeMap, BTreeSet};

use super::eradication::{is_theirs, step_suffix, traces};
use super::state::Incident;
use crate::domain::action::Action;
use crate::domain::approval::{Request, RequestState};
use crate::domain::hunt::Trace;
use crate::domain::inventory::Thing;
use crate::domain::trail::footprint::State;
use crate::domain::trail::token::bare_name;

const INSTANCE: &str = "AWS::EC2::Instance";
/// What starts instances by itself, each with the last part of its type as the names of steps have it.
const STARTERS: [(&str, &str); 4] = [
    ("AWS::AutoScaling::AutoScalingGroup", "autoscalinggroup"),
    ("AWS::EC2::EC2Fleet", "ec2fleet"),
    ("AWS::EC2::SpotFleet", "spotfleet"),
    ("AWS::EC2::SpotInstanceRequest", "spotinstancerequest"),
];

/// By what it is known that an instance was started for the attacker.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// It was running when this request stopped what had started it.
    Stopped(&'a Request),
    /// What has started it was made by this event of theirs, and starts nothing any more.
    Made(&'a str),
}

/// Each of them by Region and id, with the newest request that has stopped what started it. One that ended badly may
/// have let some go all the same.
pub fn instances(incident: &Incident) -> BTreeMap<(&str, String), &Request> {
    let mut found = BTreeMap::new();
    for request in incident.requests.values() {
        use RequestState::{Failed, Unknown, Verified};
        if matches!(request.state, Verified { .. } | Failed { .. } | Unknown { .. }) {
            let running = request.plan.action.leaves_running(&request.plan.before);
            found.extend(running.into_iter().map(|id| ((request.plan.action.region(), id), request)));
        }
    }
    found
}

/// Those that are to be ended and are not known to have ended. While something still starts others in its place, one waits.
pub fn left(incident: &Incident) -> BTreeMap<(&str, String), By<'_>> {
    let stopped = instances(incident).into_iter().map(|(at, request)| (at, By::Stopped(request)));
    let mut all: BTreeMap<(&str, String), By<'_>> = stopped.collect();
    all.extend(orphans(incident, false).into_iter().map(|(at, made)| (at, By::Made(made))));
    if all.is_empty() {
        return all;
    }
    let terminated = terminated(incident);
    all.retain(|(_, id), _| !has_ended(incident, &terminated, id));
    all
}

/// Those that would be ended, were it proved that the attacker has made what has started them: it can be the owner's.
pub(super) fn in_doubt(incident: &Incident) -> Vec<Trace> {
    let orphans = orphans(incident, true);
    // Mostly there are none.
    if orphans.is_empty() {
        return Vec::new();
    }
    let (stopped, terminated) = (instances(incident), terminated(incident));
    let is_open = |at: &(&str, String)| !stopped.contains_key(at) && !has_ended(incident, &terminated, &at.1);
    let open = orphans.into_iter().filter(|(at, _)| is_open(at));
    let trace = |((region, id), made): ((&str, String), &str)| Trace {
        resource_type: INSTANCE.to_owned(),
        id,
        account: incident.account(),
        region: region.to_owned(),
        state: State::Present,
        made_by_attacker: true,
        evidence: vec![made.to_owned()],
        deeds: Vec::new(),
        made: None,
        newest: None,
        deleted_by_attacker: false,
        in_doubt: Some(made.to_owned()),
    };
    open.map(trace).collect()
}

/// Instances that the inventory shows, that something of the attacker's has started and that no step ends: neither now nor once
/// what has started them is stopped.
pub fn running(incident: &Incident) -> Vec<&Thing> {
    let Some((hunted, _)) = &incident.hunted else { return Vec::new() };
    let found = incident.inventory.found.iter();
    let shown = found.flat_map(|found| found.explained.iter().map(|one| &one.thing).chain(&found.unexplained));
    // Those that can be the owner's are listed as that.
    let for_them = |id: &str| hunted.started.contains_key(id) && !hunted.started_in_doubt.contains(id);
    let is_started = |thing: &&Thing| thing.resource_type == INSTANCE && for_them(&thing.id);
    let started: Vec<&Thing> = shown.filter(is_started).filter(|thing| !thing.is_in(&hunted.footprint)).collect();
    // Mostly there are none.
    if started.is_empty() {
        return started;
    }
    let (left, starting, terminated) = (left(incident), starting(incident), terminated(incident));
    let has_step = |thing: &Thing| left.contains_key(&(thing.region.as_str(), thing.id.clone()));
    let waits = |thing: &Thing| hunted.started_by.get(&thing.id).is_some_and(|made| starting.contains(made.as_str()));
    let open = |thing: &&Thing| !has_step(thing) && !waits(thing) && !has_ended(incident, &terminated, &thing.id);
    started.into_iter().filter(open).collect()
}

/// Instances whose start the trail shows, of what starts nothing any more, each with the event that has made that: those
/// where it can be the owner's, or the others.
fn orphans(incident: &Incident, in_doubt: bool) -> Vec<((&str, String), &str)> {
    let Some((hunted, _)) = &incident.hunted else { return Vec::new() };
    if hunted.started_by.is_empty() {
        return Vec::new();
    }
    let starting = starting(incident);
    let asked = |id: &str| id.starts_with("i-") && hunted.started_in_doubt.contains(id) == in_doubt;
    let of_nothing = hunted.started.iter().filter(|(id, _)| asked(id)).filter_map(|(id, region)| {
        let made = hunted.started_by.get(id).filter(|made| !starting.contains(made.as_str()))?;
        Some(((region.as_str(), id.clone()), made.as_str()))
    });
    of_nothing.collect()
}

/// The events that have made what may still start instances: it is there, the bot has not stopped it, and no two people say
/// that they have.
fn starting(incident: &Incident) -> BTreeSet<&str> {
    let stops = |request: &&Request| {
        use Action::{CancelSpotRequest, DeleteFleet, StopScalingGroup};
        matches!(request.state, RequestState::Verified { .. })
            && matches!(request.plan.action, StopScalingGroup(_) | DeleteFleet(_) | CancelSpotRequest(_))
    };
    let stopped = incident.requests.values().filter(stops).map(|request| &request.plan.action);
    let stopped: BTreeSet<(&str, &str)> = stopped.map(|action| (action.region(), action.target())).collect();
    let settled: Vec<&str> =
        incident.hands.iter().filter(|(_, hand)| hand.confirmed.is_some()).map(|(step, _)| step.as_str()).collect();
    let starts = |trace: &&Trace| {
        let Some((_, kind)) = STARTERS.iter().find(|(of, _)| *of == trace.resource_type) else { return false };
        let (region, name) = (trace.region.as_str(), bare_name(&trace.id));
        let is_stopped = || stopped.contains(&(region, trace.id.as_str())) || stopped.contains(&(region, name));
        let is_settled = || {
            let step = format!(".{}", step_suffix(&format!("{kind}.{region}.{name}")));
            settled.iter().any(|id| id.ends_with(&step))
        };
        is_theirs(trace) && !is_stopped() && !is_settled()
    };
    traces(incident).filter(starts).flat_map(|trace| &trace.evidence).map(String::as_str).collect()
}

fn terminated(incident: &Incident) -> BTreeSet<&str> {
    let terminated = incident.requests.values().filter_map(|request| match (&request.state, &request.plan.action) {
        (RequestState::Verified { .. }, Action::TerminateInstance(of)) => Some(of.instance_id.as_str()),
        _ => None,
    });
    terminated.collect()
}

fn has_ended(incident: &Incident, terminated: &BTreeSet<&str>, id: &str) -> bool {
    incident.hunted.as_ref().is_some_and(|(found, _)| found.ended.contains(id)) || terminated.contains(id)
}
