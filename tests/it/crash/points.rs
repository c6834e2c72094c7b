//! The program killed just before and just after everything that it writes down on its way.

use irp::domain::incident::event::Event;
use irp_sandbox::aws::KeyStatus;

use crate::cases::{Case, Cases};
use crate::redis_proxy::Loss;

const KEY: &str = "· Deactivate access key";

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

async fn killed_at(mut case: Case, written_with: &'static str, loss: Loss) {
    case.proxy.lose(written_with, loss);
    let first = case.program().await;
    case.w.slack.set_rate_limits(false);
    let replaced = async {
        case.until_met(1).await;
        let second = case.replace(first).await;
        case.only_waits();
        second
    };
    let (_second, ()) = tokio::join!(replaced, case.w.insist(KEY));
    let w = &case.w;
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "exactly one call reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
    assert_eq!(w.happened(|event| matches!(event, Event::Opened { .. })).await, 1);
    assert_eq!(w.happened(|event| matches!(event, Event::Verified { .. })).await, 1);
    assert!(w.happened(|event| matches!(event, Event::CallAnswered { .. })).await <= 1);
    assert_eq!(w.store.open_incidents(9).await.unwrap().len(), 1);
    w.nothing_is_owed().await;
    w.nothing_stands_twice();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_or_after_any_record_it_ends_with_exactly_one_call() {
    let mut cases = Cases::start().await;
    for (what, written_with) in POINTS {
        cases.add(format!("before: {what}"), move |case| killed_at(case, written_with, Loss::Command));
        cases.add(format!("after: {what}"), move |case| killed_at(case, written_with, Loss::Answer));
    }
    cases.end().await;
}
