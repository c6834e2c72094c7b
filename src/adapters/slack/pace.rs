//! Keeps to Slack's pace, and lets what is urgent go first.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

use crate::ports::Urgency;

/// One limit and its queue. Who informs queues up in turn, one of them at a time beside those who are
/// urgent: an urgent message waits for at most one that is not.
pub(super) struct Pace {
    limiter: DefaultDirectRateLimiter,
    next: Mutex<()>,
    calm: Mutex<()>,
}

impl Pace {
    pub(super) fn new(quota: Quota) -> Self {
        Self { limiter: RateLimiter::direct(quota), next: Mutex::default(), calm: Mutex::default() }
    }

    /// New messages in one channel: a burst, and then one a second.
    pub(super) fn of_posts() -> Self {
        const BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
        Self::new(Quota::per_second(NonZeroU32::MIN).allow_burst(BURST))
    }

    /// `chat.update` is of tier 3: about 50 a minute in the whole workspace.
    pub(super) fn of_edits() -> Self {
        const A_MINUTE: NonZeroU32 = NonZeroU32::new(50).unwrap();
        Self::new(Quota::per_minute(A_MINUTE))
    }

    pub(super) async fn turn(&self, urgency: Urgency) {
        // Both locks are fair: first come, first served.
        let _calm = match urgency {
            Urgency::InTurn => Some(self.calm.lock().await),
            Urgency::Now => None,
        };
        let _next = self.next.lock().await;
        self.limiter.until_ready().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn what_is_urgent_waits_for_no_queue() {
        const A_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();
        let pace = Pace::new(Quota::per_second(A_SECOND).allow_burst(NonZeroU32::MIN));
        let order = Arc::new(Mutex::new(Vec::new()));
        let calm = (0..40).map(|_| async {
            pace.turn(Urgency::InTurn).await;
            order.lock().await.push(Urgency::InTurn);
        });
        let urgent = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let before = order.lock().await.len();
            pace.turn(Urgency::Now).await;
            let waited_for = order.lock().await.len() - before;
            order.lock().await.push(Urgency::Now);
            assert!(waited_for <= 2, "waited for {waited_for}");
        };
        tokio::join!(join_all(calm), urgent);
        assert_eq!(order.lock().await.len(), 41);
    }
}
