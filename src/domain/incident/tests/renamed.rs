//! The user goes on under another name.

use super::case::{Case, KEY, identified, request};
use super::eradication::{changed, hunted};
use super::hunt::reached;
use crate::domain::action::{Action, Freshness, RevokeUserSessions};
use crate::domain::hunt::Hunted;
use crate::domain::identification::Identification;
use crate::domain::incident::command::Report;
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::Event;
use crate::domain::incident::renamed::{
    first_name, is_back, is_called_otherwise, refused, shows_other_name, unique_id,
};
use crate::domain::incident::steps::{Offer, Step, contained, steps};
use crate::domain::observation::{Identity, KeyStatus, Observation, Probe};

fn arn(name: &str) -> String {
    format!("arn:aws:iam::111122223333:user/{name}")
}

fn key(name: &str, owner_id: &str, status: Option<KeyStatus>) -> Observation {
    Observation::AccessKey { owner_id: owner_id.into(), owner_arn: arn(name), status }
}

fn renamed_to(name: &str, status: KeyStatus) -> Identification {
    Identification { name: Some(name.into()), arn: Some(arn(name)), ..identified(&[(KEY, status)]) }
}

fn actions(case: &Case) -> Vec<Action> {
    let action = |step: Step| if let Offer::Action(action) = step.offer { Some(action) } else { None };
    steps(&case.incident, &case.playbook).into_iter().filter_map(action).collect()
}

#[test]
fn what_is_asked_for_after_a_renaming_goes_to_the_new_name() {
    let mut case = Case::new();
    // Nobody has asked to look again.
    let same = take_report(&case.incident, Report::Identified(identified(&[])), case.cx());
    assert_eq!(same, []);
    let other = Identification { unique_id: Some("AIDA2".into()), ..renamed_to("x", KeyStatus::Active) };
    assert_eq!(
        take_report(&case.incident, Report::Identified(other), case.cx()),
        [],
        "another user is no news of this one"
    );
    let found = renamed_to("x", KeyStatus::Active);
    let events = take_report(&case.incident, Report::Identified(found.clone()), case.cx());
    assert_eq!(events, [Event::Identified { found }]);
    case.apply(events);
    let named: Vec<String> = actions(&case)
        .into_iter()
        .filter_map(|action| match action {
            Action::DeactivateAccessKey(of) => Some(of.user_name),
            Action::RevokeUserSessions(of) => Some(of.user_name),
            _ => None,
        })
        .collect();
    assert_eq!(named, ["x", "x"]);
}

#[test]
fn an_approval_for_the_old_name_is_stale_and_says_the_new_one() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    case.approve("U2", 1).unwrap();
    let starts = |now: Observation| {
        let report = Report::ReadyToExecute { warranted: Ok(vec![]), now, request: request(1), replica: "r".into() };
        take_report(&case.incident, report, case.cx())
    };
    let events = starts(key("x", "AIDA1", Some(KeyStatus::Active)));
    assert!(
        matches!(&events[..], [Event::RequestStale { why, .. }] if why.contains("user ci is called x by now")),
        "{events:?}"
    );
    // Off under the new name or the old, what was asked for is not what AWS shows of that name.
    assert!(matches!(&starts(key("x", "AIDA1", Some(KeyStatus::Inactive)))[..], [Event::RequestStale { .. }]));
    assert!(matches!(&starts(Observation::OwnerMissing)[..], [Event::RequestStale { .. }]));
    assert!(matches!(&starts(key("ci", "AIDA1", Some(KeyStatus::Active)))[..], [Event::ExecutionStarted { .. }]));
}

#[test]
fn a_key_that_works_under_another_name_is_a_containment_that_is_lost() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let looked = |now: Observation| {
        let looked = vec![(request(1), Ok(now))];
        take_report(&case.incident, Report::Checked { looked, keys: None }, case.cx())
    };
    let events = looked(key("x", "AIDA1", Some(KeyStatus::Active)));
    assert!(
        matches!(&events[..], [Event::ContainmentChecked { lost, .. }] if lost[0].why.contains("is Active again")),
        "{events:?}"
    );
    let events = looked(key("x", "AIDA1", Some(KeyStatus::Inactive)));
    assert!(matches!(&events[..], [Event::ContainmentChecked { held, .. }] if *held == [request(1)]), "{events:?}");
}

