//! What instances are made from, where the attacker has made that: a launch template, a launch configuration. Whoever finds
//! it starts what it says, with the user data in it.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, removal, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{LaunchConfiguration, LaunchTemplate, Observation};

/// Deletes a launch template with all its versions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteLaunchTemplate {
    /// Where it is.
    pub region: String,
    /// `lt-…`
    pub launch_template_id: String,
}

/// Deletes a launch configuration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteLaunchConfiguration {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub configuration_name: String,
}

impl DeleteLaunchTemplate {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a LaunchTemplate> {
        match seen {
            Observation::LaunchTemplate(template) if template.id == self.launch_template_id => Some(template),
            _ => None,
        }
    }
}

impl DeleteLaunchConfiguration {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a LaunchConfiguration> {
        match seen {
            Observation::LaunchConfiguration(found) if found.name == self.configuration_name => Some(found),
            _ => None,
        }
    }
}

impl Change for DeleteLaunchTemplate {
    removal!("delete-launch-template", LaunchTemplate { launch_template_id });

    fn title(&self) -> String {
        format!("Delete launch template {} in {}", self.launch_template_id, self.region)
    }

    fn effect(&self) -> String {
        "Nothing can be started from it any more; what was started from it runs on. A group or fleet that still starts from \
         it fails to. Its versions, with their user data, stand in the plan."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(template) = self.observed(before) else { return wrong_answer() };
        let call = ApiCall::DeleteLaunchTemplate { launch_template_id: template.id.clone() };
        Ok(WorkedOut::plain(vec![call], Inverse::None(REMOVED.to_owned())))
    }

    /// A version more is something that nobody has seen.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        fresh_if(is.versions.iter().all(|(number, launch)| was.versions.get(number) == Some(launch)), "its versions")
    }

    fn left(&self, _now: &Observation) -> Vec<String> {
        counted(&[(1, "launch template itself")])
    }
}

impl Change for DeleteLaunchConfiguration {
    removal!("delete-launch-configuration", LaunchConfiguration { configuration_name });

    fn title(&self) -> String {
        format!("Delete launch configuration {} in {}", self.configuration_name, self.region)
    }

    fn effect(&self) -> String {
        "Nothing can be started from it any more; what was started from it runs on. AWS refuses it while a group uses it. \
         What it was, with its user data, stands in the plan."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(found) = self.observed(before) else { return wrong_answer() };
        let call = ApiCall::DeleteLaunchConfiguration { launch_configuration_name: found.name.clone() };
        Ok(WorkedOut::plain(vec![call], Inverse::None(REMOVED.to_owned())))
    }

    /// It never changes: whether it is the same, its id says.
    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        match self.observed(now) {
            Some(_) => Freshness::AsApproved,
            None => something_else(),
        }
    }

    fn left(&self, _now: &Observation) -> Vec<String> {
        counted(&[(1, "launch configuration itself")])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::Launch;

    fn launch(image: &str) -> Launch {
        Launch { image_id: Some(image.into()), ..Launch::default() }
    }

    #[test]
    fn a_template_goes_with_its_versions_and_a_version_more_is_another_approval() {
        let template = |images: &[&str]| {
            Observation::LaunchTemplate(LaunchTemplate {
                id: "lt-1".into(),
                arn: "arn:aws:ec2:us-west-2:111122223333:launch-template/lt-1".into(),
                name: "t".into(),
                created_at: String::new(),
                created_by: String::new(),
                default_version: 1,
                versions: (1..).zip(images.iter().map(|image| launch(image))).collect::<BTreeMap<_, _>>(),
            })
        };
        let action = DeleteLaunchTemplate { region: "us-west-2".into(), launch_template_id: "lt-1".into() };
        let (action, before) = (Action::DeleteLaunchTemplate(action), template(&["ami-1", "ami-2"]));
        let work = action.work_out(&before).unwrap();
        assert!(work.calls.len() == 1 && work.calls[0].resource_in(&before.arns()).is_some());
        assert_eq!(action.freshness(&before, &template(&["ami-1"])), Freshness::AsApproved);
        for now in [template(&["ami-1", "ami-2", "ami-3"]), template(&["ami-1", "ami-9"])] {
            assert!(matches!(action.freshness(&before, &now), Freshness::Changed(_)));
        }
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert!(action.holds(&before, &[], &Observation::OwnerMissing) && !action.holds(&before, &[], &before));
    }

    #[test]
    fn a_configuration_is_known_by_its_id() {
        let found = |id: &str| {
            let arn = format!(
                "arn:aws:autoscaling:us-west-2:111122223333:launchConfiguration:{id}:launchConfigurationName/c"
            );
            let launch = launch("ami-1");
            Observation::LaunchConfiguration(LaunchConfiguration {
                arn,
                name: "c".into(),
                created_at: String::new(),
                launch,
            })
        };
        let action = DeleteLaunchConfiguration { region: "us-west-2".into(), configuration_name: "c".into() };
        let (action, before) = (Action::DeleteLaunchConfiguration(action), found("a"));
        let work = action.work_out(&before).unwrap();
        assert!(work.calls.len() == 1 && work.calls[0].resource_in(&before.arns()).is_some());
        assert_eq!(action.freshness(&before, &before), Freshness::AsApproved);
        assert!(matches!(action.freshness(&before, &found("b")), Freshness::Changed(_)));
    }
}
