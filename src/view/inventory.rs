//! The card of the inventory: what exists in the account that no event explains, and how much was looked at.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::blocks::{Look, actions, button, code, confirmed, context, cut, escape, header, section, summary, time};
use crate::domain::id::UserId;
use crate::domain::incident::inventory::{SHOWN_MAX, Taken, by_attackers, shown, to_look_at};
use crate::domain::incident::state::Incident;
use crate::domain::inventory::{Explained, Inventory, Thing};
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// How many of each other list are shown.
const LISTED_MAX: usize = 5;
/// Longest line: with [`SHOWN_MAX`] of them a section stays under what Slack takes.
const LINE_CHARS_MAX: usize = 260;
/// Its headline.
pub const TITLE: &str = "Inventory";

/// The card; absent until an inventory was taken.
pub fn message(incident: &Incident) -> Option<Message> {
    let Taken { found, at, looked_at, .. } = &incident.inventory;
    let (found, at) = (found.as_deref()?, (*at)?);
    let (things, digest) = shown(incident);
    let left = to_look_at(incident).len();
    let theirs = by_attackers(incident);
    let theirs: Vec<&Explained> = theirs.into_iter().filter(|one| things.contains(&&one.thing)).collect();
    let unexplained = things.iter().copied().filter(|thing| theirs.iter().all(|one| one.thing != **thing));
    let (mark, state) = match (left, found.is_whole()) {
        (0, true) => (":large_green_circle:", "nothing is left that no event explains".to_owned()),
        (0, _) => (":white_circle:", "nothing is left that no event explains, as far as could be looked".to_owned()),
        (left, _) if theirs.is_empty() => (":warning:", format!("{left} thing(s) that no event explains")),
        (left, _) => (":warning:", format!("{left} thing(s) to look at")),
    };
    let mut blocks = vec![header(&format!("{mark} {TITLE}: {state}"))];
    if left > 0 {
        let more = if left > things.len() {
            format!("\nand {} more, once these are looked at", left - things.len())
        } else {
            String::new()
        };
        let lines = list(unexplained.map(line), SHOWN_MAX);
        if !lines.is_empty() {
            blocks.push(section(&format!(
                "*State only: made since {}, and the trail does not show by whom*\n{lines}",
                time(found.since)
            )));
        }
        if !theirs.is_empty() {
            blocks.push(section(&format!(
                "*Made by a credential of the attacker's, and no step sees to it:* the search does not show it as theirs. It can \
                 be the owner's who has made it.\n{}",
                list(theirs.iter().copied().map(by_whom), SHOWN_MAX)
            )));
        }
        blocks.push(context(&format!(
            "The bot removes none of it: that an event is missing proves nothing about whose it is. Find out who made it; \
             delete by hand what nobody owns, and it goes from this list. Say that you have looked at what may stay.{more}"
        )));
        blocks.extend(button_row(incident, things.len(), &digest));
    }
    blocks.extend(by_others(found));
    blocks.extend(looked(found, looked_at));
    if !found.undated.is_empty() {
        let kinds = found.undated.iter().map(|(kind, count)| format!("{count} × {}", code(kind)));
        blocks.push(section(&format!(
            "*Without a time of making:* {}. The attacker has touched such things, and AWS does not say which are new: \
             compare them by hand.",
            kinds.collect::<Vec<_>>().join(", ")
        )));
    }
    if !found.gaps.is_empty() {
        let gaps = found.gaps.iter().map(|gap| {
            let of = if gap.resource_types.is_empty() { "everything".into() } else { gap.resource_types.join(", ") };
            format!("{}: {} ({})", code(&gap.region), escape(&of), escape(&gap.why))
        });
        blocks.push(section(&format!(":warning: *Not covered*\n{}", list(gaps, LISTED_MAX))));
    }
    let later = (found.left > 0).then(|| {
        format!(
            "{} more were made since than the trail is asked about at a time; the next inventory goes on",
            found.left
        )
    });
    if later.is_some() || !found.limits.is_empty() {
        let limits = later.into_iter().chain(found.limits.iter().map(|limit| escape(limit)));
        blocks.push(section(&format!(":warning: *Left out*\n{}", list(limits, LISTED_MAX))));
    }
    blocks.push(context(&how_much(found, at)));
    Some(Message { text: summary(&format!("{} · {TITLE}: {state}", incident.id)), blocks })
}

