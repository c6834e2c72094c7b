//! Every removal and every putting back, and what can go wrong with its last call.

use std::time::Duration;

use aws_sdk_iam::Client;
use chrono::TimeDelta;
use futures_util::future::join_all;
use irp::domain::hunt::Trace;
use irp_sandbox::aws::Fault;

use super::actions::NOT_KNOWN;
use super::table::{asked_for_many_times, over, server, undone_many_times};
use crate::eradication::{changed, made};
use crate::world::{ANA, CHRIS, World};

/// A hung call is given up after 8 s and read back for 16 more.
const LIMIT: Duration = Duration::from_mins(2);
/// Worlds at once: each is a bot, a workspace and an account.
const AT_ONCE: usize = 6;
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}"#;
const POLICY: &str = "arn:aws:iam::111122223333:policy/p";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Removal {
    User,
    AccessKey,
    Role,
    InstanceProfile,
    Group,
    Policy,
    PolicyVersion,
    DefaultVersion,
    Attachment,
    InlinePolicy,
    Membership,
}

pub(super) const REMOVALS: [Removal; 11] = [
    Removal::User,
    Removal::AccessKey,
    Removal::Role,
    Removal::InstanceProfile,
    Removal::Group,
    Removal::Policy,
    Removal::PolicyVersion,
    Removal::DefaultVersion,
    Removal::Attachment,
    Removal::InlinePolicy,
    Removal::Membership,
];

impl Removal {
    /// The attacker makes it; what the search says of it.
    async fn is_made(self, w: &World, iam: &Client) -> Trace {
        match self {
            Self::User => {
                iam.create_user().user_name("m").send().await.unwrap();
                iam.create_access_key().user_name("m").send().await.unwrap();
                made("User", "m")
            }
            Self::AccessKey => {
                iam.create_user().user_name("victim").send().await.unwrap();
                let made_key = iam.create_access_key().user_name("victim").send().await.unwrap().access_key.unwrap();
                let by = changed("AccessKey", &made_key.access_key_id, "CreateAccessKey", "victim", "e");
                Trace { deeds: by.deeds, ..made("AccessKey", &made_key.access_key_id) }
            }
            Self::Role => {
                iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
                iam.attach_role_policy().role_name("r").policy_arn(ADMIN).send().await.unwrap();
                made("Role", "r")
            }
            Self::InstanceProfile => {
                iam.create_instance_profile().instance_profile_name("ip").send().await.unwrap();
                made("InstanceProfile", "ip")
            }
            Self::Group => {
                iam.create_group().group_name("g").send().await.unwrap();
                iam.add_user_to_group().group_name("g").user_name("deploy-bot").send().await.unwrap();
                made("Group", "g")
            }
            Self::Policy | Self::PolicyVersion => {
                iam.create_policy().policy_name("p").policy_document(ALLOW).send().await.unwrap();
                if self == Self::Policy {
                    return made("ManagedPolicy", POLICY);
                }
                let version =
                    iam.create_policy_version().policy_arn(POLICY).policy_document(ALLOW).set_as_default(true);
                version.send().await.unwrap();
                changed("ManagedPolicy", POLICY, "CreatePolicyVersion", "v2", "e")
            }
            Self::DefaultVersion => {
                iam.create_policy().policy_name("p").policy_document(ALLOW).send().await.unwrap();
                w.clock.advance(TimeDelta::seconds(1));
                let version =
                    iam.create_policy_version().policy_arn(POLICY).policy_document(ALLOW).set_as_default(true);
                version.send().await.unwrap();
                w.clock.advance(TimeDelta::seconds(1));
                iam.set_default_policy_version().policy_arn(POLICY).version_id("v1").send().await.unwrap();
                // Until then the history can lack a call from before the attacker's.
                w.clock.advance(TimeDelta::minutes(20));
                let set = "SetDefaultPolicyVersion";
                changed("ManagedPolicy", POLICY, set, "v1", &w.trail_of(set).await[0])
            }
            Self::Attachment => {
                iam.attach_user_policy().user_name("deploy-bot").policy_arn(ADMIN).send().await.unwrap();
                changed("User", "deploy-bot", "AttachUserPolicy", ADMIN, "e")
            }
            Self::InlinePolicy => {
                let put = || iam.put_role_policy().role_name("app-deploy").policy_name("door").policy_document(ALLOW);
                // The event history shows that there was none.
                put().send().await.unwrap();
                iam.delete_role_policy().role_name("app-deploy").policy_name("door").send().await.unwrap();
                w.clock.advance(TimeDelta::seconds(1));
                put().send().await.unwrap();
                w.clock.advance(TimeDelta::minutes(6));
                changed("Role", "app-deploy", "PutRolePolicy", "door", &w.trail_of("PutRolePolicy").await[0])
            }
            Self::Membership => {
                iam.create_group().group_name("admins").send().await.unwrap();
                iam.add_user_to_group().group_name("admins").user_name("deploy-bot").send().await.unwrap();
                changed("Group", "admins", "AddUserToGroup", "deploy-bot", "e")
            }
        }
    }

