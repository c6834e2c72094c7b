//! The program killed just before and just after everything else that it writes down: a whole incident, in which two have
//! to approve, one says no, one takes a yes back, people say what they know, a plan is too long for a card, all is contained
//! at once, somebody's name is misused, a step is undone and put back by one person alone, and it is closed. Each case goes
//! the whole way and is killed once in each part of it.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::{BoxFuture, FutureExt};
use irp::domain::approval::{Debt, RequestState};
use irp::domain::id::{IncidentId, UserId};
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::fold;
use irp::domain::incident::state::Incident;
use irp::domain::incident::steps::in_force;
use irp_sandbox::aws::KeyStatus;
use serde_json::{Value, json};

use crate::cases::{Case, Cases};
use crate::redis_proxy::Loss;
use crate::world::{ANA, BEN, CHRIS, DANA, ORGANISATION, ROOM, World};

const ALL: &str = "Contain everything at once";
const KEY: &str = "· Deactivate access key";
const USER: &str = "· Revoke all sessions minted";
const ROLE: &str = "· Revoke all older sessions of role app-deploy";
const UNDO: &str = "Undo INC-1.";
const ANNOUNCEMENT: &str = "stolen AWS credential";
const HUNT: &str = "INC-1 hunt";
/// The steps that contain: their cards, and how their names begin.
pub(super) const STEPS: [(&str, &str); 3] =
    [(KEY, "deactivate-access-key."), (USER, "revoke-user-"), (ROLE, "revoke-assumed-")];
/// A started call is read back after 20 s and for 16 more; a dead process's work is taken over after 15.
const PART_TIME_MAX: Duration = Duration::from_secs(150);
/// How long people wait for something to come of a click.
const PATIENCE: Duration = Duration::from_secs(3);

/// How the incident stands by its log, and how often something has happened.
pub(super) struct Seen {
    pub(super) incident: Incident,
    pub(super) events: Vec<Event>,
}

impl Seen {
    pub(super) async fn of(w: &World) -> Self {
        let log = w.store.load(IncidentId::new(1)).await.unwrap();
        Self { incident: fold(&log).unwrap(), events: log.into_iter().map(|record| record.event).collect() }
    }

    fn count(&self, what: fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| what(event)).count()
    }

    pub(super) fn is_in_force(&self, begins: &str) -> bool {
        self.incident
            .by_step
            .keys()
            .any(|step| step.as_str().starts_with(begins) && in_force(&self.incident, step).is_some())
    }

    /// Whether somebody still has to say that it was right to run something alone.
    fn owes(&self) -> bool {
        let mut glasses = self.incident.requests.values().filter_map(|request| request.glass.as_ref());
        glasses.any(|glass| glass.debt == Debt::Open)
    }

    fn is_led_by(&self, person: &str) -> bool {
        self.incident.lead.as_ref().is_some_and(|lead| lead.as_str() == person)
    }

    fn has_led(&self, person: &str) -> bool {
        self.events.iter().any(|event| matches!(event, Event::LeadTaken { by } if by.as_str() == person))
    }

    pub(super) fn is_anything_open(&self) -> bool {
        self.incident.requests.values().any(|request| request.state.is_open())
    }

    pub(super) fn is_approved_by(&self, person: &str) -> bool {
        let by: UserId = person.parse().unwrap();
        let open = self.incident.requests.values().filter(|request| request.state.is_open());
        open.flat_map(|request| &request.approvals).any(|approval| approval.user == by)
    }
}

/// A part of the way: what is written down in it, when it is over, and what people press until then.
struct Part {
    points: &'static [&'static str],
    is_over: fn(&Seen) -> bool,
    press: for<'a> fn(&'a World, &'a Seen) -> BoxFuture<'a, ()>,
}

