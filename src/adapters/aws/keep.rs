//! Keeps what AWS does not keep: the code of a function that is to be deleted or put back, that of the versions and layers of
//! one that is to be deleted, and the user data of an instance that is to end. What AWS hands out of code is checked against
//! the hash that it says, and put into the vault with the configuration that an approver saw.

mod answers;
mod described;
mod others;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::InstanceAttributeName;
use aws_sdk_lambda::types::FunctionConfiguration;
use aws_smithy_types::base64;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::fault::{fault, is_missing};
use super::regional::Regional;
use super::{AccountClients, CONNECT_TIME_MAX};
use crate::domain::id::RequestId;
use crate::domain::observation::Observation;
use crate::ports::{CloudError, Pack, Vault, VaultError};

/// A function's code, zipped: AWS takes 250 MB unzipped.
const CODE_BYTES_MAX: usize = 260 << 20;
/// Only one function's code is in memory at a time, however many are to go: `manifests/kubernetes/irp.yaml` has room for
/// that.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);
/// For all of the code.
const FETCH_TIME_MAX: Duration = Duration::from_mins(1);
/// Hosts that AWS hands code out at are under these.
const AWS_HOSTS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];
const MANIFEST: &str = "manifest.json";

fn refused(message: impl Into<String>) -> CloudError {
    let message = format!("what AWS does not keep could not be kept, so nothing is changed: {}", message.into());
    CloudError::Refused { operation: "IRP_VAULT".into(), code: "NotKept".into(), message }
}

fn unavailable(message: impl Into<String>) -> CloudError {
    CloudError::Unavailable { operation: "lambda:GetFunction".into(), message: message.into() }
}

/// What a pack is to have.
#[derive(Default)]
struct Contents {
    files: BTreeMap<String, Vec<u8>>,
    /// What belongs there, and why it is not.
    not_kept: Vec<String>,
    /// The names of packs that belong to it, by what is in them.
    packs: BTreeMap<String, String>,
}

/// Puts the function's code into the vault, under a name that says for which request. One that is gone has none. Of one that
/// goes, its versions' code and its layers' is put there before.
pub(super) async fn function(
    account: &AccountClients,
    endpoint: Option<&str>,
    vault: &dyn Vault,
    (request, now): (RequestId, DateTime<Utc>),
    (region, name): (&str, &str),
    goes: bool,
) -> Result<(), CloudError> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    // Before AWS is asked: the address that it hands out does not work for long.
    let _alone = ONE_AT_A_TIME.acquire().await.map_err(|_| unavailable("the bot is ending"))?;
    let asked = Box::pin(lambda.get_function().function_name(name).send()).await;
    let found = match asked.map_err(|e| fault("lambda:GetFunction", &e)) {
        Ok(found) => found,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let seen = Box::pin(super::observe::estate::function(account, region, name)).await?;
    let Observation::Function(seen) = seen else { return Ok(()) };
    let described = Box::pin(described::described(lambda, name)).await?;
    let described::Described { mut files, mut not_kept, versions } = described;
    let revision: String = seen.revision.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let pack = format!("function-{name}-{revision}");
    let said = found.configuration.as_ref().and_then(|configuration| configuration.code_sha256());
    let mut packs = BTreeMap::new();
    let code = found.code.unwrap_or_else(|| aws_sdk_lambda::types::FunctionCodeLocation::builder().build());
    // The code of a container image lies in its registry, and stays there. All versions of a function are images, or none.
    if let Some(image) = code.image_uri() {
        not_kept.push(format!(
            "code.zip, and the code of its versions: they are container images, which stay in their registry: {image}"
        ));
    } else {
        let address = code.location().ok_or_else(|| refused("AWS says no address for it"))?;
        let size = size(found.configuration.as_ref())?;
        if goes {
            let shelf = others::Shelf { lambda, endpoint, vault, of: (request, now), name, pack: &pack };
            let others = Box::pin(others::keep(&shelf, said, others::of(&seen.layers, &versions))).await?;
            not_kept.extend(others.not_kept);
            packs = others.packs;
        }
        let zip = Box::pin(checked(address, endpoint, (size, said))).await?;
        files.insert("code.zip".to_owned(), zip);
    }
    let configuration = json!({ "function": seen, "image_uri": code.image_uri() });
    files.insert("configuration.json".to_owned(), configuration.to_string().into_bytes());
    let contents = Contents { files, not_kept, packs };
    put(vault, (request, now), &pack, contents).await.map(|_| ())
}