    /// An incident in which it can be asked for; the attacker.
    pub(super) async fn is_ready(self, w: &World) -> Client {
        w.slack.set_rate_limits(false);
        let iam = w.attacker();
        let trace = self.is_made(w, &iam).await;
        w.incident().await;
        w.hunted(vec![trace]).await;
        w.contained().await;
        let (card, _) = self.card_and_call();
        w.until_within(LIMIT, &format!("{self:?} is offered"), |w| w.offers(card, "irp.request")).await;
        iam
    }

    /// The words of its card, and its last call.
    pub(super) const fn card_and_call(self) -> (&'static str, &'static str) {
        match self {
            Self::User => ("· Delete user m", "DeleteUser"),
            Self::AccessKey => ("· Delete access key", "DeleteAccessKey"),
            Self::Role => ("· Delete role r", "DeleteRole"),
            Self::InstanceProfile => ("· Delete instance profile ip", "DeleteInstanceProfile"),
            Self::Group => ("· Delete group g", "DeleteGroup"),
            Self::Policy => ("· Delete policy p", "DeletePolicy"),
            Self::PolicyVersion => ("· Put policy p back", "DeletePolicyVersion"),
            Self::DefaultVersion => ("· Put the version of policy p back", "SetDefaultPolicyVersion"),
            Self::Attachment => ("· Detach policy", "DetachUserPolicy"),
            Self::InlinePolicy => ("· Take back inline policy door", "DeleteRolePolicy"),
            Self::Membership => ("· Take user deploy-bot out", "RemoveUserFromGroup"),
        }
    }

    pub(super) async fn is_gone(self, w: &World, iam: &Client) -> bool {
        match self {
            Self::User => w.account.user_id("m").is_none(),
            Self::AccessKey => w.account.access_keys("victim").is_empty(),
            Self::Role => w.account.role_id("r").is_none(),
            Self::InstanceProfile => iam.get_instance_profile().instance_profile_name("ip").send().await.is_err(),
            Self::Group => iam.get_group().group_name("g").send().await.is_err(),
            Self::Policy => iam.get_policy().policy_arn(POLICY).send().await.is_err(),
            Self::PolicyVersion => iam.get_policy_version().policy_arn(POLICY).version_id("v2").send().await.is_err(),
            Self::DefaultVersion => {
                let found = iam.get_policy().policy_arn(POLICY).send().await.unwrap().policy.unwrap();
                found.default_version_id() == Some("v2")
            }
            Self::Attachment => {
                let listed = iam.list_attached_user_policies().user_name("deploy-bot").send().await.unwrap();
                listed.attached_policies().is_empty()
            }
            Self::InlinePolicy => w.account.role_inline_policy("app-deploy", "door").is_none(),
            Self::Membership => {
                let listed = iam.list_groups_for_user().user_name("deploy-bot").send().await.unwrap();
                listed.groups().is_empty()
            }
        }
    }
}

