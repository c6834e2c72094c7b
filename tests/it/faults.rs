//! AWS and Slack that fail, hang and forget.

use std::time::Duration;

use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::refusal::Refusal;
use irp_sandbox::aws::{Fault as AwsFault, KeyStatus};
use irp_sandbox::slack::{Fault as SlackFault, UserFlag};

use crate::world::{ANA, BEN, CHRIS, DANA, KIM, World};

mod actions;
mod estate;
mod removals;
mod sessions;
mod store;
mod table;
mod way;

const KEY: &str = "Deactivate access key";
const SESSIONS: &str = "Revoke all sessions minted";
/// A change that does not show is given up after fifteen seconds.
const DOUBT: std::time::Duration = std::time::Duration::from_secs(40);

async fn approved(w: &World) {
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.click(CHRIS, KEY, "irp.approve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_says_no_and_the_card_says_what_to_do_by_hand() {
    let w = World::start().await;
    w.incident().await;
    w.account.fail_next("UpdateAccessKey", AwsFault::AccessDenied);
    approved(&w).await;
    w.until_card(KEY, "it failed").await;
    let card = w.card(ANA, KEY).unwrap()["blocks"].to_string();
    assert!(
        card.contains("AccessDenied") && card.contains("aws iam update-access-key --user-name deploy-bot"),
        "{card}"
    );
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_asked_for_because_aws_could_not_be_read_is_on_record() {
    let w = World::start().await;
    w.incident().await;
    w.until_card(KEY, "Deactivate").await;
    w.account.fail_next("ListAccessKeys", AwsFault::AccessDenied);
    let told = w.click(ANA, KEY, "irp.request").await;
    assert!(
        told.contains("AWS could not be read, so nothing was asked for") && told.contains("AccessDenied"),
        "{told}"
    );
    let log = w.store.load(IncidentId::new(1)).await.unwrap();
    let tried = log.iter().filter(|record| {
        matches!(&record.event, Event::AttemptRefused { by, refusal: Refusal::AwsUnread(_), .. } if by.as_str() == ANA)
    });
    assert_eq!(tried.count(), 1, "{log:#?}");
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_aws_turns_away_as_one_too_many_is_made_again_for_as_long_as_there_is_time() {
    let throttled = async |times: usize, says: &str| {
        let w = World::start().await;
        w.incident().await;
        for _ in 0..times {
            w.account.fail_next("UpdateAccessKey", AwsFault::Throttle);
        }
        approved(&w).await;
        w.until_card(KEY, says).await;
        let (calls, card) = (w.account.count("UpdateAccessKey"), w.card(ANA, KEY).unwrap()["blocks"].to_string());
        w.end().await;
        (calls, card)
    };
    let (some, endless) = tokio::join!(throttled(3, "carried out and verified"), throttled(1_000, "it failed"));
    assert_eq!(some.0, 4);
    assert!(endless.1.contains("NotTaken") && endless.1.contains("Rate exceeded"), "{}", endless.1);
    assert!((5..50).contains(&endless.0), "longer and longer waits: {} calls", endless.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_is_read_back_and_not_repeated() {
    for (fault, says) in [
        (AwsFault::DropAfter, "carried out and verified"),
        (AwsFault::HangAfter, "carried out and verified"),
        (AwsFault::InternalError, "its outcome is not known"),
    ] {
        let w = World::start().await;
        w.incident().await;
        w.account.fail_next("UpdateAccessKey", fault);
        approved(&w).await;
        w.until("the call is made", |w| w.account.count("UpdateAccessKey") == 1).await;
        // A hung call is given up after eight seconds, a change that does not show after fifteen more.
        let started = std::time::Instant::now();
        while !w.card(ANA, KEY).is_some_and(|m| m["text"].as_str().unwrap().contains(says)) {
            assert!(started.elapsed().as_secs() < 40, "{says}: {:#?}", w.texts());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(w.account.count("UpdateAccessKey"), 1);
        w.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_said_so_and_read_again_until_it_shows() {
    let w = World::start().await;
    w.incident().await;
    w.account.fail_next("UpdateAccessKey", AwsFault::InternalError);
    approved(&w).await;
    w.until_within(DOUBT, "it is not known", |w| w.says(KEY, "its outcome is not known")).await;
    let card = w.card(ANA, KEY).unwrap()["blocks"].to_string();
    for part in
        ["Not known whether it holds", "Nothing is repeated", "AWS is read again", "needs a new approval", "By hand"]
    {
        assert!(card.contains(part), "{part}: {card}");
    }
    w.until("the thread is told", |w| w.notes().iter().any(|note| note.contains("Not known whether it holds"))).await;
    assert!(w.offers(KEY, "irp.request") && w.offers(KEY, "irp.look_again"));
    w.clock.advance(chrono::TimeDelta::seconds(61));
    let again =
        |w: &World| w.card(ANA, KEY).unwrap()["blocks"].to_string().contains("AWS shows no change. AWS is read");
    w.until("it was read again", again).await;
    // It comes through at last, and somebody does not want to wait for the next reading.
    w.account.set_key_status(&w.stolen_key(), KeyStatus::Inactive);
    w.click(BEN, KEY, "irp.look_again").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_long_in_coming_or_does_not_come_uses_up_no_approval() {
    let w = World::start().await;
    w.incident().await;
    // More often than one try asks for it.
    for _ in 0..4 {
        w.account.fail_next("AssumeRole", AwsFault::Throttle);
    }
    let before = w.account.count("AssumeRole");
    approved(&w).await;
    w.until("the session is asked for", |w| w.account.count("AssumeRole") > before).await;
    // As if the process had stood still: nothing is on record as sent, so that nobody has to read back whether it was.
    w.clock.advance(chrono::TimeDelta::seconds(30));
    w.until_card(KEY, "carried out and verified").await;
    assert!(w.account.count("AssumeRole") > before + 4);
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;

    let w = World::start().await;
    w.incident().await;
    w.account.fail_next("AssumeRole", AwsFault::AccessDenied);
    approved(&w).await;
    w.until_card(KEY, "lapsed before it could run").await;
    let card = w.card(ANA, KEY).unwrap()["blocks"].to_string();
    assert!(card.contains("AWS gave no session for this change") && card.contains("AccessDenied"), "{card}");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.until("it can be asked for again", |w| w.offers(KEY, "irp.request")).await;
    w.carry_out(KEY, ANA, CHRIS).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_changed_since_is_stale_or_already_done() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.account.set_key_status(&w.stolen_key(), KeyStatus::Inactive);
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.until("nothing was sent", |w| w.notes().iter().any(|n| n.contains("nothing was sent"))).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;

    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.account.delete_and_recreate_user("deploy-bot");
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "stale").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_can_be_asked_for_again_in_one_press() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until_card(SESSIONS, "waiting for approval").await;
    let theirs = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],
        "Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}]}"#;
    w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(theirs));
    w.click(CHRIS, SESSIONS, "irp.approve").await;
    w.until_card(SESSIONS, "stale").await;
    assert_eq!(w.account.count("PutUserPolicy"), 0);
    w.until("it is offered", |w| w.offers(SESSIONS, "irp.request")).await;
    assert!(w.card(ANA, SESSIONS).unwrap()["blocks"].to_string().contains("\"Ask again\""));
    let answer = w.click(ANA, SESSIONS, "irp.request").await;
    assert!(answer.contains("INC-1.2 is recorded"), "{answer}");
    w.until_card(SESSIONS, "waiting for approval").await;
    w.click(CHRIS, SESSIONS, "irp.approve").await;
    w.until_card(SESSIONS, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_looked_up_at_the_click() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let refused = async |person: &str, flag, told: &str| {
        w.slack.set_user_flag(person, flag, true);
        let answer = w.click(person, KEY, "irp.approve").await;
        assert!(answer.contains(told), "{answer}");
        w.slack.set_user_flag(person, flag, false);
    };
    refused(DANA, UserFlag::Bot, "Bots").await;
    refused(BEN, UserFlag::Deleted, "deactivated").await;
    // After this it is asked anew who somebody is.
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    refused(CHRIS, UserFlag::Stranger, "other organisations").await;
    refused(KIM, UserFlag::Restricted, "Guests").await;
    w.slack.fail_next("users.info", SlackFault::Error("internal_error".into()));
    let answer = w.click(DANA, KEY, "irp.approve").await;
    assert!(answer.contains("Slack could not say who you are"), "{answer}");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_that_is_slow_or_away_holds_nothing_up_and_is_brought_in_line() {
    let w = World::start().await;
    w.slack.fail_next("chat.postMessage", SlackFault::RateLimited { retry_after_s: 1 });
    w.slack.fail_next("chat.postMessage", SlackFault::Status(503));
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.slack.set_rate_limits(false);
    for _ in 0..3 {
        w.slack.fail_next("chat.update", SlackFault::Status(500));
    }
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until("the call is made all the same", |w| w.account.count("UpdateAccessKey") == 1).await;
    w.until_card(KEY, "carried out and verified").await;
    let announcements = w.messages(ANA).iter().filter(|m| m["thread_ts"].is_null() && m["ephemeral"] == false).count();
    assert_eq!(announcements, 1, "{:#?}", w.texts());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_whose_answer_got_lost_is_found_again_and_not_doubled() {
    let w = World::start().await;
    w.slack.fail_next("chat.postMessage", SlackFault::PostThenHang);
    assert_eq!(w.alert(&w.finding("e-1", "f-1")).await, 202);
    w.until("the steps are there", |w| w.card(ANA, KEY).is_some()).await;
    let announcements = w.messages(ANA).iter().filter(|m| m["thread_ts"].is_null()).count();
    assert_eq!(announcements, 1, "{:#?}", w.texts());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_acts_while_slack_is_away_for_a_moment_is_told_afterwards_and_once() {
    let w = World::start().await;
    w.incident().await;
    let before = w.told(ANA).len();
    // All three ways; a receipt is posted at the same time.
    for (way, times) in [("chat.postEphemeral", 2), ("response_url", 2), ("chat.postMessage", 4)] {
        for _ in 0..times {
            w.slack.fail_next(way, SlackFault::Status(503));
        }
    }
    w.press(ANA, KEY, "irp.request").await;
    w.until("it is told", |w| w.told(ANA).len() > before).await;
    let told = w.told(ANA).into_iter().filter(|told| told.contains("INC-1.1 is recorded in your name"));
    assert_eq!(told.count(), 1, "{:#?}", w.told(ANA));
    let log = w.store.load(IncidentId::new(1)).await.unwrap();
    assert!(!log.iter().any(|record| matches!(record.event, Event::AttemptRefused { .. })), "asked for once: {log:#?}");
    w.end().await;
}
