//! What AWS says of things in tests.

use std::collections::BTreeMap;

use super::Instance;

/// An instance that runs, with nothing on it.
pub fn instance(id: &str) -> Instance {
    Instance {
        id: id.into(),
        arn: format!("arn:aws:ec2:us-west-2:111122223333:instance/{id}"),
        launched_at: "2026-01-01T00:00:00Z".into(),
        state: "running".into(),
        instance_type: "c5.4xlarge".into(),
        image_id: "ami-1".into(),
        key_name: None,
        profile: None,
        protected: false,
        stop_protected: false,
        user_data: None,
        groups: Vec::new(),
        volumes: BTreeMap::new(),
        kept_interfaces: Vec::new(),
        snapshots_arn: "arn:aws:ec2:us-west-2::snapshot/*".into(),
        scaled_by: None,
        spot: None,
        fleet: None,
        metadata: None,
        tags: BTreeMap::new(),
    }
}
