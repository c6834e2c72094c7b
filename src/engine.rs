//! Use cases: load, decide, append; run what is owed. Holds no state that anything is decided by: every replica can do
//! every step, and the log decides who was first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, join_all, select};
use thiserror::Error;
use tokio::sync::Mutex;

use self::rules::{Held, InForce};
use crate::domain::alert::{Alert, AlertSource};
use crate::domain::approval::{Request, check_responder};
use crate::domain::id::{IncidentId, RequestId, StepId, UserId};
use crate::domain::incident::command::{Attempt, PersonCommand, Report};
use crate::domain::incident::decide::{self, Context};
use crate::domain::incident::event::Event;
use crate::domain::incident::evolve::{evolve, fold};
use crate::domain::incident::owed::next_due_at;
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::Step;
use crate::domain::incident::together::{left_out, pressed};
use crate::domain::incident::{hands, risk};
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Actor, Policy, Standing};
use crate::domain::refusal::Refusal;
use crate::domain::stored::Record;
use crate::ports::{AppendError, ChatError, Clock, Cloud, CloudError, Directory, Store, StoreError};

mod effects;
mod hunt;
mod inventory;
mod logs;
mod people;
mod refusals;
mod rules;
mod whereabouts;

/// How often a decision is made anew because somebody else was faster. With fewer people than this at
/// one incident, everybody gets through.
const CONFLICT_ATTEMPTS_MAX: u32 = 64;

const ACCOUNT_NOT_KNOWN: &str = "The account of this credential is not known yet.";

/// Whoever has waited longer for their turn is looked up again. Slack's word on somebody is a few seconds old as it is.
const WAITED_MAX: TimeDelta = TimeDelta::seconds(1);
/// And for so long: without an answer by then, it is no.
const ASKED_AGAIN_MAX: Duration = Duration::from_secs(3);
/// Who has stood in line for longer than this has seen another incident than there is now.
const TURN_MAX: TimeDelta = TimeDelta::seconds(60);
/// For so long alerts wait for an incident that cannot be read: another process may be able to.
const UNREADABLE_FOR: TimeDelta = TimeDelta::minutes(5);
/// Incidents share so many turns.
const TURNS: usize = 64;

/// The outside, as the engine sees it.
#[derive(Clone)]
pub struct Ports {
    /// Logs, queues and cards.
    pub store: Arc<dyn Store>,
    /// AWS.
    pub cloud: Arc<dyn Cloud>,
    /// Who people are.
    pub directory: Arc<dyn Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The use cases.
#[derive(Clone)]
pub struct Engine {
    ports: Ports,
    rules: Arc<RwLock<Held>>,
    playbook: Arc<Playbook>,
    replica: Arc<str>,
    read_back_waits: Arc<[Duration]>,
    /// In one process people take turns at an incident, so that a crowd does not keep making each other decide
    /// anew. Between processes only the log decides.
    turns: Arc<[Mutex<()>; TURNS]>,
    /// Incidents whose logs cannot be read, and since when alerts have been led to each.
    unreadable: Arc<std::sync::Mutex<BTreeMap<IncidentId, DateTime<Utc>>>>,
    /// Refused attempts that are more than a log takes. Nothing is decided by them.
    refused: Arc<refusals::LeftOut>,
}

/// Why a use case could not be carried through.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The rules say no. The person is told the sentence; trying again does not help.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store is not there. Nothing was decided.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// AWS could not be read. Nothing was decided.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// Slack could not say who somebody is. Nothing was done; try again.
    #[error("Slack could not say who somebody is: {0}")]
    Directory(ChatError),
    /// Slack could not say who is in a group. Nothing was done; try again.
    #[error("Slack could not say who is in the groups of irp.toml")]
    GroupsUnread,
    /// It was asked for under rules that this process does not have. Another may have them.
    #[error("it was asked for under other rules than this process has")]
    OtherRules,
    /// Others kept being faster. Nothing was decided; try again.
    #[error("too many people changed this incident at once; try again")]
    Contended,
}

/// What taking an alert in led to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// A new incident.
    Opened(IncidentId),
    /// It belongs to an open one.
    Joined(IncidentId),
    /// The same delivery was taken in before.
    Known(IncidentId),
}

impl Taken {
    /// The incident.
    pub const fn incident(self) -> IncidentId {
        match self {
            Self::Opened(id) | Self::Joined(id) | Self::Known(id) => id,
        }
    }
}

