//! An instance whose role's session was stolen: whoever had the instance ask its metadata service for the credentials can
//! have it ask again, and gets newer ones than any revocation denies. With `IMDSv2` that takes a token, which takes a `PUT`
//! that most ways of making a server send a request cannot send.
//!
//! The hop limit is left alone. The token is what a forged request lacks, however many hops it takes; lowered to 1 the
//! limit takes the role away from software in containers, which is one hop further.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Metadata, Observation, Probe};
use crate::domain::policy::ActionClass;

/// AWS's word for an instance that asks for a token, and for one that does without.
pub const REQUIRED: &str = "required";
const OPTIONAL: &str = "optional";
/// AWS's word for a metadata service that answers.
const ENABLED: &str = "enabled";

/// Has the metadata service of an instance give out nothing without a token.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RequireImdsV2 {
    /// Where it runs.
    pub region: String,
    /// `i-…`
    pub instance_id: String,
    /// The role that it gives out.
    pub role_name: String,
}

impl RequireImdsV2 {
    /// When it was launched, and its metadata service.
    fn observed<'a>(&self, seen: &'a Observation) -> Option<(&'a str, &'a Metadata)> {
        match seen {
            Observation::Instance(instance) if instance.id == self.instance_id => {
                Some((&instance.launched_at, instance.metadata.as_ref()?))
            }
            _ => None,
        }
    }

    /// EC2 wants to be told that the service is on, or says no. It is never switched on by this: both ways it is looked first.
    fn call(&self, tokens: &str) -> ApiCall {
        let (instance_id, http_tokens) = (self.instance_id.clone(), tokens.to_owned());
        ApiCall::ModifyInstanceMetadataOptions { instance_id, http_tokens, http_endpoint: Some(ENABLED.to_owned()) }
    }
}

