//! A search of CloudTrail's logs: what it would read, the query itself, and what it brings. Athena knows the query by
//! a token that follows from the incident, and the store how far its rows have been read: whoever takes it up goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Engine, EngineError};
use crate::domain::hunt::athena::{ROWS_MAX, cost_micros};
use crate::domain::hunt::cover::{Mark, Rows};
use crate::domain::hunt::redaction::kept;
use crate::domain::hunt::room::{BYTES_MAX, RECORDS_MAX};
use crate::domain::id::IncidentId;
use crate::domain::incident::command::Report;
use crate::domain::incident::logs::{Bill, Brought, LogNews, LogSearch, LogTask, RUN_MAX, newest};
use crate::domain::incident::owed::{Effect, owed};
use crate::domain::incident::state::Incident;
use crate::ports::{CloudError, Progress};

/// What is kept of the logs leaves as much room for the event history: without that nothing could be proven any more.
const RECORDS_ROOM: usize = RECORDS_MAX / 2;
const BYTES_ROOM: usize = BYTES_MAX / 2;
/// Between two looks at a query. Most have ended after some seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Engine {
    /// Carries a search of the logs on as far as it goes, if one is due. Apart from all others: a query can take
    /// half an hour.
    pub async fn logs(&self, id: IncidentId) -> Result<(), EngineError> {
        loop {
            // Each time anew: somebody may have cancelled it.
            let Some(incident) = self.load(id).await? else { return Ok(()) };
            let now = self.now();
            if !owed(&incident).iter().any(|o| o.due_at <= now && o.effect == Effect::Logs) {
                return Ok(());
            }
            let Some((search, (task, _))) = newest(&incident).and_then(|search| Some((search, search.task()?))) else {
                return Ok(());
            };
            let news = match task {
                LogTask::Estimate => Some(self.estimate(search).await?),
                LogTask::Start => Some(self.start(&incident, search).await?),
                LogTask::Follow(execution) => Box::pin(self.follow(&incident, search, &execution, now)).await?,
                LogTask::Stop(execution) => self.stop(&incident, search, execution).await?,
            };
            match news {
                Some(news) => {
                    self.report(id, || Report::Logs { number: search.number, news: news.clone() }).await?;
                }
                None => self.ports.clock.wait(LOOK_EVERY).await,
            }
        }
    }

    async fn estimate(&self, search: &LogSearch) -> Result<LogNews, EngineError> {
        match self.ports.cloud.estimate(&search.question.account, &search.question).await {
            Ok(estimate) => Ok(LogNews::Estimated(estimate)),
            Err(error) => Ok(LogNews::Failed(definite(error)?, None)),
        }
    }

    async fn start(&self, incident: &Incident, search: &LogSearch) -> Result<LogNews, EngineError> {
        let token = search.token(incident);
        match self.ports.cloud.start(&search.question.account, &search.question, &token).await {
            Ok(execution) => Ok(LogNews::Started(execution)),
            Err(error) => Ok(LogNews::Failed(definite(error)?, None)),
        }
    }

    async fn follow(
        &self,
        incident: &Incident,
        search: &LogSearch,
        execution: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<LogNews>, EngineError> {
        let account = &search.question.account;
        let bill = |bytes| Bill { bytes, cost_micros: cost_micros(bytes, search.cents_per_tb()) };
        let progress = match self.ports.cloud.progress(account, execution).await {
            Ok(progress) => progress,
            Err(error) => return Ok(Some(LogNews::Failed(definite(error)?, None))),
        };
        match progress {
            Progress::Running if search.run.as_ref().is_some_and(|(_, at)| now - *at > RUN_MAX) => {
                if let Err(error) = self.ports.cloud.stop(account, execution).await {
                    definite(error)?;
                }
                let why = format!("The query had not ended after {} minutes, and was stopped.", RUN_MAX.num_minutes());
                Ok(Some(LogNews::Failed(why, None)))
            }
            Progress::Running => Ok(None),
            Progress::Failed { why, billed } => Ok(Some(LogNews::Failed(why, billed.map(bill)))),
            Progress::Succeeded { bytes } => match self.read(incident, search, execution).await {
                Ok(brought) => Ok(Some(LogNews::Done(brought, bill(bytes)))),
                Err(EngineError::Cloud(error)) => Ok(Some(LogNews::Failed(definite(error)?, Some(bill(bytes))))),
                Err(error) => Err(error),
            },
        }
    }

    /// Reads what a query has found, and keeps what was not known, a page at a time.
    async fn read(&self, incident: &Incident, search: &LogSearch, execution: &str) -> Result<Brought, EngineError> {
        let name = format!("logs {}", search.number);
        let mut trail = self.ports.store.trail(incident.id).await?;
        let mut bytes: usize = trail.records.values().map(String::len).sum();
        let mut rows = match trail.marks.remove(&name) {
            Some(Mark::Rows(rows)) if rows.execution == execution => rows,
            _ => Rows { execution: execution.to_owned(), ..Rows::default() },
        };
        while !rows.done {
            let page = self.ports.cloud.rows(&search.question.account, execution, rows.next.as_deref()).await?;
            let mut new = BTreeMap::new();
            for record in &page.records {
                let Ok(record) = kept(record) else {
                    rows.unkept += 1;
                    continue;
                };
                if trail.records.contains_key(&record.id) {
                    continue;
                }
                if trail.records.len() >= RECORDS_ROOM || bytes + record.text.len() > BYTES_ROOM {
                    rows.short = true;
                    continue;
                }
                bytes += record.text.len();
                trail.records.insert(record.id.clone(), record.text.clone());
                new.insert(record.id, record.text);
            }
            rows.read += page.rows;
            rows.new += new.len() as u64;
            rows.done = page.next.is_none();
            rows.next = page.next;
            let mark = Mark::Rows(rows.clone());
            self.ports.store.keep_page(incident.id, &new, &BTreeSet::new(), &[(&name, &mark)]).await?;
        }
        let cut = rows.short || rows.read > ROWS_MAX;
        Ok(Brought { rows: rows.read.min(ROWS_MAX), new: rows.new, cut })
    }

    /// Stops a query that was cancelled, and waits until it stands still: only then is it known what it cost.
    async fn stop(
        &self,
        incident: &Incident,
        search: &LogSearch,
        execution: Option<String>,
    ) -> Result<Option<LogNews>, EngineError> {
        let account = &search.question.account;
        let nothing = Bill { bytes: 0, cost_micros: 0 };
        let Some(execution) = execution else {
            // It may have been started by a process that did not come to write it down. The same token finds it.
            return Ok(Some(match self.start(incident, search).await? {
                LogNews::Failed(..) => LogNews::Stopped(nothing),
                started => started,
            }));
        };
        if let Err(error) = self.ports.cloud.stop(account, &execution).await {
            definite(error)?;
        }
        match self.ports.cloud.progress(account, &execution).await {
            Ok(Progress::Running) => Ok(None),
            Ok(Progress::Succeeded { bytes } | Progress::Failed { billed: Some(bytes), .. }) => {
                let cost_micros = cost_micros(bytes, search.cents_per_tb());
                Ok(Some(LogNews::Stopped(Bill { bytes, cost_micros })))
            }
            Ok(Progress::Failed { billed: None, .. }) => Ok(Some(LogNews::Stopped(nothing))),
            Err(error) => {
                definite(error)?;
                Ok(Some(LogNews::Stopped(nothing)))
            }
        }
    }
}

/// A no of AWS's in words; an error where asking again can help.
fn definite(error: CloudError) -> Result<String, EngineError> {
    if error.can_retry() { Err(error.into()) } else { Ok(error.to_string()) }
}
