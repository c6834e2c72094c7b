//! Who loses something by a change, for each way in which it can be somebody who must not.

use super::*;
use crate::domain::action::{
    DeleteAnywhereProfile, DeleteAssignment, DeleteGroup, DeleteInlinePolicy, DeleteInstanceProfile,
    DeleteLoginProfile, DenyInPermissionSet, DetachPolicy, RemoveFromGroup, RestorePolicyVersion, RestoreTrustPolicy,
    RestoreUserPolicy, RevokeRoleSessions, RevokeUserSessions, Undo,
};
use crate::domain::approval::lockout::check_nobody_locked_out;
use crate::domain::observation::{
    Access, Anywhere, Earlier, GroupTree, InAccount, PermissionSet, ProfileTree, PutPolicy, Trust, Way,
};

const GLASS: &str = "arn:aws:iam::111122223333:user/break-glass";
const CI: &str = "arn:aws:iam::111122223333:user/ci";
const POLICY: &str = "arn:aws:iam::111122223333:policy/ops";
const DOCUMENT: &str = r#"{"Statement":[]}"#;

fn identity(of: &str) -> Identity {
    Identity { id: "ID1".into(), arn: format!("arn:aws:iam::111122223333:{of}"), path: "/".into() }
}

fn group() -> Holder {
    Holder::Group("ops".into())
}

fn of_user(name: &str) -> Observation {
    let owner = identity(&format!("user/{name}"));
    Observation::Attached { owner, present: true, other_arn: None, members: Vec::new() }
}

fn inline(of: &str) -> Observation {
    let Identity { id, arn, path } = identity(of);
    Observation::InlinePolicy { owner_id: id, owner_arn: arn, owner_path: path, document: None }
}

fn managed(members: &[&str], bounds: Vec<Holder>) -> Observation {
    Observation::Policy(PolicyTree {
        identity: identity("policy/ops"),
        default: "v2".into(),
        versions: ["v1", "v2"].map(|version| (version.to_owned(), DOCUMENT.to_owned())).into(),
        attached_to: vec![(group(), "arn:aws:iam::111122223333:group/ops".into())],
        bounds,
        previous: None,
        known_at: None,
        members: members.iter().map(|arn| (*arn).to_owned()).collect(),
    })
}

fn restore_version() -> Action {
    let (policy_arn, version_id) = (POLICY.into(), "v2".into());
    let (also_theirs, event_ids) = (BTreeSet::new(), BTreeSet::new());
    Action::RestorePolicyVersion(RestorePolicyVersion { policy_arn, version_id, also_theirs, event_ids })
}

/// Each change to what users have by way of a group, where this one is in it.
fn through_groups(member: &str) -> Vec<(Action, Observation)> {
    let name = member.rsplit('/').next().unwrap_or_default().to_owned();
    let tree = GroupTree {
        identity: identity("group/ops"),
        members: vec!["other".into(), name],
        inline: BTreeMap::new(),
        attached: Vec::new(),
    };
    let attached = Observation::Attached {
        owner: identity("group/ops"),
        present: true,
        other_arn: None,
        members: vec![member.into()],
    };
    let put = Observation::PutPolicy(PutPolicy {
        identity: identity("group/ops"),
        document: Some(DOCUMENT.into()),
        put: Some(DOCUMENT.into()),
        before: Earlier::Nothing { event_id: "e0".into() },
        members: vec![member.into()],
    });
    let detach = DetachPolicy { holder: group(), policy_arn: POLICY.into() };
    let inline = DeleteInlinePolicy { holder: group(), policy_name: "p".into(), event_ids: vec!["e1".into()] };
    vec![
        (Action::DeleteGroup(DeleteGroup { group_name: "ops".into() }), Observation::Group(tree)),
        (Action::DetachPolicy(detach), attached),
        (Action::DeleteInlinePolicy(inline), put),
        (Action::DeletePolicy(DeletePolicy { policy_arn: POLICY.into() }), managed(&[member], Vec::new())),
        (restore_version(), managed(&[member], Vec::new())),
    ]
}