#[test]
fn what_was_done_under_the_old_name_is_done_and_what_was_not_is_not() {
    let mut case = Case::new();
    case.apply(vec![Event::Identified { found: renamed_to("x", KeyStatus::Active) }]);
    assert!(!contained(&case.incident, &case.playbook));
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    case.apply(vec![Event::Identified { found: renamed_to("x", KeyStatus::Inactive) }]);
    assert!(contained(&case.incident, &case.playbook), "it went along with the user");
}

#[test]
fn what_a_search_has_shown_of_the_user_is_not_another_users() {
    let mut case = Case::new();
    let stolen = Hunted { credentials: vec![reached(KEY, &arn("ci"))], ..Hunted::default() };
    case.apply(vec![Event::TrailHunted { found: Box::new(stolen) }]);
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
    case.apply(vec![Event::Identified { found: renamed_to("x", KeyStatus::Inactive) }]);
    assert!(contained(&case.incident, &case.playbook), "there is no other user");
}

#[test]
fn nothing_is_planned_for_a_user_under_a_name_that_it_has_no_more() {
    let mut case = Case::new();
    let probe = Probe::AccessKey { user_name: "ci".into(), access_key_id: KEY.parse().unwrap() };
    let active = Some(KeyStatus::Active);
    assert_eq!(unique_id(&case.incident, &probe), Some("AIDA1"));
    assert_eq!(unique_id(&case.incident, &probe.under("ben")), None);
    assert_eq!(refused(&case.incident, &probe, &key("ci", "AIDA1", active)), None);
    assert!(refused(&case.incident, &probe, &key("x", "AIDA1", active)).unwrap().contains("some minutes later"));
    assert!(shows_other_name(&case.incident, &key("x", "AIDA1", active)));
    for other in [key("ci", "AIDA1", active), key("x", "AIDA2", active), Observation::OwnerMissing] {
        assert!(!shows_other_name(&case.incident, &other), "{other:?}");
    }
    let mut found = Hunted::default();
    found.call_anew("111122223333", "ben", "y");
    assert!(!is_called_otherwise(&case.incident, &found));
    found.call_anew("111122223333", "ci", "x");
    assert!(is_called_otherwise(&case.incident, &found));
    let renaming = found.renamed.get_mut("111122223333/ci").unwrap();
    (renaming.by, renaming.event_id) = (Some(arn("eve")), Some("e-7".into()));
    case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
    let why = refused(&case.incident, &probe, &key("x", "AIDA1", active)).unwrap();
    assert!(why.contains(&format!("{} has renamed it, event e-7", arn("eve"))), "{why}");
}

#[test]
fn a_change_of_name_alone_makes_a_plan_stale_and_a_removal_is_not_done_by_it() {
    let login = |name: &str| Observation::Attached {
        owner: Identity { id: "AIDA1".into(), arn: arn(name), path: "/".into() },
        present: true,
        other_arn: None,
        members: Vec::new(),
    };
    let action = Action::RevokeUserSessions(RevokeUserSessions { user_name: "ci".into() });
    let fresh = action.freshness(&login("ci"), &login("x"));
    assert!(matches!(&fresh, Freshness::Changed(why) if why.contains("user/x now")), "{fresh:?}");
    let delete = Action::DeleteUser(crate::domain::action::DeleteUser { user_name: "m".into() });
    assert!(matches!(delete.freshness(&login("m"), &login("n")), Freshness::Changed(_)));
    assert!(!delete.holds(&login("m"), &[], &login("n")), "it is there, under another name");
    assert!(delete.holds(&login("m"), &[], &Observation::OwnerMissing));
}

