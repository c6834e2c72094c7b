//! A rule of `EventBridge` that the attacker has put, or put targets on: what it calls, it calls again and again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, fresh_if, listed, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Earlier, EventRule, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Takes the attacker's targets off a rule; and deletes it, where they have put it, nobody else has or had a target on it, and
/// the event history shows that there was none of this name before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RemoveRule {
    /// Where it is.
    pub region: String,
    /// Its name, on the default bus.
    pub rule_name: String,
    /// The targets that the attacker's calls have put.
    pub target_ids: BTreeSet<String>,
    /// Whether the attacker has put the rule itself. The trail does not tell a new rule from one that was put anew.
    pub put: bool,
    /// Their calls that have put it, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<String>,
    /// Whether the attacker has taken targets of others off: then it did something for those.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called_others: bool,
}

impl RemoveRule {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a EventRule> {
        match seen {
            Observation::EventRule(rule) if rule.name == self.rule_name => Some(rule),
            _ => None,
        }
    }

    /// The targets that are there: the attacker's, and those of others.
    fn targets<'a>(&self, rule: &'a EventRule) -> (Vec<&'a String>, Vec<&'a String>) {
        rule.targets.keys().partition(|id| self.target_ids.contains(*id))
    }

    /// Whether the rule itself goes: it is the attacker's, and nothing is left that it would call for anybody else.
    fn is_theirs(&self, rule: &EventRule) -> bool {
        // That nothing is on it now says nothing: a target of the attacker's can have the id of the only one of the owner's.
        self.put && was_none(rule) && !self.called_others && self.targets(rule).1.is_empty()
    }

    /// What is said of targets that the attacker's calls can have written over: AWS takes the same id again without a word.
    fn written_over(&self) -> String {
        let ids: Vec<String> = self.target_ids.iter().cloned().collect();
        format!(
            " Where rule {} of the default bus had a target of yours with one of these ids before, the attacker's call has \
             written over it: {}. Your code says whether it had; put it back by hand (aws events put-targets).",
            self.rule_name,
            listed(&ids)
        )
    }

    /// What is known of the pattern or schedule that the attacker's call was put over.
    fn known(&self, rule: &EventRule) -> String {
        match &rule.before {
            _ if !self.put => String::new(),
            Some(Earlier::Document(previous)) => format!(
                " Before the attacker's call it was put with {} (event {}): put it so again (aws events put-rule).",
                previous.document, previous.event_id
            ),
            Some(Earlier::Nothing { .. }) => String::new(),
            Some(Earlier::NotKnown) | None => {
                " The event history does not say whether there was one of this name before the attacker's call: look in your \
                 code whether it is yours."
                    .to_owned()
            }
        }
    }

    fn is_clean(&self, rule: &EventRule, goes: bool) -> bool {
        if goes { rule.definition.is_none() } else { self.targets(rule).0.is_empty() }
    }
}

/// Whether the event history shows that there was no rule of this name before the attacker's call. Of one that is older than
/// the history it shows nothing.
const fn was_none(rule: &EventRule) -> bool {
    matches!(rule.before, Some(Earlier::Nothing { .. }))
}

