//! Fleets and warm pools: what keeps up a number of instances goes before they are ended, and each is kept as evidence.

use aws_sdk_ec2::types as ec2;
use chrono::TimeDelta;
use irp::domain::hunt::Trace;
use irp::domain::trail::deed::Deed;
use irp::domain::trail::footprint::State;

use crate::estate::{Hands, changes, made};
use crate::scaling::{DELETE as GROUP, FAR, STOP, group, running, template};
use crate::world::{ANA, CHRIS, World};

pub(crate) const HOME: &str = "us-east-1";
const DELETE: &str = "· Delete EC2 Fleet";
const CANCEL: &str = "· Cancel Spot Fleet request";

impl Hands<'_> {
    /// An EC2 Fleet of this kind and size; its id.
    pub(crate) async fn makes_a_fleet(&self, template: &str, kind: ec2::FleetType, target: i32) -> String {
        let from = ec2::FleetLaunchTemplateSpecificationRequest::builder().launch_template_id(template);
        let from = from.version("$Latest").build();
        let config = ec2::FleetLaunchTemplateConfigRequest::builder().launch_template_specification(from).build();
        let target = ec2::TargetCapacitySpecificationRequest::builder().total_target_capacity(target).build();
        let made = self.ec2(FAR).create_fleet().launch_template_configs(config).target_capacity_specification(target);
        let made = made.r#type(kind).send().await.unwrap();
        self.account_clock().advance(TimeDelta::seconds(6));
        made.fleet_id().unwrap().to_owned()
    }

    /// A Spot Fleet that keeps up so many; its id.
    pub(crate) async fn asks_for_a_spot_fleet(&self, target: i32) -> String {
        let launch = ec2::SpotFleetLaunchSpecification::builder().image_id("ami-1").user_data("IyEvYmluL3No");
        let launch = launch.instance_type(ec2::InstanceType::C54xlarge).build();
        let config = ec2::SpotFleetRequestConfigData::builder().iam_fleet_role("arn:aws:iam::111122223333:role/fleet");
        let config = config.target_capacity(target).launch_specifications(launch).build();
        let made = self.ec2(FAR).request_spot_fleet().spot_fleet_request_config(config).send().await.unwrap();
        self.account_clock().advance(TimeDelta::seconds(6));
        made.spot_fleet_request_id().unwrap().to_owned()
    }

    /// Has a group keep so many ready.
    pub(crate) async fn keeps_ready(&self, name: &str, min: i32, prepared: i32) {
        let put = self.scaling().put_warm_pool().auto_scaling_group_name(name).min_size(min);
        put.max_group_prepared_capacity(prepared).send().await.unwrap();
        self.account_clock().advance(TimeDelta::seconds(11));
    }
}

