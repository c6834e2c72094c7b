//! Which of the attacker's deeds are put back, and what is asked for again.

use chrono::TimeDelta;

use super::case::{Case, request};
use super::eradication::{ADMIN, accept, changed, contain, hunted, kinds, made, of};
use super::hunt::through;
use crate::domain::action::{Action, DeleteRole};
use crate::domain::approval::RequestState;
use crate::domain::hunt::Trace;
use crate::domain::incident::eradication::{is_done, is_removed, left as removals_left, removals};
use crate::domain::incident::owed::{Effect, owed};
use crate::domain::incident::remains::by_hand;
use crate::domain::incident::steps::{Step, steps};
use crate::domain::observation::{Observation, samples};
use crate::domain::refusal::Refusal;
use crate::domain::trail::footprint::State;

/// How many removals there are, and how much is for people.
fn left(traces: Vec<Trace>) -> (usize, usize) {
    let mut case = Case::new();
    hunted(&mut case, traces);
    (kinds(&case).len(), by_hand(&case.incident).len())
}

#[test]
fn a_provider_that_is_known_by_its_name_alone_is_for_people() {
    assert_eq!(left(vec![made("SAMLProvider", "theirs")]), (0, 1));
    assert_eq!(left(vec![made("SAMLProvider", "arn:aws:iam::111122223333:saml-provider/theirs")]), (1, 0));
}

#[test]
fn nothing_is_put_back_on_what_is_gone_or_the_attackers() {
    let attached = || changed("User", "x", &[("AttachUserPolicy", ADMIN, true)]);
    assert_eq!(left(vec![attached()]).0, 1);
    assert_eq!(left(vec![Trace { state: State::Deleted, ..attached() }]).0, 0);
    assert_eq!(left(vec![Trace { made_by_attacker: true, ..attached() }]).0, 0, "and changed by others since");
}

#[test]
fn what_others_have_taken_back_on_users_roles_and_groups_is_not_taken_back_again() {
    for (kind, put, taken_back) in [
        ("User", "AttachUserPolicy", "DetachUserPolicy"),
        ("Role", "AttachRolePolicy", "DetachRolePolicy"),
        ("Group", "AttachGroupPolicy", "DetachGroupPolicy"),
        ("User", "PutUserPolicy", "DeleteUserPolicy"),
        ("Role", "PutRolePolicy", "DeleteRolePolicy"),
        ("Group", "PutGroupPolicy", "DeleteGroupPolicy"),
        ("Group", "AddUserToGroup", "RemoveUserFromGroup"),
        ("ManagedPolicy", "CreatePolicyVersion", "DeletePolicyVersion"),
    ] {
        let seen = |deeds: &[(&str, &str, bool)]| left(vec![changed(kind, "x", deeds)]);
        assert_eq!(seen(&[(put, "p", true)]), (1, 0), "{put}");
        assert_eq!(seen(&[(put, "p", true), (taken_back, "p", false)]), (0, 0), "{put}");
        assert_eq!(seen(&[(put, "p", true), (taken_back, "q", false)]), (1, 0), "{put}: of another");
    }
    // The same the other way: what the attacker has taken off is for people, until somebody has put it there again.
    for (kind, taken_off, put_back) in [
        ("User", "DetachUserPolicy", "AttachUserPolicy"),
        ("Role", "DetachRolePolicy", "AttachRolePolicy"),
        ("Group", "DetachGroupPolicy", "AttachGroupPolicy"),
        ("User", "DeleteUserPolicy", "PutUserPolicy"),
        ("Role", "DeleteRolePolicy", "PutRolePolicy"),
        ("Group", "DeleteGroupPolicy", "PutGroupPolicy"),
        ("Group", "RemoveUserFromGroup", "AddUserToGroup"),
    ] {
        let seen = |deeds: &[(&str, &str, bool)]| left(vec![changed(kind, "x", deeds)]);
        assert_eq!(seen(&[(taken_off, "p", true)]), (0, 1), "{taken_off}");
        assert_eq!(seen(&[(taken_off, "p", true), (put_back, "p", false)]), (0, 0), "{taken_off}");
    }
}

