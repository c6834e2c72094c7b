//! Every order in which requests, decisions, clocks, two replicas and their crashes can follow each other,
//! with the real rules: the states are real logs, and what is appended comes from `decide` alone.
//!
//! Checked exhaustively to 13 states in a row (a request, its approval, its call, a crash or a lost answer, the clock
//! and the reading back fit in) for: one step of one incident, asked for at most twice; three people (one asks and
//! approves, one approves and can lose the right to, one is on no list); two replicas that load, decide and append in
//! separate steps, so that everything can come in between; one crash; one answer that gets lost, of a call that arrives
//! at once, later or never; a clock with three moments (in time, too late to decide, too late for anything). Deliveries
//! are repeated without limit.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};
use irp::config::Organisation;
use irp::domain::action::ApiCall;
use irp::domain::alert::{Alert, AlertSource, Severity};
use irp::domain::approval::{CallAnswer, Request, RequestState, Warrant};
use irp::domain::credential::{PrincipalKind, Subject};
use irp::domain::id::{IncidentId, RequestId, StepId, UserId};
use irp::domain::identification::Identification;
use irp::domain::incident::command::{PersonCommand, Report};
use irp::domain::incident::decide::{self, Context};
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::{evolve, fold};
use irp::domain::incident::owed::{Effect, owed};
use irp::domain::incident::state::Incident;
use irp::domain::observation::{KeyStatus, Observation};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::{Actor, Policy, Standing};
use irp::domain::recusal::Recused;
use irp::domain::stored::Record;
use stateright::{Checker, Model, Property};

const ANA: &str = "U0RESPOND1";
const CHRIS: &str = "U0APPROVE1";
const DANA: &str = "U0STAKEHO1";

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const REQUESTS_MAX: usize = 2;
const CRASHES_MAX: u8 = 1;
/// States that follow each other.
const DEPTH: usize = 13;
/// Minutes after the start: in time, too late to decide, too late for anything.
const MOMENTS: [i64; 3] = [0, 16, 60];

struct Rules {
    /// As they begin, and when one of the approvers is none any more.
    policies: [Policy; 2],
    playbook: Playbook,
}

/// Records, told apart by their stored texts.
#[derive(Clone, Debug)]
struct Log(Vec<Record>);

impl Log {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Record::text)
    }
}

impl Hash for Log {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.texts().for_each(|text| text.hash(state));
    }
}

impl PartialEq for Log {
    fn eq(&self, other: &Self) -> bool {
        self.texts().eq(other.texts())
    }
}

impl Eq for Log {}

/// What a replica is doing.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Busy {
    /// Has loaded the log at this version and decided to append these records.
    Appending { version: usize, records: Log },
    /// Has won the start, and is about to call.
    Calling(RequestId),
    /// Has called, and is about to write down that the answer came, or that none did.
    Answering(RequestId, bool),
}

/// Where a call is whose answer got lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Lost {
    OnItsWay,
    Arrived,
}

#[derive(Clone, Debug)]
struct State {
    told: Told,
    /// What the log folds to.
    incident: Incident,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Told {
    log: Log,
    replicas: [Option<Busy>; 2],
    key_off: bool,
    calls: BTreeMap<RequestId, u8>,
    /// An answer got lost, and its call is here.
    lost: Option<Lost>,
    /// One of the approvers is none any more.
    right_lost: bool,
    /// How each request ended, when it first had.
    ended: BTreeMap<RequestId, String>,
    /// A call that went out without two different people behind it, or a start by the word of one who had lost the right.
    alone: bool,
    moment: usize,
    crashes: u8,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.told.hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.told == other.told
    }
}

