//! Calls of the bot's own, by which it is known how far the trail of a Region has come.

use std::collections::BTreeMap;

use super::Search;
use crate::domain::hunt::cover::{Canaries, Mark};
use crate::domain::hunt::redaction::kept;
use crate::ports::{Of, Page, StoreError, Trail};

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
        if let Some(from) = canaries.look_from() {
            let page = Page { region, of: Of::Canaries, from, until: self.now, after: None };
            match self.patiently(page).await {
                Ok(read) => {
                    for record in read.records.iter().filter_map(|text| kept(text).ok()) {
                        if let (Some(request_id), Some(at)) = (record.request_id, record.at) {
                            canaries.seen(&request_id, at);
                        }
                    }
                }
                Err(error) => self.give_up(region, &error),
            }
        }
        if canaries == before {
            return Ok(());
        }
        self.keep(&name, BTreeMap::new(), Mark::Canaries(canaries)).await
    }
}
