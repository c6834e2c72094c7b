//! A search of CloudTrail's logs with Athena: it has what the event history lacks, and it costs money. So nothing runs
//! by itself: a responder asks, sees what would be read and what that costs, and says go. It only reads, so that one
//! person is enough.

use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::decide::Context;
use super::event::Event;
use super::state::Incident;
use crate::domain::approval::{Digest, check_responder};
use crate::domain::hunt::athena::{LogQuestion, is_literal};
use crate::domain::id::UserId;
use crate::domain::policy::{Actor, Policy};
use crate::domain::recusal::check_impartial;
use crate::domain::refusal::{Refusal, mention};
use crate::domain::trail::record::address_of;

/// So far back from when it was first seen: as for the event history.
const LOOK_BACK: TimeDelta = TimeDelta::days(14);
/// No search reads more than this: its cost would surprise.
const DAYS_MAX: TimeDelta = TimeDelta::days(400);
/// Values of one kind that are asked for.
const VALUES_MAX: usize = 200;
/// Longest reason that is kept, in characters.
const WHY_CHARS_MAX: usize = 1_000;
/// A query that has not ended by then is stopped: Athena ends one after half an hour.
pub const RUN_MAX: TimeDelta = TimeDelta::minutes(45);

/// What a search would read, before it runs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The bytes of the files; absent when that is not known.
    pub bytes: Option<u64>,
    /// Why it is not known, or why it can be more.
    #[serde(default)]
    pub why: Option<String>,
    /// What a terabyte is taken to cost, in cents of a dollar.
    pub cents_per_tb: u32,
}

/// What a search has read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// Bytes that Athena has scanned.
    pub bytes: u64,
    /// Their price, in millionths of a dollar.
    pub cost_micros: u64,
}

/// What a search has brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Brought {
    /// Calls that the logs have of what was asked for.
    pub rows: u64,
    /// Calls among them that were not known yet, and are kept.
    pub new: u64,
    /// There are more, or there was no room for all.
    pub cut: bool,
}

/// One search.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSearch {
    /// From 1.
    pub number: u32,
    /// What is asked for: fixed when it was asked.
    pub question: LogQuestion,
    /// Who asked.
    pub asked_by: UserId,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// What it would read.
    pub estimate: Option<Estimate>,
    /// Who said go, and when.
    pub run: Option<(UserId, DateTime<Utc>)>,
    /// Athena's name for the query.
    pub execution: Option<String>,
    /// How it ended.
    pub end: Option<LogEnd>,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEnd {
    /// It was read.
    Done {
        /// When.
        at: DateTime<Utc>,
        /// What it brought.
        brought: Brought,
        /// What it cost.
        bill: Bill,
    },
    /// It was not.
    Failed {
        /// Why.
        why: String,
        /// What it cost all the same, where that is known.
        bill: Option<Bill>,
    },
    /// A person ended it.
    Cancelled {
        /// Who.
        by: UserId,
        /// When.
        at: DateTime<Utc>,
        /// What it had read by the time it stood still; absent as long as it may go on.
        bill: Option<Bill>,
    },
}

/// What is to be done about a search.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LogTask {
    /// Find out what it would read.
    Estimate,
    /// Have Athena run it, or find the query that it was started as.
    Start,
    /// See whether this query has come to its end, and read what it brought.
    Follow(String),
    /// Stop it.
    Stop(Option<String>),
}

/// What the engine brings back of a search.
#[derive(Clone, Debug)]
pub enum LogNews {
    /// What it would read.
    Estimated(Estimate),
    /// Athena runs it, under this name.
    Started(String),
    /// It was read.
    Done(Brought, Bill),
    /// It was not.
    Failed(String, Option<Bill>),
    /// A query that was cancelled stands still.
    Stopped(Bill),
}

impl LogSearch {
    /// What is to be done, and from when on.
    pub fn task(&self) -> Option<(LogTask, DateTime<Utc>)> {
        match (&self.end, &self.run) {
            (None, None) => self.estimate.is_none().then_some((LogTask::Estimate, self.asked_at)),
            (None, Some((_, at))) => {
                let task = self.execution.clone().map_or(LogTask::Start, LogTask::Follow);
                Some((task, *at))
            }
            (Some(LogEnd::Cancelled { bill: None, at, .. }), Some(_)) => {
                Some((LogTask::Stop(self.execution.clone()), *at))
            }
            _ => None,
        }
    }

    /// By what Athena knows the same search again, whichever process asks for it. It takes no token again with other
    /// parameters: the number in the mark is another one whenever what is asked has changed between versions.
    pub fn token(&self, incident: &Incident) -> String {
        let opened_at = incident.opened_at.trunc_subsecs(3).timestamp_millis();
        Digest::of(&("irp logs 2", incident.id, opened_at, self.number, &self.question)).to_string()
    }

