//! Whose credential it is, and who has no say for that.

use super::*;

/// The rules, where this of AWS is Ben's.
fn belonging_to_ben(arn: &str) -> String {
    format!("{ORGANISATION}[[person]]\nname = \"Ben\"\nslack = [\"{BEN}\"]\naws = [\"{arn}\"]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responders_own_stolen_key_is_contained_like_any_other_and_they_have_no_say() {
    let w = World::start_with_rules(&belonging_to_ben("arn:aws:iam::111122223333:user/deploy-bot")).await;
    asked(&w).await;
    let answer = w.click(BEN, KEY, "irp.approve").await;
    assert!(answer.contains("the credential is yours"), "{answer}");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.carry_out(SESSIONS, ANA, CHRIS).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_took_the_stolen_session_has_no_say_whatever_they_called_it() {
    const REVOKE: &str = "· Revoke all older sessions of role app-deploy";
    let w = World::start_with_rules(&belonging_to_ben("arn:aws:iam::111122223333:user/deploy-bot")).await;
    let sts = aws_sdk_sts::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    let taken = sts.assume_role().role_arn("arn:aws:iam::111122223333:role/app-deploy").role_session_name("backup-job");
    let given = taken.send().await.unwrap().credentials.unwrap();
    let session = KeyPair {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret_access_key,
        session_token: Some(given.session_token),
    };
    drop(aws_sdk_iam::Client::new(&w.sdk(&session)).list_users().send().await);
    // Until the trail shows both.
    w.clock.advance(chrono::TimeDelta::minutes(6));
    w.command(ANA, &format!("/irp open {}", session.access_key_id)).await;
    w.until("the step is there", |w| w.offers(REVOKE, "irp.request")).await;
    w.click(ANA, REVOKE, "irp.request").await;
    w.until_card(REVOKE, "waiting for approval").await;
    let answer = w.click(BEN, REVOKE, "irp.approve").await;
    assert!(answer.contains("the credential is yours"), "{answer}");
    assert_eq!(w.account.count("PutRolePolicy"), 0);
    w.click(CHRIS, REVOKE, "irp.approve").await;
    w.until_card(REVOKE, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_that_a_responder_works_through_is_left_to_people_but_what_was_done_to_it_can_be_taken_back() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/app-deploy";
    const REVOKE: &str = "· Revoke all older sessions of role app-deploy";
    let w = World::start().await;
    w.command(ANA, &format!("/irp open {ROLE}")).await;
    w.until("the step is there", |w| w.offers(REVOKE, "irp.request")).await;
    w.carry_out(REVOKE, ANA, CHRIS).await;
    let organisation = Organisation::parse(&belonging_to_ben(ROLE), "irp.toml").unwrap();
    w.reloads.as_ref().unwrap().send((organisation, w.clock.now())).await.unwrap();
    // From now on nobody locks Ben out, not even by asking for the same again.
    let told = || async { w.forged_click(ANA, "irp.request", "INC-1 revoke-role-sessions").await };
    let mut answer = told().await;
    for _ in 0..50 {
        if answer.contains("works through") {
            break;
        }
        w.until("what was asked for ends", |w| w.offers(REVOKE, "irp.request")).await;
        answer = told().await;
    }
    assert!(answer.contains("it is the role that <@U0RESPOND2> works through"), "{answer}");
    assert_eq!(w.account.count("PutRolePolicy"), 1);
    w.until("it can be undone", |w| w.offers(REVOKE, "irp.undo")).await;
    w.click(ANA, REVOKE, "irp.undo").await;
    w.until_card("Undo INC-1", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1", "irp.approve").await;
    w.until_card("Undo INC-1", "carried out and verified").await;
    assert!(w.account.role_inline_policy("app-deploy", "AWSRevokeOlderSessions").is_none());
    w.end().await;
}
