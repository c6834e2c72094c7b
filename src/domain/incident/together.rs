//! Requests that were asked for together: the containment of one credential in one go. One digest binds them,
//! one press decides on all, and each is then carried out, read back and undone on its own: one that fails
//! holds up none of the others. Their calls are made in order and one after the other, across all processes
//! ([`super::execution`]).

use std::collections::BTreeSet;

use super::decide::Context;
use super::eradication::{left, removals};
use super::event::Event;
use super::identity;
use super::state::Incident;
use super::steps::{Offer, Step, contained, is_undo, missing};
use crate::domain::action::Action;
use crate::domain::approval::{Asked, Digest, Plan, Request, RequestState, check_request, shared_digest};
use crate::domain::id::{RequestId, StepId};
use crate::domain::observation::Observation;
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Actor};
use crate::domain::recusal::{recused, recused_by};
use crate::domain::refusal::Refusal;

/// Most removals that are asked for with one press: what follows is asked for after them.
const TOGETHER_MAX: usize = 20;

/// Everything that was asked for together with a request, itself too, in order. Alone, it is all there is.
pub fn together(incident: &Incident, request: &Request) -> Vec<RequestId> {
    match request.burst {
        Some(first) => incident.requests.values().filter(|r| r.burst == Some(first)).map(|r| r.id).collect(),
        None => vec![request.id],
    }
}

/// Containment or removal: on which of the two cards an action is asked for with others.
pub fn class_of(action: &Action) -> ActionClass {
    if action.class() == ActionClass::Eradicate { ActionClass::Eradicate } else { ActionClass::Contain }
}

/// The same of all that can be asked for now: no containment removes anything.
pub fn class_now(open: &[(Step, Action)]) -> Option<ActionClass> {
    open.iter().map(|(_, action)| class_of(action)).max()
}

/// What somebody asked for who asked for this: containment or removal, by the first of it.
pub fn class(incident: &Incident, request: &Request) -> ActionClass {
    let first = request.burst.and_then(|first| incident.requests.get(&first)).unwrap_or(request);
    class_of(&first.plan.action)
}

/// The word for it in a button's value.
pub const fn word(class: ActionClass) -> &'static str {
    match class {
        ActionClass::Eradicate => "remove",
        ActionClass::Contain | ActionClass::Loosen => "contain",
    }
}

/// What a word in a button's value names.
pub fn named(word: &str) -> Option<ActionClass> {
    [ActionClass::Contain, ActionClass::Eradicate].into_iter().find(|class| self::word(*class) == word)
}

/// What a press on one of the two cards asks for: never what stands on the other. A card of an older version does not say
/// which it is.
pub fn pressed(incident: &Incident, playbook: &Playbook, class: Option<ActionClass>) -> Result<Vec<StepId>, Refusal> {
    let open = open_steps(incident, playbook);
    let why = match (class, class_now(&open)) {
        (None, _) => "This card is of an older version and does not say what it asks for. Use the newest card.",
        (Some(ActionClass::Eradicate), Some(ActionClass::Contain)) => {
            "This card asks for removal, and containment comes first. Use the card of containment."
        }
        (Some(ActionClass::Contain), Some(ActionClass::Eradicate)) => {
            "This card asks for containment, and nothing of that is left to ask for. Removal has a card of its own."
        }
        _ => return Ok(open.into_iter().map(|(step, _)| step.id).collect()),
    };
    Err(Refusal::NotApplicable(why.into()))
}

/// The requests themselves.
pub fn members<'a>(incident: &'a Incident, request: &Request) -> Vec<&'a Request> {
    together(incident, request).iter().filter_map(|id| incident.requests.get(id)).collect()
}

/// What a decision about a request is bound to.
pub fn digest(incident: &Incident, request: &Request) -> Digest {
    shared_digest(members(incident, request))
}

/// The steps that can be asked for in one go, in order: containment that is not in force and not under way; once
/// all of it is in force, what is to be removed.
pub fn open_steps(incident: &Incident, playbook: &Playbook) -> Vec<(Step, Action)> {
    let under_way = |step: &StepId| {
        incident
            .requests_for(step)
            .any(|r| matches!(r.state, RequestState::Approved { .. } | RequestState::Executing(_)))
    };
    if incident.hunted.is_some() && contained(incident, playbook) {
        let left = left(incident, playbook).into_iter().filter(|(step, _)| !under_way(&step.id));
        return left.take(TOGETHER_MAX).collect();
    }
    let steps =
        missing(incident, playbook).into_iter().map(|(step, _)| step).filter(|s| !is_undo(&s.id) && !under_way(&s.id));
    let mut open: Vec<(Step, Action)> = steps
        .filter_map(
            |step| if let Offer::Action(action) = &step.offer { Some((step.clone(), action.clone())) } else { None },
        )
        .collect();
    one_change_of_each_trust_policy(&mut open);
    open
}

