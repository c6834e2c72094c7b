//! Who is there at first, and what people do in Identity Center by hand, outside the journal.

use super::{Assignment, IdentityCenter, PermissionSet, ROLE_POLICY, settle};
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
        let set = PermissionSet { name: SET.to_owned(), role: SET_ROLE.to_owned(), ..PermissionSet::default() };
        center.permission_sets.insert(SET_ARN.to_owned(), set);
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
            settle(&mut world, now);
            let center = &world.identity_center;
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

    /// The inline policy of the permission set.
    pub fn permission_set_policy(&self) -> Option<String> {
        self.world().identity_center.permission_sets.get(SET_ARN)?.inline_policy.clone()
    }

    /// The inline policy that the role of the permission set has in the account.
    pub fn provisioned_policy(&self) -> Option<String> {
        {
            let mut world = self.world();
            let now = world.clock.now();
            settle(&mut world, now);
        }
        self.role_inline_policy(SET_ROLE, ROLE_POLICY)
    }

    /// Gives the permission set another inline policy, or none, outside the journal. No role has it before the set is
    /// provisioned.
    pub fn set_permission_set_policy(&self, document: Option<&str>) {
        if let Some(set) = self.world().identity_center.permission_sets.get_mut(SET_ARN) {
            set.says(document.map(str::to_owned));
        }
    }

    /// Has the next deletion of an assignment, or the next provisioning, fail after AWS has taken it on.
    pub fn fail_next_in_identity_center(&self, why: &str) {
        self.world().identity_center.failure = Some(why.to_owned());
    }
}
