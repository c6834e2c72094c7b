//! The way of a call through the account: who calls, may they, do it, write it down, answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::caller::{Caller, Resource};
use super::ids;
use super::operation::{Call, Operation};
use super::regions;
use super::request::{self, Input, Request, Service};
use super::state::{LastUsed, Principal, World};
use super::trail::{self, Entry};
use super::wire::{self, ApiError, Reply};
use super::{
    CallRecord, Fault, Outcome, athena, autoscaling, ec2, events, guardduty, iam, identity_center, json_operation,
    lambda, organizations, roles_anywhere, s3, secrets, sts,
};

/// IAM's events are all in this Region.
const GLOBAL_REGION: &str = "us-east-1";

/// Calls kept in the journal; beyond that the oldest go.
const CALLS_MAX: usize = 100_000;

/// What becomes of the answer.
pub(super) enum Delivery {
    Sent(Response),
    /// The caller waits for ever.
    Withheld,
    /// The connection ends without an answer.
    Dropped,
    /// It comes so much later.
    Late(Response, Duration),
}

/// What an operation's name stands for.
#[derive(Clone, Copy)]
enum Handler {
    Query(&'static Operation),
    Ec2(&'static ec2::Operation),
    Json(&'static json_operation::Operation),
    LookupEvents,
    Findings,
    S3,
}

impl Handler {
    fn find(service: Service, operation: &str) -> Option<Self> {
        match service {
            Service::AutoScaling => autoscaling::operation(operation).map(Self::Query),
            Service::Iam => iam::operation(operation).map(Self::Query),
            Service::Sts => sts::operation(operation).map(Self::Query),
            Service::Ec2 => ec2::operation(operation).map(Self::Ec2),
            Service::Events => events::operation(operation).map(Self::Json),
            Service::Lambda => lambda::operation(operation).map(Self::Json),
            Service::RolesAnywhere => roles_anywhere::operation(operation).map(Self::Json),
            Service::IdentityStore => identity_center::store_operation(operation).map(Self::Json),
            Service::Sso => identity_center::sso_operation(operation).map(Self::Json),
            Service::Organizations => organizations::operation(operation).map(Self::Json),
            Service::Athena => athena::operation(operation).map(Self::Json),
            Service::SecretsManager => secrets::operation(operation).map(Self::Json),
            Service::CloudTrail if operation == "LookupEvents" => Some(Self::LookupEvents),
            Service::CloudTrail => trail::trails::operation(operation).map(Self::Json),
            Service::GuardDuty => guardduty::detectors::operation(operation)
                .map(Self::Json)
                .or_else(|| (!operation.is_empty()).then_some(Self::Findings)),
            Service::S3 => (!operation.is_empty()).then_some(Self::S3),
        }
    }

    fn read_only(self) -> bool {
        match self {
            Self::Query(operation) => operation.read_only,
            Self::Ec2(operation) => operation.read_only,
            Self::Json(operation) => operation.read_only,
            // Which of S3's calls change something is in their events.
            Self::LookupEvents | Self::Findings | Self::S3 => true,
        }
    }
}

/// Takes one request and answers it.
pub(super) fn answer(world: &mut World, parts: &Parts, body: &Bytes) -> Delivery {
    let request_id = ids::uuid();
    let request = match Request::read(parts, body) {
        Ok(request) => request,
        Err((protocol, error)) => return Delivery::Sent(wire::failure(protocol, &error, &request_id)),
    };
    let now = world.clock.now();
    let protocol = request.service.protocol();
    let verify = |secret: &str| request.signed.verify(secret, &parts.method, &parts.uri, &parts.headers, body);
    let caller = match Caller::authenticate(world, &request.signed, &parts.headers, now, verify) {
        Ok(caller) => caller,
        Err(error) => {
            journal(world, &request, None, now, Outcome::Error(error.code_in(protocol).to_owned()));
            return Delivery::Sent(wire::failure(protocol, &error, &request_id));
        }
    };
    note_use(world, &caller, &request, now);
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();

    let next = world.faults.get_mut(&request.called()).and_then(std::collections::VecDeque::pop_front);
    let fault = next.or_else(|| world.region_faults.get(request.signed.region).copied());
    if matches!(fault, Some(Fault::HangBefore)) {
        journal(world, &request, Some(&caller), now, Outcome::Unanswered);
        return Delivery::Withheld;
    }
    let handler = Handler::find(request.service, &request.operation);
    let result = match (handler, fault) {
        (None, _) => Err(unknown(&request)),
        (Some(_), Some(Fault::Throttle)) => Err(ApiError::throttled()),
        (Some(_), Some(Fault::InternalError)) => Err(ApiError::internal()),
        (Some(_), Some(Fault::Conflict(code))) => Err(ApiError::conflict(code, "Something else is in the way.")),
        (Some(_), Some(Fault::AccessDenied)) => {
            let action = format!("{}:{}", request.service.name(), request.operation);
            let resource = Resource { arn: "*".to_owned(), label: String::new() };
            Err(caller.denied(&action, &resource, "with an explicit deny in a service control policy"))
        }
        (Some(handler), _) => perform(world, &caller, &request, handler, &host, now),
    };
    let outcome = match &result {
        Ok(_) => Outcome::Ok,
        Err(error) => Outcome::Error(error.code_in(protocol).to_owned()),
    };
    // A token that the service does not take, like an unknown operation, is no event.
    if let Some(handler) = handler
        && !matches!(&result, Err(error) if error.code == "InvalidClientTokenId")
    {
        record(world, &caller, &request, handler, &result, &request_id, now);
    }
    journal(world, &request, Some(&caller), now, outcome);
    let response = match &result {
        Ok(reply) => wire::success(protocol, &request.operation, reply, &request_id),
        Err(error) => wire::failure(protocol, error, &request_id),
    };
    match fault {
        Some(Fault::HangAfter) => Delivery::Withheld,
        Some(Fault::DropAfter) => Delivery::Dropped,
        Some(Fault::Late(by)) => Delivery::Late(response, by),
        _ => Delivery::Sent(response),
    }
}

/// A response whose body fails before the first byte is out, on which the server closes the
/// connection.
pub(super) fn dropped() -> Response {
    let broken = futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("dropped on purpose")) });
    Response::new(Body::from_stream(broken))
}

