//! What incidents owe the outside, and the clock that wakes them.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BATCH_MAX, DUE_EVERY, Task, Workers, holding};
use crate::domain::id::IncidentId;
use crate::engine::EngineError;
use crate::ports::{StoreError, Work, WorkItem};

pub(super) async fn run(workers: Workers, shutdown: CancellationToken, tasks: TaskTracker) {
    while !shutdown.is_cancelled() {
        match workers.store.take_work(Work::Effects, BATCH_MAX).await {
            Ok(items) => {
                for item in items {
                    // Each on its own: an AWS call that hangs holds up nobody else's.
                    let workers = workers.clone();
                    tasks.spawn(async move { workers.effects_item(item).await });
                }
            }
            Err(error) => workers.store_failed("effects", &error).await,
        }
    }
}

pub(super) async fn wake(workers: Workers, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = workers.store.wake_due(workers.engine.now()).await {
            workers.store_failed("due", &error).await;
        }
        workers.engine.record_left_out().await;
        tokio::select! {
            () = tokio::time::sleep(DUE_EVERY) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

impl Workers {
    async fn effects_item(&self, item: WorkItem) {
        let id = item.incident;
        let hold = || async {
            // A hold that fails is noticed by whoever takes over.
            let _ = self.store.hold_work(Work::Effects, &item.token).await;
        };
        let all = Task::ALL.map(|task| self.guarded("effects", self.effects_of(id, task)));
        let work = futures_util::future::join_all(all);
        let (mut again, mut unreadable) = (false, false);
        for (task, outcome) in Task::ALL.into_iter().zip(holding(hold, work).await) {
            match outcome {
                Some(Ok(())) => {}
                // Trying again does not help, and the clock brings it here again.
                Some(Err(EngineError::Store(StoreError::Unreadable(error)))) => {
                    tracing::error!(incident.id = %id, ?task, %error, "an incident cannot be read and is left alone");
                    self.metrics.failed("effects");
                    unreadable = true;
                }
                Some(Err(error)) => {
                    tracing::warn!(incident.id = %id, ?task, %error, "what is owed could not be done; it is tried again");
                    self.metrics.failed("effects");
                    again = true;
                }
                None => again = true,
            }
        }
        if unreadable && let Err(error) = self.store.put_work(Work::Cards, id).await {
            // The room is told by whoever brings its messages in line.
            tracing::warn!(incident.id = %id, %error, "what cannot be read could not be handed on; the clock does it again");
        }
        if again {
            // The item stays taken and comes back after the takeover time.
            return;
        }
        if let Err(error) = self.store.work_done(Work::Effects, &item.token).await {
            tracing::warn!(incident.id = %id, %error, "finished work could not be ticked off; it is looked at again");
        }
    }

    /// A search can take minutes, and what it has read is kept page by page: it ends at the shutdown, and whoever
    /// finds it due next goes on. Where another process is at the same account, it stays due.
    async fn hunt(&self, id: IncidentId) -> Result<(), EngineError> {
        let search = async {
            let _permit = self.hunting.acquire().await;
            let due = self.engine.hunt_due(id).await?.map(|incident| incident.account());
            let Some(account) = due else { return Ok(()) };
            let Some(account) = account else { return Box::pin(self.engine.hunt(id)).await };
            let (searching, store) = (&self.searching, &*self.store);
            if !searching.begin(store, &account).await? {
                return Ok(());
            }
            let hold = || searching.hold(store, &account);
            let outcome = holding(hold, Box::pin(self.engine.hunt(id))).await;
            searching.end(store, &account).await;
            outcome
        };
        self.shutdown.run_until_cancelled(Box::pin(search)).await.unwrap_or(Ok(()))
    }

    /// A query can take half an hour, and Athena and the store keep what has come of it: it ends at the shutdown too.
    async fn logs(&self, id: IncidentId) -> Result<(), EngineError> {
        self.shutdown.run_until_cancelled(Box::pin(self.engine.logs(id))).await.unwrap_or(Ok(()))
    }

    /// Whoever is at it already has an item of its own that is not ticked off yet, and looks again.
    async fn effects_of(&self, id: IncidentId, task: Task) -> Result<(), EngineError> {
        let Some(mut guard) = self.busy.enter(id, task) else { return Ok(()) };
        loop {
            // Each on the heap: together they would be larger than a stack has room for.
            let outcome = match task {
                Task::Act => Box::pin(self.engine.advance(id)).await,
                Task::Reach => {
                    let _permit = self.reaching.acquire().await;
                    Box::pin(self.engine.reach(id)).await
                }
                Task::Watch => Box::pin(self.engine.watch(id)).await,
                Task::Hunt => Box::pin(self.hunt(id)).await,
                Task::Logs => Box::pin(self.logs(id)).await,
                Task::Inform => {
                    let _permit = self.informing.acquire().await;
                    Box::pin(self.engine.inform(id)).await
                }
            };
            // Whoever came meanwhile has ticked off their item: it is this one's now, whatever happened.
            if !guard.again() {
                return outcome;
            }
        }
    }
}
