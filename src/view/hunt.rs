//! The card of the search through the trail: what the attacker reached, and what of theirs is left.

use super::beginning;
use super::blocks::{Look, actions, button, code, context, cut, escape, header, section, summary, time};
use super::early::too_early;
use super::pack::and_more;
use crate::domain::hunt::{Hunted, Proved, Reached, SoFar, Trace};
use crate::domain::id::IncidentId;
use crate::domain::incident::overruling::Overruled;
use crate::domain::incident::state::Incident;
use crate::domain::incident::{hunting, logs};
use crate::domain::policy::Policy;
use crate::domain::refusal::mention;
use crate::domain::trail::entrance::Entrance;
use crate::domain::trail::footprint::State;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// How many of a list are shown.
const SHOWN_MAX: usize = 8;
/// Longest line of a list: with the number of them it keeps a section under what Slack takes.
const LINE_CHARS_MAX: usize = 340;

/// The card; absent until a search has shown something, come to its end or taken long.
pub fn message(incident: &Incident, policy: &Policy) -> Option<Message> {
    let mut blocks = vec![header(":mag: Hunt: what the attacker reached and left behind")];
    blocks.extend(beginning::warning(incident).or_else(|| assumed(incident)).map(|line| section(&line)));
    let going_on = incident.hunting.as_ref().filter(|_| incident.is_open());
    blocks.extend(going_on.map(|so_far| section(&under_way(so_far))));
    let Some((found, _)) = &incident.hunted else {
        let text = format!("{} hunt: {}", incident.id, plainly(going_on?));
        return Some(Message { text: summary(&text), blocks });
    };
    let reached: Vec<&Reached> = found.credentials.iter().filter(|reached| reached.how.is_some()).collect();
    let (early, id) = (too_early(incident), incident.id);
    blocks.extend(
        early.iter().map(|why| section(&format!(":warning: *Too early to say what is missing below:* {why}."))),
    );
    blocks.push(section(&match reached.len() {
        0 if early.is_some() => "*Reached:* no other credential so far.".to_owned(),
        0 => "*Reached:* no other credential, as far as the trail shows.".to_owned(),
        count => format!("*Reached:* {count} other credential(s)\n{}", list(credentials(&reached).into_iter(), id)),
    }));
    if !found.entrances.is_empty() {
        blocks.push(section(&format!(
            ":unlock: *Came in from outside the account*\n{}",
            list(found.entrances.iter().map(entrance), id)
        )));
    }
    let mut traces: Vec<&Trace> = found.footprint.iter().collect();
    // What lets somebody back in comes first.
    traces.sort_by_key(|trace| (trace.state == State::Deleted, !trace.made_by_attacker));
    blocks.push(section(&match counts(found) {
        None if early.is_some() => "*Left behind:* nothing so far.".to_owned(),
        None => "*Left behind:* nothing that the attacker made, changed or deleted.".to_owned(),
        Some(counts) => format!("*Left behind:* {counts}\n{}", list(traces.into_iter().map(trace), id)),
    }));
    let proved = |title: &str, what: &[Proved]| {
        let line = |one: &Proved| format!("{} (event {})", code(&one.what), code(&one.event_id));
        (!what.is_empty()).then(|| section(&format!("{title}\n{}", list(what.iter().map(line), id))))
    };
    blocks.extend(proved(":key: *To change:* the attacker has read these", &found.rotate));
    blocks.extend(proved(":open_file_folder: *Data that the attacker has read*", &found.data));
    blocks.extend(proved(
        ":eyes: *Used from the attacker's addresses, and not known to be theirs:* look whose they are",
        &found.beside,
    ));
    blocks.extend(proved(":rotating_light: *Logging or detection was tampered with*", &found.tampering));
    if !found.not_known.is_empty() {
        let lines = list(found.not_known.iter().map(|why| escape(why)), id);
        blocks.push(section(&format!(":warning: *Not known*\n{lines}")));
    }
    if !found.not_recorded.is_empty() {
        let lines = list(found.not_recorded.iter().map(|gap| escape(gap)), id);
        blocks.push(section(&format!("*Not recorded*\n{lines}")));
    }
    if !incident.overruled.is_empty() {
        let line = |said: &Overruled| {
            let (who, by) = (said.word.who.label(), mention(&said.by));
            format!("{}: {who} (by {by}: {})", code(&said.word.about), escape(&said.reason))
        };
        let lines = list(incident.overruled.iter().rev().map(line), id);
        blocks.push(section(&format!("*Who it was, by responders*\n{lines}")));
    }
    blocks.push(context(&how_far(incident, found, policy)));
    if incident.is_open() {
        let say = button(name::OVERRULE, "Say who it was…", &incident.id.to_string(), Look::Plain);
        blocks.push(actions("hunt", &[say]));
    }
    let left = counts(found).unwrap_or_else(|| "nothing left behind".into());
    let so_far = if early.is_some() { "; too early to say that this is all" } else { "" };
    let text = format!("{} hunt: {} other credential(s) reached, {left}{so_far}", incident.id, reached.len());
    Some(Message { text: summary(&text), blocks })
}

