//! “This was not me”: somebody finds their name behind something that they did not do. From then on nothing
//! is approved and nothing runs, until the lead and another approver say that it may.

use std::collections::BTreeSet;

use super::decide::Context;
use super::event::Event;
use super::state::Incident;
use super::together::waits;
use crate::domain::approval::Request;
use crate::domain::id::RequestId;
use crate::domain::policy::{Actor, PersonId, Policy, Standing};
use crate::domain::recusal::recused;
use crate::domain::refusal::{Refusal, mention};

/// Refuses while approvals are frozen.
pub(super) fn check(incident: &Incident) -> Result<(), Refusal> {
    match incident.freeze.as_ref().and_then(|freeze| freeze.disputed.iter().next()) {
        None => Ok(()),
        Some((by, request)) => Err(Refusal::Frozen { by: by.clone(), request: *request }),
    }
}

/// Refuses those in whose name something was done that they did not do: the account may still be in other hands. To
/// say so again and to take a yes back stay open to them.
pub(super) fn check_undisputed(incident: &Incident, actor: &Actor, policy: &Policy) -> Result<(), Refusal> {
    let disputed = incident.freeze.iter().flat_map(|freeze| &freeze.disputed);
    match disputed.into_iter().find(|(user, _)| policy.person(user) == actor.person) {
        None => Ok(()),
        Some((_, request)) => Err(Refusal::Disputed(*request)),
    }
}

/// What waits in their name ends, this request and every other one: their account may be in other hands. All else stands
/// still. Also while frozen: there can be more than one whose account is. Whoever is named needs no right for this but
/// to be themselves.
pub(super) fn not_me(incident: &Incident, actor: &Actor, request: RequestId) -> Result<Vec<Event>, Refusal> {
    check_named(incident, actor, request)?;
    let why = format!("{} says that {request} was not them", mention(&actor.user));
    let theirs: Vec<&Request> =
        incident.requests.values().filter(|r| waits(r) && in_the_name_of(&actor.person, r)).collect();
    // Whoever could say the same again and again could hold everybody up for as long as they like.
    if theirs.is_empty() && incident.not_them.contains(&(actor.user.clone(), request)) {
        return Err(Refusal::SaidAlready(request));
    }
    let ended = theirs.into_iter().map(|r| Event::RequestCancelled { request: r.id, why: why.clone() });
    Ok([Event::Frozen { by: actor.user.clone(), request }].into_iter().chain(ended).collect())
}

/// What they are told when the incident is closed: nothing of it is left to stop. The refusal is on record, and its thread
/// hears of it.
pub(super) fn too_late(incident: &Incident, actor: &Actor, request: RequestId) -> Refusal {
    let too_late = Refusal::DisputedTooLate { incident: incident.id, request };
    check_named(incident, actor, request).err().unwrap_or(too_late)
}

/// Refuses whoever has nothing to dispute there.
fn check_named(incident: &Incident, actor: &Actor, request: RequestId) -> Result<(), Refusal> {
    if actor.standing != Standing::Member {
        return Err(Refusal::NotAMember(actor.standing));
    }
    let found = incident.requests.get(&request).ok_or(Refusal::UnknownRequest(request))?;
    if !in_the_name_of(&actor.person, found) && !was_in_the_name_of(&actor.person, found) {
        return Err(Refusal::NotInYourName(request));
    }
    Ok(())
}

/// Whether somebody has asked for it, has said yes to it or has let it run alone.
fn in_the_name_of(person: &PersonId, request: &Request) -> bool {
    request.plan.requester == *person
        || request.approvals.iter().any(|a| a.person == *person)
        || request.glass.as_ref().is_some_and(|glass| glass.person == *person)
}

/// Whether their yes to it stood for a while: with an account that is in other hands, a yes can be given and taken back.
fn was_in_the_name_of(person: &PersonId, request: &Request) -> bool {
    request.retracted.contains_key(person) || request.voided.contains(person)
}

/// The lead and another approver have to agree, to the freeze that they were shown. What the rules say of the first of them
/// is asked again at the second press; what Slack says too, by the engine. Whoever froze it does not count: the account
/// may be in other hands.
pub(super) fn unfreeze(incident: &Incident, actor: &Actor, shown: u64, cx: Context<'_>) -> Result<Vec<Event>, Refusal> {
    let freeze = incident.freeze.as_ref().ok_or(Refusal::NotFrozen)?;
    if actor.standing != Standing::Member {
        return Err(Refusal::NotAMember(actor.standing));
    }
    let lead = cx.policy.person(incident.lead.as_ref().ok_or(Refusal::NoLead)?);
    let recused = recused(incident, cx.policy);
    let disputes = |person: &PersonId| freeze.disputed.keys().any(|user| cx.policy.person(user) == *person);
    // Who leads can have been taken off the lists since.
    let may = |person: &PersonId| {
        if *person == lead { cx.policy.is_responder(person) } else { cx.policy.is_approver(person) }
    };
    let counts = |person: &PersonId| !disputes(person) && !recused.contains_key(person) && may(person);
    if !counts(&actor.person) {
        let unread = !may(&actor.person) && cx.policy.has_unread_groups();
        return Err(if unread { Refusal::GroupsUnread } else { Refusal::CannotLift });
    }
    if freeze.number != shown {
        return Err(Refusal::NotApplicable(
            "Since that card was drawn, somebody has said again that something was not them. Nothing was changed by \
             this click: look at the newest card, and press there if you still mean it."
                .into(),
        ));
    }
    let before: BTreeSet<PersonId> = freeze.agreed.values().map(|user| cx.policy.person(user)).collect();
    let agreed: Vec<_> = before.iter().chain([&actor.person]).filter(|person| counts(person)).collect();
    let lifted = agreed.contains(&&lead) && agreed.iter().any(|person| **person != lead);
    // The lead can have changed since: then the same people may suffice now.
    if before.contains(&actor.person) && !lifted {
        return Err(Refusal::AlreadyAgreed);
    }
    let mut events = vec![Event::UnfreezeAgreed { by: actor.user.clone(), person: actor.person.clone() }];
    events.extend(lifted.then_some(Event::Unfrozen));
    Ok(events)
}
