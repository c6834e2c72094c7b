//! The program killed just before and just after what people, another alert or other rules have it write down on the way to
//! an approval. People press again what is there to press, and the key is switched off once all the same.

use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt};
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use serde_json::json;

use super::points::{KEY, ends_well};
use super::whole_way::press;
use crate::cases::{Case, Cases};
use crate::redis_proxy::Loss;
use crate::world::{ANA, BEN, DANA, ORGANISATION, World};

/// Nobody presses for that: the rules are read anew.
const RULES: &str = "RulesChanged";
const SESSIONS: &str = "· Revoke all sessions minted";
const ANNOUNCEMENT: &str = "stolen AWS credential";
/// A dead process's work is taken over after 15 s.
const WRITTEN_WITHIN: Duration = Duration::from_mins(2);
/// How long people wait for something to come of a click.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is written down, and what people press until it is.
struct Press {
    kind: &'static str,
    is_it: fn(&Event) -> bool,
    again: for<'a> fn(&'a World) -> BoxFuture<'a, ()>,
}

static PRESSES: [Press; 7] = [
    Press {
        kind: "AlertReceived",
        is_it: |event| matches!(event, Event::AlertReceived { .. }),
        again: |w| alerts_again(w).boxed(),
    },
    Press {
        kind: "AttemptRefused",
        is_it: |event| matches!(event, Event::AttemptRefused { .. }),
        again: |w| may_not(w).boxed(),
    },
    Press {
        kind: "IdentificationAsked",
        is_it: |event| matches!(event, Event::IdentificationAsked { .. }),
        again: |w| press(w, ANA, "evidence", "irp.look_again").boxed(),
    },
    Press {
        kind: "LeadTaken",
        is_it: |event| matches!(event, Event::LeadTaken { .. }),
        again: |w| press(w, BEN, ANNOUNCEMENT, "irp.lead").boxed(),
    },
    Press {
        kind: "RequestCancelled",
        is_it: |event| matches!(event, Event::RequestCancelled { .. }),
        again: |w| cancels(w).boxed(),
    },
    Press {
        kind: "RequestSuperseded",
        is_it: |event| matches!(event, Event::RequestSuperseded { .. }),
        again: |w| asks_for_another(w).boxed(),
    },
    Press {
        kind: "RequestWithdrawn",
        is_it: |event| matches!(event, Event::RequestWithdrawn { .. }),
        again: |w| withdraws(w).boxed(),
    },
];

/// What it is killed at.
pub(super) fn kinds() -> Vec<&'static str> {
    PRESSES.iter().map(|press| press.kind).chain([RULES]).collect()
}

async fn alerts_again(w: &World) {
    w.alert_until_kept(&w.finding("e-2", "f-1")).await;
}

/// Somebody who is no approver, with a button that is not on their card.
async fn may_not(w: &World) {
    if w.offers(KEY, "irp.approve") {
        let _ = w.try_forged(DANA, "irp.approve", &w.value(KEY, "irp.approve")).await;
    } else {
        press(w, ANA, KEY, "irp.request").await;
    }
}

async fn withdraws(w: &World) {
    if w.offers(KEY, "irp.withdraw") {
        press(w, ANA, KEY, "irp.withdraw").await;
    } else {
        press(w, ANA, KEY, "irp.request").await;
    }
}

/// The lead ends it.
async fn cancels(w: &World) {
    if w.happened(|event| matches!(event, Event::LeadTaken { .. })).await == 0 {
        press(w, BEN, ANNOUNCEMENT, "irp.lead").await;
    } else if w.offers(KEY, "irp.cancel") {
        press(w, BEN, KEY, "irp.cancel").await;
    } else {
        press(w, ANA, KEY, "irp.request").await;
    }
}

/// AWS has changed since, each time anew: what is asked for then is something else.
async fn asks_for_another(w: &World) {
    if w.offers(SESSIONS, "irp.request") {
        return press(w, ANA, SESSIONS, "irp.request").await;
    }
    let sid = format!("Number{}", w.store.load(IncidentId::new(1)).await.unwrap().len());
    let statement =
        json!({"Sid": sid, "Effect": "Deny", "Action": ["s3:DeleteObject"], "Resource": ["arn:aws:s3:::b/*"]});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(&policy));
    let _ = w.try_forged(BEN, "irp.request", "INC-1 revoke-user-sessions").await;
}

/// There is an incident, and its step.
async fn begins(w: &World) {
    w.alert_until_kept(&w.finding("e-1", "f-1")).await;
    w.until_within(WRITTEN_WITHIN, "the step is there", |w| w.card(ANA, KEY).is_some()).await;
}

/// People press until it is on record.
async fn insist(w: &World, on: &Press) {
    begins(w).await;
    let started = Instant::now();
    while w.happened(on.is_it).await == 0 {
        assert!(started.elapsed() < WRITTEN_WITHIN, "no {}: {:#?}", on.kind, w.texts());
        (on.again)(w).await;
        let pressed = Instant::now();
        while pressed.elapsed() < PATIENCE && w.happened(on.is_it).await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    w.insist(KEY).await;
}

async fn killed_at(mut case: Case, on: &'static Press, loss: Loss) {
    case.proxy.lose(&format!("\"type\":\"{}\"", on.kind), loss);
    let first = case.program().await;
    case.w.slack.set_rate_limits(false);
    let replaced = async {
        case.until_met(1).await;
        let second = case.replace(first).await;
        case.only_waits();
        second
    };
    let (_second, ()) = tokio::join!(replaced, insist(&case.w, on));
    ends_well(&case.w).await;
}

/// Whoever takes over has the new rules from the start, and says them in the log where that has not been done.
async fn killed_as_the_rules_change(mut case: Case, loss: Loss) {
    let first = case.program().await;
    case.w.slack.set_rate_limits(false);
    begins(&case.w).await;
    case.proxy.lose(&format!("\"type\":\"{RULES}\""), loss);
    case.rules(&ORGANISATION.replace("[people]", "contain.approve_within_minutes = 30\n[people]"));
    first.signal("HUP");
    case.until_met(1).await;
    let _second = case.replace(first).await;
    case.only_waits();
    case.w.insist(KEY).await;
    ends_well(&case.w).await;
    assert_eq!(case.w.happened(|event| matches!(event, Event::RulesChanged { .. })).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_what_people_do_on_the_way_it_comes_to_the_same_end() {
    let mut cases = Cases::start().await;
    for loss in [Loss::Command, Loss::Answer] {
        for on in &PRESSES {
            cases.add(format!("{}: {loss:?}", on.kind), move |case| killed_at(case, on, loss));
        }
        cases.add(format!("{RULES}: {loss:?}"), move |case| killed_as_the_rules_change(case, loss));
    }
    cases.end().await;
}
