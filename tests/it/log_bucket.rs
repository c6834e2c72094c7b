//! An attacker stops a trail and deletes its bucket: it can be started again, and that alone records nothing.

use irp::domain::hunt::Trace;
use irp::domain::trail::footprint::State;

use crate::estate::{changed, made};
use crate::world::World;

const HOME: &str = "us-east-1";
const TRAIL: &str = "management-events";
const START: &str = "· Start trail management-events again";
const DELIVER: &str = "· Have trail management-events in us-east-1 deliver again";

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_is_started_again_without_its_bucket_is_no_trail_that_works() {
    let w = World::start().await;
    let attacker = w.hands();
    attacker.stops_the_trail().await;
    let config = attacker.config(HOME);
    let trails = aws_sdk_cloudtrail::Client::new(&config);
    let described = trails.describe_trails().send().await.unwrap();
    let bucket = described.trail_list()[0].s3_bucket_name().unwrap().to_owned();
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    // What is due comes into it with the first call.
    s3.delete_object().bucket(&bucket).key("none").send().await.unwrap();
    for key in w.account.objects(&bucket).into_keys() {
        s3.delete_object().bucket(&bucket).key(key).send().await.unwrap();
    }
    s3.delete_bucket().bucket(&bucket).send().await.unwrap();

    w.incident().await;
    let gone = Trace {
        state: State::Deleted,
        made_by_attacker: false,
        deleted_by_attacker: true,
        newest: Some("e-2".into()),
        ..made("S3::Bucket", &bucket, HOME)
    };
    w.hunted(vec![changed("CloudTrail::Trail", TRAIL, "StopLogging", "e-1"), gone]).await;
    let anew = format!("· Make anew by hand: AWS::S3::Bucket {bucket}");
    w.until_card(&anew, "not for the bot").await;
    assert!(w.blocks(&anew).contains("aws s3api create-bucket --bucket"), "{}", w.blocks(&anew));
    w.carried_out_again(START).await;
    assert_eq!(w.account.is_logging(TRAIL), Some(true));
    assert!(w.blocks(START).contains("On is not enough") && w.blocks(START).contains("NoSuchBucket"));
    w.until_card(DELIVER, "not for the bot").await;
    let card = w.blocks(DELIVER);
    assert!(card.contains("NoSuchBucket") && card.contains("aws cloudtrail get-trail-status"), "{card}");
    w.end().await;
}
