//! What no card can show is approved only once it can be read in a file.

use super::case::{Case, request, user};
use super::glass::glass;
use crate::domain::action::{ApiCall, Inverse};
use crate::domain::approval::{Digest, RequestState};
use crate::domain::id::RequestId;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::together::digest;
use crate::domain::incident::whole::{Whole, fits, shown, texts, to_upload, undo_line};
use crate::domain::refusal::Refusal;

/// A policy of so many characters.
fn policy_of(chars: usize) -> String {
    let empty = r#"{"Sid":""}"#;
    format!(r#"{{"Sid":"{}"}}"#, "x".repeat(chars - empty.len()))
}

fn whole(case: &Case, number: u32) -> Whole<'_> {
    shown(&case.incident, &case.incident.requests[&request(number)])
}

fn bound(case: &Case, number: u32) -> Digest {
    digest(&case.incident, &case.incident.requests[&request(number)])
}

fn report(case: &mut Case, number: u32, digest: Digest, outcome: Result<&str, &str>) -> usize {
    let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
    let events = take_report(&case.incident, Report::PlanFile { request: request(number), digest, outcome }, case.cx());
    case.apply(events.clone());
    events.len()
}

fn waiting(case: &Case) -> Vec<RequestId> {
    to_upload(&case.incident).iter().map(|r| r.id).collect()
}

fn asked_with(chars: usize) -> Case {
    let mut case = Case::new();
    case.user_policy = Some(policy_of(chars));
    case.ask("U1", &["revoke-user"]).unwrap();
    case
}

#[test]
fn a_card_shows_so_many_characters_and_not_one_more() {
    let on_card = |chars: usize| fits(&[&asked_with(chars).incident.requests[&request(1)]]);
    let longest = (4_000..5_000).rev().find(|chars| on_card(*chars)).expect("some fit");
    assert!(on_card(longest - 1) && !on_card(longest + 1), "{longest}");
    let case = asked_with(longest);
    assert_eq!((whole(&case, 1), waiting(&case)), (Whole::OnCard, vec![]));
}

#[test]
fn an_undo_that_is_too_long_for_a_line_is_read_in_full() {
    let mut asked = asked_with(100).incident.requests[&request(1)].clone();
    let opening = |n: usize| ApiCall::AuthorizeSecurityGroupIngress {
        group_id: "sg-0123456789abcdef0".into(),
        ip_permissions: format!(
            r#"[{{"FromPort":22,"IpProtocol":"tcp","IpRanges":[{{"CidrIp":"203.0.113.{n}/32"}}],"ToPort":22}}]"#
        ),
    };
    let mut undone_by = |rules: usize| {
        let calls: Vec<ApiCall> = (0..rules).map(opening).collect();
        let line = undo_line(&calls);
        asked.plan.work.inverse = Inverse::Calls(calls);
        let shown = texts(&asked.plan, &asked.plan.work.calls).concat();
        (line, (0..rules).all(|n| shown.contains(&format!("203.0.113.{n}/32"))), fits(&[&asked]))
    };
    assert!(matches!(undone_by(1), (Some(line), false, true) if line.contains("203.0.113.0/32")), "a line says it");
    assert_eq!(undone_by(10), (None, true, true), "it stands below");
    assert_eq!(undone_by(45), (None, true, false), "and counts for what fits");
    // As it is written for Slack it can be five times as long.
    let of = |policy_name: String| vec![ApiCall::DeleteUserPolicy { user_name: "ci".into(), policy_name }];
    let fits_into_a_line = |chars: usize| undo_line(&of("&".repeat(chars))).is_some();
    assert!(fits_into_a_line(100) && !fits_into_a_line(130));
}

#[test]
fn a_long_plan_is_approved_only_once_its_own_file_is_up() {
    let mut case = asked_with(6_000);
    let own = bound(&case, 1);
    assert_eq!((whole(&case, 1), waiting(&case)), (Whole::NotYet(None), vec![request(1)]));
    assert_eq!(case.approve("U1", 1), Err(Refusal::OwnRequest), "who may not decide hears that first");
    assert_eq!(case.approve("U2", 1), Err(Refusal::NotShownWhole(request(1))));
    case.policy.break_glass = [user("U1")].into();
    let alone = glass(&case, 1, "ci");
    assert_eq!(case.act("U1", alone), Err(Refusal::NotShownWhole(request(1))), "nor does one alone");

    assert_eq!(report(&mut case, 1, own.clone(), Err("missing_scope")), 1);
    assert_eq!(report(&mut case, 1, own.clone(), Err("another reason")), 0, "a failure is written down once");
    assert_eq!(whole(&case, 1), Whole::NotYet(Some("missing_scope")));
    assert_eq!(case.approve("U2", 1), Err(Refusal::NotShownWhole(request(1))));
    assert_eq!(waiting(&case), [request(1)], "it is tried again");

    assert_eq!(report(&mut case, 1, Digest::of(&"another plan"), Ok("https://f/1")), 0, "another plan's file");
    assert_eq!(report(&mut case, 1, own.clone(), Ok("https://f/2")), 1);
    assert_eq!(report(&mut case, 1, own, Ok("https://f/3")), 0, "the first one stands");
    assert_eq!((whole(&case, 1), waiting(&case)), (Whole::InFile("https://f/2"), vec![]));
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }));
}

#[test]
fn plans_that_fit_alone_and_not_together_share_one_file() {
    let mut case = Case::new();
    (case.user_policy, case.role_policy) = (Some(policy_of(3_500)), Some(policy_of(3_500)));
    case.ask_all("U1").unwrap();
    assert!(case.incident.requests.values().all(|r| fits(&[r])));
    assert_eq!((whole(&case, 3), waiting(&case)), (Whole::NotYet(None), vec![request(1)]));
    assert_eq!(case.approve("U2", 3), Err(Refusal::NotShownWhole(request(3))));
    let alone = case.incident.requests[&request(1)].digest.clone();
    assert_eq!(report(&mut case, 1, alone, Ok("https://f/1")), 0, "the file of one is not that of all");
    let shared = bound(&case, 1);
    assert_eq!(report(&mut case, 1, shared, Ok("https://f/2")), 1);
    case.approve("U2", 3).unwrap();
    assert!((1..4).all(|n| matches!(case.state(n), RequestState::Approved { .. })));
}

#[test]
fn nothing_is_uploaded_for_what_nobody_has_to_decide_on() {
    let mut case = asked_with(6_000);
    let withdrawn = PersonCommand::Withdraw { request: request(1) };
    case.act("U1", withdrawn).unwrap();
    assert_eq!(waiting(&case), []);
    let denied = {
        case = asked_with(6_000);
        PersonCommand::Deny { request: request(1), digest_shown: case.shown(1), reason: "too long".into() }
    };
    case.act("U2", denied).unwrap();
    assert!(matches!(case.state(1), RequestState::Denied { .. }), "a no needs no file");
    assert_eq!(waiting(&case), []);
}
