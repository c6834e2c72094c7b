//! The wire protocols: AWS Query with XML answers (IAM, STS, Auto Scaling) and EC2's own kind of it, JSON 1.1
//! (Athena, `CloudTrail`, `EventBridge`, Secrets Manager), REST with JSON (`GuardDuty`, Roles Anywhere, Lambda) and REST
//! with XML (S3).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::s3::Answer;

/// An error as the service names it.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::bad_request("ValidationError", message)
    }

    pub(super) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchEntity", message)
    }

    /// The credentials are not, or no longer, valid.
    pub(super) fn invalid_token() -> Self {
        Self::forbidden("InvalidClientTokenId", "The security token included in the request is invalid.")
    }

    pub(super) fn throttled() -> Self {
        Self::bad_request("Throttling", "Rate exceeded")
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        )
    }

    /// The code in the spelling of `protocol`: the JSON services have their own names for the
    /// errors that come before the operation.
    pub(super) fn code_in(&self, protocol: Protocol) -> &'static str {
        match protocol {
            Protocol::Query { .. } => return self.code,
            Protocol::RestXml => {
                return match self.code {
                    "IncompleteSignature" => "AuthorizationHeaderMalformed",
                    "InternalFailure" => "InternalError",
                    "InvalidClientTokenId" => "InvalidAccessKeyId",
                    "MissingAuthenticationToken" => "AccessDenied",
                    "Throttling" => "SlowDown",
                    code => code,
                };
            }
            Protocol::Ec2 => {
                return match self.code {
                    "AccessDenied" => "UnauthorizedOperation",
                    "ExpiredToken" => "RequestExpired",
                    "InternalFailure" => "InternalError",
                    "InvalidClientTokenId"
                    | "IncompleteSignature"
                    | "MissingAuthenticationToken"
                    | "SignatureDoesNotMatch" => "AuthFailure",
                    "Throttling" => "RequestLimitExceeded",
                    "ValidationError" => "InvalidParameterValue",
                    code => code,
                };
            }
            Protocol::Lambda if self.code == "InternalFailure" => return "ServiceException",
            Protocol::Lambda if self.code == "Throttling" => return "TooManyRequestsException",
            Protocol::Json | Protocol::RestJson | Protocol::Lambda => {}
        }
        match self.code {
            "AccessDenied" => "AccessDeniedException",
            "ExpiredToken" => "ExpiredTokenException",
            "IncompleteSignature" => "IncompleteSignatureException",
            "InternalFailure" if protocol == Protocol::RestJson => "InternalServerErrorException",
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "Throttling" => "ThrottlingException",
            "ValidationError" => "ValidationException",
            code => code,
        }
    }

    /// The message in the wording of `protocol`.
    fn message_in(&self, protocol: Protocol) -> Cow<'_, str> {
        match (protocol, self.code) {
            (Protocol::Ec2, "AccessDenied") => {
                format!("You are not authorized to perform this operation. {}", self.message).into()
            }
            (Protocol::Ec2, "InvalidClientTokenId") => {
                "AWS was not able to validate the provided access credentials".into()
            }
            _ => self.message.as_str().into(),
        }
    }

    /// Code and message as the trail has them: EC2's codes say whose fault it was.
    pub(super) fn in_trail(&self, protocol: Protocol) -> (String, String) {
        let code = self.code_in(protocol);
        let side = if self.status.is_server_error() { "Server" } else { "Client" };
        let code = if protocol == Protocol::Ec2 { format!("{side}.{code}") } else { code.to_owned() };
        (code, self.message_in(protocol).into_owned())
    }

    /// The status that `protocol` says it with.
    fn status_in(&self, protocol: Protocol) -> StatusCode {
        match (protocol, self.code) {
            (Protocol::RestXml | Protocol::Ec2, "Throttling") => StatusCode::SERVICE_UNAVAILABLE,
            (Protocol::RestXml, "ExpiredToken") => StatusCode::BAD_REQUEST,
            (Protocol::Ec2, "InvalidClientTokenId" | "SignatureDoesNotMatch") => StatusCode::UNAUTHORIZED,
            (Protocol::Lambda, "Throttling") => StatusCode::TOO_MANY_REQUESTS,
            _ => self.status,
        }
    }
}

/// How a service reads requests and writes answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Query {
        namespace: &'static str,
    },
    Ec2,
    Json,
    RestJson,
    /// REST with JSON, with errors of its own.
    Lambda,
    RestXml,
}

