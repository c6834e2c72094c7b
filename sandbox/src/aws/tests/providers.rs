//! Identity providers.

use chrono::TimeDelta;

use super::{Cloud, code};

const SAML: &str = "arn:aws:iam::111122223333:saml-provider/okta";
const OIDC: &str = "arn:aws:iam::111122223333:oidc-provider/id.example.org/a";

fn metadata(letter: &str) -> String {
    format!("<EntityDescriptor entityID=\"{}\"/>", letter.repeat(1_000))
}

#[tokio::test]
async fn a_saml_provider_is_made_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let create = |document: String| iam.create_saml_provider().name("okta").saml_metadata_document(document).send();
    assert_eq!(code(create("<EntityDescriptor/>".to_owned()).await), "ValidationError", "it is too short");
    assert_eq!(code(create("x".repeat(1_000)).await), "InvalidInput");
    assert_eq!(create(metadata("a")).await.unwrap().saml_provider_arn(), Some(SAML));
    assert_eq!(code(create(metadata("a")).await), "EntityAlreadyExists");
    let listed = iam.list_saml_providers().send().await.unwrap();
    let arns: Vec<_> = listed.saml_provider_list().iter().filter_map(|provider| provider.arn()).collect();
    assert_eq!(arns.len(), 2, "with the one of Identity Center: {arns:?}");
    iam.update_saml_provider().saml_provider_arn(SAML).saml_metadata_document(metadata("b")).send().await.unwrap();
    let shown = iam.get_saml_provider().saml_provider_arn(SAML).send().await.unwrap();
    assert_eq!(shown.saml_metadata_document(), Some(metadata("b").as_str()));
    assert!(shown.valid_until() > shown.create_date());
    let delete = || iam.delete_saml_provider().saml_provider_arn(SAML).send();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "NoSuchEntity");
    assert_eq!(code(iam.get_saml_provider().saml_provider_arn(SAML).send().await), "NoSuchEntity");
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.events("us-east-1", "CreateSAMLProvider").await;
    let worked = events.iter().find(|event| event.get("errorCode").is_none()).unwrap();
    assert_eq!(worked["responseElements"]["sAMLProviderArn"], SAML);
    assert_eq!(worked["requestParameters"]["name"], "okta");
}

#[tokio::test]
async fn an_openid_connect_provider_is_made_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let create = |url: &str| {
        let asked = iam.create_open_id_connect_provider().url(url).client_id_list("sts.amazonaws.com");
        asked.thumbprint_list("a".repeat(40)).send()
    };
    assert_eq!(code(create("http://id.example.org").await), "ValidationError");
    let made = create("https://id.example.org/a").await.unwrap();
    assert_eq!(made.open_id_connect_provider_arn(), Some(OIDC));
    assert_eq!(code(create("https://id.example.org/a").await), "EntityAlreadyExists");
    assert_eq!(iam.list_open_id_connect_providers().send().await.unwrap().open_id_connect_provider_list().len(), 2);
    let of = iam.add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(OIDC).client_id("x");
    of.send().await.unwrap();
    let of = iam.update_open_id_connect_provider_thumbprint().open_id_connect_provider_arn(OIDC);
    assert_eq!(code(of.clone().thumbprint_list("short").send().await), "ValidationError");
    of.thumbprint_list("b".repeat(40)).send().await.unwrap();
    let get = || iam.get_open_id_connect_provider().open_id_connect_provider_arn(OIDC).send();
    let shown = get().await.unwrap();
    assert_eq!((shown.url(), shown.client_id_list().len()), (Some("id.example.org/a"), 2));
    assert_eq!(shown.thumbprint_list(), ["b".repeat(40)]);
    let of = iam.remove_client_id_from_open_id_connect_provider().open_id_connect_provider_arn(OIDC);
    of.client_id("x").send().await.unwrap();
    assert_eq!(get().await.unwrap().client_id_list(), ["sts.amazonaws.com"]);
    let delete = || iam.delete_open_id_connect_provider().open_id_connect_provider_arn(OIDC).send();
    delete().await.unwrap();
    delete().await.expect("deleting it twice is no error");
    assert_eq!(code(get().await), "NoSuchEntity");
    let denied = cloud.iam(cloud.keys("irp-bot"));
    let denied = denied.delete_open_id_connect_provider().open_id_connect_provider_arn(OIDC).send().await;
    assert_eq!(code(denied), "AccessDenied");
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.events("us-east-1", "CreateOpenIDConnectProvider").await;
    let worked = events.iter().find(|event| event.get("errorCode").is_none()).unwrap();
    assert_eq!(worked["responseElements"]["openIDConnectProviderArn"], OIDC);
    assert_eq!(worked["requestParameters"]["clientIDList"][0], "sts.amazonaws.com");
}
