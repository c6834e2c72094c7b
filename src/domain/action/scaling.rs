//! An Auto Scaling group that the attacker has made: it starts another instance for each that ends. So it is stopped
//! first, which leaves its instances running outside it; each is then kept as evidence and ended like any other, those of
//! its warm pool too, and the empty pool and group are deleted. To delete them as they are would end all of them without a
//! trace.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, REMOVED, counted, fresh_if, regional, removal, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Member, Observation, ScalingGroup};

/// What a group does when it starts instances.
const LAUNCH: &str = "Launch";
/// AWS's word for a group that can be deleted.
const NOT_PROTECTED: &str = "none";
/// Instances that one plan takes out: the session for it lasts a quarter of an hour. The rest are left, and asked for
/// again.
const MEMBERS_MAX: usize = 100;

/// Has the group start nothing more, and takes its instances out of it. They run on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StopScalingGroup {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub group_name: String,
}

/// Deletes the warm pool of a group that starts nothing any more, once it is empty.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteWarmPool {
    /// Where it is.
    pub region: String,
    /// The group's name.
    pub group_name: String,
}

/// Deletes the group once it is empty.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteScalingGroup {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub group_name: String,
}

fn observed<'a>(seen: &'a Observation, name: &str) -> Option<&'a ScalingGroup> {
    match seen {
        Observation::ScalingGroup(group) if group.name == name => Some(group),
        _ => None,
    }
}

/// Instances of the warm pool that have not ended.
fn warm(group: &ScalingGroup) -> impl Iterator<Item = &String> {
    group.warm.iter().filter(|(_, lifecycle)| !lifecycle.contains("Terminat")).map(|(id, _)| id)
}

fn is_protected(group: &ScalingGroup) -> bool {
    group.deletion_protection.as_deref().is_some_and(|word| word != NOT_PROTECTED)
}

/// Lets it become empty, and be deleted.
fn opened(name: &str) -> ApiCall {
    ApiCall::UpdateAutoScalingGroup {
        auto_scaling_group_name: name.to_owned(),
        min_size: "0".to_owned(),
        deletion_protection: NOT_PROTECTED.to_owned(),
    }
}

impl StopScalingGroup {
    /// Whether it starts nothing, and nothing is in it that will stay.
    fn is_stopped(group: &ScalingGroup) -> bool {
        group.suspended.contains(LAUNCH) && group.min_size == 0 && group.members.values().all(Member::is_leaving)
    }
}

impl Change for StopScalingGroup {
    regional!("stop-scaling-group", ScalingGroup { group_name });

    fn title(&self) -> String {
        format!("Stop Auto Scaling group {} in {}", self.group_name, self.region)
    }

    fn effect(&self) -> String {
        "The group starts nothing any more, and its instances are taken out of it: they run on, and each that the group has \
         started gets a step of its own, so that its volumes are kept before it ends; so does each of its warm pool. Instances \
         that somebody has put into the group are taken out too, and are for you to look at."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let name = &self.group_name;
        let Some(group) = observed(before, name) else { return wrong_answer() };
        let mut calls = Vec::new();
        if !group.suspended.contains(LAUNCH) {
            let scaling_processes = LAUNCH.to_owned();
            calls.push(ApiCall::SuspendProcesses { auto_scaling_group_name: name.clone(), scaling_processes });
        }
        if group.min_size > 0 || is_protected(group) {
            calls.push(opened(name));
        }
        let out = group.members.iter().filter(|(_, member)| member.can_leave()).take(MEMBERS_MAX);
        calls.extend(out.map(|(id, _)| ApiCall::DetachInstances {
            auto_scaling_group_name: name.clone(),
            instance_ids: id.clone(),
            should_decrement_desired_capacity: "true".to_owned(),
        }));
        if calls.is_empty() && Self::is_stopped(group) {
            return Err(format!("Auto Scaling group {name} starts nothing and is empty: it is stopped already."));
        }
        if calls.is_empty() {
            let staying = group.members.iter().filter(|(_, member)| !member.is_leaving());
            let staying: Vec<String> = staying.map(|(id, member)| format!("{id} ({})", member.lifecycle)).collect();
            return Err(format!(
                "Auto Scaling group {name} starts nothing any more, but AWS takes out of it only what is in service: {}. \
                 Ask again in a minute.",
                staying.join(", ")
            ));
        }
        let by_hand = "It is the attacker's. What it was stands in the plan: aws autoscaling resume-processes and \
                       attach-instances would have it work again.";
        Ok(WorkedOut::plain(calls, Inverse::None(by_hand.to_owned())))
    }

