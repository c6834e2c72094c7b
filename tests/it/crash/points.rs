//! The program killed just before and just after everything that it writes down on its way.

use std::time::Duration;

use futures_util::future::FutureExt;
use irp::domain::incident::event::Event;
use irp_sandbox::aws::KeyStatus;

use crate::cases::{Case, Cases};
use crate::program::Program;
use crate::redis_proxy::Loss;
use crate::world::World;

pub(super) const KEY: &str = "· Deactivate access key";
/// A search of a dead process is taken over, and begun anew.
const FOUND_WITHIN: Duration = Duration::from_mins(1);

/// What is in the command that writes it: the deliveries, the records in their order, and the messages.
pub(super) const POINTS: [(&str, &str); 12] = [
    ("the alert is kept", ":seen:alert:"),
    ("Opened", "\"type\":\"Opened\""),
    ("Identified", "\"type\":\"Identified\""),
    ("a card is being posted", "\"ts\":null"),
    ("a card is posted", "\"ts\":\"1"),
    ("the request's click is kept", "\"click\":\"request\""),
    ("ApprovalRequested", "\"type\":\"ApprovalRequested\""),
    ("the approval's click is kept", "\"click\":\"approve\""),
    ("ApprovalGiven", "\"type\":\"ApprovalGiven\""),
    ("ExecutionStarted", "\"type\":\"ExecutionStarted\""),
    ("CallAnswered", "\"type\":\"CallAnswered\""),
    ("Verified", "\"type\":\"Verified\""),
];

/// Whether an event is of some kind.
type Is = fn(&Event) -> bool;

/// What is found out meanwhile, without anybody's asking.
const FOUND: [(&str, &str, Is); 3] = [
    ("BlastRadiusRead", "\"type\":\"BlastRadiusRead\"", |event| matches!(event, Event::BlastRadiusRead { .. })),
    ("TrailHunted", "\"type\":\"TrailHunted\"", |event| matches!(event, Event::TrailHunted { .. })),
    ("TrailSwept", "\"type\":\"TrailSwept\"", |event| matches!(event, Event::TrailSwept { .. })),
];

/// The kinds of records among what it is killed at.
pub(super) fn kinds() -> Vec<&'static str> {
    POINTS.iter().map(|point| point.0).chain(FOUND.iter().map(|found| found.0)).collect()
}

async fn killed_at(mut case: Case, written_with: &'static str, loss: Loss) -> (Case, Program) {
    case.proxy.lose(written_with, loss);
    let first = case.program().await;
    case.w.slack.set_rate_limits(false);
    let replaced = async {
        case.until_met(1).await;
        let second = case.replace(first).await;
        case.only_waits();
        second
    };
    let (second, ()) = tokio::join!(replaced, case.w.insist(KEY));
    ends_well(&case.w).await;
    (case, second)
}

/// The key is switched off once, whatever else happened on the way.
pub(super) async fn ends_well(w: &World) {
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "exactly one call reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
    assert_eq!(w.happened(|event| matches!(event, Event::Opened { .. })).await, 1);
    assert_eq!(w.happened(|event| matches!(event, Event::Verified { .. })).await, 1);
    assert!(w.happened(|event| matches!(event, Event::CallAnswered { .. })).await <= 1);
    assert_eq!(w.store.open_incidents(9).await.unwrap().len(), 1);
    w.nothing_is_owed().await;
    w.nothing_stands_twice();
}

/// The same, and what was found out comes to be known.
async fn killed_as_it_is_found(case: Case, written_with: &'static str, loss: Loss, is_it: Is) {
    let (case, _program) = killed_at(case, written_with, loss).await;
    let found = async {
        while case.w.happened(is_it).await == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(FOUND_WITHIN, found).await.expect("the second program finds it out");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_or_after_any_record_it_ends_with_exactly_one_call() {
    let mut cases = Cases::start().await;
    for (what, written_with) in POINTS {
        for loss in [Loss::Command, Loss::Answer] {
            cases.add(format!("{what}: {loss:?}"), move |case| killed_at(case, written_with, loss).map(drop));
        }
    }
    for (what, written_with, is_it) in FOUND {
        for loss in [Loss::Command, Loss::Answer] {
            cases.add(format!("{what}: {loss:?}"), move |case| killed_as_it_is_found(case, written_with, loss, is_it));
        }
    }
    cases.end().await;
}
