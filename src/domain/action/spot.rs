//! A spot request that the attacker has made: a persistent one starts another instance for each that ends.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, counted, fresh_if, removal, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, SpotRequest};

/// Cancels a request for spot instances. An instance that it has started runs on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CancelSpotRequest {
    /// Where it is.
    pub region: String,
    /// `sir-…`
    pub request_id: String,
}

impl CancelSpotRequest {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a SpotRequest> {
        match seen {
            Observation::SpotRequest(request) if request.id == self.request_id => Some(request),
            _ => None,
        }
    }
}

impl Change for CancelSpotRequest {
    removal!("cancel-spot-request", SpotRequest { request_id });

    fn title(&self) -> String {
        format!("Cancel spot request {} in {}", self.request_id, self.region)
    }

    fn effect(&self) -> String {
        "It starts nothing any more. An instance that it has started runs on, and gets a step of its own, so that its \
         volumes are kept before it ends."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(request) = self.observed(before) else { return wrong_answer() };
        let by_hand = "It is the attacker's. What it asked for stands in the plan.";
        Ok(WorkedOut::plain(vec![request.cancelled()], Inverse::None(by_hand.to_owned())))
    }

    /// Which instance it has at present makes no difference: that one is ended by itself.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        fresh_if(was.launch == is.launch, "what it starts")
    }

    fn left(&self, _now: &Observation) -> Vec<String> {
        counted(&[(1, "spot request itself")])
    }

    fn leaves_running(&self, before: &Observation) -> Vec<String> {
        self.observed(before).and_then(|request| request.instance_id.clone()).into_iter().collect()
    }
}

impl SpotRequest {
    /// The call after which it starts nothing more.
    pub(super) fn cancelled(&self) -> ApiCall {
        ApiCall::CancelSpotInstanceRequests { spot_instance_request_ids: self.id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::Launch;

    fn request(instance: Option<&str>, image: &str) -> Observation {
        Observation::SpotRequest(SpotRequest {
            id: "sir-1".into(),
            arn: "arn:aws:ec2:us-west-2:111122223333:spot-instances-request/sir-1".into(),
            state: "active".into(),
            persistent: true,
            instance_id: instance.map(str::to_owned),
            launch: Launch { image_id: Some(image.into()), ..Launch::default() },
        })
    }

    #[test]
    fn it_is_cancelled_whatever_it_runs_and_what_it_runs_is_named() {
        let action = CancelSpotRequest { region: "us-west-2".into(), request_id: "sir-1".into() };
        let (action, before) = (Action::CancelSpotRequest(action), request(Some("i-1"), "ami-1"));
        let work = action.work_out(&before).unwrap();
        assert_eq!(
            work.calls[0].cli("us-west-2"),
            "aws ec2 cancel-spot-instance-requests --spot-instance-request-ids sir-1 --region us-west-2"
        );
        assert!(work.calls.len() == 1 && work.calls[0].resource_in(&before.arns()).is_some());
        assert_eq!(action.leaves_running(&before), ["i-1"]);
        assert_eq!(action.freshness(&before, &request(Some("i-2"), "ami-1")), Freshness::AsApproved);
        assert!(matches!(action.freshness(&before, &request(None, "ami-2")), Freshness::Changed(_)));
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert!(action.holds(&before, &[], &Observation::OwnerMissing) && !action.holds(&before, &[], &before));
    }
}
