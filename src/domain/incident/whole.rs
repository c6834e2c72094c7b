//! Shown whole: people decide on what they can read, every parameter of it. A plan that is too long for a card
//! goes into the thread as a file, and can be approved only once that is up. Here alone is said which it is,
//! for the rules and for what is shown.

use std::collections::BTreeSet;

use super::event::Event;
use super::state::{Incident, Upload};
use super::together::{digest, members};
use crate::domain::action::document::difference;
use crate::domain::action::{ApiCall, CUT_OFF, CUT_OFF_LEAD_S, Inverse};
use crate::domain::approval::{Digest, Plan, Request, RequestState};
use crate::domain::id::RequestId;
use crate::domain::refusal::{Refusal, moment};

/// Longest plan that a step's card shows, its undo included, in characters. Slack takes about 13,200 in a
/// message, and a failed plan has its commands to run by hand beside it.
const CARD_CHARS_MAX: usize = 5_000;
/// The same of all that is asked for together: beside it stands for each what it breaks.
const SHARED_CARD_CHARS_MAX: usize = 5_500;
/// Longest undo that is said in a line, as it is written for Slack.
const UNDO_LINE_CHARS_MAX: usize = 600;
/// `&amp;`
const ESCAPED_CHARS: usize = 5;
/// Most steps on one card: with what each breaks, they still fit into a message.
pub const STEPS_MAX: usize = 8;

/// Where all of a plan can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whole<'a> {
    /// On its card.
    OnCard,
    /// In the file with this address, in the thread.
    InFile(&'a str),
    /// Nowhere yet, and why the file could not be put there, if that was tried.
    NotYet(Option<&'a str>),
}

/// Where all can be read that is decided together with a request.
pub fn shown<'a>(incident: &'a Incident, request: &Request) -> Whole<'a> {
    if fits(&members(incident, request)) {
        return Whole::OnCard;
    }
    match incident.uploads.get(&digest(incident, request)) {
        Some(Upload::Up(file)) => Whole::InFile(file),
        Some(Upload::Failed(why)) => Whole::NotYet(Some(why)),
        None => Whole::NotYet(None),
    }
}

/// Whether one card can show these whole.
pub fn fits(members: &[&Request]) -> bool {
    let chars_max = if members.len() > 1 { SHARED_CARD_CHARS_MAX } else { CARD_CHARS_MAX };
    let chars = |request: &&Request| {
        texts(&request.plan, &request.plan.work.calls).iter().map(|text| text.chars().count()).sum::<usize>()
    };
    members.len() <= STEPS_MAX && members.iter().map(chars).sum::<usize>() <= chars_max
}

/// Checks that a yes to this request is a yes to what could be read.
pub(super) fn check(incident: &Incident, request: &Request) -> Result<(), Refusal> {
    match shown(incident, request) {
        Whole::OnCard | Whole::InFile(_) => Ok(()),
        Whole::NotYet(_) => Err(Refusal::NotShownWhole(request.id)),
    }
}

/// What waits for a decision and has to go into the thread as a file first. One that was asked for together
/// with others stands for all of them.
pub fn to_upload(incident: &Incident) -> Vec<&Request> {
    if !incident.is_open() {
        return Vec::new();
    }
    let pending = incident.requests.values().filter(|r| r.state == RequestState::Pending);
    let first: BTreeSet<RequestId> = pending.map(|r| r.burst.unwrap_or(r.id)).collect();
    let requests = first.iter().filter_map(|id| incident.requests.get(id));
    requests.filter(|request| matches!(shown(incident, request), Whole::NotYet(_))).collect()
}

/// What follows from an upload. That it fails is noted once: it is tried again and again.
pub(super) fn uploaded(
    incident: &Incident,
    request: RequestId,
    of: Digest,
    outcome: Result<String, String>,
) -> Vec<Event> {
    let bound = incident.requests.get(&request).is_some_and(|found| digest(incident, found) == of);
    if !bound || !incident.is_open() {
        return Vec::new();
    }
    match (outcome, incident.uploads.get(&of)) {
        (_, Some(Upload::Up(_))) | (Err(_), Some(Upload::Failed(_))) => Vec::new(),
        (Ok(file), _) => vec![Event::PlanUploaded { request, digest: of, file }],
        (Err(why), None) => vec![Event::PlanNotUploaded { request, digest: of, why }],
    }
}

/// A plan as it stands on its card: what changes in a document, the calls as planned or as sent, and the undo where a line
/// cannot say it.
pub fn texts(plan: &Plan, calls: &[ApiCall]) -> Vec<String> {
    let parts = [changes_text(plan), Some(calls_text(calls, plan)), undo_text(&plan.work.inverse)];
    parts.into_iter().flatten().collect()
}

/// Calls with all their parameters, for people.
pub fn literal(calls: &[ApiCall]) -> String {
    let mut text = String::new();
    for call in calls {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(call.iam_action());
        for (name, value) in call.parameters() {
            // A document on one line: every bracket on its own would hide the buttons below.
            let value = match serde_json::from_str::<serde_json::Value>(&value) {
                Ok(document @ serde_json::Value::Object(_)) => document.to_string(),
                _ => value,
            };
            text.extend(["\n  ", &name, " = ", &value.replace('\n', "\n  ")]);
        }
    }
    text
}

/// The calls of a plan, as planned or as sent, and what its cut-off means.
pub fn calls_text(calls: &[ApiCall], plan: &Plan) -> String {
    let text = literal(calls);
    if !text.contains(CUT_OFF) {
        return text;
    }
    let in_force = plan.work.cut_off_not_before.map(moment);
    let floor = in_force.map(|at| format!(", not before {at}, which is in force already")).unwrap_or_default();
    format!("{text}\n{CUT_OFF} = the moment of the call + {CUT_OFF_LEAD_S} s{floor}")
}

/// What a document that a plan puts over another says differently: the undo puts the other back.
pub fn changes_text(plan: &Plan) -> Option<String> {
    let Inverse::Calls(undo) = &plan.work.inverse else { return None };
    let one = |call: &ApiCall| {
        let back = undo.iter().find(|back| back.iam_action() == call.iam_action())?;
        difference(back.document()?, call.document()?)
    };
    let parts: Vec<String> = plan.work.calls.iter().filter_map(one).collect();
    (!parts.is_empty()).then(|| format!("What changes (- goes, + comes):\n{}", parts.join("\n")))
}

/// The undo's calls in a line; nothing when that would be too long for one.
pub fn undo_line(calls: &[ApiCall]) -> Option<String> {
    let parameter = |(name, value): (String, String)| {
        if name == "PolicyDocument" { format!("{name}=(below)") } else { format!("{name}={value}") }
    };
    let one = |call: &ApiCall| {
        let parameters: Vec<String> = call.parameters().into_iter().map(parameter).collect();
        format!("{} {}", call.iam_action(), parameters.join(" "))
    };
    let line = calls.iter().map(one).collect::<Vec<_>>().join("; ");
    // What Slack gives a meaning takes more room than it has characters.
    let chars: usize = line.chars().map(|c| if matches!(c, '&' | '<' | '>') { ESCAPED_CHARS } else { 1 }).sum();
    (chars <= UNDO_LINE_CHARS_MAX).then_some(line)
}

/// The undo's calls in full, where a line cannot say them.
fn undo_text(inverse: &Inverse) -> Option<String> {
    let Inverse::Calls(calls) = inverse else { return None };
    let in_full = calls.iter().any(|call| call.document().is_some()) || undo_line(calls).is_none();
    in_full.then(|| format!("Undo:\n{}", literal(calls)))
}
