//! Signature Version 4, checked for real: the signature is computed again from the request and the
//! secret that the account holds.

pub(super) mod chunks;

use std::fmt::Write as _;

use axum::http::{HeaderMap, Method, Uri};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::wire::{ApiError, percent_encoded};
use chunks::{Chunks, SIGNED_CHUNKS};

/// How far a request's date may be from the real time. The SDK signs with the machine's clock.
const SKEW_MAX: TimeDelta = TimeDelta::minutes(5);
/// The service whose signatures are different.
pub(super) const S3: &str = "s3";
/// What S3's signatures cover of the body.
const PAYLOAD: &str = "x-amz-content-sha256";
/// S3's words for a body that is not whole.
pub(super) const INCOMPLETE: &str = "The request body terminated unexpectedly";

/// The `Authorization` header, taken apart.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    date: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, ApiError> {
        let incomplete = |what: &str| ApiError::bad_request("IncompleteSignature", what);
        let Some(header) = headers.get("authorization") else {
            return Err(ApiError::forbidden("MissingAuthenticationToken", "Request is missing Authentication Token"));
        };
        let fields = header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256 "))
            .ok_or_else(|| incomplete("Authorization header requires the algorithm AWS4-HMAC-SHA256."))?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope[..] else {
            return Err(incomplete("Credential must have five slash-separated elements."));
        };
        let headers = field("SignedHeaders")?.split(';').collect();
        Ok(Self { access_key_id, region, service, date, headers, signature: field("Signature")? })
    }

    /// Whether `secret` signed this request, not long ago.
    pub(super) fn verify(
        &self,
        secret: &str,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), ApiError> {
        let refused = |why: String| ApiError::forbidden("SignatureDoesNotMatch", why);
        let stamp = headers.get("x-amz-date").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let signed_at = NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ")
            .map_err(|_| ApiError::bad_request("IncompleteSignature", "Date must be in ISO-8601 'basic format'."))?
            .and_utc();
        if !stamp.starts_with(self.date) {
            return Err(refused(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.".into(),
            ));
        }
        #[expect(clippy::disallowed_methods, reason = "the SDK signs with the machine's time, not the sandbox's")]
        check_age(signed_at, Utc::now())?;
        if !self.headers.contains(&"host") || !self.headers.contains(&"x-amz-date") {
            return Err(refused("'Host' and 'X-Amz-Date' must be signed headers.".into()));
        }
        if self.service == S3 {
            self.check_signed(headers)?;
        }
        let request = self.canonical_request(method, uri, headers, body);
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex::encode(Sha256::digest(&request)));
        let key = [self.date, self.region, self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| keyed(&key, part).finalize().into_bytes().to_vec());
        let signature = hex::decode(self.signature).unwrap_or_default();
        let mismatch = || {
            refused(
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details."
                    .into(),
            )
        };
        keyed(&key, &to_sign).verify_slice(&signature).map_err(|_| mismatch())?;
        let payload = headers.get(PAYLOAD).and_then(|value| value.to_str().ok());
        if self.service == S3 && payload == Some(SIGNED_CHUNKS) {
            let chunks = Chunks::read(body).ok_or_else(|| ApiError::bad_request("IncompleteBody", INCOMPLETE))?;
            return if chunks.are_signed(&key, stamp, &scope, self.signature) { Ok(()) } else { Err(mismatch()) };
        }
        Ok(())
    }

    fn canonical_request(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
        // Everybody but S3 encodes the path once more, and hashes the body for the signature alone.
        let (path, payload) = if self.service == S3 {
            let named = headers.get(PAYLOAD).and_then(|value| value.to_str().ok());
            (uri.path().to_owned(), named.unwrap_or_default().to_owned())
        } else {
            let path: Vec<String> = uri.path().split('/').map(percent_encoded).collect();
            (path.join("/"), hex::encode(Sha256::digest(body)))
        };
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let mut query: Vec<(&str, &str)> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        query.sort_unstable();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = format!("{method}\n{path}\n{}\n", query.join("&"));
        for name in &self.headers {
            let values: Vec<String> = headers
                .get_all(*name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            _ = writeln!(request, "{name}:{}", values.join(","));
        }
        _ = write!(request, "\n{}\n{payload}", self.headers.join(";"));
        request
    }

    /// S3 takes no header of its own that is not signed.
    fn check_signed(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let own = |name: &str| name.starts_with("x-amz-");
        match headers.keys().find(|name| own(name.as_str()) && !self.headers.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let sentence = format!("There were headers present in the request which were not signed: {name}");
                Err(ApiError::forbidden("AccessDenied", sentence))
            }
        }
    }
}

fn check_age(signed_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), ApiError> {
    let sentence = if signed_at + SKEW_MAX < now {
        "Signature expired"
    } else if signed_at - SKEW_MAX > now {
        "Signature not yet current"
    } else {
        return Ok(());
    };
    Err(ApiError::forbidden("SignatureDoesNotMatch", format!("{sentence}: signed at {signed_at}, it is now {now}.")))
}

fn keyed(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_either_way() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        assert!(check_age(now - TimeDelta::seconds(299), now).is_ok());
        assert!(check_age(now - TimeDelta::seconds(301), now).unwrap_err().message.starts_with("Signature expired"));
        assert!(check_age(now + TimeDelta::seconds(301), now).is_err());
    }

    #[test]
    fn a_header_that_is_no_signature() {
        let mut headers = HeaderMap::new();
        assert_eq!(Signed::read(&headers).unwrap_err().code, "MissingAuthenticationToken");
        headers.insert("authorization", "Bearer x".parse().unwrap());
        assert_eq!(Signed::read(&headers).unwrap_err().code, "IncompleteSignature");
        headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c".parse().unwrap());
        assert_eq!(Signed::read(&headers).unwrap_err().code, "IncompleteSignature");
    }
}
