//! What one person may do alone.

use super::case::{Case, KEY, request, start, user};
use super::hunt::password;
use crate::domain::approval::{Debt, RequestState};
use crate::domain::hunt::Hunted;
use crate::domain::id::StepId;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::event::Outcome;
use crate::domain::incident::steps::action_for;
use crate::domain::observation::{Identity, KeyStatus, Observation};
use crate::domain::policy::PersonId;
use crate::domain::refusal::Refusal;

pub(super) fn glass(case: &Case, number: u32, target: &str) -> PersonCommand {
    PersonCommand::BreakGlass {
        request: request(number),
        digest_shown: case.shown(number),
        target: target.into(),
        reason: "nobody answers".into(),
    }
}

#[test]
fn nobody_acts_alone_unless_the_rules_name_them() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let alone = glass(&case, 1, KEY);
    assert_eq!(case.act("U1", alone.clone()), Err(Refusal::GlassOff));
    case.policy.break_glass = [user("U1"), user("U4")].into();
    assert_eq!(case.act("U2", alone.clone()), Err(Refusal::NotForGlass));
    assert!(matches!(case.act("U4", alone.clone()), Err(Refusal::Recused(_))), "the key is theirs");
    assert!(matches!(case.act("U1", glass(&case, 1, "ci")), Err(Refusal::NotTheTarget(target)) if target == KEY));
    let PersonCommand::BreakGlass { request, digest_shown, target, .. } = alone.clone() else { panic!() };
    let silent = PersonCommand::BreakGlass { request, digest_shown, target, reason: " ".into() };
    assert_eq!(case.act("U1", silent), Err(Refusal::ReasonNeeded));
    case.minutes(16);
    assert!(matches!(case.act("U1", alone.clone()), Err(Refusal::TooLate { .. })));
    case.now = start();
    case.act("U1", alone).unwrap();
    case.run();
    assert!((1..4).all(|n| matches!(case.state(n), RequestState::Verified { .. })), "all that goes with it");
}

#[test]
fn the_right_to_act_alone_is_asked_for_again_at_the_call() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["deactivate"]).unwrap();
    let alone = glass(&case, 1, KEY);
    case.act("U1", alone).unwrap();
    case.policy.break_glass.clear();
    case.run();
    assert!(matches!(case.state(1), RequestState::Lapsed { .. }));
    assert_eq!(case.key, KeyStatus::Active);
}

#[test]
fn a_yes_that_was_given_before_does_not_stop_it_and_the_requester_is_no_judge() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.policy.rules.values_mut().for_each(|rules| rules.quorum = 2);
    case.policy.belongings.clear();
    case.ask("U2", &["deactivate"]).unwrap();
    case.approve("U4", 1).unwrap();
    let alone = glass(&case, 1, KEY);
    case.act("U1", alone).unwrap();
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }), "{:?}", case.state(1));
    assert_eq!(case.act("U2", PersonCommand::Ratify { request: request(1) }), Err(Refusal::OwnRequest));
    case.act("U4", PersonCommand::Ratify { request: request(1) }).unwrap();
}

#[test]
fn a_yes_taken_back_does_not_stop_it_and_whoever_broke_the_glass_can_say_that_they_did_not() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.policy.rules.values_mut().for_each(|rules| rules.quorum = 2);
    case.policy.belongings.clear();
    case.ask("U2", &["deactivate"]).unwrap();
    case.approve("U4", 1).unwrap();
    let alone = glass(&case, 1, KEY);
    case.act("U1", alone).unwrap();
    case.act("U4", PersonCommand::Retract { request: request(1), clicked_at: case.now }).unwrap();
    assert!(matches!(case.state(1), RequestState::Approved { .. }), "{:?}", case.state(1));
    case.act("U1", PersonCommand::NotMe { request: request(1) }).unwrap();
    assert!(case.incident.freeze.is_some() && matches!(case.state(1), RequestState::Cancelled { .. }));
}