impl Change for RequireImdsV2 {
    fn kind(&self) -> &'static str {
        "require-imdsv2"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.instance_id
    }

    fn title(&self) -> String {
        format!("Require IMDSv2 on instance {} in {}", self.instance_id, self.region)
    }

    fn effect(&self) -> String {
        format!(
            "A session of role {} was stolen from this instance. Who can have the instance send a plain request gets new \
             credentials of the role after each revocation; with a token required they do not. Software on the instance \
             that still uses IMDSv1 loses its role at once: the metric MetadataNoToken of the instance counts such calls. \
             Revoke the role's sessions after it. Whoever can run commands on the instance is not kept out by this.",
            self.role_name
        )
    }

    fn probe(&self) -> Probe {
        Probe::Instance { region: self.region.clone(), instance_id: self.instance_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some((_, metadata)) = self.observed(before) else { return wrong_answer() };
        if metadata.tokens == REQUIRED {
            return Err(format!("Instance {} requires a token already.", self.instance_id));
        }
        if metadata.endpoint != ENABLED {
            return Err(format!(
                "The metadata service of instance {} is switched off: it gives its role to nobody.",
                self.instance_id
            ));
        }
        Ok(WorkedOut::plain(vec![self.call(REQUIRED)], Inverse::Calls(vec![self.call(OPTIONAL)])))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some((launched, was)), Some((launched_now, is))) = (self.observed(before), self.observed(now)) else {
            return Freshness::Changed("AWS answered about something else".to_owned());
        };
        if launched != launched_now {
            return Freshness::Changed(format!("its launch time was {launched} and is {launched_now}"));
        }
        match (is.tokens == REQUIRED, was.endpoint == is.endpoint) {
            (true, _) => Freshness::AlreadyDone,
            (false, true) => Freshness::AsApproved,
            (false, false) => Freshness::Changed("its metadata service has been switched off or on since".to_owned()),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        let holds = |is: &Metadata| is.tokens == REQUIRED && is.applied && is.endpoint == ENABLED;
        self.observed(now).is_some_and(|(_, metadata)| holds(metadata))
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let open = self.observed(now).filter(|(_, metadata)| metadata.tokens != REQUIRED);
        open.map(|_| "the metadata service gives out the role without a token".to_owned()).into_iter().collect()
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match self.observed(now) {
            Some((_, metadata)) if metadata.tokens != REQUIRED => {
                Err(format!("instance {} gives out its role without a token again", self.instance_id))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{Instance, samples};

    fn action() -> Action {
        let role_name = "batch-worker".into();
        Action::RequireImdsV2(RequireImdsV2 { region: "us-west-2".into(), instance_id: "i-1".into(), role_name })
    }

    fn instance(tokens: &str, applied: bool, launched_at: &str) -> Observation {
        let metadata = Metadata { tokens: tokens.into(), hop_limit: 2, endpoint: "enabled".into(), applied };
        Observation::Instance(Instance {
            launched_at: launched_at.into(),
            metadata: Some(metadata),
            ..samples::instance("i-1")
        })
    }

    #[test]
    fn it_is_required_undone_and_watched() {
        let (before, after) = (instance(OPTIONAL, true, "a"), instance(REQUIRED, true, "a"));
        let work = action().work_out(&before).unwrap();
        assert_eq!(
            work.calls[0].cli("us-west-2"),
            "aws ec2 modify-instance-metadata-options --instance-id i-1 --http-tokens required --http-endpoint enabled \
             --region us-west-2"
        );
        assert!(work.calls[0].resource_in(&before.arns()).is_some());
        assert!(!action().holds(&before, &work.calls, &instance(REQUIRED, false, "a")), "AWS is still at it");
        assert!(action().holds(&before, &work.calls, &after));
        assert!(action().still_holds(&before, &work.calls, &before).unwrap_err().contains("without a token again"));
        assert!(action().still_holds(&before, &work.calls, &Observation::OwnerMissing).is_ok());
        let undo = action().undo(&before, &work.calls, "INC-1.1".parse().unwrap()).unwrap();
        let back = undo.work_out(&after).unwrap();
        assert!(back.calls[0].cli("us-west-2").contains("--http-tokens optional"));
        assert!(back.calls[0].cli("us-west-2").contains("--http-endpoint enabled"));
        assert!(undo.holds(&after, &back.calls, &before) && !undo.holds(&after, &back.calls, &after));
    }

    #[test]
    fn a_service_that_is_switched_off_is_never_switched_on() {
        let with = |seen: Observation, endpoint: &str| match seen {
            Observation::Instance(mut instance) => {
                instance.metadata = instance.metadata.map(|is| Metadata { endpoint: endpoint.into(), ..is });
                Observation::Instance(instance)
            }
            other => other,
        };
        let (before, after) = (instance(OPTIONAL, true, "a"), instance(REQUIRED, true, "a"));
        for endpoint in ["disabled", ""] {
            assert!(action().work_out(&with(before.clone(), endpoint)).unwrap_err().contains("switched off"));
        }
        let sent = action().work_out(&before).unwrap().calls;
        let undo = action().undo(&before, &sent, "INC-1.1".parse().unwrap()).unwrap();
        assert!(undo.work_out(&with(after.clone(), "disabled")).is_err());
        assert!(matches!(undo.freshness(&after, &with(after.clone(), "disabled")), Freshness::Changed(_)));
    }

    #[test]
    fn a_call_that_was_stored_without_the_endpoint_stays_as_it_was() {
        let stored = r#"{"operation":"ModifyInstanceMetadataOptions","instance_id":"i-1","http_tokens":"required"}"#;
        let call: ApiCall = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&call).unwrap(), stored);
        assert!(call.cli("us-west-2").ends_with("--http-tokens required --region us-west-2"));
    }

    #[test]
    fn one_that_requires_it_already_or_was_started_anew_is_told_apart() {
        let before = instance(OPTIONAL, true, "a");
        assert!(action().work_out(&instance(REQUIRED, true, "a")).unwrap_err().contains("already"));
        assert_eq!(action().freshness(&before, &before), Freshness::AsApproved);
        assert_eq!(action().freshness(&before, &instance(REQUIRED, true, "a")), Freshness::AlreadyDone);
        assert!(matches!(action().freshness(&before, &instance(OPTIONAL, true, "b")), Freshness::Changed(_)));
    }
}
