//! The engine between a store, an AWS and a Slack that do as they are told: what it does with each answer, and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use irp::adapters::memory::MemoryStore;
use irp::config::Organisation;
use irp::domain::action::Action;
use irp::domain::approval::{CallAnswer, RequestState, Warrant};
use irp::domain::blast_radius::BlastRadius;
use irp::domain::credential::{PrincipalKind, Subject};
use irp::domain::id::{AccountId, GroupId, IncidentId, RequestId, UserId};
use irp::domain::identification::{Identification, KnownKey};
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::event::{Event, Outcome};
use irp::domain::incident::state::Incident;
use irp::domain::incident::together::digest;
use irp::domain::inventory::Stock;
use irp::domain::observation::{KeyStatus, Observation, Probe};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::{ActionClass, Policy, Standing};
use irp::domain::refusal::Refusal;
use irp::domain::stored::Record;
use irp::engine::{Engine, EngineError, Ports, Taken};
use irp::ports::{
    ChatError, Clock, Cloud, CloudError, Directory, EventHistory, IncidentLog as _, LogArchive, Look, Page, PageRead,
    Searched, Session, Stocktaking, Term,
};

use super::search::{ACCOUNT, ORGANISATION, STOLEN, alert, start};

mod clocks;
mod owed;
mod people;
mod replicas;
mod rules;
mod unreadable;

const ASKS: &str = "U0RESPOND1";
const APPROVES: &str = "U0RESPOND2";
const APPROVES_TOO: &str = "U0APPROVE1";
const STRANGER: &str = "U0STRANGE1";
const KEY_STEP: &str = "deactivate-access-key.AKIAIOSFODNN7EXAMPLE";
const POLICY_STEP: &str = "revoke-user-sessions";

/// What AWS says to this question, which is the so-manieth since that was told, instead of answering it.
type Trouble = fn(&str, usize) -> Option<CloudError>;

#[expect(clippy::unnecessary_wraps, reason = "as trouble is told")]
fn away(what: &str, _: usize) -> Option<CloudError> {
    Some(CloudError::Unavailable { operation: what.into(), message: "told to".into() })
}

#[expect(clippy::unnecessary_wraps, reason = "as trouble is told")]
fn denies(what: &str, _: usize) -> Option<CloudError> {
    Some(CloudError::Refused { operation: what.into(), code: "AccessDenied".into(), message: "told to".into() })
}

/// The clock, Slack, and an AWS that has one user with one key.
struct World {
    now: Mutex<DateTime<Utc>>,
    /// So much later it is each time that somebody looks; where that is nothing, nobody waits.
    ticks: Mutex<TimeDelta>,
    call_takes: Mutex<Duration>,
    /// Everybody else is a member.
    standing: Mutex<BTreeMap<UserId, Standing>>,
    trouble: Mutex<(Option<Trouble>, usize)>,
    asked: Mutex<Vec<String>>,
    called: Mutex<bool>,
    /// So many readings after a call do not show it yet.
    shows_after: Mutex<usize>,
    approvers: Mutex<Vec<UserId>>,
    /// What people press while AWS is read the next time.
    meanwhile: Mutex<Vec<(&'static str, PersonCommand)>>,
    /// Who leaves while what AWS does not keep is put into safety.
    leaves: Mutex<Option<UserId>>,
    /// Who leaves while Slack is asked about somebody, for the next questions.
    leaves_at_question: Mutex<VecDeque<Option<UserId>>>,
    /// What irp.toml says by the time that AWS has been read.
    new_rules: Mutex<Option<Policy>>,
    engine: OnceLock<(Engine, IncidentId)>,
}

impl World {
    fn tell(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = (Some(trouble), 0);
    }

    fn recover(&self) {
        *self.trouble.lock().unwrap() = (None, 0);
    }

    fn ask(&self, what: &str) -> Result<(), CloudError> {
        self.asked.lock().unwrap().push(what.to_owned());
        let (trouble, times) = &mut *self.trouble.lock().unwrap();
        *times += 1;
        trouble.and_then(|trouble| trouble(what, *times)).map_or(Ok(()), Err)
    }

    /// What AWS was asked since the last time that this was called.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn pass(&self, time: TimeDelta) {
        *self.now.lock().unwrap() += time;
    }

