use serde_json::json;

use super::super::super::trail::attribution;
use super::super::findings::analyse;
use super::*;

const STOLEN: &str = "AKIAIOSFODNN7EXAMPLE";
const ACCOUNT: &str = "111122223333";

fn pivots_after(source: &str, call: &str, more: &serde_json::Value) -> Vec<Asked> {
    pivots(&["ci".to_owned()], &analysis_after(source, call, more), &RoleArns::of(ACCOUNT)).0
}

fn analysis_after(source: &str, call: &str, more: &serde_json::Value) -> Analysis {
    let mut record = json!({
        "eventID": "e1", "eventTime": "2026-01-31T10:00:00Z", "eventSource": source, "eventName": call,
        "awsRegion": "us-west-2", "recipientAccountId": "111122223333", "sourceIPAddress": "198.51.100.77",
        "userAgent": "x", "readOnly": false,
        "userIdentity": {"type": "IAMUser", "principalId": "AIDACI", "userName": "ci", "accessKeyId": STOLEN,
            "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/ci"},
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    analysis_of(&[record])
}

fn pivots_of(records: &[serde_json::Value]) -> (Vec<Asked>, bool) {
    pivots(&["ci".to_owned()], &analysis_of(records), &RoleArns::of(ACCOUNT))
}

fn analysis_of(records: &[serde_json::Value]) -> Analysis {
    let question = attribution::Question { credentials: vec![STOLEN.into()], ..attribution::Question::default() };
    let id = |record: &serde_json::Value| record["eventID"].as_str().unwrap().to_owned();
    let records = records.iter().map(|record| (id(record), record.to_string())).collect();
    analyse(&question, &records)
}

fn key_pair(n: usize, region: &str) -> serde_json::Value {
    json!({
        "eventID": format!("e{n}"), "eventTime": "2026-01-31T10:00:00Z", "eventSource": "ec2.amazonaws.com",
        "eventName": "CreateKeyPair", "awsRegion": region, "recipientAccountId": "111122223333",
        "sourceIPAddress": "198.51.100.77", "userAgent": "x", "readOnly": false,
        "requestParameters": {"keyName": format!("k{n}")},
        "userIdentity": {"type": "IAMUser", "principalId": "AIDACI", "userName": "ci", "accessKeyId": STOLEN,
            "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/ci"},
    })
}

#[test]
fn what_is_asked_in_one_region_only_leaves_room_for_the_others() {
    let many = PIVOTS_MAX + 20;
    let spread: Vec<_> = (0..many).map(|n| key_pair(n, &format!("eu-test-{n}"))).collect();
    let (asked, cut) = pivots_of(&spread);
    assert!(!cut);
    assert_eq!(asked.len(), many + 2, "each in its Region, and the key and its user everywhere");
    let heaped: Vec<_> = (0..many).map(|n| key_pair(n, "eu-west-1")).collect();
    let (asked, cut) = pivots_of(&heaped);
    assert!(cut);
    assert_eq!(asked.len(), PIVOTS_MAX);
}

#[test]
fn what_the_attacker_runs_is_asked_about_by_the_name_of_its_sessions_in_every_region() {
    let run = json!({"responseElements": {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}}});
    let asked = pivots_after("ec2.amazonaws.com", "RunInstances", &run);
    assert!(asked.contains(&(Pivot::Username("i-0123456789abcdef0".into()), None)), "{asked:?}");
    let made = json!({
        "requestParameters": {"functionName": "sync", "role": "arn:aws:iam::111122223333:role/app"},
        "responseElements": {"functionName": "sync", "functionArn": "arn:aws:lambda:us-west-2:111122223333:function:sync"},
    });
    let asked = pivots_after("lambda.amazonaws.com", "CreateFunction20150331", &made);
    assert!(asked.contains(&(Pivot::Username("sync".into()), None)), "{asked:?}");
}

#[test]
fn sessions_of_one_name_are_one_question() {
    let minted = json!({
        "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/app", "roleSessionName": "s"},
        "responseElements": {"credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE"}, "assumedRoleUser":
            {"assumedRoleId": "AROAAPP:s", "arn": "arn:aws:sts::111122223333:assumed-role/app/s"}},
    });
    let asked = pivots_after("sts.amazonaws.com", "AssumeRole", &minted);
    let of_session = |pivot: &Pivot| matches!(pivot, Pivot::AccessKey(key) if key.starts_with("ASIA"));
    assert!(!asked.iter().any(|(pivot, _)| of_session(pivot)), "{asked:?}");
    assert_eq!(asked.iter().filter(|(pivot, _)| *pivot == Pivot::Username("s".into())).count(), 1, "{asked:?}");
}

