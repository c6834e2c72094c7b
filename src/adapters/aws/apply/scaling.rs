//! Auto Scaling's calls, as the SDK makes them.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::DeletionProtection;

use super::{sent, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn make(scaling: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::SuspendProcesses { auto_scaling_group_name: name, scaling_processes } => {
            let request = scaling.suspend_processes().auto_scaling_group_name(name);
            sent(call, request.scaling_processes(scaling_processes).send()).await
        }
        ApiCall::UpdateAutoScalingGroup { auto_scaling_group_name: name, min_size, deletion_protection } => {
            let Ok(min_size) = min_size.parse() else { return unknown(call) };
            let request = scaling.update_auto_scaling_group().auto_scaling_group_name(name).min_size(min_size);
            let protection = DeletionProtection::from(deletion_protection.as_str());
            sent(call, request.deletion_protection(protection).send()).await
        }
        ApiCall::DetachInstances { auto_scaling_group_name: name, instance_ids, should_decrement_desired_capacity } => {
            let request = scaling.detach_instances().auto_scaling_group_name(name).instance_ids(instance_ids);
            let decrement = should_decrement_desired_capacity == "true";
            sent(call, request.should_decrement_desired_capacity(decrement).send()).await
        }
        ApiCall::DeleteWarmPool { auto_scaling_group_name: name } => {
            sent(call, scaling.delete_warm_pool().auto_scaling_group_name(name).send()).await
        }
        ApiCall::DeleteAutoScalingGroup { auto_scaling_group_name: name } => {
            // Never by force: that ends instances that nothing has been kept of.
            sent(call, scaling.delete_auto_scaling_group().auto_scaling_group_name(name).send()).await
        }
        ApiCall::DeleteLaunchConfiguration { launch_configuration_name: name } => {
            sent(call, scaling.delete_launch_configuration().launch_configuration_name(name).send()).await
        }
        other => unknown(other),
    }
}
