//! The search through the trail and the proof of containment: conversations against the sandbox's account.

use std::time::{Duration, Instant};

use aws_sdk_iam::types::StatusType;
use chrono::TimeDelta;
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp_sandbox::aws::KeyPair;
use serde_json::json;

use crate::world::{ANA, BEN, CHRIS, DANA, KIM, World};

mod followed;
mod logs;
mod pace;
mod people;
mod search;

pub(crate) use logs::rules as rules_with_logs;

const ALL: &str = "Contain everything at once";
const HUNT: &str = "INC-1 hunt";
const PROOF: &str = "Containment proof";
const ID: IncidentId = IncidentId::new(1);

fn blocks(w: &World, card: &str) -> String {
    w.card(ANA, card).unwrap_or_else(|| panic!("no card {card}"))["blocks"].to_string()
}

/// How many searches have come to their end.
async fn sweeps(w: &World) -> usize {
    let records = w.store.load(ID).await.unwrap();
    records.iter().filter(|record| matches!(record.event, Event::TrailSwept { .. })).count()
}

/// Lets time pass and waits until the trail has been searched since.
async fn pass(w: &World, minutes: i64) {
    let before = sweeps(w).await;
    w.clock.advance(TimeDelta::minutes(minutes) + TimeDelta::seconds(1));
    let deadline = Instant::now() + Duration::from_mins(1);
    while sweeps(w).await == before {
        assert!(Instant::now() < deadline, "the trail is not searched: {:#?}", w.texts());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The attacker mints a session, takes a role, and makes a user with a key, whose id this is.
async fn attacker_settles(w: &World) -> String {
    let stolen = w.sdk(&w.account.access_keys("deploy-bot")[0]);
    aws_sdk_sts::Client::new(&stolen).get_session_token().duration_seconds(129_600).send().await.unwrap();
    let iam = aws_sdk_iam::Client::new(&stolen);
    iam.create_user().user_name("backdoor").send().await.unwrap();
    let made = iam.create_access_key().user_name("backdoor").send().await.unwrap();
    w.attacker_takes("app-deploy").await;
    made.access_key.unwrap().access_key_id
}

/// An incident in which all that was found is contained.
async fn contained() -> (World, String) {
    let w = World::start().await;
    w.account.lasts("irp-reader");
    let made = attacker_settles(&w).await;
    w.incident().await;
    w.until_card(&format!("Deactivate access key {made} of user backdoor"), "not asked for yet").await;
    w.until_card(ALL, "5 steps, not asked for yet").await;
    w.click(ANA, ALL, "irp.request_all").await;
    w.until_card(ALL, "waiting for approval").await;
    w.click(BEN, ALL, "irp.approve").await;
    w.until_card(ALL, "5 of 5 in force").await;
    (w, made)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_attacker_made_is_found_contained_and_proven_to_be() {
    let (w, made) = contained().await;
    w.until_card(HUNT, "reached").await;
    for part in [&*made, "CreateAccessKey", "AWS::IAM::User", "`backdoor`", "app-deploy", "GetSessionToken"] {
        w.until(part, |w| blocks(w, HUNT).contains(part)).await;
    }
    let records = w.store.load(ID).await.unwrap();
    let made_by = records.iter().find_map(|record| match &record.event {
        Event::TrailHunted { found } => {
            let reached = found.credentials.iter().find(|c| c.access_key_id.as_deref() == Some(&made))?;
            reached.event_id.clone()
        }
        _ => None,
    });
    let says = |note: &String| note.contains(&made) && note.contains("has reached");
    w.until("a note", |w| w.notes().iter().any(says)).await;
    let note = w.notes().into_iter().find(says).expect("a note");
    assert!(note.contains(&made_by.expect("an event proves it")), "{note}");
    assert_eq!(w.account.key_status(&made), Some(irp_sandbox::aws::KeyStatus::Inactive));
    assert!(w.account.user_inline_policy("backdoor", "AWSRevokeOlderSessions").is_some());
    // What the store keeps of the trail has no token in it.
    let kept = w.store.trail(ID).await.unwrap();
    assert!(kept.records.values().any(|text| text.contains("GetSessionToken")));
    let tokens = |text: &str| text.split("sessionToken\":\"").skip(1).map(str::to_owned).collect::<Vec<_>>();
    let tokens: Vec<String> = kept.records.values().flat_map(|text| tokens(text)).collect();
    assert!(!tokens.is_empty() && tokens.iter().all(|token| token.starts_with("[removed]")), "{tokens:?}");

    pass(&w, 1).await;
    w.until_card(PROOF, "quiet, not settled yet").await;
    assert!(w.command(ANA, "/irp status").await.contains("· Contained as far as known, not proven ·"));
    pass(&w, 31).await;
    let bars = blocks(&w, PROOF);
    assert!(bars.contains("us-east-1") && bars.contains("of 30 min"), "{bars}");
    pass(&w, 6).await;
    w.until_card(PROOF, "verified").await;
    w.until("a note", |w| w.notes().iter().any(|note| note.contains("Containment is verified"))).await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("Contained and verified") && status.contains("Delete user backdoor"), "{status}");
    assert!(!w.offers(PROOF, "irp.accept_risk"), "nothing is left to accept");
    w.carry_out("· Delete user backdoor", ANA, BEN).await;
    assert_eq!(w.account.key_status(&made), None, "the user is gone, and its key with it");
    assert!(w.account.key_status(&w.stolen_key()).is_some(), "the victim is not");

    // That nothing is left is believed after two sweeps that find nothing new.
    w.until_card("Eradication", "that is to be confirmed").await;
    assert!(blocks(&w, "Eradication").contains("0 of 2 sweeps"), "{}", blocks(&w, "Eradication"));
    let early = w.command(ANA, "/irp close INC-1 resolved").await;
    assert!(early.contains("eradication is not done") && early.contains("0 of 2 sweeps"), "{early}");
    for _ in 0..6 {
        pass(&w, 16).await;
    }
    w.until_card("Eradication", "nothing is left, and nothing new is found").await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("Nothing is left of the attacker"), "{status}");
    assert!(w.command(ANA, "/irp close INC-1 resolved").await.contains("Closed INC-1"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_through_fails_it_and_leads_back_to_containment() {
    let (w, _) = contained().await;
    pass(&w, 2).await;
    let session: KeyPair = w.account.mint_session("app-deploy/backup-job").unwrap();
    let iam = aws_sdk_iam::Client::new(&w.sdk(&session));
    iam.list_roles().send().await.expect("a session from after the cut-off works");
    pass(&w, 6).await;
    w.until_card(PROOF, "failed").await;
    w.until("everybody is called", |w| w.notes().iter().any(|n| n.contains("Containment has failed"))).await;
    let note = w.notes().into_iter().find(|n| n.contains("Containment has failed")).unwrap();
    assert!(note.contains("iam:ListRoles") && note.contains(&format!("<@{ANA}>")), "{note}");
    assert!(note.contains(&format!("<@{BEN}>")) && note.contains(&session.access_key_id), "{note}");
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("Containment") && status.contains("got through after it"), "{status}");
    w.carry_out("· Revoke all older sessions of role app-deploy", ANA, BEN).await;
    let status = w.command(ANA, "/irp status").await;
    assert!(status.contains("· Contained as far as known, not proven ·"), "{status}");
    w.until("it is judged anew", |w| !w.says(PROOF, "failed")).await;
    assert!(iam.list_roles().send().await.is_err(), "the session is dead");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_trail_shows_late_still_turns_the_verdict() {
    let (w, _) = contained().await;
    pass(&w, 2).await;
    let session: KeyPair = w.account.mint_session("app-deploy/backup-job").unwrap();
    w.account.set_trail_delay(TimeDelta::minutes(60));
    let iam = aws_sdk_iam::Client::new(&w.sdk(&session));
    iam.list_roles().send().await.expect("a session from after the cut-off works");
    w.account.set_trail_delay(TimeDelta::minutes(5));
    for minutes in [1, 31, 6] {
        pass(&w, minutes).await;
    }
    w.until_card(PROOF, "verified").await;
    pass(&w, 15).await;
    pass(&w, 15).await;
    w.until_card(PROOF, "failed").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_can_go_on_without_proof_and_nobody_alone() {
    let (w, _) = contained().await;
    w.until("it can be accepted", |w| w.offers(PROOF, "irp.accept_risk")).await;
    assert!(w.click(DANA, PROOF, "irp.accept_risk").await.contains("Only responders"));
    assert!(w.click(KIM, PROOF, "irp.accept_risk").await.contains("the credential is yours"));
    let accept = async |person: &str| {
        let modal = w.form(person, PROOF, "irp.accept_risk").await;
        let before = w.told(person).len();
        let filled = json!({"reason": {"reason": "the shop opens at six"}});
        w.slack.submit_view(person, modal["id"].as_str().unwrap(), &filled).await.unwrap();
        w.next_told(person, before).await
    };
    assert!(accept(ANA).await.contains("takes a second person"));
    w.until("the card says so", |w| blocks(w, PROOF).contains("accepted by one")).await;
    assert!(w.command(ANA, "/irp status").await.contains("· Contained as far as known, not proven ·"));
    assert!(w.click(ANA, PROOF, "irp.accept_risk").await.contains("accepted it already"));
    assert!(w.forged_click(CHRIS, "irp.accept_risk", "INC-1 12345").await.contains("has changed"));
    assert!(accept(CHRIS).await.contains("in your name and that of another"));
    w.until_card(PROOF, "the risk is accepted").await;
    assert!(w.command(ANA, "/irp status").await.contains("Contained, risk accepted"));
    w.until("it is in the thread", |w| w.notes().iter().any(|n| n.contains("The risk is accepted"))).await;
    let records = w.store.load(ID).await.unwrap();
    let refused = records
        .iter()
        .filter(|r| matches!(&r.event, Event::AttemptRefused { attempt, .. } if attempt == "accept the risk"));
    assert_eq!(refused.count(), 4, "each no is on record");

    // Another containment is another risk.
    w.carry_out("· Revoke all older sessions of role app-deploy", ANA, BEN).await;
    assert!(w.command(ANA, "/irp status").await.contains("· Contained as far as known, not proven ·"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_attacker_has_set_is_contained_and_watched() {
    const PASSWORD: &str = "· Delete the console password of user backdoor";
    let w = World::start().await;
    let stolen = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    stolen.create_user().user_name("backdoor").send().await.unwrap();
    stolen.create_login_profile().user_name("backdoor").password("hunter2-hunter2").send().await.unwrap();
    w.clock.advance(TimeDelta::minutes(6));
    w.incident().await;
    w.until_card(PASSWORD, "not asked for yet").await;
    w.carry_out(PASSWORD, ANA, BEN).await;
    assert!(!w.account.has_password("backdoor"));
    assert!(w.account.console_session("backdoor", "198.51.100.77").is_none(), "nobody signs in any more");
    stolen.create_login_profile().user_name("backdoor").password("hunter3-hunter3").send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(20));
    w.until("it is noticed", |w| w.notes().iter().any(|note| note.contains("has a password for the console again")))
        .await;
    w.until("it can be asked for again", |w| w.offers(PASSWORD, "irp.request")).await;
    w.end().await;
}

impl World {
    /// Has a user of this key enrol a virtual device on the stolen key's user. Its serial number.
    pub(crate) async fn enrols(&self, iam: &aws_sdk_iam::Client, name: &str) -> String {
        let made = iam.create_virtual_mfa_device().virtual_mfa_device_name(name).send().await.unwrap();
        let serial = made.virtual_mfa_device.unwrap().serial_number;
        let enable = iam.enable_mfa_device().user_name("deploy-bot").serial_number(&serial);
        enable.authentication_code1("123456").authentication_code2("654321").send().await.unwrap();
        serial
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_for_one_service_that_the_attacker_has_made_is_contained_and_watched() {
    const CREDENTIAL: &str = "· Deactivate service-specific credential ACCA";
    let w = World::start().await;
    let stolen = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    let asked =
        stolen.create_service_specific_credential().user_name("deploy-bot").service_name("bedrock.amazonaws.com");
    let made = asked.send().await.unwrap().service_specific_credential.unwrap();
    w.clock.advance(TimeDelta::minutes(6));
    w.incident().await;
    w.until_card(CREDENTIAL, "not asked for yet").await;
    w.carry_out(CREDENTIAL, ANA, BEN).await;
    let changed: Vec<_> =
        w.account.calls().into_iter().filter(|call| call.operation == "UpdateServiceSpecificCredential").collect();
    assert!(changed.len() == 1 && changed[0].caller_arn.as_deref().unwrap().contains("irp-contain/INC-1."));
    assert!(!w.offers(CREDENTIAL, "irp.undo"), "whoever has it could use it at once");
    let on = stolen.update_service_specific_credential().user_name("deploy-bot");
    let on = on.service_specific_credential_id(&made.service_specific_credential_id).status(StatusType::Active);
    on.send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(20));
    w.until("it is noticed", |w| w.notes().iter().any(|note| note.contains("is Active again"))).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_mfa_device_that_the_attacker_has_added_is_contained_and_watched() {
    const DEVICE: &str = "· Take MFA device phone off user deploy-bot";
    let w = World::start().await;
    let stolen = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    let serial = w.enrols(&stolen, "phone").await;
    w.clock.advance(TimeDelta::minutes(6));
    w.incident().await;
    w.until_card(DEVICE, "not asked for yet").await;
    w.carry_out(DEVICE, ANA, BEN).await;
    assert_eq!(w.account.mfa_devices("deploy-bot"), [""; 0]);
    let of_bot: Vec<_> = w.account.calls().into_iter().filter(|call| call.operation.ends_with("MFADevice")).collect();
    let sessions = of_bot.iter().rev().take(2).filter_map(|call| call.caller_arn.as_deref());
    assert!(sessions.clone().count() == 2 && sessions.into_iter().all(|arn| arn.contains("irp-contain/INC-1.")));
    assert_eq!(of_bot.last().unwrap().operation, "DeleteVirtualMFADevice", "its secret is worth nothing any more");
    assert!(!w.offers(DEVICE, "irp.undo"), "nobody has its secret");
    // The name is free, and the attacker uses it again.
    assert_eq!(w.enrols(&stolen, "phone").await, serial);
    w.clock.advance(TimeDelta::seconds(20));
    w.until("it is noticed", |w| w.notes().iter().any(|note| note.contains("is on user deploy-bot again"))).await;
    w.until("it can be asked for again", |w| w.offers(DEVICE, "irp.request")).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_role_was_stolen_gives_it_to_no_forged_request_any_more() {
    const REQUIRE: &str = "· Require IMDSv2 on instance";
    const REGION: &str = "us-east-1";
    let w = World::start().await;
    let instance = w.account.instances(REGION).remove(0);
    let stolen = w.account.forged_request_credentials(REGION, &instance).expect("no token is asked for");
    aws_sdk_iam::Client::new(&w.sdk(&stolen)).list_roles().send().await.unwrap();
    w.clock.advance(TimeDelta::minutes(6));
    w.command(ANA, &format!("/irp open {}", stolen.access_key_id)).await;
    w.until_within(Duration::from_mins(1), "the step is there", |w| w.says(REQUIRE, "not asked for yet")).await;
    w.click(ANA, REQUIRE, "irp.request").await;
    w.until_card(REQUIRE, "waiting for approval").await;
    let card = blocks(&w, REQUIRE);
    assert!(card.contains("IMDSv1 loses its role") && card.contains("ec2:ModifyInstanceMetadataOptions"), "{card}");
    w.click(BEN, REQUIRE, "irp.approve").await;
    w.until_within(Duration::from_mins(1), "it is required", |w| w.says(REQUIRE, "carried out and verified")).await;
    assert!(w.account.forged_request_credentials(REGION, &instance).is_none());
    assert!(w.account.instance_credentials(REGION, &instance).is_some(), "what asks with a token works on");
    let call = w.account.calls().into_iter().find(|call| call.operation == "ModifyInstanceMetadataOptions").unwrap();
    assert!(call.caller_arn.unwrap().contains("irp-contain/INC-1."));
    // Somebody turns it back, and is noticed.
    let owner = aws_sdk_ec2::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    let optional = owner.modify_instance_metadata_options().instance_id(&instance);
    let optional = optional.http_endpoint(aws_sdk_ec2::types::InstanceMetadataEndpointState::Enabled);
    optional.http_tokens(aws_sdk_ec2::types::HttpTokensState::Optional).send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(20));
    w.until("it is noticed", |w| w.notes().iter().any(|note| note.contains("without a token again"))).await;
    w.until("it can be asked for again", |w| w.offers(REQUIRE, "irp.request")).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responder_says_who_it_was_and_the_search_follows() {
    let w = World::start().await;
    attacker_settles(&w).await;
    w.incident().await;
    w.until_card(HUNT, "reached").await;
    w.until("it says how", |w| blocks(w, HUNT).contains("CreateAccessKey")).await;
    let say = async |person: &str, about: &str| {
        let modal = w.form(person, HUNT, "irp.overrule").await;
        let before = w.told(person).len();
        let filled = json!({"about": {"about": about}, "who": {"who": "owner"}, "reason": {"reason": "our own drill"}});
        let answer = w.slack.submit_view(person, modal["id"].as_str().unwrap(), &filled).await;
        (answer, before)
    };
    let (answer, _) = say(ANA, "the build server").await;
    assert!(format!("{answer:?}").contains("an access key id"), "the form says what it takes: {answer:?}");
    let (_, before) = say(KIM, &w.stolen_key()).await;
    assert!(w.next_told(KIM, before).await.contains("the credential is yours"));
    let (_, before) = say(BEN, &w.stolen_key()).await;
    assert!(w.next_told(BEN, before).await.contains("searched anew"));
    w.until("it is in the thread", |w| w.notes().iter().any(|note| note.contains("our own drill"))).await;
    w.until("the search has followed", |w| blocks(w, HUNT).contains("no other credential")).await;
    assert!(blocks(&w, HUNT).contains("by responders"), "{}", blocks(&w, HUNT));
    w.end().await;
}
