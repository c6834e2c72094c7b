//! Buttons of a card that stand on another message, or come from elsewhere: whoever can post as the bot could put them there.

use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::refusal::Refusal;
use serde_json::{Value, json};

use crate::forged::on;
use crate::peers::{KEY, asked};
use crate::world::{ANA, BEN, CHRIS, DANA, ROOM, World};

/// A message that stood in the war room long before the incident.
const ANOTHER: &str = "1700000000.000100";

impl World {
    /// The attempts that were refused for this, as the log has them.
    async fn refused_for(&self, refusal: &Refusal) -> Vec<String> {
        let log = self.store.load(IncidentId::new(1)).await.unwrap();
        let refused = log.into_iter().filter_map(|record| match record.event {
            Event::AttemptRefused { attempt, refusal: why, .. } if why == *refusal => Some(attempt),
            _ => None,
        });
        refused.collect()
    }

    /// Waits until Slack has named every message that was posted.
    async fn until_all_is_named(&self) {
        for _ in 0..3_000 {
            let cards = self.store.cards(IncidentId::new(1)).await.unwrap();
            if cards.values().all(|posted| posted.ts.is_some()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("something is still being posted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_copied_to_another_message_of_the_war_room_decides_nothing_and_its_own_is_named() {
    let w = World::start().await;
    let approve = asked(&w).await;
    w.until_all_is_named().await;
    let place = on(ROOM, ANOTHER);
    let own = w.card(CHRIS, KEY).unwrap()["ts"].as_str().unwrap().replace('.', "");
    let approve = approve.as_str();
    for (person, button, value) in
        [(CHRIS, "irp.approve", approve), (BEN, "irp.deny", approve), (ANA, "irp.withdraw", "INC-1.1")]
    {
        let answer = w.forged_on(&place, person, button, value).await;
        assert!(answer.starts_with(":no_entry: This message is not the bot's card"), "{answer}");
        assert!(answer.contains(&own) && answer.contains("|It is here.>"), "{button}: {answer}");
    }
    let answer = w.forged_on(&place, DANA, "irp.of_another_version", "INC-1.1").await;
    assert!(answer.contains("not the bot's card") && answer.contains("|It is here.>"), "{answer}");
    let refused = w.refused_for(&Refusal::NotItsCard).await;
    assert_eq!(refused, ["approve", "deny", "withdraw", "press a button that is not known"]);
    assert!(w.says(KEY, "waiting for approval"), "{:#?}", w.texts());
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_without_a_channel_or_a_message_decides_nothing() {
    let w = World::start().await;
    let approve = asked(&w).await;
    let in_a_form = json!({"container": {"type": "view", "view_id": "V1"}});
    for place in [json!({}), in_a_form, json!({"channel": {"id": ROOM}})] {
        let answer = w.forged_on(&place, CHRIS, "irp.approve", &approve).await;
        assert!(answer.contains("not the bot's card"), "{place}: {answer}");
    }
    assert_eq!(w.refused_for(&Refusal::NotItsCard).await, ["approve"; 3]);
    assert!(w.says(KEY, "waiting for approval"), "{:#?}", w.texts());
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_from_another_workspace_decides_nothing() {
    let w = World::start().await;
    let approve = asked(&w).await;
    let ts = w.card(CHRIS, KEY).unwrap()["ts"].as_str().unwrap().to_owned();
    let mut place = on(ROOM, &ts);
    place["team"] = json!({"id": "T0ELSEWHERE"});
    let answer = w.forged_on(&place, CHRIS, "irp.approve", &approve).await;
    assert!(answer.contains("another Slack workspace than the bot's"), "{answer}");
    assert_eq!(w.refused_for(&Refusal::OtherWorkspace).await, ["approve"]);
    assert!(w.says(KEY, "waiting for approval"), "{:#?}", w.texts());
    // The sandbox sends the bot's own along.
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_slack_lets_nobody_edit_any_more_is_still_its_card() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    w.incident().await;
    w.until("the trail has been searched", |w| w.card(ANA, "INC-1 hunt").is_some()).await;
    let old = w.card(ANA, KEY).unwrap()["ts"].as_str().unwrap().to_owned();
    w.slack.close_edit_window(&old);
    w.click(ANA, KEY, "irp.request").await;
    let value = |w: &World| {
        let is_it = |m: &Value| m["text"].as_str().unwrap().starts_with("INC-1 · Deactivate access key");
        let newest = w.messages(ANA).into_iter().rfind(is_it).filter(|newest| newest["ts"] != old.as_str())?;
        let rows = newest["blocks"].as_array()?.iter().filter_map(|block| block["elements"].as_array());
        rows.flatten().find(|button| button["action_id"] == "irp.approve")?["value"].as_str().map(str::to_owned)
    };
    w.until("it is there anew", |w| value(w).is_some()).await;
    // While anything is being posted, more counts.
    w.until_all_is_named().await;
    let answer = w.forged_on(&on(ROOM, &old), CHRIS, "irp.approve", &value(&w).unwrap()).await;
    assert!(answer.contains("is recorded"), "{answer}");
    w.until("it is done", |w| w.account.count("UpdateAccessKey") == 1).await;
    w.end().await;
}
