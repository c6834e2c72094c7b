//! Keeps the code of a function that is to be deleted or put back: AWS does not keep it. What AWS hands out is checked against the
//! hash that it says, and put into the vault with the configuration that an approver saw.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_smithy_types::base64;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::fault::{fault, is_missing};
use super::regional::Regional;
use super::{AccountClients, CONNECT_TIME_MAX};
use crate::domain::id::RequestId;
use crate::domain::observation::Observation;
use crate::ports::{CloudError, Pack, Vault, VaultError};

/// A function's code, zipped: AWS takes 250 MB unzipped.
const CODE_BYTES_MAX: usize = 260 << 20;
/// For all of the code.
const FETCH_TIME_MAX: Duration = Duration::from_mins(1);
/// Hosts that AWS hands code out at are under these.
const AWS_HOSTS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];
const MANIFEST: &str = "manifest.json";

fn refused(message: impl Into<String>) -> CloudError {
    let message = format!("the function's code could not be kept, so nothing is changed: {}", message.into());
    CloudError::Refused { operation: "lambda:GetFunction".into(), code: "NotKept".into(), message }
}

fn unavailable(message: impl Into<String>) -> CloudError {
    CloudError::Unavailable { operation: "lambda:GetFunction".into(), message: message.into() }
}

/// Puts the function's code into the vault, under a name that says for which request. One that is gone has none.
pub(super) async fn function(
    account: &AccountClients,
    endpoint: Option<&str>,
    vault: &dyn Vault,
    (request, now): (RequestId, DateTime<Utc>),
    (region, name): (&str, &str),
) -> Result<(), CloudError> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    let asked = Box::pin(lambda.get_function().function_name(name).send()).await;
    let found = match asked.map_err(|e| fault("lambda:GetFunction", &e)) {
        Ok(found) => found,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let seen = Box::pin(super::observe::estate::function(account, region, name)).await?;
    let Observation::Function(seen) = seen else { return Ok(()) };
    let mut files = BTreeMap::new();
    let code = found.code.unwrap_or_else(|| aws_sdk_lambda::types::FunctionCodeLocation::builder().build());
    // The code of a container image lies in its registry, and stays there.
    if code.image_uri().is_none() {
        let address = code.location().ok_or_else(|| refused("AWS says no address for it"))?;
        let zip = Box::pin(fetch(address, endpoint)).await?;
        let hash = base64::encode(Sha256::digest(&zip));
        let said = found.configuration.as_ref().and_then(|configuration| configuration.code_sha256());
        if said != Some(hash.as_str()) {
            return Err(unavailable(format!(
                "the code that came has SHA-256 {hash}, and AWS says {}",
                said.unwrap_or("none")
            )));
        }
        files.insert("code.zip".to_owned(), zip.to_vec());
    }
    let configuration = json!({ "function": seen, "image_uri": code.image_uri() });
    files.insert("configuration.json".to_owned(), configuration.to_string().into_bytes());
    let hashes: BTreeMap<&String, String> =
        files.iter().map(|(path, bytes)| (path, hex::encode(Sha256::digest(bytes)))).collect();
    let manifest = json!({ "request": request.to_string(), "kept_at": now, "sha256": hashes }).to_string();
    // A name that was never there: what was written at a try that failed stays, and lacks the manifest.
    let revision: String = seen.revision.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let name = format!("{request}-function-{name}-{revision}-{}", now.format("%Y%m%dT%H%M%S%.3fZ"));
    let pack = Pack { files: &files, manifest: (MANIFEST, manifest.as_bytes()) };
    match vault.store(&name, pack).await {
        Ok(place) => {
            tracing::info!(request.id = %request, vault.place = %place, "the code of a function is kept");
            Ok(())
        }
        Err(VaultError::Refused(why) | VaultError::Exists(why)) => Err(refused(why)),
        Err(VaultError::Unavailable(why)) => Err(unavailable(format!("the vault: {why}"))),
    }
}

/// The code of a published version, as it was published.
pub(super) async fn code_of(
    account: &AccountClients,
    endpoint: Option<&str>,
    region: &str,
    (name, version): (&str, &str),
) -> Result<Bytes, CloudError> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    let asked = Box::pin(lambda.get_function().function_name(name).qualifier(version).send()).await;
    let found = asked.map_err(|e| fault("lambda:GetFunction", &e))?;
    let address = found.code().and_then(|code| code.location());
    let address = address.ok_or_else(|| unavailable(format!("AWS says no address for version {version}")))?;
    let zip = Box::pin(fetch(address, endpoint)).await?;
    let said = found.configuration().and_then(|configuration| configuration.code_sha256());
    if said == Some(base64::encode(Sha256::digest(&zip)).as_str()) {
        return Ok(zip);
    }
    Err(unavailable(format!("the code of version {version} is not what AWS says that it is")))
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

async fn fetch(address: &str, endpoint: Option<&str>) -> Result<Bytes, CloudError> {
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
        let body = Limited::new(answer.into_body(), CODE_BYTES_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|_| unavailable("its code broke off, or is too long"))
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
