//! What the demo account runs: one instance with its volume and last night's snapshot, a trail, two rules, two
//! secrets; and who else may sign in: the company's people by Identity Center, its builds by their provider.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{EXPORTS, LOGS, RESULTS};
use crate::aws::ec2::{self, Image, Instance, Pair, Phase, Region, Rule, Snapshot, Tags, Volume};
use crate::aws::events::Rule as EventRule;
use crate::aws::iam::providers::{Oidc, Saml};
use crate::aws::ids::{self, Entropy};
use crate::aws::s3::{Bucket, Content};
use crate::aws::secrets::Secret;
use crate::aws::state::World;
use crate::aws::trail::trails::Delivery;

const REGION: &str = "us-east-1";
/// Takes the role that instances have.
const PROFILE: &str = "batch-worker";

fn named(prefix: &str, name: &str) -> String {
    ids::resource_id(prefix, Entropy::Named(name))
}

fn tagged(name: &str) -> Tags {
    Tags::from([("Name".to_owned(), name.to_owned())])
}

pub(super) fn add(world: &mut World, now: DateTime<Utc>) {
    let started_at = ec2::ago(now, 200);
    world.deliveries.push(Delivery {
        name: "management-events".to_owned(),
        home: REGION,
        bucket: LOGS.to_owned(),
        started_at,
        stopped_at: None,
    });
    for name in [LOGS, RESULTS, EXPORTS] {
        world.buckets.insert(name.to_owned(), Bucket::new(REGION, false));
    }
    if let Some(exports) = world.buckets.get_mut(EXPORTS) {
        for (key, text) in [("orders-2026.csv", "order,customer\n1,17\n"), ("customers.csv", "customer,name\n17,Lee\n")]
        {
            let content = Content::plain(Bytes::from_static(text.as_bytes()), "text/csv");
            exports.add(key, ec2::ago(now, 20), Some(content));
        }
    }
    let account = world.account;
    let secrets = [
        ("prod/db/password", "Password of the orders database", ids::secret()),
        ("prod/payments/api-key", "Key of the payment provider", ids::secret()),
    ];
    for (name, description, value) in secrets {
        let suffix = &named("s", name)[2..8];
        let secret = Secret {
            name: name.to_owned(),
            arn: format!("arn:aws:secretsmanager:{REGION}:{account}:secret:{name}-{suffix}"),
            description: description.to_owned(),
            value,
            version_id: ids::uuid_of(name),
            created_at: ec2::ago(now, 150),
            last_read: None,
        };
        world.secrets.entry(REGION).or_default().insert(name.to_owned(), secret);
    }
    providers(world, now);
    rules(world);
    if let Some(region) = world.ec2.region_mut(REGION) {
        machine(region, now);
    }
}

fn providers(world: &mut World, now: DateTime<Utc>) {
    let account = world.account;
    let people = Saml {
        metadata: format!("<EntityDescriptor entityID=\"{}\"/>", "x".repeat(1_000)),
        id: "samlp-0123456789abcdef0".to_owned(),
        created_at: ec2::ago(now, 350),
        tags: BTreeMap::new(),
    };
    world
        .iam
        .saml
        .insert(format!("arn:aws:iam::{account}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"), people);
    let url = "token.actions.githubusercontent.com";
    let builds = Oidc {
        url: url.to_owned(),
        clients: BTreeSet::from(["sts.amazonaws.com".to_owned()]),
        thumbprints: vec!["6938fd4d98bab03faadb97b34396831e3780aea1".to_owned()],
        created_at: ec2::ago(now, 210),
        tags: BTreeMap::new(),
    };
    world.iam.oidc.insert(format!("arn:aws:iam::{account}:oidc-provider/{url}"), builds);
}

