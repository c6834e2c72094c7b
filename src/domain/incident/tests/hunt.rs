//! What the search through the trail adds to containment, and the verdict on it.

use chrono::{DateTime, TimeDelta, Utc};

use super::case::{Case, KEY, OTHER_KEY, identified, request};
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::{Call, Hunted, Reached, SoFar, Swept, Trace, Watched};
use crate::domain::identification::Identification;
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Lost};
use crate::domain::incident::hunting::{HalfWay, Sweep, due_at};
use crate::domain::incident::overruling::words;
use crate::domain::incident::risk::containment_shown;
use crate::domain::incident::steps::{Missing, Offer, contained, missing, steps};
use crate::domain::incident::verdict::{Gate, Verdict, gate, standing};
use crate::domain::observation::{Identity, Observation};
use crate::domain::refusal::Refusal;
use crate::domain::trail::attribution::{Who, Word};
use crate::domain::trail::footprint::State;

pub(super) fn reached(key: &str, principal: &str) -> Reached {
    Reached {
        access_key_id: Some(key.into()),
        principal: Some(principal.into()),
        how: Some("CreateAccessKey".into()),
        event_id: Some("e".into()),
        last_worked_at: None,
    }
}

pub(super) fn made(kind: &str, id: &str) -> Trace {
    Trace {
        resource_type: kind.into(),
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

pub(super) fn through(at: DateTime<Utc>, principal: &str) -> Call {
    Call {
        at,
        event_id: "e-9".into(),
        what: "iam:ListUsers".into(),
        access_key_id: Some("ASIAIOSFODNN7EXAMPLE".into()),
        principal: principal.into(),
        region: "us-east-1".into(),
        worked: true,
        error: None,
    }
}

impl Case {
    pub(super) fn found(&mut self, found: Hunted) {
        self.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
    }

    /// A search comes to its end, with the trail covered until then.
    fn sweep(&mut self, covered_until: Option<DateTime<Utc>>, calls: Vec<Call>) -> Vec<Event> {
        self.now = due_at(&self.incident).unwrap().max(self.now);
        let found = self.incident.hunted.as_ref().map(|(found, _)| found.clone()).unwrap_or_default();
        let regions = vec![Watched { region: "us-east-1".into(), covered_until, unread: None }];
        let swept = Swept { regions, told_at: self.incident.told_at, ..Swept::default() };
        let sweep = Sweep { found, swept, calls };
        let events = take_report(&self.incident, Report::Hunted(Box::new(sweep)), self.cx());
        self.apply(events.clone());
        events
    }

    fn contained(&mut self) {
        self.ask_all("U1").unwrap();
        self.approve("U2", 1).unwrap();
        self.run();
        assert!(contained(&self.incident, &self.playbook));
    }

    fn accept(&mut self, id: &str) -> Result<(), Refusal> {
        let shown = containment_shown(&self.incident).unwrap_or_default();
        self.act(id, PersonCommand::AcceptRisk { shown, reason: "the shop opens".into() })
    }
}

pub(super) fn titles(case: &Case) -> Vec<String> {
    steps(&case.incident, &case.playbook).into_iter().map(|step| step.id.to_string()).collect()
}

#[test]
fn what_was_reached_is_offered_and_what_is_off_is_not() {
    let mut case = Case::new();
    let user = |name: &str| format!("arn:aws:iam::111122223333:user/{name}");
    let credentials = vec![
        reached(OTHER_KEY, &user("ci")),
        reached("AKIAI44QH8DHBBACKDOR", &user("path/backdoor")),
        reached("AKIAI44QH8DHBFARAWAY", "arn:aws:iam::999988887777:user/far"),
        reached("ASIAI44QH8DHBEXAMPLE", "arn:aws:sts::111122223333:assumed-role/db/s"),
        reached("ASIAI44QH8DHBEXAMPL2", "arn:aws:sts::999988887777:assumed-role/there/s"),
        reached("ASIAI44QH8DHBEXAMPL3", "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForSupport/s"),
    ];
    let footprint = vec![made("AWS::IAM::User", "second"), made("AWS::S3::Bucket", "loot")];
    case.found(Hunted { credentials, footprint, ..Hunted::default() });
    let own = [format!("deactivate-access-key.{KEY}"), format!("deactivate-access-key.{OTHER_KEY}")];
    assert_eq!(titles(&case)[..2], own);
    assert_eq!(
        titles(&case)[2..],
        [
            "deactivate-access-key.AKIAI44QH8DHBBACKDOR",
            "revoke-user-sessions",
            "revoke-user-sessions.backdoor",
            "revoke-user-sessions.second",
            "revoke-assumed-roles.app",
            "revoke-assumed-roles.db",
            "revoke-assumed-roles.AWSServiceRoleForSupport",
            "revoke-assumed-roles.999988887777.there",
            "by-hand.s3-bucket.loot",
        ]
    );
    let there = steps(&case.incident, &case.playbook).into_iter().find(|step| step.id.to_string().ends_with("there"));
    let Some(Offer::Refused { instead, .. }) = there.map(|step| step.offer) else { panic!("it is for people there") };
    assert!(instead.contains("`/irp open ASIAI44QH8DHBEXAMPL2`"), "{instead}");
    let (mut found, _) = case.incident.hunted.clone().unwrap();
    found.off = ["AKIAI44QH8DHBBACKDOR".to_owned()].into();
    found.users_off = ["second".to_owned()].into();
    case.found(found);
    let left = titles(&case);
    assert!(!left.iter().any(|id| id.ends_with("BACKDOR") || id.ends_with("second")), "{left:?}");
}

#[test]
fn a_user_who_is_called_what_a_dead_key_is_is_not_gone() {
    let key = "AKIAI44QH8DHBBACKDOR";
    let found = Hunted {
        credentials: vec![reached(key, "arn:aws:iam::111122223333:user/ana")],
        footprint: vec![made("AWS::IAM::User", key)],
        off: [key.to_owned()].into(),
        ..Hunted::default()
    };
    let mut case = Case::new();
    case.found(found.clone());
    let step = format!("revoke-user-sessions.{key}");
    let shown = titles(&case);
    assert!(shown.contains(&step) && !shown.contains(&format!("deactivate-access-key.{key}")), "{shown:?}");
    assert!(missing(&case.incident, &case.playbook).iter().any(|(lacking, _)| lacking.id.as_str() == step));
    case.found(Hunted { users_off: [key.to_owned()].into(), ..found });
    assert!(!titles(&case).contains(&step));
    // What was written before the two were kept apart.
    let old = serde_json::json!({"credentials": [], "footprint": [], "not_known": [], "off": [key, "second"]});
    let old: Hunted = serde_json::from_value(old).unwrap();
    assert!(old.is_gone("second") && !old.is_gone(key) && !old.is_gone("ana"));
}

#[test]
fn a_role_that_the_attacker_has_made_is_revoked_whatever_they_call_it() {
    let arn = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForBackup/s";
    let found = Hunted { credentials: vec![reached("ASIAI44QH8DHBEXAMPLE", arn)], ..Hunted::default() };
    let mut case = Case::new();
    let is_for_people = |case: &Case| {
        let all = steps(&case.incident, &case.playbook);
        let step = all.into_iter().find(|step| step.id.as_str() == "revoke-assumed-roles.AWSServiceRoleForBackup");
        matches!(step.unwrap().offer, Offer::Refused { .. })
    };
    case.found(found.clone());
    assert!(is_for_people(&case));
    let footprint = vec![made("AWS::IAM::Role", "AWSServiceRoleForSupport")];
    case.found(Hunted { footprint, ..found.clone() });
    assert!(is_for_people(&case), "they have made another");
    case.found(Hunted { footprint: vec![made("AWS::IAM::Role", "AWSServiceRoleForBackup")], ..found });
    assert!(!is_for_people(&case));
}

#[test]
fn searches_come_every_minute_at_first_and_after_anything_new() {
    let mut case = Case::new();
    let mut waits = Vec::new();
    for _ in 0..60 {
        let before = case.now;
        case.sweep(None, vec![]);
        waits.push((case.now - before).num_minutes());
    }
    assert!(waits[1..=30].iter().all(|wait| *wait == 1), "{waits:?}");
    assert!(waits[31..=48].iter().all(|wait| *wait == 5), "{waits:?}");
    assert!(waits[49..].iter().all(|wait| *wait == 30), "{waits:?}");
    case.found(Hunted { footprint: vec![made("AWS::S3::Bucket", "loot")], ..Hunted::default() });
    case.sweep(None, vec![]);
    assert_eq!(due_at(&case.incident), Some(case.now + TimeDelta::minutes(1)), "something new");
    case.contained();
    case.sweep(None, vec![]);
    assert_eq!(due_at(&case.incident).unwrap() - case.now, TimeDelta::minutes(1), "a proof is waited for");
}

#[test]
fn a_verdict_is_recorded_when_it_changes_and_a_late_event_turns_it() {
    let mut case = Case::new();
    case.sweep(None, vec![]);
    assert_eq!(case.incident.verdict, None, "containment that is not complete has none");
    case.contained();
    let since = case.now;
    let says = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::VerdictReached { judged } => Some(judged.verdict.clone()),
            _ => None,
        })
    };
    let events = case.sweep(None, vec![]);
    assert_eq!(says(&events), Some(Verdict::Provisional));
    assert_eq!(says(&case.sweep(Some(since + TimeDelta::seconds(1_799)), vec![])), None, "the same again");
    assert_eq!(says(&case.sweep(Some(since + TimeDelta::minutes(30)), vec![])), Some(Verdict::Verified));
    assert_eq!(gate(&case.incident, &case.playbook), Gate::Verified);

    let role = "arn:aws:sts::111122223333:assumed-role/app/s";
    let late = through(since + TimeDelta::seconds(61), role);
    let events = case.sweep(Some(since + TimeDelta::minutes(35)), vec![late.clone()]);
    assert_eq!(says(&events), Some(Verdict::Failed { call: late.clone() }));
    assert_eq!(gate(&case.incident, &case.playbook), Gate::Shut);
    let lacking = missing(&case.incident, &case.playbook);
    assert_eq!(lacking.len(), 1, "{lacking:?}");
    assert_eq!((lacking[0].0.id.as_str(), lacking[0].1), ("revoke-assumed-roles.app", Missing::GotThrough));
    assert!(matches!(standing(&case.incident, &case.playbook), Some(Verdict::Failed { .. })), "it says why");

    case.ask("U1", &["revoke-assumed"]).unwrap();
    case.approve("U2", 4).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
    assert_eq!(standing(&case.incident, &case.playbook), None, "another containment, not judged yet");
    let events = case.sweep(None, vec![late]);
    assert_eq!(says(&events), Some(Verdict::Provisional), "what was before it does not count against it");
}

