//! Kinds of which AWS does not say when they were made, and that are listed for themselves all the same: with the event that
//! explains each, or as state only. Most of them are older than the compromise. What reaches outside the account, or to what the
//! attacker has, is for a person to look at whenever it was made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::hunt::Trace;
use super::super::trail::footprint::State;
use super::super::trail::record::Record;
use super::super::trail::resource::{at, items, qualified};
use super::super::trail::token::{account_of, bare_name};
use super::super::trail::within::{DEFAULT, event_bus, parts};
use super::puts::Puts;
use super::{Explained, Stock, Thing, rank, strangers};

/// A rule of `EventBridge`.
pub const RULE: &str = "AWS::Events::Rule";
/// A statement of a function's policy; which one is the part.
pub const PERMISSION: &str = "AWS::Lambda::Permission";
/// An event bus.
pub const BUS: &str = "AWS::Events::EventBus";
/// A statement of an event bus's policy; which one is the part.
pub const BUS_PERMISSION: &str = "AWS::Events::EventBusPolicy";
const FUNCTION: &str = "AWS::Lambda::Function";
const ROLE: &str = "AWS::IAM::Role";
/// The calls that make them, as they are written in the trail: it knows them by no name of theirs.
const RULE_CALLS: [&str; 2] = ["PutRule", "PutTargets"];
const PERMISSION_CALLS: [&str; 1] = ["AddPermission20150331v2"];
const BUS_PERMISSION_CALLS: [&str; 1] = ["PutPermission"];

/// Whether a thing is listed for itself though it has no time of making.
pub fn is_listed(thing: &Thing) -> bool {
    thing.created_at.is_none() && matches!(thing.resource_type.as_str(), RULE | PERMISSION | BUS_PERMISSION)
}

/// By which calls the trail is asked about such a thing; `None` for every other kind.
pub(super) fn calls(thing: &Thing) -> Option<&'static [&'static str]> {
    match thing.resource_type.as_str() {
        RULE => Some(&RULE_CALLS),
        PERMISSION => Some(&PERMISSION_CALLS),
        BUS_PERMISSION => Some(&BUS_PERMISSION_CALLS),
        _ => None,
    }
}

/// Of which the trail is to be asked: what is not in the footprint, and has no event yet.
pub fn to_explain<'a>(stock: &'a Stock, account: &str, footprint: &[Trace], known: &BTreeSet<String>) -> Vec<Puts<'a>> {
    let open = |thing: &&Thing| is_listed(thing) && !thing.is_in(footprint) && !known.contains(&thing.key());
    let reaches = |arn: &&String| is_foreign(arn, account) || footprint.iter().any(|trace| is_of(trace, arn));
    let open = stock.undated.iter().filter(open);
    let aims = |thing: &Thing| match &thing.lets_in {
        // A call of its id that lets in somebody else has put another in its place.
        Some(whom) => vec![whom.clone()],
        None => aims_of(stock, &thing.key()).iter().filter(reaches).cloned().collect(),
    };
    open.map(|thing| Puts::new(thing, aims(thing))).collect()
}

/// What an event has explained that is not as it was then: it reaches by now where somebody has to look at it. That it was
/// put once says nothing about that. Of what an older version has explained nobody knows as what. What is the attacker's stays
/// so: asking again could only lose it.
pub fn outgrown(explained: &[Explained], stock: &Stock, footprint: &[Trace]) -> BTreeSet<String> {
    let explained = explained.iter().filter(|one| is_listed(&one.thing) && !one.evidence.attackers);
    let explained: BTreeMap<String, &Explained> = explained.map(|one| (one.thing.key(), one)).collect();
    let outgrown = |thing: &Thing| {
        let key = thing.key();
        let then = explained.get(&key)?;
        let now = beside(thing.clone(), aims_of(stock, &key), footprint);
        (now.exposed && (now.facts != then.thing.facts || then.evidence.at.is_none())).then_some(key)
    };
    stock.undated.iter().filter_map(outgrown).collect()
}

fn aims_of<'a>(stock: &'a Stock, key: &str) -> &'a [String] {
    stock.aims.get(key).map_or(&[][..], Vec::as_slice)
}

/// What a person has to look at comes first, and then what lets somebody in.
pub(super) fn order(thing: &Thing) -> (bool, u8, String) {
    (!thing.exposed, rank(thing), thing.key())
}

/// A rule with what it calls and the roles that it acts as. What is of another account is for a person to look at.
#[must_use]
pub fn aimed(rule: Thing, account: &str, aims: &[String]) -> Thing {
    aims.iter().fold(rule, |rule, arn| {
        if is_foreign(arn, account) {
            rule.exposing(format!("{} {arn}, which is of another account", verb(arn)))
        } else {
            rule.fact(format!("{} {}", verb(arn), short(arn)))
        }
    })
}

/// Whether it is of another account.
fn is_foreign(arn: &str, account: &str) -> bool {
    let of = account_of(arn);
    !of.is_empty() && of != account
}

