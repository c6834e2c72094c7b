//! The simulated AWS: users and roles with unique ids, their keys and inline policies. It does what arrives,
//! whoever waits for the answer, and others change it too.

use std::collections::BTreeMap;
use std::ops::Deref;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use irp::domain::action::{ApiCall, REVOKE_POLICY};
use irp::domain::approval::{CallAnswer, Warrant};
use irp::domain::blast_radius::{AssumedRole, BlastRadius};
use irp::domain::credential::{AccessKeyId, PrincipalKind, Subject};
use irp::domain::id::{AccountId, RequestId};
use irp::domain::identification::{Identification, KnownKey};
use irp::domain::inventory::Stock;
use irp::domain::observation::{KeyStatus, Observation, Probe};
use irp::ports::{
    Clock, Cloud, CloudError, EventHistory, LogArchive, Look, Page, PageRead, Searched, Session, Stocktaking, TOO_LATE,
    Term,
};

use super::people::KIM_ADDRESS;
use super::schedule::{Chance, Event, Landing, MINUTE_MS, Port, SECOND_MS};

pub(super) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const OTHER_KEY: &str = "AKIAI44QH8DHBEXAMPLE";
pub(super) const SESSION: &str = "ASIAIOSFODNN7EXAMPLE";
pub(super) const USER: &str = "deploy-bot";
pub(super) const ROLE: &str = "app";
pub(super) const ACCOUNT: &str = "111122223333";
/// A policy that somebody else has written.
const FOREIGN: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

#[derive(Clone, Debug, PartialEq)]
struct Principal {
    id: String,
    keys: BTreeMap<AccessKeyId, KeyStatus>,
    policy: Option<String>,
}

/// One account.
pub(super) struct Aws {
    user: Principal,
    role: Principal,
    made: u32,
    /// What a change has not reached yet, and until when: IAM shows it after a while.
    still: BTreeMap<&'static str, (u64, Principal)>,
    answers: BTreeMap<RequestId, CallAnswer>,
}

impl Default for Aws {
    fn default() -> Self {
        let keys = [(KEY.parse().unwrap(), KeyStatus::Active)].into();
        Self {
            user: Principal { id: "AIDA0".into(), keys, policy: None },
            role: Principal { id: "AROA0".into(), keys: BTreeMap::new(), policy: None },
            made: 0,
            still: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }
}

impl Aws {
    fn principal(&mut self, name: &str) -> Option<(&'static str, &mut Principal)> {
        match name {
            USER => Some((USER, &mut self.user)),
            ROLE => Some((ROLE, &mut self.role)),
            _ => None,
        }
    }

    /// One call, as AWS does it.
    fn call(&mut self, call: &ApiCall) -> CallAnswer {
        let missing = || CallAnswer::Refused { code: "NoSuchEntity".into(), message: "simulated".into() };
        let (ApiCall::UpdateAccessKey { user_name: name, .. }
        | ApiCall::PutUserPolicy { user_name: name, .. }
        | ApiCall::DeleteUserPolicy { user_name: name, .. }
        | ApiCall::PutRolePolicy { role_name: name, .. }
        | ApiCall::DeleteRolePolicy { role_name: name, .. }) = call
        else {
            panic!("nobody asks for {} here", call.iam_action())
        };
        let Some((_, principal)) = self.principal(name) else { return missing() };
        match call {
            ApiCall::UpdateAccessKey { access_key_id, status, .. } => match principal.keys.get_mut(access_key_id) {
                Some(key) => *key = *status,
                None => return missing(),
            },
            ApiCall::PutUserPolicy { policy_document, .. } | ApiCall::PutRolePolicy { policy_document, .. } => {
                principal.policy = Some(policy_document.clone());
            }
            ApiCall::DeleteUserPolicy { .. } | ApiCall::DeleteRolePolicy { .. } => {
                if principal.policy.take().is_none() {
                    return missing();
                }
            }
            other => panic!("nobody asks for {} here", other.iam_action()),
        }
        CallAnswer::Accepted
    }

