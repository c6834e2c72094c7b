//! Of a managed policy the attacker has put a version in force that was there before.

use super::case::Case;
use super::eradication::{changed, hunted, kinds, of};
use crate::domain::action::{Action, RestoreDefaultVersion};
use crate::domain::hunt::Trace;
use crate::domain::incident::eradication::{left, removals};
use crate::domain::incident::remains::by_hand;
use crate::domain::observation::{Identity, Observation, PolicyTree};
use crate::domain::trail::deed::Deed;

const ARN: &str = "arn:aws:iam::111122223333:policy/ops";
const MADE: &str = "CreatePolicyVersion";
const SET: &str = "SetDefaultPolicyVersion";

/// What is put back, and how much is for people.
fn seen(deeds: &[(&str, &str, bool)]) -> (Vec<RestoreDefaultVersion>, usize) {
    seen_of(changed("ManagedPolicy", ARN, deeds))
}

fn seen_of(trace: Trace) -> (Vec<RestoreDefaultVersion>, usize) {
    let mut case = Case::new();
    hunted(&mut case, vec![trace]);
    let put_back = removals(&case.incident).into_iter().filter_map(|removal| match removal.action {
        Action::RestoreDefaultVersion(of) => Some(of),
        _ => None,
    });
    (put_back.collect(), by_hand(&case.incident).len())
}

