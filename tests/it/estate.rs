//! What the attacker runs is ended, the doors they opened are closed, and what they switched off watches again.

use std::time::Duration;

use aws_sdk_ec2::types as ec2;
use aws_sdk_lambda::types as lambda;
use aws_smithy_types::base64;
use chrono::TimeDelta;
use irp::domain::hunt::Trace;
use irp::domain::incident::event::Event;
use irp::domain::trail::deed::Deed;
use irp::domain::trail::footprint::State;
use irp_sandbox::aws::{Fault, KeyPair};
use serde_json::Value;

use crate::eradication;
use crate::world::{ANA, CHRIS, World};

const HOME: &str = "us-east-1";
const FAR: &str = "us-west-2";
const REMOVE: &str = "Remove everything at once";
/// What an instance does when it starts, with a password in it.
const USER_DATA: &str = "#!/bin/sh\nDB_PASSWORD=hunter2 /opt/miner\n";
const ATTACKER: &str = "198.51.100.77/32";
const PARTNER: &str = "777788889999";
pub(crate) const THIEF: &str = "444455556666";
/// A zip without a file in it.
const ZIP: [u8; 22] = [b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What the search through the trail would say.
pub(crate) fn made(kind: &str, id: &str, region: &str) -> Trace {
    Trace {
        resource_type: format!("AWS::{kind}"),
        id: id.into(),
        account: "111122223333".parse().ok(),
        region: region.into(),
        state: State::Present,
        made_by_attacker: true,
        evidence: vec![format!("event-of-{id}")],
        deeds: Vec::new(),
        made: None,
        newest: None,
        deleted_by_attacker: false,
        in_doubt: None,
    }
}

/// Something that was there before and that the attacker has changed with this call.
pub(crate) fn changed(kind: &str, id: &str, operation: &str, event_id: &str) -> Trace {
    let what = if operation == "UpdateDetector" { "false" } else { "" };
    let deeds = eradication::changed(kind, id, operation, what, event_id).deeds;
    Trace { state: State::Modified, made_by_attacker: false, deeds, ..made(kind, id, HOME) }
}

/// Somebody who may do everything, in one Region.
pub(crate) struct Hands<'w> {
    w: &'w World,
    keys: KeyPair,
}

