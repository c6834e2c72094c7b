//! An incident about a key of the user `ci`, which belongs to Kim (U4), and has taken the role `app`; U1 and U2
//! respond, U2, U3 and U4 approve. AWS does as it is told.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::command::{PersonCommand, Report};
use super::super::decide::{self, Context, decide, take_report};
use super::super::event::Event;
use super::super::evolve::{evolve, fold};
use super::super::owed::{Effect, owed};
use super::super::state::Incident;
use super::super::steps::{action_for, steps};
use super::super::together::digest;
use super::super::watch;
use crate::domain::action::Action;
use crate::domain::alert::{Alert, AlertSource, Severity};
use crate::domain::approval::{CallAnswer, RequestState, Warrant};
use crate::domain::blast_radius::{AssumedRole, BlastRadius};
use crate::domain::credential::{PrincipalKind, Subject};
use crate::domain::id::{IncidentId, RequestId, UserId};
use crate::domain::identification::{Identification, KnownKey};
use crate::domain::observation::{
    ControlPolicy, Identity, KeyStatus, Observation, Opened, Previous, Rule, ServiceControl, Trust, Watching,
};
use crate::domain::playbook::{BUILT_IN, Playbook};
use crate::domain::policy::{ActionClass, Actor, List, PersonId, Policy, Rules, Standing};
use crate::domain::recusal::recused;
use crate::domain::refusal::Refusal;
use crate::domain::stored::Record;

pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const OTHER_KEY: &str = "AKIAI44QH8DHBEXAMPLE";

pub(crate) struct Case {
    pub(crate) incident: Incident,
    pub(crate) policy: Policy,
    pub(crate) playbook: Playbook,
    pub(crate) now: DateTime<Utc>,
    /// AWS: the key, and the two policies.
    pub(crate) key: KeyStatus,
    pub(crate) user_policy: Option<String>,
    pub(crate) role_policy: Option<String>,
    /// The password, group or instance that a change is about, as it is and as the call leaves it.
    pub(crate) estate: [Observation; 2],
    /// Whether the attacker's rule is in the security group or their account in the trust policy, and the trail stands still.
    pub(crate) door_open: bool,
    pub(crate) trail_off: bool,
    pub(crate) trail_fails: Option<String>,
    /// A trust policy that lets in a vendor.
    pub(crate) trust: String,
}

pub(crate) fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

pub(crate) fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn policy() -> Policy {
    let rules = Rules { quorum: 1, approve_within: TimeDelta::minutes(15), execute_within: TimeDelta::minutes(5) };
    let list = |ids: &[&str]| List { users: ids.iter().map(|id| user(id)).collect(), groups: [].into() };
    Policy {
        responders: list(&["U1", "U2"]),
        approvers: list(&["U2", "U3", "U4"]),
        members: [].into(),
        aliases: [].into(),
        belongings: [("kim".to_owned(), PersonId(user("U4")))].into(),
        protected_arns: [].into(),
        bots: [].into(),
        rules: ActionClass::ALL.into_iter().map(|class| (class, rules)).collect(),
        break_glass: [].into(),
        escalation: [].into(),
        page: [].into(),
        logs: ["111122223333".parse().unwrap()].into(),
        version: "v1".into(),
    }
}

pub(crate) fn known(key: &str, status: KeyStatus) -> KnownKey {
    KnownKey { id: key.parse().unwrap(), status, created_at: None, last_used_at: None, last_used_for: None }
}

pub(crate) fn identified(keys: &[(&str, KeyStatus)]) -> Identification {
    Identification {
        kind: PrincipalKind::IamUser,
        name: Some("ci".into()),
        arn: Some("arn:aws:iam::111122223333:user/ci".into()),
        unique_id: Some("AIDA1".into()),
        session_name: None,
        taken_by: vec![],
        account: Some("111122223333".parse().unwrap()),
        account_in_key: None,
        account_from_sts: None,
        keys: keys.iter().map(|(key, status)| known(key, *status)).collect(),
        keys_read: true,
        owners: vec!["kim".into()],
        not_known: vec![],
    }
}

