//! Identity providers: SAML and `OpenID` Connect. Whoever one vouches for can take the roles that trust it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{checked_name, tags, tags_from};
use crate::aws::ids;
use crate::aws::operation::Call;
use crate::aws::state::World;
use crate::aws::wire::{ApiError, Node};

/// Characters of a SAML metadata document.
const METADATA_MIN: usize = 1_000;
const METADATA_MAX: usize = 10_000_000;
/// How long a provider's metadata is good for, unless it says something else.
const METADATA_LASTS: TimeDelta = TimeDelta::days(36_500);
const CLIENTS_MAX: usize = 100;
const THUMBPRINTS_MAX: usize = 5;
const PROVIDERS_MAX: usize = 100;

/// An identity provider that speaks SAML 2.0.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Saml {
    pub(in crate::aws) metadata: String,
    pub(in crate::aws) id: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) tags: BTreeMap<String, String>,
}

/// One that speaks `OpenID` Connect.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Oidc {
    /// Without `https://`, as IAM shows it.
    pub(in crate::aws) url: String,
    pub(in crate::aws) clients: BTreeSet<String>,
    pub(in crate::aws) thumbprints: Vec<String>,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) tags: BTreeMap<String, String>,
}

fn full(quota: &str) -> ApiError {
    ApiError::conflict("LimitExceeded", format!("Cannot exceed quota for {quota}: {PROVIDERS_MAX}"))
}

fn no_saml(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("Manifest not found for arn {arn}"))
}

fn saml<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Saml, ApiError> {
    let arn = call.params.required("SAMLProviderArn")?;
    call.world.iam.saml.get_mut(arn).ok_or_else(|| no_saml(arn))
}

fn metadata(call: &Call<'_>) -> Result<String, ApiError> {
    let text = call.params.required("SAMLMetadataDocument")?;
    if !(METADATA_MIN..=METADATA_MAX).contains(&text.len()) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value at 'sAMLMetadataDocument' failed to satisfy constraint: Member must have length between {METADATA_MIN} and {METADATA_MAX}"
        )));
    }
    if !text.contains("EntityDescriptor") {
        return Err(ApiError::bad_request("InvalidInput", "Could not parse metadata"));
    }
    Ok(text.to_owned())
}

pub(super) fn create_saml(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let name = checked_name(call.params, "Name")?;
    let arn = format!("arn:aws:iam::{}:saml-provider/{name}", call.world.account);
    let metadata = metadata(call)?;
    if call.world.iam.saml.contains_key(&arn) {
        return Err(ApiError::conflict("EntityAlreadyExists", format!("Provider with name {name} already exists.")));
    }
    if call.world.iam.saml.len() == PROVIDERS_MAX {
        return Err(full("SAMLProvidersPerAccount"));
    }
    let provider = Saml {
        metadata,
        id: format!("samlp-{}", &ids::secret()[..17]),
        created_at: call.now,
        tags: tags_from(call.params),
    };
    call.world.iam.saml.insert(arn.clone(), provider);
    Ok(Node::Fields(vec![("SAMLProviderArn", Node::text(arn))]))
}

pub(super) fn get_saml(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let provider = saml(call)?;
    Ok(Node::Fields(vec![
        ("SAMLMetadataDocument", Node::text(&provider.metadata)),
        ("SAMLProviderUUID", Node::text(&provider.id)),
        ("CreateDate", Node::Time(provider.created_at)),
        ("ValidUntil", Node::Time(provider.created_at + METADATA_LASTS)),
        ("Tags", Node::Members(tags(&provider.tags))),
    ]))
}

/// All at once: the call has no pages.
pub(super) fn list_saml(call: &Call<'_>) -> Node {
    let one = |(arn, provider): (&String, &Saml)| {
        Node::Fields(vec![
            ("Arn", Node::text(arn)),
            ("ValidUntil", Node::Time(provider.created_at + METADATA_LASTS)),
            ("CreateDate", Node::Time(provider.created_at)),
        ])
    };
    let all = call.world.iam.saml.iter().map(one).collect();
    Node::Fields(vec![("SAMLProviderList", Node::Members(all))])
}

pub(super) fn update_saml(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("SAMLProviderArn")?.to_owned();
    let metadata = metadata(call)?;
    saml(call)?.metadata = metadata;
    Ok(Node::Fields(vec![("SAMLProviderArn", Node::text(arn))]))
}

