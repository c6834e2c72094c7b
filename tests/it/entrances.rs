//! Ways back in that no key shows: identity providers, trust anchors, rules that call a function again and again, who
//! may call a function that was there before, an image that others may use.

use std::fs;
use std::path::{Path, PathBuf};

use aws_sdk_ec2::types::{LaunchPermission, LaunchPermissionModifications};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, FunctionUrlAuthType, Runtime};
use aws_sdk_rolesanywhere::types::{Source, SourceData, TrustAnchorType};
use irp::domain::hunt::Trace;
use irp::domain::trail::deed::Deed;
use irp_sandbox::aws::Fault;
use serde_json::Value;

use crate::estate::{Hands, changed, changes, made};
use crate::world::{ANA, CHRIS, World};

const HOME: &str = "us-east-1";
const AWAY: &str = "eu-west-1";
const REMOVE: &str = "Remove everything at once";
const FOREIGN: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

/// What a function has in its environment.
const SECRET: &str = "hunter2-of-the-function";

/// Where worlds keep the code of what is deleted.
const KEPT: &str = env!("CARGO_TARGET_TMPDIR");

/// A rule that the attacker has put with one target, as the search shows it.
pub(crate) fn put(name: &str, region: &str, target: &str) -> Trace {
    let rule = changed("Events::Rule", name, "PutRule", "e-1");
    let targets = Deed { operation: "PutTargets".into(), what: target.into(), ..rule.deeds[0].clone() };
    Trace { region: region.into(), deeds: vec![rule.deeds[0].clone(), targets], ..rule }
}

impl Hands<'_> {
    pub(crate) fn events(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.config(HOME))
    }

    fn anywhere(&self) -> aws_sdk_rolesanywhere::Client {
        aws_sdk_rolesanywhere::Client::new(&self.config(AWAY))
    }

    pub(crate) async fn makes_a_provider(&self) -> String {
        let iam = aws_sdk_iam::Client::new(&self.config(HOME));
        let made = iam.create_open_id_connect_provider().url("https://id.example.org/x").client_id_list("sts");
        made.send().await.unwrap().open_id_connect_provider_arn.unwrap()
    }

    async fn makes_a_saml_provider(&self) -> String {
        let iam = aws_sdk_iam::Client::new(&self.config(HOME));
        let document = format!("<EntityDescriptor entityID=\"{}\"/>", "x".repeat(1_000));
        let made = iam.create_saml_provider().name("okta").saml_metadata_document(document);
        made.send().await.unwrap().saml_provider_arn.unwrap()
    }

    pub(crate) async fn makes_an_anchor(&self) -> String {
        let data = SourceData::X509CertificateData("-----BEGIN CERTIFICATE-----\nMIIB".into());
        let source = Source::builder().source_type(TrustAnchorType::CertificateBundle).source_data(data).build();
        let made = self.anywhere().create_trust_anchor().name("ca").source(source).enabled(true).send().await;
        made.unwrap().trust_anchor.unwrap().trust_anchor_id.unwrap()
    }

    pub(crate) async fn makes_a_profile(&self) -> String {
        let role = "arn:aws:iam::111122223333:role/app-deploy";
        let made = self.anywhere().create_profile().name("in").role_arns(role).enabled(true).send().await;
        made.unwrap().profile.unwrap().profile_id.unwrap()
    }

    pub(crate) async fn puts_a_rule(&self, name: &str, target: &str) {
        self.events().put_rule().name(name).schedule_expression("rate(5 minutes)").send().await.unwrap();
        self.puts_a_target(name, target).await;
    }

    /// The same of a name that the event history shows to be free; the rule as the search shows it.
    pub(crate) async fn puts_a_new_rule(&self, name: &str, target: &str) -> Trace {
        self.events().delete_rule().name(name).send().await.unwrap();
        self.waits(1);
        self.puts_a_rule(name, target).await;
        let mut trace = put(name, HOME, target);
        trace.deeds[0].event_id = self.event("PutRule").await;
        trace
    }

    async fn puts_a_target(&self, rule: &str, id: &str) {
        let arn = format!("arn:aws:lambda:{HOME}:111122223333:function:{id}");
        let target = Target::builder().id(id).arn(arn).build().unwrap();
        self.events().put_targets().rule(rule).targets(target).send().await.unwrap();
    }
}

