//! The access of a user of IAM Identity Center to an account: taken away, whichever way it comes.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, Powers};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::id::AccountId;
use crate::domain::observation::{Access, Observation, Probe, Way};
use crate::domain::policy::ActionClass;

/// Takes a permission set in one account from one user: the assignment, or the membership in the group that has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteAssignment {
    /// Where Identity Center is.
    pub region: String,
    /// The account.
    pub account: AccountId,
    /// The permission set, by name.
    pub permission_set: String,
    /// The user, by the name that sessions carry.
    pub user_name: String,
}

fn access(seen: &Observation) -> Option<&Access> {
    match seen {
        Observation::Access(seen) => Some(seen),
        _ => None,
    }
}

impl DeleteAssignment {
    /// The call that takes one way of access, or that gives it back.
    fn call(&self, way: &Way, seen: &Access, takes: bool) -> ApiCall {
        match way {
            Way::Direct => {
                let (instance_arn, permission_set_arn) = (seen.instance_arn.clone(), seen.permission_set_arn.clone());
                let (target_id, target_type) = (self.account.to_string(), "AWS_ACCOUNT".to_owned());
                let (principal_type, principal_id) = ("USER".to_owned(), seen.identity.id.clone());
                if takes {
                    ApiCall::DeleteAccountAssignment {
                        instance_arn,
                        target_id,
                        target_type,
                        permission_set_arn,
                        principal_type,
                        principal_id,
                    }
                } else {
                    ApiCall::CreateAccountAssignment {
                        instance_arn,
                        target_id,
                        target_type,
                        permission_set_arn,
                        principal_type,
                        principal_id,
                    }
                }
            }
            Way::Group { membership_id, .. } if takes => ApiCall::DeleteGroupMembership {
                identity_store_id: seen.identity_store_id.clone(),
                membership_id: membership_id.clone(),
            },
            Way::Group { group_id, .. } => ApiCall::CreateGroupMembership {
                identity_store_id: seen.identity_store_id.clone(),
                group_id: group_id.clone(),
                member_id: format!("UserId={}", seen.identity.id),
            },
        }
    }
}

impl Change for DeleteAssignment {
    fn kind(&self) -> &'static str {
        "delete-account-assignment"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn powers(&self) -> Powers {
        Powers::ContainFromOrganization
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.user_name
    }

    fn title(&self) -> String {
        let Self { user_name, permission_set, account, .. } = self;
        format!("Take {permission_set} in account {account} from Identity Center user {user_name}")
    }

    fn effect(&self) -> String {
        "The user gets no new session of this permission set in this account. Sessions that they have live on until they \
         expire: the organization's deny is for those. Where the access comes from a group, the user leaves the group, \
         and loses what else it gives. An identity provider that writes groups can put them back: change it there too."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        let Self { region, permission_set, user_name, .. } = self.clone();
        Probe::Access { region, permission_set, user_name }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(seen) = access(before) else { return wrong_answer() };
        if seen.ways.is_empty() {
            return Err(format!(
                "Identity Center gives user {} no {} in account {} any more.",
                self.user_name, self.permission_set, self.account
            ));
        }
        let calls = |takes| seen.ways.iter().map(|way| self.call(way, seen, takes)).collect();
        Ok(WorkedOut::plain(calls(true), Inverse::Calls(calls(false))))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        match access(before).zip(access(now)) {
            Some((was, is)) if was.group_ids() == is.group_ids() => Freshness::AsApproved,
            Some((_, is)) if is.ways.is_empty() => Freshness::AlreadyDone,
            Some(_) => Freshness::Changed("how the user comes to this access has changed since".to_owned()),
            None => Freshness::Changed("AWS answered about something else".to_owned()),
        }
    }

