//! Signatures, keys, sessions, permissions.

use chrono::{SecondsFormat, TimeDelta};

use super::{Cloud, code, refusal};
use crate::aws::{KeyPair, KeyStatus, Outcome};

#[tokio::test]
async fn a_good_signature_is_let_in_and_written_down() {
    let cloud = Cloud::start().await;
    let keys = cloud.keys("deploy-bot");
    let who = cloud.sts(keys.clone()).get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:iam::111122223333:user/deploy-bot"));
    assert_eq!(who.account(), Some(cloud.account.id()));
    assert_eq!(who.user_id().map(str::to_owned), cloud.account.user_id("deploy-bot"));
    let calls = cloud.account.calls();
    assert_eq!(calls[0].access_key_id, keys.access_key_id);
    assert_eq!(calls[0].outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key() {
    let cloud = Cloud::start().await;
    let mut keys = cloud.keys("deploy-bot");
    keys.secret_access_key.push('x');
    assert_eq!(code(cloud.iam(keys.clone()).list_users().send().await), "SignatureDoesNotMatch");
    keys.access_key_id = "AKIAXXXXXXXXXXXXXXXX".to_owned();
    assert_eq!(code(cloud.iam(keys).list_users().send().await), "InvalidClientTokenId");
    assert_eq!(cloud.account.count("ListUsers"), 2);
    assert_eq!(cloud.account.calls()[1].caller_arn, None);
}

#[tokio::test]
async fn an_inactive_key_is_like_none_but_its_sessions_live() {
    let cloud = Cloud::start().await;
    let keys = cloud.keys("deploy-bot");
    let session = cloud.session("deploy-bot");
    cloud.account.set_key_status(&keys.access_key_id, KeyStatus::Inactive);
    assert_eq!(code(cloud.sts(keys).get_caller_identity().send().await), "InvalidClientTokenId");
    assert!(cloud.sts(session).get_caller_identity().send().await.is_ok());
}

#[tokio::test]
async fn a_session_needs_its_token_and_ends() {
    let cloud = Cloud::start().await;
    let session = cloud.session("app-deploy/job");
    let bare = KeyPair { session_token: None, ..session.clone() };
    assert_eq!(code(cloud.iam(bare).list_roles().send().await), "InvalidClientTokenId");
    assert!(cloud.iam(session.clone()).list_roles().send().await.is_ok());
    cloud.clock.advance(TimeDelta::minutes(61));
    assert_eq!(code(cloud.iam(session).list_roles().send().await), "ExpiredToken");
}

#[tokio::test]
async fn older_sessions_are_denied_and_the_long_term_key_is_not() {
    let cloud = Cloud::start().await;
    let (keys, session) = (cloud.keys("deploy-bot"), cloud.session("deploy-bot"));
    let role = "arn:aws:iam::111122223333:role/app-deploy";
    let assume = |keys: KeyPair| cloud.sts(keys).assume_role().role_arn(role).role_session_name("job").send();
    assert!(assume(session.clone()).await.is_ok());
    let cut_off = (cloud.clock.now() + TimeDelta::seconds(30)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let deny = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{cut_off}"}}}}}}]}}"#
    );
    cloud.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(&deny));
    let (code, message) = refusal(assume(session).await);
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        message,
        "User: arn:aws:iam::111122223333:user/deploy-bot is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::111122223333:role/app-deploy with an explicit deny in an identity-based policy"
    );
    assert!(assume(keys.clone()).await.is_ok());
    cloud.clock.advance(TimeDelta::seconds(31));
    assert!(assume(cloud.session("deploy-bot")).await.is_ok());
}

#[tokio::test]
async fn a_users_session_cannot_call_iam() {
    let cloud = Cloud::start().await;
    let session = cloud.session("deploy-bot");
    assert_eq!(code(cloud.iam(session.clone()).list_users().send().await), "InvalidClientTokenId");
    assert_eq!(code(cloud.sts(session).get_session_token().send().await), "AccessDenied");
}

#[tokio::test]
async fn a_refusal_says_what_is_missing() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.keys("deploy-bot"));
    let (code, message) = refusal(iam.delete_user().user_name("irp-bot").send().await);
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        message,
        "User: arn:aws:iam::111122223333:user/deploy-bot is not authorized to perform: iam:DeleteUser on resource: \
         user irp-bot because no identity-based policy allows the iam:DeleteUser action"
    );
}

#[tokio::test]
async fn changes_take_their_time() {
    let cloud = Cloud::start().await;
    cloud.account.set_propagation(TimeDelta::seconds(30));
    let keys = cloud.keys("deploy-bot");
    cloud.account.set_key_status(&keys.access_key_id, KeyStatus::Inactive);
    assert_eq!(cloud.account.key_status(&keys.access_key_id), Some(KeyStatus::Inactive));
    assert!(cloud.sts(keys.clone()).get_caller_identity().send().await.is_ok());
    cloud.clock.advance(TimeDelta::seconds(31));
    assert_eq!(code(cloud.sts(keys).get_caller_identity().send().await), "InvalidClientTokenId");
}
