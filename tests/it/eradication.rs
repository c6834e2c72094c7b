//! What the attacker has made is removed and what they have changed put back: approved like every other change.

use aws_sdk_iam::Client;
use chrono::TimeDelta;
use irp::domain::hunt::{Hunted, Trace};
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::{evolve, fold};
use irp::domain::incident::owed::next_due_at;
use irp::domain::stored::Record;
use irp::domain::trail::deed::Deed;
use irp::domain::trail::footprint::{Made, State};
use irp::ports::AppendError;
use irp_sandbox::aws::Fault;
use serde_json::json;

use crate::world::{ANA, BEN, CHRIS, World};

const CONTAIN: &str = "Contain everything at once";
const REMOVE: &str = "Remove everything at once";
const PROOF: &str = "Containment proof";
const USER: &str = "· Delete user mallory";
const DETACH: &str = "· Detach policy AdministratorAccess from user deploy-bot";
const TRUST: &str = "· Put the trust policy of role app-deploy back";
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What the search through the trail would say.
pub(crate) fn made(kind: &str, id: &str) -> Trace {
    Trace {
        resource_type: format!("AWS::IAM::{kind}"),
        id: id.into(),
        account: "111122223333".parse().ok(),
        region: "us-east-1".into(),
        state: State::Present,
        made_by_attacker: true,
        evidence: vec![format!("event-of-{}", id.rsplit('/').next().unwrap())],
        deeds: Vec::new(),
        made: None,
        newest: None,
        deleted_by_attacker: false,
        in_doubt: None,
    }
}

/// Something that was there before, and what the attacker did to it.
pub(crate) fn changed(kind: &str, id: &str, operation: &str, what: &str, event_id: &str) -> Trace {
    let deed = Deed {
        operation: operation.into(),
        what: what.into(),
        event_id: event_id.into(),
        by_attacker: true,
        made_default: false,
    };
    Trace { state: State::Modified, made_by_attacker: false, deeds: vec![deed], ..made(kind, id) }
}

impl World {
    /// The attacker has got hold of somebody who may do everything.
    pub(crate) fn attacker(&self) -> Client {
        self.account.put_user_policy_directly("release-bot", "release", Some(EVERYTHING));
        Client::new(&self.sdk(&self.account.access_keys("release-bot")[0]))
    }

    /// The search has shown this, and the bot's own does not look again before tomorrow.
    pub(crate) async fn hunted(&self, footprint: Vec<Trace>) {
        self.found(Hunted { footprint, ..Hunted::default() }).await;
    }

