//! What counts as done by hand, on whose word, and for how long.

use chrono::TimeDelta;

use super::case::{Case, identified, request, role, start};
use super::eradication::{accept, changed, contain, hunted};
use super::execution::{answered, read_last, started};
use super::hunt::through;
use crate::domain::approval::{CallAnswer, RequestState};
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::{Call, Trace};
use crate::domain::identification::Identification;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::eradication::left;
use crate::domain::incident::event::{Event, Lost, Outcome};
use crate::domain::incident::hands::{Hand, Said, said};
use crate::domain::incident::state::Identified;
use crate::domain::incident::steps::{Missing, Step, contained, missing, steps};
use crate::domain::incident::verdict::{Judged, Verdict};
use crate::domain::refusal::Refusal;
use crate::domain::stored::{Record, event};
use crate::domain::trail::deed::Deed;

const DOOR: &str = "restore-trust.web";
const FAR: &str = "revoke-assumed-roles.999988887777.far";

fn far() -> Case {
    let mut case = Case::new();
    case.reached(vec![role("app", "111122223333"), role("far", "999988887777")]);
    case
}

impl Case {
    pub(super) fn step(&self, id: &str) -> Step {
        steps(&self.incident, &self.playbook).into_iter().find(|step| step.id.as_str() == id).unwrap()
    }

    pub(super) fn says(&mut self, id: &str, step: &str) -> Result<(), Refusal> {
        self.act(id, PersonCommand::SayDone { step: step.parse().unwrap(), done: "revoked there, ticket 7".into() })
    }

    fn word(&self, step: &str) -> String {
        self.incident.hands.get(&step.parse().unwrap()).map_or_else(|| "none".into(), Hand::shown)
    }

    pub(super) fn confirms(&mut self, id: &str, step: &str) -> Result<(), Refusal> {
        let shown = self.word(step);
        self.act(id, PersonCommand::ConfirmDone { step: step.parse().unwrap(), shown })
    }

    fn takes_back(&mut self, id: &str, step: &str) -> Result<(), Refusal> {
        let shown = self.word(step);
        self.act(id, PersonCommand::TakeBackDone { step: step.parse().unwrap(), shown })
    }

    fn is_by_hand(&self, step: &str) -> bool {
        missing(&self.incident, &self.playbook)
            .iter()
            .any(|(of, why)| of.id.as_str() == step && *why == Missing::ByHand)
    }
}

