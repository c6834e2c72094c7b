//! What the auditor asks of those who stand behind a call.

use std::collections::BTreeSet;

use irp::domain::id::UserId;
use irp::domain::policy::ActionClass;

use super::{Case, Held, Phase, Scene, human, must};

impl Case {
    /// An eligible approver, as everybody is at this moment.
    pub(super) fn may_decide(
        &self,
        scene: &Scene<'_>,
        held: &Held,
        user: &UserId,
        after_ms: u64,
    ) -> Result<(), String> {
        let who = human(user).ok_or("somebody who does not exist")?;
        must(Some(who) != human(&held.by), "the requester decides on their own request")?;
        must(!self.subjects.contains(&who), "the recused decide")?;
        let roster = self.roster(scene, &held.plan)?;
        must(scene.on(&roster.approvers, roster, who), "somebody decides who is not on the list")?;
        scene.is_member(user, after_ms)
    }

    /// Two different people, both eligible at this moment, stand behind it.
    pub(super) fn stands(&self, scene: &Scene<'_>, held: &Held) -> Result<(), String> {
        let Phase::Approved { since_ms, until } = &held.phase else {
            return Err(format!("it runs without being approved: {:?}", held.phase));
        };
        must(!self.frozen(), "it runs while frozen")?;
        must(!held.disputed, "it runs though somebody behind it has said that they were not")?;
        must(scene.record.at <= *until, "it runs after its time to execute")?;
        let roster = self.roster(scene, &held.plan)?;
        let asker = human(&held.by).ok_or("somebody who does not exist")?;
        let listed = scene.on(&roster.responders, roster, asker) || scene.on(&roster.approvers, roster, asker);
        must(listed, "the requester is on no list any more")?;
        scene.is_member(&held.by, *since_ms)?;
        if let Some(glass) = &held.glass {
            return self.may_act_alone(scene, held, &glass.by, *since_ms);
        }
        let mut sound = BTreeSet::new();
        for user in &held.yes {
            self.may_decide(scene, held, user, *since_ms)?;
            sound.extend(human(user));
        }
        let class: ActionClass = held.plan.action.class();
        must(!sound.is_empty() && sound.len() >= usize::from(roster.quorum[&class]), "too few different people")
    }
}
