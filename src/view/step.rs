//! One step's card: what it would do, and everything about its newest request.

use serde_json::Value;

use super::blocks::{
    Look, actions, button, code, confirmed, context, cut, escape, header, preformatted, section, summary, time,
};
use super::evidence::used_by;
use crate::domain::action::{ApiCall, CUT_OFF, CUT_OFF_LEAD_S, Inverse};
use crate::domain::approval::{Request, RequestState};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Offer, Step, in_force, is_undo, undo_of, undone_by};
use crate::domain::policy::PersonId;
use crate::domain::recusal::{Recused, Why};
use crate::domain::refusal::{mention, moment};
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Longest plan that a card can show whole, its undo included. Slack takes about 13,200 characters in a
/// message, and a failed plan has its commands to run by hand beside it.
const PLAN_CHARS_MAX: usize = 5_000;
/// Longest explanation of an outcome.
const WHY_CHARS_MAX: usize = 1_000;

/// The whole message.
pub fn message(incident: &Incident, step: &Step, recused: &Recused) -> Message {
    let request = incident.requests_for(&step.id).next();
    let (mark, state) = match (&step.offer, request) {
        (Offer::Refused { .. }, _) => (":no_entry:", "not for the bot".to_owned()),
        (_, None) => (":white_circle:", "not asked for yet".to_owned()),
        (_, Some(r)) => match undone_by(incident, r.id) {
            Some(undo) => (":leftwards_arrow_with_hook:", format!("undone by {}", undo.id)),
            None => (mark(&r.state), r.state.in_words()),
        },
    };
    let mut blocks = vec![header(&format!("{mark} {}", step.title))];
    match (&step.offer, request) {
        (Offer::Refused { why, instead }, _) => {
            blocks.push(section(&format!("{}\n*Instead:* {}", escape(why), escape(instead))));
        }
        (Offer::Action(action), None) => {
            blocks.push(section(&format!("{}\n{}", escape(&step.why), escape(&action.effect()))));
            blocks.extend(warning(incident, step));
        }
        (Offer::Action(_), Some(request)) => blocks.extend(request_blocks(incident, step, request, recused)),
    }
    if let Some(row) = buttons(incident, step, request) {
        blocks.push(row);
    }
    Message { text: summary(&format!("{} · {}: {state}", incident.id, escape(&step.title))), blocks }
}

fn mark(state: &RequestState) -> &'static str {
    match state {
        RequestState::Pending => ":hourglass_flowing_sand:",
        RequestState::Approved { .. } | RequestState::Executing(_) => ":arrow_right:",
        RequestState::Verified { .. } => ":large_green_circle:",
        RequestState::Failed { .. } | RequestState::Unknown { .. } => ":red_circle:",
        RequestState::Denied { .. } => ":no_entry:",
        RequestState::Expired | RequestState::Stale { .. } | RequestState::Lapsed { .. } => ":warning:",
        RequestState::Withdrawn | RequestState::Superseded { .. } | RequestState::Cancelled { .. } => ":white_circle:",
    }
}

fn warning(incident: &Incident, step: &Step) -> Option<Value> {
    let Offer::Action(crate::domain::action::Action::RevokeRoleSessions { .. }) = &step.offer else { return None };
    let role_use = incident.identification()?.role_use.as_ref()?;
    Some(section(&format!(":warning: *Everybody below loses their session of this role.*\n{}", used_by(role_use))))
}

/// What it does, to whom, what it breaks and how it is undone; then the literal calls; then how it stands.
/// What identifies it comes last and small: an approver reads from the top.
fn request_blocks(incident: &Incident, step: &Step, request: &Request, recused: &Recused) -> Vec<Value> {
    let plan = &request.plan;
    let targets = plan.targets.iter().map(|t| code(t)).collect::<Vec<_>>().join(", ");
    let undo = match &plan.work.inverse {
        Inverse::None(why) => format!("*Cannot be undone here.* {}", escape(why)),
        Inverse::Calls(calls) => format!("*Undo:* {}, approved like this one.", escape(&calls_line(calls))),
    };
    let mut blocks = vec![section(&format!(
        "*To* {targets} in account {}\n{}\n{undo}",
        code(plan.account.as_str()),
        escape(&plan.action.effect())
    ))];
    blocks.extend(warning(incident, step));
    let sent = match &request.state {
        RequestState::Executing(execution) => &execution.sent,
        RequestState::Verified { sent, .. }
        | RequestState::Failed { sent, .. }
        | RequestState::Unknown { sent, .. }
            if !sent.is_empty() =>
        {
            sent
        }
        _ => &plan.work.calls,
    };
    if fits(request) {
        blocks.push(preformatted(&calls_text(sent, request)));
        if let Some(undo) = undo_text(&plan.work.inverse) {
            blocks.push(preformatted(&undo));
        }
    } else {
        blocks.push(section(
            ":warning: The plan is too long to be shown whole in Slack, so it cannot be approved here. Do it by hand.",
        ));
    }
    blocks.extend(outcome(incident, request, recused, sent));
    blocks.push(context(&format!(
        "*{}* · asked for by {} {} · unique id {} · Region {} · digest {}",
        request.id,
        mention(&request.requested_by),
        time(request.requested_at),
        plan.before.owner_id().map_or_else(|| "none".to_owned(), code),
        code(&plan.region),
        code(request.digest.short()),
    )));
    blocks
}

