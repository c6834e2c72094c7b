//! Code that acts with a role: machines, functions, and what services do in a role's name for whoever told them to.

use serde_json::Value;

use super::{DEPTH_MAX, Grant};
use crate::domain::trail::resource::{at, member};
use crate::domain::trail::token::{Token, account_of, bare_name, is_machine};

/// The role that a call tells a service to take, and which service that is. What the sessions are called changes each time;
/// the call by which the service takes the role is in the log.
fn taken(source: &str, name: &str, request: &Value) -> Option<Grant> {
    let (service, place) = match (source, name) {
        ("ecs", "RegisterTaskDefinition") => ("ecs-tasks", "taskRoleArn"),
        ("ecs", "RunTask" | "StartTask") => ("ecs-tasks", "overrides.taskRoleArn"),
        ("ssm", "StartAutomationExecution") => ("ssm", "parameters.AutomationAssumeRole[]"),
        ("scheduler", _) => ("scheduler", "target.roleArn"),
        _ => return None,
    };
    let role = at(request, place).into_iter().find(|role| role.contains(":role/"))?;
    let sessions = vec![Token::taken_by(account_of(&role), bare_name(&role), service)];
    let label = format!("role {}, taken by {service} for {source} {name}", bare_name(&role));
    // Others let the same service take the same role: each call of its sessions is looked at for itself.
    Some(Grant::Compute { sessions, label, owned: false, role: Some(role) })
}

/// What a call that worked has started or put its code into, and the roles that services take for it.
pub(super) fn granted(
    source: &str,
    name: &str,
    account: &str,
    request: &Value,
    response: &Value,
    out: &mut Vec<Grant>,
) {
    out.extend(taken(source, name, request));
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let mut machine = |id: &str, what: &str, owned: bool| {
        let id = id.rsplit(['/', ':']).next().unwrap_or(id);
        if is_machine(id) {
            let (sessions, label) = (vec![Token::machine(id)], format!("{what} {id}"));
            out.push(Grant::Compute { sessions, label, owned, role: None });
        }
    };
    let service = match (source, name) {
        ("ec2", "RunInstances" | "RunScheduledInstances" | "CreateFleet") => {
            let mut ids = Vec::new();
            instances(response, DEPTH_MAX + 2, &mut ids);
            for id in &ids {
                machine(id, "instance", true);
            }
            return;
        }
        ("ec2", "ModifyInstanceAttribute") => {
            if member(request, "userData").is_some() {
                for id in &at(request, "instanceId") {
                    machine(id, "instance", false);
                }
            }
            return;
        }
        ("ec2" | "ec2-instance-connect" | "ssm", _) => {
            let mut ids = [at(request, "instanceIds[]"), at(request, "instanceId"), at(request, "target")].concat();
            instances(response, DEPTH_MAX, &mut ids);
            ids.sort();
            ids.dedup();
            for id in &ids {
                machine(id, "instance", false);
            }
            return;
        }
        ("ecs", "ExecuteCommand") => {
            for id in &at(request, "task") {
                machine(id, "task", false);
            }
            return;
        }
        ("ecs", _) => {
            for id in &at(response, "tasks[].taskArn") {
                machine(id, "task", true);
            }
            return;
        }
        ("lambda", _) => None,
        ("codebuild", _) => Some("AWSCodeBuild"),
        ("glue", _) => Some("GlueJobRunnerSession"),
        ("sagemaker", _) => Some("SageMaker"),
        ("cloudformation", _) => Some("AWSCloudFormation"),
        _ => return,
    };
    let role = ["role", "serviceRole", "roleArn", "project.serviceRole", "build.serviceRole"]
        .iter()
        .find_map(|path| first(request, path).or_else(|| first(response, path)));
    let Some(role) = role else { return };
    let account = if role.starts_with("arn:") { account_of(&role) } else { account };
    let function = first(response, "functionName").or_else(|| first(request, "functionName"));
    let (session, label) = match (service, &function) {
        (Some(session), _) => (session, format!("{source} {name} with role {}", bare_name(&role))),
        (None, Some(function)) => (bare_name(function), format!("function {}", bare_name(function))),
        (None, None) => return,
    };
    let sessions = vec![Token::session(account, bare_name(&role), session)];
    out.push(Grant::Compute { sessions, label, owned: true, role: None });
}

/// Ids of instances in a response, wherever they stand in it.
fn instances(value: &Value, depth: usize, into: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(id) if id.starts_with("i-") && is_machine(id) => into.push(id.clone()),
        Value::Object(members) => members.values().for_each(|value| instances(value, depth, into)),
        Value::Array(values) => values.iter().for_each(|value| instances(value, depth, into)),
        _ => {}
    }
}
