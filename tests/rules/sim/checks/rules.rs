//! What the auditor asks of rules: a log names those that whoever says so has read, and never older ones over newer; and what
//! is decided is judged by those that the log names, whatever a replica has.

use chrono::{DateTime, TimeDelta, Utc};
use irp::domain::approval::Plan;

use super::{Case, Scene, must};
use crate::sim::people::Roster;
use crate::sim::schedule::{MINUTE_MS, time_of};

/// How far two clocks are apart at most that have not been set.
const APART_MAX: TimeDelta = TimeDelta::seconds(8);
/// For so long something goes on that was begun before rules were read anew.
const GOES_ON_MS: u64 = 2 * MINUTE_MS;

impl Scene<'_> {
    /// Whether this replica has these rules, or had them a moment ago.
    fn has(&self, version: &str) -> bool {
        let readings = &self.replica.readings;
        let until_ms = readings.iter().skip(1).map(|(_, at_ms)| at_ms + GOES_ON_MS).chain([u64::MAX]);
        readings.iter().zip(until_ms).any(|((rules, _), until_ms)| self.now_ms < until_ms && is(*rules, version))
    }
}

impl Case {
    /// From here on the log names these rules.
    pub(super) fn ruled(
        &mut self,
        scene: &Scene<'_>,
        version: &str,
        read_at: Option<DateTime<Utc>>,
    ) -> Result<(), String> {
        let read_at = read_at.ok_or("rules of which nobody says when they were read")?;
        let then = |at_ms: u64| scene.clocks_apart || (time_of(at_ms) - read_at).abs() <= APART_MAX;
        let has_read = scene.replica.readings.iter().any(|(rules, at_ms)| is(*rules, version) && then(*at_ms));
        must(has_read, "rules that this replica has not read, or not at that time")?;
        if let Some((before, before_at)) = &self.rules {
            must(before != version, "the same rules are said again")?;
            must(read_at >= *before_at, "older rules over newer ones")?;
        }
        self.rules = Some((version.to_owned(), read_at));
        Ok(())
    }

    pub(super) fn goes_by(&self, rules: usize) -> bool {
        self.rules.as_ref().is_some_and(|(version, _)| is(rules, version))
    }

    /// The rules that the log names, which whoever decides has to have.
    pub(super) fn in_force<'a>(&self, scene: &'a Scene<'_>) -> Result<&'a Roster, String> {
        let (version, _) = self.rules.as_ref().ok_or("the log names no rules")?;
        must(scene.has(version), "decided by other rules than the log names")?;
        scene.people.roster(version).ok_or_else(|| "rules that nobody made".to_owned())
    }

    /// The same for what was asked for, which has to have been asked for under them.
    pub(super) fn roster<'a>(&self, scene: &'a Scene<'_>, plan: &Plan) -> Result<&'a Roster, String> {
        let named = self.rules.as_ref().is_some_and(|(version, _)| *version == plan.policy_version);
        must(named, "it was asked for under other rules than the log names")?;
        self.in_force(scene)
    }
}

fn is(rules: usize, version: &str) -> bool {
    version == format!("v{rules}")
}
