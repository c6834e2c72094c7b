//! S3 only: locks, permissions, and answers that do not come.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use chrono::TimeDelta;
use irp::adapters::clock::SystemClock;
use irp::config::vault::LockMode;
use irp::ports::{Clock, Vault, VaultError};
use irp_sandbox::aws::Fault;

use super::{BUCKET, Cloud, PERMISSIONS, files, store};

const LOG: &str = "packs/INC-1-pack/log.ndjson";
const LIST: &str = "packs/INC-1-pack/manifest.json";

impl Cloud {
    /// S3 for somebody who may do all but get around a lock.
    fn intruder(&self) -> Client {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
            {"Effect":"Deny","Action":"s3:BypassGovernanceRetention","Resource":"*"}]}"#;
        self.account.put_user_policy_directly("release-bot", "s3", Some(document));
        let key = self.account.principal_credentials("release-bot").unwrap();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(&self.url)
            .force_path_style(true)
            .credentials_provider(Credentials::new(key.access_key_id, key.secret_access_key, None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        Client::from_conf(config.build())
    }

    /// That each object of the pack is there once, and the list of them too.
    fn is_stored_once(&self) {
        let objects = self.account.objects(BUCKET);
        assert_eq!(objects.len(), files().len() + 1, "{objects:?}");
        for key in objects.keys() {
            assert_eq!(self.account.object_versions(BUCKET, key).len(), 1, "{key}");
        }
    }
}

#[tokio::test]
async fn every_object_is_locked_as_was_asked() {
    let cloud = Cloud::start().await;
    for (mode, days, name) in [(LockMode::Governance, 1, "a"), (LockMode::Compliance, 3650, "b")] {
        let vault = cloud.vault(|bucket| (bucket.lock_mode, bucket.lock_days) = (mode, days)).await;
        let place = store(&vault, name, &files()).await.unwrap();
        assert!(place.starts_with(&format!("s3://{BUCKET}/packs/{name}/, kept in {mode} mode until 20")), "{place}");
        let expected = SystemClock.now() + TimeDelta::days(days.into());
        for path in files().into_keys().chain(["manifest.json".to_owned()]) {
            let [version] = &cloud.account.object_versions(BUCKET, &format!("packs/{name}/{path}"))[..] else {
                panic!("{path}: one version");
            };
            let (is, until) = version.retained.clone().unwrap();
            assert_eq!(is, mode.to_string());
            assert!((expected - until).abs() < TimeDelta::minutes(1), "{until}");
        }
    }
}

#[tokio::test]
async fn what_is_locked_outlives_whoever_tampers_with_it() {
    let cloud = Cloud::start().await;
    store(&cloud.vault(|_| {}).await, "INC-1-pack", &files()).await.unwrap();
    let before = cloud.account.object_versions(BUCKET, LOG);
    let s3 = cloud.intruder();
    for bypass in [false, true] {
        let delete = s3.delete_object().bucket(BUCKET).key(LOG).version_id(&before[0].id);
        let refused = delete.bypass_governance_retention(bypass).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("AccessDenied"), "{}", DisplayErrorContext(&refused));
    }
    // Covering it up leaves it below.
    s3.delete_object().bucket(BUCKET).key(LOG).send().await.unwrap();
    let forged = ByteStream::from_static(b"nothing happened");
    let put = s3.put_object().bucket(BUCKET).key(LOG).body(forged).checksum_algorithm(ChecksumAlgorithm::Sha256);
    put.send().await.unwrap();
    let after = cloud.account.object_versions(BUCKET, LOG);
    assert_eq!(after.len(), 3);
    assert_eq!((&after[0].id, &after[0].bytes), (&before[0].id, &before[0].bytes));
}

#[tokio::test]
async fn a_bucket_that_cannot_lock_gets_nothing() {
    let cloud = Cloud::start().await;
    cloud.account.put_bucket("plain", "us-east-1", false);
    cloud.account.put_bucket("abroad", "eu-west-1", true);
    for (name, says) in [
        ("plain", "the bucket plain has no Object Lock, so packs in it could be deleted"),
        ("nowhere", "there is no bucket nowhere: is IRP_VAULT right?"),
        ("abroad", "the bucket abroad is not in us-east-1: set IRP_VAULT_REGION"),
    ] {
        let vault = cloud.vault(|bucket| bucket.name = name.into()).await;
        for refused in [vault.inspect().await.unwrap_err(), store(&vault, "a", &files()).await.unwrap_err()] {
            assert!(matches!(&refused, VaultError::Refused(_)), "{refused}");
            assert!(refused.to_string().contains(says), "{refused}");
        }
    }
    assert_eq!(cloud.account.count("PutObject"), 0);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let cloud = Cloud::start().await;
    let vault = cloud.vault(|_| {}).await;
    for missing in PERMISSIONS {
        let rest: Vec<&str> = PERMISSIONS.into_iter().filter(|action| *action != missing).collect();
        cloud.allow(&rest);
        let refused = store(&vault, missing, &files()).await.unwrap_err();
        assert!(matches!(&refused, VaultError::Refused(_)), "{refused}");
        assert!(refused.to_string().contains(missing), "{missing}: {refused}");
        assert!(!cloud.account.objects(BUCKET).keys().any(|key| key.ends_with("manifest.json")));
    }
}

#[tokio::test]
async fn throttled_failed_and_then_stored() {
    let cloud = Cloud::start().await;
    let vault = cloud.vault(|_| {}).await;
    for operation in ["GetObjectLockConfiguration", "PutObject", "HeadObject"] {
        cloud.account.fail_next(operation, Fault::Throttle);
        cloud.account.fail_next(operation, Fault::InternalError);
    }
    store(&vault, "INC-1-pack", &files()).await.unwrap();
    cloud.is_stored_once();
}

#[tokio::test]
async fn a_put_whose_answer_got_lost_is_recognised() {
    let cloud = Cloud::start().await;
    let vault = cloud.vault(|_| {}).await;
    for _ in 0..=files().len() {
        cloud.account.fail_next("PutObject", Fault::DropAfter);
    }
    store(&vault, "INC-1-pack", &files()).await.unwrap();
    cloud.is_stored_once();
    assert!(cloud.account.count("PutObject") > files().len() + 1, "some were tried again");
}

#[tokio::test]
async fn the_same_bytes_of_somebody_else_are_not_taken_for_ones_own() {
    let cloud = Cloud::start().await;
    let theirs = ByteStream::from(files()["log.ndjson"].clone());
    let put = cloud.intruder().put_object().bucket(BUCKET).key(LOG).body(theirs);
    put.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    let refused = store(&cloud.vault(|_| {}).await, "INC-1-pack", &files()).await.unwrap_err();
    assert!(matches!(&refused, VaultError::Exists(place) if place.ends_with(LOG)), "{refused}");
    assert!(!cloud.account.objects(BUCKET).contains_key(LIST));
}

#[tokio::test]
async fn what_does_not_come_back_is_not_called_stored() {
    let cloud = Cloud::start().await;
    let vault = cloud.vault(|_| {}).await;
    for _ in 0..100 {
        cloud.account.fail_next("PutObject", Fault::InternalError);
    }
    let files = files();
    let failed = tokio::time::timeout(Duration::from_mins(1), store(&vault, "INC-1-pack", &files));
    let failed = failed.await.unwrap().unwrap_err();
    assert!(matches!(&failed, VaultError::Unavailable(_)), "{failed}");
    assert!(failed.to_string().contains("s3:PutObject"), "{failed}");
    assert!(cloud.account.objects(BUCKET).is_empty());
}
