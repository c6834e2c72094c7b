//! What a call hands to whoever made it: keys, passwords, users, roles, machines that act with a role. Each is an edge
//! of the lineage, with the record that proves it.

use serde_json::Value;

use super::limits::OF_ONE_CALL_MAX;
use super::record::Record;
use super::renamed;
use super::resource::at;
use super::token::{Token, account_of, bare_name, is_machine, of_arn, role_session};

mod compute;
mod console;
mod provider;
mod starter;
mod trust;
mod which;

pub use which::may_grant;

pub use provider::Vouch;
pub use trust::Trusted;

/// Callers taken from one trust policy: more than the longest that IAM takes can name.
const CALLERS_MAX: usize = 1_000;
/// How deep a response is searched for keys.
const DEPTH_MAX: usize = 5;

/// What a caller has of code that acts with a role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Hold {
    /// It has made it.
    Made,
    /// It has set these parts of a function, each with what stands for its value: whoever sets one to something else after it
    /// takes it back.
    Set(Vec<(String, u64)>),
    /// It has a way in. What the machine does by itself stays its own.
    WayIn,
    /// It has given an instance this profile, where the record names it.
    Profile(Option<String>),
    /// It has taken the profile from an instance. Nothing follows from that but that it is gone.
    NoProfile,
    /// A service takes the role for it, and may do so for others at any time.
    Taken,
    /// A service takes the role for work that it is asked for. For one piece it does so soon, and else whenever it goes on with
    /// it.
    Work {
        /// Whether it is one piece.
        at_once: bool,
    },
}

/// One thing that a call hands out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Grant {
    /// An access key, a user's or a session's.
    Key {
        /// `AKIA…`, `ASIA…`, or a service-specific credential's `ACCA…`.
        id: String,
        /// The session's unique id: `AROA…:name`.
        principal: Option<String>,
        /// Whose it is, as an ARN.
        holder: Option<String>,
    },
    /// A credential that was there before, and now is of use to whoever made the call.
    Opened {
        /// The access key, or a service-specific credential's `ACCA…`.
        id: String,
        /// Whose it is, as an ARN.
        holder: String,
        /// Whether nobody else has its secret any more.
        alone: bool,
    },
    /// A user of IAM Identity Center of its own.
    DirectoryUser {
        /// As the directory numbers it.
        id: Option<String>,
        /// The name, which its sessions have too; absent where CloudTrail hides it.
        name: Option<String>,
    },
    /// Access for a user of IAM Identity Center who was there before, or a password of theirs.
    Assignment {
        /// As the directory numbers them.
        id: String,
    },
    /// A user of its own.
    User {
        /// Its account.
        account: String,
        /// Its name.
        name: String,
        /// `AIDA…`
        id: Option<String>,
    },
    /// Nothing, but another name for a user or group that was there: all that hangs on it goes on under that.
    Renamed {
        /// Its account.
        account: String,
        /// Whether it is a group.
        is_group: bool,
        /// What it was called.
        from: String,
        /// What it is called.
        to: String,
    },
    /// The password of a user, or of root.
    Password {
        /// The user's account.
        account: String,
        /// The user's name; absent for root.
        name: Option<String>,
    },
    /// A role of its own: all its sessions.
    Role {
        /// Its account.
        account: String,
        /// Its name.
        name: String,
        /// `AROA…`
        id: Option<String>,
        /// Its ARN, with the path that its name does not say; absent where the record does not have it.
        arn: Option<String>,
        /// Who may assume it.
        trusted: Trusted,
    },
    /// Who may assume a role from now on.
    Trust {
        /// The role's account.
        account: String,
        /// The role's name.
        name: String,
        /// Whoever that is.
        trusted: Trusted,
    },
    /// Code that acts with a role.
    Compute {
        /// Known by its sessions.
        sessions: Vec<Token>,
        /// What the event history calls them: an instance's or a task's id, a function's name. Absent where each is called
        /// something else.
        name: Option<String>,
        /// For people: `instance i-…`, `function sync`.
        label: String,
        /// What the caller has of it.
        hold: Hold,
        /// ARN of the role that a service takes for it, or its name where the record has no more: the calls by which it does
        /// show what comes of it.
        role: Option<String>,
    },
    /// What starts instances by itself from now on: AWS makes the calls.
    Starter {
        /// Stands in each of those calls.
        token: Token,
        /// For people: `Auto Scaling group miners`.
        label: String,
    },
    /// An identity provider or trust anchor: whoever it vouches for.
    Provider {
        /// Its ARN.
        arn: String,
        /// What has become of it.
        vouch: Vouch,
    },
    /// A session that begins with the call: of the console, of a role that it was switched to, or of the CLI.
    Session {
        /// Its ARN.
        arn: String,
        /// `AROA…:name`
        principal: Option<String>,
    },
    /// What lets whoever has it sign in as the caller, once and soon, from wherever they are.
    SignIn {
        /// The caller's ARN.
        arn: String,
        /// `AROA…:name`
        principal: String,
        /// The call by which they do.
        by: &'static str,
    },
}

