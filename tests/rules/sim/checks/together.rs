//! What the auditor asks of requests that were asked for together.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use irp::domain::approval::Digest;
use irp::domain::id::{RequestId, UserId};

use super::{Case, Held, Phase, Scene, must};

impl Case {
    /// One press of one person has made all of a burst.
    pub(super) fn belongs(&self, request: RequestId, burst: Option<RequestId>, by: &UserId) -> Result<(), String> {
        let Some(first) = burst.filter(|first| *first != request) else { return Ok(()) };
        let fits = self.requests.get(&first).is_some_and(|held| held.burst == Some(first) && held.by == *by);
        must(fits, "asked for together with what is not of the same person, or not there")
    }

    /// Somebody has pressed a button of this request, or of one that was asked for together with it, and that
    /// button had the digest of them all. When they last did.
    pub(super) fn pressed(
        &self,
        scene: &Scene<'_>,
        by: &UserId,
        verb: &str,
        id: RequestId,
        held: &Held,
    ) -> Result<DateTime<Utc>, String> {
        let fellows = self.fellows(id, held);
        let digests: Vec<&Digest> = fellows.values().map(|fellow| &fellow.digest).collect();
        let shared = match digests[..] {
            [alone] => alone.clone(),
            _ => Digest::of(&digests),
        };
        let button = |(id, fellow): (&RequestId, &&Held)| {
            let mut words = format!("{verb} {id} {}", shared.short());
            if verb == "break" {
                words = format!("{words} {}", fellow.plan.action.target());
            }
            scene.clicked.get(&(by.clone(), words)).copied()
        };
        fellows.iter().filter_map(button).max().ok_or_else(|| "nobody has clicked on all of it".to_owned())
    }

    /// No other one of those that were asked for together has its call out, or whoever makes that has had their time.
    pub(super) fn has_its_turn(&self, id: RequestId, held: &Held, at: DateTime<Utc>) -> Result<(), String> {
        let is_out = |fellow: &Held| {
            let unanswered = matches!(fellow.phase, Phase::Started { .. }) && fellow.answer.is_none();
            unanswered && fellow.out_until.is_some_and(|until| at < until)
        };
        let fellows = self.fellows(id, held);
        must(
            !fellows.iter().any(|(fellow, held)| *fellow != id && is_out(held)),
            "begun while another one of the same press is out",
        )
    }

    /// A request, and those that were asked for together with it, in order.
    pub(super) fn fellows<'a>(&'a self, id: RequestId, held: &'a Held) -> BTreeMap<RequestId, &'a Held> {
        let of_burst = self.requests.iter().filter(|(_, other)| held.burst.is_some() && other.burst == held.burst);
        of_burst.map(|(id, held)| (*id, held)).chain([(id, held)]).collect()
    }
}