/// Whose calls count as the attacker's where no key says it.
fn assumed(incident: &Incident) -> Option<String> {
    let named = hunting::assumed(incident)?;
    let arn = named.arn();
    let what = match arn.split(':').next_back() {
        Some(role) if role.starts_with("role/") => "in any of its sessions",
        Some(session) if session.starts_with("assumed-role/") => "in this session",
        _ => "in the console and with any key",
    };
    let since = hunting::since(incident).map(|at| format!(" since {}", time(at))).unwrap_or_default();
    let who = code(arn);
    Some(format!(
        ":warning: *Assumed:* no access key is known, so all that {who} did {what}{since} counts as the attacker's, but \
         for what came from where the owner had long worked. What was somebody else, say below."
    ))
}

/// How far the search is that is under way.
fn under_way(so_far: &SoFar) -> String {
    let newest = so_far.newest_at.map(|at| format!(", the newest of {}", time(at))).unwrap_or_default();
    format!(
        ":hourglass_flowing_sand: *Under way* since {}: {}{newest}. What it finds is here and among the steps of containment \
         before it is at its end.",
        time(so_far.began_at),
        plainly(so_far)
    )
}

fn plainly(so_far: &SoFar) -> String {
    let SoFar { regions_done, regions, questions_left, events_read, .. } = so_far;
    format!("{regions_done} of {regions} Region(s) done, {questions_left} question(s) left, {events_read} events read")
}

/// In a few words, for the announcement; absent until a search has come to its end.
pub fn brief(incident: &Incident) -> Option<String> {
    let (found, _) = incident.hunted.as_ref().filter(|_| incident.swept.is_some())?;
    let reached = found.credentials.iter().filter(|reached| reached.how.is_some()).count();
    let so_far = if too_early(incident).is_some() { " so far, too early to say more" } else { "" };
    Some(format!("hunt: {reached} reached, {} touched{so_far}", found.footprint.len()))
}

/// What a note says of credentials that were not known before; `None` when there are none.
pub fn news(found: &Hunted, before: Option<&Hunted>, incident: IncidentId) -> Option<String> {
    let new = found.new_since(before);
    if new.is_empty() {
        return None;
    }
    Some(format!(
        ":rotating_light: *The attacker has reached {} more credential(s).* Contain them before anything else; their steps \
         are in the thread.\n{}",
        new.len(),
        list(credentials(&new).into_iter(), incident)
    ))
}

/// A line for each, and one for all sessions of the same user or role: the same step contains them.
fn credentials(reached: &[&Reached]) -> Vec<String> {
    let same = |a: &Reached, b: &Reached| a.is_session() && b.is_session() && a.whose() == b.whose();
    let mut lines = Vec::new();
    for (at, one) in reached.iter().enumerate() {
        if reached[..at].iter().any(|earlier| same(earlier, one)) {
            continue;
        }
        let all: Vec<&Reached> = reached[at..].iter().filter(|other| same(one, other)).copied().collect();
        lines.push(if all.len() > 1 { sessions(&all) } else { credential(one) });
    }
    lines
}

/// Several sessions of one user or role, the first of them first.
fn sessions(all: &[&Reached]) -> String {
    let whose = match all[0].whose() {
        Some((account, role)) if !role.is_empty() => format!("role {} in account {}", code(role), code(account)),
        Some((arn, _)) => code(arn),
        None => "an unknown principal".to_owned(),
    };
    let first = all[0].access_key_id.as_deref().map(code).unwrap_or_default();
    let event = all[0].event_id.as_deref().map(|id| format!(" (event {})", code(id))).unwrap_or_default();
    let last = all.iter().filter_map(|one| one.last_worked_at).max();
    let last = last.map(|at| format!(", last worked {}", time(at))).unwrap_or_default();
    format!("*{} sessions* of {whose}, the first {first}{event}{last}", all.len())
}

