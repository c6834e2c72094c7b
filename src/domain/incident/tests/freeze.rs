//! What somebody cannot do in whose name something was done that they did not do, and how far naming people goes.

use super::case::{Case, KEY, request, user};
use super::glass::glass;
use super::hunt::password;
use crate::domain::approval::{RequestState, too_few_left};
use crate::domain::hunt::Hunted;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::observation::{Identity, Observation};
use crate::domain::policy::{ActionClass, Standing};
use crate::domain::recusal::recused;
use crate::domain::refusal::Refusal;

#[test]
fn an_account_that_may_be_in_other_hands_does_nothing_else_until_the_freeze_is_lifted() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.act("U2", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.act("U1", PersonCommand::NotMe { request: request(1) }).unwrap();
    let disputed = Err(Refusal::Disputed(request(1)));
    let close = PersonCommand::Close { outcome: Outcome::FalsePositive, note: "nothing to see".into() };
    assert_eq!(case.act("U1", close.clone()), disputed);
    assert_eq!(case.act("U1", PersonCommand::TakeLead { clicked_at: case.now }), disputed);
    assert_eq!(case.act("U1", PersonCommand::NameSubject { user: user("U3") }), disputed);
    assert!(matches!(case.act("U2", close.clone()), Err(Refusal::Frozen { .. })), "nobody ends it meanwhile");
    case.unfreeze("U2").unwrap();
    case.unfreeze("U3").unwrap();
    case.act("U1", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.act("U2", close).unwrap();
}

#[test]
fn all_that_waits_in_their_name_ends_and_never_runs_once_the_freeze_is_lifted() {
    let mut case = Case::new();
    case.act("U1", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.ask_all("U1").unwrap();
    case.approve("U3", 1).unwrap();
    case.act("U3", PersonCommand::NotMe { request: request(1) }).unwrap();
    for number in 1..=3 {
        let why = format!("<@U3> says that {} was not them", request(1));
        assert_eq!(*case.state(number), RequestState::Cancelled { why });
    }
    case.unfreeze("U1").unwrap();
    case.unfreeze("U2").unwrap();
    case.run();
    assert!(matches!(case.state(2), RequestState::Cancelled { .. }));

    // What others have asked for and approved goes on.
    case.ask("U1", &["deactivate"]).unwrap();
    case.ask("U2", &["revoke-user"]).unwrap();
    case.approve("U3", 5).unwrap();
    case.act("U1", PersonCommand::NotMe { request: request(4) }).unwrap();
    assert!(matches!(case.state(4), RequestState::Cancelled { .. }));
    assert!(matches!(case.state(5), RequestState::Approved { .. }), "{:?}", case.state(5));
}

#[test]
fn a_freeze_is_lifted_by_those_who_were_shown_it_and_by_nobody_for_a_later_one() {
    let mut case = Case::new();
    case.act("U2", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.ask("U1", &["deactivate"]).unwrap();
    case.act("U1", PersonCommand::NotMe { request: request(1) }).unwrap();
    let first = case.incident.freeze.as_ref().unwrap().number;
    let late = PersonCommand::Unfreeze { shown: first };
    case.unfreeze("U2").unwrap();
    case.unfreeze("U3").unwrap();
    let again = case.act("U1", PersonCommand::NotMe { request: request(1) });
    assert_eq!(again, Err(Refusal::SaidAlready(request(1))), "that was lifted");
    case.ask("U1", &["deactivate"]).unwrap();
    case.ask("U1", &["revoke-user"]).unwrap();
    case.act("U1", PersonCommand::NotMe { request: request(2) }).unwrap();
    assert!(matches!(case.act("U3", late.clone()), Err(Refusal::NotApplicable(_))), "its card was another");
    case.unfreeze("U3").unwrap();

    // One more dispute is another freeze too: who has agreed to the one has not seen the other.
    let before = case.incident.freeze.as_ref().unwrap().number;
    case.act("U1", PersonCommand::NotMe { request: request(3) }).unwrap();
    assert!(matches!(case.act("U2", PersonCommand::Unfreeze { shown: before }), Err(Refusal::NotApplicable(_))));
    case.unfreeze("U2").unwrap();
    case.unfreeze("U3").unwrap();
    assert_eq!(case.incident.freeze, None);
    assert_eq!(case.act("U3", late), Err(Refusal::NotFrozen));
}

#[test]
fn a_lead_whom_the_rules_do_not_name_any_more_lifts_no_freeze() {
    let frozen = || {
        let mut case = Case::new();
        case.act("U1", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
        case.ask("U2", &["deactivate"]).unwrap();
        case.act("U2", PersonCommand::NotMe { request: request(1) }).unwrap();
        case
    };
    let mut case = frozen();
    case.policy.responders.users.remove(&user("U1"));
    assert_eq!(case.unfreeze("U1"), Err(Refusal::CannotLift));

    // What they have said before that counts no more.
    let mut case = frozen();
    case.unfreeze("U1").unwrap();
    case.policy.responders.users.remove(&user("U1"));
    case.unfreeze("U3").unwrap();
    assert!(case.incident.freeze.is_some());
    case.policy.responders.users.insert(user("U1"));
    case.unfreeze("U3").unwrap();
    assert_eq!(case.incident.freeze, None);

    // Nor does that of an approver who is none any more.
    let mut case = frozen();
    case.unfreeze("U3").unwrap();
    case.policy.approvers.users.remove(&user("U3"));
    case.unfreeze("U1").unwrap();
    assert!(case.incident.freeze.is_some());
}

#[test]
fn two_accounts_that_turn_out_to_be_one_human_do_not_lift_a_freeze() {
    let mut case = Case::new();
    case.policy.approvers.users.insert(user("U5"));
    case.act("U3", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.ask("U1", &["deactivate"]).unwrap();
    case.act("U1", PersonCommand::NotMe { request: request(1) }).unwrap();
    case.unfreeze("U5").unwrap();
    case.policy.aliases.insert(user("U5"), user("U3"));
    assert_eq!(case.unfreeze("U3"), Err(Refusal::AlreadyAgreed));
    assert!(case.incident.freeze.is_some());
}

#[test]
fn a_yes_that_was_given_and_taken_back_in_their_name_can_be_disputed_too() {
    let mut case = Case::new();
    case.act("U1", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.ask("U1", &["deactivate"]).unwrap();
    let not_me = PersonCommand::NotMe { request: request(1) };
    assert_eq!(case.act("U3", not_me.clone()), Err(Refusal::NotInYourName(request(1))));
    case.approve("U3", 1).unwrap();
    case.act("U3", PersonCommand::Retract { request: request(1), clicked_at: case.now }).unwrap();
    case.act("U3", not_me.clone()).unwrap();
    assert_eq!(
        *case.state(1),
        RequestState::Pending,
        "nothing in it is in their name any more, so it goes on after that"
    );
    case.unfreeze("U1").unwrap();
    case.unfreeze("U2").unwrap();

    case.approve("U3", 1).unwrap();
    let why = Refusal::NotAMember(Standing::Deactivated);
    case.apply(vec![Event::ApprovalVoided { request: request(1), by: user("U3"), why }]);
    assert!(case.incident.requests[&request(1)].approvals.is_empty());
    case.act("U3", not_me).unwrap();

    // It is theirs, by whichever way it has ended.
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U3", 1).unwrap();
    let why = Refusal::NotAMember(Standing::Unknown);
    case.apply(vec![Event::ApprovalVoided { request: request(1), by: user("U3"), why }]);
    case.act("U3", PersonCommand::NotMe { request: request(1) }).unwrap();
}

#[test]
fn naming_people_does_not_end_all_deciding() {
    let mut case = Case::new();
    case.policy.escalation = [user("U9")].into();
    case.act("U1", PersonCommand::NameSubject { user: user("U8") }).unwrap();
    case.act("U1", PersonCommand::NameSubject { user: user("U3") }).unwrap();
    let last = PersonCommand::NameSubject { user: user("U2") };
    let refused = Refusal::TooFewLeft { user: user("U2"), left: 0, ask: vec![user("U9")] };
    assert_eq!(case.act("U1", last.clone()), Err(refused));
    case.policy.approvers.groups.insert("S1".parse().unwrap());
    assert_eq!(case.act("U1", last), Err(Refusal::GroupsUnread), "the others may be in it");
    case.policy.approvers.groups.clear();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    // Nor does it leave it to whoever names them.
    let mut case = Case::new();
    case.policy.escalation = [user("U9")].into();
    case.policy.approvers.users = [user("U2"), user("U3")].into();
    let refused = Refusal::TooFewLeft { user: user("U3"), left: 0, ask: vec![user("U9")] };
    assert_eq!(case.act("U2", PersonCommand::NameSubject { user: user("U3") }), Err(refused));
    case.act("U1", PersonCommand::NameSubject { user: user("U3") }).unwrap();
}

#[test]
fn naming_people_ends_the_deciding_on_no_class_of_actions() {
    for class in ActionClass::ALL {
        let mut case = Case::new();
        case.policy.escalation = [user("U9")].into();
        case.policy.rules.get_mut(&class).unwrap().quorum = 2;
        let named = PersonCommand::NameSubject { user: user("U3") };
        // U4 is recused: with U3 there are two.
        let refused = Refusal::TooFewLeft { user: user("U3"), left: 1, ask: vec![user("U9")] };
        assert_eq!(case.act("U1", named.clone()), Err(refused), "{class:?}");
        // Where they are too few in any case, that ends nothing.
        case.policy.rules.get_mut(&class).unwrap().quorum = 3;
        let mut unread = case.policy.clone();
        unread.approvers.groups.insert("S1".parse().unwrap());
        let read = std::mem::replace(&mut case.policy, unread);
        assert_eq!(case.act("U1", named.clone()), Err(Refusal::GroupsUnread), "the third may be in it");
        case.policy = read;
        case.act("U1", named).unwrap();
    }
}

#[test]
fn a_request_says_when_those_who_could_decide_about_it_are_all_recused() {
    let mut case = Case::new();
    case.policy.approvers.users.remove(&user("U3"));
    case.policy.belongings.clear();
    case.ask("U2", &["deactivate"]).unwrap();
    let left = |case: &Case| {
        too_few_left(&case.policy, &recused(&case.incident, &case.policy), &case.incident.requests[&request(1)])
    };
    assert_eq!(left(&case), None);
    // U2 could decide about others, so naming U4 is not refused; but not about this.
    case.act("U1", PersonCommand::NameSubject { user: user("U4") }).unwrap();
    assert_eq!(left(&case), Some(0));
    case.policy.approvers.users.insert(user("U3"));
    assert_eq!(left(&case), None);
    case.policy.rules.values_mut().for_each(|rules| rules.quorum = 2);
    assert_eq!(left(&case), Some(1));
    case.policy.approvers.groups.insert("S1".parse().unwrap());
    assert_eq!(left(&case), None, "the others may be in it");
    case.policy.approvers.groups.clear();
    case.act("U2", PersonCommand::Withdraw { request: request(1) }).unwrap();
    assert_eq!(left(&case), None, "it waits for nobody");
}

#[test]
fn what_cannot_be_put_back_is_never_run_alone_and_holds_up_nothing_that_can() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    let arn = "arn:aws:iam::111122223333:user/ci";
    case.found(Hunted { credentials: vec![password(arn)], ..Hunted::default() });
    let login = |present| {
        let owner = Identity { id: "AIDA1".into(), arn: arn.into(), path: "/".into() };
        Observation::Attached { owner, present, other_arn: None, members: Vec::new() }
    };
    case.estate = [login(true), login(false)];
    case.ask("U1", &["delete-login-profile"]).unwrap();
    let alone = glass(&case, 1, "ci");
    assert_eq!(case.act("U1", alone), Err(Refusal::NotForGlass));
    case.ask("U1", &["delete-login-profile", "deactivate"]).unwrap();
    // The press is on the first of them.
    let alone = glass(&case, 2, KEY);
    case.act("U1", alone).unwrap();
    assert_eq!(*case.state(2), RequestState::Pending);
    case.run();
    assert!(matches!(case.state(3), RequestState::Verified { .. }), "{:?}", case.state(3));
    case.approve("U2", 2).unwrap();
}

#[test]
fn who_cannot_lift_a_freeze_is_told_so_and_who_may_be_in_an_unread_group_is_told_that() {
    let mut case = Case::new();
    case.act("U2", PersonCommand::TakeLead { clicked_at: case.now }).unwrap();
    case.ask("U1", &["deactivate"]).unwrap();
    case.act("U1", PersonCommand::NotMe { request: request(1) }).unwrap();
    case.policy.approvers.groups.insert("S1".parse().unwrap());
    assert_eq!(case.unfreeze("U7"), Err(Refusal::GroupsUnread));
    assert_eq!(case.unfreeze("U4"), Err(Refusal::CannotLift), "the key is theirs, whoever is in the group");
}

#[test]
fn whose_name_was_misused_is_told_what_to_do_when_the_incident_is_over() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U3", 1).unwrap();
    case.run();
    case.act("U2", PersonCommand::Close { outcome: Outcome::FalsePositive, note: "ours".into() }).unwrap();
    let not_me = PersonCommand::NotMe { request: request(1) };
    let refused = case.act("U3", not_me.clone()).unwrap_err();
    assert!(matches!(refused, Refusal::DisputedTooLate { request: of, .. } if of == request(1)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("INC-1 is closed") && told.contains("Change your password"), "{told}");
    assert_eq!(case.act("U2", not_me), Err(Refusal::NotInYourName(request(1))), "they have nothing to dispute");
    assert!(matches!(case.act("U2", PersonCommand::TakeLead { clicked_at: case.now }), Err(Refusal::Closed(_))));
}
