//! Who hears of something by a mention, and who would not.

use std::time::Duration;

use irp_sandbox::slack::{Fault, UserFlag};
use serde_json::json;

use crate::world::{ANA, BEN, CHRIS, DANA, KIM, ORGANISATION, ROOM, World};

const KEY: &str = "· Deactivate access key";
const SESSIONS: &str = "· Revoke all sessions minted";
const ANNOUNCEMENT: &str = "stolen AWS credential";
const ON_CALL: &str = "S0ONCALL01";
/// Not in the war room.
const GUEST: &str = "U0GUEST001";

/// An account that Chris had before.
const LEFT: &str = "U0APPROVE0";

/// How many notifications with this in it somebody has had.
fn heard(w: &World, person: &str, of: &str) -> usize {
    w.slack.notifications(person).iter().filter(|text| text.contains(of)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_incident_calls_who_is_on_call_and_its_edits_nobody() {
    let w = World::without_bot(false).await;
    w.slack.set_group(ON_CALL, Some(&[DANA, GUEST]));
    let page = format!("[people]\npage = [\"{ON_CALL}\", \"{KIM}\"]");
    let w = w.with_bot(false, None, &ORGANISATION.replace("[people]", &page)).await;
    w.incident().await;
    let announcement = w.card(ANA, ANNOUNCEMENT).unwrap();
    let (text, blocks) = (announcement["text"].as_str().unwrap(), announcement["blocks"].to_string());
    for called in ["<!subteam^S0ONCALL01>", "<@U0KEYOWNR1>"] {
        assert!(text.contains(called) && blocks.contains(called), "{called}: {announcement:#}");
    }
    w.carry_out(KEY, ANA, BEN).await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    for (person, times) in [(DANA, 1), (KIM, 1), (CHRIS, 0), (GUEST, 0)] {
        assert_eq!(heard(&w, person, ANNOUNCEMENT), times, "an edit notifies nobody: {person}");
    }
    w.end().await;
}

/// A member of the workspace who may decide, and has left the war room.
async fn with_chris_away() -> World {
    let w = World::start().await;
    w.slack.leave(CHRIS, ROOM);
    w.incident().await;
    w
}

/// What somebody was asked in direct messages.
fn asks(w: &World, person: &str) -> Vec<String> {
    w.told(person).into_iter().filter(|text| text.contains("You can decide on it")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_is_not_in_the_war_room_is_asked_in_a_direct_message_once() {
    let w = with_chris_away().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until("Chris is asked", |w| !asks(w, CHRIS).is_empty()).await;
    let ask = asks(&w, CHRIS).remove(0);
    let card = w.card(ANA, KEY).unwrap();
    let link = format!("/archives/{ROOM}/p{}", card["ts"].as_str().unwrap().replace('.', ""));
    assert!(ask.contains(&link) && ask.contains(&format!("<@{ANA}> asks for")), "{ask}");
    assert!(ask.contains("invite you"), "{ask}");

    w.click(ANA, SESSIONS, "irp.request").await;
    w.until("and of the other request", |w| asks(w, CHRIS).len() == 2).await;
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(asks(&w, CHRIS).len(), 2, "each once");
    for present in [ANA, BEN, KIM] {
        assert!(asks(&w, present).is_empty(), "{present} has the mention");
    }
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_slack_does_not_say_who_is_in_the_room_nobody_is_asked_besides() {
    let w = World::start().await;
    w.slack.set_scope("channels:read", false);
    w.slack.leave(CHRIS, ROOM);
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until("the mention is there", |w| heard(w, BEN, "Who can decide") == 1).await;
    w.until_card(KEY, "waiting for approval").await;
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert!(asks(&w, CHRIS).is_empty() && heard(&w, CHRIS, "Who can decide") == 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_does_not_answer_who_is_in_the_room_is_asked_again() {
    let w = with_chris_away().await;
    for _ in 0..2 {
        w.slack.fail_next("conversations.members", Fault::Status(503));
    }
    w.click(ANA, KEY, "irp.request").await;
    w.until("Chris is asked", |w| !asks(w, CHRIS).is_empty()).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_is_not_in_the_war_room_is_asked_also_while_some_card_fails() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    w.slack.leave(CHRIS, ROOM);
    w.incident().await;
    let announcement = w.card(ANA, ANNOUNCEMENT).unwrap()["ts"].as_str().unwrap().to_owned();
    w.slack.set_stuck(&announcement, true);
    // From then on its next edit would be the first of all.
    tokio::time::sleep(Duration::from_secs(3)).await;
    w.click(ANA, KEY, "irp.request").await;
    w.until("Chris is asked", |w| !asks(w, CHRIS).is_empty()).await;
    let fails = w.slack.journal().into_iter().any(|call| call.outcome == Err("update_failed".to_owned()));
    assert!(fails, "the announcement was tried");
    w.slack.set_stuck(&announcement, false);
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(asks(&w, CHRIS).len(), 1, "once");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_could_have_decided_hears_of_a_broken_glass_at_an_account_that_is_still_theirs() {
    let w = World::without_bot(false).await;
    w.slack.join(LEFT, "chris-before");
    w.slack.set_user_flag(LEFT, UserFlag::Deleted, true);
    let chris = format!("[[person]]\nname = \"Chris\"\nslack = [\"{LEFT}\", \"{CHRIS}\"]\n");
    let rules = format!("{ORGANISATION}{chris}[break_glass]\npeople = [\"{ANA}\"]\n");
    let w = w.with_bot(false, None, &rules).await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let modal = w.form(ANA, KEY, "irp.break_glass").await;
    let filled = json!({"target": {"target": w.stolen_key()}, "reason": {"reason": "nobody answers"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    let told = |w: &World, person: &str| {
        let told = |text: &str| text.starts_with(":rotating_light:") && text.contains("broke the glass");
        w.receipts(person).iter().filter(|message| told(message["text"].as_str().unwrap())).count()
    };
    for person in [BEN, CHRIS] {
        w.until("everybody is told", |w| told(w, person) == 1).await;
    }
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!([BEN, CHRIS, ANA].map(|person| told(&w, person)), [1, 1, 0], "each once, and not who did it");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_slack_cannot_write_to_just_now_holds_up_nobody_else_of_a_broken_glass_or_of_what_waits() {
    let rules = format!("{ORGANISATION}\n[break_glass]\npeople = [\"{ANA}\"]\n");
    let w = World::start_with_rules(&rules).await;
    w.slack.set_rate_limits(false);
    w.slack.leave(BEN, ROOM);
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until("Ben is asked", |w| asks(w, BEN).len() == 1).await;
    let heard_of_glass = |w: &World, person: &str| {
        w.receipts(person).iter().filter(|m| m["text"].as_str().unwrap().contains("broke the glass")).count()
    };
    // The first who is to hear of it.
    w.slack.set_unreachable(CHRIS, true);
    let modal = w.form(ANA, KEY, "irp.break_glass").await;
    let filled = json!({"target": {"target": w.stolen_key()}, "reason": {"reason": "nobody answers"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    w.until("the next one hears of it", |w| heard_of_glass(w, BEN) == 1).await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until("and is asked of what waits", |w| asks(w, BEN).len() == 2).await;
    assert_eq!(heard_of_glass(&w, CHRIS), 0);
    w.slack.set_unreachable(CHRIS, false);
    w.until("he hears of it late", |w| heard_of_glass(w, CHRIS) == 1).await;
    assert_eq!(heard_of_glass(&w, BEN), 1, "once");
    w.end().await;
}
