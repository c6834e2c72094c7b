//! What has happened in a run, for knowing that the runs are worth something.

use irp::domain::incident::event::Event;

use super::{Audit, Phase};

impl Audit {
    /// Counts something that has happened.
    pub(in super::super) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::ApprovalRequested { burst: Some(_), .. } => self.note("asked together"),
            Event::ApprovalGiven { request, .. } if self.held(*request).is_some_and(|held| held.burst.is_some()) => {
                self.note("approved together");
            }
            Event::ContainmentChecked { lost, new_keys, .. } => {
                for _ in lost {
                    self.note("containments lost");
                }
                for _ in new_keys {
                    self.note("new keys");
                }
            }
            _ => {}
        }
    }

    /// Nothing is left that should have been done long ago, and what is open can be decided by the newest rules.
    pub(in super::super) fn at_rest(&mut self, newest: usize) {
        let mut left = Vec::new();
        for (id, case) in &self.cases {
            // Also where they were once read by a clock that was ahead: all were read anew since.
            if !case.closed && !case.goes_by(newest) {
                left.push(format!("{id} can be decided by nobody: its rules are {:?}", case.rules));
            }
            for (id, held) in &case.requests {
                if !matches!(held.phase, Phase::Ended(_)) {
                    left.push(format!("{id} is forgotten: {:?}", held.phase));
                }
                if let Phase::Ended(how) = held.phase {
                    *self.seen.entry(how).or_default() += 1;
                }
            }
        }
        if let Some(why) = left.into_iter().next() {
            self.fail(why);
        }
    }
}