fn other(answer: Result<(), Refusal>) -> String {
    match answer {
        Err(Refusal::Other(why) | Refusal::NotApplicable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_takes_two_of_whom_one_approves_and_none_whom_it_is_about() {
    let mut case = far();
    case.policy.responders.users.insert("U5".parse().unwrap());
    case.ask_all("U1").unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(case.is_by_hand(FAR) && !contained(&case.incident, &case.playbook), "only that is left");
    assert!(matches!(case.says("U4", FAR), Err(Refusal::Recused(_))), "the credential is Kim's");
    assert_eq!(case.says("U9", FAR), Err(Refusal::NotAResponder));
    let empty = PersonCommand::SayDone { step: FAR.parse().unwrap(), done: " ".into() };
    assert_eq!(case.act("U1", empty), Err(Refusal::ReasonNeeded));
    assert!(other(case.confirms("U2", FAR)).contains("has changed"), "nobody has said so");
    assert!(other(case.says("U1", "revoke-user-sessions")).contains("nothing that people do by hand"));

    case.minutes(10);
    case.says("U1", FAR).unwrap();
    assert!(case.is_by_hand(FAR), "one alone is not enough");
    assert!(other(case.confirms("U1", FAR)).contains("somebody else"));
    assert!(matches!(case.confirms("U4", FAR), Err(Refusal::Recused(_))));
    assert!(other(case.confirms("U5", FAR)).contains("approver"), "neither of them is one");
    let stale = PersonCommand::ConfirmDone { step: FAR.parse().unwrap(), shown: "0123456789ab".into() };
    assert!(other(case.act("U2", stale)).contains("has changed"));
    case.confirms("U2", FAR).unwrap();
    assert!(!case.is_by_hand(FAR) && contained(&case.incident, &case.playbook));
    assert_eq!(case.incident.watch.unwrap().since, case.now, "the proof begins with it");
    assert!(other(case.says("U1", FAR)).contains("Take that back first"));
    assert!(other(case.confirms("U3", FAR)).contains("Take that back first"));
}

#[test]
fn what_aws_has_turned_away_people_can_do_by_hand_and_nothing_before_that() {
    let (mut case, step) = (Case::new(), "revoke-assumed-roles.app");
    case.reached(vec![role("app", "111122223333")]);
    case.ask("U1", &["deactivate", "revoke-user"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(other(case.says("U1", step)).contains("nothing that people do by hand"));
    let id = started(&mut case, "revoke-assumed");
    assert!(other(case.says("U1", step)).contains("nothing that people do by hand"), "its call is on its way");
    let full = "Maximum policy size of 10240 bytes exceeded for role app".to_owned();
    answered(&mut case, id, CallAnswer::Refused { code: "LimitExceeded".into(), message: full });
    read_last(&mut case, id);
    let RequestState::Failed { why, .. } = case.state_of(id) else { panic!("{:?}", case.state_of(id)) };
    assert!(why.contains("10240") && why.contains("Done by hand"), "{why}");
    case.says("U1", step).unwrap();
    assert!(!contained(&case.incident, &case.playbook), "on nobody's word alone");
    case.confirms("U2", step).unwrap();
    assert!(contained(&case.incident, &case.playbook));
    // Asked for anew, AWS decides again, and a word from before says nothing of what is lost after it.
    case.minutes(1);
    case.ask("U1", &["revoke-assumed"]).unwrap();
    assert!(other(case.says("U1", step)).contains("nothing that people do by hand"));
    case.approve("U2", 4).unwrap();
    case.run();
    assert!(contained(&case.incident, &case.playbook));
    case.apply(vec![Event::ContainmentChecked {
        held: Vec::new(),
        lost: vec![Lost { request: request(4), why: "it is gone".into() }],
        new_keys: Vec::new(),
        unread: Vec::new(),
        keys_unread: None,
    }]);
    assert!(!contained(&case.incident, &case.playbook));
}

#[test]
fn one_alone_takes_it_back_and_then_it_is_to_be_done_again() {
    let mut case = far();
    case.says("U1", FAR).unwrap();
    case.confirms("U2", FAR).unwrap();
    let word = case.word(FAR);
    assert!(matches!(case.takes_back("U4", FAR), Err(Refusal::Recused(_))));
    case.takes_back("U1", FAR).unwrap();
    assert!(case.is_by_hand(FAR));
    case.minutes(1);
    case.says("U2", FAR).unwrap();
    let stale = PersonCommand::ConfirmDone { step: FAR.parse().unwrap(), shown: word };
    assert!(other(case.act("U1", stale)).contains("has changed"), "another word than the one on that card");
}

#[test]
fn whoever_may_say_so_no_more_does_not_count() {
    let mut case = far();
    case.says("U2", FAR).unwrap();
    let named = PersonCommand::NameSubject { user: "U2".parse().unwrap() };
    case.act("U1", named).unwrap();
    assert!(other(case.confirms("U1", FAR)).contains("may not say so any more"));
    case.says("U1", FAR).unwrap();
    case.policy.responders.users.insert("U3".parse().unwrap());
    case.confirms("U3", FAR).unwrap();
}

#[test]
fn nobody_vouches_in_a_freeze_or_after_the_end() {
    let mut case = far();
    case.ask("U1", &["revoke-user"]).unwrap();
    case.says("U1", FAR).unwrap();
    case.act("U1", PersonCommand::NotMe { request: super::case::request(1) }).unwrap();
    assert!(matches!(case.says("U2", FAR), Err(Refusal::Frozen { .. })));
    assert!(matches!(case.confirms("U2", FAR), Err(Refusal::Frozen { .. })));
    assert!(matches!(case.takes_back("U1", FAR), Err(Refusal::Disputed(_))), "their account is in other hands");
    case.takes_back("U2", FAR).unwrap();
    let mut case = far();
    case.act("U2", PersonCommand::Close { outcome: Outcome::FalsePositive, note: String::new() }).unwrap();
    assert!(matches!(case.says("U2", FAR), Err(Refusal::Closed(_))));
}

#[test]
fn it_counts_until_the_attacker_gets_through_or_there_is_other_evidence() {
    let mut case = far();
    case.says("U1", FAR).unwrap();
    case.confirms("U2", FAR).unwrap();
    let since = case.incident.watch.unwrap().since;
    let call = |role: &str| Call {
        at: case.now + TimeDelta::minutes(2),
        event_id: "e".into(),
        what: "iam:ListUsers".into(),
        access_key_id: None,
        principal: format!("arn:aws:sts::999988887777:assumed-role/{role}/s"),
        region: "us-east-1".into(),
        worked: true,
        error: None,
    };
    let [another, same] = ["another", "far"].map(|role| {
        let judged = Box::new(Judged { verdict: Verdict::Failed { call: call(role) }, since });
        vec![Event::VerdictReached { judged }]
    });
    case.apply(another);
    assert!(!case.is_by_hand(FAR), "it came through something else");
    case.apply(same);
    assert!(case.is_by_hand(FAR));
    assert!(matches!(said(&case.incident, &case.step(FAR)), Said::Outdated(_)));
    assert!(other(case.confirms("U2", FAR)).contains("says so anew"));
    case.minutes(5);
    case.says("U2", FAR).unwrap();
    case.confirms("U1", FAR).unwrap();
    assert!(!case.is_by_hand(FAR));

    // The attacker opens the same door once more.
    let open = |n: usize| {
        let deeds = vec![("UpdateAssumeRolePolicy", "", true); n];
        let trace = changed("Role", "web", &deeds);
        vec![Trace { deeds: [vec![Deed::left_out("e-9")], trace.deeds].concat(), ..trace }]
    };
    hunted(&mut case, open(1));
    assert!(case.is_by_hand(DOOR));
    case.says("U1", DOOR).unwrap();
    case.confirms("U2", DOOR).unwrap();
    assert!(!case.is_by_hand(DOOR));
    hunted(&mut case, open(2));
    assert!(case.is_by_hand(DOOR));
}

#[test]
fn its_records_are_read_again() {
    let mut case = far();
    case.says("U1", FAR).unwrap();
    let hand = case.incident.hands.values().next().unwrap().clone();
    let (step, title): (crate::domain::id::StepId, String) = (FAR.parse().unwrap(), "t".into());
    for wrote in [
        Event::HandDone {
            step: step.clone(),
            title: title.clone(),
            done: "d".into(),
            about: hand.about,
            by: hand.by.clone(),
            person: hand.person.clone(),
        },
        Event::HandConfirmed { step: step.clone(), title: title.clone(), by: hand.by.clone(), person: hand.person },
        Event::HandTakenBack { step, title, by: hand.by },
    ] {
        let record = Record::seal(None, start(), wrote.clone());
        assert_eq!(event(record.text()).unwrap(), wrote);
    }
}

#[test]
fn a_removal_that_the_bot_does_not_carry_out_ends_on_the_word_of_two() {
    let mut case = Case::new();
    let door = |event: &str| {
        let mut trace = changed("-", "-", &[("AuthorizeSecurityGroupIngress", "", true)]);
        trace.deeds[0].event_id = event.into();
        Trace {
            resource_type: "AWS::EC2::SecurityGroup".into(),
            id: "sg-1".into(),
            evidence: vec![event.into()],
            ..trace
        }
    };
    contain(&mut case);
    hunted(&mut case, vec![door("e1")]);
    accept(&mut case);
    let of = |case: &Case| left(&case.incident, &case.playbook).into_iter().map(|(step, _)| step.id.to_string()).next();
    let step = of(&case).unwrap();
    case.says("U1", &step).unwrap();
    assert_eq!(of(&case), Some(step.clone()), "one alone is not enough");
    case.confirms("U2", &step).unwrap();
    assert_eq!(of(&case), None);
    assert_eq!(case.incident.quiet.since, Some(case.now), "two more sweeps are needed");
    // The attacker does it once more.
    hunted(&mut case, vec![door("e2")]);
    assert_eq!(of(&case), Some(step.clone()));
    // What is asked for is the bot's until that has an end.
    case.says("U1", &step).unwrap();
    case.ask("U1", &[&step]).unwrap();
    assert!(other(case.says("U2", &step)).contains("nothing that people do by hand"));
    assert!(other(case.confirms("U2", &step)).contains("nothing that people do by hand"));
}

#[test]
fn a_word_is_outdated_by_a_later_call_through_just_what_it_is_about() {
    use PrincipalKind::{IamUser, IdentityCenterRole, Root, ServiceLinkedRole};
    let of_role = |name: &str| format!("arn:aws:sts::111122223333:assumed-role/{name}/s");
    let (root, linked, center) = ("arn:aws:iam::111122223333:root", "AWSServiceRoleForX", "AWSReservedSSO_X");
    let abroad = "arn:aws:sts::999988887777:assumed-role/far/s".to_owned();
    for (kind, name, step, principal, after_s, outdated) in [
        (Root, None, "root", root.to_owned(), 1, true),
        (Root, None, "root", of_role("app"), 1, false),
        (ServiceLinkedRole, Some(linked), "service-linked-role", of_role(linked), 1, true),
        (ServiceLinkedRole, Some(linked), "service-linked-role", of_role("app"), 1, false),
        (IdentityCenterRole, Some(center), "identity-center-role", of_role(center), 1, true),
        (IdentityCenterRole, Some(center), "identity-center-role", root.to_owned(), 1, false),
        (IamUser, Some("ci"), FAR, abroad.clone(), 1, true),
        (IamUser, Some("ci"), FAR, abroad, 0, false),
    ] {
        let mut case = far();
        let found = Identification { kind, name: name.map(str::to_owned), ..identified(&[]) };
        case.incident.identified = Some(Identified { found, at: case.now });
        case.says("U1", step).unwrap();
        case.confirms("U2", step).unwrap();
        let call = through(case.now + TimeDelta::seconds(after_s), &principal);
        case.incident.breach = Some(Box::new(call));
        let step = case.step(step);
        let now = said(&case.incident, &step);
        assert_eq!(matches!(now, Said::Outdated(_)), outdated, "{kind:?} {principal}: {now:?}");
    }
}
