//! What makes something the attacker's, and from when on.

use chrono::{DateTime, Utc};

use super::event::Event;
use super::grant::Trusted;
use super::limits::{MAKERS_MAX, WAYS_MAX};
use super::name::Name;
use super::token::Token;

/// What makes a token the attacker's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// It is a key that was stolen or handed out.
    Key,
    /// It is a stolen key's owner, who has sessions of their own.
    Owner,
    /// It is somebody who is taken for stolen.
    Named,
    /// A user or role that the attacker made.
    Made,
    /// A user whose password the attacker set, and the event that has.
    Password { by: usize },
    /// A role that lets in others than before.
    Trust { now: Trusted, before: Option<Trusted> },
    /// What the attacker has made, and acts with a role.
    Owned,
    /// A function that the attacker has made, or of which they have set something, and when nothing of that was left.
    Code { until: Option<DateTime<Utc>> },
    /// A machine that the attacker has a way into, or whose credentials were stolen.
    Machine,
    /// An instance to which the attacker has given a profile: the event that has, and the profile's name.
    Profile { by: usize, name: Option<String> },
    /// A credential that somebody else has too.
    Entered,
    /// A role that a service takes for the attacker, and may take for others.
    Taken,
    /// A role that a service takes for what the attacker has asked of it, the event that has asked, and whether it takes it at
    /// once or never.
    Work { by: usize, at_once: bool },
    /// A session by its name.
    Session { began_at: Option<DateTime<Utc>> },
    /// What lets whoever has it sign in as somebody, and since when.
    SignIn { since: Option<DateTime<Utc>> },
    /// An identity provider of the attacker's.
    Provider,
    /// An identity provider of somebody else's that the attacker has changed, and when nothing of that was left.
    Vouched { until: Option<DateTime<Utc>> },
    /// The attacker's address.
    Address,
    /// The same call in another account's log.
    Shared,
    /// A service that the attacker has called.
    Service,
    /// What starts instances for the attacker, and the event that has made it.
    Started { token: Token, by: usize },
}

#[derive(Clone, Debug)]
pub(super) struct Way {
    /// How.
    pub(super) kind: Kind,
    /// From when on.
    pub(super) at: Option<DateTime<Utc>>,
    /// The credential that has it.
    pub(super) from: usize,
    /// The event that proves it; `None` for what was known from the beginning.
    pub(super) event: Option<usize>,
    /// The call, and what it did.
    pub(super) how: Name,
}

/// What tells more about a call comes first.
pub(super) const fn strength(kind: &Kind) -> u8 {
    match kind {
        Kind::Key => 0,
        Kind::Made | Kind::Named => 1,
        Kind::Password { .. } => 2,
        Kind::Owned | Kind::Code { .. } | Kind::Profile { .. } => 3,
        Kind::Provider | Kind::Vouched { .. } => 4,
        Kind::Trust { .. } => 5,
        Kind::Session { .. } | Kind::SignIn { .. } => 6,
        Kind::Machine | Kind::Entered | Kind::Taken | Kind::Work { .. } => 7,
        Kind::Owner => 8,
        Kind::Shared => 9,
        Kind::Address | Kind::Service => 10,
        Kind::Started { .. } => 11,
    }
}

/// So many ways to one token are kept: of what was made or set one for each call that has, and the last one counts.
pub(super) const fn most(kind: &Kind) -> usize {
    match kind {
        Kind::Code { .. }
        | Kind::Made
        | Kind::Password { .. }
        | Kind::Profile { .. }
        | Kind::Provider
        | Kind::SignIn { .. }
        | Kind::Started { .. }
        | Kind::Vouched { .. }
        | Kind::Work { .. } => MAKERS_MAX,
        _ => WAYS_MAX,
    }
}

/// Whether a call comes from another account than the one whose log has it.
pub(super) fn is_foreign(event: &Event) -> bool {
    let caller = &event.caller;
    caller.kind.as_ref() != "AWSService" && !caller.account.is_empty() && caller.account != event.account
}

/// Whether a role's changed trust lets in a caller whom it did not let in before. Where the logs do not show how it was
/// before, only callers from other accounts are taken for new; and where only the terms were others, of those the ones who
/// have not come in on the old terms.
pub(super) fn lets_in(
    event: &Event,
    now: &Trusted,
    before: Option<&Trusted>,
    has_come_before: impl FnOnce() -> bool,
) -> bool {
    match before {
        _ if !now.names(event) => false,
        None => is_foreign(event),
        Some(before) if !before.names(event) => true,
        Some(before) => is_foreign(event) && now.is_wider_for(event, before) && !has_come_before(),
    }
}

/// A call that a service makes in somebody's name.
pub(super) fn service_token(event: &Event) -> Option<Token> {
    let service = event.caller.invoked_by.strip_suffix(".amazonaws.com")?;
    (!event.caller.key.is_empty()).then(|| Token::on_behalf(&event.caller.key, service))
}