/// Whether the whole plan is on the card: only then may it be approved.
fn fits(request: &Request) -> bool {
    let undo = undo_text(&request.plan.work.inverse).unwrap_or_default();
    calls_text(&request.plan.work.calls, request).chars().count() + undo.chars().count() <= PLAN_CHARS_MAX
}

/// The undo's calls in full, where a line cannot say them.
fn undo_text(inverse: &Inverse) -> Option<String> {
    let Inverse::Calls(calls) = inverse else { return None };
    calls.iter().any(|call| call.document().is_some()).then(|| format!("Undo:\n{}", literal(calls)))
}

fn literal(calls: &[ApiCall]) -> String {
    let mut text = String::new();
    for call in calls {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(call.iam_action());
        for (name, value) in call.parameters() {
            // A document on one line: every bracket on its own would hide the buttons below.
            let value = match serde_json::from_str::<Value>(&value) {
                Ok(document @ Value::Object(_)) => document.to_string(),
                _ => value,
            };
            text.extend(["\n  ", name, " = ", &value.replace('\n', "\n  ")]);
        }
    }
    text
}

fn calls_text(calls: &[ApiCall], request: &Request) -> String {
    let text = literal(calls);
    if !text.contains(CUT_OFF) {
        return text;
    }
    let in_force = request.plan.work.cut_off_not_before.map(moment);
    let floor = in_force.map(|at| format!(", not before {at}, which is in force already")).unwrap_or_default();
    format!("{text}\n{CUT_OFF} = the moment of the call + {CUT_OFF_LEAD_S} s{floor}")
}

