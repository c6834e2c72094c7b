//! The sessions that an IAM Identity Center user still has: denied in their permission set, and nobody else's.

use aws_sdk_iam::error::ProvideErrorMetadata;
use chrono::TimeDelta;
use irp_sandbox::aws::KeyPair;

use crate::identity_center::{CENTER, INSTANCE, SET, alert_about, approved, as_the_organizations_role, code};
use crate::organization::ORGANIZATION;
use crate::world::{ANA, CHRIS, ORGANISATION, World};

const DENY: &str = "· Deny Identity Center user sam.lee everything in AdministratorAccess";
const TAKE: &str = "· Take AdministratorAccess in account 111122223333 from Identity Center user sam.lee";
/// What the customer's own policy says.
const THEIRS: &str = r#"{
  "Version": "2012-10-17",
  "Statement": { "Sid": "NoLeaving", "Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*" }
}"#;

async fn with_a_stolen_session(theirs: Option<&str>) -> (World, KeyPair) {
    let w = World::start_with_rules(&format!("{ORGANISATION}{ORGANIZATION}{CENTER}")).await;
    w.account.set_permission_set_policy(theirs);
    let session = alert_about(&w, "sam.lee").await;
    w.until("it is offered", |w| w.offers(DENY, "irp.request")).await;
    (w, session)
}

/// Whether a session can do something, or what AWS says.
async fn lists(w: &World, session: &KeyPair) -> Result<(), String> {
    let answer = aws_sdk_iam::Client::new(&w.sdk(session)).list_users().send().await.map(drop);
    answer.map_err(|error| error.message().unwrap_or_default().to_owned())
}

