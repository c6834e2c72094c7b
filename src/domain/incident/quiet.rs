//! The gate at the end of eradication: nothing is left, and two sweeps in a row, each a search and the inventory after it,
//! have found nothing new since AWS was last changed, with every Region's trail known past that moment.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::eradication::left;
use super::event::Event;
use super::inventory::{by_attackers, to_look_at};
use super::state::Incident;
use super::steps::Step;
use super::verdict::{Gate, gate};
use super::{remains, rotation, started};
use crate::domain::hunt::{Swept, UNWATCHED};
use crate::domain::inventory::{Inventory, TRAIL_DELAY, Thing};
use crate::domain::playbook::Playbook;
use crate::domain::refusal::moment;

/// So many sweeps in a row.
pub const SWEEPS: u32 = 2;
/// Regions and things that are named in a sentence, and secrets.
const NAMED_MAX: usize = 5;
/// Longest name of a secret in a sentence, in characters.
const NAME_CHARS_MAX: usize = 80;

/// The sweeps that have found nothing new.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quiet {
    /// How many, in a row.
    pub sweeps: u32,
    /// When AWS was last changed. A sweep counts that began after it.
    pub since: Option<DateTime<Utc>>,
    /// When the last search began that found nothing new; until an inventory has followed it.
    searched: Option<DateTime<Utc>>,
    /// What the search that is about to end has shown is new.
    news: bool,
}

impl Quiet {
    /// The row is broken.
    const fn broken(self) -> Self {
        Self { sweeps: 0, since: self.since, searched: None, news: false }
    }

    /// One sweep more, whose inventory began then. The last of them has to be one that no longer finds too young to be
    /// judged what was made up to the last change.
    fn counted(self, began_at: Option<DateTime<Utc>>) -> u32 {
        let judges_all = self.since.zip(began_at).is_none_or(|(changed, began)| began >= changed + TRAIL_DELAY);
        let sweeps = self.sweeps.saturating_add(1);
        if judges_all { sweeps } else { sweeps.min(SWEEPS - 1) }
    }
}

/// Counts on, before the event is folded.
pub(super) fn note(incident: &mut Incident, event: &Event, at: DateTime<Utc>) {
    let quiet = incident.quiet;
    incident.quiet = match event {
        Event::TrailHunted { found } => {
            let before = incident.hunted.as_ref().map(|(before, _)| before);
            let news = found.shows_more_than(before);
            if news { Quiet { news, ..quiet.broken() } } else { quiet }
        }
        Event::TrailSwept { .. } if quiet.news => Quiet { news: false, ..quiet },
        Event::TrailSwept { swept } if counts(incident, swept) => Quiet { searched: swept.began_at, ..quiet },
        Event::InventoryTaken { found, began_at } => {
            let last = incident.inventory.found.as_deref();
            let changed = changed_at(incident);
            let whole = found.as_deref().or(last).is_some_and(|found| found.is_whole_since(changed));
            let follows = quiet.searched.zip(*began_at).is_some_and(|(searched, began)| began >= searched);
            match found {
                Some(found) if has_news(found, last) => quiet.broken(),
                _ if whole && follows => Quiet { sweeps: quiet.counted(*began_at), searched: None, ..quiet },
                _ => quiet,
            }
        }
        Event::ExecutionStarted { .. }
        | Event::HandConfirmed { .. }
        | Event::Verified { .. }
        | Event::ExecutionFailed { .. }
        | Event::ExecutionUnknown { .. } => Quiet { since: Some(at), ..quiet.broken() },
        // What counts as the attacker's is another question from now on.
        Event::AttributionOverruled { .. } | Event::CompromiseTimeSet { .. } => quiet.broken(),
        _ => return,
    };
}

/// Whether a search has looked everywhere, since the last change and with all that responders have said.
fn counts(incident: &Incident, swept: &Swept) -> bool {
    let everywhere = !swept.regions.is_empty() && swept.regions.iter().all(|region| region.unread.is_none());
    let since = swept.began_at.is_some_and(|began| incident.quiet.since.is_none_or(|changed| began > changed));
    everywhere && since && swept.told_at == incident.told_at
}

/// Whether an inventory shows what the one before did not, and that is not somebody else's.
fn has_news(found: &Inventory, last: Option<&Inventory>) -> bool {
    let shown = |of: &Inventory| -> BTreeSet<String> {
        let theirs = of.explained.iter().filter(|one| one.evidence.attackers).map(|one| &one.thing);
        of.unexplained.iter().chain(theirs).map(Thing::key).collect()
    };
    !shown(found).is_subset(&last.map(shown).unwrap_or_default())
}

