//! What people do, from what they see: mostly what fits, sometimes what does not, and at times on a card that
//! is out of date.

use chrono::{DateTime, Utc};
use irp::domain::alert::{Alert, AlertSource, Severity};
use irp::domain::approval::{Debt, Request, RequestState};
use irp::domain::credential::Subject;
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::event::Outcome;
use irp::domain::incident::state::Incident;
use irp::domain::incident::steps::{Offer, in_force, is_undo, steps, undo_of};
use irp::domain::incident::together;
use irp::domain::playbook::Playbook;
use irp::domain::policy::ActionClass;

use super::cloud::{ACCOUNT, KEY, SESSION, USER};
use super::people::{self, ACCOUNTS, GUS, MAL, user};
use super::schedule::{Chance, Click, State, What};

#[derive(Clone, Copy, Debug)]
enum Act {
    Request,
    RequestAll,
    Approve,
    ApproveOwn,
    ApproveForged,
    ApproveOld,
    Deny,
    BreakGlass,
    Ratify,
    Contest,
    Withdraw,
    Cancel,
    Retract,
    NotMe,
    Unfreeze,
    TakeLead,
    NameSomebody,
    LookAgain,
    Close,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Mishap {
    Crash,
    Pause,
    Jump,
    /// AWS, Slack or the store is not to be reached for a while.
    Outage,
    Aws,
    People,
    Rules,
}

impl Mishap {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Crash => "crashes wanted",
            Self::Pause => "pauses",
            Self::Jump => "clock jumps",
            Self::Outage => "outages",
            Self::Aws => "changes in AWS by others",
            Self::People => "rights changed",
            Self::Rules => "rules changed",
        }
    }
}

/// How likely each act and each mishap is, in one run.
pub(super) struct Habits {
    acts: Vec<(Act, u64)>,
    mishaps: Vec<(Mishap, u64)>,
}

impl Habits {
    pub(super) fn drawn(chance: &mut Chance) -> Self {
        let mut some = |act, weight: u64| (act, weight * *chance.one_of(&[0, 1, 1, 3]));
        let acts = vec![
            (Act::Request, 30),
            some(Act::RequestAll, 30),
            (Act::Approve, 60),
            some(Act::ApproveOwn, 5),
            some(Act::ApproveForged, 3),
            some(Act::ApproveOld, 3),
            some(Act::Deny, 3),
            some(Act::BreakGlass, 8),
            (Act::Ratify, 3),
            some(Act::Contest, 3),
            some(Act::Withdraw, 5),
            some(Act::Cancel, 2),
            some(Act::Retract, 8),
            some(Act::NotMe, 2),
            (Act::Unfreeze, 3),
            some(Act::TakeLead, 2),
            some(Act::NameSomebody, 1),
            some(Act::LookAgain, 1),
            some(Act::Close, 1),
        ];
        let mut some = |mishap, weight: u64| (mishap, weight * *chance.one_of(&[0, 0, 1, 4]));
        let mishaps = vec![
            some(Mishap::Crash, 4),
            some(Mishap::Pause, 4),
            some(Mishap::Jump, 1),
            some(Mishap::Outage, 2),
            (Mishap::Aws, 1),
            some(Mishap::Aws, 3),
            some(Mishap::People, 4),
            some(Mishap::Rules, 2),
        ];
        Self { acts, mishaps }
    }

    pub(super) fn mishap(&self, chance: &mut Chance) -> Mishap {
        chance.weighed(&self.mishaps)
    }
}