const PARTS: [Part; 8] = [
    Part {
        points: &["ApprovalRequested", "PlanUploaded", "RequestDenied"],
        is_over: |seen| seen.count(|event| matches!(event, Event::RequestDenied { .. })) == 3,
        press: |w, seen| denies(w, seen).boxed(),
    },
    Part {
        points: &["ApprovalGiven", "ApprovalRetracted"],
        is_over: |seen| seen.count(|event| matches!(event, Event::ApprovalRetracted { .. })) > 0,
        press: |w, seen| takes_back(w, seen).boxed(),
    },
    Part {
        points: &["LeadTaken", "CompromiseTimeSet", "SubjectNamed", "AttributionOverruled"],
        is_over: |seen| seen.is_led_by(ANA) && seen.has_led(BEN) && SAID.iter().all(|of| seen.count(of.3) > 0),
        press: |w, seen| say(w, seen).boxed(),
    },
    Part {
        points: &["ApprovalGiven", "ExecutionStarted", "CallAnswered", "Verified", "ContainmentChecked"],
        is_over: |seen| STEPS.iter().all(|(_, begins)| seen.is_in_force(begins)),
        press: |w, seen| carry_out(w, seen).boxed(),
    },
    Part {
        points: &["Frozen", "UnfreezeAgreed", "Unfrozen"],
        is_over: |seen| seen.count(|event| matches!(event, Event::Unfrozen)) > 0,
        press: |w, seen| freeze(w, seen).boxed(),
    },
    Part {
        points: &["ApprovalRequested", "ExecutionStarted", "CallAnswered", "Verified"],
        is_over: |seen| !seen.is_in_force(STEPS[2].1),
        press: |w, seen| undo(w, seen).boxed(),
    },
    Part {
        points: &["GlassBroken", "ExecutionStarted", "CallAnswered", "GlassRatified"],
        is_over: |seen| seen.is_in_force(STEPS[2].1) && !seen.owes(),
        press: |w, seen| alone(w, seen).boxed(),
    },
    Part {
        points: &["Closed"],
        is_over: |seen| seen.count(|event| matches!(event, Event::Closed { .. })) > 0,
        press: |w, _| close(w).boxed(),
    },
];

/// What it is killed at in one part or another.
pub(super) fn kinds() -> Vec<&'static str> {
    PARTS.iter().flat_map(|part| part.points).copied().collect()
}

/// Presses what the card offers; whatever Slack says to it, the log shows what came of it.
pub(super) async fn press(w: &World, person: &str, card: &str, button: &str) {
    if w.offers(card, button) {
        let _ = w.try_press(person, card, button).await;
    }
}

