//! The card of the inventory: what exists in the account that no event explains, and how much was looked at.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::blocks::{Look, actions, button, code, confirmed, context, cut, escape, header, section, summary, time};
use super::pack::and_more;
use crate::domain::id::{IncidentId, UserId};
use crate::domain::incident::inventory::{SHOWN_MAX, Taken, by_attackers, shown, to_look_at};
use crate::domain::incident::state::Incident;
use crate::domain::inventory::undated::RULE;
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
    let id = incident.id;
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
        let more = match left - things.len() {
            0 => String::new(),
            more => format!("{}, and here once these are looked at", and_more(more, id)),
        };
        let undated = things.iter().any(|thing| thing.created_at.is_none());
        let or_no_date = if undated { ", or AWS does not say when," } else { "," };
        let (lines, _) = listed(unexplained.map(line), SHOWN_MAX);
        if !lines.is_empty() {
            blocks.push(section(&format!(
                "*State only: made since {}{or_no_date} and the trail does not show by whom*\n{lines}",
                time(found.since)
            )));
        }
        if !theirs.is_empty() {
            blocks.push(section(&format!(
                "*Made by a credential of the attacker's, and no step sees to it:* the search does not show it as theirs. It can \
                 be the owner's who has made it.\n{}",
                listed(theirs.iter().copied().map(by_whom), SHOWN_MAX).0
            )));
        }
        blocks.push(context(&format!(
            "The bot removes none of it: that an event is missing proves nothing about whose it is. Find out who made it; \
             delete by hand what nobody owns, and it goes from this list. Say that you have looked at what may stay.{more}"
        )));
        blocks.extend(button_row(incident, things.len(), &digest));
    }
    blocks.extend(dateless(found, id));
    blocks.extend(by_others(found, id));
    blocks.extend(looked(found, looked_at, id));
    if !found.undated.is_empty() {
        let kinds = found.undated.iter().map(|(kind, count)| format!("{count} × {}", code(kind)));
        blocks.push(section(&format!(
            "*Other things without a time of making:* {}. The attacker has touched such things, and AWS does not say which \
             are new: compare them by hand.",
            kinds.collect::<Vec<_>>().join(", ")
        )));
    }
    if !found.gaps.is_empty() {
        let gaps = found.gaps.iter().map(|gap| {
            let of = if gap.resource_types.is_empty() { "everything".into() } else { gap.resource_types.join(", ") };
            format!("{}: {} ({})", code(&gap.region), escape(&of), escape(&gap.why))
        });
        blocks.push(section(&format!(":warning: *Not covered:* {}\n{}", found.gaps.len(), list(gaps, id))));
    }
    let later = (found.left > 0).then(|| {
        format!(
            "{} more were made since than the trail is asked about at a time; the next inventory goes on",
            found.left
        )
    });
    if later.is_some() || !found.limits.is_empty() {
        let limits = later.into_iter().chain(found.limits.iter().map(|limit| escape(limit)));
        blocks.push(section(&format!(":warning: *Left out*\n{}", list(limits, id))));
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
    let at = thing.created_at.map_or_else(|| ", no date".to_owned(), |at| format!(", {}", time(at)));
    let facts = if thing.facts.is_empty() { String::new() } else { format!(": {}", escape(&thing.facts.join(", "))) };
    format!("{} {}{part} in {}{at}{facts}", escape(&thing.resource_type), code(&thing.id), code(&thing.region))
}

/// Each for itself, though AWS does not say when it was made: what is for a person to look at first.
fn dateless(found: &Inventory, id: IncidentId) -> Option<Value> {
    let rules = found.dateless.iter().filter(|thing| thing.resource_type == RULE).count();
    let permissions = found.dateless.len() - rules;
    let one = |thing: &Thing| format!("{}{}", if thing.exposed { ":warning: " } else { "" }, line(thing));
    (!found.dateless.is_empty()).then(|| {
        section(&format!(
            "*State only, no date:* {rules} event rule(s), {permissions} permission(s) of functions and event buses. AWS does not \
             say when they were made, and the trail shows no call since {} that made them.\n{}",
            time(found.since),
            list(found.dateless.iter().map(one), id)
        ))
    })
}

