//! S3, as far as evidence needs it: objects in buckets, versions, Object Lock. Path style only. What it does
//! not know it refuses with `NotImplemented`, so that nothing seems to work that was not looked at.

mod body;
mod bucket;
mod object;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::caller::{Caller, Resource};
use super::policy::{Context, Decision};
use super::wire::{ApiError, escaped};

#[cfg(test)]
pub(super) use bucket::checksum;
pub(super) use bucket::{Bucket, Content, Version};

/// Every bucket by its name.
pub(super) type Buckets = BTreeMap<String, Bucket>;

/// Headers that mean something here, besides `x-amz-meta-…`.
const HEADERS: [&str; 14] = [
    "x-amz-bypass-governance-retention",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha256",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-trailer",
    "x-amz-user-agent",
    "x-amz-server-side-encryption",
];
/// The same for headers that are not S3's own.
const CONDITIONS: [&str; 5] = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range"];
/// Most keys on one page of a list.
const PAGE_MAX: usize = 1_000;
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One request, not looked at by anybody yet.
pub(super) struct Asked {
    bucket: String,
    /// Empty for a request about the bucket.
    key: String,
    query: BTreeMap<String, String>,
    /// Names in lower case.
    headers: BTreeMap<String, String>,
    body: Bytes,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Answer {
    fn new(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    fn xml(root: &str, inside: &str) -> Self {
        let text =
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">{inside}</{root}>");
        Self { body: text.into(), ..Self::new(StatusCode::OK).with("content-type", "application/xml") }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// One request on its way.
pub(super) struct Call<'a> {
    pub(super) buckets: &'a mut Buckets,
    pub(super) account: &'a str,
    pub(super) caller: &'a Caller,
    /// That of the signature.
    pub(super) region: &'a str,
    pub(super) context: Context,
    pub(super) asked: &'a Asked,
    pub(super) now: DateTime<Utc>,
}

impl Asked {
    /// Reads a request, and says which operation it is; empty for one that is not known here.
    pub(super) fn read(parts: &Parts, body: &Bytes) -> Result<(&'static str, Self), ApiError> {
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let unreadable = || ApiError::bad_request("InvalidURI", "Couldn't parse the specified URI.");
        let decoded = |text| percent_decode_str(text).decode_utf8().map_err(|_| unreadable());
        let query: BTreeMap<String, String> =
            serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).map_err(|_| unreadable())?;
        let headers = parts.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        });
        let asked = Self {
            bucket: decoded(bucket)?.into_owned(),
            key: decoded(key)?.into_owned(),
            query,
            headers: headers.collect(),
            body: body.clone(),
        };
        Ok((asked.operation(&parts.method), asked))
    }

    fn operation(&self, method: &Method) -> &'static str {
        let sub: Vec<&str> = self.query.keys().map(String::as_str).filter(|name| *name != "x-id").collect();
        let versioned = sub.iter().all(|name| *name == "versionId");
        match (method, self.key.is_empty()) {
            _ if self.bucket.is_empty() => "",
            (&Method::HEAD, true) if sub.is_empty() => "HeadBucket",
            (&Method::DELETE, true) if sub.is_empty() => "DeleteBucket",
            (&Method::GET, true) if sub == ["object-lock"] => "GetObjectLockConfiguration",
            (&Method::GET, true) if self.query.get("list-type").is_some_and(|v| v == "2") => "ListObjectsV2",
            (&Method::PUT, false) if sub.is_empty() => "PutObject",
            (&Method::GET, false) if versioned => "GetObject",
            (&Method::HEAD, false) if versioned => "HeadObject",
            (&Method::DELETE, false) if versioned => "DeleteObject",
            _ => "",
        }
    }

    /// Whether it is about this bucket, or something in it.
    pub(super) fn is_about(&self, bucket: &str) -> bool {
        self.bucket == bucket
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// As the trail has it.
    pub(super) fn to_trail(&self) -> Value {
        self.to_journal().into_iter().map(|(name, value)| (name, json!(value))).collect::<Map<_, _>>().into()
    }

    /// As the journal has it: what was asked about, and the headers that are S3's own.
    pub(super) fn to_journal(&self) -> BTreeMap<String, String> {
        let telling = |name: &str| {
            ["x-amz-object-lock", "x-amz-checksum", "x-amz-bypass", "x-amz-meta"].iter().any(|h| name.starts_with(h))
                || CONDITIONS.contains(&name)
        };
        let named = [("bucketName", &self.bucket), ("key", &self.key)].map(|(n, v)| (n.to_owned(), v.clone()));
        let asked = self.query.iter().chain(self.headers.iter().filter(|(name, _)| telling(name)));
        named
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .chain(asked.map(|(name, value)| (name.clone(), value.clone())))
            .collect()
    }
}

/// The name of an operation's event, whether it only reads, and whether it is a data event.
pub(super) fn event(operation: &str) -> Option<(&'static str, bool, bool)> {
    Some(match operation {
        "GetObjectLockConfiguration" => ("GetBucketObjectLockConfiguration", true, false),
        "HeadBucket" => ("HeadBucket", true, false),
        "DeleteBucket" => ("DeleteBucket", false, false),
        "ListObjectsV2" => ("ListObjects", true, true),
        "GetObject" => ("GetObject", true, true),
        "HeadObject" => ("HeadObject", true, true),
        "PutObject" => ("PutObject", false, true),
        "DeleteObject" => ("DeleteObject", false, true),
        _ => return None,
    })
}

/// The refusal of what is not known here.
pub(super) fn not_implemented(what: &str) -> ApiError {
    let sentence = format!("A header or parameter implies functionality that is not implemented: {what}");
    ApiError::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", sentence)
}

