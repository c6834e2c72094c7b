//! Which version of a managed policy was in force before the attacker chose another one that was there. Their call does not say
//! it, and nobody but the event history does.

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::policy::{Doings, FIRST, HISTORY_FOR_SURE, HISTORY_PAGES_MAX};
use crate::adapters::aws::AccountClients;
use crate::adapters::aws::trail::{Looked, RegionTrail, Span};
use crate::domain::hunt::pivot::HOME_REGION;
use crate::domain::inventory::TRAIL_DELAY;
use crate::domain::observation::PolicyTree;
use crate::domain::trail::deed::made_default;
use crate::ports::CloudError;

/// How far apart the making of a policy can be in IAM and in the event history.
const MADE_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// A call that has put a version in force.
#[derive(Clone, Debug, PartialEq)]
struct Put {
    at: DateTime<Utc>,
    version: String,
    by_attacker: bool,
}

/// What the history says was in force right before the attacker's newest choice.
#[derive(Debug, PartialEq)]
enum Before {
    /// This version.
    Version(String),
    /// The one that it began with, if the history goes back to its making.
    FirstIfWhole,
    /// It can lack a call until then.
    TooEarly(DateTime<Utc>),
    /// Nobody can say.
    NotKnown,
}

/// Says of a policy which version was in force before, or when that can be known; neither where it is not proved.
pub(super) async fn before_choice(
    account: &AccountClients,
    policy: &mut PolicyTree,
    doings: Doings<'_>,
    made_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), CloudError> {
    let trail = account.trail(HOME_REGION)?;
    let look = |call: &'static str| trail.look_up(LookupAttributeKey::EventName, call, None, HISTORY_PAGES_MAX);
    let (created, set) = tokio::try_join!(look("CreatePolicyVersion"), look("SetDefaultPolicyVersion"))?;
    let puts = puts((&created.events[..], &set.events[..]), &policy.identity.arn, doings, made_at);
    let is_cut = created.cut || set.cut;
    match before(&puts, &policy.default, known_from(&[&created, &set]), now) {
        Before::Version(version) => policy.previous = Some(version),
        Before::TooEarly(known_at) => policy.known_at = Some(known_at),
        // The history is whole where it has the making of the policy.
        Before::FirstIfWhole if !is_cut => {
            if let Some(around) = made_at.and_then(|made_at| around(made_at, now)) {
                let is_whole = has_making(&trail, &policy.identity.id, around).await?;
                policy.previous = is_whole.then(|| FIRST.to_owned());
            }
        }
        Before::FirstIfWhole | Before::NotKnown => {}
    }
    Ok(())
}

