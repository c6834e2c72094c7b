//! Containment in one go, what is looked at again after it, and what one person may do alone.

use chrono::TimeDelta;
use irp_sandbox::aws::{Fault, KeyStatus};
use serde_json::json;

use crate::world::{ANA, BEN, CHRIS, DANA, KIM, ORGANISATION, World};

const ALL: &str = "Contain everything at once";
const KEY: &str = "· Deactivate access key";
const SESSIONS: &str = "· Revoke all sessions minted";
const ROLE: &str = "· Revoke all older sessions of role app-deploy";
const REVOKED: &str = "AWSRevokeOlderSessions";

async fn with_a_taken_role() -> World {
    let w = World::start().await;
    w.attacker_takes("app-deploy").await;
    w.incident().await;
    w.until_card(ALL, "3 steps, not asked for yet").await;
    w
}

async fn asked() -> World {
    let w = with_a_taken_role().await;
    let told = w.click(ANA, ALL, "irp.request_all").await;
    assert!(told.contains("3 step(s) are asked for"), "{told}");
    w.until_card(ALL, "waiting for approval").await;
    w
}

fn value(w: &World, card: &str, button: &str) -> String {
    let card = w.card(ANA, card).unwrap();
    let rows = card["blocks"].as_array().unwrap().iter().filter_map(|b| b["elements"].as_array());
    let found = rows.flatten().find(|e| e["action_id"] == button).unwrap_or_else(|| panic!("no {button}: {card:#}"));
    found["value"].as_str().unwrap().to_owned()
}

