//! Where people find the digest of what they decide on, and when something was said.

use super::*;
use crate::view::receipts::receipts;

/// The receipts of this account, oldest first.
fn received(case: &Case, id: &str) -> Vec<String> {
    let to = crate::view::To::Person(user(id));
    receipts(&case.incident).iter().filter(|card| card.to == to).map(|card| text(&card.message)).collect()
}

/// The line of facts that a receipt has.
fn facts(digest: &str, at: DateTime<Utc>) -> String {
    format!("INC-1.1 · account `111122223333` · digest `{digest}` · <!date^{}^", at.timestamp())
}

#[test]
fn a_receipt_says_of_which_plan_in_which_account_and_when() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    let (asked_at, digest) = (case.now, case.shown(1));
    assert_eq!(digest, case.incident.requests[&request(1)].digest.short());
    case.minutes(3);
    case.approve("U2", 1).unwrap();
    let receipt = received(&case, "U1").remove(0);
    assert!(receipt.contains(&facts(&digest, asked_at)), "{receipt}");
    let receipt = received(&case, "U2").remove(0);
    assert!(receipt.contains(&facts(&digest, asked_at + TimeDelta::minutes(3))), "{receipt}");
}

#[test]
fn the_receipt_of_what_was_asked_for_together_has_the_digest_over_all_of_it() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let (at, shared) = (case.now, case.shown(1));
    let own: Vec<&str> = case.incident.requests.values().map(|request| request.digest.short()).collect();
    assert!(!own.contains(&shared.as_str()), "{own:?}");
    let receipts = received(&case, "U1");
    assert!(matches!(&receipts[..], [one] if one.contains(&facts(&shared, at))), "{receipts:?}");
    assert!(own.iter().all(|own| !receipts[0].contains(own)), "{receipts:?}");
}

#[test]
fn the_forms_to_deny_and_to_run_it_alone_name_the_digest_of_the_card() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    let digest = case.shown(1);
    let value = format!("{} {digest}", request(1));
    assert!(text(&card(&case, "deactivate")).contains(&value), "as its buttons carry it");
    let denied = forms::deny(Some(&case.incident), request(1), &digest);
    let alone = forms::break_glass(&value, &case.incident.requests[&request(1)]);
    for form in [denied, alone] {
        // What it carries by itself is not shown.
        let shown = form["blocks"].to_string();
        assert!(shown.contains(&format!("the plan with digest {digest}, as its card shows it")), "{shown}");
    }
}

#[test]
fn the_report_has_each_requests_digest_whole() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let written = report::report(&case.incident, &[], &case.playbook);
    for asked in case.incident.requests.values() {
        let line = format!("- digest `{}`, before-image `{}`", asked.digest, asked.plan.before_hash);
        assert!(written.contains(&line), "{line}: {written}");
    }
}

#[test]
fn whoever_decides_next_reads_when_it_was_denied_before_by_whom_and_why() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.minutes(2);
    let denied_at = case.now;
    let (digest_shown, reason) = (case.shown(1), "deploys run until six".into());
    case.act("U2", PersonCommand::Deny { request: request(1), digest_shown, reason }).unwrap();
    case.minutes(4);
    case.ask("U1", &["deactivate"]).unwrap();
    let shown = text(&card(&case, "deactivate"));
    let begins = format!("Denied before by <@U2>, <!date^{}^", denied_at.timestamp());
    let line = shown.split(&begins).nth(1).unwrap_or_else(|| panic!("no “{begins}”: {shown}"));
    assert!(line.contains("UTC>: deploys run until six"), "{line}");
}
