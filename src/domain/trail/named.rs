//! Somebody who is taken for stolen though no key of theirs is known: a user whose password somebody has, a role, one
//! session. All that they call from the time of the theft on counts as the attacker's, until a responder says otherwise.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::event::Event;
use super::grant::Grant;
use super::token::{Token, account_of, bare_name, of_arn, role_session};

/// How long before the theft a session of a role can have begun that is used after it.
const SESSION_MAX: TimeDelta = TimeDelta::hours(12);

/// A user, a role, or a session, by its ARN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    arn: String,
    /// `AROA…`, where it is known: sessions of a role do not say its ARN.
    unique_id: Option<String>,
}

/// Not an ARN of anybody who calls.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "“{0}” is no ARN of a user, a role or a session, such as arn:aws:iam::111122223333:user/ana: say whose credential is stolen"
)]
pub struct NotAPrincipal(String);

impl FromStr for Named {
    type Err = NotAPrincipal;

    fn from_str(text: &str) -> Result<Self, NotAPrincipal> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let who = match parts[..] {
            ["arn", _, "iam" | "sts", "", account, who]
                if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) =>
            {
                who
            }
            _ => "",
        };
        let is_whole = match who.split_once('/') {
            Some(("user" | "role" | "federated-user", name)) => !name.is_empty() && !name.ends_with('/'),
            Some(("assumed-role", session)) => {
                session.split_once('/').is_some_and(|(role, name)| !role.is_empty() && !name.is_empty())
            }
            Some(_) => false,
            None => who == "root",
        };
        if is_whole {
            Ok(Self { arn: text.to_owned(), unique_id: None })
        } else {
            Err(NotAPrincipal(text.chars().take(80).collect()))
        }
    }
}

impl Named {
    /// With the unique id that AWS gives.
    #[must_use]
    pub fn with_unique_id(self, unique_id: Option<String>) -> Self {
        Self { unique_id, ..self }
    }

    /// The ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The unique id of a user, where it is known.
    pub(super) fn unique_id(&self) -> Option<&str> {
        self.unique_id.as_deref().filter(|id| id.starts_with("AIDA"))
    }

    /// The account and the name, when it is a role with all its sessions.
    fn role(&self) -> Option<(&str, &str)> {
        self.arn.contains(":role/").then(|| (account_of(&self.arn), bare_name(&self.arn)))
    }

    /// All by which its calls are known.
    pub(super) fn callers(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.unique_id.as_deref().map(Token::principal).into_iter().collect();
        let account = account_of(&self.arn);
        if let Some((_, name)) = self.arn.split_once(":federated-user/") {
            tokens.push(Token::principal(&format!("{account}:{name}")));
        } else if self.arn.ends_with(":root") {
            tokens.push(Token::principal(account));
        } else {
            of_arn(&self.arn, &mut tokens);
        }
        tokens
    }

    /// The same, and calls that hand out its sessions.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let mut tokens = self.callers();
        tokens.extend(self.role().map(|(account, name)| Token::role(account, name)));
        tokens
    }

    /// By what sessions of the role are known that a call hands out: the key, and the role's unique id.
    pub(super) fn handed(&self, grant: &Grant) -> Vec<Token> {
        let Some((account, role)) = self.role() else { return Vec::new() };
        let Grant::Key { id, principal, holder: Some(holder) } = grant else { return Vec::new() };
        if role_session(holder).is_none_or(|(of, name, _)| (of, name) != (account, role)) {
            return Vec::new();
        }
        let unique_id = principal.as_deref().and_then(|id| id.split(':').next()).filter(|id| id.starts_with("AROA"));
        [Token::key(id)].into_iter().chain(unique_id.map(Token::principal)).collect()
    }
}

/// By what the calls of all of them are known, with the place of each in the list, and of the event that shows it.
pub(super) fn known(named: &[Named], events: &[Event]) -> Vec<(Token, usize, Option<usize>)> {
    let mut known = Vec::new();
    for (place, one) in named.iter().enumerate() {
        known.extend(one.callers().into_iter().map(|token| (token, place, None)));
        if one.role().is_none() {
            continue;
        }
        for (at, event) in events.iter().enumerate() {
            let handed = event.grants.iter().flat_map(|grant| one.handed(grant));
            known.extend(handed.map(|token| (token, place, Some(at))));
        }
    }
    known
}

/// The names of the sessions of named roles that can have been used since.
pub(super) fn sessions(named: &[Named], events: &[Event], since: Option<DateTime<Utc>>) -> BTreeSet<String> {
    let from = since.map(|since| since - SESSION_MAX);
    let late = |event: &&Event| event.at.is_none_or(|at| from.is_none_or(|from| at >= from));
    let mut found = BTreeSet::new();
    for grant in events.iter().filter(late).flat_map(|event| &event.grants) {
        let Grant::Key { holder: Some(holder), .. } = grant else { continue };
        let theirs = named.iter().any(|one| !one.handed(grant).is_empty());
        found.extend(role_session(holder).filter(|_| theirs).map(|(_, _, session)| session.to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_calls_is_named_by_an_arn_and_nothing_else() {
        for right in [
            "arn:aws:iam::111122223333:user/ana",
            "arn:aws:iam::111122223333:user/team/ana",
            "arn:aws-cn:iam::111122223333:role/app",
            "arn:aws:sts::111122223333:assumed-role/app/i-0123456789abcdef0",
            "arn:aws:sts::111122223333:federated-user/ana",
            "arn:aws:iam::111122223333:root",
        ] {
            assert_eq!(right.parse::<Named>().map(|named| named.arn), Ok(right.to_owned()));
        }
        for wrong in [
            "",
            "ana",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::1:user/ana",
            "arn:aws:iam::111122223333:policy/p",
            "arn:aws:sts::111122223333:assumed-role/app",
            "arn:aws:s3:::bucket",
        ] {
            let error = wrong.parse::<Named>().unwrap_err().to_string();
            assert!(error.contains("such as arn:aws:iam"), "{error}");
        }
    }
}
