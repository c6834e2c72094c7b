//! Why a step that was carried out once is owed again: it must not look as if it were done.

use super::blocks::escape;
use super::notes;
use crate::domain::approval::{Request, RequestState};
use crate::domain::id::StepId;
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Missing, Step};

/// What a revocation leaves open that came before what can mint sessions was off.
pub(super) const TOO_EARLY: &str = "A key, or another session that can take this role, was not off yet when they were \
                                    revoked, so there are or can be newer ones.";

/// Why a step that counted as done counts no more, of what is missing.
pub(super) fn why(owed: &[(Step, Missing)], step: &StepId) -> Option<Missing> {
    let (_, why) = owed.iter().find(|(of, _)| of.id == *step)?;
    matches!(why, Missing::RevokedTooEarly | Missing::GotThrough).then_some(*why)
}

/// The same in a few words, for a line of a list: also of what somebody has taken away.
pub(super) fn briefly(incident: &Incident, owed: &[(Step, Missing)], step: &StepId) -> Option<&'static str> {
    let lost = || incident.requests_for(step).next().is_some_and(|request| request.lost.is_some());
    match why(owed, step) {
        Some(Missing::RevokedTooEarly) => Some("again: revoked too early"),
        Some(Missing::GotThrough) => Some("again: the attacker got through after it"),
        _ => lost().then_some("again: somebody has undone it"),
    }
}

/// The same as sentences, for its card.
pub(super) fn in_full(incident: &Incident, why: Missing) -> String {
    if why == Missing::RevokedTooEarly {
        return format!("Revoked too early. {TOO_EARLY}");
    }
    let first = comes_first(incident).map(|first| format!(" {first}.")).unwrap_or_default();
    format!("The attacker got through after it.{first}")
}

/// What has to go before anything is revoked again: else it takes its role anew.
pub(super) fn comes_first(incident: &Incident) -> Option<String> {
    let first = incident.breach.as_ref().and_then(|call| notes::runs_on(incident, call))?;
    // The trail shows only later that it is gone.
    let is_it = |request: &&Request| escape(&request.plan.action.title()) == first;
    let mut asked = incident.requests.values().filter(is_it);
    let gone = asked.any(|request| matches!(request.state, RequestState::Verified { .. }));
    (!gone).then(|| format!("*{first}* comes first, it takes the role by itself"))
}
