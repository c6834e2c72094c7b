//! Key pairs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::super::ids;
use super::super::wire::{ApiError, Node};
use super::filters::{Filters, page};
use super::{Call, Region, Tags, bad_value, new_id, tag_set};

#[derive(Clone, Debug)]
pub(in crate::aws) struct Pair {
    pub(in crate::aws) id: String,
    pub(in crate::aws) name: String,
    pub(in crate::aws) fingerprint: String,
    pub(in crate::aws) public_key: String,
    pub(in crate::aws) created_at: DateTime<Utc>,
    pub(in crate::aws) tags: Tags,
}

fn fields(pair: &Pair) -> Vec<(&'static str, Node)> {
    vec![
        ("keyPairId", Node::text(&pair.id)),
        ("keyFingerprint", Node::text(&pair.fingerprint)),
        ("keyName", Node::text(&pair.name)),
        ("tagSet", tag_set(&pair.tags)),
    ]
}

/// Makes the pair with this public key, under the name that the call gives.
fn add(call: &mut Call<'_>, operation: &str, public_key: String) -> Result<Pair, ApiError> {
    let name = call.required("KeyName")?;
    call.permit(operation, &[format!("key-pair/{name}")])?;
    let tags = call.tags_for("key-pair", operation)?;
    if call.here()?.pairs.values().any(|pair| pair.name == name) {
        return Err(ApiError::bad_request("InvalidKeyPair.Duplicate", format!("The keypair already exists: {name}")));
    }
    call.unless_dry()?;
    let fingerprint = BASE64.encode(Sha256::digest(&public_key));
    let pair = Pair { id: new_id("key"), name, fingerprint, public_key, created_at: call.now, tags };
    call.here()?.pairs.insert(pair.id.clone(), pair.clone());
    Ok(pair)
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let pair = add(call, "CreateKeyPair", format!("ssh-ed25519 {}", BASE64.encode(ids::secret())))?;
    let mut fields = fields(&pair);
    let secret = BASE64.encode(ids::secret());
    let material = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----\n");
    fields.push(("keyMaterial", Node::text(material)));
    Ok(Node::Fields(fields))
}

pub(super) fn import(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let material = call.required("PublicKeyMaterial")?;
    let key = BASE64.decode(material).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = key.filter(|key| key.starts_with("ssh-rsa ") || key.starts_with("ssh-ed25519 "));
    let format = || ApiError::bad_request("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    let pair = add(call, "ImportKeyPair", key.ok_or_else(format)?)?;
    Ok(Node::Fields(fields(&pair)))
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (params, filters) = (call.params, Filters::of(call.params));
    let region = call.here()?;
    let (names, ids) = (params.items("KeyName", ""), params.items("KeyPairId", ""));
    if let Some(name) = names.iter().find(|name| !region.pairs.values().any(|pair| pair.name == **name)) {
        return Err(missing(name));
    }
    if let Some(id) = ids.iter().find(|id| !region.pairs.contains_key(**id)) {
        return Err(missing(id));
    }
    let with_key = params.get("IncludePublicKey") == Some("true");
    let any = names.is_empty() && ids.is_empty();
    let asked = |pair: &&Pair| any || names.contains(&pair.name.as_str()) || ids.contains(&pair.id.as_str());
    let mut shown = Vec::new();
    for pair in region.pairs.values().filter(asked) {
        let values = |name: &str| match name {
            "key-name" => Some(vec![pair.name.clone()]),
            "key-pair-id" => Some(vec![pair.id.clone()]),
            "fingerprint" => Some(vec![pair.fingerprint.clone()]),
            _ => None,
        };
        if filters.want(&pair.tags, values)? {
            let mut fields = fields(pair);
            fields.push(("keyType", Node::text(kind(pair))));
            fields.push(("createTime", Node::Time(pair.created_at)));
            if with_key {
                fields.push(("publicKey", Node::text(&pair.public_key)));
            }
            shown.push(Node::Fields(fields));
        }
    }
    page(params, "keySet", shown)
}

fn kind(pair: &Pair) -> &'static str {
    if pair.public_key.starts_with("ssh-rsa ") { "rsa" } else { "ed25519" }
}

/// A pair that is not there is no error: it is as gone as it can be.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (name, id) = (call.params.get("KeyName"), call.params.get("KeyPairId"));
    let (name, id) = (name.map(str::to_owned), id.map(str::to_owned));
    if name.is_none() && id.is_none() {
        return Err(bad_value("Either a key name or a key pair ID must be given."));
    }
    let is_it = |pair: &&Pair| name.as_ref().map_or_else(|| Some(&pair.id) == id.as_ref(), |name| pair.name == *name);
    let found = call.here()?.pairs.values().find(is_it).cloned();
    let named = found.as_ref().map(|pair| pair.name.clone()).or_else(|| name.clone()).unwrap_or_default();
    call.permit("DeleteKeyPair", &[format!("key-pair/{named}")])?;
    call.unless_dry()?;
    let mut fields = vec![("return", Node::Flag(true))];
    if let Some(pair) = found {
        call.here()?.pairs.remove(&pair.id);
        fields.push(("keyPairId", Node::text(pair.id)));
    }
    Ok(Node::Fields(fields))
}

/// Refuses a name that no pair of the Region has.
pub(super) fn check(region: &Region, name: &str) -> Result<(), ApiError> {
    if region.pairs.values().any(|pair| pair.name == name) { Ok(()) } else { Err(missing(name)) }
}

fn missing(name: &str) -> ApiError {
    ApiError::bad_request("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist"))
}
