//! What is offered for removal, when and in which order.

use super::case::{Case, KEY, OTHER_KEY, role};
use crate::domain::action::{Action, DeactivateAccessKey};
use crate::domain::hunt::{Hunted, Trace};
use crate::domain::incident::eradication::{by_hand, left, removals};
use crate::domain::incident::event::Event;
use crate::domain::incident::steps::{Missing, contained, missing, steps};
use crate::domain::incident::together::open_steps;
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::State;

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn made(kind: &str, id: &str) -> Trace {
    Trace {
        resource_type: format!("AWS::IAM::{kind}"),
        id: id.into(),
        account: "111122223333".parse().ok(),
        region: "us-east-1".into(),
        state: State::Present,
        made_by_attacker: true,
        evidence: vec![format!("made-{id}")],
        deeds: Vec::new(),
    }
}

fn changed(kind: &str, id: &str, deeds: &[(&str, &str, bool)]) -> Trace {
    let deeds = deeds.iter().enumerate().map(|(n, (operation, what, by_attacker))| Deed {
        operation: (*operation).into(),
        what: (*what).into(),
        event_id: format!("e{n}"),
        by_attacker: *by_attacker,
    });
    Trace { state: State::Modified, made_by_attacker: false, deeds: deeds.collect(), ..made(kind, id) }
}

fn key_of(user: &str, key: &str) -> Trace {
    let deeds = changed("AccessKey", key, &[("CreateAccessKey", user, true)]).deeds;
    Trace { deeds, ..made("AccessKey", key) }
}

fn hunted(case: &mut Case, footprint: Vec<Trace>) {
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { footprint, ..Hunted::default() }) }]);
}

fn kinds(case: &Case) -> Vec<(&'static str, String)> {
    removals(&case.incident).iter().map(|r| (r.action.kind(), r.action.target().to_owned())).collect()
}

fn contain(case: &mut Case) {
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
}

#[test]
fn only_what_the_attacker_made_is_deleted_and_credentials_go_first() {
    let mut case = Case::new();
    let gone = Trace { state: State::Deleted, ..made("User", "gone") };
    let elsewhere = Trace { account: "999988887777".parse().ok(), ..made("User", "far") };
    hunted(
        &mut case,
        vec![
            made("ManagedPolicy", "arn:aws:iam::111122223333:policy/loot"),
            made("Role", "backdoor"),
            made("User", "mallory"),
            key_of("mallory", "AKIAMALLORY000000001"),
            key_of("victim", "AKIAVICTIM0000000001"),
            made("Group", "cabal"),
            made("InstanceProfile", "backdoor"),
            changed("User", "ci", &[]),
            changed("Role", "app", &[("PutRolePolicy", "door", true)]),
            gone,
            elsewhere,
            Trace { resource_type: "AWS::SNS::Topic".into(), ..made("User", "miner") },
        ],
    );
    let expected = [
        ("delete-access-key", "AKIAVICTIM0000000001"),
        ("delete-inline-policy", "app"),
        ("delete-user", "mallory"),
        ("delete-role", "backdoor"),
        ("delete-group", "cabal"),
        ("delete-instance-profile", "backdoor"),
        ("delete-policy", "loot"),
    ];
    assert_eq!(kinds(&case), expected.map(|(kind, target)| (kind, target.to_owned())));
    let hands: Vec<&str> = by_hand(&case.incident).iter().map(|trace| trace.resource_type.as_str()).collect();
    assert_eq!(hands, ["AWS::IAM::User", "AWS::SNS::Topic"], "a user with a change that has no name, and a topic");
}

#[test]
fn removal_waits_for_containment_but_what_tightens_does_not() {
    let mut case = Case::new();
    hunted(&mut case, vec![made("Group", "cabal"), changed("User", "ci", &[("AttachUserPolicy", ADMIN, true)])]);
    let shown = |case: &Case| -> Vec<String> {
        let all = steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string());
        all.filter(|id| id.starts_with("remove")).collect()
    };
    let detach = "remove.user.ci.detach-policy.AdministratorAccess".to_owned();
    assert_eq!(shown(&case), std::slice::from_ref(&detach));
    // What is left of the attacker is no missing containment.
    assert_eq!(missing(&case.incident, &case.playbook).len(), 3);
    assert_eq!(open_steps(&case.incident, &case.playbook).len(), 3);
    contain(&mut case);
    assert_eq!(shown(&case), [detach, "remove.group.cabal".to_owned()]);
    let together = open_steps(&case.incident, &case.playbook);
    assert_eq!(together.iter().map(|(_, action)| action.kind()).collect::<Vec<_>>(), ["detach-policy", "delete-group"]);
    assert!(together.iter().all(|(step, _)| step.why.contains("Events that show")));
    // Containment that is taken away closes it again.
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost: vec![crate::domain::incident::event::Lost { request: super::case::request(1), why: "x".into() }],
        new_keys: vec![],
        unread: vec![],
    }]);
    assert_eq!(shown(&case).len(), 1);
}