fn is_asked(asked: &[Asked], pivot: Pivot) -> bool {
    asked.contains(&(pivot, None))
}

#[test]
fn what_the_attacker_takes_over_is_asked_about_by_the_name_of_its_sessions_too() {
    const ID: &str = "i-0123456789abcdef0";
    const TASK: &str = "0123456789abcdef0123456789abcdef";
    let task = format!("arn:aws:ecs:us-west-2:{ACCOUNT}:task/c/{TASK}");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/app");
    let function = json!({"requestParameters": {"functionName": "sync"}, "responseElements": {"functionName": "sync", "role": role}});
    let request = |request: serde_json::Value| json!({ "requestParameters": request });
    let metadata = |more: &str, value: &str| {
        request(json!({"ModifyInstanceMetadataOptionsRequest": {"InstanceId": ID, more: value}}))
    };
    for (source, call, more, session) in [
        ("lambda", "UpdateFunctionCode20150331v2", function.clone(), "sync"),
        ("lambda", "UpdateFunctionCode20150331v2", request(json!({"functionName": "sync"})), "sync"),
        ("ssm", "StartSession", request(json!({"target": ID})), ID),
        ("ssm", "SendCommand", request(json!({"instanceIds": [ID]})), ID),
        ("ec2", "ModifyInstanceAttribute", request(json!({"instanceId": ID, "userData": "x"})), ID),
        ("ec2", "ModifyInstanceMetadataOptions", metadata("HttpTokens", "optional"), ID),
        ("ecs", "RunTask", json!({"responseElements": {"tasks": [{"taskArn": task}]}}), TASK),
        ("ecs", "ExecuteCommand", request(json!({"task": task})), TASK),
    ] {
        let asked = pivots_after(&format!("{source}.amazonaws.com"), call, &more);
        assert!(is_asked(&asked, Pivot::Username(session.into())), "{call}: {asked:?}");
    }
    let asked = pivots_after("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", &function);
    assert!(is_asked(&asked, Pivot::Resource(role)), "{asked:?}");
    for (call, more) in [
        ("StopInstances", request(json!({"instancesSet": {"items": [{"instanceId": ID}]}}))),
        ("ModifyInstanceMetadataOptions", metadata("HttpTokens", "required")),
    ] {
        let asked = pivots_after("ec2.amazonaws.com", call, &more);
        assert!(!is_asked(&asked, Pivot::Username(ID.into())), "{call} lets nobody in: {asked:?}");
    }
}

#[test]
fn roles_that_services_take_for_the_attackers_code_are_asked_about() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/service-role/build");
    for (source, call, request) in [
        ("codebuild", "CreateProject", json!({"name": "p", "serviceRole": role})),
        ("glue", "CreateJob", json!({"name": "j", "role": role})),
        ("sagemaker", "CreateNotebookInstance", json!({"notebookInstanceName": "n", "roleArn": role})),
        ("cloudformation", "CreateStack", json!({"stackName": "s", "roleARN": role})),
    ] {
        let asked = pivots_after(&format!("{source}.amazonaws.com"), call, &json!({"requestParameters": request}));
        assert!(is_asked(&asked, Pivot::Resource(role.clone())), "{call}: {asked:?}");
    }
    // Where the record has only a name, it is read.
    let job = json!({"eventID": "e1", "requestParameters": {"name": "j", "role": "service-role/build"}});
    let analysis = analysis_after("glue.amazonaws.com", "CreateJob", &job);
    assert_eq!(RoleArns::of(ACCOUNT).unknown(&analysis), ["build"]);
}

