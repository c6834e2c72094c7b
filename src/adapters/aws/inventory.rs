//! What exists in an account: IAM once, and each Region at its own pace. What may not be read, or does not answer, is
//! named and costs nothing else.

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{AccountClients, AwsCloud};
use crate::domain::id::AccountId;
use crate::domain::inventory::Stock;
use crate::ports::{CloudError, Look, Stocktaking};

mod buses;
mod credentials;
mod federation;
mod principals;
mod regional;
mod rules;
mod scaling;
mod uploads;

/// Regions that are read at once.
const REGIONS_AT_ONCE: usize = 6;
/// Users or functions that are read at once.
const AT_ONCE: usize = 4;
/// Pages of one list: what is behind them is named as left out.
const PAGES_MAX: usize = 100;

#[async_trait]
impl Stocktaking for AwsCloud {
    async fn stock(&self, account: &AccountId, look: Look<'_>) -> Result<Stock, CloudError> {
        let account = self.account(account)?;
        let (mut stock, regions) = tokio::join!(Box::pin(of_iam(account, look)), Box::pin(of_regions(account, look)));
        stock.take(regions);
        Ok(stock)
    }
}

async fn of_iam(account: &AccountClients, look: Look<'_>) -> Stock {
    let (mut stock, users) = Box::pin(principals::read(&account.iam, look)).await;
    let (credentials, providers) = tokio::join!(
        Box::pin(credentials::read(&account.iam, look, users)),
        Box::pin(federation::providers(&account.iam, look))
    );
    stock.take(credentials);
    stock.take(providers);
    stock
}

async fn of_regions(account: &AccountClients, look: Look<'_>) -> Stock {
    let mut all = Stock::default();
    for some in look.regions.chunks(REGIONS_AT_ONCE) {
        let reads = some.iter().map(|region| async move {
            let clients = account.regions.of(region);
            Box::pin(regional::read(&clients, account.settings.id.as_str(), region, look)).await
        });
        join_all(reads).await.into_iter().for_each(|stock| all.take(stock));
    }
    all
}

/// All items of a paginated list, and whether there were more than so many pages. The SDK's futures are large.
macro_rules! paged {
    ($operation:literal, $call:expr, $items:ident) => {{
        let mut pages = $call.into_paginator().send();
        let (mut found, mut count, mut failed) = (Vec::new(), 0, None);
        while let Some(page) = Box::pin(pages.next()).await {
            match page.map_err(|e| $crate::adapters::aws::fault::fault($operation, &e)) {
                Ok(page) => found.extend($crate::adapters::aws::inventory::all(page.$items)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            count += 1;
            if count == $crate::adapters::aws::inventory::PAGES_MAX {
                break;
            }
        }
        let cut = count == $crate::adapters::aws::inventory::PAGES_MAX;
        (found, cut, failed)
    }};
}
use paged;

/// The items of a page: lists that are always there and lists that can be absent.
fn all<T>(items: impl Into<Option<Vec<T>>>) -> Vec<T> {
    items.into().unwrap_or_default()
}

fn cut_short(what: &str) -> String {
    format!("There are more {what} than were read ({PAGES_MAX} pages).")
}
