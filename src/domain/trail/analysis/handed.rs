//! What the attacker's calls have handed out, as far as the event history can be asked about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::trail::event::Event;
use crate::domain::trail::grant::{Grant, Hold};
use crate::domain::trail::lineage::Lineage;
use crate::domain::trail::token::Token;

/// See [`super::Analysis`].
#[derive(Default)]
pub(super) struct Handed {
    pub(super) directory_users: BTreeSet<String>,
    pub(super) taken_roles: BTreeSet<String>,
    pub(super) owned: BTreeSet<String>,
    /// Those that the attacker has only a way into.
    pub(super) entered: BTreeSet<String>,
    pub(super) started: BTreeMap<String, String>,
    pub(super) started_by: BTreeMap<String, String>,
    /// Those of them that were started by what the owner can have made.
    pub(super) started_in_doubt: BTreeSet<String>,
    pub(super) starting_in: BTreeSet<String>,
    pub(super) made_roles: BTreeSet<String>,
    pub(super) providers: BTreeSet<String>,
}

impl Handed {
    pub(super) fn of(events: &[Event], lineage: &Lineage) -> Self {
        let mut handed = Self::default();
        let starters = starters(events, lineage);
        for (at, event) in events.iter().enumerate() {
            let by_attacker = lineage.verdicts[at].who.is_attacker();
            if !by_attacker && lineage.used[at].is_none() {
                continue;
            }
            let starter = event.opened_by.iter().find_map(|token| newest_before(at, starters.get(token)?));
            for grant in &event.grants {
                handed.add(event, grant, by_attacker);
                if let (Grant::Compute { name: Some(name), .. }, false, Some(made)) = (grant, by_attacker, starter) {
                    handed.started_by.insert(name.clone(), events[made].id.to_string());
                    if lineage.in_doubt[made] {
                        handed.started_in_doubt.insert(name.clone());
                    }
                }
            }
        }
        let Self { owned, entered, .. } = &mut handed;
        entered.retain(|name| !owned.contains(name));
        handed
    }

    /// What AWS's own calls hand over is nothing but what they start.
    fn add(&mut self, event: &Event, grant: &Grant, by_attacker: bool) {
        match grant {
            Grant::Compute { name, hold, role, .. } => {
                let names = if matches!(hold, Hold::Made | Hold::Set(_)) { &mut self.owned } else { &mut self.entered };
                names.extend(name.clone());
                if by_attacker {
                    self.taken_roles.extend(role.clone());
                } else if let Some(name) = name {
                    self.started.insert(name.clone(), event.region.to_string());
                }
            }
            Grant::DirectoryUser { name, .. } if by_attacker => self.directory_users.extend(name.clone()),
            Grant::Role { arn, .. } if by_attacker => self.made_roles.extend(arn.clone()),
            Grant::Provider { arn, vouch } if by_attacker && vouch.lets_in() => {
                self.providers.insert(arn.clone());
            }
            Grant::Starter { .. } if by_attacker => _ = self.starting_in.insert(event.region.to_string()),
            _ => {}
        }
    }
}

/// The attacker's events that have made what starts instances, by what stands in the calls that start them: in order of time.
fn starters(events: &[Event], lineage: &Lineage) -> HashMap<Token, Vec<usize>> {
    let mut made: HashMap<Token, Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate().filter(|(at, _)| lineage.verdicts[*at].who.is_attacker()) {
        for grant in &event.grants {
            if let Grant::Starter { token, .. } = grant {
                made.entry(*token).or_default().push(at);
            }
        }
    }
    made
}

/// One that was deleted can have been made anew by the same name. In the same second the order is not known.
fn newest_before(at: usize, made: &[usize]) -> Option<usize> {
    made[..made.partition_point(|by| *by < at)].last().or_else(|| made.first()).copied()
}
