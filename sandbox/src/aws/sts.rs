//! STS: who am I, and temporary credentials.
//!
//! Limits follow the STS API reference, version 2011-06-15.

use super::caller::{Caller, Resource};
use super::iam::trust::{self, Trusts};
use super::ids;
use super::operation::{Call, Operation, Target};
use super::organizations::MANAGEMENT;
use super::policy::{Context, Decision, Kind, Policy};
use super::state::{Principal, Role, Session};
use super::wire::{ApiError, Node, Params};
use crate::clock::Clock;

pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Characters of an inline session policy.
const SESSION_POLICY_CHARS_MAX: usize = 2_048;

/// The longest session of a role assumed with another role's session.
const CHAINED_SECONDS_MAX: i64 = 3_600;

const OPERATIONS: [Operation; 4] = [
    Operation {
        name: "GetCallerIdentity",
        read_only: true,
        target: Target::Nothing,
        run: |call| Ok(caller_identity(call)),
    },
    Operation { name: "GetAccessKeyInfo", read_only: true, target: Target::Everything, run: access_key_info },
    Operation { name: "GetSessionToken", read_only: true, target: Target::Nothing, run: session_token },
    Operation { name: "AssumeRole", read_only: true, target: Target::Nothing, run: assume_role },
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    const TABLE: &[Operation] = &OPERATIONS;
    TABLE.iter().find(|operation| operation.name == name)
}

/// Refuses what temporary credentials cannot do whatever their policies say.
pub(super) fn refuse_session(caller: &Caller, operation: &str) -> Result<(), ApiError> {
    let barred = match (&caller.session, &caller.principal) {
        (None, Principal::Root) if operation == "AssumeRole" => {
            return Err(ApiError::forbidden("AccessDenied", "Roles may not be assumed by root accounts."));
        }
        (None, _) => false,
        (Some(_), Principal::User { .. } | Principal::Outsider(_) | Principal::Root) => {
            !matches!(operation, "AssumeRole" | "GetCallerIdentity")
        }
        (Some(_), Principal::Role { .. } | Principal::Manager { .. }) => operation == "GetSessionToken",
    };
    if barred {
        return Err(ApiError::forbidden("AccessDenied", format!("Cannot call {operation} with session credentials")));
    }
    Ok(())
}

fn caller_identity(call: &Call<'_>) -> Node {
    Node::Fields(vec![
        ("Arn", Node::text(&call.caller.arn)),
        ("UserId", Node::text(&call.caller.user_id)),
        ("Account", Node::text(call.caller.account(call.world.account))),
    ])
}

fn access_key_info(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.params.required("AccessKeyId")?;
    let account = ids::account_of(id).ok_or_else(|| ApiError::validation("Invalid access key id."))?;
    Ok(Node::Fields(vec![("Account", Node::text(account))]))
}

fn session_token(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let seconds = call.params.number("DurationSeconds", 900..=129_600)?.unwrap_or(43_200);
    let session = call.world.open_session(call.caller.principal.clone(), seconds, None, None);
    Ok(Node::Fields(vec![("Credentials", credentials(&session, &call.world.clock))]))
}

