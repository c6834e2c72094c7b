//! What is taken from a user of IAM Identity Center whose session is the attacker's.

use std::time::Duration;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use chrono::TimeDelta;
use futures_util::future::join_all;
use irp_sandbox::aws::{Fault, KeyPair};
use serde_json::json;

use crate::organization::ORGANIZATION;
use crate::world::{ANA, CHRIS, ORGANISATION, World};

/// A hung call is given up after 8 s and read back for 16 more.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);
pub(crate) const CENTER: &str = "identity_center_region = \"eu-west-1\"\n";
const ROLE: &str = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";
pub(crate) const SET: &str = "arn:aws:sso:::permissionSet/ssoins-6804sandbox0001/ps-0123456789abcdef";
pub(crate) const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-6804sandbox0001";

pub(crate) fn card(user: &str) -> String {
    format!("· Take AdministratorAccess in account 111122223333 from Identity Center user {user}")
}

/// An alert about a session of this user, which it gives back, and the step for it.
pub(crate) async fn alert_about(w: &World, user: &str) -> KeyPair {
    let session = w.account.identity_center_session(user).unwrap();
    let mut finding = w.finding("e-1", "f-1");
    finding["detail"]["resource"]["accessKeyDetails"] = json!({
        "accessKeyId": session.access_key_id, "userType": "AssumedRole", "userName": ROLE,
        "principalId": format!("{}:{user}", w.account.role_id(ROLE).unwrap()),
    });
    assert_eq!(w.alert(&finding).await, 202);
    w.until_within(LIMIT, "it is offered", |w| w.offers(&card(user), "irp.request")).await;
    session
}

pub(crate) async fn with_a_stolen_session_of(user: &str) -> World {
    let w = World::start_with_rules(&format!("{ORGANISATION}{ORGANIZATION}{CENTER}")).await;
    alert_about(&w, user).await;
    w
}

