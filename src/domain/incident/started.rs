//! Instances that something of the attacker's has started: AWS itself has made the call, so no search shows them as
//! theirs. Which they are stands in the before-image of the change that has stopped what starts them.

use std::collections::{BTreeMap, BTreeSet};

use super::state::Incident;
use crate::domain::action::Action;
use crate::domain::approval::{Request, RequestState};

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

/// Those that are not known to have ended.
pub fn left(incident: &Incident) -> BTreeMap<(&str, String), &Request> {
    let terminated = incident.requests.values().filter_map(|request| match (&request.state, &request.plan.action) {
        (RequestState::Verified { .. }, Action::TerminateInstance(of)) => Some(of.instance_id.as_str()),
        _ => None,
    });
    let terminated: BTreeSet<&str> = terminated.collect();
    let ended = |id: &str| {
        incident.hunted.as_ref().is_some_and(|(found, _)| found.ended.contains(id)) || terminated.contains(id)
    };
    instances(incident).into_iter().filter(|((_, id), _)| !ended(id)).collect()
}