#[test]
fn none_of_several_versions_of_the_attackers_is_what_there_was_before() {
    let (policy, made) = ("arn:aws:iam::111122223333:policy/ops", "CreatePolicyVersion");
    // Each of the attacker's versions knows the others: none of them is what there was before.
    let mut case = Case::new();
    hunted(&mut case, vec![changed("ManagedPolicy", policy, &[(made, "v3", true), (made, "v4", true)])]);
    let theirs = removals(&case.incident).into_iter().map(|removal| match removal.action {
        Action::RestorePolicyVersion(of) => (of.version_id, Vec::from_iter(of.also_theirs)),
        other => panic!("{other:?}"),
    });
    let mut theirs: Vec<(String, Vec<String>)> = theirs.collect();
    theirs.sort();
    assert_eq!(theirs, [("v3".into(), vec!["v4".into()]), ("v4".into(), vec!["v3".to_owned()])]);
    // Policies of other services have versions too.
    let iot = of("IoT::Policy", changed("-", "fleet", &[(made, "2", true)]));
    assert_eq!(left(vec![iot]), (0, 1));
}

#[test]
fn a_removal_that_is_done_is_not_asked_for_again_until_the_attacker_has_done_it_anew() {
    let opened = ("AuthorizeSecurityGroupIngress", "", true);
    let group = |deeds: &[(&str, &str, bool)]| vec![of("EC2::SecurityGroup", changed("-", "sg-1", deeds))];
    let mut case = Case::new();
    contain(&mut case);
    accept(&mut case);
    hunted(&mut case, group(&[opened]));
    case.ask("U1", &["remove.securitygroup"]).unwrap();
    let number = u32::try_from(case.incident.requests.len()).unwrap();
    case.approve("U2", number).unwrap();
    case.run();
    case.door_open = true;
    assert_eq!(case.ask("U1", &["remove.securitygroup"]), Err(Refusal::AlreadyDone(request(number))));
    assert_eq!(case.ask("U1", &["deactivate"]), Err(Refusal::AlreadyDone(request(1))));
    hunted(&mut case, group(&[opened, opened]));
    case.ask("U1", &["remove.securitygroup"]).unwrap();
}

#[test]
fn only_what_is_about_the_same_and_takes_it_back_settles_a_deed() {
    let boundary = "PutUserPermissionsBoundary";
    let user = |deeds: &[(&str, &str, bool)]| left(vec![changed("User", "x", deeds)]);
    assert_eq!(user(&[("AttachUserPolicy", ADMIN, true), (boundary, ADMIN, true)]), (1, 1));
    // What the owner had, and the attacker has taken off and put on again, is left, whatever else the owner did with it.
    let again = [("DetachUserPolicy", ADMIN, true), (boundary, ADMIN, false), ("AttachUserPolicy", ADMIN, true)];
    assert_eq!(user(&again), (0, 0));
    // What they have put there and taken off again themselves.
    assert_eq!(user(&[("EnableMFADevice", "GAHT1", true), ("DeactivateMFADevice", "GAHT1", true)]), (0, 0));
    assert_eq!(user(&[("DeactivateMFADevice", "GAHT1", true)]), (0, 1));
    assert_eq!(user(&[("DeactivateMFADevice", "GAHT1", true), ("EnableMFADevice", "GAHT1", false)]), (0, 0));
    let estate = |kind: &str, id: &str, deeds: &[(&str, &str, bool)]| left(vec![of(kind, changed("-", id, deeds))]);
    let (adds, deletes) = ("CreateLaunchTemplateVersion", "DeleteLaunchTemplateVersions");
    assert_eq!(estate("EC2::LaunchTemplate", "lt-1", &[(adds, "4", true), (deletes, "4", true)]), (0, 0));
    assert_eq!(estate("Events::Rule", "r", &[("DisableRule", "", true), ("TagResource", "", false)]), (0, 1));
    assert_eq!(estate("Events::Rule", "r", &[("PutTargets", "a", false), ("RemoveTargets", "a", true)]), (0, 1));
    let grants = [("AddPermission", "open", true), ("AddPermission", "more", true), ("RemovePermission", "open", true)];
    assert_eq!(estate("Lambda::Function", "f", &grants), (1, 0));
    let takes = [("AddPermission", "open", true), ("RemovePermission", "api", true)];
    assert_eq!(estate("Lambda::Function", "f", &takes), (1, 1), "the owner's is for people");
    assert_eq!(estate("GuardDuty::Detector", "d", &[("UpdateDetector", "false", true)]), (1, 0));
}

