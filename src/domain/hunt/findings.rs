//! From the records of a search to what the incident remembers of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::super::id::AccountId;
use super::super::trail::analysis::{Action, Analysis, Held};
use super::super::trail::attribution::{Question, Who, is_bot};
use super::super::trail::classify::Outcome;
use super::super::trail::footprint::Resource;
use super::super::trail::reach::{Hunt, Scout};
use super::super::trail::record::{Record, moment};
use super::super::trail::resource::{Effect, takes_data};
use super::{Call, Hunted, Living, Proved, Reached, Trace};

/// Times that the records are gone through again, at most.
const ROUNDS_MAX: usize = 16;
/// Credentials, resources and other things that are remembered.
const CREDENTIALS_MAX: usize = 200;
const TRACES_MAX: usize = 300;
const LISTED_MAX: usize = 50;
/// Objects that are named of those that were read from one place.
const NAMED_MAX: usize = 5;
/// Events that are named for one resource: the first ones, and the last.
const EVIDENCE_MAX: usize = 10;
/// Calls that are looked at for what came after the containment, the newest first: of those that worked, and as many that
/// were denied.
const CALLS_MAX: usize = 5_000;
/// Longest id or ARN that is remembered, in characters.
const TEXT_CHARS_MAX: usize = 600;
/// The longest that a session can live whose request does not say: of a role, and of a user.
const ROLE_SESSION_MAX: TimeDelta = TimeDelta::hours(12);
const USER_SESSION_MAX: TimeDelta = TimeDelta::hours(36);

/// Works out what records, by event id, say about what was stolen.
pub fn analyse(question: &Question, records: &BTreeMap<String, String>) -> Analysis {
    let mut hunt = Hunt::new(question);
    let mut scout = Scout::default();
    let (mut known, mut unreadable) = (0, 0);
    for round in 0..ROUNDS_MAX {
        if round > 0 {
            scout.again();
        }
        for (text, number) in records.values().zip(0_u64..) {
            let Ok(element) = serde_json::from_str::<Record<'_>>(text) else {
                unreadable += u32::from(round == 0);
                continue;
            };
            let looked = Record::read(&element, |record| {
                scout.learn(hunt.news(scout.learned()));
                if let Some((traits, by)) = scout.look(record) {
                    hunt.keep(record, traits, by, (0, number));
                }
            });
            unreadable += u32::from(round == 0 && looked.is_err());
        }
        let mut findings = scout.bring_back();
        hunt.absorb(&mut findings);
        let fingerprints = hunt.follow(known);
        known = hunt.learned();
        if !findings.has_any(&fingerprints) {
            break;
        }
    }
    let problems = if unreadable > 0 { vec![format!("{unreadable} records could not be read")] } else { Vec::new() };
    Analysis::of(question, hunt, problems)
}

