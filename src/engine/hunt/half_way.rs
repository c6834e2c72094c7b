//! What a search has found before it is at its end, and how far it is: what contains need not wait for the rest of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::Search;
use crate::domain::hunt::findings::{calls, hunted};
use crate::domain::hunt::{Hunted, SoFar};
use crate::domain::incident::command::Report;
use crate::domain::incident::hunting::HalfWay;
use crate::domain::incident::state::Incident;
use crate::domain::trail::analysis::Analysis;
use crate::engine::EngineError;

/// How often it is said how far a search is: each time is a record of the log and an edit of the card. Most searches are
/// at their end before that.
const WORD_EVERY: TimeDelta = TimeDelta::seconds(15);

/// Whether the same was searched for before, to the end: then it is known what the stolen credential's calls look like,
/// and which of them are its owner's.
pub(super) fn is_asked_again(incident: &Incident) -> bool {
    incident.swept.as_ref().is_some_and(|(swept, _)| swept.began_at.is_some() && swept.told_at == incident.told_at)
}

impl Search<'_> {
    /// A page has been read, with this as its newest record.
    pub(super) fn has_read(&self, newest_at: Option<DateTime<Utc>>) {
        let state = &mut *self.state();
        state.newest_at = state.newest_at.max(newest_at);
    }

    /// Says how far it is and what it has shown, if that was not said for a while.
    pub(super) async fn say_now_and_then(&self) -> Result<(), EngineError> {
        let now = self.engine.now();
        let owner_known = {
            let state = &mut *self.state();
            if state.said_at.is_some_and(|at| now - at < WORD_EVERY) {
                return Ok(());
            }
            // Whoever reads the next page need not say the same.
            state.said_at = Some(now);
            state.owner_known
        };
        if !owner_known {
            return self.say(None, now).await;
        }
        let analysis = self.analysis().await;
        self.say(Some((self.shown_by(&analysis), &analysis)), now).await
    }

    /// Says at once what a round has shown that is new.
    pub(super) async fn say_news(&self, analysis: &Analysis) -> Result<(), EngineError> {
        let found = self.shown_by(analysis);
        let is_news = found.shows_more_than(self.state().told.as_ref());
        if is_news { self.say(Some((found, analysis)), self.engine.now()).await } else { Ok(()) }
    }

    fn shown_by(&self, analysis: &Analysis) -> Hunted {
        hunted(analysis, &self.state().trail.records).0
    }

    async fn say(&self, shown: Option<(Hunted, &Analysis)>, now: DateTime<Utc>) -> Result<(), EngineError> {
        let so_far = {
            let state = &mut *self.state();
            state.said_at = Some(now);
            SoFar {
                began_at: self.now,
                regions_done: self.regions.len() - state.left.values().filter(|left| **left > 0).count(),
                regions: self.regions.len(),
                questions_left: state.left.values().sum(),
                events_read: state.trail.records.len() as u64,
                newest_at: state.newest_at,
            }
        };
        let calls = shown.as_ref().map(|(_, analysis)| calls(analysis)).unwrap_or_default();
        let (found, told_at) = (shown.map(|(found, _)| found), self.incident.told_at);
        let half_way = HalfWay { found, calls, so_far, told_at };
        let after = self.engine.report(self.incident.id, || Report::HalfWay(Box::new(half_way.clone()))).await?;
        if let Some((told, _)) = after.and_then(|after| after.hunted) {
            self.state().told = Some(told);
        }
        Ok(())
    }
}
