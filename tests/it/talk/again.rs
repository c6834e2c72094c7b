//! Cards that cannot be edited as they are, and those that come again.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_somebody_deletes_stays_gone_and_the_card_of_a_step_comes_again() {
    let w = World::start().await;
    w.incident().await;
    let deleted = w.card(ANA, "stolen AWS credential").unwrap()["ts"].as_str().unwrap().to_owned();
    assert!(w.slack.delete_message(ROOM, &deleted));
    // Its replies are there still, so Slack keeps a tombstone, and nobody can edit that.
    assert!(w.messages(ANA).iter().any(|m| m["ts"] == deleted.as_str() && m["user"] == "USLACKBOT"));
    let step = w.card(ANA, KEY).unwrap()["ts"].as_str().unwrap().to_owned();
    assert!(w.slack.delete_message(ROOM, &step));
    // Others have it on their screen still.
    w.forged_click(ANA, "irp.request", &format!("INC-1 deactivate-access-key.{}", w.stolen_key())).await;
    w.until("the card is there anew", |w| w.offers(KEY, "irp.approve")).await;
    let tried = |w: &World| w.slack.journal().into_iter().any(|c| c.outcome == Err("cant_update_message".to_owned()));
    w.until("the announcement was to say something else", tried).await;
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    let another = |m: &Value| m["thread_ts"].is_null() && m["text"].as_str().unwrap().contains("stolen AWS credential");
    assert!(!w.messages(ANA).iter().any(another), "it would call people again: {:#?}", w.texts());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_slack_finds_too_long_is_shown_in_short_at_once() {
    let w = World::start().await;
    w.slack.fail_next("chat.postMessage", SlackFault::Error("msg_blocks_too_long".into()));
    w.incident().await;
    let in_short = |w: &World, method: &str| {
        let taken = w.slack.journal().into_iter().filter(|call| call.method == method && call.outcome.is_ok());
        taken.map(|call| call.args["blocks"].to_string()).find(|blocks| blocks.contains("Too long for Slack"))
    };
    assert!(in_short(&w, "chat.postMessage").unwrap().contains("irp.close"), "the announcement with its buttons");
    w.slack.fail_next("chat.update", SlackFault::Error("invalid_blocks".into()));
    w.click(ANA, KEY, "irp.request").await;
    w.until("an edit is shown in short too", |w| in_short(w, "chat.update").is_some()).await;
    // Not ended as others are: there a message that Slack refuses is a mistake of the bot's.
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_slack_cannot_update_just_now_holds_up_none_of_the_others() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    w.incident().await;
    let announcement = w.card(ANA, "stolen AWS credential").unwrap()["ts"].as_str().unwrap().to_owned();
    w.slack.set_stuck(&announcement, true);
    // From then on its next edit would be the first of all.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let fails = w.slack.journal().into_iter().any(|call| call.outcome == Err("update_failed".to_owned()));
    assert!(fails, "the announcement was tried");
    w.slack.set_stuck(&announcement, false);
    w.end().await;
}
