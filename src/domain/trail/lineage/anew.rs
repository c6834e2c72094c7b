//! What was made or set anew since: from then on it is whoever did that who acts with it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Walk;
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::{Grant, Hold, Vouch};
use crate::domain::trail::name::Name;
use crate::domain::trail::token::Token;
use crate::domain::trail::way::Way;

impl Walk<'_, '_> {
    /// Whether nobody else has made or set it since an event, until a time.
    pub(super) fn is_last(&self, token: Token, by: usize, at: Option<DateTime<Utc>>) -> bool {
        self.last_maker(token, at) == Some(by)
    }

    /// The event that was the last by a time to have made or set it.
    pub(super) fn last_maker(&self, token: Token, at: Option<DateTime<Utc>>) -> Option<usize> {
        self.last_by(self.makers.get(&token)?, at)
    }

    /// The last of some events, which are in order, that had come by a time.
    pub(super) fn last_by(&self, events: &[usize], at: Option<DateTime<Utc>>) -> Option<usize> {
        events[..events.partition_point(|event| self.events[*event].at <= at)].last().copied()
    }

    /// Whether an event is about the very user, role or provider that the attacker has made. Another can be called the
    /// same by then: it has been made since, or a unique id tells.
    pub(super) fn is_the_one(&self, token: Token, way: &Way, event: &Event) -> bool {
        let (Some(by), Some(makers)) = (way.event, self.made.get(&token)) else { return true };
        let is_last = event.at.is_none() || self.last_by(makers, event.at) == Some(by);
        is_last && !self.events[by].grants.iter().any(|made| is_another(made, event))
    }

    /// When nothing was left of what an event has made of a provider: somebody had taken it back, or had set that anew.
    pub(super) fn vouched_until(&self, arn: &str, by: usize) -> Option<DateTime<Utc>> {
        let changes = self.vouched.get(&Token::provider(arn)).map(Vec::as_slice).unwrap_or_default();
        let vouch = |at: usize| {
            self.events[at].grants.iter().find_map(|grant| match grant {
                Grant::Provider { arn: of, vouch } if of == arn => Some(vouch),
                _ => None,
            })
        };
        let theirs: &Vouch = vouch(by)?;
        let since = &changes[changes.partition_point(|change| *change <= by)..];
        let end = since.iter().find(|change| vouch(**change).is_some_and(|later| theirs.ends_with(later)))?;
        self.events[*end].at
    }

    /// When nothing was left of what an event has made of a function: somebody had made it anew, or had set all of that to
    /// something else. A value that is hidden is never something else.
    pub(super) fn undone_at(&self, token: Token, by: usize) -> Option<DateTime<Utc>> {
        let makers = self.makers.get(&token).map(Vec::as_slice).unwrap_or_default();
        let since = &makers[makers.partition_point(|maker| *maker <= by)..];
        let mut left: Option<Vec<&(String, u64)>> = match self.hold(token, by)? {
            Hold::Set(parts) => Some(parts.iter().collect()),
            _ => None,
        };
        for maker in since {
            match (self.hold(token, *maker), &mut left) {
                (Some(Hold::Made), _) => return self.events[*maker].at,
                (Some(Hold::Set(later)), Some(left)) => {
                    left.retain(|(name, value)| !later.iter().any(|(part, anew)| part == name && anew != value));
                    if left.is_empty() {
                        return self.events[*maker].at;
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn hold(&self, token: Token, maker: usize) -> Option<&Hold> {
        self.events[maker].grants.iter().find_map(|grant| match grant {
            Grant::Compute { hold, sessions, .. } if sessions.contains(&token) => Some(hold),
            _ => None,
        })
    }
}

/// Keys that calls have handed out, to whomever.
pub(super) fn handed_out(events: &[Event]) -> HashSet<Name> {
    let granted = events.iter().flat_map(|event| &event.grants);
    let key = |grant: &Grant| match grant {
        Grant::Key { id, .. } => Some(Name::from(id.as_str())),
        _ => None,
    };
    granted.filter_map(key).collect()
}

/// Whether an event shows another unique id than that of the user or role that was made.
fn is_another(made: &Grant, event: &Event) -> bool {
    let (id, shown) = match made {
        Grant::User { id: Some(id), .. } => (id, Some(&*event.caller.principal_id).filter(|id| id.starts_with("AIDA"))),
        Grant::Role { id: Some(id), .. } => (id, event.grants.iter().find_map(role_taken)),
        _ => return false,
    };
    shown.is_some_and(|shown| shown != id.as_str())
}

/// The unique id of the role whose session was handed out.
fn role_taken(grant: &Grant) -> Option<&str> {
    let Grant::Key { principal: Some(principal), .. } = grant else { return None };
    principal.split(':').next().filter(|id| id.starts_with("AROA"))
}
