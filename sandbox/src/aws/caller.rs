//! Who makes a call, and what they may do.

use std::cell::RefCell;
use std::net::IpAddr;

use axum::http::HeaderMap;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::organizations::{MANAGEMENT, role_arn};
use super::policy::{Context, Decision, Kind, Policy};
use super::signature::Signed;
use super::state::{Iam, Outsider, Policies, Principal, Session, World};
use super::wire::ApiError;

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) access_key_id: String,
    pub(super) principal: Principal,
    /// The temporary credentials used, if any.
    pub(super) session: Option<Session>,
    /// The user's ARN or that of the assumed-role session.
    pub(super) arn: String,
    /// `AIDA…`, or `AROA…:session-name`.
    pub(super) user_id: String,
    pub(super) source_ip: String,
    pub(super) user_agent: String,
    policies: Policies,
    /// The service control policies of each level of the organization.
    guards: Vec<Vec<String>>,
    /// ARN of the user or the role itself.
    principal_arn: String,
    /// What the call has needed a permission for so far: an action and an ARN each.
    pub(super) asked: RefCell<Vec<(String, String)>>,
    /// The user of IAM Identity Center whom the session was given to, by id.
    identity_center_user: Option<String>,
}

/// What a call is about: the ARN that policies see and the words that a refusal uses.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) arn: String,
    /// Empty where the refusal names no resource.
    pub(super) label: String,
}