impl Hands<'_> {
    async fn may_call(&self, function: &str, statement: &str, principal: &str) {
        let added = self.lambda().add_permission().function_name(function).statement_id(statement);
        added.action("lambda:InvokeFunction").principal(principal).send().await.unwrap();
    }

    /// A function of the owner's that everybody may call since the attacker was there.
    pub(crate) async fn opens_a_function(&self) {
        self.makes_a_function().await;
        let client = self.lambda();
        client.delete_function_url_config().function_name("sync").send().await.unwrap();
        self.may_call("sync", "api", "apigateway.amazonaws.com").await;
        self.may_call("sync", "open", "*").await;
        let none = FunctionUrlAuthType::None;
        client.create_function_url_config().function_name("sync").auth_type(none).send().await.unwrap();
    }

    /// Gives an image to the attacker's account; the image and the event.
    pub(crate) async fn shares_an_image(&self) -> (String, String) {
        let (image, _) = self.account().images(HOME).remove(0);
        let thief = LaunchPermission::builder().user_id("444455556666").build();
        let change = LaunchPermissionModifications::builder().add(thief).build();
        let ec2 = self.ec2(HOME);
        ec2.modify_image_attribute().image_id(&image).launch_permission(change).send().await.unwrap();
        (image, self.event("ModifyImageAttribute").await)
    }
}

/// What the attacker has let call the function, as the search shows it.
pub(crate) fn opened(function: &str) -> Trace {
    let mut trace = changed("Lambda::Function", function, "AddPermission", "e-1");
    trace.deeds[0].what = "open".into();
    trace
}

