//! The answer for a terminal.

use std::fmt::Write;

use super::{alike, verdict};
use crate::domain::trail::analysis::{Action, Analysis, Held};
use crate::domain::trail::attribution::Who;
use crate::domain::trail::classify::{Category, Outcome};
use crate::domain::trail::footprint::Resource;

/// Lines of one list; the JSON form has all.
const LINES_MAX: usize = 60;

/// The whole answer. What came from outside has no control characters in it that a terminal would obey.
pub fn text(analysis: &Analysis) -> String {
    let mut out = String::new();
    let _ = write(&mut out, analysis);
    out.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn write(out: &mut String, analysis: &Analysis) -> std::fmt::Result {
    writeln!(out, "{}", verdict(analysis))?;
    let covered = &analysis.covered;
    writeln!(
        out,
        "Read: {} records{}, {} to {}, {} in {}.",
        analysis.events.read,
        match analysis.events.unreadable {
            0 => String::new(),
            n => format!(" and {n} that cannot be read"),
        },
        covered.from.as_deref().unwrap_or("?"),
        covered.to.as_deref().unwrap_or("?"),
        listed(&covered.regions, "Region"),
        listed(&covered.accounts, "account"),
    )?;
    for cut in &analysis.cut {
        writeln!(out, "CUT: {cut}.")?;
    }
    if !analysis.addresses.is_empty() {
        let addresses: Vec<String> = analysis.addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "The attacker called from {}.", listed(&addresses, "address"))?;
    }

    heading(out, "Credentials that the attacker has held")?;
    lines(out, &analysis.credentials, credential)?;

    if !analysis.entrances.is_empty() {
        heading(out, "Came in from outside the account")?;
        lines(out, &analysis.entrances, |way| {
            format!("{} was taken by {} ({})", way.role_arn, way.outsider.in_words(), way.event_id)
        })?;
    }

    heading(out, "What is there now")?;
    let changed: Vec<&Resource> = analysis.footprint.iter().filter(|r| r.effect.label() != "read").collect();
    lines(out, &changed, |resource| {
        let made = match (resource.made_by_attacker, resource.effect.label()) {
            (true, _) => "made by the attacker",
            (false, effect) => effect,
        };
        let by =
            if resource.state_by.is_attacker() { String::new() } else { format!(" by {}", resource.state_by.label()) };
        format!(
            "{:9} {} {} ({made}{by}; {})",
            format!("{:?}", resource.state).to_lowercase(),
            resource.resource_type,
            resource.id,
            evidence(&resource.evidence)
        )
    })?;

    if !analysis.rotate.is_empty() {
        heading(out, "Read by the attacker: change these")?;
        lines(out, &analysis.rotate, |read| {
            format!("{} {} ({})", read.resource_type, read.id, evidence(&read.evidence))
        })?;
    }

    heading(out, "What the attacker did")?;
    for category in Category::ALL {
        let groups = alike(&analysis.actions, category);
        if groups.is_empty() {
            continue;
        }
        writeln!(out, "  {}:", category.title())?;
        for (count, action) in groups.iter().take(LINES_MAX) {
            writeln!(out, "    {}", call(*count, action))?;
        }
        more(out, groups.len(), "    ")?;
    }
    if analysis.actions.is_empty() {
        writeln!(out, "  nothing that these logs show")?;
    }

    if !analysis.others.is_empty() {
        heading(out, "Not the attacker")?;
        for who in [Who::Owner, Who::Aws, Who::Responder, Who::Other] {
            let theirs: Vec<&Action> = analysis.others.iter().filter(|a| a.who == who).collect();
            let Some(first) = theirs.first() else { continue };
            writeln!(out, "  {}, {} calls: {} ({})", who.label(), theirs.len(), first.why, first.event_id)?;
            for action in theirs.iter().filter(|a| a.changes && a.outcome == Outcome::Succeeded).take(10) {
                writeln!(out, "    {}", call(1, action))?;
            }
        }
        writeln!(out, "  If that is wrong, say so: --attribute {}=attacker", analysis.others[0].event_id)?;
    }

    heading(out, "What these logs cannot show")?;
    lines(out, &analysis.not_recorded, |missing| format!("{}: {}", missing.what, missing.why))?;
    if !analysis.unreadable.is_empty() {
        heading(out, "Could not be read")?;
        lines(out, &analysis.unreadable, Clone::clone)?;
    }
    Ok(())
}

fn heading(out: &mut String, title: &str) -> std::fmt::Result {
    writeln!(out, "\n{title}")
}

fn lines<T>(out: &mut String, all: &[T], line: impl Fn(&T) -> String) -> std::fmt::Result {
    if all.is_empty() {
        return writeln!(out, "  nothing");
    }
    for one in all.iter().take(LINES_MAX) {
        writeln!(out, "  {}", line(one))?;
    }
    more(out, all.len(), "  ")
}

fn more(out: &mut String, count: usize, indent: &str) -> std::fmt::Result {
    match count.checked_sub(LINES_MAX).filter(|more| *more > 0) {
        Some(more) => writeln!(out, "{indent}and {more} more: --format json has all"),
        None => Ok(()),
    }
}

fn listed(names: &[String], what: &str) -> String {
    match names {
        [] => format!("no {what}"),
        [one] => one.clone(),
        _ if names.len() <= 4 => names.join(", "),
        _ => format!("{}, … ({} in all)", names[..3].join(", "), names.len()),
    }
}

fn evidence(ids: &[String]) -> String {
    match ids {
        [] => "no event".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn credential(held: &Held) -> String {
    let indent = "  ".repeat(held.depth.min(8));
    let whose = held.principal.as_deref().map(|p| format!(" of {p}")).unwrap_or_default();
    let how = held.reached_by.as_ref().map_or_else(
        || "stolen".to_owned(),
        |reached| format!("from {} by {} ({})", reached.from, reached.how, reached.event_id),
    );
    format!("{indent}{}{whose}, {} calls: {how}", held.name, held.events)
}

fn call(count: usize, action: &Action) -> String {
    let mut out = String::new();
    let at = action.at.map_or_else(|| "no time".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string());
    let times = if count > 1 { format!(" ×{count}") } else { String::new() };
    let _ = write!(out, "{at} {}:{}{times}", action.event_source, action.event_name);
    if action.outcome != Outcome::Succeeded {
        let _ = write!(out, " {} ({})", action.outcome.label(), action.error);
    }
    if let [first, rest @ ..] = &action.resources[..] {
        let _ = write!(out, " {first}");
        if !rest.is_empty() {
            let _ = write!(out, " and {} more", rest.len());
        }
    }
    if let Some(note) = &action.note {
        let _ = write!(out, ", {note}");
    }
    if !action.attack_v18.is_empty() {
        let _ = write!(out, " [{}]", action.attack_v18);
    }
    let _ = write!(out, " ({})", action.event_id);
    out
}
