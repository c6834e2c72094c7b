//! What a card says of people who may lose what they work with by what is asked for.

use serde_json::Value;

use super::blocks::{code, cut, section};
use crate::domain::approval::{MayLoseAccess, Request, may_lock_out};
use crate::domain::policy::Policy;
use crate::domain::refusal::mention;

/// How many are named, and how long that gets: it stands beside a plan that has to fit.
const SHOWN_MAX: usize = 4;
const CHARS_MAX: usize = 600;

/// Whom to see to before it is approved; nothing once it is decided.
pub(super) fn warning(request: &Request, policy: &Policy) -> Option<Value> {
    let plan = &request.plan;
    let losers = if request.state.is_open() { may_lock_out(&plan.action, &plan.before, policy) } else { Vec::new() };
    let more = losers.len().saturating_sub(SHOWN_MAX);
    let mut lines: Vec<String> = losers.iter().take(SHOWN_MAX).map(line).collect();
    lines.extend((more > 0).then(|| format!("and {more} more")));
    let text = cut(&lines.join("\n"), CHARS_MAX);
    (!lines.is_empty()).then(|| section(&format!(":warning: *Who may lose access by this*\n{text}")))
}

fn line(loser: &MayLoseAccess) -> String {
    match loser {
        MayLoseAccess::Responder(person, who) => {
            format!("{} works as {}: have them sign in another way first.", mention(&person.0), code(who))
        }
        MayLoseAccess::Protected(role) => {
            format!("{} is protected, and may have by what goes what it needs: make sure of that first.", code(role))
        }
    }
}
