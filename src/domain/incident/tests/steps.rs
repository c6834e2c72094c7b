//! Which steps there are, and why one counts as missing.

use chrono::TimeDelta;

use super::case::{Case, KEY, OTHER_KEY, identified, request, user};
use super::eradication::changed;
use super::hunt::{password, reached, through, titles};
use crate::domain::action::{Action, DeleteRole, RevokeRoleSessions, Undo};
use crate::domain::hunt::Hunted;
use crate::domain::id::RequestId;
use crate::domain::incident::event::Event;
use crate::domain::incident::steps::{Missing, Offer, is_undo, missing};
use crate::domain::incident::verdict::{Judged, Verdict};
use crate::domain::observation::{KeyStatus, Observation};

/// What a step's undo asks for, where only its name matters.
pub(super) fn undo(of: Action, undoes: RequestId) -> Action {
    Action::Undo(Undo { of: Box::new(of), before: Box::new(Observation::OwnerMissing), undoes })
}

impl Case {
    /// What a step asks for.
    pub(super) fn offered(&self, step: &str) -> Action {
        match self.step(step).offer {
            Offer::Action(action) => action,
            refused @ Offer::Refused { .. } => panic!("{refused:?}"),
        }
    }

    /// A request as the log has it: AWS was not asked, and the plan is another's but for its step and action.
    pub(super) fn logged(&mut self, step: &str, action: Action) -> RequestId {
        let mut other = Self::new();
        other.ask("U1", &["revoke-user"]).unwrap();
        let mut plan = other.incident.requests[&request(1)].plan.clone();
        plan.step = step.parse().unwrap();
        if let Observation::InlinePolicy { owner_id, .. } = &mut plan.before
            && action.probe().user_name().as_deref() != Some("ci")
        {
            *owner_id = "AIDA-another".into();
        }
        plan.action = action;
        let id = self.incident.next_request();
        let (digest, plan) = (plan.digest(), Box::new(plan));
        let by = user("U1");
        self.apply(vec![Event::ApprovalRequested { request: id, plan, digest, by, asked: vec![], burst: None }]);
        id
    }

    /// The same, and AWS shows that it holds.
    pub(super) fn carried_out(&mut self, step: &str, action: Action) -> RequestId {
        let id = self.logged(step, action);
        self.apply(vec![Event::Verified { request: id, no_op: true }]);
        id
    }

    pub(super) fn shows(&self, step: &str) -> bool {
        titles(self).iter().any(|id| id == step)
    }

    /// Why it is missing, if it is.
    pub(super) fn missed(&self, step: &str) -> Option<Missing> {
        let all = missing(&self.incident, &self.playbook);
        all.into_iter().find(|(of, _)| of.id.as_str() == step).map(|(_, why)| why)
    }
}

#[test]
fn an_undo_is_shown_while_it_is_open_and_until_its_step_is_asked_for_again() {
    let (step, back) = ("revoke-user-sessions", "undo.revoke-user-sessions");
    assert!(is_undo(&back.parse().unwrap()) && !is_undo(&step.parse().unwrap()));
    let mut case = Case::new();
    let action = case.offered(step);
    let first = case.carried_out(step, action.clone());
    assert!(!case.shows(back), "nobody has asked for it");
    let undone = case.logged(back, undo(action.clone(), first));
    assert!(case.shows(back));
    assert_eq!(case.missed(back), None, "it contains nothing");
    case.logged(step, action.clone());
    assert!(case.shows(back), "it is still to be decided on");
    case.apply(vec![Event::RequestExpired { request: undone }]);
    assert!(!case.shows(back));

    let mut case = Case::new();
    let first = case.carried_out(step, action.clone());
    case.carried_out(back, undo(action.clone(), first));
    assert!(case.shows(back), "it is what has happened last");
    assert_eq!((case.missed(step), case.missed(back)), (Some(Missing::NotInForce), None));
    case.logged(step, action);
    assert!(!case.shows(back));
}

#[test]
fn what_was_asked_for_is_shown_though_nothing_else_shows_it() {
    let mut case = Case::new();
    let role = "revoke-assumed-roles.web";
    assert!(!case.shows(role));
    case.logged(role, Action::RevokeRoleSessions(RevokeRoleSessions { role_name: "web".into() }));
    assert!(case.shows(role));

    // A key that has appeared, and that somebody has switched off by hand.
    let (own, new) = (format!("deactivate-access-key.{KEY}"), format!("deactivate-access-key.{OTHER_KEY}"));
    let mut case = Case::new();
    case.apply(vec![Event::ContainmentChecked {
        held: vec![],
        lost: vec![],
        new_keys: vec![OTHER_KEY.parse().unwrap()],
        unread: vec![],
        keys_unread: None,
    }]);
    let (stolen, appeared) = (case.offered(&own), case.offered(&new));
    let found = identified(&[(KEY, KeyStatus::Active), (OTHER_KEY, KeyStatus::Inactive)]);
    case.apply(vec![Event::Identified { found }]);
    case.logged(&own, stolen);
    assert!(!case.shows(&new), "another was asked for");
    case.logged(&new, appeared);
    assert!(case.shows(&new));
}

