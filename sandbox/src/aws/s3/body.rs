//! A body as it was sent: whole, or in chunks with a checksum behind them.
//! See <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::bucket::checksum;
use super::{Asked, not_implemented};
use crate::aws::signature::INCOMPLETE;
use crate::aws::signature::chunks::{Chunks, PLAIN_CHUNKS, SIGNED_CHUNKS};
use crate::aws::wire::ApiError;

const CHECKSUM: &str = "x-amz-checksum-sha256";

impl Asked {
    /// What the request brings, once its hashes have been found right, with the checksum that it came with.
    pub(super) fn content(&self) -> Result<(Bytes, Option<String>), ApiError> {
        let (bytes, trailing) = match self.header("x-amz-content-sha256").unwrap_or_default() {
            "" => {
                return Err(ApiError::bad_request(
                    "InvalidRequest",
                    "Missing required header for this request: x-amz-content-sha256",
                ));
            }
            "UNSIGNED-PAYLOAD" => (self.body.clone(), None),
            SIGNED_CHUNKS | PLAIN_CHUNKS => self.unchunked()?,
            streaming if streaming.starts_with("STREAMING-") => return Err(not_implemented(streaming)),
            signed if signed == hex::encode(Sha256::digest(&self.body)) => (self.body.clone(), None),
            _ => {
                return Err(ApiError::bad_request(
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ));
            }
        };
        let given = trailing.or_else(|| self.header(CHECKSUM).map(str::to_owned));
        if let Some(algorithm) = self.header("x-amz-sdk-checksum-algorithm") {
            if algorithm != "SHA256" {
                return Err(not_implemented(&format!("checksums by {algorithm}")));
            }
            if given.is_none() {
                return Err(ApiError::bad_request(
                    "InvalidRequest",
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
                ));
            }
        }
        if given.as_ref().is_some_and(|given| *given != checksum(&bytes)) {
            return Err(ApiError::bad_request("BadDigest", "The SHA256 you specified did not match what we received."));
        }
        Ok((bytes, given))
    }

    fn unchunked(&self) -> Result<(Bytes, Option<String>), ApiError> {
        let incomplete = || ApiError::bad_request("IncompleteBody", INCOMPLETE);
        let chunks = Chunks::read(&self.body).ok_or_else(incomplete)?;
        let bytes = Bytes::from(chunks.content());
        if self.header("x-amz-decoded-content-length") != Some(&bytes.len().to_string()) {
            return Err(incomplete());
        }
        match (self.header("x-amz-trailer"), chunks.trailers.as_slice()) {
            (None, []) => Ok((bytes, None)),
            (Some(CHECKSUM), [(CHECKSUM, value)]) => Ok((bytes, Some(value.trim().to_owned()))),
            (Some(other), _) if other != CHECKSUM => Err(not_implemented(other)),
            _ => Err(ApiError::bad_request(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed.",
            )),
        }
    }
}