    /// The same, of anything that a search can show.
    pub(crate) async fn found(&self, found: Hunted) {
        let id = "INC-1".parse().unwrap();
        loop {
            let mut incident = fold(&self.store.load(id).await.unwrap()).unwrap();
            let (version, now) = (incident.version, self.clock.now());
            let found = Box::new(found.clone());
            let hunted = Record::seal(Some(&incident.head), now, Event::TrailHunted { found });
            let swept = Event::TrailSwept { swept: Box::default() };
            let swept = Record::seal(Some(hunted.hash()), now + TimeDelta::days(1), swept);
            evolve(&mut incident, &hunted);
            evolve(&mut incident, &swept);
            match self.store.append(id, version, &[hunted, swept], next_due_at(&incident)).await {
                Ok(()) => return,
                Err(AppendError::Conflict) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// All that contains is in force, and nobody waits for its proof.
    pub(crate) async fn contained(&self) {
        self.in_force().await;
        self.goes_on_without_proof().await;
    }

    async fn in_force(&self) {
        self.until("containment is offered", |w| w.offers(CONTAIN, "irp.request_all")).await;
        self.click(ANA, CONTAIN, "irp.request_all").await;
        self.until_card(CONTAIN, "waiting for approval").await;
        self.click(BEN, CONTAIN, "irp.approve").await;
        self.until("it is contained", |w| w.card(ANA, "severity, Contained").is_some()).await;
    }

    /// Two people accept that nothing proves yet that the containment holds.
    pub(crate) async fn goes_on_without_proof(&self) {
        self.until("it can be accepted", |w| w.offers(PROOF, "irp.accept_risk")).await;
        for person in [ANA, BEN] {
            let modal = self.form(person, PROOF, "irp.accept_risk").await;
            let before = self.told(person).len();
            let filled = json!({"reason": {"reason": "the shop opens at six"}});
            self.slack.submit_view(person, modal["id"].as_str().unwrap(), &filled).await.unwrap();
            self.next_told(person, before).await;
        }
        self.until_card(PROOF, "the risk is accepted").await;
    }
}

/// A user with all that can hang on one.
async fn makes_mallory(iam: &Client) -> String {
    iam.create_user().user_name("mallory").send().await.unwrap();
    let key = iam.create_access_key().user_name("mallory").send().await.unwrap().access_key.unwrap();
    iam.create_login_profile().user_name("mallory").password("hunter2-hunter2").send().await.unwrap();
    let device = iam.create_virtual_mfa_device().virtual_mfa_device_name("mallory").send().await.unwrap();
    let serial = device.virtual_mfa_device.unwrap().serial_number;
    let enable = iam.enable_mfa_device().user_name("mallory").serial_number(serial);
    enable.authentication_code1("123456").authentication_code2("654321").send().await.unwrap();
    iam.upload_ssh_public_key().user_name("mallory").ssh_public_key_body("ssh-rsa AAAA").send().await.unwrap();
    iam.create_service_specific_credential()
        .user_name("mallory")
        .service_name("bedrock.amazonaws.com")
        .send()
        .await
        .unwrap();
    iam.create_group().group_name("cabal").send().await.unwrap();
    iam.attach_group_policy().group_name("cabal").policy_arn(ADMIN).send().await.unwrap();
    iam.add_user_to_group().group_name("cabal").user_name("mallory").send().await.unwrap();
    iam.put_user_policy().user_name("mallory").policy_name("p").policy_document(EVERYTHING).send().await.unwrap();
    iam.attach_user_policy().user_name("mallory").policy_arn(ADMIN).send().await.unwrap();
    key.access_key_id
}

fn blocks(w: &World, card: &str) -> String {
    w.card(ANA, card).unwrap()["blocks"].to_string()
}

/// All calls of the bot that change something, in order.
fn changes(w: &World) -> Vec<String> {
    let of_bot = |arn: &Option<String>| arn.as_deref().is_some_and(|arn| arn.contains("assumed-role/irp-"));
    let reads = ["Get", "List", "Lookup", "Simulate"];
    let calls = w.account.calls().into_iter().filter(|call| of_bot(&call.caller_arn));
    calls.map(|call| call.operation).filter(|name| !reads.iter().any(|read| name.starts_with(read))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_attackers_goes_with_all_that_hangs_on_it_and_nothing_else_does() {
    let w = World::start().await;
    let attacker = w.attacker();
    let key = makes_mallory(&attacker).await;
    attacker.attach_user_policy().user_name("deploy-bot").policy_arn(ADMIN).send().await.unwrap();
    w.incident().await;
    w.hunted(vec![
        made("User", "mallory"),
        Trace { deeds: changed("AccessKey", &key, "CreateAccessKey", "mallory", "e").deeds, ..made("AccessKey", &key) },
        made("Group", "cabal"),
        changed("User", "deploy-bot", "AttachUserPolicy", ADMIN, "event-9"),
    ])
    .await;
    w.until_card("Eradication", "containment comes first").await;
    assert!(w.card(ANA, USER).is_none(), "containment comes first");
    let early = w.forged_click(ANA, "irp.request", "INC-1 remove.user.mallory").await;
    assert!(early.starts_with(":no_entry:"), "{early}");
    w.in_force().await;
    w.until("two wait", |w| blocks(w, "Eradication").contains("wait until containment is verified")).await;
    assert!(w.says("Eradication", "1 left"), "what was put on others need not wait: {:#?}", w.texts());
    let early = w.forged_click(ANA, "irp.request", "INC-1 remove.user.mallory").await;
    assert!(early.starts_with(":no_entry:") && w.card(ANA, USER).is_none(), "in force is not proven: {early}");
    w.goes_on_without_proof().await;
    w.until_card(REMOVE, "3 steps, not asked for yet").await;
    w.until_card(USER, "not asked for yet").await;
    assert!(blocks(&w, USER).contains("event-of-mallory"), "{}", blocks(&w, USER));

    let before = changes(&w).len();
    w.click(ANA, REMOVE, "irp.request_all").await;
    w.until_card(REMOVE, "waiting for approval").await;
    let card = blocks(&w, REMOVE);
    for part in [
        "iam:DeleteAccessKey",
        &key,
        "iam:DeleteLoginProfile",
        "iam:DeleteVirtualMFADevice",
        "iam:DeleteSSHPublicKey",
        "iam:DeleteServiceSpecificCredential",
        "iam:RemoveUserFromGroup",
        "iam:DeleteUser",
        "group/cabal",
        "Cannot be undone",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(!w.offers(REMOVE, "irp.break_glass"));
    assert!(w.click(ANA, REMOVE, "irp.approve").await.contains("You asked for this yourself"));
    assert_eq!(changes(&w).len(), before);
    w.click(CHRIS, REMOVE, "irp.approve").await;
    w.until_card(REMOVE, "3 of 3 in force").await;
    assert_eq!(
        changes(&w)[before..],
        [
            "DetachUserPolicy",
            "UpdateAccessKey",
            "DeleteAccessKey",
            "DeleteLoginProfile",
            "DeleteServiceSpecificCredential",
            "DeleteSSHPublicKey",
            "DeactivateMFADevice",
            "DeleteVirtualMFADevice",
            "RemoveUserFromGroup",
            "DetachUserPolicy",
            // Theirs, and the deny of the containment.
            "DeleteUserPolicy",
            "DeleteUserPolicy",
            "DeleteUser",
            "RemoveUserFromGroup",
            "DetachGroupPolicy",
            "DeleteGroup",
        ]
    );
    assert_eq!(w.account.user_id("mallory"), None);
    assert!(w.account.user_id("deploy-bot").is_some() && w.account.user_id("release-bot").is_some());
    w.until_card("Eradication", "nothing is left").await;
    let receipt = w.account.calls().into_iter().rev().find(|call| call.operation == "DeleteGroup").unwrap();
    assert!(receipt.caller_arn.unwrap().contains("irp-eradicate/INC-1."), "the session carries the request");
    // What was taken off can be put on again, approved like everything else; what is gone cannot.
    w.until("it can be undone", |w| w.offers(DETACH, "irp.undo")).await;
    assert!(!w.offers(USER, "irp.undo"));
    w.click(ANA, DETACH, "irp.undo").await;
    w.until_card("Undo INC-1.4: Detach", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1.4: Detach", "irp.approve").await;
    w.until_card("Undo INC-1.4: Detach", "carried out and verified").await;
    assert_eq!(changes(&w).last().unwrap(), "AttachUserPolicy");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_under_the_same_name_is_not_what_was_approved() {
    let w = World::start().await;
    makes_mallory(&w.attacker()).await;
    w.incident().await;
    w.hunted(vec![made("User", "mallory")]).await;
    w.contained().await;
    w.until_card(USER, "not asked for yet").await;
    w.click(ANA, USER, "irp.request").await;
    w.until_card(USER, "waiting for approval").await;
    w.account.delete_and_recreate_user("mallory");
    w.click(CHRIS, USER, "irp.approve").await;
    w.until_card(USER, "stale").await;
    assert!(blocks(&w, USER).contains("deleted and made again"), "{}", blocks(&w, USER));
    assert_eq!(w.account.count("DeleteUser"), 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_owner_has_made_anew_under_the_name_before_anybody_asked_is_not_removed() {
    let w = World::start().await;
    makes_mallory(&w.attacker()).await;
    let theirs = Some(Made { unique_id: w.account.user_id("mallory"), at: None });
    w.incident().await;
    w.hunted(vec![Trace { made: theirs, ..made("User", "mallory") }]).await;
    w.contained().await;
    w.until_card(USER, "not asked for yet").await;
    w.account.delete_and_recreate_user("mallory");
    let answer = w.click(ANA, USER, "irp.request").await;
    assert!(answer.contains("is another one") && answer.contains("it stays"), "{answer}");
    assert!(w.account.user_id("mallory").is_some() && w.account.count("DeleteUser") == 0);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gets_the_name_between_two_calls_is_untouched() {
    let w = World::start().await;
    makes_mallory(&w.attacker()).await;
    w.incident().await;
    w.hunted(vec![made("User", "mallory")]).await;
    w.contained().await;
    w.until_card(USER, "not asked for yet").await;
    // Time enough to change what it goes on with, and less than a call may take.
    w.account.fail_next("DeleteLoginProfile", Fault::Late(std::time::Duration::from_secs(5)));
    w.click(ANA, USER, "irp.request").await;
    w.until_card(USER, "waiting for approval").await;
    w.click(CHRIS, USER, "irp.approve").await;
    w.until("the calls are under way", |w| w.account.count("DeleteLoginProfile") == 1).await;
    w.account.delete_and_recreate_user("mallory");
    let theirs = w.account.user_id("mallory");
    let limit = std::time::Duration::from_mins(1);
    // The one that was approved is gone.
    w.until_within(limit, "it is read back", |w| w.says(USER, "carried out and verified")).await;
    assert_eq!((w.account.user_id("mallory"), w.account.count("DeleteUser")), (theirs, 0));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_in_the_middle_says_what_is_left_and_is_finished_by_asking_again() {
    // One that AWS has turned away as one too many breaks nothing off.
    for faults in [[Fault::Throttle, Fault::AccessDenied], [Fault::AccessDenied, Fault::Throttle]] {
        let w = World::start().await;
        makes_mallory(&w.attacker()).await;
        w.incident().await;
        w.hunted(vec![made("User", "mallory")]).await;
        w.contained().await;
        w.until_card(USER, "not asked for yet").await;
        for fault in faults {
            w.account.fail_next("DeleteSSHPublicKey", fault);
        }
        w.click(ANA, USER, "irp.request").await;
        w.until_card(USER, "waiting for approval").await;
        w.click(CHRIS, USER, "irp.approve").await;
        let limit = std::time::Duration::from_mins(1);
        w.until_within(limit, "it says that it failed", |w| w.says(USER, "it failed")).await;
        let card = blocks(&w, USER);
        for part in
            ["4 call(s) were accepted, then iam:DeleteSSHPublicKey", "1 SSH key(s)", "the user itself", "ask again"]
        {
            assert!(card.contains(part), "{part}: {card}");
        }
        assert!(!card.contains("password,"), "what is gone is not left: {card}");
        w.until("it can be asked for again", |w| w.offers(USER, "irp.request")).await;
        w.carry_out(USER, ANA, CHRIS).await;
        assert_eq!(w.account.count("DeleteLoginProfile"), 1, "what is gone is not deleted again");
        assert_eq!(w.account.user_id("mallory"), None);
        w.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_at_the_end_is_read_back() {
    let w = World::start().await;
    makes_mallory(&w.attacker()).await;
    w.incident().await;
    w.hunted(vec![made("User", "mallory")]).await;
    w.contained().await;
    w.until_card(USER, "not asked for yet").await;
    w.account.fail_next("DeleteUser", Fault::HangAfter);
    w.click(ANA, USER, "irp.request").await;
    w.until_card(USER, "waiting for approval").await;
    w.click(CHRIS, USER, "irp.approve").await;
    let limit = std::time::Duration::from_mins(1);
    w.until_within(limit, "it is read back", |w| w.says(USER, "carried out and verified")).await;
    assert_eq!(w.account.count("DeleteUser"), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_a_profile_and_a_policy_of_the_attackers_go_and_a_version_of_another_makes_way() {
    let w = World::start().await;
    let attacker = w.attacker();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}"#;
    attacker.create_role().role_name("backdoor").assume_role_policy_document(trust).send().await.unwrap();
    attacker.create_instance_profile().instance_profile_name("backdoor").send().await.unwrap();
    let add = attacker.add_role_to_instance_profile().instance_profile_name("backdoor").role_name("backdoor");
    add.send().await.unwrap();
    let policy = |name: &str| attacker.create_policy().policy_name(name).policy_document(EVERYTHING).send();
    let loot = policy("loot").await.unwrap().policy.unwrap().arn.unwrap();
    let ops = policy("ops").await.unwrap().policy.unwrap().arn.unwrap();
    attacker.attach_role_policy().role_name("backdoor").policy_arn(&loot).send().await.unwrap();
    attacker.attach_user_policy().user_name("deploy-bot").policy_arn(&loot).send().await.unwrap();
    let version = attacker.create_policy_version().policy_arn(&ops).policy_document(EVERYTHING).set_as_default(true);
    version.send().await.unwrap();
    w.incident().await;
    w.hunted(vec![
        made("Role", "backdoor"),
        made("InstanceProfile", "backdoor"),
        made("ManagedPolicy", &loot),
        changed("ManagedPolicy", &ops, "CreatePolicyVersion", "v2", "event-7"),
    ])
    .await;
    w.contained().await;
    w.until_card(REMOVE, "4 steps, not asked for yet").await;
    let before = changes(&w).len();
    w.click(ANA, REMOVE, "irp.request_all").await;
    w.until_card(REMOVE, "waiting for approval").await;
    w.click(CHRIS, REMOVE, "irp.approve").await;
    w.until_card(REMOVE, "4 of 4 in force").await;
    assert_eq!(
        changes(&w)[before..],
        [
            "SetDefaultPolicyVersion",
            "DeletePolicyVersion",
            "PutRolePolicy",
            "RemoveRoleFromInstanceProfile",
            "DetachRolePolicy",
            "DeleteRolePolicy",
            "DeleteRole",
            "RemoveRoleFromInstanceProfile",
            "DeleteInstanceProfile",
            "DetachUserPolicy",
            "DetachRolePolicy",
            "DeletePolicy",
        ]
    );
    assert_eq!(w.account.role_id("backdoor"), None);
    let ops = attacker.get_policy().policy_arn(&ops).send().await.unwrap().policy.unwrap();
    assert_eq!(ops.default_version_id.as_deref(), Some("v1"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_policy_is_put_back_before_the_roles_sessions_are_revoked_and_can_be_undone() {
    let w = World::start().await;
    let iam = w.attacker();
    let trusting = |principal: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{principal}"}}}}]}}"#
        )
    };
    let update = async |document: &str| {
        iam.update_assume_role_policy().role_name("app-deploy").policy_document(document).send().await.unwrap();
    };
    let before = trusting("arn:aws:iam::111122223333:user/deploy-bot");
    update(&before).await;
    // Opened twice: what the first of the attacker's calls has put is not how it was before.
    for account in ["444455556666", "999988887777"] {
        w.clock.advance(chrono::TimeDelta::minutes(1));
        update(&trusting(account)).await;
    }
    w.clock.advance(chrono::TimeDelta::minutes(20));
    let events = w.trail_of("UpdateAssumeRolePolicy").await;
    assert_eq!(events.len(), 4, "the owner's of another role too, a month ago");
    w.incident().await;
    let opened = |event: &str| changed("Role", "app-deploy", "UpdateAssumeRolePolicy", "", event);
    let deeds = [opened(&events[1]).deeds, opened(&events[0]).deeds].concat();
    w.hunted(vec![Trace { deeds, ..opened(&events[0]) }]).await;
    w.until_card(CONTAIN, "4 steps, not asked for yet").await;
    w.until_card(TRUST, "not asked for yet").await;
    assert!(blocks(&w, TRUST).contains(&events[0]));
    w.click(ANA, CONTAIN, "irp.request_all").await;
    w.until_card(CONTAIN, "waiting for approval").await;
    let card = blocks(&w, CONTAIN);
    assert!(card.contains("999988887777") && card.contains("user/deploy-bot"), "before and after: {card}");
    w.click(BEN, CONTAIN, "irp.approve").await;
    w.until_card(CONTAIN, "4 of 4 in force").await;
    let order: Vec<String> = changes(&w);
    let place = |name: &str| order.iter().position(|call| call == name).unwrap();
    assert!(place("UpdateAssumeRolePolicy") < place("PutRolePolicy"), "{order:?}");
    assert!(w.trust_of("app-deploy").await.contains("deploy-bot"));

    w.until("it can be undone", |w| w.offers(TRUST, "irp.undo")).await;
    w.click(ANA, TRUST, "irp.undo").await;
    w.until_card("Undo INC-1.3: Put the trust", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1.3: Put the trust", "irp.approve").await;
    w.until_card("Undo INC-1.3: Put the trust", "carried out and verified").await;
    assert!(w.trust_of("app-deploy").await.contains("999988887777"));
    w.end().await;
}

/// Three inline policies that the attacker has put on the same user: over one of the owner's, where there was none, and where
/// nobody can say.
#[tokio::test(flavor = "multi_thread")]
async fn an_inline_policy_of_the_owners_is_put_back_and_only_what_was_not_there_is_deleted() {
    const READ: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    let iam = w.attacker();
    let put = async |name: &str, document: &str| {
        let put = iam.put_user_policy().user_name("deploy-bot").policy_name(name).policy_document(document);
        put.send().await.unwrap();
        w.clock.advance(TimeDelta::seconds(1));
    };
    put("app", READ).await;
    put("new", READ).await;
    iam.delete_user_policy().user_name("deploy-bot").policy_name("new").send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(1));
    for name in ["app", "new", "old"] {
        put(name, EVERYTHING).await;
    }
    w.clock.advance(TimeDelta::minutes(6));
    let events = w.trail_of("PutUserPolicy").await;
    let deeds = |name: &str, event: &str| changed("User", "deploy-bot", "PutUserPolicy", name, event).deeds;
    let deeds = [deeds("app", &events[2]), deeds("new", &events[1]), deeds("old", &events[0])].concat();
    w.incident().await;
    w.hunted(vec![Trace { deeds, ..changed("User", "deploy-bot", "-", "-", "-") }]).await;
    let [app, new, old] =
        ["app", "new", "old"].map(|name| format!("· Take back inline policy {name} of user deploy-bot"));
    w.until("all are offered", |w| [&app, &new, &old].iter().all(|card| w.offers(card, "irp.request"))).await;
    w.carry_out(&app, ANA, CHRIS).await;
    w.carry_out(&new, ANA, CHRIS).await;
    assert!(w.account.user_inline_policy("deploy-bot", "app").unwrap().contains("s3:GetObject"), "the owner's");
    assert_eq!(w.account.user_inline_policy("deploy-bot", "new"), None);
    let answer = w.click(ANA, &old, "irp.request").await;
    assert!(answer.contains("does not say whether there was one") && answer.contains("delete-user-policy"), "{answer}");
    assert!(w.account.user_inline_policy("deploy-bot", "old").is_some());
    let made: Vec<String> = changes(&w).into_iter().filter(|call| call.ends_with("UserPolicy")).collect();
    assert_eq!(made, ["PutUserPolicy", "DeleteUserPolicy"]);
    // Undone, it is as the attacker has left it.
    w.until("it can be undone", |w| w.offers(&app, "irp.undo")).await;
    w.click(ANA, &app, "irp.undo").await;
    w.until_card("Undo INC-1.1: Take back", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1.1: Take back", "irp.approve").await;
    w.until_card("Undo INC-1.1: Take back", "carried out and verified").await;
    assert!(!w.account.user_inline_policy("deploy-bot", "app").unwrap().contains("s3:GetObject"));
    w.end().await;
}

impl World {
    pub(crate) async fn trust_of(&self, role: &str) -> String {
        let role = self.attacker().get_role().role_name(role).send().await.unwrap().role.unwrap();
        role.assume_role_policy_document.unwrap()
    }
}
