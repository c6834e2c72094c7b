//! Slack's request signature: HMAC-SHA256 over `v0:{timestamp}:{body}`, five minutes either way, compared
//! in constant time. Follows Slack's “Verifying requests from Slack”.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use slack_morphism::SlackSigningSecret;
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;

/// Seconds that a delivery's time may differ from now.
const AGE_S_MAX: u64 = 300;

/// Checks signatures with one secret.
pub struct Verifier(SlackEventSignatureVerifier);

impl Verifier {
    /// With the app's signing secret.
    pub fn new(secret: &SecretString) -> Self {
        let secret = SlackSigningSecret::new(secret.expose_secret().to_owned());
        Self(SlackEventSignatureVerifier::new(&secret))
    }

    /// Whether a delivery of this time could be accepted at all.
    pub fn is_fresh(&self, timestamp: &str, now: DateTime<Utc>) -> bool {
        timestamp.parse::<i64>().is_ok_and(|sent| now.timestamp().abs_diff(sent) <= AGE_S_MAX)
    }

    /// Whether Slack sent this body, within the last five minutes.
    pub fn accepts(&self, signature: &str, timestamp: &str, body: &[u8]) -> bool {
        std::str::from_utf8(body).is_ok_and(|body| self.0.verify(signature, body, timestamp).is_ok())
    }
}
