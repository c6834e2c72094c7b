//! What is asked for together.

use super::case::{Case, request, user};
use super::eradication::made;
use crate::domain::approval::{Plan, RequestState};
use crate::domain::hunt::{Hunted, Trace};
use crate::domain::id::StepId;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::event::Event;
use crate::domain::incident::steps::contained;
use crate::domain::incident::together::{named, open_steps, pressed, together, word};
use crate::domain::observation::KeyStatus;
use crate::domain::policy::{ActionClass, Standing};
use crate::domain::refusal::Refusal;

#[test]
fn one_press_decides_on_all_that_was_asked_for_together() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    assert_eq!(together(&case.incident, &case.incident.requests[&request(2)]), [1, 2, 3].map(request));
    let digests: Vec<_> = (1..4).map(|n| case.incident.requests[&request(n)].digest.short().to_owned()).collect();
    let shared = case.shown(1);
    assert!(!digests.contains(&shared) && (1..4).all(|n| case.shown(n) == shared), "one digest, of all of them");

    // The digest of one of them is not what was shown.
    let alone = PersonCommand::Approve { request: request(1), digest_shown: digests[0].clone(), clicked_at: case.now };
    assert_eq!(case.act("U2", alone), Err(Refusal::DigestMismatch(request(1))));
    assert_eq!(case.approve("U1", 1), Err(Refusal::OwnRequest));
    assert!(matches!(case.approve("U4", 1), Err(Refusal::Recused(_))), "the key is Kim's");
    case.approve("U2", 3).unwrap();
    case.run();
    assert!((1..4).all(|n| matches!(case.state(n), RequestState::Verified { .. })));
    assert!(contained(&case.incident, &case.playbook));
}

type End = fn(&Case) -> PersonCommand;

#[test]
fn a_no_a_withdrawal_and_a_cancellation_end_all_of_them() {
    let ends: [(&str, End); 3] = [
        ("U2", |case| PersonCommand::Deny {
            request: request(2),
            digest_shown: case.shown(2),
            reason: "not now".into(),
        }),
        ("U1", |_| PersonCommand::Withdraw { request: request(2) }),
        ("U1", |_| PersonCommand::Cancel { request: request(2) }),
    ];
    for (who, end) in ends {
        let mut case = Case::new();
        case.ask_all("U1").unwrap();
        let command = end(&case);
        case.act(who, command).unwrap();
        assert!((1..4).all(|n| !case.state(n).is_open()), "{who}");
        assert!(matches!(case.approve("U3", 1), Err(Refusal::Decided { .. })));
    }
}

#[test]
fn a_yes_that_was_taken_back_is_not_given_again_by_a_late_delivery() {
    let mut case = Case::new();
    case.policy.rules.values_mut().for_each(|rules| rules.quorum = 2);
    case.ask_all("U1").unwrap();
    let clicked_at = case.now;
    case.approve("U2", 1).unwrap();
    case.minutes(1);
    case.act("U2", PersonCommand::Retract { request: request(1), clicked_at: case.now }).unwrap();
    assert!((1..4).all(|n| case.incident.requests[&request(n)].approvals.is_empty()), "from all of them");
    let late = PersonCommand::Approve { request: request(1), digest_shown: case.shown(1), clicked_at };
    assert!(matches!(case.act("U2", late), Err(Refusal::TakenBackSince { .. })));
    case.minutes(1);
    case.approve("U2", 1).unwrap();
}

#[test]
fn whoever_has_approved_none_of_them_has_nothing_to_take_back_before_they_run_or_after() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    let clicked_at = case.now;
    let take_back = || PersonCommand::Retract { request: request(2), clicked_at };
    let nothing = Err(Refusal::NothingToRetract(request(2)));
    assert_eq!(case.act("U3", take_back()), nothing);
    assert!((1..4).all(|n| matches!(case.state(n), RequestState::Approved { .. })));
    case.run();
    assert_eq!(case.act("U3", take_back()), nothing);
    assert!(matches!(case.act("U2", take_back()), Err(Refusal::Decided { .. })), "theirs has been used");
}

/// Somebody's yes to two of them no longer counts, before any of them could run.
fn void(case: &mut Case, who: &str, numbers: [u32; 2]) {
    for number in numbers {
        let why = Refusal::NotAMember(Standing::Unknown);
        case.apply(vec![Event::ApprovalVoided { request: request(number), by: user(who), why }]);
    }
}

#[test]
fn nothing_is_left_to_take_back_of_a_yes_that_was_used_for_one_and_no_longer_counts_for_the_others() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    void(&mut case, "U2", [2, 3]);
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }), "{:?}", case.state(1));
    assert!([2, 3].iter().all(|n| *case.state(*n) == RequestState::Pending), "these can still be stopped");
    let take_back = PersonCommand::Retract { request: request(1), clicked_at: case.now };
    assert_eq!(case.act("U2", take_back), Err(Refusal::NothingToRetract(request(1))));
}

