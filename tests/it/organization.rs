//! What is denied from the organization, and the sandbox's organization itself.

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{PolicyType, Tag};
use chrono::TimeDelta;
use irp_sandbox::aws::{Fault, KeyPair};

use crate::program::command;
use crate::redis_server::RedisServer;
use crate::world::{ANA, CHRIS, ORGANISATION, World};

pub(crate) const ORGANIZATION: &str = r#"
[organization]
reader_role_arn = "arn:aws:iam::999988887777:role/irp-org-reader"
contain_role_arn = "arn:aws:iam::999988887777:role/irp-org-contain"
"#;
const DENY: &str = "· Deny everything to user deploy-bot";
const DENY_ROLE: &str = "· Deny the older sessions of role app-deploy";
const NAME: &str = "irp-INC-1-111122223333-user-deploy-bot";
const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/app-deploy";

async fn start() -> World {
    World::start_with_rules(&format!("{ORGANISATION}{ORGANIZATION}")).await
}

async fn with_an_incident() -> World {
    let w = start().await;
    w.incident().await;
    w.until("it is offered", |w| w.offers(DENY, "irp.request")).await;
    w
}

fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, SdkError<E>>) -> String {
    match answer.unwrap_err() {
        SdkError::ServiceError(refused) => refused.err().code().unwrap_or_default().to_owned(),
        other => panic!("no answer of the service: {other:?}"),
    }
}

