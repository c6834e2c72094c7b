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

#[test]
fn each_way_to_another_credential_leads_on() {
    let keyed = json!({"responseElements": {"identityId": "us-east-1:x", "credentials": {"accessKeyId": SESSION}}});
    let who = format!("arn:aws:sts::{ACCOUNT}:federated-user/sys");
    let federated = json!({"responseElements": {"credentials": {"accessKeyId": SESSION}, "federatedUser":
        {"federatedUserId": format!("{ACCOUNT}:sys"), "arn": who}}});
    let mut as_federated = acts(("", ""), AWAY);
    as_federated["userIdentity"] = json!({"type": "FederatedUser", "principalId": format!("{ACCOUNT}:sys"),
        "accessKeyId": SESSION, "accountId": ACCOUNT, "arn": who});
    let machine = || json!({"requestParameters": {"instanceId": MACHINE, "sSHPublicKey": "x"}});
    let started = json!({"responseElements": {"instanceIdSet": {"item": [MACHINE]}}});
    let guest = acts(("guests", "CognitoIdentityCredentials"), AWAY);
    let (here, away) = (acts(("web", MACHINE), THIEF), acts(("web", MACHINE), AWAY));
    for (call, more, then, by) in [
        (("cognito-identity", "GetCredentialsForIdentity"), keyed, guest, "key of user ci"),
        (
            ("sts", "GetFederationToken"),
            federated,
            as_federated,
            "session of arn:aws:sts::111122223333:federated-user/sys",
        ),
        (
            ("ec2-instance-connect", "SendSSHPublicKey"),
            machine(),
            here.clone(),
            "session of instance i-0123456789abcdef3",
        ),
        (("ec2-instance-connect", "SendSerialConsoleSSHPublicKey"), machine(), here, "session of instance i-"),
        (("ec2", "RunScheduledInstances"), started, away.clone(), "session of instance i-0123456789abcdef3"),
    ] {
        let analysis = leads(call, more, vec![then]);
        assert_eq!(listed(&analysis), ["noon", "acts"], "{call:?}");
        let how = how(&analysis);
        assert!(how.starts_with(&format!("{}: {by}", call.1)), "{how}");
    }
    // Who has a way in is not the machine: what that does from its own place stays its own.
    let entered = leads(("ec2-instance-connect", "SendSSHPublicKey"), machine(), vec![away]);
    assert_eq!(listed(&entered), ["noon"]);
}

#[test]
fn a_role_that_the_console_is_switched_to_is_followed_wherever_it_goes() {
    let role = ("Admin", "ci");
    let switched = |from: &str| {
        let more = json!({"additionalEventData": {"SwitchFrom": from}});
        let switch = by_role(730, "switch", "", role, ("signin", "SwitchRole"), more);
        let mut session = acts(role, AWAY);
        session["userIdentity"]["sessionContext"] = json!({"attributes": {"creationDate": "2026-01-31T12:10:00Z"}});
        leads(("sts", "GetCallerIdentity"), json!({"readOnly": true}), vec![switch, session])
    };
    let theirs = switched(&format!("arn:aws:iam::{ACCOUNT}:user/ci"));
    assert_eq!(listed(&theirs), ["noon", "switch", "acts"]);
    assert_eq!(how(&theirs), format!("SwitchRole: session arn:aws:sts::{ACCOUNT}:assumed-role/Admin/ci"));
    assert_eq!(listed(&switched(&format!("arn:aws:iam::{ACCOUNT}:user/ana"))), ["noon"], "somebody else's");
}
