//! The loops that work off what was kept: each a `step` that a test can call, and a `run` that repeats it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::id::{ChannelId, IncidentId};
use crate::engine::Engine;
use crate::ports::{Chat, Clock, Store};
use crate::telemetry::Metrics;

pub mod alerts;
pub mod cards;
pub mod desk;
pub mod effects;
pub mod socket;

/// Entries taken at once.
const BATCH_MAX: usize = 64;
/// How often due times are looked at. Short against the shortest clock of a request.
const DUE_EVERY: Duration = Duration::from_millis(250);
/// Wait after the store has failed.
const STORE_WAIT: Duration = Duration::from_millis(500);

/// What the loops need.
#[derive(Clone)]
pub struct Workers {
    /// The use cases.
    pub engine: Engine,
    /// The queues.
    pub store: Arc<dyn Store>,
    /// Slack, outwards.
    pub chat: Arc<dyn Chat>,
    /// Real time, for waits on Slack; the rules' time is the engine's.
    pub wall: Arc<dyn Clock>,
    /// Where announcements go.
    pub war_room: ChannelId,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Incidents whose cards this process is bringing in line.
    pub carding: Arc<Busy>,
}

/// Incidents that a worker of this process is at.
#[derive(Debug, Default)]
pub struct Busy(Mutex<HashSet<IncidentId>>);

impl Busy {
    /// `None` when somebody is at it already; freed on drop.
    fn enter(self: &Arc<Self>, id: IncidentId) -> Option<BusyGuard> {
        let entered = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        entered.then(|| BusyGuard { busy: Arc::clone(self), id })
    }
}

struct BusyGuard {
    busy: Arc<Busy>,
    id: IncidentId,
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.busy.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Workers {
    /// Starts every loop under `tracker`. They end at `shutdown`, after what they have taken is done.
    pub fn start(&self, tracker: &TaskTracker, shutdown: &CancellationToken) {
        let spawn = |name: &'static str, run: fn(Workers, CancellationToken, TaskTracker) -> Loop| {
            let (workers, shutdown, tasks) = (self.clone(), shutdown.clone(), tracker.clone());
            tracker.spawn(async move {
                // A panic ends one round of a loop, not the loop.
                while !shutdown.is_cancelled() {
                    let round = tasks.spawn(run(workers.clone(), shutdown.clone(), tasks.clone()));
                    if let Err(error) = round.await {
                        tracing::error!(worker = name, %error, "a worker has failed and is started again");
                        workers.metrics.failed(name);
                        tokio::time::sleep(STORE_WAIT).await;
                    }
                }
            });
        };
        spawn("alerts", |w, s, t| Box::pin(alerts::run(w, s, t)));
        spawn("desk", |w, s, t| Box::pin(desk::run(w, s, t)));
        spawn("effects", |w, s, t| Box::pin(effects::run(w, s, t)));
        spawn("cards", |w, s, t| Box::pin(cards::run(w, s, t)));
        spawn("due", |w, s, _| Box::pin(effects::wake(w, s)));
    }

    /// Notes that the store did not do its part, and gives it time.
    async fn store_failed(&self, worker: &'static str, error: &crate::ports::StoreError) {
        tracing::error!(worker, %error, "the store failed; trying again");
        self.metrics.failed(worker);
        tokio::time::sleep(STORE_WAIT).await;
    }
}

type Loop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
