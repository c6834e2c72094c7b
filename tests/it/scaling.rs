//! What starts instances by itself is stopped before they are ended, so that none comes back.

use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_ec2::types as ec2;
use chrono::TimeDelta;

use crate::estate::{Hands, changes, made};
use crate::world::{ANA, CHRIS, World};

pub(crate) const FAR: &str = "us-west-2";
const REMOVE: &str = "Remove everything at once";
pub(crate) const STOP: &str = "· Stop Auto Scaling group miners";
pub(crate) const DELETE: &str = "· Delete Auto Scaling group miners";

impl Hands<'_> {
    pub(crate) fn scaling(&self) -> aws_sdk_autoscaling::Client {
        aws_sdk_autoscaling::Client::new(&self.config(FAR))
    }

    /// A launch template; its id.
    pub(crate) async fn makes_a_template(&self) -> String {
        self.makes_a_template_in(FAR).await
    }

    pub(crate) async fn makes_a_template_in(&self, region: &'static str) -> String {
        let profile = ec2::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name("batch-worker").build();
        let data = ec2::RequestLaunchTemplateData::builder().image_id("ami-1").user_data("IyEvYmluL3No");
        let data = data.instance_type(ec2::InstanceType::C54xlarge).iam_instance_profile(profile).build();
        let made = self.ec2(region).create_launch_template().launch_template_name("miners").launch_template_data(data);
        made.send().await.unwrap().launch_template.unwrap().launch_template_id.unwrap()
    }

    /// A version more of a template, and whether it is the one that counts.
    pub(crate) async fn adds_a_version(&self, region: &'static str, template: &str, default: bool) {
        let data = ec2::RequestLaunchTemplateData::builder().image_id("ami-6").user_data("Y3VybCBldmls").build();
        let added = self.ec2(region).create_launch_template_version().launch_template_id(template);
        added.launch_template_data(data).send().await.unwrap();
        if default {
            let change = self.ec2(region).modify_launch_template().launch_template_id(template).default_version("2");
            change.send().await.unwrap();
        }
    }

    /// A group of this name that keeps up so many instances of a template, at least so many.
    pub(crate) async fn keeps_up(&self, name: &str, template: &str, (min, desired): (i32, i32)) {
        let from = LaunchTemplateSpecification::builder().launch_template_id(template).version("$Latest").build();
        let group = self.scaling().create_auto_scaling_group().auto_scaling_group_name(name).launch_template(from);
        let group = group.min_size(min).max_size(9).desired_capacity(desired).availability_zones("us-west-2a");
        group.send().await.unwrap();
        self.account_clock().advance(TimeDelta::seconds(6));
    }

    /// A spot request of this kind; its id and what it has started.
    pub(crate) async fn asks_for_spot(&self, kind: ec2::SpotInstanceType) -> (String, String) {
        let asked = ec2::RequestSpotLaunchSpecification::builder().image_id("ami-1");
        let asked = asked.instance_type(ec2::InstanceType::C54xlarge).build();
        let made =
            self.ec2(FAR).request_spot_instances().launch_specification(asked).r#type(kind).send().await.unwrap();
        self.account_clock().advance(TimeDelta::seconds(6));
        let request = &made.spot_instance_requests()[0];
        (request.spot_instance_request_id().unwrap().to_owned(), request.instance_id().unwrap().to_owned())
    }

    /// A launch configuration of this name.
    pub(crate) async fn makes_a_configuration(&self, name: &str) {
        let made = self.scaling().create_launch_configuration().launch_configuration_name(name).image_id("ami-1");
        made.instance_type("c5.4xlarge").send().await.unwrap();
    }
}

/// Instances that have not ended.
pub(crate) fn running(w: &World) -> Vec<String> {
    let up = |id: &String| matches!(w.account.instance_state(FAR, id), Some("pending" | "running"));
    w.account.instances(FAR).into_iter().filter(up).collect()
}

pub(crate) fn template(id: &str) -> irp::domain::hunt::Trace {
    made("EC2::LaunchTemplate", id, FAR)
}

