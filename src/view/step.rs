//! One step's card: what it would do, and everything about its newest request.

use serde_json::Value;

use super::blocks::{
    Look, actions, button, code, confirmed, context, escape, header, preformatted, section, summary, time,
};
use super::evidence::used_by;
use crate::domain::action::{ApiCall, CUT_OFF, CUT_OFF_LEAD_S, Inverse};
use crate::domain::approval::{Request, RequestState};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Offer, Step, in_force};
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Longest plan that a card can show whole. Slack takes about 13,200 characters in a message.
const PLAN_CHARS_MAX: usize = 8_000;

/// The whole message.
pub fn message(incident: &Incident, step: &Step) -> Message {
    let request = incident.requests_for(&step.id).next();
    let (mark, state) = match (&step.offer, request) {
        (Offer::Refused { .. }, _) => (":no_entry:", "not for the bot".to_owned()),
        (_, None) => (":white_circle:", "not asked for yet".to_owned()),
        (_, Some(r)) => (mark(&r.state), r.state.in_words()),
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
        (Offer::Action(_), Some(request)) => blocks.extend(request_blocks(incident, step, request)),
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
        RequestState::Withdrawn
        | RequestState::Expired
        | RequestState::Stale { .. }
        | RequestState::Cancelled { .. }
        | RequestState::Lapsed { .. } => ":white_circle:",
    }
}

fn warning(incident: &Incident, step: &Step) -> Option<Value> {
    let Offer::Action(crate::domain::action::Action::RevokeRoleSessions { .. }) = &step.offer else { return None };
    let role_use = incident.identification()?.role_use.as_ref()?;
    Some(section(&format!(":warning: *Everybody below loses their session of this role.*\n{}", used_by(role_use))))
}

fn request_blocks(incident: &Incident, step: &Step, request: &Request) -> Vec<Value> {
    let plan = &request.plan;
    let mut blocks = vec![section(&escape(&plan.action.effect()))];
    blocks.extend(warning(incident, step));
    blocks.push(section(&format!(
        "*{}* · asked for by {} at {} · account {} · Region {}\nTarget {} · unique id {} · digest {}",
        request.id,
        mention(&request.requested_by),
        time(request.requested_at),
        code(plan.account.as_str()),
        code(&plan.region),
        plan.targets.iter().map(|t| code(t)).collect::<Vec<_>>().join(", "),
        plan.before.owner_id().map_or_else(|| "none".to_owned(), code),
        code(request.digest.short()),
    )));
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
        blocks.push(preformatted(&calls_text(sent)));
        blocks.push(match &plan.work.inverse {
            Inverse::None(why) => context(&format!("Undo: none. {}", escape(why))),
            Inverse::Calls(calls) => context(&format!("Undo: {}", escape(&calls_line(calls)))),
        });
    } else {
        blocks.push(section(
            ":warning: The plan is too long to be shown whole in Slack, so it cannot be approved here. Do it by hand.",
        ));
    }
    blocks.extend(outcome(request, sent));
    blocks
}

/// Whether the whole plan is on the card: only then may it be approved.
fn fits(request: &Request) -> bool {
    calls_text(&request.plan.work.calls).chars().count() <= PLAN_CHARS_MAX
}

fn calls_text(calls: &[ApiCall]) -> String {
    let mut text = String::new();
    for call in calls {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(call.iam_action());
        for (name, value) in call.parameters() {
            let value = match serde_json::from_str::<Value>(&value) {
                Ok(document @ Value::Object(_)) => format!("{document:#}"),
                _ => value,
            };
            text.extend(["\n  ", name, " = ", &value.replace('\n', "\n  ")]);
        }
    }
    if text.contains(CUT_OFF) {
        let legend = format!(
            "\n{CUT_OFF} = the moment of the call + {CUT_OFF_LEAD_S} s, never earlier than one already in force"
        );
        text.push_str(&legend);
    }
    text
}

