//! What the attacker has made in Roles Anywhere: a trust anchor, whose certificates let machines elsewhere in, and a
//! profile, which says with which roles.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, fresh_if, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Anywhere, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Disables a trust anchor, and deletes it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteTrustAnchor {
    /// Where it is.
    pub region: String,
    /// A UUID.
    pub trust_anchor_id: String,
}

/// Disables a profile of Roles Anywhere, and deletes it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteAnywhereProfile {
    /// Where it is.
    pub region: String,
    /// A UUID.
    pub profile_id: String,
}

fn observed<'a>(seen: &'a Observation, id: &str) -> Option<&'a Anywhere> {
    match seen {
        Observation::Anywhere(found) if found.id == id => Some(found),
        _ => None,
    }
}

/// Off first: from then on it lets nobody in, whatever becomes of the second call.
fn worked_out(before: &Observation, id: &str, disable: ApiCall, delete: ApiCall) -> Result<WorkedOut, String> {
    let Some(found) = observed(before, id) else { return wrong_answer() };
    let calls = found.enabled.then_some(disable).into_iter().chain([delete]).collect();
    let lost = "Made again it would be another one, with another id. What it was stands in the plan.";
    Ok(WorkedOut::plain(calls, Inverse::None(lost.to_owned())))
}

/// One that was switched off meanwhile is the same: it goes all the more.
fn compared(before: &Observation, now: &Observation, id: &str) -> Freshness {
    let (Some(was), Some(is)) = (observed(before, id), observed(now, id)) else {
        return something_else();
    };
    let same = Anywhere { enabled: was.enabled, ..is.clone() } == *was && (was.enabled || !is.enabled);
    fresh_if(same, "whom it lets in")
}

fn left_of(now: &Observation, id: &str, what: &str) -> Vec<String> {
    let state = |found: &Anywhere| format!("the {what}, {}", if found.enabled { "enabled" } else { "disabled" });
    observed(now, id).map(state).into_iter().collect()
}

impl Change for DeleteTrustAnchor {
    fn kind(&self) -> &'static str {
        "delete-trust-anchor"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.trust_anchor_id
    }

    fn title(&self) -> String {
        format!("Delete trust anchor {} of Roles Anywhere in {}", self.trust_anchor_id, self.region)
    }

    fn effect(&self) -> String {
        "Nobody gets a session by a certificate of this anchor any more. Sessions that were had so live on until their \
         role's sessions are revoked."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::TrustAnchor { region: self.region.clone(), trust_anchor_id: self.trust_anchor_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let trust_anchor_id = self.trust_anchor_id.clone();
        let disable = ApiCall::DisableTrustAnchor { trust_anchor_id: trust_anchor_id.clone() };
        worked_out(before, &self.trust_anchor_id, disable, ApiCall::DeleteTrustAnchor { trust_anchor_id })
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        compared(before, now, &self.trust_anchor_id)
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        left_of(now, &self.trust_anchor_id, "trust anchor")
    }
}

impl Change for DeleteAnywhereProfile {
    fn kind(&self) -> &'static str {
        "delete-roles-anywhere-profile"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.profile_id
    }

    fn title(&self) -> String {
        format!("Delete profile {} of Roles Anywhere in {}", self.profile_id, self.region)
    }

    fn effect(&self) -> String {
        "Nobody gets a session of the profile's roles by it any more. The roles stay, and so do sessions that were had \
         so, until they are revoked."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::AnywhereProfile { region: self.region.clone(), profile_id: self.profile_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let profile_id = self.profile_id.clone();
        let disable = ApiCall::DisableProfile { profile_id: profile_id.clone() };
        worked_out(before, &self.profile_id, disable, ApiCall::DeleteProfile { profile_id })
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        compared(before, now, &self.profile_id)
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        left_of(now, &self.profile_id, "profile")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;

    const ID: &str = "5e2b0a1c-0000-4000-8000-000000000001";

    fn anchor(enabled: bool, source: &str) -> Observation {
        Observation::Anywhere(Anywhere {
            id: ID.into(),
            arn: format!("arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/{ID}"),
            name: "ca".into(),
            enabled,
            created_at: "2026-01-01T00:00:00Z".into(),
            source: Some(source.into()),
            roles: Vec::new(),
        })
    }

    #[test]
    fn it_is_switched_off_before_it_goes() {
        let anchor_of = DeleteTrustAnchor { region: "eu-west-1".into(), trust_anchor_id: ID.into() };
        let action = Action::DeleteTrustAnchor(anchor_of);
        let before = anchor(true, "a");
        let work = action.work_out(&before).unwrap();
        let names: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
        assert_eq!(names, ["DisableTrustAnchor", "DeleteTrustAnchor"]);
        assert!(work.calls.iter().all(|call| call.removes() && call.resource_in(&before.arns()).is_some()));
        let command = format!("aws rolesanywhere disable-trust-anchor --trust-anchor-id {ID} --region eu-west-1");
        assert_eq!(work.calls[0].cli("eu-west-1"), command);
        assert_eq!(action.work_out(&anchor(false, "a")).unwrap().calls.len(), 1);
        assert_eq!(action.freshness(&before, &anchor(false, "a")), Freshness::AsApproved, "off is on the way");
        assert!(matches!(action.freshness(&anchor(false, "a"), &before), Freshness::Changed(_)), "on again is not");
        assert!(matches!(action.freshness(&before, &anchor(true, "b")), Freshness::Changed(_)));
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert_eq!(action.left(&before, &anchor(false, "a")), ["the trust anchor, disabled"]);
    }

    #[test]
    fn a_profile_goes_the_same_way() {
        let profile =
            Action::DeleteAnywhereProfile(DeleteAnywhereProfile { region: "eu-west-1".into(), profile_id: ID.into() });
        let Observation::Anywhere(found) = anchor(true, "a") else { panic!() };
        let arn = found.arn.replace("trust-anchor", "profile");
        let before = Observation::Anywhere(Anywhere { arn, source: None, roles: vec!["r".into()], ..found });
        let work = profile.work_out(&before).unwrap();
        let names: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
        assert_eq!(names, ["DisableProfile", "DeleteProfile"]);
        assert!(work.calls.iter().all(|call| call.resource_in(&before.arns()).is_some()));
        assert!(profile.holds(&before, &work.calls, &Observation::OwnerMissing));
        assert_eq!(profile.left(&before, &before), ["the profile, enabled"]);
    }
}