fn unknown(request: &Request<'_>) -> ApiError {
    match request.service {
        Service::AutoScaling | Service::Iam | Service::Sts | Service::Ec2 => {
            let sentence = format!("Could not find operation {} for this version", request.operation);
            ApiError::bad_request("InvalidAction", sentence)
        }
        Service::Athena
        | Service::CloudTrail
        | Service::Events
        | Service::GuardDuty
        | Service::IdentityStore
        | Service::Lambda
        | Service::Organizations
        | Service::Sso
        | Service::RolesAnywhere
        | Service::SecretsManager => {
            ApiError::bad_request("UnknownOperationException", "The requested operation is not known.")
        }
        Service::S3 => s3::not_implemented("the operation"),
    }
}

/// Whether a condition on the policy can be put on it.
fn is_about_attachment(operation: &str) -> bool {
    ["Attach", "Detach"].iter().any(|verb| operation.starts_with(verb)) && operation.ends_with("Policy")
}

fn perform(
    world: &mut World,
    caller: &Caller,
    request: &Request<'_>,
    handler: Handler,
    host: &str,
    now: DateTime<Utc>,
) -> Result<Reply, ApiError> {
    let region = request.signed.region;
    let action = format!("{}:{}", request.service.name(), request.operation);
    let mut context = caller.context(region, now);
    if let (Service::Iam, Input::Form(params)) = (request.service, &request.input)
        && let (true, Some(policy)) = (is_about_attachment(&request.operation), params.get("PolicyArn"))
    {
        context.insert("iam:policyarn", policy.to_owned());
    }
    let comes_in = matches!(request.operation.as_str(), "AssumeRole" | "GetCallerIdentity");
    let is_foreign = match caller.principal {
        Principal::Outsider(_) => true,
        Principal::Manager { .. } => {
            let of_its_own = matches!(request.service, Service::IdentityStore | Service::Organizations | Service::Sso);
            !of_its_own && request.operation != "SimulatePrincipalPolicy"
        }
        Principal::User { .. } | Principal::Role { .. } | Principal::Root => false,
    };
    if is_foreign && !comes_in {
        let resource = Resource { arn: "*".to_owned(), label: String::new() };
        return Err(caller.denied(&action, &resource, "because no resource-based policy allows the action"));
    }
    match (handler, &request.input) {
        (Handler::Query(operation), Input::Form(params)) => {
            match request.service {
                // A user's session without MFA cannot call IAM at all, but for the console's.
                Service::Iam
                    if caller.session.as_ref().is_some_and(|session| !session.from_console)
                        && caller.user_name().is_some() =>
                {
                    return Err(ApiError::invalid_token());
                }
                Service::Sts => sts::refuse_session(caller, operation.name)?,
                // Keys are not valid in a Region that the account has not opted in to.
                Service::AutoScaling => {
                    regions::enabled(region).ok_or_else(ApiError::invalid_token)?;
                    autoscaling::settle(world, region, now);
                }
                _ => {}
            }
            let mut call = Call { world, caller, params, context: &context, region, now };
            if let Some(resource) = call.resource(operation.target)? {
                caller.authorize(&action, &resource, &context)?;
            }
            if request.service == Service::Iam && !operation.read_only {
                call.world.remember_iam(now);
            }
            (operation.run)(&mut call).map(Reply::Xml)
        }
        (Handler::Ec2(operation), Input::Form(params)) => {
            ec2::Call { world, caller, params, context: &context, region, now }.run(operation).map(Reply::Xml)
        }
        (Handler::Json(operation), Input::Json(input)) => {
            // Keys are not valid in a Region that the account has not opted in to.
            regions::enabled(region).ok_or_else(ApiError::invalid_token)?;
            let mut call = json_operation::Call { world, caller, input, context: &context, region, host, now };
            (operation.run)(&mut call).map(|value| Reply::Json(operation.status, value))
        }
        (Handler::LookupEvents, Input::Json(input)) => {
            caller.authorize(&action, &Resource { arn: "*".to_owned(), label: String::new() }, &context)?;
            trail::lookup_events(&mut world.trail, region, input, now).map(ok)
        }
        (Handler::Findings, Input::Json(input)) => {
            let arn = format!("arn:aws:guardduty:{region}:{}:detector/*", world.account);
            caller.authorize(&action, &Resource { label: arn.clone(), arn }, &context)?;
            world.findings.run(world.account, region, &request.operation, input).map(ok)
        }
        (Handler::S3, Input::S3(asked)) => {
            if world.deliveries.iter().any(|trail| asked.is_about(&trail.bucket)) {
                trail::delivery::deliver(world, now);
            }
            let (buckets, account) = (&mut world.buckets, world.account);
            s3::Call { buckets, account, caller, region, context, asked, now }.run(&request.operation).map(Reply::Rest)
        }
        _ => Err(unknown(request)),
    }
}

