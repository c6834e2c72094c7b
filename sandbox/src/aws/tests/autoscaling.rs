//! Auto Scaling: groups that replace what ends, until they are stopped.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use chrono::TimeDelta;

use super::{Cloud, code, refusal};

const WEST: &str = "us-west-2";

struct Hands {
    cloud: Cloud,
    scaling: Client,
    ec2: aws_sdk_ec2::Client,
}

impl Hands {
    async fn start() -> Self {
        let cloud = Cloud::start().await;
        let config = cloud.config(cloud.admin(), WEST);
        Self { scaling: Client::new(&config), ec2: aws_sdk_ec2::Client::new(&config), cloud }
    }

    /// A template, and a group of this size that starts from it. The template's id.
    async fn group(&self, min: i32, desired: i32) -> String {
        let data = RequestLaunchTemplateData::builder().image_id("ami-1").instance_type(InstanceType::C54xlarge);
        let data = data.user_data("IyEvYmluL3No").build();
        let made = self.ec2.create_launch_template().launch_template_name("miners").launch_template_data(data);
        let id = made.send().await.unwrap().launch_template.unwrap().launch_template_id.unwrap();
        let template = LaunchTemplateSpecification::builder().launch_template_id(&id).version("$Latest").build();
        let create = self.scaling.create_auto_scaling_group().auto_scaling_group_name("miners");
        let create = create.launch_template(template).min_size(min).max_size(4).desired_capacity(desired);
        create.availability_zones("us-west-2a").send().await.unwrap();
        id
    }

    /// Lifecycle states, by instance.
    async fn members(&self) -> Vec<(String, String)> {
        let asked =
            self.scaling.describe_auto_scaling_groups().auto_scaling_group_names("miners").send().await.unwrap();
        let members = asked.auto_scaling_groups()[0].instances().iter();
        let one = |of: &aws_sdk_autoscaling::types::Instance| {
            (of.instance_id().unwrap().to_owned(), of.lifecycle_state().unwrap().as_str().to_owned())
        };
        members.map(one).collect()
    }

    async fn running(&self) -> usize {
        let found = self.ec2.describe_instances().send().await.unwrap();
        let instances = found.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
        let states = instances.filter_map(|instance| instance.state().and_then(|state| state.name()));
        states.filter(|state| matches!(state.as_str(), "pending" | "running")).count()
    }

    fn detach(
        &self,
        id: &str,
    ) -> aws_sdk_autoscaling::operation::detach_instances::builders::DetachInstancesFluentBuilder {
        let detach = self.scaling.detach_instances().auto_scaling_group_name("miners").instance_ids(id);
        detach.should_decrement_desired_capacity(true)
    }

    /// The newest event of this name, once the history shows it.
    async fn event(&self, name: &str) -> serde_json::Value {
        self.later(360);
        self.cloud.event(WEST, name).await
    }

    fn later(&self, seconds: i64) {
        self.cloud.clock.advance(TimeDelta::seconds(seconds));
    }
}

#[tokio::test]
async fn what_ends_is_replaced_until_the_group_starts_no_more() {
    let hands = Hands::start().await;
    hands.group(1, 2).await;
    assert_eq!(hands.running().await, 2);
    hands.later(6);
    let members = hands.members().await;
    assert!(members.iter().all(|(_, state)| state == "InService"), "{members:?}");
    hands.ec2.terminate_instances().instance_ids(&members[0].0).send().await.unwrap();
    assert_eq!(hands.running().await, 1, "not at once");
    assert!(hands.members().await.contains(&(members[0].0.clone(), "Terminating".to_owned())));
    hands.later(21);
    assert_eq!(hands.running().await, 2, "another has been started");
    let event = hands.event("RunInstances").await;
    assert_eq!(event["userIdentity"]["invokedBy"], "autoscaling.amazonaws.com");
    let suspend = hands.scaling.suspend_processes().auto_scaling_group_name("miners");
    suspend.clone().scaling_processes("Launch").send().await.unwrap();
    assert_eq!(code(suspend.scaling_processes("Sleep").send().await), "ValidationError");
    hands.later(6);
    let (id, _) = hands.members().await.into_iter().find(|(_, state)| state == "InService").unwrap();
    hands.ec2.terminate_instances().instance_ids(id).send().await.unwrap();
    hands.later(120);
    assert_eq!(hands.running().await, 1);
}

