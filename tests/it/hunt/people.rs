//! Incidents without a key: a sign-in to the console with a stolen password, a role that is named. The search begins with
//! whoever that is.

use chrono::TimeDelta;
use irp_sandbox::aws::{KeyPair, KeyStatus};
use serde_json::json;

use super::{HUNT, blocks};
use crate::world::{ANA, BEN, World};

const THIEF: &str = "198.51.100.77";
const PASSWORD: &str = "· Delete the console password of user deploy-bot";
const ROLE: &str = "arn:aws:iam::111122223333:role/app-deploy";

/// The thief signs in to the console as `deploy-bot`. What the console then calls with.
fn signs_in(w: &World) -> KeyPair {
    w.account.give_password_directly("deploy-bot");
    w.account.console_session("deploy-bot", THIEF).unwrap()
}

/// `GuardDuty` has seen the sign-in: it names the user and no key.
async fn alert_about_the_sign_in(w: &World) {
    w.clock.advance(TimeDelta::minutes(6));
    let mut finding = w.finding("e-1", "f-1");
    finding["detail"]["type"] = json!("UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B");
    finding["detail"]["resource"]["accessKeyDetails"]["accessKeyId"] = json!("");
    finding["detail"]["service"]["action"]["awsApiCallAction"]["api"] = json!("ConsoleLogin");
    finding["detail"]["service"]["action"]["awsApiCallAction"]["serviceName"] = json!("signin.amazonaws.com");
    assert_eq!(w.alert(&finding).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_password_leads_to_the_key_that_was_made_in_the_console() {
    let w = World::start().await;
    let iam = aws_sdk_iam::Client::new(&w.sdk(&signs_in(&w)));
    iam.create_user().user_name("backdoor").send().await.unwrap();
    let made = iam.create_access_key().user_name("backdoor").send().await.unwrap().access_key.unwrap().access_key_id;
    alert_about_the_sign_in(&w).await;
    let key = format!("· Deactivate access key {made} of user backdoor");
    w.until_card(&key, "not asked for yet").await;
    w.until_card(PASSWORD, "not asked for yet").await;
    w.until("the search's card is there", |w| w.card(ANA, HUNT).is_some()).await;
    // It can be there before the search is at its end.
    for part in [
        "*Assumed:* no access key is known",
        "arn:aws:iam::111122223333:user/deploy-bot",
        &*made,
        "CreateAccessKey",
        "`backdoor`",
    ] {
        w.until(part, |w| blocks(w, HUNT).contains(part)).await;
    }
    w.carry_out(&key, ANA, BEN).await;
    assert_eq!(w.account.key_status(&made), Some(KeyStatus::Inactive));
    w.carry_out(PASSWORD, ANA, BEN).await;
    assert!(w.account.console_session("deploy-bot", THIEF).is_none(), "nobody signs in any more");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_named_is_followed_through_its_sessions_and_not_to_those_who_take_it() {
    let w = World::start().await;
    let sts = aws_sdk_sts::Client::new(&w.sdk(&w.account.access_keys("release-bot")[0]));
    let taken = sts.assume_role().role_arn(ROLE).role_session_name("evil").send().await.unwrap().credentials.unwrap();
    let session = KeyPair {
        access_key_id: taken.access_key_id,
        secret_access_key: taken.secret_access_key,
        session_token: Some(taken.session_token),
    };
    aws_sdk_iam::Client::new(&w.sdk(&session)).list_roles().send().await.unwrap();
    w.clock.advance(TimeDelta::minutes(6));
    w.command(ANA, &format!("/irp open {ROLE}")).await;
    let found = |w: &World| w.card(ANA, HUNT).is_some() && blocks(w, HUNT).contains(&session.access_key_id);
    w.until("the session is found", found).await;
    let card = blocks(&w, HUNT);
    for part in ["in any of its sessions", "session of a role that is taken for stolen"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(!card.contains("user/release-bot"), "whoever may take it is not the attacker for that: {card}");
    w.until_card("· Revoke all older sessions of role app-deploy", "not asked for yet").await;
    w.end().await;
}