/// Where the making of a policy is looked for: whoever makes many others does not hide it. Nowhere where the history may not
/// go back so far any more: AWS refuses to be asked about such times.
fn around(made_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Span> {
    let is_young = now - made_at < HISTORY_FOR_SURE;
    is_young.then(|| Span { from: Some(made_at - MADE_WITHIN), until: Some(made_at + MADE_WITHIN) })
}

async fn has_making(trail: &RegionTrail, policy_id: &str, around: Span) -> Result<bool, CloudError> {
    let mut token: Option<String> = None;
    for _ in 0..HISTORY_PAGES_MAX {
        let page = trail.page(LookupAttributeKey::EventName, "CreatePolicy", around, token.as_deref());
        let (texts, next) = page.await?;
        let mut events = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        if events.any(|event| makes(&event, policy_id)) {
            return Ok(true);
        }
        if next.is_none() {
            break;
        }
        token = next;
    }
    Ok(false)
}

fn at(event: &Value) -> Option<DateTime<Utc>> {
    event["eventTime"].as_str()?.parse().ok()
}

/// By its unique id: another policy can have had the name before.
fn makes(event: &Value, policy_id: &str) -> bool {
    event["errorCode"].is_null() && event["responseElements"]["policy"]["policyId"] == policy_id
}

/// Where one of the answers goes back less far, it can have had an event before its last one.
fn known_from(looked: &[&Looked]) -> Option<DateTime<Utc>> {
    looked.iter().filter(|looked| looked.cut).filter_map(|looked| looked.events.last()).filter_map(at).max()
}

/// The calls that have put a version of this policy in force. What is from before its making is about another of its name.
fn puts(
    (created, set): (&[Value], &[Value]),
    arn: &str,
    doings: Doings<'_>,
    made_at: Option<DateTime<Utc>>,
) -> Vec<Put> {
    let of_policy = |event: &&Value| event["requestParameters"]["policyArn"] == arn && event["errorCode"].is_null();
    let made = created.iter().filter(of_policy).filter_map(|event| {
        let (request, response) = (&event["requestParameters"], &event["responseElements"]);
        let version = response["policyVersion"]["versionId"].as_str().filter(|_| made_default(request, response))?;
        let version = version.to_owned();
        let by_attacker = doings.theirs.contains(&version);
        Some(Put { at: at(event)?, version, by_attacker })
    });
    let chosen = set.iter().filter(of_policy).filter_map(|event| {
        let version = event["requestParameters"]["versionId"].as_str()?.to_owned();
        let by_attacker = event["eventID"].as_str().is_some_and(|id| doings.event_ids.contains(id));
        Some(Put { at: at(event)?, version, by_attacker })
    });
    // Both are to the second.
    let of_this = |put: &Put| made_at.is_none_or(|made| put.at.timestamp() >= made.timestamp());
    made.chain(chosen).filter(of_this).collect()
}

/// A history whose newest call is not what is in force lacks something; and of two calls in one second nobody can say which
/// came first. For some time after the attacker's it can lack one from before it.
fn before(puts: &[Put], in_force: &str, known_from: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Before {
    let at_once = |at: DateTime<Utc>| puts.iter().filter(move |put| put.at == at);
    let Some(newest_at) = newest(puts.iter()) else { return Before::NotKnown };
    let Some(theirs_at) = newest(puts.iter().filter(|put| put.by_attacker)) else { return Before::NotKnown };
    let known_at = theirs_at + TRAIL_DELAY;
    if known_at > now {
        return Before::TooEarly(known_at);
    }
    let lacks_some = !at_once(newest_at).any(|put| put.version == in_force);
    if lacks_some || at_once(theirs_at).any(|put| !put.by_attacker) {
        return Before::NotKnown;
    }
    let Some(before_at) = newest(puts.iter().filter(|put| !put.by_attacker && put.at < theirs_at)) else {
        return if known_from.is_none() { Before::FirstIfWhole } else { Before::NotKnown };
    };
    let mut versions = at_once(before_at).map(|put| &put.version);
    let Some(version) = versions.next() else { return Before::NotKnown };
    let is_one = versions.all(|other| other == version);
    if is_one && known_from.is_none_or(|from| from < before_at) {
        Before::Version(version.clone())
    } else {
        Before::NotKnown
    }
}

fn newest<'a>(of: impl Iterator<Item = &'a Put>) -> Option<DateTime<Utc>> {
    of.map(|put| put.at).max()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:iam::111122223333:policy/ops";

    fn time(second: u32) -> DateTime<Utc> {
        format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()
    }

    /// When the history is sure to have all of it.
    fn later() -> DateTime<Utc> {
        time(59) + TRAIL_DELAY
    }

    fn put(second: u32, version: &str, by_attacker: bool) -> Put {
        Put { at: time(second), version: version.into(), by_attacker }
    }

    fn version(id: &str) -> Before {
        Before::Version(id.into())
    }

    #[test]
    fn what_others_put_in_force_last_before_the_attackers_newest_choice_was_before() {
        let (owner, theirs) = (|at, id| put(at, id, false), |at, id| put(at, id, true));
        for (puts, in_force, expected) in [
            (vec![owner(1, "v3"), theirs(5, "v1")], "v1", version("v3")),
            // The newest first, as the history has them; theirs in between was never the owner's.
            (vec![theirs(6, "v1"), theirs(5, "v2"), owner(1, "v3"), owner(0, "v2")], "v1", version("v3")),
            // The owner has put it right, with another, and the attacker has done it again.
            (vec![owner(1, "v3"), theirs(5, "v1"), owner(6, "v4"), theirs(7, "v1")], "v1", version("v4")),
            // The bot has put it back, and that was undone.
            (vec![owner(1, "v3"), theirs(5, "v1"), owner(6, "v3"), owner(7, "v1")], "v1", version("v3")),
            (vec![theirs(5, "v1")], "v1", Before::FirstIfWhole),
            // A choice that the history does not have yet; one in the same second; two at once that differ.
            (vec![owner(1, "v3"), theirs(5, "v1"), owner(6, "v4")], "v1", Before::NotKnown),
            (vec![owner(1, "v3"), owner(5, "v2"), theirs(5, "v1")], "v1", Before::NotKnown),
            (vec![owner(1, "v3"), owner(1, "v2"), theirs(5, "v1")], "v1", Before::NotKnown),
            (vec![owner(1, "v1")], "v1", Before::NotKnown),
            (vec![], "v1", Before::NotKnown),
        ] {
            assert_eq!(before(&puts, in_force, None, later()), expected, "{puts:?}");
        }
    }

    #[test]
    fn a_history_that_was_not_read_whole_shows_what_is_newer_than_its_end_and_no_more() {
        let puts = [put(3, "v3", false), put(5, "v1", true)];
        assert_eq!(before(&puts, "v1", Some(time(2)), later()), version("v3"));
        assert_eq!(before(&puts, "v1", Some(time(3)), later()), Before::NotKnown);
        assert_eq!(before(&puts[1..], "v1", Some(time(2)), later()), Before::NotKnown);
    }

    #[test]
    fn nothing_is_proved_while_the_history_can_lack_a_call_from_before_the_attackers() {
        let known_at = time(5) + TRAIL_DELAY;
        let early = known_at - TimeDelta::seconds(1);
        let puts = [put(1, "v3", false), put(5, "v1", true)];
        assert_eq!(before(&puts, "v1", None, early), Before::TooEarly(known_at));
        assert_eq!(before(&puts, "v1", None, known_at), version("v3"));
        // The owner's of before can be what it lacks.
        assert_eq!(before(&puts[1..], "v1", None, early), Before::TooEarly(known_at));
        assert_eq!(before(&puts[1..], "v1", None, known_at), Before::FirstIfWhole);
        // Of several of theirs the newest counts.
        let twice = [put(1, "v3", false), put(4, "v2", true), put(5, "v1", true)];
        assert_eq!(before(&twice, "v1", None, early), Before::TooEarly(known_at));
    }

    #[test]
    fn the_making_is_looked_for_when_it_was_and_not_where_the_history_may_not_go_back_to() {
        let made_at = time(5);
        let span = around(made_at, made_at + HISTORY_FOR_SURE - TimeDelta::seconds(1)).unwrap();
        assert_eq!((span.from, span.until), (Some(made_at - MADE_WITHIN), Some(made_at + MADE_WITHIN)));
        assert!(around(made_at, made_at + HISTORY_FOR_SURE).is_none());
    }

    #[test]
    fn only_calls_that_worked_on_this_very_policy_count_and_only_versions_that_came_in_force() {
        let created = |second: u32, id: &str, default: bool| {
            json!({
                "eventTime": time(second), "eventID": id, "requestParameters": {"policyArn": ARN, "setAsDefault": default},
                "responseElements": {"policyVersion": {"versionId": id, "isDefaultVersion": default}},
            })
        };
        let set = |second: u32, id: &str, arn: &str, error: Value| {
            json!({
                "eventTime": time(second), "eventID": format!("e-{second}"), "errorCode": error,
                "requestParameters": {"policyArn": arn, "versionId": id},
            })
        };
        let created = [created(1, "v2", true), created(4, "v3", true), created(5, "v4", false), created(6, "v5", true)];
        let set = [
            set(7, "v2", ARN, Value::Null),
            set(8, "v3", ARN, "AccessDenied".into()),
            set(9, "v3", "arn:aws:iam::111122223333:policy/other", Value::Null),
            set(10, "v3", ARN, Value::Null),
        ];
        let theirs: BTreeSet<String> = ["v5".to_owned()].into();
        let event_ids: BTreeSet<String> = ["e-7".to_owned()].into();
        let doings = Doings { theirs: &theirs, chosen: Some("v2"), event_ids: &event_ids };
        let found = puts((&created[..], &set[..]), ARN, doings, Some(time(2)));
        let expected = [put(4, "v3", false), put(6, "v5", true), put(7, "v2", true), put(10, "v3", false)];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_making_of_another_policy_of_the_name_is_not_its_making() {
        let made = |id: &str| json!({"responseElements": {"policy": {"arn": ARN, "policyId": id}}});
        assert!(makes(&made("ANPA2"), "ANPA2") && !makes(&made("ANPA1"), "ANPA2"));
        assert!(!makes(&json!({"errorCode": "EntityAlreadyExists"}), "ANPA2"));
    }
}
