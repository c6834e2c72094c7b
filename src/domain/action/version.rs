//! A launch template of the victim's to which the attacker has added a version, or which they have had start from another.
//! Every group and fleet that starts from its newest or its default version starts what theirs says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, counted, fresh_if, regional, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{ChangedTemplate, Observation, Probe};

/// Puts the default version back that was there before, and deletes the versions that the attacker has added.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoreLaunchTemplate {
    /// Where it is.
    pub region: String,
    /// `lt-…`
    pub launch_template_id: String,
    /// The versions that they have added.
    pub versions: BTreeSet<i64>,
    /// Their events that have changed which version is the default, the first one first.
    pub event_ids: Vec<String>,
}

impl RestoreLaunchTemplate {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a ChangedTemplate> {
        match seen {
            Observation::ChangedTemplate(found) if found.template.id == self.launch_template_id => Some(found),
            _ => None,
        }
    }

    /// The default to put back, where it has to be. An error says why none is known.
    fn default(&self, found: &ChangedTemplate) -> Result<Option<i64>, String> {
        let template = &found.template;
        let is_theirs = self.versions.contains(&template.default_version);
        if !is_theirs && self.event_ids.is_empty() {
            return Ok(None);
        }
        let others = template.versions.keys().filter(|number| !self.versions.contains(number));
        let others: Vec<i64> = others.copied().collect();
        let previous = match (&found.previous, &others[..]) {
            (Some(previous), _) => Some(previous.version),
            (None, [only]) => Some(*only),
            (None, _) => None,
        };
        match previous.filter(|number| others.contains(number)) {
            Some(number) => Ok((number != template.default_version).then_some(number)),
            None => Err(format!(
                "The trail does not show which version of {} was the default before the attacker changed it, or that one is \
                 gone; it is {} now. Choose one by hand, from {}: aws ec2 modify-launch-template --region {} \
                 --launch-template-id {} --default-version. What is left is asked for after that.",
                template.id,
                template.default_version,
                listed(&others),
                self.region,
                template.id
            )),
        }
    }

    fn make_default(&self, version: i64) -> ApiCall {
        let launch_template_id = self.launch_template_id.clone();
        ApiCall::ModifyLaunchTemplate { launch_template_id, default_version: version.to_string() }
    }

    /// Versions of theirs that are there.
    fn there<'a>(&'a self, found: &'a ChangedTemplate) -> impl Iterator<Item = &'a i64> {
        self.versions.iter().filter(|number| found.template.versions.contains_key(number))
    }

    fn is_put_back(&self, found: &ChangedTemplate) -> bool {
        self.there(found).next().is_none() && self.default(found) == Ok(None)
    }
}

