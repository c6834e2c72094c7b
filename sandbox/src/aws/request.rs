//! One HTTP request, read as a call to a service.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::signature::Signed;
use super::wire::{ApiError, Params, Protocol, decapitalised};
use super::{autoscaling, ec2, guardduty, iam, lambda, roles_anywhere, s3, sts};

/// The services that the account answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Athena,
    AutoScaling,
    CloudTrail,
    Ec2,
    Events,
    GuardDuty,
    Iam,
    IdentityStore,
    Lambda,
    Organizations,
    RolesAnywhere,
    S3,
    SecretsManager,
    Sso,
    Sts,
}

impl Service {
    /// By its name in the credential scope of a signature.
    fn signed_for(scope: &str) -> Option<Self> {
        let all = [
            Self::Athena,
            Self::AutoScaling,
            Self::CloudTrail,
            Self::Ec2,
            Self::Events,
            Self::GuardDuty,
            Self::Iam,
            Self::IdentityStore,
            Self::Lambda,
            Self::Organizations,
            Self::RolesAnywhere,
            Self::S3,
            Self::SecretsManager,
            Self::Sso,
            Self::Sts,
        ];
        all.into_iter().find(|service| service.name() == scope)
    }

    /// The name in scopes, policies and the journal.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Athena => "athena",
            Self::AutoScaling => "autoscaling",
            Self::CloudTrail => "cloudtrail",
            Self::Ec2 => "ec2",
            Self::Events => "events",
            Self::GuardDuty => "guardduty",
            Self::Iam => "iam",
            Self::IdentityStore => "identitystore",
            Self::Lambda => "lambda",
            Self::Organizations => "organizations",
            Self::RolesAnywhere => "rolesanywhere",
            Self::S3 => "s3",
            Self::SecretsManager => "secretsmanager",
            Self::Sso => "sso",
            Self::Sts => "sts",
        }
    }

    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Athena
            | Self::CloudTrail
            | Self::Events
            | Self::IdentityStore
            | Self::Organizations
            | Self::SecretsManager
            | Self::Sso => Protocol::Json,
            Self::AutoScaling => Protocol::Query { namespace: autoscaling::NAMESPACE },
            Self::Ec2 => Protocol::Ec2,
            Self::GuardDuty | Self::RolesAnywhere => Protocol::RestJson,
            Self::Lambda => Protocol::Lambda,
            Self::Iam => Protocol::Query { namespace: iam::NAMESPACE },
            Self::S3 => Protocol::RestXml,
            Self::Sts => Protocol::Query { namespace: sts::NAMESPACE },
        }
    }
}

/// The parameters, in the shape that the protocol sends them.
pub(super) enum Input {
    Form(Params),
    Json(Value),
    S3(s3::Asked),
}

impl Input {
    /// As the trail has them.
    pub(super) fn to_trail(&self, service: Service, operation: &str) -> Value {
        match self {
            Self::Form(params) if service == Service::Ec2 => ec2::request_in_trail(operation, params),
            Self::Form(params) => params.to_trail(),
            Self::Json(value) => shown(value, service),
            Self::S3(asked) => asked.to_trail(),
        }
    }

    /// As the journal has them: one text for each, secrets masked.
    pub(super) fn to_journal(&self) -> BTreeMap<String, String> {
        let fields: BTreeMap<String, String> = match self {
            Self::Form(params) => params.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            Self::Json(value) => value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect(),
            Self::S3(asked) => asked.to_journal(),
        };
        let secret = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.contains("password")
                || (name.contains("secret") && name != "secretid")
                || matches!(name.as_str(), "sessiontoken" | "userdata" | "zipfile" | "code")
        };
        fields
            .into_iter()
            .filter(|(name, _)| !matches!(name.as_str(), "Action" | "Version"))
            .map(|(name, value)| if secret(&name) { (name, "***".to_owned()) } else { (name, value) })
            .collect()
    }
}

/// A request with a signature that is yet to be checked.
pub(super) struct Request<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) service: Service,
    /// Empty when the request names none.
    pub(super) operation: String,
    pub(super) input: Input,
}

impl<'a> Request<'a> {
    /// What the journal and faults go by. A dry run is another question than the call.
    pub(super) fn called(&self) -> String {
        match &self.input {
            Input::Form(params) if self.service == Service::Ec2 && params.get("DryRun") == Some("true") => {
                format!("DryRun.{}", self.operation)
            }
            _ => self.operation.clone(),
        }
    }

    /// Reads the request; an error comes with the protocol to say it in.
    pub(super) fn read(parts: &'a Parts, body: &Bytes) -> Result<Self, (Protocol, ApiError)> {
        let guessed = if parts.headers.contains_key("x-amz-target") {
            Protocol::Json
        } else {
            Protocol::Query { namespace: iam::NAMESPACE }
        };
        let signed = Signed::read(&parts.headers).map_err(|error| (guessed, error))?;
        let service = Service::signed_for(signed.service).ok_or_else(|| {
            let sentence = format!("There is no service {} here.", signed.service);
            (guessed, ApiError::bad_request("UnknownOperationException", sentence))
        })?;
        let protocol = service.protocol();
        let unreadable = |_| (protocol, ApiError::bad_request("SerializationException", "The body cannot be read."));
        let (operation, input) = match protocol {
            Protocol::Query { .. } | Protocol::Ec2 => {
                let form = if body.is_empty() { parts.uri.query().unwrap_or_default().as_bytes() } else { body };
                let params: BTreeMap<String, String> = serde_urlencoded::from_bytes(form)
                    .map_err(|_| (protocol, ApiError::bad_request("MalformedInput", "The body is no form.")))?;
                (params.get("Action").cloned().unwrap_or_default(), Input::Form(Params(params)))
            }
            Protocol::Json => {
                let target =
                    parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
                let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
                (operation, Input::Json(serde_json::from_slice(body).map_err(unreadable)?))
            }
            Protocol::Lambda => {
                let (operation, named) = lambda::route(&parts.method, &parts.uri).unwrap_or_default();
                let mut fields: Map<String, Value> =
                    if body.is_empty() { Map::new() } else { serde_json::from_slice(body).map_err(unreadable)? };
                fields.extend(named);
                (operation.to_owned(), Input::Json(Value::Object(fields)))
            }
            Protocol::RestJson => {
                let routed = match service {
                    Service::RolesAnywhere => roles_anywhere::route(&parts.method, &parts.uri),
                    _ => guardduty::route(&parts.method, parts.uri.path()),
                };
                let (operation, named) = routed.unwrap_or_default();
                let mut fields: Map<String, Value> =
                    if body.is_empty() { Map::new() } else { serde_json::from_slice(body).map_err(unreadable)? };
                fields.extend(named);
                (operation.to_owned(), Input::Json(Value::Object(fields)))
            }
            Protocol::RestXml => {
                let (operation, asked) = s3::Asked::read(parts, body).map_err(|error| (protocol, error))?;
                (operation.to_owned(), Input::S3(asked))
            }
        };
        Ok(Self { signed, service, operation, input })
    }
}

/// What JSON services took or gave, as the trail has it.
pub(super) fn shown(value: &Value, service: Service) -> Value {
    if service == Service::Lambda { lower_camel(&lambda::without_code(value)) } else { lower_camel(value) }
}

fn lower_camel(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.is_empty() => Value::Null,
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (decapitalised(name), lower_camel(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(lower_camel).collect(),
        value => value.clone(),
    }
}
