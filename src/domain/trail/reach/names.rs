//! Whoever can be reached goes on under another name.

use super::Scout;
use crate::domain::trail::event::Traits;
use crate::domain::trail::renamed::tokens;

impl Scout {
    /// Remembers who or what has another name from a call on, whoever has made it. Gives whether it is known.
    pub(super) fn remember_names(&mut self, traits: &Traits) -> bool {
        let mut known = false;
        for (before, after) in traits.grants.iter().flat_map(tokens) {
            if self.first_time {
                self.edges.push((before, after));
            }
            known |= self.known.contains(&before);
            self.miss(before);
        }
        known
    }
}
