//! Who is recused by what the tags of the stolen credential's owner say.

use super::case::{Case, alert, identified, policy, request, start, user};
use crate::domain::id::IncidentId;
use crate::domain::identification::Identification;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::decide::{decide, open};
use crate::domain::incident::event::Event;
use crate::domain::incident::evolve::fold;
use crate::domain::observation::{KeyStatus, Observation};
use crate::domain::policy::{PersonId, Policy};
use crate::domain::recusal::{Why, recused, recused_from, whose};
use crate::domain::refusal::Refusal;
use crate::domain::stored::Record;

fn rules() -> Policy {
    let belongings = [
        ("kim@example.com", "U4"),
        ("ana@example.com", "U2"),
        ("kim lee", "U4"),
        ("arn:aws:iam::111122223333:user/staff/ana", "U2"),
    ];
    let belongings = belongings.map(|(sign, id)| (sign.to_owned(), PersonId(user(id)))).into();
    let aliases = [("U0123ABCD", "U2"), ("U0123EFGH", "U4")].map(|(other, first)| (user(other), user(first))).into();
    Policy { aliases, belongings, ..policy() }
}

fn people(sign: &str) -> Vec<String> {
    whose(sign, &rules()).into_iter().map(|person| person.0.to_string()).collect()
}

#[test]
fn each_of_several_people_in_one_tag_is_an_owner() {
    for sign in [
        "kim@example.com, ana@example.com",
        "kim@example.com;ana@example.com",
        "Kim@Example.com ana@example.com",
        "kim@example.com/ana@example.com",
        "kim@example.com | ana@example.com",
        "Kim Lee, ana@example.com",
        "Kim Lee / ana@example.com",
        "kim@example.com arn:aws:iam::111122223333:user/staff/ana",
        "arn:aws:iam::111122223333:user/staff/ana kim@example.com",
        "team web: ana@example.com kim@example.com",
        "team web: kim@example.com/ana@example.com on call",
        "U0123ABCD U0123EFGH",
    ] {
        assert_eq!(people(sign), ["U2", "U4"], "{sign}");
    }
    assert_eq!(people(" Kim Lee "), ["U4"]);
    assert_eq!(people(" U7 "), ["U7"], "whom the rules do not name they may name tomorrow");

    let mut case = Case::new();
    case.policy = rules();
    let owners = vec!["kim@example.com, ana@example.com".to_owned()];
    // As if it were the first look.
    case.incident.identified = None;
    case.incident.owner_signs.clear();
    case.apply(vec![Event::Identified { found: Identification { owners, ..identified(&[]) } }]);
    let owners = ["U2", "U4"].map(|id| (PersonId(user(id)), Why::Owner));
    assert_eq!(recused(&case.incident, &case.policy), owners.into());
}

#[test]
fn whoever_has_the_credential_recuses_nobody_by_tags_or_a_name_that_they_give_it_while_people_wait() {
    let tagged = |owner: &str| Identification { owners: vec![owner.to_owned()], ..identified(&[]) };
    let (kim, both) = (vec!["U4"], vec!["U2", "U4"]);
    for (found, expected) in [
        (tagged("ana"), &kim),
        (Identification { owners: vec!["kim".into(), "ana".into()], ..identified(&[]) }, &kim),
        (Identification { owners: vec![], ..identified(&[]) }, &kim),
        // The user has another name now, or has been made anew.
        (Identification { name: Some("ana".into()), ..tagged("ana") }, &kim),
        (Identification { unique_id: Some("AIDA9".into()), ..tagged("ana") }, &kim),
        // It was another user's, as AWS says by now; or that it is this session's came later.
        (Identification { name: Some("web".into()), unique_id: Some("AIDA9".into()), ..tagged("ana") }, &both),
        (Identification { session_name: Some("ana".into()), ..tagged("kim") }, &both),
        (Identification { taken_by: vec!["ana".into()], ..tagged("kim") }, &both),
    ] {
        let mut case = Case::new();
        case.policy.belongings.insert("ana".to_owned(), PersonId(user("U2")));
        let words = format!("{found:?}");
        case.apply(vec![Event::Identified { found }]);
        let recused = recused(&case.incident, &case.policy);
        let recused: Vec<&str> = recused.keys().map(|person| person.0.as_str()).collect();
        assert_eq!(recused, *expected, "{words}");
    }
}

