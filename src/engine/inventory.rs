//! What exists in the account, set against what the search has shown; of the rest the trail is asked who made it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::{Engine, EngineError};
use crate::domain::hunt::pivot::Pivot;
use crate::domain::id::AccountId;
use crate::domain::incident::command::Report;
use crate::domain::incident::inventory::since;
use crate::domain::incident::reached;
use crate::domain::incident::state::Incident;
use crate::domain::inventory::evidence::{explaining, names, window};
use crate::domain::inventory::{Evidence, Inventory, Stock, Thing, to_explain};
use crate::ports::{CloudError, Look, Of, Page};

/// Things of which the trail is asked who made them, each time: what is left is asked the next time.
const ASKED_MAX: usize = 120;
/// So many of them at once.
const ASKED_AT_ONCE: usize = 8;
/// Pages that are read for one name: four minutes of what happened to one thing.
const PAGES_MAX: u32 = 3;

impl Engine {
    pub(super) async fn take_inventory(&self, incident: &Incident, now: DateTime<Utc>) -> Result<(), EngineError> {
        let Some(account) = incident.account() else { return Ok(()) };
        let found = match Box::pin(self.inventory(incident, &account, now)).await {
            Ok(found) => found,
            Err(error) if error.can_retry() => return Err(error.into()),
            Err(error) => Inventory { limits: [error.to_string()].into(), ..Inventory::default() },
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
        let users: BTreeSet<String> = reached.into_iter().chain(victim).map(str::to_owned).collect();
        let look = Look { regions: &searched.regions, since, users: &users };
        let mut stock = self.ports.cloud.stock(account, look).await?;
        if let Some(why) = searched.gap {
            stock.gap("other Regions", &[], why);
        }
        let footprint = hunted.map_or(&[][..], |hunted| &hunted.footprint);
        let held: BTreeSet<&str> = hunted
            .iter()
            .flat_map(|hunted| &hunted.credentials)
            .filter_map(|credential| credential.access_key_id.as_deref())
            .collect();
        let last = incident.inventory.found.iter().flat_map(|found| &found.explained);
        let mut events: BTreeMap<String, Result<Evidence, String>> =
            last.map(|one| (one.thing.key(), Ok(one.evidence.clone()))).collect();
        let known: BTreeSet<String> = events.keys().cloned().collect();
        // What nothing explained the last time is asked about again, but after what is new.
        let before = incident.inventory.found.iter().flat_map(|found| &found.unexplained);
        let before: BTreeSet<String> = before.map(Thing::key).collect();
        let mut asked: Vec<Thing> = to_explain(&stock, footprint, &known).into_iter().cloned().collect();
        asked.sort_by_key(|thing| before.contains(&thing.key()));
        for some in asked[..asked.len().min(ASKED_MAX)].chunks(ASKED_AT_ONCE) {
            let answers = join_all(some.iter().map(|thing| self.who_made(account, thing, (since, now), &held)));
            for (thing, answer) in some.iter().zip(answers.await) {
                events.extend(answer.transpose().map(|answer| (thing.key(), answer)));
            }
        }
        let left = asked.iter().skip(ASKED_MAX).map(Thing::key).filter(|key| !before.contains(key));
        leave_for_later(&mut stock, &left.collect());
        let found = Inventory::of(stock, (since, now), footprint, &events);
        Ok(Inventory { regions: searched.regions, ..found })
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
        for name in names(thing) {
            let pivot = Pivot::Resource(name);
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
}

/// Of what the trail was not asked about nothing is said but how much it is.
fn leave_for_later(stock: &mut Stock, left: &BTreeSet<String>) {
    if left.is_empty() {
        return;
    }
    stock.things.retain(|thing| !left.contains(&thing.key()));
    stock.limits.insert(format!(
        "{} more things were made since than the trail was asked about ({ASKED_MAX} at a time); the next inventory goes on.",
        left.len()
    ));
}
