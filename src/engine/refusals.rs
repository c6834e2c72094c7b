//! What becomes of refused attempts: each is in the incident's log, up to so many a minute for each person; of what is more,
//! their number is, with the next that is, or when the minute is over.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::{CONFLICT_ATTEMPTS_MAX, Engine, EngineError};
use crate::domain::id::{IncidentId, UserId};
use crate::domain::incident::command::Attempt;
use crate::domain::incident::decide::{self, REFUSALS_WITHIN};
use crate::domain::incident::event::Event;
use crate::domain::incident::state::Incident;
use crate::domain::policy::Actor;
use crate::domain::refusal::Refusal;
use crate::ports::{AppendError, StoreError};

/// Of so many people in incidents at once it is counted what is left out.
const COUNTED_MAX: usize = 1_000;

/// Whose attempts, and at what.
type Of = (IncidentId, UserId);

/// Refused attempts of one person in one incident that are in no log yet.
struct Attempts {
    /// When the first of them came, or when they were last tried to be written down.
    since: DateTime<Utc>,
    number: u32,
    /// The record of the newest.
    newest: Event,
}

impl Attempts {
    /// All of them in one record.
    fn record(&self) -> Event {
        let mut record = self.newest.clone();
        if let Event::AttemptRefused { left_out, .. } = &mut record {
            *left_out = self.number.checked_sub(1).filter(|others| *others > 0);
        }
        record
    }
}

/// What this process has left out of the logs so far. Its count ends with it.
#[derive(Default)]
pub(super) struct LeftOut(Mutex<BTreeMap<Of, Attempts>>);

impl LeftOut {
    fn counted(&self) -> MutexGuard<'_, BTreeMap<Of, Attempts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, of: &Of) -> Option<Attempts> {
        self.counted().remove(of)
    }

    /// Counts these too.
    fn put(&self, of: Of, attempts: Attempts) {
        let mut counted = self.counted();
        let room = counted.len() < COUNTED_MAX;
        match counted.entry(of) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.number = known.number.saturating_add(attempts.number);
                known.newest = attempts.newest;
            }
            Entry::Vacant(place) if room => {
                place.insert(attempts);
            }
            Entry::Vacant(place) => {
                let (id, user) = place.key();
                tracing::warn!(incident.id = %id, slack.user = %user, "refused attempts are neither recorded nor counted");
            }
        }
    }

    /// Those whose minute is over: they are counted here no more.
    fn take_due(&self, now: DateTime<Utc>) -> Vec<(Of, Attempts)> {
        let mut counted = self.counted();
        let is_due = |attempts: &Attempts| now - attempts.since >= REFUSALS_WITHIN;
        let due: Vec<Of> = counted.iter().filter(|(_, a)| is_due(a)).map(|(of, _)| of.clone()).collect();
        due.iter().filter_map(|of| counted.remove_entry(of)).collect()
    }
}

impl Engine {
    /// Writes a refused attempt down, and hands the refusal on: also in an incident that is closed, whose log takes
    /// nothing else any more. The refusal stands whether or not the record could be written.
    pub(super) async fn audit(
        &self,
        incident: &Incident,
        actor: &Actor,
        attempt: Attempt<'_>,
        refusal: Refusal,
    ) -> EngineError {
        let policy = self.rules();
        let newest = decide::refused(actor, attempt, &refusal, self.context(&policy));
        let one = Attempts { since: self.now(), number: 1, newest };
        Box::pin(self.record_refused(incident.clone(), &actor.user, one)).await;
        refusal.into()
    }

    /// Writes down how many attempts were left out, once their minute is over and no other has come to say it with.
    pub async fn record_left_out(&self) {
        for ((id, by), attempts) in self.refused.take_due(self.now()) {
            let attempts = Attempts { since: self.now(), ..attempts };
            match self.load(id).await {
                Ok(Some(incident)) => Box::pin(self.record_refused(incident, &by, attempts)).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(incident.id = %id, %error, "how many attempts were left out could not be recorded yet");
                    self.refused.put((id, by), attempts);
                }
            }
        }
    }

    /// Writes attempts down as one record, with those that were left out before; or counts them, where the log takes no more.
    async fn record_refused(&self, incident: Incident, by: &UserId, attempts: Attempts) {
        let of = (incident.id, by.clone());
        let mut all = attempts;
        if let Some(before) = self.refused.take(&of) {
            all = Attempts { since: before.since, number: before.number.saturating_add(all.number), ..all };
        }
        if self.is_too_much(incident, by, &all.record()).await {
            self.refused.put(of, all);
        }
    }

    /// Appends a record, unless the log takes no more of this person's at the moment.
    async fn is_too_much(&self, incident: Incident, by: &UserId, record: &Event) -> bool {
        let id = incident.id;
        let lost = |error: &StoreError| {
            tracing::warn!(incident.id = %id, %error, "a refused attempt could not be recorded");
        };
        let mut current = Some(incident);
        for _ in 0..CONFLICT_ATTEMPTS_MAX {
            let Some(incident) = current.take() else { return false };
            if decide::is_left_out(&incident, by, self.now()) {
                return true;
            }
            match self.append(id, Some(incident), vec![record.clone()]).await {
                Ok(_) => return false,
                Err(AppendError::Conflict) => current = self.load(id).await.inspect_err(lost).ok().flatten(),
                // It can have been written all the same: nothing is said twice.
                Err(AppendError::Store(error)) => {
                    lost(&error);
                    return false;
                }
            }
        }
        tracing::warn!(incident.id = %id, "a refused attempt could not be recorded: others write all the time");
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: usize) -> Of {
        (IncidentId::new(1), format!("U{user:08}").parse().unwrap())
    }

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn attempts(since: i64, attempt: &str) -> Attempts {
        let newest = Event::AttemptRefused {
            by: of(0).1,
            attempt: attempt.into(),
            request: None,
            digest: None,
            policy_version: None,
            left_out: None,
            refusal: Refusal::NotAResponder,
        };
        Attempts { since: time(since), number: 1, newest }
    }

    #[test]
    fn so_many_people_are_counted_and_no_more_and_whoever_is_known_goes_on() {
        let counted = LeftOut::default();
        for user in 0..=COUNTED_MAX {
            counted.put(of(user), attempts(0, "approve"));
        }
        assert!(counted.take(&of(COUNTED_MAX)).is_none(), "there was no room");
        assert!(counted.take(&of(COUNTED_MAX - 1)).is_some());
        counted.put(of(COUNTED_MAX), attempts(0, "approve"));
        counted.put(of(1), attempts(1, "deny"));
        let known = counted.take(&of(1)).unwrap();
        assert_eq!((known.number, known.since), (2, time(0)));
        assert!(matches!(known.newest, Event::AttemptRefused { attempt, .. } if attempt == "deny"));
        assert!(counted.take(&of(COUNTED_MAX)).is_some());
    }

    #[test]
    fn what_was_left_out_is_due_once_the_minute_is_over_and_is_taken_once() {
        let counted = LeftOut::default();
        counted.put(of(1), attempts(0, "approve"));
        counted.put(of(2), attempts(1, "approve"));
        let due_at = |second| -> Vec<Of> { counted.take_due(time(second)).into_iter().map(|(of, _)| of).collect() };
        assert_eq!(due_at(59), []);
        assert_eq!(due_at(60), [of(1)]);
        assert_eq!(due_at(61), [of(2)]);
        assert_eq!(due_at(200), []);
    }
}