    /// What a request has sent arrives. Reads may still show what was before, for so long.
    pub(super) fn land(&mut self, request: RequestId, calls: &[ApiCall], hidden_until_ms: Option<u64>) -> CallAnswer {
        let before = [(USER, self.user.clone()), (ROLE, self.role.clone())];
        let mut answer = CallAnswer::Accepted;
        for call in calls {
            answer = self.call(call);
        }
        for (name, old) in before {
            let changed = self.principal(name).is_some_and(|(_, now)| *now != old);
            if let Some(until_ms) = hidden_until_ms.filter(|_| changed) {
                self.still.insert(name, (until_ms, old));
            }
        }
        self.answers.insert(request, answer.clone());
        answer
    }

    /// Somebody else is at work in the account.
    pub(super) fn disturb(&mut self, chance: &mut Chance) -> &'static str {
        self.still.clear();
        let key: AccessKeyId = KEY.parse().unwrap();
        let role = chance.happens(0.4);
        self.made += 1;
        let made = self.made;
        let principal = if role { &mut self.role } else { &mut self.user };
        match chance.below(if role { 3 } else { 7 }) {
            0 => {
                principal.policy = Some(FOREIGN.into());
                "somebody writes another policy"
            }
            1 => {
                principal.policy = None;
                "somebody deletes the policy"
            }
            2 => {
                principal.id = format!("{}{made}", &principal.id[..4]);
                principal.policy = None;
                principal.keys.values_mut().for_each(|status| *status = KeyStatus::Active);
                "somebody makes the user or role again under the same name"
            }
            3 if chance.happens(0.3) => {
                principal.keys.remove(&key);
                "somebody deletes the key"
            }
            6 => {
                principal.keys.insert(OTHER_KEY.parse().unwrap(), KeyStatus::Active);
                "somebody makes a new key"
            }
            4 => {
                principal.keys.insert(key, KeyStatus::Inactive);
                "somebody switches the key off"
            }
            _ => {
                principal.keys.insert(key, KeyStatus::Active);
                "somebody switches the key on"
            }
        }
    }

    fn seen(&self, name: &str, now_ms: u64) -> Option<&Principal> {
        let current = match name {
            USER => &self.user,
            ROLE => &self.role,
            _ => return None,
        };
        Some(self.still.get(name).filter(|(until_ms, _)| now_ms < *until_ms).map_or(current, |(_, old)| old))
    }

    fn observe(&self, probe: &Probe, now_ms: u64) -> Observation {
        if let Probe::Whereabouts { access_key_id, unique_id } = probe {
            let is_theirs = |seen: &&Principal| {
                access_key_id.as_ref().is_some_and(|key| seen.keys.contains_key(key))
                    || unique_id.as_ref() == Some(&seen.id)
            };
            // Nobody is renamed here.
            return match self.seen(USER, now_ms).filter(is_theirs) {
                Some(_) => self.observe(&Probe::UserKeys { user_name: USER.into() }, now_ms),
                None => Observation::OwnerMissing,
            };
        }
        let (kind, name) = match probe {
            Probe::AccessKey { user_name, .. }
            | Probe::UserKeys { user_name }
            | Probe::UserPolicy { user_name, .. } => ("user", user_name),
            Probe::RolePolicy { role_name, .. } => ("role", role_name),
            other => panic!("nobody asks about {other:?} here"),
        };
        let Some(seen) = self.seen(name, now_ms) else { return Observation::OwnerMissing };
        let (owner_id, owner_arn) = (seen.id.clone(), arn(kind, name));
        match probe {
            Probe::AccessKey { access_key_id, .. } => {
                Observation::AccessKey { owner_id, owner_arn, status: seen.keys.get(access_key_id).copied() }
            }
            Probe::UserKeys { .. } => {
                let keys = seen.keys.iter().map(|(key, status)| (key.clone(), *status)).collect();
                Observation::UserKeys { owner_id, owner_arn, keys }
            }
            Probe::UserPolicy { policy_name, .. } | Probe::RolePolicy { policy_name, .. } => {
                let document = seen.policy.clone().filter(|_| policy_name == REVOKE_POLICY);
                Observation::InlinePolicy { owner_id, owner_arn, owner_path: "/".into(), document }
            }
            other => panic!("nobody asks about {other:?} here"),
        }
    }