async fn undone(w: &World, card: &str, undo: &str) {
    w.click(ANA, card, "irp.undo").await;
    w.until_card(undo, "waiting for approval").await;
    w.click(CHRIS, undo, "irp.approve").await;
    w.until_card(undo, "carried out and verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_running_session_is_denied_and_nobody_elses() {
    let (w, stolen) = with_a_stolen_session(Some(THEIRS)).await;
    let other = w.account.identity_center_session("jo.kim").unwrap();
    // Taking the access alone leaves the session alive.
    w.carry_out(TAKE, ANA, CHRIS).await;
    assert_eq!(lists(&w, &stolen).await, Ok(()));

    w.click(ANA, DENY, "irp.request").await;
    w.until_card(DENY, "waiting for approval").await;
    let shown = w.card(ANA, DENY).unwrap()["blocks"].to_string();
    for part in
        ["sso:PutInlinePolicyToPermissionSet", "sso:ProvisionPermissionSet", "identitystore:UserId", "NoLeaving"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    w.click(CHRIS, DENY, "irp.approve").await;
    w.until_card(DENY, "carried out and verified").await;
    let refused = lists(&w, &stolen).await.unwrap_err();
    assert!(refused.contains("explicit deny in an identity-based policy"), "{refused}");
    assert_eq!(lists(&w, &other).await, Ok(()), "whoever else has the set goes on");
    let policy = w.account.provisioned_policy().unwrap();
    assert!(policy.contains("NoLeaving") && policy.contains("IrpINC1samZ2eZlee"), "{policy}");
    let calls = w.account.calls();
    let put = calls.iter().find(|call| call.operation == "PutInlinePolicyToPermissionSet").unwrap();
    let session = "arn:aws:sts::999988887777:assumed-role/irp-org-contain/INC-1.2";
    assert_eq!(put.caller_arn.as_deref(), Some(session));

    undone(&w, DENY, "Undo INC-1.2").await;
    assert_eq!(lists(&w, &stolen).await, Ok(()));
    assert_eq!(w.account.permission_set_policy().as_deref(), Some(THEIRS), "as it was written");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_was_no_policy_none_is_left_and_what_somebody_adds_meanwhile_stays() {
    let (w, stolen) = with_a_stolen_session(None).await;
    w.carry_out(DENY, ANA, CHRIS).await;
    undone(&w, DENY, "Undo INC-1.1").await;
    assert_eq!((w.account.permission_set_policy(), w.account.provisioned_policy()), (None, None));
    w.carry_out(DENY, ANA, CHRIS).await;
    assert!(lists(&w, &stolen).await.is_err());
    let mut policy: serde_json::Value = serde_json::from_str(&w.account.permission_set_policy().unwrap()).unwrap();
    let theirs: serde_json::Value = serde_json::from_str(THEIRS).unwrap();
    policy["Statement"].as_array_mut().unwrap().insert(0, theirs["Statement"].clone());
    w.account.set_permission_set_policy(Some(&policy.to_string()));
    undone(&w, DENY, "Undo INC-1.3").await;
    let left = w.account.permission_set_policy().unwrap();
    assert!(left.contains("NoLeaving") && !left.contains("Irp"), "{left}");
    assert_eq!(lists(&w, &stolen).await, Ok(()));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_that_somebody_takes_out_is_heard_of_and_put_back() {
    let (w, stolen) = with_a_stolen_session(Some(THEIRS)).await;
    w.carry_out(DENY, ANA, CHRIS).await;
    w.account.set_permission_set_policy(Some(THEIRS));
    w.clock.advance(TimeDelta::seconds(6));
    w.until("an alarm", |w| w.notes().iter().any(|n| n.contains("no longer denies user sam.lee"))).await;
    w.until_card(DENY, "no longer in force").await;
    w.carry_out(DENY, ANA, CHRIS).await;
    assert!(lists(&w, &stolen).await.is_err());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_aws_does_not_write_is_no_success_and_only_that_is_asked_for_again() {
    let (w, stolen) = with_a_stolen_session(None).await;
    w.account.fail_next_in_identity_center("Received a 404 status error");
    approved(&w, DENY).await;
    w.until_card(DENY, "it failed").await;
    let blocks = w.card(ANA, DENY).unwrap()["blocks"].to_string();
    assert!(blocks.contains("Received a 404 status error") && blocks.contains("the policy in the role"), "{blocks}");
    assert_eq!(lists(&w, &stolen).await, Ok(()));
    w.until("it can be asked for again", |w| w.offers(DENY, "irp.request")).await;
    w.carry_out(DENY, ANA, CHRIS).await;
    assert!(lists(&w, &stolen).await.is_err());
    let counts = ["PutInlinePolicyToPermissionSet", "ProvisionPermissionSet"].map(|call| w.account.count(call));
    assert_eq!(counts, [1, 2]);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_room_is_refused_with_what_to_do_instead() {
    let long: Vec<String> = (0..1_500).map(|n| format!("\"svc:Operation{n:09}\"")).collect();
    let long = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":[{}],"Resource":"*"}}]}}"#,
        long.join(",")
    );
    let (w, _) = with_a_stolen_session(Some(&long)).await;
    let answer = w.click(ANA, DENY, "irp.request").await;
    assert!(answer.contains("Identity Center takes 32768") && answer.contains("from the organization"), "{answer}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_takes_no_policy_that_aws_would_not() {
    let w = World::without_bot(false).await;
    let key = as_the_organizations_role(&w).await;
    let config = w.sdk(&key).to_builder().region(aws_config::Region::from_static("eu-west-1")).build();
    let sso = aws_sdk_ssoadmin::Client::new(&config);
    let put = async |document: &str| {
        let request = sso.put_inline_policy_to_permission_set().instance_arn(INSTANCE).permission_set_arn(SET);
        request.inline_policy(document).send().await
    };
    let with = |sids: &[&str]| {
        let one = |sid: &&str| format!(r#"{{"Sid":"{sid}","Effect":"Deny","Action":"*","Resource":"*"}}"#);
        let all: Vec<String> = sids.iter().map(one).collect();
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, all.join(","))
    };
    for document in [with(&["a-b"]), with(&["a", "a"]), "{".to_owned(), with(&[&"a".repeat(32_768)])] {
        assert_eq!(code(put(&document).await), "ValidationException");
    }
    put(&with(&["a", "b"])).await.unwrap();
    assert_eq!(w.account.provisioned_policy(), None, "no role has it yet");
    let provision = async |set: &str| {
        let request = sso.provision_permission_set().instance_arn(INSTANCE).permission_set_arn(set);
        request.target_type("AWS_ACCOUNT".into()).target_id("111122223333").send().await
    };
    assert_eq!(code(provision(&SET.replace("ps-0", "ps-1")).await), "ResourceNotFoundException");
    provision(SET).await.unwrap();
    assert_eq!(code(provision(SET).await), "ConflictException");
    w.until("the role has it", |w| w.account.provisioned_policy().is_some()).await;
}