fn calls_line(calls: &[ApiCall]) -> String {
    let one = |call: &ApiCall| {
        let parameters: Vec<String> = call
            .parameters()
            .into_iter()
            .map(
                |(name, value)| {
                    if name == "PolicyDocument" { format!("{name}=(below)") } else { format!("{name}={value}") }
                },
            )
            .collect();
        format!("{} {}", call.iam_action(), parameters.join(" "))
    };
    calls.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn outcome(incident: &Incident, request: &Request, recused: &Recused, sent: &[ApiCall]) -> Vec<Value> {
    let why_of = |why: &str| cut(&escape(why), WHY_CHARS_MAX);
    let approvals = request
        .approvals
        .iter()
        .map(|a| format!("Approved by {}, {}", mention(&a.user), time(a.at)))
        .collect::<Vec<_>>()
        .join("\n");
    let state = match &request.state {
        RequestState::Pending => format!(
            "{}:hourglass_flowing_sand: *Waits for an approver other than {}*, until {}.{}",
            denied_before(incident, request),
            mention(&request.requested_by),
            time(request.plan.approve_by),
            recused_in_words(recused)
        ),
        RequestState::Approved { execute_by } => {
            format!(":arrow_right: Starts at once, at the latest {}.", time(*execute_by))
        }
        RequestState::Executing(execution) => {
            format!(":arrow_right: Call sent at {}. Reading back whether it holds…", time(execution.started_at))
        }
        RequestState::Verified { .. } if undone_by(incident, request.id).is_some() => {
            let undo = undone_by(incident, request.id).map(|r| r.id.to_string()).unwrap_or_default();
            format!(":leftwards_arrow_with_hook: *Undone by {undo}.* It was in force until then.")
        }
        RequestState::Verified { at, sent } if sent.is_empty() => {
            format!(
                ":large_green_circle: *AWS already was as wanted* when it was read at {}. Nothing was sent.",
                time(*at)
            )
        }
        RequestState::Verified { at, .. } => {
            format!(":large_green_circle: *Done, and read back from AWS* at {}.", time(*at))
        }
        RequestState::Failed { why, .. } => format!(":red_circle: *Failed.* {}", why_of(why)),
        RequestState::Unknown { why, .. } => {
            format!(":red_circle: *Not known whether it holds.* {}\nCheck in AWS before asking again.", why_of(why))
        }
        RequestState::Denied { by, reason, .. } => {
            format!(":no_entry: *Denied by {}:* {}", mention(by), escape(reason))
        }
        RequestState::Withdrawn => format!("Withdrawn by {}.", mention(&request.requested_by)),
        RequestState::Expired => "Nobody decided in time. Ask again if it is still wanted.".to_owned(),
        RequestState::Stale { why } => {
            format!("*Stale:* {}. Nothing was sent. Ask again, so that approvers see it as it is now.", escape(why))
        }
        RequestState::Superseded { by } => format!("Superseded by {by}."),
        RequestState::Cancelled { why } => format!("Cancelled: {why}."),
        RequestState::Lapsed { why } => format!("*Lapsed:* {}. Nothing was sent. Ask again.", escape(why)),
    };
    let text =
        [approvals.as_str(), state.as_str()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
    let mut blocks = vec![section(&text)];
    if matches!(request.state, RequestState::Failed { .. } | RequestState::Unknown { .. }) && fits(request) {
        let late = if sent.iter().any(|call| call.document().is_some()) {
            " Run later, put a later time in: this one misses the sessions that were issued since."
        } else {
            ""
        };
        blocks.push(section(&format!("*By hand:*{late}")));
        blocks.push(preformatted(&sent.iter().map(ApiCall::cli).collect::<Vec<_>>().join("\n")));
    }
    blocks
}

fn recused_in_words(recused: &Recused) -> String {
    let one = |(person, why): (&PersonId, &Why)| format!("{} ({})", mention(&person.0), why.label());
    let people: Vec<String> = recused.iter().map(one).collect();
    if people.is_empty() { String::new() } else { format!("\nCannot decide: {}.", people.join(", ")) }
}

/// Whoever decides next sees who has said no to the same thing, and why.
fn denied_before(incident: &Incident, request: &Request) -> String {
    let same = |r: &&Request| r.id < request.id && r.plan.action == request.plan.action;
    let denials = incident.requests_for(&request.plan.step).filter(same).filter_map(|r| match &r.state {
        RequestState::Denied { by, reason, at } => {
            Some(format!(":no_entry: Denied before by {}, {}: {}\n", mention(by), time(*at), escape(reason)))
        }
        _ => None,
    });
    denials.take(2).collect()
}

fn buttons(incident: &Incident, step: &Step, request: Option<&Request>) -> Option<Value> {
    let Offer::Action(action) = &step.offer else { return None };
    if !incident.is_open() || incident.sample {
        return None;
    }
    let row = |elements: &[Value]| Some(actions("step", elements));
    let of_step = format!("{} {}", incident.id, step.id);
    let ask = |label: &str, look: Look| button(name::REQUEST, label, &of_step, look);
    let Some(request) = request else { return row(&[ask("Request", Look::Primary)]) };
    let value = format!("{} {}", request.id, request.digest.short());
    let of_request = request.id.to_string();
    let withdraw = button(name::WITHDRAW, "Withdraw", &of_request, Look::Plain);
    let cancel = button(name::CANCEL, "Cancel (lead)", &of_request, Look::Plain);
    let retract = button(name::RETRACT, "Take approval back", &of_request, Look::Plain);
    let is_undo = is_undo(&step.id);
    match &request.state {
        RequestState::Pending if fits(request) && incident.freeze.is_none() => {
            let look = if is_undo { Look::Danger } else { Look::Primary };
            let approve = confirmed(
                button(name::APPROVE, "Approve", &value, look),
                &format!("Approve {}?", request.id),
                &confirmation(request),
                "Approve and run",
            );
            let deny = button(name::DENY, "Deny…", &value, Look::Danger);
            let retract = (!request.approvals.is_empty()).then_some(retract);
            let elements: Vec<Value> = [approve, deny, withdraw, cancel].into_iter().chain(retract).collect();
            row(&elements)
        }
        RequestState::Pending => row(&[withdraw, cancel]),
        RequestState::Approved { .. } => row(&[retract, withdraw, cancel]),
        RequestState::Executing(_) => None,
        RequestState::Verified { .. } if in_force(incident, &step.id).is_some() => {
            let again = action.is_repeatable().then(|| ask("Revoke again", Look::Plain));
            let undo =
                !is_undo && matches!(request.plan.work.inverse, Inverse::Calls(_)) && !undo_is_open(incident, step);
            let undo = undo.then(|| button(name::UNDO, "Ask to undo", &of_step, Look::Plain));
            let elements: Vec<Value> = again.into_iter().chain(undo).collect();
            if elements.is_empty() { None } else { row(&elements) }
        }
        _ if is_undo => None,
        _ => row(&[ask("Ask again", Look::Primary)]),
    }
}

/// The last thing that an approver reads, in Slack's 300 characters.
fn confirmation(request: &Request) -> String {
    let undo = match &request.plan.work.inverse {
        Inverse::None(_) => "It cannot be undone here.",
        Inverse::Calls(_) => "It can be undone, with two people again.",
    };
    format!("{}, in account {}. It runs at once. {undo}", request.plan.action.title(), request.plan.account)
}

fn undo_is_open(incident: &Incident, step: &Step) -> bool {
    undo_of(&step.id).is_some_and(|undo| incident.requests_for(&undo).any(|r| r.state.is_open()))
}
