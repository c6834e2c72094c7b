//! Every open incident names the newest rules: until it does, nothing can be decided there. Others open incidents at any time,
//! also those that have not read the newest yet: so it is looked again and again, at those alone that this process does not
//! know of yet.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Workers, guarded};
use crate::domain::id::IncidentId;
use crate::engine::EngineError;
use crate::ports::StoreError;
use crate::telemetry::Metrics;

/// How often it is looked. For so long at most one that another process has opened under older rules can be decided under
/// these.
const SAID_EVERY: Duration = Duration::from_secs(15);

pub(super) async fn run(workers: Workers, shutdown: CancellationToken) {
    let mut unreadable = BTreeSet::new();
    while !shutdown.is_cancelled() {
        // After a reading it can be a thousand logs: whoever starts next goes on.
        shutdown.run_until_cancelled(Box::pin(workers.say_rules(&mut unreadable))).await;
        tokio::select! {
            () = tokio::time::sleep(SAID_EVERY) => {}
            () = workers.read_anew.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }
}

impl Workers {
    /// Has each open incident name the rules that are in force, and ends what was asked for under others. An incident whose
    /// first record is still to come has its turn after that.
    async fn say_rules(&self, unreadable: &mut BTreeSet<IncidentId>) {
        let ids = match self.engine.rules_to_say().await {
            Ok(ids) => ids,
            Err(error) => {
                tracing::warn!(%error, "outdated requests could not be looked for; it is tried again");
                return;
            }
        };
        follow_each(ids, |id| self.engine.follow_rules(id), &self.metrics, unreadable).await;
        let under_later = self.engine.under_later_rules();
        if under_later > 0 {
            self.metrics.failed("rules");
            tracing::warn!(
                incidents = under_later,
                "another process has read irp.toml later, or by a clock that was ahead, and as something else: this one lets \
                 nobody decide there before it reads it anew (SIGHUP)"
            );
        }
    }
}

/// One after the other. One that cannot be read is said once; one that panics is counted. Neither holds up the others.
async fn follow_each<F: Future<Output = Result<bool, EngineError>>>(
    ids: Vec<IncidentId>,
    follow: impl Fn(IncidentId) -> F,
    metrics: &Metrics,
    unreadable: &mut BTreeSet<IncidentId>,
) {
    for id in ids {
        match guarded(metrics, "rules", follow(id)).await {
            Some(Ok(_)) | None => {}
            Some(Err(EngineError::Store(StoreError::Unreadable(error)))) => {
                if unreadable.insert(id) {
                    tracing::warn!(incident.id = %id, %error, "an incident cannot be read, and its outdated requests not be ended");
                }
            }
            Some(Err(error)) => {
                tracing::warn!(incident.id = %id, %error, "outdated requests could not be ended; it is tried again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn one_that_panics_or_cannot_be_read_holds_up_none_of_the_others() {
        let (metrics, mut unreadable, followed) = (Metrics::default(), BTreeSet::new(), Mutex::new(Vec::new()));
        let follow = |id: IncidentId| {
            followed.lock().unwrap().push(id.number());
            async move {
                assert_ne!(id.number(), 1, "told to");
                let unreadable = || EngineError::Store(StoreError::Unreadable("told to".into()));
                if id.number() == 2 { Err(unreadable()) } else { Ok(true) }
            }
        };
        follow_each([1, 2, 3].map(IncidentId::new).to_vec(), follow, &metrics, &mut unreadable).await;
        assert_eq!(*followed.lock().unwrap(), [1, 2, 3]);
        assert_eq!(unreadable, [IncidentId::new(2)].into());
        assert!(metrics.encode().contains("irp_failures_total{kind=\"rules\"} 1"), "{}", metrics.encode());
    }
}
