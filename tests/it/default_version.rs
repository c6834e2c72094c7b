//! An older version of a managed policy that the attacker has put in force makes way for the one that was.

use aws_sdk_iam::Client;
use chrono::TimeDelta;

use crate::eradication::changed;
use crate::world::{ANA, CHRIS, World};

const SET: &str = "SetDefaultPolicyVersion";
const WIDE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const NARROW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// The owner's policy of two versions, the first of them in force, or the second; its ARN.
async fn policy(w: &World, iam: &Client, name: &str, second_in_force: bool) -> String {
    let made = iam.create_policy().policy_name(name).policy_document(WIDE).send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(1));
    let arn = made.policy.unwrap().arn.unwrap();
    version(w, iam, &arn, second_in_force).await;
    arn
}

async fn version(w: &World, iam: &Client, arn: &str, in_force: bool) {
    let version = iam.create_policy_version().policy_arn(arn).policy_document(NARROW).set_as_default(in_force);
    version.send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(1));
}

async fn in_force(iam: &Client, arn: &str) -> String {
    let found = iam.get_policy().policy_arn(arn).send().await.unwrap().policy.unwrap();
    found.default_version_id.unwrap()
}

fn card(name: &str) -> String {
    format!("· Put the version of policy {name} back")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_force_is_put_back_where_the_history_proves_it_and_else_people_choose() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    let iam = w.attacker();
    let ops = policy(&w, &iam, "ops", true).await;
    let base = policy(&w, &iam, "base", false).await;
    let late = policy(&w, &iam, "late", true).await;
    let old = policy(&w, &iam, "old", true).await;
    for (arn, chosen) in [(&ops, "v1"), (&base, "v2"), (&late, "v1"), (&old, "v1")] {
        iam.set_default_policy_version().policy_arn(arn).version_id(chosen).send().await.unwrap();
        w.clock.advance(TimeDelta::seconds(1));
    }
    w.clock.advance(TimeDelta::minutes(20));
    let events = w.trail_of(SET).await;
    assert_eq!(events.len(), 4);
    w.incident().await;
    w.hunted(vec![
        changed("ManagedPolicy", &ops, SET, "v1", &events[3]),
        changed("ManagedPolicy", &base, SET, "v2", &events[2]),
        changed("ManagedPolicy", &late, SET, "v1", &events[1]),
        // Of a call that the logs show and the event history does not.
        changed("ManagedPolicy", &old, SET, "v1", "event-of-the-logs"),
    ])
    .await;
    let all = ["ops", "base", "late", "old"].map(card);
    w.until("all are offered", |w| all.iter().all(|card| w.offers(card, "irp.request"))).await;
    let [ops_card, base_card, late_card, old_card] = &all;

    w.carry_out(ops_card, ANA, CHRIS).await;
    assert_eq!(in_force(&iam, &ops).await, "v2");
    // Its first version was in force all the time: the history goes back to its making.
    w.carry_out(base_card, ANA, CHRIS).await;
    assert_eq!(in_force(&iam, &base).await, "v1");

    let answer = w.click(ANA, old_card, "irp.request").await;
    for part in ["does not prove", "v2 has also “Allow s3:GetObject on ", ", and lacks “Allow s3:", "--version-id"]
    {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert_eq!(in_force(&iam, &old).await, "v1", "nobody has chosen");

    // What the owner puts in force meanwhile stays.
    w.click(ANA, late_card, "irp.request").await;
    w.until_card(late_card, "waiting for approval").await;
    version(&w, &iam, &late, true).await;
    w.click(CHRIS, late_card, "irp.approve").await;
    w.until_card(late_card, "stale").await;
    assert_eq!(in_force(&iam, &late).await, "v3");
    w.until("it can be asked for again", |w| w.offers(late_card, "irp.request")).await;
    let answer = w.click(ANA, late_card, "irp.request").await;
    assert!(answer.contains("v3 is in force") && answer.contains("somebody has put it there since"), "{answer}");

    // Undone, it is as the attacker has left it.
    w.until("it can be undone", |w| w.offers(ops_card, "irp.undo")).await;
    w.click(ANA, ops_card, "irp.undo").await;
    let undo = "Undo INC-1.1: Put the version";
    w.until_card(undo, "waiting for approval").await;
    w.click(CHRIS, undo, "irp.approve").await;
    w.until_card(undo, "carried out and verified").await;
    assert_eq!(in_force(&iam, &ops).await, "v1");
    assert_eq!(w.account.count("DeletePolicyVersion"), 0, "no version of the owner's goes");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_history_can_lack_a_call_the_answer_says_when_to_ask_again() {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    let iam = w.attacker();
    let ops = policy(&w, &iam, "ops", true).await;
    iam.set_default_policy_version().policy_arn(&ops).version_id("v1").send().await.unwrap();
    w.clock.advance(TimeDelta::minutes(6));
    let events = w.trail_of(SET).await;
    w.incident().await;
    w.hunted(vec![changed("ManagedPolicy", &ops, SET, "v1", &events[0])]).await;
    let shown = card("ops");
    w.until("it is offered", |w| w.offers(&shown, "irp.request")).await;
    let answer = w.click(ANA, &shown, "irp.request").await;
    assert!(answer.contains("too early") && answer.contains("Ask again after that"), "{answer}");
    assert_eq!(in_force(&iam, &ops).await, "v1");

    w.clock.advance(TimeDelta::minutes(15));
    w.carry_out(&shown, ANA, CHRIS).await;
    assert_eq!(in_force(&iam, &ops).await, "v2");
    w.end().await;
}
