//! An instance that the attacker has made.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::id::IncidentId;
use crate::domain::observation::{Instance, KeptUpBy, Observation, Probe, ScaledBy};
use crate::domain::policy::ActionClass;

/// Keeps an instance's volumes as snapshots, and terminates it. One of an Auto Scaling group leaves that first, and the
/// spot request of one is cancelled, so that nothing is started in its place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct TerminateInstance {
    /// Where it runs.
    pub region: String,
    /// `i-…`
    pub instance_id: String,
    /// The snapshots are marked with it.
    pub incident: IncidentId,
}

impl TerminateInstance {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a Instance> {
        match seen {
            Observation::Instance(instance) if instance.id == self.instance_id => Some(instance),
            _ => None,
        }
    }

    /// Whether a group can do without it: AWS refuses to take it out otherwise.
    const fn can_leave(group: &ScaledBy) -> bool {
        group.desired > group.min_size
    }

    fn comes_back(&self, group: &ScaledBy) -> String {
        let (Self { region, instance_id, .. }, ScaledBy { name, min_size, .. }) = (self, group);
        format!(
            "{instance_id} belongs to Auto Scaling group {name}, which keeps at least {min_size} and starts another in its \
             place. If the attacker has made the group, its own step stops it first. Else look at what it starts its \
             instances from, which can be the attacker's, and let it do with one less: aws autoscaling \
             update-auto-scaling-group --region {region} --auto-scaling-group-name {name} --min-size {}. After that ask \
             for this again.",
            min_size - 1
        )
    }

    /// AWS takes nothing out of a fleet.
    fn is_replaced(&self, fleet: &KeptUpBy) -> String {
        let (Self { region, instance_id, .. }, KeptUpBy { id, target, .. }) = (self, fleet);
        let fewer = target - 1;
        let fewer = if id.starts_with("sfr-") {
            format!(
                "aws ec2 modify-spot-fleet-request --region {region} --spot-fleet-request-id {id} --target-capacity {fewer} \
                 --excess-capacity-termination-policy NoTermination"
            )
        } else {
            format!(
                "aws ec2 modify-fleet --region {region} --fleet-id {id} --target-capacity-specification \
                 TotalTargetCapacity={fewer} --excess-capacity-termination-policy no-termination"
            )
        };
        format!(
            "{instance_id} belongs to fleet {id}, which keeps up {target} and starts another in its place. If the attacker has \
             made the fleet, its own step deletes it first. Else look at what it starts its instances from, which can be the \
             attacker's, and let it do with one less: {fewer}. After that ask for this again."
        )
    }

    /// Out of its group, where it is in one.
    fn detached(&self, group: &ScaledBy) -> ApiCall {
        ApiCall::DetachInstances {
            auto_scaling_group_name: group.name.clone(),
            instance_ids: self.instance_id.clone(),
            should_decrement_desired_capacity: "true".to_owned(),
        }
    }

    /// Without one of its protections.
    fn unprotected(&self, attribute: &str) -> ApiCall {
        ApiCall::ModifyInstanceAttribute {
            instance_id: self.instance_id.clone(),
            attribute: attribute.to_owned(),
            value: "false".to_owned(),
        }
    }

    /// What stays of it, for people.
    fn outlived_by(&self, instance: &Instance) -> String {
        let left: Vec<String> = instance.outlived_by(&self.region).into_iter().map(|(what, _)| what).collect();
        if left.is_empty() {
            return String::new();
        }
        format!(" What outlives it is a step for people after this: {}.", left.join(", "))
    }

    /// The same of an instance that has been ended with AWS as it was before, each with what deletes it.
    pub fn leaves(&self, before: &Observation) -> Vec<(String, String)> {
        self.observed(before).map(|instance| instance.outlived_by(&self.region)).unwrap_or_default()
    }

    fn snapshot(&self, volume_id: &str) -> ApiCall {
        let tags = [("irp-incident", self.incident.to_string()), ("irp-instance", self.instance_id.clone())];
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{{Key={key},Value={value}}}")).collect();
        ApiCall::CreateSnapshot {
            volume_id: volume_id.to_owned(),
            description: format!("Evidence of {}: before the end of {}", self.incident, self.instance_id),
            tag_specifications: format!("ResourceType=snapshot,Tags=[{}]", tags.join(",")),
        }
    }
}

