//! Approvals under attack: every way around the second person that other tools have had, and what people do
//! with requests besides saying yes.

use std::time::Duration;

use chrono::TimeDelta;
use irp::config::Organisation;
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::policy::Standing;
use irp::domain::refusal::Refusal;
use irp::domain::stored::Record;
use irp_sandbox::aws::KeyPair;
use irp_sandbox::slack::UserFlag;
use serde_json::json;

use crate::world::{ANA, BEN, CHRIS, DANA, KIM, ORGANISATION, ROOM, World};

mod whose;

const KEY: &str = "Deactivate access key";
const SESSIONS: &str = "Revoke all sessions minted";

/// After so long it is asked anew who somebody is.
const ANEW: Duration = Duration::from_millis(5_100);

async fn asked(w: &World) {
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
}

fn value(w: &World, card: &str, button: &str) -> String {
    let card = w.card(ANA, card).unwrap();
    let mut elements = card["blocks"].as_array().unwrap().iter().filter_map(|b| b["elements"].as_array()).flatten();
    let found = elements.find(|e| e["action_id"] == button);
    found.unwrap_or_else(|| panic!("no {button} on {card:#}"))["value"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_stolen_key_cannot_decide_and_the_card_says_so() {
    let w = World::start().await;
    asked(&w).await;
    let card = w.card(CHRIS, KEY).unwrap()["blocks"].to_string();
    assert!(
        card.contains("Cannot decide: <@U0KEYOWNR1> (the credential is theirs, by its tag `kim@example.com`)"),
        "{card}"
    );
    for button in ["irp.approve", "irp.deny"] {
        if button == "irp.deny" {
            let modal = w.form(KIM, KEY, button).await;
            let before = w.told(KIM).len();
            let reason = json!({"reason": {"reason": "leave it"}});
            w.slack.submit_view(KIM, modal["id"].as_str().unwrap(), &reason).await.unwrap();
            assert!(w.next_told(KIM, before).await.contains("the credential is yours"));
        } else {
            let answer = w.click(KIM, KEY, button).await;
            assert!(answer.contains("the credential is yours"), "{answer}");
        }
    }
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    // A refused click leaves the request as it was.
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_named_in_the_incident_cannot_decide() {
    let w = World::start().await;
    asked(&w).await;
    let modal = w.form(ANA, "evidence", "irp.name_subject").await;
    let before = w.told(ANA).len();
    let values = json!({"person": {"person": CHRIS}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &values).await.unwrap();
    w.next_told(ANA, before).await;
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("you are named in it"), "{answer}");
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_account_of_the_requester_is_the_requester() {
    let rules = format!("{ORGANISATION}[[person]]\nname = \"Ana\"\nslack = [\"{ANA}\", \"{CHRIS}\"]\n");
    let w = World::start_with_rules(&rules).await;
    asked(&w).await;
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("You asked for this yourself"), "{answer}");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvers_where_two_are_asked_for_and_one_takes_it_back() {
    let rules = ORGANISATION.replace("contain.quorum = 1", "contain.quorum = 2");
    let w = World::start_with_rules(&rules).await;
    asked(&w).await;
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("It waits for 1 more"), "{answer}");
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("already recorded"), "one person counts once: {answer}");
    w.until("it can be taken back", |w| w.offers(KEY, "irp.retract")).await;
    let answer = w.click(BEN, KEY, "irp.retract").await;
    assert!(answer.contains("You have not approved"), "{answer}");
    let answer = w.click(CHRIS, KEY, "irp.retract").await;
    assert!(answer.contains("is taken back for you, and waiting"), "{answer}");
    w.click(BEN, KEY, "irp.approve").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0, "one stands");
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_is_switched_off_right_after_their_yes_does_not_count_for_the_call() {
    let rules = ORGANISATION.replace("contain.quorum = 1", "contain.quorum = 2");
    let w = World::start_with_rules(&rules).await;
    w.slack.set_rate_limits(false);
    asked(&w).await;
    // Slack is asked about Chris at their press: its answer is new, and would be taken for a press of theirs.
    tokio::time::sleep(ANEW).await;
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("It waits for 1 more"), "{answer}");
    w.slack.set_user_flag(CHRIS, UserFlag::Deleted, true);
    let answer = w.click(BEN, KEY, "irp.approve").await;
    assert!(answer.contains("is recorded"), "{answer}");
    w.until_happened(1, |event| {
        let gone = Refusal::NotAMember(Standing::Deactivated);
        matches!(event, Event::ApprovalVoided { by, why, .. } if by.as_str() == CHRIS && *why == gone)
    })
    .await;
    w.until("it is said", |w| w.notes().iter().any(|note| note.contains("no longer counts"))).await;
    w.until("it waits for another", |w| w.offers(KEY, "irp.approve")).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_approves_and_nobody_outside_it() {
    let rules = ORGANISATION
        .replace(r#"approvers = ["U0RESPOND2", "U0APPROVE1", "U0KEYOWNR1"]"#, r#"approver_groups = ["S0SECURITY"]"#);
    let w = World::start_with_rules(&rules).await;
    asked(&w).await;
    let answer = w.click(DANA, KEY, "irp.approve").await;
    assert!(answer.contains("not on the list of approvers"), "{answer}");
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("is recorded"), "{answer}");
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_slack_does_not_know_stops_the_start() {
    let rules = ORGANISATION.replace("responders = [", "approver_groups = [\"S0NOSUCH01\"]\nresponders = [");
    let w = World::start_with_rules(&rules).await;
    let error = w.ended().await;
    assert!(error.contains("groups of irp.toml"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_end_what_was_asked_under_the_old_ones() {
    let w = World::start().await;
    asked(&w).await;
    let rules = ORGANISATION.replace("[people]", "contain.approve_within_minutes = 30\n[people]");
    let organisation = Organisation::parse(&rules, "irp.toml").unwrap();
    let read_at = w.clock.now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    w.reloads.as_ref().unwrap().send((organisation, read_at)).await.unwrap();
    w.until_card(KEY, "cancelled").await;
    w.until("it is told", |w| w.notes().iter().any(|n| n.contains("the rules in irp.toml have changed"))).await;
    let log = w.store.load(IncidentId::new(1)).await.unwrap();
    let as_read = |event: &Event| matches!(event, Event::RulesChanged { read_at: Some(at), .. } if *at == read_at);
    assert!(log.iter().any(|record| as_read(&record.event)), "they are as old as their reading");
    w.carry_out(KEY, ANA, CHRIS).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_names_older_rules_than_there_are_names_the_newest_before_long() {
    let w = World::start().await;
    w.incident().await;
    // As a process writes that is being drained.
    let id = IncidentId::new(1);
    let read_at = Some(w.clock.now() - TimeDelta::hours(1));
    let old = Event::RulesChanged { policy_version: "older".into(), read_at };
    loop {
        let log = w.store.load(id).await.unwrap();
        let record = Record::seal(log.last().map(Record::hash), w.clock.now(), old.clone());
        if w.store.append(id, log.len() as u64, &[record], None).await.is_ok() {
            break;
        }
    }
    w.until_happened(2, |event| matches!(event, Event::RulesChanged { .. })).await;
    w.carry_out(KEY, ANA, CHRIS).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_of_what_is_done_in_their_name_though_the_room_takes_nothing_any_more() {
    let w = World::start().await;
    asked(&w).await;
    w.until("Ana has a receipt", |w| w.receipts(ANA).len() == 1).await;
    w.slack.set_archived(ROOM, true);
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until("Chris has a receipt", |w| w.receipts(CHRIS).len() == 1).await;
    w.until("what was approved is done", |w| w.account.count("UpdateAccessKey") == 1).await;
    assert!(!w.says(KEY, "carried out and verified"));
    w.slack.set_archived(ROOM, false);
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.receipts(CHRIS).len(), 1, "once");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn this_was_not_me_stops_everything_until_the_lead_and_another_lift_it() {
    let w = World::start().await;
    asked(&w).await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until("both are asked for", |w| w.receipts(ANA).len() == 2).await;
    w.until_card(SESSIONS, "waiting for approval").await;
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.until("Chris has a receipt", |w| w.receipts(CHRIS).len() == 1).await;
    let receipt = w.receipts(CHRIS)[0].to_string();
    assert!(receipt.contains("You approved *Deactivate access key") && receipt.contains("INC-1.1"), "{receipt}");

    let answer = w.forged_click(DANA, "irp.not_me", "INC-1.1").await;
    assert!(answer.contains("names neither you"), "{answer}");
    let answer = w.was_not(CHRIS).await;
    assert!(answer.contains("are frozen"), "{answer}");
    w.until("everybody is told", |w| w.notes().iter().any(|n| n.contains("Approvals of this incident are frozen")))
        .await;
    let approve = value_of_second(&w);
    let answer = w.forged_click(BEN, "irp.approve", &approve).await;
    assert!(answer.contains("are frozen"), "{answer}");
    assert_eq!(w.account.count("PutUserPolicy"), 0);

    // A second victim can say so too, and what stands in their name ends.
    let answer = w.forged_click(ANA, "irp.not_me", "INC-1.2").await;
    assert!(answer.contains("are frozen"), "{answer}");
    w.until_card(SESSIONS, "cancelled").await;
    w.until_card("stolen AWS credential", "says that INC-1.2 was not them").await;
    w.until("it can be lifted", |w| w.offers("stolen AWS credential", "irp.unfreeze")).await;
    let answer = w.click(CHRIS, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("not whoever said"), "{answer}");
    let answer = w.click(DANA, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("Only the lead and another approver"), "{answer}");
    let answer = w.click(ANA, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("not whoever said"), "the lead, who disputes too: {answer}");
    w.click(BEN, "stolen AWS credential", "irp.unfreeze").await;
    let answer = w.click(BEN, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("agreed already"), "one person does not lift it: {answer}");
    w.click(BEN, "stolen AWS credential", "irp.lead").await;
    let answer = w.click(BEN, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("agreed already"), "nor as the lead: {answer}");
    let answer = w.click(KIM, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("Only the lead and another approver"), "nor with one who is recused: {answer}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_and_another_approver_lift_a_freeze_and_approvals_go_on() {
    let rules = ORGANISATION.replace("\"U0APPROVE1\", ", "\"U0APPROVE1\", \"U0STAKEHO1\", ");
    let w = World::start_with_rules(&rules).await;
    asked(&w).await;
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.was_not(CHRIS).await;
    let refused = w.forged_click(ANA, "irp.request", "INC-1 revoke-user-sessions").await;
    assert!(refused.contains("are frozen"), "{refused}");
    w.until("it can be lifted", |w| w.offers("stolen AWS credential", "irp.unfreeze")).await;
    w.click(DANA, "stolen AWS credential", "irp.unfreeze").await;
    let answer = w.click(ANA, "stolen AWS credential", "irp.unfreeze").await;
    assert!(answer.contains("The freeze is lifted"), "{answer}");
    w.carry_out(SESSIONS, ANA, BEN).await;
    w.end().await;
}

/// What the button of INC-1.2 carries, taken from the log: frozen, its card has none.
fn value_of_second(w: &World) -> String {
    let text = w.card(ANA, SESSIONS).unwrap()["blocks"].to_string();
    let digest = text.split("digest `").nth(1).and_then(|t| t.split('`').next()).unwrap();
    format!("INC-1.2 {digest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_can_end_a_request_and_others_cannot() {
    let w = World::start().await;
    asked(&w).await;
    let answer = w.click(BEN, KEY, "irp.withdraw").await;
    assert!(answer.contains("Only <@U0RESPOND1> can withdraw"), "{answer}");
    let answer = w.click(BEN, KEY, "irp.cancel").await;
    assert!(answer.contains("Only the lead"), "{answer}");
    w.click(BEN, "stolen AWS credential", "irp.lead").await;
    let answer = w.click(BEN, KEY, "irp.cancel").await;
    assert!(answer.contains("is cancelled"), "{answer}");
    w.until_card(KEY, "cancelled").await;
    assert!(w.offers(KEY, "irp.request"), "it can be asked for again");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_is_asked_for_anew_and_the_old_request_gives_way() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until_card(SESSIONS, "waiting for approval").await;
    let step = "INC-1 revoke-user-sessions";
    let answer = w.forged_click(BEN, "irp.request", step).await;
    assert!(answer.contains("INC-1.1 is already waiting"), "the same again is no news: {answer}");
    let old = value(&w, SESSIONS, "irp.approve");
    let theirs = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],
        "Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}]}"#;
    w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(theirs));
    w.forged_click(BEN, "irp.request", step).await;
    w.until("the old one gives way", |w| {
        w.notes().iter().any(|n| n.contains("Superseded: INC-1.1") && n.contains("gives way to INC-1.2"))
    })
    .await;
    let answer = w.forged_click(CHRIS, "irp.approve", &old).await;
    assert!(answer.contains("superseded by INC-1.2"), "{answer}");
    assert_eq!(w.account.count("PutUserPolicy"), 0);
    w.until("the new one is on the card", |w| value(w, SESSIONS, "irp.approve").starts_with("INC-1.2")).await;
    w.click(CHRIS, SESSIONS, "irp.approve").await;
    w.until_card(SESSIONS, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_of_other_requests_versions_and_incidents_are_told_and_do_nothing() {
    let w = World::start().await;
    asked(&w).await;
    w.click(ANA, SESSIONS, "irp.request").await;
    w.until_card(SESSIONS, "waiting for approval").await;
    let (key, sessions) = (value(&w, KEY, "irp.approve"), value(&w, SESSIONS, "irp.approve"));
    let mixed = format!("{} {}", key.split(' ').next().unwrap(), sessions.split(' ').nth(1).unwrap());
    for (made_up, says) in [
        (mixed.as_str(), "another version"),
        ("INC-1.1", "another version"),
        ("INC-1.9 0123456789ab", "not known here"),
        ("INC-77.1 0123456789ab", "not known here"),
        ("nonsense", "another version of the bot"),
    ] {
        let answer = w.forged_click(CHRIS, "irp.approve", made_up).await;
        assert!(answer.contains(says), "{made_up}: {answer}");
    }
    // The bot's search can write something down after it.
    let last = async || {
        let log = w.store.load(irp::domain::id::IncidentId::new(1)).await.unwrap();
        let mut events = log.into_iter().map(|record| record.event);
        events.rfind(|event| matches!(event, Event::AttemptRefused { .. })).expect("a refusal")
    };
    for made_up in ["INC-1 restore-everything", "INC-1.1 0123456789ab"] {
        let answer = w.forged_click(DANA, "irp.of_another_version", made_up).await;
        assert!(answer.contains("another version of the bot"), "{answer}");
        let last = last().await;
        assert!(
            matches!(&last, Event::AttemptRefused { by, refusal: Refusal::UnknownButton, .. } if by.as_str() == DANA),
            "{last:?}"
        );
    }
    w.command(ANA, "/irp close INC-1 false-positive ours").await;
    let answer = w.forged_click(CHRIS, "irp.approve", &key).await;
    assert!(answer.contains("INC-1 is closed"), "{answer}");
    let last = last().await;
    assert!(
        matches!(last, Event::AttemptRefused { refusal: Refusal::Closed(_), request: Some(_), .. }),
        "a press after the end is on record: {last:?}"
    );
    assert_eq!(w.account.count("UpdateAccessKey") + w.account.count("PutUserPolicy"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_their_name_misused_after_the_end_is_told_what_to_do_and_the_thread_is_told_of_it() {
    let w = World::start().await;
    asked(&w).await;
    w.click(CHRIS, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    w.until("Chris has a receipt", |w| w.receipts(CHRIS).len() == 1).await;
    w.command(ANA, "/irp close INC-1 false-positive ours").await;
    let heard = |w: &World| w.notes().iter().filter(|note| note.contains("says that INC-1.1 was not them")).count();
    for _ in 0..2 {
        let answer = w.was_not(CHRIS).await;
        assert!(answer.contains("INC-1 is closed") && answer.contains("Change your password"), "{answer}");
        w.until("the thread is told", |w| heard(w) == 1).await;
    }
    let answer = w.forged_click(DANA, "irp.not_me", "INC-1.1").await;
    assert!(answer.contains("names neither you"), "{answer}");
    let refused = async |who: &str| {
        let log = w.store.load(irp::domain::id::IncidentId::new(1)).await.unwrap();
        let is_theirs = |event: &Event| matches!(event, Event::AttemptRefused { by, .. } if by.as_str() == who);
        log.iter().filter(|record| is_theirs(&record.event)).count()
    };
    assert_eq!((refused(CHRIS).await, refused(DANA).await), (2, 1), "each attempt is on record");
    assert_eq!(heard(&w), 1, "and the thread hears of it once");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_are_kept_by_the_log_and_not_by_buttons() {
    let w = World::start().await;
    asked(&w).await;
    let approve = value(&w, KEY, "irp.approve");
    w.clock.advance(chrono::TimeDelta::minutes(16));
    let answer = w.forged_click(CHRIS, "irp.approve", &approve).await;
    assert!(answer.contains("The time to decide") || answer.contains("expired"), "{answer}");
    w.until_card(KEY, "it expired").await;
    assert!(w.offers(KEY, "irp.request"), "asked again in one press");
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn if_nobody_can_approve_everybody_is_told_whom_to_ask() {
    let rules = r#"
[approval]
contain.quorum = 1
loosen.quorum = 1
eradicate.quorum = 1

[people]
responders = ["U0RESPOND1", "U0RESPOND2"]
approvers = ["U0KEYOWNR1"]
escalation = ["U0STAKEHO1"]

[[person]]
name = "Kim"
slack = ["U0KEYOWNR1"]
aws = ["kim@example.com"]

[[account]]
id = "111122223333"
name = "sandbox"
reader_role_arn = "arn:aws:iam::111122223333:role/irp-reader"
contain_role_arn = "arn:aws:iam::111122223333:role/irp-contain"
"#;
    let w = World::start_with_rules(rules).await;
    w.incident().await;
    let answer = w.click(ANA, KEY, "irp.request").await;
    assert!(answer.contains("Nobody could approve this") && answer.contains("Ask <@U0STAKEHO1>"), "{answer}");
    w.until("the thread is told", |w| w.notes().iter().any(|n| n.contains("Nobody could approve this"))).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approvers_who_have_left_the_workspace_are_nobody_to_wait_for() {
    let w = World::start().await;
    w.incident().await;
    for gone in [BEN, CHRIS] {
        w.slack.set_user_flag(gone, UserFlag::Deleted, true);
    }
    let answer = w.click(ANA, KEY, "irp.request").await;
    assert!(answer.contains("Nobody could approve this"), "{answer}");
    w.slack.set_user_flag(CHRIS, UserFlag::Deleted, false);
    tokio::time::sleep(ANEW).await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clicks_by_ten_people_make_one_call_and_each_gets_an_answer() {
    let approvers = r#""U0KEYOWNR1", "U0CROWD001", "U0CROWD002"]"#;
    let w = World::start_with_rules(&ORGANISATION.replace(r#""U0KEYOWNR1"]"#, approvers)).await;
    let crowd = ["U0CROWD001", "U0CROWD002", "U0CROWD003", "U0CROWD004"];
    for (user, name) in crowd.iter().zip(["lea", "mia", "noa", "ole"]) {
        w.slack.join(user, name);
    }
    w.slack.set_rate_limits(false);
    asked(&w).await;
    let approve = value(&w, KEY, "irp.approve");
    let people = [&[ANA, BEN, CHRIS, DANA, KIM, "U0GUEST001"], &crowd[..]].concat();
    let clicks = (0..1_000).map(|i| w.forged(people[i % people.len()], "irp.approve", &approve));
    futures_util::future::join_all(clicks).await;
    let told = || people.iter().map(|p| w.told(p).len()).sum::<usize>();
    // One more: the answer to the request itself.
    let limit = Duration::from_mins(2);
    w.until_within(limit, "every click is answered", |_| told() == 1_001).await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    w.end().await;
}
