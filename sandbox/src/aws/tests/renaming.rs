//! A user under another name.

use aws_sdk_iam::types::StatusType;

use super::{Cloud, code};
use crate::aws::KeyStatus;

const RENAMES: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:UpdateUser","Resource":"arn:aws:iam::111122223333:user/deploy-bot"}]}"#;

#[tokio::test]
async fn a_renamed_user_keeps_all_but_its_name() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let (id, key) = (cloud.account.user_id("deploy-bot").unwrap(), cloud.keys("deploy-bot").access_key_id);
    let session = cloud.session("deploy-bot");
    iam.create_group().group_name("bots").send().await.unwrap();
    iam.add_user_to_group().group_name("bots").user_name("deploy-bot").send().await.unwrap();
    iam.create_login_profile().user_name("deploy-bot").password("Tr0ub4dor&3-and-more").send().await.unwrap();
    iam.update_user().user_name("deploy-bot").new_user_name("ci").new_path("/team/").send().await.unwrap();

    assert_eq!(code(iam.get_user().user_name("deploy-bot").send().await), "NoSuchEntity");
    assert_eq!(code(iam.list_access_keys().user_name("deploy-bot").send().await), "NoSuchEntity");
    let user = iam.get_user().user_name("ci").send().await.unwrap().user.unwrap();
    assert_eq!((user.user_id, &*user.arn), (id.clone(), "arn:aws:iam::111122223333:user/team/ci"));
    let last_used = iam.get_access_key_last_used().access_key_id(&key).send().await.unwrap();
    assert_eq!(last_used.user_name(), Some("ci"));
    let keys = iam.list_access_keys().user_name("ci").send().await.unwrap();
    assert!(keys.access_key_metadata().iter().any(|one| one.access_key_id() == Some(&*key)));
    assert!(iam.get_login_profile().user_name("ci").send().await.is_ok());
    assert!(!iam.list_user_policies().user_name("ci").send().await.unwrap().policy_names().is_empty());
    let group = iam.get_group().group_name("bots").send().await.unwrap();
    assert_eq!(group.users().iter().map(|user| user.user_name().to_owned()).collect::<Vec<_>>(), ["ci"]);
    // What was minted before it goes on, under the new name.
    let caller = cloud.sts(session).get_caller_identity().send().await.unwrap();
    assert_eq!(caller.arn(), Some("arn:aws:iam::111122223333:user/team/ci"));
    let off = iam.update_access_key().user_name("ci").access_key_id(&key).status(StatusType::Inactive);
    off.send().await.unwrap();
    assert_eq!(cloud.account.key_status(&key), Some(KeyStatus::Inactive));

    // Whoever is called so next is somebody else.
    iam.create_user().user_name("deploy-bot").send().await.unwrap();
    assert_ne!(cloud.account.user_id("deploy-bot"), Some(id));
    cloud.clock.advance(chrono::TimeDelta::minutes(6));
    let event = cloud.event("us-east-1", "UpdateUser").await;
    let asked = &event["requestParameters"];
    assert_eq!((asked["userName"].as_str(), asked["newUserName"].as_str()), (Some("deploy-bot"), Some("ci")));
    assert!(event["responseElements"].is_null() && event["readOnly"] == false, "{event}");
}

#[tokio::test]
async fn no_two_users_have_one_name_and_both_names_need_the_permission() {
    let cloud = Cloud::start().await;
    let admin = cloud.iam(cloud.admin());
    let rename =
        |iam: &aws_sdk_iam::Client, from: &str, to: &str| iam.update_user().user_name(from).new_user_name(to).send();
    assert_eq!(code(rename(&admin, "deploy-bot", "release-bot").await), "EntityAlreadyExists");
    assert_eq!(code(rename(&admin, "nobody", "somebody").await), "NoSuchEntity");
    assert_eq!(code(rename(&admin, "deploy-bot", "a b").await), "ValidationError");
    let wrong_path = admin.update_user().user_name("deploy-bot").new_path("team").send().await;
    assert_eq!(code(wrong_path), "ValidationError");
    // Its own name is no other's.
    rename(&admin, "deploy-bot", "deploy-bot").await.unwrap();
    let iam = cloud.iam(cloud.keys("deploy-bot"));
    assert_eq!(code(rename(&iam, "deploy-bot", "ci").await), "AccessDenied");
    cloud.account.put_user_policy_directly("deploy-bot", "renames", Some(RENAMES));
    assert_eq!(code(rename(&iam, "deploy-bot", "ci").await), "AccessDenied", "it may not be called so");
    let both = RENAMES.replace("user/deploy-bot", "user/*");
    cloud.account.put_user_policy_directly("deploy-bot", "renames", Some(&both));
    rename(&iam, "deploy-bot", "ci").await.unwrap();
    assert!(cloud.account.user_id("deploy-bot").is_none() && cloud.account.user_id("ci").is_some());
}
