//! Containment in one go, the watch over it, and what one person may do alone, at the level of the rules.

use chrono::{DateTime, TimeDelta, Utc};

use super::command::{PersonCommand, Report};
use super::decide::{self, Context, decide, take_report};
use super::event::{Event, Lost, Outcome};
use super::evolve::{evolve, fold};
use super::owed::{Effect, owed, reach_at};
use super::state::Incident;
use super::steps::{Missing, contained, in_force, missing, steps};
use super::together::{digest, open_steps, together};
use super::watch;
use crate::domain::action::Action;
use crate::domain::alert::{Alert, AlertSource, Severity};
use crate::domain::approval::{CallAnswer, Debt, RequestState, Warrant};
use crate::domain::blast_radius::{AssumedRole, BlastRadius};
use crate::domain::credential::{AccessKeyId, PrincipalKind, Subject};
use crate::domain::id::{IncidentId, RequestId, StepId, UserId};
use crate::domain::identification::{Identification, KnownKey};
use crate::domain::observation::{KeyStatus, Observation};
use crate::domain::playbook::{BUILT_IN, Playbook};
use crate::domain::policy::{ActionClass, Actor, List, PersonId, Policy, Rules, Standing};
use crate::domain::recusal::recused;
use crate::domain::refusal::Refusal;
use crate::domain::stored::Record;

mod whole;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const OTHER_KEY: &str = "AKIAI44QH8DHBEXAMPLE";

struct Case {
    incident: Incident,
    policy: Policy,
    playbook: Playbook,
    now: DateTime<Utc>,
    /// AWS: the key, and the two policies.
    key: KeyStatus,
    user_policy: Option<String>,
    role_policy: Option<String>,
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn policy() -> Policy {
    let rules = Rules { quorum: 1, approve_within: TimeDelta::minutes(15), execute_within: TimeDelta::minutes(5) };
    let list = |ids: &[&str]| List { users: ids.iter().map(|id| user(id)).collect(), groups: [].into() };
    Policy {
        responders: list(&["U1", "U2"]),
        approvers: list(&["U2", "U3", "U4"]),
        members: [].into(),
        aliases: [].into(),
        belongings: [("kim".to_owned(), PersonId(user("U4")))].into(),
        protected_arns: [].into(),
        rules: ActionClass::ALL.into_iter().map(|class| (class, rules)).collect(),
        break_glass: [].into(),
        escalation: [].into(),
        version: "v1".into(),
    }
}

fn known(key: &str, status: KeyStatus) -> KnownKey {
    KnownKey { id: key.parse().unwrap(), status, created_at: None, last_used_at: None, last_used_for: None }
}

fn identified(keys: &[(&str, KeyStatus)]) -> Identification {
    Identification {
        kind: PrincipalKind::IamUser,
        name: Some("ci".into()),
        arn: Some("arn:aws:iam::111122223333:user/ci".into()),
        unique_id: Some("AIDA1".into()),
        session_name: None,
        account: Some("111122223333".parse().unwrap()),
        account_in_key: None,
        account_from_sts: None,
        keys: keys.iter().map(|(key, status)| known(key, *status)).collect(),
        keys_read: true,
        owners: vec!["kim".into()],
        not_known: vec![],
    }
}

fn role(name: &str, account: &str) -> AssumedRole {
    AssumedRole {
        arn: format!("arn:aws:iam::{account}:role/{name}"),
        name: name.into(),
        account: account.parse().ok(),
        sessions: vec!["s".into()],
        last_at: start(),
        role_use: None,
    }
}

impl Case {
    fn new() -> Self {
        let alert = Alert {
            source: AlertSource::GuardDuty,
            delivery_id: "d".into(),
            finding_id: None,
            finding_type: "t".into(),
            title: "t".into(),
            severity: Severity::High,
            subject: Subject { access_key: KEY.parse().ok(), ..Subject::default() },
            region: None,
            first_seen_at: None,
            last_seen_at: None,
            count: 1,
            remote_address: None,
            api: None,
            sample: false,
            note: None,
        };
        let opened = Record::seal(None, start(), decide::open(IncidentId::new(1), alert));
        let mut case = Self {
            incident: fold([&opened]).unwrap(),
            policy: policy(),
            playbook: Playbook::parse(BUILT_IN).unwrap(),
            now: start(),
            key: KeyStatus::Active,
            user_policy: None,
            role_policy: None,
        };
        case.apply(vec![Event::Identified {
            found: identified(&[(KEY, KeyStatus::Active), (OTHER_KEY, KeyStatus::Active)]),
        }]);
        case.reached(vec![role("app", "111122223333")]);
        case
    }