#[test]
fn what_was_taken_back_or_takes_rights_away_is_left_alone() {
    let mut case = Case::new();
    let quarantine = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    hunted(
        &mut case,
        vec![
            changed(
                "User",
                "ci",
                &[
                    ("AttachUserPolicy", ADMIN, true),
                    ("AttachUserPolicy", quarantine, true),
                    ("PutUserPolicy", "p", true),
                    ("PutUserPolicy", "p", true),
                    ("DetachUserPolicy", ADMIN, false),
                    ("PutUserPolicy", "ours", false),
                    ("CreateLoginProfile", "", true),
                ],
            ),
            changed("ManagedPolicy", "arn:aws:iam::111122223333:policy/ops", &[("CreatePolicyVersion", "v3", true)]),
            changed("Group", "admins", &[("AddUserToGroup", "ci", true), ("AddUserToGroup", "mallory", true)]),
            made("User", "mallory"),
        ],
    );
    let expected = [
        ("remove-from-group", "ci"),
        ("restore-policy-version", "ops"),
        ("delete-inline-policy", "ci"),
        ("delete-user", "mallory"),
    ];
    assert_eq!(kinds(&case), expected.map(|(kind, target)| (kind, target.to_owned())));
    assert_eq!(by_hand(&case.incident), Vec::<&Trace>::new());
}

#[test]
fn what_runs_for_the_attacker_need_not_wait_for_containment() {
    let mut case = Case::new();
    let runs = |resource_type: &str, id: &str| Trace { resource_type: resource_type.into(), ..made("User", id) };
    hunted(
        &mut case,
        vec![runs("AWS::EC2::Instance", "i-1"), runs("AWS::Lambda::Function", "sync"), made("Group", "g")],
    );
    let shown = steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string());
    let shown: Vec<String> = shown.filter(|id| id.starts_with("remove")).collect();
    assert_eq!(shown, ["remove.function.us-east-1.sync", "remove.instance.us-east-1.i-1"]);
}

#[test]
fn what_has_a_step_of_its_own_is_not_left_to_people_too() {
    let mut case = Case::new();
    let of = |resource_type: &str, operation: &str| {
        let trace = changed("User", "x", &[(operation, "", true)]);
        Trace { resource_type: resource_type.into(), ..trace }
    };
    hunted(
        &mut case,
        vec![
            of("AWS::EC2::SecurityGroup", "AuthorizeSecurityGroupIngress"),
            of("AWS::EC2::Snapshot", "ModifySnapshotAttribute"),
            of("AWS::CloudTrail::Trail", "StopLogging"),
        ],
    );
    assert_eq!(removals(&case.incident).len(), 3);
    assert_eq!(by_hand(&case.incident), Vec::<&Trace>::new());
}

#[test]
fn a_trust_policy_that_stands_open_is_missing_containment_and_the_role_is_revoked_after_it() {
    let mut case = Case::new();
    case.reached(vec![role("app", "111122223333")]);
    contain(&mut case);
    let open = || changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)]);
    hunted(&mut case, vec![open(), made("Group", "cabal")]);
    let lacking = |case: &Case| -> Vec<String> {
        missing(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).collect()
    };
    assert_eq!(lacking(&case), ["restore-trust.web", "revoke-assumed-roles.web"]);
    assert!(missing(&case.incident, &case.playbook).iter().all(|(_, why)| *why == Missing::NotInForce));
    assert!(left(&case.incident, &case.playbook).is_empty(), "removal waits for it");
    // Whoever has put it back by hand since has closed it.
    let closed = changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true), ("UpdateAssumeRolePolicy", "", false)]);
    hunted(&mut case, vec![closed, made("Group", "cabal")]);
    assert!(contained(&case.incident, &case.playbook));
    assert_eq!(left(&case.incident, &case.playbook).len(), 1);
}

