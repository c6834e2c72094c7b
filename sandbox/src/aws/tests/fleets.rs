//! Fleets that replace what ends, until they are deleted; warm pools.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types as ec2;
use chrono::TimeDelta;

use super::{Cloud, code, refusal};

const WEST: &str = "us-west-2";

struct Hands {
    cloud: Cloud,
    ec2: Client,
    template: String,
}

impl Hands {
    async fn start() -> Self {
        let cloud = Cloud::start().await;
        let client = Client::new(&cloud.config(cloud.admin(), WEST));
        let data =
            ec2::RequestLaunchTemplateData::builder().image_id("ami-1").instance_type(ec2::InstanceType::M5Large);
        let made = client.create_launch_template().launch_template_name("web").launch_template_data(data.build());
        let template = made.send().await.unwrap().launch_template.unwrap().launch_template_id.unwrap();
        Self { cloud, ec2: client, template }
    }

    fn later(&self, seconds: i64) {
        self.cloud.clock.advance(TimeDelta::seconds(seconds));
    }

    async fn fleet(&self, kind: ec2::FleetType) -> aws_sdk_ec2::operation::create_fleet::CreateFleetOutput {
        let from = ec2::FleetLaunchTemplateSpecificationRequest::builder().launch_template_id(&self.template);
        let config = ec2::FleetLaunchTemplateConfigRequest::builder();
        let config = config.launch_template_specification(from.version("$Latest").build()).build();
        let target = ec2::TargetCapacitySpecificationRequest::builder().total_target_capacity(2).build();
        let create = self.ec2.create_fleet().launch_template_configs(config).target_capacity_specification(target);
        create.r#type(kind).send().await.unwrap()
    }

    async fn active(&self, id: &str) -> Vec<String> {
        let found = self.ec2.describe_fleet_instances().fleet_id(id).send().await.unwrap();
        found.active_instances().iter().map(|one| one.instance_id().unwrap().to_owned()).collect()
    }

    async fn end(&self, ids: &[String]) {
        self.ec2.terminate_instances().set_instance_ids(Some(ids.to_vec())).send().await.unwrap();
    }

    async fn state(&self, id: &str) -> String {
        let found = self.ec2.describe_fleets().fleet_ids(id).send().await.unwrap();
        found.fleets()[0].fleet_state().unwrap().as_str().to_owned()
    }
}

#[tokio::test]
async fn what_a_fleet_keeps_up_comes_back_until_it_is_deleted_and_runs_on_after_that() {
    let hands = Hands::start().await;
    let id = hands.fleet(ec2::FleetType::Maintain).await.fleet_id.unwrap();
    hands.later(6);
    let first = hands.active(&id).await;
    assert_eq!(first.len(), 2);
    hands.end(&first[..1]).await;
    assert_eq!(hands.active(&id).await, first[1..], "not at once");
    hands.later(30);
    let second = hands.active(&id).await;
    assert!(second.len() == 2 && !second.contains(&first[0]), "{second:?}");
    let delete = |id: &str| hands.ec2.delete_fleets().fleet_ids(id).terminate_instances(false).send();
    let done = delete(&id).await.unwrap();
    assert_eq!(done.successful_fleet_deletions().len(), 1);
    let again = delete(&id).await.unwrap();
    let error = again.unsuccessful_fleet_deletions()[0].error().unwrap();
    assert_eq!(error.code().unwrap().as_str(), "fleetNotInDeletableState");
    let unknown = delete("fleet-0").await.unwrap();
    let error = unknown.unsuccessful_fleet_deletions()[0].error().unwrap();
    assert_eq!(error.code().unwrap().as_str(), "fleetIdDoesNotExist");
    assert_eq!((hands.state(&id).await.as_str(), hands.active(&id).await.len()), ("deleted_running", 2));
    hands.end(&second).await;
    hands.later(120);
    assert_eq!(hands.active(&id).await, [""; 0]);
    hands.later(360);
    let event = hands.cloud.event(WEST, "RunInstances").await;
    assert_eq!(event["userIdentity"]["invokedBy"], "ec2fleet.amazonaws.com");
    let event = hands.cloud.event(WEST, "DeleteFleets").await;
    assert!(event["requestParameters"]["DeleteFleetsRequest"]["FleetId"]["content"].is_string(), "{event}");
    let gone = hands.ec2.describe_fleets().fleet_ids("fleet-0").send().await;
    assert_eq!(code(gone), "InvalidFleetId.NotFound");
    let reads = Client::new(&hands.cloud.config(hands.cloud.session("irp-reader/t"), WEST));
    let denied = reads.delete_fleets().fleet_ids(&id).terminate_instances(true).send().await;
    assert_eq!(code(denied), "UnauthorizedOperation");
}

