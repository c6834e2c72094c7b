//! What AWS says of what starts instances by itself, and of what they are made from: as much as is needed to stop it in
//! order, and to know after the fact what was there.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// An Auto Scaling group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ScalingGroup {
    /// Its ARN, which has an id that is never given twice.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// It never has fewer instances than this,
    pub min_size: i32,
    /// and never more than this.
    pub max_size: i32,
    /// So many it keeps up.
    pub desired: i32,
    /// What its instances are made from: `launch template lt-…, version 3`.
    pub launches_from: Vec<String>,
    /// Its subnets, else its Availability Zones.
    pub places: Vec<String>,
    /// Load balancers and target groups that its instances are put behind.
    pub behind: Vec<String>,
    /// What it does not do at present: `Launch`.
    pub suspended: BTreeSet<String>,
    /// AWS's word for what it refuses: `prevent-all-deletion`.
    pub deletion_protection: Option<String>,
    /// Whether it keeps instances ready that are not in it yet.
    pub warm_pool: bool,
    /// Whether that is being deleted.
    #[serde(default)]
    pub warm_pool_leaves: bool,
    /// Those instances, with AWS's word for each: `Warmed:Stopped`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warm: BTreeMap<String, String>,
    /// Its instances, by id.
    pub members: BTreeMap<String, Member>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// An instance of a group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// AWS's word: `InService`, `Pending:Wait`.
    pub lifecycle: String,
    /// Whether the group has started it. What somebody has attached has no template here.
    pub launched: bool,
}

impl Member {
    /// Whether it is on its way out: nothing is started in its place that is not to be.
    pub fn is_leaving(&self) -> bool {
        self.lifecycle.starts_with("Detach") || self.lifecycle.starts_with("Terminat")
    }

    /// Whether AWS takes it out of its group as it is now.
    pub fn can_leave(&self) -> bool {
        matches!(self.lifecycle.as_str(), "InService" | "Standby")
    }
}

/// The group that an instance is in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ScaledBy {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// It never has fewer instances than this.
    pub min_size: i32,
    /// So many it keeps up.
    pub desired: i32,
}

/// An EC2 Fleet or a Spot Fleet that can still start something. One that is deleted, cancelled or has failed counts as gone.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// `fleet-…`, or `sfr-…` of a Spot Fleet: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made.
    pub created_at: String,
    /// AWS's word: `submitted`, `active`.
    pub state: String,
    /// AWS's word: `maintain` starts another for each that ends, `request` and `instant` start so many once.
    pub kind: String,
    /// So many it keeps up or starts.
    pub target: i32,
    /// What its instances are made from: `launch template lt-…, version 3`.
    pub launches_from: Vec<String>,
    /// What a Spot Fleet starts without a template.
    pub launches: Vec<Launch>,
    /// The role that a Spot Fleet works with.
    pub role: Option<String>,
    /// What it has started and runs.
    pub instances: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Fleet {
    /// Whether it is a Spot Fleet, which has calls of its own.
    pub fn is_spot(&self) -> bool {
        self.id.starts_with("sfr-")
    }

    /// Whether it has started all that it ever will. AWS deletes such a one only with its instances.
    pub fn is_instant(&self) -> bool {
        self.kind == "instant"
    }
}

/// The fleet that starts another in an instance's place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct KeptUpBy {
    /// `fleet-…` or `sfr-…`
    pub id: String,
    /// So many it keeps up.
    pub target: i32,
    /// So many it has.
    pub running: usize,
}

impl KeptUpBy {
    /// Whether it can do without one.
    pub fn can_spare_one(&self) -> bool {
        usize::try_from(self.target).is_ok_and(|target| self.running > target)
    }
}

/// A request for spot instances that can still start one. One that is cancelled, closed or has failed counts as gone.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SpotRequest {
    /// `sir-…`: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// AWS's word: `open`, `active`.
    pub state: String,
    /// Whether it starts another instance when one has ended.
    pub persistent: bool,
    /// What it has started and runs.
    pub instance_id: Option<String>,
    /// What it starts.
    pub launch: Launch,
}

/// A launch template with all its versions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// `lt-…`: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// By whom, an ARN.
    pub created_by: String,
    /// The version that counts where none is named.
    pub default_version: i64,
    /// What each version starts, by its number.
    #[serde(deserialize_with = "by_number")]
    pub versions: BTreeMap<i64, Launch>,
}

/// JSON has no numbers as names, and what is read by its tag first takes names for text only.
fn by_number<'de, D: Deserializer<'de>>(stored: D) -> Result<BTreeMap<i64, Launch>, D::Error> {
    let named = BTreeMap::<String, Launch>::deserialize(stored)?;
    named.into_iter().map(|(name, launch)| Ok((name.parse().map_err(D::Error::custom)?, launch))).collect()
}

/// A launch template that somebody has changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ChangedTemplate {
    /// As it is.
    pub template: LaunchTemplate,
    /// Its default version before that, where the trail shows it.
    pub previous: Option<PreviousDefault>,
}

/// The version of a template that counted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PreviousDefault {
    /// Its number.
    pub version: i64,
    /// The event that shows it; none where nobody had changed it since the template was made, with version 1.
    pub event_id: Option<String>,
}

/// A launch configuration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LaunchConfiguration {
    /// Its ARN, which has an id that is never given twice.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// What it starts.
    pub launch: Launch,
}

/// What is started.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// The image.
    pub image_id: Option<String>,
    /// For example `c5.4xlarge`.
    pub instance_type: Option<String>,
    /// The key pair that lets people in.
    pub key_name: Option<String>,
    /// Name or ARN of the instance profile.
    pub profile: Option<String>,
    /// SHA-256 of the user data: what stands in that can be a secret of the owner's.
    pub user_data: Option<String>,
    /// Security groups.
    pub groups: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Observation;

    #[test]
    fn what_is_read_by_its_tag_has_its_versions_again() {
        let launch = Launch { image_id: Some("ami-1".into()), ..Launch::default() };
        let text = || "t".to_owned();
        let template = LaunchTemplate {
            id: text(),
            arn: text(),
            name: text(),
            created_at: text(),
            created_by: text(),
            default_version: 12,
            versions: [(2, Launch::default()), (12, launch)].into(),
        };
        let observed = Observation::LaunchTemplate(template);
        let stored = serde_json::to_string(&observed).unwrap();
        assert_eq!(serde_json::from_str::<Observation>(&stored).unwrap(), observed);
        assert!(serde_json::from_str::<Observation>(&stored.replace("\"12\":", "\"twelve\":")).is_err());
    }
}
