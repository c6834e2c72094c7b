//! Where a user is by now. A name is no proof of anything: whoever renames a user takes it from under everybody who asks for
//! it, and all that hangs on the user goes on under another. So a user is looked for by what stays: a key, or the unique id.

use super::{Holder, Probe};

impl Probe {
    /// The user of the account whom it asks about by name.
    pub fn user_name(&self) -> Option<String> {
        self.clone().named_user().cloned()
    }

    /// The same question about a user of this name.
    #[must_use]
    pub fn under(&self, user_name: &str) -> Self {
        let mut probe = self.clone();
        if let Some(name) = probe.named_user() {
            user_name.clone_into(name);
        }
        probe
    }

    /// What to ask to find its user by what stays; nothing for what is no user's, or of whom nothing but a name is known.
    pub fn whereabouts(&self, unique_id: Option<&str>) -> Option<Self> {
        self.user_name()?;
        let access_key_id = match self {
            Self::AccessKey { access_key_id, .. } => Some(access_key_id.clone()),
            _ => None,
        };
        let unique_id = unique_id.map(str::to_owned);
        (access_key_id.is_some() || unique_id.is_some()).then_some(Self::Whereabouts { access_key_id, unique_id })
    }

    fn named_user(&mut self) -> Option<&mut String> {
        match self {
            Self::AccessKey { user_name, .. }
            | Self::UserKeys { user_name }
            | Self::UserPolicy { user_name, .. }
            | Self::Membership { user_name, .. }
            | Self::LoginProfile { user_name }
            | Self::MfaDevice { user_name, .. }
            | Self::ServiceCredential { user_name, .. }
            | Self::User { user_name } => Some(user_name),
            Self::PutPolicy { holder: Holder::User(name), .. }
            | Self::Attachment { holder: Holder::User(name), .. }
            | Self::ServiceControl { principal: Holder::User(name), .. } => Some(name),
            // A user of IAM Identity Center is another kind of user.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_looked_for_by_its_key_or_its_unique_id_and_nothing_else_is() {
        let key: crate::domain::credential::AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let of_key = Probe::AccessKey { user_name: "ci".into(), access_key_id: key.clone() };
        assert_eq!(
            of_key.whereabouts(None),
            Some(Probe::Whereabouts { access_key_id: Some(key.clone()), unique_id: None })
        );
        assert_eq!(of_key.under("x"), Probe::AccessKey { user_name: "x".into(), access_key_id: key });
        let login = Probe::LoginProfile { user_name: "ci".into() };
        assert_eq!(login.whereabouts(None), None, "nothing but a name");
        let by_id = Probe::Whereabouts { access_key_id: None, unique_id: Some("AIDA1".into()) };
        assert_eq!(login.whereabouts(Some("AIDA1")), Some(by_id));
        let attached = |holder| Probe::Attachment { holder, policy_arn: "p".into() };
        assert_eq!(attached(Holder::User("ci".into())).user_name().as_deref(), Some("ci"));
        assert_eq!(attached(Holder::Role("ci".into())).whereabouts(Some("AROA1")), None);
        let role = Probe::Role { role_name: "ci".into() };
        assert_eq!(role.under("x"), role);
    }
}