    /// Who is in it changes while it runs, and what stops it stays right: a call on an instance that has ended meanwhile
    /// ends the plan after that, and asking again finds the group at rest.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let name = &self.group_name;
        let (Some(was), Some(is)) = (observed(before, name), observed(now, name)) else {
            return something_else();
        };
        if Self::is_stopped(is) {
            return Freshness::AlreadyDone;
        }
        fresh_if(was.launches_from == is.launches_from, "what the group starts its instances from")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        observed(now, &self.group_name).is_some_and(Self::is_stopped)
    }

    /// What has come into it since is taken out too.
    fn is_repeatable(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Some(group) = observed(now, &self.group_name) else { return Vec::new() };
        let staying = group.members.values().filter(|member| !member.is_leaving()).count();
        let starts = (!group.suspended.contains(LAUNCH)).then(|| "it starts instances".to_owned());
        counted(&[(staying, "instance(s) in it")]).into_iter().chain(starts).collect()
    }

    fn leaves_running(&self, before: &Observation) -> Vec<String> {
        let Some(group) = observed(before, &self.group_name) else { return Vec::new() };
        let launched = group.members.iter().filter(|(_, member)| member.launched).map(|(id, _)| id);
        launched.chain(warm(group)).cloned().collect()
    }
}

impl Change for DeleteWarmPool {
    regional!("delete-warm-pool", ScalingGroup { group_name });

    fn title(&self) -> String {
        format!("Delete the warm pool of Auto Scaling group {} in {}", self.group_name, self.region)
    }

    fn effect(&self) -> String {
        "The pool is empty by then: AWS would end its instances, and keep nothing of them. AWS deletes no group that has one."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let name = &self.group_name;
        let Some(group) = observed(before, name) else { return wrong_answer() };
        if !group.warm_pool || group.warm_pool_leaves {
            return Err(format!("Auto Scaling group {name} has no warm pool any more."));
        }
        if !group.suspended.contains(LAUNCH) {
            return Err(format!("Auto Scaling group {name} starts instances again: ask for the step that stops it."));
        }
        let waiting: Vec<&str> = warm(group).map(String::as_str).collect();
        if !waiting.is_empty() {
            return Err(format!(
                "The warm pool of Auto Scaling group {name} has instances: {}. Each has a step of its own, which keeps its \
                 volumes: ask for this after them.",
                waiting.join(", ")
            ));
        }
        let call = ApiCall::DeleteWarmPool { auto_scaling_group_name: name.clone() };
        Ok(WorkedOut::plain(vec![call], Inverse::None(REMOVED.to_owned())))
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        match observed(now, &self.group_name) {
            Some(is) if !is.warm_pool || is.warm_pool_leaves => Freshness::AlreadyDone,
            Some(is) => fresh_if(warm(is).next().is_none() && is.suspended.contains(LAUNCH), "what is in the pool"),
            None => something_else(),
        }
    }

    /// AWS takes a while over it, in which the pool starts nothing.
    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        observed(now, &self.group_name).is_some_and(|group| !group.warm_pool || group.warm_pool_leaves)
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let pool = observed(now, &self.group_name).is_some_and(|group| group.warm_pool && !group.warm_pool_leaves);
        counted(&[(usize::from(pool), "warm pool itself")])
    }
}

impl Change for DeleteScalingGroup {
    removal!("delete-scaling-group", ScalingGroup { group_name });

    fn title(&self) -> String {
        format!("Delete Auto Scaling group {} in {}", self.group_name, self.region)
    }