#[test]
fn a_role_is_asked_about_with_its_path() {
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/service-role/door");
    let bare = format!("arn:aws:iam::{ACCOUNT}:role/door");
    let made = json!({"requestParameters": {"roleName": "door", "path": "/service-role/"},
        "responseElements": {"role": {"roleName": "door", "arn": arn}}});
    let analysis = analysis_after("iam.amazonaws.com", "CreateRole", &made);
    assert!(RoleArns::of(ACCOUNT).unknown(&analysis).is_empty(), "its record says it");
    let (asked, _) = pivots(&[], &analysis, &RoleArns::of(ACCOUNT));
    assert!(is_asked(&asked, Pivot::Resource(arn.clone())) && !is_asked(&asked, Pivot::Resource(bare.clone())));

    let changed = json!({"requestParameters": {"roleName": "door", "policyDocument": "{}"}});
    let analysis = analysis_after("iam.amazonaws.com", "UpdateAssumeRolePolicy", &changed);
    let mut roles = RoleArns::of(ACCOUNT);
    assert_eq!(roles.unknown(&analysis), ["door"]);
    roles.learn("door".into(), None);
    assert!(roles.unknown(&analysis).is_empty(), "once");
    let (asked, _) = pivots(&[], &analysis, &roles);
    assert!(is_asked(&asked, Pivot::Resource(bare)) && is_asked(&asked, Pivot::Resource("door".into())), "{asked:?}");
    roles.learn("door".into(), Some(arn.clone()));
    let (asked, _) = pivots(&[], &analysis, &roles);
    assert!(is_asked(&asked, Pivot::Resource(arn)), "{asked:?}");
}

#[test]
fn a_provider_is_asked_about_by_its_arn_in_every_region_and_an_anchor_in_its_own() {
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/ci.example.com/path");
    let made = json!({"responseElements": {"openIDConnectProviderArn": arn}});
    let asked = pivots_after("iam.amazonaws.com", "CreateOpenIDConnectProvider", &made);
    assert!(is_asked(&asked, Pivot::Resource(arn)), "{asked:?}");
    let arn = format!("arn:aws:iam::{ACCOUNT}:saml-provider/corp");
    let changed = json!({"requestParameters": {"sAMLProviderArn": arn}, "responseElements": {"sAMLProviderArn": arn}});
    let asked = pivots_after("iam.amazonaws.com", "UpdateSAMLProvider", &changed);
    assert!(is_asked(&asked, Pivot::Resource(arn)), "{asked:?}");
    let arn = format!("arn:aws:rolesanywhere:us-west-2:{ACCOUNT}:trust-anchor/a");
    let made = json!({"responseElements": {"trustAnchor": {"trustAnchorId": "a", "trustAnchorArn": arn}}});
    let asked = pivots_after("rolesanywhere.amazonaws.com", "CreateTrustAnchor", &made);
    assert!(asked.contains(&(Pivot::Resource(arn), Some("us-west-2".into()))), "{asked:?}");
}

#[test]
fn what_starts_instances_has_launches_asked_about_where_it_is() {
    let made = json!({"requestParameters": {"autoScalingGroupName": "miners"}});
    let asked = pivots_after("autoscaling.amazonaws.com", "CreateAutoScalingGroup", &made);
    assert!(asked.contains(&(Pivot::Call("RunInstances".into()), Some("us-west-2".into()))), "{asked:?}");
    let changed = pivots_after("autoscaling.amazonaws.com", "UpdateAutoScalingGroup", &made);
    assert!(!changed.iter().any(|(pivot, _)| matches!(pivot, Pivot::Call(_))), "{changed:?}");
}