#[test]
fn a_search_that_could_not_look_anywhere_takes_nothing_back() {
    let mut case = Case::new();
    case.contained();
    let late = through(case.now + TimeDelta::seconds(61), "arn:aws:sts::111122223333:assumed-role/app/s");
    case.sweep(Some(case.now), vec![late]);
    let failed = |case: &Case| matches!(standing(&case.incident, &case.playbook), Some(Verdict::Failed { .. }));
    assert!(failed(&case));
    for regions in
        [vec![], vec![Watched { region: "us-east-1".into(), covered_until: None, unread: Some("no".into()) }]]
    {
        case.now = due_at(&case.incident).unwrap();
        let found = case.incident.hunted.as_ref().map(|(found, _)| found.clone()).unwrap();
        let swept = Swept { regions, told_at: case.incident.told_at, ..Swept::default() };
        let sweep = Sweep { found, swept, calls: Vec::new() };
        let events = take_report(&case.incident, Report::Hunted(Box::new(sweep)), case.cx());
        case.apply(events);
        assert!(failed(&case), "nobody has looked");
        assert!(case.incident.breach.is_some());
    }
}

#[test]
fn the_owner_does_not_say_from_when_on_the_credential_was_in_other_hands() {
    let mut case = Case::new();
    let set = |case: &Case| {
        let (at, clicked_at) = (case.now, case.now);
        PersonCommand::SetCompromiseTime { at, basis: "it was me before".into(), clicked_at }
    };
    let command = set(&case);
    assert!(matches!(case.act("U4", command), Err(Refusal::Recused(_))), "the credential is Kim's");
    let command = set(&case);
    case.act("U1", command).unwrap();
}

