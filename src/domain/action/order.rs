//! For any user, role, group and policy the calls go in an order that AWS takes, leave nothing, and touch nothing that
//! the plan does not name.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::credential::AccessKeyId;
use crate::domain::observation::{GroupTree, Holder, Identity, KeyStatus, PolicyTree, RoleTree, UserTree};

const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

fn identity(id: &str, resource: &str) -> Identity {
    Identity { id: id.into(), arn: format!("arn:aws:iam::111122223333:{resource}"), path: "/".into() }
}

fn names(prefix: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    (0..=most).prop_map(move |count| (0..count).map(|n| format!("{prefix}{n}")).collect())
}

fn inline() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(
        prop_oneof![Just(REVOKE_POLICY.to_owned()), "[a-c]{1,2}"],
        Just(DOCUMENT.to_owned()),
        0..4,
    )
}

fn attached() -> impl Strategy<Value = Vec<String>> {
    let known = ["AdministratorAccess", "AWSCompromisedKeyQuarantineV3", "AWSDenyAll", "ReadOnlyAccess"];
    prop::sample::subsequence(known.to_vec(), 0..=known.len())
        .prop_map(|names| names.into_iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).collect())
}

prop_compose! {
    fn user()(
        keys in 0..3_usize,
        login_profile in any::<bool>(),
        virtual_devices in names("arn:aws:iam::111122223333:mfa/m", 2),
        hardware in names("GAHT1234567", 1),
        certificates in names("ASCA", 2),
        ssh_keys in names("APKA", 2),
        service_credentials in names("ACCA", 2),
        inline in inline(),
        attached in attached(),
        groups in names("g", 3),
        boundary in prop::option::of(Just("arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned())),
    ) -> UserTree {
        let key = |n: usize| format!("AKIAIOSFODNN7EXAMPL{}", char::from(b'A' + u8::try_from(n).unwrap())).parse().unwrap();
        UserTree {
            identity: identity("AIDA1", "user/mallory"),
            keys: (0..keys).map(|n| (key(n), KeyStatus::Active)).collect(),
            login_profile,
            mfa_devices: virtual_devices.into_iter().chain(hardware).collect(),
            certificates,
            ssh_keys,
            service_credentials,
            inline,
            attached,
            groups: groups.into_iter().map(|g| (g.clone(), format!("arn:aws:iam::111122223333:group/{g}"))).collect(),
            boundary,
            tags: BTreeMap::new(),
        }
    }
}

prop_compose! {
    fn role()(inline in inline(), attached in attached(), profiles in names("p", 2), bounded in any::<bool>()) -> RoleTree {
        let arn = |name: &String| format!("arn:aws:iam::111122223333:instance-profile/{name}");
        RoleTree {
            identity: identity("AROA1", "role/backdoor"),
            trust: DOCUMENT.into(),
            inline,
            attached,
            profiles: profiles.into_iter().map(|name| (name.clone(), arn(&name))).collect(),
            boundary: bounded.then(|| "arn:aws:iam::aws:policy/ReadOnlyAccess".into()),
            tags: BTreeMap::new(),
        }
    }
}

prop_compose! {
    fn policy()(users in names("u", 2), roles in names("r", 2), groups in names("g", 2), versions in 1..6_u32, default in 1..6_u32)
        -> PolicyTree {
        let holders = users.into_iter().map(Holder::User).chain(roles.into_iter().map(Holder::Role))
            .chain(groups.into_iter().map(Holder::Group));
        let arn = |holder: &Holder| format!("arn:aws:iam::111122223333:{}/team/{}", holder.kind(), holder.name());
        PolicyTree {
            identity: identity("ANPA1", "policy/loot"),
            default: format!("v{}", default.min(versions)),
            versions: (1..=versions).map(|n| (format!("v{n}"), DOCUMENT.to_owned())).collect(),
            attached_to: holders.map(|holder| { let arn = arn(&holder); (holder, arn) }).collect(),
            bounds: Vec::new(),
            previous: None,
            known_at: None,
            members: Vec::new(),
        }
    }
}

/// What hangs on a thing in a small AWS: it goes once, and the thing itself last.
struct Model {
    hangs: BTreeSet<String>,
    virtual_devices: BTreeSet<String>,
}

impl Model {
    fn does(&mut self, call: &ApiCall) {
        let gone = match call {
            ApiCall::UpdateAccessKey { access_key_id, status, .. } => {
                assert_eq!(*status, KeyStatus::Inactive);
                assert!(self.hangs.contains(&format!("key {access_key_id}")));
                return;
            }
            ApiCall::PutRolePolicy { policy_name, .. } => {
                self.hangs.insert(format!("inline {policy_name}"));
                return;
            }
            ApiCall::DeleteAccessKey { access_key_id, .. } => format!("key {access_key_id}"),
            ApiCall::DeleteLoginProfile { .. } => "login".into(),
            ApiCall::DeleteServiceSpecificCredential { service_specific_credential_id: id, .. } => {
                format!("service {id}")
            }
            ApiCall::DeleteSSHPublicKey { ssh_public_key_id: id, .. } => format!("ssh {id}"),
            ApiCall::DeleteSigningCertificate { certificate_id: id, .. } => format!("certificate {id}"),
            ApiCall::DeactivateMFADevice { serial_number, .. } => format!("mfa {serial_number}"),
            ApiCall::DeleteVirtualMFADevice { serial_number } => {
                assert!(!self.hangs.contains(&format!("mfa {serial_number}")), "DeleteConflict: in use");
                assert!(self.virtual_devices.remove(serial_number), "no such device");
                return;
            }
            ApiCall::DeleteUserPolicy { policy_name, .. }
            | ApiCall::DeleteRolePolicy { policy_name, .. }
            | ApiCall::DeleteGroupPolicy { policy_name, .. } => format!("inline {policy_name}"),
            ApiCall::RemoveUserFromGroup { group_name, user_name }
                if self.hangs.contains(&format!("member {user_name}")) =>
            {
                assert_eq!(group_name, "cabal");
                format!("member {user_name}")
            }
            ApiCall::RemoveUserFromGroup { group_name, .. } => format!("group {group_name}"),
            ApiCall::RemoveRoleFromInstanceProfile { instance_profile_name: name, .. } => format!("profile {name}"),
            ApiCall::DetachUserPolicy { policy_arn, user_name } => self.attachment("user", user_name, policy_arn),
            ApiCall::DetachRolePolicy { policy_arn, role_name } => self.attachment("role", role_name, policy_arn),
            ApiCall::DetachGroupPolicy { policy_arn, group_name } => self.attachment("group", group_name, policy_arn),
            ApiCall::DeleteUserPermissionsBoundary { .. } | ApiCall::DeleteRolePermissionsBoundary { .. } => {
                "boundary".into()
            }
            ApiCall::DeletePolicyVersion { version_id, .. } => format!("version {version_id}"),
            ApiCall::DeleteUser { .. }
            | ApiCall::DeleteRole { .. }
            | ApiCall::DeleteGroup { .. }
            | ApiCall::DeletePolicy { .. } => {
                assert_eq!(self.hangs, BTreeSet::from(["itself".to_owned()]), "DeleteConflict");
                "itself".into()
            }
            other => panic!("nothing to do with a removal: {other:?}"),
        };
        assert!(self.hangs.remove(&gone), "NoSuchEntity: {gone} of {:?}", self.hangs);
    }

    fn attachment(&self, kind: &str, holder: &str, arn: &str) -> String {
        let of_policy = format!("holder {kind} {holder}");
        if self.hangs.contains(&of_policy) { of_policy } else { format!("attached {arn}") }
    }
}

fn runs(action: &Action, before: &Observation, hangs: Vec<String>) {
    let virtual_devices = hangs.iter().filter_map(|item| item.strip_prefix("mfa ").filter(|s| s.starts_with("arn:")));
    let virtual_devices = virtual_devices.map(str::to_owned).collect();
    let mut model = Model { virtual_devices, hangs: hangs.into_iter().chain(["itself".to_owned()]).collect() };
    let work = action.work_out(before).unwrap();
    let targets = before.arns();
    for call in &work.calls {
        assert!(
            call.resource_in(&targets).is_some(),
            "{} is on nothing that was approved: {targets:?}",
            call.iam_action()
        );
        model.does(call);
    }
    assert!(model.hangs.is_empty() && model.virtual_devices.is_empty(), "left: {:?}", model.hangs);
    assert!(matches!(work.inverse, Inverse::None(_)));
    assert!(action.holds(before, &work.calls, &Observation::OwnerMissing));
    assert!(!action.holds(before, &work.calls, before));
    assert!(action.left(before, before).last().is_some_and(|last| last.ends_with("itself")));
    assert_eq!(action.freshness(before, before), Freshness::AsApproved);
    assert_eq!(action.freshness(before, &Observation::OwnerMissing), Freshness::AlreadyDone);
}

fn keyed<'a>(kind: &'static str, items: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    items.into_iter().map(|item| format!("{kind} {item}")).collect()
}

proptest! {
    #[test]
    fn a_user(tree in user()) {
        let mut hangs: Vec<String> = tree.keys.iter().map(|(key, _): &(AccessKeyId, _)| format!("key {key}")).collect();
        hangs.extend(tree.login_profile.then(|| "login".to_owned()));
        for (kind, items) in [("mfa", &tree.mfa_devices), ("certificate", &tree.certificates), ("ssh", &tree.ssh_keys),
            ("service", &tree.service_credentials), ("attached", &tree.attached)] {
            hangs.extend(keyed(kind, items));
        }
        hangs.extend(keyed("inline", tree.inline.keys()));
        hangs.extend(keyed("group", tree.groups.keys()));
        hangs.extend(tree.boundary.iter().map(|_| "boundary".to_owned()));
        let action = Action::DeleteUser(DeleteUser { user_name: "mallory".into() });
        runs(&action, &Observation::User(tree.clone()), hangs);
        // Credentials go before any policy, and what denies goes last of those.
        let work = action.work_out(&Observation::User(tree.clone())).unwrap();
        let place = |wanted: fn(&ApiCall) -> bool| work.calls.iter().rposition(wanted);
        let last_key = place(|call| matches!(call, ApiCall::DeleteAccessKey { .. } | ApiCall::DeleteLoginProfile { .. }));
        let first_policy = work.calls.iter().position(|call| matches!(call, ApiCall::DetachUserPolicy { .. } | ApiCall::DeleteUserPolicy { .. }));
        prop_assert!(last_key.is_none() || first_policy.is_none() || last_key < first_policy);
        // Somebody puts more there: the approval no longer fits.
        let mut more = tree.clone();
        more.ssh_keys.push("APKANEW".into());
        prop_assert!(matches!(action.freshness(&Observation::User(tree.clone()), &Observation::User(more)), Freshness::Changed(_)));
        let mut again = tree.clone();
        again.identity.id = "AIDA2".into();
        let fresh = action.freshness(&Observation::User(tree), &Observation::User(again));
        prop_assert!(matches!(fresh, Freshness::Changed(why) if why.contains("AIDA2")));
    }

    #[test]
    fn a_role(tree in role()) {
        let mut hangs = keyed("inline", tree.inline.keys());
        hangs.extend(keyed("attached", &tree.attached));
        hangs.extend(keyed("profile", tree.profiles.keys()));
        hangs.extend(tree.boundary.iter().map(|_| "boundary".to_owned()));
        let action = Action::DeleteRole(DeleteRole { role_name: "backdoor".into() });
        let work = action.work_out(&Observation::Role(tree.clone())).unwrap();
        prop_assert!(work.calls[0].document().is_some_and(|document| document.contains("Deny")), "its sessions are denied first");
        runs(&action, &Observation::Role(tree), hangs);
    }

    #[test]
    fn a_group(members in names("u", 3), inline in inline(), attached in attached()) {
        let mut hangs = keyed("member", &members);
        hangs.extend(keyed("inline", inline.keys()));
        hangs.extend(keyed("attached", &attached));
        let tree = GroupTree { identity: identity("AGPA1", "group/cabal"), members, inline, attached };
        let action = Action::DeleteGroup(DeleteGroup { group_name: "cabal".into() });
        runs(&action, &Observation::Group(tree), hangs);
    }

    #[test]
    fn a_policy(tree in policy()) {
        let mut hangs: Vec<String> =
            tree.attached_to.iter().map(|(holder, _)| format!("holder {} {}", holder.kind(), holder.name())).collect();
        hangs.extend(keyed("version", tree.versions.keys().filter(|version| **version != tree.default)));
        let action = Action::DeletePolicy(DeletePolicy { policy_arn: tree.identity.arn.clone() });
        runs(&action, &Observation::Policy(tree.clone()), hangs);
        let bounding = PolicyTree { bounds: vec![Holder::Role("app".into())], ..tree };
        prop_assert!(action.work_out(&Observation::Policy(bounding)).unwrap_err().contains("role app"));
    }
}

#[test]
fn a_version_of_the_attackers_makes_way_for_the_one_before_it() {
    let of = |default: &str, versions: &[&str], previous: Option<&str>| {
        Observation::Policy(PolicyTree {
            identity: identity("ANPA1", "policy/ops"),
            default: default.into(),
            versions: versions.iter().map(|v| ((*v).to_owned(), DOCUMENT.to_owned())).collect(),
            attached_to: Vec::new(),
            bounds: Vec::new(),
            previous: previous.map(str::to_owned),
            known_at: None,
            members: Vec::new(),
        })
    };
    let tree = |default: &str, versions: &[&str]| of(default, versions, None);
    let policy_arn = "arn:aws:iam::111122223333:policy/ops".to_owned();
    let restore = |also_theirs: &[&str]| {
        Action::RestorePolicyVersion(RestorePolicyVersion {
            policy_arn: policy_arn.clone(),
            version_id: "v10".into(),
            also_theirs: also_theirs.iter().map(|version| (*version).to_owned()).collect(),
            event_ids: [].into(),
        })
    };
    let action = restore(&[]);
    let unknown = action.work_out(&tree("v10", &["v10", "v2", "v9"])).unwrap_err();
    assert!(unknown.contains("which of v2, v9 was in force"), "a draft that never was can allow more: {unknown}");
    let lost = of("v10", &["v10", "v2", "v9"], Some("v3"));
    assert!(action.work_out(&lost).unwrap_err().contains("which of v2, v9"), "what was is gone");
    let before = of("v10", &["v10", "v2", "v9"], Some("v2"));
    let work = action.work_out(&before).unwrap();
    assert_eq!(
        work.calls,
        [
            ApiCall::SetDefaultPolicyVersion { policy_arn: policy_arn.clone(), version_id: "v2".into() },
            ApiCall::DeletePolicyVersion { policy_arn: policy_arn.clone(), version_id: "v10".into() },
        ]
    );
    assert!(action.holds(&before, &work.calls, &tree("v9", &["v2", "v9"])));
    assert!(!action.holds(&before, &work.calls, &tree("v9", &["v10", "v2", "v9"])));
    assert_eq!(action.freshness(&before, &tree("v9", &["v2", "v9"])), Freshness::AlreadyDone);
    assert!(matches!(action.freshness(&before, &tree("v11", &["v10", "v11", "v9"])), Freshness::Changed(_)));
    // The same calls do it where another version of theirs has gone meanwhile, and no others.
    let gone = of("v10", &["v10", "v2"], Some("v2"));
    assert_eq!(action.freshness(&before, &gone), Freshness::AsApproved);
    for other in [of("v10", &["v10", "v9"], Some("v2")), of("v9", &["v10", "v2", "v9"], None)] {
        assert!(matches!(action.freshness(&before, &other), Freshness::Changed(_)), "{other:?}");
    }
    // It deletes a version that is not in force, whichever of the others is.
    let idle = tree("v1", &["v1", "v10", "v2"]);
    assert_eq!(action.freshness(&idle, &tree("v2", &["v1", "v10", "v2"])), Freshness::AsApproved);
    assert!(matches!(action.freshness(&idle, &tree("v10", &["v1", "v10", "v2"])), Freshness::Changed(_)));
    assert_eq!(action.work_out(&tree("v9", &["v10", "v9"])).unwrap().calls.len(), 1);
    assert!(action.work_out(&tree("v10", &["v10"])).unwrap_err().contains("not the attacker's"));
    // Another of theirs is not put in force instead.
    let work = restore(&["v9"]).work_out(&before).unwrap();
    assert!(matches!(&work.calls[0], ApiCall::SetDefaultPolicyVersion { version_id, .. } if version_id == "v2"));
    assert!(restore(&["v9", "v2"]).work_out(&before).unwrap_err().contains("not the attacker's"));
}

#[test]
fn what_was_taken_off_is_put_on_again_by_the_undo_and_only_once() {
    let attached = |present| Observation::Attached {
        owner: identity("AIDA1", "user/ci"),
        present,
        other_arn: None,
        members: Vec::new(),
    };
    let action = Action::DetachPolicy(DetachPolicy {
        holder: Holder::User("ci".into()),
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".into(),
    });
    let before = attached(true);
    let work = action.work_out(&before).unwrap();
    let undo = action.undo(&before, &work.calls, "INC-1.1".parse().unwrap()).unwrap();
    assert_eq!((undo.class(), undo.powers()), (ActionClass::Loosen, Powers::Eradicate));
    let back = undo.work_out(&attached(false)).unwrap();
    assert!(matches!(&back.calls[..], [ApiCall::AttachUserPolicy { .. }]));
    assert_eq!(undo.freshness(&attached(false), &attached(false)), Freshness::AsApproved);
    assert_eq!(undo.freshness(&attached(false), &before), Freshness::AlreadyDone);
    assert!(
        undo.holds(&attached(false), &back.calls, &before)
            && !undo.holds(&attached(false), &back.calls, &attached(false))
    );
    assert!(undo.work_out(&before).unwrap_err().contains("nothing is left"));
    assert!(undo.undo(&attached(false), &back.calls, "INC-1.2".parse().unwrap()).is_err());
    assert_eq!(action.undo(&before, &[], "INC-1.1".parse().unwrap()), Err(NOTHING_TO_UNDO.to_owned()));
    let quarantine = Action::DetachPolicy(DetachPolicy {
        holder: Holder::User("ci".into()),
        policy_arn: "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3".into(),
    });
    assert!(quarantine.work_out(&before).unwrap_err().contains("it stays"));
}
