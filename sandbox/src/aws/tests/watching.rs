//! What watches the account: trails and detectors; and the secrets that are there to be read.

use chrono::TimeDelta;

use super::{Cloud, code};

const REGION: &str = "us-east-1";
const TRAIL: &str = "management-events";

#[tokio::test]
async fn a_trail_stops_and_the_history_goes_on() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin();
    let trails = cloud.trail(admin.clone(), REGION);
    let shown = trails.describe_trails().send().await.unwrap();
    let arn = shown.trail_list()[0].trail_arn().unwrap().to_owned();
    let logs = || async { trails.get_trail_status().name(TRAIL).send().await.unwrap().is_logging() };
    assert_eq!(logs().await, Some(true));
    trails.stop_logging().name(TRAIL).send().await.unwrap();
    assert_eq!(logs().await, Some(false));
    cloud.sts(admin.clone()).get_caller_identity().send().await.unwrap();
    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event(REGION, "StopLogging").await;
    assert_eq!(event["requestParameters"]["name"], TRAIL);
    assert_eq!(event["readOnly"], false);
    let elsewhere = cloud.trail(admin, "eu-west-1");
    assert_eq!(code(elsewhere.start_logging().name(TRAIL).send().await), "TrailNotFoundException");
    assert_eq!(code(elsewhere.start_logging().name(&arn).send().await), "InvalidHomeRegionException");
    assert_eq!(elsewhere.describe_trails().send().await.unwrap().trail_list().len(), 1, "as its shadow");
    trails.start_logging().name(&arn).send().await.unwrap();
    assert_eq!(cloud.account.is_logging(TRAIL), Some(true));
    let denied = cloud.trail(cloud.keys("irp-bot"), REGION);
    assert_eq!(code(denied.stop_logging().name(TRAIL).send().await), "AccessDeniedException");
}

#[tokio::test]
async fn a_trail_whose_bucket_is_gone_is_on_and_delivers_nothing() {
    let cloud = Cloud::start().await;
    let admin = cloud.admin();
    let trails = cloud.trail(admin.clone(), REGION);
    let error = || async {
        let shown = trails.get_trail_status().name(TRAIL).send().await.unwrap();
        assert_eq!(shown.is_logging(), Some(true));
        shown.latest_delivery_error().map(str::to_owned)
    };
    assert_eq!(error().await, None);
    let shown = trails.describe_trails().send().await.unwrap();
    let bucket = shown.trail_list()[0].s3_bucket_name().unwrap().to_owned();
    let config = aws_sdk_s3::config::Builder::from(&cloud.config(admin, REGION)).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    cloud.account.put_bucket(&bucket, REGION, false);
    let put = s3.put_object().bucket(&bucket).key("notes").body("x".as_bytes().to_vec().into());
    put.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256).send().await.unwrap();
    assert_eq!(code(s3.delete_bucket().bucket(&bucket).send().await), "BucketNotEmpty");
    for key in cloud.account.objects(&bucket).into_keys() {
        s3.delete_object().bucket(&bucket).key(key).send().await.unwrap();
    }
    s3.delete_bucket().bucket(&bucket).send().await.unwrap();
    assert_eq!(error().await.as_deref(), Some("NoSuchBucket"));
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.events(REGION, "DeleteBucket").await;
    assert!(events.iter().all(|event| event["requestParameters"]["bucketName"] == bucket.as_str()));
    assert_eq!(events.iter().filter(|event| event.get("errorCode").is_none()).count(), 1);
    cloud.account.put_bucket(&bucket, REGION, false);
    assert_eq!(error().await, None, "made anew it delivers again");
}

#[tokio::test]
async fn a_detector_is_suspended_and_works_again() {
    let cloud = Cloud::start().await;
    let detectors = aws_sdk_guardduty::Client::new(&cloud.config(cloud.admin(), "eu-west-1"));
    let id = cloud.account.detector_id("eu-west-1").unwrap();
    let status = || async {
        let shown = detectors.get_detector().detector_id(&id).send().await.unwrap();
        shown.status().unwrap().as_str().to_owned()
    };
    assert_eq!(status().await, "ENABLED");
    detectors.update_detector().detector_id(&id).enable(false).send().await.unwrap();
    assert_eq!(status().await, "DISABLED");
    assert_eq!(cloud.account.detector_works("us-east-1"), Some(true), "the other Region's is another");
    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event("eu-west-1", "UpdateDetector").await;
    assert_eq!(event["requestParameters"]["detectorId"], id.as_str());
    assert_eq!(event["requestParameters"]["enable"], false);
    detectors.update_detector().detector_id(&id).enable(true).send().await.unwrap();
    assert_eq!(status().await, "ENABLED");
    let foreign = detectors.get_detector().detector_id("0").send().await;
    assert_eq!(code(foreign), "BadRequestException");
}

#[tokio::test]
async fn secrets_are_read_and_the_trail_says_which_but_not_what() {
    let cloud = Cloud::start().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&cloud.config(cloud.admin(), REGION));
    let listed = secrets.list_secrets().send().await.unwrap();
    assert_eq!(listed.secret_list().len(), 2);
    let read = secrets.get_secret_value().secret_id("prod/db/password").send().await.unwrap();
    let value = read.secret_string().unwrap();
    assert!(value.len() >= 20);
    let none = secrets.get_secret_value().secret_id("prod/none").send().await;
    assert_eq!(code(none), "ResourceNotFoundException");
    let denied = aws_sdk_secretsmanager::Client::new(&cloud.config(cloud.keys("irp-bot"), REGION));
    let denied = denied.get_secret_value().secret_id("prod/db/password").send().await;
    assert_eq!(code(denied), "AccessDeniedException");
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.events(REGION, "GetSecretValue").await;
    assert_eq!(events.len(), 3);
    let read = events.iter().find(|event| event.get("errorCode").is_none()).unwrap();
    assert_eq!(read["requestParameters"]["secretId"], "prod/db/password");
    assert!(!read.to_string().contains(value));
}