impl Hands<'_> {
    pub(crate) fn account_clock(&self) -> &irp_sandbox::clock::Clock {
        &self.w.clock
    }

    pub(crate) fn account(&self) -> &irp_sandbox::aws::Account {
        &self.w.account
    }

    pub(crate) fn config(&self, region: &'static str) -> aws_config::SdkConfig {
        self.w.sdk(&self.keys).to_builder().region(aws_config::Region::from_static(region)).build()
    }

    pub(crate) fn ec2(&self, region: &'static str) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.config(region))
    }

    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config(HOME))
    }

    pub(crate) async fn runs_an_instance(&self, protected: bool) -> String {
        let profile = ec2::IamInstanceProfileSpecification::builder().name("batch-worker").build();
        let ran = self.ec2(FAR).run_instances().image_id("ami-1").instance_type(ec2::InstanceType::C54xlarge);
        let ran = ran.min_count(1).max_count(1).iam_instance_profile(profile).disable_api_termination(protected);
        let ran = ran.user_data(base64::encode(USER_DATA));
        let ran = ran.send().await.unwrap();
        self.w.clock.advance(TimeDelta::seconds(6));
        ran.instances()[0].instance_id().unwrap().to_owned()
    }

    pub(crate) async fn makes_a_function(&self) {
        let client = self.lambda();
        let code = lambda::FunctionCode::builder().zip_file(aws_sdk_lambda::primitives::Blob::new(ZIP)).build();
        let role = "arn:aws:iam::111122223333:role/app-deploy";
        let made = client.create_function().function_name("sync").role(role).handler("m.f").code(code);
        made.runtime(lambda::Runtime::Python312).send().await.unwrap();
        let none = lambda::FunctionUrlAuthType::None;
        client.create_function_url_config().function_name("sync").auth_type(none).send().await.unwrap();
        let queue = "arn:aws:sqs:us-east-1:111122223333:orders";
        client.create_event_source_mapping().function_name("sync").event_source_arn(queue).send().await.unwrap();
        self.w.clock.advance(TimeDelta::seconds(3));
    }

    /// A function that gets what stands in a queue; the mapping's UUID.
    pub(crate) async fn feeds_a_function(&self) -> String {
        self.makes_a_function().await;
        let listed = self.lambda().list_event_source_mappings().function_name("sync").send().await.unwrap();
        listed.event_source_mappings()[0].uuid().unwrap().to_owned()
    }

    pub(crate) async fn makes_a_key_pair(&self) {
        let key = aws_sdk_ec2::primitives::Blob::new("ssh-ed25519 AAAA k");
        self.ec2(FAR).import_key_pair().key_name("k").public_key_material(key).send().await.unwrap();
    }

    /// Opens SSH to the attacker's address; the group and the event.
    pub(crate) async fn opens_a_group(&self) -> (String, String) {
        let group = self.w.account.security_group(HOME, "default").unwrap();
        let from = ec2::IpRange::builder().cidr_ip(ATTACKER).build();
        let ssh = ec2::IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(from).build();
        let opened = self.ec2(HOME).authorize_security_group_ingress().group_id(&group).ip_permissions(ssh);
        opened.send().await.unwrap();
        (group, self.event("AuthorizeSecurityGroupIngress").await)
    }

    /// Lets the group's machines out to the attacker's address; the group and the event.
    pub(crate) async fn opens_a_group_outwards(&self) -> (String, String) {
        let group = self.w.account.security_group(HOME, "default").unwrap();
        let to = ec2::IpRange::builder().cidr_ip(ATTACKER).build();
        let tls = ec2::IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443).ip_ranges(to).build();
        let opened = self.ec2(HOME).authorize_security_group_egress().group_id(&group).ip_permissions(tls);
        opened.send().await.unwrap();
        (group, self.event("AuthorizeSecurityGroupEgress").await)
    }

    async fn lets_use(&self, snapshot: &str, account: &str) {
        let who = ec2::CreateVolumePermission::builder().user_id(account).build();
        let change = ec2::CreateVolumePermissionModifications::builder().add(who).build();
        let shared = self.ec2(HOME).modify_snapshot_attribute().snapshot_id(snapshot).create_volume_permission(change);
        shared.send().await.unwrap();
    }

    /// Gives a snapshot that a partner may use to the attacker too; the snapshot and the event.
    pub(crate) async fn shares_a_snapshot(&self) -> (String, String) {
        let (snapshot, _) = self.w.account.snapshots(HOME).into_iter().next().unwrap();
        self.lets_use(&snapshot, PARTNER).await;
        self.w.clock.advance(TimeDelta::minutes(1));
        self.lets_use(&snapshot, THIEF).await;
        (snapshot, self.event("ModifySnapshotAttribute").await)
    }

    /// Lets another account take a role that somebody else has set up before; the event.
    pub(crate) async fn opens_a_role(&self, role: &str) -> String {
        let iam = aws_sdk_iam::Client::new(&self.config(HOME));
        for principal in ["arn:aws:iam::111122223333:user/deploy-bot", THIEF] {
            let trust = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{principal}"}}}}]}}"#
            );
            iam.update_assume_role_policy().role_name(role).policy_document(trust).send().await.unwrap();
            self.w.clock.advance(TimeDelta::minutes(1));
        }
        self.event("UpdateAssumeRolePolicy").await
    }

    pub(crate) async fn stops_the_trail(&self) {
        let trails = aws_sdk_cloudtrail::Client::new(&self.config(HOME));
        trails.stop_logging().name("management-events").send().await.unwrap();
    }

    pub(crate) async fn suspends_the_detector(&self) -> String {
        let detector = self.w.account.detector_id(HOME).unwrap();
        let detectors = aws_sdk_guardduty::Client::new(&self.config(HOME));
        detectors.update_detector().detector_id(&detector).enable(false).send().await.unwrap();
        detector
    }

    pub(crate) fn waits(&self, seconds: i64) {
        self.w.clock.advance(TimeDelta::seconds(seconds));
    }

    /// The newest event of a name, once the history shows it.
    pub(crate) async fn event(&self, name: &str) -> String {
        self.w.clock.advance(TimeDelta::minutes(6));
        self.w.trail_of(name).await.swap_remove(0)
    }
}

