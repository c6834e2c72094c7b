//! When an account's inventory is taken, what follows from it, and who has looked at what no event explains. Nothing
//! of it is ever deleted by the bot: that somebody's event is missing proves nothing about whose it is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::Context;
use super::event::Event;
use super::hunting;
use super::state::Incident;
use crate::domain::approval::Digest;
use crate::domain::id::UserId;
use crate::domain::inventory::{Explained, Inventory, Thing};
use crate::domain::policy::Actor;
use crate::domain::recusal::check_impartial;
use crate::domain::refusal::Refusal;

/// What contains is read first: the inventory can wait so long.
const AFTER_IDENTIFIED: TimeDelta = TimeDelta::minutes(2);
/// How often in the first hours after anything new, and from then on.
const FIRST: TimeDelta = TimeDelta::hours(2);
const EVERY: TimeDelta = TimeDelta::minutes(15);
const AT_REST: TimeDelta = TimeDelta::hours(1);
/// Things that one card shows, and that are looked at with one press.
pub const SHOWN_MAX: usize = 10;

/// What an incident knows of its account's inventory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The newest that says something new.
    pub found: Option<Box<Inventory>>,
    /// When the account was last looked at.
    pub at: Option<DateTime<Utc>>,
    /// Somebody has asked for it to be looked at again.
    pub again: bool,
    /// Who has looked at a thing that no event explains, by its key.
    pub looked_at: BTreeMap<String, UserId>,
}

/// When it is next taken: once a search has shown what is the attacker's, and then for as long as the incident is open.
pub fn due_at(incident: &Incident) -> Option<DateTime<Utc>> {
    incident.hunted.as_ref()?;
    incident.account()?;
    let Taken { at, again, .. } = &incident.inventory;
    let Some(taken_at) = at else { return Some(incident.identified.as_ref()?.at + AFTER_IDENTIFIED) };
    if *again {
        return Some(*taken_at);
    }
    let changed_at = incident.watch.map(|watch| watch.changed_at);
    let news_at = [incident.found_new_at, changed_at].into_iter().flatten().fold(incident.opened_at, DateTime::max);
    Some(*taken_at + if *taken_at - news_at < FIRST { EVERY } else { AT_REST })
}

/// From when on what was made is set against the log.
pub fn since(incident: &Incident) -> DateTime<Utc> {
    hunting::since(incident).unwrap_or(incident.opened_at - hunting::SEEN_LATE)
}

/// What follows from an inventory. Nothing, when another process was faster.
pub(super) fn take(incident: &Incident, found: Inventory, cx: Context<'_>) -> Vec<Event> {
    if !incident.is_open() || due_at(incident).is_none_or(|due| due > cx.now) {
        return Vec::new();
    }
    let last = incident.inventory.found.as_deref();
    let found = found.over(last, |thing| incident.inventory.looked_at.contains_key(&thing.key()));
    let news = last.is_none_or(|last| !last.says_the_same(&found));
    vec![Event::InventoryTaken { began_at: found.began_at, found: news.then(|| Box::new(found)) }]
}

/// What no event explains, or one of the attacker's does and no step sees to, and nobody has looked at; what lets somebody in
/// first.
pub fn to_look_at(incident: &Incident) -> Vec<&Thing> {
    let Taken { found, looked_at, .. } = &incident.inventory;
    let unexplained = found.iter().flat_map(|found| &found.unexplained);
    let theirs = by_attackers(incident).into_iter().map(|one| &one.thing);
    unexplained.chain(theirs).filter(|thing| !looked_at.contains_key(&thing.key())).collect()
}

/// What a credential of the attacker's has made and the search does not show as theirs: no step removes or restores it. It can
/// be its owner's who has made it, with the same credential: that a person says.
pub fn by_attackers(incident: &Incident) -> Vec<&Explained> {
    let footprint = incident.hunted.as_ref().map_or(&[][..], |(hunted, _)| &hunted.footprint);
    let explained = incident.inventory.found.iter().flat_map(|found| &found.explained);
    explained.filter(|one| one.evidence.attackers && !one.thing.is_in(footprint)).collect()
}

/// What a card shows of them, and what names just these on its button.
pub fn shown(incident: &Incident) -> (Vec<&Thing>, String) {
    let mut things = to_look_at(incident);
    things.truncate(SHOWN_MAX);
    let keys: Vec<String> = things.iter().map(|thing| thing.key()).collect();
    (things, Digest::of(&keys).short().to_owned())
}

/// Somebody has looked at what the card showed.
pub(super) fn look(incident: &Incident, actor: &Actor, card: &str, cx: Context<'_>) -> Result<Vec<Event>, Refusal> {
    check_impartial(incident, cx.policy, actor)?;
    let (things, digest) = shown(incident);
    if things.is_empty() {
        return Err(Refusal::NotApplicable("Nothing is left to look at.".into()));
    }
    if digest != card {
        return Err(Refusal::NotApplicable(
            "The list has changed since this card was drawn. Look at the newest one, and press there.".into(),
        ));
    }
    let things: BTreeSet<String> = things.into_iter().map(Thing::key).collect();
    Ok(vec![Event::ThingsLookedAt { by: actor.user.clone(), things }])
}
