//! What was made or set anew since: from then on it is whoever did that who acts with it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Walk;
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::{Grant, Hold};
use crate::domain::trail::name::Name;
use crate::domain::trail::token::Token;

impl Walk<'_, '_> {
    /// Whether nobody else has made or set it since an event, until a time.
    pub(super) fn is_last(&self, token: Token, by: usize, at: Option<DateTime<Utc>>) -> bool {
        let makers = self.makers.get(&token).map(Vec::as_slice).unwrap_or_default();
        makers[..makers.partition_point(|maker| self.events[*maker].at <= at)].last() == Some(&by)
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
