//! Whether a removal is done.

use chrono::TimeDelta;

use super::Removal;
use crate::domain::action::Action;
use crate::domain::approval::RequestState;
use crate::domain::id::StepId;
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::in_force;
use crate::domain::policy::ActionClass;

/// The trail shows a call up to so much later: what a search shows before that can be from before the removal.
const TRAIL_DELAY: TimeDelta = TimeDelta::minutes(20);

/// Whether a removal has been carried out, and no search since that is late enough shows the same again: `removals` are all
/// that the last one shows.
pub fn is_done(incident: &Incident, removals: &[Removal], step: &StepId, action: &Action) -> bool {
    is_done_unless(incident, step, action, || removals.iter().any(|removal| removal.action == *action))
}

/// The same, where it is known already whether the search shows it.
pub(super) fn is_done_unless(
    incident: &Incident,
    step: &StepId,
    action: &Action,
    shown: impl FnOnce() -> bool,
) -> bool {
    let Some(request) = in_force(incident, step) else { return false };
    let RequestState::Verified { at, .. } = &request.state else { return false };
    if action.class() == ActionClass::Contain {
        // It is watched: what does not hold any more is not in force.
        return true;
    }
    if !is_about_the_same(&request.plan.action, action) {
        return false;
    }
    if goes_by_events(action) {
        // The trail shows these calls for ever. It shows something new when there are others.
        return request.plan.action == *action;
    }
    let seen_since = incident.hunted.as_ref().is_some_and(|(_, hunted_at)| *hunted_at > *at + TRAIL_DELAY);
    !(seen_since && shown())
}

/// Whether both are about the same thing. What else they say of it can have become more since.
fn is_about_the_same(one: &Action, other: &Action) -> bool {
    match (one, other) {
        (Action::DetachPolicy(one), Action::DetachPolicy(other)) => one == other,
        _ => (one.kind(), one.region(), one.target()) == (other.kind(), other.region(), other.target()),
    }
}

/// Whether an action takes back just what some calls have done.
const fn goes_by_events(action: &Action) -> bool {
    matches!(
        action,
        Action::RevokeIngress(_)
            | Action::RevokeEgress(_)
            | Action::UnshareSnapshot(_)
            | Action::UnshareImage(_)
            | Action::RestoreFunctionCode(_)
            | Action::RestoreLaunchTemplate(_)
            | Action::RestoreDefaultVersion(_)
    )
}
