//! What starts instances by itself: in which order it goes with what it has started, and what of a launch template is put
//! back.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::eradication::{accept, changed, contain, hunted, kinds, made, of};
use crate::domain::action::Action;
use crate::domain::hunt::{Hunted, Trace};
use crate::domain::incident::eradication::{left, removals};
use crate::domain::incident::event::Event;
use crate::domain::incident::quiet::lacking;
use crate::domain::incident::remains::{by_hand, in_doubt};
use crate::domain::incident::started;
use crate::domain::incident::steps::steps;
use crate::domain::inventory::{Inventory, Thing};
use crate::domain::observation::{Fleet, Member, Observation, ScalingGroup, samples};
use crate::domain::trail::footprint::State;

/// A group with these instances.
fn group(members: &[(&str, bool)]) -> Observation {
    let member = |(id, launched): &(&str, bool)| {
        ((*id).to_owned(), Member { lifecycle: "InService".into(), launched: *launched })
    };
    Observation::ScalingGroup(ScalingGroup {
        arn: "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:0a1b:autoScalingGroupName/miners".into(),
        name: "miners".into(),
        created_at: String::new(),
        min_size: 0,
        max_size: 4,
        desired: 2,
        launches_from: Vec::new(),
        places: Vec::new(),
        behind: Vec::new(),
        suspended: ["Launch".to_owned()].into(),
        deletion_protection: None,
        warm_pool: false,
        warm_pool_leaves: false,
        warm: BTreeMap::new(),
        members: members.iter().map(member).collect(),
        tags: BTreeMap::new(),
    })
}

