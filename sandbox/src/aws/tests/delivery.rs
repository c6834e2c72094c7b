//! What the trail puts into its bucket, data events among it, and what of that the history has.

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use chrono::TimeDelta;
use serde_json::Value;

use super::Cloud;

const LOGS: &str = "trail-logs-111122223333";
const EXPORTS: &str = "customer-exports-111122223333";

impl Cloud {
    fn store(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config(self.admin(), "us-east-1")).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// All events of this name in the bucket, after a look into it.
    async fn logged(&self, name: &str) -> Vec<Value> {
        self.store().list_objects_v2().bucket(LOGS).send().await.unwrap();
        let files = self.account.objects(LOGS);
        let records = files.values().flat_map(|text| {
            let file: Value = serde_json::from_slice(text).unwrap();
            file["Records"].as_array().cloned().unwrap()
        });
        records.filter(|record| record["eventName"] == name).collect()
    }
}

#[tokio::test]
async fn a_data_event_is_in_the_files_and_not_in_the_history() {
    let cloud = Cloud::start().await;
    cloud.store().get_object().bucket(EXPORTS).key("customers.csv").send().await.unwrap();
    assert!(cloud.logged("GetObject").await.is_empty(), "files come minutes later");
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.logged("GetObject").await;
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_eq!((&event["eventCategory"], &event["managementEvent"]), (&"Data".into(), &false.into()));
    assert_eq!(event["requestParameters"]["key"], "customers.csv");
    assert_eq!(event["resources"][0]["ARN"], format!("arn:aws:s3:::{EXPORTS}/customers.csv"));
    assert_eq!(cloud.logged("GetObject").await.len(), 1, "each is there once");
    assert!(cloud.logged("AssumeRole").await.len() > 20, "two weeks of management events are there too");
    assert!(cloud.account.objects(LOGS).keys().all(|key| key.starts_with("AWSLogs/111122223333/CloudTrail/")));

    let history = cloud.trail(cloud.session("irp-reader/test"), "us-east-1");
    let named = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventName).attribute_value("GetObject");
    let found = history.lookup_events().lookup_attributes(named.build().unwrap()).send().await.unwrap();
    assert!(found.events().is_empty(), "{found:?}");
}

#[tokio::test]
async fn what_happens_while_no_trail_records_is_in_no_file() {
    let cloud = Cloud::start().await;
    let trails = cloud.trail(cloud.admin(), "us-east-1");
    let read = async |key: &str| {
        cloud.store().get_object().bucket(EXPORTS).key(key).send().await.unwrap();
    };
    trails.stop_logging().name("management-events").send().await.unwrap();
    read("customers.csv").await;
    trails.start_logging().name("management-events").send().await.unwrap();
    read("orders-2026.csv").await;
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.logged("GetObject").await;
    let keys: Vec<&Value> = events.iter().map(|event| &event["requestParameters"]["key"]).collect();
    assert_eq!(keys, ["orders-2026.csv"]);
}
