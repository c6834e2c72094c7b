//! A trail that is on and delivers nothing.

use super::super::undelivered;
use super::{Case, card, text};
use crate::domain::observation::{Observation, Watching};

#[test]
fn a_card_says_that_to_be_on_is_not_enough_with_a_short_and_escaped_error() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    assert!(!text(&card(&case, "deactivate")).contains("On is not enough"));
    let id = *case.incident.requests.keys().next().unwrap();
    let arn = "arn:aws:cloudtrail:us-east-1:111122223333:trail/main".to_owned();
    let error = format!("<!channel>{}", "x".repeat(1_000));
    let before = Observation::Watching(Watching { arn, on: false, failing: Some(error) });
    case.incident.requests.get_mut(&id).unwrap().plan.before = before;
    let shown = text(&card(&case, "deactivate"));
    assert!(shown.contains("On is not enough") && !shown.contains("<!channel>"), "{shown}");
    let said = undelivered::warning(&case.incident.requests[&id]).unwrap().to_string();
    assert!(said.len() < 700, "it stands beside a plan: {said}");
}
