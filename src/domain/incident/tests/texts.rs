//! A plan as people read it.

use super::case::{Case, request, start};
use crate::domain::action::{ApiCall, CUT_OFF, CUT_OFF_LEAD_S, Inverse};
use crate::domain::approval::Request;
use crate::domain::incident::whole::{calls_text, changes_text, fits, literal, texts};

/// A request that puts a policy over one with so many characters in it.
fn asked(chars: usize) -> Request {
    let mut case = Case::new();
    case.user_policy = Some(format!(r#"{{"Sid":"{}"}}"#, "x".repeat(chars)));
    case.ask("U1", &["revoke-user"]).unwrap();
    case.incident.requests[&request(1)].clone()
}

fn size(of: &Request) -> usize {
    texts(&of.plan, &of.plan.work.calls).iter().map(|text| text.chars().count()).sum()
}

#[test]
fn what_is_asked_for_together_has_more_room_on_its_card_than_what_stands_alone() {
    let half = (100..5_000).step_by(50).map(asked).find(|half| 2 * size(half) > 5_000).unwrap();
    assert!(2 * size(&half) < 5_500, "{}", size(&half));
    assert!(fits(&[&half, &half]));
    let alone = (100..6_000).step_by(50).map(asked).find(|alone| size(alone) > 5_000).unwrap();
    assert!(size(&alone) < 5_500 && !fits(&[&alone]), "{}", size(&alone));
}

#[test]
fn each_call_stands_on_lines_of_its_own_and_a_document_on_one() {
    let calls = [
        ApiCall::PutUserPolicy {
            user_name: "ci".into(),
            policy_name: "p".into(),
            policy_document: "{\n  \"Version\": \"2012-10-17\"\n}".into(),
        },
        ApiCall::DeleteRolePolicy { role_name: "app".into(), policy_name: "a\nb".into() },
    ];
    let lines = [
        "iam:PutUserPolicy",
        "  UserName = ci",
        "  PolicyName = p",
        r#"  PolicyDocument = {"Version":"2012-10-17"}"#,
        "iam:DeleteRolePolicy",
        "  RoleName = app",
        "  PolicyName = a",
        "  b",
    ];
    assert_eq!(literal(&calls), lines.join("\n"));
}

#[test]
fn what_a_cut_off_means_is_said_where_there_is_one_to_come() {
    let mut plan = asked(10).plan;
    plan.work.cut_off_not_before = None;
    let calls = plan.work.calls.clone();
    let said = format!("{}\n{CUT_OFF} = the moment of the call + {CUT_OFF_LEAD_S} s", literal(&calls));
    assert_eq!(calls_text(&calls, &plan), said);
    let sent = plan.work.calls_at(start());
    assert_eq!(calls_text(&sent, &plan), literal(&sent), "it is in the calls as they were sent");
    plan.work.cut_off_not_before = Some(start());
    let said = format!("{said}, not before 2026-01-01 00:00:00 UTC, which is in force already");
    assert_eq!(calls_text(&calls, &plan), said);
}

#[test]
fn what_changes_is_told_from_the_document_that_the_same_call_puts_back() {
    let put = |principal: &str| ApiCall::UpdateAssumeRolePolicy {
        role_name: "app".into(),
        policy_document: format!(
            r#"{{"Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{principal}"}}}}]}}"#
        ),
    };
    let delete = || ApiCall::DeleteRolePolicy { role_name: "app".into(), policy_name: "p".into() };
    let mut plan = asked(10).plan;
    plan.work.calls = vec![put("new")];
    plan.work.inverse = Inverse::Calls(vec![delete(), put("old")]);
    let text = changes_text(&plan).unwrap();
    assert!(text.starts_with("What changes (- goes, + comes):\n"), "{text}");
    let has = |mark: &str, name: &str| text.lines().any(|line| line.starts_with(mark) && line.contains(name));
    assert!(has("- ", "old") && has("+ ", "new") && !has("- ", "new") && !has("+ ", "old"), "{text}");
    for inverse in [
        Inverse::Calls(vec![put("new")]),
        Inverse::Calls(vec![delete()]),
        Inverse::Calls(vec![]),
        Inverse::None("nobody can".into()),
    ] {
        plan.work.inverse = inverse;
        assert_eq!(changes_text(&plan), None);
    }
}
