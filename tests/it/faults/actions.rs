//! Every change of the catalogue, and what can go wrong with its one call.

use std::time::Duration;

use irp_sandbox::aws::{Fault as AwsFault, KeyStatus};

use crate::cases::{Case, Cases};
use crate::identity_center::{CENTER, alert_about};
use crate::organization::ORGANIZATION;
use crate::redis_proxy::Loss;
use crate::world::{ANA, BEN, CHRIS, ORGANISATION, World};

/// A hung call is given up after 8 s and read back for 16 more; a dead process's call is read back after 20.
const LIMIT: Duration = Duration::from_secs(90);
const USER_POLICY: (&str, &str) = ("deploy-bot", "AWSRevokeOlderSessions");
const REGION: &str = "us-east-1";
pub(super) const NOT_KNOWN: &str = "its outcome is not known";
const ROLE_POLICY: (&str, &str) = ("app-deploy", "AWSRevokeOlderSessions");

/// A change, or the undoing of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    DeactivateKey,
    DeletePassword,
    TakeDeviceOff,
    SwitchServiceOff,
    RequireToken,
    RevokeUser,
    RevokeRole,
    DenyUser,
    TakeAccess,
    LeaveGroup,
    DenyInSet,
    UndoUser,
    UndoRole,
    UndoDeny,
    UndoAccess,
    UndoGroup,
    UndoInSet,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Refused,
    LostAndNotDone,
    LostAndDone,
    Repeated,
    DiesBeforeTheRecord,
    UndoneTwice,
}

use Change::{
    DeactivateKey, DeletePassword, DenyInSet, DenyUser, LeaveGroup, RequireToken, RevokeRole, RevokeUser,
    SwitchServiceOff, TakeAccess, TakeDeviceOff, UndoAccess, UndoDeny, UndoGroup, UndoInSet, UndoRole, UndoUser,
};

pub(super) const CHANGES: [Change; 11] = [
    DeactivateKey,
    DeletePassword,
    TakeDeviceOff,
    SwitchServiceOff,
    RequireToken,
    RevokeUser,
    RevokeRole,
    DenyUser,
    UndoUser,
    UndoRole,
    UndoDeny,
];
/// Those of users of IAM Identity Center.
pub(super) const CHANGES_OF_PEOPLE: [Change; 6] = [TakeAccess, LeaveGroup, DenyInSet, UndoAccess, UndoGroup, UndoInSet];
/// The calls of the management account that are only a part of a change: whether the change stands without it, and a call
/// that has to be refused before, so that it comes to this one.
const PARTS: [(Change, &str, bool, Option<&str>); 5] = [
    (DenyUser, "CreatePolicy", false, None),
    // What a broken-off try has left behind is taken up.
    (DenyUser, "UpdatePolicy", false, Some("AttachPolicy")),
    // It is off the account by then.
    (UndoDeny, "DeletePolicy", true, None),
    (DenyInSet, "PutInlinePolicyToPermissionSet", false, None),
    (UndoInSet, "DeleteInlinePolicyFromPermissionSet", false, None),
];
const FAULTS: [Fault; 6] = [
    Fault::Refused,
    Fault::LostAndNotDone,
    Fault::LostAndDone,
    Fault::Repeated,
    Fault::DiesBeforeTheRecord,
    Fault::UndoneTwice,
];

/// The one that the account has had all along.
fn instance(w: &World) -> String {
    w.account.instances(REGION).remove(0)
}

impl Change {
    pub(super) const fn is_undo(self) -> bool {
        matches!(self, UndoUser | UndoRole | UndoDeny | UndoAccess | UndoGroup | UndoInSet)
    }

    const fn is_of_role(self) -> bool {
        matches!(self, RevokeRole | UndoRole)
    }

