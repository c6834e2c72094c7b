//! The SDK as the people of the scenario use it: from an address of their own, nothing from this machine's profile,
//! one attempt a call.

use anyhow::Context as _;
use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::aws::KeyPair;

/// Where most things are.
pub(super) const REGION: &str = "us-east-1";

/// Who calls, and from where.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    /// Appears in the user agent of each call.
    pub(super) app: &'static str,
    pub(super) ip: &'static str,
}

/// Credentials with the place that they are used from.
#[derive(Clone)]
pub(super) struct Means {
    config: SdkConfig,
    origin: Origin,
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub(super) fn $name(&self, region: &'static str) -> $sdk::Client {
            let config = $sdk::config::Builder::from(&self.config).region(Region::from_static(region));
            $sdk::Client::from_conf(config.interceptor(SourceIp(self.origin.ip)).build())
        }
    };
}

impl Means {
    pub(super) fn new(aws_url: &str, keys: KeyPair, origin: Origin) -> anyhow::Result<Self> {
        let credentials =
            Credentials::new(keys.access_key_id, keys.secret_access_key, keys.session_token, None, "scenario");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .endpoint_url(aws_url)
            .app_name(AppName::new(origin.app).context("the app name")?)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(HttpClientBuilder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .build();
        Ok(Self { config, origin })
    }

    pub(super) fn iam(&self) -> aws_sdk_iam::Client {
        self.iam_in(REGION)
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        self.sts_in(REGION)
    }

    pub(super) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.interceptor(SourceIp(self.origin.ip)).build())
    }

    client!(iam_in, aws_sdk_iam);
    client!(sts_in, aws_sdk_sts);
    client!(ec2, aws_sdk_ec2);
    client!(events, aws_sdk_eventbridge);
    client!(guardduty, aws_sdk_guardduty);
    client!(lambda, aws_sdk_lambda);
    client!(secrets, aws_sdk_secretsmanager);
    client!(trail, aws_sdk_cloudtrail);
}

/// Tells the account where the calls come from.
#[derive(Debug)]
struct SourceIp(&'static str);

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
        context.request_mut().headers_mut().insert("x-sandbox-source-ip", self.0);
        Ok(())
    }
}