#[test]
fn what_waits_gives_way_to_more_or_to_something_else_and_to_nothing_less() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(case.ask("U2", &["deactivate"]), Err(Refusal::AlreadyAsked(request(1))));
    case.ask_all("U2").unwrap();
    assert_eq!(*case.state(1), RequestState::Superseded { by: request(2) });
    assert_eq!(case.ask_all("U1"), Err(Refusal::AlreadyAsked(request(2))));
    assert_eq!(case.ask("U1", &["deactivate"]), Err(Refusal::AlreadyAsked(request(2))));
    case.user_policy = Some("{}".into());
    case.ask("U1", &["revoke-user"]).unwrap();
    assert!((2..5).all(|n| *case.state(n) == RequestState::Superseded { by: request(5) }), "all that went with it");
    assert_eq!(*case.state(5), RequestState::Pending);
}

#[test]
fn what_was_approved_already_goes_on_when_one_that_went_with_it_is_asked_for_anew() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U3", 1).unwrap();
    void(&mut case, "U3", [2, 3]);
    case.user_policy = Some("{}".into());
    case.ask("U1", &["revoke-user"]).unwrap();
    assert!(matches!(case.state(1), RequestState::Approved { .. }), "{:?}", case.state(1));
    assert!([2, 3].iter().all(|n| *case.state(*n) == RequestState::Superseded { by: request(4) }));
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }), "{:?}", case.state(1));
}

#[test]
fn what_aws_shows_already_is_left_out_and_alone_it_is_the_answer() {
    let mut case = Case::new();
    case.key = KeyStatus::Inactive;
    case.ask_all("U1").unwrap();
    assert_eq!(case.incident.requests.len(), 2);
    assert!(matches!(case.ask("U1", &["deactivate"]), Err(Refusal::NotApplicable(_))));
}

#[test]
fn what_differs_in_anything_but_who_asks_and_when_is_something_else() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.ask("U1", &["revoke-user"]).unwrap();
    let plan = |number| case.incident.requests[&request(number)].plan.clone();
    let (of, other) = (plan(1), plan(2));
    let with = |change: fn(&mut Plan, &Plan)| {
        let mut changed = of.clone();
        change(&mut changed, &other);
        assert_ne!(changed, of);
        of.does_the_same(&changed)
    };
    assert!(with(|plan, _| plan.nonce.push('n')));
    assert!(!with(|plan, other| plan.action = other.action.clone()));
    assert!(!with(|plan, _| plan.account = "999988887777".parse().unwrap()));
    assert!(!with(|plan, other| plan.targets.extend(other.targets.clone())));
    assert!(!with(|plan, other| plan.work = other.work.clone()));
    assert!(!with(|plan, other| plan.before_hash = other.before_hash.clone()));
}

#[test]
fn what_may_not_be_asked_for_holds_up_none_of_the_others() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    assert_eq!(case.ask("U1", &["deactivate"]), Err(Refusal::UnderWay(request(1))));
    case.ask_all("U1").unwrap();
    assert_eq!(case.incident.requests.len(), 3, "the other two");
    assert!(matches!(case.state(1), RequestState::Approved { .. }));
}

#[test]
fn a_button_s_word_says_which_of_the_two_cards_it_stands_on() {
    assert_eq!(ActionClass::ALL.map(word), ["contain", "contain", "remove"], "an undo is asked for alone");
    for class in [ActionClass::Contain, ActionClass::Eradicate] {
        assert_eq!(named(word(class)), Some(class));
    }
    assert!(["", "INC-1", "contain remove", "Contain"].iter().all(|other| named(other).is_none()));
}

#[test]
fn a_press_asks_for_all_that_its_card_offers_and_for_nothing_of_the_other() {
    let open = |case: &Case| -> Vec<StepId> {
        open_steps(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id).collect()
    };
    let press = |case: &Case, class: Option<ActionClass>| pressed(&case.incident, &case.playbook, class);
    let no = |case: &Case, class: Option<ActionClass>| match press(case, class) {
        Err(Refusal::NotApplicable(why)) => why,
        other => panic!("{class:?}: {other:?}"),
    };
    let (contain, remove) = (Some(ActionClass::Contain), Some(ActionClass::Eradicate));
    let mut case = Case::new();
    assert_eq!(press(&case, contain), Ok(open(&case)));
    assert_eq!(open(&case).len(), 3);
    assert!(no(&case, remove).contains("containment comes first"));
    assert!(no(&case, None).contains("older version"));

    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let machine = |id: &str| Trace { resource_type: "AWS::EC2::Instance".into(), ..made("Instance", id) };
    let footprint = ["i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2"].map(machine).into();
    case.found(Hunted { footprint, ..Hunted::default() });
    assert_eq!(press(&case, remove), Ok(open(&case)));
    assert_eq!(open(&case).len(), 2);
    assert!(no(&case, contain).contains("Removal has a card of its own"));
    assert!(no(&case, None).contains("older version"));
}