impl Grant {
    /// All by which what was handed out shows up in other records.
    pub fn tokens(&self) -> Vec<Token> {
        match self {
            Self::Key { id, principal, holder } => {
                let mut tokens = vec![Token::key(id)];
                tokens.extend(principal.as_deref().map(Token::principal));
                if let Some(arn) = holder.as_deref().filter(|arn| role_session(arn).is_some()) {
                    of_arn(arn, &mut tokens);
                }
                tokens
            }
            Self::Opened { id, .. } => vec![Token::key(id)],
            Self::DirectoryUser { id, name } => {
                let name = name.as_deref().map(Token::directory_user);
                id.as_deref().map(Token::directory_id).into_iter().chain(name).collect()
            }
            Self::Assignment { id } => vec![Token::directory_id(id)],
            Self::User { account, name, id } => {
                let mut tokens = vec![Token::user(account, name)];
                tokens.extend(id.as_deref().map(Token::principal));
                tokens
            }
            Self::Password { account, name: Some(name) } => vec![Token::user(account, name)],
            Self::Password { account, name: None } => vec![Token::principal(account)],
            Self::Role { account, name, id, .. } => {
                let mut tokens = vec![Token::role(account, name)];
                tokens.extend(id.as_deref().map(Token::principal));
                tokens
            }
            Self::Trust { account, name, .. } => vec![Token::role(account, name)],
            // It is somebody else's all the same.
            Self::Compute { hold: Hold::NoProfile, .. } | Self::Renamed { .. } => Vec::new(),
            Self::Compute { sessions, .. } => sessions.clone(),
            Self::Starter { token, .. } => vec![*token],
            Self::Provider { arn, vouch } if vouch.lets_in() => vec![Token::provider(arn)],
            Self::Provider { .. } => Vec::new(),
            Self::Session { arn, principal } => {
                let mut tokens = Vec::new();
                of_arn(arn, &mut tokens);
                tokens.extend(principal.as_deref().map(Token::principal));
                tokens
            }
            Self::SignIn { principal, by, .. } => vec![Token::sign_in(principal, by)],
        }
    }
}

