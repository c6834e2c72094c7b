//! Conversations: what people do in Slack, and what they see.

use std::sync::Arc;

use irp::adapters::redis::RedisStore;
use irp::domain::incident::event::Event;
use irp_sandbox::aws::KeyStatus;
use irp_sandbox::slack::{ApiCall, Fault as SlackFault, UserFlag};
use serde_json::{Value, json};

use crate::redis_proxy::{Loss, RedisProxy};
use crate::redis_server::{RedisServer, seal};
use crate::world::{ANA, BEN, CHRIS, DANA, KIM, ROOM, World};

mod again;

const KEY: &str = "Deactivate access key";
const SSO_ROLE: &str = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";
const SESSIONS: &str = "Revoke all sessions minted";

#[tokio::test(flavor = "multi_thread")]
async fn two_people_disable_a_stolen_key() {
    let w = World::start().await;
    w.incident().await;
    let key = w.stolen_key();
    let announcement = w.card(ANA, "stolen AWS credential").unwrap();
    assert!(announcement["text"].as_str().unwrap().contains(&key), "the key is shown whole");
    assert!(!announcement["blocks"].to_string().contains("<!channel>"), "nothing from outside can shout");

    let answer = w.click(ANA, KEY, "irp.request").await;
    assert!(answer.contains("INC-1.1 is recorded in your name"), "{answer}");
    assert!(answer.contains("You lead INC-1"), "{answer}");
    w.until_card(KEY, "waiting for approval").await;
    let card = w.card(CHRIS, KEY).unwrap()["blocks"].to_string();
    for shown in ["iam:UpdateAccessKey", "UserName = deploy-bot", "Status = Inactive", key.as_str()] {
        assert!(card.contains(shown), "{shown} is on the card");
    }
    let digest = card.split("INC-1.1 ").find_map(|rest| rest.split('"').next().filter(|d| d.len() == 12));
    let said = format!("(digest `{}`)", digest.expect("its buttons carry the digest"));
    w.until("the note names the digest", |w| w.notes().iter().any(|n| n.contains(&said))).await;

    let answer = w.click(ANA, KEY, "irp.approve").await;
    assert!(answer.contains("You asked for this yourself"), "{answer}");
    let answer = w.click(DANA, KEY, "irp.approve").await;
    assert!(answer.contains("not on the list of approvers"), "{answer}");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);

    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("Your approval of INC-1.1 is recorded"), "{answer}");
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    assert_eq!(w.account.key_status(&key), Some(KeyStatus::Inactive));
    let call = w.account.calls().into_iter().find(|c| c.operation == "UpdateAccessKey").unwrap();
    assert!(call.caller_arn.unwrap_or_default().contains("irp-contain/INC-1.1"), "the session carries the request");
    w.until("the result is told", |w| w.notes().iter().any(|n| n.contains("Done and read back from AWS"))).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_revoked_and_the_revocation_is_undone() {
    let w = World::start().await;
    w.incident().await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    let policy = w.account.user_inline_policy("deploy-bot", "AWSRevokeOlderSessions").unwrap();
    assert!(policy.contains("aws:TokenIssueTime") && !policy.contains("{cut-off}"), "{policy}");

    w.click(ANA, SESSIONS, "irp.undo").await;
    w.until_card("Undo INC-1.1", "waiting for approval").await;
    let undo = |w: &World| w.card(BEN, "Undo INC-1.1").unwrap()["blocks"].to_string();
    assert!(undo(&w).contains("Sessions from before the cut-off work again"), "{}", undo(&w));
    w.click(BEN, "Undo INC-1.1", "irp.approve").await;
    w.until_card("Undo INC-1.1", "carried out and verified").await;
    assert!(!undo(&w).contains("large_green_circle"), "what lets somebody in again is not green: {}", undo(&w));
    assert_eq!(w.account.user_inline_policy("deploy-bot", "AWSRevokeOlderSessions"), None);
    w.until_card(SESSIONS, "undone by INC-1.2").await;
    let card = w.card(ANA, SESSIONS).unwrap()["blocks"].to_string();
    assert!(card.contains("Undone by INC-1.2") && !card.contains("large_green_circle"), "{card}");

    // Once more, both ways: what has been undone can be done again, and undone again.
    w.carry_out(SESSIONS, ANA, BEN).await;
    w.click(ANA, SESSIONS, "irp.undo").await;
    w.until_card("Undo INC-1.3", "waiting for approval").await;
    w.click(BEN, "Undo INC-1.3", "irp.approve").await;
    w.until_card("Undo INC-1.3", "carried out and verified").await;
    assert_eq!(w.account.user_inline_policy("deploy-bot", "AWSRevokeOlderSessions"), None);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_can_be_revoked_again_and_must_be_when_the_key_was_still_active() {
    let w = World::start().await;
    w.incident().await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    w.carry_out(KEY, ANA, BEN).await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("Containment") && status.contains("was not off yet when they were revoked"), "{status}");
    w.until("it can be done again", |w| w.offers(SESSIONS, "irp.request")).await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    assert_eq!(w.account.count("PutUserPolicy"), 2);
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("· Contained as far as known, not proven ·"), "{status}");
    w.until("the evidence is read again", |w| {
        w.card(ANA, "evidence").is_some_and(|m| m["blocks"].to_string().contains("*Inactive*"))
    })
    .await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_leaves_another_incidents_revocation_alone() {
    let w = World::start().await;
    w.incident().await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    let theirs = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],
        "Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}]}"#;
    w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(theirs));
    let answer = w.click(ANA, SESSIONS, "irp.undo").await;
    assert!(answer.contains("no longer the one that INC-1.1 has put there"), "{answer}");
    assert_eq!(w.account.count("DeleteUserPolicy"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_key_is_never_switched_on_again() {
    let w = World::start().await;
    w.incident().await;
    w.carry_out(KEY, ANA, CHRIS).await;
    let card = w.card(ANA, KEY).unwrap()["blocks"].to_string();
    assert!(card.contains("Cannot be undone here") && card.contains("never switched on again"), "{card}");
    assert!(!w.offers(KEY, "irp.undo"), "no button that only says no");
    // Whoever makes up the click gets the reason too.
    let step = format!("INC-1 deactivate-access-key.{}", w.stolen_key());
    let answer = w.forged_click(ANA, "irp.undo", &step).await;
    assert!(answer.contains("never switched on again"), "{answer}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_needs_a_reason_and_ends_the_request() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let modal = w.form(CHRIS, KEY, "irp.deny").await;
    let shown = modal.to_string();
    assert!(shown.contains("*Deactivate access key") && !shown.contains("more that go with it"), "{shown}");
    let id = modal["id"].as_str().unwrap();
    assert!(w.slack.submit_view(CHRIS, id, &json!({})).await.is_err(), "an empty reason is not taken");
    let before = w.told(CHRIS).len();
    w.slack.submit_view(CHRIS, id, &json!({"reason": {"reason": "CI needs it until noon"}})).await.unwrap();
    w.next_told(CHRIS, before).await;
    w.until_card(KEY, "denied by").await;
    w.until("the reason is told", |w| w.notes().iter().any(|n| n.contains("CI needs it until noon"))).await;
    assert!(w.offers(KEY, "irp.request"), "it can be asked for again");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.click(BEN, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let card = w.card(CHRIS, KEY).unwrap()["blocks"].to_string();
    assert!(card.contains("Denied before by <@U0APPROVE1>") && card.contains("CI needs it until noon"), "{card}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_one_finding_and_findings_of_one_key_make_one_incident() {
    let w = World::start().await;
    w.incident().await;
    for (delivery, finding) in [("e-1", "f-1"), ("e-2", "f-1"), ("e-3", "f-2")] {
        assert_eq!(w.alert(&w.finding(delivery, finding)).await, 202);
    }
    w.until("both findings are counted", |w| {
        w.card(ANA, "stolen AWS credential").is_some_and(|m| m["blocks"].to_string().contains("2 findings"))
    })
    .await;
    assert_eq!(w.store.open_incidents(10).await.unwrap().len(), 1);
    let answer = w.command(ANA, &format!("/irp open {}", w.stolen_key())).await;
    assert!(answer.contains("INC-1 is already open"), "{answer}");
    w.command(BEN, &format!("/irp open {} seen in a build log", w.stolen_key())).await;
    w.until("what was reported is told", |w| w.notes().iter().any(|n| n.contains("seen in a build log"))).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_finding_is_marked_and_offers_nothing() {
    let w = World::start().await;
    let mut sample = w.finding("e-1", "f-1");
    sample["detail"]["service"]["additionalInfo"] = json!({"sample": true});
    assert_eq!(w.alert(&sample).await, 202);
    w.until("the steps are there", |w| w.card(ANA, KEY).is_some()).await;
    assert!(w.card(ANA, "SAMPLE").is_some());
    assert!(!w.offers(KEY, "irp.request"));
    assert_eq!(w.alert(&w.finding("e-2", "f-1")).await, 202);
    w.until("the real one is its own", |w| w.card(ANA, "INC-2").is_some()).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_answer_whatever_is_typed() {
    let w = World::start().await;
    assert!(w.command(DANA, "/irp list").await.contains("No incident is open"));
    assert!(w.command(DANA, "/irp opne").await.contains("There is no command “opne”"));
    let answer = w.command(ANA, "/irp open wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").await;
    assert!(answer.contains("treat it as leaked") && !answer.contains("wJalr"), "{answer}");
    let answer = w.command(DANA, &format!("/irp open {}", w.stolen_key())).await;
    assert!(answer.contains("Only responders"), "{answer}");
    let answer = w.command(ANA, &format!("/irp open {}", w.stolen_key())).await;
    assert!(answer.contains("INC-1 is open"), "{answer}");
    w.until("the steps are there", |w| w.card(ANA, KEY).is_some()).await;
    assert!(w.command(DANA, "/irp status").await.contains("Deactivate access key"));
    assert!(w.command(DANA, "/irp status 7").await.contains("INC-7 does not exist"));
    w.command(ANA, "/irp open AKIAIOSFODNN7EXAMPLE").await;
    let answer = w.command(DANA, "/irp status").await;
    assert!(answer.starts_with("Which one?") && answer.contains("*INC-1*") && answer.contains("*INC-2*"), "{answer}");
    assert!(answer.contains("no lead"), "{answer}");
    w.slack.set_user_flag(KIM, UserFlag::Restricted, true);
    assert!(
        w.command(KIM, "/irp list").await.contains("Guests see what is posted in the channels"),
        "guests see what is posted, and no more"
    );
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn since_when_a_key_is_stolen_is_said_as_it_is_opened_and_corrected_later() {
    let w = World::start().await;
    let answer = w.command(ANA, &format!("/irp open {} since 3h a public repo", w.stolen_key())).await;
    assert!(answer.contains("INC-1 is open") && answer.contains("compromise time is set to"), "{answer}");
    let answer = w.command(BEN, "/irp since INC-1 2d the commit with the key").await;
    assert!(answer.contains("compromise time of INC-1 is set to"), "{answer}");
    let answer = w.command(ANA, &format!("/irp open {} since 5h a bill", w.stolen_key())).await;
    assert!(answer.contains("was set before") && answer.contains("and stays"), "{answer}");
    let answer = w.command(ANA, "/irp since INC-1 2099-01-01 10:00 a guess").await;
    assert!(answer.contains("cannot be after now"), "{answer}");
    let records = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    let said = records.iter().filter_map(|record| match &record.event {
        Event::CompromiseTimeSet { by, basis, .. } => Some((by.as_str(), basis.as_str())),
        _ => None,
    });
    let said: Vec<(&str, &str)> = said.collect();
    assert_eq!(said, [(ANA, "a public repo"), (BEN, "the commit with the key")]);
    let modal = w.form_of_command(ANA, "/irp since INC-1").await;
    assert!(modal.to_string().contains("When was it likely stolen?"), "{modal}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_opens_an_incident_for_a_role_and_names_who_else_uses_it() {
    let w = World::start().await;
    let modal = w.form_of_command(ANA, "/irp open").await;
    let id = modal["id"].as_str().unwrap();
    let fill = |credential: &str| {
        json!({"credential": {"credential": credential}, "severity": {"severity": "critical"},
               "note": {"note": "seen in a build log"}})
    };
    let errors = w.slack.submit_view(ANA, id, &fill("group/admins")).await.unwrap_err();
    assert!(errors["errors"]["credential"].is_string(), "{errors}");
    w.slack.submit_view(ANA, id, &fill("arn:aws:iam::111122223333:role/app-deploy")).await.unwrap();
    w.until("the role's step is there", |w| w.card(ANA, "· Revoke all older sessions of role app-deploy").is_some())
        .await;
    w.until("the card names who else uses it", |w| {
        let card = w.card(ANA, "· Revoke all older sessions").unwrap()["blocks"].to_string();
        card.contains("release-bot") && card.contains("Lambda function app-worker")
    })
    .await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_aws_can_change_is_refused_with_what_to_do_instead() {
    let w = World::start().await;
    let roles = [("AWSServiceRoleForSupport", "UnmodifiableEntity"), (SSO_ROLE, "identitystore:userId")];
    for (i, (role, instead)) in roles.into_iter().enumerate() {
        assert!(w.account.role_id(role).is_some(), "{role} is in the account");
        let modal = w.form_of_command(ANA, "/irp open").await;
        let values = json!({"credential": {"credential": format!("role/{role}")}, "account": {"account": "111122223333"},
                            "severity": {"severity": "high"}});
        w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &values).await.unwrap();
        let card = format!("INC-{} ·", i + 1);
        w.until("its card is there", |w| w.card(ANA, &card).is_some()).await;
        let blocks = w.card(ANA, &card).unwrap()["blocks"].to_string();
        assert!(blocks.contains(instead) && !blocks.contains("irp.request"), "{blocks}");
    }
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_incident_takes_no_more_and_frees_its_credential() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let answer = w.command(ANA, "/irp close INC-1 resolved").await;
    assert!(answer.contains("containment is not done") && answer.contains(KEY), "{answer}");
    let modal = w.form(ANA, "stolen AWS credential", "irp.close").await;
    assert!(modal["blocks"].to_string().contains("Not in force"), "{modal}");
    let answer = w.command(ANA, "/irp close INC-1 false-positive our own scanner").await;
    assert!(answer.contains("Closed INC-1"), "{answer}");
    w.until("the announcement says so", |w| w.card(ANA, "Closed").is_some()).await;
    w.until_card(KEY, "cancelled").await;
    assert!(!w.offers(KEY, "irp.request"));
    let answer = w.command(CHRIS, "/irp close INC-1 resolved").await;
    assert!(answer.contains("INC-1 is closed"), "{answer}");
    // A card from before has the button still, and who presses it is on record.
    let answer = w.forged_click(BEN, "irp.close", "INC-1").await;
    assert!(answer.contains("INC-1 is closed"), "{answer}");
    let records = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    let last = records.last().unwrap();
    assert!(
        matches!(&last.event, Event::AttemptRefused { by, attempt, .. } if by.as_str() == BEN && attempt == "close"),
        "{:?}",
        last.event
    );
    assert_eq!(w.alert(&w.finding("e-9", "f-1")).await, 202);
    w.until("a new incident opens", |w| w.card(ANA, "INC-2").is_some()).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn socket_mode_carries_the_same_conversation() {
    let w = World::start_with_sockets().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.slack.disconnect_sockets();
    w.until("it comes again", |w| w.slack.sockets() > 0).await;
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_slack_is_about_to_end_is_replaced_before() {
    let w = World::start_with_sockets().await;
    // Long enough to type a command meanwhile, and half of what the first has left.
    w.slack.fail_next("apps.connections.open", SlackFault::RateLimited { retry_after_s: 5 });
    w.slack.warn_sockets();
    // Until there is another it goes on carrying.
    assert!(w.command(ANA, "/irp help").await.contains("/irp open"));
    assert_eq!(w.slack.sockets(), 1);
    w.until("another is open beside it", |w| w.slack.sockets() == 2).await;
    for _ in 0..4 {
        assert!(w.command(ANA, "/irp help").await.contains("/irp open"), "whichever of the two it comes over");
    }
    w.until("the first is ended", |w| w.slack.sockets() == 1).await;
    assert!(w.command(ANA, "/irp help").await.contains("/irp open"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_socket_nobody_waits_until_what_others_do_is_kept() {
    let server = RedisServer::start();
    let proxy = RedisProxy::start(&server.url()).await;
    let store = RedisStore::connect(proxy.url(), "the bot", seal()).await.unwrap();
    let w = World::start_with(true, Some(Arc::new(store))).await;
    w.until("the socket is open", |w| w.slack.sockets() > 0).await;
    assert!(w.command(ANA, "/irp help").await.contains("/irp open"));
    let people = [ANA, BEN, CHRIS, DANA];
    for _ in people {
        proxy.lose(":seen:", Loss::Command);
    }
    // Nothing can be kept. One after the other that would take a second each, and Slack gives up after three.
    let typed = people.map(|person| w.slack.command(person, ROOM, "/irp help"));
    let answers = futures_util::future::join_all(typed).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    for person in people {
        let told = w.told(person).pop().unwrap();
        assert!(told.contains("store does not answer"), "{person}: {told}");
    }
    proxy.forget();
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clicks_at_once_make_one_call_and_each_gets_an_answer() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let people = [ANA, BEN, CHRIS, DANA];
    let before: Vec<usize> = people.iter().map(|p| w.told(p).len()).collect();
    let clicks = (0..40).map(|i| w.press(people[i % 4], KEY, "irp.approve"));
    futures_util::future::join_all(clicks).await;
    w.until("every click is answered", |w| {
        people.iter().zip(&before).all(|(p, before)| w.told(p).len() == before + 10)
    })
    .await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stands_where_the_button_is() {
    let w = World::start().await;
    w.incident().await;
    let announcement = w.card(ANA, "stolen AWS credential").unwrap();
    let thread = announcement["ts"].clone();
    let place_of = |says: &str| {
        let says = |m: &Value| m["ephemeral"] == true && m["text"].as_str().unwrap().contains(says);
        w.messages(ANA).into_iter().find(says).unwrap()["thread_ts"].clone()
    };
    w.click(ANA, "stolen AWS credential", "irp.lead").await;
    assert!(place_of("You lead INC-1 now").is_null(), "the announcement is read in the channel");
    w.click(ANA, KEY, "irp.request").await;
    assert_eq!(place_of("is recorded in your name"), thread);
    w.until_card(KEY, "waiting for approval").await;
    // What the thread does not take comes by the other way.
    w.slack.fail_next("chat.postEphemeral", SlackFault::Error("channel_not_found".into()));
    let answer = w.click(ANA, KEY, "irp.approve").await;
    assert!(answer.contains("You asked for this yourself"), "{answer}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_cannot_be_edited_is_posted_anew_and_each_content_once() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    w.incident().await;
    for _ in 0..1_000 {
        w.slack.fail_next("chat.update", SlackFault::Error("edit_window_closed".into()));
    }
    w.click(ANA, KEY, "irp.request").await;
    let newest = |w: &World| {
        let is_it = |m: &Value| m["text"].as_str().unwrap().starts_with("INC-1 · Deactivate access key");
        w.messages(ANA).into_iter().rfind(is_it).unwrap()["blocks"].to_string()
    };
    w.until("it is there anew, with its buttons", |w| newest(w).contains("\"irp.approve\"")).await;
    let is_post = |call: &ApiCall| call.method == "chat.postMessage" && call.outcome.is_ok();
    let calls: Vec<ApiCall> = w.slack.journal().into_iter().filter(is_post).collect();
    let content = |call: &ApiCall| format!("{} {} {}", call.args["metadata"], call.args["text"], call.args["blocks"]);
    let posts: Vec<String> = calls.iter().map(content).collect();
    let contents: std::collections::BTreeSet<&String> = posts.iter().collect();
    assert_eq!(contents.len(), posts.len(), "no content is posted twice: {posts:#?}");
    let slot_of = |call: &ApiCall| call.args["metadata"]["event_payload"]["slot"].as_str().map(str::to_owned);
    let decided_on = |slot: &String| slot.starts_with("step:") || slot.starts_with("burst");
    let others: Vec<String> = calls.iter().filter_map(slot_of).filter(|slot| !decided_on(slot)).collect();
    let slots: std::collections::BTreeSet<&String> = others.iter().collect();
    assert!(slots.iter().any(|slot| *slot == "announcement"), "{others:?}");
    assert_eq!(slots.len(), others.len(), "what nobody decides on calls people once: {others:?}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_can_no_longer_be_edited_is_not_taken_for_the_one_in_its_place() {
    // Whether the new one came through or not, nothing is heard of it.
    let loses = async |fault: SlackFault| {
        let w = World::start().await;
        w.slack.set_rate_limits(false);
        w.incident().await;
        // What else is posted by itself is there.
        w.until("the trail has been searched", |w| w.card(ANA, "INC-1 hunt").is_some()).await;
        w.slack.close_edit_window(w.card(ANA, KEY).unwrap()["ts"].as_str().unwrap());
        w.slack.fail_next("chat.postMessage", fault);
        w.click(ANA, KEY, "irp.request").await;
        let copies = |w: &World| -> Vec<Value> {
            let is_it = |m: &Value| m["text"].as_str().unwrap().starts_with("INC-1 · Deactivate access key");
            w.messages(ANA).into_iter().filter(is_it).collect()
        };
        let looked = |w: &World| w.slack.journal().iter().any(|call| call.method == "conversations.replies");
        w.until("the bot looks whether it was posted", looked).await;
        let newest = |w: &World| copies(w).pop().unwrap();
        let value = |w: &World| {
            let blocks = newest(w)["blocks"].as_array().cloned().unwrap_or_default();
            let mut buttons = blocks.iter().filter_map(|block| block["elements"].as_array()).flatten();
            let approve = buttons.find(|button| button["action_id"] == "irp.approve")?;
            approve["value"].as_str().map(str::to_owned)
        };
        w.until("it is there, with its buttons", |w| value(w).is_some()).await;
        w.forged_click(CHRIS, "irp.approve", &value(&w).unwrap()).await;
        let is_done = |w: &World| newest(w)["text"].as_str().unwrap().contains("carried out and verified");
        w.until("the newest says what has become of it", is_done).await;
        assert_eq!(copies(&w).len(), 2, "the old one and the one in its place: {:#?}", w.texts());
        w.end().await;
    };
    tokio::join!(loses(SlackFault::PostThenHang), loses(SlackFault::Status(503)));
}
