//! Each way from a call of the attacker's to another credential.

use serde_json::{Value, json};

use super::*;

const SESSION: &str = "ASIAREACHED000000001";
const MACHINE: &str = "i-0123456789abcdef3";
const AWAY: &str = "192.0.2.150";

/// What the thief calls at noon, and what a session does that somebody has then; a stranger's session does the same.
fn leads(call: (&str, &str), more: Value, then: Vec<Value>) -> Analysis {
    let mut records = vec![by_user(720, "noon", STOLEN, "ci", call, more)];
    records.extend(then);
    let stranger = ("another", "i-0123456789abcdef4");
    let more = json!({"sourceIPAddress": AWAY});
    records.push(by_role(750, "stranger", "ASIASTRANGER00000001", stranger, ("iam", "CreateUser"), more));
    analyze(&records)
}

fn acts(role: (&str, &str), address: &str) -> Value {
    let more = json!({"sourceIPAddress": address, "requestParameters": {"userName": "x"}});
    by_role(740, "acts", SESSION, role, ("iam", "CreateUser"), more)
}

fn how(analysis: &Analysis) -> String {
    let held = analysis.credentials.iter().find(|held| held.access_key_id.as_deref() == Some(SESSION));
    let held = held.unwrap_or_else(|| panic!("{:#?}", analysis.actions));
    held.reached_by.as_ref().unwrap().how.to_string()
}

#[test]
fn whoever_a_trust_anchor_vouches_for_has_the_session_of_the_role_that_it_gives() {
    let arn = format!("arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/a-1");
    let anchor = json!({"responseElements": {"trustAnchor": {"trustAnchorArn": arn}}});
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/batch/00cert");
    let more = json!({"sourceIPAddress": AWAY,
        "requestParameters": {"trustAnchorArn": arn, "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/batch")},
        "responseElements": {"subjectArn": "x", "credentialSet": [{"credentials": {"accessKeyId": SESSION},
            "assumedRoleUser": {"arn": session, "assumedRoleId": "AROAbatch:00cert"}}]}});
    let mut takes = by_user(730, "takes", "", "", ("rolesanywhere", "CreateSession"), more);
    takes["userIdentity"] = json!({"type": "Unknown", "principalId": "", "arn": "", "accountId": ACCOUNT});
    let call = ("rolesanywhere", "CreateTrustAnchor");
    let analysis = leads(call, anchor, vec![takes, acts(("batch", "00cert"), "192.0.2.151")]);
    assert_eq!(listed(&analysis), ["noon", "takes", "acts"]);
    assert_eq!(how(&analysis), "CreateSession: session of role batch");
    let held = analysis.credentials.last().unwrap();
    assert_eq!(held.principal.as_deref(), Some(session.as_str()));
}

/// A service takes a role, and its session acts from where the thief is and from elsewhere.
fn taken(service: &str, role: &str) -> Vec<Value> {
    let mut takes = by_user(730, "takes", "", "", ("sts", "AssumeRole"), assume(role, "9f2c", SESSION));
    takes["userIdentity"] = json!({"type": "AWSService", "invokedBy": format!("{service}.amazonaws.com")});
    takes["sourceIPAddress"] = json!(format!("{service}.amazonaws.com"));
    let mut own = acts((role, "9f2c"), AWAY);
    own["eventID"] = json!("own");
    vec![takes, acts((role, "9f2c"), THIEF), own]
}

#[test]
fn the_role_that_each_service_takes_for_the_attackers_code_is_known() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/app");
    for (call, request, service) in [
        (("batch", "RegisterJobDefinition"), json!({"containerProperties": {"jobRoleArn": role}}), "ecs-tasks"),
        (("ssm", "CreateActivation"), json!({"iamRole": "service-role/app"}), "ssm"),
        (("eks", "CreatePodIdentityAssociation"), json!({"name": "c", "roleArn": role}), "pods.eks"),
        (
            ("apprunner", "CreateService"),
            json!({"instanceConfiguration": {"instanceRoleArn": role}}),
            "tasks.apprunner",
        ),
        (("elasticmapreduce", "RunJobFlow"), json!({"serviceRole": "emr", "jobFlowRole": "app"}), "ec2"),
        (("codepipeline", "CreatePipeline"), json!({"pipeline": {"name": "p", "roleArn": role}}), "codepipeline"),
    ] {
        let analysis = leads(call, json!({"requestParameters": request}), taken(service, "app"));
        assert_eq!(listed(&analysis), ["noon", "acts"], "{call:?}");
        let said = format!("app {} has taken for the attacker", call.0);
        assert!(analysis.not_recorded.iter().any(|gap| gap.what.ends_with(&said)), "{call:?}");
    }
    // Work that is asked for: what comes of it is theirs, wherever it calls from.
    for call in ["CreateSession", "CreateDevEndpoint"] {
        let name = if call == "CreateSession" { "role" } else { "roleArn" };
        let more = json!({"requestParameters": {name: role}});
        assert_eq!(listed(&leads(("glue", call), more, taken("glue", "app"))), ["noon", "acts", "own"], "{call}");
    }
}

#[test]
fn what_names_no_role_is_said() {
    for (call, what) in [
        (("batch", "SubmitJob"), "the attacker's Batch jobs"),
        (("ssm", "CreateActivation"), "the attacker's activation"),
        (("elasticmapreduce", "RunJobFlow"), "the attacker's EMR clusters"),
        (("sagemaker", "CreatePresignedNotebookInstanceUrl"), "the attacker works in SageMaker"),
        (("sagemaker", "CreatePresignedDomainUrl"), "the attacker works in SageMaker"),
    ] {
        let analysis = leads(call, json!({}), Vec::new());
        assert!(analysis.not_recorded.iter().any(|gap| gap.what.contains(what)), "{call:?}");
    }
}
