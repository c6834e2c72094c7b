//! What the auditor asks of requests that were asked for together.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use irp::domain::approval::Digest;
use irp::domain::id::{RequestId, UserId};

use super::{Case, Held, Scene, must};

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

    /// A request, and those that were asked for together with it, in order.
    pub(super) fn fellows<'a>(&'a self, id: RequestId, held: &'a Held) -> BTreeMap<RequestId, &'a Held> {
        let of_burst = self.requests.iter().filter(|(_, other)| held.burst.is_some() && other.burst == held.burst);
        of_burst.map(|(id, held)| (*id, held)).chain([(id, held)]).collect()
    }
}
