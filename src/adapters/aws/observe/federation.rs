//! Reads identity providers, and what is in Roles Anywhere.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;
use aws_sdk_rolesanywhere::types::{ProfileDetail, SourceData, TrustAnchorDetail};
use sha2::{Digest, Sha256};

use super::{fault, present};
use crate::adapters::aws::AccountClients;
use crate::adapters::aws::regional::Regional;
use crate::domain::observation::{Anywhere, IdentityProvider, Observation};
use crate::ports::CloudError;

/// The longest metadata document that the log keeps, in bytes; ordinary ones have a few thousand.
const METADATA_BYTES_MAX: usize = 32 << 10;

type Read<T> = Result<T, CloudError>;

/// Asks, and takes what is not there for nothing.
macro_rules! asked {
    ($operation:literal, $call:expr) => {
        present(Box::pin($call).await.map_err(|e| fault($operation, &e)))
    };
}

pub(super) async fn identity_provider(iam: &Client, arn: &str) -> Read<Observation> {
    if arn.contains(":saml-provider/") { saml(iam, arn).await } else { oidc(iam, arn).await }
}

async fn saml(iam: &Client, arn: &str) -> Read<Observation> {
    let Some(found) = asked!("iam:GetSAMLProvider", iam.get_saml_provider().saml_provider_arn(arn).send())? else {
        return Ok(Observation::OwnerMissing);
    };
    let metadata = found.saml_metadata_document;
    Ok(Observation::IdentityProvider(IdentityProvider {
        arn: arn.to_owned(),
        created_at: time(found.create_date.as_ref()),
        url: None,
        clients: Vec::new(),
        thumbprints: Vec::new(),
        metadata_sha256: metadata.as_ref().map(|text| hex::encode(Sha256::digest(text.as_bytes()))),
        metadata: metadata.filter(|text| text.len() <= METADATA_BYTES_MAX),
        tags: tags(found.tags),
    }))
}

async fn oidc(iam: &Client, arn: &str) -> Read<Observation> {
    let asked = iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send();
    let Some(found) = asked!("iam:GetOpenIDConnectProvider", asked)? else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::IdentityProvider(IdentityProvider {
        arn: arn.to_owned(),
        created_at: time(found.create_date.as_ref()),
        url: found.url,
        clients: found.client_id_list.unwrap_or_default(),
        thumbprints: found.thumbprint_list.unwrap_or_default(),
        metadata: None,
        metadata_sha256: None,
        tags: tags(found.tags),
    }))
}

fn time(at: Option<&aws_smithy_types::DateTime>) -> String {
    at.map(ToString::to_string).unwrap_or_default()
}

fn tags(tags: Option<Vec<Tag>>) -> std::collections::BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

pub(super) async fn trust_anchor(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    let Regional { rolesanywhere, .. } = &*account.regions.of(region);
    let asked = rolesanywhere.get_trust_anchor().trust_anchor_id(id).send();
    let found = asked!("rolesanywhere:GetTrustAnchor", asked)?.and_then(|answer| answer.trust_anchor);
    Ok(found.map_or(Observation::OwnerMissing, |anchor| Observation::Anywhere(of_anchor(id, anchor))))
}

fn of_anchor(id: &str, anchor: TrustAnchorDetail) -> Anywhere {
    let source = anchor.source.and_then(|source| source.source_data).map(|data| match data {
        SourceData::X509CertificateData(certificates) => certificates,
        SourceData::AcmPcaArn(arn) => arn,
        _ => "a kind of source that this program does not know".to_owned(),
    });
    Anywhere {
        id: id.to_owned(),
        arn: anchor.trust_anchor_arn.unwrap_or_default(),
        name: anchor.name.unwrap_or_default(),
        enabled: anchor.enabled.unwrap_or_default(),
        created_at: time(anchor.created_at.as_ref()),
        source,
        roles: Vec::new(),
    }
}

pub(super) async fn profile(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    let Regional { rolesanywhere, .. } = &*account.regions.of(region);
    let asked = rolesanywhere.get_profile().profile_id(id).send();
    let found = asked!("rolesanywhere:GetProfile", asked)?.and_then(|answer| answer.profile);
    Ok(found.map_or(Observation::OwnerMissing, |profile| Observation::Anywhere(of_profile(id, profile))))
}

fn of_profile(id: &str, profile: ProfileDetail) -> Anywhere {
    Anywhere {
        id: id.to_owned(),
        arn: profile.profile_arn.unwrap_or_default(),
        name: profile.name.unwrap_or_default(),
        enabled: profile.enabled.unwrap_or_default(),
        created_at: time(profile.created_at.as_ref()),
        source: None,
        roles: profile.role_arns.unwrap_or_default(),
    }
}