#[test]
fn what_records_is_switched_on_first_and_counts_as_containment() {
    let mut case = Case::new();
    contain(&mut case);
    let of = |resource_type: &str, id: &str, deeds: &[(&str, &str, bool)]| {
        Trace { resource_type: resource_type.into(), ..changed("User", id, deeds) }
    };
    let trail = |deeds: &[(&str, &str, bool)]| of("AWS::CloudTrail::Trail", "all", deeds);
    let detector = |deeds: &[(&str, &str, bool)]| of("AWS::GuardDuty::Detector", "d", deeds);
    let lacking = |case: &Case| -> Vec<String> {
        missing(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).collect()
    };
    let (stop, suspend) = (("StopLogging", "", true), ("UpdateDetector", "false", true));
    hunted(&mut case, vec![trail(&[stop]), detector(&[suspend]), made("Group", "cabal")]);
    let both = ["restore-logging.detector.us-east-1.d", "restore-logging.trail.us-east-1.all"];
    assert_eq!(lacking(&case), both);
    let asked = open_steps(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string());
    assert_eq!(asked.collect::<Vec<_>>(), both, "one press, and before any removal");
    assert!(left(&case.incident, &case.playbook).is_empty(), "removal waits for it");
    let shown = steps(&case.incident, &case.playbook).into_iter().filter(|step| step.id.as_str().contains("trail"));
    assert_eq!(shown.count(), 1, "it has one step, not one as a removal too");

    // Whoever has switched it on again, or turned another knob: nothing is missing.
    let on_again = [stop, ("StartLogging", "", false)];
    let resumed = [suspend, ("UpdateDetector", "true", false)];
    hunted(&mut case, vec![trail(&on_again), detector(&resumed)]);
    assert!(contained(&case.incident, &case.playbook));
    assert_eq!(by_hand(&case.incident), Vec::<&Trace>::new());
    hunted(&mut case, vec![trail(&[("PutEventSelectors", "", true)]), detector(&[("ArchiveFindings", "", true)])]);
    assert!(contained(&case.incident, &case.playbook));
    assert_eq!(by_hand(&case.incident).len(), 2, "what it records and what it has found are for people");
    let more = [stop, ("PutEventSelectors", "", true)];
    hunted(&mut case, vec![trail(&more), detector(&[suspend, ("UpdateDetector", "", true)])]);
    assert_eq!((lacking(&case).len(), by_hand(&case.incident).len()), (2, 2), "on again, and the rest by hand");
}

#[test]
fn a_victim_is_never_offered_for_deletion() {
    for state in [State::Present, State::Modified, State::Deleted] {
        let mut case = Case::new();
        let victim = Trace { state, ..changed("User", "ci", &[("UpdateLoginProfile", "", true)]) };
        hunted(&mut case, vec![victim]);
        contain(&mut case);
        assert!(kinds(&case).is_empty(), "{state:?}");
        assert!(by_hand(&case.incident).is_empty(), "a password that was changed is containment: {state:?}");
    }
    // Nor is its key, which others had made.
    let mut case = Case::new();
    let key = Trace { made_by_attacker: false, state: State::Modified, ..key_of("ci", OTHER_KEY) };
    hunted(&mut case, vec![key]);
    assert!(kinds(&case).is_empty());
    let off = Action::DeactivateAccessKey(DeactivateAccessKey {
        user_name: "ci".into(),
        access_key_id: KEY.parse().unwrap(),
    });
    assert_eq!(off.kind(), "deactivate-access-key");
}

#[test]
fn what_lets_others_in_goes_first_and_what_is_not_known_to_be_theirs_stays() {
    let of = |kind: &str, trace: Trace| Trace { resource_type: format!("AWS::{kind}"), ..trace };
    let id = "5e2b0a1c-0000-4000-8000-000000000001";
    let function = [("AddPermission", "open", true), ("AddPermission", "api", false)];
    let code = [("AddPermission", "open", true), ("UpdateFunctionCode", "", true)];
    let settings = [("UpdateFunctionConfiguration", "", true), ("UpdateFunctionCode", "", true)];
    let taken_off = [("PutTargets", "a b", true), ("RemoveTargets", "a", true), ("PutTargets", "b", false)];
    let mut case = Case::new();
    hunted(
        &mut case,
        vec![
            of("RolesAnywhere::Profile", made("Profile", id)),
            of("RolesAnywhere::TrustAnchor", made("TrustAnchor", id)),
            of("RolesAnywhere::TrustAnchor", made("TrustAnchor", "by its name only")),
            made("OIDCProvider", "arn:aws:iam::111122223333:oidc-provider/id.example.org/a"),
            of("Events::Rule", changed("Rule", "tick", &[("PutRule", "", true), ("PutTargets", "1", true)])),
            of("Events::Rule", changed("Rule", "nightly", &taken_off)),
            of("Lambda::Function", changed("Function", "orders", &function)),
            of("Lambda::Function", changed("Function", "mail", &code)),
            of("Lambda::Function", changed("Function", "bills", &settings)),
            of("Lambda::Url", made("Url", "orders")),
        ],
    );
    let expected = [
        ("remove-function-permission", "mail"),
        ("remove-function-permission", "orders"),
        ("delete-identity-provider", "id.example.org/a"),
        ("delete-trust-anchor", id),
        ("delete-function-url", "orders"),
        ("delete-roles-anywhere-profile", id),
        ("remove-event-rule", "tick"),
        ("restore-function-code", "bills"),
        ("restore-function-code", "mail"),
    ];
    assert_eq!(kinds(&case), expected.map(|(kind, target)| (kind, target.to_owned())));
    let hands: Vec<&str> = by_hand(&case.incident).iter().map(|trace| trace.id.as_str()).collect();
    assert_eq!(hands, ["by its name only", "nightly", "bills"], "configuration is for people to put back");
}