    fn reached(&mut self, roles: Vec<AssumedRole>) {
        self.apply(vec![Event::BlastRadiusRead { found: BlastRadius { roles, ..BlastRadius::default() } }]);
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            let record = Record::seal(Some(&self.incident.head), self.now, event);
            evolve(&mut self.incident, &record);
        }
    }

    fn cx(&self) -> Context<'_> {
        Context { now: self.now, policy: &self.policy, playbook: &self.playbook }
    }

    fn actor(&self, id: &str) -> Actor {
        Actor { user: user(id), person: self.policy.person(&user(id)), standing: Standing::Member }
    }

    fn act(&mut self, id: &str, command: PersonCommand) -> Result<(), Refusal> {
        let events = decide(&self.incident, &self.actor(id), command, self.cx())?;
        assert!(!events.is_empty(), "a yes leads to something");
        self.apply(events);
        Ok(())
    }

    fn observed(&self, action: &Action) -> Observation {
        let policy = |arn: &str, id: &str, document: &Option<String>| Observation::InlinePolicy {
            owner_id: id.into(),
            owner_arn: format!("arn:aws:iam::111122223333:{arn}"),
            owner_path: "/".into(),
            document: document.clone(),
        };
        match action {
            Action::DeactivateAccessKey { .. } => Observation::AccessKey {
                owner_id: "AIDA1".into(),
                owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
                status: Some(self.key),
            },
            Action::RevokeUserSessions { .. } | Action::RestoreUserPolicy { .. } => {
                policy("user/ci", "AIDA1", &self.user_policy)
            }
            Action::RevokeRoleSessions { .. } | Action::RestoreRolePolicy { .. } => {
                policy("role/app", "AROA1", &self.role_policy)
            }
        }
    }

    fn ask(&mut self, id: &str, wanted: &[&str]) -> Result<(), Refusal> {
        let all = steps(&self.incident, &self.playbook);
        let parts = wanted.iter().map(|begins| {
            let step = all.iter().find(|s| s.id.as_str().starts_with(begins)).unwrap_or_else(|| panic!("{begins}"));
            let action = super::steps::action_for(&self.incident, &self.playbook, &step.id).unwrap();
            (step.id.clone(), self.observed(&action))
        });
        let parts = parts.collect();
        self.act(id, PersonCommand::Request { parts, nonce: self.incident.requests.len().to_string() })
    }

    fn ask_all(&mut self, id: &str) -> Result<(), Refusal> {
        self.ask(id, &["deactivate", "revoke-user", "revoke-assumed"])
    }

    fn shown(&self, number: u32) -> String {
        digest(&self.incident, &self.incident.requests[&request(number)]).short().to_owned()
    }

    fn approve(&mut self, id: &str, number: u32) -> Result<(), Refusal> {
        let command =
            PersonCommand::Approve { request: request(number), digest_shown: self.shown(number), clicked_at: self.now };
        self.act(id, command)
    }

    fn state(&self, number: u32) -> &RequestState {
        &self.incident.requests[&request(number)].state
    }

    /// Runs everything that is owed and changes something, as a replica would; AWS does as it is told.
    fn run(&mut self) {
        for _ in 0..100 {
            let due = owed(&self.incident).into_iter().find(|o| o.due_at <= self.now && !o.effect.informs());
            let Some(due) = due else { return };
            let (Effect::Execute(id) | Effect::ReadBack(id) | Effect::Clock(id)) = due.effect else { return };
            let found = self.incident.requests[&id].clone();
            let now = self.observed(&found.plan.action);
            let report = match due.effect {
                Effect::Execute(_) => {
                    let who = found.approvals.iter().map(|a| &a.user).chain(found.glass.iter().map(|g| &g.user));
                    let who: Vec<Actor> = who.map(|u| self.actor(u.as_str())).collect();
                    let recused = recused(&self.incident, &self.policy);
                    let requester = self.actor(found.requested_by.as_str());
                    let warrant = Warrant::issue(&found, &self.policy, &recused, &requester, &who, self.now);
                    let warranted = warrant.map(|w| w.calls().to_vec());
                    Report::ReadyToExecute { warranted, now, request: id, replica: "r".into() }
                }
                Effect::ReadBack(_) => Report::ReadBack { request: id, now, last: true },
                _ => Report::ClockPassed { request: id },
            };
            let events = take_report(&self.incident, report, self.cx());
            let started = events.iter().any(|e| matches!(e, Event::ExecutionStarted { .. }));
            self.apply(events);
            if started {
                self.make_call(id);
                let answer = Report::CallAnswered { request: id, answer: CallAnswer::Accepted };
                let events = take_report(&self.incident, answer, self.cx());
                self.apply(events);
            }
        }
        panic!("it never ends");
    }

    fn make_call(&mut self, id: RequestId) {
        let RequestState::Executing(execution) = self.state_of(id) else { panic!("not started") };
        let document = execution.sent[0].document().map(str::to_owned);
        match &self.incident.requests[&id].plan.action {
            Action::DeactivateAccessKey { .. } => self.key = KeyStatus::Inactive,
            Action::RevokeUserSessions { .. } | Action::RestoreUserPolicy { .. } => self.user_policy = document,
            Action::RevokeRoleSessions { .. } | Action::RestoreRolePolicy { .. } => self.role_policy = document,
        }
    }

    fn state_of(&self, id: RequestId) -> RequestState {
        self.incident.requests[&id].state.clone()
    }

    fn look(&mut self) -> Vec<Event> {
        let looked = watch::watched(&self.incident);
        let looked = looked.map(|r| (r.id, Ok(self.observed(&r.plan.action)))).collect();
        take_report(&self.incident, Report::Checked { looked, keys: None }, self.cx())
    }

    fn minutes(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
    }
}

