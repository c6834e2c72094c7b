//! What is left to do, as cards and the report show it.

use super::*;

#[test]
fn what_waits_for_the_proof_is_counted_and_named_and_the_order_stands_once() {
    let mut case = Case::new();
    contain(&mut case);
    let group = |n: usize| Trace { resource_type: "AWS::IAM::Group".into(), ..machine(&format!("cabal-{n}")) };
    let footprint = (0..14).map(group).chain([machine(MACHINES[0])]).collect();
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { footprint, ..Hunted::default() }) }]);
    let (steps, removals) = (steps(&case.incident, &case.playbook), removals(&case.incident));
    let shown = text(&eradication::message(&case.incident, &case.playbook, &steps, &removals).unwrap());
    assert!(shown.contains("*0 of 15 done, 14 wait until containment is verified:*"), "{shown}");
    assert!(shown.contains("cabal-0") && shown.contains("and 2 more"), "{shown}");
    assert_eq!(shown.matches("Credentials first").count(), 1, "{shown}");
    let own = text(&card(&case, "remove.instance"));
    assert!(own.contains("Events that show") && !own.contains("Credentials first"), "{own}");
}

#[test]
fn where_the_beginning_is_not_known_the_cards_say_so_and_what_to_do() {
    const UNKNOWN: &str = "Since when it is stolen is not known";
    let mut case = Case::new();
    contain(&mut case);
    let footprint = vec![Trace { in_doubt: Some("e-7".into()), ..machine("i-0aaaaaaaaaaaaaaa3") }];
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { footprint, ..Hunted::default() }) }]);
    let removals = |case: &Case| {
        let (steps, removals) = (steps(&case.incident, &case.playbook), removals(&case.incident));
        text(&eradication::message(&case.incident, &case.playbook, &steps, &removals).unwrap())
    };
    let report = |case: &Case| report::report(&case.incident, &[], &case.playbook);
    for shown in [hunted(&case), removals(&case)] {
        assert!(shown.contains(UNKNOWN) && shown.contains("/irp since INC-1 3h"), "{shown}");
    }
    assert!(hunted(&case).contains("*can be the owner's*"), "{}", hunted(&case));
    let shown = removals(&case);
    assert!(shown.contains("Not proposed for removal: 1 thing(s)") && shown.contains("e-7"), "{shown}");
    assert!(shown.contains("some of it can be the owner's own"), "{shown}");
    let written = report(&case);
    assert!(written.contains("not set, and no alert says it"), "{written}");
    let listed = written.split("## Not proposed for removal").nth(1).unwrap();
    assert!(listed.contains("i-0aaaaaaaaaaaaaaa3 in us-east-1 (event e-7)"), "{written}");

    let at = case.now - TimeDelta::hours(3);
    case.act("U1", PersonCommand::SetCompromiseTime { at, basis: "a commit".into(), clicked_at: case.now }).unwrap();
    for shown in [hunted(&case), removals(&case)] {
        assert!(!shown.contains(UNKNOWN), "{shown}");
    }
    assert!(!report(&case).contains("not set"), "{}", report(&case));
}

#[test]
fn what_the_attacker_has_read_is_named_wherever_people_look_for_what_is_left() {
    const NAMED: &str = "1 secret(s) or parameter(s) that the attacker has read are to be changed: prod/db";
    let mut case = Case::new();
    let rotate = vec![Proved { what: "AWS::SecretsManager::Secret prod/db".into(), event_id: "e-5".into() }];
    case.apply(vec![Event::TrailHunted { found: Box::new(Hunted { rotate, ..Hunted::default() }) }]);
    let form = |case: &Case| forms::close(&case.incident, &case.playbook).to_string();
    assert!(form(&case).contains("Not in force") && form(&case).contains(NAMED), "{}", form(&case));
    contain(&mut case);
    assert!(form(&case).contains("Eradication is not done") && form(&case).contains(NAMED), "{}", form(&case));
    assert_eq!(form(&case).matches(NAMED).count(), 1, "once is enough: {}", form(&case));
    assert!(next(&case).contains(NAMED), "{}", next(&case));
    let (steps, removals) = (steps(&case.incident, &case.playbook), removals(&case.incident));
    let removals = text(&eradication::message(&case.incident, &case.playbook, &steps, &removals).unwrap());
    assert!(removals.contains("Change by hand: AWS::SecretsManager::Secret prod/db"), "{removals}");
    let own = text(&card(&case, "by-hand.rotate"));
    assert!(own.contains("e-5") && own.contains("irp.say_done"), "{own}");
    let written = report::report(&case.incident, &[], &case.playbook);
    let left = written.split("## Left to do by hand").nth(1).unwrap();
    assert!(left.contains("Change by hand: AWS::SecretsManager::Secret prod/db") && left.contains("e-5"), "{written}");
}

#[test]
fn of_a_list_that_a_card_shows_in_part_the_rest_is_counted_and_is_in_the_report() {
    let mut case = Case::new();
    let trace = |n: usize| Trace { evidence: vec![format!("e-{n}")], ..machine(&format!("i-{n:02}")) };
    let secret = |n: usize| Proved { what: format!("secret-{n:02}"), event_id: format!("e-{n}") };
    let footprint = (0..12).map(trace).collect();
    let found = Hunted { footprint, rotate: (0..9).map(secret).collect(), ..Hunted::default() };
    case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
    let card = hunted(&case);
    assert!(card.contains("and 4 more: all in `report.md` of `irp export INC-1`"), "{card}");
    assert!(card.contains("and 1 more: all in `report.md`") && !card.contains("secret-08"), "{card}");
    let written = report::report(&case.incident, &[], &case.playbook);
    for says in ["made: AWS::EC2::Instance i-11 in us-east-1 (events e-11)", "secret-08"] {
        assert!(written.contains(says), "{says}: {written}");
    }
}
