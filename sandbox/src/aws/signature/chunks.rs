//! Bodies whose chunks are signed one by one, each over the signature before it: what the SDK sends of a
//! stream without TLS.
//! See <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use std::fmt::Write as _;

use hmac::Mac as _;
use sha2::{Digest, Sha256};

use super::keyed;

/// The payload's name in the signed headers.
pub(in crate::aws) const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
/// The same for a body that TLS protects.
pub(in crate::aws) const PLAIN_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// A body taken out of its chunks.
#[derive(Debug, Default)]
pub(in crate::aws) struct Chunks<'a> {
    /// Each with its signature, the empty last one too.
    pieces: Vec<(&'a [u8], &'a str)>,
    /// The lines behind them, without the signature.
    pub(in crate::aws) trailers: Vec<(&'a str, &'a str)>,
    trailer_signature: &'a str,
}

impl<'a> Chunks<'a> {
    /// `None` for what is not a whole body in chunks.
    pub(in crate::aws) fn read(body: &'a [u8]) -> Option<Self> {
        let (mut rest, mut read) = (body, Self::default());
        loop {
            let head = line(&mut rest)?;
            let (size, signature) = head.split_once(";chunk-signature=").unwrap_or((head, ""));
            let (chunk, after) = rest.split_at_checked(usize::from_str_radix(size, 16).ok()?)?;
            read.pieces.push((chunk, signature));
            if chunk.is_empty() {
                break;
            }
            rest = after.strip_prefix(b"\r\n")?;
        }
        loop {
            let line = line(&mut rest)?;
            match line.split_once(':') {
                None if line.is_empty() && rest.is_empty() => return Some(read),
                None => return None,
                Some(("x-amz-trailer-signature", signature)) => read.trailer_signature = signature,
                Some(trailer) => read.trailers.push(trailer),
            }
        }
    }

    /// All of it without the chunks' borders.
    pub(in crate::aws) fn content(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(chunk, _)| *chunk).copied().collect()
    }

    /// Whether `key` signed each chunk and what is behind them, one after the other from the request's own
    /// signature on.
    pub(super) fn are_signed(&self, key: &[u8], stamp: &str, scope: &str, seed: &str) -> bool {
        let (mut before, empty) = (seed, hex::encode(Sha256::digest(b"")));
        let signs = |what: &str, before: &str, hash: &str, signature: &str| {
            let text = format!("AWS4-HMAC-SHA256-{what}\n{stamp}\n{scope}\n{before}\n{hash}");
            signature == hex::encode(keyed(key, &text).finalize().into_bytes())
        };
        for (chunk, signature) in &self.pieces {
            if !signs("PAYLOAD", before, &format!("{empty}\n{}", hex::encode(Sha256::digest(chunk))), signature) {
                return false;
            }
            before = signature;
        }
        let mut trailers = String::new();
        for (name, value) in &self.trailers {
            _ = writeln!(trailers, "{name}:{value}");
        }
        signs("TRAILER", before, &hex::encode(Sha256::digest(trailers)), self.trailer_signature)
    }
}

/// The next line, taken off.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 2..];
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_goes_on_is_no_body() {
        let whole = b"3\r\nabc\r\n0\r\na:b\r\n\r\n";
        let read = Chunks::read(whole).unwrap();
        assert_eq!((read.content().as_slice(), read.trailers.as_slice()), (&b"abc"[..], &[("a", "b")][..]));
        for length in 0..whole.len() {
            assert!(Chunks::read(&whole[..length]).is_none(), "{length}");
        }
        assert!(Chunks::read(b"3\r\nabc\r\n0\r\n\r\nmore").is_none());
        assert!(Chunks::read(b"ffffffffffffffff\r\nabc").is_none());
    }
    #[test]
    fn a_changed_chunk_or_trailer_is_found() {
        let (key, stamp, scope) = (b"key".as_slice(), "20260101T000000Z", "20260101/us-east-1/s3/aws4_request");
        let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        let sign = |what: &str, before: &str, hash: &str| {
            let text = format!("AWS4-HMAC-SHA256-{what}\n{stamp}\n{scope}\n{before}\n{hash}");
            hex::encode(keyed(key, &text).finalize().into_bytes())
        };
        let first = sign("PAYLOAD", "seed", &format!("{}\n{}", hash(b""), hash(b"abc")));
        let last = sign("PAYLOAD", &first, &format!("{}\n{}", hash(b""), hash(b"")));
        let trailer = sign("TRAILER", &last, &hash(b"a:b\n"));
        let body = format!(
            "3;chunk-signature={first}\r\nabc\r\n0;chunk-signature={last}\r\na:b\r\nx-amz-trailer-signature:{trailer}\r\n\r\n"
        );
        let signed = |body: &str, seed| Chunks::read(body.as_bytes()).unwrap().are_signed(key, stamp, scope, seed);
        assert!(signed(&body, "seed"));
        assert!(!signed(&body, "another"));
        assert!(!signed(&body.replace("abc", "abd"), "seed"));
        assert!(!signed(&body.replace("a:b", "a:c"), "seed"));
    }
}