    /// The user of IAM Identity Center whose session was stolen.
    const fn person(self) -> Option<&'static str> {
        match self {
            TakeAccess | DenyInSet | UndoAccess | UndoInSet => Some("sam.lee"),
            LeaveGroup | UndoGroup => Some("jo.kim"),
            _ => None,
        }
    }

    /// The step's name in buttons.
    fn step(self, w: &World) -> String {
        match self {
            DeactivateKey => format!("deactivate-access-key.{}", w.stolen_key()),
            DeletePassword => "delete-login-profile.deploy-bot".into(),
            TakeDeviceOff => "deactivate-mfa-device.deploy-bot.phone".into(),
            SwitchServiceOff => {
                let (id, _) = w.account.service_credentials(USER_POLICY.0).remove(0);
                format!("deactivate-service-credential.deploy-bot.{id}")
            }
            RequireToken => format!("require-imdsv2.{}", instance(w)),
            RevokeUser | UndoUser => "revoke-user-sessions".into(),
            RevokeRole | UndoRole => "revoke-role-sessions".into(),
            DenyUser | UndoDeny => "deny-by-scp".into(),
            TakeAccess | LeaveGroup | UndoAccess | UndoGroup => "delete-account-assignment".into(),
            DenyInSet | UndoInSet => "deny-in-permission-set".into(),
        }
    }

    const fn call(self) -> &'static str {
        match self {
            DeactivateKey => "UpdateAccessKey",
            DeletePassword => "DeleteLoginProfile",
            TakeDeviceOff => "DeactivateMFADevice",
            SwitchServiceOff => "UpdateServiceSpecificCredential",
            RequireToken => "ModifyInstanceMetadataOptions",
            RevokeUser => "PutUserPolicy",
            RevokeRole => "PutRolePolicy",
            // The policy is made before that: without it, it denies nobody.
            DenyUser => "AttachPolicy",
            UndoUser => "DeleteUserPolicy",
            UndoRole => "DeleteRolePolicy",
            // It is deleted after that.
            UndoDeny => "DetachPolicy",
            TakeAccess => "DeleteAccountAssignment",
            LeaveGroup => "DeleteGroupMembership",
            // Without it no role has what the set says.
            DenyInSet | UndoInSet => "ProvisionPermissionSet",
            UndoAccess => "CreateAccountAssignment",
            UndoGroup => "CreateGroupMembership",
        }
    }

    /// How often that call has been made once it is done: the change that is undone can have made it too.
    fn times(self) -> usize {
        if self == UndoInSet { 2 } else { 1 }
    }

    /// What takes it back.
    const fn undone_by(self) -> Option<Self> {
        match self {
            DeactivateKey | DeletePassword | TakeDeviceOff | SwitchServiceOff | RequireToken => None,
            RevokeUser | UndoUser => Some(UndoUser),
            RevokeRole | UndoRole => Some(UndoRole),
            DenyUser | UndoDeny => Some(UndoDeny),
            TakeAccess | UndoAccess => Some(UndoAccess),
            LeaveGroup | UndoGroup => Some(UndoGroup),
            DenyInSet | UndoInSet => Some(UndoInSet),
        }
    }

    /// The card of the step that it carries out or takes back.
    pub(super) const fn step_card(self) -> &'static str {
        match self {
            DeactivateKey => "· Deactivate access key",
            DeletePassword => "· Delete the console password",
            TakeDeviceOff => "· Take MFA device phone",
            SwitchServiceOff => "· Deactivate service-specific credential",
            RequireToken => "· Require IMDSv2",
            RevokeUser | UndoUser => "· Revoke all sessions minted",
            RevokeRole | UndoRole => "· Revoke all older sessions of role",
            DenyUser | UndoDeny => "· Deny everything to user deploy-bot",
            TakeAccess | UndoAccess | LeaveGroup | UndoGroup => "· Take AdministratorAccess in account",
            DenyInSet | UndoInSet => "· Deny Identity Center user sam.lee",
        }
    }

    /// The card that its request is on.
    pub(super) const fn card(self) -> &'static str {
        if self.is_undo() { "Undo INC-1.1" } else { self.step_card() }
    }

    pub(super) const fn button(self) -> &'static str {
        if self.is_undo() { "irp.undo" } else { "irp.request" }
    }

    pub(super) fn holds(self, w: &World) -> bool {
        match self {
            DeactivateKey => w.account.key_status(&w.stolen_key()) == Some(KeyStatus::Inactive),
            DeletePassword => !w.account.has_password(USER_POLICY.0),
            TakeDeviceOff => w.account.mfa_devices(USER_POLICY.0).is_empty(),
            SwitchServiceOff => w.account.service_credentials(USER_POLICY.0).iter().all(|(_, active)| !active),
            RequireToken => w.account.forged_request_credentials(REGION, &instance(w)).is_none(),
            RevokeUser => w.account.user_inline_policy(USER_POLICY.0, USER_POLICY.1).is_some(),
            RevokeRole => w.account.role_inline_policy(ROLE_POLICY.0, ROLE_POLICY.1).is_some(),
            DenyUser => w.account.service_control_policies().iter().any(|policy| policy.attached),
            TakeAccess => w.account.identity_center_session("sam.lee").is_none(),
            LeaveGroup => w.account.identity_center_session("jo.kim").is_none(),
            DenyInSet => w.account.provisioned_policy().is_some(),
            UndoAccess => !TakeAccess.holds(w),
            UndoGroup => !LeaveGroup.holds(w),
            UndoInSet => !DenyInSet.holds(w),
            UndoUser => !RevokeUser.holds(w),
            UndoRole => !RevokeRole.holds(w),
            UndoDeny => !DenyUser.holds(w),
        }
    }

    /// An incident in which it can be asked for.
    pub(super) async fn ready(self, w: &World) {
        w.slack.set_rate_limits(false);
        if self.is_of_role() {
            w.command(ANA, "/irp open arn:aws:iam::111122223333:role/app-deploy").await;
            w.until("the step is there", |w| w.card(ANA, self.step_card()).is_some()).await;
        } else if let Some(user) = self.person() {
            alert_about(w, user).await;
            w.until_within(LIMIT, "it is offered", |w| w.offers(self.step_card(), "irp.request")).await;
        } else if self == RequireToken {
            let stolen = w.account.forged_request_credentials(REGION, &instance(w)).unwrap();
            aws_sdk_iam::Client::new(&w.sdk(&stolen)).list_roles().send().await.unwrap();
            w.clock.advance(chrono::TimeDelta::minutes(6));
            w.command(ANA, &format!("/irp open {}", stolen.access_key_id)).await;
            w.until_within(LIMIT, "it is offered", |w| w.offers(self.step_card(), self.button())).await;
        } else {
            if matches!(self, DeletePassword | TakeDeviceOff | SwitchServiceOff) {
                let stolen = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys(USER_POLICY.0)[0]));
                match self {
                    DeletePassword => {
                        let set = stolen.create_login_profile().user_name(USER_POLICY.0).password("hunter2-hunter2");
                        drop(set.send().await.unwrap());
                    }
                    SwitchServiceOff => {
                        let make = stolen.create_service_specific_credential().user_name(USER_POLICY.0);
                        drop(make.service_name("codecommit.amazonaws.com").send().await.unwrap());
                    }
                    _ => drop(w.enrols(&stolen, "phone").await),
                }
                // The trail shows it.
                w.clock.advance(chrono::TimeDelta::minutes(6));
            }
            w.incident().await;
            w.until_within(LIMIT, "it is offered", |w| w.offers(self.step_card(), "irp.request")).await;
        }
        if self.is_undo() {
            w.carry_out(self.step_card(), ANA, CHRIS).await;
        }
        assert!(!self.holds(w));
    }

    async fn approve(self, w: &World) {
        w.click(ANA, self.step_card(), self.button()).await;
        w.until_card(self.card(), "waiting for approval").await;
        w.press(CHRIS, self.card(), "irp.approve").await;
    }

    async fn ends(self, w: &World, says: &str, holds: bool) {
        w.until_within(LIMIT, &format!("{self:?}: {says}"), |w| w.says(self.card(), says)).await;
        assert_eq!(w.account.count(self.call()), self.times(), "calls of {}", self.call());
        assert_eq!(self.holds(w), holds, "in AWS");
    }

    async fn ends_well(self, w: &World) {
        self.ends(w, "carried out and verified", true).await;
    }

    /// It failed, or nobody knows; nothing has changed, and it can be asked for again.
    async fn ends_badly(self, w: &World, says: &str) {
        self.ends(w, says, false).await;
        w.until("it can be asked for again", |w| self.is_offered_again(w)).await;
    }

    /// A deny that is out of the permission set and not yet out of the role counts as lost: it is put back before it is
    /// undone.
    fn is_offered_again(self, w: &World) -> bool {
        w.offers(self.step_card(), self.button()) || (self == UndoInSet && w.offers(self.step_card(), "irp.request"))
    }

    async fn is_repeated(self, w: &World) {
        let told = |w: &World| [ANA, BEN, CHRIS].map(|person| w.told(person).len()).iter().sum::<usize>();
        let before = told(w);
        let step = format!("INC-1 {}", self.step(w));
        let asking = [ANA, BEN, ANA, BEN].map(|person| w.forged(person, self.button(), &step));
        futures_util::future::join_all(asking).await;
        w.until_card(self.card(), "waiting for approval").await;
        w.until("each who asked is answered", |w| told(w) == before + 4).await;
        let deliveries = w.slack.deliveries().len();
        let approving = [CHRIS, BEN, CHRIS, BEN, ANA].map(|person| w.press(person, self.card(), "irp.approve"));
        futures_util::future::join_all(approving).await;
        // And Slack delivers the first once more.
        assert_eq!(w.slack.replay(deliveries).await, Ok(200));
        w.until("each who decided is answered, and whose press came twice is told so", |w| told(w) == before + 10)
            .await;
        self.ends_well(w).await;
        let again = w.forged_click(CHRIS, "irp.approve", "INC-1.1 0123456789ab").await;
        assert!(again.starts_with(":no_entry:"), "{again}");
        self.ends_well(w).await;
    }

    async fn is_undone_twice(self, w: &World) {
        w.carry_out_with(self.step_card(), self.button(), self.card()).await;
        let undo = format!("INC-1 {}{}", if self.is_undo() { "undo." } else { "" }, self.step(w));
        let refused = match self {
            DeactivateKey | SwitchServiceOff => "never switched on again",
            DeletePassword => "cannot be put back",
            TakeDeviceOff => "enrols a device anew",
            RevokeUser | RevokeRole | DenyUser | RequireToken | TakeAccess | LeaveGroup | DenyInSet => {
                w.carry_out_with(self.step_card(), "irp.undo", "Undo INC-1.1").await;
                "There is nothing to undo"
            }
            UndoUser | UndoRole | UndoDeny | UndoInSet => "Ask for the containment step again instead",
            UndoAccess | UndoGroup => "Ask for the step itself again instead",
        };
        for _ in 0..2 {
            let answer = w.forged_click(ANA, "irp.undo", &undo).await;
            assert!(answer.contains(refused), "{answer}");
        }
        let undone =
            matches!(self, RevokeUser | RevokeRole | DenyUser | RequireToken | TakeAccess | LeaveGroup | DenyInSet);
        // One call switches it on and off.
        let both = matches!(self, RequireToken | DenyInSet | UndoInSet);
        assert_eq!(w.account.count(self.call()), if both { 2 } else { 1 });
        assert_eq!(self.holds(w), !undone);
        for undo in [UndoUser, UndoRole, UndoDeny, UndoAccess, UndoGroup] {
            let expected = usize::from(self.undone_by() == Some(undo));
            assert_eq!(w.account.count(undo.call()), expected, "{}", undo.call());
        }
    }
}

