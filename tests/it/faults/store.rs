//! A way to Redis that loses, delays and cuts in the middle of everything, and a Redis that crashes there.

use std::time::Duration;

use irp::domain::incident::event::Event;
use irp_sandbox::aws::KeyStatus;

use crate::cases::{Case, Cases, teach};
use crate::redis_proxy::Loss;
use crate::redis_server::RedisServer;
use crate::world::{ANA, CHRIS, World, get};

const KEY: &str = "· Deactivate access key";

/// A part of an incident's way, and what is in the commands that write it down.
const MOMENTS: [(&str, &[&str]); 8] = [
    ("the alert", &[":seen:alert:", "\"type\":\"Opened\"", "\"type\":\"Identified\""]),
    ("a post", &["\"ts\":null"]),
    ("the cards", &["\"ts\":\"1", ":carding:"]),
    ("the request", &["\"click\":\"request\"", "\"type\":\"ApprovalRequested\""]),
    ("the approval", &["\"click\":\"approve\"", "\"type\":\"ApprovalGiven\""]),
    ("the start", &["\"type\":\"ExecutionStarted\""]),
    ("the call's answer", &["\"type\":\"CallAnswered\""]),
    ("the result", &["\"type\":\"Verified\""]),
];

const LOSSES: [Loss; 7] = [
    Loss::Command,
    Loss::Answer,
    Loss::CutBefore,
    Loss::CutAfter,
    Loss::Late(Duration::from_millis(1_200)),
    Loss::HalfClosedToServer,
    Loss::HalfClosedToBot,
];

/// It has ended as if nothing had been: opened once, called once, verified once, shown once.
async fn all_is_there_once(w: &World) {
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "calls that reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
    assert_eq!(w.happened(|event| matches!(event, Event::Opened { .. })).await, 1);
    assert_eq!(w.happened(|event| matches!(event, Event::Verified { .. })).await, 1);
    assert_eq!(w.store.open_incidents(9).await.unwrap().len(), 1);
    w.nothing_is_owed().await;
    w.nothing_stands_twice();
}

async fn loses(mut case: Case, written_with: &'static [&'static str], loss: Loss) {
    for having in written_with {
        case.proxy.lose(having, loss);
    }
    let _program = case.program().await;
    case.w.slack.set_rate_limits(false);
    case.w.insist(KEY).await;
    case.until_met(written_with.len()).await;
    all_is_there_once(&case.w).await;
    // Slow is not silent: Slack always has its answer in time.
    case.w.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_way_to_the_store_loses_nothing_is_lost_and_nothing_runs_twice() {
    let mut cases = Cases::start().await;
    for loss in LOSSES {
        for (moment, written_with) in MOMENTS {
            cases.add(format!("{moment}: {loss:?}"), move |case| loses(case, written_with, loss));
        }
    }
    cases.end().await;
}

async fn crashes(written_with: &'static str) {
    let mut server = RedisServer::start();
    teach(&format!("{}/1", server.url())).await;
    let mut case = Case::start(&server.url()).await;
    let _program = case.program().await;
    case.w.slack.set_rate_limits(false);
    case.proxy.lose(written_with, Loss::Answer);
    let crash = async {
        case.until_met(1).await;
        server.restart();
    };
    tokio::join!(crash, case.w.insist(KEY));
    // The test's own connection ended with the server: it notices with the first question.
    let _ = case.w.store.ping().await;
    all_is_there_once(&case.w).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_crashes_in_the_middle_of_anything_keeps_all_that_it_answered_for() {
    let mut cases = Cases::start().await;
    for (moment, written_with) in MOMENTS {
        for having in written_with {
            cases.add_alone(format!("{moment}: {having}"), crashes(having));
        }
    }
    cases.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_everybody_is_told_and_nothing_is_decided() {
    let server = RedisServer::start();
    let mut case = Case::start(&server.url()).await;
    let _program = case.program().await;
    let w = &case.w;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;

    case.proxy.down();
    assert_eq!(w.alert(&w.finding("e-2", "f-2")).await, 503, "its sender sends it again");
    let told = w.click(CHRIS, KEY, "irp.approve").await;
    for said in ["store does not answer", "*not known*", "Nothing runs until it answers again", "do it again"] {
        assert!(told.contains(said), "{told}");
    }
    assert_eq!(w.command(ANA, "/irp status").await, told, "a command is answered alike");
    let ready = format!("{}/readyz", w.bot_url);
    assert_eq!(get(&ready).await, (503, "the store does not answer\n".to_owned()), "who watches it is told too");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    assert!(w.says(KEY, "waiting for approval"));

    case.proxy.up();
    // The bot's connections come again one by one, and who presses before that would be told the same once more.
    w.alert_until_kept(&w.finding("e-2", "f-2")).await;
    let answers = async {
        while get(&ready).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), answers).await.expect("it is ready again");
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    all_is_there_once(w).await;
    w.nothing_is_left().await;
}