fn trusting(account: &str) -> String {
    let principal = format!(r#"{{"AWS":"arn:aws:iam::{account}:root"}}"#);
    format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#)
}

fn ssh() -> Rule {
    let (protocol, source) = ("tcp".to_owned(), "198.51.100.77/32".to_owned());
    Rule { id: "sgr-1".into(), protocol, from_port: 22, to_port: 22, source }
}

pub(crate) fn role(name: &str, account: &str) -> AssumedRole {
    AssumedRole {
        arn: format!("arn:aws:iam::{account}:role/{name}"),
        name: name.into(),
        account: account.parse().ok(),
        sessions: vec!["s".into()],
        last_at: start(),
        role_use: None,
    }
}

/// A finding about the key.
pub(crate) fn alert(delivery: &str) -> Alert {
    let subject = Subject { access_key: KEY.parse().ok(), ..Subject::default() };
    Alert::new((AlertSource::GuardDuty, delivery), ("t", "t"), Severity::High, subject)
}

impl Case {
    pub(crate) fn new() -> Self {
        let opened = Record::seal(None, start(), decide::open(IncidentId::new(1), alert("d"), &policy(), start()));
        let mut case = Self {
            incident: fold([&opened]).unwrap(),
            policy: policy(),
            playbook: Playbook::parse(BUILT_IN).unwrap(),
            now: start(),
            key: KeyStatus::Active,
            user_policy: None,
            role_policy: None,
            estate: [Observation::OwnerMissing, Observation::OwnerMissing],
            door_open: true,
            trail_off: true,
            trail_fails: None,
            trust: trusting("999988887777"),
        };
        case.apply(vec![Event::Identified {
            found: identified(&[(KEY, KeyStatus::Active), (OTHER_KEY, KeyStatus::Active)]),
        }]);
        case.reached(vec![role("app", "111122223333")]);
        case
    }

    pub(crate) fn reached(&mut self, roles: Vec<AssumedRole>) {
        self.apply(vec![Event::BlastRadiusRead { found: BlastRadius { roles, ..BlastRadius::default() } }]);
    }

    pub(crate) fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            let record = Record::seal(Some(&self.incident.head), self.now, event);
            evolve(&mut self.incident, &record);
        }
    }

    pub(crate) fn cx(&self) -> Context<'_> {
        Context { now: self.now, policy: &self.policy, playbook: &self.playbook }
    }

    pub(crate) fn actor(&self, id: &str) -> Actor {
        Actor { user: user(id), person: self.policy.person(&user(id)), standing: Standing::Member }
    }

    pub(crate) fn act(&mut self, id: &str, command: PersonCommand) -> Result<(), Refusal> {
        let events = decide(&self.incident, &self.actor(id), command, self.cx())?;
        assert!(!events.is_empty(), "a yes leads to something");
        self.apply(events);
        Ok(())
    }

    pub(crate) fn observed(&self, action: &Action) -> Observation {
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
            Action::RevokeUserSessions(of) if of.user_name != "ci" => {
                let (arn, id) = (format!("user/{}", of.user_name), format!("AIDA-{}", of.user_name));
                policy(&arn, &id, &self.user_policy)
            }
            Action::RevokeUserSessions { .. } | Action::RestoreUserPolicy { .. } => {
                policy("user/ci", "AIDA1", &self.user_policy)
            }
            Action::RevokeRoleSessions { .. } | Action::RestoreRolePolicy { .. } => {
                policy("role/app", "AROA1", &self.role_policy)
            }
            Action::DeleteFleet(_)
            | Action::DeleteLoginProfile(_)
            | Action::DeleteWarmPool(_)
            | Action::DetachPolicy(_)
            | Action::RestoreDefaultVersion(_)
            | Action::StopScalingGroup(_)
            | Action::TerminateInstance(_) => self.estate[0].clone(),
            Action::RevokeIngress(of) => Observation::Opened(Opened {
                group_id: of.group_id.clone(),
                arn: format!("arn:aws:ec2:us-east-1:111122223333:security-group/{}", of.group_id),
                egress: false,
                rules: if self.door_open { vec![ssh()] } else { Vec::new() },
                alike: Vec::new(),
                proven: true,
            }),
            Action::RestoreTrustPolicy(of) => Observation::Trust(Trust {
                identity: Identity {
                    id: "AROA2".into(),
                    arn: format!("arn:aws:iam::111122223333:role/{}", of.role_name),
                    path: "/".into(),
                },
                document: trusting(if self.door_open { "999988887777" } else { "111122223333" }),
                put: Some(trusting("999988887777")),
                previous: Some(Previous { document: trusting("111122223333"), event_id: "e-before".into() }),
            }),
            Action::DenyOutsider(of) => Observation::Trust(Trust {
                identity: Identity {
                    id: "AROA1".into(),
                    arn: format!("arn:aws:iam::111122223333:role/{}", of.role_name),
                    path: "/".into(),
                },
                document: self.trust.clone(),
                put: None,
                previous: None,
            }),
            Action::Undo(of) => self.observed(&of.of),
            Action::StartLogging(of) => Observation::Watching(Watching {
                arn: format!("arn:aws:cloudtrail:us-east-1:111122223333:trail/{}", of.name),
                on: !self.trail_off,
                failing: self.trail_fails.clone(),
            }),
            Action::DenyByScp(of) => {
                let control =
                    |content: &String| ControlPolicy { id: "p-1".into(), arn: "p-1".into(), content: content.clone() };
                Observation::ServiceControl(ServiceControl {
                    identity: Identity {
                        id: "AROA3".into(),
                        arn: format!("arn:aws:iam::111122223333:role/{}", of.principal.name()),
                        path: "/".into(),
                    },
                    account_arn: "arn:aws:organizations::999988887777:account/o-1/111122223333".into(),
                    is_management: false,
                    root_id: "r-1".into(),
                    all_features: true,
                    enabled: true,
                    attached: self.role_policy.iter().map(|_| ("p-1".to_owned(), "deny".to_owned())).collect(),
                    policy: self.role_policy.as_ref().map(control),
                })
            }
            other => panic!("this case has no {}", other.kind()),
        }
    }

    pub(crate) fn ask(&mut self, id: &str, wanted: &[&str]) -> Result<(), Refusal> {
        let all = steps(&self.incident, &self.playbook);
        let parts = wanted.iter().map(|begins| {
            let step = all.iter().find(|s| s.id.as_str().starts_with(begins)).unwrap_or_else(|| panic!("{begins}"));
            let action = action_for(&self.incident, &self.playbook, &step.id).unwrap();
            (step.id.clone(), self.observed(&action))
        });
        let parts = parts.collect();
        self.act(id, PersonCommand::Request { parts, nonce: format!("press {};", self.incident.requests.len()) })
    }

    pub(crate) fn ask_all(&mut self, id: &str) -> Result<(), Refusal> {
        self.ask(id, &["deactivate", "revoke-user", "revoke-assumed"])
    }

    pub(crate) fn shown(&self, number: u32) -> String {
        digest(&self.incident, &self.incident.requests[&request(number)]).short().to_owned()
    }

    pub(crate) fn approve(&mut self, id: &str, number: u32) -> Result<(), Refusal> {
        let command =
            PersonCommand::Approve { request: request(number), digest_shown: self.shown(number), clicked_at: self.now };
        self.act(id, command)
    }

    /// Presses on the newest card.
    pub(crate) fn unfreeze(&mut self, id: &str) -> Result<(), Refusal> {
        let shown = self.incident.freeze.as_ref().map_or(0, |freeze| freeze.number);
        self.act(id, PersonCommand::Unfreeze { shown })
    }

    pub(crate) fn state(&self, number: u32) -> &RequestState {
        &self.incident.requests[&request(number)].state
    }

    /// Runs everything that is owed and changes something, as a replica would; AWS does as it is told.
    pub(crate) fn run(&mut self) {
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

    pub(crate) fn make_call(&mut self, id: RequestId) {
        let RequestState::Executing(execution) = self.state_of(id) else { panic!("not started") };
        let document = execution.sent[0].document().map(str::to_owned);
        match &self.incident.requests[&id].plan.action {
            Action::DeactivateAccessKey { .. } => self.key = KeyStatus::Inactive,
            Action::RevokeUserSessions { .. } | Action::RestoreUserPolicy { .. } => self.user_policy = document,
            Action::RevokeRoleSessions { .. } | Action::RestoreRolePolicy { .. } | Action::DenyByScp(_) => {
                self.role_policy = document;
            }
            Action::DeleteFleet(_)
            | Action::DeleteLoginProfile(_)
            | Action::DeleteWarmPool(_)
            | Action::DetachPolicy(_)
            | Action::RestoreDefaultVersion(_)
            | Action::StopScalingGroup(_)
            | Action::TerminateInstance(_) => self.estate[0] = self.estate[1].clone(),
            Action::RevokeIngress(_) | Action::RestoreTrustPolicy(_) => self.door_open = false,
            Action::DenyOutsider(_) => self.trust = document.unwrap_or_default(),
            Action::Undo(of) if matches!(*of.of, Action::DenyOutsider(_)) => self.trust = document.unwrap_or_default(),
            Action::StartLogging(_) => self.trail_off = false,
            other => panic!("this case has no {}", other.kind()),
        }
    }

    pub(crate) fn state_of(&self, id: RequestId) -> RequestState {
        self.incident.requests[&id].state.clone()
    }

    pub(crate) fn look(&mut self) -> Vec<Event> {
        let looked = watch::watched(&self.incident);
        let looked = looked.map(|r| (r.id, Ok(self.observed(&r.plan.action)))).collect();
        take_report(&self.incident, Report::Checked { looked, keys: None }, self.cx())
    }

    pub(crate) fn minutes(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
    }
}

pub(crate) fn request(number: u32) -> RequestId {
    RequestId::new(IncidentId::new(1), number)
}