fn request(number: u32) -> RequestId {
    RequestId::new(IncidentId::new(1), number)
}

#[test]
fn one_press_decides_on_all_that_was_asked_for_together() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    assert_eq!(together(&case.incident, &case.incident.requests[&request(2)]), [1, 2, 3].map(request));
    let digests: Vec<_> = (1..4).map(|n| case.incident.requests[&request(n)].digest.short().to_owned()).collect();
    let shared = case.shown(1);
    assert!(!digests.contains(&shared) && (1..4).all(|n| case.shown(n) == shared), "one digest, of all of them");

    // The digest of one of them is not what was shown.
    let alone = PersonCommand::Approve { request: request(1), digest_shown: digests[0].clone(), clicked_at: case.now };
    assert_eq!(case.act("U2", alone), Err(Refusal::DigestMismatch(request(1))));
    assert_eq!(case.approve("U1", 1), Err(Refusal::OwnRequest));
    assert!(matches!(case.approve("U4", 1), Err(Refusal::Recused(_))), "the key is Kim's");
    case.approve("U2", 3).unwrap();
    case.run();
    assert!((1..4).all(|n| matches!(case.state(n), RequestState::Verified { .. })));
    assert!(contained(&case.incident, &case.playbook));
}

#[test]
fn a_no_a_withdrawal_and_a_cancellation_end_all_of_them() {
    let ends: [(&str, fn(&Case) -> PersonCommand); 3] = [
        ("U2", |case| PersonCommand::Deny {
            request: request(2),
            digest_shown: case.shown(2),
            reason: "not now".into(),
        }),
        ("U1", |_| PersonCommand::Withdraw { request: request(2) }),
        ("U1", |_| PersonCommand::Cancel { request: request(2) }),
    ];
    for (who, end) in ends {
        let mut case = Case::new();
        case.ask_all("U1").unwrap();
        let command = end(&case);
        case.act(who, command).unwrap();
        assert!((1..4).all(|n| !case.state(n).is_open()), "{who}");
        assert!(matches!(case.approve("U3", 1), Err(Refusal::Decided { .. })));
    }
}

