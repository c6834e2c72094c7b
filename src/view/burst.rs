//! The cards of all containment, and of all removal, in one go: one thing to read, one thing to decide on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blast_radius::breaks;
use super::blocks::{Look, actions, button, code, confirmed, context, cut, escape, header, section, summary, time};
use super::plan_file::where_to_read;
use super::recused::recused_in_words;
use super::step::{break_glass, denied_before, mark, plan_blocks, too_few, what};
use super::{again, lockout, undelivered};
use crate::domain::action::{Action, Inverse};
use crate::domain::approval::{Request, RequestState};
use crate::domain::incident::eradication::{left, removals, waiting};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Missing, Offer, Step, contained, is_undo, steps};
use crate::domain::incident::together::{class, class_now, class_of, digest, members, open_steps, word};
use crate::domain::incident::whole::{STEPS_MAX, Whole, shown};
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Policy};
use crate::domain::recusal::{Recused, recused_from};
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::{Message, Slot};

/// Longest line of a step, all lines together, and those of one section.
const LINE_CHARS_MAX: usize = 300;
const LIST_CHARS_MAX: usize = 6_000;
const PART_CHARS_MAX: usize = 2_900;
/// So far a card is filled with details that are in a file too: Slack takes about 13,200 characters in a message, and who
/// decides, and the buttons, come after them.
const DETAIL_CHARS_MAX: usize = 9_500;

/// Its headline, by what is asked for.
pub const fn title(class: ActionClass) -> &'static str {
    match class {
        ActionClass::Eradicate => "Remove everything at once",
        ActionClass::Contain | ActionClass::Loosen => "Contain everything at once",
    }
}

/// The headline of the card on which a request is decided together with others.
pub fn title_for(incident: &Incident, request: &Request) -> &'static str {
    title(class(incident, request))
}

/// The slots of the two cards, and what is asked for there.
pub const SLOTS: [(&str, ActionClass); 2] = [("burst", ActionClass::Contain), ("burst:remove", ActionClass::Eradicate)];

/// The slot of the card on which a request is decided.
pub fn slot(incident: &Incident, request: &Request) -> Slot {
    let together = SLOTS.into_iter().find(|(_, of)| *of == class(incident, request));
    match together.filter(|_| decided_together(incident, request)) {
        Some((slot, _)) => slot.to_owned(),
        None => format!("step:{}", request.plan.step),
    }
}

/// Whether people decide about a request on this card and not on its own: as long as it has not been started.
pub fn decided_together(incident: &Incident, request: &Request) -> bool {
    request.burst.is_some()
        && matches!(request.state, RequestState::Pending | RequestState::Approved { .. })
        && newest(incident, class(incident, request))
            .is_some_and(|members| members.iter().any(|member| member.id == request.id))
}

/// Those of a kind that were last asked for together.
fn newest(incident: &Incident, of: ActionClass) -> Option<Vec<&Request>> {
    let asked = |request: &&Request| request.burst.is_some() && class(incident, request) == of;
    let last = incident.requests.values().rev().find(asked)?;
    Some(members(incident, last))
}

/// The cards, each with its slot: containment and removal have one each, so that no button comes to stand where one that did
/// something else has stood. `owed` is the containment that is missing.
pub fn messages(
    incident: &Incident,
    playbook: &Playbook,
    owed: &[(Step, Missing)],
    policy: &Policy,
) -> Vec<(&'static str, Message)> {
    let open = open_steps(incident, playbook);
    let cards = SLOTS.map(|(slot, class)| {
        let is_now = class_now(&open) == Some(class);
        let left: Vec<&Step> = open.iter().filter(|_| is_now).map(|(step, _)| step).collect();
        let asked = newest(incident, class);
        let waits = asked.iter().flatten().any(|request| request.state.is_open());
        let done = |members: &[&Request]| of_request(incident, playbook, members, owed, policy);
        let message = match asked {
            Some(members) if waits || left.len() < 2 => Some(done(&members)),
            _ if left.len() >= 2 && !incident.sample => Some(offered(incident, &left, owed, class)),
            Some(members) => Some(done(&members)),
            None => was_offered(incident, playbook, class).then(|| not_offered(incident, playbook, class)),
        };
        message.map(|message| (slot, message))
    });
    cards.into_iter().flatten().collect()
}

