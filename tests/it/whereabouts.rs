//! Users who are looked for by their unique ids: many who ask share one list, and nobody is told what it does not show any more.

use futures_util::future::join_all;
use irp::adapters::aws::AwsCloud;
use irp::domain::id::AccountId;
use irp::domain::observation::{Observation, Probe};
use irp::ports::Cloud as _;
use irp_sandbox::aws::Fault;

use crate::inventory::cloud;
use crate::world::World;

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const NOT_ASKED: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:GetAccessKeyLastUsed","Resource":"*"}]}"#;
const LIST: &str = "GetAccountAuthorizationDetails";
const GONE: &str = "AIDAGONEGONEGONEGONE1";

async fn observe(cloud: &AwsCloud, probe: Probe) -> Observation {
    let account: AccountId = "111122223333".parse().unwrap();
    cloud.observe(&account, &probe).await.unwrap()
}

fn by_id(unique_id: &str) -> Probe {
    Probe::Whereabouts { access_key_id: None, unique_id: Some(unique_id.to_owned()) }
}

fn admin(w: &World) -> aws_sdk_iam::Client {
    w.account.put_user_policy_directly("release-bot", "release", Some(EVERYTHING));
    aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("release-bot")[0]))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_ask_about_users_that_are_gone_share_a_list() {
    let w = World::without_bot(false).await;
    let cloud = cloud(&w, None).await;
    let before = w.account.count(LIST);
    for seen in join_all((0..20).map(|_| observe(&cloud, by_id(GONE)))).await {
        assert_eq!(seen, Observation::OwnerMissing);
    }
    let read = w.account.count(LIST) - before;
    assert!((1..=3).contains(&read), "{read}");
    for _ in 0..5 {
        assert_eq!(observe(&cloud, by_id(GONE)).await, Observation::OwnerMissing);
    }
    assert_eq!(w.account.count(LIST) - before, read, "that was looked up");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_renamed_or_made_after_the_list_was_read_is_found_all_the_same() {
    let w = World::without_bot(false).await;
    let (cloud, iam) = (cloud(&w, None).await, admin(&w));
    let known = observe(&cloud, Probe::UserKeys { user_name: "deploy-bot".into() }).await;
    let id = known.owner_id().unwrap();
    assert_eq!(observe(&cloud, by_id(id)).await, known);
    iam.update_user().user_name("deploy-bot").new_user_name("ops-bot").send().await.unwrap();
    let arn = |seen: &Observation| seen.owner_arn().unwrap_or_default().to_owned();
    assert!(arn(&observe(&cloud, by_id(id)).await).ends_with(":user/ops-bot"));
    // Somebody else bears the name that the list has.
    iam.update_user().user_name("ops-bot").new_user_name("svc-bot").send().await.unwrap();
    let made = iam.create_user().user_name("ops-bot").send().await.unwrap().user.unwrap();
    assert!(arn(&observe(&cloud, by_id(id)).await).ends_with(":user/svc-bot"));
    assert!(arn(&observe(&cloud, by_id(&made.user_id)).await).ends_with(":user/ops-bot"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_key_is_found_by_its_id_though_aws_does_not_say_whose_the_key_is() {
    let w = World::without_bot(false).await;
    let cloud = cloud(&w, None).await;
    let known = observe(&cloud, Probe::UserKeys { user_name: "deploy-bot".into() }).await;
    let of_key = Probe::Whereabouts {
        access_key_id: "AKIAI44QH8DHBEXAMPLE".parse().ok(),
        unique_id: known.owner_id().map(str::to_owned),
    };
    w.account.fail_next("GetAccessKeyLastUsed", Fault::AccessDenied);
    assert_eq!(observe(&cloud, of_key).await, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_reader_role_may_not_ask_whose_a_key_is_that_is_said_and_the_key_is_not_missing() {
    let w = World::without_bot(false).await;
    let (cloud, iam) = (cloud(&w, None).await, admin(&w));
    let of_key = Probe::Whereabouts { access_key_id: w.stolen_key().parse().ok(), unique_id: None };
    iam.update_user().user_name("deploy-bot").new_user_name("ops-bot").send().await.unwrap();
    iam.create_user().user_name("deploy-bot").send().await.unwrap();
    w.account.put_role_policy_directly("irp-reader", "not-asked", Some(NOT_ASKED));
    let account: AccountId = "111122223333".parse().unwrap();
    let why = cloud.observe(&account, &of_key).await.unwrap_err().to_string();
    for part in ["AccessDenied", "the reader role lacks iam:GetAccessKeyLastUsed, or AWS no longer knows the key"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    w.account.put_role_policy_directly("irp-reader", "not-asked", None);
    let seen = observe(&cloud, of_key).await;
    assert!(seen.owner_arn().unwrap_or_default().ends_with(":user/ops-bot"), "{seen:?}");
    // A key that is deleted is nobody's: that is an answer.
    let of_none = Probe::Whereabouts { access_key_id: "AKIAI44QH8DHBEXAMPLE".parse().ok(), unique_id: None };
    assert_eq!(observe(&cloud, of_none).await, Observation::OwnerMissing);
}
