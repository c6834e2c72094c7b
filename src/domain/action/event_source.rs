//! An event source mapping that the attacker has made: what stands in a queue or stream goes to a function that they chose.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, counted, fresh_if, removal, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{EventSource, Observation};

/// Cuts a function off from a queue or stream.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteEventSource {
    /// Where it is.
    pub region: String,
    /// The mapping's UUID: never given twice.
    pub uuid: String,
}

impl DeleteEventSource {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a EventSource> {
        match seen {
            Observation::EventSource(source) if source.uuid == self.uuid => Some(source),
            _ => None,
        }
    }
}

impl Change for DeleteEventSource {
    removal!("delete-event-source-mapping", EventSource { uuid });

    fn title(&self) -> String {
        format!("Delete event source mapping {} in {}", self.uuid, self.region)
    }

    fn effect(&self) -> String {
        "The function gets nothing more from this queue or stream. What the queue holds stays there until something else \
         takes it, or its time is up."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        if self.observed(before).is_none() {
            return wrong_answer();
        }
        let calls = vec![ApiCall::DeleteEventSourceMapping { uuid: self.uuid.clone() }];
        let by_hand = "It is the attacker's. Which function it fed, and from where, stands in the plan.";
        Ok(WorkedOut::plain(calls, Inverse::None(by_hand.to_owned())))
    }

    /// Whether it is switched on makes no difference: the attacker can do that again.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        fresh_if((&was.from, &was.function) == (&is.from, &is.function), "which function it feeds")
    }

    fn left(&self, _now: &Observation) -> Vec<String> {
        counted(&[(1, "event source mapping itself")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;

    fn mapping(function: &str, state: &str) -> Observation {
        Observation::EventSource(EventSource {
            uuid: "u-1".into(),
            arn: "arn:aws:lambda:us-east-1:111122223333:event-source-mapping:u-1".into(),
            from: "arn:aws:sqs:us-east-1:111122223333:orders".into(),
            function: format!("arn:aws:lambda:us-east-1:111122223333:function:{function}"),
            state: state.into(),
        })
    }

    #[test]
    fn it_goes_by_its_uuid_as_long_as_it_feeds_the_same_function() {
        let of = DeleteEventSource { region: "us-east-1".into(), uuid: "u-1".into() };
        let (action, before) = (Action::DeleteEventSource(of), mapping("orders", "Enabled"));
        let work = action.work_out(&before).unwrap();
        let command = work.calls[0].cli("us-east-1");
        assert_eq!(command, "aws lambda delete-event-source-mapping --uuid u-1 --region us-east-1");
        assert!(work.calls.len() == 1 && work.calls[0].resource_in(&before.arns()).is_some());
        assert_eq!(action.freshness(&before, &mapping("orders", "Disabled")), Freshness::AsApproved);
        assert!(matches!(action.freshness(&before, &mapping("other", "Enabled")), Freshness::Changed(_)));
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert!(action.holds(&before, &[], &Observation::OwnerMissing) && !action.holds(&before, &[], &before));
        assert!(action.work_out(&Observation::OwnerMissing).is_err());
    }
}