/// What the incident remembers of an analysis. `records` are by event id.
pub fn hunted(analysis: &Analysis, records: &BTreeMap<String, String>) -> Hunted {
    let mut last_worked: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for action in analysis.actions.iter().filter(|action| action.outcome == Outcome::Succeeded) {
        if let (Some(key), Some(at)) = (&action.access_key_id, action.at) {
            let last = last_worked.entry(key).or_insert(at);
            *last = at.max(*last);
        }
    }
    let reached = |held: &Held| Reached {
        access_key_id: held.access_key_id.as_ref().map(|key| bounded(key)),
        principal: held.principal.as_ref().map(|arn| bounded(arn)),
        how: held.reached_by.as_ref().map(|by| bounded(&by.how)),
        event_id: held.reached_by.as_ref().map(|by| by.event_id.to_string()),
        last_worked_at: held.access_key_id.as_deref().and_then(|key| last_worked.get(key).copied()),
    };
    let mut not_known: Vec<String> = analysis.cut.iter().chain(&analysis.unreadable).cloned().collect();
    let credentials: Vec<Reached> = analysis.credentials.iter().take(CREDENTIALS_MAX).map(reached).collect();
    if analysis.credentials.len() > CREDENTIALS_MAX {
        not_known.push(format!("More credentials were reached than are listed ({CREDENTIALS_MAX})."));
    }
    let touched = || analysis.footprint.iter().filter(|resource| resource.effect != Effect::Read);
    if touched().count() > TRACES_MAX {
        not_known.push(format!("More was made and changed than is listed ({TRACES_MAX} resources)."));
    }
    let rotate = analysis.rotate.iter().take(LISTED_MAX).map(|read| Proved {
        what: bounded(&format!("{} {}", read.resource_type, read.id)),
        event_id: read.evidence.first().cloned().unwrap_or_default(),
    });
    let named: HashMap<&str, &Action> = analysis.actions.iter().map(|action| (&*action.event_id, action)).collect();
    let tampering = analysis.tampering.iter().take(LISTED_MAX).map(|id| Proved {
        what: named.get(id.as_ref()).map(|action| what(action)).unwrap_or_default(),
        event_id: id.to_string(),
    });
    Hunted {
        credentials,
        footprint: touched().take(TRACES_MAX).map(trace).collect(),
        not_known,
        rotate: rotate.collect(),
        tampering: tampering.collect(),
        sessions: analysis.credentials.iter().filter_map(|held| living(held, records)).take(LISTED_MAX).collect(),
        off: [].into(),
        data: data(analysis),
        addresses: analysis.addresses.iter().take(LISTED_MAX).map(|address| bounded(address)).collect(),
        beside: beside(analysis, records),
        not_recorded: analysis
            .not_recorded
            .iter()
            .take(LISTED_MAX)
            .map(|gap| bounded(&format!("{}: {}", gap.what, gap.why)))
            .collect(),
        without_password: [].into(),
        devices_off: [].into(),
        without_token: [].into(),
        ended: [].into(),
        events_read: records.len() as u64,
        newest_at: analysis.covered.to.as_deref().and_then(moment),
    }
}

/// Where the attacker has read data, other than secrets: those are to be changed, and have a list of their own.
fn data(analysis: &Analysis) -> Vec<Proved> {
    let mut places: BTreeMap<&str, (u64, BTreeSet<&str>, &str)> = BTreeMap::new();
    let read = analysis
        .actions
        .iter()
        .filter(|action| action.outcome == Outcome::Succeeded && takes_data(&action.event_source, &action.event_name));
    for action in read {
        let secret = |what: &str| what.starts_with("AWS::SecretsManager::") || what.starts_with("AWS::SSM::");
        for place in action.resources.iter().filter(|what| !secret(what)) {
            let (calls, named, _) = places.entry(place).or_insert((0, BTreeSet::new(), &action.event_id));
            *calls += 1;
            if named.len() < NAMED_MAX {
                named.extend(action.note.as_deref());
            }
        }
    }
    let line = |(place, (calls, named, event_id)): (&str, (u64, BTreeSet<&str>, &str))| {
        let named: Vec<&str> = named.into_iter().collect();
        let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
        let what = bounded(&format!("{place}, {calls} call(s){named}"));
        Proved { what, event_id: event_id.to_owned() }
    };
    places.into_iter().map(line).take(LISTED_MAX).collect()
}

/// Credentials that cannot be reached from the stolen ones, as far as is known, and were used from the same places as
/// those: they may have been stolen too.
fn beside(analysis: &Analysis, records: &BTreeMap<String, String>) -> Vec<Proved> {
    let theirs: BTreeSet<&str> = analysis.addresses.iter().map(AsRef::as_ref).collect();
    let held: BTreeSet<&str> = analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref()).collect();
    let judged: BTreeSet<&str> =
        analysis.actions.iter().chain(&analysis.others).map(|action| action.event_id.as_ref()).collect();
    let mut found: BTreeMap<String, Proved> = BTreeMap::new();
    for (id, text) in records {
        let Ok(record) = serde_json::from_str::<Record<'_>>(text) else { continue };
        let (Some(address), Some(key)) =
            (record.source_ip_address.as_deref(), record.user_identity.access_key_id.as_deref())
        else {
            continue;
        };
        if record.user_identity.arn.as_deref().is_some_and(is_bot) {
            continue;
        }
        if key.is_empty() || !theirs.contains(address) || held.contains(key) || judged.contains(id.as_str()) {
            continue;
        }
        let whose = record.user_identity.arn.as_deref().unwrap_or("somebody");
        found.entry(key.to_owned()).or_insert_with(|| Proved {
            what: bounded(&format!("{key} of {whose}, from {address}")),
            event_id: id.clone(),
        });
    }
    found.into_values().take(LISTED_MAX).collect()
}