/// The choice that is put back, with the attacker's versions and events that are known for it.
fn choice(version_id: &str, theirs: &[&str], event_ids: &[&str]) -> RestoreDefaultVersion {
    RestoreDefaultVersion {
        policy_arn: ARN.into(),
        version_id: version_id.into(),
        theirs: theirs.iter().map(|id| (*id).to_owned()).collect(),
        event_ids: event_ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// The policy with this version in force.
fn in_force(version: &str, previous: Option<&str>) -> Observation {
    Observation::Policy(PolicyTree {
        identity: Identity { id: "ANPA1".into(), arn: ARN.into(), path: "/".into() },
        default: version.into(),
        versions: ["v1", "v3"].map(|id| (id.to_owned(), r#"{"Statement":[]}"#.to_owned())).into(),
        attached_to: Vec::new(),
        bounds: Vec::new(),
        previous: previous.map(str::to_owned),
        known_at: None,
        members: Vec::new(),
    })
}

#[test]
fn the_attackers_newest_choice_of_a_version_that_is_not_theirs_is_put_back() {
    assert_eq!(seen(&[(SET, "v1", true)]), (vec![choice("v1", &[], &["e0"])], 0));
    // The same again leaves it in force, by whomever.
    assert_eq!(seen(&[(SET, "v1", true), (SET, "v1", false)]), (vec![choice("v1", &[], &["e0", "e1"])], 0));
    assert_eq!(seen(&[(MADE, "v3", false), (SET, "v3", true)]), (vec![choice("v3", &[], &["e1"])], 0));
    assert_eq!(seen(&[(SET, "v1", true), (SET, "v2", true)]), (vec![choice("v2", &[], &["e0", "e1"])], 0));
    assert_eq!(seen(&[(SET, "v1", true), (SET, "v3", false), (SET, "v1", true)]).0, [choice("v1", &[], &["e0", "e2"])]);
    // Of which it was no event says, so it is for people.
    assert!(seen(&[(SET, "", true)]).0.is_empty());
    // Their own version goes by its own step, and is not what there was before.
    assert_eq!(seen(&[(MADE, "v3", true), (SET, "v1", true)]), (vec![choice("v1", &["v3"], &["e1"])], 0));
}

#[test]
fn a_choice_that_no_longer_counts_is_nobodys_work() {
    for deeds in [
        &[(SET, "v1", true), (SET, "v3", false)][..],
        &[(MADE, "v3", true), (SET, "v3", true)][..],
        &[(SET, "v1", true), (MADE, "v3", true), (SET, "v3", true)][..],
        &[(SET, "v1", false)][..],
    ] {
        assert_eq!(seen(deeds), (vec![], 0), "{deeds:?}");
    }
}

#[test]
fn a_version_that_is_in_force_as_soon_as_it_is_made_is_a_choice() {
    let with_new = |new: &str, by_attacker: bool, made_default: bool| {
        let mut trace = changed("ManagedPolicy", ARN, &[(SET, "v1", true), (MADE, new, by_attacker)]);
        trace.deeds[1].made_default = made_default;
        seen_of(trace)
    };
    assert_eq!(with_new("v4", false, true), (vec![], 0), "the owner has seen to it");
    assert_eq!(with_new("v4", false, false), (vec![choice("v1", &[], &["e0"])], 0));
    // The attacker's goes by its own step, and with it comes back what was before both.
    assert_eq!(with_new("v4", true, true), (vec![], 0));
}

#[test]
fn somebody_elses_choice_of_the_same_version_settles_nothing() {
    // A session that is not known as the attacker's yet, or an owner who knows of nothing.
    assert_eq!(seen(&[(SET, "v1", true), (SET, "v1", false)]), (vec![choice("v1", &[], &["e0", "e1"])], 0));
    // The bot has put it back, and that was undone.
    let undone = [(SET, "v1", true), (SET, "v3", false), (SET, "v1", false)];
    assert_eq!(seen(&undone), (vec![choice("v1", &[], &["e0", "e2"])], 0));
    let twice = [(SET, "v1", true), (SET, "v2", true), (SET, "v1", false)];
    assert_eq!(seen(&twice), (vec![choice("v1", &[], &["e0", "e1", "e2"])], 0));
    let again = [(SET, "v1", true), (SET, "v1", true), (SET, "v1", false)];
    assert_eq!(seen(&again), (vec![choice("v1", &[], &["e0", "e1", "e2"])], 0), "one step for both");
    // Put back once more, it is nobody's work.
    assert_eq!(seen(&[&undone[..], &[(SET, "v3", false)]].concat()), (vec![], 0));
}

#[test]
fn what_was_put_back_is_to_be_put_back_again_once_the_same_version_is_chosen_anew() {
    let mut case = Case::new();
    case.estate = [in_force("v1", Some("v3")), in_force("v3", None)];
    let mut open = |deeds: &[(&str, &str, bool)], ask: bool| {
        hunted(&mut case, vec![changed("ManagedPolicy", ARN, deeds)]);
        if ask {
            case.ask("U1", &["remove.managedpolicy.ops"]).unwrap();
            case.approve("U2", 1).unwrap();
            case.run();
        }
        left(&case.incident, &case.playbook).len()
    };
    let (theirs, back, again) = ((SET, "v1", true), (SET, "v3", false), (SET, "v1", false));
    assert_eq!(open(&[theirs], false), 1);
    assert_eq!(open(&[theirs], true), 0, "it is done");
    assert_eq!(open(&[theirs, back], false), 0);
    assert_eq!(open(&[theirs, back, again], false), 1);
}

#[test]
fn of_a_policy_that_is_not_of_iam_too_the_same_choice_by_somebody_else_is_no_answer() {
    for (chosen, hands) in [("2", 1), ("3", 0)] {
        let mut case = Case::new();
        let deeds = [(SET, "2", true), (SET, chosen, false)];
        hunted(&mut case, vec![of("IoT::Policy", changed("-", "fleet", &deeds))]);
        assert_eq!(by_hand(&case.incident).len(), hands, "{chosen}");
    }
}

#[test]
fn a_choice_that_says_no_version_is_for_people() {
    assert_eq!(seen(&[(SET, "", true)]), (vec![], 1));
}

#[test]
fn where_deeds_are_left_out_or_it_is_no_policy_of_iam_it_is_for_people() {
    let mut case = Case::new();
    let mut trace = changed("ManagedPolicy", ARN, &[(SET, "v1", true)]);
    trace.deeds.push(Deed::left_out("e9"));
    hunted(&mut case, vec![trace]);
    assert_eq!((kinds(&case).len(), by_hand(&case.incident).len()), (0, 1));
    hunted(&mut case, vec![of("IoT::Policy", changed("-", "fleet", &[(SET, "2", true)]))]);
    assert_eq!((kinds(&case).len(), by_hand(&case.incident).len()), (0, 1));
}

#[test]
fn it_waits_for_nothing_and_each_has_a_step_of_its_own() {
    let mut case = Case::new();
    hunted(&mut case, vec![changed("ManagedPolicy", ARN, &[(MADE, "v3", true), (SET, "v1", true)])]);
    let steps: Vec<String> =
        left(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).collect();
    // The version that they have added is evidence, and waits for the proof.
    assert_eq!(steps, ["remove.managedpolicy.ops.restore-default-version.v1"]);
    let all: Vec<&str> = removals(&case.incident).iter().map(|removal| removal.action.kind()).collect();
    assert_eq!(all, ["restore-default-version", "restore-policy-version"], "the default comes first");
}