    fn effect(&self) -> String {
        "The group is empty by then: AWS refuses it otherwise. Instances that were in it are not touched by this; what they \
         were made from goes by its own step, where the attacker has made that too."
            .to_owned()
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Self { region, group_name: name } = self;
        let Some(group) = observed(before, name) else { return wrong_answer() };
        if !group.members.is_empty() {
            let ids: Vec<&str> = group.members.keys().map(String::as_str).collect();
            let again = if group.members.values().all(Member::is_leaving) {
                "They are on their way out: ask again in a minute."
            } else {
                "Ask for the step that stops the group again: with them AWS would end them, and keep nothing."
            };
            return Err(format!("Auto Scaling group {name} has instances: {}. {again}", ids.join(", ")));
        }
        if group.warm_pool_leaves {
            return Err(format!(
                "AWS is still deleting the warm pool of Auto Scaling group {name}: ask again in a minute."
            ));
        }
        if group.warm_pool {
            return Err(format!(
                "Auto Scaling group {name} has a warm pool: instances that wait outside it. Look at them (aws autoscaling \
                 describe-warm-pool --region {region} --auto-scaling-group-name {name}), end them (aws autoscaling \
                 delete-warm-pool), and ask for this again."
            ));
        }
        let mut calls: Vec<ApiCall> = is_protected(group).then(|| opened(name)).into_iter().collect();
        calls.push(ApiCall::DeleteAutoScalingGroup { auto_scaling_group_name: name.clone() });
        Ok(WorkedOut::plain(calls, Inverse::None(REMOVED.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let name = &self.group_name;
        let (Some(was), Some(is)) = (observed(before, name), observed(now, name)) else {
            return something_else();
        };
        let same = is.members.is_empty() && !is.warm_pool && is_protected(was) == is_protected(is);
        fresh_if(same, "what is in the group, or its protection,")
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let members = observed(now, &self.group_name).map_or(0, |group| group.members.len());
        counted(&[(members, "instance(s) in it"), (1, "group itself")])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::action::Action;

    fn group(members: &[(&str, &str, bool)]) -> ScalingGroup {
        let member = |(id, lifecycle, launched): &(&str, &str, bool)| {
            ((*id).to_owned(), Member { lifecycle: (*lifecycle).into(), launched: *launched })
        };
        let arn = "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:0a1b:autoScalingGroupName/miners";
        ScalingGroup {
            arn: arn.into(),
            name: "miners".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            min_size: 1,
            max_size: 4,
            desired: 2,
            launches_from: vec!["launch template lt-1, version 1".into()],
            places: Vec::new(),
            behind: Vec::new(),
            suspended: BTreeSet::new(),
            deletion_protection: None,
            warm_pool: false,
            warm_pool_leaves: false,
            warm: BTreeMap::new(),
            members: members.iter().map(member).collect(),
            tags: BTreeMap::new(),
        }
    }

    fn at_rest(members: &[(&str, &str, bool)]) -> ScalingGroup {
        ScalingGroup { min_size: 0, suspended: [LAUNCH.to_owned()].into(), ..group(members) }
    }

    fn seen(group: ScalingGroup) -> Observation {
        Observation::ScalingGroup(group)
    }

    fn stop() -> Action {
        Action::StopScalingGroup(StopScalingGroup { region: "us-west-2".into(), group_name: "miners".into() })
    }

    fn delete() -> Action {
        Action::DeleteScalingGroup(DeleteScalingGroup { region: "us-west-2".into(), group_name: "miners".into() })
    }

    fn calls(action: &Action, before: &Observation) -> Vec<&'static str> {
        let work = action.work_out(before).unwrap();
        assert!(work.calls.iter().all(|call| call.resource_in(&before.arns()).is_some()), "{:?}", work.calls);
        work.calls.iter().map(ApiCall::operation).collect()
    }

    #[test]
    fn a_group_stops_starting_before_anything_is_taken_out_of_it() {
        let before = seen(group(&[("i-1", "InService", true), ("i-2", "Pending", true), ("i-3", "Standby", false)]));
        let expected = ["SuspendProcesses", "UpdateAutoScalingGroup", "DetachInstances", "DetachInstances"];
        assert_eq!(calls(&stop(), &before), expected);
        assert_eq!(stop().leaves_running(&before), ["i-1", "i-2"], "what was put into it is not theirs for sure");
        let cli = stop().work_out(&before).unwrap().calls[2].cli("us-west-2");
        assert_eq!(
            cli,
            "aws autoscaling detach-instances --auto-scaling-group-name miners --instance-ids i-1 \
             --should-decrement-desired-capacity --region us-west-2"
        );
        // One was coming up: it stays, and is asked for again.
        let after = seen(at_rest(&[("i-1", "Detaching", true), ("i-2", "Pending", true)]));
        assert!(!stop().holds(&before, &[], &after));
        assert_eq!(stop().left(&before, &after), ["1 instance(s) in it"]);
        assert!(stop().work_out(&after).unwrap_err().contains("i-2 (Pending)"));
        let after = seen(at_rest(&[("i-1", "Detaching", true)]));
        assert!(stop().holds(&before, &[], &after));
        assert!(stop().work_out(&after).unwrap_err().contains("stopped already"));
        assert_eq!(stop().freshness(&before, &after), Freshness::AlreadyDone);
    }

    #[test]
    fn who_is_in_the_group_may_change_and_what_it_starts_may_not() {
        let before = seen(group(&[("i-1", "InService", true)]));
        let others = seen(group(&[("i-9", "InService", true)]));
        assert_eq!(stop().freshness(&before, &others), Freshness::AsApproved);
        let turned = ScalingGroup { launches_from: vec!["launch template lt-2, version 1".into()], ..group(&[]) };
        assert!(matches!(stop().freshness(&before, &seen(turned)), Freshness::Changed(_)));
        let again = ScalingGroup { arn: "arn:aws:autoscaling:us-west-2:1:autoScalingGroup:other".into(), ..group(&[]) };
        assert!(
            matches!(stop().freshness(&before, &seen(again)), Freshness::Changed(why) if why.contains("made again"))
        );
    }

    #[test]
    fn the_warm_pools_instances_are_ended_by_themselves_and_the_empty_pool_goes() {
        let pool = |warm: &[(&str, &str)]| {
            let warm = warm.iter().map(|(id, lifecycle)| ((*id).to_owned(), (*lifecycle).to_owned())).collect();
            ScalingGroup { warm_pool: true, warm, ..at_rest(&[]) }
        };
        let action = Action::DeleteWarmPool(DeleteWarmPool { region: "us-west-2".into(), group_name: "miners".into() });
        let full = pool(&[("i-7", "Warmed:Stopped"), ("i-8", "Warmed:Terminating")]);
        let running = ScalingGroup { suspended: BTreeSet::new(), ..full.clone() };
        assert_eq!(calls(&stop(), &seen(running.clone())), ["SuspendProcesses"]);
        assert_eq!(stop().leaves_running(&seen(running)), ["i-7"], "one is on its way out");
        let why = action.work_out(&seen(full.clone())).unwrap_err();
        assert!(why.contains("i-7.") && why.contains("step of its own"), "{why}");
        let before = seen(pool(&[("i-8", "Warmed:Terminating")]));
        assert_eq!(calls(&action, &before), ["DeleteWarmPool"]);
        assert!(matches!(action.freshness(&before, &seen(full)), Freshness::Changed(_)));
        let awake = seen(ScalingGroup { suspended: BTreeSet::new(), ..pool(&[]) });
        assert!(action.work_out(&awake).unwrap_err().contains("starts instances again"));
        let leaves = seen(ScalingGroup { warm_pool_leaves: true, ..pool(&[]) });
        for gone in [leaves, seen(at_rest(&[]))] {
            assert!(action.holds(&before, &[], &gone) && !action.holds(&before, &[], &before));
            assert_eq!(action.freshness(&before, &gone), Freshness::AlreadyDone);
            assert!(action.work_out(&gone).unwrap_err().contains("no warm pool"));
        }
        assert_eq!(action.left(&before, &before), ["the warm pool itself"]);
    }

    #[test]
    fn only_an_empty_group_is_deleted_and_its_protection_goes_first() {
        let protected = ScalingGroup { deletion_protection: Some("prevent-all-deletion".into()), ..at_rest(&[]) };
        let before = seen(protected.clone());
        assert_eq!(calls(&delete(), &before), ["UpdateAutoScalingGroup", "DeleteAutoScalingGroup"]);
        assert_eq!(calls(&delete(), &seen(at_rest(&[]))), ["DeleteAutoScalingGroup"]);
        let full = delete().work_out(&seen(group(&[("i-1", "InService", true)]))).unwrap_err();
        assert!(full.contains("i-1") && full.contains("stops the group again"), "{full}");
        let leaving = delete().work_out(&seen(at_rest(&[("i-1", "Detaching", true)]))).unwrap_err();
        assert!(leaving.contains("ask again in a minute"), "{leaving}");
        let warm = ScalingGroup { warm_pool: true, ..at_rest(&[]) };
        assert!(delete().work_out(&seen(warm.clone())).unwrap_err().contains("warm pool"));
        let leaves = delete().work_out(&seen(ScalingGroup { warm_pool_leaves: true, ..warm })).unwrap_err();
        assert!(leaves.contains("still deleting"), "{leaves}");
        let filled = seen(ScalingGroup { members: group(&[("i-1", "Pending", true)]).members, ..protected });
        assert!(matches!(delete().freshness(&before, &filled), Freshness::Changed(_)));
        assert!(delete().holds(&before, &[], &Observation::OwnerMissing) && !delete().holds(&before, &[], &before));
        assert_eq!(delete().left(&before, &before), ["the group itself"]);
    }
}