#[test]
fn the_risk_is_accepted_by_two_of_whom_one_approves_and_for_this_containment_only() {
    let mut case = Case::new();
    assert!(matches!(case.accept("U1"), Err(Refusal::NotApplicable(why)) if why.contains("Containment is not done")));
    case.contained();
    case.policy.responders.users.insert("U5".parse().unwrap());
    let reasonless =
        PersonCommand::AcceptRisk { shown: containment_shown(&case.incident).unwrap(), reason: " ".into() };
    assert_eq!(case.act("U1", reasonless), Err(Refusal::ReasonNeeded));
    assert!(matches!(case.accept("U4"), Err(Refusal::Recused(_))), "the credential is Kim's");
    assert_eq!(case.accept("U9"), Err(Refusal::NotAResponder));
    case.accept("U1").unwrap();
    assert!(matches!(case.accept("U1"), Err(Refusal::Other(why)) if why.contains("second person")));
    case.accept("U5").unwrap();
    assert_eq!(gate(&case.incident, &case.playbook), Gate::Shut, "neither of them approves");
    case.accept("U3").unwrap();
    assert_eq!(gate(&case.incident, &case.playbook), Gate::Accepted);
    assert!(matches!(case.accept("U2"), Err(Refusal::NotApplicable(why)) if why.contains("already")));

    // A call that got through ends it.
    let late = through(case.now + TimeDelta::seconds(90), "arn:aws:iam::111122223333:user/ci");
    case.sweep(None, vec![late]);
    assert_eq!(gate(&case.incident, &case.playbook), Gate::Shut);
    assert!(matches!(case.accept("U1"), Err(Refusal::NotApplicable(why)) if why.contains("has worked after")));
}