impl Caller {
    /// The caller that the key id of `signed` names. `verify` checks the signature with the key's
    /// secret; that comes first, so that only the key's holder learns its status.
    pub(super) fn authenticate(
        world: &mut World,
        signed: &Signed<'_>,
        headers: &HeaderMap,
        now: DateTime<Utc>,
        verify: impl Fn(&str) -> Result<(), ApiError>,
    ) -> Result<Self, ApiError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let token = text("x-amz-security-token");
        let source_ip = text("x-sandbox-source-ip").filter(|ip| ip.parse::<IpAddr>().is_ok()).unwrap_or("127.0.0.1");
        let user_agent = text("x-amz-user-agent").or_else(|| text("user-agent")).unwrap_or("-");
        let iam = world.effective_iam(now);
        let session = world.sessions.get(signed.access_key_id).cloned();
        let (principal, policies) = if let Some(session) = &session {
            if token != Some(session.token.as_str()) {
                return Err(ApiError::invalid_token());
            }
            verify(&session.secret)?;
            let lasts = matches!(&session.of, Principal::Role { name, .. } if world.lasting.contains(name));
            if session.expires_at <= now && !lasts {
                return Err(ApiError::forbidden(
                    "ExpiredToken",
                    "The security token included in the request is expired",
                ));
            }
            let policies = match &session.of {
                Principal::Manager { name, .. } => {
                    world.organizations.roles.get(name).map(|role| role.policies.clone())
                }
                _ => session.policies(&iam),
            };
            (session.of.called_now(&iam), policies.ok_or_else(ApiError::invalid_token)?)
        } else if let Some(outsider) = world.outsiders.get(signed.access_key_id) {
            verify(&outsider.secret)?;
            (Principal::Outsider(outsider.clone()), Policies::default())
        } else if let Some(key) = world.root_key.as_ref().filter(|key| key.id == signed.access_key_id && key.active) {
            verify(&key.secret)?;
            (Principal::Root, Policies::default())
        } else {
            let (user, key) = iam.key(signed.access_key_id).ok_or_else(ApiError::invalid_token)?;
            if token.is_some() {
                return Err(ApiError::invalid_token());
            }
            verify(&key.secret)?;
            if !key.active {
                return Err(ApiError::invalid_token());
            }
            (Principal::User { name: user.name.clone(), id: user.id.clone() }, iam.policies_of_user(user))
        };
        let (principal_arn, arn, user_id) = principal.arns(world, &iam);
        let guards = world.organizations.guards(&principal);
        let identity_center_user = match &principal {
            Principal::Role { name, session_name, .. } => world.identity_center.user_of(name, session_name),
            _ => None,
        };
        let identity_center_user = identity_center_user.map(str::to_owned);
        Ok(Self {
            access_key_id: signed.access_key_id.to_owned(),
            principal,
            session,
            arn,
            user_id,
            source_ip: source_ip.to_owned(),
            user_agent: user_agent.to_owned(),
            policies,
            guards,
            principal_arn,
            asked: RefCell::default(),
            identity_center_user,
        })
    }

    /// The name in `CloudTrail`'s user name column: the user, or the role session.
    pub(super) fn name(&self) -> &str {
        match &self.principal {
            Principal::User { name, .. } | Principal::Outsider(Outsider { name, .. }) => name,
            Principal::Role { session_name, .. } | Principal::Manager { session_name, .. } => session_name,
            Principal::Root => "root",
        }
    }

    pub(super) fn user_name(&self) -> Option<&str> {
        match &self.principal {
            Principal::User { name, .. } => Some(name),
            Principal::Role { .. } | Principal::Manager { .. } | Principal::Outsider(_) | Principal::Root => None,
        }
    }

    /// The account that the caller is of.
    pub(super) fn account<'a>(&'a self, own: &'a str) -> &'a str {
        match &self.principal {
            Principal::Outsider(outsider) => outsider.account,
            Principal::Manager { .. } => MANAGEMENT,
            Principal::User { .. } | Principal::Role { .. } | Principal::Root => own,
        }
    }

    /// The condition keys that come from the caller.
    pub(super) fn context(&self, region: &str, now: DateTime<Utc>) -> Context {
        let seconds = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut context = Context::from([
            ("aws:currenttime", seconds(now)),
            ("aws:principalarn", self.principal_arn.clone()),
            ("aws:requestedregion", region.to_owned()),
            ("aws:sourceip", self.source_ip.clone()),
            ("aws:useragent", self.user_agent.clone()),
            ("aws:userid", self.user_id.clone()),
        ]);
        match &self.principal {
            Principal::User { name, .. } => {
                context.insert("aws:username", name.clone());
                context.insert("aws:principaltype", "User".to_owned());
            }
            Principal::Role { .. } | Principal::Manager { .. } => {
                context.insert("aws:principaltype", "AssumedRole".to_owned());
            }
            Principal::Outsider(_) => _ = context.insert("aws:principaltype", "User".to_owned()),
            Principal::Root => _ = context.insert("aws:principaltype", "Account".to_owned()),
        }
        if let Some(session) = &self.session {
            context.insert("aws:tokenissuetime", seconds(session.issued_at));
            if let Some(user) = &self.identity_center_user {
                context.insert("identitystore:userid", user.clone());
            }
            context.insert("aws:multifactorauthpresent", "false".to_owned());
            if let Some(identity) = &session.source_identity {
                context.insert("aws:sourceidentity", identity.clone());
            }
        }
        context
    }

    /// What the identity policies alone say.
    pub(super) fn identity_decision(&self, action: &str, resource: &str, context: &Context) -> Decision {
        // What another account allows its own people is not looked at here; what root may do no policy says.
        if matches!(self.principal, Principal::Outsider(_) | Principal::Root) {
            return Decision::Allow;
        }
        decide_all(&self.policies, action, resource, context)
    }

    /// What the session policy says; everything, where there is none.
    pub(super) fn session_decision(&self, action: &str, resource: &str, context: &Context) -> Decision {
        let Some(document) = self.session.as_ref().and_then(|session| session.policy.as_deref()) else {
            return Decision::Allow;
        };
        Policy::parse(document, Kind::Identity)
            .map_or(Decision::ExplicitDeny, |policy| policy.decide(action, resource, context))
    }

    /// What the organization says: every level of it has to allow.
    pub(super) fn guard_decision(&self, action: &str, resource: &str, context: &Context) -> Decision {
        guarded(&self.guards, action, resource, context)
    }

    /// Refuses what the organization, the identity policies and the session policy do not all allow.
    pub(super) fn authorize(&self, action: &str, resource: &Resource, context: &Context) -> Result<(), ApiError> {
        self.asked.borrow_mut().push((action.to_owned(), resource.arn.clone()));
        let identity = self.identity_decision(action, &resource.arn, context);
        let session = self.session_decision(action, &resource.arn, context);
        let guard = self.guard_decision(action, &resource.arn, context);
        let reason = match (identity, session) {
            _ if guard == Decision::ExplicitDeny => "with an explicit deny in a service control policy".to_owned(),
            _ if guard == Decision::ImplicitDeny => {
                format!("because no service control policy allows the {action} action")
            }
            (Decision::Allow, Decision::Allow) => return Ok(()),
            (Decision::ExplicitDeny, _) => "with an explicit deny in an identity-based policy".to_owned(),
            (_, Decision::ExplicitDeny) => "with an explicit deny in a session policy".to_owned(),
            (Decision::ImplicitDeny, _) => format!("because no identity-based policy allows the {action} action"),
            (_, Decision::ImplicitDeny) => format!("because no session policy allows the {action} action"),
        };
        Err(self.denied(action, resource, &reason))
    }

    /// The refusal in AWS's wording.
    pub(super) fn denied(&self, action: &str, resource: &Resource, reason: &str) -> ApiError {
        let mut message = format!("User: {} is not authorized to perform: {action}", self.arn);
        for (word, text) in [(" on resource: ", resource.label.as_str()), (" ", reason)] {
            if !text.is_empty() {
                message.push_str(word);
                message.push_str(text);
            }
        }
        ApiError::forbidden("AccessDenied", message)
    }

    /// `userIdentity` of a trail event.
    pub(super) fn trail_identity(&self, account: &str) -> Value {
        // The log of this account says no more of somebody from another one.
        if let Principal::Outsider(outsider) = &self.principal {
            return json!({ "type": "AWSAccount", "principalId": outsider.id, "accountId": outsider.account });
        }
        let mut identity = json!({
            "principalId": self.user_id,
            "arn": self.arn,
            "accountId": account,
            "accessKeyId": self.access_key_id,
        });
        match &self.principal {
            Principal::User { name, .. } => {
                identity["type"] = json!("IAMUser");
                identity["userName"] = json!(name);
            }
            Principal::Role { .. } | Principal::Manager { .. } => identity["type"] = json!("AssumedRole"),
            Principal::Outsider(_) => {}
            Principal::Root => identity["type"] = json!("Root"),
        }
        if let Some(session) = &self.session {
            let issuer = match &self.principal {
                Principal::User { .. } | Principal::Outsider(_) | Principal::Root => json!({}),
                Principal::Role { name, id, .. } | Principal::Manager { name, id, .. } => json!({
                    "type": "Role",
                    "principalId": id,
                    "arn": self.principal_arn,
                    "accountId": account,
                    "userName": name,
                }),
            };
            identity["sessionContext"] = json!({
                "sessionIssuer": issuer,
                "attributes": {
                    "creationDate": session.issued_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                    "mfaAuthenticated": "false",
                },
            });
            if let Principal::Role { session_name, .. } = &self.principal
                && session_name.starts_with("i-")
            {
                // An instance has its keys from the second version of its metadata service.
                identity["sessionContext"]["ec2RoleDelivery"] = json!("2.0");
            }
            if let Some(source) = &session.source_identity {
                identity["sessionContext"]["sourceIdentity"] = json!(source);
            }
        }
        identity
    }
}

