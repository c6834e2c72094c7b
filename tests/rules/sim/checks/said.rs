//! What the auditor asks of what people say of the incident itself: who leads, whom it is about, what was not them, and what
//! they take back or end.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use irp::domain::id::{RequestId, UserId};
use irp::domain::incident::event::Event;

use super::{Case, Held, Scene, human, must};
use crate::sim::people::{ACCOUNTS, Roster, user};

impl Case {
    pub(super) fn frozen(&self) -> bool {
        !self.disputed.is_empty()
    }

    pub(super) fn said(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        match &scene.record.event {
            Event::SubjectNamed { user, by } => {
                scene.has_clicked(by, format!("name {user}"))?;
                self.may_work(scene, by)?;
                self.subjects.extend(human(user));
            }
            Event::LeadTaken { by } => {
                scene.has_clicked(by, "take the lead".into())?;
                self.may_work(scene, by)?;
                self.lead = Some(by.clone());
            }
            Event::Frozen { by, request } => {
                scene.has_clicked(by, format!("not me {request}"))?;
                scene.is_member(by, 0)?;
                self.disputed.insert(by.clone());
                self.agreed.clear();
                let theirs = |held: &Held| held.yes.iter().chain([&held.by]).any(|user| human(user) == human(by));
                for held in self.requests.values_mut().filter(|held| theirs(held)) {
                    held.disputed = true;
                }
            }
            Event::UnfreezeAgreed { by, .. } => {
                scene.has_clicked(by, "unfreeze".into())?;
                scene.is_member(by, 0)?;
                let who = human(by).ok_or("somebody who does not exist")?;
                must(self.may_lift(scene, self.in_force(scene)?, who), "a freeze lifted by somebody who may not")?;
                self.agreed.insert(by.clone());
            }
            Event::Unfrozen => self.unfrozen(scene)?,
            _ => {}
        }
        Ok(())
    }

    /// Somebody on the lists, whom it is not about, and in whose name nothing was done that was not them.
    pub(super) fn may_work(&self, scene: &Scene<'_>, by: &UserId) -> Result<(), String> {
        let who = human(by).ok_or("somebody who does not exist")?;
        must(!self.subjects.contains(&who), "the recused have a say in it")?;
        must(!self.disputes(who), "an account that may be in other hands has a say in it")?;
        let roster = self.in_force(scene)?;
        let listed = scene.on(&roster.responders, roster, who) || scene.on(&roster.approvers, roster, who);
        must(listed, "somebody has a say in it who is on no list")?;
        scene.is_member(by, 0)
    }

    fn disputes(&self, who: usize) -> bool {
        self.disputed.iter().any(|user| human(user) == Some(who))
    }

    fn leads(&self) -> Option<usize> {
        self.lead.as_ref().and_then(human)
    }

    /// The lead, whom the lists still have, and approvers.
    fn may_lift(&self, scene: &Scene<'_>, roster: &Roster, who: usize) -> bool {
        let responds = self.leads() == Some(who) && scene.on(&roster.responders, roster, who);
        !self.disputes(who) && !self.subjects.contains(&who) && (responds || scene.on(&roster.approvers, roster, who))
    }

    fn unfrozen(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let roster = self.in_force(scene)?;
        let people = self.agreed.iter().filter_map(human);
        let agreed: BTreeSet<usize> = people.filter(|who| self.may_lift(scene, roster, *who)).collect();
        must(agreed.len() >= 2, "a freeze lifted by fewer than two who may")?;
        must(self.leads().is_some_and(|lead| agreed.contains(&lead)), "a freeze lifted without the lead")?;
        self.disputed.clear();
        self.agreed.clear();
        Ok(())
    }

    /// This human has pressed such a button of a request, or of one that was asked for together with it, by whichever of their
    /// accounts. When they last did.
    pub(super) fn on_one_of(
        &self,
        scene: &Scene<'_>,
        who: usize,
        verb: &str,
        id: RequestId,
        held: &Held,
    ) -> Result<DateTime<Utc>, String> {
        let fellows = self.fellows(id, held);
        let theirs = ACCOUNTS.iter().filter(|(_, of)| *of == who).map(|(account, _)| user(account));
        let pressed = theirs.flat_map(|account| {
            fellows.keys().filter_map(move |id| scene.clicked.get(&(account.clone(), format!("{verb} {id}"))).copied())
        });
        pressed.max().ok_or_else(|| "nobody has clicked that".to_owned())
    }

    /// A request ends with somebody's word: the lead's, or that of whoever was not behind it; with the rules, or with the
    /// incident.
    pub(super) fn cancelled(&self, scene: &Scene<'_>, why: &str, id: RequestId, held: &Held) -> Result<(), String> {
        let named = why.strip_prefix("<@").and_then(|rest| rest.split_once('>'));
        let Some((by, what)) = named else {
            let other_rules = self.rules.as_ref().is_some_and(|(version, _)| *version != held.plan.policy_version);
            return must(why.starts_with("the rules in") && other_rules, "cancelled for no reason");
        };
        let by = user(by);
        let who = human(&by).ok_or("somebody who does not exist")?;
        if what.contains("closed the incident") {
            scene.has_clicked(&by, "close".into())?;
            return self.may_work(scene, &by);
        }
        if what.contains("who leads") {
            must(self.leads() == Some(who), "cancelled by another than the lead")?;
            return self.on_one_of(scene, who, "cancel", id, held).map(drop);
        }
        let mut behind = held.yes.iter().chain([&held.by]).chain(held.glass.iter().map(|glass| &glass.by));
        let theirs = behind.any(|user| human(user) == Some(who));
        must(theirs && self.disputes(who), "cancelled as not theirs by somebody who has nothing to do with it")
    }
}
