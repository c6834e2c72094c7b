//! Code that acts with a role: machines, functions, and what services do in a role's name for whoever told them to.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::{DEPTH_MAX, Grant, Hold};
use crate::domain::trail::record::Record;
use crate::domain::trail::resource::{at, items, member};
use crate::domain::trail::token::{Token, account_of, bare_name, is_machine};

/// The roles that a call tells a service to take, and which service that is. What the sessions are called changes each time;
/// the call by which the service takes the role is in the log.
fn taken(source: &str, name: &str, account: &str, request: &Value) -> Vec<Grant> {
    let (service, place) = match (source, name) {
        ("apprunner", _) => ("tasks.apprunner", "instanceConfiguration.instanceRoleArn"),
        ("batch", _) => ("ecs-tasks", "containerProperties.jobRoleArn"),
        ("codepipeline", _) => ("codepipeline", "pipeline.roleArn"),
        ("eks", _) => ("pods.eks", "roleArn"),
        // An instance profile, which mostly is called as its role is.
        ("elasticmapreduce", _) => ("ec2", "jobFlowRole"),
        ("ssm", "CreateActivation") => ("ssm", "iamRole"),
        ("ecs", "RegisterTaskDefinition") => ("ecs-tasks", "taskRoleArn"),
        ("ecs", "RunTask" | "StartTask") => ("ecs-tasks", "overrides.taskRoleArn"),
        ("ssm", "StartAutomationExecution") => ("ssm", "parameters.AutomationAssumeRole[]"),
        ("scheduler", _) => ("scheduler", "target.roleArn"),
        ("states", _) => ("states", "roleArn"),
        ("events", _) => ("events", "targets[].roleArn"),
        _ => return Vec::new(),
    };
    // These have it by its name, the others have something else where there is no ARN.
    let is_named = matches!(name, "CreateActivation" | "RunJobFlow");
    let take = |role: String| {
        let is_arn = role.starts_with("arn:");
        let role = if is_arn { role } else { role_name(&role).to_owned() };
        let account = if is_arn { account_of(&role) } else { account };
        let sessions = vec![Token::taken_by(account, role_name(&role), service)];
        let label = format!("role {}, taken by {service} for {source} {name}", role_name(&role));
        // Others let the same service take the same role: each call of its sessions is looked at for itself.
        Grant::Compute { sessions, name: None, label, hold: Hold::Taken, role: Some(role) }
    };
    at(request, place).into_iter().filter(|role| is_named || role.contains(":role/")).map(take).collect()
}