/// One of the owner's own, and one that AWS keeps.
fn rules(world: &mut World) {
    let nightly = EventRule {
        name: "nightly-batch".to_owned(),
        bus: "default".to_owned(),
        pattern: None,
        schedule: Some("cron(0 2 * * ? *)".to_owned()),
        description: Some("Starts the nightly batch".to_owned()),
        role: None,
        enabled: true,
        managed_by: None,
        targets: BTreeMap::from([(
            "queue".to_owned(),
            json!({ "Id": "queue", "Arn": format!("arn:aws:sqs:{REGION}:{}:nightly-batch", world.account) }),
        )]),
    };
    let managed = EventRule {
        name: "AutoScalingManagedRule".to_owned(),
        pattern: Some(
            json!({ "source": ["aws.ec2"], "detail-type": ["EC2 Instance Rebalance Recommendation"] }).to_string(),
        ),
        schedule: None,
        description: Some("This rule is used to route Instance notifications to EC2 Auto Scaling".to_owned()),
        managed_by: Some("autoscaling.amazonaws.com"),
        targets: BTreeMap::from([(
            "autoscaling".to_owned(),
            json!({ "Id": "autoscaling", "Arn": format!("arn:aws:autoscaling:{REGION}:::") }),
        )]),
        ..nightly.clone()
    };
    for rule in [nightly, managed] {
        world.rules.insert((REGION.to_owned(), rule.name.clone()), rule);
    }
}

/// The instance that runs the nightly batch.
fn machine(region: &mut Region, now: DateTime<Utc>) {
    let Some(group) = region.groups.values_mut().find(|group| group.name == "default") else { return };
    group.rules.push(Rule {
        id: named("sgr", "office"),
        egress: false,
        protocol: "tcp".to_owned(),
        ports: (443, 443),
        peer: "203.0.113.0/24".to_owned(),
        description: Some("office".to_owned()),
    });
    let (group, launched_at) = (group.id.clone(), ec2::ago(now, 90));
    let pair = Pair {
        id: named("key", "ops"),
        name: "ops".to_owned(),
        fingerprint: named("fp", "ops"),
        public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOps ops".to_owned(),
        created_at: ec2::ago(now, 300),
        tags: Tags::new(),
    };
    region.pairs.insert(pair.id.clone(), pair);
    let (id, volume_id) = (named("i", "batch-1"), named("vol", "batch-1"));
    let volume = Volume {
        id: volume_id.clone(),
        gigabytes: 100,
        created_at: launched_at,
        zone: format!("{REGION}a"),
        attached_to: Some(id.clone()),
        deleted_with_instance: false,
        tags: tagged("batch-1"),
    };
    region.volumes.insert(volume_id.clone(), volume);
    let snapshot = Snapshot {
        id: named("snap", "batch-1"),
        volume_id: volume_id.clone(),
        gigabytes: 100,
        started_at: now - TimeDelta::hours(9),
        description: "nightly".to_owned(),
        shared_with: BTreeSet::new(),
        tags: tagged("batch-1"),
    };
    let image = Image {
        id: named("ami", "batch"),
        name: "batch".to_owned(),
        created_at: ec2::ago(now, 95),
        shared_with: BTreeSet::new(),
        tags: tagged("batch"),
    };
    region.images.insert(image.id.clone(), image);
    region.snapshots.insert(snapshot.id.clone(), snapshot);
    let instance = Instance {
        id: id.clone(),
        reservation_id: named("r", "batch-1"),
        image_id: named("ami", "batch"),
        kind: "m6i.large".to_owned(),
        key_name: Some("ops".to_owned()),
        launched_at,
        zone: format!("{REGION}a"),
        private_ip: "172.31.0.9".to_owned(),
        profile: Some(PROFILE.to_owned()),
        group_ids: vec![group],
        volume_id,
        no_termination: true,
        no_stop: false,
        user_data: None,
        tags: tagged("batch-1"),
        phase: Phase::Started(launched_at),
        token_required: false,
        metadata_changed_at: None,
        spot_request: None,
        session: None,
    };
    region.instances.insert(id, instance);
}
