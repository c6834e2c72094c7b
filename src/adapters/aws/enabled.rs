//! Which Regions of an account are searched: those of `irp.toml`, else all that are enabled, as EC2 says. An attacker
//! goes where nobody looks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault::fault;
use super::trail::RegionTrail;
use super::{AccountClients, HOME_REGION};
use crate::ports::{CloudError, Searched};

/// So long an answer is taken for true: an attacker can enable a Region.
const KEPT: Duration = Duration::from_mins(5);
/// So long it stands in when EC2 does not answer.
const STANDS_IN: Duration = Duration::from_hours(1);

/// What EC2 has last said, and when.
#[derive(Default)]
pub(super) struct Enabled(Mutex<Option<(Vec<String>, Instant)>>);

impl AccountClients {
    /// The Regions that are searched, the one of IAM first, those that are enabled and left out, and why there can be others.
    pub(super) async fn searched(&self) -> Searched {
        let enabled = self.enabled_now().await;
        let Some(given) = &self.settings.regions else {
            return match enabled {
                Ok(regions) => Searched { regions, ..Searched::default() },
                Err((known, error)) => {
                    let regions = known.unwrap_or_else(|| home_first(Vec::new()));
                    let gap = format!(
                        "which Regions are enabled is not known, so only {} can be looked at ({error}): allow \
                         ec2:DescribeRegions to the reader role",
                        regions.join(", ")
                    );
                    Searched { regions, gap: Some(gap), ..Searched::default() }
                }
            };
        };
        let regions = home_first(given.clone());
        let (known, gap) = match enabled {
            Ok(known) => (known, None),
            Err((known, error)) => {
                let gap = format!(
                    "whether more are enabled than irp.toml names in `regions` is not known ({error}): allow \
                     ec2:DescribeRegions to the reader role"
                );
                (known.unwrap_or_default(), Some(gap))
            }
        };
        let unwatched = known.into_iter().filter(|region| !regions.contains(region)).collect();
        Searched { regions, unwatched, gap }
    }

    /// The Regions that are enabled; where EC2 does not say, what it has said before, and why.
    async fn enabled_now(&self) -> Result<Vec<String>, (Option<Vec<String>>, CloudError)> {
        // Who comes meanwhile waits for the same answer.
        let mut known = self.enabled.0.lock().await;
        if let Some((regions, _)) = known.as_ref().filter(|(_, at)| at.elapsed() < KEPT) {
            return Ok(regions.clone());
        }
        match self.ask_enabled().await {
            Ok(regions) => {
                *known = Some((regions.clone(), Instant::now()));
                Ok(regions)
            }
            Err(error) => {
                let stands_in = known.as_ref().filter(|(_, at)| error.can_retry() && at.elapsed() < STANDS_IN);
                match stands_in {
                    Some((regions, _)) => Ok(regions.clone()),
                    None => Err((known.as_ref().map(|(regions, _)| regions.clone()), error)),
                }
            }
        }
    }

    async fn ask_enabled(&self) -> Result<Vec<String>, CloudError> {
        let operation = "ec2:DescribeRegions";
        // Without `AllRegions` those alone that the account can use.
        let asked = Box::pin(self.regions.of(HOME_REGION).ec2.describe_regions().send()).await;
        let answer = asked.map_err(|e| fault(operation, &e))?;
        let names = answer.regions.unwrap_or_default().into_iter().filter_map(|region| region.region_name);
        let names: Vec<String> = names.filter(|name| is_name(name)).collect();
        if names.is_empty() {
            return Err(CloudError::Unavailable {
                operation: operation.into(),
                message: "AWS's answer names no Region".into(),
            });
        }
        Ok(home_first(names))
    }

    /// The event history of each.
    pub(super) async fn trails(&self) -> Vec<Arc<RegionTrail>> {
        let Searched { regions, .. } = self.searched().await;
        regions.iter().map(|region| self.trails.of(region)).collect()
    }

    /// The event history in which IAM's events are.
    pub(super) fn home_trail(&self) -> Arc<RegionTrail> {
        self.trails.of(HOME_REGION)
    }

    /// The event history of one Region. Names come from records too, and become part of an address.
    pub(super) fn trail(&self, region: &str) -> Result<Arc<RegionTrail>, CloudError> {
        let searched = match &self.settings.regions {
            Some(given) => region == HOME_REGION || given.iter().any(|name| name == region),
            None => is_name(region),
        };
        if searched {
            return Ok(self.trails.of(region));
        }
        Err(CloudError::Refused {
            operation: "cloudtrail:LookupEvents".into(),
            code: "UnknownRegion".into(),
            message: format!("{region} is not among the Regions of account {}", self.settings.id),
        })
    }
}

fn home_first(regions: Vec<String>) -> Vec<String> {
    let mut others: Vec<String> = regions.into_iter().filter(|region| region != HOME_REGION).collect();
    others.sort();
    others.dedup();
    others.insert(0, HOME_REGION.to_owned());
    others
}

/// Whether it can be a Region's name.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (5..=32).contains(&text.len()) && text.contains('-') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_iam_comes_first_and_each_once() {
        let regions = ["eu-west-1", "us-east-1", "af-south-1", "eu-west-1"].map(str::to_owned).to_vec();
        assert_eq!(home_first(regions), ["us-east-1", "af-south-1", "eu-west-1"]);
        assert_eq!(home_first(Vec::new()), ["us-east-1"]);
    }

    #[test]
    fn what_cannot_be_part_of_an_address_is_no_region() {
        assert!(["us-east-1", "ap-southeast-7", "us-gov-west-1"].into_iter().all(is_name));
        assert!(
            ["", "mars", "us-east-1.evil.example", "US-EAST-1", "us_east_1", "a/b-c-1"]
                .into_iter()
                .all(|t| !is_name(t))
        );
    }
}
