//! A responder stakes their name on a plan.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Approval, Digest, Glass, Plan, RequestState};
use crate::domain::id::{RequestId, UserId};
use crate::domain::policy::PersonId;
use crate::domain::refusal::{mention, moment};

/// Times of later looks that are kept: the first three and the last.
const HELD_KEPT: usize = 4;

/// One request for approval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// What is asked for.
    pub plan: Plan,
    /// What the approvals are bound to.
    pub digest: Digest,
    /// The first of those that were asked for together with it, if any were.
    pub burst: Option<RequestId>,
    /// The account that asked.
    pub requested_by: UserId,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Who could approve it when it was asked for.
    pub asked: Vec<PersonId>,
    /// The yeses so far.
    pub approvals: Vec<Approval>,
    /// When each person last took a yes back: what they had clicked before that counts no more.
    pub retracted: BTreeMap<PersonId, DateTime<Utc>>,
    /// Whose yes no longer counted, because they had lost the right to it.
    pub voided: BTreeSet<PersonId>,
    /// One person alone let it run.
    pub glass: Option<Glass>,
    /// Where it stands.
    pub state: RequestState,
    /// When AWS was seen to hold it again after it was verified: the first three times, and the last.
    pub held_at: Vec<DateTime<Utc>>,
    /// AWS was seen not to hold it any more: when, and what it shows instead.
    pub lost: Option<(DateTime<Utc>, String)>,
    /// It could not be read when AWS was last asked whether it holds: since when, and why.
    pub unread: Option<(DateTime<Utc>, String)>,
}

/// What somebody decided on, as it stood on the card.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Of all that was asked for together: a receipt names its first characters.
    pub digest: Digest,
    /// The rules that it was decided by.
    pub policy_version: String,
}

impl Request {
    /// One that has just been asked for. That the digest is the plan's is checked where something hangs on it: at each
    /// decision and in the warrant, not each time the log is read.
    pub fn new(id: RequestId, plan: Plan, digest: Digest, by: UserId, at: DateTime<Utc>) -> Self {
        Self {
            id,
            digest,
            plan,
            burst: None,
            requested_by: by,
            requested_at: at,
            asked: Vec::new(),
            approvals: Vec::new(),
            retracted: BTreeMap::new(),
            voided: BTreeSet::new(),
            glass: None,
            state: RequestState::Pending,
            held_at: Vec::new(),
            lost: None,
            unread: None,
        }
    }

    /// Notes that AWS still holds it.
    pub fn held(&mut self, at: DateTime<Utc>) {
        self.held_at.truncate(HELD_KEPT - 1);
        self.held_at.push(at);
    }

    /// Where it stands, and who decided when, for a sentence.
    pub fn in_words(&self) -> String {
        let state = self.state.in_words();
        let approved = self.approvals.last().map(|a| (&a.user, a.at));
        let alone = self.glass.as_ref().map(|glass| (&glass.user, glass.at));
        match (&self.state, alone.or(approved)) {
            (RequestState::Denied { at, .. }, _) => format!("{state} at {}", moment(*at)),
            (RequestState::Approved { .. }, Some((by, at))) => {
                format!("approved by {} at {}", mention(by), moment(at))
            }
            (_, Some((by, at))) => format!("{state} (approved by {} at {})", mention(by), moment(at)),
            (_, None) => state,
        }
    }

    /// What a person types to name the target: the key, else the user or role.
    pub fn target(&self) -> &str {
        self.plan.action.target()
    }
}

/// What a decision about requests that were asked for together is bound to: the digest of all their digests
/// in order. One that stands alone has its own.
pub fn shared_digest<'a>(together: impl IntoIterator<Item = &'a Request>) -> Digest {
    let digests: Vec<&Digest> = together.into_iter().map(|request| &request.digest).collect();
    match digests[..] {
        [alone] => alone.clone(),
        _ => Digest::of(&digests),
    }
}
