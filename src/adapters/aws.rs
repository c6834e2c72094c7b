//! AWS through its own SDK: reads with a reader role, changes with a session that AWS itself confines
//! to what was approved.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::adapters::clock::SystemClock;
use crate::config::Account;
use crate::config::management::Management;
use crate::domain::action::{Action, Powers};
use crate::domain::approval::Warrant;
use crate::domain::blast_radius::BlastRadius;
use crate::domain::credential::Subject;
use crate::domain::id::{AccountId, RequestId};
use crate::domain::identification::Identification;
use crate::domain::observation::{Observation, Probe};
use crate::ports::{Clock, Cloud, CloudError, Session, Vault};

mod apply;
mod athena;
pub mod check;
mod enabled;
pub(in crate::adapters) mod fault;
mod history;
mod identify;
mod identity_center;
mod inventory;
mod keep;
mod observe;
mod organization;
mod regional;
mod trail;
mod usage;

use enabled::Enabled;
use fault::fault;
use organization::Organization;
use regional::Regions;
use trail::Trails;

/// IAM and the global STS events live here.
const HOME_REGION: &str = "us-east-1";
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
const READ_ATTEMPT_TIME_MAX: Duration = Duration::from_secs(5);
const READ_TIME_MAX: Duration = Duration::from_secs(12);
/// The event history of us-east-1 has been seen to take half a minute.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(40);
const CHANGE_TIME_MAX: Duration = Duration::from_secs(8);
const READ_ATTEMPTS_MAX: u32 = 3;
/// Name of the sessions that only read.
const READER_SESSION: &str = "irp-reader";
/// Name of the sessions whose calls are looked for in the trail: of no other calls, so that they are found at once.
const CANARY_SESSION: &str = "irp-canary";

/// What the adapter is told.
#[derive(Clone, Debug, Default)]
pub struct AwsSettings {
    /// Instead of AWS's own addresses.
    pub endpoint_url: Option<String>,
    /// The accounts that it may look at.
    pub accounts: Vec<Account>,
    /// The management account of their organization, where it is reached.
    pub organization: Option<Management>,
    /// Instead of the SDK's default chain.
    pub credentials: Option<StaticKey>,
}

/// A key given outright.
#[derive(Clone, Debug)]
pub struct StaticKey {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// See the module.
pub struct AwsCloud {
    base: SdkConfig,
    endpoint_url: Option<String>,
    vault: Option<Arc<dyn Vault>>,
    clock: Arc<dyn Clock>,
    accounts: Vec<Arc<AccountClients>>,
    organization: Option<Arc<Organization>>,
}

/// Clients for reading one account. Built once, so that connections and sessions are reused.
struct AccountClients {
    settings: Account,
    iam: aws_sdk_iam::Client,
    users: observe::Users,
    trails: Trails,
    regions: Regions,
    enabled: Enabled,
    /// Absent where the logs cannot be searched.
    logs: Option<athena::Logs>,
    /// Absent where the management account is not reached.
    organization: Option<Arc<Organization>>,
}

impl AwsCloud {
    /// Finds the base identity. AWS is not asked anything yet.
    pub async fn new(settings: AwsSettings) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .operation_attempt_timeout(READ_ATTEMPT_TIME_MAX)
            .operation_timeout(READ_TIME_MAX)
            .build();
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(https())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS_MAX))
            .region(aws_config::Region::new(HOME_REGION));
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(key) = &settings.credentials {
            let secret = key.secret_access_key.expose_secret().to_owned();
            loader = loader.credentials_provider(Credentials::from_keys(key.access_key_id.clone(), secret, None));
        }
        let base = loader.load().await;
        let organization = match settings.organization {
            Some(settings) => Some(Arc::new(Organization::new(&base, settings).await)),
            None => None,
        };
        let mut accounts = Vec::new();
        for account in settings.accounts {
            accounts.push(Arc::new(AccountClients::new(&base, account, organization.clone()).await));
        }
        let clock = Arc::new(SystemClock);
        Self { base, endpoint_url: settings.endpoint_url, vault: None, clock, accounts, organization }
    }

    /// With a vault, into which goes what AWS does not keep of what is deleted.
    #[must_use]
    pub fn keeping_in(self, vault: Option<Arc<dyn Vault>>) -> Self {
        Self { vault, ..self }
    }

    /// By another clock than the machine's, by which AWS is told to go too.
    #[must_use]
    pub fn by_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    fn account(&self, id: &AccountId) -> Result<&Arc<AccountClients>, CloudError> {
        self.accounts.iter().find(|a| a.settings.id == *id).ok_or_else(|| CloudError::UnknownAccount(id.to_string()))
    }
}

