//! From the records of a search to what the incident remembers of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::super::id::AccountId;
use super::super::trail::analysis::{Action, Analysis, Held};
use super::super::trail::attribution::Question;
use super::super::trail::classify::Outcome;
use super::super::trail::footprint::{Resource, State};
use super::super::trail::limits::{Limit, Limits};
use super::super::trail::reach::{Hunt, Scout};
use super::super::trail::record::{Record, moment};
use super::super::trail::resource::{Effect, takes_data};
use super::redaction::has_lost;
use super::renamed::renamed;
use super::{Call, Hunted, Living, Proved, Reached, Trace};

mod sessions;

/// Times that the records are gone through again, at most.
const ROUNDS_MAX: usize = 16;
/// Credentials, resources and other things that are remembered. Whoever does more of anything is told of.
const CREDENTIALS_MAX: usize = 200;
const TRACES_MAX: usize = 300;
const LISTED_MAX: usize = 500;
/// Kinds of things on which containment acts; those of others must not push them out.
const VITAL: [&str; 5] =
    ["AWS::IAM::", "AWS::CloudTrail::", "AWS::GuardDuty::", "AWS::Lambda::Permission", "AWS::RolesAnywhere::"];
/// Objects that are named of those that were read from one place.
const NAMED_MAX: usize = 5;
/// Events that are named for one resource: the first ones, and the last.
const EVIDENCE_MAX: usize = 10;
/// Calls that are looked at for what came after the containment, the newest first: of those that worked, as many that
/// failed, and as many that were denied.
const CALLS_MAX: usize = 5_000;
/// Longest id or ARN that is remembered, in characters.
const TEXT_CHARS_MAX: usize = 600;

/// Works out what records, by event id, say about what was stolen.
pub fn analyse(question: &Question, records: &BTreeMap<String, String>) -> Analysis {
    let mut hunt = Hunt::new(question, Limits::default());
    let mut scout = Scout::new(&Limits::default());
    let (mut known, mut unreadable, mut is_whole) = (0, 0, false);
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
        is_whole = !findings.has_any(&fingerprints);
        if is_whole {
            break;
        }
    }
    if !is_whole {
        hunt.met.insert(Limit::Rounds);
    }
    let problems = if unreadable > 0 { vec![format!("{unreadable} records could not be read")] } else { Vec::new() };
    Analysis::of(question, hunt, problems)
}

/// What is left out of what the incident remembers, a sentence each.
#[derive(Default)]
struct LeftOut {
    why: Vec<String>,
    short: bool,
}

impl LeftOut {
    /// The first so many of a list, which is said to be cut where it is.
    fn first<T>(&mut self, things: impl Iterator<Item = T>, what: &str) -> Vec<T> {
        let mut things: Vec<T> = things.collect();
        if things.len() > LISTED_MAX {
            self.why.push(format!("{} more {what} than are listed ({LISTED_MAX}).", things.len() - LISTED_MAX));
            things.truncate(LISTED_MAX);
        }
        things
    }

    /// Something is not known that the containment may have to reach.
    fn lacks(&mut self, why: String) {
        self.why.push(why);
        self.short = true;
    }
}