/// What a call that worked has started or put its code into, and the roles that services take for it.
pub(super) fn granted(record: &Record<'_>, account: &str, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let (source, name) = (record.source(), record.name());
    out.extend(taken(source, name, account, request));
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let mut machine = |id: &str, what: &str, made: bool| {
        let hold = if made { Hold::Made } else { Hold::WayIn };
        let id = id.rsplit(['/', ':']).next().unwrap_or(id);
        if is_machine(id) {
            let (sessions, label) = (vec![Token::machine(id)], format!("{what} {id}"));
            out.push(Grant::Compute { sessions, name: Some(id.to_owned()), label, hold, role: None });
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
        ("ec2", "ModifyInstanceMetadataOptions") => {
            let asked = member(request, "ModifyInstanceMetadataOptionsRequest").unwrap_or(request);
            let says = |what: &str, word: &str| first(asked, what).is_some_and(|said| said == word);
            // Whoever demands a token, or closes it, lets nobody in.
            if !says("httpTokens", "required") && !says("httpEndpoint", "disabled") {
                for id in &at(asked, "instanceId") {
                    machine(id, "instance", false);
                }
            }
            return;
        }
        ("ec2", "RequestSpotFleet" | "RequestSpotInstances") => return,
        (
            "ec2",
            "AssociateIamInstanceProfile" | "ReplaceIamInstanceProfileAssociation" | "DisassociateIamInstanceProfile",
        ) => return profiled(name, request, response, out),
        ("ec2" | "ec2-instance-connect" | "ssm", _) => {
            let mut ids = [at(request, "instanceIds[]"), at(request, "instanceId"), at(request, "target")].concat();
            ids.extend(targeted(request));
            // An association that is changed runs at once, and where it does stands in the answer alone.
            ids.extend(member(response, "associationDescription").map(targeted).unwrap_or_default());
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
        ("lambda", _) => return function(name, account, request, response, out),
        ("codebuild" | "glue" | "sagemaker" | "cloudformation", _) => source,
        _ => return,
    };
    // What these sessions are called does not say whose work it is: the owner's is done with the same role.
    let Some(role) = role(request, response) else { return };
    let account = if role.starts_with("arn:") { account_of(&role) } else { account };
    let sessions = vec![Token::taken_by(account, role_name(&role), service)];
    let label = format!("{source} {name} with role {}", role_name(&role));
    let hold = Hold::Work { at_once: name == "StartBuild" };
    out.push(Grant::Compute { sessions, name: None, label, hold, role: Some(role) });
}

/// The role that a call names for what it starts.
fn role(request: &Value, response: &Value) -> Option<String> {
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let paths = ["role", "serviceRole", "roleArn", "project.serviceRole", "build.serviceRole"];
    paths.iter().find_map(|path| first(request, path).or_else(|| first(response, path)))
}

/// Instances that were given a profile, or had theirs taken away. Whoever gives them one has a way in too.
fn profiled(name: &str, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let asked = member(request, &format!("{name}Request")).unwrap_or(request);
    let answered = member(response, &format!("{name}Response")).unwrap_or(response);
    let mut ids = at(asked, "instanceId");
    instances(answered, DEPTH_MAX, &mut ids);
    ids.retain(|id| is_machine(id));
    ids.sort();
    ids.dedup();
    let names = [
        at(asked, "iamInstanceProfile.name"),
        at(asked, "iamInstanceProfile.arn"),
        at(answered, "iamInstanceProfileAssociation.iamInstanceProfile.arn"),
    ];
    let profile = names.concat().first().map(|profile| role_name(profile).to_owned());
    let holds = match name {
        "DisassociateIamInstanceProfile" => vec![Hold::NoProfile],
        _ => vec![Hold::WayIn, Hold::Profile(profile)],
    };
    for (id, hold) in ids.iter().flat_map(|id| holds.iter().map(move |hold| (id, hold))) {
        let name = (*hold != Hold::NoProfile).then(|| id.clone());
        let (sessions, label) = (vec![Token::machine(id)], format!("instance {id}"));
        out.push(Grant::Compute { sessions, name, label, hold: hold.clone(), role: None });
    }
}

/// A function that the caller has made, or of which it has set something.
fn function(name: &str, account: &str, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let Some(function) = first(response, "functionName").or_else(|| first(request, "functionName")) else { return };
    let function = bare_name(&function);
    let hold = match name {
        "UpdateFunctionCode" if member(request, "dryRun").is_some_and(|dry| dry == true) => return,
        "UpdateFunctionCode" => {
            let mut parts = vec![part("code", member(response, "codeSha256"))];
            if member(request, "publish").is_some_and(|publish| publish == true) {
                // It is what it is whatever becomes of the function, and an alias may lead to it: nobody sets it anew.
                let version = first(response, "version").unwrap_or_default();
                parts.push(part(&format!("version {version}"), None));
            }
            Hold::Set(parts)
        }
        "UpdateFunctionConfiguration" => {
            let members = request.as_object().into_iter().flatten();
            let set = members.filter(|(member, _)| !member.eq_ignore_ascii_case("functionName"));
            Hold::Set(set.map(|(member, value)| part(member, Some(value))).collect())
        }
        _ => Hold::Made,
    };
    let role = role(request, response);
    let account = role.as_deref().filter(|role| role.starts_with("arn:")).map_or(account, account_of);
    let sessions = role.iter().map(|role| Token::session(account, role_name(role), function)).collect();
    let label = format!("function {function}");
    out.push(Grant::Compute { sessions, name: Some(function.to_owned()), label, hold, role });
}

/// A part of a function, and what stands for its value. One that is hidden or not said is like every other such.
fn part(name: &str, value: Option<&Value>) -> (String, u64) {
    let mut hasher = DefaultHasher::new();
    value.map_or_else(String::new, Value::to_string).hash(&mut hasher);
    (name.to_ascii_lowercase(), hasher.finish())
}

/// The name of a role that is given by its ARN, or by its name with or without its path.
fn role_name(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

/// Instances among the targets of a call: `[{"key": "InstanceIds", "values": ["i-…"]}]`.
fn targeted(request: &Value) -> Vec<String> {
    let targets = member(request, "targets").map(items).unwrap_or_default();
    let by_id = |target: &&Value| at(target, "key").iter().any(|key| key.eq_ignore_ascii_case("InstanceIds"));
    targets.iter().filter(by_id).flat_map(|target| at(target, "values[]")).collect()
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