impl Protocol {
    fn namespace(self) -> &'static str {
        match self {
            Self::Query { namespace } => namespace,
            Self::Ec2 => super::ec2::NAMESPACE,
            Self::Json | Self::RestJson | Self::Lambda | Self::RestXml => "",
        }
    }

    /// What an element of a list is called.
    fn element(self) -> &'static str {
        if self == Self::Ec2 { "item" } else { "member" }
    }
}

/// The parameters of a Query request; names are as sent (`Tags.member.1.Key`).
#[derive(Clone, Debug, Default)]
pub(super) struct Params(pub(super) BTreeMap<String, String>);

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            ApiError::validation(format!(
                "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must not be null",
                decapitalised(name)
            ))
        })
    }

    /// A whole number within `range`; `None` when not sent.
    pub(super) fn number(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let refused = |constraint: String| {
            ApiError::validation(format!(
                "1 validation error detected: Value '{text}' at '{}' failed to satisfy constraint: {constraint}",
                decapitalised(name)
            ))
        };
        let number: i64 = text.parse().map_err(|_| refused("Member must be a number".to_owned()))?;
        if number < *range.start() {
            return Err(refused(format!("Member must have value greater than or equal to {}", range.start())));
        }
        if number > *range.end() {
            return Err(refused(format!("Member must have value less than or equal to {}", range.end())));
        }
        Ok(Some(number))
    }

    /// The values of `name.member.1`, `name.member.2`, … with `suffix` (`""` or `".Key"`).
    pub(super) fn members(&self, name: &str, suffix: &str) -> Vec<&str> {
        (1..).map_while(|index| self.get(&format!("{name}.member.{index}{suffix}"))).collect()
    }

    /// The values of `name.1`, `name.2`, … with `suffix`: EC2's lists.
    pub(super) fn items(&self, name: &str, suffix: &str) -> Vec<&str> {
        (1..).map_while(|index| self.get(&format!("{name}.{index}{suffix}"))).collect()
    }

    /// As `CloudTrail` writes them: names in lower camel case, numbers as numbers, `null` for none.
    pub(super) fn to_trail(&self) -> Value {
        let mut fields: Map<String, Value> = self
            .0
            .iter()
            .filter(|(name, _)| {
                !matches!(name.as_str(), "Action" | "Version" | "Password")
                    && !name.starts_with("AuthenticationCode")
                    && !name.contains('.')
            })
            .map(|(name, value)| {
                let value = match name.as_str() {
                    "DurationSeconds" | "MaxItems" => value.parse::<i64>().map_or_else(|_| json!(value), |n| json!(n)),
                    _ => json!(value),
                };
                (decapitalised(name), value)
            })
            .collect();
        // Plain lists too, but not those of structures.
        for name in self.0.keys().filter_map(|name| name.strip_suffix(".member.1")) {
            fields.insert(decapitalised(name), json!(self.members(name, "")));
        }
        if fields.is_empty() { Value::Null } else { Value::Object(fields) }
    }
}

