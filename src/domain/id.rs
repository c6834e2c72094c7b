//! Names of things. Each is checked when it is made, so that nothing downstream has to ask again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is not the name it claims to be.
#[derive(Clone, Debug, Eq, PartialEq, Error)]
#[error("“{text}” is not {expected}")]
pub struct NotAnId {
    /// What was given, cut to 64 characters.
    pub text: String,
    /// What would have been right.
    pub expected: &'static str,
}

impl NotAnId {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(64).collect(), expected }
    }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(NotAnId::new(text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn upper_or_digit(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

checked_text!(
    /// A twelve-digit AWS account id.
    AccountId, "a 12-digit AWS account id",
    |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
checked_text!(
    /// A Slack user id. It is the only identity that counts: names and addresses can be changed by their owner.
    UserId, "a Slack user id such as U0123ABCD",
    |t| (2..=32).contains(&t.len()) && t.starts_with(['U', 'W']) && upper_or_digit(t)
);
checked_text!(
    /// A Slack user group id.
    GroupId, "a Slack user group id such as S0123ABCD",
    |t| (2..=32).contains(&t.len()) && t.starts_with('S') && upper_or_digit(t)
);
checked_text!(
    /// A Slack conversation id.
    ChannelId, "a Slack channel id such as C0123ABCD",
    |t| (2..=32).contains(&t.len()) && t.starts_with(['C', 'G', 'D']) && upper_or_digit(t)
);
checked_text!(
    /// A step of one incident: the playbook's step id, and the target where a step has several.
    StepId, "a step id",
    |t| !t.is_empty() && t.len() <= 200 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._@+=,".contains(&b))
);

/// One incident, written `INC-12`. Numbers are handed out by the store and never reused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId(u32);

impl IncidentId {
    /// The incident of this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The bare number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INC-{}", self.0)
    }
}

impl FromStr for IncidentId {
    type Err = NotAnId;

    /// Takes `INC-12`, `inc-12`, `INC12` and `12`, as people type it.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId::new(text, "an incident such as INC-12");
        let bare = match text.get(..3) {
            Some(prefix) if prefix.eq_ignore_ascii_case("inc") => text[3..].strip_prefix('-').unwrap_or(&text[3..]),
            _ => text,
        };
        if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        bare.parse().map(Self).map_err(|_| wrong())
    }
}

impl TryFrom<String> for IncidentId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> String {
        id.to_string()
    }
}

/// One request for approval, written `INC-12.3`: the third of its incident.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId {
    incident: IncidentId,
    number: u32,
}

impl RequestId {
    /// The request of this number in an incident.
    pub const fn new(incident: IncidentId, number: u32) -> Self {
        Self { incident, number }
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { incident: self.incident, number: self.number.saturating_add(1) }
    }

    /// The incident that it belongs to.
    pub const fn incident(self) -> IncidentId {
        self.incident
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incident, self.number)
    }
}

impl FromStr for RequestId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId::new(text, "a request such as INC-12.3");
        let (incident, number) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Self { incident: incident.parse().map_err(|_| wrong())?, number: number.parse().map_err(|_| wrong())? })
    }
}

impl TryFrom<String> for RequestId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_read_as_people_type_it() {
        for text in ["INC-12", "inc-12", "Inc12", "12"] {
            assert_eq!(text.parse(), Ok(IncidentId::new(12)), "{text}");
        }
        for text in ["", "INC-", "INC--1", "+1", "INC-99999999999", "éé", "INC-1.2"] {
            assert!(text.parse::<IncidentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_request_names_its_incident() {
        let id: RequestId = "INC-7.2".parse().unwrap();
        assert_eq!(id.incident(), IncidentId::new(7));
        assert_eq!(id.to_string(), "INC-7.2");
    }
}
