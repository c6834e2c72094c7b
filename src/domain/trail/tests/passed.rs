//! Roles that the attacker hands to services.

use super::*;

fn said(calls: &[(&str, &str, Value)]) -> Vec<String> {
    let call = |(n, (source, name, request)): (usize, &(&str, &str, Value))| {
        let more = json!({"requestParameters": request, "responseElements": {}});
        by_user(600 + u32::try_from(n).unwrap(), &format!("q{n}"), STOLEN, "deploy", (*source, *name), more)
    };
    let records: Vec<Value> = calls.iter().enumerate().map(call).collect();
    analyze(&records).not_recorded.into_iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect()
}

#[test]
fn a_role_that_a_service_was_handed_is_said_where_nobody_knows_how_it_takes_it() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/app");
    let profile = format!("arn:aws:iam::{ACCOUNT}:instance-profile/app");
    for (source, name, request) in [
        ("emr-serverless", "StartJobRun", json!({"applicationId": "a", "executionRoleArn": role})),
        ("bedrock", "CreateAgent", json!({"agentName": "a", "agentResourceRoleArn": role})),
        ("iot", "CreateRoleAlias", json!({"roleAlias": "a", "roleArn": role})),
        ("eks", "CreateNodegroup", json!({"clusterName": "c", "nodeRole": role})),
        ("batch", "CreateComputeEnvironment", json!({"computeResources": {"instanceRole": profile}})),
        ("batch", "CreateComputeEnvironment", json!({"computeResources": {"instanceRole": "app"}})),
        ("sagemaker", "CreateModel", json!({"modelName": "m", "executionRoleArn": role})),
        ("sagemaker", "CreateDomain", json!({"defaultUserSettings": {"executionRole": role}})),
        ("sagemaker", "UpdateNotebookInstance", json!({"notebookInstanceName": "m", "roleArn": role})),
        ("transfer", "CreateUser", json!({"serverId": "s", "userName": "u", "role": role})),
        ("appstream", "CreateFleet", json!({"name": "f", "iamRoleArn": role})),
    ] {
        let said = said(&[(source, name, request)]);
        let is_it = |line: &&String| line.contains(&format!("app {source} has taken for the attacker"));
        let lines: Vec<&String> = said.iter().filter(is_it).collect();
        assert!(matches!(&lines[..], [one] if one.contains("event q0") && one.contains(name)), "{name}: {said:?}");
    }
    for (source, name) in [("glue", "UpdateDevEndpoint"), ("datapipeline", "PutPipelineDefinition")] {
        let said = said(&[(source, name, json!({"endpointName": "e", "pipelineId": "p"}))]);
        assert!(said.iter().any(|line| line.contains("the call names none (event q0)")), "{name}: {said:?}");
    }
}

#[test]
fn nothing_is_said_of_a_role_that_was_not_handed_over_or_is_followed_and_each_is_said_once() {
    let role = |n: usize| format!("arn:aws:iam::{ACCOUNT}:role/r{n}");
    let lines = |calls: &[(&str, &str, Value)]| {
        let is_it = |line: &String| line.contains("has handed it over") || line.contains("have handed over more");
        said(calls).into_iter().filter(is_it).count()
    };
    for (source, name, request) in [
        ("iam", "AttachRolePolicy", json!({"roleName": "r1", "policyArn": role(1)})),
        ("tagging", "TagResources", json!({"resourceARNList": [role(1)]})),
        ("kms", "CreateGrant", json!({"keyId": "k", "granteePrincipal": role(1)})),
        ("lambda", "CreateFunction20150331", json!({"functionName": "f", "role": role(1)})),
        ("scheduler", "CreateSchedule", json!({"name": "t", "target": {"roleArn": role(1)}})),
    ] {
        assert_eq!(lines(&[(source, name, request)]), 0, "{name}");
    }
    let twice = [1, 1].map(|n| ("iot", "CreateRoleAlias", json!({"roleArn": role(n)})));
    assert_eq!(lines(&twice), 1);
    let many: Vec<_> = (0..30).map(|n| ("iot", "CreateRoleAlias", json!({"roleArn": role(n)}))).collect();
    assert_eq!(lines(&many), 21, "twenty, and how many more there are");
}

#[test]
fn a_call_that_did_not_work_hands_nothing_over() {
    let more = json!({"errorCode": "AccessDenied", "requestParameters": {"roleArn": "arn:aws:iam::1:role/app"}});
    let analysis = analyze(&[by_user(600, "q0", STOLEN, "deploy", ("iot", "CreateRoleAlias"), more)]);
    assert!(!analysis.not_recorded.iter().any(|gap| gap.what.contains("role app")));
}
