//! What is read back after a call.

use chrono::TimeDelta;

use super::case::{Case, request};
use crate::domain::action::ApiCall;
use crate::domain::approval::{CallAnswer, RequestState};
use crate::domain::id::RequestId;
use crate::domain::incident::command::{Attempt, PersonCommand, Report};
use crate::domain::incident::decide::{is_left_out, refused, take_report};
use crate::domain::incident::doubt::look_at;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::evolve::REFUSALS_KEPT;
use crate::domain::incident::execution::call_time_max;
use crate::domain::incident::owed::{Effect, Owed, owed};
use crate::domain::incident::steps::{Missing, action_for, in_force, missing, undo_of, undone_by};
use crate::domain::observation::{KeyStatus, Observation};
use crate::domain::refusal::Refusal;

/// A request whose calls have been started, and nothing more.
pub(super) fn started(case: &mut Case, wanted: &str) -> RequestId {
    case.ask("U1", &[wanted]).unwrap();
    let number = u32::try_from(case.incident.requests.len()).unwrap();
    let id = request(number);
    case.approve("U2", number).unwrap();
    start(case, id);
    id
}

fn start(case: &mut Case, id: RequestId) {
    let sent = case.incident.requests[&id].plan.work.calls_at(case.now);
    let (lease_until, replica) = (case.now, "r".into());
    case.apply(vec![Event::ExecutionStarted { request: id, replica, lease_until, sent }]);
}

/// A user's sessions are revoked, by the first request, and the calls of the second, which takes that back, are started.
fn undo_started(case: &mut Case) {
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let undo = undo_of(&case.incident.requests[&request(1)].plan.step).unwrap();
    let action = action_for(&case.incident, &case.playbook, &undo).unwrap();
    let parts = vec![(undo, case.observed(&action))];
    case.act("U1", PersonCommand::Request { parts, nonce: "n".into() }).unwrap();
    case.approve("U2", 2).unwrap();
    start(case, request(2));
}

/// AWS is read for the last time after a call, as it is.
pub(super) fn read_last(case: &mut Case, id: RequestId) -> Vec<Event> {
    let now = case.observed(&case.incident.requests[&id].plan.action);
    let events = take_report(&case.incident, Report::ReadBack { request: id, now, last: true }, case.cx());
    case.apply(events.clone());
    events
}

pub(super) fn answered(case: &mut Case, id: RequestId, answer: CallAnswer) {
    let events = take_report(&case.incident, Report::CallAnswered { request: id, answer }, case.cx());
    case.apply(events);
}

fn unclear() -> CallAnswer {
    CallAnswer::Unclear { message: "AWS did not answer within 10 s".into() }
}

#[test]
fn a_user_made_again_under_the_same_name_proves_nothing() {
    let mut case = Case::new();
    started(&mut case, "deactivate");
    let read = |owner_id: &str, status, last| {
        let now = Observation::AccessKey {
            owner_id: owner_id.into(),
            owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
            status: Some(status),
        };
        take_report(&case.incident, Report::ReadBack { request: request(1), now, last }, case.cx())
    };
    assert_eq!(read("AIDA1", KeyStatus::Inactive, false), [Event::Verified { request: request(1), no_op: false }]);
    assert_eq!(read("AIDA2", KeyStatus::Inactive, false), []);
    assert_eq!(read("AIDA1", KeyStatus::Active, false), []);
    assert!(matches!(read("AIDA2", KeyStatus::Inactive, true)[..], [Event::ExecutionUnknown { .. }]));
}

#[test]
fn only_what_is_certain_not_to_have_been_done_has_failed() {
    let message = || "m".to_owned();
    let no = CallAnswer::Refused { code: "AccessDenied".into(), message: message() };
    for (answer, failed) in [
        (Some(no), true),
        (Some(CallAnswer::NotSent { message: message() }), true),
        (Some(CallAnswer::Partly { message: message() }), true),
        (Some(CallAnswer::Accepted), false),
        (Some(unclear()), false),
        (None, false),
    ] {
        let mut case = Case::new();
        let id = started(&mut case, "deactivate");
        if let Some(answer) = answer.clone() {
            answered(&mut case, id, answer);
        }
        read_last(&mut case, id);
        let state = case.state_of(id);
        assert_eq!(matches!(state, RequestState::Failed { .. }), failed, "{answer:?}: {state:?}");
        assert_eq!(matches!(state, RequestState::Unknown { .. }), !failed, "{answer:?}: {state:?}");
        assert!(in_force(&case.incident, &case.incident.requests[&id].plan.step).is_none());
    }
}

