//! Objects, versions and Object Lock.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ObjectLockEnabled, ObjectLockMode};
use chrono::TimeDelta;

use super::{Cloud, code, refusal};
use crate::aws::s3::checksum;
use crate::aws::{Fault, KeyPair, Outcome};

const BUCKET: &str = "evidence";
const KEY: &str = "packs/INC-1 é+&/log.ndjson";

impl Cloud {
    fn s3(&self, keys: KeyPair) -> Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config(keys, "us-east-1")).force_path_style(true);
        Client::from_conf(config.build())
    }

    fn retained_for(&self, days: i64) -> DateTime {
        DateTime::from_secs((self.clock.now() + TimeDelta::days(days)).timestamp())
    }
}

/// A cloud with a bucket that locks, and somebody who may do everything.
async fn locked() -> (Cloud, Client) {
    let cloud = Cloud::start().await;
    cloud.account.put_bucket(BUCKET, "us-east-1", true);
    let s3 = cloud.s3(cloud.admin());
    (cloud, s3)
}

fn body(text: &'static str) -> ByteStream {
    ByteStream::from_static(text.as_bytes())
}

#[tokio::test]
async fn what_is_put_is_read_with_its_checksum_and_its_lock() {
    let (cloud, s3) = locked().await;
    let until = cloud.retained_for(30);
    let put = s3
        .put_object()
        .bucket(BUCKET)
        .key(KEY)
        .body(body("evidence"))
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .object_lock_mode(ObjectLockMode::Compliance)
        .object_lock_retain_until_date(until)
        .metadata("of", "INC-1")
        .send()
        .await
        .unwrap();
    let sum = checksum(b"evidence");
    assert_eq!(put.checksum_sha256(), Some(sum.as_str()));
    let head = s3.head_object().bucket(BUCKET).key(KEY).checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_sha256(), Some(sum.as_str()));
    assert_eq!(head.object_lock_mode(), Some(&ObjectLockMode::Compliance));
    assert_eq!(head.object_lock_retain_until_date().map(DateTime::secs), Some(until.secs()));
    assert_eq!(head.version_id(), put.version_id());
    assert_eq!((head.content_length(), head.metadata().unwrap()["of"].as_str()), (Some(8), "INC-1"));
    let got = s3.get_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"evidence");
    let listed = s3.list_objects_v2().bucket(BUCKET).prefix("packs/").send().await.unwrap();
    assert_eq!(listed.contents()[0].key(), Some(KEY));
}

#[tokio::test]
async fn a_stream_comes_in_chunks_with_the_checksum_behind_them() {
    let (cloud, s3) = locked().await;
    let file = std::env::temp_dir().join(format!("irp-sandbox-{}", std::process::id()));
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(&file, &bytes).unwrap();
    let stream = ByteStream::from_path(&file).await.unwrap();
    let put = s3.put_object().bucket(BUCKET).key("big").body(stream).checksum_algorithm(ChecksumAlgorithm::Sha256);
    let put = put.send().await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(put.unwrap().checksum_sha256(), Some(checksum(&bytes).as_str()));
    assert_eq!(cloud.account.objects(BUCKET)["big"], bytes);
}

#[tokio::test]
async fn a_wrong_checksum_and_one_that_is_not_known_are_refused() {
    let (cloud, s3) = locked().await;
    let put = || s3.put_object().bucket(BUCKET).key(KEY).body(body("evidence"));
    let wrong = checksum(b"another");
    assert_eq!(code(put().checksum_sha256(wrong).send().await), "BadDigest");
    assert_eq!(code(put().checksum_algorithm(ChecksumAlgorithm::Crc32).send().await), "NotImplemented");
    assert!(cloud.account.objects(BUCKET).is_empty());
}

