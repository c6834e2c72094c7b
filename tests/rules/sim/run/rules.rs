//! How replicas come to the newest rules, and have every open incident name them.

use super::{BUSY_MS, QUIET_MS, Run};
use crate::sim::schedule::{Event, SECOND_MS};

/// How often a replica looks whether every open incident names its rules.
const RULES_SAID_MS: u64 = 15 * SECOND_MS;

impl Run {
    /// A replica reads the newest file, and has it said.
    pub(super) fn reload(&mut self, replica: usize) {
        let policy = {
            let state = &mut *self.sim.state();
            let newest = state.rules;
            let replica = &mut state.replicas[replica];
            // At the end everybody is told, as is advised where nobody can decide any more.
            if !replica.up || (replica.rules == newest && !self.quiet) {
                return;
            }
            replica.read(newest, state.now_ms);
            state.people.policy(newest)
        };
        self.sim.state().say(format!("replica {replica} reads the rules anew"));
        let engine = &self.engines[replica];
        engine.put_rules(policy, engine.read_anew(engine.now()));
        self.say_rules(replica);
    }

    /// Others open incidents under older rules: it looks again and again.
    pub(super) fn follow(&mut self, replica: usize) {
        let at_work = {
            let state = &mut *self.sim.state();
            if state.now_ms >= BUSY_MS + QUIET_MS {
                // What begins now would not have ended when the run does.
                return;
            }
            state.book(RULES_SAID_MS, Event::Follow(replica));
            state.replicas[replica].up && state.replicas[replica].stands_until_ms <= state.now_ms
        };
        if at_work {
            self.say_rules(replica);
        }
    }

    pub(super) fn say_rules(&mut self, replica: usize) {
        let engine = self.engines[replica].clone();
        self.spawn(replica, async move {
            for id in engine.rules_to_say().await.unwrap_or_default() {
                // Nothing is lost when it fails: it looks again.
                let _ = engine.follow_rules(id).await;
            }
        });
    }
}