    fn key(&self) -> KeyStatus {
        let left = &mut *self.shows_after.lock().unwrap();
        if !*self.called.lock().unwrap() {
            return KeyStatus::Active;
        }
        if *left == 0 {
            return KeyStatus::Inactive;
        }
        *left -= 1;
        KeyStatus::Active
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> DateTime<Utc> {
        let mut now = self.now.lock().unwrap();
        *now += *self.ticks.lock().unwrap();
        *now
    }
    async fn wait(&self, time: Duration) {
        let until = self.now() + time;
        while self.ticks.lock().unwrap().num_milliseconds() > 0 && self.now() < until {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Directory for World {
    async fn standing(&self, user: &UserId) -> Result<Standing, ChatError> {
        let leaves = self.leaves_at_question.lock().unwrap().pop_front().flatten();
        if let Some(user) = leaves {
            // Others have their turn.
            tokio::task::yield_now().await;
            self.standing.lock().unwrap().insert(user, Standing::Deactivated);
        }
        Ok(self.standing.lock().unwrap().get(user).copied().unwrap_or(Standing::Member))
    }
    async fn members(&self, _: &GroupId) -> Result<BTreeSet<UserId>, ChatError> {
        Ok(BTreeSet::new())
    }
}

#[async_trait]
impl EventHistory for World {
    async fn regions(&self, _: &AccountId) -> Result<Searched, CloudError> {
        Ok(Searched { regions: vec!["us-east-1".into()], ..Searched::default() })
    }
    async fn page(&self, _: &AccountId, _: Page<'_>) -> Result<PageRead, CloudError> {
        Ok(PageRead::default())
    }
    async fn canary(&self, _: &AccountId, _: &str) -> Result<String, CloudError> {
        Ok("r".into())
    }
}

impl LogArchive for World {}

#[async_trait]
impl Stocktaking for World {
    async fn stock(&self, _: &AccountId, _: Look<'_>) -> Result<Stock, CloudError> {
        Ok(Stock::default())
    }
}

#[async_trait]
impl Cloud for World {
    async fn caller(&self) -> Result<String, CloudError> {
        Ok("arn:aws:iam::111122223333:role/irp".into())
    }
    async fn identify(&self, _: &Subject, _: DateTime<Utc>) -> Result<Identification, CloudError> {
        self.ask("identify")?;
        let key = KnownKey {
            id: STOLEN.parse().unwrap(),
            status: KeyStatus::Active,
            created_at: None,
            last_used_at: None,
            last_used_for: None,
        };
        Ok(Identification {
            kind: PrincipalKind::IamUser,
            name: Some("ci".into()),
            arn: Some(format!("arn:aws:iam::{ACCOUNT}:user/ci")),
            unique_id: Some("AIDA1".into()),
            session_name: None,
            taken_by: vec![],
            account: ACCOUNT.parse().ok(),
            account_in_key: None,
            account_from_sts: None,
            keys: vec![key],
            keys_read: true,
            owners: vec!["kim".into()],
            not_known: vec![],
        })
    }
    async fn blast_radius(&self, _: &Subject, _: &Identification, _: DateTime<Utc>) -> Result<BlastRadius, CloudError> {
        self.ask("blast radius")?;
        Ok(BlastRadius::default())
    }
    async fn observe(&self, _: &AccountId, probe: &Probe) -> Result<Observation, CloudError> {
        let what = match probe {
            Probe::AccessKey { .. } => "key",
            Probe::UserKeys { .. } => "keys",
            Probe::UserPolicy { .. } => "policy",
            other => panic!("nobody asks about {other:?} here"),
        };
        let pressed = std::mem::take(&mut *self.meanwhile.lock().unwrap());
        for (by, command) in pressed {
            let (engine, id) = self.engine.get().unwrap();
            engine.act(*id, &user(by), command).await.unwrap();
        }
        if let Some(rules) = self.new_rules.lock().unwrap().take() {
            self.engine.get().unwrap().0.put_rules(rules, self.now());
        }
        self.ask(what)?;
        let (owner_id, owner_arn) = ("AIDA1".to_owned(), format!("arn:aws:iam::{ACCOUNT}:user/ci"));
        Ok(match probe {
            Probe::AccessKey { .. } => Observation::AccessKey { owner_id, owner_arn, status: Some(self.key()) },
            Probe::UserKeys { .. } => {
                Observation::UserKeys { owner_id, owner_arn, keys: [(STOLEN.parse().unwrap(), self.key())].into() }
            }
            _ => Observation::InlinePolicy { owner_id, owner_arn, owner_path: "/".into(), document: None },
        })
    }
    async fn keep(&self, _: &AccountId, _: RequestId, _: &Action, _: DateTime<Utc>) -> Result<(), CloudError> {
        let gone = self.leaves.lock().unwrap().take().map(|user| (user, Standing::Deactivated));
        self.standing.lock().unwrap().extend(gone);
        Ok(())
    }
    async fn session(&self, _: &Warrant) -> Result<Box<dyn Session + '_>, CloudError> {
        self.ask("session")?;
        Ok(Box::new(Given(self)))
    }
}

/// What AWS gives for a warrant.
struct Given<'a>(&'a World);

#[async_trait]
impl Session for Given<'_> {
    async fn apply(&self, warrant: &Warrant, _: &Term<'_>) -> CallAnswer {
        let world = self.0;
        world.asked.lock().unwrap().push("call".into());
        world.approvers.lock().unwrap().push(warrant.approver().clone());
        *world.called.lock().unwrap() = true;
        let takes = *world.call_takes.lock().unwrap();
        world.wait(takes).await;
        CallAnswer::Accepted
    }
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn number(number: u32) -> RequestId {
    RequestId::new(IncidentId::new(1), number)
}

/// A replica, and an incident about the key.
struct Bot {
    engine: Engine,
    store: Arc<MemoryStore>,
    world: Arc<World>,
    id: IncidentId,
}

impl Bot {
    async fn new() -> Self {
        Self::with(Arc::new(MemoryStore::default()), |policy| policy).await
    }

    /// By these rules, over this store.
    async fn with(store: Arc<MemoryStore>, rules: impl FnOnce(Policy) -> Policy) -> Self {
        let world = Arc::new(World {
            now: Mutex::new(start()),
            ticks: Mutex::default(),
            call_takes: Mutex::default(),
            standing: Mutex::default(),
            trouble: Mutex::new((None, 0)),
            asked: Mutex::default(),
            called: Mutex::new(false),
            shows_after: Mutex::new(0),
            approvers: Mutex::default(),
            meanwhile: Mutex::default(),
            leaves: Mutex::default(),
            leaves_at_question: Mutex::default(),
            new_rules: Mutex::default(),
            engine: OnceLock::new(),
        });
        let ports =
            Ports { store: store.clone(), cloud: world.clone(), directory: world.clone(), clock: world.clone() };
        let policy = rules(Organisation::parse(ORGANISATION, "irp.toml").unwrap().policy(None));
        let waits = [Duration::ZERO, Duration::ZERO];
        let engine = Engine::new(ports, policy, Playbook::parse(BUILT_IN).unwrap(), "r", &waits);
        let id = engine.take_alert(&alert()).await.unwrap().incident();
        assert!(world.engine.set((engine.clone(), id)).is_ok());
        engine.inform(id).await.unwrap();
        world.asked();
        Self { engine, store, world, id }
    }

    async fn incident(&self) -> Incident {
        self.engine.load(self.id).await.unwrap().unwrap()
    }

    async fn state(&self, request: u32) -> RequestState {
        self.incident().await.requests[&number(request)].state.clone()
    }

    async fn ask(&self, step: &str) -> Result<Incident, EngineError> {
        let press = format!("press {};", self.incident().await.requests.len());
        self.engine.request(self.id, &user(ASKS), &step.parse().unwrap(), &press).await
    }

    /// A yes to the first request.
    async fn yes(&self) -> PersonCommand {
        let incident = self.incident().await;
        let digest_shown = digest(&incident, &incident.requests[&number(1)]).short().to_owned();
        PersonCommand::Approve { request: number(1), digest_shown, clicked_at: self.engine.now() }
    }

    /// The key is asked to be switched off, and that is approved.
    async fn approved() -> Self {
        let bot = Self::new().await;
        bot.ask(KEY_STEP).await.unwrap();
        bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await.unwrap();
        bot.world.asked();
        bot
    }

    /// And done.
    async fn verified() -> Self {
        let bot = Self::approved().await;
        bot.engine.advance(bot.id).await.unwrap();
        assert!(matches!(bot.state(1).await, RequestState::Verified { .. }));
        bot.world.asked();
        bot
    }

    /// The attempts that the log has as refused.
    async fn refused(&self) -> Vec<(UserId, String)> {
        let log = self.store.load(self.id).await.unwrap();
        let refused = log.iter().filter_map(|record| match &record.event {
            Event::AttemptRefused { by, attempt, .. } => Some((by.clone(), attempt.clone())),
            _ => None,
        });
        refused.collect()
    }

    async fn close(&self) {
        let close = PersonCommand::Close { outcome: Outcome::FalsePositive, note: "a drill".into() };
        self.engine.act(self.id, &user(ASKS), close).await.unwrap();
    }
}

fn no(outcome: Result<impl Sized, EngineError>) -> Refusal {
    match outcome {
        Err(EngineError::Refused(no)) => no,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[tokio::test]
async fn what_was_asked_under_other_rules_ends_when_they_change_and_an_open_incident_keeps_its_alerts() {
    let bot = Bot::new().await;
    bot.ask(KEY_STEP).await.unwrap();
    let rules = Policy { version: "other".into(), ..(*bot.engine.rules()).clone() };
    bot.engine.put_rules(rules, bot.engine.now());
    assert!(bot.engine.follow_rules(bot.id).await.unwrap());
    assert!(matches!(bot.state(1).await, RequestState::Cancelled { .. }));
    assert_eq!(bot.store.open_incidents(9).await.unwrap(), [bot.id]);
}

#[tokio::test]
async fn the_keys_of_a_closed_incident_are_freed_though_who_closed_it_died_before_that() {
    let bot = Bot::new().await;
    let incident = bot.incident().await;
    let closed = Event::Closed { by: user(ASKS), outcome: Outcome::FalsePositive, note: "a drill".into() };
    let record = Record::seal(Some(&incident.head), bot.engine.now(), closed);
    bot.store.append(bot.id, incident.version, &[record], None).await.unwrap();
    assert_eq!(bot.store.open_incidents(9).await.unwrap(), [bot.id]);
    bot.engine.follow_rules(bot.id).await.unwrap();
    assert!(bot.store.open_incidents(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_alert_joins_the_open_incident_and_opens_another_once_that_is_closed() {
    let bot = Bot::new().await;
    assert_eq!(bot.engine.take_alert(&alert()).await.unwrap(), Taken::Known(bot.id));
    let again = || irp::domain::alert::Alert { delivery_id: "again".into(), ..alert() };
    assert_eq!(bot.engine.take_alert(&again()).await.unwrap(), Taken::Joined(bot.id));
    bot.engine.act(bot.id, &user(ASKS), PersonCommand::TakeLead { clicked_at: bot.engine.now() }).await.unwrap();
    assert_eq!(bot.store.open_incidents(9).await.unwrap(), [bot.id]);
    bot.close().await;
    assert!(bot.store.open_incidents(9).await.unwrap().is_empty(), "its keys are free");
    let taken = bot.engine.take_alert(&again()).await.unwrap();
    assert!(matches!(taken, Taken::Opened(id) if id != bot.id), "{taken:?}");
}

#[tokio::test]
async fn an_incident_of_any_number_can_be_worked() {
    let store = Arc::new(MemoryStore::default());
    for taken in 0..5_000 {
        store.claim(&[format!("another {taken}")]).await.unwrap();
    }
    let bot = Bot::with(store, |policy| policy).await;
    assert_eq!(bot.id, IncidentId::new(5_001));
    bot.engine.act(bot.id, &user(ASKS), PersonCommand::TakeLead { clicked_at: bot.engine.now() }).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_holds_up_none_of_the_others() {
    let bot = Bot::new().await;
    bot.world.tell(|what, times| away(what, times).filter(|_| what == "policy"));
    let incident = bot.engine.request_all(bot.id, &user(ASKS), Some(ActionClass::Contain), "press;").await.unwrap();
    let asked: Vec<String> = incident.requests.values().map(|request| request.plan.step.to_string()).collect();
    assert_eq!(asked, [KEY_STEP]);
    let left: Vec<String> = bot.engine.left_out(&incident).iter().map(|step| step.id.to_string()).collect();
    assert_eq!(left, [POLICY_STEP]);
    assert!(bot.refused().await.is_empty());
}

#[tokio::test]
async fn where_nothing_can_be_read_or_asked_for_the_reason_is_said_and_on_record() {
    let bot = Bot::approved().await;
    assert!(matches!(no(bot.ask(KEY_STEP).await), Refusal::UnderWay(_)));
    bot.world.tell(denies);
    let unread = no(bot.engine.request_all(bot.id, &user(ASKS), Some(ActionClass::Contain), "press;").await);
    assert!(matches!(&unread, Refusal::AwsUnread(why) if why.contains("AccessDenied")), "{unread:?}");
    assert_eq!(bot.refused().await, [(user(ASKS), "request".to_owned()), (user(ASKS), "request".to_owned())]);
    assert_eq!(bot.incident().await.requests.len(), 1);
}

#[tokio::test]
async fn a_card_asks_for_what_stands_on_it_and_for_nothing_else() {
    let bot = Bot::new().await;
    for (class, why) in [(None, "Use the newest card"), (Some(ActionClass::Eradicate), "containment comes first")] {
        let refused = no(bot.engine.request_all(bot.id, &user(ASKS), class, "press;").await);
        assert!(matches!(&refused, Refusal::NotApplicable(said) if said.contains(why)), "{refused:?}");
    }
    assert_eq!(bot.refused().await, [(user(ASKS), "request".to_owned()), (user(ASKS), "request".to_owned())]);
    assert!(bot.incident().await.requests.is_empty());
}