    fn holds(&self, before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        let both = access(before).zip(access(now));
        both.is_some_and(|(was, is)| !is.group_ids().iter().any(|way| was.group_ids().contains(way)))
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        access(now).into_iter().flat_map(|seen| &seen.ways).map(Way::in_words).collect()
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match access(now).and_then(|seen| seen.ways.first()) {
            None => Ok(()),
            Some(way) => Err(format!(
                "user {} has {} in account {} again, by {}",
                self.user_name,
                self.permission_set,
                self.account,
                way.in_words()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::id::{IncidentId, RequestId};
    use crate::domain::observation::Identity;

    fn action() -> Action {
        Action::DeleteAssignment(DeleteAssignment {
            region: "eu-west-1".into(),
            account: "111122223333".parse().unwrap(),
            permission_set: "Admin".into(),
            user_name: "ana".into(),
        })
    }

    fn group(membership_id: &str) -> Way {
        Way::Group { group_id: "g-1".into(), name: "Operators".into(), membership_id: membership_id.into() }
    }

    fn seen(ways: &[Way]) -> Observation {
        Observation::Access(Access {
            identity: Identity { id: "u-1".into(), arn: "arn:aws:identitystore:::user/u-1".into(), path: "/".into() },
            instance_arn: "arn:aws:sso:::instance/ssoins-1".into(),
            identity_store_id: "d-1".into(),
            identity_store_arn: "arn:aws:identitystore::999988887777:identitystore/d-1".into(),
            permission_set_arn: "arn:aws:sso:::permissionSet/ssoins-1/ps-1".into(),
            account_arn: "arn:aws:sso:::account/111122223333".into(),
            ways: ways.to_vec(),
        })
    }

    #[test]
    fn every_way_is_taken_and_each_call_is_on_what_was_approved() {
        let before = seen(&[Way::Direct, group("m-1")]);
        let work = action().work_out(&before).unwrap();
        let operations: Vec<&str> = work.calls.iter().map(ApiCall::iam_action).collect();
        assert_eq!(operations, ["sso:DeleteAccountAssignment", "identitystore:DeleteGroupMembership"]);
        let on: Vec<usize> = work.calls.iter().map(|call| call.resources_in(&before.arns()).len()).collect();
        assert_eq!(on, [3, 4], "all that AWS asks the permission for");
        assert!(work.calls[0].cli("eu-west-1").starts_with("aws sso-admin delete-account-assignment --instance-arn"));
        assert!(action().work_out(&seen(&[])).unwrap_err().contains("no Admin"));
        assert!(action().holds(&before, &work.calls, &seen(&[])));
        assert!(!action().holds(&before, &work.calls, &seen(&[group("m-1")])));
        assert_eq!(action().left(&before, &seen(&[group("m-1")])), ["the membership in group Operators"]);
        let again = action().still_holds(&before, &work.calls, &seen(&[group("m-2")])).unwrap_err();
        assert!(again.contains("again, by the membership in group Operators"), "{again}");
    }

    #[test]
    fn what_has_changed_is_stale_and_what_is_gone_is_done() {
        let fresh = |was: &[Way], is: &[Way]| action().freshness(&seen(was), &seen(is));
        assert_eq!(fresh(&[group("m-1")], &[group("m-2")]), Freshness::AsApproved);
        assert_eq!(fresh(&[Way::Direct], &[]), Freshness::AlreadyDone);
        assert!(matches!(fresh(&[Way::Direct], &[Way::Direct, group("m-1")]), Freshness::Changed(_)));
    }

    #[test]
    fn an_undo_gives_back_each_way() {
        let before = seen(&[Way::Direct, group("m-1")]);
        let sent = action().work_out(&before).unwrap().calls;
        let undo = action().undo(&before, &sent, RequestId::new(IncidentId::new(1), 1)).unwrap();
        assert_eq!((undo.class(), undo.powers()), (ActionClass::Loosen, Powers::ContainFromOrganization));
        let work = undo.work_out(&seen(&[])).unwrap();
        let operations: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
        assert_eq!(operations, ["CreateAccountAssignment", "CreateGroupMembership"]);
        assert!(undo.holds(&seen(&[]), &work.calls, &seen(&[Way::Direct, group("m-2")])));
        assert!(!undo.holds(&seen(&[]), &work.calls, &seen(&[Way::Direct])));
    }
}