/// What a call that worked has handed out.
pub fn grants(record: &Record<'_>, request: &Value, response: &Value) -> Vec<Grant> {
    let own = record.recipient_account_id.as_deref().or(record.user_identity.account_id.as_deref()).unwrap_or("");
    let account = own.to_owned();
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let user = || first(request, "userName").or_else(|| record.user_identity.user_name.as_deref().map(str::to_owned));
    let mut out = Vec::new();
    match (record.source(), record.name()) {
        ("iam", "CreateAccessKey") => {
            let holder = first(response, "accessKey.userName").or_else(user).map(|name| user_arn(own, &name));
            let id = first(response, "accessKey.accessKeyId");
            out.extend(id.map(|id| Grant::Key { id, principal: None, holder }));
        }
        ("iam", "CreateServiceSpecificCredential") => {
            let holder = user().map(|name| user_arn(own, &name));
            let id = first(response, "serviceSpecificCredential.serviceSpecificCredentialId");
            out.extend(id.map(|id| Grant::Key { id, principal: None, holder }));
        }
        ("iam", call @ ("UpdateAccessKey" | "UpdateServiceSpecificCredential")) => {
            let id = if call == "UpdateAccessKey" { "accessKeyId" } else { "serviceSpecificCredentialId" };
            let on = first(request, "status").is_some_and(|status| status.eq_ignore_ascii_case("Active"));
            let opened =
                |(id, name): (String, String)| Grant::Opened { id, holder: user_arn(own, &name), alone: false };
            out.extend(first(request, id).filter(|_| on).zip(user()).map(opened));
        }
        ("iam", "ResetServiceSpecificCredential") => {
            let name = first(response, "serviceSpecificCredential.userName").or_else(user);
            let opened = |(id, name): (String, String)| Grant::Opened { id, holder: user_arn(own, &name), alone: true };
            out.extend(first(request, "serviceSpecificCredentialId").zip(name).map(opened));
        }
        ("iam", "CreateUser") => {
            let id = first(response, "user.userId");
            out.extend(user().map(|name| Grant::User { account, name, id }));
        }
        ("iam", "CreateLoginProfile" | "UpdateLoginProfile") => {
            // Where root names nobody it is its own, whatever alias the account has as its name.
            let is_root = record.user_identity.kind.as_deref() == Some("Root");
            let name = if is_root { first(request, "userName") } else { user() };
            if is_root || name.is_some() {
                out.push(Grant::Password { account, name });
            }
        }
        ("iam", "CreateRole") => {
            let (id, arn) = (first(response, "role.roleId"), first(response, "role.arn"));
            let trusted = Trusted::by(&first(request, "assumeRolePolicyDocument").unwrap_or_default());
            out.extend(first(request, "roleName").map(|name| Grant::Role { account, name, id, arn, trusted }));
        }
        ("iam", "UpdateAssumeRolePolicy") => {
            let trusted = first(request, "policyDocument").map(|text| Trusted::by(&text)).unwrap_or_default();
            out.extend(first(request, "roleName").map(|name| Grant::Trust { account, name, trusted }));
        }
        ("iam", "UpdateUser" | "UpdateGroup") => out.extend(renamed::by(record.name(), account, request)),
        ("iam", _) => provider::changed(record, request, response, &mut out),
        ("rolesanywhere", "CreateTrustAnchor" | "EnableTrustAnchor" | "UpdateTrustAnchor") => {
            let region = record.aws_region.as_deref().unwrap_or("");
            let named = |id: String| format!("arn:aws:rolesanywhere:{region}:{own}:trust-anchor/{id}");
            let arn = first(response, "trustAnchor.trustAnchorArn");
            let arn = arn.or_else(|| first(request, "trustAnchorId").map(named));
            out.extend(arn.map(|arn| Grant::Provider { arn, vouch: Vouch::Made }));
        }
        ("signin", _) => console::signed_in(record, request, response, &mut out),
        ("sts" | "cognito-identity" | "rolesanywhere", _) | ("sso", "GetRoleCredentials") => {
            minted(request, response, &mut out);
        }
        ("identitystore" | "sso-directory" | "sso", _) => directory(record, request, response, &mut out),
        _ => {
            compute::granted(record, &account, request, response, &mut out);
            starter::made(record, &account, request, response, &mut out);
        }
    }
    out.truncate(OF_ONE_CALL_MAX + 1);
    out
}

/// Users of IAM Identity Center that were made or let in. Its names can be hidden in the record, its numbers are not.
fn directory(record: &Record<'_>, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let first = |tree: &Value, paths: &[&str]| paths.iter().find_map(|path| at(tree, path).into_iter().next());
    match record.name() {
        "CreateUser" => {
            let id = first(response, &["userId", "user.userId"]);
            let name = first(request, &["userName"]).or_else(|| first(response, &["user.userName"]));
            let name = name.filter(|name| !name.starts_with("HIDDEN"));
            if id.is_some() || name.is_some() {
                out.push(Grant::DirectoryUser { id, name });
            }
        }
        "CreateGroupMembership" | "AddMemberToGroup" => {
            let member = first(request, &["memberId.userId", "member.memberId"]);
            out.extend(member.map(|id| Grant::Assignment { id }));
        }
        "UpdatePassword" => out.extend(first(request, &["userId"]).map(|id| Grant::Assignment { id })),
        _ if first(request, &["principalType"]).is_some_and(|kind| kind == "USER") => {
            out.extend(first(request, &["principalId"]).map(|id| Grant::Assignment { id }));
        }
        _ => {}
    }
}