/// Made since by somebody else: shown, and no alarm.
fn by_others(found: &Inventory, id: IncidentId) -> Option<Value> {
    let count = found.explained.len();
    (count > 0).then(|| {
        section(&format!("*Made since by somebody else:* {count}\n{}", list(found.explained.iter().map(by_whom), id)))
    })
}

fn by_whom(one: &Explained) -> String {
    let Explained { thing, evidence } = one;
    let whose = if evidence.attackers { "*the attacker's key*, " } else { "" };
    let (id, by, call) = (code(&evidence.event_id), code(&evidence.by), escape(&evidence.call));
    let part = thing.part.as_deref().map(|part| format!(" {}", code(part))).unwrap_or_default();
    let flag = if thing.exposed { format!(" :warning: {}", escape(&thing.facts.join(", "))) } else { String::new() };
    let what = format!("{} {}{part}", escape(&thing.resource_type), code(&thing.id));
    format!("{what}: {call} by {whose}{by} (event {id}){flag}")
}

/// What people have looked at and that still stands.
fn looked(found: &Inventory, looked_at: &BTreeMap<String, UserId>, incident: IncidentId) -> Option<Value> {
    let by = |thing: &Thing| {
        let user = looked_at.get(&thing.key())?;
        let part = thing.part.as_deref().map(|part| format!(" {}", code(part))).unwrap_or_default();
        Some(format!("{} {}{part}: {}", escape(&thing.resource_type), code(&thing.id), mention(user)))
    };
    let theirs = found.explained.iter().filter(|one| one.evidence.attackers).map(|one| &one.thing);
    let lines: Vec<String> = found.unexplained.iter().chain(theirs).filter_map(by).collect();
    let list = list(lines.iter().cloned(), incident);
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
    let (lines, left) = listed(new.iter().map(|thing| line(thing)), LISTED_MAX);
    let more = if left > 0 { format!("\nand {left} more on its card") } else { String::new() };
    let made = match new.iter().filter(|thing| thing.created_at.is_none()).count() {
        0 => "made since the compromise",
        undated if undated == new.len() => "and AWS does not say when they were made",
        _ => "made since the compromise, or AWS does not say when",
    };
    Some(format!(
        ":warning: *{} thing(s) exist that no event explains,* {made}. Somebody has to look at them: see *{TITLE}* in the \
         thread.\n{lines}{more}",
        new.len(),
    ))
}

/// The first of them, and in which file all are.
fn list(items: impl Iterator<Item = String>, incident: IncidentId) -> String {
    let (lines, left) = listed(items, LISTED_MAX);
    lines + &and_more(left, incident)
}