/// Each puts a whole document, and goes stale with the other's: the one that puts a policy back goes first, and can make the
/// others needless.
fn one_change_of_each_trust_policy(open: &mut Vec<(Step, Action)>) {
    let put_back = open.iter().filter_map(|(_, action)| match action {
        Action::RestoreTrustPolicy(of) => Some(of.role_name.clone()),
        _ => None,
    });
    let mut changed: BTreeSet<String> = put_back.collect();
    open.retain(|(_, action)| match action {
        Action::DenyOutsider(of) => changed.insert(of.role_name.clone()),
        _ => true,
    });
}

/// One step of what is asked for: what it is, and AWS as it is now.
pub type Part = (StepId, Action, Observation);

/// Makes the requests. Parts that AWS already shows as wanted, or that must not be done, are left out; when
/// none is left, the first reason is the answer.
pub(super) fn ask(
    incident: &Incident,
    actor: &Actor,
    parts: Vec<Part>,
    nonce: &str,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let account = incident
        .account()
        .ok_or_else(|| Refusal::NotApplicable("The account of this credential is not known yet.".into()))?;
    let mut recused = recused(incident, cx.policy);
    let (mut plans, mut first_no) = (Vec::new(), None);
    let removes = parts.iter().any(|(_, action, _)| action.class() == ActionClass::Eradicate);
    let removals = if removes { removals(incident) } else { Vec::new() };
    for (i, (step, action, before)) in parts.into_iter().enumerate() {
        // Two parts never have the same nonce, and so never the same digest.
        let nonce = format!("{nonce}{i:02x}");
        let asked = Asked {
            incident: incident.id,
            step: &step,
            account: &account,
            requester: &actor.person,
            nonce: &nonce,
            now: cx.now,
        };
        // One press decides on all of them: whoever is recused from one is from all. What would leave nobody is left out, to
        // be asked for alone.
        let without = recused_by(&before, recused.clone(), cx.policy);
        let planned = identity::check(&removals, &action, &before)
            .and_then(|()| check_request(cx.policy, &without, actor, &action))
            .and_then(|()| Plan::make(action, before, &asked, cx.policy));
        match planned {
            Ok(plan) => {
                plans.push(plan);
                recused = without;
            }
            Err(no) => drop(first_no.get_or_insert(no)),
        }
    }
    let people = cx.policy.approvers_besides(&actor.person);
    let people: Vec<_> = people.into_iter().filter(|person| !recused.contains_key(person)).collect();
    let first = incident.next_request();
    let burst = (plans.len() > 1).then_some(first);
    let mut ended = BTreeSet::new();
    for plan in &plans {
        let Some(open) = incident.requests_for(&plan.step).find(|r| r.state.is_open()) else { continue };
        let same = open.plan.does_the_same(plan) && open.plan.policy_version == plan.policy_version;
        let fellows = members(incident, open);
        // What waits gives way only to something else, or to more.
        if same && (burst.is_none() || fellows.len() >= plans.len()) {
            return Err(Refusal::AlreadyAsked(open.id));
        }
        // What was approved, or let run alone, with it goes on: whoever decided on that did not decide on this.
        ended.extend(fellows.into_iter().filter(|r| r.state == RequestState::Pending).map(|r| r.id));
    }
    let mut events: Vec<Event> =
        ended.into_iter().map(|request| Event::RequestSuperseded { request, by: first }).collect();
    if plans.is_empty() {
        return Err(first_no.unwrap_or_else(|| Refusal::NotApplicable("Nothing is left to ask for.".into())));
    }
    let mut next = first;
    for plan in plans {
        events.push(Event::ApprovalRequested {
            request: next,
            digest: plan.digest(),
            plan: Box::new(plan),
            by: actor.user.clone(),
            asked: people.clone(),
            burst,
        });
        next = next.next();
    }
    Ok(events)
}

/// Those of a request and its fellows that have not been started.
pub(super) fn not_started<'a>(incident: &'a Incident, request: &Request) -> Vec<&'a Request> {
    members(incident, request).into_iter().filter(|r| waits(r)).collect()
}

/// Whether it has not been started.
pub(super) fn waits(request: &Request) -> bool {
    matches!(request.state, RequestState::Pending | RequestState::Approved { .. })
}

/// What is to be done and was not asked for with the rest: as AWS is now it cannot be, or must not be.
pub fn left_out(incident: &Incident, playbook: &Playbook) -> Vec<Step> {
    let asked = |step: &Step| incident.requests_for(&step.id).any(|request| request.state.is_open());
    open_steps(incident, playbook).into_iter().map(|(step, _)| step).filter(|step| !asked(step)).collect()
}

/// The burst that people have to look at now: the newest of those with a request that is still open.
pub fn open_burst(incident: &Incident) -> Option<Vec<&Request>> {
    let open = incident.requests.values().rev().find(|r| r.burst.is_some() && r.state.is_open())?;
    Some(members(incident, open))
}
