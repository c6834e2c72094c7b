//! S3 with Object Lock. Every object is put once, with its checksum and the time until which nobody can delete
//! it, and read back before it counts as stored.
//! See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime as SdkDateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ObjectLockEnabled, ObjectLockMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::base64;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::adapters::aws::fault::fault;
use crate::adapters::aws::{StaticKey, https};
use crate::config::vault::{Bucket, LockMode};
use crate::ports::{Clock, Pack, Vault, VaultError};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// One try of one object: a log of some ten MB over a slow line.
const ATTEMPT_TIME_MAX: Duration = Duration::from_mins(1);
/// One object, with all tries.
const OPERATION_TIME_MAX: Duration = Duration::from_mins(3);
const ATTEMPTS_MAX: u32 = 4;
/// Objects on their way at once.
const OBJECTS_AT_ONCE: usize = 8;
/// Names the one run that wrote an object, in the object's metadata.
const RUN: &str = "irp-run";

/// See the module.
pub struct S3Vault {
    client: Client,
    bucket: Bucket,
    clock: Arc<dyn Clock>,
}

/// One storing of one pack.
struct Run<'a> {
    vault: &'a S3Vault,
    /// What its objects' keys begin with.
    folder: String,
    /// Different for every run: by it an object is known as this run's own when the answer to its put got lost.
    id: String,
    until: DateTime<Utc>,
}

impl S3Vault {
    /// Finds the credentials, with the SDK's default chain unless a key is given. S3 is not asked anything yet.
    /// With an `endpoint_url` the bucket's name is in the path.
    pub async fn new(
        bucket: Bucket,
        endpoint_url: Option<&str>,
        key: Option<StaticKey>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .operation_attempt_timeout(ATTEMPT_TIME_MAX)
            .operation_timeout(OPERATION_TIME_MAX)
            .build();
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(https())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .region(Region::new(bucket.region.clone()));
        if let Some(url) = endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(key) = key {
            let secret = key.secret_access_key.expose_secret().to_owned();
            loader = loader.credentials_provider(Credentials::from_keys(key.access_key_id, secret, None));
        }
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await);
        let client = Client::from_conf(config.force_path_style(endpoint_url.is_some()).build());
        Self { client, bucket, clock }
    }

    /// Refuses a bucket that could lose a pack.
    async fn check_lock(&self) -> Result<(), VaultError> {
        let bucket = &self.bucket.name;
        let asked = self.client.get_object_lock_configuration().bucket(bucket).send().await;
        let on = match asked {
            Ok(answer) => answer.object_lock_configuration.and_then(|lock| lock.object_lock_enabled),
            Err(error) if code(&error) == Some("ObjectLockConfigurationNotFoundError") => None,
            Err(error) => return Err(self.fault("s3:GetBucketObjectLockConfiguration", &error)),
        };
        if on == Some(ObjectLockEnabled::Enabled) {
            return Ok(());
        }
        Err(VaultError::Refused(format!(
            "the bucket {bucket} has no Object Lock, so packs in it could be deleted: switch it on, or make a \
             bucket with manifests/aws/vault.cloudformation.yaml"
        )))
    }

    fn fault<E>(&self, operation: &str, error: &SdkError<E, HttpResponse>) -> VaultError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let Bucket { name, region, .. } = &self.bucket;
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        match (code(error), status) {
            (Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"), _)
            | (None, Some(301)) => VaultError::Refused(format!(
                "{operation}: the bucket {name} is not in {region}: set IRP_VAULT_REGION to its Region"
            )),
            (Some("NoSuchBucket"), _) => {
                VaultError::Refused(format!("{operation}: there is no bucket {name}: is IRP_VAULT right?"))
            }
            // An answer to HEAD has no body, and so no code.
            (None, Some(403)) => VaultError::Refused(format!("{operation}: AccessDenied: the bot may not")),
            _ => match fault(operation, error) {
                fault if fault.can_retry() => VaultError::Unavailable(fault.to_string()),
                fault => VaultError::Refused(fault.to_string()),
            },
        }
    }
}

#[async_trait]
impl Vault for S3Vault {
    async fn store(&self, name: &str, pack: Pack<'_>) -> Result<String, VaultError> {
        self.check_lock().await?;
        let until = self.clock.now().trunc_subsecs(0) + TimeDelta::days(self.bucket.lock_days.into());
        let parts = [self.bucket.prefix.as_str(), name].into_iter().filter(|part| !part.is_empty());
        let folder: String = parts.flat_map(|part| [part, "/"]).collect();
        let run = Run { vault: self, folder, id: hex::encode(rand::random::<[u8; 16]>()), until };
        let put = |(path, bytes): (String, Vec<u8>)| {
            let run = &run;
            Box::pin(async move { run.put(&path, bytes.into()).await })
        };
        let files: Vec<_> = pack.files.into_iter().map(put).collect();
        stream::iter(files).buffer_unordered(OBJECTS_AT_ONCE).try_collect::<()>().await?;
        run.put(pack.manifest.0, Bytes::copy_from_slice(pack.manifest.1)).await?;
        Ok(format!(
            "s3://{}/{}, kept in {} mode until {}",
            self.bucket.name,
            run.folder,
            self.bucket.lock_mode,
            until.to_rfc3339_opts(SecondsFormat::Secs, true)
        ))
    }

