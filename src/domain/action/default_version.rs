//! A managed policy of which the attacker has put another version in force: one that was there, and that is not theirs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, fresh_if, something_else};
use super::policy::{name, number};
use super::statements::compared;
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, PolicyTree, Probe};
use crate::domain::policy::ActionClass;
use crate::domain::refusal::moment;

/// Puts the version in force again that was before. No version is deleted: the one that the attacker has chosen is not theirs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoreDefaultVersion {
    /// The policy.
    pub policy_arn: String,
    /// The version that they have put in force.
    pub version_id: String,
    /// Versions that they have added: none of them is put in force.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub theirs: BTreeSet<String>,
    /// The events by which they have put versions in force, and the newest of somebody else's that chose the same again.
    pub event_ids: BTreeSet<String>,
}

impl RestoreDefaultVersion {
    fn make_default(&self, version_id: String) -> ApiCall {
        ApiCall::SetDefaultPolicyVersion { policy_arn: self.policy_arn.clone(), version_id }
    }

    /// The version to put in force. Only the event history proves which it was: that there is no other one proves nothing,
    /// because one that was in force can have been deleted since, and the call works for a version that already is in force.
    fn wanted<'a>(&self, policy: &'a PolicyTree) -> Result<&'a String, String> {
        let (chosen, others) = (&self.version_id, self.others(policy));
        if self.theirs.contains(&policy.default) {
            return Err(format!(
                "Version {} is in force by now, which is the attacker's too: the step that deletes it puts back what was before \
                 both.",
                policy.default
            ));
        }
        if policy.default != *chosen {
            return Err(format!(
                "Version {} is in force, and not {chosen}, which the attacker has chosen: somebody has put it there since. Look \
                 whether it is the right one; nothing is left to put back.",
                policy.default
            ));
        }
        if let Some(known_at) = policy.known_at {
            return Err(format!(
                "It is too early to say which version of policy {} was in force before {chosen}: until {} the event history can \
                 lack a call from before the attacker's. Ask again after that.",
                name(&self.policy_arn),
                moment(known_at)
            ));
        }
        match &policy.previous {
            Some(previous) if previous == chosen => Err(format!(
                "Version {chosen} was in force before the attacker's call too, as the event history shows it: nothing is left to \
                 put back."
            )),
            Some(previous) if others.contains(&previous) => Ok(previous),
            _ => Err(self.by_hand(policy, &others)),
        }
    }

    /// Versions that are not theirs and that they have not chosen, the oldest first.
    fn others<'a>(&self, policy: &'a PolicyTree) -> Vec<&'a String> {
        let is_other = |id: &&String| **id != self.version_id && !self.theirs.contains(*id);
        let mut others: Vec<&String> = policy.versions.keys().filter(is_other).collect();
        others.sort_by_key(|id| number(id));
        others
    }

    /// What people choose from, where nobody can prove which it was.
    fn by_hand(&self, policy: &PolicyTree, others: &[&String]) -> String {
        let (policy_name, chosen) = (name(&self.policy_arn), &self.version_id);
        if others.is_empty() {
            return format!(
                "Beside {chosen}, which the attacker has put in force, policy {policy_name} has no version that is not theirs: \
                 nothing is left to put in force. Write the policy anew by hand (aws iam create-policy-version --policy-arn {} \
                 --policy-document file://… --set-as-default).",
                self.policy_arn
            );
        }
        let document = |id: &String| policy.versions.get(id).map(String::as_str).unwrap_or_default();
        let in_force = document(chosen);
        let choice = others.iter().map(|id| format!("{id} {}", compared(in_force, document(id))));
        format!(
            "The event history does not prove which version of policy {policy_name} was in force before the attacker has put \
             {chosen} in force, and a wrong one can allow more. Choose by hand. Beside {chosen}: {}. Then: aws iam \
             set-default-policy-version --policy-arn {} --version-id …",
            choice.collect::<Vec<_>>().join("; "),
            self.policy_arn
        )
    }
}