/// What the incident remembers of an analysis, and whether something is left out that containment may have to reach: then
/// nothing proves it. `records` are by event id.
pub fn hunted(analysis: &Analysis, records: &BTreeMap<String, String>) -> (Hunted, bool) {
    let why = analysis.cut.iter().chain(&analysis.unreadable).cloned().collect();
    let mut left_out = LeftOut { why, short: !analysis.cut.is_empty() };
    lost(analysis, records, &mut left_out);
    let credentials = credentials(analysis, &mut left_out);
    let footprint = traces(analysis, &mut left_out);
    let rotate = analysis.rotate.iter().map(|read| Proved {
        what: bounded(&format!("{} {}", read.resource_type, read.id)),
        // Of several the last: a value that was changed before it is known to them anew.
        event_id: read.evidence.last().cloned().unwrap_or_default(),
    });
    let rotate = left_out.first(rotate, "secrets and parameters were read");
    let named: HashMap<&str, &Action> = analysis.actions.iter().map(|action| (&*action.event_id, action)).collect();
    let tampering = analysis.tampering.iter().map(|id| Proved {
        what: named.get(id.as_ref()).map(|action| what(action)).unwrap_or_default(),
        event_id: id.to_string(),
    });
    let tampering = left_out.first(tampering, "calls switched off logging or detection");
    // Those that live the longest matter most.
    let living = |held: &Held| sessions::living(held, records);
    let mut sessions: Vec<Living> = analysis.credentials.iter().filter_map(living).collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.until));
    sessions.truncate(LISTED_MAX);
    let gaps = analysis.not_recorded.iter().map(|gap| bounded(&format!("{}: {}", gap.what, gap.why)));
    let not_recorded = left_out.first(gaps, "things are not recorded");
    let addresses = left_out.first(analysis.addresses.iter().map(|address| bounded(address)), "addresses were used");
    let data = left_out.first(data(analysis).into_iter(), "places were read");
    let beside = left_out.first(beside(analysis, records).into_iter(), "credentials were used from these addresses");
    let entrances = left_out.first(analysis.entrances.iter().cloned(), "ways in from outside the account were used");
    let started = analysis.started.iter().map(|(id, region)| (id.clone(), region.clone()));
    let started: BTreeMap<String, String> =
        left_out.first(started, "instances were started by what the attacker has made").into_iter().collect();
    let by = analysis.started_by.iter().filter(|(id, _)| started.contains_key(*id));
    let started_by = by.map(|(id, event_id)| (id.clone(), event_id.clone())).collect();
    let doubtful = analysis.started_in_doubt.iter().filter(|id| started.contains_key(*id));
    let started_in_doubt = doubtful.cloned().collect();
    let found = Hunted {
        credentials,
        footprint,
        rotate,
        tampering,
        sessions,
        taken_at: sessions::taken_at(analysis, records),
        called_like_instances: sessions::called_like_instances(analysis, records),
        data,
        addresses,
        beside,
        not_recorded,
        entrances,
        renamed: renamed(analysis),
        started,
        started_by,
        started_in_doubt,
        not_known: left_out.why,
        events_read: records.len() as u64,
        newest_at: analysis.covered.to.as_deref().and_then(moment),
        ..Hunted::default()
    };
    (found, left_out.short)
}

/// Calls of the attacker's that worked and of which is not known what they were about.
fn lost(analysis: &Analysis, records: &BTreeMap<String, String>, left_out: &mut LeftOut) {
    let worked = analysis.actions.iter().filter(|action| action.outcome == Outcome::Succeeded);
    let lost: Vec<&Action> =
        worked.filter(|action| records.get(&*action.event_id).is_some_and(|text| has_lost(text))).collect();
    if let Some(first) = lost.first() {
        left_out.lacks(format!(
            "What {} call(s) were given and gave back is too long for the record, so what they made or changed is not \
             known: {} (event {}) is the first.",
            lost.len(),
            what(first),
            first.event_id
        ));
    }
}

/// The credentials that the attacker has held: the stolen ones, then what lasts, then one session of everybody, then the
/// other sessions. Those cost nothing to make, and one step contains all of the same user or role.
fn credentials(analysis: &Analysis, left_out: &mut LeftOut) -> Vec<Reached> {
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
    let all: Vec<Reached> = analysis.credentials.iter().map(reached).collect();
    let mut seen: BTreeSet<Option<(&str, &str)>> = BTreeSet::new();
    let one_more = |one: &Reached, first: bool| one.how.is_some() && one.is_session() && !first;
    let more: Vec<bool> = all.iter().map(|one| one_more(one, !one.is_session() || seen.insert(one.whose()))).collect();
    let rank = |at: usize| (more[at], all[at].how.is_some() && all[at].is_session());
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| rank(*at));
    let cut = order.split_off(order.len().min(CREDENTIALS_MAX));
    let vital = cut.iter().filter(|at| !more[**at]).count();
    if vital > 0 {
        left_out.lacks(format!("{vital} more credentials were reached than are listed ({CREDENTIALS_MAX})."));
    }
    if cut.len() > vital {
        left_out.why.push(format!(
            "{} more sessions were reached than are listed, of users and roles of which others are: what revokes those \
             revokes these.",
            cut.len() - vital
        ));
    }
    order.sort_unstable();
    order.into_iter().map(|at| all[at].clone()).collect()
}