/// What the stolen key can still do.
async fn the_attacker_lists_users(w: &World) -> Result<(), String> {
    let iam = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    let answer = iam.list_users().send().await.map(drop);
    answer.map_err(|error| error.message().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_is_denied_from_outside_and_the_deny_can_be_taken_back() {
    let w = with_an_incident().await;
    w.until_card("Contain everything at once", "2 steps, not asked for yet").await;
    assert_eq!(the_attacker_lists_users(&w).await, Ok(()));
    w.click(ANA, DENY, "irp.request").await;
    w.until_card(DENY, "waiting for approval").await;
    let card = w.card(ANA, DENY).unwrap()["blocks"].to_string();
    for part in
        ["organizations:CreatePolicy", "organizations:AttachPolicy", "{policy-id}", "aws:userid", "DeletePolicy"]
    {
        assert!(card.contains(part), "{part}: {card}");
    }
    w.click(CHRIS, DENY, "irp.approve").await;
    w.until_card(DENY, "carried out and verified").await;

    let refused = the_attacker_lists_users(&w).await.unwrap_err();
    assert!(refused.contains("explicit deny in a service control policy"), "{refused}");
    let others = w.sdk(&w.account.access_keys("release-bot")[0]);
    let assumed =
        aws_sdk_sts::Client::new(&others).assume_role().role_arn(ROLE).role_session_name("release").send().await;
    assert!(assumed.is_ok(), "nobody else is denied: {assumed:?}");
    let policies = w.account.service_control_policies();
    assert_eq!((policies.len(), &*policies[0].name, policies[0].attached), (1, NAME, true));
    assert_eq!(policies[0].tags.get("irp-incident").map(String::as_str), Some("INC-1"));
    let calls = w.account.calls();
    let attach = calls.iter().find(|call| call.operation == "AttachPolicy").unwrap();
    let session = "arn:aws:sts::999988887777:assumed-role/irp-org-contain/INC-1.1";
    assert_eq!(attach.caller_arn.as_deref(), Some(session));

    w.click(ANA, DENY, "irp.undo").await;
    w.until_card("Undo INC-1.1", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1.1", "irp.approve").await;
    w.until_card("Undo INC-1.1", "carried out and verified").await;
    assert!(w.account.service_control_policies().is_empty());
    assert_eq!(the_attacker_lists_users(&w).await, Ok(()));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_loses_its_older_sessions_only() {
    let w = start().await;
    w.command(ANA, &format!("/irp open {ROLE}")).await;
    w.until("it is offered", |w| w.offers(DENY_ROLE, "irp.request")).await;
    let lists = async |session: &KeyPair| aws_sdk_iam::Client::new(&w.sdk(session)).list_roles().send().await.is_ok();
    let older = w.account.mint_session("app-deploy/attacker").unwrap();
    assert!(lists(&older).await);
    w.carry_out(DENY_ROLE, ANA, CHRIS).await;
    assert!(!lists(&older).await);
    w.clock.advance(TimeDelta::minutes(1));
    let newer = w.account.mint_session("app-deploy/release").unwrap();
    assert!(lists(&newer).await, "who may assume the role goes on working");
    // Again, for a session that has come since.
    w.until("it can be asked for again", |w| w.offers(DENY_ROLE, "irp.request")).await;
    w.carry_out(DENY_ROLE, ANA, CHRIS).await;
    w.until("the cut-off moves", |w| w.account.count("UpdatePolicy") == 1).await;
    w.until("it is denied too", |w| !w.account.service_control_policies().is_empty()).await;
    assert!(!lists(&newer).await);
    assert_eq!(w.account.count("CreatePolicy"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_that_somebody_detaches_is_heard_of_and_put_back() {
    let w = with_an_incident().await;
    w.carry_out(DENY, ANA, CHRIS).await;
    w.account.detach_service_control_policy_directly(NAME);
    w.clock.advance(TimeDelta::seconds(6));
    w.until("an alarm", |w| w.notes().iter().any(|n| n.contains("has been detached from account 111122223333"))).await;
    w.until_card(DENY, "no longer in force").await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("request all 3"), "what was put there is to stay: {status}");
    w.carry_out(DENY, ANA, CHRIS).await;
    assert!(the_attacker_lists_users(&w).await.is_err());
    assert_eq!((w.account.count("CreatePolicy"), w.account.count("UpdatePolicy")), (1, 1), "the same policy");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_off_in_the_middle_is_taken_up() {
    let w = with_an_incident().await;
    w.account.fail_next("AttachPolicy", Fault::AccessDenied);
    w.click(ANA, DENY, "irp.request").await;
    w.until_card(DENY, "waiting for approval").await;
    w.click(CHRIS, DENY, "irp.approve").await;
    w.until_card(DENY, "it failed").await;
    let card = w.card(ANA, DENY).unwrap()["blocks"].to_string();
    assert!(card.contains("1 call(s) were accepted, then organizations:AttachPolicy was refused"), "{card}");
    w.until("it can be asked for again", |w| w.offers(DENY, "irp.request")).await;
    w.carry_out(DENY, ANA, CHRIS).await;
    assert!(the_attacker_lists_users(&w).await.is_err());
    assert_eq!(w.account.service_control_policies().len(), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_organization_would_not_take_it_nobody_is_asked_to_approve() {
    let w = with_an_incident().await;
    w.account.switch_service_control_policies(false);
    let told = w.click(ANA, DENY, "irp.request").await;
    assert!(told.contains("aws organizations enable-policy-type --root-id r-sand"), "{told}");
    w.account.switch_service_control_policies(true);
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    for n in 1..=4 {
        w.account.put_service_control_policy_directly(&format!("guard-{n}"), all);
    }
    let told = w.click(ANA, DENY, "irp.request").await;
    assert!(told.contains("has 5 service control policies") && told.contains("guard-4"), "{told}");
    w.account.detach_service_control_policy_directly("guard-4");
    // What changes between the request and the call is seen.
    w.click(ANA, DENY, "irp.request").await;
    w.until_card(DENY, "waiting for approval").await;
    w.account.switch_service_control_policies(false);
    w.click(CHRIS, DENY, "irp.approve").await;
    w.until_card(DENY, "stale").await;
    assert_eq!(w.account.count("CreatePolicy"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_protected_is_not_denied_from_outside_either() {
    let protected = "\n[protected]\narns = [\"arn:aws:iam::111122223333:user/deploy-bot\"]\n";
    let w = World::start_with_rules(&format!("{ORGANISATION}{ORGANIZATION}{protected}")).await;
    w.incident().await;
    w.until("it is offered", |w| w.offers(DENY, "irp.request")).await;
    let told = w.click(ANA, DENY, "irp.request").await;
    assert!(told.contains("never contained by the bot"), "{told}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_identity_center_can_be_denied_though_iam_cannot_change_it() {
    let w = start().await;
    let name = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{name}");
    w.command(ANA, &format!("/irp open {arn}")).await;
    let deny = &format!("· Deny the older sessions of role {name}");
    w.until("it is offered", |w| w.offers(deny, "irp.request")).await;
    let session = w.account.mint_session(&format!("{name}/ana")).unwrap();
    let card = w.card(ANA, deny).unwrap()["blocks"].to_string();
    assert!(card.contains("disable the user there first"), "{card}");
    w.carry_out(deny, ANA, CHRIS).await;
    let refused = aws_sdk_iam::Client::new(&w.sdk(&session)).list_users().send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("service control policy"), "{refused:?}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_organization_there_is_no_such_step() {
    let w = World::start().await;
    w.incident().await;
    w.carry_out("· Deactivate access key", ANA, CHRIS).await;
    assert!(w.card(ANA, "from the organization").is_none());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn irp_check_tries_the_organization_and_says_what_is_wrong() {
    let redis = RedisServer::start();
    let w = World::without_bot(false).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("irp.toml"), format!("{ORGANISATION}{ORGANIZATION}")).unwrap();
    let check = async || {
        let mut command = command(&w, &redis, &dir, 0);
        command.arg("check");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (well, said) = check().await;
    assert!(well, "{said}");
    for line in [
        "aws organization: reading: o-sandbox0001 of management account 999988887777 is read",
        "aws organization: service control policies: switched on at r-sand",
        "aws organization: account sandbox: has 1 of its own",
        "aws organization: changing: arn:aws:iam::999988887777:role/irp-org-contain can be assumed",
    ] {
        assert!(said.contains(&format!("ok    {line}")), "{line}: {said}");
    }
    w.account.switch_service_control_policies(false);
    let (well, said) = check().await;
    assert!(!well && said.contains("WRONG aws organization: service control policies: "), "{said}");
}

/// A session of the role that contains, in the management account.
async fn manager(w: &World, role: &str) -> Client {
    let sts = aws_sdk_sts::Client::new(&w.sdk(&w.account.access_keys("irp-bot")[0]));
    let arn = format!("arn:aws:iam::999988887777:role/{role}");
    let given = sts.assume_role().role_arn(arn).role_session_name("test").send().await.unwrap().credentials.unwrap();
    let key = KeyPair {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret_access_key,
        session_token: Some(given.session_token),
    };
    Client::new(&w.sdk(&key))
}

const DENY_S3: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

async fn made(client: &Client, name: &str) -> String {
    let create = client.create_policy().name(name).description("d").content(DENY_S3);
    let answer = create.r#type(PolicyType::ServiceControlPolicy).send().await.unwrap();
    answer.policy.unwrap().policy_summary.unwrap().id.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxs_organization_refuses_what_aws_refuses() {
    let w = World::without_bot(false).await;
    let member = Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    assert_eq!(code(member.list_roots().send().await), "AccessDeniedException");
    let reader = manager(&w, "irp-org-reader").await;
    assert!(reader.list_roots().send().await.is_ok());
    let policies = manager(&w, "irp-org-contain").await;
    assert_eq!(code(policies.list_roots().send().await), "AccessDeniedException");

    let create = |name: &str, content: &str| {
        let create = policies.create_policy().name(name).description("d").content(content);
        create.r#type(PolicyType::ServiceControlPolicy).send()
    };
    let id = made(&policies, "one").await;
    assert_eq!(code(create("one", DENY_S3).await), "DuplicatePolicyException");
    assert_eq!(code(create("two", "{}").await), "MalformedPolicyDocumentException");
    assert_eq!(
        code(create("two", &DENY_S3.replace("s3:*", &"s3:x".repeat(1_300))).await),
        "ConstraintViolationException"
    );
    let attach = |id: &str, target: &str| policies.attach_policy().policy_id(id).target_id(target).send();
    let detach = |id: &str| policies.detach_policy().policy_id(id).target_id(ACCOUNT).send();
    assert_eq!(code(attach(&id, "444455556666").await), "TargetNotFoundException");
    assert_eq!(code(attach("p-00000000", ACCOUNT).await), "PolicyNotFoundException");
    assert_eq!(code(detach(&id).await), "PolicyNotAttachedException");
    attach(&id, ACCOUNT).await.unwrap();
    assert_eq!(code(attach(&id, ACCOUNT).await), "DuplicatePolicyAttachmentException");
    assert_eq!(code(policies.delete_policy().policy_id(&id).send().await), "PolicyInUseException");
    for n in 2..=4 {
        let id = made(&policies, &format!("p{n}")).await;
        attach(&id, ACCOUNT).await.unwrap();
    }
    let sixth = made(&policies, "sixth").await;
    assert_eq!(code(attach(&sixth, ACCOUNT).await), "ConstraintViolationException");
    detach(&id).await.unwrap();
    policies.delete_policy().policy_id(&id).send().await.unwrap();
    assert_eq!(code(policies.update_policy().policy_id(&id).content(DENY_S3).send().await), "PolicyNotFoundException");
    w.account.switch_service_control_policies(false);
    assert_eq!(code(attach(&sixth, ACCOUNT).await), "PolicyTypeNotEnabledException");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxs_account_is_bound_by_its_policies_and_aws_own_cannot_be_the_last_to_go() {
    let w = World::without_bot(false).await;
    let policies = manager(&w, "irp-org-contain").await;
    let iam = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    assert!(iam.list_users().send().await.is_ok());
    let only_s3 = DENY_S3.replace("Deny", "Allow");
    let full = "p-FullAWSAccess";
    let last = policies.detach_policy().policy_id(full).target_id(ACCOUNT).send().await;
    assert_eq!(code(last), "ConstraintViolationException");
    w.account.put_service_control_policy_directly("only-s3", &only_s3);
    assert!(iam.list_users().send().await.is_ok(), "one policy that allows is enough");
    policies.detach_policy().policy_id(full).target_id(ACCOUNT).send().await.unwrap();
    let refused = iam.list_users().send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("no service control policy allows"), "{refused:?}");
    // The policy that a tag is put on is asked for too.
    let tag = Tag::builder().key("irp-incident").value("INC-1").build().unwrap();
    let create = policies.create_policy().name("tagged").description("d").content(DENY_S3).tags(tag);
    create.r#type(PolicyType::ServiceControlPolicy).send().await.unwrap();
    let tagged = w.account.service_control_policies().into_iter().find(|policy| policy.name == "tagged").unwrap();
    assert_eq!(tagged.tags.len(), 1);
}
