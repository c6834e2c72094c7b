//! Which version of a managed policy counts, where the attacker has put one in force that was there before.

use super::eradication::done_by_attacker;
use crate::domain::action::RestoreDefaultVersion;
use crate::domain::hunt::Trace;
use crate::domain::trail::deed::Deed;

const CREATE: &str = "CreatePolicyVersion";
const SET: &str = "SetDefaultPolicyVersion";

/// Whether a deed is the choice of a version that needs no action of its own: a later choice of the attacker's counts, somebody
/// else has chosen another version since, or the version is the attacker's own and goes, with what was before put back in its
/// place. The same version chosen again leaves theirs in force, whoever seems to have done it.
pub(super) fn is_settled(trace: &Trace, deed: &Deed) -> bool {
    let counts_now = |newest: &Deed| newest.by_attacker || newest.what != deed.what;
    let is_over = newest(trace).is_some_and(|newest| newest.event_id != deed.event_id && counts_now(newest));
    deed.operation == SET && (is_added(trace, deed) || is_over)
}

/// What puts back which version counts, where this deed is the choice that does now. Where deeds are left out, some of them can
/// be choices of the attacker's that would be taken for somebody else's: then it is for people.
pub(super) fn put_back(trace: &Trace, deed: &Deed, policy_arn: String) -> Option<RestoreDefaultVersion> {
    let is_choice = deed.operation == SET && !deed.what.is_empty() && !is_settled(trace, deed);
    if !is_choice || trace.deeds.iter().any(Deed::is_left_out) {
        return None;
    }
    // With the call that has chosen the same again it is other work than before it: what was put back before is not in force now.
    let again = newest(trace).filter(|newest| newest.what == deed.what);
    Some(RestoreDefaultVersion {
        policy_arn,
        version_id: deed.what.clone(),
        theirs: done_by_attacker(trace, CREATE).map(|made| made.what.clone()).collect(),
        event_ids: done_by_attacker(trace, SET).chain(again).map(|set| set.event_id.clone()).collect(),
    })
}

fn is_added(trace: &Trace, deed: &Deed) -> bool {
    done_by_attacker(trace, CREATE).any(|made| made.what == deed.what)
}

/// The newest choice, whoever has made it: a new version can come into force at once.
fn newest(trace: &Trace) -> Option<&Deed> {
    trace.deeds.iter().rev().find(|deed| deed.operation == SET || (deed.operation == CREATE && deed.made_default))
}
