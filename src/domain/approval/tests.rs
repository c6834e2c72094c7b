//! What a warrant asks for at the moment of the call.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::action::{DeactivateAccessKey, DeletePolicy, DenyOutsider, Inverse, RestoreTrustPolicy};
use crate::domain::id::IncidentId;
use crate::domain::observation::{Holder, Identity, KeyStatus, Observation, PolicyTree, Previous, Trust};
use crate::domain::policy::{ActionClass, List, Rules};
use crate::domain::recusal::Why;
use crate::domain::trail::entrance::Outsider;

mod lockout;

const USER: &str = "arn:aws:iam::111122223333:user/";

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn actor(policy: &Policy, id: &str) -> Actor {
    Actor { user: user(id), person: policy.person(&user(id)), standing: Standing::Member }
}

fn policy() -> Policy {
    let rules = Rules { quorum: 1, approve_within: TimeDelta::minutes(15), execute_within: TimeDelta::minutes(5) };
    let list = |ids: &[&str]| List { users: ids.iter().map(|id| user(id)).collect(), groups: [].into() };
    Policy {
        responders: list(&["U1", "U2"]),
        approvers: list(&["U2", "U3"]),
        members: BTreeMap::new(),
        aliases: [(user("U9"), user("U1"))].into(),
        belongings: BTreeMap::new(),
        protected_arns: ["arn:aws:iam::111122223333:user/break-glass".to_owned()].into(),
        bots: [].into(),
        rules: ActionClass::ALL.into_iter().map(|class| (class, rules)).collect(),
        break_glass: [].into(),
        escalation: [].into(),
        page: [].into(),
        logs: [].into(),
        version: "v1".into(),
    }
}