#[test]
fn what_was_asked_for_of_another_user_is_asked_for_under_its_name_of_now() {
    let mut case = Case::new();
    let found = |renamed: &[(&str, &str)]| {
        let mut found = Hunted { credentials: vec![reached("AKIAREACHED000000001", &arn("bob"))], ..Hunted::default() };
        for (from, to) in renamed {
            found.call_anew("111122223333", from, to);
        }
        Event::TrailHunted { found: Box::new(found) }
    };
    let others = |case: &Case| -> Vec<String> {
        let of = |action| match action {
            Action::RevokeUserSessions(of) => Some(of.user_name),
            Action::DeactivateAccessKey(of) => Some(of.user_name),
            _ => None,
        };
        let mut names: Vec<String> = actions(case).into_iter().filter_map(of).filter(|name| name != "ci").collect();
        names.sort();
        names.dedup();
        names
    };
    case.apply(vec![found(&[])]);
    assert_eq!(others(&case), ["bob"]);
    case.ask("U1", &["revoke-user-sessions.bob"]).unwrap();
    case.apply(vec![found(&[("bob", "carl")])]);
    assert_eq!(others(&case), ["carl"], "nothing is left to be done under the old one");
}

#[test]
fn half_a_search_keeps_what_aws_has_shown_of_names() {
    let of =
        |name: &str| Hunted { credentials: vec![reached("AKIAREACHED000000001", &arn(name))], ..Hunted::default() };
    let mut before = of("bob");
    before.call_anew("111122223333", "bob", "carl");
    assert_eq!(before.credentials[0].principal, Some(arn("carl")));
    let after = of("bob").half_way(Some(&before));
    assert_eq!((after.credentials[0].principal.clone(), &after.renamed), (Some(arn("carl")), &before.renamed));
}

#[test]
fn an_older_log_says_nothing_of_names_and_can_be_read() {
    let text = serde_json::to_string(&Hunted::default()).unwrap();
    assert!(!text.contains("renamed"), "{text}");
    assert_eq!(serde_json::from_str::<Hunted>(&text).unwrap(), Hunted::default());
}

#[test]
fn a_users_old_name_is_given_back_by_people_until_it_has_it() {
    let by_hand = |traces| -> Vec<Step> {
        let mut case = Case::new();
        hunted(&mut case, traces);
        let all = steps(&case.incident, &case.playbook).into_iter();
        all.filter(|step| step.id.as_str().starts_with("by-hand.")).collect()
    };
    let renamed = |now: &str, deeds: &[(&str, &str, bool)]| by_hand(vec![changed("User", now, deeds)]);
    let twice = [("UpdateUser", "ben → x", true), ("UpdateUser", "x → it's", true)];
    let steps = renamed("it's", &twice);
    let [Step { offer: Offer::Refused { commands, instead, .. }, .. }] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(commands.last().unwrap(), r"aws iam update-user --user-name 'it'\''s' --new-user-name ben");
    assert!(instead.contains("ben → x"), "{instead}");
    let back = [&twice[..], &[("UpdateUser", "it's → ben", false)]].concat();
    assert!(renamed("ben", &back).is_empty(), "somebody has given it back");
    assert!(renamed("z", &[("UpdateUser", "ben → z", false)]).is_empty(), "not the attacker's doing");
    let group = by_hand(vec![changed("Group", "staff", &[("UpdateGroup", "admins → staff", true)])]);
    let [Step { offer: Offer::Refused { commands, .. }, .. }] = &group[..] else { panic!("{group:?}") };
    assert_eq!(commands.last().unwrap(), "aws iam update-group --group-name staff --new-group-name admins");
}

#[test]
fn the_name_that_is_given_back_is_the_one_that_the_attacker_has_taken_away() {
    let trace = changed("User", "x", &[("UpdateUser", "ann → ben", false), ("UpdateUser", "ben → x", true)]);
    assert_eq!(first_name(&trace), Some("ben"), "the owner has called them so before");
    assert!(!is_back(&trace, &trace.deeds[1]));
    // The call has put the user under another path, which gives it no name.
    let moved = changed("User", "x", &[("UpdateUser", "", true)]);
    assert!(!is_back(&moved, &moved.deeds[0]));
}