#[test]
fn policies_of_one_name_are_taken_off_each_by_itself() {
    let own = "arn:aws:iam::111122223333:policy/AdministratorAccess";
    let attached = [("AttachUserPolicy", own, true), ("AttachUserPolicy", ADMIN, true)];
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    hunted(&mut case, vec![changed("User", "ci", &attached)]);
    let arn = |action: &Action| match action {
        Action::DetachPolicy(of) => of.policy_arn.clone(),
        other => panic!("{other:?}"),
    };
    let found = removals_left(&case.incident, &case.playbook);
    let [(first, of_own), (second, of_aws)] = &found[..] else { panic!("{found:?}") };
    assert_eq!([arn(of_own), arn(of_aws)], [own, ADMIN]);
    assert_eq!(first.id.as_str(), "remove.user.ci.detach-policy.AdministratorAccess");
    assert!(second.id.as_str().starts_with("remove.user.ci.detach-policy.AdministratorAccess."), "{}", second.id);
    // One of them is done.
    let (id, at) = (request(2), case.now);
    let mut done = case.incident.requests[&request(1)].clone();
    done.id = id;
    done.plan.step = first.id.clone();
    done.plan.action = of_own.clone();
    done.state = RequestState::Verified { at, called_at: at, sent: vec![] };
    case.incident.add(done);
    let is_done = |step: &Step, action: &Action| is_done(&case.incident, &removals(&case.incident), &step.id, action);
    assert!(is_done(first, of_own) && !is_done(second, of_aws));
    assert!(!is_done(first, of_aws), "under the same name something else was done");
    let open = removals_left(&case.incident, &case.playbook);
    assert_eq!(open.iter().map(|(_, action)| arn(action)).collect::<Vec<_>>(), [ADMIN]);
    // A step's name ends with no full stop, and a policy's can.
    let put = [("PutUserPolicy", "door.", true), ("PutUserPolicy", "door", true)];
    assert_eq!(left(vec![changed("User", "ci", &put)]).0, 2);
}

#[test]
fn what_a_rule_was_before_is_said_by_who_has_put_it_last_and_whom_it_called() {
    let rule = |deeds: &[(&str, &str, bool)]| {
        let mut case = Case::new();
        hunted(&mut case, vec![of("Events::Rule", changed("-", "r", deeds))]);
        let found = removals(&case.incident);
        let [removal] = &found[..] else { panic!("{found:?}") };
        let Action::RemoveRule(of) = removal.action.clone() else { panic!("{removal:?}") };
        (of.put, of.event_ids.len(), of.called_others)
    };
    let (put, adds) = (("PutRule", "", true), ("PutTargets", "1 2", true));
    assert_eq!(rule(&[put, adds]), (true, 1, false));
    assert_eq!(rule(&[put, adds, ("RemoveTargets", "2", true)]), (true, 1, false), "their own");
    assert_eq!(rule(&[put, adds, ("RemoveTargets", "alarm", true)]), (true, 1, true));
    assert_eq!(rule(&[put, adds, ("RemoveTargets", "alarm", false)]), (true, 1, false), "by others");
    assert_eq!(rule(&[put, adds, ("PutRule", "", false)]), (false, 0, false), "others have put it since");
}

