//! Kept alerts to incidents.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BATCH_MAX, Workers, holding};
use crate::domain::alert::Alert;
use crate::ports::{Delivery, Lane, StoreError};

pub(super) async fn run(workers: Workers, shutdown: CancellationToken, _: TaskTracker) {
    while !shutdown.is_cancelled() {
        if let Err(error) = workers.alerts_step().await {
            workers.store_failed("alerts", &error).await;
        }
    }
}

impl Workers {
    /// Takes one batch of alerts in; an alert that fails stays kept and comes back.
    pub async fn alerts_step(&self) -> Result<usize, StoreError> {
        let batch = self.store.take(Lane::Alerts, BATCH_MAX).await?;
        let taken = batch.len();
        futures_util::future::join_all(batch.into_iter().map(|delivery| self.alert_delivery(delivery))).await;
        Ok(taken)
    }

    async fn alert_delivery(&self, delivery: Delivery) {
        let hold = || async {
            let _ = self.store.hold(Lane::Alerts, &delivery.token).await;
        };
        holding(hold, self.take_alert(&delivery)).await;
    }

    async fn take_alert(&self, delivery: &Delivery) {
        match serde_json::from_str::<Alert>(&delivery.body) {
            Ok(alert) => match self.engine.take_alert(&alert).await {
                Ok(taken) => {
                    tracing::info!(incident.id = %taken.incident(), alert.delivery = %alert.delivery_id, ?taken, "alert taken in");
                }
                Err(error) => {
                    tracing::error!(%error, "an alert could not be taken in; it is tried again");
                    self.metrics.failed("alerts");
                    return;
                }
            },
            // Written by a newer version, perhaps: not for this one to drop, nor to try for ever.
            Err(error) => return self.set_aside(Lane::Alerts, &delivery.token, &error.to_string()).await,
        }
        if let Err(error) = self.store.done(Lane::Alerts, &delivery.token).await {
            tracing::warn!(%error, "a finished alert could not be ticked off; it is taken in again, harmlessly");
        }
    }
}
