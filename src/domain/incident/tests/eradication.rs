//! What is offered for removal, when and in which order.

use super::case::{Case, KEY, OTHER_KEY};
use crate::domain::action::{Action, DeactivateAccessKey};
use crate::domain::hunt::{Hunted, Reached, Trace};
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::eradication::{is_done, left, removals, waiting};
use crate::domain::incident::event::Event;
use crate::domain::incident::remains::by_hand;
use crate::domain::incident::risk::containment_shown;
use crate::domain::incident::steps::{contained, missing, steps};
use crate::domain::incident::together::open_steps;
use crate::domain::incident::verdict::{Judged, Verdict};
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::State;

pub(super) const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

pub(super) fn made(kind: &str, id: &str) -> Trace {
    Trace {
        resource_type: format!("AWS::IAM::{kind}"),
        id: id.into(),
        account: "111122223333".parse().ok(),
        region: "us-east-1".into(),
        state: State::Present,
        made_by_attacker: true,
        evidence: vec![format!("made-{id}")],
        deeds: Vec::new(),
        made: None,
        newest: None,
        deleted_by_attacker: false,
        in_doubt: None,
    }
}

pub(super) fn changed(kind: &str, id: &str, deeds: &[(&str, &str, bool)]) -> Trace {
    let deeds = deeds.iter().enumerate().map(|(n, (operation, what, by_attacker))| Deed {
        operation: (*operation).into(),
        what: (*what).into(),
        event_id: format!("e{n}"),
        by_attacker: *by_attacker,
        made_default: false,
    });
    Trace { state: State::Modified, made_by_attacker: false, deeds: deeds.collect(), ..made(kind, id) }
}

fn key_of(user: &str, key: &str) -> Trace {
    let deeds = changed("AccessKey", key, &[("CreateAccessKey", user, true)]).deeds;
    Trace { deeds, ..made("AccessKey", key) }
}

pub(super) fn hunted(case: &mut Case, footprint: Vec<Trace>) {
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { footprint, ..Hunted::default() }) }]);
}

pub(super) fn kinds(case: &Case) -> Vec<(&'static str, String)> {
    removals(&case.incident).iter().map(|r| (r.action.kind(), r.action.target().to_owned())).collect()
}

pub(super) fn contain(case: &mut Case) {
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook), "{:?}", missing(&case.incident, &case.playbook));
}

/// Two people go on without proof.
pub(super) fn accept(case: &mut Case) {
    for id in ["U1", "U2"] {
        let shown = containment_shown(&case.incident).unwrap();
        case.act(id, PersonCommand::AcceptRisk { shown, reason: "the shop opens".into() }).unwrap();
    }
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
fn removal_waits_for_the_proof_of_containment_but_what_tightens_does_not() {
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
    assert_eq!(shown(&case), std::slice::from_ref(&detach), "in force is not proven");
    assert_eq!(waiting(&case.incident, &case.playbook).len(), 1);
    let judged = |verdict| Judged { verdict, since: case.incident.watch.unwrap().since };
    let [provisional, verified] = [Verdict::Provisional, Verdict::Verified].map(|verdict| Box::new(judged(verdict)));
    case.apply(vec![Event::VerdictReached { judged: provisional }]);
    assert_eq!(shown(&case).len(), 1, "quiet is not proven");
    let mut accepted = Case { incident: case.incident.clone(), ..Case::new() };
    accept(&mut accepted);
    assert_eq!(shown(&accepted).len(), 2, "or two people go on without");
    case.apply(vec![Event::VerdictReached { judged: verified }]);
    assert_eq!(shown(&case), [detach, "remove.group.cabal".to_owned()]);
    assert_eq!(waiting(&case.incident, &case.playbook).len(), 0);
    let together = open_steps(&case.incident, &case.playbook);
    assert_eq!(together.iter().map(|(_, action)| action.kind()).collect::<Vec<_>>(), ["detach-policy", "delete-group"]);
    assert!(together.iter().all(|(step, _)| step.why.contains("Events that show")));
    // Containment that is taken away closes it again.
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost: vec![crate::domain::incident::event::Lost { request: super::case::request(1), why: "x".into() }],
        new_keys: vec![],
        unread: vec![],
        keys_unread: None,
    }]);
    assert_eq!(shown(&case).len(), 1);
}

