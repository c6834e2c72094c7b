//! What people read, of incidents as the rules make them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::blocks::section;
use super::{again, announcement, asks, burst, eradication, forms, hunt, outlived, proof, report, step};
use crate::domain::action::{Action, TerminateInstance};
use crate::domain::alert::Alert;
use crate::domain::blast_radius::{BlastRadius, Usage};
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::{Call, Hunted, Proved, Reached, Swept, Trace, Watched};
use crate::domain::id::IncidentId;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::decide;
use crate::domain::incident::eradication::removals;
use crate::domain::incident::event::Event;
use crate::domain::incident::evolve::fold;
use crate::domain::incident::steps::{missing, steps};
use crate::domain::incident::tests::case::{Case, KEY, OTHER_KEY, alert, identified, request, start, user};
use crate::domain::incident::together;
use crate::domain::incident::verdict::{Judged, Verdict};
use crate::domain::observation::KeyStatus;
use crate::domain::policy::{ActionClass, PersonId};
use crate::domain::stored::Record;
use crate::domain::trail::footprint::State;
use crate::ports::Message;

mod digests;
mod left;
mod lockout;
mod undelivered;

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
    let unread = Watched { region: "us-east-1".into(), covered_until: None, unread: Some("AccessDenied".into()) };
    let swept = Swept { regions: vec![unread], ..Swept::default() };
    case.apply(vec![Event::TrailSwept { swept: Box::new(swept) }]);
    assert!(early(&case) && next(&case).contains("no Region's trail could be read"), "{}", next(&case));
}

const MACHINES: [&str; 2] = ["i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2"];

/// A machine that the attacker has started.
fn machine(id: &str) -> Trace {
    Trace {
        resource_type: "AWS::EC2::Instance".into(),
        id: id.into(),
        account: "111122223333".parse().ok(),
        region: "us-east-1".into(),
        state: State::Present,
        made_by_attacker: true,
        evidence: vec!["e".into()],
        deeds: Vec::new(),
        made: None,
        newest: None,
        deleted_by_attacker: false,
        in_doubt: None,
    }
}

/// A key of a user that the attacker has made.
fn backdoor() -> Reached {
    Reached {
        access_key_id: Some("AKIAI44QH8DHBBACKDOR".into()),
        principal: Some("arn:aws:iam::111122223333:user/backdoor".into()),
        how: Some("CreateAccessKey".into()),
        event_id: Some("e".into()),
        last_worked_at: None,
    }
}

/// A session of the role has worked from a machine after all was contained.
fn gets_through(case: &mut Case) {
    let call = Call {
        at: case.now + TimeDelta::minutes(5),
        event_id: "e-9".into(),
        what: "iam:ListUsers".into(),
        access_key_id: Some("ASIAIOSFODNN7EXAMPLE".into()),
        principal: format!("arn:aws:sts::111122223333:assumed-role/app/{}", MACHINES[0]),
        region: "us-east-1".into(),
        worked: true,
        error: None,
    };
    let since = case.incident.watch.unwrap().since;
    case.apply(vec![Event::VerdictReached { judged: Box::new(Judged { verdict: Verdict::Failed { call }, since }) }]);
}

fn found(case: &mut Case, machines: &[&str], credentials: Vec<Reached>) {
    let footprint = machines.iter().map(|id| machine(id)).collect();
    let found = Hunted { credentials, footprint, ..Hunted::default() };
    case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
}

/// The cards of all at once: their slots, and what they show.
fn together(case: &Case) -> Vec<(&'static str, String)> {
    let owed = missing(&case.incident, &case.playbook);
    let cards = burst::messages(&case.incident, &case.playbook, &owed, &case.policy);
    cards.into_iter().map(|(slot, message)| (slot, format!("{} {}", message.text, text(&message)))).collect()
}

/// What the one of them shows that there is.
fn only(case: &Case) -> String {
    let mut cards = together(case);
    assert_eq!(cards.len(), 1, "{cards:?}");
    cards.remove(0).1
}

