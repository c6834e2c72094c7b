//! The user whose key was stolen is renamed: the key goes on under the new name, and nobody bears the old one.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use irp::domain::approval::RequestState;
use irp::domain::incident::evolve::fold;
use irp::domain::incident::state::Incident;
use irp::domain::incident::steps::contained;
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp_sandbox::aws::KeyStatus;

use crate::world::{ANA, BEN, World};

const KEY: &str = "· Deactivate access key";
const SESSIONS: &str = "· Revoke all sessions minted";
const REVOKED: &str = "AWSRevokeOlderSessions";
const RENAMES: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:UpdateUser","Resource":"*"}]}"#;

async fn state(w: &World) -> Incident {
    let id = w.store.open_incidents(1).await.unwrap()[0];
    fold(&w.store.load(id).await.unwrap()).expect("an incident")
}

async fn until(w: &World, what: &str, holds: impl Fn(&Incident) -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds(&state(w).await) {
        assert!(Instant::now() < deadline, "not in time: {what}\n{:#?}", w.texts());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_contained(w: &World) -> bool {
    contained(&state(w).await, &Playbook::parse(BUILT_IN).unwrap())
}

async fn rename(w: &World, iam: &aws_sdk_iam::Client) {
    w.account.put_user_policy_directly("deploy-bot", "renames", Some(RENAMES));
    iam.update_user().user_name("deploy-bot").new_user_name("ops-bot").send().await.unwrap();
}

fn with_stolen_key(w: &World) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_from_before_the_renaming_changes_nothing_and_the_next_goes_to_the_new_name() {
    let w = World::start().await;
    let (key, attacker) = (w.stolen_key(), with_stolen_key(&w));
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    rename(&w, &attacker).await;
    w.click(BEN, KEY, "irp.approve").await;
    let first = |incident: &Incident| incident.requests.values().next().unwrap().state.clone();
    until(&w, "it is stale", |incident| !first(incident).is_open()).await;
    let RequestState::Stale { why } = first(&state(&w).await) else { panic!("{:?}", first(&state(&w).await)) };
    assert!(why.contains("user deploy-bot is called ops-bot by now"), "{why}");
    assert_eq!(w.account.count("UpdateAccessKey"), 0, "nothing was sent");
    assert_eq!(w.account.key_status(&key), Some(KeyStatus::Active));
    assert!(!is_contained(&w).await);

    let anew = format!("· Deactivate access key {key} of user ops-bot");
    w.until("the step has the new name", |w| w.card(ANA, &anew).is_some()).await;
    w.carry_out(&anew, ANA, BEN).await;
    assert_eq!(w.account.key_status(&key), Some(KeyStatus::Inactive));
    assert!(!is_contained(&w).await, "its sessions live");
    w.carry_out(SESSIONS, ANA, BEN).await;
    assert!(w.account.user_inline_policy("ops-bot", REVOKED).is_some());
    assert!(is_contained(&w).await);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_under_a_name_that_nobody_bears_and_asking_again_is_answered() {
    let w = World::start().await;
    let (key, attacker) = (w.stolen_key(), with_stolen_key(&w));
    w.incident().await;
    rename(&w, &attacker).await;
    // Whoever bears the old name by now is somebody else, and has no such key.
    let admin = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#;
    w.account.put_user_policy_directly("release-bot", "admin", Some(admin));
    let other = aws_sdk_iam::Client::new(&w.sdk(&w.account.principal_credentials("release-bot").unwrap()));
    other.create_user().user_name("deploy-bot").send().await.unwrap();
    let told = w.click(ANA, KEY, "irp.request").await;
    assert!(told.contains("is called ops-bot by now"), "{told}");
    assert!(state(&w).await.requests.is_empty());
    let anew = format!("· Deactivate access key {key} of user ops-bot");
    w.until("the step has the new name", |w| w.card(ANA, &anew).is_some()).await;
    w.carry_out(&anew, ANA, BEN).await;
    assert_eq!(w.account.key_status(&key), Some(KeyStatus::Inactive));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_trail_shows_of_a_renaming_is_followed_though_nobody_asks_for_anything() {
    let w = World::start().await;
    let (key, attacker) = (w.stolen_key(), with_stolen_key(&w));
    w.incident().await;
    rename(&w, &attacker).await;
    w.clock.advance(TimeDelta::minutes(6));
    let anew = format!("· Deactivate access key {key} of user ops-bot");
    w.until("the step has the new name", |w| w.card(ANA, &anew).is_some()).await;
    w.until("what to put back", |w| {
        let card = w.card(ANA, "Put back by hand: AWS::IAM::User ops-bot");
        card.is_some_and(|card| card["blocks"].to_string().contains("--new-user-name deploy-bot"))
    })
    .await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containment_goes_along_with_its_user_and_a_key_that_works_again_is_an_alarm() {
    let w = World::start().await;
    let key = w.stolen_key();
    let admin = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#;
    w.account.put_user_policy_directly("release-bot", "admin", Some(admin));
    let other = aws_sdk_iam::Client::new(&w.sdk(&w.account.principal_credentials("release-bot").unwrap()));
    w.incident().await;
    w.carry_out(KEY, ANA, BEN).await;
    w.carry_out(SESSIONS, ANA, BEN).await;
    assert!(is_contained(&w).await);

    rename(&w, &other).await;
    w.clock.advance(TimeDelta::seconds(6));
    let called = |incident: &Incident| incident.identification().and_then(|found| found.name.clone());
    until(&w, "the new name is known", |incident| called(incident).as_deref() == Some("ops-bot")).await;
    until(&w, "it was read again", |incident| incident.watch.is_some_and(|watch| watch.checks > 0)).await;
    assert!(is_contained(&w).await, "the key is off and the deny is there, under the new name");
    assert!(!w.notes().iter().any(|note| note.contains("undoing the containment")), "{:#?}", w.notes());

    w.account.set_key_status(&key, KeyStatus::Active);
    w.clock.advance(TimeDelta::minutes(5));
    w.until("an alarm", |w| w.notes().iter().any(|note| note.contains("undoing the containment"))).await;
    assert!(!is_contained(&w).await);
    let anew = format!("· Deactivate access key {key} of user ops-bot");
    w.until_card(&anew, "no longer in force").await;
    w.carry_out(&anew, ANA, BEN).await;
    assert_eq!(w.account.key_status(&key), Some(KeyStatus::Inactive));
    w.carry_out(SESSIONS, ANA, BEN).await;
    assert!(is_contained(&w).await);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_users_key_is_switched_off_under_the_name_that_this_user_has_by_now() {
    let w = World::start().await;
    let attacker = with_stolen_key(&w);
    attacker.create_user().user_name("backdoor").send().await.unwrap();
    let made = attacker.create_access_key().user_name("backdoor").send().await.unwrap().access_key.unwrap();
    let made = made.access_key_id;
    w.clock.advance(TimeDelta::minutes(6));
    w.account.put_user_policy_directly("deploy-bot", "renames", Some(RENAMES));
    // The trail shows that only minutes later, and AWS at once.
    attacker.update_user().user_name("backdoor").new_user_name("auditor").send().await.unwrap();
    w.incident().await;
    let card = format!("· Deactivate access key {made} of user auditor");
    w.until("the step is there", |w| w.card(ANA, &card).is_some()).await;
    assert!(!is_contained(&w).await);
    w.carry_out(&card, ANA, BEN).await;
    assert_eq!(w.account.key_status(&made), Some(KeyStatus::Inactive));
    w.end().await;
}
