//! The answer as a whole: what is known, what proves it, and what the logs do not say.

use super::name::Name;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::attribution::{Question, Who, is_address};
use super::bots::Bots;
use super::classify::{Category, Outcome};
use super::entrance::{Entrance, entrances};
use super::event::Event;
use super::footprint::{Read, Resource, footprint, rotation, tampers};
use super::limits::Limit;
use super::lineage::{Lineage, follow};
use super::log_bucket;
use super::named::sessions;
use super::reach::{Counted, Hunt};
use super::renamed::Names;
use handed::Handed;

mod handed;
mod roles;
mod unrecorded;

/// All that the logs say about stolen credentials.
#[derive(Debug, Serialize)]
pub struct Analysis {
    /// The form of this document; a change that breaks readers raises it.
    pub version: u32,
    /// What was asked.
    pub asked: Asked,
    /// Names of sessions of the roles that were asked about, as far as they can have been used since, and of those of users of
    /// IAM Identity Center that the attacker has made.
    #[serde(skip)]
    pub sessions: BTreeSet<String>,
    /// ARNs of roles that services take for what the attacker has told them to do; a name where no record has more.
    #[serde(skip)]
    pub taken_roles: BTreeSet<String>,
    /// What the sessions of machines and functions are called that the attacker has started, changed or has a way into: what
    /// is theirs first.
    #[serde(skip)]
    pub acting: Vec<String>,
    /// Users under the names that they have by now, and those who had other ones.
    #[serde(skip)]
    pub names: Names,
    /// Instances that something of the attacker's has started, with their Regions. AWS has made the calls.
    #[serde(skip)]
    pub started: BTreeMap<String, String>,
    /// The events by which the attacker has made what has started each of those.
    #[serde(skip)]
    pub started_by: BTreeMap<String, String>,
    /// Those of which that event can be the owner's all the same, because nobody knows when the credential was stolen.
    #[serde(skip)]
    pub started_in_doubt: BTreeSet<String>,
    /// Regions in which the attacker has made something that starts instances.
    #[serde(skip)]
    pub starting_in: BTreeSet<String>,
    /// ARNs of roles that the attacker has made.
    #[serde(skip)]
    pub made_roles: BTreeSet<String>,
    /// ARNs of identity providers and trust anchors that vouch for whom the attacker likes.
    #[serde(skip)]
    pub providers: BTreeSet<String>,
    /// The doors by which sessions that the attacker holds were taken from outside their account.
    pub entrances: Vec<Entrance>,
    /// What the logs cover.
    pub covered: Covered,
    /// The credentials that the attacker has held, the stolen ones first.
    pub credentials: Vec<Held>,
    /// How many.
    pub events: Counts,
    /// Addresses that the attacker has called from.
    pub addresses: Vec<Name>,
    /// What the attacker did, in order of time.
    pub actions: Vec<Action>,
    /// What of it is left.
    pub footprint: Vec<Resource>,
    /// Secrets and parameters that were read.
    pub rotate: Vec<Read>,
    /// Calls that switched off logging or detection, or tried to: event ids.
    pub tampering: Vec<Name>,
    /// Calls that are not the attacker's, though they are of the same credentials or touch the same things.
    pub others: Vec<Action>,
    /// What cannot be known from these logs.
    pub not_recorded: Vec<NotRecorded>,
    /// Where this answer is cut, a sentence each.
    pub cut: Vec<String>,
    /// Files and records that could not be read, a sentence each.
    pub unreadable: Vec<String>,
}

/// What was asked.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// The stolen access keys.
    pub credentials: Vec<String>,
    /// ARNs of those who are taken for stolen though no key is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// When they were stolen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Which sessions are the bot's own.
    #[serde(skip)]
    pub bots: Bots,
}

/// What the logs cover.
#[derive(Debug, Serialize)]
pub struct Covered {
    /// The earliest record.
    pub from: Option<String>,
    /// The latest.
    pub to: Option<String>,
    /// Regions with records.
    pub regions: Vec<String>,
    /// Accounts with records.
    pub accounts: Vec<String>,
    /// Sources with data events.
    pub data_events_of: Vec<String>,
}

/// A credential that the attacker has held.
#[derive(Debug, Serialize)]
pub struct Held {
    /// The access key; `None` for a console session.
    pub access_key_id: Option<Name>,
    /// What it is called in the lineage.
    #[serde(skip)]
    pub name: Name,
    /// Whose it is.
    pub principal: Option<Name>,
    /// How it was reached; `None` for the stolen ones.
    pub reached_by: Option<ReachedBy>,
    /// Its calls.
    pub events: u64,
    /// Its distance from a stolen one.
    pub depth: usize,
}

