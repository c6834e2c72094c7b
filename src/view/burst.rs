//! The card of all containment in one go: one thing to read, one thing to decide on.

use std::collections::BTreeSet;

use super::blast_radius::breaks;
use super::blocks::{Look, actions, button, code, confirmed, context, escape, header, section, summary, time};
use super::plan_file::where_to_read;
use super::step::{break_glass, denied_before, mark, plan_blocks, recused_in_words, too_few, what};
use crate::domain::approval::{Request, RequestState};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::is_undo;
use crate::domain::incident::together::{digest, members, open_steps};
use crate::domain::incident::whole::{STEPS_MAX, Whole, shown};
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Policy};
use crate::domain::recusal::{Recused, recused_from};
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Its headline, by what is asked for.
pub const fn title(class: ActionClass) -> &'static str {
    match class {
        ActionClass::Eradicate => "Remove everything at once",
        ActionClass::Contain | ActionClass::Loosen => "Contain everything at once",
    }
}

/// Whether people decide about a request on this card and not on its own: as long as it has not been started.
pub fn decided_together(incident: &Incident, request: &Request) -> bool {
    request.burst.is_some()
        && matches!(request.state, RequestState::Pending | RequestState::Approved { .. })
        && newest(incident).is_some_and(|members| members.iter().any(|member| member.id == request.id))
}

/// Those that were last asked for together.
fn newest(incident: &Incident) -> Option<Vec<&Request>> {
    let last = incident.requests.values().rev().find(|request| request.burst.is_some())?;
    Some(members(incident, last))
}

/// The card; absent where there never was more than one thing to ask for.
pub fn message(incident: &Incident, playbook: &Playbook, policy: &Policy) -> Option<Message> {
    let asked = newest(incident);
    let open = open_steps(incident, playbook);
    let class = open.first().map_or(ActionClass::Contain, |(_, action)| action.class());
    let left: Vec<String> = open.into_iter().map(|(step, _)| step.title).collect();
    let waits = |members: &[&Request]| members.iter().any(|r| r.state.is_open());
    match asked {
        Some(members) if waits(&members) || left.len() < 2 => Some(of_request(incident, &members, policy)),
        _ if left.len() >= 2 && !incident.sample => Some(offered(incident, &left, title(class))),
        Some(members) => Some(of_request(incident, &members, policy)),
        None => None,
    }
}

fn offered(incident: &Incident, left: &[String], title: &str) -> Message {
    let lines: Vec<String> =
        left.iter().enumerate().map(|(i, title)| format!("{}. {}", i + 1, escape(title))).collect();
    let mut blocks = vec![
        header(&format!(":white_circle: {title}")),
        section(&format!(
            "Asks for all of these as one plan with one digest. Approved once, they run in this order; each is read back, and \
             one that fails holds up none of the others.\n{}",
            lines.join("\n")
        )),
    ];
    if incident.is_open() {
        let ask =
            button(name::REQUEST_ALL, &format!("Request all {}", left.len()), &incident.id.to_string(), Look::Primary);
        blocks.push(actions("burst", &[ask]));
    }
    Message { text: summary(&format!("{} · {title}: {} steps, not asked for yet", incident.id, left.len())), blocks }
}

fn of_request(incident: &Incident, members: &[&Request], policy: &Policy) -> Message {
    let [first, ..] = members else { return Message { text: String::new(), blocks: Vec::new() } };
    let digest = digest(incident, first);
    let title = title(first.plan.action.class());
    let pending: Vec<&&Request> = members.iter().filter(|r| r.state == RequestState::Pending).collect();
    let lines: Vec<String> = members
        .iter()
        .map(|r| format!("{} *{}* {}: {}", mark(&r.state), r.id, escape(&r.plan.action.title()), r.state.in_words()))
        .collect();
    let mut blocks = vec![header(&format!("{} {title}", overall(members))), section(&lines.join("\n"))];
    let whole = shown(incident, first);
    if !pending.is_empty() {
        for request in members.iter().take(STEPS_MAX) {
            let broken = breaks(incident, &request.plan.action).map(|line| format!("\n{line}")).unwrap_or_default();
            blocks.push(section(&format!("*{}* {}{broken}", request.id, what(request))));
            if whole == Whole::OnCard {
                blocks.extend(plan_blocks(&request.plan, &request.plan.work.calls));
            }
        }
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
            recused_in_words(&recused),
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
        blocks.push(buttons(incident, pressed, digest.short(), decides, alone.then_some(policy)));
    }
    blocks.push(context(&format!(
        "{} · asked for by {} {} · digest {}",
        members.iter().map(|r| format!("*{}*", r.id)).collect::<Vec<_>>().join(" "),
        mention(&first.requested_by),
        time(first.requested_at),
        code(digest.short()),
    )));
    let state = match pending.len() {
        0 => format!("{} of {} in force", members.iter().filter(|r| is_done(r)).count(), members.len()),
        _ => "waiting for approval".to_owned(),
    };
    Message { text: summary(&format!("{} · {title}: {state}", incident.id)), blocks }
}

fn is_done(request: &Request) -> bool {
    matches!(request.state, RequestState::Verified { .. }) && request.lost.is_none()
}

/// The worst of them.
fn overall(members: &[&Request]) -> &'static str {
    let any = |wanted: fn(&Request) -> bool| members.iter().any(|r| wanted(r));
    if any(|r| r.state == RequestState::Pending) {
        ":hourglass_flowing_sand:"
    } else if any(|r| r.state.is_open()) {
        ":arrow_right:"
    } else if members.iter().all(|r| is_done(r)) {
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
    alone: Option<&Policy>,
) -> serde_json::Value {
    let (value, id) = (format!("{} {digest}", first.id), first.id.to_string());
    let mut elements = Vec::new();
    if let Some(whole) = decides.filter(|_| incident.freeze.is_none()) {
        let whole = !matches!(whole, Whole::NotYet(_));
        let approve = confirmed(
            button(name::APPROVE, "Approve all", &value, Look::Primary),
            "Approve all of it?",
            "Every step listed runs at once, in this order. What can be undone says so above.",
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