#[tokio::test]
async fn who_leaves_is_not_replaced_and_the_smallest_size_is_kept() {
    let hands = Hands::start().await;
    hands.group(1, 2).await;
    let members = hands.members().await;
    let (_, why) = refusal(hands.detach(&members[0].0).send().await);
    assert!(why.contains("not in InService"), "{why}");
    hands.later(6);
    hands.detach(&members[0].0).send().await.unwrap();
    assert_eq!(hands.members().await[..].iter().filter(|(_, state)| state == "Detaching").count(), 1);
    let (_, why) = refusal(hands.detach(&members[1].0).send().await);
    assert!(why.contains("desiredSize equals minSize (1)"), "{why}");
    let tag = |id: String| {
        let ec2 = hands.ec2.clone();
        async move {
            let found = ec2.describe_instances().instance_ids(id).send().await.unwrap();
            found.reservations()[0].instances()[0]
                .tags()
                .iter()
                .any(|tag| tag.key() == Some("aws:autoscaling:groupName"))
        }
    };
    assert!(tag(members[0].0.clone()).await);
    hands.later(60);
    assert!(!tag(members[0].0.clone()).await && tag(members[1].0.clone()).await);
    assert_eq!((hands.running().await, hands.members().await.len()), (2, 1), "it runs on, outside the group");
    let (_, why) = refusal(hands.detach(&members[0].0).send().await);
    assert!(why.contains("is not part of Auto Scaling group miners"), "{why}");
    // What is attached has no template, and makes room for itself.
    let attach = hands.scaling.attach_instances().auto_scaling_group_name("miners").instance_ids(&members[0].0);
    attach.send().await.unwrap();
    let found = hands.scaling.describe_auto_scaling_groups().send().await.unwrap();
    let group = &found.auto_scaling_groups()[0];
    let attached = group.instances().iter().find(|of| of.instance_id() == Some(&members[0].0)).unwrap();
    assert!(attached.launch_template().is_none() && group.desired_capacity() == Some(2));
}

#[tokio::test]
async fn a_group_is_deleted_when_it_is_empty_or_by_force_and_not_while_it_is_protected() {
    let hands = Hands::start().await;
    let template = hands.group(0, 1).await;
    let delete = hands.scaling.delete_auto_scaling_group().auto_scaling_group_name("miners");
    assert_eq!(code(delete.clone().send().await), "ResourceInUse");
    hands.later(6);
    let (id, _) = hands.members().await.remove(0);
    hands.detach(&id).send().await.unwrap();
    assert_eq!(code(delete.clone().send().await), "ScalingActivityInProgress");
    hands.later(6);
    let update = hands.scaling.update_auto_scaling_group().auto_scaling_group_name("miners");
    let protect = |word: &str| update.clone().deletion_protection(word.into()).send();
    protect("prevent-all-deletion").await.unwrap();
    assert_eq!(code(delete.clone().send().await), "ValidationError");
    protect("none").await.unwrap();
    delete.clone().send().await.unwrap();
    assert_eq!(code(delete.send().await), "ValidationError");
    assert_eq!(hands.running().await, 1, "what has left runs on");
    let described = || hands.ec2.describe_launch_template_versions().launch_template_id(&template).send();
    let versions = described().await.unwrap();
    let data = versions.launch_template_versions()[0].launch_template_data().unwrap();
    assert_eq!((data.image_id(), data.user_data()), (Some("ami-1"), Some("IyEvYmluL3No")));
    hands.ec2.delete_launch_template().launch_template_id(&template).send().await.unwrap();
    assert_eq!(code(described().await), "InvalidLaunchTemplateId.NotFound");
    let made = hands.event("CreateLaunchTemplate").await;
    let asked = &made["requestParameters"]["CreateLaunchTemplateRequest"]["LaunchTemplateData"];
    assert_eq!(asked["UserData"], "<sensitiveDataRemoved>");
    let answered = &made["responseElements"]["CreateLaunchTemplateResponse"]["launchTemplate"];
    assert_eq!(answered["launchTemplateId"], template.as_str());
}