    /// What a terabyte is taken to cost.
    pub fn cents_per_tb(&self) -> u32 {
        self.estimate.as_ref().map_or(0, |estimate| estimate.cents_per_tb)
    }
}

/// The newest search.
pub fn newest(incident: &Incident) -> Option<&LogSearch> {
    incident.logs.last()
}

/// When something is next to be done about it.
pub fn due_at(incident: &Incident) -> Option<DateTime<Utc>> {
    newest(incident)?.task().map(|(_, at)| at)
}

/// When the logs were last read.
pub fn read_at(incident: &Incident) -> Option<DateTime<Utc>> {
    incident.logs.iter().rev().find_map(|search| match &search.end {
        Some(LogEnd::Done { at, .. }) => Some(*at),
        _ => None,
    })
}

/// Whether a query may be running that nobody would stop or read once the incident is closed.
pub fn is_running(incident: &Incident) -> bool {
    newest(incident).is_some_and(|search| search.run.is_some() && search.task().is_some())
}

/// Whether the logs of the incident's account can be searched at all.
pub fn is_possible(incident: &Incident, policy: &Policy) -> bool {
    incident.account().is_some_and(|account| policy.logs.contains(&account))
}

/// Asks for a search. Nothing is read yet but how much there is.
pub(super) fn ask(incident: &Incident, actor: &Actor, cx: Context<'_>) -> Result<Vec<Event>, Refusal> {
    may(incident, actor, cx)?;
    if newest(incident).is_some_and(|search| search.end.is_none() || search.task().is_some()) {
        return Err(Refusal::NotApplicable("A search of the logs is under way already: see its card.".into()));
    }
    let question = question(incident, cx.now)?;
    let number = u32::try_from(incident.logs.len()).unwrap_or(u32::MAX).saturating_add(1);
    Ok(vec![Event::LogsSearchAsked { number, question: Box::new(question), by: actor.user.clone() }])
}

/// Has the search run that they have seen the cost of.
pub(super) fn run(incident: &Incident, actor: &Actor, number: u32, cx: Context<'_>) -> Result<Vec<Event>, Refusal> {
    may(incident, actor, cx)?;
    let search = open(incident, number)?;
    if let Some((by, _)) = &search.run {
        return Err(Refusal::NotApplicable(format!("{} was faster: it runs already.", mention(by))));
    }
    if search.estimate.is_none() {
        return Err(Refusal::NotApplicable("What it would cost is being worked out. Look at that first.".into()));
    }
    Ok(vec![Event::LogsSearchConfirmed { number, by: actor.user.clone() }])
}

/// Ends a search.
pub(super) fn cancel(incident: &Incident, actor: &Actor, number: u32, cx: Context<'_>) -> Result<Vec<Event>, Refusal> {
    check_impartial(incident, cx.policy, actor)?;
    open(incident, number)?;
    Ok(vec![Event::LogsSearchCancelled { number, by: actor.user.clone() }])
}

fn may(incident: &Incident, actor: &Actor, cx: Context<'_>) -> Result<(), Refusal> {
    check_responder(cx.policy, actor)?;
    if incident.sample {
        return Err(Refusal::Sample);
    }
    if !is_possible(incident, cx.policy) {
        return Err(Refusal::NotApplicable(
            "The logs of this account cannot be searched: irp.toml has no [account.athena] for it.".into(),
        ));
    }
    Ok(())
}

fn open(incident: &Incident, number: u32) -> Result<&LogSearch, Refusal> {
    newest(incident).filter(|search| search.number == number && search.end.is_none()).ok_or_else(|| {
        Refusal::NotApplicable("This search has ended, or another has taken its place: see the newest card.".into())
    })
}

