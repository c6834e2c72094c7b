//! What a bucket holds. One with Object Lock keeps every version; any other keeps the last.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::aws::ids;

#[derive(Debug)]
pub(in crate::aws) struct Bucket {
    pub(in crate::aws) region: String,
    /// Such a bucket is always versioned.
    pub(in crate::aws) object_lock: bool,
    /// Of each key the oldest first.
    versions: BTreeMap<String, Vec<Version>>,
}

/// One state of a key.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Version {
    pub(in crate::aws) id: String,
    pub(in crate::aws) at: DateTime<Utc>,
    /// `None` for a delete marker.
    pub(in crate::aws) content: Option<Content>,
}

#[derive(Clone, Debug)]
pub(in crate::aws) struct Content {
    pub(in crate::aws) bytes: Bytes,
    /// The checksum that it came with, in base64.
    pub(super) checksum: Option<String>,
    pub(super) media_type: String,
    /// With the prefix of their headers.
    pub(super) metadata: BTreeMap<String, String>,
    pub(in crate::aws) retention: Option<Retention>,
}

impl Content {
    /// Of an object that a service of AWS puts.
    pub(in crate::aws) fn plain(bytes: Bytes, media_type: &str) -> Self {
        Self { bytes, checksum: None, media_type: media_type.to_owned(), metadata: BTreeMap::new(), retention: None }
    }
}

/// Until when a version cannot be deleted.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Retention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub(in crate::aws) mode: String,
    pub(in crate::aws) until: DateTime<Utc>,
}

impl Version {
    /// In quotes; opaque, as that of an object encrypted with a key of KMS.
    pub(super) fn etag(&self) -> String {
        let bytes = self.content.as_ref().map_or(&b""[..], |content| &content.bytes);
        format!("\"{}\"", &hex::encode(Sha256::digest(bytes))[..32])
    }
}

impl Bucket {
    pub(in crate::aws) fn new(region: &str, object_lock: bool) -> Self {
        Self { region: region.to_owned(), object_lock, versions: BTreeMap::new() }
    }

    /// Whether there is no version of anything in it.
    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Every version of a key, the oldest first.
    pub(in crate::aws) fn versions(&self, key: &str) -> &[Version] {
        self.versions.get(key).map_or(&[], Vec::as_slice)
    }

    /// The object that a key names now, if it names one.
    pub(super) fn object(&self, key: &str) -> Option<&Version> {
        self.versions(key).last().filter(|version| version.content.is_some())
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.versions(key).iter().find(|version| version.id == id)
    }

    /// Every object that is there, in the order of their keys.
    pub(in crate::aws) fn current(&self) -> impl Iterator<Item = (&String, &Version)> {
        self.versions.keys().filter_map(|key| Some((key, self.object(key)?)))
    }

    /// Adds a version, or replaces the only one.
    pub(in crate::aws) fn add(&mut self, key: &str, at: DateTime<Utc>, content: Option<Content>) -> &Version {
        let versions = self.versions.entry(key.to_owned()).or_default();
        let id = if self.object_lock { ids::uuid().replace('-', "") } else { "null".to_owned() };
        versions.retain(|version| version.id != id);
        versions.push(Version { id, at, content });
        &versions[versions.len() - 1]
    }

    /// Deletes a version for good.
    pub(super) fn remove(&mut self, key: &str, id: &str) {
        if let Some(versions) = self.versions.get_mut(key) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.versions.remove(key);
            }
        }
    }
}

/// SHA-256 as S3's checksum headers have it.
pub(in crate::aws) fn checksum(bytes: &[u8]) -> String {
    BASE64.encode(Sha256::digest(bytes))
}