/// As far as a name and an account say it: the path is missing.
pub fn user_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

/// The root user of an account.
pub fn root_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Temporary keys in a response, wherever they stand in it. Whose root's they are, only the request says.
fn minted(request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let first = |paths: &[&str]| paths.iter().find_map(|path| at(response, path).into_iter().next());
    let in_arn = |target: &String| match account_of(target) {
        "" => target.clone(),
        account => account.to_owned(),
    };
    let root = at(request, "targetPrincipal").first().map(in_arn);
    let holder = first(&["assumedRoleUser.arn", "federatedUser.arn", "credentialSet[].assumedRoleUser.arn"]);
    let holder = holder.or_else(|| root.as_deref().map(root_arn));
    let principal = first(&[
        "assumedRoleUser.assumedRoleId",
        "federatedUser.federatedUserId",
        "credentialSet[].assumedRoleUser.assumedRoleId",
    ]);
    let principal = principal.or(root);
    let mut ids = Vec::new();
    keys(response, DEPTH_MAX, &mut ids);
    for id in ids {
        out.push(Grant::Key { id, principal: principal.clone(), holder: holder.clone() });
    }
}

fn keys(value: &Value, depth: usize, into: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(id) if name.eq_ignore_ascii_case("accessKeyId") => into.push(id.clone()),
                    _ => keys(value, depth, into),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, depth, into)),
        _ => {}
    }
}

