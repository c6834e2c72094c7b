//! Which events are looked at again once something new is known of one of their tokens: those that are not the attacker's by
//! now, and are not to be looked at anyway. However often a token is opened, what is in the queue is not gone through.

use super::Walk;
use crate::domain::trail::attribution::{Verdict, Who, address_token};
use crate::domain::trail::token::Token;
use crate::domain::trail::way::service_token;

impl Walk<'_, '_> {
    /// Takes the next event from the queue.
    pub(super) fn next_event(&mut self) -> Option<usize> {
        let at = self.queue.pop_front()?;
        self.queued[at] = false;
        let event = &self.events[at];
        let (address, service) = (address_token(event), service_token(event));
        for token in event.callers.iter().chain(&event.opened_by).chain(&address).chain(&service) {
            if let Some(waiting) = self.waiting.get_mut(token) {
                waiting.push(at);
                // It can be long until the token is opened again, and an event leaves the queue more than once.
                if waiting.len() > 2 * self.by_token.get(token).map_or(0, Vec::len) {
                    waiting.sort_unstable();
                    waiting.dedup();
                }
            }
        }
        Some(at)
    }

    /// Has all events that a token speaks of looked at again: the first time all, and then those that have been since.
    pub(super) fn look_at_all(&mut self, token: Token) {
        let Some(all) = self.by_token.get(&token) else { return };
        let mut again = match self.waiting.get_mut(&token) {
            Some(waiting) => std::mem::take(waiting),
            None => all.clone(),
        };
        self.waiting.entry(token).or_default();
        // They come in order of time, whenever they were looked at.
        again.sort_unstable();
        for at in again {
            self.look_again(at);
        }
    }

    /// Has an event looked at again that is not the attacker's by now.
    pub(super) fn look_again(&mut self, at: usize) {
        let is_open = |verdict: &Verdict| matches!(verdict.who, Who::Aws | Who::Other);
        if self.verdicts[at].as_ref().is_none_or(is_open) && !self.queued[at] {
            self.queued[at] = true;
            self.queue.push_back(at);
        }
    }
}