#[test]
fn a_yes_that_was_taken_back_is_not_given_again_by_a_late_delivery() {
    let mut case = Case::new();
    case.policy.rules.values_mut().for_each(|rules| rules.quorum = 2);
    case.ask_all("U1").unwrap();
    let clicked_at = case.now;
    case.approve("U2", 1).unwrap();
    case.minutes(1);
    case.act("U2", PersonCommand::Retract { request: request(1) }).unwrap();
    assert!((1..4).all(|n| case.incident.requests[&request(n)].approvals.is_empty()), "from all of them");
    let late = PersonCommand::Approve { request: request(1), digest_shown: case.shown(1), clicked_at };
    assert!(matches!(case.act("U2", late), Err(Refusal::TakenBackSince { .. })));
    case.minutes(1);
    case.approve("U2", 1).unwrap();
}

#[test]
fn what_waits_gives_way_to_more_or_to_something_else_and_to_nothing_less() {
    let mut case = Case::new();
    case.ask("U1", &["deactivate"]).unwrap();
    assert_eq!(case.ask("U2", &["deactivate"]), Err(Refusal::AlreadyAsked(request(1))));
    case.ask_all("U2").unwrap();
    assert_eq!(*case.state(1), RequestState::Superseded { by: request(2) });
    assert_eq!(case.ask_all("U1"), Err(Refusal::AlreadyAsked(request(2))));
    assert_eq!(case.ask("U1", &["deactivate"]), Err(Refusal::AlreadyAsked(request(2))));
    case.user_policy = Some("{}".into());
    case.ask("U1", &["revoke-user"]).unwrap();
    assert!((2..5).all(|n| *case.state(n) == RequestState::Superseded { by: request(5) }), "all that went with it");
    assert_eq!(*case.state(5), RequestState::Pending);
}

#[test]
fn what_aws_shows_already_is_left_out_and_alone_it_is_the_answer() {
    let mut case = Case::new();
    case.key = KeyStatus::Inactive;
    case.ask_all("U1").unwrap();
    assert_eq!(case.incident.requests.len(), 2);
    assert!(matches!(case.ask("U1", &["deactivate"]), Err(Refusal::NotApplicable(_))));
}

