//! An AWS account at the level of the SDK's HTTP requests: IAM, Roles Anywhere, STS, `CloudTrail`, `GuardDuty`, EC2,
//! Auto Scaling, Lambda, `EventBridge`, Secrets Manager, Athena and S3 behind one endpoint, told apart by the service in
//! the signature's credential scope; its Region is where the call goes.
//!
//! Signatures, key states, token ages, policies, quotas and delete conflicts are checked as AWS
//! checks them. Time is the sandbox's clock, but for the age of a signature: the SDK signs with the
//! machine's time.

mod athena;
mod autoscaling;
mod caller;
mod ec2;
mod estate;
mod events;
mod guardduty;
mod iam;
mod identity_center;
pub(crate) mod ids;
mod json_operation;
mod lambda;
mod operation;
mod organizations;
mod pipeline;
mod policy;
mod regions;
mod request;
mod roles_anywhere;
mod s3;
mod secrets;
mod seed;
mod service_role;
mod sessions;
mod signature;
mod state;
mod sts;
#[cfg(test)]
mod tests;
mod trail;
mod unlogged;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::clock::Clock;
use ids::Entropy;
pub use organizations::ServiceControlPolicy;
use pipeline::Delivery;
use policy::{Kind, Policy};
pub use sessions::ConfinedSession;
use state::{AccessKey, Policies, Principal, World};

/// Bytes of a request's body; the real services take less, but for S3.
const BODY_MAX: usize = 1 << 20;
/// The same for Lambda, whose functions come with their code.
const CODE_MAX: usize = 70 << 20;
/// The same for an object. S3 takes 5 GB at once.
const OBJECT_MAX: usize = 1 << 28;

/// How long a session opened by [`Account::mint_session`] lasts.
const MINTED_SECONDS: i64 = 3_600;

/// An AWS account. Clones are the same account.
#[derive(Clone)]
pub struct Account {
    world: Arc<Mutex<World>>,
    id: &'static str,
}

/// What a principal signs requests with.
#[derive(Clone)]
pub struct KeyPair {
    /// `AKIA…` for a user's own key, `ASIA…` for a session's.
    pub access_key_id: String,
    /// Never the same in two sandboxes.
    pub secret_access_key: String,
    /// Present for a session's key only, and needed with it.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Whether a long-term key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It signs in.
    Active,
    /// It exists, and is refused like one that does not.
    Inactive,
}

/// One request that reached the account with a readable signature header, whatever came of it.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// When, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// The key id that the request named, whether it exists or not.
    pub access_key_id: String,
    /// Who called; `None` when the credentials were refused.
    pub caller_arn: Option<String>,
    /// As in policies: `iam`, `sts`, `ec2`.
    pub service: String,
    /// The Region that the request was signed for.
    pub region: String,
    /// As in the API reference: `UpdateAccessKey`. EC2's dry runs stand apart: `DryRun.TerminateInstances`.
    pub operation: String,
    /// As sent, structures as JSON text, secrets as `***`.
    pub params: BTreeMap<String, String>,
    /// What the caller needed a permission for, as far as it came: an action and the ARN of a resource each.
    pub asked: Vec<(String, String)>,
    /// What came of it inside the account, not whether the caller learned it.
    pub outcome: Outcome,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Ok,
    /// Refused, with the error's code.
    Error(String),
    /// Left hanging with nothing done ([`Fault::HangBefore`]).
    Unanswered,
}

/// One version of an object in S3.
#[derive(Clone, Debug)]
pub struct ObjectVersion {
    /// `null` in a bucket that keeps no versions.
    pub id: String,
    /// None for a delete marker.
    pub bytes: Option<Bytes>,
    /// `GOVERNANCE` or `COMPLIANCE`, and until when.
    pub retained: Option<(String, DateTime<Utc>)>,
}

/// Something that goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused with the service's throttling code; nothing is done.
    Throttle,
    /// Refused as by a service control policy; nothing is done.
    AccessDenied,
    /// Fails with a 500; nothing is done.
    InternalError,
    /// Refused with this code, as by a service that is still at something else or has not heard of it yet; nothing is done.
    Conflict(&'static str),
    /// Does the work, then never answers.
    HangAfter,
    /// Never answers and does nothing.
    HangBefore,
    /// Does the work, then closes the connection.
    DropAfter,
    /// Does the work, and answers only so much later.
    Late(Duration),
}