#[test]
fn a_rule_in_the_place_of_one_that_the_attacker_has_deleted_stays_until_people_have_put_that_back() {
    let seen = |id: &str, deeds: &[(&str, &str, bool)]| {
        let mut case = Case::new();
        hunted(&mut case, vec![of("Events::Rule", changed("-", id, deeds))]);
        let put = removals(&case.incident).into_iter().map(|removal| match removal.action {
            Action::RemoveRule(of) => of.put,
            other => panic!("{other:?}"),
        });
        (put.collect::<Vec<_>>(), by_hand(&case.incident).len())
    };
    let (deletes, put, adds) = (("DeleteRule", "", true), ("PutRule", "", true), ("PutTargets", "1", true));
    assert_eq!(
        seen("r", &[put, adds]),
        (vec![true], 1),
        "their target can have been written over one of somebody else's"
    );
    assert_eq!(seen("r", &[put, deletes, put, adds]), (vec![true], 0), "it was theirs that they have deleted");
    assert_eq!(seen("r", &[deletes, put, adds]), (vec![false], 1), "it was not");
    assert_eq!(seen("r", &[deletes, ("PutRule", "", false), adds]), (vec![false], 0), "others have put it back");
    assert_eq!(seen("alarms/r", &[]), (vec![], 1), "on another bus it is for people");
    assert!(seen("alarms/r", &[put, adds]).0.is_empty(), "the bot takes nothing off the one on the default bus");
}

#[test]
fn what_starts_instances_by_itself_is_stopped_before_anything_that_runs() {
    let footprint = [
        of("EC2::Instance", made("x", "i-1")),
        of("EC2::SpotInstanceRequest", made("x", "sir-1")),
        made("User", "mallory"),
        of("EC2::LaunchTemplate", changed("-", "lt-1", &[("CreateLaunchTemplateVersion", "4", true)])),
        of("AutoScaling::AutoScalingGroup", made("x", "miners")),
    ];
    let mut case = Case::new();
    hunted(&mut case, footprint.to_vec());
    let order =
        ["stop-scaling-group", "restore-launch-template", "cancel-spot-request", "delete-user", "terminate-instance"];
    assert_eq!(kinds(&case).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(), order);
}

#[test]
fn what_the_trail_names_and_aws_does_not_know_by_that_name_is_for_people() {
    assert_eq!(left(vec![of("EC2::LaunchTemplate", made("x", "by its name"))]), (0, 1));
    let version = changed("-", "by its name", &[("CreateLaunchTemplateVersion", "4", true)]);
    assert_eq!(left(vec![of("EC2::LaunchTemplate", version)]), (0, 1));
    assert_eq!(left(vec![of("RolesAnywhere::Profile", made("x", "by its name"))]), (0, 1));
}

#[test]
fn thirty_removals_have_a_card_at_a_time_and_one_that_is_done_makes_room() {
    let mut case = Case::new();
    let ids = (10..50).map(|n| format!("i-{n}"));
    hunted(&mut case, ids.map(|id| of("EC2::Instance", made("x", &id))).collect());
    let shown = |case: &Case| {
        let all = steps(&case.incident, &case.playbook);
        all.iter().filter(|step| step.id.as_str().starts_with("remove.")).count()
    };
    assert_eq!(shown(&case), 30);
    terminate(&mut case, "i-10");
    assert_eq!(shown(&case), 31);
}

/// Ends an instance by its step, and gives the number of the request.
fn terminate(case: &mut Case, id: &str) -> u32 {
    case.estate = [Observation::Instance(samples::instance(id)), Observation::OwnerMissing];
    case.ask("U1", &[&format!("remove.instance.us-east-1.{id}")]).unwrap();
    let number = u32::try_from(case.incident.requests.len()).unwrap();
    case.approve("U2", number).unwrap();
    case.run();
    number
}

#[test]
fn a_removal_is_done_until_a_search_long_after_it_shows_the_same_again() {
    let mut case = Case::new();
    let instance = || vec![of("EC2::Instance", made("x", "i-1"))];
    hunted(&mut case, instance());
    let number = terminate(&mut case, "i-1");
    let plan = case.incident.requests[&request(number)].plan.clone();
    let done = |case: &Case| is_done(&case.incident, &removals(&case.incident), &plan.step, &plan.action);
    hunted(&mut case, instance());
    assert!(done(&case), "the trail is minutes late");
    case.minutes(20);
    hunted(&mut case, instance());
    assert!(done(&case));
    case.now += TimeDelta::milliseconds(1);
    hunted(&mut case, instance());
    assert!(!done(&case));
    hunted(&mut case, vec![of("EC2::Instance", made("x", "i-2"))]);
    assert!(done(&case), "another is another's");
    hunted(&mut case, vec![]);
    assert!(done(&case));
}

