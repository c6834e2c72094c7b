//! Plans that are too long for a card: read as a file, and approved only then.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use irp::domain::incident::evolve::fold;
use irp_sandbox::slack::Fault;
use serde_json::{Value, json};

use crate::world::{ANA, BEN, CHRIS, ORGANISATION, ROOM, World};

const ALL: &str = "Contain everything at once";
const KEY: &str = "· Deactivate access key";
const SESSIONS: &str = "· Revoke all sessions minted";
const REVOKED: &str = "AWSRevokeOlderSessions";

/// A policy as people write them: with so many statements, on many lines.
fn policy(statements: usize) -> String {
    let statement = |n: usize| {
        json!({"Sid": format!("Statement{n}"), "Effect": "Deny", "Action": ["s3:DeleteObject"],
               "Resource": [format!("arn:aws:s3:::a-bucket-with-a-long-name-{n}/*")]})
    };
    let statements: Vec<Value> = (0..statements).map(statement).collect();
    serde_json::to_string_pretty(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn compact(document: &str) -> String {
    serde_json::from_str::<Value>(document).unwrap().to_string()
}

fn blocks(w: &World, card: &str) -> String {
    w.card(ANA, card).unwrap()["blocks"].to_string()
}

/// What *Deny* carries: request and digest, as *Approve* would.
fn value(w: &World, card: &str) -> String {
    let card = w.card(ANA, card).unwrap();
    let rows = card["blocks"].as_array().unwrap().iter().filter_map(|b| b["elements"].as_array());
    rows.flatten().find(|e| e["action_id"] == "irp.deny").unwrap()["value"].as_str().unwrap().to_owned()
}

async fn read(url: &str) -> String {
    let request = http::Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_plan_is_read_as_a_file_and_approved_only_once_that_is_up() {
    let w = World::start().await;
    let existing = policy(60);
    w.account.put_user_policy_directly("deploy-bot", REVOKED, Some(&existing));
    w.slack.set_scope("files:write", false);
    w.incident().await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until("the card says what is wrong and how to go on", |w| {
        let card = blocks(w, SESSIONS);
        card.contains("missing_scope") && card.contains("withdraw it and do it by hand")
    })
    .await;
    for button in ["irp.approve", "irp.break_glass"] {
        assert!(!w.offers(SESSIONS, button), "{button}");
    }
    for button in ["irp.deny", "irp.withdraw", "irp.cancel"] {
        assert!(w.offers(SESSIONS, button), "{button}");
    }
    let approve = value(&w, SESSIONS);
    let told = w.forged_click(BEN, "irp.approve", &approve).await;
    assert!(told.contains("The plan of INC-1.1 is too long for its card"), "{told}");
    assert_eq!((w.slack.files(), w.account.count("PutUserPolicy")), (vec![], 0));

    w.slack.set_scope("files:write", true);
    w.until("it can be approved", |w| w.offers(SESSIONS, "irp.approve")).await;
    let files = w.slack.files();
    let [file] = &files[..] else { panic!("one file: {files:#?}") };
    let incident = fold(&w.store.load("INC-1".parse().unwrap()).await.unwrap()).unwrap();
    let request = incident.requests.values().next().unwrap();
    let (digest, restored) = (request.digest.to_string(), compact(&existing));
    for part in ["INC-1.1", &digest, "iam:PutUserPolicy", "UserName = deploy-bot", "{cut-off} = ", "Undo:", &restored] {
        assert!(file.content.contains(part), "{part} is in the file: {}", file.content);
    }
    assert_eq!(file.name, "INC-1.1-plan.txt");
    let announcement = w.card(ANA, "stolen AWS credential").unwrap();
    assert_eq!(file.thread_ts.as_deref(), announcement["ts"].as_str());
    let message = w.messages(CHRIS).into_iter().find(|m| m["files"][0]["name"] == "INC-1.1-plan.txt").unwrap();
    let address = message["files"][0]["permalink"].as_str().unwrap();
    assert!(blocks(&w, SESSIONS).contains(address), "the card leads to it");
    assert_eq!(read(address).await, file.content);

    w.click(BEN, SESSIONS, "irp.approve").await;
    w.until_card(SESSIONS, "carried out and verified").await;
    assert_eq!(w.account.count("PutUserPolicy"), 1);

    // Putting the old one back is as long, and more than AWS takes: what to do by hand is in the file too.
    w.click(ANA, SESSIONS, "irp.undo").await;
    w.until("the undo can be approved", |w| w.offers("Undo INC-1.1", "irp.approve")).await;
    assert_eq!(w.slack.files().len(), 2);
    w.click(BEN, "Undo INC-1.1", "irp.approve").await;
    w.until_card("Undo INC-1.1", "it failed").await;
    assert!(blocks(&w, "Undo INC-1.1").contains("make the calls in the file"), "{}", blocks(&w, "Undo INC-1.1"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_together_shares_a_file_and_an_upload_that_fails_is_tried_again() {
    let w = World::start().await;
    w.attacker_takes("app-deploy").await;
    // Each fits on a card of its own, and all of them do not.
    w.account.put_user_policy_directly("deploy-bot", REVOKED, Some(&policy(24)));
    w.account.put_role_policy_directly("app-deploy", REVOKED, Some(&policy(25)));
    w.incident().await;
    w.until_card(ALL, "3 steps, not asked for yet").await;
    w.slack.fail_next("upload", Fault::Status(503));
    w.click(ANA, ALL, "irp.request_all").await;
    w.until("the card says so", |w| blocks(w, ALL).contains("the upload: HTTP 503")).await;
    assert!(!w.offers(ALL, "irp.approve") && w.offers(ALL, "irp.deny"));
    let told = w.forged_click(BEN, "irp.approve", &value(&w, ALL)).await;
    assert!(told.contains("too long for its card"), "{told}");

    w.until("it can be approved", |w| w.offers(ALL, "irp.approve")).await;
    let files = w.slack.files();
    let [file] = &files[..] else { panic!("one file: {files:#?}") };
    let (user, role) = (compact(&policy(24)), compact(&policy(25)));
    for part in ["INC-1.1", "INC-1.2", "INC-1.3", "Status = Inactive", &user, &role] {
        assert!(file.content.contains(part), "{part} is in the file: {}", file.content);
    }
    w.click(BEN, ALL, "irp.approve").await;
    w.until_card(ALL, "3 of 3 in force").await;
    assert_eq!(w.slack.files().len(), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_slack_refuses_keeps_nobody_from_hearing_what_one_person_alone_has_let_run() {
    let rules = format!("{ORGANISATION}\n[break_glass]\npeople = [\"{ANA}\"]\n");
    let w = World::start_with_rules(&rules).await;
    w.account.put_user_policy_directly("deploy-bot", REVOKED, Some(&policy(60)));
    w.slack.set_scope("files:write", false);
    w.incident().await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until("the file is refused", |w| blocks(w, SESSIONS).contains("missing_scope")).await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let modal = w.form(ANA, KEY, "irp.break_glass").await;
    let filled = json!({"target": {"target": w.stolen_key()}, "reason": {"reason": "nobody answers"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    w.until_card(KEY, "carried out and verified").await;
    for person in [BEN, CHRIS] {
        w.until("everybody is told", |w| {
            w.receipts(person).iter().any(|m| m["text"].as_str().unwrap().contains("broke the glass"))
        })
        .await;
    }
    assert!(w.offers(SESSIONS, "irp.deny") && w.slack.files().is_empty());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_slack_refuses_keeps_nobody_who_is_not_in_the_room_from_being_asked_of_all_else() {
    let asks = |w: &World| -> Vec<String> {
        w.told(CHRIS).into_iter().filter(|text| text.contains("You can decide on it")).collect()
    };
    let w = World::start().await;
    w.account.put_user_policy_directly("deploy-bot", REVOKED, Some(&policy(60)));
    w.slack.set_scope("files:write", false);
    w.slack.leave(CHRIS, ROOM);
    w.incident().await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until("the file is refused", |w| blocks(w, SESSIONS).contains("missing_scope")).await;
    // Who is in the room Slack does not say at first.
    w.slack.fail_next("conversations.members", Fault::Status(503));
    w.slack.fail_next("conversations.members", Fault::Status(503));
    w.click(ANA, KEY, "irp.request").await;
    w.until("Chris is asked", |w| !asks(w).is_empty()).await;
    let asked = asks(&w);
    assert!(asked.len() == 1 && asked[0].contains("Deactivate access key"), "of what can be read: {asked:?}");
    assert!(w.slack.files().is_empty());

    w.slack.set_scope("files:write", true);
    w.until("and of the other, once it is in the thread", |w| asks(w).len() == 2).await;
    assert!(asks(&w)[1].contains("Revoke all sessions") && w.slack.files().len() == 1, "{:?}", asks(&w));
    assert!(w.offers(SESSIONS, "irp.approve"));
    w.end().await;
}