#[test]
fn what_was_revoked_while_something_could_still_mint_is_revoked_again() {
    let mut case = Case::new();
    let lacking = |case: &Case| -> Vec<(String, Missing)> {
        missing(&case.incident, &case.playbook).into_iter().map(|(step, why)| (step.id.to_string(), why)).collect()
    };
    case.ask("U1", &["revoke-assumed"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    case.minutes(1);
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 2).unwrap();
    case.run();
    case.minutes(1);
    // Somebody switches the key off by hand: it counts from when AWS was first seen to show it.
    let off = identified(&[(KEY, KeyStatus::Inactive), (OTHER_KEY, KeyStatus::Active)]);
    case.apply(vec![Event::Identified { found: off.clone() }]);
    assert_eq!(
        lacking(&case),
        [
            ("revoke-user-sessions".to_owned(), Missing::RevokedTooEarly),
            ("revoke-assumed-roles.app".to_owned(), Missing::RevokedTooEarly)
        ]
    );
    case.minutes(1);
    case.ask("U1", &["revoke-user", "revoke-assumed"]).unwrap();
    case.approve("U2", 3).unwrap();
    case.run();
    case.minutes(1);
    case.apply(vec![Event::Identified { found: off }]);
    assert_eq!(lacking(&case), [], "seen Inactive again is no later switching off");
    assert!(contained(&case.incident, &case.playbook));
}

#[test]
fn roles_of_other_accounts_are_for_people_there_and_gaps_are_no_containment() {
    let mut case = Case::new();
    case.reached(vec![role("app", "111122223333"), role("far", "999988887777")]);
    let by_hand = missing(&case.incident, &case.playbook).into_iter().find(|(_, why)| *why == Missing::ByHand).unwrap();
    assert!(by_hand.0.title.contains("far in account 999988887777"), "{:?}", by_hand.0);
    assert_eq!(open_steps(&case.incident, &case.playbook).len(), 3, "not asked of the bot");

    let mut case = Case::new();
    case.apply(vec![Event::BlastRadiusRead {
        found: BlastRadius { not_known: vec!["eu-west-1: AccessDenied".into()], ..BlastRadius::default() },
    }]);
    assert_eq!(case.incident.reach().unwrap().roles.len(), 1, "what was known is kept");
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(missing(&case.incident, &case.playbook).is_empty() && !contained(&case.incident, &case.playbook));
}

#[test]
fn keys_that_appear_are_offered_and_the_workloads_own_is_not() {
    let mut case = Case::new();
    let offered = |case: &Case| {
        steps(&case.incident, &case.playbook).iter().filter(|s| s.id.as_str().starts_with("deact")).count()
    };
    assert_eq!(offered(&case), 1, "the stolen one");
    let made: AccessKeyId = "AKIAMADELATEREXAMPLE".parse().unwrap();
    let mut found =
        identified(&[(KEY, KeyStatus::Active), (OTHER_KEY, KeyStatus::Active), (made.as_str(), KeyStatus::Active)]);
    case.apply(vec![Event::IdentificationAsked { by: user("U1") }]);
    let events = take_report(&case.incident, Report::Identified(found.clone()), case.cx());
    assert!(
        matches!(&events[0], Event::ContainmentChecked { new_keys, .. } if *new_keys == [made.clone()]),
        "{events:?}"
    );
    case.apply(events);
    assert_eq!(offered(&case), 2);

    let mut case = Case::new();
    found.keys[2].created_at = Some(start());
    case.apply(vec![
        Event::CompromiseTimeSet { compromised_at: start(), by: user("U1"), basis: "a commit".into() },
        Event::Identified { found: found.clone() },
    ]);
    assert_eq!(offered(&case), 2, "made since the compromise");
    found.keys[2].created_at = Some(start() - TimeDelta::seconds(1));
    case.apply(vec![Event::Identified { found }]);
    assert_eq!(offered(&case), 1);
}

#[test]
fn aws_is_read_again_within_the_minute_and_then_for_as_long_as_it_is_open() {
    let mut case = Case::new();
    assert_eq!(watch::due_at(&case.incident), None, "nothing is in force");
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let since = case.now;
    let mut after_s = Vec::new();
    for _ in 0..9 {
        case.now = watch::due_at(&case.incident).unwrap();
        after_s.push((case.now - since).num_seconds());
        let events = case.look();
        assert!(
            matches!(&events[..], [Event::ContainmentChecked { held, lost, .. }] if held.len() == 3 && lost.is_empty())
        );
        let updated_at = case.incident.updated_at;
        case.apply(events);
        assert_eq!(case.incident.updated_at, updated_at, "all as it was is no news");
    }
    assert_eq!(after_s, [5, 15, 60, 300, 960, 1_800, 5_400, 9_000, 12_600]);
    let held = &case.incident.requests[&request(1)].held_at;
    assert_eq!(held.iter().map(|at| (*at - since).num_seconds()).collect::<Vec<_>>(), [5, 15, 60, 12_600]);
}

#[test]
fn who_takes_something_away_is_noticed_and_it_can_be_asked_for_again() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    case.minutes(1);
    case.key = KeyStatus::Active;
    case.user_policy = None;
    // A later cut-off, of another incident perhaps, is as good.
    case.role_policy =
        case.role_policy.map(|document| document.replace("2026-01-01T00:00:30Z", "2026-01-01T00:50:00Z"));
    let events = case.look();
    let [Event::ContainmentChecked { held, lost, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(held, &[request(3)]);
    assert_eq!(lost.iter().map(|l| l.request).collect::<Vec<_>>(), [request(1), request(2)]);
    assert!(lost[0].why.contains("Active again") && lost[1].why.contains("is gone"), "{lost:?}");
    case.apply(events);
    let step: StepId = format!("deactivate-access-key.{KEY}").parse().unwrap();
    assert!(in_force(&case.incident, &step).is_none() && !contained(&case.incident, &case.playbook));
    assert_eq!(watch::watched(&case.incident).map(|r| r.id).collect::<Vec<_>>(), [request(3)], "told once");
    case.ask("U1", &["deactivate", "revoke-user"]).unwrap();

    for (document, why) in [
        (Some("{\"Statement\":[]}".to_owned()), "no longer denies"),
        (
            case.role_policy.clone().map(|d| d.replace("2026-01-01T00:50:00Z", "2026-01-01T00:00:00Z")),
            "earlier cut-off",
        ),
    ] {
        case.role_policy = document;
        let events = case.look();
        assert!(
            matches!(&events[..], [Event::ContainmentChecked { lost, .. }] if lost[0].why.contains(why)),
            "{events:?}"
        );
    }
}

#[test]
fn what_has_been_deleted_can_be_used_by_nobody_and_a_new_owner_is_noticed() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let looked = |now: Observation| {
        let looked = vec![(request(1), Ok(now))];
        take_report(&case.incident, Report::Checked { looked, keys: None }, case.cx())
    };
    let key = |owner_id: &str, status| Observation::AccessKey {
        owner_id: owner_id.into(),
        owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
        status,
    };
    let held =
        vec![Event::ContainmentChecked { held: vec![request(1)], lost: vec![], new_keys: vec![], unread: vec![] }];
    assert_eq!(looked(Observation::OwnerMissing), held);
    assert_eq!(looked(key("AIDA1", None)), held);
    let events = looked(key("AIDA2", Some(KeyStatus::Inactive)));
    assert!(
        matches!(&events[..], [Event::ContainmentChecked { lost, .. }] if lost[0].why.contains("AIDA2")),
        "{events:?}"
    );
    let unread = vec![(request(1), Err("AccessDenied".to_owned()))];
    let events = take_report(&case.incident, Report::Checked { looked: unread, keys: None }, case.cx());
    assert!(
        matches!(&events[..], [Event::ContainmentChecked { unread, held, lost, .. }] if unread.len() == 1 && held.is_empty() && lost.is_empty())
    );
}

#[test]
fn the_history_is_read_again_while_it_is_behind_and_when_something_happens() {
    let mut case = Case::new();
    let after = |case: &Case| reach_at(&case.incident).map(|at| (at - start()).num_seconds());
    for expected in [Some(180), Some(360), Some(720), Some(1_200), None] {
        assert_eq!(after(&case), expected);
        case.now = reach_at(&case.incident).unwrap_or(case.now);
        case.reached(vec![]);
    }
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost: vec![Lost { request: request(1), why: "gone".into() }],
        new_keys: vec![],
        unread: vec![],
    }]);
    assert_eq!(after(&case), Some(1_200), "at once");
}