#[test]
fn a_press_on_an_older_card_accepts_nothing() {
    let mut case = Case::new();
    case.contained();
    let stale = PersonCommand::AcceptRisk {
        shown: containment_shown(&case.incident).unwrap() - 1,
        reason: "the shop opens".into(),
    };
    assert!(matches!(case.act("U1", stale), Err(Refusal::NotApplicable(why)) if why.contains("has changed")));
}

pub(super) fn password(of: &str) -> Reached {
    Reached { access_key_id: None, how: Some("CreateLoginProfile".into()), ..reached("-", of) }
}

#[test]
fn a_password_that_the_attacker_knows_is_taken_away_before_the_sessions_are_revoked() {
    let mut case = Case::new();
    let credentials = vec![
        password("arn:aws:iam::111122223333:user/ci"),
        password("arn:aws:iam::999988887777:user/far"),
        password("arn:aws:sts::111122223333:assumed-role/app/s"),
    ];
    case.found(Hunted { credentials, ..Hunted::default() });
    let order: Vec<String> =
        titles(&case).into_iter().filter(|id| id == "delete-login-profile.ci" || id.starts_with("rev")).collect();
    assert_eq!(order[..2], ["delete-login-profile.ci", "revoke-user-sessions"], "{order:?}");
    let lacking = |case: &Case| -> Vec<(String, Missing)> {
        missing(&case.incident, &case.playbook).into_iter().map(|(step, why)| (step.id.to_string(), why)).collect()
    };
    assert!(lacking(&case).contains(&("delete-login-profile.ci".into(), Missing::NotInForce)));
    // Somebody has taken it away by hand.
    let (mut found, _) = case.incident.hunted.clone().unwrap();
    found.without_password.insert("ci".into());
    case.found(found);
    assert!(!lacking(&case).iter().any(|(id, _)| id.starts_with("delete-login-profile")), "{:?}", lacking(&case));
}

#[test]
fn what_is_undone_after_a_search_is_missing_until_the_next_one() {
    let mut case = Case::new();
    let arn = "arn:aws:iam::111122223333:user/ci";
    let known = Hunted { credentials: vec![password(arn)], ..Hunted::default() };
    case.found(known.clone());
    let login = |present| {
        let owner = Identity { id: "AIDA1".into(), arn: arn.into(), path: "/".into() };
        Observation::Attached { owner, present, other_arn: None, members: Vec::new() }
    };
    case.estate = [login(true), login(false)];
    case.ask("U1", &["delete-login-profile"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    case.found(Hunted { without_password: ["ci".to_owned()].into(), ..known });
    case.sweep(None, vec![]);
    let lacks = |case: &Case| {
        missing(&case.incident, &case.playbook).iter().any(|(step, _)| step.id.as_str() == "delete-login-profile.ci")
    };
    assert!(!lacks(&case));
    case.minutes(1);
    let lost = vec![Lost { request: request(1), why: "set again".into() }];
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost,
        new_keys: vec![],
        unread: vec![],
        keys_unread: None,
    }]);
    assert!(lacks(&case), "the search was before");
    case.sweep(None, vec![]);
    assert!(!lacks(&case), "somebody has taken it away again");
}