/// Puts the instance's user data into the vault: it tells what the attacker had it do. It is nowhere else, because a text
/// like that often has secrets in it.
pub(super) async fn user_data(
    account: &AccountClients,
    vault: &dyn Vault,
    (request, now): (RequestId, DateTime<Utc>),
    (region, id): (&str, &str),
) -> Result<(), CloudError> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let asked = ec2.describe_instance_attribute().instance_id(id).attribute(InstanceAttributeName::UserData).send();
    let found = match Box::pin(asked).await.map_err(|e| fault("ec2:DescribeInstanceAttribute", &e)) {
        Ok(found) => found.user_data.and_then(|data| data.value),
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(error),
    };
    let Some(text) = found.filter(|text| !text.is_empty()) else { return Ok(()) };
    let plain = base64::decode(&text).unwrap_or_else(|_| text.into_bytes());
    let files = BTreeMap::from([("user-data".to_owned(), plain)]);
    let contents = Contents { files, ..Contents::default() };
    put(vault, (request, now), &format!("instance-{id}"), contents).await.map(|_| ())
}

/// Stores a pack; its name.
async fn put(
    vault: &dyn Vault,
    (request, now): (RequestId, DateTime<Utc>),
    of: &str,
    Contents { files, not_kept, packs }: Contents,
) -> Result<String, CloudError> {
    let hashes: BTreeMap<&String, String> =
        files.iter().map(|(path, bytes)| (path, hex::encode(Sha256::digest(bytes)))).collect();
    let mut manifest = json!({ "request": request.to_string(), "kept_at": now, "sha256": hashes });
    if !not_kept.is_empty() {
        manifest["not_kept"] = not_kept.into();
    }
    if !packs.is_empty() {
        manifest["packs"] = json!(packs);
    }
    let manifest = manifest.to_string();
    // A name that was never there: what was written at a try that failed stays, and lacks the manifest.
    let name = format!("{request}-{of}-{}", now.format("%Y%m%dT%H%M%S%.3fZ"));
    let pack = Pack { files, manifest: (MANIFEST, manifest.as_bytes()) };
    match vault.store(&name, pack).await {
        Ok(place) => {
            tracing::info!(request.id = %request, vault.place = %place, "what AWS does not keep is in the vault");
            Ok(name)
        }
        Err(VaultError::Refused(why) | VaultError::Exists(why)) => Err(refused(why)),
        Err(VaultError::Unavailable(why)) => Err(unavailable(format!("the vault: {why}"))),
    }
}

/// How long the code is, as AWS says; an error for what would not fit into memory.
fn size(configuration: Option<&FunctionConfiguration>) -> Result<usize, CloudError> {
    let said = configuration.map_or(0, FunctionConfiguration::code_size);
    match usize::try_from(said) {
        Ok(bytes) if bytes <= CODE_BYTES_MAX => Ok(bytes),
        _ => Err(refused(format!(
            "it has {said} bytes, and no more than {CODE_BYTES_MAX} are taken. Keep it by hand, and delete the function by \
             hand"
        ))),
    }
}

/// The code of a published version, as it was published.
pub(super) async fn code_of(
    account: &AccountClients,
    endpoint: Option<&str>,
    region: &str,
    (name, version): (&str, &str),
) -> Result<Vec<u8>, CloudError> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    let asked = Box::pin(lambda.get_function().function_name(name).qualifier(version).send()).await;
    let found = asked.map_err(|e| fault("lambda:GetFunction", &e))?;
    let address = found.code().and_then(|code| code.location());
    let address = address.ok_or_else(|| unavailable(format!("AWS says no address for version {version}")))?;
    let said = found.configuration().and_then(|configuration| configuration.code_sha256());
    Box::pin(checked(address, endpoint, (size(found.configuration())?, said))).await
}