pub(crate) async fn approved(w: &World, card: &str) {
    w.click(ANA, card, "irp.request").await;
    w.until_card(card, "waiting for approval").await;
    w.click(CHRIS, card, "irp.approve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_access_is_taken_whichever_way_it_comes_and_can_be_given_back() {
    for (user, calls) in [
        ("sam.lee", &["DeleteAccountAssignment"][..]),
        ("jo.kim", &["DeleteGroupMembership"]),
        ("max.berg", &["DeleteAccountAssignment", "DeleteGroupMembership"]),
    ] {
        let w = with_a_stolen_session_of(user).await;
        let card = card(user);
        w.carry_out(&card, ANA, CHRIS).await;
        assert!(w.account.identity_center_session(user).is_none(), "{user} gets no new session");
        let made: Vec<String> = w.account.calls().into_iter().map(|call| call.operation).collect();
        let made: Vec<&str> = made
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("Delete") && !name.contains("Status"))
            .collect();
        assert_eq!(made, calls, "{user}");
        w.click(ANA, &card, "irp.undo").await;
        w.until_card("Undo INC-1.1", "waiting for approval").await;
        w.click(CHRIS, "Undo INC-1.1", "irp.approve").await;
        w.until_card("Undo INC-1.1", "carried out and verified").await;
        assert!(w.account.identity_center_session(user).is_some(), "{user} has it again");
        w.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_is_given_again_is_heard_of() {
    let w = with_a_stolen_session_of("jo.kim").await;
    let card = card("jo.kim");
    w.carry_out(&card, ANA, CHRIS).await;
    w.account.assign_directly("jo.kim");
    w.clock.advance(TimeDelta::seconds(6));
    w.until("an alarm", |w| w.notes().iter().any(|n| n.contains("again, by the user's own assignment"))).await;
    w.until_card(&card, "no longer in force").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_takes_on_and_does_not_do_is_no_success() {
    let w = with_a_stolen_session_of("sam.lee").await;
    let card = card("sam.lee");
    w.account.fail_next_in_identity_center("Received a 404 status error");
    approved(&w, &card).await;
    w.until_card(&card, "it failed").await;
    let blocks = w.card(ANA, &card).unwrap()["blocks"].to_string();
    assert!(blocks.contains("Received a 404 status error") && blocks.contains("the user's own assignment"), "{blocks}");
    w.until("it can be asked for again", |w| w.offers(&card, "irp.request")).await;
    w.carry_out(&card, ANA, CHRIS).await;
    w.end().await;
}

async fn goes_wrong((user, call): (&str, &str), (fault, done): (Fault, bool)) {
    let w = with_a_stolen_session_of(user).await;
    let card = card(user);
    w.account.fail_next(call, fault);
    approved(&w, &card).await;
    let says = match fault {
        _ if done => "carried out and verified",
        Fault::AccessDenied => "it failed",
        _ => "its outcome is not known",
    };
    w.until_within(LIMIT, &format!("{call}, {fault:?}: {says}"), |w| w.says(&card, says)).await;
    assert_eq!(w.account.count(call), 1, "{fault:?}");
    assert_eq!(w.account.identity_center_session(user).is_none(), done, "{call}, {fault:?}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_it_the_card_says_how_it_stands() {
    let calls = [("sam.lee", "DeleteAccountAssignment"), ("jo.kim", "DeleteGroupMembership")];
    let faults = [(Fault::AccessDenied, false), (Fault::HangBefore, false), (Fault::DropAfter, true)];
    join_all(calls.iter().flat_map(|call| faults.map(|fault| goes_wrong(*call, fault)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_region_identity_center_is_for_people() {
    let w = World::start_with_rules(&format!("{ORGANISATION}{ORGANIZATION}")).await;
    let finding = {
        let mut finding = w.finding("e-1", "f-1");
        finding["detail"]["resource"]["accessKeyDetails"] = json!({
            "accessKeyId": w.account.identity_center_session("jo.kim").unwrap().access_key_id,
            "userType": "AssumedRole", "userName": ROLE,
            "principalId": format!("{}:jo.kim", w.account.role_id(ROLE).unwrap()),
        });
        finding
    };
    assert_eq!(w.alert(&finding).await, 202);
    w.until("the other step is there", |w| w.card(ANA, "· Deny the older sessions of role").is_some()).await;
    assert!(w.card(ANA, &card("jo.kim")).is_none());
    w.end().await;
}

pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    answer: Result<T, SdkError<E>>,
) -> String {
    match answer.unwrap_err() {
        SdkError::ServiceError(refused) => refused.err().code().unwrap_or_default().to_owned(),
        other => panic!("no answer of the service: {other:?}"),
    }
}

/// A session of the role that changes things in the management account.
pub(crate) async fn as_the_organizations_role(w: &World) -> KeyPair {
    let sts = aws_sdk_sts::Client::new(&w.sdk(&w.account.access_keys("irp-bot")[0]));
    let role = "arn:aws:iam::999988887777:role/irp-org-contain";
    let given = sts.assume_role().role_arn(role).role_session_name("test").send().await.unwrap().credentials.unwrap();
    KeyPair {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret_access_key,
        session_token: Some(given.session_token),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxs_identity_center_refuses_what_aws_refuses() {
    use aws_sdk_ssoadmin::types::{PrincipalType, TargetType};
    let w = World::without_bot(false).await;
    let there = |key: &KeyPair, region: &'static str| {
        w.sdk(key).to_builder().region(aws_config::Region::from_static(region)).build()
    };
    let member = w.account.access_keys("deploy-bot")[0].clone();
    let asked = aws_sdk_ssoadmin::Client::new(&there(&member, "eu-west-1")).list_instances().send().await;
    assert_eq!(code(asked), "AccessDeniedException");
    let key = as_the_organizations_role(&w).await;
    let delete = async |region: &'static str, user: &str| {
        let sso = aws_sdk_ssoadmin::Client::new(&there(&key, region));
        let request = sso.delete_account_assignment().instance_arn(INSTANCE).target_id("111122223333");
        let request = request.target_type(TargetType::AwsAccount).principal_type(PrincipalType::User);
        request.permission_set_arn(SET).principal_id(user).send().await
    };
    assert_eq!(code(delete("us-east-1", "nobody").await), "ResourceNotFoundException");
    assert_eq!(code(delete("eu-west-1", "nobody").await), "ResourceNotFoundException");
    let store = aws_sdk_identitystore::Client::new(&there(&key, "eu-west-1"));
    let gone = store.delete_group_membership().identity_store_id("d-93670sandb").membership_id("m").send().await;
    assert_eq!(code(gone), "ResourceNotFoundException");
    assert!(w.account.identity_center_session("nobody").is_none());
}
