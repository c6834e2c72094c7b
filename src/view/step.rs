//! One step's card: what it would do, and everything about its newest request.

use std::ops::Range;

use serde_json::Value;

use super::blast_radius::warnings;
use super::blocks::{
    Look, actions, button, code, confirmed, context, cut, escape, header, preformatted, section, summary, time,
};
use super::burst::{decided_together, title_for};
use super::plan_file::where_to_read;
use super::recused::recused_in_words;
use super::{again, by_hand, lockout, undelivered};
use crate::domain::action::{Action, ApiCall, CUT_OFF, Inverse};
use crate::domain::approval::{Debt, Doubt, Glass, Plan, Request, RequestState, too_few_left};
use crate::domain::id::StepId;
use crate::domain::incident::doubt::look_at;
use crate::domain::incident::eradication::{Removal, is_done};
use crate::domain::incident::hands::{Said, is_for_people, said};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Missing, Offer, Step, in_force, is_undo, undo_of, undone_by};
use crate::domain::incident::whole::{Whole, fits, shown, texts, undo_line};
use crate::domain::policy::{ActionClass, Policy};
use crate::domain::recusal::{Recused, recused_from};
use crate::domain::refusal::{mention, whom_to_ask};
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Longest explanation of an outcome.
const WHY_CHARS_MAX: usize = 1_000;
/// Longest list of whom something is done to, with its effect: beside it an undo fits into Slack's paragraph.
const TO_CHARS_MAX: usize = 2_000;

/// The whole message. A step that is owed `again` does not look done; `removals` are all that the search has shown.
pub fn message(
    incident: &Incident,
    step: &Step,
    again: Option<Missing>,
    removals: &[Removal],
    policy: &Policy,
) -> Message {
    let request = incident.requests_for(&step.id).next();
    let again = again.filter(|_| request.is_some_and(|r| matches!(r.state, RequestState::Verified { .. })));
    let by_people = is_for_people(incident, step) && said(incident, step) != Said::Nothing;
    let (mark, state) = match (&step.offer, request) {
        (Offer::Refused { .. }, _) => by_hand::state(said(incident, step)),
        _ if by_people => by_hand::state(said(incident, step)),
        (_, None) => (":white_circle:", "not asked for yet".to_owned()),
        (_, Some(r)) => match undone_by(incident, r.id) {
            Some(undo) => (":leftwards_arrow_with_hook:", format!("undone by {}", undo.id)),
            None if r.lost.is_some() => (":rotating_light:", "no longer in force".to_owned()),
            None if r.unread.is_some() => (":grey_question:", "not known whether it is still in force".to_owned()),
            None if again.is_some() => (":warning:", format!("{}, and owed again", r.state.in_words())),
            None if matches!(r.state, RequestState::Verified { .. }) => (done(&r.plan.step), r.state.in_words()),
            None => (mark(&r.state), r.state.in_words()),
        },
    };
    let mut blocks = vec![header(&format!("{mark} {}", step.title))];
    blocks.extend(again.map(|why| {
        section(&format!(":warning: *Owed again: what was done does not count.* {}", again::in_full(incident, why)))
    }));
    match (&step.offer, request) {
        (Offer::Refused { why, instead, commands }, _) => {
            blocks.push(section(&format!("{}\n*Instead:* {}", escape(why), escape(instead))));
            if !commands.is_empty() {
                blocks.push(preformatted(&commands.join("\n")));
            }
            blocks.extend(by_hand::blocks(incident, step));
        }
        (Offer::Action(action), None) => {
            blocks.push(section(&format!("{}\n{}", escape(why_this(step)), escape(&action.effect()))));
            blocks.extend(warnings(incident, action));
        }
        (Offer::Action(action), Some(request)) if decided_together(incident, request) => {
            blocks.push(section(&format!(
                "*{}* is asked for together with others. Decide on *{}*, in this thread.",
                request.id,
                title_for(incident, request)
            )));
            blocks.extend(warnings(incident, action));
        }
        (Offer::Action(_), Some(request)) => {
            blocks.extend(request_blocks(incident, request, policy, &recused_from(incident, request, policy)));
        }
    }
    if let Some(row) = buttons(incident, (step, removals), policy, request, again) {
        blocks.push(row);
    }
    if matches!(step.offer, Offer::Action(_)) && is_for_people(incident, step) {
        blocks.extend(by_hand::blocks(incident, step));
    }
    Message { text: summary(&format!("{} · {}: {state}", incident.id, escape(&step.title))), blocks }
}