/// What a call has a rule call, or act as; whom it lets in, where it puts a statement of an event bus's policy.
pub(super) fn put_aims(thing: &Thing, record: &Record<'_>, request: &Value) -> Vec<String> {
    if thing.resource_type == BUS_PERMISSION {
        let account = record.recipient_account_id.as_deref().unwrap_or("");
        return strangers::put(request, thing.part.as_deref().unwrap_or_default(), account);
    }
    ["targets[].arn", "targets[].roleArn", "roleArn"].into_iter().flat_map(|path| at(request, path)).collect()
}

/// With what of the attacker's it calls, or acts as.
#[must_use]
pub(super) fn beside(thing: Thing, aims: &[String], footprint: &[Trace]) -> Thing {
    aims.iter().fold(thing, |thing, arn| match footprint.iter().find(|trace| is_of(trace, arn)) {
        Some(trace) => {
            let did = if trace.made_by_attacker { "made" } else { "changed" };
            thing.exposing(format!("{} {}, which the attacker has {did}", verb(arn), short(arn)))
        }
        None => thing,
    })
}

fn verb(arn: &str) -> &'static str {
    if arn.contains(":role/") { "acts as" } else { "calls" }
}

/// `arn:aws:lambda:us-east-1:111122223333:function:sync` as `lambda function:sync`.
fn short(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or(arn);
    parts.nth(2).map_or_else(|| service.to_owned(), |rest| format!("{service} {rest}"))
}

/// Whether an ARN is of a function or role of the footprint that is still there.
fn is_of(trace: &Trace, arn: &str) -> bool {
    let theirs = trace.state == State::Modified || (trace.state == State::Present && trace.made_by_attacker);
    let named = match trace.resource_type.as_str() {
        // One that is known by an alias of it too.
        FUNCTION => {
            let name = bare_name(&trace.id).split(':').next().unwrap_or_default();
            arn.contains(":function:") && bare_name(arn) == name && arn.split(':').nth(3) == Some(trace.region.as_str())
        }
        ROLE => arn.contains(":role/") && bare_name(arn) == bare_name(&trace.id),
        _ => false,
    };
    theirs && named
}

/// Whether the attacker has put this very statement into a function's policy.
pub(super) fn is_granted(permission: &Thing, trace: &Trace) -> bool {
    let statement = permission.part.as_deref().unwrap_or_default();
    permission.resource_type == PERMISSION
        && trace.resource_type == FUNCTION
        && trace.region == permission.region
        && bare_name(&trace.id) == permission.id
        && trace
            .deeds
            .iter()
            .any(|deed| deed.by_attacker && deed.operation == "AddPermission" && deed.what == statement)
}

/// Whether a call is about this very one. Its name can be anything, and stand anywhere in a call about another.
pub(super) fn is_named(thing: &Thing, record: &Record<'_>, request: &Value) -> bool {
    match thing.resource_type.as_str() {
        RULE => is_rule(thing, record, request),
        BUS_PERMISSION => is_bus_permission(thing, record, request),
        _ => is_permission(thing, record, request),
    }
}

/// Another bus has another rule of that name.
fn is_rule(thing: &Thing, record: &Record<'_>, request: &Value) -> bool {
    let named = if record.name() == "PutRule" { "name" } else { "rule" };
    let (bus, name) = parts(RULE, &thing.id);
    record.source() == "events"
        && bus_of(record, request).as_deref() == bus
        && first(request, named).as_deref() == Some(name)
}

/// One call puts one statement, or a whole policy.
fn is_bus_permission(thing: &Thing, record: &Record<'_>, request: &Value) -> bool {
    let statement = thing.part.as_deref().unwrap_or_default();
    let is_put = first(request, "statementId").map_or_else(
        || first(request, "policy").is_some_and(|policy| has_statement(&policy, statement)),
        |put| put == statement,
    );
    record.source() == "events" && bus_of(record, request).as_deref().unwrap_or(DEFAULT) == thing.id && is_put
}

fn has_statement(policy: &str, wanted: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    items(&policy["Statement"]).iter().any(|statement| strangers::statement_id(statement) == wanted)
}

fn is_permission(thing: &Thing, record: &Record<'_>, request: &Value) -> bool {
    let function = first(request, "functionName").map(|name| qualified(&name, first(request, "qualifier").as_ref()));
    record.source() == "lambda"
        && function.as_deref() == Some(thing.id.as_str())
        && first(request, "statementId").as_deref() == thing.part.as_deref()
}

/// The event bus that a call is about; none where that is the account's default one.
fn bus_of(record: &Record<'_>, request: &Value) -> Option<String> {
    let account = record.recipient_account_id.as_deref().unwrap_or("");
    event_bus(account, &first(request, "eventBusName")?)
}

fn first(request: &Value, path: &str) -> Option<String> {
    at(request, path).into_iter().next()
}