fn card(case: &Case, begins: &str) -> Message {
    let all = steps(&case.incident, &case.playbook);
    let step = all.iter().find(|step| step.id.as_str().starts_with(begins)).unwrap();
    let again = again::why(&missing(&case.incident, &case.playbook), &step.id);
    step::message(&case.incident, step, again, &removals(&case.incident), &case.policy)
}

#[test]
fn what_was_revoked_too_early_does_not_look_done_anywhere() {
    let mut case = Case::new();
    for (number, begins) in [(1, "revoke-assumed"), (2, "revoke-user")] {
        case.ask("U1", &[begins]).unwrap();
        case.approve("U2", number).unwrap();
        case.run();
        case.minutes(1);
    }
    assert!(text(&card(&case, "revoke-user")).contains("large_green_circle"));
    let off = identified(&[(KEY, KeyStatus::Inactive), (OTHER_KEY, KeyStatus::Active)]);
    case.apply(vec![Event::Identified { found: off }]);
    let says = next(&case);
    assert!(says.contains("request all 2 with one press") && says.contains("(again: revoked too early)"), "{says}");
    assert!(says.contains("was not off yet"), "{says}");
    let all = only(&case);
    assert_eq!(all.matches(":warning: again: revoked too early").count(), 2, "{all}");
    let own = card(&case, "revoke-user");
    assert!(own.text.contains("owed again") && own.blocks[0].to_string().contains(":warning:"), "{own:?}");
    assert!(text(&own).contains("was not off yet"), "{own:?}");
}