/// By what else than its caller a call can be reached: the role that it asks for, the provider that vouches for it,
/// the machine that AWS makes the session for, the console session that it was switched from, the token that it was signed in
/// with, the group or request that it starts instances for.
pub fn opened_by(record: &Record<'_>, request: &Value) -> Vec<Token> {
    let mut tokens = Vec::new();
    let first = |path: &str| at(request, path).into_iter().next();
    match (record.source(), record.name()) {
        ("sts", name) if name.starts_with("AssumeRole") => {
            let Some(role) = first("roleArn") else { return tokens };
            tokens.push(Token::role(account_of(&role), bare_name(&role)));
            if let Some(provider) =
                first("principalArn").or_else(|| record.user_identity.identity_provider.as_deref().map(str::to_owned))
            {
                tokens.push(Token::provider(&provider));
            }
            if record.user_identity.kind.as_deref() == Some("AWSService")
                && let Some(session) = first("roleSessionName")
            {
                tokens.push(Token::session(account_of(&role), bare_name(&role), &session));
                if is_machine(&session) {
                    tokens.push(Token::machine(&session));
                }
            }
            let service = record.user_identity.invoked_by.as_deref().and_then(|by| by.strip_suffix(".amazonaws.com"));
            tokens.extend(service.map(|service| Token::taken_by(account_of(&role), bare_name(&role), service)));
        }
        ("rolesanywhere", "CreateSession") => {
            tokens.extend(first("trustAnchorArn").map(|arn| Token::provider(&arn)));
            tokens.extend(first("roleArn").map(|arn| Token::role(account_of(&arn), bare_name(&arn))));
        }
        ("ec2", "RunInstances") => starter::of(record, request, &mut tokens),
        ("signin", "SwitchRole") => {
            let more: Value =
                record.additional_event_data.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
            for arn in &at(&more, "SwitchFrom") {
                of_arn(arn, &mut tokens);
            }
        }
        ("signin", name) => {
            let principal = record.user_identity.principal_id.as_deref().filter(|id| !id.is_empty());
            tokens.extend(principal.map(|principal| Token::sign_in(principal, name)));
        }
        _ => {}
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Vec<Grant> {
        let record: Record<'_> = serde_json::from_str(json).unwrap();
        assert!(may_grant(record.source(), record.name()), "{json}");
        grants(&record, &record.request(), &record.response())
    }

    #[test]
    fn keys_are_found_in_what_comes_back() {
        let json = r#"{"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","recipientAccountId":"1",
            "responseElements":{"credentials":{"accessKeyId":"ASIAX","sessionToken":"t"},"assumedRoleUser":
            {"assumedRoleId":"AROAX:me","arn":"arn:aws:sts::1:assumed-role/Admin/me"}}}"#;
        let [Grant::Key { id, principal, holder }] = &of(json)[..] else { panic!() };
        assert_eq!((id.as_str(), principal.as_deref()), ("ASIAX", Some("AROAX:me")));
        assert_eq!(holder.as_deref(), Some("arn:aws:sts::1:assumed-role/Admin/me"));
        assert_eq!(of(r#"{"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","responseElements":null}"#), []);
    }

    #[test]
    fn a_machine_that_was_only_entered_is_not_owned() {
        let run = r#"{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","responseElements":
            {"instancesSet":{"items":[{"instanceId":"i-0123456789abcdef0"}]}}}"#;
        assert!(matches!(&of(run)[..], [Grant::Compute { hold: Hold::Made, .. }]));
        let send = r#"{"eventSource":"ssm.amazonaws.com","eventName":"SendCommand",
            "requestParameters":{"instanceIds":["i-0123456789abcdef0"]}}"#;
        assert!(matches!(&of(send)[..], [Grant::Compute { hold: Hold::WayIn, .. }]));
    }

    #[test]
    fn a_machine_is_entered_however_a_call_names_it() {
        let entered = |call: &str, request: &str| -> Vec<String> {
            let json =
                format!(r#"{{"eventSource":"ssm.amazonaws.com","eventName":"{call}","requestParameters":{request}}}"#);
            let name = |grant: Grant| match grant {
                Grant::Compute { name, hold: Hold::WayIn, .. } => name.unwrap_or_default(),
                other => panic!("{other:?}"),
            };
            of(&json).into_iter().map(name).collect()
        };
        let (one, two) = ("i-0123456789abcdef0", "i-0123456789abcdef1");
        let targets = format!(
            r#"{{"targets":[{{"key":"tag:team","values":["i-0123456789abcdef2"]}},
            {{"key":"instanceids","values":["{one}","{two}"]}}]}}"#
        );
        for call in ["SendCommand", "CreateAssociation", "UpdateAssociation"] {
            assert_eq!(entered(call, &targets), [one, two], "{call}");
        }
        assert_eq!(entered("CreateAssociation", &format!(r#"{{"instanceId":"{one}"}}"#)), [one]);
        assert!(entered("SendCommand", r#"{"targets":"all"}"#).is_empty());
        let answered = format!(
            r#"{{"eventSource":"ssm.amazonaws.com","eventName":"UpdateAssociation","requestParameters":{{"associationId":"a"}},
            "responseElements":{{"associationDescription":{{"targets":[{{"key":"InstanceIds","values":["{one}"]}}]}}}}}}"#
        );
        let grants = of(&answered);
        assert!(
            matches!(&grants[..], [Grant::Compute { name: Some(id), hold: Hold::WayIn, .. }] if id == one),
            "{grants:?}"
        );
    }

    #[test]
    fn what_was_there_before_and_is_opened_again_is_handed_out() {
        let anchor = |more: &str| {
            let json = format!(
                r#"{{"eventSource":"rolesanywhere.amazonaws.com","eventName":"EnableTrustAnchor","awsRegion":"eu-west-1",
                "recipientAccountId":"1","requestParameters":{{"trustAnchorId":"a-1"}}{more}}}"#
            );
            of(&json)
        };
        let arn = "arn:aws:rolesanywhere:eu-west-1:1:trust-anchor/a-1".to_owned();
        assert_eq!(anchor(""), [Grant::Provider { arn, vouch: Vouch::Made }]);
        let says = r#","responseElements":{"trustAnchor":{"trustAnchorArn":"arn:x"}}"#;
        assert_eq!(anchor(says), [Grant::Provider { arn: "arn:x".to_owned(), vouch: Vouch::Made }]);
        let password = r#"{"eventSource":"sso-directory.amazonaws.com","eventName":"UpdatePassword",
            "requestParameters":{"userId":"u-9","passwordMode":"OTP"}}"#;
        assert_eq!(of(password), [Grant::Assignment { id: "u-9".to_owned() }]);
    }
}