/// So many lines, and how many there are besides.
fn listed(items: impl Iterator<Item = String>, shown_max: usize) -> (String, usize) {
    let items: Vec<String> = items.collect();
    let lines: Vec<String> =
        items.iter().take(shown_max).map(|item| format!("• {}", cut(item, LINE_CHARS_MAX))).collect();
    (lines.join("\n"), items.len() - lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::event::Event;
    use crate::domain::incident::tests::case::{Case, start};
    use crate::domain::inventory::Evidence;
    use crate::domain::inventory::undated::{BUS_PERMISSION, PERMISSION};
    use crate::view::report::report;

    fn rule(name: &str) -> Thing {
        Thing::regional(RULE, name, "us-east-1", None)
    }

    fn permission() -> Thing {
        Thing::regional(PERMISSION, "sync", "eu-west-1", None).part("open").exposing("lets in 444455556666")
    }

    fn with(found: Inventory) -> Case {
        let mut case = Case::new();
        let found = Inventory { since: start(), ..found };
        case.apply(vec![Event::InventoryTaken { found: Some(Box::new(found)), began_at: Some(start()) }]);
        case
    }

    fn card(case: &Case) -> String {
        Value::Array(message(&case.incident).unwrap().blocks).to_string()
    }

    fn written(case: &Case) -> String {
        report(&case.incident, &[], &case.playbook)
    }

    #[test]
    fn what_has_no_date_is_listed_with_its_count_and_where_the_rest_is() {
        let rules = (0..20).map(|n| rule(&format!("r{n:02}")));
        let bus = Thing::regional(BUS_PERMISSION, "orders", "eu-west-1", None).part("in");
        let dateless = std::iter::once(permission()).chain(rules).chain([bus]).collect();
        let case = with(Inventory { dateless, ..Inventory::default() });
        let card = card(&case);
        for says in [
            "*State only, no date:* 20 event rule(s), 2 permission(s) of functions and event buses",
            "• :warning: AWS::Lambda::Permission `sync` `open` in `eu-west-1`, no date: lets in 444455556666",
            "AWS::Events::Rule `r02` in `us-east-1`, no date",
            "and 17 more: all in `report.md` of `irp export INC-1`",
            "nothing is left that no event explains",
        ] {
            assert!(card.contains(says), "{says}: {card}");
        }
        assert!(!card.contains("r04") && !card.contains("irp.look_at"), "nobody has to answer for them: {card}");
        let written = written(&case);
        assert!(written.contains("Inventory: state only, no date") && written.contains("r19"), "{written}");
    }

    #[test]
    fn what_has_no_date_and_has_to_be_looked_at_says_so() {
        let case = with(Inventory { unexplained: vec![permission()], ..Inventory::default() });
        let said = card(&case);
        assert!(said.contains("or AWS does not say when, and the trail does not show by whom"), "{said}");
        assert!(said.contains("irp.look_at") && !said.contains("no date:*"), "{said}");
        let found = case.incident.inventory.found.as_deref().unwrap();
        assert!(news(found, None).unwrap().contains("and AWS does not say when they were made"));
        let user = Thing::of_iam("AWS::IAM::User", "svc", Some(start()));
        let case = with(Inventory { unexplained: vec![user], ..Inventory::default() });
        assert!(!card(&case).contains("AWS does not say when"), "{}", card(&case));
        let found = case.incident.inventory.found.as_deref().unwrap();
        assert!(news(found, None).unwrap().contains("made since the compromise. Somebody"));
    }

    #[test]
    fn an_event_of_somebody_elses_is_named_with_the_statement_and_what_it_opens() {
        let (event_id, call, by) = ("e-9".into(), "AddPermission".into(), "pipeline".into());
        let evidence = Evidence { event_id, call, by, attackers: false, at: None };
        let one = |thing| Explained { thing, evidence: evidence.clone() };
        let explained = std::iter::once(permission()).chain((0..8).map(|n| rule(&format!("r{n}")))).map(one).collect();
        let case = with(Inventory { explained, ..Inventory::default() });
        let card = card(&case);
        let says = "AWS::Lambda::Permission `sync` `open`: AddPermission by `pipeline` (event `e-9`) :warning: lets in";
        assert!(card.contains(says) && card.contains("and 4 more: all in `report.md`"), "{card}");
        assert!(written(&case).contains("AWS::Events::Rule r7"), "{}", written(&case));
    }

    #[test]
    fn of_what_is_left_to_look_at_the_rest_comes_after_the_first_ten() {
        let users = (0..14).map(|n| Thing::of_iam("AWS::IAM::User", &format!("u{n:02}"), Some(start()))).collect();
        let case = with(Inventory { unexplained: users, ..Inventory::default() });
        let rest = "and 4 more: all in `report.md` of `irp export INC-1`, and here once these are looked at";
        assert!(card(&case).contains(rest), "{}", card(&case));
        let written = written(&case);
        assert!(written.contains("u13") && written.contains("Inventory: what no event explains"), "{written}");
    }
}