#[test]
fn what_runs_for_the_attacker_comes_first_however_much_is_owed() {
    let mut case = Case::new();
    contain(&mut case);
    found(&mut case, &MACHINES, Vec::new());
    let cards = together(&case);
    let [("burst", contained), ("burst:remove", remove)] = &cards[..] else { panic!("two cards: {cards:?}") };
    assert!(contained.contains(r#"":large_green_circle: Contain everything at once""#), "{contained}");
    assert!(remove.contains("2 steps, not asked for yet"), "{remove}");

    gets_through(&mut case);
    let cards = together(&case);
    let [(_, contained), (_, remove)] = &cards[..] else { panic!("two cards: {cards:?}") };
    assert!(contained.contains("the attacker got through after it"), "{contained}");
    assert!(contained.contains(r#"":warning: Contain everything at once""#), "{contained}");
    assert!(remove.contains("containment comes first") && !remove.contains("irp.request_all"), "{remove}");
    assert!(text(&card(&case, "revoke-assumed")).contains("comes first, it takes the role by itself"));

    found(&mut case, &MACHINES, vec![backdoor()]);
    let says = next(&case);
    assert!(says.contains(&format!("instance {}", MACHINES[0])) && says.contains("comes first"), "{says}");
    assert!(says.contains("request all 3") && says.contains("(again: the attacker got through after it)"), "{says}");
    let mut ended = case.incident.requests[&request(1)].clone();
    let (region, instance_id) = ("us-east-1".to_owned(), MACHINES[0].to_owned());
    ended.plan.action =
        Action::TerminateInstance(TerminateInstance { region, instance_id, incident: case.incident.id });
    case.incident.requests.insert(request(9), ended);
    assert!(!next(&case).contains("comes first"), "it is gone: {}", next(&case));
}

#[test]
fn every_step_is_in_the_list_and_what_is_only_in_the_file_is_counted() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let all = only(&case);
    assert!(all.contains("All 3 steps that wait run at once, in this order. 1 of them cannot be undone here"), "{all}");
    assert!(!all.contains("only in the file"), "{all}");
    assert!(text(&card(&case, "deactivate")).contains("What stops working with it"), "its own card has more");

    let mut case = Case::new();
    case.user_policy = Some(format!(r#"{{"Sid":"{}"}}"#, "x".repeat(12_000)));
    case.ask_all("U1").unwrap();
    let all = only(&case);
    for number in 1..4 {
        let listed = all.split(&format!("*{}* ", request(number))).nth(1).unwrap();
        assert!(listed.split("\\n").next().unwrap().contains("be undone"), "{number}: {all}");
    }
    assert!(all.contains("*1 of 3 steps' calls are only in the file.*"), "{all}");
    assert!(all.contains("iam:UpdateAccessKey") && !all.contains("iam:PutUserPolicy\\n"), "{all}");
}

#[test]
fn where_the_attacker_got_through_no_bar_is_full_and_without_a_verdict_there_is_none() {
    let mut case = Case::new();
    contain(&mut case);
    let covered_until = Some(case.now + TimeDelta::minutes(30));
    let of = |region: &str| Watched { region: region.into(), covered_until, unread: None };
    let swept = Swept { regions: vec![of("us-east-1"), of("eu-west-1")], ..Swept::default() };
    case.apply(vec![Event::TrailSwept { swept: Box::new(swept) }]);
    let shown = |case: &Case| text(&proof::message(&case.incident, &case.playbook).unwrap());
    assert_eq!(shown(&case).matches("30 of 30 min").count(), 2, "{}", shown(&case));
    gets_through(&mut case);
    let failed = shown(&case);
    assert!(failed.contains("`us-east-1` :rotating_light: the attacker got through here"), "{failed}");
    assert_eq!(failed.matches("30 of 30 min").count(), 1, "{failed}");

    let mut case = Case::new();
    contain(&mut case);
    sweep(&mut case, covered_until);
    found(&mut case, &[], vec![backdoor()]);
    let open = shown(&case);
    assert!(open.contains("No verdict") && open.contains("no proof of anything"), "{open}");
    assert!(!open.contains('▓') && !open.contains("of 30 min"), "{open}");
}

#[test]
fn a_use_of_the_key_after_the_containment_is_shown_as_a_hint() {
    let mut case = Case::new();
    contain(&mut case);
    sweep(&mut case, None);
    let since = case.incident.watch.unwrap().since;
    for (after_s, is_shown) in [(60, false), (61, true)] {
        let mut found = identified(&[(KEY, KeyStatus::Inactive), (OTHER_KEY, KeyStatus::Active)]);
        found.keys[0].last_used_at = Some(since + TimeDelta::seconds(after_s));
        found.keys[0].last_used_for = Some("s3 in eu-west-1".into());
        // Its owner goes on with this one.
        found.keys[1].last_used_at = Some(since + TimeDelta::minutes(9));
        case.apply(vec![Event::Identified { found }]);
        let shown = text(&proof::message(&case.incident, &case.playbook).unwrap());
        assert_eq!(shown.contains("hint and no proof") && shown.contains("for s3 in eu-west-1"), is_shown, "{shown}");
        assert!(shown.contains("Quiet so far") || shown.contains("No verdict yet"), "nothing goes by it: {shown}");
        assert!(!shown.contains(OTHER_KEY), "{shown}");
    }
}

#[test]
fn what_stops_working_is_not_known_before_the_trail_can_show_it() {
    let mut case = Case::new();
    let says = |case: &Case| text(&card(case, "deactivate"));
    assert!(says(&case).contains("not known yet: no event has been read"), "{}", says(&case));
    assert!(says(&case).contains("up to 15 minutes late"));
    case.minutes(16);
    let read = |case: &mut Case, usage: Usage| {
        case.apply(vec![Event::BlastRadiusRead { found: BlastRadius { usage, ..BlastRadius::default() } }]);
    };
    let of_14_days = || Usage { days_read: 14, ..Usage::default() };
    read(&mut case, of_14_days());
    assert!(says(&case).contains("no call is recorded"), "{}", says(&case));

    // IAM shows a use that the event history does not have.
    let used_at = case.now - TimeDelta::minutes(30);
    let mut found = identified(&[(KEY, KeyStatus::Active)]);
    found.keys[0].last_used_at = Some(used_at);
    case.apply(vec![Event::Identified { found }]);
    let shows = |case: &Case| says(case).contains(&format!("IAM shows a use at <!date^{}^", used_at.timestamp()));
    assert!(shows(&case) && says(&case).contains("not known yet"), "{}", says(&case));
    let mut usage = of_14_days();
    usage.count(used_at - TimeDelta::minutes(1), "s3.amazonaws.com", "198.51.100.7", "s");
    read(&mut case, usage.clone());
    assert!(shows(&case) && says(&case).contains("there may be more"), "{}", says(&case));
    usage.count(used_at, "s3.amazonaws.com", "198.51.100.7", "s");
    read(&mut case, usage);
    assert!(!says(&case).contains("IAM shows") && says(&case).contains("2 call(s)"), "{}", says(&case));
}

#[test]
fn whether_to_rotate_first_is_asked_where_others_use_the_key_and_says_where_and_how() {
    const THIEF: &str = "198.51.100.77";
    const BUILDS: &str = "203.0.113.9";
    let asked = |case: &Case, begins: &str| -> Vec<String> {
        let blocks = card(case, begins).blocks.into_iter().map(|block| block.to_string());
        blocks.filter(|block| block.contains("Rotate first?")).collect()
    };
    let mut case = Case::new();
    let mut usage = Usage { days_read: 14, ..Usage::default() };
    let builds_at = case.now - TimeDelta::hours(1);
    for (at, from) in [(builds_at, BUILDS), (builds_at - TimeDelta::hours(1), BUILDS), (case.now, THIEF)] {
        usage.count(at, "s3.amazonaws.com", from, "s");
    }
    case.apply(vec![Event::BlastRadiusRead { found: BlastRadius { usage, ..BlastRadius::default() } }]);
    assert!(asked(&case, "deactivate").is_empty(), "nobody can tell which of them is the attacker");
    let remote_address = Some(THIEF.to_owned());
    case.apply(vec![Event::AlertReceived { alert: Alert { remote_address, ..alert("d2") } }]);
    let questions = asked(&case, "deactivate");
    let [question] = &questions[..] else { panic!("{questions:?}") };
    let last = format!("`{BUILDS}` (2×, last <!date^{}^", builds_at.timestamp());
    for part in
        [last.as_str(), "`aws iam create-access-key --user-name ci`", "What the attacker does meanwhile is on you"]
    {
        assert!(question.contains(part), "{part}: {question}");
    }
    assert!(!question.contains(THIEF), "{question}");
    assert!(question.contains("the user has two already and IAM allows no third"), "{question}");
    assert!(asked(&case, "revoke-user").is_empty(), "another key would not outlive that");
    case.apply(vec![Event::Identified { found: identified(&[(KEY, KeyStatus::Active)]) }]);
    let questions = asked(&case, "deactivate");
    let [question] = &questions[..] else { panic!("{questions:?}") };
    assert!(question.contains("create-access-key") && !question.contains("two already"), "{question}");
    // Who decides reads it on the card of the request as well.
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(asked(&case, "deactivate").len(), 1);
}

#[test]
fn however_much_it_is_done_to_how_it_is_undone_is_read_whole() {
    let mut case = Case::new();
    case.ask("U1", &["revoke-user"]).unwrap();
    let mut found = case.incident.requests[&request(1)].clone();
    let undo = |what: &str| what[step::undo_in(what).unwrap()].to_owned();
    let whole = undo(&step::what(&found));
    assert!(whole.starts_with("*Undo:* iam:DeleteUserPolicy") && whole.ends_with("like this one."), "{whole}");
    found.plan.targets = vec!["arn:aws:iam::111122223333:user/ci".to_owned(); 100];
    let shown = section(&step::what(&found));
    assert_eq!(undo(shown["text"]["text"].as_str().unwrap()), whole);
}

#[test]
fn who_may_not_decide_on_one_of_what_waits_is_not_told_of_it() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let told = |case: &Case, who: &str| {
        asks::asks(&case.incident, &case.policy).iter().any(|ask| ask.slot().ends_with(&format!(":{who}")))
    };
    assert!(
        told(&case, "U2") && told(&case, "U3") && !told(&case, "U4"),
        "{:?}",
        asks::asks(&case.incident, &case.policy)
    );
    // It turns out whose the key is.
    case.policy.belongings.insert("arn:aws:iam::111122223333:user/ci".to_owned(), PersonId(user("U2")));
    assert!(!told(&case, "U2") && told(&case, "U3"), "{:?}", asks::asks(&case.incident, &case.policy));
}

/// What a press on a card asks for, from its button.
fn pressed(case: &Case, card: &str) -> Option<Result<usize, String>> {
    let owed = missing(&case.incident, &case.playbook);
    let cards = burst::messages(&case.incident, &case.playbook, &owed, &case.policy);
    let message = cards.into_iter().find(|(slot, _)| *slot == card)?.1;
    let mut all = message.blocks.iter().filter_map(|block| block["elements"].as_array()).flatten();
    let value = all.find(|e| e["action_id"] == "irp.request_all")?["value"].as_str()?.to_owned();
    Some(press(case, &value))
}

fn press(case: &Case, value: &str) -> Result<usize, String> {
    let class = together::named(value.split_once(' ').unwrap().1);
    let steps = together::pressed(&case.incident, &case.playbook, class).map_err(|no| no.to_string())?;
    Ok(steps.len())
}

#[test]
fn a_card_that_was_offered_stays_and_its_button_asks_for_nothing_else() {
    let mut case = Case::new();
    assert_eq!(pressed(&case, "burst"), Some(Ok(3)));
    for (number, begins) in [(1, "deactivate"), (2, "revoke-user"), (3, "revoke-assumed")] {
        case.ask("U1", &[begins]).unwrap();
        case.approve("U2", number).unwrap();
        case.run();
    }
    let cards = together(&case);
    let [("burst", contained)] = &cards[..] else { panic!("one card: {cards:?}") };
    assert!(contained.contains("Nothing of this is left to ask for") && pressed(&case, "burst").is_none());

    found(&mut case, &MACHINES, Vec::new());
    assert_eq!(pressed(&case, "burst:remove"), Some(Ok(2)));
    assert!(pressed(&case, "burst").is_none(), "{:?}", together(&case));
    assert!(press(&case, "INC-1 contain").unwrap_err().contains("Removal has a card of its own"));
    gets_through(&mut case);
    assert!(press(&case, "INC-1 remove").unwrap_err().contains("containment comes first"));
    assert!(pressed(&case, "burst:remove").is_none() && together(&case).len() == 2, "{:?}", together(&case));

    // A card that nothing speaks of any more loses its button too, and one that was not posted is not.
    let log = [Record::seal(None, start(), decide::open(IncidentId::new(1), alert("d"), &case.policy, start()))];
    let bare = fold(&log).unwrap();
    let slots = |posted: &str| -> Vec<String> {
        let cards = outlived(&bare, &case.playbook, &[], |slot| slot == posted);
        cards.into_iter().map(|card| card.slot).collect()
    };
    assert_eq!((slots("burst:remove"), slots("step:x")), (vec!["burst:remove".to_owned()], Vec::new()));
    let says = |class| text(&burst::not_offered(&case.incident, &case.playbook, class));
    assert!(ActionClass::ALL.into_iter().all(|class| !says(class).contains("irp.")));
}

#[test]
fn where_there_is_one_step_or_none_there_is_no_card_of_all() {
    let mut case = Case::new();
    case.reached(Vec::new());
    let mut found = identified(&[]);
    found.kind = PrincipalKind::Root;
    case.apply(vec![Event::Identified { found }]);
    assert!(together(&case).is_empty(), "{:?}", together(&case));
}

#[test]
fn who_is_asked_is_led_to_the_card_on_which_it_is_decided() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    let slot = |case: &Case, number| burst::slot(&case.incident, &case.incident.requests[&request(number)]);
    assert!(slot(&case, 1).starts_with("step:deactivate"), "{}", slot(&case, 1));
    case.ask_all("U1").unwrap();
    assert_eq!(slot(&case, 2), "burst");
    let (region, instance_id) = ("us-east-1".to_owned(), MACHINES[0].to_owned());
    let end = Action::TerminateInstance(TerminateInstance { region, instance_id, incident: case.incident.id });
    let mut removal = case.incident.requests[&request(2)].clone();
    (removal.id, removal.burst, removal.plan.action) = (request(9), Some(request(9)), end);
    case.incident.requests.insert(request(9), removal);
    assert_eq!((slot(&case, 9), slot(&case, 2)), ("burst:remove".to_owned(), "burst".to_owned()));
}