impl Change for RestoreDefaultVersion {
    fn kind(&self) -> &'static str {
        "restore-default-version"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        name(&self.policy_arn)
    }

    fn title(&self) -> String {
        format!(
            "Put the version of policy {} back that was in force before {}",
            name(&self.policy_arn),
            self.version_id
        )
    }

    fn effect(&self) -> String {
        "The attacker has put a version in force that was there before them. The one that was in force is put in force again, as \
         the event history shows it; no version is deleted. Whoever has the policy may do from then on what that one says."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Policy {
            policy_arn: self.policy_arn.clone(),
            theirs: self.theirs.clone(),
            chosen: Some(self.version_id.clone()),
            event_ids: self.event_ids.clone(),
        }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Policy(policy) = before else { return wrong_answer() };
        let wanted = self.wanted(policy)?.clone();
        let back = self.make_default(policy.default.clone());
        Ok(WorkedOut::plain(vec![self.make_default(wanted)], Inverse::Calls(vec![back])))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::Policy(was), Observation::Policy(is)) = (before, now) else {
            return something_else();
        };
        let Ok(wanted) = self.wanted(was) else { return something_else() };
        if is.default == *wanted {
            return Freshness::AlreadyDone;
        }
        // What the history does not show just now, it has shown before; what it shows otherwise is other evidence.
        let proved = is.previous.is_none() || is.previous == was.previous;
        let same = is.default == was.default && is.versions.contains_key(wanted) && proved;
        fresh_if(same, "which version of the policy is in force, or which was before")
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let Observation::Policy(policy) = now else { return false };
        sent.contains(&self.make_default(policy.default.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::{Action, Powers};
    use crate::domain::observation::Identity;

    const ARN: &str = "arn:aws:iam::111122223333:policy/ops";

    fn document(action: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#)
    }

    fn tree(default: &str, versions: &[(&str, &str)], previous: Option<&str>) -> Observation {
        Observation::Policy(PolicyTree {
            identity: Identity { id: "ANPA1".into(), arn: ARN.into(), path: "/".into() },
            default: default.into(),
            versions: versions.iter().map(|(id, action)| ((*id).to_owned(), document(action))).collect(),
            attached_to: Vec::new(),
            bounds: Vec::new(),
            previous: previous.map(str::to_owned),
            known_at: None,
            members: Vec::new(),
        })
    }

    /// As the policy is with this version in force.
    fn seen(default: &str, previous: Option<&str>) -> Observation {
        tree(default, &[("v1", "*"), ("v2", "s3:*"), ("v3", "s3:GetObject")], previous)
    }

    fn restore(theirs: &[&str]) -> Action {
        Action::RestoreDefaultVersion(RestoreDefaultVersion {
            policy_arn: ARN.into(),
            version_id: "v1".into(),
            theirs: theirs.iter().map(|id| (*id).to_owned()).collect(),
            event_ids: ["e-1".to_owned()].into(),
        })
    }

    fn sets(version_id: &str) -> Vec<ApiCall> {
        vec![ApiCall::SetDefaultPolicyVersion { policy_arn: ARN.into(), version_id: version_id.into() }]
    }

    #[test]
    fn what_the_history_shows_is_put_in_force_nothing_is_deleted_and_undone_the_attackers_choice_counts_again() {
        let (action, before, after) = (restore(&[]), seen("v1", Some("v3")), seen("v3", None));
        let work = action.work_out(&before).unwrap();
        assert_eq!((&work.calls, &work.inverse), (&sets("v3"), &Inverse::Calls(sets("v1"))));
        assert!(action.holds(&before, &work.calls, &after) && !action.holds(&before, &work.calls, &before));
        assert!(!action.holds(&before, &work.calls, &seen("v2", None)), "another one is in force");
        let undo = action.undo(&before, &work.calls, "INC-1.1".parse().unwrap()).unwrap();
        assert_eq!((undo.class(), undo.powers()), (ActionClass::Loosen, Powers::Eradicate));
        let back = undo.work_out(&after).unwrap();
        assert_eq!(back.calls, sets("v1"));
        // By then the history can lack what was before, for as long as it is late.
        assert!(undo.holds(&after, &back.calls, &seen("v1", None)) && !undo.holds(&after, &back.calls, &after));
        assert!(undo.work_out(&seen("v2", None)).unwrap_err().contains("somebody has changed it since"));
    }

    #[test]
    fn an_approval_fits_while_the_attackers_choice_is_in_force_and_what_was_before_is_there() {
        let (action, before) = (restore(&[]), seen("v1", Some("v3")));
        let gone = |left: &[(&str, &str)]| action.freshness(&before, &tree("v1", left, Some("v3")));
        assert_eq!(action.freshness(&before, &before), Freshness::AsApproved);
        assert_eq!(action.freshness(&before, &seen("v1", None)), Freshness::AsApproved);
        assert_eq!(action.freshness(&before, &seen("v3", None)), Freshness::AlreadyDone);
        assert_eq!(gone(&[("v1", "*"), ("v3", "s3:GetObject")]), Freshness::AsApproved, "another one has gone");
        for changed in [
            action.freshness(&before, &seen("v2", None)),
            action.freshness(&before, &seen("v1", Some("v2"))),
            gone(&[("v1", "*"), ("v2", "s3:*")]),
        ] {
            assert!(matches!(changed, Freshness::Changed(_)), "{changed:?}");
        }
    }

    #[test]
    fn where_somebody_has_put_another_in_force_since_or_nothing_was_changed_there_is_nothing_to_put_back() {
        for (theirs, now, says) in [
            (&[] as &[&str], seen("v2", Some("v3")), "somebody has put it there since"),
            (&["v2"][..], seen("v2", Some("v3")), "the step that deletes it"),
            (&[] as &[&str], seen("v1", Some("v1")), "was in force before the attacker's call too"),
        ] {
            let why = restore(theirs).work_out(&now).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn while_the_history_can_lack_a_call_the_answer_says_when_to_ask_again_and_nobody_is_to_choose() {
        let mut early = seen("v1", None);
        let Observation::Policy(policy) = &mut early else { panic!() };
        policy.known_at = Some("2026-01-01T00:25:00Z".parse().unwrap());
        let why = restore(&[]).work_out(&early).unwrap_err();
        assert!(why.contains("until 2026-01-01 00:25:00 UTC") && !why.contains("--version-id"), "{why}");
        // What was observed before that was said has none of it.
        let text = serde_json::to_value(seen("v1", Some("v3"))).unwrap();
        assert!(!text.to_string().contains("known_at"), "{text}");
        assert_eq!(serde_json::from_value::<Observation>(text).unwrap(), seen("v1", Some("v3")));
    }

    #[test]
    fn what_nobody_can_prove_is_for_people_and_they_see_what_each_choice_says() {
        // Neither that there is just one other one proves that it was in force, nor a version that is gone or theirs.
        for (theirs, versions, previous, others) in [
            (&[] as &[&str], &[("v1", "*"), ("v2", "s3:*")][..], None, &["v2"][..]),
            (&[] as &[&str], &[("v1", "*"), ("v10", "a:*"), ("v2", "s3:*")][..], Some("v3"), &["v2", "v10"][..]),
            (&["v4"][..], &[("v1", "*"), ("v2", "s3:*"), ("v4", "b:*")][..], Some("v4"), &["v2"][..]),
        ] {
            let why = restore(theirs).work_out(&tree("v1", versions, previous)).unwrap_err();
            assert!(why.contains("does not prove") && why.contains("--version-id"), "{why}");
            let places: Vec<usize> = others.iter().map(|id| why.find(&format!("{id} has also ")).unwrap()).collect();
            assert!(places.is_sorted(), "{why}");
            assert!(why.contains("v2 has also “Allow s3:* on *”, and lacks “Allow * on *”"), "{why}");
            assert!(!why.contains("v4 has"), "none of theirs: {why}");
        }
        let alone = restore(&["v4"]).work_out(&tree("v1", &[("v1", "*"), ("v4", "b:*")], None)).unwrap_err();
        assert!(alone.contains("create-policy-version"), "{alone}");
    }

    #[test]
    fn it_is_read_from_the_log_as_it_was_written_and_what_is_empty_is_left_out() {
        let text = serde_json::to_value(restore(&[])).unwrap();
        assert_eq!(text["action"], "restore-default-version");
        assert!(text.get("theirs").is_none(), "{text}");
        assert_eq!(serde_json::from_value::<Action>(text).unwrap(), restore(&[]));
    }
}
