//! What the auditor asks of calls, and of what AWS has shown.

use irp::domain::action::{Action, ApiCall, CUT_OFF};
use irp::domain::approval::Warrant;
use irp::domain::observation::{KeyStatus, Observation};
use serde_json::Value;

use super::{Held, Phase, Scene, human, must};
use crate::sim::schedule::By;

impl Held {
    /// The warrant is for what was started, by whoever started it, and for the first time.
    pub(super) fn applied(&mut self, by: By, warrant: &Warrant, clocks_apart: bool) -> Result<(), String> {
        self.sent_to_aws += 1;
        must(self.sent_to_aws == 1, "a second AWS call for one request")?;
        match &self.phase {
            Phase::Started { by: starter, sent } => {
                must(*starter == by, "a call by another than who started it")?;
                must(sent == warrant.calls(), "another call than is in the log")?;
            }
            // With clocks so far apart, another may have taken the starter for dead.
            Phase::Ended("not known" | "verified" | "verified after a doubt") if clocks_apart => {}
            other => return Err(format!("an AWS call without its start in the log: {other:?}")),
        }
        must(*warrant.requester() == self.by, "a warrant in another's name")?;
        if let Some(glass) = &self.glass {
            return must(glass.by == *warrant.approver(), "a warrant for another than who broke the glass");
        }
        let given = self.yes.iter().any(|user| user == warrant.approver());
        must(given, "a warrant in the name of one who has not approved")?;
        must(human(warrant.approver()) != human(warrant.requester()), "one human behind a call")
    }

    /// What goes out is what was approved, against AWS as it was shown to the approvers.
    pub(super) fn as_planned(&self, scene: &Scene<'_>, sent: &[ApiCall]) -> Result<(), String> {
        let planned = &self.plan.work.calls;
        let alike =
            planned.len() == sent.len() && planned.iter().zip(sent).all(|(plan, sent)| is_filled_in(plan, sent));
        must(alike, "other calls than were approved")?;
        let Phase::Approved { since_ms, .. } = self.phase else { return Err("it is not approved".into()) };
        let fresh = scene.read(&self.plan.action.probe()).filter(|(_, at_ms)| *at_ms >= since_ms);
        let (seen, _) = fresh.ok_or("AWS was not read before the call")?;
        must(is_same(&self.plan.before, seen), "AWS is not as the approvers saw it")
    }

    /// This task's last reading of AWS shows that the calls hold, for the same user or role.
    pub(super) fn shows(&self, scene: &Scene<'_>, calls: &[ApiCall]) -> Result<(), String> {
        let (seen, _) = scene.read(&self.plan.action.probe()).ok_or("verified without reading AWS")?;
        must(seen.owner_id() == self.plan.before.owner_id(), "verified on another user or role of the same name")?;
        let holds = match (&self.plan.action, seen) {
            (Action::DeactivateAccessKey { .. }, Observation::AccessKey { status, .. }) => {
                *status == Some(KeyStatus::Inactive)
            }
            (_, Observation::InlinePolicy { document, .. }) => {
                let wanted = calls.last().and_then(ApiCall::document);
                json(wanted) == json(document.as_deref())
            }
            _ => false,
        };
        must(holds, "verified, and AWS does not show it")
    }
}

fn json(document: Option<&str>) -> Option<Value> {
    document.map(|text| serde_json::from_str(text).unwrap_or(Value::Null))
}

/// The planned call, with nothing but the cut-off filled in.
fn is_filled_in(planned: &ApiCall, sent: &ApiCall) -> bool {
    let (Some(plan), Some(document)) = (planned.document(), sent.document()) else { return planned == sent };
    let names = |call: &ApiCall| {
        let parameters = call.parameters().into_iter().filter(|(name, _)| *name != "PolicyDocument");
        (call.iam_action(), parameters.collect::<Vec<_>>())
    };
    let filled = match plan.split_once(CUT_OFF) {
        None => plan == document,
        Some((before, after)) => document
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|date| date.parse::<chrono::DateTime<chrono::Utc>>().is_ok()),
    };
    filled && names(planned) == names(sent)
}

fn is_same(before: &Observation, now: &Observation) -> bool {
    match (before, now) {
        (
            Observation::InlinePolicy { owner_id: was_id, document: was, .. },
            Observation::InlinePolicy { owner_id, document, .. },
        ) => was_id == owner_id && json(was.as_deref()) == json(document.as_deref()),
        _ => before == now,
    }
}
