//! What the demo account runs: one instance with its volume and last night's snapshot, a trail, two secrets.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::{EXPORTS, LOGS, RESULTS};
use crate::aws::ec2::{self, Instance, Pair, Phase, Region, Rule, Snapshot, Tags, Volume};
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
    if let Some(region) = world.ec2.region_mut(REGION) {
        machine(region, now);
    }
}

/// The instance that runs the nightly batch.
fn machine(region: &mut Region, now: DateTime<Utc>) {
    let Some(group) = region.groups.values_mut().find(|group| group.name == "default") else { return };
    group.rules.push(Rule {
        id: named("sgr", "office"),
        protocol: "tcp".to_owned(),
        ports: (443, 443),
        from: "203.0.113.0/24".to_owned(),
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
        session: None,
    };
    region.instances.insert(id, instance);
}