#[test]
fn what_runs_for_them_and_what_lets_them_in_anew_goes_before_the_proof() {
    let mut case = Case::new();
    let session = Reached {
        access_key_id: Some("ASIAI44QH8DHBEXAMPLE".into()),
        principal: Some("arn:aws:sts::111122223333:assumed-role/app/s".into()),
        how: Some("AssumeRole".into()),
        event_id: Some("e".into()),
        last_worked_at: None,
    };
    let footprint = vec![
        of("EC2::Instance", made("Instance", "i-1")),
        of("EC2::KeyPair", made("KeyPair", "k")),
        made("SAMLProvider", "arn:aws:iam::111122223333:saml-provider/theirs"),
        made("Role", "app"),
        made("Role", "unused"),
    ];
    let found = Hunted { footprint, credentials: vec![session], ..Hunted::default() };
    case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
    let shown = |case: &Case| -> Vec<String> {
        let all = steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string());
        all.filter(|id| id.starts_with("remove")).collect()
    };
    assert_eq!(shown(&case), ["remove.instance.us-east-1.i-1"]);
    contain(&mut case);
    let before_the_proof = ["remove.samlprovider.theirs", "remove.instance.us-east-1.i-1", "remove.role.app"];
    assert_eq!(shown(&case), before_the_proof);
    accept(&mut case);
    assert_eq!(shown(&case).len(), 5);
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
    // Taking AWS's quarantine off is no taking back of the attacker's.
    let deeds = [("AttachUserPolicy", quarantine, false), ("DetachUserPolicy", quarantine, true)];
    hunted(&mut case, vec![changed("User", "ci", &deeds)]);
    assert_eq!(by_hand(&case.incident).len(), 1);
}

#[test]
fn what_was_the_owners_before_stays_theirs() {
    let other = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let mut case = Case::new();
    hunted(
        &mut case,
        vec![
            changed(
                "User",
                "ci",
                &[
                    // Taken off and put on again by the attacker.
                    ("DetachUserPolicy", ADMIN, true),
                    ("AttachUserPolicy", ADMIN, true),
                    // The owner has put it there in between.
                    ("AttachUserPolicy", other, true),
                    ("AttachUserPolicy", other, false),
                    ("AttachUserPolicy", other, true),
                    // The owner has put it anew after the attacker.
                    ("PutUserPolicy", "ours", true),
                    ("PutUserPolicy", "ours", false),
                    // The owner's own was deleted first.
                    ("DeleteUserPolicy", "app", true),
                    ("PutUserPolicy", "app", true),
                ],
            ),
            changed("Group", "admins", &[("RemoveUserFromGroup", "ana", true), ("AddUserToGroup", "ana", true)]),
            changed("Role", "web", &[("DetachRolePolicy", ADMIN, true), ("AttachRolePolicy", ADMIN, false)]),
        ],
    );
    let found = removals(&case.incident);
    let [removal] = &found[..] else { panic!("{found:?}") };
    let Action::DeleteInlinePolicy(inline) = &removal.action else { panic!("{removal:?}") };
    assert_eq!((inline.policy_name.as_str(), &inline.event_ids[..]), ("app", &["e7".to_owned(), "e8".to_owned()][..]));
    assert_eq!(by_hand(&case.incident), Vec::<&Trace>::new());
    // The owner had taken it off, and the attacker has put it on again.
    let again =
        [("DetachUserPolicy", ADMIN, true), ("DetachUserPolicy", ADMIN, false), ("AttachUserPolicy", ADMIN, true)];
    hunted(&mut case, vec![changed("User", "ci", &again)]);
    assert_eq!(kinds(&case), [("detach-policy", "ci".to_owned())]);
}