#[test]
fn what_a_group_has_started_is_ended_once_the_group_is_stopped_and_only_then() {
    let mut case = Case::new();
    let footprint = vec![
        of("AutoScaling::AutoScalingGroup", made("x", "miners")),
        of("AutoScaling::LaunchConfiguration", made("x", "c")),
        of("EC2::LaunchTemplate", made("x", "lt-1")),
    ];
    hunted(&mut case, footprint.clone());
    let expected =
        [("stop-scaling-group", "miners"), ("delete-launch-template", "lt-1"), ("delete-launch-configuration", "c")];
    let named = |expected: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        expected.iter().map(|(kind, target)| (*kind, (*target).to_owned())).collect()
    };
    assert_eq!(sorted(kinds(&case)), sorted(named(&expected)));
    assert_eq!(by_hand(&case.incident), Vec::<&Trace>::new());
    case.estate = [group(&[("i-1", true), ("i-2", true), ("i-3", false)]), group(&[])];
    case.ask("U1", &["remove.autoscalinggroup"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let expected = [
        ("terminate-instance", "i-1"),
        ("terminate-instance", "i-2"),
        ("delete-scaling-group", "miners"),
        ("delete-launch-template", "lt-1"),
        ("delete-launch-configuration", "c"),
    ];
    assert_eq!(sorted(kinds(&case)), sorted(named(&expected)), "what was put into it is not known to be theirs");
    assert_eq!(kinds(&case)[..2], named(&expected)[..2]);
    assert_eq!(removals(&case.incident)[0].evidence, ["made-miners"]);
    // One is ended by its step, the other has ended by itself.
    let instance = |id: &str| Observation::Instance(samples::instance(id));
    case.estate = [instance("i-1"), Observation::OwnerMissing];
    case.ask("U1", &["remove.instance.us-east-1.i-1"]).unwrap();
    case.approve("U2", 2).unwrap();
    case.run();
    assert_eq!(kinds(&case)[0], ("terminate-instance", "i-2".to_owned()));
    let found = Hunted { footprint, ended: ["i-2".to_owned()].into(), ..Hunted::default() };
    case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
    assert_eq!(kinds(&case)[0].0, "delete-scaling-group");
}

/// What a search shows of an instance that this has started.
fn starts(instance: &str, by: Trace) -> Hunted {
    let made = by.evidence[0].clone();
    Hunted {
        footprint: vec![by],
        started: [(instance.to_owned(), "us-east-1".to_owned())].into(),
        started_by: [(instance.to_owned(), made)].into(),
        ..Hunted::default()
    }
}

fn found(case: &mut Case, found: &Hunted) {
    case.apply(vec![Event::TrailHunted { found: Box::new(found.clone()) }]);
}

#[test]
fn what_something_has_started_that_is_gone_by_itself_is_ended_and_waits_for_nothing() {
    let mut case = Case::new();
    let mut hunt = starts("i-1", of("EC2::SpotInstanceRequest", made("x", "sir-1")));
    found(&mut case, &hunt);
    assert_eq!(kinds(&case), [("cancel-spot-request", "sir-1".to_owned())], "it would start another");
    // The attacker has cancelled it, and the instance runs on.
    hunt.footprint[0].state = State::Deleted;
    found(&mut case, &hunt);
    assert_eq!(kinds(&case), [("terminate-instance", "i-1".to_owned())]);
    assert_eq!(removals(&case.incident)[0].evidence, ["made-sir-1"]);
    assert_eq!(left(&case.incident, &case.playbook).len(), 1, "it keeps the last gate shut");
    let all = Hunted { footprint: Vec::new(), ..hunt.clone() };
    found(&mut case, &all);
    assert_eq!(kinds(&case).len(), 1, "what is gone is not always listed");
    case.estate = [Observation::Instance(samples::instance("i-1")), Observation::OwnerMissing];
    case.ask("U1", &["remove.instance.us-east-1.i-1"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(kinds(&case).is_empty());

    // Or it has ended by itself, or nobody says any more that it is theirs.
    let mut case = Case::new();
    found(&mut case, &Hunted { ended: ["i-1".to_owned()].into(), ..hunt.clone() });
    assert!(kinds(&case).is_empty());
    found(&mut case, &Hunted { started: BTreeMap::new(), ..hunt });
    assert!(kinds(&case).is_empty());
}

#[test]
fn what_something_has_started_that_the_owner_can_have_made_is_listed_and_not_ended() {
    let mut case = Case::new();
    let request = of("EC2::SpotInstanceRequest", made("x", "sir-1"));
    let event = request.evidence[0].clone();
    let request = Trace { state: State::Deleted, in_doubt: Some(event.clone()), ..request };
    let doubtful = Hunted { started_in_doubt: ["i-1".to_owned()].into(), ..starts("i-1", request) };
    found(&mut case, &doubtful);
    assert!(kinds(&case).is_empty(), "{:?}", kinds(&case));
    let listed = in_doubt(&case.incident).into_iter().map(|one| (one.id, one.region, one.in_doubt));
    assert_eq!(listed.collect::<Vec<_>>(), [("i-1".to_owned(), "us-east-1".to_owned(), Some(event))]);
    let lacks = lacking(&case.incident, &case.playbook);
    assert!(lacks.iter().any(|lack| lack.starts_with("1 thing(s) can be the owner's own")), "{lacks:?}");
    // What is there still is listed itself.
    let mut there = doubtful.clone();
    there.footprint[0].state = State::Present;
    found(&mut case, &there);
    let listed = in_doubt(&case.incident);
    assert!(matches!(&listed[..], [one] if one.id == "sir-1"), "{listed:?}");
    // It has ended, or somebody has said since when it is stolen.
    found(&mut case, &Hunted { ended: ["i-1".to_owned()].into(), ..doubtful.clone() });
    assert!(in_doubt(&case.incident).is_empty());
    found(&mut case, &Hunted { started_in_doubt: BTreeSet::new(), ..doubtful });
    assert_eq!(kinds(&case), [("terminate-instance", "i-1".to_owned())]);
    assert!(in_doubt(&case.incident).is_empty());
}

#[test]
fn what_a_group_has_let_go_is_ended_once_the_group_is_stopped() {
    let mut case = Case::new();
    found(&mut case, &starts("i-9", of("AutoScaling::AutoScalingGroup", made("x", "miners"))));
    assert_eq!(kinds(&case), [("stop-scaling-group", "miners".to_owned())]);
    case.estate = [group(&[("i-1", true)]), group(&[])];
    case.ask("U1", &["remove.autoscalinggroup"]).unwrap();
    assert!(started::left(&case.incident).is_empty(), "it is asked for, and still starts others");
    case.approve("U2", 1).unwrap();
    case.run();
    let ended: Vec<String> =
        kinds(&case).into_iter().filter(|(kind, _)| *kind == "terminate-instance").map(|(_, id)| id).collect();
    assert_eq!(ended, ["i-1", "i-9"]);
    // It is the same group where the trail names it by its ARN.
    let arn = "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:0a1b:autoScalingGroupName/miners";
    found(&mut case, &starts("i-9", of("AutoScaling::AutoScalingGroup", made("x", arn))));
    assert!(started::left(&case.incident).contains_key(&("us-east-1", "i-9".to_owned())));
}

#[test]
fn what_one_call_has_made_beside_what_starts_instances_starts_none() {
    let mut case = Case::new();
    let mut hunt = starts("i-1", of("EC2::EC2Fleet", made("x", "fleet-1")));
    hunt.footprint[0].state = State::Deleted;
    let evidence = hunt.footprint[0].evidence.clone();
    hunt.footprint.push(Trace { evidence, ..of("EC2::LaunchTemplate", made("x", "lt-1")) });
    found(&mut case, &hunt);
    let ended: Vec<(&str, String)> = started::left(&case.incident).into_keys().collect();
    assert_eq!(ended, [("us-east-1", "i-1".to_owned())]);
}

#[test]
fn of_the_instances_that_the_inventory_shows_those_are_theirs_that_something_of_theirs_has_surely_started() {
    let mut case = Case::new();
    let started_for_them = ["i-1", "i-2"].map(|id| (id.to_owned(), "us-east-1".to_owned())).into();
    let in_doubt = ["i-2".to_owned()].into();
    found(&mut case, &Hunted { started: started_for_them, started_in_doubt: in_doubt, ..Hunted::default() });
    let shown = ["i-1", "i-2", "i-3"].map(|id| Thing::regional("AWS::EC2::Instance", id, "us-east-1", None));
    let inventory = Inventory { unexplained: shown.to_vec(), ..Inventory::default() };
    case.apply(vec![Event::InventoryTaken { found: Some(Box::new(inventory)), began_at: None }]);
    let running: Vec<&str> = started::running(&case.incident).into_iter().map(|thing| thing.id.as_str()).collect();
    assert_eq!(running, ["i-1"]);
}

fn fleet(id: &str, kind: &str, instances: &[&str]) -> Observation {
    Observation::Fleet(Fleet {
        id: id.into(),
        arn: format!("arn:aws:ec2:us-east-1:111122223333:fleet/{id}"),
        created_at: String::new(),
        state: "active".into(),
        kind: kind.into(),
        target: 2,
        launches_from: Vec::new(),
        launches: Vec::new(),
        role: None,
        instances: instances.iter().map(|id| (*id).to_owned()).collect(),
        tags: BTreeMap::new(),
    })
}

#[test]
fn a_fleet_goes_before_what_it_keeps_up_and_an_instant_one_after_what_it_has_started() {
    let mut case = Case::new();
    let by = |event: &str, trace: Trace| Trace { evidence: vec![event.into()], ..trace };
    let instant =
        [by("e1", of("EC2::EC2Fleet", made("x", "fleet-1"))), by("e1", of("EC2::Instance", made("x", "i-9")))];
    let footprint = vec![of("EC2::EC2Fleet", made("x", "fleet-2")), of("EC2::SpotFleet", made("x", "sfr-3"))];
    hunted(&mut case, [&instant[..], &footprint].concat());
    let named = |expected: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        expected.iter().map(|(kind, target)| (*kind, (*target).to_owned())).collect()
    };
    let expected = [
        ("delete-fleet", "fleet-2"),
        ("delete-fleet", "sfr-3"),
        ("terminate-instance", "i-9"),
        ("delete-fleet", "fleet-1"),
    ];
    assert_eq!(kinds(&case), named(&expected));
    assert_eq!(by_hand(&case.incident), Vec::<&Trace>::new());
    // Nothing of it waits for containment: what runs takes its role anew by itself.
    case.estate = [fleet("fleet-2", "maintain", &["i-1", "i-2"]), Observation::OwnerMissing];
    case.ask("U1", &["remove.ec2fleet.us-east-1.fleet-2"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let left: Vec<(&str, String)> =
        kinds(&case).into_iter().filter(|(kind, _)| *kind == "terminate-instance").collect();
    let expected = ["i-1", "i-2", "i-9"].map(|id| ("terminate-instance", id));
    assert_eq!(left, named(&expected));
}

#[test]
fn a_warm_pool_goes_when_its_instances_have_ended_and_before_its_group() {
    let mut case = Case::new();
    contain(&mut case);
    accept(&mut case);
    hunted(&mut case, vec![of("AutoScaling::AutoScalingGroup", made("x", "miners"))]);
    let done = |case: &mut Case| {
        case.approve("U2", u32::try_from(case.incident.requests.len()).unwrap()).unwrap();
        case.run();
    };
    let Observation::ScalingGroup(stopped) = group(&[]) else { unreachable!() };
    let warm: BTreeMap<String, String> = [("i-7".to_owned(), "Warmed:Stopped".to_owned())].into();
    let pool = |warm: &BTreeMap<String, String>, suspended: &[&str]| {
        let suspended = suspended.iter().map(|name| (*name).to_owned()).collect();
        Observation::ScalingGroup(ScalingGroup { warm_pool: true, warm: warm.clone(), suspended, ..stopped.clone() })
    };
    let empty = BTreeMap::new();
    case.estate = [pool(&warm, &[]), pool(&warm, &["Launch"])];
    case.ask("U1", &["remove.autoscalinggroup.us-east-1.miners"]).unwrap();
    done(&mut case);
    let expected = [("terminate-instance", "i-7".to_owned()), ("delete-warm-pool", "miners".to_owned())];
    assert_eq!(kinds(&case), expected);
    case.estate = [pool(&empty, &["Launch"]), group(&[])];
    case.ask("U1", &["remove.autoscalinggroup.pool"]).unwrap();
    done(&mut case);
    assert_eq!(kinds(&case)[1], ("delete-scaling-group", "miners".to_owned()));
    let offered = steps(&case.incident, &case.playbook);
    let of_group: Vec<&str> =
        offered.iter().map(|step| step.id.as_str()).filter(|id| id.contains("autoscalinggroup.deleted")).collect();
    assert_eq!(of_group, ["remove.autoscalinggroup.deleted.us-east-1.miners"], "not the one that has stopped it");
}

fn sorted<T: Ord>(mut of: Vec<T>) -> Vec<T> {
    of.sort();
    of
}

#[test]
fn of_a_victims_template_the_added_versions_go_and_the_default_comes_back_until_somebody_has_seen_to_it() {
    let offered = |deeds: &[(&str, &str, bool)]| {
        let mut case = Case::new();
        hunted(&mut case, vec![of("EC2::LaunchTemplate", changed("-", "lt-1", deeds))]);
        let found = removals(&case.incident).into_iter().find_map(|removal| match removal.action {
            Action::RestoreLaunchTemplate(restore) => Some((Vec::from_iter(restore.versions), restore.event_ids)),
            _ => None,
        });
        (found, by_hand(&case.incident).len())
    };
    let (adds, modifies, deletes) =
        ("CreateLaunchTemplateVersion", "ModifyLaunchTemplate", "DeleteLaunchTemplateVersions");
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let both = [(adds, "4", true), (modifies, "", true), (adds, "5", false)];
    assert_eq!(offered(&both), (Some((vec![4], ids(&["e1"]))), 0));
    assert_eq!(offered(&[(adds, "4", true), (deletes, "4", false)]), (None, 0));
    let seen_to =
        [(modifies, "", true), (modifies, "", false), (adds, "6", true), (adds, "7", true), (deletes, "7", true)];
    assert_eq!(offered(&seen_to), (Some((vec![6], Vec::new())), 0), "what they have taken off themselves is no loss");
    let (_, hands) = offered(&[(adds, "6", true), (deletes, "2 3", true)]);
    assert_eq!(hands, 1, "what they have deleted of the victim's is for people");
}
