//! SIGHUP: the real program reads its rules anew, over real Redis.

use std::time::Duration;

use irp::domain::incident::event::Event;

use crate::cases::{Case, Cases};
use crate::redis_proxy::RedisProxy;
use crate::world::{ANA, CHRIS, ORGANISATION};

const KEY: &str = "· Deactivate access key";

async fn changes(case: &Case) -> usize {
    case.w.happened(|event| matches!(event, Event::RulesChanged { .. })).await
}

async fn goes_by_the_new_rules(mut case: Case) {
    let program = case.program().await;
    case.w.incident().await;
    case.w.click(ANA, KEY, "irp.request").await;
    case.w.until_card(KEY, "waiting for approval").await;

    // Rules that cannot work leave those in force that can, and what waits under them goes on waiting.
    case.rules(&ORGANISATION.replace("approvers = [", "approvers = [] # ["));
    program.signal("HUP");
    case.rules("no TOML at all");
    program.signal("HUP");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(case.w.says(KEY, "waiting for approval"));
    assert_eq!(changes(&case).await, 0);

    // Chris approves no more.
    case.rules(&ORGANISATION.replace(r#", "U0APPROVE1""#, ""));
    program.signal("HUP");
    case.w.until_card(KEY, "cancelled").await;
    assert_eq!(changes(&case).await, 1);
    case.w.until("it is told", |w| w.notes().iter().any(|n| n.contains("The rules in irp.toml have changed"))).await;
    case.w.click(ANA, KEY, "irp.request").await;
    case.w.until_card(KEY, "waiting for approval").await;
    let answer = case.w.click(CHRIS, KEY, "irp.approve").await;
    assert!(answer.contains("not on the list of approvers"), "{answer}");

    // Read anew as they are: nothing has changed, and nothing that waits ends.
    program.signal("HUP");
    let program = case.replace(program).await;
    program.take_deliveries(&mut case.w);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(changes(&case).await, 1);
    assert!(case.w.says(KEY, "waiting for approval"));

    // Changed while nothing waits, it is in the log all the same.
    case.w.click(ANA, KEY, "irp.withdraw").await;
    case.w.until_card(KEY, "withdrawn").await;
    case.rules(ORGANISATION);
    program.signal("HUP");
    case.w.until_happened(2, |event| matches!(event, Event::RulesChanged { .. })).await;
    case.w.carry_out(KEY, ANA, CHRIS).await;
}

async fn says_its_rules_once(mut case: Case) {
    let other_proxy = RedisProxy::start(case.store()).await;
    let old = case.program().await;
    let new = case.another_program(&other_proxy).await;
    case.w.incident().await;
    assert_eq!(changes(&case).await, 0);
    // One reads newer rules; the other was not told of them.
    case.rules(&ORGANISATION.replace(r#", "U0APPROVE1""#, ""));
    new.signal("HUP");
    case.w.until_happened(1, |event| matches!(event, Event::RulesChanged { .. })).await;
    // That one reads some later that cannot work, and stays with its own: which it has said before, and it does not put them
    // in force over the newer ones.
    case.rules(&ORGANISATION.replace("responders = [", "approver_groups = [\"S0NOSUCH01\"]\nresponders = ["));
    old.signal("HUP");
    case.w.until("it has read them", |_| old.logged().contains("the new rules cannot work")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(changes(&case).await, 1);
}

async fn keeps_the_rules_that_can_work(mut case: Case) {
    let program = case.program().await;
    case.w.incident().await;
    case.w.click(ANA, KEY, "irp.request").await;
    case.w.until_card(KEY, "waiting for approval").await;
    // Nobody is in the one group; one is in the other, where two are asked for.
    let approvers = r#"approvers = ["U0RESPOND2", "U0APPROVE1", "U0KEYOWNR1"]"#;
    let by = |group: &str| ORGANISATION.replace(approvers, &format!("approver_groups = [\"{group}\"]"));
    let (nobody, one): (&[&str], &[&str]) = (&[], &[CHRIS]);
    case.w.slack.set_group("S0SMALL001", Some(nobody));
    case.w.slack.set_group("S0SMALL002", Some(one));
    for (rules, says) in [
        (by("S0SMALL001"), "approval.contain.quorum is 1, but there are 0 approver(s)"),
        (by("S0SMALL002").replace("contain.quorum = 1", "contain.quorum = 2"), "is 2, but there are 1 approver(s)"),
    ] {
        case.rules(&rules);
        program.signal("HUP");
        let refused = |line: &str| line.contains("the new rules cannot work") && line.contains(says);
        case.w.until("it has read them", |_| program.logged().lines().any(refused)).await;
    }
    assert!(program.logged().contains("could ever be approved"), "{}", program.logged());
    assert_eq!(changes(&case).await, 0);
    assert!(case.w.says(KEY, "waiting for approval"));
    case.w.click(CHRIS, KEY, "irp.approve").await;
    case.w.until_card(KEY, "carried out and verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_puts_new_rules_in_force_and_every_open_incident_says_so() {
    let mut cases = Cases::start().await;
    cases.add("one program".to_owned(), goes_by_the_new_rules);
    cases.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_says_its_rules_once_and_never_again_over_newer_ones() {
    let mut cases = Cases::start().await;
    cases.add("two programs".to_owned(), says_its_rules_once);
    cases.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_with_a_group_of_too_few_people_changes_nothing() {
    let mut cases = Cases::start().await;
    cases.add("one program".to_owned(), keeps_the_rules_that_can_work);
    cases.end().await;
}
