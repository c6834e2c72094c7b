//! An identity provider that the attacker has made: whoever it vouches for can take the roles that trust it.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, fresh_if, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{IdentityProvider, Observation, Probe};
use crate::domain::policy::ActionClass;

/// What stands in the ARN of one that speaks SAML.
const SAML: &str = ":saml-provider/";

/// Deletes an identity provider.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteIdentityProvider {
    /// Which.
    pub provider_arn: String,
}

impl DeleteIdentityProvider {
    /// As people know it: the name of a SAML provider, the address of an `OpenID` Connect one.
    pub fn name(&self) -> &str {
        self.provider_arn.split_once('/').map_or(&self.provider_arn, |(_, name)| name)
    }

    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a IdentityProvider> {
        match seen {
            Observation::IdentityProvider(provider) if provider.arn == self.provider_arn => Some(provider),
            _ => None,
        }
    }
}

impl Change for DeleteIdentityProvider {
    fn kind(&self) -> &'static str {
        "delete-identity-provider"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        self.name()
    }

    fn title(&self) -> String {
        format!("Delete identity provider {}", self.name())
    }

    fn effect(&self) -> String {
        "Nobody whom it vouches for can take a role any more. Sessions that were taken so live on until their role's \
         sessions are revoked. Roles that trust it stay as they are: one that is made again under this name is trusted \
         again."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::IdentityProvider { provider_arn: self.provider_arn.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(provider) = self.observed(before) else { return wrong_answer() };
        let arn = provider.arn.clone();
        let call = if arn.contains(SAML) {
            ApiCall::DeleteSAMLProvider { saml_provider_arn: arn }
        } else {
            ApiCall::DeleteOpenIDConnectProvider { open_id_connect_provider_arn: arn }
        };
        let by_hand = "Roles that trust it would trust it at once if it were made again: what it was stands in the plan, \
                       for whoever needs it.";
        Ok(WorkedOut::plain(vec![call], Inverse::None(by_hand.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if was.created_at != is.created_at {
            return Freshness::Changed(format!(
                "it was deleted and made again: it was from {} and is from {}",
                was.created_at, is.created_at
            ));
        }
        fresh_if(was == is, "whom the provider vouches for")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;

    fn provider(arn: &str) -> IdentityProvider {
        IdentityProvider {
            arn: arn.into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            url: Some("id.example.org".into()),
            clients: vec!["sts.amazonaws.com".into()],
            thumbprints: Vec::new(),
            metadata: None,
            metadata_sha256: None,
            tags: BTreeMap::new(),
        }
    }

    fn deleted(arn: &str) -> (Action, String) {
        let action = Action::DeleteIdentityProvider(DeleteIdentityProvider { provider_arn: arn.into() });
        let work = action.work_out(&Observation::IdentityProvider(provider(arn))).unwrap();
        assert_eq!(work.calls.len(), 1);
        assert_eq!(work.calls[0].resource_in(&[arn.to_owned()]), Some(arn));
        (action, work.calls[0].cli("us-east-1"))
    }

    #[test]
    fn each_kind_has_its_call() {
        let saml = "arn:aws:iam::111122223333:saml-provider/okta";
        assert_eq!(deleted(saml).1, format!("aws iam delete-saml-provider --saml-provider-arn {saml}"));
        let oidc = "arn:aws:iam::111122223333:oidc-provider/id.example.org/a";
        let (action, command) = deleted(oidc);
        assert_eq!(command, format!("aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {oidc}"));
        assert_eq!(action.target(), "id.example.org/a");
    }

    #[test]
    fn one_that_was_made_again_or_changed_is_not_what_was_approved() {
        let arn = "arn:aws:iam::111122223333:oidc-provider/id.example.org";
        let action = Action::DeleteIdentityProvider(DeleteIdentityProvider { provider_arn: arn.into() });
        let before = Observation::IdentityProvider(provider(arn));
        let fresh = |now: IdentityProvider| action.freshness(&before, &Observation::IdentityProvider(now));
        assert_eq!(fresh(provider(arn)), Freshness::AsApproved);
        let again = IdentityProvider { created_at: "2026-01-02T00:00:00Z".into(), ..provider(arn) };
        assert!(matches!(fresh(again), Freshness::Changed(why) if why.contains("made again")));
        let other = IdentityProvider { clients: Vec::new(), ..provider(arn) };
        assert!(matches!(fresh(other), Freshness::Changed(_)));
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert!(action.holds(&before, &[], &Observation::OwnerMissing) && !action.holds(&before, &[], &before));
    }
}