/// Roles that trust it stay as they are.
pub(super) fn delete_saml(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("SAMLProviderArn")?;
    call.world.iam.saml.remove(arn).map(|_| Node::empty()).ok_or_else(|| no_saml(arn))
}

fn no_oidc(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

fn oidc<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Oidc, ApiError> {
    let arn = call.params.required("OpenIDConnectProviderArn")?;
    call.world.iam.oidc.get_mut(arn).ok_or_else(|| no_oidc(arn))
}

fn thumbprints(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    let given = call.params.members("ThumbprintList", "");
    if given.len() > THUMBPRINTS_MAX {
        return Err(ApiError::bad_request(
            "InvalidInput",
            format!("Thumbprint list must contain fewer than {THUMBPRINTS_MAX} entries."),
        ));
    }
    let is_sha1 = |text: &&str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if given.iter().all(is_sha1) {
        return Ok(given.into_iter().map(str::to_owned).collect());
    }
    Err(ApiError::validation(
        "1 validation error detected: Value at 'thumbprintList' failed to satisfy constraint: Member must have length equal to 40",
    ))
}

pub(super) fn create_oidc(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let address = call.params.required("Url")?;
    let Some(url) = address.strip_prefix("https://").filter(|rest| !rest.is_empty() && !rest.contains('?')) else {
        return Err(ApiError::validation("Invalid Open ID Connect Provider URL"));
    };
    let url = url.trim_end_matches('/').to_owned();
    let arn = oidc_arn(call.world, &url);
    let thumbprints = thumbprints(call)?;
    let clients: BTreeSet<String> = call.params.members("ClientIDList", "").into_iter().map(str::to_owned).collect();
    if clients.len() > CLIENTS_MAX {
        let sentence = format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENTS_MAX}");
        return Err(ApiError::conflict("LimitExceeded", sentence));
    }
    if call.world.iam.oidc.contains_key(&arn) {
        let sentence = format!("Provider with url {address} already exists.");
        return Err(ApiError::conflict("EntityAlreadyExists", sentence));
    }
    if call.world.iam.oidc.len() == PROVIDERS_MAX {
        return Err(full("OpenIdConnectProvidersPerAccount"));
    }
    let provider = Oidc { url, clients, thumbprints, created_at: call.now, tags: tags_from(call.params) };
    call.world.iam.oidc.insert(arn.clone(), provider);
    Ok(Node::Fields(vec![("OpenIDConnectProviderArn", Node::text(arn))]))
}

fn oidc_arn(world: &World, url: &str) -> String {
    format!("arn:aws:iam::{}:oidc-provider/{url}", world.account)
}

pub(super) fn get_oidc(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let provider = oidc(call)?;
    let texts = |all: &mut dyn Iterator<Item = &String>| Node::Members(all.map(Node::text).collect());
    Ok(Node::Fields(vec![
        ("Url", Node::text(&provider.url)),
        ("ClientIDList", texts(&mut provider.clients.iter())),
        ("ThumbprintList", texts(&mut provider.thumbprints.iter())),
        ("CreateDate", Node::Time(provider.created_at)),
        ("Tags", Node::Members(tags(&provider.tags))),
    ]))
}

/// All at once: the call has no pages.
pub(super) fn list_oidc(call: &Call<'_>) -> Node {
    let all = call.world.iam.oidc.keys().map(|arn| Node::Fields(vec![("Arn", Node::text(arn))])).collect();
    Node::Fields(vec![("OpenIDConnectProviderList", Node::Members(all))])
}

pub(super) fn update_thumbprints(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let thumbprints = thumbprints(call)?;
    oidc(call)?.thumbprints = thumbprints;
    Ok(Node::empty())
}

/// One that is there already is no error.
pub(super) fn add_client(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let client = call.params.required("ClientID")?.to_owned();
    oidc(call)?.clients.insert(client);
    Ok(Node::empty())
}

/// One that is not there is no error.
pub(super) fn remove_client(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let client = call.params.required("ClientID")?.to_owned();
    oidc(call)?.clients.remove(&client);
    Ok(Node::empty())
}

/// One that is not there is no error, unlike with SAML; roles that trust it stay as they are.
pub(super) fn delete_oidc(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let arn = call.params.required("OpenIDConnectProviderArn")?;
    call.world.iam.oidc.remove(arn);
    Ok(Node::empty())
}