#[test]
fn much_that_lets_nobody_in_pushes_out_nothing_that_does() {
    let mut records: Vec<_> = (0..PIVOTS_MAX + 20).map(|n| key_pair(n, HOME_REGION)).collect();
    let mut call = |id: &str, source: &str, name: &str, request: serde_json::Value| {
        let mut record = key_pair(0, HOME_REGION);
        record["eventID"] = json!(id);
        record["eventSource"] = json!(source);
        record["eventName"] = json!(name);
        record["requestParameters"] = request;
        records.push(record);
    };
    call("role", "iam.amazonaws.com", "UpdateAssumeRolePolicy", json!({"roleName": "door", "policyDocument": "{}"}));
    call("code", "lambda.amazonaws.com", "UpdateFunctionCode", json!({"functionName": "sync"}));
    let (asked, cut) = pivots_of(&records);
    assert!(cut);
    assert!(is_asked(&asked, Pivot::Resource(format!("arn:aws:iam::{ACCOUNT}:role/door"))), "{asked:?}");
    assert!(is_asked(&asked, Pivot::Username("sync".into())), "{asked:?}");
}

#[test]
fn the_call_that_has_minted_a_stolen_session_is_asked_for_by_its_key_in_every_region() {
    let session = "ASIAIOSFODNN7EXAMPLE";
    let asked = |key: &str| {
        let question = attribution::Question { credentials: vec![key.into()], ..attribution::Question::default() };
        pivots(&[], &analyse(&question, &std::collections::BTreeMap::new()), &RoleArns::of(ACCOUNT)).0
    };
    assert!(asked(session).contains(&(Pivot::Resource(session.into()), None)), "{:?}", asked(session));
    assert_eq!(asked(STOLEN), [(Pivot::AccessKey(STOLEN.into()), None)], "a long-term key was minted by nobody");
}

#[test]
fn a_federated_session_is_asked_about_by_its_name_and_by_its_key() {
    let minted = json!({"requestParameters": {"name": "x"}, "responseElements": {
        "credentials": {"accessKeyId": "ASIAFEDERATED0000001"},
        "federatedUser": {"federatedUserId": format!("{ACCOUNT}:x"), "arn": format!("arn:aws:sts::{ACCOUNT}:federated-user/x")}}});
    let asked = pivots_after("sts.amazonaws.com", "GetFederationToken", &minted);
    assert!(is_asked(&asked, Pivot::Username("x".into())), "in the console its calls have other keys: {asked:?}");
    assert!(is_asked(&asked, Pivot::AccessKey("ASIAFEDERATED0000001".into())), "anybody can be called that: {asked:?}");
}

#[test]
fn what_a_responder_calls_the_attackers_is_asked_about() {
    let words = [
        "AKIASECOND0000000001=attacker",
        "arn:aws:iam::111122223333:user/batch=attacker",
        "AKIATHIRD00000000001=owner",
    ];
    let words = words.map(|word| word.parse().unwrap()).into();
    let question =
        attribution::Question { credentials: vec![STOLEN.into()], words, ..attribution::Question::default() };
    let analysis = analyse(&question.with_words(), &std::collections::BTreeMap::new());
    let (asked, _) = pivots(&[], &analysis, &RoleArns::of(ACCOUNT));
    assert!(is_asked(&asked, Pivot::AccessKey("AKIASECOND0000000001".into())), "{asked:?}");
    assert!(is_asked(&asked, Pivot::Username("batch".into())), "{asked:?}");
    assert!(!is_asked(&asked, Pivot::AccessKey("AKIATHIRD00000000001".into())), "{asked:?}");
}

#[test]
fn a_renamed_user_is_asked_about_under_the_names_of_then_and_now() {
    let asked = pivots_after(
        "iam.amazonaws.com",
        "UpdateUser",
        &json!({"requestParameters": {"userName": "bob", "newUserName": "carl"}}),
    );
    for name in ["bob", "carl"] {
        assert!(asked.contains(&(Pivot::Username(name.into()), None)), "{name}: {asked:?}");
    }
}