fn glass(case: &Case, number: u32, target: &str) -> PersonCommand {
    PersonCommand::BreakGlass {
        request: request(number),
        digest_shown: case.shown(number),
        target: target.into(),
        reason: "nobody answers".into(),
    }
}

#[test]
fn nobody_acts_alone_unless_the_rules_name_them() {
    let mut case = Case::new();
    case.ask_all("U1").unwrap();
    let alone = glass(&case, 1, KEY);
    assert_eq!(case.act("U1", alone.clone()), Err(Refusal::GlassOff));
    case.policy.break_glass = [user("U1"), user("U4")].into();
    assert_eq!(case.act("U2", alone.clone()), Err(Refusal::NotForGlass));
    assert!(matches!(case.act("U4", alone.clone()), Err(Refusal::Recused(_))), "the key is theirs");
    assert!(matches!(case.act("U1", glass(&case, 1, "ci")), Err(Refusal::NotTheTarget(target)) if target == KEY));
    let PersonCommand::BreakGlass { request, digest_shown, target, .. } = alone.clone() else { panic!() };
    let silent = PersonCommand::BreakGlass { request, digest_shown, target, reason: " ".into() };
    assert_eq!(case.act("U1", silent), Err(Refusal::ReasonNeeded));
    case.minutes(16);
    assert!(matches!(case.act("U1", alone.clone()), Err(Refusal::TooLate { .. })));
    case.now = start();
    case.act("U1", alone).unwrap();
    case.run();
    assert!((1..4).all(|n| matches!(case.state(n), RequestState::Verified { .. })), "all that goes with it");
}

