//! What all users of an account are called. AWS finds nobody by a unique id: only the list of all says who has it, and a search
//! asks about many at once. So those who ask at the same time share one list.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::EntityType;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fault;
use crate::ports::CloudError;

/// Users on one page.
const PAGE: i32 = 1_000;
/// So long a list serves. A name from it is no more than where to look first.
pub(super) const KEPT: Duration = Duration::from_secs(30);

/// What AWS has last said.
#[derive(Default)]
pub(in crate::adapters::aws) struct Users(Mutex<Known>);

#[derive(Default)]
struct Known {
    last: Option<List>,
    /// Unique ids that no user has, and when that was looked up: a list from before somebody asked does not say it of a user
    /// who can have been made since.
    gone: BTreeMap<String, Instant>,
}

struct List {
    began_at: Instant,
    ended_at: Instant,
    /// By unique ids, or why it could not be read.
    names: Result<BTreeMap<String, String>, CloudError>,
}

impl Users {
    /// What the user with this unique id is called, as a list says that was begun no longer ago than this; nothing where no
    /// user has it.
    pub(super) async fn name(
        &self,
        iam: &Client,
        unique_id: &str,
        oldest: Duration,
    ) -> Result<Option<String>, CloudError> {
        let asked_at = Instant::now();
        // Who comes meanwhile waits for the same answer.
        let mut known = self.0.lock().await;
        loop {
            if let Some(answer) = known.answer(unique_id, asked_at, oldest) {
                return answer;
            }
            let began_at = Instant::now();
            let names = Box::pin(all(iam)).await;
            known.last = Some(List { began_at, ended_at: Instant::now(), names });
        }
    }
}

impl Known {
    /// As far as the last list answers that.
    fn answer(
        &mut self,
        unique_id: &str,
        asked_at: Instant,
        oldest: Duration,
    ) -> Option<Result<Option<String>, CloudError>> {
        let is_new = |at: Instant| asked_at.saturating_duration_since(at) < oldest;
        let last = self.last.as_ref()?;
        let names = match &last.names {
            Ok(names) => names,
            // Who has waited for a list that could not be read does not ask for it again.
            Err(error) => return (last.ended_at >= asked_at).then(|| Err(error.clone())),
        };
        let name = names.get(unique_id).cloned();
        if last.began_at >= asked_at {
            if name.is_none() {
                self.gone.retain(|_, at| asked_at.saturating_duration_since(*at) < KEPT);
                self.gone.insert(unique_id.to_owned(), last.began_at);
            }
            return Some(Ok(name));
        }
        if name.is_some() && is_new(last.began_at) {
            return Some(Ok(name));
        }
        self.gone.get(unique_id).is_some_and(|at| is_new(*at)).then_some(Ok(None))
    }
}

/// The names of all users by their unique ids.
async fn all(iam: &Client) -> Result<BTreeMap<String, String>, CloudError> {
    let asked = iam.get_account_authorization_details().filter(EntityType::User);
    let mut pages = asked.into_paginator().page_size(PAGE).send();
    let mut names = BTreeMap::new();
    while let Some(page) = Box::pin(pages.next()).await {
        let page = page.map_err(|e| fault("iam:GetAccountAuthorizationDetails", &e))?;
        let users = page.user_detail_list.unwrap_or_default().into_iter();
        names.extend(users.filter_map(|user| Some((user.user_id?, user.user_name?))));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unavailable() -> CloudError {
        CloudError::Unavailable { operation: "iam:GetAccountAuthorizationDetails".into(), message: "slowly".into() }
    }

    #[test]
    fn a_list_serves_for_a_while_and_says_that_a_user_is_gone_only_to_whoever_asked_before_it() {
        let begun = Instant::now();
        let names = BTreeMap::from([("AIDA1".to_owned(), "ci".to_owned())]);
        let last = Some(List { began_at: begun, ended_at: begun + SECOND, names: Ok(names) });
        let mut known = Known { last, ..Known::default() };
        let mut answer =
            |id: &str, asked_at: Instant, oldest: Duration| known.answer(id, asked_at, oldest).map(Result::unwrap);
        let ci = || Some(Some("ci".to_owned()));
        assert_eq!(answer("AIDA1", begun, KEPT), ci());
        assert_eq!(answer("AIDA1", begun + SECOND, KEPT), ci());
        assert_eq!(answer("AIDA1", begun + SECOND, Duration::ZERO), None, "as it is now");
        assert_eq!(answer("AIDA1", begun + KEPT, KEPT), None);
        assert_eq!(answer("AIDA2", begun + SECOND, KEPT), None, "it can have been made since");
        assert_eq!(answer("AIDA2", begun, KEPT), Some(None));
        assert_eq!(answer("AIDA2", begun + SECOND, KEPT), Some(None), "that was looked up");
        assert_eq!(answer("AIDA2", begun + KEPT, KEPT), None);
    }

    #[test]
    fn a_list_that_could_not_be_read_is_asked_for_again_by_whoever_comes_after_it() {
        let begun = Instant::now();
        let last = Some(List { began_at: begun, ended_at: begun + SECOND, names: Err(unavailable()) });
        let mut known = Known { last, ..Known::default() };
        assert!(known.answer("AIDA1", begun + SECOND / 2, KEPT).is_some_and(|answer| answer.is_err()));
        assert!(known.answer("AIDA1", begun + SECOND * 2, KEPT).is_none());
    }
}
