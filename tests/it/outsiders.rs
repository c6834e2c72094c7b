//! Somebody from another account who comes in by a door that was always open to them.

use chrono::TimeDelta;
use irp_sandbox::aws::KeyPair;

use crate::world::{ANA, CHRIS, World};

const ROLE: &str = "arn:aws:iam::111122223333:role/app-deploy";
/// The team's own user, and the account of somebody who works for them.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
    "Principal":{"AWS":["arn:aws:iam::111122223333:user/deploy-bot","arn:aws:iam::444455556666:root"]}}]}"#;
const CLOSE: &str = "· Deny account 444455556666 that they take role app-deploy";
const REVOKE: &str = "· Revoke all older sessions of role app-deploy";

async fn takes_the_role(w: &World, key: &KeyPair) -> Option<KeyPair> {
    let sts = aws_sdk_sts::Client::new(&w.sdk(key));
    let given = sts.assume_role().role_arn(ROLE).role_session_name("support").send().await.ok()?.credentials?;
    Some(KeyPair {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret_access_key,
        session_token: Some(given.session_token),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_in_from_outside_is_denied_the_role_and_others_keep_it() {
    let w = World::start().await;
    w.account.set_trust_directly("app-deploy", TRUST);
    let outsider = w.account.outsider("444455556666", "support");
    let stolen = takes_the_role(&w, &outsider).await.unwrap();
    drop(aws_sdk_iam::Client::new(&w.sdk(&stolen)).list_users().send().await);
    w.clock.advance(TimeDelta::minutes(6));
    w.command(ANA, &format!("/irp open {}", stolen.access_key_id)).await;
    w.until("the door is found", |w| w.offers(CLOSE, "irp.request")).await;
    let card = w.card(ANA, CLOSE).unwrap()["blocks"].to_string();
    assert!(
        card.contains("was taken by account 444455556666") && card.contains("tell whoever runs that account"),
        "{card}"
    );
    let shows = |card: &serde_json::Value| {
        let hunt = card["blocks"].to_string();
        hunt.contains("Came in from outside") && hunt.contains("was taken by `account 444455556666`")
    };
    w.until("the hunt's card shows who came in", |w| w.card(ANA, "hunt: ").is_some_and(|card| shows(&card))).await;

    // Revoking what is out there closes nothing.
    w.carry_out(REVOKE, ANA, CHRIS).await;
    w.clock.advance(TimeDelta::minutes(2));
    assert!(takes_the_role(&w, &outsider).await.is_some());

    w.click(ANA, CLOSE, "irp.request").await;
    w.until_card(CLOSE, "waiting for approval").await;
    let card = w.card(ANA, CLOSE).unwrap()["blocks"].to_string();
    assert!(card.contains("IrpDeny444455556666") && card.contains("sts:AssumeRole"), "{card}");
    w.click(CHRIS, CLOSE, "irp.approve").await;
    w.until_card(CLOSE, "carried out and verified").await;
    assert!(takes_the_role(&w, &outsider).await.is_none(), "the door is shut");
    let own = w.account.access_keys("deploy-bot")[0].clone();
    assert!(takes_the_role(&w, &own).await.is_some(), "others keep it");

    // Somebody takes the statement out again.
    w.account.set_trust_directly("app-deploy", TRUST);
    w.clock.advance(TimeDelta::minutes(2));
    w.until_card(CLOSE, "no longer in force").await;
    w.end().await;
}