#[test]
fn what_a_later_search_shows_no_more_is_not_left_though_its_card_stays() {
    let mut case = Case::new();
    hunted(&mut case, vec![of("EC2::Instance", made("x", "i-1"))]);
    case.estate = [Observation::Instance(samples::instance("i-1")), Observation::OwnerMissing];
    case.ask("U1", &["remove.instance"]).unwrap();
    assert_eq!(removals_left(&case.incident, &case.playbook).len(), 1);
    hunted(&mut case, vec![]);
    assert!(steps(&case.incident, &case.playbook).iter().any(|step| step.id.as_str().starts_with("remove.instance")));
    assert!(removals_left(&case.incident, &case.playbook).is_empty());
}

#[test]
fn what_records_is_off_when_the_attacker_was_the_last_to_switch_it_and_has_switched_it_off() {
    let removals = |deeds: &[(&str, &str, bool)]| left(vec![of("CloudTrail::Trail", changed("-", "all", deeds))]).0;
    let (off, on) = (("StopLogging", "", true), ("StartLogging", "", true));
    assert_eq!(removals(&[off]), 1);
    assert_eq!(removals(&[on, off]), 1);
    assert_eq!(removals(&[off, on]), 0, "they have switched it on again");
    let by_hand = |kind: &str, deeds: &[(&str, &str, bool)]| left(vec![of(kind, changed("-", "all", deeds))]).1;
    assert_eq!(by_hand("CloudTrail::Trail", &[off, on]), 0, "and nothing is left of it for people");
    assert_eq!(by_hand("Events::Rule", &[("DisableRule", "", true), ("EnableRule", "", true)]), 0);
    assert_eq!(by_hand("Events::Rule", &[("DisableRule", "", true)]), 1);
    let over = [("PutRolePermissionsBoundary", "", true), ("DeleteRolePermissionsBoundary", "", true)];
    assert_eq!(by_hand("IAM::Role", &over), 1, "what the owner had there is gone");
    assert_eq!(removals(&[off, ("StopLogging", "", false)]), 0, "others have it off");
}

#[test]
fn a_role_of_theirs_that_is_removed_is_closed_unless_they_have_got_through_since() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    let id = request(1);
    case.incident.requests.get_mut(&id).unwrap().plan.action =
        Action::DeleteRole(DeleteRole { role_name: "backdoor".into() });
    let removed = |case: &Case, role: &str| is_removed(&case.incident, role);
    assert!(!removed(&case, "backdoor"), "it is only asked for");
    let at = case.now;
    case.incident.requests.get_mut(&id).unwrap().state = RequestState::Verified { at, called_at: at, sent: vec![] };
    assert!(removed(&case, "backdoor") && !removed(&case, "app"));
    for (later, expected) in [(-1, true), (0, false), (1, false)] {
        let call = through(at + TimeDelta::seconds(later), "arn:aws:sts::111122223333:assumed-role/backdoor/s");
        case.incident.breach = Some(Box::new(call));
        assert_eq!(removed(&case, "backdoor"), expected, "{later}");
    }
}

#[test]
fn a_key_pair_is_called_as_the_attacker_has_called_it() {
    for name in ["/prod", "x:parameter/prod", "a/prod"] {
        let mut case = Case::new();
        hunted(&mut case, vec![of("EC2::KeyPair", made("-", name))]);
        let found = removals(&case.incident);
        let [removal] = &found[..] else { panic!("{found:?}") };
        assert!(matches!(&removal.action, Action::DeleteKeyPair(delete) if delete.key_name == name), "{removal:?}");
    }
}