impl Principal {
    /// The same by its name of now: a user can have been given another since its session was opened.
    fn called_now(&self, iam: &Iam) -> Self {
        match self {
            Self::User { id, .. } => {
                let now = iam.user_of(id).map(|user| Self::User { name: user.name.clone(), id: id.clone() });
                now.unwrap_or_else(|| self.clone())
            }
            other => other.clone(),
        }
    }

    /// The principal's ARN, the caller's ARN and the user id.
    fn arns(&self, world: &World, iam: &Iam) -> (String, String, String) {
        match self {
            Self::User { name, id } => {
                let arn = iam.users.get(name).map(|user| world.user_arn(user)).unwrap_or_default();
                (arn.clone(), arn, id.clone())
            }
            Self::Role { name, id, session_name } => (
                iam.roles.get(name).map(|role| world.role_arn(role)).unwrap_or_default(),
                format!("arn:aws:sts::{}:assumed-role/{name}/{session_name}", world.account),
                format!("{id}:{session_name}"),
            ),
            Self::Manager { name, id, session_name } => (
                world.organizations.roles.get(name).map(role_arn).unwrap_or_default(),
                format!("arn:aws:sts::{MANAGEMENT}:assumed-role/{name}/{session_name}"),
                format!("{id}:{session_name}"),
            ),
            Self::Outsider(outsider) => {
                let arn = format!("arn:aws:iam::{}:user/{}", outsider.account, outsider.name);
                (arn.clone(), arn, outsider.id.clone())
            }
            Self::Root => {
                let arn = format!("arn:aws:iam::{}:root", world.account);
                (arn.clone(), arn, world.account.to_owned())
            }
        }
    }
}

impl Session {
    /// The policies of its owner as they are now; `None` once the owner is gone.
    fn policies(&self, iam: &Iam) -> Option<Policies> {
        match &self.of {
            // Its session is a user's under whatever name.
            Principal::User { id, .. } => iam.user_of(id).map(|user| iam.policies_of_user(user)),
            Principal::Manager { .. } | Principal::Outsider(_) | Principal::Root => None,
            Principal::Role { name, id, .. } => {
                iam.roles.get(name).filter(|role| role.id == *id).map(|role| iam.policies_of_role(role))
            }
        }
    }
}

/// One decision from the service control policies of each level: every level has to allow.
pub(super) fn guarded(levels: &[Vec<String>], action: &str, resource: &str, context: &Context) -> Decision {
    let mut decision = Decision::Allow;
    for level in levels {
        let parsed = level.iter().filter_map(|content| Policy::parse(content, Kind::Identity).ok());
        match combined(parsed, action, resource, context) {
            Decision::ExplicitDeny => return Decision::ExplicitDeny,
            Decision::ImplicitDeny => decision = Decision::ImplicitDeny,
            Decision::Allow => {}
        }
    }
    decision
}

/// One decision from all of a principal's policies.
pub(super) fn decide_all(policies: &Policies, action: &str, resource: &str, context: &Context) -> Decision {
    combined(policies.parsed(), action, resource, context)
}

fn combined(policies: impl IntoIterator<Item = Policy>, action: &str, resource: &str, context: &Context) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for policy in policies {
        match policy.decide(action, resource, context) {
            Decision::ExplicitDeny => return Decision::ExplicitDeny,
            Decision::Allow => decision = Decision::Allow,
            Decision::ImplicitDeny => {}
        }
    }
    decision
}
