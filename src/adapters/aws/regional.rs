//! Clients for reading what is in a Region of its own. Built when a Region is asked for first, and kept: an
//! incident is rarely in more than a few.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{Region, SdkConfig};

/// One Region's.
pub(super) struct Regional {
    pub(super) autoscaling: aws_sdk_autoscaling::Client,
    pub(super) cloudtrail: aws_sdk_cloudtrail::Client,
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) events: aws_sdk_eventbridge::Client,
    pub(super) guardduty: aws_sdk_guardduty::Client,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) rolesanywhere: aws_sdk_rolesanywhere::Client,
}

/// All that have been asked for so far.
pub(super) struct Regions {
    config: SdkConfig,
    built: Mutex<BTreeMap<String, Arc<Regional>>>,
}

impl Regions {
    pub(super) fn new(config: SdkConfig) -> Self {
        Self { config, built: Mutex::default() }
    }

    pub(super) fn of(&self, region: &str) -> Arc<Regional> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let made = built.entry(region.to_owned()).or_insert_with(|| {
            let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
            Arc::new(Regional {
                autoscaling: aws_sdk_autoscaling::Client::new(&config),
                cloudtrail: aws_sdk_cloudtrail::Client::new(&config),
                ec2: aws_sdk_ec2::Client::new(&config),
                events: aws_sdk_eventbridge::Client::new(&config),
                guardduty: aws_sdk_guardduty::Client::new(&config),
                lambda: aws_sdk_lambda::Client::new(&config),
                rolesanywhere: aws_sdk_rolesanywhere::Client::new(&config),
            })
        });
        Arc::clone(made)
    }
}