impl World {
    pub(crate) fn hands(&self) -> Hands<'_> {
        _ = self.attacker();
        Hands { w: self, keys: self.account.access_keys("release-bot").remove(0) }
    }

    /// Ids of the events of this name in the history, newest first.
    pub(crate) async fn trail_of(&self, name: &str) -> Vec<String> {
        use aws_sdk_cloudtrail::error::ProvideErrorMetadata as _;
        use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
        let client = aws_sdk_cloudtrail::Client::new(&self.sdk(&self.account.access_keys("release-bot")[0]));
        let named = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventName).attribute_value(name);
        let asked = client.lookup_events().lookup_attributes(named.build().unwrap());
        // The bot asks in the same account and Region, and leaves of two requests a second hardly one.
        let events = loop {
            match asked.clone().send().await {
                Ok(events) => break events,
                Err(error) if error.code() == Some("ThrottlingException") => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        events.events.unwrap_or_default().into_iter().filter_map(|event| event.event_id).collect()
    }

    pub(crate) async fn carried_out_again(&self, card: &str) {
        self.until(&format!("{card} is offered"), |w| w.offers(card, "irp.request")).await;
        self.carry_out(card, ANA, CHRIS).await;
    }

    pub(crate) fn blocks(&self, card: &str) -> String {
        self.card(ANA, card).unwrap()["blocks"].to_string()
    }
}

/// The bot's own calls in EC2 and Lambda that could change something, in order.
fn sent(w: &World) -> Vec<String> {
    let of_bot = |arn: &Option<String>| arn.as_deref().is_some_and(|arn| arn.contains("assumed-role/irp-eradicate"));
    w.account.calls().into_iter().filter(|call| of_bot(&call.caller_arn)).map(|call| call.operation).collect()
}

/// The same without those that were only rehearsed.
pub(crate) fn changes(w: &World) -> Vec<String> {
    sent(w).into_iter().filter(|operation| !is_rehearsal(operation)).collect()
}