/// The answer of a Query operation.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Flag(bool),
    Number(i64),
    Time(DateTime<Utc>),
    Members(Vec<Node>),
    Fields(Vec<(&'static str, Node)>),
}

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The answer of an operation that has none.
    pub(super) fn empty() -> Self {
        Self::Fields(Vec::new())
    }

    /// As XML, with `element` around each entry of a list.
    fn write_xml(&self, element: &str, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(&escaped(text)),
            Self::Flag(flag) => _ = write!(out, "{flag}"),
            Self::Number(number) => _ = write!(out, "{number}"),
            Self::Time(at) => out.push_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            Self::Members(nodes) => {
                for node in nodes {
                    _ = write!(out, "<{element}>");
                    node.write_xml(element, out);
                    _ = write!(out, "</{element}>");
                }
            }
            Self::Fields(fields) => {
                for (name, node) in fields {
                    _ = write!(out, "<{name}>");
                    node.write_xml(element, out);
                    _ = write!(out, "</{name}>");
                }
            }
        }
    }

    /// As `CloudTrail` writes response elements: lower camel case, secret keys left out (session
    /// tokens are logged, as the real trail does), `null` for an empty answer.
    pub(super) fn to_trail(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Flag(flag) => json!(flag),
            Self::Number(number) => json!(number),
            Self::Time(at) => json!(trail_time(*at)),
            Self::Members(nodes) => nodes.iter().map(Self::to_trail).collect(),
            Self::Fields(fields) if fields.is_empty() => Value::Null,
            Self::Fields(fields) => fields
                .iter()
                .filter(|(name, _)| {
                    !matches!(*name, "SecretAccessKey" | "ServicePassword" | "Base32StringSeed" | "QRCodePNG")
                })
                .map(|(name, node)| (decapitalised(name), node.to_trail()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

/// A time inside a trail event's parameters, in the wording that `CloudTrail` uses there.
pub(super) fn trail_time(at: DateTime<Utc>) -> String {
    at.format("%b %-d, %Y, %-I:%M:%S %p").to_string()
}

/// `UserName` to `userName`.
pub(super) fn decapitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// What an operation answered.
#[derive(Debug)]
pub(super) enum Reply {
    Xml(Node),
    Json(StatusCode, Value),
    Rest(Answer),
}

/// The HTTP response for a success of `operation`.
pub(super) fn success(protocol: Protocol, operation: &str, reply: &Reply, request_id: &str) -> Response {
    match reply {
        Reply::Xml(node) => {
            if protocol == Protocol::Ec2 {
                return ec2_success(operation, node, request_id);
            }
            let mut body = format!("<{operation}Response xmlns=\"{}\">", protocol.namespace());
            if !matches!(node, Node::Fields(fields) if fields.is_empty()) {
                _ = write!(body, "<{operation}Result>");
                node.write_xml(protocol.element(), &mut body);
                _ = write!(body, "</{operation}Result>");
            }
            _ = write!(
                body,
                "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            );
            response(StatusCode::OK, "text/xml", body, request_id)
        }
        Reply::Json(status, value) => {
            let content_type = match protocol {
                Protocol::RestJson | Protocol::Lambda => "application/json",
                Protocol::Json | Protocol::Query { .. } | Protocol::Ec2 | Protocol::RestXml => {
                    "application/x-amz-json-1.1"
                }
            };
            let body = if *status == StatusCode::NO_CONTENT { String::new() } else { value.to_string() };
            response(*status, content_type, body, request_id)
        }
        Reply::Rest(answer) => {
            let mut response = Response::new(Body::from(answer.body.clone()));
            *response.status_mut() = answer.status;
            for (name, value) in &answer.headers {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    response.headers_mut().insert(name, value);
                }
            }
            if let Ok(id) = HeaderValue::from_str(request_id) {
                response.headers_mut().insert("x-amz-request-id", id);
            }
            response
        }
    }
}

fn ec2_success(operation: &str, node: &Node, request_id: &str) -> Response {
    let namespace = Protocol::Ec2.namespace();
    let mut body = format!("<{operation}Response xmlns=\"{namespace}\"><requestId>{request_id}</requestId>");
    node.write_xml(Protocol::Ec2.element(), &mut body);
    _ = write!(body, "</{operation}Response>");
    response(StatusCode::OK, "text/xml;charset=UTF-8", body, request_id)
}

/// The HTTP response for a refusal.
pub(super) fn failure(protocol: Protocol, error: &ApiError, request_id: &str) -> Response {
    let code = error.code_in(protocol);
    match protocol {
        Protocol::Query { namespace } => {
            let side = if error.status.is_server_error() { "Receiver" } else { "Sender" };
            let body = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{side}</Type><Code>{code}</Code>\
                 <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                escaped(&error.message)
            );
            response(error.status, "text/xml", body, request_id)
        }
        Protocol::Ec2 => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
                 <Message>{}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>",
                escaped(&error.message_in(protocol))
            );
            response(error.status_in(protocol), "text/xml;charset=UTF-8", body, request_id)
        }
        Protocol::Lambda => {
            let side = if error.status.is_server_error() { "Service" } else { "User" };
            let body = json!({ "Type": side, "Message": error.message, "message": error.message }).to_string();
            let mut response = response(error.status_in(protocol), "application/json", body, request_id);
            response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
            response
        }
        Protocol::RestXml => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{}</Message>\
                 <RequestId>{request_id}</RequestId></Error>",
                escaped(&error.message)
            );
            let mut response = response(error.status_in(protocol), "application/xml", body, request_id);
            if let Ok(id) = HeaderValue::from_str(request_id) {
                response.headers_mut().insert("x-amz-request-id", id);
            }
            response
        }
        Protocol::Json | Protocol::RestJson => {
            let body = json!({ "__type": code, "message": error.message }).to_string();
            let mut response = response(error.status, "application/x-amz-json-1.1", body, request_id);
            response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
            response
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// As text inside an XML element.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => out.push_str("&#xD;"),
            letter => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// RFC 3986: everything but the unreserved characters becomes `%XX`.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