impl Call<'_> {
    /// Carries out an operation that [`Asked::read`] has named.
    pub(super) fn run(mut self, operation: &str) -> Result<Answer, ApiError> {
        self.refuse_unknown()?;
        let name = &self.asked.bucket;
        let Some(bucket) = self.buckets.get(name) else {
            return Err(ApiError::new(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist"));
        };
        if operation == "HeadBucket" {
            return self.head_bucket();
        }
        if bucket.region != self.region {
            return Err(ApiError::bad_request(
                "AuthorizationHeaderMalformed",
                format!(
                    "The authorization header is malformed; the region '{}' is wrong; expecting '{}'",
                    self.region, bucket.region
                ),
            ));
        }
        if self.asked.header("x-amz-expected-bucket-owner").is_some_and(|owner| owner != self.account) {
            return Err(ApiError::forbidden("AccessDenied", "Access Denied"));
        }
        match operation {
            "DeleteBucket" => self.delete_bucket(),
            "GetObjectLockConfiguration" => self.lock_configuration(),
            "ListObjectsV2" => self.list(),
            "PutObject" => self.put(),
            "GetObject" => self.get(true),
            "HeadObject" => self.get(false),
            "DeleteObject" => self.delete(),
            other => Err(not_implemented(other)),
        }
    }

    fn refuse_unknown(&self) -> Result<(), ApiError> {
        for name in self.asked.headers.keys() {
            let own = name.starts_with("x-amz-");
            if own && !HEADERS.contains(&name.as_str()) && !name.starts_with("x-amz-meta-") {
                return Err(not_implemented(name));
            }
            if CONDITIONS.contains(&name.as_str()) && name != "if-none-match" {
                return Err(not_implemented(name));
            }
        }
        Ok(())
    }

    /// Asks permission for something about the bucket, or about the object.
    fn authorize(&self, action: &str) -> Result<(), ApiError> {
        let arn = self.arn(action);
        let resource = Resource { label: format!("\"{arn}\""), arn };
        self.caller.authorize(&format!("s3:{action}"), &resource, &self.context)
    }

    fn may(&self, action: &str) -> bool {
        let (action, arn) = (format!("s3:{action}"), self.arn(action));
        let (caller, context) = (self.caller, &self.context);
        caller.identity_decision(&action, &arn, context) == Decision::Allow
            && caller.session_decision(&action, &arn, context) == Decision::Allow
            && caller.guard_decision(&action, &arn, context) == Decision::Allow
    }

    fn arn(&self, action: &str) -> String {
        let bucket = format!("arn:aws:s3:::{}", self.asked.bucket);
        let about_bucket = matches!(action, "DeleteBucket" | "ListBucket" | "GetBucketObjectLockConfiguration");
        if about_bucket { bucket } else { format!("{bucket}/{}", self.asked.key) }
    }

    fn bucket(&self) -> &Bucket {
        &self.buckets[&self.asked.bucket]
    }

    /// Whoever asks in another Region than the bucket's hears where it is, and nothing else.
    fn head_bucket(&self) -> Result<Answer, ApiError> {
        let region = self.bucket().region.clone();
        let mut status = StatusCode::MOVED_PERMANENTLY;
        if region == self.region {
            self.authorize("ListBucket")?;
            status = StatusCode::OK;
        }
        Ok(Answer::new(status).with("x-amz-bucket-region", region))
    }

    /// Only an empty one goes.
    fn delete_bucket(&mut self) -> Result<Answer, ApiError> {
        self.authorize("DeleteBucket")?;
        if !self.bucket().is_empty() {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        self.buckets.remove(&self.asked.bucket);
        Ok(Answer::new(StatusCode::NO_CONTENT))
    }

    fn lock_configuration(&self) -> Result<Answer, ApiError> {
        self.authorize("GetBucketObjectLockConfiguration")?;
        if !self.bucket().object_lock {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
            ));
        }
        Ok(Answer::xml("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"))
    }

    /// A page of the objects that are there, in the order of their keys.
    fn list(&self) -> Result<Answer, ApiError> {
        let asked = |name: &str| self.asked.query.get(name).map(String::as_str);
        let known = ["list-type", "prefix", "max-keys", "continuation-token", "start-after", "x-id"];
        if let Some(other) = self.asked.query.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(not_implemented(other));
        }
        self.authorize("ListBucket")?;
        let max = asked("max-keys").map_or(Ok(PAGE_MAX), str::parse).map_err(|_| {
            ApiError::bad_request("InvalidArgument", "Provided max-keys not an integer or within integer range")
        })?;
        let (prefix, after) = (asked("prefix").unwrap_or_default(), asked("continuation-token"));
        let after = after.or_else(|| asked("start-after")).unwrap_or_default();
        let mut found = self.bucket().current().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let page: Vec<_> = found.by_ref().take(max.min(PAGE_MAX)).collect();
        let more = found.next().is_some();
        let mut inside = format!(
            "<Name>{}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{max}</MaxKeys><IsTruncated>{more}</IsTruncated>",
            escaped(&self.asked.bucket),
            escaped(prefix),
            page.len()
        );
        if let Some((last, _)) = page.last().filter(|_| more) {
            _ = write!(inside, "<NextContinuationToken>{}</NextContinuationToken>", escaped(last));
        }
        for (key, version) in page {
            _ = write!(
                inside,
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                escaped(key),
                version.at.to_rfc3339_opts(SecondsFormat::Millis, true),
                escaped(&version.etag()),
                version.content.as_ref().map_or(0, |content| content.bytes.len())
            );
        }
        Ok(Answer::xml("ListBucketResult", &inside))
    }
}