impl World {
    /// One asks with this button, another approves on this card, and it is done.
    async fn carry_out_with(&self, step: &str, button: &str, card: &str) {
        self.click(ANA, step, button).await;
        self.until_card(card, "waiting for approval").await;
        self.click(CHRIS, card, "irp.approve").await;
        self.until_card(card, "carried out and verified").await;
    }
}

async fn goes_wrong(mut case: Case, change: Change, fault: Fault) {
    case.rules(&format!("{ORGANISATION}{ORGANIZATION}{CENTER}"));
    let program = case.program().await;
    change.ready(&case.w).await;
    let w = &case.w;
    match fault {
        Fault::Refused => {
            w.account.fail_next(change.call(), AwsFault::AccessDenied);
            change.approve(w).await;
            change.ends_badly(w, "it failed").await;
        }
        Fault::LostAndNotDone => {
            w.account.fail_next(change.call(), AwsFault::HangBefore);
            change.approve(w).await;
            case.only_waits();
            change.ends_badly(w, NOT_KNOWN).await;
        }
        Fault::LostAndDone => {
            w.account.fail_next(change.call(), AwsFault::HangAfter);
            change.approve(w).await;
            case.only_waits();
            change.ends_well(w).await;
        }
        Fault::Repeated => change.is_repeated(w).await,
        Fault::DiesBeforeTheRecord => {
            case.proxy.lose("\"CallAnswered\"", Loss::Command);
            change.approve(w).await;
            case.until_met(1).await;
            drop(program);
            assert_eq!(case.w.account.count(change.call()), change.times(), "the call was made");
            let _second = case.program().await;
            case.only_waits();
            change.ends_well(&case.w).await;
            case.w.nothing_is_left().await;
            return;
        }
        Fault::UndoneTwice => change.is_undone_twice(w).await,
    }
    w.nothing_is_left().await;
}

