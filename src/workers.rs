//! The loops that work off what was kept. Each piece of work goes on beside the others, and fails alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::id::{ChannelId, IncidentId};
use crate::engine::Engine;
use crate::ports::{Chat, Clock, Lane, Store, TAKEOVER_AFTER};
use crate::telemetry::Metrics;

pub use searching::Searching;

pub mod alerts;
pub mod cards;
pub mod desk;
pub mod effects;
mod forms;
mod rules;
pub mod searching;
pub mod socket;
mod telling;

/// Entries taken at once.
const BATCH_MAX: usize = 64;
/// How often due times are looked at. Short against the shortest clock of a request.
const DUE_EVERY: Duration = Duration::from_millis(250);
/// How often work under way says so: often enough that one lost word does not matter.
const HOLD_EVERY: Duration = Duration::from_secs(TAKEOVER_AFTER.as_secs() / 4);
/// Credentials looked into at once.
pub const INFORM_AT_ONCE: usize = 4;
/// Credentials whose use is read at once: the trail takes two questions a second.
pub const REACHING_AT_ONCE: usize = 2;
/// Trails that are searched at once.
pub const HUNTING_AT_ONCE: usize = 4;
/// How often deliveries are counted that nobody could read.
const ASIDE_COUNTED_EVERY: Duration = Duration::from_mins(1);
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
    /// Incidents that this process is at.
    pub busy: Arc<Busy>,
    /// Limits how many credentials are looked into at once: IAM and CloudTrail take few questions a second.
    pub informing: Arc<Semaphore>,
    /// Limits how many event histories are read at once.
    pub reaching: Arc<Semaphore>,
    /// Limits how many trails are searched at once: each is kept in memory meanwhile.
    pub hunting: Arc<Semaphore>,
    /// Accounts whose event histories this process has for itself.
    pub searching: Arc<Searching>,
    /// Told when rules were read anew: every open incident is to name them.
    pub read_anew: Arc<Notify>,
    /// Ends waits.
    pub shutdown: CancellationToken,
}

/// What a worker of this process is at, and whether it has to look again when it is through.
#[derive(Debug, Default)]
pub struct Busy(Mutex<HashMap<(IncidentId, Task), bool>>);

/// Kinds of work on an incident that go on beside each other, but each once at a time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Task {
    /// Decide and change.
    Act,
    /// Find out.
    Inform,
    /// Read what it was used for.
    Reach,
    /// Search the trail.
    Hunt,
    /// Carry a search of the logs on.
    Logs,
    /// Read again what was put in place.
    Watch,
}

impl Task {
    const ALL: [Self; 6] = [Self::Act, Self::Watch, Self::Inform, Self::Reach, Self::Hunt, Self::Logs];
}