/// Whether it may have been offered: of what there is and what was asked for, there are two or more. A card that was posted
/// is brought in line for good, so that none keeps a button that nobody means any more.
fn was_offered(incident: &Incident, playbook: &Playbook, class: ActionClass) -> bool {
    let asked = incident.requests.values().filter(|r| !is_undo(&r.plan.step)).map(|r| &r.plan.action);
    let mut all: Vec<Action> = asked.filter(|action| class_of(action) == class).cloned().collect();
    let known: Vec<Action> = match class {
        // Before anything is in force, removal was not its turn.
        ActionClass::Eradicate if incident.watch.is_none() && incident.verdict.is_none() => Vec::new(),
        ActionClass::Eradicate => removals(incident).into_iter().map(|removal| removal.action).collect(),
        ActionClass::Contain | ActionClass::Loosen => {
            let of = |step: Step| match step.offer {
                // Nothing waits for a policy of the organization: it is asked for alone.
                Offer::Action(Action::DenyByScp(_)) | Offer::Refused { .. } => None,
                Offer::Action(action) => Some(action).filter(|action| !is_undo(&step.id) && class_of(action) == class),
            };
            steps(incident, playbook).into_iter().filter_map(of).collect()
        }
    };
    all.extend(known);
    !incident.sample && all.iter().any(|action| *action != all[0])
}

/// The card while there is nothing to press: how it stands.
pub fn not_offered(incident: &Incident, playbook: &Playbook, class: ActionClass) -> Message {
    let is_left = class_now(&open_steps(incident, playbook)) == Some(class);
    let removes = class == ActionClass::Eradicate;
    let (state, says) = if !incident.is_open() {
        ("closed", "The incident is closed.")
    } else if is_left {
        ("asked for one by one", "What is left of this is asked for on its own card.")
    } else if removes && !contained(incident, playbook) {
        (
            "not now, containment comes first",
            "Not now: containment comes first. What need not wait for that can be asked for on its own card.",
        )
    } else if removes && !waiting(incident, playbook).is_empty() {
        ("not now, the rest waits for the proof", "Not now: what is left waits until containment is verified.")
    } else {
        ("nothing left", "Nothing of this is left to ask for.")
    };
    let title = title(class);
    let text = summary(&format!("{} · {title}: {state}", incident.id));
    Message { text, blocks: vec![header(&format!(":white_circle: {title}")), section(says)] }
}

fn offered(incident: &Incident, left: &[&Step], owed: &[(Step, Missing)], class: ActionClass) -> Message {
    let title = title(class);
    let line = |(i, step): (usize, &&Step)| {
        let again = again::briefly(incident, owed, &step.id).map(|why| format!(" · :warning: {why}"));
        format!("{}. {}{}", i + 1, escape(&step.title), again.unwrap_or_default())
    };
    let lines: Vec<String> = left.iter().enumerate().map(line).collect();
    let mut blocks = vec![
        header(&format!(":white_circle: {title}")),
        section(
            "Asks for all of these as one plan with one digest. Approved once, they run in this order; each is read back, and one \
             that fails holds up none of the others.",
        ),
    ];
    blocks.extend(listed(&lines));
    if incident.is_open() {
        // What the card asks for goes with the press: by then it can be the other's turn.
        let value = format!("{} {}", incident.id, word(class));
        let ask = button(name::REQUEST_ALL, &format!("Request all {}", left.len()), &value, Look::Primary);
        blocks.push(actions("burst", &[ask]));
    }
    Message { text: summary(&format!("{} · {title}: {} steps, not asked for yet", incident.id, left.len())), blocks }
}

/// Every line, in as many sections as that takes.
fn listed(lines: &[String]) -> Vec<Value> {
    let line_chars_max = (LIST_CHARS_MAX / lines.len().max(1)).min(LINE_CHARS_MAX);
    let mut parts: Vec<String> = Vec::new();
    for line in lines.iter().map(|line| cut(line, line_chars_max)) {
        match parts.last_mut() {
            Some(part) if part.chars().count() + line.chars().count() < PART_CHARS_MAX => {
                part.push('\n');
                part.push_str(&line);
            }
            _ => parts.push(line),
        }
    }
    parts.iter().map(|part| section(part)).collect()
}

