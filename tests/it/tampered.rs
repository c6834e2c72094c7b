//! Logs that somebody has changed in Redis: the incident is left alone, whoever clicks is told so, and
//! nothing runs.

use std::time::Duration;

use irp::domain::id::IncidentId;
use irp_sandbox::aws::KeyStatus;
use redis::aio::MultiplexedConnection;
use redis::cmd;
use redis::streams::StreamRangeReply;

use crate::cases::{Case, Cases};
use crate::world::{ANA, CHRIS, World};

const KEY: &str = "· Deactivate access key";
const LOG: &str = "irp:v1:{p1}:log:INC-1";
const EFFECTS: &str = "irp:v1:{p1}:work:effects";

/// What somebody with a Redis client makes of the records.
type Edit = fn(Vec<String>) -> Vec<String>;

/// A yes that nobody has given, as who does not know the hash of the last record would write it.
const MADE_UP: &str = r#"{"v":1,"prev":null,"at":"2026-01-01T00:00:00Z","event":{"type":"ApprovalGiven","request":"INC-1.1","by":"U0APPROVE1","person":"U0APPROVE1","execute_by":"2099-01-01T00:00:00Z"}}"#;

const EDITS: [(&str, Edit); 11] = [
    ("an event is changed", |mut log| {
        log[1] = log[1].replace("deploy-bot", "release-bot");
        log
    }),
    ("a time is changed", |mut log| {
        log[0] = log[0].replacen('T', "t", 1);
        log
    }),
    ("a record is dropped", |mut log| {
        log.remove(1);
        log
    }),
    ("the first is dropped", |mut log| {
        log.remove(0);
        log
    }),
    ("two are swapped", |mut log| {
        log.swap(0, 1);
        log
    }),
    ("one is there twice", |mut log| {
        log.push(log[log.len() - 1].clone());
        log
    }),
    ("one is added by hand", |mut log| {
        log.push(MADE_UP.into());
        log
    }),
    ("one is added by who knows the hash of the last", |mut log| {
        let last = log[log.len() - 1].split_once(' ').unwrap().1;
        let hash = irp::view::pack::hash(last.as_bytes());
        log.push(MADE_UP.replace("null", &format!("\"{hash}\"")));
        log
    }),
    ("the last is changed", |mut log| {
        let last = log.len() - 1;
        log[last] = log[last].replacen("\"at\":\"2", "\"at\":\"1", 1);
        log
    }),
    ("what is added is no JSON", |mut log| {
        log.push("approved: yes".into());
        log
    }),
    ("its end is cut off", |mut log| {
        log.pop();
        log
    }),
];

async fn records(redis: &mut MultiplexedConnection) -> Vec<String> {
    let log: StreamRangeReply = cmd("XRANGE").arg(LOG).arg("-").arg("+").query_async(redis).await.unwrap();
    log.ids.iter().map(|entry| entry.get("r").unwrap()).collect()
}

/// Writes the log anew, with versions as they should be, and has the workers look at it.
async fn edited(redis: &mut MultiplexedConnection, edit: impl FnOnce(Vec<String>) -> Vec<String>) {
    let changed = edit(records(redis).await);
    // At once: whoever has seen more than is there meanwhile would say so.
    let mut anew = redis::pipe();
    anew.atomic().cmd("DEL").arg(LOG);
    for (version, text) in (1..).zip(changed) {
        anew.cmd("XADD").arg(LOG).arg(format!("{version}-0")).arg("r").arg(text);
    }
    anew.exec_async(redis).await.unwrap();
    cmd("XADD").arg(EFFECTS).arg("*").arg("e").arg("INC-1").exec_async(redis).await.unwrap();
}

/// Waits for what the bot still writes by itself.
async fn settled(w: &World, redis: &mut MultiplexedConnection) {
    w.until("use is read", |w| {
        w.card(ANA, "evidence").is_some_and(|m| m["blocks"].to_string().contains("Used in the last"))
    })
    .await;
    // The next search is a minute away.
    w.until("the trail has been searched", |w| w.card(ANA, "INC-1 hunt").is_some()).await;
    // Its card can be there before the search is at its end. The test's own store would remember the log as it is.
    let swept = async {
        while !records(redis).await.iter().any(|text| text.contains("\"type\":\"TrailSwept\"")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), swept).await.expect("the search comes to its end");
}

async fn is_left_alone(mut case: Case, edit: Edit) {
    let _program = case.program().await;
    let mut redis = case.past_the_store().await;
    let w = &case.w;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    settled(w, &mut redis).await;
    edited(&mut redis, edit).await;
    let found = records(&mut redis).await;
    for (person, button) in [(CHRIS, "irp.approve"), (ANA, "irp.withdraw")] {
        let told = w.click(person, KEY, button).await;
        assert!(told.contains("somebody has changed") && told.contains("nothing runs"), "{told}");
    }
    let listed = w.command(ANA, "/irp list").await;
    assert!(listed.contains("*INC-1*") && listed.contains("cannot be read"), "{listed}");
    let mut left = 1;
    while left > 0 {
        left = cmd("XLEN").arg(EFFECTS).query_async(&mut redis).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let said = |w: &World| w.texts().iter().filter(|text| text.contains("INC-1 is left alone")).count();
    w.until("the room is told", |w| said(w) > 0).await;
    cmd("XADD").arg(EFFECTS).arg("*").arg("e").arg("INC-1").exec_async(&mut redis).await.unwrap();
    w.click(CHRIS, KEY, "irp.approve").await;
    assert_eq!(said(w), 1, "once");
    assert_eq!(records(&mut redis).await, found, "nothing is written after it");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Active));
    // The credential is not lost to the bot.
    w.command(ANA, &format!("/irp open {}", w.stolen_key())).await;
    w.until("another incident is open", |w| w.texts().iter().any(|text| text.contains("INC-2"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_log_is_edited_the_incident_is_left_alone() {
    let mut cases = Cases::start().await;
    for (what, edit) in EDITS {
        cases.add(what.to_owned(), move |case| is_left_alone(case, edit));
    }
    cases.add("a plan is changed".to_owned(), a_plan_that_is_not_what_was_approved_does_not_run);
    cases.end().await;
}

/// The last record has none after it that would show the change; the digest in it does.
async fn a_plan_that_is_not_what_was_approved_does_not_run(mut case: Case) {
    let program = case.program().await;
    let mut redis = case.past_the_store().await;
    let w = &case.w;
    w.incident().await;
    settled(w, &mut redis).await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    settled(w, &mut redis).await;
    // By somebody who has the key of the seals too, before a program that has not seen what stood there.
    drop(program);
    let sealed = records(&mut redis).await;
    let mut log: Vec<String> = sealed.iter().map(|stored| stored.split_once(' ').unwrap().1.to_owned()).collect();
    let last = log.len() - 1;
    assert!(log[last].contains("ApprovalRequested"), "{}", log[last]);
    log[last] = log[last].replace("\"user_name\":\"deploy-bot\"", "\"user_name\":\"release-bot\"");
    cmd("DEL").arg(LOG).exec_async(&mut redis).await.unwrap();
    w.store.append(IncidentId::new(1), 0, &irp::domain::stored::read(log).unwrap(), None).await.unwrap();
    let _program = case.program().await;
    let w = &case.w;
    let told = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(told.contains("another version"), "{told}");
    w.nothing_is_owed().await;
    assert!(w.says(KEY, "waiting for approval"));
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
}
