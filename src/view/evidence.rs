//! The evidence card: what is known about the credential, from where, and what is not known.

use chrono::{DateTime, Utc};

use super::blast_radius;
use super::blocks::{Look, actions, button, code, context, cut, escape, fields, header, section, summary, time};
use super::recused::recused_in_words;
use crate::domain::identification::Identification;
use crate::domain::incident::state::{Identified, Incident, Reported, Search};
use crate::domain::policy::Policy;
use crate::domain::recusal::{recused, whose};
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// How many of a list are shown.
const SHOWN_MAX: usize = 8;
/// How many reports are shown, newest first.
const REPORTS_MAX: usize = 4;
/// Longest error shown. With the other limits it keeps the whole card under what Slack takes.
const ERROR_CHARS_MAX: usize = 400;

/// The whole message.
pub fn message(incident: &Incident, policy: &Policy) -> Message {
    let mut blocks = vec![header(":mag: Evidence")];
    match &incident.search {
        Search::Done => {}
        Search::Wanted { last_error: None, .. } => blocks.push(context("Reading AWS…")),
        Search::Wanted { failed, not_before, last_error: Some(error) } => {
            blocks.push(section(&format!(
                ":warning: AWS could not be read (attempt {failed}): {}.\nTrying again at {}.",
                cut(&escape(error), ERROR_CHARS_MAX),
                time(*not_before)
            )));
        }
        Search::GivenUp { error } => {
            blocks.push(section(&format!(
                ":x: *AWS could not be read:* {}.\nSee to that and press *Look again*, or find out by hand: \
                 `aws iam get-access-key-last-used`.",
                cut(&escape(error), ERROR_CHARS_MAX)
            )));
        }
    }
    let in_words = match &incident.identified {
        Some(Identified { found, at }) => {
            blocks.extend(principal(found, *at));
            let (first, later): (Vec<&String>, Vec<&String>) =
                found.owners.iter().partition(|tag| incident.owner_signs.contains(*tag));
            blocks.extend(owned_by_nobody(&first, policy));
            blocks.extend(tagged_later(&later));
            blocks.extend(cannot_decide(incident, policy));
            blocks.extend(
                incident.blast_radius.iter().flat_map(|(reach, at)| blast_radius::blocks(incident, reach, *at)),
            );
            format!("{} {}", found.kind.label(), escape(found.name.as_deref().unwrap_or("without a name")))
        }
        None => "it is not known yet whose credential it is".to_owned(),
    };
    blocks.push(section(&timeline(incident)));
    blocks.extend(findings(incident));
    if !incident.reports.is_empty() {
        let line = |report: &Reported| {
            let by = report.by.as_ref().map_or_else(|| "an alert".to_owned(), mention);
            format!("• {by}, {}: {}", time(report.at), escape(&report.text))
        };
        let newest = incident.reports.iter().rev().take(REPORTS_MAX).map(line);
        let more = incident.reports.len().saturating_sub(REPORTS_MAX);
        let more = if more > 0 { format!("\nand {more} older") } else { String::new() };
        blocks.push(section(&format!("*Reported*\n{}{more}", newest.collect::<Vec<_>>().join("\n"))));
    }
    if incident.is_open() {
        blocks.push(actions(
            "evidence",
            &[
                button(name::LOOK_AGAIN, "Look again", &incident.id.to_string(), Look::Plain),
                button(name::COMPROMISE_TIME, "Set compromise time", &incident.id.to_string(), Look::Plain),
                button(name::NAME_SUBJECT, "Name a person…", &incident.id.to_string(), Look::Plain),
            ],
        ));
    }
    Message { text: summary(&format!("{} evidence: {in_words}", incident.id)), blocks }
}

fn principal(found: &Identification, read_at: DateTime<Utc>) -> Vec<serde_json::Value> {
    let dash = || "not known".to_owned();
    let account = found.account.as_ref().map_or_else(dash, |a| code(a.as_str()));
    let proof = match (&found.account_in_key, &found.account_from_sts) {
        (Some(key), Some(sts)) if key == sts => "the key itself and `sts:GetAccessKeyInfo` agree",
        (Some(_), Some(_)) => ":warning: the key itself says otherwise; `sts:GetAccessKeyInfo` counts",
        (None, Some(_)) => "from `sts:GetAccessKeyInfo`",
        (Some(_), None) => "only decoded from the key",
        (None, None) => "from the alert",
    };
    let mut pairs = vec![
        ("Principal", found.kind.label().to_owned()),
        ("Name", found.name.as_deref().map_or_else(dash, code)),
        ("Unique id", found.unique_id.as_deref().map_or_else(dash, code)),
        ("Account", format!("{account} ({proof})")),
    ];
    if let Some(session) = &found.session_name {
        pairs.push(("Session", code(session)));
    }
    if !found.taken_by.is_empty() {
        let names = found.taken_by.iter().take(SHOWN_MAX).map(|name| code(name));
        pairs.push(("Session taken by", names.collect::<Vec<_>>().join(", ")));
    }
    if let Some(arn) = &found.arn {
        pairs.push(("ARN", code(arn)));
    }
    if !found.owners.is_empty() {
        pairs.push(("Owner, by its tags", found.owners.iter().map(|o| code(o)).collect::<Vec<_>>().join(", ")));
    }
    let mut blocks = vec![fields(&pairs)];
    if !found.keys.is_empty() {
        let lines = found.keys.iter().take(SHOWN_MAX).map(|key| {
            let used = match (key.last_used_at, &key.last_used_for) {
                (Some(at), Some(what)) => format!("last used {} for {}", time(at), escape(what)),
                (Some(at), None) => format!("last used {}", time(at)),
                (None, _) => "no use recorded".to_owned(),
            };
            let made = key.created_at.map(|at| format!(", made {}", time(at))).unwrap_or_default();
            format!("• {} *{}*{made}, {used}", code(key.id.as_str()), key.status.as_str())
        });
        let read = time(read_at);
        blocks.push(section(&format!("*Keys of this user, as read {read}*\n{}", lines.collect::<Vec<_>>().join("\n"))));
    }
    if !found.not_known.is_empty() {
        let lines: Vec<String> =
            found.not_known.iter().take(SHOWN_MAX).map(|n| format!("• {}", cut(&escape(n), ERROR_CHARS_MAX))).collect();
        blocks.push(section(&format!(":warning: *Not known*\n{}", lines.join("\n"))));
    }
    blocks
}

