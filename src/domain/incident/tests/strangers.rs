//! Whoever from outside stays in a trust policy that was put back without knowing what there was before.

use serde_json::json;

use super::case::{Case, request};
use super::eradication::{changed, hunted, made};
use crate::domain::hunt::Trace;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::doors::is_seen_to;
use crate::domain::incident::event::{Event, Lost};
use crate::domain::incident::hands::Hand;
use crate::domain::incident::steps::{Missing, Offer, Step, missing, steps};
use crate::domain::observation::{Observation, Previous};
use crate::domain::trail::deed::BY_BOT;

const MALLORY: &str = "arn:aws:iam::111122223333:user/mallory";
const STRANGER: &str = "arn:aws:iam::999988887777:root";
const REST: &str = "restore-trust-rest.web";
const THEIRS: (&str, &str, bool) = ("UpdateAssumeRolePolicy", "", true);
const BOTS: (&str, &str, bool) = ("UpdateAssumeRolePolicy", BY_BOT, false);
const OTHERS: (&str, &str, bool) = ("UpdateAssumeRolePolicy", "", false);

fn web(deeds: &[(&str, &str, bool)]) -> Vec<Trace> {
    vec![changed("Role", "web", deeds), made("User", "mallory")]
}

fn trusting(principals: &[&str]) -> String {
    let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principals}});
    json!({ "Statement": [statement] }).to_string()
}

/// The trust policy of `web` was put back, with them in it when the attacker had changed it.
fn put_back(stays: &str, known: bool) -> Case {
    let mut case = Case::new();
    hunted(&mut case, web(&[THEIRS]));
    case.ask("U1", &["restore-trust"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let asked = case.incident.requests.get_mut(&request(1)).unwrap();
    let Observation::Trust(before) = &mut asked.plan.before else { panic!() };
    before.document = trusting(&["arn:aws:iam::111122223333:user/ci", MALLORY, stays]);
    before.previous = known.then(|| Previous { document: trusting(&[stays]), event_id: "e-before".into() });
    case
}

/// What is missing of what is about trust policies.
fn lacking(case: &Case) -> Vec<(String, Missing)> {
    let all = missing(&case.incident, &case.playbook).into_iter().map(|(step, why)| (step.id.to_string(), why));
    all.filter(|(id, _)| id.starts_with("restore-trust")).collect()
}

fn rest(case: &Case) -> Option<Step> {
    steps(&case.incident, &case.playbook).into_iter().find(|step| step.id.as_str() == REST)
}

#[test]
fn a_door_is_not_closed_while_nobody_has_said_whose_those_are_who_stay() {
    let mut case = put_back(STRANGER, false);
    assert_eq!(lacking(&case), [(REST.to_owned(), Missing::ByHand)]);
    // The bot's own call ends the door for the search, and not this.
    hunted(&mut case, web(&[THEIRS, BOTS]));
    assert_eq!(lacking(&case), [(REST.to_owned(), Missing::ByHand)]);
    let step = rest(&case).unwrap();
    let Offer::Refused { why, commands, .. } = &step.offer else { panic!("{step:?}") };
    assert!(why.contains(STRANGER) && !why.contains(MALLORY), "{why}");
    assert!(commands[0].ends_with("get-role --role-name web") && commands[1].contains("update-assume-role-policy"));

    let done = "it is our deployment account, ticket 7".to_owned();
    case.act("U1", PersonCommand::SayDone { step: step.id.clone(), done }).unwrap();
    assert_eq!(lacking(&case).len(), 1, "one alone is not enough");
    let shown = Hand::shown(&case.incident.hands[&step.id]);
    case.act("U2", PersonCommand::ConfirmDone { step: step.id, shown }).unwrap();
    assert!(lacking(&case).is_empty());
    assert!(rest(&case).is_some(), "what was said stays to be read");
}

#[test]
fn nobody_is_asked_where_it_is_known_what_there_was_or_nobody_from_outside_stays() {
    for (stays, known) in [(STRANGER, true), ("arn:aws:iam::111122223333:role/app", false)] {
        let case = put_back(stays, known);
        assert_eq!((lacking(&case), rest(&case)), (vec![], None), "{stays}");
    }
    assert!(rest(&put_back("*", false)).is_some());
}

#[test]
fn whoever_puts_the_policy_after_the_bot_has_seen_to_it() {
    for (deeds, is_open) in [
        (&[THEIRS, BOTS][..], true),
        (&[THEIRS, OTHERS, BOTS][..], true),
        (&[THEIRS, BOTS, OTHERS][..], false),
        (&[THEIRS, OTHERS][..], true),
        // They have done something else to the role after the bot.
        (&[THEIRS, OTHERS, BOTS, ("AttachRolePolicy", "p", false)][..], true),
    ] {
        let mut case = put_back(STRANGER, false);
        hunted(&mut case, web(deeds));
        assert_eq!(rest(&case).is_some(), is_open, "{deeds:?}");
    }
}

#[test]
fn a_policy_that_somebody_has_changed_after_the_bot_counts_once_the_trail_shows_who() {
    let mut case = put_back(STRANGER, false);
    let lost = vec![Lost { request: request(1), why: "it has been changed again".into() }];
    let checked = Event::ContainmentChecked { held: vec![], lost, new_keys: vec![], unread: vec![], keys_unread: None };
    case.apply(vec![checked]);
    let open = [("restore-trust.web".to_owned(), Missing::NotInForce)];
    assert_eq!(lacking(&case), open);
    case.minutes(1);
    for (deeds, is_open) in [(&[THEIRS, BOTS][..], true), (&[THEIRS, BOTS, OTHERS][..], false)] {
        hunted(&mut case, web(deeds));
        case.apply(vec![Event::TrailSwept { swept: Box::default() }]);
        assert_eq!(lacking(&case).as_slice(), if is_open { &open[..] } else { &[] }, "{deeds:?}");
    }
    // Who has seen to another role has not seen to this one.
    let mut roles = web(&[THEIRS, BOTS]);
    roles.push(changed("Role", "db", &[THEIRS, OTHERS]));
    hunted(&mut case, roles);
    case.apply(vec![Event::TrailSwept { swept: Box::default() }]);
    assert_eq!(lacking(&case), open);
    // The attacker's next change opens it anew.
    hunted(&mut case, web(&[THEIRS, BOTS, OTHERS, THEIRS]));
    assert_eq!(lacking(&case), open);
}

#[test]
fn what_somebody_has_done_to_another_role_does_not_see_to_this_one() {
    let mut case = put_back(STRANGER, false);
    let other = |deeds: &[(&str, &str, bool)]| changed("Role", "other", deeds);
    hunted(&mut case, [web(&[THEIRS, OTHERS, BOTS]), vec![other(&[THEIRS, BOTS, OTHERS])]].concat());
    assert!(rest(&case).is_some(), "nobody has put this one's policy after the bot");
    hunted(&mut case, [web(&[THEIRS]), vec![other(&[THEIRS, OTHERS])]].concat());
    assert!(is_seen_to(&case.incident, "other") && !is_seen_to(&case.incident, "web"));
}