/// A step in a line: what, to whom, how it stands, and while that is decided whether it can be undone.
fn line(incident: &Incident, request: &Request, owed: &[(Step, Missing)]) -> String {
    let action = &request.plan.action;
    let title = action.title();
    let target = if title.contains(action.target()) { String::new() } else { format!(" ({})", code(action.target())) };
    let again = again::briefly(incident, owed, &request.plan.step).filter(|_| is_verified(request));
    let mark = if again.is_some() { ":warning:" } else { mark(&request.state) };
    let again = again.map(|why| format!(", {why}")).unwrap_or_default();
    let undo = match (&request.state, is_final(request)) {
        (RequestState::Pending, true) => " · *cannot be undone*",
        (RequestState::Pending, false) => " · can be undone",
        _ => "",
    };
    format!("{mark} *{}* {}{target}: {}{again}{undo}", request.id, escape(&title), request.state.in_words())
}

/// Whether nothing here takes it back.
const fn is_final(request: &Request) -> bool {
    matches!(request.plan.work.inverse, Inverse::None(_))
}

fn size(blocks: &[Value]) -> usize {
    blocks.iter().map(|block| block.to_string().chars().count()).sum()
}

/// What is decided on: all of it where that fits on the card, else as much as there is room for.
fn details(incident: &Incident, members: &[&Request], whole: Whole<'_>, taken: usize, policy: &Policy) -> Vec<Value> {
    let (mut blocks, mut only_in_file) = (Vec::new(), 0);
    let mut room = DETAIL_CHARS_MAX.saturating_sub(taken);
    for (at, request) in members.iter().enumerate() {
        let broken = breaks(incident, &request.plan.action).map(|line| format!("\n{line}")).unwrap_or_default();
        let mut about = vec![section(&format!("*{}* {}{broken}", request.id, what(request)))];
        about.extend(lockout::briefly(request, policy));
        about.extend(undelivered::warning(request));
        let calls: Vec<Value> = plan_blocks(&request.plan, &request.plan.work.calls).collect();
        let (about_chars, calls_chars) = (size(&about), size(&calls));
        let fits = |chars: usize| whole == Whole::OnCard || (at < STEPS_MAX && chars <= room);
        let with_calls = fits(about_chars + calls_chars);
        if !fits(about_chars) {
            about.clear();
        }
        room = room.saturating_sub(size(&about));
        blocks.append(&mut about);
        if with_calls {
            room = room.saturating_sub(calls_chars);
            blocks.extend(calls);
        } else {
            only_in_file += 1;
        }
    }
    if only_in_file > 0 {
        blocks.push(section(&format!("*{only_in_file} of {} steps' calls are only in the file.*", members.len())));
    }
    blocks
}