impl Eq for State {}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Click {
    Request,
    Approve,
    Deny,
    Withdraw,
    Retract,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Step {
    /// A delivery reaches a replica, which loads and decides.
    Click(usize, &'static str, Click),
    /// A replica takes up what is owed.
    Owed(usize),
    /// A replica does what it is about to do.
    Go(usize),
    /// A replica calls, and no answer comes; it arrives at once, or not yet.
    Lose(usize, bool),
    /// What had not arrived arrives.
    Arrive,
    /// A replica dies.
    Crash(usize),
    /// An approver loses the right.
    LoseRight,
    Clock,
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn step() -> StepId {
    format!("deactivate-access-key.{KEY}").parse().unwrap()
}

impl Rules {
    fn actor(&self, id: &str) -> Actor {
        Actor { user: user(id), person: self.policies[0].person(&user(id)), standing: Standing::Member }
    }

    fn policy(&self, state: &Told) -> &Policy {
        &self.policies[usize::from(state.right_lost)]
    }

    fn context(&self, state: &Told) -> Context<'_> {
        Context { now: now(state), policy: self.policy(state), playbook: &self.playbook }
    }

    /// Whether somebody else than the requester, who may, stands behind a request.
    fn stands(&self, state: &Told, incident: &Incident, request: RequestId) -> bool {
        let (found, policy) = (&incident.requests[&request], self.policy(state));
        found.approvals.iter().any(|a| a.person != found.plan.requester && policy.is_approver(&a.person))
    }

    fn command(incident: &Incident, state: &Told, click: Click) -> Option<PersonCommand> {
        let newest = incident.requests.values().next_back();
        Some(match click {
            Click::Request if incident.requests.len() < REQUESTS_MAX => {
                // Each request is another, but the same delivery decided twice is the same.
                let nonce = incident.requests.len().to_string();
                PersonCommand::Request { parts: vec![(step(), observed(state))], nonce }
            }
            Click::Request => return None,
            Click::Approve => PersonCommand::Approve {
                request: newest?.id,
                digest_shown: newest?.digest.short().to_owned(),
                clicked_at: now(state),
            },
            Click::Deny => PersonCommand::Deny {
                request: newest?.id,
                digest_shown: newest?.digest.short().to_owned(),
                reason: "no".into(),
            },
            Click::Withdraw => PersonCommand::Withdraw { request: newest?.id },
            Click::Retract => PersonCommand::Retract { request: newest?.id, clicked_at: now(state) },
        })
    }

    /// What the engine appends for what is owed, from the log as this replica has loaded it.
    fn owed(&self, incident: &Incident, state: &Told) -> Option<(Effect, Vec<Event>)> {
        let at = now(state);
        let due = owed(incident).into_iter().find(|o| o.due_at <= at && !o.effect.informs())?;
        let report = match due.effect {
            Effect::Identify | Effect::Reach | Effect::Hunt | Effect::Inventory | Effect::Logs | Effect::Watch => {
                return None;
            }
            Effect::Clock(request) => Report::ClockPassed { request },
            Effect::ReadBack(request) => Report::ReadBack { request, now: observed(state), last: true },
            Effect::Execute(request) => {
                let found = &incident.requests[&request];
                let approvers: Vec<Actor> = found.approvals.iter().map(|a| self.actor(a.user.as_str())).collect();
                let requester = self.actor(found.requested_by.as_str());
                let warrant = Warrant::issue(found, self.policy(state), &Recused::new(), &requester, &approvers, at);
                Report::ReadyToExecute {
                    warranted: warrant.map(|w| w.calls().to_vec()),
                    now: observed(state),
                    request,
                    replica: "a replica".into(),
                }
            }
        };
        Some((due.effect, decide::take_report(incident, report, self.context(state))))
    }
}

fn now(state: &Told) -> DateTime<Utc> {
    start() + TimeDelta::minutes(MOMENTS[state.moment])
}

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn observed(state: &Told) -> Observation {
    let status = if state.key_off { KeyStatus::Inactive } else { KeyStatus::Active };
    Observation::AccessKey {
        owner_id: "AIDA1".into(),
        owner_arn: "arn:aws:iam::111122223333:user/deploy-bot".into(),
        status: Some(status),
    }
}

fn sealed(log: &[Record], at: DateTime<Utc>, events: Vec<Event>) -> Vec<Record> {
    let mut head = log.last().map(|r| r.hash().to_owned());
    let mut records = Vec::new();
    for event in events {
        let record = Record::seal(head.as_deref(), at, event);
        head = Some(record.hash().to_owned());
        records.push(record);
    }
    records
}

impl Model for Rules {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let subject = Subject { access_key: KEY.parse().ok(), ..Subject::default() };
        let alert = Alert::new((AlertSource::GuardDuty, "d"), ("t", "t"), Severity::High, subject);
        let found = Identification {
            kind: PrincipalKind::IamUser,
            name: Some("deploy-bot".into()),
            arn: None,
            unique_id: Some("AIDA1".into()),
            session_name: None,
            taken_by: Vec::new(),
            account: "111122223333".parse().ok(),
            account_in_key: None,
            account_from_sts: None,
            keys: Vec::new(),
            keys_read: true,
            owners: Vec::new(),
            not_known: Vec::new(),
        };
        let opened = decide::open(IncidentId::new(1), alert, &self.policies[0], start());
        let events = vec![opened, Event::Identified { found }];
        let log = Log(sealed(&[], start(), events));
        let incident = fold(&log.0).expect("an incident");
        let told = Told {
            log,
            replicas: [None, None],
            key_off: false,
            calls: BTreeMap::new(),
            lost: None,
            right_lost: false,
            ended: BTreeMap::new(),
            alone: false,
            moment: 0,
            crashes: 0,
        };
        vec![State { told, incident }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let state = &state.told;
        for replica in 0..2 {
            if let Some(busy) = &state.replicas[replica] {
                actions.push(Step::Go(replica));
                if matches!(busy, Busy::Calling(_)) && state.lost.is_none() {
                    actions.extend([Step::Lose(replica, true), Step::Lose(replica, false)]);
                }
                if state.crashes < CRASHES_MAX {
                    actions.push(Step::Crash(replica));
                }
                continue;
            }
            actions.push(Step::Owed(replica));
            for person in [ANA, CHRIS, DANA] {
                for click in [Click::Request, Click::Approve, Click::Deny, Click::Withdraw, Click::Retract] {
                    actions.push(Step::Click(replica, person, click));
                }
            }
        }
        if state.lost == Some(Lost::OnItsWay) {
            actions.push(Step::Arrive);
        }
        if !state.right_lost {
            actions.push(Step::LoseRight);
        }
        if state.moment + 1 < MOMENTS.len() {
            actions.push(Step::Clock);
        }
    }

    fn next_state(&self, last: &State, action: Step) -> Option<State> {
        let mut state = last.told.clone();
        let incident = &last.incident;
        match action {
            Step::Click(replica, person, click) => {
                let command = Self::command(incident, &state, click)?;
                let events = decide::decide(incident, &self.actor(person), command, self.context(&state)).ok()?;
                state.replicas[replica] = Some(appending(&state, events)?);
            }
            Step::Owed(replica) => {
                let (effect, events) = self.owed(incident, &state)?;
                if let Some(Event::ExecutionStarted { request, .. }) = events.first() {
                    state.alone |= !self.stands(&state, incident, *request);
                }
                if matches!(effect, Effect::Execute(_)) {
                    state.replicas[replica] = Some(appending(&state, events)?);
                } else {
                    // It is decided anew until it is appended.
                    state.log.0.extend(sealed(&last.told.log.0, now(&last.told), events));
                }
            }
            Step::Lose(replica, arrives) => {
                let Busy::Calling(request) = state.replicas[replica].take()? else { return None };
                *state.calls.entry(request).or_default() += 1;
                state.lost = Some(if arrives { Lost::Arrived } else { Lost::OnItsWay });
                state.key_off |= arrives;
                state.replicas[replica] = Some(Busy::Answering(request, false));
            }
            Step::Arrive => (state.lost, state.key_off) = (Some(Lost::Arrived), true),
            Step::LoseRight => state.right_lost = true,
            Step::Go(replica) => match state.replicas[replica].take()? {
                Busy::Appending { version, records } => {
                    // The store's promise: at this version, or not at all.
                    if version == state.log.0.len() {
                        state.log.0.extend(records.0);
                        if let Some(Event::ExecutionStarted { request, .. }) = state.log.0.last().map(|r| &r.event) {
                            state.replicas[replica] = Some(Busy::Calling(*request));
                        }
                    }
                }
                Busy::Calling(request) => {
                    let found = &incident.requests[&request];
                    *state.calls.entry(request).or_default() += 1;
                    let off =
                        |call: &ApiCall| matches!(call, ApiCall::UpdateAccessKey { status: KeyStatus::Inactive, .. });
                    state.key_off |= found.plan.work.calls.iter().any(off);
                    state.replicas[replica] = Some(Busy::Answering(request, true));
                }
                // It is decided anew until it is appended.
                Busy::Answering(request, answered) => {
                    let unclear = || CallAnswer::Unclear { message: "no answer".into() };
                    let answer = if answered { CallAnswer::Accepted } else { unclear() };
                    let report = Report::CallAnswered { request, answer };
                    let events = decide::take_report(incident, report, self.context(&state));
                    let records = sealed(&state.log.0, now(&state), events);
                    state.log.0.extend(records);
                }
            },
            Step::Crash(replica) => {
                state.replicas[replica] = None;
                state.crashes += 1;
            }
            Step::Clock => state.moment += 1,
        }
        if state == last.told {
            return None;
        }
        let mut incident = incident.clone();
        for record in &state.log.0[last.told.log.0.len()..] {
            evolve(&mut incident, record);
        }
        for (id, request) in &incident.requests {
            if !request.state.is_open() {
                state.ended.entry(*id).or_insert_with(|| how(&request.state));
            }
        }
        Some(State { told: state, incident })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("no call without two different people", |_, state| !state.told.alone),
            Property::<Self>::always("at most one call for a request", |_, state| {
                state.told.calls.values().all(|n| *n <= 1)
            }),
            Property::<Self>::always("what has ended stays as it ended", |_, state| {
                let incident = &state.incident;
                let settled = |id: &RequestId, ended: &str| {
                    ended == NOT_KNOWN && matches!(incident.requests[id].state, RequestState::Verified { .. })
                };
                let same = |id: &RequestId, ended: &str| how(&incident.requests[id].state) == ended;
                state.told.ended.iter().all(|(id, ended)| same(id, ended) || settled(id, ended))
            }),
            // AWS refuses nothing here.
            Property::<Self>::always("nothing is called failed that nobody knows", |_, state| {
                !state.incident.requests.values().any(|r| matches!(r.state, RequestState::Failed { .. }))
            }),
            Property::<Self>::always("nothing approved is forgotten", |_, state| {
                let incident = &state.incident;
                let waits = |id: &RequestId| {
                    owed(incident).iter().any(
                        |o| matches!(o.effect, Effect::Execute(r) | Effect::ReadBack(r) | Effect::Clock(r) if r == *id),
                    )
                };
                let newest = |r: &Request| incident.requests.keys().next_back() == Some(&r.id);
                let is_due =
                    |r: &&Request| r.state.is_open() || (newest(r) && matches!(r.state, RequestState::Unknown { .. }));
                incident.requests.values().filter(is_due).all(|r| waits(&r.id))
            }),
            Property::<Self>::always("green only when AWS shows it", |_, state| {
                let verified = |s: &RequestState| matches!(s, RequestState::Verified { .. });
                state.told.key_off || !state.incident.requests.values().any(|r| verified(&r.state))
            }),
            Property::<Self>::sometimes("a key is switched off", |_, state| state.told.key_off),
            Property::<Self>::sometimes("a crash after the call is cured", |_, state| {
                let cured = |s: &RequestState| matches!(s, RequestState::Verified { sent, .. } if !sent.is_empty());
                state.told.crashes > 0 && state.incident.requests.values().any(|r| cured(&r.state))
            }),
            Property::<Self>::sometimes("what was not known is settled by a later reading", |_, state| {
                let verified =
                    |id: &RequestId| matches!(state.incident.requests[id].state, RequestState::Verified { .. });
                state.told.ended.iter().any(|(id, ended)| ended == NOT_KNOWN && verified(id))
            }),
            Property::<Self>::sometimes("a yes is void", |_, state| {
                let void = |record: &Record| matches!(record.event, Event::ApprovalVoided { .. });
                state.told.log.0.iter().any(void)
            }),
            Property::<Self>::sometimes("an approval lapses", |_, state| {
                state.incident.requests.values().any(|r| matches!(r.state, RequestState::Lapsed { .. }))
            }),
        ]
    }
}

const NOT_KNOWN: &str = "not known";

/// How a request has ended. What is done about one that is not known goes on.
fn how(state: &RequestState) -> String {
    match state {
        RequestState::Unknown { .. } => NOT_KNOWN.into(),
        other => format!("{other:?}"),
    }
}

fn appending(state: &Told, events: Vec<Event>) -> Option<Busy> {
    let records = sealed(&state.log.0, now(state), events);
    (!records.is_empty()).then_some(Busy::Appending { version: state.log.0.len(), records: Log(records) })
}

#[test]
fn no_order_of_events_breaks_the_protocol() {
    let organisation = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                        [people]\nresponders = [\"U0RESPOND1\"]\napprovers = [\"U0RESPOND1\", \"U0APPROVE1\"]\n";
    let policy = Organisation::parse(organisation, "irp.toml").unwrap().policy(None);
    let mut without = policy.clone();
    assert!(without.approvers.users.remove(&user(CHRIS)));
    let rules = Rules { policies: [policy, without], playbook: Playbook::parse(BUILT_IN).unwrap() };
    let checker = rules.checker().threads(2).target_max_depth(DEPTH).spawn_bfs().join();
    let (all, different, depth) = (checker.state_count(), checker.unique_state_count(), checker.max_depth());
    println!("{all} states, {different} of them different, depth {depth}");
    checker.assert_properties();
}