impl Change for RemoveRule {
    fn kind(&self) -> &'static str {
        "remove-event-rule"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.rule_name
    }

    fn title(&self) -> String {
        let what = if self.put { "Remove" } else { "Take the attacker's targets off" };
        format!("{what} EventBridge rule {} in {}", self.rule_name, self.region)
    }

    fn effect(&self) -> String {
        let rule = if self.put {
            "Then the rule goes, where the event history shows that there was none of this name before and nobody else has or \
             had a target on it. Else it stays, and its pattern or schedule, which the attacker's call has set, has to be looked \
             at by hand."
        } else {
            "The rule stays, with the targets that others have put on it."
        };
        format!("What the attacker has the rule call is not called any more. {rule}{}", self.written_over())
    }

    fn probe(&self) -> Probe {
        let (region, rule_name) = (self.region.clone(), self.rule_name.clone());
        Probe::EventRule { region, rule_name, event_ids: self.event_ids.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(rule) = self.observed(before) else { return wrong_answer() };
        let name = &self.rule_name;
        let Some(definition) = &rule.definition else {
            return Err(format!("There is no rule {name} in {} any more.", self.region));
        };
        if let Some(service) = &definition.managed_by {
            return Err(format!("{service} keeps rule {name}: change it there, not in EventBridge."));
        }
        let (theirs, others) = self.targets(rule);
        let goes = self.is_theirs(rule);
        if theirs.is_empty() && !goes {
            return Err(format!(
                "No target on rule {name} is the attacker's any more; {} are there. Look at its pattern or schedule in \
                 EventBridge.{}",
                others.len(),
                self.known(rule)
            ));
        }
        let off = |id: &&String| ApiCall::RemoveTargets { rule: name.clone(), ids: (*id).clone() };
        let itself = goes.then(|| ApiCall::DeleteRule { name: name.clone() });
        let calls = theirs.iter().map(off).chain(itself).collect();
        let mut by_hand =
            "What it was and what it called stands in the plan: aws events put-rule and put-targets make it again."
                .to_owned();
        if !was_none(rule) {
            by_hand.push_str(&self.known(rule));
            by_hand.push_str(&self.written_over());
        }
        Ok(WorkedOut::plain(calls, Inverse::None(by_hand)))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if self.is_clean(is, self.is_theirs(was)) || is.definition.is_none() {
            return Freshness::AlreadyDone;
        }
        fresh_if(was == is, "the rule or its targets")
    }

    fn holds(&self, before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else { return false };
        self.is_clean(is, self.is_theirs(was))
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Some(rule) = self.observed(now) else { return Vec::new() };
        let targets = self.targets(rule).0.into_iter().map(|id| format!("target {id}"));
        let itself = (rule.definition.is_some() && self.is_theirs(rule)).then(|| "the rule".to_owned());
        targets.chain(itself).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{Previous, RuleDefinition};

    fn rule(targets: &[&str]) -> Observation {
        let arn = |id: &&str| ((*id).to_owned(), format!("arn:aws:lambda:us-east-1:111122223333:function:{id}"));
        Observation::EventRule(EventRule {
            arn: "arn:aws:events:us-east-1:111122223333:rule/r".into(),
            name: "r".into(),
            definition: Some(RuleDefinition {
                pattern: None,
                schedule: Some("rate(5 minutes)".into()),
                role: None,
                enabled: true,
                managed_by: None,
            }),
            targets: targets.iter().map(arn).collect(),
            before: Some(Earlier::Nothing { event_id: "e-0".into() }),
        })
    }

    fn gone() -> Observation {
        let Observation::EventRule(rule) = rule(&[]) else { panic!() };
        Observation::EventRule(EventRule { definition: None, targets: BTreeMap::new(), ..rule })
    }

    fn action(put: bool) -> Action {
        let target_ids = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        Action::RemoveRule(RemoveRule {
            region: "us-east-1".into(),
            rule_name: "r".into(),
            target_ids,
            put,
            event_ids: vec!["e-1".into()],
            called_others: false,
        })
    }

    fn names(action: &Action, before: &Observation) -> Vec<&'static str> {
        let work = action.work_out(before).unwrap();
        assert!(work.calls.iter().all(|call| call.removes() && call.resource_in(&before.arns()).is_some()));
        work.calls.iter().map(ApiCall::operation).collect()
    }

    #[test]
    fn the_targets_go_before_the_rule() {
        let (action, before) = (action(true), rule(&["a", "b"]));
        assert_eq!(names(&action, &before), ["RemoveTargets", "RemoveTargets", "DeleteRule"]);
        assert_eq!(names(&action, &rule(&[])), ["DeleteRule"]);
        assert!(action.holds(&before, &[], &gone()) && !action.holds(&before, &[], &rule(&[])));
        assert_eq!(action.freshness(&before, &gone()), Freshness::AlreadyDone);
        assert!(matches!(action.freshness(&before, &rule(&["a", "b", "x"])), Freshness::Changed(_)));
        assert_eq!(action.left(&before, &rule(&["b"])), ["target b", "the rule"]);
        assert!(action.work_out(&gone()).is_err());
    }

    #[test]
    fn a_rule_that_calls_something_for_somebody_else_stays() {
        for put in [true, false] {
            let (action, before) = (action(put), rule(&["a", "x"]));
            assert_eq!(names(&action, &before), ["RemoveTargets"], "{put}");
            assert!(action.holds(&before, &[], &rule(&["x"])), "{put}");
            assert_eq!(action.freshness(&before, &rule(&["x"])), Freshness::AlreadyDone, "{put}");
            assert_eq!(action.left(&before, &rule(&["x"])), Vec::<String>::new(), "{put}");
            assert!(action.work_out(&rule(&["x"])).unwrap_err().contains("Look at its pattern"), "{put}");
        }
        assert_eq!(names(&action(false), &rule(&["a"])), ["RemoveTargets"], "the attacker has not put it");
    }

    #[test]
    fn a_rule_that_was_somebody_elses_before_is_not_deleted_and_what_is_known_of_it_is_said() {
        let document = r#"{"name":"r","scheduleExpression":"rate(1 day)"}"#.to_owned();
        let known = Earlier::Document(Previous { document, event_id: "e-0".into() });
        for (before, called_others, says) in [
            (Some(known), false, "rate(1 day)"),
            (Some(Earlier::NotKnown), true, "does not say whether there was one"),
            (None, true, "does not say whether there was one"),
        ] {
            let with = |targets: &[&str]| {
                let Observation::EventRule(of) = rule(targets) else { panic!() };
                Observation::EventRule(EventRule { before: before.clone(), ..of })
            };
            let Action::RemoveRule(of) = action(true) else { panic!() };
            let (action, seen) = (Action::RemoveRule(RemoveRule { called_others, ..of }), with(&["a", "b"]));
            assert_eq!(names(&action, &seen), ["RemoveTargets", "RemoveTargets"], "what it calls for them goes");
            assert!(action.holds(&seen, &[], &with(&[])) && action.left(&seen, &with(&[])).is_empty());
            let why = action.work_out(&with(&[])).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn a_rule_that_is_older_than_the_history_stays_though_nothing_else_is_on_it_and_what_is_lost_is_said() {
        let Observation::EventRule(of) = rule(&["a"]) else { panic!() };
        let said = |before: Option<Earlier>| {
            let seen = Observation::EventRule(EventRule { before, ..of.clone() });
            assert_eq!(
                names(&action(true), &seen),
                ["RemoveTargets"],
                "the attacker's target can have written over theirs"
            );
            let Inverse::None(why) = action(true).work_out(&seen).unwrap().inverse else { panic!() };
            why
        };
        for before in [Some(Earlier::NotKnown), None] {
            let why = said(before);
            assert!(
                why.contains("written over it: a, b") && why.contains("does not say whether there was one"),
                "{why}"
            );
        }
        assert!(action(false).effect().contains("rule r of the default bus"), "on a rule of others' too");
        let Inverse::None(new) = action(true).work_out(&rule(&["a"])).unwrap().inverse else { panic!() };
        assert!(!new.contains("written over"), "{new}");
        // They have taken off what somebody else had put there since it was deleted.
        let Action::RemoveRule(of) = action(true) else { panic!() };
        let called_others = Action::RemoveRule(RemoveRule { called_others: true, ..of });
        assert_eq!(names(&called_others, &rule(&["a"])), ["RemoveTargets"]);
    }

    #[test]
    fn what_a_service_of_aws_keeps_stays() {
        let Observation::EventRule(mut kept) = rule(&["a"]) else { panic!() };
        kept.definition.as_mut().unwrap().managed_by = Some("autoscaling.amazonaws.com".into());
        assert!(
            action(true).work_out(&Observation::EventRule(kept)).unwrap_err().contains("autoscaling.amazonaws.com")
        );
    }
}
