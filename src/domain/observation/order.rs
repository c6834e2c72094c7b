//! Lists of IAM in one order. AWS gives them in any, and a digest must not tell apart what is the same.

use super::Observation;

impl Observation {
    /// With what hangs on a user, role, group, policy or instance profile sorted, and who has something by way of a group.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        match &mut self {
            Self::User(user) => {
                user.keys.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                user.mfa_devices.sort_unstable();
                user.certificates.sort_unstable();
                user.ssh_keys.sort_unstable();
                user.service_credentials.sort_unstable();
                user.attached.sort_unstable();
            }
            Self::Role(role) => role.attached.sort_unstable(),
            Self::Group(group) => {
                group.members.sort_unstable();
                group.attached.sort_unstable();
            }
            Self::Policy(policy) => {
                policy.attached_to.sort_unstable();
                policy.bounds.sort_unstable();
                policy.members.sort_unstable();
            }
            Self::Attached { members, .. } => members.sort_unstable(),
            Self::PutPolicy(policy) => policy.members.sort_unstable(),
            Self::InstanceProfile(profile) => profile.roles.sort_unstable(),
            _ => {}
        }
        self
    }
}