#[test]
fn what_the_attacker_has_made_and_given_to_others_is_taken_from_those_at_once() {
    let mut case = Case::new();
    let shared = |kind: &str, id: &str, operation: &str| {
        let deeds = changed("-", id, &[(operation, "", true)]).deeds;
        Trace { deeds, ..of(kind, made("-", id)) }
    };
    hunted(
        &mut case,
        vec![
            shared("EC2::Snapshot", "snap-1", "ModifySnapshotAttribute"),
            shared("EC2::Image", "ami-1", "ModifyImageAttribute"),
            of("EC2::Snapshot", made("-", "snap-2")),
        ],
    );
    let expected = [("unshare-image", "ami-1".to_owned()), ("unshare-snapshot", "snap-1".to_owned())];
    assert_eq!(kinds(&case), expected);
    assert_eq!(waiting(&case.incident, &case.playbook).len(), 0, "somebody else copies it meanwhile");
    let hands: Vec<&str> = by_hand(&case.incident).iter().map(|trace| trace.id.as_str()).collect();
    assert_eq!(hands, ["snap-1", "ami-1", "snap-2"], "to delete them is another step");
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
    // Configuration is for people to put back, and so is a target that was written over.
    assert_eq!(hands, ["by its name only", "tick", "nightly", "bills"]);
}

pub(super) fn of(kind: &str, trace: Trace) -> Trace {
    Trace { resource_type: format!("AWS::{kind}"), ..trace }
}

#[test]
fn no_name_is_too_long_or_too_odd_for_a_step_of_its_own() {
    let mut case = Case::new();
    let (policy, long) = ("p".repeat(128), "k".repeat(255));
    let role = changed("Role", &"r".repeat(64), &[("PutRolePolicy", &policy, true)]);
    let pair = |name: &str| of("EC2::KeyPair", made("KeyPair", name));
    let names = [long.clone(), format!("{long}2"), "a b".into(), "a/b".into(), "a-b".into()];
    hunted(&mut case, names.iter().map(|name| pair(name)).chain([role]).collect());
    contain(&mut case);
    accept(&mut case);
    let all = steps(&case.incident, &case.playbook);
    let ids: std::collections::BTreeSet<String> =
        all.iter().map(|step| step.id.to_string()).filter(|id| id.starts_with("remove.")).collect();
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(ids.contains("remove.keypair.us-east-1.a-b"), "a plain name stays what it was: {ids:?}");
    let undo = |id: &String| format!("undo.{id}").parse::<crate::domain::id::StepId>();
    assert!(ids.iter().all(|id| undo(id).is_ok()), "{ids:?}");
    assert_eq!(left(&case.incident, &case.playbook).len(), 6);
}

#[test]
fn what_else_was_done_to_it_is_left_to_people_until_somebody_has_seen_to_it() {
    let group = [("AuthorizeSecurityGroupIngress", "", true), ("ModifySecurityGroupRules", "", true)];
    let outwards = [("AuthorizeSecurityGroupEgress", "", true), ("ModifySecurityGroupRules", "", true)];
    let trail = [("StopLogging", "", true), ("PutEventSelectors", "", true)];
    let user = [("AttachUserPolicy", ADMIN, true), ("DeleteUserPermissionsBoundary", "", true)];
    for (kind, id, deeds, answer) in [
        ("EC2::SecurityGroup", "sg-1", &group, ("ModifySecurityGroupRules", "")),
        ("EC2::SecurityGroup", "sg-1", &outwards, ("ModifySecurityGroupRules", "")),
        ("CloudTrail::Trail", "main", &trail, ("PutEventSelectors", "")),
        ("IAM::User", "ci", &user, ("PutUserPermissionsBoundary", "")),
    ] {
        let seen = |deeds: &[(&str, &str, bool)]| {
            let mut case = Case::new();
            hunted(&mut case, vec![of(kind, changed("-", id, deeds))]);
            (removals(&case.incident).len(), by_hand(&case.incident).len())
        };
        assert_eq!(seen(deeds), (1, 1), "{kind}");
        assert_eq!(seen(&deeds[..1]), (1, 0), "{kind}");
        let answered = [&deeds[..], &[(answer.0, answer.1, false)]].concat();
        assert_eq!(seen(&answered).1, 0, "{kind}");
    }
}

