//! The organization's deny: whom it is about, where AWS would not take it, and what is found and left.

use std::collections::BTreeMap;

use super::*;
use crate::domain::observation::Identity;

/// Characters of a service control policy.
const CONTENT_CHARS_MAX: usize = 5_120;
const POLICY_ID: &str = "p-1a2b3c4d";

fn deny(principal: Holder) -> Action {
    let (incident, account) = (IncidentId::new(7), "111122223333".parse().unwrap());
    Action::DenyByScp(DenyByScp { incident, account, principal })
}

fn user() -> Action {
    deny(Holder::User("ci".into()))
}

fn role() -> Action {
    deny(Holder::Role("app".into()))
}

fn seen_of(id: &str, arn: &str) -> ServiceControl {
    ServiceControl {
        identity: Identity { id: id.into(), arn: arn.into(), path: "/".into() },
        account_arn: "arn:aws:organizations::999988887777:account/o-1/111122223333".into(),
        is_management: false,
        root_id: "r-1".into(),
        all_features: true,
        enabled: true,
        attached: [("p-FullAWSAccess".to_owned(), "FullAWSAccess".to_owned())].into(),
        policy: None,
    }
}

fn seen() -> ServiceControl {
    seen_of("AIDA1", "arn:aws:iam::111122223333:user/ci")
}

fn role_seen() -> ServiceControl {
    seen_of("AROA1", "arn:aws:iam::111122223333:role/app")
}

/// The same with the policy that was put.
fn with(content: &str, attached: bool, seen: ServiceControl) -> ServiceControl {
    let mut seen = seen;
    let arn = format!("arn:aws:organizations::999988887777:policy/o-1/service_control_policy/{POLICY_ID}");
    seen.policy = Some(ControlPolicy { id: POLICY_ID.into(), arn, content: content.into() });
    if attached {
        seen.attached.insert(POLICY_ID.into(), "irp".into());
    }
    seen
}

fn at(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}

fn sent(action: &Action, before: ServiceControl, when: &str) -> Vec<ApiCall> {
    action.work_out(&Observation::ServiceControl(before)).unwrap().calls_at(at(when))
}

#[test]
fn a_user_is_denied_by_name_and_by_id_and_nobody_else_is() {
    let calls = sent(&user(), seen(), "2026-01-01T00:00:00Z");
    let operations: Vec<&str> = calls.iter().map(ApiCall::iam_action).collect();
    assert_eq!(operations, ["organizations:CreatePolicy", "organizations:AttachPolicy"]);
    let document: Value = serde_json::from_str(calls[0].document().unwrap()).unwrap();
    let statements = document["Statement"].as_array().unwrap();
    let conditions: Vec<&Value> = statements.iter().map(|statement| &statement["Condition"]).collect();
    assert_eq!(
        conditions,
        [
            &json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/ci"}}),
            &json!({"StringEquals": {"aws:userid": "AIDA1"}}),
        ]
    );
    assert!(statements.iter().all(|s| s["Effect"] == "Deny" && s["Action"] == "*"));
    let ApiCall::CreatePolicy { name, tags, .. } = &calls[0] else { panic!("{calls:?}") };
    assert_eq!((&**name, &**tags), ("irp-INC-7-111122223333-user-ci", "Key=irp-incident,Value=INC-7"));
    let cli = calls[0].cli(user().region());
    assert!(
        cli.starts_with("aws organizations create-policy --content '{") && cli.contains("--type SERVICE_"),
        "{cli}"
    );
}

