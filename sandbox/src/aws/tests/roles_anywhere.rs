//! Roles Anywhere.

use aws_sdk_rolesanywhere::types::{ProfileDetail, Source, SourceData, TrustAnchorDetail, TrustAnchorType};
use chrono::TimeDelta;

use super::{Cloud, code};

const ROLE: &str = "arn:aws:iam::111122223333:role/app-deploy";

fn client(cloud: &Cloud, region: &'static str) -> aws_sdk_rolesanywhere::Client {
    aws_sdk_rolesanywhere::Client::new(&cloud.config(cloud.admin(), region))
}

fn source(certificate: &str) -> Source {
    let data = SourceData::X509CertificateData(certificate.to_owned());
    Source::builder().source_type(TrustAnchorType::CertificateBundle).source_data(data).build()
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";

#[tokio::test]
async fn an_anchor_is_made_disabled_and_deleted() {
    let cloud = Cloud::start().await;
    let anywhere = client(&cloud, "eu-west-1");
    let create = |text: &str| anywhere.create_trust_anchor().name("ca").source(source(text)).enabled(true).send();
    assert_eq!(code(create("no certificate").await), "ValidationException");
    let made = create(CERTIFICATE).await.unwrap().trust_anchor.unwrap();
    let id = made.trust_anchor_id().unwrap().to_owned();
    assert!(made.trust_anchor_arn().is_some_and(|arn| arn.ends_with(&format!(":trust-anchor/{id}"))));
    assert_eq!(made.enabled(), Some(true));
    assert!(made.created_at().is_some());
    assert_eq!(cloud.account.trust_anchors("eu-west-1"), [("ca".to_owned(), true)]);
    assert!(client(&cloud, "us-east-1").list_trust_anchors().send().await.unwrap().trust_anchors().is_empty());

    let off = anywhere.disable_trust_anchor().trust_anchor_id(&id).send().await.unwrap();
    assert_eq!(off.trust_anchor().and_then(TrustAnchorDetail::enabled), Some(false));
    let shown = anywhere.get_trust_anchor().trust_anchor_id(&id).send().await.unwrap().trust_anchor.unwrap();
    assert_eq!((shown.name(), shown.enabled()), (Some("ca"), Some(false)));
    assert_eq!(shown.source().and_then(|s| s.source_type()), Some(&TrustAnchorType::CertificateBundle));
    let delete = || anywhere.delete_trust_anchor().trust_anchor_id(&id).send();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "ResourceNotFoundException");

    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.events("eu-west-1", "CreateTrustAnchor").await;
    let worked = events.iter().find(|event| event.get("errorCode").is_none()).unwrap();
    assert_eq!(worked["eventSource"], "rolesanywhere.amazonaws.com");
    assert_eq!(worked["responseElements"]["trustAnchor"]["trustAnchorId"], id.as_str());
    assert_eq!(cloud.event("eu-west-1", "DisableTrustAnchor").await["requestParameters"]["trustAnchorId"], id.as_str());
}

#[tokio::test]
async fn a_profile_is_made_listed_page_by_page_and_deleted() {
    let cloud = Cloud::start().await;
    let anywhere = client(&cloud, "us-east-2");
    let create = |name: &str| anywhere.create_profile().name(name).role_arns(ROLE).enabled(true).send();
    let made = create("one").await.unwrap().profile.unwrap();
    create("two").await.unwrap();
    assert_eq!(made.duration_seconds(), Some(3_600));
    assert_eq!(made.role_arns(), [ROLE]);
    assert_eq!(cloud.account.roles_anywhere_profiles("us-east-2").len(), 2);
    let first = anywhere.list_profiles().page_size(1).send().await.unwrap();
    let rest = anywhere.list_profiles().page_size(1).next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((first.profiles().len(), rest.profiles().len(), rest.next_token()), (1, 1, None));
    let id = made.profile_id().unwrap();
    anywhere.disable_profile().profile_id(id).send().await.unwrap();
    let shown = anywhere.get_profile().profile_id(id).send().await.unwrap();
    assert_eq!(shown.profile().and_then(ProfileDetail::enabled), Some(false));
    anywhere.delete_profile().profile_id(id).send().await.unwrap();
    assert_eq!(code(anywhere.get_profile().profile_id(id).send().await), "ResourceNotFoundException");
    let denied = aws_sdk_rolesanywhere::Client::new(&cloud.config(cloud.keys("irp-bot"), "us-east-2"));
    assert_eq!(code(denied.list_profiles().send().await), "AccessDeniedException");
}
