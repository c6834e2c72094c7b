//! Slack's request signature: HMAC-SHA256 over `v0:{timestamp}:{body}`, five minutes either way, compared
//! in constant time. Follows Slack's “Verifying requests from Slack”.

use secrecy::{ExposeSecret, SecretString};
use slack_morphism::SlackSigningSecret;
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;

/// Checks signatures with one secret.
pub struct Verifier(SlackEventSignatureVerifier);

impl Verifier {
    /// With the app's signing secret.
    pub fn new(secret: &SecretString) -> Self {
        let secret = SlackSigningSecret::new(secret.expose_secret().to_owned());
        Self(SlackEventSignatureVerifier::new(&secret))
    }

    /// Whether Slack sent this body, within the last five minutes.
    pub fn accepts(&self, signature: &str, timestamp: &str, body: &[u8]) -> bool {
        std::str::from_utf8(body).is_ok_and(|body| self.0.verify(signature, body, timestamp).is_ok())
    }
}
