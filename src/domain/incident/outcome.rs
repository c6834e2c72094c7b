//! How an incident ends, as people type it and as they read it.

use serde::{Deserialize, Serialize};

/// How an incident ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The credential was stolen, and it is dealt with.
    Resolved,
    /// It was not stolen.
    FalsePositive,
    /// Another incident covers it.
    Duplicate,
    /// A drill or a sample.
    Exercise,
}

impl Outcome {
    /// All of them, in the order shown.
    pub const ALL: [Self; 4] = [Self::Resolved, Self::FalsePositive, Self::Duplicate, Self::Exercise];

    /// As people type it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::FalsePositive => "false-positive",
            Self::Duplicate => "duplicate",
            Self::Exercise => "exercise",
        }
    }

    /// As people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resolved => "Resolved",
            Self::FalsePositive => "False positive",
            Self::Duplicate => "Duplicate",
            Self::Exercise => "Exercise",
        }
    }

    /// From what people type.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str().eq_ignore_ascii_case(text))
    }
}
