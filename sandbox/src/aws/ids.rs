//! Identifiers in AWS's shapes. Access key ids carry the account id, so that a reader can decode it.

use sha2::{Digest, Sha256};

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Where the random part of an identifier comes from.
#[derive(Clone, Copy)]
pub(super) enum Entropy<'a> {
    /// The same text gives the same identifier: for the seeded demo account.
    Named(&'a str),
    Random,
}

impl Entropy<'_> {
    fn bytes(self) -> [u8; 32] {
        match self {
            Self::Named(name) => Sha256::digest(name.as_bytes()).into(),
            Self::Random => rand::random(),
        }
    }
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for &byte in bytes {
        held = held << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(held >> bits & 31) as usize]));
        }
    }
    text
}

/// A 20-character access key id: `prefix` (`AKIA` or `ASIA`), then 16 characters of base32 whose
/// first six bytes hold the account number, shifted left by seven, below a top bit that is set.
pub(super) fn access_key_id(prefix: &str, account: &str, entropy: Entropy<'_>) -> String {
    let number: u64 = account.parse().unwrap_or_default();
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&entropy.bytes()[..10]);
    let head = 0x8000_0000_0000 | (number << 7) | u64::from(bytes[5] & 0x7f);
    bytes[..6].copy_from_slice(&head.to_be_bytes()[2..]);
    format!("{prefix}{}", base32(&bytes))
}

/// The account that an access key id encodes; `None` for what is no such id.
pub(super) fn account_of(access_key_id: &str) -> Option<String> {
    let body = access_key_id.get(4..14).filter(|_| access_key_id.len() == 20)?;
    let mut head = 0_u64;
    for letter in body.bytes() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        head = head << 5 | u64::try_from(value).ok()?;
    }
    Some(format!("{:012}", (head >> 2 & 0x7fff_ffff_ff80) >> 7))
}

/// A unique id such as `AIDA…` or `AROA…`, 21 characters.
pub(super) fn unique_id(prefix: &str, entropy: Entropy<'_>) -> String {
    let text = base32(&entropy.bytes());
    format!("{prefix}{}", &text[..17])
}

/// A secret access key: 40 letters and digits, new each time.
pub(super) fn secret() -> String {
    let text = hex::encode(Entropy::Random.bytes());
    text[..40].to_owned()
}

/// The opaque token of a session, new each time.
pub(super) fn session_token() -> String {
    let half = || base32(&Entropy::Random.bytes());
    format!("FwoGZXIvYXdzE{}{}{}", half(), half(), half())
}

/// An EC2 id such as `i-…` or `vol-…`: 17 hexadecimal digits.
pub(super) fn resource_id(prefix: &str, entropy: Entropy<'_>) -> String {
    format!("{prefix}-{}", &hex::encode(entropy.bytes())[..17])
}

/// A `GuardDuty` detector id, the same for the same name.
pub(super) fn detector_id(name: &str) -> String {
    hex::encode(&Entropy::Named(name).bytes()[..16])
}

/// A random UUID, version 4, as request and event ids are.
pub(crate) fn uuid() -> String {
    uuid_from(rand::random())
}

/// The same UUID for the same text.
pub(super) fn uuid_of(text: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Entropy::Named(text).bytes()[..16]);
    uuid_from(bytes)
}

fn uuid_from(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_carries_its_account() {
        let id = access_key_id("AKIA", "111122223333", Entropy::Random);
        assert_eq!(id.len(), 20);
        assert_eq!(account_of(&id).as_deref(), Some("111122223333"));
        assert_eq!(account_of("AKIA0000000000000000"), None);
        assert_eq!(account_of("AKIA"), None);
    }

    #[test]
    fn a_named_id_is_stable() {
        assert_eq!(unique_id("AIDA", Entropy::Named("x")), unique_id("AIDA", Entropy::Named("x")));
        assert_eq!(unique_id("AROA", Entropy::Random).len(), 21);
    }
}
