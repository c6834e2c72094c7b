//! What exactly is asked for, and the digest that approvals are bound to.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::canonical;
use super::lockout::check_nobody_locked_out;
use crate::domain::action::{Action, WorkedOut};
use crate::domain::id::{AccountId, IncidentId, StepId};
use crate::domain::observation::Observation;
use crate::domain::policy::{PersonId, Policy};
use crate::domain::refusal::Refusal;

/// Version of the digest's content. A change in what is bound changes it.
const PLAN_SCHEMA: u8 = 1;
/// Paths of roles that only AWS can change: service-linked ones and those of IAM Identity Center.
const RESERVED_PATHS: [&str; 2] = ["/aws-service-role/", "/aws-reserved/"];
/// Characters of a digest.
const DIGEST_CHARS: usize = 64;
/// Characters of the digest that cards and buttons carry.
const DIGEST_SHOWN_CHARS: usize = 12;

/// SHA-256 over the canonical JSON (RFC 8785) of a [`Plan`], in hexadecimal.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(String);

impl Digest {
    /// Of anything that serialises.
    pub fn of(value: &impl Serialize) -> Self {
        let text = serde_json::to_string(value).expect("plain data with string keys always serialises");
        Self::of_text(&text).expect("what serialises has one form")
    }

    /// Of a JSON text, as it is stored.
    pub fn of_text(json: &str) -> Result<Self, serde_json::Error> {
        Ok(Self(hex::encode(Sha256::digest(canonical::text(json)?))))
    }

    /// The part that people and buttons see.
    pub fn short(&self) -> &str {
        &self.0[..DIGEST_SHOWN_CHARS]
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_whole = text.len() == DIGEST_CHARS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_whole { Ok(Self(text)) } else { Err("a digest is 64 hexadecimal characters") }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that an approval is bound to. Titles and reasons are not part of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    schema: u8,
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: StepId,
    /// The change.
    pub action: Action,
    /// The account it is made in.
    pub account: AccountId,
    /// The Region that the calls go to.
    pub region: String,
    /// ARNs of what is changed: the owner's, then the others, sorted. In older logs those are in the order in which AWS gave
    /// them.
    pub targets: Vec<String>,
    /// The literal calls and their inverse.
    pub work: WorkedOut,
    /// AWS as it was when this was planned.
    pub before: Observation,
    /// SHA-256 of `before`.
    pub before_hash: Digest,
    /// The human who asks.
    pub requester: PersonId,
    /// The rules that it was asked under.
    pub policy_version: String,
    /// Makes two plans with the same content different.
    pub nonce: String,
    /// The last moment to decide.
    pub approve_by: DateTime<Utc>,
}

/// What a plan is made from, besides the action and AWS's answer.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The incident.
    pub incident: IncidentId,
    /// The step.
    pub step: &'a StepId,
    /// The account.
    pub account: &'a AccountId,
    /// Who asks.
    pub requester: &'a PersonId,
    /// Fresh randomness.
    pub nonce: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Plan {
    /// Works an action out against AWS as it is. Refuses what cannot or must not be done.
    pub fn make(action: Action, before: Observation, asked: &Asked<'_>, policy: &Policy) -> Result<Self, Refusal> {
        // The same in another order is asked for already.
        let before = before.in_order();
        let work = action.work_out(&before).map_err(Refusal::NotApplicable)?;
        let targets = before.arns();
        let target = before.owner_arn().unwrap_or_default().to_owned();
        if let Some(path) = before.owner_path().filter(|p| RESERVED_PATHS.iter().any(|r| p.starts_with(r))) {
            return Err(Refusal::Protected(
                target,
                format!("roles under {path} are changed only by AWS itself (UnmodifiableEntity)."),
            ));
        }
        check_nobody_locked_out(&action, &before, policy)?;
        Ok(Self {
            schema: PLAN_SCHEMA,
            incident: asked.incident,
            step: asked.step.clone(),
            account: asked.account.clone(),
            region: action.region().to_owned(),
            targets,
            before_hash: Digest::of(&before),
            work,
            before,
            requester: asked.requester.clone(),
            policy_version: policy.version.clone(),
            nonce: asked.nonce.to_owned(),
            approve_by: asked.now + policy.rules(action.class()).approve_within,
            action,
        })
    }

    /// Whether another plan would do the same to the same: everything but who asks, when and by which rules.
    pub fn does_the_same(&self, other: &Self) -> bool {
        self.action == other.action
            && self.account == other.account
            && self.targets == other.targets
            && self.work == other.work
            && self.before_hash == other.before_hash
    }

    /// What the approval is bound to.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }
}