#[test]
fn what_is_not_known_is_read_again_ever_more_rarely_and_counts_once_it_shows() {
    let mut case = Case::new();
    let id = started(&mut case, "deactivate");
    answered(&mut case, id, unclear());
    read_last(&mut case, id);
    let since = case.now;
    let due = |case: &Case| {
        let of = |o: &Owed| o.effect == Effect::ReadBack(id);
        owed(&case.incident).into_iter().find(of).map(|o| o.due_at)
    };
    let mut after_s = Vec::new();
    for _ in 0..7 {
        assert!(read_last(&mut case, id).is_empty(), "another has looked already");
        case.now = due(&case).unwrap();
        after_s.push((case.now - since).num_seconds());
        let events = read_last(&mut case, id);
        assert!(
            matches!(&events[..], [Event::LookedAgain { shows, .. }] if shows == "AWS shows no change"),
            "{events:?}"
        );
    }
    assert_eq!(after_s, [60, 180, 480, 1_380, 3_180, 6_780, 10_380]);
    // A press has it read at once, and an AWS that cannot be read is no end either.
    case.minutes(1);
    case.act("U1", PersonCommand::LookAgain).unwrap();
    assert_eq!(due(&case), Some(case.now));
    let report = Report::NotReadable { request: id, error: "Throttled".into() };
    let events = take_report(&case.incident, report, case.cx());
    assert!(matches!(&events[..], [Event::LookedAgain { shows, .. }] if shows.contains("Throttled")), "{events:?}");
    case.apply(events);
    // It has come through after all.
    case.key = KeyStatus::Inactive;
    assert_eq!(read_last(&mut case, id), [Event::Verified { request: id, no_op: false }]);
    let RequestState::Verified { at, called_at, sent } = case.state_of(id) else { panic!("{:?}", case.state_of(id)) };
    assert_eq!((at, called_at, sent.len()), (case.now, since, 1));
    assert_eq!(due(&case), None);
    for event in [
        Event::ExecutionFailed { request: id, why: "no".into() },
        Event::ExecutionUnknown { request: id, why: "no".into() },
        Event::LookedAgain { request: id, shows: "no".into() },
    ] {
        case.apply(vec![event]);
        assert!(matches!(case.state_of(id), RequestState::Verified { .. }), "final");
    }
}

#[test]
fn what_was_read_while_the_incident_was_closed_is_not_written_behind_its_end() {
    for came_through in [false, true] {
        let mut case = Case::new();
        let id = started(&mut case, "deactivate");
        answered(&mut case, id, unclear());
        read_last(&mut case, id);
        case.minutes(1);
        case.act("U1", PersonCommand::Close { outcome: Outcome::Resolved, note: "the shop opens".into() }).unwrap();
        if came_through {
            case.key = KeyStatus::Inactive;
        }
        assert_eq!(read_last(&mut case, id), []);
        let events =
            take_report(&case.incident, Report::NotReadable { request: id, error: "Throttled".into() }, case.cx());
        assert_eq!(events, []);
    }
}

