//! Answers for a few seconds, and one question at a time about each: many who click at once must not use up what Slack takes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::ports::ChatError;

/// Old answers are thrown away once there are so many.
const KEPT_MAX: usize = 1_000;

/// The last answer about something and when it came. Locked while a question is out.
type Slot<V> = Arc<Mutex<Option<(Instant, Result<V, ChatError>)>>>;

/// Answers, by what they are about.
pub(super) struct Asked<K, V> {
    fresh_for: Duration,
    slots: std::sync::Mutex<HashMap<K, Slot<V>>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Asked<K, V> {
    pub(super) fn new(fresh_for: Duration) -> Self {
        Self { fresh_for, slots: std::sync::Mutex::default() }
    }

    /// A fresh answer, or that of a question which was out while this one waited, or a new one. That it could not be
    /// answered is shared with those who wait at that moment, and not kept.
    pub(super) async fn get<F>(&self, about: &K, ask: impl FnOnce() -> F) -> Result<V, ChatError>
    where
        F: Future<Output = Result<V, ChatError>>,
    {
        let came = Instant::now();
        let slot = self.slot(about);
        let mut last = slot.lock().await;
        match &*last {
            Some((at, Ok(answer))) if at.elapsed() < self.fresh_for => return Ok(answer.clone()),
            Some((at, Err(error))) if *at > came => return Err(error.clone()),
            _ => {}
        }
        let answer = ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    /// Keeps an answer that came otherwise. Where a question is out, its answer comes later still.
    pub(super) fn put(&self, about: &K, answer: V) {
        let slot = self.slot(about);
        if let Ok(mut last) = slot.try_lock() {
            *last = Some((Instant::now(), Ok(answer)));
        }
    }

    fn slot(&self, about: &K) -> Slot<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT_MAX {
            // One whose question is out stays.
            slots.retain(|_, slot| {
                slot.try_lock().map_or(true, |last| {
                    last.as_ref().is_some_and(|(at, answer)| answer.is_ok() && at.elapsed() < self.fresh_for)
                })
            });
        }
        Arc::clone(slots.entry(about.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const FRESH_FOR: Duration = Duration::from_secs(1);

    /// Asks in the name of a hundred at once, and gives the answers and how many questions there were.
    async fn a_hundred_at_once(asked: &Asked<u8, u8>, answer: Result<u8, ChatError>) -> (usize, usize) {
        let questions = AtomicUsize::new(0);
        let one = || async {
            questions.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer.clone()
        };
        let answers = join_all((0..100).map(|_| asked.get(&1, one))).await;
        (answers.iter().filter(|answer| answer.is_ok()).count(), questions.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_question() {
        let asked = Asked::new(FRESH_FOR);
        assert_eq!(a_hundred_at_once(&asked, Ok(7)).await, (100, 1));
        assert_eq!(a_hundred_at_once(&asked, Ok(7)).await, (100, 0), "it is fresh");
        tokio::time::sleep(FRESH_FOR).await;
        assert_eq!(a_hundred_at_once(&asked, Ok(7)).await, (100, 1), "and then no more");
    }

    #[tokio::test]
    async fn that_slack_does_not_answer_is_shared_and_not_kept() {
        let asked = Asked::new(FRESH_FOR);
        let away = || Err(ChatError::Unavailable("away".into()));
        assert_eq!(a_hundred_at_once(&asked, away()).await, (0, 1));
        assert_eq!(a_hundred_at_once(&asked, away()).await, (0, 1));
        assert_eq!(a_hundred_at_once(&asked, Ok(7)).await, (100, 1));
    }

    #[tokio::test]
    async fn what_is_known_of_many_is_thrown_away_once_it_is_old() {
        let asked = Asked::new(Duration::from_millis(1));
        for about in 0..KEPT_MAX {
            asked.put(&about, ());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        asked.put(&KEPT_MAX, ());
        assert_eq!(asked.slots.lock().unwrap().len(), 1);
    }
}