#[tokio::test]
async fn nothing_is_overwritten_under_a_condition() {
    let (cloud, s3) = locked().await;
    let put = |text, only_new: Option<&str>| {
        s3.put_object()
            .bucket(BUCKET)
            .key(KEY)
            .body(body(text))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_if_none_match(only_new.map(str::to_owned))
            .send()
    };
    put("one", Some("*")).await.unwrap();
    assert_eq!(code(put("two", Some("*")).await), "PreconditionFailed");
    assert_eq!(cloud.account.objects(BUCKET)[KEY], "one");
    // Without it a new version covers the old one, which stays.
    put("two", None).await.unwrap();
    let versions = cloud.account.object_versions(BUCKET, KEY);
    let texts: Vec<_> = versions.iter().map(|version| version.bytes.clone().unwrap()).collect();
    assert_eq!(texts, ["one", "two"]);
    // What a delete marker covers does not count as there.
    s3.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    put("three", Some("*")).await.unwrap();
    assert_eq!(cloud.account.object_versions(BUCKET, KEY).len(), 4);
}

#[tokio::test]
async fn a_version_under_lock_cannot_be_deleted() {
    let (cloud, s3) = locked().await;
    let put = |key: &'static str, mode| {
        s3.put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body("evidence"))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .object_lock_mode(mode)
            .object_lock_retain_until_date(cloud.retained_for(30))
            .send()
    };
    let strict = put("strict", ObjectLockMode::Compliance).await.unwrap().version_id.unwrap();
    let loose = put("loose", ObjectLockMode::Governance).await.unwrap().version_id.unwrap();
    let delete = |key: &str, id: &str, bypass: bool| {
        s3.delete_object().bucket(BUCKET).key(key).version_id(id).bypass_governance_retention(bypass).send()
    };
    let (refused, why) = refusal(delete("strict", &strict, true).await);
    assert_eq!(refused, "AccessDenied");
    assert_eq!(why, "Access Denied because object protected by object lock.");
    assert_eq!(code(delete("loose", &loose, false).await), "AccessDenied");
    delete("loose", &loose, true).await.unwrap();
    assert!(cloud.account.object_versions(BUCKET, "loose").is_empty());
    // A marker hides it, and takes nothing away.
    s3.delete_object().bucket(BUCKET).key("strict").send().await.unwrap();
    assert!(!cloud.account.objects(BUCKET).contains_key("strict"));
    let kept = s3.get_object().bucket(BUCKET).key("strict").version_id(&strict).send().await.unwrap();
    assert_eq!(kept.body.collect().await.unwrap().to_vec(), b"evidence");
    cloud.clock.advance(TimeDelta::days(31));
    delete("strict", &strict, false).await.unwrap();
}

#[tokio::test]
async fn a_bucket_without_object_lock_takes_none() {
    let cloud = Cloud::start().await;
    cloud.account.put_bucket("plain", "us-east-1", false);
    let s3 = cloud.s3(cloud.admin());
    let asked = s3.get_object_lock_configuration().bucket("plain").send().await;
    assert_eq!(code(asked), "ObjectLockConfigurationNotFoundError");
    let put = || s3.put_object().bucket("plain").key("a").body(body("x")).checksum_algorithm(ChecksumAlgorithm::Sha256);
    let mode = ObjectLockMode::Governance;
    let lock = put().object_lock_mode(mode.clone()).object_lock_retain_until_date(cloud.retained_for(1)).send().await;
    assert_eq!(refusal(lock), ("InvalidRequest".into(), "Bucket is missing Object Lock Configuration".into()));
    assert_eq!(code(put().object_lock_mode(mode).send().await), "InvalidArgument");
    assert_eq!(put().send().await.unwrap().version_id(), None);
    s3.delete_object().bucket("plain").key("a").send().await.unwrap();
    assert_eq!(code(s3.get_object().bucket("plain").key("a").send().await), "NoSuchKey");
    let (cloud, s3) = locked().await;
    let asked = s3.get_object_lock_configuration().bucket(BUCKET).send().await.unwrap();
    let enabled = asked.object_lock_configuration().and_then(|lock| lock.object_lock_enabled());
    assert_eq!(enabled, Some(&ObjectLockEnabled::Enabled));
    let past = DateTime::from_secs(cloud.clock.now().timestamp() - 1);
    let put = s3.put_object().bucket(BUCKET).key("a").body(body("x")).checksum_algorithm(ChecksumAlgorithm::Sha256);
    let put = put.object_lock_mode(ObjectLockMode::Governance).object_lock_retain_until_date(past).send().await;
    assert_eq!(code(put), "InvalidArgument");
}