fn of_request(
    incident: &Incident,
    playbook: &Playbook,
    members: &[&Request],
    owed: &[(Step, Missing)],
    policy: &Policy,
) -> Message {
    let [first, ..] = members else { return Message { text: String::new(), blocks: Vec::new() } };
    let digest = digest(incident, first);
    let class = class(incident, first);
    let title = title(class);
    let pending: Vec<&&Request> = members.iter().filter(|r| r.state == RequestState::Pending).collect();
    let lines: Vec<String> = members.iter().map(|request| line(incident, request, owed)).collect();
    let more = match class {
        ActionClass::Eradicate => !left(incident, playbook).is_empty() || !waiting(incident, playbook).is_empty(),
        ActionClass::Contain | ActionClass::Loosen => !owed.is_empty(),
    };
    let mut blocks = vec![header(&format!("{} {title}", overall(members, more)))];
    blocks.extend(listed(&lines));
    let whole = shown(incident, first);
    if !pending.is_empty() {
        blocks.extend(details(incident, members, whole, size(&blocks), policy));
        if whole != Whole::OnCard {
            blocks.push(where_to_read(incident, first));
        }
        let until = pending.iter().map(|r| r.plan.approve_by).min().unwrap_or(first.plan.approve_by);
        let before: BTreeSet<String> = pending.iter().map(|r| denied_before(incident, r)).collect();
        // Who may not decide on one of them cannot decide on the whole.
        let recused: Recused = pending.iter().flat_map(|r| recused_from(incident, r, policy)).collect();
        let left: BTreeSet<String> = pending.iter().map(|r| too_few(policy, &recused, r)).collect();
        blocks.push(section(&format!(
            "{}:hourglass_flowing_sand: *Waits for an approver other than {}*, until {}.{}{}",
            before.into_iter().collect::<String>(),
            mention(&first.requested_by),
            time(until),
            recused_in_words(incident, policy, &recused),
            left.into_iter().collect::<String>()
        )));
    }
    let open = members.iter().any(|r| matches!(r.state, RequestState::Pending | RequestState::Approved { .. }));
    if incident.is_open() && open {
        let decides = (!pending.is_empty()).then_some(whole);
        // What one person has run alone is past deciding on.
        let waits = |r: &&&Request| matches!(r.state, RequestState::Approved { .. });
        let pressed: &Request = pending.first().copied().or(members.iter().find(waits)).copied().unwrap_or(first);
        let alone = pending.iter().any(|r| !r.plan.action.destroys());
        let finals = pending.iter().filter(|r| is_final(r)).count();
        blocks.push(buttons(
            incident,
            pressed,
            digest.short(),
            decides,
            (finals, pending.len()),
            alone.then_some(policy),
        ));
    }
    blocks.push(context(&format!(
        "{} · asked for by {} {} · digest {}",
        members.iter().map(|r| format!("*{}*", r.id)).collect::<Vec<_>>().join(" "),
        mention(&first.requested_by),
        time(first.requested_at),
        code(digest.short()),
    )));
    let state = match pending.len() {
        0 => {
            let more = if more { ", and more is owed" } else { "" };
            format!("{} of {} in force{more}", members.iter().filter(|r| is_done(r)).count(), members.len())
        }
        _ => "waiting for approval".to_owned(),
    };
    Message { text: summary(&format!("{} · {title}: {state}", incident.id)), blocks }
}

const fn is_verified(request: &Request) -> bool {
    matches!(request.state, RequestState::Verified { .. })
}

const fn is_done(request: &Request) -> bool {
    is_verified(request) && request.lost.is_none()
}

/// The worst of them; never done while there is `more` of the same to do.
fn overall(members: &[&Request], more: bool) -> &'static str {
    let any = |wanted: fn(&Request) -> bool| members.iter().any(|r| wanted(r));
    if any(|r| r.state == RequestState::Pending) {
        ":hourglass_flowing_sand:"
    } else if any(|r| r.state.is_open()) {
        ":arrow_right:"
    } else if !more && members.iter().all(|r| is_done(r)) {
        ":large_green_circle:"
    } else if any(|r| matches!(r.state, RequestState::Failed { .. })) {
        ":red_circle:"
    } else if any(|r| matches!(r.state, RequestState::Unknown { .. })) {
        ":grey_question:"
    } else {
        ":warning:"
    }
}

fn buttons(
    incident: &Incident,
    first: &Request,
    digest: &str,
    decides: Option<Whole>,
    (finals, pending): (usize, usize),
    alone: Option<&Policy>,
) -> Value {
    let (value, id) = (format!("{} {digest}", first.id), first.id.to_string());
    let mut elements = Vec::new();
    if let Some(whole) = decides.filter(|_| incident.freeze.is_none()) {
        let whole = !matches!(whole, Whole::NotYet(_));
        let undo = match finals {
            0 => "Each can be undone, with two people again.".to_owned(),
            finals => format!("{finals} of them cannot be undone here: the list says which."),
        };
        let approve = confirmed(
            button(name::APPROVE, "Approve all", &value, Look::Primary),
            "Approve all of it?",
            &format!("All {pending} steps that wait run at once, in this order. {undo}"),
            "Approve and run",
        );
        elements.extend(whole.then_some(approve));
        elements.push(button(name::DENY, "Deny…", &value, Look::Danger));
        let contains = first.plan.action.class() == ActionClass::Contain;
        elements.extend(alone.filter(|_| whole && contains).and_then(|policy| break_glass(policy, &value)));
    }
    if !first.approvals.is_empty() {
        elements.push(button(name::RETRACT, "Take approval back", &id, Look::Plain));
    }
    elements.push(button(name::WITHDRAW, "Withdraw", &id, Look::Plain));
    elements.push(button(name::CANCEL, "Cancel (lead)", &id, Look::Plain));
    debug_assert!(!is_undo(&first.plan.step), "an undo is asked for alone");
    actions("burst", &elements)
}
