//! Ways back in that no key shows: identity providers, trust anchors, rules that call a function again and again.

use aws_sdk_eventbridge::types::Target;
use aws_sdk_rolesanywhere::types::{Source, SourceData, TrustAnchorType};
use irp::domain::hunt::Trace;
use irp::domain::trail::deed::Deed;

use crate::estate::{Hands, changed, changes, made};
use crate::world::{ANA, CHRIS, World};

const HOME: &str = "us-east-1";
const AWAY: &str = "eu-west-1";
const REMOVE: &str = "Remove everything at once";
const FOREIGN: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

/// A rule that the attacker has put with one target, as the search shows it.
pub(crate) fn put(name: &str, region: &str, target: &str) -> Trace {
    let rule = changed("Events::Rule", name, "PutRule", "e-1");
    let targets = Deed { operation: "PutTargets".into(), what: target.into(), ..rule.deeds[0].clone() };
    Trace { region: region.into(), deeds: vec![rule.deeds[0].clone(), targets], ..rule }
}

impl Hands<'_> {
    fn events(&self) -> aws_sdk_eventbridge::Client {
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

    async fn puts_a_target(&self, rule: &str, id: &str) {
        let arn = format!("arn:aws:lambda:{HOME}:111122223333:function:{id}");
        let target = Target::builder().id(id).arn(arn).build().unwrap();
        self.events().put_targets().rule(rule).targets(target).send().await.unwrap();
    }
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
    attacker.puts_a_rule("tick", "metrics").await;
    attacker.puts_a_target("nightly-batch", "metrics").await;
    w.incident().await;
    let nightly = Trace { deeds: vec![put("x", HOME, "metrics").deeds.remove(1)], ..put("nightly-batch", HOME, "x") };
    w.hunted(vec![put("tick", HOME, "metrics"), nightly]).await;
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