/// Fetches code, which has to have the SHA-256 that AWS says.
async fn checked(
    address: &str,
    endpoint: Option<&str>,
    (size, said): (usize, Option<&str>),
) -> Result<Vec<u8>, CloudError> {
    let zip = Box::pin(fetch(address, endpoint, size)).await?;
    let hash = base64::encode(Sha256::digest(&zip));
    if said == Some(hash.as_str()) {
        return Ok(zip);
    }
    Err(unavailable(format!("the code that came has SHA-256 {hash}, and AWS says {}", said.unwrap_or("none"))))
}

/// Whether an address is one that AWS, or what stands for it, hands code out at.
fn is_awss(address: &url::Url, endpoint: Option<&str>) -> bool {
    let host = address.host_str().unwrap_or_default();
    let own = endpoint.and_then(|endpoint| url::Url::parse(endpoint).ok());
    match own {
        Some(own) => address.origin() == own.origin(),
        None => address.scheme() == "https" && AWS_HOSTS.iter().any(|under| host.ends_with(under)),
    }
}

/// Fetches code of a size that AWS has said, into memory once.
async fn fetch(address: &str, endpoint: Option<&str>, size: usize) -> Result<Vec<u8>, CloudError> {
    let url = url::Url::parse(address).ok().filter(|url| is_awss(url, endpoint));
    let url = url.ok_or_else(|| refused("AWS says an address that is none of its own"))?;
    let uri: http::Uri = url.as_str().parse().map_err(|_| refused("AWS says an address that cannot be read"))?;
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT_TIME_MAX));
    http.enforce_http(false);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|e| unavailable(format!("no root certificates: {e}")))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let fetched = async {
        let answer = client.get(uri).await.map_err(|_| unavailable("its code could not be fetched: no connection"))?;
        if !answer.status().is_success() {
            return Err(unavailable(format!("its code could not be fetched: HTTP {}", answer.status().as_u16())));
        }
        let (mut body, mut zip) = (answer.into_body(), Vec::with_capacity(size));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| unavailable("its code broke off"))?;
            let Some(bytes) = frame.data_ref() else { continue };
            if zip.len() + bytes.len() > size {
                return Err(unavailable(format!("its code is longer than the {size} bytes that AWS says")));
            }
            zip.extend_from_slice(bytes);
        }
        Ok(zip)
    };
    match tokio::time::timeout(FETCH_TIME_MAX, fetched).await {
        Ok(bytes) => bytes,
        Err(_) => Err(unavailable(format!("its code did not come within {} s", FETCH_TIME_MAX.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_would_not_fit_into_memory_is_not_fetched() {
        let said = |bytes| FunctionConfiguration::builder().code_size(bytes).build();
        assert_eq!(size(Some(&said(250_000_000))).unwrap(), 250_000_000);
        for bytes in [300_000_000, -1] {
            let refused = size(Some(&said(bytes))).unwrap_err();
            assert!(!refused.can_retry() && refused.to_string().contains("by hand"), "{refused}");
        }
    }

    #[test]
    fn code_is_fetched_from_aws_only() {
        let at = |text: &str, endpoint| is_awss(&url::Url::parse(text).unwrap(), endpoint);
        assert!(at("https://awslambda-us-east-1-tasks.s3.us-east-1.amazonaws.com/snapshots/x?versionId=1", None));
        for other in [
            "http://awslambda-us-east-1-tasks.s3.us-east-1.amazonaws.com/x",
            "https://amazonaws.com.example.org/x",
            "https://notamazonaws.com/x",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert!(!at(other, None), "{other}");
        }
        let emulator = Some("http://127.0.0.1:4566");
        assert!(at("http://127.0.0.1:4566/_code/x", emulator));
        assert!(!at("http://127.0.0.1:4567/_code/x", emulator) && !at("https://s3.amazonaws.com/x", emulator));
    }
}
