//! Going on without proof that the containment holds: two people accept that risk, in their names and with a
//! reason, and one of them is an approver.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};

use super::decide::Context;
use super::event::Event;
use super::freeze;
use super::rules;
use super::state::Incident;
use super::steps::{contained, missing};
use super::verdict::{Verdict, standing};
use crate::domain::id::UserId;
use crate::domain::policy::{Actor, PersonId};
use crate::domain::recusal::{check_impartial, recused};
use crate::domain::refusal::Refusal;

/// Who accepts the risk of the containment as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Risk {
    /// Who has, by which account, and why.
    pub agreed: BTreeMap<PersonId, (UserId, String)>,
    /// When it took effect.
    pub accepted_at: Option<DateTime<Utc>>,
}

/// What names a containment on a button: who presses it has seen this one.
pub fn containment_shown(incident: &Incident) -> Option<i64> {
    incident.watch.map(|watch| watch.since.trunc_subsecs(3).timestamp_millis())
}

/// Checks that somebody may accept it, before they are shown the form.
pub fn may_accept(incident: &Incident, actor: &Actor, shown: i64, cx: Context<'_>) -> Result<(), Refusal> {
    if !incident.is_open() {
        return Err(Refusal::Closed(incident.id));
    }
    check_impartial(incident, cx.policy, actor)?;
    rules::check(incident, cx.policy)?;
    if incident.sample {
        return Err(Refusal::Sample);
    }
    freeze::check(incident)?;
    if let Some(Verdict::Failed { .. }) = standing(incident, cx.playbook) {
        return Err(Refusal::NotApplicable(
            "A call of the attacker's has worked after the containment, so there is nothing to accept: contain it \
             first."
                .into(),
        ));
    }
    if !contained(incident, cx.playbook) {
        let left: Vec<String> = missing(incident, cx.playbook).into_iter().map(|(step, _)| step.title).collect();
        let left = if left.is_empty() { "which steps it takes is not known yet".to_owned() } else { left.join("; ") };
        return Err(Refusal::NotApplicable(format!(
            "Containment is not done, so there is no risk to accept yet: {left}."
        )));
    }
    if containment_shown(incident) != Some(shown) {
        return Err(Refusal::NotApplicable(
            "The containment has changed since this card was drawn. Look at the newest one, and press there if you \
             still mean it."
                .into(),
        ));
    }
    if standing(incident, cx.playbook) == Some(&Verdict::Verified) {
        return Err(Refusal::NotApplicable("The containment is verified: there is no risk left to accept.".into()));
    }
    let Some(risk) = &incident.risk else { return Ok(()) };
    if risk.accepted_at.is_some() {
        return Err(Refusal::NotApplicable("Two people have accepted it already.".into()));
    }
    if risk.agreed.contains_key(&actor.person) {
        return Err(Refusal::Other(
            "You have accepted it already. It takes a second person, and one of the two has to be an approver.".into(),
        ));
    }
    Ok(())
}

/// One person accepts it. With the second it takes effect, if one of them is an approver and both still may.
pub(super) fn accept(
    incident: &Incident,
    actor: &Actor,
    shown: i64,
    reason: String,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    may_accept(incident, actor, shown, cx)?;
    let recused = recused(incident, cx.policy);
    let counts = |person: &&PersonId| cx.policy.is_responder(person) && !recused.contains_key(*person);
    let others = incident.risk.iter().flat_map(|risk| risk.agreed.keys());
    let people: Vec<&PersonId> = others.chain([&actor.person]).filter(counts).collect();
    let accepted = people.len() >= 2 && people.iter().any(|person| cx.policy.is_approver(person));
    let mut events = vec![Event::RiskAgreed { by: actor.user.clone(), person: actor.person.clone(), reason }];
    events.extend(accepted.then_some(Event::RiskAccepted));
    Ok(events)
}
