//! What people do because the bot may not: somebody says what they have done, and somebody else who has looked confirms
//! it. It is people's word and nothing is read back: it counts from then on, until somebody takes it back, the attacker gets
//! through all the same, or the evidence for the step becomes another.

use chrono::{DateTime, Utc};

use super::decide::Context;
use super::event::Event;
use super::freeze;
use super::remains::is_by_hand;
use super::rules;
use super::state::Incident;
use super::steps::{Offer, Step, in_force, is_undo, steps};
use crate::domain::action::Action;
use crate::domain::approval::{Digest, Request, RequestState};
use crate::domain::hunt::Call;
use crate::domain::id::{StepId, UserId};
use crate::domain::policy::{ActionClass, Actor, PersonId};
use crate::domain::recusal::{check_impartial, recused};
use crate::domain::refusal::{Refusal, mention};
use crate::domain::trail::token::role_session;

/// Somebody's word that a step is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Hand {
    /// The step, for people.
    pub title: String,
    /// What was done, in their words.
    pub done: String,
    /// Why the step was there: with other evidence it is another step.
    pub about: Digest,
    /// The account of whoever says so.
    pub by: UserId,
    /// The human.
    pub person: PersonId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who has confirmed it, and when.
    pub confirmed: Option<(UserId, DateTime<Utc>)>,
}

impl Hand {
    /// What names it on a button: who presses it has read this one.
    pub fn shown(&self) -> String {
        Digest::of(&(&self.done, &self.by, self.at)).short().to_owned()
    }
}

/// How a step that is for people stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said<'a> {
    /// Nobody says that it is done.
    Nothing,
    /// One person says so.
    ByOne(&'a Hand),
    /// Two people do: it counts as done.
    ByTwo(&'a Hand),
    /// Two people did, and the attacker got through all the same or there is other evidence by now.
    Outdated(&'a Hand),
}

/// What people say of a step.
pub fn said<'a>(incident: &'a Incident, step: &Step) -> Said<'a> {
    let Some(hand) = incident.hands.get(&step.id) else { return Said::Nothing };
    let Some((_, confirmed_at)) = &hand.confirmed else { return Said::ByOne(hand) };
    let got_through = |call: &&Call| call.at > *confirmed_at && is_through(incident, &step.id, call);
    let other = hand.about != about(step);
    if other || incident.breach.as_deref().as_ref().is_some_and(got_through) {
        return Said::Outdated(hand);
    }
    Said::ByTwo(hand)
}

fn about(step: &Step) -> Digest {
    Digest::of(&step.why)
}

/// Whether a call came from what a step is to close.
fn is_through(incident: &Incident, step: &StepId, call: &Call) -> bool {
    // It lets nobody in by itself: what the attacker does to it anew is other evidence.
    if is_by_hand(step) {
        return false;
    }
    let own = incident.identification().and_then(|found| found.name.as_deref());
    match (step.as_str(), role_session(&call.principal)) {
        ("root", _) => call.principal.ends_with(":root"),
        ("service-linked-role" | "identity-center-role", Some((_, role, _))) => own == Some(role),
        (step, Some((_, role, _))) => step.ends_with(&format!(".{role}")),
        _ => false,
    }
}

/// Whether people may settle a step: one that the bot has no action for, and one that is neither done nor under way and is a
/// removal, a door to close to somebody from outside, or what has failed. How AWS stands can make of it one that the bot
/// refuses to carry out, or that AWS turns away (an attacker can fill a quota), and then nobody else would end it; and whoever
/// was let in by right can be told to see to it where they come from.
pub fn is_for_people(incident: &Incident, step: &Step) -> bool {
    match &step.offer {
        Offer::Refused { .. } => true,
        Offer::Action(action) => {
            let failed = |request: &Request| matches!(request.state, RequestState::Failed { .. });
            let at_once = action.class() == ActionClass::Eradicate || matches!(action, Action::DenyOutsider(_));
            (at_once || incident.requests_for(&step.id).next().is_some_and(failed))
                && !is_undo(&step.id)
                && in_force(incident, &step.id).is_none()
                && !incident.requests_for(&step.id).any(|request| request.state.is_open())
        }
    }
}

