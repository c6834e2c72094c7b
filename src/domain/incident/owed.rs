//! What the outside still owes an incident. Worked out from state alone, so that a crash anywhere is
//! cured by loading and asking again.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::state::{Incident, Search};
use super::{doubt, execution, hunting, inventory, logs, watch};
use crate::domain::approval::RequestState;
use crate::domain::id::RequestId;
use crate::domain::policy::ActionClass;

/// When the event history is read again after the opening, in seconds.
const AGAIN_AFTER_S: [i64; 4] = [3 * 60, 6 * 60, 12 * 60, 20 * 60];

/// One thing to do outside, and from when on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owed {
    /// Not before.
    pub due_at: DateTime<Utc>,
    /// What.
    pub effect: Effect,
}

/// A thing to do outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Find out whose credential it is.
    Identify,
    /// Read what it was used for, and which roles it has taken.
    Reach,
    /// Search the trail for what the attacker reached and left behind.
    Hunt,
    /// Set what exists in the account against what the search has shown.
    Inventory,
    /// Carry a search of the logs on.
    Logs,
    /// Read AWS again for what was put in place.
    Watch,
    /// Make the call of an approved request.
    Execute(RequestId),
    /// Ask AWS how a started call ended, or look again whether it shows what nobody knows yet.
    ReadBack(RequestId),
    /// Note that a limit has passed.
    Clock(RequestId),
}

impl Effect {
    /// Whether it only finds out: it changes nothing, may take long, and never holds up an approved change.
    pub const fn informs(self) -> bool {
        matches!(self, Self::Identify | Self::Reach | Self::Hunt | Self::Inventory | Self::Logs | Self::Watch)
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Clock(_) => 0,
            Self::Execute(_) => 1,
            Self::ReadBack(_) => 2,
            Self::Watch => 3,
            Self::Identify => 4,
            Self::Reach => 5,
            Self::Hunt => 6,
            Self::Inventory => 7,
            Self::Logs => 8,
        }
    }
}

/// Everything that is owed. Limits come first, so that one that has passed is never overtaken; then what
/// contains, before what removes or loosens: that can take minutes, and an approval does not last; then what informs.
/// Soonest first among equals.
pub fn owed(incident: &Incident) -> Vec<Owed> {
    let (mut owed, mut later) = (Vec::new(), BTreeSet::new());
    if !incident.is_open() {
        // A closed incident has no open requests: closing ended them all.
        return owed;
    }
    // A limit has passed one tick after its last moment.
    let tick = TimeDelta::milliseconds(1);
    for request in incident.requests.values() {
        match &request.state {
            RequestState::Pending => {
                owed.push(Owed { due_at: request.plan.approve_by + tick, effect: Effect::Clock(request.id) });
            }
            RequestState::Approved { execute_by } => {
                let alone_at = request.glass.as_ref().map(|glass| glass.at);
                let approved_at = request.approvals.last().map(|a| a.at).or(alone_at).unwrap_or(request.requested_at);
                // Frozen, it waits: until its time has passed, or it runs after all.
                if incident.freeze.is_none() {
                    let held_until = execution::held_until(incident, request);
                    let due_at = held_until.map_or(approved_at, |until| until.max(approved_at));
                    owed.push(Owed { due_at, effect: Effect::Execute(request.id) });
                    if request.plan.action.class() != ActionClass::Contain {
                        later.insert(request.id);
                    }
                }
                owed.push(Owed { due_at: *execute_by + tick, effect: Effect::Clock(request.id) });
            }
            RequestState::Executing(execution) => {
                // With an answer, read at once; without one, only when nobody can still be at it.
                let due_at = match execution.answer {
                    Some(_) => execution.started_at,
                    None => execution.lease_until,
                };
                owed.push(Owed { due_at, effect: Effect::ReadBack(request.id) });
            }
            RequestState::Unknown { .. } => {
                let look_at = doubt::look_at(incident, request);
                owed.extend(look_at.map(|due_at| Owed { due_at, effect: Effect::ReadBack(request.id) }));
            }
            _ => {}
        }
    }
    if let Search::Wanted { not_before, .. } = &incident.search {
        owed.push(Owed { due_at: *not_before, effect: Effect::Identify });
    }
    owed.extend(reach_at(incident).map(|due_at| Owed { due_at, effect: Effect::Reach }));
    owed.extend(hunting::due_at(incident).map(|due_at| Owed { due_at, effect: Effect::Hunt }));
    owed.extend(inventory::due_at(incident).map(|due_at| Owed { due_at, effect: Effect::Inventory }));
    owed.extend(logs::due_at(incident).map(|due_at| Owed { due_at, effect: Effect::Logs }));
    owed.extend(watch::due_at(incident).map(|due_at| Owed { due_at, effect: Effect::Watch }));
    let waits = |effect: &Effect| matches!(effect, Effect::Execute(request) if later.contains(request));
    owed.sort_by_key(|o| (o.effect.rank(), waits(&o.effect), o.due_at));
    owed
}

/// When it is next read what the credential was used for: once it is known whose it is, when something asks
/// for it, and again in the first minutes, because CloudTrail shows a call up to fifteen minutes late.
pub fn reach_at(incident: &Incident) -> Option<DateTime<Utc>> {
    let identified = incident.identified.as_ref().filter(|identified| hunting::is_followed(identified.found.kind))?;
    let Some((_, read_at)) = &incident.blast_radius else { return Some(identified.at) };
    let again = AGAIN_AFTER_S.into_iter().map(|after_s| incident.opened_at + TimeDelta::seconds(after_s));
    again.filter(|at| at > read_at).chain(incident.reach_wanted_at).min()
}

/// When this incident next needs attention, if nothing else happens to it.
pub fn next_due_at(incident: &Incident) -> Option<DateTime<Utc>> {
    owed(incident).iter().map(|o| o.due_at).min()
}