#[test]
fn nothing_but_a_reading_moves_what_is_not_known() {
    let mut case = Case::new();
    let id = started(&mut case, "deactivate");
    read_last(&mut case, id);
    let before = case.state_of(id);
    answered(&mut case, id, CallAnswer::Accepted);
    for command in [
        PersonCommand::Approve { request: id, digest_shown: case.shown(1), clicked_at: case.now },
        PersonCommand::Withdraw { request: id },
        PersonCommand::Cancel { request: id },
        PersonCommand::Retract { request: id, clicked_at: case.now },
    ] {
        assert!(case.act("U2", command.clone()).is_err() && case.act("U1", command).is_err());
    }
    let (by, reason) = ("U2".parse().unwrap(), "no".to_owned());
    case.apply(vec![
        Event::ExecutionFailed { request: id, why: "no".into() },
        Event::RequestDenied { request: id, by, shown: None, reason },
        Event::RequestCancelled { request: id, why: "no".into() },
    ]);
    assert_eq!(case.state_of(id), before);
    // Asked anew, it needs a new yes, and says from its call on how it stands.
    case.ask("U1", &["deactivate"]).unwrap();
    assert!(look_at(&case.incident, &case.incident.requests[&id]).is_some());
    case.approve("U2", 2).unwrap();
    case.run();
    assert!(matches!(case.state(2), RequestState::Verified { .. }));
    assert_eq!(look_at(&case.incident, &case.incident.requests[&id]), None);
    assert_eq!(read_last(&mut case, id), [], "the other says how it stands");
}

#[test]
fn a_revocation_that_shows_late_reaches_no_further_than_its_cut_off() {
    let mut case = Case::new();
    let id = started(&mut case, "revoke-user");
    case.make_call(id);
    let hidden = case.user_policy.take();
    answered(&mut case, id, unclear());
    read_last(&mut case, id);
    case.minutes(2);
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 2).unwrap();
    case.run();
    case.minutes(2);
    case.user_policy = hidden;
    assert_eq!(read_last(&mut case, id), [Event::Verified { request: id, no_op: false }]);
    let missing = missing(&case.incident, &case.playbook);
    let early = missing.iter().find(|(step, _)| step.id == case.incident.requests[&id].plan.step);
    assert_eq!(early.map(|(_, why)| *why), Some(Missing::RevokedTooEarly), "the key lived on after the cut-off");
}

#[test]
fn an_undoing_in_doubt_is_no_tampering() {
    let mut case = Case::new();
    undo_started(&mut case);
    let step = case.incident.requests[&request(1)].plan.step.clone();
    answered(&mut case, request(2), unclear());
    read_last(&mut case, request(2));
    assert!(matches!(case.state(2), RequestState::Unknown { .. }));
    assert!(
        matches!(&case.look()[..], [Event::ContainmentChecked { held, lost, .. }] if held.len() == 1 && lost.is_empty())
    );
    // Somebody else writes something there: that is no undoing of the bot's.
    case.user_policy = Some("{\"Statement\":[]}".into());
    assert!(matches!(&case.look()[..], [Event::ContainmentChecked { lost, .. }] if lost.len() == 1));
    // The call has come through.
    case.user_policy = None;
    let events = case.look();
    assert_eq!(events, [Event::Verified { request: request(2), no_op: false }]);
    case.apply(events);
    assert!(in_force(&case.incident, &step).is_none());
    assert_eq!(undone_by(&case.incident, request(1)).map(|r| r.id), Some(request(2)));
}

#[test]
fn what_changed_nothing_ends_no_doubt() {
    let mut case = Case::new();
    let id = started(&mut case, "deactivate");
    read_last(&mut case, id);
    for answer in [
        CallAnswer::NotSent { message: "m".into() },
        CallAnswer::Refused { code: "AccessDenied".into(), message: "m".into() },
    ] {
        let later = started(&mut case, "deactivate");
        answered(&mut case, later, answer);
        assert!(matches!(case.state_of(later), RequestState::Failed { partly: false, .. }));
        assert!(look_at(&case.incident, &case.incident.requests[&id]).is_some(), "it is still looked for");
    }
    case.key = KeyStatus::Inactive;
    assert_eq!(read_last(&mut case, id), [Event::Verified { request: id, no_op: false }]);
}

#[test]
fn who_takes_something_away_long_after_an_undo_in_doubt_is_not_the_bot() {
    let mut case = Case::new();
    undo_started(&mut case);
    let put = case.user_policy.take();
    assert!(matches!(&case.look()[..], []), "whoever makes the call says how it went");
    case.user_policy = put;
    read_last(&mut case, request(2));
    for _ in 0..6 {
        case.minutes(5);
        read_last(&mut case, request(2));
    }
    case.user_policy = None;
    assert!(
        matches!(&case.look()[..], [Event::ContainmentChecked { lost, .. }] if lost.len() == 1),
        "it raises the alarm"
    );
    assert_eq!(read_last(&mut case, request(2)), []);
}