fn rule(w: &World, name: &str) -> Option<Vec<String>> {
    w.account.rules(HOME).into_iter().find(|(known, _)| known == name).map(|(_, targets)| targets)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_attacker_lets_vouch_for_others_does_so_no_more() {
    let w = World::start().await;
    let attacker = w.hands();
    let (oidc, saml) = (attacker.makes_a_provider().await, attacker.makes_a_saml_provider().await);
    let (anchor, profile) = (attacker.makes_an_anchor().await, attacker.makes_a_profile().await);
    w.incident().await;
    w.hunted(vec![
        made("IAM::OIDCProvider", &oidc, HOME),
        made("IAM::SAMLProvider", &saml, HOME),
        made("RolesAnywhere::TrustAnchor", &anchor, AWAY),
        made("RolesAnywhere::Profile", &profile, AWAY),
    ])
    .await;
    w.until_card("Eradication", "containment comes first").await;
    w.contained().await;
    w.until_card(REMOVE, "4 steps, not asked for yet").await;
    w.click(ANA, REMOVE, "irp.request_all").await;
    w.until_card(REMOVE, "waiting for approval").await;
    let card = w.blocks(REMOVE);
    for part in ["iam:DeleteOpenIDConnectProvider", "rolesanywhere:DisableTrustAnchor", "id.example.org/x", AWAY] {
        assert!(card.contains(part), "{part}: {card}");
    }
    w.click(CHRIS, REMOVE, "irp.approve").await;
    w.until_card(REMOVE, "4 of 4 in force").await;
    let done = changes(&w);
    let place = |call: &str| done.iter().position(|known| known == call).unwrap_or_else(|| panic!("{call}: {done:?}"));
    assert!(place("DisableTrustAnchor") < place("DeleteTrustAnchor"));
    assert!(place("DeleteTrustAnchor") < place("DisableProfile"), "nobody is let in before the roles go: {done:?}");
    assert_eq!(done.len(), 6, "{done:?}");
    let left = w.account.identity_providers();
    assert!(left.contains(&FOREIGN.to_owned()) && left.len() == 2, "the owner's stay: {left:?}");
    assert!(w.account.trust_anchors(AWAY).is_empty() && w.account.roles_anywhere_profiles(AWAY).is_empty());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_made_again_is_not_what_was_approved() {
    let w = World::start().await;
    let attacker = w.hands();
    let arn = attacker.makes_a_provider().await;
    w.incident().await;
    w.hunted(vec![made("IAM::OIDCProvider", &arn, HOME)]).await;
    w.contained().await;
    let card = "· Delete identity provider";
    w.until("it is offered", |w| w.offers(card, "irp.request")).await;
    w.click(ANA, card, "irp.request").await;
    w.until_card(card, "waiting for approval").await;
    let iam = aws_sdk_iam::Client::new(&attacker.config(HOME));
    iam.delete_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await.unwrap();
    w.clock.advance(chrono::TimeDelta::seconds(2));
    attacker.makes_a_provider().await;
    w.click(CHRIS, card, "irp.approve").await;
    w.until_card(card, "stale").await;
    assert!(w.blocks(card).contains("made again"), "{}", w.blocks(card));
    assert!(w.account.identity_providers().contains(&arn));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_call_the_attackers_functions_no_more_and_the_owners_as_before() {
    let w = World::start().await;
    let attacker = w.hands();
    let tick = attacker.puts_a_new_rule("tick", "metrics").await;
    attacker.puts_a_target("nightly-batch", "metrics").await;
    w.incident().await;
    let nightly = Trace { deeds: vec![put("x", HOME, "metrics").deeds.remove(1)], ..put("nightly-batch", HOME, "x") };
    w.hunted(vec![tick, nightly]).await;
    // What was put on a rule that is not theirs comes off at once; a rule goes once the attacker is out.
    w.carried_out_again("· Take the attacker's targets off EventBridge rule nightly-batch").await;
    assert_eq!(rule(&w, "nightly-batch"), Some(vec!["queue".to_owned()]), "the owner's target stays");
    assert!(w.card(ANA, "· Remove EventBridge rule tick").is_none());
    w.contained().await;
    w.carried_out_again("· Remove EventBridge rule tick").await;
    assert_eq!(rule(&w, "tick"), None);
    assert_eq!(changes(&w), ["RemoveTargets", "RemoveTargets", "DeleteRule"]);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_the_owners_that_the_attacker_has_put_anew_calls_nothing_for_them_and_stays() {
    let w = World::start().await;
    let attacker = w.hands();
    attacker.events().put_rule().name("backup").schedule_expression("rate(7 days)").send().await.unwrap();
    attacker.waits(1);
    attacker.puts_a_rule("backup", "metrics").await;
    let mut trace = put("backup", HOME, "metrics");
    trace.deeds[0].event_id = attacker.event("PutRule").await;
    w.incident().await;
    w.hunted(vec![trace]).await;
    w.contained().await;
    let card = "· Remove EventBridge rule backup";
    w.carried_out_again(card).await;
    assert_eq!(changes(&w), ["RemoveTargets"]);
    assert_eq!(rule(&w, "backup"), Some(vec![]), "the rule is the owner's");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_the_history_says_nothing_of_stays_and_its_target_that_was_written_over_is_for_people() {
    let w = World::start().await;
    let attacker = w.hands();
    // The only target of a rule that is older than the history: the attacker's call has taken its place.
    attacker.puts_a_rule("tick", "metrics").await;
    w.incident().await;
    w.hunted(vec![put("tick", HOME, "metrics")]).await;
    w.contained().await;
    w.carried_out_again("· Remove EventBridge rule tick").await;
    assert_eq!(changes(&w), ["RemoveTargets"]);
    assert_eq!(rule(&w, "tick"), Some(vec![]), "it can be the owner's");
    let card = "· Put back by hand: AWS::Events::Rule tick";
    w.until("people are told of it", |w| w.card(ANA, card).is_some()).await;
    let told = w.blocks(card);
    assert!(told.contains("written over it, and it is gone: metrics"), "{told}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_gets_another_target_meanwhile_is_not_what_was_approved() {
    let w = World::start().await;
    let attacker = w.hands();
    attacker.puts_a_rule("tick", "metrics").await;
    w.incident().await;
    w.hunted(vec![put("tick", HOME, "metrics")]).await;
    w.contained().await;
    let card = "· Remove EventBridge rule tick";
    w.until("it is offered", |w| w.offers(card, "irp.request")).await;
    w.click(ANA, card, "irp.request").await;
    w.until_card(card, "waiting for approval").await;
    attacker.puts_a_target("tick", "another").await;
    w.click(CHRIS, card, "irp.approve").await;
    w.until_card(card, "stale").await;
    assert_eq!(changes(&w), Vec::<String>::new());
    // Asked again, what is the attacker's goes; what somebody has put there since stays.
    w.carried_out_again(card).await;
    assert_eq!(rule(&w, "tick"), Some(vec!["another".to_owned()]));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_was_there_before_is_called_by_whom_it_was_before() {
    let w = World::start().await;
    let attacker = w.hands();
    attacker.opens_a_function().await;
    w.incident().await;
    w.hunted(vec![opened("sync"), made("Lambda::Url", "sync", HOME)]).await;
    w.carried_out_again("· Take the attacker's permissions off function sync").await;
    w.carried_out_again("· Delete the URL of function sync").await;
    let policy = attacker.lambda().get_policy().function_name("sync").send().await.unwrap().policy.unwrap();
    assert!(policy.contains("apigateway") && !policy.contains(r#""Principal":"*""#), "{policy}");
    assert!(attacker.lambda().get_function_url_config().function_name("sync").send().await.is_err());
    assert!(w.account.has_function(HOME, "sync"));
    assert_eq!(changes(&w), ["RemovePermission", "DeleteFunctionUrlConfig"]);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_private_again_and_can_be_given_again() {
    let w = World::start().await;
    let attacker = w.hands();
    let (image, event) = attacker.shares_an_image().await;
    w.incident().await;
    w.hunted(vec![changed("EC2::Image", &image, "ModifyImageAttribute", &event)]).await;
    let card = "· Take image";
    w.carried_out_again(card).await;
    assert!(w.account.images(HOME)[0].1.is_empty());
    w.click(ANA, card, "irp.undo").await;
    w.until_card("Undo INC-1.1: Take image", "waiting for approval").await;
    w.click(CHRIS, "Undo INC-1.1: Take image", "irp.approve").await;
    w.until_card("Undo INC-1.1: Take image", "carried out and verified").await;
    assert_eq!(w.account.images(HOME)[0].1.len(), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_calls_a_function_of_the_attackers_lets_go_of_it() {
    let w = World::start().await;
    let attacker = w.hands();
    attacker.makes_a_function().await;
    attacker.puts_a_target("nightly-batch", "sync").await;
    w.incident().await;
    // The search has not shown who put the target there: AWS says that it is the function.
    w.hunted(vec![made("Lambda::Function", "sync", HOME)]).await;
    w.contained().await;
    w.carried_out_again("· Delete function sync").await;
    assert_eq!(rule(&w, "nightly-batch"), Some(vec!["queue".to_owned()]));
    let done = ["DeleteEventSourceMapping", "DeleteFunctionUrlConfig", "RemoveTargets", "DeleteFunction"];
    assert_eq!(changes(&w), done);
    w.end().await;
}

/// Code that is nobody else's.
pub(crate) fn own_zip(name: &str) -> Vec<u8> {
    let mut zip = vec![b'P', b'K', 5, 6];
    zip.extend([0; 18]);
    zip.extend(format!("{name}{:?}", std::time::SystemTime::now()).bytes());
    zip
}

/// Makes a function whose code is nobody else's; its zip.
pub(crate) async fn makes_its_own_function(attacker: &Hands<'_>, name: &str) -> Vec<u8> {
    let zip = own_zip(name);
    let code = FunctionCode::builder().zip_file(Blob::new(zip.clone())).build();
    let role = "arn:aws:iam::111122223333:role/app-deploy";
    let made = attacker.lambda().create_function().function_name(name).role(role).handler("m.f").code(code);
    let variables = Environment::builder().variables("TOKEN", SECRET).build();
    made.runtime(Runtime::Python312).environment(variables).send().await.unwrap();
    zip
}

/// Where the function with this code is kept.
pub(crate) fn pack_of(zip: &[u8]) -> Option<PathBuf> {
    let mut packs = fs::read_dir(KEPT).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    packs.find(|pack| fs::read(pack.join("code.zip")).is_ok_and(|bytes| bytes == zip))
}

pub(crate) fn read(pack: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(pack.join(name)).unwrap()).unwrap()
}

/// What is kept of the function with this code: its configuration and the list of files.
fn kept(zip: &[u8]) -> Option<(Value, Value)> {
    pack_of(zip).map(|pack| (read(&pack, "configuration.json"), read(&pack, "manifest.json")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_function_is_kept_before_it_is_deleted() {
    let w = World::start().await;
    let zip = makes_its_own_function(&w.hands(), "loot").await;
    w.incident().await;
    w.hunted(vec![made("Lambda::Function", "loot", HOME)]).await;
    w.contained().await;
    w.carried_out_again("· Delete function loot").await;
    assert!(!w.account.has_function(HOME, "loot"));
    let (configuration, manifest) = kept(&zip).expect("the code is kept");
    assert_eq!(configuration["function"]["name"], "loot");
    assert!(manifest["request"].as_str().is_some_and(|request| request.starts_with("INC-1.")), "{manifest}");
    assert!(manifest["sha256"]["code.zip"].is_string());
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_aws_says_of_a_function_is_in_the_vault_and_what_its_variables_hold_is_nowhere_else() {
    let w = World::start().await;
    let attacker = w.hands();
    let zip = makes_its_own_function(&attacker, "loot").await;
    w.clock.advance(chrono::TimeDelta::seconds(3));
    let client = attacker.lambda();
    client.publish_version().function_name("loot").send().await.unwrap();
    client.create_alias().function_name("loot").name("live").function_version("1").send().await.unwrap();
    let open = client.add_permission().function_name("loot").qualifier("live").statement_id("open").principal("*");
    open.action("lambda:InvokeFunction").send().await.unwrap();
    w.incident().await;
    w.hunted(vec![made("Lambda::Function", "loot", HOME)]).await;
    w.contained().await;
    w.account.fail_next("ListFunctionUrlConfigs", Fault::AccessDenied);
    let card = "· Delete function loot";
    w.carried_out_again(card).await;
    let pack = pack_of(&zip).expect("the code is kept");
    let function = read(&pack, "function.json");
    assert_eq!(function[0]["Configuration"]["Environment"]["Variables"]["TOKEN"], SECRET);
    assert_eq!(function[0]["Configuration"]["MemorySize"], 128);
    assert!(function[0]["Code"].get("Location").is_none(), "{function}");
    assert_eq!(read(&pack, "versions.json")[0]["Versions"][1]["Version"], "1");
    assert_eq!(read(&pack, "aliases.json")[0]["Aliases"][0]["Name"], "live");
    let policy = read(&pack, "policy-live.json");
    assert!(policy[0]["Policy"].as_str().is_some_and(|text| text.contains("function:loot:live")), "{policy}");
    let manifest = read(&pack, "manifest.json");
    assert!(manifest["sha256"]["function.json"].is_string(), "{manifest}");
    assert!(manifest["not_kept"][0].as_str().is_some_and(|what| what.starts_with("urls.json: ")), "{manifest}");
    let log = w.store.load("INC-1".parse().unwrap()).await.unwrap();
    assert!(!log.iter().any(|record| record.text().contains(SECRET)));
    assert!(!w.blocks(card).contains(SECRET) && !w.texts().iter().any(|text| text.contains(SECRET)));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_code_cannot_be_kept_is_not_deleted() {
    let w = World::start().await;
    let zip = makes_its_own_function(&w.hands(), "loot").await;
    w.incident().await;
    w.hunted(vec![made("Lambda::Function", "loot", HOME)]).await;
    w.contained().await;
    let card = "· Delete function loot";
    w.until("it is offered", |w| w.offers(card, "irp.request")).await;
    w.click(ANA, card, "irp.request").await;
    w.until_card(card, "waiting for approval").await;
    w.account.fail_next("GetFunction", Fault::AccessDenied);
    w.click(CHRIS, card, "irp.approve").await;
    w.until("it says why", |w| w.blocks(card).contains("could not be put into the vault")).await;
    assert_eq!(changes(&w), Vec::<String>::new());
    assert!(w.account.has_function(HOME, "loot") && kept(&zip).is_none());
    // Once it can be read, it goes.
    w.carried_out_again(card).await;
    assert!(!w.account.has_function(HOME, "loot") && kept(&zip).is_some());
    w.end().await;
}

impl Hands<'_> {
    /// Changes the code of a function that has a published version; the event.
    pub(crate) async fn changes_code(&self) -> String {
        self.makes_a_function().await;
        let client = self.lambda();
        client.publish_version().function_name("sync").send().await.unwrap();
        self.account_clock().advance(chrono::TimeDelta::minutes(1));
        let other = [b"PK\x05\x06".to_vec(), vec![7; 19]].concat();
        client.update_function_code().function_name("sync").zip_file(Blob::new(other)).send().await.unwrap();
        self.event("UpdateFunctionCode20150331v2").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_runs_the_code_again_that_was_published_before_the_attacker() {
    let w = World::start().await;
    let attacker = w.hands();
    let event = attacker.changes_code().await;
    w.incident().await;
    w.hunted(vec![changed("Lambda::Function", "sync", "UpdateFunctionCode", &event)]).await;
    w.contained().await;
    let hash = |version: &'static str| {
        let asked = attacker.lambda().get_function_configuration().function_name("sync").qualifier(version);
        async move { asked.send().await.unwrap().code_sha256.unwrap() }
    };
    assert_ne!(hash("$LATEST").await, hash("1").await);
    w.carried_out_again("· Put the code of function sync").await;
    assert_eq!(hash("$LATEST").await, hash("1").await);
    assert_eq!(changes(&w), ["UpdateFunctionCode"]);
    // Asked as far back as the history goes, and not for times that it cannot have.
    let lookups = w.account.calls().into_iter().filter(|call| call.operation == "LookupEvents");
    let since = |call: irp_sandbox::aws::CallRecord| call.params.get("StartTime").and_then(|at| at.parse::<f64>().ok());
    assert!(lookups.filter_map(since).all(|at| at > 1e9));
    w.end().await;
}
