//! What the auditor asks of the watch over what was put in place, and of a closing that says that all is in place.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use irp::domain::action::{Action, ApiCall};
use irp::domain::credential::AccessKeyId;
use irp::domain::id::{RequestId, StepId};
use irp::domain::incident::event::{Lost, Outcome};
use irp::domain::observation::{KeyStatus, Observation, Probe};
use irp::domain::policy::ActionClass;

use super::{Case, Held, Phase, Scene, must};
use crate::sim::cloud::USER;

impl Case {
    /// What is said to hold, or to be lost, is what AWS has shown to whoever says so.
    pub(super) fn checked(
        &mut self,
        scene: &Scene<'_>,
        held: &[RequestId],
        lost: &[Lost],
        new_keys: &[AccessKeyId],
    ) -> Result<(), String> {
        let said = held.iter().map(|id| (*id, true)).chain(lost.iter().map(|lost| (lost.request, false)));
        for (id, holds) in said {
            let of = self.requests.get_mut(&id).ok_or("a request that nobody made")?;
            must(of.plan.action.class() == ActionClass::Contain, "a watch over an undo")?;
            must(of.is_done() && !of.lost, "a watch over what is not in force")?;
            let (seen, _) = scene.read(&of.plan.action.probe()).ok_or("said without reading AWS")?;
            must(
                of.still_shown(seen) == holds,
                if holds { "said to hold, and AWS shows it lost" } else { "said to be lost, and AWS shows it" },
            )?;
            of.lost = !holds;
        }
        // Keys that came with who it is are in the record that follows.
        let Some((Observation::UserKeys { keys, .. }, _)) = scene.read(&Probe::UserKeys { user_name: USER.into() })
        else {
            return Ok(());
        };
        must(new_keys.iter().all(|new| keys.iter().any(|(key, _)| key == new)), "a new key that AWS has not shown")
    }

    /// Nobody closes over what one person did alone and nobody has judged; and what is called resolved without
    /// another word has its revocations in force.
    pub(super) fn may_close(&self, outcome: Outcome, note: &str) -> Result<(), String> {
        let owing = |held: &Held| held.glass.as_ref().is_some_and(|glass| glass.owing);
        must(!self.requests.values().any(owing), "closed over an open debt")?;
        if outcome != Outcome::Resolved || !note.is_empty() {
            return Ok(());
        }
        let undone: Vec<RequestId> =
            self.requests.values().filter(|held| held.is_done()).filter_map(Held::undoes).collect();
        let mut newest: BTreeMap<&StepId, &Held> = BTreeMap::new();
        for (id, held) in &self.requests {
            let revokes =
                matches!(held.plan.action, Action::RevokeUserSessions { .. } | Action::RevokeRoleSessions { .. });
            if revokes && held.is_done() && !undone.contains(id) {
                newest.insert(&held.plan.step, held);
            }
        }
        must(!newest.is_empty(), "resolved without any revocation in force")?;
        must(newest.values().all(|held| !held.lost), "resolved over a containment that is lost")
    }
}

impl Held {
    const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Ended(how) if matches!(how.as_bytes(), b"verified" | b"verified after a doubt" | b"no-op"))
    }

    fn undoes(&self) -> Option<RequestId> {
        self.plan.action.undoes()
    }

    /// Whether this is still as good as what was put in place.
    fn still_shown(&self, seen: &Observation) -> bool {
        let same = seen.owner_id() == self.plan.before.owner_id();
        same && match seen {
            Observation::AccessKey { status, .. } => *status != Some(KeyStatus::Active),
            Observation::InlinePolicy { document, .. } => {
                let put = self.sent.iter().find_map(ApiCall::document).and_then(denied_before);
                let is = document.as_deref().and_then(denied_before);
                is.is_some() && is >= put
            }
            _ => false,
        }
    }
}

/// Sessions issued before this are denied.
fn denied_before(document: &str) -> Option<DateTime<Utc>> {
    let (_, rest) = document.split_once("aws:TokenIssueTime")?;
    rest.split('"').find_map(|part| part.parse().ok())
}