/// Carried out. An undo lets somebody in again: it is never green.
pub(super) fn done(step: &StepId) -> &'static str {
    if is_undo(step) { ":leftwards_arrow_with_hook:" } else { ":large_green_circle:" }
}

/// Why this very thing is done. In which order all of them go stands once, on the card of their phase.
fn why_this(step: &Step) -> &str {
    step.why.find("Events that show").map_or(step.why.as_str(), |at| &step.why[at..])
}

pub(super) fn mark(state: &RequestState) -> &'static str {
    match state {
        RequestState::Pending => ":hourglass_flowing_sand:",
        RequestState::Approved { .. } | RequestState::Executing(_) => ":arrow_right:",
        RequestState::Verified { .. } => ":large_green_circle:",
        RequestState::Failed { .. } => ":red_circle:",
        RequestState::Unknown { .. } => ":grey_question:",
        RequestState::Denied { .. } => ":no_entry:",
        RequestState::Expired | RequestState::Stale { .. } | RequestState::Lapsed { .. } => ":warning:",
        RequestState::Withdrawn | RequestState::Superseded { .. } | RequestState::Cancelled { .. } => ":white_circle:",
    }
}

/// What it does, to whom, what it breaks and how it is undone; then the literal calls; then how it stands.
/// What identifies it comes last and small: an approver reads from the top.
fn request_blocks(incident: &Incident, request: &Request, policy: &Policy, recused: &Recused) -> Vec<Value> {
    let plan = &request.plan;
    let mut blocks = vec![section(&what(request))];
    blocks.extend(warnings(incident, &plan.action));
    blocks.extend(lockout::warning(request, policy));
    blocks.extend(undelivered::warning(request));
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
    if fits(&[request]) {
        blocks.extend(plan_blocks(plan, sent));
    } else {
        blocks.push(where_to_read(incident, request));
    }
    blocks.extend(outcome(incident, request, policy, recused, sent));
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

/// How the line begins that says how something is undone: by calls, or not at all. No text from outside can begin like that.
const UNDONE: [&str; 2] = ["*Undo:* ", "*Cannot be undone here.* "];

/// Where the line stands in a paragraph that says how something is undone. An approver reads it whole, or does not approve.
pub(super) fn undo_in(paragraph: &str) -> Option<Range<usize>> {
    let start = UNDONE.iter().filter_map(|begins| paragraph.find(begins)).min()?;
    let length = paragraph[start..].find('\n').unwrap_or(paragraph.len() - start);
    Some(start..start + length)
}

/// To whom, with what effect, and how it is undone: that is never cut.
pub(super) fn what(request: &Request) -> String {
    let plan = &request.plan;
    let targets = plan.targets.iter().map(|t| code(t)).collect::<Vec<_>>().join(", ");
    let [by_calls, not_at_all] = UNDONE;
    let undo = match &plan.work.inverse {
        Inverse::None(why) => format!("{not_at_all}{}", escape(why)),
        Inverse::Calls(calls) => {
            let line =
                undo_line(calls).unwrap_or_else(|| format!("the {} calls written out with the plan", calls.len()));
            format!("{by_calls}{}, approved like this one.", escape(&line))
        }
    };
    let to = format!("*To* {targets} in account {}\n{}", code(plan.account.as_str()), escape(&plan.action.effect()));
    format!("{}\n{}", cut(&to, TO_CHARS_MAX), undo.replace('\n', " "))
}

/// All of a plan, with its calls as planned or as sent.
pub(super) fn plan_blocks(plan: &Plan, calls: &[ApiCall]) -> impl Iterator<Item = Value> {
    texts(plan, calls).into_iter().map(|text| preformatted(&text))
}

fn outcome(incident: &Incident, request: &Request, policy: &Policy, recused: &Recused, sent: &[ApiCall]) -> Vec<Value> {
    let approvals = request
        .approvals
        .iter()
        .map(|a| format!("Approved by {}, {}", mention(&a.user), time(a.at)))
        .chain(request.glass.iter().map(glass_in_words))
        .collect::<Vec<_>>()
        .join("\n");
    let state = how_it_stands(incident, request, policy, recused);
    let text =
        [approvals.as_str(), state.as_str()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
    let mut blocks = vec![section(&text)];
    if matches!(request.state, RequestState::Failed { .. } | RequestState::Unknown { .. }) {
        blocks.extend(to_run_by_hand(request, sent));
    }
    blocks
}

/// What has come of a request so far, and what follows from that.
fn how_it_stands(incident: &Incident, request: &Request, policy: &Policy, recused: &Recused) -> String {
    let why_of = |why: &str| cut(&escape(why), WHY_CHARS_MAX);
    match &request.state {
        RequestState::Pending => format!(
            "{}:hourglass_flowing_sand: *Waits for an approver other than {}*, until {}.{}{}",
            denied_before(incident, request),
            mention(&request.requested_by),
            time(request.plan.approve_by),
            recused_in_words(incident, policy, recused),
            too_few(policy, recused, request)
        ),
        RequestState::Approved { execute_by } if incident.freeze.is_some() => format!(
            ":warning: *Approved, and does not start while approvals are frozen*, at the latest {}.",
            time(*execute_by)
        ),
        RequestState::Approved { execute_by } => {
            format!(":arrow_right: Starts at once, at the latest {}.", time(*execute_by))
        }
        RequestState::Executing(execution) => {
            format!(":arrow_right: Call sent at {}. Reading back whether it holds…", time(execution.started_at))
        }
        RequestState::Verified { .. } if request.lost.is_some() => {
            let (at, why) = request.lost.clone().unwrap_or_default();
            format!(
                ":rotating_light: *No longer in force*, seen {}: {}. Somebody has taken it away. Ask again.",
                time(at),
                escape(&why)
            )
        }
        RequestState::Verified { .. } if undone_by(incident, request.id).is_some() => {
            let undo = undone_by(incident, request.id).map(|r| r.id.to_string()).unwrap_or_default();
            format!(":leftwards_arrow_with_hook: *Undone by {undo}.* It was in force until then.")
        }
        RequestState::Verified { .. } if request.unread.is_some() => {
            let (at, why) = request.unread.clone().unwrap_or_default();
            format!(
                ":grey_question: *Not known whether it is still in force:* AWS has not been readable for it since {}. {}\n\
                 Somebody may have taken the bot's rights away to hide that: look in AWS yourself.",
                time(at),
                why_of(&why)
            )
        }
        RequestState::Verified { at, sent, .. } if sent.is_empty() => {
            format!(
                "{} *AWS already was as wanted* when it was read at {}. Nothing was sent.{}",
                done(&request.plan.step),
                time(*at),
                held(request)
            )
        }
        RequestState::Verified { at, .. } => {
            let done = done(&request.plan.step);
            format!("{done} *Done, and read back from AWS* at {}.{}", time(*at), held(request))
        }
        RequestState::Failed { why, .. } => format!(":red_circle: *Failed.* {}", why_of(why)),
        RequestState::Unknown { why, doubt, .. } => {
            format!(
                ":grey_question: *Not known whether it holds.* {}\n{}",
                why_of(why),
                in_doubt(incident, request, doubt)
            )
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
    }
}

/// What people run where the bot's calls did not come through.
fn to_run_by_hand(request: &Request, sent: &[ApiCall]) -> Vec<Value> {
    let timed = |call: &ApiCall| call.document().is_some_and(|document| document.contains(CUT_OFF));
    let late = if request.plan.work.calls.iter().any(timed) {
        " Run later, put a later time in: this one misses the sessions that were issued since."
    } else {
        ""
    };
    let commands = sent.iter().map(|call| call.cli(&request.plan.region)).collect::<Vec<_>>().join("\n");
    if fits(&[request]) {
        vec![section(&format!("*By hand:*{late}")), preformatted(&commands)]
    } else {
        vec![section("*By hand:* make the calls in the file.")]
    }
}

/// What is done about a call whose outcome is not known, and what people can do.
fn in_doubt(incident: &Incident, request: &Request, doubt: &Doubt) -> String {
    let last = doubt.last.as_ref().map_or_else(String::new, |(at, shows)| {
        format!("Read again {}: {}. ", time(*at), cut(&escape(shows.trim_end_matches('.')), WHY_CHARS_MAX))
    });
    let next = match look_at(incident, request) {
        Some(at) => format!("AWS is read again {}; once it shows the change, this counts as done.", time(at)),
        None => "It is not read again.".to_owned(),
    };
    format!(
        "Nothing is repeated, and the approval is spent. {last}{next} To have it done now, ask again: that needs a new approval."
    )
}

/// When it was seen to hold again.
fn held(request: &Request) -> String {
    let times: Vec<String> = request.held_at.iter().map(|at| time(*at)).collect();
    if times.is_empty() { String::new() } else { format!("\nStill there when read again: {}.", times.join(", ")) }
}

/// Who let it run alone, and what was said of it.
pub(super) fn glass_in_words(glass: &Glass) -> String {
    let debt = match &glass.debt {
        Debt::Open => "*Nobody has said yet whether that was right.*".to_owned(),
        Debt::Ratified { by, at } => format!("Ratified by {}, {}.", mention(by), time(*at)),
        Debt::Contested { by, reason, at } => {
            format!("*Contested by {}*, {}: {}", mention(by), time(*at), escape(reason))
        }
    };
    format!(
        ":rotating_light: *Run on the word of {} alone*, {}: {}\n{debt}",
        mention(&glass.user),
        time(glass.at),
        escape(&glass.reason)
    )
}

/// A request that waits for nobody would go on looking as if it did, until its time is over.
pub(super) fn too_few(policy: &Policy, recused: &Recused, request: &Request) -> String {
    let ask = || whom_to_ask(&policy.escalation);
    match too_few_left(policy, recused, request) {
        None => String::new(),
        Some(0) => format!("\n:warning: *Nobody who may decide is left.* {} Then ask again.", ask()),
        Some(left) => {
            let quorum = policy.rules(request.plan.action.class()).quorum;
            format!(
                "\n:warning: *It needs {quorum} approvers, and only {left} may still decide.* {} Then ask again.",
                ask()
            )
        }
    }
}

/// Whoever decides next sees who has said no to the same thing, and why.
pub(super) fn denied_before(incident: &Incident, request: &Request) -> String {
    let same = |r: &&Request| r.id < request.id && r.plan.action == request.plan.action;
    let denials = incident.requests_for(&request.plan.step).filter(same).filter_map(|r| match &r.state {
        RequestState::Denied { by, reason, at } => {
            Some(format!(":no_entry: Denied before by {}, {}: {}\n", mention(by), time(*at), escape(reason)))
        }
        _ => None,
    });
    denials.take(2).collect()
}

fn buttons(
    incident: &Incident,
    (step, removals): (&Step, &[Removal]),
    policy: &Policy,
    request: Option<&Request>,
    owed: Option<Missing>,
) -> Option<Value> {
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
    if decided_together(incident, request) {
        return None;
    }
    match &request.state {
        RequestState::Pending if incident.freeze.is_none() => {
            let whole = !matches!(shown(incident, request), Whole::NotYet(_));
            let look = if is_undo { Look::Danger } else { Look::Primary };
            let approve = confirmed(
                button(name::APPROVE, "Approve", &value, look),
                &format!("Approve {}?", request.id),
                &confirmation(incident, request),
                "Approve and run",
            );
            let deny = button(name::DENY, "Deny…", &value, Look::Danger);
            let retract = (!request.approvals.is_empty()).then_some(retract);
            let contains = action.class() == ActionClass::Contain;
            let alone = (whole && contains && !action.destroys()).then(|| break_glass(policy, &value)).flatten();
            let approve = whole.then_some(approve).into_iter();
            let elements: Vec<Value> = approve.chain([deny, withdraw, cancel]).chain(retract).chain(alone).collect();
            row(&elements)
        }
        RequestState::Pending => row(&[withdraw, cancel]),
        RequestState::Approved { .. } => row(&[retract, withdraw, cancel]),
        RequestState::Executing(_) => None,
        RequestState::Verified { .. }
            if in_force(incident, &step.id).is_some() && !shows_again(incident, step, removals) =>
        {
            let words = if action.class() == ActionClass::Contain { "Revoke again" } else { "Ask again" };
            let look = if owed.is_some() { Look::Primary } else { Look::Plain };
            let again = action.is_repeatable().then(|| ask(words, look));
            let undo =
                !is_undo && matches!(request.plan.work.inverse, Inverse::Calls(_)) && !undo_is_open(incident, step);
            let undo = undo.then(|| button(name::UNDO, "Ask to undo", &of_step, Look::Plain));
            let elements: Vec<Value> =
                settle(incident, request).into_iter().flatten().chain(again).chain(undo).collect();
            if elements.is_empty() { None } else { row(&elements) }
        }
        RequestState::Unknown { .. } => {
            let look = button(name::LOOK_AGAIN, "Look again", &incident.id.to_string(), Look::Plain);
            let again = (!is_undo).then(|| ask("Ask again", Look::Primary));
            row(&settle(incident, request).into_iter().flatten().chain([look]).chain(again).collect::<Vec<_>>())
        }
        _ if is_undo => None,
        _ => row(&settle(incident, request)
            .into_iter()
            .flatten()
            .chain([ask("Ask again", Look::Primary)])
            .collect::<Vec<_>>()),
    }
}

/// For those who may run it alone; nobody else sees it work.
pub(super) fn break_glass(policy: &Policy, request_and_digest: &str) -> Option<Value> {
    let offered = !policy.break_glass.is_empty();
    offered.then(|| button(name::BREAK_GLASS, "Break glass…", request_and_digest, Look::Danger))
}

/// For a second person, after one alone has run it: also what was asked for anew since, the oldest first.
fn settle(incident: &Incident, request: &Request) -> Option<[Value; 2]> {
    let owes = |r: &&Request| r.glass.as_ref().is_some_and(|glass| glass.debt == Debt::Open);
    let owing = incident.requests_for(&request.plan.step).filter(owes).last()?;
    let (id, which) =
        (owing.id.to_string(), if owing.id == request.id { String::new() } else { format!(" {}", owing.id) });
    Some([
        button(name::RATIFY, &format!("Ratify{which}"), &id, Look::Primary),
        button(name::CONTEST, &format!("Contest{which}…"), &id, Look::Danger),
    ])
}

/// The last thing that an approver reads, in Slack's 300 characters.
fn confirmation(incident: &Incident, request: &Request) -> String {
    let undo = match (&request.plan.action, &request.plan.work.inverse) {
        (Action::RestoreUserPolicy(_) | Action::RestoreRolePolicy(_), _) => {
            let known = incident.hunted.as_ref().map_or(0, |(found, _)| found.sessions.len());
            format!(
                "Sessions from before the cut-off work again, the attacker's too: {known} are known in this incident."
            )
        }
        (_, Inverse::None(_)) => "It cannot be undone here.".to_owned(),
        (_, Inverse::Calls(_)) => "It can be undone, with two people again.".to_owned(),
    };
    format!("{}, in account {}. It runs at once. {undo}", request.plan.action.title(), request.plan.account)
}

/// Whether a search has shown what was removed again.
fn shows_again(incident: &Incident, step: &Step, removals: &[Removal]) -> bool {
    matches!(&step.offer, Offer::Action(action)
        if action.class() == ActionClass::Eradicate && !is_done(incident, removals, &step.id, action))
}

fn undo_is_open(incident: &Incident, step: &Step) -> bool {
    undo_of(&step.id).is_some_and(|undo| incident.requests_for(&undo).any(|r| r.state.is_open()))
}
