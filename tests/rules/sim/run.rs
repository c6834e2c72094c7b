//! One run: replicas with the real engine, people who click, and what goes wrong, until all is quiet again.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::TimeDelta;
use irp::domain::alert::Alert;
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::owed::{Owed, owed};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::engine::{Engine, EngineError, Ports};

use super::clicks;
use super::people::HUMANS;
use super::schedule::{Bell, By, Click, Event, Landing, MINUTE_MS, Odds, Outages, Port, SECOND_MS, Sim, Task, What};
use super::worker::effects;

mod rules;

/// How long people act and things go wrong.
const BUSY_MS: u64 = 15 * MINUTE_MS;
/// How long it is quiet after that: longer than any clock of a request and any jump of a replica's.
const QUIET_MS: u64 = 45 * MINUTE_MS;
/// How far a clock is off at most, besides jumps: two of them by less than a call's lease outlasts its start.
const SKEW_MS: u64 = 4 * SECOND_MS;
/// How far a clock jumps at most.
const JUMP_MS: u64 = 20 * MINUTE_MS;
/// How long AWS, Slack or the store is away at most: longer than an approval is good for.
const OUTAGE_MS: u64 = 8 * MINUTE_MS;
/// Events in one run; more would mean that something goes in circles.
const EVENTS_MAX: u32 = 200_000;
const READ_BACK_WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) struct Run {
    sim: Arc<Sim>,
    engines: Vec<Engine>,
    tasks: BTreeMap<u64, (usize, Work)>,
    numbers: u64,
    starts: u32,
    alerts: u32,
    playbook: Playbook,
    /// How much each person is given to each kind of act, in this run.
    habits: clicks::Habits,
    quiet: bool,
}

/// What came of a run.
pub(super) struct Outcome {
    pub(super) broken: Option<String>,
    pub(super) trace: Vec<String>,
    pub(super) seen: BTreeMap<&'static str, u64>,
}

