//! What the attacker has reached beside the stolen credential, and what the organization denies of it.

use super::case::{Case, OTHER_KEY};
use super::eradication::{changed, made, of};
use super::hunt::{password, reached, titles};
use super::steps::undo;
use crate::domain::action::{Action, CancelSpotRequest, DenyByScp};
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::{Hunted, Reached, Trace};
use crate::domain::id::AccountId;
use crate::domain::incident::event::{Event, Lost};
use crate::domain::incident::reached::{keys_of, robbed};
use crate::domain::incident::steps::Missing;
use crate::domain::observation::{Holder, Launch, Observation, SpotRequest};
use crate::domain::trail::footprint::State;

const BACKDOOR: &str = "AKIAI44QH8DHBBACKDOR";
const SESSION: &str = "ASIAI44QH8DHBEXAMPLE";
const SERVICE: &str = "ACCAEXAMPLE0000000001";

fn account() -> AccountId {
    "111122223333".parse().unwrap()
}

fn session(account: &str, role: &str, name: &str) -> Reached {
    reached(SESSION, &format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"))
}

fn with(credentials: Vec<Reached>) -> Hunted {
    Hunted { credentials, ..Hunted::default() }
}

#[test]
fn the_keys_of_a_user_are_the_long_term_ones_of_just_that_user() {
    let user = |name: &str| format!("arn:aws:iam::111122223333:user/{name}");
    let found = with(vec![
        reached(OTHER_KEY, &user("ci")),
        reached(BACKDOOR, &user("ana")),
        reached(SESSION, &user("ci")),
        password(&user("ci")),
        reached("AKIAI44QH8DHBFARAWAY", "arn:aws:iam::999988887777:user/ci"),
    ]);
    for (name, keys) in [("ci", &[OTHER_KEY][..]), ("ana", &[BACKDOOR][..]), ("ben", &[][..])] {
        assert_eq!(keys_of(&found, &account(), name), keys, "{name}");
    }
}

#[test]
fn what_was_asked_for_stays_once_aws_shows_that_nothing_is_left_to_do_and_is_not_missing() {
    let (ana, phone) = ("arn:aws:iam::111122223333:user/ana", "arn:aws:iam::111122223333:mfa/phone");
    let key = with(vec![reached(BACKDOOR, ana)]);
    let service = with(vec![reached(SERVICE, ana)]);
    let footprint = vec![changed("User", "ana", &[("EnableMFADevice", phone, true)])];
    let device = Hunted { footprint, ..Hunted::default() };
    let machine = with(vec![session("111122223333", "web", "i-0a")]);
    let open = Hunted { without_token: [("i-0a".to_owned(), "eu-west-1".to_owned())].into(), ..machine.clone() };
    let off = |id: &str| [id.to_owned()].into();
    for (step, before, after) in [
        (format!("deactivate-access-key.{BACKDOOR}"), key.clone(), Hunted { off: off(BACKDOOR), ..key.clone() }),
        ("revoke-user-sessions.ana".into(), key.clone(), Hunted { users_off: off("ana"), ..key }),
        (
            format!("deactivate-service-credential.ana.{SERVICE}"),
            service.clone(),
            Hunted { off: off(SERVICE), ..service },
        ),
        ("deactivate-mfa-device.ana.phone".into(), device.clone(), Hunted { devices_off: off(phone), ..device }),
        ("require-imdsv2.i-0a".into(), open, machine),
    ] {
        let mut case = Case::new();
        case.found(before);
        let action = case.offered(&step);
        case.logged(&step, action);
        assert_eq!(case.missed(&step), Some(Missing::NotInForce), "{step}");
        case.found(after);
        assert!(case.shows(&step), "{step}");
        assert_eq!(case.missed(&step), None, "{step}");
    }
}

#[test]
fn an_instance_is_robbed_whose_role_the_credential_itself_is_a_session_of() {
    for (kind, role) in [(PrincipalKind::AssumedRole, Some("web")), (PrincipalKind::IamUser, None)] {
        let mut case = Case::new();
        let own = &mut case.incident.identified.as_mut().unwrap().found;
        (own.kind, own.name, own.session_name) = (kind, Some("web".into()), Some("i-0a".into()));
        let found = Hunted::default();
        let all = robbed(&case.incident, &found, &account());
        assert_eq!(all.get("i-0a").copied(), role, "{kind:?}");
    }
}

#[test]
fn an_instance_is_robbed_unless_it_runs_for_the_attacker() {
    let mut case = Case::new();
    let found = Hunted {
        footprint: vec![
            Trace { made_by_attacker: false, state: State::Modified, ..of("EC2::Instance", made("-", "i-0a")) },
            of("EC2::Volume", made("-", "i-0a")),
            of("EC2::Instance", made("-", "i-0b")),
        ],
        ..with(["i-0a", "i-0b", "i-0c"].map(|name| session("111122223333", "web", name)).to_vec())
    };
    let robbed_now = |case: &Case| {
        let all = robbed(&case.incident, &found, &account());
        all.into_keys().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(robbed_now(&case), ["i-0a", "i-0c"]);
    // What was stopped has started one of them.
    let action = CancelSpotRequest { region: "us-east-1".into(), request_id: "sir-1".into() };
    let id = case.carried_out("remove.spotinstance.us-east-1.sir-1", Action::CancelSpotRequest(action));
    case.incident.requests.get_mut(&id).unwrap().plan.before = Observation::SpotRequest(SpotRequest {
        id: "sir-1".into(),
        arn: "arn:aws:ec2:us-east-1:111122223333:spot-instances-request/sir-1".into(),
        state: "active".into(),
        persistent: true,
        instance_id: Some("i-0c".into()),
        launch: Launch::default(),
    });
    assert_eq!(robbed_now(&case), ["i-0a"]);
}

#[test]
fn whoever_takes_a_role_by_an_instances_name_has_robbed_none() {
    let mut case = Case::new();
    let taken = "ASIAI44QH8DHBTAKENBY";
    let named = reached(taken, "arn:aws:sts::111122223333:assumed-role/web/i-0a");
    let both = vec![named, session("111122223333", "web", "i-0b")];
    let without_token = ["i-0a", "i-0b"].map(|id| (id.to_owned(), "eu-west-1".to_owned())).into();
    let found = Hunted { called_like_instances: [taken.to_owned()].into(), without_token, ..with(both) };
    case.found(found.clone());
    assert!(case.shows("require-imdsv2.i-0b") && !case.shows("require-imdsv2.i-0a"), "{:?}", titles(&case));
    // And the stolen credential itself.
    let own = &mut case.incident.identified.as_mut().unwrap().found;
    (own.kind, own.name, own.session_name) = (PrincipalKind::AssumedRole, Some("web".into()), Some("i-0c".into()));
    let all =
        |case: &Case| robbed(&case.incident, &found, &account()).into_keys().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(all(&case), ["i-0b", "i-0c"]);
    case.incident.subject.access_key = Some(taken.parse().unwrap());
    assert_eq!(all(&case), ["i-0b"]);
}

#[test]
fn the_organization_can_deny_whoever_was_reached_here_and_what_was_asked_for_stays() {
    let mut case = Case::new();
    case.playbook.reaches_organization = true;
    let [here, far] = ["Here", "Far"].map(|name| format!("AWSReservedSSO_{name}_0123456789abcdef"));
    let support = "AWSServiceRoleForSupport";
    case.found(with(vec![
        session("111122223333", &here, "s"),
        session("111122223333", support, "s"),
        session("999988887777", &far, "s"),
    ]));
    let denied = |case: &Case| -> Vec<String> {
        let all = titles(case).into_iter();
        all.filter_map(|id| id.strip_prefix("deny-by-scp.role.").map(str::to_owned)).collect()
    };
    assert_eq!(denied(&case), [here.as_str(), "app"]);
    let principal = Holder::Role("web".into());
    let deny = DenyByScp { incident: case.incident.id, account: account(), principal };
    case.logged("deny-by-scp.role.web", Action::DenyByScp(deny));
    assert_eq!(denied(&case), [here.as_str(), "app", "web"]);
}

#[test]
fn a_deny_of_the_organizations_that_somebody_has_taken_away_is_missing_and_one_that_was_undone_is_not() {
    let step = "deny-by-scp.role.app";
    for (is_undone, why) in [(false, Some(Missing::NotInForce)), (true, None)] {
        let mut case = Case::new();
        case.playbook.reaches_organization = true;
        assert_eq!(case.missed(step), None, "nothing waits for it");
        let action = case.offered(step);
        let id = case.carried_out(step, action.clone());
        if is_undone {
            case.carried_out("undo.deny-by-scp.role.app", undo(action, id));
        }
        case.apply(vec![Event::ContainmentChecked {
            held: vec![],
            lost: vec![Lost { request: id, why: "it is attached to nothing".into() }],
            new_keys: vec![],
            unread: vec![],
            keys_unread: None,
        }]);
        assert_eq!(case.missed(step), why, "{is_undone}");
    }
}
