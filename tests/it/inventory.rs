//! What exists in the account and no event explains: conversations and readings against the sandbox's account.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{FleetType, SpotInstanceType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, FunctionUrlAuthType, Runtime};
use chrono::TimeDelta;
use irp::adapters::aws::{AwsCloud, AwsSettings, StaticKey};
use irp::config;
use irp::domain::id::AccountId;
use irp::domain::inventory::Stock;
use irp::domain::observation::{Observation, Probe};
use irp::ports::{Cloud, EventHistory, Look, Searched, Stocktaking};
use irp_sandbox::aws::{Account, Fault};

use crate::scaling::FAR;
use crate::world::{ANA, BEN, DANA, KIM, World};

const CARD: &str = "Inventory";
const HOME: &str = "us-east-1";
const ALL: &str = "Contain everything at once";
const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn account() -> AccountId {
    "111122223333".parse().unwrap()
}

/// The adapter over the sandbox, with these Regions in irp.toml.
pub(crate) async fn cloud(w: &World, regions: Option<&[&str]>) -> AwsCloud {
    let key = w.account.principal_credentials("irp-bot").unwrap();
    AwsCloud::new(AwsSettings {
        endpoint_url: Some(w.aws_url.clone()),
        accounts: vec![config::Account {
            id: account(),
            name: "sandbox".into(),
            reader_role_arn: Some("arn:aws:iam::111122223333:role/irp-reader".into()),
            contain_role_arn: None,
            eradicate_role_arn: None,
            regions: regions.map(|names| names.iter().map(ToString::to_string).collect()),
            athena: None,
        }],
        organization: None,
        credentials: Some(StaticKey {
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key.into(),
        }),
    })
    .await
}

pub(crate) async fn stock(w: &World, regions: &[&str], users: &[&str]) -> Stock {
    let cloud = cloud(w, Some(regions)).await;
    let regions: Vec<String> = [HOME].iter().chain(regions).map(ToString::to_string).collect();
    let users: BTreeSet<String> = users.iter().map(ToString::to_string).collect();
    let look = Look { regions: &regions, since: w.clock.now() - TimeDelta::hours(1), users: &users };
    cloud.stock(&account(), look).await.unwrap()
}

fn has(stock: &Stock, resource_type: &str, id: &str) -> bool {
    stock.things.iter().any(|thing| thing.resource_type == resource_type && thing.id == id)
}

fn blocks(w: &World, card: &str) -> String {
    w.card(ANA, card).unwrap_or_else(|| panic!("no card {card}"))["blocks"].to_string()
}

/// A user whom the attacker has made, a group that somebody else has, and a key pair that no event shows.
async fn incident() -> World {
    let w = World::start().await;
    w.account.make_key_pair_unlogged(HOME, "debug", w.clock.now() - TimeDelta::minutes(25));
    w.account.put_user_policy_directly("release-bot", "release", Some(EVERYTHING));
    let pipeline = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("release-bot")[0]));
    pipeline.create_group().group_name("auditors").send().await.unwrap();
    let stolen = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    stolen.create_user().user_name("backdoor").send().await.unwrap();
    w.attacker_takes("app-deploy").await;
    w.incident().await;
    w.until_card("INC-1 hunt", "1 made").await;
    w.clock.advance(TimeDelta::minutes(3));
    w.until_card(CARD, "1 thing(s) that no event explains").await;
    w
}

