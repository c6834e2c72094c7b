//! What exists in the account, set against what the search has shown; of the rest the trail is asked who made it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::{Engine, EngineError};
use crate::domain::hunt::UNWATCHED;
use crate::domain::hunt::pivot::Pivot;
use crate::domain::id::AccountId;
use crate::domain::incident::command::Report;
use crate::domain::incident::inventory::since;
use crate::domain::incident::reached;
use crate::domain::incident::state::Incident;
use crate::domain::inventory::evidence::{explaining, pivots, window};
use crate::domain::inventory::puts::Puts;
use crate::domain::inventory::{Evidence, Gap, Inventory, Stock, Thing, puts, to_explain, undated};
use crate::ports::{CloudError, Look, Of, Page};

/// Things of which the trail is asked who made them, each time: what is left is asked the next time.
const ASKED_MAX: usize = 120;
/// Those of them that matter most, where there are more.
const ASKED_EACH_TIME: usize = ASKED_MAX / 2;
/// Stands for all Regions where none could be looked at.
const ALL_REGIONS: &str = "all Regions";
/// So many of them at once.
const ASKED_AT_ONCE: usize = 8;
/// Pages that are read for one name: four minutes of what happened to one thing.
const PAGES_MAX: u32 = 3;
/// Pages that are read of all calls of one name in a Region since the compromise.
const CALL_PAGES_MAX: u32 = 20;

/// Events by the key of what they explain; the error is for people.
type Events = BTreeMap<String, Result<Evidence, String>>;

impl Engine {
    pub(super) async fn take_inventory(&self, incident: &Incident, now: DateTime<Utc>) -> Result<(), EngineError> {
        let Some(account) = incident.account() else { return Ok(()) };
        let found = match Box::pin(self.inventory(incident, &account, now)).await {
            Ok(found) => found,
            Err(error) if error.can_retry() => return Err(error.into()),
            Err(error) => nothing_but(incident, error.to_string()),
        };
        self.report(incident.id, || Report::Inventory(Box::new(found.clone()))).await?;
        Ok(())
    }

    async fn inventory(
        &self,
        incident: &Incident,
        account: &AccountId,
        now: DateTime<Utc>,
    ) -> Result<Inventory, CloudError> {
        let searched = self.ports.cloud.regions(account).await?;
        let since = since(incident);
        let hunted = incident.hunted.as_ref().map(|(hunted, _)| hunted);
        let reached = hunted.map(|hunted| reached::users(hunted, account)).unwrap_or_default();
        let victim = incident.identification().and_then(|found| found.name.as_deref());
        let last = incident.inventory.found.as_deref();
        // Of what nothing has explained it is always seen whether it is there still.
        let owner =
            |thing: &Thing| thing.of.as_ref().filter(|(kind, _)| kind == "AWS::IAM::User").map(|(_, id)| id.clone());
        let owners = last.into_iter().flat_map(|last| &last.unexplained).filter_map(owner);
        let users: BTreeSet<String> = reached.into_iter().chain(victim).map(str::to_owned).chain(owners).collect();
        let look = Look { regions: &searched.regions, since, users: &users };
        let mut stock = self.ports.cloud.stock(account, look).await?;
        for region in &searched.unwatched {
            stock.gap(region, &[], UNWATCHED.to_owned());
        }
        if let Some(why) = searched.gap {
            stock.gap("other Regions", &[], why);
        }
        let footprint = hunted.map_or(&[][..], |hunted| &hunted.footprint);
        let held: BTreeSet<&str> = hunted
            .iter()
            .flat_map(|hunted| &hunted.credentials)
            .filter_map(|credential| credential.access_key_id.as_deref())
            .collect();
        let explained = last.map_or(&[][..], |last| &last.explained);
        let outgrown = undated::outgrown(explained, &stock, footprint);
        let explained = explained.iter().filter(|one| !outgrown.contains(&one.thing.key()));
        let mut events: Events = explained.map(|one| (one.thing.key(), Ok(one.evidence.clone()))).collect();
        let known: BTreeSet<String> = events.keys().cloned().collect();
        // What nothing explained the last time is asked about again, but after what is new.
        let before: BTreeSet<String> = last.into_iter().flat_map(|last| &last.unexplained).map(Thing::key).collect();
        let mut asked: Vec<Thing> = to_explain(&stock, footprint, &known).into_iter().cloned().collect();
        asked.sort_by_key(|thing| before.contains(&thing.key()));
        by_turns(&mut asked, now);
        for some in asked[..asked.len().min(ASKED_MAX)].chunks(ASKED_AT_ONCE) {
            let answers = join_all(some.iter().map(|thing| self.who_made(account, thing, (since, now), &held)));
            for (thing, answer) in some.iter().zip(answers.await) {
                events.extend(answer.transpose().map(|answer| (thing.key(), answer)));
            }
        }
        let undated = undated::to_explain(&stock, account.as_str(), footprint, &known);
        events.extend(Box::pin(self.who_put(account, undated, (since, now), &held)).await);
        let left = asked.iter().skip(ASKED_MAX).map(Thing::key).filter(|key| !before.contains(key));
        leave_for_later(&mut stock, &left.collect());
        let found = Inventory::of(stock, (since, now), footprint, &events);
        Ok(Inventory { regions: searched.regions, began_at: Some(now), ..found })
    }