#[tokio::test]
async fn a_persistent_spot_request_starts_another_until_it_is_cancelled() {
    use aws_sdk_ec2::types::{RequestSpotLaunchSpecification, SpotInstanceType};
    let hands = Hands::start().await;
    let asked = RequestSpotLaunchSpecification::builder().image_id("ami-1").instance_type(InstanceType::C54xlarge);
    let asked = hands.ec2.request_spot_instances().launch_specification(asked.user_data("IyEvYmluL3No").build());
    let made = asked.r#type(SpotInstanceType::Persistent).send().await.unwrap();
    let id = made.spot_instance_requests()[0].spot_instance_request_id().unwrap().to_owned();
    let event = hands.event("RequestSpotInstances").await;
    assert_eq!(event["requestParameters"]["launchSpecification"]["userData"], "<sensitiveDataRemoved>");
    assert_eq!(event["responseElements"]["spotInstanceRequestSet"]["items"][0]["spotInstanceRequestId"], id.as_str());
    let request = || async {
        let found = hands.ec2.describe_spot_instance_requests().spot_instance_request_ids(&id).send().await.unwrap();
        let request = found.spot_instance_requests()[0].clone();
        (request.state().unwrap().as_str().to_owned(), request.instance_id().map(str::to_owned))
    };
    hands.later(6);
    let (_, first) = request().await;
    hands.ec2.terminate_instances().instance_ids(first.clone().unwrap()).send().await.unwrap();
    hands.later(30);
    let (state, second) = request().await;
    assert!(state == "active" && second.is_some() && second != first, "{state} {second:?}");
    let cancel = hands.ec2.cancel_spot_instance_requests().spot_instance_request_ids(&id);
    cancel.clone().send().await.unwrap();
    cancel.send().await.expect("the same again is no error");
    assert_eq!((request().await.0.as_str(), hands.running().await), ("cancelled", 1), "what it has started runs on");
    hands.ec2.terminate_instances().instance_ids(second.unwrap()).send().await.unwrap();
    hands.later(120);
    assert_eq!(hands.running().await, 0);
    let unknown = hands.ec2.cancel_spot_instance_requests().spot_instance_request_ids("sir-0").send().await;
    assert_eq!(code(unknown), "InvalidSpotInstanceRequestID.NotFound");
}

#[tokio::test]
async fn a_launch_configuration_stays_while_a_group_uses_it() {
    let hands = Hands::start().await;
    let create = hands.scaling.create_launch_configuration().launch_configuration_name("c").image_id("ami-1");
    let create = create.instance_type("t3.micro").iam_instance_profile("batch-worker");
    create.clone().send().await.unwrap();
    assert_eq!(code(create.send().await), "AlreadyExists");
    let group = hands.scaling.create_auto_scaling_group().auto_scaling_group_name("miners").min_size(0).max_size(1);
    let group = group.launch_configuration_name("c").desired_capacity(1).availability_zones("us-west-2a");
    group.clone().send().await.unwrap();
    assert_eq!(code(group.send().await), "AlreadyExists");
    hands.later(6);
    let (id, _) = hands.members().await.remove(0);
    assert!(hands.cloud.account.instance_credentials(WEST, &id).is_some(), "it has the role of its profile");
    let delete = hands.scaling.delete_launch_configuration().launch_configuration_name("c");
    assert_eq!(code(delete.clone().send().await), "ResourceInUse");
    let whole = hands.scaling.delete_auto_scaling_group().auto_scaling_group_name("miners").force_delete(true);
    whole.send().await.unwrap();
    assert_eq!(hands.running().await, 0, "by force all end");
    delete.clone().send().await.unwrap();
    assert_eq!(code(delete.send().await), "ValidationError");
    let reads = Client::new(&hands.cloud.config(hands.cloud.session("irp-reader/t"), WEST));
    assert!(reads.describe_auto_scaling_groups().send().await.unwrap().auto_scaling_groups().is_empty());
    let denied = reads.delete_auto_scaling_group().auto_scaling_group_name("x").send().await;
    assert_eq!(code(denied), "AccessDenied");
    let far = Client::new(&hands.cloud.config(hands.cloud.admin(), "ap-east-1"));
    assert_eq!(code(far.describe_auto_scaling_groups().send().await), "InvalidClientTokenId");
}
