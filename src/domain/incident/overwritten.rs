//! Targets of somebody else's rule of `EventBridge` that the attacker can have written over: AWS takes a target with an id
//! that is there already without a word, and what it called before is gone.

use std::collections::BTreeSet;

use super::state::Incident;
use crate::domain::action::{Action, ApiCall};
use crate::domain::approval::{Request, RequestState};
use crate::domain::hunt::Trace;
use crate::domain::trail::token::bare_name;

/// Targets that a card names.
const IDS_SHOWN_MAX: usize = 8;

/// The type of a rule.
pub(super) const RULE: &str = "AWS::Events::Rule";

/// The ids of those. An id that the trail shows to have been free was nobody's, and what others have put under it since is
/// theirs. That somebody has taken the attacker's off brings nothing back: the bot does so too.
pub(super) fn targets(incident: &Incident, trace: &Trace) -> BTreeSet<String> {
    if trace.resource_type != RULE || was_deleted(incident, trace) {
        return BTreeSet::new();
    }
    let mut lost = BTreeSet::new();
    let (mut free, mut theirs, mut others) =
        (BTreeSet::<&str>::new(), BTreeSet::<&str>::new(), BTreeSet::<&str>::new());
    let mut is_anew = false;
    for deed in &trace.deeds {
        // AWS deletes only what has no targets: the next one of that name begins without any.
        is_anew |= deed.operation == "DeleteRule";
        for id in deed.what.split(' ').filter(|id| !id.is_empty()) {
            match deed.operation.as_str() {
                "PutTargets" if deed.by_attacker => {
                    let was_free = free.remove(id) || (is_anew && !others.contains(id));
                    if !was_free && !theirs.contains(id) {
                        lost.insert(id.to_owned());
                    }
                    theirs.insert(id);
                }
                "PutTargets" => {
                    lost.remove(id);
                    free.remove(id);
                    theirs.remove(id);
                    others.insert(id);
                }
                "RemoveTargets" => {
                    theirs.remove(id);
                    others.remove(id);
                    free.insert(id);
                }
                _ => {}
            }
        }
    }
    lost
}

/// Whether the bot has deleted the rule itself: then the event history has shown that it was the attacker's alone.
fn was_deleted(incident: &Incident, trace: &Trace) -> bool {
    let is_it = |action: &Action| match action {
        Action::RemoveRule(of) => of.rule_name == bare_name(&trace.id) && of.region == trace.region,
        _ => false,
    };
    let deleted = |request: &Request| {
        matches!(request.state, RequestState::Verified { .. })
            && request.plan.work.calls.iter().any(|call| matches!(call, ApiCall::DeleteRule { .. }))
    };
    incident.requests.values().any(|request| is_it(&request.plan.action) && deleted(request))
}

/// What people are told of them.
pub(super) fn in_words(incident: &Incident, trace: &Trace) -> String {
    let lost = targets(incident, trace);
    if lost.is_empty() {
        return String::new();
    }
    let ids: Vec<&str> = lost.iter().take(IDS_SHOWN_MAX).map(String::as_str).collect();
    let more = match lost.len().saturating_sub(IDS_SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        " Where rule {} of the default bus had a target with one of these ids before, the attacker's call has written over it, \
         and it is gone: {}{more}. Your code says whether it had: put it back (aws events put-targets). If the rule was never yours, \
         delete it once nothing of theirs is on it.",
        bare_name(&trace.id),
        ids.join(", ")
    )
}
