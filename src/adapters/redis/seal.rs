//! Tells what a replica of this bot has written from what somebody else with access to the server has. With keys, each text
//! that a decision hangs on is stored behind an HMAC-SHA256 (RFC 2104) over the place where it stands and itself: records of
//! logs, alerts, what people did in Slack, where cards stand, and what was read of the trail. The chain of a log alone does
//! not do that: whoever can read it can go on with it.
//!
//! Not sealed is which incident a credential belongs to and which are open, whose turn it is, and which work is due. Nor
//! does a seal show that something has been taken away, or that an older text was put back in its place.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

/// Characters of a seal: 32 bytes in hexadecimal.
const SEAL_CHARS: usize = 64;

/// Keys of seals; the first seals, every one is accepted. Without keys nothing is sealed, and nothing asked for.
#[derive(Clone, Default)]
pub struct Seal(Vec<Hmac<Sha256>>);

/// A text that does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Error)]
pub(super) enum Unsealed {
    #[error("it is sealed, and IRP_SEAL_KEYS is not set")]
    NoKeys,
    #[error("its seal does not fit: this bot has not written it, or with a key that is not in IRP_SEAL_KEYS")]
    Forged,
}

impl Seal {
    /// With these keys, the newest first.
    pub fn new(keys: &[SecretString]) -> Self {
        let keyed = |key: &SecretString| Hmac::new_from_slice(key.expose_secret().as_bytes());
        Self(keys.iter().map(|key| keyed(key).expect("HMAC takes keys of every length")).collect())
    }

    /// The text as it is stored in this place.
    pub(super) fn close(&self, place: &str, text: &str) -> String {
        match self.0.first() {
            None => text.to_owned(),
            Some(key) => format!("{} {text}", hex::encode(over(key, place, text).finalize().into_bytes())),
        }
    }

    /// The text that was stored in this place.
    pub(super) fn open(&self, place: &str, stored: String) -> Result<String, Unsealed> {
        let parts = stored.split_at_checked(SEAL_CHARS).and_then(|(seal, rest)| Some((seal, rest.strip_prefix(' ')?)));
        let sealed = parts.and_then(|(seal, text)| Some((hex::decode(seal).ok()?, text)));
        match sealed {
            None if self.0.is_empty() => Ok(stored),
            Some(_) if self.0.is_empty() => Err(Unsealed::NoKeys),
            Some((seal, text)) if self.0.iter().any(|key| over(key, place, text).verify_slice(&seal).is_ok()) => {
                Ok(text.to_owned())
            }
            _ => Err(Unsealed::Forged),
        }
    }
}

fn over(key: &Hmac<Sha256>, place: &str, text: &str) -> Hmac<Sha256> {
    // With its length, so that no other place and text come to the same.
    key.clone().chain_update(place.len().to_be_bytes()).chain_update(place).chain_update(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(keys: &[&str]) -> Seal {
        Seal::new(&keys.iter().map(|key| SecretString::from(*key)).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_was_closed_with_a_known_key_in_the_same_place_opens() {
        let text = r#"{"v":1}"#;
        let closed = seal(&["one"]).close("log:1", text);
        assert_ne!(closed, text);
        for keys in [&["one"][..], &["one", "other"], &["other", "one"]] {
            assert_eq!(seal(keys).open("log:1", closed.clone()).as_deref(), Ok(text), "{keys:?}");
        }
        assert_eq!(seal(&["other"]).open("log:1", closed.clone()), Err(Unsealed::Forged));
        assert_eq!(seal(&["one"]).open("log:2", closed.clone()), Err(Unsealed::Forged));
        assert_eq!(seal(&["one"]).open("log:1", closed.replace("\"v\":1", "\"v\":2")), Err(Unsealed::Forged));
        assert_eq!(seal(&["one"]).open("log:1", text.to_owned()), Err(Unsealed::Forged));
        assert_eq!(seal(&["one"]).open("log:1", String::new()), Err(Unsealed::Forged));
        assert_eq!(seal(&["one"]).open("log:1", "ü".repeat(SEAL_CHARS)), Err(Unsealed::Forged));
        assert_eq!(seal(&[]).open("log:1", closed), Err(Unsealed::NoKeys));
    }

    #[test]
    fn the_first_key_closes() {
        let closed = seal(&["new", "old"]).close("log:1", "text");
        assert_eq!(closed, seal(&["new"]).close("log:1", "text"));
        assert_eq!(seal(&["old"]).open("log:1", closed), Err(Unsealed::Forged));
    }

    #[test]
    fn without_keys_texts_stay_as_they_are() {
        let none = seal(&[]);
        for text in ["", "{}", "ü", &"a".repeat(70)] {
            assert_eq!(none.close("log:1", text), text);
            assert_eq!(none.open("log:1", text.to_owned()).as_deref(), Ok(text));
        }
    }
}
