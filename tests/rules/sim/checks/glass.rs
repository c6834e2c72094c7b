//! What the auditor asks of what one person does alone.

use chrono::{DateTime, Utc};
use irp::domain::id::{RequestId, UserId};
use irp::domain::policy::ActionClass;

use super::{Case, Glass, Held, Phase, Scene, human, must};

impl Case {
    /// Somebody whom the rules name, as everybody is at this moment, and for a containment.
    pub(super) fn may_act_alone(
        &self,
        scene: &Scene<'_>,
        held: &Held,
        user: &UserId,
        after_ms: u64,
    ) -> Result<(), String> {
        must(held.plan.action.class() == ActionClass::Contain, "one person alone takes something back")?;
        let who = human(user).ok_or("somebody who does not exist")?;
        must(!self.subjects.contains(&who), "the recused act alone")?;
        let roster = self.roster(scene, &held.plan)?;
        let named = roster.glass.iter().any(|user| human(user) == Some(who));
        must(named, "somebody acts alone whom the rules do not name")?;
        let listed = scene.on(&roster.responders, roster, who) || scene.on(&roster.approvers, roster, who);
        must(listed, "somebody acts alone who is on no list")?;
        scene.is_member(user, after_ms)
    }

    pub(super) fn broken(
        &self,
        scene: &Scene<'_>,
        held: &mut Held,
        (id, by): (RequestId, &UserId),
        until: DateTime<Utc>,
    ) -> Result<(), String> {
        self.pressed(scene, by, "break", id, held)?;
        must(!self.frozen(), "the glass broken while frozen")?;
        must(held.phase == Phase::Waiting, "the glass broken for what does not wait")?;
        must(scene.record.at <= held.plan.approve_by, "the glass broken after the time to decide")?;
        self.may_act_alone(scene, held, by, 0)?;
        held.glass = Some(Glass { by: by.clone(), owing: true });
        held.phase = Phase::Approved { since_ms: scene.now_ms, until };
        Ok(())
    }

    /// Another approver says whether it was right, once, and when it is known what came of it.
    pub(super) fn settled(&mut self, scene: &Scene<'_>, verb: &str, id: RequestId, by: &UserId) -> Result<(), String> {
        let held = self.requests.get(&id).ok_or("a request that nobody made")?;
        let on_one = self.fellows(id, held).keys().any(|id| scene.has_clicked(by, format!("{verb} {id}")).is_ok());
        must(on_one, "nobody has clicked that")?;
        let glass = held.glass.as_ref().filter(|glass| glass.owing).ok_or("nothing is owed")?;
        let under_way = matches!(held.phase, Phase::Approved { .. } | Phase::Started { .. });
        must(!under_way, "judged before it is known what it did")?;
        let who = human(by).ok_or("somebody who does not exist")?;
        must(human(&glass.by) != Some(who), "one person judges what they did alone")?;
        must(human(&held.by) != Some(who), "the requester judges what was done for them")?;
        must(!self.subjects.contains(&who), "the recused judge")?;
        let roster = self.in_force(scene)?;
        must(scene.on(&roster.approvers, roster, who), "somebody judges who is no approver")?;
        scene.is_member(by, 0)?;
        self.requests.get_mut(&id).and_then(|held| held.glass.as_mut()).into_iter().for_each(|g| g.owing = false);
        Ok(())
    }
}
