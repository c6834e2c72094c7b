//! What the search through the trail has shown of an incident: which credentials the attacker reached, and what
//! of theirs is left. The trail's own words are kept apart; this is what the incident's log remembers of them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::AccountId;
use super::trail::deed::Deed;
use super::trail::footprint::State;

/// What a search has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hunted {
    /// The credentials that the attacker has held, the stolen ones first.
    pub credentials: Vec<Reached>,
    /// What the attacker made, changed or deleted, by type and id.
    pub footprint: Vec<Trace>,
    /// What could not be read or is cut, a sentence each. While there is any, something can be missing above.
    pub not_known: Vec<String>,
}

/// A credential that the attacker has held.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// The access key; absent for a console session.
    pub access_key_id: Option<String>,
    /// Whose it is, as an ARN.
    pub principal: Option<String>,
    /// By what it was reached; absent for the stolen ones.
    pub how: Option<String>,
    /// The event that proves it.
    pub event_id: Option<String>,
    /// Its last call that worked.
    pub last_worked_at: Option<DateTime<Utc>>,
}

/// A resource that the attacker has touched.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// As in `CloudFormation`: `AWS::IAM::User`.
    pub resource_type: String,
    /// As the calls have it: a name, an id or an ARN.
    pub id: String,
    /// The account whose trail shows it.
    pub account: Option<AccountId>,
    /// The Region of the last call.
    pub region: String,
    /// How it stands, as far as the trail shows.
    pub state: State,
    /// Whether the attacker made it: only then may it be deleted.
    pub made_by_attacker: bool,
    /// Events that prove it, in order of time; the first ones and the last.
    pub evidence: Vec<String>,
    /// What was put there or taken off since the attacker first touched it, in order of time: from it follows what has to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
}