    fn identify(&self, subject: &Subject) -> Identification {
        let role = subject.access_key.as_ref().is_some_and(|key| !key.is_long_term());
        let (kind, name, principal) = if role {
            (PrincipalKind::AssumedRole, ROLE, &self.role)
        } else {
            (PrincipalKind::IamUser, USER, &self.user)
        };
        let known = |(id, status): (&AccessKeyId, &KeyStatus)| KnownKey {
            id: id.clone(),
            status: *status,
            created_at: None,
            last_used_at: None,
            last_used_for: None,
        };
        Identification {
            kind,
            name: Some(name.into()),
            arn: Some(arn(if role { "role" } else { "user" }, name)),
            unique_id: Some(principal.id.clone()),
            session_name: role.then(|| KIM_ADDRESS.into()),
            taken_by: Vec::new(),
            account: ACCOUNT.parse().ok(),
            account_in_key: None,
            account_from_sts: None,
            keys: principal.keys.iter().map(known).collect(),
            keys_read: true,
            owners: if role { Vec::new() } else { vec![KIM_ADDRESS.into()] },
            not_known: Vec::new(),
        }
    }
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}")
}

/// What becomes of a call, besides what AWS itself says to it.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    Refused,
    /// The answer gets lost; the call was done, or not.
    Unclear(bool),
    /// No answer ever comes.
    Hangs(bool),
    /// It arrives only when nobody waits for it any more.
    Late,
}

impl Port {
    async fn ask(&self, operation: &str) -> Result<(), CloudError> {
        self.travel().await;
        let (throttled, refused, ms) = {
            let state = &mut *self.sim.state();
            let away = state.now_ms < state.outages.aws_until_ms;
            let denied = state.outages.denied == Some(operation);
            let odds = state.odds.clone();
            let slow = state.chance.happens(odds.aws_slow);
            let ms = state.chance.between(0, if slow { 6 * SECOND_MS } else { 300 });
            let (throttled, refused) =
                (state.chance.happens(odds.aws_throttles), state.chance.happens(odds.aws_refuses));
            (throttled || away, refused || denied, ms)
        };
        self.pass(ms).await;
        if !throttled {
            let state = &mut *self.sim.state();
            state.audit.answered(state.at_work, refused);
        }
        let (operation, message) = (operation.to_owned(), "simulated".to_owned());
        match (throttled, refused) {
            (true, _) => Err(CloudError::Unavailable { operation, message }),
            (_, true) => Err(CloudError::Refused { operation, code: "AccessDenied".into(), message }),
            _ => Ok(()),
        }
    }
}

/// A trail that shows nothing: the search has to come to its end all the same.
#[async_trait]
impl EventHistory for Port {
    async fn regions(&self, _: &AccountId) -> Result<Searched, CloudError> {
        Ok(Searched { regions: vec!["us-east-1".into()], ..Searched::default() })
    }

    async fn page(&self, _: &AccountId, _: Page<'_>) -> Result<PageRead, CloudError> {
        self.ask("LookupEvents").await?;
        Ok(PageRead::default())
    }

    async fn canary(&self, _: &AccountId, _: &str) -> Result<String, CloudError> {
        self.ask("GetCallerIdentity").await?;
        Ok("simulated".into())
    }
}

/// An account in which nothing else exists.
#[async_trait]
impl Stocktaking for Port {
    async fn stock(&self, _: &AccountId, _: Look<'_>) -> Result<Stock, CloudError> {
        self.ask("GetAccountAuthorizationDetails").await?;
        Ok(Stock::default())
    }
}

impl LogArchive for Port {}

#[async_trait]
impl Cloud for Port {
    async fn caller(&self) -> Result<String, CloudError> {
        self.ask("GetCallerIdentity").await?;
        Ok(format!("arn:aws:sts::{ACCOUNT}:assumed-role/irp/irp"))
    }

    async fn identify(&self, subject: &Subject, _: DateTime<Utc>) -> Result<Identification, CloudError> {
        self.ask("GetAccessKeyLastUsed").await?;
        Ok(self.sim.state().aws.identify(subject))
    }

    async fn blast_radius(
        &self,
        subject: &Subject,
        _: &Identification,
        now: DateTime<Utc>,
    ) -> Result<BlastRadius, CloudError> {
        self.ask("LookupEvents").await?;
        let role = subject.access_key.as_ref().is_some_and(|key| !key.is_long_term());
        let state = &mut *self.sim.state();
        let gap = state.chance.happens(0.15);
        let assumed = AssumedRole {
            arn: arn("role", ROLE),
            name: ROLE.into(),
            account: ACCOUNT.parse().ok(),
            sessions: vec![KIM_ADDRESS.into()],
            last_at: now,
            role_use: None,
        };
        // A role that is read with a gap can be among what is not seen.
        let hidden = role || (gap && state.chance.happens(0.5));
        Ok(BlastRadius {
            roles: if hidden { Vec::new() } else { vec![assumed] },
            not_known: if gap { vec!["The trail of eu-north-1 could not be read.".into()] } else { Vec::new() },
            ..BlastRadius::default()
        })
    }

