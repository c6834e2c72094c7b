//! Who has come into a group between the request and the call.

use super::case::{Case, request};
use super::eradication::{ADMIN, changed, contain, hunted};
use crate::domain::approval::RequestState;
use crate::domain::observation::{Identity, Observation};

const GLASS: &str = "arn:aws:iam::111122223333:user/break-glass";

fn attached(member: &str, present: bool) -> Observation {
    let arn = "arn:aws:iam::111122223333:group/ops".into();
    let owner = Identity { id: "AGPA1".into(), arn, path: "/".into() };
    Observation::Attached { owner, present, other_arn: None, members: vec![member.to_owned()] }
}

/// A policy is taken off a group, with this user in it by the time of the call.
fn run_with(member: &str) -> RequestState {
    let other = "arn:aws:iam::111122223333:user/other";
    let mut case = Case::new();
    hunted(&mut case, vec![changed("Group", "ops", &[("AttachGroupPolicy", ADMIN, true)])]);
    contain(&mut case);
    case.policy.protected_arns.insert(GLASS.into());
    case.estate = [attached(other, true), attached(other, false)];
    case.ask("U1", &["remove.group.ops"]).unwrap();
    let number = u32::try_from(case.incident.requests.len()).unwrap();
    assert_eq!(case.incident.requests[&request(number)].plan.action.kind(), "detach-policy");
    case.approve("U2", number).unwrap();
    case.estate[0] = attached(member, true);
    case.run();
    case.state(number).clone()
}

#[test]
fn who_is_protected_and_in_the_group_by_the_time_of_the_call_is_not_locked_out() {
    assert!(matches!(run_with("arn:aws:iam::111122223333:user/new"), RequestState::Verified { .. }));
    match run_with(GLASS) {
        RequestState::Lapsed { why } => assert!(why.contains(GLASS), "{why}"),
        other => panic!("{other:?}"),
    }
}