/// Whether two people's word stands for a step of the bot's. What was carried out since, and lost, is another matter.
pub(super) fn settled(incident: &Incident, step: &Step) -> bool {
    is_for_people(incident, step) && matches!(said(incident, step), Said::ByTwo(_))
}

/// Checks that somebody may say that a step is done by hand, before they are shown the form, and says which it is.
pub fn may_say(incident: &Incident, actor: &Actor, step: &StepId, cx: Context<'_>) -> Result<Step, Refusal> {
    if !incident.is_open() {
        return Err(Refusal::Closed(incident.id));
    }
    check_impartial(incident, cx.policy, actor)?;
    rules::check(incident, cx.policy)?;
    if incident.sample {
        return Err(Refusal::Sample);
    }
    freeze::check(incident)?;
    let found = steps(incident, cx.playbook).into_iter().find(|of| of.id == *step);
    let found = found.filter(|of| is_for_people(incident, of)).ok_or_else(|| {
        Refusal::NotApplicable("This is nothing that people do by hand, or it does not apply any more.".into())
    })?;
    if let Said::ByTwo(hand) = said(incident, &found) {
        return Err(Refusal::NotApplicable(format!(
            "{} has said already that it is done, and somebody else has confirmed it. Take that back first.",
            mention(&hand.by)
        )));
    }
    Ok(found)
}

/// Somebody says what they have done. It counts for nothing before somebody else confirms it.
pub(super) fn say(
    incident: &Incident,
    actor: &Actor,
    step: &StepId,
    done: String,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let found = may_say(incident, actor, step, cx)?;
    let (about, title) = (about(&found), found.title);
    let (by, person) = (actor.user.clone(), actor.person.clone());
    Ok(vec![Event::HandDone { step: step.clone(), title, done, about, by, person }])
}

/// The word that a card showed, if it still stands.
fn shown_word<'a>(incident: &'a Incident, step: &StepId, shown: &str) -> Result<&'a Hand, Refusal> {
    incident.hands.get(step).filter(|hand| hand.shown() == shown).ok_or_else(|| {
        Refusal::NotApplicable(
            "What is said of this step has changed since this card was drawn. Look at the newest one, and press there."
                .into(),
        )
    })
}

/// Somebody else has looked, and confirms it. One of the two has to be an approver, and both have to count as they are now.
pub(super) fn confirm(
    incident: &Incident,
    actor: &Actor,
    step: &StepId,
    shown: &str,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let found = may_say(incident, actor, step, cx)?;
    let hand = shown_word(incident, step, shown)?;
    if hand.about != about(&found) || hand.confirmed.is_some() {
        return Err(Refusal::NotApplicable(
            "There is other evidence since this was said. Whoever has done what it takes says so anew.".into(),
        ));
    }
    if hand.person == actor.person {
        return Err(Refusal::Other("You said yourself that it is done, so somebody else has to confirm it.".into()));
    }
    let counts = cx.policy.is_responder(&hand.person) && !recused(incident, cx.policy).contains_key(&hand.person);
    if !counts {
        return Err(Refusal::Other(format!(
            "{} may not say so any more. Say yourself what was done, and have somebody else confirm it.",
            mention(&hand.by)
        )));
    }
    if ![&hand.person, &actor.person].into_iter().any(|person| cx.policy.is_approver(person)) {
        return Err(Refusal::Other("One of the two who say so has to be an approver. Ask one to confirm it.".into()));
    }
    let (by, person) = (actor.user.clone(), actor.person.clone());
    Ok(vec![Event::HandConfirmed { step: step.clone(), title: hand.title.clone(), by, person }])
}

/// Somebody takes it back: then it is to be done. For that one is enough.
pub(super) fn take_back(
    incident: &Incident,
    actor: &Actor,
    step: &StepId,
    shown: &str,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    check_impartial(incident, cx.policy, actor)?;
    let title = shown_word(incident, step, shown)?.title.clone();
    Ok(vec![Event::HandTakenBack { step: step.clone(), title, by: actor.user.clone() }])
}
