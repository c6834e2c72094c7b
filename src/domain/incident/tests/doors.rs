//! What stands open, and is closed as containment.

use super::case::{Case, role};
use super::eradication::{ADMIN, accept, changed, contain, hunted, made, of};
use crate::domain::hunt::Trace;
use crate::domain::incident::doors::opened_doors;
use crate::domain::incident::eradication::left;
use crate::domain::incident::remains::by_hand;
use crate::domain::incident::steps::{Missing, contained, missing, steps};
use crate::domain::incident::together::open_steps;
use crate::domain::refusal::Refusal;
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::State;

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
    accept(&mut case);
    assert_eq!(left(&case.incident, &case.playbook).len(), 1);
}

#[test]
fn what_records_is_switched_on_again_as_containment() {
    let mut case = Case::new();
    contain(&mut case);
    let trail = |deeds: &[(&str, &str, bool)]| of("CloudTrail::Trail", changed("-", "all", deeds));
    let detector = |deeds: &[(&str, &str, bool)]| of("GuardDuty::Detector", changed("-", "d", deeds));
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
fn what_is_left_out_of_many_deeds_is_for_people_and_no_door_is_closed_by_guessing() {
    let with_more = |trace: Trace| Trace { deeds: [vec![Deed::left_out("e-9")], trace.deeds].concat(), ..trace };
    let mut case = Case::new();
    hunted(
        &mut case,
        vec![
            with_more(changed("User", "ci", &[("AttachUserPolicy", ADMIN, true)])),
            with_more(changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)])),
        ],
    );
    assert_eq!(by_hand(&case.incident).len(), 2);
    let door =
        missing(&case.incident, &case.playbook).into_iter().find(|(step, _)| step.id.as_str() == "restore-trust.web");
    assert_eq!(door.unwrap().1, Missing::ByHand);
}

#[test]
fn a_door_that_is_opened_again_is_missing_again_before_the_watch_comes_by() {
    let mut case = Case::new();
    let (theirs, ours) = (("UpdateAssumeRolePolicy", "", true), ("UpdateAssumeRolePolicy", "", false));
    let open = |case: &Case| {
        let lacking = missing(&case.incident, &case.playbook);
        lacking.iter().any(|(step, why)| step.id.as_str() == "restore-trust.web" && *why == Missing::NotInForce)
    };
    hunted(&mut case, vec![changed("Role", "web", &[theirs])]);
    assert!(open(&case));
    case.ask("U1", &["restore-trust"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(!case.door_open && !open(&case));
    hunted(&mut case, vec![changed("Role", "web", &[theirs, ours])]);
    assert!(!open(&case));
    assert!(matches!(case.ask("U1", &["restore-trust"]), Err(Refusal::AlreadyDone(_))));
    case.door_open = true;
    hunted(&mut case, vec![changed("Role", "web", &[theirs, ours, theirs])]);
    assert!(open(&case));
    case.ask("U1", &["restore-trust"]).unwrap();
}

#[test]
fn a_door_is_a_role_of_the_victims_that_is_there_and_knows_whom_the_attacker_has_made() {
    let update = ("UpdateAssumeRolePolicy", "", true);
    let mut case = Case::new();
    let theirs = Trace { made_by_attacker: true, ..changed("Role", "theirs", &[update]) };
    let gone = Trace { state: State::Deleted, ..changed("Role", "gone", &[update]) };
    let web = changed("Role", "web", &[update, update]);
    let others = [made("User", "mallory"), made("Group", "cabal"), changed("User", "ci", &[])];
    hunted(&mut case, [vec![theirs, gone, web], others.to_vec()].concat());
    let doors = opened_doors(&case.incident);
    let [door] = &doors[..] else { panic!("{doors:?}") };
    assert_eq!((door.role_name.as_str(), door.event_id.as_str()), ("web", "e1"));
    assert_eq!(door.earlier_event_ids, ["e0".to_owned()].into(), "what they have put before is not the victim's");
    let theirs = ["role/theirs", "user/mallory"].map(|of| format!("arn:aws:iam::111122223333:{of}"));
    assert_eq!(door.attackers, theirs.into());
}

#[test]
fn what_is_left_out_of_the_deeds_on_something_else_closes_no_door_to_the_bot() {
    let more = |trace: Trace| Trace { deeds: vec![Deed::left_out("e-9")], ..trace };
    let mut case = Case::new();
    let web = changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)]);
    hunted(&mut case, vec![web, more(changed("Role", "app", &[])), more(changed("User", "web", &[]))]);
    let door =
        missing(&case.incident, &case.playbook).into_iter().find(|(step, _)| step.id.as_str() == "restore-trust.web");
    assert_eq!(door.unwrap().1, Missing::NotInForce);
}