#[tokio::test]
async fn each_permission_is_asked_for() {
    let (cloud, admin) = locked().await;
    admin
        .put_object()
        .bucket(BUCKET)
        .key("there")
        .body(body("x"))
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .object_lock_mode(ObjectLockMode::Governance)
        .object_lock_retain_until_date(cloud.retained_for(1))
        .send()
        .await
        .unwrap();
    let may = |actions: &str| {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"arn:aws:s3:::{BUCKET}/*"}}]}}"#
        );
        cloud.account.put_user_policy_directly("irp-bot", "vault", Some(&document));
        cloud.s3(cloud.keys("irp-bot"))
    };
    let s3 = may(r#""s3:PutObject""#);
    let lock = s3.put_object().bucket(BUCKET).key("a").body(body("x")).checksum_algorithm(ChecksumAlgorithm::Sha256);
    let lock = lock.object_lock_mode(ObjectLockMode::Governance);
    let (refused, why) = refusal(lock.object_lock_retain_until_date(cloud.retained_for(1)).send().await);
    assert_eq!(refused, "AccessDenied");
    assert!(why.contains("s3:PutObjectRetention on resource: \"arn:aws:s3:::evidence/a\""), "{why}");
    assert_eq!(code(s3.get_object().bucket(BUCKET).key("there").send().await), "AccessDenied");
    assert_eq!(code(s3.get_object_lock_configuration().bucket(BUCKET).send().await), "AccessDenied");
    let s3 = may(r#""s3:GetObject""#);
    // Who may not list is not told what is missing, nor the lock without a permission of its own.
    assert_eq!(code(s3.get_object().bucket(BUCKET).key("missing").send().await), "AccessDenied");
    assert_eq!(s3.head_object().bucket(BUCKET).key("there").send().await.unwrap().object_lock_mode(), None);
    let s3 = may(r#""s3:GetObject", "s3:GetObjectRetention""#);
    assert!(s3.head_object().bucket(BUCKET).key("there").send().await.unwrap().object_lock_mode().is_some());
}

#[tokio::test]
async fn refusals_and_faults_are_in_s3s_own_words() {
    let (cloud, s3) = locked().await;
    cloud.account.put_bucket("elsewhere", "eu-west-1", true);
    let get = |bucket: &str| s3.get_object().bucket(bucket).key("a").send();
    assert_eq!(code(get("nowhere").await), "NoSuchBucket");
    assert!(refusal(get("elsewhere").await).1.ends_with("expecting 'eu-west-1'"));
    let mut keys = cloud.admin();
    keys.secret_access_key.push('x');
    assert_eq!(code(cloud.s3(keys.clone()).get_object().bucket(BUCKET).key("a").send().await), "SignatureDoesNotMatch");
    keys.access_key_id = "AKIAXXXXXXXXXXXXXXXX".into();
    assert_eq!(code(cloud.s3(keys).get_object().bucket(BUCKET).key("a").send().await), "InvalidAccessKeyId");
    for (fault, said) in [(Fault::Throttle, "SlowDown"), (Fault::InternalError, "InternalError")] {
        cloud.account.fail_next("GetObject", fault);
        assert_eq!(code(get(BUCKET).await), said);
    }
    assert_eq!(code(s3.get_object_acl().bucket(BUCKET).key("a").send().await), "NotImplemented");
    let calls = cloud.account.calls();
    assert!(calls.iter().any(|call| call.service == "s3" && call.outcome == Outcome::Error("SlowDown".into())));
}