fn now() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn plan(policy: &Policy, name: &str) -> Result<Plan, Refusal> {
    let action = Action::DeactivateAccessKey(DeactivateAccessKey {
        user_name: name.into(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
    });
    let before = Observation::AccessKey {
        owner_id: "AIDA1".into(),
        owner_arn: format!("arn:aws:iam::111122223333:user/{name}"),
        status: Some(KeyStatus::Active),
    };
    plan_of(action, before, policy)
}

fn plan_of(action: Action, before: Observation, policy: &Policy) -> Result<Plan, Refusal> {
    let asked = Asked {
        incident: IncidentId::new(1),
        step: &"deactivate".parse().unwrap(),
        account: &"111122223333".parse().unwrap(),
        requester: &policy.person(&user("U1")),
        nonce: "n",
        now: now(),
    };
    Plan::make(action, before, &asked, policy)
}

fn approved(policy: &Policy) -> Request {
    approved_of(plan(policy, "deploy-bot").unwrap(), policy)
}

/// Asked for by U1, approved by U3.
fn approved_of(plan: Plan, policy: &Policy) -> Request {
    let digest = plan.digest();
    let id = RequestId::new(IncidentId::new(1), 1);
    Request {
        approvals: vec![Approval { user: user("U3"), person: policy.person(&user("U3")), at: now() }],
        state: RequestState::Approved { execute_by: now() + TimeDelta::minutes(5) },
        ..Request::new(id, plan, digest, user("U1"), now())
    }
}

fn issue(request: &Request, policy: &Policy, at: DateTime<Utc>) -> Result<Warrant, NoWarrant> {
    let approvers: Vec<Actor> = request.approvals.iter().map(|a| actor(policy, a.user.as_str())).collect();
    Warrant::issue(request, policy, &Recused::new(), &actor(policy, "U1"), &approvers, at)
}

fn over(outcome: Result<Warrant, NoWarrant>) -> Refusal {
    match outcome {
        Err(NoWarrant::Over(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_different_people_make_a_warrant_for_just_the_calls_that_were_shown() {
    let policy = policy();
    let request = approved(&policy);
    let warrant = issue(&request, &policy, now()).unwrap();
    assert_eq!(warrant.calls(), request.plan.work.calls);
    assert_eq!(warrant.targets(), ["arn:aws:iam::111122223333:user/deploy-bot"]);
    assert_eq!((warrant.requester().as_str(), warrant.approver().as_str()), ("U1", "U3"));
    assert_eq!((warrant.account(), warrant.region()), (&request.plan.account, request.plan.region.as_str()));
    assert_eq!(warrant.request(), request.id);
    assert_eq!(warrant.owner(), Some(("AIDA1", "arn:aws:iam::111122223333:user/deploy-bot")));
}

#[test]
fn an_approver_who_has_lost_the_right_voids_their_approval_only() {
    let policy = policy();
    let request = approved(&policy);
    let void = |approver: Actor, policy: &Policy, recused: &Recused| match Warrant::issue(
        &request,
        policy,
        recused,
        &actor(policy, "U1"),
        &[approver],
        now(),
    ) {
        Err(NoWarrant::Void { by, why }) => {
            assert_eq!(by, user("U3"));
            why
        }
        other => panic!("{other:?}"),
    };
    for standing in [Standing::Guest, Standing::Bot, Standing::External, Standing::Deactivated, Standing::Unknown] {
        let gone = Actor { standing, ..actor(&policy, "U3") };
        assert_eq!(void(gone, &policy, &Recused::new()), Refusal::NotAMember(standing));
    }
    let mut removed = policy.clone();
    removed.approvers.users.remove(&user("U3"));
    assert_eq!(void(actor(&removed, "U3"), &removed, &Recused::new()), Refusal::NotAnApprover);
    let owner = Recused::from([(policy.person(&user("U3")), Why::Owner)]);
    assert_eq!(void(actor(&policy, "U3"), &policy, &owner), Refusal::Recused(Why::Owner));
    // The same person under two accounts is found out even after the click.
    let mut merged = policy.clone();
    merged.aliases.insert(user("U3"), user("U1"));
    let approver = Actor { person: policy.person(&user("U3")), ..actor(&policy, "U3") };
    assert_eq!(
        over(Warrant::issue(&request, &merged, &Recused::new(), &actor(&merged, "U1"), &[actor(&merged, "U3")], now())),
        Refusal::Other("An approver is not one who was recorded.".into())
    );
    assert!(Warrant::issue(&request, &policy, &Recused::new(), &actor(&policy, "U1"), &[approver], now()).is_ok());
}

#[test]
fn a_requester_who_has_lost_the_right_ends_the_request() {
    let policy = policy();
    let request = approved(&policy);
    let gone = Actor { standing: Standing::Deactivated, ..actor(&policy, "U1") };
    let outcome = Warrant::issue(&request, &policy, &Recused::new(), &gone, &[actor(&policy, "U3")], now());
    assert_eq!(over(outcome), Refusal::NotAMember(Standing::Deactivated));
    let other =
        Warrant::issue(&request, &policy, &Recused::new(), &actor(&policy, "U2"), &[actor(&policy, "U3")], now());
    assert!(matches!(over(other), Refusal::Other(_)));
}

#[test]
fn the_last_moment_counts_and_the_one_after_does_not() {
    let policy = policy();
    let request = approved(&policy);
    let last = now() + TimeDelta::minutes(5);
    assert!(issue(&request, &policy, last).is_ok());
    assert!(matches!(over(issue(&request, &policy, last + TimeDelta::milliseconds(1))), Refusal::TooLateToRun { .. }));

    let mut pending = Request { state: RequestState::Pending, approvals: Vec::new(), ..approved(&policy) };
    let shown = pending.digest.short().to_owned();
    let decide = |request: &Request, at| {
        check_decide(&policy, &Recused::new(), request, &actor(&policy, "U3"), (&shown, &request.digest), at)
    };
    assert_eq!(decide(&pending, pending.plan.approve_by), Ok(()));
    assert!(matches!(
        decide(&pending, pending.plan.approve_by + TimeDelta::milliseconds(1)),
        Err(Refusal::TooLate { .. })
    ));
    pending.state = RequestState::Expired;
    assert!(matches!(decide(&pending, now()), Err(Refusal::Decided { .. })));
}

#[test]
fn a_request_that_was_changed_after_it_was_approved_gets_no_warrant() {
    let policy = policy();
    let mut request = approved(&policy);
    request.plan.account = "999999999999".parse().unwrap();
    assert!(matches!(over(issue(&request, &policy, now())), Refusal::DigestMismatch(_)));
    let mut other_rules = policy.clone();
    other_rules.version = "v2".into();
    assert!(matches!(over(issue(&approved(&policy), &other_rules, now())), Refusal::RulesChanged(_)));
    for state in [RequestState::Pending, RequestState::Withdrawn, RequestState::Expired] {
        let request = Request { state, ..approved(&policy) };
        assert!(matches!(over(issue(&request, &policy, now())), Refusal::Decided { .. }));
    }
}

#[test]
fn the_quorum_counts_people_and_a_class_without_rules_is_never_reached() {
    let mut policy = policy();
    let both = |policy: &Policy| {
        let mut request = approved(policy);
        request.approvals.push(Approval { user: user("U2"), person: policy.person(&user("U2")), at: now() });
        request
    };
    policy.rules.insert(ActionClass::Contain, Rules { quorum: 2, ..policy.rules(ActionClass::Contain) });
    assert!(matches!(over(issue(&approved(&policy), &policy, now())), Refusal::Other(_)));
    assert!(issue(&both(&policy), &policy, now()).is_ok());
    let mut twice = approved(&policy);
    twice.approvals.push(twice.approvals[0].clone());
    assert!(matches!(over(issue(&twice, &policy, now())), Refusal::Other(_)), "one person twice is one person");
    policy.rules.insert(ActionClass::Contain, Rules { quorum: 0, ..policy.rules(ActionClass::Contain) });
    let nobody = Request { approvals: Vec::new(), ..approved(&policy) };
    assert!(matches!(over(issue(&nobody, &policy, now())), Refusal::Other(_)), "a quorum of none lets nothing run");
    assert!(matches!(over(issue(&both(&policy), &policy, now())), Refusal::Other(_)), "whoever has said yes");
    policy.rules.clear();
    assert!(matches!(over(issue(&both(&policy), &policy, now())), Refusal::Other(_)));
}

#[test]
fn protected_principals_are_refused_before_anybody_is_asked() {
    assert!(matches!(plan(&policy(), "break-glass"), Err(Refusal::Protected(..))));
}

/// The role `app`, which trusts these now, and trusted those before, where the event history has it.
fn trust(now: &[&str], before: Option<&[&str]>) -> Observation {
    let document = |principals: &[&str]| {
        let principal = serde_json::json!({ "AWS": principals });
        let statement = serde_json::json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal });
        serde_json::json!({ "Statement": [statement] }).to_string()
    };
    let (id, arn, path) = ("AROA1".into(), "arn:aws:iam::111122223333:role/app".into(), "/".into());
    Observation::Trust(Trust {
        identity: Identity { id, arn, path },
        document: document(now),
        put: None,
        previous: before.map(|before| Previous { document: document(before), event_id: "e1".into() }),
    })
}

#[test]
fn whoever_is_protected_since_does_not_lose_what_others_have_approved_to_take() {
    let policy = policy();
    let (keeps, loses) = ("arn:aws:iam::111122223333:user/keeps", "arn:aws:iam::111122223333:user/loses");
    let action = Action::RestoreTrustPolicy(RestoreTrustPolicy {
        role_name: "app".into(),
        event_id: "e2".into(),
        earlier_event_ids: [].into(),
        attackers: [].into(),
    });
    let before = trust(&[keeps, loses], Some(&[keeps]));
    let request = approved_of(plan_of(action, before, &policy).unwrap(), &policy);
    assert_eq!(request.plan.targets, ["arn:aws:iam::111122223333:role/app"], "the change is not made on them");
    assert!(issue(&request, &policy, now()).is_ok());
    let since = |arn: &str| Policy { protected_arns: [arn.to_owned()].into(), ..policy.clone() };
    assert!(issue(&request, &since(keeps), now()).is_ok());
    let no = over(issue(&request, &since(loses), now()));
    assert_eq!(no, Refusal::Protected(loses.into(), "it has been protected since.".into()));
}

#[test]
fn whoever_responds_since_is_not_locked_out_with_all_of_their_account() {
    let (vendor, role) = ("arn:aws:iam::999988887777:root", "arn:aws:iam::999988887777:role/ops");
    let mut policy = Policy { belongings: [(role.to_owned(), PersonId(user("U7")))].into(), ..policy() };
    policy.responders.groups.insert("S1".parse().unwrap());
    policy.members.insert("S1".parse().unwrap(), [].into());
    let outsider = Outsider::Account { account: "999988887777".parse().unwrap() };
    let action = Action::DenyOutsider(DenyOutsider { role_name: "app".into(), outsider });
    let request = approved_of(plan_of(action, trust(&[vendor], None), &policy).unwrap(), &policy);
    assert!(issue(&request, &policy, now()).is_ok());
    policy.members.insert("S1".parse().unwrap(), [user("U7")].into());
    let no = over(issue(&request, &policy, now()));
    assert!(matches!(&no, Refusal::Protected(who, _) if who == role), "{no:?}");
}

#[test]
fn what_is_protected_is_protected_whatever_its_path() {
    let arn = |of: &str| format!("arn:aws:iam::111122223333:{of}");
    let policy = Policy { protected_arns: [arn("role/irp"), arn("user/team/break-glass")].into(), ..policy() };
    for of in ["role/irp", "role/service/bots/irp", "user/break-glass"] {
        assert!(policy.protects(&arn(of)), "{of}");
    }
    for of in ["role/irp-2", "user/irp", "group/irp", "policy/irp"] {
        assert!(!policy.protects(&arn(of)), "{of}");
    }
    assert!(!policy.protects("arn:aws:iam::999999999999:role/irp"));
}

#[test]
fn while_a_group_is_unread_everybody_who_works_through_a_role_may_be_in_it() {
    let role = "arn:aws:iam::111122223333:role/app";
    let mut policy = Policy { belongings: [(role.to_owned(), PersonId(user("U7")))].into(), ..policy() };
    assert_eq!(policy.works_through(role), None, "they are on no list");
    policy.responders.groups.insert("S1".parse().unwrap());
    assert!(policy.works_through(role).is_some());
    policy.members.insert("S1".parse().unwrap(), [].into());
    assert_eq!(policy.works_through(role), None);
    policy.members.insert("S1".parse().unwrap(), [user("U7")].into());
    assert!(policy.works_through(role).is_some());
}

#[test]
fn a_digest_changes_with_everything_that_it_binds() {
    let policy = policy();
    let base = plan(&policy, "deploy-bot").unwrap();
    let mut digests = vec![base.digest()];
    let mut change = |change: &dyn Fn(&mut Plan)| {
        let mut plan = base.clone();
        change(&mut plan);
        digests.push(plan.digest());
    };
    change(&|p| p.incident = IncidentId::new(2));
    change(&|p| p.step = "other".parse().unwrap());
    change(&|p| p.account = "999999999999".parse().unwrap());
    change(&|p| p.region = "eu-west-1".into());
    change(&|p| p.targets = vec!["arn:aws:iam::111122223333:user/other".into()]);
    change(&|p| p.work.calls.clear());
    change(&|p| p.work.inverse = Inverse::None("no way back".into()));
    change(&|p| {
        let (user_name, access_key_id) = ("deploy-bot".into(), "AKIAI44QH8DHBEXAMPLE".parse().unwrap());
        p.action = Action::DeactivateAccessKey(DeactivateAccessKey { user_name, access_key_id });
    });
    change(&|p| p.before = Observation::OwnerMissing);
    change(&|p| p.before_hash = Digest::of(&"another"));
    change(&|p| p.work.cut_off_not_before = Some(now()));
    change(&|p| p.requester = PersonId(user("U2")));
    change(&|p| p.policy_version = "v2".into());
    change(&|p| p.nonce = "m".into());
    change(&|p| p.approve_by += TimeDelta::seconds(1));
    let all = digests.len();
    digests.sort_by_key(ToString::to_string);
    digests.dedup();
    assert_eq!(digests.len(), all);
}

#[test]
fn a_digest_that_is_none_cannot_be_read() {
    let digest = plan(&policy(), "deploy-bot").unwrap().digest();
    let text = serde_json::to_string(&digest).unwrap();
    assert_eq!(text, format!("\"{digest}\""), "as it has always been stored");
    assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
    let (upper, longer, accents) = (digest.to_string().to_uppercase(), format!("{digest}0"), "é".repeat(32));
    for other in ["", "abc", &*upper, &*longer, &*accents] {
        assert!(serde_json::from_value::<Digest>(other.into()).is_err(), "{other}");
    }
}

#[test]
fn a_digest_is_that_of_all_that_stands_in_the_log() {
    let plan = plan(&policy(), "deploy-bot").unwrap();
    let written = serde_json::to_value(&plan).unwrap();
    assert_eq!(plan.digest(), Digest::of(&written));
    let bound = [
        "account",
        "action",
        "approve_by",
        "before",
        "before_hash",
        "incident",
        "nonce",
        "policy_version",
        "region",
        "requester",
        "schema",
        "step",
        "targets",
        "work",
    ];
    let names: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, bound.into());
    // Whatever another version makes of a plan, it is another digest.
    let mut other = written;
    other["schema"] = serde_json::json!(2);
    let other: Plan = serde_json::from_value(other).unwrap();
    assert_ne!(other.digest(), plan.digest());
}

#[test]
fn what_aws_gives_in_another_order_is_the_same_plan() {
    let holders = ["deploy-bot", "ci", "web"].map(|name| (Holder::User(name.into()), format!("{USER}{name}")));
    let roles = ["app", "db"].map(|name| (Holder::Role(name.into()), format!("arn:aws:iam::111122223333:role/{name}")));
    let all: Vec<_> = holders.into_iter().chain(roles).collect();
    let policy_arn = "arn:aws:iam::111122223333:policy/ops".to_owned();
    let plan = |attached_to: Vec<(Holder, String)>| {
        let identity = Identity { id: "ANPA1".into(), arn: policy_arn.clone(), path: "/".into() };
        let versions = [("v1".to_owned(), "{}".to_owned())].into();
        let (default, bounds, members) = ("v1".into(), Vec::new(), Vec::new());
        let (previous, known_at) = (None, None);
        let tree = PolicyTree { identity, default, versions, attached_to, bounds, previous, known_at, members };
        let before = Observation::Policy(tree);
        let action = Action::DeletePolicy(DeletePolicy { policy_arn: policy_arn.clone() });
        plan_of(action, before, &policy()).unwrap()
    };
    let (one, other) = (plan(all.clone()), plan(all.into_iter().rev().collect()));
    assert_eq!(one.targets.len(), 6);
    assert_eq!(one.targets[0], policy_arn, "first of all what it is about");
    assert!(one.targets[1..].is_sorted(), "{:?}", one.targets);
    assert!(one.does_the_same(&other), "{one:?} {other:?}");
    assert_eq!(one.digest(), other.digest());
}

#[test]
fn a_group_that_slack_does_not_tell_has_nobody_in_it_and_is_named_as_the_reason() {
    let mut policy = policy();
    let group: crate::domain::id::GroupId = "S1".parse().unwrap();
    assert!(!policy.has_unread_groups());
    policy.approvers.groups.insert(group.clone());
    assert_eq!(policy.groups(), [&group].into());
    assert!(policy.has_unread_groups());
    let request = Request { state: RequestState::Pending, approvals: Vec::new(), ..approved(&policy) };
    let decide = |policy: &Policy, id: &str| {
        check_decide(
            policy,
            &Recused::new(),
            &request,
            &actor(policy, id),
            (request.digest.short(), &request.digest),
            now(),
        )
    };
    assert_eq!(decide(&policy, "U7"), Err(Refusal::GroupsUnread));
    assert_eq!(check_responder(&policy, &actor(&policy, "U7")), Err(Refusal::GroupsUnread));
    policy.members.insert(group, [user("U7")].into());
    assert!(!policy.has_unread_groups());
    assert_eq!(decide(&policy, "U7"), Ok(()));
    assert_eq!(decide(&policy, "U8"), Err(Refusal::NotAnApprover));
    assert_eq!(check_responder(&policy, &actor(&policy, "U8")), Err(Refusal::NotAResponder));
}

#[test]
fn who_asks_does_not_count_among_those_who_could_approve() {
    let mut policy = policy();
    let besides = |policy: &Policy, id: &str| policy.approvers_besides(&policy.person(&user(id)));
    assert_eq!(besides(&policy, "U2"), [PersonId(user("U3"))].into());
    assert_eq!(besides(&policy, "U1"), [PersonId(user("U2")), PersonId(user("U3"))].into());
    let action = plan(&policy, "deploy-bot").unwrap().action;
    let ask = |policy: &Policy, recused: &Recused| check_request(policy, recused, &actor(policy, "U2"), &action);
    assert_eq!(ask(&policy, &Recused::new()), Ok(()));
    let owner = Recused::from([(PersonId(user("U3")), Why::Owner)]);
    let nobody = |recused| Refusal::NobodyToApprove { eligible: 0, recused, quorum: 1, ask: Vec::new() };
    assert_eq!(ask(&policy, &owner), Err(nobody(1)));
    policy.approvers.users.remove(&user("U3"));
    assert_eq!(ask(&policy, &Recused::new()), Err(nobody(0)));
    // Those who could may be in a group that Slack says nothing of: that is another no.
    policy.approvers.groups.insert("S1".parse().unwrap());
    assert_eq!(ask(&policy, &Recused::new()), Err(Refusal::GroupsUnread));
}

#[test]
fn the_recused_are_told_why() {
    assert!(Refusal::Recused(Why::Owner).to_string().contains("the credential is yours"));
    assert!(Refusal::Recused(Why::Named).to_string().contains("you are named in it"));
}