#[test]
fn the_right_to_act_alone_is_asked_for_again_at_the_call() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["deactivate"]).unwrap();
    let alone = glass(&case, 1, KEY);
    case.act("U1", alone).unwrap();
    case.policy.break_glass.clear();
    case.run();
    assert!(matches!(case.state(1), RequestState::Lapsed { .. }));
    assert_eq!(case.key, KeyStatus::Active);
}

#[test]
fn one_who_acts_alone_needs_no_approver_to_ask() {
    let mut case = Case::new();
    case.policy.approvers.users = [user("U4")].into();
    assert!(matches!(case.ask("U1", &["deactivate"]), Err(Refusal::NobodyToApprove { .. })));
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["deactivate"]).unwrap();
}

#[test]
fn a_second_person_has_to_speak_before_it_can_be_closed() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask_all("U1").unwrap();
    let settle = |case: &mut Case, who: &str| case.act(who, PersonCommand::Ratify { request: request(2) });
    assert_eq!(settle(&mut case, "U2"), Err(Refusal::NoDebt(request(2))));
    let alone = glass(&case, 1, KEY);
    case.act("U1", alone).unwrap();
    assert_eq!(settle(&mut case, "U2"), Err(Refusal::UnderWay(request(2))), "it is not known yet what it did");
    case.run();
    let close = PersonCommand::Close { outcome: Outcome::Resolved, note: "done".into() };
    assert_eq!(case.act("U2", close.clone()), Err(Refusal::DebtOpen(request(1))));
    assert_eq!(settle(&mut case, "U1"), Err(Refusal::OwnRequest));
    assert!(matches!(settle(&mut case, "U4"), Err(Refusal::Recused(_))));
    let contest = PersonCommand::Contest { request: request(1), reason: "I was there".into() };
    case.act("U3", contest).unwrap();
    for number in 1..4 {
        let glass = case.incident.requests[&request(number)].glass.clone().unwrap();
        assert!(matches!(glass.debt, Debt::Contested { .. }), "{number}");
    }
    assert_eq!(settle(&mut case, "U2"), Err(Refusal::NoDebt(request(2))), "once");
    case.act("U2", close).unwrap();
}

#[test]
fn an_undo_is_never_run_alone() {
    let mut case = Case::new();
    case.policy.break_glass = [user("U1")].into();
    case.ask("U1", &["revoke-user"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    let undo: StepId = "undo.revoke-user-sessions".parse().unwrap();
    let action = super::steps::action_for(&case.incident, &case.playbook, &undo).unwrap();
    let parts = vec![(undo, case.observed(&action))];
    case.act("U1", PersonCommand::Request { parts, nonce: "n".into() }).unwrap();
    let alone = glass(&case, 2, "ci");
    assert_eq!(case.act("U1", alone), Err(Refusal::NotForGlass));
}

#[test]
fn the_role_that_a_responder_works_through_is_left_to_people() {
    let mut case = Case::new();
    case.policy.belongings.insert("arn:aws:iam::111122223333:role/app".into(), PersonId(user("U2")));
    assert!(matches!(case.ask("U1", &["revoke-assumed"]), Err(Refusal::Protected(..))));
    case.policy.belongings.insert("arn:aws:iam::111122223333:role/app".into(), PersonId(user("U9")));
    case.ask("U1", &["revoke-assumed"]).unwrap();
}
