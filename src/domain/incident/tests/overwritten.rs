//! Rules of `EventBridge` on which the attacker has put targets, and what of the owner's is lost by it.

use super::case::{Case, request};
use super::eradication::{changed, hunted, of};
use crate::domain::action::{Action, ApiCall, RemoveRule};
use crate::domain::approval::RequestState;
use crate::domain::incident::eradication::removals;
use crate::domain::incident::remains::{by_hand, left};
use crate::domain::incident::steps::Offer;

/// How many removals these deeds on a rule lead to, and what people are told of it.
fn seen(deeds: &[(&str, &str, bool)]) -> (usize, Vec<String>) {
    let mut case = Case::new();
    hunted(&mut case, vec![of("Events::Rule", changed("-", "alarms", deeds))]);
    let told = left(&case.incident).into_iter().map(|step| match step.offer {
        Offer::Refused { instead, .. } => instead,
        Offer::Action(action) => panic!("{action:?}"),
    });
    (removals(&case.incident).len(), told.collect())
}

fn loses(deeds: &[(&str, &str, bool)], ids: &str) -> bool {
    let (_, told) = seen(deeds);
    told.iter()
        .any(|told| told.contains(&format!("it is gone: {ids}.")) && told.contains("rule alarms of the default bus"))
}

#[test]
fn a_target_that_the_attacker_can_have_written_over_is_for_people_to_put_back() {
    let put = ("PutTargets", "Target0", true);
    assert_eq!(seen(&[put]).0, 1, "theirs comes off");
    assert!(loses(&[put], "Target0"), "AWS does not say whether one was there");
    assert!(loses(&[("PutRule", "", true), put], "Target0"), "nor whether the rule is new");
    assert!(loses(&[("PutTargets", "b a", true)], "a, b"));
    assert!(loses(&[("PutTargets", "9 8 7 6 5 4 3 2 1", true)], "1, 2, 3, 4, 5, 6, 7, 8 and 1 more"));
    // Taken off it is as gone as before: the bot does so too.
    assert!(loses(&[put, ("RemoveTargets", "Target0", false)], "Target0"));
    assert!(loses(&[put, ("RemoveTargets", "Target0", true), put], "Target0"));
    // Whoever has put one there since has it back.
    assert_eq!(seen(&[put, ("PutTargets", "Target0", false)]), (0, vec![]));
    assert!(loses(&[put, ("PutTargets", "Target0", false), put], "Target0"), "and it is written over anew");
}

#[test]
fn an_id_that_was_free_was_nobodys() {
    let (off, put) = (("RemoveTargets", "a", false), ("PutTargets", "a", true));
    assert_eq!(seen(&[off, put]), (1, vec![]));
    assert_eq!(seen(&[off, put, ("RemoveTargets", "a", true)]), (0, vec![]), "nobody's loss");
    assert_eq!(seen(&[off, put, off]), (0, vec![]));
    // What else was done to the rule is for people as before.
    assert_eq!(seen(&[off, put, ("DisableRule", "", true)]).1.len(), 1);
    assert_eq!(seen(&[off, put, ("DisableRule", "", true), ("EnableRule", "", false)]).1.len(), 0);
    assert_eq!(seen(&[off, put, ("RemoveTargets", "alarm", true)]).1.len(), 1);
    // A rule that they have put and that calls nothing of theirs any more, until somebody has put it anew.
    let left = [("PutRule", "", true), off, put, off];
    assert_eq!((seen(&left).0, seen(&left).1.len()), (0, 1));
    assert_eq!(seen(&[&left[..], &[("PutRule", "", false)]].concat()), (0, vec![]));
}

#[test]
fn a_rule_that_the_bot_has_deleted_was_the_attackers_alone_and_nothing_of_it_is_left_to_people() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    let deeds = [("PutRule", "", true), ("PutTargets", "a", true)];
    hunted(&mut case, vec![of("Events::Rule", changed("-", "alarms", &deeds))]);
    let removal = removals(&case.incident).remove(0);
    let at = case.now;
    let name = || "alarms".to_owned();
    let off = ApiCall::RemoveTargets { rule: name(), ids: "a".into() };
    let all = vec![off.clone(), ApiCall::DeleteRule { name: name() }];
    for (rule, calls, done, is_left) in [
        ("alarms", all.clone(), true, false),
        ("alarms", all.clone(), false, true),
        ("alarms", vec![off], true, true),
        ("nightly", all, true, true),
    ] {
        let asked = case.incident.requests.get_mut(&request(1)).unwrap();
        let Action::RemoveRule(of) = removal.action.clone() else { panic!("{removal:?}") };
        asked.plan.action = Action::RemoveRule(RemoveRule { rule_name: rule.into(), ..of });
        asked.plan.work.calls = calls;
        asked.state =
            if done { RequestState::Verified { at, called_at: at, sent: vec![] } } else { RequestState::Pending };
        assert_eq!(by_hand(&case.incident).len(), usize::from(is_left), "{rule}, {done}");
    }
}