impl Engine {
    /// `replica` names this process in the log. `read_back_waits` are the waits before each read after
    /// a call: IAM shows a change within seconds, not at once.
    pub fn new(ports: Ports, policy: Policy, playbook: Playbook, replica: &str, read_back_waits: &[Duration]) -> Self {
        let held = Held::new(Arc::new(policy), ports.clock.now());
        Self {
            ports,
            rules: Arc::new(RwLock::new(held)),
            playbook: Arc::new(playbook),
            replica: replica.into(),
            read_back_waits: read_back_waits.into(),
            turns: Arc::new(std::array::from_fn(|_| Mutex::default())),
            unreadable: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// The playbook in force.
    pub fn playbook(&self) -> &Playbook {
        &self.playbook
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        self.ports.clock.now()
    }

    /// An incident as it stands; `None` when there is none of this number.
    pub async fn load(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        let incident = fold(&self.ports.store.load(id).await?);
        if let Some(incident) = &incident {
            self.note_named(incident);
        }
        Ok(incident)
    }

    /// Takes an alert in: joins the open incident about the same finding or credential, or opens one.
    /// Harmless when repeated after a crash at any point.
    pub async fn take_alert(&self, alert: &Alert) -> Result<Taken, EngineError> {
        let keys = alert.correlation_keys();
        for _ in 0..CONFLICT_ATTEMPTS_MAX {
            let id = self.ports.store.claim(&keys).await?.incident;
            let loaded = match self.load(id).await {
                Err(StoreError::Unreadable(why)) => {
                    self.lead_elsewhere(id, alert, why).await?;
                    continue;
                }
                loaded => loaded?,
            };
            self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            let Some(incident) = loaded else {
                // The number is ours, or its owner died before the first record: either may write it.
                let InForce { policy, read_at } = self.in_force();
                let opened = vec![decide::open(id, alert.clone(), &policy, read_at)];
                match self.append(id, None, opened).await {
                    Ok(_) => return Ok(Taken::Opened(id)),
                    Err(AppendError::Conflict) => continue,
                    Err(AppendError::Store(error)) => return Err(error.into()),
                }
            };
            if !incident.is_open() {
                self.ports.store.retire(id).await?;
                continue;
            }
            if incident.deliveries.contains(&alert.delivery_id) {
                return Ok(Taken::Known(id));
            }
            let events = decide::take_report(&incident, Report::Alert(alert.clone()), self.context(&self.rules()));
            match self.append(id, Some(incident), events).await {
                Ok(_) => return Ok(Taken::Joined(id)),
                Err(AppendError::Conflict) => {}
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Has alerts about the credential of an incident that cannot be read open another: that one nobody can work on. A person
    /// who asks does not wait; it can be this process alone that cannot read it, as one without the keys of seals.
    async fn lead_elsewhere(&self, id: IncidentId, alert: &Alert, why: String) -> Result<(), StoreError> {
        let now = self.now();
        let since = {
            let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
            *unreadable.entry(id).or_insert(now)
        };
        if now - since < UNREADABLE_FOR && !matches!(alert.source, AlertSource::Person(_)) {
            return Err(StoreError::Unreadable(why));
        }
        tracing::error!(incident.id = %id, %why, "it cannot be read: what is about the same credential opens another incident");
        self.ports.store.free_keys(id).await?;
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        Ok(())
    }

    /// Opens an incident from a person's words, or leads them to the open one about the same credential.
    pub async fn open(&self, by: &UserId, alert: &Alert) -> Result<Taken, EngineError> {
        self.may_respond(by).await?;
        self.take_alert(alert).await
    }

    /// A responder asks for a step: reads AWS, works the plan out and puts it before the approvers. `press` names
    /// this press of the button: delivered twice, it leads to one request.
    pub async fn request(
        &self,
        id: IncidentId,
        by: &UserId,
        step: &StepId,
        press: &str,
    ) -> Result<Incident, EngineError> {
        Box::pin(self.request_steps(id, by, press, |_| Ok(vec![step.clone()]))).await
    }

    /// A responder asks for all containment that is left, or for all removal, as one thing to decide on: which of them, the
    /// card says that they pressed.
    pub async fn request_all(
        &self,
        id: IncidentId,
        by: &UserId,
        class: Option<ActionClass>,
        press: &str,
    ) -> Result<Incident, EngineError> {
        Box::pin(self.request_steps(id, by, press, |incident| pressed(incident, &self.playbook, class))).await
    }

    /// What of an incident could not be asked for with the rest.
    pub fn left_out(&self, incident: &Incident) -> Vec<Step> {
        left_out(incident, &self.playbook)
    }

    async fn request_steps(
        &self,
        id: IncidentId,
        by: &UserId,
        press: &str,
        steps: impl Fn(&Incident) -> Result<Vec<StepId>, Refusal>,
    ) -> Result<Incident, EngineError> {
        let (actor, incident, policy) = Box::pin(self.judged_by(id, by)).await?;
        let refused = async |no| self.audit(&incident, &actor, attempted("request", None), no).await;
        if let Err(no) = check_responder(&policy, &actor) {
            return Err(Box::pin(refused(no)).await);
        }
        let steps = match steps(&incident) {
            Ok(steps) => steps,
            Err(no) => return Err(Box::pin(refused(no)).await),
        };
        let Some(account) = incident.account().filter(|_| !steps.is_empty()) else {
            let why = if steps.is_empty() { "No step is left to ask for." } else { ACCOUNT_NOT_KNOWN };
            return Err(Box::pin(refused(Refusal::NotApplicable(why.into()))).await);
        };
        let present = self.with_present_approvers(&policy, &actor).await;
        // One that may not be asked for, or cannot be read, holds up none of the others.
        let (mut allowed, mut refusal) = (Vec::new(), None);
        for step in steps {
            match decide::may_request(&incident, &actor, &step, self.context(&present)) {
                Ok(action) => allowed.push((step, action)),
                Err(no) => drop(refusal.get_or_insert(no)),
            }
        }
        let read = allowed.into_iter().map(|(step, action)| {
            let (incident, account) = (&incident, &account);
            async move { (step, Box::pin(self.read_before(incident, account, &action)).await) }
        });
        let (mut parts, mut unread) = (Vec::new(), None);
        for (step, answer) in join_all(read).await {
            match answer {
                Ok(before) => parts.push((step, before)),
                Err(no) => drop(unread.get_or_insert(no)),
            }
        }
        if let Some(no) = unread.or(refusal).filter(|_| parts.is_empty()) {
            return Err(Box::pin(refused(no)).await);
        }
        Box::pin(self.decide(id, by, PersonCommand::Request { parts, nonce: press.to_owned() })).await
    }

    /// What is judged by before anything is asked of somebody: who they are, the incident and the rules.
    async fn judged_by(&self, id: IncidentId, by: &UserId) -> Result<(Actor, Incident, Arc<Policy>), EngineError> {
        let actor = self.actor(by).await;
        let incident = self.load(id).await?.ok_or(Refusal::UnknownIncident(id))?;
        Ok((actor, incident, self.policy().await))
    }

    /// Whether somebody may let a request run alone, before they are shown the form: what they would type there.
    pub async fn may_break_glass(&self, request: RequestId, by: &UserId, digest: &str) -> Result<Request, EngineError> {
        let id = request.incident();
        let (actor, incident, policy) = Box::pin(self.judged_by(id, by)).await?;
        match decide::may_break_glass(&incident, &actor, request, digest, self.context(&policy)) {
            // The one that was pressed can be one that nobody runs alone.
            Ok(alone) => {
                let shown = alone.iter().find(|r| r.id == request).or(alone.first());
                Ok(shown.map_or_else(|| incident.requests[&request].clone(), |r| (*r).clone()))
            }
            Err(refusal) => {
                let attempt = Attempt { digest: Some(digest), ..attempted("break the glass", Some(request)) };
                Err(Box::pin(self.audit(&incident, &actor, attempt, refusal)).await)
            }
        }
    }

    /// Whether somebody may accept the risk of the containment that they have seen, before they are shown the form.
    pub async fn may_accept_risk(&self, id: IncidentId, by: &UserId, shown: i64) -> Result<(), EngineError> {
        let (actor, incident, policy) = Box::pin(self.judged_by(id, by)).await?;
        match risk::may_accept(&incident, &actor, shown, self.context(&policy)) {
            Ok(()) => Ok(()),
            Err(refusal) => {
                Err(Box::pin(self.audit(&incident, &actor, attempted("accept the risk", None), refusal)).await)
            }
        }
    }

    /// Whether somebody may say that a step is done by hand, before they are shown the form: the step.
    pub async fn may_say_done(&self, id: IncidentId, by: &UserId, step: &StepId) -> Result<Step, EngineError> {
        let (actor, incident, policy) = Box::pin(self.judged_by(id, by)).await?;
        match hands::may_say(&incident, &actor, step, self.context(&policy)) {
            Ok(step) => Ok(step),
            Err(refusal) => {
                let attempt = attempted("say that it is done by hand", None);
                Err(Box::pin(self.audit(&incident, &actor, attempt, refusal)).await)
            }
        }
    }

    /// A person's command, other than opening and requesting.
    pub async fn act(&self, id: IncidentId, by: &UserId, command: PersonCommand) -> Result<Incident, EngineError> {
        Box::pin(self.decide(id, by, command)).await
    }

    async fn decide(&self, id: IncidentId, by: &UserId, command: PersonCommand) -> Result<Incident, EngineError> {
        let (mut actor, mut policy) = (self.actor(by).await, self.policy().await);
        let asked_at = self.now();
        let _turn = self.turns[id.number() as usize % TURNS].lock().await;
        if self.now() - asked_at > WAITED_MAX {
            // Whoever has stood behind a crowd can have lost their rights meanwhile, and the rules can be others. Those
            // behind them do not wait for a slow Slack.
            let again = async { tokio::join!(self.actor(by), self.policy()) };
            match select(pin!(again), self.ports.clock.wait(ASKED_AGAIN_MAX)).await {
                Either::Left((now, _)) => (actor, policy) = now,
                Either::Right(_) => actor.standing = Standing::Unknown,
            }
        }
        for _ in 0..CONFLICT_ATTEMPTS_MAX {
            let Some(incident) = self.load(id).await? else {
                return Err(command.request().map_or(Refusal::UnknownIncident(id), Refusal::UnknownRequest).into());
            };
            let decided = if self.now() - asked_at > TURN_MAX {
                Err(Refusal::HandledTooLate)
            } else {
                let judge =
                    |incident: &Incident| decide::decide(incident, &actor, command.clone(), self.context(&policy));
                match judge(&incident) {
                    // Slack is asked only for somebody who may: whoever presses without end uses it up for nobody.
                    Ok(events) => match Box::pin(self.with_present_agreed(&incident, &command)).await? {
                        Cow::Borrowed(_) => Ok(events),
                        Cow::Owned(present) => judge(&present),
                    },
                    no => no,
                }
            };
            let events = match decided {
                Ok(events) => events,
                Err(refusal) => return Err(self.audit(&incident, &actor, (&command).into(), refusal).await),
            };
            match self.append(id, Some(incident), events).await {
                Ok(incident) => {
                    if !incident.is_open()
                        && let Err(error) = self.ports.store.retire(id).await
                    {
                        // The next alert that its keys lead here frees them.
                        tracing::warn!(incident.id = %id, %error, "a closed incident's keys could not be freed yet");
                    }
                    return Ok(incident);
                }
                Err(AppendError::Conflict) => {}
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Turns somebody away before anything is decided, and writes it down.
    pub async fn turn_away(&self, id: IncidentId, by: &UserId, attempt: Attempt<'_>, refusal: Refusal) -> EngineError {
        match self.load(id).await {
            Ok(Some(incident)) => {
                let actor = self.actor(by).await;
                Box::pin(self.audit(&incident, &actor, attempt, refusal)).await
            }
            Ok(None) => refusal.into(),
            Err(error) => error.into(),
        }
    }

    /// Whether somebody may work an incident, before they are shown a form. A no is written down.
    pub async fn may_work(&self, id: IncidentId, by: &UserId, attempt: Attempt<'_>) -> Result<(), EngineError> {
        match self.may_respond(by).await {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.turn_away(id, by, attempt, refusal).await),
        }
    }

    /// Appends to the log as it was when it was loaded, and gives the state after.
    async fn append(
        &self,
        id: IncidentId,
        before: Option<Incident>,
        events: Vec<Event>,
    ) -> Result<Incident, AppendError> {
        let at = self.now();
        let expected = before.as_ref().map_or(0, |i| i.version);
        let mut head = before.as_ref().map(|i| i.head.clone());
        let mut records: Vec<Record> = Vec::with_capacity(events.len());
        for event in events {
            let record = Record::seal(head.as_deref(), at, event);
            head = Some(record.hash().to_owned());
            records.push(record);
        }
        let after = match before {
            Some(mut incident) => {
                for record in &records {
                    evolve(&mut incident, record);
                }
                incident
            }
            None => fold(&records).expect("a new log begins with an opening"),
        };
        if !records.is_empty() {
            self.ports.store.append(id, expected, &records, next_due_at(&after)).await?;
        }
        Ok(after)
    }

    fn context<'a>(&'a self, policy: &'a Policy) -> Context<'a> {
        Context { now: self.now(), policy, playbook: &self.playbook }
    }
}

const fn attempted(name: &str, request: Option<RequestId>) -> Attempt<'_> {
    Attempt { name, request, digest: None }
}
