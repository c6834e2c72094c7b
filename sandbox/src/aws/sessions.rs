//! What the policy of a session lets it do: for tests that want to know more than the session has tried.

use super::Account;
use super::policy::{Context, Decision, Kind, Policy};
use super::state::{Principal, Session};

/// A role's session that was opened with a policy of its own: whatever the role may do, it can do no more than that.
#[derive(Debug)]
pub struct ConfinedSession {
    /// `ASIA…`
    pub access_key_id: String,
    /// As it was called when it was opened.
    pub name: String,
    /// On whose word it was opened.
    pub source_identity: Option<String>,
    policy: Policy,
}

impl ConfinedSession {
    fn of(session: &Session) -> Option<Self> {
        let (Principal::Role { session_name, .. } | Principal::Manager { session_name, .. }) = &session.of else {
            return None;
        };
        Some(Self {
            access_key_id: session.access_key_id.clone(),
            name: session_name.clone(),
            source_identity: session.source_identity.clone(),
            policy: Policy::parse(session.policy.as_deref()?, Kind::Identity).ok()?,
        })
    }

    /// Whether its policy allows an action, `iam:GetUser`, on the resource with this ARN, when nothing else is known of
    /// the call: what a condition asks about is absent.
    pub fn allows(&self, action: &str, arn: &str) -> bool {
        self.policy.decide(action, arn, &Context::new()) == Decision::Allow
    }

    /// The same of a call that attaches or detaches this managed policy.
    pub fn allows_with_policy(&self, action: &str, arn: &str, policy_arn: &str) -> bool {
        let context = Context::from([("iam:policyarn", policy_arn.to_owned())]);
        self.policy.decide(action, arn, &context) == Decision::Allow
    }
}

impl Account {
    /// All sessions that were ever opened with a policy of their own.
    pub fn confined_sessions(&self) -> Vec<ConfinedSession> {
        self.world().sessions.values().filter_map(ConfinedSession::of).collect()
    }
}
