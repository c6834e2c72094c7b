//! Instances that something of the attacker's has started: AWS itself has made the call, so no search shows them as
//! theirs. Which they are stands in the before-image of the change that has stopped what starts them.

use std::collections::BTreeMap;

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
    let ended = |id: &str| {
        let terminated = |request: &Request| {
            let verified = matches!(request.state, RequestState::Verified { .. });
            verified && matches!(&request.plan.action, Action::TerminateInstance(of) if of.instance_id == id)
        };
        incident.hunted.as_ref().is_some_and(|(found, _)| found.ended.contains(id))
            || incident.requests.values().any(terminated)
    };
    instances(incident).into_iter().filter(|((_, id), _)| !ended(id)).collect()
}
