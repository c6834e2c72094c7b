//! What watches the account, and what the attacker has switched off: a trail, `GuardDuty`'s detector.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, Probe, Watching};
use crate::domain::policy::ActionClass;

/// Has a trail deliver events again.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StartLogging {
    /// Its home.
    pub region: String,
    /// Its name or ARN, as the attacker's call has it.
    pub name: String,
}

/// Has `GuardDuty` look again in one Region.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EnableDetector {
    /// The Region.
    pub region: String,
    /// Its id.
    pub detector_id: String,
}

/// What people do about a trail whose files do not get into its bucket.
pub const SEE_TO: &str = "Make the bucket anew, or put its policy back, or have the trail deliver elsewhere, and look whether it \
                          delivers: aws cloudtrail get-trail-status has no LatestDeliveryError then.";

const NOBODY_WANTS_IT: &str = "Nobody needs it switched off again.";

fn observed(seen: &Observation) -> Option<&Watching> {
    match seen {
        Observation::Watching(watching) => Some(watching),
        _ => None,
    }
}

fn worked_out(before: &Observation, what: &str, call: impl Fn(&Watching) -> ApiCall) -> Result<WorkedOut, String> {
    match observed(before) {
        None => wrong_answer(),
        Some(watching) if watching.on => Err(format!("{what} is on already.")),
        Some(watching) => Ok(WorkedOut::plain(vec![call(watching)], Inverse::None(NOBODY_WANTS_IT.to_owned()))),
    }
}

/// Why nothing comes of a trail, on or off, where AWS says that its newest files did not get into its bucket.
pub fn fails_to_deliver(seen: &Observation) -> Option<&str> {
    observed(seen)?.failing.as_deref()
}

fn compared(now: &Observation) -> Freshness {
    match observed(now) {
        Some(watching) if watching.on => Freshness::AlreadyDone,
        Some(_) => Freshness::AsApproved,
        None => something_else(),
    }
}

fn is_on(now: &Observation) -> bool {
    observed(now).is_some_and(|watching| watching.on)
}

fn still_on(now: &Observation, what: &str) -> Result<(), String> {
    if is_on(now) { Ok(()) } else { Err(format!("{what} has been switched off again")) }
}

impl Change for StartLogging {
    fn kind(&self) -> &'static str {
        "start-logging"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.name
    }

    fn title(&self) -> String {
        format!("Start trail {} again", self.name)
    }

    fn effect(&self) -> String {
        "The trail delivers events to its bucket from then on. What was called meanwhile is missing there; the event \
         history has its management events."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Trail { region: self.region.clone(), name: self.name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        match observed(before) {
            Some(Watching { on: true, failing: Some(why), .. }) => Err(format!(
                "Trail {} is on already, and nothing comes of it: its newest files did not get into its bucket ({why}). \
                 {SEE_TO}",
                self.name
            )),
            _ => worked_out(before, &format!("Trail {}", self.name), |trail| ApiCall::StartLogging {
                name: trail.arn.clone(),
            }),
        }
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        compared(now)
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        is_on(now)
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        still_on(now, &format!("trail {}", self.name))
    }
}

impl Change for EnableDetector {
    fn kind(&self) -> &'static str {
        "enable-detector"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.detector_id
    }

    fn title(&self) -> String {
        format!("Switch GuardDuty's detector {} in {} on again", self.detector_id, self.region)
    }

    fn effect(&self) -> String {
        "GuardDuty looks at what happens in this Region from then on; at what happened meanwhile it does not."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Detector { region: self.region.clone(), detector_id: self.detector_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        worked_out(before, "The detector", |_| ApiCall::UpdateDetector {
            detector_id: self.detector_id.clone(),
            enable: "true".to_owned(),
        })
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        compared(now)
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        is_on(now)
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        still_on(now, &format!("GuardDuty's detector in {}", self.region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;

    fn seen(on: bool) -> Observation {
        let arn = "arn:aws:cloudtrail:us-east-1:111122223333:trail/t".into();
        Observation::Watching(Watching { arn, on, failing: None })
    }

    #[test]
    fn a_trail_that_is_on_and_does_not_deliver_is_no_trail_that_works() {
        let arn = "arn:aws:cloudtrail:us-east-1:111122223333:trail/t".to_owned();
        let fails = |on| Observation::Watching(Watching { arn: arn.clone(), on, failing: Some("NoSuchBucket".into()) });
        let trail = Action::StartLogging(StartLogging { region: "us-east-1".into(), name: "t".into() });
        let refused = trail.work_out(&fails(true)).unwrap_err();
        assert!(refused.contains("nothing comes of it") && refused.contains("(NoSuchBucket)"), "{refused}");
        assert_eq!(trail.work_out(&fails(false)).unwrap().calls.len(), 1, "it is switched on all the same");
        assert_eq!(trail.freshness(&seen(false), &fails(false)), Freshness::AsApproved);
        assert!(trail.holds(&fails(false), &[], &fails(true)), "it is on");
        assert_eq!((fails_to_deliver(&fails(true)), fails_to_deliver(&seen(true))), (Some("NoSuchBucket"), None));
        // What was read before this was kept.
        let old: Watching = serde_json::from_str(r#"{"arn":"a","on":true}"#).unwrap();
        assert_eq!(old.failing, None);
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"arn":"a","on":true}"#, "and its digest is the same");
    }

    #[test]
    fn what_is_off_is_switched_on_and_watched() {
        let trail = Action::StartLogging(StartLogging { region: "us-east-1".into(), name: "t".into() });
        let detector = EnableDetector { region: "eu-west-1".into(), detector_id: "d".into() };
        for action in [trail, Action::EnableDetector(detector)] {
            let work = action.work_out(&seen(false)).unwrap();
            assert_eq!(work.calls.len(), 1);
            assert!(action.work_out(&seen(true)).unwrap_err().contains("already"));
            assert_eq!(action.freshness(&seen(false), &seen(false)), Freshness::AsApproved);
            assert_eq!(action.freshness(&seen(false), &seen(true)), Freshness::AlreadyDone);
            assert!(action.holds(&seen(false), &work.calls, &seen(true)));
            assert!(!action.holds(&seen(false), &work.calls, &seen(false)));
            assert!(action.still_holds(&seen(false), &work.calls, &seen(true)).is_ok());
            assert!(action.still_holds(&seen(false), &work.calls, &seen(false)).is_err());
        }
    }
}
