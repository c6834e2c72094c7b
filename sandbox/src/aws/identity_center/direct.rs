//! Who is there at first, and what people do in Identity Center by hand, outside the journal.

use super::{Assignment, IdentityCenter};
use crate::aws::{Account, KeyPair, ids};

/// The permission set that the account has a role of.
const SET: &str = "AdministratorAccess";
const SET_ARN: &str = "arn:aws:sso:::permissionSet/ssoins-6804sandbox0001/ps-0123456789abcdef";
const SET_ROLE: &str = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";
const OPERATORS: &str = "Operators";

impl IdentityCenter {
    /// `sam.lee` is assigned by himself, `jo.kim` by the group Operators, `max.berg` by both.
    pub(in crate::aws) fn seeded(account: &str) -> Self {
        let mut center = Self::default();
        let id = |name: &str| ids::uuid_of(&format!("identity-center/{name}"));
        center.permission_sets.insert(SET_ARN.to_owned(), SET.to_owned());
        center.groups.insert(id(OPERATORS), OPERATORS.to_owned());
        let assigned = |principal_type: &str, principal_id: String| Assignment {
            account: account.to_owned(),
            permission_set_arn: SET_ARN.to_owned(),
            principal_type: principal_type.to_owned(),
            principal_id,
        };
        center.assignments.push(assigned("GROUP", id(OPERATORS)));
        for (name, direct, grouped) in [("sam.lee", true, false), ("jo.kim", false, true), ("max.berg", true, true)] {
            center.users.insert(id(name), name.to_owned());
            if direct {
                center.assignments.push(assigned("USER", id(name)));
            }
            if grouped {
                center.memberships.insert(id(&format!("{name} in {OPERATORS}")), (id(OPERATORS), id(name)));
            }
        }
        center
    }
}

impl Account {
    /// Signs a user in to the account by way of Identity Center, with its one permission set. `None` for a user who has
    /// not been given it.
    pub fn identity_center_session(&self, user: &str) -> Option<KeyPair> {
        {
            let mut world = self.world();
            let now = world.clock.now();
            let center = &mut world.identity_center;
            center.settle(now);
            let (id, _) = center.users.iter().find(|(_, name)| *name == user)?;
            center.assignments_of(id, Some(self.id)).first()?;
        }
        self.mint_session(&format!("{SET_ROLE}/{user}"))
    }

    /// Gives a user the permission set, outside the journal. Nothing happens when there is no such user.
    pub fn assign_directly(&self, user: &str) {
        let mut world = self.world();
        let center = &mut world.identity_center;
        let Some((id, _)) = center.users.iter().find(|(_, name)| *name == user) else { return };
        center.assignments.push(Assignment {
            account: self.id.to_owned(),
            permission_set_arn: SET_ARN.to_owned(),
            principal_type: "USER".to_owned(),
            principal_id: id.clone(),
        });
    }

    /// Has the next deletion of an assignment fail, after AWS has taken it on.
    pub fn fail_next_assignment_deletion(&self, why: &str) {
        self.world().identity_center.failure = Some(why.to_owned());
    }
}