impl AccountClients {
    async fn new(base: &SdkConfig, settings: Account, organization: Option<Arc<Organization>>) -> Self {
        let reader = settings.reader_role_arn.as_deref();
        let (config, canary) =
            (session(base, reader, READER_SESSION).await, session(base, reader, CANARY_SESSION).await);
        let (iam, trails) = (aws_sdk_iam::Client::new(&config), Trails::new(&config, canary));
        let logs = settings.athena.as_ref().and_then(|athena| athena::Logs::new(&config, athena));
        let (users, regions, enabled) = (observe::Users::default(), Regions::new(config), Enabled::default());
        Self { settings, iam, users, trails, regions, enabled, logs, organization }
    }

    /// The role that a change of this kind is made with. An error where there is none: with the bot's own identity AWS
    /// could not confine the change to what was approved.
    fn role_for(&self, powers: Powers) -> Result<&str, CloudError> {
        let (role, setting) = match powers {
            Powers::Contain => (&self.settings.contain_role_arn, "contain_role_arn in its [[account]]"),
            Powers::Eradicate => (&self.settings.eradicate_role_arn, "eradicate_role_arn in its [[account]]"),
            Powers::ContainFromOrganization => {
                let reached = self.organization.as_ref().ok_or_else(organization::none)?;
                (&reached.settings.contain_role_arn, "contain_role_arn in [organization]")
            }
        };
        role.as_deref().ok_or_else(|| CloudError::Refused {
            operation: "sts:AssumeRole".into(),
            code: "NoRole".into(),
            message: format!("irp.toml has no {setting}, and without a role that AWS confines nothing is changed"),
        })
    }
}

/// The configuration with a session of a reader role; the base identity's where there is none.
async fn session(base: &SdkConfig, role: Option<&str>, name: &str) -> SdkConfig {
    let Some(arn) = role else { return base.clone() };
    let provider = AssumeRoleProvider::builder(arn).configure(base).session_name(name).build().await;
    base.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn caller(&self) -> Result<String, CloudError> {
        let answer = aws_sdk_sts::Client::new(&self.base).get_caller_identity().send().await;
        let answer = answer.map_err(|e| fault("sts:GetCallerIdentity", &e))?;
        Ok(answer.arn().unwrap_or_default().to_owned())
    }

    async fn identify(&self, subject: &Subject, now: DateTime<Utc>) -> Result<Identification, CloudError> {
        identify::identify(self, subject, now).await
    }

    async fn blast_radius(
        &self,
        subject: &Subject,
        found: &Identification,
        now: DateTime<Utc>,
    ) -> Result<BlastRadius, CloudError> {
        let unknown = || CloudError::UnknownAccount("that is not known".into());
        let account = self.account(found.account.as_ref().ok_or_else(unknown)?)?;
        Ok(usage::read(account, subject, found, now).await)
    }

    fn has_role_for(&self, account: &AccountId, action: &Action) -> Result<(), CloudError> {
        self.account(account)?.role_for(action.powers()).map(|_| ())
    }

    async fn observe(&self, account: &AccountId, probe: &Probe) -> Result<Observation, CloudError> {
        observe::observe(self.account(account)?, probe, self.clock.now()).await
    }

    async fn keep(
        &self,
        account: &AccountId,
        request: RequestId,
        action: &Action,
        now: DateTime<Utc>,
    ) -> Result<(), CloudError> {
        let Some(vault) = &self.vault else { return Ok(()) };
        let (account, endpoint) = (self.account(account)?, self.endpoint_url.as_deref());
        let (of, goes) = match action {
            Action::DeleteFunction(of) => ((&*of.region, &*of.function_name), true),
            Action::RestoreFunctionCode(of) => ((&*of.region, &*of.function_name), false),
            Action::TerminateInstance(of) => {
                let of = (&*of.region, &*of.instance_id);
                return Box::pin(keep::user_data(account, &**vault, (request, now), of)).await;
            }
            _ => return Ok(()),
        };
        Box::pin(keep::function(account, endpoint, &**vault, (request, now), of, goes)).await
    }

    async fn session(&self, warrant: &Warrant) -> Result<Box<dyn Session + '_>, CloudError> {
        let account = self.account(warrant.account())?;
        let session = Box::pin(apply::session(&self.base, account, self.endpoint_url.as_deref(), warrant));
        Ok(Box::new(session.await?))
    }
}

/// The SDK's HTTPS client, with the one TLS provider of this program.
pub(in crate::adapters) fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

/// SDK time to the domain's.
fn instant(at: &aws_smithy_types::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

/// IAM gives policy documents percent-encoded (RFC 3986).
fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let hex = text.get(i + 1..i + 3).filter(|_| bytes[i] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok());
        out.push(hex.unwrap_or(bytes[i]));
        i += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded_and_strange_ones_left_alone() {
        assert_eq!(percent_decoded("%7B%22a%22%3A%20%22100%25%22%7D"), r#"{"a": "100%"}"#);
        for text in ["", "%", "%2", "%zz", "é%", "100%"] {
            assert_eq!(percent_decoded(text), text);
        }
    }
}
