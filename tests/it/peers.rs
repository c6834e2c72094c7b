//! What has gone wrong in other bots and approval systems, by the threads in which it was told, and the test here or
//! elsewhere that fails where it would go wrong here:
//!
//! | failure | where | test |
//! | --- | --- | --- |
//! | one way in forgets that nobody approves their own request | windmill #10262, openbao #2241, #1760 | `talk::two_people_disable_a_stolen_key`, `approvals::a_second_account_of_the_requester_is_the_requester`, `rules::sim` |
//! | an administrator is exempt | openbao #1760 | [`an_administrator_of_the_workspace_is_not_exempt`] |
//! | whoever is in the channel can approve | zeroclaw #9387, #9574, forge #311, #315, slack-samples ask #7 | `approvals::a_group_approves_and_nobody_outside_it`, `groups` |
//! | a refused click uses the request up | zeroclaw #9387 | `approvals::the_owner_of_the_stolen_key_cannot_decide_and_the_card_says_so`, `faults::rights_are_looked_up_at_the_click` |
//! | arguments change after the approval, or are not shown whole | AISVS 9.2.2 to 9.2.5 (PR #442), quater #72 | `tampered`, `approval::tests::a_digest_changes_with_everything_that_it_binds`, `long_plans` |
//! | what is only shown is in the digest too | `ShieldCortex` #183 | `approval::tests::a_digest_is_that_of_all_that_stands_in_the_log` (no title and no reason is) |
//! | an approver cannot see what they approve | openbao #3601 | `long_plans::a_long_plan_is_read_as_a_file_and_approved_only_once_that_is_up` |
//! | facts are read from the message | SSO Elevator, caipe #1375 | [`what_a_message_says_by_now_is_nothing_that_is_done`], [`a_card_in_another_channel_decides_nothing`], `copies` |
//! | the side effect comes before the state | autumn #2903, SSO Elevator #212, #47, Sentry #69252 | `crash::points`, `faults::actions` |
//! | a click after a restart is silent | hermes-agent #100408, `OnCall` #5409 | `hangup`, `faults::store`, `approvals::buttons_of_other_requests_versions_and_incidents_are_told_and_do_nothing` |
//! | a late vote is silent, and cards differ or forget who decided | clawpatrol #595, openclaw #48567, teleport #5141, SSO Elevator #51 | [`whoever_is_late_hears_who_decided_and_every_card_says_the_same`] |
//! | one clock for deciding and running | teleport #14040, #16202, #50011 | [`an_approval_that_could_not_run_in_time_lapses`] |
//! | rights are looked up once | teleport | [`an_approver_who_loses_the_right_between_yes_and_call_does_not_count`] |
//! | a target that is new under the old name | Google Ads API `STALE_MULTI_PARTY_AUTH_REQUEST` | `faults::a_target_that_changed_since_is_stale_or_already_done` |
//! | a quorum that is missing or nought lets everything through | openbao #3666, ONTAP 262312, 262313 | `config::organisation`, `approvals::a_group_that_slack_does_not_know_stops_the_start` |
//! | groups are matched by name, people by what they call themselves | openbao #3815, teleport #68069, conductai #1464 | `config::organisation`, `groups`, `approvals::a_second_account_of_the_requester_is_the_requester` |
//! | nobody can approve, and nobody says so | SSO Elevator #175, TEAM #356 | `approvals::if_nobody_can_approve_everybody_is_told_whom_to_ask`, `approvals::approvers_who_have_left_the_workspace_are_nobody_to_wait_for` |
//! | a way in for emergencies that nobody hears of, and nobody looks at afterwards | SSO Elevator #114, TEAM #475, Infisical #7930 | `containment::one_person_alone_can_contain_where_the_rules_let_them`, `containment::whoever_decides_on_some_of_what_was_asked_for_together_is_heard_of_like_on_all` |
//! | a Slack account in other hands approves | teleport #61094, #52348, docs #27940, teleport-plugins #196 | `approvals::this_was_not_me_stops_everything_until_the_lead_and_another_lift_it`, `faults::sessions` |
//! | the wrong target is approved, because its card looks like the others | SSO Elevator #154 | [`the_last_thing_that_an_approver_reads_names_the_target_and_the_account`], `organization::who_is_protected_is_not_denied_from_outside_either` |
//! | deliveries without signature, or repeated; addresses in them are fetched | `FireFighter` #300 | `doors`, `adapters::slack` (`answers_go_to_slack_only`) |
//! | a dedup key that closing does not free | `FireFighter` #321 | `talk::a_closed_incident_takes_no_more_and_frees_its_credential` |
//! | one message that fails hides the rest | `FireFighter` #297, Dispatch #1729, #794 | [`a_card_that_slack_refuses_hides_no_other`] |
//! | Slack's limits are met in production, or one unknown field loses everything | Dispatch #6049, #5770, `FireFighter` #247, SSO Elevator #46, teleport #6120 | `long_plans`, `browser`, `intake::slack` (`strange_deliveries…`), every test through the sandbox's `invalid_blocks` |
//! | green before it is true | TEAM #398, guardian #300 | `faults::actions`, `identity_center`, `rules::model` |
//! | the history is gone after the expiry, or can be edited | teleport #68308, #16301 | `pack`, `tampered` |
//! | something is written after closing | Playbooks #2278 | `talk::a_closed_incident_takes_no_more_and_frees_its_credential`, `rules::sim` |
//!
//! Not taken over: a second factor at the click (Dispatch, teleport): an approval binds two people, each gets a receipt,
//! and AWS itself confines what runs. Reminders before a request expires (SSO Elevator): fifteen minutes are too short.
//! A target that approvers type (SSO Elevator #154): Slack's own question before *Approve* counts names it; it is typed where one
//! person runs something alone. A time by which the next update is due (Playbooks #833): the cards and the thread say what
//! has changed as it changes, and nobody has to write it.