fn listed(versions: &[i64]) -> String {
    if versions.is_empty() {
        return "none that is not theirs, so make one first".to_owned();
    }
    versions.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

impl Change for RestoreLaunchTemplate {
    fn probe(&self) -> Probe {
        let Self { region, launch_template_id, event_ids, .. } = self;
        Probe::ChangedTemplate {
            region: region.clone(),
            launch_template_id: launch_template_id.clone(),
            event_ids: event_ids.clone(),
        }
    }

    regional!("restore-launch-template", launch_template_id);

    fn title(&self) -> String {
        let numbers: Vec<i64> = self.versions.iter().copied().collect();
        let what = match numbers.as_slice() {
            [] => "its default version".to_owned(),
            some => format!("delete version {}", listed(some)),
        };
        format!("Put launch template {} in {} back: {what}", self.launch_template_id, self.region)
    }

    fn effect(&self) -> String {
        "What was started from the attacker's version runs on: look for it. A group or fleet that names their version by its \
         number fails to start anything from then on; one that takes the newest or the default gets the victim's again."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(found) = self.observed(before) else { return wrong_answer() };
        let default = self.default(found)?;
        let mut calls: Vec<ApiCall> = default.map(|version| self.make_default(version)).into_iter().collect();
        calls.extend(self.there(found).map(|number| ApiCall::DeleteLaunchTemplateVersions {
            launch_template_id: self.launch_template_id.clone(),
            versions: number.to_string(),
        }));
        let deletes = self.there(found).next().is_some();
        if calls.is_empty() {
            return Err(format!(
                "Launch template {} is as it was before: nothing is left to do.",
                self.launch_template_id
            ));
        }
        let inverse = if deletes {
            let why = "A deleted version does not come back under its number; what it started is in the log, to be put there \
                       anew.";
            Inverse::None(why.to_owned())
        } else {
            Inverse::Calls(vec![self.make_default(found.template.default_version)])
        };
        Ok(WorkedOut::plain(calls, inverse))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if self.is_put_back(is) {
            return Freshness::AlreadyDone;
        }
        let seen =
            |of: &ChangedTemplate| (of.template.default_version, of.template.versions.clone(), of.previous.clone());
        fresh_if(seen(was) == seen(is), "the template's versions")
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let Some(is) = self.observed(now) else { return false };
        let default = sent.iter().find_map(|call| match call {
            ApiCall::ModifyLaunchTemplate { default_version, .. } => Some(default_version),
            _ => None,
        });
        let in_force = default.is_none_or(|version| is.template.default_version.to_string() == *version);
        in_force && self.there(is).next().is_none()
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Some(is) = self.observed(now) else { return Vec::new() };
        let default = self.default(is) != Ok(None);
        counted(&[
            (usize::from(default), "default version itself"),
            (self.there(is).count(), "version(s) of the attacker's"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{Launch, LaunchTemplate, PreviousDefault};

    fn seen(default: i64, versions: &[i64], previous: Option<i64>) -> Observation {
        let template = LaunchTemplate {
            id: "lt-1".into(),
            arn: "arn:aws:ec2:us-west-2:111122223333:launch-template/lt-1".into(),
            name: "web".into(),
            created_at: String::new(),
            created_by: String::new(),
            default_version: default,
            versions: versions.iter().map(|number| (*number, Launch::default())).collect::<BTreeMap<_, _>>(),
        };
        let previous = previous.map(|version| PreviousDefault { version, event_id: Some("e-0".into()) });
        Observation::ChangedTemplate(ChangedTemplate { template, previous })
    }

    fn restore(versions: &[i64], event_ids: &[&str]) -> Action {
        Action::RestoreLaunchTemplate(RestoreLaunchTemplate {
            region: "us-west-2".into(),
            launch_template_id: "lt-1".into(),
            versions: versions.iter().copied().collect(),
            event_ids: event_ids.iter().map(|id| (*id).to_owned()).collect(),
        })
    }

    fn cli(action: &Action, before: &Observation) -> Vec<String> {
        let work = action.work_out(before).unwrap();
        assert!(work.calls.iter().all(|call| call.resource_in(&before.arns()).is_some()));
        let of = " --launch-template-id lt-1";
        work.calls.iter().map(|call| call.cli("us-west-2").replace(of, "").replace(" --region us-west-2", "")).collect()
    }

    #[test]
    fn the_default_is_put_back_before_the_version_that_was_added_goes() {
        let (action, before) = (restore(&[4], &["e-1"]), seen(4, &[1, 2, 3, 4], Some(2)));
        let expected = [
            "aws ec2 modify-launch-template --default-version 2",
            "aws ec2 delete-launch-template-versions --versions 4",
        ];
        assert_eq!(cli(&action, &before), expected);
        let sent = action.work_out(&before).unwrap();
        assert!(matches!(sent.inverse, Inverse::None(_)));
        let after = seen(2, &[1, 2, 3], Some(2));
        assert!(action.holds(&before, &sent.calls, &after) && !action.holds(&before, &sent.calls, &before));
        assert!(!action.holds(&before, &sent.calls, &seen(3, &[1, 2, 3], Some(2))), "another is in force");
        assert_eq!(action.left(&before, &before), ["the default version itself", "1 version(s) of the attacker's"]);
        assert_eq!(action.freshness(&before, &after), Freshness::AlreadyDone);
        assert_eq!(action.freshness(&before, &before), Freshness::AsApproved);
        assert!(matches!(action.freshness(&before, &seen(4, &[1, 2, 3, 4, 5], Some(2))), Freshness::Changed(_)));
        assert!(action.work_out(&after).unwrap_err().contains("as it was before"));
    }

    #[test]
    fn a_version_that_is_not_the_default_goes_and_a_default_that_was_only_changed_comes_back_and_can_be_undone() {
        assert_eq!(
            cli(&restore(&[4], &[]), &seen(1, &[1, 4], None)),
            ["aws ec2 delete-launch-template-versions --versions 4"]
        );
        let (action, before) = (restore(&[], &["e-1"]), seen(1, &[1, 2], Some(2)));
        assert_eq!(cli(&action, &before), ["aws ec2 modify-launch-template --default-version 2"]);
        let undo = action.undo(&before, &action.work_out(&before).unwrap().calls, "INC-1.1".parse().unwrap()).unwrap();
        assert_eq!(cli(&undo, &seen(2, &[1, 2], Some(2))), ["aws ec2 modify-launch-template --default-version 1"]);
    }

    #[test]
    fn what_nobody_knows_is_chosen_by_a_person_and_never_one_of_theirs() {
        let action = restore(&[4], &["e-1"]);
        // One version is not theirs: it was that.
        assert_eq!(cli(&action, &seen(4, &[3, 4], None))[0], "aws ec2 modify-launch-template --default-version 3");
        for (before, choice) in [
            (seen(4, &[1, 2, 4], None), "from 1, 2:"),
            (seen(4, &[1, 2, 4], Some(3)), "from 1, 2:"),
            (seen(4, &[4], None), "make one first"),
            (seen(4, &[1, 2, 4], Some(4)), "from 1, 2:"),
        ] {
            let why = action.work_out(&before).unwrap_err();
            assert!(why.contains("by hand") && why.contains(choice), "{why}");
        }
    }
}