/// How a credential was reached.
#[derive(Debug, Serialize)]
pub struct ReachedBy {
    /// From which other.
    pub from: Name,
    /// By what.
    pub how: Name,
    /// The event that proves it.
    pub event_id: Name,
}

/// How many.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Records read.
    pub read: u64,
    /// Records that could not be read.
    pub unreadable: u64,
    /// Of what matters here, records that stand in the logs more than once; they count once.
    pub duplicates: u64,
    /// The attacker's calls.
    pub attributed: u64,
    /// Those that changed something.
    pub succeeded_mutations: u64,
    /// Those that AWS refused.
    pub denied: u64,
    /// Those that did not work for another reason.
    pub failed: u64,
    /// Calls of the same credentials that are their owner's.
    pub owner: u64,
    /// Calls that AWS made in their name.
    pub aws: u64,
    /// Calls of the team.
    pub responder: u64,
    /// Calls of others that touched the same things.
    pub other: u64,
}

/// One call.
#[derive(Debug, Serialize)]
pub struct Action {
    /// The event's id.
    pub event_id: Name,
    /// The id of the same call's record in the other account's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin_event_id: Option<Name>,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// The access key that it was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<Name>,
    /// Who called, as an ARN.
    pub principal: Name,
    /// `iam.amazonaws.com`
    #[serde(serialize_with = "whole_source")]
    pub event_source: Name,
    /// Without its version.
    pub event_name: Name,
    /// How it went.
    pub outcome: Outcome,
    /// Why not.
    #[serde(skip_serializing_if = "is_empty")]
    pub error: Name,
    /// What it means.
    pub category: Category,
    /// ATT&CK v18.
    #[serde(serialize_with = "listed")]
    pub attack_v18: &'static str,
    /// ATT&CK v19.
    #[serde(serialize_with = "listed")]
    pub attack_v19: &'static str,
    /// Whether only its verb says what it means.
    pub by_verb: bool,
    /// Whether it changes something.
    pub changes: bool,
    /// Whose it is.
    pub who: Who,
    /// Why.
    pub why: Name,
    /// What else a person has to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Name>,
    /// The account whose log has it.
    pub account: Name,
    /// The Region.
    pub region: Name,
    /// Where it came from.
    pub address: Name,
    /// What it says it is.
    pub user_agent: Name,
    /// What it touched: `AWS::IAM::User bob`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}

fn listed<S: Serializer>(techniques: &&'static str, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(techniques.split(',').filter(|t| !t.is_empty()))
}

fn whole_source<S: Serializer>(source: &Name, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{source}{}", if source.contains('.') { "" } else { ".amazonaws.com" }))
}

fn is_empty(text: &Name) -> bool {
    text.is_empty()
}

/// Something that cannot be known from these logs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NotRecorded {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}

impl Analysis {
    /// Works it out from what a hunt has kept. `unreadable` is what could not be read, a sentence each.
    pub fn of(question: &Question, hunt: Hunt, unreadable: Vec<String>) -> Self {
        let Hunt { mut events, counted, duplicates, coverage, limits, mut met, .. } = hunt;
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        let lineage = follow(question, &events);
        if lineage.cut {
            met.insert(Limit::Ways);
        }
        let mut sessions = sessions(&question.principals, &events, question.since);
        let handed = Handed::of(&events, &lineage);
        sessions.extend(handed.directory_users);
        let mut counts =
            Counts { read: coverage.read, unreadable: coverage.unreadable, duplicates, ..Counts::default() };
        let (mut actions, mut others, mut tampering) = (Vec::new(), Vec::new(), Vec::new());
        let mut twins: Vec<Option<Name>> = vec![None; events.len()];
        for (at, twin_of) in lineage.twin_of.iter().enumerate() {
            if let Some(first) = twin_of {
                twins[*first] = Some(Name::clone(&events[at].id));
            }
        }
        for (at, event) in events.iter().enumerate() {
            if lineage.twin_of[at].is_some() {
                continue;
            }
            count(&mut counts, event, lineage.verdicts[at].who);
            let who = lineage.verdicts[at].who;
            if who.is_attacker() && (tampers(event) || log_bucket::tampers(event, &coverage.log_buckets)) {
                tampering.push(Name::clone(&event.id));
            }
            let list = if who.is_attacker() { &mut actions } else { &mut others };
            if !who.is_attacker() && list.len() >= limits.others {
                met.insert(Limit::Others);
            } else {
                list.push(action(at, event, &lineage, twins[at].take()));
            }
        }
        let cut = limits.in_words(&met, counted.values().map(|c| c.events).sum());
        let credentials: Vec<Held> = held(&lineage, &events);
        count_cut(&mut counts, &counted, &lineage);
        let footprint = footprint(&events, &lineage, &question.bots);
        let rotate = rotation(&footprint, &events, &lineage);
        let not_recorded = unrecorded::missing(question, &coverage, &events, &lineage);
        let addresses = attacker_addresses(&events, &lineage);
        Self {
            version: 1,
            asked: Asked {
                credentials: question.credentials.clone(),
                principals: question.principals.iter().map(|named| named.arn().to_owned()).collect(),
                since: question.since,
                bots: question.bots.clone(),
            },
            sessions,
            taken_roles: handed.taken_roles,
            acting: handed.owned.into_iter().chain(handed.entered).collect(),
            names: Names::of(&events),
            started: handed.started,
            started_by: handed.started_by,
            started_in_doubt: handed.started_in_doubt,
            starting_in: handed.starting_in,
            made_roles: handed.made_roles,
            providers: handed.providers,
            entrances: entrances(&events, &lineage),
            covered: Covered {
                from: coverage.first,
                to: coverage.last,
                regions: coverage.regions.into_iter().collect(),
                accounts: coverage.accounts.into_iter().collect(),
                data_events_of: coverage.data_sources.into_iter().collect(),
            },
            credentials,
            events: counts,
            addresses,
            actions,
            footprint,
            rotate,
            tampering,
            others,
            not_recorded,
            cut,
            unreadable,
        }
    }
}

/// Addresses that the attacker has called from.
fn attacker_addresses(events: &[Event], lineage: &Lineage) -> Vec<Name> {
    let mut addresses: Vec<Name> = events
        .iter()
        .zip(&lineage.verdicts)
        .filter(|(event, verdict)| verdict.who == Who::Attacker && is_address(&event.address))
        .map(|(event, _)| Name::clone(&event.address))
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn held(lineage: &Lineage, events: &[Event]) -> Vec<Held> {
    let name = |place: usize| Name::clone(&lineage.credentials[place].id);
    let one = |credential: &super::lineage::Credential| Held {
        access_key_id: credential.is_key.then(|| Name::clone(&credential.id)),
        name: Name::clone(&credential.id),
        principal: credential.principal.clone(),
        reached_by: credential.reached_by.as_ref().map(|edge| ReachedBy {
            from: name(edge.from),
            how: Name::clone(&edge.how),
            event_id: Name::clone(&events[edge.event].id),
        }),
        events: credential.events,
        depth: credential.depth,
    };
    lineage.credentials.iter().map(one).collect()
}

fn count(counts: &mut Counts, event: &Event, who: Who) {
    match who {
        Who::Attacker | Who::AttackerThroughAws => {
            counts.attributed += 1;
            match event.outcome {
                Outcome::Succeeded => counts.succeeded_mutations += u64::from(event.changes),
                Outcome::Denied => counts.denied += 1,
                Outcome::Failed => counts.failed += 1,
            }
        }
        Who::Owner => counts.owner += 1,
        Who::Aws => counts.aws += 1,
        Who::Responder => counts.responder += 1,
        Who::Other => counts.other += 1,
    }
}

/// Calls that were only counted go by their credential.
fn count_cut(counts: &mut Counts, counted: &BTreeMap<(String, String), Counted>, lineage: &Lineage) {
    let held: std::collections::HashSet<&str> = lineage.credentials.iter().map(|c| c.id.as_ref()).collect();
    for ((key, _), calls) in counted.iter().filter(|((key, _), _)| held.contains(key.as_str())) {
        debug_assert!(!key.is_empty(), "a held credential has a name");
        counts.attributed += calls.events;
        counts.succeeded_mutations += calls.succeeded_mutations;
        counts.denied += calls.denied;
    }
}

fn action(at: usize, event: &Event, lineage: &Lineage, twin_event_id: Option<Name>) -> Action {
    let verdict = &lineage.verdicts[at];
    Action {
        event_id: Name::clone(&event.id),
        twin_event_id,
        at: event.at,
        access_key_id: (!event.caller.key.is_empty()).then(|| Name::clone(&event.caller.key)),
        principal: Name::clone(if event.caller.arn.is_empty() {
            &event.caller.principal_id
        } else {
            &event.caller.arn
        }),
        event_source: Name::clone(&event.source),
        event_name: Name::clone(&event.name),
        outcome: event.outcome,
        error: Name::clone(&event.error),
        category: event.meaning.category,
        attack_v18: event.meaning.attack_v18,
        attack_v19: event.meaning.attack_v19,
        by_verb: !event.meaning.named,
        changes: event.changes,
        who: verdict.who,
        why: Name::clone(&verdict.why),
        note: event.note.clone(),
        account: Name::clone(&event.account),
        region: Name::clone(&event.region),
        address: Name::clone(&event.address),
        user_agent: Name::clone(&event.agent),
        resources: event.touches.iter().map(|touch| format!("{} {}", touch.kind, touch.id)).collect(),
    }
}