async fn goes_wrong(w: World, removal: Removal, fault: Fault) {
    let iam = removal.is_ready(&w).await;
    let (card, call) = removal.card_and_call();
    let before = w.account.count(call);
    w.account.fail_next(call, fault);
    w.click(ANA, card, "irp.request").await;
    w.until_card(card, "waiting for approval").await;
    w.click(CHRIS, card, "irp.approve").await;
    let done = matches!(fault, Fault::DropAfter);
    let says = match fault {
        _ if done => "carried out and verified",
        Fault::AccessDenied => "it failed",
        _ => NOT_KNOWN,
    };
    w.until_within(LIMIT, &format!("{removal:?}, {fault:?}: {says}"), |w| w.says(card, says)).await;
    assert_eq!(w.account.count(call), before + 1, "{removal:?}, {fault:?}: calls of {call}");
    assert_eq!(removal.is_gone(&w, &iam).await, done, "{removal:?}, {fault:?}: in AWS");
    if !done {
        // What has gone wrong is asked for again, over what is left, and finished: once, whoever presses what.
        w.until_within(LIMIT, "it can be asked for again", |w| w.offers(card, "irp.request")).await;
        let refused = matches!(fault, Fault::AccessDenied);
        if refused {
            asked_for_many_times(&w, (card, call)).await;
        } else {
            w.click(ANA, card, "irp.request").await;
            w.until_card(card, "waiting for approval").await;
            w.click(CHRIS, card, "irp.approve").await;
            w.until_within(LIMIT, "it is finished", |w| w.says(card, "carried out and verified")).await;
        }
        assert!(removal.is_gone(&w, &iam).await, "{removal:?}, {fault:?}: in AWS at last");
        if refused {
            undone_many_times(&w, card).await;
        }
    }
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_a_removal_the_card_says_how_it_stands_and_it_can_be_finished() {
    let cases = [Fault::AccessDenied, Fault::HangBefore, Fault::DropAfter];
    let cases: Vec<_> = cases.iter().flat_map(|fault| REMOVALS.map(|removal| (removal, *fault))).enumerate().collect();
    let server = &server(cases.len());
    for some in cases.chunks(AT_ONCE) {
        join_all(some.iter().map(|(database, (removal, fault))| async move {
            goes_wrong(over(server, *database).await, *removal, *fault).await;
        }))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_iam_has_not_heard_of_yet_is_tried_again_and_what_it_says_at_last_is_told() {
    let tried = async |times: usize, says: &str| {
        let w = World::start().await;
        let iam = Removal::Role.is_ready(&w).await;
        let (card, call) = Removal::Role.card_and_call();
        (0..times).for_each(|_| w.account.fail_next(call, Fault::Conflict("DeleteConflict")));
        w.click(ANA, card, "irp.request").await;
        w.until_card(card, "waiting for approval").await;
        w.click(CHRIS, card, "irp.approve").await;
        w.until_within(LIMIT, says, |w| w.says(card, says)).await;
        let is_gone = Removal::Role.is_gone(&w, &iam).await;
        let (calls, text) = (w.account.count(call), w.card(ANA, card).unwrap()["blocks"].to_string());
        w.end().await;
        (calls, is_gone, text)
    };
    let (some, endless) = tokio::join!(tried(3, "carried out and verified"), tried(1_000, "it failed"));
    assert_eq!((some.0, some.1), (4, true), "{}", some.2);
    assert!((5..50).contains(&endless.0) && !endless.1, "longer and longer waits: {} calls", endless.0);
    assert!(endless.2.contains("DeleteConflict") && !endless.2.contains("NotTaken"), "{}", endless.2);
}
