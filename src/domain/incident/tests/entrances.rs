//! Which doors stand open: by whom a role's trust policy was changed last, and who vouches for whoever has come in.

use super::case::Case;
use super::eradication::{changed, hunted, made};
use super::hunt::titles;
use crate::domain::action::{Action, DenyOutsider};
use crate::domain::approval::RequestState;
use crate::domain::hunt::{Hunted, Trace};
use crate::domain::incident::doors::opened_doors;
use crate::domain::trail::deed::BY_BOT;
use crate::domain::trail::entrance::{Entrance, Outsider};
use crate::domain::trail::footprint::State;

const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/token.example.com";
const OTHER: &str = "arn:aws:iam::111122223333:oidc-provider/id.example.org";

fn vendor() -> Outsider {
    Outsider::Account { account: "999988887777".parse().unwrap() }
}

fn entered(role: &str, outsider: Outsider) -> Entrance {
    Entrance { role_arn: format!("arn:aws:iam::111122223333:role/{role}"), outsider, event_id: "e".into() }
}

#[test]
fn a_trust_policy_that_the_bot_has_put_last_is_closed_unless_it_only_denies_somebody_there() {
    let deeds = [("UpdateAssumeRolePolicy", "", true), ("UpdateAssumeRolePolicy", BY_BOT, false)];
    let mut case = Case::new();
    hunted(&mut case, vec![changed("Role", "web", &deeds)]);
    assert_eq!(opened_doors(&case.incident), []);
    for (role, open) in [("app", 0), ("web", 1)] {
        let deny = DenyOutsider { role_name: role.into(), outsider: vendor() };
        case.logged(&format!("close-trust.999988887777.{role}"), Action::DenyOutsider(deny));
        assert_eq!(opened_doors(&case.incident).len(), open, "{role}");
    }
}

#[test]
fn whom_a_provider_vouches_for_comes_in_until_just_that_provider_is_gone_or_goes_as_the_attackers() {
    for (provider, made_by_attacker, state, is_open) in [
        (PROVIDER, false, State::Present, true),
        (PROVIDER, false, State::Modified, true),
        (PROVIDER, false, State::Deleted, false),
        (PROVIDER, true, State::Present, false),
        (OTHER, true, State::Present, true),
        (OTHER, false, State::Deleted, true),
    ] {
        let mut case = Case::new();
        let footprint = vec![Trace { state, made_by_attacker, ..made("OIDCProvider", provider) }];
        let job = Outsider::WebIdentity { provider: PROVIDER.into(), subject: None };
        case.found(Hunted { footprint, entrances: vec![entered("web", job)], ..Hunted::default() });
        let doors = titles(&case).into_iter().filter(|id| id.starts_with("close-trust.")).count();
        assert_eq!(doors, usize::from(is_open), "{provider}, {made_by_attacker}, {state:?}");
    }
}

#[test]
fn a_policy_that_was_put_back_shuts_the_door_of_its_own_role_only() {
    let mut case = Case::new();
    let footprint = vec![changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)])];
    let entrances = ["app", "web"].map(|role| entered(role, vendor())).to_vec();
    case.found(Hunted { footprint, entrances, ..Hunted::default() });
    let [app, web] = ["app", "web"].map(|role| format!("close-trust.999988887777.{role}"));
    assert!(case.shows(&app) && case.shows(&web));
    case.ask("U1", &["restore-trust.web"]).unwrap();
    case.approve("U2", 1).unwrap();
    case.run();
    assert!(matches!(case.state(1), RequestState::Verified { .. }), "{:?}", case.state(1));
    assert!(case.shows(&app) && !case.shows(&web));
}