impl Busy {
    /// `None` when somebody is at it already, who then looks again; freed on drop.
    fn enter(self: &Arc<Self>, id: IncidentId, task: Task) -> Option<BusyGuard> {
        match self.lock().entry((id, task)) {
            Entry::Occupied(mut again) => {
                again.insert(true);
                None
            }
            Entry::Vacant(free) => {
                free.insert(false);
                Some(BusyGuard { busy: Arc::clone(self), key: (id, task), left: false })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(IncidentId, Task), bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct BusyGuard {
    busy: Arc<Busy>,
    key: (IncidentId, Task),
    left: bool,
}

impl BusyGuard {
    /// Whether somebody came meanwhile; otherwise this is the end, in one step.
    fn again(&mut self) -> bool {
        let mut busy = self.busy.lock();
        match busy.get_mut(&self.key) {
            Some(again) if *again => {
                *again = false;
                true
            }
            _ => {
                busy.remove(&self.key);
                self.left = true;
                false
            }
        }
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        if !self.left {
            self.busy.lock().remove(&self.key);
        }
    }
}

/// Does some work, and says every few seconds that it goes on, so that no other replica takes it over.
async fn holding<T, H: Future<Output = ()>>(hold: impl Fn() -> H, work: impl Future<Output = T>) -> T {
    // On the heap: what is done here is large, and most of the time it waits.
    let mut work = Box::pin(work);
    loop {
        match tokio::time::timeout(HOLD_EVERY, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => hold().await,
        }
    }
}

impl Workers {
    /// Starts every loop under `tracker`, on this runtime. They end at the shutdown, after what they have taken is done.
    pub fn start(&self, tracker: &TaskTracker, runtime: &Handle) {
        let spawn = |name: &'static str, run: fn(Workers, CancellationToken, TaskTracker) -> Loop| {
            let (workers, shutdown, tasks) = (self.clone(), self.shutdown.clone(), tracker.clone());
            let rounds = async move {
                // A panic ends one round of a loop, not the loop.
                while !shutdown.is_cancelled() {
                    let round = tasks.spawn(run(workers.clone(), shutdown.clone(), tasks.clone()));
                    if let Err(error) = round.await {
                        tracing::error!(worker = name, %error, "a worker has failed and is started again");
                        workers.metrics.failed(name);
                        tokio::time::sleep(STORE_WAIT).await;
                    }
                }
            };
            tracker.spawn_on(rounds, runtime);
        };
        spawn("alerts", |w, s, t| Box::pin(alerts::run(w, s, t)));
        spawn("desk", |w, s, t| Box::pin(desk::run(w, s, t)));
        spawn("effects", |w, s, t| Box::pin(effects::run(w, s, t)));
        spawn("cards", |w, s, t| Box::pin(cards::run(w, s, t)));
        spawn("due", |w, s, _| Box::pin(effects::wake(w, s)));
        spawn("rules", |w, s, _| Box::pin(rules::run(w, s)));
        spawn("aside", |w, s, _| Box::pin(w.count_aside(s)));
    }

    /// One piece of work beside others. A panic in it is a fault of this program, and ends nobody else's; `None` then.
    async fn guarded<T>(&self, worker: &'static str, work: impl Future<Output = T>) -> Option<T> {
        guarded(&self.metrics, worker, work).await
    }

    /// Takes a delivery out of the way that cannot be read. It stays kept, as it came, for whoever looks.
    async fn set_aside(&self, lane: Lane, token: &str, why: &str) {
        tracing::error!(?lane, %why, "a kept delivery cannot be read and is set aside");
        let count = async {
            self.store.set_aside(lane, token, why).await?;
            self.store.aside().await
        };
        match count.await {
            Ok(count) => self.metrics.aside(count),
            Err(error) => tracing::warn!(%error, ?lane, "it could not be set aside yet; it comes back"),
        }
    }

    /// Says for as long as the process runs how many deliveries are set aside: any process can have done it.
    async fn count_aside(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.store.aside().await {
                Ok(count) => self.metrics.aside(count),
                Err(error) => tracing::warn!(%error, "what is set aside could not be counted"),
            }
            tokio::select! {
                () = tokio::time::sleep(ASIDE_COUNTED_EVERY) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Notes that the store did not do its part, and gives it time.
    async fn store_failed(&self, worker: &'static str, error: &crate::ports::StoreError) {
        tracing::error!(worker, %error, "the store failed; trying again");
        self.metrics.failed(worker);
        tokio::time::sleep(STORE_WAIT).await;
    }
}

async fn guarded<T>(metrics: &Metrics, worker: &'static str, work: impl Future<Output = T>) -> Option<T> {
    // On the heap: what is done here is large.
    let done = AssertUnwindSafe(Box::pin(work)).catch_unwind().await;
    if done.is_err() {
        tracing::error!(worker, "this work has panicked: a fault of irp's own, please report it with the line above");
        metrics.failed(worker);
    }
    done.ok()
}

type Loop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_work_and_is_counted() {
        let metrics = Metrics::default();
        let works = guarded(&metrics, "effects", async {
            tokio::task::yield_now().await;
            1
        });
        let broken = guarded(&metrics, "effects", async { assert!(metrics.encode().is_empty(), "told to") });
        assert_eq!(tokio::join!(broken, works), (None, Some(1)));
        assert!(metrics.encode().contains("irp_failures_total{kind=\"effects\"} 1"), "{}", metrics.encode());
    }
}
