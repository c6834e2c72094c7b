//! Whom a role lets in since the attacker has changed its trust.

use chrono::{DateTime, Utc};

use super::Walk;
use super::ways::Ways;
use crate::domain::trail::classify::Outcome;
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::{Grant, Trusted};
use crate::domain::trail::token::{Token, bundle};
use crate::domain::trail::way::{Kind, is_foreign, lets_in};

impl Walk<'_, '_> {
    /// Whether somebody takes a role by an event because its trust was changed at a time. Who has taken it before, and not as
    /// the attacker, needed no other terms.
    pub(super) fn is_let_in(
        &self,
        role: Token,
        (now, before): (&Trusted, Option<&Trusted>),
        time: Option<DateTime<Utc>>,
        event: &Event,
    ) -> bool {
        event.source.as_ref() == "sts" && lets_in(event, now, before, || self.has_taken_before(role, event, time))
    }

    fn has_taken_before(&self, role: Token, event: &Event, time: Option<DateTime<Utc>>) -> bool {
        let first = principal(event).and_then(|taker| self.came_in.get(&bundle(&[role, taker])));
        let Some(first) = first else { return false };
        let theirs = self.verdicts[*first].as_ref().is_some_and(|verdict| verdict.who.is_attacker());
        let earlier = time.zip(self.events[*first].at).is_some_and(|(time, at)| at < time);
        earlier && !theirs
    }

    /// Has whoever takes a role from another account looked at again, where the first time turns out to be the attacker's.
    pub(super) fn look_at_taker(&mut self, first: usize) {
        let event = &self.events[first];
        if !takers(event).iter().any(|taker| self.came_in.get(taker) == Some(&first)) {
            return;
        }
        let is_changed = |role: &&Token| {
            let mut ways = self.ways.get(*role).into_iter().flat_map(Ways::iter);
            ways.any(|way| matches!(way.kind, Kind::Trust { .. }))
        };
        let roles = event.opened_by.iter().filter(is_changed);
        let takes = roles.flat_map(|role| self.by_token.get(role).into_iter().flatten().copied());
        let same: Vec<usize> = takes.filter(|at| principal(&self.events[*at]) == principal(event)).collect();
        for at in same {
            self.look_again(at);
        }
    }

    /// Whom a role trusted before an event, where the logs show it: since it was made, or since somebody else than the
    /// attacker changed that.
    pub(super) fn trusted_before(&self, at: usize, account: &str, name: &str) -> Option<Trusted> {
        let said = self.trusts.get(&Token::role(account, name))?;
        let earlier = &said[..said.partition_point(|said| *said < at)];
        let by_attacker = |said: &usize| self.verdicts[*said].as_ref().is_some_and(|verdict| verdict.who.is_attacker());
        let last = earlier.iter().rev().find(|said| !by_attacker(said))?;
        self.events[*last].grants.iter().find_map(|grant| match grant {
            Grant::Trust { account: a, name: n, trusted } | Grant::Role { account: a, name: n, trusted, .. }
                if a == account && n == name =>
            {
                Some(trusted.clone())
            }
            _ => None,
        })
    }
}

/// Who has called, whatever their session is called.
fn principal(event: &Event) -> Option<Token> {
    let id = event.caller.principal_id.split(':').next().filter(|id| !id.is_empty())?;
    is_foreign(event).then(|| Token::principal(id))
}

/// Each role that somebody from another account has taken by an event, together with who that is.
pub(super) fn takers(event: &Event) -> Vec<Token> {
    if event.source.as_ref() != "sts" || event.outcome != Outcome::Succeeded {
        return Vec::new();
    }
    let Some(taker) = principal(event) else { return Vec::new() };
    event.opened_by.iter().map(|role| bundle(&[*role, taker])).collect()
}
