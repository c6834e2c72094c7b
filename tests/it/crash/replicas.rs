//! Two programs over one store: people's clicks reach either, and one of them dies in the middle of its work.

use std::time::{Duration, Instant};

use irp::domain::incident::event::Event;
use irp_sandbox::aws::{Fault, KeyStatus};
use irp_sandbox::slack::Delivery;

use super::points::POINTS;
use crate::cases::{Case, Cases};
use crate::program::Program;
use crate::redis_proxy::{Loss, RedisProxy};
use crate::world::{ANA, BEN, CHRIS, DANA, KIM, ORGANISATION, World};

const KEY: &str = "· Deactivate access key";
/// Written only while AWS takes its time.
pub(super) const CONTINUES: &str = "ExecutionContinues";
/// Within so long the other has carried on with what the dead one was at.
const TAKEOVER_MAX: Duration = Duration::from_secs(30);
/// For so long AWS is read back before it is said that it does not show the change.
const READING_BACK: Duration = Duration::from_secs(16);

/// What the other one makes of it, without anybody's help.
fn is_taken_over(w: &World, what: &str) -> bool {
    match what {
        "ApprovalRequested" | "the request's click is kept" => w.says(KEY, "waiting for approval"),
        // The call may have gone out, so it is read back, for a while: it has not.
        "ExecutionStarted" => w.says(KEY, "its outcome is not known"),
        "the approval's click is kept" | "ApprovalGiven" | CONTINUES | "CallAnswered" | "Verified" => {
            w.says(KEY, "carried out and verified")
        }
        _ => w.card(ANA, KEY).is_some(),
    }
}

/// Hands deliveries to one and the other in turn.
async fn in_turn(w: &World, programs: [&Program; 2]) {
    for program in programs.into_iter().cycle() {
        w.slack.set_delivery(Delivery::Http { base_url: program.url() });
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn one_dies(mut case: Case, what: &'static str, written_with: &'static str, loss: Loss) {
    let other_proxy = RedisProxy::start(case.store()).await;
    let one = case.program().await;
    let other = case.another_program(&other_proxy).await;
    case.w.slack.set_rate_limits(false);
    for proxy in [&case.proxy, &other_proxy] {
        proxy.lose(written_with, loss);
    }
    let met = || case.proxy.met() + other_proxy.met() > 0;
    tokio::select! {
        () = case.w.insist(KEY) => panic!("it never came by"),
        () = in_turn(&case.w, [&one, &other]) => {}
        () = case.w.until("one of them is at it", |_| met()) => {}
    }
    let (dead, survivor) = if case.proxy.met() > 0 { (one, other) } else { (other, one) };
    for proxy in [&case.proxy, &other_proxy] {
        proxy.forget();
    }
    drop(dead);
    case.only_waits();
    survivor.take_deliveries(&mut case.w);
    let (w, died) = (&case.w, Instant::now());
    if what == "the alert is kept" {
        // Its sender has heard nothing, and sends it again.
        w.alert_until_kept(&w.finding("e-1", "f-1")).await;
    }
    // What was about to be called has not been: that is said only after the last reading.
    let limit = if what == "ExecutionStarted" { TAKEOVER_MAX + READING_BACK } else { TAKEOVER_MAX };
    w.until_within(limit, "the other takes over", |w| is_taken_over(w, what)).await;
    assert!(died.elapsed() < limit, "{:?}", died.elapsed());
    let calls = usize::from(w.says(KEY, "carried out and verified"));
    assert_eq!(w.account.count("UpdateAccessKey"), calls, "calls that reached AWS");
    w.insist(KEY).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "calls that reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
    w.nothing_is_owed().await;
    w.nothing_stands_twice();
}

/// Ten people, whom the workspace knows, and what is on their lists: some may decide, some may not.
const CROWD: [&str; 10] =
    [ANA, BEN, CHRIS, DANA, KIM, "U0GUEST001", "U0CROWD001", "U0CROWD002", "U0CROWD003", "U0CROWD004"];
/// Each is decided on a log in which all that were refused before stand.
const CLICKS: usize = 1_000;
/// Longest wait for all answers.
const CROWD_TIME_MAX: Duration = Duration::from_mins(5);

async fn all_at_once(mut case: Case) {
    for (user, name) in CROWD[6..].iter().zip(["lea", "mia", "noa", "ole"]) {
        case.w.slack.join(user, name);
    }
    case.rules(&ORGANISATION.replace("\"U0KEYOWNR1\"]", "\"U0KEYOWNR1\", \"U0CROWD001\", \"U0CROWD002\"]"));
    let other_proxy = RedisProxy::start(case.store()).await;
    let one = case.program().await;
    let other = case.another_program(&other_proxy).await;
    case.w.slack.set_rate_limits(false);
    case.w.incident().await;
    case.w.click(ANA, KEY, "irp.request").await;
    case.w.until_card(KEY, "waiting for approval").await;
    let w = &case.w;
    let approve = w.value(KEY, "irp.approve");
    let told = || CROWD.iter().map(|person| w.told(person).len()).sum::<usize>();
    let before = told();
    let to = [one.url(), other.url()];
    let clicks = (0..CLICKS).map(|n| w.forged_at(&to[n % 2], CROWD[n / 2 % CROWD.len()], "irp.approve", &approve));
    futures_util::future::join_all(clicks).await;
    // To look at all that ten people see takes time away from the programs.
    let (clicked, mut answered) = (Instant::now(), 0);
    while answered < CLICKS {
        assert!(clicked.elapsed() < CROWD_TIME_MAX, "{answered} clicks are answered, and no more");
        tokio::time::sleep(Duration::from_secs(1)).await;
        answered = told() - before;
    }
    w.until_card(KEY, "carried out and verified").await;
    w.nothing_is_owed().await;
    assert_eq!(told(), before + CLICKS, "each once");
    for person in CROWD {
        assert!(w.told(person).len() >= CLICKS / CROWD.len(), "{person}");
    }
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "calls that reached AWS");
    assert_eq!(w.happened(|event| matches!(event, Event::ExecutionStarted { .. })).await, 1);
    assert_eq!(w.happened(|event| matches!(event, Event::ApprovalGiven { .. })).await, 1);
    w.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clicks_before_two_programs_make_one_call_and_each_is_answered() {
    let mut cases = Cases::start().await;
    cases.add("a crowd".to_owned(), all_at_once);
    cases.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_takes_over_within_half_a_minute_and_repeats_no_call() {
    let mut cases = Cases::start().await;
    for (what, written_with) in POINTS {
        cases.add(format!("after: {what}"), move |case| one_dies(case, what, written_with, Loss::Answer));
    }
    let answered = "\"type\":\"CallAnswered\"";
    let before = move |case| one_dies(case, "CallAnswered", answered, Loss::Command);
    cases.add("before: CallAnswered".to_owned(), before);
    for loss in [Loss::Answer, Loss::Command] {
        cases.add(format!("while AWS takes its time: {loss:?}"), move |case| {
            case.w.account.fail_next("UpdateAccessKey", Fault::HangAfter);
            one_dies(case, CONTINUES, "\"type\":\"ExecutionContinues\"", loss)
        });
    }
    cases.end().await;
}
