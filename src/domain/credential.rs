//! Access keys and the principals they belong to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{AccountId, NotAnId};

/// An AWS access key id. Not a secret: it is shown whole. Long-term keys start with `AKIA`, session
/// keys with `ASIA`.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a user's (or root's) own key and not a session's.
    pub fn is_long_term(&self) -> bool {
        self.0.starts_with("AKIA")
    }

    /// The account that AWS encodes in the key: base32 from the fifth character on, the first six
    /// bytes, 40 bits from bit 7. Keys made before about 2019 may not carry it, so it is a hint, to be
    /// compared with `sts:GetAccessKeyInfo`.
    pub fn account_hint(&self) -> Option<AccountId> {
        let mut bits: u64 = 0;
        // Ten characters of five bits are the fifty that hold the six bytes.
        for c in self.0.bytes().skip(4).take(10) {
            let value = match c {
                b'A'..=b'Z' => c - b'A',
                b'2'..=b'7' => c - b'2' + 26,
                _ => return None,
            };
            bits = (bits << 5) | u64::from(value);
        }
        let six_bytes = bits >> 2;
        let account = (six_bytes & 0x7fff_ffff_ff80) >> 7;
        format!("{account:012}").parse().ok()
    }
}

impl FromStr for AccessKeyId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let rest = text.strip_prefix("AKIA").or_else(|| text.strip_prefix("ASIA"));
        let well_formed = rest.is_some_and(|r| {
            (12..=124).contains(&r.len()) && r.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        });
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnId {
                text: text.chars().take(64).collect(),
                expected: "an access key id (AKIA or ASIA and 16 more capital letters and digits)",
            })
        }
    }
}

impl TryFrom<String> for AccessKeyId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<AccessKeyId> for String {
    fn from(id: AccessKeyId) -> String {
        id.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What sort of principal a credential belongs to. It decides which containment steps apply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// An IAM user, through its key or a session minted from it.
    IamUser,
    /// A session of an ordinary role.
    AssumedRole,
    /// A session from `GetFederationToken`.
    FederatedUser,
    /// The account's root user: no policy restricts it.
    Root,
    /// A session of a service-linked role: only AWS can change it.
    ServiceLinkedRole,
    /// A session of an `AWSReservedSSO_*` role: only IAM Identity Center can change it.
    IdentityCenterRole,
    /// Not found out yet, or not to be found out.
    Unknown,
}

impl PrincipalKind {
    /// How people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::IamUser => "IAM user",
            Self::AssumedRole => "assumed role",
            Self::FederatedUser => "federated user",
            Self::Root => "root user",
            Self::ServiceLinkedRole => "service-linked role",
            Self::IdentityCenterRole => "IAM Identity Center role",
            Self::Unknown => "unknown principal",
        }
    }

    /// The kind of a role, from the two paths that AWS reserves; by the name that Identity Center uses only where the path is
    /// not known: whoever may make roles can call one so.
    pub fn of_role(name: &str, path: &str) -> Self {
        if path.starts_with("/aws-service-role/") || (path.is_empty() && name.starts_with("AWSServiceRoleFor")) {
            Self::ServiceLinkedRole
        } else if path.starts_with("/aws-reserved/") || (path.is_empty() && name.starts_with("AWSReservedSSO_")) {
            Self::IdentityCenterRole
        } else {
            Self::AssumedRole
        }
    }
}

/// What the outside said about whose credential it is. Unproved: the text of an alert or of a person.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The access key, where one was named.
    pub access_key: Option<AccessKeyId>,
    /// The account, where one was named.
    pub account: Option<AccountId>,
    /// User or role name.
    pub name: Option<String>,
    /// Unique id (`AIDA…`, `AROA…:session`).
    pub principal_id: Option<String>,
    /// GuardDuty's `userType`, or what a person chose.
    pub kind: Option<PrincipalKind>,
}

impl Subject {
    /// Names the subject in a headline: the key, else the principal.
    pub fn headline(&self) -> String {
        match (&self.access_key, &self.name) {
            (Some(key), _) => key.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => "an unnamed credential".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_in_the_key() {
        let key: AccessKeyId = "ASIATFQR7NSC24TUFD7V".parse().unwrap();
        assert_eq!(key.account_hint().unwrap().as_str(), "218007301253");
        let old: AccessKeyId = "AKIA1890189018901890".parse().unwrap();
        assert_eq!(old.account_hint(), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "AKIA", "AKIAshort", "BKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPL ", "AKIAÉÉÉÉÉÉÉÉÉÉÉÉ"]
        {
            assert!(text.parse::<AccessKeyId>().is_err(), "{text}");
        }
    }

    #[test]
    fn roles_that_only_aws_can_change_are_known_by_their_path() {
        for (name, path, kind) in [
            ("app-deploy", "/", PrincipalKind::AssumedRole),
            ("AWSServiceRoleForSupport", "/aws-service-role/support.amazonaws.com/", PrincipalKind::ServiceLinkedRole),
            (
                "AWSReservedSSO_Admin_0123456789abcdef",
                "/aws-reserved/sso.amazonaws.com/",
                PrincipalKind::IdentityCenterRole,
            ),
            ("AWSServiceRoleForFun", "/", PrincipalKind::AssumedRole),
            ("AWSReservedSSO_Admin_0123456789abcdef", "/", PrincipalKind::AssumedRole),
            ("AWSReservedSSO_Admin_0123456789abcdef", "", PrincipalKind::IdentityCenterRole),
        ] {
            assert_eq!(PrincipalKind::of_role(name, path), kind, "{name}");
        }
    }
}
