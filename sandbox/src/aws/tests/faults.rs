//! Calls that go wrong on purpose.

use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::SdkError;
use aws_sdk_iam::types::StatusType;

use super::{Cloud, code};
use crate::aws::{Fault, KeyStatus, Outcome};

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let cloud = Cloud::start().await;
    let key = cloud.keys("deploy-bot").access_key_id;
    let config = cloud.config(cloud.session("irp-contain/test"), "us-east-1");
    let soon = TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build();
    let (patient, impatient) = (Client::new(&config), Client::new(&config.to_builder().timeout_config(soon).build()));
    let disable_by = |iam: &Client| {
        iam.update_access_key().user_name("deploy-bot").access_key_id(&key).status(StatusType::Inactive).send()
    };
    let disable = || disable_by(&patient);
    let reset = || cloud.account.set_key_status(&key, KeyStatus::Active);
    let status = || cloud.account.key_status(&key);
    for (fault, expected) in [
        (Fault::Throttle, "Throttling"),
        (Fault::AccessDenied, "AccessDenied"),
        (Fault::InternalError, "InternalFailure"),
        (Fault::Conflict("ConcurrentModification"), "ConcurrentModification"),
    ] {
        cloud.account.fail_next("UpdateAccessKey", fault);
        assert_eq!(code(disable().await), expected);
        assert_eq!(status(), Some(KeyStatus::Active));
    }
    cloud.account.fail_next("UpdateAccessKey", Fault::HangBefore);
    assert!(matches!(disable_by(&impatient).await.unwrap_err(), SdkError::TimeoutError(_)));
    assert_eq!(status(), Some(KeyStatus::Active));
    assert_eq!(cloud.account.calls().last().map(|call| call.outcome.clone()), Some(Outcome::Unanswered));

    cloud.account.fail_next("UpdateAccessKey", Fault::HangAfter);
    assert!(matches!(disable_by(&impatient).await.unwrap_err(), SdkError::TimeoutError(_)));
    assert_eq!(status(), Some(KeyStatus::Inactive));

    reset();
    cloud.account.fail_next("UpdateAccessKey", Fault::DropAfter);
    assert!(matches!(disable().await.unwrap_err(), SdkError::DispatchFailure(_)));
    assert_eq!(status(), Some(KeyStatus::Inactive));

    reset();
    let late = Duration::from_millis(300);
    cloud.account.fail_next("UpdateAccessKey", Fault::Late(late));
    let asked = Instant::now();
    disable().await.unwrap();
    assert!(asked.elapsed() >= late, "{:?}", asked.elapsed());
    assert_eq!(status(), Some(KeyStatus::Inactive));

    reset();
    disable().await.unwrap();
    assert_eq!(cloud.account.count("UpdateAccessKey"), 9);

    let pairs =
        |region| aws_sdk_ec2::Client::new(&cloud.config(cloud.session("irp-reader/t"), region)).describe_key_pairs();
    cloud.account.fail_in("eu-west-1", Some(Fault::Throttle));
    for _ in 0..3 {
        assert_eq!(code(pairs("eu-west-1").send().await), "RequestLimitExceeded");
    }
    pairs("us-east-1").send().await.unwrap();
    cloud.account.fail_in("eu-west-1", None);
    pairs("eu-west-1").send().await.unwrap();
}
