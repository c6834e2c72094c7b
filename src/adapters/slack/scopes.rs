//! Which scopes a token has: Slack says so in a header of every answer, which slack-morphism drops.

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::{CALL_TIME_MAX, SlackChat, connector};
use crate::ports::ChatError;

/// What the bot's calls need. `groups:history` and `groups:read` take the place of the `channels:` ones
/// when the war room is private. The manifests ask for the same.
pub const SCOPES: [&str; 7] =
    ["app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:write", "users:read"];

impl SlackChat {
    /// The scopes that the bot's token has; `None` when Slack does not say.
    pub async fn scopes(&self) -> Result<Option<Vec<String>>, ChatError> {
        let failed = |what: &str| ChatError::Unavailable(what.to_owned());
        let request = http::Request::post(format!("{}/auth.test", self.api_url))
            .header(http::header::AUTHORIZATION, format!("Bearer {}", self.token.token_value.0))
            .body(Empty::<Bytes>::new())
            .map_err(|_| failed("SLACK_API_URL is no address"))?;
        let client = Client::builder(TokioExecutor::new()).build(connector()?);
        let answer = tokio::time::timeout(CALL_TIME_MAX, client.request(request)).await;
        let answer = answer.map_err(|_| failed("no answer in time"))?.map_err(|_| failed("no connection"))?;
        let header = answer.headers().get("x-oauth-scopes").and_then(|v| v.to_str().ok());
        Ok(header.map(|list| list.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect()))
    }
}

/// Those of [`SCOPES`] that are missing.
pub fn missing(granted: &[String]) -> Vec<&'static str> {
    let has = |scope: &str| granted.iter().any(|g| g == scope);
    let has_or_private = |scope: &str| match scope.strip_prefix("channels:") {
        Some(what) => has(scope) || has(&format!("groups:{what}")),
        None => has(scope),
    };
    SCOPES.into_iter().filter(|scope| !has_or_private(scope)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_war_room_needs_the_scopes_of_private_channels() {
        let granted = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let mut scopes = SCOPES.to_vec();
        assert!(missing(&granted(&scopes)).is_empty());
        scopes.retain(|s| !s.starts_with("channels:"));
        assert_eq!(missing(&granted(&scopes)), ["channels:history", "channels:read"]);
        scopes.extend(["groups:history", "groups:read"]);
        assert!(missing(&granted(&scopes)).is_empty());
    }
}