#[test]
fn whoever_makes_the_calls_keeps_others_from_reading_back_until_it_falls_silent() {
    let mut case = Case::new();
    let id = started(&mut case, "deactivate");
    let lives = |case: &Case| take_report(&case.incident, Report::StillExecuting { request: id }, case.cx());
    assert_eq!(lives(&case), [], "its lease was over already");
    let lease_until = case.now + TimeDelta::seconds(20);
    let goes_on = |lease_until| vec![Event::ExecutionContinues { request: id, lease_until }];
    case.apply(goes_on(lease_until));
    assert_eq!(lives(&case), [], "nothing longer than it was");
    case.now += TimeDelta::seconds(19);
    assert_eq!(read_last(&mut case, id), [], "somebody had begun to read back before");
    let unread = Report::NotReadable { request: id, error: "denied".into() };
    assert_eq!(take_report(&case.incident, unread, case.cx()), []);
    let due = |case: &Case| owed(&case.incident).iter().find(|o| o.effect == Effect::ReadBack(id)).unwrap().due_at;
    assert_eq!(due(&case), lease_until);
    let events = lives(&case);
    assert_eq!(events, goes_on(lease_until + TimeDelta::seconds(19)));
    case.apply(events);
    case.now = due(&case);
    assert_eq!(lives(&case), [], "too late");
    assert!(matches!(&read_last(&mut case, id)[..], [Event::ExecutionUnknown { .. }]));
}

#[test]
fn code_has_the_time_that_it_takes_both_ways() {
    let text = || "t".to_owned();
    let code = ApiCall::UpdateFunctionCode { function_name: text(), zip_file: text(), revision_id: text() };
    let plain = ApiCall::DeleteUser { user_name: text() };
    let seconds = |calls: &[ApiCall]| call_time_max(calls).num_seconds();
    assert_eq!((seconds(std::slice::from_ref(&plain)), seconds(&[plain.clone(), plain.clone()])), (10, 11));
    assert_eq!((seconds(std::slice::from_ref(&code)), seconds(&vec![plain; 1_000])), (120, 70));
}

#[test]
fn a_flood_of_refused_attempts_leaves_a_bounded_record() {
    let mut case = Case::new();
    let left_out = |case: &Case, who: &str| is_left_out(&case.incident, &who.parse().unwrap(), case.now);
    for _ in 0..REFUSALS_KEPT {
        assert!(!left_out(&case, "U9"), "it is in the record");
        let digest = "0".repeat(1_000);
        let attempt = Attempt { name: "approve", request: Some(request(1)), digest: Some(&digest) };
        let event = refused(&case.actor("U9"), attempt, &Refusal::NotAResponder, case.cx());
        let Event::AttemptRefused { digest, policy_version, .. } = &event else { panic!("{event:?}") };
        assert_eq!(digest.as_ref().unwrap().len(), 64, "what is on a button is from outside");
        assert_eq!(*policy_version, Some(case.policy.version.clone()));
        case.apply(vec![event]);
    }
    assert!(left_out(&case, "U9"), "enough for a minute");
    assert!(!left_out(&case, "U8"), "of everybody else");
    case.now += TimeDelta::minutes(1) - TimeDelta::milliseconds(1);
    assert!(left_out(&case, "U9"));
    case.now += TimeDelta::milliseconds(1);
    assert!(!left_out(&case, "U9"));
}

#[test]
fn the_first_answer_to_a_call_counts_and_what_has_gone_out_cannot_be_stopped() {
    let mut case = Case::new();
    let id = started(&mut case, "deactivate");
    assert_eq!(case.act("U1", PersonCommand::Withdraw { request: id }), Err(Refusal::UnderWay(id)));
    answered(&mut case, id, CallAnswer::Accepted);
    let late = Report::CallAnswered { request: id, answer: unclear() };
    assert_eq!(take_report(&case.incident, late, case.cx()), []);
}

