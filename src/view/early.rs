//! Whether the trail has come far enough to say what is not in it: CloudTrail is minutes late.

use chrono::{DateTime, Utc};

use super::blocks::time;
use crate::domain::hunt::Watched;
use crate::domain::incident::state::Incident;
use crate::domain::inventory::TRAIL_DELAY;

/// Why nothing can be said yet of what the trail does not show. `None` once it is known past the opening of the incident, in
/// every Region that is read: by a call of the bot's own, or as a search began so late that all from before has to be in it.
pub(super) fn too_early(incident: &Incident) -> Option<String> {
    let began_at = incident.swept.as_ref().and_then(|(swept, _)| swept.began_at);
    let past = |at: DateTime<Utc>| began_at.is_some_and(|began| began >= at + TRAIL_DELAY);
    // Where a call of the bot's own does not show in that time, the trail is later than it should be.
    let late = incident.watch.is_some_and(|watch| past(watch.since));
    let known = |region: &Watched| match region.covered_until {
        Some(until) => until >= incident.opened_at,
        None => past(incident.opened_at) && !late,
    };
    let regions = incident.swept.iter().flat_map(|(swept, _)| &swept.regions);
    let read: Vec<&Watched> = regions.filter(|region| region.unread.is_none()).collect();
    if !read.is_empty() && read.iter().copied().all(known) {
        return None;
    }
    let hunted = incident.hunted.as_ref().and_then(|(found, _)| found.newest_at);
    let newest = incident.hunting.as_ref().and_then(|so_far| so_far.newest_at).max(hunted);
    Some(match newest {
        _ if incident.swept.is_some() && read.is_empty() => "no Region's trail could be read".to_owned(),
        Some(at) => format!("the trail has only been delivered up to {}, and is up to 15 minutes late", time(at)),
        None => "the trail has not delivered anything of it yet, and is up to 15 minutes late".to_owned(),
    })
}