/// What the logs are to be asked, as far as is known now.
fn question(incident: &Incident, now: DateTime<Utc>) -> Result<LogQuestion, Refusal> {
    let (Some(account), Some((hunted, _)), Some((swept, _))) = (incident.account(), &incident.hunted, &incident.swept)
    else {
        return Err(Refusal::NotApplicable(
            "The event history has to be searched first: what it shows is what the logs are asked for.".into(),
        ));
    };
    let seen_at = incident.compromise.as_ref().map(|set| set.at).or_else(|| incident.first_seen_at());
    let wanted_from = seen_at.unwrap_or(incident.opened_at).min(now) - LOOK_BACK;
    let from = wanted_from.max(now - DAYS_MAX);
    let mut left_out = Vec::new();
    if from > wanted_from {
        left_out.push(format!("what is older than {} days", DAYS_MAX.num_days()));
    }
    let mut bounded = |what: &str, values: BTreeSet<String>| -> Vec<String> {
        let (can, cannot): (Vec<String>, Vec<String>) = values.into_iter().partition(|value| is_literal(value));
        if !cannot.is_empty() {
            left_out.push(format!("{} {what} with letters that AWS does not use there", cannot.len()));
        }
        if can.len() > VALUES_MAX {
            left_out.push(format!("{} of {} {what}", can.len() - VALUES_MAX, can.len()));
        }
        can.into_iter().take(VALUES_MAX).collect()
    };
    let mut keys: BTreeSet<String> = incident.subject.access_key.iter().map(ToString::to_string).collect();
    keys.extend(hunted.credentials.iter().filter_map(|reached| reached.access_key_id.clone()));
    let mut principals: BTreeSet<String> =
        hunted.credentials.iter().filter_map(|reached| reached.principal.clone()).collect();
    principals.extend(incident.identification().and_then(|found| found.arn.clone()));
    // In a VPC others have the same address: whoever called from there is found by their keys and principals.
    let mut addresses: BTreeSet<String> =
        hunted.addresses.iter().filter(|place| address_of(place).1.is_none()).cloned().collect();
    addresses.extend(incident.findings.values().filter_map(|finding| finding.remote_address.clone()));
    // An `arn:…:role/…` makes no call: its sessions do, and theirs are among them.
    principals.retain(|arn| !arn.contains(":role/"));
    let (keys, principals) = (bounded("access keys", keys), bounded("principals", principals));
    let addresses = bounded("addresses", addresses);
    let regions = swept.regions.iter().map(|region| region.region.clone()).collect();
    Ok(LogQuestion { account, from, until: now, regions, keys, principals, addresses, left_out })
}

/// What follows from what the engine brings back. Nothing, when another process was faster.
pub(super) fn take(incident: &Incident, number: u32, news: LogNews) -> Vec<Event> {
    let Some(search) = newest(incident).filter(|search| search.number == number && incident.is_open()) else {
        return Vec::new();
    };
    let open = search.end.is_none();
    let one = match (news, search.task().map(|(task, _)| task)) {
        (LogNews::Estimated(estimate), Some(LogTask::Estimate)) => Event::LogsSearchEstimated { number, estimate },
        // It may have been cancelled meanwhile: then this is what has to be stopped.
        (LogNews::Started(execution), Some(LogTask::Start | LogTask::Stop(None))) => {
            Event::LogsSearchStarted { number, execution }
        }
        (LogNews::Done(brought, bill), Some(LogTask::Follow(_))) => Event::LogsSearched { number, brought, bill },
        (LogNews::Failed(why, bill), Some(_)) if open => {
            Event::LogsSearchFailed { number, why: why.chars().take(WHY_CHARS_MAX).collect(), bill }
        }
        (LogNews::Stopped(bill), Some(LogTask::Stop(_))) => Event::LogsSearchStopped { number, bill },
        _ => return Vec::new(),
    };
    vec![one]
}

/// Folds one record of a search.
pub(super) fn note(incident: &mut Incident, event: &Event, at: DateTime<Utc>) {
    if let Event::LogsSearchAsked { number, question, by } = event {
        incident.logs.push(LogSearch {
            number: *number,
            question: (**question).clone(),
            asked_by: by.clone(),
            asked_at: at,
            estimate: None,
            run: None,
            execution: None,
            end: None,
        });
        return;
    }
    let Some(search) = incident.logs.last_mut() else { return };
    match event {
        Event::LogsSearchEstimated { estimate, .. } => search.estimate = Some(estimate.clone()),
        Event::LogsSearchConfirmed { by, .. } => search.run = Some((by.clone(), at)),
        Event::LogsSearchStarted { execution, .. } => search.execution = Some(execution.clone()),
        Event::LogsSearchStopped { bill: stood, .. } => {
            if let Some(LogEnd::Cancelled { bill, .. }) = &mut search.end {
                *bill = Some(*stood);
            }
        }
        _ if search.end.is_some() => {}
        Event::LogsSearched { brought, bill, .. } => {
            search.end = Some(LogEnd::Done { at, brought: *brought, bill: *bill });
        }
        Event::LogsSearchFailed { why, bill, .. } => {
            search.end = Some(LogEnd::Failed { why: why.clone(), bill: *bill });
        }
        Event::LogsSearchCancelled { by, .. } => {
            search.end = Some(LogEnd::Cancelled { by: by.clone(), at, bill: None });
        }
        _ => {}
    }
}