#[test]
fn what_hangs_on_something_of_the_attackers_goes_with_just_that() {
    let url = |region: &str| Trace { region: region.into(), ..of("Lambda::Url", made("Url", "api")) };
    let credential = |user: &str| {
        let deeds = changed("-", "-", &[("CreateServiceSpecificCredential", user, true)]).deeds;
        Trace { deeds, ..made("ServiceSpecificCredential", &format!("ACCA{user}")) }
    };
    let mut case = Case::new();
    hunted(
        &mut case,
        vec![
            of("Lambda::Function", made("Function", "api")),
            url("us-east-1"),
            url("eu-west-1"),
            made("User", "mallory"),
            credential("mallory"),
            credential("ci"),
        ],
    );
    let urls: Vec<_> =
        removals(&case.incident).into_iter().filter(|r| r.action.kind() == "delete-function-url").collect();
    assert_eq!(urls.iter().map(|r| r.action.region()).collect::<Vec<_>>(), ["eu-west-1"]);
    let hands: Vec<&str> = by_hand(&case.incident).iter().map(|trace| trace.id.as_str()).collect();
    assert_eq!(hands, ["ACCAci"]);
    // Of an alias the bot takes nothing off: it would look at the function.
    let alias = |id: &str| of("Lambda::Function", changed("-", id, &[("AddPermission", "open", true)]));
    hunted(&mut case, vec![alias("orders:live"), of("Lambda::Url", made("Url", "orders:live")), alias("orders")]);
    assert_eq!(kinds(&case), [("remove-function-permission", "orders".to_owned())]);
    assert_eq!(by_hand(&case.incident).len(), 2);
    hunted(&mut case, vec![alias("api:live"), of("Lambda::Function", made("Function", "api"))]);
    assert!(by_hand(&case.incident).is_empty(), "it goes with its function");
    let user = changed("User", "api", &[("DeleteUserPermissionsBoundary", "", true)]);
    hunted(&mut case, vec![user, of("Lambda::Function", made("Function", "api"))]);
    assert_eq!(by_hand(&case.incident).len(), 1, "a name in common hides nothing");
}

#[test]
fn what_watches_is_not_forgotten_and_what_was_closed_is_not_open_because_the_trail_still_shows_it() {
    let group = |events: &[(&str, &str, bool)]| of("EC2::SecurityGroup", changed("-", "sg-1", events));
    let opened = ("AuthorizeSecurityGroupIngress", "", true);
    let trail = || of("CloudTrail::Trail", changed("-", "main", &[("StopLogging", "", true)]));
    let mut case = Case::new();
    hunted(&mut case, vec![group(&[opened]), trail()]);
    case.ask("U1", &["restore-logging", "deactivate", "revoke-user", "revoke-assumed"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
    assert!(!case.trail_off, "it is part of containment");
    assert_eq!(left(&case.incident, &case.playbook).len(), 1);
    case.ask("U1", &["remove.securitygroup"]).unwrap();
    let newest = u32::try_from(case.incident.requests.len()).unwrap();
    case.approve("U2", newest).unwrap();
    case.run();
    assert!(!case.door_open && left(&case.incident, &case.playbook).is_empty());
    // A search that comes long after shows the same calls, and then another.
    case.minutes(60);
    hunted(&mut case, vec![group(&[opened]), trail()]);
    assert!(left(&case.incident, &case.playbook).is_empty() && contained(&case.incident, &case.playbook));
    hunted(&mut case, vec![group(&[opened, opened])]);
    let again = left(&case.incident, &case.playbook);
    assert_eq!(again.len(), 1);
    assert!(!is_done(&case.incident, &removals(&case.incident), &again[0].0.id, &again[0].1));
}
