//! The report of an incident, as far as it has come, in Markdown: for people who were not there.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use self::shown::shown;
use self::timeline::in_words;
use super::announcement::phase;
use super::beginning::is_unknown;
use crate::domain::approval::{Debt, Glass, Request, RequestState};
use crate::domain::incident::remains;
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::undone_by;
use crate::domain::playbook::Playbook;
use crate::domain::stored::Record;

mod shown;
mod timeline;

/// The whole report.
pub fn report(incident: &Incident, records: &[Record], playbook: &Playbook) -> String {
    let mut out = format!("# {}: stolen AWS credential {}\n\n", incident.id, text(&incident.subject.headline()));
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(out, "- **{label}:** {value}");
    };
    line("Phase", phase(incident, playbook));
    line("Severity", incident.severity.label());
    if let Some(found) = incident.identification() {
        line(
            "Principal",
            &format!("{} {}", found.kind.label(), text(found.name.as_deref().unwrap_or("without a name"))),
        );
        line("ARN", &text(found.arn.as_deref().unwrap_or("not known")));
    }
    line("Account", incident.account().as_ref().map_or("not known", |a| a.as_str()));
    line("First seen", &incident.first_seen_at().map_or_else(|| "not known".into(), moment));
    let compromise = incident.compromise.as_ref();
    line(
        "Likely compromised",
        &compromise.map_or_else(|| not_set(incident).into(), |c| format!("{} ({})", moment(c.at), text(&c.basis))),
    );
    line("Response began", &moment(incident.opened_at));
    if let Some(closing) = &incident.closing {
        let note = text(&closing.note);
        line("Closed", &format!("{} by {} as {}. {note}", moment(closing.at), closing.by, closing.outcome.label()));
    }
    let alone: Vec<&Request> = incident.requests.values().filter(|request| request.glass.is_some()).collect();
    if !alone.is_empty() {
        out.push_str("\n## On one person's word\n\n");
        for request in alone {
            let _ = writeln!(out, "- {}: {}", request.id, text(&request.plan.action.title()));
            out.extend(request.glass.iter().map(broken_glass));
        }
    }
    out.push_str(&shown(incident, playbook));
    out.push_str("\n## Changes in AWS\n\n");
    if incident.requests.is_empty() {
        out.push_str("None was asked for.\n");
    }
    for request in incident.requests.values() {
        change(&mut out, incident, request);
    }
    if !incident.hands.is_empty() {
        out.push_str("\n## Done by hand\n\nPeople's word: nothing of it was read back from AWS.\n\n");
    }
    for hand in incident.hands.values() {
        let confirmed = match &hand.confirmed {
            Some((by, at)) => format!("confirmed by {by} at {}", moment(*at)),
            None => "confirmed by nobody".to_owned(),
        };
        let (title, done, at) = (text(&hand.title), text(&hand.done), moment(hand.at));
        let _ = writeln!(out, "- {title}: said by {} at {at}, {confirmed}. {done}", hand.by);
    }
    let left = remains::left(incident);
    if !left.is_empty() {
        out.push_str("\n## Left to do by hand\n\nThe bot has no action for these, and no two people have said that they are done.\n\n");
    }
    for step in left {
        let _ = writeln!(out, "- {}: {}", text(&step.title), text(&step.why));
    }
    out.push_str("\n## Timeline\n\n| when | what |\n| --- | --- |\n");
    for record in records {
        let _ = writeln!(out, "| {} | {} |", moment(record.at), text(&in_words(&record.event)));
    }
    let _ = writeln!(out, "\nThe log has {} records; the last has the hash `{}`.", incident.version, incident.head);
    out
}

fn not_set(incident: &Incident) -> &'static str {
    if is_unknown(incident) {
        "not set, and no alert says it: what the owner did with it themselves can be among what is called the attacker's"
    } else {
        "not set"
    }
}

fn change(out: &mut String, incident: &Incident, request: &Request) {
    let state = match undone_by(incident, request.id) {
        Some(undo) => format!("undone by {}", undo.id),
        None => request.state.in_words(),
    };
    let _ = writeln!(out, "### {}: {}\n", request.id, text(&request.plan.action.title()));
    let _ = writeln!(out, "- asked for by {} at {}", request.requested_by, moment(request.requested_at));
    for approval in &request.approvals {
        let _ = writeln!(out, "- approved by {} at {}", approval.user, moment(approval.at));
    }
    out.extend(request.glass.iter().map(broken_glass));
    let _ = writeln!(out, "- outcome: {}", text(&state));
    if let RequestState::Unknown { why, doubt, .. } = &request.state {
        let last = doubt.last.as_ref().map_or_else(String::new, |(at, shows)| {
            format!(" AWS was read again {} time(s), last at {}: {}", doubt.looks, moment(*at), text(shows))
        });
        let _ = writeln!(out, "- not known: {}{last}", text(why));
    }
    for (seen, what) in [(&request.lost, "no longer in force"), (&request.unread, "not readable any more")] {
        if let Some((at, why)) = seen {
            let _ = writeln!(out, "- {what} since {}: {}", moment(*at), text(why));
        }
    }
    let _ = writeln!(out, "- digest `{}`, before-image `{}`", request.digest, request.plan.before_hash);
    let sent = match &request.state {
        RequestState::Executing(execution) => execution.sent.as_slice(),
        RequestState::Verified { sent, .. }
        | RequestState::Failed { sent, .. }
        | RequestState::Unknown { sent, .. } => sent.as_slice(),
        _ => &[],
    };
    for call in sent {
        let _ = writeln!(out, "- sent: `{}`", call.cli(&request.plan.region).replace('`', "'"));
    }
    out.push('\n');
}

/// Who ran it alone, and what a second person has said of it.
fn broken_glass(glass: &Glass) -> String {
    let judged = match &glass.debt {
        Debt::Open => "nobody has said yet whether that was right".to_owned(),
        Debt::Ratified { by, at } => format!("ratified by {by} at {}", moment(*at)),
        Debt::Contested { by, reason, at } => format!("contested by {by} at {}: {}", moment(*at), text(reason)),
    };
    format!("- run by {} alone at {}: {}; {judged}\n", glass.user, moment(glass.at), text(&glass.reason))
}

/// Text from outside, so that no Markdown or HTML comes of it.
fn text(outside: &str) -> String {
    let mut out = String::with_capacity(outside.len());
    for c in outside.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