#[test]
fn whoever_took_the_stolen_session_does_not_decide_whatever_they_called_it() {
    let mut case = Case::new();
    case.incident.identified = None;
    case.incident.owner_signs.clear();
    case.policy.belongings = [("arn:aws:iam::111122223333:user/kim".to_owned(), PersonId(user("U4")))].into();
    let taken = |by: &[&str]| {
        let taken_by = by.iter().map(|name| (*name).to_owned()).collect();
        Identification { owners: vec![], session_name: Some("backup-job".into()), taken_by, ..identified(&[]) }
    };
    let recused = |case: &Case| recused(&case.incident, &case.policy).contains_key(&PersonId(user("U4")));
    case.apply(vec![Event::Identified { found: taken(&[]) }]);
    assert!(!recused(&case), "the name of the session says nothing");
    // The trail shows late who made the call, and what was once shown stays known.
    case.apply(vec![Event::Identified { found: taken(&["kim", "arn:aws:iam::111122223333:user/kim"]) }]);
    assert!(recused(&case));
    case.apply(vec![Event::Identified { found: taken(&[]) }]);
    assert!(recused(&case) && case.incident.identification().unwrap().taken_by.len() == 2);
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(case.approve("U4", 1), Err(Refusal::Recused(Why::Owner)));
}

#[test]
fn what_was_written_before_it_was_read_who_took_a_session_is_read_and_stays_as_it_was() {
    let old = serde_json::to_string(&identified(&[])).unwrap();
    assert!(!old.contains("taken_by"));
    assert_eq!(serde_json::from_str::<Identification>(&old).unwrap(), identified(&[]));
}

#[test]
fn tags_count_when_they_can_first_be_read() {
    // The user could not be read; its unique id may have been known without that.
    for unique_id in [None, Some("AIDA1".to_owned())] {
        let mut case = Case::new();
        let arn = "arn:aws:iam::111122223333:user/ci".to_owned();
        case.policy.belongings = [("ana".to_owned(), PersonId(user("U2"))), (arn, PersonId(user("U3")))].into();
        case.incident.identified = None;
        case.incident.owner_signs.clear();
        let unread = Identification { arn: None, unique_id, owners: vec![], ..identified(&[]) };
        case.apply(vec![Event::Identified { found: unread }]);
        assert!(recused(&case.incident, &case.policy).is_empty());
        let read = Identification { owners: vec!["ana".into()], ..identified(&[]) };
        case.apply(vec![Event::Identified { found: read }]);
        let both = ["U2", "U3"].map(|id| (PersonId(user(id)), Why::Owner));
        assert_eq!(recused(&case.incident, &case.policy), both.into());
    }
}

#[test]
fn whoever_was_recused_by_a_later_look_in_an_older_log_stays_so() {
    let event = open(IncidentId::new(1), alert("d"), &policy(), start());
    let Event::Opened { id, alert, severity, policy_version, .. } = event else { panic!("{event:?}") };
    let older = Event::Opened { id, alert, severity, policy_version, rules_read_at: None };
    let mut case = Case { incident: fold([&Record::seal(None, start(), older)]).unwrap(), ..Case::new() };
    case.policy.belongings.insert("ana".to_owned(), PersonId(user("U2")));
    case.apply(vec![Event::Identified { found: identified(&[]) }]);
    // That the rules have changed since makes no newer log of it.
    case.apply(vec![Event::RulesChanged { policy_version: "v1".into(), read_at: None }]);
    case.apply(vec![Event::Identified { found: Identification { owners: vec!["ana".into()], ..identified(&[]) } }]);
    let both = ["U2", "U4"].map(|id| (PersonId(user(id)), Why::Owner));
    assert_eq!(recused(&case.incident, &case.policy), both.into());
}