    async fn observe(&self, account: &AccountId, probe: &Probe) -> Result<Observation, CloudError> {
        if account.as_str() != ACCOUNT {
            return Err(CloudError::UnknownAccount(account.to_string()));
        }
        let by = self.sim.state().at_work;
        self.sim.state().audit.not_read(by, probe);
        self.ask("GetUserPolicy").await?;
        let seen = {
            let state = &mut *self.sim.state();
            let seen = state.aws.observe(probe, state.now_ms);
            state.audit.read(state.at_work, probe, &seen, state.now_ms);
            seen
        };
        self.travel().await;
        Ok(seen)
    }

    async fn session(&self, _: &Warrant) -> Result<Box<dyn Session + '_>, CloudError> {
        self.ask("AssumeRole").await?;
        Ok(Box::new(Given(self)))
    }
}

/// What AWS gives for a warrant.
struct Given<'a>(&'a Port);

impl Deref for Given<'_> {
    type Target = Port;

    fn deref(&self) -> &Port {
        self.0
    }
}

#[async_trait]
impl Session for Given<'_> {
    async fn apply(&self, warrant: &Warrant, term: &Term<'_>) -> CallAnswer {
        // What has to be looked at or fetched before the call can be long in coming.
        let before_ms = {
            let state = &mut *self.sim.state();
            let slow = state.chance.happens(state.odds.aws_slow);
            state.chance.between(0, if slow { 15 * SECOND_MS } else { 300 })
        };
        self.pass(before_ms).await;
        if term.is_over() {
            self.sim.state().audit.note("calls too late to be sent");
            return CallAnswer::NotSent { message: TOO_LATE.into() };
        }
        let (fate, ms) = {
            let state = &mut *self.sim.state();
            let line = format!("{} is sent to AWS by replica {}", warrant.request(), self.replica);
            state.say(line);
            state.audit.applied(state.at_work, warrant);
            let odds = state.odds.call_goes_wrong;
            let wrong = [
                Fate::Refused,
                Fate::Unclear(true),
                Fate::Unclear(false),
                Fate::Hangs(true),
                Fate::Hangs(false),
                Fate::Late,
            ];
            let fate = if state.now_ms < state.outages.aws_until_ms {
                Fate::Unclear(false)
            } else if state.chance.happens(odds) {
                *state.chance.one_of(&wrong)
            } else {
                Fate::Answered
            };
            let ms = state.chance.between(20, 2 * SECOND_MS);
            // On its way now, whatever becomes of who sent it.
            let arrives_in_ms = match fate {
                Fate::Answered | Fate::Unclear(true) | Fate::Hangs(true) => Some(ms),
                Fate::Late => Some(state.chance.between(ms, 14 * SECOND_MS)),
                Fate::Refused | Fate::Unclear(false) | Fate::Hangs(false) => None,
            };
            if let Some(in_ms) = arrives_in_ms {
                let call = Landing::Call { request: warrant.request(), calls: warrant.calls().to_vec() };
                state.book(in_ms, Event::Land(call));
            }
            (fate, ms)
        };
        self.pass(ms).await;
        let message = || "simulated".to_owned();
        match fate {
            Fate::Answered => self.sim.state().aws.answers[&warrant.request()].clone(),
            Fate::Refused => CallAnswer::Refused { code: "AccessDenied".into(), message: message() },
            Fate::Unclear(_) | Fate::Late => CallAnswer::Unclear { message: message() },
            Fate::Hangs(_) => {
                self.pass(60 * MINUTE_MS).await;
                CallAnswer::Unclear { message: message() }
            }
        }
    }
}

#[async_trait]
impl Clock for Port {
    fn now(&self) -> DateTime<Utc> {
        self.sim.state().clock(self.replica)
    }

    async fn wait(&self, time: std::time::Duration) {
        self.pass(u64::try_from(time.as_millis()).unwrap()).await;
    }
}