/// What this human does next, if there is anything to do.
pub(super) fn click(state: &mut State, habits: &Habits, playbook: &Playbook, human: usize) -> Option<Click> {
    let clicked_at = state.time();
    let State { chance, logs, audit, .. } = state;
    if matches!(human, GUS | MAL) && chance.happens(0.6) {
        return None;
    }
    let accounts: Vec<_> = ACCOUNTS.iter().filter(|(_, of)| *of == human).collect();
    let by = user(chance.one_of(&accounts).0);
    let mut open = logs.open();
    open.retain(|id| audit.view(*id, 0).is_some());
    if open.is_empty() {
        return None;
    }
    let incident = *chance.one_of(&open);
    let behind = chance.weighed(&[(0, 6), (1, 2), (5, 1)]);
    let seen = audit.view(incident, behind)?;
    let act = chance.weighed(&habits.acts);
    let frozen = seen.freeze.is_some();
    let act = if frozen && chance.happens(0.4) { Act::Unfreeze } else { act };
    let what = what(chance, seen, playbook, act, human, clicked_at)?;
    let press = format!("{:016x}", chance.between(0, u64::MAX - 1));
    Some(Click { by, incident, what, press })
}

/// An act on what is the person's to act on; now and then on anything at all.
fn what(
    chance: &mut Chance,
    seen: &Incident,
    playbook: &Playbook,
    act: Act,
    me: usize,
    clicked_at: DateTime<Utc>,
) -> Option<What> {
    let astray = chance.happens(0.1);
    let all: Vec<&Request> = seen.requests.values().collect();
    let asked = |r: &Request| people::human(&r.requested_by) == Some(me);
    let approved = |r: &Request| r.approvals.iter().any(|a| people::human(&a.user) == Some(me));
    let waits = |r: &Request| r.state == RequestState::Pending;
    let newest = |fits: &dyn Fn(&Request) -> bool| all.iter().rev().find(|r| astray || fits(r)).copied();
    let digest_shown = |r: &Request| together::digest(seen, r).short().to_owned();
    let owing = |r: &Request| r.glass.as_ref().is_some_and(|glass| glass.debt == Debt::Open);
    Some(What::Act(match act {
        Act::Request => return request(chance, seen, playbook),
        Act::RequestAll => {
            let open = together::open_steps(seen, playbook);
            return Some(What::RequestAll(together::class_now(&open).unwrap_or(ActionClass::Contain)));
        }
        Act::Approve => {
            let request = newest(&|r| waits(r) && !asked(r) && !approved(r))?;
            PersonCommand::Approve { request: request.id, digest_shown: digest_shown(request), clicked_at }
        }
        Act::ApproveOwn => {
            let request = newest(&|r| waits(r) && asked(r))?;
            PersonCommand::Approve { request: request.id, digest_shown: digest_shown(request), clicked_at }
        }
        Act::ApproveForged => {
            PersonCommand::Approve { request: newest(&waits)?.id, digest_shown: "000000000000".into(), clicked_at }
        }
        Act::ApproveOld if all.is_empty() => return None,
        Act::ApproveOld => {
            let (request, shown) = (*chance.one_of(&all), *chance.one_of(&all));
            // Also what one part alone would have.
            let shown = if chance.happens(0.5) { digest_shown(shown) } else { request.digest.short().to_owned() };
            PersonCommand::Approve { request: request.id, digest_shown: shown, clicked_at }
        }
        Act::Deny => {
            let request = newest(&waits)?;
            let reason = if chance.happens(0.2) { "" } else { "not now" };
            PersonCommand::Deny { request: request.id, digest_shown: digest_shown(request), reason: reason.into() }
        }
        Act::BreakGlass => {
            let request = newest(&waits)?;
            let target = if astray { USER } else { request.target() }.to_owned();
            let reason = if chance.happens(0.1) { " " } else { "nobody answers" }.into();
            PersonCommand::BreakGlass { request: request.id, digest_shown: digest_shown(request), target, reason }
        }
        Act::Ratify => PersonCommand::Ratify { request: newest(&owing)?.id },
        Act::Contest => PersonCommand::Contest { request: newest(&owing)?.id, reason: "I was there".into() },
        Act::Withdraw => PersonCommand::Withdraw { request: newest(&|r| r.state.is_open() && asked(r))?.id },
        Act::Cancel => PersonCommand::Cancel { request: newest(&|r| r.state.is_open())?.id },
        Act::Retract => {
            PersonCommand::Retract { request: newest(&|r| r.state.is_open() && approved(r))?.id, clicked_at }
        }
        Act::NotMe => PersonCommand::NotMe { request: newest(&|r| asked(r) || approved(r))?.id },
        Act::Unfreeze if seen.freeze.is_none() && !astray => return None,
        Act::Unfreeze => PersonCommand::Unfreeze { shown: seen.freeze.as_ref().map_or(0, |freeze| freeze.number) },
        Act::TakeLead => PersonCommand::TakeLead { clicked_at },
        Act::NameSomebody => PersonCommand::NameSubject { user: user(chance.one_of(&ACCOUNTS).0) },
        Act::LookAgain => PersonCommand::LookAgain,
        Act::Close => {
            let outcome = *chance.one_of(&Outcome::ALL);
            let note = if chance.happens(0.5) { "" } else { "all the same" };
            PersonCommand::Close { outcome, note: note.into() }
        }
    }))
}

