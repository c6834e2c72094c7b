//! What AWS says of those who let others in: identity providers, and Roles Anywhere's trust anchors and profiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An identity provider of the account.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct IdentityProvider {
    /// Its ARN: one that is made again has the same.
    pub arn: String,
    /// When it was made: that tells it from one of the same ARN.
    pub created_at: String,
    /// The address of an `OpenID` Connect provider.
    pub url: Option<String>,
    /// The clients that an `OpenID` Connect provider vouches to.
    pub clients: Vec<String>,
    /// Of the certificates of an `OpenID` Connect provider.
    pub thumbprints: Vec<String>,
    /// The metadata of a SAML provider, where it is not too long for the log.
    pub metadata: Option<String>,
    /// SHA-256 of the metadata, in hexadecimal.
    pub metadata_sha256: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A trust anchor or a profile of Roles Anywhere.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Anywhere {
    /// A UUID: never given twice.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Whether it lets anybody in.
    pub enabled: bool,
    /// When it was made.
    pub created_at: String,
    /// The certificates of an anchor, or the authority that they come from.
    pub source: Option<String>,
    /// The roles that a profile gives.
    pub roles: Vec<String>,
}
