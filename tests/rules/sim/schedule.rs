//! Simulated time: one queue of what is to happen, in the order of one seed. Nothing here waits for real time,
//! and no thread or random number from elsewhere has a say.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use chrono::{DateTime, TimeDelta, Utc};
use irp::domain::id::{IncidentId, RequestId, UserId};
use irp::domain::incident::command::PersonCommand;
use irp::domain::stored::Record;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::checks::Audit;
use super::cloud::Aws;
use super::people::People;
use super::store::Logs;

pub(super) const SECOND_MS: u64 = 1_000;
pub(super) const MINUTE_MS: u64 = 60 * SECOND_MS;

/// Everything random, from the seed.
pub(super) struct Chance(StdRng);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub(super) fn happens(&mut self, odds: f64) -> bool {
        odds > 0.0 && self.0.random_bool(odds.min(1.0))
    }

    /// From `low` to `high`, the latter not included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..high)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }

    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// One of these, each as often as its weight says.
    pub(super) fn weighed<T: Copy>(&mut self, of: &[(T, u64)]) -> T {
        let total: u64 = of.iter().map(|(_, weight)| weight).sum();
        let mut at = self.between(0, total.max(1));
        for (what, weight) in of {
            if at < *weight {
                return *what;
            }
            at -= weight;
        }
        of[0].0
    }
}

/// How often what goes wrong. Each seed has its own mixture, some of it never and some of it often: faults that
/// are all as likely as each other hide what only one of them brings out.
#[derive(Clone, Debug, Default)]
pub(super) struct Odds {
    pub(super) store_fails: f64,
    pub(super) store_silent: f64,
    pub(super) store_late: f64,
    pub(super) store_slow: f64,
    pub(super) slack_away: f64,
    pub(super) aws_throttles: f64,
    pub(super) aws_refuses: f64,
    pub(super) aws_slow: f64,
    pub(super) aws_shows_late: f64,
    pub(super) call_goes_wrong: f64,
    pub(super) click_lost: f64,
    pub(super) click_doubled: f64,
    pub(super) click_late: f64,
    pub(super) right_lost: f64,
}

impl Odds {
    pub(super) fn drawn(chance: &mut Chance) -> Self {
        let mut odds = |high: f64| *chance.one_of(&[0.0, 0.0, high / 5.0, high]);
        Self {
            store_fails: odds(0.1),
            store_silent: odds(0.1),
            store_late: odds(0.1),
            store_slow: odds(0.1),
            slack_away: odds(0.3),
            aws_throttles: odds(0.3),
            aws_refuses: odds(0.05),
            aws_slow: odds(0.2),
            aws_shows_late: odds(0.5),
            call_goes_wrong: odds(0.8),
            click_lost: odds(0.2),
            click_doubled: odds(0.5),
            click_late: odds(0.5),
            right_lost: odds(0.1),
        }
    }
}

/// Until when whom nobody reaches; and what the bot may not read at all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outages {
    pub(super) aws_until_ms: u64,
    pub(super) slack_until_ms: u64,
    pub(super) store_until_ms: u64,
    /// An operation that AWS denies from the beginning to the end.
    pub(super) denied: Option<&'static str>,
}

/// What is denied for good in some runs.
const DENIABLE: [&str; 5] =
    ["LookupEvents", "GetAccessKeyLastUsed", "GetUserPolicy", "GetAccountAuthorizationDetails", "GetCallerIdentity"];

impl Outages {
    fn drawn(chance: &mut Chance) -> Self {
        let denied = if chance.happens(0.3) { Some(*chance.one_of(&DENIABLE)) } else { None };
        Self { denied, ..Self::default() }
    }
}

/// What somebody does, and on which incident.
#[derive(Clone, Debug)]
pub(super) struct Click {
    pub(super) by: UserId,
    pub(super) incident: IncidentId,
    pub(super) what: What,
    /// Names this press, however often it is delivered.
    pub(super) press: String,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Request(irp::domain::id::StepId),
    /// All containment that is left, or all removal: by the card that they saw.
    RequestAll(irp::domain::policy::ActionClass),
    Act(PersonCommand),
}

/// What was on its way when its sender stopped waiting for it, or died.
pub(super) enum Landing {
    Append { by: By, id: IncidentId, expected: u64, records: Vec<Record>, due: Option<DateTime<Utc>> },
    Call { request: RequestId, calls: Vec<irp::domain::action::ApiCall> },
}

/// Who is at work: a task of a replica.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct By {
    pub(super) replica: usize,
    pub(super) task: u64,
}

pub(super) enum Event {
    Wake(u64),
    /// Somebody's time has passed.
    Ring(Waker),
    Tick(usize),
    Person(usize),
    Alert,
    Deliver(usize, Click),
    Mishap,
    Land(Landing),
    Restart(usize),
    Reload(usize),
    /// A replica looks whether every open incident names its rules.
    Follow(usize),
    Lose(UserId),
}

/// What a worker does with an incident, each on its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Task {
    Act,
    Watch,
    Inform,
    Reach,
    Hunt,
}

impl Task {
    pub(super) const ALL: [Self; 5] = [Self::Act, Self::Watch, Self::Inform, Self::Reach, Self::Hunt];
}