fn bounded(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

fn what(action: &Action) -> String {
    bounded(&format!("{}:{}", action.event_source.trim_end_matches(".amazonaws.com"), action.event_name))
}

fn trace(resource: &Resource) -> Trace {
    let mut evidence: Vec<String> = resource.evidence.iter().take(EVIDENCE_MAX).cloned().collect();
    if let Some(last) = resource.evidence.last().filter(|last| !evidence.contains(last)) {
        evidence.pop();
        evidence.push(last.clone());
    }
    Trace {
        resource_type: resource.resource_type.clone(),
        id: bounded(&resource.id),
        account: resource.account.parse::<AccountId>().ok(),
        region: bounded(&resource.region),
        state: resource.state,
        made_by_attacker: resource.made_by_attacker,
        evidence,
        deeds: resource.deeds.clone(),
    }
}

/// Until when a session can live, by the call that minted it.
fn living(held: &Held, records: &BTreeMap<String, String>) -> Option<Living> {
    let key = held.access_key_id.as_deref().filter(|key| key.starts_with("ASIA"))?;
    let minted: Value = serde_json::from_str(records.get(&*held.reached_by.as_ref()?.event_id)?).ok()?;
    let at = minted["eventTime"].as_str().and_then(moment)?;
    let asked = &minted["requestParameters"]["durationSeconds"];
    let seconds = asked.as_i64().or_else(|| asked.as_str()?.parse().ok()).filter(|s| (0..=129_600).contains(s));
    let of_role = held.principal.as_deref().is_some_and(|arn| arn.contains(":assumed-role/"));
    let longest = if of_role { ROLE_SESSION_MAX } else { USER_SESSION_MAX };
    Some(Living { access_key_id: bounded(key), until: at + seconds.map_or(longest, TimeDelta::seconds) })
}

/// The attacker's newest calls that AWS has let through or denied, the earliest first. A call that failed for
/// another reason says nothing about whether the credential still works.
pub fn calls(analysis: &Analysis) -> Vec<Call> {
    let judged = analysis.actions.iter().filter(|action| action.who == Who::Attacker).filter_map(|action| {
        let worked = match action.outcome {
            Outcome::Succeeded => true,
            Outcome::Denied => false,
            Outcome::Failed => return None,
        };
        Some(Call {
            at: action.at?,
            event_id: action.event_id.to_string(),
            what: what(action),
            access_key_id: action.access_key_id.as_ref().map(|key| bounded(key)),
            principal: bounded(&action.principal),
            region: bounded(&action.region),
            worked,
        })
    });
    // Thousands of calls that are denied cost an attacker nothing: they must not push out the one that worked.
    let (mut worked, denied): (Vec<Call>, Vec<Call>) = judged.partition(|call| call.worked);
    worked.drain(..worked.len().saturating_sub(CALLS_MAX));
    worked.extend_from_slice(&denied[denied.len().saturating_sub(CALLS_MAX)..]);
    worked.sort_by_key(|call| call.at);
    worked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_that_worked_does_not_drown_in_those_that_were_denied() {
        let key = "AKIAIOSFODNN7EXAMPLE";
        let record = |n: usize, denied: bool| {
            let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(n).unwrap());
            let id = format!("e{n:05}");
            let record = json!({
                "eventID": id, "eventTime": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1",
                "recipientAccountId": "111122223333", "sourceIPAddress": "203.0.113.7", "userAgent": "x", "readOnly": false,
                "errorCode": denied.then_some("AccessDenied"),
                "userIdentity": {"type": "IAMUser", "principalId": "AIDACI", "userName": "ci", "accessKeyId": key,
                    "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/ci"},
            });
            (id, record.to_string())
        };
        let records: BTreeMap<String, String> = (0..CALLS_MAX + 10).map(|n| record(n, n != 3)).collect();
        let question = Question { credentials: vec![key.into()], ..Question::default() };
        let calls = calls(&analyse(&question, &records));
        assert_eq!(calls.len(), CALLS_MAX + 1);
        assert!(calls[0].worked && calls[0].event_id == "e00003");
        assert!(calls.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}