#[tokio::test]
async fn an_instant_fleet_answers_with_its_instances_and_is_deleted_only_with_them() {
    let hands = Hands::start().await;
    let made = hands.fleet(ec2::FleetType::Instant).await;
    let id = made.fleet_id().unwrap();
    let instances = made.instances()[0].instance_ids().to_vec();
    assert_eq!(instances.len(), 2);
    let all = hands.ec2.describe_fleets().send().await.unwrap();
    assert!(all.fleets().is_empty(), "it is shown to who names it");
    let named = hands.ec2.describe_fleets().fleet_ids(id).send().await.unwrap();
    assert_eq!(named.fleets()[0].instances()[0].instance_ids(), instances);
    let (unsupported, why) = refusal(hands.ec2.describe_fleet_instances().fleet_id(id).send().await);
    assert!(unsupported == "Unsupported" && why.contains("instant"), "{why}");
    hands.end(&instances[..1]).await;
    hands.later(60);
    let delete = |terminate| hands.ec2.delete_fleets().fleet_ids(id).terminate_instances(terminate).send();
    assert_eq!(delete(false).await.unwrap().unsuccessful_fleet_deletions().len(), 1);
    assert_eq!(delete(true).await.unwrap().successful_fleet_deletions().len(), 1);
    let state = hands.cloud.account.instance_state(WEST, &instances[1]);
    assert_eq!(state, Some("shutting-down"), "and none was started in the place of the other");
    hands.later(360);
    let event = hands.cloud.event(WEST, "CreateFleet").await;
    let set = &event["responseElements"]["CreateFleetResponse"]["fleetInstanceSet"]["item"]["instanceIds"]["item"];
    assert_eq!(set[1], instances[1].as_str(), "{event}");
}