/// What the attacker made, changed or deleted; where that is too much, some of each kind, and first of those on which
/// containment acts.
fn traces(analysis: &Analysis, left_out: &mut LeftOut) -> Vec<Trace> {
    let touched: Vec<&Resource> =
        analysis.footprint.iter().filter(|resource| resource.effect != Effect::Read).collect();
    let mut of_kind: HashMap<(bool, &str), usize> = HashMap::new();
    let mut ranks: Vec<(bool, bool, usize)> = Vec::with_capacity(touched.len());
    for resource in &touched {
        let kind = resource.resource_type.as_str();
        // Nothing is to be done about it any more: what has been removed makes room for what has not.
        let is_gone = resource.made_by_attacker && resource.state == State::Deleted;
        let place = of_kind.entry((is_gone, kind)).or_default();
        *place += 1;
        ranks.push((is_gone, !VITAL.iter().any(|vital| kind.starts_with(vital)), *place));
    }
    let mut order: Vec<usize> = (0..touched.len()).collect();
    order.sort_by_key(|at| ranks[*at]);
    if order.len() > TRACES_MAX {
        let more = order[TRACES_MAX..].iter().filter(|at| !ranks[**at].0).count();
        if more > 0 {
            left_out.lacks(format!("{more} more resources were made and changed than are listed ({TRACES_MAX})."));
        }
        order.truncate(TRACES_MAX);
    }
    order.sort_unstable();
    order.into_iter().map(|at| trace(touched[at])).collect()
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
    places.into_iter().map(line).collect()
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
        let (address, Some(key)) = (record.place(), record.user_identity.access_key_id.as_deref()) else { continue };
        if record.user_identity.arn.as_deref().is_some_and(|arn| analysis.asked.bots.has(arn)) {
            continue;
        }
        if key.is_empty() || !theirs.contains(address.as_ref()) || held.contains(key) || judged.contains(id.as_str()) {
            continue;
        }
        let whose = record.user_identity.arn.as_deref().unwrap_or("somebody");
        found.entry(key.to_owned()).or_insert_with(|| Proved {
            what: bounded(&format!("{key} of {whose}, from {address}")),
            event_id: id.clone(),
        });
    }
    found.into_values().collect()
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
        made: resource.made.clone().filter(|_| resource.made_by_attacker),
        newest: resource.newest.clone(),
        deleted_by_attacker: resource.state == State::Deleted && resource.state_by.is_attacker(),
        in_doubt: resource.in_doubt.clone(),
    }
}

/// What AWS says to whoever it does not know: such a call has not come far enough to be let through or denied.
const UNKNOWN_CALLER: [&str; 10] = [
    "ExpiredToken",
    "InvalidClientTokenId",
    "UnrecognizedClient",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignature",
    "IncompleteSignature",
    "AuthFailure",
    "RequestExpired",
    "Failed authentication",
];

/// The attacker's newest calls, the earliest first. One that failed for another reason than a denial may have been let
/// through, and says why it failed.
pub fn calls(analysis: &Analysis) -> Vec<Call> {
    let judged = analysis.actions.iter().filter(|action| action.who.is_attacker()).filter_map(|action| {
        let unknown = || UNKNOWN_CALLER.iter().any(|code| action.error.contains(code));
        let error = (action.outcome == Outcome::Failed && !unknown()).then(|| bounded(&action.error));
        Some(Call {
            at: action.at?,
            event_id: action.event_id.to_string(),
            what: what(action),
            access_key_id: action.access_key_id.as_ref().map(|key| bounded(key)),
            principal: bounded(&action.principal),
            region: bounded(&action.region),
            worked: action.outcome == Outcome::Succeeded,
            error,
        })
    });
    // Thousands of calls that do not work cost an attacker nothing: they must not push out the one that did.
    let (mut worked, others): (Vec<Call>, Vec<Call>) = judged.partition(|call| call.worked);
    let (failed, denied): (Vec<Call>, Vec<Call>) = others.into_iter().partition(|call| call.error.is_some());
    worked.drain(..worked.len().saturating_sub(CALLS_MAX));
    for rest in [failed, denied] {
        worked.extend_from_slice(&rest[rest.len().saturating_sub(CALLS_MAX)..]);
    }
    worked.sort_by_key(|call| call.at);
    worked
}

#[cfg(test)]
mod tests;