fn request(chance: &mut Chance, seen: &Incident, playbook: &Playbook) -> Option<What> {
    let mut ids: Vec<_> = steps(seen, playbook)
        .into_iter()
        .filter(|step| matches!(step.offer, Offer::Action(_)))
        .map(|step| step.id)
        .collect();
    let astray = chance.happens(0.1);
    ids.retain(|id| astray || !seen.requests_for(id).any(|r| r.state.is_open()));
    let done = ids.iter().filter(|id| !is_undo(id) && (astray || in_force(seen, id).is_some()));
    let undo: Vec<_> = done.filter_map(undo_of).collect();
    ids.extend(undo);
    (!ids.is_empty()).then(|| What::Request(chance.one_of(&ids).clone()))
}

/// What sort of act it is.
pub(super) fn kind(what: &What) -> &'static str {
    match what {
        What::Request(_) => "request",
        What::RequestAll(_) => "request all",
        What::Act(command) => command.name(),
    }
}

/// An act, as the auditor finds it again.
pub(super) fn in_words(what: &What) -> String {
    match what {
        What::Request(step) => format!("request {step}"),
        What::RequestAll(_) => "request all".into(),
        What::Act(PersonCommand::Approve { request, digest_shown, .. }) => format!("approve {request} {digest_shown}"),
        What::Act(PersonCommand::Deny { request, digest_shown, .. }) => format!("deny {request} {digest_shown}"),
        What::Act(PersonCommand::BreakGlass { request, digest_shown, target, .. }) => {
            format!("break {request} {digest_shown} {target}")
        }
        What::Act(PersonCommand::Ratify { request }) => format!("ratify {request}"),
        What::Act(PersonCommand::Contest { request, .. }) => format!("contest {request}"),
        What::Act(PersonCommand::Withdraw { request }) => format!("withdraw {request}"),
        What::Act(PersonCommand::Cancel { request }) => format!("cancel {request}"),
        What::Act(PersonCommand::Retract { request, .. }) => format!("retract {request}"),
        What::Act(PersonCommand::NameSubject { user }) => format!("name {user}"),
        What::Act(PersonCommand::NotMe { request }) => format!("not me {request}"),
        What::Act(PersonCommand::Unfreeze { .. }) => "unfreeze".into(),
        What::Act(command) => command.name().into(),
    }
}

/// A finding about the user's key, or about a session of the role.
pub(super) fn finding(number: u32, about_role: bool) -> Alert {
    let key = if about_role { SESSION } else { KEY };
    let subject = Subject { access_key: key.parse().ok(), account: ACCOUNT.parse().ok(), ..Subject::default() };
    let what = ("UnauthorizedAccess:IAMUser/MaliciousIPCaller", "An access key was used from a strange place");
    let alert = Alert::new((AlertSource::GuardDuty, format!("delivery-{number}")), what, Severity::High, subject);
    Alert { finding_id: Some(format!("finding-{key}")), ..alert }
}