/// Nobody asks two questions about each of thousands of users.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_account_the_credential_report_says_whose_keys_and_passwords_are_read() {
    let w = World::start().await;
    let admin = w.attacker();
    for n in 0..60 {
        admin.create_user().user_name(format!("old-{n:02}")).send().await.unwrap();
    }
    w.clock.advance(TimeDelta::hours(2));
    admin.create_access_key().user_name("old-07").send().await.unwrap();
    admin.create_login_profile().user_name("old-08").password("a-Long-0ne").send().await.unwrap();
    let asked = || w.account.count("ListAccessKeys");
    let before = asked();
    let stock = stock(&w, &[], &["deploy-bot"]).await;
    let of = |name: &str| stock.things.iter().any(|thing| thing.of.as_ref().is_some_and(|(_, of)| of == name));
    assert!(of("old-07") && of("old-08") && !of("old-09"), "{:?}", stock.things);
    assert_eq!(asked() - before, 3, "of no others");
    assert!(stock.gaps.is_empty(), "{:?}", stock.gaps);
    let limits = stock.limits.iter().cloned().collect::<String>();
    assert!(limits.contains("the next report, after four hours at most"), "{limits}");
    let age = w.clock.now() - stock.as_of.expect("it goes by a report");
    assert!(age < TimeDelta::hours(4), "{age}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_credential_report_a_large_account_has_a_gap() {
    let w = World::start().await;
    for n in 0..60 {
        w.attacker().create_user().user_name(format!("old-{n:02}")).send().await.unwrap();
    }
    w.account.fail_next("GenerateCredentialReport", Fault::AccessDenied);
    let stock = stock(&w, &[], &[]).await;
    let why: Vec<&str> = stock.gaps.iter().map(|gap| gap.why.as_str()).collect();
    assert!(matches!(&why[..], [why] if why.contains("iam:GenerateCredentialReport")), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_event_explains_is_shown_and_a_person_answers_for_it() {
    let w = incident().await;
    let card = blocks(&w, CARD);
    for part in
        ["AWS::EC2::KeyPair `debug`", "Made since by somebody else:* 1", "`auditors`: CreateGroup", "user/release-bot"]
    {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(!card.contains("backdoor") && card.contains("1 the attacker's"), "that is in the hunt: {card}");
    w.until("there is a note", |w| w.notes().iter().any(|n| n.contains("no event explains") && n.contains("debug")))
        .await;

    w.until_card(ALL, "steps, not asked for yet").await;
    w.click(ANA, ALL, "irp.request_all").await;
    w.until_card(ALL, "waiting for approval").await;
    w.click(BEN, ALL, "irp.approve").await;
    w.goes_on_without_proof().await;
    w.until_card("· Delete user backdoor", "not asked for yet").await;
    w.carry_out("· Delete user backdoor", ANA, BEN).await;
    w.until_card("Eradication", "1 left to look at").await;
    assert!(blocks(&w, "Eradication").contains("no event explains"));

    assert!(w.click(DANA, CARD, "irp.look_at").await.contains("Only responders"));
    assert!(w.click(KIM, CARD, "irp.look_at").await.contains("the credential is yours"));
    assert!(w.forged_click(BEN, "irp.look_at", "INC-1 0123456789ab").await.contains("has changed"));
    let before = w.account.calls().len();
    assert!(w.click(ANA, CARD, "irp.look_at").await.contains("Nothing was changed in AWS"));
    w.until_card(CARD, "nothing is left that no event explains").await;
    w.until_card("Eradication", "nothing is left that the search has found").await;
    assert!(blocks(&w, CARD).contains("Looked at, and still there"));
    let changes = |call: &irp_sandbox::aws::CallRecord| call.operation.starts_with("Delete");
    assert!(!w.account.calls()[before..].iter().any(changes));
    assert_eq!(
        w.account.key_pairs(HOME).iter().filter(|name| *name == "debug").count(),
        1,
        "the bot deletes none of it"
    );
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_by_hand_goes_from_the_list() {
    let w = incident().await;
    w.account.delete_key_pair_unlogged(HOME, "debug");
    w.clock.advance(TimeDelta::minutes(16));
    w.until_card(CARD, "nothing is left that no event explains").await;
    assert!(!blocks(&w, CARD).contains("debug"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_somebody_in_is_read_with_the_time_of_its_making() {
    let w = World::without_bot(false).await;
    w.account.put_user_policy_directly("release-bot", "release", Some(EVERYTHING));
    let iam = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("release-bot")[0]));
    iam.create_user().user_name("mallory").send().await.unwrap();
    let key = iam.create_access_key().user_name("mallory").send().await.unwrap().access_key.unwrap().access_key_id;
    iam.create_login_profile().user_name("mallory").password("hunter2-hunter2").send().await.unwrap();
    let device = iam.create_virtual_mfa_device().virtual_mfa_device_name("mallory").send().await.unwrap();
    let serial = device.virtual_mfa_device.unwrap().serial_number;
    let enable = iam.enable_mfa_device().user_name("mallory").serial_number(&serial);
    enable.authentication_code1("123456").authentication_code2("654321").send().await.unwrap();
    let token = iam.enable_mfa_device().user_name("mallory").serial_number("GAHT12345678");
    token.authentication_code1("123456").authentication_code2("654321").send().await.unwrap();
    let bedrock = iam.create_service_specific_credential().user_name("mallory").service_name("bedrock.amazonaws.com");
    let bedrock = bedrock.send().await.unwrap().service_specific_credential.unwrap().service_specific_credential_id;
    let metadata = format!("<EntityDescriptor entityID=\"{}\"/>", "a".repeat(1_000));
    let saml = iam.create_saml_provider().name("sso").saml_metadata_document(metadata).send().await.unwrap();
    let saml = saml.saml_provider_arn.unwrap();
    let policy = iam.create_policy().policy_name("p").policy_document(EVERYTHING).send().await.unwrap();
    let arn = policy.policy.unwrap().arn.unwrap();
    iam.create_policy_version().policy_arn(&arn).policy_document(EVERYTHING).set_as_default(true).send().await.unwrap();
    let stock = stock(&w, &[], &[]).await;
    for (kind, id) in [
        ("AWS::IAM::User", "mallory"),
        ("AWS::IAM::AccessKey", &key),
        ("AWS::IAM::VirtualMFADevice", &serial),
        ("AWS::IAM::MFADevice", "GAHT12345678"),
        ("AWS::IAM::ServiceSpecificCredential", &bedrock),
        ("AWS::IAM::ManagedPolicy", &arn),
        ("AWS::IAM::SAMLProvider", &saml),
    ] {
        assert!(has(&stock, kind, id), "{kind} {id}: {:#?}", stock.things);
    }
    let part = |part: &str| stock.things.iter().find(|thing| thing.part.as_deref() == Some(part));
    assert_eq!(part("password").unwrap().id, "mallory");
    assert_eq!(part("v2").unwrap().facts, ["in force"]);
    assert!(!has(&stock, "AWS::IAM::MFADevice", &serial), "each device once");
    let bedrock = stock.things.iter().find(|thing| thing.id == bedrock).unwrap();
    assert_eq!(bedrock.facts, ["Amazon Bedrock API key of user mallory"]);
    assert!(!has(&stock, "AWS::IAM::User", "deploy-bot"), "that was there before");
    assert_eq!(stock.as_of, None, "all was read as it is");
    assert!(stock.counts["AWS::IAM::User"] >= 4 && stock.counts["AWS::IAM::Role"] >= 6, "{:?}", stock.counts);
    assert!(stock.gaps.is_empty() && stock.limits.is_empty(), "{:?} {:?}", stock.gaps, stock.limits);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_starts_instances_is_read_with_whose_it_is_and_what_is_gone_is_not() {
    let w = World::without_bot(false).await;
    let hands = w.hands();
    let template = hands.makes_a_template().await;
    hands.adds_a_version(FAR, &template, false).await;
    hands.keeps_up("miners", &template, (1, 1)).await;
    hands.makes_a_configuration("c").await;
    let fleet = hands.makes_a_fleet(&template, FleetType::Maintain, 1).await;
    let ended = hands.makes_a_fleet(&template, FleetType::Maintain, 0).await;
    hands.ec2(FAR).delete_fleets().fleet_ids(&ended).terminate_instances(true).send().await.unwrap();
    let spot_fleet = hands.asks_for_a_spot_fleet(1).await;
    let (request, alone) = hands.asks_for_spot(SpotInstanceType::Persistent).await;
    let stock = stock(&w, &[FAR], &[]).await;
    for (kind, id) in [
        ("AWS::AutoScaling::AutoScalingGroup", "miners"),
        ("AWS::AutoScaling::LaunchConfiguration", "c"),
        ("AWS::EC2::LaunchTemplate", &template),
        ("AWS::EC2::EC2Fleet", &fleet),
        ("AWS::EC2::SpotFleet", &spot_fleet),
        ("AWS::EC2::SpotInstanceRequest", &request),
    ] {
        assert!(has(&stock, kind, id), "{kind} {id}: {:#?}", stock.things);
    }
    assert!(!has(&stock, "AWS::EC2::EC2Fleet", &ended));
    let version = stock.things.iter().find(|thing| thing.part.as_deref() == Some("2")).unwrap();
    assert_eq!((&version.id, &*version.facts[0]), (&template, "added by release-bot"));
    let of: BTreeSet<(String, String)> = stock.things.iter().filter_map(|thing| thing.of.clone()).collect();
    let started = |kind: &str, id: &str| (format!("AWS::{kind}"), id.to_owned());
    let by = [
        started("AutoScaling::AutoScalingGroup", "miners"),
        started("EC2::EC2Fleet", &fleet),
        started("EC2::SpotFleet", &spot_fleet),
    ];
    assert_eq!(of, by.into());
    assert!(stock.things.iter().any(|thing| thing.id == alone && thing.of.is_none()));
    assert!(stock.gaps.is_empty() && stock.limits.is_empty(), "{:?} {:?}", stock.gaps, stock.limits);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_alias_of_a_function_lets_in_is_read_too() {
    let w = World::without_bot(false).await;
    let hands = w.hands();
    hands.makes_a_function().await;
    let lambda = hands.lambda();
    lambda.create_alias().function_name("sync").name("live").function_version("$LATEST").send().await.unwrap();
    let let_in = lambda.add_permission().function_name("sync").qualifier("live").statement_id("x");
    let let_in = let_in.action("lambda:InvokeFunction").principal("444455556666");
    let_in.send().await.unwrap();
    let stock = stock(&w, &[], &[]).await;
    let found = stock.undated.iter().find(|thing| thing.resource_type == "AWS::Lambda::Permission").unwrap();
    assert_eq!((&*found.id, found.part.as_deref()), ("sync:live", Some("x")));
    w.account.fail_next("ListAliases", Fault::AccessDenied);
    let stock = self::stock(&w, &[], &[]).await;
    let why: Vec<&str> = stock.gaps.iter().map(|gap| &*gap.why).collect();
    assert!(why.len() == 1 && why[0].starts_with("aliases of function"), "{why:?}");
}

/// An event bus of another account.
const THIEVES_BUS: &str = "arn:aws:events:us-east-1:444455556666:event-bus/in";

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_read_with_what_they_call_and_permissions_with_whom_they_let_in() {
    let w = World::without_bot(false).await;
    let hands = w.hands();
    hands.makes_a_function().await;
    let lambda = hands.lambda();
    let add = |statement: &str| {
        let add = lambda.add_permission().function_name("sync").statement_id(statement);
        add.action("lambda:InvokeFunction").principal("*")
    };
    add("open").send().await.unwrap();
    add("org").principal_org_id("o-abc123def4").send().await.unwrap();
    add("own").source_account("111122223333").send().await.unwrap();
    w.account.put_rule_unlogged(HOME, "forward", THIEVES_BUS);
    let undated = |stock: &Stock, kind: &str| -> Vec<(String, bool)> {
        let of = stock.undated.iter().filter(|thing| thing.resource_type == kind);
        of.map(|thing| (thing.part.as_ref().unwrap_or(&thing.id).clone(), thing.exposed)).collect()
    };
    let one = |name: &str, exposed: bool| (name.to_owned(), exposed);
    let rules = [one("forward", true), one("nightly-batch", false)];
    let stock = self::stock(&w, &[], &[]).await;
    assert_eq!(undated(&stock, "AWS::Lambda::Permission"), [one("open", true), one("org", false)]);
    assert_eq!(undated(&stock, "AWS::Events::Rule"), rules, "what AWS keeps itself is counted");
    assert_eq!((stock.counts["AWS::Events::Rule"], stock.counts["AWS::Events::Rule kept by AWS"]), (2, 1));
    assert!(stock.gaps.is_empty(), "{:?}", stock.gaps);
    w.account.fail_next("ListTargetsByRule", Fault::AccessDenied);
    let stock = self::stock(&w, &[], &[]).await;
    let gaps: Vec<&str> = stock.gaps.iter().map(|gap| &*gap.why).collect();
    assert!(gaps.len() == 1 && gaps[0].starts_with("targets of rule "), "{gaps:?}");
    assert_eq!((undated(&stock, "AWS::Events::Rule").len(), stock.counts["AWS::Events::Rule"]), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_and_a_permission_are_listed_with_their_event_or_as_state_only_and_what_reaches_out_is_looked_at() {
    let w = World::start().await;
    let pipeline = w.hands();
    pipeline.makes_a_function().await;
    pipeline.puts_a_rule("tick", "sync").await;
    let let_in = pipeline.lambda().add_permission().function_name("sync").statement_id("known");
    let_in.action("lambda:InvokeFunction").principal("444455556666").send().await.unwrap();
    w.account.put_rule_unlogged(HOME, "forward", THIEVES_BUS);
    w.account.let_in_unlogged(HOME, "sync", "partner", "444455556666");
    // The trail shows it by now.
    w.clock.advance(TimeDelta::minutes(6));
    w.incident().await;
    w.clock.advance(TimeDelta::minutes(3));
    let shows = |w: &World, says: &str| w.card(ANA, CARD).is_some_and(|card| card["blocks"].to_string().contains(says));
    w.until("they are listed", |w| shows(w, "State only, no date:* 2 event rule(s), 1 permission(s) of functions"))
        .await;
    let card = blocks(&w, CARD);
    for says in [
        "AWS::Events::Rule `forward` in `us-east-1`, no date: calls arn:aws:events:us-east-1:444455556666:event-bus/in, \
         which is of another account, rate(5 minutes)",
        "AWS::Events::Rule `nightly-batch` in `us-east-1`, no date: cron(0 2 ∗ ∗ ? ∗), calls sqs nightly-batch",
        "AWS::Lambda::Permission `sync` `partner` in `us-east-1`, no date: lets in arn:aws:iam::444455556666:root",
        "AWS::Events::Rule `tick`: Put",
        "AWS::Lambda::Permission `sync` `known`: AddPermission by `arn:aws:iam::111122223333:user/release-bot`",
        "1 Events Rule kept by AWS",
    ] {
        assert!(card.contains(says), "{says}: {card}");
    }
    assert!(!card.contains("AutoScalingManagedRule"), "{card}");
    assert!(w.says(CARD, "nothing is left that no event explains"), "the trail could still show it: {card}");

    w.clock.advance(TimeDelta::minutes(16));
    w.until_card(CARD, "2 thing(s) that no event explains").await;
    w.until("the rest is no work", |w| shows(w, "State only, no date:* 1 event rule(s), 0 permission(s)")).await;
    w.click(ANA, CARD, "irp.look_at").await;
    w.until_card(CARD, "nothing is left that no event explains").await;
    let card = blocks(&w, CARD);
    assert!(card.contains("Looked at, and still there:* 2") && card.contains("`forward`"), "{card}");

    w.account.put_rule_unlogged(HOME, "tick", THIEVES_BUS);
    w.clock.advance(TimeDelta::minutes(16));
    w.until("its event does not explain that", |w| shows(w, "State only, no date:* 2 event rule(s)")).await;
    w.clock.advance(TimeDelta::minutes(16));
    w.until_card(CARD, "1 thing(s) that no event explains").await;
    w.end().await;
}

/// An address has a time of its own, and its function keeps the one that it had.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_functions_the_addresses_of_those_that_were_not_changed_are_read_too_and_not_too_fast() {
    const FUNCTIONS: u32 = 64;
    let w = World::without_bot(false).await;
    let hands = w.hands();
    let lambda = hands.lambda();
    for n in 0..FUNCTIONS {
        let zip = [b"PK\x05\x06".to_vec(), vec![0; 18]].concat();
        let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
        let made = lambda.create_function().function_name(format!("f-{n:02}")).handler("m.f").code(code);
        let made = made.role("arn:aws:iam::111122223333:role/app-deploy").runtime(Runtime::Python312);
        made.send().await.unwrap();
    }
    w.clock.advance(TimeDelta::hours(2));
    let opens = lambda.create_function_url_config().function_name("f-07").auth_type(FunctionUrlAuthType::None);
    opens.send().await.unwrap();
    let started = std::time::Instant::now();
    let stock = stock(&w, &[], &[]).await;
    assert!(has(&stock, "AWS::Lambda::Url", "f-07"), "{:?}", stock.things);
    assert!(!has(&stock, "AWS::Lambda::Function", "f-07") && stock.counts["AWS::Lambda::Function"] >= 64);
    assert!(stock.gaps.is_empty() && stock.limits.is_empty(), "{:?} {:?}", stock.gaps, stock.limits);
    assert!(started.elapsed().as_secs() >= 15, "three calls for each, and AWS takes fifteen a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_come_page_by_page_and_only_the_keys_of_some_are_read() {
    let w = World::without_bot(false).await;
    let now = w.clock.now();
    for n in 0..450 {
        w.account.make_user_unlogged(&format!("staff-{n:03}"), now - TimeDelta::days(30));
    }
    w.account.make_user_unlogged("zoe", now - TimeDelta::minutes(5));
    let stock = stock(&w, &[], &["deploy-bot"]).await;
    assert!(w.account.count("GetAccountAuthorizationDetails") >= 3, "200 a page");
    assert!(stock.counts["AWS::IAM::User"] >= 451, "{:?}", stock.counts);
    assert_eq!(stock.things.iter().filter(|thing| thing.resource_type == "AWS::IAM::User").count(), 1);
    assert!(has(&stock, "AWS::IAM::User", "zoe"));
    assert_eq!(w.account.count("ListAccessKeys"), 2, "of the new one, and of the one that was asked for");
    assert!(stock.limits.iter().any(|limit| limit.contains("were read of 2 of")), "{:?}", stock.limits);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_switched_off_or_says_no_is_named_and_holds_up_no_other() {
    let w = World::without_bot(false).await;
    w.account.make_key_pair_unlogged("eu-west-1", "debug", w.clock.now() - TimeDelta::minutes(5));
    w.account.fail_next("ListVirtualMFADevices", Fault::AccessDenied);
    w.account.fail_next("ListMFADevices", Fault::AccessDenied);
    let stock = stock(&w, &["af-south-1", "eu-west-1"], &[]).await;
    let of = |region: &str| -> Vec<&str> {
        stock.gaps.iter().filter(|gap| gap.region == region).flat_map(|gap| &gap.resource_types).map(|t| &**t).collect()
    };
    for kind in [
        "AWS::EC2::Instance",
        "AWS::EC2::KeyPair",
        "AWS::Lambda::Function",
        "AWS::Events::Rule",
        "AWS::RolesAnywhere::TrustAnchor",
        "AWS::AutoScaling::AutoScalingGroup",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::EC2Fleet",
        "AWS::EC2::SpotInstanceRequest",
    ] {
        assert!(of("af-south-1").contains(&kind), "{:?}", stock.gaps);
    }
    assert_eq!(of(HOME), ["AWS::IAM::MFADevice", "AWS::IAM::VirtualMFADevice"]);
    assert!(stock.gaps.iter().all(|gap| !gap.why.is_empty()));
    assert!(has(&stock, "AWS::EC2::KeyPair", "debug"), "the rest goes on");
}

/// Kinds that are read in each Region of its own.
const REGIONAL: [&str; 14] = [
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::EC2::EC2Fleet",
    "AWS::EC2::Instance",
    "AWS::EC2::KeyPair",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::SpotFleet",
    "AWS::EC2::SpotInstanceRequest",
    "AWS::Events::EventBusPolicy",
    "AWS::Events::Rule",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::RolesAnywhere::TrustAnchor",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_throttles_for_ever_or_never_answers_is_a_gap_in_words_and_costs_no_other() {
    for (fault, says) in [(Fault::Throttle, "Rate exceeded"), (Fault::HangBefore, "AWS did not answer in time")] {
        let w = World::without_bot(false).await;
        w.account.make_key_pair_unlogged("us-west-2", "debug", w.clock.now() - TimeDelta::minutes(5));
        w.account.fail_in("eu-west-1", Some(fault));
        let started = std::time::Instant::now();
        let stock = stock(&w, &["eu-west-1", "us-west-2"], &[]).await;
        assert!(started.elapsed().as_secs() < 45, "{fault:?}: one time-out, and not one for each kind");
        assert!(stock.gaps.iter().all(|gap| gap.region == "eu-west-1"), "{fault:?}: {:?}", stock.gaps);
        let kinds: BTreeSet<&str> = stock.gaps.iter().flat_map(|gap| &gap.resource_types).map(|kind| &**kind).collect();
        assert_eq!(kinds, REGIONAL.into(), "{fault:?}");
        assert!(stock.gaps.iter().all(|gap| gap.why.contains(says)), "{fault:?}: {:?}", stock.gaps);
        assert!(has(&stock, "AWS::EC2::KeyPair", "debug"), "{fault:?}: the rest goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_lambda_has_no_urls_a_function_is_read_like_any_other() {
    let w = World::without_bot(false).await;
    w.hands().makes_a_function().await;
    w.account.take_function_urls_from(HOME);
    let stock = stock(&w, &[], &[]).await;
    assert!(has(&stock, "AWS::Lambda::Function", "sync") && stock.gaps.is_empty(), "{:?}", stock.gaps);
    let probe = Probe::Function { region: HOME.into(), function_name: "sync".into() };
    let seen = cloud(&w, None).await.observe(&account(), &probe).await.unwrap();
    let Observation::Function(function) = &seen else { panic!("{seen:?}") };
    assert!(function.url.is_none() && !function.sources.is_empty(), "{function:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_stays_while_aws_throttles() {
    let w = World::start().await;
    w.account.make_key_pair_unlogged(HOME, "debug", w.clock.now() - TimeDelta::minutes(25));
    w.incident().await;
    w.clock.advance(TimeDelta::minutes(3));
    w.until_card(CARD, "1 thing(s) that no event explains").await;
    // As often as one inventory tries.
    (0..3).for_each(|_| w.account.fail_next("DescribeKeyPairs", Fault::Throttle));
    w.account.delete_key_pair_unlogged(HOME, "debug");
    w.clock.advance(TimeDelta::minutes(16));
    w.until("the gap is shown", |w| blocks(w, CARD).contains("Not covered")).await;
    assert!(blocks(&w, CARD).contains("debug"), "nothing has gone because nobody could look");
    w.clock.advance(TimeDelta::minutes(16));
    w.until_card(CARD, "nothing is left that no event explains").await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_regions_in_irp_toml_all_that_are_enabled_are_looked_at() {
    let w = World::without_bot(false).await;
    let deny =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:DescribeRegions","Resource":"*"}}"#;
    w.account.put_role_policy_directly("irp-reader", "deny", Some(deny));
    w.account.list_regions(Account::regions());
    let asks = cloud(&w, None).await;
    let Searched { regions, gap, .. } = asks.regions(&account()).await.unwrap();
    let gap = gap.expect("it is never silently fewer");
    assert_eq!(regions, [HOME]);
    assert!(gap.contains("allow ec2:DescribeRegions"), "{gap}");
    let given = cloud(&w, Some(&["eu-west-1"])).await;
    let gap = given.regions(&account()).await.unwrap().gap.expect("there can be more than are given");
    assert!(gap.contains("irp.toml") && gap.contains("allow ec2:DescribeRegions"), "{gap}");
    w.account.put_role_policy_directly("irp-reader", "deny", None);
    let Searched { regions, gap, .. } = asks.regions(&account()).await.unwrap();
    assert_eq!((regions.len(), gap, &*regions[0]), (Account::regions().len(), None, HOME));
    let asked = w.account.count("DescribeRegions");
    assert_eq!(asks.regions(&account()).await.unwrap().regions, regions);
    assert_eq!(w.account.count("DescribeRegions"), asked, "the answer is kept for some minutes");
    let given = cloud(&w, Some(&["eu-west-1"])).await;
    let Searched { regions, unwatched, gap } = given.regions(&account()).await.unwrap();
    assert_eq!((regions, gap), (vec![HOME.to_owned(), "eu-west-1".to_owned()], None));
    assert_eq!(unwatched, ["eu-central-1", "us-east-2", "us-west-2"], "enabled, and left out");
}
