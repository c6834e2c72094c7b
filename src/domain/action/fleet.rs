//! An EC2 Fleet or a Spot Fleet that the attacker has made: one of type `maintain` starts another instance for each that
//! ends. It is deleted before its instances are, which then run on; each is kept as evidence and ended like any other. One
//! of type `instant` has started all that it ever will, and AWS deletes it only together with its instances: they go first.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, removal, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Fleet, Observation};

/// Deletes an EC2 Fleet, or cancels the request of a Spot Fleet. What it has started runs on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteFleet {
    /// Where it is.
    pub region: String,
    /// `fleet-…` or `sfr-…`
    pub fleet_id: String,
}

impl DeleteFleet {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a Fleet> {
        match seen {
            Observation::Fleet(fleet) if fleet.id == self.fleet_id => Some(fleet),
            _ => None,
        }
    }
}

impl Change for DeleteFleet {
    removal!("delete-fleet", Fleet { fleet_id });

    fn title(&self) -> String {
        let Self { region, fleet_id } = self;
        if fleet_id.starts_with("sfr-") {
            format!("Cancel Spot Fleet request {fleet_id} in {region}")
        } else {
            format!("Delete EC2 Fleet {fleet_id} in {region}")
        }
    }

    fn effect(&self) -> String {
        "It starts nothing any more. Instances that it has started run on, and each gets a step of its own, so that its \
         volumes are kept before it ends; those of a fleet of type instant have ended before."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(fleet) = self.observed(before) else { return wrong_answer() };
        let id = || fleet.id.clone();
        if fleet.is_instant() && !fleet.instances.is_empty() {
            let running: Vec<&str> = fleet.instances.iter().map(String::as_str).collect();
            return Err(format!(
                "{} is of type instant: it starts nothing any more, and AWS deletes it only together with its instances, of \
                 which nothing would be kept: {}. End each by its own step, and ask for this after that.",
                fleet.id,
                running.join(", ")
            ));
        }
        // Of what an instant fleet has started nothing runs any more.
        let terminate_instances = fleet.is_instant().to_string();
        let call = if fleet.is_spot() {
            ApiCall::CancelSpotFleetRequests { spot_fleet_request_ids: id(), terminate_instances }
        } else {
            ApiCall::DeleteFleets { fleet_ids: id(), terminate_instances }
        };
        Ok(WorkedOut::plain(vec![call], Inverse::None(REMOVED.to_owned())))
    }

    /// Which instances it has at present makes no difference, where they are not ended by this.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if is.is_instant() && !is.instances.is_empty() {
            return Freshness::Changed("what it has started has been started again".to_owned());
        }
        let starts = |of: &Fleet| (of.kind.clone(), of.launches_from.clone(), of.launches.clone());
        fresh_if(starts(was) == starts(is), "what it starts")
    }

    fn left(&self, _now: &Observation) -> Vec<String> {
        counted(&[(1, "fleet itself")])
    }

    fn leaves_running(&self, before: &Observation) -> Vec<String> {
        self.observed(before).into_iter().flat_map(|fleet| &fleet.instances).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;

    fn fleet(id: &str, kind: &str, instances: &[&str], from: &str) -> Observation {
        let resource = if id.starts_with("sfr-") { "spot-fleet-request" } else { "fleet" };
        Observation::Fleet(Fleet {
            id: id.into(),
            arn: format!("arn:aws:ec2:us-west-2:111122223333:{resource}/{id}"),
            created_at: "2026-01-01T00:00:00Z".into(),
            state: "active".into(),
            kind: kind.into(),
            target: 2,
            launches_from: vec![from.into()],
            launches: Vec::new(),
            role: None,
            instances: instances.iter().map(|id| (*id).to_owned()).collect(),
            tags: BTreeMap::new(),
        })
    }

    fn delete(id: &str) -> Action {
        Action::DeleteFleet(DeleteFleet { region: "us-west-2".into(), fleet_id: id.into() })
    }

    #[test]
    fn it_goes_before_its_instances_which_run_on_and_are_named() {
        for (id, cli) in [
            ("fleet-1", "aws ec2 delete-fleets --fleet-ids fleet-1 --no-terminate-instances --region us-west-2"),
            (
                "sfr-1",
                "aws ec2 cancel-spot-fleet-requests --spot-fleet-request-ids sfr-1 --no-terminate-instances --region us-west-2",
            ),
        ] {
            let (action, before) = (delete(id), fleet(id, "maintain", &["i-1", "i-2"], "lt-1"));
            let work = action.work_out(&before).unwrap();
            assert_eq!(work.calls[0].cli("us-west-2"), cli);
            assert!(work.calls.len() == 1 && work.calls[0].resource_in(&before.arns()).is_some());
            assert_eq!(action.leaves_running(&before), ["i-1", "i-2"]);
            // It replaces one, and another hand has changed what it starts.
            assert_eq!(
                action.freshness(&before, &fleet(id, "maintain", &["i-2", "i-3"], "lt-1")),
                Freshness::AsApproved
            );
            assert!(matches!(
                action.freshness(&before, &fleet(id, "maintain", &["i-1", "i-2"], "lt-2")),
                Freshness::Changed(_)
            ));
            assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
            assert!(action.holds(&before, &[], &Observation::OwnerMissing) && !action.holds(&before, &[], &before));
            assert_eq!(action.left(&before, &before), ["the fleet itself"]);
        }
    }

    #[test]
    fn an_instant_one_goes_after_its_instances_because_aws_takes_them_along() {
        let action = delete("fleet-1");
        let why = action.work_out(&fleet("fleet-1", "instant", &["i-1", "i-2"], "lt-1")).unwrap_err();
        assert!(why.contains("i-1, i-2") && why.contains("its own step"), "{why}");
        let before = fleet("fleet-1", "instant", &[], "lt-1");
        let cli = action.work_out(&before).unwrap().calls[0].cli("us-west-2");
        assert_eq!(cli, "aws ec2 delete-fleets --fleet-ids fleet-1 --terminate-instances --region us-west-2");
        let again = action.freshness(&before, &fleet("fleet-1", "instant", &["i-1"], "lt-1"));
        assert!(matches!(again, Freshness::Changed(_)), "nothing of one that runs has been kept");
    }
}