fn ok(value: serde_json::Value) -> Reply {
    Reply::Json(StatusCode::OK, value)
}

/// Remembers when a key or a role was last used, and on what.
fn note_use(world: &mut World, caller: &Caller, request: &Request<'_>, now: DateTime<Utc>) {
    let used =
        LastUsed { at: now, service: request.service.name().to_owned(), region: request.signed.region.to_owned() };
    if let Principal::Role { name, .. } = &caller.principal {
        if let Some(role) = world.iam.roles.get_mut(name) {
            role.last_used = Some(used);
        }
    } else if let Some(key) = world.iam.key_mut(&caller.access_key_id) {
        key.last_used = Some(used);
    }
}

fn journal(world: &mut World, request: &Request<'_>, caller: Option<&Caller>, at: DateTime<Utc>, outcome: Outcome) {
    if world.calls.len() == CALLS_MAX {
        world.calls.pop_front();
    }
    world.calls.push_back(CallRecord {
        at,
        access_key_id: request.signed.access_key_id.to_owned(),
        caller_arn: caller.map(|caller| caller.arn.clone()),
        service: request.service.name().to_owned(),
        region: request.signed.region.to_owned(),
        operation: request.called(),
        params: request.input.to_journal(),
        asked: caller.map(|caller| caller.asked.take()).unwrap_or_default(),
        outcome,
    });
}

fn record(
    world: &mut World,
    caller: &Caller,
    request: &Request<'_>,
    handler: Handler,
    result: &Result<Reply, ApiError>,
    request_id: &str,
    at: DateTime<Utc>,
) {
    // What the management account does is in its own trail.
    if matches!(caller.principal, Principal::Manager { .. }) {
        return;
    }
    let protocol = request.service.protocol();
    let operation = request.operation.as_str();
    let event = match handler {
        Handler::S3 => s3::event(operation),
        Handler::Json(operation) => Some((operation.event, operation.read_only, false)),
        _ => Some((operation, handler.read_only(), false)),
    };
    let Some((name, read_only, data)) = event else { return };
    // A trail that recorded what is done with its own files would never come to an end.
    let own = |asked: &s3::Asked| world.deliveries.iter().any(|trail| asked.is_about(&trail.bucket));
    if matches!(&request.input, Input::S3(asked) if data && own(asked)) {
        return;
    }
    // Reads have no response elements in the trail, but for those that hand out credentials.
    let response = match result {
        Ok(Reply::Xml(node)) if request.service == Service::Ec2 && !handler.read_only() => {
            ec2::response_in_trail(operation, node, request_id)
        }
        Ok(Reply::Xml(node)) if !handler.read_only() || matches!(operation, "AssumeRole" | "GetSessionToken") => {
            node.to_trail()
        }
        Ok(Reply::Json(_, value)) if !handler.read_only() => request::shown(value, request.service),
        _ => serde_json::Value::Null,
    };
    let error = result.as_ref().err().map(|error| error.in_trail(protocol));
    let ours = !matches!(caller.principal, Principal::Outsider(_));
    world.trail.record(&Entry {
        at,
        account: world.account,
        region: if request.service == Service::Iam { GLOBAL_REGION } else { request.signed.region },
        identity: caller.trail_identity(world.account),
        access_key_id: ours.then_some(&caller.access_key_id),
        user_name: ours.then(|| caller.name()),
        source: &format!("{}.amazonaws.com", request.service.name()),
        name,
        read_only,
        source_ip: &caller.source_ip,
        user_agent: &caller.user_agent,
        request: request.input.to_trail(request.service, operation),
        response,
        error: error.as_ref().map(|(code, message)| (code.as_str(), message.as_str())),
        request_id,
        data,
    });
}
