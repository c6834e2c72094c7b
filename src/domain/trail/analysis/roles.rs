//! Of roles that the attacker has opened or handed to services: what of their sessions nobody can say.

use std::collections::BTreeSet;

use super::NotRecorded;
use super::unrecorded::not_recorded;
use crate::domain::trail::classify::Outcome;
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::Grant;
use crate::domain::trail::lineage::Lineage;
use crate::domain::trail::token::bare_name;

/// Roles that services have been handed and of which each is named.
const PASSED_MAX: usize = 20;

/// All of that, by the attacker's calls that worked.
pub(super) fn missing(events: &[Event], lineage: &Lineage) -> Vec<NotRecorded> {
    let worked = |at: usize| lineage.verdicts[at].who.is_attacker() && events[at].outcome == Outcome::Succeeded;
    let theirs: Vec<&Event> = (0..events.len()).filter(|at| worked(*at)).map(|at| &events[at]).collect();
    let of = |changes: &BTreeSet<usize>, say: fn(&Event) -> Option<NotRecorded>| -> Vec<NotRecorded> {
        changes.iter().filter(|at| worked(**at)).filter_map(|at| say(&events[*at])).collect()
    };
    let mut missing = of(&lineage.trust_unknown, trusted);
    missing.extend(of(&lineage.trust_loosened, loosened));
    missing.extend(passed(&theirs));
    missing.extend(unnamed(&theirs));
    missing
}

/// The role whose trust an event has changed.
fn opened(event: &Event) -> Option<&String> {
    event.grants.iter().find_map(|grant| match grant {
        Grant::Trust { name, .. } => Some(name),
        _ => None,
    })
}

/// Whom a role trusted before the attacker changed that.
fn trusted(event: &Event) -> Option<NotRecorded> {
    let role = opened(event)?;
    Some(not_recorded(
        format!("whom role {role} trusted before the attacker changed that"),
        format!(
            "neither its making nor a change before event {} is in these logs: whoever comes from another account counts as \
             let in by the attacker, and nobody of its own account or of an identity provider does. Look at who has taken \
             it since",
            event.id
        ),
    ))
}

/// Whom it lets in on other terms than before.
fn loosened(event: &Event) -> Option<NotRecorded> {
    let role = opened(event)?;
    Some(not_recorded(
        format!("who could take role {role} only because the attacker changed on what terms it is taken"),
        format!(
            "event {} has taken away a statement that kept somebody out, or has changed the conditions on which somebody \
             comes in: of those whom the role named before too, whoever comes from another account and had not taken it \
             before counts as let in by the attacker, and nobody of its own account or of an identity provider does. Look \
             at who has taken it since",
            event.id
        ),
    ))
}

/// Roles that were handed to services, each once.
fn passed(theirs: &[&Event]) -> Vec<NotRecorded> {
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut missing = Vec::new();
    for event in theirs {
        for role in &event.passes {
            if !seen.insert((&*event.source, &**role)) || seen.len() > PASSED_MAX {
                continue;
            }
            let what = if role.contains(":instance-profile/") { "the role in instance profile" } else { "role" };
            missing.push(not_recorded(
                format!("which sessions of {what} {} {} has taken for the attacker", bare_name(role), event.source),
                format!(
                    "{} has handed it over (event {}), and how they are told is not known here: none counts as the \
                     attacker's for that. Look at all that the role did since",
                    event.name, event.id
                ),
            ));
        }
    }
    if seen.len() > PASSED_MAX {
        missing.push(not_recorded(
            format!("which sessions services have taken of {} more roles for the attacker", seen.len() - PASSED_MAX),
            "their calls have handed over more than are named here",
        ));
    }
    missing
}

/// Calls by which the attacker has something done with a role that the call does not name, each once.
fn unnamed(theirs: &[&Event]) -> Vec<NotRecorded> {
    const CALLS: [(&str, &str, &str, &str); 2] = [
        (
            "glue",
            "UpdateDevEndpoint",
            "with which role the attacker works on Glue development endpoints",
            "look at the sessions of the endpoint's role",
        ),
        (
            "datapipeline",
            "PutPipelineDefinition",
            "with which roles the attacker's pipelines run",
            "look at the sessions of the pipeline's role, and of the role of its resources",
        ),
    ];
    let say = |(source, name, what, look): &(&str, &str, &str, &str)| {
        let event = theirs.iter().find(|event| &*event.source == *source && &*event.name == *name)?;
        Some(not_recorded(*what, format!("the call names none (event {}): {look}", event.id)))
    };
    CALLS.iter().filter_map(say).collect()
}
