//! Credentials that are no user's and no ordinary role's, and sessions of which nobody knows whose they are.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::{HUNT, blocks, sweeps};
use crate::world::{ANA, BEN, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_of_identity_center_has_made_is_found_and_contained() {
    let w = World::start().await;
    let session = w.account.identity_center_session("jo.kim").unwrap();
    let iam = aws_sdk_iam::Client::new(&w.sdk(&session));
    iam.create_user().user_name("backdoor").send().await.unwrap();
    let made = iam.create_access_key().user_name("backdoor").send().await.unwrap().access_key.unwrap().access_key_id;
    w.clock.advance(TimeDelta::minutes(6));
    w.command(ANA, &format!("/irp open {}", session.access_key_id)).await;
    let key = format!("· Deactivate access key {made} of user backdoor");
    w.until_within(Duration::from_mins(1), "the step is there", |w| w.says(&key, "not asked for yet")).await;
    w.until("the search's card is there", |w| w.card(ANA, HUNT).is_some()).await;
    w.until("it says how", |w| blocks(w, HUNT).contains("CreateAccessKey")).await;
    w.carry_out(&key, ANA, BEN).await;
    assert_eq!(w.account.key_status(&made), Some(irp_sandbox::aws::KeyStatus::Inactive));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_searched_for_before_anybody_knows_whose_it_is() {
    let w = World::start().await;
    let session = w.account.mint_session("app-deploy/backup-job").unwrap();
    let iam = aws_sdk_iam::Client::new(&w.sdk(&session));
    iam.list_roles().send().await.unwrap();
    w.command(ANA, &format!("/irp open {}", session.access_key_id)).await;
    w.clock.advance(TimeDelta::seconds(61));
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while sweeps(&w).await == 0 {
        assert!(std::time::Instant::now() < deadline, "it is not searched for: {:#?}", w.texts());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(w.card(ANA, "· Revoke").is_none(), "the trail does not show yet whose it is");
    w.clock.advance(TimeDelta::minutes(6));
    let revoke = "· Revoke all older sessions of role app-deploy";
    w.until_within(Duration::from_mins(1), "whose it is", |w| w.card(ANA, revoke).is_some()).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_root_has_made_is_found_and_contained_and_root_itself_is_for_people() {
    let w = World::start().await;
    let root = w.account.give_root_key_directly();
    let iam = aws_sdk_iam::Client::new(&w.sdk(&root));
    iam.create_user().user_name("backdoor").send().await.unwrap();
    let made = iam.create_access_key().user_name("backdoor").send().await.unwrap().access_key.unwrap().access_key_id;
    w.clock.advance(TimeDelta::minutes(6));
    let mut finding = w.finding("e-1", "f-1");
    finding["detail"]["resource"]["accessKeyDetails"] = json!({
        "accessKeyId": root.access_key_id, "userType": "Root", "userName": "Root", "principalId": "111122223333",
    });
    assert_eq!(w.alert(&finding).await, 202);
    let key = format!("· Deactivate access key {made} of user backdoor");
    w.until_within(Duration::from_mins(1), "the step is there", |w| w.says(&key, "not asked for yet")).await;
    let by_hand = "The root user cannot be contained";
    w.until("what people do", |w| w.card(ANA, by_hand).is_some() && blocks(w, by_hand).contains("AWS Support")).await;
    w.carry_out(&key, ANA, BEN).await;
    assert_eq!(w.account.key_status(&made), Some(irp_sandbox::aws::KeyStatus::Inactive));
    w.end().await;
}