fn button_row(incident: &Incident, shown: usize, digest: &str) -> Option<Value> {
    let open = incident.is_open() && !incident.sample;
    let label = if shown == 1 { "I have looked at it".to_owned() } else { format!("I have looked at these {shown}") };
    let ask = confirmed(
        button(name::LOOK_AT, &label, &format!("{} {digest}", incident.id), Look::Plain),
        "They may stay?",
        "In your name: you know who made each of them, and it may stay or is being removed by hand. Nothing is changed in AWS.",
        "Yes",
    );
    open.then(|| actions("inventory", &[ask]))
}

fn line(thing: &Thing) -> String {
    let part = thing.part.as_deref().map(|part| format!(" {}", code(part))).unwrap_or_default();
    let at = thing.created_at.map(|at| format!(", {}", time(at))).unwrap_or_default();
    let facts = if thing.facts.is_empty() { String::new() } else { format!(": {}", escape(&thing.facts.join(", "))) };
    format!("{} {}{part} in {}{at}{facts}", escape(&thing.resource_type), code(&thing.id), code(&thing.region))
}

/// Made since by somebody else: shown, and no alarm.
fn by_others(found: &Inventory) -> Option<Value> {
    let count = found.explained.len();
    (count > 0).then(|| {
        section(&format!(
            "*Made since by somebody else:* {count}\n{}",
            list(found.explained.iter().map(by_whom), LISTED_MAX)
        ))
    })
}

fn by_whom(one: &Explained) -> String {
    let Explained { thing, evidence } = one;
    let whose = if evidence.attackers { "*the attacker's key*, " } else { "" };
    let (id, by, call) = (code(&evidence.event_id), code(&evidence.by), escape(&evidence.call));
    format!("{} {}: {call} by {whose}{by} (event {id})", escape(&thing.resource_type), code(&thing.id))
}

/// What people have looked at and that still stands.
fn looked(found: &Inventory, looked_at: &BTreeMap<String, UserId>) -> Option<Value> {
    let by = |thing: &Thing| {
        let user = looked_at.get(&thing.key())?;
        Some(format!("{} {}: {}", escape(&thing.resource_type), code(&thing.id), mention(user)))
    };
    let theirs = found.explained.iter().filter(|one| one.evidence.attackers).map(|one| &one.thing);
    let lines: Vec<String> = found.unexplained.iter().chain(theirs).filter_map(by).collect();
    let list = list(lines.iter().cloned(), LISTED_MAX);
    (!lines.is_empty()).then(|| section(&format!("*Looked at, and still there:* {}\n{list}", lines.len())))
}

fn how_much(found: &Inventory, at: DateTime<Utc>) -> String {
    let counts: Vec<String> = found.counts.iter().map(|(kind, count)| format!("{count} {}", short(kind))).collect();
    let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
    let young = match found.young {
        0 => String::new(),
        young => format!(" · {young} so new that the trail may not show them yet"),
    };
    format!(
        "Looked at {counts}, in {} · made since {}: {} the attacker's (see *Hunt*), {} by others, {} by no event{young} · \
         taken {}",
        found.regions.iter().map(|region| code(region)).collect::<Vec<_>>().join(", "),
        time(found.since),
        found.theirs,
        found.explained.len(),
        found.unexplained.len(),
        time(at)
    )
}

/// `AWS::IAM::AccessKey` as `IAM AccessKey`.
fn short(kind: &str) -> String {
    escape(&kind.trim_start_matches("AWS::").replace("::", " "))
}

/// What a note says of things that were not known before; `None` when there are none.
pub fn news(found: &Inventory, before: Option<&Inventory>) -> Option<String> {
    let known: BTreeSet<String> = before.iter().flat_map(|before| &before.unexplained).map(Thing::key).collect();
    let new: Vec<&Thing> = found.unexplained.iter().filter(|thing| !known.contains(&thing.key())).collect();
    if new.is_empty() {
        return None;
    }
    Some(format!(
        ":warning: *{} thing(s) exist that no event explains,* made since the compromise. Somebody has to look at them: see \
         *{TITLE}* in the thread.\n{}",
        new.len(),
        list(new.iter().map(|thing| line(thing)), LISTED_MAX)
    ))
}

fn list(items: impl Iterator<Item = String>, shown_max: usize) -> String {
    let items: Vec<String> = items.collect();
    let mut lines: Vec<String> =
        items.iter().take(shown_max).map(|item| format!("• {}", cut(item, LINE_CHARS_MAX))).collect();
    if items.len() > shown_max {
        lines.push(format!("and {} more", items.len() - shown_max));
    }
    lines.join("\n")
}
