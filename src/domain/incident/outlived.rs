//! Volumes and network interfaces that are still there when an instance that the bot has ended is gone. A volume of the
//! owner's can have been attached to it, so they are for people.

use super::state::Incident;
use super::steps::{Offer, Step};
use crate::domain::action::{Action, TerminateInstance};
use crate::domain::approval::{Request, RequestState};

/// A step for each such instance. What the instance was is in the before-image of the change that has ended it.
pub(super) fn steps<'a>(incident: &'a Incident, by_hand: &'a str) -> impl Iterator<Item = Step> + 'a {
    incident.requests.values().filter_map(move |request| match (&request.state, &request.plan.action) {
        (RequestState::Verified { .. }, Action::TerminateInstance(of)) => step(request, of, by_hand),
        _ => None,
    })
}

fn step(request: &Request, of: &TerminateInstance, by_hand: &str) -> Option<Step> {
    let (left, commands): (Vec<String>, Vec<String>) = of.leaves(&request.plan.before).into_iter().unzip();
    if left.is_empty() {
        return None;
    }
    let (TerminateInstance { region, instance_id, .. }, left) = (of, left.join(", "));
    let why = format!("Instance {instance_id} has ended, and this does not end with it: {left}.");
    Some(Step {
        id: format!("{by_hand}ec2-outlived.{region}.{instance_id}").parse().ok()?,
        title: format!("See to what outlives instance {instance_id} in {region}: {left}"),
        why: why.clone(),
        offer: Offer::Refused {
            why,
            instead: "Look whose each is: the attacker can have attached a volume of yours. Of each volume there is a snapshot as \
                      evidence. Delete what is the attacker's once it is detached, which takes a moment, and keep what is yours."
                .to_owned(),
            commands,
        },
    })
}