/// Who a refusal says is protected, and why.
fn refused(action: &Action, before: &Observation, policy: &Policy) -> Option<(String, String)> {
    match check_nobody_locked_out(action, before, policy) {
        Ok(()) => None,
        Err(Refusal::Protected(who, why)) => Some((who, why)),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn what_a_protected_user_has_by_way_of_a_group_goes_and_they_are_named() {
    let since = Policy { protected_arns: [CI.to_owned()].into(), ..policy() };
    for (action, before) in through_groups(CI) {
        let kind = action.kind();
        assert_eq!(may_lock_out(&action, &before, &policy()), [], "{kind}");
        assert_eq!(may_lock_out(&action, &before, &since), [MayLoseAccess::Given(CI.into())], "{kind}");
        // An attacker who puts them into the group once it is approved shields nothing.
        let request = approved_of(plan_of(action, before, &policy()).unwrap(), &policy());
        assert!(issue(&request, &since, now()).is_ok(), "{kind}");
    }
}

#[test]
fn a_version_that_is_not_in_force_is_taken_from_nobody() {
    let Observation::Policy(tree) = managed(&[GLASS], Vec::new()) else { panic!() };
    let before = Observation::Policy(PolicyTree { default: "v1".into(), ..tree });
    assert_eq!(may_lock_out(&restore_version(), &before, &policy()), []);
}

#[test]
fn a_trust_policy_is_not_put_back_to_the_attackers_where_somebody_protected_was_not_in_it() {
    let trusts = |who: &[&str]| {
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": who}}]});
        let document = document.to_string();
        Observation::Trust(Trust { identity: identity("role/app"), document, put: None, previous: None })
    };
    let restored = Action::RestoreTrustPolicy(RestoreTrustPolicy {
        role_name: "app".into(),
        event_id: "e2".into(),
        earlier_event_ids: BTreeSet::new(),
        attackers: BTreeSet::new(),
    });
    let undo = |left: &[&str]| {
        let undoes = RequestId::new(IncidentId::new(1), 1);
        Action::Undo(Undo { of: Box::new(restored.clone()), before: Box::new(trusts(left)), undoes })
    };
    let now = trusts(&[GLASS, CI]);
    let (who, why) = refused(&undo(&["999999999999"]), &now, &policy()).unwrap();
    assert!(who == GLASS && why.contains("[protected], and would lose something by this. "), "{why}");
    assert_eq!(refused(&undo(&[GLASS, "999999999999"]), &now, &policy()), None);
}

#[test]
fn whom_a_policy_bounds_is_found_whatever_their_path() {
    let policy = Policy { protected_arns: ["arn:aws:iam::111122223333:role/team/bot".to_owned()].into(), ..policy() };
    let bounds = |name: &str| may_lock_out(&restore_version(), &managed(&[], vec![Holder::Role(name.into())]), &policy);
    assert_eq!(bounds("app"), []);
    assert_eq!(bounds("bot"), [MayLoseAccess::Given("arn:aws:iam::111122223333:role/bot".into())]);
}

#[test]
fn no_credential_of_a_user_who_is_protected_goes_and_of_another_each_does() {
    let changes = |name: &str| {
        let user_name = || name.to_owned();
        let leaves = RemoveFromGroup { user_name: user_name(), group_name: "ops".into() };
        [
            (Action::DeleteLoginProfile(DeleteLoginProfile { user_name: user_name() }), of_user(name)),
            (Action::RemoveFromGroup(leaves), of_user(name)),
            (
                Action::RevokeUserSessions(RevokeUserSessions { user_name: user_name() }),
                inline(&format!("user/{name}")),
            ),
        ]
    };
    for (action, before) in changes("ci") {
        assert_eq!(refused(&action, &before, &policy()), None, "{}", action.kind());
    }
    for (action, before) in changes("break-glass") {
        let (who, why) = refused(&action, &before, &policy()).unwrap();
        assert!(who == GLASS && why.contains("under [protected]"), "{}: {why}", action.kind());
    }
    let bot = Policy { bots: [CI.to_owned()].into(), protected_arns: [CI.to_owned()].into(), ..policy() };
    for (action, before) in changes("ci") {
        assert!(refused(&action, &before, &bot).unwrap().1.contains("the bot's own"), "{}", action.kind());
    }
}

/// What Identity Center does about a user's access to a permission set.
fn in_identity_center(set: &str) -> [(Action, Observation); 2] {
    let (region, account, user_name) = ("eu-west-1".to_owned(), "111122223333".parse().unwrap(), "ana".to_owned());
    let arn = format!("arn:aws:sso:::permissionSet/ssoins-1/{set}");
    let access = Access {
        identity: Identity { id: "u-1".into(), arn: "arn:aws:identitystore:::user/u-1".into(), path: "/".into() },
        instance_arn: "arn:aws:sso:::instance/ssoins-1".into(),
        identity_store_id: "d-1".into(),
        identity_store_arn: "arn:aws:identitystore::999988887777:identitystore/d-1".into(),
        permission_set_arn: arn.clone(),
        account_arn: "arn:aws:sso:::account/111122223333".into(),
        ways: vec![Way::Direct],
    };
    let seen = PermissionSet {
        arn,
        instance_arn: access.instance_arn.clone(),
        account_arn: access.account_arn.clone(),
        in_account: InAccount::Latest,
        user_id: Some("u-1".into()),
        document: None,
    };
    let taken =
        DeleteAssignment { region: region.clone(), account, permission_set: set.into(), user_name: user_name.clone() };
    let denied = DenyInPermissionSet {
        incident: IncidentId::new(1),
        region,
        account: taken.account.clone(),
        permission_set: set.into(),
        user_name,
    };
    [
        (Action::DeleteAssignment(taken), Observation::Access(access)),
        (Action::DenyInPermissionSet(denied), Observation::PermissionSet(seen)),
    ]
}

#[test]
fn a_permission_set_whose_role_is_protected_is_named_where_it_is_taken_from_somebody() {
    let role = |account: &str| {
        let path = "aws-reserved/sso.amazonaws.com/eu-west-1";
        format!("arn:aws:iam::{account}:role/{path}/AWSReservedSSO_Break_Glass_0123456789abcdef")
    };
    let protects = |arn: String| Policy { protected_arns: [arn].into(), ..policy() };
    let of = |set: &str, policy: &Policy| {
        in_identity_center(set).map(|(action, before)| {
            assert_eq!(refused(&action, &before, policy), None, "whoever is stolen has to be contained");
            may_lock_out(&action, &before, policy)
        })
    };
    let (here, arn) = (protects(role("111122223333")), role("111122223333"));
    let named = [vec![MayLoseAccess::Unassigned(arn.clone())], vec![MayLoseAccess::DeniedIn(arn)]];
    assert_eq!(of("Break_Glass", &here), named);
    for set in ["Break", "Glass", "Break_Glass_0123456789abcdef"] {
        assert_eq!(of(set, &here), [[], []], "{set}");
    }
    assert_eq!(of("Break_Glass", &protects(role("999988887777"))), [[], []], "that of another account");
}

#[test]
fn a_responders_stolen_user_is_contained_and_the_responder_is_named() {
    let mut policy = Policy { belongings: [(CI.to_owned(), PersonId(user("U2")))].into(), ..policy() };
    let action = Action::RevokeUserSessions(RevokeUserSessions { user_name: "ci".into() });
    let responder = |who: &str| MayLoseAccess::Responder(PersonId(user("U2")), who.into());
    assert!(plan_of(action.clone(), inline("user/ci"), &policy).is_ok());
    assert_eq!(may_lock_out(&action, &inline("user/ci"), &policy), [responder(CI)]);
    assert_eq!(may_lock_out(&action, &inline("user/other"), &policy), []);
    for (action, before) in through_groups(CI) {
        assert_eq!(refused(&action, &before, &policy), None, "{}", action.kind());
        assert_eq!(may_lock_out(&action, &before, &policy), [responder(CI)], "{}", action.kind());
    }
    // A role is many people's, and is refused.
    policy.belongings.insert("arn:aws:iam::111122223333:role/app".into(), PersonId(user("U2")));
    let role = Action::RevokeRoleSessions(RevokeRoleSessions { role_name: "app".into() });
    assert!(refused(&role, &inline("role/app"), &policy).unwrap().1.contains("works through"));
    // Whoever is in Identity Center is known by name alone.
    policy.belongings = [("ana".to_owned(), PersonId(user("U2")))].into();
    for (action, before) in in_identity_center("Admin") {
        assert_eq!(may_lock_out(&action, &before, &policy), [responder("ana")]);
    }
    // They respond no more.
    policy.responders.users.remove(&user("U2"));
    policy.approvers.users.remove(&user("U2"));
    for (action, before) in in_identity_center("Admin") {
        assert_eq!(may_lock_out(&action, &before, &policy), []);
    }
}

#[test]
fn a_profile_with_a_protected_role_goes_and_the_role_is_named() {
    let role = "arn:aws:iam::111122223333:role/irp";
    let policy = Policy { protected_arns: [role.to_owned()].into(), ..policy() };
    let profile = |name: &str| {
        let roles = vec![name.to_owned()];
        Observation::InstanceProfile(ProfileTree { identity: identity("instance-profile/p"), roles })
    };
    let action = Action::DeleteInstanceProfile(DeleteInstanceProfile { instance_profile_name: "p".into() });
    assert_eq!(refused(&action, &profile("irp"), &policy), None);
    assert_eq!(may_lock_out(&action, &profile("irp"), &policy), [MayLoseAccess::Protected(role.into())]);
    assert_eq!(may_lock_out(&action, &profile("app"), &policy), []);

    // One of Roles Anywhere names its roles by their ARNs.
    let (region, profile_id) = ("us-east-1".to_owned(), "p-1".to_owned());
    let action = Action::DeleteAnywhereProfile(DeleteAnywhereProfile { region, profile_id });
    let profile = |role: &str| {
        Observation::Anywhere(Anywhere {
            id: "p-1".into(),
            arn: "arn:aws:rolesanywhere:us-east-1:111122223333:profile/p-1".into(),
            name: "p".into(),
            enabled: true,
            created_at: String::new(),
            source: None,
            roles: vec![role.to_owned()],
        })
    };
    assert_eq!(may_lock_out(&action, &profile(role), &policy), [MayLoseAccess::Protected(role.into())]);
    assert_eq!(may_lock_out(&action, &profile("arn:aws:iam::111122223333:role/app"), &policy), []);
}

#[test]
fn a_refusal_says_so_where_whoever_is_protected_is_the_target() {
    let action = Action::RevokeUserSessions(RevokeUserSessions { user_name: "break-glass".into() });
    let (who, why) = refused(&action, &inline("user/break-glass"), &policy()).unwrap();
    assert!(who == GLASS && why.starts_with("irp.toml lists it under [protected]. "), "{why}");
}

#[test]
fn whoever_is_protected_only_since_gets_back_what_was_taken() {
    let put = r#"{"Statement":[{"Effect":"Deny"}]}"#;
    let undo = Action::RestoreUserPolicy(RestoreUserPolicy {
        user_name: "break-glass".into(),
        previous: None,
        put: put.into(),
        undoes: RequestId::new(IncidentId::new(1), 1),
    });
    let Identity { id, arn, path } = identity("user/break-glass");
    let before =
        Observation::InlinePolicy { owner_id: id, owner_arn: arn, owner_path: path, document: Some(put.into()) };
    let request = approved_of(plan_of(undo, before, &policy()).unwrap(), &policy());
    assert!(issue(&request, &policy(), now()).is_ok());
}

#[test]
fn what_older_logs_have_seen_is_read_with_nobody_in_the_group() {
    let seen = of_user("ci");
    let text = serde_json::to_string(&seen).unwrap();
    assert!(!text.contains("members"), "{text}");
    assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), seen);
}
