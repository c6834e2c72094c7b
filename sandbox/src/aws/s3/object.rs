//! Objects: put, read, deleted; and what Object Lock says to it.
//! See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};

use super::bucket::{Content, Retention, Version};
use super::{Answer, Call, not_implemented};
use crate::aws::wire::ApiError;

const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";

impl Call<'_> {
    pub(super) fn put(&mut self) -> Result<Answer, ApiError> {
        for (condition, header) in [("s3:object-lock-mode", MODE), ("s3:if-none-match", "if-none-match")] {
            if let Some(value) = self.asked.header(header) {
                self.context.insert(condition, value.to_owned());
            }
        }
        self.authorize("PutObject")?;
        let retention = self.retention()?;
        let (bytes, checksum) = self.asked.content()?;
        if retention.is_some() && checksum.is_none() {
            return Err(ApiError::bad_request(
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
            ));
        }
        let key = &self.asked.key;
        match self.asked.header("if-none-match") {
            None => {}
            Some("*") if self.bucket().object(key).is_none() => {}
            Some("*") => {
                return Err(ApiError::new(
                    StatusCode::PRECONDITION_FAILED,
                    "PreconditionFailed",
                    "At least one of the pre-conditions you specified did not hold",
                ));
            }
            Some(_) => return Err(not_implemented("if-none-match")),
        }
        let metadata = self.asked.headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-"));
        let content = Content {
            bytes,
            checksum: checksum.clone(),
            media_type: self.asked.header("content-type").unwrap_or("binary/octet-stream").to_owned(),
            metadata: metadata.map(|(name, value)| (name.clone(), value.clone())).collect(),
            retention,
        };
        let at = self.now;
        let Some(bucket) = self.buckets.get_mut(&self.asked.bucket) else { return Err(ApiError::internal()) };
        let version = bucket.add(key, at, Some(content));
        let answer =
            Answer::new(StatusCode::OK).with("etag", version.etag()).with("x-amz-server-side-encryption", "AES256");
        Ok(with_checksum(with_version(answer, version), checksum.as_deref()))
    }

    /// What the lock's headers ask for, if they may.
    fn retention(&self) -> Result<Option<Retention>, ApiError> {
        let (mode, until) = match (self.asked.header(MODE), self.asked.header(UNTIL)) {
            (None, None) => return Ok(None),
            (Some(mode), Some(until)) => (mode, until),
            _ => {
                return Err(ApiError::bad_request(
                    "InvalidArgument",
                    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
                ));
            }
        };
        self.authorize("PutObjectRetention")?;
        if !self.bucket().object_lock {
            return Err(ApiError::bad_request("InvalidRequest", "Bucket is missing Object Lock Configuration"));
        }
        if !matches!(mode, "GOVERNANCE" | "COMPLIANCE") {
            return Err(ApiError::bad_request("InvalidArgument", "Unknown wormMode directive."));
        }
        let until = DateTime::parse_from_rfc3339(until).map_err(|_| {
            ApiError::bad_request("InvalidArgument", "The retain until date must be provided in ISO 8601 format")
        })?;
        if until <= self.now {
            return Err(ApiError::bad_request("InvalidArgument", "The retain until date must be in the future!"));
        }
        Ok(Some(Retention { mode: mode.to_owned(), until: until.to_utc() }))
    }

    /// Reads an object, or only what is known about it.
    pub(super) fn get(&self, with_body: bool) -> Result<Answer, ApiError> {
        let key = &self.asked.key;
        let version = if let Some(id) = self.asked.query.get("versionId") {
            self.authorize("GetObjectVersion")?;
            self.bucket().version(key, id)
        } else {
            self.authorize("GetObject")?;
            self.bucket().object(key)
        };
        let Some((version, content)) = version.and_then(|version| Some((version, version.content.as_ref()?))) else {
            // Whether something is there is told only to those who may list.
            self.authorize("ListBucket")?;
            let (code, what) = match self.asked.query.get("versionId") {
                Some(_) => ("NoSuchVersion", "The specified version does not exist."),
                None => ("NoSuchKey", "The specified key does not exist."),
            };
            return Err(ApiError::new(StatusCode::NOT_FOUND, code, what));
        };
        let mut answer = Answer::new(StatusCode::OK)
            .with("etag", version.etag())
            .with("last-modified", version.at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
            .with("content-type", content.media_type.clone())
            .with("x-amz-server-side-encryption", "AES256");
        answer.headers.extend(content.metadata.clone());
        if self.asked.header("x-amz-checksum-mode") == Some("ENABLED") {
            answer = with_checksum(answer, content.checksum.as_deref());
        }
        // Shown only to those who may see it.
        if let Some(retention) = content.retention.as_ref().filter(|_| self.may("GetObjectRetention")) {
            answer = answer.with(MODE, retention.mode.clone()).with(UNTIL, instant(retention.until));
        }
        answer = with_version(answer, version).with("content-length", content.bytes.len().to_string());
        if with_body {
            answer.body = content.bytes.clone();
        }
        Ok(answer)
    }

    /// Puts a delete marker, or deletes the version that is named.
    pub(super) fn delete(&mut self) -> Result<Answer, ApiError> {
        let (key, now) = (&self.asked.key, self.now);
        let id = self.asked.query.get("versionId");
        self.authorize(if id.is_some() { "DeleteObjectVersion" } else { "DeleteObject" })?;
        let id = match id {
            Some(id) => id.as_str(),
            None if !self.bucket().object_lock => "null",
            None => {
                let Some(bucket) = self.buckets.get_mut(&self.asked.bucket) else { return Err(ApiError::internal()) };
                let marker = bucket.add(key, now, None);
                let answer = Answer::new(StatusCode::NO_CONTENT).with("x-amz-delete-marker", "true");
                return Ok(with_version(answer, marker));
            }
        };
        let kept = self.bucket().version(key, id).and_then(|version| version.content.as_ref()?.retention.clone());
        if let Some(retention) = kept.filter(|retention| retention.until > now) {
            let bypass = self.asked.header("x-amz-bypass-governance-retention") == Some("true");
            if retention.mode != "GOVERNANCE" || !bypass || !self.may("BypassGovernanceRetention") {
                return Err(ApiError::forbidden(
                    "AccessDenied",
                    "Access Denied because object protected by object lock.",
                ));
            }
        }
        let Some(bucket) = self.buckets.get_mut(&self.asked.bucket) else { return Err(ApiError::internal()) };
        bucket.remove(key, id);
        let answer = Answer::new(StatusCode::NO_CONTENT);
        Ok(if id == "null" { answer } else { answer.with("x-amz-version-id", id) })
    }
}

/// A bucket without versions has none to tell.
fn with_version(answer: Answer, version: &Version) -> Answer {
    if version.id == "null" { answer } else { answer.with("x-amz-version-id", version.id.clone()) }
}

fn with_checksum(answer: Answer, checksum: Option<&str>) -> Answer {
    match checksum {
        Some(checksum) => answer.with("x-amz-checksum-sha256", checksum).with("x-amz-checksum-type", "FULL_OBJECT"),
        None => answer,
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
