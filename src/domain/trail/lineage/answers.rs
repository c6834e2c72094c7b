//! What a service reads to answer a call: it does so at once, and in the caller's name.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::Walk;
use crate::domain::trail::attribution::Who;
use crate::domain::trail::event::Event;
use crate::domain::trail::name::Name;
use crate::domain::trail::token::Token;
use crate::domain::trail::way::service_token;

/// So soon after a call a service has read what it needs to answer it.
const ANSWERS: TimeDelta = TimeDelta::minutes(1);

/// For each key and service that has acted in its name: the calls to that service, whatever they do, in order of time.
pub(super) fn called(events: &[Event], by_token: &HashMap<Token, Vec<usize>>) -> HashMap<Token, Vec<usize>> {
    let mut called: HashMap<Token, Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        let token = call_token(event).filter(|token| by_token.contains_key(token));
        if let Some(token) = token {
            called.entry(token).or_default().push(at);
        }
    }
    called
}

/// What a service does for a call that somebody has made themselves.
fn call_token(event: &Event) -> Option<Token> {
    let caller = &event.caller;
    (!caller.key.is_empty() && caller.invoked_by.is_empty()).then(|| Token::on_behalf(&caller.key, &event.source))
}

impl Walk<'_, '_> {
    /// The attacker's call that a service answers by an event that changes nothing: the last before it. Of what stands in the
    /// same second, nothing says what was first.
    pub(super) fn answered(&self, at: usize) -> Option<Name> {
        let event = &self.events[at];
        let time = event.at.filter(|_| !event.changes)?;
        let calls = self.called.get(&service_token(event)?)?;
        let earlier = &calls[..calls.partition_point(|call| self.events[*call].at <= Some(time))];
        let last = &self.events[*earlier.last()?];
        let is_soon = time - last.at? <= ANSWERS;
        let is_theirs =
            |call: &usize| self.verdicts[*call].as_ref().is_some_and(|verdict| verdict.who == Who::Attacker);
        let theirs = earlier.iter().rev().take_while(|call| self.events[**call].at == last.at).all(is_theirs);
        (is_soon && theirs).then(|| format!("carried out for {}", last.name).into())
    }

    /// Has what a service may have carried out for a call of the attacker's looked at again: all up to the next by which anybody
    /// has begun something there.
    pub(super) fn look_at_work(&mut self, token: Token, call: usize) {
        let asked = self.asked.get(&token).map(Vec::as_slice).unwrap_or_default();
        let next = asked.get(asked.partition_point(|at| *at <= call)).copied();
        let carried = self.by_token.get(&token).map(Vec::as_slice).unwrap_or_default();
        let is_before_next = |at: &usize| next.is_none_or(|next| *at <= next);
        let since = &carried[carried.partition_point(|at| *at <= call)..];
        let work: Vec<usize> = since.iter().copied().take_while(is_before_next).collect();
        for at in work {
            self.look_again(at);
        }
    }

    /// Has what a service read soon after a call of the attacker's looked at again.
    pub(super) fn look_at_answers(&mut self, call: usize) {
        let event = &self.events[call];
        let (Some(time), Some(token)) = (event.at, call_token(event)) else { return };
        let carried = self.by_token.get(&token).map(Vec::as_slice).unwrap_or_default();
        let first = carried.partition_point(|at| self.events[*at].at < Some(time));
        let is_soon = |at: &usize| self.events[*at].at.is_some_and(|then| then - time <= ANSWERS);
        let soon: Vec<usize> = carried[first..].iter().copied().take_while(is_soon).collect();
        for at in soon {
            self.look_again(at);
        }
    }
}
