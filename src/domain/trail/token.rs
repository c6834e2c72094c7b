//! Whom a record speaks of, as numbers that can be kept by the million: keys, principals, sessions, machines and
//! resources, each hashed to 64 bits. [`super::reach`] only asks whether two are the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::record::Record;

/// One thing that a record can speak of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Token(u64);

impl Token {
    fn of(kind: &str, parts: &[&str]) -> Self {
        // SipHash with fixed keys: the same in every run and on every core.
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        parts.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// An access key.
    pub fn key(id: &str) -> Self {
        Self::of("key", &[id])
    }

    /// A principal by its unique id, with the session's name behind a role's: `AROA…:name`.
    pub fn principal(id: &str) -> Self {
        Self::of("principal", &[id])
    }

    /// A user by name.
    pub fn user(account: &str, name: &str) -> Self {
        Self::of("user", &[account, name])
    }

    /// A role by name: for calls that ask for it.
    pub fn role(account: &str, name: &str) -> Self {
        Self::of("role", &[account, name])
    }

    /// The sessions of a role that have this name.
    pub fn session(account: &str, role: &str, session: &str) -> Self {
        Self::of("session", &[account, role, session])
    }

    /// An instance or task, whatever role it has.
    pub fn machine(id: &str) -> Self {
        Self::of("machine", &[id])
    }

    /// The sessions of a role that this service takes.
    pub fn taken_by(account: &str, role: &str, service: &str) -> Self {
        Self::of("taken by", &[account, role, service])
    }

    /// A user of IAM Identity Center by name, whatever their permission set.
    pub fn directory_user(name: &str) -> Self {
        Self::of("directory user", &[name])
    }

    /// The same by the number that the directory gives them.
    pub fn directory_id(id: &str) -> Self {
        Self::of("directory id", &[id])
    }

    /// An identity provider or trust anchor.
    pub fn provider(arn: &str) -> Self {
        Self::of("provider", &[arn])
    }

    /// The call by which whoever was let sign in as a principal does so.
    pub fn sign_in(principal: &str, call: &str) -> Self {
        Self::of("sign-in", &[principal, call])
    }

    /// Somebody for whom a provider vouches.
    pub fn subject(provider: &str, subject: &str) -> Self {
        Self::of("subject", &[provider, subject])
    }

    /// Where the attacker calls from.
    pub fn address(address: &str) -> Self {
        Self::of("address", &[address])
    }

    /// Calls that a service makes for whoever called it with this key.
    pub fn on_behalf(key: &str, source: &str) -> Self {
        Self::of("on behalf", &[key, source])
    }

    /// Both records of a call across accounts.
    pub fn shared(id: &str) -> Self {
        Self::of("shared", &[id])
    }

    /// What starts instances by itself.
    pub fn starter(account: &str, region: &str, kind: &str, id: &str) -> Self {
        Self::of("starter", &[account, region, kind, id])
    }

    /// A resource, by the name that all ways of naming it have in common.
    pub fn resource(kind: &str, account: &str, id: &str) -> Self {
        Self::of("resource", &[kind, account, bare_name(id)])
    }

    /// 32 bits of it, for filters that may say yes too often.
    #[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
    pub const fn fingerprint(self) -> u32 {
        (self.0 >> 32) as u32 ^ self.0 as u32
    }
}

/// Several tokens as one: what a principal has in common in all its records.
pub fn bundle(tokens: &[Token]) -> Token {
    let mut hasher = DefaultHasher::new();
    tokens.hash(&mut hasher);
    Token(hasher.finish())
}

/// The last part of an ARN or path; for a secret without the six characters that Secrets Manager adds.
pub fn bare_name(id: &str) -> &str {
    if let Some((_, secret)) = id.split_once(":secret:") {
        let cut = secret.len().checked_sub(7).filter(|at| secret.as_bytes()[*at] == b'-');
        return cut.map_or(secret, |at| &secret[..at]);
    }
    if let Some((_, parameter)) = id.split_once(":parameter/") {
        return parameter;
    }
    if !id.starts_with("arn:") {
        return id.strip_prefix('/').unwrap_or(id);
    }
    if let Some((_, function)) = id.split_once(":function:") {
        return function.split(':').next().unwrap_or(function);
    }
    // A partner's has a path for its name.
    if let Some((_, bus)) = id.split_once(":event-bus/") {
        return bus;
    }
    id.rsplit([':', '/']).next().unwrap_or(id)
}

/// Whether a text is an access key's id, of a user or of a session.
pub fn is_key(text: &str) -> bool {
    ["AKIA", "ASIA"].iter().any(|prefix| text.starts_with(prefix))
}

/// The account in an ARN.
pub fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or("")
}