fn calls_line(calls: &[ApiCall]) -> String {
    let one = |call: &ApiCall| {
        let parameters: Vec<String> = call
            .parameters()
            .into_iter()
            .map(|(name, value)| {
                if name == "PolicyDocument" { format!("{name}=(as it was before)") } else { format!("{name}={value}") }
            })
            .collect();
        format!("{} {}", call.iam_action(), parameters.join(" "))
    };
    calls.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn outcome(request: &Request, sent: &[ApiCall]) -> Vec<Value> {
    let approvals = request
        .approvals
        .iter()
        .map(|a| format!("Approved by {} at {}", mention(&a.user), time(a.at)))
        .collect::<Vec<_>>()
        .join("\n");
    let state = match &request.state {
        RequestState::Pending => format!(
            ":hourglass_flowing_sand: *Waits for an approver other than {}*, until {}.",
            mention(&request.requested_by),
            time(request.plan.approve_by)
        ),
        RequestState::Approved { execute_by } => {
            format!(":arrow_right: Starts at once, at the latest {}.", time(*execute_by))
        }
        RequestState::Executing(execution) => {
            format!(":arrow_right: Call sent at {}. Reading back whether it holds…", time(execution.started_at))
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
        RequestState::Failed { why, .. } => format!(":red_circle: *Failed.* {}", escape(why)),
        RequestState::Unknown { why, .. } => {
            format!(":red_circle: *Not known whether it holds.* {}\nCheck in AWS before asking again.", escape(why))
        }
        RequestState::Denied { by, reason } => format!(":no_entry: *Denied by {}:* {}", mention(by), escape(reason)),
        RequestState::Withdrawn => format!("Withdrawn by {}.", mention(&request.requested_by)),
        RequestState::Expired => "Nobody decided in time. Ask again if it is still wanted.".to_owned(),
        RequestState::Stale { why } => {
            format!("*Stale:* {}. Nothing was sent. Ask again, so that approvers see it as it is now.", escape(why))
        }
        RequestState::Cancelled { why } => format!("Cancelled: {why}."),
        RequestState::Lapsed { why } => format!("*Lapsed:* {}. Nothing was sent. Ask again.", escape(why)),
    };
    let text =
        [approvals.as_str(), state.as_str()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
    let mut blocks = vec![section(&text)];
    if matches!(request.state, RequestState::Failed { .. } | RequestState::Unknown { .. }) {
        blocks.push(section("*By hand:*"));
        blocks.push(preformatted(&sent.iter().map(ApiCall::cli).collect::<Vec<_>>().join("\n")));
    }
    blocks
}

fn buttons(incident: &Incident, step: &Step, request: Option<&Request>) -> Option<Value> {
    if !incident.is_open() || incident.sample || matches!(step.offer, Offer::Refused { .. }) {
        return None;
    }
    let row = |elements: &[Value]| Some(actions("step", elements));
    let ask = |label: &str| {
        let value = format!("{} {}", incident.id, step.id);
        row(&[button(name::REQUEST, label, &value, Look::Primary)])
    };
    let Some(request) = request else { return ask("Request") };
    let value = format!("{} {}", request.id, request.digest.short());
    let withdraw = button(name::WITHDRAW, "Withdraw", &request.id.to_string(), Look::Plain);
    match &request.state {
        RequestState::Pending if fits(request) => {
            let approve = confirmed(
                button(name::APPROVE, "Approve", &value, Look::Primary),
                &format!("Approve {}?", request.id),
                &format!("{}. It runs at once.", step.title),
                "Approve and run",
            );
            row(&[approve, button(name::DENY, "Deny…", &value, Look::Danger), withdraw])
        }
        RequestState::Pending | RequestState::Approved { .. } => row(&[withdraw]),
        RequestState::Executing(_) => None,
        RequestState::Verified { .. } if in_force(incident, &step.id).is_some() => {
            let value = format!("{} {}", incident.id, step.id);
            row(&[button(name::UNDO, "Undo…", &value, Look::Plain)])
        }
        _ if step.id.as_str().starts_with("undo.") => None,
        _ => ask("Ask again"),
    }
}