/// Whether a call has only asked whether it would work.
pub(crate) fn is_rehearsal(operation: &str) -> bool {
    operation.starts_with("DryRun.")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_attacker_runs_is_kept_as_evidence_and_ended() {
    let w = World::start().await;
    let attacker = w.hands();
    let instance = attacker.runs_an_instance(true).await;
    let on = ec2::AttributeBooleanValue::builder().value(true).build();
    let kept_running = attacker.ec2(FAR).modify_instance_attribute().instance_id(&instance).disable_api_stop(on);
    kept_running.send().await.unwrap();
    attacker.makes_a_function().await;
    attacker.makes_a_key_pair().await;
    w.incident().await;
    w.hunted(vec![
        made("EC2::Instance", &instance, FAR),
        made("Lambda::Function", "sync", HOME),
        made("Lambda::Url", "sync", HOME),
        made("EC2::KeyPair", "k", FAR),
    ])
    .await;
    w.until_card("Eradication", "containment comes first").await;
    w.contained().await;
    w.until_card(REMOVE, "3 steps, not asked for yet").await;
    w.click(ANA, REMOVE, "irp.request_all").await;
    w.until_card(REMOVE, "waiting for approval").await;
    let card = w.blocks(REMOVE);
    for part in ["ec2:CreateSnapshot", "ec2:TerminateInstances", "lambda:DeleteFunctionUrlConfig", "us-west-2"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(!w.offers(REMOVE, "irp.break_glass"));
    w.click(CHRIS, REMOVE, "irp.approve").await;
    w.until_card(REMOVE, "3 of 3 in force").await;
    let mut done = changes(&w);
    done.sort();
    assert_eq!(
        done,
        [
            "CreateSnapshot",
            "DeleteEventSourceMapping",
            "DeleteFunction",
            "DeleteFunctionUrlConfig",
            "DeleteKeyPair",
            "ModifyInstanceAttribute",
            "ModifyInstanceAttribute",
            "TerminateInstances",
        ]
    );
    assert!(matches!(w.account.instance_state(FAR, &instance), Some("shutting-down" | "terminated")));
    assert!(!w.account.has_function(HOME, "sync"));
    assert!(w.account.key_pairs(FAR).is_empty());
    assert_eq!(w.account.key_pairs(HOME), ["ops"], "the owner's stays");
    let tagged = ec2::Filter::builder().name("tag:irp-incident").values("INC-1").build();
    let kept = attacker.ec2(FAR).describe_snapshots().owner_ids("self").filters(tagged).send().await.unwrap();
    assert_eq!(kept.snapshots().len(), 1);
    // What is in its user data shows in the vault and nowhere else.
    let log: String =
        w.store.load("INC-1".parse().unwrap()).await.unwrap().iter().map(|r| r.text().to_owned()).collect();
    for text in [USER_DATA, "hunter2", &base64::encode(USER_DATA)[..20]] {
        assert!(!log.contains(text) && !w.blocks(REMOVE).contains(text), "{text}");
    }
    assert!(log.contains(&format!("sha256:{}", irp::view::pack::hash(USER_DATA.as_bytes()))));
    let packs = std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap().map(|entry| entry.unwrap().path());
    let of_it = |pack: &std::path::PathBuf| pack.to_str().is_some_and(|path| path.contains(&instance));
    let pack = packs.into_iter().find(of_it).expect("it is kept");
    assert_eq!(std::fs::read_to_string(pack.join("user-data")).unwrap(), USER_DATA);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_end_an_instance_changes_nothing_before() {
    const END: &str = "· Terminate instance";
    const DRY: &str = "DryRun.TerminateInstances";
    let deny =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:TerminateInstances","Resource":"*"}]}"#;
    let w = World::start().await;
    let instance = w.hands().runs_an_instance(true).await;
    w.incident().await;
    w.hunted(vec![made("EC2::Instance", &instance, FAR)]).await;
    w.account.put_role_policy_directly("irp-eradicate", "deny", Some(deny));
    let approved = async || {
        w.until("it is offered", |w| w.offers(END, "irp.request")).await;
        w.click(ANA, END, "irp.request").await;
        w.until_card(END, "waiting for approval").await;
        w.click(CHRIS, END, "irp.approve").await;
    };
    approved().await;
    w.until_card(END, "it failed").await;
    let card = w.blocks(END);
    assert!(card.contains("UnauthorizedOperation") && card.contains("a dry run of ec2:TerminateInstances"), "{card}");
    assert_eq!(sent(&w), [DRY], "no snapshot, and the protection stays");
    assert_eq!(w.account.instance_state(FAR, &instance), Some("running"));

    // One that gets no answer says nothing of the calls, and stops none.
    w.account.put_role_policy_directly("irp-eradicate", "deny", None);
    w.account.fail_next(DRY, Fault::InternalError);
    approved().await;
    w.until_card(END, "carried out and verified").await;
    let done = [DRY, DRY, "CreateSnapshot", "ModifyInstanceAttribute", "TerminateInstances"];
    assert_eq!(sent(&w), done);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doors_are_closed_for_the_attacker_alone_and_can_be_opened_again() {
    let w = World::start().await;
    let attacker = w.hands();
    let (group, opened) = attacker.opens_a_group().await;
    let (_, let_out) = attacker.opens_a_group_outwards().await;
    let (snapshot, shared) = attacker.shares_a_snapshot().await;
    w.incident().await;
    let mut of_group = changed("EC2::SecurityGroup", &group, "AuthorizeSecurityGroupIngress", &opened);
    of_group.deeds.extend(changed("EC2::SecurityGroup", &group, "AuthorizeSecurityGroupEgress", &let_out).deeds);
    w.hunted(vec![of_group, changed("EC2::Snapshot", &snapshot, "ModifySnapshotAttribute", &shared)]).await;
    // Closing a door need not wait for containment.
    let close = "· Close what the attacker opened in";
    w.carried_out_again(close).await;
    assert_eq!(w.account.ingress(HOME, &group), ["203.0.113.0/24"], "the office's rule stays");
    let everywhere = "0.0.0.0/0".to_owned();
    assert_eq!(w.account.egress(HOME, &group), [everywhere.clone(), ATTACKER.to_owned()]);
    w.carried_out_again("· Close what the attacker opened for what goes out").await;
    assert_eq!(w.account.egress(HOME, &group), [everywhere], "what everybody has stays");
    w.carried_out_again("· Take snapshot").await;
    let with = |w: &World| w.account.snapshots(HOME).into_iter().find(|(id, _)| *id == snapshot).unwrap().1;
    assert_eq!(with(&w).into_iter().collect::<Vec<_>>(), [PARTNER], "the partner's permission stays");

    w.click(ANA, close, "irp.undo").await;
    w.until_card("Undo INC-1.1: Close", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1.1: Close", "irp.approve").await;
    w.until_card("Undo INC-1.1: Close what the attacker opened in", "carried out and verified").await;
    assert!(w.account.ingress(HOME, &group).contains(&ATTACKER.to_owned()));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_takes_longer_than_a_lease_is_carried_out_to_its_end() {
    const RULES: usize = 18;
    let w = World::start().await;
    let attacker = w.hands();
    let group = w.account.security_group(HOME, "default").unwrap();
    let from = (0..RULES).map(|n| ec2::IpRange::builder().cidr_ip(format!("198.51.100.{n}/32")).build());
    let all = ec2::IpPermission::builder().ip_protocol("-1").set_ip_ranges(Some(from.collect())).build();
    let opened = attacker.ec2(HOME).authorize_security_group_ingress().group_id(&group).ip_permissions(all);
    opened.send().await.unwrap();
    let opened = attacker.event("AuthorizeSecurityGroupIngress").await;
    w.incident().await;
    w.hunted(vec![changed("EC2::SecurityGroup", &group, "AuthorizeSecurityGroupIngress", &opened)]).await;
    let late = || w.account.fail_next("RevokeSecurityGroupIngress", Fault::Late(Duration::from_secs(1)));
    (0..RULES).for_each(|_| late());
    w.carried_out_again("· Close what the attacker opened").await;
    assert_eq!(w.account.ingress(HOME, &group), ["203.0.113.0/24"]);
    assert_eq!(w.account.count("RevokeSecurityGroupIngress"), RULES, "each once");
    assert!(w.happened(|event| matches!(event, Event::ExecutionContinues { .. })).await > 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_history_does_not_show_whole_is_not_called_closed() {
    let w = World::start().await;
    let attacker = w.hands();
    let (group, opened) = attacker.opens_a_group().await;
    w.incident().await;
    let mut trace = changed("EC2::SecurityGroup", &group, "AuthorizeSecurityGroupIngress", &opened);
    trace.deeds.push(Deed { event_id: "00000000-0000-4000-8000-000000000000".into(), ..trace.deeds[0].clone() });
    w.hunted(vec![trace]).await;
    let close = "· Close what the attacker opened";
    w.until("it is offered", |w| w.offers(close, "irp.request")).await;
    let answer = w.click(ANA, close, "irp.request").await;
    assert!(answer.contains("not all of those calls"), "{answer}");
    assert!(w.account.ingress(HOME, &group).contains(&ATTACKER.to_owned()));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_off_watches_again_at_once() {
    let w = World::start().await;
    let attacker = w.hands();
    attacker.stops_the_trail().await;
    let detector = attacker.suspends_the_detector().await;
    w.incident().await;
    w.hunted(vec![
        changed("CloudTrail::Trail", "management-events", "StopLogging", "e-1"),
        changed("GuardDuty::Detector", &detector, "UpdateDetector", "e-2"),
    ])
    .await;
    w.carried_out_again("· Start trail management-events again").await;
    assert_eq!(w.account.is_logging("management-events"), Some(true));
    w.carried_out_again("· Switch GuardDuty").await;
    assert_eq!(w.account.detector_works(HOME), Some(true));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_approved_is_not_touched() {
    let w = World::start().await;
    let attacker = w.hands();
    let instance = attacker.runs_an_instance(false).await;
    attacker.makes_a_function().await;
    w.incident().await;
    w.hunted(vec![made("EC2::Instance", &instance, FAR), made("Lambda::Function", "sync", HOME)]).await;
    w.contained().await;
    let (end, delete) = ("· Terminate instance", "· Delete function sync");
    for card in [end, delete] {
        w.until("it is offered", |w| w.offers(card, "irp.request")).await;
        w.click(ANA, card, "irp.request").await;
        w.until_card(card, "waiting for approval").await;
    }
    attacker.ec2(FAR).stop_instances().instance_ids(&instance).send().await.unwrap();
    w.clock.advance(TimeDelta::seconds(11));
    let mut other = ZIP.to_vec();
    other.push(0);
    let code = aws_sdk_lambda::primitives::Blob::new(other);
    attacker.lambda().update_function_code().function_name("sync").zip_file(code).send().await.unwrap();
    for (card, why) in [(end, "its state was running and is stopped"), (delete, "its code has been changed since")] {
        w.click(CHRIS, card, "irp.approve").await;
        w.until_card(card, "stale").await;
        assert!(w.blocks(card).contains(why), "{why}: {}", w.blocks(card));
    }
    assert_eq!(changes(&w), Vec::<String>::new());

    // Somebody else was faster: nothing is left to do, and that counts.
    w.carried_out_again(end).await;
    let by_session = |call: &irp_sandbox::aws::CallRecord| call.operation == "TerminateInstances";
    let ended = w.account.calls().into_iter().find(by_session).unwrap();
    assert!(ended.caller_arn.unwrap().contains("irp-eradicate/INC-1."), "the session carries the request");
    assert_eq!(ended.params["InstanceId.1"], instance);
    let sessions: Vec<Value> = w
        .account
        .calls()
        .into_iter()
        .filter(|c| c.operation == "AssumeRole")
        .filter_map(|c| serde_json::from_str(c.params.get("Policy")?).ok())
        .collect();
    let of_end = sessions.iter().find(|policy| policy.to_string().contains("ec2:TerminateInstances")).unwrap();
    assert!(!of_end.to_string().contains("\"*\""), "AWS confines the session to what was approved: {of_end}");
    w.end().await;
}