impl Account {
    /// The demo account: `deploy-bot` with a key that leaks and a key that CI uses, the roles that
    /// it can take, the bot's own user and roles, and two weeks of history. Access key ids and
    /// unique ids are the same each time, secrets are not.
    pub fn demo(clock: Clock) -> Self {
        let world = seed::demo(clock);
        let id = world.account;
        Self { world: Arc::new(Mutex::new(world)), id }
    }

    /// Every service at every path; serve it at the root of an endpoint.
    pub fn router(&self) -> Router {
        // No bucket's name can be that of the first: S3's paths begin with one.
        Router::new().route("/_code/{token}", get(estate::code)).fallback(serve).with_state(self.clone())
    }

    /// Twelve digits.
    pub fn id(&self) -> &str {
        self.id
    }

    /// The journal, oldest first. It keeps the last 100,000 calls.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.world().calls.iter().cloned().collect()
    }

    /// How many calls of `operation` are in the journal, with any outcome.
    pub fn count(&self, operation: &str) -> usize {
        self.world().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// Lets the next properly signed call of `operation` go wrong; several queue up, one each.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        self.world().faults.entry(operation.to_owned()).or_default().push_back(fault);
    }

    /// Lets every properly signed call in a Region go wrong, until it is taken back.
    pub fn fail_in(&self, region: &str, fault: Option<Fault>) {
        let mut world = self.world();
        match fault {
            Some(fault) => _ = world.region_faults.insert(region.to_owned(), fault),
            None => _ = world.region_faults.remove(region),
        }
    }

    /// How long changes in IAM take, by the sandbox's clock, before they count in the
    /// authentication and authorisation of calls. Zero at first.
    pub fn set_propagation(&self, delay: TimeDelta) {
        self.world().propagation = delay;
    }

    /// The first key of a user.
    pub fn principal_credentials(&self, name: &str) -> Option<KeyPair> {
        self.access_keys(name).into_iter().next()
    }

    /// All keys of a user in the order of their creation; empty for a user that is not there.
    pub fn access_keys(&self, name: &str) -> Vec<KeyPair> {
        let world = self.world();
        let keys = world.iam.users.get(name).into_iter().flat_map(|user| &user.keys);
        keys.map(|key| KeyPair {
            access_key_id: key.id.clone(),
            secret_access_key: key.secret.clone(),
            session_token: None,
        })
        .collect()
    }

    /// Opens a session of one hour, past all permissions: `user-name`, or `role-name/session-name`.
    pub fn mint_session(&self, name: &str) -> Option<KeyPair> {
        let mut world = self.world();
        let principal = if let Some((role, session_name)) = name.split_once('/') {
            let role = world.iam.roles.get(role)?;
            Principal::Role { name: role.name.clone(), id: role.id.clone(), session_name: session_name.to_owned() }
        } else {
            let user = world.iam.users.get(name)?;
            Principal::User { name: user.name.clone(), id: user.id.clone() }
        };
        let session = world.open_session(principal, MINTED_SECONDS, None, None);
        Some(KeyPair {
            access_key_id: session.access_key_id,
            secret_access_key: session.secret,
            session_token: Some(session.token),
        })
    }

    /// The status of a long-term key; `None` when there is none of this id.
    pub fn key_status(&self, access_key_id: &str) -> Option<KeyStatus> {
        let world = self.world();
        let (_, key) = world.iam.key(access_key_id)?;
        Some(if key.active { KeyStatus::Active } else { KeyStatus::Inactive })
    }

    /// Changes a key as somebody else might, outside the journal and the trail. Nothing happens
    /// when there is no such key.
    pub fn set_key_status(&self, access_key_id: &str, status: KeyStatus) {
        self.change(|world| {
            if let Some(key) = world.iam.key_mut(access_key_id) {
                key.active = status == KeyStatus::Active;
            }
        });
    }

    /// Deletes a key and makes its user another, as somebody else might, outside the journal and the trail.
    /// The new key's id; `None` when there is no such key.
    pub fn replace_access_key_directly(&self, access_key_id: &str) -> Option<String> {
        let mut made = None;
        self.change(|world| {
            let (account, now) = (world.account, world.clock.now());
            if let Some(key) = world.iam.key_mut(access_key_id) {
                *key = AccessKey::new(account, now);
                made = Some(key.id.clone());
            }
        });
        made
    }

    /// The unique id of a user, `AIDA…`.
    pub fn user_id(&self, name: &str) -> Option<String> {
        self.world().iam.users.get(name).map(|user| user.id.clone())
    }

    /// The unique id of a role, `AROA…`.
    pub fn role_id(&self, name: &str) -> Option<String> {
        self.world().iam.roles.get(name).map(|role| role.id.clone())
    }

    /// The document of a user's inline policy, not URL-encoded.
    pub fn user_inline_policy(&self, user: &str, policy: &str) -> Option<String> {
        self.world().iam.users.get(user)?.policies.inline.get(policy).cloned()
    }

    /// The document of a role's inline policy, not URL-encoded.
    pub fn role_inline_policy(&self, role: &str, policy: &str) -> Option<String> {
        self.world().iam.roles.get(role)?.policies.inline.get(policy).cloned()
    }

    /// Sets (or with `None` removes) a user's inline policy, outside the journal and the trail.
    ///
    /// # Panics
    /// When the user does not exist or the document is none that IAM would take: a wrong test.
    pub fn put_user_policy_directly(&self, user: &str, policy: &str, document: Option<&str>) {
        self.change(|world| {
            let user = world.iam.users.get_mut(user).expect("the user exists");
            set_inline(&mut user.policies, policy, document);
        });
    }

    /// Sets (or with `None` removes) a role's inline policy, outside the journal and the trail.
    ///
    /// # Panics
    /// When the role does not exist or the document is none that IAM would take: a wrong test.
    pub fn put_role_policy_directly(&self, role: &str, policy: &str, document: Option<&str>) {
        self.change(|world| {
            let role = world.iam.roles.get_mut(role).expect("the role exists");
            set_inline(&mut role.policies, policy, document);
        });
    }

    /// Replaces a user by a new one of the same name: another unique id, no keys, no policies, no
    /// tags, trusted by nobody. Nothing happens when there is no such user.
    pub fn delete_and_recreate_user(&self, name: &str) {
        self.change(|world| {
            let now = world.clock.now();
            if let Some(user) = world.iam.users.get_mut(name) {
                user.id = ids::unique_id("AIDA", Entropy::Random);
                user.created_at = now;
                user.tags.clear();
                user.policies = Policies::default();
                user.keys.clear();
            }
        });
    }

    /// Adds a `GuardDuty` finding (in the shape of `GetFindings`), or replaces the one with its id.
    pub fn put_finding(&self, finding: Value) {
        self.world().findings.put(finding);
    }

    /// The `GuardDuty` detector of a Region, where there is one.
    pub fn detector_id(&self, region: &str) -> Option<String> {
        guardduty::detector_id(self.id, region)
    }

    /// Makes an empty bucket, or empties the one of this name. With Object Lock it keeps every version.
    pub fn put_bucket(&self, name: &str, region: &str, object_lock: bool) {
        self.world().buckets.insert(name.to_owned(), s3::Bucket::new(region, object_lock));
    }

    /// Every object that a bucket shows, by its key.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Bytes> {
        let world = self.world();
        let shown = world.buckets.get(bucket).into_iter().flat_map(s3::Bucket::current);
        shown.filter_map(|(key, version)| Some((key.clone(), version.content.as_ref()?.bytes.clone()))).collect()
    }

    /// Every version of a key, delete markers included, the oldest first.
    pub fn object_versions(&self, bucket: &str, key: &str) -> Vec<ObjectVersion> {
        let world = self.world();
        let versions = world.buckets.get(bucket).map_or(&[][..], |bucket| bucket.versions(key));
        let one = |version: &s3::Version| ObjectVersion {
            id: version.id.clone(),
            bytes: version.content.as_ref().map(|content| content.bytes.clone()),
            retained: version.content.as_ref().and_then(|content| {
                let retention = content.retention.as_ref()?;
                Some((retention.mode.clone(), retention.until))
            }),
        };
        versions.iter().map(one).collect()
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        let mut world = self.world();
        let now = world.clock.now();
        world.remember_iam(now);
        change(&mut world);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_inline(policies: &mut Policies, name: &str, document: Option<&str>) {
    match document {
        Some(document) => {
            Policy::parse(document, Kind::Identity).expect("the document is a policy");
            policies.inline.insert(name.to_owned(), document.to_owned());
        }
        None => _ = policies.inline.remove(name),
    }
}

async fn serve(State(account): State<Account>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let size_max = match signature::Signed::read(&parts.headers).map(|signed| signed.service) {
        Ok(signature::S3) => OBJECT_MAX,
        Ok("lambda") => CODE_MAX,
        _ => BODY_MAX,
    };
    let Ok(body) = to_bytes(body, size_max).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let delivery = pipeline::answer(&mut account.world(), &parts, &body);
    match delivery {
        Delivery::Sent(response) => response,
        Delivery::Withheld => std::future::pending().await,
        Delivery::Late(response, by) => {
            tokio::time::sleep(by).await;
            response
        }
        Delivery::Dropped => pipeline::dropped(),
    }
}
