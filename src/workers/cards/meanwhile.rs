//! What people themselves are told while something else waits, and is looked at again and again: a plan can wait for its
//! upload as long as for its approval.

use std::time::{Duration, Instant};

use super::{Look, Unfinished, WAITS, Workers};
use crate::domain::id::IncidentId;

/// Who has been told, by states of the log.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In which everybody heard what one person alone has let run.
    of_glass: usize,
    /// In which those who are not in the war room were asked, too.
    of_all: usize,
    /// In which it was tried last and did not work.
    tried: usize,
    failures: usize,
    /// Before then it is not tried again in the same state.
    again_at: Option<Instant>,
}

impl Told {
    fn is_due(&self, state: usize, only_of_glass: bool, now: Instant) -> bool {
        let told = self.of_all == state || (only_of_glass && self.of_glass == state);
        !told && (self.tried != state || self.again_at.is_none_or(|at| at <= now))
    }

    const fn worked(&mut self, state: usize, only_of_glass: bool) {
        self.of_glass = state;
        if !only_of_glass {
            self.of_all = state;
        }
        self.failures = 0;
        self.again_at = None;
    }

    fn failed(&mut self, state: usize, now: Instant) {
        let wait: Duration = WAITS[self.failures.min(WAITS.len() - 1)];
        self.failures += 1;
        self.tried = state;
        self.again_at = Some(now + wait);
    }
}

impl Workers {
    /// The same as [`Self::tell_absent`], once for each state of the log. While an edit waits only of broken glass: it is over
    /// in a moment, and who is in the room is asked after that. What fails is tried again ever more rarely and holds up
    /// neither cards nor uploads; nothing counts as in line while something waits, so that it is not forgotten either.
    pub(super) async fn tell_meanwhile(
        &self,
        id: IncidentId,
        look: &Look,
        edit_waits: bool,
        told: &mut Told,
    ) -> Result<(), Unfinished> {
        let state = look.records.len();
        if !told.is_due(state, edit_waits, Instant::now()) {
            return Ok(());
        }
        let outcome = if edit_waits {
            Box::pin(self.tell_of_glass(id, look)).await
        } else {
            Box::pin(self.tell_absent(id, look)).await
        };
        match outcome {
            Ok(()) => told.worked(state, edit_waits),
            Err(Unfinished::Store(error)) => return Err(error.into()),
            Err(Unfinished::Waiting(_)) => told.failed(state, Instant::now()),
            Err(Unfinished::Chat(error)) => {
                tracing::warn!(incident.id = %id, %error, "somebody who could decide is not told yet; trying again");
                self.metrics.failed("cards");
                told.failed(state, Instant::now());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_the_log_is_told_once_and_what_fails_is_tried_again_ever_more_rarely() {
        let (mut told, start) = (Told::default(), Instant::now());
        assert!(told.is_due(3, false, start));
        told.worked(3, true);
        assert!(!told.is_due(3, true, start) && told.is_due(3, false, start), "nobody was asked yet");
        for wait in WAITS.iter().chain(&WAITS[WAITS.len() - 1..]) {
            told.failed(3, start);
            let just_before = wait.saturating_sub(Duration::from_millis(1));
            assert!(!told.is_due(3, false, start + just_before), "{wait:?}");
            assert!(told.is_due(3, false, start + *wait), "{wait:?}");
        }
        assert!(told.is_due(4, false, start), "what is new does not wait for it");
        told.worked(4, false);
        assert!(!told.is_due(4, false, start) && !told.is_due(4, true, start));
        told.failed(5, start);
        assert!(!told.is_due(5, false, start) && told.is_due(5, false, start + WAITS[0]), "as if it were the first");
    }
}