/// Ends each of these by its own step.
async fn end(w: &World, ids: &[String]) {
    for id in ids {
        let card = format!("· Terminate instance {id}");
        w.until_card(&card, "not asked for yet").await;
        w.carry_out(&card, ANA, CHRIS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_deleted_before_what_it_keeps_up_and_none_comes_back() {
    let w = World::start().await;
    let attacker = w.hands();
    let from = attacker.makes_a_template().await;
    let fleet = attacker.makes_a_fleet(&from, ec2::FleetType::Maintain, 2).await;
    w.incident().await;
    w.hunted(vec![made("EC2::EC2Fleet", &fleet, FAR), template(&from)]).await;
    // What runs for the attacker need not wait for containment, what it is made from does.
    w.until_card(DELETE, "not asked for yet").await;
    assert!(w.card(ANA, "· Delete launch template").is_none());
    let before = running(&w);
    assert_eq!(before.len(), 2);
    w.carry_out(DELETE, ANA, CHRIS).await;
    assert_eq!(changes(&w), ["DeleteFleets"]);
    assert_eq!(w.account.fleets(FAR), [(fleet, "deleted_running")]);
    assert_eq!(running(&w), before, "they run on");
    end(&w, &before).await;
    w.clock.advance(TimeDelta::minutes(5));
    assert_eq!(running(&w), [""; 0], "none comes back");
    assert_eq!(w.account.snapshots(FAR).len(), 2, "a snapshot of each");
    w.contained().await;
    w.until_card("· Delete launch template", "not asked for yet").await;
    w.carry_out("· Delete launch template", ANA, CHRIS).await;
    w.until_card("Eradication", "nothing is left").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_spot_fleet_would_replace_is_not_ended_before_the_fleet_is_cancelled() {
    let w = World::start().await;
    let attacker = w.hands();
    let fleet = attacker.asks_for_a_spot_fleet(1).await;
    let instance = running(&w).remove(0);
    w.incident().await;
    w.hunted(vec![made("EC2::SpotFleet", &fleet, FAR), made("EC2::Instance", &instance, FAR)]).await;
    let card = format!("· Terminate instance {instance}");
    w.until_card(&card, "not asked for yet").await;
    let refused = w.click(ANA, &card, "irp.request").await;
    assert!(refused.contains(&format!("fleet {fleet}, which keeps up 1")), "{refused}");
    w.click(ANA, CANCEL, "irp.request").await;
    w.until_card(CANCEL, "waiting for approval").await;
    let kept = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    assert!(
        kept.iter().any(|record| format!("{:?}", record.event).contains("sha256:")),
        "what it starts is kept, as a hash"
    );
    w.click(CHRIS, CANCEL, "irp.approve").await;
    w.until_card(CANCEL, "carried out and verified").await;
    end(&w, &[instance]).await;
    w.clock.advance(TimeDelta::minutes(5));
    assert_eq!(running(&w), [""; 0], "none comes back");
    assert_eq!(w.account.fleets(FAR), [(fleet, "cancelled_running")]);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_fleet_goes_after_its_instances_because_aws_would_take_them_along() {
    let w = World::start().await;
    let attacker = w.hands();
    let from = attacker.makes_a_template().await;
    let fleet = attacker.makes_a_fleet(&from, ec2::FleetType::Instant, 2).await;
    let instances = running(&w);
    w.incident().await;
    // One call has made all of them.
    let by_it = |kind: &str, id: &str| Trace { evidence: vec!["created".into()], ..made(kind, id, FAR) };
    let mut found = vec![by_it("EC2::EC2Fleet", &fleet)];
    found.extend(instances.iter().map(|id| by_it("EC2::Instance", id)));
    w.hunted(found).await;
    w.until_card(DELETE, "not asked for yet").await;
    let refused = w.click(ANA, DELETE, "irp.request").await;
    assert!(refused.contains("type instant") && refused.contains(&instances[0]), "{refused}");
    end(&w, &instances).await;
    w.clock.advance(TimeDelta::seconds(20));
    w.carry_out(DELETE, ANA, CHRIS).await;
    assert_eq!(w.account.fleets(FAR), [(fleet, "deleted_terminating")]);
    assert_eq!(w.account.snapshots(FAR).len(), 2, "a snapshot of each");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_a_warm_pool_is_kept_and_ended_and_the_empty_pool_goes_before_its_group() {
    const POOL: &str = "· Delete the warm pool of Auto Scaling group miners";
    let w = World::start().await;
    let attacker = w.hands();
    let from = attacker.makes_a_template().await;
    attacker.keeps_up("miners", &from, (1, 1)).await;
    attacker.keeps_ready("miners", 2, 3).await;
    let all = w.account.instances(FAR);
    assert_eq!(all.len(), 3, "one in the group, two that wait");
    w.incident().await;
    w.hunted(vec![group("miners")]).await;
    w.contained().await;
    w.until_card(STOP, "not asked for yet").await;
    w.carry_out(STOP, ANA, CHRIS).await;
    w.until_card(POOL, "not asked for yet").await;
    let refused = w.click(ANA, POOL, "irp.request").await;
    assert!(refused.contains("Each has a step of its own"), "{refused}");
    end(&w, &all).await;
    w.clock.advance(TimeDelta::minutes(5));
    assert!(w.account.instances(FAR).iter().all(|id| w.account.instance_state(FAR, id) == Some("terminated")));
    assert_eq!(w.account.snapshots(FAR).len(), 3, "a snapshot of each");
    w.carry_out(POOL, ANA, CHRIS).await;
    w.clock.advance(TimeDelta::seconds(10));
    w.until_card(GROUP, "not asked for yet").await;
    w.carry_out(GROUP, ANA, CHRIS).await;
    w.until_card("Eradication", "nothing is left").await;
    let done = changes(&w);
    assert_eq!(done[done.len() - 2..], ["DeleteWarmPool", "DeleteAutoScalingGroup"]);
    w.end().await;
}

/// What the search would say of a version that the attacker has added to a template and made its default.
pub(crate) async fn changed_template(hands: &Hands<'_>, template: &str) -> Trace {
    hands.adds_a_version(HOME, template, true).await;
    let added = hands.event("CreateLaunchTemplateVersion").await;
    let deed = |operation: &str, what: &str, event_id: String| Deed {
        operation: operation.into(),
        what: what.into(),
        event_id,
        by_attacker: true,
        made_default: false,
    };
    let modified = hands.event("ModifyLaunchTemplate").await;
    let deeds = vec![deed("CreateLaunchTemplateVersion", "2", added), deed("ModifyLaunchTemplate", "", modified)];
    let trace = made("EC2::LaunchTemplate", template, HOME);
    Trace { state: State::Modified, made_by_attacker: false, deeds, ..trace }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_added_to_the_victims_template_goes_and_the_one_before_counts_again() {
    const CARD: &str = "· Put launch template";
    let w = World::start().await;
    let hands = w.hands();
    let template = hands.makes_a_template_in(HOME).await;
    let trace = changed_template(&hands, &template).await;
    assert_eq!(w.account.template_versions(HOME, &template), (2, vec![1, 2]));
    w.incident().await;
    w.hunted(vec![trace]).await;
    w.until_card(CARD, "not asked for yet").await;
    w.click(ANA, CARD, "irp.request").await;
    w.until_card(CARD, "waiting for approval").await;
    let card = w.blocks(CARD);
    assert!(card.contains("ec2:ModifyLaunchTemplate") && card.contains("ec2:DeleteLaunchTemplateVersions"), "{card}");
    w.click(CHRIS, CARD, "irp.approve").await;
    w.until_card(CARD, "carried out and verified").await;
    assert_eq!(changes(&w), ["ModifyLaunchTemplate", "DeleteLaunchTemplateVersions"]);
    assert_eq!(w.account.template_versions(HOME, &template), (1, vec![1]));
    w.end().await;
}