    async fn inspect(&self) -> Result<String, VaultError> {
        self.check_lock().await?;
        let Bucket { name, prefix, lock_mode, lock_days, .. } = &self.bucket;
        let (name, prefix) = (format!("s3://{name}"), if prefix.is_empty() { "" } else { &format!("/{prefix}") });
        Ok(format!(
            "{name}{prefix} has Object Lock on; packs are kept in {lock_mode} mode for {lock_days} day(s). Whether \
             the bot may put objects there shows with the first pack only"
        ))
    }
}

impl Run<'_> {
    /// Puts one object and reads it back.
    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), VaultError> {
        let key = format!("{}{path}", self.folder);
        let checksum = base64::encode(Sha256::digest(&bytes));
        let asked = self
            .vault
            .client
            .put_object()
            .bucket(&self.vault.bucket.name)
            .key(&key)
            .body(ByteStream::from(bytes))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(&checksum)
            .if_none_match("*")
            .object_lock_mode(self.mode())
            .object_lock_retain_until_date(SdkDateTime::from_secs(self.until.timestamp()))
            .metadata(RUN, &self.id)
            .send()
            .await;
        match asked {
            Ok(_) => {}
            // Somebody else's object, or this very one, when the answer to an earlier try got lost.
            Err(error) if code(&error) == Some("PreconditionFailed") => {}
            Err(error) if code(&error) == Some("ConditionalRequestConflict") => {
                return Err(VaultError::Unavailable(format!("s3:PutObject {key}: somebody else is writing it")));
            }
            Err(error) => return Err(self.vault.fault("s3:PutObject", &error)),
        }
        self.prove(&key, &checksum).await
    }

    /// Whether what lies there is this run's, whole, and locked for as long as was asked.
    async fn prove(&self, key: &str, checksum: &str) -> Result<(), VaultError> {
        let bucket = &self.vault.bucket.name;
        let head = self.vault.client.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.map_err(|error| self.vault.fault("s3:GetObject (HEAD)", &error))?;
        let place = format!("s3://{bucket}/{key}");
        if head.metadata().and_then(|all| all.get(RUN)) != Some(&self.id) {
            return Err(VaultError::Exists(place));
        }
        match flaw(&head, checksum, &self.mode(), self.until.timestamp()) {
            None => Ok(()),
            Some(flaw) => Err(VaultError::Refused(format!("{place} has been written, but {flaw}"))),
        }
    }

    fn mode(&self) -> ObjectLockMode {
        match self.vault.bucket.lock_mode {
            LockMode::Governance => ObjectLockMode::Governance,
            LockMode::Compliance => ObjectLockMode::Compliance,
        }
    }
}

/// What is wrong with an object that was sent with this checksum, to be locked in this mode until then.
fn flaw(head: &HeadObjectOutput, checksum: &str, mode: &ObjectLockMode, until_s: i64) -> Option<&'static str> {
    let (is_mode, is_until) = (head.object_lock_mode(), head.object_lock_retain_until_date());
    if head.checksum_sha256() != Some(checksum) {
        Some("its checksum is not that of what was sent")
    } else if is_mode.is_none() || is_until.is_none() {
        Some("S3 shows no lock on it: may the bot use s3:GetObjectRetention?")
    } else if is_mode != Some(mode) {
        Some("it is locked in another mode than was asked for")
    } else if is_until.is_some_and(|until| until.secs() < until_s) {
        Some("it is locked for a shorter time than was asked for")
    } else {
        None
    }
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_and_locked_as_was_asked_has_no_flaw() {
        let head = || {
            HeadObjectOutput::builder()
                .checksum_sha256("sum")
                .object_lock_mode(ObjectLockMode::Compliance)
                .object_lock_retain_until_date(SdkDateTime::from_secs(100))
        };
        let until = |seconds| Some(SdkDateTime::from_secs(seconds));
        for (head, found) in [
            (head(), None),
            (head().set_object_lock_retain_until_date(until(101)), None),
            (head().set_checksum_sha256(None), Some("checksum")),
            (head().checksum_sha256("another"), Some("checksum")),
            (head().set_object_lock_mode(None), Some("no lock")),
            (head().set_object_lock_retain_until_date(None), Some("no lock")),
            (head().object_lock_mode(ObjectLockMode::Governance), Some("another mode")),
            (head().set_object_lock_retain_until_date(until(99)), Some("shorter")),
        ] {
            let said = flaw(&head.build(), "sum", &ObjectLockMode::Compliance, 100);
            assert_eq!(said.is_some(), found.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(found.unwrap_or_default()), "{said:?}");
        }
    }
}
