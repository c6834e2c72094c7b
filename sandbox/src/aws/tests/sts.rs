//! Temporary credentials.

use aws_sdk_sts::types::Credentials;

use super::{Cloud, code, refusal};
use crate::aws::KeyPair;

const CONTAIN: &str = "arn:aws:iam::111122223333:role/irp-contain";
const DEPLOY: &str = "arn:aws:iam::111122223333:role/app-deploy";

fn pair(credentials: Option<Credentials>) -> KeyPair {
    let credentials = credentials.unwrap();
    KeyPair {
        access_key_id: credentials.access_key_id,
        secret_access_key: credentials.secret_access_key,
        session_token: Some(credentials.session_token),
    }
}

#[tokio::test]
async fn a_role_is_taken_by_whom_it_trusts() {
    let cloud = Cloud::start().await;
    let assume = |user: &str, role: &str| {
        cloud.sts(cloud.keys(user)).assume_role().role_arn(role).role_session_name("INC-1").send()
    };
    let taken = assume("deploy-bot", DEPLOY).await.unwrap();
    let arn = taken.assumed_role_user().map(|user| user.arn().to_owned());
    assert_eq!(arn.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/app-deploy/INC-1"));
    let session = pair(taken.credentials);
    assert!(session.access_key_id.starts_with("ASIA"));
    assert!(cloud.iam(session).list_roles().send().await.is_ok());
    let (untrusted, message) = refusal(assume("deploy-bot", CONTAIN).await);
    assert_eq!(untrusted, "AccessDenied");
    let (absent, other) = refusal(assume("deploy-bot", "arn:aws:iam::111122223333:role/none").await);
    assert_eq!((absent.as_str(), other.len()), ("AccessDenied", message.len() - "irp-contain".len() + "none".len()));
}

#[tokio::test]
async fn a_recreated_user_is_no_longer_trusted() {
    let cloud = Cloud::start().await;
    cloud.account.delete_and_recreate_user("deploy-bot");
    let assume = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    cloud.account.put_user_policy_directly("deploy-bot", "all", Some(assume));
    let session = cloud.session("deploy-bot");
    let taken = cloud.sts(session).assume_role().role_arn(DEPLOY).role_session_name("job").send().await;
    assert_eq!(code(taken), "AccessDenied");
}

#[tokio::test]
async fn a_session_policy_leaves_only_what_both_allow() {
    let cloud = Cloud::start().await;
    let key = cloud.keys("deploy-bot").access_key_id;
    let one_call = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:UpdateAccessKey","iam:DeleteUser"],"Resource":"arn:aws:iam::111122223333:user/deploy-bot"}]}"#;
    let assume = |policy: &str| {
        let sts = cloud.sts(cloud.keys("irp-bot"));
        sts.assume_role()
            .role_arn(CONTAIN)
            .role_session_name("INC-1-a1")
            .source_identity("chris")
            .duration_seconds(900)
            .policy(policy)
            .send()
    };
    let taken = assume(one_call).await.unwrap();
    assert_eq!(taken.source_identity(), Some("chris"));
    let iam = cloud.iam(pair(taken.credentials));
    let (code_, message) = refusal(iam.list_access_keys().user_name("deploy-bot").send().await);
    assert_eq!(code_, "AccessDenied");
    assert!(message.ends_with("because no session policy allows the iam:ListAccessKeys action"), "{message}");
    assert_eq!(code(iam.delete_user().user_name("deploy-bot").send().await), "AccessDenied");
    let inactive = aws_sdk_iam::types::StatusType::Inactive;
    iam.update_access_key().user_name("deploy-bot").access_key_id(key).status(inactive).send().await.unwrap();

    assert_eq!(code(assume("{").await), "MalformedPolicyDocument");
    assert_eq!(code(assume(&format!("{one_call}{}", " ".repeat(2_048))).await), "ValidationError");
}

#[tokio::test]
async fn a_source_identity_needs_leave_and_stays() {
    let cloud = Cloud::start().await;
    let sts = cloud.sts(cloud.keys("deploy-bot"));
    let named = sts.assume_role().role_arn(DEPLOY).role_session_name("job").source_identity("chris").send().await;
    let (code_, message) = refusal(named);
    assert_eq!(code_, "AccessDenied");
    assert!(message.contains("sts:SetSourceIdentity"));
}

#[tokio::test]
async fn durations_have_limits() {
    let cloud = Cloud::start().await;
    let sts = cloud.sts(cloud.keys("deploy-bot"));
    let assume = |seconds| sts.assume_role().role_arn(DEPLOY).role_session_name("job").duration_seconds(seconds).send();
    assert_eq!(code(assume(899).await), "ValidationError");
    assert_eq!(code(assume(3_601).await), "ValidationError");
    assert!(assume(3_600).await.is_ok());
    assert_eq!(code(sts.get_session_token().duration_seconds(129_601).send().await), "ValidationError");
    assert!(sts.get_session_token().duration_seconds(129_600).send().await.is_ok());
}

#[tokio::test]
async fn a_key_id_tells_its_account() {
    let cloud = Cloud::start().await;
    let sts = cloud.sts(cloud.keys("irp-bot"));
    let key = cloud.keys("deploy-bot").access_key_id;
    let info = sts.get_access_key_info().access_key_id(key).send().await.unwrap();
    assert_eq!(info.account(), Some("111122223333"));
}

#[tokio::test]
async fn somebody_from_another_account_gets_in_where_the_trust_policy_lets_them() {
    let cloud = Cloud::start().await;
    let outsider = cloud.account.outsider("444455556666", "mallory");
    let sts = cloud.sts(outsider.clone());
    let assume = || sts.assume_role().role_arn(DEPLOY).role_session_name("job").send();
    assert_eq!(code(assume().await), "AccessDenied");
    let who = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(who.account(), Some("444455556666"));
    assert_eq!(code(cloud.iam(outsider).list_users().send().await), "AccessDenied");

    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"sts:AssumeRole"}]}"#;
    let admin = cloud.iam(cloud.admin());
    admin.update_assume_role_policy().role_name("app-deploy").policy_document(trust).send().await.unwrap();
    let session = assume().await.unwrap().credentials.unwrap();
    let inside = crate::aws::KeyPair {
        access_key_id: session.access_key_id,
        secret_access_key: session.secret_access_key,
        session_token: Some(session.session_token),
    };
    assert!(cloud.iam(inside).list_roles().send().await.is_ok());
    cloud.clock.advance(chrono::TimeDelta::minutes(6));
    let event = cloud.event("us-east-1", "AssumeRole").await;
    assert_eq!(event["userIdentity"]["type"], "AWSAccount");
    assert_eq!(event["userIdentity"]["accountId"], "444455556666");
    assert!(event["userIdentity"].get("accessKeyId").is_none());
}
