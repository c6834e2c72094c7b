//! What people read, of incidents as the rules make them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{announcement, hunt};
use crate::domain::hunt::{Hunted, Swept, Watched};
use crate::domain::incident::event::Event;
use crate::domain::incident::tests::case::Case;
use crate::ports::Message;

fn text(message: &Message) -> String {
    Value::Array(message.blocks.clone()).to_string()
}

fn contain(case: &mut Case) {
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
}

/// A search comes to its end that began now.
fn sweep(case: &mut Case, covered_until: Option<DateTime<Utc>>) {
    let regions = vec![Watched { region: "us-east-1".into(), covered_until, unread: None }];
    let swept = Swept { regions, began_at: Some(case.now), ..Swept::default() };
    case.apply(vec![Event::TrailSwept { swept: Box::new(swept) }]);
}

fn next(case: &Case) -> String {
    announcement::next_step(&case.incident, &case.playbook)
}

fn hunted(case: &Case) -> String {
    text(&hunt::message(&case.incident, &case.policy).unwrap())
}

#[test]
fn of_what_the_trail_does_not_show_nothing_is_said_before_it_has_come_so_far() {
    let mut case = Case::new();
    let newest_at = case.now - TimeDelta::minutes(9);
    case.apply(vec![Event::TrailHunted {
        found: Box::new(Hunted { newest_at: Some(newest_at), ..Hunted::default() }),
    }]);
    contain(&mut case);
    let early = |case: &Case| {
        let shown = [next(case), hunted(case)].map(|text| text.contains("oo early to say"));
        assert_eq!(shown[0], shown[1], "both cards say the same: {} {}", next(case), hunted(case));
        shown[0]
    };
    assert!(early(&case), "no search has come to its end");
    sweep(&mut case, None);
    assert!(early(&case) && next(&case).contains(&format!("<!date^{}^", newest_at.timestamp())), "{}", next(&case));
    assert!(hunted(&case).contains("nothing so far") && !hunted(&case).contains("nothing that the attacker"));
    assert!(hunt::brief(&case.incident).unwrap().contains("too early"));
    let phase = announcement::phase(&case.incident, &case.playbook);
    assert_eq!(phase, "Contained as far as known, not proven");
    case.minutes(21);
    sweep(&mut case, None);
    assert!(early(&case), "a call of the bot's own should have shown by now");
    let opened_at = case.incident.opened_at;
    sweep(&mut case, Some(opened_at));
    assert!(!early(&case), "{}", next(&case));
    assert!(hunted(&case).contains("nothing that the attacker") && next(&case).contains("Wait for its proof"));
    assert!(hunt::brief(&case.incident).unwrap().ends_with("0 touched"));
}