#[test]
fn a_role_is_denied_its_older_sessions_and_a_cut_off_never_moves_back() {
    let calls = sent(&role(), role_seen(), "2026-01-01T00:00:00Z");
    let document: Value = serde_json::from_str(calls[0].document().unwrap()).unwrap();
    for statement in document["Statement"].as_array().unwrap() {
        let moment = &statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"];
        assert_eq!(moment, "2026-01-01T00:00:30Z", "{statement}");
    }
    assert_eq!(document.pointer("/Statement/1/Condition/StringLike/aws:userid").unwrap(), "AROA1:*");

    let put = calls[0].document().unwrap().replace("00:00:30", "00:40:00");
    let again = sent(&role(), with(&put, true, role_seen()), "2026-01-01T00:10:00Z");
    assert!(
        matches!(&again[..], [ApiCall::UpdatePolicy { policy_id, content }]
        if policy_id == POLICY_ID && content.contains("00:40:00Z")),
        "{again:?}"
    );
    assert!(role().is_repeatable() && !user().is_repeatable());
}

#[test]
fn where_it_would_do_nothing_or_too_much_it_is_refused_in_a_sentence() {
    let full = (0..5).map(|n| (format!("p-{n}"), format!("guard-{n}"))).collect::<BTreeMap<_, _>>();
    for (seen, says) in [
        (ServiceControl { is_management: true, ..seen() }, "do not bind it"),
        (ServiceControl { all_features: false, ..seen() }, "enable-all-features"),
        (ServiceControl { enabled: false, ..seen() }, "enable-policy-type --root-id r-1"),
        (ServiceControl { attached: full, ..seen() }, "guard-4"),
        (seen_of("AIDA1", "arn:aws:iam::111122223333:user/*/ci"), "could be about others"),
        (seen_of("AIDA1", "arn:aws:iam::111122223333:user/${aws:username}/ci"), "could be about others"),
    ] {
        let why = user().work_out(&Observation::ServiceControl(seen)).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
    let mut linked = role_seen();
    linked.identity.path = "/aws-service-role/x/".into();
    assert!(role().work_out(&Observation::ServiceControl(linked)).unwrap_err().contains("service-linked"));
    let put = sent(&user(), seen(), "2026-01-01T00:00:00Z")[0].document().unwrap().to_owned();
    assert!(user().work_out(&Observation::ServiceControl(with(&put, true, seen()))).unwrap_err().contains("already"));
}

#[test]
fn the_longest_name_fits_into_a_policy() {
    let path = format!("/{}/", "p".repeat(510));
    let name = "n".repeat(64);
    let arn = format!("arn:aws-us-gov:iam::111122223333:role{path}{name}");
    let action = deny(Holder::Role(name));
    let calls = sent(&action, seen_of(&format!("AROA{}", "1".repeat(17)), &arn), "2026-01-01T00:00:00Z");
    assert!(calls[0].document().unwrap().len() < CONTENT_CHARS_MAX);
    let ApiCall::CreatePolicy { name, .. } = &calls[0] else { panic!("{calls:?}") };
    assert!(name.len() <= 128, "{name}");
}

#[test]
fn what_was_left_behind_is_taken_up_and_what_has_changed_is_seen() {
    let document = sent(&user(), seen(), "2026-01-01T00:00:00Z")[0].document().unwrap().to_owned();
    let behind = with(&document, false, seen());
    let calls = sent(&user(), behind.clone(), "2026-01-01T00:00:00Z");
    let operations: Vec<&str> = calls.iter().map(ApiCall::operation).collect();
    assert_eq!(operations, ["UpdatePolicy", "AttachPolicy"]);

    let fresh = |was: &ServiceControl, is: &ServiceControl| {
        user().freshness(&Observation::ServiceControl(was.clone()), &Observation::ServiceControl(is.clone()))
    };
    let mut more = seen();
    more.attached.insert("p-2".into(), "another".into());
    assert_eq!(fresh(&seen(), &more), Freshness::AsApproved);
    assert_eq!(fresh(&seen(), &with(&document, true, seen())), Freshness::AlreadyDone);
    more.attached = (0..5).map(|n| (format!("p-{n}"), String::new())).collect();
    let off = ServiceControl { enabled: false, ..seen() };
    let renamed = seen_of("AIDA1", "arn:aws:iam::111122223333:user/x/ci");
    for changed in [&behind, &more, &off, &renamed] {
        assert!(matches!(fresh(&seen(), changed), Freshness::Changed(_)), "{changed:?}");
    }
}

#[test]
fn a_deny_that_is_taken_off_or_weakened_is_heard_of() {
    let before = Observation::ServiceControl(role_seen());
    let sent = sent(&role(), role_seen(), "2026-01-01T00:00:00Z");
    let put = sent[0].document().unwrap();
    let looks = |seen: ServiceControl| {
        let now = Observation::ServiceControl(seen);
        (role().holds(&before, &sent, &now), role().still_holds(&before, &sent, &now))
    };
    assert_eq!(looks(with(put, true, role_seen())), (true, Ok(())));
    let later = put.replace("00:00:30", "00:09:30");
    assert_eq!(looks(with(&later, true, role_seen())), (false, Ok(())), "another cut-off is as good");
    let cases = [
        (with(put, false, role_seen()), "detached"),
        (role_seen(), "is gone"),
        (ServiceControl { enabled: false, ..with(put, true, role_seen()) }, "switched off"),
        (with(&put.replace("2026", "2025"), true, role_seen()), "earlier cut-off"),
        (with(&put.replace("AROA1", "AROA2"), true, role_seen()), "no longer says"),
        (with(r#"{"Statement":[]}"#, true, role_seen()), "earlier cut-off"),
    ];
    for (seen, says) in cases {
        let (holds, still) = looks(seen);
        assert!(!holds && still.as_ref().is_err_and(|why| why.contains(says)), "{says}: {still:?}");
    }
}

#[test]
fn an_undo_takes_off_what_was_put_and_nothing_of_anybody_elses() {
    let undoes = RequestId::new(IncidentId::new(7), 1);
    let sent = sent(&user(), seen(), "2026-01-01T00:00:00Z");
    let put = sent[0].document().unwrap();
    let undo = user().undo(&Observation::ServiceControl(seen()), &sent, undoes).unwrap();
    assert_eq!((undo.class(), undo.powers()), (ActionClass::Loosen, Powers::ContainFromOrganization));
    let there = Observation::ServiceControl(with(put, true, seen()));
    let work = undo.work_out(&there).unwrap();
    let operations: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
    assert_eq!(operations, ["DetachPolicy", "DeletePolicy"]);
    assert!(work.calls.iter().all(|call| call.removes() && !call.resources_in(&there.arns()).is_empty()));
    let gone = Observation::ServiceControl(seen());
    for off in [&gone, &Observation::ServiceControl(with(put, false, seen()))] {
        assert!(undo.holds(&there, &work.calls, off));
        assert_eq!(undo.freshness(&there, off), Freshness::AlreadyDone);
    }
    assert!(!undo.holds(&there, &work.calls, &there));
    assert_eq!(undo.left(&there, &there).len(), 1);
    assert!(undo.work_out(&gone).unwrap_err().contains("nothing is left"));
    let other = Observation::ServiceControl(with(r#"{"Statement":[]}"#, true, seen()));
    assert!(undo.work_out(&other).unwrap_err().contains("no longer the one"));
    assert!(undo.undo(&there, &work.calls, undoes).is_err());
}

#[test]
fn an_older_deny_that_was_replaced_is_put_back() {
    let first = sent(&role(), role_seen(), "2026-01-01T00:00:00Z");
    let older = first[0].document().unwrap();
    let before = with(older, true, role_seen());
    let second = sent(&role(), before.clone(), "2026-01-01T01:00:00Z");
    let undoes = RequestId::new(IncidentId::new(7), 2);
    let undo = role().undo(&Observation::ServiceControl(before.clone()), &second, undoes).unwrap();
    let there = Observation::ServiceControl(with(second[0].document().unwrap(), true, role_seen()));
    let work = undo.work_out(&there).unwrap();
    assert!(matches!(&work.calls[..], [ApiCall::UpdatePolicy { content, .. }] if content == older));
    assert!(undo.holds(&there, &work.calls, &Observation::ServiceControl(before)));
}