pub(super) fn run(seed: u64) -> Outcome {
    let mut run = Run::new(seed);
    run.until(BUSY_MS);
    run.calm_down();
    run.until(BUSY_MS + QUIET_MS);
    run.look_back();
    let state = &mut *run.sim.state();
    state.end();
    Outcome {
        broken: state.audit.broken.take(),
        trace: std::mem::take(&mut state.trace),
        seen: std::mem::take(&mut state.audit.seen),
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let sim = Sim::new(seed);
        let (replicas, habits) = {
            let state = &mut *sim.state();
            let replicas = state.replicas.len();
            for replica in 0..replicas {
                let apart = state.chance.between(0, 2 * SKEW_MS);
                state.replicas[replica].off_ms = i64::try_from(apart).unwrap() - i64::try_from(SKEW_MS).unwrap();
                state.book(0, Event::Tick(replica));
                state.book(0, Event::Follow(replica));
            }
            for human in 0..HUMANS {
                let in_ms = state.chance.between(5 * SECOND_MS, MINUTE_MS);
                state.book(in_ms, Event::Person(human));
            }
            state.book(0, Event::Alert);
            let in_ms = state.chance.between(SECOND_MS, 5 * MINUTE_MS);
            state.book(in_ms, Event::Mishap);
            let line = format!("{:?} {:?}", state.odds, state.outages);
            state.say(line);
            (replicas, clicks::Habits::drawn(&mut state.chance))
        };
        let mut run = Self {
            sim,
            engines: Vec::new(),
            tasks: BTreeMap::new(),
            numbers: 0,
            starts: 0,
            alerts: 0,
            playbook: Playbook::parse(BUILT_IN).unwrap(),
            habits,
            quiet: false,
        };
        for replica in 0..replicas {
            let engine = run.engine(replica);
            run.engines.push(engine);
        }
        run
    }

    /// A process starts, with the newest rules.
    fn engine(&mut self, replica: usize) -> Engine {
        self.starts += 1;
        let name = format!("irp-{}", self.starts);
        let policy = {
            let state = &mut *self.sim.state();
            state.replicas[replica].read(state.rules, state.now_ms);
            state.people.policy(state.rules)
        };
        let port = Arc::new(self.port(replica));
        let ports = Ports { store: port.clone(), cloud: port.clone(), directory: port.clone(), clock: port };
        Engine::new(ports, policy, self.playbook.clone(), &name, &READ_BACK_WAITS)
    }

    fn port(&self, replica: usize) -> Port {
        Port { sim: Arc::clone(&self.sim), replica }
    }

    fn until(&mut self, until_ms: u64) {
        for _ in 0..EVENTS_MAX {
            let next = {
                let state = &mut *self.sim.state();
                if state.audit.broken.is_some() {
                    return;
                }
                state.next(until_ms)
            };
            let Some(event) = next else { return };
            self.happen(event);
        }
        self.sim.state().audit.fail(format!("more than {EVENTS_MAX} events: something goes in circles"));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(task) => self.poll(task),
            Event::Ring(waker) => {
                waker.wake();
                self.sim.wake();
            }
            Event::Tick(replica) => self.tick(replica),
            Event::Person(human) if !self.quiet => self.person(human),
            Event::Alert if !self.quiet => self.alert(),
            Event::Mishap if !self.quiet => self.mishap(),
            Event::Person(_) | Event::Alert | Event::Mishap => {}
            Event::Deliver(replica, click) => self.deliver(replica, click),
            Event::Land(landing) => self.land(landing),
            Event::Restart(replica) => self.restart(replica),
            Event::Reload(replica) => self.reload(replica),
            Event::Follow(replica) => self.follow(replica),
            Event::Lose(user) => {
                let state = &mut *self.sim.state();
                state.people.lose(&user);
                state.say(format!("{user} is switched off"));
            }
        }
    }

    fn spawn(&mut self, replica: usize, work: impl Future<Output = ()> + Send + 'static) {
        self.numbers += 1;
        let task = self.numbers;
        self.tasks.insert(task, (replica, Box::pin(work)));
        self.poll(task);
    }

    fn poll(&mut self, task: u64) {
        let Some((replica, work)) = self.tasks.get_mut(&task) else { return };
        {
            let state = &mut *self.sim.state();
            let stands_until_ms = state.replicas[*replica].stands_until_ms;
            if let Some(in_ms) = stands_until_ms.checked_sub(state.now_ms).filter(|ms| *ms > 0) {
                state.book(in_ms, Event::Wake(task));
                return;
            }
            state.at_work = By { replica: *replica, task };
        }
        let bell = Waker::from(Arc::new(Bell { sim: Arc::clone(&self.sim), task }));
        if work.as_mut().poll(&mut Context::from_waker(&bell)) == Poll::Ready(()) {
            self.tasks.remove(&task);
        }
        self.sim.wake();
    }

    /// A replica looks at what is due, and takes what is on the queue.
    fn tick(&mut self, replica: usize) {
        let taken = {
            let state = &mut *self.sim.state();
            let every_ms = if self.quiet { 5 * SECOND_MS } else { SECOND_MS };
            state.book(every_ms, Event::Tick(replica));
            let (up, stands) = (state.replicas[replica].up, state.replicas[replica].stands_until_ms > state.now_ms);
            let fails = state.odds.store_fails;
            if !up || stands || state.chance.happens(fails) {
                return;
            }
            let (now, now_ms) = (state.clock(replica), state.now_ms);
            state.logs.hold(replica, now_ms);
            state.logs.wake(now);
            state.logs.take(replica, now_ms)
        };
        for (token, id) in taken {
            let left = Arc::new(Mutex::new((Task::ALL.len(), true)));
            for task in Task::ALL {
                let (port, engine, left) = (self.port(replica), self.engines[replica].clone(), Arc::clone(&left));
                self.spawn(replica, async move {
                    let done = effects(&port, &engine, id, task).await.is_ok();
                    let (left, all) = &mut *left.lock().unwrap();
                    (*left, *all) = (*left - 1, *all && done);
                    let logs = &mut port.sim.state().logs;
                    match (*left, *all) {
                        (0, true) => logs.done(token),
                        (0, false) => logs.give_up(token),
                        _ => {}
                    }
                });
            }
        }
    }

    fn person(&mut self, human: usize) {
        let state = &mut *self.sim.state();
        let in_ms = state.chance.between(3 * SECOND_MS, 50 * SECOND_MS);
        state.book(in_ms, Event::Person(human));
        let Some(click) = clicks::click(state, &self.habits, &self.playbook, human) else { return };
        let at = state.time();
        state.audit.clicked(&click.by, clicks::in_words(&click.what), at);
        let odds = state.odds.clone();
        if state.chance.happens(odds.click_lost) {
            return;
        }
        let times = if state.chance.happens(odds.click_doubled) { 2 } else { 1 };
        for _ in 0..times {
            let late = state.chance.happens(odds.click_late);
            let in_ms = state.chance.between(10, if late { 50 * SECOND_MS } else { 500 });
            let replica = state.chance.below(state.replicas.len());
            state.book(in_ms, Event::Deliver(replica, click.clone()));
        }
    }

    fn deliver(&mut self, replica: usize, click: Click) {
        if !self.sim.state().replicas[replica].up {
            return;
        }
        let (port, engine) = (self.port(replica), self.engines[replica].clone());
        self.spawn(replica, async move {
            let Click { by, incident, what, press } = click;
            let words = clicks::kind(&what);
            let outcome = match what.clone() {
                What::Request(step) => engine.request(incident, &by, &step, &press).await,
                What::RequestAll(class) => engine.request_all(incident, &by, Some(class), &press).await,
                What::Act(PersonCommand::BreakGlass { request, digest_shown, .. })
                    if engine.may_break_glass(request, &by, &digest_shown).await.is_err() =>
                {
                    // They are not even shown the form.
                    return;
                }
                What::Act(command) => engine.act(incident, &by, command).await,
            };
            let mut state = port.sim.state();
            match outcome {
                Ok(incident) => {
                    state.audit.agrees(&incident);
                    let odds = state.odds.right_lost;
                    if state.chance.happens(odds) {
                        let in_ms = state.chance.between(1, 3 * SECOND_MS);
                        state.book(in_ms, Event::Lose(by));
                    }
                }
                Err(EngineError::Refused(_)) => {}
                Err(error) => state.say(format!("{by} could not {words}: {error}")),
            }
        });
    }

    /// A finding comes in; some are repeated, and some come when the incident about it is closed.
    fn alert(&mut self) {
        let (replica, alert) = {
            let state = &mut *self.sim.state();
            let in_ms = state.chance.between(5 * SECOND_MS, 8 * MINUTE_MS);
            state.book(in_ms, Event::Alert);
            if !state.chance.happens(0.2) {
                self.alerts += 1;
            }
            let about_role = state.chance.happens(0.3);
            (state.chance.below(state.replicas.len()), clicks::finding(self.alerts, about_role))
        };
        self.take_alert(replica, alert);
    }

    fn take_alert(&mut self, replica: usize, alert: Alert) {
        if !self.sim.state().replicas[replica].up {
            return;
        }
        let (port, engine) = (self.port(replica), self.engines[replica].clone());
        self.spawn(replica, async move {
            for _ in 0..20 {
                if engine.take_alert(&alert).await.is_ok() {
                    return;
                }
                // What was not worked off is taken over.
                port.pass(15 * SECOND_MS).await;
            }
        });
    }

    fn land(&mut self, landing: Landing) {
        let state = &mut *self.sim.state();
        match landing {
            Landing::Append { by, id, expected, records, due } => {
                let landed = state.append(by, id, expected, &records, due).is_ok();
                state.audit.note(if landed { "appends done late" } else { "appends lost" });
                state.say(format!("an append that nobody waits for comes in: {landed}"));
            }
            Landing::Call { request, calls } => {
                let late = state.odds.aws_shows_late;
                let hidden = state.chance.happens(late).then(|| state.now_ms + state.chance.between(1, 8 * SECOND_MS));
                let answer = state.aws.land(request, &calls, hidden);
                state.audit.note("calls that reached AWS");
                state.say(format!("{request} reaches AWS: {answer:?}"));
            }
        }
    }

    fn crash(&mut self, replica: usize) {
        self.tasks.retain(|_, (of, _)| *of != replica);
        let state = &mut *self.sim.state();
        state.logs.silent(replica);
        state.replicas[replica].up = false;
        state.replicas[replica].busy.clear();
        let in_ms = state.chance.between(500, MINUTE_MS);
        state.book(in_ms, Event::Restart(replica));
        state.audit.note("crashes");
        state.say(format!("replica {replica} dies"));
    }

    fn restart(&mut self, replica: usize) {
        self.engines[replica] = self.engine(replica);
        {
            let state = &mut *self.sim.state();
            state.replicas[replica].up = true;
            state.say(format!("replica {replica} starts"));
        }
        self.say_rules(replica);
    }

    fn mishap(&mut self) {
        let (kind, replica) = {
            let state = &mut *self.sim.state();
            let in_ms = state.chance.between(SECOND_MS, MINUTE_MS);
            state.book(in_ms, Event::Mishap);
            (self.habits.mishap(&mut state.chance), state.chance.below(state.replicas.len()))
        };
        let up = {
            let state = &mut *self.sim.state();
            state.audit.note(kind.label());
            state.replicas[replica].up
        };
        match kind {
            clicks::Mishap::Crash if up => self.crash(replica),
            clicks::Mishap::Crash => {}
            clicks::Mishap::Pause => {
                let state = &mut *self.sim.state();
                let ms = state.chance.between(SECOND_MS, 40 * SECOND_MS);
                state.replicas[replica].stands_until_ms = state.now_ms + ms;
                state.say(format!("replica {replica} stands still for {ms} ms"));
            }
            clicks::Mishap::Jump => {
                let state = &mut *self.sim.state();
                state.audit.clocks_apart = true;
                let ms = state.chance.between(SECOND_MS, JUMP_MS);
                state.replicas[replica].off_ms += i64::try_from(ms).unwrap();
                state.replicas[replica].off_ms = state.replicas[replica].off_ms.min(i64::try_from(JUMP_MS).unwrap());
                state.say(format!("the clock of replica {replica} jumps"));
            }
            clicks::Mishap::Outage => {
                let state = &mut *self.sim.state();
                let until_ms = state.now_ms + state.chance.between(10 * SECOND_MS, OUTAGE_MS);
                let Outages { aws_until_ms, slack_until_ms, store_until_ms, .. } = &mut state.outages;
                let (what, ends) = match state.chance.below(3) {
                    0 => ("AWS", aws_until_ms),
                    1 => ("Slack", slack_until_ms),
                    _ => ("the store", store_until_ms),
                };
                *ends = until_ms;
                state.say(format!("{what} is away until {} s", until_ms / SECOND_MS));
            }
            clicks::Mishap::Aws => {
                let state = &mut *self.sim.state();
                let line = state.aws.disturb(&mut state.chance);
                state.say(line);
            }
            clicks::Mishap::People => {
                let state = &mut *self.sim.state();
                let line = state.people.change(&mut state.chance);
                state.say(line);
            }
            clicks::Mishap::Rules => {
                let state = &mut *self.sim.state();
                state.rules = state.chance.below(state.people.rosters.len());
                let replicas = state.replicas.len();
                for replica in 0..replicas {
                    // Some processes are not told.
                    if state.chance.happens(0.8) {
                        let in_ms = state.chance.between(10, 30 * SECOND_MS);
                        state.book(in_ms, Event::Reload(replica));
                    }
                }
                state.say("the rules are changed");
            }
        }
    }

    /// Faults end, clocks are set, everybody has the newest rules, and nobody clicks any more.
    fn calm_down(&mut self) {
        self.quiet = true;
        let state = &mut *self.sim.state();
        state.say("all is quiet from here on");
        state.odds = Odds::default();
        // What is denied stays denied: even so everything has to come to an end.
        state.outages = Outages { denied: state.outages.denied, ..Outages::default() };
        for replica in 0..state.replicas.len() {
            state.replicas[replica].stands_until_ms = 0;
            state.replicas[replica].off_ms = 0;
            state.book(SECOND_MS, Event::Reload(replica));
            // Whoever was down has started by then, and everybody has seen what is named everywhere.
            state.book(5 * MINUTE_MS, Event::Reload(replica));
        }
    }

    /// Everything has come to its end, and every replica sees it alike.
    fn look_back(&mut self) {
        if self.sim.state().audit.broken.is_some() {
            return;
        }
        let ids = self.sim.state().logs.ids();
        for replica in 0..self.engines.len() {
            for id in &ids {
                let (port, engine, id) = (self.port(replica), self.engines[replica].clone(), *id);
                self.spawn(replica, async move {
                    let loaded = engine.load(id).await;
                    let state = &mut *port.sim.state();
                    match loaded {
                        Ok(Some(incident)) => {
                            let now = state.clock(replica);
                            // What has come due in the last minute may still be under way; and what follows from a change
                            // can be due from a time before it.
                            let long_ago = now - TimeDelta::minutes(1);
                            let came_due = |o: &Owed| o.due_at.max(incident.updated_at);
                            let overdue = owed(&incident).into_iter().find(|o| came_due(o) < long_ago);
                            if let Some(overdue) = overdue {
                                state.audit.fail(format!("{id}: owed and never done: {overdue:?}"));
                            }
                            state.audit.agrees(&incident);
                        }
                        other => state.audit.fail(format!("{id} cannot be loaded at the end: {other:?}")),
                    }
                });
            }
        }
        self.until(BUSY_MS + QUIET_MS + MINUTE_MS);
        let left = self.tasks.len();
        let state = &mut *self.sim.state();
        if left > 0 {
            state.audit.fail(format!("{left} tasks never come to their end"));
        }
        for id in ids {
            let texts = state.logs.of(id).iter().map(|r| r.text().to_owned()).collect::<Vec<_>>();
            match irp::domain::stored::read(texts) {
                Ok(read) if read == state.logs.of(id) => {}
                other => state.audit.fail(format!("{id} cannot be read as it was written: {:?}", other.err())),
            }
        }
        let newest = state.rules;
        state.audit.at_rest(newest);
    }
}