/// A tag that names nobody recuses nobody, and whoever reads the card takes it for somebody's.
fn owned_by_nobody(owners: &[&String], policy: &Policy) -> Option<serde_json::Value> {
    let nobodys: Vec<String> =
        owners.iter().filter(|owner| whose(owner, policy).is_empty()).map(|owner| code(owner)).collect();
    let (tags, it) = match nobodys[..] {
        [] => return None,
        [_] => ("tag", "it"),
        _ => ("tags", "any of them"),
    };
    Some(section(&format!(
        ":warning: No match in irp.toml for the owner {tags} {}: nobody is recused for {it}. If you know whose it is, press *Name \
         a person…*.",
        cut(&nobodys.join(", "), ERROR_CHARS_MAX)
    )))
}

/// Whoever has the credential may have set it: who is meant by it is not for the bot to say.
fn tagged_later(owners: &[&String]) -> Option<serde_json::Value> {
    if owners.is_empty() {
        return None;
    }
    let tags: Vec<String> = owners.iter().map(|owner| code(owner)).collect();
    Some(section(&format!(
        ":warning: An owner tag that was set after the first look at the credential recuses nobody: {}. Whoever has the \
         credential may be able to set tags. If it is right, press *Name a person…*.",
        cut(&tags.join(", "), ERROR_CHARS_MAX)
    )))
}

/// Before anything is asked for: a tag can have been set to keep approvers from deciding.
fn cannot_decide(incident: &Incident, policy: &Policy) -> Option<serde_json::Value> {
    let words = recused_in_words(incident, policy, &recused(incident, policy));
    (!words.is_empty()).then(|| section(&cut(words.trim_start(), ERROR_CHARS_MAX)))
}

fn timeline(incident: &Incident) -> String {
    let first = match incident.first_seen_at() {
        Some(at) => format!("{} (by the finding: `eventFirstSeen`)", time(at)),
        None => "not known: no finding says".to_owned(),
    };
    let compromise = match &incident.compromise {
        Some(set) => format!("{} (set by {}: {})", time(set.at), mention(&set.by), escape(&set.basis)),
        None => match incident.first_seen_at() {
            Some(at) => format!("not set; at the latest {}, when it was first seen", time(at)),
            None => "not set".to_owned(),
        },
    };
    format!(
        "*Timeline*\n• First seen: {first}\n• Likely compromised: {compromise}\n• Response began: {} (this incident was opened)",
        time(incident.opened_at)
    )
}

fn findings(incident: &Incident) -> Vec<serde_json::Value> {
    incident
        .findings
        .values()
        .take(SHOWN_MAX)
        .map(|f| {
            let mut parts = vec![code(&f.finding_type), format!("seen {}×", f.count)];
            parts.extend(f.api.as_deref().map(|a| format!("called {}", code(a))));
            parts.extend(f.remote_address.as_deref().map(|a| format!("from {}", code(a))));
            parts.extend(f.region.as_deref().map(|r| format!("in {}", code(r))));
            parts.extend(f.last_seen_at.map(|at| format!("last {}", time(at))));
            context(&parts.join(" · "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::event::Event;
    use crate::domain::incident::tests::case::{Case, identified};

    #[test]
    fn a_tag_that_was_set_later_is_shown_as_one_that_recuses_nobody() {
        let mut case = Case::new();
        let shown = |case: &Case| {
            let blocks = message(&case.incident, &case.policy).blocks;
            serde_json::Value::Array(blocks).to_string()
        };
        let before = shown(&case);
        assert!(before.contains("Cannot decide: <@U4> (the credential is theirs, by its tag `kim`)"), "{before}");
        assert!(!before.contains("recuses nobody"), "{before}");
        let owners = vec!["kim".to_owned(), "ana".to_owned()];
        case.apply(vec![Event::Identified { found: Identification { owners, ..identified(&[]) } }]);
        let after = shown(&case);
        assert!(after.contains("recuses nobody: `ana`") && !after.contains("No match in irp.toml"), "{after}");
    }
}