#[test]
fn an_instance_whose_role_was_stolen_asks_for_a_token_before_the_role_is_revoked() {
    let mut case = Case::new();
    let session = |role: &str, name: &str| {
        reached("ASIAI44QH8DHBEXAMPLE", &format!("arn:aws:sts::111122223333:assumed-role/{role}/{name}"))
    };
    let sessions = [("web", "i-0a"), ("web", "i-0b"), ("miner", "i-0c"), ("app", "s"), ("miner", "i-0d")];
    let credentials = sessions.map(|(role, name)| session(role, name)).to_vec();
    // Two run for the attacker: they are ended, one of them once its group starts no more.
    let footprint = vec![made("AWS::EC2::Instance", "i-0c")];
    let started = [("i-0d".to_owned(), "eu-west-1".to_owned())].into();
    let open = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), "eu-west-1".to_owned())).collect();
    let found =
        Hunted { credentials, footprint, started, without_token: open(&["i-0a", "i-0c", "i-0d"]), ..Hunted::default() };
    case.found(found.clone());
    let required = |case: &Case| -> Vec<String> {
        titles(case).into_iter().filter(|id| id.starts_with("require-imdsv2")).collect()
    };
    assert_eq!(required(&case), ["require-imdsv2.i-0a"]);
    let all = titles(&case);
    let place = |id: &str| all.iter().position(|of| of == id).unwrap();
    assert!(place("require-imdsv2.i-0a") < place("revoke-assumed-roles.web"), "{all:?}");
    let lacks = |case: &Case| {
        missing(&case.incident, &case.playbook).iter().any(|(step, _)| step.id.as_str().starts_with("require"))
    };
    assert!(lacks(&case));
    // Somebody has seen to it by hand.
    case.found(Hunted { without_token: open(&[]), ..found });
    assert!(required(&case).is_empty() && !lacks(&case));
}

#[test]
fn what_a_role_has_reached_is_contained_too() {
    let mut case = Case::new();
    let found =
        Identification { kind: PrincipalKind::AssumedRole, name: Some("app".into()), keys: vec![], ..identified(&[]) };
    case.apply(vec![Event::Identified { found }]);
    let backdoor = "arn:aws:iam::111122223333:user/backdoor";
    let credentials = vec![reached("AKIAI44QH8DHBBACKDOR", backdoor), password(backdoor)];
    case.found(Hunted { credentials, ..Hunted::default() });
    assert_eq!(
        titles(&case),
        [
            "deactivate-access-key.AKIAI44QH8DHBBACKDOR",
            "delete-login-profile.backdoor",
            "revoke-user-sessions.backdoor",
            "revoke-role-sessions",
        ]
    );
}

#[test]
fn what_a_responder_says_is_followed_at_once_and_takes_a_failure_back() {
    let mut case = Case::new();
    case.contained();
    let since = case.now;
    let late = through(since + TimeDelta::seconds(61), "arn:aws:sts::111122223333:assumed-role/app/s");
    case.sweep(Some(since), vec![late.clone()]);
    assert_eq!(missing(&case.incident, &case.playbook).len(), 1);
    let word = Word { about: late.access_key_id.unwrap(), who: Who::Owner };
    let clicked_at = case.now;
    let say = |reason: &str| PersonCommand::Overrule { word: word.clone(), reason: reason.into(), clicked_at };
    assert_eq!(case.act("U1", say(" ")), Err(Refusal::ReasonNeeded));
    assert!(matches!(case.act("U4", say("it was me")), Err(Refusal::Recused(_))), "the credential is Kim's");
    assert_eq!(case.act("U9", say("x")), Err(Refusal::NotAResponder));
    case.act("U1", say("the nightly export")).unwrap();
    assert_eq!(due_at(&case.incident), Some(case.now));
    assert_eq!(words(&case.incident), [word]);
    case.sweep(Some(since), vec![]);
    assert!(missing(&case.incident, &case.playbook).is_empty(), "nobody has got through");
    assert!(due_at(&case.incident).unwrap() > case.now, "it is followed once");
}