fn assume_role(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let params = call.params;
    let role_arn = params.required("RoleArn")?;
    let session_name = identifier(params, "RoleSessionName")?
        .ok_or_else(|| ApiError::validation("1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must not be null"))?;
    let seconds = params.number("DurationSeconds", 900..=43_200)?.unwrap_or(3_600);
    let policy = session_policy(params)?;
    let inherited = call.caller.session.as_ref().and_then(|session| session.source_identity.as_deref());
    let source_identity = identifier(params, "SourceIdentity")?.or(inherited);

    let resource = Resource { arn: role_arn.to_owned(), label: role_arn.to_owned() };
    let abroad = call.world.organizations.role(role_arn).cloned();
    let is_abroad = abroad.is_some();
    let here = || call.world.iam.roles.values().find(|role| call.world.role_arn(role) == role_arn).cloned();
    let role = abroad.or_else(here);
    let Some(role) = role else { return Err(call.caller.denied("sts:AssumeRole", &resource, "")) };
    let mut context = call.context.clone();
    context.insert("sts:rolesessionname", session_name.to_owned());
    if let Some(identity) = source_identity {
        context.insert("sts:sourceidentity", identity.to_owned());
    }
    permit(call, &role, "sts:AssumeRole", &resource, &context, is_abroad)?;
    if source_identity.is_some() {
        permit(call, &role, "sts:SetSourceIdentity", &resource, &context, is_abroad)?;
    }
    if inherited.is_some() && source_identity != inherited {
        let reason = "because the source identity of a session cannot be changed";
        return Err(call.caller.denied("sts:SetSourceIdentity", &resource, reason));
    }
    let chained = matches!(call.caller.principal, Principal::Role { .. } | Principal::Manager { .. });
    if chained && seconds > CHAINED_SECONDS_MAX {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }

    let packed = policy.as_ref().map(|policy| (policy.len() * 100).div_ceil(SESSION_POLICY_CHARS_MAX));
    let (name, id, session_name) = (role.name.clone(), role.id.clone(), session_name.to_owned());
    let (principal, account) = if is_abroad {
        (Principal::Manager { name, id, session_name: session_name.clone() }, MANAGEMENT)
    } else {
        (Principal::Role { name, id, session_name: session_name.clone() }, call.world.account)
    };
    let session = call.world.open_session(principal, seconds, policy, source_identity.map(str::to_owned));
    let assumed = vec![
        ("AssumedRoleId", Node::text(format!("{}:{session_name}", role.id))),
        ("Arn", Node::text(format!("arn:aws:sts::{account}:assumed-role/{}/{session_name}", role.name))),
    ];
    let mut fields =
        vec![("Credentials", credentials(&session, &call.world.clock)), ("AssumedRoleUser", Node::Fields(assumed))];
    if let Some(percent) = packed {
        fields.push(("PackedPolicySize", Node::Number(i64::try_from(percent).unwrap_or(100))));
    }
    if let Some(identity) = source_identity {
        fields.push(("SourceIdentity", Node::text(identity)));
    }
    Ok(Node::Fields(fields))
}

/// Whether the caller may do `action` to the role, by the caller's policies and the role's trust.
/// In another account both have to.
fn permit(
    call: &Call<'_>,
    role: &Role,
    action: &str,
    resource: &Resource,
    context: &Context,
    is_abroad: bool,
) -> Result<(), ApiError> {
    let caller = call.caller;
    let unique_id = caller.user_id.split(':').next().unwrap_or_default();
    let identity = caller.identity_decision(action, &resource.arn, context);
    let session = caller.session_decision(action, &resource.arn, context);
    let trust = trust::decision(role, caller.account(call.world.account), (unique_id, &caller.arn), action, context);
    let trust = if is_abroad && trust == Trusts::Caller { Trusts::Account } else { trust };
    let guard = caller.guard_decision(action, &resource.arn, context);
    let reason = match (identity, session, trust) {
        _ if guard != Decision::Allow => "with an explicit deny in a service control policy".to_owned(),
        (Decision::ExplicitDeny, _, _) => "with an explicit deny in an identity-based policy".to_owned(),
        (_, Decision::ExplicitDeny, _) => "with an explicit deny in a session policy".to_owned(),
        (_, _, Trusts::Denies) => "with an explicit deny in a resource-based policy".to_owned(),
        // AWS does not tell a role that trusts somebody else from one that is not there.
        (_, _, Trusts::Nobody) => String::new(),
        (Decision::ImplicitDeny, _, Trusts::Account) => {
            format!("because no identity-based policy allows the {action} action")
        }
        (_, Decision::ImplicitDeny, _) => format!("because no session policy allows the {action} action"),
        (_, Decision::Allow, Trusts::Caller | Trusts::Account) => return Ok(()),
    };
    Err(caller.denied(action, resource, &reason))
}

fn credentials(session: &Session, clock: &Clock) -> Node {
    Node::Fields(vec![
        ("AccessKeyId", Node::text(&session.access_key_id)),
        ("SecretAccessKey", Node::text(&session.secret)),
        ("SessionToken", Node::text(&session.token)),
        // SDKs hold it against the clock of the machine that they run on.
        ("Expiration", Node::Time(clock.real(session.expires_at))),
    ])
}

/// A session name or source identity: 2 to 64 letters, digits and `_+=,.@-`.
fn identifier<'a>(params: &'a Params, name: &'static str) -> Result<Option<&'a str>, ApiError> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let valid = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter));
    if valid && (2..=64).contains(&text.len()) {
        return Ok(Some(text));
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{text}' at '{}' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [\\w+=,.@-]* and have length between 2 and 64",
        super::wire::decapitalised(name)
    )))
}

fn session_policy(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(text) = params.get("Policy") else { return Ok(None) };
    if text.chars().count() > SESSION_POLICY_CHARS_MAX {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less \
             than or equal to {SESSION_POLICY_CHARS_MAX}"
        )));
    }
    Policy::parse(text, Kind::Identity)
        .map_err(|sentence| ApiError::bad_request("MalformedPolicyDocument", sentence))?;
    Ok(Some(text.to_owned()))
}
