//! What the bot may not do is done by people: one says so, another looks and confirms it, and both stand by their word.

use irp::domain::hunt::{Hunted, Reached, Trace};
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::fold;
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::trail::footprint::State;
use irp::view::report::report;
use serde_json::json;

use crate::world::{ANA, BEN, DANA, KIM, World};

const CONTAIN: &str = "Contain everything at once";
const TRAIL: &str = "· Make anew by hand: AWS::CloudTrail::Trail main";
const FAR: &str = "· Revoke all older sessions of role far in account 999988887777";

fn blocks(w: &World, card: &str) -> String {
    w.card(ANA, card).unwrap()["blocks"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_another_account_is_contained_on_two_peoples_word() {
    let w = World::start().await;
    w.incident().await;
    let session = Reached {
        access_key_id: Some("ASIAI44QH8DHBEXAMPLE".into()),
        principal: Some("arn:aws:sts::999988887777:assumed-role/far/s".into()),
        how: Some("AssumeRole".into()),
        event_id: Some("event-1".into()),
        last_worked_at: None,
    };
    w.found(Hunted { credentials: vec![session], ..Hunted::default() }).await;
    w.until_card(FAR, "not for the bot").await;
    w.until("containment is offered", |w| w.offers(CONTAIN, "irp.request_all")).await;
    w.click(ANA, CONTAIN, "irp.request_all").await;
    w.until_card(CONTAIN, "waiting for approval").await;
    w.click(BEN, CONTAIN, "irp.approve").await;
    w.until_card(CONTAIN, "in force").await;
    let status = async || w.command(ANA, "/irp status").await;
    assert!(status().await.contains("Done by hand"), "{}", status().await);
    assert!(!w.offers("Containment proof", "irp.accept_risk"), "nothing is to be accepted before it is done");

    assert!(w.click(DANA, FAR, "irp.say_done").await.contains("Only responders"));
    assert!(w.click(KIM, FAR, "irp.say_done").await.contains("the credential is yours"));
    let modal = w.form(ANA, FAR, "irp.say_done").await;
    let before = w.told(ANA).len();
    let filled = json!({"reason": {"reason": "Lee has revoked them there, ticket *7*"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    assert!(w.next_told(ANA, before).await.contains("counts once somebody else"));
    w.until_card(FAR, "to be confirmed").await;
    assert!(blocks(&w, FAR).contains("Lee has revoked them there"), "{}", blocks(&w, FAR));
    assert!(status().await.contains("confirm it on its card"));
    assert!(w.click(ANA, FAR, "irp.confirm_done").await.contains("somebody else has to confirm it"));
    let stale =
        w.forged_click(BEN, "irp.confirm_done", "INC-1 revoke-assumed-roles.999988887777.far 0123456789ab").await;
    assert!(stale.contains("has changed since"), "{stale}");
    let calls = w.account.calls().len();
    assert!(w.click(BEN, FAR, "irp.confirm_done").await.contains("Nothing was read back"));
    w.until_card(FAR, "done by hand, on two people's word").await;
    assert!(blocks(&w, FAR).contains("people's word: nothing was read back from AWS"), "{}", blocks(&w, FAR));
    w.until("it is contained", |w| w.card(ANA, "severity, Contained").is_some()).await;
    let changes = |call: &irp_sandbox::aws::CallRecord| call.operation.starts_with("Put");
    assert!(!w.account.calls()[calls..].iter().any(changes), "nothing is sent to AWS for it");
    w.goes_on_without_proof().await;

    // Who vouched is told in person, and it is in the thread and in the report.
    let told = |person: &str, says: &str| w.receipts(person).iter().any(|m| m["text"].as_str().unwrap().contains(says));
    w.until("both have a receipt", |_| told(ANA, "You said that") && told(BEN, "You confirmed that")).await;
    for says in ["says that this is done by hand", "has looked and confirms"] {
        w.until(says, |w| w.notes().iter().any(|note| note.contains(says))).await;
    }
    let records = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    let incident = fold(&records).unwrap();
    let written = report(&incident, &records, &Playbook::parse(BUILT_IN).unwrap());
    assert!(written.contains("## Done by hand") && written.contains(r"ticket \*7\*"), "{written}");
    let by_hand = |record: &&irp::domain::stored::Record| matches!(&record.event, Event::AttemptRefused { attempt, .. } if attempt.contains("by hand"));
    assert_eq!(records.iter().filter(by_hand).count(), 4, "each no is on record");

    // One alone takes it back.
    assert!(w.click(DANA, FAR, "irp.take_back_done").await.contains("Only responders"));
    assert!(w.click(BEN, FAR, "irp.take_back_done").await.contains("counts as not done"));
    w.until_card(FAR, "not for the bot").await;
    assert!(status().await.contains("· Containment ·"), "{}", status().await);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bot_has_no_action_for_is_a_card_that_two_people_settle() {
    let w = World::start().await;
    w.incident().await;
    let trail = crate::estate::made("CloudTrail::Trail", "main", "us-east-1");
    let deleted = Trace {
        state: State::Deleted,
        made_by_attacker: false,
        deleted_by_attacker: true,
        newest: Some("event-2".into()),
        ..trail
    };
    w.hunted(vec![deleted]).await;
    w.contained().await;
    w.until_card(TRAIL, "not for the bot").await;
    w.until_card("Eradication", "1 left to do by hand").await;
    let open = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    let written = report(&fold(&open).unwrap(), &open, &Playbook::parse(BUILT_IN).unwrap());
    assert!(written.contains("## Left to do by hand"), "{written}");
    let card = blocks(&w, TRAIL);
    for part in ["aws cloudtrail create-trail --name main", "start-logging --name main", "event-2"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    let modal = w.form(ANA, TRAIL, "irp.say_done").await;
    let filled = json!({"reason": {"reason": "made again from the code, and it logs"}});
    w.slack.submit_view(ANA, modal["id"].as_str().unwrap(), &filled).await.unwrap();
    w.until_card(TRAIL, "to be confirmed").await;
    w.click(BEN, TRAIL, "irp.confirm_done").await;
    w.until_card(TRAIL, "done by hand, on two people's word").await;
    w.until("the gate no longer waits for it", |w| !w.says("Eradication", "1 left to do by hand")).await;
    let records = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    let incident = fold(&records).unwrap();
    let written = report(&incident, &records, &Playbook::parse(BUILT_IN).unwrap());
    assert!(written.contains("## Done by hand") && !written.contains("## Left to do by hand"), "{written}");
    assert!(written.contains("Make anew by hand: AWS::CloudTrail::Trail main"), "{written}");
    w.end().await;
}
