//! Reads an inline policy that somebody has put, and from the event history what there was before.

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use serde_json::Value;

use super::tree::{self, TRUST_PAGES_MAX};
use crate::adapters::aws::AccountClients;
use crate::domain::observation::{Earlier, Holder, Observation, Previous, PutPolicy};
use crate::ports::CloudError;

pub(super) async fn put_policy(
    account: &AccountClients,
    holder: &Holder,
    policy_name: &str,
    event_ids: &[String],
) -> Result<Observation, CloudError> {
    let trail = account.home_trail();
    let (owner, document, members, looked) = tokio::try_join!(
        tree::identity_of(&account.iam, holder),
        tree::document(&account.iam, holder, policy_name),
        tree::members_of(&account.iam, holder),
        trail.look_up(LookupAttributeKey::ResourceName, holder.name(), None, TRUST_PAGES_MAX),
    )?;
    let Some(identity) = owner else { return Ok(Observation::OwnerMissing) };
    let named = Named { holder, policy_name };
    let id = |event: &Value| event["eventID"].as_str().unwrap_or_default().to_owned();
    let newest = |event: &&Value| event_ids.last().is_some_and(|newest| id(event) == *newest);
    let mut events = looked.events.iter().skip_while(|event| !newest(event)).peekable();
    let put = events.peek().and_then(|event| named.put(event));
    let before = events.filter(|event| !event_ids.contains(&id(event))).find_map(|event| named.shows(event));
    let before = before.unwrap_or(Earlier::NotKnown);
    Ok(Observation::PutPolicy(PutPolicy { identity, document, put, before, members }))
}

/// A policy, by its name and whose it is.
struct Named<'a> {
    holder: &'a Holder,
    policy_name: &'a str,
}

impl Named<'_> {
    /// `User` in `PutUserPolicy`, and the parameter that names it.
    const fn kind(&self) -> (&'static str, &'static str) {
        match self.holder {
            Holder::User(_) => ("User", "userName"),
            Holder::Role(_) => ("Role", "roleName"),
            Holder::Group(_) => ("Group", "groupName"),
        }
    }

    fn is_call(&self, event: &Value, verb: &str) -> bool {
        let (kind, parameter) = self.kind();
        let request = &event["requestParameters"];
        event["eventName"] == format!("{verb}{kind}Policy")
            && request[parameter] == self.holder.name()
            && request["policyName"] == self.policy_name
    }

    /// The document that a call has put.
    fn put(&self, event: &Value) -> Option<String> {
        let worked = event["errorCode"].is_null() && self.is_call(event, "Put");
        event["requestParameters"]["policyDocument"].as_str().filter(|_| worked).map(str::to_owned)
    }

    /// What an event says there was after it.
    fn shows(&self, event: &Value) -> Option<Earlier> {
        let event_id = event["eventID"].as_str()?.to_owned();
        let worked = event["errorCode"].is_null();
        if worked && self.is_call(event, "Put") {
            let document = self.put(event);
            return Some(
                document.map_or(Earlier::NotKnown, |document| Earlier::Document(Previous { document, event_id })),
            );
        }
        let (kind, parameter) = self.kind();
        let is_made = worked
            && event["eventName"] == format!("Create{kind}")
            && event["requestParameters"][parameter] == self.holder.name();
        let is_deleted = worked && self.is_call(event, "Delete");
        let is_missing = event["errorCode"] == "NoSuchEntityException" && self.is_call(event, "Get");
        if is_made || is_deleted || is_missing {
            return Some(Earlier::Nothing { event_id });
        }
        // It was there, and the history does not have what it said.
        (worked && self.is_call(event, "Get")).then_some(Earlier::NotKnown)
    }
}