impl Case {
    /// A search says what it has come to.
    fn half_way(&mut self, found: Option<Hunted>, calls: Vec<Call>, told_at: Option<DateTime<Utc>>) -> Vec<Event> {
        self.now = due_at(&self.incident).unwrap().max(self.now);
        let (began_at, newest_at) = (self.now, None);
        let so_far = SoFar { began_at, regions_done: 1, regions: 2, questions_left: 3, events_read: 4, newest_at };
        let half_way = HalfWay { found, calls, so_far, told_at };
        let events = take_report(&self.incident, Report::HalfWay(Box::new(half_way)), self.cx());
        self.apply(events.clone());
        events
    }
}

#[test]
fn half_a_search_adds_what_is_new_and_is_no_sweep() {
    let mut case = Case::new();
    case.contained();
    let found = |key: &str| Hunted {
        credentials: vec![reached(key, "arn:aws:iam::111122223333:user/two")],
        ..Hunted::default()
    };
    let said = case.half_way(None, vec![], None);
    assert!(matches!(said[..], [Event::TrailPartlyRead { .. }]), "{said:?}");
    let said = case.half_way(Some(found("AKIAI44QH8DHBBACKDOR")), vec![], None);
    assert!(matches!(said[..], [Event::TrailHunted { .. }, Event::TrailPartlyRead { .. }]), "{said:?}");
    assert!(!contained(&case.incident, &case.playbook), "one more key is to be switched off");
    assert!(case.incident.swept.is_none() && case.incident.hunting.is_some());
    let again = case.half_way(Some(found("AKIAI44QH8DHBBACKDOR")), vec![], None);
    assert!(matches!(again[..], [Event::TrailPartlyRead { .. }]), "the same is no news: {again:?}");
    case.incident.told_at = Some(case.now);
    let stale = case.half_way(Some(found("AKIAI44QH8DHBDEMOKEY")), vec![], None);
    assert!(matches!(stale[..], [Event::TrailPartlyRead { .. }]), "it has not heard what was said since: {stale:?}");
    case.sweep(None, vec![]);
    assert!(case.incident.hunting.is_none());
}

#[test]
fn what_got_through_fails_the_containment_before_the_search_is_at_its_end_and_nothing_else_is_judged() {
    let mut case = Case::new();
    case.contained();
    let since = case.incident.watch.unwrap().since;
    let quiet = case.half_way(Some(Hunted::default()), vec![], None);
    assert!(case.incident.verdict.is_none(), "{quiet:?}");
    let call = through(since + TimeDelta::minutes(5), "arn:aws:iam::111122223333:user/ci");
    case.half_way(Some(Hunted::default()), vec![call], None);
    assert!(matches!(standing(&case.incident, &case.playbook), Some(Verdict::Failed { .. })));
    let records = case.incident.version;
    let call = through(since + TimeDelta::minutes(5), "arn:aws:iam::111122223333:user/ci");
    case.half_way(Some(Hunted::default()), vec![call], None);
    assert_eq!(case.incident.version, records + 1, "it is not said twice");
}

#[test]
fn a_machine_that_half_a_search_shows_keeps_containment_open_and_what_gets_through_is_said_at_once() {
    let mut case = Case::new();
    case.contained();
    let since = case.incident.watch.unwrap().since;
    let session = reached("ASIAI44QH8DHBEXAMPLE", "arn:aws:sts::111122223333:assumed-role/web/i-0a");
    let found = Hunted { credentials: vec![session], ..Hunted::default() };
    case.half_way(Some(found), vec![], None);
    case.ask("U1", &["revoke-assumed-roles.web"]).unwrap();
    case.approve("U2", 4).unwrap();
    case.run();
    assert_eq!(missing(&case.incident, &case.playbook), [], "all is done that is known");
    assert!(!contained(&case.incident, &case.playbook), "whether it still gives its role out is read at the end");
    let call = through(since + TimeDelta::minutes(5), "arn:aws:iam::111122223333:user/ci");
    case.half_way(None, vec![call], None);
    let verdict = case.incident.verdict.as_ref().map(|(judged, _)| &judged.verdict);
    assert!(matches!(verdict, Some(Verdict::Failed { .. })), "{verdict:?}");
}