#[test]
fn an_undoing_in_doubt_is_looked_for_a_quarter_of_an_hour_and_no_longer() {
    let mut case = Case::new();
    undo_started(&mut case);
    let id = request(2);
    let called_at = case.now;
    read_last(&mut case, id);
    let due = |case: &Case| look_at(&case.incident, &case.incident.requests[&id]);
    // The second look comes late, so that the third is due at the last moment.
    for at in [1, 10] {
        case.now = called_at + TimeDelta::minutes(at);
        read_last(&mut case, id);
    }
    assert_eq!(due(&case), Some(called_at + TimeDelta::minutes(15)));
    case.minutes(5);
    read_last(&mut case, id);
    assert_eq!(due(&case), None);
}

#[test]
fn no_call_goes_out_for_what_waits_for_a_yes_or_is_frozen() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    let ready = |case: &Case| {
        let found = &case.incident.requests[&request(1)];
        let (warranted, now) = (Ok(found.plan.work.calls_at(case.now)), case.observed(&found.plan.action));
        let report = Report::ReadyToExecute { warranted, now, request: request(1), replica: "r".into() };
        take_report(&case.incident, report, case.cx())
    };
    assert_eq!(ready(&case), []);
    case.approve("U2", 1).unwrap();
    assert!(matches!(&ready(&case)[..], [Event::ExecutionStarted { .. }]));
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U3", 2).unwrap();
    case.act("U3", PersonCommand::NotMe { request: request(2) }).unwrap();
    assert!(case.incident.freeze.is_some() && matches!(case.state(1), RequestState::Approved { .. }));
    assert_eq!(ready(&case), []);
}

#[test]
fn a_limit_has_passed_one_tick_after_its_last_moment() {
    let mut case = Case::new();
    let passed = |case: &Case| take_report(&case.incident, Report::ClockPassed { request: request(1) }, case.cx());
    let tick = TimeDelta::milliseconds(1);
    case.ask("U1", &["deactivate"]).unwrap();
    let asked_at = case.now;
    case.now = case.incident.requests[&request(1)].plan.approve_by;
    assert_eq!(passed(&case), []);
    case.now += tick;
    assert_eq!(passed(&case), [Event::RequestExpired { request: request(1) }]);
    case.now = asked_at;
    case.approve("U2", 1).unwrap();
    let RequestState::Approved { execute_by } = *case.state(1) else { panic!("{:?}", case.state(1)) };
    case.now = execute_by;
    assert_eq!(passed(&case), []);
    case.now += tick;
    assert!(matches!(&passed(&case)[..], [Event::RequestLapsed { .. }]));
}

#[test]
fn of_what_was_asked_for_together_each_expires_after_its_own_last_moment() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let tick = TimeDelta::milliseconds(1);
    let last = case.incident.requests[&request(1)].plan.approve_by;
    case.incident.requests.get_mut(&request(2)).unwrap().plan.approve_by = last + tick;
    let passed = |case: &Case, number: u32| {
        let events = take_report(&case.incident, Report::ClockPassed { request: request(number) }, case.cx());
        let expired = events.into_iter().map(|event| match event {
            Event::RequestExpired { request } => request,
            other => panic!("{other:?}"),
        });
        expired.collect::<Vec<_>>()
    };
    case.now = last + tick;
    assert_eq!(passed(&case, 1), [1, 3].map(request));
    assert_eq!(passed(&case, 2), [], "not before that one's own");
    case.now = last + tick + tick;
    assert_eq!(passed(&case, 2), [1, 2, 3].map(request));
}

#[test]
fn a_limit_is_looked_at_one_tick_after_its_last_moment() {
    let mut case = Case::new();
    let tick = TimeDelta::milliseconds(1);
    let due = |case: &Case| {
        let of = |o: &Owed| o.effect == Effect::Clock(request(1));
        owed(&case.incident).into_iter().find(of).map(|o| o.due_at)
    };
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(due(&case), Some(case.incident.requests[&request(1)].plan.approve_by + tick));
    case.approve("U2", 1).unwrap();
    let RequestState::Approved { execute_by } = *case.state(1) else { panic!("{:?}", case.state(1)) };
    assert_eq!(due(&case), Some(execute_by + tick));
}