/// The parts of `arn:aws:sts::1:assumed-role/NAME/SESSION`.
pub fn role_session(arn: &str) -> Option<(&str, &str, &str)> {
    let (_, names) = arn.split_once(":assumed-role/")?;
    let (role, session) = names.split_once('/')?;
    Some((account_of(arn), role, session))
}

/// Whether a session's name is an instance's or a task's id, which no two have in common.
pub fn is_machine(session: &str) -> bool {
    let task = session.len() == 32 && session.bytes().all(|b| b.is_ascii_hexdigit());
    let instance = session
        .strip_prefix("i-")
        .is_some_and(|id| (8..=17).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    task || instance
}

/// The machine whose session an ARN names.
pub fn machine_of(arn: &str) -> Option<Token> {
    role_session(arn).filter(|(.., session)| is_machine(session)).map(|(.., session)| Token::machine(session))
}

/// The tokens of an ARN of a user or session, as the caller of something.
pub fn of_arn(arn: &str, into: &mut Vec<Token>) {
    if let Some((account, role, session)) = role_session(arn) {
        into.push(Token::session(account, role, session));
        if is_machine(session) {
            into.push(Token::machine(session));
        }
        if role.starts_with("AWSReservedSSO_") {
            into.push(Token::directory_user(session));
        }
    } else if arn.contains(":user/") {
        into.push(Token::user(account_of(arn), bare_name(arn)));
    }
}

/// All by which the caller of a record can be known.
pub fn callers(record: &Record<'_>, into: &mut Vec<Token>) {
    let identity = &record.user_identity;
    let key = identity.access_key_id.as_deref().unwrap_or("");
    let principal = identity.principal_id.as_deref().unwrap_or("");
    let arn = identity.arn.as_deref().unwrap_or("");
    caller_tokens(key, principal, arn, record.shared_event_id.as_deref().unwrap_or(""), into);
    into.extend(identity.on_behalf_of.user_id.as_deref().map(Token::directory_id));
    if let (true, Some(account), Some(name)) =
        (arn.is_empty(), identity.account_id.as_deref(), identity.user_name.as_deref())
    {
        into.push(Token::user(account, name));
    }
}

/// The same from what a first look has seen, for a caller with an ARN.
pub fn caller_tokens(key: &str, principal: &str, arn: &str, shared: &str, into: &mut Vec<Token>) {
    if !key.is_empty() {
        into.push(Token::key(key));
    }
    if !principal.is_empty() {
        into.push(Token::principal(principal));
        if let Some((role, _)) = principal.split_once(':').filter(|(role, _)| role.starts_with("AROA")) {
            into.push(Token::principal(role));
        }
    }
    of_arn(arn, into);
    if !shared.is_empty() {
        into.push(Token::shared(shared));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_of_naming_a_resource_come_to_one_name() {
        for (id, name) in [
            ("arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-Ab12Cd", "prod/db"),
            ("prod/db", "prod/db"),
            ("arn:aws:ssm:eu-west-1:1:parameter/prod/db", "prod/db"),
            ("/prod/db", "prod/db"),
            ("arn:aws:lambda:eu-west-1:1:function:sync:3", "sync"),
            ("arn:aws:iam::1:role/path/Admin", "Admin"),
            ("arn:aws:s3:::bucket", "bucket"),
            ("", ""),
            ("arn:aws:secretsmanager:eu-west-1:1:secret:é", "é"),
            ("arn:aws:secretsmanager:eu-west-1:1:secret:éééé", "éééé"),
        ] {
            assert_eq!(bare_name(id), name, "{id}");
        }
        let by = |id| Token::resource("AWS::SecretsManager::Secret", "1", id);
        assert_eq!(by("prod/db"), by("arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-Ab12Cd"));
    }

    #[test]
    fn machines_are_known_by_their_sessions_names() {
        assert!(is_machine("i-0abc1234def567890") && is_machine("0123456789abcdef0123456789ABCDEF"));
        assert!(!is_machine("i-tooshort-") && !is_machine("deploy") && !is_machine("i-"));
    }
}