#[tokio::test]
async fn a_spot_fleet_keeps_up_its_number_until_it_is_cancelled() {
    let hands = Hands::start().await;
    let launch =
        ec2::SpotFleetLaunchSpecification::builder().image_id("ami-1").instance_type(ec2::InstanceType::M5Large);
    let config = ec2::SpotFleetRequestConfigData::builder().iam_fleet_role("arn:aws:iam::111122223333:role/fleet");
    let config = config.target_capacity(1).launch_specifications(launch.user_data("IyEvYmluL3No").build()).build();
    let made = hands.ec2.request_spot_fleet().spot_fleet_request_config(config).send().await.unwrap();
    let id = made.spot_fleet_request_id().unwrap();
    hands.later(6);
    let active = || async {
        let found = hands.ec2.describe_spot_fleet_instances().spot_fleet_request_id(id).send().await.unwrap();
        found.active_instances().iter().map(|one| one.instance_id().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = active().await;
    hands.end(&first).await;
    hands.later(30);
    let second = active().await;
    assert!(second.len() == 1 && second != first);
    let found = hands.ec2.describe_spot_fleet_requests().spot_fleet_request_ids(id).send().await.unwrap();
    let config = found.spot_fleet_request_configs()[0].spot_fleet_request_config().unwrap();
    assert_eq!(config.launch_specifications()[0].user_data(), Some("IyEvYmluL3No"));
    let cancel = || hands.ec2.cancel_spot_fleet_requests().spot_fleet_request_ids(id).terminate_instances(false).send();
    assert_eq!(cancel().await.unwrap().successful_fleet_requests().len(), 1);
    let again = cancel().await.unwrap();
    let error = again.unsuccessful_fleet_requests()[0].error().unwrap();
    assert_eq!(error.code().unwrap().as_str(), "fleetRequestNotInCancellableState");
    hands.end(&second).await;
    hands.later(120);
    assert_eq!(active().await, [""; 0]);
    hands.later(360);
    let event = hands.cloud.event(WEST, "RequestSpotFleet").await;
    assert!(!event.to_string().contains("IyEvYmluL3No"), "{event}");
    assert_eq!(event["responseElements"]["RequestSpotFleetResponse"]["spotFleetRequestId"], id);
}

#[tokio::test]
async fn a_warm_pool_is_kept_up_and_takes_its_instances_with_it() {
    let hands = Hands::start().await;
    let scaling = aws_sdk_autoscaling::Client::new(&hands.cloud.config(hands.cloud.admin(), WEST));
    let from = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder().launch_template_id(&hands.template);
    let create = scaling.create_auto_scaling_group().auto_scaling_group_name("g").launch_template(from.build());
    create.min_size(0).max_size(4).desired_capacity(1).availability_zones("us-west-2a").send().await.unwrap();
    let put = scaling.put_warm_pool().auto_scaling_group_name("g").max_group_prepared_capacity(3);
    put.send().await.unwrap();
    hands.later(11);
    let waiting = || async {
        let found = scaling.describe_warm_pool().auto_scaling_group_name("g").send().await.unwrap();
        let one = |of: &aws_sdk_autoscaling::types::Instance| {
            (of.instance_id().unwrap().to_owned(), of.lifecycle_state().unwrap().as_str().to_owned())
        };
        found.instances().iter().map(one).collect::<Vec<_>>()
    };
    let first = waiting().await;
    assert!(first.len() == 2 && first.iter().all(|(_, state)| state == "Warmed:Stopped"), "{first:?}");
    hands.end(&[first[0].0.clone()]).await;
    hands.later(21);
    assert_eq!(waiting().await.len(), 2, "another has been started");
    let suspend = scaling.suspend_processes().auto_scaling_group_name("g").scaling_processes("Launch");
    suspend.send().await.unwrap();
    hands.end(&[first[1].0.clone()]).await;
    hands.later(60);
    let left = waiting().await;
    assert_eq!(left.len(), 1, "a group that does not launch fills no pool");
    let members = || async {
        let found = scaling.describe_auto_scaling_groups().auto_scaling_group_names("g").send().await.unwrap();
        let group = found.auto_scaling_groups()[0].clone();
        let pool = group.warm_pool_configuration().map(|pool| pool.status().is_some());
        (group.instances().len(), pool)
    };
    assert_eq!(members().await, (1, Some(false)), "what waits is not among the group's own");
    let delete = || scaling.delete_warm_pool().auto_scaling_group_name("g").send();
    delete().await.unwrap();
    assert_eq!(members().await.1, Some(true), "it is on its way out");
    assert_eq!(hands.cloud.account.instance_state(WEST, &left[0].0), Some("shutting-down"));
    hands.later(10);
    assert_eq!(members().await.1, None);
    assert_eq!(code(delete().await), "ValidationError");
}

#[tokio::test]
async fn a_templates_default_version_changes_and_that_one_is_not_deleted() {
    let hands = Hands::start().await;
    let id = hands.template.as_str();
    let data = ec2::RequestLaunchTemplateData::builder().image_id("ami-2").user_data("Y3VybCBldmls").build();
    let add = hands.ec2.create_launch_template_version().launch_template_id(id).launch_template_data(data);
    add.send().await.unwrap();
    let newest = hands.ec2.describe_launch_template_versions().versions("$Latest").send().await.unwrap();
    let newest = &newest.launch_template_versions()[0];
    assert_eq!((newest.version_number(), newest.default_version()), (Some(2), Some(false)));
    let modify =
        |version: &str| hands.ec2.modify_launch_template().launch_template_id(id).default_version(version).send();
    assert_eq!(code(modify("3").await), "InvalidLaunchTemplateId.VersionNotFound");
    let modified = modify("2").await.unwrap().launch_template.unwrap();
    assert_eq!((modified.default_version_number(), modified.latest_version_number()), (Some(2), Some(2)));
    let delete =
        |version: &str| hands.ec2.delete_launch_template_versions().launch_template_id(id).versions(version).send();
    let refused =
        |answer: &aws_sdk_ec2::operation::delete_launch_template_versions::DeleteLaunchTemplateVersionsOutput| {
            let error =
                answer.unsuccessfully_deleted_launch_template_versions().first().and_then(|one| one.response_error());
            error.and_then(|error| error.code()).map(|code| code.as_str().to_owned())
        };
    assert_eq!(refused(&delete("2").await.unwrap()).as_deref(), Some("unexpectedError"), "the default stays");
    assert_eq!(refused(&delete("9").await.unwrap()).as_deref(), Some("launchTemplateVersionDoesNotExist"));
    modify("1").await.unwrap();
    assert_eq!(refused(&delete("2").await.unwrap()), None);
    assert_eq!(hands.cloud.account.template_versions(WEST, id), (1, vec![1]));
    hands.later(360);
    let event = hands.cloud.event(WEST, "ModifyLaunchTemplate").await;
    let answered = &event["responseElements"]["ModifyLaunchTemplateResponse"]["launchTemplate"];
    assert_eq!(
        (&answered["defaultVersionNumber"], answered["launchTemplateId"].as_str()),
        (&serde_json::json!(1), Some(id))
    );
    let all = hands.ec2.describe_launch_template_versions().send().await;
    assert_eq!(code(all), "InvalidParameterCombination");
}
