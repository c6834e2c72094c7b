//! The answer for a browser: one page that needs nothing from elsewhere and runs no script.

use std::fmt::Write;

use super::graph::graph;
use super::timeline::timeline;
use super::verdict;
use crate::domain::trail::analysis::{Action, Analysis};

/// Rows of one table; the JSON form has all.
const ROWS_MAX: usize = 2_000;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>What a stolen credential did</title><style>\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem;color:#1d1c1d}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd;overflow-wrap:break-word}\
th{font-weight:600}.wide{overflow-x:auto}.small,small{font-size:12px;fill:#5c5b5e;color:#5c5b5e}\
.node{fill:#fff;stroke:#767579}.stolen{fill:#fdecea;stroke:#b3261e;stroke-width:2}.edge{fill:none;stroke:#767579}\
svg text{font:13px system-ui,sans-serif}svg text.small{font-size:11px}.axis{stroke:#ddd}.bar{fill:#b3261e}\
.refused{fill:#e8a39e}.deleted{color:#5c5b5e;text-decoration:line-through}.warn{background:#fff4ce;padding:.5rem .8rem}\
@media(prefers-color-scheme:dark){body{background:#1a1d21;color:#e8e8e8}th,td{border-color:#444}.axis{stroke:#444}\
svg text{fill:#e8e8e8}.small,small,svg text.small{fill:#aaa;color:#aaa}.node{fill:#22262b}.stolen{fill:#4a1f1c}\
.warn{background:#4a3d10}}</style>";

/// A text as it can stand between tags and in attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The whole page.
pub fn html(analysis: &Analysis) -> String {
    let mut out = HEAD.to_owned();
    let _ = write(&mut out, analysis);
    out
}

fn write(out: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let covered = &analysis.covered;
    let unknown = || "?".to_owned();
    write!(
        out,
        "<h1>What {} did</h1><p>{}</p>",
        escaped(&[&analysis.asked.credentials[..], &analysis.asked.principals[..]].concat().join(", ")),
        escaped(&verdict(analysis))
    )?;
    write!(
        out,
        "<p><small>{} records read, {} not readable, from {} to {}; Regions: {}; accounts: {}</small></p>",
        analysis.events.read,
        analysis.events.unreadable,
        escaped(&covered.from.clone().unwrap_or_else(unknown)),
        escaped(&covered.to.clone().unwrap_or_else(unknown)),
        escaped(&covered.regions.join(", ")),
        escaped(&covered.accounts.join(", ")),
    )?;
    for cut in &analysis.cut {
        write!(out, "<p class=\"warn\">{}.</p>", escaped(cut))?;
    }
    write!(out, "<h2>From credential to credential</h2><div class=\"wide\">{}</div>", graph(analysis))?;
    table(out, &["credential", "whose", "calls", "reached from", "by", "event"], &analysis.credentials, |held| {
        let reached = held.reached_by.as_ref();
        vec![
            held.name.to_string(),
            held.principal.as_deref().unwrap_or("").to_owned(),
            held.events.to_string(),
            reached.map_or("stolen", |r| &r.from).to_owned(),
            reached.map_or("", |r| &r.how).to_owned(),
            reached.map_or("", |r| &r.event_id).to_owned(),
        ]
    })?;
    write!(out, "<h2>Over time</h2><div class=\"wide\">{}</div>", timeline(analysis))?;
    out.push_str("<h2>What is there now</h2>");
    table(
        out,
        &["state", "type", "id", "account", "what was done", "by", "events"],
        &analysis.footprint,
        |resource| {
            vec![
                format!("{:?}", resource.state).to_lowercase(),
                resource.resource_type.clone(),
                resource.id.clone(),
                resource.account.clone(),
                if resource.made_by_attacker { "made".to_owned() } else { resource.effect.label().to_owned() },
                resource.state_by.label().to_owned(),
                resource.evidence.iter().take(5).cloned().collect::<Vec<_>>().join(" "),
            ]
        },
    )?;
    if !analysis.entrances.is_empty() {
        out.push_str("<h2>Came in from outside the account</h2>");
        table(out, &["role", "taken by", "event"], &analysis.entrances, |way| {
            vec![way.role_arn.clone(), way.outsider.in_words(), way.event_id.clone()]
        })?;
    }
    if !analysis.rotate.is_empty() {
        out.push_str("<h2>Read by the attacker: change these</h2>");
        table(out, &["type", "id", "events"], &analysis.rotate, |read| {
            vec![read.resource_type.clone(), read.id.clone(), read.evidence.join(" ")]
        })?;
    }
    out.push_str("<h2>What the attacker did</h2>");
    let named = ["when", "call", "outcome", "category", "ATT&CK", "on", "with", "from", "why it counts", "event"];
    table(out, &named, &analysis.actions, call)?;
    if !analysis.others.is_empty() {
        out.push_str("<h2>Not the attacker</h2>");
        let named = ["when", "call", "outcome", "whose", "ATT&CK", "on", "with", "from", "why", "event"];
        table(out, &named, &analysis.others, |action| {
            let mut row = call(action);
            action.who.label().clone_into(&mut row[3]);
            row
        })?;
    }
    out.push_str("<h2>What these logs cannot show</h2>");
    table(out, &["what", "why"], &analysis.not_recorded, |missing| vec![missing.what.clone(), missing.why.clone()])?;
    if !analysis.unreadable.is_empty() {
        out.push_str("<h2>Could not be read</h2>");
        table(out, &["what"], &analysis.unreadable, |what| vec![what.clone()])?;
    }
    out.push_str("</html>\n");
    Ok(())
}

fn call(action: &Action) -> Vec<String> {
    let outcome = match &*action.error {
        "" => action.outcome.label().to_owned(),
        error => format!("{}: {error}", action.outcome.label()),
    };
    let note = action.note.as_deref().map(str::to_owned);
    vec![
        action.at.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S").to_string()),
        format!("{}:{}", action.event_source, action.event_name),
        outcome,
        action.category.title().to_owned(),
        action.attack_v18.replace(',', " "),
        action.resources.iter().take(5).cloned().chain(note).collect::<Vec<_>>().join(", "),
        action.access_key_id.as_deref().unwrap_or("").to_owned(),
        format!("{} {}", action.address, action.user_agent.chars().take(60).collect::<String>()),
        action.why.to_string(),
        action.event_id.to_string(),
    ]
}

fn table<T>(out: &mut String, named: &[&str], rows: &[T], row: impl Fn(&T) -> Vec<String>) -> std::fmt::Result {
    if rows.is_empty() {
        out.push_str("<p>Nothing.</p>");
        return Ok(());
    }
    out.push_str("<div class=\"wide\"><table><tr>");
    for name in named {
        write!(out, "<th>{}", escaped(name))?;
    }
    for one in rows.iter().take(ROWS_MAX) {
        out.push_str("<tr>");
        for cell in row(one) {
            write!(out, "<td>{}", escaped(&cell))?;
        }
    }
    out.push_str("</table></div>");
    if rows.len() > ROWS_MAX {
        write!(out, "<p>And {} more: --format json has all.</p>", rows.len() - ROWS_MAX)?;
    }
    Ok(())
}