use chrono::TimeDelta;
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::incident::outcome::Outcome;
use irp::domain::refusal::Refusal;
use irp::intake::pressed::Pressed;
use irp::intake::slack::{Act, Click, Inbound};
use irp::intake::slash::Slash;
use irp::ports::{Lane, ReplyTo};
use irp_sandbox::aws::{Fault as AwsFault, KeyStatus};
use irp_sandbox::slack::{Fault as SlackFault, UserFlag};

use crate::world::{ANA, BEN, CHRIS, DANA, ROOM, World, send};

pub(crate) const KEY: &str = "· Deactivate access key";
/// The bot's questions to AWS are repeated so often before they count as failed.
const THROTTLED: usize = 3;
const TRIES_IN_VAIN: usize = 4;

/// A request that waits, and what its *Approve* carries.
pub(crate) async fn asked(w: &World) -> String {
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
async fn the_last_thing_that_an_approver_reads_names_the_target_and_the_account() {
    let w = World::start().await;
    asked(&w).await;
    let card = w.card(CHRIS, KEY).unwrap();
    let rows = card["blocks"].as_array().unwrap().iter().filter_map(|block| block["elements"].as_array());
    let approve = rows.flatten().find(|button| button["action_id"] == "irp.approve").unwrap();
    let question = &approve["confirm"];
    assert_eq!(question["title"]["text"], "Approve INC-1.1?");
    let reads = question["text"]["text"].as_str().unwrap();
    for part in
        [&*w.stolen_key(), "user deploy-bot", "in account 111122223333", "runs at once", "cannot be undone here"]
    {
        assert!(reads.contains(part), "{part}: {reads}");
    }
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_in_another_channel_decides_nothing() {
    let w = World::start().await;
    let approve = asked(&w).await;
    let elsewhere = "C0GENERAL1";
    for person in [ANA, DANA, CHRIS] {
        w.forged_in(elsewhere, person, "irp.approve", &approve).await;
    }
    w.until_happened(3, |event| matches!(event, Event::AttemptRefused { .. })).await;
    let told = w.store.load(IncidentId::new(1)).await.unwrap();
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
async fn a_click_that_was_kept_for_too_long_is_not_carried_out_late() {
    let w = World::start().await;
    let approve = asked(&w).await;
    let (request, digest) = approve.split_once(' ').unwrap();
    let click = Click::Approve { request: request.parse().unwrap(), digest: digest.to_owned() };
    let kept = |act: Act| Inbound {
        reply: ReplyTo {
            user: CHRIS.parse().unwrap(),
            response_url: None,
            channel: Some(ROOM.parse().unwrap()),
            thread_ts: None,
        },
        trigger_id: None,
        act,
        pressed: Pressed::default(),
        received_at_ms: (w.clock.now() - TimeDelta::seconds(61)).timestamp_millis(),
    };
    let close = Slash::Close {
        incident: Some(IncidentId::new(1)),
        outcome: Some(Outcome::FalsePositive),
        note: "all is well".into(),
    };
    let acts = [("a click", Act::Click(click)), ("a mention", Act::Mention), ("a command", Act::Command(close))];
    for (key, act) in acts {
        let before = w.told(CHRIS).len();
        w.store.put(Lane::Slack, key, &serde_json::to_string(&kept(act)).unwrap()).await.unwrap();
        let told = w.next_told(CHRIS, before).await;
        assert!(told.contains("could not be handled in time"), "{key}: {told}");
    }
    let log = w.store.load(IncidentId::new(1)).await.unwrap();
    let late = log.iter().filter_map(|record| match &record.event {
        Event::AttemptRefused { attempt, refusal: Refusal::HandledTooLate, .. } => Some(attempt.as_str()),
        _ => None,
    });
    assert_eq!(late.collect::<Vec<_>>(), ["approve", "close"], "on record, and not carried out: {log:#?}");
    assert!(w.says(KEY, "waiting for approval"), "{:#?}", w.texts());
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
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
    for (person, says) in [(BEN, "approved by <@U0APPROVE1> at 20"), (CHRIS, "already recorded")] {
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