fn blocks(w: &World, card: &str) -> String {
    w.card(ANA, card).unwrap()["blocks"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_asked_for_and_approved_as_one() {
    let w = asked().await;
    let card = blocks(&w, ALL);
    for part in ["iam:UpdateAccessKey", "iam:PutUserPolicy", "iam:PutRolePolicy", "INC-1.1", "INC-1.3"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    w.until("a step's own card leads to the whole", |w| blocks(w, KEY).contains("asked for together")).await;
    assert!(!w.offers(KEY, "irp.approve") && !w.offers(ROLE, "irp.approve"));

    // The protocol is the same as for one.
    let approve = value(&w, ALL, "irp.approve");
    let shared = format!("and 2 more, as one thing to decide on (digest `{}`)", approve.split(' ').nth(1).unwrap());
    w.until("the note names the digest over all", |w| w.notes().iter().any(|note| note.contains(&shared))).await;
    assert!(w.click(ANA, ALL, "irp.approve").await.contains("You asked for this yourself"));
    assert!(w.click(KIM, ALL, "irp.approve").await.contains("the credential is yours"));
    assert!(w.click(DANA, ALL, "irp.approve").await.contains("not on the list of approvers"));
    let other = approve.replace(approve.split(' ').nth(1).unwrap(), "0123456789ab");
    assert!(w.forged_click(BEN, "irp.approve", &other).await.contains("another version"));
    assert_eq!(w.account.count("UpdateAccessKey"), 0);

    let answer = w.click(BEN, ALL, "irp.approve").await;
    assert!(answer.contains("(3 steps) is recorded. They run now"), "{answer}");
    w.until_card(ALL, "3 of 3 in force").await;
    let changes: Vec<String> = w.account.calls().into_iter().map(|c| c.operation).collect();
    let changes: Vec<&str> =
        changes.iter().map(String::as_str).filter(|c| c.starts_with("Put") || c.starts_with("Update")).collect();
    assert_eq!(changes, ["UpdateAccessKey", "PutUserPolicy", "PutRolePolicy"], "in the order shown, once each");
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("Contained"), "{status}");
    let again = w.forged_click(CHRIS, "irp.approve", &approve).await;
    assert!(again.contains("no longer open"), "{again}");
    // Each can be undone on its own.
    w.until("it can be undone", |w| w.offers(ROLE, "irp.undo")).await;
    w.until("Ben has a receipt", |w| !w.receipts(BEN).is_empty()).await;
    assert_eq!(w.receipts(ANA).len(), 1, "one receipt for the whole");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_holds_up_none_of_the_others() {
    let w = asked().await;
    w.account.fail_next("UpdateAccessKey", Fault::AccessDenied);
    w.click(BEN, ALL, "irp.approve").await;
    w.until_card(ALL, "2 of 3 in force").await;
    w.until_card(KEY, "it failed").await;
    assert!(blocks(&w, KEY).contains("aws iam update-access-key"), "with the command to run by hand");
    assert!(w.account.user_inline_policy("deploy-bot", REVOKED).is_some());
    // What was revoked while the key lived has to be revoked again after it.
    w.carry_out(KEY, ANA, BEN).await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("request all 2"), "{status}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_ends_all_of_it_and_the_next_to_decide_sees_it() {
    let w = asked().await;
    let deny = value(&w, ALL, "irp.deny");
    let modal = w.form(BEN, ALL, "irp.deny").await;
    let shown = modal.to_string();
    assert!(shown.contains("*Deactivate access key") && shown.contains("and 2 more that go with it"), "{shown}");
    let reason = json!({"reason": {"reason": "deploys run until six"}});
    w.slack.submit_view(BEN, modal["id"].as_str().unwrap(), &reason).await.unwrap();
    w.until_card(ALL, "3 steps, not asked for yet").await;
    assert!(w.forged_click(CHRIS, "irp.approve", &deny).await.contains("no longer open"));
    w.click(ANA, ALL, "irp.request_all").await;
    w.until_card(ALL, "waiting for approval").await;
    assert!(blocks(&w, ALL).contains("deploys run until six"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waits_alone_gives_way_to_the_whole() {
    let w = with_a_taken_role().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let alone = value(&w, KEY, "irp.approve");
    w.click(CHRIS, ALL, "irp.request_all").await;
    w.until_card(ALL, "waiting for approval").await;
    assert!(w.forged_click(BEN, "irp.approve", &alone).await.contains("superseded by INC-1.2"));
    assert!(w.click(CHRIS, ALL, "irp.withdraw").await.contains("withdrawn"));
    w.until_card(ALL, "3 steps, not asked for yet").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_taken_back_is_taken_back_from_all() {
    let two = ORGANISATION.replace("contain.quorum = 1", "contain.quorum = 2");
    let w = World::start_with_rules(&two).await;
    w.attacker_takes("app-deploy").await;
    w.incident().await;
    w.until_card(ALL, "3 steps").await;
    w.click(ANA, ALL, "irp.request_all").await;
    w.until_card(ALL, "waiting for approval").await;
    assert!(w.click(BEN, ALL, "irp.approve").await.contains("waits for 1 more"));
    w.until("it can be taken back", |w| w.offers(ALL, "irp.retract")).await;
    w.click(BEN, ALL, "irp.retract").await;
    assert!(w.click(CHRIS, ALL, "irp.approve").await.contains("waits for 1 more"));
    w.click(BEN, ALL, "irp.approve").await;
    w.until_card(ALL, "3 of 3 in force").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_says_what_the_credential_was_used_for() {
    let w = with_a_taken_role().await;
    w.until("the evidence has it", |w| blocks(w, "evidence").contains("Has assumed")).await;
    let evidence = blocks(&w, "evidence");
    assert!(evidence.contains("role/app-deploy") && evidence.contains("backup-job"), "{evidence}");
    // The search can have offered the role before its use was read.
    let shows = |w: &World| w.card(ANA, ROLE).is_some_and(|card| card.to_string().contains("Lambda function"));
    w.until("the role's card has it", shows).await;
    let role = blocks(&w, ROLE);
    assert!(role.contains("Lambda function app-worker") && role.contains("user/release-bot"), "{role}");
    let shows = |key: &str| key.contains("What stops working with it") && key.contains("sts.amazonaws.com");
    w.until("the key's card has it", |w| shows(&blocks(w, KEY))).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_takes_away_again_is_heard_of() {
    let w = World::start().await;
    w.incident().await;
    w.carry_out(KEY, ANA, BEN).await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    for after_s in [6, 10, 46] {
        let times = |w: &World| {
            blocks(w, SESSIONS).split("Still there when read again").nth(1).map(|t| t.matches("<!date").count())
        };
        let before = times(&w);
        w.clock.advance(TimeDelta::seconds(after_s));
        w.until("it is read again", |w| times(w) > before).await;
    }
    w.account.set_key_status(&w.stolen_key(), KeyStatus::Active);
    w.account.put_user_policy_directly("deploy-bot", REVOKED, None);
    w.clock.advance(TimeDelta::minutes(5));
    w.until("an alarm", |w| w.notes().iter().any(|n| n.contains("Somebody is undoing the containment"))).await;
    let alarm = w.notes().into_iter().find(|n| n.contains("undoing")).unwrap();
    assert!(alarm.contains("is Active again") && alarm.contains("AWSRevokeOlderSessions is gone"), "{alarm}");
    assert!(alarm.contains(&format!("<@{ANA}>")) && alarm.contains(&format!("<@{BEN}>")), "{alarm}");
    w.until_card(KEY, "no longer in force").await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("request all 2 with one press"), "{status}");
    w.carry_out(KEY, ANA, BEN).await;
    w.carry_out(SESSIONS, ANA, BEN).await;

    // A new key is a card of its own.
    let other = w.account.access_keys("deploy-bot")[1].access_key_id.clone();
    let made = w.account.replace_access_key_directly(&other).unwrap();
    w.clock.advance(TimeDelta::minutes(5));
    w.until("an alarm for the key", |w| w.notes().iter().any(|n| n.contains(&made))).await;
    w.until_card(&format!("Deactivate access key {made}"), "not asked for yet").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_alone_can_contain_where_the_rules_let_them() {
    let rules = format!("{ORGANISATION}\n[break_glass]\npeople = [\"{ANA}\"]\n");
    let w = World::start_with_rules(&rules).await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    assert!(w.click(ANA, KEY, "irp.approve").await.contains("You asked for this yourself"));
    let glass = async |person: &str, target: &str| {
        let modal = w.form(person, KEY, "irp.break_glass").await;
        let before = w.told(person).len();
        let filled = json!({"target": {"target": target}, "reason": {"reason": "nobody answers"}});
        w.slack.submit_view(person, modal["id"].as_str().unwrap(), &filled).await.unwrap();
        w.next_told(person, before).await
    };
    assert!(w.click(BEN, KEY, "irp.break_glass").await.contains("You cannot run this alone"));
    assert!(glass(ANA, "deploy-bot").await.contains("not the target"));
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    assert!(glass(ANA, &w.stolen_key()).await.contains("on your word alone"));
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);

    for person in [BEN, CHRIS] {
        w.until("everybody is told", |w| {
            w.receipts(person).iter().any(|m| m["text"].as_str().unwrap().contains("broke the glass"))
        })
        .await;
    }
    w.until("the thread is told", |w| {
        w.notes().iter().any(|n| n.contains("broke the glass") && n.contains("nobody answers"))
    })
    .await;
    let closed = w.command(BEN, "/irp close INC-1 resolved the key is off, the rest does not matter").await;
    assert!(closed.contains("One person alone has let INC-1.1 run"), "{closed}");
    w.until("somebody can speak", |w| w.offers(KEY, "irp.ratify")).await;
    assert!(w.click(ANA, KEY, "irp.ratify").await.contains("You asked for this yourself"));
    assert!(w.click(KIM, KEY, "irp.ratify").await.contains("the credential is yours"));
    assert!(w.click(CHRIS, KEY, "irp.ratify").await.contains("it was right to run it"));
    w.until("the card says so", |w| blocks(w, KEY).contains("Ratified by")).await;
    assert!(w.command(BEN, "/irp close INC-1 resolved the key is off").await.contains("Closed"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_decides_on_some_of_what_was_asked_for_together_is_heard_of_like_on_all() {
    let rules = format!("{ORGANISATION}\n[break_glass]\npeople = [\"{ANA}\"]\n");
    let w = World::start_with_rules(&rules).await;
    let stolen = w.sdk(&w.account.access_keys("deploy-bot")[0]);
    let password = aws_sdk_iam::Client::new(&stolen).create_login_profile().user_name("deploy-bot");
    password.password("Tr0ub4dor&3-and-more").send().await.unwrap();
    // Until the trail shows it.
    w.clock.advance(TimeDelta::minutes(6));
    w.incident().await;
    w.until_card(ALL, "3 steps, not asked for yet").await;
    w.carry_out(KEY, ANA, CHRIS).await;
    w.until_card(ALL, "2 steps").await;
    w.click(ANA, ALL, "irp.request_all").await;
    w.until_card(ALL, "waiting for approval").await;

    // The password cannot be put back, so it waits for an approver: the first of the two is not in what runs now.
    let modal = w.form(ANA, ALL, "irp.break_glass").await;
    let filled = json!({"target": {"target": "deploy-bot"}, "reason": {"reason": "nobody answers"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    w.until_card(SESSIONS, "carried out and verified").await;
    let heard = |w: &World, person: &str, what: &str| {
        w.receipts(person).iter().filter(|m| m["text"].as_str().unwrap().contains(what)).count()
    };
    w.until("the thread is told", |w| w.notes().iter().any(|n| n.contains("broke the glass: INC-1.3"))).await;
    for person in [BEN, CHRIS] {
        w.until("approvers are told", |w| heard(w, person, "broke the glass") == 1).await;
    }
    w.until("there is a receipt", |w| heard(w, ANA, "You broke the glass") == 1).await;

    w.click(BEN, ALL, "irp.approve").await;
    w.until_card("Delete the console password", "carried out and verified").await;
    w.until("the thread is told", |w| w.notes().iter().any(|n| n.contains("approved INC-1.2"))).await;
    w.until("there is a receipt", |w| heard(w, BEN, "You approved") == 1).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_glass_that_was_wrongly_broken_can_be_contested_and_taken_back() {
    let rules = format!("{ORGANISATION}\n[break_glass]\npeople = [\"{ANA}\"]\n");
    let w = World::start_with_rules(&rules).await;
    w.incident().await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until_card(SESSIONS, "waiting for approval").await;
    let modal = w.form(ANA, SESSIONS, "irp.break_glass").await;
    let filled = json!({"target": {"target": "deploy-bot"}, "reason": {"reason": "nobody answers"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    w.until_card(SESSIONS, "carried out and verified").await;
    w.until("somebody can speak", |w| w.offers(SESSIONS, "irp.contest")).await;
    let modal = w.form(BEN, SESSIONS, "irp.contest").await;
    let filled = json!({"reason": {"reason": "I was there all the time"}});
    w.slack.submit_view(BEN, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    w.until("the card says so", |w| blocks(w, SESSIONS).contains("I was there all the time")).await;
    // An undo loosens: nobody does that alone.
    w.click(ANA, SESSIONS, "irp.undo").await;
    w.until_card("Undo INC-1.1", "waiting for approval").await;
    assert!(!w.offers("Undo INC-1.1", "irp.break_glass"));
    let value = value(&w, "Undo INC-1.1", "irp.approve");
    assert!(w.forged_click(ANA, "irp.break_glass", &value).await.contains("You cannot run this alone"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rules_for_it_nobody_acts_alone() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    assert!(!w.offers(KEY, "irp.break_glass"));
    let approve = value(&w, KEY, "irp.approve");
    assert!(w.forged_click(ANA, "irp.break_glass", &approve).await.contains("break-glass is off"));
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}
