//! Something from outside that says a credential may be stolen, in one form whatever the source.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::credential::Subject;
use super::id::UserId;

/// How bad, in four words. GuardDuty's numbers map to them as its documentation groups them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// GuardDuty below 4.
    Low,
    /// GuardDuty from 4.
    Medium,
    /// GuardDuty from 7.
    High,
    /// GuardDuty from 9.
    Critical,
}

impl Severity {
    /// From GuardDuty's number (1 to 10).
    pub fn from_guardduty(number: f64) -> Self {
        if number >= 9.0 {
            Self::Critical
        } else if number >= 7.0 {
            Self::High
        } else if number >= 4.0 {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// The word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

/// Where an alert came from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertSource {
    /// A GuardDuty finding.
    GuardDuty,
    /// A person, through `/irp open`.
    Person(UserId),
}

/// One alert. The texts in it are from outside: escape them where they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Where it came from.
    pub source: AlertSource,
    /// The delivery's own id: the same one twice is the same delivery twice.
    pub delivery_id: String,
    /// The finding's id: several deliveries update one finding.
    pub finding_id: Option<String>,
    /// The finding's type, as the source names it.
    pub finding_type: String,
    /// One line for people.
    pub title: String,
    /// How bad the source says it is.
    pub severity: Severity,
    /// Whose credential, as far as the source says.
    pub subject: Subject,
    /// The AWS Region that it was seen in.
    pub region: Option<String>,
    /// When the source first saw it.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When the source last saw it.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// How often the source has seen it.
    pub count: u32,
    /// The caller's address, as the source gives it.
    pub remote_address: Option<String>,
    /// The API that was called, as `service:Operation`.
    pub api: Option<String>,
    /// A made-up finding for trying things out. It can never lead to a live action.
    pub sample: bool,
    /// What a person wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Alert {
    /// Something that was seen once, of which no more than this is known.
    pub fn new(
        (source, delivery_id): (AlertSource, impl Into<String>),
        (finding_type, title): (impl Into<String>, impl Into<String>),
        severity: Severity,
        subject: Subject,
    ) -> Self {
        Self {
            source,
            delivery_id: delivery_id.into(),
            finding_id: None,
            finding_type: finding_type.into(),
            title: title.into(),
            severity,
            subject,
            region: None,
            first_seen_at: None,
            last_seen_at: None,
            count: 1,
            remote_address: None,
            api: None,
            sample: false,
            note: None,
        }
    }

    /// What makes two alerts the same incident while it is open: the finding, the key, or else the
    /// principal. Samples have keys of their own, so that they can never join a real incident.
    pub fn correlation_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        if let Some(id) = &self.finding_id {
            keys.push(format!("finding:{id}"));
        }
        let account = self.subject.account.as_ref().map_or("?", |a| a.as_str());
        if let Some(key) = &self.subject.access_key {
            keys.push(format!("key:{key}"));
        } else if let Some(id) = &self.subject.principal_id {
            keys.push(format!("principal:{account}:{id}"));
        } else if let Some(name) = &self.subject.name {
            keys.push(format!("name:{account}:{name}"));
        }
        if keys.is_empty() {
            keys.push(format!("delivery:{}", self.delivery_id));
        }
        if self.sample {
            for key in &mut keys {
                key.insert_str(0, "sample:");
            }
        }
        keys
    }
}