/// A fault in one call of several. What fails is asked for again, and done.
async fn goes_wrong_in_part(mut case: Case, part: (Change, &'static str, bool, Option<&'static str>), fault: AwsFault) {
    let (change, call, stands, before) = part;
    case.rules(&format!("{ORGANISATION}{ORGANIZATION}{CENTER}"));
    let _program = case.program().await;
    change.ready(&case.w).await;
    let w = &case.w;
    if let Some(before) = before {
        w.account.fail_next(before, AwsFault::AccessDenied);
        change.approve(w).await;
        w.until_within(LIMIT, "it fails", |w| w.says(change.card(), "it failed")).await;
        w.until("it can be asked for again", |w| w.offers(change.step_card(), change.button())).await;
    }
    w.account.fail_next(call, fault);
    change.approve(w).await;
    let says = match fault {
        _ if stands => "carried out and verified",
        AwsFault::AccessDenied => "it failed",
        _ => NOT_KNOWN,
    };
    w.until_within(LIMIT, &format!("{change:?} without {call}: {says}"), |w| w.says(change.card(), says)).await;
    assert_eq!(w.account.count(call), 1, "{call}");
    assert_eq!(change.holds(w), stands, "{call}");
    if !stands {
        w.until("it can be asked for again", |w| change.is_offered_again(w)).await;
        if w.offers(change.step_card(), change.button()) {
            w.carry_out_with(change.step_card(), change.button(), change.card()).await;
            assert!(change.holds(w), "{call}");
        } else {
            w.carry_out(change.step_card(), ANA, CHRIS).await;
            assert!(DenyInSet.holds(w) && w.account.permission_set_policy().is_some(), "{call}");
        }
    }
    w.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_in_the_management_account_the_card_says_how_it_stands() {
    let mut cases = Cases::start().await;
    for fault in FAULTS {
        for change in CHANGES_OF_PEOPLE {
            cases.add(format!("{change:?}, {fault:?}"), move |case| goes_wrong(case, change, fault));
        }
    }
    for fault in [AwsFault::AccessDenied, AwsFault::HangBefore, AwsFault::HangAfter] {
        for part in PARTS {
            cases.add(format!("{}, {fault:?}", part.1), move |case| goes_wrong_in_part(case, part, fault));
        }
    }
    cases.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_a_change_it_is_called_once_and_the_card_says_how_it_stands() {
    let mut cases = Cases::start().await;
    for fault in FAULTS {
        for change in CHANGES {
            cases.add(format!("{change:?}, {fault:?}"), move |case| goes_wrong(case, change, fault));
        }
    }
    cases.end().await;
}
