//! What a card says of people who may lose what they work with by what is asked for.

use serde_json::Value;

use super::blocks::{code, cut, section};
use crate::domain::approval::{MayLoseAccess, Request, may_lock_out};
use crate::domain::policy::Policy;
use crate::domain::refusal::mention;

/// How many are named, and how long that gets: it stands beside a plan that has to fit.
const SHOWN_MAX: usize = 4;
const CHARS_MAX: usize = 600;
/// The same beside each of several plans.
const SHOWN_BRIEFLY_MAX: usize = 2;
const NAME_CHARS_MAX: usize = 64;

/// Whom to see to before it is approved; nothing once it is decided.
pub(super) fn warning(request: &Request, policy: &Policy) -> Option<Value> {
    let losers = losers(request, policy);
    let (mut lines, mut chars): (Vec<String>, usize) = (Vec::new(), 0);
    // Whole lines: what is cut inside a mention or a name is nobody's.
    for line in losers.iter().take(SHOWN_MAX).map(line) {
        chars += line.chars().count();
        if chars > CHARS_MAX && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    let more = losers.len() - lines.len();
    lines.extend((more > 0).then(|| format!("and {more} more")));
    (!losers.is_empty()).then(|| section(&format!(":warning: *Who may lose access by this*\n{}", lines.join("\n"))))
}

/// In one short line, where several are decided on together; the step's own card says more.
pub(super) fn briefly(request: &Request, policy: &Policy) -> Option<Value> {
    let losers = losers(request, policy);
    let mut named: Vec<String> = losers.iter().take(SHOWN_BRIEFLY_MAX).map(in_short).collect();
    let more = losers.len() - named.len();
    named.extend((more > 0).then(|| format!("and {more} more")));
    let text = named.join("; ");
    (!losers.is_empty()).then(|| section(&format!(":warning: *Who may lose access*: {text}. Its own card says how.")))
}

fn losers(request: &Request, policy: &Policy) -> Vec<MayLoseAccess> {
    let plan = &request.plan;
    if request.state.is_open() { may_lock_out(&plan.action, &plan.before, policy) } else { Vec::new() }
}

fn in_short(loser: &MayLoseAccess) -> String {
    let name = |arn: &str| code(&cut(arn.rsplit('/').next().unwrap_or(arn), NAME_CHARS_MAX));
    match loser {
        MayLoseAccess::Responder(person, who) => format!("{} works as {}", mention(&person.0), name(who)),
        MayLoseAccess::Protected(arn)
        | MayLoseAccess::Given(arn)
        | MayLoseAccess::DeniedIn(arn)
        | MayLoseAccess::Unassigned(arn) => format!("{} is protected", name(arn)),
    }
}

fn line(loser: &MayLoseAccess) -> String {
    match loser {
        MayLoseAccess::Responder(person, who) => {
            format!("{} works as {}: have them sign in another way first.", mention(&person.0), code(who))
        }
        MayLoseAccess::Protected(role) => {
            format!("{} is protected and stays. What runs with it by way of what goes has it no more.", code(role))
        }
        MayLoseAccess::Given(arn) => format!(
            "{} is protected, and loses what they have by way of this. What the attacker has given them has to go; what they had \
             before has not: then deny this.",
            code(arn)
        ),
        MayLoseAccess::DeniedIn(role) => {
            format!("{} is protected. The deny is written into it and names this user alone.", code(role))
        }
        MayLoseAccess::Unassigned(role) => format!(
            "{} is protected. This user alone loses it, but with the last assignment of its permission set in the account AWS \
             deletes the role: look whether another is left.",
            code(role)
        ),
    }
}
