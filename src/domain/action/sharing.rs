//! Snapshots and images that the attacker has let others use: they are taken away from those, and from nobody else.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change::{Change, Freshness, listed, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, Probe, Sharing};
use crate::domain::policy::ActionClass;

/// What nobody can tell from the attacker's calls alone.
const CAN_BE_THE_OWNERS: &str = "The attacker let them in; AWS takes that call too for whoever could use it before, so ask the \
     owner whether one of them is a partner of yours.";

/// Stands in a permission for everybody.
const EVERYBODY: &str = "all";

/// Takes a snapshot away from those whom the attacker has let use it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct UnshareSnapshot {
    /// Where it is.
    pub region: String,
    /// `snap-…`
    pub snapshot_id: String,
    /// The attacker's calls.
    pub event_ids: Vec<String>,
}

/// Takes an image away from those whom the attacker has let use it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct UnshareImage {
    /// Where it is.
    pub region: String,
    /// `ami-…`
    pub image_id: String,
    /// The attacker's calls.
    pub event_ids: Vec<String>,
}

/// What is shared, by whose calls.
struct Shared<'a> {
    what: &'static str,
    region: &'a str,
    id: &'a str,
    event_ids: &'a [String],
}

impl Shared<'_> {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a Sharing> {
        match seen {
            Observation::Sharing(sharing) if sharing.id == self.id => Some(sharing),
            _ => None,
        }
    }

    fn title(&self) -> String {
        format!("Take {} {} in {} away from whom the attacker gave it to", self.what, self.id, self.region)
    }

    fn work_out(&self, before: &Observation, call: impl Fn(String) -> ApiCall) -> Result<WorkedOut, String> {
        let Self { what, region, id, event_ids } = self;
        let Some(sharing) = self.observed(before) else { return wrong_answer() };
        if !sharing.proven {
            return Err(format!(
                "The event history of {region} shows nobody whom the attacker's calls ({}) let in, or not all of those calls. \
                 Look at {id} in EC2.",
                listed(event_ids),
            ));
        }
        if sharing.with.is_empty() {
            return Err(format!("{} {id} is not shared with those any more.", capitalised(what)));
        }
        let back = Inverse::Calls(vec![call(permission("Add", &sharing.with))]);
        Ok(WorkedOut::plain(vec![call(permission("Remove", &sharing.with))], back))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if was == is {
            Freshness::AsApproved
        } else if is.proven && is.with.is_empty() {
            Freshness::AlreadyDone
        } else {
            Freshness::Changed(format!("who may use the {} has been changed since", self.what))
        }
    }

    fn holds(&self, now: &Observation) -> bool {
        self.observed(now).is_some_and(|sharing| sharing.proven && sharing.with.is_empty())
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        self.observed(now).into_iter().flat_map(|sharing| sharing.with.clone()).collect()
    }
}

/// `{"Remove":[{"UserId":"444455556666"},{"Group":"all"}]}`
fn permission(verb: &str, with: &[String]) -> String {
    let one = |who: &String| if who == EVERYBODY { json!({ "Group": who }) } else { json!({ "UserId": who }) };
    json!({ verb: with.iter().map(one).collect::<Vec<_>>() }).to_string()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

impl UnshareSnapshot {
    fn shared(&self) -> Shared<'_> {
        Shared { what: "snapshot", region: &self.region, id: &self.snapshot_id, event_ids: &self.event_ids }
    }
}

impl Change for UnshareSnapshot {
    fn kind(&self) -> &'static str {
        "unshare-snapshot"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.snapshot_id
    }

    fn title(&self) -> String {
        self.shared().title()
    }

    fn effect(&self) -> String {
        format!(
            "Nobody whom the attacker's calls let in can copy it from then on. {CAN_BE_THE_OWNERS} What was copied before stays \
             copied: treat the data as taken."
        )
    }

    fn probe(&self) -> Probe {
        let (region, snapshot_id) = (self.region.clone(), self.snapshot_id.clone());
        Probe::Sharing { region, snapshot_id, event_ids: self.event_ids.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        self.shared().work_out(before, |create_volume_permission| ApiCall::ModifySnapshotAttribute {
            snapshot_id: self.snapshot_id.clone(),
            create_volume_permission,
        })
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        self.shared().freshness(before, now)
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        self.shared().holds(now)
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        self.shared().left(now)
    }
}

impl UnshareImage {
    fn shared(&self) -> Shared<'_> {
        Shared { what: "image", region: &self.region, id: &self.image_id, event_ids: &self.event_ids }
    }
}

impl Change for UnshareImage {
    fn kind(&self) -> &'static str {
        "unshare-image"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.image_id
    }

    fn title(&self) -> String {
        self.shared().title()
    }

    fn effect(&self) -> String {
        format!(
            "Nobody whom the attacker's calls let in can start an instance from it from then on. {CAN_BE_THE_OWNERS} What was \
             started or copied before stays with them: treat what is on the image as taken."
        )
    }

    fn probe(&self) -> Probe {
        let (region, image_id) = (self.region.clone(), self.image_id.clone());
        Probe::ImageSharing { region, image_id, event_ids: self.event_ids.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        self.shared().work_out(before, |launch_permission| ApiCall::ModifyImageAttribute {
            image_id: self.image_id.clone(),
            launch_permission,
        })
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        self.shared().freshness(before, now)
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        self.shared().holds(now)
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        self.shared().left(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;

    fn sharing(id: &str, with: &[&str]) -> Observation {
        let with = with.iter().map(|who| (*who).to_owned()).collect();
        Observation::Sharing(Sharing { id: id.into(), arn: format!("arn:aws:ec2:us-east-1::{id}"), with, proven: true })
    }

    fn is_taken_back(action: &Action, id: &str) {
        let before = sharing(id, &["444455556666", "all"]);
        let work = action.work_out(&before).unwrap();
        let asked = work.calls[0].cli("us-east-1");
        assert!(asked.contains(r#"{"Remove":[{"UserId":"444455556666"},{"Group":"all"}]}"#), "{asked}");
        assert!(matches!(&work.inverse, Inverse::Calls(back) if back.len() == 1));
        assert!(action.holds(&before, &work.calls, &sharing(id, &[])));
        assert!(!action.holds(&before, &work.calls, &sharing(id, &["all"])));
        assert_eq!(action.freshness(&before, &sharing(id, &[])), Freshness::AlreadyDone);
        assert!(matches!(action.freshness(&before, &sharing(id, &["all"])), Freshness::Changed(_)));
        assert_eq!(action.left(&before, &sharing(id, &["all"])), ["all"]);
        assert!(action.work_out(&sharing(id, &[])).is_err());
        let Observation::Sharing(open) = before else { panic!() };
        let unproven = Observation::Sharing(Sharing { proven: false, ..open });
        assert!(action.work_out(&unproven).unwrap_err().contains("shows nobody"));
        assert!(
            action.effect().contains("whoever could use it before, so ask the owner"),
            "AWS takes the same call twice"
        );
    }

    #[test]
    fn a_snapshot_and_an_image_are_taken_back_from_those_and_no_others() {
        let (region, event_ids) = ("us-east-1".to_owned(), vec!["e".to_owned()]);
        let snapshot =
            UnshareSnapshot { region: region.clone(), snapshot_id: "snap-1".into(), event_ids: event_ids.clone() };
        is_taken_back(&Action::UnshareSnapshot(snapshot), "snap-1");
        is_taken_back(&Action::UnshareImage(UnshareImage { region, image_id: "ami-1".into(), event_ids }), "ami-1");
    }
}