#[test]
fn what_was_opened_in_both_directions_is_closed_in_both_by_a_step_each() {
    let mut case = Case::new();
    let deeds = [("AuthorizeSecurityGroupIngress", "", true), ("AuthorizeSecurityGroupEgress", "", true)];
    hunted(&mut case, vec![of("EC2::SecurityGroup", changed("-", "sg-1", &deeds))]);
    let shown = steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string());
    let shown: Vec<String> = shown.filter(|id| id.starts_with("remove")).collect();
    assert_eq!(shown, ["remove.securitygroup.egress.us-east-1.sg-1", "remove.securitygroup.us-east-1.sg-1"]);
    assert!(by_hand(&case.incident).is_empty());
}

#[test]
fn what_feeds_a_function_of_the_owners_goes_by_itself_and_with_one_of_the_attackers() {
    let feeds = |function: &str| {
        let deed = changed("-", "-", &[("CreateEventSourceMapping", function, true)]).deeds;
        Trace { deeds: deed, ..of("Lambda::EventSourceMapping", made("-", "u-1")) }
    };
    let own = "arn:aws:lambda:us-east-1:111122223333:function:sync:live";
    for (function, removed) in [("orders", vec!["delete-event-source-mapping"]), ("sync", vec![]), (own, vec![])] {
        let mut case = Case::new();
        hunted(&mut case, vec![feeds(function), of("Lambda::Function", made("Function", "sync"))]);
        let kinds = removals(&case.incident).into_iter().map(|removal| removal.action.kind());
        let kinds: Vec<_> = kinds.filter(|kind| *kind != "delete-function").collect();
        assert_eq!(kinds, removed, "{function}");
        assert!(by_hand(&case.incident).is_empty(), "{function}");
    }
}

#[test]
fn what_contains_is_carried_out_before_what_removes_whichever_was_approved_first() {
    let mut case = Case::new();
    contain(&mut case);
    accept(&mut case);
    hunted(
        &mut case,
        vec![of("EC2::SecurityGroup", changed("-", "sg-1", &[("AuthorizeSecurityGroupIngress", "", true)]))],
    );
    let newest = |case: &Case| u32::try_from(case.incident.requests.len()).unwrap();
    case.ask("U1", &["remove.securitygroup"]).unwrap();
    let removes = newest(&case);
    case.approve("U2", removes).unwrap();
    case.minutes(1);
    case.ask("U1", &["revoke-user"]).unwrap();
    let contains = newest(&case);
    case.approve("U2", contains).unwrap();
    let executes = owed(&case.incident).into_iter().filter_map(|owed| match owed.effect {
        Effect::Execute(request) => Some(request),
        _ => None,
    });
    assert_eq!(executes.collect::<Vec<_>>(), [request(contains), request(removes)]);
}

#[test]
fn what_is_done_to_one_thing_in_several_ways_is_taken_back_by_a_step_for_each() {
    let code = [("AddPermission", "open", true), ("UpdateFunctionCode", "", true)];
    assert_eq!(left(vec![of("Lambda::Function", changed("-", "f", &code))]), (2, 0));
    // What else a policy is called is told only where two are called alike.
    let mut case = Case::new();
    let other = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let attached = [("AttachUserPolicy", ADMIN, true), ("AttachUserPolicy", other, true)];
    hunted(&mut case, vec![changed("User", "ci", &attached)]);
    let found = removals_left(&case.incident, &case.playbook);
    let steps: Vec<&str> = found.iter().map(|(step, _)| step.id.as_str()).collect();
    let [first, second] =
        ["AdministratorAccess", "ReadOnlyAccess"].map(|of| format!("remove.user.ci.detach-policy.{of}"));
    assert_eq!(steps, [first, second]);
    // What is put on something is for people where the bot knows no way to take it off, unless it was there before.
    let volume = |deeds: &[(&str, &str, bool)]| left(vec![of("EC2::Instance", changed("-", "i-1", deeds))]);
    let put = ("AttachVolume", "vol-1", true);
    assert_eq!(volume(&[put]), (0, 1));
    assert_eq!(volume(&[("AttachVolume", "vol-1", false), put]), (0, 0));
}
