//! Calls of the bot's own, by which it is known how far the trail of a Region has come.

use std::collections::BTreeMap;

use super::Search;
use crate::domain::hunt::cover::{Canaries, Mark};
use crate::domain::hunt::redaction::kept;
use crate::ports::{Of, Page, StoreError, Trail};

/// Pages that are read for them at once. Where others make the same call all day long, theirs stand between them.
const PAGES_MAX: usize = 20;

/// What they are kept under.
fn name(region: &str) -> String {
    format!("canaries {region}")
}

/// What is known of those in a Region.
pub(super) fn of(trail: &Trail, region: &str) -> Canaries {
    match trail.marks.get(&name(region)) {
        Some(Mark::Canaries(canaries)) => canaries.clone(),
        _ => Canaries::default(),
    }
}

impl Search<'_> {
    /// While a containment waits for its proof: a call of the bot's own now and then, and a look for those before.
    pub(super) async fn canary(&self, region: &str) -> Result<(), StoreError> {
        if self.incident.watch.is_none() {
            return Ok(());
        }
        let name = name(region);
        let mut canaries = of(&self.state().trail, region);
        let before = canaries.clone();
        if canaries.is_due(self.now) {
            match self.engine.ports.cloud.canary(&self.account, region).await {
                Ok(request_id) => canaries.made(request_id, self.now),
                Err(error) => self.give_up(region, &error),
            }
        }
        self.look_for(&mut canaries, region).await;
        if canaries == before {
            return Ok(());
        }
        self.keep(&name, BTreeMap::new(), Mark::Canaries(canaries)).await
    }

    /// Reads the trail, the newest first, until all that are out have been seen or it goes back further than they do.
    async fn look_for(&self, canaries: &mut Canaries, region: &str) {
        let mut after: Option<String> = None;
        // A token goes on with the very question that it came from.
        let Some(from) = canaries.look_from() else { return };
        for _ in 0..PAGES_MAX {
            let page = Page { region, of: Of::Canaries, from, until: self.now, after: after.as_deref() };
            let read = match self.patiently(page).await {
                Ok(read) => read,
                Err(error) => return self.give_up(region, &error),
            };
            let mut oldest = None;
            for record in read.records.iter().filter_map(|text| kept(text).ok()) {
                oldest = record.at.or(oldest);
                if let (Some(request_id), Some(at)) = (record.request_id, record.at) {
                    canaries.seen(&request_id, at);
                }
            }
            after = read.next;
            // The newest come first: what is left is older than all that are still out.
            let over = canaries.look_from().is_none_or(|left| oldest.is_some_and(|oldest| oldest < left));
            if after.is_none() || over {
                return;
            }
        }
        let why = format!(
            "{region}: too many calls of GetCallerIdentity to find those of the bot's own among them, so that it is not known \
             how far the trail has come. With a reader_role_arn for the account they have a name of their own."
        );
        self.state().not_known.insert(why);
    }
}