/// The same, where a form opens.
pub(super) async fn fill(w: &World, person: &str, card: &str, button: &str, values: &Value) {
    let open = || w.slack.state(person)["modal"]["id"].as_str().map(str::to_owned);
    if open().is_none() {
        press(w, person, card, button).await;
        let pressed = Instant::now();
        while open().is_none() && pressed.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    if let Some(form) = open()
        && w.slack.submit_view(person, &form, values).await.is_err()
    {
        w.slack.close_view(person, &form);
    }
}

async fn denies(w: &World, seen: &Seen) {
    if seen.is_anything_open() {
        fill(w, CHRIS, ALL, "irp.deny", &json!({"reason": {"reason": "deploys run until six"}})).await;
    } else {
        press(w, ANA, ALL, "irp.request_all").await;
    }
}

async fn takes_back(w: &World, seen: &Seen) {
    match (seen.is_anything_open(), seen.is_approved_by(BEN)) {
        (false, _) => press(w, ANA, ALL, "irp.request_all").await,
        (true, false) => press(w, BEN, ALL, "irp.approve").await,
        (true, true) => press(w, BEN, ALL, "irp.retract").await,
    }
}

/// What people know: the card, the button, what they fill in, and what is on record then.
type Saying = (&'static str, &'static str, fn(&World) -> Value, fn(&Event) -> bool);
const SAID: [Saying; 3] = [
    (
        "evidence",
        "irp.compromise_time",
        |w| json!({"time": {"time": (w.clock.now() - TimeDelta::minutes(50)).timestamp()}, "note": {"note": "the build log"}}),
        |event| matches!(event, Event::CompromiseTimeSet { .. }),
    ),
    (
        "evidence",
        "irp.name_subject",
        |_| json!({"person": {"person": DANA}}),
        |event| matches!(event, Event::SubjectNamed { .. }),
    ),
    (
        HUNT,
        "irp.overrule",
        |_| json!({"about": {"about": "192.0.2.77"}, "who": {"who": "owner"}, "reason": {"reason": "our office"}}),
        |event| matches!(event, Event::AttributionOverruled { .. }),
    ),
];

async fn say(w: &World, seen: &Seen) {
    // Whoever asked first leads, and takes it back: it is they who lift the freeze later.
    if !seen.has_led(BEN) {
        press(w, BEN, ANNOUNCEMENT, "irp.lead").await;
    } else if !seen.is_led_by(ANA) {
        press(w, ANA, ANNOUNCEMENT, "irp.lead").await;
    }
    for (card, button, values, is_said) in SAID {
        if seen.count(is_said) == 0 {
            return fill(w, ANA, card, button, &values(w)).await;
        }
    }
}

/// All that is open is approved by both; what is not in force and not open is asked for.
pub(super) async fn carry_out(w: &World, seen: &Seen) {
    if seen.is_anything_open() {
        let cards = [ALL].into_iter().chain(STEPS.map(|(card, _)| card));
        for (card, person) in cards.flat_map(|card| [(card, BEN), (card, CHRIS)]) {
            press(w, person, card, "irp.approve").await;
        }
        return;
    }
    press(w, ANA, ALL, "irp.request_all").await;
    for (card, _) in STEPS.into_iter().filter(|(_, begins)| !seen.is_in_force(begins)) {
        press(w, ANA, card, "irp.request").await;
    }
}

/// What the receipt of an approval offers.
async fn freeze(w: &World, seen: &Seen) {
    let by: UserId = CHRIS.parse().unwrap();
    let theirs = seen.incident.requests.values().rev().find(|r| r.approvals.iter().any(|a| a.user == by)).unwrap();
    let _ = w.try_forged(CHRIS, "irp.not_me", &theirs.id.to_string()).await;
}

async fn lift(w: &World, seen: &Seen) {
    // Whoever pressed twice for the lead can have taken it twice.
    if !seen.is_led_by(ANA) {
        press(w, ANA, ANNOUNCEMENT, "irp.lead").await;
    }
    for person in [BEN, ANA] {
        press(w, person, ANNOUNCEMENT, "irp.unfreeze").await;
    }
}

async fn undo(w: &World, seen: &Seen) {
    if seen.is_anything_open() {
        for person in [BEN, CHRIS] {
            press(w, person, UNDO, "irp.approve").await;
        }
    } else {
        press(w, ANA, ROLE, "irp.undo").await;
    }
}

async fn alone(w: &World, seen: &Seen) {
    if seen.is_in_force(STEPS[2].1) {
        press(w, CHRIS, ROLE, "irp.ratify").await;
    } else if seen.is_anything_open() {
        let filled = json!({"target": {"target": "app-deploy"}, "reason": {"reason": "nobody answers"}});
        fill(w, BEN, ROLE, "irp.break_glass", &filled).await;
    } else {
        press(w, ANA, ROLE, "irp.request").await;
    }
}

async fn close(w: &World) {
    let _ = w.slack.command(ANA, ROOM, "/irp close INC-1 resolved the key is off and all sessions are over").await;
}

/// People look, and press again what is there to press, until this part is over.
async fn insist(w: &World, part: &Part) {
    let started = Instant::now();
    loop {
        let seen = Seen::of(w).await;
        if (part.is_over)(&seen) {
            return;
        }
        assert!(started.elapsed() < PART_TIME_MAX, "{:?}: it gets nowhere: {:#?}", part.points, w.texts());
        // It is lifted whenever it is there: who has pressed twice can have said so twice.
        if seen.incident.freeze.is_some() {
            lift(w, &seen).await;
        } else {
            (part.press)(w, &seen).await;
        }
        let pressed = Instant::now();
        while pressed.elapsed() < PATIENCE && w.store.load(IncidentId::new(1)).await.unwrap().len() == seen.events.len()
        {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

/// A policy that a plan shows whole only in a file.
pub(super) fn long_policy() -> String {
    let statement = |n: usize| {
        json!({"Sid": format!("Statement{n}"), "Effect": "Deny", "Action": ["s3:DeleteObject"],
               "Resource": [format!("arn:aws:s3:::a-bucket-with-a-long-name-{n}/*")]})
    };
    let statements: Vec<Value> = (0..60).map(statement).collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

async fn killed_in_each_part(mut case: Case, number: usize, loss: Loss) {
    let two = ORGANISATION.replace("contain.quorum = 1\nloosen.quorum = 1", "contain.quorum = 2\nloosen.quorum = 2");
    case.rules(&format!("{two}[break_glass]\npeople = [\"{BEN}\"]\n"));
    case.w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(&long_policy()));
    case.w.attacker_takes("app-deploy").await;
    let mut program = case.program().await;
    case.w.slack.set_rate_limits(false);
    case.w.alert_until_kept(&case.w.finding("e-1", "f-1")).await;
    case.w.until_card(ALL, "3 steps, not asked for yet").await;
    for part in &PARTS {
        let point = part.points.get(number);
        let met = case.proxy.met();
        if let Some(point) = point {
            case.proxy.lose(&format!("\"type\":\"{point}\""), loss);
        }
        let killed = async {
            if point.is_none() {
                return program;
            }
            case.w.until_within(PART_TIME_MAX, "the command comes by", |_| case.proxy.met() > met).await;
            case.replace(program).await
        };
        (program, ()) = tokio::join!(killed, insist(&case.w, part));
    }
    let (w, seen) = (&case.w, Seen::of(&case.w).await);
    let calls =
        ["UpdateAccessKey", "PutUserPolicy", "PutRolePolicy", "DeleteRolePolicy"].map(|call| w.account.count(call));
    assert_eq!(calls, [1, 1, 2, 1], "calls that reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
    for request in seen.incident.requests.values() {
        let done = matches!(request.state, RequestState::Verified { .. });
        assert!(!request.state.is_open(), "{request:?}");
        assert!(!done || request.glass.is_some() || request.approvals.len() == 2, "{request:?}");
    }
    let once: [fn(&Event) -> bool; 2] =
        [|event| matches!(event, Event::Opened { .. }), |event| matches!(event, Event::Closed { .. })];
    assert_eq!(once.map(|what| seen.count(what)), [1; 2]);
    // What is not known is asked for anew, and each time somebody has run it alone is judged.
    let broken = seen.count(|event| matches!(event, Event::GlassBroken { .. }));
    assert_eq!(seen.count(|event| matches!(event, Event::GlassRatified { .. })), broken);
    let freed = async {
        while !w.store.open_incidents(9).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.unwrap();
    w.nothing_is_owed().await;
    w.nothing_stands_twice();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes six minutes; `make crash` runs it"]
async fn killed_in_each_part_of_the_whole_way_it_comes_to_the_same_end() {
    let mut cases = Cases::start().await;
    for number in 0..PARTS.iter().map(|part| part.points.len()).max().unwrap_or_default() {
        for loss in [Loss::Command, Loss::Answer] {
            let name = format!("point {number} of each part, {loss:?}");
            cases.add(name, move |case| killed_in_each_part(case, number, loss));
        }
    }
    cases.end().await;
}
