//! What has gone wrong in other bots and approval systems, each as a test here or elsewhere:
//!
//! | failure | test |
//! | --- | --- |
//! | one way in forgets that nobody approves their own request | `talk::two_people_disable_a_stolen_key`, `approvals::a_second_account_of_the_requester_is_the_requester` |
//! | an administrator is exempt | [`an_administrator_of_the_workspace_is_not_exempt`] |
//! | whoever is in the channel can approve | `approvals::groups_are_asked_at_each_decision_and_fail_closed` |
//! | a refused click uses the request up | `approvals::the_owner_of_the_stolen_key_cannot_decide_and_the_card_says_so` |
//! | arguments change after the approval | `tampered`, `approvals::what_changed_since_is_asked_for_anew_and_the_old_request_gives_way` |
//! | facts are read from the message | [`what_a_message_says_by_now_is_nothing_that_is_done`], [`a_card_in_another_channel_decides_nothing`] |
//! | the side effect comes before the state | `crash::points`, `faults::actions` |
//! | a click after a restart is silent | `faults::store`, `approvals::buttons_of_other_requests_versions_and_incidents_are_told_and_do_nothing` |
//! | a late vote is silent, and cards differ | [`whoever_is_late_hears_who_decided_and_every_card_says_the_same`] |
//! | one clock for deciding and running | [`an_approval_that_could_not_run_in_time_lapses`] |
//! | rights are looked up once | [`an_approver_who_loses_the_right_between_yes_and_call_does_not_count`] |
//! | a target that is new under the old name | `faults::a_target_that_changed_since_is_stale_or_already_done` |
//! | an approval is kept from running by nothing that AWS would refuse | `faults::sessions` |
//! | a quorum that is missing or nought lets everything through | `config::organisation`, `approvals::a_group_that_slack_does_not_know_stops_the_start` |
//! | a way in for emergencies that nobody hears of, and nobody looks at afterwards | `containment::one_person_alone_can_contain_where_the_rules_let_them` |
//! | who has left the group still approves | `groups` |
//! | the wrong target is approved, because its card looks like the others | `containment::one_person_alone_can_contain_where_the_rules_let_them`, `organization::who_is_protected_is_not_denied_from_outside_either` |
//! | one message that fails hides the rest | [`a_card_that_slack_refuses_hides_no_other`] |
//! | nobody can approve, and nobody says so | `approvals::if_nobody_can_approve_everybody_is_told_whom_to_ask` |
//! | green before it is true | `faults::actions` |
//! | a dedup key that closing does not free | `talk::a_closed_incident_takes_no_more_and_frees_its_credential` |
//! | deliveries without signature, or repeated | `doors` |

use chrono::TimeDelta;
use irp::domain::incident::event::Event;
use irp::domain::refusal::Refusal;
use irp_sandbox::aws::{Fault as AwsFault, KeyStatus};
use irp_sandbox::slack::{Fault as SlackFault, UserFlag};

use crate::world::{ANA, BEN, CHRIS, DANA, ROOM, World, send};

const KEY: &str = "· Deactivate access key";
/// The bot's questions to AWS are repeated so often before they count as failed.
const THROTTLED: usize = 3;
const TRIES_IN_VAIN: usize = 4;

async fn asked(w: &World) -> String {
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let card = w.card(ANA, KEY).unwrap();
    let mut elements = card["blocks"].as_array().unwrap().iter().filter_map(|b| b["elements"].as_array()).flatten();
    elements.find(|e| e["action_id"] == "irp.approve").unwrap()["value"].as_str().unwrap().to_owned()
}