/// What keeps the gate shut, in a few words each; nothing when it is open.
pub fn lacking(incident: &Incident, playbook: &Playbook) -> Vec<String> {
    let mut lacking = Vec::new();
    if gate(incident, playbook) == Gate::Shut {
        lacking.push("containment is neither verified nor is its risk accepted by two people".to_owned());
    }
    let Some((found, _)) = &incident.hunted else {
        lacking.push("the trail has not been searched yet".to_owned());
        return lacking;
    };
    let regions = incident.swept.iter().flat_map(|(swept, _)| &swept.regions);
    let left_out = regions.filter(|region| region.unread.as_deref() == Some(UNWATCHED));
    let left_out: Vec<&str> = left_out.map(|region| region.region.as_str()).collect();
    if !left_out.is_empty() {
        let names = named(left_out.into_iter());
        lacking.push(format!("nobody looks at {names}: enabled, and left out by `regions` in irp.toml"));
    }
    let (left, to_look_at) = (left(incident, playbook), to_look_at(incident));
    let hands = remains::left(incident).iter().filter(|step| !rotation::is_rotation(&step.id)).count();
    let doubtful = remains::in_doubt(incident).len();
    if doubtful > 0 {
        lacking.push(format!(
            "{doubtful} thing(s) can be the owner's own, because nobody has said yet when the credential was stolen"
        ));
    }
    lacking.extend(secrets_left(incident));
    let theirs = by_attackers(incident).into_iter().filter(|one| to_look_at.contains(&&one.thing));
    let theirs: Vec<String> =
        theirs.map(|one| format!("{} (event {})", one.thing.in_words(), one.evidence.event_id)).collect();
    for (count, what) in [
        (left.len(), "to remove or put back"),
        (hands, "to do by hand"),
        (to_look_at.len().saturating_sub(theirs.len()), "to look at that no event explains"),
        (found.not_known.len(), "that the search could not read"),
    ] {
        if count > 0 {
            lacking.push(format!("{count} thing(s) left {what}"));
        }
    }
    if !theirs.is_empty() {
        lacking.push(format!(
            "a credential of the attacker's has made {}, and no step sees to it: delete by hand what is theirs, and say on the \
             inventory's card that you have looked at what is its owner's",
            named(theirs.iter().map(String::as_str))
        ));
    }
    let running: Vec<String> = started::running(incident).into_iter().map(Thing::in_words).collect();
    if !running.is_empty() {
        lacking.push(format!(
            "what the attacker has made has started {}, which no step ends: terminate it by hand",
            named(running.iter().map(String::as_str))
        ));
    }
    match &incident.inventory.found {
        None => lacking.push("the inventory is to come".to_owned()),
        Some(found) if !found.gaps.is_empty() => {
            let regions = named(found.gaps.iter().map(|gap| gap.region.as_str()));
            lacking.push(format!("the inventory could not look at everything in {regions}"));
        }
        Some(found) if found.left > 0 => {
            lacking.push(format!("the trail is still to be asked who made {} thing(s) of the inventory", found.left));
        }
        Some(found) if !found.is_whole_since(changed_at(incident)) => {
            let at = found.as_of.map(moment).unwrap_or_default();
            lacking.push(format!(
                "the inventory goes by a credential report of {at}, from before the last change: AWS makes the next one four \
                 hours after that"
            ));
        }
        Some(_) => {}
    }
    lacking.extend(not_covered(incident));
    if incident.quiet.sweeps < SWEEPS {
        lacking.push(format!(
            "{} of {SWEEPS} sweeps in a row, each a search and an inventory, have found nothing new since the last change \
             (the last of them at least {} minutes after it)",
            incident.quiet.sweeps,
            TRAIL_DELAY.num_minutes()
        ));
    }
    lacking
}

/// What the attacker has read and nobody has changed yet, by name; absent where there is nothing.
pub fn secrets_left(incident: &Incident) -> Option<String> {
    let mut secrets = remains::left(incident);
    secrets.retain(|step| rotation::is_rotation(&step.id));
    let short = |step: &Step| rotation::name(step).chars().take(NAME_CHARS_MAX).collect::<String>();
    let names: Vec<String> = secrets.iter().map(short).collect();
    (!names.is_empty()).then(|| {
        let count = names.len();
        let names = named(names.iter().map(String::as_str));
        format!("{count} secret(s) or parameter(s) that the attacker has read are to be changed: {names}")
    })
}

/// When AWS was last changed.
fn changed_at(incident: &Incident) -> Option<DateTime<Utc>> {
    incident.quiet.since.or(incident.watch.map(|watch| watch.since))
}

/// The Regions whose trail is not known past the last change.
fn not_covered(incident: &Incident) -> Option<String> {
    let changed_at = changed_at(incident)?;
    let regions = incident.swept.as_ref().map_or(&[][..], |(swept, _)| &swept.regions);
    let known = |until: Option<DateTime<Utc>>| until.is_some_and(|until| until >= changed_at);
    let open = regions.iter().filter(|region| region.unread.is_some() || !known(region.covered_until));
    let open: Vec<&str> = open.map(|region| region.region.as_str()).collect();
    if regions.is_empty() {
        return Some("no Region's trail has been read".to_owned());
    }
    let open = (!open.is_empty()).then(|| named(open.into_iter()))?;
    Some(format!("the trail is not known past the last change ({}) in {open}", moment(changed_at)))
}

/// So many names, and how many more there are.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join(", "))
}
