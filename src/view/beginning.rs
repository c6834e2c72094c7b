//! What people read where nobody has said when the credential was stolen, and no alert says it.

use super::blocks::{code, escape};
use crate::domain::hunt::Trace;
use crate::domain::incident::hunting;
use crate::domain::incident::state::Incident;

/// Whether what the owner did with it can stand among what counts as the attacker's.
pub(super) fn is_unknown(incident: &Incident) -> bool {
    hunting::since(incident).is_none()
}

/// On the cards: what that means, and what to do about it. Absent where a time is known, or follows from an alert.
pub(super) fn warning(incident: &Incident) -> Option<String> {
    let id = incident.id;
    (is_unknown(incident) && !incident.sample).then(|| {
        format!(
            ":warning: *Since when it is stolen is not known:* no alert says it, and nobody has said it. What the owner did with \
             it themselves can be among this, and what can be theirs is not proposed for removal. Say it with `/irp since {id} \
             3h the commit with the key` (or a time in UTC: `{id} 2026-01-31T10:00Z …`), or with *Set compromise time* on \
             *Evidence*; whose a call or an address was, with *Say who it was…* on *Hunt*."
        )
    })
}

/// Something that can be the owner's, in a line.
pub(super) fn in_doubt(trace: &Trace) -> String {
    let event = trace.in_doubt.as_deref().map(|id| format!(" (event {})", code(id))).unwrap_or_default();
    format!("• {} {} in {}{event}", escape(&trace.resource_type), code(&trace.id), code(&trace.region))
}