/// AWS cannot be read for a while: what is approved waits.
async fn approved_and_waiting(w: &World, approve: &str) {
    // The card is seen before AWS is asked again, however many others are to be posted.
    w.slack.set_rate_limits(false);
    // What a search brings has the incident looked at again, and so tried again; the next one is a minute away.
    w.until("the trail has been searched", |w| w.card(ANA, "INC-1 hunt").is_some()).await;
    // Several tries in vain: whatever else has the incident looked at again, there is time to see it wait.
    for _ in 0..TRIES_IN_VAIN * THROTTLED {
        w.account.fail_next("ListAccessKeys", AwsFault::Throttle);
    }
    let before = w.account.count("ListAccessKeys");
    w.forged_click(CHRIS, "irp.approve", approve).await;
    w.until("AWS is asked in vain", |w| w.account.count("ListAccessKeys") > before).await;
    w.until_card(KEY, ": approved").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_the_workspace_is_not_exempt() {
    let w = World::start().await;
    let approve = asked(&w).await;
    for (person, says) in [(ANA, "You asked for this yourself"), (DANA, "not on the list of approvers")] {
        w.slack.set_user_flag(person, UserFlag::Admin, true);
        let answer = w.forged_click(person, "irp.approve", &approve).await;
        assert!(answer.contains(says), "{answer}");
    }
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_in_another_channel_decides_nothing() {
    let w = World::start().await;
    let approve = asked(&w).await;
    let elsewhere = "C0GENERAL1";
    let log = || async { w.store.load(irp::domain::id::IncidentId::new(1)).await.unwrap() };
    let before = log().await.len();
    for person in [ANA, DANA, CHRIS] {
        w.forged_in(elsewhere, person, "irp.approve", &approve).await;
    }
    while log().await.len() < before + 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let told = log().await;
    let away = told.iter().filter(|r| {
        matches!(&r.event, Event::AttemptRefused { attempt, digest: Some(_), refusal: Refusal::NotItsCard, .. } if attempt == "approve")
    });
    assert_eq!(away.count(), 3, "{told:#?}");
    assert!(w.says(KEY, "waiting for approval"), "{:#?}", w.texts());
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_says_by_now_is_nothing_that_is_done() {
    let w = World::start().await;
    let approve = asked(&w).await;
    let (stolen, other) = (w.stolen_key(), w.account.access_keys("deploy-bot")[1].access_key_id.clone());
    // The card as Slack sends it along, with another key on it wherever there was one.
    let card = w.card(CHRIS, KEY).unwrap().to_string();
    assert!(card.contains(&stolen));
    let edited: serde_json::Value = serde_json::from_str(&card.replace(&stolen, &other)).unwrap();
    let payload = serde_json::json!({
        "type": "block_actions", "user": {"id": CHRIS}, "trigger_id": "edited.1", "channel": {"id": ROOM}, "message": edited,
        "actions": [{"action_id": "irp.approve", "value": approve, "action_ts": "1"}],
    });
    let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let signature = w.slack.sign(&now, &body);
    let headers = [("x-slack-request-timestamp", now.as_str()), ("x-slack-signature", signature.as_str())];
    let url = format!("{}/slack/interactions", w.bot_url);
    assert_eq!(send(&url, &headers, body.into_bytes()).await.0, 200);
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.key_status(&stolen), Some(KeyStatus::Inactive));
    assert_eq!(w.account.key_status(&other), Some(KeyStatus::Active), "what was approved, not what stood there");
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_late_hears_who_decided_and_every_card_says_the_same() {
    let w = World::start().await;
    let approve = asked(&w).await;
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    for (person, says) in [(BEN, "INC-1.1"), (CHRIS, "already recorded")] {
        let answer = w.forged_click(person, "irp.approve", &approve).await;
        assert!(answer.starts_with(":no_entry:") && answer.contains(says), "{answer}");
    }
    for person in [ANA, BEN, CHRIS, DANA] {
        let card = w.card(person, KEY).unwrap()["blocks"].to_string();
        assert!(card.contains("Approved by <@U0APPROVE1>") && !card.contains("irp.approve"), "{card}");
    }
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_could_not_run_in_time_lapses() {
    let w = World::start().await;
    let approve = asked(&w).await;
    approved_and_waiting(&w, &approve).await;
    w.clock.advance(TimeDelta::minutes(6));
    w.until_card(KEY, "lapsed").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.until("it can be asked for again", |w| w.offers(KEY, "irp.request")).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_loses_the_right_between_yes_and_call_does_not_count() {
    let w = World::start().await;
    let approve = asked(&w).await;
    approved_and_waiting(&w, &approve).await;
    w.slack.set_user_flag(CHRIS, UserFlag::Deleted, true);
    w.until_within(std::time::Duration::from_secs(40), "the yes is void", |w| w.offers(KEY, "irp.approve")).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_slack_refuses_hides_no_other() {
    let w = World::start().await;
    w.incident().await;
    w.slack.fail_next("chat.postMessage", SlackFault::Error("restricted_action".into()));
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.until("the result is told", |w| w.notes().iter().any(|n| n.contains("Done and read back from AWS"))).await;
    w.end().await;
}