pub(crate) fn group(name: &str) -> irp::domain::hunt::Trace {
    made("AutoScaling::AutoScalingGroup", name, FAR)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_attackers_is_stopped_its_instances_are_kept_and_ended_and_none_comes_back() {
    let w = World::start().await;
    let attacker = w.hands();
    let from = attacker.makes_a_template().await;
    attacker.keeps_up("miners", &from, (2, 2)).await;
    w.incident().await;
    w.hunted(vec![group("miners"), template(&from)]).await;
    // What runs for the attacker need not wait for containment, what it is made from does.
    w.until_card(STOP, "not asked for yet").await;
    assert!(w.card(ANA, "· Delete launch template").is_none());
    let before = running(&w);
    assert_eq!(before.len(), 2);
    w.click(ANA, STOP, "irp.request").await;
    w.until_card(STOP, "waiting for approval").await;
    let card = w.blocks(STOP);
    for part in ["autoscaling:SuspendProcesses", "autoscaling:DetachInstances", &before[0], &before[1]] {
        assert!(card.contains(part), "{part}: {card}");
    }
    w.click(CHRIS, STOP, "irp.approve").await;
    w.until_card(STOP, "carried out and verified").await;
    assert_eq!(changes(&w), ["SuspendProcesses", "UpdateAutoScalingGroup", "DetachInstances", "DetachInstances"]);
    w.clock.advance(TimeDelta::minutes(1));
    assert_eq!(running(&w), before, "they run on, and nothing is started in their place");
    for id in &before {
        let card = format!("· Terminate instance {id}");
        w.until_card(&card, "not asked for yet").await;
        assert!(w.blocks(&card).contains("event-of-miners"), "{}", w.blocks(&card));
        w.carry_out(&card, ANA, CHRIS).await;
    }
    w.clock.advance(TimeDelta::minutes(5));
    assert_eq!(running(&w), [""; 0], "none comes back");
    let kept = w.account.snapshots(FAR).len();
    assert_eq!(kept, 2, "a snapshot of each");
    w.contained().await;
    w.until_card(REMOVE, "2 steps, not asked for yet").await;
    w.click(ANA, REMOVE, "irp.request_all").await;
    w.until_card(REMOVE, "waiting for approval").await;
    let kept = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    assert!(kept.iter().any(|record| format!("{:?}", record.event).contains("sha256:")), "what it starts is kept");
    w.click(CHRIS, REMOVE, "irp.approve").await;
    w.until_card(REMOVE, "2 of 2 in force").await;
    let done = changes(&w);
    assert_eq!(done[done.len() - 2..], ["DeleteAutoScalingGroup", "DeleteLaunchTemplate"]);
    assert!(w.account.scaling_groups(FAR).is_empty() && w.account.launch_templates(FAR).is_empty());
    w.until_card("Eradication", "nothing is left").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_put_into_the_attackers_group_is_taken_out_and_not_ended() {
    let w = World::start().await;
    let attacker = w.hands();
    let from = attacker.makes_a_template().await;
    attacker.keeps_up("miners", &from, (0, 0)).await;
    let victims = attacker.runs_an_instance(false).await;
    let attach = attacker.scaling().attach_instances().auto_scaling_group_name("miners").instance_ids(&victims);
    attach.send().await.unwrap();
    w.incident().await;
    w.hunted(vec![group("miners")]).await;
    w.contained().await;
    w.until_card(STOP, "not asked for yet").await;
    w.carry_out(STOP, ANA, CHRIS).await;
    w.clock.advance(TimeDelta::seconds(10));
    w.until_card(DELETE, "not asked for yet").await;
    assert!(w.card(ANA, "· Terminate instance").is_none(), "nobody has shown that it is the attacker's");
    w.carry_out(DELETE, ANA, CHRIS).await;
    assert_eq!(running(&w), [victims]);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_in_a_group_of_the_victims_leaves_it_first_and_the_groups_smallest_size_is_kept() {
    const CARD: &str = "· Terminate instance";
    let w = World::start().await;
    let hands = w.hands();
    let from = hands.makes_a_template().await;
    hands.keeps_up("web", &from, (1, 1)).await;
    let theirs = hands.runs_an_instance(true).await;
    let update = || hands.scaling().update_auto_scaling_group().auto_scaling_group_name("web");
    let attach = hands.scaling().attach_instances().auto_scaling_group_name("web").instance_ids(&theirs);
    attach.send().await.unwrap();
    // What the victim keeps ready is nobody's business here.
    hands.keeps_ready("web", 1, 1).await;
    let waits = || -> Vec<String> {
        let stopped = |id: &String| matches!(w.account.instance_state(FAR, id), Some("stopped"));
        w.account.instances(FAR).into_iter().filter(stopped).collect()
    };
    let kept_ready = waits();
    assert_eq!(kept_ready.len(), 1);
    update().min_size(2).send().await.unwrap();
    w.incident().await;
    w.hunted(vec![made("EC2::Instance", &theirs, FAR)]).await;
    w.until_card(CARD, "not asked for yet").await;
    let refused = w.click(ANA, CARD, "irp.request").await;
    assert!(refused.contains("keeps at least 2") && refused.contains("--min-size 1"), "{refused}");
    update().min_size(1).send().await.unwrap();
    w.carry_out(CARD, ANA, CHRIS).await;
    assert_eq!(changes(&w), ["DetachInstances", "CreateSnapshot", "ModifyInstanceAttribute", "TerminateInstances"]);
    w.clock.advance(TimeDelta::minutes(5));
    let (name, desired, members) = w.account.scaling_groups(FAR).remove(0);
    assert_eq!((name.as_str(), desired, members.len()), ("web", 1, 1), "nothing was started in its place");
    assert_eq!(running(&w), members, "the victim's runs on");
    assert_eq!(waits(), kept_ready);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_request_is_cancelled_before_what_it_has_started_ends() {
    const CANCEL: &str = "· Cancel spot request";
    let w = World::start().await;
    let attacker = w.hands();
    let (request, first) = attacker.asks_for_spot(ec2::SpotInstanceType::Persistent).await;
    // Of this one the search has shown the instance alone.
    let (_, second) = attacker.asks_for_spot(ec2::SpotInstanceType::Persistent).await;
    w.incident().await;
    w.hunted(vec![made("EC2::SpotInstanceRequest", &request, FAR), made("EC2::Instance", &second, FAR)]).await;
    w.until_card(CANCEL, "not asked for yet").await;
    w.carry_out(CANCEL, ANA, CHRIS).await;
    assert_eq!(running(&w).len(), 2);
    for id in [&first, &second] {
        let card = format!("· Terminate instance {id}");
        w.until_card(&card, "not asked for yet").await;
        w.carry_out(&card, ANA, CHRIS).await;
    }
    let done = changes(&w);
    let before = |call: &str| done.iter().filter(|name| *name == call).count();
    assert_eq!((before("CancelSpotInstanceRequests"), before("TerminateInstances")), (2, 2), "{done:?}");
    w.clock.advance(TimeDelta::minutes(5));
    assert_eq!(running(&w), [""; 0], "none comes back");
    w.end().await;
}
