//! Approvers that are a Slack user group: who is in it changes while a request waits.

use std::time::{Duration, Instant};

use irp::domain::approval::RequestState;
use irp::domain::incident::evolve::fold;
use irp_sandbox::slack::Fault;

use crate::world::{ANA, BEN, CHRIS, DANA, ORGANISATION, World};

const KEY: &str = "· Deactivate access key";
const GROUP: &str = "S0SECURITY";
/// One that the world puts nobody into.
const SMALL_GROUP: &str = "S0SMALL001";
/// Who left a minute ago decides nothing any more.
const FRESH_WITHIN: Duration = Duration::from_mins(1);

/// Rules by which the group alone approves.
fn rules() -> String {
    let group = format!("approver_groups = [\"{GROUP}\"]");
    ORGANISATION.replace(r#"approvers = ["U0RESPOND2", "U0APPROVE1", "U0KEYOWNR1"]"#, &group)
}

/// A request that waits.
async fn asked(quorum: u8) -> World {
    let rules = rules().replace("contain.quorum = 1", &format!("contain.quorum = {quorum}"));
    let w = World::start_with_rules(&rules).await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    w
}

/// Has somebody press *Approve* until the answer has this in it, and that within the time that a group may be old.
async fn presses_until(w: &World, person: &str, says: &str) {
    let changed = Instant::now();
    loop {
        let answer = w.click(person, KEY, "irp.approve").await;
        if answer.contains(says) {
            return;
        }
        assert!(changed.elapsed() < FRESH_WITHIN, "not “{says}” within a minute: {answer}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_of_whoever_leaves_counts_no_more_and_one_of_whoever_joins_does_within_a_minute() {
    let w = asked(2).await;
    assert!(w.click(DANA, KEY, "irp.approve").await.contains("not on the list of approvers"));
    assert!(w.click(CHRIS, KEY, "irp.approve").await.contains("It waits for 1 more"));
    w.slack.set_group(GROUP, Some(&[BEN, DANA]));
    presses_until(&w, DANA, "is recorded").await;
    // Two have said yes, and one of them has no say any more.
    w.until("it is said", |w| w.notes().iter().any(|note| note.contains("no longer counts"))).await;
    w.until("it waits for another", |w| w.offers(KEY, "irp.approve")).await;
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("not on the list of approvers"), "{answer}");
    w.click(BEN, KEY, "irp.approve").await;
    w.until_card(KEY, "carried out and verified").await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1);
    let incident = fold(&w.store.load("INC-1".parse().unwrap()).await.unwrap()).unwrap();
    let request = incident.requests.values().next().unwrap();
    assert!(matches!(request.state, RequestState::Verified { .. }));
    let approvers: Vec<&str> = request.approvals.iter().map(|approval| approval.user.as_str()).collect();
    assert_eq!(approvers, [DANA, BEN], "whose yes the call was made on");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_approvers_have_all_left_says_that_it_waits_for_nobody() {
    let w = asked(1).await;
    let says_so = || w.card(ANA, KEY).unwrap()["blocks"].to_string().contains("Nobody who may decide is left");
    assert!(!says_so());
    w.slack.set_group(GROUP, Some(&[ANA]));
    let changed = Instant::now();
    while !says_so() {
        assert!(changed.elapsed() < FRESH_WITHIN, "the card does not say so within a minute");
        // Whatever is written down has the card looked at.
        w.click(DANA, KEY, "irp.approve").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_read_approves_nothing_and_the_request_stays() {
    let w = asked(1).await;
    w.slack.set_group(GROUP, None);
    presses_until(&w, DANA, "Slack could not say who is in the groups").await;
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("Slack could not say who is in the groups"), "nobody is in it: {answer}");
    assert!(w.says(KEY, "waiting for approval") && w.offers(KEY, "irp.approve"), "{:#?}", w.texts());
    assert_eq!(w.account.count("UpdateAccessKey"), 0);
    // That it could not be read is not remembered.
    w.slack.set_group(GROUP, Some(&[CHRIS]));
    let answer = w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("is recorded"), "{answer}");
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_too_few_people_for_the_quorum_stops_the_start() {
    let names = |quorum: u8| {
        let rules = rules().replace(GROUP, SMALL_GROUP);
        rules.replace("loosen.quorum = 1", &format!("loosen.quorum = {quorum}"))
    };
    let (nobody, one): (&[&str], &[&str]) = (&[], &[CHRIS]);
    for (members, quorum, says) in [
        (nobody, 1, "approval.contain.quorum is 1, but there are 0 approver(s)"),
        (one, 2, "approval.loosen.quorum is 2, but there are 1 approver(s)"),
    ] {
        let w = World::without_bot(false).await;
        w.slack.set_group(SMALL_GROUP, Some(members));
        let error = w.with_bot(false, None, &names(quorum)).await.ended().await;
        assert!(error.contains(says) && error.contains("could ever be approved"), "{members:?}: {error}");
    }
    // Just enough.
    let w = World::without_bot(false).await;
    w.slack.set_group(SMALL_GROUP, Some(&[CHRIS, BEN]));
    let w = w.with_bot(false, None, &names(2)).await;
    w.incident().await;
    w.carry_out(KEY, ANA, CHRIS).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_does_not_answer_does_not_keep_the_bot_from_starting() {
    let w = World::without_bot(false).await;
    // Asked once for the rules, and once for why that was in vain.
    for _ in 0..2 {
        w.slack.fail_next("usergroups.users.list", Fault::Status(503));
    }
    let w = w.with_bot(false, None, &rules()).await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    presses_until(&w, CHRIS, "is recorded").await;
    w.until_card(KEY, "carried out and verified").await;
    w.end().await;
}