#[test]
fn what_was_revoked_before_the_last_way_to_its_sessions_was_closed_is_revoked_again() {
    let password_of = |name: &str| {
        let credentials = vec![password(&format!("arn:aws:iam::111122223333:user/{name}"))];
        Hunted { credentials, ..Hunted::default() }
    };
    let footprint = vec![changed("Role", "web", &[("UpdateAssumeRolePolicy", "", true)])];
    let door = Hunted { footprint, ..Hunted::default() };
    let session = reached("ASIAI44QH8DHBEXAMPLE", "arn:aws:sts::111122223333:assumed-role/web/i-0a");
    let without_token = [("i-0a".to_owned(), "eu-west-1".to_owned())].into();
    let robbed = Hunted { credentials: vec![session], without_token, ..Hunted::default() };
    for (found, revoked, closed, too_early) in [
        (password_of("ci"), "revoke-user-sessions", "delete-login-profile.ci", true),
        (password_of("ana"), "revoke-user-sessions", "delete-login-profile.ana", false),
        (door.clone(), "revoke-assumed-roles.web", "restore-trust.web", true),
        (door, "revoke-assumed-roles.app", "restore-trust.web", false),
        (robbed.clone(), "revoke-assumed-roles.web", "require-imdsv2.i-0a", true),
        (robbed, "revoke-assumed-roles.app", "require-imdsv2.i-0a", false),
        (Hunted::default(), "revoke-assumed-roles.app", "revoke-user-sessions", true),
    ] {
        let mut case = Case::new();
        case.found(found);
        for step in [revoked, closed] {
            let action = case.offered(step);
            case.carried_out(step, action);
            case.minutes(1);
        }
        assert_eq!(case.missed(closed), None, "{closed}");
        assert_eq!(case.missed(revoked), too_early.then_some(Missing::RevokedTooEarly), "{revoked}, {closed}");
    }
}

#[test]
fn nobody_has_a_session_of_a_role_that_is_gone() {
    let role = "revoke-assumed-roles.app";
    let mut case = Case::new();
    for step in [role, "revoke-user-sessions"] {
        let action = case.offered(step);
        case.carried_out(step, action);
        case.minutes(1);
    }
    let gone = |name: &str| Action::DeleteRole(DeleteRole { role_name: name.into() });
    case.carried_out("remove.role.web", gone("web"));
    assert_eq!(case.missed(role), Some(Missing::RevokedTooEarly));
    case.carried_out("remove.role.app", gone("app"));
    assert!(case.shows(role));
    assert_eq!(case.missed(role), None);
}

#[test]
fn whoever_gets_through_afterwards_is_revoked_and_denied_again_and_nobody_else() {
    let mut case = Case::new();
    case.playbook.reaches_organization = true;
    for step in ["revoke-user-sessions", "revoke-assumed-roles.app", "deny-by-scp", "deny-by-scp.role.app"] {
        let action = case.offered(step);
        case.carried_out(step, action);
    }
    let since = case.now;
    for (after_s, principal, again) in [
        (60, "iam::111122223333:user/ci", "revoke-user-sessions deny-by-scp"),
        (0, "iam::111122223333:user/ci", ""),
        (60, "iam::111122223333:user/ana", ""),
        (60, "sts::111122223333:assumed-role/app/ci", "revoke-assumed-roles.app deny-by-scp.role.app"),
        (60, "sts::111122223333:assumed-role/web/ci", ""),
    ] {
        let call = through(since + TimeDelta::seconds(after_s), &format!("arn:aws:{principal}"));
        let judged = Box::new(Judged { verdict: Verdict::Failed { call }, since });
        case.apply(vec![Event::VerdictReached { judged }]);
        let all = missing(&case.incident, &case.playbook).into_iter();
        let open = all.filter(|(_, why)| *why == Missing::GotThrough).map(|(step, _)| step.id.to_string());
        assert_eq!(open.collect::<Vec<_>>().join(" "), again, "{principal} after {after_s} s");
    }
}
