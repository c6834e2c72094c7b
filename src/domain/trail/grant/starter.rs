//! What starts instances by itself: Auto Scaling groups, fleets, spot requests. The calls are AWS's own, and each has in it
//! what it was made for: by a tag that nobody but AWS can set, or by the spot request that an instance is of.

use serde_json::Value;

use super::Grant;
use crate::domain::trail::record::Record;
use crate::domain::trail::resource::{at, items, member};
use crate::domain::trail::token::Token;

/// Tags by which an instance is known to be of a group or a fleet. Only AWS sets tags of `aws:`.
const TAGS: [(&str, &str); 3] =
    [("aws:autoscaling:groupName", GROUP), ("aws:ec2:fleet-id", FLEET), ("aws:ec2spot:fleet-request-id", SPOT_FLEET)];
const GROUP: &str = "Auto Scaling group";
const FLEET: &str = "fleet";
const SPOT_FLEET: &str = "spot fleet";
const SPOT_REQUEST: &str = "spot request";

/// What a call that worked has made that starts instances later.
pub(super) fn made(record: &Record<'_>, account: &str, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let (kind, ids) = match (record.source(), record.name()) {
        ("autoscaling", "CreateAutoScalingGroup") => (GROUP, at(request, "autoScalingGroupName")),
        ("ec2", "CreateFleet") => (FLEET, answered(response, "CreateFleetResponse", "fleetId")),
        ("ec2", "RequestSpotFleet") => {
            (SPOT_FLEET, answered(response, "RequestSpotFleetResponse", "spotFleetRequestId"))
        }
        ("ec2", "RequestSpotInstances") => {
            (SPOT_REQUEST, at(response, "spotInstanceRequestSet.items[].spotInstanceRequestId"))
        }
        _ => return,
    };
    let starter =
        |id: &String| Grant::Starter { token: token(record, account, kind, id), label: format!("{kind} {id}") };
    out.extend(ids.iter().map(starter));
}

/// For what a call has started instances, as far as its record says it.
pub(super) fn of(record: &Record<'_>, request: &Value, tokens: &mut Vec<Token>) {
    let account = record.recipient_account_id.as_deref().unwrap_or("");
    let response = record.response();
    let instances: Vec<&Value> = member(&response, "instancesSet")
        .and_then(|set| member(set, "items"))
        .map(items)
        .into_iter()
        .flatten()
        .collect();
    let asked = member(request, "tagSpecificationSet").and_then(|set| member(set, "items")).map(items);
    let asked = asked.into_iter().flatten().filter_map(|of| member(of, "tags"));
    let have = instances.iter().filter_map(|instance| member(member(instance, "tagSet")?, "items"));
    for tag in asked.chain(have).flat_map(items) {
        let (key, value) = (at(tag, "key"), at(tag, "value"));
        let (Some(key), Some(value)) = (key.first(), value.first()) else { continue };
        let kind = TAGS.iter().find(|(tag, _)| tag == key).map(|(_, kind)| *kind);
        tokens.extend(kind.map(|kind| token(record, account, kind, value)));
    }
    for id in instances.iter().flat_map(|instance| at(instance, "spotInstanceRequestId")) {
        tokens.push(token(record, account, SPOT_REQUEST, &id));
    }
    tokens.sort_unstable();
    tokens.dedup();
}

/// A group's name is of one Region, and another's in the next.
fn token(record: &Record<'_>, account: &str, kind: &str, id: &str) -> Token {
    Token::starter(account, record.aws_region.as_deref().unwrap_or(""), kind, id)
}

/// EC2's newer calls have one more object around what they answer.
fn answered(response: &Value, around: &str, id: &str) -> Vec<String> {
    at(member(response, around).unwrap_or(response), id)
}