#[test]
fn what_only_looks_like_somebody_is_nobody() {
    for sign in ["", " , ", "kim", "kim@example.com.evil", "xkim@example.com", "lee", "platform team", "THE WEB TEAM"] {
        assert_eq!(people(sign), [""; 0], "{sign}");
    }
}

#[test]
fn whose_credential_a_step_is_about_does_not_decide_on_it_and_on_everything_else() {
    let bob = "arn:aws:iam::111122223333:user/bob";
    let mut case = Case::new();
    case.policy.belongings.insert(bob.to_owned(), PersonId(user("U2")));
    case.ask("U1", &["deactivate"]).unwrap();
    case.minutes(1);
    case.ask("U1", &["revoke-user"]).unwrap();
    // The attacker has made a key in Bob's name, or he has.
    let plan = &mut case.incident.requests.get_mut(&request(1)).unwrap().plan;
    let (owner_id, owner_arn) = ("AIDA2".to_owned(), bob.to_owned());
    plan.before = Observation::AccessKey { owner_id, owner_arn, status: Some(KeyStatus::Active) };
    let digest_shown = plan.digest().to_string();
    let refused = Err(Refusal::Recused(Why::Owner));
    assert_eq!(case.approve("U2", 1), refused);
    let denies = PersonCommand::Deny { request: request(1), digest_shown, reason: "no".into() };
    assert_eq!(case.act("U2", denies), refused);
    case.approve("U2", 2).unwrap();
    let policy = &case.policy;
    let kept_from = |n: u32| recused_from(&case.incident, &case.incident.requests[&request(n)], policy);
    assert!(kept_from(1).contains_key(&PersonId(user("U2"))) && !kept_from(2).contains_key(&PersonId(user("U2"))));
}

#[test]
fn whose_credential_a_step_is_about_is_not_counted_when_it_is_asked_for_and_does_not_judge_it_afterwards() {
    let mut case = Case::new();
    case.policy.belongings = [("arn:aws:iam::111122223333:user/ci".to_owned(), PersonId(user("U2")))].into();
    case.policy.approvers.users = [user("U2")].into();
    // As where it was reached later: the incident itself is about another's.
    case.incident.owner_signs.clear();
    let refused = case.ask("U1", &["deactivate"]);
    assert!(matches!(refused, Err(Refusal::NobodyToApprove { eligible: 0, .. })), "{refused:?}");
    case.policy.approvers.users = [user("U2"), user("U3")].into();
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(case.incident.requests[&request(1)].asked, [PersonId(user("U3"))]);

    case.policy.break_glass = [user("U1")].into();
    let alone = super::glass::glass(&case, 1, super::case::KEY);
    case.act("U1", alone).unwrap();
    case.run();
    let ratify = || PersonCommand::Ratify { request: request(1) };
    assert_eq!(case.act("U2", ratify()), Err(Refusal::Recused(Why::Owner)));
    case.act("U3", ratify()).unwrap();
}

#[test]
fn whoever_is_recused_from_one_of_several_is_not_counted_for_any_of_them() {
    let mut case = Case::new();
    case.policy.belongings = [("arn:aws:iam::111122223333:user/ci".to_owned(), PersonId(user("U2")))].into();
    case.policy.approvers.users = [user("U2"), user("U3")].into();
    case.incident.owner_signs.clear();
    case.ask("U1", &["revoke-assumed"]).unwrap();
    case.minutes(1);
    case.ask_all("U1").unwrap();
    let asked: Vec<usize> = case.incident.requests.values().map(|r| r.asked.len()).collect();
    assert_eq!(asked, [2, 1, 1, 1], "the role alone, and with the user's key and sessions");
}

#[test]
fn a_decision_says_on_what_it_was_made() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let press = PersonCommand::Approve { request: request(1), digest_shown: case.shown(1), clicked_at: case.now };
    let actor = case.actor("U2");
    let events = decide(&case.incident, &actor, press, case.cx()).unwrap();
    assert_eq!(events.len(), 3);
    for event in events {
        let Event::ApprovalGiven { shown: Some(shown), .. } = event else { panic!("{event:?}") };
        assert_eq!((shown.digest.short(), &*shown.policy_version), (&*case.shown(1), "v1"), "as on the card");
    }
}