/// One process.
#[derive(Default)]
pub(super) struct Replica {
    pub(super) up: bool,
    pub(super) stands_until_ms: u64,
    /// How far its clock is from the simulated time.
    pub(super) off_ms: i64,
    /// Which of the organisation's files it has read last.
    pub(super) rules: usize,
    /// All that it has read, and when, with its earlier lives; the newest last.
    pub(super) readings: Vec<(usize, u64)>,
    /// What it is at, and whether it has to look again when it is through.
    pub(super) busy: BTreeMap<(IncidentId, Task), bool>,
}

impl Replica {
    /// It reads this file.
    pub(super) fn read(&mut self, rules: usize, now_ms: u64) {
        self.rules = rules;
        self.readings.push((rules, now_ms));
    }
}

/// A moment of the simulation as a time.
pub(super) fn time_of(ms: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_454) + TimeDelta::milliseconds(i64::try_from(ms).unwrap())
}

pub(super) struct State {
    pub(super) now_ms: u64,
    pub(super) chance: Chance,
    pub(super) odds: Odds,
    pub(super) outages: Outages,
    queue: BTreeMap<(u64, u64), Event>,
    booked: u64,
    pub(super) at_work: By,
    pub(super) replicas: Vec<Replica>,
    /// The newest of the organisation's files.
    pub(super) rules: usize,
    pub(super) people: People,
    pub(super) aws: Aws,
    pub(super) logs: Logs,
    pub(super) audit: Audit,
    pub(super) trace: Vec<String>,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let people = People::drawn(&mut chance);
        let odds = Odds::drawn(&mut chance);
        let outages = Outages::drawn(&mut chance);
        let replicas = (0..chance.between(2, 4)).map(|_| Replica { up: true, ..Replica::default() }).collect();
        Self {
            now_ms: 0,
            chance,
            odds,
            outages,
            queue: BTreeMap::new(),
            booked: 0,
            at_work: By { replica: 0, task: 0 },
            replicas,
            rules: 0,
            people,
            aws: Aws::default(),
            logs: Logs::default(),
            audit: Audit::default(),
            trace: Vec::new(),
        }
    }

    /// What is booked holds the simulation, and the simulation what is booked: it has to go first.
    pub(super) fn end(&mut self) {
        self.queue.clear();
    }

    pub(super) fn book(&mut self, in_ms: u64, event: Event) {
        self.booked += 1;
        self.queue.insert((self.now_ms + in_ms, self.booked), event);
    }

    /// What happens next; the time moves on to it.
    pub(super) fn next(&mut self, until_ms: u64) -> Option<Event> {
        let entry = self.queue.first_entry().filter(|e| e.key().0 <= until_ms)?;
        self.now_ms = self.now_ms.max(entry.key().0);
        Some(entry.remove())
    }

    /// The time by a replica's clock.
    pub(super) fn clock(&self, replica: usize) -> DateTime<Utc> {
        self.time() + TimeDelta::milliseconds(self.replicas[replica].off_ms)
    }

    /// The time as it is, and as Slack has it.
    pub(super) fn time(&self) -> DateTime<Utc> {
        time_of(self.now_ms)
    }

    pub(super) fn say(&mut self, what: impl AsRef<str>) {
        let (seconds, ms) = (self.now_ms / SECOND_MS, self.now_ms % SECOND_MS);
        self.trace.push(format!("{seconds:>5}.{ms:03} {}", what.as_ref()));
    }
}

/// The simulated world, as its parts share it.
pub(super) struct Sim {
    state: Mutex<State>,
    /// Tasks that may go on.
    woken: Mutex<Vec<u64>>,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new(seed)), woken: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Those whose bell has rung go on, at their turn.
    pub(super) fn wake(&self) {
        let woken = std::mem::take(&mut *self.woken.lock().unwrap());
        let state = &mut *self.state();
        for task in woken {
            state.book(0, Event::Wake(task));
        }
    }
}

/// Wakes a task when what it waits for is there: its time, or another task of the same process.
pub(super) struct Bell {
    pub(super) sim: Arc<Sim>,
    pub(super) task: u64,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.sim.woken.lock().unwrap().push(self.task);
    }
}

/// The ports, as one replica has them.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) sim: Arc<Sim>,
    pub(super) replica: usize,
}

impl Port {
    /// Lets so much simulated time pass. Whoever waits can be stopped, or killed, here.
    pub(super) fn pass(&self, ms: u64) -> Passing {
        let at_ms = self.sim.state().now_ms + ms;
        Passing { sim: Arc::clone(&self.sim), at_ms, booked: false }
    }

    /// The time that a way through the network takes.
    pub(super) async fn travel(&self) {
        let ms = self.sim.state().chance.between(1, 40);
        self.pass(ms).await;
    }
}

/// See [`Port::pass`].
pub(super) struct Passing {
    sim: Arc<Sim>,
    at_ms: u64,
    booked: bool,
}

impl Future for Passing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sim = Arc::clone(&self.sim);
        let mut state = sim.state();
        if state.now_ms >= self.at_ms {
            return Poll::Ready(());
        }
        if !self.booked {
            self.booked = true;
            let in_ms = self.at_ms - state.now_ms;
            state.book(in_ms, Event::Ring(cx.waker().clone()));
        }
        Poll::Pending
    }
}