fn credential(reached: &Reached) -> String {
    let key = reached.access_key_id.as_deref().map_or_else(|| "the console".to_owned(), code);
    let word = if reached.access_key_id.is_some() { "of" } else { "as" };
    let whose = reached.principal.as_deref().map(|arn| format!(" {word} {}", code(arn))).unwrap_or_default();
    let how = reached.how.as_deref().map(|how| format!(", by {}", escape(how))).unwrap_or_default();
    let event = reached.event_id.as_deref().map(|id| format!(" (event {})", code(id))).unwrap_or_default();
    let last = reached.last_worked_at.map(|at| format!(", last worked {}", time(at))).unwrap_or_default();
    format!("{key}{whose}{how}{event}{last}")
}

fn entrance(way: &Entrance) -> String {
    let (role, who, event) = (code(&way.role_arn), code(&way.outsider.in_words()), code(&way.event_id));
    format!("{role} was taken by {who} (event {event})")
}

fn trace(trace: &Trace) -> String {
    let what = match (trace.made_by_attacker, trace.state) {
        (true, State::Deleted) => "made and deleted",
        (true, _) => "*made*",
        (false, State::Deleted) => "deleted",
        (false, _) => "changed",
    };
    let event = trace.evidence.first().map(|id| format!(", event {}", code(id))).unwrap_or_default();
    let event = if trace.in_doubt.is_some() { format!("{event}: *can be the owner's*") } else { event };
    format!("{what}: {} {} in {}{event}", escape(&trace.resource_type), code(&trace.id), code(&trace.region))
}

fn counts(found: &Hunted) -> Option<String> {
    let count = |of: fn(&Trace) -> bool| found.footprint.iter().filter(|trace| of(trace)).count();
    let made = count(|trace| trace.made_by_attacker && trace.state != State::Deleted);
    let changed = count(|trace| !trace.made_by_attacker && trace.state != State::Deleted);
    let deleted = count(|trace| trace.state == State::Deleted);
    (made + changed + deleted > 0).then(|| format!("{made} made, {changed} changed, {deleted} gone"))
}

/// What the event history does not have, and where that is to be found.
fn lacks(incident: &Incident, policy: &Policy) -> &'static str {
    if logs::read_at(incident).is_some() {
        "the event history has management events only; the logs were searched too, see their card"
    } else if logs::is_possible(incident, policy) {
        "management events of 90 days only: reads and writes of data are not in the event history; search the logs for \
         them on their card"
    } else {
        "management events of 90 days only: reads and writes of data are not in the event history, and it cannot be asked \
         by address (an [account.athena] in irp.toml lets the logs be searched for that)"
    }
}

fn how_far(incident: &Incident, found: &Hunted, policy: &Policy) -> String {
    let regions = incident.swept.iter().flat_map(|(swept, _)| &swept.regions);
    let (read, unread): (Vec<_>, Vec<_>) = regions.partition(|region| region.unread.is_none());
    let (read, all) = (read.len(), read.len() + unread.len());
    let searched =
        if all == 0 { "no search at its end yet".to_owned() } else { format!("{read} of {all} Region(s) searched") };
    let only = if all == 1 { " (name the account's other Regions in irp.toml)" } else { "" };
    let unread: Vec<String> = unread.iter().map(|region| code(&region.region)).collect();
    let unread = if unread.is_empty() { String::new() } else { format!(", not {}", unread.join(", ")) };
    let since = if incident.compromise.is_some() || beginning::is_unknown(incident) {
        ""
    } else {
        " · what the credential did more than an hour before it was first seen counts as its owner's, until the \
         compromise time is set"
    };
    let newest = found.newest_at.map(|at| format!(", the newest of {}", time(at))).unwrap_or_default();
    format!(
        "{searched}{unread}{only} · {} events read{newest} · {} · a call \
         shows up to 15 minutes late{since}",
        found.events_read,
        lacks(incident, policy)
    )
}

/// The first of them, and in which file all are.
fn list(items: impl Iterator<Item = String>, incident: IncidentId) -> String {
    let items: Vec<String> = items.collect();
    let lines: Vec<String> =
        items.iter().take(SHOWN_MAX).map(|item| format!("• {}", cut(item, LINE_CHARS_MAX))).collect();
    lines.join("\n") + &and_more(items.len() - lines.len(), incident)
}