#[test]
fn whoever_can_simply_approve_it_does_that_so_that_somebody_is_left_to_judge() {
    let asked = |quorum: u8| {
        let mut case = Case::new();
        case.policy.break_glass = [user("U3")].into();
        case.policy.rules.values_mut().for_each(|rules| rules.quorum = quorum);
        case.policy.belongings.clear();
        case.ask("U2", &["deactivate"]).unwrap();
        case
    };
    // U2 asks, U3 breaks the glass: neither may judge, and where these two are all approvers nobody could.
    let mut case = asked(1);
    let alone = glass(&case, 1, KEY);
    assert_eq!(case.act("U3", alone), Err(Refusal::ApproveInstead(request(1))));
    case.approve("U3", 1).unwrap();
    case.run();
    let close = PersonCommand::Close { outcome: Outcome::Resolved, note: "done".into() };
    case.act("U2", close).unwrap();

    // Their yes alone is too few: that is what breaking the glass is for.
    let mut case = asked(2);
    let alone = glass(&case, 1, KEY);
    case.act("U3", alone).unwrap();
    case.run();
    case.act("U4", PersonCommand::Ratify { request: request(1) }).unwrap();

    // With somebody else's it is enough.
    let mut case = asked(2);
    case.approve("U4", 1).unwrap();
    let alone = glass(&case, 1, KEY);
    assert_eq!(case.act("U3", alone), Err(Refusal::ApproveInstead(request(1))));

    // Their own is one, however often they say it.
    let mut case = asked(2);
    case.approve("U3", 1).unwrap();
    let alone = glass(&case, 1, KEY);
    case.act("U3", alone).unwrap();
}

#[test]
fn whoever_may_not_approve_all_that_waits_breaks_the_glass_for_what_can_be_put_back() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U3")].into();
    let arn = "arn:aws:iam::111122223333:user/ana";
    case.found(Hunted { credentials: vec![password(arn)], ..Hunted::default() });
    let login = |present| {
        let owner = Identity { id: "AIDA2".into(), arn: arn.into(), path: "/".into() };
        Observation::Attached { owner, present, other_arn: None, members: Vec::new() }
    };
    case.estate = [login(true), login(false)];
    case.ask("U1", &["delete-login-profile", "deactivate"]).unwrap();
    let alone = glass(&case, 1, KEY);
    assert_eq!(case.act("U3", alone.clone()), Err(Refusal::ApproveInstead(request(1))), "a yes to both would do");
    // The password is theirs: one press decides on both, so that they can approve neither.
    case.policy.belongings.insert(arn.to_owned(), PersonId(user("U3")));
    assert!(matches!(case.approve("U3", 1), Err(Refusal::Recused(_))));
    case.act("U3", alone).unwrap();
    case.run();
    assert!(matches!(case.state(2), RequestState::Verified { .. }), "{:?}", case.state(2));
    assert_eq!(*case.state(1), RequestState::Pending);
}

#[test]
fn one_who_acts_alone_needs_no_approver_to_ask() {
    let mut case = Case::new();
    case.policy.approvers.users = [user("U4")].into();
    assert!(matches!(case.ask("U1", &["deactivate"]), Err(Refusal::NobodyToApprove { .. })));
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["deactivate"]).unwrap();
}

#[test]
fn a_second_person_has_to_speak_before_it_can_be_closed() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask_all("U1").unwrap();
    let settle = |case: &mut Case, who: &str| case.act(who, PersonCommand::Ratify { request: request(2) });
    assert_eq!(settle(&mut case, "U2"), Err(Refusal::NoDebt(request(2))));
    let alone = glass(&case, 1, KEY);
    case.act("U1", alone).unwrap();
    assert_eq!(settle(&mut case, "U2"), Err(Refusal::UnderWay(request(2))), "it is not known yet what it did");
    case.run();
    let close = PersonCommand::Close { outcome: Outcome::Resolved, note: "done".into() };
    assert_eq!(case.act("U2", close.clone()), Err(Refusal::DebtOpen(request(1))));
    assert_eq!(settle(&mut case, "U1"), Err(Refusal::OwnRequest));
    assert!(matches!(settle(&mut case, "U4"), Err(Refusal::Recused(_))));
    let contest = PersonCommand::Contest { request: request(1), reason: "I was there".into() };
    case.act("U3", contest).unwrap();
    for number in 1..4 {
        let glass = case.incident.requests[&request(number)].glass.clone().unwrap();
        assert!(matches!(glass.debt, Debt::Contested { .. }), "{number}");
    }
    assert_eq!(settle(&mut case, "U2"), Err(Refusal::NoDebt(request(2))), "once");
    case.act("U2", close).unwrap();
}

#[test]
fn an_undo_is_never_run_alone() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let undo: StepId = "undo.revoke-user-sessions".parse().unwrap();
    let action = action_for(&case.incident, &case.playbook, &undo).unwrap();
    let parts = vec![(undo, case.observed(&action))];
    case.act("U1", PersonCommand::Request { parts, nonce: "n".into() }).unwrap();
    let alone = glass(&case, 2, "ci");
    assert_eq!(case.act("U1", alone), Err(Refusal::NotForGlass));
}
