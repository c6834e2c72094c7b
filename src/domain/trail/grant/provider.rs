//! Identity providers: what a call makes of whom one vouches for.

use serde_json::Value;

use super::Grant;
use crate::domain::trail::record::Record;
use crate::domain::trail::resource::at;

/// What a call has made of an identity provider or a trust anchor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Vouch {
    /// It is the caller's, who has made or opened it.
    Made,
    /// It takes tokens for this client too.
    Client(String),
    /// It is known by other metadata or thumbprints than before.
    Set,
    /// It takes tokens for this client no more.
    NotClient(String),
    /// It is gone.
    Gone,
}

impl Vouch {
    /// Whether somebody comes in by it who has not before.
    pub const fn lets_in(&self) -> bool {
        matches!(self, Self::Made | Self::Client(_) | Self::Set)
    }

    /// Whether nothing is left of it after a later call.
    pub fn ends_with(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Client(client), Self::NotClient(other)) => client == other,
            (Self::Set, Self::Set) => true,
            (_, later) => matches!(later, Self::Made | Self::Gone),
        }
    }
}

/// What a call to IAM has made of a provider.
pub(super) fn changed(record: &Record<'_>, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let name = record.name();
    let key = if name.contains("SAML") { "sAMLProviderArn" } else { "openIDConnectProviderArn" };
    let first = |tree: &Value, path: &str| at(tree, path).into_iter().next();
    let Some(arn) = first(response, key).or_else(|| first(request, key)) else { return };
    let client = || first(request, "clientID").unwrap_or_default();
    let vouch = match name {
        "AddClientIDToOpenIDConnectProvider" => Vouch::Client(client()),
        "RemoveClientIDFromOpenIDConnectProvider" => Vouch::NotClient(client()),
        // It can be given keys that open assertions, too: those let nobody in.
        "UpdateSAMLProvider" if first(request, "sAMLMetadataDocument").is_none() => return,
        "UpdateSAMLProvider" | "UpdateOpenIDConnectProviderThumbprint" => Vouch::Set,
        "DeleteSAMLProvider" | "DeleteOpenIDConnectProvider" => Vouch::Gone,
        _ => Vouch::Made,
    };
    out.push(Grant::Provider { arn, vouch });
}