impl Change for TerminateInstance {
    fn kind(&self) -> &'static str {
        "terminate-instance"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.instance_id
    }

    fn title(&self) -> String {
        format!("Terminate instance {} in {}", self.instance_id, self.region)
    }

    fn effect(&self) -> String {
        "Its volumes are kept as snapshots first; what is in its memory is lost. A volume or network interface that does not end \
         with it stays, and is a step for people. Whatever its role's session was used for elsewhere goes on until that role's \
         sessions are revoked."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Instance { region: self.region.clone(), instance_id: self.instance_id.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(instance) = self.observed(before) else { return wrong_answer() };
        if let Some(group) = instance.scaled_by.as_ref().filter(|group| !Self::can_leave(group)) {
            return Err(self.comes_back(group));
        }
        if let Some(fleet) = instance.fleet.as_ref().filter(|fleet| !fleet.can_spare_one()) {
            return Err(self.is_replaced(fleet));
        }
        let mut calls: Vec<ApiCall> = instance.scaled_by.iter().map(|group| self.detached(group)).collect();
        calls.extend(instance.spot.iter().filter(|request| request.persistent).map(|request| request.cancelled()));
        calls.extend(instance.volumes.keys().map(|volume| self.snapshot(volume)));
        // AWS refuses to terminate what it refuses to stop, too.
        calls.extend(instance.stop_protected.then(|| self.unprotected("disableApiStop")));
        calls.extend(instance.protected.then(|| self.unprotected("disableApiTermination")));
        calls.push(ApiCall::TerminateInstances { instance_ids: self.instance_id.clone() });
        let kept = format!(
            "An instance cannot be brought back. Its volumes are kept as snapshots tagged irp-instance={}: a new \
             instance can be made from those.{}",
            self.instance_id,
            self.outlived_by(instance)
        );
        Ok(WorkedOut::plain(calls, Inverse::None(kept)))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return Freshness::Changed("AWS answered about something else".to_owned());
        };
        let changed = |what: &str, was: &str, is: &str| Freshness::Changed(format!("its {what} was {was} and is {is}"));
        if was.launched_at != is.launched_at {
            return changed("launch time", &was.launched_at, &is.launched_at);
        }
        // One that is only coming up is on its way to the state that was approved, or has reached it.
        let settled = |state: &str| if state == "pending" { "running".to_owned() } else { state.to_owned() };
        if settled(&was.state) != settled(&is.state) {
            return changed("state", &was.state, &is.state);
        }
        let group = |of: &Instance| of.scaled_by.as_ref().map(|group| (group.arn.clone(), Self::can_leave(group)));
        if group(was) != group(is) {
            return Freshness::Changed("its place in an Auto Scaling group has changed since".to_owned());
        }
        let kept_up = |of: &Instance| of.fleet.as_ref().map(|fleet| (fleet.id.clone(), fleet.can_spare_one()));
        if is.fleet.is_some() && kept_up(was) != kept_up(is) {
            return Freshness::Changed("the fleet that starts another in its place has changed since".to_owned());
        }
        let protected = |of: &Instance| (of.protected, of.stop_protected);
        if protected(was) != protected(is) || was.volumes != is.volumes {
            return Freshness::Changed("its volumes or its protection have been changed since".to_owned());
        }
        Freshness::AsApproved
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Some(instance) = self.observed(now) else { return Vec::new() };
        let group = instance.scaled_by.as_ref().map(|group| format!("its place in Auto Scaling group {}", group.name));
        let stop = instance.stop_protected.then(|| "its protection from being stopped".to_owned());
        let protection = instance.protected.then(|| "its protection from termination".to_owned());
        let spot = instance.spot.as_ref().filter(|request| request.persistent);
        let spot = spot.map(|request| format!("spot request {}", request.id));
        let state = format!("the instance, {}", instance.state);
        group.into_iter().chain(spot).chain(stop).chain(protection).chain([state]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{Launch, SpotRequest, Volume, samples};

    fn action() -> TerminateInstance {
        let incident = "INC-7".parse().unwrap();
        TerminateInstance { region: "us-west-2".into(), instance_id: "i-1".into(), incident }
    }

    fn instance(id: &str) -> Instance {
        let volume = |id: &str| {
            let arn = format!("arn:aws:ec2:us-west-2:111122223333:volume/{id}");
            (id.to_owned(), Volume { arn, device: "/dev/xvda".into(), deleted_with_instance: true })
        };
        Instance {
            protected: true,
            volumes: BTreeMap::from([volume("vol-1"), volume("vol-2")]),
            ..samples::instance(id)
        }
    }

    #[test]
    fn volumes_are_kept_before_the_protection_goes_and_the_instance_ends() {
        let work = action().work_out(&Observation::Instance(instance("i-1"))).unwrap();
        let names: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
        assert_eq!(names, ["CreateSnapshot", "CreateSnapshot", "ModifyInstanceAttribute", "TerminateInstances"]);
        assert!(work.calls[0].cli("us-west-2").contains("irp-incident"));
        assert!(matches!(work.inverse, Inverse::None(_)));
        let open = Instance { protected: false, volumes: BTreeMap::new(), ..instance("i-1") };
        assert_eq!(action().work_out(&Observation::Instance(open)).unwrap().calls.len(), 1);
    }

    #[test]
    fn what_may_not_be_stopped_is_made_so_that_it_can_be_ended() {
        let before = Observation::Instance(Instance { stop_protected: true, ..instance("i-1") });
        let work = action().work_out(&before).unwrap();
        let protections: Vec<String> = work.calls[2..4].iter().map(|call| call.cli("us-west-2")).collect();
        assert!(protections[0].contains("disableApiStop") && protections[1].contains("disableApiTermination"));
        assert_eq!((work.calls.len(), work.calls[4].operation()), (5, "TerminateInstances"));
        assert!(work.calls.iter().all(|call| call.resource_in(&before.arns()).is_some()));
        let action = Action::TerminateInstance(action());
        assert!(matches!(action.freshness(&before, &Observation::Instance(instance("i-1"))), Freshness::Changed(_)));
        assert_eq!(action.left(&before, &before)[0], "its protection from being stopped");
        // As logs of an earlier version of the bot have it.
        let stored = serde_json::to_string(&instance("i-1")).unwrap();
        assert!(!stored.contains("stop_protected") && !stored.contains("kept_interfaces"), "{stored}");
        assert_eq!(serde_json::from_str::<Instance>(&stored).unwrap(), instance("i-1"));
    }

    #[test]
    fn what_outlives_it_is_said() {
        let mut kept = Instance { kept_interfaces: vec!["eni-1".into()], ..instance("i-1") };
        kept.volumes.get_mut("vol-2").unwrap().deleted_with_instance = false;
        let Inverse::None(why) = action().work_out(&Observation::Instance(kept.clone())).unwrap().inverse else {
            panic!()
        };
        assert!(why.contains("volume vol-2 (/dev/xvda), network interface eni-1.") && !why.contains("vol-1"), "{why}");
        let left = action().leaves(&Observation::Instance(kept));
        let commands: Vec<&str> = left.iter().map(|(_, command)| command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "aws ec2 delete-volume --region us-west-2 --volume-id vol-2",
                "aws ec2 delete-network-interface --region us-west-2 --network-interface-id eni-1",
            ]
        );
        let Inverse::None(none) = action().work_out(&Observation::Instance(instance("i-1"))).unwrap().inverse else {
            panic!()
        };
        assert!(!none.contains("outlives"), "{none}");
        assert!(action().leaves(&Observation::OwnerMissing).is_empty());
    }

    #[test]
    fn one_that_would_come_back_is_taken_out_of_its_group_first() {
        let scaled = |desired| {
            let arn =
                "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:0a1b:autoScalingGroupName/web".into();
            let group = ScaledBy { arn, name: "web".into(), min_size: 2, desired };
            Observation::Instance(Instance { scaled_by: Some(group), ..instance("i-1") })
        };
        let before = scaled(3);
        let work = action().work_out(&before).unwrap();
        assert_eq!(work.calls[0].operation(), "DetachInstances");
        assert!(work.calls.iter().all(|call| call.resource_in(&before.arns()).is_some()));
        let why = action().work_out(&scaled(2)).unwrap_err();
        assert!(why.contains("keeps at least 2") && why.contains("--min-size 1"), "{why}");
        let action = Action::TerminateInstance(action());
        assert_eq!(action.freshness(&before, &scaled(4)), Freshness::AsApproved);
        for now in [scaled(2), Observation::Instance(instance("i-1"))] {
            assert!(matches!(action.freshness(&before, &now), Freshness::Changed(why) if why.contains("Auto Scaling")));
        }
        assert_eq!(action.left(&before, &before)[0], "its place in Auto Scaling group web");
    }

    #[test]
    fn one_that_a_fleet_would_replace_is_left_until_the_fleet_can_do_without_it() {
        let kept_up = |id: &str, target, running| {
            let fleet = Some(KeptUpBy { id: id.into(), target, running });
            Observation::Instance(Instance { fleet, ..instance("i-1") })
        };
        for (id, cli) in [
            ("fleet-1", "TotalTargetCapacity=1"),
            ("sfr-1", "modify-spot-fleet-request --region us-west-2 --spot-fleet-request-id sfr-1 --target-capacity 1"),
        ] {
            let why = action().work_out(&kept_up(id, 2, 2)).unwrap_err();
            assert!(why.contains(&format!("fleet {id}, which keeps up 2")) && why.contains(cli), "{why}");
        }
        let before = kept_up("fleet-1", 1, 2);
        assert_eq!(action().work_out(&before).unwrap().calls[0].operation(), "CreateSnapshot");
        let action = Action::TerminateInstance(action());
        assert_eq!(action.freshness(&before, &kept_up("fleet-1", 1, 3)), Freshness::AsApproved);
        assert_eq!(action.freshness(&before, &Observation::Instance(instance("i-1"))), Freshness::AsApproved);
        assert!(matches!(action.freshness(&before, &kept_up("fleet-1", 2, 2)), Freshness::Changed(_)));
    }

    #[test]
    fn a_persistent_spot_request_is_cancelled_before_its_instance_ends() {
        let spot = |persistent| {
            let arn = "arn:aws:ec2:us-west-2:111122223333:spot-instances-request/sir-1".into();
            let (id, state, instance_id) = ("sir-1".into(), "active".into(), Some("i-1".into()));
            let request = SpotRequest { id, arn, state, persistent, instance_id, launch: Launch::default() };
            Observation::Instance(Instance { spot: Some(Box::new(request)), ..instance("i-1") })
        };
        let work = action().work_out(&spot(true)).unwrap();
        assert_eq!(work.calls[0].operation(), "CancelSpotInstanceRequests");
        assert!(work.calls[0].resource_in(&spot(true).arns()).is_some());
        let work = action().work_out(&spot(false)).unwrap();
        assert_eq!(work.calls[0].operation(), "CreateSnapshot", "it is asked for once");
    }

    #[test]
    fn another_launch_or_state_is_another_approval() {
        let before = Observation::Instance(instance("i-1"));
        let action = Action::TerminateInstance(action());
        let fresh = |now: Instance| action.freshness(&before, &Observation::Instance(now));
        assert_eq!(fresh(instance("i-1")), Freshness::AsApproved);
        let stopped = Instance { state: "stopped".into(), ..instance("i-1") };
        assert!(matches!(fresh(stopped), Freshness::Changed(why) if why.contains("stopped")));
        let again = Instance { launched_at: "2026-01-02T00:00:00Z".into(), ..instance("i-1") };
        assert!(matches!(fresh(again), Freshness::Changed(_)));
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert!(action.holds(&before, &[], &Observation::OwnerMissing));
        assert!(!action.holds(&before, &[], &before));
        assert_eq!(action.left(&before, &before).len(), 2);
        assert!(action.work_out(&Observation::OwnerMissing).is_err());
    }
}
