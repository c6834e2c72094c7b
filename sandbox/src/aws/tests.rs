//! The account from outside: the real SDK over a loopback connection.

mod access;
mod autoscaling;
mod delivery;
mod ec2;
mod estate;
mod events;
mod faults;
mod fleets;
mod guardduty;
mod iam;
mod lambda;
mod providers;
mod renaming;
mod roles_anywhere;
mod s3;
mod sts;
mod trail;
mod watching;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::SdkError;
use aws_smithy_http_client::Builder;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::task::JoinSet;

use super::{Account, KeyPair};
use crate::clock::Clock;

/// The account behind a socket, for as long as this lives.
struct Cloud {
    account: Account,
    clock: Clock,
    url: String,
    _server: JoinSet<()>,
}

impl Cloud {
    async fn start() -> Self {
        let clock = Clock::new(1);
        let account = Account::demo(clock.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = account.router();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { account, clock, url, _server: server }
    }

    fn keys(&self, user: &str) -> KeyPair {
        self.account.principal_credentials(user).unwrap()
    }

    fn session(&self, name: &str) -> KeyPair {
        self.account.mint_session(name).unwrap()
    }

    fn config(&self, keys: KeyPair, region: &'static str) -> SdkConfig {
        let credentials =
            Credentials::new(keys.access_key_id, keys.secret_access_key, keys.session_token, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(region))
            .endpoint_url(&self.url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(30)).build())
            .build()
    }

    fn iam(&self, keys: KeyPair) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config(keys, "us-east-1"))
    }

    fn sts(&self, keys: KeyPair) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config(keys, "us-east-1"))
    }

    fn trail(&self, keys: KeyPair, region: &'static str) -> aws_sdk_cloudtrail::Client {
        aws_sdk_cloudtrail::Client::new(&self.config(keys, region))
    }

    /// The events of one name in a Region's history, newest first.
    async fn events(&self, region: &'static str, name: &str) -> Vec<serde_json::Value> {
        use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
        let attribute = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventName).attribute_value(name);
        let ask = self.trail(self.session("irp-reader/test"), region).lookup_events();
        let ask = ask.lookup_attributes(attribute.build().unwrap());
        let found = loop {
            match ask.clone().send().await {
                Ok(found) => break found,
                // Two lookups a second are allowed.
                Err(_) => tokio::time::sleep(Duration::from_millis(600)).await,
            }
        };
        found.events().iter().map(|event| serde_json::from_str(event.cloud_trail_event().unwrap()).unwrap()).collect()
    }

    /// The newest of them.
    async fn event(&self, region: &'static str, name: &str) -> serde_json::Value {
        self.events(region, name).await.into_iter().next().unwrap_or_else(|| panic!("no event {name} in {region}"))
    }

    /// A user that may do everything.
    fn admin(&self) -> KeyPair {
        let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        self.account.put_user_policy_directly("release-bot", "release", Some(everything));
        self.keys("release-bot")
    }
}

/// The code and message of a refusal.
fn refusal<T: std::fmt::Debug, E>(result: Result<T, SdkError<E>>) -> (String, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    match result.unwrap_err() {
        SdkError::ServiceError(refused) => {
            let meta = refused.err().meta();
            (meta.code().unwrap_or_default().to_owned(), meta.message().unwrap_or_default().to_owned())
        }
        other => panic!("no answer of the service: {other:?}"),
    }
}

fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, SdkError<E>>) -> String {
    refusal(result).0
}