    /// Asks the trail who made a thing; `None` when it does not say. The error is for people.
    async fn who_made(
        &self,
        account: &AccountId,
        thing: &Thing,
        (since, now): (DateTime<Utc>, DateTime<Utc>),
        held: &BTreeSet<&str>,
    ) -> Result<Option<Evidence>, String> {
        let (from, until) = window(thing, since, now);
        for pivot in pivots(thing) {
            let mut after: Option<String> = None;
            for _ in 0..PAGES_MAX {
                let page = Page { region: &thing.region, of: Of::Pivot(&pivot), from, until, after: after.as_deref() };
                let read = self.ports.cloud.page(account, page).await.map_err(|error| {
                    format!("The trail of {} could not be asked who made some of it: {error}", thing.region)
                })?;
                let evidence = explaining(thing, &read.records, held);
                if evidence.is_some() {
                    return Ok(evidence);
                }
                after = read.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Who made those of which AWS does not say when: the trail of each Region is asked for the calls that make such things,
    /// and not about each of them.
    async fn who_put(
        &self,
        account: &AccountId,
        puts: Vec<Puts<'_>>,
        span: (DateTime<Utc>, DateTime<Utc>),
        held: &BTreeSet<&str>,
    ) -> Events {
        let mut by_region: BTreeMap<&str, Vec<Puts<'_>>> = BTreeMap::new();
        for one in puts {
            by_region.entry(one.thing().region.as_str()).or_default().push(one);
        }
        let mut regions: Vec<(&str, Vec<Puts<'_>>)> = by_region.into_iter().collect();
        let mut events = Events::new();
        for some in regions.chunks_mut(ASKED_AT_ONCE) {
            let answers =
                join_all(some.iter_mut().map(|(region, puts)| self.who_put_in(account, region, puts, span, held)));
            answers.await.into_iter().for_each(|answer| events.extend(answer));
        }
        events
    }

    async fn who_put_in(
        &self,
        account: &AccountId,
        region: &str,
        puts: &mut [Puts<'_>],
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        held: &BTreeSet<&str>,
    ) -> Events {
        let mut not_read: Option<String> = None;
        let calls: BTreeSet<Pivot> = puts.iter().flat_map(|one| pivots(one.thing())).collect();
        for call in &calls {
            let mut after: Option<String> = None;
            for page in 1..=CALL_PAGES_MAX {
                let asked = Page { region, of: Of::Pivot(call), from, until, after: after.as_deref() };
                let read = match self.ports.cloud.page(account, asked).await {
                    Ok(read) => read,
                    Err(error) => {
                        let why = format!("The trail of {region} could not be asked who made some of it: {error}");
                        not_read.get_or_insert(why);
                        break;
                    }
                };
                puts::read(puts, &read.records, held);
                after = read.next;
                if after.is_none() {
                    break;
                }
                if page == CALL_PAGES_MAX {
                    let why = format!("The trail of {region} has more of the {call} since than was read.");
                    not_read.get_or_insert(why);
                }
            }
        }
        let answer = |one: &Puts<'_>| match (one.evidence(), &not_read) {
            (Some(evidence), _) => Some(Ok(evidence.clone())),
            (None, Some(why)) => Some(Err(why.clone())),
            (None, None) => None,
        };
        puts.iter().filter_map(|one| Some((one.thing().key(), answer(one)?))).collect()
    }
}

/// What follows from an inventory that could not be taken: no Region was looked at, and so nothing has gone.
fn nothing_but(incident: &Incident, why: String) -> Inventory {
    let gap = Gap { region: ALL_REGIONS.to_owned(), resource_types: Vec::new(), why };
    Inventory { since: since(incident), gaps: vec![gap], ..Inventory::default() }
}

/// Where there are more than can be asked about, what matters most is asked about every time, and of the rest another
/// part each time.
fn by_turns(asked: &mut [Thing], now: DateTime<Utc>) {
    if asked.len() <= ASKED_MAX {
        return;
    }
    let rest = &mut asked[ASKED_EACH_TIME..];
    // Times at which inventories come have a pattern; what begins at these places has none.
    let mixed = now.timestamp().unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let begin = usize::try_from(mixed).unwrap_or(0) % rest.len();
    rest.rotate_left(begin);
}

/// Of what the trail was not asked about nothing is said but how much it is.
fn leave_for_later(stock: &mut Stock, left: &BTreeSet<String>) {
    if left.is_empty() {
        return;
    }
    stock.things.retain(|thing| !left.contains(&thing.key()));
    stock.left += left.len() as u64;
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn of_too_many_everything_has_its_turn_and_what_matters_most_every_time() {
        let names = |things: &[Thing]| -> Vec<String> { things.iter().map(|thing| thing.id.clone()).collect() };
        let all: Vec<Thing> = (0..600).map(|n| Thing::of_iam("AWS::IAM::User", &format!("u{n:03}"), None)).collect();
        let mut had: BTreeSet<String> = BTreeSet::new();
        for hour in 0..200 {
            let mut asked = all.clone();
            by_turns(&mut asked, DateTime::UNIX_EPOCH + TimeDelta::hours(hour));
            assert_eq!(names(&asked[..ASKED_EACH_TIME]), names(&all[..ASKED_EACH_TIME]));
            had.extend(names(&asked[..ASKED_MAX]));
        }
        assert_eq!(had.len(), all.len());
        let mut few = all[..ASKED_MAX].to_vec();
        by_turns(&mut few, DateTime::UNIX_EPOCH + TimeDelta::hours(7));
        assert_eq!(names(&few), names(&all[..ASKED_MAX]));
    }
}
